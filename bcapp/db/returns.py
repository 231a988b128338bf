"""Who asked for the returns form of an order, and the links of those who proved that it is theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.core.returns import GOOD_FOR, PER_ADDRESS, PER_ORDER, PER_SENDER, PER_STORE, Offered
from bcapp.db import Database
from bcapp.db.actions import queue_action

HOUR = timedelta(hours=1)
KEEP, KEEP_WITH_CASE = timedelta(days=2), timedelta(days=90)


async def ask_for_form(
    db: Database,
    store_hash: str,
    order_id: int,
    addresses: Sequence[bytes],
    language: str,
    now: datetime,
    senders: Sequence[bytes] = (),
) -> bool:
    """Have the worker find out whose order it is, and mail the link to its buyer; False when asked too often.

    addresses: digests of the typed address, the one to keep first. senders: likewise of the internet address that it
    came from, none where that is not known.
    """
    of = {"store_hash": store_hash, "order_id": order_id}
    async with db.transaction():
        await db.fetch_val("lock_return_asks", {"store_hash": store_hash})
        counted = {"addresses": list(addresses), "senders": list(senders), "since": now - HOUR}
        asked = await db.fetch_one("count_return_asks", {**of, **counted})
        assert asked is not None
        limits = {"address": PER_ADDRESS, "sender": PER_SENDER, "order": PER_ORDER, "store": PER_STORE}
        if any(asked[name] >= most for name, most in limits.items()):
            return False
        kept = {"address": addresses[0], "sender": senders[0] if senders else None, "language": language, "now": now}
        number = await db.fetch_val("add_return_ask", {**of, **kept})
        record = RecordKey("order", str(order_id))
        await queue_action(db, store_hash, ActionKind.SEND_MAIL, record, now, payload={"return_ask": int(number)})
    return True


async def prove(
    db: Database,
    store_hash: str,
    ask_id: int,
    digest: bytes,
    offered: Sequence[Offered],
    *,
    shipped: bool,
    now: datetime,
) -> bool:
    """Write down that the order is theirs, and what of it may be asked for; False when that was done before.

    digest: of the link that is mailed.
    """
    values = {
        "store_hash": store_hash,
        "id": ask_id,
        "digest": digest,
        "expires_at": now + GOOD_FOR,
        "shipped": shipped,
        "offered": [line.dump() for line in offered],
    }
    return await db.fetch_val("prove_return_ask", values) is not None


async def ask_of_link(db: Database, store_hash: str, digest: bytes) -> Mapping[str, Any] | None:
    """Return the row of a link with the case that came of it, if one did; None for what is no link of ours."""
    return await db.fetch_one("return_ask_of_link", {"store_hash": store_hash, "digest": digest})


async def pieces_in_cases(db: Database, store_hash: str, order_id: int, read_at: datetime) -> dict[int, int]:
    """Return line of the order -> pieces that cases ask for already. read_at: when the order's lines were read."""
    of = {"store_hash": store_hash, "order_id": order_id, "read_at": read_at}
    return {int(r["item_id"]): int(r["pieces"]) for r in await db.fetch_all("pieces_in_cases", of)}


async def clear(db: Database, now: datetime) -> None:
    """Drop what is not needed any more."""
    await db.execute("clear_return_asks", {"before": now - KEEP, "long_before": now - KEEP_WITH_CASE})
