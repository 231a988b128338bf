"""Facts are stored and read back without loss, whole or part by part."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Address, History, LineItem, Money, OrderFacts, Transaction
from bcapp.errors import UnreadableInput
from tests.core.facts import order

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WHOLE = st.integers(0, 2**40)
AMOUNTS = st.decimals(-10_000_000, 10_000_000, places=4)
MONEY = st.builds(Money, AMOUNTS, st.sampled_from(["USD", "EUR", "JPY"]))
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple)
ADDRESSES = st.builds(Address, *[TEXTS] * 9)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    "items": st.lists(
        st.builds(
            LineItem, WHOLE, WHOLE, WHOLE, TEXTS, TEXTS, TEXTS, WHOLE, WHOLE, WHOLE, AMOUNTS, AMOUNTS, PAIRS, WHOLE,
            TEXTS, st.frozensets(WHOLE, max_size=3), PAIRS,
        ), max_size=3,
    ).map(tuple),
    "shipping": st.lists(ADDRESSES, max_size=2).map(tuple),
    "transactions": st.lists(
        st.builds(Transaction, WHOLE, TEXTS, TEXTS, AMOUNTS, TEXTS, st.booleans(), TIMES), max_size=2
    ).map(tuple),
    "history": st.none() | st.builds(
        History, WHOLE, st.lists(MONEY, max_size=2).map(tuple),
        st.lists(st.tuples(TIMES, MONEY), max_size=3).map(tuple),
    ),
    "str": TEXTS, "int": WHOLE, "bool": st.booleans(), "Decimal": AMOUNTS, "Money": MONEY, "datetime": TIMES,
    "Address": ADDRESSES,
}  # fmt: skip


def facts_of(of: type[Any]) -> st.SearchStrategy[Any]:
    """Any facts at all: every field by its name, else by its type."""
    kept = [f for f in fields(of) if f.metadata.get("stored", True)]
    return st.builds(of, **{f.name: BY_TYPE[f.name if f.name in BY_TYPE else str(f.type)] for f in kept})


@given(facts_of(OrderFacts))
def test_an_order_comes_back_as_it_was_stored(facts: OrderFacts) -> None:
    stored = json.loads(json.dumps(ORDER.dump(facts)))
    assert ORDER.parse(stored) == facts
    view = ORDER.view(stored)
    assert all(getattr(view, f.name) == getattr(facts, f.name) for f in fields(facts))
    assert (view.label, view.fraud_review) == (facts.label, facts.fraud_review)


def test_free_texts_are_not_stored() -> None:
    facts = order(staff_notes="margin 40 percent", customer_message="call me")
    assert "margin" not in json.dumps(ORDER.dump(facts))
    assert ORDER.parse(ORDER.dump(facts)) == replace(facts, staff_notes="", customer_message="")


def test_what_is_default_takes_no_room() -> None:
    stored = ORDER.dump(order())
    assert "locale" not in stored
    assert stored["total"] == "600.00 USD"
    assert stored["created_at"] == "2026-03-02T09:29:00Z"
    assert len(json.dumps(stored)) < 1400


def test_an_older_or_newer_stored_form_is_read() -> None:
    stored = ORDER.dump(order())
    assert ORDER.parse({**stored, "colour_of_the_parcel": "red"}) == order()
    assert ORDER.view({**stored, "colour_of_the_parcel": "red"}).id == 101


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "101"), ("id", None), ("id", True), ("total", 600), ("total", "many USD"), ("created_at", "yesterday"),
        ("items", {}), ("items", [1]), ("items", [{"id": 1}]), ("history", 3), ("billing", None), ("is_digital", "no"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(key: str, value: Any) -> None:
    stored = {**ORDER.dump(order()), key: value}
    with pytest.raises(UnreadableInput):
        ORDER.parse(stored)
    with pytest.raises(UnreadableInput):
        getattr(ORDER.view(stored), key)
    del stored[key]
    with pytest.raises(UnreadableInput, match=key):
        ORDER.parse(stored)


def test_a_view_reads_only_what_is_asked_for() -> None:
    stored = {**ORDER.dump(order()), "items": "not readable"}
    view = ORDER.view(stored)
    assert view.total == Money(Decimal("600.00"), "USD")
    assert view.created_at == order().created_at
    assert view.created_at + timedelta(0) is not None
    with pytest.raises(AttributeError):
        _ = view.nothing
