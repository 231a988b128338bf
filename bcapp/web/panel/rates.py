"""Settings, Currencies and rates: what the store says its currencies are worth, and what a person typed instead."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.formats import zone_for
from bcapp.db.rates import drop_hand_rate, keep_hand_rate, list_rates, rules_that_convert
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.settings import sections
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page

CURRENCY = re.compile("[A-Z]{3}")
RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,8})?")
PATH = "settings/rates"


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


async def _context(request: Request, visit: Visit) -> dict[str, Any]:
    db, store_hash = visit.services.db, visit.store.hash
    rates = await list_rates(db, store_hash)
    return {
        "active": "settings",
        "visit": visit,
        "sections": sections(_frame(request, visit), "rates"),
        "rates": rates,
        "base": rates[0].base if rates else visit.store.currency,
        "rules": await rules_that_convert(db, store_hash),
        "errors": Blank(),
        "values": Blank(),
        "may_edit": visit.may("settings.edit"),
    }


@panel("settings.view")
async def show_rates(request: Request, visit: Visit) -> Response:
    context = await _context(request, visit)
    known = {r.currency: r for r in context["rates"]}
    chosen = known.get(request.query_params.get("currency", ""))
    if chosen is not None:
        context["values"] = Blank(currency=chosen.currency, rate=f"{chosen.rate.normalize():f}")
    return page(request, "panel/rates.html", "rates_form", **context)


@panel("settings.edit")
async def type_rate(request: Request, visit: Visit) -> Response:
    context = await _context(request, visit)
    inputs = Inputs(await read_form(request))
    currency = inputs.text("currency", most=3, required="Name the currency.").upper()
    rate = inputs.text("rate", most=20, required="Type the rate.")
    if currency and not CURRENCY.fullmatch(currency):
        inputs.errors["currency"] = "A currency is three letters, such as EUR."
    elif currency and currency == context["base"]:
        inputs.errors["currency"] = f"{currency} is the currency that the others are told in."
    if rate and (not RATE.fullmatch(rate) or not Decimal(rate)):
        inputs.errors["rate"] = "A rate is a number above zero, such as 0.92, with at most eight decimals."
    if not context["base"]:
        inputs.errors["currency"] = "The store's own currency is not known yet. It is read within a minute."
    if inputs.errors:
        context |= {"errors": inputs.errors, "values": inputs.values}
        return page(request, "panel/rates.html", "rates_form", 422, **context)
    await keep_hand_rate(
        visit.services.db,
        visit.store.hash,
        context["base"],
        currency,
        Decimal(rate),
        day=visit.now.astimezone(zone_for(visit.store.timezone)).date(),
        actor=visit.actor,
        now=visit.now,
    )
    return go(request, _frame(request, visit).url(PATH), toast="Saved. It stands until you take it back.")


@panel("settings.edit")
async def take_rate_back(request: Request, visit: Visit) -> Response:
    """Have the store's own rate again."""
    currency = Inputs(await read_form(request)).text("currency", most=3)
    db = visit.services.db
    if not await drop_hand_rate(db, visit.store.hash, currency, actor=visit.actor, now=visit.now):
        raise not_found()
    return go(request, _frame(request, visit).url(PATH), toast="The store's own rate is read again within seconds.")


ROUTES = [
    Route("/settings/rates", show_rates, name="rates"),
    Route("/settings/rates", type_rate, methods=["POST"], name="type_rate"),
    Route("/settings/rates/back", take_rate_back, methods=["POST"], name="take_rate_back"),
]
