"""What is asked of one person of the directory, and what they decided."""

from __future__ import annotations

from typing import Any

from bcapp.db import Database
from bcapp.db.users import User

MOST_WAITING = 200
MOST_DECIDED = 30


def _of(store_hash: str, user: User, most: int) -> dict[str, Any]:
    return {"store_hash": store_hash, "person_id": user.person_id, "email": user.email.lower(), "most": most}


async def waiting_for(db: Database, store_hash: str, user: User) -> list[dict[str, Any]]:
    """Return what waits for a user's own signature, what they can decide now first, then by when it ends."""
    if user.person_id is None:
        return []
    return await db.fetch_all("approvals_waiting", _of(store_hash, user, MOST_WAITING))


async def decided_by(db: Database, store_hash: str, user: User) -> list[dict[str, Any]]:
    """Return what a user signed or declined, the latest first."""
    if user.person_id is None:
        return []
    return await db.fetch_all("approvals_decided", _of(store_hash, user, MOST_DECIDED))
