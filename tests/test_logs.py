"""Logs: JSON lines, and nothing in them that is secret or personal."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog

from bcapp.logs import Redactor, configure_logging
from bcapp.settings import Settings

pytestmark = pytest.mark.unit

REDACT = Redactor(["s3cr3t-of-the-app"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("mail to ann.lee+x@example.co.uk failed", "mail to [e-mail] failed"),
        ("ann%40example.com", "[e-mail]"),
        ("Bearer abcdefgh12345678", "Bearer [redacted]"),
        ("GET /load?signed_payload_jwt=eyJhbGciOi.eyJzdWIi.c2ln&a=1", "GET /load?signed_payload_jwt=[redacted]&a=1"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-_", "[jwt]"),
        ("/s/abc/?x=Zm9vYmFy&tab=2", "/s/abc/?x=[redacted]&tab=2"),
        ("/webhooks/core-signature/abc.def", "/webhooks/core-signature/[redacted]"),
        (f"session abc123.{'A' * 43} ended", "session [token] ended"),
        ("postgresql://bcapp:hunter2@db:5432/app", "postgresql://[redacted]@db:5432/app"),
        ("the key s3cr3t-of-the-app is wrong", "the key [redacted] is wrong"),
        ("Key (email)=(ann@example.com) already exists", "Key (email)=([e-mail]) already exists"),
        ("order 1001 of store n0rthf1eld released", "order 1001 of store n0rthf1eld released"),
        ("7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca", "7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca"),
    ],
)
def test_shapes_are_taken_out_of_texts(given: str, kept: str) -> None:
    assert REDACT.text(given) == kept


def test_names_are_enough_and_depth_does_not_help() -> None:
    line = REDACT(
        None,
        "info",
        {
            "event": "e", "store": "abc", "access_token": "abc", "count": 3, "ok": True, "body": b"raw", "blob": b"raw",
            "detail": {"client_secret": "x", "list": [{"email": "a"}, "ann@example.com"]}, "attempt": 2,
        },
    )  # fmt: skip
    assert line == {
        "event": "e", "store": "abc", "access_token": "[redacted]", "count": 3, "ok": True, "body": "[redacted]",
        "blob": "[3 bytes]", "detail": {"client_secret": "[redacted]", "list": [{"email": "[redacted]"}, "[e-mail]"]},
        "attempt": 2,
    }  # fmt: skip


def test_lines_of_ours_and_of_libraries_are_json_and_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(
        app_url="https://app.test",
        secret_keys="k" * 40,  # type: ignore[arg-type]
        bc_client_id="client",
        bc_client_secret="very-secret-client-secret",  # type: ignore[arg-type]
        bc_app_id="1",
        database_url="postgresql://u:dbpassword@db/app",
        smtp_url="smtps://me:mailpassword@mail/",  # type: ignore[arg-type]
    )
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level, disabled = root.handlers[:], root.level, logging.getLogger("uvicorn.access").disabled
    try:
        configure_logging(settings)
        structlog.contextvars.bind_contextvars(store="abc", action=7)
        structlog.get_logger("ours").info("started", why="the secret is very-secret-client-secret")
        logging.getLogger("theirs").warning("cannot reach %s with dbpassword and mailpassword", "ann@example.com")
        try:
            raise ValueError("token=abcdef of ann@example.com, " + "k" * 40)
        except ValueError:
            structlog.get_logger("ours").exception("failed")
        logging.getLogger("uvicorn.access").info("GET /load?signed_payload_jwt=x")
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
        logging.getLogger("uvicorn.access").disabled = disabled
    text = capsys.readouterr().out
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert lines[0]["event"] == "started"
    assert lines[0]["store"] == "abc"
    assert lines[0]["action"] == 7
    assert lines[0]["level"] == "info"
    assert lines[0]["timestamp"].endswith("Z")
    assert len(lines) == 3
    assert "Traceback" in lines[2]["exception"]
    for secret in ("very-secret-client-secret", "dbpassword", "mailpassword", "ann@example.com", "k" * 40):
        assert secret not in text
