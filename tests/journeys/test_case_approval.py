"""Cases, from the form to the settled refund: counted at the store, there is never a second one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.fixtures.cases import (
    approve,
    case_is,
    case_rule,
    fetch,
    posted,
    press,
    request_of,
    start_case,
    sweep_soon,
)
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


async def test_a_return_is_refunded_under_its_signature_and_closed_when_it_is_settled(world: World) -> None:
    await case_rule(world)
    store = world.store
    store.refund_payments, store.refund_seconds = "later", 6 * 3600 * world.sandbox.settings.speed
    order = world.place()
    case_id = await start_case(world, order)
    row = await case_is(world, case_id, "open")
    one = order.with_tax(order.lines[0].price)
    assert (row["quoted"], row["cap"], row["currency"]) == (one, one, "USD")
    await approve(world, case_id)
    await case_is(world, case_id, "settling")
    assert [r["items"][0]["reason"] for r in order.refunds] == [f"CS-{case_id}"]
    assert order.refunds[0]["payments"][0]["provider_id"] == "braintree"
    await world.quiet()
    world.advance(hours=7)
    await case_is(world, case_id, "closed")
    # Two cases on one order: the second finds only what the first one left.
    second = await start_case(world, order, pieces=2)
    refused = await case_is(world, second, "open")
    assert refused["quoted"] == one
    third = await start_case(world, order, amount=f"{order.total - order.refunded:f}")
    assert "only" in (await case_is(world, third, "refused"))["state_why"]
    # Refunded by hand while it waits: told, and nothing is left of the case.
    store.refund_payments = "at_once"
    world.bc.webhooks.plan("duplicate", times=5, scope="refund", copies=2)
    store.refund_by_hand(order.id, lines={order.lines[0].id: 1})
    await case_is(world, second, "closed")
    await world.task("unapproved_refund")
    (line,) = await world.raw("SELECT made_by, approved, case_id FROM case_refunds WHERE NOT approved")
    assert (line["made_by"], line["case_id"]) == (store.owner.id, second)
    await world.quiet()
    assert len(posted(world)) == 1
    assert world.sandbox.spec_errors == []


async def test_a_lost_answer_is_looked_for_and_a_lost_delivery_found(world: World) -> None:
    await case_rule(world)
    world.sandbox.faults.add("bigcommerce", "POST", "/refunds$", "after")
    order = world.place(lines=[(world.dear, 2), (world.cheap, 1)])
    case_id = await start_case(world, order)
    await approve(world, case_id)

    async def unclear() -> bool:
        rows = await world.raw("SELECT state FROM case_attempts WHERE case_id = $1", case_id)
        return [r["state"] for r in rows] == ["unclear"]

    await world.until(unclear, said="the attempt is unclear")
    # Waits for its turn on the same order.
    other = await start_case(world, order, amount="5.00", tender="store_credit")
    await approve(world, other)
    await case_is(world, other, "approved")
    assert len(order.refunds) == 1
    world.advance(minutes=11)
    await case_is(world, case_id, "closed")
    await case_is(world, other, "closed")
    assert [r["items"][0]["reason"] for r in order.refunds] == [f"CS-{case_id}", f"CS-{other}"]
    assert [r["payments"][0]["provider_id"] for r in order.refunds] == ["braintree", "storecredit"]
    # Never executed: nobody tries again by itself, a person decides.
    world.sandbox.faults.add("bigcommerce", "POST", "/refunds$", "before")
    lost = await start_case(world, order, amount="7.00")
    await approve(world, lost)
    for _ in range(2):
        await world.until(lambda: _waits(world), said="the look waits")
        world.advance(minutes=11)
    stuck = await case_is(world, lost, "stuck")
    assert "not known" in stuck["state_why"]
    assert len(order.refunds) == 2
    await press(world, lost, "case_again")
    await case_is(world, lost, "closed")
    assert len(order.refunds) == 3
    # A refund by hand whose delivery is lost is found by the sweep.
    world.bc.webhooks.plan("lose", times=20, scope="refund")
    world.store.refund_by_hand(order.id, amount="3.00")
    await sweep_soon(world, "refunds")
    await world.task("unapproved_refund")
    await world.quiet()
    assert (await fetch(world, case_id))["state"] == "closed"


async def _waits(world: World) -> bool:
    now = world.services.clock.now()
    rows = await world.raw(
        "SELECT 1 FROM actions WHERE kind = 'execute_refund' AND state = 'pending' AND due_at > $1",
        now + timedelta(minutes=5),
    )
    return bool(rows)


async def test_cancelling_gives_the_money_back_first(world: World) -> None:
    await case_rule(world)
    paid, authorised = world.place(), world.place(payment="authorized")
    offline = world.place(method="bank")
    shipped = world.place()
    world.store.ship(shipped.id, {shipped.lines[0].id: 1})
    cases = {o.id: await start_case(world, o, "cancellation") for o in (paid, authorised, shipped)}
    by_hand = await start_case(world, offline, pieces=2)
    assert "shipped" in (await case_is(world, cases[shipped.id], "refused"))["state_why"]
    for order in (paid, authorised):
        await approve(world, cases[order.id])
    for order in (paid, authorised):
        await world.order_is(order.id, 5)
    await world.quiet()
    world.advance(minutes=2)
    for order in (paid, authorised):
        await case_is(world, cases[order.id], "closed")
    assert authorised.payment_status == "void"
    assert (paid.refunded, authorised.refunded) == (paid.total, Decimal(0))
    await approve(world, by_hand)
    await case_is(world, by_hand, "by_hand")
    await press(world, by_hand, "case_paid")
    await case_is(world, by_hand, "closed")
    # Nobody signs in time: refused, and nothing moves. A decline by the bank goes to a person.
    world.store.refund_payments, world.store.refund_seconds = "declined", 60.0 * world.sandbox.settings.speed
    declined = await start_case(world, shipped)
    await approve(world, declined)
    await case_is(world, declined, "settling")
    await world.quiet()
    world.advance(minutes=2)
    assert "declined" in (await case_is(world, declined, "stuck"))["state_why"]
    # A declined order whose money was taken.
    refused = world.place()
    world.store.set_status(refused.id, 6)
    disputed = world.place()
    world.store.set_status(disputed.id, 13)
    await sweep_soon(world, "declined")

    async def opened() -> bool:
        rows = await world.raw("SELECT order_id, state FROM cases WHERE origin = 'app'")
        return [(r["order_id"], r["state"]) for r in rows] == [(refused.id, "open")]

    await world.until(opened, said="a case for the declined order")
    (row,) = await world.raw("SELECT id FROM cases WHERE origin = 'app'")
    await request_of(world, row["id"])
    world.advance(days=4)
    await case_is(world, row["id"], "refused")
    assert refused.refunded == 0
    assert world.sandbox.spec_errors == []
