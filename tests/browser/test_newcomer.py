"""The newcomer's whole way by clicks: from Install in the control panel to the buyer's signed PDF.

Once as browsers are today (third-party cookies blocked, partitioned ones kept) and once without any cookie.
"""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, FrameLocator, expect
from pypdf import PdfReader

from tests.fixtures.browser import Stage, Visitor, open_stage
from tests.fixtures.world import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

expect.set_options(timeout=PATIENCE * 1000)
TEXT = """# What you agree to

You order {{order.id}} from {{store.name}} for {{order.total}}.

1. The goods stay ours until they are paid in full.
"""


async def install(visitor: Visitor) -> None:
    page = visitor.page
    await page.goto(visitor.stage.panel(f"/manage/{visitor.stage.hash}"))
    await page.get_by_role("button", name="Install").click()
    await visitor.app.get_by_role("link", name="Open Countersign").click()
    await visitor.app.get_by_role("heading", name="Home").wait_for()


async def connect_account(stage: Stage, app: FrameLocator) -> None:
    """Step 1: type the account in, and wait for its test to pass by itself."""
    await app.get_by_role("link", name="Continue").click()
    account, url = stage.world.sandbox.signature.account, stage.world.server.url
    await app.get_by_label("Environment").select_option(value="custom")
    await app.get_by_label("Token address").wait_for()
    await app.get_by_label("Name", exact=True).fill("Main account")
    await app.get_by_label("Tenant").fill(account.tenant)
    await app.get_by_label("Client id").fill(account.client_id)
    await app.get_by_label("Client secret").fill(account.client_secret)
    await app.get_by_label("Token address").fill(f"{url}/otdstenant/{account.tenant}/oauth2/token")
    await app.get_by_label("API address").fill(f"{url}/api/v1/")
    await app.get_by_role("button", name="Save and test").click()
    await app.get_by_role("link", name="Next step").click()


async def answer_questions(app: FrameLocator) -> None:
    await app.get_by_label("What do you ship with?").select_option(value="own")
    await app.get_by_label("Paid at checkout").check()
    await app.get_by_label("Who gets alarms?").select_option(index=1)
    await app.get_by_role("button", name="Save and go on").click()


async def write_agreement(app: FrameLocator) -> None:
    await app.get_by_role("link", name="Make an agreement").click()
    await app.get_by_role("link", name="Write a text").click()
    await app.get_by_label("Name", exact=True).fill("Terms of sale")
    await app.get_by_label("Title of the document").fill("Terms of sale")
    await app.get_by_label("Text", exact=True).fill(TEXT)
    await expect(app.locator("#preview")).to_contain_text("The goods stay ours")
    await app.get_by_role("button", name="Save").click()
    await app.get_by_role("heading", name="Terms of sale", level=1).wait_for()


async def add_approver(app: FrameLocator) -> None:
    await app.get_by_role("navigation", name="Main").get_by_role("link", name="People").click()
    await app.get_by_role("link", name="Add a person").click()
    await app.get_by_label("Name", exact=True).fill("Cleo Chief")
    await app.get_by_label("E-mail address").fill("cleo@northfield.example")
    await app.get_by_role("button", name="Save").click()
    await app.get_by_label("Without limit").check()
    await app.get_by_role("button", name="Set the limit").click()
    await expect(app.locator("#limits")).to_contain_text("Without limit in USD")


async def make_rule(app: FrameLocator) -> None:
    await app.get_by_role("navigation", name="Main").get_by_role("link", name="Home").click()
    await app.get_by_role("link", name="Continue").click()
    await app.get_by_role("link", name="Make a rule").click()
    await app.get_by_role("link", name="Make a rule: Order approval").click()
    await app.get_by_label("Name of the rule").fill("Large orders")
    await app.get_by_label("Value").fill("500")
    await app.get_by_label("The buyer signs an agreement").check()
    await app.get_by_label("Agreement", exact=True).select_option(label="Terms of sale")
    await expect(app.locator("#rule-sentence")).to_contain_text("Terms of sale")
    await app.get_by_role("button", name="Save").click()
    await app.get_by_role("button", name="Go live").click()
    await app.get_by_text("Nothing is left behind").wait_for()
    await app.get_by_role("button", name="Go live").click()
    await expect(app.get_by_role("heading", name="Large orders")).to_be_visible()
    await expect(app.locator(".header .badge")).to_have_text("Live")


async def place_order(visitor: Visitor) -> int:
    """A shopper orders for more than the rule's 500; return the order's number."""
    desk = await visitor.tab(visitor.stage.panel(f"/desk/{visitor.stage.hash}"))
    sku = visitor.stage.world.dear
    product = next(p for p in visitor.stage.world.store.products.values() if p["sku"] == sku)
    await desk.get_by_label("Customer", exact=True).select_option(index=1)
    await desk.get_by_label("Product 1").select_option(value=str(product["id"]))
    await desk.get_by_label("Quantity 1").fill("2")
    await desk.get_by_role("button", name="Place order").click()
    heading = await desk.get_by_role("heading", name=re.compile(r"Order \d+")).inner_text()
    await desk.close()
    return int(re.findall(r"\d+", heading)[0])


async def see_it_sent(app: FrameLocator, order_id: int) -> None:
    """The list does not follow by itself: the person looks again until it stands there."""

    async def look() -> None:
        await app.get_by_role("navigation", name="Main").get_by_role("link", name="Requests").click()
        await app.get_by_role("heading", name="Requests", level=1).wait_for()
        row = app.get_by_role("row").filter(has_text=f"Order {order_id}").filter(has_text="Customer document")
        await expect(row).to_contain_text("Sent", timeout=2000, ignore_case=True)

    for attempt in range(60):
        try:
            await look()
            return
        except AssertionError:
            if attempt == 59:
                raise


async def sign(visitor: Visitor, email: str) -> None:
    """Somebody opens the mail that asks for a signature, and signs."""
    page = await visitor.tab(f"{visitor.stage.world.server.url}/inbox?to={email}")
    async with page.expect_navigation(url=re.compile("/signing/")):
        await page.locator("a[href*='/signing/']").first.click()
    for box in await page.locator("form[action$='/sign'] input[type=text]").all():
        if not await box.input_value() and await box.get_attribute("name") != "free":
            await box.fill("Robin Buyer")
    await page.get_by_role("button", name="Sign", exact=True).click()
    await page.wait_for_url(re.compile("signed|signing"))
    await page.close()


@pytest.mark.parametrize("cookies", [True, False], ids=["partitioned", "refused"])
async def test_from_install_to_the_signed_document(chromium: Browser, database_dsn: str, cookies: bool) -> None:
    async with open_stage(database_dsn, chromium, cookies=cookies) as stage, stage.visitor() as visitor:
        app = visitor.app
        await install(visitor)
        await connect_account(stage, app)
        await answer_questions(app)
        await write_agreement(app)
        await add_approver(app)
        await make_rule(app)
        order_id = await place_order(visitor)
        await see_it_sent(app, order_id)
        assert stage.world.store.orders[order_id].status_id == 12
        await app.get_by_role("row").filter(has_text="Customer document").get_by_role("link").click()
        await sign(visitor, "cleo@northfield.example")
        await sign(visitor, stage.world.store.orders[order_id].billing["email"])
        await app.get_by_role("link", name="Open the order").click()
        await expect(app.locator(".header .badge")).to_have_text("Released", timeout=PATIENCE * 1000)
        await app.get_by_role("link", name="Large orders").first.click()
        async with visitor.page.expect_download() as downloading:
            await (
                app.get_by_role("listitem")
                .filter(has_text="Signed document")
                .get_by_role("button", name="Download")
                .click()
            )
        path = await (await downloading.value).path()
        text = " ".join(" ".join(page.extract_text() for page in PdfReader(path).pages).replace("\u200b", "").split())
        assert "The goods stay ours until they are paid" in text
        assert "Signed by" in text
        kept = await visitor.context.cookies()
        assert bool([c for c in kept if c["name"].startswith("__Host-cs_")]) is cookies
        assert stage.world.sandbox.spec_errors == []
        told = await visitor.page.evaluate("bcPanel.urls.map((u) => u.href)")
        assert told
        assert all("x=" not in url for url in told)
