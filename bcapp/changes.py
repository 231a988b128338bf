"""Changes that one person must not make alone: asked by one manager, approved by another or by 24 hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog

from bcapp.core.actions import ActionKind
from bcapp.core.changes import ChangeState, Subject, applies_at, refusal
from bcapp.core.model import RecordKey
from bcapp.core.rules import parse_definition
from bcapp.db import audit, rules
from bcapp.db.actions import queue_action
from bcapp.db.changing import apply_change
from bcapp.errors import AppError, RefusedByUs, Stale
from bcapp.services import Services

log = structlog.get_logger(__name__)


class NoSuchChange(AppError):
    """The store has no such change; answered as what does not exist."""


@dataclass(frozen=True)
class Change:
    """payload: what the applier was asked to do; {} once the change ended. asked_by, decided_by: user ids."""

    store_hash: str
    id: int
    subject: Subject
    subject_id: str
    summary: str
    asked_by: int
    asked_at: datetime
    applies_at: datetime
    state: ChangeState
    payload: Mapping[str, Any]

    @classmethod
    def from_row(cls, store_hash: str, row: Mapping[str, Any], payload: Mapping[str, Any]) -> Change:
        return cls(
            store_hash=store_hash,
            id=row["id"],
            subject=Subject(row["subject"]),
            subject_id=row["subject_id"],
            summary=row["summary"],
            asked_by=row["asked_by"],
            asked_at=row["asked_at"],
            applies_at=row["applies_at"],
            state=ChangeState(row["state"]),
            payload=payload,
        )

    @property
    def record(self) -> RecordKey:
        """The change as the record of its task and its lines in the audit log."""
        return RecordKey("change", str(self.id))


async def ask(
    services: Services,
    store_hash: str,
    *,
    subject: Subject,
    subject_id: str,
    payload: Mapping[str, Any],
    summary: str,
    user_id: int,
) -> Change:
    """Write down a change that a manager wants, and tell the owner; return it as it stands.

    It is applied at once where nobody else could approve it (state applied), else it waits. An earlier waiting change
    of the same thing by the same person is taken back. payload: JSON values, kept encrypted until the change ended.
    summary: one line for people, without secrets. Raises RefusedByUs or Stale when it cannot be made at once.
    """
    db, now = services.db, services.clock.now()
    same = {"store_hash": store_hash, "subject": subject.value, "subject_id": subject_id, "asked_by": user_id}
    async with db.transaction():
        others = await db.fetch_val("count_other_managers", {"store_hash": store_hash, "asked_by": user_id})
        when = applies_at(others, now)
        await db.execute("supersede_changes", {**same, "now": now})
        change_id = await db.fetch_val("add_change", {**same, "summary": summary, "now": now, "applies_at": when})
        change = Change(
            store_hash, change_id, subject, subject_id, summary, user_id, now, when, ChangeState.WAITING, payload
        )
        sealed = services.secrets.encrypt(
            orjson.dumps(dict(payload)),
            table="pending_changes",
            column="payload",
            store_hash=store_hash,
            row=change_id,
        )
        await db.execute("put_change_payload", {"store_hash": store_hash, "id": change_id, "payload": sealed})
        await audit.append(
            db, store_hash, now, actor=f"user:{user_id}", event="change_asked", record=change.record,
            detail={"subject": subject.value, "subject_id": subject_id, "fields": sorted(payload)},
        )  # fmt: skip
        if when <= now:
            await _tell(services, change, "change_applied", f"{_told(change)} It was applied at once.")
            return await _end(services, change, ChangeState.APPLIED, user_id)
        await _tell(
            services,
            change,
            "change_waits",
            f"{_told(change)} It waits for a second manager, and applies by itself after 24 hours unless somebody "
            "refuses.",
        )
    return change


async def decide(services: Services, store_hash: str, change_id: int, *, approve: bool, user_id: int) -> Change:
    """Approve or refuse a waiting change.

    Raises RefusedByUs with the reason when this person may not, Stale when what it changes moved on meanwhile,
    NoSuchChange when there is none.
    """
    async with services.db.transaction():
        change = await _lock(services, store_hash, change_id)
        why_not = refusal(approve=approve, asked_by=change.asked_by, decided_by=user_id, state=change.state)
        if why_not:
            raise RefusedByUs(why_not)
        return await _end(services, change, ChangeState.APPLIED if approve else ChangeState.REFUSED, user_id)


async def list_waiting(services: Services, store_hash: str) -> list[Change]:
    """Return the store's waiting changes, oldest first, without what they carry."""
    rows = await services.db.fetch_all("list_changes", {"store_hash": store_hash})
    return [Change.from_row(store_hash, row, {}) for row in rows]


async def apply_due(services: Services) -> int:
    """Apply every change whose 24 hours are over; return how many. One that cannot be made is refused, and said."""
    applied = 0
    for row in await services.db.fetch_all("list_due_changes", {"now": services.clock.now()}):
        try:
            async with services.db.transaction():
                change = await _lock(services, row["store_hash"], row["id"])
                if change.state is ChangeState.WAITING and change.applies_at <= services.clock.now():
                    await _still_asked(services, change)
                    await _end(services, change, ChangeState.APPLIED, None)
                    applied += 1
        except (RefusedByUs, Stale) as exc:
            async with services.db.transaction():
                change = await _lock(services, row["store_hash"], row["id"])
                if change.state is ChangeState.WAITING:
                    await _end(services, change, ChangeState.REFUSED, None)
                    text = f"{_told(change)} It could not be made: {exc}"
                    await _tell(services, change, "change_refused", text)
    return applied


async def _still_asked(services: Services, change: Change) -> None:
    """Raise RefusedByUs when who asked lost the right to: nobody else ever said yes to this change."""
    who = {
        "store_hash": change.store_hash,
        "asked_by": change.asked_by,
        "subject": change.subject.value,
        "subject_id": change.subject_id,
    }
    if not await services.db.fetch_val("may_still_ask", who):
        raise RefusedByUs("Who asked for it is not a manager any more.")


async def _lock(services: Services, store_hash: str, change_id: int) -> Change:
    row = await services.db.fetch_one("lock_change", {"store_hash": store_hash, "id": change_id})
    if row is None:
        raise NoSuchChange(f"the store {store_hash} has no change {change_id}")
    payload: Mapping[str, Any] = {}
    if row["payload"]:
        opened = services.secrets.decrypt(
            bytes(row["payload"]), table="pending_changes", column="payload", store_hash=store_hash, row=change_id
        )
        payload = orjson.loads(opened)
    return Change.from_row(store_hash, row, payload)


async def _end(services: Services, change: Change, state: ChangeState, user_id: int | None) -> Change:
    """End the change inside the caller's transaction. user_id: who decided, None when time did."""
    db, now = services.db, services.clock.now()
    of = {"store_hash": change.store_hash, "id": change.id}
    if state is ChangeState.APPLIED:
        await _apply(services, change)
    await db.execute("end_change", {**of, "state": state.value, "decided_by": user_id, "now": now})
    await db.execute(
        "settle_notice",
        {
            "store_hash": change.store_hash,
            "kind": "change_waits",
            "record_kind": change.record.kind,
            "record_id": change.record.id,
            "now": now,
            "done_by": user_id,
        },
    )
    await audit.append(
        db, change.store_hash, now, actor="app" if user_id is None else f"user:{user_id}",
        event=f"change_{state.value}", record=change.record,
        detail={"subject": change.subject.value, "subject_id": change.subject_id, "asked_by": change.asked_by},
    )  # fmt: skip
    log.info("change_ended", store=change.store_hash, change=change.id, subject=change.subject.value, state=state.value)
    return Change(
        change.store_hash, change.id, change.subject, change.subject_id, change.summary, change.asked_by,
        change.asked_at, change.applies_at, state, {},
    )  # fmt: skip


async def _apply(services: Services, change: Change) -> None:
    """Make the change as if its form were saved now; Stale or RefusedByUs when it cannot be made any more.

    A rule's payload says `what`: save (name, definition, version), mode (mode, records, version), include (records)
    or archive.
    """
    db, store_hash, now = services.db, change.store_hash, services.clock.now()
    if change.subject is not Subject.RULE:
        await apply_change(
            db, services.secrets, store_hash, change.subject, change.subject_id, change.payload,
            author=change.asked_by, now=now,
        )  # fmt: skip
        return
    rule_id, author, given = int(change.subject_id), change.asked_by, change.payload
    match given["what"]:
        case "save":
            definition = parse_definition(given["definition"])
            await rules.save_rule(
                db, store_hash, rule_id, name=given["name"], definition=definition, version=int(given["version"]),
                author=author, now=now,
            )  # fmt: skip
        case "mode":
            records = [str(r) for r in given.get("records", ())]
            if given["mode"] == "live":
                await rules.lock_version(db, store_hash, rule_id, int(given["version"]))
            kind = str(given.get("record_kind") or "order")
            await rules.set_mode(db, store_hash, rule_id, given["mode"], author, now, records=records, record_kind=kind)
        case "include":
            await rules.include(db, store_hash, rule_id, list(given["records"]), author, now)
        case "archive":
            await rules.archive(db, store_hash, rule_id, author, now)
        case what:
            raise ValueError(f"a change of a rule cannot be {what!r}")


# A task outlives what is erased, so it names no person; who it is about stands with the change until that ends.
UNNAMED = {
    Subject.APPROVER: "An approver is changed in People.",
    Subject.LIMIT: "An approval limit is changed in People.",
}


def _told(change: Change) -> str:
    """Return what a task says of the change: its summary with a full stop, which may stand inside closing quotes."""
    told = UNNAMED.get(change.subject, change.summary)
    return told if told.rstrip("”").endswith((".", "?", "!")) else f"{told}."


async def _tell(services: Services, change: Change, kind: str, text: str) -> None:
    """Put the change before the merchant and mail it, inside the caller's transaction."""
    db, now = services.db, services.clock.now()
    task_id = await db.fetch_val(
        "add_notice",
        {
            "store_hash": change.store_hash,
            "kind": kind,
            "record_kind": change.record.kind,
            "record_id": change.record.id,
            "text": text,
            "alarm": kind != "change_applied",  # what was applied is told, nobody has to act
            "now": now,
        },
    )
    if task_id is not None:
        payload = {"task_id": task_id, "to": "owner"}
        await queue_action(db, change.store_hash, ActionKind.SEND_MAIL, change.record, now, payload=payload)
