"""Quotes made by hand as facts: what was typed, with what the catalog has for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bcapp.bigcommerce.client import BigCommerce
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.kinds.quote import DRAFT, QuoteFacts
from bcapp.core.model import Gone, RecordKey
from bcapp.core.own_quotes import looked_up
from bcapp.db.own_quotes import OwnQuote, fetch_own_quote, keep_lines
from bcapp.services import Services


async def read_own_quote(
    services: Services, store_hash: str, quote_id: int, client: Callable[[], Awaitable[BigCommerce]]
) -> QuoteFacts | Gone:
    """Return a quote as kept; lines that the catalog did not have yet are looked up again."""
    quote, now = await fetch_own_quote(services.db, store_hash, quote_id), services.clock.now()
    if quote is None:
        return Gone(RecordKey(OWN_QUOTE.name, str(quote_id)))
    if quote.status(now) == DRAFT:
        quote = await _look_up(await client(), quote)
        await keep_lines(services.db, store_hash, quote, quote.lines)
    return quote.facts(now)


async def _look_up(client: BigCommerce, quote: OwnQuote) -> OwnQuote:
    found = {line.sku: await client.stocked(line.sku) for line in quote.lines}
    ids = {row.product_id for rows in found.values() for row in rows}
    names = {int(raw["id"]): str(raw.get("name") or "") for raw in await client.products(ids)} if ids else {}
    named = {sku: [replace(r, name=names.get(r.product_id, "")) for r in rows] for sku, rows in found.items()}
    return replace(quote, lines=looked_up(quote.lines, named))
