"""Callbacks of the signature service: a hint that is read, and a hash that proves little."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.errors import UnreadableInput
from bcapp.signature.events import check_hash, parse_event

# Our own vector: the one in the vendor's page does not come out with the key printed beside it.
KEY, TIME, KIND = "test-key", "1700000000", "signed"
DIGEST = "67ed05d0852f8da257c9abdb77ecedd3e7b4498221d50621cc013ee45e2dab70"
BODY: dict[str, Any] = {
    "uuid": "e1", "status": "ok", "event_type": KIND, "timestamp": "2023-11-14T22:13:20.345678Z", "signer": None,
    "document": {"uuid": "d1", "external_id": "1:z4zn3wo:71:1:n", "status": "si", "pdf": "https://files.test/x"},
    "event_time": TIME, "event_hash": DIGEST, "token_name": "Default",
}  # fmt: skip


def raw(**changed: Any) -> bytes:
    return json.dumps({**BODY, **changed}).encode()


def test_a_callback_says_which_document_to_read() -> None:
    event = parse_event(raw())
    assert (event.uuid, event.kind, event.document_uuid, event.external_id) == (
        "e1",
        "signed",
        "d1",
        "1:z4zn3wo:71:1:n",
    )
    assert event.key == "cs:e1"
    assert parse_event(raw(event_type="signer_blinked")).kind == "signer_blinked"


def test_the_hash_follows_the_vector() -> None:
    event = parse_event(raw())
    assert check_hash(event, KEY) == "valid"
    assert check_hash(event, "other-key") == "wrong"
    assert check_hash(event, "") == "absent"
    assert check_hash(parse_event(raw(event_type="declined")), KEY) == "wrong"
    assert check_hash(parse_event(raw(event_time="1700000001")), KEY) == "wrong"
    assert check_hash(parse_event(raw(event_hash=None)), KEY) == "absent"
    assert check_hash(parse_event(raw(event_hash="ü" * 64)), KEY) == "wrong"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no", b"[]", b"\xff", b"[" * 100_000, raw(uuid=None), raw(uuid="a b"), raw(uuid="x" * 200),
        raw(event_type=""), raw(event_type=7), raw(document=None), raw(document={}), raw(document={"uuid": ["d"]}),
        raw(document={"uuid": "../x"}),
    ],
)  # fmt: skip
def test_what_is_no_callback_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableInput):
        parse_event(body)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(sorted(BODY)), inner, max_size=5),
).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        check_hash(parse_event(body), KEY)
    except UnreadableInput:
        return
