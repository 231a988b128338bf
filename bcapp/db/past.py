"""The past that rules are tried on: records as they were read, how far the reading is, and the tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bcapp.core.actions import ActionKind
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import RecordKey
from bcapp.core.rules import RuleDefinition, RuleInForce, dump_definition, needs_of, parse_definition
from bcapp.core.stored import NOTHING_LEFT_OUT, LeftOut
from bcapp.core.tryout import DAYS, MOST_OVERLAPS, PastRecord, Tally, draft
from bcapp.db import Database
from bcapp.db.actions import queue_action
from bcapp.errors import Stale

EXTRA_PARTS = frozenset({"metafields", "customer_metafields"})  # a call each, and read only when a try wants them
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
PAST_KINDS = frozenset({"order", "customer", "product"})  # of which a past is kept to try rules on
WHOLE_CATALOG = frozenset({"product"})  # products are tried on as they stand, however old they are


def past_since(kind: str, now: datetime) -> datetime:
    """Return from when on records of a kind are kept."""
    return LONG_AGO if kind in WHOLE_CATALOG else now - timedelta(days=DAYS)


async def keep_past(
    db: Database, store_hash: str, kind: Kind, record_id: str, facts: Any, now: datetime, *, complete: bool
) -> dict[str, Any]:
    """Store a record as it was read, when it is young enough; return its stored form.

    complete: it was read with every part but the extra ones.
    """
    stored, created_at = kind.dump(facts), kind.created_at(facts)
    if created_at >= past_since(kind.name, now):
        brief = kind.brief(facts)
        await db.execute(
            "keep_past",
            {
                "store_hash": store_hash,
                "kind": kind.name,
                "id": record_id,
                "label": brief.label[:200],
                "created_at": created_at,
                "modified_at": brief.modified_at or created_at,
                "now": now,
                "complete": complete,
                "facts": stored,
                "customer": brief.customer,
                "has_email": brief.has_email,
                "amount": brief.money.amount if brief.money else None,
                "currency": brief.money.currency if brief.money else "",
            },
        )
    return stored


async def drop_past(db: Database, store_hash: str, kind: str, record_id: str) -> None:
    await db.execute("drop_past", {"store_hash": store_hash, "kind": kind, "id": record_id})


async def fetch_past(db: Database, store_hash: str, kind: str, record_id: str) -> dict[str, Any] | None:
    """Return the row of a stored record; facts as Kind.dump left them."""
    return await db.fetch_one("past_record", {"store_hash": store_hash, "kind": kind, "id": record_id})


@dataclass(frozen=True)
class Cursor:
    """Where a page of the past ended."""

    customer: str = ""
    created_at: datetime = LONG_AGO
    id: str = ""

    def dump(self) -> dict[str, str]:
        return {"customer": self.customer, "created_at": self.created_at.isoformat(), "id": self.id}

    @classmethod
    def parse(cls, stored: Mapping[str, str]) -> Cursor:
        if not stored:
            return cls()
        return cls(stored["customer"], datetime.fromisoformat(stored["created_at"]), stored["id"])


@dataclass(frozen=True)
class Page:
    """Some records, customer by customer. content: read by records(), best off the event loop."""

    count: int
    content: str

    def records(self) -> list[PastRecord]:
        return [_record(row) for row in orjson.loads(self.content)]


def _record(row: list[Any]) -> PastRecord:
    """Read a row of a page: a record, whose facts come last, and after it the parts of them that were thinned."""
    thinned = row.pop()
    if thinned:
        row[-1].update(thinned)
    return PastRecord._make(row)


async def past_end(
    db: Database, store_hash: str, kind: str, after: Cursor, since: datetime, most: int
) -> tuple[int, Cursor]:
    """Return how many records the next page has, at most so many, and the last of them; the cursor itself for none."""
    row = await db.fetch_one("past_end", {**_past_of(store_hash, kind, after, since), "most": most})
    return (row["count"], Cursor(row["customer"], row["created_at"], row["id"])) if row else (0, after)


async def past_page(
    db: Database,
    store_hash: str,
    kind: str,
    after: Cursor,
    last: Cursor,
    since: datetime,
    left_out: LeftOut = NOTHING_LEFT_OUT,
) -> Page:
    """Return the records after a cursor up to the last one. left_out: parts of their facts."""
    row = await db.fetch_one(
        "past_page",
        {
            **_past_of(store_hash, kind, after, since),
            "last_customer": last.customer,
            "last_created_at": last.created_at,
            "last_id": last.id,
            "without": sorted(left_out.without),
            "thinned": sorted(left_out.thinned),
            "names": sorted(left_out.names),
        },
    )
    assert row is not None  # an aggregate without groups always has one row
    return Page(row["count"], row["records"] or "[]")


def _past_of(store_hash: str, kind: str, after: Cursor, since: datetime) -> dict[str, Any]:
    return {
        "store_hash": store_hash,
        "kind": kind,
        "customer": after.customer,
        "created_at": after.created_at,
        "id": after.id,
        "since": since,
    }


# Reading ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PastRead:
    """state: reading | read | failed. total: expected by this read, None until counted. read_until: None before the
    first whole read."""

    state: str
    why: str
    cursor: dict[str, Any]
    total: int | None
    done: int
    read_until: datetime | None
    updated_at: datetime
    used_at: datetime
    parts: list[str]  # extra ones that tries wanted


async def fetch_read(db: Database, store_hash: str, kind: str) -> PastRead | None:
    row = await db.fetch_one("fetch_past_read", {"store_hash": store_hash, "kind": kind})
    return PastRead(**row) if row else None


async def begin_read(db: Database, store_hash: str, kind: str, now: datetime) -> bool:
    """Have the past of a kind read, or what changed since; False while it is being read already."""
    async with db.transaction():
        read = await fetch_read(db, store_hash, kind)
        cursor = {"since": read.read_until.isoformat()} if read and read.read_until else {}
        values = {"store_hash": store_hash, "kind": kind, "cursor": {**cursor, "began": now.isoformat()}, "now": now}
        begun = await db.fetch_val("begin_past_read", values) is not None
        if not begun and await is_reading(db, store_hash, kind):
            return False
        # Not begun and nothing under way: the reading had failed, and goes on from where it was.
        await queue_action(db, store_hash, ActionKind.READ_PAST, RecordKey("past", kind), now)
    return True


async def is_reading(db: Database, store_hash: str, kind: str) -> bool:
    """Tell whether the action that reads the past is still to end."""
    return await db.fetch_one("past_read_open", {"store_hash": store_hash, "kind": kind}) is not None


async def save_read(
    db: Database,
    store_hash: str,
    kind: str,
    *,
    state: str,
    cursor: Mapping[str, Any],
    done: int,
    now: datetime,
    total: int | None = None,
    read_until: datetime | None = None,
) -> None:
    await db.execute(
        "save_past_read",
        {
            "store_hash": store_hash,
            "kind": kind,
            "state": state,
            "cursor": dict(cursor),
            "total": total,
            "done": done,
            "read_until": read_until,
            "now": now,
        },
    )


# Tries --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tryout:
    """A draft tried on the past. state: waiting | counting | counted | failed.

    rule_id 0: not of a saved rule. rule_version 0: edited, not saved. whole: the past was read whole when it began.
    """

    id: int
    kind: str
    rule_id: int
    rule_version: int
    name: str
    definition: RuleDefinition
    state: str
    why: str
    step: int
    cursor: Cursor
    tally: Tally
    total: int
    whole: bool
    created_at: datetime
    updated_at: datetime

    @property
    def done(self) -> int:
        """How many records were examined so far."""
        return self.tally.looked + self.tally.outside + self.tally.unreadable


async def fetch_tryout(db: Database, store_hash: str, tryout_id: int) -> Tryout | None:
    row = await db.fetch_one("fetch_tryout", {"store_hash": store_hash, "id": tryout_id})
    if row is None:
        return None
    given = {k: v for k, v in row.items() if k in Tryout.__dataclass_fields__}
    return Tryout(
        **{
            **given,
            "definition": parse_definition(row["definition"]),
            "cursor": Cursor.parse(row["cursor"]),
            "tally": Tally.parse(row["tally"]),
        }
    )


async def newest_tryout(
    db: Database, store_hash: str, kind: str, rule_id: int, version: int | None = None
) -> Tryout | None:
    """Return the newest try of a rule, of any version when none is named."""
    values = {"store_hash": store_hash, "kind": kind, "rule_id": rule_id, "rule_version": version}
    found = await db.fetch_val("newest_tryout", values)
    return await fetch_tryout(db, store_hash, found) if found is not None else None


async def begin_tryout(
    db: Database,
    store_hash: str,
    kind: str,
    definition: RuleDefinition,
    *,
    author: int,
    now: datetime,
    name: str = "",
    rule_id: int = 0,
    rule_version: int = 0,
) -> int:
    """Have a draft tried on what is stored, and what changed since read; return its number."""
    async with db.transaction():
        tryout_id = int(
            await db.fetch_val(
                "add_tryout",
                {
                    "store_hash": store_hash,
                    "kind": kind,
                    "rule_id": rule_id,
                    "rule_version": rule_version,
                    "name": name,
                    "definition": dump_definition(definition),
                    "author": author,
                    "now": now,
                },
            )
        )
        await begin_read(db, store_hash, kind, now)
        needs, _ = needs_of(KINDS[kind], [draft(definition)])
        parts = sorted(needs & EXTRA_PARTS)
        await db.execute("use_past", {"store_hash": store_hash, "kind": kind, "parts": parts, "now": now})
        await queue_action(db, store_hash, ActionKind.TRY_RULE, RecordKey("tryout", str(tryout_id)), now)
    return tryout_id


async def restart_tryout(db: Database, store_hash: str, tryout_id: int, now: datetime) -> bool:
    """Count a finished try anew; False when it is under way."""
    async with db.transaction():
        if await db.fetch_val("restart_tryout", {"store_hash": store_hash, "id": tryout_id, "now": now}) is None:
            return False
        await queue_action(db, store_hash, ActionKind.TRY_RULE, RecordKey("tryout", str(tryout_id)), now)
    return True


async def save_tryout(
    db: Database, store_hash: str, tryout: Tryout, *, state: str, cursor: Cursor, total: int, whole: bool, now: datetime
) -> int:
    """Write one slice down; Stale when another runner did."""
    step = await db.fetch_val(
        "save_tryout",
        {
            "store_hash": store_hash,
            "id": tryout.id,
            "step": tryout.step,
            "state": state,
            "cursor": cursor.dump(),
            "tally": tryout.tally.dump(),
            "total": total,
            "whole": whole,
            "now": now,
        },
    )
    if step is None:
        raise Stale("another runner counts this try")
    return int(step)


async def live_rules(db: Database, store_hash: str) -> list[RuleInForce]:
    """Return the rules that ask, as they stand, without their boundaries."""
    rows = await db.fetch_all("live_rules", {"store_hash": store_hash, "most": MOST_OVERLAPS})
    return [
        RuleInForce(r["id"], r["version"], r["name"], r["workflow"], "monitor", parse_definition(r["definition"]), None)
        for r in rows
    ]
