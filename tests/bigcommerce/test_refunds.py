"""Refunds over the wire: what the store takes, what it answers, and which failures may have been executed."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.refunds import gateways_in, parse_order_line, parse_order_money
from bcapp.core.refunds import RefundItem, Settled, choose_way, mark, settlement
from bcapp.errors import BigCommerceError
from bcapp.sandbox.app import Sandbox
from tests.bigcommerce.conftest import TOKEN


def client_of(http: httpx.AsyncClient, sandbox: Sandbox) -> BigCommerce:
    return BigCommerce(http, sandbox.url, sandbox.bigcommerce.store.hash, TOKEN)


async def test_a_refund_from_its_quote_to_its_settlement(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    store.refund_payments, store.refund_seconds = "later", 3600
    order = store.place_order(lines=[("TENT-4", 2)], customer_id=1)
    client = client_of(http, sandbox)
    money = parse_order_money(await client.fetch_order(order.id) or {})
    line = parse_order_line((await client.order_products(order.id))[0])
    assert (money.total, money.refunded, line.available) == (order.total, 0, 2)
    items = (RefundItem("PRODUCT", line.id, 1), RefundItem("ORDER", order.id, amount=Decimal("1.50")))
    quote = await client.quote_refund(order.id, items)
    assert quote.total == order.with_tax(order.lines[0].price) + Decimal("1.50")
    way = choose_way(quote.ways, "original", gateways_in(await client.order_transactions(order.id)))
    assert way is not None
    assert [p.provider for p in way] == ["braintree"]
    made = await client.create_refund(order.id, items, way, mark(12))
    assert (made.case_id, made.total) == (12, quote.total)
    assert settlement(made, await client.bookings(order.id)) is Settled.SETTLING
    sandbox.clock.advance(3601)
    store.settle()
    (read,) = await client.list_refunds(order.id)
    assert settlement(read, await client.bookings(order.id)) is Settled.SETTLED
    assert [r.id for r in await client.refunds_since(made.created_at)] == [made.id]
    assert await client.refunds_since(made.created_at + timedelta(hours=9)) == []
    with pytest.raises(BigCommerceError) as refused:
        await client.create_refund(order.id, (RefundItem("PRODUCT", line.id, 2),), way, mark(12))
    assert (refused.value.status, refused.value.unclear, refused.value.permanent) == (422, False, True)


@pytest.mark.parametrize("kind", ["after", "silent"])
async def test_an_answer_that_was_lost_is_unclear(http: httpx.AsyncClient, sandbox: Sandbox, kind: str) -> None:
    order = sandbox.bigcommerce.store.place_order(lines=[("TENT-4", 1)], customer_id=1)
    client = client_of(http, sandbox)
    items = (RefundItem("ORDER", order.id, amount=Decimal("5.00")),)
    quote = await client.quote_refund(order.id, items)
    sandbox.faults.add("bigcommerce", "POST", "/refunds$", kind)  # type: ignore[arg-type]
    with pytest.raises(BigCommerceError) as lost:
        await client.create_refund(order.id, items, quote.ways[-1], mark(3))
    assert lost.value.unclear
    assert [r.case_id for r in await client.list_refunds(order.id)] == [3]
