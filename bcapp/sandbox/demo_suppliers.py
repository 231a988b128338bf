"""The road of the demo about suppliers: invited and counter-signed, its products hidden and shown again."""

from __future__ import annotations

import re
from typing import Any

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]

BRAND, SKU = "Granite Peak", "TENT-X8"
SIGNATORY, DANA = "ann.lee@granitepeak.example", "dana@northfield.example"


def _products(driver: Driver) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = driver.ask("GET", f"/_sandbox/stores/{driver.hash}/products?brand={BRAND}")
    return rows


def _visible(driver: Driver, count: int, what: str) -> None:
    until(lambda: sum(p["is_visible"] for p in _products(driver)) == count, what, PATIENCE)


def _rule(driver: Driver) -> None:
    html = driver.page("/rules/new?workflow=supplier_agreement").html
    dana = re.search(r'<option value="(\d+)"[^>]*>Dana Lead', html)
    if dana is None:
        raise DemoFailed("the editor does not offer Dana Lead")
    named = {"internal": "yes", "approver_how": "named", "approver_0": dana[1], "customer": "yes"}
    rule = driver.save_rule("Suppliers sign", workflow="supplier_agreement", **named, o__hide="all")
    driver.go_live(rule)


def _sent(driver: Driver, number: str) -> dict[str, Any]:
    def asked() -> dict[str, Any] | None:
        rows = driver.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        of = [d for d in rows if any(s["email"] == SIGNATORY for s in d["signers"]) and d["status"] in ("se", "vi")]
        return of[-1] if of else None

    told = f"{driver.root}/suppliers/{number}"
    return until(
        asked, "the supplier is asked", PATIENCE, lambda: " ".join(driver.browser.open(told).text.split())[:600]
    )


def supplier_signed(driver: Driver) -> Told:
    """A brand's products are hidden until its supplier and Dana have signed; one made meanwhile is hidden too."""
    _rule(driver)
    every = len(_products(driver))
    new = driver.page("/suppliers/new")
    given: dict[str, str | list[str]] = {
        "name": "Granite Peak Ltd",
        "country": "US",
        "signatory_name": "Ann Lee",
        "signatory_email": SIGNATORY,
        "brands": BRAND,
        "insurance_until": "2030-12-31",
        "invite": [],
    }
    page = driver.sure(driver.browser.submit(new, "/suppliers/new", "Add the supplier", **given))
    number = page.url.split("?")[0].rpartition("/")[2]
    # What hiding would do is on the page before anything is hidden.
    driver.wait_page(f"/suppliers/{number}/invite", f"Products it covers {every}", "its products are counted")
    invite = driver.page(f"/suppliers/{number}/invite")
    driver.sure(driver.browser.submit(invite, "/invite", hide_all="yes"))
    document = _sent(driver, number)
    _visible(driver, 0, "its products are hidden")
    driver.ask("POST", f"/_sandbox/stores/{driver.hash}/products", like=SKU, is_visible=True)
    _visible(driver, 0, "a product that is made meanwhile is hidden too")
    for email in (SIGNATORY, DANA):
        driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=email)
    _visible(driver, every + 1, "its products are shown again")
    driver.wait_page(f"/suppliers/{number}", "Released", "its page says released")
    rows = driver.ask("GET", f"/_sandbox/deliveries?store={driver.hash}&scope=store/product/created")
    return f"webhook {rows[-1]['id']}", "signed, counter-signed", "held, released", f"{every + 1} hidden → shown"
