"""Which record is looked at first: an order goes before the customers of an import, and so does a pressed button."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bcapp.core.kinds import COME_IN_THOUSANDS
from bcapp.core.model import RecordKey
from bcapp.db import Database
from bcapp.db.deliveries import say_look
from bcapp.db.queue import CROWD_PRIORITY, LOOK_PRIORITY

pytestmark = pytest.mark.database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def due(database: Database, per_store: int = 20) -> list[tuple[str, str, bool]]:
    values = {"now": NOW, "per_store": per_store, "most": 500, "in_thousands": sorted(COME_IN_THOUSANDS)}
    rows = await database.fetch_all("due_looks", values)
    return [(row["record_kind"], row["record_id"], row["pressed"]) for row in rows]


async def test_an_order_that_came_last_is_looked_at_before_an_import(database: Database) -> None:
    for number in range(30):
        earlier = NOW - timedelta(minutes=5, seconds=-number)
        await say_look(database, "abc", RecordKey("customer", str(number)), earlier, source="sweep")
    await say_look(database, "abc", RecordKey("order", "1"), NOW)
    await say_look(database, "abc", RecordKey("request", "2"), NOW)
    found = await due(database)
    assert {(kind, number) for kind, number, _ in found[:2]} == {("order", "1"), ("request", "2")}
    assert [number for _, number, _ in found[2:]] == [str(n) for n in range(18)]
    jobs = await database.pool.fetch("SELECT dedupe_key FROM pgqueuer ORDER BY priority DESC, id")
    assert [job["dedupe_key"] for job in jobs][:3] == ["look:abc:order:1", "look:abc:request:2", "look:abc:customer:0"]
    assert CROWD_PRIORITY < LOOK_PRIORITY


async def test_a_customer_that_a_person_waits_for_goes_before_the_others(database: Database) -> None:
    for number in range(30):
        await say_look(database, "abc", RecordKey("customer", str(number)), NOW - timedelta(minutes=5), source="sweep")
    await say_look(database, "abc", RecordKey("customer", "29"), NOW, source="panel")
    assert (await due(database))[0] == ("customer", "29", True)
    assert (await due(database))[1][2] is False
