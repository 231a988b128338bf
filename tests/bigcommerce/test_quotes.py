"""Quotes of B2B Edition at the simulated store: found, read, their checkout shut and opened, mailed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bcapp.bigcommerce.quotes import EditedQuote, Quotes, allow_checkout, lines_body, read_quote
from bcapp.core.kinds.quote import QUOTE, QuoteFacts
from bcapp.core.model import Gone
from bcapp.errors import B2BRefused, BigCommerceError
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce.b2b import SCOPES as B2B_SCOPES
from bcapp.sandbox.bigcommerce.quotes import delete_quote, edit_quote, order_quote, raise_quote
from bcapp.sandbox.server import SandboxServer
from tests.bigcommerce.conftest import TOKEN


@pytest.fixture
def quotes(http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox) -> Quotes:
    store = sandbox.bigcommerce.store
    store.scopes = (*store.scopes, *B2B_SCOPES)
    return Quotes(http, server.url, store.hash, TOKEN)


async def read(quotes: Quotes, number: int) -> QuoteFacts:
    facts = await read_quote(quotes, number, "USD")
    assert isinstance(facts, QuoteFacts)
    return facts


def dear(sandbox: Sandbox) -> Any:
    return max(sandbox.bigcommerce.store.products.values(), key=lambda p: p["price"])


async def test_a_quote_is_found_by_its_number_and_read_whole(quotes: Quotes, sandbox: Sandbox) -> None:
    store, product = sandbox.bigcommerce.store, dear(sandbox)
    number = raise_quote(store, [(product["id"], 4, 15), (product["id"], 1, 0)], terms="Within 30 days.")
    facts = await read(quotes, number)
    assert (facts.depth, len(facts.lines), facts.contact_email) == (15, 2, "lena@hartmann.example")
    assert facts.margin is not None
    assert QUOTE.parse(QUOTE.dump(facts)) == facts
    assert isinstance(await read_quote(quotes, 9999, "USD"), Gone)
    edit_quote(store, number, notes="A word to the buyer", status=3)
    assert QUOTE.snapshot(await read(quotes, number)) == QUOTE.snapshot(facts)
    edit_quote(store, number, off=30)
    assert QUOTE.snapshot(await read(quotes, number)) != QUOTE.snapshot(facts)


async def test_its_checkout_is_shut_and_opened_without_touching_anything_else(quotes: Quotes, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    number = raise_quote(store, [(dear(sandbox)["id"], 2, 10)])
    before, facts = dict(store.b2b.quotes[number]), await read(quotes, number)
    shut = await allow_checkout(quotes, facts, False, "USD")
    assert shut is not None
    assert {**store.b2b.quotes[number], "updatedAt": 0} == {**before, "allowCheckout": False, "updatedAt": 0}
    edit_quote(store, number, off=20)
    with pytest.raises(EditedQuote, match="lines"):
        await allow_checkout(quotes, shut, True, "USD")
    assert store.b2b.quotes[number]["allowCheckout"] is False
    raw = await quotes.fetch_quote(number, facts.created_at)
    assert raw is not None
    await quotes.put_quote(number, lines_body(raw))
    assert (await read(quotes, number)).depth == 20


async def test_it_is_mailed_to_its_buyer_only_and_joined_with_its_order(quotes: Quotes, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    number = raise_quote(store, [(dear(sandbox)["id"], 2, 10)])
    assert "loadInCheckout" in await quotes.checkout_link(number)
    await quotes.mail_quote(number, "lena@hartmann.example", "de-DE")
    with pytest.raises(BigCommerceError):
        await quotes.mail_quote(number, "other@hartmann.example", "de-DE")
    assert [m["emailLang"] for m in store.b2b.quote_mails] == ["de"]
    since = datetime.now(UTC) - timedelta(hours=1)
    order = order_quote(store, number)
    assert await quotes.quote_of_order(order.id, since) == number
    assert await quotes.quote_of_order(order.id + 1, since) is None
    delete_quote(store, number)
    assert isinstance(await read_quote(quotes, number, "USD"), Gone)


async def test_a_store_without_b2b_edition_says_so(quotes: Quotes, sandbox: Sandbox) -> None:
    sandbox.bigcommerce.store.b2b.enabled = False
    with pytest.raises(B2BRefused):
        await read_quote(quotes, 1, "USD")
