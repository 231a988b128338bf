"""Signature accounts: what the panel shows of them, and how they are saved. A secret goes in and never out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.db import Database
from bcapp.db.actions import queue_action
from bcapp.db.audit import append
from bcapp.secrets import Secrets

TESTS_PER_MINUTE = 5
FIELDS = ("name", "environment", "tenant", "token_url", "api_root", "client_id", "subscription", "from_email")


@dataclass(frozen=True)
class Account:
    """state: untested, working or broken. report: the last test, [{name, ok, sentence}]. testing: one is under way.

    used: requests were made with it, so that a change concerns more than who makes it.
    """

    id: int
    name: str
    environment: str
    tenant: str
    token_url: str
    api_root: str
    client_id: str
    subscription: str
    from_email: str
    state: str
    state_why: str
    report: tuple[Mapping[str, Any], ...]
    templates: int
    checked_at: datetime | None
    created_at: datetime
    testing: bool
    used: bool

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Account:
        return cls(**{**row, "report": tuple(row["report"])})

    @property
    def in_use(self) -> bool:
        return self.used or self.state == "working"


async def list_accounts(db: Database, store_hash: str) -> list[Account]:
    """Return the store's accounts, oldest first."""
    return [Account.from_row(row) for row in await db.fetch_all("panel_list_accounts", {"store_hash": store_hash})]


async def fetch_account(db: Database, store_hash: str, account_id: int) -> Account | None:
    row = await db.fetch_one("panel_fetch_account_view", {"store_hash": store_hash, "id": account_id})
    return Account.from_row(row) if row else None


async def save_account(
    db: Database,
    secrets: Secrets,
    store_hash: str,
    account_id: int | None,
    given: Mapping[str, str],
    *,
    actor: str,
    now: datetime,
) -> int | None:
    """Add an account (account_id None) or change one; return its id, None when it does not exist (any more).

    given: every name of FIELDS, and client_secret, which is empty to keep the one that stands. New connection data
    makes the account untested again. Raises KeyError for a field that is missing: the form has checked them.
    """
    values = {"store_hash": store_hash, "now": now, **{name: given[name] for name in FIELDS}}
    secret = given["client_secret"]
    async with db.transaction():
        if account_id is None:
            account_id = int(await db.fetch_val("panel_add_account", values))
            changed = list(FIELDS)
        else:
            before = await fetch_account(db, store_hash, account_id)
            if before is None:
                return None
            changed = [name for name in FIELDS if getattr(before, name) != given[name]]
            del values["now"]
            if secret or set(changed) - {"name"}:
                await db.execute("panel_update_account", {**values, "id": account_id})
            elif changed:
                await db.execute(
                    "panel_rename_account", {"store_hash": store_hash, "id": account_id, "name": given["name"]}
                )
        if secret:
            changed.append("client_secret")
            sealed = secrets.encrypt(
                secret.encode(),
                table="signature_accounts",
                column="client_secret",
                store_hash=store_hash,
                row=account_id,
            )
            await db.execute(
                "panel_put_account_secret", {"store_hash": store_hash, "id": account_id, "client_secret": sealed}
            )
        if changed:
            await append(
                db,
                store_hash,
                now,
                actor=actor,
                event="account_saved",
                record=RecordKey("account", str(account_id)),
                detail={"fields": changed},
            )
    return account_id


async def ask_test(db: Database, store_hash: str, account_id: int, *, actor: str, now: datetime) -> str:
    """Queue a test of the connection. Return "asked", "running" when one is under way, or "wait": too many lately."""
    record = RecordKey("account", str(account_id))
    return await ask_once(db, store_hash, ActionKind.TEST_ACCOUNT, record, actor=actor, now=now)


async def ask_once(
    db: Database, store_hash: str, kind: ActionKind, record: RecordKey, *, actor: str, now: datetime
) -> str:
    """Queue an action that a person asked for by a button, at most five of its kind a minute in one store.

    Return "asked", "running" when one waits or runs for this record, "wait" when there were too many.
    """
    async with db.transaction():
        await db.execute("lock_store", {"store_hash": store_hash})
        lately = (
            await db.fetch_one(
                "panel_count_recent_actions",
                {
                    "store_hash": store_hash,
                    "record_kind": record.kind,
                    "record_id": record.id,
                    "kind": str(kind),
                    "since": now - timedelta(minutes=1),
                },
            )
            or {}
        )
        if lately["open"]:
            return "running"
        if lately["recent"] >= TESTS_PER_MINUTE:
            return "wait"
        await queue_action(db, store_hash, kind, record, now)
        await append(db, store_hash, now, actor=actor, event=f"{kind}_asked", record=record)
    return "asked"
