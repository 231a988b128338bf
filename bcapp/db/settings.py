"""The store's settings: one row, saved by sections, checked against other tabs. Also hooks, and what is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.core.model import Money, RecordKey
from bcapp.core.settings import StoreSettings, dump_settings, parse_settings
from bcapp.db import Database
from bcapp.db.audit import append

MOST_HELD = 500


@dataclass(frozen=True)
class Saved:
    """How saving went. conflict: somebody changed the same section meanwhile; then nothing was written."""

    settings: StoreSettings
    version: int
    conflict: bool = False


@dataclass(frozen=True)
class Hook:
    id: int
    scope: str
    is_active: bool
    checked_at: datetime


@dataclass(frozen=True)
class LeftHidden:
    """A supplier whose products stay hidden without a hold. asked: they are being shown again."""

    id: int
    name: str
    state: str
    products: int
    asked: bool


@dataclass(frozen=True)
class HeldRecord:
    """asked: a person's word is not carried out yet. kept_by: the user who said that it stays after an uninstall."""

    record: RecordKey
    label: str
    money: Money | None
    state: str
    method: str
    since: datetime
    asked: bool
    kept_by: int | None
    kept_at: datetime | None


async def save_settings(
    db: Database,
    store_hash: str,
    changes: Mapping[str, Any],
    *,
    version: int,
    base: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> Saved:
    """Write one section's values, unless the section is not what the form was made from.

    version: of the settings that the form showed. base: the section's values then; a newer version counts as a
    conflict only if it changed this section.
    """
    async with db.transaction():
        row = await db.fetch_one("panel_lock_settings", {"store_hash": store_hash}) or {}
        now_there = parse_settings(row["settings"])
        stored = dump_settings(now_there)
        changed = [name for name, value in changes.items() if stored[name] != value]
        if row["settings_version"] != version and changed and any(stored[name] != base.get(name) for name in changes):
            return Saved(now_there, row["settings_version"], conflict=True)
        if not changed:
            return Saved(now_there, row["settings_version"])
        new_version = await db.fetch_val(
            "panel_save_settings",
            {"store_hash": store_hash, "settings": dict(changes), "version": row["settings_version"]},
        )
        await append(db, store_hash, now, actor=actor, event="settings_saved", detail={"fields": changed})
        if now_there.test_mode and not parse_settings({**stored, **changes}).test_mode:
            await db.execute("look_after_test_mode", {"store_hash": store_hash, "now": now})
    return Saved(parse_settings({**stored, **changes}), int(new_version))


async def holds_matter(db: Database, store_hash: str) -> bool:
    """Return whether anything depends on how orders are held: a live rule, or an order that is held now."""
    return bool(await db.fetch_val("panel_holds_matter", {"store_hash": store_hash}))


async def list_hooks(db: Database, store_hash: str) -> list[Hook]:
    return [Hook(**row) for row in await db.fetch_all("panel_list_hooks", {"store_hash": store_hash})]


async def list_held(db: Database, store_hash: str) -> list[HeldRecord]:
    """Return at most 500 records that we hold now, the longest held first."""
    rows = await db.fetch_all("panel_held_records", {"store_hash": store_hash, "most": MOST_HELD})
    return [
        HeldRecord(
            record=RecordKey(r["record_kind"], r["record_id"]),
            label=r["label"] or f"{r['record_kind'].capitalize()} {r['record_id']}",
            money=Money(r["amount"], r["currency"]) if r["amount"] is not None and r["currency"] else None,
            state=r["state"],
            method=r["method"],
            since=r["wanted_at"],
            asked=r["asked"],
            kept_by=r["kept_by"],
            kept_at=r["kept_at"],
        )
        for r in rows
    ]


async def list_left_hidden(db: Database, store_hash: str) -> list[LeftHidden]:
    """Return at most 500 suppliers whose products we hid, and which no hold will show again."""
    rows = await db.fetch_all("suppliers_left_hidden", {"store_hash": store_hash, "most": MOST_HELD})
    return [LeftHidden(**row) for row in rows]


async def keep_held(db: Database, store_hash: str, record: RecordKey, *, user_id: int, now: datetime) -> None:
    """Write down that a held record stays as it is when the app goes, and who said so; the first word stands."""
    values = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    async with db.transaction():
        if await db.fetch_val("panel_keep_held", {**values, "user_id": user_id, "now": now}) is not None:
            await append(
                db, store_hash, now, actor=f"user:{user_id}", event="hold_stays_after_uninstall", record=record
            )


async def read_data(db: Database, store_hash: str) -> dict[str, int]:
    """Return how much is kept: records, requests, people, documents, document_bytes, audit_lines, sealed_lines."""
    row = await db.fetch_one("panel_data_of_store", {"store_hash": store_hash}) or {}
    return {name: int(value) for name, value in row.items()}
