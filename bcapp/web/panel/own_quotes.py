"""Quotes made by hand: making and changing one, taking it back, sending its link again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.formats import zone_for
from bcapp.core.own_quotes import MOST_LINES, read_own_quote
from bcapp.core.states import HoldState
from bcapp.db.own_quotes import (
    OwnQuote,
    add_own_quote,
    change_own_quote,
    fetch_own_quote,
    send_own_quote_again,
    withdraw_own_quote,
)
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.parts.own_quote import is_open, may_be_sent
from bcapp.web.panel.requests import Step
from bcapp.web.panel.screen import WHY_CHARACTERS, Given, answer, frame, path_id
from bcapp.web.refusals import not_found
from bcapp.web.render import go
from bcapp.web.status_words import N_

USUAL_DAYS = 14
FIRST_ROWS = 5
MOST_CELL = 5_000
CELLS = ("title", "name", "email", "company", "customer", "language", "terms", "expires_on")
WITHDRAW = Step(
    N_("Withdraw the quote"),
    N_("Its open requests are cancelled, and its buyer cannot order it any more."),
    N_("Reason"), N_("Kept in the history under your name."), N_("Withdraw"), "danger",
)  # fmt: skip


def _values(given: Given) -> dict[str, str]:
    lines = (f"{part}_{n}" for n in range(MOST_LINES) for part in ("sku", "quantity", "price"))
    return {name: given.raw(name)[:MOST_CELL] for name in (*CELLS, *lines)}


def _as_kept(visit: Visit, quote: OwnQuote) -> dict[str, str]:
    row = quote.row
    last = (row["expires_at"].astimezone(zone_for(visit.store.timezone)) - timedelta(seconds=1)).date()
    values = {name: str(row[name]) for name in ("title", "name", "email", "company", "language", "terms")}
    values |= {"customer": str(row["customer_id"] or ""), "expires_on": last.isoformat()}
    for n, line in enumerate(quote.lines):
        values |= {f"sku_{n}": line.sku, f"quantity_{n}": str(line.quantity), f"price_{n}": f"{line.price:f}"}
    return values


def _form(
    request: Request, visit: Visit, values: Mapping[str, str], errors: Mapping[str, str], quote_id: int = 0
) -> Response:
    used = max((n + 1 for n in range(MOST_LINES) if values.get(f"sku_{n}")), default=0)
    return answer(
        request, visit, "panel/own_quote_form.html", "form", 422 if errors else 200,
        active="requests", values=Blank(values), errors=Blank(errors), quote_id=quote_id, action=request.url.path,
        rows=min(MOST_LINES, max(FIRST_ROWS, used + 2)), currency=visit.store.currency or "USD",
    )  # fmt: skip


@panel("quotes.edit")
async def new_quote(request: Request, visit: Visit) -> Response:
    """Make a quote; rules look at it, and its buyer gets it once it is signed."""
    today = visit.now.astimezone(zone_for(visit.store.timezone)).date()
    if request.method == "GET":
        return _form(request, visit, {"expires_on": (today + timedelta(days=USUAL_DAYS)).isoformat()}, {})
    given = Given(await read_form(request))
    values = _values(given)
    draft, wrong = read_own_quote(values, today)
    if draft is None:
        return _form(request, visit, values, wrong)
    once = f"{visit.user.id}:{given.once}"
    quote_id = await add_own_quote(
        visit.services.db, visit.store, draft, once=once, author=visit.user.id, now=visit.now
    )
    return go(request, frame(request).url(f"own-quotes/{quote_id}"), toast="The quote is made. Its rules look at it.")


async def _fetch(request: Request, visit: Visit) -> OwnQuote:
    quote = await fetch_own_quote(visit.services.db, visit.store.hash, path_id(request))
    if quote is None:
        raise not_found()
    return quote


@panel("quotes.edit")
async def change_quote(request: Request, visit: Visit) -> Response:
    quote = await _fetch(request, visit)
    back = frame(request).url(f"own-quotes/{quote.id}")
    if not is_open(quote):
        return go(request, back, toast="Nothing was changed: the quote has ended.", toast_kind="info")
    if request.method == "GET":
        return _form(request, visit, _as_kept(visit, quote), {}, quote.id)
    values = _values(Given(await read_form(request)))
    draft, wrong = read_own_quote(values, visit.now.astimezone(zone_for(visit.store.timezone)).date())
    if draft is None:
        return _form(request, visit, values, wrong, quote.id)
    saved = await change_own_quote(visit.services.db, visit.store, quote.id, draft, author=visit.user.id, now=visit.now)
    if not saved:
        return go(request, back, toast="Nothing was changed: it was ordered or withdrawn.", toast_kind="info")
    return go(request, back, toast="Saved. What was signed before counts only for what it was before.")


@panel("quotes.edit")
async def withdraw(request: Request, visit: Visit) -> Response:
    """Ask for the reason, then take the quote back."""
    quote = await _fetch(request, visit)
    back = frame(request).url(f"own-quotes/{quote.id}")
    why, error = "", ""
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        error = given.errors.get("why", "")
        if not error:
            db, store_hash = visit.services.db, visit.store.hash
            done = await withdraw_own_quote(db, store_hash, quote.id, why, author=visit.user.id, now=visit.now)
            toast = "The quote is withdrawn." if done else "Nothing was changed: it was ordered or withdrawn before."
            return go(request, back, toast=toast)
    return answer(
        request, visit, "panel/step.html", "dialog", 422 if error else 200,
        active="requests", step=WITHDRAW, text=WITHDRAW.text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


@panel("quotes.edit")
async def send_again(request: Request, visit: Visit) -> Response:
    """Mail another link to the buyer: each can be opened once."""
    await read_form(request)
    quote = await _fetch(request, visit)
    back = frame(request).url(f"own-quotes/{quote.id}")
    values = {"store_hash": visit.store.hash, "record_kind": quote.record.kind, "record_id": quote.record.id}
    hold = await visit.services.db.fetch_one("panel_hold", values)
    if not may_be_sent(quote, HoldState(hold["state"]) if hold else HoldState.NONE, visit.now):
        return go(request, back, toast="Nothing was sent: it is not signed, or it has ended.", toast_kind="info")
    await send_own_quote_again(visit.services.db, visit.store.hash, quote.id, author=visit.user.id, now=visit.now)
    return go(request, back, toast="Another link is being mailed to its buyer.")


ROUTES = [
    Route("/own-quotes/new", new_quote, methods=["GET", "POST"], name="own_quote_new"),
    Route("/own-quotes/{id}/edit", change_quote, methods=["GET", "POST"], name="own_quote_edit"),
    Route("/own-quotes/{id}/withdraw", withdraw, methods=["GET", "POST"], name="own_quote_withdraw"),
    Route("/own-quotes/{id}/again", send_again, methods=["POST"], name="own_quote_again"),
]
