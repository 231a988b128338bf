"""Raw answers of the signature service to our shapes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.core.provider import event_of
from bcapp.core.states import RequestEvent
from bcapp.errors import UnreadableInput
from bcapp.signature.parse import (
    parse_document,
    parse_event_row,
    parse_request,
    parse_signer,
    parse_signers,
    parse_template,
    uuid_of,
)

SENDER = {"email": "Sales@northwind.example", "order": 0, "needs_to_sign": False}
BUYER = {
    "email": "Buyer@Kite.example", "order": "1", "needs_to_sign": True, "emailed": True, "signed": True,
    "signed_on": "2026-01-05T10:11:12.345678Z", "message": None, "embed_url": "https://sign.test/secret",
    "inputs": [
        {"type": "t", "page_index": 0, "text": "SN-1", "external_id": "serial", "placeholder_uuid": "p1"},
        {"type": "c", "page_index": 1, "text": "", "checkbox_value": False, "external_id": None},
        {"type": "d", "page_index": 1, "date_value": "2026-01-05"},
        {"type": "z of tomorrow", "page_index": 1},
    ],
}  # fmt: skip
REQUEST = {"uuid": "r1", "who": "o", "signers": [SENDER, BUYER]}
DOCUMENT: dict[str, Any] = {
    "uuid": "d1", "url": "https://sign.test/api/v1/documents/d1/", "external_id": "1:z:1:1:n", "name": "Order",
    "status": "se", "processing": False, "sandbox": True, "pdf": None, "security_hash": "AB12",
    "signing_log": {"pdf": "https://files.test/log.pdf", "security_hash": "cd34"}, "unknown": [1],
}  # fmt: skip


@pytest.mark.parametrize("key", ["signrequest", "signature_request"])
def test_the_request_is_found_under_both_names(key: str) -> None:
    document = parse_document({**DOCUMENT, key: REQUEST})
    assert document.request_uuid == "r1"
    assert [s.email for s in document.signers] == ["buyer@kite.example"]  # the sender is none of ours
    assert (document.pdf_url, document.pdf_sha256, document.log_sha256) == ("", "ab12", "cd34")
    assert document.sandbox
    assert event_of(document) is RequestEvent.SOME_SIGNED


def test_a_document_without_a_request() -> None:
    document = parse_document({**DOCUMENT, "signature_request": None, "signing_log": None})
    assert (document.request_uuid, document.signers, document.log_url) == ("", (), "")


def test_what_a_signer_did() -> None:
    signer = parse_signer(BUYER, bounced={"buyer@kite.example"})
    assert (signer.order, signer.signed, signer.bounced) == (1, True, True)
    assert signer.signed_at == datetime(2026, 1, 5, 10, 11, 12, 345678, tzinfo=UTC)
    assert [(i.type, i.external_id, i.value) for i in signer.inputs] == [
        ("t", "serial", "SN-1"), ("c", "", "false"), ("d", "", "2026-01-05"), ("z of tomorrow", "", "")
    ]  # fmt: skip
    assert "secret" not in repr(signer)  # a signer's own link is never ours to know


def test_a_copy_that_we_asked_for_stays() -> None:
    copy = {"email": "copy@kite.example", "order": 3, "needs_to_sign": False}
    assert [s.email for s in parse_signers([SENDER, BUYER, copy])] == ["buyer@kite.example", "copy@kite.example"]


def test_flags_that_were_dropped_are_named() -> None:
    request = parse_request(
        {"uuid": "r1", "document": DOCUMENT["url"], "disable_text": False, "disable_date": True},
        ("disable_text", "disable_date"),
    )
    assert (request.document_uuid, request.dropped) == ("d1", ("disable_text",))


def test_an_event_of_tomorrow_is_read() -> None:
    event = parse_event_row(
        {"id": 7, "event_type": "signer_blinked", "timestamp": "2026-01-05T10:00:00", "document": {"uuid": "d1"}}
    )
    assert (event.uuid, event.kind, event.document_uuid) == ("7", "signer_blinked", "d1")
    assert event.at == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "url", ["https://x.test/api/v1/documents/d1/", "/api/v1/documents/d1/", "d1", "/documents/d1?x=1"]
)
def test_a_uuid_is_the_last_part_of_an_address(url: str) -> None:
    assert uuid_of(url) == "d1"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"uuid": None}, "uuid"), ({"url": ""}, "url"), ({"status": []}, "status"),
        ({"signrequest": {"uuid": "r", "signers": 7}}, "signers"),
        ({"signrequest": {"uuid": "r", "signers": [{"order": 1}]}}, "email"),
        ({"signrequest": {"uuid": "r", "signers": [{"email": "a@x", "order": "first"}]}}, "order"),
        ({"signrequest": {"uuid": "r", "signers": [{"email": "a@x", "signed_on": "today"}]}}, "signed_on"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(UnreadableInput, match=named):
        parse_document({**DOCUMENT, **changed})


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["uuid", "signers", "email", "order", "inputs", "pdf", "status"]), inner, max_size=4
        )
    ),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*sorted(DOCUMENT), "signrequest", "signature_request"]), JUNK, max_size=4), JUNK
)
def test_anything_is_read_or_refused_and_nothing_else(changed: dict[str, Any], whole: Any) -> None:
    for parse, raw in (
        (parse_document, {**DOCUMENT, **changed}), (parse_document, whole), (parse_request, whole),
        (parse_event_row, whole), (parse_template, {"uuid": "t", **changed, "signers": whole}),
    ):  # fmt: skip
        try:
            parse(raw)
        except UnreadableInput:
            continue


def test_a_document_is_read_from_real_bytes() -> None:
    assert parse_document(json.loads(json.dumps({**DOCUMENT, "signrequest": REQUEST}))).signers[0].signed
