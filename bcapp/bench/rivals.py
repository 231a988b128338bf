"""What the intake is measured against: the app's own web server, with a simpler way to store a delivery in its place.

    none        nothing is stored
    raw         one INSERT per delivery on an asyncpg pool
    both        one transaction per delivery on an asyncpg pool: the row and the job that has it looked at
    databases   one INSERT per delivery through `databases`

All of them are the same application on the same server: addresses, limits, the reading of a delivery, the check of
its key and its signature are the app's, line by line. The store's keys stand in memory, so that "none" has no database
at all; only those that store a body seal it. Their pools do not reset a connection after each use, as the app's does
not: a second round trip for each delivery would flatter us.

"raw" and "databases" do less than the app: the app's deliveries come with their jobs, and one that comes again sets its
row due again. "both" is what stores as much, as plainly.

Runs as a process of its own: python -m bcapp.bench.rivals KIND PORT, with the app's environment, DATABASE_URL
included, and the webhook key of the store as JSON on standard input.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import databases
import uvloop
from starlette.applications import Starlette

from bcapp.app import create_app
from bcapp.clock import SystemClock
from bcapp.core.stores import StoreState
from bcapp.db import Database, keep_session
from bcapp.db.queue import enqueue, look_job
from bcapp.http import make_http
from bcapp.jobs.intake import Delivery
from bcapp.secrets import DataKey, Secrets
from bcapp.services import Services
from bcapp.settings import load_settings
from bcapp.stores import key_digest
from bcapp.web.server import make_server
from bcapp.web.webhooks import Door

COLUMNS = "store_hash, key, source, topic, record_kind, record_id, body, received_at, due_at"
RAW = f"INSERT INTO deliveries ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
TEXT = f"INSERT INTO deliveries ({COLUMNS}) VALUES (:store_hash, :key, :source, :topic, :kind, :id, :body, :now, :now)"
POOL: dict[str, Any] = {"min_size": 10, "max_size": 10, "reset": keep_session}

Add = Callable[[Delivery], Awaitable[object]]


@dataclass(frozen=True)
class Plainly:
    """Stands where the intake stands."""

    add: Add


@dataclass(frozen=True)
class OneDoor:
    """Stands where what is known of stores stands: one store, known from the start."""

    door: Door

    async def find(self, store_hash: str, *, doubted: bool = False) -> Door:
        return self.door


class Unsealed(DataKey):
    """Seals nothing: what is not stored need not be sealed."""

    def encrypt(self, value: bytes, *, table: str, column: str, store_hash: str, row: object) -> bytes:
        return value


@contextlib.asynccontextmanager
async def storing(kind: str, dsn: str) -> AsyncIterator[Add]:
    """Yield what stores a delivery, in the rival's way."""
    if kind == "none":

        async def nothing(d: Delivery) -> None:
            return None

        yield nothing
    elif kind == "raw":
        async with asyncpg.create_pool(dsn, **POOL) as pool:

            async def insert(d: Delivery) -> object:
                return await pool.execute(RAW, *parts(d))

            yield insert
    elif kind == "both":
        async with asyncpg.create_pool(dsn, **POOL) as pool:

            async def insert_both(d: Delivery) -> None:
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute(RAW, *parts(d))
                    await enqueue(connection, [look_job(d.store_hash, d.record_kind, d.record_id)])

            yield insert_both
    else:
        async with databases.Database(dsn, **POOL) as database:

            async def execute(d: Delivery) -> object:
                values = {"store_hash": d.store_hash, "key": d.key, "source": d.source, "topic": d.topic}
                values |= {"kind": d.record_kind, "id": d.record_id}
                return await database.execute(TEXT, {**values, "body": d.body, "now": d.received_at})

            yield execute


def parts(d: Delivery) -> tuple[object, ...]:
    return d.store_hash, d.key, d.source, d.topic, d.record_kind, d.record_id, d.body, d.received_at


def make_rival(kind: str, services: Services, key: str) -> Starlette:
    """Return the app with the rival in it."""
    app = create_app(services)
    data_key = Unsealed(bytes(32)) if kind == "none" else services.secrets.new_data_key()
    door = Door(StoreState.ACTIVE, key_digest(key), None, None, data_key)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with storing(kind, services.db.dsn) as add:
            app.state.intake, app.state.doors = Plainly(add), OneDoor(door)
            yield

    app.router.lifespan_context = lifespan
    return app


async def serve(kind: str, port: int, key: str) -> None:
    settings = load_settings()
    async with make_http() as http:
        database = Database(settings.database_url or "")  # named, never opened
        services = Services(settings, database, http, SystemClock(), Secrets(settings.keys))
        await make_server(make_rival(kind, services, key), "127.0.0.1", port).serve()


def main() -> None:
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), json.load(sys.stdin)["key"]))


if __name__ == "__main__":
    main()
