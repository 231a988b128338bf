"""Sweeps: what webhooks lost, or never tell, is found by reading what changed since, with an overlap."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bcapp.bigcommerce.parse import parse_date, parse_rates
from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.model import RecordKey
from bcapp.core.stores import StoreDoing
from bcapp.db.actions import queue_action
from bcapp.db.rates import keep_store_rates
from bcapp.db.stores import fetch_store
from bcapp.errors import AppError, TokenRefused
from bcapp.jobs.account_sweeps import check_b2b, sweep_companies, sweep_customers
from bcapp.jobs.cases import sweep_declined, sweep_refunds
from bcapp.jobs.customer_terms import sweep_terms
from bcapp.jobs.extensions import keep_extensions
from bcapp.jobs.look import ask_for_consent
from bcapp.jobs.names import read_names
from bcapp.jobs.offers import sweep_price_lists, sweep_promotions, sweep_quotes
from bcapp.jobs.outside import sweep_outside
from bcapp.jobs.past import keep_current
from bcapp.jobs.rounds import Round, Swept, look_at_changed, since
from bcapp.jobs.suppliers import sweep_suppliers
from bcapp.jobs.vendors import Vendors
from bcapp.jobs.warranties import ask_renewals
from bcapp.services import Services

log = structlog.get_logger(__name__)

AGAIN_AFTER_FAILURE = timedelta(minutes=1)


async def sweep(services: Services, vendors: Vendors, store_hash: str, name: str, generation: int) -> None:
    """Run one sweep of one store, unless another worker took it."""
    db, now = services.db, services.clock.now()
    key = {"store_hash": store_hash, "name": name}
    taken = await db.fetch_val("take_sweep", {**key, "generation": generation, "next_due": now + AGAIN_AFTER_FAILURE})
    store = await fetch_store(db, store_hash)
    if taken is None or store is None or not store.may(StoreDoing.WORK) or name not in SWEEPS:
        return  # taken by another worker, a store at rest, or a newer release's sweep
    every, run_round = SWEEPS[name]
    row = await db.fetch_one("fetch_sweep", key)
    try:
        cursor, run = await run_round(Round(services, vendors, store, now, row["cursor"] if row else None))
    except TokenRefused:
        if await vendors.token_was_refused(store_hash, now):
            await ask_for_consent(services, store_hash)
        return
    except AppError as exc:
        log.warning("sweep_failed", store=store_hash, sweep=name, error=str(exc))
        return  # due again in a minute, from the same cursor
    values = {**key, "cursor": cursor, "last_run": run, "next_due": now + every, "generation": taken, "now": now}
    await db.execute("finish_sweep", {**values, "missed": bool(run.get("missed"))})
    if run.get("missed"):
        log.info("sweep_recovered", store=store_hash, sweep=name, **run)


async def _orders(of: Round) -> Swept:
    client = await of.vendors.bigcommerce(of.store.hash)

    async def changed() -> AsyncIterable[tuple[str, datetime]]:
        async for raw in client.list_orders(modified_since=since(of)):
            yield str(raw["id"]), parse_date(raw["date_modified"], "date_modified")

    swept = await look_at_changed(of, "order", changed())
    await keep_current(of.services, of.store.hash, "order")
    return swept


async def _hooks(of: Round) -> Swept:
    """Have the hooks compared and mended; a gap in them is read back by the sweeps of their records at once."""
    record = RecordKey("store", of.store.hash)
    async with of.services.db.transaction():
        await queue_action(of.services.db, of.store.hash, ActionKind.REGISTER_HOOKS, record, of.now)
    return of.now, {}


async def _rates(of: Round) -> Swept:
    """Read what the store says its currencies are worth, and date it by the store's day."""
    client = await of.vendors.bigcommerce(of.store.hash)
    base, rates = parse_rates(await client.currencies())
    day = of.now.astimezone(zone_for(of.store.timezone)).date()
    await keep_store_rates(of.services.db, of.store.hash, base, rates, day=day)
    return of.now, {"read": len(rates)}


async def _names(of: Round) -> Swept:
    """Read what the store calls its customer groups and categories, for the editor of rules."""
    return of.now, await read_names(of.services, of.vendors, of.store)


# name -> how often, and what a round does. Every store has a row of each; the hooks' round adds those of a new release.
SWEEPS: dict[str, tuple[timedelta, Callable[[Round], Awaitable[Swept]]]] = {
    "orders": (timedelta(minutes=5), _orders),
    "customers": (timedelta(minutes=5), sweep_customers),
    "companies": (timedelta(minutes=5), sweep_companies),
    "b2b": (timedelta(hours=1), check_b2b),
    "hooks": (timedelta(minutes=30), _hooks),
    "rates": (timedelta(days=1), _rates),
    "extensions": (timedelta(days=1), keep_extensions),
    "names": (timedelta(hours=1), _names),
    "promotions": (timedelta(minutes=2), sweep_promotions),
    "quotes": (timedelta(minutes=5), sweep_quotes),
    "price_lists": (timedelta(hours=1), sweep_price_lists),
    "suppliers": (timedelta(minutes=15), sweep_suppliers),
    "refunds": (timedelta(minutes=5), sweep_refunds),
    "terms": (timedelta(hours=1), sweep_terms),
    "renewals": (timedelta(hours=1), ask_renewals),
    "declined": (timedelta(minutes=5), sweep_declined),
    "outside": (timedelta(hours=1), sweep_outside),
}
