"""A road of the demo on which staff see an order's signatures inside the store's own list of orders."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]


def seen_beside_the_order(driver: Driver) -> Told:
    """The signed order has its metafields; its row in the store's list opens what was signed."""
    order = driver.place()
    driver.sign(driver.wait_sent(order["id"]))
    driver.wait_status(order["id"], 11, "it is released")

    def written() -> str:
        fields = {m["key"]: m["value"] for m in driver.order(order["id"])["metafields"]}
        return str(fields.get("state", "")) if fields.get("state") == "signed" and "detail" in fields else ""

    until(written, "the order's metafields say signed", PATIENCE)

    def listed() -> str:
        row = re.search(
            rf'href="([^"]*/orders/{order["id"]}/signatures[^"]*|[^"]*url=[^"]*orders%2F{order["id"]}%2Fsignatures[^"]*'
            rf'|[^"]*url=/orders/{order["id"]}/signatures[^"]*)"',
            driver.http.get(f"/manage/{driver.hash}/orders").text,
        )
        return html.unescape(row[1]) if row else ""

    opened = until(listed, "the store's list of orders offers the signatures", PATIENCE)
    where = parse_qs(urlsplit(opened).query)["url"][0]
    load = driver.ask("GET", f"/_sandbox/stores/{driver.hash}/load_url?url={where}")
    page = driver.browser.open(load["url"])
    if page.status != 200 or f"Order {order['id']}" not in page.text or "Completed" not in page.text:
        raise DemoFailed(f"{where} does not show the signature: {' '.join(page.text.split())[:400]}")
    return driver.delivery_of(order["id"]), "completed, shown in the list", "held, released", "2 metafields"
