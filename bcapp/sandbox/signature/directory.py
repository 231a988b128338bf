"""/templates/, /teams/, /team-members/, /webhooks/ and /events/."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature.checks import EVENT_TYPES, REQUIRED, Errors, check_text, check_url
from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.records import Account, Event, Store, Webhook
from bcapp.sandbox.signature.rest import NOT_FOUND, detail, page, read_body
from bcapp.sandbox.signature.shapes import Shapes


class Directory:
    """Endpoints for what an account has beside documents and requests."""

    def __init__(self, store: Store, ground: Ground, links: Links, shapes: Shapes) -> None:
        self._store, self._ground, self._links, self._shapes = store, ground, links, shapes

    async def templates(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            rows = [t for t in self._store.templates.values() if t.account is account]
            return page(request, rows, self._shapes.template, self._links.public_url)

    async def template(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            template = self._store.templates.get(request.path_params["uuid"])
            if template is None or template.account is not account:
                raise detail(*NOT_FOUND)
            return JSONResponse(self._shapes.template(template))

    async def teams(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            return page(request, [account], self._shapes.whole_team, self._links.public_url)

    async def team(self, request: Request, account: Account) -> Response:
        if request.path_params["subdomain"] != account.tenant:
            raise detail(*NOT_FOUND)
        if request.method == "PATCH":
            body, _ = await read_body(request)
            errors = Errors()
            check_text(errors, body, ("name",), 255)
            check_url(errors, body, ("events_callback_url",))
            errors.raise_any()
            account.name = str(body.get("name") or account.name)
            if "events_callback_url" in body:
                account.events_callback_url = body["events_callback_url"] or None
        with self._ground.lock:
            return JSONResponse(self._shapes.whole_team(account))

    async def members(self, request: Request, account: Account) -> Response:
        wanted = request.query_params.get("user__email")
        with self._ground.lock:
            rows = [account] if wanted in (None, "", account.sender_email) else []
            return page(request, rows, self._shapes.member, self._links.public_url)

    async def member(self, request: Request, account: Account) -> Response:
        if request.path_params["uuid"] != account.member_uuid:
            raise detail(*NOT_FOUND)
        return JSONResponse(self._shapes.member(account))

    async def webhooks(self, request: Request, account: Account) -> Response:
        if request.method == "POST":
            body, _ = await read_body(request)
            self._check_webhook(body, whole=True)
            with self._ground.lock:
                made = Webhook(
                    account,
                    str(body["event_type"]),
                    str(body["callback_url"]),
                    body.get("name"),
                    body.get("integration"),
                    self._ground.clock.now(),
                )
                self._store.webhooks[made.uuid] = made
                return JSONResponse(self._shapes.webhook(made), 201)
        with self._ground.lock:
            rows = [w for w in self._store.webhooks.values() if w.account is account]
            return page(request, rows, self._shapes.webhook, self._links.public_url)

    async def webhook(self, request: Request, account: Account) -> Response:
        body: dict[str, Any] = {}
        if request.method in ("PUT", "PATCH"):
            body, _ = await read_body(request)
        with self._ground.lock:
            found = self._store.webhooks.get(request.path_params["uuid"])
            if found is None or found.account is not account:
                raise detail(*NOT_FOUND)
            if request.method == "DELETE":
                del self._store.webhooks[found.uuid]
                return Response(status_code=204)
            if request.method in ("PUT", "PATCH"):
                self._check_webhook(body, whole=request.method == "PUT")
                found.event_type = body.get("event_type", found.event_type)
                found.callback_url = body.get("callback_url", found.callback_url)
                found.name = body.get("name", found.name)
            return JSONResponse(self._shapes.webhook(found))

    def _check_webhook(self, body: dict[str, Any], *, whole: bool) -> None:
        errors = Errors()
        check_text(errors, body, ("name",), 255)
        check_url(errors, body, ("callback_url",))
        for name in ("event_type", "callback_url"):
            if (whole or name in body) and not body.get(name):
                errors.add(name, REQUIRED)
        if body.get("event_type") and body["event_type"] not in EVENT_TYPES:
            errors.add("event_type", f'"{body["event_type"]}" is not a valid choice.')
        errors.raise_any()

    def _events_of(self, account: Account) -> list[Event]:
        return [e for e in reversed(self._store.events) if e.document.account is account and not e.document.deleted]

    async def events(self, request: Request, account: Account) -> Response:
        asked = dict(request.query_params)
        with self._ground.lock:
            rows = [e for e in self._events_of(account) if _wanted(e, asked)]
            size = self._store.options.default_page_size
            return page(request, rows, self._shapes.event, self._links.public_url, size)

    async def event(self, request: Request, account: Account) -> Response:
        """Read one event by its number (contract of 2020) or uuid (contract of 2026)."""
        key = request.path_params["id"]
        with self._ground.lock:
            for event in self._events_of(account):
                if key in (event.uuid, str(event.number)):
                    return JSONResponse(self._shapes.event(event))
        raise detail(*NOT_FOUND)


def _wanted(event: Event, asked: dict[str, str]) -> bool:
    document, request = event.document, event.document.request
    facts = {
        "document__uuid": document.uuid,
        "document__external_id": document.external_id,
        "document__status": document.status,
        "document__user__email": document.account.sender_email,
        "document__signrequest__who": request.who if request else None,
        "document__signature_request__who": request.who if request else None,
        "document__signrequest__from_email": request.from_email if request else None,
        "document__signature_request__from_email": request.from_email if request else None,
        "status": event.status,
        "event_type": event.event_type,
    }
    delivered = asked.get("delivered", "")
    if delivered and (delivered.lower() in ("true", "1")) != bool(event.delivered):
        return False
    return all(facts[key] == value for key, value in asked.items() if key in facts and value != "")
