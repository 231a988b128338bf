"""Agreements: merge fields, their values, and the documents' content as plain data ready to be set.

What comes from outside passes `clean` here and reaches the typesetter as data only. Square brackets in pairs mean a
field to the signature service, so no value and no text may hold `[[` or `]]`; ours are added by the template.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from bcapp.core import formats
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.order import ORDER
from bcapp.core.markup import (
    Block,
    Box,
    Break,
    Heading,
    Item,
    Listing,
    Merge,
    NewPage,
    Paragraph,
    Rule,
    Run,
    Table,
    Text,
    boxes_of,
    merges_of,
    parse_markup,
)
from bcapp.core.merge import MergeField, Source, StoreProfile, address_text
from bcapp.core.model import LineItem, Money, OrderFacts, PlacedField, Signer
from bcapp.core.sheets import MOST_ROWS, Ask, Sheet
from bcapp.core.states import SignerRole
from bcapp.core.warranties import CoverTable, Piece, Serials, serial_fields
from bcapp.errors import RefusedByUs

MAX_VALUE = 4_000  # characters of one value
MAX_ROWS = 500  # rows of an item table; the rest is counted and summed in one more
MAX_ITEM_TEXT = 100_000  # characters of all rows of an item table
MAX_SIGNERS = 20
MAX_PRICES = 2_000  # rows of a customer's price list
LONG_SKU = 16
ZERO_WIDTH = "\u200b"

# Characters that hide or turn text around: controls, zero-width marks, direction overrides.
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
BRACKETS = re.compile("([\\[\\]])(?=[\\s\u200c\u200d]*\\1)")


# Languages ---------------------------------------------------------------------------------------------------------


def language_key(language: str) -> str:
    """Return a language as texts are kept under: pt_BR and PT-br are pt-br; "" is en."""
    return language.strip().replace("_", "-").lower()[:12] or "en"


def pick_language(wanted: str, available: Iterable[str], main: str) -> str:
    """Return the language of the text for a signer: their own, else its base (de for de-at), else the main one."""
    known, key = set(available), language_key(wanted)
    base = key.partition("-")[0]
    return next((x for x in (key, base) if x in known), main)


def speaks(wanted: str, language: str) -> bool:
    """Tell whether a text in this language is in the language wanted, whatever the region."""
    return language_key(wanted).partition("-")[0] == language_key(language).partition("-")[0]


# What one customer or company signs instead ------------------------------------------------------------------------


@dataclass(frozen=True)
class Binding:
    """what: pdf | text | price_list. title, body: "" leaves the agreement's own. content: SHA-256 of the PDF.

    price_list_id: BigCommerce's, read afresh for every document; None for none.
    """

    id: int
    agreement_id: int
    party_kind: str  # customer | company
    party_id: str
    what: str
    title: str = ""
    body: str = ""
    content: bytes | None = None
    price_list_id: int | None = None
    label: str = ""
    not_found: bool = False  # the store knows no such party, as far as it was read


def choose_binding(
    bindings: Iterable[Binding], agreement_id: int, *, customer_id: int, company_id: int = 0
) -> Binding | None:
    """Return what stands for this party: the customer's own first, else the company's, else None."""
    parties = [(kind, str(number)) for kind, number in (("customer", customer_id), ("company", company_id)) if number]
    found = {(b.party_kind, b.party_id): b for b in bindings if b.agreement_id == agreement_id}
    return next((found[party] for party in parties if party in found), None)


# Values --------------------------------------------------------------------------------------------------------


def clean(value: str) -> str:
    """Return text from outside as it may stand in a document: printable, short, never a field's brackets."""
    text = unicodedata.normalize("NFC", value[: 2 * MAX_VALUE])
    text = HIDDEN.sub("", text.replace("\r\n", "\n").replace("\t", " "))
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn"))
    if len(text) > MAX_VALUE:
        text = text[: MAX_VALUE - 1] + "…"
    return without_tags(text)


def without_tags(text: str) -> str:
    """Put a hard space between brackets that would open or close a field. `[[` becomes `[ [`."""
    return BRACKETS.sub("\\1\u00a0", text)


def clean_line(value: str) -> str:
    return " ".join(clean(value).split())


def breakable(text: str, longest: int = 36) -> str:
    """Allow a break inside words that are longer than a line may hold: what ran off the page would not be signed."""
    return re.sub(rf"\S{{{longest + 1},}}", lambda m: ZERO_WIDTH.join(_slices(m[0], longest // 2)), text)


def _slices(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _breakable(data: Any) -> Any:
    """Apply `breakable` to every text of a document; names of fields and words of ours are short."""
    match data:
        case str():
            return breakable(data)
        case list():
            return [_breakable(x) for x in data]
        case dict():
            return {k: _breakable(v) for k, v in data.items()}
    return data


def _signing(source: Source) -> list[Signer]:
    return [s for s in source.signers if s.role is not SignerRole.COPY]


def _first(source: Source, what: Literal["name", "email"]) -> str:
    signing = _signing(source)
    return getattr(signing[0], what) if signing else ""


COMMON = (
    MergeField("store.name", "Store name", "Summit Outdoor", lambda s: s.profile.name),
    MergeField("store.domain", "Store domain", "summit.example", lambda s: s.profile.domain),
    MergeField("store.email", "Store e-mail", "orders@summit.example", lambda s: s.profile.email),
    MergeField("store.phone", "Store phone", "+1 555 0100", lambda s: s.profile.phone),
    MergeField("store.address", "Store address", "1 Main St", lambda s: s.profile.address, many=True),
    MergeField("signers.names", "All signers", "Ann Lee, Bo Day", lambda s: ", ".join(x.name for x in _signing(s))),
    MergeField("signer.name", "First signer", "Ann Lee", lambda s: _first(s, "name")),
    MergeField("signer.email", "First signer's e-mail", "ann@x.example", lambda s: _first(s, "email")),
    MergeField("document.id", "Document number", "1001-2-1", lambda s: s.document_id),
    MergeField("document.date", "Date of the document", "4 October 2026", lambda s: s.day(s.made_at)),
    MergeField("document.title", "Title of the document", "Purchase agreement", lambda s: s.title),
)
FIELDS: dict[str, MergeField] = {f.name: f for f in (*(f for kind in KINDS.values() for f in kind.merge), *COMMON)}

ITEMS, PRICES, COVERED = "order.items", "price_list.items", "warranty.items"
TABLES: dict[str, str] = {
    ITEMS: "Table of the items ordered",
    PRICES: "Table of the customer's own prices",
    COVERED: "Table of the covered items, with their serial numbers",
}


@dataclass(frozen=True)
class Price:
    """One row of a price list. tiers: (from how many, price) beside the price itself."""

    sku: str
    name: str
    price: Decimal
    currency: str
    sale_price: Decimal | None = None
    tiers: tuple[tuple[int, Decimal], ...] = ()


@dataclass(frozen=True)
class PriceList:
    """A customer's prices as just read. prices: in the store's order."""

    id: int
    name: str
    prices: tuple[Price, ...]


class MissingValue(RefusedByUs):
    """A merge field marked as needed has no value for this record."""

    def __init__(self, name: str, line: int = 0) -> None:
        label = FIELDS[name].label
        super().__init__(f"“{label}” ({name}) is empty for this record, but the agreement needs it (line {line}).")
        self.name = name


def parse_agreement(body: str) -> tuple[Block, ...]:
    """Return the tree of an agreement's text; raise MarkupError naming each mistake by its line."""
    return parse_markup(body, values=frozenset(FIELDS), tables=frozenset(TABLES))


def merge_values(
    facts: Any,
    profile: StoreProfile,
    signers: Sequence[Signer],
    *,
    language: str,
    made_at: datetime,
    document_id: str = "",
    title: str = "",
    kind: Kind = ORDER,
) -> dict[str, str]:
    """Return every merge field's value, cleaned; "" where the record has none. Lines are kept where a field has many.

    facts: of a record of this kind; fields of other kinds are empty.
    """
    source = _source(kind, facts, profile, signers, language, made_at, document_id, title)

    def value(of: MergeField) -> str:
        if of.kind not in ("", kind.name):
            return ""
        return clean(of.read(source)).strip() if of.many else clean_line(of.read(source))

    return {name: value(merge) for name, merge in FIELDS.items()}


def _source(
    kind: Kind,
    facts: Any,
    profile: StoreProfile,
    signers: Sequence[Signer],
    language: str,
    made_at: datetime,
    document_id: str = "",
    title: str = "",
) -> Source:
    money = kind.brief(facts).money
    currency = money.currency if money else ""
    return Source(facts, profile, tuple(signers), language, made_at, document_id, title, currency)


def examples() -> dict[str, str]:
    """Return each merge field's example, for a preview without a record."""
    return {name: f.example for name, f in FIELDS.items()}


@dataclass(frozen=True)
class UsedField:
    """A merge field as a text uses it. when_empty: the strictest of its places: refuse | line | nothing."""

    field: MergeField
    when_empty: str
    lines: tuple[int, ...]


def used_fields(blocks: tuple[Block, ...]) -> list[UsedField]:
    """Return the merge fields of a text in the order in which they are first read."""
    places: dict[str, list[Merge]] = {}
    for merge in merges_of(blocks):
        places.setdefault(merge.name, []).append(merge)

    def strictest(merges: list[Merge]) -> str:
        return next(policy for policy in ("refuse", "line", "nothing") if any(m.when_empty == policy for m in merges))

    return [
        UsedField(FIELDS[name], strictest(merges), tuple(dict.fromkeys(m.line for m in merges)))
        for name, merges in places.items()
    ]


# Documents as data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A document before it is set: a template of bcapp/documents/typst, its data (JSON), and the fields it places."""

    template: str  # agreement | approval | signature
    data: dict[str, Any] = field(repr=False)
    fields: tuple[PlacedField, ...]
    made_at: datetime


def agreement_page(
    *,
    title: str,
    body: str,
    facts: Any,
    profile: StoreProfile,
    signers: Sequence[Signer],
    language: str,
    document_id: str,
    made_at: datetime,
    simulated: bool = False,
    kind: Kind = ORDER,
    price_list: PriceList | None = None,
    cover: CoverTable | None = None,
) -> Page:
    """Return the customer document of one request. price_list, cover: set where the text says, else behind it.

    Raises MarkupError, MissingValue, and RefusedByUs when nobody signs, a text box belongs to no signer, or the text
    has a table of prices and there are none.
    """
    blocks = parse_agreement(body)
    tables = {b.name for b in blocks if isinstance(b, Table)}
    if PRICES in tables and (price_list is None or not price_list.prices):
        raise RefusedByUs(
            "The agreement shows the customer's own prices, but no price list with prices is named for this customer. "
            "Open the agreement and name one under “For one customer”."
        )
    if price_list is not None and PRICES not in tables:
        blocks = (*blocks, Table(PRICES))
    if cover is not None and COVERED not in tables:
        blocks = (*blocks, Table(COVERED))
    _check_signers(signers)
    boxes = boxes_of(blocks)
    positions = [s.position for s in signers if s.role is not SignerRole.COPY]
    for box in boxes:
        if box.signer >= len(positions):
            raise RefusedByUs(
                f"The agreement asks signer {box.signer + 1} for “{box.label}”, but only {len(positions)} sign."
            )
    values = merge_values(
        facts, profile, signers, language=language, made_at=made_at, document_id=document_id, title=title, kind=kind
    )
    data = _frame(title, kind, facts, profile, language, document_id, made_at, simulated)
    placed = [PlacedField(b.external_id, positions[b.signer], b.type, b.value, b.label) for b in boxes]
    placed += _serial_fields(cover, signers)
    return Page(
        "agreement",
        _breakable(
            {
                **data,
                "blocks": fill(blocks, values, positions),
                "items_in_text": ITEMS in tables,
                "prices": price_rows(price_list, formats.locale_for(language, profile.country)),
                "cover": cover_rows(cover, signers, formats.locale_for(language, profile.country)),
                "signers": [_signer(s, data["words"]["signer"]) for s in signers if s.role is not SignerRole.COPY],
                "copies": [clean_line(s.name or s.email) for s in signers if s.role is SignerRole.COPY],
            }
        ),
        (*placed, *_signature_fields(signers)),
        made_at,
    )


def approval_page(
    *,
    title: str,
    why: Sequence[str],
    facts: Any,
    profile: StoreProfile,
    signers: Sequence[Signer],
    limits: Mapping[int, Money | None],
    language: str,
    document_id: str,
    made_at: datetime,
    simulated: bool = False,
    kind: Kind = ORDER,
    asks: Sequence[Ask] = (),
) -> Page:
    """Return the internal approval sheet of one request.

    why: sentences of the rule and what matched. limits: by signer position; None is no limit, an absent one
    is not said. asks: what the last one to sign fills in.
    """
    _check_signers(signers)
    data = _frame(title, kind, facts, profile, language, document_id, made_at, simulated, internal=True)
    words = formats.words_for(language)
    locale = formats.locale_for(language, profile.country)
    signing = [s for s in signers if s.role is not SignerRole.COPY]
    last = max((s for s in signing if s.role is SignerRole.SIGN), key=lambda s: (s.turn, s.position), default=None)
    blocks = []
    for signer in signing:
        limit = ""
        if signer.position in limits:
            known = limits[signer.position]
            limit = words["no_limit"] if known is None else formats.money(known, locale)
        note = {"id": f"note_{signer.position}", "signer": signer.position}
        asked = [{"id": a.id, "label": clean_line(a.label)} for a in asks] if signer is last else []
        blocks.append({**_signer(signer, words["approver"]), "limit": limit, "note": note, "asks": asked})
    notes = [PlacedField(f"note_{s.position}", s.position, "t") for s in signing if s.role is SignerRole.SIGN]
    filled = [PlacedField(a.id, last.position, "t", a.value, a.label) for a in asks] if last is not None else []
    decision = words["decision" if any(s.role is SignerRole.SIGN for s in signing) else "decision_approve"]
    shown = {
        "why": [clean(w) for w in why],
        "signers": blocks,
        "history": _history(facts) if kind is ORDER else "",
        "decision": decision,
    }
    return Page(
        "approval",
        _breakable({**data, **shown}),
        (*filled, *notes, *_signature_fields(signers)),
        made_at,
    )


def signature_page(
    *,
    title: str,
    facts: Any,
    profile: StoreProfile,
    signers: Sequence[Signer],
    language: str,
    document_id: str,
    made_at: datetime,
    simulated: bool = False,
    kind: Kind = ORDER,
    price_list: PriceList | None = None,
    cover: CoverTable | None = None,
) -> Page:
    """Return the page that is appended to an uploaded PDF: the order's facts, prices, cover, and a block per signer."""
    _check_signers(signers)
    data = _frame(title, kind, facts, profile, language, document_id, made_at, simulated)
    signing = [_signer(s, data["words"]["signer"]) for s in signers if s.role is not SignerRole.COPY]
    locale = formats.locale_for(language, profile.country)
    tables = {"prices": price_rows(price_list, locale), "cover": cover_rows(cover, signers, locale)}
    return Page(
        "signature",
        _breakable({**data, "appended": True, "signers": signing, **tables}),
        (*_serial_fields(cover, signers), *_signature_fields(signers)),
        made_at,
    )


def _check_signers(signers: Sequence[Signer]) -> None:
    signing = [s for s in signers if s.role is not SignerRole.COPY]
    if not signing:
        raise RefusedByUs("Nobody is to sign this document.")
    if len(signers) > MAX_SIGNERS:
        raise RefusedByUs(f"A document takes {MAX_SIGNERS} signers at most.")
    if len({s.position for s in signers}) != len(signers):
        raise RefusedByUs("Two signers have the same place in the document.")


def _signature_fields(signers: Sequence[Signer]) -> tuple[PlacedField, ...]:
    return tuple(
        PlacedField(f"{name}_{s.position}", s.position, kind)
        for s in signers
        if s.role is SignerRole.SIGN
        for name, kind in (("sig", "s"), ("date", "d"))
    )


def _signer(signer: Signer, role: str) -> dict[str, Any]:
    return {
        "position": signer.position,
        "name": clean_line(signer.name),
        "email": clean_line(signer.email),
        "role": role,
        "signs": signer.role is SignerRole.SIGN,  # an approval is a button of the service: it has no fields
    }


def _frame(
    title: str,
    kind: Kind,
    facts: Any,
    profile: StoreProfile,
    language: str,
    document_id: str,
    made_at: datetime,
    simulated: bool,
    *,
    internal: bool = False,
) -> dict[str, Any]:
    """Return what every template needs, all of it cleaned. sheet: what is shown of a record that is no order."""
    source = replace(_source(kind, facts, profile, (), language, made_at, document_id, title), internal=internal)
    locale, words = source.locale, dict(formats.words_for(language))
    return {
        "title": clean_line(title[:200]) or words["agreement"],
        "document_id": clean_line(document_id),
        "language": locale.language,
        "paper": formats.paper_for(profile.country),
        "simulated": simulated,
        "appended": False,
        "words": words,
        "store": {
            "name": clean_line(profile.name),
            "lines": [
                *_lines(profile.address),
                *[clean_line(x) for x in (profile.email, profile.phone, profile.domain) if x],
            ],
        },
        "made": formats.moment(made_at, locale, formats.zone_for(profile.timezone)),
        **(_order(facts, source, words) if kind.sheet is None else _sheet(kind.sheet(source))),
    }


def _order(facts: OrderFacts, source: Source, words: Mapping[str, str]) -> dict[str, Any]:
    billing, locale = facts.billing, source.locale
    shipping = [_lines(address_text(a, locale)) for a in facts.shipping[:3]]
    return {
        "sheet": None,
        "customer": {
            "name": clean_line(billing.company or billing.name or words["guest"]),
            "lines": [
                *[x for x in _lines(address_text(billing, locale)) if x != clean_line(billing.company or billing.name)],
                *[clean_line(x) for x in (billing.email, billing.phone) if x],
            ],
        },
        "shipping": [s for s in shipping if s and s != _lines(address_text(billing, locale))],
        "order": {
            "id": str(facts.id),
            "date": source.day(facts.created_at),
            "total": source.money(facts.total.amount),
            "tax": source.money(facts.tax) if facts.tax else "",
            "discount": source.money(facts.discount) if facts.discount else "",
            "payment": clean_line(facts.payment_method),
            "payment_status": clean_line(facts.payment_status),
            "message": clean(facts.customer_message).strip(),
        },
        "items": item_rows(facts, locale),
    }


def _sheet(sheet: Sheet) -> dict[str, Any]:
    return {
        "sheet": {
            "facts": [[clean_line(label), clean(value).strip()] for label, value in sheet.facts if value],
            "tables": [
                {
                    "title": clean_line(table.title),
                    "heads": [clean_line(head) for head in table.heads],
                    "rows": [[clean_line(cell[:300]) for cell in row] for row in table.rows[:MOST_ROWS]],
                    "left": max(0, len(table.rows) - MOST_ROWS),
                    "right": sorted(table.right),
                }
                for table in sheet.tables
            ],
        },
        "customer": {"name": clean_line(sheet.party), "lines": [clean_line(x) for x in sheet.party_lines if x]},
        "shipping": [],
    }


def _lines(text: str) -> list[str]:
    return [line for raw in clean(text).splitlines() if (line := clean_line(raw))]


def item_rows(facts: OrderFacts, locale: Any) -> dict[str, Any]:
    """Return the item table: rows, how many were left out, and what the order costs beside its items."""
    currency = facts.total.currency

    def row(item: LineItem) -> dict[str, Any]:
        return {
            "sku": breakable(clean_line(item.sku[:100]), LONG_SKU),
            "name": clean_line(item.name[:300]),
            "options": [clean_line(f"{n[:100]}: {v[:500]}") for n, v in item.options[:20]],
            "quantity": formats.number(item.quantity, locale),
            "price": formats.amount(item.unit_price, currency, locale),
            "total": formats.amount(item.total, currency, locale),
        }

    count, room = 0, MAX_ITEM_TEXT
    rows = []
    for item in facts.items[:MAX_ROWS]:
        made = row(item)
        room -= len(made["name"]) + sum(len(o) for o in made["options"])
        if room < 0:
            break
        rows.append(made)
        count += 1
    left = facts.items[count:]
    rest = facts.total.amount - sum((i.total for i in facts.items), Decimal())
    return {
        "rows": rows,
        "left": formats.number(len(left), locale) if left else "",
        "left_total": formats.amount(sum((i.total for i in left), Decimal()), currency, locale) if left else "",
        "rest": formats.amount(rest, currency, locale) if rest and facts.items else "",
        "total": formats.money(facts.total, locale),
        "long_skus": any(len(r["sku"]) > LONG_SKU for r in rows),
    }


def price_rows(prices: PriceList | None, locale: Any) -> dict[str, Any]:
    """Return the table of prices; more rows than a document takes raise RefusedByUs: none may be left out unseen."""
    listed = prices.prices if prices else ()
    if len(listed) > MAX_PRICES:
        raise RefusedByUs(f"The price list has {len(listed):,} prices; a document takes {MAX_PRICES:,}.")

    def row(price: Price) -> dict[str, Any]:
        def shown(value: Decimal) -> str:
            return formats.amount(value, price.currency, locale)

        return {
            "sku": breakable(clean_line(price.sku[:100]), LONG_SKU),
            "name": clean_line(price.name[:300]),
            "price": shown(price.price),
            "sale": "" if price.sale_price is None else shown(price.sale_price),
            "tiers": [{"from": formats.number(n, locale), "price": shown(value)} for n, value in price.tiers[:20]],
        }

    return {"name": clean_line(prices.name[:200]) if prices else "", "rows": [row(p) for p in listed]}


def _serial_fields(cover: CoverTable | None, signers: Sequence[Signer]) -> tuple[PlacedField, ...]:
    return serial_fields(cover, _fills_in(signers)) if cover is not None else ()


def _fills_in(signers: Sequence[Signer]) -> int:
    """Return the position of who fills the serial numbers in: the first who signs."""
    signing = [s.position for s in signers if s.role is SignerRole.SIGN]
    if not signing:
        raise RefusedByUs("Nobody signs who could fill in the serial numbers.")
    return signing[0]


def cover_rows(cover: CoverTable | None, signers: Sequence[Signer], locale: Any) -> dict[str, Any]:
    """Return the table of the covered items: from when to when, and a box or the serial number of every piece."""
    if cover is None:
        return {"rows": [], "starts": "", "ends": "", "required": False, "signer": 0}

    def row(piece: Piece) -> dict[str, Any]:
        return {
            "sku": breakable(clean_line(piece.sku[:100]), LONG_SKU),
            "name": clean_line(piece.name),
            "quantity": formats.number(piece.quantity, locale),
            "piece": f"{piece.number} / {piece.of}" if piece.number and piece.of > 1 else "",
            "serial": clean_line(piece.serial),
            "id": piece.external_id if cover.asks(piece) else "",
        }

    return {
        "rows": [row(p) for p in cover.pieces],
        "starts": formats.date_only(cover.starts, locale),
        "ends": formats.date_only(cover.ends, locale) if cover.ends is not None else "",
        "required": cover.serials is Serials.REQUIRED,
        "signer": _fills_in(signers),
    }


def _history(facts: OrderFacts) -> str:
    return "" if facts.history is None else str(facts.history.orders_before)


# Filling the tree ----------------------------------------------------------------------------------------------


def fill(blocks: Sequence[Block], values: Mapping[str, str], positions: Sequence[int]) -> list[dict[str, Any]]:
    """Return the tree as JSON data with every merge field replaced. positions: of the signers that sign, in order.

    Raises MissingValue for a field marked with `!` that is empty.
    """
    return [_block(b, values, positions) for b in blocks]


def _block(block: Block, values: Mapping[str, str], positions: Sequence[int]) -> dict[str, Any]:
    match block:
        case Heading(level, runs):
            return {"kind": "heading", "level": level, "runs": _runs(runs, values)}
        case Paragraph(runs):
            return {"kind": "paragraph", "runs": _runs(runs, values)}
        case Listing():
            return _listing(block, values)
        case Table(name):
            return {"kind": "table", "name": name}
        case Box(kind, signer, label, name, value):
            position = positions[signer]
            shown = {"type": kind, "label": clean_line(label), "value": value}
            return {"kind": "box", "signer": position, "id": name, **shown}
        case Rule():
            return {"kind": "rule"}
        case NewPage():
            return {"kind": "new_page"}


def _listing(listing: Listing, values: Mapping[str, str]) -> dict[str, Any]:
    return {"kind": "list", "start": listing.start, "items": [_item(i, values) for i in listing.items]}


def _item(item: Item, values: Mapping[str, str]) -> dict[str, Any]:
    return {"runs": _runs(item.runs, values), "inner": [_listing(x, values) for x in item.inner]}


def _runs(runs: Sequence[Run], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return runs of text; brackets are parted over the border of two runs as well."""
    filled: list[dict[str, Any]] = []
    last = ""
    alone = sum(not isinstance(r, Break) for r in runs) == 1
    for run in runs:
        match run:
            case Break():
                filled.append({"kind": "break"})
                continue
            case Text(text, bold, italic):
                shown = clean(text)
            case Merge(name, when_empty, line, bold, italic):
                shown = values[name]
                if not shown and when_empty == "refuse":
                    raise MissingValue(name, line)
                if not shown:
                    if when_empty == "line":
                        filled.append({"kind": "blank"})
                        last = ""
                    continue
                if not alone:  # an address inside a sentence
                    shown = ", ".join(shown.splitlines())
        if last and (tail := last.rstrip()[-1:]) in ("[", "]") and shown.lstrip()[:1] == tail:
            shown = "\u00a0" + shown
        last = shown if shown.strip() else last
        filled.append({"kind": "text", "text": shown, "bold": bold, "italic": italic})
    return filled


# Provider templates --------------------------------------------------------------------------------------------


def prefill_tags(mapping: Mapping[str, str], values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the values that the service fills into a template of its own.

    mapping: the placeholder's external id -> merge field; an unknown field raises RefusedByUs.
    Empty values are left out, so that the placeholder stays open for its signer.
    """
    tags = []
    for external_id, name in mapping.items():
        if name not in FIELDS:
            raise RefusedByUs(f"The template's field {external_id} is mapped to {name}, which is no merge field.")
        if value := values[name]:
            tags.append({"external_id": external_id, "text": value})
    return tags


def freeze_template(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the list of signers and placeholders of a template as it stands, in a stable order and shape.

    template: as read: {signers: [{signer_index, needs_to_sign, approve_only, placeholders: [{uuid, type, page_index,
    external_id, prefill}]}]}. What people see of each placeholder is in, its position on the page is not told.
    """
    frozen: list[dict[str, Any]] = []
    for signer in template.get("signers") or ():
        index = int(signer.get("signer_index") or 0)
        kind = "sign" if signer.get("needs_to_sign", True) and not signer.get("approve_only") else "other"
        frozen.append({"signer": index, "role": kind})
        for p in signer.get("placeholders") or ():
            frozen.append(
                {
                    "signer": index,
                    "id": str(p.get("uuid") or ""),
                    "type": str(p.get("type") or ""),
                    "page": int(p.get("page_index") or 0),
                    "external_id": str(p.get("external_id") or ""),
                    "prefill": bool(p.get("prefill")),
                }
            )
    return sorted(frozen, key=lambda e: (e["signer"], e.get("id", ""), e.get("external_id", ""), e.get("type", "")))


def template_drift(frozen: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what changed in a template since it was frozen, a sentence each; empty when nothing did."""

    def by_key(entries: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        return {(e["signer"], e.get("id", ""), "role" in e): e for e in entries}

    before, after = by_key(frozen), by_key(now)
    found = []
    for key in sorted(before.keys() | after.keys(), key=str):
        old, new = before.get(key), after.get(key)
        if old is None and new is not None:
            found.append(f"{_told(new)} was added.")
        elif new is None and old is not None:
            found.append(f"{_told(old)} was removed.")
        elif old is not None and new is not None and dict(old) != dict(new):
            parts = [n for n in sorted(old.keys() | new.keys()) if old.get(n) != new.get(n)]
            found.append(f"{_told(old)} changed: {', '.join(f'{n} {old.get(n)} → {new.get(n)}' for n in parts)}.")
    return found


def _told(entry: Mapping[str, Any]) -> str:
    who = f"signer {int(entry['signer']) + 1}"
    if "role" in entry:
        return who.capitalize()
    kinds = {"s": "signature", "i": "initials", "n": "name", "d": "date", "t": "text", "c": "checkbox"}
    kind = kinds.get(str(entry.get("type")), "field")
    name = f" “{entry['external_id']}”" if entry.get("external_id") else ""
    return f"The {kind} field{name} of {who}"


def template_fields(frozen: Sequence[Mapping[str, Any]], positions: Sequence[int]) -> tuple[PlacedField, ...]:
    """Return the fields that a frozen template places, with our signers' positions by the template's index.

    Raises RefusedByUs when a signer of the template has nobody.
    """
    fields = []
    for entry in frozen:
        if entry["signer"] >= len(positions):
            raise RefusedByUs(f"The template has a signer {entry['signer'] + 1}, but {len(positions)} are named.")
        if "role" not in entry:
            fields.append(PlacedField(entry["external_id"], positions[entry["signer"]], entry["type"]))
    return tuple(fields)
