"""Papers that parties hand in: rows by record, and their bytes in sealed pieces that go when the row goes."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Any

from bcapp.core.calendars import zone_or_utc
from bcapp.core.model import RecordKey
from bcapp.core.papers import FILED, PaperEvent, PaperState, moved
from bcapp.core.suppliers import Item
from bcapp.db import Database
from bcapp.db.chunks import CHUNK_BYTES, NotKept
from bcapp.db.stores import Store
from bcapp.secrets import DataKey

MOST_SHOWN = 30


async def papers_of(db: Database, store_hash: str, record: RecordKey) -> list[dict[str, Any]]:
    """Return the papers of a record, the newest first."""
    values = {"store_hash": store_hash, "kind": record.kind, "id": record.id, "most": MOST_SHOWN}
    return await db.fetch_all("papers_of_record", values)


async def accepted(db: Database, store: Store, record: RecordKey) -> tuple[Item, ...]:
    """Return what was accepted of a record's papers, with the day it came and its last day."""
    rows = await db.fetch_all("accepted_papers", {"store_hash": store.hash, "kind": record.kind, "id": record.id})
    zone = zone_or_utc(store.timezone)
    return tuple(
        Item(r["name"], given_on=r["uploaded_at"].astimezone(zone).date(), expires_on=r["expires_on"]) for r in rows
    )


def latest(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return name -> (state, why) of the file that came last."""
    found: dict[str, tuple[str, str]] = {}
    for row in rows:
        found.setdefault(row["name"], (row["state"], row["why"]))
    return found


async def add_paper(
    db: Database,
    key: DataKey,
    store_hash: str,
    record: RecordKey,
    *,
    name: str,
    content: bytes,
    media: str,
    by: int,
    request_id: int | None,
    now: datetime,
) -> int | None:
    """Keep a file that waits to be looked at, instead of one that waited before; call inside a transaction.

    by: a user, 0 for the party. None: another one came in the same moment.
    """
    of = {"store_hash": store_hash, "kind": record.kind, "id": record.id, "name": name}
    old = await db.fetch_val("current_paper", {**of, "state": PaperState.WAITING})
    if old is not None:
        await move(db, store_hash, int(old), PaperState.WAITING, PaperEvent.NEWER, now=now)
    row = {"media": media, "size": len(content), "sha256": hashlib.sha256(content).digest()}
    paper_id = await db.fetch_val("add_handed_in", {**of, **row, "request_id": request_id, "by": by, "now": now})
    if paper_id is None:
        return None
    for position, at in enumerate(range(0, len(content), CHUNK_BYTES)):
        sealed = key.encrypt(content[at : at + CHUNK_BYTES], **_place(store_hash, paper_id, position))
        await db.execute(
            "add_paper_piece",
            {"store_hash": store_hash, "id": paper_id, "position": position, "content": sealed},
        )
    return int(paper_id)


async def move(
    db: Database,
    store_hash: str,
    paper_id: int,
    was: PaperState,
    event: PaperEvent,
    *,
    now: datetime,
    by: int | None = None,
    why: str = "",
    expires_on: date | None = None,
) -> bool:
    """Move a paper on; False when it was not there any more. Its file goes when nothing needs it."""
    state = moved(was, event)
    if state is None:
        return False
    values = {"store_hash": store_hash, "id": paper_id, "was": was, "state": state, "why": why}
    if await db.fetch_val("move_paper", {**values, "expires_on": expires_on, "by": by, "now": now}) is None:
        return False
    if state not in FILED:
        await db.execute("drop_paper_pieces", {"store_hash": store_hash, "id": paper_id})
    return True


async def read_paper(db: Database, key: DataKey, store_hash: str, paper_id: int, sha256: bytes) -> bytes:
    """Return the bytes of a paper. Raises NotKept when they are gone or different, SealBroken."""
    rows = await db.fetch_all("paper_pieces", {"store_hash": store_hash, "id": paper_id})
    content = b"".join(key.decrypt(r["content"], **_place(store_hash, paper_id, r["position"])) for r in rows)
    if hashlib.sha256(content).digest() != sha256:
        raise NotKept(f"the file of paper {paper_id} is not kept whole")
    return content


def _place(store_hash: str, paper_id: int, position: int) -> dict[str, Any]:
    return {"table": "paper_pieces", "column": "content", "store_hash": store_hash, "row": f"{paper_id}:{position}"}
