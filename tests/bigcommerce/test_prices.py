"""Price lists as the store answers them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.parse import parse_price
from bcapp.bigcommerce.prices import read_price_list
from bcapp.errors import UnreadableInput
from bcapp.sandbox.app import Sandbox


@pytest.mark.journey
async def test_a_price_list_has_names_and_tiers(client: BigCommerce, sandbox: Sandbox) -> None:
    number = next(iter(sandbox.bigcommerce.store.price_lists))
    found = await read_price_list(client, number)
    assert found is not None
    assert found.name == "Rescue services 2026"
    assert len(found.prices) == 20
    tent = next(p for p in found.prices if p.sku == "TENT-4")
    assert (tent.name, tent.price, tent.currency) == ("Basecamp 4 tent", Decimal("404.1"), "USD")
    assert tent.tiers == ((10, Decimal("383.90")), (50, Decimal("363.69")))
    assert await read_price_list(client, 999) is None


RECORD: dict[str, Any] = {
    "variant_id": 5, "product_id": 7, "sku": "A-1", "price": 10, "sale_price": 8, "currency": "eur",
    "bulk_pricing_tiers": [{"quantity_min": 9, "type": "price", "amount": 2},
                           {"quantity_min": 5, "type": "fixed", "amount": 9}],
}  # fmt: skip


@pytest.mark.unit
def test_a_record_is_read_whole() -> None:
    price = parse_price(RECORD, {7: "Tent"})
    assert (price.sku, price.name, price.currency) == ("A-1", "Tent", "EUR")
    assert (price.price, price.sale_price, price.tiers) == (Decimal(10), Decimal(8), ((5, Decimal(9)), (9, Decimal(8))))
    assert parse_price(RECORD | {"sku": "", "sale_price": None}, {}).sku == "#5"


@pytest.mark.unit
@pytest.mark.parametrize(
    "wrong",
    [
        {"price": None}, {"price": "ten"}, {"currency": ""}, {"currency": "dollars"},
        {"bulk_pricing_tiers": [{"quantity_min": 5, "type": "magic", "amount": 9}]},
        {"bulk_pricing_tiers": [{"type": "fixed", "amount": 9}]}, {"bulk_pricing_tiers": "many"},
    ],
)  # fmt: skip
def test_what_is_no_price_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnreadableInput):
        parse_price(RECORD | wrong, {})
