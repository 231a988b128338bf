"""A worker is killed -9 in the middle of every kind of action; another one takes over; everything happened once.

For each moment, a test file of its own, the kinds are brought to their call some at a time, the worker is killed once
for these, and a new one has to end all of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from bcapp.core.actions import ActionKind
from tests.crash.scenes import SCENES, Scene, SendMail
from tests.crash.stage import Gate, Moment, Stage
from tests.fixtures.database import create_one, drop_one, in_thread
from tests.fixtures.processes import Nursery, Running, running
from tests.fixtures.world import PATIENCE, free_port, set_up

MOST_CALLS = 10  # that wait at the same time: a worker does twenty things at once
MOST_COMMITS = 5  # likewise: it has ten connections, and looks wait behind them


class Post:
    """The mail server: one mail waits at the gate, before or after it was taken."""

    def __init__(self, inbox: Any) -> None:
        self._inbox = inbox
        self.gate: Gate | None = None
        self.moment = Moment.UNSENT

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        gate = None
        if b"came back" in bytes(envelope.content):
            gate, self.gate = self.gate, None
        if gate is not None and self.moment is Moment.UNSENT:
            await asyncio.to_thread(gate.wait, str(ActionKind.SEND_MAIL))
            return "451 Not now"
        answer: str = await self._inbox.handle_DATA(server, session, envelope)
        if gate is not None:
            await asyncio.to_thread(gate.wait, str(ActionKind.SEND_MAIL))
        return answer


async def each(scenes: list[Scene], step: Callable[[Scene], Coroutine[Any, Any, Any]]) -> None:
    """Take a step in every scene that has not failed yet; a failure is kept for its kind's own test."""

    going = [s for s in scenes if s.problem is None]
    for scene, came in zip(going, await asyncio.gather(*map(step, going), return_exceptions=True), strict=True):
        if isinstance(came, BaseException):
            came.add_note(f"{scene.kind}, killed {scene.stage.moment}, at the step {step.__name__}")
            scene.problem = came


async def crash(app: Running, post: Post, moment: Moment, kinds: list[ActionKind]) -> list[Scene]:
    """Bring the kinds to their call, kill the worker there, start another, and see every journey to its end."""
    stage = Stage(app, moment)
    scenes = [SCENES[kind](stage) for kind in kinds]
    if SendMail.kind in kinds:
        post.gate, post.moment = stage.gate, moment
    try:
        await each(scenes, prepare)
        await each(scenes, go)
        alive = [s for s in scenes if s.problem is None]
        missing = await stage.arrived([s.name for s in alive])
        for scene in alive:
            if scene.name in missing:
                scene.problem = AssertionError(f"{scene.kind} did not come to its call\n{app.tails()}")
        await each(scenes, caught)
        if moment is Moment.UNCOMMITTED:
            await hold_commits(stage, scenes)
        await asyncio.to_thread(app.worker.kill)
    finally:
        await stage.let_go()
    if moment is not Moment.UNSENT:
        await each(scenes, caught)  # nothing was committed
    app.world.sandbox.faults.clear()
    await app.restart_worker()
    await each(scenes, recovered)
    await each(scenes, finish)
    await app.world.quiet()
    await each(scenes, check)
    for scene in scenes:
        if scene.problem is not None:
            scene.problem.add_note(app.tails())
    return scenes


async def hold_commits(stage: Stage, scenes: list[Scene]) -> None:
    """Lock the rows of the started actions, let the calls be answered, and wait until every commit waits."""
    by_rows = (ActionKind.PREPARE_DOCUMENT, ActionKind.TRY_RULE, ActionKind.ASK_CAMPAIGN, ActionKind.KEEP_AGREEMENT)
    ids = [(await s.action())["id"] for s in scenes if s.problem is None and s.kind not in by_rows]
    if not ids:
        return
    locks = await stage.lock("SELECT id FROM actions WHERE id = ANY($1) FOR UPDATE", ids)
    stage.gate.open()
    waiting = await stage.blocked(locks, len(ids))
    assert waiting >= len(ids), f"{waiting} of {len(ids)} commits wait"


async def prepare(scene: Scene) -> None:
    await scene.prepare()


async def go(scene: Scene) -> None:
    await scene.go()


async def caught(scene: Scene) -> None:
    await scene.caught()


async def recovered(scene: Scene) -> None:
    await scene.recovered()


async def finish(scene: Scene) -> None:
    await scene.finish()


async def check(scene: Scene) -> None:
    scene.check()


async def crash_all(nursery: Nursery, dsn: str, logs: Path, moment: Moment) -> dict[ActionKind, Scene]:
    kinds = list(SCENES)
    size = MOST_COMMITS if moment is Moment.UNCOMMITTED else MOST_CALLS
    parts = [kinds[i : i + size] for i in range(0, len(kinds), size)]
    smtp_port = free_port()
    done: list[Scene] = []
    smtp_url = f"smtp://127.0.0.1:{smtp_port}?from=app@northfield.test"
    async with running(nursery, dsn, logs, call_seconds=2 * PATIENCE, smtp_url=smtp_url) as app:
        post = Post(app.world.sandbox.signature.inbox)
        mail = Controller(post, hostname="127.0.0.1", port=smtp_port, ready_timeout=60)
        mail.start()
        try:
            # What waits for a spent budget would let the others at the gate time out.
            app.world.store.b2b.quota = 20_000
            await set_up(app.world)
            await app.world.raw(
                'UPDATE stores SET settings = settings || \'{"payment_mode": "authorize", "staff_note": true}\''
            )
            await app.world.rule(most_per_hour=1000, most_per_day=1000)
            await app.world.quiet()
            for part in parts:
                done += await crash(app, post, moment, part)
            assert app.world.sandbox.spec_errors == []
        finally:
            mail.stop()
    return {scene.kind: scene for scene in done}


def killed_at(moment: Moment, nursery: Nursery, server: str, template: str, logs: Path) -> dict[ActionKind, Scene]:
    """Return all kinds, killed at one moment: what became of each."""
    name = f"test_{os.getpid()}_crash_{moment.name.lower()}"
    dsn = in_thread(create_one(server, name, template))
    try:
        return in_thread(crash_all(nursery, dsn, logs, moment))
    finally:
        in_thread(drop_one(server, name))
