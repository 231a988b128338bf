"""Budgets and breakers are rows that all workers share; who calls without trouble reads them now and then only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bcapp.clock import FixedClock
from bcapp.core.retry import MOST_TRIES, counts, next_try
from bcapp.db import Database
from bcapp.errors import BigCommerceError, CircuitOpen, RemoteError, SignatureError
from bcapp.jobs.dispatch import READS_REST, TURNS, due_values
from bcapp.jobs.gates import (
    CLEAN_SECONDS,
    FAILURES_TO_OPEN,
    KEEP_FREE,
    LONG_AWAY,
    LONGEST_AWAY,
    MOST_WAIT,
    PACED_FOR,
    ROOM,
    TURN_SECONDS,
    RowGate,
    spare_attempts,
)

pytestmark = pytest.mark.database


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC))


def gate(database: Database, clock: FixedClock) -> RowGate:
    return RowGate(database, clock, "abc", "bigcommerce")


async def call(gate: RowGate, **answer: Any) -> None:
    await gate.enter()
    await gate.leave(**{"ok": True, **answer})


async def test_what_another_worker_met_is_known_a_moment_later(database: Database, clock: FixedClock) -> None:
    mine, other = gate(database, clock), gate(database, clock)
    await call(mine)
    for _ in range(FAILURES_TO_OPEN):
        await call(other, ok=False, error="502")
    with pytest.raises(CircuitOpen):
        await gate(database, clock).enter()
    await asyncio.sleep(CLEAN_SECONDS)
    with pytest.raises(CircuitOpen):
        await mine.enter()


async def test_calls_without_trouble_do_not_read_the_row_each_time(database: Database, clock: FixedClock) -> None:
    mine = gate(database, clock)
    await call(mine)
    await database.disconnect()
    await call(mine)
    await database.connect()


@pytest.mark.parametrize(
    "answer", [{"remaining": KEEP_FREE, "resets_after": 30.0}, {"wait": 10.0}, {"ok": False, "wait": 10.0}]
)
async def test_ones_own_trouble_is_known_at_once(database: Database, clock: FixedClock, answer: dict[str, Any]) -> None:
    mine = gate(database, clock)
    await call(mine)
    await call(mine, **answer)
    with pytest.raises(CircuitOpen):
        await mine.enter()
    clock.advance(seconds=31)
    await call(mine, remaining=400, resets_after=30.0)


async def test_what_can_wait_leaves_room_in_a_window_for_a_hold(database: Database, clock: FixedClock) -> None:
    urgent = gate(database, clock)
    patient = RowGate(database, clock, "abc", "bigcommerce", keep_free=ROOM)
    await call(patient, remaining=ROOM + 1, resets_after=30.0)
    await call(patient, remaining=ROOM, resets_after=30.0)
    with pytest.raises(CircuitOpen):
        await patient.enter()
    await call(urgent, remaining=ROOM - 1, resets_after=30.0)
    await call(urgent, remaining=KEEP_FREE, resets_after=30.0)
    with pytest.raises(CircuitOpen):
        await urgent.enter()
    clock.advance(seconds=31)
    await patient.enter()


async def test_an_open_breaker_lets_one_trial_through_and_closes_by_it(database: Database, clock: FixedClock) -> None:
    mine, other = gate(database, clock), gate(database, clock)
    for _ in range(FAILURES_TO_OPEN):
        await call(mine, ok=False, error="502")
    clock.advance(seconds=6)
    await mine.enter()
    with pytest.raises(CircuitOpen):
        await other.enter()
    await mine.leave(ok=True)
    await call(other)


async def test_what_waits_for_a_service_that_is_away_never_runs_out_of_tries(
    database: Database, clock: FixedClock
) -> None:
    async def counted(error: Exception) -> bool:
        await spare_attempts(database, "abc", error, clock.now())
        return counts(error)

    assert await counted(BigCommerceError("502", status=502))  # one call that fails is that call's trouble
    for _ in range(FAILURES_TO_OPEN):
        await call(gate(database, clock), ok=False, error="502")
    clock.advance(days=1)
    away = BigCommerceError("502", status=502)
    assert not await counted(away)
    assert next_try(MOST_TRIES, away, clock.now(), 0.5) is not None
    assert not await counted(BigCommerceError("no connection"))
    for other in (
        BigCommerceError("422", status=422, permanent=True),
        BigCommerceError("not what we know", status=200),
        SignatureError("502", status=502),
        RemoteError("the mail server", status=None),
    ):
        assert await counted(other)
    clock.advance(seconds=LONGEST_AWAY.total_seconds())
    assert await counted(BigCommerceError("502", status=502))  # in the end a person is asked


async def test_after_an_outage_callers_take_turns_in_their_order(database: Database, clock: FixedClock) -> None:
    def caller() -> RowGate:
        return RowGate(database, clock, "abc", "core_signature", 1)

    for _ in range(FAILURES_TO_OPEN):
        await call(caller(), ok=False, error="502")
    clock.advance(hours=24)
    await call(caller())
    first, *others = [caller() for _ in range(20)]
    await first.enter()
    asked = await asyncio.gather(*(each.enter() for each in others), return_exceptions=True)
    refused = [error for error in asked if isinstance(error, CircuitOpen)]
    admitted = int(MOST_WAIT.total_seconds() / TURN_SECONDS)
    assert (len(refused), len(asked) - len(refused)) == (19 - admitted, admitted)
    assert all(counts(error) is False and error.retry_after for error in refused)
    (row,) = await rows(database)
    turns = timedelta(seconds=TURN_SECONDS * (admitted + 1))
    assert row["next_call_at"] == clock.now() + turns  # no two of them at once
    assert row["paced_until"] == clock.now() + PACED_FOR
    clock.advance(seconds=31)
    await asyncio.wait_for(asyncio.gather(*(caller().enter() for _ in range(20))), TURN_SECONDS)


async def test_whoever_has_begun_waits_for_its_turn(
    database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcapp.jobs.gates.TURN_SECONDS", 0.01)
    monkeypatch.setattr("bcapp.jobs.gates.MOST_WAIT", timedelta())
    mine = RowGate(database, clock, "abc", "core_signature", 1)
    for _ in range(FAILURES_TO_OPEN):
        await call(mine, ok=False, error="502")
    clock.advance(hours=24)
    await call(mine)
    await call(mine)
    with pytest.raises(CircuitOpen):
        await RowGate(database, clock, "abc", "core_signature", 1).enter()
    await call(mine)


async def test_a_short_outage_and_other_services_know_no_turns(database: Database, clock: FixedClock) -> None:
    for service, away in (("core_signature", 20), ("bigcommerce", 86_400)):
        mine = RowGate(database, clock, "abc", service)
        for _ in range(FAILURES_TO_OPEN):
            await call(mine, ok=False, error="502")
        clock.advance(seconds=away)
        await call(mine)
    assert [row["paced_until"] for row in await rows(database)] == [None, None]


async def test_only_the_first_of_what_waits_comes_near_a_service_that_is_back(
    database: Database, clock: FixedClock
) -> None:
    """What was put off a moment ago keeps its place; an account that was never away knows no turns."""
    now = clock.now()
    back, well = await accounts(database, now)
    await is_paced(database, back, now + PACED_FOR)
    for n in range(2 * TURNS):
        for account in (back, well):
            # The first was refused a moment ago.
            await waits(database, account, f"{account}-{n}", now, timedelta(seconds=2 if n == 0 else -n))
    due = await database.fetch_all("due_actions", due_values(now))
    async with database.pool.acquire() as connection:
        names = dict(await connection.fetch("SELECT id, record_id FROM actions"))
    asked = [names[row["id"]] for row in due]
    paced = [name for name in asked if name.startswith(f"{back}-")]
    assert paced == [f"{back}-{n}" for n in range(1, TURNS)]
    free = [name for name in asked if name.startswith(f"{well}-")]
    assert free == [f"{well}-{n}" for n in range(1, 2 * TURNS)]


async def test_turns_go_on_until_nothing_waits(database: Database, clock: FixedClock) -> None:
    """Callers come one by one, as due_actions lets them: none of them waits, and what is left in the queue counts."""
    now = clock.now()
    back, well = await accounts(database, now)
    for _ in range(FAILURES_TO_OPEN):
        await call(RowGate(database, clock, "abc", "core_signature", back), ok=False, error="502")
    ahead, behind = timedelta(minutes=5), timedelta(minutes=-5)
    await waits(database, back, "put-off", now, ahead, tried=True)
    await waits(database, back, "reminder", now, ahead)
    await waits(database, well, "elsewhere", now, ahead, tried=True)
    clock.advance(seconds=LONG_AWAY.total_seconds() + 1)
    now = clock.now()
    await call(RowGate(database, clock, "abc", "core_signature", back))
    async with database.pool.acquire() as connection:
        due = await connection.fetch("SELECT record_id FROM actions WHERE due_at <= $1", now)
    assert [row["record_id"] for row in due] == ["put-off"]  # goes first again; a later wish keeps its time

    async def calls_one_by_one(minutes: int) -> bool:
        for _ in range(minutes * 6):
            clock.advance(seconds=10)
            await RowGate(database, clock, "abc", "core_signature", back).enter()
        (row,) = [row for row in await rows(database) if row["account_id"] == back]
        return bool(row["paced_until"] > clock.now())

    assert await calls_one_by_one(2)
    async with database.pool.acquire() as connection:
        await connection.execute("UPDATE actions SET state = 'applied' WHERE record_id = 'put-off'")
    await waits(database, well, "another", now, behind)
    assert not await calls_one_by_one(1)


async def test_reads_rest_while_what_waited_goes_first_but_not_for_long(database: Database, clock: FixedClock) -> None:
    now = clock.now()
    back, well = await accounts(database, now)
    for name, account, late in (("rests", back, 1), ("overdue", back, 61), ("well", well, 1)):
        await waits(database, account, name, now, timedelta())
        async with database.pool.acquire() as connection:
            await connection.execute(
                "UPDATE requests SET read_due_at = $1 WHERE record_id = $2", now - timedelta(minutes=late), name
            )
    await is_paced(database, back, now + PACED_FOR)

    async def read(at: datetime) -> set[str]:
        rows = await database.fetch_all("due_requests", {"now": at, "overdue": at - READS_REST, "most": 100})
        async with database.pool.acquire() as connection:
            names = dict(await connection.fetch("SELECT id, record_id FROM requests"))
        return {names[row["id"]] for row in rows}

    assert await read(now) == {"overdue", "well"}
    assert await read(now + PACED_FOR) == {"rests", "overdue", "well"}


async def accounts(database: Database, now: datetime) -> list[int]:
    """Make a store with two signature accounts and return their numbers."""
    async with database.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO stores (store_hash, state, scope, owner_id, profile, installed_at, state_since)"
            " VALUES ('abc', 'active', '', 1, '{}', $1, $1)", now,
        )  # fmt: skip
        return [
            await connection.fetchval(
                "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
                " client_secret, state, created_at) VALUES ('abc', $1, 'us', 't', 'u', 'a', 'c', '', 'working', $2)"
                " RETURNING id", name, now,
            )
            for name in ("back", "well")
        ]  # fmt: skip


async def is_paced(database: Database, account: int, until: datetime) -> None:
    """Have a signature account called by turns."""
    async with database.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO budgets (store_hash, service, account_id, paced_until)"
            " VALUES ('abc', 'core_signature', $1, $2)", account, until,
        )  # fmt: skip


async def waits(
    database: Database, account: int, record: str, now: datetime, due: timedelta, *, tried: bool = False
) -> None:
    """Queue one document of a signature account, due some time from now."""
    async with database.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO records (store_hash, kind, id, created_at) VALUES ('abc', 'order', $1, $2)", record, now
        )
        request = await connection.fetchval(
            "INSERT INTO requests (store_hash, workflow, purpose, record_kind, record_id, round, projection,"
            " fingerprint, snapshot, account_id, agreement_id, agreement_version, nonce, external_id, created_at)"
            " VALUES ('abc', 'order_approval', 'customer', 'order', $1, 1, 1, 'f', '{}', $2, 0, 0, $1, $1, $3)"
            " RETURNING id", record, account, now,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO actions (store_hash, kind, record_kind, record_id, seq, request_id, priority, due_at,"
            " started_at, created_at) VALUES ('abc', 'create_document', 'order', $1, 1, $2, 20, $3, $4, $5)",
            record, request, now + due, now if tried else None, now,
        )  # fmt: skip


async def rows(database: Database) -> list[dict[str, Any]]:
    async with database.pool.acquire() as connection:
        return [dict(row) for row in await connection.fetch("SELECT * FROM budgets")]
