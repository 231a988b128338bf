"""Putting a task before a person, and mailing it when it is an alarm."""

from __future__ import annotations

from datetime import datetime

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.core.unnamed import without_addresses
from bcapp.db import Database
from bcapp.db.actions import queue_action


async def ask_person(
    db: Database,
    store_hash: str,
    record: RecordKey,
    now: datetime,
    *,
    kind: str,
    text: str,
    alarm: bool = False,
    request_id: int | None = None,
    action_id: int | None = None,
) -> None:
    """Add the task unless it stands already, and then its mail. Call inside the transaction of its cause."""
    task_id = await db.fetch_val(
        "add_task",
        {
            "store_hash": store_hash,
            "kind": kind,
            "record_kind": record.kind,
            "record_id": record.id,
            "request_id": request_id,
            "action_id": action_id,
            "text": without_addresses(text),
            "alarm": alarm,
            "now": now,
        },
    )
    if task_id is not None and alarm:
        await queue_action(db, store_hash, ActionKind.SEND_MAIL, record, now, payload={"task_id": task_id})
