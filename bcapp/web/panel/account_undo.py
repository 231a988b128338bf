"""Taking an approval of an account back: what it had before is given back, and it waits again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.model import RecordKey
from bcapp.db import panel_requests
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.kinds import BY_SLUG
from bcapp.web.panel.parts import Look
from bcapp.web.panel.parts.account import can_undo
from bcapp.web.panel.requests import Step
from bcapp.web.panel.screen import WHY_CHARACTERS, Given, answer, frame, path_id, press
from bcapp.web.refusals import not_found
from bcapp.web.render import go
from bcapp.workflows import account_approval
from bcapp.workflows.protocol import Command

COMPANY = (
    "The company is pending again. It gets back the group, credit limit, payment terms and payment methods that it had "
    "before. What somebody changed since stays. The signed document stays where it is."
)
CUSTOMER = "The customer goes back into the group from before the approval. The signed document stays where it is."


@panel("holds.override")
async def undo(request: Request, visit: Visit) -> Response:
    """Ask for a reason, then give the account back what it had before we let it in."""
    slug = request.url.path.split("/")[3]
    words = BY_SLUG[slug]
    record = RecordKey(words.name, str(path_id(request)))
    db, store_hash = visit.services.db, visit.store.hash
    row = await db.fetch_one("fetch_record", {"store_hash": store_hash, "kind": record.kind, "id": record.id})
    if row is None:
        raise not_found()
    back = frame(request).url(words.path(record.id))
    around = await panel_requests.around_record(db, store_hash, record)
    if not await can_undo(Look(visit, record, row, around)):
        return go(request, back, toast="Nothing was changed: there is no approval of ours to undo.", toast_kind="info")
    text = COMPANY if record.kind == "company" else CUSTOMER
    step = Step("Undo the approval", text, "Reason", "Kept in the history under your name.", "Undo", "danger")
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            command = Command("undo", visit.user.id, why, workflow=account_approval.SLUG)
            await press(visit, record, command, given.once)
            return go(request, back, toast="The approval is being undone.")
        error, status = given.errors["why"], 422
    return answer(
        request, visit, "panel/step.html", "dialog", status,
        active="requests", step=step, text=step.text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


ROUTES = [
    Route("/companies/{id}/undo", undo, methods=["GET", "POST"], name="company_undo"),
    Route("/customers/{id}/undo", undo, methods=["GET", "POST"], name="customer_undo"),
]
