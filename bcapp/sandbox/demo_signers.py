"""Roads of the demo about who signs: two approvers in order by the limits table, and steps while nobody signs."""

from __future__ import annotations

import re
from typing import Any

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]

PARKA, SKIRT = "PARKA-1", "SKIRT-1"  # no other rule of the demo asks about them
DANA, CLEO = "dana@northfield.example", "cleo@northfield.example"
DAY = 86_400
TO_NINE = 33 * 3_600  # whenever an order is placed, nine o'clock of the next day is over by then


def _people(driver: Driver) -> dict[str, str]:
    """Return the numbers of the two approvers, as the editor offers them."""
    html = driver.page("/rules/new?workflow=order_approval").html
    found = {name: re.search(rf'<option value="(\d+)"[^>]*>{name}', html) for name in ("Dana Lead", "Cleo Chief")}
    missing = [name for name, match in found.items() if match is None]
    if missing:
        raise DemoFailed(f"the editor does not offer {', '.join(missing)}")
    return {name: match[1] for name, match in found.items() if match}


def _rule(driver: Driver, name: str, sku: str, **values: Any) -> None:
    driver.make_rule(
        name,
        sku,
        c__0__0__field="sku",
        c__0__0__operator="has_any_of",
        internal="yes",
        customer=[],
        **values,
    )


def _sign(driver: Driver, document: dict[str, Any], email: str) -> None:
    driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=email)


def two_approvers_in_order(driver: Driver) -> Told:
    """Up to 100 USD Dana alone; above that Dana, then Cleo: a parka is asked of both, one after the other."""
    people = _people(driver)
    _rule(
        driver,
        "Parkas by amount",
        PARKA,
        approver_how="bands",
        b__0__up_to="100.00",
        b__0__currency="USD",
        b__0__person_0=people["Dana Lead"],
        b__1__up_to="",
        b__1__currency="",
        b__1__person_0=people["Dana Lead"],
        b__1__person_1=people["Cleo Chief"],
    )
    order = driver.place(lines=[[PARKA, 1]])
    document = driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")
    asked = [(s["email"], s["order"]) for s in document["signers"] if s.get("needs_to_sign", True)]
    if asked != [(DANA, 1), (CLEO, 2)]:
        raise DemoFailed(f"asked are {asked}")
    _sign(driver, document, DANA)

    def second_is_asked() -> bool:
        return bool(driver.ask("GET", f"/_sandbox/signature/inbox?to={CLEO}&kind=invitation"))

    until(second_is_asked, "the second approver is asked once the first has signed", PATIENCE)
    if driver.order(order["id"])["status_id"] != 12:
        raise DemoFailed("one signature of two let it go")
    _sign(driver, document, CLEO)
    driver.wait_status(order["id"], 11, "it is released")
    driver.wait_record(order["id"], "Released")
    return driver.delivery_of(order["id"]), "two signed in order", "held, released", driver.history(order["id"])


def steps_while_nobody_signs(driver: Driver) -> Told:
    """By the sandbox's clock: reminded, another told, an alternate asked who signs. Days pass: it comes last."""
    people = _people(driver)
    steps: dict[str, Any] = {}
    for n, (do, person) in enumerate((("remind", ""), ("escalate", "Cleo Chief"), ("alternate", "Cleo Chief"))):
        steps |= {
            f"s__{n}__after_days": str(n + 1),
            f"s__{n}__at": "09:00",
            f"s__{n}__do": do,
            f"s__{n}__person": people.get(person, ""),
        }
    named = {"approver_how": "named", "approver_0": people["Dana Lead"]}
    _rule(driver, "Skirts by Dana", SKIRT, **named, **steps)
    order = driver.place(lines=[[SKIRT, 1]])
    driver.wait_sent(order["id"])
    driver.wait_status(order["id"], 12, "it is held")

    def mails(to: str, kind: str) -> int:
        return len(driver.ask("GET", f"/_sandbox/signature/inbox?to={to}&kind={kind}"))

    told = mails(CLEO, "app")
    driver.ask("POST", "/_sandbox/clock", advance=TO_NINE)
    until(lambda: mails(DANA, "reminder") == 1, "the approver is reminded", PATIENCE)
    driver.ask("POST", "/_sandbox/clock", advance=DAY)
    until(lambda: mails(CLEO, "app") > told, "somebody else is told", PATIENCE)
    driver.ask("POST", "/_sandbox/clock", advance=DAY)

    def replaced() -> bool:
        return [d["status"] for d in driver.documents(order["id"])].count("ca") == 1

    until(replaced, "the first round is taken back", PATIENCE)
    driver.sign(driver.wait_sent(order["id"]))
    driver.wait_status(order["id"], 11, "it is released")
    if mails(DANA, "reminder") != 1:
        raise DemoFailed("the approver was reminded again")
    driver.open_app()  # the session has ended meanwhile
    driver.wait_record(order["id"], "Released")
    return (
        driver.delivery_of(order["id"]),
        "reminded, told, alternate signed",
        "held, released",
        driver.history(order["id"]),
    )
