"""The audit log: one line per thing that mattered, in the transaction of the thing itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db import Database

NOTHING: Mapping[str, Any] = {}


async def append(
    db: Database,
    store_hash: str,
    now: datetime,
    *,
    actor: str,
    event: str,
    record: RecordKey | None = None,
    request_id: int | None = None,
    detail: Mapping[str, Any] = NOTHING,
) -> None:
    """Write one line; it stands or falls with the caller's transaction.

    actor: user:{id}, app, provider or bigcommerce. detail: ids, hashes and names of fields, never personal data. The
    line is sealed into the hash chain later, by the worker.
    """
    await db.execute(
        "add_audit_line",
        {
            "store_hash": store_hash,
            "now": now,
            "actor": actor,
            "event": event,
            "record_kind": record.kind if record else "",
            "record_id": record.id if record else "",
            "request_id": request_id,
            "detail": dict(detail),
        },
    )
