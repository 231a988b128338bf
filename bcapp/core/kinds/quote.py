"""Quotes of B2B Edition as rules see them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core import formats
from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.merge import MergeField, Source
from bcapp.core.model import Money
from bcapp.core.offers import NOT_SEEN, margin
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.snapshot import plain
from bcapp.core.stored import codec_of

NEW, IN_PROCESS, UPDATED, ORDERED, EXPIRED, ARCHIVED, DRAFT = 0, 2, 3, 4, 5, 6, 7
STATUS_WORDS = {
    NEW: "New", IN_PROCESS: "In process", UPDATED: "Updated by the customer", ORDERED: "Ordered", EXPIRED: "Expired",
    ARCHIVED: "Archived", DRAFT: "Draft",
}  # fmt: skip
ENDED = frozenset({ORDERED, EXPIRED, ARCHIVED})


@dataclass(frozen=True)
class QuoteLine:
    """Prices of one piece, before tax. cost: None when the store has none."""

    product_id: int
    sku: str
    name: str
    quantity: int
    base_price: Decimal
    offered_price: Decimal
    cost: Decimal | None = None

    @property
    def total(self) -> Decimal:
        return self.offered_price * self.quantity

    @property
    def discount(self) -> Decimal | None:
        """Percent off the base price, None without one."""
        if self.base_price <= 0:
            return None
        return ((self.base_price - self.offered_price) / self.base_price * 100).quantize(Decimal("0.01"))


@dataclass(frozen=True)
class QuoteFacts:
    """A quote, freshly read. subtotal: of the goods after discounts, before shipping and tax. order_id: 0 for none."""

    id: int
    number: str
    title: str
    status: int
    created_at: datetime
    modified_at: datetime
    expires_at: datetime | None
    channel_id: int
    company_id: int  # 0: a customer without a company
    company: str
    contact_name: str
    contact_email: str  # lower case
    rep_name: str
    rep_email: str  # lower case
    subtotal: Money
    total: Money
    shipping: Decimal
    tax: Decimal
    allow_checkout: bool
    lines: tuple[QuoteLine, ...]
    terms: str = ""
    order_id: int = 0
    unread: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        return f"Quote {self.id}"

    @property
    def listed(self) -> str:
        return f"Quote {self.number or self.id}, {self.company or self.contact_name or 'no name'}"

    @property
    def depth(self) -> Decimal:
        """The deepest discount in percent, of a line or of the quote as a whole."""
        lines = [found for line in self.lines if (found := line.discount) is not None]
        list_price = sum((line.base_price * line.quantity for line in self.lines), Decimal(0))
        if list_price > 0:
            lines.append(((list_price - self.subtotal.amount) / list_price * 100).quantize(Decimal("0.01")))
        return max([Decimal(0), *lines])

    @property
    def margin(self) -> Decimal | None:
        """Percent of the subtotal above the cost of all lines, None when a line has no cost price."""
        if not self.lines or any(line.cost is None for line in self.lines):
            return None
        cost = sum(((line.cost or Decimal(0)) * line.quantity for line in self.lines), Decimal(0))
        return margin(self.subtotal.amount, cost)


def _margin(facts: QuoteFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown("a line has no cost price") if facts.margin is None else facts.margin


def _expires(facts: QuoteFacts, _argument: str, reading: Reading) -> date | Unknown:
    return facts.expires_at.astimezone(reading.zone).date() if facts.expires_at else Unknown("it never expires")


FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("total", FieldType.MONEY, "Quote total", "With shipping and tax as estimated.", "10000.00 USD",
              lambda q, a, r: q.total),
        Field("subtotal", FieldType.MONEY, "Goods", "After discounts, before shipping and tax.", "9000.00 USD",
              lambda q, a, r: q.subtotal),
        Field("depth", FieldType.NUMBER, "Discount in percent", "The deepest of any line, or of all together.", "15",
              lambda q, a, r: q.depth),
        Field("margin", FieldType.NUMBER, "Margin in percent", "Of the goods, above their cost prices.", "20", _margin),
        Field("sku", FieldType.LIST, "SKU", "Any line of the quote.", "TENT-4",
              lambda q, a, r: frozenset(line.sku for line in q.lines if line.sku)),
        Field("company", FieldType.TEXT, "Company", "That the quote is for.", "Buyer Ltd", lambda q, a, r: q.company),
        Field("channel", FieldType.CHOICE, "Channel", "The storefront, by channel number.", "1",
              lambda q, a, r: frozenset({str(q.channel_id)}), numbered=True),
        Field("expires_on", FieldType.DATE, "Expires on", "The day in the store’s time zone.", "2026-12-31", _expires),
        Field("custom_item", FieldType.FLAG, "Has a custom item", "A line without a product of the catalog.", "",
              lambda q, a, r: any(not line.product_id for line in q.lines)),
    )
}  # fmt: skip


def _out_of_scope(facts: QuoteFacts, channels: frozenset[int]) -> OutOfScope | None:
    if facts.status == DRAFT:
        return OutOfScope("not_placed", "It is a draft, and its customer has not got it yet.")
    if facts.channel_id not in channels:
        text = f"Channel {facts.channel_id} is not one of the storefronts of this rule."
        return OutOfScope("not_storefront", text)
    return None


def _brief(facts: QuoteFacts) -> Brief:
    who = f"company:{facts.company_id}" if facts.company_id else facts.contact_email
    return Brief(facts.listed, facts.modified_at, who, bool(facts.contact_email), facts.total)


def quote_1(facts: QuoteFacts) -> dict[str, Any]:
    """Lines, prices, who gets it, until when and on which terms. Status, checkout, notes and messages are not."""
    lines = [
        {"product": x.product_id, "sku": x.sku, "quantity": x.quantity, "price": plain(x.offered_price)}
        for x in facts.lines
    ]
    return {
        "customer": facts.contact_email,
        "company": facts.company_id,
        "currency": facts.total.currency,
        "subtotal": plain(facts.subtotal.amount),
        "lines": sorted(lines, key=lambda line: json.dumps(line, sort_keys=True)),
        "expires": facts.expires_at.date().isoformat() if facts.expires_at else "",
        "terms": hashlib.sha256(facts.terms.encode()).hexdigest() if facts.terms else "",
    }


def changed_quote(before: QuoteFacts, now: QuoteFacts) -> tuple[str, ...]:
    """Return what changed of the offer itself between two readings."""
    left, right = quote_1(before), quote_1(now)
    return tuple(name for name in left if left[name] != right[name])


def _shown(facts: QuoteFacts) -> dict[str, Any]:
    return {
        "number": facts.number,
        "status": facts.status,
        "status_word": STATUS_WORDS.get(facts.status, ""),
        "allow_checkout": facts.allow_checkout,
        "depth": f"{facts.depth.normalize():f}",
        "margin": None if facts.margin is None else f"{facts.margin:f}",
        "total": plain(facts.total.amount),
        "expires_at": facts.expires_at.isoformat() if facts.expires_at else None,
        "created_at": facts.created_at.isoformat(),
        "modified_at": facts.modified_at.isoformat(),
        "order_id": facts.order_id,
        "not_seen": list(NOT_SEEN),
    }


def sheet(source: Source) -> Sheet:
    """Return the quote as its customer may see it; for people of the store with discounts and margin."""
    q: QuoteFacts = source.facts
    facts = [
        ("Quote", q.number or str(q.id)),
        ("Title", q.title),
        ("Made on", source.day(q.created_at)),
        ("Valid until", source.day(q.expires_at) if q.expires_at else "No end"),
        ("Goods", formats.money(q.subtotal, source.locale)),
        ("Total with shipping and tax, as estimated", formats.money(q.total, source.locale)),
        ("Contact", q.rep_name),
    ]
    heads: tuple[str, ...] = ("SKU", "Product", "Quantity", "Price", "Sum")
    rows: list[tuple[str, ...]] = []
    for line in q.lines:
        price, total = (source.money(amount) for amount in (line.offered_price, line.total))
        cells: tuple[str, ...] = (line.sku, line.name, formats.number(line.quantity, source.locale), price, total)
        if source.internal:
            cells = (*cells[:3], source.money(line.base_price), *cells[3:], _percent(line.discount))
        rows.append(cells)
    tables = []
    if source.internal:
        heads = ("SKU", "Product", "Quantity", "List price", "Price", "Sum", "Off")
        facts += [("Deepest discount", _percent(q.depth)), ("Margin", _percent(q.margin))]
        tables = [SheetTable("What these figures do not cover", ("",), tuple((line,) for line in NOT_SEEN))]
    right = frozenset(range(2, len(heads)))
    return Sheet(
        tuple((label, value) for label, value in facts if value),
        q.company or q.contact_name,
        tuple(x for x in (q.contact_name if q.company else "", q.contact_email) if x),
        (SheetTable("Lines", heads, tuple(rows), right), *tables),
    )


def _percent(value: Decimal | None) -> str:
    return "not known" if value is None else f"{value.normalize():f} %"


def _lines(source: Source) -> str:
    q: QuoteFacts = source.facts
    return "\n".join(f"{x.quantity} × {x.name or x.sku}: {source.money(x.total)}" for x in q.lines)


_MERGE = partial(MergeField, kind="quote")
MERGE = (
    _MERGE("quote.number", "Quote number", "QN101234", lambda s: s.facts.number or str(s.facts.id)),
    _MERGE("quote.title", "Title", "Tents for 2027", lambda s: s.facts.title),
    _MERGE("quote.company", "Company", "Lee Outdoor Ltd", lambda s: s.facts.company),
    _MERGE("quote.contact", "Name of the buyer", "Ann Lee", lambda s: s.facts.contact_name),
    _MERGE("quote.total", "Total", "EUR 12,400.00", lambda s: formats.money(s.facts.total, s.locale)),
    _MERGE("quote.subtotal", "Goods", "EUR 10,400.00", lambda s: formats.money(s.facts.subtotal, s.locale)),
    _MERGE(
        "quote.expires",
        "Valid until",
        "31 December 2026",
        lambda s: s.day(s.facts.expires_at) if s.facts.expires_at else "",
    ),
    _MERGE("quote.lines", "Lines", "2 × Tent: EUR 600.00", _lines, many=True),
    _MERGE("quote.terms", "Terms of the quote", "Payable within 30 days.", lambda s: s.facts.terms, many=True),
)


QUOTE = Kind(
    "quote",
    "Quote",
    "Quotes",
    "When a quote is made",
    FIELDS,
    _out_of_scope,
    lambda facts: facts.created_at,
    codec_of(QuoteFacts),
    brief=_brief,
    material={1: quote_1},
    merge=MERGE,
    sheet=sheet,
    shown=_shown,
    signer="the quote’s buyer",
)
