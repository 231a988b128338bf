"""Registrations of warranties, serial numbers given before, and forms that were signed on paper."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.core.warranties import (
    Cover,
    Piece,
    Registration,
    SerialLine,
    State,
    Wanted,
    name_key,
    phone_key,
    serial_key,
)
from bcapp.db import Database, audit
from bcapp.db.deliveries import say_command, say_look
from bcapp.db.news import tell_noted
from bcapp.secrets import DataKey, Secrets
from bcapp.workflows.protocol import Command

ADDRESS, PHONE, NAME = "acceptance address", "phone", "buyer name"  # purposes of the digests
MOST_FOUND = 200
PAGE = 50


def registration_from_row(row: Mapping[str, Any]) -> Registration:
    return Registration(
        id=row["id"],
        order_id=row["order_id"],
        request_id=row["request_id"],
        rule_id=row["rule_id"],
        item_id=row["item_id"],
        piece=row["piece"],
        quantity=row["quantity"],
        product_id=row["product_id"],
        sku=row["sku"],
        name=row["name"],
        cover=Cover(row["cover"]),
        serial=row["serial"],
        starts=row["starts_on"],
        ends=row["ends_on"],
        state=State(row["state"]),
        state_why=row["state_why"],
        ended_on=row["ended_on"],
        paper_id=row["paper_id"],
        renewal_asked=row["renewal_asked_at"] is not None,
    )


async def registrations_of(db: Database, store_hash: str, order_id: str) -> tuple[Registration, ...]:
    """Return every registration of an order, oldest first."""
    rows = await db.fetch_all("registrations_of_order", {"store_hash": store_hash, "order_id": order_id})
    return tuple(registration_from_row(r) for r in rows)


# Registering ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Buyer:
    """Who a registration is found by. names: the first one stands in lists; phones: as typed."""

    name: str
    email: str
    phone: str

    def digests(self, key: DataKey) -> dict[str, bytes | None]:
        keys = (
            ("name_digest", NAME, name_key(self.name)),
            ("email_digest", ADDRESS, self.email.strip().lower()),
            ("phone_digest", PHONE, phone_key(self.phone)),
        )
        return {column: key.digest(purpose, value) if value else None for column, purpose, value in keys}


@dataclass(frozen=True)
class Source:
    """Where a registration comes from: a signed request, or a paper form."""

    order_id: str
    rule_id: int
    rule_version: int
    request_id: int = 0
    paper_id: int = 0


@dataclass(frozen=True)
class Days:
    starts: date
    ends: date | None
    renew: date | None


async def register(
    db: Database,
    store_hash: str,
    source: Source,
    pieces: Sequence[Piece],
    cover: Cover,
    days: Days,
    buyer: Buyer,
    key: DataKey,
    now: datetime,
    *,
    state: State = State.ACTIVE,
    state_why: str = "",
    serial_from: str = "signer",
) -> int:
    """Add what is not registered yet, and return how many that were. serial_from: signer | staff | file."""
    added = 0
    digests = buyer.digests(key)
    for piece in pieces:
        found = await db.fetch_val(
            "add_registration",
            {
                "store_hash": store_hash,
                "order_id": source.order_id,
                "request_id": source.request_id,
                "paper_id": source.paper_id,
                "rule_id": source.rule_id,
                "rule_version": source.rule_version,
                "item_id": piece.item_id,
                "piece": piece.number,
                "quantity": piece.quantity,
                "product_id": piece.product_id,
                "sku": piece.sku,
                "name": piece.name,
                "cover": str(cover),
                "serial": piece.serial,
                "serial_key": serial_key(piece.serial),
                "serial_from": serial_from if piece.serial else "",
                "starts_on": days.starts,
                "ends_on": days.ends,
                "renew_on": days.renew,
                "state": str(state),
                "state_why": state_why,
                "buyer": buyer.name[:200],
                **digests,
                "now": now,
            },
        )
        added += found is not None
    return added


async def replace_earlier(
    db: Database, store_hash: str, source: Source, items: Iterable[int], today: date, *, renewed: bool
) -> int:
    """End what the new document takes the place of; return how many that were."""
    values = {
        "store_hash": store_hash, "order_id": source.order_id, "rule_id": source.rule_id,
        "request_id": source.request_id, "paper_id": source.paper_id, "items": sorted(set(items)),
        "today": today, "renewed": renewed,
    }  # fmt: skip
    return len(await db.fetch_all("replace_registrations", values))


async def leave(db: Database, store_hash: str, registration_id: int, quantity: int, why: str, today: date) -> bool:
    """Write down what is left of a registration; False when it had ended before."""
    values = {"store_hash": store_hash, "id": registration_id, "quantity": quantity, "why": why, "today": today}
    return await db.fetch_val("leave_registration", values) is not None


async def serial_elsewhere(db: Database, store_hash: str, order_id: str, pieces: Iterable[Piece]) -> str:
    """Return an order that has one of these serial numbers of the same product already, "" for none."""
    named = [(serial_key(p.serial), p.product_id) for p in pieces if serial_key(p.serial)]
    if not named:
        return ""
    values = {
        "store_hash": store_hash, "order_id": order_id,
        "keys": [key for key, _ in named], "products": [product for _, product in named],
    }  # fmt: skip
    return str(await db.fetch_val("serial_elsewhere", values) or "")


# Serial numbers -------------------------------------------------------------------------------------------


async def known_serials(db: Database, store_hash: str, order_id: str) -> dict[str, list[str]]:
    """Return the serial numbers that were given before the buyer was asked, by SKU."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in await db.fetch_all("known_serials", {"store_hash": store_hash, "order_id": order_id}):
        found[row["sku"]].append(row["serial"])
    return dict(found)


async def take_serials(
    db: Database, store_hash: str, lines: Sequence[SerialLine], author: int | str, now: datetime
) -> int:
    """Keep the lines of a file; what is registered without a number gets it now. Returns how many got one."""
    async with db.transaction():
        await db.execute(
            "add_known_serials",
            {
                "store_hash": store_hash,
                "orders": [line.order for line in lines],
                "skus": [line.sku for line in lines],
                "keys": [serial_key(line.serial) for line in lines],
                "serials": [line.serial for line in lines],
                "now": now,
            },
        )
        filled = await fill_serials(db, store_hash, {line.order for line in lines})
        detail = {"lines": len(lines), "filled": filled}
        await audit.append(db, store_hash, now, actor=actor_of(author), event="serials_imported", detail=detail)
    return filled


async def fill_serials(db: Database, store_hash: str, orders: Iterable[str]) -> int:
    """Give registrations without a number what a file gave for them; return how many got one."""
    return int(await db.fetch_val("fill_serials", {"store_hash": store_hash, "orders": sorted(orders)}))


async def set_serial(
    db: Database, store_hash: str, row: Mapping[str, Any], serial: str, author: int | str, now: datetime
) -> bool:
    async with db.transaction():
        values = {"store_hash": store_hash, "id": row["id"], "serial": serial, "serial_key": serial_key(serial)}
        values["serial_from"] = "staff" if serial else ""
        if await db.fetch_val("set_serial", values) is None:
            return False
        await _note(db, store_hash, row, "serial_changed", author, now)
    return True


async def end_by_hand(
    db: Database, store_hash: str, row: Mapping[str, Any], why: str, author: int | str, today: date, now: datetime
) -> bool:
    """End a registration; the order is looked at again, which settles what asked for it."""
    async with db.transaction():
        if not await leave(db, store_hash, row["id"], 0, why, today):
            return False
        await _note(db, store_hash, row, "registration_ended", author, now)
        await say_look(db, store_hash, RecordKey("order", row["order_id"]), now)
    return True


async def _note(
    db: Database, store_hash: str, row: Mapping[str, Any], event: str, author: int | str, now: datetime
) -> None:
    record, detail = RecordKey("order", row["order_id"]), {"registration": row["id"]}
    await audit.append(db, store_hash, now, actor=actor_of(author), event=event, record=record, detail=detail)
    await tell_noted(db, store_hash, event, record, now, detail)


def actor_of(author: int | str) -> str:
    """author: a user's number, or who it was as the audit log names them."""
    return author if isinstance(author, str) else f"user:{author}"


# Looking up -----------------------------------------------------------------------------------------------


async def find(
    db: Database, store_hash: str, wanted: Wanted, key: DataKey | None, *, personal: bool
) -> list[dict[str, Any]]:
    """Return what a search may mean. personal: it may also be found by who bought it."""

    def digest(purpose: str, value: str) -> bytes | None:
        return key.digest(purpose, value) if key is not None and value else None

    return await db.fetch_all(
        "find_registrations",
        {
            "store_hash": store_hash,
            "order_id": wanted.order,
            "serial": wanted.serial,
            "personal": personal,
            "email": digest(ADDRESS, wanted.email),
            "phone": digest(PHONE, wanted.phone),
            "name": digest(NAME, wanted.name),
            "most": MOST_FOUND,
        },
    )


async def list_all(db: Database, store_hash: str, state: str, page: int) -> list[dict[str, Any]]:
    values = {"store_hash": store_hash, "state": state, "most": PAGE, "skip": (page - 1) * PAGE}
    return await db.fetch_all("list_registrations", values)


# Forms on paper -------------------------------------------------------------------------------------------


async def add_paper(
    db: Database,
    secrets: Secrets,
    store_hash: str,
    *,
    order_id: str,
    rule_id: int,
    content: bytes,
    signed_on: date,
    serials: str,
    author: int,
    now: datetime,
) -> int:
    """Keep a form that was signed on paper; the worker's next look at the order registers it. content: its SHA-256."""
    async with db.transaction():
        values = {
            "store_hash": store_hash, "order_id": order_id, "rule_id": rule_id, "content": content,
            "signed_on": signed_on, "serials": serials, "author": author, "now": now,
        }  # fmt: skip
        paper_id = int(await db.fetch_val("add_paper", values))
        record = RecordKey("order", order_id)
        command = Command("register", author, payload={"paper": paper_id}, workflow="warranty")
        await say_command(db, secrets, store_hash, record, command, now)
        await audit.append(
            db, store_hash, now, actor=f"user:{author}", event="paper_uploaded", record=record,
            detail={"paper": paper_id},
        )  # fmt: skip
    return paper_id
