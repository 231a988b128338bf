"""The demo's driver: merchant, shopper and signer in one, over what these people use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bcapp.sandbox.browser import Browser, DemoFailed, Page
from bcapp.sandbox.server import SandboxServer

T = TypeVar("T")

PATIENCE = 60.0

TERMS = """# What you agree to

You order {{order.id}} from {{store.name}} for {{order.total}}, delivered to {{shipping.address}}.

1. The goods stay ours until they are paid in full.
2. Claims about visible damage are raised within 14 days.
3. Goods made to your order are not taken back.
"""


def until(question: Callable[[], T | None], what: str, seconds: float, more: Callable[[], str] = str) -> T:
    """Ask until the answer is true; DemoFailed says what did not come."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise DemoFailed(f"Not within {seconds:g} s: {what}. {more()}".strip())
        time.sleep(0.05)


class Driver:
    """Merchant, shopper and signer in one, over HTTP."""

    def __init__(self, server: SandboxServer, app_url: str, log: Path) -> None:
        self.url, self.app_url, self.log = server.url, app_url, log
        self.http = httpx.Client(base_url=server.url, timeout=30, trust_env=False)
        self.browser = Browser(app_url)
        self.hash = str(self.ask("GET", "/_sandbox")["stores"][0]["hash"])
        self.root = f"/s/{self.hash}"
        account = server.sandbox.signature.account
        self.account = {
            "name": "Main account",
            "environment": "custom",
            "tenant": account.tenant,
            "token_url": f"{self.url}/otdstenant/{account.tenant}/oauth2/token",
            "api_root": f"{self.url}/api/v1/",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
        }

    def ask(self, method: str, path: str, /, **body: Any) -> Any:
        """Use the sandbox's controls."""
        response = self.http.request(method, path, json=body or None)
        if response.is_error:
            raise DemoFailed(f"{method} {path}: {response.text[:300]}")
        return response.json()

    def advance(self, seconds: float) -> None:
        """Move the time, and wait until the app has seen it: it reads the sandbox's clock four times a second."""
        self.ask("POST", "/_sandbox/clock", advance=seconds)
        time.sleep(0.6)

    # The merchant sets the app up, by the pages a newcomer sees.

    def set_up(self) -> None:
        answer = self.ask("POST", f"/_sandbox/stores/{self.hash}/install")
        if answer.get("status", 200) >= 400:
            raise DemoFailed(f"The install was refused: {answer}")
        self.open_app()
        welcome = self.page("/welcome")
        self.sure(self.browser.submit(welcome, "/welcome/account", **self.account))
        self.wait_page("/settings/accounts", "Working", "the connection test passes")
        for name, email, limit in (
            ("Dana Lead", "dana@northfield.example", "2000"),
            ("Cleo Chief", "cleo@northfield.example", ""),
        ):
            entry = self.sure(self.browser.submit(self.page("/people/new"), "/people/new", name=name, email=email))
            entry = entry if "/limits" in entry.html else self.person(email)
            values = {"up_to": limit, "currency": "USD"} if limit else {"unlimited": "yes", "currency": "USD"}
            self.sure(self.browser.submit(entry, "/limits", **values))
        welcome = self.page("/welcome")
        alarm = re.search(r'<option value="(\d+)"[^>]*>Cleo Chief', welcome.html)
        self.sure(
            self.browser.submit(
                welcome,
                "/welcome/questions",
                shipping_tool="own",
                payment_mode="capture",
                alarm_person=alarm[1] if alarm else "",
            )
        )
        new = self.page("/agreements/new?source=text")
        self.sure(self.browser.submit(new, "/agreements/new", name="Terms of sale", title="Terms of sale", body=TERMS))

    def open_app(self) -> None:
        """Open the app from the control panel, with a session of its own."""
        load = self.ask("GET", f"/_sandbox/stores/{self.hash}/load_url")
        home = self.browser.open(load["url"])
        if home.status != 200 or not self.browser.session:
            raise DemoFailed(f"The app did not open: {home.status} {' '.join(home.text.split())[:300]}")

    def make_rule(self, name: str, amount: str, **values: Any) -> None:
        """Make a rule in the editor and let it go live past the boundary."""
        self.go_live(self.save_rule(name, amount, **values))

    def save_rule(
        self, name: str, amount: str = "", *, workflow: str = "order_approval", kind: str = "", **values: Any
    ) -> Page:
        """Make a rule in the editor, which is off, and return its page.

        amount: the least total of an order; a rule of another workflow begins without a condition.
        """
        new = self.page(f"/rules/new?workflow={workflow}&kind={kind}")
        agreement = re.search(r'<option value="(\d+)"[^>]*>\s*Terms of sale', new.html)
        given = {
            "name": name,
            **(self._least_total(amount) if workflow == "order_approval" else {}),
            "approver_how": "limit",
            "agreement_id": agreement[1] if agreement else "",
            **values,
        }
        return self.sure(self.browser.submit(new, "/rules/new", "Save", **given))

    @staticmethod
    def _least_total(amount: str) -> dict[str, str]:
        return {
            "c__0__0__field": "total",
            "c__0__0__operator": "at_least",
            "c__0__0__value": amount,
            "c__0__0__currency": "USD",
        }

    def go_live(self, shown: Page) -> Page:
        """Have what exists counted from a rule's page, and go live without it; return the boundary's page.

        Orders, promotions and quotes are counted; for other records the boundary's page opens at once.
        """
        counts = re.search(r'action="[^"]*/count"', shown.html) is not None
        counted = self.sure(self.browser.submit(shown, "/count")) if counts else None
        live = (counted or shown).url.split("?")[0] + ("" if counted else "/live")

        def is_counted() -> Page | None:
            page = self.browser.open(live)
            return page if "counting" not in page.text.lower() or "Go live" in page.text else None

        page = until(is_counted, "what exists is counted", PATIENCE)
        shown = self.sure(self.browser.submit(page, "/live", "Go live"))
        if "Live" not in shown.text:
            raise DemoFailed(f"The rule did not go live: {' '.join(shown.text.split())[:300]}")
        return page

    def page(self, path: str) -> Page:
        page = self.browser.open(f"{self.root}{path}")
        if page.status != 200:
            raise DemoFailed(f"{path} answers {page.status}: {' '.join(page.text.split())[:300]}")
        return page

    def person(self, email: str) -> Page:
        people = self.page("/people")
        found = re.search(rf'href="({self.root}/people/\d+)"(?:(?!href=).)*?{re.escape(email)}', people.html, re.S)
        if found is None:
            raise DemoFailed(f"{email} is not in the directory")
        return self.browser.open(found[1])

    def sure(self, page: Page) -> Page:
        """Return the page, or fail with what it says."""
        if page.status >= 400:
            errors = re.findall(r'class="[^"]*(?:field__error|error)[^"]*"[^>]*>(.*?)<', page.html, re.S)
            text = "; ".join(e.strip() for e in errors if e.strip()) or " ".join(page.text.split())[:400]
            raise DemoFailed(f"{page.url} answers {page.status}: {text}")
        return page

    def wait_page(self, path: str, words: str, what: str) -> Page:
        def asked() -> Page | None:
            page = self.page(path)
            return page if words in page.text else None

        return until(asked, what, PATIENCE, lambda: " ".join(self.page(path).text.split())[:400])

    # The shopper, the store and the signer.

    def place(self, **more: Any) -> dict[str, Any]:
        given = {"lines": [["TENT-4", 2]], "customer_id": 1, "payment": "paid", **more}
        order: dict[str, Any] = self.ask("POST", f"/_sandbox/stores/{self.hash}/orders", **given)
        return order

    def order(self, order_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/_sandbox/stores/{self.hash}/orders/{order_id}")
        return found

    def act(self, order_id: int, act: str, **body: Any) -> None:
        self.ask("POST", f"/_sandbox/stores/{self.hash}/orders/{order_id}/{act}", **body)

    def documents(self, order_id: int) -> list[dict[str, Any]]:
        rows = self.ask("GET", "/_sandbox/signature/documents")
        rows = rows["documents"] if isinstance(rows, dict) else rows
        return [d for d in rows if f"Order {order_id}," in d["name"]]

    def wait_status(self, order_id: int, status_id: int, what: str) -> None:
        until(
            lambda: self.order(order_id)["status_id"] == status_id,
            f"order {order_id}: {what}",
            PATIENCE,
            lambda: self.told(order_id),
        )

    def wait_sent(self, order_id: int, count: int = 1) -> dict[str, Any]:
        def asked() -> dict[str, Any] | None:
            sent = [d for d in self.documents(order_id) if d.get("status") in ("se", "vi") and d.get("signers")]
            return sent[-1] if len(sent) >= count else None

        return until(asked, f"order {order_id}: a request is sent", PATIENCE, lambda: self.told(order_id))

    def sign(self, document: dict[str, Any], act: str = "sign", **body: Any) -> None:
        signer = next(s for s in document["signers"] if s.get("needs_to_sign", True))
        self.ask("POST", f"/_sandbox/signature/documents/{document['uuid']}/{act}", email=signer["email"], **body)

    def wait_record(self, order_id: int, words: str) -> None:
        """The app's own page of the order says so."""
        self.wait_page(f"/orders/{order_id}", words, f"order {order_id}: the app's page says “{words}”")

    def told(self, order_id: int) -> str:
        """What the app's page of the order says, for a failure."""
        return " ".join(self.browser.open(f"{self.root}/orders/{order_id}").text.split())[:600]

    def history(self, order_id: int) -> str:
        """The statuses that the order went through at the store."""
        steps = [h["status_id"] for h in self.order(order_id)["history"]]
        return " → ".join(str(s) for s in steps)

    def delivery_of(self, order_id: int) -> str:
        rows = self.ask("GET", f"/_sandbox/deliveries?store={self.hash}&scope=store/order/created")
        found = [d for d in rows if d["body"].get("data", {}).get("id") == order_id]
        return f"webhook {found[0]['id']}" if found else "webhook"
