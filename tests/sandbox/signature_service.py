"""A running signature service for tests: the server, a caller with a token, and somebody who takes callbacks."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from bcapp.sandbox import Sandbox, SandboxServer, SandboxSettings
from bcapp.sandbox.signature import Account, SignatureSandbox
from bcapp.sandbox.signature.pdf import text_pdf

ORDER_LINES = ["Order 1001", "Total 1,200.00 EUR", "[[s|0|id:buyer_signature]]", "[[t|0|n:PO number|id:po_number]]"]


def order_pdf(lines: list[str] | None = None) -> bytes:
    return text_pdf(lines or ORDER_LINES, title="Order 1001")


class Receiver:
    """Takes callbacks; `answers` are used up first, then everything gets 200."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                receiver.bodies.append(json.loads(raw))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def types(self) -> list[str]:
        return [body["event_type"] for body in self.bodies]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Service:
    """The simulated service, seen from both sides."""

    def __init__(self, server: SandboxServer, receiver: Receiver) -> None:
        self.server, self.receiver = server, receiver
        self.sandbox = server.sandbox
        self.signature: SignatureSandbox = server.sandbox.signature
        self.api = httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False)
        self.web = httpx.Client(base_url=server.url, trust_env=False)
        self.log_in()

    @property
    def account(self) -> Account:
        return self.signature.account

    def log_in(self, account: Account | None = None) -> str:
        token = self.signature.accounts.issue(account or self.account)
        self.api.headers["Authorization"] = f"Bearer {token}"
        return token

    def upload(self, **fields: Any) -> dict[str, Any]:
        """Create a document; the order with its tags unless told otherwise."""
        content = {"file_from_content": base64.b64encode(order_pdf()).decode(), "file_from_content_name": "order.pdf"}
        answer = self.api.post("/documents/", json={"external_id": "order-1001", **content, **fields})
        assert answer.status_code == 201, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def send(self, *emails: str, document: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Create a document and send it to the addresses, one after the other; return the request."""
        document = document or self.upload(events_callback_url=self.receiver.url)
        signers = [{"email": email, "order": order} for order, email in enumerate(emails, 1)]
        answer = self.api.post("/signature-requests/", json={"document": document["url"], "signers": signers, **fields})
        assert answer.status_code == 201, answer.text
        self.signature.settle()
        result: dict[str, Any] = answer.json()
        return result

    def read(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the document of a request, freshly read."""
        self.signature.settle()
        result: dict[str, Any] = self.api.get(request["document"]).json()
        return result

    def close(self) -> None:
        self.api.close()
        self.web.close()


@contextmanager
def running(**settings: Any) -> Iterator[Service]:
    """Run a service of its own, without a store's history."""
    receiver = Receiver()
    try:
        with SandboxServer(Sandbox(SandboxSettings(history=False, **settings))) as server:
            service = Service(server, receiver)
            try:
                yield service
            finally:
                service.close()
    finally:
        receiver.close()
