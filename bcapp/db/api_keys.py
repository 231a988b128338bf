"""Keys of the API: made once, shown once, kept as digests, counted by the minute."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db import Database
from bcapp.db.audit import append

# {store_hash}.{43 characters of base64url}: 256 random bits
KEY = re.compile(r"([a-z0-9]{1,32})\.([A-Za-z0-9_-]{43})")
ROLES = ("read", "write")
MOST_KEYS = 20
CALLS_A_MINUTE = 120


@dataclass(frozen=True)
class Bearer:
    """A proven key. calls: how many it made in this minute, this one included. made_by: the user who made it."""

    store_hash: str
    key_id: int
    role: str
    calls: int
    made_by: int

    @property
    def actor(self) -> str:
        """The key as the audit log names it."""
        return f"api_key:{self.key_id}"


def digest_of(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def store_of_key(key: str) -> str | None:
    """Return the store that a key names, None for what is not one."""
    match = KEY.fullmatch(key)
    return match[1] if match else None


async def add_key(db: Database, store_hash: str, name: str, role: str, *, user_id: int, now: datetime) -> str | None:
    """Make a key and return it, for the one time that it can be read; None when the store has as many as it may."""
    key = f"{store_hash}.{secrets.token_urlsafe(32)}"
    async with db.transaction():
        await db.execute("lock_store", {"store_hash": store_hash})
        if int(await db.fetch_val("count_api_keys", {"store_hash": store_hash})) >= MOST_KEYS:
            return None
        values = {"store_hash": store_hash, "name": name, "digest": digest_of(key), "hint": key[-4:], "role": role}
        key_id = await db.fetch_val("add_api_key", {**values, "created_by": user_id, "now": now})
        await append(
            db, store_hash, now, actor=f"user:{user_id}", event="api_key_made",
            record=RecordKey("api_key", str(key_id)), detail={"role": role},
        )  # fmt: skip
    return key


async def list_keys(db: Database, store_hash: str) -> list[dict[str, Any]]:
    return await db.fetch_all("list_api_keys", {"store_hash": store_hash})


async def revoke_key(db: Database, store_hash: str, key_id: int, *, user_id: int, now: datetime) -> bool:
    """End a key at once; False when it was ended before, or is not there."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": key_id, "revoked_by": user_id, "now": now}
        if await db.fetch_val("revoke_api_key", values) is None:
            return False
        await append(
            db, store_hash, now, actor=f"user:{user_id}", event="api_key_revoked",
            record=RecordKey("api_key", str(key_id)),
        )  # fmt: skip
    return True


async def use_key(db: Database, key: str, now: datetime) -> Bearer | None:
    """Prove a key and count the call; None for a key that is none, or was ended."""
    store_hash = store_of_key(key)
    if store_hash is None:
        return None
    minute = now.replace(second=0, microsecond=0)
    values = {"store_hash": store_hash, "digest": digest_of(key), "minute": minute, "now": now}
    row = await db.fetch_one("use_api_key", values)
    return Bearer(store_hash, row["id"], row["role"], row["calls"], row["created_by"]) if row else None
