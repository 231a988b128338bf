"""What the tests of the simulated BigCommerce share: a receiver in the app's place, and a signed-in client."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from bcapp.sandbox import Sandbox, SandboxServer, SandboxSettings, find_specs
from bcapp.sandbox.bigcommerce import Store


@dataclass
class Received:
    """One request that reached the app's place."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.raw))

    @property
    def scope(self) -> str:
        return str(self.body["scope"])


class Server(ThreadingHTTPServer):
    """One whose queue holds as many callers as the simulated platform sends out at once; with five places, those left
    over try again seconds later."""

    request_queue_size = 128
    daemon_threads = True


@dataclass
class Receiver:
    """Stands where the app would: remembers what arrives, answers `status` (a function may choose).

    pages: what GET answers, as HTML by path.
    """

    pages: dict[str, str] = field(default_factory=dict)
    status: int | Callable[[Received], int] = 200
    received: list[Received] = field(default_factory=list)
    url: str = ""

    @property
    def events(self) -> list[Received]:
        return [r for r in self.received if r.method == "POST"]

    @property
    def scopes(self) -> list[str]:
        return [r.scope for r in self.events]

    @contextmanager
    def serving(self) -> Iterator["Receiver"]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, raw: bytes) -> None:
                parts = urlsplit(self.path)
                headers = {k.lower(): v for k, v in self.headers.items()}
                got = Received(self.command, parts.path, dict(parse_qsl(parts.query)), headers, raw)
                receiver.received.append(got)
                status = receiver.status(got) if callable(receiver.status) else receiver.status
                page = receiver.pages.get(got.path, "").encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output clean."""

        server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass
class World:
    """A served sandbox, the app's place, and a client that holds the main store's token."""

    sandbox: Sandbox
    server: SandboxServer
    app: Receiver
    http: httpx.Client

    @property
    def store(self) -> Store:
        return self.sandbox.bigcommerce.store

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Call the main store's API."""
        url = f"{self.server.url}/stores/{self.store.hash}{path}"
        headers = {"X-Auth-Token": self.store.token or "", **options.pop("headers", {})}
        return self.http.request(method, url, json=body, headers=headers, **options)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Call and return the decoded answer; fails when it is no success."""
        response = self.call(method, path, body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def hook(self, scope: str = "store/order/*", **more: Any) -> int:
        """Register a webhook at the app's place and return its id."""
        body = {"scope": scope, "destination": f"{self.app.url}/hooks/{scope.replace('/', '-')}", **more}
        return int(self.ok("POST", "/v3/hooks", body)["data"]["id"])

    def settle(self) -> None:
        """Wait until every webhook that is due has been delivered."""
        assert self.sandbox.bigcommerce.webhooks.wait_idle(20), "webhooks are still under way"


def wait_for(happened: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return when it has happened; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def exchange(world: World, store: Store) -> httpx.Response:
    """Install the app in a store the way an app does it: visit, then exchange the code that arrived."""
    world.sandbox.bigcommerce.auth.install(store)
    asked = next(r for r in reversed(world.app.received) if r.path == "/auth").query
    settings = world.sandbox.settings
    body = {
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "code": asked["code"],
        "context": asked["context"],
        "scope": asked["scope"],
        "grant_type": "authorization_code",
        "redirect_uri": f"{settings.app_url}/auth",
    }
    return world.http.post(f"{world.server.url}/oauth2/token", json=body)


@contextmanager
def world(**settings: Any) -> Iterator[World]:
    """Serve a sandbox whose main store has the app installed. Calls are held against the vendor's files if present."""
    receiver = Receiver()
    options = {"spec_dir": find_specs(), "history": False, **settings}
    with receiver.serving(), httpx.Client(timeout=20, trust_env=False) as http:
        sandbox = Sandbox(SandboxSettings(app_url=receiver.url, **options))
        with SandboxServer(sandbox) as server:
            made = World(sandbox, server, receiver, http)
            exchange(made, made.store)
            receiver.received.clear()
            yield made
