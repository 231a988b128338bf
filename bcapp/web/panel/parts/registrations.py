"""What is registered of an order: its warranties and maintenance, each with its answer."""

from __future__ import annotations

from typing import Any

from bcapp.core.calendars import zone_or_utc
from bcapp.core.warranties import answer, best
from bcapp.db.warranties import registrations_of
from bcapp.web.panel.parts import Look

MOST = 20


async def more(look: Look) -> dict[str, Any]:
    visit = look.visit
    today = visit.now.astimezone(zone_or_utc(visit.store.timezone)).date()
    found = best(await registrations_of(visit.services.db, visit.store.hash, look.record.id), today)
    return {
        "registrations": [(r, answer(r, today)) for r in found[:MOST]],
        "registrations_left": max(0, len(found) - MOST),
    }
