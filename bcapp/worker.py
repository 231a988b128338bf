"""The worker process: wires the services to the engine and survives a database that goes away."""

from __future__ import annotations

import asyncio
import signal

import asyncpg
import structlog

from bcapp import __version__
from bcapp.db import DatabaseAway
from bcapp.documents.pool import close_pools
from bcapp.jobs.dispatch import Worker
from bcapp.runtime import open_services
from bcapp.services import Services
from bcapp.settings import Settings

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0


async def work(services: Services, stopping: asyncio.Event) -> None:
    """Run a worker until asked to stop; when the database goes away, begin anew with a new connection."""
    while not stopping.is_set():
        worker = Worker(services, __version__)
        running = asyncio.create_task(worker.run())
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if stopping.is_set():
            worker.stop()
        try:
            await running
        except (DatabaseAway, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, BaseExceptionGroup) as exc:
            log.warning("worker_lost_database", error=type(exc).__name__)
        if not stopping.is_set():
            await asyncio.sleep(AGAIN_SECONDS)


async def run_worker(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM; what has begun is ended first."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with open_services(settings) as services:
        log.info("worker_started")
        try:
            await work(services, stopping)
        finally:
            close_pools()
    log.info("worker_stopped")
