"""What the panel reads of requests and records, and the one-time mark of its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.core.release import DIGITAL_DONE, SHIPPED
from bcapp.db import Database
from bcapp.db.deliveries import say_command
from bcapp.secrets import DataKey, Secrets
from bcapp.workflows.protocol import Command

LEFT_THE_STORE = SHIPPED | {DIGITAL_DONE}  # statuses of an order

PAGE = 25


@dataclass(frozen=True)
class Search:
    """What a list is narrowed to. kind: of records. personal: names and addresses are searched too."""

    kind: str = ""
    scope: str = "all"
    q: str = ""
    since: datetime | None = None
    rule_id: int | None = None  # 0: by hand; None: any
    page: int = 1
    personal: bool = False


@dataclass(frozen=True)
class Found:
    """rows: one page, newest first. counts: by scope, under the same search."""

    rows: list[dict[str, Any]]
    counts: Mapping[str, int]
    page: int
    last: int


def _pages(count: int) -> int:
    return max(1, -(-count // PAGE))


async def find_requests(db: Database, store_hash: str, search: Search) -> Found:
    """Return a page of requests; one beyond the last is the last."""
    wanted: dict[str, Any] = {
        "store_hash": store_hash,
        "kind": search.kind,
        "q": search.q.lower(),
        "since": search.since,
        "rule_id": search.rule_id,
        "personal": search.personal,
    }
    counts = await db.fetch_one("panel_request_counts", wanted) or {}
    last = _pages(counts.get(search.scope, 0))
    page = min(search.page, last)
    rows = await db.fetch_all(
        "panel_requests", {**wanted, "scope": search.scope, "size": PAGE, "skip": (page - 1) * PAGE}
    )
    return Found(rows, counts, page, last)


async def find_records(db: Database, store_hash: str, search: Search) -> Found:
    """Return a page of records of one kind that were looked at, the newest look first."""
    wanted: dict[str, Any] = {
        "store_hash": store_hash,
        "kind": search.kind,
        "q": search.q.lower(),
        "personal": search.personal,
        "shipped": sorted(LEFT_THE_STORE) if search.kind == "order" else [],
    }
    counts = await db.fetch_one("panel_record_counts", wanted) or {}
    last = _pages(counts.get(search.scope, 0))
    page = min(search.page, last)
    rows = await db.fetch_all(
        "panel_records", {**wanted, "scope": search.scope, "size": PAGE, "skip": (page - 1) * PAGE}
    )
    return Found(rows, counts, page, last)


@dataclass(frozen=True)
class RecordPage:
    """What stands around a record. names: of users, by id. busy: steps pressed and not carried out yet."""

    hold: dict[str, Any] | None
    requests: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    names: Mapping[int, str]
    busy: int


async def around_record(db: Database, store_hash: str, record: RecordKey, request_id: int | None = None) -> RecordPage:
    """Return what a page shows beside its subject; with a request, only what concerns it or the record as a whole."""
    of = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    return RecordPage(
        hold=await db.fetch_one("panel_hold", of),
        requests=await db.fetch_all("panel_requests_of_record", of),
        actions=await db.fetch_all("panel_actions", {**of, "request_id": request_id}),
        timeline=await db.fetch_all("panel_timeline", {**of, "request_id": request_id}),
        tasks=await db.fetch_all("panel_open_tasks", of),
        names=await user_names(db, store_hash),
        busy=await db.fetch_val("panel_open_commands", of),
    )


async def user_names(db: Database, store_hash: str) -> dict[int, str]:
    """Return the name of everybody who ever was a user of the store."""
    rows = await db.fetch_all("panel_user_names", {"store_hash": store_hash})
    return {row["id"]: row["name"] for row in rows}


async def note_press(db: Database, store_hash: str, record: RecordKey, once: str, now: datetime) -> bool:
    """Take a button's one-time mark; False when the same button was pressed before."""
    values = {
        "store_hash": store_hash,
        "key": f"press:{once}",
        "record_kind": record.kind,
        "record_id": record.id,
        "now": now,
    }
    return await db.fetch_val("note_press", values) is not None


async def press(
    db: Database, secrets: Secrets, store_hash: str, record: RecordKey, command: Command, now: datetime, *, once: str
) -> bool:
    """Hand a pressed button to the worker; a second press of the same button (the same `once`) changes nothing."""
    async with db.transaction():
        if not await note_press(db, store_hash, record, once, now):
            return False
        await say_command(db, secrets, store_hash, record, command, now)
    return True


async def was_reminded(db: Database, store_hash: str, request_id: int, since: datetime) -> bool:
    values = {"store_hash": store_hash, "request_id": request_id, "since": since}
    return await db.fetch_val("recent_reminder", values) is not None


async def data_key(db: Database, secrets: Secrets, store_hash: str) -> DataKey | None:
    """Return the key of the store's documents, None when it was destroyed."""
    blob = await db.fetch_val("panel_data_key", {"store_hash": store_hash})
    return secrets.unwrap(bytes(blob), store_hash=store_hash) if blob is not None else None
