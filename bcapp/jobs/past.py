"""Reading the past of a store in the background, and trying drafts of rules on it: both in slices."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from bcapp.bigcommerce.facts import ALL, Needs, customer_of, products_of, read_customer, read_order, read_product
from bcapp.bigcommerce.parse import parse_date
from bcapp.bigcommerce.remembering import Remembering
from bcapp.core.acceptances import Ledger
from bcapp.core.fields import Reading
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import Gone
from bcapp.core.rules import RuleInForce, left_out
from bcapp.core.tryout import PastRecord, Tally, Trial, draft
from bcapp.db import Database
from bcapp.db.past import (
    EXTRA_PARTS,
    Cursor,
    Page,
    begin_read,
    drop_past,
    fetch_read,
    fetch_tryout,
    is_reading,
    keep_past,
    live_rules,
    past_end,
    past_page,
    past_since,
    restart_tryout,
    save_read,
    save_tryout,
)
from bcapp.db.readings import fetch_reading
from bcapp.jobs.accepting import agreements_asked_about, stored_ledgers
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.pacing import pause
from bcapp.services import Services
from bcapp.workflows import WORKFLOWS, kind_of

SLICE = 25  # records read in one go
AT_ONCE = 4  # calls of one slice beside each other
LISTED = 250  # records of a list looked at in one go
OVERLAP = timedelta(minutes=10)  # a change may show up in the list later than it says
PAST_NEEDS = replace(ALL, transactions=False)  # no field reads transactions
DAY = timedelta(days=1)
PAGE = 1000  # stored records examined in one go
PAGES_AHEAD = 2  # fetched while one is examined, each over a connection of its own
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
    """A record as a list named it. raw: as the list gave it, None when only its number is known."""

    id: str
    modified_at: datetime
    raw: Mapping[str, Any] | None


class Reader(Protocol):
    """How the past of one kind is listed and read.

    size: records of one slice. lists_changes: a later reading lists what changed; else it lists all again, what was
    read within a day is not read anew, and what the list does not name any more is dropped.
    """

    size: int
    lists_changes: bool

    async def count(self, client: Remembering, since: datetime) -> int: ...

    async def listed(
        self, client: Remembering, since: datetime, at: dict[str, Any]
    ) -> tuple[list[Item], dict[str, Any] | None]:
        """Return the next items, and where to go on; None when the list has ended."""

    async def read(self, work: Work, client: Remembering, items: Sequence[Item], needs: Needs) -> list[Facts | Gone]:
        """Return the facts of the items, in their order."""


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
    """Orders: by number the first time, later by the time of their change."""

    size, lists_changes = SLICE, True

    async def count(self, client: Remembering, since: datetime) -> int:
        return await client.count_orders(created_since=since)

    async def listed(
        self, client: Remembering, since: datetime, at: dict[str, Any]
    ) -> tuple[list[Item], dict[str, Any] | None]:
        if "from" in at:
            return await _by_time(lambda t: client.list_orders(modified_since=t), at["from"], LISTED, "date_modified")
        after = int(at.get("after", 0))
        orders = client.list_orders(created_since=since, min_id=after + 1, page_size=self.size, most=self.size)
        items = [_item(raw) async for raw in orders]
        return items, {"after": int(items[-1].id)} if len(items) == self.size else None

    async def read(self, work: Work, client: Remembering, items: Sequence[Item], needs: Needs) -> list[Facts | Gone]:
        await client.prepare_orders([i.raw for i in items if i.raw is not None])
        read = partial(read_order, client, needs=needs, trees=work.vendors.trees)
        return await _together([partial(read, int(i.id)) for i in items])


class Customers:
    """Customers, the oldest of the time first; their history changes without them."""

    size, lists_changes = SLICE, False

    async def count(self, client: Remembering, since: datetime) -> int:
        return await client.count_customers(created_since=since)

    async def listed(
        self, client: Remembering, since: datetime, at: dict[str, Any]
    ) -> tuple[list[Item], dict[str, Any] | None]:
        customers = partial(client.list_customers, newest_first=False)
        begin = at.get("from", since.isoformat())
        return await _by_time(lambda t: customers(created_since=t), begin, self.size, "date_created")

    async def read(self, work: Work, client: Remembering, items: Sequence[Item], needs: Needs) -> list[Facts | Gone]:
        has_attributes = any(i.raw is None or i.raw.get("attributes") for i in items)
        names = await client.customer_attributes() if has_attributes else {}

        def reading(item: Item) -> Callable[[], Awaitable[Any]]:
            if item.raw is None:
                return partial(read_customer, client, int(item.id), needs=needs)
            return partial(customer_of, client, item.raw, names, needs)

        return await _together([reading(i) for i in items])


class Products:
    """Products as they stand, by number: a page costs one call."""

    size, lists_changes = LISTED, False

    async def count(self, client: Remembering, since: datetime) -> int:
        return await client.count_products()

    async def listed(
        self, client: Remembering, since: datetime, at: dict[str, Any]
    ) -> tuple[list[Item], dict[str, Any] | None]:
        page = int(at.get("page", 1))
        products = client.list_products(newest_first=False, page=page, page_size=self.size, most=self.size)
        items = [_item(raw) async for raw in products]
        return items, {"page": page + 1} if len(items) == self.size else None

    async def read(self, work: Work, client: Remembering, items: Sequence[Item], needs: Needs) -> list[Facts | Gone]:
        currency, trees = str(work.store.profile.get("currency") or "USD"), work.vendors.trees
        if all(i.raw is not None for i in items):
            return list(await products_of(client, [dict(i.raw or {}) for i in items], currency, needs, trees))
        read = partial(read_product, client, currency=currency, needs=needs, trees=trees)
        return await _together([partial(read, int(i.id)) for i in items])


def _item(raw: Mapping[str, Any]) -> Item:
    return Item(str(raw["id"]), parse_date(raw.get("date_modified"), "date_modified"), raw)


async def _by_time(
    listing: Callable[[datetime], AsyncIterator[dict[str, Any]]], begin: str, most: int, column: str
) -> tuple[list[Item], dict[str, Any] | None]:
    """Return items of a list that is ordered by a time, oldest first."""
    start, items = datetime.fromisoformat(begin), list[Item]()
    async for raw in listing(start):
        items.append(_item(raw))
        # A second back, for more may have come in the last one; and always further than we began.
        goes_on = parse_date(raw.get(column), column) - timedelta(seconds=1)
        if len(items) >= most and goes_on > start:
            return items, {"from": goes_on.isoformat()}
    return items, None


READERS: dict[str, Reader] = {"order": Orders(), "customer": Customers(), "product": Products()}


def is_whole(facts: Any) -> bool:
    """Tell whether facts hold every part that the past is read with, all of the history included."""
    history = getattr(facts, "history", None)
    return not (facts.unread - EXTRA_PARTS) and (history is None or history.since is None)


# Reading --------------------------------------------------------------------------------------------------


async def read_past(work: Work) -> Outcome:
    """Read one slice: first what was made in the time that is kept, later what changed, then what is known in part."""
    db, store_hash, kind = work.services.db, work.store.hash, work.action.record.id
    reader, read = READERS.get(kind), await fetch_read(db, store_hash, kind)
    if reader is None or read is None or read.state != "reading":
        return skipped("The past of this kind is not wanted any more.", look=False)
    now = work.services.clock.now()
    since, began = past_since(kind, now), datetime.fromisoformat(read.cursor["began"])
    total, done, last = read.total, read.done, bool(read.cursor.get("last"))
    goes_on: dict[str, Any] | None
    by_change = reader.lists_changes and "since" in read.cursor
    at = read.cursor.get("at") or ({"from": read.cursor["since"]} if by_change else {})
    client = await work.vendors.remembering(store_hash)
    needs = replace(PAST_NEEDS, **{name: name in read.parts for name in EXTRA_PARTS})
    if total is None and not by_change:
        total = await reader.count(client, since)
    if last:
        items = await _incomplete(work, kind, since, read.parts)
        await _read_slice(work, client, reader, items, needs, now)
        done, goes_on = done + len(items), {} if len(items) == SLICE else None
    else:
        listed, goes_on = await reader.listed(client, since, at)
        items = await _unknown(work, kind, listed, now - DAY if not reader.lists_changes else None)
        for start in range(0, len(items), reader.size):
            await _read_slice(work, client, reader, items[start : start + reader.size], needs, now)
        done += len(items) if by_change else len(listed)
    ended = last and goes_on is None
    cursor = {**read.cursor, "last": last or goes_on is None, "at": goes_on or {}}
    async with db.transaction():
        if ended and not reader.lists_changes:
            values = {"store_hash": store_hash, "kind": kind, "before": began - DAY}
            await db.execute("drop_past_unseen", values)
        until, at_last = began - OVERLAP if ended else None, work.services.clock.now()
        state = "read" if ended else "reading"
        await save_read(
            db, store_hash, kind, state=state, cursor=cursor, total=total, done=done, read_until=until, now=at_last
        )
        if ended:
            await _count_anew(work.services, store_hash, kind)
    return Outcome(look=False, again_in=None if ended else await pause(work))


async def _incomplete(work: Work, kind: str, since: datetime, parts: Sequence[str]) -> list[Item]:
    """Return what is stored in part, or without a part that some try wants."""
    values = {"store_hash": work.store.hash, "kind": kind, "since": since, "parts": list(parts), "most": SLICE}
    rows = await work.services.db.fetch_all("past_incomplete", values)
    return [Item(r["id"], r["modified_at"], None) for r in rows]


async def _unknown(work: Work, kind: str, items: Sequence[Item], read_since: datetime | None) -> list[Item]:
    """Return the items that are not stored whole as of their last change, and since a moment when one is given."""
    values = {"store_hash": work.store.hash, "kind": kind, "ids": [i.id for i in items], "read_since": read_since}
    rows = await work.services.db.fetch_all("past_known", values) if items else []
    known = {r["id"]: r["modified_at"] for r in rows}
    return [i for i in items if i.id not in known or known[i.id] < i.modified_at]


async def _read_slice(
    work: Work, client: Remembering, reader: Reader, items: Sequence[Item], needs: Needs, now: datetime
) -> None:
    kind = KINDS[work.action.record.id]
    found = await reader.read(work, client, items, needs)
    async with work.services.db.transaction():
        for item, facts in zip(items, found, strict=True):
            if isinstance(facts, Gone):
                await drop_past(work.services.db, work.store.hash, kind.name, item.id)
            else:
                await keep_past(work.services.db, work.store.hash, kind, item.id, facts, now, complete=True)


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
    live = [r for r in await live_rules(db, store_hash) if _is_about(r, kind)]
    rule = draft(tryout.definition, tryout.name, tryout.rule_id, tryout.rule_version)
    cursor, until, ended = tryout.cursor, time.monotonic() + TRY_SECONDS, False
    ledgers: Ledgers | None = None
    signed = set(agreements_asked_about([rule.definition, *(r.definition for r in live)]))
    if rule.definition.customer and rule.definition.sign_once.scope:
        signed.add(rule.definition.agreement_id)
    if signed:
        ledgers = partial(stored_ledgers, work.services, store_hash, sorted(signed))
    trying = try_pages(db, store_hash, kind, rule, live, tryout.tally, cursor, since, reading, ledgers)
    async with aclosing(trying) as pages:
        async for _, at, is_last in pages:
            cursor, ended = at, is_last
            if time.monotonic() >= until:
                break
    now = work.services.clock.now()
    state = "counted" if ended else "counting"
    await save_tryout(db, store_hash, tryout, state=state, cursor=cursor, total=total, whole=whole, now=now)
    if ended and not whole:
        # The reading may have ended while this was counted: it counts anew only what it finds counted by then.
        of = {"store_hash": store_hash, "kind": kind.name}
        if await db.fetch_val("lock_past_read", of) == "read":
            await restart_tryout(db, store_hash, tryout.id, now)
    return Outcome(look=False, again_in=None if ended else timedelta())


def _is_about(rule: RuleInForce, kind: Kind) -> bool:
    """Return whether a rule is about this kind of record; one of another release's workflow is about none."""
    workflow = WORKFLOWS.get(rule.workflow)
    return workflow is not None and kind_of(workflow, rule.definition) is kind


def _examine(trial: Trial, tally: Tally, page: Page) -> None:
    trial.examine(tally, page.records())


Ledgers = Callable[[Sequence[PastRecord]], Awaitable[Mapping[str, Ledger]]]


async def try_pages(
    db: Database,
    store_hash: str,
    kind: Kind,
    rule: RuleInForce,
    live: Sequence[RuleInForce],
    tally: Tally,
    after: Cursor,
    since: datetime,
    reading: Reading,
    ledgers: Ledgers | None = None,
) -> AsyncGenerator[tuple[int, Cursor, bool], None]:
    """Examine what is stored page by page, the next ones being fetched meanwhile.

    Yield (records examined, where the page ended, whether it was the last). ledgers: reads what the customers of a
    page have signed, where that counts.
    """
    unread = left_out(kind, [rule.definition, *(r.definition for r in live)])
    trial = Trial(kind, rule, live, reading)
    fetching: deque[tuple[asyncio.Task[Page], Cursor, bool]] = deque()
    ended = False
    try:
        while True:
            while not ended and len(fetching) < PAGES_AHEAD:
                count, end = await past_end(db, store_hash, kind.name, after, since, PAGE)
                ended = count < PAGE
                page_of = past_page(db, store_hash, kind.name, after, end, since, unread)
                fetching.append((asyncio.create_task(page_of), end, ended))
                after = end
            if not fetching:
                return
            task, end, is_last = fetching[0]
            page = await task
            fetching.popleft()
            # Off the event loop: a slice of a large store must not delay what holds an order.
            if ledgers is None:
                await asyncio.to_thread(_examine, trial, tally, page)
            else:
                records = await asyncio.to_thread(page.records)
                signed = await ledgers(records)
                await asyncio.to_thread(trial.examine, tally, records, signed)
            yield page.count, end, is_last
    finally:
        for task, _, _ in fetching:
            task.cancel()
        await asyncio.gather(*(task for task, _, _ in fetching), return_exceptions=True)
