"""Callbacks of the signature service, without I/O.

A callback is a hint: its body is rendered late, comes out of order and is not covered by the hash. Nothing is
decided from it; it says which document to read again.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from typing import Literal

from bcapp.errors import UnreadableInput

Proof = Literal["valid", "absent", "wrong"]
WORD = re.compile(r"[A-Za-z0-9._:-]{1,100}")


@dataclass(frozen=True)
class SignatureEvent:
    """kind: the service's word, e.g. signer_signed; new ones may come."""

    uuid: str
    kind: str
    document_uuid: str
    external_id: str
    key: str  # the same for a repeated delivery
    hash_time: str
    hash: str


def parse_event(body: bytes) -> SignatureEvent:
    """Read a callback. Raises UnreadableInput when uuid, event_type or the document's uuid is missing."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableInput("not JSON") from None
    document = data.get("document") if isinstance(data, dict) else None
    if not isinstance(document, dict):
        raise UnreadableInput("document is missing")
    found = {"uuid": data.get("uuid"), "event_type": data.get("event_type"), "document uuid": document.get("uuid")}
    for name, value in found.items():
        if not isinstance(value, str) or not WORD.fullmatch(value):
            raise UnreadableInput(f"{name} is missing")
    external = document.get("external_id")
    return SignatureEvent(
        uuid=data["uuid"],
        kind=data["event_type"],
        document_uuid=document["uuid"],
        external_id=external if isinstance(external, str) else "",
        key=f"cs:{data['uuid']}",
        hash_time=str(data.get("event_time") or ""),
        hash=str(data.get("event_hash") or ""),
    )


def check_hash(event: SignatureEvent, signing_key: str) -> Proof:
    """Say what the event_hash is worth: HMAC-SHA256 over time and kind, keyed with the key the merchant entered.

    It covers neither the body nor the document: a weak proof of origin, never a reason to believe the body.
    """
    if not signing_key or not event.hash or not event.hash_time:
        return "absent"
    expected = hmac.new(signing_key.encode(), (event.hash_time + event.kind).encode(), "sha256").hexdigest()
    return "valid" if hmac.compare_digest(event.hash.lower().encode(), expected.encode()) else "wrong"
