"""One round of a sweep: what it is given, and how records that changed are looked at again."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db.deliveries import say_look
from bcapp.db.stores import Store
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

OVERLAP = timedelta(minutes=10)  # a change may show up in the list later than it says
BATCH = 200

# How far was read, and what came of it: {"read": n, "missed": n, "recovered": n}, or what else the sweep counts.
Swept = tuple[datetime, dict[str, Any]]


@dataclass(frozen=True)
class Round:
    """One round of a sweep of one store. since: how far the last round read, None for the first one."""

    services: Services
    vendors: Vendors
    store: Store
    now: datetime
    since: datetime | None


async def look_at_changed(of: Round, kind: str, changed: AsyncIterable[tuple[str, datetime]]) -> Swept:
    """Have every record looked at that changed after we looked at it last. changed: (id, modified), as the list tells.

    The vendor's clock decides how far was read; an empty answer moves the cursor no further than its own time.
    """
    db, start = of.services.db, since(of)
    newest, read, missed = start, 0, 0
    batch: dict[str, datetime] = {}

    async def settle() -> int:
        known = await db.fetch_all("known_record_times", {"store_hash": of.store.hash, "kind": kind, "ids": [*batch]})
        looked = {r["id"]: r["looked_at"] for r in known}
        unseen = [i for i, at in batch.items() if looked.get(i) is None or looked[i] < at]
        for record_id in unseen:
            await say_look(db, of.store.hash, RecordKey(kind, record_id), of.now, source="sweep", topic="missed")
        batch.clear()
        return len(unseen)

    async for record_id, modified in changed:
        read, newest = read + 1, max(newest, modified)
        # The list tells seconds only: what changed within the second of our last look may have come after it.
        batch[record_id] = modified + timedelta(seconds=1)
        if len(batch) >= BATCH:
            missed += await settle()
    if batch:
        missed += await settle()
    return max(newest, start + OVERLAP), {"read": read, "missed": missed, "recovered": missed}


def since(of: Round) -> datetime:
    """Return from when on a round reads: a little before where the last one ended."""
    return (of.since or of.now) - OVERLAP
