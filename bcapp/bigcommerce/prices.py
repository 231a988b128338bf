"""A price list, freshly read: its prices with the names of their products."""

from __future__ import annotations

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.parse import parse_price
from bcapp.core.agreements import PriceList


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
