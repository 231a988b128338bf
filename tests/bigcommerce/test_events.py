"""Deliveries of BigCommerce: what they point at, when two are the same, and what their signature is worth."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.bigcommerce.events import parse_event, verify_signature
from bcapp.core.model import RecordKey
from bcapp.errors import UnreadableInput
from bcapp.sandbox.bigcommerce.webhooks import sign

SECRET = "client-secret-0123456789"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def body(scope: str = "store/order/updated", data: Any = None, **more: Any) -> bytes:
    given = {
        "scope": scope, "store_id": "1025646", "data": data if data is not None else {"type": "order", "id": 250},
        "hash": "7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca", "created_at": 1561479335, "producer": "stores/z4zn3wo",
    }  # fmt: skip
    return json.dumps({**given, **more}).encode()


ORDER = RecordKey("order", "250")
REFUNDS = RecordKey("refunds", "250")
STORE = RecordKey("store", "")


@pytest.mark.parametrize(
    ("scope", "data", "record"),
    [
        ("store/order/created", {"type": "order", "id": 250}, ORDER),
        ("store/order/updated", {"type": "order", "id": "250"}, ORDER),
        ("store/order/statusUpdated", {"id": 250, "status": {"previous_status_id": 0, "new_status_id": 11}}, ORDER),
        ("store/order/archived", {"id": 250}, ORDER),
        ("store/order/message/created", {"id": 250, "message": {"order_message_id": 3}}, ORDER),
        ("store/order/refund/created", {"id": 250, "refund": {"refund_id": 3}}, REFUNDS),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250", "transaction_id": 9}, ORDER),
        ("store/order/transaction/updated", {"order_id": 250}, ORDER),
        ("store/order/metafield/updated", {"metafield_id": 7, "resource_id": "250"}, ORDER),
        ("store/shipment/created", {"type": "shipment", "id": 9, "orderId": 250}, ORDER),
        ("store/cart/converted", {"type": "cart", "id": "u-1", "orderId": 250}, ORDER),
        ("store/channel/3/order/statusUpdated", {"id": 250}, ORDER),
        ("store/channel/3/order/refund/created", {"id": 250}, REFUNDS),
        ("store/information/updated", {"type": "store"}, STORE),
        ("store/app/uninstalled", {"type": "store"}, STORE),
        ("store/hook/deliveryException", {"type": "webhook", "id": 3, "error_code": 90002}, STORE),
        ("store/channel/3/settings/site/updated", {}, STORE),
        ("store/customer/created", {"type": "customer", "id": 61}, RecordKey("customer", "61")),
        ("store/customer/address/updated", {"id": 9, "address": {"customer_id": 61}}, RecordKey("customer", "61")),
        ("store/customer/address/updated", {"id": 9}, None),
        ("store/company/statusUpdated", {"company_id": 7001}, RecordKey("company", "7001")),
        ("store/company/user/created", {"company_id": "7001", "user_id": 3}, RecordKey("company", "7001")),
        ("store/company/created", {}, None),
        ("store/order/updated", {"id": 0}, None),
        ("store/order/updated", {"id": True}, None),
        ("store/order/updated", {"id": "250; x"}, None),
        ("store/order/updated", {"id": "2" * 40}, None),
        ("store/order/updated", [], None),
        ("store/product/updated", {"type": "product", "id": 3}, None),
        ("store/something/new", {}, None),
    ],
)
def test_an_event_points_at_a_record(scope: str, data: Any, record: RecordKey | None) -> None:
    event = parse_event(body(scope, data), {})
    assert (event.record, event.known, event.store_hash) == (record, record is not None, "z4zn3wo")
    assert "channel" not in event.scope


def test_a_repeated_delivery_has_the_same_key_and_another_message_does_not() -> None:
    first = parse_event(body(), {"webhook-id": "msg-1"})
    assert parse_event(body(), {"webhook-id": "msg-1"}).key == first.key
    assert parse_event(body(), {"webhook-id": "msg-2"}).key != first.key
    assert parse_event(body(), {}).key == "bc:7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca"
    assert len(parse_event(body(), {"webhook-id": "x" * 500}).key) < 200


def test_a_body_without_a_hash_is_known_by_itself() -> None:
    keys = {parse_event(body(hash=h, created_at=at), {}).key for h in (None, "short", 7) for at in (1, 2)}
    assert len(keys) == 6


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"no", b"[]", b"7", b"\xff", b"[" * 100_000, body(scope=""), body(scope=None),  # type: ignore[arg-type]
        body(scope="a b"), body(scope="x" * 200), body(producer="z4zn3wo"), body(producer=None),
        body(producer="stores/a/b"), body(producer="stores/../x"),
    ],
)  # fmt: skip
def test_what_is_no_delivery_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableInput):
        parse_event(raw, {})


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["scope", "producer", "data", "hash", "id"]), inner, max_size=5),
).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        assert parse_event(raw, {"webhook-id": "m"}).key.startswith("bc:")
    except UnreadableInput:
        return


def test_the_vendors_signature_holds_for_five_minutes() -> None:
    raw = body()
    headers = sign(SECRET, "msg-1", str(int(NOW.timestamp())), raw)
    assert verify_signature(raw, headers, SECRET, NOW) == "valid"
    assert verify_signature(raw, headers, SECRET, NOW + timedelta(seconds=299)) == "valid"
    assert verify_signature(raw, headers, SECRET, NOW + timedelta(hours=48)) == "stale"
    assert verify_signature(raw, headers, SECRET, NOW - timedelta(seconds=301)) == "stale"
    assert verify_signature(raw + b" ", headers, SECRET, NOW) == "wrong"
    assert verify_signature(raw, headers, "another", NOW) == "wrong"
    assert verify_signature(raw, {**headers, "webhook-id": "msg-2"}, SECRET, NOW) == "wrong"
    assert verify_signature(raw, {**headers, "webhook-timestamp": "1"}, SECRET, NOW) == "wrong"


def test_one_good_signature_among_several_is_enough() -> None:
    raw = body()
    headers = sign(SECRET, "msg-1", str(int(NOW.timestamp())), raw)
    many = f"v1,AAAA v2,{headers['webhook-signature'][3:]} v1,%% {headers['webhook-signature']}"
    assert verify_signature(raw, {**headers, "webhook-signature": many}, SECRET, NOW) == "valid"
    only_v2 = f"v2,{headers['webhook-signature'][3:]}"
    assert verify_signature(raw, {**headers, "webhook-signature": only_v2}, SECRET, NOW) == "wrong"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_no_signature(missing: str) -> None:
    raw = body()
    headers = sign(SECRET, "msg-1", str(int(NOW.timestamp())), raw)
    assert verify_signature(raw, {k: v for k, v in headers.items() if k != missing}, SECRET, NOW) == "absent"
    assert verify_signature(raw, {}, SECRET, NOW) == "absent"


@pytest.mark.parametrize("at", ["soon", "-5", "1e9", "９", " 1", "9" * 40])
def test_a_timestamp_that_is_none_is_wrong(at: str) -> None:
    assert verify_signature(b"{}", sign(SECRET, "m", at, b"{}"), SECRET, NOW) == "wrong"
