"""Suppliers as rules see them. They stand in the app's own tables: BigCommerce knows none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.merge import MergeField, Source
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.stored import codec_of
from bcapp.core.suppliers import AGREEMENT, Contact, Cover, Item, is_complete

COVER_WORDS = {"brand": "Brand", "category": "Category", "product": "Product"}
STATE_WORDS = {
    "missing": "Missing", "good": "There", "ending": "Ends soon", "ended": "Ended", "not_needed": "Not needed",
}  # fmt: skip


@dataclass(frozen=True)
class SupplierFacts:
    """A supplier as kept. term: which agreement is wanted now; signed_term: which was signed last, 0 for none.

    signed_until: the last day of the agreement that was signed; None for one without an end, or none at all.
    hiding: which of its products are hidden now, "" | new | all. products: how many it covers, as last counted.
    """

    id: int
    name: str
    state: str  # active | inactive
    created_at: datetime
    modified_at: datetime
    registration: str = ""
    country: str = ""  # ISO 3166 alpha-2
    language: str = "en"
    invited_at: datetime | None = None
    signatory: Contact | None = None
    operations: Contact | None = None
    covers: tuple[Cover, ...] = ()
    papers: tuple[Item, ...] = ()
    term: int = 1
    signed_term: int = 0
    signed_until: date | None = None
    hide_all: bool = False
    hiding: str = ""
    hidden: int = 0
    products: int | None = None
    unread: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        return f"Supplier {self.id}"

    @property
    def since(self) -> datetime:
        """From when on rules look at it."""
        return self.invited_at or self.created_at

    def holds_on(self, today: date) -> bool:
        """Return whether the agreement signed last still counts on that day."""
        return self.signed_term > 0 and (self.signed_until is None or today <= self.signed_until)


def _names(facts: SupplierFacts, kind: str) -> frozenset[str]:
    return frozenset(c.name for c in facts.covers if c.kind == kind)


def _domain(facts: SupplierFacts, _argument: str, _: Reading) -> frozenset[str] | Unknown:
    domain = facts.signatory.email.rpartition("@")[2] if facts.signatory else ""
    return frozenset({domain}) if domain else Unknown("the supplier has no signatory")


def _products(facts: SupplierFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown("its products were not counted yet") if facts.products is None else Decimal(facts.products)


def _papers(facts: SupplierFacts, _argument: str, reading: Reading) -> bool:
    today = reading.now.astimezone(reading.zone).date()
    return is_complete((p for p in facts.papers if p.name != AGREEMENT), today)


FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("country", FieldType.COUNTRY, "Country", "Of the supplier.", "DE",
              lambda s, a, r: frozenset({s.country} if s.country else ())),
        Field("brand", FieldType.LIST, "Brand", "Any of the brands that it supplies, by name.", "Northfield",
              lambda s, a, r: _names(s, "brand")),
        Field("category", FieldType.LIST, "Category", "Any of the categories that it supplies, as entered.", "Tents",
              lambda s, a, r: _names(s, "category")),
        Field("products", FieldType.NUMBER, "Products", "How many products it covers, as last counted.", "10",
              _products),
        Field("name", FieldType.TEXT, "Name", "Of the supplier.", "Northfield", lambda s, a, r: s.name),
        Field("registration", FieldType.TEXT, "Registration number", "Of the company.", "HRB 1234",
              lambda s, a, r: s.registration),
        Field("signatory_domain", FieldType.CHOICE, "E-mail domain of the signatory", "What stands behind the @.",
              "northfield.example", _domain),
        Field("papers_complete", FieldType.FLAG, "Papers are complete", "Insurance and tax form are there and count.",
              "", _papers),
        Field("renewal", FieldType.FLAG, "Renewal", "It signed before, and its agreement is due again.", "",
              lambda s, a, r: s.term > 1),
    )
}  # fmt: skip


def _out_of_scope(facts: SupplierFacts, channels: frozenset[int]) -> OutOfScope | None:
    if facts.state != "active":
        return OutOfScope("not_placed", "The supplier is deactivated.")
    if facts.invited_at is None:
        return OutOfScope("not_placed", "The supplier was added without an invitation. Invite it on its page.")
    return None


def _created_at(facts: SupplierFacts) -> datetime:
    return facts.since


def _brief(facts: SupplierFacts) -> Brief:
    return Brief(f"{facts.label}, {facts.name}", facts.modified_at, str(facts.id), facts.signatory is not None)


def supplier_1(facts: SupplierFacts) -> dict[str, Any]:
    """Who the other party is, and which term is signed for.

    Contacts, papers and what it supplies are not material: one agreement holds for all of it.
    """
    return {
        "name": facts.name,
        "registration": facts.registration,
        "country": facts.country,
        "term": facts.term,
    }


def _shown(facts: SupplierFacts) -> dict[str, Any]:
    return {
        "state": facts.state,
        "invited_at": facts.invited_at.isoformat() if facts.invited_at else None,
        "signed_term": facts.signed_term,
        "signed_until": facts.signed_until.isoformat() if facts.signed_until else None,
        "hiding": facts.hiding,
        "hidden": facts.hidden,
        "products": facts.products,
    }


def _country(source: Source) -> str:
    return str(source.locale.territories.get(source.facts.country, source.facts.country))


def _covers(source: Source) -> str:
    return "\n".join(f"{COVER_WORDS[c.kind]}: {c.name}" for c in source.facts.covers)


def sheet(source: Source) -> Sheet:
    """Return what an approver or a signer sees: the company, what it supplies, its papers."""
    s: SupplierFacts = source.facts
    today = source.made_at.date()
    facts = [
        ("Supplier", s.name),
        ("Number", str(s.id)),
        ("Registration number", s.registration or "–"),
        ("Country", _country(source) or "–"),
        ("Signatory", s.signatory.name if s.signatory else "–"),
        ("Agreement", f"Renewal, term {s.term}" if s.term > 1 else "First agreement"),
    ]
    if s.products is not None:
        facts.append(("Products covered", str(s.products)))
    covered = tuple((COVER_WORDS[c.kind], c.name) for c in s.covers)
    papers = tuple(
        (p.label, STATE_WORDS[p.state(today)], p.expires_on.isoformat() if p.expires_on else "–") for p in s.papers
    )
    tables = [SheetTable("What it supplies", ("Kind", "Name"), covered)] if covered else []
    tables += [SheetTable("Papers", ("Paper", "State", "Until"), papers)] if papers else []
    return Sheet(tuple(facts), party=s.name, tables=tuple(tables))


_MERGE = partial(MergeField, kind="supplier")
MERGE = (
    _MERGE("supplier.name", "Name of the supplier", "Northfield Gear GmbH", lambda s: s.facts.name),
    _MERGE("supplier.id", "Number of the supplier", "12", lambda s: str(s.facts.id)),
    _MERGE("supplier.registration", "Registration number", "HRB 1234", lambda s: s.facts.registration),
    _MERGE("supplier.country", "Country of the supplier", "Germany", _country),
    _MERGE(
        "supplier.signatory",
        "Who signs for the supplier",
        "Ann Lee",
        lambda s: s.facts.signatory.name if s.facts.signatory else "",
    ),
    _MERGE("supplier.term", "Term of the agreement", "1", lambda s: str(s.facts.term)),
    _MERGE("supplier.covers", "What it supplies", "Brand: Northfield\nCategory: Tents", _covers, many=True),
)


SUPPLIER = Kind(
    "supplier",
    "Supplier",
    "Suppliers",
    "When a supplier is invited",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(SupplierFacts),
    brief=_brief,
    material={1: supplier_1},
    merge=MERGE,
    sheet=sheet,
    shown=_shown,
    signer="the supplier",
    is_remote=False,
    has_amount=False,
)
