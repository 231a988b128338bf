"""Promotions, from the sweep that finds them to the moment in which they are on again."""

from __future__ import annotations

import pytest

from tests.fixtures.offers import offer_rule, promote, promotion_is, status_of, sweep_soon
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


async def test_a_deep_promotion_is_off_until_it_is_signed(world: World) -> None:
    existing = promote(world, "50")
    await sweep_soon(world)
    await world.quiet()
    await world.settled()
    await offer_rule(world)
    before = dict(world.store.promotions[existing])
    deep, shallow = promote(world, "30", banner="Hello"), promote(world, "5")
    await sweep_soon(world)
    request = await world.request_is(deep, "sent")
    await world.hold_is(deep, "held")
    assert status_of(world, deep) == "DISABLED"
    await world.sign(request, "dana@northfield.test")
    await promotion_is(world, deep, "ENABLED")
    await world.hold_is(deep, "released")
    await world.quiet()
    assert await world.requests(shallow) == await world.requests(existing) == []
    assert world.store.promotions[existing] == before
    assert world.sandbox.spec_errors == []
