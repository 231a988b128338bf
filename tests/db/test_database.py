"""The one door: values both ways, transactions, the queue in the same transaction, a full pool, a broken server."""

from __future__ import annotations

import asyncio
import enum
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from pgqueuer.queries import Queries

from bcapp.db import Database, DatabaseAway, QueryError, connect_raw, load_queries, parse_queries
from bcapp.errors import AppError

pytestmark = pytest.mark.database

QUERIES = {
    "values": """SELECT CAST(:dict AS jsonb) AS dict, CAST(:list AS jsonb) AS list, CAST(:nothing AS jsonb) AS nothing,
        CAST(:money AS numeric(20, 4)) AS money, CAST(:time AS timestamptz) AS time, CAST(:day AS date) AS day,
        CAST(:bytes AS bytea) AS bytes, CAST(:uuid AS uuid) AS uuid, CAST(:texts AS text[]) AS texts,
        CAST(:big AS bigint) AS big, CAST(:flag AS boolean) AS flag, CAST(:wait AS interval) AS wait,
        CAST(:word AS text) AS word, '100%' AS percent, 7 % 4 AS modulo, '10:30' AS clock""",
    "make": "CREATE TABLE notes (id int PRIMARY KEY, text text, seen jsonb)",
    "add": "INSERT INTO notes (id, text, seen) VALUES (:id, :text, :seen) RETURNING id",
    "count": "SELECT count(*) FROM notes",
    "all": "SELECT id, text, seen FROM notes ORDER BY id",
    "sleep": "SELECT pg_sleep(:seconds)",
    "kill_me": "SELECT pg_terminate_backend(pg_backend_pid())",
}


class Word(enum.StrEnum):
    SENT = "sent"


@pytest.fixture
async def db(database_dsn: str) -> AsyncIterator[Database]:
    async with Database(database_dsn, queries=QUERIES, size=2, acquire_seconds=0.5) as opened:
        await opened.execute("make")
        yield opened


async def test_values_come_back_as_they_went_in(db: Database) -> None:
    values: dict[str, Any] = {
        "dict": {"a": [1, None, "ü"]},
        "list": [{"x": 1}],
        "nothing": None,
        "money": Decimal("12.3400"),
        "time": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "day": date(2026, 11, 22),
        "bytes": b"\0\xff",
        "uuid": uuid.uuid4(),
        "texts": ["a", "b"],
        "big": 2**40,
        "flag": True,
        "wait": timedelta(seconds=90),
        "word": Word.SENT,
    }
    row = await db.fetch_one("values", values)
    assert row == {**values, "percent": "100%", "modulo": 3, "clock": "10:30"}


async def test_the_five_ways_to_ask(db: Database) -> None:
    assert await db.execute("add", {"id": 1, "text": "a", "seen": {"by": [7]}}) == 1
    assert await db.fetch_one("all") == {"id": 1, "text": "a", "seen": {"by": [7]}}
    assert await db.fetch_all("all") == [{"id": 1, "text": "a", "seen": {"by": [7]}}]
    assert await db.fetch_val("count") == 1
    assert await db.pool.fetchval("SELECT seen FROM notes") == {"by": [7]}
    with pytest.raises(KeyError):
        await db.fetch_val("SELECT 1")


async def test_a_value_too_few_or_too_many_is_said_so(db: Database) -> None:
    for values in ({"id": 1, "text": "a"}, {"id": 1, "text": "a", "seen": None, "more": 2}):
        with pytest.raises(QueryError, match="add takes id, seen, text; given: id"):
            await db.execute("add", values)
    assert await db.fetch_val("count") == 0


async def add_together(db: Database, *ids: int) -> None:
    async with db.transaction():
        for id in ids:
            await db.execute("add", {"id": id, "text": "a", "seen": None})


async def test_a_transaction_rolls_back_whole_and_a_nested_one_alone(db: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await add_together(db, 1, 1)
    assert await db.fetch_val("count") == 0
    async with db.transaction():
        await db.execute("add", {"id": 1, "text": "a", "seen": None})
        with pytest.raises(asyncpg.UniqueViolationError):
            await add_together(db, 2, 1)
    assert [row["id"] for row in await db.fetch_all("all")] == [1]


async def test_a_job_is_queued_in_the_transaction_or_not_at_all(db: Database) -> None:
    async def fail_after_queueing() -> None:
        async with db.transaction():
            await db.execute("add", {"id": 1, "text": "a", "seen": None})
            jobs = await Queries.from_asyncpg_connection(db.raw()).enqueue("look", b"1", dedupe_key="order:1")
            assert len(jobs) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_queueing()
    assert await db.fetch_val("count") == 0
    assert await db.pool.fetchval("SELECT count(*) FROM pgqueuer") == 0
    async with db.transaction():
        queue = Queries.from_asyncpg_connection(db.raw())
        await queue.enqueue("look", b"1", dedupe_key="order:1", headers={"store": "abc"})
        assert await queue.enqueue("look", b"1", dedupe_key="order:1", on_conflict="skip") == [None]
    assert await db.pool.fetchval("SELECT headers FROM pgqueuer") == {"store": "abc"}


async def test_raw_is_for_transactions_only(db: Database) -> None:
    with pytest.raises(AppError, match="inside a transaction"):
        db.raw()


async def test_a_child_task_is_outside_of_its_parents_transaction(db: Database) -> None:
    async with db.transaction():
        await db.execute("add", {"id": 1, "text": "a", "seen": None})
        assert await asyncio.create_task(db.fetch_val("count")) == 0


async def test_a_full_pool_says_so_instead_of_blocking_for_ever(db: Database) -> None:
    busy = [asyncio.create_task(db.execute("sleep", {"seconds": 1.0})) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(DatabaseAway, match=r"within 0\.5 s"):
        await asyncio.create_task(db.fetch_val("count"))
    await asyncio.gather(*busy)
    assert await db.fetch_val("count") == 0


async def test_a_broken_connection_is_left_behind(db: Database) -> None:
    async def die() -> None:
        async with db.transaction():
            await db.execute("add", {"id": 1, "text": "a", "seen": None})
            await db.execute("kill_me")

    with pytest.raises(DatabaseAway):
        await die()
    for _ in range(4):  # more than the pool holds: none of its places is lost
        async with db.transaction():
            assert await db.fetch_val("count") == 0


async def test_a_cancelled_transaction_leaves_the_pool_whole(db: Database) -> None:
    async def work() -> None:
        async with db.transaction():
            await db.execute("add", {"id": 1, "text": "a", "seen": None})
            await db.execute("sleep", {"seconds": 60.0})

    for _ in range(3):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await db.fetch_val("count") == 0


async def test_disconnecting_waits_for_nobody_for_ever(database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database(database_dsn, queries=QUERIES)
    await db.connect()
    stuck = asyncio.create_task(db.execute("sleep", {"seconds": 600.0}))
    await asyncio.sleep(0.1)
    timeout = asyncio.timeout
    monkeypatch.setattr(asyncio, "timeout", lambda seconds: timeout(min(seconds, 0.5)))
    await db.disconnect()
    with pytest.raises((DatabaseAway, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await stuck


async def test_a_server_that_is_not_there_is_said_so() -> None:
    with pytest.raises(DatabaseAway):
        await Database("postgresql://somebody@127.0.0.1:1/nothing", acquire_seconds=1.0).connect()


async def test_a_connection_of_ones_own_decodes_too(database_dsn: str) -> None:
    connection = await connect_raw(database_dsn)
    assert await connection.fetchval("SELECT CAST($1 AS jsonb)", {"a": 1}) == {"a": 1}
    await connection.close()


def test_query_files_are_read_strictly(tmp_path: Any) -> None:
    text = "-- Deliveries\n\n-- one --\n-- Says :now in words.\nSELECT 1\n  -- inner :word\n WHERE a = :a;\n"
    text += "-- two --\nSELECT 2"
    assert parse_queries(text, "a.sql") == {
        "one": ("SELECT 1\n WHERE a = :a", "Says :now in words.\ninner :word"),
        "two": ("SELECT 2", ""),
    }
    for bad in ("SELECT 1", "-- a --\n-- only words", "-- a --\nSELECT 1\n-- a --\nSELECT 2"):
        with pytest.raises(QueryError):
            parse_queries(bad, "a.sql")
    for name in ("a.sql", "b.sql"):
        (tmp_path / name).write_text("-- same --\nSELECT 1")
    with pytest.raises(QueryError, match="another file"):
        load_queries(tmp_path)
