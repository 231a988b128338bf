"""A store's life with us: installed, opened by people, left by people, uninstalled."""

from __future__ import annotations

import hashlib
import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.oauth import Install, SignedPayload
from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.core.stores import StoreState
from bcapp.db import Database, audit
from bcapp.db.actions import queue_action
from bcapp.errors import BigCommerceError, RefusedByUs, UnreadableInput
from bcapp.services import Services

PREVIOUS_KEY_LIVES = timedelta(hours=72)

# Without these an order cannot be held, let go, captured or explained. Each further scope switches on a workflow.
REQUIRED_SCOPES: dict[str, str] = {
    "store_v2_orders": "Orders: modify",
    "store_v2_transactions": "Order Transactions: modify",
    "store_v2_customers": "Customers: modify",
    "store_v2_products": "Products: modify",
    "store_v2_information": "Information & Settings: modify",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reading:
    """What was read of the store while installing; empty where BigCommerce did not answer."""

    profile: Mapping[str, Any]
    channels: Sequence[Mapping[str, Any]] | None


def missing_scopes(scope: str) -> list[str]:
    """Return the required scopes that were not given, as people know them. A read-only one does not count."""
    given = set(scope.split())
    return [label for name, label in REQUIRED_SCOPES.items() if name not in given]


def store_record(store_hash: str) -> RecordKey:
    """The store itself as the record of an action."""
    return RecordKey("store", store_hash)


# Secrets of a store ------------------------------------------------------------------------------------------


def seal_token(services: Services, store_hash: str, token: str) -> bytes:
    return services.secrets.encrypt(
        token.encode(), table="stores", column="access_token", store_hash=store_hash, row=store_hash
    )


def open_token(services: Services, store_hash: str, sealed: bytes) -> str:
    return services.secrets.decrypt(
        sealed, table="stores", column="access_token", store_hash=store_hash, row=store_hash
    ).decode()


def seal_webhook_key(services: Services, store_hash: str, key: str) -> bytes:
    return services.secrets.encrypt(
        key.encode(), table="stores", column="webhook_key", store_hash=store_hash, row=store_hash
    )


def open_webhook_key(services: Services, store_hash: str, sealed: bytes) -> str:
    return services.secrets.decrypt(
        sealed, table="stores", column="webhook_key", store_hash=store_hash, row=store_hash
    ).decode()


def key_digest(key: str) -> bytes:
    """What is kept to compare X-Countersign-Key with. 256 random bits need no keyed digest."""
    return hashlib.sha256(key.encode()).digest()


async def get_access_token(services: Services, store_hash: str) -> str:
    """Return the store's token as it stands now; raise RefusedByUs when the store has none."""
    row = await services.db.fetch_one("fetch_token", {"store_hash": store_hash})
    if row is None or row["access_token"] is None:
        raise RefusedByUs(f"Countersign is not installed on the store {store_hash}.")
    return open_token(services, store_hash, row["access_token"])


async def get_webhook_key(services: Services, store_hash: str) -> str:
    """Return what our webhooks of the store carry in X-Countersign-Key."""
    sealed = await services.db.fetch_val("fetch_webhook_key", {"store_hash": store_hash})
    if sealed is None:
        raise RefusedByUs(f"Countersign is not installed on the store {store_hash}.")
    return open_webhook_key(services, store_hash, sealed)


async def rotate_webhook_key(services: Services, store_hash: str) -> None:
    """Give the store's webhooks a new key, and have them registered with it. The old one is taken for 72 hours more."""
    now = services.clock.now()
    async with services.db.transaction():
        await _new_webhook_key(services, store_hash, now)
        await queue_action(services.db, store_hash, ActionKind.REGISTER_HOOKS, store_record(store_hash), now)
        await audit.append(services.db, store_hash, now, actor="app", event="webhook_key_rotated")


async def _new_webhook_key(services: Services, store_hash: str, now: datetime) -> None:
    key = random.token_urlsafe(32)
    await services.db.execute(
        "set_webhook_key",
        {
            "store_hash": store_hash,
            "webhook_key": seal_webhook_key(services, store_hash, key),
            "webhook_key_digest": key_digest(key),
            "previous_until": now + PREVIOUS_KEY_LIVES,
        },
    )


# Install -----------------------------------------------------------------------------------------------------


async def read_store(services: Services, install: Install) -> Reading:
    """Read what pages show of the store. A store that cannot be read now is installed all the same."""
    client = BigCommerce(services.http, services.settings.bc_api_url, install.store_hash, install.access_token)
    try:
        profile: Mapping[str, Any] = asdict(await client.get_store())
    except (BigCommerceError, UnreadableInput) as exc:
        log.warning("store_not_read", store=install.store_hash, reason=str(exc))
        profile = {}
    try:
        channels: Sequence[Mapping[str, Any]] | None = await client.channels()
    except (BigCommerceError, UnreadableInput) as exc:
        # The scope for channels is an optional one.
        log.info("channels_not_read", store=install.store_hash, reason=str(exc))
        channels = None
    return Reading(profile, channels)


async def install_store(services: Services, install: Install, reading: Reading) -> int:
    """Write the store down, new or again, and have its webhooks registered. Return the number of the installation.

    The same install twice changes nothing but the token. After an uninstall the number is raised, so that nothing of
    the earlier installation is taken for one of this, and work resumes.
    """
    db, now, store_hash = services.db, services.clock.now(), install.store_hash
    async with db.transaction():
        known = await db.fetch_one("lock_installation", {"store_hash": store_hash})
        values = {
            "store_hash": store_hash,
            "access_token": seal_token(services, store_hash, install.access_token),
            "scope": install.scope,
            "owner_id": install.owner_id,
            "data_key": services.secrets.wrap(services.secrets.new_data_key(), store_hash=store_hash),
            "profile": dict(reading.profile),
            "now": now,
        }
        if known is None:
            installation = await _add_store(services, values, now)
            if installation is None:  # two at once: the other one was first
                known = await db.fetch_one("lock_installation", {"store_hash": store_hash})
        if known is not None:
            state = StoreState(known["state"])
            again = state in (StoreState.UNINSTALLING, StoreState.UNINSTALLED)
            installation = await db.fetch_val("renew_store", {**values, "raise_by": 1 if again else 0})
            if again or known["webhook_key"] is None:
                await _new_webhook_key(services, store_hash, now)
            await db.execute("drop_uninstall_steps", {"store_hash": store_hash, "now": now})
            consent = {"kind": "reconsent", "record_kind": "store", "record_id": store_hash, "done_by": install.user_id}
            await db.execute("settle_notice", {**consent, "store_hash": store_hash, "now": now})
        await _put_channels(db, store_hash, reading.channels)
        await put_user(
            db, store_hash, user_id=install.user_id, email=install.user_email, locale="en", now=now,
            owner_id=install.owner_id,
        )  # fmt: skip
        await queue_action(db, store_hash, ActionKind.REGISTER_HOOKS, store_record(store_hash), now)
        await audit.append(
            db, store_hash, now, actor=f"user:{install.user_id}", event="installed",
            record=store_record(store_hash), detail={"installation": installation, "scope": install.scope.split()},
        )  # fmt: skip
    return int(installation)


async def _add_store(services: Services, values: Mapping[str, Any], now: datetime) -> Any:
    key = random.token_urlsafe(32)
    return await services.db.fetch_val(
        "add_store",
        {
            **values,
            "webhook_key": seal_webhook_key(services, values["store_hash"], key),
            "webhook_key_digest": key_digest(key),
        },
    )


async def _put_channels(db: Database, store_hash: str, channels: Sequence[Mapping[str, Any]] | None) -> None:
    """Write the channels as read; None leaves what is known."""
    if channels is None:
        return
    ids = []
    for channel in channels:
        number = channel.get("id")
        if not isinstance(number, int):
            continue
        ids.append(number)
        await db.execute(
            "put_channel",
            {
                "store_hash": store_hash,
                "id": number,
                "name": str(channel.get("name") or f"Channel {number}"),
                "type": str(channel.get("type") or ""),
                "status": str(channel.get("status") or ""),
                "site_url": None,
            },
        )
    await db.execute("drop_other_channels", {"store_hash": store_hash, "ids": ids})


# People ------------------------------------------------------------------------------------------------------


async def put_user(
    db: Database, store_hash: str, *, user_id: int, email: str, locale: str, now: datetime, owner_id: int
) -> str:
    """Write the user down, new or again, with an entry in the directory; return the role.

    New ones are viewers; the store's owner is always owner, and who was it before becomes a manager. Call inside a
    transaction.
    """
    address = email.strip().lower()
    language = locale.partition("-")[0].lower() or "en"
    known = await db.fetch_one("lock_user", {"store_hash": store_hash, "id": user_id})
    role = "viewer" if known is None or known["state"] == "removed" else str(known["role"])
    if user_id == owner_id:
        role = "owner"
        await db.execute("demote_other_owners", {"store_hash": store_hash, "owner_id": owner_id})
    elif role == "owner":
        role = "manager"
    person = known["person_id"] if known else None
    if person is not None and address and known is not None and known["email"] != address:
        person = await db.fetch_val("move_person_address", {"store_hash": store_hash, "id": person, "email": address})
    if person is None and address:
        person = await db.fetch_val(
            "put_person_of_user",
            {
                "store_hash": store_hash,
                "name": address.partition("@")[0],
                "email": address,
                "language": language,
                "now": now,
            },
        )
    values = {
        "store_hash": store_hash,
        "id": user_id,
        "email": address,
        "role": role,
        "person_id": person,
        "locale": locale,
        "now": now,
    }
    if known is None and await db.fetch_val("add_user", values) is not None:
        return role
    await db.execute("see_user", values)
    return role


async def open_for(services: Services, payload: SignedPayload) -> str:
    """Write down that this user opened the app; return the role.

    Raises RefusedByUs for a user who was removed after BigCommerce made this proof.
    """
    db, now, store_hash = services.db, services.clock.now(), payload.store_hash
    async with db.transaction():
        await db.fetch_one("lock_installation", {"store_hash": store_hash})  # the store first, here as everywhere
        known = await db.fetch_one("lock_user", {"store_hash": store_hash, "id": payload.user_id})
        if known is not None and known["state"] == "removed" and payload.issued_at <= known["seen_at"]:
            raise RefusedByUs("You were removed from this app. Ask the store owner to let you in again.")
        await db.execute("set_owner", {"store_hash": store_hash, "owner_id": payload.owner_id})
        role = await put_user(
            db, store_hash, user_id=payload.user_id, email=payload.user_email, locale=payload.locale, now=now,
            owner_id=payload.owner_id,
        )  # fmt: skip
        await db.execute("note_first_load", {"store_hash": store_hash, "now": now})
        if known is None or known["state"] == "removed":
            await audit.append(
                db, store_hash, now, actor=f"user:{payload.user_id}", event="user_let_in", detail={"role": role}
            )
    return role


async def remove_user(services: Services, payload: SignedPayload) -> bool:
    """Leave a tombstone of the user and end their sessions. Return False when there was nobody to remove.

    Raises RefusedByUs for the store's owner, whom BigCommerce cannot have removed.
    """
    db, now, store_hash = services.db, services.clock.now(), payload.store_hash
    who = {"store_hash": store_hash, "user_id": payload.user_id}
    async with db.transaction():
        known = await db.fetch_one("lock_user", {"store_hash": store_hash, "id": payload.user_id})
        if payload.user_id == payload.owner_id:
            raise RefusedByUs("The owner of a store cannot be removed from its apps.")
        if known is None or known["state"] == "removed":
            return False
        person = await db.fetch_val("bury_user", {"store_hash": store_hash, "id": payload.user_id, "now": now})
        await db.execute("revoke_sessions_of_user", {**who, "now": now})
        await db.execute("drop_codes_of_user", who)
        if person is not None and await db.fetch_val(
            "has_approval_limit", {"store_hash": store_hash, "person_id": person}
        ):
            await db.execute(
                "add_notice",
                {
                    "store_hash": store_hash,
                    "kind": "approver_removed",
                    "record_kind": "person",
                    "record_id": str(person),
                    "text": "A user with an approval limit was removed in BigCommerce and can still be asked to sign. "
                    "Open People and decide who takes over.",
                    "alarm": False,
                    "now": now,
                },
            )
        await audit.append(
            db, store_hash, now, actor="bigcommerce", event="user_removed", detail={"user": payload.user_id}
        )
    return True


async def drop_ended(services: Services) -> None:
    """Delete sessions, codes and remembered JWTs of all stores that ended a day ago; for the worker's upkeep."""
    before = services.clock.now() - timedelta(days=1)
    for name in ("drop_ended_sessions", "drop_ended_codes", "drop_ended_jwts"):
        await services.db.execute(name, {"before": before})


# Uninstall ---------------------------------------------------------------------------------------------------


async def announce_uninstall(services: Services, payload: SignedPayload) -> bool:
    """Stop all work of the store and have BigCommerce asked whether it is true: now, after 1, 10 and 60 minutes.

    Nothing is destroyed here: the call's proof does not say that it was made for this purpose. Return False when the
    store is uninstalling already. Raises RefusedByUs for somebody who is neither owner nor a known user.
    """
    db, now, store_hash = services.db, services.clock.now(), payload.store_hash
    record = store_record(store_hash)
    async with db.transaction():
        store = await db.fetch_one("lock_installation", {"store_hash": store_hash})
        if store is None:
            return False
        user = await db.fetch_one("lock_user", {"store_hash": store_hash, "id": payload.user_id})
        if payload.user_id != store["owner_id"] and (user is None or user["state"] != "active"):
            raise RefusedByUs("Only the owner and known users of the store can uninstall the app.")
        if await db.fetch_val("begin_uninstall", {"store_hash": store_hash, "now": now}) is None:
            return False
        await db.execute("revoke_sessions_of_store", {"store_hash": store_hash, "now": now})
        await db.execute("drop_codes_of_store", {"store_hash": store_hash})
        # Each probe asks for the next one, so that the first to be told the truth ends them.
        await queue_action(db, store_hash, ActionKind.PROBE_UNINSTALL, record, now, payload={"probe": 0})
        await audit.append(
            db, store_hash, now, actor=f"user:{payload.user_id}", event="uninstall_announced", record=record
        )
    return True
