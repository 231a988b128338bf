"""The one HTTP client of a process, and the guarded way to hosts that a merchant named."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx

from bcapp.errors import RefusedByUs, UnreadableInput
from bcapp.settings import LOOPBACK

TIMEOUT = httpx.Timeout(20.0, connect=5.0, pool=10.0)  # seconds
# The pool looks at every idle connection at each call: 40 of them make a call cost four times the processor time.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=10, keepalive_expiry=30.0)
MOST_BYTES = 8 * 1024 * 1024
PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Coroutine[Any, Any, list[str]]]


class Transport(httpx.AsyncHTTPTransport):
    """httpx's own, which also says in its own words that the other side hung up while the connection was being made.

    anyio then asks a socket for its other end that is gone already, and AttributeError comes through httpcore as it is.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except AttributeError as exc:
            if exc.name != "getpeername":
                raise
            raise httpx.ConnectError("the other side hung up at once", request=request) from exc


@cache
def trusted() -> ssl.SSLContext:
    """Return what certificates are checked against. Reading them takes a tenth of a second: once per process."""
    return httpx.create_ssl_context(trust_env=False)


def make_http(app_url: str = "", *, verify: ssl.SSLContext | bool = True, **more: Any) -> httpx.AsyncClient:
    """Return the client that all adapters share; it follows no redirects and reads nothing from the environment.

    app_url: named in the User-Agent, so that a vendor can find out who is calling.
    verify: whose certificates are believed. more: passed on to httpx (a transport of the caller's own).
    """
    if "transport" not in more:
        more["transport"] = Transport(verify=trusted() if verify is True else verify, limits=LIMITS, trust_env=False)
    agent = f"Countersign/0.1 (+{app_url})" if app_url else "Countersign/0.1"
    return httpx.AsyncClient(
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        # One client serves all stores: what one answer sets must never go out with another store's call.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": agent, "Accept": "application/json"},
        **more,
    )


def host_allowed(url: str, hosts: Collection[str]) -> bool:
    """Tell whether the host of the address stands in the list.

    An entry is `host` (any port), `host:port`, or `.domain` for all hosts below it.
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)
    for entry in hosts:
        name = entry.lower().removeprefix("*")
        if name in (host, f"{host}:{port}", f"[{host}]:{port}") or (name.startswith(".") and host.endswith(name)):
            return bool(host)
    return False


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the system's order. Raises OSError when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet; what wraps an IPv4 address is judged by that."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


async def guarded(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    allowed: Collection[str] = (),
    headers: Mapping[str, str] | None = None,
    max_bytes: int = MOST_BYTES,
    resolve: Resolve = resolve,
    **body: Any,
) -> httpx.Response:
    """Call an address that somebody outside gave us, and return the whole answer, also when it is a refusal.

    A host in `allowed` is called as it is (https, or http on this machine). Any other must be https on port 443 and
    resolve to public addresses only; the call then goes to exactly the address that was looked at, so that a name
    cannot point elsewhere a moment later. No redirect is followed.
    Raises RefusedByUs for an address that may not be called, UnreadableInput for an answer of more than `max_bytes`,
    httpx.TransportError when there is no answer.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedByUs("This is not a web address.") from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in PORTS or not host or parts.username or parts.password:
        raise RefusedByUs("This is not a web address that can be called.")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise RefusedByUs(f"The address of {host} must begin with https://.")
    sent = dict(headers or {})
    extensions: dict[str, Any] = {}
    target = httpx.URL(url)
    if not host_allowed(url, allowed):
        if parts.scheme != "https" or port not in (None, 443):
            raise RefusedByUs(f"{host} can only be called by https on the usual port.")
        try:
            addresses = await resolve(host, 443)
        except (OSError, UnicodeError) as exc:  # UnicodeError: a part of the name is empty or too long
            raise httpx.ConnectError(f"{host} is not known") from exc
        if not addresses or not all(is_public(a) for a in addresses):
            raise RefusedByUs(f"{host} is not an address of the open internet.")
        # Connections to a bare address are not kept: one must never be reused for another name.
        sent |= {"Host": host, "Connection": "close"}
        extensions["sni_hostname"] = host
        target = target.copy_with(host=addresses[0])
    return await _read_capped(http, method, target, sent, extensions, max_bytes, body)


async def _read_capped(
    http: httpx.AsyncClient,
    method: str,
    url: httpx.URL,
    headers: dict[str, str],
    extensions: dict[str, Any],
    max_bytes: int,
    body: dict[str, Any],
) -> httpx.Response:
    timeout = body.pop("timeout", http.timeout)
    request = http.build_request(method, url, headers=headers, extensions=extensions, timeout=timeout, **body)
    # Asked for unpacked: a small packed answer must not grow beyond the cap in one step.
    request.headers["Accept-Encoding"] = "identity"
    response = await http.send(request, stream=True, follow_redirects=False)
    try:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise UnreadableInput("the answer is packed although it was asked for unpacked")
        if int(response.headers.get("content-length", "0") or 0) > max_bytes:
            raise UnreadableInput(f"the answer is larger than {max_bytes} bytes")
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > max_bytes:
                raise UnreadableInput(f"the answer is larger than {max_bytes} bytes")
    finally:
        await response.aclose()
    skip = {"content-length", "transfer-encoding"}
    kept = [(k, v) for k, v in response.headers.multi_items() if k not in skip]
    return httpx.Response(response.status_code, headers=kept, content=bytes(content), request=request)
