"""Group commit without a timer: many deliveries, one transaction, and nobody is answered before it is committed.

While one batch is being committed the next one collects, so that a lone delivery waits for nothing and a burst
shares its commits. Two batches at most are under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from bcapp.core.kinds import COME_IN_THOUSANDS
from bcapp.db import DatabaseAway, acquire, positional
from bcapp.db.queue import CROWD_PRIORITY, LOOK, LOOK_PRIORITY
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


Write = Callable[["asyncpg.Connection[Any]", Sequence[Delivery]], Awaitable[object]]


@dataclass(slots=True)
class _Share:
    """What one store has in the buffer."""

    events: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    size_bytes: int
    share: _Share
    committed: asyncio.Future[None]
    settled: bool = False


class Intake:
    """The web process's one way into the inbox.

    pool: a raw asyncpg pool with room for two.
    write: commits a batch with its jobs on the connection it is given, as a whole or not at all.
    most_events, most_bytes: what may wait or be under way at once; one store may fill a quarter of it.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[Any],
        write: Write | None = None,
        *,
        most_events: int = MOST_EVENTS,
        most_bytes: int = MOST_BYTES,
        acquire_seconds: float = 5.0,
    ) -> None:
        self._pool = pool
        self._write = write or write_batch
        self._most_events, self._most_bytes = most_events, most_bytes
        self._acquire_seconds = acquire_seconds
        self._waiting: deque[_Waiting] = deque()
        self._flushers: set[asyncio.Task[None]] = set()
        # Not len(_flushers): a task that found nothing left is still among them for a moment, and would be relied on.
        self._running = 0
        self._all = _Share()
        self._shares: dict[str, _Share] = {}
        self._closing = False

    @property
    def held(self) -> int:
        """How many deliveries wait or are under way; for the metrics."""
        return self._all.events

    async def add(self, delivery: Delivery) -> None:
        """Return once the delivery and its job are committed.

        Raises BufferFull when the buffer, or the store's quarter of it, is full or closing; DatabaseAway when the
        commit failed or is not known to have happened; UnreadableInput when this one delivery cannot be stored.
        """
        waiting = self._make_room(delivery)
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

    def _make_room(self, delivery: Delivery) -> _Waiting:
        store, size, total = delivery.store_hash, delivery.size_bytes, self._all
        if self._closing:
            raise BufferFull("the process is stopping")
        if total.events >= self._most_events or total.size_bytes + size > self._most_bytes:
            raise BufferFull(f"{total.events} deliveries wait already")
        share = self._shares.get(store)
        if share is None:
            share = self._shares[store] = _Share()
        # A quarter, but always room for one.
        elif share.events >= self._most_events // 4 or share.size_bytes + size > self._most_bytes // 4:
            raise BufferFull(f"{share.events} deliveries of the store {store} wait already")
        total.events += 1
        total.size_bytes += size
        share.events += 1
        share.size_bytes += size
        return _Waiting(delivery, size, share, asyncio.get_running_loop().create_future())

    def _settle(self, waiting: _Waiting, error: Exception | None = None) -> None:
        """Give the room back and answer. Who asked may have hung up; the row is kept all the same."""
        waiting.settled = True
        for share in (self._all, waiting.share):
            share.events -= 1
            share.size_bytes -= waiting.size_bytes
        if waiting.share.events == 0:
            del self._shares[waiting.delivery.store_hash]
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
        async with acquire(self._pool, self._acquire_seconds) as connection:
            await self._write(connection, deliveries)


async def write_batch(connection: asyncpg.Connection[Any], deliveries: Sequence[Delivery]) -> None:
    """Commit the rows and one look per record by one statement; a key that stands there twice counts as seen twice."""
    times: dict[tuple[str, str], int] = {}
    rows = []
    for delivery in deliveries:
        key = delivery.store_hash, delivery.key
        seen = times.get(key, 0)
        if not seen:
            rows.append(delivery)
        times[key] = seen + 1
    columns: dict[str, Any] = {
        "entrypoint": LOOK,
        "priority": LOOK_PRIORITY,
        "crowd_priority": CROWD_PRIORITY,
        "in_thousands": sorted(COME_IN_THOUSANDS),
        "store_hashes": [d.store_hash for d in rows],
        "keys": [d.key for d in rows],
        "sources": [d.source for d in rows],
        "topics": [d.topic for d in rows],
        "record_kinds": [d.record_kind for d in rows],
        "record_ids": [d.record_id for d in rows],
        "bodies": [d.body for d in rows],
        "seen": list(times.values()),
        "received_at": [d.received_at for d in rows],
    }
    statement, words = positional("add_deliveries")
    await connection.execute(statement, *(columns[word] for word in words))
