"""Suppliers: invited, signed, counter-signed; their products hidden and shown again; renewal; two for one product."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from bcapp.core.model import RecordKey
from bcapp.core.suppliers import Cover, Draft
from bcapp.db.deliveries import say_command
from bcapp.db.suppliers import change_supplier, fetch_supplier, invite_supplier, set_state
from bcapp.jobs.writeback import SLICE
from bcapp.workflows.protocol import Command
from tests.fixtures.suppliers import SIGNATORY, on_shelf, supplier, supplier_rule
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
    await brand_says(world, "waiting for signature")

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
    await brand_says(world, "signed")
    assert not world.sandbox.spec_errors


async def test_what_a_supplier_does_not_sell_any_more_says_so_and_many_products_are_told_in_slices(
    world: World,
) -> None:
    await supplier_rule(world, internal=False)
    skus = [f"ROPE-{n}" for n in range(SLICE + 2)]
    products = [world.store.add_product("TENT-X8", sku=sku, is_visible=True)["id"] for sku in skus]
    covers = tuple(Cover("product", sku) for sku in skus)
    number = await supplier(world, invite=False, covers=covers)
    await invite(world, number)
    await world.request_is(number, "sent")
    await world.quiet()
    assert {product_says(world, each) for each in products} == {"waiting for signature"}
    written = await world.raw("SELECT payload FROM actions WHERE kind = 'write_metafields' AND state = 'applied'")
    assert [bool(a["payload"]) for a in written].count(True) >= 1

    draft = Draft("Granite Peak Ltd", signatory=SIGNATORY, covers=covers[1:])
    now, author = world.services.clock.now(), world.store.owner.id
    assert await change_supplier(world.db, world.store_hash, number, draft, author=author, now=now)
    await world.quiet()
    said = [product_says(world, each) for each in products]
    assert said == ["no signature wanted", *["waiting for signature"] * (len(products) - 1)]
    assert not world.sandbox.spec_errors


def product_says(world: World, product: int) -> str:
    return {m["key"]: str(m["value"]) for m in world.store.metafields_of("product", product)}.get("state", "")


async def brand_says(world: World, state: str) -> None:
    """The brand of the supplier says in its metafield how the signature stands."""
    brand = next(b["id"] for b in world.store.brands.values() if b["name"] == "Granite Peak")

    async def said() -> bool:
        fields = {m["key"]: m["value"] for m in world.store.metafields_of("brand", brand)}
        return bool(fields.get("state") == state)

    await world.until(said, said=f"the brand says {state}")


async def is_empty(world: World) -> bool:
    return not on_shelf(world)


async def invite(world: World, supplier_id: int) -> None:
    now = world.services.clock.now()
    assert await invite_supplier(
        world.db, world.store_hash, supplier_id, hide_all=True, author=world.store.owner.id, now=now
    )


async def sweep(world: World) -> None:
    """Have suppliers swept now instead of within a quarter of an hour, and wait until it is done."""
    await world.swept("suppliers")
    await world.quiet()


async def test_a_product_with_two_suppliers_waits_for_both(world: World) -> None:
    tent = world.store.product_named("TENT-X8")
    every = on_shelf(world)
    await supplier_rule(world, internal=False, options=(("hide", "all"),))
    first = await supplier(world, "First", invite=False)
    second = await supplier(world, "Second", invite=False, covers=(Cover("product", "TENT-X8"),))
    await invite(world, first)
    await invite(world, second)
    await world.hold_is(first, "held")
    await world.hold_is(second, "held")
    await world.quiet()
    assert on_shelf(world) == set()
    assert product_says(world, tent["id"]) == "waiting for signature"

    # One product is shown again by hand; a webhook of a new one is lost, another is told twice.
    shown = next(p for p in every if p != tent["id"])
    world.store.change_product(shown, {"is_visible": True})
    lost = world.store.add_product("TENT-X8", quiet=True, is_visible=True)["id"]
    told = world.store.add_product("TENT-X8", is_visible=True)["id"]
    world.store.emit("store/product/created", {"type": "product", "id": told})
    await world.quiet()
    assert on_shelf(world) == {shown, lost}
    await sweep(world)
    assert on_shelf(world) == {shown}
    task = await world.task("products_shown_early")
    assert str(shown) in task["text"]

    await world.sign(await world.request_is(first, "sent"))
    await world.hold_is(first, "released")
    await world.quiet()
    assert on_shelf(world) == (every | {lost, told}) - {tent["id"]}
    await world.sign(await world.request_is(second, "sent"))
    await world.hold_is(second, "released")
    await world.quiet()
    assert on_shelf(world) == every | {lost, told}
    assert product_says(world, tent["id"]) == "signed"
    writes = [c for c in world.sandbox.calls if c.method == "PUT" and c.path.endswith("/catalog/products")]
    assert all(len(c.body) <= 10 for c in writes)
    assert sum(row["id"] == told for c in writes for row in c.body) == 2  # hidden once, shown once
    assert not world.sandbox.spec_errors


async def test_an_agreement_is_renewed_in_time_and_hides_only_when_it_ended(world: World) -> None:
    every = on_shelf(world)
    await supplier_rule(world, internal=False, options=(("hide", "all"), ("renew_days", "30"), ("valid_months", "12")))
    number = await supplier(world, invite=False)
    await invite(world, number)
    await world.sign(await world.request_is(number, "sent"))
    await world.hold_is(number, "released")
    await world.quiet()
    world.advance(days=330)
    await sweep(world)
    assert len(await world.requests(number)) == 1
    world.advance(days=10)
    await sweep(world)
    renewal = await world.request_is(number, "sent", 1)
    assert renewal["snapshot"]["term"] == 2
    assert on_shelf(world) == every  # the agreement still counts
    world.advance(days=28)
    await sweep(world)
    await world.hold_is(number, "held")
    await world.quiet()
    assert on_shelf(world) == set()
    assert "is not renewed" in (await world.task("paper_ended:agreement"))["text"]
    await world.sign(renewal)
    await world.hold_is(number, "released")
    await world.quiet()
    assert on_shelf(world) == every
    facts = await fetch_supplier(world.db, world.store_hash, number)
    assert facts is not None
    assert (facts.signed_term, facts.term) == (2, 2)
    rows = await world.raw("SELECT 1 FROM tasks WHERE kind = 'paper_ended:agreement' AND done_at IS NULL")
    assert rows == []


async def test_declined_stays_hidden_and_deactivated_ends_it(world: World) -> None:
    every = on_shelf(world)
    await supplier_rule(world, internal=False, options=(("hide", "all"),))
    number = await supplier(world, invite=False)
    await invite(world, number)
    request = await world.request_is(number, "sent")
    await world.hold_is(number, "held")
    document = str(request["provider_document"])
    await asyncio.to_thread(world.sandbox.signature.decline, document, "ann.lee@granitepeak.example", "Not like this")
    await world.hold_is(number, "kept")
    await world.quiet()
    assert on_shelf(world) == set()
    assert (await world.task("not_signed"))["record_id"] == str(number)
    async with world.db.transaction():
        now, author = world.services.clock.now(), world.store.owner.id
        assert await set_state(world.db, world.store_hash, number, "inactive", author=author, now=now)
    await world.hold_is(number, "released")
    await world.quiet()
    assert on_shelf(world) == set()  # what is hidden is left as it is
    async with world.db.transaction():
        assert await set_state(world.db, world.store_hash, number, "active", author=author, now=now)
    again = await world.hold_is(number, "held")
    assert again["method"] == "gate"
    command = {"supplier": number}
    await release(world, command["supplier"])
    await world.hold_is(number, "overridden")
    await world.quiet()
    assert on_shelf(world) == every


async def release(world: World, number: int) -> None:
    """Let the supplier go by hand."""
    await say_command(
        world.db, world.services.secrets, world.store_hash, RecordKey("supplier", str(number)),
        Command("release", world.store.owner.id, "They sign on paper"), world.services.clock.now(),
    )  # fmt: skip


async def test_hundreds_of_products_of_one_supplier(world: World) -> None:
    every = on_shelf(world)
    every |= {world.store.add_product("TENT-X8", quiet=True)["id"] for _ in range(300 - len(every))}
    await supplier_rule(world, internal=False, options=(("hide", "all"),))
    number = await supplier(world, invite=False)
    await invite(world, number)
    request = await world.request_is(number, "sent")  # it does not wait behind its products
    assert on_shelf(world)
    await world.quiet()
    assert on_shelf(world) == set()
    await world.sign(request)
    await world.hold_is(number, "released")
    await world.quiet()
    assert on_shelf(world) == every
    assert await world.raw("SELECT 1 FROM tasks WHERE done_at IS NULL AND kind = 'hold_late'") == []
