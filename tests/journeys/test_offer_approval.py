"""Promotions, from the sweep that finds them to the moment in which they are on again."""

from __future__ import annotations

import pytest

from bcapp.bigcommerce.facts import read_order
from bcapp.core.model import OrderFacts
from bcapp.core.offers import QuoteCover
from bcapp.db.stores import fetch_store
from bcapp.jobs.offers import signed_quote_of
from bcapp.jobs.vendors import Vendors
from bcapp.sandbox.bigcommerce.quotes import order_quote, raise_quote
from tests.fixtures.offers import checkout_is, offer_rule, promote, promotion_is, status_of, sweep_soon
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


async def cover_of(world: World, order_id: int) -> QuoteCover | None:
    """Ask how an order stands to its quote."""
    vendors, store = Vendors(world.services), await fetch_store(world.db, world.store_hash)
    assert store is not None
    order = await read_order(await vendors.bigcommerce(store.hash), order_id)
    assert isinstance(order, OrderFacts)
    return await signed_quote_of(world.services, vendors, store, order)


async def test_a_deep_promotion_is_off_until_it_is_signed(world: World) -> None:
    existing = promote(world, "50")
    await sweep_soon(world)
    await world.quiet()
    await world.settled()
    await offer_rule(world)
    before = dict(world.store.promotions[existing])
    deep, shallow = promote(world, "30", banner="Hello"), promote(world, "5")
    await sweep_soon(world)
    request = await world.request_is(deep, "sent")
    await world.hold_is(deep, "held")
    assert status_of(world, deep) == "DISABLED"
    await world.sign(request, "dana@northfield.test")
    await promotion_is(world, deep, "ENABLED")
    await world.hold_is(deep, "released")
    await world.quiet()
    assert await world.requests(shallow) == await world.requests(existing) == []
    assert world.store.promotions[existing] == before
    assert world.sandbox.spec_errors == []


async def test_a_quote_is_closed_for_checkout_until_it_is_signed_and_then_sent(world: World) -> None:
    store = world.store
    await offer_rule(world, kind="quote", customer=True, agreement_id=world.agreement_id, sequence="internal_first")
    store.b2b.quotes.clear()
    shallow = raise_quote(store, [(world.dear, 2, 5)])
    number = raise_quote(store, [(world.dear, 4, 25)], quiet=True)
    await world.raw("UPDATE sweeps SET due_at = $1 WHERE name = 'quotes'", world.services.clock.now())
    approval = await world.request_is(number, "sent", 0)
    await world.hold_is(number, "held")
    await checkout_is(world, number, False)
    await world.sign(approval, "dana@northfield.test")
    agreement = await world.request_is(number, "sent", 1)
    assert agreement["purpose"] == "customer"
    await world.sign(agreement, "lena@hartmann.example")
    await checkout_is(world, number, True)
    await world.hold_is(number, "released")
    await world.quiet()
    assert [m["quoteId"] for m in store.b2b.quote_mails] == [str(number)]
    assert await world.requests(shallow) == []
    cover = await cover_of(world, order_quote(store, number).id)
    assert cover is not None
    assert cover.covers, cover.sentence
    other = await cover_of(world, order_quote(store, shallow).id)
    assert other is None
    assert world.sandbox.spec_errors == []
