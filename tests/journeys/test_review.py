"""What a second reading of the engine found: each row failed before it was mended."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.db.actions import queue_action, queue_heads
from bcapp.db.rules import resume
from bcapp.db.settings import save_settings
from bcapp.jobs.dispatch import Worker
from bcapp.jobs.look import ask_for_consent
from tests.fixtures.world import PATIENCE, World, signed_before_refused

pytestmark = pytest.mark.journey


async def held_and_sent(world: World, **more: Any) -> tuple[Any, dict[str, Any]]:
    order = world.place(**more)
    request = await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    await world.quiet()
    return order, request


async def settings(world: World, **changes: Any) -> None:
    sql = "UPDATE stores SET settings = settings || CAST($2 AS jsonb) WHERE store_hash = $1"
    await world.raw(sql, world.store_hash, changes)


async def other_store(world: World, store_hash: str, state: str) -> None:
    """A store that nobody may work for now, with work that has waited for long."""
    now = world.services.clock.now()
    long_ago = now - timedelta(days=3)
    await world.raw(
        "INSERT INTO stores (store_hash, state, owner_id, installed_at, state_since) VALUES ($1, $2, 1, $3, $3)",
        store_hash,
        state,
        long_ago,
    )
    for name in ("orders", "hooks"):
        await world.raw("INSERT INTO sweeps (store_hash, name, due_at) VALUES ($1, $2, $3)", store_hash, name, long_ago)
    async with world.db.transaction():
        for number in range(25):
            await queue_action(
                world.db, store_hash, ActionKind.RELEASE_ORDER, RecordKey("order", str(number)), long_ago
            )


async def test_stores_that_wait_do_not_crowd_out_the_others(world: World) -> None:
    """Their sweeps and actions stay due, at the head of every list that the tick reads."""
    for number in range(30):
        await other_store(world, f"gone{number}", "reconsent" if number % 2 else "uninstalled")
    now = world.services.clock.now()
    await world.raw("UPDATE sweeps SET due_at = $2 WHERE store_hash = $1", world.store_hash, now)

    async def swept() -> bool:
        rows = await world.raw("SELECT last_at FROM sweeps WHERE store_hash = $1", world.store_hash)
        return all(r["last_at"] is not None for r in rows)

    await world.until(swept, said="our sweeps ran")
    async with world.db.transaction():
        action = await queue_action(
            world.db, world.store_hash, ActionKind.REGISTER_HOOKS, RecordKey("store", world.store_hash), now,
            due_at=now + timedelta(seconds=1),
        )  # fmt: skip

    async def done() -> bool:
        rows = await world.raw("SELECT state FROM actions WHERE id = $1", action)
        return bool(rows[0]["state"] == "applied")

    await world.until(done, said="a later action of ours ran")


async def test_that_a_store_waits_for_consent_is_mailed_while_it_waits(world: World) -> None:
    await world.raw("UPDATE stores SET state = 'reconsent' WHERE store_hash = $1", world.store_hash)
    await ask_for_consent(world.services, world.store_hash)

    async def ended() -> bool:
        rows = await world.raw("SELECT state FROM actions WHERE kind = 'send_mail'")
        return bool(rows) and rows[0]["state"] in ("applied", "skipped")

    await world.until(ended, said="the mail was tried")


async def test_another_shipping_tool_does_not_abandon_what_is_held(world: World) -> None:
    """The settings name another status from now on; what was held under the old one is neither let go nor forgotten."""
    await world.rule()
    order, request = await held_and_sent(world)
    await settings(world, shipping_tool="shipstation")  # imports 12: from now on orders are held at 7
    await world.command(order.id, "look")
    await world.quiet()
    assert (await world.hold_is(order.id, "held"))["left_as"] == {"status_id": 12}
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.hold_is(order.id, "released")
    assert await world.raw("SELECT kind FROM tasks WHERE kind = 'let_go'") == []


async def test_an_edit_while_the_release_waits_keeps_the_hold_ours(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    world.sandbox.faults.add(
        "bigcommerce", "PUT", f"/v2/orders/{order.id}$", "before", status=503, times=2, body_regex='"status_id"'
    )
    await world.sign(request)
    await world.hold_is(order.id, "releasing")
    world.store.edit(order.id, quantities={order.lines[0].id: 4})
    second = await world.request_is(order.id, "sent", index=1)
    hold = await world.hold_is(order.id, "held")
    assert hold["found"]["status_id"] == 11
    await world.quiet()
    await world.sign(second)
    await world.order_is(order.id, 11)
    await world.hold_is(order.id, "released")


async def test_an_edit_that_nobody_may_approve_is_held_again(world: World) -> None:
    """Signed and released, then made larger than any limit: it must not go on because nobody can be asked."""
    await world.rule(customer=False, internal=True, agreement_id=0)
    await world.raw("DELETE FROM approval_limits WHERE up_to IS NULL")
    order = world.place(lines=[(world.dear, 2)])
    request = await world.request_is(order.id, "sent")
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.hold_is(order.id, "released")
    await world.quiet()
    world.store.edit(order.id, quantities={order.lines[0].id: 200})
    await world.task("cannot_ask")
    await world.order_is(order.id, 12)
    await world.hold_is(order.id, "held")


async def test_a_reminder_that_cannot_be_sent_is_no_endless_read(world: World) -> None:
    """Bounced: nobody is reminded, and the service is not asked every two seconds for ever."""
    await world.rule()
    _, request = await held_and_sent(world, customer_id=0, email="wrong@buyer.test")
    world.sandbox.signature.bounce("wrong@buyer.test")
    await world.task("bounced")
    await world.quiet()
    now = world.services.clock.now()
    await world.raw(
        "UPDATE requests SET remind_at = $2, read_due_at = $3 WHERE id = $1",
        request["id"],
        now - timedelta(minutes=1),
        now + timedelta(minutes=10),
    )

    def reads() -> int:
        path = f"/documents/{request['provider_document']}/"
        return len([c for c in world.sandbox.calls if c.method == "GET" and c.path.endswith(path)])

    before = reads()
    for _ in range(3):
        await Worker(world.services, "test").tick()
        await world.quiet()
    assert reads() == before


async def test_a_request_first_seen_when_opened_is_read_again(world: World) -> None:
    """The send is answered late; the signer opens it before we know. It is read again and reminded all the same."""
    await world.rule()
    world.sandbox.faults.add("signature", "POST", "requests/$", "late", seconds=3)
    order = world.place()

    async def made() -> Any:
        rows = await world.requests(order.id)
        document = rows and rows[0]["provider_document"]
        return document and any(
            r.document.uuid == str(document) for r in list(world.sandbox.signature.store.requests.values())
        )

    await world.until(made)
    rows = await world.requests(order.id)
    email = (await world.raw("SELECT email FROM signers WHERE request_id = $1", rows[0]["id"]))[0]["email"]
    await asyncio.to_thread(world.sandbox.signature.view, str(rows[0]["provider_document"]), email)
    await world.request_is(order.id, "viewed")
    await world.quiet()
    found = (await world.requests(order.id))[0]
    assert found["read_due_at"] is not None
    assert found["sent_at"] is not None


async def test_a_step_tried_again_by_a_person_makes_no_second_document_and_goes_on(world: World) -> None:
    await world.rule()
    world.sandbox.faults.add("signature", "POST", "/api/v1/documents/$", "after", status=503)
    # The answer is lost and the retry finds the door shut for good: a person has to try again.
    world.sandbox.faults.add("signature", "GET", "/api/v1/documents/$", "before", status=400)
    order = world.place()

    async def failed() -> Any:
        rows = await world.raw("SELECT id FROM actions WHERE kind = 'create_document' AND state = 'failed'")
        return rows

    action = (await world.until(failed))[0]["id"]
    await world.quiet()
    now = world.services.clock.now()
    async with world.db.transaction():
        values = {"store_hash": world.store_hash, "id": action, "now": now}
        assert await world.db.fetch_one("rerun_action", values) is not None
        await queue_heads(world.db, world.store_hash, RecordKey("order", str(order.id)), now)
    await world.request_is(order.id, "sent")
    await world.quiet()
    assert len(world.sandbox.signature.store.documents) == 1


async def test_test_mode_is_left_while_a_simulated_request_is_open(world: World) -> None:
    await world.rule()
    await settings(world, test_mode_user=world.store.owner.id)
    order = world.place()
    await world.request_is(order.id, "sent")
    await world.quiet()
    owner, now = world.store.owner.id, world.services.clock.now()
    await save_settings(
        world.db,
        world.store_hash,
        {"test_mode_user": 0},
        version=(await world.raw("SELECT settings_version FROM stores"))[0]["settings_version"],
        base={},
        actor=f"user:{owner}",
        now=now,
    )
    await world.request_is(order.id, "sent", index=1)
    first, second = await world.requests(order.id)
    assert (first["simulated"], second["simulated"]) == (True, False)
    await world.request_is(order.id, "cancelled", index=0)
    await world.hold_is(order.id, "held")
    assert await world.raw("SELECT key FROM deliveries WHERE parked_why IS NOT NULL") == []


async def test_a_rule_that_goes_on_asks_about_what_waited(world: World) -> None:
    rule = await world.rule(most_per_hour=2)
    first, _ = await held_and_sent(world)
    world.store.edit(first.id, quantities={first.lines[0].id: 3})  # a new round is a request too
    await world.request_is(first.id, "sent", index=1)
    waited = [world.place(), world.place()]  # one that the rule is paused at, one that it is paused for
    await world.task("rule_paused")
    await world.quiet()
    assert [len(await world.requests(o.id)) for o in waited] == [0, 0]
    world.advance(hours=2)
    assert await resume(world.db, world.store_hash, rule, world.store.owner.id, world.services.clock.now())
    for order in waited:
        await world.request_is(order.id, "sent")
        await world.hold_is(order.id, "held")


async def test_a_second_click_sends_once_and_a_released_order_is_held_again(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.sign(request)
    await world.hold_is(order.id, "released")
    await world.quiet()
    payload = {
        "purpose": "customer",
        "agreement_id": world.agreement_id,
        "account_id": world.account_id,
        "signers": [{"name": "Bo Buyer", "email": "bo@buyer.test", "person_id": None}],
        "hold": True,
    }
    async with world.db.transaction():
        await world.command(order.id, "send", payload=payload)
        await world.command(order.id, "send", payload=payload)
    await world.order_is(order.id, 12)
    second = await world.request_is(order.id, "sent", index=1)
    await world.hold_is(order.id, "held")
    await world.quiet()
    assert len(await world.requests(order.id)) == 2
    await world.sign(second, "bo@buyer.test")
    await world.order_is(order.id, 11)


async def test_asked_again_after_it_was_signed_the_newer_round_decides(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.sign(request)
    await world.hold_is(order.id, "released")
    await world.quiet()
    await world.command(order.id, "ask_again", request_id=request["id"], why="The stamp is missing")
    second = await world.request_is(order.id, "sent", index=1)
    await world.order_is(order.id, 12)
    await world.quiet()
    assert (await world.requests(order.id))[1]["status"] == "sent"
    await world.sign(second)
    await world.order_is(order.id, 11)


async def test_what_is_captured_by_hand_is_not_captured_by_us(world: World) -> None:
    await settings(world, payment_mode="authorize", release_capture=False)
    await world.rule()
    order, request = await held_and_sent(world, payment="authorized")
    await world.sign(request)
    await world.hold_is(order.id, "released")
    await world.quiet()
    assert [c for c in world.sandbox.calls if c.path.endswith("payment_actions/capture")] == []


async def test_a_release_that_failed_ends_when_a_person_moves_the_order_on(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    world.sandbox.faults.add(
        "bigcommerce", "PUT", f"/v2/orders/{order.id}$", "before", status=422, body_regex='"status_id"'
    )
    await world.sign(request)
    await world.task("failed:release_order")
    await world.quiet()
    world.store.set_status(order.id, 11)
    await world.hold_is(order.id, "released")


async def test_an_order_that_is_not_held_says_signed_when_it_is(world: World) -> None:
    await settings(world, shipping_tool="")
    await world.rule()
    order = world.place()
    request = await world.request_is(order.id, "sent")
    await world.quiet()
    await world.sign(request)

    async def said() -> bool:
        found = [m for m in world.store.metafields_of("order", order.id) if m["key"] == "state"]
        return bool(found) and found[0]["value"] == "signed"

    await world.until(said)


async def test_what_a_person_types_is_kept_outside_of_the_audit_log(world: World) -> None:
    """The log is never erased; a reason may name somebody."""
    await world.rule()
    order, request = await held_and_sent(world)
    await world.command(order.id, "cancel", request_id=request["id"], why="Bo Buyer phoned")
    found = await world.request_is(order.id, "cancelled")
    assert found["status_why"] == "Bo Buyer phoned"
    await world.command(order.id, "release", why="Bo Buyer paid on paper")
    hold = await world.hold_is(order.id, "overridden")
    assert hold["state_why"].startswith("Bo Buyer paid on paper")  # what the release found may stand behind it already
    await world.quiet()
    lines = await world.raw("SELECT detail FROM audit_log")
    assert [line for line in lines if "Bo Buyer" in str(line["detail"])] == []


async def test_a_slow_sweep_does_not_stop_the_tick(world: World) -> None:
    """A store whose list takes long must not delay what is due in others."""
    asked, answer = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        answer.wait(PATIENCE)

    world.sandbox.faults.add("bigcommerce", "GET", "/v2/orders$", "late", hook=wait)
    try:
        await world.raw("UPDATE sweeps SET due_at = $1 WHERE name = 'orders'", world.services.clock.now())
        assert await asyncio.to_thread(asked.wait, PATIENCE)
        now = world.services.clock.now()
        record = RecordKey("store", world.store_hash)
        async with world.db.transaction():
            action = await queue_action(
                world.db, world.store_hash, ActionKind.REGISTER_HOOKS, record, now, due_at=now + timedelta(seconds=0.5)
            )

        async def done() -> bool:
            rows = await world.raw("SELECT state FROM actions WHERE id = $1", action)
            return bool(rows[0]["state"] == "applied")

        await world.until(done, said="what is due runs while a sweep waits")
    finally:
        answer.set()


async def test_a_hold_of_somebody_else_is_not_lifted_by_hand_either(world: World) -> None:
    await world.rule()
    order = world.place(status_id=12)
    await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "joined")
    await world.command(order.id, "release", why="Signed on paper")
    await world.request_is(order.id, "cancelled")
    await world.quiet()
    hold = await world.hold(order.id)
    assert hold is not None
    assert hold["state"] == "overridden"
    assert hold["state_why"] == "Signed on paper. It was already held by someone else, so it is left held."
    assert world.store.orders[order.id].status_id == 12
    assert world.writes(order.id) == []


async def test_a_signature_that_comes_before_the_expiry_is_carried_out_counts(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    signed_before_refused(world, request)
    await world.raw("UPDATE requests SET expires_at = $2 WHERE id = $1", request["id"], world.services.clock.now())
    world.advance(minutes=16)
    await world.request_is(order.id, "completed")
    await world.order_is(order.id, 11)


async def test_a_request_is_not_ended_by_an_account_that_never_knew_it(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.raw("UPDATE signature_accounts SET tenant = tenant || 'x'")  # and what is asked for is not there
    await world.raw("UPDATE requests SET provider_document = gen_random_uuid() WHERE id = $1", request["id"])
    world.advance(minutes=20)
    task = await world.task("account_changed")
    assert task["request_id"] == request["id"]

    async def looked_for_again() -> None:
        reads = (await world.requests(order.id))[-1]["missing_reads"]
        world.advance(minutes=61)

        async def looked() -> bool:
            return bool((await world.requests(order.id))[-1]["missing_reads"] > reads)

        await world.until(looked, said="the document was looked for again")
        await world.quiet()  # and that look has ended

    for _ in range(4):
        await looked_for_again()
    assert (await world.requests(order.id))[-1]["status"] == "sent"
    await world.raw("UPDATE signature_accounts SET tenant = rtrim(tenant, 'x')")
    await world.raw(
        "UPDATE requests SET provider_document = $2 WHERE id = $1", request["id"], request["provider_document"]
    )
    world.advance(minutes=61)

    async def settled() -> bool:
        rows = await world.raw("SELECT done_at FROM tasks WHERE kind = 'account_changed'")
        return all(r["done_at"] is not None for r in rows)

    await world.until(settled)
    assert (await world.requests(order.id))[-1]["missing_since"] is None
