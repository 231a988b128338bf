"""What a crash happens on: the app as processes, calls that wait to be killed, and the counts at the vendors."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from random import Random
from typing import Any

import asyncpg

from bcapp.sandbox.bigcommerce import Store, User
from bcapp.sandbox.bigcommerce.b2b import B2BEdition
from bcapp.sandbox.bigcommerce.shoppers import register
from bcapp.sandbox.ground import Call
from bcapp.sandbox.seed import channel, fill
from tests.fixtures.processes import Running
from tests.fixtures.world import PATIENCE, World


class Moment(StrEnum):
    """When the worker is killed: relative to its call and to its commit."""

    UNSENT = "before the service executes the call"
    EXECUTED = "instead of being answered"
    UNCOMMITTED = "after the answer, before the commit"


class WorldOf(World):
    """The same world, seen from another of its stores."""

    def __init__(self, of: World, store: Store) -> None:
        super().__init__(of.sandbox, of.server, of.services)
        self._own = store

    @property
    def store(self) -> Store:
        return self._own


def open_store(world: World, number: int) -> Store:
    """Add a small store to the simulated platform."""
    made = Store(
        world.sandbox,
        world.bc.webhooks,
        hash=f"sm4ll{number}",
        store_id=1003000 + number,
        name=f"Small store {number}",
        currency="USD",
        owner=User(id=2500000 + number, email=f"owner{number}@small.test", name="Sam Small", may_install=True),
    )
    fill(made, Random(number), customers=2)
    channel(made, 1, made.name, "storefront", "bigcommerce")
    made.on_later = world.bc.store.on_later
    made.open_account, made.b2b = register, B2BEdition(made)
    made.ids["order"] = itertools.count(5000 + 1000 * number)  # no order has the number of another store's
    world.bc.stores[made.hash] = made
    return made


class Gate:
    """Holds the sandbox's threads until the test has seen them arrive and opens."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.arrived: list[str] = []

    def wait(self, name: str) -> None:
        self.arrived.append(name)
        self._open.wait(2 * PATIENCE)

    def open(self) -> None:
        self._open.set()


class Stage:
    """One running app and the moment at which its worker dies."""

    def __init__(self, app: Running, moment: Moment) -> None:
        self.app, self.world, self.moment = app, app.world, moment
        self.gate = Gate()
        self._locks: list[asyncpg.Connection[Any]] = []

    def catch(
        self, name: str, service: str, method: str, path: str, body: str | None = None, *, times: int = 1
    ) -> None:
        """Let the next such call wait at the gate; then it is never answered, or answered when the gate opens."""
        kind = {Moment.UNSENT: "silent_before", Moment.EXECUTED: "silent", Moment.UNCOMMITTED: "late"}[self.moment]
        self.world.sandbox.faults.add(
            service,  # type: ignore[arg-type]
            method,
            path,
            kind,  # type: ignore[arg-type]
            times=times,
            hook=lambda: self.gate.wait(name),
            body_regex=body,
        )

    async def arrived(self, names: Iterable[str], seconds: float = PATIENCE) -> set[str]:
        """Wait until all of them wait at the gate; return who did not come."""
        wanted, end = set(names), time.monotonic() + seconds
        while True:
            missing = wanted - set(self.gate.arrived)
            if not missing or time.monotonic() > end:
                return missing
            await asyncio.sleep(0.02)

    async def connection(self) -> asyncpg.Connection[Any]:
        """A connection whose transaction keeps its locks until let_go()."""
        made = await asyncpg.connect(self.world.db.dsn)
        await made.execute("BEGIN")
        self._locks.append(made)
        return made

    async def lock(self, sql: str, *values: Any) -> asyncpg.Connection[Any]:
        made = await self.connection()
        assert await made.fetch(sql, *values), "there is no such row to lock"
        return made

    async def blocked(self, by: asyncpg.Connection[Any], count: int, seconds: float = PATIENCE) -> int:
        """Wait until so many sessions wait for this connection's locks; return how many do."""
        end = time.monotonic() + seconds
        while True:
            rows = await self.world.raw(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))", by.get_server_pid()
            )
            if rows[0]["n"] >= count or time.monotonic() > end:
                return int(rows[0]["n"])
            await asyncio.sleep(0.02)

    async def let_go(self) -> None:
        """Give all locks back and let everything at the gate go on."""
        self.gate.open()
        for connection in self._locks:
            with contextlib.suppress(asyncpg.PostgresError, OSError):
                await connection.close(timeout=5)
        self._locks.clear()

    def executed(self, method: str, path: str, where: Callable[[Any], bool] = lambda body: True) -> list[Call]:
        """The calls that a vendor carried out and did not refuse."""
        return [
            c
            for c in list(self.world.sandbox.calls)
            if c.method == method
            and c.executed
            and (c.status is None or c.status < 300)
            and re.search(path, c.path)
            and where(c.body)
        ]

    def mails(self, to: str, kind: str) -> list[Any]:
        return list(self.world.sandbox.signature.inbox.find(to, kind))
