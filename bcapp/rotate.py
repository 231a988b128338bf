"""Seal every secret anew with the first of SECRET_KEYS. Stopped anywhere, it is run again and goes on.

The way of a rotation: put the new key first and keep the old one behind it; start every process anew; run this;
when it says that nothing is left, remove the old key. Documents and raw bodies stay as they are: they are under the
stores' data keys, and those are sealed anew here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bcapp.db import Database
from bcapp.secrets import SealBroken, Secrets

BATCH = 200


@dataclass(frozen=True)
class SealedColumn:
    """A column that holds values sealed by Secrets.

    listing, put: the queries that list what another key sealed and replace one value.
    row: what stands for the row in the value's place, made from (store_hash, row).
    first_row: lower than every row, of the row's type.
    """

    table: str
    column: str
    listing: str
    put: str
    row: Callable[[str, Any], object] = lambda store_hash, row: row
    first_row: str | int = 0


# Every column that schema.sql marks as encrypted (a test compares), and the panel's commands in the inbox.
COLUMNS = (
    SealedColumn("stores", "access_token", "stale_access_tokens", "reseal_access_token", first_row=""),
    SealedColumn("stores", "data_key", "stale_data_keys", "reseal_data_key", lambda store_hash, row: "", ""),
    SealedColumn("stores", "webhook_key", "stale_webhook_keys", "reseal_webhook_key", first_row=""),
    SealedColumn("pending_changes", "payload", "stale_change_payloads", "reseal_change_payload"),
    SealedColumn("signature_accounts", "client_secret", "stale_client_secrets", "reseal_client_secret"),
    SealedColumn("signature_accounts", "token", "stale_account_tokens", "reseal_account_token"),
    SealedColumn("requests", "callback_token", "stale_callback_tokens", "reseal_callback_token"),
    SealedColumn("webhook_endpoints", "secret", "stale_endpoint_secrets", "reseal_endpoint_secret"),
    SealedColumn("webhook_endpoints", "previous_secret", "stale_previous_secrets", "reseal_previous_secret"),
    SealedColumn("deliveries", "body", "stale_commands", "reseal_command", first_row=""),
)


@dataclass
class Rotation:
    """What a run did. resealed: values per "table.column". unreadable: those that no key of ours opens, as text."""

    resealed: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{name}: {count} sealed anew" for name, count in sorted(self.resealed.items())]
        lines += [f"cannot be opened: {name}" for name in self.unreadable]
        if not self.unreadable:
            lines.append("Nothing is left under another key. The old keys can be removed from SECRET_KEYS.")
        return "\n".join(lines)


async def rotate(db: Database, secrets: Secrets) -> Rotation:
    """Seal anew whatever another key than the first sealed; each value by itself, so that nothing is locked for long.

    A value that does not open is named and left; it does not stop the rest.
    """
    rotation = Rotation()
    for column in COLUMNS:
        await _rotate_column(db, secrets, column, rotation)
    return rotation


async def _rotate_column(db: Database, secrets: Secrets, column: SealedColumn, rotation: Rotation) -> None:
    after: dict[str, Any] = {"after_store": "", "after_row": column.first_row}
    while True:
        rows = await db.fetch_all(column.listing, {**after, "first_key": secrets.first_key_id, "most": BATCH})
        for row in rows:
            await _rotate_value(db, secrets, column, row, rotation)
        if len(rows) < BATCH:
            return
        after = {"after_store": rows[-1]["store_hash"], "after_row": rows[-1]["row"]}


async def _rotate_value(
    db: Database, secrets: Secrets, column: SealedColumn, row: dict[str, Any], rotation: Rotation
) -> None:
    store_hash, old = row["store_hash"], bytes(row["sealed"])
    place: dict[str, Any] = {
        "table": column.table,
        "column": column.column,
        "store_hash": store_hash,
        "row": column.row(store_hash, row["row"]),
    }
    try:
        sealed = secrets.encrypt(secrets.decrypt(old, **place), **place)
    except SealBroken as exc:
        rotation.unreadable.append(f"{column.table}.{column.column} of {store_hash}, row {row['row']}: {exc}")
        return
    values = {"store_hash": store_hash, "row": row["row"], "old": old, "sealed": sealed}
    if await db.execute(column.put, values) is not None:
        rotation.resealed[f"{column.table}.{column.column}"] += 1
