"""Cases: returns, refund exceptions and cancellations, opened by another system and followed until they are settled."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from bcapp.core.cases import REASONS, TENDERS, CaseKind, CaseState
from bcapp.core.refunds import ORDER_LEVEL, RefundItem
from bcapp.db.audit import append
from bcapp.db.cases import MOST_LINES, Case, NewCase, NewLine, fetch_case, lines_of, open_case
from bcapp.db.deliveries import say_look
from bcapp.web.api.door import Call, Query, Refused, cursor, operation
from bcapp.web.api.shapes import Amount, Moment, Page, Shape

# Optional text of a body: no line ends or other control characters.
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CaseOut(Shape):
    id: int
    kind: str = Field(description="return, exception or cancellation")
    state: str = Field(
        description="draft, new (being calculated), open (waits to be signed), approved, settling, by_hand, stuck, "
        "closed (settled), refused or withdrawn"
    )
    state_why: str
    order_id: int
    origin: str = Field(description="staff, shopper, api or app")
    reason: str
    goods_back: bool
    tender: str = Field(description="original or store_credit")
    currency: str = Field(description="Empty until the order was read.")
    quoted: Amount | None = Field(description="What the store calculated; null until then.")
    cap: Amount = Field(description="The most that a signature allows.")
    taken: Amount = Field(description="Refunded, or on its way.")
    created_at: Moment
    approved_at: Moment | None
    ended_at: Moment | None


class CaseLineOut(Shape):
    item_type: str
    item_id: int
    quantity: int
    amount: Amount
    sku: str
    name: str


class RefundOut(Shape):
    id: int = Field(description="The store's number of the refund.")
    amount: Amount = Field(description="What of it counts for this case.")
    currency: str
    state: str = Field(description="settling, settled, by_hand or declined")
    ours: bool = Field(description="Made by the app; otherwise by hand at the store.")
    made_at: Moment


class CaseDetail(CaseOut):
    lines: tuple[CaseLineOut, ...]
    refunds: tuple[RefundOut, ...]


class CaseLineIn(Shape):
    item_id: int = Field(gt=0, lt=10**14, description="The line of the order, as its products call it.")
    quantity: int = Field(gt=0, le=100_000)
    why: Line = ""


class CaseIn(Shape):
    """What is refunded: lines by pieces, an amount of the whole order, or both; nothing for a cancellation."""

    kind: Literal["return", "exception", "cancellation"]
    order_id: int = Field(gt=0, lt=10**14)
    reason: Literal[tuple(REASONS)] = "other"  # type: ignore[valid-type]
    tender: Literal[tuple(TENDERS)] = "original"  # type: ignore[valid-type]
    lines: tuple[CaseLineIn, ...] = Field(default=(), max_length=MOST_LINES)
    amount: Decimal | None = Field(default=None, gt=0, le=10_000_000, decimal_places=2)
    goods_back: bool = False
    note: Line = ""
    key: Annotated[str, Field(max_length=100, pattern=r"^[\x21-\x7e]*$")] = Field(
        default="", description="Yours: the same key again is the same case, so that a call can be repeated."
    )


class GoodsIn(Shape):
    goods_back: bool


def _shape(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in CaseOut.model_fields}


@operation(
    "GET",
    "/cases",
    summary="List cases",
    answers=CaseOut,
    pages=True,
    query=(
        Query("state", "Only those in this state.", allowed=tuple(str(s) for s in CaseState)),
        Query("order_id", "Only those of this order.", "number"),
    ),
)
async def list_cases(call: Call) -> Page[CaseOut]:
    """Every case of the store, the newest first."""
    values = {"store_hash": call.store.hash, "before": call.before(), "state": call.values.get("state") or ""}
    rows = await call.services.db.fetch_all(
        "api_cases", {**values, "order_id": call.values.get("order_id"), "size": call.limit + 1}
    )
    shown = rows[: call.limit]
    return Page[CaseOut](
        data=[CaseOut(**_shape(row)) for row in shown],
        next=cursor(str(shown[-1]["id"])) if len(rows) > call.limit else None,
    )


async def _case(call: Call, case_id: int) -> Case:
    case = await fetch_case(call.services.db, call.store.hash, case_id)
    if case is None:
        raise Refused(404, "There is no case with this id.")
    return case


async def _detail(call: Call, case_id: int) -> CaseDetail:
    db, case = call.services.db, await _case(call, case_id)
    lines = await lines_of(db, call.store.hash, case_id)
    refunds = await db.fetch_all("api_case_refunds", {"store_hash": call.store.hash, "case_id": case_id})
    return CaseDetail(
        **_shape(case.row),
        # A draft lists what may be chosen; only what was chosen is part of the case.
        lines=tuple(
            CaseLineOut(**{name: line[name] for name in CaseLineOut.model_fields})
            for line in lines
            if line["quantity"] or line["amount"]
        ),
        refunds=tuple(
            RefundOut(**{"id" if name == "refund_id" else name: v for name, v in r.items()}) for r in refunds
        ),
    )


@operation("GET", "/cases/{id}", summary="Read one case", answers=CaseDetail)
async def read_case(call: Call) -> CaseDetail:
    """One case with its lines and the refunds that count for it. Only closed means that the money arrived."""
    return await _detail(call, call.id())


@operation("POST", "/cases", summary="Open a case", answers=CaseDetail, takes=CaseIn, role="write", status=201)
async def open_new_case(call: Call) -> CaseDetail:
    """Open a case. The store calculates it, then the rules say who signs; nothing is refunded before that."""
    asked: CaseIn = call.body
    is_whole = asked.kind == "cancellation"
    if is_whole and (asked.lines or asked.amount):
        raise Refused(400, "A cancellation is of the whole order: leave out `lines` and `amount`.")
    if not is_whole and not asked.lines and not asked.amount:
        raise Refused(400, "Name at least one line, or an amount.")
    if len({line.item_id for line in asked.lines}) < len(asked.lines):
        raise Refused(400, "Name each line once.")
    lines = [NewLine(RefundItem("PRODUCT", line.item_id, line.quantity), why=line.why) for line in asked.lines]
    if asked.amount:
        lines.append(NewLine(RefundItem(ORDER_LEVEL, asked.order_id, amount=asked.amount), "Amount of the order"))
    new = NewCase(
        CaseKind(asked.kind), asked.order_id, "api",
        reason=asked.reason, lines=tuple(lines), goods_back=asked.goods_back, tender=asked.tender,
        origin_key=asked.key, note=asked.note,
        opened_by=call.bearer.made_by,  # who holds a key may not approve what it asks for
    )  # fmt: skip
    db, store_hash = call.services.db, call.store.hash
    async with db.transaction():
        case_id = await open_case(db, store_hash, new, call.now)
        case = await _case(call, case_id)
        if case.order_id != asked.order_id or str(case.kind) != asked.kind:
            raise Refused(409, "This `key` opened another case before. Give each case a key of its own.")
        await append(db, store_hash, call.now, actor=call.bearer.actor, event="case_asked_by_api", record=case.record)
    return await _detail(call, case_id)


@operation("POST", "/cases/{id}/goods", summary="Say whether the goods are back", answers=CaseDetail, takes=GoodsIn,
           role="write")  # fmt: skip
async def tell_goods(call: Call) -> CaseDetail:
    """A warehouse tells that the goods came back; a case whose rule waits for them goes on."""
    asked: GoodsIn = call.body
    case, db, store_hash = await _case(call, call.id()), call.services.db, call.store.hash
    async with db.transaction():
        values = {"store_hash": store_hash, "id": case.id, "goods_back": asked.goods_back}
        if await db.fetch_val("set_goods_back", values) is None:
            raise Refused(409, "The case has ended. Read it to see how.")
        detail = {"back": asked.goods_back}
        await append(
            db, store_hash, call.now, actor=call.bearer.actor, event="case_goods", record=case.record, detail=detail
        )
        await say_look(db, store_hash, case.record, call.now, source="panel")
    return await _detail(call, case.id)


OPERATIONS = [list_cases, read_case, open_new_case, tell_goods]
