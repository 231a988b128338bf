"""A worker is killed -9 at a step of an escalation: the mail comes at most once, the step is taken exactly once.

in the commit   the step is written and cannot be committed; nothing of it may stand, then all of it once
unsent          the mail server has not taken the mail yet: it is never sent
executed        the mail server has it: it is not sent again
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller

from bcapp.core.rules import Step
from tests.crash.stage import Gate, Moment, Stage
from tests.fixtures.processes import Nursery, Running, running
from tests.fixtures.world import World, free_port, set_up

pytestmark = pytest.mark.crash

DANA, CLEO = "dana@northfield.test", "cleo@northfield.test"
SECONDS = 60.0


class Post:
    """The mail server: a mail about a step waits at the gate, before or after it was taken."""

    def __init__(self, inbox: Any) -> None:
        self._inbox = inbox
        self.gate: Gate | None = None
        self.moment = Moment.UNSENT

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        gate, self.gate = self.gate, None
        if gate is not None and self.moment is Moment.UNSENT:
            await asyncio.to_thread(gate.wait, "mail")
            return "451 Not now"
        answer: str = await self._inbox.handle_DATA(server, session, envelope)
        if gate is not None:
            await asyncio.to_thread(gate.wait, "mail")
        return answer


@pytest_asyncio.fixture
async def scene(nursery: Nursery, database_dsn: str, tmp_path: Path) -> AsyncIterator[tuple[Running, Post]]:
    port = free_port()
    smtp = f"smtp://127.0.0.1:{port}?from=app@northfield.test"
    async with running(nursery, database_dsn, tmp_path, smtp_url=smtp) as app:
        post = Post(app.world.sandbox.signature.inbox)
        mail = Controller(post, hostname="127.0.0.1", port=port, ready_timeout=20)
        mail.start()
        try:
            await set_up(app.world)
            yield app, post
            assert app.world.sandbox.spec_errors == []
        finally:
            mail.stop()


async def asked(world: World, *steps: Step) -> dict[str, Any]:
    """A sent request of one approver, with these steps, and the clock shortly before the first."""
    await world.rule(
        customer=False,
        internal=True,
        agreement_id=0,
        approvers=(world.people[DANA],),
        steps=steps,
        expiry_days=30,
    )
    order = world.place()
    request = await world.request_is(order.id, "sent", seconds=SECONDS)
    await world.hold_is(order.id, "held", seconds=SECONDS)
    await world.quiet(SECONDS)
    return request


async def outcomes(world: World, request: dict[str, Any]) -> list[str]:
    rows = await world.raw("SELECT outcome FROM request_steps WHERE request_id = $1 ORDER BY position", request["id"])
    return [r["outcome"] for r in rows]


async def go_to_step(world: World, request: dict[str, Any]) -> None:
    rows = await world.raw("SELECT min(due_at) AS at FROM request_steps WHERE request_id = $1", request["id"])
    world.sandbox.clock.advance((rows[0]["at"] - world.services.clock.now() + timedelta(seconds=5)).total_seconds())


async def noted(world: World, event: str) -> int:
    return int((await world.raw("SELECT count(*) AS n FROM audit_log WHERE event = $1", event))[0]["n"])


async def test_killed_in_the_commit_of_a_step(scene: tuple[Running, Post]) -> None:
    """The alternate is asked exactly once: one new round, one document for it, the first round taken back once."""
    app, _ = scene
    world = app.world
    cleo = world.people[CLEO]
    request = await asked(world, Step(1, "alternate", person=cleo, working_days=False))
    stage = Stage(app, Moment.UNCOMMITTED)
    try:
        lock = await stage.connection()
        await lock.execute("LOCK TABLE audit_log IN SHARE MODE")  # the last thing that a step writes is its line there
        await go_to_step(world, request)
        assert await stage.blocked(lock, 1, SECONDS) >= 1
        await asyncio.to_thread(app.worker.kill)
    finally:
        await stage.let_go()
    assert await outcomes(world, request) == [""]
    assert len(await world.raw("SELECT id FROM requests")) == 1
    await app.restart_worker()
    order = int(request["record_id"])
    await world.request_is(order, "cancelled", index=0, seconds=SECONDS)
    second = await world.request_is(order, "sent", index=1, seconds=SECONDS)
    await world.quiet(SECONDS)
    assert await outcomes(world, request) == ["replaced"]
    assert len(await world.raw("SELECT id FROM requests")) == 2
    assert await noted(world, "alternate_asked") == 1
    assert len(stage.executed("POST", f"/{request['provider_request']}/cancel")) == 1
    assert len(stage.executed("POST", "/documents/$")) == 2
    assert len(stage.mails(CLEO, "invitation")) == 1
    await world.sign(second, CLEO)
    await world.order_is(order, 11, seconds=SECONDS)


@pytest.mark.parametrize(("moment", "mails"), [(Moment.UNSENT, 0), (Moment.EXECUTED, 1)])
async def test_killed_while_somebody_is_told(scene: tuple[Running, Post], moment: Moment, mails: int) -> None:
    """The mail at most once, the step exactly once, the task once."""
    app, post = scene
    world = app.world
    request = await asked(world, Step(1, "escalate", person=world.people[CLEO], working_days=False))
    stage = Stage(app, moment)
    post.gate, post.moment = stage.gate, moment
    try:
        await go_to_step(world, request)
        assert await stage.arrived(["mail"], SECONDS) == set()
        await asyncio.to_thread(app.worker.kill)
    finally:
        await stage.let_go()
    await app.restart_worker()

    async def ended() -> bool:
        rows = await world.raw("SELECT state FROM actions WHERE kind = 'send_mail'")
        return [r["state"] for r in rows] == ["skipped"]

    await world.until(ended, SECONDS, "the mail's action ended")
    await world.quiet(SECONDS)
    world.sandbox.clock.advance(86_400)
    await world.quiet(SECONDS)
    assert len(stage.mails(CLEO, "app")) == mails
    assert await outcomes(world, request) == ["told"]
    assert await noted(world, "escalated") == 1
    assert len(await world.raw("SELECT id FROM tasks WHERE kind = 'escalated'")) == 1
