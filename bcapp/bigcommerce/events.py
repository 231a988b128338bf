"""Webhook deliveries of BigCommerce, without I/O: what they point at, and whether they prove to be genuine.

Source: BigCommerce docs, "Webhooks events" and "HTTPS webhook overview"; Standard Webhooks 1.0.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from bcapp.core.model import RecordKey
from bcapp.errors import UnreadableInput

TOLERANCE_SECONDS = 300
PRODUCER = re.compile(r"stores/([a-z0-9]{1,32})")
CHANNEL = re.compile(r"store/channel/[0-9]{1,12}/")
SCOPE = re.compile(r"[A-Za-z0-9/_*-]{1,100}")
ID = re.compile(r"[1-9][0-9]{0,17}")
MARK = re.compile(r"[A-Za-z0-9_-]{8,100}")
MESSAGE = re.compile(r"[\x21-\x7e]{1,90}")
MOMENT = re.compile(r"[0-9]{1,12}")
Proof = Literal["valid", "stale", "absent", "wrong"]


@dataclass(frozen=True)
class BigCommerceEvent:
    """A hint that something happened. `record` is None for a scope that this app does not know."""

    scope: str  # without the channel part
    store_hash: str
    record: RecordKey | None
    key: str  # the same for a repeated delivery; "bc:" and at most 200 characters

    @property
    def known(self) -> bool:
        return self.record is not None


def parse_event(body: bytes, headers: Mapping[str, str]) -> BigCommerceEvent:
    """Read a delivery. Raises UnreadableInput when it is not one; an unknown scope is a value, not an error.

    headers: by lower-case name, or any case-insensitive mapping.
    """
    try:
        data = orjson.loads(body)
    except ValueError:
        raise UnreadableInput("not JSON") from None
    if not isinstance(data, dict):
        raise UnreadableInput("not an object")
    scope, producer = data.get("scope"), PRODUCER.fullmatch(str(data.get("producer")))
    if not isinstance(scope, str) or not SCOPE.fullmatch(scope):
        raise UnreadableInput("scope is missing")
    if producer is None:
        raise UnreadableInput("producer names no store")
    plain = CHANNEL.sub("store/", scope, count=1)
    what = data.get("data")
    return BigCommerceEvent(
        plain, producer[1], _record(plain, what if isinstance(what, dict) else {}), _key(data, body, headers)
    )


def _record(scope: str, data: Mapping[str, Any]) -> RecordKey | None:
    """Return which record to look at, or None when the scope or its ids are unknown."""
    if scope.startswith("store/order/transaction/"):
        return _order(data.get("order_id"))
    if scope.startswith("store/order/metafield/"):
        return _order(data.get("resource_id"))
    if scope == "store/order/refund/created":
        return _numbered("refunds", data.get("id"))
    if scope.startswith("store/order/"):
        return _order(data.get("id"))
    if scope.startswith("store/shipment/"):
        return _order(data.get("orderId") or data.get("order_id"))
    if scope == "store/cart/converted":
        return _order(data.get("orderId"))
    if scope.startswith("store/customer/address/"):
        address = data.get("address")
        return _numbered("customer", address.get("customer_id") if isinstance(address, dict) else None)
    if scope.startswith("store/customer/"):
        return _numbered("customer", data.get("id") or data.get("customer_id"))
    if scope.startswith("store/quote/"):
        return _numbered("quote", data.get("quote_id"))
    if scope.startswith("store/company/"):
        return _numbered("company", data.get("company_id"))
    if scope == "store/product/created":
        return _numbered("product", data.get("id"))
    if scope in ("store/information/updated", "store/app/uninstalled", "store/hook/deliveryException") or (
        scope.startswith("store/settings/")
    ):
        return RecordKey("store", "")
    return None


def _order(value: Any) -> RecordKey | None:
    return _numbered("order", value)


def _numbered(kind: str, value: Any) -> RecordKey | None:
    """Ids come as numbers or as text."""
    if isinstance(value, bool) or not ID.fullmatch(str(value)):
        return None
    return RecordKey(kind, str(value))


def _key(data: Mapping[str, Any], body: bytes, headers: Mapping[str, str]) -> str:
    """Return what is the same for a repeated delivery and, as far as the vendor lets us, differs for another event.

    The vendor's hash alone is not proven unique per event; the message id tells two equal bodies apart when it is
    there. A body without a hash is known by its own.
    """
    mark = data.get("hash")
    if not isinstance(mark, str) or not MARK.fullmatch(mark):
        mark = hashlib.sha256(body).hexdigest()
    message = headers.get("webhook-id", "")
    return f"bc:{mark}:{message}" if MESSAGE.fullmatch(message) else f"bc:{mark}"


def verify_signature(body: bytes, headers: Mapping[str, str], client_secret: str, now: datetime) -> Proof:
    """Say what the Standard Webhooks signature of a delivery is worth.

    valid: signed, and within five minutes. stale: signed, but at another time (a retry may carry its first time).
    absent: none of the three headers is there, or not all of them. wrong: signed by somebody else.
    The key is the raw bytes of the client secret: the vendor's samples encode it only for the library to decode it.
    """
    message, at, given = headers.get("webhook-id"), headers.get("webhook-timestamp"), headers.get("webhook-signature")
    if not message or not at or not given:
        return "absent"
    if not MOMENT.fullmatch(at):
        return "wrong"
    signed = b".".join([message.encode("utf-8", "replace"), at.encode(), body])
    expected = hmac.digest(client_secret.encode(), signed, "sha256")
    for candidate in given.split(" ")[:10]:
        version, _, value = candidate.partition(",")
        if version != "v1":
            continue
        try:
            claimed = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            continue
        if hmac.compare_digest(claimed, expected):
            return "valid" if abs(now.timestamp() - int(at)) <= TOLERANCE_SECONDS else "stale"
    return "wrong"
