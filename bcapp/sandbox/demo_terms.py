"""A road of the demo on which a customer signs the terms once, and every later order names that signature."""

from __future__ import annotations

import re
from typing import Any

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]

AGREEMENT = "Terms of trade"
TEXT = "# Terms of trade\n\nCustomer {{customer.id}}: goods stay ours until they are paid.\n"
BASIC = 1  # customer group
SMALL = [["SOCK-3", 1]]


def _agreement(driver: Driver) -> str:
    new = driver.page("/agreements/new?source=text")
    driver.sure(driver.browser.submit(new, "/agreements/new", name=AGREEMENT, title=AGREEMENT, body=TEXT))
    html = driver.page("/rules/new?workflow=customer_terms&kind=customer").html
    found = re.search(rf'<option value="(\d+)"[^>]*>\s*{AGREEMENT}', html)
    if found is None:
        raise DemoFailed(f"the agreement “{AGREEMENT}” is not in the list")
    return found[1]


def _sent(driver: Driver, named: str) -> dict[str, Any]:
    def asked() -> dict[str, Any] | None:
        rows = driver.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        return next((d for d in rows if f"{named}," in d["name"] and d.get("status") in ("se", "vi")), None)

    return until(asked, f"{named}: a request is sent", PATIENCE)


def signed_once_and_named(driver: Driver) -> Told:
    """A customer waits in another group until the terms are signed; the next order names them, unasked and unheld."""
    mark = {"field": "form_field", "argument": "Terms", "operator": "has_any_of", "value": "yes"}
    page = driver.save_rule(
        "Terms of trade, once", workflow="customer_terms", kind="customer", agreement_id=_agreement(driver),
        customer="yes", once="customer", **{f"c__0__0__{k}": v for k, v in mark.items()},
        **{"o.waiting_group": str(BASIC)},
    )  # fmt: skip
    driver.go_live(page)
    path, email = f"/_sandbox/stores/{driver.hash}/customers", "otto@trade.example"
    made = driver.ask("POST", path, first_name="Otto", last_name="Ek", email=email, form_fields={"Terms": "yes"})
    before = made["customer_group_id"]

    def group() -> int:
        return int(driver.ask("GET", f"{path}/{made['id']}")["customer_group_id"])

    document = _sent(driver, f"Customer {made['id']}")
    until(lambda: group() == BASIC, "the customer waits in another group", PATIENCE)
    driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=email)
    until(lambda: group() == before, "the customer is back in the group", PATIENCE)
    order = driver.place(lines=SMALL, customer_id=made["id"])

    def written() -> bool:
        fields = {m["key"]: m["value"] for m in driver.order(order["id"])["metafields"]}
        return fields.get("state") == "covered" and "Covered by the acceptance of " in fields.get("detail", "")

    until(written, "the order's metafield names the signature", PATIENCE, lambda: driver.told(order["id"]))
    if driver.documents(order["id"]) or driver.order(order["id"])["status_id"] != 11:
        raise DemoFailed("an order of a customer who signed was touched")
    rows = driver.ask("GET", f"/_sandbox/deliveries?store={driver.hash}&scope=store/customer/created")
    found = [d["id"] for d in rows if d["body"].get("data", {}).get("id") == made["id"]]
    trigger = f"webhook {found[0]}" if found else "sweep"
    return trigger, "sent, completed", "held, released", f"group {before} → {BASIC} → {before}; order named"
