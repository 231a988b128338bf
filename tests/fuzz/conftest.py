"""Fixtures of the hostile: the web end on a real database, quiet logs, and the number of rows in every table."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.web.conftest import Web, web

__all__ = ["web"]

# What a stranger may make grow: sums of what was refused, one row per name and day.
COUNTED = frozenset({"counters", "refusals"})


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tens of thousands of refusals are logged otherwise."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


async def rows_of(web: Web) -> dict[str, int]:
    """How many rows stand in each table, but for those that count refusals."""
    async with web.services.db.pool.acquire() as connection:
        names = [
            row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        return {
            name: await connection.fetchval(f'SELECT count(*) FROM "{name}"') for name in names if name not in COUNTED
        }
