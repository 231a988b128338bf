"""The material facts of a record, as a versioned projection, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bcapp.core.model import Address, OrderFacts

ORDER_PROJECTION = 1


def _plain(amount: Decimal) -> str:
    """Write money so that 10, 10.0 and 10.0000 are the same text."""
    return f"{amount.quantize(Decimal('0.0001')):f}"


def _address(address: Address) -> dict[str, str]:
    return {
        "name": address.name,
        "company": address.company,
        "street": address.street,
        "city": address.city,
        "state": address.state,
        "postcode": address.postcode,
        "country": address.country,
    }


def _order_1(facts: OrderFacts) -> dict[str, Any]:
    """Lines, money, parties and where it goes. Status, dates, notes, payment and shipping state are never material."""
    return {
        "customer": facts.customer_id,
        "email": facts.billing.email.lower(),
        "billing": _address(facts.billing),
        "shipping": sorted((_address(a) for a in facts.shipping), key=lambda a: json.dumps(a, sort_keys=True)),
        "currency": facts.total.currency,
        "total": _plain(facts.total.amount),
        "tax": _plain(facts.tax),
        "discount": _plain(facts.discount),
        "lines": sorted(
            (
                {
                    "product": item.product_id,
                    "variant": item.variant_id,
                    "sku": item.sku,
                    "name": item.name,
                    "options": [list(option) for option in item.options],
                    "quantity": item.quantity,
                    "unit_price": _plain(item.unit_price),
                    "total": _plain(item.total),
                }
                for item in facts.items
            ),
            key=lambda line: json.dumps(line, sort_keys=True),
        ),
    }


# version -> projection; an old version stays, because open requests are compared through the one they were made with.
ORDER_PROJECTIONS: dict[int, Callable[[OrderFacts], dict[str, Any]]] = {1: _order_1}


def order_snapshot(facts: OrderFacts, projection: int = ORDER_PROJECTION) -> dict[str, Any]:
    return ORDER_PROJECTIONS[projection](facts)


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
