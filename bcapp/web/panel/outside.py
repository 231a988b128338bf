"""Documents that were signed without us: a person says whether they belong to the record that they are shown on."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.db import audit, outside
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.kinds import name_of, one, record_path
from bcapp.web.panel.parts.outside import REASONS
from bcapp.web.panel.screen import Given, answer, frame, path_id, shown_label
from bcapp.web.refusals import not_found
from bcapp.web.render import download, go

PARTS = {"signed": "signed_sha256", "log": "log_sha256"}
DECIDED_BEFORE = "Somebody decided on this document before."


@panel("requests.view")
async def show_outside(request: Request, visit: Visit) -> Response:
    """List what is suggested and not decided on, with the record that it may belong to."""
    return answer(
        request,
        visit,
        "panel/outside.html",
        active="requests",
        rows=await outside.list_suggested(visit.services.db, visit.store.hash),
        reasons=REASONS,
        sees_facts=visit.may("requests.facts"),
        label_of=lambda row: shown_label(visit, row["record_kind"], row["record_id"], row["label"]),
    )


async def _fetch(request: Request, visit: Visit) -> dict[str, Any]:
    row = await outside.fetch_outside(visit.services.db, visit.store.hash, path_id(request))
    if row is None or record_path(outside.record_of(row)) is None:
        raise not_found()
    return row


def _back(request: Request, row: dict[str, Any]) -> str:
    return frame(request).url(record_path(outside.record_of(row)) or "")


@panel("requests.confirm")
async def link_outside(request: Request, visit: Visit) -> Response:
    """Link the document to its record, as evidence: no rule counts it, and no hold opens by it."""
    await read_form(request)
    row = await _fetch(request, visit)
    done = await outside.link(visit.services.db, visit.store.hash, row, visit.user.id, visit.now)
    name = name_of(outside.record_of(row))
    text = f"It is linked to {name[:1].lower()}{name[1:]}. Its PDF is being fetched." if done else DECIDED_BEFORE
    return go(request, _back(request, row), toast=text, toast_kind="success" if done else "info")


@panel("requests.confirm")
async def dismiss_outside(request: Request, visit: Visit) -> Response:
    """Never suggest the document for its record again, or take a linked one off it."""
    await read_form(request)
    row = await _fetch(request, visit)
    was_linked = row["state"] == "linked"
    done = row["state"] != "dismissed" and await outside.dismiss(
        visit.services.db, visit.store.hash, row, visit.user.id, visit.now
    )
    said = "It is taken off." if was_linked else f"It is not suggested for this {one(row['record_kind'])} any more."
    return go(
        request, _back(request, row), toast=said if done else DECIDED_BEFORE, toast_kind="success" if done else "info"
    )


@panel("requests.download")
async def ask_outside(request: Request, visit: Visit) -> Response:
    """Answer a ticket for a linked document's PDF or signing log."""
    given = Given(await read_form(request))
    row = await _fetch(request, visit)
    part = given.choice("part", "Choose a document.", list(PARTS), default="signed")
    if given.errors or row["state"] != "linked" or row[PARTS[part]] is None:
        raise not_found()
    db, store_hash = visit.services.db, visit.store.hash
    ticket = await session.add_ticket(db, store_hash, visit.user.id, f"outside:{row['id']}:{part}", visit.now)
    detail = {"part": part, "sha256": bytes(row[PARTS[part]]).hex()}
    await audit.append(
        db, store_hash, visit.now, actor=visit.actor, event="document_downloaded", record=outside.record_of(row),
        detail=detail,
    )  # fmt: skip
    return download(request, frame(request).url(f"download/{ticket}"))


ROUTES = [
    Route("/outside", show_outside, name="outside"),
    Route("/outside/{id}/link", link_outside, methods=["POST"], name="outside_link"),
    Route("/outside/{id}/dismiss", dismiss_outside, methods=["POST"], name="outside_dismiss"),
    Route("/outside/{id}/download", ask_outside, methods=["POST"], name="outside_download"),
]
