"""Roads of the demo about warranties: signed after the shipment, looked up at the counter."""

from __future__ import annotations

from typing import Any

from bcapp.sandbox.driver import Driver

Told = tuple[str, str, str, str]

SKU = "SOCK-3"


def _asked(driver: Driver, order: dict[str, Any]) -> dict[str, Any]:
    driver.act(order["id"], "ship")
    return driver.wait_sent(order["id"])


def _shipment_of(driver: Driver, order_id: int) -> str:
    """The delivery that told of the shipment."""
    rows = driver.ask("GET", f"/_sandbox/deliveries?store={driver.hash}&scope=store/order/statusUpdated")
    found = [d for d in rows if d["body"].get("data", {}).get("id") == order_id]
    return f"webhook {found[-1]['id']}" if found else "webhook"


def registered_and_looked_up(driver: Driver) -> Told:
    """A shipped order is signed for with its serial numbers; the counter finds one, until it is refunded."""
    rule = driver.save_rule(
        "Warranty for socks", workflow="warranty", internal=[], customer="yes", o__products=SKU, o__months="24"
    )
    driver.go_live(rule)
    order = driver.place(lines=[[SKU, 1]], email="warranty@buyers.example", customer_id=0)
    document = _asked(driver, order)
    line = order["lines"][0]["id"]
    driver.sign(document, inputs={f"serial_{line}_1": "NF-2039 1"})
    driver.wait_page("/registrations?q=nf20391", "Covered: the warranty runs from", "the counter finds it")
    driver.act(order["id"], "refund", lines={str(line): 1})
    driver.wait_page(f"/registrations?q={order['id']}", "Not covered: the warranty ended", "a refund ends it")
    return _shipment_of(driver, order["id"]), "completed with a serial number", "none", "registered, found, refunded"


def not_activated(driver: Driver) -> Told:
    order = driver.place(lines=[[SKU, 1]], email="declines@buyers.example", customer_id=0)
    driver.sign(_asked(driver, order), "decline", reason="No, thank you")
    words = "not activated, because the buyer declined. Statutory rights are unaffected."
    driver.wait_page(f"/registrations?q={order['id']}", words, "the counter says why not")
    return _shipment_of(driver, order["id"]), "declined", "none", driver.history(order["id"])
