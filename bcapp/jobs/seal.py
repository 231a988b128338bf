"""Sealing the audit log into an insert-only hash chain, outside of the business transactions that write it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bcapp.db import Database
from bcapp.services import Services

START = b"\0" * 32
EVER = datetime.min.replace(tzinfo=UTC)
SLICE = 1000
MOST_TOLD = 20


@dataclass(frozen=True)
class Chain:
    """How a store's audit log stands. wrong: a sentence per link that does not hold, at most 20.

    head: the last link's hash in hex; kept elsewhere, it proves later that nothing was cut off the end.
    """

    sealed: int
    unsealed: int
    head: str
    wrong: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.wrong


def line_hash(row: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of an audit line in canonical JSON."""
    plain = {k: row[k] for k in ("id", "actor", "event", "record_kind", "record_id", "request_id", "detail")}
    plain["happened_at"] = row["happened_at"].isoformat()
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).digest()


def link_hash(previous: bytes, row_sha256: bytes) -> bytes:
    return hashlib.sha256(previous + row_sha256).digest()


async def seal(services: Services, since: datetime = EVER) -> int:
    """Seal lines of all stores written since then; return how many. Two workers wait for each other on a store's row.

    The log grows for ever, so most runs look at its last hour only; a full run now and then leaves nothing behind.
    """
    sealed = 0
    db = services.db
    for store in await db.fetch_all("unsealed_audit_stores", {"since": since}):
        of = {"store_hash": store["store_hash"]}
        async with db.transaction():
            await db.fetch_one("lock_store", of)
            last = await db.fetch_one("last_link", of)
            position = last["position"] if last else 0
            previous = bytes(last["chain_hash"]) if last else START
            for row in await db.fetch_all("unsealed_lines", {**of, "since": since}):
                position, row_sha256 = position + 1, line_hash(row)
                previous = link_hash(previous, row_sha256)
                values = {**of, "position": position, "audit_id": row["id"], "row_sha256": row_sha256}
                await db.execute("add_link", {**values, "chain_hash": previous, "now": services.clock.now()})
                sealed += 1
    return sealed


async def verify(db: Database, store_hash: str) -> Chain:
    """Compute the whole chain of a store again, and name every line that was changed, removed or put in between."""
    position, previous = 0, START
    wrong: list[str] = []
    while True:
        values = {"store_hash": store_hash, "after": position, "most": SLICE}
        links = await db.fetch_all("audit_links_after", values)
        if not links:
            break
        for link in links:
            if link["position"] != position + 1:
                wrong.append(f"Between links {position} and {link['position']} something was removed.")
            position = link["position"]
            if link["id"] is None:
                wrong.append(f"Line {link['audit_id']} (link {position}) was removed.")
            elif line_hash(link) != bytes(link["row_sha256"]):
                wrong.append(f"Line {link['audit_id']} (link {position}) was changed.")
            elif link_hash(previous, bytes(link["row_sha256"])) != bytes(link["chain_hash"]):
                wrong.append(f"Link {position} does not follow from the one before it.")
            previous = bytes(link["chain_hash"])
    unsealed = await db.fetch_val("count_unsealed_lines", {"store_hash": store_hash})
    return Chain(position, int(unsealed), previous.hex(), tuple(wrong[:MOST_TOLD]))
