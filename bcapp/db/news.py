"""Telling other systems: a message and its sends, written in the transaction of what happened."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.core.news import OF_NOTE
from bcapp.db import Database
from bcapp.db.actions import queue_action

NOTHING: Mapping[str, Any] = {}
KEEP = timedelta(days=30)


async def tell(
    db: Database,
    store_hash: str,
    event: str,
    record: RecordKey,
    now: datetime,
    *,
    request_id: int | None = None,
    data: Mapping[str, Any] = NOTHING,
) -> None:
    """Have every endpoint that listens to the event told. Call inside the transaction of what happened.

    event: a name of core/news.py. data: ids, states and names of fields, never personal data: who hears of it fetches
    the rest with a key of the API.
    """
    endpoints = await db.fetch_all("endpoints_for", {"store_hash": store_hash, "event": event})
    if not endpoints:
        return
    request = None
    if request_id is not None:
        request = await db.fetch_one("news_request", {"store_hash": store_hash, "id": request_id})
    said = {"record": {"kind": record.kind, "id": record.id}, **({"request": request} if request else {}), **data}
    message_id = await _add_message(db, store_hash, event, said, now)
    for endpoint in endpoints:
        await _add_send(db, store_hash, int(endpoint["id"]), message_id, now)


async def tell_noted(
    db: Database, store_hash: str, noted: str, record: RecordKey, now: datetime, data: Mapping[str, Any] = NOTHING
) -> None:
    """Tell what a line of the audit log says, where that is news. Call inside the transaction of what happened."""
    if event := OF_NOTE.get(noted):
        await tell(db, store_hash, event, record, now, data=data)


async def tell_one(db: Database, store_hash: str, endpoint_id: int, event: str, now: datetime) -> None:
    """Send an event without content to one endpoint, whatever it listens to. Call inside a transaction."""
    message_id = await _add_message(db, store_hash, event, {}, now)
    await _add_send(db, store_hash, endpoint_id, message_id, now)


async def _add_message(db: Database, store_hash: str, event: str, data: Mapping[str, Any], now: datetime) -> str:
    message_id = f"msg_{secrets.token_hex(12)}"
    body = {"type": event, "timestamp": now.isoformat(), "data": {"store": store_hash, **data}}
    values = {"store_hash": store_hash, "id": message_id, "event": event, "now": now}
    await db.execute("add_message", {**values, "body": orjson.dumps(body).decode()})
    return message_id


async def _add_send(db: Database, store_hash: str, endpoint_id: int, message_id: str, now: datetime) -> None:
    values = {"store_hash": store_hash, "endpoint_id": endpoint_id, "message_id": message_id, "now": now}
    send_id = int(await db.fetch_val("add_send", values))
    # A record of its own each: a try that waits for a day must not hold up what comes after it.
    await queue_action(db, store_hash, ActionKind.DELIVER_WEBHOOK, RecordKey("webhook", str(send_id)), now)


async def send_again(db: Database, store_hash: str, endpoint_id: int, send_id: int, now: datetime) -> bool:
    """Send a message again that was delivered or given up; False when it waits already, or is not there."""
    async with db.transaction():
        of = {"store_hash": store_hash, "endpoint_id": endpoint_id, "id": send_id, "now": now}
        if await db.fetch_val("send_again", of) is None:
            return False
        await queue_action(db, store_hash, ActionKind.DELIVER_WEBHOOK, RecordKey("webhook", str(send_id)), now)
    return True


async def clear(db: Database, now: datetime) -> None:
    """Drop what was told long ago."""
    await db.execute("clear_messages", {"before": now - KEEP})
