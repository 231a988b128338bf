"""The code exchange, and the door of each JWT: four kinds share one secret, each opens one door."""

import base64
import importlib.util
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.bigcommerce.oauth import (
    AsyncOAuth2Client,
    Install,
    exchange_code,
    parse_install,
    verify_current_customer,
    verify_signed_payload,
)
from bcapp.errors import BadProof, BigCommerceError
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce.auth import jwt
from bcapp.sandbox.server import SandboxServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
CLIENT, SECRET = "client-1", "a-client-secret-of-real-length-0123456789abcdef0123456789abcdef-01"
LOAD: dict[str, Any] = {
    "aud": CLIENT, "iss": "bc", "iat": AT, "nbf": AT - 5, "exp": AT + 86395, "jti": "c5f0bcf5-1",
    "sub": "stores/z4zn3wo",
    "user": {"id": 9876543, "email": "u@example.com", "locale": "en-US"},
    "owner": {"id": 7654321, "email": "o@example.com"}, "url": "/s/requests", "channel_id": None,
}  # fmt: skip
CUSTOMER: dict[str, Any] = {
    "customer": {"id": 4927, "email": "j@example.com", "group_id": "6"}, "iss": "bc/apps", "sub": "z4zn3wo", "iat": AT,
    "exp": AT + 900, "version": 1, "aud": CLIENT, "application_id": CLIENT, "store_hash": "z4zn3wo",
    "operation": "current_customer",
}  # fmt: skip
LOGIN: dict[str, Any] = {  # our own towards the storefront: Customer Login API
    "iss": CLIENT, "iat": AT, "jti": "login-1-abc", "operation": "customer_login", "store_hash": "z4zn3wo",
    "customer_id": 4927,
}  # fmt: skip
OURS: dict[str, Any] = {"iss": "countersign", "sub": "stores/z4zn3wo", "iat": AT, "exp": AT + 600, "aud": CLIENT}


def load(token: str, now: datetime = NOW) -> Any:
    return verify_signed_payload(token, client_id=CLIENT, client_secret=SECRET, now=now)


def customer(token: str, now: datetime = NOW) -> Any:
    return verify_current_customer(token, client_id=CLIENT, client_secret=SECRET, now=now)


def signed(claims: dict[str, Any], algorithm: Any = "HS256", **changed: Any) -> str:
    return jwt({k: v for k, v in {**claims, **changed}.items() if v is not ...}, SECRET, algorithm)


def test_authlib_stands_on_httpx_and_nothing_else_is_there() -> None:
    """Authlib switches silently to httpx2 when it can be imported; our limits and tests hold for httpx."""
    assert importlib.util.find_spec("httpx2") is None
    assert issubclass(AsyncOAuth2Client, httpx.AsyncClient)


def test_a_load_is_proven() -> None:
    payload = load(signed(LOAD, channel_id=3))
    assert (payload.store_hash, payload.user_id, payload.owner_id) == ("z4zn3wo", 9876543, 7654321)
    assert (payload.url, payload.channel_id, payload.locale, payload.jti) == ("/s/requests", 3, "en-US", "c5f0bcf5-1")
    assert payload.expires_at - payload.issued_at == timedelta(seconds=86395)


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_a_shopper_is_proven(algorithm: str) -> None:
    shopper = customer(signed(CUSTOMER, algorithm))
    assert (shopper.store_hash, shopper.customer_id, shopper.group_id) == ("z4zn3wo", 4927, 6)
    assert customer(signed(CUSTOMER, customer={"id": 1, "email": "", "group_id": ""})).group_id == 0


@pytest.mark.parametrize("door", [load, customer])
@pytest.mark.parametrize(
    ("kind", "token"),
    [
        ("load", signed(LOAD)),
        ("current customer", signed(CUSTOMER, "HS512")),
        ("customer login", signed(LOGIN)),
        ("our own", signed(OURS)),
    ],
)
def test_each_jwt_opens_its_own_door_only(door: Any, kind: str, token: str) -> None:
    if (door, kind) in ((load, "load"), (customer, "current customer")):
        assert door(token).store_hash == "z4zn3wo"
        return
    with pytest.raises(BadProof):
        door(token)


def unsigned(claims: dict[str, Any]) -> str:
    parts = [{"typ": "JWT", "alg": "none"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


@pytest.mark.parametrize(
    ("why", "token"),
    [
        ("another algorithm", signed(LOAD, "HS512")),
        ("no algorithm", unsigned(LOAD)),
        ("another secret", jwt(LOAD, "b" + SECRET[1:])),
        ("a changed body", signed(LOAD).replace(".", ".e", 1)),
        ("another audience", signed(LOAD, aud="client-2")),
        ("no audience", signed(LOAD, aud=...)),
        ("several audiences without us", signed(LOAD, aud=["client-2"])),
        ("another issuer", signed(LOAD, iss="bc/apps")),
        ("no issuer", signed(LOAD, iss=...)),
        ("no end", signed(LOAD, exp=...)),
        ("no beginning", signed(LOAD, iat=...)),
        ("expired", signed(LOAD, exp=AT - 61)),
        ("not yet", signed(LOAD, nbf=AT + 61)),
        ("of the future", signed(LOAD, iat=AT + 61)),
        ("times as text", signed(LOAD, exp="tomorrow")),
        ("no store", signed(LOAD, sub=...)),
        ("a path for a store", signed(LOAD, sub="stores/../admin")),
        ("two stores", signed(LOAD, sub="stores/a/stores/b")),
        ("no user", signed(LOAD, user=...)),
        ("a user without id", signed(LOAD, user={"email": "u@example.com"})),
        ("a user id that is none", signed(LOAD, user={"id": True})),
        ("no owner", signed(LOAD, owner=...)),
        ("no jti", signed(LOAD, jti=...)),
        ("an operation", signed(LOAD, operation="current_customer")),
        ("empty", ""),
        ("no JWT", "a.b"),
        ("too long", signed(LOAD, url="/" + "x" * 9000)),
    ],
)
def test_a_payload_that_does_not_hold_is_refused(why: str, token: str) -> None:
    with pytest.raises(BadProof) as caught:
        load(token)
    assert "example.com" not in str(caught.value)


def test_clocks_may_differ_by_a_minute() -> None:
    assert load(signed(LOAD), NOW - timedelta(seconds=55))
    assert load(signed(LOAD, exp=AT + 10), NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "customer_login"}, {"operation": ...}, {"store_hash": "other"}, {"store_hash": ...},
        {"customer": {"id": 0}}, {"customer": ...}, {"iss": "bc"}, {"exp": AT - 61}, {"aud": "client-2"},
    ],
)  # fmt: skip
def test_a_shopper_that_does_not_hold_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BadProof):
        customer(signed(CUSTOMER, "HS512", **changed))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.builds(lambda a, b, c: f"{a}.{b}.{c}", *(st.text("AaZz09-_=", max_size=20),) * 3))
def test_anything_else_is_refused_and_nothing_breaks(token: str) -> None:
    for door in (load, customer):
        with pytest.raises(BadProof):
            door(token)


# The exchange, with the simulated login service


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def exchange(http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox, **changed: str) -> Install:
    query = query_of(sandbox.bigcommerce.auth.install_url(sandbox.bigcommerce.store))
    given = {
        "client_id": sandbox.settings.client_id,
        "client_secret": sandbox.settings.client_secret,
        "redirect_uri": f"{sandbox.settings.app_url}/auth",
        **{name: query[name] for name in ("code", "scope", "context")},
        **changed,
    }
    return await exchange_code(http, server.url, **given)


async def test_a_code_becomes_a_token(http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox) -> None:
    install = await exchange(http, server, sandbox)
    store = sandbox.bigcommerce.store
    assert (install.store_hash, install.access_token) == (store.hash, store.token)
    assert (install.user_id, install.owner_id) == (store.owner.id, store.owner.id)
    assert "store_v2_orders" in install.scope.split()


@pytest.mark.parametrize(
    "changed",
    [{"code": "stale"}, {"client_secret": "wrong"}, {"context": "stores/other"}, {"redirect_uri": "https://x"}],
)
async def test_a_refused_code_is_an_error_without_secrets(
    http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox, changed: dict[str, str]
) -> None:
    with pytest.raises(BigCommerceError) as caught:
        await exchange(http, server, sandbox, **changed)
    assert sandbox.settings.client_secret not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("kind", ["before", "silent", "html", "throttle_bare"])
async def test_a_login_service_that_fails_is_an_error(
    http: httpx.AsyncClient, server: SandboxServer, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.faults.add("bigcommerce", "POST", "/oauth2/token", kind)
    with pytest.raises(BigCommerceError):
        await exchange(http, server, sandbox)


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"{}", b'"token"', b"7", b"null", b'{"error": "x"}', b'{"access_token": 7}']
)
async def test_an_answer_that_is_no_token_is_an_error(body: bytes) -> None:
    answer = httpx.Response(200, content=body, headers={"content-type": "application/json"})
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as http:
        with pytest.raises(BigCommerceError):
            await exchange_code(
                http, "https://login.test", client_id="a", client_secret="b", redirect_uri="https://c/auth", code="d",
                scope="e", context="stores/f",
            )  # fmt: skip


ANSWER = {
    "access_token": "t0ken", "scope": "a b", "user": {"id": 1, "email": "u@x"}, "owner": {"id": 2, "email": "o@x"},
    "context": "stores/abc", "account_uuid": "u-1",
}  # fmt: skip


def test_an_answer_without_owner_takes_the_user() -> None:
    assert parse_install({**ANSWER, "owner": None}).owner_id == 1
    assert parse_install(ANSWER).owner_email == "o@x"


@pytest.mark.parametrize(
    "changed",
    [
        {"access_token": ""}, {"access_token": "a\nb"}, {"access_token": None}, {"context": "stores/"},
        {"context": "stores/ABC"}, {"context": None}, {"context": "stores/abc/../x"}, {"user": None},
        {"user": {"email": "x"}}, {"user": {"id": "1; drop"}},
    ],
)  # fmt: skip
def test_a_malformed_answer_is_refused_without_its_values(changed: dict[str, Any]) -> None:
    with pytest.raises(BigCommerceError) as caught:
        parse_install({**ANSWER, **changed})
    assert "t0ken" not in str(caught.value)
