"""The panel: every screen under /s/{store_hash}, behind one door.

A screen is a module in this folder with `ROUTES: list[Route]`, paths relative to /s/{store_hash} and beginning with
"/", each route with a name. Its handlers look like

    @panel("rules.edit")
    async def save_rule(request: Request, visit: Visit) -> Response: ...

and are called only for a user of the store in the path whose role has the permission.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, wraps
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.stores import StoreDoing, StoreState
from bcapp.db.stores import Store
from bcapp.db.users import User
from bcapp.services import Services
from bcapp.web import forms, session
from bcapp.web.refusals import Refusal, apps_address, no_session, not_found, not_ours, not_permitted, store_is_away
from bcapp.web.render import Frame, Notice, name_support, set_frame
from bcapp.web.roles import PERMISSIONS, Role, may
from bcapp.web.security import any_store, frame_by, of_store

SAFE_METHODS = frozenset({"GET", "HEAD"})


RECONSENT = Notice(
    "danger",
    "BigCommerce does not accept our access any more. Events are kept, nothing is held, released or sent. "
    "Close the app and open it again from Apps, then accept its permissions.",
    "Countersign cannot work",
)


@dataclass(frozen=True)
class Visit:
    """One proven request of a user to the panel of one store.

    now: the moment the request came, from the clock. Every query of the handler takes `store.hash`.
    """

    store: Store
    user: User
    role: Role
    session: session.Session
    services: Services
    now: datetime

    def may(self, permission: str) -> bool:
        """Tell whether the user's role has the permission, to show or leave out a button."""
        return may(self.role, permission)

    @property
    def csrf(self) -> str:
        """Stands in every plain form as the field `csrf`."""
        return self.session.csrf

    @property
    def actor(self) -> str:
        """The user as the audit log names them."""
        return f"user:{self.user.id}"


Screen = Callable[[Request, Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def panel(permission: str) -> Callable[[Screen], Endpoint]:
    """Let a handler be called only with a proven session of the path's store and a role that has the permission.

    Answers 404 to a session of another store, 401 without a session, 403 without the permission or when an unsafe
    request does not come from one of our pages. `endpoint.permission` is the name given, for the matrix test.
    """
    if permission not in PERMISSIONS:
        raise KeyError(f"the permission {permission} does not stand in roles.py")

    def wrap(screen: Screen) -> Endpoint:
        @wraps(screen)
        async def endpoint(request: Request) -> Response:
            services: Services = request.app.state.services
            try:
                visit = await resolve(request, services)
                if not visit.may(permission):
                    raise not_permitted(visit.role, permission)
                request.state.visit = visit
                response = await screen(request, visit)
            except Refusal as refusal:
                return refusal.page(request)
            finally:
                await forms.close_form(request)
            if visit.session.via != "header" and not getattr(request.state, "ended", False):
                session.set_cookie(response, visit.session, visit.store.hash, secure=services.settings.secure)
            return response

        endpoint.permission = permission  # type: ignore[attr-defined]
        return endpoint

    return wrap


async def resolve(request: Request, services: Services) -> Visit:
    """Prove who comes, or raise the Refusal to show. Leaves the page's Frame in the request."""
    store_hash: str = request.path_params["store_hash"]
    now = services.clock.now()
    frame_by(request, any_store(services.settings))  # until the store is proven: a refusal must be readable too
    if not session.STORE_HASH.fullmatch(store_hash):
        raise not_found()
    begun = None
    if request.method == "GET" and "x" in request.query_params:
        # A code that is used up is a reload: whatever else proves the session decides.
        begun = await session.use_code(services.db, store_hash, request.query_params["x"], now)
    if begun is not None:
        token, via = begun.token, begun.via
    else:
        shown = session.presented(request, store_hash, secure=services.settings.secure)
        if shown is None:
            raise await no_session(services, store_hash)
        token, via = shown
        owner = session.store_of(token)
        if owner is None:
            raise await no_session(services, store_hash)
        if owner != store_hash:
            raise not_found()
    row = await services.db.fetch_one(
        "fetch_visit",
        {
            "store_hash": store_hash,
            "token_digest": session.digest_of(token),
            "now": now,
            "idle_since": now - session.IDLE,
        },
    )
    if row is None:
        raise await no_session(services, store_hash)
    visit = Visit(
        store=Store.from_row(row),
        user=User.from_row({**row, "state": row["user_state"]}),
        role=Role(row["role"]),
        session=session.Session(
            token, row["csrf"], row["session_created_at"], row["session_seen_at"], row["ends_at"], via
        ),
        services=services,
        now=now,
    )
    structlog.contextvars.bind_contextvars(store=store_hash, user=visit.user.id)
    name_support(request, visit.store.settings.support_email)
    if request.method not in SAFE_METHODS:
        await prove_intent(request, visit)
    if not visit.store.may(StoreDoing.OPEN):
        raise store_is_away(visit.store)
    if now - visit.session.seen_at > session.SEEN_EVERY:
        await services.db.execute(
            "touch_session", {"store_hash": store_hash, "token_digest": visit.session.digest, "now": now}
        )
    frame_by(request, of_store(services.settings, visit.store))
    set_frame(request, frame_of_visit(visit, row["open_tasks"], row["simulated_requests"]))
    return visit


async def prove_intent(request: Request, visit: Visit) -> None:
    """Raise not_ours unless one of our own pages made this unsafe request.

    The session header cannot be sent from another site. The cookie can: there the browser's own word (Sec-Fetch-Site,
    Origin) and, in plain forms, the session's csrf field are asked for.
    """
    if visit.session.via == "header":
        return
    if not session.from_our_page(request.headers, visit.services.settings.app_url):
        raise not_ours()
    form = await forms.read_form(request)
    if not session.same_secret(str(form.get("csrf", "")), visit.session.csrf):
        raise not_ours()


def frame_of_visit(visit: Visit, open_tasks: int, simulated_requests: int) -> Frame:
    settings = visit.services.settings
    return Frame(
        store_hash=visit.store.hash,
        store_name=visit.store.name,
        zone=visit.store.timezone,
        locale=visit.user.locale,
        now=visit.now,
        user_name=visit.user.name or visit.user.email,
        role=visit.role.value,
        session_token=visit.session.token,
        sdk_url=settings.bc_sdk_url,
        control_panel_url=apps_address(settings, visit.store.control_panel_url),
        test_mode=visit.store.settings.test_mode,
        simulated_requests=simulated_requests,
        attention=open_tasks if visit.may("tasks.done") else 0,  # who cannot settle them is not called for them
        notices=[RECONSENT] if visit.store.state is StoreState.RECONSENT else [],
    )


@cache
def panel_routes() -> tuple[Route, ...]:
    """Collect the routes of every screen in this folder, by module name; a route without a permission is a bug."""
    routes: list[Route] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        found: Any = getattr(importlib.import_module(f"{__name__}.{module.name}"), "ROUTES", [])
        for route in found:
            if not hasattr(route.endpoint, "permission"):
                raise TypeError(f"{module.name}: {route.path} is not behind @panel(permission)")
            # Flat, not mounted: the access log names the route by this whole template.
            path = f"/s/{{store_hash}}{route.path}"
            routes.append(
                Route(path, route.endpoint, methods=list(route.methods or ["GET"]), name=f"panel:{route.name}")
            )
    # A literal part goes before a number, whatever screen it belongs to: /suppliers/new is no supplier.
    return tuple(sorted(routes, key=lambda route: [part.startswith("{") for part in route.path.split("/")]))


__all__ = ["Visit", "panel", "panel_routes"]
