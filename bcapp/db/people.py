"""The people directory and approval limits, as the panel shows and saves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db import Database
from bcapp.db.audit import append

FIELDS = ("name", "email", "language", "state", "deputy_id", "deputy_from", "deputy_until")


@dataclass(frozen=True)
class Limit:
    """up_to: None means without limit."""

    currency: str
    up_to: Decimal | None


@dataclass(frozen=True)
class PersonEntry:
    """One of the directory. state: active, away or left. role: of the control-panel user, None for an outsider."""

    id: int
    name: str
    email: str
    language: str
    state: str
    deputy_id: int | None
    deputy_name: str | None
    deputy_from: datetime | None
    deputy_until: datetime | None
    limits: tuple[Limit, ...]
    role: str | None
    created_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> PersonEntry:
        limits = tuple(
            Limit(currency, Decimal(up_to) if up_to is not None else None) for currency, up_to in row["limits"]
        )
        return cls(**{**row, "limits": limits})


async def list_people(db: Database, store_hash: str) -> list[PersonEntry]:
    """Return everybody by name; those who left last."""
    return [PersonEntry.from_row(row) for row in await db.fetch_all("panel_list_people", {"store_hash": store_hash})]


async def fetch_person(db: Database, store_hash: str, person_id: int) -> PersonEntry | None:
    row = await db.fetch_one("panel_fetch_person", {"store_hash": store_hash, "id": person_id})
    return PersonEntry.from_row(row) if row else None


async def fetch_addresses(db: Database, store_hash: str) -> dict[int, str]:
    """Return the addresses of those who have not left, by person."""
    return {p.id: p.email for p in await list_people(db, store_hash) if p.state != "left"}


async def is_approver(db: Database, store_hash: str, person_id: int) -> bool:
    """Tell whether anything depends on this person's approval: a limit, a rule, or standing in for somebody."""
    return bool(await db.fetch_val("panel_is_approver", {"store_hash": store_hash, "id": person_id}))


async def address_is_taken(db: Database, store_hash: str, email: str, but: int = 0) -> bool:
    """Tell whether another entry has this address (lower case)."""
    values = {"store_hash": store_hash, "email": email, "id": but}
    return await db.fetch_val("panel_person_with_address", values) is not None


async def save_person(
    db: Database, store_hash: str, person_id: int | None, given: Mapping[str, Any], *, actor: str, now: datetime
) -> int | None:
    """Add an entry (person_id None) or change one; return its id.

    given: every name of FIELDS. None: it does not exist, or the address was taken a moment ago.
    """
    values = {"store_hash": store_hash, **{name: given[name] for name in FIELDS}}
    async with db.transaction():
        if person_id is None:
            person_id = await db.fetch_val("panel_add_person", {**values, "now": now})
            changed = ["name", "email"]
        else:
            before = await fetch_person(db, store_hash, person_id)
            if before is None or await address_is_taken(db, store_hash, given["email"], person_id):
                return None
            changed = [name for name in FIELDS if getattr(before, name) != given[name]]
            await db.execute("panel_update_person", {**values, "id": person_id})
        if person_id is not None and changed:
            await append(
                db,
                store_hash,
                now,
                actor=actor,
                event="person_saved",
                record=RecordKey("person", str(person_id)),
                detail={"fields": changed},
            )
    return person_id


async def save_limit(
    db: Database,
    store_hash: str,
    person_id: int,
    currency: str,
    up_to: Decimal | None,
    *,
    remove: bool = False,
    actor: str,
    now: datetime,
) -> bool:
    """Set (or remove) what a person may approve in a currency; False when there is nothing to do it to."""
    key = {"store_hash": store_hash, "person_id": person_id, "currency": currency}
    async with db.transaction():
        if await fetch_person(db, store_hash, person_id) is None:
            return False
        if remove:
            if await db.fetch_val("panel_drop_limit", key) is None:
                return False
        else:
            await db.execute("panel_put_limit", {**key, "up_to": up_to})
        await append(
            db,
            store_hash,
            now,
            actor=actor,
            event="limit_removed" if remove else "limit_saved",
            record=RecordKey("person", str(person_id)),
            detail={"currency": currency, "up_to": None if up_to is None else str(up_to)},
        )
    return True


async def set_role(
    db: Database, store_hash: str, user_id: int, role: str, was: str, *, actor: str, now: datetime
) -> bool:
    """Give a user another role; False when the user is gone, the owner, or has another role by now."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": user_id, "role": role, "was": was}
        if await db.fetch_val("panel_set_role", values) is None:
            return False
        detail = {"user": user_id, "role": role, "was": was}
        await append(db, store_hash, now, actor=actor, event="role_changed", detail=detail)
    return True
