"""A price list, freshly read: its prices with the names of their products."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from bcapp.bigcommerce.client import BigCommerce, batches
from bcapp.bigcommerce.parse import parse_price
from bcapp.bigcommerce.promotions import MOST_PRODUCTS, parse_priced
from bcapp.bigcommerce.raw import Raw, amount_in, parse_date, text_in, whole_in
from bcapp.core.agreements import PriceList
from bcapp.core.kinds.price_list import ListedPrice, PriceListFacts
from bcapp.core.kinds.promotion import LONG_AGO
from bcapp.core.model import Gone, Money, RecordKey
from bcapp.core.offers import PricedProduct


async def read_price_list(client: BigCommerce, price_list_id: int) -> PriceList | None:
    """Return a price list in the order of its SKUs, or None when the store has no such list.

    Source: price_lists.v3.yml, GET /pricelists/{price_list_id} and .../records.
    """
    raw = await client.price_list(price_list_id)
    if raw is None:
        return None
    records = await client.price_records(price_list_id)
    products = await client.products({int(r["product_id"]) for r in records if r.get("product_id")})
    names = {int(p["id"]): str(p.get("name") or "") for p in products}
    prices = sorted((parse_price(record, names) for record in records), key=lambda p: (p.sku, p.currency))
    return PriceList(price_list_id, str(raw.get("name") or ""), tuple(prices))


async def read_price_list_facts(
    client: BigCommerce, price_list_id: int, *, with_products: bool
) -> PriceListFacts | Gone:
    """Return a price list with who gets it; with_products: compared with the products' own prices and costs."""
    raw = await client.price_list(price_list_id)
    if raw is None:
        return Gone(RecordKey("price_list", str(price_list_id)))
    records = await client.price_records(price_list_id)
    given = await client.price_list_assignments(price_list_id)
    products: dict[int, PricedProduct] = {}
    if with_products:
        ids = sorted({int(r["product_id"]) for r in records if r.get("product_id")})[:MOST_PRODUCTS]
        for part in batches(ids, 200):
            rows = await client.products_for_margin({"id:in": ",".join(map(str, part))}, len(part))
            products |= {product.id: product for product in map(parse_priced, rows)}
    times = [parse_date(row["date_modified"], "date_modified") for row in (raw, *records) if row.get("date_modified")]
    return PriceListFacts(
        id=price_list_id,
        name=str(raw.get("name") or ""),
        is_active=raw.get("active") is not False,
        changed_at=max(times, default=LONG_AGO),
        prices=tuple(
            sorted((_listed(record, products) for record in records), key=lambda p: (p.sku, p.price.currency))
        ),
        assignments=tuple(sorted((whole_in(a, "customer_group_id", 0), whole_in(a, "channel_id", 0)) for a in given)),
        unread=frozenset() if with_products else frozenset({"catalog"}),
    )


def _listed(record: Raw, products: Mapping[int, PricedProduct]) -> ListedPrice:
    product = products.get(whole_in(record, "product_id", 0))
    price = amount_in(record, "calculated_price", amount_in(record, "price", Decimal(0)))
    steps = record.get("bulk_pricing_tiers")
    return ListedPrice(
        sku=text_in(record, "sku") or f"variant {whole_in(record, 'variant_id', 0)}",
        price=Money(price, text_in(record, "currency").upper()),
        steps=len(steps) if isinstance(steps, list) else 0,
        usual=product.price if product else Decimal(0),
        cost=product.cost if product else None,
    )
