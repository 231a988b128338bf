"""Suppliers: the list, adding and changing one, inviting with what hiding would do, papers, lists from files."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.actions import ActionKind
from bcapp.core.calendars import zone_or_utc
from bcapp.core.imports import UnreadableSheet, read_sheet
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.model import RecordKey
from bcapp.core.suppliers import (
    AGREEMENT,
    COLUMNS,
    COVER_COLUMNS,
    ITEMS,
    PAPER_COLUMNS,
    Draft,
    Item,
    heading_problem,
    read_day,
    read_draft,
    read_lines,
)
from bcapp.db import suppliers
from bcapp.db.actions import queue_action
from bcapp.db.panel_requests import user_names
from bcapp.db.suppliers import supplier_record
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.parts.papers import PAPER_STATES, paper_rows
from bcapp.web.panel.parts.supplier import hide_choice
from bcapp.web.panel.screen import Given, answer, frame, path_id, query_page, query_text
from bcapp.web.refusals import not_found
from bcapp.web.render import go, wants_part
from bcapp.web.status_words import N_

ROWS = 50
LINES = 100
MOST_CELL = 20_000
SCOPES = (
    ("all", N_("All")),
    ("signed", N_("Signed")),
    ("unsigned", N_("Not signed")),
    ("hidden", N_("Products hidden")),
    ("inactive", N_("Deactivated")),
)
LINE_STATES = (("", N_("All")), ("good", N_("Good")), ("bad", N_("Problems")), ("known", N_("Known already")))
EXAMPLE = (
    ("Northfield Gear GmbH", "HRB 1234", "DE", "de", "Ann Lee", "ann@northfield.example", "", "",
     "Northfield|Northfield Pro", "Camping > Tents", "", "2027-12-31", ""),
    ("Peak Stoves", "", "US", "en", "Bo Chen", "bo@peak.example", "Mia Ott", "orders@peak.example",
     "", "", "STOVE-1|STOVE-2", "", "2027-06-30"),
)  # fmt: skip


def today(visit: Visit) -> date:
    """Return the day that it is in the store's zone."""
    return visit.now.astimezone(zone_or_utc(visit.store.timezone)).date()


# The list -------------------------------------------------------------------------------------------------


@panel("suppliers.view")
async def show_suppliers(request: Request, visit: Visit) -> Response:
    """List suppliers: who signed, whose papers end, whose products are hidden."""
    db, store_hash, url = visit.services.db, visit.store.hash, frame(request).url
    personal = visit.may("requests.facts")
    q, scope, number = query_text(request, "q") if personal else "", query_text(request, "scope"), query_page(request)
    scope = scope if scope in dict(SCOPES) else "all"
    rows = await suppliers.find_suppliers(
        db, store_hash, q=q, scope=scope, today=today(visit), most=ROWS, skip=(number - 1) * ROWS
    )
    counts = await suppliers.supplier_counts(db, store_hash, today(visit))
    total = int(rows[0]["total"]) if rows else 0
    return answer(
        request,
        visit,
        "panel/suppliers.html",
        "list",
        active="requests",
        rows=[{**row, "worst": _worst(row["papers"], today(visit))} for row in rows],
        q=q,
        scope=scope,
        personal=personal,
        total=total,
        number=number,
        last=max(1, -(-total // ROWS)),
        address=lambda n: url("suppliers", q=q, scope="" if scope == "all" else scope, page=n),
        pills=[
            (label, url("suppliers", q=q, scope="" if name == "all" else name), counts[name], name == scope)
            for name, label in SCOPES
        ],
        paper_states=PAPER_STATES,
        items=ITEMS,
    )


def _worst(papers: list[list[Any]], on: date) -> tuple[str, str]:
    """Return the paper that needs somebody most, with its state; ("", "") when none does."""
    found = {
        item: Item(item, needed, read_day(given or ""), read_day(until or "")).state(on)
        for item, needed, given, until in papers
        if item != AGREEMENT
    }
    for state in ("ended", "missing", "ending"):
        for item, each in found.items():
            if each == state:
                return item, state
    return "", ""


# One supplier ---------------------------------------------------------------------------------------------


async def _fetch(request: Request, visit: Visit) -> SupplierFacts:
    facts = await suppliers.fetch_supplier(visit.services.db, visit.store.hash, path_id(request))
    if facts is None:
        raise not_found()
    return facts


def _cells(given: Given) -> dict[str, str]:
    return {name: given.raw(name)[:MOST_CELL] for name in COLUMNS}


def _values(facts: SupplierFacts) -> dict[str, str]:
    found = {"name": facts.name, "registration": facts.registration, "country": facts.country}
    found["language"] = facts.language
    for role, contact in (("signatory", facts.signatory), ("operations", facts.operations)):
        found |= {f"{role}_name": contact.name if contact else "", f"{role}_email": contact.email if contact else ""}
    for column, kind in COVER_COLUMNS.items():
        found[column] = "\n".join(c.name for c in facts.covers if c.kind == kind)
    return found


def _form(
    request: Request, visit: Visit, values: Mapping[str, str], errors: Mapping[str, str], supplier_id: int = 0
) -> Response:
    return answer(
        request, visit, "panel/supplier_form.html", "form", 422 if errors else 200,
        active="requests", values=Blank(values), errors=Blank(errors), supplier_id=supplier_id,
        action=request.url.path, papers={column: ITEMS[item] for column, item in PAPER_COLUMNS.items()},
    )  # fmt: skip


@panel("suppliers.edit")
async def add_supplier(request: Request, visit: Visit) -> Response:
    """Take a new supplier; what hiding its products would do is counted at once."""
    if request.method == "GET":
        return _form(request, visit, {"invite": "yes"}, {})
    given = Given(await read_form(request))
    cells = _cells(given)
    values = {**cells, "invite": given.raw("invite")}
    draft, wrong = read_draft(cells)
    invite = given.ticked("invite")
    if draft is not None and invite and draft.signatory is None:
        draft, wrong = None, {"signatory_email": "Who signs is missing: without it nobody can be asked."}
    if draft is None:
        return _form(request, visit, values, wrong)
    async with visit.services.db.transaction():
        supplier_id = await suppliers.add_supplier(
            visit.services.db, visit.store.hash, draft,
            invite=invite, author=visit.user.id, now=visit.now, today=today(visit),
        )  # fmt: skip
        if supplier_id is not None:
            await _count(visit, supplier_id)
    if supplier_id is None:
        return _form(request, visit, values, _taken(draft))
    toast = "The supplier is added, and asked to sign as the rules say." if invite else "The supplier is added."
    return go(request, frame(request).url(f"suppliers/{supplier_id}"), toast=toast)


def _taken(draft: Draft) -> dict[str, str]:
    if draft.registration:
        return {"registration": "Another supplier has this registration number."}
    return {"name": "Another supplier has this name. Give one of them its registration number."}


@panel("suppliers.edit")
async def change_supplier(request: Request, visit: Visit) -> Response:
    facts = await _fetch(request, visit)
    if request.method == "GET":
        return _form(request, visit, _values(facts), {}, facts.id)
    cells = _cells(Given(await read_form(request)))
    draft, wrong = read_draft(cells)
    if draft is not None and draft.signatory is None and facts.invited_at is not None:
        draft, wrong = None, {"signatory_email": "Who signs is missing: the supplier is invited."}
    if draft is None:
        return _form(request, visit, cells, wrong, facts.id)
    async with visit.services.db.transaction():
        saved = await suppliers.change_supplier(
            visit.services.db, visit.store.hash, facts.id, draft, author=visit.user.id, now=visit.now
        )
        if saved:
            await _count(visit, facts.id)
    if not saved:
        return _form(request, visit, cells, _taken(draft), facts.id)
    return go(request, frame(request).url(f"suppliers/{facts.id}"), toast="Saved.")


async def _count(visit: Visit, supplier_id: int) -> None:
    """Have it counted what hiding would do. Call inside a transaction."""
    record = supplier_record(supplier_id)
    await queue_action(visit.services.db, visit.store.hash, ActionKind.COUNT_PRODUCTS, record, visit.now)


@panel("suppliers.edit")
async def count_supplier(request: Request, visit: Visit) -> Response:
    await read_form(request)
    facts = await _fetch(request, visit)
    async with visit.services.db.transaction():
        await _count(visit, facts.id)
    return go(request, frame(request).url(f"suppliers/{facts.id}"), toast="Its products are being counted.")


@panel("suppliers.edit")
async def invite_supplier(request: Request, visit: Visit) -> Response:
    """Ask before a supplier is invited, with what hiding its products would do; then have rules look at it."""
    facts = await _fetch(request, visit)
    back = frame(request).url(f"suppliers/{facts.id}")
    choice = await hide_choice(visit, facts)
    error = ""
    if request.method == "POST":
        given = Given(await read_form(request))
        hide_all = given.ticked("hide_all") and choice.may_hide_all
        if facts.state != "active":
            error = "The supplier is deactivated. Activate it first."
        elif facts.signatory is None:
            error = "Who signs is missing. Name the signatory first."
        elif hide_all and not choice.is_counted:
            error = "Its products are still being counted. Look at the count first, then choose."
        else:
            await suppliers.invite_supplier(
                visit.services.db, visit.store.hash, facts.id, hide_all=hide_all, author=visit.user.id, now=visit.now
            )
            return go(request, back, toast="Saved. It is asked as the rules say.")
    return answer(
        request, visit, "panel/supplier_invite.html", "dialog", 422 if error else 200,
        active="requests", facts=facts, back=back, action=request.url.path, choice=choice, error=error,
    )  # fmt: skip


@panel("suppliers.edit")
async def switch_supplier(request: Request, visit: Visit) -> Response:
    """Deactivate a supplier, with a choice of what becomes of its products; or activate it again."""
    facts = await _fetch(request, visit)
    back = frame(request).url(f"suppliers/{facts.id}")
    is_active = facts.state == "active"
    if request.method == "POST":
        given = Given(await read_form(request))
        products = given.choice("products", "Choose what becomes of its products.", ("leave", "hide", "show"), "leave")
        if not given.errors and is_active is not given.ticked("activate"):
            async with visit.services.db.transaction():
                state = "inactive" if is_active else "active"
                switched = await suppliers.set_state(
                    visit.services.db, visit.store.hash, facts.id, state, author=visit.user.id, now=visit.now
                )
                if switched and is_active and products != "leave":
                    await _products(visit, facts.id, products)
            if switched:
                toast = "The supplier is deactivated." if is_active else "The supplier is active again."
                return go(request, back, toast=toast)
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    return answer(
        request, visit, "panel/supplier_state.html", "dialog",
        active="requests", facts=facts, back=back, action=request.url.path, is_active=is_active,
        choice=await hide_choice(visit, facts),
    )  # fmt: skip


async def _products(visit: Visit, supplier_id: int, what: str) -> None:
    kind = ActionKind.HIDE_PRODUCTS if what == "hide" else ActionKind.SHOW_PRODUCTS
    payload = {"what": "all", "channels": []} if what == "hide" else {}
    record = supplier_record(supplier_id)
    await queue_action(visit.services.db, visit.store.hash, kind, record, visit.now, payload=payload)


@panel("suppliers.edit")
async def change_papers(request: Request, visit: Visit) -> Response:
    """Enter which papers are there and until when; the agreement's own days are its signature's."""
    facts = await _fetch(request, visit)
    back = frame(request).url(f"suppliers/{facts.id}")
    kept = [p for p in facts.papers if p.name != AGREEMENT]
    values: dict[str, str] = {}
    errors: dict[str, str] = {}
    for paper in kept:
        values |= {
            f"{paper.name}_needed": "yes" if paper.needed else "",
            f"{paper.name}_given": paper.given_on.isoformat() if paper.given_on else "",
            f"{paper.name}_until": paper.expires_on.isoformat() if paper.expires_on else "",
        }
    if request.method == "POST":
        given = Given(await read_form(request))
        values = {name: given.raw(name)[:20] for name in values}
        items = []
        for paper in kept:
            days: dict[str, date | None] = {}
            for part in ("given", "until"):
                text = values[f"{paper.name}_{part}"].strip()
                days[part] = read_day(text) if text else None
                if text and days[part] is None:
                    errors[f"{paper.name}_{part}"] = "A day is written like 2027-12-31."
            if days["until"] and not days["given"]:
                days["given"] = today(visit)
            items.append(Item(paper.name, bool(values[f"{paper.name}_needed"]), days["given"], days["until"]))
        if not errors:
            await suppliers.change_papers(
                visit.services.db, visit.store.hash, facts.id, items, author=visit.user.id, now=visit.now
            )
            return go(request, back, toast="Saved.")
    return answer(
        request, visit, "panel/supplier_papers.html", "dialog", 422 if errors else 200,
        active="requests", facts=facts, back=back, action=request.url.path, papers=kept, values=values,
        errors=Blank(errors), rows=paper_rows(facts.papers, today(visit)),
    )  # fmt: skip


# Lists from files -----------------------------------------------------------------------------------------


def example() -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(EXAMPLE)
    return out.getvalue()


@panel("suppliers.edit")
async def show_lists(request: Request, visit: Visit) -> Response:
    """Take a list of suppliers; nothing is added before a person has seen what each line means."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        form = await read_form(request)
        sheet = form.get("sheet")
        lines = []
        if not isinstance(sheet, UploadFile) or not sheet.filename:
            errors["sheet"] = "Choose the CSV file."
        else:
            try:
                rows = await asyncio.to_thread(read_sheet, await sheet.read(), heading_problem)
                lines = await asyncio.to_thread(read_lines, rows)
            except UnreadableSheet as exc:
                errors["sheet"] = str(exc)
        if lines and isinstance(sheet, UploadFile):
            name = Given({"name": sheet.filename}).raw("name").replace("\n", " ")[:120]
            async with visit.services.db.transaction():
                number = await suppliers.add_import(
                    visit.services.db, visit.store.hash, file_name=name, lines=lines,
                    invite=Given(form).ticked("invite"), author=visit.user.id, now=visit.now,
                )  # fmt: skip
                await _work(visit, number)
            url = frame(request).url(f"suppliers/lists/{number}")
            return go(request, url, toast="The list is being looked at. Nothing is added yet.")
    db, store_hash = visit.services.db, visit.store.hash
    return answer(
        request, visit, "panel/supplier_lists.html", None, 422 if errors else 200,
        active="requests", rows=await db.fetch_all("list_supplier_imports", {"store_hash": store_hash}),
        names=await user_names(db, store_hash), errors=errors, example=example(),
    )  # fmt: skip


async def _work(visit: Visit, number: int) -> None:
    record = RecordKey("supplier_import", str(number))
    await queue_action(visit.services.db, visit.store.hash, ActionKind.IMPORT_SUPPLIERS, record, visit.now)


@panel("suppliers.edit")
async def show_list(request: Request, visit: Visit) -> Response:
    """Show a list line by line; while the worker looks, the page follows."""
    db, store_hash, number = visit.services.db, visit.store.hash, path_id(request)
    row = await db.fetch_one("fetch_supplier_import", {"store_hash": store_hash, "id": number})
    if row is None or row["state"] == "discarded":
        raise not_found()
    state, at, url = query_text(request, "state"), query_page(request), frame(request).url
    state = state if state in dict(LINE_STATES) else ""
    counts = await suppliers.import_counts(db, store_hash, number)
    lines = await suppliers.import_lines(db, store_hash, number, state=state, most=LINES, skip=(at - 1) * LINES)
    total = int(lines[0]["total"]) if lines else 0
    base = f"suppliers/lists/{number}"
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    return answer(
        request,
        visit,
        "panel/supplier_list.html",
        "import",
        active="requests",
        row=row,
        counts=counts,
        lines=lines,
        total=total,
        state=state,
        number=at,
        last=max(1, -(-total // LINES)),
        address=lambda n: url(base, state=state, page=n),
        pills=[
            (label, url(base, state=name), counts.get(name, 0) if name else sum(counts.values()), name == state)
            for name, label in LINE_STATES
        ],
        is_moving=row["state"] in ("checking", "applying"),
        **quiet,
    )


@panel("suppliers.edit")
async def apply_list(request: Request, visit: Visit) -> Response:
    return await _move_list(request, visit, "checked", "applying", "The suppliers are being added.")


@panel("suppliers.edit")
async def discard_list(request: Request, visit: Visit) -> Response:
    return await _move_list(request, visit, "checked", "discarded", "The list is discarded.")


async def _move_list(request: Request, visit: Visit, was: str, state: str, toast: str) -> Response:
    await read_form(request)
    db, store_hash, number = visit.services.db, visit.store.hash, path_id(request)
    if await db.fetch_one("fetch_supplier_import", {"store_hash": store_hash, "id": number}) is None:
        raise not_found()
    async with db.transaction():
        moved = await suppliers.move_import(db, store_hash, number, was, state, visit.now)
        if moved and state == "applying":
            await _work(visit, number)
        elif moved:
            await db.execute("drop_supplier_import_lines", {"store_hash": store_hash, "import_id": number})
    base = "suppliers/lists" if state == "discarded" else f"suppliers/lists/{number}"
    said = toast if moved else "Nothing was changed: it is not ready, or done."
    return go(request, frame(request).url(base), toast=said, toast_kind="success" if moved else "info")


ROUTES = [
    Route("/suppliers", show_suppliers, name="suppliers"),
    Route("/suppliers/new", add_supplier, methods=["GET", "POST"], name="add_supplier"),
    Route("/suppliers/lists", show_lists, methods=["GET", "POST"], name="supplier_lists"),
    Route("/suppliers/lists/{id}", show_list, name="supplier_list"),
    Route("/suppliers/lists/{id}/apply", apply_list, methods=["POST"], name="supplier_list_apply"),
    Route("/suppliers/lists/{id}/discard", discard_list, methods=["POST"], name="supplier_list_discard"),
    Route("/suppliers/{id}/edit", change_supplier, methods=["GET", "POST"], name="supplier_edit"),
    Route("/suppliers/{id}/papers", change_papers, methods=["GET", "POST"], name="supplier_papers"),
    Route("/suppliers/{id}/invite", invite_supplier, methods=["GET", "POST"], name="supplier_invite"),
    Route("/suppliers/{id}/state", switch_supplier, methods=["GET", "POST"], name="supplier_state"),
    Route("/suppliers/{id}/count", count_supplier, methods=["POST"], name="supplier_count"),
]
