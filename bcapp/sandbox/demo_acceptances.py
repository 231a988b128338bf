"""Roads of the demo on which one signature counts for more than one order."""

from __future__ import annotations

import re

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]

AGREEMENT = "Terms for climbers"
TEXT = "# Terms for climbers\n\nRopes and harnesses are checked before each use. Order {{order.id}}.\n"
NEWER = TEXT + "\nAfter ten years they are taken out of use.\n"
ROPE = [["ROPE-D98-60", 1]]
FIRST, EARLIER = 2, 3  # customers: one signs here, one signed before the app


def prepare(driver: Driver) -> None:
    """A rule that lets each customer sign once."""
    new = driver.page("/agreements/new?source=text")
    driver.sure(driver.browser.submit(new, "/agreements/new", name=AGREEMENT, title=AGREEMENT, body=TEXT))
    driver.make_rule(
        "Climbers sign once",
        "100.00",
        c__0__0__field="sku",
        c__0__0__operator="has_any_of",
        c__0__0__value=ROPE[0][0],
        agreement_id=_agreement(driver),
        internal=[],
        customer="yes",
        once="customer",
    )


def _agreement(driver: Driver) -> str:
    found = re.search(rf'/agreements/(\d+)"[^>]*>\s*{AGREEMENT}', driver.page("/agreements").html)
    if found is None:
        raise DemoFailed(f"the agreement “{AGREEMENT}” is not in the list")
    return found[1]


def _signed(driver: Driver, customer: int) -> int:
    order = driver.place(lines=ROPE, customer_id=customer)
    driver.sign(driver.wait_sent(order["id"]))
    driver.wait_status(order["id"], 11, "it is released")
    driver.wait_record(order["id"], "Released")
    return int(order["id"])


def _covered(driver: Driver, customer: int, words: str) -> Told:
    """An order goes on unasked and unheld; its page and its metafield name the signature."""
    order = driver.place(lines=ROPE, customer_id=customer)
    driver.wait_record(order["id"], words)

    def written() -> bool:
        fields = {m["key"]: m["value"] for m in driver.order(order["id"])["metafields"]}
        return fields.get("state") == "covered" and words in fields.get("detail", "")

    until(written, "the order's metafield names the signature", PATIENCE, lambda: driver.told(order["id"]))
    if driver.documents(order["id"]) or driver.order(order["id"])["status_id"] != 11:
        raise DemoFailed("a covered order was touched")
    return driver.delivery_of(order["id"]), "none, covered", "none", "none"


def second_order_covered(driver: Driver) -> Told:
    _signed(driver, FIRST)
    return _covered(driver, FIRST, "Covered by the acceptance of ")


def imported_honoured(driver: Driver) -> Told:
    lines = ["agreement,signed_on,customer_id,file", f"{AGREEMENT},2024-03-12,{EARLIER},ida.pdf"]
    sheet = "\n".join([*lines, f"{AGREEMENT},2024-03-12,999999,"])
    files = [
        ("sheet", ("earlier.csv", sheet.encode(), "text/csv")),
        ("files", ("ida.pdf", b"%PDF-1.7 as it was signed on paper", "application/pdf")),
    ]
    page = driver.sure(driver.browser.submit(driver.page("/acceptances/imports"), "/imports", "", files))
    path = page.url.split("?")[0].partition(driver.root)[2]
    checked = driver.wait_page(path, "Bring in 1 signature", "one line matches")
    if "was not uploaded" in checked.text or "Miss" not in checked.text:
        raise DemoFailed("the line without a customer is not told")
    driver.sure(driver.browser.submit(checked, "/apply"))
    driver.wait_page(path, "1 signature was brought in", "the match is brought in")
    return _covered(driver, EARLIER, "Covered by the acceptance of 12 March 2024.")


def new_material_version(driver: Driver) -> Told:
    path = f"/agreements/{_agreement(driver)}"
    form = driver.page(path)
    driver.sure(driver.browser.submit(form, path, body=NEWER, weight="material"))
    driver.ask("POST", "/_sandbox/clock", advance=2)  # the store tells whole seconds only
    order = _signed(driver, FIRST)
    return driver.delivery_of(order), "sent, completed", "held, released", driver.history(order)
