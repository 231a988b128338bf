"""Faults that meet every workflow at once: an hour without deliveries, a dead day with a thousand requests waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bcapp.db.suppliers import invite_supplier
from bcapp.jobs.sweeps import SWEEPS
from bcapp.sandbox.bigcommerce.quotes import raise_quote
from tests.fixtures.accounts import Accounts
from tests.fixtures.cases import case_rule
from tests.fixtures.offers import offer_rule, promote, promotion_is
from tests.fixtures.suppliers import on_shelf, supplier, supplier_rule
from tests.fixtures.terms import group_is, terms_rule
from tests.fixtures.world import World

pytestmark = pytest.mark.journey

WAITING, SIGNED = 1, 3  # customer groups of the seeded store


async def seconds_to_hold(world: World) -> float:
    """Place an order whose delivery arrives, and return after how long the store has it on hold."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await world.order_is(world.place().id, 12)
    return loop.time() - begun


async def test_an_hour_without_deliveries_ends_as_if_they_had_come(world: World) -> None:
    """Every sweep finds what is its own, all in the same minute, and a live order is held meanwhile."""
    store = world.store
    await world.rule()
    await Accounts(world).rule(internal=False)
    await terms_rule(world, options={"waiting_group": str(WAITING), "signed_group": str(SIGNED)})
    await offer_rule(world)
    await offer_rule(world, "Deep quotes", kind="quote")
    await case_rule(world)
    await supplier_rule(world, internal=False, options=(("hide", "all"),))
    number = await supplier(world, invite=False)
    now, author = world.services.clock.now(), store.owner.id
    assert await invite_supplier(world.db, world.store_hash, number, hide_all=True, author=author, now=now)
    await world.hold_is(number, "held", kind="supplier")
    sold, refused = (world.place(lines=[(world.cheap, 1)]) for _ in range(2))
    await world.quiet()
    await world.swept("promotions", "quotes", "companies", "customers", "refunds", "declined")

    assert on_shelf(world) == set()

    world.bc.webhooks.plan("lose", times=10_000)
    order = world.place()
    company = Accounts(world).apply("Bergsport Huber")
    customer = store.register(first_name="Uma", last_name="Berg", email="uma@berg.example")
    promotion = promote(world)
    quote = raise_quote(store, [(world.dear, 4, 25)])
    store.refund_by_hand(sold.id, amount="3.00")
    store.set_status(refused.id, 6)
    store.add_product("TENT-X8", is_visible=True)  # of the supplier that has not signed
    world.advance(minutes=70)  # the world has put off the sweep of orders for an hour
    assert await asyncio.to_thread(world.bc.webhooks.wait_idle, 5)
    world.bc.webhooks.plans.clear()
    # Every sweep is due now. The best of three: what else this machine does is not the app's.
    assert min([await seconds_to_hold(world) for _ in range(3)]) < 2

    await world.order_is(order.id, 12)
    for record, kind in ((order.id, "order"), (company.id, "company"), (customer["id"], "customer"),
                         (promotion, "promotion"), (quote, "quote")):  # fmt: skip
        await world.request_is(record, "sent", kind=kind)
        await world.hold_is(record, "held", kind=kind)
    assert company.status == 0
    await group_is(world, customer, WAITING)
    await promotion_is(world, promotion, "DISABLED")
    assert store.b2b.quotes[quote]["allowCheckout"] is False
    assert (await world.task("unapproved_refund"))["record_id"] == str(sold.id)

    async def opened() -> Any:
        return await world.raw("SELECT 1 FROM cases WHERE origin = 'app' AND order_id = $1", refused.id)

    await world.until(opened, said="a case for the declined order")
    await world.quiet()
    assert on_shelf(world) == set()
    rows = await world.raw("SELECT name, last_run FROM sweeps WHERE store_hash = $1", world.store_hash)
    assert {r["name"] for r in rows} == set(SWEEPS)
    assert await world.raw("SELECT kind, why FROM actions WHERE state = 'failed'") == []
    assert world.sandbox.spec_errors == []


async def test_the_signature_service_dead_for_a_day_at_each_step(world: World) -> None:
    """Between making and sending, before a signature is read, before a cancelling arrives: each goes on after it."""
    await world.rule()
    service = world.sandbox.signature
    signed, cancelled = world.place(), world.place()
    requests = [await world.request_is(order.id, "sent") for order in (signed, cancelled)]
    await world.quiet()
    world.sandbox.faults.add("signature", "POST", "/api/v1/documents/$", "late", seconds=0.01, hook=service.go_down)
    made = world.place()
    await world.request_is(made.id, "queued")

    async def is_down() -> bool:
        return bool(service.is_down)

    await world.until(is_down, said="the service went down with the document made")
    await world.sign(requests[0])
    world.store.cancel(cancelled.id)

    async def wanted() -> bool:
        return (await world.requests(cancelled.id))[-1]["wanted"] == "cancel"

    await world.until(wanted, said="the request is to be cancelled")
    for _ in range(4):
        world.advance(hours=6)
        await world.order_is(signed.id, 12)
    service.go_up()
    world.advance(hours=1)
    await world.request_is(made.id, "sent")
    await world.request_is(cancelled.id, "cancelled")
    await world.order_is(signed.id, 11)
    assert await world.raw("SELECT kind FROM actions WHERE state = 'failed' AND kind <> 'send_mail'") == []
    assert sorted(d.status for d in service.store.documents.values()) == ["ca", "se", "si"]
