"""Orders, customers and products, freshly read: as many calls as their rules need and not one more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bcapp.bigcommerce.client import PAGE, BigCommerce
from bcapp.bigcommerce.parse import (
    Product,
    parse_customer,
    parse_customer_history,
    parse_date,
    parse_history,
    parse_order,
    parse_product,
    parse_product_facts,
)
from bcapp.clock import Clock, SystemClock
from bcapp.core.fields import UNREAD
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.product import ProductFacts
from bcapp.core.model import Gone, History, OrderFacts, RecordKey
from bcapp.errors import RemoteError

TREE_LIVES = timedelta(minutes=10)
MOST_ORDERS = 1000  # of one customer; more make no difference to any rule
ORDER_PARTS = frozenset({"catalog", "group", "history", "coupons", "metafields", "customer_metafields"})
CUSTOMER_PARTS = frozenset({"history", "metafields", "attributes"})
PRODUCT_PARTS = frozenset({"catalog", "metafields"})


@dataclass(frozen=True)
class Needs:
    """Which parts are read beside the record itself; of an order: beside its lines and its addresses.

    catalog: categories with ancestors, brand id, custom fields. group: the customer's account. history: other orders.
    coupons: their codes. metafields: of the record; customer_metafields: of an order's customer. attributes: names of
    a customer's attributes. company_users, company_address: of a company.
    """

    catalog: bool = True
    group: bool = True
    history: bool = True
    transactions: bool = True
    coupons: bool = True
    metafields: bool = False
    customer_metafields: bool = False
    attributes: bool = True
    company_users: bool = True
    company_address: bool = True

    @property
    def left_out(self) -> frozenset[str]:
        """Return the parts that are not read, as Field.needs names them."""
        return frozenset(name for name in UNREAD if not getattr(self, name))


def needs_for(names: Collection[str], *, transactions: bool = False) -> Needs:
    """Return the reads of these parts (Field.needs) and of no other."""
    return Needs(**{name: name in names for name in UNREAD}, transactions=transactions)


ALL = Needs()  # what documents are made from; metafields cost a call and are read for rules only
WHOLE = replace(ALL, metafields=True, customer_metafields=True)


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
    gone = Gone(RecordKey("order", str(order_id)))
    raw = await client.fetch_order(order_id)
    if raw is None:
        return gone
    try:
        lines = await client.order_products(order_id)
        addresses = await client.order_shipping_addresses(order_id)
        transactions = await client.order_transactions(order_id) if needs.transactions else []
    except RemoteError as exc:
        if exc.status == 404 and await client.fetch_order(order_id) is None:
            return gone  # deleted between two reads
        raise
    products: dict[int, Product] = {}
    brands: dict[int, str] = {}
    if needs.catalog:
        products = await _read_products(client, lines, trees)
        # The line itself names the brand; only a line whose name is empty costs a call.
        nameless = {p.brand_id for line in lines if not line.get("brand") and (p := products.get(_id(line)))} - {0}
        brands = await client.brands(nameless) if nameless else {}
    customer_id = _customer_id(raw)
    has_own = needs.customer_metafields and customer_id
    return parse_order(
        raw,
        lines,
        addresses,
        transactions=transactions,
        products=products,
        brands=brands,
        customer=await _fetch_customer(client, customer_id) if needs.group else None,
        history=await _read_history(client, raw, history_days) if needs.history else None,
        coupons=await client.order_coupons(order_id) if needs.coupons and _may_have_coupons(raw, lines) else (),
        metafields=await client.metafields(order_id) if needs.metafields else (),
        customer_metafields=await client.metafields(customer_id, resource="customers") if has_own else (),
        unread=needs.left_out & ORDER_PARTS,
    )


def _id(line: Mapping[str, Any]) -> int:
    """Return the product of a line, 0 for a custom item."""
    value = line.get("product_id")
    return value if isinstance(value, int) else 0


def _customer_id(raw: Mapping[str, Any]) -> int:
    """Return the customer of an order, 0 for a guest."""
    value = raw.get("customer_id")
    return value if isinstance(value, int) else 0


def _may_have_coupons(raw: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the codes are worth a call: a coupon takes something off the order, a line or its shipping."""
    if _is_some(raw.get("discount_amount")) or _is_some(raw.get("coupon_discount")):
        return True
    if any(line.get("applied_discounts") for line in lines):
        return True
    return not raw.get("order_is_digital") and not _is_some(raw.get("shipping_cost_inc_tax"))


def _is_some(amount: object) -> bool:
    return bool(str(amount or "").strip("0."))


async def _tree(
    client: BigCommerce, trees: CategoryTrees | None, rows: Iterable[Mapping[str, Any]]
) -> Mapping[int, int]:
    """Return category id -> parent id, with every category of these products."""
    trees = trees or CategoryTrees(SystemClock())
    parents = await trees.parents(client)
    if any(c not in parents for row in rows for c in row.get("categories") or []):
        # Made after the tree was kept: read it again rather than miss a rule.
        trees.forget(client.store_hash)
        parents = await trees.parents(client)
    return parents


async def _read_products(
    client: BigCommerce, lines: list[dict[str, Any]], trees: CategoryTrees | None
) -> dict[int, Product]:
    ids = {_id(line) for line in lines} - {0}
    if not ids:
        return {}
    rows = await client.products(ids)
    parents = await _tree(client, trees, rows)
    return {p.id: p for p in (parse_product(row, parents) for row in rows)}


async def _fetch_customer(client: BigCommerce, customer_id: int) -> dict[str, Any] | None:
    """Return the account, None for a guest and for a customer who was deleted."""
    if customer_id == 0:
        return None
    rows = await client.customers(ids=[customer_id])
    return next((r for r in rows if r.get("id") == customer_id), None)


async def _read_history(client: BigCommerce, raw: Mapping[str, Any], days: int | None) -> History | None:
    """Return the earlier orders of the same customer, else of the same e-mail; None for a guest without one."""
    billing = raw.get("billing_address")
    email = str(billing.get("email") or "").strip() if isinstance(billing, Mapping) else ""
    created = parse_date(raw.get("date_created"), "date_created")
    who: dict[str, Any]
    if customer_id := _customer_id(raw):
        who = {"customer_id": customer_id}
    elif email:
        who = {"email": email}
    else:
        return None
    # Counted from the order, not from today: reading it again later must not change what is found.
    since = None if days is None else created - timedelta(days=days)
    orders = client.list_orders(**who, created_since=since, created_before=created, newest_first=True, most=MOST_ORDERS)
    others = [order async for order in orders]
    return parse_history(raw, others, since or _cut_off(others))


def _cut_off(orders: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Return how far back the orders go when there are more than we read, newest first."""
    return parse_date(orders[-1].get("date_created"), "date_created") if len(orders) >= MOST_ORDERS else None


# Customers ------------------------------------------------------------------------------------------------

WITH_CUSTOMER = "addresses,attributes,formfields"


async def read_customer(client: BigCommerce, customer_id: int, *, needs: Needs = ALL) -> CustomerFacts | Gone:
    """Return the facts of a customer, or Gone when the store has no such account (any more)."""
    rows = await client.customers(ids=[customer_id], include=WITH_CUSTOMER)
    raw = next((r for r in rows if r.get("id") == customer_id), None)
    if raw is None:
        return Gone(RecordKey("customer", str(customer_id)))
    names = await client.customer_attributes() if needs.attributes and raw.get("attributes") else {}
    return await customer_of(client, raw, names, needs)


async def customer_of(
    client: BigCommerce, raw: Mapping[str, Any], names: Mapping[int, str], needs: Needs
) -> CustomerFacts:
    """Return the facts of a customer as a list gave it. names: of the attributes, by their id."""
    customer_id, history = int(raw["id"]), None
    if needs.history:
        orders = client.list_orders(customer_id=customer_id, newest_first=True, most=MOST_ORDERS)
        placed = [order async for order in orders]
        history = parse_customer_history(placed, _cut_off(placed))
    return parse_customer(
        raw,
        attribute_names=names,
        metafields=await client.metafields(customer_id, resource="customers") if needs.metafields else (),
        history=history,
        unread=needs.left_out & CUSTOMER_PARTS,
    )


async def list_customer_facts(
    client: BigCommerce,
    *,
    created_since: datetime | None = None,
    modified_since: datetime | None = None,
    needs: Needs = ALL,
    page_size: int = PAGE,
    most: int | None = None,
) -> AsyncIterator[CustomerFacts]:
    """Yield customers, the newest first: a call a page, and one more each where the history is needed."""
    names = await client.customer_attributes() if needs.attributes else {}
    rows = client.list_customers(
        created_since=created_since, modified_since=modified_since, page_size=page_size, most=most
    )
    async for raw in rows:
        yield await customer_of(client, raw, names, needs)


# Products -------------------------------------------------------------------------------------------------


async def read_product(
    client: BigCommerce, product_id: int, *, currency: str, needs: Needs = ALL, trees: CategoryTrees | None = None
) -> ProductFacts | Gone:
    """Return the facts of a product, or Gone. currency: the store's default, in which prices stand."""
    raw = await client.fetch_product(product_id)
    if raw is None:
        return Gone(RecordKey("product", str(product_id)))
    (facts,) = await products_of(client, [raw], currency, needs, trees)
    return facts


async def list_product_facts(
    client: BigCommerce,
    *,
    currency: str,
    modified_since: datetime | None = None,
    needs: Needs = ALL,
    trees: CategoryTrees | None = None,
    page_size: int = PAGE,
    most: int | None = None,
) -> AsyncIterator[ProductFacts]:
    """Yield products, the newest first: a call a page, one more for its brands."""
    page: list[dict[str, Any]] = []
    async for raw in client.list_products(modified_since=modified_since, page_size=page_size, most=most):
        page.append(raw)
        if len(page) == page_size:
            for facts in await products_of(client, page, currency, needs, trees):
                yield facts
            page = []
    for facts in await products_of(client, page, currency, needs, trees):
        yield facts


async def products_of(
    client: BigCommerce, rows: Sequence[dict[str, Any]], currency: str, needs: Needs, trees: CategoryTrees | None
) -> list[ProductFacts]:
    """Return the facts of products as a list gave them, in its order."""
    if not rows:
        return []
    parents = await _tree(client, trees, rows) if needs.catalog else {}
    ids = {int(row.get("brand_id") or 0) for row in rows} - {0}
    brands = await client.brands(ids) if needs.catalog and ids else {}
    return [
        parse_product_facts(
            row,
            parents,
            currency,
            brands=brands,
            metafields=await client.metafields(int(row["id"]), resource="catalog/products") if needs.metafields else (),
            unread=needs.left_out & PRODUCT_PARTS,
        )
        for row in rows
    ]
