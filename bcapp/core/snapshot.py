"""The material facts of a record as compared: their fingerprint, and what differs between two of them.

Which facts are material stands with the kind of record (core/kinds/), as a versioned projection.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from bcapp.core.model import Address


def plain(amount: Decimal) -> str:
    """Write money so that 10, 10.0 and 10.0000 are the same text."""
    return f"{amount.quantize(Decimal('0.0001')):f}"


def plain_address(address: Address) -> dict[str, str]:
    return {
        "name": address.name,
        "company": address.company,
        "street": address.street,
        "city": address.city,
        "state": address.state,
        "postcode": address.postcode,
        "country": address.country,
    }


def fingerprint(snapshot: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of the snapshot in canonical JSON."""
    text = json.dumps(snapshot, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, before, after) for every top-level material fact that differs, in a steady order."""
    changed = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            changed.append((name, _say(old), _say(new)))
    return changed


def _say(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
