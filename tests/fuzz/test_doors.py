"""Hostile calls at the API and at signers' pages: by strangers, and by who really has a key or a token."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from bcapp.db.api_keys import CALLS_A_MINUTE, add_key
from bcapp.sign_links import make_link
from tests.fuzz.attack import attack
from tests.fuzz.conftest import rows_of
from tests.fuzz.hostile import Hostile, api, send, signer
from tests.web.conftest import Web
from tests.web.test_routes_matrix import fill_store

pytestmark = pytest.mark.fuzz


async def test_strangers_fail_nothing_and_leave_nothing(web: Web) -> None:
    statuses = await attack(web, {api: 2_500, signer: 2_500}, seed=20_271)
    assert statuses[401] > 300
    assert statuses[404] > 500
    assert statuses[303] == 0


async def test_who_has_a_key_that_may_read_fails_and_changes_nothing(web: Web) -> None:
    await fill_store(web, web.store.hash)
    key = await add_key(web.services.db, web.store.hash, "ERP", "read", user_id=1, now=web.services.clock.now())
    assert key is not None
    before, random, answered = await rows_of(web), Random(20_272), 0
    for number in range(1_500):
        if number % CALLS_A_MINUTE == 0:
            await web.rows("UPDATE api_keys SET calls = 0")
        hostile = api(random, key)
        status = await send(web.app, hostile)
        assert status is None or status < 500, hostile
        answered += status == 200
    assert answered > 50
    assert await rows_of(web) == before


async def test_who_has_a_signers_token_fails_nothing_and_asks_no_more_than_allowed(web: Web) -> None:
    request_id = await fill_store(web, web.store.hash)
    token = await make_link(web.services.db, web.store.hash, request_id, 0, web.services.clock.now())
    make, random = partial(signer, token=token), Random(20_273)
    for _ in range(1_500):
        hostile: Hostile = make(random)
        status = await send(web.app, hostile)
        assert status is None or status < 500, hostile
    counts = await web.rows(
        "SELECT (SELECT count(*) FROM questions) AS questions, (SELECT count(*) FROM sign_links) AS links,"
        " (SELECT count(*) FROM actions WHERE kind = 'resend_request') AS resends,"
        " (SELECT count(*) FROM tasks WHERE kind = 'question') AS tasks"
    )
    assert counts[0]["questions"] <= 1 + 3
    assert counts[0]["tasks"] <= 1
    assert counts[0]["resends"] <= 1
    assert counts[0]["links"] == 1
