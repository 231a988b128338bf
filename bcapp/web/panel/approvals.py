"""My approvals: what waits for the user's own signature, and what they decided.

Nobody gets a signing link here, their own included: it comes by mail only, and the mail can be sent again.
"""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.model import RecordKey
from bcapp.core.states import SignerState
from bcapp.db import panel_requests
from bcapp.db.approvals import decided_by, waiting_for
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.kinds import one, record_path
from bcapp.web.panel.screen import Given, answer, frame, path_id, press, shown_label
from bcapp.web.refusals import not_found
from bcapp.web.render import go
from bcapp.workflows.protocol import Command

MAIL_AGAIN = timedelta(minutes=10)


@panel("approvals.view")
async def show_approvals(request: Request, visit: Visit) -> Response:
    """List what waits for the user and what they decided; the list asks for itself again."""
    db, store_hash = visit.services.db, visit.store.hash
    return answer(
        request,
        visit,
        "panel/approvals.html",
        "waiting",
        active="requests",
        waiting=await waiting_for(db, store_hash, visit.user),
        decided=await decided_by(db, store_hash, visit.user),
        is_known=visit.user.person_id is not None,
        sees_facts=visit.may("requests.facts"),
        label_of=lambda row: shown_label(visit, row["record_kind"], row["record_id"], row["label"]),
        one=one,
        path_of=lambda row: record_path(RecordKey(row["record_kind"], row["record_id"])),
    )


@panel("approvals.mail")
async def mail_again(request: Request, visit: Visit) -> Response:
    """Have the invitation sent again; at most every ten minutes, whoever presses."""
    given = Given(await read_form(request))
    db, store_hash, request_id = visit.services.db, visit.store.hash, path_id(request)
    back = frame(request).url("approvals")
    row = next((r for r in await waiting_for(db, store_hash, visit.user) if r["id"] == request_id), None)
    if row is None:
        if request_id not in {r["id"] for r in await decided_by(db, store_hash, visit.user)}:
            raise not_found()
        return go(request, back, toast="You have decided this one already.", toast_kind="info")
    if row["state"] == SignerState.BOUNCED:
        text = "The mail to your address came back. Ask a manager to correct your address under People."
        return go(request, back, toast=text, toast_kind="danger")
    if not row["is_turn"]:
        return go(
            request, back, toast="Somebody else signs first. The mail comes when it is your turn.", toast_kind="info"
        )
    if await panel_requests.was_reminded(db, store_hash, request_id, visit.now - MAIL_AGAIN):
        text = "A mail went out within the last ten minutes. Look into your spam folder too."
        return go(request, back, toast=text, toast_kind="info")
    record = RecordKey(row["record_kind"], row["record_id"])
    await press(visit, record, Command("resend", visit.user.id, "", request_id), given.once)
    return go(request, back, toast="The mail is on its way, to everybody whose turn it is.")


ROUTES = [
    Route("/approvals", show_approvals, name="approvals"),
    Route("/approvals/{id}/mail", mail_again, methods=["POST"], name="approval_mail"),
]
