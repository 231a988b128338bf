"""Carrying out a change that was asked for earlier: at once, when a second person approved it, or after a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.agreements import Binding
from bcapp.core.changes import Subject
from bcapp.db import Database, agreements
from bcapp.db.accounts import ask_test, save_account
from bcapp.db.agreements import Text
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
    author: int,
    now: datetime,
) -> None:
    """Write the change down as if its form were saved now. Call inside a transaction, or alone.

    author: the id of the user who asked. Raises Stale when what it is about does not exist any more, was changed
    meanwhile, or an address was taken; ValueError for a subject that is not one of this module's.
    """
    actor = f"user:{author}"
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
        case Subject.AGREEMENT:
            await apply_agreement(db, store_hash, int(subject_id.partition(":")[0]), payload, author=author, now=now)
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


# Agreements: what is asked for, and how it is done -----------------------------------------------------------


def text_payload(
    name: str, text: Text | None, *, version: int, language: str, material: bool, main: str = ""
) -> dict[str, Any]:
    """Return a new version of an agreement as JSON; see `agreements.save_agreement`."""
    return {
        "what": "save", "name": name, "text": text.dump() if text else None, "version": version,
        "language": language, "material": material, "main": main,
    }  # fmt: skip


def restore_payload(name: str, older: int, *, version: int, material: bool) -> dict[str, Any]:
    """Return the restoring of an older version as JSON. version: the newest as read."""
    return {"what": "restore", "name": name, "older": older, "version": version, "material": material}


def bind_payload(binding: Binding, *, ask_again: bool, instead_of: int = 0) -> dict[str, Any]:
    """Return what one customer is to sign instead, as JSON. instead_of: the id of the binding that it changes."""
    given = {**asdict(binding), "content": binding.content.hex() if binding.content is not None else None}
    return {"what": "bind", "binding": given, "ask_again": ask_again, "instead_of": instead_of}


def unbind_payload(binding: Binding) -> dict[str, Any]:
    return {"what": "unbind", "binding": binding.id}


async def apply_agreement(
    db: Database, store_hash: str, agreement_id: int, payload: Mapping[str, Any], *, author: int, now: datetime
) -> None:
    """Write a change of an agreement down. Raises Stale when it moved on meanwhile, RefusedByUs when it cannot be."""
    if await db.fetch_val("agreement_in_use", {"store_hash": store_hash, "id": agreement_id}) is None:
        raise Stale("The agreement was archived meanwhile.")
    match payload["what"]:
        case "save":
            await agreements.save_agreement(
                db, store_hash, agreement_id,
                name=payload["name"], text=Text.parse(payload["text"]) if payload["text"] else None,
                version=payload["version"], author=author, now=now, language=payload["language"],
                material=payload["material"], main=payload["main"],
            )  # fmt: skip
        case "restore":
            older = await agreements.fetch_version(db, store_hash, agreement_id, payload["older"])
            if older is None:
                raise Stale("This version does not exist.")
            await agreements.restore_agreement(
                db, store_hash, agreement_id, older,
                name=payload["name"], version=payload["version"], author=author, now=now, material=payload["material"],
            )  # fmt: skip
        case "bind":
            await _bind(db, store_hash, agreement_id, payload, author, now)
        case "unbind":
            binding = await _standing(db, store_hash, agreement_id, payload["binding"])
            await agreements.end_binding(db, store_hash, binding, author=author, now=now)
        case what:
            raise ValueError(f"a change of an agreement cannot be {what!r}")


async def _bind(
    db: Database, store_hash: str, agreement_id: int, payload: Mapping[str, Any], author: int, now: datetime
) -> None:
    given = payload["binding"]
    binding = Binding(**{**given, "content": bytes.fromhex(given["content"]) if given["content"] else None})
    async with db.transaction():
        if payload["instead_of"]:
            old = await _standing(db, store_hash, agreement_id, payload["instead_of"])
            if old.party_id != binding.party_id:
                await agreements.end_binding(db, store_hash, old, author=author, now=now)
        await agreements.save_binding(
            db, store_hash, binding, author=author, now=now, ask_again=bool(payload["ask_again"])
        )


async def _standing(db: Database, store_hash: str, agreement_id: int, binding_id: int) -> Binding:
    """Return a binding that still stands, or raise Stale."""
    for binding in await agreements.list_bindings(db, store_hash, agreement_id):
        if binding.id == binding_id:
            return binding
    raise Stale("What this customer signs was changed meanwhile.")
