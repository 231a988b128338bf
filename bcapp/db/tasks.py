"""What the first page reads: open tasks, figures, health, what happened lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bcapp.core.model import Money, RecordKey
from bcapp.db import Database
from bcapp.db.audit import append
from bcapp.db.queue import enqueue, look_job

FIGURES_OF = timedelta(days=30)
MOST_TASKS = 50
MOST_PARKED = 50
WORKER_ALIVE = timedelta(seconds=60)
LATE = timedelta(minutes=2)  # a delivery that is due longer than this means that nobody works


@dataclass(frozen=True)
class Task:
    """What needs a person. record: None for a task of the store as a whole."""

    id: int
    kind: str
    record: RecordKey | None
    request_id: int | None
    action_id: int | None
    text: str
    alarm: bool
    created_at: datetime

    @property
    def is_told(self) -> bool:
        """Return whether nobody has to act: a change that a store's only manager made at once."""
        return self.kind == "change_applied"

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Task:
        return cls(
            id=row["id"],
            kind=row["kind"],
            record=RecordKey(row["record_kind"], row["record_id"]) if row["record_kind"] else None,
            request_id=row["request_id"],
            action_id=row["action_id"],
            text=row["text"],
            alarm=row["alarm"],
            created_at=row["created_at"],
        )


@dataclass(frozen=True)
class Figures:
    """median: None when nothing was signed. by_day: completed requests per day (UTC), oldest first, 30 of them."""

    waiting: int
    signed: int
    median: timedelta | None
    on_hold: int
    money_on_hold: tuple[Money, ...]
    by_day: tuple[int, ...]


@dataclass(frozen=True)
class Breaker:
    service: str
    account_name: str
    open_until: datetime
    opened_at: datetime | None


@dataclass(frozen=True)
class Parked:
    record: RecordKey
    count: int
    since: datetime
    why: str


@dataclass(frozen=True)
class Health:
    """late_since: since when a delivery waits although it is due, None when all is well."""

    last_webhook: datetime | None
    hooks: int
    hooks_off: int
    hooks_checked_at: datetime | None
    workers_alive: int
    late_since: datetime | None
    breakers: tuple[Breaker, ...]
    parked: tuple[Parked, ...]


@dataclass(frozen=True)
class FirstSteps:
    """How many of each there are: what the first steps are judged by."""

    accounts: int
    working_accounts: int
    agreements: int
    rules: int
    live_rules: int


@dataclass(frozen=True)
class AuditLine:
    id: int
    happened_at: datetime
    actor: str
    event: str
    record: RecordKey | None
    request_id: int | None
    detail: Mapping[str, Any]


async def list_open_tasks(db: Database, store_hash: str) -> list[Task]:
    """Return at most 50, alarms first, then the oldest, and last what is only told."""
    rows = await db.fetch_all("panel_list_open_tasks", {"store_hash": store_hash, "most": MOST_TASKS})
    return [Task.from_row(row) for row in rows]


async def finish_task(db: Database, store_hash: str, task_id: int, user_id: int, now: datetime) -> bool:
    """Mark a task done by a person; False when it was done before, or is not of this store."""
    async with db.transaction():
        row = await db.fetch_one(
            "panel_finish_task", {"store_hash": store_hash, "id": task_id, "done_by": user_id, "now": now}
        )
        if row is None:
            return False
        await append(
            db,
            store_hash,
            now,
            actor=f"user:{user_id}",
            event="task_done",
            record=RecordKey(row["record_kind"], row["record_id"]) if row["record_kind"] else None,
            request_id=row["request_id"],
            detail={"task": row["id"], "kind": row["kind"]},
        )
    return True


async def read_figures(db: Database, store_hash: str, now: datetime) -> Figures:
    values = {"store_hash": store_hash, "since": now - FIGURES_OF}
    row = await db.fetch_one("panel_home_figures", values) or {}
    days = {r["day"]: int(r["count"]) for r in await db.fetch_all("panel_signed_by_day", values)}
    money = await db.fetch_all("panel_money_on_hold", {"store_hash": store_hash})
    seconds = row["median_seconds"]
    return Figures(
        waiting=row["waiting"],
        signed=row["signed"],
        median=timedelta(seconds=seconds) if seconds is not None else None,
        on_hold=row["on_hold"],
        money_on_hold=tuple(Money(Decimal(m["amount"]), m["currency"]) for m in money),
        by_day=tuple(days.get((now - timedelta(days=ago)).date(), 0) for ago in range(29, -1, -1)),
    )


async def read_health(db: Database, store_hash: str, now: datetime) -> Health:
    row = (
        await db.fetch_one(
            "panel_health_of_store",
            {"store_hash": store_hash, "alive_since": now - WORKER_ALIVE, "late_since": now - LATE},
        )
        or {}
    )
    breakers = await db.fetch_all("panel_open_breakers", {"store_hash": store_hash, "now": now})
    parked = (
        await db.fetch_all("panel_list_parked", {"store_hash": store_hash, "most": MOST_PARKED})
        if row["parked"]
        else []
    )
    return Health(
        last_webhook=row["last_webhook"],
        hooks=row["hooks"],
        hooks_off=row["hooks_off"],
        hooks_checked_at=row["hooks_checked_at"],
        workers_alive=row["workers_alive"],
        late_since=row["late_since"],
        breakers=tuple(Breaker(b["service"], b["account_name"], b["open_until"], b["opened_at"]) for b in breakers),
        parked=tuple(
            Parked(RecordKey(p["record_kind"], p["record_id"]), p["count"], p["since"], p["why"]) for p in parked
        ),
    )


async def read_first_steps(db: Database, store_hash: str) -> FirstSteps:
    row = await db.fetch_one("panel_first_steps", {"store_hash": store_hash}) or {}
    return FirstSteps(**row)


async def look_again(db: Database, store_hash: str, record: RecordKey, user_id: int, now: datetime) -> bool:
    """Take the record's parked deliveries up again; False when none is parked (any more)."""
    async with db.transaction():
        values = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id, "now": now}
        if not await db.fetch_all("panel_unpark_deliveries", values):
            return False
        settled = {
            "store_hash": store_hash,
            "kind": "look_parked",
            "record_kind": record.kind,
            "record_id": record.id,
            "now": now,
            "done_by": user_id,
        }
        await db.execute("settle_notice", settled)
        await enqueue(db.raw(), [look_job(store_hash, record.kind, record.id, pressed=True)])
        await append(db, store_hash, now, actor=f"user:{user_id}", event="looked_again", record=record)
    return True


async def recent_audit_lines(db: Database, store_hash: str, most: int = 10) -> list[AuditLine]:
    """Return the newest lines first."""
    rows = await db.fetch_all("panel_recent_audit_lines", {"store_hash": store_hash, "most": most})
    return [
        AuditLine(
            id=r["id"],
            happened_at=r["happened_at"],
            actor=r["actor"],
            event=r["event"],
            record=RecordKey(r["record_kind"], r["record_id"]) if r["record_kind"] else None,
            request_id=r["request_id"],
            detail=r["detail"],
        )
        for r in rows
    ]
