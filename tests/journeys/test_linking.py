"""What hangs on the store's own records: screens inside BigCommerce's lists."""

from __future__ import annotations

import httpx
import pytest

from bcapp.core.extensions import WANTED
from tests.fixtures.world import PATIENCE, World

pytestmark = pytest.mark.journey


async def test_the_lists_of_the_store_open_our_screens(world: World) -> None:
    async def registered() -> bool:
        return len(world.store.extensions) == len(WANTED)

    await world.until(registered, said="the app extensions are registered")
    await world.rule()
    order = world.place()
    await world.request_is(order.id, "sent")
    for extension in world.store.extensions:
        assert "${id}" in extension["url"]
    url = world.store.extensions[0]["url"].replace("${id}", str(order.id))
    async with httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE) as browser:
        page = (await browser.get(world.bc.load_url(world.store, url=url))).text
    assert f"Order {order.id}" in page
    assert "Customer document" in page
    assert 'class="tabs"' not in page
