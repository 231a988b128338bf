"""Actions as rows: queueing, starting, finishing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from bcapp.core.actions import ActionKind, lane, priority
from bcapp.core.model import RecordKey
from bcapp.core.states import ActionState
from bcapp.db import Database
from bcapp.db.queue import enqueue, perform_job

# Longer than an action's calls together (an upload alone may take 95 s): a second runner beside one that still breathes
# could make a second document. The queue's heartbeat notices a dead runner much sooner.
LEASE = timedelta(seconds=180)


@dataclass(frozen=True)
class Action:
    """kind is text: a newer release may have queued a kind that this one does not know."""

    store_hash: str
    id: int
    kind: str
    record: RecordKey
    lane: str
    seq: int
    request_id: int | None
    payload: dict[str, Any]
    attempt: int
    generation: int
    state: ActionState
    due_at: datetime
    found: dict[str, Any] | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Action:
        return cls(
            store_hash=row["store_hash"],
            id=row["id"],
            kind=row["kind"],
            record=RecordKey(row["record_kind"], row["record_id"]),
            lane=row["lane"],
            seq=row["seq"],
            request_id=row["request_id"],
            payload=row["payload"],
            attempt=row["attempt"],
            generation=row["generation"],
            state=ActionState(row["state"]),
            due_at=row["due_at"],
            found=row["found"],
        )

    @property
    def key(self) -> dict[str, Any]:
        return {"store_hash": self.store_hash, "id": self.id, "generation": self.generation}


async def queue_action(
    db: Database,
    store_hash: str,
    kind: ActionKind,
    record: RecordKey,
    now: datetime,
    *,
    request_id: int | None = None,
    payload: Mapping[str, Any] | None = None,
    due_at: datetime | None = None,
) -> int:
    """Add an action at the end of its lane and queue it when it may run at once. Call inside a transaction."""
    values = {
        "store_hash": store_hash,
        "kind": str(kind),
        "record_kind": record.kind,
        "record_id": record.id,
        "lane": lane(kind, request_id),
        "request_id": request_id,
        "payload": dict(payload or {}),
        "priority": priority(kind),
        "due_at": due_at or now,
        "now": now,
    }
    for last in (False, False, True):
        try:
            async with db.transaction():  # a savepoint: somebody else may take the same place of the lane
                action_id = int(await db.fetch_val("add_action", values))
            break
        except asyncpg.UniqueViolationError:
            if last:
                raise
    await queue_heads(db, store_hash, record, now)
    return action_id


async def queue_heads(db: Database, store_hash: str, record: RecordKey, now: datetime) -> None:
    """Queue the first open action of each lane of the record, when it is due. Call inside a transaction."""
    rows = await db.fetch_all(
        "heads_of_record", {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    )
    await enqueue(
        db.raw(),
        [perform_job(store_hash, r["id"], r["attempt"], r["priority"]) for r in rows if r["due_at"] <= now],
    )


async def fetch_action(db: Database, store_hash: str, action_id: int) -> Action | None:
    row = await db.fetch_one("fetch_action", {"store_hash": store_hash, "id": action_id})
    return Action.from_row(row) if row else None


async def has_earlier(db: Database, action: Action) -> bool:
    return (
        await db.fetch_val(
            "has_earlier",
            {
                "store_hash": action.store_hash,
                "record_kind": action.record.kind,
                "record_id": action.record.id,
                "lane": action.lane,
                "seq": action.seq,
            },
        )
        is not None
    )


async def start_action(db: Database, action: Action, now: datetime) -> Action | None:
    """Return the action as started, or None when another runner started it first."""
    row = await db.fetch_one("start_action", {**action.key, "now": now, "lease_until": now + LEASE})
    return Action.from_row(row) if row else None


async def note_found(db: Database, action: Action, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write down what was found before our first write; return what stands there, None when we are too late."""
    found_now = await db.fetch_val("note_found", {**action.key, "found": dict(found)})
    return dict(found_now) if found_now is not None else None


async def finish_action(
    db: Database, action: Action, state: ActionState, why: str, left_as: Mapping[str, Any] | None, now: datetime
) -> bool:
    """Return whether this runner was still the one; False: another generation took over, write nothing."""
    values = {**action.key, "state": str(state), "why": why, "left_as": dict(left_as) if left_as else None, "now": now}
    return await db.fetch_val("finish_action", values) is not None


async def postpone_action(
    db: Database, action: Action, why: str, due_at: datetime, *, counted: bool, now: datetime
) -> bool:
    values = {**action.key, "why": why, "due_at": due_at, "uncounted": 0 if counted else 1}
    return await db.fetch_val("postpone_action", values) is not None
