"""Campaigns: a new material version is asked of everybody who signed an older one, in waves, with a grace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.db import acceptances
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.acceptances import party_text
from bcapp.web.panel.screen import Given, answer, frame, path_id
from bcapp.web.refusals import not_found
from bcapp.web.render import go, wants_part
from bcapp.web.status_words import N_

GRACE_DAYS, PER_HOUR = 30, 50
STATES = {"running": N_("Running"), "stopped": N_("Stopped"), "done": N_("Everybody was asked")}
MOST_SHOWN = 200


@panel("acceptances.view")
async def show_campaigns(request: Request, visit: Visit) -> Response:
    db, of = visit.services.db, {"store_hash": visit.store.hash}
    return answer(
        request,
        visit,
        "panel/campaigns.html",
        active="agreements",
        tab="campaigns",
        rows=await db.fetch_all("list_campaigns", of),
        possible=[r for r in await db.fetch_all("campaigns_possible", {**of, "now": visit.now}) if r["affected"]],
        states=STATES,
        can_edit=visit.may("acceptances.edit"),
    )


@panel("acceptances.edit")
async def new_campaign(request: Request, visit: Visit) -> Response:
    """Start asking for an agreement's newest material version."""
    db, of, number = visit.services.db, {"store_hash": visit.store.hash}, path_id(request)
    found = await db.fetch_all("campaigns_possible", {**of, "now": visit.now})
    row = next((r for r in found if r["id"] == number and r["affected"]), None)
    back = frame(request).url("acceptances/campaigns")
    if row is None:
        raise not_found()
    values: dict[str, Any] = {"grace": GRACE_DAYS, "per_hour": PER_HOUR}
    errors: dict[str, str] = {}
    if request.method == "POST":
        given = Given(await read_form(request))
        grace = given.number("grace", "The grace in days", 0, 365)
        per_hour = given.number("per_hour", "Requests an hour", 1, 1_000)
        account = await db.fetch_val("account_of_agreement", {**of, "agreement_id": number})
        if visit.store.settings.test_mode:
            given.errors[""] = "Test mode is on: nobody would really be asked. Switch it off first."
        elif account is None:
            given.errors[""] = "No signature account is set up. Connect one under Settings."
        if not given.errors:
            campaign_id = await acceptances.start_campaign(
                db,
                visit.store.hash,
                agreement_id=number,
                version=row["material_version"],
                account_id=account,
                per_hour=per_hour,
                grace_until=visit.now + timedelta(days=grace),
                author=visit.user.id,
                now=visit.now,
            )
            if campaign_id is None:
                return go(request, back, toast="It was started already.", toast_kind="info")
            return go(request, frame(request).url(f"acceptances/campaigns/{campaign_id}"), toast="The first wave goes.")
        errors, values = given.errors, {name: given.raw(name)[:10] for name in values}
    return answer(
        request, visit, "panel/campaign_new.html", "dialog", 422 if errors else 200,
        active="agreements", back=back, action=request.url.path, row=row, values=values, errors=errors,
    )  # fmt: skip


@panel("acceptances.view")
async def show_campaign(request: Request, visit: Visit) -> Response:
    """Show how far a campaign is."""
    db = visit.services.db
    row = await db.fetch_one("fetch_campaign", {"store_hash": visit.store.hash, "id": path_id(request)})
    if row is None:
        raise not_found()
    _, people = await acceptances.affected(db, visit.store.hash, row, visit.now)
    shown = [{**p, "state": _state(p)} for p in people]
    counts = {name: sum(p["state"] == name for p in shown) for name in PARTY_STATES}
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    return answer(
        request,
        visit,
        "panel/campaign.html",
        "campaign",
        active="agreements",
        row=row,
        people=shown[:MOST_SHOWN],
        total=len(shown),
        counts=counts,
        words=PARTY_STATES,
        states=STATES,
        is_grace=visit.now < row["grace_until"],
        last_day=row["grace_until"] - timedelta(microseconds=1),
        party_text=lambda p: party_text(visit, p),
        can_edit=visit.may("acceptances.edit"),
        **quiet,
    )


# state of a party -> words, variant, picture
PARTY_STATES: dict[str, tuple[str, str, str]] = {
    "signed": (N_("Signed"), "success", "check_circle"),
    "waiting": (N_("Asked, not signed yet"), "primary", "send"),
    "ended": (N_("Declined, expired or not sent"), "warning", "warning"),
    "queued": (N_("In a later wave"), "secondary", "refresh"),
    "gone": (N_("The last order is gone: asked with the next one"), "warning", "receipt"),
    "next_order": (N_("Asked with the next order"), "secondary", "receipt"),
}


def _state(person: dict[str, Any]) -> str:
    if person["signed"]:
        return "signed"
    if person["waiting"]:
        return "waiting"
    if person["gone"] and not person["was_asked"]:
        return "gone"
    if person["asked_at"] is not None:
        return "ended" if person["was_asked"] else "next_order"
    return "queued" if person["record_id"] else "next_order"


@panel("acceptances.edit")
async def move_campaign(request: Request, visit: Visit) -> Response:
    """Stop the waves, or let them go on."""
    given = Given(await read_form(request))
    number = path_id(request)
    db = visit.services.db
    row = await db.fetch_one("fetch_campaign", {"store_hash": visit.store.hash, "id": number})
    if row is None:
        raise not_found()
    was, state = ("running", "stopped") if given.raw("do") == "stop" else ("stopped", "running")
    moved = await acceptances.move_campaign(
        db, visit.store.hash, number, was=was, state=state, author=visit.user.id, now=visit.now
    )
    words = "No further wave goes." if state == "stopped" else "The waves go on."
    return go(
        request, frame(request).url(f"acceptances/campaigns/{number}"),
        toast=words if moved else "Nothing was changed.", toast_kind="success" if moved else "info",
    )  # fmt: skip


ROUTES = [
    Route("/acceptances/campaigns", show_campaigns, name="campaigns"),
    Route("/acceptances/campaigns/new/{id}", new_campaign, methods=["GET", "POST"], name="campaign_new"),
    Route("/acceptances/campaigns/{id}", show_campaign, name="campaign"),
    Route("/acceptances/campaigns/{id}/move", move_campaign, methods=["POST"], name="campaign_move"),
]
