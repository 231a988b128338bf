"""Counts of what was refused or odd: kept in the process, written down every few seconds, never one write per request.

A flood of foreign deliveries then costs memory for a handful of names, not database writes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date, datetime

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Metric

from bcapp.db import Database, DatabaseAway

FLUSH_SECONDS = 5.0
STORES = 5_000  # names of stores kept between two flushes; beyond it only the sums are

log = structlog.get_logger(__name__)


class Counts:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._open: Counter[tuple[str, str, date]] = Counter()  # (store or "", name, day) -> how many
        self._metric = Metric(
            "countersign_deliveries_counted", "Deliveries refused or odd, by what was the matter", ["name"],
            registry=registry,
        )  # fmt: skip

    def add(self, name: str, now: datetime, store_hash: str = "") -> None:
        """Count one. store_hash: a store that we know, "" for one that we do not."""
        self._metric.labels(name).inc()
        if len(self._open) < STORES or (store_hash, name, now.date()) in self._open:
            self._open[store_hash, name, now.date()] += 1

    async def flush(self, db: Database) -> None:
        """Write down what was counted. What cannot be written stays for the next time."""
        taken, self._open = self._open, Counter()
        for (store_hash, name, day), count in list(taken.items()):
            try:
                if store_hash:
                    values = {"store_hash": store_hash, "name": name, "day": day, "count": count}
                    await db.execute("count_for_store", values)
                else:
                    await db.execute("count_refusals", {"name": name, "day": day, "count": count})
            except DatabaseAway as exc:
                self._open.update(taken)
                log.warning("counts_wait_for_database", reason=str(exc))
                return
            del taken[store_hash, name, day]

    async def run(self, db: Database) -> None:
        """Flush for ever."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush(db)
