"""The shelf against the simulated store: what a supplier covers, switching products, what they sold."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.facts import CategoryTrees
from bcapp.bigcommerce.shelf import Sold, add_sales, filters, find_covers, read_shelf, shelf_of, switch, switch_each
from bcapp.core.suppliers import EVERYWHERE, Cover, is_covered
from bcapp.errors import BigCommerceError
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.ground import matching

TENT = "TENT-X8"


async def test_covers_are_found_by_name_path_sku_and_number(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    tent, category = store.product_named(TENT), next(c for c in store.categories.values() if not c["parent_id"])
    wanted = [
        Cover("brand", "Granite Peak"),
        Cover("brand", "Nobody"),
        Cover("brand", "#31"),
        Cover("category", f" {category['name'].upper()} "),
        Cover("category", "Nowhere > Tents"),
        Cover("product", TENT.lower()),
        Cover("product", "NOTHING"),
    ]
    found = await find_covers(client, wanted)
    assert list(found.values()) == [tent["brand_id"], 0, 31, category["category_id"], 0, tent["id"], 0]


async def test_everything_covered_is_listed_and_nothing_else(client: BigCommerce, sandbox: Sandbox) -> None:
    store, trees = sandbox.bigcommerce.store, CategoryTrees(sandbox.clock)
    tent = store.product_named(TENT)
    child = next((c for c in store.categories.values() if c["parent_id"]), None)
    top = child["parent_id"] if child else tent["categories"][0]
    covers = [Cover("brand", "", tent["brand_id"]), Cover("category", "", top), Cover("product", "", 80)]
    listed = set()
    for given in filters(covers, await client.category_tree()):
        rows, last = await client.shelf_page(given)
        assert last
        listed |= {p.id for p in await shelf_of(client, trees, rows)}
    every = await read_shelf(client, trees, [p["id"] for p in store.products.values()])
    assert listed == {p.id for p in every if is_covered(p, covers)}
    assert 80 in listed
    assert len(listed) < len(every)


async def test_products_are_switched_off_and_on(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    first, second = list(store.products)[:2]
    store.channels[2] = {**store.channels[1], "id": 2, "name": "Second"}
    store.products[second]["channels"] = [1, 2]
    name = store.products[first]["name"]
    changes = {first: {EVERYWHERE}, second: {2}}
    await switch(client, changes, on=False)
    assert (store.products[first]["is_visible"], store.products[second]["channels"]) == (False, [1])
    assert (store.products[first]["name"], store.products[second]["is_visible"]) == (name, True)
    await switch(client, changes, on=True)
    assert (store.products[first]["is_visible"], store.products[second]["channels"]) == (True, [1, 2])


async def test_a_deleted_product_does_not_stop_the_others(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    first, second = list(store.products)[:2]
    del store.products[first]
    assert list(await switch_each(client, {first: {EVERYWHERE}, second: {EVERYWHERE}}, on=False)) == [first]
    assert store.products[second]["is_visible"] is False
    assert matching(sandbox.calls, path="/catalog/products")
    sandbox.faults.add("bigcommerce", "PUT", "/catalog/products$", "before", status=403, times=9)
    with pytest.raises(BigCommerceError):  # no right to change any: none of them is given up
        await switch_each(client, {second: {EVERYWHERE}}, on=True)


async def test_what_products_sold(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    tent = store.product_named(TENT)
    since = sandbox.clock.now() - timedelta(seconds=5)
    first = store.place_order(lines=[(TENT, 2), ("TENT-1", 1)], customer_id=next(iter(store.customers)))
    store.place_order(lines=[("TENT-1", 1)], customer_id=next(iter(store.customers)))
    store.place_order(lines=[(TENT, 1)], customer_id=next(iter(store.customers)), payment="incomplete")
    sold = Sold({})
    orders = [order async for order in client.list_orders(created_since=since)]
    await add_sales(client, orders, frozenset({tent["id"]}), sold)
    (line,) = [x for x in await client.order_products(first.id) if x["product_id"] == tent["id"]]
    assert sold == Sold({"USD": Decimal(line["total_inc_tax"])}, 1)
