"""Cases: the list, opening one, choosing what is refunded, deciding what got stuck, refunds that nobody approved."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.cases import KIND_LABELS, REASONS, TENDERS, CaseKind, CaseState
from bcapp.core.model import RecordKey
from bcapp.core.refunds import ORDER_LEVEL, ZERO, RefundItem
from bcapp.db.audit import append
from bcapp.db.cases import Case, NewCase, NewLine, fetch_case, lines_of, open_case, submit_case
from bcapp.db.deliveries import say_look
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.parts.case import STATES, WORDS
from bcapp.web.panel.requests import Step
from bcapp.web.panel.screen import (
    WHY_CHARACTERS,
    Given,
    answer,
    frame,
    path_id,
    press,
    query_page,
    query_text,
)
from bcapp.web.refusals import not_found
from bcapp.web.render import go
from bcapp.web.status_words import N_
from bcapp.workflows.case_approval import BUTTONS, SLUG
from bcapp.workflows.protocol import Command

ROWS = 50
MOST_AMOUNT = Decimal("10000000")
SCOPES = (
    ("all", N_("All")),
    ("open", N_("Open")),
    ("person", N_("Needs a person")),
    ("ended", N_("Ended")),
)
CHOICE = N_("Choose one of the list.")
STEPS: dict[str, Step] = {
    "withdraw": Step(
        N_("Withdraw this case"),
        N_("Nothing is refunded, and its open requests are cancelled."),
        N_("Reason"), N_("Kept with the case."), N_("Withdraw"), "danger",
    ),
    "refuse": Step(
        N_("Refuse this case"),
        N_("Nothing more is refunded, and its open requests are cancelled. Tell whoever asked for it."),
        N_("Reason"), N_("Kept with the case."), N_("Refuse"), "danger",
    ),
    "again": Step(
        N_("Try the refund again"),
        N_("The store is asked anew, at most for what is signed. Look at the order’s payment first: what the store "
           "refunded already is counted."),
        N_("Reason"), N_("Kept with the case."), N_("Try again"),
    ),
    "requote": Step(
        N_("Calculate anew"),
        N_("The store calculates the refund again. Another amount has to be signed again."),
        N_("Reason"), N_("Kept with the case."), N_("Calculate"),
    ),
    "settled": Step(
        N_("It is refunded"),
        N_("You looked it up, and the customer has the money. The case is closed, and nothing is refunded by us."),
        N_("How you know"), N_("Kept with the case under your name."), N_("Close the case"),
    ),
    "paid": Step(
        N_("It is paid by hand"),
        N_("The customer has the money by another way, such as a bank transfer. The case is closed."),
        N_("How it was paid"), N_("Kept with the case under your name."), N_("Close the case"),
    ),
}  # fmt: skip


@panel("cases.view")
async def show_cases(request: Request, visit: Visit) -> Response:
    db, of = visit.services.db, {"store_hash": visit.store.hash}
    scope, number = query_text(request, "state"), query_page(request)
    scope = scope if scope in dict(SCOPES) else "all"
    q = query_text(request, "q").removeprefix("#").removeprefix("CS-")
    wanted = int(q) if q.isascii() and q.isdecimal() and len(q) < 15 else (-1 if q else 0)
    found = {**of, "scope": scope, "number": wanted, "limit": ROWS}
    rows = await db.fetch_all("list_cases", {**found, "offset": (number - 1) * ROWS})
    counts = await db.fetch_one("count_cases", of)
    url, totals = frame(request).url, counts or {}
    return answer(
        request, visit, "panel/cases.html", "list",
        active="requests",
        rows=rows,
        q=q,
        scope=scope,
        words=WORDS,
        states=STATES,
        pills=[
            (label, url("cases", q=q, state="" if name == "all" else name), totals.get(name, 0), name == scope)
            for name, label in SCOPES
        ],
        number=number,
        last=max(1, -(-rows[0]["total"] // ROWS)) if rows else 1,
        address=lambda page: url("cases", q=q, state=scope, page=page),
        personal=visit.may("requests.facts"),
        may_open=visit.may("cases.open"),
    )  # fmt: skip


@panel("cases.view")
async def show_unapproved(request: Request, visit: Visit) -> Response:
    """List the refunds that were made without an approved case, with who made them where the store says so."""
    number = query_page(request)
    values = {"store_hash": visit.store.hash, "limit": ROWS, "offset": (number - 1) * ROWS}
    rows = await visit.services.db.fetch_all("unapproved_refunds", values)
    url = frame(request).url
    return answer(
        request, visit, "panel/refunds.html",
        active="requests",
        rows=rows,
        number=number,
        last=max(1, -(-rows[0]["total"] // ROWS)) if rows else 1,
        address=lambda page: url("cases/refunds", page=page),
        personal=visit.may("requests.facts"),
    )  # fmt: skip


@panel("cases.open")
async def new_case(request: Request, visit: Visit) -> Response:
    """Ask for the order and the reason; what is refunded is chosen next, from what the order has."""
    errors: Mapping[str, str] = {}
    values: Mapping[str, Any] = Blank(order=query_text(request, "order"), kind="return", tender="original")
    if request.method == "POST":
        given = Given(await read_form(request))
        order_id = given.number("order", "The order number", 1, 10**14)
        kind = given.choice("kind", CHOICE, list(KIND_LABELS))
        reason = given.choice("reason", CHOICE, list(REASONS))
        tender = given.choice("tender", CHOICE, list(TENDERS), "original")
        tolerance = _decimal(given, "tolerance", "The tolerance", Decimal(100))
        note = given.text("note", "The note", WHY_CHARACTERS)
        if not given.errors:
            is_whole = kind == CaseKind.CANCELLATION
            new = NewCase(
                CaseKind(kind), order_id, "staff",
                reason=reason, draft=not is_whole, goods_back=given.ticked("goods_back"), tender=tender,
                tolerance=tolerance, opened_by=visit.user.id, origin_key=f"{visit.user.id}:{given.once}", note=note,
            )  # fmt: skip
            case_id = await open_case(visit.services.db, visit.store.hash, new, visit.now)
            return go(request, frame(request).url(f"cases/{case_id}" if is_whole else f"cases/{case_id}/lines"))
        errors, values = given.errors, Blank(given.form)
    return answer(
        request, visit, "panel/case_new.html", "form", 422 if errors else 200,
        active="requests",
        values=values,
        errors=errors,
        words=WORDS,
    )  # fmt: skip


def _decimal(given: Given, name: str, label: str, most: Decimal) -> Decimal:
    text = given.raw(name).strip()
    if not text:
        return ZERO
    try:
        value = Decimal(text) if text.isascii() and len(text) <= 20 else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= most or value != value.quantize(Decimal("0.01")):
        given.errors[name] = f"{label} is a number from 0 to {most}, with at most two decimals. Write it like 12.50."
        return ZERO
    return value


async def _fetch(visit: Visit, request: Request) -> Case:
    case = await fetch_case(visit.services.db, visit.store.hash, path_id(request))
    if case is None:
        raise not_found()
    return case


@panel("cases.open")
async def choose_lines(request: Request, visit: Visit) -> Response:
    """Choose pieces of the order's lines, or an amount of the whole order. The page waits until they are read."""
    case = await _fetch(visit, request)
    url = frame(request).url
    if case.state is not CaseState.DRAFT:
        return go(request, url(f"cases/{case.id}"))
    offered = await lines_of(visit.services.db, visit.store.hash, case.id)
    is_read = bool(case.row["currency"])
    errors: Mapping[str, str] = {}
    values: Mapping[str, Any] = {}
    if request.method == "POST" and is_read:
        given = Given(await read_form(request))
        lines = [_chosen(given, line) for line in offered]
        amount = _decimal(given, "amount", "The amount", MOST_AMOUNT)
        chosen = [line for line in lines if line.item.quantity]
        if amount:
            chosen.append(NewLine(RefundItem(ORDER_LEVEL, case.order_id, amount=amount), "Amount of the order"))
        if not chosen and not given.errors:
            given.errors["amount"] = "Choose at least one piece, or an amount."
        if not given.errors:
            await submit_case(visit.services.db, visit.store.hash, case.id, chosen, visit.now)
            return go(request, url(f"cases/{case.id}"), toast="The store calculates what it refunds.")
        errors, values = given.errors, Blank(given.form)
    return answer(
        request, visit, "panel/case_lines.html", "lines", 422 if errors else 200,
        active="requests",
        case=case,
        offered=offered,
        is_read=is_read,
        values=values,
        errors=errors,
    )  # fmt: skip


def _chosen(given: Given, line: Mapping[str, Any]) -> NewLine:
    place = line["position"]
    pieces = given.number(f"pieces_{place}", f"“{line['name'][:60]}”", 0, line["available"], default=0)
    why = given.text(f"why_{place}", "The reason", 200)
    return NewLine(
        RefundItem(line["item_type"], line["item_id"], pieces),
        line["name"], line["sku"], why, line["available"], line["price"],
    )  # fmt: skip


@panel("cases.open")
async def tick_goods(request: Request, visit: Visit) -> Response:
    """Say whether the goods are back; a case that waited for them goes on."""
    given = Given(await read_form(request))
    case = await _fetch(visit, request)
    back, db = given.ticked("goods_back"), visit.services.db
    async with db.transaction():
        values = {"store_hash": visit.store.hash, "id": case.id, "goods_back": back}
        changed = await db.fetch_val("set_goods_back", values)
        if changed is not None:
            await append(
                db, visit.store.hash, visit.now, actor=visit.actor, event="case_goods", record=case.record,
                detail={"back": back},
            )  # fmt: skip
            await say_look(db, visit.store.hash, case.record, visit.now, source="panel")
    text = "Nothing was changed: the case has ended." if changed is None else (
        "The goods are back." if back else "The goods are not back yet."
    )  # fmt: skip
    return go(request, frame(request).url(f"cases/{case.id}"), toast=text)


@panel("cases.decide")
async def take_step(request: Request, visit: Visit) -> Response:
    """Ask for the reason of a step, then hand it to the worker."""
    act, case = str(request.path_params["act"]), await _fetch(visit, request)
    step, back = STEPS.get(act), frame(request).url(f"cases/{case.id}")
    if step is None:
        raise not_found()
    if case.state not in BUTTONS[f"case_{act}"]:
        return go(request, back, toast="Nothing was changed: the case went on meanwhile.", toast_kind="info")
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            record = RecordKey("case", str(case.id))
            await press(visit, record, Command(f"case_{act}", visit.user.id, why, workflow=SLUG), given.once)
            return go(request, back, toast="Your step is being carried out.")
        error, status = given.errors["why"], 422
    return answer(
        request, visit, "panel/step.html", "dialog", status,
        active="requests", step=step, text=step.text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


ROUTES = [
    Route("/cases", show_cases, name="cases"),
    Route("/cases/new", new_case, methods=["GET", "POST"], name="case_new"),
    Route("/cases/refunds", show_unapproved, name="case_refunds"),
    Route("/cases/{id}/lines", choose_lines, methods=["GET", "POST"], name="case_lines"),
    Route("/cases/{id}/goods", tick_goods, methods=["POST"], name="case_goods"),
    Route("/cases/{id}/step/{act}", take_step, methods=["GET", "POST"], name="case_step"),
]
