"""What an operator asks: alive, ready, and figures for the graphs."""

from __future__ import annotations

import hmac
from datetime import timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bcapp.db import DatabaseAway
from bcapp.services import Services

WORKER_ALIVE = timedelta(seconds=20)


async def healthz(request: Request) -> Response:
    """The process answers. It asks nobody else, so that a database restart does not get web processes killed."""
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """Ready to take requests: the database answers. The number of workers is told, and does not decide."""
    services: Services = request.app.state.services
    try:
        await services.db.fetch_val("ping")
        workers = await services.db.fetch_val("count_alive_workers", {"since": services.clock.now() - WORKER_ALIVE})
    except DatabaseAway:
        return JSONResponse({"ready": False, "database": False}, 503)
    return JSONResponse({"ready": True, "database": True, "workers": workers})


async def metrics(request: Request) -> Response:
    """Figures in Prometheus' text form, for the bearer of METRICS_TOKEN; 404 while none is set."""
    services: Services = request.app.state.services
    token = services.settings.metrics_token
    if token is None:
        return PlainTextResponse("not found", 404)
    wanted = f"Bearer {token.get_secret_value()}"
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode()):
        return PlainTextResponse("unauthorized", 401, {"WWW-Authenticate": "Bearer"})
    try:
        measured = await measure(services)
    except DatabaseAway:
        return PlainTextResponse("the database is away", 503)
    counted = generate_latest(request.app.state.registry)
    return Response(generate_latest(measured) + counted, media_type=CONTENT_TYPE_LATEST)


async def measure(services: Services) -> CollectorRegistry:
    """Read the figures of all stores together; no store is named."""
    registry = CollectorRegistry()
    now = services.clock.now()
    open_ = Gauge("countersign_queue_open", "Rows that wait or run", ["queue"], registry=registry)
    due = Gauge("countersign_queue_due", "Rows that are due now", ["queue"], registry=registry)
    parked = Gauge("countersign_queue_parked", "Rows put aside for a person", ["queue"], registry=registry)
    oldest = Gauge("countersign_queue_oldest_due_seconds", "Age of the oldest due row", ["queue"], registry=registry)
    for row in await services.db.fetch_all("measure_queues", {"now": now}):
        open_.labels(row["queue"]).set(row["open"])
        due.labels(row["queue"]).set(row["due"])
        parked.labels(row["queue"]).set(row["parked"])
        oldest.labels(row["queue"]).set(float(row["oldest_seconds"]))
    states = Gauge("countersign_rows", "How many of what stand in which state", ["what", "state"], registry=registry)
    for row in await services.db.fetch_all("measure_states", {"now": now}):
        states.labels(row["what"], row["state"]).set(row["count"])
    alive = Gauge("countersign_workers_alive", "Workers seen lately", registry=registry)
    alive.set(await services.db.fetch_val("count_alive_workers", {"since": now - WORKER_ALIVE}))
    return registry


ROUTES = [
    Route("/healthz", healthz, methods=["GET"], name="healthz"),
    Route("/readyz", readyz, methods=["GET"], name="readyz"),
    Route("/metrics", metrics, methods=["GET"], name="metrics"),
]
