from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bcapp.core.acceptances import Acceptance, Bearer, Ledger, Party, PartyKind, Version
from bcapp.core.conditions import Condition
from bcapp.core.fields import Reading
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Money
from bcapp.core.rules import RuleDefinition, SignOnce
from bcapp.core.tryout import MOST_LISTED, PastRecord, Tally, Trial, draft, examine, report
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


ONCE = definition(sign_once=SignOnce("customer", months=1))


def test_what_an_earlier_signature_covers_is_counted_apart() -> None:
    def at(days: int) -> Any:
        return NOW - timedelta(days=days)

    # The first order asks, the second is covered by it; after a month it has ended. Nobody known is asked each time.
    of_seven = [past(n, customer_id=7, created_at=at(days)) for n, days in ((1, 80), (2, 70), (3, 40), (4, 35))]
    nobody = [past(n, customer_id=0, billing=replace(BUYER, email=""), history=None) for n in (5, 6)]
    tally = tried([*of_seven, *nobody], ONCE)
    assert (tally.asked, tally.covered_by_first, tally.covered_already) == (6, 2, 0)
    said = report(tally, ONCE, READING)
    assert (said.covered, said.held) == (2, (dollars("2400.00"),))  # what is covered is not held
    sliced = Tally()
    for record in [*of_seven, *nobody]:
        sliced = Tally.parse(sliced.dump())
        examine(sliced, ORDER, draft(ONCE), (), [record], READING)
    assert sliced.dump() == tally.dump()
    # Every record is signed for itself: nothing is covered, and it is not said.
    assert report(tried(of_seven), definition(), READING).covered is None


def test_what_counts_per_channel_is_covered_per_channel() -> None:
    reading = Reading(NOW, storefront_channels=frozenset({1, 2}))
    records = [past(n, customer_id=7, channel_id=channel) for n, channel in ((1, 1), (2, 2), (3, 1), (4, 2))]
    tally = Tally()
    examine(tally, ORDER, draft(definition(sign_once=SignOnce("channel"))), (), records, reading)
    assert (tally.asked, tally.covered_by_first) == (4, 2)


def test_what_is_in_the_ledger_covers_as_a_live_rule_would_say() -> None:
    party = Party(PartyKind.CUSTOMER, "7")
    signed = Acceptance(1, party, 4, 1, "customer", "", NOW - timedelta(days=20), NOW + timedelta(days=9), NOW)
    revoked = replace(signed, party=Party(PartyKind.CUSTOMER, "8"), revoked_at=NOW - timedelta(days=19))
    ledgers = {
        str(a.party.id): Ledger(Bearer("", 0, NOW, customer=a.party), (a,), versions={4: [Version(1, True, NOW, NOW)]})
        for a in (signed, revoked)
    }
    records = [past(n, customer_id=customer) for n, customer in ((1, 7), (2, 7), (3, 8), (4, 8), (5, 9))]
    tally = Tally()
    Trial(ORDER, draft(ONCE), (), READING).examine(tally, records, ledgers)
    assert (tally.asked, tally.covered_already, tally.covered_by_first) == (5, 2, 1)


def test_records_without_an_email_and_unknown_buyers() -> None:
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
