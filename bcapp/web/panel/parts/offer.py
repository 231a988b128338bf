"""What only promotions and quotes show: how they stand in the store, and for how long one could be used unsigned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.offers import DISABLED, ENABLED, INVALID
from bcapp.web.panel.parts import Look
from bcapp.web.status_words import N_

STATES = {ENABLED: N_("Switched on"), DISABLED: N_("Switched off"), INVALID: N_("Invalid")}


def promotion_state(facts: Mapping[str, Any]) -> str:
    """Return how a promotion stands in the store, "" where it is not known."""
    return STATES.get(str(facts.get("status") or ""), "")


def quote_state(facts: Mapping[str, Any]) -> str:
    return str(facts.get("status_word") or "")


async def promotion(look: Look) -> dict[str, Any]:
    found = (look.around.hold or {}).get("found") or {}
    rows: list[tuple[str, str | None]] = [("Found as", promotion_state(found) or None)]
    if found.get("running"):
        rows += [
            ("Could be used before, at most", f"{found['seconds']} s" if "seconds" in found else None),
            ("Orders in this time", str(found["orders"]) if "orders" in found else None),
            ("Uses until then", str(found.get("uses", 0))),
        ]
    return {"hold_rows": rows, **_times(look, "starts_at", "ends_at")}


async def quote(look: Look) -> dict[str, Any]:
    found = (look.around.hold or {}).get("found") or {}
    was = {True: "Open", False: "Closed"}.get(found.get("allow_checkout"))  # type: ignore[arg-type]
    lines = [
        {**line, "price": Decimal(str(line.get("price") or 0))}
        for line in ((look.row["facts"] or {}).get("snapshot") or {}).get("lines") or ()
    ]
    return {"hold_rows": [("Checkout as found", was)], "lines": lines, **_times(look, "expires_at")}


def _times(look: Look, *names: str) -> dict[str, datetime | None]:
    """Return the times of the stored facts as times."""
    facts = look.row["facts"] or {}
    return {name: datetime.fromisoformat(facts[name]) if facts.get(name) else None for name in names}
