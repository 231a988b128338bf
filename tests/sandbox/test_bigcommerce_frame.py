"""The control panel's frame in a real browser: cross-site, and speaking the SDK's wire in both directions."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from bcapp.sandbox.seed import MAIN
from tests.sandbox.vendor import World

pytestmark = pytest.mark.browser

APP_PAGE = """<!doctype html><title>app</title><button>Here</button>
<script>
window.loggedOut = 0;
window.bcAsyncInit = function () { Bigcommerce.init({ onLogout: function () { window.loggedOut += 1; } }); };
</script>
<script src="%s/sdk/bc-sdk.js"></script>"""


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of Chromium that finds every *.test host on this machine."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: no program named chromium is installed")
    with sync_playwright() as playwright:
        rules = "--host-resolver-rules=MAP *.test 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", rules])
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def test_the_frame_speaks_the_wire(bc: World, page: Page) -> None:
    panel = f"http://store-{MAIN}.mybigcommerce.test:{bc.server.port}"
    bc.sandbox.settings.app_url = f"http://app.countersign.test:{urlsplit(bc.app.url).port}"
    bc.app.pages["/load"] = APP_PAGE % panel
    page.goto(f"{panel}/manage/app/41257")
    page.wait_for_function("bcPanel.ready && bcPanel.urls.length === 1")
    assert page.evaluate("bcPanel.messages[0]") == {"method": "bc::__ready", "params": "ping"}
    frame = page.frame("app-frame")
    assert frame is not None
    assert frame.evaluate("window.origin") == bc.sandbox.settings.app_url
    frame.evaluate("history.pushState({}, '', '/load/rules')")
    page.wait_for_function("bcPanel.urls.length === 2")
    told = page.evaluate("bcPanel.urls")
    assert [t["type"] for t in told] == ["normal", "pushState"]
    assert told[1]["href"].endswith("/load/rules")
    frame.get_by_role("button", name="Here").hover()
    page.wait_for_function("bcPanel.notIdle === 1")
    page.evaluate("document.getElementById('log-out').requestSubmit()")
    frame.wait_for_function("window.loggedOut === 1")
    page.wait_for_url("**/logout")
    assert "You are signed out" in page.content()


@pytest.mark.parametrize("path", ["", "/orders", "/apps"])
def test_the_panel_asks_nothing_of_other_hosts_and_breaks_nothing(bc: World, page: Page, path: str) -> None:
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    page.goto(f"{bc.server.url}/manage/{MAIN}{path}")
    assert broken == []
    assert all(url.startswith((bc.server.url, "data:")) for url in asked)
