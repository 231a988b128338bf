"""Finding in the store what a supplier is said to cover."""

from __future__ import annotations

from bcapp.bigcommerce.shelf import find_covers
from bcapp.db.suppliers import late_covers, save_covers
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services


async def look_up_covers(services: Services, vendors: Vendors, store_hash: str, supplier_id: int) -> None:
    """Look for brands, categories and products by their names, as long as the store did not have them."""
    now = services.clock.now()
    late = await late_covers(services.db, store_hash, supplier_id, now)
    if late:
        found = await find_covers(await vendors.bigcommerce(store_hash), late)
        await save_covers(services.db, store_hash, supplier_id, found, now)
