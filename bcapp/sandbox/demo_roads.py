"""The roads that the demo walks: every workflow and its side roads, each from its webhook or sweep to its end."""

from __future__ import annotations

from collections.abc import Callable

from bcapp.sandbox import (
    demo_acceptances,
    demo_accounts,
    demo_cases,
    demo_limits,
    demo_linking,
    demo_offers,
    demo_signers,
    demo_suppliers,
    demo_terms,
    demo_tryout,
    demo_warranty,
)
from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]  # trigger, request, hold, actions at the store


def prepare(driver: Driver) -> None:
    """Two rules: the buyer signs large orders; very large ones need an approver first."""
    driver.make_rule("Buyers sign large orders", "500.00", internal=[], customer="yes", most_per_hour="1000")
    demo_acceptances.prepare(driver)


def _released(driver: Driver, order_id: int) -> Told:
    driver.wait_status(order_id, 11, "it is released")
    driver.wait_record(order_id, "Released")
    return driver.delivery_of(order_id), "sent, completed", "held, released", driver.history(order_id)


def signed_and_released(driver: Driver) -> Told:
    order = driver.place()
    document = driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    driver.sign(document)
    told = _released(driver, order["id"])

    def written() -> bool:
        fields = {m["key"]: m["value"] for m in driver.order(order["id"])["metafields"]}
        return fields.get("state") == "signed"

    until(written, "the order's metafield says signed", PATIENCE)
    return told


def small_order(driver: Driver) -> Told:
    order = driver.place(lines=[["SOCK-3", 1]])
    driver.wait_record(order["id"], "Does not ask")
    if driver.documents(order["id"]) or driver.order(order["id"])["status_id"] != 11:
        raise DemoFailed("a small order was touched")
    return driver.delivery_of(order["id"]), "none", "none", "none"


def edited_while_open(driver: Driver) -> Told:
    order = driver.place()
    driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    line = order["lines"][0]["id"]
    driver.act(order["id"], "edit", quantities={str(line): 3})

    def replaced() -> bool:
        states = [d["status"] for d in driver.documents(order["id"])]
        return states.count("ca") == 1 and any(s in ("se", "vi") for s in states)

    until(replaced, "the first request is cancelled and a second is sent", PATIENCE, lambda: driver.told(order["id"]))
    driver.sign(driver.wait_sent(order["id"]))
    trigger, _, hold, actions = _released(driver, order["id"])
    return trigger, "cancelled, second round completed", hold, actions


def declined_then_released_by_hand(driver: Driver) -> Told:
    order = driver.place()
    document = driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    driver.sign(document, "decline", reason="Too expensive")
    driver.wait_record(order["id"], "Kept")
    form = driver.page(f"/orders/{order['id']}/release")
    driver.sure(driver.browser.submit(form, "/release", why="The buyer signed on paper"))
    driver.wait_status(order["id"], 11, "it is released by hand")
    return driver.delivery_of(order["id"]), "declined", "kept, overridden", driver.history(order["id"])


def cancelled_by_the_merchant(driver: Driver) -> Told:
    order = driver.place()
    driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    driver.act(order["id"], "cancel")

    def ended() -> bool:
        return [d["status"] for d in driver.documents(order["id"])] == ["ca"]

    until(ended, "the request is cancelled at the service", PATIENCE, lambda: driver.told(order["id"]))
    if driver.order(order["id"])["status_id"] != 5:
        raise DemoFailed("a cancelled order was moved")
    return driver.delivery_of(order["id"]), "cancelled", "released as it is", driver.history(order["id"])


def moved_by_a_payment(driver: Driver) -> Told:
    order = driver.place(payment="unpaid", method="bank")
    document = driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    driver.act(order["id"], "pay")

    def held_again() -> bool:
        return [h["status_id"] for h in driver.order(order["id"])["history"]].count(12) == 2

    until(held_again, "a payment does not release it", PATIENCE, lambda: driver.told(order["id"]))
    driver.sign(document)
    return _released(driver, order["id"])


def forwarded_without_leave(driver: Driver) -> Told:
    order = driver.place()
    document = driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    key = document["uuid"]
    signer = next(s for s in document["signers"] if s.get("needs_to_sign", True))
    driver.ask("POST", f"/_sandbox/signature/documents/{key}/forward", email=signer["email"], to="friend@buyer.example")
    driver.ask("POST", f"/_sandbox/signature/documents/{key}/sign", email="friend@buyer.example")
    driver.wait_record(order["id"], "Kept")
    if driver.order(order["id"])["status_id"] != 12:
        raise DemoFailed("an order signed by somebody else was released")
    return driver.delivery_of(order["id"]), "completed, conflict", "kept", driver.history(order["id"])


def every_webhook_lost(driver: Driver) -> Told:
    plan = {"kind": "lose", "times": 8, "scope": ".*"}
    driver.ask("POST", "/_sandbox/webhooks/plan", **plan)
    order = driver.place()

    def found() -> bool:
        driver.ask("POST", "/_sandbox/clock", advance=200)
        return bool(driver.documents(order["id"]))

    until(found, "the sweep finds it", PATIENCE)
    driver.sign(driver.wait_sent(order["id"]))
    _, request, hold, actions = _released(driver, order["id"])
    return "sweep", request, hold, actions


ROADS: dict[str, Callable[[Driver], Told]] = {
    "order_approval: signed and released": signed_and_released,
    "order_approval: below the threshold": small_order,
    "order_approval: edited while open": edited_while_open,
    "order_approval: declined, by hand": declined_then_released_by_hand,
    "order_approval: cancelled": cancelled_by_the_merchant,
    "order_approval: moved by a payment": moved_by_a_payment,
    "order_approval: signed by another": forwarded_without_leave,
    "order_approval: every webhook lost": every_webhook_lost,
    "order_approval: a limit pauses a rule": demo_limits.limit_pauses_the_rule,
    "order_approval: monitor, then live": demo_tryout.monitored_then_live,
    "order_approval: second order covered": demo_acceptances.second_order_covered,
    "order_approval: signed before the app": demo_acceptances.imported_honoured,
    "order_approval: new version asks again": demo_acceptances.new_material_version,
    "order_approval: two approvers in order": demo_signers.two_approvers_in_order,
    "order_approval: nobody signs for days": demo_signers.steps_while_nobody_signs,
    "case_approval: a return": demo_cases.return_refunded,
    "case_approval: by a shopper": demo_cases.asked_by_shopper,
    "case_approval: an answer lost": demo_cases.answer_lost,
    "case_approval: refunded by hand": demo_cases.refunded_by_hand,
    "account_approval: a company applies": demo_accounts.company_approved,
    "account_approval: created in bulk": demo_accounts.company_created_in_bulk,
    "account_approval: a plain customer": demo_accounts.customer_approved,
    "customer_terms: signed once, named": demo_terms.signed_once_and_named,
    "offer_approval: a promotion": demo_offers.promotion_signed,
    "offer_approval: a quote": demo_offers.quote_signed_and_sent,
    "supplier_agreement: hidden until signed": demo_suppliers.supplier_signed,
    "warranty: registered, looked up": demo_warranty.registered_and_looked_up,
    "warranty: declined": demo_warranty.not_activated,
    "record_linking: seen in the list": demo_linking.seen_beside_the_order,
}
