"""Putting jobs into the queue: in the transaction that creates their cause, never again while one is waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.queries import Queries

LOOK, PERFORM = "look", "perform"
LOOK_PRIORITY = 85  # behind holds and releases, before everything else: a burst of looks must not delay a hold


async def enqueue(connection: Any, jobs: Sequence[tuple[str, bytes, int, str]]) -> None:
    """Queue (entrypoint, payload, priority, dedupe key) rows; a key that is queued or picked already is skipped.

    connection: an asyncpg connection, inside the transaction that makes the cause durable.
    priority: bigger is sooner, as the queue counts.
    """
    if not jobs:
        return
    rows = sorted(
        {key: (entry, payload, first, key) for entry, payload, first, key in jobs}.values(), key=lambda r: r[3]
    )
    await Queries(AsyncpgDriver(connection)).enqueue(
        [r[0] for r in rows],
        [r[1] for r in rows],
        [r[2] for r in rows],
        dedupe_key=[r[3] for r in rows],
        on_conflict="skip",
    )


def look_job(store_hash: str, record_kind: str, record_id: str) -> tuple[str, bytes, int, str]:
    name = f"{store_hash}:{record_kind}:{record_id}"
    return LOOK, name.encode(), LOOK_PRIORITY, f"look:{name}"


def perform_job(store_hash: str, action_id: int, attempt: int, priority: int) -> tuple[str, bytes, int, str]:
    """The key carries the attempt: a job that is still picked must not swallow the next try."""
    name = f"{store_hash}:{action_id}"
    return PERFORM, name.encode(), 100 - priority, f"perform:{name}:{attempt}"
