"""The simulated signature service: OpenText Core Signature as core-signature.md tells of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.ground import Ground, SandboxSettings, ServiceRoute, Ticker
from bcapp.sandbox.signature.accounts import Accounts
from bcapp.sandbox.signature.callbacks import Callbacks
from bcapp.sandbox.signature.control import control_routes
from bcapp.sandbox.signature.directory import Directory
from bcapp.sandbox.signature.documents import Documents
from bcapp.sandbox.signature.inbox import Inbox
from bcapp.sandbox.signature.lifecycle import Lifecycle, NotPossible, Value
from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.pages import Pages
from bcapp.sandbox.signature.records import (
    Account,
    Document,
    Event,
    Input,
    Mail,
    Options,
    SignatureRequest,
    Signer,
    Spelling,
    Store,
    Template,
    Webhook,
)
from bcapp.sandbox.signature.requests import Requests
from bcapp.sandbox.signature.rest import Refusal
from bcapp.sandbox.signature.seed import DEMO_TENANT, add_templates, demo_account
from bcapp.sandbox.signature.shapes import Shapes

__all__ = [
    "DEMO_TENANT",
    "Account",
    "Document",
    "Event",
    "Input",
    "Mail",
    "NotPossible",
    "Options",
    "SignatureRequest",
    "SignatureSandbox",
    "Signer",
    "Store",
    "Template",
    "Webhook",
]

logger = logging.getLogger(__name__)

NO_SUCH_PAGE = "<!doctype html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"
DOWN_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
SENT_SECONDS = 60.0

Endpoint = Callable[[Request, Account], Awaitable[Response]]
Thing = Document | SignatureRequest | str


class SignatureSandbox:
    """One signature service, controlled from any thread; what waits must not be called in its own event loop.

    `options` switches spellings and misbehaviour, `store` holds all records, `routes` go into the sandbox's app.
    """

    def __init__(self, ground: Ground, settings: SandboxSettings | None = None) -> None:
        self.ground = ground
        self.settings = settings or ground.settings
        self.store = Store()
        self.ticker = Ticker(ground.clock)
        self.links = Links(self.store, ground)
        self.inbox = Inbox(self.store, ground)
        self.accounts = Accounts(self.store, ground)
        self.shapes = Shapes(self.store, self.links)
        self.callbacks = Callbacks(self.store, ground, self.shapes, self.ticker)
        self.lifecycle = Lifecycle(self.store, ground, self.links, self.inbox, self.callbacks, self.ticker)
        self._documents = Documents(self.store, ground, self.links, self.shapes, self.lifecycle)
        self._requests = Requests(self.store, ground, self.links, self.shapes, self.lifecycle, self._documents)
        self._directory = Directory(self.store, ground, self.links, self.shapes)
        self._pages = Pages(self.store, ground, self.links, self.lifecycle, self.inbox)
        self._loop_thread: int | None = None
        self._looked_at = (-1.0, 0.0)
        self.is_down = False
        self.add_account(demo_account())

    # Records

    @property
    def options(self) -> Options:
        return self.store.options

    @property
    def account(self) -> Account:
        """The account that the service starts with."""
        return self.store.accounts[DEMO_TENANT]

    @property
    def mails(self) -> list[Mail]:
        """All mails, oldest first."""
        return self.store.mails

    def add_account(self, account: Account) -> Account:
        """Add a tenant with two templates of its own."""
        with self.ground.lock:
            self.accounts.add(account)
            add_templates(self.store, account)
        return account

    def find(self, thing: Thing) -> Document:
        """Return a document by itself, its request, a uuid of either or its newest external id. Raises KeyError."""
        if isinstance(thing, Document):
            return thing
        if isinstance(thing, SignatureRequest):
            return thing.document
        with self.ground.lock:
            if thing in self.store.documents:
                return self.store.documents[thing]
            if thing in self.store.requests:
                return self.store.requests[thing].document
            for document in reversed(self.store.documents.values()):
                if document.external_id == thing:
                    return document
        raise KeyError(f"there is no document {thing}")

    def signer(self, thing: Thing, email: str) -> tuple[SignatureRequest, Signer]:
        """Return a document's request and its signer of that address: who can act now comes first. Raises KeyError."""
        document = self.find(thing)
        with self.ground.lock:
            request = document.request
            if request is None:
                raise KeyError(f"document {document.uuid} has not been sent")
            signers = [s for s in request.signers if s.email.lower() == email.lower()]
            if not signers:
                raise KeyError(f"{email} is no signer of document {document.uuid}")
            return request, min(signers, key=lambda s: (not s.is_waiting, s.order))

    def signing_url(self, thing: Thing, email: str) -> str:
        """Return the link that the signer got by mail."""
        return self.links.signing(self.signer(thing, email)[1])

    # What people do

    def _sent(self, thing: Thing, email: str) -> tuple[SignatureRequest, Signer]:
        """Return request and signer, after the background work has sent the document."""
        request, signer = self.signer(thing, email)
        if threading.get_ident() != self._loop_thread and self._loop_thread is not None:
            self._wait(lambda: request.sent_on is not None or request.document.has_ended)
        return request, signer

    def view(self, thing: Thing, email: str) -> None:
        request, signer = self._sent(thing, email)
        with self.ground.lock:
            self.lifecycle.view(request, signer)

    def sign(self, thing: Thing, email: str, inputs: Mapping[str, Value] | None = None) -> None:
        """Sign as a person would; `inputs` fill fields by external id. Raises NotPossible, KeyError."""
        request, signer = self._sent(thing, email)
        with self.ground.lock:
            self.lifecycle.sign(request, signer, inputs, browser="Sandbox control")

    def decline(self, thing: Thing, email: str, reason: str = "") -> None:
        request, signer = self._sent(thing, email)
        with self.ground.lock:
            self.lifecycle.decline(request, signer, reason)

    def forward(self, thing: Thing, email: str, to: str, reason: str = "") -> None:
        """Hand a signer's place to another address, by the signer's own button."""
        request, signer = self._sent(thing, email)
        with self.ground.lock:
            self.lifecycle.forward(request, signer, to, reason)

    def type_outside_fields(
        self, thing: Thing, email: str, text: str, page_index: int = 0, external_id: str | None = None
    ) -> None:
        """Let a signer type where no field is; it shows once the signer has signed. Raises NotPossible."""
        request, signer = self._sent(thing, email)
        with self.ground.lock:
            if not signer.is_waiting or request.document.has_ended:
                raise NotPossible(f"{email} cannot type any more.")
            signer.outside.append(Input("t", page_index, text, external_id=external_id))

    def bounce(self, email: str) -> None:
        """Let every mail to an address bounce, those of open requests included."""
        with self.ground.lock:
            self.lifecycle.bounce(email)

    def mend(self, email: str) -> None:
        """Let an address take mail again."""
        with self.ground.lock:
            self.store.bouncing.discard(email.lower())

    def cancel(self, thing: Thing) -> None:
        """Cancel in the service's own web application."""
        request = self.find(thing).request
        if request is None:
            raise NotPossible("The document has not been sent.")
        with self.ground.lock:
            self.lifecycle.cancel(request)

    def expire(self, thing: Thing) -> None:
        with self.ground.lock:
            self.lifecycle.expire(self.find(thing))

    def delete_document(self, thing: Thing) -> None:
        """Delete in the service's own web application: the API answers 404 from now on."""
        with self.ground.lock:
            self.lifecycle.delete(self.find(thing))

    def tamper_pdf(self, thing: Thing, text: str = "Another text than the one that was sent.") -> None:
        """Put another text under the same signatures; the hashes fit the new file. Raises NotPossible."""
        document = self.find(thing)
        if threading.get_ident() != self._loop_thread and self._loop_thread is not None:
            self._wait(lambda: not document.processing)
        self.lifecycle.tamper(document, text.splitlines() or [""])

    def spoil_hash(self, thing: Thing, pdf_hash: str = "0" * 64) -> None:
        """Let security_hash of the signed PDF be wrong."""
        self.find(thing).pdf_hash = pdf_hash

    def go_down(self) -> None:
        """Answer every call with a proxy's 502 page, and deliver nothing."""
        self.is_down = True

    def go_up(self) -> None:
        self.is_down = False
        self.ticker.wake()

    def lock_out(self, account: Account | None = None, secret: str = "changed-by-its-owner") -> None:
        """Let an account's tokens die and its client secret be another one."""
        account = account or self.account
        with self.ground.lock:
            account.client_secret = secret
            self.accounts.kill_tokens(account)

    # Background work

    async def run(self) -> None:
        """Convert, render, expire and deliver until cancelled."""
        self._loop_thread = threading.get_ident()
        self.ticker.bind()
        try:
            while True:
                await self.ticker.wait(0.2 if self.is_down else await self._step())
        finally:
            self._loop_thread = None
            self.ticker.release()
            await self.callbacks.close()

    async def _step(self) -> float:
        """Do what is due; return the seconds until something else may be."""
        for step in self.lifecycle.take_due():
            try:
                await asyncio.to_thread(step)
            except Exception:
                logger.exception("a background step of the signature sandbox failed")
            finally:
                self.lifecycle.done()
        moment = (self.ground.clock.offset, time.monotonic())
        if moment[0] != self._looked_at[0] or moment[1] - self._looked_at[1] > 0.5:
            self.lifecycle.pass_time()
            self._looked_at = moment
        wait = self.callbacks.deliver_due()
        due = self.lifecycle.next_due
        if due is not None:
            wait = min(wait, (due - self.ground.clock.now()).total_seconds())
        return max(0.0, wait)

    @property
    def is_idle(self) -> bool:
        """Whether every conversion, rendering, expiry and delivery that is due has been done."""
        with self.ground.lock:
            has_seen_the_time = self._loop_thread is None or self._looked_at[0] == self.ground.clock.offset
            return has_seen_the_time and self.lifecycle.is_idle and self.callbacks.is_idle

    def settle(self, timeout: float = 10.0) -> None:
        """Wait, outside the event loop's thread, until nothing is due. Raises TimeoutError."""
        self._wait(lambda: self.is_idle, timeout)

    async def settled(self, timeout: float = 10.0) -> None:
        """Wait, in any event loop, until nothing is due. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                if self.is_idle:
                    return
                await asyncio.sleep(0.01)

    def _wait(self, condition: Callable[[], bool], timeout: float = SENT_SECONDS) -> None:
        if threading.get_ident() == self._loop_thread:
            raise RuntimeError("the event loop that does the work must not wait for it")
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the signature sandbox did not get there in time")
            time.sleep(0.01)

    def start_smtp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Take the app's mail by SMTP and show it in the inbox; return the port."""
        return self.inbox.start_smtp(host, port)

    def stop_smtp(self) -> None:
        self.inbox.stop_smtp()

    def set_options(self, values: Mapping[str, Any]) -> None:
        """Set options by name. Raises ValueError for an unknown one."""
        known = {f.name for f in fields(Options)}
        if unknown := values.keys() - known:
            raise ValueError(f"unknown options: {', '.join(sorted(unknown))}")
        for name, value in values.items():
            setattr(self.options, name, set(value) if isinstance(getattr(self.options, name), set) else value)

    # Routes

    @property
    def routes(self) -> list[BaseRoute]:
        routes: list[BaseRoute] = [*self._token_routes(), *self._api_routes()]
        routes += [
            Route(r.path, self._up(r.endpoint), methods=list(r.methods or ())) for r in self._pages.signing_routes
        ]
        routes.append(Route("/downloads/{token}/{name:path}", self._up(self.links.follow), methods=["GET"]))
        routes.append(Route("/inbox", self._pages.inbox, methods=["GET"]))
        return [*routes, *control_routes(self)]

    def _token_routes(self) -> list[BaseRoute]:
        paths = ("/otdstenant/{tenant}/oauth2/token", "/tenants/{tenant}/oauth2/token", "/oauth2/token")
        return [ServiceRoute("signature", path, self._up(self.accounts.token), methods=["POST"]) for path in paths]

    def _api_routes(self) -> list[BaseRoute]:
        d, r, o = self._documents, self._requests, self._directory
        routes = [
            *self._resource("documents/", {"GET": d.list_all, "POST": d.create}),
            *self._resource("documents/{uuid}/", {"GET": d.read, "DELETE": d.delete}),
            *self._resource("documents-search/", {"GET": d.search}),
            *self._resource("document-attachments/", {"GET": d.attachments, "POST": d.attach}),
            *self._resource("document-attachments/{uuid}/", {"GET": d.attachment}),
            *self._resource("events/", {"GET": o.events}),
            *self._resource("events/{id}/", {"GET": o.event}),
            *self._resource("templates/", {"GET": o.templates}),
            *self._resource("templates/{uuid}/", {"GET": o.template}),
            *self._resource("webhooks/", {"GET": o.webhooks, "POST": o.webhooks}),
            *self._resource("webhooks/{uuid}/", dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), o.webhook)),
            *self._resource("teams/", {"GET": o.teams}),
            *self._resource("teams/{subdomain}/", {"GET": o.team, "PATCH": o.team}),
            *self._resource("team-members/", {"GET": o.members}),
            *self._resource("team-members/{uuid}/", {"GET": o.member}),
        ]
        names: list[tuple[Spelling, str, str]] = [
            ("core", "signature-requests", "signature-request-quick-create/"),
            ("signrequest", "signrequests", "signrequest-quick-create/"),
        ]
        actions: list[tuple[Spelling, str, Endpoint]] = [
            ("core", "cancel_signature_request", r.cancel),
            ("signrequest", "cancel_signrequest", r.cancel),
            ("core", "resend_signature_request_email", r.resend),
            ("signrequest", "resend_signrequest_email", r.resend),
            ("both", "forward_signer", r.forward),
        ]
        for spelling, base, quick in names:
            routes += self._resource(quick, {"POST": r.quick_create}, spelling)
            routes += self._resource(f"{base}/", {"GET": r.list_all, "POST": r.create}, spelling)
            routes += self._resource(f"{base}/{{uuid}}/", {"GET": r.read}, spelling)
            for action_spelling, name, act in actions:
                routes += self._resource(f"{base}/{{uuid}}/{name}/", {"POST": act}, spelling, action_spelling)
        return routes

    def _resource(
        self, path: str, methods: Mapping[str, Endpoint], spelling: Spelling = "both", action: Spelling = "both"
    ) -> list[BaseRoute]:
        """Return the route of one path; a spelling that is switched off answers like any unknown path."""

        async def endpoint(request: Request) -> Response:
            options = self.options
            if not _served(spelling, options.spelling) or not _served(action, options.action_spelling):
                return HTMLResponse(NO_SUCH_PAGE, 404)
            handler = methods.get("GET" if request.method == "HEAD" else request.method)
            try:
                with self.ground.lock:
                    account = self.accounts.authenticate(request)
                if handler is None:
                    return JSONResponse({"detail": f'Method "{request.method}" not allowed.'}, 405)
                return await handler(request, account)
            except Refusal as refusal:
                return JSONResponse(refusal.body, refusal.status, refusal.headers)

        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [Route(f"/api/v1/{path}", self._up(endpoint), methods=every)]

    def _up(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if self.is_down:
                return HTMLResponse(DOWN_PAGE, 502)
            return await endpoint(request)

        return guarded


def _served(spelling: Spelling, wanted: Spelling) -> bool:
    return "both" in (spelling, wanted) or spelling == wanted
