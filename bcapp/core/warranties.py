"""Warranties and maintenance: what of an order is covered, from when to when, and whether a claim stands and why.

A registration is one covered piece, or one line of the order where no serial number is asked. Who bought it stands in
erasable columns; here are products, numbers and days only.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from bcapp.core.imports import FORMULA, MOST_CHARACTERS
from bcapp.core.model import LineItem, OrderFacts, PlacedField
from bcapp.core.options import Options

MOST_SERIALS = 200  # boxes of one document; what goes beyond is one line for the whole item
MOST_MONTHS = 600
SERIAL_CHARACTERS = 100
NAME_CHARACTERS = 300
PHONE_DIGITS = 7  # the last ones: country and area codes are written in too many ways
LEAST_PHONE = 6
DAY = timedelta(days=1)
STATUTORY = "Statutory rights are unaffected."
COMPLETED = 10
DONE = frozenset({2, COMPLETED})  # shipped, completed
SERIAL_COLUMNS = ("order", "sku", "serial")


class Cover(StrEnum):
    """What is signed for."""

    WARRANTY = "warranty"
    SERVICE = "service"

    @property
    def word(self) -> str:
        return {Cover.WARRANTY: "warranty", Cover.SERVICE: "maintenance"}[self]


class Serials(StrEnum):
    """Whether the signer types the serial numbers."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class State(StrEnum):
    ACTIVE = "active"
    NOT_ACTIVATED = "not_activated"  # declined, expired or taken back
    ENDED = "ended"  # refunded, taken out of the order, ended by staff
    RENEWED = "renewed"  # a later term took its place


# What is covered ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """What a rule covers, and how long. products: SKUs and product numbers, casefolded, as are brands.

    Nothing named covers every product. custom_field: its name, and its value ("" for any). months 0: without an end.
    """

    cover: Cover = Cover.WARRANTY
    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    custom_field: tuple[str, str] = ("", "")
    serials: Serials = Serials.REQUIRED
    months: int = 24
    from_order: bool = False
    start_days: int = 0  # after the shipment
    renew_days: int = 0  # before its end; 0: nobody is asked

    def covers(self, item: LineItem) -> bool:
        """Return whether a line of an order is covered; gift certificates and lines without a product never are."""
        if item.type == "giftcertificate" or not item.product_id:
            return False
        if not (self.categories or self.brands or self.products or self.custom_field[0]):
            return True
        name, value = self.custom_field
        return (
            bool(self.categories & {str(c) for c in item.categories})
            or item.brand_name.strip().casefold() in self.brands
            or bool(self.products & {item.sku.strip().casefold() or str(item.product_id), str(item.product_id)})
            or any(
                name and k.strip().casefold() == name and (not value or v.strip().casefold() == value)
                for k, v in item.custom_fields
            )
        )


def terms_of(options: Options) -> Terms:
    """Read a rule's settings (bcapp/workflows/warranty.py, OPTIONS)."""
    name, _, value = options.text("custom_field").partition("=")
    return Terms(
        cover=Cover(options.text("cover")),
        categories=_listed(options.text("categories")),
        brands=_listed(options.text("brands")),
        products=_listed(options.text("products")),
        custom_field=(name.strip().casefold(), value.strip().casefold()),
        serials=Serials(options.text("serials")),
        months=options.number("months"),
        from_order=options.text("starts") == "order",
        start_days=options.number("start_days"),
        renew_days=options.number("renew_days"),
    )


def are_numbers(text: str) -> bool:
    """Tell whether a list of the settings has nothing but numbers, as that of categories must."""
    return all(part.isascii() and part.isdecimal() for part in _listed(text))


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip().casefold() for part in re.split(r"[,;\n]", text) if part.strip())


def is_done(facts: OrderFacts) -> bool:
    """Return whether everything of the order is with its buyer: shipped or completed."""
    all_shipped = facts.items_total > 0 and facts.items_shipped >= facts.items_total
    return facts.status_id in DONE or all_shipped


def covered_items(facts: OrderFacts, terms: Terms) -> tuple[LineItem, ...]:
    """Return the covered lines of which something was not given back, in the order's own order."""
    return tuple(i for i in facts.items if i.quantity > i.quantity_refunded and terms.covers(i))


@dataclass(frozen=True)
class Piece:
    """What is registered: one piece of a line, numbered from 1; number 0: the line as a whole. serial: known before."""

    item_id: int
    number: int
    quantity: int
    product_id: int
    sku: str
    name: str
    of: int = 1  # pieces of the line
    serial: str = ""

    @property
    def external_id(self) -> str:
        """The text box of the document that asks for its serial number."""
        return f"serial_{self.item_id}_{self.number}"


def pieces_of(
    items: Iterable[LineItem], serials: Serials, known: Mapping[str, Sequence[str]] | None = None
) -> tuple[Piece, ...]:
    """Return what is registered of these lines.

    known: serial numbers by SKU that staff or a file gave before; they are printed instead of asked for.
    """
    left = {sku: list(numbers) for sku, numbers in (known or {}).items()}
    room, found = MOST_SERIALS, list[Piece]()
    for item in items:
        quantity = item.quantity - item.quantity_refunded
        given = left.get(item.sku, [])
        one = Piece(item.id, 0, quantity, item.product_id, item.sku, item.name[:NAME_CHARACTERS], quantity)
        if (serials is Serials.NONE and not given) or quantity > room:
            found.append(one)
            continue
        room -= quantity
        for number in range(1, quantity + 1):
            serial = given.pop(0) if given else ""
            found.append(replace(one, number=number, quantity=1, serial=serial))
    return tuple(found)


@dataclass(frozen=True)
class CoverTable:
    """What a document shows of the cover, and asks for. ends: the last day, None for no end."""

    pieces: tuple[Piece, ...]
    serials: Serials
    starts: date
    ends: date | None

    def asks(self, piece: Piece) -> bool:
        return self.serials is not Serials.NONE and piece.number > 0 and not piece.serial


def serial_fields(table: CoverTable, signer: int) -> tuple[PlacedField, ...]:
    """Return the text boxes that a document places for its first signer, one per piece."""
    return tuple(
        PlacedField(p.external_id, signer, "t", "text", f"Serial number, {p.name[:80]}")
        for p in table.pieces
        if table.asks(p)
    )


def with_typed(pieces: Iterable[Piece], typed: Mapping[str, str]) -> tuple[Piece, ...]:
    """Return the pieces with what the signer typed, by external id; what was known before stands."""
    return tuple(p if p.serial else replace(p, serial=clean_serial(typed.get(p.external_id, ""))) for p in pieces)


def clean_serial(text: str) -> str:
    printable = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] != "C")
    return " ".join(printable.split())[:SERIAL_CHARACTERS]


# When -----------------------------------------------------------------------------------------------------


def starts_on(terms: Terms, facts: OrderFacts, asked_at: datetime, zone: tzinfo) -> date:
    """Return the first day. asked_at: stands for the shipment where the store tells no day of it."""
    if terms.from_order:
        return facts.created_at.astimezone(zone).date()
    return (facts.shipped_at or asked_at).astimezone(zone).date() + terms.start_days * DAY


def ends_on(starts: date, months: int) -> date | None:
    """Return the last day of so many months, None for no end: 1 February and 12 months end on 31 January."""
    if not months:
        return None
    years, month = divmod(starts.month - 1 + months, 12)
    year, month = starts.year + years, month + 1
    last = calendar.monthrange(year, month)[1]
    if starts.day > last:  # 31 January and one month end with February
        return date(year, month, last)
    return date(year, month, starts.day) - DAY


def next_start(ends: date | None, today: date) -> date:
    """Return when a renewed term begins: behind the one before, never in the past."""
    return max(ends + DAY, today) if ends is not None else today


def renew_on(ends: date | None, renew_days: int) -> date | None:
    """Return the day on which the renewal is asked, None for never."""
    return ends - renew_days * DAY if ends is not None and renew_days else None


# Registrations --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registration:
    """One covered piece, or a whole line (piece 0). request_id 0: a paper form."""

    id: int
    order_id: str
    request_id: int
    rule_id: int
    item_id: int
    piece: int
    quantity: int
    product_id: int
    sku: str
    name: str
    cover: Cover
    serial: str
    starts: date
    ends: date | None
    state: State
    state_why: str = ""
    ended_on: date | None = None
    paper_id: int = 0
    renewal_asked: bool = False  # the next term was asked for


def term(
    terms: Terms, facts: OrderFacts, earlier: Iterable[Registration], asked_at: datetime, zone: tzinfo
) -> tuple[date, date | None]:
    """Return the first and the last day of what is asked now. earlier: of the same rule, from other documents."""
    before = [
        r.ends for r in earlier if r.renewal_asked and r.ends is not None and r.state in (State.ACTIVE, State.RENEWED)
    ]
    if before:
        starts = next_start(max(before), asked_at.astimezone(zone).date())
    else:
        starts = starts_on(terms, facts, asked_at, zone)
    return starts, ends_on(starts, terms.months)


@dataclass(frozen=True)
class Answer:
    """Whether a claim stands on a day, in one sentence."""

    covered: bool
    sentence: str


def answer(registration: Registration, today: date) -> Answer:
    """Return whether a piece is covered on a day, and why (not)."""
    word = registration.cover.word
    match registration.state:
        case State.NOT_ACTIVATED:
            why = registration.state_why.rstrip(".") or "it was not signed"
            return Answer(False, f"Not covered: the {word} was not activated, because {why}. {STATUTORY}")
        case State.ENDED:
            on = f" on {_day(registration.ended_on)}" if registration.ended_on else ""
            return Answer(False, f"Not covered: the {word} ended{on}. {registration.state_why}".rstrip())
        case State.RENEWED if registration.ends is None or registration.ends < today:
            return Answer(False, "Not covered by this one: a later term took its place.")
    if today < registration.starts:
        return Answer(False, f"Not covered yet: the {word} begins on {_day(registration.starts)}.")
    if registration.ends is not None and registration.ends < today:
        return Answer(False, f"Not covered: the {word} ended on {_day(registration.ends)}.")
    until = f"until {_day(registration.ends)}" if registration.ends else "without an end"
    return Answer(True, f"Covered: the {word} runs from {_day(registration.starts)} {until}.")


def _day(on: date | None) -> str:
    return f"{on.day} {on:%B %Y}" if on else ""


def best(registrations: Iterable[Registration], today: date) -> tuple[Registration, ...]:
    """Return one registration for each piece and cover: one that covers today, else what tells most of it."""
    found: dict[tuple[str, int, int, Cover], list[Registration]] = {}
    for r in registrations:
        found.setdefault((r.order_id, r.item_id, r.piece, r.cover), []).append(r)
    rank = {State.ACTIVE: 3, State.ENDED: 2, State.RENEWED: 1, State.NOT_ACTIVATED: 0}
    return tuple(
        max(rows, key=lambda r: (answer(r, today).covered, rank[r.state], r.ends or date.max, r.id))
        for rows in found.values()
    )


def still_runs(registration: Registration, today: date) -> bool:
    """Return whether a registration may cover on a day from now on: one that was renewed does until its own end."""
    may_run = registration.state in (State.ACTIVE, State.RENEWED)
    return may_run and (registration.ends is None or registration.ends >= today)


@dataclass(frozen=True)
class Left:
    """What a refund leaves of a registration. quantity 0: nothing, it ends."""

    registration_id: int
    quantity: int
    why: str


@dataclass(frozen=True)
class Unclear:
    """Some pieces of a line were given back, and nobody can tell which by their number."""

    item_id: int
    came_back: int
    of: int


def left_by_refunds(registrations: Iterable[Registration], facts: OrderFacts, today: date) -> Iterator[Left | Unclear]:
    """Yield what changes because lines of the order were refunded, in part or whole, or taken out of it."""
    items = {i.id: i for i in facts.items}
    running: dict[tuple[int, int, int], list[Registration]] = {}
    for r in registrations:
        if still_runs(r, today):
            running.setdefault((r.rule_id, r.request_id, r.item_id), []).append(r)
    for (_, _, item_id), rows in running.items():
        item = items.get(item_id)
        if item is None:
            yield from (Left(r.id, 0, "The item was taken out of the order.") for r in rows)
            continue
        may_run = max(0, item.quantity - item.quantity_refunded)
        over = sum(r.quantity for r in rows) - may_run
        if over <= 0 or not item.quantity_refunded:
            continue
        if may_run == 0:
            yield from (Left(r.id, 0, "The item was refunded.") for r in rows)
        elif any(r.serial for r in rows):
            yield Unclear(item_id, over, item.quantity)
        else:
            for r in sorted(rows, key=lambda r: r.piece, reverse=True):
                taken = min(over, r.quantity)
                if taken:
                    yield Left(r.id, r.quantity - taken, f"{taken} of {item.quantity} pieces refunded.")
                over -= taken


# Looking up -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """What somebody at the counter typed, as it may be found; "" for what it cannot be."""

    order: str = ""
    serial: str = ""
    email: str = ""
    phone: str = ""
    name: str = ""


def parse_wanted(text: str) -> Wanted:
    """Read one line of a search: it may be an order, a serial number, an address, a phone number or a name."""
    plain = " ".join(text.split())
    if "@" in plain:
        return Wanted(email=plain.lower())
    number = plain.lstrip("#").strip()
    is_number = number.isascii() and number.isdecimal() and len(number) <= 15
    return Wanted(
        order=str(int(number)) if is_number else "",
        serial=serial_key(plain),
        phone=phone_key(plain),
        name=name_key(plain) if any(c.isalpha() for c in plain) else "",
    )


def serial_key(text: str) -> str:
    """Return a serial number as it is compared: letters and digits only, whatever their case. "" for none."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in plain if c.isalnum())[:SERIAL_CHARACTERS]


def phone_key(text: str) -> str:
    """Return the digits by which a phone number is found, "" for what is none: +49 30 123-4567 is 030/1234567."""
    if any(c.isalpha() for c in text):
        return ""
    digits = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isascii() and c.isdecimal())
    return digits[-PHONE_DIGITS:] if len(digits) >= LEAST_PHONE else ""


def name_key(text: str) -> str:
    """Return a name as it is found: without accents, case and the order of its parts. "Lee, Ann" is "Ann Lee"."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split()
    return " ".join(sorted(words))[:NAME_CHARACTERS]


# Serial numbers from a file -------------------------------------------------------------------------------


@dataclass(frozen=True)
class SerialLine:
    """One line of a file. problem: why it cannot be taken, as a sentence; "" when it can."""

    line: int
    order: str
    sku: str
    serial: str
    problem: str = ""


def serial_heading_problem(names: Sequence[str]) -> str:
    """Return what is wrong with a heading, "" when nothing is. For imports.read_sheet."""
    missing = [c for c in SERIAL_COLUMNS if c not in names]
    if missing:
        return f"The column “{missing[0]}” is missing in line 1. The columns are: {', '.join(SERIAL_COLUMNS)}."
    twice = next((n for n in SERIAL_COLUMNS if names.count(n) > 1), "")
    return f"The column “{twice}” stands there twice." if twice else ""


def judge_serials(rows: Iterable[tuple[int, Mapping[str, str]]]) -> list[SerialLine]:
    """Return every line with what is wrong with it; the second of two equal serial numbers of a product is wrong."""
    seen: dict[tuple[str, str], int] = {}
    judged = []
    for number, given in rows:
        order, sku = given.get("order", "").lstrip("#").strip(), given.get("sku", "").strip()
        serial = clean_serial(given.get("serial", ""))
        problem = _line_problem(given, order, sku, serial)
        key = (sku.casefold(), serial_key(serial))
        if not problem and key in seen:
            problem = f"The same serial number as line {seen[key]}."
        if not problem:
            seen[key] = number
            order = str(int(order))
        judged.append(SerialLine(number, order[:20], sku[:100], serial, problem))
    return judged


def _line_problem(given: Mapping[str, str], order: str, sku: str, serial: str) -> str:
    if not (order.isascii() and order.isdecimal() and 0 < len(order) <= 15):
        return "The order number is missing." if not order else "The order number is not a number."
    if not sku:
        return "The SKU is missing."
    if not serial_key(serial):
        return "The serial number is missing, or has neither letters nor digits."
    for column in ("sku", "serial"):
        value = given.get(column, "")
        if len(value) > (SERIAL_CHARACTERS if column == "serial" else MOST_CHARACTERS):
            return f"The cell {column} is too long."
        if value.startswith(FORMULA):
            return f"The cell {column} begins with “{value[0]}”, as a formula does. Write it without."
    return ""
