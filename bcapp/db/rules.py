"""Rules as rows: every save is a version, and a save on top of somebody else's is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.calendars import Calendar
from bcapp.core.fields import ACCEPTED
from bcapp.core.model import RecordKey
from bcapp.core.rules import RuleDefinition, dump_definition, parse_definition
from bcapp.db import Database, audit
from bcapp.db.actions import queue_action
from bcapp.db.calendars import fetch_calendars
from bcapp.db.store_names import fetch_names
from bcapp.errors import Stale

HITS = timedelta(days=30)
OPERATOR = 0  # the author of what was done from a shell; no user has this id


@dataclass(frozen=True)
class Rule:
    """A rule as the panel shows it. asked, would_ask: requests and monitored matches of the last 30 days."""

    id: int
    workflow: str
    name: str
    mode: str
    version: int
    definition: RuleDefinition
    live_since: datetime | None
    paused_why: str
    archived: bool
    changed_at: datetime
    waiting_changes: int
    asked: int = 0
    would_ask: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Rule:
        return cls(
            id=row["id"],
            workflow=row["workflow"],
            name=row["name"],
            mode=row["mode"],
            version=row["version"],
            definition=parse_definition(row["definition"]),
            live_since=row["live_since"],
            paused_why=row["paused_why"],
            archived=row["archived"],
            changed_at=row["changed_at"],
            waiting_changes=row["waiting_changes"],
            asked=row.get("asked", 0),
            would_ask=row.get("would_ask", 0),
        )

    @property
    def shown_mode(self) -> str:
        """The mode as people read it: a live rule that stopped itself is paused."""
        return "paused" if self.mode == "live" and self.paused_why else self.mode


async def list_rules(db: Database, store_hash: str, now: datetime, *, archived: bool = False) -> list[Rule]:
    """Return the rules in the merchant's order."""
    rows = await db.fetch_all("panel_rules", {"store_hash": store_hash, "since": now - HITS, "archived": archived})
    return [Rule.from_row(row) for row in rows]


async def fetch_rule(db: Database, store_hash: str, rule_id: int) -> Rule | None:
    row = await db.fetch_one("panel_rule", {"store_hash": store_hash, "id": rule_id})
    return Rule.from_row(row) if row else None


async def list_names(db: Database, store_hash: str) -> list[dict[str, Any]]:
    """Return rows id, name, archived of all rules."""
    return await db.fetch_all("panel_rule_names", {"store_hash": store_hash})


async def add_rule(
    db: Database, store_hash: str, *, name: str, workflow: str, definition: RuleDefinition, author: int, now: datetime
) -> int:
    """Return the id of a new rule, which is off."""
    async with db.transaction():
        rule_id = int(
            await db.fetch_val("add_rule", {"store_hash": store_hash, "workflow": workflow, "name": name, "now": now})
        )
        await _add_version(db, store_hash, rule_id, 1, definition, author, now)
        await _note(db, store_hash, rule_id, "rule_made", author, now, {"version": 1})
    return rule_id


async def save_rule(
    db: Database,
    store_hash: str,
    rule_id: int,
    *,
    name: str,
    definition: RuleDefinition,
    version: int,
    author: int,
    now: datetime,
) -> int:
    """Return the number of the new version. version: the one it was made from; Stale when it is not the newest."""
    async with db.transaction():
        new = await db.fetch_val(
            "raise_rule_version", {"store_hash": store_hash, "id": rule_id, "version": version, "name": name}
        )
        if new is None:
            raise Stale("Somebody else saved this rule meanwhile. Load it again; what they changed is then in it.")
        await _add_version(db, store_hash, rule_id, new, definition, author, now)
        await _note(db, store_hash, rule_id, "rule_saved", author, now, {"version": new})
    return int(new)


async def _add_version(
    db: Database, store_hash: str, rule_id: int, version: int, definition: RuleDefinition, author: int, now: datetime
) -> None:
    await db.execute(
        "add_rule_version",
        {
            "store_hash": store_hash,
            "rule_id": rule_id,
            "version": version,
            "definition": dump_definition(definition),
            "author": author,
            "now": now,
        },
    )


async def lock_version(db: Database, store_hash: str, rule_id: int, version: int) -> None:
    """Hold the rule at this version until the transaction ends. Raises Stale when it has another one by now."""
    if await db.fetch_val("lock_rule_version", {"store_hash": store_hash, "id": rule_id}) != version:
        raise Stale("The rule was saved meanwhile. Look at it again, then ask again.")


async def set_mode(
    db: Database,
    store_hash: str,
    rule_id: int,
    mode: str,
    author: int,
    now: datetime,
    *,
    records: Sequence[str] = (),
    record_kind: str = "order",
) -> bool:
    """Return whether the mode changed. Going live draws the boundary: what was created before is left alone.

    records: those from before the boundary that were ticked; they count only when the rule goes live.
    """
    async with db.transaction():
        values = {"store_hash": store_hash, "id": rule_id, "mode": mode, "now": now}
        if await db.fetch_val("set_rule_mode", values) is None:
            return False
        await _note(db, store_hash, rule_id, "rule_mode", author, now, {"mode": mode})
        if mode == "live":
            await include(db, store_hash, rule_id, list(records), author, now, record_kind)
    return True


async def include(
    db: Database,
    store_hash: str,
    rule_id: int,
    record_ids: list[str],
    author: int,
    now: datetime,
    record_kind: str = "order",
) -> None:
    """Let the rule act on records from before its boundary, and have them looked at, a few in each second."""
    if not record_ids:
        return
    async with db.transaction():
        given = {"store_hash": store_hash, "kind": record_kind, "ids": record_ids}
        await db.execute("include_records", {**given, "rule_id": rule_id})
        await db.execute("say_looks", {**given, "now": now})
        await _note(db, store_hash, rule_id, "rule_included", author, now, {"records": len(record_ids)})


async def resume(db: Database, store_hash: str, rule_id: int, author: int, now: datetime) -> bool:
    async with db.transaction():
        if await db.fetch_val("resume_rule", {"store_hash": store_hash, "id": rule_id}) is None:
            return False
        await db.execute(
            "settle_notice",
            {"store_hash": store_hash, "kind": "rule_paused", "record_kind": "rule", "record_id": str(rule_id),
             "done_by": author, "now": now},
        )  # fmt: skip
        traces = {d: [{"rule_id": rule_id, "decision": d}] for d in ("paused", "asks")}
        await db.execute("look_after_pause", {"store_hash": store_hash, "id": rule_id, "now": now, **traces})
        await _note(db, store_hash, rule_id, "rule_resumed", author, now)
    return True


async def archive(db: Database, store_hash: str, rule_id: int, author: int, now: datetime) -> bool:
    async with db.transaction():
        if await db.fetch_val("archive_rule", {"store_hash": store_hash, "id": rule_id}) is None:
            return False
        await _note(db, store_hash, rule_id, "rule_archived", author, now)
    return True


@dataclass(frozen=True)
class Backlog:
    """What exists from before the boundary. state: counting | counted | failed.

    groups: [{key, label, count, money: {currency: amount as text}, records: [ids]}]. first: how many open orders were
    read when there are more than that, else 0.
    """

    state: str
    groups: tuple[dict[str, Any], ...]
    updated_at: datetime
    first: int = 0


async def fetch_backlog(db: Database, store_hash: str, rule_id: int) -> Backlog | None:
    row = await db.fetch_one("panel_backlog", {"store_hash": store_hash, "rule_id": rule_id})
    return Backlog(row["state"], tuple(row["groups"]), row["updated_at"], row["first"]) if row else None


async def count_backlog(db: Database, store_hash: str, rule_id: int, now: datetime) -> bool:
    """Have what exists counted by the worker; False when it is being counted already."""
    async with db.transaction():
        if await db.fetch_val("begin_backlog", {"store_hash": store_hash, "rule_id": rule_id, "now": now}) is None:
            return False
        await queue_action(db, store_hash, ActionKind.COUNT_BACKLOG, RecordKey("rule", str(rule_id)), now)
    return True


async def _note(
    db: Database,
    store_hash: str,
    rule_id: int,
    event: str,
    author: int,
    now: datetime,
    detail: Mapping[str, Any] = audit.NOTHING,
) -> None:
    await audit.append(
        db,
        store_hash,
        now,
        actor="operator" if author == OPERATOR else f"user:{author}",
        event=event,
        record=RecordKey("rule", str(rule_id)),
        detail=detail,
    )


@dataclass(frozen=True)
class Choices:
    """What an editor offers: rows of accounts, channels, people and agreements, and calendars by number."""

    accounts: list[dict[str, Any]]
    channels: list[dict[str, Any]]
    people: list[dict[str, Any]]
    agreements: list[dict[str, Any]]
    calendars: Mapping[int, Calendar] = field(default_factory=dict)
    store_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # what -> number -> name

    def named(self, field_name: str) -> Mapping[str, str]:
        """Return the names by number that the store has for the values of a field; empty where none are known."""
        if field_name == "channel":
            return {str(c["id"]): str(c["name"]) for c in self.channels}
        if field_name == ACCEPTED:
            return {str(a["id"]): str(a["name"]) for a in self.agreements}
        return self.store_names.get(field_name, {})

    @property
    def has_limits(self) -> bool:
        """Whether anybody has an approval limit, so that a rule by limit would find somebody."""
        return any(person["limits"] for person in self.people)

    @property
    def names(self) -> dict[str, str]:
        """Names by "agreement:3" and "person:7", for sentences."""
        return {f"agreement:{a['id']}": f"“{a['name']}”" for a in self.agreements} | {
            f"person:{p['id']}": p["name"] for p in self.people
        }


async def list_choices(db: Database, store_hash: str) -> Choices:
    of = {"store_hash": store_hash}
    return Choices(
        accounts=await db.fetch_all("panel_accounts", of),
        channels=await db.fetch_all("panel_channels", of),
        people=await db.fetch_all("panel_people", of),
        agreements=await db.fetch_all("panel_agreement_names", of),
        calendars=await fetch_calendars(db, store_hash),
        store_names=await fetch_names(db, store_hash),
    )
