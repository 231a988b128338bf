from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bcapp.core.conditions import Condition
from bcapp.core.fields import Reading
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Money
from bcapp.core.rules import RuleDefinition, SignOnce
from bcapp.core.tryout import MOST_LISTED, PastRecord, Tally, draft, examine, report
from tests.core.facts import BUYER, NOW, definition, order, rule

pytestmark = pytest.mark.unit
READING = Reading(NOW, storefront_channels=frozenset({1}))


def past(number: int, **changes: Any) -> PastRecord:
    facts = order(id=number, **changes)
    brief = ORDER.brief(facts)
    assert brief.money is not None
    at, money = facts.created_at.isoformat(), brief.money
    return PastRecord(
        str(number), brief.label, at, brief.customer, brief.has_email, f"{money.amount:f}", money.currency,
        ORDER.dump(facts),
    )  # fmt: skip


def tried(records: list[PastRecord], wanted: RuleDefinition | None = None, *live: Any) -> Tally:
    tally = Tally()
    examine(tally, ORDER, draft(wanted or definition()), live, records, READING)
    return tally


def dollars(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def test_counts_money_and_weeks() -> None:
    records = [past(n, total=dollars(f"{100 * n}.00"), created_at=NOW - timedelta(days=7 * n)) for n in range(1, 9)]
    tally = tried([*records, past(99, status_id=0)])
    said = report(tally, definition(), READING)
    assert (said.looked, said.asked, tally.outside) == (8, 4, 1)
    assert said.share == Decimal("50.0")
    assert said.held == (dollars("2600.00"),)
    assert [(looked, asked) for _, looked, asked in said.weeks] == [(1, 1)] * 4 + [(1, 0)] * 4
    assert said.days == 56
    assert said.per_month == 2
    assert [r.id for r in said.listed] == ["5", "6", "7", "8"]


def test_a_customer_asked_again_is_counted_once_with_the_asks_beyond_the_first() -> None:
    records = [past(n, customer_id=7) for n in (1, 2, 3)] + [past(4, customer_id=8), past(5, customer_id=9)]
    tally = tried(records)
    assert (tally.customers, tally.repeat_customers, tally.repeat_asks) == (3, 1, 2)
    once = definition(sign_once=SignOnce("customer"), internal=True)
    assert report(tally, once, READING).requests_per_month > report(tally, definition(), READING).requests_per_month


def test_records_without_an_email_and_unknown_buyers() -> None:
    from dataclasses import replace

    nobody = replace(BUYER, email="")
    tally = tried([past(n, customer_id=0, billing=nobody, history=None) for n in (1, 2)])
    assert (tally.without_email, tally.customers, tally.repeat_customers) == (2, 2, 0)


def test_near_misses() -> None:
    two = definition(
        groups=(
            (Condition("total", "at_least", ("500.00 USD",)),),
            (Condition("shipping_country", "is_any_of", ("DE",)),),
        )
    )
    records = [past(1, total=dollars("460.00")), past(2, total=dollars("900.00")), past(3, total=dollars("100.00"))]
    assert (tried(records, two).one_short, tried(records, two).close) == (1, 0)
    assert (tried(records).one_short, tried(records).close) == (0, 1)
    assert [r.id for r in report(tried(records), definition(), READING).near] == ["1"]


def test_overlap_counts_what_a_live_rule_asks_about_too() -> None:
    live = rule(id=5, live_since=NOW, definition=definition(groups=((Condition("guest", "is_true"),),)))
    records = [past(1, customer_id=0), past(2), past(3, customer_id=0, total=dollars("5.00"))]
    assert tried(records, None, live).overlaps == {"5": 1}


def test_what_cannot_be_judged_is_counted_apart() -> None:
    first = definition(groups=((Condition("first_order", "is_true"),),))
    assert tried([past(1, history=None)], first).unjudged == 1
    lets_pass = definition(groups=first.groups, unjudged="pass")
    tally = tried([past(1, history=None)], lets_pass)
    assert (tally.asked, tally.passed_unjudged) == (0, 1)


def test_in_slices_it_counts_the_same_and_stays_small() -> None:
    pick = random.Random(4)
    records = [
        past(n, customer_id=1 + n // 3, total=dollars(f"{pick.randint(1, 900)}.00"),
             created_at=NOW - timedelta(minutes=pick.randint(1, 90 * 24 * 60)))
        for n in range(1, 601)
    ]  # fmt: skip
    whole, sliced = tried(records), Tally()
    for at in range(0, 600, 7):
        sliced = Tally.parse(sliced.dump())
        examine(sliced, ORDER, draft(definition()), (), records[at : at + 7], READING)
    assert sliced.dump() == whole.dump()
    assert len(whole.listed) == MOST_LISTED < whole.asked
    assert report(whole, definition(), READING).listed[0].created_at > NOW - timedelta(days=5)
