"""Roads of the demo about offers: a promotion that a sweep finds, and a quote of B2B Edition."""

from __future__ import annotations

import re
from typing import Any

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]

DANA, BUYER = "dana@northfield.example", "lena@hartmann.example"
SWEEP = 150  # seconds after which promotions are read again


def _rule(driver: Driver, name: str, kind: str, **values: Any) -> None:
    """Make a live rule: Dana approves what is at least 20 percent off."""
    html = driver.page(f"/rules/new?workflow=offer_approval&kind={kind}").html
    dana = re.search(r'<option value="(\d+)"[^>]*>Dana Lead', html)
    if dana is None:
        raise DemoFailed("the editor does not offer Dana Lead")
    deep = {"c__0__0__field": "depth", "c__0__0__operator": "at_least", "c__0__0__value": "20"}
    named = {"internal": "yes", "approver_how": "named", "approver_0": dana[1]}
    driver.go_live(driver.save_rule(name, workflow="offer_approval", kind=kind, **{**deep, **named, **values}))


def _ask(driver: Driver, act: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = driver.ask("POST", f"/_sandbox/stores/{driver.hash}/offers/{act}", **body)
    return found


def _offer(driver: Driver, what: str, number: int) -> dict[str, Any]:
    rows = driver.ask("GET", f"/_sandbox/stores/{driver.hash}/offers/list")[what]
    found: dict[str, Any] = next(r for r in rows if number in (r.get("id"), r.get("quoteId")))
    return found


def _sent(driver: Driver, named: str) -> dict[str, Any]:
    def asked() -> dict[str, Any] | None:
        rows = driver.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        sent = [d for d in rows if f"{named}," in d["name"] and d.get("status") in ("se", "vi") and d.get("signers")]
        return sent[-1] if sent else None

    return until(asked, f"{named}: a request is sent", PATIENCE)


def _swept(driver: Driver) -> None:
    """Wait until all promotions were read again."""

    def reads() -> int:
        rows = driver.ask("GET", "/_sandbox/calls?service=bigcommerce&method=GET&path=/v3/promotions$")
        return len(rows["calls"] if isinstance(rows, dict) else rows)

    before = reads()

    def again() -> bool:
        driver.advance(SWEEP)
        return reads() >= before + 2  # the second began after the first had ended

    until(again, "promotions are read again", PATIENCE)


def promotion_signed(driver: Driver) -> Told:
    """A promotion of 30 % is off until Dana signs; one that stood there before is left alone."""
    existing = _ask(driver, "promote", name="Old sale", percent="50", starts_in=24)["id"]
    _swept(driver)
    _rule(driver, "Deep promotions", "promotion")
    number = _ask(driver, "promote", name="Spring", percent="30", starts_in=48)["id"]

    def is_off() -> bool:
        driver.advance(SWEEP)
        return bool(_offer(driver, "promotions", number)["status"] == "DISABLED")

    until(is_off, f"promotion {number} is switched off", PATIENCE)
    document = _sent(driver, f"Promotion {number}")
    driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=DANA)
    until(
        lambda: _offer(driver, "promotions", number)["status"] == "ENABLED",
        f"promotion {number} is on again",
        PATIENCE,
    )
    driver.wait_page(f"/promotions/{number}", "Released", "its page says released")
    if _offer(driver, "promotions", existing)["status"] != "ENABLED":
        raise DemoFailed("a promotion from before the rule was touched")
    return "sweep", "sent, completed", "held, released", "off → on"


def quote_signed_and_sent(driver: Driver) -> Told:
    """A quote of 25 % off: Dana signs, then its buyer; its checkout opens, and it is mailed."""
    _rule(driver, "Deep quotes", "quote", customer="yes", sequence="internal_first")
    quote = _ask(driver, "raise_quote", lines=[["TENT-4", 4, 25]])
    number = int(quote["quoteId"])
    driver.ask("POST", f"/_sandbox/signature/documents/{_sent(driver, f'Quote {number}')['uuid']}/sign", email=DANA)
    if _offer(driver, "quotes", number)["allowCheckout"]:
        raise DemoFailed("the quote can be bought before it is signed")

    def buyer_is_asked() -> dict[str, Any] | None:
        document = _sent(driver, f"Quote {number}")
        return document if any(s["email"] == BUYER for s in document["signers"]) else None

    document = until(buyer_is_asked, "the buyer is asked once it is approved", PATIENCE)
    driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=BUYER)

    def mailed() -> bool:
        rows = driver.ask("GET", f"/_sandbox/stores/{driver.hash}/offers/list")["mails"]
        return any(m["quoteId"] == str(number) for m in rows)

    until(mailed, f"quote {number} is mailed to its buyer", PATIENCE)
    driver.wait_page(f"/quotes/{number}", "Released", "its page says released")
    rows = driver.ask("GET", f"/_sandbox/deliveries?store={driver.hash}&scope=store/quote/created")
    found = [d["id"] for d in rows if d["body"].get("data", {}).get("quote_id") == number]
    trigger = f"webhook {found[0]}" if found else "sweep"
    return trigger, "approved, signed", "held, released", "closed → open, mailed"
