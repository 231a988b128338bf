"""Roads of the demo about accounts: a company of B2B Edition that applies, one created in bulk, a plain customer."""

from __future__ import annotations

import re
from typing import Any

from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import PATIENCE, Driver, until

Told = tuple[str, str, str, str]

CLEO = "cleo@northfield.example"
TYPED = {
    "name_in_full_0": "Lena Hartmann",
    "title_or_position_0": "Director",
    "i_am_authorised_to_bind_0": True,
    "what_this_application_sa_0": True,
}
WHOLESALE, RESCUE = "3", "4"  # customer groups of the store
SWEEP = 320  # seconds after which companies are read again


def _agreement(driver: Driver) -> str:
    """Return the number of the application's text; it is made from the one that comes with the app."""
    found = _find(driver)
    if not found:
        new = driver.page("/agreements/new?source=text&begin=account")
        driver.sure(driver.browser.submit(new, "/agreements/new", name="Application"))
        found = _find(driver)
    if not found:
        raise DemoFailed("the application's text was not saved")
    return found


def _find(driver: Driver) -> str:
    html = driver.page("/rules/new?workflow=account_approval&kind=company").html
    found = re.search(r'<option value="(\d+)"[^>]*>\s*Application', html)
    return found[1] if found else ""


def _rule(driver: Driver, name: str, kind: str, **values: Any) -> None:
    html = driver.page(f"/rules/new?workflow=account_approval&kind={kind}").html
    cleo = re.search(r'<option value="(\d+)"[^>]*>Cleo Chief', html)
    if cleo is None:
        raise DemoFailed("the editor does not offer Cleo Chief")
    named = {"approver_how": "named", "approver_0": cleo[1]} if values.get("internal") == "yes" else {}
    given = {"agreement_id": _agreement(driver), "customer": "yes", **named, **values}
    driver.go_live(driver.save_rule(name, workflow="account_approval", kind=kind, **given))


def _store(driver: Driver, path: str, method: str = "GET", **body: Any) -> Any:
    return driver.ask(method, f"/_sandbox/stores/{driver.hash}/{path}", **body)


def _sent(driver: Driver, named: str, email: str) -> dict[str, Any]:
    def asked() -> dict[str, Any] | None:
        rows = driver.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        for document in rows:
            is_open = document.get("status") in ("se", "vi") and f"{named}," in document["name"]
            if is_open and any(s["email"] == email for s in document.get("signers") or ()):
                return dict(document)
        return None

    return until(asked, f"{named}: {email} is asked", PATIENCE)


def _sign(driver: Driver, document: dict[str, Any], email: str, inputs: dict[str, Any]) -> None:
    driver.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/sign", email=email, inputs=inputs)


def _trigger(driver: Driver, scope: str, name: str, number: int) -> str:
    rows = driver.ask("GET", f"/_sandbox/deliveries?store={driver.hash}&scope={scope}")
    found = [d["id"] for d in rows if d["body"].get("data", {}).get(name) == number]
    return f"webhook {found[0]}" if found else "sweep"


def company_approved(driver: Driver) -> Told:
    """A company applies: its admin and the credit manager sign; it comes in with limit, terms, group and document."""
    _rule(
        driver, "Companies that apply", "company", internal="yes",
        **{"o.tiers": f"0 = {WHOLESALE}, 20000 = {RESCUE}", "o.payment_terms": "45", "o.payment_methods": "cheque"},
    )  # fmt: skip
    made = _store(driver, "companies", "POST", name="Bergsport Huber", extra={"Tax number": "DE 123"})
    number, email = made["id"], made["users"][0]["email"]
    _sign(driver, _sent(driver, f"Company {number}", email), email, TYPED)
    if _store(driver, f"companies/{number}")["status"] != 0:
        raise DemoFailed("the company came in before the credit manager had signed")
    _sign(driver, _sent(driver, f"Company {number}", CLEO), CLEO, {"credit_limit": "25,000.00"})

    def is_in() -> dict[str, Any] | None:
        company = _store(driver, f"companies/{number}")
        return dict(company) if company["status"] == 1 and company["files"] else None

    company = until(is_in, f"company {number} is approved and has its document", PATIENCE)
    credit, has_method = company["credit"]["availableCredit"], "cheque" in company["methods"]
    got = (credit, company["terms"], str(company["group_id"]), has_method)
    if got != (25000.0, 45, RESCUE, True):
        raise DemoFailed(f"limit, terms, group, methods: {got}")
    _store(driver, f"companies/{number}/user", "POST", first_name="Nils", last_name="Ito", email="nils@huber.example")
    driver.wait_page(f"/companies/{number}", "Released", "its page says released")
    trigger = _trigger(driver, "store/company/created", "company_id", number)
    return trigger, "applicant and credit manager", "pending, approved", "0 → 1, credit 25,000"


def company_created_in_bulk(driver: Driver) -> Told:
    """Created in bulk without a webhook: the sweep finds it. Let in by hand while unsigned, it is only flagged."""
    number = _store(driver, "companies", "POST", name="Red Canyon Tours", quiet=True)["id"]
    email = _store(driver, f"companies/{number}")["users"][0]["email"]

    def is_asked() -> bool:
        driver.advance(SWEEP)
        rows = driver.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        return any(f"Company {number}," in d["name"] for d in rows)

    until(is_asked, f"the sweep finds company {number}", PATIENCE)
    _sent(driver, f"Company {number}", email)
    _store(driver, f"companies/{number}/status", "POST", status=1)
    driver.wait_page(f"/companies/{number}", "Bypassed", "its page says that somebody let it in")
    if _store(driver, f"companies/{number}")["status"] != 1:
        raise DemoFailed("a company that staff let in was set back")
    return "sweep", "sent", "held, bypassed", "approved by staff"


def customer_approved(driver: Driver) -> Told:
    """A plain customer with the application mark waits in the applicants' group until it is signed."""
    mark = {"field": "form_field", "argument": "Trade account", "operator": "has_any_of", "value": "yes"}
    conditions = {f"c__0__0__{name}": value for name, value in mark.items()}
    groups = {"o.applicants_group": "1", "o.approved_group": WHOLESALE, "internal": []}
    _rule(driver, "Trade accounts", "customer", **conditions, **groups)
    email = "mara@xu.example"
    fields = {"Trade account": "yes"}
    customer = _store(driver, "customers", "POST", first_name="Mara", last_name="Xu", email=email, form_fields=fields)
    document = _sent(driver, f"Customer {customer['id']}", email)

    def group() -> int:
        return int(_store(driver, f"customers/{customer['id']}")["customer_group_id"])

    until(lambda: group() == 1, "the customer is in the applicants' group", PATIENCE)
    _sign(driver, document, email, TYPED)
    until(lambda: group() == int(WHOLESALE), "the customer is in the group of the approved", PATIENCE)
    driver.wait_page(f"/customers/{customer['id']}", "Released", "the page says released")
    trigger = _trigger(driver, "store/customer/created", "id", customer["id"])
    return trigger, "sent, completed", "held, released", "group 2 → 1 → 3"
