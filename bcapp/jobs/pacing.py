"""How work that is not urgent leaves the calls of a store to what is."""

from __future__ import annotations

from datetime import timedelta

from bcapp.jobs.outcome import Work

FREE = 60  # calls of the window that reading the past leaves to live work


async def pause(work: Work) -> timedelta:
    """Return how long to wait before the next slice: what is left of a small budget belongs to live work."""
    key = {"store_hash": work.store.hash, "service": "bigcommerce", "account_id": 0}
    row, now = await work.services.db.fetch_one("fetch_budget", key), work.services.clock.now()
    if row is None or row["remaining"] is None or row["remaining"] >= FREE or row["resets_at"] <= now:
        return timedelta()
    seconds = (row["resets_at"] - now).total_seconds()
    return timedelta(seconds=min(60.0, float(seconds)))
