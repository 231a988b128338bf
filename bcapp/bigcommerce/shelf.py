"""The shelf: which products a supplier covers, switching them off and on, and what they sold.

Source: products_catalog.v3.yml. A brand is filtered by one number a call, categories by several; a filter by category
does not look into the categories below it, so those are named too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.facts import CategoryTrees
from bcapp.bigcommerce.parse import with_ancestors
from bcapp.bigcommerce.raw import Raw, amount_in, parse_date, text_in, whole_in
from bcapp.core.suppliers import EVERYWHERE, Cover, ShelfProduct
from bcapp.errors import BigCommerceError, UnreadableInput

ORDERS_BESIDE = 4  # orders whose lines are read beside each other
AT_ONCE = 100  # products named in one call
OF_ONE_PRODUCT = frozenset({400, 404, 409, 422})  # refusals that say something of a product
UNSOLD = frozenset({0, 4, 5, 6})  # statuses of orders that sold nothing: incomplete, refunded, cancelled, declined


def parse_shelf(raw: Raw, parents: Mapping[int, int]) -> ShelfProduct:
    """Return a product as suppliers see it. parents: category id -> parent id. Raises UnreadableInput."""
    categories, channels = raw.get("categories") or [], raw.get("channels") or []
    if not isinstance(categories, list) or not isinstance(channels, list):
        raise UnreadableInput("categories or channels is not a list")
    return ShelfProduct(
        id=whole_in(raw, "id"),
        brand_id=whole_in(raw, "brand_id", 0),
        categories=with_ancestors((int(c) for c in categories), parents),
        is_visible=bool(raw.get("is_visible")),
        channels=frozenset(int(c) for c in channels),
        created_at=parse_date(raw.get("date_created"), "date_created"),
    )


def filters(covers: Iterable[Cover], parents: Mapping[int, int]) -> list[dict[str, str]]:
    """Return the filters of the product list that together name everything covered, always in the same order."""
    brands = sorted({c.ref for c in covers if c.kind == "brand" and c.ref})
    tops = {c.ref for c in covers if c.kind == "category" and c.ref}
    below = sorted(tops | {c for c in parents if with_ancestors([c], parents) & tops})
    products = sorted({c.ref for c in covers if c.kind == "product" and c.ref})
    found = [{"brand_id": str(brand)} for brand in brands]
    found += [{"categories:in": _listed(below[at : at + AT_ONCE])} for at in range(0, len(below), AT_ONCE)]
    found += [{"id:in": _listed(products[at : at + AT_ONCE])} for at in range(0, len(products), AT_ONCE)]
    return found


def _listed(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))


async def read_shelf(client: BigCommerce, trees: CategoryTrees, ids: Sequence[int]) -> list[ShelfProduct]:
    """Return these products as they stand; deleted ones are left out. At most a hundred."""
    if not ids:
        return []
    rows, _ = await client.shelf_page({"id:in": _listed(ids)})
    return await shelf_of(client, trees, rows)


async def shelf_of(client: BigCommerce, trees: CategoryTrees, rows: Sequence[Raw]) -> list[ShelfProduct]:
    """Return products as a list gave them, in its order."""
    parents = await trees.parents(client)
    if any(c not in parents for row in rows for c in row.get("categories") or ()):
        trees.forget(client.store_hash)  # made after the tree was kept
        parents = await trees.parents(client)
    return [parse_shelf(row, parents) for row in rows]


async def switch(client: BigCommerce, changes: Mapping[int, Iterable[int]], *, on: bool) -> None:
    """Switch up to ten products on or off. changes: product -> places. Again it leaves the same."""
    everywhere = [product for product, places in changes.items() if EVERYWHERE in places]
    if everywhere:
        await client.set_visible(everywhere, on)
    pairs = [(product, place) for product, places in changes.items() for place in places if place != EVERYWHERE]
    if on and pairs:
        await client.assign_channels(pairs)
    for channel in sorted({channel for _, channel in pairs}) if not on else ():
        await client.unassign_channel([product for product, place in pairs if place == channel], channel)


async def switch_each(client: BigCommerce, changes: Mapping[int, Iterable[int]], *, on: bool) -> dict[int, str]:
    """Switch products, one by one when the vendor refuses them together; return product -> why it was refused.

    One product of a slice may have been deleted, or have a name that the vendor takes no more: the others go on. What
    is refused for another reason (no right to change products) is no product's own, and raises.
    """
    try:
        await switch(client, changes, on=on)
    except BigCommerceError as exc:
        if exc.status not in OF_ONE_PRODUCT:
            raise
    else:
        return {}
    refused: dict[int, str] = {}
    for product, places in changes.items():
        try:
            await switch(client, {product: places}, on=on)
        except BigCommerceError as exc:
            if exc.status not in OF_ONE_PRODUCT:
                raise
            refused[product] = f"BigCommerce refused it: {exc.status}."
    return refused


# Finding what a supplier covers by its name --------------------------------------------------------------


async def find_covers(client: BigCommerce, covers: Sequence[Cover]) -> dict[Cover, int]:
    """Return cover -> its number in the store, 0 for what the store does not have, or has twice under one name.

    A category may be named by its path: Camping > Tents. A number with # in front names a category or a brand as well.
    """
    found = {c: _numbered(c) for c in covers}
    for cover in (c for c in covers if c.kind == "brand" and not found[c]):
        found[cover] = _only(int(b["id"]) for b in await client.find_brands(cover.name))
    if any(c.kind == "category" and not found[c] for c in covers):
        rows = await client.categories()
        names = {int(r["category_id"]): text_in(r, "name").strip().casefold() for r in rows}
        parents = {int(r["category_id"]): int(r.get("parent_id") or 0) for r in rows}
        for cover in (c for c in covers if c.kind == "category" and not found[c]):
            path = [p.strip().casefold() for p in cover.name.split(">")]
            found[cover] = _only(c for c in names if _path(c, names, parents)[-len(path) :] == path)
    skus = {c.name: c for c in covers if c.kind == "product" and not found[c]}
    if skus:
        for row in await client.products_by_sku(list(skus)):
            match = next((c for sku, c in skus.items() if sku.casefold() == str(row.get("sku")).casefold()), None)
            if match is not None:
                found[match] = int(row["id"])
    return found


def _numbered(cover: Cover) -> int:
    digits = cover.name[1:] if cover.name.startswith("#") else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 12 else 0


def _only(ids: Iterable[int]) -> int:
    known = list(ids)
    return known[0] if len(known) == 1 else 0


def _path(category: int, names: Mapping[int, str], parents: Mapping[int, int]) -> list[str]:
    path: list[str] = []
    while category in names and len(path) < 50:
        path.insert(0, names[category])
        category = parents.get(category, 0)
    return path


# What they sold -------------------------------------------------------------------------------------------


@dataclass
class Sold:
    """What products sold: money by currency, and how many orders had any of them."""

    money: dict[str, Decimal]
    orders: int = 0


async def add_sales(client: BigCommerce, orders: Sequence[Mapping[str, Any]], ids: frozenset[int], sold: Sold) -> None:
    """Add what orders have of these products, with tax, in their currency. Refunded lines sold nothing."""
    counted = [o for o in orders if not o.get("is_deleted") and int(o.get("status_id") or 0) not in UNSOLD]
    room = asyncio.Semaphore(ORDERS_BESIDE)

    async def lines(order: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with room:
            return await client.order_products(int(order["id"]))

    for order, found in zip(counted, await asyncio.gather(*map(lines, counted)), strict=True):
        mine = [x for x in found if int(x.get("product_id") or 0) in ids and not x.get("is_refunded")]
        total = sum((amount_in(x, "total_inc_tax") for x in mine), Decimal(0))
        if total:
            currency = text_in(order, "currency_code") or text_in(order, "default_currency_code")
            sold.money[currency] = sold.money.get(currency, Decimal(0)) + total
            sold.orders += 1
