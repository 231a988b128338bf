"""The material facts of an order: what is in them, what never is, and that their fingerprint is canonical."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.kinds.order import ORDER
from bcapp.core.model import History, Money, Transaction
from bcapp.core.snapshot import difference, fingerprint
from tests.core.facts import BUYER, NOW, STOVE, TENT, order

BEFORE = order(items=(TENT, STOVE))
PAID = Transaction(1, "purchase", "ok", Decimal("600"), "USD", True, NOW)


def same(**changes: Any) -> bool:
    after = replace(BEFORE, **changes)
    return fingerprint(ORDER.snapshot(after)) == fingerprint(ORDER.snapshot(BEFORE))


@pytest.mark.parametrize(
    "changes",
    [
        {"status_id": 12},
        {"payment_status": "refunded", "payment_method": "Bank Deposit"},
        {"created_at": NOW + timedelta(days=1), "modified_at": NOW + timedelta(days=2)},
        {"staff_notes": "Signed: request 50.", "customer_message": "Please hurry"},
        {"transactions": (PAID,)},
        {"items_shipped": 2, "items_total": 3},
        {"items": (replace(TENT, quantity_shipped=2, quantity_refunded=1), STOVE)},
        {"items": (replace(TENT, id=99), STOVE)},  # an edit in the control panel numbers the lines anew
        {"items": (replace(TENT, brand_name="Other", categories=frozenset(), custom_fields=()), STOVE)},
        {"history": History(5, (), ())},
        {"customer_group_id": 9, "channel_id": 2, "locale": "de"},
        {"billing": replace(BUYER, phone="+44 2", email="BO@BUYER.TEST")},
        {"total": Money(Decimal("600.0000"), "USD"), "tax": Decimal("1E+2")},
        {"items": (STOVE, TENT)},
        {"is_digital": True},
    ],
)
def test_never_material(changes: dict[str, Any]) -> None:
    assert same(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"total": Money(Decimal("600.01"), "USD")},
        {"total": Money(Decimal("600.00"), "EUR")},
        {"tax": Decimal("99.99")},
        {"discount": Decimal("0.01")},
        {"customer_id": 8},
        {"billing": replace(BUYER, email="other@buyer.test")},
        {"billing": replace(BUYER, name="Else")},
        {"shipping": (replace(BUYER, city="York"),)},
        {"shipping": ()},
        {"items": (TENT,)},
        {"items": (TENT, STOVE, STOVE)},
        {"items": (replace(TENT, quantity=3), STOVE)},
        {"items": (replace(TENT, unit_price=Decimal("299.99")), STOVE)},
        {"items": (replace(TENT, options=(("Colour", "Red"),)), STOVE)},
        {"items": (replace(TENT, sku="TENT-5"), STOVE)},
        {"items": (replace(TENT, name="Bigger tent"), STOVE)},
        {"items": (replace(TENT, product_id=1), STOVE)},
        {"items": (replace(TENT, variant_id=1), STOVE)},
        # Two lines that trade one fact are another order, although the sums agree.
        {"items": (replace(TENT, quantity=1), replace(STOVE, quantity=2))},
    ],
)
def test_material(changes: dict[str, Any]) -> None:
    assert not same(**changes)


@given(st.permutations([TENT, STOVE, replace(TENT, sku="A"), replace(STOVE, sku="Z")]))
def test_the_order_of_the_lines_is_irrelevant(lines: list[Any]) -> None:
    first = replace(BEFORE, items=(TENT, STOVE, replace(TENT, sku="A"), replace(STOVE, sku="Z")))
    assert ORDER.snapshot(replace(BEFORE, items=tuple(lines))) == ORDER.snapshot(first)


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=5), st.integers(), st.lists(st.integers()))))
def test_a_fingerprint_outlives_the_database(snapshot: dict[str, Any]) -> None:
    """jsonb gives keys back in another order; the fingerprint must not notice."""
    stored = dict(reversed(json.loads(json.dumps(snapshot)).items()))
    assert fingerprint(stored) == fingerprint(snapshot)


def test_a_snapshot_is_plain_json() -> None:
    snapshot = ORDER.snapshot(BEFORE)
    assert json.loads(json.dumps(snapshot)) == snapshot


def test_a_fingerprint_is_what_it_was_in_the_first_release() -> None:
    """Open requests are compared through the projection they were made with: it may never change, only get a sister."""
    assert fingerprint(ORDER.snapshot(BEFORE, 1)) == "e6853b2ef9001b02188e37806e163ac19f92b053ed6c605c39f3c72de66cbcbc"


def test_the_newest_projection_exists_and_old_ones_stay() -> None:
    assert max(ORDER.material) == ORDER.projection
    assert 1 in ORDER.material


def test_difference_names_each_fact_that_changed_once() -> None:
    after = replace(BEFORE, total=Money(Decimal("700.00"), "USD"), customer_id=8)
    assert difference(ORDER.snapshot(BEFORE), ORDER.snapshot(after)) == [
        ("customer", "7", "8"),
        ("total", "600.0000", "700.0000"),
    ]


def test_difference_of_the_same_is_nothing() -> None:
    assert difference(ORDER.snapshot(BEFORE), ORDER.snapshot(BEFORE)) == []


def test_difference_names_facts_that_one_side_lacks() -> None:
    assert difference({"old": "1"}, {"new": "2"}) == [("new", "null", "2"), ("old", "1", "null")]


@given(st.sampled_from(sorted(ORDER.snapshot(BEFORE))))
def test_difference_is_empty_exactly_when_fingerprints_agree(name: str) -> None:
    before = ORDER.snapshot(BEFORE)
    after = {**before, name: "changed"}
    assert [n for n, _, _ in difference(before, after)] == [name]
    assert fingerprint(before) != fingerprint(after)
