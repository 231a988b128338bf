"""Roads of the demo about cases: a return from its form to the refund, by staff and by a shopper; what goes wrong."""

from __future__ import annotations

import re
from typing import Any

from bcapp.sandbox.browser import Browser, DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until
from bcapp.sandbox.signature.pdf import text_pdf

Told = tuple[str, str, str, str]

DANA = "dana@northfield.example"
ROBIN = "robin.guest@example.com"
SOCKS = "SOCK-3"  # below every rule about orders
TEN_MINUTES = 660


def prepare(driver: Driver) -> None:
    """Make a live rule: Dana approves every case that costs money."""
    html = driver.page("/rules/new?workflow=case_approval").html
    dana = re.search(r'<option value="(\d+)"[^>]*>Dana Lead', html)
    if dana is None:
        raise DemoFailed("the editor does not offer Dana Lead")
    costs = {"c__0__0__field": "amount", "c__0__0__operator": "at_least", "c__0__0__value": "0.01"}
    named = {"internal": "yes", "approver_how": "named", "approver_0": dana[1], "expiry_days": "3"}
    given: dict[str, Any] = {**costs, "c__0__0__currency": "USD", **named}
    driver.go_live(driver.save_rule("Refunds", workflow="case_approval", **given))


def _open(driver: Driver, order: dict[str, Any]) -> int:
    """Open a return of one piece, as staff do it in the panel."""
    form = driver.page("/cases/new")
    given = {"order": str(order["id"]), "kind": "return", "reason": "damaged"}
    shown = driver.sure(driver.browser.submit(form, "/cases/new", **given))
    number = re.search(r"/cases/(\d+)/lines", shown.url + shown.html)
    if number is None:
        raise DemoFailed(f"no case was opened: {' '.join(shown.text.split())[:300]}")
    path = f"/cases/{number[1]}/lines"
    lines = driver.wait_page(path, "Have it calculated", "the order's lines are read")
    driver.sure(driver.browser.submit(lines, path, pieces_0="1", why_0="Torn seam"))
    driver.wait_page(f"/cases/{number[1]}", "Waits for approval", "the store has calculated it")
    return int(number[1])


def _sign(driver: Driver, case_id: int) -> None:
    def sent() -> dict[str, Any] | None:
        rows = driver.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        mine = [d for d in rows if f"Case {case_id}," in d["name"] and d.get("status") in ("se", "vi")]
        return mine[-1] if mine else None

    document = until(sent, f"case {case_id}: a request is sent", PATIENCE)
    driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=DANA)


def _refunds(driver: Driver, order_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = driver.order(order_id)["refunds"]
    return found


def _refunded_once(driver: Driver, order_id: int, case_id: int) -> str:
    driver.wait_page(f"/cases/{case_id}", "Settled", f"case {case_id} is closed once it is settled")
    refunds = _refunds(driver, order_id)
    if [r["items"][0]["reason"] for r in refunds] != [f"CS-{case_id}"]:
        raise DemoFailed(f"order {order_id} was refunded {len(refunds)} times")
    return f"1 refund of {refunds[0]['total_amount']:.2f}"


def return_refunded(driver: Driver) -> Told:
    """Nothing is refunded before Dana signs; then once, and the case is closed when the money is settled."""
    prepare(driver)
    order = driver.place(lines=[[SOCKS, 2]])
    case_id = _open(driver, order)
    if _refunds(driver, order["id"]):
        raise DemoFailed("it was refunded before it was signed")
    _sign(driver, case_id)
    return "panel", "sent, completed", "held, released", _refunded_once(driver, order["id"], case_id)


def answer_lost(driver: Driver) -> Told:
    """The store refunds and answers 503: it is looked for ten minutes later, and never sent again."""
    order = driver.place(lines=[[SOCKS, 2]])
    case_id = _open(driver, order)
    path = f"/v3/orders/{order['id']}/payment_actions/refunds$"
    driver.ask("POST", "/_sandbox/faults", service="bigcommerce", method="POST", path=path, kind="after")
    _sign(driver, case_id)
    driver.wait_page(f"/cases/{case_id}", "Its answer was lost", "the answer of the store is lost")
    driver.advance(TEN_MINUTES)
    return "panel", "sent, completed", "held, released", _refunded_once(driver, order["id"], case_id)


def asked_by_shopper(driver: Driver) -> Told:
    """A link goes to the order's address only; what is asked there waits for Dana like every other case."""
    path, start = "/settings/returns", f"/returns/{driver.hash}"
    driver.sure(driver.browser.submit(driver.page(path), path, returns_form="yes"))
    order = driver.place(lines=[[SOCKS, 2]], email=ROBIN, customer_id=0)
    shopper = Browser(driver.app_url)
    try:
        for email in ("somebody.else@example.com", ROBIN):
            driver.sure(shopper.submit(shopper.open(start), start, order=str(order["id"]), email=email))
        link = until(lambda: _link(driver), "the link to the form is mailed", PATIENCE)
        form = driver.sure(shopper.open(link))
        pieces = re.search(r'name="(pieces_\d+)"', form.html)
        if pieces is None:
            raise DemoFailed("the form offers nothing of the order")
        torn = ("files", ("torn.pdf", text_pdf(["Torn seam"], title="Torn"), "application/pdf"))
        sent = shopper.submit(form, link, "", [torn], kind="exception", reason="damaged", **{pieces[1]: "1"})
        number = re.search(r"Request (\d+):", driver.sure(sent).text)
    finally:
        shopper.close()
    if number is None:
        raise DemoFailed(f"no case was opened: {' '.join(sent.text.split())[:300]}")
    case_id = int(number[1])
    driver.wait_page(f"/cases/{case_id}", "Waits for approval", "the store has calculated it")
    _sign(driver, case_id)
    return "shopper’s form", "sent, completed", "held, released", _refunded_once(driver, order["id"], case_id)


def _link(driver: Driver) -> str:
    mails = driver.ask("GET", f"/_sandbox/signature/inbox?to={ROBIN}&kind=app")
    found = [match[0] for mail in mails if (match := re.search(r"/returns/link/\S+", mail["text"]))]
    return found[-1] if found else ""


def refunded_by_hand(driver: Driver) -> Told:
    """A refund in the control panel without a case is told, with who made it."""
    order = driver.place(lines=[[SOCKS, 1]])
    driver.act(order["id"], "refund", amount="2.00")
    driver.wait_page("/cases/refunds", f"Order {order['id']}", "the refund stands in the report")
    rows = driver.ask("GET", f"/_sandbox/deliveries?store={driver.hash}&scope=store/order/refund/created")
    found = [d["id"] for d in rows if d["body"].get("data", {}).get("id") == order["id"]]
    return f"webhook {found[0]}" if found else "sweep", "none", "none", "told, with who made it"
