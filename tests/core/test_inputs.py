"""What signers typed becomes values of the type asked for; what is none of that type stays as typed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core import formats
from bcapp.core.inputs import parse_day, parse_number, parse_sum, read_input
from bcapp.core.model import Money, PlacedField

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("typed", "language", "number"),
    [
        ("1,234.50", "en", "1234.50"), ("1.234,50", "de", "1234.50"), ("1 234,50", "fr", "1234.50"),
        ("1\u202f234,5", "fr", "1234.5"), ("1'234.50", "en", "1234.50"), ("12", "de", "12"), ("-3", "en", "-3"),
        ("\u22123", "en", "-3"), ("1234.5", "de", "1234.5"), ("1.234", "de", "1234"), ("0", "en", "0"),
        ("1,5", "en", None), ("1,2,3", "en", None), ("1.2.3", "de", None), ("", "en", None), ("ten", "en", None),
        ("1e5", "en", None), ("Infinity", "en", None), ("9" * 1000, "en", None), ("1" + ",000" * 400, "en", None),
        ("--1", "en", None), ("٣", "en", None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_its_language_writes_it(typed: str, language: str, number: str | None) -> None:
    assert parse_number(typed, language) == (None if number is None else Decimal(number))


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["en", "de", "fr", "es", "it", "nl", "pl", "sv"]))
def test_what_we_write_we_read(number: Decimal, language: str) -> None:
    assert parse_number(formats.number(number, formats.locale_for(language)), language) == number


@pytest.mark.parametrize(
    ("typed", "language", "day"),
    [
        ("2026-03-12", "en", date(2026, 3, 12)), ("03/12/2026", "en_US", date(2026, 3, 12)),
        ("12.03.2026", "de", date(2026, 3, 12)), ("12/3/26", "en_GB", date(2026, 3, 12)),
        ("2026/3/12", "ja", date(2026, 3, 12)), ("31.02.2026", "de", None), ("soon", "en", None), ("", "en", None),
        ("12 March 2026", "en", None), ("1/2/3/4", "en", None), ("99999-1-1", "en", None), ("0000-01-01", "en", None),
    ],
)  # fmt: skip
def test_a_day_is_read_in_the_order_of_its_language(typed: str, language: str, day: date | None) -> None:
    assert parse_day(typed, language) == day


@pytest.mark.parametrize(
    ("typed", "language", "money"),
    [
        ("1,200 EUR", "en", ("1200", "EUR")), ("EUR 1,200", "en", ("1200", "EUR")),
        ("€1.200,50", "de", ("1200.50", "EUR")),
        ("1200 usd", "de", ("1200", "USD")), ("1200", "en", ("1200", "CHF")), ("$5", "en", ("5", "USD")),
        ("5 XQQ", "en", None), ("a lot", "en", None), ("", "en", None),
    ],
)  # fmt: skip
def test_an_amount_has_a_currency(typed: str, language: str, money: tuple[str, str] | None) -> None:
    assert parse_sum(typed, language, "CHF") == (None if money is None else Money(Decimal(money[0]), money[1]))


def test_an_amount_without_any_currency_is_none() -> None:
    assert parse_sum("1200", "en", "") is None


@pytest.mark.parametrize(
    ("one", "field", "value", "valid"),
    [
        ({"type": "t", "value": "12"}, PlacedField("x", 0, "t", "number"), Decimal(12), True),
        ({"type": "t", "value": "a dozen"}, PlacedField("x", 0, "t", "number"), None, False),
        ({"type": "t", "value": " "}, PlacedField("x", 0, "t", "date"), None, True),
        ({"type": "t", "value": None}, PlacedField("x", 0, "t", "money"), None, True),
        ({"type": "c", "value": True}, PlacedField("x", 0, "c"), True, True),
        ({"type": "c", "value": "off?"}, PlacedField("x", 0, "c"), None, False),
        ({"type": "d", "value": "2026-03-12"}, None, date(2026, 3, 12), True),
        ({"type": "t", "value": "free"}, None, "free", True),
        ({"type": "t", "value": "<b>\u202e[[s|1]]"}, PlacedField("x", 0, "t"), "<b>\u202e[[s|1]]", True),
    ],
)  # fmt: skip
def test_an_input_is_read_by_its_field(one: dict[str, Any], field: PlacedField | None, value: Any, valid: bool) -> None:
    typed = read_input({"id": "x", **one}, field, "en", "USD")
    assert (typed.value, typed.valid) == (value, valid)
    assert type(typed.value) is type(value)


@given(st.text(max_size=200), st.sampled_from(["number", "date", "money", "text"]))
def test_whatever_is_typed_is_kept_as_typed(text: str, kind: str) -> None:
    typed = read_input({"id": "x", "type": "t", "value": text}, PlacedField("x", 0, "t", kind), "de", "EUR")
    assert typed.raw == text
    assert typed.valid or typed.value is None
