"""Papers on their way: a party or staff hands one in, staff accept it with its last day or refuse it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.kinds.company import COMPANY
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.model import RecordKey
from bcapp.core.notices import NoticeKind
from bcapp.core.papers import LABELS, PaperEvent, PaperState
from bcapp.core.suppliers import SOON_DAYS, Item
from bcapp.db import Database, audit, papers, suppliers
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import say_look
from bcapp.db.stores import Store
from bcapp.db.suppliers import supplier_record
from bcapp.jobs.asking import ask_person
from bcapp.jobs.notices import notify_paper
from bcapp.secrets import DataKey
from bcapp.services import Services

PDF = "application/pdf"
LOOKED_LATELY = timedelta(hours=12)
MOST_LOOKS = 200


def _task(name: str) -> str:
    return f"paper_uploaded:{name}"


async def hand_in(
    db: Database,
    key: DataKey,
    store_hash: str,
    record: RecordKey,
    *,
    name: str,
    content: bytes,
    media: str,
    by: int,
    request_id: int | None,
    now: datetime,
) -> int | None:
    """Keep a file, and put it before a person when the party (by 0) sent it. None: one came in the same moment."""
    async with db.transaction():
        paper_id = await papers.add_paper(
            db, key, store_hash, record, name=name, content=content, media=media, by=by, request_id=request_id, now=now
        )
        if paper_id is None:
            return None
        if not by:
            text = (
                f"{record.kind.replace('_', ' ').capitalize()} {record.id}: a paper was uploaded "
                f"({LABELS.get(name, name).lower()}). Look at it on that page, then accept it with its last day or "
                "refuse it."
            )
            await ask_person(db, store_hash, record, now, kind=_task(name), text=text)
        await audit.append(
            db, store_hash, now, actor=f"user:{by}" if by else "signer", event="paper_added", record=record,
            request_id=request_id, detail={"paper": paper_id, "name": name},
        )  # fmt: skip
    return paper_id


async def accept(
    db: Database, store: Store, facts: SupplierFacts, paper_id: int, *, expires_on: date | None, by: int, now: datetime
) -> bool:
    """Have a waiting paper of a supplier count from the day it came; False when it does not wait any more."""
    record = supplier_record(facts.id)
    async with db.transaction():
        row = await _let_count(db, store.hash, record, paper_id, expires_on=expires_on, by=by, now=now)
        if row is None:
            return False
        given_on = row["uploaded_at"].astimezone(zone_for(store.timezone)).date()
        needed = next((p.needed for p in facts.papers if p.name == row["name"]), True)
        item = Item(row["name"], needed, given_on, expires_on)
        await suppliers.change_papers(db, store.hash, facts.id, [item], author=by, now=now)
    return True


async def accept_of_applicant(
    db: Database, store_hash: str, record: RecordKey, paper_id: int, *, expires_on: date | None, by: int, now: datetime
) -> bool:
    """Have a waiting paper of a company or a customer count; an approval that waited for it goes on."""
    async with db.transaction():
        row = await _let_count(db, store_hash, record, paper_id, expires_on=expires_on, by=by, now=now)
        if row is None:
            return False
        if record.kind == COMPANY.name and row["media"] == PDF:
            # B2B Edition takes PDFs only, as far as is known.
            payload = {"paper": paper_id}
            await queue_action(db, store_hash, ActionKind.ATTACH_TO_COMPANY, record, now, payload=payload)
        await say_look(db, store_hash, record, now, source="panel")
    return True


async def _let_count(
    db: Database, store_hash: str, record: RecordKey, paper_id: int, *, expires_on: date | None, by: int, now: datetime
) -> dict[str, Any] | None:
    """Accept a paper instead of the one that counted before; return its row, None when it does not wait any more."""
    row = await db.fetch_one("fetch_handed_in", {"store_hash": store_hash, "id": paper_id})
    if row is None:
        return None
    of = {"store_hash": store_hash, "kind": record.kind, "id": record.id, "name": row["name"]}
    if await db.fetch_val("current_paper", {**of, "state": PaperState.WAITING}) != paper_id:  # locked from here on
        return None
    old = await db.fetch_val("current_paper", {**of, "state": PaperState.ACCEPTED})
    if old is not None:
        await papers.move(db, store_hash, int(old), PaperState.ACCEPTED, PaperEvent.NEWER, now=now)
    moved = await papers.move(
        db, store_hash, paper_id, PaperState.WAITING, PaperEvent.ACCEPT, now=now, by=by, expires_on=expires_on
    )
    if not moved:
        return None
    await _judged(db, store_hash, record, paper_id, row["name"], "paper_accepted", by, now)
    return row


async def look_at_ending(services: Services) -> None:
    """Have the accounts looked at whose papers end soon, or ended just now: twice a day each."""
    now, db = services.clock.now(), services.db
    days = {"past": now.date() - timedelta(days=3), "soon": now.date() + timedelta(days=SOON_DAYS)}
    for row in await db.fetch_all(
        "applicants_with_ending_papers", {**days, "before": now - LOOKED_LATELY, "most": MOST_LOOKS}
    ):
        record = RecordKey(row["record_kind"], row["record_id"])
        await say_look(db, row["store_hash"], record, now, source="sweep", topic="papers")


async def refuse(
    services: Services, store_hash: str, record: RecordKey, paper_id: int, *, why: str, by: int, now: datetime
) -> bool:
    """Refuse a waiting paper, with a word that the party reads on its page and in a mail; its file is deleted."""
    db = services.db
    async with db.transaction():
        row = await db.fetch_one("fetch_handed_in", {"store_hash": store_hash, "id": paper_id})
        if row is None or not await papers.move(
            db, store_hash, paper_id, PaperState.WAITING, PaperEvent.REFUSE, now=now, by=by, why=why
        ):
            return False
        await _judged(db, store_hash, record, paper_id, row["name"], "paper_refused", by, now)
        if row["request_id"] is not None:
            await notify_paper(services, store_hash, NoticeKind.PAPER_REFUSED, row["request_id"], paper_id, now)
    return True


async def tell_ending(services: Services) -> None:
    """Have those told once whose papers end soon, where they sent them from a request's page."""
    now, db = services.clock.now(), services.db
    days = {"today": now.date(), "soon": now.date() + timedelta(days=SOON_DAYS)}
    for row in await db.fetch_all("papers_ending_untold", {**days, "most": MOST_LOOKS}):
        async with db.transaction():
            await notify_paper(services, row["store_hash"], NoticeKind.PAPER_ENDS, row["request_id"], row["id"], now)


async def _judged(
    db: Database, store_hash: str, record: RecordKey, paper_id: int, name: str, event: str, by: int, now: datetime
) -> None:
    of = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id, "request_id": None}
    await db.execute("settle_tasks", {**of, "kinds": [_task(name)], "now": now})
    await audit.append(
        db, store_hash, now, actor=f"user:{by}", event=event, record=record, detail={"paper": paper_id, "name": name}
    )
