"""Hundreds of orders while web, worker or PostgreSQL is killed -9 every second: each matching order is signed once.

What is counted: documents made and sent at the signature service, invitations mailed, and how the order's status
really changed at the store. A hold that is written a second time by its recovery, with the same status, changes
nothing there and is no second hold; it is told in the test's output.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bcapp.db.embedded import EmbeddedPostgres, EmbeddedPostgresError, kill_postmaster
from bcapp.db.migrate import migrate
from tests.fixtures.processes import Nursery, Running, running
from tests.fixtures.world import set_up

pytestmark = pytest.mark.crash

ORDERS = int(os.environ.get("CHAOS_ORDERS", "500"))
SEED = int(os.environ.get("CHAOS_SEED", "20261122"))
MATCHING = 4  # one order in so many is large enough for the rule
KILL_SECONDS = 1.0
PLACING_SECONDS, KILLING_SECONDS = 15.0, 25.0
PATIENCE = 120.0  # without any progress; what each part of the recovery takes is printed
HELD, PAID = 12, 11


class Ruin:
    """Kills one of the three every second, from now until stopped, and has it started again."""

    def __init__(self, app: Running, data: Path, chance: Random) -> None:
        self._app, self._data, self._chance = app, data, chance
        self.killed: Counter[str] = Counter()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), KILL_SECONDS)
                return
            await self._kill(self._chance.choice(("web", "worker", "postgres")))

    async def _kill(self, what: str) -> None:
        self.killed[what] += 1
        if what == "postgres":
            # When it is still down from the last time there is nothing to kill; its owner starts it again by itself.
            with contextlib.suppress(EmbeddedPostgresError, ProcessLookupError):
                kill_postmaster(self._data)
            return
        process = self._app.web if what == "web" else self._app.worker
        await asyncio.to_thread(process.kill)
        process.start()

    def keep_alive(self) -> None:
        """Start what ended by itself, as every platform does: a web process that finds no database at its start."""
        for process in (self._app.web, self._app.worker):
            if not process.is_running:
                process.start()

    def stop(self) -> None:
        self._stopping.set()


async def rows(app: Running, sql: str, *values: Any) -> list[dict[str, Any]] | None:
    """None while the database is away."""
    try:
        return await app.world.raw(sql, *values)
    except Exception as exc:
        if isinstance(exc, AssertionError):
            raise
        return None


async def until_count(app: Running, ruin: Ruin, sql: str, wanted: int, seconds: float, said: str) -> None:
    """Wait until the query answers so many, while whatever ends is started again.

    seconds: how long nothing at all may be done; a slow machine takes longer in all, and holds come before requests.
    """
    end, last, done = time.monotonic() + seconds, -1, -1
    while last != wanted:
        if time.monotonic() > end:
            raise AssertionError(
                f"{said}: {last} of {wanted}, and nothing was done for {seconds:g} s\n{await app.world.picture()}"
            )
        await asyncio.sleep(0.25)
        ruin.keep_alive()
        found, work = await rows(app, sql), await rows(app, WORK_DONE)
        if found and work:
            last = int(found[0]["n"])
            if work[0]["n"] != done:
                end, done = time.monotonic() + seconds, int(work[0]["n"])


WORK_DONE = (
    "SELECT (SELECT count(*) FROM deliveries WHERE done_at IS NOT NULL) + (SELECT count(*) FROM actions"
    " WHERE state IN ('applied', 'skipped')) + (SELECT count(*) FROM records) AS n"
)
SENT = "SELECT count(*) AS n FROM requests WHERE status = 'sent'"
RELEASED = "SELECT count(*) AS n FROM holds WHERE state = 'released'"
OPEN_WORK = (
    "SELECT (SELECT count(*) FROM deliveries WHERE done_at IS NULL) +"
    " (SELECT count(*) FROM actions WHERE state IN ('pending', 'started')) AS n"
)


async def test_every_order_is_signed_once_whatever_is_killed(nursery: Nursery, tmp_path: Path) -> None:
    chance = Random(SEED)
    data = tmp_path / "data"
    # A killed process loses nothing that it has handed to the system; only a power cut would.
    postgres = EmbeddedPostgres(data, options={"fsync": "off"})
    dsn = await asyncio.to_thread(postgres.start)
    await migrate(dsn)
    watching = asyncio.create_task(postgres.supervise())
    try:
        async with running(nursery, dsn, tmp_path, validated=False) as app:
            await set_up(app.world)
            await app.world.rule(most_per_hour=10 * ORDERS, most_per_day=10 * ORDERS)
            await app.world.quiet()
            ruin = Ruin(app, data, chance)
            await chaos(app, ruin, chance)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(clear, data)


def clear(data: Path) -> None:
    """Remove the server's files where they are elsewhere: PostgreSQL does not run as root, nor under root's folders."""
    location = data / "postgres.location"
    if location.exists():
        shutil.rmtree(Path(location.read_text().strip()).parent)


async def chaos(app: Running, ruin: Ruin, chance: Random) -> None:
    world, begun = app.world, time.monotonic()
    killing = asyncio.create_task(ruin.run())
    wanted: dict[int, str] = {}
    others: list[int] = []
    for number in range(ORDERS):
        email = f"buyer{number}@chaos.test"
        is_large = number % MATCHING == 0
        lines = [(world.dear, 2)] if is_large else [(world.cheap, 1)]
        order = await asyncio.to_thread(world.place, lines=lines, email=email)
        if is_large:
            wanted[order.id] = email
        else:
            others.append(order.id)
        await asyncio.sleep(chance.random() * 2 * PLACING_SECONDS / ORDERS)
    await asyncio.sleep(max(0.0, KILLING_SECONDS - (time.monotonic() - begun)))
    ruin.stop()
    await killing
    say(begun, f"killed {dict(ruin.killed)}, sent {await rows(app, SENT)}")
    await until_count(app, ruin, SENT, len(wanted), PATIENCE, "requests sent")
    say(begun, "all sent")
    for request in await world.raw("SELECT record_id, provider_document FROM requests"):
        email = wanted[int(request["record_id"])]
        await asyncio.to_thread(world.sandbox.signature.sign, str(request["provider_document"]), email)
    await until_count(app, ruin, RELEASED, len(wanted), PATIENCE, "holds released")
    say(begun, "all released")
    await until_count(app, ruin, OPEN_WORK, 0, PATIENCE, "open work")
    say(begun, "nothing left to do")
    await check(app, wanted, others)


def say(begun: float, what: str) -> None:
    print(f"{time.monotonic() - begun:6.1f} s: {what}")


async def check(app: Running, wanted: dict[int, str], others: list[int]) -> None:
    world = app.world
    requests = await world.raw("SELECT record_id, round, status, checked FROM requests")
    assert Counter(int(r["record_id"]) for r in requests) == dict.fromkeys(wanted, 1)
    assert {(r["round"], r["status"], r["checked"]) for r in requests} == {(1, "completed", "right")}
    left = await world.raw("SELECT kind, record_id, state, why FROM actions WHERE state IN ('failed', 'conflict')")
    assert left == []
    assert await world.raw("SELECT kind, record_id, text FROM tasks WHERE done_at IS NULL") == []
    made: Counter[int] = Counter()
    sent: Counter[int] = Counter()
    puts: Counter[int] = Counter()
    for call in world.sandbox.calls:
        if not call.executed or (call.status is not None and call.status >= 300):
            continue
        if call.method == "POST" and call.path.endswith("/documents/"):
            made[int(re.findall(r"Order (\d+),", call.body["name"])[0])] += 1
        elif call.method == "POST" and call.path.endswith("requests/"):
            sent[int(re.findall(r"order (\d+) at", call.body["subject"])[0])] += 1
        elif call.method == "PUT" and "status_id" in (call.body or {}):
            puts[int(call.path.rpartition("/")[2])] += 1
    assert made == dict.fromkeys(wanted, 1), {k: n for k, n in made.items() if n != 1}
    assert sent == dict.fromkeys(wanted, 1), {k: n for k, n in sent.items() if n != 1}
    invited = Counter(m.to[0] for m in world.sandbox.signature.mails if m.kind == "invitation")
    assert invited == dict.fromkeys(wanted.values(), 1)
    for order_id in wanted:
        moves = [status for _, status, who in world.store.orders[order_id].history if who == "api"]
        assert moves == [HELD, PAID], (order_id, moves)
    for order_id in others:
        assert [who for _, _, who in world.store.orders[order_id].history if who == "api"] == []
    repeated = sum(n - 2 for n in puts.values())
    print(f"status writes that changed nothing: {repeated} of {sum(puts.values())}")
