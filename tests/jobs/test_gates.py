"""Budgets and breakers are rows that all workers share; who calls without trouble reads them now and then only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from bcapp.clock import FixedClock
from bcapp.db import Database
from bcapp.errors import CircuitOpen
from bcapp.jobs.gates import CLEAN_SECONDS, FAILURES_TO_OPEN, KEEP_FREE, RowGate

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
