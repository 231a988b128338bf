"""Decisions kept: what each rule said of a record, whenever it differed from the time before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from bcapp.core.decisions import digest, dump_traces, parse_traces, wants
from bcapp.core.model import Money, RecordKey
from bcapp.core.rules import RuleTrace
from bcapp.db import Database

NOTHING = digest([])  # a record of which no rule ever said anything needs no row that says so


@dataclass(frozen=True)
class Decision:
    at: datetime
    traces: tuple[RuleTrace, ...]


async def keep_decision(
    db: Database, store_hash: str, record: RecordKey, traces: Sequence[RuleTrace], facts_sha256: str, now: datetime
) -> None:
    """Write the traces down when they differ from the last ones. Call while the record is locked."""
    stored = dump_traces(traces)
    await db.execute(
        "keep_decision",
        {
            "store_hash": store_hash,
            "record_kind": record.kind,
            "record_id": record.id,
            "now": now,
            "traces": stored,
            "traces_sha256": digest(stored),
            "facts_sha256": facts_sha256,
            "would_ask": wants(traces),
            "nothing": NOTHING,
        },
    )


async def list_decisions(db: Database, store_hash: str, record: RecordKey, most: int = 20) -> list[Decision]:
    """Return the newest decisions of a record, newest first."""
    values = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id, "most": most}
    rows = await db.fetch_all("decisions_of_record", values)
    return [Decision(r["decided_at"], tuple(parse_traces(r["traces"]))) for r in rows]


@dataclass(frozen=True)
class Monitored:
    """What a version of a rule would have asked since it monitors. days: (day in the store's zone, asked, money)."""

    looked: int
    asked: int
    since: datetime | None
    held: tuple[Money, ...]
    days: tuple[tuple[date, int, tuple[Money, ...]], ...]
    records: tuple[dict[str, Any], ...]


async def fetch_monitored(
    db: Database, store_hash: str, rule_id: int, version: int, since: datetime, zone: str, most: int = 50
) -> Monitored:
    """since: when this version began to monitor, at the earliest."""
    wanted = {"store_hash": store_hash, "wanted": [f"{rule_id}.{version}"]}
    looked = await db.fetch_one(
        "monitored_looked", {"store_hash": store_hash, "rule_id": rule_id, "version": version, "since": since}
    )
    rows = await db.fetch_all("monitored_days", {**wanted, "zone": zone})
    records = await db.fetch_all("monitored_records", {**wanted, "most": most})
    days: dict[date, tuple[int, list[Money]]] = {}
    held: dict[str, Decimal] = {}
    for row in rows:
        count, money = days.get(row["day"], (0, []))
        if row["currency"]:
            money.append(Money(row["amount"], row["currency"]))
            held[row["currency"]] = held.get(row["currency"], Decimal()) + row["amount"]
        days[row["day"]] = (count + row["asked"], money)
    return Monitored(
        looked=looked["looked"] if looked else 0,
        asked=sum(count for count, _ in days.values()),
        since=looked["since"] if looked else None,
        held=tuple(Money(amount, currency) for currency, amount in sorted(held.items())),
        days=tuple((day, count, tuple(money)) for day, (count, money) in sorted(days.items())),
        records=tuple(records),
    )
