"""An order, freshly read: as many calls as its rules need and not one more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.parse import Product, parse_date, parse_history, parse_order, parse_product
from bcapp.clock import Clock, SystemClock
from bcapp.core.model import Gone, History, OrderFacts, RecordKey

TREE_LIVES = timedelta(minutes=10)
MOST_ORDERS = 1000  # of one customer; more make no difference to any rule


@dataclass(frozen=True)
class Needs:
    """Which parts are read beside the order, its lines and its addresses.

    catalog: categories with ancestors, brand id, custom fields. group: the customer's group. history: other orders.
    """

    catalog: bool = True
    group: bool = True
    history: bool = True
    transactions: bool = True


ALL = Needs()


class CategoryTrees:
    """The category tree of each store, for ten minutes: it is asked for with every order and rarely changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trees: dict[str, tuple[datetime, dict[int, int]]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def parents(self, client: BigCommerce) -> Mapping[int, int]:
        """Return category id -> parent id. The vendor answers one such call of a store at a time; so do we."""
        async with self._reading.setdefault(client.store_hash, asyncio.Lock()):
            now = self._clock.now()
            known = self._trees.get(client.store_hash)
            if known is None or not known[0] <= now < known[0] + TREE_LIVES:
                known = (now, await client.category_tree())
                self._trees[client.store_hash] = known
            return known[1]

    def forget(self, store_hash: str) -> None:
        self._trees.pop(store_hash, None)


async def read_order(
    client: BigCommerce,
    order_id: int,
    *,
    history_days: int | None = None,
    needs: Needs = ALL,
    trees: CategoryTrees | None = None,
) -> OrderFacts | Gone:
    """Return the facts of an order, or Gone when the store has no such order.

    history_days: how far back, from this order, other orders of the customer are read; None for all of them.
    Raises RemoteError when a call fails and UnreadableInput when an answer is not what it should be.
    """
    raw = await client.fetch_order(order_id)
    if raw is None:
        return Gone(RecordKey("order", str(order_id)))
    lines = await client.order_products(order_id)
    addresses = await client.order_shipping_addresses(order_id)
    transactions = await client.order_transactions(order_id) if needs.transactions else []
    products: dict[int, Product] = {}
    brands: dict[int, str] = {}
    if needs.catalog:
        products = await _read_products(client, lines, trees)
        # The line itself names the brand; only a line whose name is empty costs a call.
        nameless = {p.brand_id for line in lines if not line.get("brand") and (p := products.get(_id(line)))} - {0}
        brands = await client.brands(nameless) if nameless else {}
    return parse_order(
        raw,
        lines,
        addresses,
        transactions=transactions,
        products=products,
        brands=brands,
        customer_group_id=await _read_group(client, raw) if needs.group else 0,
        history=await _read_history(client, raw, history_days) if needs.history else None,
    )


def _id(line: Mapping[str, Any]) -> int:
    """Return the product of a line, 0 for a custom item."""
    value = line.get("product_id")
    return value if isinstance(value, int) else 0


async def _read_products(
    client: BigCommerce, lines: list[dict[str, Any]], trees: CategoryTrees | None
) -> dict[int, Product]:
    ids = {_id(line) for line in lines} - {0}
    if not ids:
        return {}
    rows = await client.products(ids)
    trees = trees or CategoryTrees(SystemClock())
    parents = await trees.parents(client)
    if any(c not in parents for row in rows for c in row.get("categories") or []):
        # Made after the tree was kept: read it again rather than miss a rule.
        trees.forget(client.store_hash)
        parents = await trees.parents(client)
    return {p.id: p for p in (parse_product(row, parents) for row in rows)}


async def _read_group(client: BigCommerce, raw: Mapping[str, Any]) -> int:
    """Return the customer's group, 0 for a guest, for none, and for a customer who was deleted."""
    customer_id = raw.get("customer_id")
    if not isinstance(customer_id, int) or customer_id == 0:
        return 0
    rows = await client.customers(ids=[customer_id])
    return next((int(r.get("customer_group_id") or 0) for r in rows if r.get("id") == customer_id), 0)


async def _read_history(client: BigCommerce, raw: Mapping[str, Any], days: int | None) -> History | None:
    """Return the earlier orders of the same customer, else of the same e-mail; None for a guest without one."""
    customer_id = raw.get("customer_id")
    billing = raw.get("billing_address")
    email = str(billing.get("email") or "").strip() if isinstance(billing, Mapping) else ""
    created = parse_date(raw.get("date_created"), "date_created")
    who: dict[str, Any]
    if isinstance(customer_id, int) and customer_id:
        who = {"customer_id": customer_id}
    elif email:
        who = {"email": email}
    else:
        return None
    # Counted from the order, not from today: reading it again later must not change what is found.
    since = None if days is None else created - timedelta(days=days)
    orders = client.list_orders(**who, created_since=since, created_before=created, newest_first=True, most=MOST_ORDERS)
    return parse_history(raw, [order async for order in orders])
