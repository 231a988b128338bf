"""Reading the past of a store in the background, and trying drafts of rules on it: both in slices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from bcapp.bigcommerce.facts import ALL, CategoryTrees, Needs, read_order
from bcapp.bigcommerce.parse import parse_date
from bcapp.bigcommerce.remembering import Remembering
from bcapp.core.kinds import KINDS
from bcapp.core.model import Gone
from bcapp.core.tryout import draft, examine
from bcapp.db.past import (
    begin_read,
    drop_past,
    fetch_read,
    fetch_tryout,
    is_reading,
    keep_past,
    live_rules,
    past_page,
    past_since,
    restart_tryout,
    save_read,
    save_tryout,
)
from bcapp.db.readings import fetch_reading
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.services import Services

SLICE = 25  # records read in one go
AT_ONCE = 4  # calls of one slice beside each other
LISTED = 250  # records of a list looked at in one go
FREE = 60  # calls of the window that reading the past leaves to live work
OVERLAP = timedelta(minutes=10)  # a change may show up in the list later than it says
PAST_NEEDS = replace(ALL, transactions=False)  # no field reads transactions
PAGE = 1000  # stored records examined in one go
TRY_SECONDS = 2.0  # of one slice of a try
FRESH = timedelta(seconds=20)  # so long a try waits for what changed since the last reading
WAIT = timedelta(seconds=1)
STALE = timedelta(hours=6)  # the sweep keeps a past that is in use no older than this
UNUSED = timedelta(days=30)
KEEP_DECISIONS = timedelta(days=400)
KEEP_TRYOUTS = timedelta(days=90)

Facts = Any


@dataclass(frozen=True)
class Item:
    """A record as a list named it. raw: as the list gave it."""

    id: str
    modified_at: datetime
    raw: Mapping[str, Any]


class Reader(Protocol):
    """How the past of one kind is listed and read. A cursor of None says that the list has ended."""

    async def count(self, client: Remembering, since: datetime) -> int | None: ...

    async def made(
        self, client: Remembering, since: datetime, cursor: dict[str, Any], most: int
    ) -> tuple[list[Item], dict[str, Any] | None]: ...

    async def changed(
        self, client: Remembering, since: datetime, cursor: dict[str, Any], most: int
    ) -> tuple[list[Item], dict[str, Any] | None]: ...

    async def read(
        self, client: Remembering, trees: CategoryTrees, ids: Sequence[str], raws: Sequence[Mapping[str, Any]]
    ) -> list[Facts | Gone]: ...


async def _together(reads: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Run some reads beside each other, a few at a time; the first failure ends all."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(read: Callable[[], Awaitable[Any]]) -> Any:
        async with room:
            return await read()

    tasks = [asyncio.create_task(one(read)) for read in reads]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


class Orders:
    """Orders: made are listed by number, changed by the time of their change."""

    async def count(self, client: Remembering, since: datetime) -> int | None:
        return await client.count_orders(created_since=since)

    async def made(
        self, client: Remembering, since: datetime, cursor: dict[str, Any], most: int
    ) -> tuple[list[Item], dict[str, Any] | None]:
        after = int(cursor.get("after", 0))
        listed = client.list_orders(created_since=since, min_id=after + 1, page_size=most, most=most)
        items = [self._item(raw) async for raw in listed]
        return items, {"after": int(items[-1].id)} if len(items) == most else None

    async def changed(
        self, client: Remembering, since: datetime, cursor: dict[str, Any], most: int
    ) -> tuple[list[Item], dict[str, Any] | None]:
        start = datetime.fromisoformat(cursor["from"])
        items: list[Item] = []
        async for raw in client.list_orders(modified_since=start):
            items.append(self._item(raw))
            # A second back, for more may have changed in the last one; and always further than we began.
            goes_on = items[-1].modified_at - timedelta(seconds=1)
            if len(items) >= most and goes_on > start:
                return items, {"from": goes_on.isoformat()}
        return items, None

    @staticmethod
    def _item(raw: Mapping[str, Any]) -> Item:
        return Item(str(raw["id"]), parse_date(raw.get("date_modified"), "date_modified"), raw)

    async def read(
        self, client: Remembering, trees: CategoryTrees, ids: Sequence[str], raws: Sequence[Mapping[str, Any]]
    ) -> list[Facts | Gone]:
        await client.prepare_orders(raws)

        def reading(order_id: str) -> Callable[[], Awaitable[Any]]:
            return lambda: read_order(client, int(order_id), needs=PAST_NEEDS, trees=trees)

        return await _together([reading(i) for i in ids])


READERS: dict[str, Reader] = {"order": Orders()}


def is_whole(needs: Needs, history_days: int | None) -> bool:
    """Tell whether an order was read with every part that some field needs."""
    return replace(needs, transactions=False) == PAST_NEEDS and history_days is None


# Reading --------------------------------------------------------------------------------------------------


async def read_past(work: Work) -> Outcome:
    """Read one slice: first what was made in the time that is kept, later what changed, then what is known in part."""
    db, store_hash, kind = work.services.db, work.store.hash, work.action.record.id
    reader, read = READERS.get(kind), await fetch_read(db, store_hash, kind)
    if reader is None or read is None or read.state != "reading":
        return skipped("The past of this kind is not wanted any more.", look=False)
    now = work.services.clock.now()
    since = past_since(kind, now)
    cursor, total, done = dict(read.cursor), read.total, read.done
    client = await work.vendors.remembering(store_hash)
    phase = cursor.get("phase") or ("changed" if "since" in cursor else "made")
    at: dict[str, Any] | None = cursor.get("at")
    if at is None:
        at = {"from": cursor["since"]} if phase == "changed" else {}
    if total is None and phase == "made":
        total = await reader.count(client, since)
    if phase == "incomplete":
        values = {"store_hash": store_hash, "kind": kind, "since": since, "most": SLICE}
        rows = await db.fetch_all("past_incomplete", values)
        await _read_slice(work, client, reader, [r["id"] for r in rows], [], now)
        at, done = ({} if len(rows) == SLICE else None), done + len(rows)
    else:
        lists = reader.made if phase == "made" else reader.changed
        items, at = await lists(client, since, at, SLICE if phase == "made" else LISTED)
        wanted = await _unknown(work, kind, items, since)
        for start in range(0, len(wanted), SLICE):
            part = wanted[start : start + SLICE]
            await _read_slice(work, client, reader, [i.id for i in part], [i.raw for i in part], now)
        done += len(items) if phase == "made" else len(wanted)
    if at is None and phase != "incomplete":
        phase, at = "incomplete", {}
    ended = at is None
    began = datetime.fromisoformat(cursor["began"])
    async with db.transaction():
        await save_read(
            db,
            store_hash,
            kind,
            state="read" if ended else "reading",
            cursor={**cursor, "phase": phase, "at": at or {}},
            total=total,
            done=done,
            read_until=began - OVERLAP if ended else None,
            now=work.services.clock.now(),
        )
        if ended:
            await _count_anew(work.services, store_hash, kind)
    return Outcome(look=False, again_in=None if ended else await _pause(work))


async def _unknown(work: Work, kind: str, items: Sequence[Item], since: datetime) -> list[Item]:
    """Return the items that are not stored whole as of their last change."""
    values = {"store_hash": work.store.hash, "kind": kind, "ids": [i.id for i in items]}
    rows = await work.services.db.fetch_all("past_known", values) if items else []
    known = {r["id"]: r["modified_at"] for r in rows}
    return [i for i in items if i.id not in known or known[i.id] < i.modified_at]


async def _read_slice(
    work: Work,
    client: Remembering,
    reader: Reader,
    ids: Sequence[str],
    raws: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:
    kind = KINDS[work.action.record.id]
    found = await reader.read(client, work.vendors.trees, ids, raws)
    async with work.services.db.transaction():
        for record_id, facts in zip(ids, found, strict=True):
            if isinstance(facts, Gone):
                await drop_past(work.services.db, work.store.hash, kind.name, record_id)
            else:
                await keep_past(work.services.db, work.store.hash, kind, record_id, facts, now, complete=True)


async def _pause(work: Work) -> timedelta:
    """Return how long to wait before the next slice: what is left of a small budget belongs to live work."""
    key = {"store_hash": work.store.hash, "service": "bigcommerce", "account_id": 0}
    row, now = await work.services.db.fetch_one("fetch_budget", key), work.services.clock.now()
    if row is None or row["remaining"] is None or row["remaining"] >= FREE or row["resets_at"] <= now:
        return timedelta()
    seconds = (row["resets_at"] - now).total_seconds()
    return timedelta(seconds=min(60.0, float(seconds)))


async def _count_anew(services: Services, store_hash: str, kind: str) -> None:
    """What was tried on a part of the past is tried on the whole."""
    now = services.clock.now()
    values = {"store_hash": store_hash, "kind": kind, "since": now - timedelta(days=2)}
    for row in await services.db.fetch_all("unfinished_tryouts", values):
        await restart_tryout(services.db, store_hash, row["id"], now)


async def keep_current(services: Services, store_hash: str, kind: str) -> None:
    """Have what changed read when the past of this kind is in use and has become old."""
    read, now = await fetch_read(services.db, store_hash, kind), services.clock.now()
    if read is not None and read.state == "read" and read.read_until is not None and read.read_until < now - STALE:
        await begin_read(services.db, store_hash, kind, now)


async def clear(services: Services) -> None:
    """Drop, for every store, what is older than the time that is kept and the past where nothing is tried any more."""
    db, now = services.db, services.clock.now()
    await db.execute("clear_decisions", {"before": now - KEEP_DECISIONS})
    await db.execute("clear_tryouts", {"before": now - KEEP_TRYOUTS})
    dated = [kind for kind in KINDS if past_since(kind, now).year > 1970]
    await db.execute("clear_past", {"before": past_since(dated[0], now), "kinds": dated})
    for row in await db.fetch_all("clear_unused_past", {"before": now - UNUSED}):
        await db.execute("drop_past_of_kind", {"store_hash": row["store_hash"], "kind": row["kind"]})


# Trying ---------------------------------------------------------------------------------------------------


async def try_rule(work: Work) -> Outcome:
    """Try a draft on the stored past for two seconds, write down what was counted, and go on in the next slice."""
    db, store_hash = work.services.db, work.store.hash
    tryout = await fetch_tryout(db, store_hash, int(work.action.record.id))
    if tryout is None or tryout.state not in ("waiting", "counting"):
        return skipped("It was counted already.", look=False)
    kind, now = KINDS[tryout.kind], work.services.clock.now()
    since = past_since(kind.name, now)
    total, whole = tryout.total, tryout.whole
    if tryout.state == "waiting":
        total = int(await db.fetch_val("past_count", {"store_hash": store_hash, "kind": kind.name, "since": since}))
        read = await fetch_read(db, store_hash, kind.name)
        whole = read is not None and read.state == "read"
        under_way = not whole and await is_reading(db, store_hash, kind.name)
        if under_way and (total == 0 or now - tryout.updated_at < FRESH):
            return Outcome(look=False, again_in=WAIT)
    reading = await fetch_reading(db, work.store, now)
    live = await live_rules(db, store_hash)
    rule = draft(tryout.definition, tryout.name, tryout.rule_id, tryout.rule_version)
    cursor, until, ended = tryout.cursor, time.monotonic() + TRY_SECONDS, False
    while not ended and time.monotonic() < until:
        records, cursor = await past_page(db, store_hash, kind.name, cursor, since, PAGE)
        # Off the event loop: a slice of a large store must not delay what holds an order.
        await asyncio.to_thread(examine, tryout.tally, kind, rule, live, records, reading)
        ended = len(records) < PAGE
    now = work.services.clock.now()
    state = "counted" if ended else "counting"
    await save_tryout(db, store_hash, tryout, state=state, cursor=cursor, total=total, whole=whole, now=now)
    return Outcome(look=False, again_in=None if ended else timedelta())
