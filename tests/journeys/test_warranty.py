"""Warranties, from the shipment to the answer at the counter."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from bcapp.core.warranties import answer, judge_serials, parse_wanted
from bcapp.db import chunks, warranties
from bcapp.jobs.accepting import data_key
from tests.fixtures.warranties import registered, serials, ship, warranty_request, warranty_rule
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


async def find(world: World, text: str) -> list[int]:
    """The orders that a search at the counter finds."""
    key = await data_key(world.db, world.services.secrets, world.store_hash)
    rows = await warranties.find(world.db, world.store_hash, parse_wanted(text), key, personal=True)
    return sorted({int(r["order_id"]) for r in rows})


async def test_a_shipped_order_is_registered_beside_its_approval(world: World) -> None:
    await world.rule()
    await warranty_rule(world, options={"months": "24", "start_days": "3"})
    order = world.place()
    await world.sign(await world.request_is(order.id, "sent"))
    await world.order_is(order.id, 11)
    await world.quiet()
    assert [r["workflow"] for r in await world.requests(order.id)] == ["order_approval"]

    world.bc.webhooks.plan("duplicate", times=3)
    await ship(world, order)
    request = await warranty_request(world, order.id)
    assert request["blocks"] is False
    typed = serials(order, "SN-1", "sn 2")
    await world.sign(request, inputs=typed)
    rows = await registered(world, order.id, 2)
    await world.quiet()
    assert [(r["piece"], r["serial"]) for r in rows] == [(1, "SN-1"), (2, "sn 2")]
    begins = order.shipped.date() + timedelta(days=3)
    assert abs(rows[0]["starts_on"] - begins) <= timedelta(days=1)  # the store's day
    assert rows[0]["ends_on"] is not None
    assert len(await world.requests(order.id)) == 2
    assert (await world.hold(order.id) or {})["state"] == "released"
    assert world.store.orders[order.id].status_id == 2
    state = {m["key"]: m["value"] for m in world.store.metafields_of("order", order.id)}["state"]
    assert state == "signed"

    billing = order.billing
    name = f"{billing['last_name']}, {billing['first_name']}".upper()
    for text in (str(order.id), "SN2", billing["email"].upper(), billing["phone"], name):
        assert await find(world, text) == [order.id], text
    assert await find(world, "SN-3") == []

    # One of two numbered pieces comes back: a person says which.
    line = order.lines[0].id
    await asyncio.to_thread(world.store.refund_by_hand, order.id, lines={line: 1}, reason="broken")
    await world.task("warranty_refund")
    now, row = world.services.clock.now(), dict(rows[1])
    ended = await warranties.end_by_hand(world.db, world.store_hash, row, "It came back.", 1, now.date(), now)
    assert ended
    await world.quiet()
    assert (await world.task("warranty_refund"))["done_at"] is not None
    left = await registered(world, order.id, 1)
    assert left[0]["serial"] == "SN-1"
    await asyncio.to_thread(world.store.refund_by_hand, order.id, lines={line: 1}, reason="broken too")
    await registered(world, order.id, 2, "ended")
    assert world.sandbox.spec_errors == []


async def test_an_order_found_by_the_sweep_and_declined_is_told_as_not_activated(world: World) -> None:
    await warranty_rule(world)
    order, other = world.place(), world.place(lines=[(world.cheap, 1)])
    await world.quiet()
    world.bc.webhooks.plan("lose", times=20)
    await ship(world, order)
    await ship(world, other)
    await world.until(lambda: _swept(world, order.id), said="the sweep finds the shipment")
    request = await warranty_request(world, order.id)
    email = (await world.raw("SELECT email FROM signers WHERE request_id = $1", request["id"]))[0]["email"]
    await asyncio.to_thread(world.sandbox.signature.decline, str(request["provider_document"]), email, "no")
    rows = await registered(world, order.id, 2, "not_activated")
    found = warranties.registration_from_row(rows[0])
    said = answer(found, date(2026, 1, 1)).sentence
    assert said.endswith("because the buyer declined. Statutory rights are unaffected.")
    await world.quiet()
    assert await world.requests(other.id) == []
    assert await world.raw("SELECT 1 FROM tasks WHERE record_id = $1 AND done_at IS NULL", str(order.id)) == []


async def _swept(world: World, order_id: int) -> bool:
    world.advance(seconds=200)
    await asyncio.sleep(0.2)
    return any(r["workflow"] == "warranty" for r in await world.requests(order_id))


async def test_maintenance_is_asked_again_before_it_ends(world: World) -> None:
    await warranty_rule(world, options={"cover": "service", "serials": "none", "months": "2", "renew_days": "20"})
    order = world.place()
    await ship(world, order)
    await world.sign(await warranty_request(world, order.id))
    (first,) = await registered(world, order.id, 1)
    assert (first["piece"], first["quantity"]) == (0, 2)
    await world.quiet()
    world.advance(days=45)
    request = await warranty_request(world, order.id, round=2)
    assert request["round_why"].startswith("The next term")
    await world.sign(request)
    await registered(world, order.id, 1, "renewed")
    (second,) = await registered(world, order.id, 1)
    assert second["starts_on"] == first["ends_on"] + timedelta(days=1)
    # A refund of one of the two leaves one; nothing is numbered, so nobody has to say which.
    await asyncio.to_thread(world.store.refund_by_hand, order.id, lines={order.lines[0].id: 1})

    async def shrunk() -> bool:
        (row,) = await registered(world, order.id, 1)
        return row["quantity"] == 1

    await world.until(shrunk, said="one piece is left")


async def test_serial_numbers_of_a_file_and_a_form_on_paper(world: World) -> None:
    rule_id = await warranty_rule(world)
    order = world.place()
    sku, now = world.dear, world.services.clock.now()
    lines = judge_serials([(2, {"order": str(order.id), "sku": sku, "serial": "F-1"})])
    assert await warranties.take_serials(world.db, world.store_hash, lines, 1, now) == 0
    await ship(world, order)
    request = await warranty_request(world, order.id)
    assert [f["external_id"] for f in request["document_fields"] if f["type"] == "t"] == list(
        serials(order, "", "").keys()
    )[1:]

    # The buyer calls instead of signing: the form on paper takes the request back.
    key = await data_key(world.db, world.services.secrets, world.store_hash)
    content = await chunks.keep(world.db, key, world.store_hash, b"%PDF-1.4 a scan")
    paper = await warranties.add_paper(
        world.db, world.services.secrets, world.store_hash, order_id=str(order.id), rule_id=rule_id, content=content,
        signed_on=now.date(), serials="P-1\nP-2\n", author=world.store.owner.id, now=now,
    )  # fmt: skip
    rows = await registered(world, order.id, 2)
    assert [r["serial"] for r in rows] == ["P-1", "P-2"]
    assert {r["paper_id"] for r in rows} == {paper}
    await warranty_request(world, order.id, "cancelled")
    await world.quiet()

    # The same number in another order is told; one too many is refused with a sentence.
    second = world.place()
    lines = judge_serials([(2, {"order": str(second.id), "sku": sku, "serial": "F-2"})])
    await warranties.take_serials(world.db, world.store_hash, lines, 1, now)
    await ship(world, second)
    typed = serials(second, "", "p1")
    typed.pop(next(iter(typed)))  # the first is printed
    await world.sign(await warranty_request(world, second.id), inputs=typed)
    rows = await registered(world, second.id, 2)
    assert [(r["serial"], r["serial_from"]) for r in rows] == [("F-2", "file"), ("p1", "signer")]
    assert str(order.id) in (await world.task("serial_twice"))["text"]
    await warranties.add_paper(
        world.db, world.services.secrets, world.store_hash, order_id=str(second.id), rule_id=rule_id, content=content,
        signed_on=now.date(), serials="1\n2\n3", author=world.store.owner.id, now=now,
    )  # fmt: skip
    assert "3 serial numbers, and 2 pieces" in (await world.task("paper_refused"))["text"]
