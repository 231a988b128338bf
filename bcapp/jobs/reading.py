"""Reading a record fresh: how each kind of record is read, from BigCommerce or from our own tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.companies import parse_company, read_company
from bcapp.bigcommerce.facts import Needs, read_customer, read_order, read_product
from bcapp.bigcommerce.prices import read_price_list_facts
from bcapp.bigcommerce.promotions import Seen, read_promotion
from bcapp.bigcommerce.quotes import read_quote
from bcapp.core.model import Gone, RecordKey
from bcapp.core.stores import is_b2b_scope
from bcapp.db.sightings import fetch_sighting
from bcapp.db.stores import Store
from bcapp.db.suppliers import fetch_supplier
from bcapp.jobs.case_reading import read_case
from bcapp.jobs.covers import look_up_covers
from bcapp.jobs.own_quote_reading import read_own_quote
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
    facts = await read_customer(await ask.client(), int(ask.id), needs=ask.needs)
    if isinstance(facts, Gone) or not is_b2b_scope(" ".join(ask.store.scope)):
        return facts
    user = await (await ask.vendors.b2b(ask.store.hash)).user_of_customer(facts.id)
    return replace(facts, company_id=int(user.get("companyId") or 0)) if user else facts


async def _company(ask: Ask) -> Any | Gone:
    client = await ask.vendors.b2b(ask.store.hash)
    facts = await read_company(client, int(ask.id))
    if isinstance(facts, Gone):
        return facts
    above = await client.fetch_company(facts.parent_id) if facts.parent_id else None
    status = parse_company(above).status if above is not None else None
    return replace(facts, parent_status=status, currency=ask.store.currency)


async def _product(ask: Ask) -> Any | Gone:
    client, currency = await ask.client(), str(ask.store.profile.get("currency") or "USD")
    return await read_product(client, int(ask.id), currency=currency, needs=ask.needs, trees=ask.vendors.trees)


async def _promotion(ask: Ask) -> Any | Gone:
    key = RecordKey("promotion", ask.id)
    known = await fetch_sighting(ask.services.db, ask.store.hash, key)
    # One that a person opens before the sweep has met it is taken for one that was there before.
    seen = Seen(known.first_seen_at, known.absent_at) if known else Seen(ask.services.clock.now())
    client, currency = await ask.client(), ask.store.currency or "USD"
    # The margin is read whether or not a rule asks for it: it stands on the page and on the sheet of every approver.
    return await read_promotion(client, int(ask.id), seen, currency)


async def _supplier(ask: Ask) -> Any | Gone:
    await look_up_covers(ask.services, ask.vendors, ask.store.hash, int(ask.id))
    return await fetch_supplier(ask.services.db, ask.store.hash, int(ask.id)) or Gone(RecordKey("supplier", ask.id))


async def _case(ask: Ask) -> Any | Gone:
    return await read_case(ask.services, ask.store.hash, int(ask.id), ask.client)


async def _quote(ask: Ask) -> Any | Gone:
    return await read_quote(await ask.vendors.quotes(ask.store.hash), int(ask.id), ask.store.currency or "USD")


async def _own_quote(ask: Ask) -> Any | Gone:
    return await read_own_quote(ask.services, ask.store.hash, int(ask.id), ask.client)


async def _price_list(ask: Ask) -> Any | Gone:
    return await read_price_list_facts(await ask.client(), int(ask.id), with_products=ask.needs.catalog)


READERS: dict[str, Callable[[Ask], Awaitable[Any | Gone]]] = {
    "order": _order,
    "customer": _customer,
    "company": _company,
    "product": _product,
    "promotion": _promotion,
    "quote": _quote,
    "own_quote": _own_quote,
    "price_list": _price_list,
    "supplier": _supplier,
    "case": _case,
}
