"""When a record that carries no dates was first read, and how it was then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bcapp.core.model import RecordKey
from bcapp.db import Database


@dataclass(frozen=True)
class Sighting:
    """absent_at: when all records of the kind were last read without it; None: it was there from the first on."""

    id: str
    digest: str
    first_seen_at: datetime
    absent_at: datetime | None


async def all_sightings(db: Database, store_hash: str, kind: str) -> dict[str, Sighting]:
    """Return what was there at the last reading, by id."""
    rows = await db.fetch_all("sightings", {"store_hash": store_hash, "kind": kind})
    return {r["id"]: Sighting(r["id"], r["digest"], r["first_seen_at"], r["absent_at"]) for r in rows}


async def fetch_sighting(db: Database, store_hash: str, record: RecordKey) -> Sighting | None:
    row = await db.fetch_one("fetch_sighting", {"store_hash": store_hash, "kind": record.kind, "id": record.id})
    return None if row is None else Sighting(record.id, "", row["first_seen_at"], row["absent_at"])


async def save_sighting(
    db: Database, store_hash: str, record: RecordKey, digest: str, now: datetime, absent_at: datetime | None
) -> None:
    values = {"store_hash": store_hash, "kind": record.kind, "id": record.id, "digest": digest}
    await db.execute("save_sighting", {**values, "now": now, "absent_at": absent_at})


async def drop_sighting(db: Database, store_hash: str, record: RecordKey) -> None:
    await db.execute("drop_sighting", {"store_hash": store_hash, "kind": record.kind, "id": record.id})
