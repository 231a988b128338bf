"""What an approved account gets: groups by the credit granted, what was typed, what was asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.accounts import (
    OPTIONS,
    attribute_of,
    credit_asked,
    credit_granted,
    group_for,
    merged,
    parse_tiers,
    payment_codes,
    price_list_for,
    unreadable,
)
from bcapp.core.model import Money, PlacedField
from bcapp.core.options import Options, option_problems
from bcapp.core.sheets import CREDIT_LIMIT
from bcapp.core.states import Purpose
from tests.core.facts import request


def options(**chosen: str) -> Options:
    assert set(chosen) <= {o.name for o in OPTIONS}
    return Options(OPTIONS, tuple(chosen.items()))


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("name", "text", "good"),
    [
        ("tiers", "0 = 3, 25000 = 4", True),
        ("tiers", "0: 3; 25,000.50: 4", True),
        ("tiers", "0 = 3, gold = 4", False),
        ("tiers", "25.000 = 4", False),
        ("payment_methods", "cheque, bankdeposit,", True),
        ("payment_methods", "cheque, by hand", False),
        ("attribute", "State = approved", True),
        ("attribute", "approved", False),
    ],
)
def test_a_setting_is_saved_when_all_of_it_can_be_read(name: str, text: str, good: bool) -> None:
    assert (not list(option_problems(OPTIONS, ((name, text),)))) is good


def test_waiting_for_papers_needs_a_paper_that_is_asked_for() -> None:
    waits = ("wait_papers", "yes")
    ((where, said),) = option_problems(OPTIONS, (waits,))
    assert where == "options.wait_papers"
    assert "“Ask for a business licence” or “Ask for a tax or resale certificate”" in said
    assert not list(option_problems(OPTIONS, (("ask_certificate", "yes"), waits)))


@pytest.mark.parametrize(
    ("text", "tiers"),
    [
        ("0 = 3, 25000 = 4", ((Decimal(0), 3), (Decimal(25000), 4))),
        ("25000:4; 0:3", ((Decimal(0), 3), (Decimal(25000), 4))),
        ("25,000 = 4", ((Decimal(25000), 4),)),
        ("", ()),
        ("gold", ()),
    ],
)
def test_tiers_are_read_lowest_first(text: str, tiers: Any) -> None:
    assert parse_tiers(text) == tiers


@pytest.mark.parametrize(
    ("granted", "chosen", "group"),
    [
        ("25000", {"tiers": "0 = 3, 25000 = 4"}, 4),
        ("24999.99", {"tiers": "0 = 3, 25000 = 4"}, 3),
        ("10", {"tiers": "5000 = 4", "approved_group": "2"}, 2),
        (None, {"tiers": "0 = 3"}, 3),
        (None, {"approved_group": "2"}, 2),
        (None, {}, 0),
    ],
)
def test_the_highest_tier_that_is_reached_counts(granted: str | None, chosen: dict[str, str], group: int) -> None:
    assert group_for(options(**chosen), usd(granted) if granted else None) == group


@pytest.mark.parametrize(("granted", "number"), [(None, 7), ("400", 7), ("500", 2), ("25000", 5)])
def test_the_price_list_follows_the_limit_that_was_granted(granted: str | None, number: int) -> None:
    chosen = options(price_list="7", price_tiers="500 = 2, 25000 = 5")
    assert price_list_for(chosen, usd(granted) if granted else None) == number


@given(st.text(max_size=60))
def test_any_text_of_tiers_is_read_without_a_fault(text: str) -> None:
    for least, group in parse_tiers(text):
        assert least >= 0
        assert group >= 0


@pytest.mark.parametrize(
    ("typed", "money", "unclear", "too_high"),
    [
        ("12,500.00", "12500", False, False),
        ("USD 900", "900", False, False),
        ("0", "0", False, False),
        ("", None, False, False),
        ("as discussed", None, True, False),
        ("-5", None, True, False),
        ("60000", "60000", False, True),
    ],
)
def test_the_limit_of_the_sheet_is_read_back(typed: str, money: str | None, unclear: bool, too_high: bool) -> None:
    sheet = request(
        purpose=Purpose.INTERNAL,
        fields=(PlacedField(CREDIT_LIMIT.id, 0, "t", "money", CREDIT_LIMIT.label),),
        inputs=({"id": CREDIT_LIMIT.id, "type": "t", "value": typed},),
    )
    found = credit_granted([sheet], options(most_credit="50000.00 USD"), "USD")
    assert found.money == (usd(money) if money else None)
    assert (found.unclear, found.too_high) == (unclear, too_high)


def test_a_limit_in_another_currency_goes_to_a_person() -> None:
    sheet = request(
        purpose=Purpose.INTERNAL,
        fields=(PlacedField(CREDIT_LIMIT.id, 0, "t", "money"),),
        inputs=({"id": CREDIT_LIMIT.id, "type": "t", "value": "EUR 100"},),
    )
    assert credit_granted([sheet], options(most_credit="50000.00 USD"), "USD").too_high
    assert not credit_granted([sheet], options(), "USD").too_high


def test_a_setting_that_cannot_be_read_is_told() -> None:
    wrong = {"tiers": "gold = wholesale", "payment_methods": " , ", "attribute": "approved"}
    assert len(unreadable("New accounts", options(**wrong))) == 3
    right = {"tiers": "0 = 3", "payment_methods": "cheque", "attribute": "State = approved"}
    assert unreadable("New accounts", options(**right)) == unreadable("New accounts", options()) == []


def test_codes_marks_and_what_was_asked_for() -> None:
    assert payment_codes(options(payment_methods="cheque, bankdeposit,cheque, a b")) == ("cheque", "bankdeposit")
    assert attribute_of(options(attribute="Account state = approved")) == ("Account state", "approved")
    assert attribute_of(options(attribute="approved")) is None
    asked = (("Credit asked for", "15,000 EUR"), ("Tax number", "DE1"))
    assert credit_asked(asked, "credit asked for", "USD") == Money(Decimal(15000), "EUR")
    assert credit_asked(asked, "Tax number", "USD") is None
    assert credit_asked(asked, "", "USD") is None
    assert dict(merged([{"tiers": "", "price_list": "2"}, {"tiers": "0 = 3", "price_list": "9"}])) == {
        "tiers": "0 = 3",
        "price_list": "2",
    }
