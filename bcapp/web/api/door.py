"""The one door of the API: key, role, rate, values of the address, and one shape for every refusal."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.stores import StoreDoing
from bcapp.db.api_keys import CALLS_A_MINUTE, Bearer, use_key
from bcapp.db.stores import Store, fetch_store
from bcapp.errors import AppError, RefusedByUs, Stale, UnreadableInput
from bcapp.services import Services
from bcapp.web.api.shapes import ErrorDetail, ErrorOut
from bcapp.web.forms import TooLarge, read_body

ROOT = "/api/v1"
SIZE, MOST = 50, 100  # of a page
MOST_ID = 2**53
BODY_BYTES = 64 * 1024
CODES = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    409: "conflict", 413: "too_large", 415: "bad_request", 422: "refused", 429: "too_many_calls", 500: "fault_of_ours",
    503: "away",
}  # fmt: skip
SENTENCES = {
    404: "There is nothing at this address. Check it against docs/api.md.",
    405: "This cannot be done at this address.",
    500: "Something went wrong on our side. Nothing was lost; try again in a minute.",
    503: "We are away for a moment. Nothing was changed; try again in a minute.",
}
TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,200}")


class Refused(AppError):
    """A refusal with its status; the message is for people."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})


def refusal(status: int, message: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """Answer a refusal in the one shape that they all have."""
    said = message or SENTENCES.get(status) or "This did not work."
    body = ErrorOut(error=ErrorDetail(code=CODES.get(status, "refused"), message=said))
    return Response(body.model_dump_json(), status, headers, "application/json")


@dataclass(frozen=True)
class Query:
    """A value of the address. kind: text, number, or time (ISO 8601)."""

    name: str
    about: str
    kind: Literal["text", "number", "time"] = "text"
    allowed: tuple[str, ...] = ()


LIMIT = Query("limit", f"How many at most, 1 to {MOST}; {SIZE} when it is not given.", "number")
AFTER = Query("after", "`next` of the page before.")


@dataclass(frozen=True)
class Operation:
    """One operation as it is published. answers: the model, None for a file. pages: it answers a page of them."""

    method: str
    path: str
    name: str
    summary: str
    endpoint: Callable[[Request], Awaitable[Response]]
    role: str
    answers: type[BaseModel] | None
    takes: type[BaseModel] | None
    pages: bool
    media_type: str
    query: tuple[Query, ...]
    status: int

    @property
    def route(self) -> Route:
        return Route(f"{ROOT}{self.path}", self.endpoint, methods=[self.method], name=f"api:{self.name}")


@dataclass(frozen=True)
class Call:
    """One proven call. Every query takes `store.hash`. values: of the address, read and bounded. body: as declared."""

    services: Services
    store: Store
    bearer: Bearer
    now: datetime
    request: Request
    values: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None

    def id(self, name: str = "id") -> int:
        """Return a number of the path; what none of our rows can have is not found."""
        text = str(self.request.path_params[name])
        if not (text.isascii() and text.isdecimal() and len(text) < 17 and 0 < int(text) < MOST_ID):
            raise Refused(404, SENTENCES[404])
        return int(text)

    def text(self, name: str) -> str:
        """Return a word of the path."""
        value = str(self.request.path_params[name])
        if not TEXT.fullmatch(value) or not value:
            raise Refused(404, SENTENCES[404])
        return value

    @property
    def limit(self) -> int:
        limit: int | None = self.values.get("limit")
        if limit is not None and not 1 <= limit <= MOST:
            raise Refused(400, f"`limit` is a number from 1 to {MOST}.")
        return limit or SIZE

    def before(self) -> int:
        """Return the id that a page of a list by id stops before."""
        after = self.values.get("after") or ""
        if not after:
            return MOST_ID
        (value,) = read_cursor(after, 1)
        if not (value.isascii() and value.isdecimal() and len(value) < 17):
            raise Refused(400, "`after` is not one that we gave. Begin with the first page.")
        return int(value)


Handler = Callable[[Call], Awaitable[BaseModel | Response]]


def cursor(*values: str) -> str:
    """Return a mark of where a page ended. It means nothing to whoever gets it."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def read_cursor(text: str, count: int) -> list[str]:
    """Return what a mark of ours holds; Refused when it is none."""
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        values = None
    good = isinstance(values, list) and len(values) == count and all(isinstance(v, str) for v in values)
    if not good or any("\x00" in v or len(v) > 200 for v in values):
        raise Refused(400, "`after` is not one that we gave. Begin with the first page.")
    return list(values)


def operation(
    method: str,
    path: str,
    *,
    summary: str,
    answers: type[BaseModel] | None = None,
    takes: type[BaseModel] | None = None,
    pages: bool = False,
    role: str = "read",
    media_type: str = "application/json",
    query: tuple[Query, ...] = (),
    status: int = 200,
) -> Callable[[Handler], Operation]:
    """Make a handler an operation. The first sentence of its docstring is its description."""

    def wrap(handler: Handler) -> Operation:
        asked = (*query, LIMIT, AFTER) if pages else query

        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            return await answer(request, handler, role=role, query=asked, takes=takes, status=status)

        return Operation(
            method, path, handler.__name__, summary, endpoint, role, answers, takes, pages, media_type, asked, status
        )

    return wrap


async def answer(
    request: Request,
    handler: Handler,
    *,
    role: str,
    query: tuple[Query, ...],
    takes: type[BaseModel] | None,
    status: int,
) -> Response:
    """Prove the key, read the values, call the handler, and answer in JSON."""
    rate: dict[str, str] = {}
    try:
        bearer = await prove(request)
        services: Services = request.app.state.services
        now = services.clock.now()
        rate = rate_headers(bearer, now)
        if bearer.calls > CALLS_A_MINUTE:
            raise Refused(429, f"At most {CALLS_A_MINUTE} calls a minute.", {"Retry-After": rate["RateLimit-Reset"]})
        if role == "write" and bearer.role != "write":
            raise Refused(403, "This key may only read. Make one that may write under Settings, API keys.")
        store = await fetch_store(services.db, bearer.store_hash)
        if store is None or not store.may(StoreDoing.OPEN):
            raise unproven()
        structlog.contextvars.bind_contextvars(store=store.hash, key=bearer.key_id)
        values = read_values(request, query)
        body = await read_model(request, takes) if takes is not None else None
        made = await handler(Call(services, store, bearer, now, request, values, body))
    except Refused as exc:
        return refusal(exc.status, str(exc), {**rate, **exc.headers})
    except TooLarge:
        return refusal(413, f"A body has at most {BODY_BYTES // 1024} kB.", rate)
    except UnreadableInput:
        return refusal(400, "The body is not JSON that we can read.", rate)
    except RefusedByUs as exc:
        return refusal(422, str(exc), rate)
    except Stale:
        return refusal(409, "Somebody else was faster. Read it again, then repeat the call.", rate)
    if isinstance(made, BaseModel):
        made = Response(made.model_dump_json(), status, media_type="application/json")
    made.headers.update(rate)
    return made


def unproven() -> Refused:
    text = "Send a key of this store as “Authorization: Bearer …”. Keys are made under Settings, API keys."
    return Refused(401, text, {"WWW-Authenticate": "Bearer"})


async def prove(request: Request) -> Bearer:
    """Return the key's bearer; whatever is wrong with a key, a stranger hears the same."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise unproven()
    services: Services = request.app.state.services
    bearer = await use_key(services.db, key.strip(), services.clock.now())
    if bearer is None:
        raise unproven()
    return bearer


def rate_headers(bearer: Bearer, now: datetime) -> dict[str, str]:
    left = max(0, CALLS_A_MINUTE - bearer.calls)
    return {
        "RateLimit-Limit": str(CALLS_A_MINUTE),
        "RateLimit-Remaining": str(left),
        "RateLimit-Reset": str(60 - now.second),
    }


def read_values(request: Request, query: tuple[Query, ...]) -> dict[str, Any]:
    """Return what the address asks for; a name that is not offered is refused, so that a typo is not silence."""
    known = {q.name: q for q in query}
    values: dict[str, Any] = {}
    for name, text in request.query_params.items():
        asked = known.get(name)
        if asked is None:
            offered = ", ".join(known) or "none"
            raise Refused(400, f"This address does not take `{name[:40]}`; it takes {offered}.")
        values[name] = _value(asked, text)
    return values


def _value(asked: Query, text: str) -> Any:
    if not TEXT.fullmatch(text):
        raise Refused(400, f"`{asked.name}` cannot be read.")
    match asked.kind:
        case "number":
            if not (text.isascii() and text.isdecimal() and len(text) < 17):
                raise Refused(400, f"`{asked.name}` is a whole number.")
            return int(text)
        case "time":
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                raise Refused(400, f"`{asked.name}` is a time such as 2026-11-22T12:00:00Z.") from None
            try:
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            except OverflowError:
                raise Refused(400, f"`{asked.name}` is a time such as 2026-11-22T12:00:00Z.") from None
        case _:
            if asked.allowed and text not in asked.allowed:
                raise Refused(400, f"`{asked.name}` is one of {', '.join(asked.allowed)}.")
            return text


async def read_model(request: Request, model: type[BaseModel]) -> BaseModel:
    """Return the body as the model says; Refused names the field that is wrong, never its value."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/json"):
        raise Refused(415, "Send the body as application/json.")
    raw = await read_body(request, BODY_BYTES)
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise Refused(400, f"{where}: {first['msg']}.") from None
    except RecursionError:
        raise Refused(400, "The body is nested too deep.") from None
