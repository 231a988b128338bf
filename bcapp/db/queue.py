"""Putting jobs into the queue: in the transaction that creates their cause, never again while one is waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bcapp.core.kinds import COME_IN_THOUSANDS
from bcapp.db import positional

LOOK, PERFORM = "look", "perform"
LOOK_PRIORITY = 85  # behind holds and releases, before everything else: a burst of looks must not delay a hold
CROWD_PRIORITY = 75  # and those of an import behind what is sent, too: of two thousand customers the last one can wait


async def enqueue(connection: Any, jobs: Sequence[tuple[str, bytes, int, str]]) -> None:
    """Queue (entrypoint, payload, priority, dedupe key) rows; a key that is queued or picked already is skipped.

    connection: an asyncpg connection, inside the transaction that makes the cause durable.
    priority: bigger is sooner, as the queue counts.
    """
    if not jobs:
        return
    entrypoints, payloads, priorities, keys = zip(*{job[3]: job for job in jobs}.values(), strict=True)
    columns = {"entrypoints": entrypoints, "payloads": payloads, "priorities": priorities, "dedupe_keys": keys}
    statement, words = positional("queue_jobs")
    await connection.execute(statement, *(columns[word] for word in words))


def look_job(
    store_hash: str, record_kind: str, record_id: str, *, pressed: bool = False
) -> tuple[str, bytes, int, str]:
    """pressed: a person waits for it; it goes before its kind, with a key of its own, as its look may be queued."""
    name = f"{store_hash}:{record_kind}:{record_id}"
    if record_kind not in COME_IN_THOUSANDS:
        return LOOK, name.encode(), LOOK_PRIORITY, f"look:{name}"
    if pressed:
        return LOOK, name.encode(), LOOK_PRIORITY, f"look:{name}:pressed"
    return LOOK, name.encode(), CROWD_PRIORITY, f"look:{name}"


def perform_job(store_hash: str, action_id: int, attempt: int, priority: int) -> tuple[str, bytes, int, str]:
    """The key carries the attempt: a job that is still picked must not swallow the next try."""
    name = f"{store_hash}:{action_id}"
    return PERFORM, name.encode(), 100 - priority, f"perform:{name}:{attempt}"
