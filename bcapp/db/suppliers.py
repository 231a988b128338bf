"""Suppliers, their contacts, covers and papers; lists of them from files; which products they keep hidden."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.kinds.supplier import SUPPLIER, SupplierFacts
from bcapp.core.model import RecordKey
from bcapp.core.suppliers import (
    AGREEMENT,
    ITEMS,
    Contact,
    Cover,
    Draft,
    Item,
    Line,
    identities,
)
from bcapp.db import Database, audit
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import say_look
from bcapp.db.news import tell_noted

LOOK_AGAIN = timedelta(minutes=10)  # a name that the store did not have is asked for again after so long
SCOPES = ("all", "signed", "unsigned", "hidden", "inactive")


def supplier_record(supplier_id: int | str) -> RecordKey:
    return RecordKey("supplier", str(supplier_id))


# One supplier ---------------------------------------------------------------------------------------------


async def fetch_supplier(db: Database, store_hash: str, supplier_id: int) -> SupplierFacts | None:
    row = await db.fetch_one("fetch_supplier", {"store_hash": store_hash, "id": supplier_id})
    if row is None:
        return None
    of = {"store_hash": store_hash, "id": supplier_id}
    contacts = {r["role"]: Contact(r["name"], r["email"]) for r in await db.fetch_all("supplier_contacts", of)}
    covers = await db.fetch_all("supplier_covers", of)
    papers = {r["item"]: r for r in await db.fetch_all("supplier_checklist", of)}
    agreement = papers.get(AGREEMENT)
    return SupplierFacts(
        id=row["id"],
        name=row["name"],
        state=row["state"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        registration=row["registration"],
        country=row["country"],
        language=row["language"],
        invited_at=row["invited_at"],
        signatory=contacts.get("signatory"),
        operations=contacts.get("operations"),
        covers=tuple(Cover(r["kind"], r["name"], r["ref"]) for r in covers),
        papers=tuple(_item(name, papers.get(name)) for name in ITEMS),
        term=row["term"],
        signed_term=agreement["term"] if agreement else 0,
        signed_until=agreement["expires_on"] if agreement else None,
        hide_all=row["hide_all"],
        hiding=row["hiding"],
        hidden=row["hidden"],
        products=row["impact"].get("products"),
    )


async def late_covers(db: Database, store_hash: str, supplier_id: int, now: datetime) -> list[Cover]:
    """Return what it covers that was not found in the store so far and has to be looked for (again)."""
    rows = await db.fetch_all("supplier_covers", {"store_hash": store_hash, "id": supplier_id})
    before = now - LOOK_AGAIN
    return [
        Cover(r["kind"], r["name"])
        for r in rows
        if not r["ref"] and (r["looked_at"] is None or r["looked_at"] < before)
    ]


async def save_covers(
    db: Database, store_hash: str, supplier_id: int, found: Mapping[Cover, int], now: datetime
) -> None:
    """Keep the numbers that covers have in the store; 0: not there."""
    for cover, ref in found.items():
        values = {"store_hash": store_hash, "id": supplier_id, "kind": cover.kind, "name": cover.name}
        await db.execute("find_supplier_cover", {**values, "ref": ref, "now": now})
    if any(found.values()):
        await _write_back(db, store_hash, supplier_id, now)


async def _write_back(db: Database, store_hash: str, supplier_id: int, now: datetime) -> None:
    """Have its brands and products say how its signature stands, where one was ever asked for."""
    record = supplier_record(supplier_id)
    if await db.fetch_val("was_supplier_asked", {"store_hash": store_hash, "id": record.id}):
        async with db.transaction():
            await queue_action(db, store_hash, ActionKind.WRITE_METAFIELDS, record, now)


def _item(name: str, row: Mapping[str, Any] | None) -> Item:
    if row is None:
        return Item(name)
    return Item(name, row["needed"], row["given_on"], row["expires_on"])


async def add_supplier(
    db: Database,
    store_hash: str,
    draft: Draft,
    *,
    invite: bool,
    author: int | str,
    now: datetime,
    today: date,
    refs: Iterable[Cover] = (),
    origin_key: str = "",
) -> int | None:
    """Write a supplier and have it looked at; None when there is one of this name, number or key.

    refs: covers found. author: a user's number, or who it was as the audit log names them. origin_key: of another
    system, the same for the same supplier.
    """
    (identity,) = identities(draft.name, draft.registration)
    async with db.transaction():
        values = {
            "store_hash": store_hash,
            "name": draft.name,
            "registration": draft.registration,
            "identity": identity,
            "country": draft.country,
            "language": draft.language,
            "invited_at": now if invite else None,
            "author": author if isinstance(author, int) else 0,
            "origin_key": origin_key,
            "now": now,
        }
        found = await db.fetch_val("add_supplier", values)
        if found is None:
            return None
        supplier_id = int(found)
        await _write_parts(db, store_hash, supplier_id, draft, refs)
        for item in ITEMS:
            until = dict(draft.papers).get(item)
            await save_paper(db, store_hash, supplier_id, Item(item, True, today if until else None, until))
        await _show(db, store_hash, supplier_id, now)
        await _told(db, store_hash, supplier_id, "supplier_added", author, now, {"invited": invite})
    return supplier_id


async def _show(db: Database, store_hash: str, supplier_id: int, now: datetime) -> None:
    """Give it a page at once: the worker's look follows."""
    facts = await fetch_supplier(db, store_hash, supplier_id)
    assert facts is not None
    of = {"store_hash": store_hash, "kind": SUPPLIER.name, "id": str(supplier_id), "now": now}
    await db.execute("see_record", of)
    kept = {"snapshot": SUPPLIER.snapshot(facts), **SUPPLIER.shown(facts)}
    label = SUPPLIER.brief(facts).label
    values = {**of, "label": label, "amount": None, "currency": None, "facts": kept, "trace": []}
    await db.execute("save_look", values)


async def change_supplier(
    db: Database, store_hash: str, supplier_id: int, draft: Draft, *, author: int | str, now: datetime
) -> bool:
    """Write what was typed; False when it is gone, or another supplier has this name or number."""
    (identity,) = identities(draft.name, draft.registration)
    async with db.transaction():
        values = {
            "store_hash": store_hash,
            "id": supplier_id,
            "name": draft.name,
            "registration": draft.registration,
            "identity": identity,
            "country": draft.country,
            "language": draft.language,
            "now": now,
        }
        if await db.fetch_val("change_supplier", values) is None:
            return False
        await _write_parts(db, store_hash, supplier_id, draft, ())
        await _write_back(db, store_hash, supplier_id, now)
        await _told(db, store_hash, supplier_id, "supplier_changed", author, now, {})
    return True


async def _write_parts(db: Database, store_hash: str, supplier_id: int, draft: Draft, refs: Iterable[Cover]) -> None:
    of = {"store_hash": store_hash, "id": supplier_id}
    for role, contact in (("signatory", draft.signatory), ("operations", draft.operations)):
        if contact is None:
            await db.execute("drop_supplier_contact", {**of, "role": role})
        else:
            await db.execute("put_supplier_contact", {**of, "role": role, "name": contact.name, "email": contact.email})
    known = {(c.kind, c.name): c.ref for c in refs}
    kinds, names = [c.kind for c in draft.covers], [c.name for c in draft.covers]
    await db.execute("keep_supplier_covers", {**of, "kinds": kinds, "names": names})
    found = [known.get((c.kind, c.name), 0) for c in draft.covers]
    await db.execute("add_supplier_covers", {**of, "kinds": kinds, "names": names, "refs": found})


async def save_paper(db: Database, store_hash: str, supplier_id: int, item: Item) -> None:
    values = {
        "store_hash": store_hash,
        "id": supplier_id,
        "item": item.name,
        "needed": item.needed,
        "given_on": item.given_on,
        "expires_on": item.expires_on,
    }
    await db.execute("put_supplier_paper", values)


async def change_papers(
    db: Database, store_hash: str, supplier_id: int, items: Sequence[Item], *, author: int | str, now: datetime
) -> None:
    """Write papers that staff ticked; the agreement's own line is written by its signature."""
    async with db.transaction():
        for item in items:
            await save_paper(db, store_hash, supplier_id, item)
        detail = {"papers": [item.name for item in items]}
        await _told(db, store_hash, supplier_id, "supplier_papers_changed", author, now, detail)


async def invite_supplier(
    db: Database, store_hash: str, supplier_id: int, *, hide_all: bool, author: int | str, now: datetime
) -> bool:
    """Have rules look at it from now on. hide_all: a person saw what hiding would do, and chose it."""
    values = {"store_hash": store_hash, "id": supplier_id, "hide_all": hide_all, "now": now}
    async with db.transaction():
        if await db.fetch_val("invite_supplier", values) is None:
            return False
        await _told(db, store_hash, supplier_id, "supplier_invited", author, now, {"hide_all": hide_all})
    return True


async def set_state(
    db: Database, store_hash: str, supplier_id: int, state: str, *, author: int | str, now: datetime
) -> bool:
    """Switch it active or inactive; False when it was so already. Call inside a transaction."""
    values = {"store_hash": store_hash, "id": supplier_id, "state": state, "now": now}
    if await db.fetch_val("set_supplier_state", values) is None:
        return False
    await _write_back(db, store_hash, supplier_id, now)
    event = "supplier_deactivated" if state == "inactive" else "supplier_activated"
    await _told(db, store_hash, supplier_id, event, author, now, {})
    return True


async def _told(
    db: Database,
    store_hash: str,
    supplier_id: int,
    event: str,
    author: int | str,
    now: datetime,
    detail: Mapping[str, Any],
) -> None:
    """author: a user's number, or who it was as the audit log names them."""
    record, actor = supplier_record(supplier_id), author if isinstance(author, str) else f"user:{author}"
    await audit.append(db, store_hash, now, actor=actor, event=event, record=record, detail=detail)
    await tell_noted(db, store_hash, event, record, now)
    await say_look(db, store_hash, record, now, source="panel")


# Lists ----------------------------------------------------------------------------------------------------


async def find_suppliers(
    db: Database, store_hash: str, *, q: str, scope: str, today: date, most: int, skip: int
) -> list[dict[str, Any]]:
    """Return a page of the list, by name; "total" of each row is the number without the page."""
    escaped = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {"store_hash": store_hash, "q": q, "pattern": f"%{escaped}%", "scope": scope}
    return await db.fetch_all("list_suppliers", {**values, "today": today, "most": most, "skip": skip})


async def supplier_counts(db: Database, store_hash: str, today: date) -> dict[str, int]:
    row = await db.fetch_one("supplier_counts", {"store_hash": store_hash, "today": today})
    return {name: int(row[name]) if row else 0 for name in SCOPES}


async def add_import(
    db: Database,
    store_hash: str,
    *,
    file_name: str,
    lines: Sequence[Line],
    invite: bool,
    author: int | str,
    now: datetime,
) -> int:
    """Keep a file's lines to be looked at; call inside a transaction."""
    values = {"store_hash": store_hash, "file_name": file_name, "invite": invite, "author": author, "now": now}
    import_id = int(await db.fetch_val("add_supplier_import", values))
    rows = [
        {
            "line": line.number,
            "given": dict(line.given),
            "state": "bad" if line.draft is None else "waiting",
            "sentence": line.problem,
        }
        for line in lines
    ]
    await db.execute("add_supplier_import_lines", {"store_hash": store_hash, "import_id": import_id, "lines": rows})
    return import_id


async def import_lines(
    db: Database, store_hash: str, import_id: int, *, state: str, most: int, skip: int = 0
) -> list[dict[str, Any]]:
    values = {"store_hash": store_hash, "import_id": import_id, "state": state, "most": most, "skip": skip}
    return await db.fetch_all("supplier_import_lines", values)


async def judge_line(
    db: Database,
    store_hash: str,
    import_id: int,
    line: int,
    state: str,
    sentence: str = "",
    refs: Iterable[Cover] = (),
    supplier_id: int | None = None,
) -> None:
    values = {
        "store_hash": store_hash,
        "import_id": import_id,
        "line": line,
        "state": state,
        "sentence": sentence,
        "refs": [[c.kind, c.name, c.ref] for c in refs],
        "supplier_id": supplier_id,
    }
    await db.execute("judge_supplier_line", values)


async def import_counts(db: Database, store_hash: str, import_id: int) -> dict[str, int]:
    rows = await db.fetch_all("supplier_import_counts", {"store_hash": store_hash, "import_id": import_id})
    return {r["state"]: int(r["n"]) for r in rows}


async def move_import(db: Database, store_hash: str, import_id: int, was: str, state: str, now: datetime) -> bool:
    values = {"store_hash": store_hash, "id": import_id, "was": was, "state": state, "now": now}
    return await db.fetch_val("move_supplier_import", values) is not None


# Hidden products ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hiding:
    """A supplier that keeps products hidden. channels: where; none for everywhere."""

    supplier_id: int
    what: str  # new | all
    channels: frozenset[int]
    since: datetime | None
    covers: tuple[Cover, ...]


async def hiding_suppliers(db: Database, store_hash: str) -> list[Hiding]:
    rows = await db.fetch_all("hiding_suppliers", {"store_hash": store_hash})
    return [
        Hiding(
            r["id"],
            r["hiding"],
            frozenset(r["hiding_on"]),
            r["invited_at"],
            tuple(Cover(kind, name, ref) for kind, name, ref in r["covers"]),
        )
        for r in rows
    ]


async def want_hidden(db: Database, store_hash: str, supplier_id: int, products: Collection[int]) -> list[int]:
    """Write down products that a supplier is to keep hidden; return those that were not known."""
    values = {"store_hash": store_hash, "id": supplier_id, "products": sorted(products)}
    return [int(r["product_id"]) for r in await db.fetch_all("want_hidden", values)]


def places(rows: Iterable[Mapping[str, Any]]) -> dict[int, set[int]]:
    """Return product -> where we switched it off, of remembered rows."""
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row["product_id"], set()).add(row["channel_id"])
    return found


def columns(changes: Mapping[int, Iterable[int]]) -> dict[str, list[int]]:
    """Return the pairs of product and place as two columns, as queries take them."""
    pairs = [(product, place) for product, where in sorted(changes.items()) for place in sorted(where)]
    return {"products": [p for p, _ in pairs], "channels": [c for _, c in pairs]}
