"""Quotes made by hand as rows: making and changing one, the carts that were made for it, the order that came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.kinds.quote import ARCHIVED, DRAFT, EXPIRED, NEW, ORDERED, QuoteFacts, QuoteLine
from bcapp.core.model import Money, RecordKey
from bcapp.core.own_quotes import OfferedLine, OwnDraft
from bcapp.db import Database, audit
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import say_look
from bcapp.db.stores import Store


@dataclass(frozen=True)
class OwnQuote:
    """A quote as kept. row: all of it."""

    row: Mapping[str, Any]
    lines: tuple[OfferedLine, ...]

    @property
    def id(self) -> int:
        return int(self.row["id"])

    @property
    def record(self) -> RecordKey:
        return own_quote_record(self.id)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(line.problem for line in self.lines if line.problem)

    def status(self, now: datetime) -> int:
        if self.row["order_id"]:
            return ORDERED
        if self.row["state"] == "withdrawn":
            return ARCHIVED
        if self.row["expires_at"] <= now:
            return EXPIRED
        return NEW if all(line.product_id for line in self.lines) else DRAFT

    def facts(self, now: datetime) -> QuoteFacts:
        """Return the quote as rules see it. Shipping and tax are the checkout's, and not known before."""
        row, currency = self.row, str(self.row["currency"])
        lines = tuple(
            QuoteLine(
                line.product_id,
                line.sku,
                line.name or line.sku,
                line.quantity,
                line.price if line.base_price is None else line.base_price,
                line.price,
                line.cost,
            )
            for line in self.lines
        )
        subtotal = Money(sum((line.total for line in lines), Decimal(0)), currency)
        return QuoteFacts(
            id=self.id,
            number=str(self.id),
            title=row["title"],
            status=self.status(now),
            created_at=row["created_at"],
            modified_at=row["modified_at"],
            expires_at=row["expires_at"],
            channel_id=int(row["channel_id"]),
            company_id=0,
            company=row["company"],
            contact_name=row["name"],
            contact_email=row["email"],
            rep_name="",
            rep_email=str(row["author_email"]).strip().lower(),
            subtotal=subtotal,
            total=subtotal,
            shipping=Decimal(0),
            tax=Decimal(0),
            allow_checkout=bool(row["cart_id"]),
            lines=lines,
            terms=row["terms"],
            order_id=int(row["order_id"]),
        )


def own_quote_record(quote_id: int) -> RecordKey:
    return RecordKey(OWN_QUOTE.name, str(quote_id))


async def fetch_own_quote(db: Database, store_hash: str, quote_id: int) -> OwnQuote | None:
    row = await db.fetch_one("fetch_own_quote", {"store_hash": store_hash, "id": quote_id})
    return None if row is None else OwnQuote(row, tuple(OfferedLine.parse(line) for line in row["lines"]))


def _values(store: Store, draft: OwnDraft, now: datetime) -> dict[str, Any]:
    # The last day is the whole day in the store's zone.
    ends = datetime.combine(draft.expires_on + timedelta(days=1), time(), zone_for(store.timezone))
    return {
        "store_hash": store.hash,
        "title": draft.title,
        "name": draft.name,
        "email": draft.email,
        "company": draft.company,
        "customer_id": draft.customer_id,
        "language": draft.language,
        "terms": draft.terms,
        "lines": [line.dump() for line in draft.lines],
        "expires_at": ends,
        "now": now,
    }


async def add_own_quote(db: Database, store: Store, draft: OwnDraft, *, once: str, author: int, now: datetime) -> int:
    """Write a quote and have it looked at; return its number. once: of the form, the same for the same quote."""
    values = {
        **_values(store, draft, now),
        "currency": store.currency or "USD",
        "channel_id": int(store.profile.get("default_channel_id") or 1),
        "once": once,
        "author": author,
    }
    async with db.transaction():
        found = await db.fetch_val("add_own_quote", values)
        if found is None:
            return int(await db.fetch_val("own_quote_of_form", {"store_hash": store.hash, "once": once}))
        await _told(db, store.hash, int(found), "own_quote_made", f"user:{author}", now)
    return int(found)


async def change_own_quote(
    db: Database, store: Store, quote_id: int, draft: OwnDraft, *, author: int, now: datetime
) -> bool:
    """Write what was typed; False when it was ordered or withdrawn meanwhile. What could be ordered is taken away."""
    async with db.transaction():
        if await db.fetch_val("change_own_quote", {**_values(store, draft, now), "id": quote_id}) is None:
            return False
        await _take_away(db, store.hash, quote_id, now)
        await _told(db, store.hash, quote_id, "own_quote_changed", f"user:{author}", now)
    return True


async def withdraw_own_quote(
    db: Database, store_hash: str, quote_id: int, why: str, *, author: int, now: datetime
) -> bool:
    """Take a quote back; False when it was ordered or withdrawn already."""
    async with db.transaction():
        if await db.fetch_val("withdraw_own_quote", {"store_hash": store_hash, "id": quote_id, "now": now}) is None:
            return False
        await _take_away(db, store_hash, quote_id, now)
        await _told(db, store_hash, quote_id, "own_quote_withdrawn", f"user:{author}", now, {"why": bool(why)})
    return True


async def _take_away(db: Database, store_hash: str, quote_id: int, now: datetime) -> None:
    """Have carts of earlier terms taken away, besides what the hold of the quote does."""
    quote = await fetch_own_quote(db, store_hash, quote_id)
    if quote is not None and quote.row["left_carts"]:
        payload = {"only": "carts"}
        await queue_action(db, store_hash, ActionKind.SHUT_QUOTE, quote.record, now, payload=payload)


async def send_own_quote_again(db: Database, store_hash: str, quote_id: int, *, author: int, now: datetime) -> None:
    """Have a new link mailed to the buyer of a quote that may be ordered."""
    record = own_quote_record(quote_id)
    async with db.transaction():
        payload = {"because": "again"}
        await queue_action(db, store_hash, ActionKind.OPEN_QUOTE, record, now, payload=payload)
        await audit.append(db, store_hash, now, actor=f"user:{author}", event="own_quote_again", record=record)


async def _told(
    db: Database,
    store_hash: str,
    quote_id: int,
    event: str,
    actor: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    record = own_quote_record(quote_id)
    await audit.append(db, store_hash, now, actor=actor, event=event, record=record, detail=detail or {})
    await say_look(db, store_hash, record, now, source="panel")


async def keep_lines(db: Database, store_hash: str, quote: OwnQuote, lines: Sequence[OfferedLine]) -> None:
    values = {"store_hash": store_hash, "id": quote.id, "modified_at": quote.row["modified_at"]}
    await db.execute("keep_own_quote_lines", {**values, "lines": [line.dump() for line in lines]})


async def keep_cart(db: Database, store_hash: str, quote: OwnQuote, cart_id: str) -> bool:
    """Write down what its buyer can order; False when the quote was changed, withdrawn or ordered meanwhile."""
    values = {"store_hash": store_hash, "id": quote.id, "modified_at": quote.row["modified_at"], "cart_id": cart_id}
    return await db.fetch_val("keep_own_quote_cart", values) is not None


async def own_quote_of_cart(db: Database, store_hash: str, cart_id: str, order_id: int, now: datetime) -> int | None:
    """Return the quote that an order's cart was made for, None for every other cart; the quote learns of its order."""
    row = await db.fetch_one("own_quote_of_cart", {"store_hash": store_hash, "cart_id": cart_id})
    if row is None:
        return None
    if not row["order_id"]:
        async with db.transaction():
            values = {"store_hash": store_hash, "id": row["id"], "order_id": order_id}
            if await db.fetch_val("note_own_quote_order", values) is not None:
                await say_look(db, store_hash, own_quote_record(row["id"]), now)
    return int(row["id"])
