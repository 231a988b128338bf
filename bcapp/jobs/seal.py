"""Sealing the audit log into an insert-only hash chain, outside of the business transactions that write it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bcapp.services import Services

START = b"\0" * 32


def line_hash(row: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of an audit line in canonical JSON."""
    plain = {k: row[k] for k in ("id", "actor", "event", "record_kind", "record_id", "request_id", "detail")}
    plain["happened_at"] = row["happened_at"].isoformat()
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).digest()


def link_hash(previous: bytes, row_sha256: bytes) -> bytes:
    return hashlib.sha256(previous + row_sha256).digest()


async def seal(services: Services) -> int:
    """Seal new lines of all stores; return how many. Two workers at once wait for each other on the store's row."""
    sealed = 0
    db = services.db
    for store in await db.fetch_all("unsealed_audit_stores"):
        of = {"store_hash": store["store_hash"]}
        async with db.transaction():
            await db.fetch_one("lock_store", of)
            last = await db.fetch_one("last_link", of)
            position = last["position"] if last else 0
            previous = bytes(last["chain_hash"]) if last else START
            for row in await db.fetch_all("unsealed_lines", of):
                position, row_sha256 = position + 1, line_hash(row)
                previous = link_hash(previous, row_sha256)
                values = {**of, "position": position, "audit_id": row["id"], "row_sha256": row_sha256}
                await db.execute("add_link", {**values, "chain_hash": previous, "now": services.clock.now()})
                sealed += 1
    return sealed
