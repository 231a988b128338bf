"""Keys of the API: made here, shown once, ended at once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.db.api_keys import MOST_KEYS, ROLES, add_key, list_keys, revoke_key
from bcapp.db.panel_requests import user_names
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs, id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.settings import sections
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page

ROLE_WORDS = (
    ("read", "Read", "Lists and single requests, records and documents."),
    ("write", "Read and write", "Also what changes something, such as having a record looked at again."),
)


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


async def _show(
    request: Request, visit: Visit, inputs: Inputs | None = None, status: int = 200, made: str = ""
) -> Response:
    keys = await list_keys(visit.services.db, visit.store.hash)
    return page(
        request,
        "panel/api_keys.html",
        "keys",
        status,
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "api"),
        keys=keys,
        names=await user_names(visit.services.db, visit.store.hash),
        roles=ROLE_WORDS,
        role_names={value: label for value, label, _ in ROLE_WORDS},
        may_edit=visit.may("api.edit"),
        made=made,
        values=inputs.values if inputs else Blank(role="read"),
        errors=inputs.errors if inputs else Blank(),
        api_root=f"{visit.services.settings.app_url}/api/v1",
    )


@panel("api.view")
async def show_keys(request: Request, visit: Visit) -> Response:
    return await _show(request, visit)


@panel("api.edit")
async def make_key(request: Request, visit: Visit) -> Response:
    """Make a key and show it this once: only its digest is kept."""
    inputs = Inputs(await read_form(request))
    name = inputs.text("name", most=80, required="Name what uses the key, such as your accounting.")
    role = inputs.choice("role", ROLES, "Choose what the key may do.")
    if inputs.errors:
        return await _show(request, visit, inputs, 422)
    key = await add_key(visit.services.db, visit.store.hash, name, role, user_id=visit.user.id, now=visit.now)
    if key is None:
        inputs.errors["name"] = f"A store has at most {MOST_KEYS} keys. Revoke one that is not used any more."
        return await _show(request, visit, inputs, 422)
    return await _show(request, visit, made=key)


@panel("api.edit")
async def end_key(request: Request, visit: Visit) -> Response:
    """Revoke a key: its next call is refused."""
    await read_form(request)
    number = id_in_path(request)
    keys = {key["id"]: key for key in await list_keys(visit.services.db, visit.store.hash)}
    if number not in keys:
        raise not_found()
    done = await revoke_key(visit.services.db, visit.store.hash, number, user_id=visit.user.id, now=visit.now)
    text = "The key is revoked." if done else "It was revoked before."
    return go(request, _frame(request, visit).url("settings/api"), toast=text)


ROUTES = [
    Route("/settings/api", show_keys, name="api_keys"),
    Route("/settings/api", make_key, methods=["POST"], name="make_api_key"),
    Route("/settings/api/{id:int}/revoke", end_key, methods=["POST"], name="revoke_api_key"),
]
