"""Hostile requests at the public addresses, made from a seed, and a way to send them without a server.

They go straight into the application as a server would hand them over: whatever a client can put on the wire, and a
server lets through, may stand in them. Nobody here knows a key, a token or the client secret.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes, unquote

from starlette.types import ASGIApp, Message

STRANGE = (
    "", "0", "-1", "null", "true", "%00", "%", "%zz", "..", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "//", "\\",
    "'", "' OR 1=1 --", '"; DROP TABLE stores; --', "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "$(id)",
    "\x00", "\r\nX-Injected: 1", "\ud7ff", "‮", "😀" * 40, "é", "%F0%28%8C%28", "A" * 3000, "9" * 40, "1e999", "NaN",
    "-0", "٣", "n0rthf1eld", "n0rthf1eld.", "stores/n0rthf1eld", "N0RTHF1ELD", "n0rthf1eld/../x", ":;", "__proto__",
    "Infinity", "2147483648", "9223372036854775808", "[]", "{}", "%2e%2e%2f", "?", "#", "&", "=", "\t", "\n",
)  # fmt: skip
METHODS = ("GET",) * 8 + ("POST",) * 5 + ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X")
PANEL = (
    "", "welcome", "requests", "requests/1", "requests/999999999999999999999", "rules", "rules/new", "orders/250",
    "people", "settings", "settings/accounts", "agreements", "logout", "requests/1/cancel", "tasks/1/done", "users",
    "help",
)  # fmt: skip
API = (
    "/api/v1/requests", "/api/v1/requests/1", "/api/v1/requests/999999999999999999999", "/api/v1/records/order",
    "/api/v1/requests/1/documents/signed_document", "/api/v1/records/order/250", "/api/v1/records/order/250/look",
    "/api/v1/openapi.json", "/api/v1", "/api", "/api/v1/../../s/n0rthf1eld/", "/api/v1/records/%00/%00",
)  # fmt: skip
PLACES = (
    "/auth", "/load", "/uninstall", "/remove_user", "/webhooks/bigcommerce", "/webhooks/core-signature/x", "/healthz",
    "/readyz", "/metrics", "/static/css/all.css", "/signed", "/s/n0rthf1eld/", "/", "/favicon.ico", "/robots.txt",
    "/api/v1/requests", "/api/v1/records/order/1", "/api/v1/openapi.json",
    "/sign/x", "/w/x/widget.js", "/storefront/n0rthf1eld/session",
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """target: path and query as on the wire. chunks: the body, as it arrives; cut: the client hangs up after them."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: tuple[bytes, ...] = (b"",)
    cut: bool = False


async def send(app: ASGIApp, hostile: Hostile) -> int | None:
    """Hand a request to the application; return the status, None when a client that hung up got no answer."""
    path, _, query = hostile.target.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": hostile.method,
        "scheme": "https",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"app.test"), *hostile.headers],
        "client": ("203.0.113.7", 4711),
        "server": ("app.test", 443),
        "state": {},
    }
    waiting = list(hostile.chunks)
    answers: list[Message] = []

    async def receive() -> Message:
        if waiting:
            chunk = waiting.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or hostile.cut}
        return {"type": "http.disconnect"}

    async def answer(message: Message) -> None:
        answers.append(message)

    await app(scope, receive, answer)
    starts = [message for message in answers if message["type"] == "http.response.start"]
    if not starts and hostile.cut:
        return None
    assert len(starts) == 1, f"{len(starts)} answers to {hostile}"
    for name, value in starts[0]["headers"]:
        assert b"\r" not in name + value, hostile
        assert b"\n" not in name + value, hostile
        assert name.lower() != b"x-injected", hostile
    return int(starts[0]["status"])


# Pieces ------------------------------------------------------------------------------------------------------


def junk(random: Random, most: int = 200) -> bytes:
    return random.randbytes(random.randrange(most))


def text(random: Random) -> str:
    match random.randrange(4):
        case 0:
            return random.choice(STRANGE)
        case 1:
            return random.choice(STRANGE) + random.choice(STRANGE)
        case 2:
            return "".join(chr(random.choice((random.randrange(32, 127), random.randrange(0xD7FF)))) for _ in range(9))
        case _:
            return str(random.randrange(-(2**70), 2**70))


def on_wire(random: Random, given: str) -> bytes:
    """A part of a path or query: usually escaped as a client would, sometimes hardly at all."""
    raw = given.encode("utf-8", "surrogatepass")
    safe = "" if random.random() < 0.7 else "/%?&=:;.,+$!'()*{}[]|^<>\"\\`~@#"
    return quote_from_bytes(raw, safe=safe).encode("ascii")


def query(random: Random, names: Sequence[str]) -> bytes:
    parts = []
    for _ in range(random.randrange(4)):
        name = random.choice(names).encode() if random.random() < 0.8 else on_wire(random, text(random))
        parts.append(name + random.choice((b"=", b"", b"==")) + on_wire(random, text(random)))
    return b"&".join(parts)


def headers(random: Random, names: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Values as a server lets them through: any byte but line ends and NUL."""
    made = []
    for _ in range(random.randrange(5)):
        value = junk(random) if random.random() < 0.4 else text(random).encode("utf-8", "replace")
        name = random.choice((*names, "cookie", "content-type", "accept", "hx-request", "origin", "x-forwarded-proto"))
        made.append((name.encode(), bytes(c for c in value if c not in (0, 10, 13)).strip()))
    return made


def value(random: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    match random.randrange(9 if depth < 4 else 6):
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2:
            return random.choice((0, -1, 2**31, 2**63, -(2**64), 10**300, 1.5, -0.0, 1e308))
        case 3 | 4 | 5:
            return text(random)
        case 6 | 7:
            return [value(random, depth + 1) for _ in range(random.randrange(4))]
        case _:
            return {text(random): value(random, depth + 1) for _ in range(random.randrange(4))}


def spoil(random: Random, body: bytes) -> bytes:
    """The bytes with something wrong: cut, flipped, repeated, wrapped, or left as they are."""
    match random.randrange(9):
        case 0:
            return body[: random.randrange(len(body) + 1)]
        case 1:
            at = random.randrange(len(body) or 1)
            return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
        case 2:
            return body + body
        case 3:
            return b"\xef\xbb\xbf" + body
        case 4:
            return body.decode("utf-8", "replace").encode("utf-16")
        case 5:
            deep = random.choice((10, 500, 20_000))
            return b"[" * deep + (b"]" * deep if random.random() < 0.5 else b"")
        case 6:
            return junk(random, 600)
        case _:
            return body


def chunks(random: Random, body: bytes) -> tuple[bytes, ...]:
    if random.random() < 0.8 or len(body) < 2:
        return (body,)
    at = random.randrange(1, len(body))
    return (body[:at], b"", body[at:])


def jwt(random: Random) -> str:
    """A JWT that nobody here could have signed."""
    now = 1_795_000_000
    head = {"alg": random.choice(("HS256", "none", "None", "HS512", "RS256", "", None, 5)), "typ": "JWT"}
    claims = {
        "aud": "cs-sandbox-client", "iss": "bc", "iat": now, "nbf": now - 5, "exp": now + 86_400, "jti": text(random),
        "sub": "stores/n0rthf1eld", "user": {"id": 1, "email": "a@b.c", "locale": "en-US"}, "url": "/",
        "owner": {"id": 1, "email": "a@b.c"}, "channel_id": None,
    }  # fmt: skip
    for _ in range(random.randrange(3)):
        random.choice((head, claims))[random.choice((*claims, "kid", "crit", "jku", "zip", "b64"))] = value(random)
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode("utf-8", "replace")).rstrip(b"=").decode()
        for part in (head, claims)
    ]
    parts.append(base64.urlsafe_b64encode(junk(random, 40)).rstrip(b"=").decode())
    if random.random() < 0.2:
        random.shuffle(parts)
    return random.choice((".", ".", ".", ".", "..", "")).join(parts[: random.choice((3, 3, 3, 2, 1))])


# Requests ----------------------------------------------------------------------------------------------------


def bigcommerce(random: Random) -> Hostile:
    """A delivery for a store that is there, without its key."""
    event: dict[str, Any] = {
        "scope": random.choice(("store/order/created", "store/order/updated", "store/app/uninstalled", text(random))),
        "store_id": "1025646", "hash": random.randbytes(20).hex(), "created_at": 1_561_479_335,
        "producer": random.choice(("stores/n0rthf1eld", "stores/str4nger", "stores/" + text(random))),
        "data": {"type": "order", "id": random.choice((250, text(random), value(random)))},
    }  # fmt: skip
    for _ in range(random.randrange(3)):
        event[random.choice((*event, text(random)))] = value(random)
    body = spoil(random, json.dumps(event, ensure_ascii=random.random() < 0.5).encode("utf-8", "replace"))
    if random.random() < 0.005:
        body = b" " * 70_000 + body
    names = ("x-countersign-key", "webhook-id", "webhook-timestamp", "webhook-signature", "content-length")
    method = "POST" if random.random() < 0.97 else random.choice(METHODS)
    cut = random.random() < 0.02
    return Hostile(method, b"/webhooks/bigcommerce", headers(random, names), chunks(random, body), cut)


def core_signature(random: Random) -> Hostile:
    token = random.choice((
        f"n0rthf1eld.{base64.urlsafe_b64encode(random.randbytes(32)).decode()[:43]}", f"n0rthf1eld.{text(random)}",
        text(random),
    ))  # fmt: skip
    event = {
        "uuid": random.randbytes(16).hex(), "event_type": random.choice(("signed", "declined", text(random))),
        "status": "ok", "timestamp": text(random), "document": value(random), "team": value(random),
        "event_time": text(random), "event_hash": text(random),
    }  # fmt: skip
    body = spoil(random, json.dumps(event).encode("utf-8", "replace"))
    if random.random() < 0.003:
        body = b" " * 270_000 + body
    target = b"/webhooks/core-signature/" + on_wire(random, token)
    return Hostile("POST", target, headers(random, ("authorization",)), chunks(random, body))


def callback(random: Random) -> Hostile:
    """BigCommerce's doors: opening, uninstalling, removing a user, with proofs that are none."""
    door = random.choice(("/load", "/uninstall", "/remove_user")).encode()
    proof = jwt(random) if random.random() < 0.8 else text(random)
    asked = b"signed_payload_jwt=" + on_wire(random, proof)
    if random.random() < 0.3:
        asked += b"&" + query(random, ("signed_payload_jwt", "signed_payload", "x"))
    return Hostile(
        "GET" if random.random() < 0.9 else random.choice(METHODS), door + b"?" + asked, headers(random, ("x",))
    )


def install(random: Random) -> Hostile:
    """An install that names a code which BigCommerce never gave."""
    names = ("code", "context", "scope", "account_uuid", "external_install", "error")
    asked = query(random, names)
    if random.random() < 0.3:
        asked = b"code=" + junk(random, 30).hex().encode() + b"&context=stores%2Fn0rthf1eld&scope=store_v2_orders"
    return Hostile(random.choice(METHODS), b"/auth?" + asked, headers(random, ("referer",)))


def panel(random: Random) -> Hostile:
    """A page of a merchant, with a session that was never given."""
    store = random.choice(("n0rthf1eld", "n0rthf1eld", "str4nger", text(random)))
    rest = random.choice(PANEL) if random.random() < 0.7 else text(random)
    target = (
        b"/s/" + on_wire(random, store) + b"/" + rest.encode("ascii", "ignore").replace(b"?", b"").replace(b"#", b"")
    )
    target = quote_from_bytes(target, safe="/%").encode()
    if random.random() < 0.5:
        target += b"?" + query(random, ("x", "page", "q", "status"))
    given = headers(random, ("x-app-session", "x-csrf-token", "sec-fetch-site"))
    if random.random() < 0.4:
        token = base64.urlsafe_b64encode(random.randbytes(32)).decode()[:43]
        given.append((b"x-app-session", f"n0rthf1eld.{token}".encode()))
    body = junk(random) if random.random() < 0.5 else b"csrf=x&name=" + on_wire(random, text(random))
    return Hostile(random.choice(METHODS), target, given, chunks(random, body))


def api(random: Random, key: str = "") -> Hostile:
    """A call of the API with a key that was never given, or with one that was."""
    path = random.choice(API) if random.random() < 0.7 else f"/api/v1/{text(random)}"
    if random.random() < 0.3:
        path += "/" + text(random)
    target = quote_from_bytes(path.encode("utf-8", "replace").replace(b"?", b"").replace(b"#", b""), safe="/%").encode()
    if random.random() < 0.6:
        target += b"?" + query(random, ("limit", "after", "status", "record_kind", "record_id", "created_since"))
    made = base64.urlsafe_b64encode(random.randbytes(32)).decode()[:43]
    shown = key or random.choice((f"n0rthf1eld.{made}", f"n0rthf1eld.{text(random)}", text(random)))
    given = headers(random, ("content-length", "accept-encoding"))
    given.append(
        (b"authorization", b"Bearer " + bytes(c for c in shown.encode("utf-8", "replace") if c not in (0, 10, 13)))
    )
    body = spoil(random, json.dumps(value(random)).encode("utf-8", "replace"))
    return Hostile(random.choice(METHODS), target, given, chunks(random, body), random.random() < 0.02)


def signer(random: Random, token: str = "") -> Hostile:
    """A signer's page with a token that was never given, or with one that was."""
    made = base64.urlsafe_b64encode(random.randbytes(32)).decode()[:43]
    shown = token or random.choice((f"n0rthf1eld.{made}", f"n0rthf1eld.{text(random)}", text(random)))
    target = b"/sign/" + on_wire(random, shown) if not token else f"/sign/{token}".encode()
    target = target.replace(b"?", b"").replace(b"#", b"")
    target += random.choice(
        (b"", b"", b"/resend", b"/question", b"/" + quote_from_bytes(junk(random, 20), safe="").encode())
    )
    if random.random() < 0.5:
        target += b"?" + query(random, ("from", "n", "said", "x"))
    body = junk(random) if random.random() < 0.5 else b"question=" + on_wire(random, text(random))
    given = headers(random, ("x-app-session", "content-length", "hx-request"))
    return Hostile(random.choice(METHODS), target, given, chunks(random, body), random.random() < 0.02)


def anywhere(random: Random) -> Hostile:
    """Any address, known or not."""
    path = random.choice(PLACES).encode() if random.random() < 0.6 else b"/" + on_wire(random, text(random))
    if random.random() < 0.3:
        path += b"/" + on_wire(random, text(random))
    path = quote_from_bytes(path.replace(b"?", b"").replace(b"#", b""), safe="/%").encode()
    if random.random() < 0.4:
        path += b"?" + query(random, ("event", "code", "v"))
    given = headers(random, ("authorization", "range", "if-none-match", "if-modified-since", "accept-language"))
    return Hostile(random.choice(METHODS), path, given, chunks(random, junk(random)))


Make = Callable[[Random], Hostile]
