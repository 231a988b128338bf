"""Who signs and until when, over HTTP and by the sandbox clock: tables, steps, deputies, bounces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from bcapp.core.rules import Band, Step
from bcapp.db.calendars import save_calendar
from bcapp.db.steps import count_again
from bcapp.sandbox.signature import NotPossible
from tests.fixtures.world import World, make_sandbox, open_world, set_up

pytestmark = pytest.mark.journey

DANA, CLEO = "dana@northfield.test", "cleo@northfield.test"


@pytest_asyncio.fixture
async def world(database_dsn: str) -> AsyncIterator[World]:
    """The world with a mail server."""
    sandbox = make_sandbox()
    port = await asyncio.to_thread(sandbox.signature.start_smtp)
    try:
        async with open_world(database_dsn, sandbox, smtp_url=f"smtp://127.0.0.1:{port}?from=app@app.test") as opened:
            await set_up(opened)
            yield opened
            assert sandbox.spec_errors == []
    finally:
        await asyncio.to_thread(sandbox.signature.stop_smtp)


async def approval(world: World, **definition: Any) -> int:
    given = {"customer": False, "internal": True, "agreement_id": 0, "expiry_days": 30, **definition}
    return await world.rule("Approval", **given)


async def asked(world: World, **more: Any) -> tuple[Any, dict[str, Any]]:
    order = world.place(**more)
    request = await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    return order, request


async def signers(world: World, request: dict[str, Any]) -> list[tuple[str, int, str, str]]:
    rows = await world.raw(
        "SELECT email, turn, role, state FROM signers WHERE request_id = $1 ORDER BY position", request["id"]
    )
    return [(r["email"], r["turn"], r["role"], r["state"]) for r in rows]


async def steps(world: World, request: dict[str, Any]) -> dict[int, str]:
    rows = await world.raw("SELECT position, outcome FROM request_steps WHERE request_id = $1", request["id"])
    return {r["position"]: r["outcome"] for r in rows}


async def step_is(world: World, request: dict[str, Any], position: int, outcome: str) -> None:
    """Let the clock go to the step, and wait until it is taken."""
    rows = await world.raw(
        "SELECT due_at FROM request_steps WHERE request_id = $1 AND position = $2", request["id"], position
    )
    world.advance(seconds=max(0, (rows[0]["due_at"] - world.services.clock.now()).total_seconds()) + 30)

    async def there() -> bool:
        return (await steps(world, request))[position] == outcome

    await world.until(there, said=f"step {position} is {outcome}")


async def passes(world: World, **time: float) -> None:
    world.advance(**time)
    await world.quiet()


def mails(world: World, to: str, kind: str) -> list[Any]:
    return list(world.sandbox.signature.inbox.find(to=to, kind=kind))


async def test_two_approve_in_order_by_the_table(world: World) -> None:
    dana, cleo = world.people[DANA], world.people[CLEO]
    await approval(world, bands=(Band("600.00 USD", (dana,)), Band("", (dana, cleo))))
    order, request = await asked(world)
    assert [s[:3] for s in await signers(world, request)] == [(DANA, 1, "sign"), (CLEO, 2, "sign")]
    with pytest.raises(NotPossible):
        await world.sign(request, CLEO)
    await world.sign(request, DANA)
    await world.request_is(order.id, "partly_signed")
    await world.order_is(order.id, 12)
    await world.sign(request, CLEO)
    await world.order_is(order.id, 11)
    await world.hold_is(order.id, "released")


async def test_approve_only_with_a_copy(world: World) -> None:
    dana, cleo = world.people[DANA], world.people[CLEO]
    await approval(world, approvers=(dana,), approve_only=True, copies=(cleo,))
    order, request = await asked(world)
    assert [s[:3] for s in await signers(world, request)] == [(DANA, 1, "approve"), (CLEO, 1, "copy")]
    assert request["document_fields"] == []
    await world.sign(request, DANA)
    await world.order_is(order.id, 11)


async def test_who_asked_cannot_approve(world: World) -> None:
    await approval(world, approvers=(world.people[DANA],))
    order = world.place(customer_id=0, email=DANA)
    task = await world.task("no_other_approver")
    await world.hold_is(order.id, "held")
    assert await world.requests(order.id) == []
    assert task["alarm"]
    assert "No other approver" in task["text"]


async def test_who_sends_by_hand_cannot_approve(world: World) -> None:
    owner = world.store.owner
    rows = await world.raw("SELECT person_id FROM users WHERE id = $1", owner.id)
    order = world.place("small")
    await world.quiet()
    me = {"name": "Me", "email": owner.email.lower(), "person_id": rows[0]["person_id"]}
    payload = {"purpose": "internal", "account_id": world.account_id, "hold": False, "signers": [me]}
    await world.command(order.id, "send", payload=payload)
    await world.task("no_other_approver")
    assert await world.requests(order.id) == []
    dana = {"name": "Dana", "email": DANA, "person_id": world.people[DANA]}
    await world.command(order.id, "send", payload={**payload, "signers": [me, dana]})
    request = await world.request_is(order.id, "sent")
    assert [s[:2] for s in await signers(world, request)] == [(DANA, 1)]


async def test_remind_tell_replace_and_keep(world: World) -> None:
    """Every step comes once, by the store's clock, and the alternate's round keeps the steps that are left."""
    dana, cleo = world.people[DANA], world.people[CLEO]
    ladder = (
        Step(1, "remind", working_days=False),
        Step(2, "escalate", person=cleo, working_days=False),
        Step(3, "alternate", person=cleo, working_days=False),
        Step(4, "remind", working_days=False),
        Step(5, "outcome", outcome="keep", working_days=False),
    )
    await approval(world, approvers=(dana,), steps=ladder)
    order, request = await asked(world)
    assert request["remind_at"] is None
    await step_is(world, request, 0, "reminded")
    await world.quiet()
    assert len(mails(world, DANA, "reminder")) == 1
    await step_is(world, request, 1, "told")

    async def told() -> bool:
        return len(mails(world, CLEO, "app")) == 1

    await world.until(told, said="Cleo is told")
    assert "Dana Lead" in mails(world, CLEO, "app")[0].text
    await world.task("escalated")
    await step_is(world, request, 2, "replaced")
    await world.request_is(order.id, "cancelled", index=0)
    second = await world.request_is(order.id, "sent", index=1)
    assert [s[0] for s in await signers(world, second)] == [CLEO]
    assert (second["round"], second["expires_at"]) == (2, request["expires_at"])
    assert list((await steps(world, request)).values()) == ["reminded", "told", "replaced", "carried", "carried"]
    await step_is(world, second, 3, "reminded")
    await world.quiet()
    assert len(mails(world, CLEO, "reminder")) == 1
    await step_is(world, second, 4, "kept")
    assert (await world.task("not_answered"))["alarm"]
    await world.hold_is(order.id, "held")
    await passes(world, days=5)
    assert await steps(world, second) == {3: "reminded", 4: "kept"}
    assert len(mails(world, DANA, "reminder")) == 1
    await world.sign(second, CLEO)
    await world.order_is(order.id, 11)
    open_tasks = await world.raw("SELECT kind FROM tasks WHERE done_at IS NULL")
    assert open_tasks == []


async def test_nobody_answered_in_time_and_the_rule_lets_it_go(world: World) -> None:
    steps_ = (Step(2, "outcome", outcome="release", working_days=False), Step(3, "remind", working_days=False))
    await world.rule(steps=steps_, expiry_days=30)
    order, request = await asked(world)
    await passes(world, hours=20)
    await world.order_is(order.id, 12)
    await step_is(world, request, 0, "released")
    await world.order_is(order.id, 11)
    hold = await world.hold_is(order.id, "released")
    assert hold["state_why"].startswith("Nobody answered in time. The rule lets it go.")
    ended = await world.request_is(order.id, "cancelled")
    assert ended["status_why"] == "Nobody answered in time."
    noted = await world.raw("SELECT event FROM audit_log WHERE event = 'released_unsigned'")
    assert len(noted) == 1
    assert await steps(world, request) == {0: "released", 1: "ended"}
    # It stays let go; a material edit asks again.
    await passes(world, hours=1)
    assert len(await world.requests(order.id)) == 1
    world.store.edit(order.id, quantities={order.lines[0].id: 3})
    await world.request_is(order.id, "sent", index=1)
    await world.order_is(order.id, 12)


async def test_another_rule_that_waits_keeps_the_hold_shut(world: World) -> None:
    """The strictest wins: only the request of the rule that lets go is waived."""
    await world.rule(steps=(Step(1, "outcome", outcome="release", working_days=False),), expiry_days=30)
    await approval(world, approvers=(world.people[DANA],))
    order, _ = await asked(world)
    await world.request_is(order.id, "sent", index=1)
    await step_is(world, (await world.requests(order.id))[0], 0, "released")
    await world.request_is(order.id, "cancelled", index=0)
    await world.order_is(order.id, 12)
    await world.sign((await world.requests(order.id))[1], DANA)
    await world.order_is(order.id, 11)


async def test_a_changed_calendar_and_zone_count_open_steps_again(world: World) -> None:
    now = world.services.clock.now()
    every = frozenset(range(7))
    author = world.store.owner.id

    async def save(calendar_id: int, version: int, days: frozenset[int]) -> int:
        async with world.db.transaction():
            saved = await save_calendar(world.db, world.store_hash, calendar_id, name="Office", weekdays=days,
                holidays=frozenset(), version=version, author=author, now=now)  # fmt: skip
            assert saved is not None
            await count_again(world.db, world.store_hash, await zone(), now, calendar_id=saved.id)
        return saved.id

    async def zone() -> str:
        rows = await world.raw(
            "SELECT profile->>'timezone' AS zone FROM stores WHERE store_hash = $1", world.store_hash
        )
        return str(rows[0]["zone"])

    async def row(request: dict[str, Any]) -> dict[str, Any]:
        return (await world.raw("SELECT * FROM request_steps WHERE request_id = $1", request["id"]))[0]

    calendar = await save(0, 0, every)
    await world.rule(steps=(Step(3, "remind"),), calendar_id=calendar, expiry_days=60)
    _, request = await asked(world)
    before = await row(request)
    weekday = frozenset({before["local_date"].weekday()})
    await save(calendar, 1, weekday)
    after = await row(request)
    assert (after["due_at"] - before["due_at"], after["calendar_version"]) == (timedelta(days=14), 2)
    # The store moves: its zone is read when BigCommerce says that the store changed.
    world.store.timezone = "Pacific/Auckland"
    world.store.emit("store/information/updated", {"type": "store"})

    async def moved() -> bool:
        return bool((await row(request))["zone"] == "Pacific/Auckland")

    await world.until(moved, said="the step is counted in the new zone")
    there = await row(request)
    assert there["local_time"] == before["local_time"]
    assert there["due_at"] != after["due_at"]


async def test_a_bounce_loses_no_signature(world: World) -> None:
    """The first has signed, the second cannot be reached: steps rest, the address is mended, the signature stays."""
    dana, cleo = world.people[DANA], world.people[CLEO]
    ladder = (Step(1, "remind", working_days=False), Step(2, "outcome", outcome="release", working_days=False))
    await approval(world, approvers=(dana, cleo), steps=ladder)
    await asyncio.to_thread(world.sandbox.signature.bounce, CLEO)
    order, request = await asked(world)
    await world.sign(request, DANA)
    await world.task("bounced")
    first = {r["position"]: r["due_at"] for r in await world.raw("SELECT position, due_at FROM request_steps")}
    await passes(world, days=4)
    assert await steps(world, request) == {0: "", 1: ""}
    assert mails(world, CLEO, "reminder") == mails(world, DANA, "reminder") == []
    await world.order_is(order.id, 12)
    # The directory is mended first; the request then follows it.
    right = "cleo.right@northfield.test"
    await world.raw("UPDATE people SET email = $2 WHERE id = $1", cleo, right)
    # The service tells of it before our own row does: nothing may be taken in between.
    world.sandbox.faults.add("signature", "POST", "forward_signer", "late", seconds=3)
    await world.command(order.id, "mend", request_id=request["id"], payload={"position": 1, "email": right})

    async def mended() -> bool:
        return [(s[0], s[3]) for s in await signers(world, request)] == [(DANA, "signed"), (right, "emailed")]

    await world.until(mended, said="the second signer has the right address")
    await world.quiet()
    later = {r["position"]: r["due_at"] for r in await world.raw("SELECT position, due_at FROM request_steps")}
    assert all(later[p] - first[p] >= timedelta(days=3) for p in first)
    assert len(mails(world, right, "invitation")) == 1
    await world.sign(request, right)
    await world.order_is(order.id, 11)
    done = await world.request_is(order.id, "completed")
    assert (done["round"], len(await world.requests(order.id))) == (1, 1)
    judged = await world.raw("SELECT checked FROM requests WHERE id = $1", request["id"])
    assert judged[0]["checked"] == "right"


async def test_without_steps_the_usual_days_stay(world: World) -> None:
    await world.rule(expiry_days=30)
    order, request = await asked(world)
    assert request["remind_at"] is not None
    await passes(world, days=1, minutes=20)
    email = world.store.orders[order.id].billing["email"]
    assert len(mails(world, email, "reminder")) == 1
