"""Rates: what decides is named with its day and its source; what is not listed converts nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from bcapp.core.conditions import Condition, evaluate
from bcapp.core.fields import Reading
from bcapp.core.kinds import KINDS
from bcapp.core.model import History, Money
from bcapp.core.money import RateTable
from tests.core.facts import NOW, order

RATES = RateTable(
    "USD",
    date(2026, 3, 1),
    {"EUR": Decimal("0.92"), "JPY": Decimal("150")},
    {"EUR": date(2026, 3, 2), "JPY": date(2026, 3, 1)},
    frozenset({"JPY"}),
)
READING = Reading(NOW, rates=RATES)


@pytest.mark.parametrize(
    ("money", "into", "amount", "told"),
    [
        ("100 EUR", "USD", "108.6957", "1 EUR = 1.08696 USD, rates of 2 March 2026"),
        ("100 USD", "EUR", "92.0000", "1 USD = 0.92 EUR, rates of 2 March 2026"),
        ("1000 JPY", "USD", "6.6667", "1 JPY = 0.00666667 USD, rate typed by hand of 1 March 2026"),
        ("150 JPY", "EUR", "0.9200", "1 JPY = 0.00613333 EUR, rate typed by hand of 1 March 2026"),
    ],
)
def test_the_rate_that_decides_is_named(money: str, into: str, amount: str, told: str) -> None:
    value, currency = money.split()
    assert RATES.convert(Money(Decimal(value), currency), into) == (Money(Decimal(amount), into), told)


def test_what_is_not_listed_converts_nothing() -> None:
    assert RATES.convert(Money(Decimal(1), "CHF"), "USD") is None
    assert RATES.convert(Money(Decimal(1), "USD"), "CHF") is None
    assert RateTable().convert(Money(Decimal(1), "USD"), "EUR") is None


WANTS = Condition("total", "at_least", ("500 USD", "450 EUR"))


@pytest.mark.parametrize(
    ("total", "use_rates", "outcome", "seen"),
    [
        ("499.99 USD", True, "fail", "499.99 USD"),
        ("450 EUR", True, "pass", "450 EUR"),  # its own threshold decides, no rate
        ("75000 JPY", True, "pass", "75000 JPY = 500.00 USD (1 JPY = 0.00666667 USD, rate typed by hand of 1 March"),
        ("74000 JPY", True, "fail", "74000 JPY = 493.3333 USD"),
        ("75000 JPY", False, "currency", "75000 JPY: another currency than USD or EUR"),
        ("1 CHF", True, "currency", "1 CHF: no rate from CHF to USD"),
    ],
)
def test_thresholds_per_currency_come_before_rates(total: str, use_rates: bool, outcome: str, seen: str) -> None:
    value, currency = total.split()
    facts = order(total=Money(Decimal(value), currency))
    trace = evaluate(WANTS, facts, READING, KINDS["order"].fields, use_rates=use_rates)
    assert trace.outcome == outcome
    assert trace.seen.startswith(seen)


@pytest.mark.parametrize(
    ("currency", "use_rates", "outcome", "seen"),
    [
        ("USD", False, "pass", "1000.00 USD"),
        ("EUR", False, "unknown", "600.00 USD + 400 EUR: several currencies, and the rule does not convert"),
        ("EUR", True, "pass", "600.00 USD + 400 EUR = 1034.7826 USD (1 EUR = 1.08696 USD, rates of 2 March 2026)"),
        ("CHF", True, "currency", "600.00 USD + 400 CHF: no rate from CHF to USD"),
    ],
)
def test_a_sum_in_several_currencies_is_no_sum_without_rates(
    currency: str, use_rates: bool, outcome: str, seen: str
) -> None:
    earlier = ((order().created_at, Money(Decimal("400"), currency)),)
    facts = order(history=History(1, (), earlier))
    wants = Condition("sum_in_days", "at_least", ("1000 USD",), "30")
    trace = evaluate(wants, facts, READING, KINDS["order"].fields, use_rates=use_rates)
    assert (trace.outcome, trace.seen) == (outcome, seen)


def test_nothing_paid_is_zero_in_any_currency() -> None:
    few = Condition("paid_total", "less_than", ("100 JPY",))
    trace = evaluate(few, order(history=History(0, (), ())), READING, KINDS["order"].fields)
    assert (trace.outcome, trace.seen) == ("pass", "0 JPY")
