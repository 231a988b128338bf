"""Measures rules on this machine: one order against many of them, and many stored orders against one."""

from __future__ import annotations

import gc
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from bcapp.core.conditions import Condition
from bcapp.core.fields import Reading
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Address, History, LineItem, Money, OrderFacts
from bcapp.core.rules import RuleDefinition, decide_rule
from bcapp.core.tryout import Tally, draft
from bcapp.db import Database
from bcapp.db.embedded import EmbeddedPostgres
from bcapp.db.migrate import migrate
from bcapp.db.past import Cursor
from bcapp.jobs.past import try_pages

RULES = 100
STORED = 100_000
BATCH = 2_000
STORE = "bench1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=90)
READING = Reading(NOW, storefront_channels=frozenset({1, 2}))
COUNTRIES = ("US", "DE", "FR", "GB", "CA")
PLAIN = RuleDefinition(
    groups=(
        (Condition("total", "at_least", ("900.00 USD", "850.00 EUR")),),
        (Condition("shipping_country", "is_any_of", ("DE", "FR")), Condition("customer_group", "is_any_of", ("3",))),
        (Condition("guest", "is_false"),),
    )
)
LINED = replace(PLAIN, groups=(*PLAIN.groups, (Condition("category", "has_any_of", ("23", "29")),)))


@dataclass(frozen=True)
class Measured:
    """seconds: on the clock. cpu: of this process alone. grown: MB of memory between the first tenth and the end."""

    seconds: float
    cpu: float
    asked: int
    grown: float


def made_orders(count: int, chance: random.Random) -> Iterator[OrderFacts]:
    """Yield believable orders of the last 90 days, one to four lines each, of a fifth as many customers."""
    for number in range(1, count + 1):
        country = chance.choice(COUNTRIES)
        where = Address(
            "Bo Buyer", "", "1 High Street", "Bath", "Somerset", "BA1 1AA", country, f"b{number}@x.test", "1"
        )
        lines = tuple(_line(n, chance) for n in range(chance.randint(1, 4)))
        total = Money(sum((line.total for line in lines), Decimal(0)), chance.choice(("USD", "USD", "EUR")))
        at = NOW - timedelta(minutes=chance.randrange(90 * 1440))
        recent = tuple((at - timedelta(days=d), total) for d in range(1, chance.randint(1, 4)))
        yield OrderFacts(
            id=number, status_id=11, payment_status="captured", payment_method="Credit Card", created_at=at,
            modified_at=at, customer_id=chance.randrange(count // 5 + 1), customer_group_id=chance.randint(0, 4),
            channel_id=chance.choice((1, 1, 1, 2, 9)), total=total, tax=Decimal("10.00"), discount=Decimal("0.00"),
            items_total=len(lines), items_shipped=0, is_digital=False, is_deleted=False, billing=where,
            shipping=(where,), items=lines, transactions=(), history=History(len(recent), (), recent),
            shipping_methods=("Ground",),
        )  # fmt: skip


def _line(number: int, chance: random.Random) -> LineItem:
    price = Decimal(chance.randrange(5, 900))
    sku = f"SKU-{chance.randrange(500)}"
    return LineItem(
        id=number, product_id=chance.randrange(500), variant_id=number, sku=sku, name=f"A thing called {sku}",
        type="physical", quantity=1, quantity_shipped=0, quantity_refunded=0, unit_price=price, total=price,
        brand_id=5, brand_name="Northfield", categories=frozenset(chance.sample(range(20, 40), 3)),
        custom_fields=(("regulated", chance.choice(("yes", "no"))),),
    )  # fmt: skip


def _rule(number: int) -> RuleDefinition:
    """Return a rule that shares some conditions with others, as the rules of a store do."""
    return RuleDefinition(
        groups=(
            (Condition("total", "at_least", (f"{number}.00 USD",)),),
            (Condition("shipping_country", "is_any_of", (COUNTRIES[number % 5], "FR")),
             Condition("customer_group", "is_any_of", (str(number % 4),))),
            (Condition("guest", "is_false"),),
            (Condition("category", "has_any_of", (str(20 + number % 20), "29")),),
        )
    )  # fmt: skip


def one_against_many(rounds: int = 50) -> float:
    """Return the milliseconds of processor time that one order takes against 100 rules, traces and all."""
    chance = random.Random(7)
    orders = list(made_orders(rounds, chance))
    rules = [draft(_rule(n)) for n in range(RULES)]
    for rule in rules:
        decide_rule(ORDER, rule, orders[0], READING)  # a rule is checked and parsed at its first record
    begun = time.process_time()
    for order in orders:
        for rule in rules:
            decide_rule(ORDER, rule, order, READING)
    return (time.process_time() - begun) / rounds * 1000


async def _store(db: Database, count: int) -> None:
    async with db.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO stores (store_hash, state, scope, owner_id, profile, installed_at, state_since)"
            " VALUES ($1, 'active', '', 1, '{}', $2, $2)",
            STORE,
            NOW,
        )
        rows: list[tuple[Any, ...]] = []
        for facts in made_orders(count, random.Random(11)):
            brief = ORDER.brief(facts)
            assert brief.money is not None
            rows.append(
                (str(facts.id), brief.label, facts.created_at, ORDER.dump(facts), brief.customer, brief.money.amount,
                 brief.money.currency)
            )  # fmt: skip
            if len(rows) == BATCH or facts.id == count:
                await connection.executemany(
                    "INSERT INTO past_records (store_hash, kind, id, label, created_at, modified_at, read_at, complete,"
                    f" facts, customer, has_email, amount, currency) VALUES ('{STORE}', 'order', $1, $2, $3, $3, $3,"
                    " true, $4, $5, true, $6, $7)",
                    rows,
                )
                rows = []
        await connection.execute("VACUUM ANALYZE past_records")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _try(db: Database, definition: RuleDefinition, count: int) -> Measured:
    """Try one rule on everything stored, by the same steps as the worker."""
    tally, cursor, looked, first = Tally(), Cursor(), 0, 0.0
    begun, cpu = time.perf_counter(), time.process_time()
    pages = try_pages(db, STORE, ORDER, draft(definition), [], tally, cursor, SINCE, READING)
    async for page, _, _ in pages:
        looked += page
        if not first and looked >= count / 10:
            first = _memory()
    return Measured(time.perf_counter() - begun, time.process_time() - cpu, tally.asked, _memory() - first)


async def _many_against_one(dsn: str, definitions: Sequence[RuleDefinition], count: int) -> list[Measured]:
    await migrate(dsn)
    async with Database(dsn, statement_seconds=300.0) as db:
        await _store(db, count)
        gc.freeze()  # as the worker does when it starts
        return [await _try(db, definition, count) for definition in definitions]


def many_against_one(definitions: Sequence[RuleDefinition], count: int = STORED) -> list[Measured]:
    """Store orders in a PostgreSQL of our own and try each rule on all of them."""
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "data")
        dsn = postgres.start()
        try:
            return uvloop.run(_many_against_one(dsn, definitions, count))
        finally:
            postgres.stop()
