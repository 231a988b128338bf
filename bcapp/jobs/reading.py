"""Reading a record fresh: how each kind of record is read, from BigCommerce or from our own tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.facts import Needs, read_customer, read_order, read_product
from bcapp.core.model import Gone
from bcapp.db.stores import Store
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services


@dataclass(frozen=True)
class Ask:
    """What is read. needs: the costly parts wanted. days: of history, None for all of it."""

    services: Services
    vendors: Vendors
    store: Store
    id: str
    needs: Needs
    days: int | None = None

    async def client(self) -> BigCommerce:
        return await self.vendors.bigcommerce(self.store.hash)


async def _order(ask: Ask) -> Any | Gone:
    client = await ask.client()
    return await read_order(client, int(ask.id), history_days=ask.days, needs=ask.needs, trees=ask.vendors.trees)


async def _customer(ask: Ask) -> Any | Gone:
    return await read_customer(await ask.client(), int(ask.id), needs=ask.needs)


async def _product(ask: Ask) -> Any | Gone:
    client, currency = await ask.client(), str(ask.store.profile.get("currency") or "USD")
    return await read_product(client, int(ask.id), currency=currency, needs=ask.needs, trees=ask.vendors.trees)


READERS: dict[str, Callable[[Ask], Awaitable[Any | Gone]]] = {
    "order": _order,
    "customer": _customer,
    "product": _product,
}
