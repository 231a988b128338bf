"""The door of the simulated REST API: who is asking, may they, how often, and errors in the vendor's shapes."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from bcapp.sandbox.bigcommerce.store import Refused, Store
from bcapp.sandbox.ground import STATUS_TYPE, Ground

WINDOW_MS = 30_000
MAX_LIMIT = 250


class ApiError(Exception):
    """An answer other than success. errors: what V3 puts under that key, by field. wrapped: in a list under "data"."""

    def __init__(
        self,
        status: int,
        title: str,
        errors: dict[str, str] | None = None,
        more: Any = None,
        *,
        wrapped: bool = False,
    ) -> None:
        super().__init__(title)
        self.wrapped = wrapped
        self.status = status
        self.title = title
        self.errors = errors
        self.more = more


@dataclass(kw_only=True)
class Ask:
    """One call of the API, let in already."""

    store: Store
    params: dict[str, str]
    query: dict[str, str]
    body: Any
    path: str
    client_id: str

    def number(self, name: str) -> int:
        return int(self.params[name])

    def object(self) -> dict[str, Any]:
        """Return the body as an object, or raise 400."""
        if not isinstance(self.body, dict):
            raise ApiError(400, "The request body is not a JSON object.")
        return self.body

    def array(self, most: int) -> list[dict[str, Any]]:
        """Return the body as a list of objects; raises 400, and 413 when it is longer than `most`."""
        if not isinstance(self.body, list) or not all(isinstance(row, dict) for row in self.body):
            raise ApiError(400, "The request body is not a JSON array of objects.")
        if len(self.body) > most:
            raise ApiError(413, f"At most {most} items can be sent at a time.")
        return self.body


@dataclass(kw_only=True)
class Answer:
    """A successful answer; data None means an empty body."""

    data: Any = None
    status: int = 200


Handler = Callable[[Ask], Answer]


@dataclass(kw_only=True)
class Operation:
    """One method of one path. scopes: any one of them is enough; none means that every token may."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    scopes: tuple[str, ...]
    at_once: int | None = None


@dataclass
class Table:
    """The operations of the API, collected by decorators in the modules that hold them."""

    operations: list[Operation] = field(default_factory=list)

    def __call__(
        self, method: str, template: str, *scopes: str, at_once: int | None = None
    ) -> Callable[[Handler], Handler]:
        """Register a handler; "{name}" in the template is a number unless it ends with ":s"."""

        def register(handler: Handler) -> Handler:
            pattern = re.sub(r"\{(\w+):s\}", r"(?P<\1>[^/]+)", template)
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", pattern)
            self.operations.append(
                Operation(
                    method=method,
                    template=template,
                    pattern=re.compile(pattern),
                    handler=handler,
                    scopes=scopes,
                    at_once=at_once,
                )
            )
            return handler

        return register


def modify_or_read(name: str) -> tuple[str, str]:
    return name, f"{name}_read_only"


class Api:
    """Answers `/stores/{hash}/...`. check: looks at every call and its answer, see spec.py."""

    def __init__(
        self,
        ground: Ground,
        stores: Mapping[str, Store],
        operations: Iterable[Operation],
        check: "Checker | None" = None,
    ) -> None:
        self.ground = ground
        self.stores = stores
        self.operations = list(operations)
        self.check = check
        self._running: dict[str, int] = {}

    async def handle(self, request: Request) -> Response:
        path = "/" + request.path_params["rest"]
        version = path[:4]
        store = self.stores.get(request.path_params["hash"])
        raw = await request.body()
        query = {k: v for k, v in request.query_params.multi_items()}
        try:
            body = orjson.loads(raw) if raw else None
        except orjson.JSONDecodeError:
            return self._error(version, ApiError(400, "Input is invalid: the JSON cannot be read."), {})
        if store is None:
            return self._error(version, ApiError(404, "The store does not exist."), {})
        if self.check is not None:
            problem = self.check.request(request.method, path, query, body)
            if problem:
                return self._error(version, ApiError(500, f"Not in the vendor's specification: {problem}"), {})
        headers: dict[str, str] = {}
        operation: Operation | None = None
        try:
            client_id = self._let_in(store, request)
            headers = self._spend(store)
            operation, params = self._find(request.method, path)
            self._allow(store, operation)
            ask = Ask(store=store, params=params, query=query, body=body, path=path, client_id=client_id)
            answer = await self._run(operation, ask)
        except ApiError as exc:
            if self.check is not None:
                problem = self.check.response(request.method, path, exc.status, self._error_data(version, exc))
                if problem:
                    exc = ApiError(500, f"Not in the vendor's specification: {problem}")
            bare = exc.status == 429 and exc.more == "bare"
            return self._error(version, exc, {} if bare else headers or exc.more or {})
        if self.check is not None:
            problem = self.check.response(request.method, path, answer.status, answer.data)
            if problem:
                return self._error(version, ApiError(500, f"Not in the vendor's specification: {problem}"), {})
        return self._answer(answer, headers)

    async def _run(self, operation: Operation, ask: Ask) -> Answer:
        key = f"{ask.store.hash} {operation.method} {operation.template}"
        running = self._running.get(key, 0)
        if operation.at_once is not None and running >= operation.at_once:
            raise ApiError(429, "Too many requests at the same time.", more="bare")
        self._running[key] = running + 1
        try:
            if ask.store.latency:
                await asyncio.sleep(ask.store.latency)
            with self.ground.lock:
                return operation.handler(ask)
        except Refused as exc:
            raise ApiError(422, str(exc), {"": str(exc)}) from exc
        finally:
            self._running[key] -= 1

    def _let_in(self, store: Store, request: Request) -> str:
        """Return the calling client's id, or raise 401."""
        token = request.headers.get("X-Auth-Token", "")
        known = token and (token == store.token or (token in store.old_tokens and not store.revoke_on_uninstall))
        if not known:
            raise ApiError(401, "Unauthorized")
        if not store.installed and store.revoke_on_uninstall:
            raise ApiError(401, "Unauthorized")
        return self.ground.settings.client_id

    def rate_headers(self, left: int, quota: int, reset_ms: int) -> dict[str, str]:
        return {
            "X-Rate-Limit-Requests-Left": str(max(left, 0)),
            "X-Rate-Limit-Requests-Quota": str(quota),
            "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
            "X-Rate-Limit-Time-Window-Ms": str(WINDOW_MS),
        }

    def _spend(self, store: Store) -> dict[str, str]:
        """Count the call against the store's window of 30 s; raise 429 when it is used up."""
        now = self.ground.clock.now()
        if not store.window_start or (now - store.window_start).total_seconds() * 1000 >= WINDOW_MS:
            store.window_start, store.window_calls = now, 0
        store.window_calls += 1
        reset = max(1, WINDOW_MS - int((now - store.window_start).total_seconds() * 1000))
        headers = self.rate_headers(store.quota - store.window_calls, store.quota, reset)
        if store.window_calls > store.quota:
            raise ApiError(429, "You have exceeded the request limit.", more=headers)
        return headers

    def _find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        others: list[str] = []
        for operation in self.operations:
            match = operation.pattern.fullmatch(path)
            if match is None:
                continue
            if operation.method == method:
                return operation, match.groupdict()
            others.append(operation.method)
        if others:
            raise ApiError(405, "The requested method is not allowed here.")
        raise ApiError(404, "The route is not found.")

    def _allow(self, store: Store, operation: Operation) -> None:
        if operation.scopes and not set(operation.scopes) & set(store.scopes):
            raise ApiError(403, "You don't have a required scope to access the endpoint")

    def _answer(self, answer: Answer, headers: Mapping[str, str]) -> Response:
        if answer.data is None:
            return Response(status_code=answer.status, headers=dict(headers))
        body = orjson.dumps(answer.data)
        return Response(body, answer.status, dict(headers), media_type="application/json")

    def _error(self, version: str, error: ApiError, headers: Mapping[str, str]) -> Response:
        body = orjson.dumps(self._error_data(version, error))
        return Response(body, error.status, dict(headers), media_type="application/json")

    def _error_data(self, version: str, error: ApiError) -> Any:
        """V2 answers a list of {status, message}, V3 an object (bigcommerce.md 3.0)."""
        if version == "/v2/":
            return [{"status": error.status, "message": error.title}]
        data: dict[str, Any] = {"status": error.status, "title": error.title, "type": STATUS_TYPE}
        if error.errors is not None:
            data["errors"] = error.errors
        return {"data": [data]} if error.wrapped else data


class Checker:
    """What the API asks about every call; spec.py has the one that reads the vendor's files."""

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> str | None:
        raise NotImplementedError

    def response(self, method: str, path: str, status: int, data: Any) -> str | None:
        raise NotImplementedError


# Lists, filters, pages.


def page_of(ask: Ask, rows: list[Any], default: int) -> tuple[list[Any], int, int]:
    """Return the wanted page with its number and its size."""
    page, limit = number_in(ask.query, "page", 1), number_in(ask.query, "limit", default)
    page, limit = max(page, 1), min(max(limit, 1), MAX_LIMIT)
    return rows[(page - 1) * limit : page * limit], page, limit


def number_in(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise ApiError(422, f"{name} is not a number.", {name: "is not a number"}) from None


def numbers_in(query: Mapping[str, str], name: str) -> set[int] | None:
    """Return a comma-separated filter as numbers; None when it is absent."""
    if name not in query:
        return None
    try:
        return {int(part) for part in query[name].split(",") if part.strip()}
    except ValueError:
        raise ApiError(422, f"{name} is not a list of numbers.", {name: "is not a list of numbers"}) from None


def words_in(query: Mapping[str, str], name: str) -> set[str] | None:
    """Return a comma-separated filter as lower-case words; None when it is absent."""
    if name not in query:
        return None
    return {part.strip().lower() for part in query[name].split(",") if part.strip()}


def time_in(query: Mapping[str, str], name: str) -> datetime | None:
    """Return a time given as RFC 2822 or ISO 8601 (bigcommerce.md 3.0); without a zone it is UTC."""
    raw = query.get(name)
    if raw is None:
        return None
    try:
        at = datetime.fromisoformat(raw.replace(" ", "+") if "T" in raw else raw)
    except ValueError:
        try:
            at = parsedate_to_datetime(raw)
        except ValueError:
            raise ApiError(400, f"The field '{name}' is invalid.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def collection(ask: Ask, rows: list[Any], default: int = 50) -> Answer:
    """Answer a V3 list with its pagination."""
    shown, page, limit = page_of(ask, rows, default)
    pages = max(1, -(-len(rows) // limit))
    links = {"current": f"?page={page}&limit={limit}"}
    if page > 1:
        links["previous"] = f"?page={page - 1}&limit={limit}"
    if page < pages:
        links["next"] = f"?page={page + 1}&limit={limit}"
    pagination = {
        "total": len(rows), "count": len(shown), "per_page": limit, "current_page": page, "total_pages": pages,
        "links": links,
    }  # fmt: skip
    return Answer(data={"data": shown, "meta": {"pagination": pagination}})


def one(data: Any, status: int = 200) -> Answer:
    """Answer one V3 object."""
    return Answer(data={"data": data, "meta": {}}, status=status)


def pick(row: dict[str, Any], query: Mapping[str, str], keep: Iterable[str] = ()) -> dict[str, Any]:
    """Apply include_fields and exclude_fields; the id and what is named in `keep` always stay."""
    if "include_fields" in query:
        wanted = set(query["include_fields"].split(",")) | {"id", *keep}
        row = {k: v for k, v in row.items() if k in wanted}
    if "exclude_fields" in query:
        unwanted = set(query["exclude_fields"].split(",")) - {"id"}
        row = {k: v for k, v in row.items() if k not in unwanted}
    return row
