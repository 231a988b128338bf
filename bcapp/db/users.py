"""Control-panel users of a store, and their entry in the people directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.db import Database


@dataclass(frozen=True)
class User:
    """role: owner, manager, approver or viewer. person_id: the directory entry, so that users may sign."""

    id: int
    email: str
    role: str
    state: str
    person_id: int | None
    name: str
    locale: str
    created_at: datetime
    seen_at: datetime | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> User:
        return cls(
            id=row["id"],
            email=row["email"],
            role=row["role"],
            state=row["state"],
            person_id=row["person_id"],
            name=row["name"] or "",
            locale=row["locale"],
            created_at=row["created_at"],
            seen_at=row["seen_at"],
        )


async def fetch_user(db: Database, store_hash: str, user_id: int) -> User | None:
    """Return the user, tombstones included."""
    row = await db.fetch_one("fetch_user", {"store_hash": store_hash, "id": user_id})
    return User.from_row(row) if row else None


async def list_users(db: Database, store_hash: str) -> list[User]:
    """Return the users who are not removed, owner first, then by address."""
    return [User.from_row(row) for row in await db.fetch_all("list_users", {"store_hash": store_hash})]
