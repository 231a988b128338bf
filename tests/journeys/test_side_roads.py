"""The side roads of order approval, a row each, asserted at the vendors. docs/workflows.md has the same table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bcapp.core.retry import MOST_TRIES
from tests.fixtures.world import World, held_and_sent, signed_before_refused

pytestmark = pytest.mark.journey

Road = Callable[[World], Awaitable[None]]
ROADS: dict[str, Road] = {}


def road(function: Road) -> Road:
    ROADS[function.__name__] = function
    return function


def sent_requests(world: World) -> list[Any]:
    """What was really asked at the signature service: requests that were ever sent."""
    return list(world.sandbox.signature.store.requests.values())


def open_requests(world: World) -> list[Any]:
    return [r for r in sent_requests(world) if not r.document.has_ended]


def statuses(world: World, order: Any) -> list[int]:
    return [w["status_id"] for w in world.writes(order.id) if "status_id" in w]


# Edits ----------------------------------------------------------------------------------------------------


@road
async def edited_before_send(world: World) -> None:
    await world.rule()
    world.sandbox.faults.add("signature", "POST", "/api/v1/documents/$", "late", seconds=1.5)
    order = world.place()

    async def made() -> bool:
        return any(c.path.endswith("/documents/") and c.executed for c in world.sandbox.calls)

    await world.until(made)
    await world.looked()
    world.store.edit(order.id, quantities={order.lines[0].id: 3})
    await world.request_is(order.id, "sent")
    await world.quiet()
    rows = await world.requests(order.id)
    assert [(r["round"], r["status"]) for r in rows] == [(1, "cancelled"), (2, "sent")]
    assert len(open_requests(world)) == 1


@road
async def edited_while_open(world: World) -> None:
    await world.rule()
    order, first = await held_and_sent(world)
    world.store.edit(order.id, quantities={order.lines[0].id: 3})
    await world.request_is(order.id, "cancelled", index=0)
    second = await world.request_is(order.id, "sent")
    assert (first["round"], second["round"], second["round_why"][:7]) == (1, 2, "Edited:")
    await world.sign(second)
    await world.order_is(order.id, 11)
    assert statuses(world, order) == [12, 11]


@road
async def edited_after_signing_not_shipped(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.quiet()
    world.store.edit(order.id, quantities={order.lines[0].id: 4})
    second = await world.request_is(order.id, "sent")
    await world.order_is(order.id, 12)
    await world.sign(second)
    await world.order_is(order.id, 11)
    assert statuses(world, order) == [12, 11, 12, 11]


@road
async def edited_after_signing_shipped(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.sign(request)
    await world.order_is(order.id, 11)
    world.store.ship(order.id)
    await world.quiet()
    world.store.edit(order.id, quantities={order.lines[0].id: 4})
    await world.task("edited_after_shipping")
    await world.quiet()
    assert len(await world.requests(order.id)) == 1
    assert statuses(world, order) == [12, 11]


@road
async def edited_to_b_and_back_to_a(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    world.store.edit(order.id, quantities={order.lines[0].id: 3})
    await world.request_is(order.id, "sent", index=1)
    await world.looked()
    world.store.edit(order.id, quantities={order.lines[0].id: 2})
    third = await world.request_is(order.id, "sent", index=2)
    await world.quiet()
    rows = await world.requests(order.id)
    assert [r["status"] for r in rows] == ["cancelled", "cancelled", "sent"]
    assert rows[0]["fingerprint"] == rows[2]["fingerprint"] != rows[1]["fingerprint"]
    assert len(open_requests(world)) == 1
    await world.sign(third)
    await world.order_is(order.id, 11)


@road
async def edited_below_the_threshold(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    world.store.edit(order.id, prices={order.lines[0].id: "100.00"})
    await world.request_is(order.id, "cancelled")
    await world.order_is(order.id, 11)
    await world.quiet()
    assert len(await world.requests(order.id)) == 1
    assert open_requests(world) == []


# The order ends or moves ----------------------------------------------------------------------------------


@road
async def cancelled(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    world.store.cancel(order.id)
    await world.request_is(order.id, "cancelled")
    await world.hold_is(order.id, "released")
    await world.quiet()
    assert world.store.orders[order.id].status_id == 5
    assert statuses(world, order) == [12]
    assert open_requests(world) == []


@road
async def deleted(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    world.store.vanish(order.id)
    world.advance(minutes=6)  # no event tells of it: the sweep of requests and a look do
    await world.command(order.id, "look")
    await world.request_is(order.id, "cancelled")
    await world.hold_is(order.id, "released")


@road
async def not_found_right_after_created(world: World) -> None:
    await world.rule()
    world.sandbox.faults.add("bigcommerce", "GET", r"/v2/orders/\d+$", "before", status=404, times=1)
    order = world.place()
    await world.quiet()
    await world.request_is(order.id, "sent")


@road
async def moved_out_by_a_person(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.quiet()
    world.store.set_status(order.id, 11)
    await world.hold_is(order.id, "bypassed")
    await world.task("let_go")
    await world.sign(request)
    await world.request_is(order.id, "completed")
    await world.quiet()
    assert statuses(world, order) == [12]


@road
async def moved_out_by_a_payment(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world, payment="unpaid", method="bank")
    await world.quiet()
    world.store.pay(order.id)
    await world.order_is(order.id, 12)

    async def again() -> bool:
        return statuses(world, order) == [12, 12]

    await world.until(again)
    await world.hold_is(order.id, "held")
    await world.quiet()
    await world.sign(request)
    await world.order_is(order.id, 11)


@road
async def already_at_the_hold_status(world: World) -> None:
    await world.rule()
    order = world.place(status_id=12)
    request = await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "joined")
    await world.sign(request)
    await world.task("signed_but_held")
    await world.quiet()
    assert world.store.orders[order.id].status_id == 12
    assert statuses(world, order) == []


@road
async def fraud_review_open(world: World) -> None:
    await world.rule()
    order = world.place(fraud_review=True)
    request = await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    await world.sign(request)
    await world.task("release_held")
    await world.quiet()
    assert world.store.orders[order.id].status_id == 12
    assert 11 not in statuses(world, order)


@road
async def moved_by_a_fraud_tool(world: World) -> None:
    await world.rule()
    order = world.place(fraud_review=True)
    await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    await world.quiet()
    world.store.set_status(order.id, 7)
    hold = await world.hold_is(order.id, "bypassed")
    assert "fraud" in hold["state_why"]


@road
async def already_shipped(world: World) -> None:
    await world.rule()
    world.bc.webhooks.paused = True
    order = world.place()
    world.store.ship(order.id)
    world.bc.webhooks.paused = False
    await world.task("shipped_unsigned")
    await world.quiet()
    assert await world.requests(order.id) == []
    assert world.writes(order.id) == []


@road
async def shipped_while_open(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    await world.quiet()
    world.store.ship(order.id)
    await world.hold_is(order.id, "bypassed")
    await world.task("let_go")
    assert statuses(world, order) == [12]


@road
async def digital_only(world: World) -> None:
    await world.rule(at_least="5.00")
    digital = next(p["sku"] for p in world.store.products.values() if p.get("type") == "digital")
    order = world.place(lines=[(digital, 3)])
    hold = await world.hold_is(order.id, "refused")
    await world.request_is(order.id, "sent")
    await world.quiet()
    assert "digital" in hold["state_why"].lower()
    assert world.writes(order.id) == []


@road
async def guest(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world, customer_id=0, email="guest@buyer.test")
    await world.sign(request, "guest@buyer.test")
    await world.order_is(order.id, 11)


# Outcomes -------------------------------------------------------------------------------------------------


@road
async def two_rules_with_different_outcomes(world: World) -> None:
    await world.rule()
    await world.rule("Approval", customer=False, internal=True, agreement_id=0)
    order = world.place()
    await world.request_is(order.id, "sent", index=0)
    await world.request_is(order.id, "sent", index=1)
    await world.hold_is(order.id, "held")
    customer, internal = await world.requests(order.id)
    await world.sign(customer)
    await world.request_is(order.id, "completed", index=0)
    name = "dana@northfield.test" if float(order.total) <= 2000 else "cleo@northfield.test"
    await asyncio.to_thread(world.sandbox.signature.decline, str(internal["provider_document"]), name, "Too much")
    await world.hold_is(order.id, "kept")
    await world.quiet()
    assert world.store.orders[order.id].status_id == 12
    assert statuses(world, order) == [12]


@road
async def declined_then_asked_again(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    email = world.store.orders[order.id].billing["email"]
    await asyncio.to_thread(world.sandbox.signature.decline, str(request["provider_document"]), email, "Not yet")
    await world.request_is(order.id, "declined")
    await world.hold_is(order.id, "kept")
    await world.task("not_signed")
    await world.command(order.id, "ask_again", request_id=request["id"], why="They called")
    second = await world.request_is(order.id, "sent", index=1)
    assert (second["round"], second["round_why"]) == (2, "They called")
    await world.hold_is(order.id, "held")
    await world.sign(second)
    await world.order_is(order.id, 11)
    assert statuses(world, order) == [12, 11]


@road
async def expired(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    await world.quiet()
    world.advance(days=9)
    await world.request_is(order.id, "expired")
    await world.hold_is(order.id, "kept")
    await world.quiet()
    assert statuses(world, order) == [12]


@road
async def bounced_and_mended(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world, customer_id=0, email="wrong@buyer.test")
    world.sandbox.signature.bounce("wrong@buyer.test")
    await world.task("bounced")
    payload = {"position": 0, "email": "right@buyer.test"}
    await world.command(order.id, "mend", request_id=request["id"], payload=payload)

    async def forwarded() -> bool:
        rows = await world.raw("SELECT email FROM signers WHERE request_id = $1", request["id"])
        return bool(rows[0]["email"] == "right@buyer.test")

    await world.until(forwarded)
    await world.sign(request, "right@buyer.test")
    await world.order_is(order.id, 11)


@road
async def forwarded_where_it_is_not_allowed(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    email = world.store.orders[order.id].billing["email"]
    document = str(request["provider_document"])
    await asyncio.to_thread(world.sandbox.signature.forward, document, email, "friend@buyer.test", "Ask them")
    await world.sign(request, "friend@buyer.test")
    await world.task("conflict")
    await world.hold_is(order.id, "kept")
    await world.quiet()
    assert statuses(world, order) == [12]
    await world.command(order.id, "confirm", request_id=request["id"], why="We know this person")
    await world.order_is(order.id, 11)


@road
async def forwarded_where_it_is_allowed(world: World) -> None:
    await world.rule(buyer_may_forward=True)
    order, request = await held_and_sent(world)
    email = world.store.orders[order.id].billing["email"]
    document = str(request["provider_document"])
    await asyncio.to_thread(world.sandbox.signature.forward, document, email, "boss@buyer.test", "Ask them")
    await world.sign(request, "boss@buyer.test")
    await world.order_is(order.id, 11)


@road
async def signed_with_another_text(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    world.sandbox.signature.options.delivery_delay_seconds = 2.0
    await world.sign(request)
    await asyncio.to_thread(world.sandbox.signature.tamper_pdf, str(request["provider_document"]))
    await world.task("conflict")
    await world.hold_is(order.id, "kept")
    assert statuses(world, order) == [12]


@road
async def typed_outside_the_fields(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    email = world.store.orders[order.id].billing["email"]
    document = str(request["provider_document"])
    await asyncio.to_thread(world.sandbox.signature.type_outside_fields, document, email, "but only if it rains")
    await world.sign(request)
    await world.task("conflict")
    assert statuses(world, order) == [12]


@road
async def signed_while_being_cancelled(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.quiet()
    signed_before_refused(world, request)
    await world.command(order.id, "cancel", request_id=request["id"], why="A mistake")
    found = await world.request_is(order.id, "completed")
    assert (found["wanted"], found["wanted_why"]) == ("cancel", "staff")
    await world.order_is(order.id, 11)


async def missed_is(world: World, order_id: int, reads: int) -> None:
    """Wait until the document was looked for in vain so often."""

    async def asked() -> bool:
        return bool((await world.requests(order_id))[-1]["missing_reads"] == reads)

    await world.until(asked, said=f"the document was missed {reads} times")


@road
async def document_deleted_at_the_service(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.quiet()
    world.sandbox.signature.delete_document(str(request["provider_document"]))
    for number, minutes in enumerate((20, 1, 9), 1):  # nothing tells of it: the sweep reads open requests again
        world.advance(minutes=minutes, seconds=1)
        await missed_is(world, order.id, number)
        await world.hold_is(order.id, "held")
    assert (await world.requests(order.id))[-1]["status"] == "sent"  # a service may be late for longer than that
    world.advance(minutes=51)
    await world.request_is(order.id, "cancelled")
    await world.hold_is(order.id, "kept")
    assert statuses(world, order) == [12]


@road
async def authorised_then_captured(world: World) -> None:
    await capture_mode(world)
    await world.rule()
    order, request = await held_and_sent(world, payment="authorized")
    await world.quiet()
    assert world.writes(order.id) == []
    await world.sign(request)
    await world.hold_is(order.id, "released")
    assert captures(world, order) == 1


@road
async def nothing_is_captured_under_review(world: World) -> None:
    await capture_mode(world)
    await world.rule()
    order, _ = await held_and_sent(world, payment="authorized")
    await world.quiet()
    order.transactions[0]["fraud_review"] = True
    await world.command(order.id, "release", why="The buyer signed on paper")
    await world.task("release_held")
    await world.quiet()
    assert captures(world, order) == 0


@road
async def authorisation_has_ended(world: World) -> None:
    await capture_mode(world)
    await world.rule()
    order, request = await held_and_sent(world, payment="authorized")
    await world.quiet()
    assert await world.raw("SELECT 1 FROM tasks WHERE kind = 'authorisation_ends'") == []
    world.advance(days=5)
    await world.task("authorisation_ends")  # nothing arrived: its age alone had it looked at
    world.sandbox.faults.add("bigcommerce", "POST", "payment_actions/capture", "before", status=422)
    await world.sign(request)
    await world.task("release_failed")
    await world.quiet()
    assert captures(world, order) == 0


@road
async def signature_account_dead_for_a_day(world: World) -> None:
    await world.rule()
    world.sandbox.signature.go_down()
    orders = [world.place()]
    await world.hold_is(orders[0].id, "held")
    of = "SELECT failures FROM budgets WHERE service = 'core_signature'"
    for _ in range(MOST_TRIES + 2):  # the one that waits is the one that is tried each time, and never given up
        before = await world.raw(of)

        async def tried(before: list[dict[str, Any]] = before) -> bool:
            return await world.raw(of) != before

        await world.until(tried, said="the service was tried again")
        world.advance(hours=2)
    orders += [world.place() for _ in range(2)]
    for order in orders:
        await world.hold_is(order.id, "held")
    failed = await world.raw("SELECT kind FROM actions WHERE state = 'failed' AND kind <> 'send_mail'")
    assert failed == []
    world.sandbox.signature.go_up()
    back = len(world.sandbox.calls)
    world.advance(hours=1)
    for order in orders:
        await world.request_is(order.id, "sent")
    assert len(open_requests(world)) == 3
    # Two calls in a second: what waited must not knock the service down again. The first is the one that tries, and
    # a busy machine may be late with one of them.
    calls = [c for c in world.sandbox.calls[back:] if c.service == "signature" and "oauth2" not in c.path][1:]
    span = (calls[-1].at - calls[0].at).total_seconds()
    assert span > (len(calls) - 1) / 2 - 1.5, [c.at for c in calls]


async def capture_mode(world: World) -> None:
    await world.raw(
        """UPDATE stores SET settings = settings || '{"payment_mode": "authorize"}' WHERE store_hash = $1""",
        world.store_hash,
    )


def captures(world: World, order: Any) -> int:
    return len(
        [
            c
            for c in world.sandbox.calls
            if c.method == "POST" and c.executed and c.path.endswith(f"/orders/{order.id}/payment_actions/capture")
        ]
    )


# By rule and by hand --------------------------------------------------------------------------------------


@road
async def approver_first_then_buyer(world: World) -> None:
    await world.rule(internal=True, sequence="internal_first")
    order = world.place()
    internal = await world.request_is(order.id, "sent")
    assert internal["purpose"] == "internal"
    await world.hold_is(order.id, "held")
    await world.quiet()
    assert len(await world.requests(order.id)) == 1
    await world.sign(internal)
    customer = await world.request_is(order.id, "sent", index=1)
    assert customer["purpose"] == "customer"
    await world.sign(customer)
    await world.order_is(order.id, 11)


@road
async def runaway_rule_is_paused(world: World) -> None:
    rule = await world.rule(most_per_hour=2)
    orders = []
    for _ in range(3):
        orders.append(world.place())
        await world.quiet()
    await world.task("rule_paused")
    await world.quiet()
    assert [len(await world.requests(o.id)) for o in orders] == [1, 1, 0]
    assert world.writes(orders[2].id) == []
    rows = await world.raw("SELECT paused_why FROM rules WHERE id = $1", rule)
    assert rows[0]["paused_why"]


@road
async def before_the_boundary(world: World) -> None:
    order = world.place()
    await world.quiet()
    world.advance(seconds=2)  # the store tells whole seconds
    rule = await world.rule()
    await world.raw("UPDATE rules SET live_since = $1 WHERE id = $2", world.services.clock.now(), rule)
    await world.command(order.id, "look")
    await world.quiet()
    assert await world.requests(order.id) == []
    rows = await world.raw("SELECT trace FROM records WHERE id = $1", str(order.id))
    assert rows[0]["trace"][0]["sentence"] == "Created before the rule went live."


@road
async def released_by_hand(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    await world.command(order.id, "release", why="The buyer signed on paper")
    await world.order_is(order.id, 11)
    await world.hold_is(order.id, "overridden")
    await world.request_is(order.id, "cancelled")
    assert open_requests(world) == []


@road
async def sent_by_hand(world: World) -> None:
    order = world.place()
    await world.quiet()
    payload = {
        "purpose": "customer",
        "agreement_id": world.agreement_id,
        "account_id": world.account_id,
        "signers": [{"name": "Bo Buyer", "email": "bo@buyer.test", "person_id": None}],
        "hold": True,
        "expiry_days": 5,
    }
    await world.command(order.id, "send", payload=payload)
    request = await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    await world.sign(request, "bo@buyer.test")
    await world.order_is(order.id, 11)


@road
async def test_mode(world: World) -> None:
    await world.rule()
    await world.raw(
        "UPDATE stores SET settings = settings || jsonb_build_object('test_mode_user', owner_id) WHERE store_hash = $1",
        world.store_hash,
    )
    order = world.place()
    request = await world.request_is(order.id, "sent")
    signers = await world.raw("SELECT email FROM signers WHERE request_id = $1", request["id"])
    assert [s["email"] for s in signers] == [world.store.owner.email.lower()]
    await world.sign(request)
    await world.request_is(order.id, "completed")
    await world.quiet()
    assert world.writes(order.id) == []
    assert world.store.metafields_of("order", order.id) == []


@road
async def every_delivery_lost(world: World) -> None:
    await world.rule()
    world.bc.webhooks.plan("lose", times=10_000)
    world.sandbox.signature.options.lose_event_types = frozenset(
        {"sent", "signed", "signer_signed", "signer_viewed", "converted"}
    )
    await world.raw("UPDATE sweeps SET due_at = $1 WHERE name = 'orders'", world.services.clock.now())
    order = world.place()
    for _ in range(3):
        world.advance(minutes=6)
        await asyncio.sleep(1)
    request = await world.request_is(order.id, "sent")
    await world.sign(request)
    world.advance(minutes=20)
    await world.order_is(order.id, 11)


@road
async def every_delivery_twice_and_out_of_order(world: World) -> None:
    await world.rule()
    world.bc.webhooks.plan("duplicate", times=100, copies=2)
    world.bc.webhooks.plan("reorder", times=100, seconds=0.2)
    options = world.sandbox.signature.options
    options.deliver_copies, options.shuffle_deliveries = 2, True
    order, request = await held_and_sent(world)
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.quiet()
    assert statuses(world, order) == [12, 11]
    assert len(sent_requests(world)) == 1


@pytest.mark.parametrize("name", sorted(ROADS))
async def test_side_road(world: World, name: str) -> None:
    await ROADS[name](world)
    assert world.sandbox.spec_errors == []
    parked = await world.raw("SELECT record_kind, record_id, parked_why FROM deliveries WHERE parked_why IS NOT NULL")
    assert parked == []
