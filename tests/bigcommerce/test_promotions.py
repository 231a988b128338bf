"""Promotions at the simulated store: read as facts, written whole, and codes for one customer."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.promotions import (
    EditedMeanwhile,
    Seen,
    code_for,
    digest,
    give_code,
    parse_promotion,
    read_margins,
    switch,
)
from bcapp.core.kinds.promotion import PROMOTION, PromotionFacts
from bcapp.core.model import Money
from bcapp.errors import UnreadableInput
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce.promotions import add_promotion, assign_price_list, edit_promotion, use_promotion

SEEN = Seen(datetime(2026, 3, 1, tzinfo=UTC))


async def read(client: BigCommerce, number: int) -> PromotionFacts:
    raw = await client.fetch_promotion(number)
    assert raw is not None
    facts = parse_promotion(raw, SEEN, "USD")
    return parse_promotion(raw, SEEN, "USD", await read_margins(client, facts, "USD"))


async def test_a_promotion_says_how_deep_it_is_what_is_left_and_what_it_can_cost(
    client: BigCommerce, sandbox: Sandbox
) -> None:
    store = sandbox.bigcommerce.store
    cheap, *_, dear = sorted((p for p in store.products.values() if p["cost_price"]), key=lambda p: p["price"])
    number = add_promotion(store, "Spring", percent="30", products=[cheap["id"], dear["id"]])
    facts = await read(client, number)
    left = [
        (Decimal(str(p["price"])) * Decimal("0.7") - Decimal(str(p["cost_price"])))
        / Decimal(str(p["price"]))
        / 7
        * 1000
        for p in (cheap, dear)
    ]
    assert facts.depth == 30
    assert facts.margins.lowest == min(left).quantize(Decimal("0.01"))
    assert facts.budget is None
    limited = await read(client, add_promotion(store, "Off", amount="10", minimum_spend="40", max_uses=200))
    assert (limited.depth, limited.budget) == (Decimal(25), Money(Decimal(2000), "USD"))
    assert limited.margins.counted + limited.margins.without_cost == len(store.products)
    assert PROMOTION.parse(PROMOTION.dump(limited)) == limited


async def test_a_write_sends_the_whole_promotion_and_what_we_do_not_know(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    rules = [{"action": {"gift_item": {"quantity": 1, "product_id": 77}}, "apply_once": False, "stop": True}]
    number = add_promotion(store, "Gift", rules=rules, max_uses=9, banner="Hello", audience_hint={"weight": 1.5})
    before = dict(store.promotions[number])
    raw = await client.fetch_promotion(number)
    assert raw is not None
    left = await switch(client, raw, "DISABLED")
    assert left is not None
    assert store.promotions[number] == {**before, "status": "DISABLED"}
    assert digest(raw) != digest(left)
    assert await switch(client, left, "ENABLED") == raw


@pytest.mark.parametrize("when", ["before", "between"])
async def test_an_edit_between_our_reading_and_our_write_is_told_and_not_overwritten(
    client: BigCommerce, sandbox: Sandbox, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = sandbox.bigcommerce.store
    number = add_promotion(store, "Spring", percent="10")
    raw = await client.fetch_promotion(number)
    assert raw is not None
    deeper = [{"action": {"cart_value": {"discount": {"percentage_amount": "50"}}}}]
    if when == "before":
        edit_promotion(store, number, rules=deeper)
        with pytest.raises(EditedMeanwhile, match="rules"):
            await switch(client, raw, "DISABLED")
        assert store.promotions[number]["status"] == "ENABLED"
    else:
        put = client.put_promotion

        async def put_and_edit(promotion_id: int, body: Any) -> Any:
            answer = await put(promotion_id, body)
            edit_promotion(store, number, rules=deeper)
            return answer

        monkeypatch.setattr(client, "put_promotion", put_and_edit)
        with pytest.raises(EditedMeanwhile, match="discount"):
            await switch(client, raw, "DISABLED")
    assert store.promotions[number]["rules"] == deeper


async def test_uses_are_no_edit_and_banners_are_not_material(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    number = add_promotion(store, "Spring", percent="10")
    raw = await client.fetch_promotion(number)
    assert raw is not None
    use_promotion(store, number, 3)
    first = parse_promotion(raw, SEEN, "USD")
    assert await switch(client, raw, "DISABLED") is not None
    edit_promotion(store, number, display_name="New words", notifications=[])
    second = await read(client, number)
    assert second.current_uses == 3
    assert PROMOTION.snapshot(first) == PROMOTION.snapshot(second)
    edit_promotion(store, number, max_uses=5)
    assert PROMOTION.snapshot(await read(client, number)) != PROMOTION.snapshot(first)


async def test_a_code_for_one_customer_is_made_once(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    number = add_promotion(store, "Partner", percent="15", coupon="SHARED", coupon_type="BULK")
    code = code_for(number, 7, b"k" * 32)
    assert code != code_for(number, 8, b"k" * 32)
    made = await give_code(client, number, code)
    assert await give_code(client, number, code) == made
    assert [c["max_uses"] for c in store.promotion_codes[number]] == [0, 1]
    with pytest.raises(UnreadableInput):
        await give_code(client, number, "SHARED")


async def test_who_gets_which_price_list(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    number = next(iter(store.price_lists))
    assign_price_list(store, number, group_id=3)
    assert [p["id"] for p in await client.list_price_lists()] == [*store.price_lists]
    rows = await client.price_list_assignments(number)
    assert [(a["price_list_id"], a["customer_group_id"]) for a in rows] == [(number, 3)]


def test_what_is_no_promotion_is_refused_and_named() -> None:
    with pytest.raises(UnreadableInput, match="id is missing"):
        parse_promotion({"status": "ENABLED"}, SEEN, "USD")
    with pytest.raises(UnreadableInput, match="start_date"):
        parse_promotion({"id": 1, "start_date": "soon"}, SEEN, "USD")
    odd = parse_promotion({"id": 1, "rules": [{"action": {"teleport": {}}}, {}], "customer": []}, SEEN, "USD")
    assert [b.kind for b in odd.benefits] == ["other", "other"]
    assert odd.depth is None
