"""Group commit: acknowledged means committed, one bad row fails alone, a full buffer says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bcapp.db import Database, DatabaseAway
from bcapp.db.queue import enqueue, look_job
from bcapp.errors import BufferFull, UnreadableInput
from bcapp.jobs.intake import BATCH_ROWS, Delivery, Intake, write_batch

pytestmark = pytest.mark.database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def delivery(number: int, *, store: str = "abc", order: int | None = None, **changes: Any) -> Delivery:
    plain = Delivery(
        store_hash=store,
        key=f"bc:{number}",
        source="bigcommerce",
        topic="store/order/created",
        record_kind="order",
        record_id=str(number if order is None else order),
        received_at=NOW,
        body=b"sealed \0",
    )
    return replace(plain, **changes)


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Intake]:
    opened = Intake(database.pool)
    yield opened
    await opened.close()


async def rows(database: Database) -> dict[str, Any]:
    found = await database.pool.fetch("SELECT * FROM deliveries ORDER BY key")
    return {row["key"]: dict(row) for row in found}


async def jobs(database: Database) -> list[str]:
    found = await database.pool.fetch("SELECT dedupe_key FROM pgqueuer ORDER BY dedupe_key")
    return [row["dedupe_key"] for row in found]


async def test_an_answered_delivery_is_a_row_and_a_job(database: Database, intake: Intake) -> None:
    await intake.add(delivery(1))
    row = (await rows(database))["bc:1"]
    assert row["body"] == b"sealed \0"
    assert (row["seen"], row["received_at"], row["due_at"], row["done_at"]) == (1, NOW, NOW, None)
    assert await jobs(database) == ["look:abc:order:1"]
    assert intake.held == 0


async def test_a_second_time_the_row_is_due_again(database: Database, intake: Intake) -> None:
    await intake.add(delivery(1))
    await database.pool.execute(
        "UPDATE deliveries SET done_at = $1, attempt = 3, parked_why = 'a bug'", NOW + timedelta(seconds=1)
    )
    await database.pool.execute("DELETE FROM pgqueuer")
    later = NOW + timedelta(minutes=1)
    await intake.add(delivery(1, received_at=later))
    row = (await rows(database))["bc:1"]
    assert (row["seen"], row["done_at"], row["parked_why"], row["attempt"]) == (2, None, None, 0)
    assert (row["received_at"], row["due_at"]) == (NOW, later)
    assert await jobs(database) == ["look:abc:order:1"]


async def test_a_duplicate_does_not_put_off_a_row_that_is_due(database: Database, intake: Intake) -> None:
    await intake.add(delivery(1))
    await intake.add(delivery(1, received_at=NOW + timedelta(minutes=1)))
    row = (await rows(database))["bc:1"]
    assert (row["seen"], row["due_at"]) == (2, NOW)


async def test_a_burst_shares_its_commits_and_loses_nothing(database: Database, intake: Intake) -> None:
    """Ten events of each of 120 orders, among them the same key many times; far fewer transactions than events."""
    burst = [delivery(number % 900, order=number % 120, store=f"s{number % 5}") for number in range(1500)]
    started = time.perf_counter()
    await asyncio.gather(*(intake.add(one) for one in burst))
    seconds = time.perf_counter() - started
    # Who wrote a row last stands in the row itself; the server's own counter would count its other users too.
    commits = await database.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM deliveries")
    print(f"{len(burst) / seconds:,.0f} deliveries/s, rows of {commits} transactions")
    kept = await database.pool.fetch("SELECT store_hash, key, seen FROM deliveries")
    assert {(row["store_hash"], row["key"]) for row in kept} == {(one.store_hash, one.key) for one in burst}
    assert sum(row["seen"] for row in kept) == len(burst)
    assert len(await jobs(database)) == len({(one.store_hash, one.record_id) for one in burst})
    assert commits <= len(burst) / BATCH_ROWS * 4
    assert intake.held == 0


async def test_two_processes_with_the_same_keys_do_not_deadlock(database: Database, intake: Intake) -> None:
    other = Intake(database.pool)
    burst = [delivery(number) for number in range(400)]
    both = [intake.add(one) for one in burst] + [other.add(one) for one in reversed(burst)]
    await asyncio.gather(*both)
    assert {row["seen"] for row in (await rows(database)).values()} == {2}


@pytest.mark.parametrize(
    "bad", [{"record_id": "a\0b"}, {"topic": "\ud800"}, {"source": "nobody"}, {"received_at": "yesterday"}]
)
async def test_one_bad_row_fails_alone(database: Database, intake: Intake, bad: dict[str, Any]) -> None:
    burst = [delivery(number) for number in range(20)]
    burst[7] = replace(burst[7], **bad)
    answers = await asyncio.gather(*(intake.add(one) for one in burst), return_exceptions=True)
    assert isinstance(answers[7], UnreadableInput)
    assert [answer for number, answer in enumerate(answers) if number != 7] == [None] * 19
    assert set(await rows(database)) == {f"bc:{number}" for number in range(20) if number != 7}
    assert len(await jobs(database)) == 19


async def test_no_row_without_its_job(database: Database, intake: Intake) -> None:
    await database.pool.execute("ALTER TABLE pgqueuer ADD CHECK (dedupe_key <> 'look:abc:order:1')")
    answers = await asyncio.gather(*(intake.add(delivery(number)) for number in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), UnreadableInput, type(None)]
    assert set(await rows(database)) == {"bc:0", "bc:2"}
    assert await jobs(database) == ["look:abc:order:0", "look:abc:order:2"]


async def test_the_job_is_the_one_that_everybody_else_queues(database: Database, intake: Intake) -> None:
    """The burst's statement names its jobs itself: the tick's and the sweep's word for the same record is the same."""
    columns = "priority, entrypoint, payload, dedupe_key, status, headers, attempts, slot, queue_manager_id"
    every = [
        delivery(1),
        delivery(2, order=1),
        delivery(3, record_kind="store", record_id=""),
        delivery(4, record_kind="request", record_id="7"),
        delivery(5, record_kind="customer", record_id="8"),
    ]
    await asyncio.gather(*(intake.add(one) for one in every))
    burst = await database.pool.fetch(f"DELETE FROM pgqueuer RETURNING {columns}")
    async with database.pool.acquire() as connection:
        await enqueue(connection, [look_job(d.store_hash, d.record_kind, d.record_id) for d in every])
        again = await database.pool.fetch(f"SELECT {columns} FROM pgqueuer")
        await enqueue(connection, [look_job("abc", "order", "1")])
    assert len(burst) == 4
    assert set(burst) == set(again)
    assert len(await jobs(database)) == 4


async def test_a_batch_wakes_the_workers_once(database: Database, intake: Intake) -> None:
    async with database.pool.acquire() as connection:
        woken: list[object] = []
        hear = lambda *given: woken.append(given)  # noqa: E731 (asyncpg tells listeners apart by identity)
        await connection.add_listener("ch_pgqueuer", hear)
        await write_batch_of(intake, 50)
        await connection.execute("SELECT 1")
        await connection.remove_listener("ch_pgqueuer", hear)
    assert len(woken) == 1


async def write_batch_of(intake: Intake, count: int) -> None:
    await asyncio.gather(*(intake.add(delivery(number)) for number in range(count)))


async def test_a_bug_reaches_those_who_wait_and_the_next_ones_go_on(database: Database) -> None:
    broken = True

    async def fail_once(connection: asyncpg.Connection[Any], deliveries: Sequence[Delivery]) -> None:
        nonlocal broken
        if broken:
            broken = False
            raise ZeroDivisionError
        await write_batch(connection, deliveries)

    intake = Intake(database.pool, fail_once)
    with pytest.raises(ZeroDivisionError):
        await intake.add(delivery(1))
    await intake.add(delivery(2))
    assert set(await rows(database)) == {"bc:2"}
    assert intake.held == 0


async def test_a_full_buffer_and_a_greedy_store_are_told_so(database: Database) -> None:
    gate = asyncio.Event()

    async def wait(connection: asyncpg.Connection[Any], deliveries: Sequence[Delivery]) -> None:
        await gate.wait()
        await write_batch(connection, deliveries)

    intake = Intake(database.pool, wait, most_events=8)
    greedy = [asyncio.create_task(intake.add(delivery(number, store="greedy"))) for number in range(3)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(intake.add(delivery(1, store=f"s{number}"))) for number in range(8)]
    await asyncio.sleep(0.05)
    assert intake.held == 8
    gate.set()
    answers = await asyncio.gather(*greedy, *others, return_exceptions=True)
    assert [isinstance(answer, BufferFull) for answer in answers] == [False] * 2 + [True] + [False] * 6 + [True] * 2
    assert len(await database.pool.fetch("SELECT 1 FROM deliveries")) == 8
    assert intake.held == 0
    await intake.add(delivery(99))


async def test_bytes_count_too(database: Database) -> None:
    intake = Intake(database.pool, most_bytes=100_000)
    big = [delivery(number, store=f"s{number}", body=bytes(40_000)) for number in range(3)]
    answers = await asyncio.gather(*(intake.add(one) for one in big), return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), type(None), BufferFull]


async def test_closing_commits_what_was_taken_and_takes_no_more(database: Database) -> None:
    intake = Intake(database.pool)
    taken = [asyncio.create_task(intake.add(delivery(number))) for number in range(300)]
    await asyncio.sleep(0)
    await intake.close()
    await asyncio.gather(*taken)
    assert len(await rows(database)) == 300
    with pytest.raises(BufferFull):
        await intake.add(delivery(1))


async def test_a_database_that_stays_away_is_said_so_to_everybody(database: Database) -> None:
    intake = Intake(database.pool, acquire_seconds=0.2)
    held = [await database.pool.acquire() for _ in range(database.pool.get_max_size())]
    answers = await asyncio.gather(*(intake.add(delivery(number)) for number in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseAway] * 3
    for connection in held:
        await database.pool.release(connection)
    await intake.add(delivery(1))
    assert intake.held == 0


async def test_who_hangs_up_loses_the_answer_not_the_row(database: Database, intake: Intake) -> None:
    asking = [asyncio.create_task(intake.add(delivery(number))) for number in range(3)]
    await asyncio.sleep(0)
    asking[1].cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert set(await rows(database)) == {"bc:0", "bc:1", "bc:2"}
    assert intake.held == 0
