"""The frame's borders: who may frame the app, what stands outside of a frame, and how a session ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.fixtures.browser import EVIL, Stage, Visitor, open_stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

BLOCKED = 'violates the following Content Security Policy directive: "frame-ancestors'
FRAMING = """(address) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    document.body.append(frame);
}"""


async def install(stage: Stage) -> None:
    await asyncio.to_thread(stage.world.bc.auth.install, stage.world.store)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(chromium: Browser, module_dsn: str) -> AsyncIterator[Stage]:
    async with open_stage(module_dsn, chromium) as opened:
        await install(opened)
        yield opened


async def refused_to(page: Page, site: str, address: str) -> str:
    """Let a page of another site frame the address; return what the console says about it."""
    await page.goto(site)
    async with page.expect_console_message(lambda message: message.type == "error") as saying:
        await page.evaluate(FRAMING, address)
    await page.frames[1].wait_for_url("chrome-error:**")
    return (await saying.value).text


async def test_another_site_cannot_frame_the_app(stage: Stage) -> None:
    async with stage.visitor() as visitor:
        address = stage.world.bc.auth.load_url(stage.world.store)
        assert BLOCKED in await refused_to(visitor.page, f"https://{EVIL}:{stage.panel_port}/manage", address)
        visitor.troubles.clear()


async def test_another_store_cannot_frame_the_app(chromium: Browser, database_dsn: str) -> None:
    """Every storefront stands under the same domain as the control panels: only the store's own hosts may."""
    async with open_stage(database_dsn, chromium, frame_ancestors="store") as stage, stage.visitor() as visitor:
        await install(stage)
        await visitor.open_app()
        await expect(visitor.app.get_by_role("heading", name="Home", level=1)).to_be_visible()
        stranger = next(s for s in stage.world.bc.stores.values() if s.hash != stage.hash)
        other = stage.panel("/manage").replace(stage.hash, stranger.hash)
        page = await visitor.context.new_page()
        assert BLOCKED in await refused_to(page, other, f"{stage.app_url}/s/{stage.hash}/")


async def test_outside_of_the_frame_it_says_where_it_lives(stage: Stage) -> None:
    async with stage.visitor() as visitor:
        await visitor.page.goto(stage.world.bc.auth.load_url(stage.world.store))
        await expect(visitor.page.get_by_role("heading", level=1)).to_have_text(
            "Open Countersign from your control panel"
        )
        assert "x=" not in visitor.page.url
        await visitor.page.get_by_role("link", name="Go to the control panel").click()
        await expect(visitor.app.get_by_role("heading", name="Home", level=1)).to_be_visible()


async def live_sessions(stage: Stage) -> int:
    rows = await stage.world.raw("SELECT count(*) AS n FROM sessions WHERE revoked_at IS NULL")
    return int(rows[0]["n"])


async def test_logging_out_of_the_control_panel_ends_the_session(stage: Stage) -> None:
    async with stage.visitor() as visitor:
        await visitor.open_app("requests")
        await visitor.page.wait_for_function("bcPanel.ready")
        before = await live_sessions(stage)
        said = '{"method": "bc::logout"}'
        await visitor.page.evaluate(
            "(said) => document.getElementById('app-frame').contentWindow.postMessage(said, '*')", said
        )
        await expect(visitor.app.locator("#page")).to_have_text(
            "You are signed out. Open Countersign again from the Apps menu."
        )

        async def revoked() -> bool:
            return await live_sessions(stage) == before - 1

        await stage.world.until(revoked)
        assert await ended(visitor)


async def ended(visitor: Visitor) -> bool:
    """Whether the address of the frame opens nothing any more."""
    await visitor.frame.goto(visitor.frame.url)
    return await visitor.app.get_by_role("heading", name="Your session ended").is_visible()


async def test_a_reload_without_cookies_leads_back(stage: Stage) -> None:
    async with stage.visitor() as visitor:
        await visitor.open_app("requests")
        await visitor.frame.goto(visitor.frame.url)
        await expect(visitor.app.get_by_role("heading", name="Requests", level=1)).to_be_visible()
        await visitor.context.clear_cookies()
        await visitor.frame.goto(visitor.frame.url)
        await expect(visitor.app.get_by_role("heading", level=1)).to_have_text("Your session ended")
        assert await visitor.axe() == []
        await visitor.app.get_by_role("link", name="Open the control panel").click()
        await expect(visitor.app.get_by_role("heading", name="Home", level=1)).to_be_visible()


async def test_the_control_panel_hears_of_every_page_and_of_no_secret(stage: Stage) -> None:
    async with stage.visitor() as visitor:
        await visitor.open_app()
        for tab in ("Requests", "Rules", "Settings"):
            await visitor.app.get_by_role("navigation", name="Main").get_by_role("link", name=tab).click()
            await visitor.app.get_by_role("heading", name=tab, level=1).wait_for()
        told = await visitor.page.evaluate("bcPanel.urls")
        assert [t["href"].rpartition("/")[2] for t in told] == ["", "requests", "rules", "settings"]
        assert [t["type"] for t in told] == ["normal", "pushState", "pushState", "pushState"]
        await visitor.page.evaluate("history.back()")
        await expect(visitor.app.get_by_role("heading", name="Rules", level=1)).to_be_visible()


async def test_a_second_click_posts_nothing_more(stage: Stage) -> None:
    """htmx would queue it: two rows of what was to be made once."""
    async with stage.visitor() as visitor:
        await visitor.open_app("people/new")
        await visitor.app.get_by_label("Name", exact=True).fill("Cleo Chief")
        await visitor.app.get_by_label("E-mail address").fill("cleo@northfield.example")
        posts: list[str] = []
        visitor.page.on("request", lambda sent: posts.append(sent.url) if sent.method == "POST" else None)
        await visitor.app.get_by_role("button", name="Save").dblclick()
        await expect(visitor.app.get_by_role("heading", name="Cleo Chief", level=1)).to_be_visible()
        await expect(visitor.app.locator("#toasts .toast")).to_have_count(1)
        assert len(posts) == 1, posts
        # The button of the page that follows is a new one, and works.
        await visitor.app.get_by_label("Without limit").check()
        await visitor.app.get_by_role("button", name="Set the limit").click()
        await expect(visitor.app.locator("#limits")).to_contain_text("Without limit in")
