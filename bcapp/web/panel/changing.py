"""The one door for what one person must not change alone: accounts, approvers, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp import changes
from bcapp.core.changes import ChangeState, Subject
from bcapp.db.users import list_users
from bcapp.errors import RefusedByUs, Stale
from bcapp.web.inputs import id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.render import Frame, frame_of, go, page


@dataclass(frozen=True)
class Change:
    """payload: the form as validated, JSON; it may hold a secret. summary: one line for the second person."""

    subject: Subject
    subject_id: str
    payload: Mapping[str, Any]
    summary: str


@dataclass(frozen=True)
class Waiting:
    """A change as the pages show it to one visitor."""

    id: int
    subject: Subject
    subject_id: str
    summary: str
    who: str
    asked_at: datetime
    applies_at: datetime
    mine: bool
    may_approve: bool
    may_refuse: bool


async def save(visit: Visit, change: Change) -> bool:
    """Apply the change now, or keep it for a second person; return whether it applies already.

    Raises RefusedByUs or Stale when it cannot be made.
    """
    asked = await changes.ask(
        visit.services,
        visit.store.hash,
        subject=change.subject,
        subject_id=change.subject_id,
        payload=change.payload,
        summary=change.summary,
        user_id=visit.user.id,
    )
    return asked.state is ChangeState.APPLIED


async def waiting(visit: Visit, subject: Subject | None = None, subject_id: str = "") -> list[Waiting]:
    """Return what waits, for those who may see it; of one thing only when it is named."""
    if not visit.may("changes.view"):
        return []
    found = [
        change
        for change in await changes.list_waiting(visit.services, visit.store.hash)
        if subject is None or (change.subject is subject and change.subject_id == subject_id)
    ]
    names: dict[int, str] = {}
    if found:
        names = {u.id: u.name or u.email for u in await list_users(visit.services.db, visit.store.hash)}
    decides = visit.may("changes.decide")
    return [
        Waiting(
            id=change.id,
            subject=change.subject,
            subject_id=change.subject_id,
            summary=change.summary,
            who=names.get(change.asked_by, "a former user"),
            asked_at=change.asked_at,
            applies_at=change.applies_at,
            mine=change.asked_by == visit.user.id,
            may_approve=decides and change.asked_by != visit.user.id,
            may_refuse=decides,
        )
        for change in found
    ]


@panel("changes.view")
async def show_changes(request: Request, visit: Visit) -> Response:
    """Everything that waits for a second person."""
    found = await waiting(visit)
    return page(request, "panel/changes.html", active="people", visit=visit, changes=found)


async def _decide(request: Request, visit: Visit, *, approve: bool) -> Response:
    frame = frame_of(request) or Frame(visit.store.hash)
    url = frame.url("people/changes")
    try:
        await changes.decide(
            visit.services, visit.store.hash, id_in_path(request), approve=approve, user_id=visit.user.id
        )
    except (RefusedByUs, Stale) as exc:
        text = str(exc) if isinstance(exc, RefusedByUs) else "What it changes was changed meanwhile. Refuse it."
        return go(request, url, toast=text, toast_kind="danger")
    return go(request, url, toast="The change applies now." if approve else "The change was refused.")


@panel("changes.decide")
async def approve_change(request: Request, visit: Visit) -> Response:
    return await _decide(request, visit, approve=True)


@panel("changes.decide")
async def refuse_change(request: Request, visit: Visit) -> Response:
    """Refuse somebody's change, or take one's own back."""
    return await _decide(request, visit, approve=False)


ROUTES = [
    Route("/people/changes", show_changes, name="changes"),
    Route("/people/changes/{id:int}/approve", approve_change, methods=["POST"], name="approve_change"),
    Route("/people/changes/{id:int}/refuse", refuse_change, methods=["POST"], name="refuse_change"),
]
