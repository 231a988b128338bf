"""The web end: routes, what stands around every answer, and what starts and stops with the process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry
from prometheus_client import Gauge as Metric
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from bcapp.changes import NoSuchChange
from bcapp.db import DatabaseAway
from bcapp.errors import RefusedByUs, Stale, UnreadableInput
from bcapp.jobs.intake import Intake
from bcapp.services import Services
from bcapp.web import health, oauth, returns, signers, webhooks
from bcapp.web.access import AccessLog
from bcapp.web.api.door import refusal as api_refusal
from bcapp.web.api.openapi import api_routes
from bcapp.web.counts import Counts
from bcapp.web.forms import TooLarge
from bcapp.web.panel import panel_routes
from bcapp.web.refusals import Refusal, not_found
from bcapp.web.render import VersionedStatic
from bcapp.web.security import SecurityHeaders, any_store, frame_by


def create_app(services: Services) -> Starlette:
    """Return the web application. The caller opens and closes the services; the lifespan does the rest.

    app.state: services, registry (figures of this process), counts, doors, callbacks, exchanges, and while the
    lifespan runs, intake.
    """
    registry = CollectorRegistry()
    app = Starlette(
        routes=routes(),
        middleware=[
            Middleware(SecurityHeaders, settings=services.settings),
            Middleware(AccessLog, registry=registry),
            Middleware(webhooks.Straight),
        ],
        exception_handlers={
            HTTPException: http_exception,
            Refusal: refusal,
            TooLarge: too_large,
            UnreadableInput: unreadable,
            RefusedByUs: refused_by_us,
            Stale: stale,
            DatabaseAway: database_away,
            NoSuchChange: nothing_there,
        },
        lifespan=lifespan,
    )
    # A redirect to the same path with a slash would repeat the Host header, which anybody can set.
    app.router.redirect_slashes = False
    app.state.services = services
    app.state.registry = registry
    app.state.counts = Counts(registry)
    app.state.doors = webhooks.Doors(services)
    app.state.callbacks = webhooks.Callbacks(services)
    app.state.exchanges = asyncio.Semaphore(oauth.EXCHANGES_AT_ONCE)
    return app


def routes() -> list[BaseRoute]:
    return [
        *webhooks.ROUTES,
        *oauth.ROUTES,
        *signers.ROUTES,
        *returns.ROUTES,
        *health.ROUTES,
        *api_routes(),
        *panel_routes(),
        Mount("/static", app=VersionedStatic(), name="static"),
    ]


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the intake; at the end take nothing more, commit what was taken, write the counts down."""
    services: Services = app.state.services
    intake = Intake(services.db.pool)
    app.state.intake = intake
    held = Metric("countersign_intake_held", "Deliveries taken and not committed yet", registry=app.state.registry)
    held.set_function(lambda: intake.held)
    counting = asyncio.create_task(app.state.counts.run(services.db), name="counts")
    try:
        yield
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        await intake.close()
        await app.state.counts.flush(services.db)
        app.state.registry.unregister(held)


# What is raised anywhere becomes a page here -----------------------------------------------------------------


def answer(request: Request, refusal: Refusal) -> Response:
    """The refusal as a page that the control panel may frame; machines get the status alone."""
    if request.url.path.startswith("/webhooks/"):
        return Response(status_code=refusal.status)
    if request.url.path.startswith("/api/"):
        return api_refusal(refusal.status)
    if not hasattr(request.state, "frame_ancestors"):
        settings = request.app.state.services.settings
        frame_by(request, any_store(settings))
    return refusal.page(request)


async def http_exception(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    if status == 404:
        return answer(request, not_found())
    if status == 405:
        response = answer(request, Refusal(405, "This cannot be done here", "Go back and use the page's own buttons."))
        response.headers.update((exc.headers or {}) if isinstance(exc, HTTPException) else {})
        return response
    return answer(request, Refusal(status, "This did not work", "Go back, load the page again and repeat the step."))


async def refusal(request: Request, exc: Exception) -> Response:
    return answer(request, exc if isinstance(exc, Refusal) else not_found())


async def nothing_there(request: Request, exc: Exception) -> Response:
    return answer(request, not_found())


async def too_large(request: Request, exc: Exception) -> Response:
    return answer(
        request, Refusal(413, "This is too large", "Forms take up to 256 kB, uploaded agreements up to 12 MB.")
    )


async def unreadable(request: Request, exc: Exception) -> Response:
    return answer(request, Refusal(400, "We could not read this", "Go back, load the page again and repeat the step."))


async def refused_by_us(request: Request, exc: Exception) -> Response:
    return answer(request, Refusal(422, "This cannot be done", str(exc), kind="warning"))


async def stale(request: Request, exc: Exception) -> Response:
    return answer(
        request,
        Refusal(
            409, "Somebody else was faster", "It was changed since you opened it. Load the page again.", kind="info"
        ),
    )


async def database_away(request: Request, exc: Exception) -> Response:
    response = answer(
        request,
        Refusal(503, "We are away for a moment", "Nothing was changed. Try again in a minute.", kind="server-error"),
    )
    response.headers["Retry-After"] = "30"
    return response
