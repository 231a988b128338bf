"""Records: an order, a customer, a company ... with its hold and its requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from bcapp.core.model import RecordKey
from bcapp.db.audit import append
from bcapp.db.deliveries import say_look
from bcapp.web.api.door import MOST, MOST_ID, Call, Query, Refused, cursor, operation, read_cursor
from bcapp.web.api.requests import RequestOut, requests_page
from bcapp.web.api.shapes import Moment, Money, Page, Shape

KIND = re.compile(r"[a-z_]{1,32}")
LOOKS_AGAIN_SECONDS = 10


class HoldOut(Shape):
    method: str = Field(description="How the record is held: status, capture, gate or none.")
    state: str = Field(
        description="none, holding, held, releasing, released, joined, refused, overridden, bypassed or kept"
    )
    why: str
    blocking: tuple[int, ...] = Field(description="Ids of the requests that keep it shut.")
    wanted_at: Moment
    held_at: Moment | None
    opened_at: Moment | None


class RecordOut(Shape):
    kind: str
    id: str
    label: str = Field(description="How lists call it, such as “Order 1001, Ann Lee”.")
    total: Money | None
    created_at: Moment = Field(description="When the app saw it first.")
    looked_at: Moment | None = Field(description="When it was read last.")
    gone_since: Moment | None = Field(description="It does not exist any more at BigCommerce.")


class RecordDetail(RecordOut):
    hold: HoldOut | None
    requests: tuple[RequestOut, ...] = Field(description=f"The newest {MOST}, newest first.")


class LookedOut(Shape):
    kind: str
    id: str
    asked: bool = True


def _shape(row: Mapping[str, Any]) -> dict[str, Any]:
    has_money = row["amount"] is not None and row["currency"]
    return {
        **{name: row[name] for name in ("kind", "id", "label", "created_at", "looked_at", "gone_since")},
        "total": Money(amount=row["amount"], currency=row["currency"]) if has_money else None,
    }


def _kind(call: Call) -> str:
    kind = call.text("kind")
    if not KIND.fullmatch(kind):
        raise Refused(404, "There is no such kind of record.")
    return kind


async def _record(call: Call) -> dict[str, Any]:
    of = {"store_hash": call.store.hash, "kind": _kind(call), "id": call.text("id")}
    row = await call.services.db.fetch_one("api_record", of)
    if row is None:
        raise Refused(404, "The app has not seen this record. It sees what a rule could be about.")
    return row


@operation("GET", "/records/{kind}", summary="List records of a kind", answers=RecordOut, pages=True)
async def list_records(call: Call) -> Page[RecordOut]:
    """Records of one kind (order, customer, company, ...) that the app has looked at, the newest first."""
    after = call.values.get("after") or ""
    at: datetime | None = None
    last = ""
    if after:
        moment, last = read_cursor(after, 2)
        try:
            at = datetime.fromisoformat(moment)
            at = at.astimezone(UTC) if at.tzinfo is not None else None
        except (ValueError, OverflowError):
            at = None
        if at is None:
            raise Refused(400, "`after` is not one that we gave. Begin with the first page.")
    values = {"store_hash": call.store.hash, "kind": _kind(call), "after_at": at, "after_id": last}
    rows = await call.services.db.fetch_all("api_records", {**values, "size": call.limit + 1})
    shown = rows[: call.limit]
    return Page[RecordOut](
        data=[RecordOut(**_shape(row)) for row in shown],
        next=cursor(shown[-1]["created_at"].isoformat(), shown[-1]["id"]) if len(rows) > call.limit else None,
    )


@operation("GET", "/records/{kind}/{id}", summary="Read one record", answers=RecordDetail)
async def read_record(call: Call) -> RecordDetail:
    """One record with its hold and its newest requests."""
    row = await _record(call)
    hold = await call.services.db.fetch_one(
        "api_hold", {"store_hash": call.store.hash, "kind": row["kind"], "id": row["id"]}
    )
    page = await requests_page(call, record_kind=row["kind"], record_id=row["id"], size=MOST, before=MOST_ID)
    return RecordDetail(
        **_shape(row),
        hold=HoldOut(**{**{k: v for k, v in hold.items() if k != "state_why"}, "why": hold["state_why"]})
        if hold
        else None,
        requests=tuple(page.data),
    )


@operation(
    "POST", "/records/{kind}/{id}/look", summary="Have a record looked at again", answers=LookedOut, role="write",
    status=202,
)  # fmt: skip
async def look_again(call: Call) -> LookedOut:
    """Read the record afresh and decide anew, as after an event of BigCommerce. Asking twice is asking once."""
    row = await _record(call)
    record, db = RecordKey(row["kind"], row["id"]), call.services.db
    async with db.transaction():
        await say_look(db, call.store.hash, record, call.now, source="panel", topic="look")
        await append(db, call.store.hash, call.now, actor=call.bearer.actor, event="looked_again", record=record)
    return LookedOut(kind=record.kind, id=record.id)


OPERATIONS = [list_records, read_record, look_again]
__all__ = ["OPERATIONS", "Query"]
