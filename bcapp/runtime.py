"""Opening and closing what a process needs: the database (built-in or given), the HTTP client, the clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bcapp.clock import Clock, SandboxClock, SystemClock
from bcapp.db import Database
from bcapp.db.embedded import EmbeddedPostgres
from bcapp.errors import SettingsError
from bcapp.http import make_http
from bcapp.secrets import Secrets
from bcapp.services import Services
from bcapp.settings import Settings


@contextlib.asynccontextmanager
async def open_dsn(settings: Settings) -> AsyncIterator[str]:
    """Yield the database's address; without DATABASE_URL the built-in PostgreSQL runs for as long as it is used."""
    if settings.database_url:
        yield _plain(settings.database_url)
        return
    if settings.dyno:
        raise SettingsError(
            "DATABASE_URL is not set, and this machine throws its disk away at every restart. "
            "Add a PostgreSQL service and set DATABASE_URL."
        )
    postgres = EmbeddedPostgres(settings.countersign_data)
    dsn = await asyncio.to_thread(postgres.start)
    watching = asyncio.create_task(postgres.supervise())
    try:
        yield dsn
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(postgres.stop)


def _plain(url: str) -> str:
    """Heroku-like services say postgres://, our driver wants postgresql://."""
    return "postgresql://" + url.removeprefix("postgres://") if url.startswith("postgres://") else url


@contextlib.asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Yield the services of one process, connected; close them in the reverse order."""
    async with open_dsn(settings) as dsn:
        http = make_http(settings.app_url)
        database = Database(dsn)
        following: asyncio.Task[None] | None = None
        try:
            clock: Clock = SystemClock()
            if settings.countersign_clock_url:
                moved = SandboxClock(http, settings.countersign_clock_url)
                await moved.read()
                following = asyncio.create_task(moved.follow())
                clock = moved
            await database.connect()
            if not await database.fetch_val("has_tables"):
                raise SettingsError("The database is empty. Run `bcapp migrate` once, and again after each update.")
            yield Services(settings, database, http, clock, Secrets(settings.keys))
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            await database.disconnect()
            await http.aclose()
