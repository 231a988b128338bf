"""Suppliers: who they are, what they sell, and whether their papers are in order today."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.suppliers import Draft, Item, identities, is_complete, read_draft
from bcapp.db.actions import queue_action
from bcapp.db.suppliers import (
    add_supplier,
    change_papers,
    change_supplier,
    fetch_supplier,
    invite_supplier,
    set_state,
    supplier_record,
)
from bcapp.web.api.door import Call, Query, Refused, cursor, operation
from bcapp.web.api.shapes import Moment, Page, Shape


class PaperOut(Shape):
    item: str = Field(description="agreement, insurance or tax_form")
    needed: bool
    state: str = Field(description="missing, good, ending (soon), ended or not_needed")
    given_on: date | None
    expires_on: date | None = Field(description="The last day on which it counts; null for good.")


class SupplierOut(Shape):
    id: int
    name: str
    registration: str
    country: str
    language: str
    state: str = Field(description="active or inactive")
    complete: bool = Field(description="Nothing that is needed is missing or has ended today.")
    signed: bool = Field(description="The agreement that was signed last counts today.")
    invited_at: Moment | None
    created_at: Moment
    modified_at: Moment


class ContactOut(Shape):
    role: str = Field(description="signatory or operations")
    name: str
    email: str


class CoverOut(Shape):
    kind: str = Field(description="brand, category or product")
    name: str = Field(description="As it was typed; a product's SKU.")


class SupplierDetail(SupplierOut):
    papers: tuple[PaperOut, ...]
    contacts: tuple[ContactOut, ...]
    covers: tuple[CoverOut, ...]
    hiding: str = Field(description="Which of its products are hidden now: empty for none, new or all.")


# Text of a body: no line ends or other control characters.
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Names = Annotated[tuple[Line, ...], Field(max_length=200)]


class ContactIn(Shape):
    name: Line
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00-\x20\x7f]*$")]


class SupplierIn(Shape):
    """What is known of a supplier. No bank data is taken, in no field."""

    name: Line
    registration: Line = ""
    country: Line = Field(default="", description="Two letters, such as DE.")
    language: Line = Field(default="en", description="Of the agreement and the mails.")
    signatory: ContactIn | None = None
    operations: ContactIn | None = None
    brands: Names = ()
    categories: Names = Field(default=(), description="With everything below them. A path tells two apart: A > B.")
    products: Names = Field(default=(), description="By SKU.")


class NewSupplierIn(SupplierIn):
    invite: bool = Field(default=False, description="Have the rules look at it, which ask it to sign.")
    key: Annotated[str, Field(max_length=100, pattern=r"^[\x21-\x7e]*$")] = Field(
        default="", description="Yours: the same key again is the same supplier, so that a call can be repeated."
    )


class PaperIn(Shape):
    item: Literal["insurance", "tax_form"]
    needed: bool = True
    given_on: date | None = None
    expires_on: date | None = Field(default=None, description="The last day on which it counts.")


class PapersIn(Shape):
    papers: Annotated[tuple[PaperIn, ...], Field(min_length=1, max_length=10)]


class StateIn(Shape):
    state: Literal["active", "inactive"]


def _shape(facts: SupplierFacts, today: date) -> dict[str, Any]:
    same = ("id", "name", "registration", "country", "language", "state", "invited_at", "created_at", "modified_at")
    return {
        **{name: getattr(facts, name) for name in same},
        "complete": is_complete(facts.papers, today),
        "signed": facts.holds_on(today),
    }


def _today(call: Call) -> date:
    return call.now.astimezone(zone_for(call.store.timezone)).date()


@operation(
    "GET",
    "/suppliers",
    summary="List suppliers",
    answers=SupplierOut,
    pages=True,
    query=(Query("state", "Only those in this state.", allowed=("active", "inactive")),),
)
async def list_suppliers(call: Call) -> Page[SupplierOut]:
    """Every supplier of the store, the newest first."""
    db, store_hash, today = call.services.db, call.store.hash, _today(call)
    values = {"store_hash": store_hash, "before": call.before(), "state": call.values.get("state") or ""}
    rows = await db.fetch_all("api_suppliers", {**values, "size": call.limit + 1})
    shown = [row["id"] for row in rows[: call.limit]]
    found = [await fetch_supplier(db, store_hash, number) for number in shown]
    return Page[SupplierOut](
        data=[SupplierOut(**_shape(facts, today)) for facts in found if facts is not None],
        next=cursor(str(shown[-1])) if len(rows) > call.limit else None,
    )


async def _detail(call: Call, supplier_id: int) -> SupplierDetail:
    facts, today = await fetch_supplier(call.services.db, call.store.hash, supplier_id), _today(call)
    if facts is None:
        raise Refused(404, "There is no supplier with this id.")
    contacts = (("signatory", facts.signatory), ("operations", facts.operations))
    return SupplierDetail(
        **_shape(facts, today),
        papers=tuple(
            PaperOut(item=p.name, needed=p.needed, state=p.state(today), given_on=p.given_on, expires_on=p.expires_on)
            for p in facts.papers
        ),
        contacts=tuple(ContactOut(role=role, name=c.name, email=c.email) for role, c in contacts if c is not None),
        covers=tuple(CoverOut(kind=c.kind, name=c.name) for c in facts.covers),
        hiding=facts.hiding,
    )


@operation("GET", "/suppliers/{id}", summary="Read one supplier", answers=SupplierDetail)
async def read_supplier(call: Call) -> SupplierDetail:
    """One supplier with its papers, its contacts and what it sells."""
    return await _detail(call, call.id())


# Writing ------------------------------------------------------------------------------------------------------


def _draft(asked: SupplierIn) -> Draft:
    """Return what the panel's form would read of the same values; Refused names the field that is wrong."""
    covers = {"brands": asked.brands, "categories": asked.categories, "products": asked.products}
    cells = {name: getattr(asked, name) for name in ("name", "registration", "country", "language")}
    cells |= {column: "\n".join(names) for column, names in covers.items()}
    for role, contact in (("signatory", asked.signatory), ("operations", asked.operations)):
        cells |= {f"{role}_name": contact.name if contact else "", f"{role}_email": contact.email if contact else ""}
    if any("|" in name for names in covers.values() for name in names):
        raise Refused(400, "brands, categories, products: each name is an entry of its own, without “|”.")
    draft, wrong = read_draft(cells)
    if draft is None:
        field, sentence = next(iter(wrong.items()))
        raise Refused(400, f"{field}: {sentence}")
    return draft


async def _written(call: Call, supplier_id: int) -> SupplierDetail:
    """Have it counted what hiding would do, as the panel does. Call inside a transaction."""
    record = supplier_record(supplier_id)
    await queue_action(call.services.db, call.store.hash, ActionKind.COUNT_PRODUCTS, record, call.now)
    return await _detail(call, supplier_id)


@operation("POST", "/suppliers", summary="Add a supplier", answers=SupplierDetail, takes=NewSupplierIn, role="write",
           status=201)  # fmt: skip
async def add_new_supplier(call: Call) -> SupplierDetail:
    """Add a supplier. Invited, the rules look at it and it is asked to sign; nothing is hidden by this call."""
    asked: NewSupplierIn = call.body
    draft, db, store_hash = _draft(asked), call.services.db, call.store.hash
    if asked.invite and draft.signatory is None:
        raise Refused(400, "signatory: without it nobody can be asked. Name it, or leave `invite` out.")
    async with db.transaction():
        supplier_id = await add_supplier(
            db, store_hash, draft,
            invite=asked.invite, author=call.bearer.actor, now=call.now, today=_today(call), origin_key=asked.key,
        )  # fmt: skip
        if supplier_id is not None:
            return await _written(call, supplier_id)
        known = await db.fetch_one("supplier_of_key", {"store_hash": store_hash, "origin_key": asked.key})
    if known is None:
        raise Refused(409, "There is a supplier with this name or registration number already. Change that one.")
    if known["identity"] not in identities(draft.name, draft.registration):
        raise Refused(409, "This `key` added another supplier before. Give each supplier a key of its own.")
    return await _detail(call, int(known["id"]))


@operation("PUT", "/suppliers/{id}", summary="Change a supplier", answers=SupplierDetail, takes=SupplierIn,
           role="write")  # fmt: skip
async def replace_supplier(call: Call) -> SupplierDetail:
    """Write what is known of a supplier, whole: what is left out is taken away. Its papers and state stay."""
    before, db, store_hash = await _detail(call, call.id()), call.services.db, call.store.hash
    draft = _draft(call.body)
    if draft.signatory is None and before.invited_at is not None:
        raise Refused(422, "Who signs is missing: the supplier is invited.")
    async with db.transaction():
        if not await change_supplier(db, store_hash, before.id, draft, author=call.bearer.actor, now=call.now):
            raise Refused(409, "Another supplier has this name or registration number.")
        return await _written(call, before.id)


@operation("POST", "/suppliers/{id}/papers", summary="Enter papers", answers=SupplierDetail, takes=PapersIn,
           role="write")  # fmt: skip
async def enter_papers(call: Call) -> SupplierDetail:
    """Enter which papers are there and until when; those that are not named stay. The agreement's days are its own."""
    asked: PapersIn = call.body
    supplier = await _detail(call, call.id())
    if len({paper.item for paper in asked.papers}) < len(asked.papers):
        raise Refused(400, "papers: name each paper once.")
    items = [
        Item(p.item, p.needed, p.given_on or (_today(call) if p.expires_on else None), p.expires_on)
        for p in asked.papers
    ]
    await change_papers(call.services.db, call.store.hash, supplier.id, items, author=call.bearer.actor, now=call.now)
    return await _detail(call, supplier.id)


@operation("POST", "/suppliers/{id}/invite", summary="Invite a supplier", answers=SupplierDetail, role="write")
async def invite(call: Call) -> SupplierDetail:
    """Have the rules look at a supplier from now on; again it changes nothing. What it sells already is not hidden."""
    supplier = await _detail(call, call.id())
    if supplier.invited_at is not None:
        return supplier
    if supplier.state != "active":
        raise Refused(422, "The supplier is deactivated. Activate it first.")
    if not any(contact.role == "signatory" for contact in supplier.contacts):
        raise Refused(422, "Who signs is missing. Name the signatory first.")
    await invite_supplier(
        call.services.db, call.store.hash, supplier.id, hide_all=False, author=call.bearer.actor, now=call.now
    )
    return await _detail(call, supplier.id)


@operation("POST", "/suppliers/{id}/state", summary="Switch a supplier on or off", answers=SupplierDetail,
           takes=StateIn, role="write")  # fmt: skip
async def switch_supplier(call: Call) -> SupplierDetail:
    """Deactivate a supplier or activate it again. Its products stay as they are; hiding them is chosen in the panel."""
    asked: StateIn = call.body
    supplier = await _detail(call, call.id())
    async with call.services.db.transaction():
        await set_state(
            call.services.db, call.store.hash, supplier.id, asked.state, author=call.bearer.actor, now=call.now
        )
    return await _detail(call, supplier.id)


OPERATIONS = [
    list_suppliers,
    read_supplier,
    add_new_supplier,
    replace_supplier,
    enter_papers,
    invite,
    switch_supplier,
]
