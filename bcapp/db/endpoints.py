"""Endpoints of the merchant's as rows: their secrets are sealed, and shown when they are made."""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.core.news import SECRET_BYTES, show_secret
from bcapp.db import Database
from bcapp.db.audit import append
from bcapp.secrets import Secrets

MOST_ENDPOINTS = 10
OLD_SIGNS_FOR = timedelta(hours=24)
COUNTED = timedelta(days=7)


@dataclass(frozen=True)
class Made:
    """A new secret, for the one time that it can be read."""

    id: int
    secret: str


def _record(endpoint_id: int) -> RecordKey:
    return RecordKey("endpoint", str(endpoint_id))


def _seal(secrets: Secrets, store_hash: str, endpoint_id: int, secret: bytes, column: str) -> bytes:
    return secrets.encrypt(secret, table="webhook_endpoints", column=column, store_hash=store_hash, row=endpoint_id)


async def add_endpoint(
    db: Database,
    secrets: Secrets,
    store_hash: str,
    url: str,
    description: str,
    events: Sequence[str],
    *,
    user_id: int,
    now: datetime,
) -> Made | None:
    """Add an endpoint; None when the store has as many as it may. No events: all of them."""
    secret = random.token_bytes(SECRET_BYTES)
    async with db.transaction():
        await db.execute("lock_store", {"store_hash": store_hash})
        if int(await db.fetch_val("count_endpoints", {"store_hash": store_hash})) >= MOST_ENDPOINTS:
            return None
        endpoint_id = int(await db.fetch_val("next_endpoint_id"))
        await db.execute(
            "add_endpoint",
            {
                "store_hash": store_hash,
                "id": endpoint_id,
                "url": url,
                "description": description,
                "events": list(events),
                "secret": _seal(secrets, store_hash, endpoint_id, secret, "secret"),
                "created_by": user_id,
                "now": now,
            },
        )
        await _note(db, store_hash, "endpoint_added", endpoint_id, user_id, now)
    return Made(endpoint_id, show_secret(secret))


async def save_endpoint(
    db: Database,
    store_hash: str,
    endpoint_id: int,
    url: str,
    description: str,
    events: Sequence[str],
    *,
    user_id: int,
    now: datetime,
) -> bool:
    """Save where and what; False when it is not there."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": endpoint_id, "url": url, "description": description}
        if await db.fetch_val("save_endpoint", {**values, "events": list(events)}) is None:
            return False
        await _note(db, store_hash, "endpoint_saved", endpoint_id, user_id, now)
    return True


async def new_secret(
    db: Database, secrets: Secrets, store_hash: str, endpoint_id: int, *, user_id: int, now: datetime
) -> Made | None:
    """Give an endpoint another secret; the one before signs along for a day. None when it is not there."""
    secret = random.token_bytes(SECRET_BYTES)
    of = {"store_hash": store_hash, "id": endpoint_id}
    async with db.transaction():
        row = await db.fetch_one("endpoint_secret", of)
        if row is None:
            return None
        previous = None
        if row["secret"] is not None:
            place: dict[str, Any] = {"table": "webhook_endpoints", "store_hash": store_hash, "row": endpoint_id}
            opened = secrets.decrypt(bytes(row["secret"]), column="secret", **place)
            previous = secrets.encrypt(opened, column="previous_secret", **place)
        values = {"previous": previous, "previous_until": now + OLD_SIGNS_FOR if previous else None}
        sealed = _seal(secrets, store_hash, endpoint_id, secret, "secret")
        await db.execute("replace_endpoint_secret", {**of, **values, "secret": sealed})
        await _note(db, store_hash, "endpoint_secret_made", endpoint_id, user_id, now)
    return Made(endpoint_id, show_secret(secret))


async def switch_endpoint(
    db: Database, store_hash: str, endpoint_id: int, *, on: bool, user_id: int, now: datetime
) -> bool:
    """Switch an endpoint on or off by hand; False when nothing changed. What waits is given up when it is off."""
    of = {"store_hash": store_hash, "id": endpoint_id}
    async with db.transaction():
        if on:
            changed = await db.fetch_val("switch_endpoint_on", of)
            await db.execute("settle_endpoint", {**of, "now": now})
        else:
            changed = await db.fetch_val("switch_endpoint_off", {**of, "why": "Switched off by hand."})
        if changed is not None:
            event = "endpoint_switched_on" if on else "endpoint_switched_off"
            await _note(db, store_hash, event, endpoint_id, user_id, now)
    return changed is not None


async def remove_endpoint(db: Database, store_hash: str, endpoint_id: int, *, user_id: int, now: datetime) -> bool:
    """Remove an endpoint with its log; False when it is not there."""
    of = {"store_hash": store_hash, "id": endpoint_id}
    async with db.transaction():
        if await db.fetch_val("remove_endpoint", of) is None:
            return False
        await db.execute("settle_endpoint", {**of, "now": now})
        await _note(db, store_hash, "endpoint_removed", endpoint_id, user_id, now)
    return True


async def _note(db: Database, store_hash: str, event: str, endpoint_id: int, user_id: int, now: datetime) -> None:
    actor = f"user:{user_id}"
    await append(db, store_hash, now, actor=actor, event=event, record=_record(endpoint_id))


async def list_endpoints(db: Database, store_hash: str, now: datetime) -> list[dict[str, Any]]:
    """Return every endpoint with how many messages went out in a week, and how many were given up."""
    return await db.fetch_all("list_endpoints", {"store_hash": store_hash, "since": now - COUNTED})


async def fetch_endpoint(db: Database, store_hash: str, endpoint_id: int) -> Mapping[str, Any] | None:
    return await db.fetch_one("fetch_endpoint", {"store_hash": store_hash, "id": endpoint_id})
