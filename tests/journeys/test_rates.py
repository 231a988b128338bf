"""Amounts in another currency: the store's own rates are read after the install, decide, and are named."""

import pytest

from bcapp.core.conditions import Condition
from bcapp.core.decisions import parse_traces
from tests.fixtures.world import World

pytestmark = pytest.mark.journey

LARGE = ((Condition("total", "at_least", ("500.00 USD",)),),)


async def conditions_of(world: World, order_id: int) -> list[tuple[str, str]]:
    rows = await world.raw("SELECT traces FROM decisions WHERE record_id = $1 ORDER BY id DESC", str(order_id))
    return [(c.outcome, c.seen) for t in parse_traces(rows[0]["traces"]) for group in t.groups for c in group]


async def test_the_stores_rates_decide_and_a_rate_typed_by_hand_wins(world: World) -> None:
    async def read() -> bool:
        return len(await world.raw("SELECT currency FROM rates WHERE source = 'store'")) == 3

    await world.until(read, said="the store's rates")
    await world.rule(groups=LARGE, use_rates=True)
    large = world.store.place_order(lines=[(world.dear, 2)], customer_id=world.customer, currency="EUR")
    await world.request_is(large.id, "sent")
    ((outcome, seen),) = await conditions_of(world, large.id)
    assert outcome == "pass"
    assert "1 EUR = 1.08696 USD, rates of " in seen
    await world.raw("UPDATE rates SET rate = 100000, source = 'hand' WHERE currency = 'EUR'")
    worthless = world.store.place_order(lines=[(world.dear, 2)], customer_id=world.customer, currency="EUR")

    async def decided() -> bool:
        return bool(await world.raw("SELECT 1 FROM decisions WHERE record_id = $1", str(worthless.id)))

    await world.until(decided, said="the second order is decided")
    ((outcome, seen),) = await conditions_of(world, worthless.id)
    assert (outcome, "typed by hand" in seen) == ("fail", True)


async def test_a_currency_without_a_rate_is_named_and_asks_nobody(world: World) -> None:
    await world.rule(groups=LARGE, use_rates=True)
    order = world.store.place_order(lines=[(world.dear, 2)], customer_id=world.customer, currency="JPY")

    async def decided() -> bool:
        return bool(await world.raw("SELECT 1 FROM decisions WHERE record_id = $1", str(order.id)))

    await world.until(decided, said="the order is decided")
    ((outcome, seen),) = await conditions_of(world, order.id)
    assert outcome == "currency"
    assert "no rate from JPY to USD" in seen
    assert await world.requests(order.id) == []
