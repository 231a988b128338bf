"""What only orders show: their status in the store, where a hold found them, their storefront."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bcapp.core.authorisations import LASTS, stage
from bcapp.web.panel.facts import address_text, status_name
from bcapp.web.panel.parts import Look


def state(facts: Mapping[str, Any]) -> str:
    """Return the status that the order has in the store, "" where none is known."""
    return status_name(facts.get("status_id"))


async def more(look: Look) -> dict[str, Any]:
    hold = look.around.hold or {}
    since = (look.row["facts"] or {}).get("authorised_at")
    authorised = datetime.fromisoformat(since) if since else None
    channels = await look.visit.services.db.fetch_all("panel_channels", {"store_hash": look.visit.store.hash})
    return {
        "hold_rows": [
            ("Found as", state(hold.get("found") or {})),
            ("Moved to", state(hold.get("left_as") or {})),
        ],
        "authorised": authorised,
        "authorised_until": authorised + LASTS if authorised else None,
        "authorised_stage": stage(authorised, look.visit.now) if authorised else "",
        "channel_names": {c["id"]: c["name"] for c in channels},
        "status_name": status_name,
        "address_text": address_text,
    }
