"""Group commit without a timer: many deliveries, one transaction, and nobody is answered before it is committed.

While one batch is being committed the next one collects, so that a lone delivery waits for nothing and a burst
shares its commits. Two batches at most are under way.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from bcapp.db import DatabaseAway, acquire, positional
from bcapp.errors import AppError, BufferFull, UnreadableInput

MOST_EVENTS = 2_000
MOST_BYTES = 1_000_000
ROW_BYTES = 200  # what a delivery counts beside its body
BATCH_ROWS = 200  # more rows in a statement bring nothing more
FLUSHERS = 2

# What the server or the driver says of a value that no retry will make fit.
UNFIT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError, TypeError)


@dataclass(frozen=True)
class Delivery:
    """What came in and says "look at this record"; a row of the inbox.

    key: unique per store: "bc:{hash}" or "cs:{event uuid}".
    source: bigcommerce | core_signature | sweep | panel | self.  record_kind: order | request | store.
    body: as it is to be kept, so already sealed with the store's data key.
    received_at: by the clock; the row is due from then on.
    """

    store_hash: str
    key: str
    source: str
    topic: str
    record_kind: str
    record_id: str
    received_at: datetime
    body: bytes = b""

    @property
    def size_bytes(self) -> int:
        return ROW_BYTES + len(self.body)


Enqueue = Callable[["asyncpg.Connection[Any]", Sequence[Delivery]], Awaitable[object]]


@dataclass
class _Waiting:
    delivery: Delivery
    committed: asyncio.Future[None]
    settled: bool = False


class Intake:
    """The web process's one way into the inbox.

    pool: a raw asyncpg pool with room for two.
    enqueue: queues the batch's jobs on the connection it is given, in the transaction that it is in.
    most_events, most_bytes: what may wait or be under way at once; one store may fill a quarter of it.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[Any],
        enqueue: Enqueue,
        *,
        most_events: int = MOST_EVENTS,
        most_bytes: int = MOST_BYTES,
        acquire_seconds: float = 5.0,
    ) -> None:
        self._pool = pool
        self._enqueue = enqueue
        self._most_events, self._most_bytes = most_events, most_bytes
        self._acquire_seconds = acquire_seconds
        self._waiting: deque[_Waiting] = deque()
        self._flushers: set[asyncio.Task[None]] = set()
        # Not len(_flushers): a task that found nothing left is still among them for a moment, and would be relied on.
        self._running = 0
        self._bytes = 0
        self._store_events: Counter[str] = Counter()
        self._store_bytes: Counter[str] = Counter()
        self._closing = False

    @property
    def held(self) -> int:
        """How many deliveries wait or are under way; for the metrics."""
        return self._store_events.total()

    async def add(self, delivery: Delivery) -> None:
        """Return once the delivery and its job are committed.

        Raises BufferFull when the buffer, or the store's quarter of it, is full or closing; DatabaseAway when the
        commit failed or is not known to have happened; UnreadableInput when this one delivery cannot be stored.
        """
        self._make_room(delivery)
        waiting = _Waiting(delivery, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        # The second flusher sets out only when there is more than the next batch takes anyway.
        if self._running < (FLUSHERS if len(self._waiting) > BATCH_ROWS else 1):
            self._running += 1
            task = asyncio.create_task(self._flush(), name="intake")
            self._flushers.add(task)
            task.add_done_callback(self._flushers.discard)
        await waiting.committed

    async def close(self, seconds: float = 10.0) -> None:
        """Take nothing more, and return when all that was taken is committed; what is not by then is refused."""
        self._closing = True
        if self._flushers:
            await asyncio.wait(self._flushers, timeout=seconds)
        late = list(self._flushers)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        while self._waiting:
            self._settle(self._waiting.popleft(), DatabaseAway("the process stopped before the delivery was committed"))

    def _make_room(self, delivery: Delivery) -> None:
        store, size = delivery.store_hash, delivery.size_bytes
        if self._closing:
            raise BufferFull("the process is stopping")
        if self.held >= self._most_events or self._bytes + size > self._most_bytes:
            raise BufferFull(f"{self.held} deliveries wait already")
        events, taken = self._store_events[store], self._store_bytes[store]
        # A quarter, but always room for one.
        if events and (events >= self._most_events // 4 or taken + size > self._most_bytes // 4):
            raise BufferFull(f"{events} deliveries of the store {store} wait already")
        self._bytes += size
        self._store_events[store] += 1
        self._store_bytes[store] += size

    def _settle(self, waiting: _Waiting, error: Exception | None = None) -> None:
        """Give the room back and answer. Who asked may have hung up; the row is kept all the same."""
        waiting.settled = True
        store, size = waiting.delivery.store_hash, waiting.delivery.size_bytes
        self._bytes -= size
        self._store_events[store] -= 1
        self._store_bytes[store] -= size
        if self._store_events[store] == 0:
            del self._store_events[store], self._store_bytes[store]
        if waiting.committed.done():
            return
        if error is None:
            waiting.committed.set_result(None)
        else:
            waiting.committed.set_exception(error)

    def _settle_rest(self, batch: Sequence[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.settled:
                self._settle(waiting, error)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH_ROWS, len(self._waiting)))]
                try:
                    await self._commit_batch(batch)
                except asyncio.CancelledError:
                    self._settle_rest(batch, DatabaseAway("the process stopped during the commit"))
                    raise
                except Exception as exc:  # noqa: BLE001 (a bug: everybody who waits gets it, and the next batch goes on)
                    self._settle_rest(batch, exc)
        finally:
            self._running -= 1

    async def _commit_batch(self, batch: list[_Waiting]) -> None:
        """Commit the batch, or when something in it spoils it, each row by itself."""
        try:
            await self._commit([waiting.delivery for waiting in batch])
        except (DatabaseAway, TimeoutError) as exc:
            away = exc if isinstance(exc, DatabaseAway) else DatabaseAway("the commit took too long")
            self._settle_rest(batch, away)
        except (asyncpg.PostgresError, *UNFIT):
            for waiting in batch:
                self._settle(waiting, await self._commit_one(waiting.delivery))
        else:
            for waiting in batch:
                self._settle(waiting)

    async def _commit_one(self, delivery: Delivery) -> AppError | None:
        """Commit one row with its job; return why not, in words that callers catch."""
        try:
            await self._commit([delivery])
        except DatabaseAway as exc:
            return exc
        except UNFIT as exc:
            return UnreadableInput(f"the delivery cannot be stored: {type(exc).__name__}")
        except (asyncpg.PostgresError, TimeoutError) as exc:
            return DatabaseAway(f"the delivery was not committed: {type(exc).__name__}")
        return None

    async def _commit(self, deliveries: list[Delivery]) -> None:
        async with acquire(self._pool, self._acquire_seconds) as connection, connection.transaction():
            await _insert(connection, deliveries)
            await self._enqueue(connection, deliveries)


async def _insert(connection: asyncpg.Connection[Any], deliveries: Sequence[Delivery]) -> None:
    """Upsert the rows by one statement; a key that stands there twice counts as seen twice."""
    times = Counter((d.store_hash, d.key) for d in deliveries)
    first = {(d.store_hash, d.key): d for d in reversed(deliveries)}
    rows = [first[key] for key in sorted(first)]
    columns: dict[str, list[Any]] = {
        "store_hashes": [d.store_hash for d in rows],
        "keys": [d.key for d in rows],
        "sources": [d.source for d in rows],
        "topics": [d.topic for d in rows],
        "record_kinds": [d.record_kind for d in rows],
        "record_ids": [d.record_id for d in rows],
        "bodies": [d.body for d in rows],
        "seen": [times[d.store_hash, d.key] for d in rows],
        "received_at": [d.received_at for d in rows],
    }
    statement, words = positional("add_deliveries")
    await connection.execute(statement, *(columns[word] for word in words))
