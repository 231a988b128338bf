"""What the intake is measured against: the same server with the same checks, and simpler ways to store a delivery.

    none        checks and answers; nothing is stored
    raw         one INSERT per delivery on an asyncpg pool
    databases   one INSERT per delivery through `databases`

Runs as a process of its own: python -m bcapp.sandbox.rivals KIND PORT, with the rest as JSON on standard input.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import databases
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.bigcommerce.events import BigCommerceEvent, parse_event, verify_signature
from bcapp.secrets import DataKey, Secrets
from bcapp.stores import key_digest
from bcapp.web.forms import read_body
from bcapp.web.server import make_server
from bcapp.web.webhooks import BIGCOMMERCE_BYTES, KEY_HEADER

COLUMNS = "store_hash, key, source, topic, record_kind, record_id, body, received_at, due_at"
RAW = f"INSERT INTO deliveries ({COLUMNS}) VALUES ($1, $2, 'bigcommerce', $3, $4, $5, $6, $7, $7)"
TEXT = f"INSERT INTO deliveries ({COLUMNS}) VALUES (:store_hash, :key, 'bigcommerce', :topic, :kind, :id, :body, :now, :now)"  # noqa: E501
CONNECTIONS = 10

Keep = Callable[[BigCommerceEvent, bytes, datetime], Awaitable[object]]


@contextlib.asynccontextmanager
async def keeping(kind: str, dsn: str) -> AsyncIterator[Keep]:
    """Yield what stores a delivery, in the rival's way."""
    if kind == "none":

        async def nothing(event: BigCommerceEvent, sealed: bytes, now: datetime) -> None:
            return None

        yield nothing
    elif kind == "raw":
        async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:

            async def insert(event: BigCommerceEvent, sealed: bytes, now: datetime) -> object:
                assert event.record is not None
                of = event.record
                return await pool.execute(RAW, event.store_hash, event.key, event.scope, of.kind, of.id, sealed, now)

            yield insert
    else:
        async with databases.Database(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as database:

            async def execute(event: BigCommerceEvent, sealed: bytes, now: datetime) -> object:
                assert event.record is not None
                values = {"store_hash": event.store_hash, "key": event.key, "topic": event.scope, "now": now}
                return await database.execute(
                    TEXT, {**values, "kind": event.record.kind, "id": event.record.id, "body": sealed}
                )

            yield execute


def make_app(keep: Keep, data_key: DataKey | None, key: str, client_secret: str) -> Starlette:
    """data_key: seals the body as the app does; None where nothing is stored."""
    digest = key_digest(key)

    async def take(request: Request) -> Response:
        body = await read_body(request, BIGCOMMERCE_BYTES)
        event = parse_event(body, request.headers)
        now = datetime.now(UTC)
        proof = verify_signature(body, request.headers, client_secret, now)
        given = key_digest(request.headers.get(KEY_HEADER, ""))
        if proof != "valid" or not hmac.compare_digest(given, digest):
            return Response(status_code=401)
        sealed = b""
        if data_key is not None:
            sealed = data_key.encrypt(
                body, table="deliveries", column="body", store_hash=event.store_hash, row=event.key
            )
        await keep(event, sealed, now)
        return Response()

    return Starlette(routes=[Route("/webhooks/bigcommerce", take, methods=["POST"])])


async def serve(kind: str, port: int, given: dict[str, Any]) -> None:
    data_key = None if kind == "none" else Secrets(["k" * 32]).new_data_key()
    async with keeping(kind, given["dsn"]) as keep:
        await make_server(make_app(keep, data_key, given["key"], given["client_secret"]), "127.0.0.1", port).serve()


def main() -> None:
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), json.load(sys.stdin)))


if __name__ == "__main__":
    main()
