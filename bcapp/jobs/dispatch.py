"""The worker's two halves: the queue that runs jobs, and the tick that queues what is due and not queued.

The queue may lose, double or stall a job: our rows are the truth, and the tick finds them within seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from bcapp import changes, stores
from bcapp.core.actions import SIGNING, ActionKind
from bcapp.core.intents import AskPerson
from bcapp.core.kinds import COME_IN_THOUSANDS
from bcapp.core.model import RecordKey
from bcapp.core.stores import StoreDoing
from bcapp.db import connect_raw, news, returns
from bcapp.db.deliveries import say_look
from bcapp.db.queue import LOOK, PERFORM, enqueue, look_job, perform_job
from bcapp.db.stores import fetch_store
from bcapp.jobs import importing, papers, past
from bcapp.jobs.apply import Writer
from bcapp.jobs.gates import PUT_OFF, breaker_record
from bcapp.jobs.look import look
from bcapp.jobs.perform import LEAVING, TELLING, perform
from bcapp.jobs.seal import EVER, seal
from bcapp.jobs.sweeps import sweep
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

log = structlog.get_logger(__name__)

TICK_SECONDS = 2.0
HEARTBEAT = timedelta(seconds=5)
DEQUEUE = timedelta(seconds=2)
PER_STORE = 20  # actions of one store in flight
# Jobs of one worker: more of them than a processor and ten database connections can serve only wait for each other,
# and what was queued first in priority does not end first.
AT_ONCE = 20
READS_REST = timedelta(hours=1)  # at most, while what waited for a service that is back goes first
TURNS = 4  # actions that wait for one signature account which has just come back
MOST = 500
MOST_SWEEPS = 100
STORES_AT_ONCE = 8  # of which sweeps run: they mostly wait for answers
HOLD_LATE = timedelta(seconds=30)
BREAKER_LATE = timedelta(seconds=60)
KEEP_DONE = timedelta(days=7)
KEEP_QUEUE_LOG = timedelta(days=1)
THOROUGH_EVERY = 40  # upkeeps: twenty minutes
RECENT = timedelta(hours=1)
UPKEEP_EVERY = 15  # ticks


class Worker:
    """One worker process: runs jobs until stopped, ticks every two seconds."""

    def __init__(self, services: Services, release: str) -> None:
        self._services = services
        self._vendors = Vendors(services)
        self._release = release
        self._id = uuid4().hex
        self._manager: QueueManager | None = None
        self._stopping = asyncio.Event()
        self._sweeping: dict[str, asyncio.Task[None]] = {}  # by store
        self._room = asyncio.Semaphore(STORES_AT_ONCE)
        self._ticks = 0
        self._upkeeps = 0

    async def run(self) -> None:
        """Work until stop(). A lost database connection ends the run with an error; the process starts anew."""
        connection = await connect_raw(self._services.db.dsn)
        try:
            manager = QueueManager(Queries(AsyncpgDriver(connection)))
            self._manager = manager

            @manager.entrypoint(LOOK, on_failure="delete")
            async def _look(job: Job) -> None:
                store_hash, kind, record_id = _parts(job, 3)
                vendors = self._vendors.patient if kind in COME_IN_THOUSANDS else self._vendors
                await look(self._services, vendors, store_hash, RecordKey(kind, record_id))

            @manager.entrypoint(PERFORM, on_failure="delete")
            async def _perform(job: Job) -> None:
                store_hash, action_id = _parts(job, 2)
                await perform(self._services, self._vendors, store_hash, int(action_id))

            # Sweeps call out and may take long: what is due must not wait for them.
            loops = [asyncio.create_task(loop()) for loop in (self._tick_for_ever, self._sweep_for_ever)]
            try:
                await manager.run(
                    dequeue_timeout=DEQUEUE, batch_size=10, max_concurrent_tasks=AT_ONCE, heartbeat_timeout=HEARTBEAT
                )
            finally:
                self._stopping.set()
                ending = [*loops, *self._sweeping.values()]
                for each in ending:
                    each.cancel()
                await asyncio.gather(*ending, return_exceptions=True)
        finally:
            await connection.close(timeout=5)

    def stop(self) -> None:
        """Take no new job, end those that run, then return from run()."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()

    async def _tick_for_ever(self) -> None:
        while not self._stopping.is_set():
            await self.tick()
            await asyncio.sleep(TICK_SECONDS)

    async def _sweep_for_ever(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._sweeps()
            except Exception:
                log.exception("tick_failed", part="sweeps")
            await asyncio.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Queue what is due; each part fails alone, is logged, and comes again in two seconds."""
        self._ticks += 1
        parts: list[Callable[[], Awaitable[None]]] = [
            self._queue_due,
            self._due_requests,
            self._late_holds,
            self._open_breakers,
        ]
        if self._ticks % UPKEEP_EVERY == 1:
            parts.append(self._upkeep)
        for part in parts:
            try:
                await part()
            except Exception:
                log.exception("tick_failed", part=part.__name__)

    async def _queue_due(self) -> None:
        now, db = self._services.clock.now(), self._services.db
        limits = {"now": now, "per_store": PER_STORE, "most": MOST}
        looks = await db.fetch_all("due_looks", {**limits, "in_thousands": sorted(COME_IN_THOUSANDS)})
        actions = await db.fetch_all("due_actions", due_values(now))
        jobs = [look_job(r["store_hash"], r["record_kind"], r["record_id"], pressed=r["pressed"]) for r in looks]
        jobs += [perform_job(r["store_hash"], r["id"], r["attempt"], r["priority"]) for r in actions]
        if jobs:
            async with db.transaction():
                await enqueue(db.raw(), jobs)

    async def _due_requests(self) -> None:
        """Open requests are read again from time to time: callbacks stop after about two hours."""
        now, db = self._services.clock.now(), self._services.db
        for row in await db.fetch_all("due_requests", {"now": now, "overdue": now - READS_REST, "most": 100}):
            await say_look(
                db, row["store_hash"], RecordKey("request", str(row["id"])), now, source="sweep", topic="due"
            )
            await db.execute(
                "push_read_due",
                {
                    "store_hash": row["store_hash"],
                    "id": row["id"],
                    "read_due_at": now + timedelta(minutes=15),
                    "now": now,
                },
            )

    async def _late_holds(self) -> None:
        """A hold that is not placed within half a minute is an alarm: the order may be imported and shipped."""
        now, db = self._services.clock.now(), self._services.db
        for row in await db.fetch_all("late_holds", {"before": now - HOLD_LATE}):
            await alarm_late_hold(self._services, row["store_hash"], RecordKey(row["record_kind"], row["record_id"]))

    async def _open_breakers(self) -> None:
        """A service that does not answer for a minute is an alarm; what waits for it goes on by itself."""
        now, db = self._services.clock.now(), self._services.db
        for row in await db.fetch_all("open_breakers", {"before": now - BREAKER_LATE}):
            await alarm_breaker(self._services, row["store_hash"], row["service"], row["account_id"])

    async def _sweeps(self) -> None:
        """Start what is due: those of one store one after the other, some stores beside each other.

        A store whose services are slow keeps no other one waiting; it is asked about again when its sweeps have ended.
        """
        asked = {"now": self._services.clock.now(), "besides": list(self._sweeping), "most": MOST_SWEEPS}
        due: dict[str, list[dict[str, Any]]] = {}
        for row in await self._services.db.fetch_all("due_sweeps", asked):
            due.setdefault(row["store_hash"], []).append(row)
        for store_hash, rows in due.items():
            self._sweeping[store_hash] = asyncio.create_task(self._sweep_store(store_hash, rows))

    async def _sweep_store(self, store_hash: str, rows: list[dict[str, Any]]) -> None:
        try:
            async with self._room:
                store = await fetch_store(self._services.db, store_hash)
                for row in rows if store is not None and store.may(StoreDoing.WORK) else ():
                    try:
                        await sweep(self._services, self._vendors.patient, store_hash, row["name"], row["generation"])
                    except Exception:
                        log.exception("tick_failed", part="sweeps", store=store_hash, sweep=row["name"])
        except Exception:
            log.exception("tick_failed", part="sweeps", store=store_hash)
        finally:
            del self._sweeping[store_hash]

    async def _upkeep(self) -> None:
        now, db = self._services.clock.now(), self._services.db
        await db.execute("beat", {"id": self._id, "now": now, "release": self._release})
        await db.execute("bury_workers", {"before": now - timedelta(minutes=10)})
        await changes.apply_due(self._services)
        self._upkeeps += 1
        is_thorough = self._upkeeps % THOROUGH_EVERY == 1  # what reads whole tables runs at the start and then rarely
        await seal(self._services, EVER if is_thorough else now - RECENT)
        if is_thorough:
            await db.execute("clear_deliveries", {"before": now - KEEP_DONE})
            for name in ("clear_queue_log", "clear_queue_statistics"):
                await db.execute(name, {"before": now - KEEP_QUEUE_LOG})
            await past.clear(self._services)
            await importing.clear(self._services)
            await news.clear(self._services.db, now)
            await papers.look_at_ending(self._services)
            await papers.tell_ending(self._services)
            await returns.clear(self._services.db, now)
            await stores.drop_ended(self._services)


def due_values(now: datetime) -> dict[str, Any]:
    """Return what the question for due actions is asked with."""
    limits = {"now": now, "per_store": PER_STORE, "most": MOST}
    kinds = {"kinds": list(ActionKind), "telling": list(TELLING), "leaving": list(LEAVING)}
    return {**limits, **kinds, "signing": list(SIGNING), "turns": TURNS, "soon": now + PUT_OFF}


async def alarm_late_hold(services: Services, store_hash: str, record: RecordKey) -> None:
    """Say once per wanted hold that it is not in place yet."""
    now, db = services.clock.now(), services.db
    store = await fetch_store(db, store_hash)
    if store is None:
        return
    of = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    async with db.transaction():
        if await db.fetch_val("mark_hold_alarmed", {**of, "now": now}) is None:
            return
        text = (
            f"{record.kind.capitalize()} {record.id} waits for its hold for more than 30 seconds. "
            "Put it on hold by hand if your shipping tool could import it."
        )
        await Writer(services, store, record, "", now).write([AskPerson("hold_late", text, alarm=True)])


SERVICES = {"bigcommerce": "BigCommerce", "core_signature": "The signature service"}


async def alarm_breaker(services: Services, store_hash: str, service: str, account_id: int) -> None:
    """Say once per outage that a service does not answer."""
    now, db = services.clock.now(), services.db
    store = await fetch_store(db, store_hash)
    if store is None:
        return
    key = {"store_hash": store_hash, "service": service, "account_id": account_id}
    record = RecordKey(*breaker_record(store_hash, account_id))
    async with db.transaction():
        if await db.fetch_val("mark_breaker_alarmed", {**key, "now": now}) is None:
            return
        text = (
            f"{SERVICES[service]} has not answered for a minute. Orders stay held and requests wait; "
            "everything goes on by itself once it answers."
        )
        await Writer(services, store, record, "", now).write([AskPerson("breaker", text, alarm=True)])


def _parts(job: Job, count: int) -> list[str]:
    return (job.payload or b"").decode().split(":", count - 1)
