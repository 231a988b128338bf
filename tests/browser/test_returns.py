"""The returns form in Chromium: on a phone as on a screen, readable by everybody, sent by a finger or by keyboard.

BROWSER_PICTURES=folder leaves a picture of each page.
"""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal

import pytest
from playwright.async_api import Browser

from bcapp.core.returns import Offered
from bcapp.db.returns import ask_for_form, prove
from bcapp.jobs.returns import PURPOSE
from bcapp.sign_links import sign_digest
from tests.browser.doors import axe_on
from tests.browser.test_screens import SIDEWAYS, SIZES
from tests.fixtures.browser import Visitor, open_stage
from tests.fixtures.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OFFERED = [
    Offered(
        7, "Winter tent for four with a porch, fire retardant, olive green, season 2026", "TENT-4", 3, Decimal(900)
    ),
    Offered(8, "Gas cooker", "COOK-1", 1, Decimal("49.90")),
]


async def look(visitor: Visitor, name: str) -> list[str]:
    wrong: list[str] = []
    for width, height in SIZES:
        await visitor.page.set_viewport_size({"width": width, "height": height})
        if folder := os.environ.get("BROWSER_PICTURES"):
            await visitor.page.screenshot(path=f"{folder}/returns-{name}-{width}.png", full_page=True)
        wrong += [f"{name} {width}: sideways: {found}" for found in await visitor.page.evaluate(SIDEWAYS)]
        wrong += [f"{name} {width}: {found}" for found in await axe_on(visitor.page)]
    return wrong


async def link_of(world: World, order_id: int) -> str:
    """A link as the worker makes it for an order that is theirs."""
    now, token = world.services.clock.now(), f"{world.store_hash}.{'r' * 43}"
    address = world.services.secrets.digests(PURPOSE, f"{world.store_hash}:robin@guest.example")
    assert await ask_for_form(world.db, world.store_hash, order_id, address, "en", now)
    (row,) = await world.raw("SELECT max(id) AS id FROM return_asks")
    assert await prove(world.db, world.store_hash, row["id"], sign_digest(token), OFFERED, shipped=True, now=now)
    return f"/returns/link/{token}"


async def test_a_shopper_asks_and_sends(chromium: Browser, database_dsn: str) -> None:
    smtp = "smtp://127.0.0.1:9?from=app@app.test"  # nobody is there: what is mailed, other tests try
    async with open_stage(database_dsn, chromium, smtp_url=smtp) as stage, stage.visitor() as visitor:
        world, page = stage.world, visitor.page
        await asyncio.to_thread(world.bc.auth.install, world.store)
        start = f"{stage.app_url}/returns/{world.store_hash}"
        await page.goto(start)
        wrong = await look(visitor, "closed")
        await world.raw("UPDATE stores SET settings = settings || '{\"returns_form\": true}'")
        await page.goto(start)
        wrong += await look(visitor, "start")
        await page.get_by_role("button", name="Mail me the link").click()
        await page.get_by_text("Enter the number of your order, digits only.").wait_for()
        wrong += await look(visitor, "start-refused")
        await page.get_by_label("Order number").fill("5001")
        await page.get_by_label("E-mail address").fill("robin@guest.example")
        await page.get_by_role("button", name="Mail me the link").click()
        await page.get_by_role("heading", name="Look into your mail").wait_for()
        wrong += await look(visitor, "asked")

        order = await asyncio.to_thread(world.place)
        await page.goto(stage.app_url + await link_of(world, order.id))
        await page.get_by_label("Gas cooker").fill("5")
        await page.get_by_role("button", name="Send the request").click()
        await page.get_by_text("Choose at least one piece").wait_for()
        wrong += await look(visitor, "form-refused")
        await page.get_by_text("Send something back").click()
        await page.get_by_label("Gas cooker").fill("1")
        await page.get_by_label("Why?").select_option("damaged")
        await page.get_by_role("button", name="Send the request").press("Enter")
        await page.get_by_role("heading", name="Your request has arrived").wait_for()
        wrong += await look(visitor, "told")
        assert not wrong, "\n".join(wrong)
        visitor.troubles.clear()  # the browser itself notes the answers 404 and 422
        assert len(await world.raw("SELECT id FROM cases WHERE origin = 'shopper'")) == 1
