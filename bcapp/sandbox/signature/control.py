"""The service's controls over HTTP, under /_sandbox/signature/, for the demo's driver and for crash tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.signature.lifecycle import NotPossible
from bcapp.sandbox.signature.records import Account, Document, Event, Mail, SignatureRequest, Signer
from bcapp.sandbox.signature.shapes import iso

if TYPE_CHECKING:
    from bcapp.sandbox.signature import SignatureSandbox

ROOT = "/_sandbox/signature"

Body = dict[str, Any]


def control_routes(sandbox: SignatureSandbox) -> list[BaseRoute]:
    """Return the routes; every POST takes and answers JSON, 409 when the thing cannot be done, 404 when unknown."""
    documents: dict[str, Callable[[str, Body], None]] = {
        "view": lambda key, b: sandbox.view(key, b["email"]),
        "sign": lambda key, b: sandbox.sign(key, b["email"], b.get("inputs")),
        "decline": lambda key, b: sandbox.decline(key, b["email"], b.get("reason", "")),
        "forward": lambda key, b: sandbox.forward(key, b["email"], b["to"], b.get("reason", "")),
        "type_outside_fields": lambda key, b: sandbox.type_outside_fields(key, b["email"], b["text"]),
        "cancel": lambda key, b: sandbox.cancel(key),
        "expire": lambda key, b: sandbox.expire(key),
        "delete": lambda key, b: sandbox.delete_document(key),
        "tamper": lambda key, b: sandbox.tamper_pdf(key, b.get("text", "Another text.")),
        "spoil_hash": lambda key, b: sandbox.spoil_hash(key),
    }
    service: dict[str, Callable[[Body], None]] = {
        "bounce": lambda b: sandbox.bounce(b["email"]),
        "mend": lambda b: sandbox.mend(b["email"]),
        "down": lambda b: sandbox.go_down(),
        "up": lambda b: sandbox.go_up(),
        "options": sandbox.set_options,
        "kill_tokens": lambda b: sandbox.accounts.kill_tokens(),
        "lock_out": lambda b: sandbox.lock_out(),
    }

    async def on_document(request: Request) -> Response:
        act = documents.get(request.path_params["act"])
        if act is None:
            return JSONResponse({"detail": f"known are {', '.join(documents)}"}, 404)
        key, body = request.path_params["key"], await _json(request)
        return await _answer(lambda: asyncio.to_thread(act, key, body))

    async def on_service(request: Request) -> Response:
        act = service.get(request.path_params["act"])
        if act is None:
            return JSONResponse({"detail": f"known are {', '.join(service)}"}, 404)
        body = await _json(request)
        return await _answer(lambda: asyncio.to_thread(act, body))

    async def accounts(request: Request) -> Response:
        if request.method == "POST":
            body = await _json(request)
            try:
                return JSONResponse(_account(sandbox.add_account(Account(**body))), 201)
            except (TypeError, ValueError) as exc:
                return JSONResponse({"detail": str(exc)}, 422)
        return JSONResponse([_account(a) for a in sandbox.store.accounts.values()])

    async def list_documents(request: Request) -> Response:
        wanted = request.query_params.get("external_id")
        with sandbox.ground.lock:
            rows = [d for d in sandbox.store.documents.values() if wanted in (None, d.external_id)]
            return JSONResponse([_document(sandbox, d) for d in rows])

    async def read_document(request: Request) -> Response:
        try:
            document = sandbox.find(request.path_params["key"])
        except KeyError as exc:
            return JSONResponse({"detail": str(exc)}, 404)
        with sandbox.ground.lock:
            return JSONResponse(_document(sandbox, document))

    async def inbox(request: Request) -> Response:
        asked = request.query_params
        return JSONResponse([_mail(m) for m in sandbox.inbox.find(asked.get("to"), asked.get("kind"))])

    async def events(request: Request) -> Response:
        with sandbox.ground.lock:
            return JSONResponse([_event(e) for e in sandbox.store.events])

    async def settle(request: Request) -> Response:
        try:
            await sandbox.settled()
        except TimeoutError:
            return JSONResponse({"detail": "still busy"}, 409)
        return JSONResponse({"detail": "OK"})

    return [
        Route(f"{ROOT}/accounts", accounts, methods=["GET", "POST"]),
        Route(f"{ROOT}/inbox", inbox, methods=["GET"]),
        Route(f"{ROOT}/events", events, methods=["GET"]),
        Route(f"{ROOT}/settle", settle, methods=["POST"]),
        Route(f"{ROOT}/documents", list_documents, methods=["GET"]),
        Route(f"{ROOT}/documents/{{key}}", read_document, methods=["GET"]),
        Route(f"{ROOT}/documents/{{key}}/{{act}}", on_document, methods=["POST"]),
        Route(f"{ROOT}/{{act}}", on_service, methods=["POST"]),
    ]


async def _json(request: Request) -> Body:
    raw = await request.body()
    body = await request.json() if raw else {}
    return body if isinstance(body, dict) else {}


async def _answer(act: Callable[[], Awaitable[None]]) -> Response:
    try:
        await act()
    except KeyError as exc:
        return JSONResponse({"detail": f"unknown or missing: {exc}"}, 404)
    except (NotPossible, ValueError) as exc:
        return JSONResponse({"detail": str(exc)}, 409)
    return JSONResponse({"detail": "OK"})


def _account(account: Account) -> dict[str, Any]:
    names = ("tenant", "name", "client_id", "client_secret", "subscription", "sender_email", "event_key")
    return {name: getattr(account, name) for name in names}


def _document(sandbox: SignatureSandbox, document: Document) -> dict[str, Any]:
    """Return what a driver needs to act as the signers: their links and their fields."""
    request = document.request
    signers = [_signer(sandbox, request, s) for s in request.signers] if request else []
    return {
        "uuid": document.uuid,
        "tenant": document.account.tenant,
        "external_id": document.external_id,
        "name": document.name,
        "status": document.status,
        "processing": document.processing,
        "request": request.uuid if request else None,
        "signers": signers,
    }


def _signer(sandbox: SignatureSandbox, request: SignatureRequest, signer: Signer) -> dict[str, Any]:
    return {
        "email": signer.email,
        "order": signer.order,
        "needs_to_sign": signer.needs_to_sign,
        "state": _state(signer),
        "url": sandbox.links.signing(signer),
        "fields": [
            {"key": f.key, "type": f.kind, "label": f.label, "required": f.required, "page_index": f.page_index}
            for f in sandbox.lifecycle.fields_of(request, signer)
        ],
    }


def _state(signer: Signer) -> str:
    if signer.forwarded_on:
        return "forwarded"
    if signer.declined_on:
        return "declined"
    if signer.signed_on:
        return "signed"
    return "viewed" if signer.viewed else "mailed" if signer.emailed else "waiting"


def _mail(mail: Mail) -> dict[str, Any]:
    return {
        "from": mail.sender,
        "to": list(mail.to),
        "subject": mail.subject,
        "text": mail.text,
        "at": iso(mail.at),
        "kind": mail.kind,
        "links": [{"label": label, "url": url} for label, url in mail.links],
        "files": list(mail.files),
        "request": mail.request_uuid,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "uuid": event.uuid,
        "id": event.number,
        "document": event.document.uuid,
        "external_id": event.document.external_id,
        "event_type": event.event_type,
        "timestamp": iso(event.timestamp),
        "delivered": event.delivered,
        "attempts": event.attempts,
        "callback_status_code": event.callback_status_code,
    }
