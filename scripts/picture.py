"""Make docs/img/control-panel.png: the app in the simulated control panel, with orders that wait or went on.

Run it with `.venv/bin/python scripts/picture.py`; it needs Chromium. Everything is simulated and ends with it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from bcapp.sandbox import demo
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.driver import Driver
from bcapp.sandbox.ground import SandboxSettings
from bcapp.sandbox.server import SandboxServer

TARGET = Path(__file__).resolve().parents[1] / "docs" / "img"
ORDERS = (("TENT-4", 2), ("KAYAK-17", 1), ("TENT-4", 3), ("TENT-4", 4), ("KAYAK-17", 2))
SIGNED = 2


def fill(driver: Driver) -> None:
    """Set the app up and let orders come: some signed and released, one declined, the others wait."""
    driver.set_up()
    driver.make_rule("Large orders", "500.00", internal=[], customer="yes", most_per_hour="1000")
    orders = [driver.place(lines=[[sku, count]], customer_id=n + 2)["id"] for n, (sku, count) in enumerate(ORDERS)]
    documents = [driver.wait_sent(order) for order in orders]
    for order, document in zip(orders[:SIGNED], documents, strict=False):
        driver.sign(document)
        driver.wait_status(order, 11, "it is released")
    driver.sign(documents[-1], "decline", reason="The discount is missing")
    driver.wait_record(orders[-1], "Declined")


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is needed (on Debian: apt-get install chromium).", file=sys.stderr)
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    port = demo._free_port()
    settings = SandboxSettings(speed=60.0, history=True, app_url=f"http://127.0.0.1:{port}")
    settings.panel_url = "http://store-{hash}.localhost:" + str(sandbox_port := demo._free_port())
    with tempfile.TemporaryDirectory() as folder, SandboxServer(Sandbox(settings), sandbox_port) as server:
        smtp = server.sandbox.signature.start_smtp()
        environment = demo._environment(server, port, smtp, Path(folder))
        with demo._app(environment, port, Path(folder), False) as log, sync_playwright() as playwright:
            driver = Driver(server, settings.app_url, log)
            fill(driver)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 860}, device_scale_factor=1.5)
            panel = settings.panel_url.replace("{hash}", driver.hash)
            page.goto(f"{panel}/manage/{driver.hash}/app")
            page.wait_for_timeout(1500)
            app = page.frames[-1]
            app.get_by_role("heading", name="Home").wait_for()
            app.get_by_role("link", name="Requests").first.click()
            app.get_by_role("heading", name="Requests").wait_for()
            page.mouse.move(2, 700)
            page.wait_for_timeout(1500)
            page.screenshot(path=TARGET / "control-panel.png")
            browser.close()
            driver.browser.close()
            driver.http.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
