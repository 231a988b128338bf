"""Promotions, from the sweep that finds them to the moment in which they are on again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bcapp.bigcommerce.facts import read_order
from bcapp.core.conditions import Condition
from bcapp.core.model import OrderFacts
from bcapp.core.offers import QuoteCover
from bcapp.core.own_quotes import OfferedLine, OwnDraft
from bcapp.db import rules
from bcapp.db.own_quotes import add_own_quote, change_own_quote
from bcapp.db.stores import fetch_store
from bcapp.jobs.offers import signed_quote_of
from bcapp.jobs.vendors import Vendors
from bcapp.sandbox.bigcommerce.carts import order_cart
from bcapp.sandbox.bigcommerce.orders import v3_date
from bcapp.sandbox.bigcommerce.promotions import edit_promotion, set_price, use_promotion
from bcapp.sandbox.bigcommerce.quotes import order_quote, raise_quote
from tests.fixtures.offers import (
    checkout_is,
    offer_rule,
    promote,
    promotion_is,
    send_promotion,
    status_of,
    sweep_soon,
)
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
    await world.swept("quotes")
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


async def test_an_edit_in_the_same_moment_is_told_and_kept(world: World) -> None:
    """Somebody deepens the discount between our reading and our write: told, and what is signed is what is on."""
    await world.settled()
    await offer_rule(world)
    number = promote(world, "30")
    deeper = [{"action": {"cart_value": {"discount": {"percentage_amount": "60"}}}, "apply_once": True, "stop": False}]
    reads = 0

    def edit() -> None:
        nonlocal reads
        reads += 1
        if reads == 2:  # after the look, the action reads it, and once more right before its write
            edit_promotion(world.store, number, rules=deeper)

    path = f"/v3/promotions/{number}$"
    world.sandbox.faults.add("bigcommerce", "GET", path, "late", times=3, hook=edit)
    await sweep_soon(world)
    await world.task("offer_conflict")
    await world.hold_is(number, "held")
    await promotion_is(world, number, "DISABLED")
    assert world.store.promotions[number]["rules"] == deeper

    await sweep_soon(world)  # the edit itself is found
    request = await world.request_is(number, "sent", 1)
    assert (await world.requests(number))[0]["wanted"] == "cancel"
    await world.sign(request, "dana@northfield.test")
    await promotion_is(world, number, "ENABLED")
    assert world.store.promotions[number]["rules"] == deeper


async def test_a_running_promotion_is_told_or_switched_off_with_its_exposure(world: World) -> None:
    await world.settled()
    await offer_rule(world, groups=((Condition("name", "is", ("Told",)),),))
    await offer_rule(world, "Off", groups=((Condition("name", "is", ("Off",)),),), options={"hold_running": "yes"})
    told = promote(world, name="Told", starts_in=-1)
    off = promote(world, name="Off", starts_in=-1)
    use_promotion(world.store, off, 3)
    await sweep_soon(world)
    await world.task("offer_unapproved")
    request = await world.request_is(off, "sent")
    exposed = await world.task("offer_exposed")
    assert "it was used 3 times so far" in exposed["text"]
    held = await world.hold_is(off, "held")
    assert held["found"]["uses"] == 3
    assert held["found"]["seconds"] >= 0
    assert status_of(world, told) == "ENABLED"
    assert await world.requests(told) == []
    await world.sign(request, "dana@northfield.test")
    await promotion_is(world, off, "ENABLED")


async def test_a_start_that_passed_is_decided_by_the_rule(world: World) -> None:
    await world.settled()
    numbers: dict[str, int] = {}
    for choice in ("delay", "cancel", "alert"):
        await offer_rule(
            world, choice, groups=((Condition("name", "is", (choice,)),),), options={"start_passed": choice}
        )
        numbers[choice] = promote(world, name=choice, starts_in=0.5)
    before = {number: dict(world.store.promotions[number]) for number in numbers.values()}
    await sweep_soon(world)
    asked = [await world.request_is(number, "sent") for number in numbers.values()]
    for number in numbers.values():
        await world.hold_is(number, "held")
    world.advance(minutes=40)
    for request in asked:
        await world.sign(request, "dana@northfield.test")
    await promotion_is(world, numbers["delay"], "ENABLED")
    for choice in ("cancel", "alert"):
        hold = await world.hold_is(numbers[choice], "released")
        assert "stays off" in hold["state_why"]
    task = await world.task("offer_kept_off")
    assert task["record_id"] == str(numbers["alert"])
    await world.quiet()
    for choice, number in numbers.items():
        status = "ENABLED" if choice == "delay" else "DISABLED"
        assert world.store.promotions[number] == {**before[number], "status": status}
    again = numbers["alert"]  # it gets new dates, is signed anew, and goes on
    edit_promotion(world.store, again, start_date=v3_date(world.services.clock.now() + timedelta(hours=9)))
    await sweep_soon(world)
    request = await world.request_is(again, "sent", 1)
    await world.hold_is(again, "held")
    await world.sign(request, "dana@northfield.test")
    await promotion_is(world, again, "ENABLED")


async def test_a_customer_who_signed_gets_a_code_of_their_own(world: World) -> None:
    number = promote(world, "10", coupon="SHARED", coupon_type="BULK")
    await send_promotion(world, number, "paula@partner.test")
    request = await world.request_is(number, "sent")
    await world.sign(request, "paula@partner.test")

    async def made() -> Any:
        return world.store.promotion_codes[number][1:]

    (code,) = await world.until(made, said="the code is made")
    assert (code["max_uses"], code["max_uses_per_customer"]) == (1, 1)
    task = await world.task("code_not_sent")  # no mail server is named in this world
    assert code["code"] not in task["text"]
    await world.quiet()
    assert len(world.store.promotion_codes[number]) == 2
    rows = await world.raw("SELECT * FROM actions WHERE record_kind = 'promotion'")
    assert code["code"] not in str(rows)
    assert status_of(world, number) == "ENABLED"


async def test_a_changed_price_list_is_told_and_signed_as_it_is(world: World) -> None:
    await world.settled()
    number = next(iter(world.store.price_lists))
    sku = world.store.prices[number][0]["sku"]
    await offer_rule(world, kind="price_list", at_least="30")

    async def sweep() -> None:
        await world.swept("price_lists")

    await sweep()
    await world.quiet()
    assert await world.requests(number) == []  # a tenth off, and from before the rule
    world.advance(seconds=2)
    set_price(world.store, number, sku, 1.0)
    await sweep()
    request = await world.request_is(number, "sent")
    await world.task("price_list_changed")
    assert await world.hold(number) is None
    await world.sign(request, "dana@northfield.test")
    await world.request_is(number, "completed")
    await world.quiet()
    (task,) = await world.raw("SELECT done_at FROM tasks WHERE kind = 'price_list_changed'")
    assert task["done_at"] is not None


async def test_what_exists_is_counted_and_only_what_is_ticked_is_switched_off(world: World) -> None:
    ticked, left = promote(world, starts_in=-1), promote(world, starts_in=40)
    await sweep_soon(world)
    await world.quiet()
    rule = await offer_rule(world, live=False)
    now = world.services.clock.now()
    await rules.count_backlog(world.db, world.store_hash, rule, now)

    async def counted() -> Any:
        rows = await world.raw("SELECT groups FROM backlogs WHERE rule_id = $1 AND state = 'counted'", rule)
        return rows and {g["key"]: (g["label"], g["records"]) for g in rows[0]["groups"]}

    found = await world.until(counted, said="what exists is counted")
    assert found == {"running": ("Running", [str(ticked)]), "planned": ("Not begun yet", [str(left)])}
    await rules.set_mode(
        world.db, world.store_hash, rule, "live", world.store.owner.id, now, records=[str(ticked)],
        record_kind="promotion",
    )  # fmt: skip
    await promotion_is(world, ticked, "DISABLED")
    request = await world.request_is(ticked, "sent")
    await world.sign(request, "dana@northfield.test")
    await promotion_is(world, ticked, "ENABLED")
    assert await world.requests(left) == []


def own_draft(world: World, price: str) -> OwnDraft:
    """A quote made by hand: two pieces of the dear product at a price of its own."""
    today = world.services.clock.now().date()
    lines = (OfferedLine(world.dear, 2, Decimal(price)),)
    return OwnDraft("Tents", "Lena Hartmann", "lena@hartmann.example", "", 0, "en", "", today + timedelta(20), lines)


async def test_a_quote_by_hand_can_be_ordered_only_as_it_was_signed(world: World) -> None:
    await world.settled()
    await offer_rule(world, kind="own_quote", customer=True, agreement_id=world.agreement_id, sequence="internal_first")
    await world.rule()  # two of the dear product would wait by themselves
    shop, now, author = world.store, world.services.clock.now(), world.store.owner.id
    kept = await fetch_store(world.db, world.store_hash)
    assert kept is not None
    number = await add_own_quote(world.db, kept, own_draft(world, "250.00"), once="", author=author, now=now)
    await world.sign(await world.request_is(number, "sent", 0, kind="own_quote"), "dana@northfield.test")
    agreement = await world.request_is(number, "sent", 1, kind="own_quote")
    assert shop.carts == {}
    await world.sign(agreement, "lena@hartmann.example")
    await world.hold_is(number, "released", kind="own_quote")
    await world.task("offer_not_sent")  # no mail server is named in this world
    (cart_id,) = shop.carts

    order = order_cart(shop, cart_id, email="lena@hartmann.example")
    await world.quiet()
    assert await world.requests(order.id, kind="order") == []  # the quote's signature covers it
    assert await world.hold(order.id, kind="order") is None
    (row,) = await world.raw("SELECT order_id FROM own_quotes")
    assert row["order_id"] == order.id

    # Changed after it was signed, and its buyer was quicker than the cart could be taken away.
    number = await add_own_quote(world.db, kept, own_draft(world, "260.00"), once="", author=author, now=now)
    for at, who in enumerate(("dana@northfield.test", "lena@hartmann.example")):
        await world.sign(await world.request_is(number, "sent", at, kind="own_quote"), who)
    await world.hold_is(number, "released", kind="own_quote")
    (cart_id,) = shop.carts
    cart = shop.carts[cart_id]
    await change_own_quote(world.db, kept, number, own_draft(world, "210.00"), author=author, now=now)
    await world.request_is(number, "sent", 2, kind="own_quote")
    await world.hold_is(number, "held", kind="own_quote")
    assert shop.carts == {}
    shop.carts[cart_id] = cart
    early = order_cart(shop, cart_id, email="lena@hartmann.example")
    held = await world.hold_is(early.id, "held", kind="order")
    assert held is not None
    assert world.sandbox.spec_errors == []
