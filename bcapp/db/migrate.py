"""Bring a database's tables to this release, while the previous release may still be serving."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from bcapp.db import QUERIES
from bcapp.errors import AppError

# A statement that waits for a table's lock makes everybody wait who comes after it: give up soon, try again.
LOCK_TIMEOUT = "3s"
STATEMENT_TIMEOUT = "10min"
WAIT_FOR_OTHERS = "15min"  # another migration run
TRIES = 20

log = structlog.get_logger(__name__)


class MigrationFailed(AppError):
    """The tables could not be brought to this release; what was done before the failing step stays done."""


async def migrate(dsn: str, revision: str = "head") -> str:
    """Run what is missing up to the revision and return the revision reached. Two at once are safe.

    Each step is one transaction. Raises MigrationFailed when a table stays locked, DBAPIError for a faulty step.
    """
    async with _connect(dsn) as connection:
        await _set_timeouts(connection, lock=WAIT_FOR_OTHERS, statement="0")
        await connection.execute(text(QUERIES["lock_migrations"]))
        await _set_timeouts(connection, lock=LOCK_TIMEOUT, statement=STATEMENT_TIMEOUT)
        for attempt in range(1, TRIES + 1):
            try:
                await connection.run_sync(_upgrade, revision)
                break
            except DBAPIError as exc:
                await connection.rollback()
                if not _is_lock_timeout(exc):
                    raise
                log.warning("migration_waits_for_lock", attempt=attempt)
                await asyncio.sleep(min(attempt, 5))
        else:
            raise MigrationFailed(f"A table stayed locked through {TRIES} tries of {LOCK_TIMEOUT}. Try again later.")
        reached = await connection.run_sync(_current)
        await connection.commit()
    return reached or ""


async def pending(dsn: str) -> list[str]:
    """Return the revisions that this release has and the database lacks, oldest first."""
    async with _connect(dsn) as connection:
        current = await connection.run_sync(_current)
    script = ScriptDirectory.from_config(_config())
    return [step.revision for step in reversed(list(script.iterate_revisions("head", current or "base")))]


def _connect(dsn: str) -> AsyncConnection:
    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(dsn, timeout=30, server_settings={"application_name": "countersign migrate"})

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool).connect()


async def _set_timeouts(connection: AsyncConnection, *, lock: str, statement: str) -> None:
    await connection.execute(text(QUERIES["set_timeouts"]), {"lock": lock, "statement": statement})
    await connection.commit()  # a rollback would take the settings back


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_lock_timeout(exc: DBAPIError) -> bool:
    return getattr(exc.orig, "sqlstate", None) == asyncpg.LockNotAvailableError.sqlstate
