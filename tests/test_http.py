"""The guarded way out: public addresses only, the very address that was looked at, no redirects, a cap."""

from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx
import pytest

from bcapp.errors import RefusedByUs, UnreadableInput
from bcapp.http import Transport, guarded, host_allowed, is_public, make_http


class Wire:
    """Records requests and gives one answer."""

    def __init__(self, answer: httpx.Response | None = None) -> None:
        self.answer = answer or httpx.Response(200, content=b"%PDF")
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer

    def http(self) -> httpx.AsyncClient:
        return make_http("https://app.example", transport=httpx.MockTransport(self))


def resolves_to(*addresses: str) -> Any:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False),
        ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("::", False), ("fe80::1", False),
        ("fe80::1%eth0", False), ("fc00::1", False), ("ff02::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True), ("2002:7f00:1::", False), ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True),
        ("192.0.2.1", False), ("198.18.0.1", False), ("localhost", False), ("", False), ("127.1", False),
    ],
)  # fmt: skip
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("url", "entry", "allowed"),
    [
        ("https://a.test/x", "a.test", True), ("https://A.TEST/x", "a.test", True),
        ("https://a.test:8443", "a.test", True),
        ("https://a.test:8443", "a.test:8443", True), ("https://a.test", "a.test:443", True),
        ("https://a.test", "a.test:8443", False), ("https://b.a.test", "a.test", False),
        ("https://b.a.test", ".a.test", True), ("https://b.a.test", "*.a.test", True),
        ("https://a.test", ".a.test", False),
        ("https://xa.test", "a.test", False), ("https://a.test.evil", "a.test", False),
        ("https://a.test@evil.test", "a.test", False), ("http://[::1]:80/", "[::1]:80", True), ("not a url", "", False),
    ],
)  # fmt: skip
def test_a_host_stands_in_the_list_or_not(url: str, entry: str, allowed: bool) -> None:
    assert host_allowed(url, [entry]) is allowed


async def test_a_public_host_is_called_at_the_address_that_was_looked_at() -> None:
    wire = Wire()
    async with wire.http() as http:
        answer = await guarded(http, "GET", "https://files.test/a?b=c", resolve=resolves_to("8.8.8.8", "1.1.1.1"))
    (request,) = wire.requests
    assert answer.content == b"%PDF"
    assert str(request.url) == "https://8.8.8.8/a?b=c"
    assert request.headers["host"] == "files.test"
    assert request.extensions["sni_hostname"] == "files.test"  # the certificate is still checked for the name
    assert request.headers["connection"] == "close"


async def test_an_ipv6_address_is_written_with_brackets() -> None:
    wire = Wire()
    async with wire.http() as http:
        await guarded(http, "GET", "https://files.test/", resolve=resolves_to("2606:4700::1111"))
    assert str(wire.requests[0].url) == "https://[2606:4700::1111]/"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://files.test/", ["127.0.0.1"]),
        ("https://files.test/", ["8.8.8.8", "10.0.0.1"]),
        ("https://files.test/", []),
        ("https://169.254.169.254/latest", ["169.254.169.254"]),
        ("https://files.test:8443/", ["8.8.8.8"]),
        ("http://files.test/", ["8.8.8.8"]),
        ("http://127.0.0.1/", ["127.0.0.1"]),
        ("http://localhost:5432/", ["127.0.0.1"]),
        ("ftp://files.test/", ["8.8.8.8"]),
        ("file:///etc/passwd", ["8.8.8.8"]),
        ("https://user:pw@files.test/", ["8.8.8.8"]),
        ("https:///x", ["8.8.8.8"]),
        ("https://files.test:99999/", ["8.8.8.8"]),
        ("https://[::1", ["8.8.8.8"]),
        ("", ["8.8.8.8"]),
    ],
)
async def test_what_may_not_be_called_is_not_called(url: str, addresses: list[str]) -> None:
    wire = Wire()
    async with wire.http() as http:
        with pytest.raises(RefusedByUs):
            await guarded(http, "GET", url, resolve=resolves_to(*addresses))
    assert wire.requests == []


async def test_a_host_of_the_list_is_called_as_it_is() -> None:
    wire = Wire()
    async with wire.http() as http:
        await guarded(http, "POST", "http://127.0.0.1:9/x", allowed=["127.0.0.1:9"], json={"a": 1})
        with pytest.raises(RefusedByUs):
            await guarded(http, "GET", "http://internal.test/", allowed=["internal.test"])
    assert [str(r.url) for r in wire.requests] == ["http://127.0.0.1:9/x"]
    assert wire.requests[0].content == b'{"a":1}'


async def test_an_unknown_host_is_no_connection() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    async with Wire().http() as http:
        with pytest.raises(httpx.ConnectError):
            await guarded(http, "GET", "https://files.test/", resolve=unknown)


async def test_a_redirect_is_an_answer_not_a_way() -> None:
    wire = Wire(httpx.Response(302, headers={"location": "http://169.254.169.254/"}))
    async with wire.http() as http:
        answer = await guarded(http, "GET", "https://a.test/", allowed=["a.test"])
    assert answer.status_code == 302
    assert len(wire.requests) == 1


class Endless(httpx.AsyncByteStream):
    def __init__(self) -> None:
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.given += 1000
            yield b"x" * 1000


async def test_a_large_answer_is_cut_off() -> None:
    endless = Endless()
    async with Wire(httpx.Response(200, stream=endless)).http() as http:
        with pytest.raises(UnreadableInput):
            await guarded(http, "GET", "https://a.test/", allowed=["a.test"], max_bytes=5000)
    assert endless.given <= 7000


async def test_an_announced_large_answer_is_not_even_read() -> None:
    endless = Endless()
    answer = httpx.Response(200, stream=endless, headers={"content-length": "5001"})
    async with Wire(answer).http() as http:
        with pytest.raises(UnreadableInput):
            await guarded(http, "GET", "https://a.test/", allowed=["a.test"], max_bytes=5000)
    assert endless.given == 0


async def test_a_packed_answer_is_refused_unread() -> None:
    wire = Wire(httpx.Response(200, stream=Endless(), headers={"content-encoding": "gzip"}))
    async with wire.http() as http:
        with pytest.raises(UnreadableInput):
            await guarded(http, "GET", "https://a.test/", allowed=["a.test"])
    assert wire.requests[0].headers["accept-encoding"] == "identity"


async def test_the_client_names_itself_and_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with make_http("https://app.example") as http:
        assert http.headers["user-agent"] == "Countersign/0.1 (+https://app.example)"
        assert http.follow_redirects is False
        assert http.trust_env is False
        assert http.timeout.connect == 5.0


async def test_no_cookie_is_kept_for_the_next_call() -> None:
    wire = Wire(httpx.Response(200, headers=[("set-cookie", "session=1; Path=/")]))
    async with wire.http() as http:
        await http.get("https://a.test/")
        await http.get("https://a.test/")
        assert len(http.cookies) == 0
    assert "cookie" not in wire.requests[1].headers


class Broken(httpcore.AsyncNetworkStream):
    """A connection that fails as soon as it is asked what it is; anyio asks a socket that is gone for its peer."""

    def __init__(self, asked: str) -> None:
        self._asked = asked

    def get_extra_info(self, info: str) -> Any:
        return getattr(None, self._asked)

    async def aclose(self) -> None:
        pass


class Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, asked: str) -> None:
        self._asked = asked

    async def connect_tcp(self, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        return Broken(self._asked)


@pytest.mark.parametrize(("asked", "raised"), [("getpeername", httpx.ConnectError), ("other", AttributeError)])
async def test_who_hangs_up_at_once_is_no_answer_and_another_bug_stays_one(asked: str, raised: type[Exception]) -> None:
    transport = Transport()
    transport._pool._network_backend = Backend(asked)
    async with make_http(transport=transport) as http:
        with pytest.raises(raised):
            await http.get("http://127.0.0.1:9")
