"""/signature-requests/ with its actions, and /signature-request-quick-create/."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature.checks import (
    REQUIRED,
    Errors,
    check_flags,
    check_signers,
    check_text,
    check_url,
    is_email,
)
from bcapp.sandbox.signature.documents import Documents
from bcapp.sandbox.signature.lifecycle import Lifecycle, NotPossible
from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.records import Account, Document, SignatureRequest, Signer, Store
from bcapp.sandbox.signature.rest import NOT_FOUND, Refusal, detail, page, read_body
from bcapp.sandbox.signature.shapes import FLAGS, Shapes


class Requests:
    """Endpoints for signature requests."""

    def __init__(
        self, store: Store, ground: Ground, links: Links, shapes: Shapes, lifecycle: Lifecycle, documents: Documents
    ) -> None:
        self._store, self._ground, self._links = store, ground, links
        self._shapes, self._lifecycle, self._documents = shapes, lifecycle, documents

    async def create(self, request: Request, account: Account) -> Response:
        body, _ = await read_body(request)
        with self._ground.lock:
            errors = Errors()
            self._check(errors, account, body)
            document = None
            if body.get("document") in (None, ""):
                errors.add("document", REQUIRED)
            else:
                try:
                    document = self._documents.resolve(account, body["document"])
                except Refusal as refusal:
                    errors.update(refusal.body)
            if document is not None:
                if document.request is not None:
                    errors.add("document", "This field must be unique.")
                elif document.has_ended and document.status not in ("ec", "es"):
                    errors.add("document", "This document can no longer be sent.")
                self._check_callback(errors, account, body, document.asked)
            errors.raise_any()
            if document is None:
                raise detail(*NOT_FOUND)
            return JSONResponse(self._shapes.request(self._send(account, document, body)), 201)

    async def quick_create(self, request: Request, account: Account) -> Response:
        """Make document and request from one flat body; nothing is made when either part is wrong."""
        body, upload = await read_body(request)
        errors = Errors()
        with self._ground.lock:
            self._check(errors, account, body)
            self._documents.check(errors, account, body, upload)
            self._check_callback(errors, account, body, body)
        errors.raise_any()
        document = await self._documents.upload(account, body, upload)
        with self._ground.lock:
            made = self._send(account, document, body)
            shape = self._shapes.document(document)
            for key in ("uuid", "url", "signing_log", self._store.options.nested_key):
                shape.pop(key)
            return JSONResponse({**shape, **self._shapes.request(made)}, 201)

    def _check(self, errors: Errors, account: Account, body: dict[str, Any]) -> None:
        check_signers(errors, body)
        check_text(errors, body, ("from_email_name",), 255)
        check_text(errors, body, ("subject",), 512)
        check_url(errors, body, ("redirect_url", "redirect_url_declined"))
        check_flags(errors, body, (*FLAGS, "is_being_prepared"))
        who = body.get("who")
        if who not in (None, "", "m", "mo", "o"):
            errors.add("who", f'"{who}" is not a valid choice.')
        sender = body.get("from_email")
        if sender not in (None, ""):
            if not is_email(sender):
                errors.add("from_email", "Enter a valid email address.")
            elif not account.may_send_as(sender):
                errors.add("from_email", "This email address is not a validated address of your account.")

    def _check_callback(self, errors: Errors, account: Account, body: dict[str, Any], document: dict[str, Any]) -> None:
        """Without mails somebody must be called back. Source: core-signature.md 5.1."""
        if body.get("disable_emails") and not (document.get("events_callback_url") or account.events_callback_url):
            errors.add("disable_emails", "An events_callback_url is required to disable emails.")

    def _send(self, account: Account, document: Document, body: dict[str, Any]) -> SignatureRequest:
        who = body.get("who") or "o"
        sender_email = str(body.get("from_email") or account.sender_email)
        rows: list[dict[str, Any]] = list(body["signers"])
        own: dict[str, Any] = {}
        if who in ("m", "mo"):
            own = next((r for r in rows if r["email"].lower() == sender_email.lower()), {})
            rows = [r for r in rows if r is not own]
        names = {"first_name": account.sender_first_name, "last_name": account.sender_last_name}
        sender = Signer(sender_email, own.get("order") or 0, who != "o", {**names, **own}, is_sender=True)
        others = [
            Signer(r["email"], r["order"], r.get("needs_to_sign") is not False and not r.get("notify_only"), r)
            for r in rows
        ]
        if who == "m":
            for other in others:
                other.needs_to_sign = False
        signers = [sender, *others]
        numbered = signers if sender.needs_to_sign else others
        for index, signer in enumerate(numbered):
            signer.tag_index = index
        made = SignatureRequest(
            document=document,
            asked=body,
            who=who,
            from_email=sender_email,
            signers=signers,
            is_being_prepared=bool(body.get("is_being_prepared")),
            created=self._ground.clock.now(),
        )
        document.request = made
        self._store.requests[made.uuid] = made
        for signer in signers:
            self._store.signers[signer.token] = (made, signer)
        self._lifecycle.send(made)
        return made

    def get(self, account: Account, uuid: str) -> SignatureRequest:
        found = self._store.requests.get(uuid)
        if found is None or found.document.account is not account:
            raise detail(*NOT_FOUND)
        return found

    async def list_all(self, request: Request, account: Account) -> Response:
        who, sender = request.query_params.get("who"), request.query_params.get("from_email")
        with self._ground.lock:
            rows = [
                r
                for r in reversed(self._store.requests.values())
                if r.document.account is account and (not who or r.who == who) and sender in (None, "", r.from_email)
            ]
            size = self._store.options.default_page_size
            return page(request, rows, self._shapes.request, self._links.public_url, size)

    async def read(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            return JSONResponse(self._shapes.request(self.get(account, request.path_params["uuid"])))

    async def cancel(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            found = self.get(account, request.path_params["uuid"])
            try:
                self._lifecycle.cancel(found)
            except NotPossible as exc:
                raise detail(400, str(exc)) from exc
        return JSONResponse({"detail": "OK", "cancelled": True}, 201)

    async def resend(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            found = self.get(account, request.path_params["uuid"])
            try:
                self._lifecycle.resend(found)
            except NotPossible as exc:
                raise detail(400, str(exc)) from exc
        return JSONResponse({"detail": "OK"}, 201)

    async def forward(self, request: Request, account: Account) -> Response:
        body, _ = await read_body(request)
        errors = Errors()
        names = ("signer_email_to_forward", "signer_email_to_forward_to")
        for name in names:
            if not body.get(name):
                errors.add(name, REQUIRED)
            elif not is_email(body[name]):
                errors.add(name, "Enter a valid email address.")
        errors.raise_any()
        with self._ground.lock:
            found = self.get(account, request.path_params["uuid"])
            old = str(body[names[0]]).lower()
            signer = next((s for s in found.signers if s.email.lower() == old and s.is_waiting), None)
            if signer is None:
                raise Refusal(400, {names[0]: ["This signer is not known or has nothing left to do."]})
            try:
                self._lifecycle.forward(found, signer, str(body[names[1]]), str(body.get("forwarded_reason") or ""))
            except NotPossible as exc:
                raise detail(400, str(exc)) from exc
        return JSONResponse({"detail": "OK"}, 201)
