"""The access log by route template, and the page that a bug shows."""

from __future__ import annotations

import secrets
import time

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bcapp.web.api.door import refusal
from bcapp.web.render import message_page

log = structlog.get_logger("bcapp.access")

# Asked every few seconds by machines; a line for each would bury the others.
QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/static"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class AccessLog:
    """One line per request: method, route template, status, milliseconds. Never an address, a query or a header.

    Also the last place that an exception reaches: it is logged with a reference that the page shows. Webhooks that
    went well are counted, not logged.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._seconds = Histogram(
            "countersign_request_seconds", "Time to answer", ["method", "route", "status"],
            registry=registry, buckets=BUCKETS,
        )  # fmt: skip
        self._known: dict[tuple[str, str, int], Histogram] = {}  # each looked up once: routes and statuses are few

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reference = ""
        if not scope["path"].startswith("/webhooks/"):  # thousands in a second, which rarely say anything
            structlog.contextvars.clear_contextvars()
            reference = secrets.token_hex(6)
            structlog.contextvars.bind_contextvars(reference=reference)
        begun, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            log.info("hung_up", method=scope["method"], route=route_of(scope))
            return
        except Exception:
            log.exception("request_failed", method=scope["method"], route=route_of(scope))
            if status:
                raise  # half an answer is out: only the server can still close the connection
            await failure(scope, reference)(scope, receive, watch)
        seconds = time.perf_counter() - begun
        route = route_of(scope)
        kind = method_of(scope), route, status
        if kind not in self._known:
            self._known[kind] = self._seconds.labels(*kind)
        self._known[kind].observe(seconds)
        if status < 400 and (route in QUIET or route.startswith("/webhooks/")):
            return
        log.info("request", method=method_of(scope), route=route, status=status, milliseconds=round(seconds * 1000, 1))


def route_of(scope: Scope) -> str:
    """The template that the path matched, such as /s/{store_hash}/rules; "-" when none did."""
    return str(getattr(scope.get("route"), "path", "-"))


def method_of(scope: Scope) -> str:
    """The method, or "other": a stranger invents as many as they like, and each would be a line in the figures."""
    method: str = scope["method"]
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"


def failure(scope: Scope, reference: str) -> Response:
    """What a person sees of a bug: that it was ours, and the reference to name."""
    if scope["path"].startswith("/webhooks/"):
        return Response(status_code=503 if scope["path"].endswith("/bigcommerce") else 500)
    if scope["path"].startswith("/api/"):
        return refusal(500)
    try:
        return message_page(
            Request(scope),
            500,
            "Something went wrong on our side",
            "Nothing was lost: what you sent was either kept as a whole or not at all. Try again in a minute.",
            kind="server-error",
            reference=reference,
        )
    except Exception:
        log.exception("failure_page_failed")
        return PlainTextResponse(f"Something went wrong on our side. Reference: {reference}", 500)
