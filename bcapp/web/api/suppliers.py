"""Suppliers: who they are, what they sell, and whether their papers are in order today."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from bcapp.core.formats import zone_for
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.suppliers import is_complete
from bcapp.db.suppliers import fetch_supplier
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


@operation("GET", "/suppliers/{id}", summary="Read one supplier", answers=SupplierDetail)
async def read_supplier(call: Call) -> SupplierDetail:
    """One supplier with its papers, its contacts and what it sells."""
    facts, today = await fetch_supplier(call.services.db, call.store.hash, call.id()), _today(call)
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


OPERATIONS = [list_suppliers, read_supplier]
