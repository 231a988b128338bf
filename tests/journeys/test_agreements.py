"""What is signed: the signer's language, one customer's own terms and prices, and what they typed as values."""

from __future__ import annotations

from typing import Any

import pytest

from bcapp.core.agreements import Binding
from bcapp.core.inputs import typed_inputs
from bcapp.core.model import Money
from bcapp.db.agreements import Text, save_agreement, save_binding
from bcapp.db.requests import fetch_request
from bcapp.sandbox.signature.pdf import page_texts
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


@pytest.fixture(autouse=True)
def all_calls_are_declared(world: World) -> Any:
    yield
    assert world.sandbox.spec_errors == []


async def sent_text(world: World, order_id: int) -> tuple[dict[str, Any], str]:
    """The request of an order as sent, and what its document says."""
    request = await world.request_is(order_id, "sent")
    document = world.sandbox.signature.store.documents[str(request["provider_document"])]
    return request, " ".join(" ".join(page_texts(document.pages or b"")).replace("\u200b", "").split())


async def bind(world: World, customer: int, **more: Any) -> int:
    binding = Binding(0, world.agreement_id, "customer", str(customer), **more)
    now = world.services.clock.now()
    return await save_binding(world.db, world.store_hash, binding, author=world.store.owner.id, now=now)


async def test_one_customer_signs_their_own_prices_and_another_the_common_text(world: World) -> None:
    await world.rule()
    number, name = next((n, p["name"]) for n, p in world.store.price_lists.items())
    binding = await bind(world, world.customer, what="price_list", price_list_id=number, title="Frame agreement")
    other = list(world.store.customers)[1]
    request, text = await sent_text(world, world.place().id)
    assert request["binding_id"] == binding
    assert "Frame agreement" in text
    assert "The goods stay ours until they are paid." in text
    assert f"YOUR PRICES · {name.upper()}" in text
    assert "TENT-4 Basecamp 4 tent $404.10" in text
    assert "from 10 $383.90" in text
    request, text = await sent_text(world, world.place(customer_id=other).id)
    assert request["binding_id"] is None
    assert "Terms of sale" in text
    assert "YOUR PRICES" not in text


async def test_a_price_list_that_is_gone_needs_a_person(world: World) -> None:
    await world.rule()
    await bind(world, world.customer, what="price_list", price_list_id=404)
    request = await world.request_is(world.place().id, "failed")
    assert "The price list 404 of this customer does not exist any more." in request["status_why"]
    task = await world.task("cannot_send")
    assert "For one customer" in task["text"]


async def test_the_signers_language_is_set_and_what_they_typed_has_its_type(world: World) -> None:
    await world.rule()
    german = "Bestellung {{order.id}} vom {{order.date}}.\n\n{{ask money: Kreditrahmen}}\n\n{{ask number: Sitze}}"
    await save_agreement(
        world.db, world.store_hash, world.agreement_id, name="Terms of sale", version=1, language="de", material=False,
        text=Text("text", "Kaufvertrag", german), author=world.store.owner.id, now=world.services.clock.now(),
    )  # fmt: skip
    order = world.place(locale="de_DE")
    request, text = await sent_text(world, order.id)
    assert (request["document_language"], request["agreement_version"]) == ("de", 2)
    assert "Kaufvertrag" in text
    assert f"Bestellung {order.id} vom" in text
    assert "Unterschriften" in text
    await world.sign(request, inputs={"kreditrahmen_0": "1.500,50 €", "sitze_0": "ein Dutzend"})
    await world.order_is(order.id, 11)
    found = await fetch_request(world.db, world.store_hash, request["id"])
    assert found is not None
    money, seats = [t for t in typed_inputs(found, "USD") if t.type in ("money", "number")]
    assert (money.label, str(money.value), money.valid) == ("Kreditrahmen", str(Money(money.value.amount, "EUR")), True)  # type: ignore[union-attr]
    assert (seats.raw, seats.value, seats.valid) == ("ein Dutzend", None, False)
    french, text = await sent_text(world, world.place(locale="fr").id)
    assert french["document_language"] == "en"
    assert "Terms of sale" in text
