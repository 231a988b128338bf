from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Money
from bcapp.core.whatif import editable, edited
from tests.core.facts import order

pytestmark = pytest.mark.unit
STORED = ORDER.dump(order())


def test_nothing_typed_is_the_record_itself() -> None:
    facts, errors = edited(ORDER, STORED, {})
    assert (facts, errors) == (order(), {})
    same = {edit.name: text for edit, text in editable(ORDER, STORED)}
    assert edited(ORDER, STORED, same)[0] == order()


def test_what_is_typed_takes_its_place_and_the_stored_record_stays() -> None:
    facts, errors = edited(ORDER, STORED, {"total": "7.50 EUR", "shipping.0.country": "de", "customer_id": "0"})
    assert errors == {}
    assert (facts.total.currency, facts.shipping[0].country, facts.customer_id) == ("EUR", "DE", 0)
    assert ORDER.parse(STORED) == order()


def test_money_and_times_are_shown_and_typed_as_the_store_does() -> None:
    zone = ZoneInfo("America/Denver")
    stored = ORDER.dump(
        order(total=Money(Decimal("1090.0400"), "USD"), created_at=datetime(2026, 3, 2, 4, 30, 9, tzinfo=UTC))
    )
    shown = {edit.name: text for edit, text in editable(ORDER, stored, zone)}
    assert (shown["total"], shown["created_at"]) == ("1090.04 USD", "2026-03-01 21:30")
    assert edited(ORDER, stored, shown, zone)[0] == ORDER.parse(stored)  # unchanged, to the second
    facts, errors = edited(ORDER, stored, {"created_at": "2026-03-02 00:15"}, zone)
    assert (errors, facts.created_at) == ({}, datetime(2026, 3, 2, 7, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("total", "much"),
        ("total", "1" * 1000 + " USD"),
        ("status_id", "-1"),
        ("shipping.0.country", "Germany"),
        ("created_at", "yesterday"),
        ("created_at", "2026-03-02"),
        ("payment_method", "x" * 300),
    ],
)
def test_what_cannot_be_is_named(name: str, text: str) -> None:
    facts, errors = edited(ORDER, STORED, {name: text})
    assert facts is None
    assert list(errors) == [name]


def test_a_guest_without_history_has_none_to_change() -> None:
    names = [edit.name for edit, _ in editable(ORDER, ORDER.dump(order(history=None)))]
    assert "history.orders_before" not in names
    assert "total" in names
