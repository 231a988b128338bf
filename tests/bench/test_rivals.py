"""The bench's rivals take what the app takes, and store what they say that they store."""

from __future__ import annotations

import httpx
import pytest

from bcapp.bench.load import PATH, Plan, make_request
from bcapp.bench.rivals import make_rival
from bcapp.clock import SystemClock
from bcapp.db import Database
from bcapp.http import make_http
from bcapp.secrets import Secrets
from bcapp.services import Services
from tests.fixtures.world import KEY, make_settings

pytestmark = pytest.mark.database

STORED = {"none": (0, 0), "raw": (3, 0), "both": (3, 3), "databases": (3, 0)}


@pytest.mark.parametrize("kind", STORED)
async def test_a_rival_checks_like_the_app_and_stores_in_its_own_way(database: Database, kind: str) -> None:
    settings = make_settings("http://127.0.0.1:1", 1, database.dsn)
    async with make_http() as http:
        rival = make_rival(kind, Services(settings, database, http, SystemClock(), Secrets([KEY])), "the-key")
        async with (
            rival.router.lifespan_context(rival),
            httpx.AsyncClient(transport=httpx.ASGITransport(rival), base_url="http://rival.test") as client,
        ):
            for key, number in (("the-key", 1), ("the-key", 2), ("the-key", 3), ("another", 4)):
                secret = settings.bc_client_secret.get_secret_value() if key == "the-key" else "wrong"
                plan = Plan(1, 1.0, 1, 0.0, "bench1", key, secret, "m")
                head, _, body = make_request(plan, number).partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
                answer = await client.post(PATH, content=body, headers=headers)
                assert (answer.status_code, answer.content) == (200, b"")
            assert (await client.post(PATH, content=b"{")).status_code == 400
    rows = await database.pool.fetch("SELECT body FROM deliveries")
    jobs = await database.pool.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'look'")
    assert (len(rows), jobs) == STORED[kind]
    assert all(b"statusUpdated" not in row["body"] for row in rows)
