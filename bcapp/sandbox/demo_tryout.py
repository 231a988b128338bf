"""The demo's road of a rule that monitors first, then goes live past its boundary."""

from __future__ import annotations

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import Driver

Told = tuple[str, str, str, str]

SKU = "TENT-4-FP"  # no other rule of the demo asks about it
FOOTPRINT = [[SKU, 1]]


def monitored_then_live(driver: Driver) -> Told:
    """While it monitors nobody is asked; live, it leaves alone what was placed before."""
    rule = driver.save_rule(
        "Footprints",
        SKU,
        c__0__0__field="sku",
        c__0__0__operator="has_any_of",
        internal=[],
        customer="yes",
    )
    path = rule.url.split("?")[0].partition(driver.root)[2]
    driver.sure(driver.browser.submit(rule, "/mode", mode="monitor"))
    before = driver.place(lines=FOOTPRINT)["id"]
    driver.wait_record(before, "Monitor: would have asked.")
    results = driver.page(f"{path}/monitor")
    if f"Order {before}," not in results.text:
        raise DemoFailed("the results of monitoring do not name the order")
    driver.advance(2)  # the store tells whole seconds only
    driver.go_live(results)
    driver.sure(driver.browser.submit(driver.page(f"/orders/{before}"), "/look"))
    driver.wait_record(before, "Created before the rule went live.")
    if driver.documents(before):
        raise DemoFailed("an order from before the boundary was asked about")
    driver.advance(2)
    order = driver.place(lines=FOOTPRINT)["id"]
    driver.sign(driver.wait_sent(order))
    driver.wait_status(order, 11, "it is released")
    driver.wait_record(order, "Released")
    return driver.delivery_of(order), "before: none, after: completed", "held, released", driver.history(order)
