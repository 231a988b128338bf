"""The demo's road of a rule that runs away: its limit per hour pauses it, and nothing but an alarm follows."""

from __future__ import annotations

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import Driver

Told = tuple[str, str, str, str]
SKU = "COMP-1"  # no other rule of the demo asks about it
MOST = 2


def limit_pauses_the_rule(driver: Driver) -> Told:
    """Three orders match a rule that may ask twice an hour: the third is left alone, and a person is told."""
    rule = driver.save_rule(
        "Compasses, by mistake",
        SKU,
        c__0__0__field="sku",
        c__0__0__operator="has_any_of",
        internal=[],
        customer="yes",
        most_per_hour=str(MOST),
    )
    path = rule.url.split("?")[0].partition(driver.root)[2]
    driver.go_live(rule)
    orders = [driver.place(lines=[[SKU, 1]])["id"] for _ in range(MOST)]
    for order_id in orders:
        driver.wait_sent(order_id)
        driver.wait_status(order_id, 12, "it is held")
    third = driver.place(lines=[[SKU, 1]])["id"]
    driver.wait_page(path, "The rule is paused", "the rule is paused at its limit")
    driver.wait_page("/", "is paused", "Home tells it to a person")
    driver.wait_record(third, "paused")
    if driver.documents(third) or driver.order(third)["status_id"] != 11:
        raise DemoFailed("an order beyond the limit was touched")
    for order_id in orders:  # what was asked before goes on
        driver.sign(driver.wait_sent(order_id))
        driver.wait_status(order_id, 11, "it is released")
    return driver.delivery_of(third), f"{MOST} sent, then paused", "none for the third", "none for the third"
