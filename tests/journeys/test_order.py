"""A large order, from its event to its release."""

from __future__ import annotations

import pytest

from tests.fixtures.world import World

pytestmark = pytest.mark.journey


async def test_a_signer_reads_whom_to_ask(world: World) -> None:
    await world.rule()
    await world.raw("UPDATE stores SET settings = settings || $1", {"support_email": "help@northfield.test"})
    order = world.place(customer_id=0, email="asking@buyer.test")
    await world.request_is(order.id, "sent")
    mails = world.sandbox.signature.inbox.find(to="asking@buyer.test")
    assert any("Questions? Write to help@northfield.test." in m.text for m in mails)


async def test_a_large_order_is_held_signed_and_released(world: World) -> None:
    await world.rule()
    order = world.place()
    request = await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    await world.order_is(order.id, 12)
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.hold_is(order.id, "released")
    await world.quiet()
    kept = await world.raw("SELECT part, verified FROM evidence ORDER BY part")
    assert [(r["part"], r["verified"]) for r in kept] == [
        ("sent_document", True),
        ("signed_document", True),
        ("signing_log", True),
    ]
    assert [w["status_id"] for w in world.writes(order.id)] == [12, 11]
    assert world.sandbox.spec_errors == []
