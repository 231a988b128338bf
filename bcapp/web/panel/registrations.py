"""Warranties at the counter: covered or not and why; forms on paper, serial numbers by staff and from files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.calendars import zone_or_utc
from bcapp.core.imports import UnreadableSheet, read_sheet
from bcapp.core.warranties import (
    MOST_SERIALS,
    SERIAL_CHARACTERS,
    SERIAL_COLUMNS,
    Answer,
    Registration,
    SerialLine,
    answer,
    best,
    clean_serial,
    judge_serials,
    parse_wanted,
    serial_heading_problem,
    serial_key,
)
from bcapp.db import audit, chunks, warranties
from bcapp.db.panel_requests import data_key, user_names
from bcapp.db.warranties import PAGE, registration_from_row
from bcapp.documents.uploads import inspect_upload
from bcapp.errors import RefusedByUs
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.requests import Step
from bcapp.web.panel.screen import WHY_CHARACTERS, Given, frame, path_id, query_page, query_text
from bcapp.web.panel.screen import answer as respond
from bcapp.web.refusals import not_found
from bcapp.web.render import download, go
from bcapp.web.status_words import N_

MOST_PDF = 12 << 20
MOST_ORDER = 10**15 - 1
SHOWN_PROBLEMS = 50
OLDEST = date(2000, 1, 1)
STATES = (
    ("", N_("All")),
    ("active", N_("Active")),
    ("not_activated", N_("Not activated")),
    ("ended", N_("Ended")),
    ("renewed", N_("Renewed")),
)
COVERED = (N_("Covered"), "success", "check_circle")
NOT_COVERED = (N_("Not covered"), "danger", "remove_circle_outline")
SOURCES = {"": "", "signer": N_("typed by the buyer"), "staff": N_("given by staff"), "file": N_("from a file")}
NO_DOCUMENTS = "Documents cannot be kept for this store now. Install the app again from Apps."


def today(visit: Visit) -> date:
    """Return the day that it is in the store's zone."""
    return visit.now.astimezone(zone_or_utc(visit.store.timezone)).date()


def badge(found: Answer) -> tuple[str, str, str]:
    return COVERED if found.covered else NOT_COVERED


# Looking up -----------------------------------------------------------------------------------------------


@panel("registrations.view")
async def show_registrations(request: Request, visit: Visit) -> Response:
    """Answer a search with one line for each covered piece; without one list what was registered last."""
    q, state, number = query_text(request, "q"), query_text(request, "state"), query_page(request)
    state = state if state in dict(STATES) else ""
    db, store_hash, on, url = visit.services.db, visit.store.hash, today(visit), frame(request).url
    personal, unregistered = visit.may("requests.facts"), ""
    if q:
        key = await data_key(db, visit.services.secrets, store_hash)
        rows = await warranties.find(db, store_hash, parse_wanted(q), key, personal=personal)
        shown = {r.id for r in best([registration_from_row(row) for row in rows], on)}
        rows = [row for row in rows if row["id"] in shown]
        total, last = len(rows), 1
        if not rows and (order := parse_wanted(q).order):
            unregistered = await _unregistered(visit, order)
    else:
        rows = await warranties.list_all(db, store_hash, state, number)
        total = rows[0]["total"] if rows else 0
        last = max(1, -(-total // PAGE))
    return respond(
        request,
        visit,
        "panel/registrations.html",
        "list",
        active="requests",
        tab="registrations",
        q=q,
        state=state,
        personal=personal,
        rows=[{**row, "answer": answer(registration_from_row(row), on)} for row in rows],
        badge=badge,
        total=total,
        unregistered=unregistered,
        pills=[(label, url("registrations", state=name), None, name == state) for name, label in STATES],
        last=last,
        number=number,
        address=lambda n: url("registrations", state=state, page=n),
    )


async def _unregistered(visit: Visit, order: str) -> str:
    """Return in one sentence why nothing is registered for an order."""
    of = {"store_hash": visit.store.hash, "order_id": order}
    rows = await visit.services.db.fetch_all("warranty_requests_of_order", of)
    if not rows:
        return f"Order {order}: nobody was asked, and nothing is registered. Statutory rights are unaffected."
    asked = rows[0]["created_at"].astimezone(zone_or_utc(visit.store.timezone))
    on = f"{asked.day} {asked:%B %Y}"
    if rows[0]["status"] == "completed":
        return (
            f"Order {order}: the buyer signed what was asked on {on}; it is being registered. Look again in a moment."
        )
    asked_and_not = f"The buyer was asked on {on} and has not signed."
    return f"Order {order}: not covered yet. {asked_and_not} Statutory rights are unaffected."


async def _fetch(request: Request, visit: Visit) -> dict[str, Any]:
    values = {"store_hash": visit.store.hash, "id": path_id(request)}
    row = await visit.services.db.fetch_one("fetch_registration", values)
    if row is None:
        raise not_found()
    return row


@panel("registrations.view")
async def show_registration(request: Request, visit: Visit) -> Response:
    row = await _fetch(request, visit)
    found = registration_from_row(row)
    rest = await warranties.registrations_of(visit.services.db, visit.store.hash, found.order_id)
    return respond(
        request,
        visit,
        "panel/registration.html",
        active="requests",
        row=row,
        answer=answer(found, today(visit)),
        badge=badge,
        source=SOURCES[row["serial_from"]],
        others=[(r, answer(r, today(visit))) for r in _beside(found, rest)],
        names=await user_names(visit.services.db, visit.store.hash),
        personal=visit.may("requests.facts"),
        can_edit=visit.may("registrations.edit"),
        can_download=visit.may("requests.download") and row["paper_content"] is not None,
    )


def _beside(found: Registration, rest: Sequence[Registration]) -> list[Registration]:
    """Return the other registrations of the same line of the order."""
    return [r for r in rest if r.item_id == found.item_id and r.id != found.id]


@panel("requests.download")
async def ask_paper(request: Request, visit: Visit) -> Response:
    """Answer a ticket for the form that was signed on paper."""
    await read_form(request)
    row = await _fetch(request, visit)
    if row["paper_content"] is None:
        raise not_found()
    db, store_hash = visit.services.db, visit.store.hash
    ticket = await session.add_ticket(db, store_hash, visit.user.id, f"paper:{row['paper_id']}", visit.now)
    await audit.append(
        db, store_hash, visit.now, actor=visit.actor, event="document_downloaded",
        detail={"paper": row["paper_id"], "sha256": bytes(row["paper_content"]).hex()},
    )  # fmt: skip
    return download(request, frame(request).url(f"download/{ticket}"))


# Changing one ---------------------------------------------------------------------------------------------


@panel("registrations.edit")
async def change_serial(request: Request, visit: Visit) -> Response:
    """Give a piece its serial number, or another one."""
    row = await _fetch(request, visit)
    back = frame(request).url(f"registrations/{row['id']}")
    serial, error = row["serial"], ""
    if request.method == "POST":
        given = Given(await read_form(request))
        serial = given.text("serial", "The serial number", SERIAL_CHARACTERS)
        error = given.errors.get("serial", "")
        if not error and serial and not serial_key(serial):
            error = "A serial number has letters or digits."
        if not error:
            db, author = visit.services.db, visit.user.id
            serial = clean_serial(serial)
            changed = await warranties.set_serial(db, visit.store.hash, row, serial, author, visit.now)
            return go(
                request, back,
                toast="The serial number is kept." if changed else "It was so before.",
                toast_kind="success" if changed else "info",
            )  # fmt: skip
    return respond(
        request, visit, "panel/registration_serial.html", "dialog", 422 if error else 200,
        active="requests", back=back, action=request.url.path, serial=serial[:SERIAL_CHARACTERS],
        errors={"serial": error} if error else {},
    )  # fmt: skip


END = Step(
    N_("End this registration"),
    N_("The piece is not covered from today on. Statutory rights are unaffected."),
    N_("Reason"),
    N_("Kept with the registration and told at the counter. Name nobody in it."),
    N_("End the registration"),
    "danger",
)


@panel("registrations.edit")
async def end_registration(request: Request, visit: Visit) -> Response:
    row = await _fetch(request, visit)
    back = frame(request).url(f"registrations/{row['id']}")
    if row["state"] not in ("active", "renewed"):
        return go(request, back, toast="It had ended before.", toast_kind="info")
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            db, author = visit.services.db, visit.user.id
            said = why if why.endswith((".", "!", "?")) else f"{why}."
            await warranties.end_by_hand(db, visit.store.hash, row, said, author, today(visit), visit.now)
            return go(request, back, toast="The registration has ended.")
        error, status = given.errors["why"], 422
    return respond(
        request, visit, "panel/step.html", "dialog", status,
        active="requests", step=END, text=END.text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


# Forms on paper -------------------------------------------------------------------------------------------


@panel("registrations.edit")
async def new_registration(request: Request, visit: Visit) -> Response:
    """Register by phone: the order, the rule whose cover counts, and the signed form as a PDF."""
    db, store_hash = visit.services.db, visit.store.hash
    rules = [(str(r["id"]), r["name"]) for r in await db.fetch_all("warranty_rules", {"store_hash": store_hash})]
    values = {"order": query_text(request, "order", 15), "rule": "", "signed_on": "", "serials": ""}
    errors: dict[str, str] = {}
    if request.method == "POST":
        form = await read_form(request)
        order = await _take_paper(visit, form, rules, errors)
        if order:
            url = frame(request).url("registrations", q=order)
            return go(request, url, toast="The form is kept. The order is read now, then it is registered.")
        values = {name: Given(form).raw(name)[:20_000] for name in values}
    return respond(
        request, visit, "panel/registration_new.html", None, 422 if errors else 200,
        active="requests", rules=rules, values=values, errors=errors, today=today(visit).isoformat(),
    )  # fmt: skip


async def _take_paper(visit: Visit, form: FormData, rules: list[tuple[str, str]], errors: dict[str, str]) -> str:
    """Keep the form and hand it to the worker; return the order's number, "" with what is wrong in errors."""
    given = Given(form)
    order = str(given.number("order", "The order number", 1, MOST_ORDER))
    if "order" in given.errors:
        given.errors["order"] = "Write the number of the order."
    rule = given.choice("rule", "Choose the rule whose cover counts.", [number for number, _ in rules])
    signed_on = _signed_on(given, visit)
    serials = given.raw("serials").strip()
    lines = [line.strip() for line in serials.splitlines() if line.strip()]
    if len(lines) > MOST_SERIALS or any(len(line) > SERIAL_CHARACTERS for line in lines):
        text = f"At most {MOST_SERIALS} serial numbers of at most {SERIAL_CHARACTERS} characters, one on each line."
        given.errors["serials"] = text
    content = await _scan(form, given.errors)
    errors.update(given.errors)
    s = visit.services
    key = await data_key(s.db, s.secrets, visit.store.hash)
    if key is None and not errors:
        errors["pdf"] = NO_DOCUMENTS
    if errors or key is None or signed_on is None:
        return ""
    sha256 = await chunks.keep(s.db, key, visit.store.hash, content)
    await warranties.add_paper(
        s.db, s.secrets, visit.store.hash, order_id=order, rule_id=int(rule), content=sha256, signed_on=signed_on,
        serials="\n".join(lines), author=visit.user.id, now=visit.now,
    )  # fmt: skip
    return order


def _signed_on(given: Given, visit: Visit) -> date | None:
    try:
        signed = date.fromisoformat(given.raw("signed_on").strip())
    except ValueError:
        given.errors["signed_on"] = "Choose the day on which it was signed."
        return None
    if not OLDEST <= signed <= today(visit):
        given.errors["signed_on"] = "It was signed today or earlier."
    return signed


async def _scan(form: FormData, errors: dict[str, str]) -> bytes:
    upload = form.get("pdf")
    if not isinstance(upload, UploadFile) or not upload.filename:
        errors["pdf"] = "Choose the signed form as a PDF."
        return b""
    content = await upload.read()
    if len(content) > MOST_PDF:
        errors["pdf"] = f"The PDF has more than {MOST_PDF >> 20} MB. Scan it with a lower resolution."
        return b""
    try:
        await inspect_upload(content)
    except RefusedByUs as exc:
        errors["pdf"] = str(exc)
    return content


# Serial numbers from a file -------------------------------------------------------------------------------


@panel("registrations.edit")
async def import_serials(request: Request, visit: Visit) -> Response:
    """Take serial numbers by order and SKU: registered pieces get them now, others when their buyer is asked."""
    errors: dict[str, str] = {}
    judged: list[SerialLine] = []
    if request.method == "POST":
        judged = await _read_serials(await read_form(request), errors)
        if not errors and not any(line.problem for line in judged):
            db, author = visit.services.db, visit.user.id
            filled = await warranties.take_serials(db, visit.store.hash, judged, author, visit.now)
            told = f"{len(judged)} serial numbers are kept; {filled} registrations had none and got one."
            return go(request, frame(request).url("registrations"), toast=told)
        if not errors:
            wrong = sum(1 for line in judged if line.problem)
            errors["sheet"] = f"{wrong} of {len(judged)} lines cannot be taken, so none was. They are listed below."
    return respond(
        request, visit, "panel/registration_serials.html", None, 422 if errors else 200,
        active="requests", errors=errors, columns=SERIAL_COLUMNS,
        problems=[line for line in judged if line.problem][:SHOWN_PROBLEMS],
    )  # fmt: skip


async def _read_serials(form: FormData, errors: dict[str, str]) -> list[SerialLine]:
    sheet = form.get("sheet")
    if not isinstance(sheet, UploadFile) or not sheet.filename:
        errors["sheet"] = "Choose the CSV file."
        return []
    try:
        return judge_serials(await asyncio.to_thread(read_sheet, await sheet.read(), serial_heading_problem))
    except UnreadableSheet as exc:
        errors["sheet"] = str(exc)
        return []


ROUTES = [
    Route("/registrations", show_registrations, name="registrations"),
    Route("/registrations/new", new_registration, methods=["GET", "POST"], name="registration_new"),
    Route("/registrations/serials", import_serials, methods=["GET", "POST"], name="registration_serials"),
    Route("/registrations/{id}", show_registration, name="registration"),
    Route("/registrations/{id}/serial", change_serial, methods=["GET", "POST"], name="registration_serial"),
    Route("/registrations/{id}/end", end_registration, methods=["GET", "POST"], name="registration_end"),
    Route("/registrations/{id}/document", ask_paper, methods=["POST"], name="registration_document"),
]
