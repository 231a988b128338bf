"""Facts of an order from a live store: everything that rules ask, and no call that they do not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.facts import (
    WHOLE,
    CategoryTrees,
    list_customer_facts,
    list_product_facts,
    needs_for,
    read_customer,
    read_order,
    read_product,
)
from bcapp.bigcommerce.parse import parse_rates
from bcapp.clock import FixedClock
from bcapp.core.conditions import Condition, evaluate
from bcapp.core.fields import Reading
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.product import ProductFacts
from bcapp.core.model import Gone, Money, OrderFacts, RecordKey
from bcapp.errors import RemoteError
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce.store import Store

BARE = needs_for(())


async def facts_of(client: BigCommerce, order_id: int, **more: object) -> OrderFacts:
    facts = await read_order(client, order_id, history_days=None, **more)  # type: ignore[arg-type]
    assert isinstance(facts, OrderFacts)
    return facts


async def test_an_order_is_told_whole(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    customer = next(c for c in store.customers.values() if c["customer_group_id"])
    now = sandbox.clock.now()
    for days, total_lines in ((400, 1), (20, 2), (5, 3)):
        store.place_order(lines=[("TENT-1", total_lines)], customer_id=customer["id"], at=now - timedelta(days=days))
    store.place_order(lines=[("TENT-1", 9)], customer_id=customer["id"], payment="incomplete")
    order = store.place_order(lines=[("TENT-X8", 2), ("COURSE-WFA", 1)], customer_id=customer["id"])
    facts = await facts_of(client, order.id)
    assert facts.total == Money(order.total, "USD")
    assert facts.customer_group_id == customer["customer_group_id"]
    tent = facts.items[0]
    assert (tent.brand_name, tent.quantity) == ("Granite Peak", 2)
    assert tent.brand_id > 0
    assert ("Approval", "required") in tent.custom_fields
    names = {store.categories[c]["name"] for c in tent.categories}
    assert "Expedition tents" in names
    assert len(names) > 1  # its parents too
    assert [t.event for t in facts.transactions] == ["purchase"]
    assert facts.transactions[0].amount == order.total
    assert facts.history is not None
    assert facts.history.orders_before == 3
    recent = await read_order(client, order.id, history_days=30)
    assert isinstance(recent, OrderFacts)
    assert recent.history is not None
    assert recent.history.orders_before == 2
    assert recent.history.since == order.created.replace(microsecond=0) - timedelta(days=30)


async def test_cheap_rules_cost_three_reads(client: BigCommerce, sandbox: Sandbox) -> None:
    order = sandbox.bigcommerce.store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example")
    facts = await facts_of(client, order.id, needs=BARE)
    assert len(sandbox.calls) == 3
    assert facts.history is None
    assert facts.transactions == ()


async def test_the_tree_is_read_once_in_ten_minutes(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    order = store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example")
    clock = FixedClock(datetime(2026, 3, 1, tzinfo=UTC))
    trees = CategoryTrees(clock)

    def asked() -> int:
        return sum("/trees/categories" in c.path for c in sandbox.calls)

    for _ in range(3):
        await facts_of(client, order.id, trees=trees)
    assert asked() == 1
    clock.advance(minutes=11)
    await facts_of(client, order.id, trees=trees)
    assert asked() == 2
    new = store.next_id("category")
    store.categories[new] = {**next(iter(store.categories.values())), "category_id": new, "parent_id": 0}
    store.product_named("TENT-1")["categories"].append(new)
    assert new in (await facts_of(client, order.id, trees=trees)).items[0].categories
    assert asked() == 3


async def test_a_guest_is_known_by_the_address(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    now = sandbox.clock.now()
    store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example", at=now - timedelta(days=3))
    store.place_order(lines=[("TENT-1", 1)], email="other@kite.example", at=now - timedelta(days=3))
    order = store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example")
    facts = await facts_of(client, order.id)
    assert facts.customer_group_id == 0
    assert facts.history is not None
    assert facts.history.orders_before == 1
    assert sum((m.amount for m in facts.history.spent_before), Decimal(0)) > 0


async def test_reading_again_later_finds_the_same_history(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    customer_id = next(iter(store.customers))
    now = sandbox.clock.now()
    store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id, at=now - timedelta(days=40))
    order = store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id, at=now - timedelta(days=20))
    first = (await facts_of(client, order.id)).history
    store.place_order(lines=[("TENT-1", 7)], customer_id=customer_id)
    assert (await facts_of(client, order.id)).history == first


async def test_a_product_that_is_gone_leaves_the_line(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    order = store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example")
    del store.products[order.lines[0].product_id]
    (line,) = (await facts_of(client, order.id)).items
    assert (line.sku, line.categories, line.brand_name) == ("TENT-1", frozenset(), "Larkspur")


async def test_a_vanished_order_is_gone(client: BigCommerce, sandbox: Sandbox) -> None:
    order = sandbox.bigcommerce.store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example")
    sandbox.bigcommerce.store.vanish(order.id)
    assert await read_order(client, order.id, history_days=None) == Gone(RecordKey("order", str(order.id)))


def metafield(store: Store, kind: str, owner: int, name: str, value: str) -> None:
    namespace, _, key = name.partition(".")
    number = store.next_id("metafield")
    store.metafields[number] = {
        "id": number, "namespace": namespace, "key": key, "value": value, "permission_set": "read",
        "description": "", "resource_type": kind, "resource_id": owner, "owner_client_id": "another-app",
        "date_created": "2026-01-01T00:00:00Z", "date_modified": "2026-01-01T00:00:00Z",
    }  # fmt: skip


async def test_coupons_metafields_and_the_account_are_read_when_a_rule_asks(
    client: BigCommerce, sandbox: Sandbox
) -> None:
    store = sandbox.bigcommerce.store
    customer_id = next(iter(store.customers))
    order = store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id)
    order.coupon_discount = Decimal("5")
    coupon = {"id": 1, "coupon_id": 9, "order_id": order.id, "code": "SPRING10", "amount": 5, "type": 2, "discount": 5}
    order.coupons.append(coupon)
    metafield(store, "order", order.id, "erp.state", "ok")
    metafield(store, "customer", customer_id, "crm.tier", "gold")
    facts = await facts_of(client, order.id, needs=WHOLE)
    assert facts.coupons == ("SPRING10",)
    assert facts.metafields == (("erp.state", "ok"),)
    assert facts.customer_metafields == (("crm.tier", "gold"),)
    assert facts.shipping_methods == ("Ground",)
    assert facts.customer_since is not None
    assert facts.unread == frozenset()
    sandbox.calls.clear()
    few = await facts_of(client, order.id, needs=needs_for({"coupons"}))
    assert len(sandbox.calls) == 4
    assert few.unread == {"catalog", "group", "history", "metafields", "customer_metafields"}
    fields = KINDS["order"].fields
    tier = Condition("customer_metafield", "has_any_of", ("gold",), "crm.tier")
    assert evaluate(tier, facts, Reading(few.created_at), fields).outcome == "pass"
    assert evaluate(tier, few, Reading(few.created_at), fields).outcome == "unknown"


async def test_an_order_without_any_reduction_costs_no_call_for_coupons(client: BigCommerce, sandbox: Sandbox) -> None:
    order = sandbox.bigcommerce.store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example")
    assert (await facts_of(client, order.id, needs=needs_for({"coupons"}))).coupons == ()
    assert len(sandbox.calls) == 3
    free = sandbox.bigcommerce.store.place_order(lines=[("TENT-1", 1)], email="guest@kite.example", shipping="0")
    free.coupons.append({"id": 1, "coupon_id": 9, "order_id": free.id, "code": "FREESHIP", "type": 4, "discount": 0})
    assert (await facts_of(client, free.id, needs=needs_for({"coupons"}))).coupons == ("FREESHIP",)


async def test_what_was_given_back_was_not_paid(client: BigCommerce, sandbox: Sandbox) -> None:
    store, now = sandbox.bigcommerce.store, sandbox.clock.now()
    customer_id = next(iter(store.customers))
    at = [now - timedelta(days=d) for d in (9, 8, 7, 6)]
    paid = store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id, at=at[0])
    store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id, payment="unpaid", at=at[1])
    part = store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id, at=at[2])
    part.refunded = Decimal("10")
    store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id, status_id=5, at=at[3])
    order = store.place_order(lines=[("TENT-1", 1)], customer_id=customer_id)
    history = (await facts_of(client, order.id)).history
    assert history is not None
    assert history.orders_before == 4
    assert history.paid_before == (Money(paid.total + part.total - 10, "USD"),)


async def test_a_customer_is_told_whole(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    customer = next(c for c in store.customers.values() if c["company"])
    dates = {"date_created": "2026-01-01T00:00:00Z", "date_modified": "2026-01-01T00:00:00Z"}
    store.attributes[4] = {"id": 4, "name": "Tier", "type": "string", **dates}
    value = {"id": 1, "attribute_id": 4, "attribute_value": "gold", "customer_id": customer["id"], **dates}
    customer["attributes"] = [value]
    filled = {"VAT": "DE1", "Trades": ["guides", "rescue"]}
    customer["form_fields"] = [{"name": n, "value": v, "customer_id": customer["id"]} for n, v in filled.items()]
    metafield(store, "customer", customer["id"], "crm.tier", "gold")
    order = store.place_order(lines=[("TENT-1", 1)], customer_id=customer["id"])
    facts = await read_customer(client, customer["id"], needs=WHOLE)
    assert isinstance(facts, CustomerFacts)
    assert (facts.company, facts.group_id) == (customer["company"], customer["customer_group_id"])
    assert facts.addresses[0].country == customer["addresses"][0]["country_code"]
    assert facts.form_fields == (("VAT", "DE1"), ("Trades", "guides"), ("Trades", "rescue"))
    assert facts.attributes == (("Tier", "gold"),)
    assert facts.metafields == (("crm.tier", "gold"),)
    assert facts.channels is None
    assert facts.history is not None
    assert facts.history.paid_before == (Money(order.total, "USD"),)
    assert await read_customer(client, 999_999) == Gone(RecordKey("customer", "999999"))


async def test_a_product_is_told_whole(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    product = store.product_named("TENT-X8")
    metafield(store, "product", product["id"], "erp.supplier", "4711")
    facts = await read_product(client, product["id"], currency="USD", needs=WHOLE)
    assert isinstance(facts, ProductFacts)
    assert facts.price == Money(Decimal(str(product["price"])), "USD")
    assert facts.brand_name == "Granite Peak"
    assert "Expedition tents" in {store.categories[c]["name"] for c in facts.categories}
    assert len(facts.categories) > 1
    assert ("Approval", "required") in facts.custom_fields
    assert (facts.channels, facts.inventory, facts.metafields) == (frozenset({1}), 120, (("erp.supplier", "4711"),))
    product["inventory_tracking"] = "none"
    bare = await read_product(client, product["id"], currency="USD", needs=needs_for(()))
    assert isinstance(bare, ProductFacts)
    assert (bare.inventory, bare.unread) == (None, frozenset({"catalog", "metafields"}))
    assert await read_product(client, 999_999, currency="USD") == Gone(RecordKey("product", "999999"))


async def test_customers_and_products_are_listed_newest_first_in_few_calls(
    client: BigCommerce, sandbox: Sandbox
) -> None:
    store, plain = sandbox.bigcommerce.store, needs_for({"catalog", "attributes"})
    people = [c async for c in list_customer_facts(client, needs=plain, page_size=25)]
    assert {c.id for c in people} == store.customers.keys()
    assert [c.created_at for c in people] == sorted((c.created_at for c in people), reverse=True)
    assert len(sandbox.calls) == 4  # the attributes' names, and three pages
    assert "history" in people[0].unread
    sandbox.calls.clear()
    goods = [p async for p in list_product_facts(client, currency="USD", needs=plain, page_size=50)]
    assert [p.id for p in goods] == sorted(store.products, reverse=True)
    assert len(sandbox.calls) == 3  # the page, the tree, the brands
    assert [p async for p in list_product_facts(client, currency="USD", needs=plain, most=2)] == goods[:2]
    assert await client.count_products() == len(goods)
    assert await client.count_customers() == len(people)
    since = people[9].created_at
    young = [c async for c in list_customer_facts(client, needs=plain, created_since=since)]
    assert [c.id for c in young] == [c.id for c in people if c.created_at >= since]


async def test_rates_are_told_against_the_default_currency(client: BigCommerce) -> None:
    base, rates = parse_rates(await client.currencies())
    assert base == "USD"
    assert rates == {"CAD": Decimal("1.37"), "EUR": Decimal("0.92"), "GBP": Decimal("0.79")}


async def test_an_order_that_is_deleted_between_two_reads_is_gone(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    order = store.place_order(lines=[("TENT-1", 1)], email="ann@buyer.test")
    sandbox.faults.add("bigcommerce", "GET", rf"/orders/{order.id}/products", "before", status=404)
    with pytest.raises(RemoteError):  # its lines alone are missing: that is no deleted order
        await read_order(client, order.id, needs=BARE)
    sandbox.faults.add(
        "bigcommerce", "GET", rf"/orders/{order.id}/products", "before", status=404,
        hook=lambda: store.orders.pop(order.id),
    )  # fmt: skip
    assert await read_order(client, order.id, needs=BARE) == Gone(RecordKey("order", str(order.id)))
