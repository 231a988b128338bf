"""Acceptances: what counts for later orders, who need not sign, and what a person ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.acceptances import DAY, Party, PartyKind
from bcapp.core.formats import zone_for
from bcapp.db import acceptances
from bcapp.db.acceptances import PAGE
from bcapp.db.panel_requests import user_names
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.requests import Step
from bcapp.web.panel.screen import WHY_CHARACTERS, Given, answer, frame, path_id, query_page, query_text
from bcapp.web.refusals import not_found
from bcapp.web.render import download, go
from bcapp.web.status_words import N_

STATES = (
    ("", N_("All")),
    ("counting", N_("Counting")),
    ("ended", N_("Ended")),
    ("revoked", N_("Revoked")),
    ("imported", N_("Imported")),
)
SCOPES = {
    "customer": N_("All orders of the customer"),
    "company": N_("All orders of the company"),
    "channel": N_("Orders on one channel"),
    "order": N_("One order"),
}
LABEL_CHARACTERS = 200
LONGEST = timedelta(days=3653)


def party_text(visit: Visit, row: Any) -> str:
    """Return who it is as far as the visitor may see it."""
    if row["label"] and visit.may("requests.facts"):
        return str(row["label"])
    return {
        "customer": f"Customer {row['party_id']}",
        "company": f"Company {row['party_id']}",
        "email": "Guest",
    }[row["party_kind"]]


def standing(row: Any, now: datetime) -> tuple[str, str, str]:
    """Return word, variant and picture of how an acceptance stands."""
    if row["revoked_at"] is not None:
        return N_("Revoked"), "danger", "remove_circle_outline"
    if row["valid_until"] is not None and row["valid_until"] <= now:
        return N_("Ended"), "secondary", "event_busy"
    return N_("Counts"), "success", "check_circle"


async def agreement_options(visit: Visit) -> list[tuple[str, str]]:
    rows = await visit.services.db.fetch_all("panel_agreement_names", {"store_hash": visit.store.hash})
    return [(str(r["id"]), r["name"]) for r in rows if not r["archived"]]


@panel("acceptances.view")
async def show_acceptances(request: Request, visit: Visit) -> Response:
    state = query_text(request, "state")
    state = state if state in dict(STATES) else ""
    q, page, personal = query_text(request, "q"), query_page(request), visit.may("requests.facts")
    found = await acceptances.find_acceptances(
        visit.services.db, visit.store.hash, visit.now, q=q, state=state, page=page, personal=personal
    )
    url = frame(request).url
    return answer(
        request,
        visit,
        "panel/acceptances.html",
        "list",
        active="agreements",
        tab="acceptances",
        found=found,
        q=q,
        state=state,
        personal=personal,
        pills=[(label, url("acceptances", q=q, state=name), None, name == state) for name, label in STATES],
        last=max(1, -(-found.total // PAGE)),
        number=page,
        address=lambda number: url("acceptances", q=q, state=state, page=number),
        party_text=lambda row: party_text(visit, row),
        standing=lambda row: standing(row, visit.now),
    )


async def _fetch(request: Request, visit: Visit) -> dict[str, Any]:
    values = {"store_hash": visit.store.hash, "id": path_id(request)}
    row = await visit.services.db.fetch_one("panel_acceptance", values)
    if row is None:
        raise not_found()
    return row


@panel("acceptances.view")
async def show_acceptance(request: Request, visit: Visit) -> Response:
    row = await _fetch(request, visit)
    db, store_hash = visit.services.db, visit.store.hash
    return answer(
        request,
        visit,
        "panel/acceptance.html",
        active="agreements",
        row=row,
        party=party_text(visit, row),
        standing=standing(row, visit.now),
        scope=SCOPES[row["scope"]],
        covered=await db.fetch_all("records_covered", {"store_hash": store_hash, "id": row["id"]}),
        names=await user_names(db, store_hash),
        can_edit=visit.may("acceptances.edit"),
        can_download=visit.may("requests.download") and row["document_sha256"] is not None,
        sees_facts=visit.may("requests.facts"),
    )


REVOKE = Step(
    N_("Revoke this acceptance"),
    N_("Orders placed from now on are asked anew. What went on under it stays as it is."),
    N_("Reason"),
    N_("Kept with the acceptance under your name."),
    N_("Revoke"),
    "danger",
)


@panel("acceptances.edit")
async def revoke_acceptance(request: Request, visit: Visit) -> Response:
    row = await _fetch(request, visit)
    back = frame(request).url(f"acceptances/{row['id']}")
    if row["revoked_at"] is not None:
        return go(request, back, toast="It was revoked before.", toast_kind="info")
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            db, author = visit.services.db, visit.user.id
            await acceptances.revoke(db, visit.store.hash, row["id"], why, author, visit.now)
            return go(request, back, toast="It counts no more.")
        error, status = given.errors["why"], 422
    return _ask(request, visit, REVOKE, back, why, error, status)


def _ask(request: Request, visit: Visit, step: Step, back: str, why: str, error: str, status: int) -> Response:
    return answer(
        request, visit, "panel/step.html", "dialog", status,
        active="agreements", step=step, text=step.text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


@panel("acceptances.edit")
async def erase_party(request: Request, visit: Visit) -> Response:
    """Forget the name and address; that and when something was accepted stays."""
    await read_form(request)
    row = await _fetch(request, visit)
    await acceptances.erase(visit.services.db, visit.store.hash, row, visit.user.id, visit.now)
    back = frame(request).url(f"acceptances/{row['id']}")
    return go(request, back, toast="The name and address are erased from this list.")


@panel("requests.download")
async def ask_document(request: Request, visit: Visit) -> Response:
    """Answer a ticket for the PDF that was imported."""
    await read_form(request)
    row = await _fetch(request, visit)
    if row["document_sha256"] is None:
        raise not_found()
    subject = f"acceptance:{row['id']}"
    ticket = await session.add_ticket(visit.services.db, visit.store.hash, visit.user.id, subject, visit.now)
    return download(request, frame(request).url(f"download/{ticket}"))


# Exemptions -------------------------------------------------------------------------------------------------


@panel("acceptances.view")
async def show_exemptions(request: Request, visit: Visit) -> Response:
    db, store_hash = visit.services.db, visit.store.hash
    rows = await db.fetch_all("panel_exemptions", {"store_hash": store_hash, "now": visit.now})
    return answer(
        request,
        visit,
        "panel/exemptions.html",
        active="agreements",
        tab="exemptions",
        rows=rows,
        names=await user_names(db, store_hash),
        party_text=lambda row: party_text(visit, row),
        is_on=lambda row: row["ended_at"] is None and row["until"] > visit.now,
        last_day=lambda row: row["until"] - timedelta(microseconds=1),
        can_edit=visit.may("acceptances.edit"),
        sees_facts=visit.may("requests.facts"),
    )


@panel("acceptances.edit")
async def new_exemption(request: Request, visit: Visit) -> Response:
    """Let a customer off until a day, with a reason that the orders then show."""
    back = frame(request).url("acceptances/exemptions")
    options = await agreement_options(visit)
    values = {"customer": query_text(request, "customer", 15), "label": "", "agreement": "0", "until": "", "why": ""}
    errors: dict[str, str] = {}
    if request.method == "POST":
        given = Given(await read_form(request))
        number = given.number("customer", "The customer number", 1, 2**53)
        label = given.text("label", "The name", LABEL_CHARACTERS)
        agreement = given.choice("agreement", "Choose an agreement.", ["0", *dict(options)], default="0")
        until = _last_day(given, visit)
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors and until is not None:
            party = Party(PartyKind.CUSTOMER, str(number))
            await acceptances.exempt(
                visit.services.db, visit.store.hash, party, label, int(agreement), until, why, visit.user.id, visit.now
            )
            return go(request, back, toast="The customer is exempt.")
        errors = given.errors
        values = {name: given.raw(name)[:600] for name in values}
    return answer(
        request, visit, "panel/exemption_new.html", "dialog", 422 if errors else 200,
        active="agreements", back=back, action=request.url.path, values=values, errors=errors,
        agreement_options=[("0", "Every agreement"), *options],
    )  # fmt: skip


def _last_day(given: Given, visit: Visit) -> datetime | None:
    """Return the end of the day given, in the store's zone."""
    try:
        last = date.fromisoformat(given.raw("until").strip())
    except ValueError:
        given.errors["until"] = "Choose the last day."
        return None
    try:
        ends = datetime.combine(last + DAY, time(), zone_for(visit.store.timezone)).astimezone(UTC)
    except OverflowError:
        ends = visit.now + 2 * LONGEST
    if not visit.now < ends <= visit.now + LONGEST:
        given.errors["until"] = "The last day is today or later, and at most ten years away."
        return None
    return ends


END = Step(
    N_("End this exemption"),
    N_("Orders placed from now on are asked again. What went on under it stays as it is."),
    N_("Reason"),
    N_("Kept with the exemption under your name."),
    N_("End the exemption"),
    "danger",
)


@panel("acceptances.edit")
async def end_exemption(request: Request, visit: Visit) -> Response:
    number = path_id(request)
    rows = await visit.services.db.fetch_all("panel_exemptions", {"store_hash": visit.store.hash, "now": visit.now})
    if not any(r["id"] == number for r in rows):
        raise not_found()
    back = frame(request).url("acceptances/exemptions")
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            db, author = visit.services.db, visit.user.id
            ended = await acceptances.end_exemption(db, visit.store.hash, number, why, author, visit.now)
            return go(
                request, back,
                toast="The exemption has ended." if ended else "It had ended before.",
                toast_kind="success" if ended else "info",
            )  # fmt: skip
        error, status = given.errors["why"], 422
    return _ask(request, visit, END, back, why, error, status)


ROUTES = [
    Route("/acceptances", show_acceptances, name="acceptances"),
    Route("/acceptances/exemptions", show_exemptions, name="exemptions"),
    Route("/acceptances/exemptions/new", new_exemption, methods=["GET", "POST"], name="exemption_new"),
    Route("/acceptances/exemptions/{id}/end", end_exemption, methods=["GET", "POST"], name="exemption_end"),
    Route("/acceptances/{id:int}", show_acceptance, name="acceptance"),
    Route("/acceptances/{id:int}/revoke", revoke_acceptance, methods=["GET", "POST"], name="acceptance_revoke"),
    Route("/acceptances/{id:int}/erase", erase_party, methods=["POST"], name="acceptance_erase"),
    Route("/acceptances/{id:int}/document", ask_document, methods=["POST"], name="acceptance_document"),
]
