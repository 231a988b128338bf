"""Carrying out a change that was asked for earlier: at once, when a second person approved it, or after a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.changes import Subject
from bcapp.db import Database
from bcapp.db.accounts import ask_test, save_account
from bcapp.db.people import save_limit, save_person
from bcapp.db.settings import save_settings
from bcapp.errors import Stale
from bcapp.secrets import Secrets


def person_payload(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a person's form as JSON; times become text."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in given.items()}


def _person(payload: Mapping[str, Any]) -> dict[str, Any]:
    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(payload[name]) if payload[name] else None

    return {**payload, "deputy_from": moment("deputy_from"), "deputy_until": moment("deputy_until")}


async def apply_change(
    db: Database,
    secrets: Secrets,
    store_hash: str,
    subject: Subject,
    subject_id: str,
    payload: Mapping[str, Any],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Write the change down as if its form were saved now. Call inside a transaction, or alone.

    actor: who asked. Raises Stale when what it is about does not exist any more, or an address was taken meanwhile;
    ValueError for a subject that is not one of this module's.
    """
    match subject:
        case Subject.SIGNATURE_ACCOUNT:
            account_id = int(subject_id)
            async with db.transaction():
                if await save_account(db, secrets, store_hash, account_id, payload, actor=actor, now=now) is None:
                    raise Stale("the signature account does not exist any more")
                await ask_test(db, store_hash, account_id, actor=actor, now=now)
        case Subject.APPROVER:
            if await save_person(db, store_hash, int(subject_id), _person(payload), actor=actor, now=now) is None:
                raise Stale("the person does not exist any more, or the address was taken")
        case Subject.LIMIT:
            up_to = payload["up_to"]
            await save_limit(
                db,
                store_hash,
                int(payload["person_id"]),
                str(payload["currency"]),
                Decimal(up_to) if up_to is not None else None,
                remove=bool(payload["remove"]),
                actor=actor,
                now=now,
            )
        case Subject.SETTINGS:
            saved = await save_settings(
                db,
                store_hash,
                payload["changes"],
                version=int(payload["version"]),
                base=payload["base"],
                actor=actor,
                now=now,
            )
            if saved.conflict:
                raise Stale("somebody else changed this section of the settings meanwhile")
        case _:
            raise ValueError(f"{subject} is not applied here")
