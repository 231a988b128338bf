"""Suppliers: invited, signed, counter-signed; their products hidden and shown again; renewal; two for one product."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from bcapp.core.suppliers import Cover
from bcapp.db.suppliers import fetch_supplier, invite_supplier, set_state
from tests.fixtures.suppliers import on_shelf, supplier, supplier_rule
from tests.fixtures.world import World


async def signed(world: World, supplier_id: int, index: int = -1) -> None:
    """Have the signatory sign, then the counter-signer, as the document's turns say."""
    request = await world.request_is(supplier_id, "sent", index)
    for email in ("ann.lee@granitepeak.example", "dana@northfield.test"):
        await world.sign(request, email)
    await world.request_is(supplier_id, "completed", index)


async def test_a_supplier_signs_and_its_products_come_back(world: World) -> None:
    every = on_shelf(world)
    assert len(every) > 1
    await supplier_rule(world, options=(("hide", "all"), ("valid_months", "12")))
    first = await supplier(world, invite=False)
    await world.quiet()
    assert await world.requests(first) == []
    assert await invite_supplier(
        world.db, world.store_hash, first, hide_all=True, author=world.store.owner.id, now=world.services.clock.now()
    )
    request = await world.request_is(first, "sent")
    signers = await world.raw("SELECT email, turn FROM signers WHERE request_id = $1 ORDER BY position", request["id"])
    assert [(s["email"], s["turn"]) for s in signers] == [
        ("ann.lee@granitepeak.example", 1),
        ("dana@northfield.test", 2),
    ]
    await world.hold_is(first, "held")
    await world.until(lambda: is_empty(world), said="all are hidden")

    # A product that is made meanwhile is hidden too, and one that somebody shows again stays theirs.
    product = world.store.add_product("TENT-X8", is_visible=True)
    await world.until(lambda: is_empty(world), said="the new one is hidden as well")

    await signed(world, first)
    await world.hold_is(first, "released")
    assert on_shelf(world) == every | {product["id"]}
    assert await world.raw("SELECT * FROM product_visibility") == []
    facts = await fetch_supplier(world.db, world.store_hash, first)
    assert facts is not None
    assert (facts.hiding, facts.signed_term, facts.hidden) == ("", 1, 0)
    assert facts.signed_until is not None
    assert facts.signed_until > date.today() - timedelta(days=3000)
    assert not world.sandbox.spec_errors


async def is_empty(world: World) -> bool:
    return not on_shelf(world)
