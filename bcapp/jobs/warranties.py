"""Registering warranties: from a signed request, from a form on paper, and asking for the next term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time

from bcapp.bigcommerce.facts import Needs
from bcapp.core.formats import zone_for
from bcapp.core.inputs import typed_inputs
from bcapp.core.intents import AskPerson, Intent, Note
from bcapp.core.model import Gone, LineItem, OrderFacts, RecordKey, SignatureRequest
from bcapp.core.release import ENDED
from bcapp.core.rules import parse_definition
from bcapp.core.warranties import (
    CoverTable,
    Piece,
    Serials,
    State,
    Terms,
    clean_serial,
    covered_items,
    pieces_of,
    renew_on,
    serial_key,
    term,
    with_typed,
)
from bcapp.db import warranties
from bcapp.db.deliveries import say_command
from bcapp.db.warranties import Buyer, Days, Source
from bcapp.errors import RefusedByUs
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.rounds import Round, Swept
from bcapp.workflows.protocol import Command
from bcapp.workflows.warranty import SLUG, terms_for

CATALOG = Needs(catalog=True)
RENEWALS_AT_ONCE = 100
NOON = time(12)


async def cover_of(work: Work, request: SignatureRequest, facts: OrderFacts) -> CoverTable:
    """Return what a request's document shows of the cover; RefusedByUs when nothing is covered any more."""
    terms, _ = await _terms(work, request.rule_id, request.rule_version)
    known = await warranties.known_serials(work.services.db, work.store.hash, request.record.id)
    pieces = pieces_of(covered_items(facts, terms), terms.serials, known)
    if not pieces:
        raise RefusedByUs("Nothing of this order is covered by the rule any more. Look at the rule, then ask again.")
    earlier = await warranties.registrations_of(work.services.db, work.store.hash, request.record.id)
    own = [r for r in earlier if r.rule_id == request.rule_id and r.request_id != request.id]
    starts, ends = term(terms, facts, own, request.created_at, zone_for(work.store.timezone))
    return CoverTable(pieces, terms.serials, starts, ends)


async def _terms(work: Work, rule_id: int, version: int) -> tuple[Terms, int]:
    """Return what a version of a rule covers (0: the newest), and that version; the usual terms without a rule."""
    if not rule_id:
        return Terms(), 0
    of = {"store_hash": work.store.hash, "rule_id": rule_id}
    if not version:
        rows = await work.services.db.fetch_all("warranty_rules", {"store_hash": work.store.hash})
        version = next((r["version"] for r in rows if r["id"] == rule_id), 0)
    row = await work.services.db.fetch_one("fetch_rule_definition_version", {**of, "version": version})
    return (terms_for(parse_definition(row["definition"])), version) if row else (Terms(), version)


# What was signed ------------------------------------------------------------------------------------------


async def register_warranty(work: Work) -> Outcome:
    """Put what a request came to into the register: every covered piece, activated or not."""
    if work.action.payload.get("paper"):
        return await _register_paper(work, int(work.action.payload["paper"]))
    request, why = await work.request(), str(work.action.payload.get("why", ""))
    if request.simulated:
        return skipped("A test registers nothing.", look=False)
    facts = await work.read(days=1, needs=CATALOG)
    if isinstance(facts, Gone):
        return skipped("The order does not exist any more.", look=False)
    terms, version = await _terms(work, request.rule_id, request.rule_version)
    if why:
        source = Source(str(facts.id), request.rule_id, version, request.id)
        pieces = pieces_of(covered_items(facts, terms), terms.serials)
        state = State.NOT_ACTIVATED
        added = await _add(work, source, facts, terms, pieces, request.created_at, state=state, why=why)
        return Outcome(intents=(Note("warranty_not_activated", request.id, {"registrations": added}),), look=False)
    typed = {t.external_id: t.raw for t in typed_inputs(request)}
    # What was typed for a piece that came back meanwhile is registered too: what is left is decided with all in view.
    asked = {f.external_id.split("_")[1] for f in request.fields if f.external_id.startswith("serial_")}
    items = [replace(i, quantity_refunded=0) if str(i.id) in asked else i for i in covered_items(facts, terms)]
    pieces = with_typed(await _shaped(work, items, terms), typed)
    source = Source(str(facts.id), request.rule_id, version, request.id)
    added = await _add(work, source, facts, terms, pieces, request.created_at)
    noted = Note("warranty_registered", request.id, {"registrations": added})
    return Outcome(intents=(noted, *await _doubts(work, pieces)), left_as={"registrations": len(pieces)})


async def _shaped(work: Work, items: Sequence[LineItem], terms: Terms) -> tuple[Piece, ...]:
    """Return the pieces as the document had them, without the numbers of a file: those fill what is left empty."""
    known = await warranties.known_serials(work.services.db, work.store.hash, work.action.record.id)
    return tuple(replace(p, serial="") for p in pieces_of(items, terms.serials, known))


async def _add(
    work: Work,
    source: Source,
    facts: OrderFacts,
    terms: Terms,
    pieces: Sequence[Piece],
    asked_at: datetime,
    *,
    state: State = State.ACTIVE,
    why: str = "",
    serial_from: str = "signer",
) -> int:
    """Register the pieces in one transaction; return how many are new."""
    db, store, now = work.services.db, work.store, work.services.clock.now()
    zone = zone_for(store.timezone)
    earlier = await warranties.registrations_of(db, store.hash, source.order_id)
    own = [
        r for r in earlier
        if r.rule_id == source.rule_id and (r.request_id, r.paper_id) != (source.request_id, source.paper_id)
    ]  # fmt: skip
    starts, ends = term(terms, facts, own, asked_at, zone)
    # A form on paper has no request that could be asked again.
    renew = renew_on(ends, terms.renew_days) if source.request_id else None
    billing, key = facts.billing, await work.data_key()
    buyer = Buyer(billing.name or billing.company, billing.email, billing.phone)
    async with db.transaction():
        added = await warranties.register(
            db, store.hash, source, pieces, terms.cover, Days(starts, ends, renew), buyer, key, now,
            state=state, state_why=why, serial_from=serial_from,
        )  # fmt: skip
        if state is State.ACTIVE:
            today, renewed = now.astimezone(zone).date(), any(r.renewal_asked for r in own)
            items = [p.item_id for p in pieces]
            await warranties.replace_earlier(db, store.hash, source, items, today, renewed=renewed)
            await warranties.fill_serials(db, store.hash, [source.order_id])
    return added


async def _doubts(work: Work, pieces: Sequence[Piece]) -> tuple[Intent, ...]:
    """Return the task that a serial number makes which runs in another order already."""
    other = await warranties.serial_elsewhere(work.services.db, work.store.hash, work.action.record.id, pieces)
    if not other:
        return ()
    text = f"{work.named}: a serial number of its registration is registered for order {other} too. Look at both."
    return (AskPerson("serial_twice", text, work.action.request_id),)


# What was signed on paper ---------------------------------------------------------------------------------


async def _register_paper(work: Work, paper_id: int) -> Outcome:
    """Register what a form on paper is about, or tell why that cannot be."""
    db, hash_ = work.services.db, work.store.hash
    paper = await db.fetch_one("fetch_paper", {"store_hash": hash_, "id": paper_id})
    if paper is None or paper["state"] == "refused" or paper["order_id"] != work.action.record.id:
        return skipped("The form is not waiting.", look=False)
    facts = await work.read(days=1, needs=CATALOG)
    if isinstance(facts, Gone):
        return await _refuse(work, paper_id, "the store has no order of this number")
    if facts.status_id in ENDED:
        return await _refuse(work, paper_id, "the order was cancelled or refunded")
    terms, version = await _terms(work, paper["rule_id"], 0)
    serials = [s for line in paper["serials"].splitlines() if (s := clean_serial(line)) and serial_key(s)]
    items = covered_items(facts, terms)
    numbered = Serials.OPTIONAL if serials and terms.serials is Serials.NONE else terms.serials
    pieces = pieces_of(items, numbered)
    room = [p for p in pieces if p.number]
    if not pieces:
        return await _refuse(work, paper_id, "none of its products is covered by the rule")
    if len(serials) > len(room):
        why = f"it names {len(serials)} serial numbers, and {len(room)} pieces are covered"
        return await _refuse(work, paper_id, why)
    given = {p.external_id: s for p, s in zip(room, serials, strict=False)}
    pieces = with_typed(pieces, given)
    source = Source(str(facts.id), paper["rule_id"], version, 0, paper_id)
    signed = datetime.combine(paper["signed_on"], NOON, zone_for(work.store.timezone))
    added = await _add(work, source, facts, terms, pieces, signed, serial_from="staff")
    await db.execute("end_paper", {"store_hash": hash_, "id": paper_id, "state": "registered", "why": ""})
    noted = Note("paper_registered", None, {"paper": paper_id, "registrations": added})
    return Outcome(intents=(noted, *await _doubts(work, pieces)), left_as={"registrations": len(pieces)})


async def _refuse(work: Work, paper_id: int, why: str) -> Outcome:
    values = {"store_hash": work.store.hash, "id": paper_id, "state": "refused", "why": why}
    await work.services.db.execute("end_paper", values)
    text = f"{work.named}: the form on paper was not registered, because {why}. Correct it, then register it again."
    return skipped(f"Not registered: {why}.", AskPerson("paper_refused", text), look=False)


# The next term --------------------------------------------------------------------------------------------


async def ask_renewals(of: Round) -> Swept:
    """Have the next term asked of everybody whose cover ends soon, each once."""
    db, store = of.services.db, of.store
    today = of.now.astimezone(zone_for(store.timezone)).date()
    due = await db.fetch_all(
        "renewals_due", {"store_hash": store.hash, "today": today, "most": RENEWALS_AT_ONCE}
    )  # the rest follows with the next round
    for row in due:
        ends = row["ends_on"]
        why = f"The next term: the one before ends on {ends.day} {ends:%B %Y}."
        command = Command("renew", 0, why, row["request_id"], workflow=SLUG)
        async with db.transaction():
            noted = {"store_hash": store.hash, "request_id": row["request_id"], "now": of.now}
            if await db.fetch_val("note_renewal", noted) is not None:
                record = RecordKey("order", row["order_id"])
                await say_command(db, of.services.secrets, store.hash, record, command, of.now)
    return of.now, {"asked": len(due)}
