"""A simulated signature service on a port, and its client."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bcapp.clock import SandboxClock
from bcapp.http import make_http
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.ground import SandboxSettings
from bcapp.sandbox.server import SandboxServer
from bcapp.sandbox.signature.pdf import text_pdf
from bcapp.sandbox.signature.records import Options
from bcapp.signature.auth import Account, MemoryTokens
from bcapp.signature.client import CoreSignature

PDF = text_pdf(["Order 1001", "", "[[s|0|id:buyer_signature        ]]", "", "[[t|0|id:serial        ]]"], title="Order")


@dataclass
class NotingGate:
    """Remembers how each call went."""

    entered: int = 0
    left: list[dict[str, Any]] = field(default_factory=list)

    async def enter(self) -> None:
        self.entered += 1

    async def leave(self, **how: Any) -> None:
        self.left.append(how)


@dataclass
class Learnt:
    """What a client asked us to remember."""

    spellings: dict[str, str] = field(default_factory=dict)
    times: int = 0

    async def __call__(self, spellings: dict[str, str]) -> None:
        self.spellings, self.times = spellings, self.times + 1


Make = Callable[..., CoreSignature]


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(Sandbox(SandboxSettings(history=False, speed=200.0))) as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxServer) -> Iterator[Sandbox]:
    sandbox = server.sandbox
    service = sandbox.signature
    sandbox.faults.clear()
    sandbox.calls.clear()
    service.store.options = Options()
    service.account.client_secret = "signature-secret-5d1f0a9b"
    service.accounts.kill_tokens()
    yield sandbox
    service.go_up()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with make_http("https://app.example") as client:
        yield client


@pytest.fixture
def gate() -> NotingGate:
    return NotingGate()


@pytest.fixture
def learnt() -> Learnt:
    return Learnt()


@pytest.fixture
def account(server: SandboxServer, sandbox: Sandbox) -> Account:
    known = sandbox.signature.account
    return Account(
        environment="custom",
        tenant=known.tenant,
        token_url=f"{server.url}/otdstenant/{known.tenant}/oauth2/token",
        api_root=f"{server.url}/api/v1/",
        client_id=known.client_id,
        client_secret=known.client_secret,
        subscription=known.subscription,
    )


@pytest.fixture
def make(http: httpx.AsyncClient, server: SandboxServer, account: Account, gate: NotingGate, learnt: Learnt) -> Make:
    """Return a maker of clients; every argument can be overwritten."""

    def make(given: Account = account, **more: Any) -> CoreSignature:
        options: dict[str, Any] = {
            "allowed_hosts": [urlsplit(server.url).netloc],
            "download_hosts": [urlsplit(server.download_url).netloc],
            "remember": learnt,
            **more,
        }
        return CoreSignature(http, given, options.pop("tokens", MemoryTokens()), gate, **options)

    return make


@pytest.fixture
def client(make: Make) -> CoreSignature:
    return make()


@pytest.fixture
async def moving(http: httpx.AsyncClient, server: SandboxServer) -> SandboxClock:
    clock = SandboxClock(http, f"{server.url}/clock")
    await clock.read()
    return clock
