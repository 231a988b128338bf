"""Facts of an order from a live store: everything that rules ask, and no call that they do not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.facts import CategoryTrees, Needs, read_order
from bcapp.clock import FixedClock
from bcapp.core.model import Gone, Money, OrderFacts, RecordKey
from bcapp.sandbox.app import Sandbox

BARE = Needs(catalog=False, group=False, history=False, transactions=False)


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
