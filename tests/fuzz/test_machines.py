"""33,500 hostile deliveries, as if from the two services."""

from __future__ import annotations

from random import Random

import pytest

from bcapp import stores
from tests.fuzz.attack import attack
from tests.fuzz.hostile import bigcommerce, core_signature, send
from tests.web.conftest import Web

pytestmark = pytest.mark.fuzz


async def test_hostile_deliveries_fail_nothing_and_leave_nothing(web: Web) -> None:
    statuses = await attack(web, {bigcommerce: 20_000, core_signature: 12_500}, seed=20_261)
    assert set(statuses) <= {200, 400, 404, 405, 413, None}
    assert statuses[200] > 1_000
    assert statuses[400] > 1_000
    counted = await web.rows(
        "SELECT DISTINCT name FROM (SELECT name FROM counters UNION SELECT name FROM refusals) AS n"
    )
    assert {row["name"] for row in counted} == {"unknown_store", "unknown_callback", "wrong_key"}


async def test_spoilt_deliveries_with_our_key_fail_nothing(web: Web) -> None:
    """Whoever has the key may store deliveries, and still breaks nothing."""
    key = (await stores.get_webhook_key(web.services, web.store.hash)).encode()
    random = Random(20_262)
    for _ in range(1_000):
        hostile = bigcommerce(random)
        hostile.headers.append((b"x-countersign-key", key))
        status = await send(web.app, hostile)
        assert status is None or status < 500, hostile
