"""What both simulated vendors stand on: a clock that can be moved, a record of calls, and faults on demand."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, get_args
from urllib.parse import parse_qs, parse_qsl

import httpx
import orjson
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Service = Literal["bigcommerce", "b2b", "signature", "receiver"]
FaultKind = Literal["before", "after", "silent", "silent_before", "late", "throttle", "throttle_bare", "html"]

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

PROXY_PAGE = "<html><head><title>503 Service Temporarily Unavailable</title></head><body><h1>503</h1></body></html>"


@dataclass(kw_only=True)
class SandboxSettings:
    """What a run of the sandbox is told; `app_url` and `public_url` may be set after the start.

    app_url: where the app's callbacks and its framed pages live.
    public_url: where browsers reach the sandbox; the server sets it to its own address when it is empty.
    panel_url: where the control panel lives when that is another host; "{hash}" in it stands for the store's hash.
    reach: origins that only browsers can resolve, and where the sandbox itself finds them (see reach.py).
    speed: divides every waiting time of the vendors (retry ladders, background steps); 1.0 is the real pace.
    spec_dir: folder that holds `bigcommerce/*.yml`; None means that nothing is validated.
    spec_exceptions: YAML file of the deviations that are allowed, each with its reason.
    seed, history: what the believable stores are made from, and whether they have past orders.
    slow_hooks: a new webhook stays silent for its first minute (divided by `speed`), as it may at the vendor.
    """

    client_id: str = "cs-sandbox-client"
    client_secret: str = "sandbox-client-secret-0123456789abcdef0123456789abcdef"
    app_id: int = 41257
    app_url: str = "http://127.0.0.1:8000"
    public_url: str = ""
    panel_url: str = ""
    reach: dict[str, str] = field(default_factory=dict)
    speed: float = 1.0
    spec_dir: Path | None = None
    spec_exceptions: Path | None = None
    seed: int = 7
    history: bool = True
    slow_hooks: bool = False


class Clock:
    """The sandbox's time: real time plus an offset that can only be moved forward."""

    def __init__(self) -> None:
        self.offset = 0.0
        self.moved: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def advance(self, seconds: float) -> None:
        """Move the time forward and wake whoever waits for it. Raises ValueError for a negative step."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self.offset += seconds
        for wake in list(self.moved):
            wake()


@dataclass(kw_only=True)
class Call:
    """One request that reached a simulated vendor.

    body: decoded JSON, a dict of form fields, or None when there was neither.
    status: None when the caller was never answered. executed: whether the vendor acted on it.
    """

    service: Service
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int | None = None
    executed: bool = False
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "service": self.service,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "body": self.body,
            "status": self.status,
            "executed": self.executed,
            "at": self.at.isoformat(),
        }


@dataclass(kw_only=True)
class Fault:
    """One planned misbehaviour; `times` counts down, and a negative number means always."""

    service: Service
    method: str
    path: re.Pattern[str]
    kind: FaultKind
    times: int
    seconds: float
    status: int
    hook: Callable[[], None] | None
    body: re.Pattern[str] | None
    id: int = 0


class Faults:
    """The planned misbehaviour of the vendors, looked up in the order in which it was added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_id = 1
        self.planned: list[Fault] = []

    def add(
        self,
        service: Service,
        method: str,
        path_regex: str,
        kind: FaultKind,
        times: int = 1,
        seconds: float = 0.0,
        status: int = 503,
        hook: Callable[[], None] | None = None,
        body_regex: str | None = None,
    ) -> Fault:
        """Plan a fault for the next `times` calls whose path matches (`re.search`); method "*" means any.

        kind: before (answer `status`, do not execute), after (execute, answer `status`), silent (execute, drop the
        connection), silent_before (drop it without executing), late (execute, answer after `seconds`), throttle (429
        with the vendor's headers), throttle_bare (429 without), html (a proxy's error page).
        hook: called at that point, from a thread of its own; for before and html it is called before the answer.
        body_regex: the fault applies only to calls whose raw body matches.
        """
        if kind not in FAULT_KINDS:
            raise ValueError(f"{kind!r} is no fault; known are {', '.join(FAULT_KINDS)}")
        body = re.compile(body_regex) if body_regex is not None else None
        with self._lock:
            fault = Fault(
                service=service, method=method.upper(), path=re.compile(path_regex), kind=kind, times=times,
                seconds=seconds, status=status, hook=hook, body=body, id=self._next_id,
            )  # fmt: skip
            self._next_id += 1
            self.planned.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock, suppress(ValueError):
            self.planned.remove(fault)

    def clear(self) -> None:
        with self._lock:
            self.planned.clear()

    def take(self, service: Service, method: str, path: str, raw: bytes) -> Fault | None:
        """Return the first fault that applies to a call and count it down."""
        with self._lock:
            for fault in self.planned:
                if fault.service != service or fault.method not in ("*", method) or not fault.path.search(path):
                    continue
                if fault.body is not None and not fault.body.search(raw.decode("utf-8", "replace")):
                    continue
                if fault.times > 0:
                    fault.times -= 1
                    if fault.times == 0:
                        self.planned.remove(fault)
                return fault
        return None


class Ground(Protocol):
    """What a simulated vendor may use of the sandbox."""

    settings: SandboxSettings
    clock: Clock
    faults: Faults
    calls: list[Call]
    lock: threading.RLock
    spec_errors: list[str]
    throttle_headers: dict[Service, Callable[[], dict[str, str]]]


def parse_body(raw: bytes, content_type: str) -> Any:
    """Return a request body as JSON data or a dict of form fields; None when it is neither."""
    kind = content_type.partition(";")[0].strip().lower()
    if not raw:
        return None
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def service_of(method: str, path: str, raw: bytes, content_type: str) -> Service | None:
    """Return whose address this is, or None for pages and the control API.

    Both vendors have POST /oauth2/token: BigCommerce's carries a `code` with a `context` of the form stores/{hash}.
    """
    if path.startswith("/stores/"):
        return "bigcommerce"
    if path.startswith("/receiver/"):
        return "receiver"  # a system of the merchant's, which hears outgoing webhooks
    if path.startswith("/api/v3/io/"):
        return "b2b"
    if path == "/oauth2/token" and method == "POST":
        body = parse_body(raw, content_type)
        if not isinstance(body, dict):
            body = {}
        return "bigcommerce" if {"code", "context"} & body.keys() else "signature"
    if path.startswith(("/api/v1", "/otdstenant/", "/tenants/", "/oauth2/", "/downloads/")):
        return "signature"
    return None


class ServiceRoute(Route):
    """A route that belongs to one vendor; both have POST /oauth2/token, and the recorder has told whose it is."""

    def __init__(self, service: Service, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.service = service

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope.get("sandbox_service") != self.service:
            return Match.NONE, {}
        return super().matches(scope)


class Recorder:
    """ASGI middleware: records the calls to the vendors and lets the planned faults happen."""

    def __init__(self, app: ASGIApp, ground: Ground) -> None:
        self.app = app
        self.ground = ground

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw = await _read(receive)
        if raw is None:
            return
        method, path = scope["method"], scope["path"]
        content_type = _header(scope["headers"], b"content-type")
        service = service_of(method, path, raw, content_type)
        replay = _Replay(raw, receive)
        if service is None:
            await self.app(scope, replay, send)
            return
        scope = {**scope, "sandbox_service": service}
        query = {k: v[-1] for k, v in parse_qs(scope["query_string"].decode(), keep_blank_values=True).items()}
        body = parse_body(raw, content_type)
        call = Call(service=service, method=method, path=path, query=query, body=body, at=self.ground.clock.now())
        self.ground.calls.append(call)
        fault = self.ground.faults.take(service, method, path, raw)
        if fault is None:
            call.executed = True
            await self.app(scope, replay, _noting(call, send))
            return
        await self._misbehave(fault, call, scope, replay, send)

    async def _misbehave(self, fault: Fault, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        executes = fault.kind in ("after", "silent", "late")
        held: list[Message] = []
        if executes:
            call.executed = True

            async def hold(message: Message) -> None:
                held.append(message)

            await self.app(scope, receive, hold)
        if fault.hook is not None:
            await asyncio.to_thread(fault.hook)
        if fault.kind in ("silent", "silent_before"):
            await _drop(receive, send)
            return
        if fault.kind == "late":
            await asyncio.sleep(fault.seconds)
            noting = _noting(call, send)
            for message in held:
                await noting(message)
            return
        await self._refusal(fault, call)(scope, receive, _noting(call, send))

    def _refusal(self, fault: Fault, call: Call) -> Response:
        if fault.kind == "html":
            return HTMLResponse(PROXY_PAGE, status_code=fault.status)
        if fault.kind in ("throttle", "throttle_bare"):
            headers: dict[str, str] = {}
            if fault.kind == "throttle":
                headers = self.ground.throttle_headers.get(call.service, dict)()
            if call.service == "signature":
                seconds = max(1, round(fault.seconds or 1))
                detail = f"Request was throttled. Expected available in {seconds} seconds."
                return JSONResponse({"detail": detail}, 429, {"Retry-After": str(seconds), **headers})
            if fault.seconds and headers:
                headers["X-Rate-Limit-Time-Reset-Ms"] = str(int(fault.seconds * 1000))
            return JSONResponse({"status": 429, "title": "Too many requests", "type": STATUS_TYPE}, 429, headers)
        return JSONResponse({"status": fault.status, "title": "The service is unavailable"}, fault.status)


STATUS_TYPE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"


class _Replay:
    """A receive channel that gives the body again and then what the connection has to say."""

    def __init__(self, raw: bytes, receive: Receive) -> None:
        self._messages: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


async def _read(receive: Receive) -> bytes | None:
    """Return the whole request body; None when the caller went away first."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _noting(call: Call, send: Send) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.status = message["status"]
        await send(message)

    return note


async def _drop(receive: Receive, send: Send) -> None:
    """Break the connection without an answer; in process the caller meets the same transport error.

    The server's send is a bound method of its request cycle, which holds the transport.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise httpx.ReadError("the simulated vendor dropped the connection")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def matching(calls: Iterable[Call], **wanted: Any) -> list[Call]:
    """Return the calls that match: service, method, path (a regular expression), executed, status."""
    pattern = re.compile(wanted.pop("path", ""))
    return [c for c in calls if pattern.search(c.path) and all(getattr(c, k) == v for k, v in wanted.items())]


@dataclass
class Ticker:
    """A background wait that ends early when the clock is moved or somebody calls `wake`, from any thread."""

    clock: Clock
    _loop: asyncio.AbstractEventLoop | None = None
    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def bind(self) -> None:
        """Belong to the running loop from now on."""
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        if self.wake not in self.clock.moved:
            self.clock.moved.append(self.wake)

    def release(self) -> None:
        """Stop being woken."""
        self._loop = None
        if self.wake in self.clock.moved:
            self.clock.moved.remove(self.wake)

    def wake(self) -> None:
        loop = self._loop
        if loop is not None:
            # The loop may end between the look and the call; then there is nobody to wake.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, or at once when woken since the last wait."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout=max(seconds, 0.0))
        self._event.clear()


def json_ready(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy whose times are ISO strings."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}
