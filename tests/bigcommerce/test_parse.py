"""Raw answers to our shapes: examples by hand, and properties over what the vendor might write."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bcapp.bigcommerce.parse import (
    parse_date,
    parse_history,
    parse_line,
    parse_order,
    parse_product,
    parse_store,
    with_ancestors,
)
from bcapp.core.model import Money, OrderFacts
from bcapp.errors import UnreadableInput

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ORDER: dict[str, Any] = {
    "id": 250, "customer_id": 11, "status_id": 11, "date_created": "Tue, 05 Mar 2019 21:40:11 +0000",
    "date_modified": "", "payment_status": "Held for Review", "payment_method": "Card", "currency_code": "eur",
    "total_inc_tax": "1999.9900", "total_tax": "319.33", "discount_amount": "10.00", "coupon_discount": "5.50",
    "items_total": 3, "items_shipped": "1", "order_is_digital": False, "is_deleted": False, "channel_id": 3,
    "customer_locale": "de", "staff_notes": None, "customer_message": "Ring twice",
    "billing_address": {"first_name": "Ada", "last_name": "Abbott", "company": "Kite", "street_1": "Main 1",
                        "street_2": "", "city": "Bonn", "state": "NRW", "zip": "53111", "country_iso2": "de",
                        "email": " Ada@Kite.example ", "phone": "1"},
}  # fmt: skip
LINE: dict[str, Any] = {
    "id": 7, "product_id": 80, "variant_id": 81, "sku": "TENT-4", "name": "Tent", "type": "physical", "quantity": 3,
    "quantity_shipped": 1, "price_inc_tax": "666.6633", "total_inc_tax": "1999.9900", "brand": "Larkspur",
    "product_options": [{"display_name": "Colour", "display_value": "Red", "id": 5}],
}  # fmt: skip
TRANSACTION: dict[str, Any] = {
    "id": 3, "event": "purchase", "status": "ok", "amount": Decimal("1999.99"), "currency": "EUR",
    "fraud_review": True, "date_created": "2019-03-05T21:41:00Z",
}  # fmt: skip


def order(**more: Any) -> OrderFacts:
    return parse_order({**ORDER, **more}, [LINE], [ORDER["billing_address"]], transactions=[TRANSACTION])


def test_an_order_in_our_words() -> None:
    facts = order(new_field_of_tomorrow={"a": [1]})
    assert facts.total == Money(Decimal("1999.9900"), "EUR")
    assert (facts.tax, facts.discount) == (Decimal("319.33"), Decimal("15.50"))
    assert facts.created_at == facts.modified_at == datetime(2019, 3, 5, 21, 40, 11, tzinfo=UTC)
    assert facts.payment_status == "held for review"
    assert facts.fraud_review
    assert (facts.items_total, facts.items_shipped, facts.channel_id, facts.customer_group_id) == (3, 1, 3, 0)
    assert (facts.billing.name, facts.billing.country, facts.billing.email) == ("Ada Abbott", "DE", "Ada@Kite.example")
    assert facts.billing.street == "Main 1"
    (line,) = facts.items
    assert (line.unit_price, line.total, line.brand_name) == (Decimal("666.6633"), Decimal("1999.9900"), "Larkspur")
    assert line.options == (("Colour", "Red"),)
    assert facts.transactions[0].amount == Decimal("1999.99")
    assert facts.transactions[0].fraud_review is True


def test_a_line_takes_brand_categories_and_fields_from_its_product() -> None:
    parents = {5: 4, 4: 1, 1: 0}
    fields = [{"id": 1, "name": "Approval", "value": "required"}]
    product = parse_product({"id": 80, "brand_id": 9, "categories": [5, 77], "custom_fields": fields}, parents)
    line = parse_line({**LINE, "brand": ""}, {80: product}, {9: "Larkspur"})
    assert line.categories == {5, 4, 1, 77}
    assert (line.brand_id, line.brand_name, line.custom_fields) == (9, "Larkspur", (("Approval", "required"),))
    assert parse_line({**LINE, "product_id": 0}, {80: product}, {}).categories == frozenset()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"id": None}, "id"), ({"status_id": ""}, "status_id"), ({"status_id": True}, "status_id"),
        ({"status_id": 1.5}, "status_id"), ({"total_inc_tax": None}, "total_inc_tax"),
        ({"total_inc_tax": "NaN"}, "total_inc_tax"), ({"total_inc_tax": "1e400"}, "total_inc_tax"),
        ({"total_inc_tax": "12,50"}, "total_inc_tax"), ({"total_inc_tax": [1]}, "total_inc_tax"),
        ({"currency_code": ""}, "currency_code"), ({"date_created": ""}, "date_created"),
        ({"date_created": "soon"}, "date_created"), ({"billing_address": []}, "billing_address"),
        ({"date_modified": "yesterday"}, "date_modified"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(UnreadableInput, match=named):
        order(**changed)


def test_who_placed_an_order_is_read_from_its_source() -> None:
    sources = {"www": False, "manual": True, "Manual order": True, "external": False, "": False}
    assert {source: order(order_source=source).placed_by_staff for source in sources} == sources
    assert not order().placed_by_staff


def test_the_default_currency_stands_in() -> None:
    assert order(currency_code=None, default_currency_code="USD").total.currency == "USD"


def past(number: int, total: str, days: int, **more: Any) -> dict[str, Any]:
    at = parse_date(ORDER["date_created"], "date_created") - timedelta(days=days)
    return {**ORDER, "id": number, "total_inc_tax": total, "date_created": format_datetime(at), **more}


def test_history_counts_earlier_placed_orders_only() -> None:
    others = [
        past(10, "100.00", 30), past(11, "50.00", 5, currency_code="USD"), past(12, "1.00", 3, status_id=0),
        past(250, "9.00", 0), past(13, "7.00", -2), past(14, "0.50", 2), past(15, "8.00", 4, is_deleted=True),
    ]  # fmt: skip
    history = parse_history(ORDER, others)
    assert history.orders_before == 3
    assert history.spent_before == (Money(Decimal("100.50"), "EUR"), Money(Decimal("50.00"), "USD"))
    assert [m.amount for _, m in history.recent] == [Decimal("0.50"), Decimal("50.00"), Decimal("100.00")]


def test_a_store_without_a_timezone_is_read() -> None:
    profile = parse_store({"name": "X", "logo": [], "timezone": []})
    assert (profile.timezone, profile.language, profile.default_channel_id) == ("", "en", 1)


@QUICK
@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-12, 14))
def test_a_time_is_the_same_in_every_form(at: datetime, hours: int) -> None:
    aware = at.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    forms: list[Any] = [format_datetime(aware), aware.isoformat(), int(aware.timestamp())]
    parsed = [parse_date(form, "date") for form in forms]
    assert parsed == [aware] * 3
    assert all(p.tzinfo is UTC for p in parsed)


@QUICK
@given(st.decimals(min_value=-(10**12), max_value=10**12, places=4))
def test_money_is_exactly_what_was_written(amount: Decimal) -> None:
    assert order(total_inc_tax=str(amount)).total.amount == amount
    assert order(total_inc_tax=amount).total.amount == amount


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@QUICK
@given(st.dictionaries(st.sampled_from(sorted(ORDER)), JUNK, max_size=4), st.dictionaries(st.text(max_size=8), JUNK))
def test_any_answer_is_read_or_refused_and_nothing_else(changed: dict[str, Any], unknown: dict[str, Any]) -> None:
    try:
        facts = parse_order({**unknown, **ORDER, **changed}, [LINE], [])
    except UnreadableInput:
        return
    assert facts.created_at.tzinfo is UTC
    assert facts.total.amount.is_finite()


@QUICK
@given(st.dictionaries(st.sampled_from(sorted(LINE)), JUNK, max_size=4))
def test_any_line_is_read_or_refused_and_nothing_else(changed: dict[str, Any]) -> None:
    try:
        parse_line({**LINE, **changed}, {}, {})
    except UnreadableInput:
        return


@QUICK
@given(st.dictionaries(st.integers(1, 30), st.integers(0, 30), max_size=30), st.sets(st.integers(1, 30), max_size=6))
def test_ancestors_are_closed_and_end_in_every_tree_even_a_loop(parents: dict[int, int], own: set[int]) -> None:
    found = with_ancestors(own, parents)
    assert own <= found
    assert 0 not in found
    assert all(parents.get(c, 0) in {0, *found} for c in found)
