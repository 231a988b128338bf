"""Agreements as rows: every save is a version, and a save on top of somebody else's is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db import Database, audit
from bcapp.errors import Stale


@dataclass(frozen=True)
class Text:
    """One version's content. source: text | pdf | template. content: SHA-256 of the uploaded PDF.

    template: account_id, uuid, name, placeholders as frozen, mapping placeholder -> merge field.
    """

    source: str
    title: str
    body: str = ""
    content: bytes | None = None
    template: dict[str, Any] | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Text:
        return cls(
            source=row["source"],
            title=row["title"],
            body=row["body"],
            content=bytes(row["content"]) if row["content"] is not None else None,
            template=row["template"],
        )


@dataclass(frozen=True)
class Agreement:
    """rules: names of the rules that ask for it and are not off."""

    id: int
    name: str
    version: int
    archived: bool
    text: Text
    changed_at: datetime
    rules: tuple[str, ...]


async def list_agreements(db: Database, store_hash: str, *, archived: bool = False) -> list[dict[str, Any]]:
    """Return rows for the list, by name: id, name, version, source, title, changed_at, requests, rules."""
    return await db.fetch_all("panel_agreements", {"store_hash": store_hash, "archived": archived})


async def fetch_agreement(db: Database, store_hash: str, agreement_id: int) -> Agreement | None:
    row = await db.fetch_one("panel_agreement", {"store_hash": store_hash, "id": agreement_id})
    if row is None:
        return None
    return Agreement(
        row["id"], row["name"], row["version"], row["archived"], Text.from_row(row), row["changed_at"],
        tuple(row["rules"]),
    )  # fmt: skip


async def fetch_version(db: Database, store_hash: str, agreement_id: int, version: int) -> Text | None:
    values = {"store_hash": store_hash, "agreement_id": agreement_id, "version": version}
    row = await db.fetch_one("panel_agreement_version", values)
    return Text.from_row(row) if row else None


async def list_versions(db: Database, store_hash: str, agreement_id: int) -> list[dict[str, Any]]:
    """Return rows of the last 100 versions, newest first."""
    return await db.fetch_all("panel_agreement_versions", {"store_hash": store_hash, "agreement_id": agreement_id})


async def add_agreement(db: Database, store_hash: str, *, name: str, text: Text, author: int, now: datetime) -> int:
    """Return the id of a new agreement with its first version."""
    async with db.transaction():
        agreement_id = int(await db.fetch_val("add_agreement", {"store_hash": store_hash, "name": name, "now": now}))
        await _add_version(db, store_hash, agreement_id, 1, text, author, now)
        await _note(db, store_hash, agreement_id, "agreement_made", author, now, {"version": 1})
    return agreement_id


async def save_agreement(
    db: Database,
    store_hash: str,
    agreement_id: int,
    *,
    name: str,
    text: Text,
    version: int,
    author: int,
    now: datetime,
) -> int:
    """Return the number of the new version. version: the one it was made from; Stale when it is not the newest."""
    async with db.transaction():
        new = await db.fetch_val(
            "raise_agreement_version", {"store_hash": store_hash, "id": agreement_id, "version": version, "name": name}
        )
        if new is None:
            raise Stale("Somebody else saved this agreement meanwhile. Load it again; what they changed is then in it.")
        await _add_version(db, store_hash, agreement_id, new, text, author, now)
        await _note(db, store_hash, agreement_id, "agreement_saved", author, now, {"version": new})
    return int(new)


async def _add_version(
    db: Database, store_hash: str, agreement_id: int, version: int, text: Text, author: int, now: datetime
) -> None:
    await db.execute(
        "add_agreement_version",
        {
            "store_hash": store_hash,
            "agreement_id": agreement_id,
            "version": version,
            "source": text.source,
            "title": text.title,
            "body": text.body,
            "content": text.content,
            "template": text.template,
            "author": author,
            "now": now,
        },
    )


async def set_archived(
    db: Database, store_hash: str, agreement_id: int, archived: bool, author: int, now: datetime
) -> bool:
    """Return whether it changed. An archived agreement is offered nowhere; what was asked with it stands."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": agreement_id, "archived": archived}
        if await db.fetch_val("archive_agreement", values) is None:
            return False
        event = "agreement_archived" if archived else "agreement_restored"
        await _note(db, store_hash, agreement_id, event, author, now)
    return True


async def _note(
    db: Database,
    store_hash: str,
    agreement_id: int,
    event: str,
    author: int,
    now: datetime,
    detail: Mapping[str, Any] = audit.NOTHING,
) -> None:
    record = RecordKey("agreement", str(agreement_id))
    await audit.append(db, store_hash, now, actor=f"user:{author}", event=event, record=record, detail=detail)
