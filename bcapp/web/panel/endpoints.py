"""Outgoing webhooks: where the merchant's own systems hear what happened, and how each message fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.news import NEWS, TEST
from bcapp.db import endpoints
from bcapp.db.endpoints import MOST_ENDPOINTS
from bcapp.db.news import send_again, tell_one
from bcapp.jobs.endpoint_hosts import local_hosts
from bcapp.settings import Settings
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs, id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.screen import query_page
from bcapp.web.panel.settings import sections
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page

PAGE = 25


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


def wrong_address(url: str, settings: Settings) -> str:
    """Return what is wrong with an endpoint's address, "" when it may be called. Its host is looked at when called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not a web address."
    host = (parts.hostname or "").lower()
    if parts.username or parts.password:
        return "Leave user and password out of the address; the signature proves who calls."
    if host in local_hosts(settings) and parts.scheme in ("http", "https"):
        return ""
    if parts.scheme != "https" or not host or "." not in host:
        return "Write an address that begins with https:// and names a host on the internet."
    if port not in (None, 443):
        return "Only the usual port for https is called."
    if parts.fragment:
        return "Leave out what follows the #."
    return ""


def read_endpoint(form: FormData, settings: Settings) -> tuple[Inputs, str, str, list[str]]:
    """Return (what was typed, address, description, events); every event ticked is none named."""
    inputs = Inputs(form)
    url = inputs.text("url", most=500, required="Write the address that is called.")
    if url and (wrong := wrong_address(url, settings)):
        inputs.errors["url"] = wrong
    description = inputs.text("description", most=120)
    chosen = [name for name in NEWS if name in {str(value) for value in form.getlist("events")}]
    if not chosen:
        inputs.errors["events"] = "Choose at least one event."
    return inputs, url, description, [] if len(chosen) == len(NEWS) else chosen


@panel("endpoints.view")
async def show_endpoints(request: Request, visit: Visit) -> Response:
    return page(
        request,
        "panel/endpoints.html",
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "endpoints"),
        rows=await endpoints.list_endpoints(visit.services.db, visit.store.hash, visit.now),
        may_edit=visit.may("endpoints.edit"),
        most=MOST_ENDPOINTS,
        all_events=len(NEWS),
    )


def _form(request: Request, visit: Visit, row: Mapping[str, Any] | None) -> dict[str, Any]:
    named = list(row["events"]) if row and row["events"] else list(NEWS)
    return {
        "active": "settings",
        "visit": visit,
        "sections": sections(_frame(request, visit), "endpoints"),
        "row": row,
        "news": list(NEWS.items()),
        "chosen": named,
        "values": Blank(url=row["url"], description=row["description"]) if row else Blank(),
        "errors": Blank(),
        "may_edit": visit.may("endpoints.edit"),
        "made": None,
    }


@panel("endpoints.edit")
async def new_endpoint(request: Request, visit: Visit) -> Response:
    """Show the form; a POST makes the endpoint and shows its secret this once."""
    context = _form(request, visit, None)
    if request.method != "POST":
        return page(request, "panel/endpoint_new.html", "endpoint", **context)
    s, form = visit.services, await read_form(request)
    inputs, url, description, events = read_endpoint(form, s.settings)
    made = None
    if not inputs.errors:
        made = await endpoints.add_endpoint(
            s.db, s.secrets, visit.store.hash, url, description, events, user_id=visit.user.id, now=visit.now
        )
        if made is None:
            inputs.errors["url"] = f"A store has at most {MOST_ENDPOINTS} endpoints. Remove one first."
    if made is None:
        context |= {"values": inputs.values, "errors": inputs.errors, "chosen": _ticked(form)}
        return page(request, "panel/endpoint_new.html", "endpoint", 422, **context)
    return await _show(request, visit, made.id, secret=made.secret)


def _ticked(form: FormData) -> Sequence[str]:
    return [str(value) for value in form.getlist("events")]


async def _show(
    request: Request,
    visit: Visit,
    endpoint_id: int,
    *,
    secret: str = "",
    status: int = 200,
    **more: Any,
) -> Response:
    db, store_hash = visit.services.db, visit.store.hash
    row = await endpoints.fetch_endpoint(db, store_hash, endpoint_id)
    if row is None:
        raise not_found()
    of = {"store_hash": store_hash, "endpoint_id": endpoint_id}
    count = int(await db.fetch_val("count_sends", of))
    last = max(1, -(-count // PAGE))
    number = min(query_page(request), last)
    sends = await db.fetch_all("sends_of_endpoint", {**of, "size": PAGE, "skip": (number - 1) * PAGE})
    context = {**_form(request, visit, row), "secret": secret, "sends": sends, "number": number, "last": last}
    # Making a secret is a POST: loading its page again must lead to the endpoint, not to another secret.
    here = {"HX-Push-Url": _frame(request, visit).url(f"settings/endpoints/{endpoint_id}")} if secret else None
    return page(request, "panel/endpoint.html", "endpoint", status, headers=here, **{**context, **more})


@panel("endpoints.view")
async def show_endpoint(request: Request, visit: Visit) -> Response:
    return await _show(request, visit, id_in_path(request))


@panel("endpoints.edit")
async def save_endpoint(request: Request, visit: Visit) -> Response:
    s, number, form = visit.services, id_in_path(request), await read_form(request)
    inputs, url, description, events = read_endpoint(form, s.settings)
    if inputs.errors:
        more: dict[str, Any] = {"values": inputs.values, "errors": inputs.errors, "chosen": _ticked(form)}
        return await _show(request, visit, number, status=422, **more)
    saved = await endpoints.save_endpoint(
        s.db, visit.store.hash, number, url, description, events, user_id=visit.user.id, now=visit.now
    )
    if not saved:
        raise not_found()
    return go(request, _frame(request, visit).url(f"settings/endpoints/{number}"), toast="Saved.")


@panel("endpoints.edit")
async def new_secret(request: Request, visit: Visit) -> Response:
    """Make another secret and show it this once; the one before signs along for a day."""
    await read_form(request)
    s = visit.services
    made = await endpoints.new_secret(
        s.db, s.secrets, visit.store.hash, id_in_path(request), user_id=visit.user.id, now=visit.now
    )
    if made is None:
        raise not_found()
    return await _show(request, visit, made.id, secret=made.secret)


@panel("endpoints.edit")
async def switch_endpoint(request: Request, visit: Visit) -> Response:
    await read_form(request)
    number, on = id_in_path(request), request.path_params["how"] == "on"
    if request.path_params["how"] not in ("on", "off"):
        raise not_found()
    await _there(visit, number)
    done = await endpoints.switch_endpoint(
        visit.services.db, visit.store.hash, number, on=on, user_id=visit.user.id, now=visit.now
    )
    text = ("It is on again." if on else "It is off. What waited is given up.") if done else "Nothing was changed."
    return go(request, _frame(request, visit).url(f"settings/endpoints/{number}"), toast=text)


@panel("endpoints.edit")
async def remove_endpoint(request: Request, visit: Visit) -> Response:
    await read_form(request)
    number = id_in_path(request)
    await _there(visit, number)
    await endpoints.remove_endpoint(visit.services.db, visit.store.hash, number, user_id=visit.user.id, now=visit.now)
    return go(request, _frame(request, visit).url("settings/endpoints"), toast="The endpoint is removed.")


@panel("endpoints.edit")
async def send_test(request: Request, visit: Visit) -> Response:
    """Send a test message to this endpoint alone."""
    await read_form(request)
    number, db = id_in_path(request), visit.services.db
    row = await _there(visit, number)
    back = _frame(request, visit).url(f"settings/endpoints/{number}")
    if row["state"] == "off":
        return go(request, back, toast="It is switched off. Switch it on first.", toast_kind="info")
    async with db.transaction():
        await tell_one(db, visit.store.hash, number, TEST, visit.now)
    return go(request, back, toast="A test message is on its way. The log below tells how it went.")


@panel("endpoints.edit")
async def resend(request: Request, visit: Visit) -> Response:
    await read_form(request)
    number, send_id = id_in_path(request), id_in_path(request, "send")
    row = await _there(visit, number)
    back = _frame(request, visit).url(f"settings/endpoints/{number}")
    if row["state"] == "off":
        return go(request, back, toast="It is switched off. Switch it on first.", toast_kind="info")
    done = await send_again(visit.services.db, visit.store.hash, number, send_id, visit.now)
    return go(request, back, toast="It is being sent again." if done else "It waits for its next try already.")


@panel("endpoints.view")
async def show_send(request: Request, visit: Visit) -> Response:
    """Show one message as it is sent, and every try."""
    db, number, send_id = visit.services.db, id_in_path(request), id_in_path(request, "send")
    await _there(visit, number)
    send = await db.fetch_one("fetch_send", {"store_hash": visit.store.hash, "id": send_id})
    if send is None or send["endpoint_id"] != number:
        raise not_found()
    tries = await db.fetch_all("tries_of_send", {"store_hash": visit.store.hash, "send_id": send_id})
    return page(
        request,
        "panel/endpoint_send.html",
        active="settings",
        visit=visit,
        number=number,
        send={name: send[name] for name in ("id", "message_id", "event", "state", "body")},
        tries=tries,
        may_edit=visit.may("endpoints.edit"),
    )


async def _there(visit: Visit, number: int) -> Mapping[str, Any]:
    row = await endpoints.fetch_endpoint(visit.services.db, visit.store.hash, number)
    if row is None:
        raise not_found()
    return row


ROUTES = [
    Route("/settings/endpoints", show_endpoints, name="endpoints"),
    Route("/settings/endpoints/new", new_endpoint, methods=["GET", "POST"], name="new_endpoint"),
    Route("/settings/endpoints/{id:int}", show_endpoint, name="endpoint"),
    Route("/settings/endpoints/{id:int}", save_endpoint, methods=["POST"], name="save_endpoint"),
    Route("/settings/endpoints/{id:int}/secret", new_secret, methods=["POST"], name="endpoint_secret"),
    Route("/settings/endpoints/{id:int}/remove", remove_endpoint, methods=["POST"], name="remove_endpoint"),
    Route("/settings/endpoints/{id:int}/test", send_test, methods=["POST"], name="test_endpoint"),
    Route("/settings/endpoints/{id:int}/sends/{send:int}", show_send, name="endpoint_send"),
    Route("/settings/endpoints/{id:int}/sends/{send:int}/again", resend, methods=["POST"], name="endpoint_again"),
    # Last: "on" and "off" must not take the place of the words above.
    Route("/settings/endpoints/{id:int}/{how:str}", switch_endpoint, methods=["POST"], name="switch_endpoint"),
]
