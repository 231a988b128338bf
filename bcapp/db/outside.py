"""Documents that were signed without us, as they are suggested, linked and dismissed: the rows of outside_documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db import Database, audit

SWEEP = "outside"  # the sweep that finds them, and keeps the PDFs of those that were linked
TASK = "signed_elsewhere"  # the store's task while there is something to decide on
MOST_LISTED = 200


def record_of(row: Mapping[str, Any]) -> RecordKey:
    return RecordKey(row["record_kind"], row["record_id"])


async def list_of_record(db: Database, store_hash: str, record: RecordKey) -> list[dict[str, Any]]:
    """Return at most 20 that are suggested for a record or linked to it, the linked ones first."""
    values = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    return await db.fetch_all("outside_of_record", values)


async def list_suggested(db: Database, store_hash: str) -> list[dict[str, Any]]:
    return await db.fetch_all("list_outside", {"store_hash": store_hash, "most": MOST_LISTED})


async def fetch_outside(db: Database, store_hash: str, outside_id: int) -> dict[str, Any] | None:
    return await db.fetch_one("fetch_outside", {"store_hash": store_hash, "id": outside_id})


async def settle_task(db: Database, store_hash: str, now: datetime) -> None:
    """Close the task that asks somebody to look, unless something is left to decide on."""
    await db.execute("settle_outside", {"store_hash": store_hash, "kind": TASK, "now": now})


async def link(db: Database, store_hash: str, row: Mapping[str, Any], author: int, now: datetime) -> bool:
    """Link a suggested document to its record; return False when somebody decided before.

    Its PDF is fetched by the sweep, which is due at once. No hold moves by it.
    """
    of = {"store_hash": store_hash, "id": row["id"]}
    async with db.transaction():
        if await db.fetch_val("link_outside", {**of, "author": author, "now": now}) is None:
            return False
        await db.execute("drop_other_suggestions", {**of, "document": row["document"]})
        await settle_task(db, store_hash, now)
        await db.execute("bring_sweep_forward", {"store_hash": store_hash, "name": SWEEP, "due_at": now})
        detail = {"document": row["document"]}
        await audit.append(
            db, store_hash, now, actor=f"user:{author}", event="outside_linked", record=record_of(row), detail=detail
        )
    return True


async def dismiss(db: Database, store_hash: str, row: Mapping[str, Any], author: int, now: datetime) -> bool:
    """Have a document never suggested again for this record, or take a linked one off it; False when it moved on."""
    values = {"store_hash": store_hash, "id": row["id"], "was": row["state"], "author": author, "now": now}
    event = "outside_taken_off" if row["state"] == "linked" else "outside_dismissed"
    async with db.transaction():
        if await db.fetch_val("dismiss_outside", values) is None:
            return False
        await settle_task(db, store_hash, now)
        detail = {"document": row["document"]}
        await audit.append(
            db, store_hash, now, actor=f"user:{author}", event=event, record=record_of(row), detail=detail
        )
    return True
