"""What a rule is judged by besides the record: the clock, the store's zone, its storefronts and its rates."""

from __future__ import annotations

from datetime import datetime

from bcapp.core.fields import Reading
from bcapp.core.formats import zone_for
from bcapp.db import Database
from bcapp.db.rates import fetch_rates
from bcapp.db.stores import Store


async def fetch_reading(db: Database, store: Store, now: datetime) -> Reading:
    of = {"store_hash": store.hash}
    channels = await db.fetch_all("storefront_channels", of)
    return Reading(
        now, zone_for(store.timezone), await fetch_rates(db, store.hash), frozenset(c["id"] for c in channels)
    )
