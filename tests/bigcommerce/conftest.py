"""A simulated store on a port, held against the vendor's files where they lie beside the checkout, and its client."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bcapp.bigcommerce.b2b import B2B
from bcapp.bigcommerce.client import BigCommerce
from bcapp.http import make_http
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce import SCOPES
from bcapp.sandbox.ground import SandboxSettings
from bcapp.sandbox.server import SandboxServer

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
TOKEN = "store-token-3f1c"


@dataclass
class NotingGate:
    """Remembers how each call went."""

    entered: int = 0
    left: list[dict[str, Any]] = field(default_factory=list)

    async def enter(self) -> None:
        self.entered += 1

    async def leave(self, **how: Any) -> None:
        self.left.append(how)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    settings = SandboxSettings(history=False, speed=200.0, spec_dir=SPECS if SPECS.is_dir() else None)
    with SandboxServer(Sandbox(settings)) as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxServer) -> Iterator[Sandbox]:
    sandbox = server.sandbox
    sandbox.faults.clear()
    sandbox.bigcommerce.reset()
    sandbox.calls.clear()
    sandbox.spec_errors.clear()
    store = sandbox.bigcommerce.store
    store.token, store.scopes, store.installed = TOKEN, SCOPES, True
    yield sandbox
    assert sandbox.spec_errors == []


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with make_http("https://app.example") as client:
        yield client


@pytest.fixture
def gate() -> NotingGate:
    return NotingGate()


@pytest.fixture
def client(http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox, gate: NotingGate) -> BigCommerce:
    return BigCommerce(http, server.url, sandbox.bigcommerce.store.hash, TOKEN, gate)


@pytest.fixture
def b2b(http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox, gate: NotingGate) -> B2B:
    return B2B(http, server.url, sandbox.bigcommerce.store.hash, TOKEN, gate)
