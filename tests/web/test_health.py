"""Alive, ready, figures; and what stands around every answer."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from tests.web.conftest import Web

pytestmark = pytest.mark.database
METRICS = {"Authorization": f"Bearer {'m' * 20}"}


@pytest.fixture(autouse=True)
def fresh_logs() -> None:
    structlog.contextvars.clear_contextvars()


async def test_alive_and_ready(web: Web) -> None:
    assert (await web.client.get("/healthz")).text == "ok"
    assert (await web.client.get("/readyz")).json() == {"ready": True, "database": True, "workers": 0}


async def test_not_ready_without_the_database_and_alive_all_the_same(
    web: Web, postgres: str, database_dsn: str
) -> None:
    name = urlsplit(database_dsn).path.removeprefix("/")
    outside = await asyncpg.connect(postgres)
    await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await asyncio.sleep(0.1)  # the driver is told, and notices when the loop turns
    answer = await web.client.get("/readyz")
    page = await web.visit(web.auth.load_url(web.store))
    alive = await web.client.get("/healthz")
    await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await outside.close()
    assert page.status_code == 503
    assert page.headers["retry-after"]
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert alive.status_code == 200


async def test_figures_are_for_the_bearer_only(web: Web) -> None:
    assert (await web.client.get("/metrics")).status_code == 401
    assert (await web.client.get("/metrics", headers={"Authorization": "Bearer x"})).status_code == 401
    text = (await web.client.get("/metrics", headers=METRICS)).text
    assert 'countersign_queue_open{queue="actions"} 1.0' in text
    assert 'countersign_rows{state="active",what="stores"} 1.0' in text
    assert "countersign_workers_alive 0.0" in text
    assert 'route="/auth"' in text
    assert web.store.hash not in text


@pytest.mark.parametrize("path", ["/", "/nowhere", "/s/abc/nowhere", "/s/ABC/", "/static/nowhere.css", "/admin.php"])
async def test_what_is_not_there_is_a_styled_page(web: Web, path: str) -> None:
    answer = await web.client.get(path)
    assert answer.status_code in (401, 404)
    assert "<html" in answer.text or path.startswith("/static")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"]


async def test_a_wrong_method_names_the_right_ones(web: Web) -> None:
    answer = await web.client.post("/load")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_a_bug_shows_a_reference_and_not_its_cause(web: Web) -> None:
    async def broken(request: Request) -> Response:
        raise RuntimeError("the secret cause")

    web.app.router.routes.insert(0, Route("/broken/{token}", broken))
    with capture_logs() as lines:
        answer = await web.client.get("/broken/abc")
    assert answer.status_code == 500
    assert "secret cause" not in answer.text
    failed = next(line for line in lines if line["event"] == "request_failed")
    assert failed["route"] == "/broken/{token}"
    assert "content-security-policy" in answer.headers


async def test_the_access_log_names_routes_and_no_addresses(web: Web) -> None:
    with capture_logs() as lines:
        await web.visit(web.auth.load_url(web.store))
        await web.client.get(f"/s/{web.store.hash}/logout?x=Zm9vYmFy")
        await web.client.get("/nowhere/at/all")
        await web.client.get("/healthz")
    told = [(line["method"], line["route"], line["status"]) for line in lines if line["event"] == "request"]
    assert told[0] == ("GET", "/load", 303)
    assert ("GET", "/s/{store_hash}/logout", 405) in told
    assert ("GET", "-", 404) in told
    assert len(told) == 3
    assert "Zm9v" not in str(lines)
    assert "eyJ" not in str(lines)
