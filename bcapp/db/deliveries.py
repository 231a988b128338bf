"""Deliveries as rows: "look at this record", said by webhooks, sweeps, the panel and ourselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from bcapp.core.model import RecordKey
from bcapp.db import Database
from bcapp.db.queue import enqueue, look_job
from bcapp.secrets import Secrets
from bcapp.workflows.protocol import Command


@dataclass(frozen=True)
class Due:
    """One delivery that waits for a look. seen: how often it came until it was read."""

    key: str
    source: str
    topic: str
    body: bytes
    seen: int
    received_at: datetime
    attempt: int


async def say_look(
    db: Database,
    store_hash: str,
    record: RecordKey,
    now: datetime,
    *,
    source: str = "self",
    topic: str = "look",
    due_at: datetime | None = None,
) -> None:
    """Say "look at this record". The key is the source and the record: saying it twice is saying it once."""
    due = due_at or now
    async with db.transaction():
        await db.execute(
            "add_delivery",
            {
                "store_hash": store_hash,
                "key": f"{source}:{record.kind}:{record.id}",
                "source": source,
                "topic": topic,
                "record_kind": record.kind,
                "record_id": record.id,
                "body": b"",
                "now": now,
                "due_at": due,
            },
        )
        if due <= now:
            await enqueue(db.raw(), [look_job(store_hash, record.kind, record.id)])


async def say_command(
    db: Database, secrets: Secrets, store_hash: str, record: RecordKey, command: Command, now: datetime
) -> None:
    """Write down what a person pressed; the worker's next look at the record carries it out, once."""
    key = f"panel:{uuid4().hex}"
    body = json.dumps(
        {
            "kind": command.kind,
            "user_id": command.user_id,
            "why": command.why,
            "request_id": command.request_id,
            "payload": dict(command.payload),
            "workflow": command.workflow,
        }
    ).encode()
    async with db.transaction():
        await db.execute(
            "add_delivery",
            {
                "store_hash": store_hash,
                "key": key,
                "source": "panel",
                "topic": "command",
                "record_kind": record.kind,
                "record_id": record.id,
                "body": secrets.encrypt(body, table="deliveries", column="body", store_hash=store_hash, row=key),
                "now": now,
                "due_at": now,
            },
        )
        await enqueue(db.raw(), [look_job(store_hash, record.kind, record.id, pressed=True)])


def read_command(secrets: Secrets, store_hash: str, due: Due) -> Command:
    said = json.loads(secrets.decrypt(due.body, table="deliveries", column="body", store_hash=store_hash, row=due.key))
    workflow = str(said.get("workflow", ""))
    return Command(said["kind"], said["user_id"], said["why"], said["request_id"], said["payload"], workflow)


async def due_deliveries(db: Database, store_hash: str, record: RecordKey, now: datetime) -> list[Due]:
    rows = await db.fetch_all(
        "due_deliveries",
        {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id, "now": now},
    )
    return [Due(**_plain(row)) for row in rows]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "body": bytes(row["body"])}


async def finish_deliveries(db: Database, store_hash: str, read: list[Due], now: datetime) -> None:
    """Mark what was read done, unless it came again meanwhile."""
    if read:
        rows = [{"key": d.key, "seen": d.seen} for d in read]
        await db.execute("finish_deliveries", {"store_hash": store_hash, "read": rows, "now": now})
