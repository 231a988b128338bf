"""Quotes made by hand: what a form may say, what the catalog adds, and whether a cart is what was signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.own_quotes import (
    MAIL,
    MOST_LINES,
    OfferedLine,
    Stocked,
    cart_body,
    cart_differs,
    looked_up,
    mail_of,
    read_own_quote,
)

TODAY = date(2026, 11, 2)
GOOD = {
    "name": "Lena Hartmann", "email": "Lena@Hartmann.example", "expires_on": "2026-11-30", "customer": "#17",
    "sku_0": "TENT-4", "quantity_0": "2", "price_0": "250", "sku_3": "STOVE", "quantity_3": "1", "price_3": "19.90",
}  # fmt: skip
TENT = OfferedLine("TENT-4", 2, Decimal("250.00"), "Tent", 11, 21, Decimal("300"), Decimal("180"))


def test_a_quote_is_read_as_typed() -> None:
    draft, wrong = read_own_quote(GOOD, TODAY)
    assert wrong == {}
    assert draft is not None
    assert (draft.email, draft.customer_id, draft.expires_on) == ("lena@hartmann.example", 17, date(2026, 11, 30))
    prices = [(line.sku, line.quantity, f"{line.price}") for line in draft.lines]
    assert prices == [("TENT-4", 2, "250.00"), ("STOVE", 1, "19.90")]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": " "}, "name"),
        ({"email": "lena"}, "email"),
        ({"customer": "Lena"}, "customer"),
        ({"language": "english"}, "language"),
        ({"expires_on": "30.11.2026"}, "expires_on"),
        ({"expires_on": "2026-11-01"}, "expires_on"),
        ({"sku_0": ""}, "sku_0"),
        ({"quantity_0": "0"}, "quantity_0"),
        ({"quantity_0": "1.5"}, "quantity_0"),
        ({"price_0": "19.999"}, "price_0"),
        ({"price_0": "-1"}, "price_0"),
        ({"price_0": "NaN"}, "price_0"),
        ({"sku_3": "tent-4"}, "sku_0"),
        ({"terms": "x" * 4001}, "terms"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(change: dict[str, str], where: str) -> None:
    draft, wrong = read_own_quote({**GOOD, **change}, TODAY)
    assert draft is None
    assert where in wrong
    assert all(sentence.endswith(".") for sentence in wrong.values())


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "title", "terms", f"sku_{MOST_LINES}", f"price_{MOST_LINES - 1}"]), st.text(max_size=30)
    )
)
def test_no_form_breaks_it(given_: dict[str, str]) -> None:
    draft, wrong = read_own_quote({**GOOD, **given_}, TODAY)
    assert (draft is None) is bool(wrong)
    if draft is not None:
        assert [OfferedLine.parse(line.dump()) for line in draft.lines] == list(draft.lines)


def test_a_sku_is_found_once_or_told() -> None:
    stocked = Stocked(11, 21, "Tent", Decimal("300"), None)
    lines = (OfferedLine("A", 1, Decimal(1)), OfferedLine("B", 1, Decimal(1)), OfferedLine("C", 1, Decimal(1)))
    one, two, none = looked_up(lines, {"A": [stocked], "B": [stocked, replace(stocked, variant_id=22)]})
    assert (one.product_id, one.variant_id, one.base_price, one.problem) == (11, 21, Decimal("300"), "")
    assert (two.product_id, two.problem) == (0, "Line 2: more than one product has this SKU.")
    assert none.problem == "Line 3: no product has this SKU."


@pytest.mark.parametrize(
    ("item", "cart", "differs"),
    [
        ({}, {}, ()),
        ({"list_price": Decimal("300")}, {}, ("price",)),
        ({"quantity": 3}, {}, ("products or quantities",)),
        ({"variant_id": 22}, {}, ("products or quantities",)),
        ({"list_price": Decimal("210.08")}, {"tax_included": True}, ()),  # told without the tax that was typed with it
        ({"list_price": Decimal("300")}, {"tax_included": True}, ("price",)),
        ({}, {"currency": {"code": "EUR"}}, ("currency",)),
        ({}, {"line_items": None}, ("products or quantities",)),
    ],
)
def test_a_cart_is_compared_with_what_was_signed(
    item: dict[str, Any], cart: dict[str, Any], differs: tuple[str, ...]
) -> None:
    body = cart_body([TENT], currency="USD", channel_id=1, customer_id=0)
    assert "customer_id" not in body
    row = {**body["line_items"][0], "list_price": Decimal("250.00"), **item}
    made = {"line_items": {"physical_items": [row], "gift_certificates": []}, "currency": {"code": "USD"}, **cart}
    assert cart_differs([TENT], made, "USD") == differs


@pytest.mark.parametrize("language", [*MAIL, "de-at", "ja", ""])
def test_the_mail_names_quote_and_link_in_the_buyers_language(language: str) -> None:
    subject, text = mail_of(language, number=12, store="{Shop}", link="https://shop.test/cart?a={b}")
    assert subject.endswith("{Shop}")
    assert "https://shop.test/cart?a={b}" in text
    assert "12" in text
    assert (text == mail_of("en", number=12, store="", link="https://shop.test/cart?a={b}")[1]) is (
        language in ("en", "ja", "")
    )
