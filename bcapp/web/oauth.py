"""BigCommerce's four callbacks: install, open, uninstall, remove a user.

Source: BigCommerce docs, "App callbacks". One JWT shape serves load, uninstall and remove_user and does not say which
it is for, so a JWT that came through /load is refused at the other two doors, and nothing there is final.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match, Route

from bcapp import stores
from bcapp.bigcommerce.oauth import SignedPayload, exchange_code, verify_signed_payload
from bcapp.core.stores import StoreDoing
from bcapp.db.stores import Store, fetch_store
from bcapp.errors import BadProof, BigCommerceError, RefusedByUs
from bcapp.services import Services
from bcapp.web import session
from bcapp.web.refusals import Refusal, apps_address, store_is_away
from bcapp.web.render import message_page, name_support
from bcapp.web.security import any_store, frame_by, of_store

log = structlog.get_logger(__name__)

# The code exchange is the one outside call that a stranger can cause; a few at a time are plenty.
EXCHANGES_AT_ONCE = 8
JWT_REMEMBERED = timedelta(hours=25)  # at least its own life of 24 h and the leeway
DEEP_LINK = re.compile(r"/[A-Za-z0-9_./~-]{0,400}")


# Install -----------------------------------------------------------------------------------------------------


async def auth(request: Request) -> Response:
    """Install the app on a store, or renew its token. It gives no session: that comes from /load alone.

    Only the answer of the code exchange is trusted; the query says nothing that is believed.
    """
    services: Services = request.app.state.services
    settings = services.settings
    frame_by(request, any_store(settings))
    external = "external_install" in request.query_params
    try:
        store = await _install(request, services)
    except Refusal as refusal:
        log.warning("install_refused", status=refusal.status, reason=refusal.title)
        if external:
            return _external(settings.bc_login_url, settings.bc_client_id, "failed")
        return refusal.page(request)
    if external:
        return _external(settings.bc_login_url, settings.bc_client_id, "succeeded")
    return message_page(
        request,
        200,
        "Countersign is installed",
        "Open it from Apps in your control panel. The first visit asks what needs a signature.",
        ("Open Countersign", apps_address(settings, store.control_panel_url)),
        kind="success",
        action_top=True,
    )


def _external(login_url: str, client_id: str, how: str) -> Response:
    """Give the browser back to an install that began outside of the control panel."""
    return RedirectResponse(f"{login_url}/app/{quote(client_id, safe='')}/install/{how}", 303)


async def _install(request: Request, services: Services) -> Store:
    settings, query = services.settings, request.query_params
    code, context, scope = query.get("code", ""), query.get("context", ""), query.get("scope", "")
    if not 1 <= len(code) <= 512 or not re.fullmatch(r"stores/[a-z0-9]{1,32}", context) or len(scope) > 4000:
        raise Refusal(
            400,
            "This is not how Countersign is installed",
            "Open Apps in your control panel, choose Countersign and press Install.",
        )
    try:
        async with request.app.state.exchanges:
            install = await exchange_code(
                services.http,
                settings.bc_login_url,
                client_id=settings.bc_client_id,
                client_secret=settings.bc_client_secret.get_secret_value(),
                redirect_uri=f"{settings.app_url}/auth",
                code=code,
                scope=scope,
                context=context,
            )
    except BigCommerceError as exc:
        log.warning("install_not_exchanged", reason=str(exc), answered=exc.status)
        if exc.permanent or (exc.status is not None and 400 <= exc.status < 500):
            raise Refusal(
                403,
                "BigCommerce did not confirm the installation",
                "A link to install works once. Open Apps in your control panel and install Countersign again.",
            ) from None
        raise Refusal(
            502,
            "BigCommerce did not answer",
            "Nothing was installed. Wait a minute, then install Countersign again from Apps.",
            kind="server-error",
        ) from None
    missing = stores.missing_scopes(install.scope)
    if missing:
        raise Refusal(
            403,
            "A permission is missing",
            f"Countersign cannot hold and release orders without: {', '.join(missing)}. "
            "Install it again and accept all permissions; the app's developer must have asked for them.",
        )
    structlog.contextvars.bind_contextvars(store=install.store_hash)
    reading = await stores.read_store(services, install)
    installation = await stores.install_store(services, install, reading)
    log.info("installed", installation=installation)
    store = await fetch_store(services.db, install.store_hash)
    if store is None:
        raise RuntimeError(f"the store {install.store_hash} vanished while it was installed")
    return store


# Open --------------------------------------------------------------------------------------------------------


async def load(request: Request) -> Response:
    """Let a control-panel user in: remember the proof, make a one-time code, lead to the page that was asked for."""
    services: Services = request.app.state.services
    frame_by(request, any_store(services.settings))
    try:
        payload = _prove(request, services)
        structlog.contextvars.bind_contextvars(store=payload.store_hash, user=payload.user_id)
        if await _other_doors(services, payload):
            raise BadProof("this JWT ended something already")
        store = await fetch_store(services.db, payload.store_hash)
        if store is None:
            raise Refusal(
                403, "Countersign is not installed", "Install it again from Apps in your control panel.", kind="warning"
            )
        frame_by(request, of_store(services.settings, store))
        name_support(request, store.settings.support_email)
        if not store.may(StoreDoing.OPEN):
            raise store_is_away(store)
        again = await _remember(services, payload, "load")
        await stores.open_for(services, payload)
    except BadProof as exc:
        log.warning("load_refused", reason=str(exc))
        return Refusal(
            401,
            "We could not verify this visit",
            "Open Countersign again from Apps in your control panel.",
            ("Open the control panel", "https://login.bigcommerce.com/deep-links/manage/marketplace/apps/my-apps"),
            kind="unauthorized",
        ).page(request)
    except RefusedByUs as exc:
        return Refusal(403, "You cannot open Countersign", str(exc), kind="unauthorized").page(request)
    except Refusal as refusal:
        return refusal.page(request)
    log.info("loaded", again=again)
    code = await session.add_code(services.db, store.hash, payload.user_id, services.clock.now())
    response = RedirectResponse(landing(request, store.hash, payload.url, code), 303)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def landing(request: Request, store_hash: str, url: str, code: str) -> str:
    """Return the address inside the panel for the JWT's `url`, or the panel's home when it names no page of ours.

    The url is hostile: it must be a plain path that a panel route answers to; of its query only plain values stay.
    """
    parts = urlsplit(url) if url.startswith("/") and not url.startswith("//") and "\\" not in url else urlsplit("/")
    path = parts.path if DEEP_LINK.fullmatch(parts.path) and ".." not in parts.path else "/"
    if not is_panel_page(request, store_hash, path):
        path, parts = "/", urlsplit("/")
    kept = [(k, v) for k, v in parse_qsl(parts.query[:500]) if k != "x" and re.fullmatch(r"[\w.-]{1,40}", k)]
    return f"/s/{store_hash}{path}?{urlencode([*kept, ('x', code)])}"


def is_panel_page(request: Request, store_hash: str, path: str) -> bool:
    """Tell whether a route of the panel answers a GET for the path."""
    scope = {"type": "http", "method": "GET", "path": f"/s/{store_hash}{path}", "root_path": "", "path_params": {}}
    return any(
        isinstance(route, Route) and (route.name or "").startswith("panel:") and route.matches(scope)[0] is Match.FULL
        for route in request.app.routes
    )


# Uninstall and removed users: called by BigCommerce's servers ------------------------------------------------


async def uninstall(request: Request) -> Response:
    """Stop the store's work and have BigCommerce asked whether the app is really gone."""
    services: Services = request.app.state.services
    try:
        payload = await _prove_server_call(request, services, "uninstall")
        begun = await stores.announce_uninstall(services, payload)
    except BadProof as exc:
        return _refuse_call("uninstall", 401, exc)
    except RefusedByUs as exc:
        return _refuse_call("uninstall", 403, exc)
    log.info("uninstall_announced", begun=begun)
    return JSONResponse({})


async def remove_user(request: Request) -> Response:
    """Leave a tombstone of the user and end their sessions."""
    services: Services = request.app.state.services
    try:
        payload = await _prove_server_call(request, services, "remove_user")
        removed = await stores.remove_user(services, payload)
    except BadProof as exc:
        return _refuse_call("remove_user", 401, exc)
    except RefusedByUs as exc:
        return _refuse_call("remove_user", 403, exc)
    log.info("user_removed", removed=removed)
    return JSONResponse({})


def _refuse_call(door: str, status: int, why: Exception) -> Response:
    log.warning("callback_refused", door=door, status=status, reason=str(why))
    return JSONResponse({"error": str(why)}, status)


async def _prove_server_call(request: Request, services: Services, door: str) -> SignedPayload:
    """Prove a call that ends something. A JWT that opened the app, or came through another door, is refused."""
    payload = _prove(request, services)
    structlog.contextvars.bind_contextvars(store=payload.store_hash)
    if await fetch_store(services.db, payload.store_hash) is None:
        raise BadProof("the store is not known")
    async with services.db.transaction():
        # Behind the store's lock: of the same JWT at both doors at once, one passes.
        await services.db.fetch_one("lock_installation", {"store_hash": payload.store_hash})
        await _remember(services, payload, door)
        doors = await services.db.fetch_all("doors_of_jwt", {"store_hash": payload.store_hash, "jti": payload.jti})
        if {row["door"] for row in doors} != {door}:
            raise BadProof("this JWT was used for something else")
    return payload


def _prove(request: Request, services: Services) -> SignedPayload:
    return verify_signed_payload(
        request.query_params.get("signed_payload_jwt", ""),
        client_id=services.settings.bc_client_id,
        client_secret=services.settings.bc_client_secret.get_secret_value(),
        now=services.clock.now(),
    )


async def _other_doors(services: Services, payload: SignedPayload) -> bool:
    doors = await services.db.fetch_all("doors_of_jwt", {"store_hash": payload.store_hash, "jti": payload.jti})
    return any(row["door"] != "load" for row in doors)


async def _remember(services: Services, payload: SignedPayload, door: str) -> bool:
    """Write down that the JWT came through this door; return whether it did before (a reload)."""
    now = services.clock.now()
    return bool(
        await services.db.fetch_val(
            "remember_jwt",
            {
                "store_hash": payload.store_hash,
                "jti": payload.jti,
                "door": door,
                "now": now,
                "ends_at": max(payload.expires_at, now) + JWT_REMEMBERED,
            },
        )
    )


ROUTES = [
    Route("/auth", auth, methods=["GET"], name="auth"),
    Route("/load", load, methods=["GET"], name="load"),
    Route("/uninstall", uninstall, methods=["GET"], name="uninstall"),
    Route("/remove_user", remove_user, methods=["GET"], name="remove_user"),
]
