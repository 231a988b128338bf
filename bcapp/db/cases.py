"""Cases as rows: opening one, its lines, its money, the refunds that count for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.cases import CaseEvent, CaseKind, CaseState, advance_case
from bcapp.core.model import RecordKey
from bcapp.core.news import OF_CASE
from bcapp.core.refunds import ZERO, Before, Claim, Refund, RefundItem
from bcapp.db import Database
from bcapp.db.actions import queue_action
from bcapp.db.audit import append
from bcapp.db.deliveries import say_look
from bcapp.db.news import tell, tell_noted
from bcapp.errors import Stale

MOST_LINES = 250
ORIGINS = ("staff", "shopper", "api", "app")


@dataclass(frozen=True)
class NewLine:
    """One thing to refund. why: typed by whoever asks, may name people."""

    item: RefundItem
    name: str = ""
    sku: str = ""
    why: str = ""
    available: int = 0
    price: Decimal = ZERO


@dataclass(frozen=True)
class NewCase:
    """A case as it is opened. origin: staff | shopper | api | app.

    lines: empty for everything that is left of the order. draft: its lines are chosen later, from what the order has.
    origin_key: the same for a repeated opening by a form or another system; "" where every opening is a new case.
    """

    kind: CaseKind
    order_id: int
    origin: str
    reason: str = "other"
    lines: tuple[NewLine, ...] = ()
    draft: bool = False
    goods_back: bool = False
    tender: str = "original"
    tolerance: Decimal = ZERO
    opened_by: int = 0
    origin_key: str = ""
    contact_name: str = ""
    contact_email: str = ""
    note: str = ""


@dataclass(frozen=True)
class Case:
    """A case as it stands. taken: what of its cap is refunded or on its way."""

    id: int
    kind: CaseKind
    state: CaseState
    order_id: int
    tender: str
    tolerance: Decimal
    quoted: Decimal | None
    cap: Decimal
    taken: Decimal
    baseline: frozenset[int]
    looks: int
    row: Mapping[str, Any] = field(compare=False, default_factory=dict)

    @property
    def left(self) -> Decimal:
        return max(ZERO, self.cap - self.taken)

    @property
    def record(self) -> RecordKey:
        return RecordKey("case", str(self.id))


async def open_case(db: Database, store_hash: str, new: NewCase, now: datetime) -> int:
    """Write a case down and have it calculated by the store; return its number. The same opening is one case.

    Whoever asks has proven before that they may: the panel by a role, a form by the order's own address, a key by its
    store. Nothing is refunded before the case is approved.
    """
    if new.origin not in ORIGINS or len(new.lines) > MOST_LINES:
        raise ValueError("a case comes from a known origin and has a bounded number of lines")
    async with db.transaction():
        values = {
            "store_hash": store_hash,
            "kind": str(new.kind),
            "state": str(CaseState.DRAFT if new.draft else CaseState.NEW),
            "order_id": new.order_id,
            "origin": new.origin,
            "origin_key": new.origin_key,
            "opened_by": new.opened_by,
            "goods_back": new.goods_back,
            "tender": new.tender,
            "tolerance": new.tolerance,
            "reason": new.reason,
            "contact_name": new.contact_name,
            "contact_email": new.contact_email.strip().lower(),
            "note": new.note,
            "now": now,
        }
        case_id = await db.fetch_val("add_case", values)
        if case_id is None:
            of = {"store_hash": store_hash, "origin": new.origin, "origin_key": new.origin_key}
            return int(await db.fetch_val("case_of_opening", of))
        record = RecordKey("case", str(case_id))
        await save_lines(db, store_hash, int(case_id), new.lines)
        await db.execute("see_case_order", {"store_hash": store_hash, "order_id": new.order_id})
        await db.execute("see_record", {"store_hash": store_hash, "kind": "case", "id": record.id, "now": now})
        actor = f"user:{new.opened_by}" if new.opened_by and new.origin == "staff" else "app"
        detail = {"order": new.order_id, "kind": str(new.kind), "origin": new.origin}
        await append(db, store_hash, now, actor=actor, event="case_opened", record=record, detail=detail)
        told = {"case": {"id": int(case_id), "kind": str(new.kind), "order_id": new.order_id}}
        await tell_noted(db, store_hash, "case_opened", record, now, told)
        await prepare_case(db, store_hash, int(case_id), "lines" if new.draft else "quote", now)
        await say_look(db, store_hash, record, now)
    return int(case_id)


async def prepare_case(db: Database, store_hash: str, case_id: int, step: str, now: datetime) -> None:
    """Have the worker read what the case needs of the store. step: lines | quote. Call inside a transaction."""
    record = RecordKey("case", str(case_id))
    await queue_action(db, store_hash, ActionKind.PREPARE_CASE, record, now, payload={"step": step})


async def submit_case(db: Database, store_hash: str, case_id: int, lines: Sequence[NewLine], now: datetime) -> bool:
    """Give a draft its lines and have it calculated; False when it is no draft any more."""
    async with db.transaction():
        if await db.fetch_val("submit_case", {"store_hash": store_hash, "id": case_id}) is None:
            return False
        await save_lines(db, store_hash, case_id, lines)
        await prepare_case(db, store_hash, case_id, "quote", now)
        await say_look(db, store_hash, RecordKey("case", str(case_id)), now)
    return True


async def save_lines(db: Database, store_hash: str, case_id: int, lines: Sequence[NewLine]) -> None:
    """Replace the lines of a case. Call inside a transaction."""
    of = {"store_hash": store_hash, "case_id": case_id}
    await db.execute("drop_case_lines", of)
    for position, line in enumerate(lines[:MOST_LINES]):
        item = line.item
        await db.execute(
            "add_case_line",
            {
                **of,
                "position": position,
                "item_type": item.item_type,
                "item_id": item.item_id,
                "quantity": item.quantity,
                "amount": item.amount,
                "available": line.available,
                "price": line.price,
                "name": line.name,
                "sku": line.sku,
                "why": line.why,
            },
        )


async def fetch_case(db: Database, store_hash: str, case_id: int) -> Case | None:
    row = await db.fetch_one("fetch_case", {"store_hash": store_hash, "id": case_id})
    return _case(row) if row else None


def _case(row: Mapping[str, Any]) -> Case:
    return Case(
        id=row["id"],
        kind=CaseKind(row["kind"]),
        state=CaseState(row["state"]),
        order_id=row["order_id"],
        tender=row["tender"],
        tolerance=row["tolerance"],
        quoted=row["quoted"],
        cap=row["cap"],
        taken=row["taken"],
        baseline=frozenset(row["baseline"]),
        looks=row["looks"],
        row=row,
    )


async def lines_of(db: Database, store_hash: str, case_id: int) -> list[dict[str, Any]]:
    return await db.fetch_all("lines_of_case", {"store_hash": store_hash, "case_id": case_id})


def item_of(line: Mapping[str, Any]) -> RefundItem:
    return RefundItem(line["item_type"], line["item_id"], line["quantity"], line["amount"])


async def move_case(db: Database, store_hash: str, case_id: int, event: CaseEvent, why: str, now: datetime) -> bool:
    """Move a case by an event; False when it was there already. Raises IllegalTransition. Call inside a transaction.

    A look that read the case before decides on what is not so any more: it is begun anew.
    """
    row = await db.fetch_one("lock_case", {"store_hash": store_hash, "id": case_id})
    if row is None:
        raise Stale("the case does not exist any more")
    before = CaseState(row["state"])
    state = advance_case(before, event)
    values = {"store_hash": store_hash, "id": case_id, "state": str(state), "why": why, "is_end": state.is_end}
    await db.execute("move_case", {**values, "now": now})
    await outdate(db, store_hash, case_id)
    if state is before:
        return False
    if before is CaseState.BY_HAND and state is CaseState.CLOSED:
        await db.execute("pay_by_hand", {"store_hash": store_hash, "case_id": case_id})
    if state.is_end:
        await db.execute("leave_attempts", {"store_hash": store_hash, "case_id": case_id, "now": now})
    record = RecordKey("case", str(case_id))
    detail = {"from": str(before), "to": str(state)}
    await append(db, store_hash, now, actor="app", event="case_moved", record=record, detail=detail)
    if state in OF_CASE:
        told = {"case": {"id": case_id, "kind": row["kind"], "order_id": row["order_id"], "state": str(state)}}
        await tell(db, store_hash, OF_CASE[state], record, now, data=told)
    return True


async def outdate(db: Database, store_hash: str, case_id: int) -> None:
    """Have every look that read the case before now begin anew. Call inside the transaction of what changed."""
    of = {"store_hash": store_hash, "record_kind": "case", "record_id": str(case_id)}
    await db.execute("raise_record_version", of)


async def claims_of(db: Database, store_hash: str, order_id: int) -> list[tuple[Claim, CaseState, frozenset[int]]]:
    """Return what the order's waiting cases still want, oldest first, with their states and their baselines."""
    rows = await db.fetch_all("cases_of_order", {"store_hash": store_hash, "order_id": order_id})
    found = []
    for row in rows:
        state = CaseState(row["state"])
        if state.reserves:
            items = tuple(item_of(line) for line in await lines_of(db, store_hash, row["id"]))
            claim = Claim(row["id"], items, max(ZERO, row["cap"] - row["taken"]))
            found.append((claim, state, frozenset(row["baseline"])))
    return found


# Attempts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """One time that the store was asked to refund. state: calling | unclear | done | not_done | person."""

    number: int
    action_id: int
    state: str
    before: Before
    looks: int
    refund_id: int | None
    called_at: datetime

    @property
    def is_open(self) -> bool:
        return self.state in ("calling", "unclear")


async def attempts_of(db: Database, store_hash: str, case_id: int) -> list[Attempt]:
    rows = await db.fetch_all("attempts_of_case", {"store_hash": store_hash, "case_id": case_id})
    return [
        Attempt(
            r["number"],
            r["action_id"],
            r["state"],
            Before(frozenset(r["known"]), r["refunded"], r["amount"]),
            r["looks"],
            r["refund_id"],
            r["called_at"],
        )
        for r in rows
    ]


async def begin_attempt(
    db: Database, store_hash: str, case: Case, number: int, action_id: int, before: Before, now: datetime
) -> bool:
    """Write down, and commit, that the store is asked now; False while another refund of the order is under way."""
    values = {
        "store_hash": store_hash,
        "case_id": case.id,
        "number": number,
        "action_id": action_id,
        "order_id": case.order_id,
        "amount": before.amount,
        "refunded": before.refunded,
        "known": sorted(before.known),
        "now": now,
    }
    async with db.transaction():
        return await db.fetch_val("begin_attempt", values) is not None


async def end_attempt(
    db: Database,
    store_hash: str,
    case_id: int,
    number: int,
    state: str,
    now: datetime,
    *,
    refund_id: int | None = None,
    why: str = "",
) -> None:
    of = {"store_hash": store_hash, "case_id": case_id, "number": number}
    await db.execute("end_attempt", {**of, "state": state, "refund_id": refund_id, "why": why, "now": now})


async def note_refund(
    db: Database,
    store_hash: str,
    refund: Refund,
    case_id: int,
    now: datetime,
    *,
    ours: bool,
    approved: bool,
    state: str,
    amount: Decimal,
    currency: str,
) -> bool:
    """Write down that a refund counts for a case (0: for none); False when it stood there already."""
    values = {
        "store_hash": store_hash,
        "refund_id": refund.id,
        "case_id": case_id,
        "order_id": refund.order_id,
        "ours": ours,
        "approved": approved,
        "state": state,
        "amount": amount,
        "currency": currency,
        "made_by": refund.user_id,
        "made_at": refund.created_at,
        "now": now,
    }
    return await db.fetch_val("note_case_refund", values) is not None


async def files_of(db: Database, store_hash: str, case_id: int) -> list[dict[str, Any]]:
    """Return the files of a case, in the order in which they came."""
    return await db.fetch_all("files_of_case", {"store_hash": store_hash, "record": str(case_id)})
