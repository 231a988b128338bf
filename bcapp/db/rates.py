"""The store's currencies and what they are worth: read from the store every day, or typed by a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bcapp.core.money import RateTable
from bcapp.db import Database
from bcapp.db.audit import append


@dataclass(frozen=True)
class Rate:
    """rate: units of the currency for one unit of base. source: store | hand."""

    base: str
    currency: str
    rate: Decimal
    as_of: date
    source: str


async def list_rates(db: Database, store_hash: str) -> list[Rate]:
    """Return the rates by currency, all against one base."""
    return [Rate(**row) for row in await db.fetch_all("rates_of_store", {"store_hash": store_hash})]


async def fetch_rates(db: Database, store_hash: str) -> RateTable:
    """Return the store's dated rates; an empty table until there are some."""
    rows = await list_rates(db, store_hash)
    if not rows:
        return RateTable()
    return RateTable(
        rows[0].base,
        min(r.as_of for r in rows),
        {r.currency: r.rate for r in rows},
        {r.currency: r.as_of for r in rows},
        frozenset(r.currency for r in rows if r.source == "hand"),
    )


async def keep_store_rates(
    db: Database, store_hash: str, base: str, rates: Mapping[str, Decimal], *, day: date
) -> None:
    """Write down what the store says its currencies are worth. Rates typed by hand stay, unless the base changed."""
    async with db.transaction():
        await db.execute("drop_old_rates", {"store_hash": store_hash, "base": base, "told": list(rates)})
        for currency, rate in rates.items():
            values = {"store_hash": store_hash, "currency": currency, "base": base, "rate": rate, "as_of": day}
            await db.execute("keep_store_rate", values)


async def keep_hand_rate(
    db: Database, store_hash: str, base: str, currency: str, rate: Decimal, *, day: date, actor: str, now: datetime
) -> None:
    """Write down what a person typed; it stands until it is taken back."""
    values = {"store_hash": store_hash, "currency": currency, "base": base, "rate": rate, "as_of": day}
    async with db.transaction():
        await db.execute("keep_hand_rate", values)
        detail = {"currency": currency, "base": base, "rate": f"{rate:f}"}
        await append(db, store_hash, now, actor=actor, event="rate_typed", detail=detail)


async def drop_hand_rate(db: Database, store_hash: str, currency: str, *, actor: str, now: datetime) -> bool:
    """Take a typed rate back; the store's own is read again at once. False when there was none."""
    async with db.transaction():
        found = await db.fetch_val("drop_hand_rate", {"store_hash": store_hash, "currency": currency})
        if found is None:
            return False
        await db.execute("bring_sweep_forward", {"store_hash": store_hash, "name": "rates", "due_at": now})
        await append(db, store_hash, now, actor=actor, event="rate_taken_back", detail={"currency": currency})
    return True


async def rules_that_convert(db: Database, store_hash: str) -> list[tuple[int, str]]:
    """Return the (id, name) of the rules that convert amounts by these rates."""
    rows = await db.fetch_all("rules_that_convert", {"store_hash": store_hash})
    return [(r["id"], r["name"]) for r in rows]
