"""What the two services tell us: written down, answered, thought about later.

200 is said only after the commit. BigCommerce switches an app's webhooks off for all stores when a tenth of its
deliveries fails, so a store that is unknown, gone or keyed wrongly gets 200 too; it is counted and nothing is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog
from starlette.datastructures import State
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bcapp.bigcommerce import events as bigcommerce_events
from bcapp.callbacks import callback_digest, store_of_callback
from bcapp.core.stores import StoreDoing, StoreState, may_happen
from bcapp.db import DatabaseAway, acquire, positional
from bcapp.errors import BufferFull, UnreadableInput
from bcapp.jobs.intake import Delivery, Intake
from bcapp.secrets import DataKey, SealBroken
from bcapp.services import Services
from bcapp.signature import events as signature_events
from bcapp.stores import key_digest
from bcapp.web.counts import Counts
from bcapp.web.forms import TooLarge, receive_body

BIGCOMMERCE_BYTES = 64 * 1024
SIGNATURE_BYTES = 256 * 1024  # it brings the whole document with all its signers
KEY_HEADER = "x-countersign-key"
# What is read of a delivery's headers, by the name that comes over the wire.
HEADERS = {
    name.encode(): name
    for name in (KEY_HEADER, "content-length", "webhook-id", "webhook-timestamp", "webhook-signature")
}

KNOWN_SECONDS = 5.0  # how old what we know of a store may be
DOUBTED_SECONDS = 0.5  # how old it may be when it says no
MOST_DOORS = 10_000

Key = Literal["current", "previous", "wrong"]

log = structlog.get_logger(__name__)


# Who may come in ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """What one store's deliveries are measured by."""

    state: StoreState
    digest: bytes | None
    previous: bytes | None
    previous_until: datetime | None
    data_key: DataKey | None

    @property
    def receives(self) -> bool:
        return self.data_key is not None and may_happen(self.state, StoreDoing.RECEIVE)

    def judge(self, key: str, now: datetime) -> Key:
        """Compare the header's key with the store's, in constant time, and with its predecessor while that counts."""
        given = key_digest(key)
        if self.digest is not None and hmac.compare_digest(given, self.digest):
            return "current"
        counts = self.previous is not None and self.previous_until is not None and now < self.previous_until
        if counts and hmac.compare_digest(given, self.previous or b""):
            return "previous"
        return "wrong"


def verdict(key: Key, proof: bigcommerce_events.Proof) -> tuple[bool, str]:
    """Return (whether the delivery is taken, what is counted of it or "").

    The header's key proves it, and so does a signature; an old timestamp only makes the signature a hint, for a
    retry may carry the first one's.
    """
    if key == "current":
        return True, "wrong_signature" if proof == "wrong" else "old_signature" if proof == "stale" else ""
    if key == "previous":
        return True, "previous_key"
    if proof == "valid":
        return True, "signature_only"
    if proof == "stale":
        return True, "old_signature"
    return False, "wrong_key"


class Doors:
    """What is known of stores, for a few seconds: an event must not cost a read of its store."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: OrderedDict[str, tuple[Door | None, float]] = OrderedDict()

    async def find(self, store_hash: str, *, doubted: bool = False) -> Door | None:
        """Return the store's door, None for an unknown store. doubted: what is known said no, and may be old."""
        known = self._known.get(store_hash)
        if known is not None and time.monotonic() - known[1] < (DOUBTED_SECONDS if doubted else KNOWN_SECONDS):
            return known[0]
        door = await self._read(store_hash)
        self._known[store_hash] = door, time.monotonic()
        self._known.move_to_end(store_hash)
        if len(self._known) > MOST_DOORS:
            self._known.popitem(last=False)
        return door

    async def _read(self, store_hash: str) -> Door | None:
        statement, words = positional("fetch_door")
        async with acquire(self._services.db.pool) as connection:
            row = await connection.fetchrow(statement, *({"store_hash": store_hash}[word] for word in words))
        if row is None:
            return None
        return Door(
            state=StoreState(row["state"]),
            digest=row["webhook_key_digest"],
            previous=row["previous_key_digest"],
            previous_until=row["previous_key_until"],
            data_key=open_data_key(self._services, store_hash, row["data_key"]),
        )


def open_data_key(services: Services, store_hash: str, sealed: bytes | None) -> DataKey | None:
    return None if sealed is None else services.secrets.unwrap(sealed, store_hash=store_hash)


class Callbacks:
    """Which request a callback's token belongs to. A pair never changes, so it is kept until it falls out."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: OrderedDict[bytes, int] = OrderedDict()

    async def find(self, store_hash: str, token: str) -> int | None:
        """Return the request's id, None for a token of no request."""
        digest = callback_digest(token)
        known = self._known.get(digest)
        if known is not None:
            return known
        statement, words = positional("fetch_callback")
        values: dict[str, Any] = {"store_hash": store_hash, "callback_digest": digest}
        async with acquire(self._services.db.pool) as connection:
            row = await connection.fetchrow(statement, *(values[word] for word in words))
        if row is None:
            return None
        self._known[digest] = row["id"]
        if len(self._known) > MOST_DOORS:
            self._known.popitem(last=False)
        return int(row["id"])


class Address:
    """An address for machines as a plain ASGI application: a status, no body, no header that says more.

    take: reads the delivery and returns the status. It is given the application's state, the path's parameters,
    those of the headers that count (HEADERS; of several with one name the first) and where the body comes from.
    """

    def __init__(self, take: Callable[[State, Mapping[str, str], Mapping[str, str], Receive], Awaitable[int]]) -> None:
        self._take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            counts = HEADERS.get(name)
            if counts is not None and counts not in headers:
                headers[counts] = value.decode("latin-1")
        status = await self._take(scope["app"].state, scope.get("path_params", {}), headers, receive)
        await send({"type": "http.response.start", "status": status, "headers": NO_BODY})
        await send({"type": "http.response.body", "body": b""})


NO_BODY = [(b"content-length", b"0")]


# BigCommerce -------------------------------------------------------------------------------------------------


async def bigcommerce(state: State, _: Mapping[str, str], headers: Mapping[str, str], receive: Receive) -> int:
    """Take a webhook delivery. Source: BigCommerce docs, "Webhooks": a quick 2xx without body and extra headers."""
    try:
        body = await receive_body(receive, headers.get("content-length", ""), BIGCOMMERCE_BYTES)
        event = bigcommerce_events.parse_event(body, headers)
    except TooLarge:
        return 413
    except UnreadableInput:
        return 400
    try:
        await _take_bigcommerce(state, event, headers, body)
    except (BufferFull, DatabaseAway) as exc:
        log.warning("delivery_put_off", store=event.store_hash, reason=str(exc))
        return 503
    except UnreadableInput as exc:
        log.warning("delivery_unfit", store=event.store_hash, reason=str(exc))
        return 400
    return 200


async def _take_bigcommerce(
    state: State, event: bigcommerce_events.BigCommerceEvent, headers: Mapping[str, str], body: bytes
) -> None:
    services: Services = state.services
    doors: Doors = state.doors
    counts: Counts = state.counts
    now, key = services.clock.now(), headers.get(KEY_HEADER, "")[:200]
    secret = services.settings.bc_client_secret.get_secret_value()
    door = await doors.find(event.store_hash)
    judged = "wrong" if door is None or not door.receives else door.judge(key, now)
    if judged == "wrong":
        door = await doors.find(event.store_hash, doubted=True)
        if door is None:
            counts.add("unknown_store", now)
            return
        if not door.receives:
            counts.add("store_not_active", now, event.store_hash)
            return
        judged = door.judge(key, now)
    taken, odd = verdict(judged, bigcommerce_events.verify_signature(body, headers, secret, now))
    if odd:
        counts.add(odd, now, event.store_hash)
    if not taken:
        return
    if event.record is None:
        counts.add("unknown_scope", now, event.store_hash)
        return
    await _add(
        state, door, body,
        store_hash=event.store_hash, key=event.key, source="bigcommerce", topic=event.scope,
        record_kind=event.record.kind, record_id=event.record.id, received_at=now,
    )  # fmt: skip


async def _add(state: State, door: Door | None, body: bytes, **parts: Any) -> None:
    """Return when the delivery is committed; the raw body is kept sealed, to be shown and never to be decided from."""
    intake: Intake = state.intake
    if door is None or door.data_key is None:
        raise SealBroken("a store without a data key receives nothing")
    sealed = door.data_key.encrypt(
        body, table="deliveries", column="body", store_hash=parts["store_hash"], row=parts["key"]
    )
    await intake.add(Delivery(body=sealed, **parts))


# Core Signature ----------------------------------------------------------------------------------------------


async def core_signature(state: State, path: Mapping[str, str], headers: Mapping[str, str], receive: Receive) -> int:
    """Take a callback of the signature service, proven by the token in its address.

    It says which request to read again, nothing more. Our own failure is a 500: the service then repeats for about
    two hours.
    """
    store_hash = store_of_callback(path["token"])
    try:
        body = await receive_body(receive, headers.get("content-length", ""), SIGNATURE_BYTES)
        key, kind = read_callback(body)
    except TooLarge:
        return 413
    except UnreadableInput:
        return 400
    try:
        await _take_callback(state, store_hash, path["token"], key, kind, body)
    except (BufferFull, DatabaseAway, UnreadableInput) as exc:
        log.warning("callback_put_off", store=store_hash, reason=str(exc))
        return 500
    return 200


async def _take_callback(state: State, store_hash: str | None, token: str, key: str, kind: str, body: bytes) -> None:
    services: Services = state.services
    doors: Doors = state.doors
    callbacks: Callbacks = state.callbacks
    counts: Counts = state.counts
    now = services.clock.now()
    if store_hash is None:
        counts.add("unknown_callback", now)
        return
    door = await doors.find(store_hash)
    if door is None or not door.receives:
        door = await doors.find(store_hash, doubted=True)
    if door is None:
        counts.add("unknown_callback", now)
        return
    request_id = await callbacks.find(store_hash, token)
    if request_id is None or not door.receives:
        counts.add("unknown_callback" if request_id is None else "store_not_active", now, store_hash)
        return
    await _add(
        state, door, body,
        store_hash=store_hash, key=f"{key}:{request_id}", source="core_signature", topic=kind,
        record_kind="request", record_id=str(request_id), received_at=now,
    )  # fmt: skip


def read_callback(body: bytes) -> tuple[str, str]:
    """Return (key, kind) of a callback. An unknown shape still says "look"; what is not JSON raises UnreadableInput."""
    try:
        event = signature_events.parse_event(body)
        return event.key, event.kind
    except UnreadableInput as exc:
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            raise exc from None
        return f"cs:{hashlib.sha256(body).hexdigest()}", "unknown"


BIGCOMMERCE = Route("/webhooks/bigcommerce", Address(bigcommerce), methods=["POST"], name="webhook_bigcommerce")
ROUTES = [
    BIGCOMMERCE,
    Route("/webhooks/core-signature/{token}", Address(core_signature), methods=["POST"], name="webhook_core_signature"),
]


class Straight:
    """Leads BigCommerce's deliveries past the router, which would cost them more than all that is looked at here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == BIGCOMMERCE.path and scope["method"] == "POST":
            scope["route"] = BIGCOMMERCE
            await BIGCOMMERCE.app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
