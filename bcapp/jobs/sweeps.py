"""Sweeps: what webhooks lost is found by reading what changed since, with an overlap."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from bcapp.bigcommerce.parse import parse_date, parse_rates
from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.model import RecordKey
from bcapp.core.stores import StoreDoing
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import say_look
from bcapp.db.rates import keep_store_rates
from bcapp.db.stores import Store, fetch_store
from bcapp.errors import AppError, TokenRefused
from bcapp.jobs.look import ask_for_consent
from bcapp.jobs.past import keep_current
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

log = structlog.get_logger(__name__)

EVERY = {"orders": timedelta(minutes=5), "hooks": timedelta(minutes=30), "rates": timedelta(days=1)}
OVERLAP = timedelta(minutes=10)  # a change may show up in the list later than it says
AGAIN_AFTER_FAILURE = timedelta(minutes=1)
BATCH = 200


async def sweep(services: Services, vendors: Vendors, store_hash: str, name: str, generation: int) -> None:
    """Run one sweep of one store, unless another worker took it."""
    db, now = services.db, services.clock.now()
    key = {"store_hash": store_hash, "name": name}
    taken = await db.fetch_val("take_sweep", {**key, "generation": generation, "next_due": now + AGAIN_AFTER_FAILURE})
    store = await fetch_store(db, store_hash)
    if taken is None or store is None or not store.may(StoreDoing.WORK):
        return
    try:
        match name:
            case "orders":
                cursor, run = await _orders(services, vendors, store, now)
            case "hooks":
                cursor, run = await _hooks(services, store, now)
            case "rates":
                cursor, run = await _rates(services, vendors, store, now)
            case _:
                return  # a newer release's sweep
    except TokenRefused:
        if await vendors.token_was_refused(store_hash, now):
            await ask_for_consent(services, store_hash)
        return
    except AppError as exc:
        log.warning("sweep_failed", store=store_hash, sweep=name, error=str(exc))
        return  # due again in a minute, from the same cursor
    values = {**key, "cursor": cursor, "last_run": run, "next_due": now + EVERY[name], "generation": taken, "now": now}
    await db.execute("finish_sweep", values)
    if name == "orders":
        await keep_current(services, store_hash, "order")
    if run.get("missed"):
        log.info("sweep_recovered", store=store_hash, sweep=name, **run)


async def _orders(services: Services, vendors: Vendors, store: Store, now: datetime) -> tuple[datetime, dict[str, Any]]:
    """Read orders changed since the cursor; whatever we have not looked at since its change is looked at."""
    db = services.db
    row = await db.fetch_one("fetch_sweep", {"store_hash": store.hash, "name": "orders"})
    since = (row["cursor"] if row and row["cursor"] else now) - OVERLAP
    client = await vendors.bigcommerce(store.hash)
    read = missed = 0
    newest = since
    batch: dict[str, datetime] = {}

    async def settle() -> int:
        known = await db.fetch_all(
            "known_record_times", {"store_hash": store.hash, "kind": "order", "ids": list(batch)}
        )
        looked = {r["id"]: r["looked_at"] for r in known}
        unseen = [i for i, at in batch.items() if looked.get(i) is None or looked[i] < at]
        for order_id in unseen:
            await say_look(db, store.hash, RecordKey("order", order_id), now, source="sweep", topic="missed")
        batch.clear()
        return len(unseen)

    async for raw in client.list_orders(modified_since=since):
        modified = parse_date(raw["date_modified"], "date_modified")
        read, newest = read + 1, max(newest, modified)
        # The list tells seconds only: what changed within the second of our last look may have come after it.
        batch[str(raw["id"])] = modified + timedelta(seconds=1)
        if len(batch) >= BATCH:
            missed += await settle()
    if batch:
        missed += await settle()
    # The vendor's clock decides how far we have read; an empty answer moves the cursor no further than its own time.
    return max(newest, since + OVERLAP), {"read": read, "missed": missed, "recovered": missed}


async def _hooks(services: Services, store: Store, now: datetime) -> tuple[datetime, dict[str, Any]]:
    """Have the hooks compared and mended; a gap in them is read back by the orders sweep, which runs at once."""
    async with services.db.transaction():
        await queue_action(services.db, store.hash, ActionKind.REGISTER_HOOKS, RecordKey("store", store.hash), now)
    return now, {}


async def _rates(services: Services, vendors: Vendors, store: Store, now: datetime) -> tuple[datetime, dict[str, Any]]:
    """Read what the store says its currencies are worth, and date it by the store's day."""
    client = await vendors.bigcommerce(store.hash)
    base, rates = parse_rates(await client.currencies())
    day = now.astimezone(zone_for(store.timezone)).date()
    await keep_store_rates(services.db, store.hash, base, rates, day=day)
    return now, {"read": len(rates)}
