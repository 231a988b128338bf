"""What offers give away, what switching them writes, when they may go on, and which orders a signed quote covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.model import Money
from bcapp.core.offers import (
    DISABLED,
    ENABLED,
    READ_ONLY,
    TERMS,
    Benefit,
    PricedProduct,
    QuoteCover,
    StartPassed,
    body_of,
    budget,
    changed_fields,
    changed_terms,
    depth,
    exposure,
    margins,
    opening,
    order_differs,
    terms,
)
from tests.core.facts import TENT, order

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
USD = "USD"
AMOUNTS = st.decimals(Decimal("0.01"), Decimal("100000"), places=2)
PERCENTS = st.decimals(0, 150, places=2)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))
NAMES = st.sampled_from([*sorted(TERMS), *sorted(READ_ONLY), "name", "display_name", "notifications", "new_field"])
PROMOTIONS = st.dictionaries(NAMES, VALUES, max_size=9)


@given(PROMOTIONS, st.sampled_from([ENABLED, DISABLED]))
def test_a_write_keeps_everything_but_what_the_store_counts(raw: dict[str, Any], status: str) -> None:
    body = body_of(raw, status)
    assert body["status"] == status
    assert {k: v for k, v in body.items() if k != "status"} == {k: v for k, v in raw.items() if k not in READ_ONLY}
    assert changed_fields(raw, {**body, "redemption_type": raw.get("redemption_type"), "current_uses": 7}) == ()


@given(PROMOTIONS, PROMOTIONS)
def test_two_readings_have_the_same_terms_when_no_term_changed(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert (terms(before) == terms(now)) == (changed_terms(before, now) == ())
    assert set(changed_fields(before, now)) == set(changed_fields(now, before))


@given(PROMOTIONS, st.dictionaries(st.sampled_from(["name", "display_name", "notifications", "new_field"]), VALUES))
def test_names_banners_and_new_fields_of_the_vendor_are_no_terms(raw: dict[str, Any], text: dict[str, Any]) -> None:
    assert terms({**raw, **text}) == terms(raw)
    assert terms({**raw, "rules": [{"action": {}, "added_later": None}]}) == terms({**raw, "rules": [{"action": {}}]})


def test_two_spellings_of_a_moment_are_no_edit() -> None:
    spelled = [{"start_date": at} for at in ("2026-03-02T09:30:00+00:00", "2026-03-02T10:30:00+01:00")]
    assert changed_fields(*spelled) == ()
    assert changed_terms(spelled[0], {"start_date": "2026-03-02T10:30:00+00:00"}) == ("start",)


def test_an_edit_is_named_in_our_words() -> None:
    before: dict[str, Any] = {"rules": [1], "max_uses": 5, "channels": []}
    assert changed_terms(before, {"rules": [2], "max_uses": 0}) == ("uses", "discount")


@given(st.lists(PERCENTS, max_size=4))
def test_the_depth_is_the_deepest_and_never_above_a_hundred(percents: list[Decimal]) -> None:
    benefits = [Benefit("items", percent=p) for p in percents]
    found = depth(benefits)
    assert found == max([Decimal(0), *(min(p, Decimal(100)) for p in percents)])
    assert depth([*benefits, Benefit("gift")]) == 100
    assert depth([*benefits, Benefit("shipping")]) == found
    assert depth([*benefits, Benefit("fixed_price", amount=Money(Decimal(9), USD))]) is None


@given(AMOUNTS, AMOUNTS, st.integers(0, 999))
def test_an_amount_counts_by_its_minimum_spend_and_its_uses(off: Decimal, least: Decimal, uses: int) -> None:
    benefit = Benefit("order", amount=Money(off, USD), minimum_spend=Money(least, USD))
    found = depth([benefit])
    assert found is not None
    assert 0 <= found <= 100
    assert depth([replace(benefit, minimum_spend=None)]) is None
    assert budget([benefit], uses) == (Money(off * uses, USD) if uses else None)
    assert budget([benefit, Benefit("items", percent=Decimal(5))], uses) is None
    assert budget([Benefit("items", percent=Decimal(5), cap=Money(off, USD))], 2) == Money(off * 2, USD)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS | st.none()), min_size=1, max_size=6), PERCENTS)
def test_the_margin_is_the_lowest_of_any_product(pairs: list[tuple[Decimal, Decimal | None]], off: Decimal) -> None:
    products = [PricedProduct(i, f"P{i}", price, cost) for i, (price, cost) in enumerate(pairs)]
    found = margins([Benefit("items", percent=off)], products)
    costed = [p for p in products if p.cost is not None]
    assert found.without_cost == len(products) - len(costed)
    if not costed:
        assert (found.lowest, found.why) == (None, "no product has a cost price")
        return
    assert found.lowest is not None
    for product in costed:
        paid = product.price * (100 - min(off, Decimal(100))) / 100
        share = (paid - (product.cost or 0)) / paid * 100 if paid else Decimal(-100)
        assert found.lowest <= share + Decimal("0.01")
    deeper = margins([Benefit("items", percent=min(off + 10, Decimal(150)))], products)
    assert deeper.lowest is not None
    assert deeper.lowest <= found.lowest or deeper.lowest == -100


HOURS = st.integers(-300, 300).map(lambda h: NOW + timedelta(hours=h))


@given(HOURS | st.none(), HOURS | st.none(), HOURS, st.sampled_from(StartPassed))
def test_nothing_is_switched_on_that_has_ended_or_that_the_rule_keeps_off(
    starts: datetime | None, ends: datetime | None, held: datetime, choice: StartPassed
) -> None:
    found = opening(starts, ends, held, NOW, choice)
    has_ended = ends is not None and ends <= NOW
    passed = starts is not None and held < starts <= NOW
    assert found.on == (not has_ended and (not passed or choice is StartPassed.DELAY))
    assert found.tells == (not found.on and choice is not StartPassed.CANCEL)
    assert found.why.endswith(".")


@pytest.mark.parametrize(
    ("starts", "absent", "seconds"),
    [(-60, -300, 60), (-900, -300, 300), (None, -300, 300), (-60, None, 60), (60, -300, 0), (None, None, 0)],
)
def test_exposure_is_from_its_start_or_from_the_last_reading_without_it(
    starts: int | None, absent: int | None, seconds: int
) -> None:
    at = [None if s is None else NOW + timedelta(seconds=s) for s in (starts, absent)]
    assert exposure(at[0], at[1], NOW) == seconds


QUOTE = {"currency": USD, "subtotal": "500.00", "lines": [{"sku": "TENT-4", "product": 11, "quantity": 2}]}


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, ()),
        ({"items": (replace(TENT, total=Decimal("500.00")),), "tax": Decimal(0)}, ()),
        ({"items": (replace(TENT, quantity=3),)}, ("quantities",)),
        ({"items": (replace(TENT, sku="STOVE"),)}, ("products",)),
        ({"items": (replace(TENT, total=Decimal("480.00")),)}, ("price",)),
        ({"total": Money(Decimal(600), "EUR")}, ("currency",)),
    ],
)
def test_an_order_from_a_quote_has_the_same_facts_or_says_which_differ(
    changes: dict[str, Any], differs: tuple[str, ...]
) -> None:
    assert order_differs(QUOTE, order(**changes)) == differs
    cover = QuoteCover("7", 50, differs)
    assert cover.covers == (not differs)
    assert not QuoteCover("7").covers
    assert "is not signed" in QuoteCover("7").sentence
