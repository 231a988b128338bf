"""The command line: what a wrong call or setting is told, before anything is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bcapp.cli import main

pytestmark = pytest.mark.unit

GOOD = {
    "APP_URL": "https://app.example",
    "SECRET_KEYS": "k" * 32,
    "BC_CLIENT_ID": "id",
    "BC_CLIENT_SECRET": "secret-value",
    "BC_APP_ID": "1",
}
COMMANDS = (
    ["web"],
    ["worker"],
    ["serve"],
    ["migrate"],
    ["doctor", "abc"],
    ["rotate-keys"],
    ["erase", "abc", "a@b.test"],
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*GOOD, "DATABASE_URL", "DYNO", "COUNTERSIGN_CLOCK_URL", "BC_API_URL", "BC_LOGIN_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
def test_one_sentence_per_missing_variable(
    args: list[str], environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert sorted(line.split()[0] for line in said) == sorted(GOOD)
    assert all(line.endswith(".") for line in said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_URL", "http://app.example"),
        ("APP_URL", "app.example"),
        ("SECRET_KEYS", "short"),
        ("BC_API_URL", "ftp://x"),
        ("FRAME_ANCESTORS", "everybody"),
        ("COUNTERSIGN_CLOCK_URL", "http://127.0.0.1/clock"),
        ("DYNO", "web.1"),
    ],
)
def test_a_malformed_variable_is_named_and_its_value_is_not(
    name: str, value: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, text in {**GOOD, name: value}.items():
        environment.setenv(given, text)
    assert main(["migrate"]) == 2
    said = capsys.readouterr().err
    assert (name if name != "DYNO" else "DATABASE_URL") in said
    assert "short" not in said.split()
    assert "secret-value" not in said


def test_an_unknown_command_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["fly"])
    assert left.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_help_names_every_command_and_needs_no_settings() -> None:
    done = subprocess.run([sys.executable, "-m", "bcapp.cli", "--help"], capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr
    for name in ("web", "worker", "serve", "migrate", "connect", "doctor", "rotate-keys", "sandbox", "demo", "bench"):
        assert f" {name}" in done.stdout
