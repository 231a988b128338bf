"""Suppliers: what they cover, what their papers say, which products to hide and to show again, and lists of them.

A product may have several suppliers. It is hidden while any one of them keeps it hidden, and shown again by the last.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

SLICE = 10  # products of one write: the most that the vendor takes
EVERYWHERE = 0  # the product's own visibility; every other place is the number of a channel
COVER_KINDS = ("brand", "category", "product")
AGREEMENT, INSURANCE, TAX_FORM = "agreement", "insurance", "tax_form"
ITEMS = {AGREEMENT: "Agreement", INSURANCE: "Insurance certificate", TAX_FORM: "Tax form"}
SOON_DAYS = 30
ALL, NEW = "all", "new"  # which products are hidden: all that it covers, or those made after it was invited

MOST_NAME = 200
MOST_COVERS = 200
MOST_LINES = 2_000
EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
ACCOUNT = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Z0-9])")
# Length of an international account number by country. Source: the IBAN registry of SWIFT.
ACCOUNT_LENGTHS = {
    "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
    "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IT": 27, "LT": 20, "LU": 20,
    "LV": 21, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24,
    "TR": 26,
}  # fmt: skip
DAY_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FORMULA = ("=", "+", "-", "@", "\t")
BANK_COLUMNS = frozenset(
    {"iban", "bic", "swift", "bank", "bank_account", "account_number", "sort_code", "routing_number"}
)
NO_BANK_DATA = "Countersign keeps no bank data. Take the account number out."


# What a supplier covers -----------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Cover:
    """A brand, category or product of a supplier. name: as typed; a product's SKU. ref: its number, 0 until found."""

    kind: str
    name: str
    ref: int = 0


@dataclass(frozen=True)
class ShelfProduct:
    """What is asked of a product here. categories: with all ancestors. channels: that it is assigned to."""

    id: int
    brand_id: int
    categories: frozenset[int]
    is_visible: bool
    channels: frozenset[int]
    created_at: datetime


def is_covered(product: ShelfProduct, covers: Iterable[Cover]) -> bool:
    return any(
        cover.ref
        and (
            (cover.kind == "brand" and cover.ref == product.brand_id)
            or (cover.kind == "category" and cover.ref in product.categories)
            or (cover.kind == "product" and cover.ref == product.id)
        )
        for cover in covers
    )


def is_meant(product: ShelfProduct, covers: Iterable[Cover], what: str, since: datetime | None) -> bool:
    """Return whether a supplier that hides `what` hides this product. since: when it was invited.

    The store tells whole seconds only: what was made in that second counts as made after it.
    """
    if what == NEW and (since is None or product.created_at < since.replace(microsecond=0)):
        return False
    return what in (ALL, NEW) and is_covered(product, covers)


def stronger(one: str, other: str) -> str:
    """Return the wider of two ways to hide; "" is none."""
    return ALL if ALL in (one, other) else one or other


# Hiding and showing again ---------------------------------------------------------------------------------


def is_on(product: ShelfProduct, place: int) -> bool:
    return product.is_visible if place == EVERYWHERE else place in product.channels


def places_to_hide(product: ShelfProduct, channels: Collection[int]) -> frozenset[int]:
    """Return where the product has to be switched off. channels: where its supplier's rule acts, none for everywhere.

    A product that nobody sees needs nothing.
    """
    if not product.is_visible:
        return frozenset()
    if not channels or product.channels <= frozenset(channels):
        return frozenset({EVERYWHERE})
    return product.channels & frozenset(channels)


def places_to_show(product: ShelfProduct, hidden: Collection[int]) -> frozenset[int]:
    """Return where the product is as we left it, and so is switched on again. hidden: where we switched it off."""
    return frozenset(place for place in hidden if not is_on(product, place))


def after(product: ShelfProduct, places: Collection[int], *, on: bool) -> ShelfProduct:
    """Return the product as it stands once the places are switched."""
    channels = frozenset(places) - {EVERYWHERE}
    return ShelfProduct(
        product.id,
        product.brand_id,
        product.categories,
        on if EVERYWHERE in places else product.is_visible,
        product.channels | channels if on else product.channels - channels,
        product.created_at,
    )


def slices(ids: Sequence[int], size: int = SLICE) -> Iterator[Sequence[int]]:
    for at in range(0, len(ids), size):
        yield ids[at : at + size]


# The checklist --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """One paper of a supplier. expires_on: the last day on which it counts; None: for good."""

    name: str  # a key of ITEMS
    needed: bool = True
    given_on: date | None = None
    expires_on: date | None = None

    @property
    def label(self) -> str:
        return ITEMS.get(self.name, self.name)

    def state(self, today: date, soon: int = SOON_DAYS) -> str:
        """Return missing | good | ending | ended, or not_needed for one that is neither needed nor there."""
        if self.given_on is None:
            return "missing" if self.needed else "not_needed"
        if self.expires_on is None or today + timedelta(days=soon) < self.expires_on:
            return "good"
        return "ending" if today <= self.expires_on else "ended"

    def counts(self, today: date) -> bool:
        """Return whether nothing is to be missed of it on that day."""
        return self.state(today) in ("good", "ending", "not_needed")


def is_complete(items: Iterable[Item], today: date) -> bool:
    return all(item.counts(today) for item in items if item.needed)


def ends_on(signed_on: date, months: int) -> date | None:
    """Return the last day of an agreement that counts for so many months; None (months 0): for good."""
    if not months:
        return None
    year, month = divmod(signed_on.year * 12 + signed_on.month - 1 + months, 12)
    day = min(signed_on.day, monthrange(year, month + 1)[1])
    return date(year, month + 1, day) - timedelta(days=1)


def renews_on(expires_on: date | None, days: int) -> date | None:
    """Return the day on which a new signature is asked for."""
    return expires_on - timedelta(days=days) if expires_on else None


# What is typed of a supplier, in the panel and in a list --------------------------------------------------


@dataclass(frozen=True)
class Contact:
    name: str
    email: str  # lower case


@dataclass(frozen=True)
class Draft:
    """A supplier as typed and found to be in order. papers: item -> its last day."""

    name: str
    registration: str = ""
    country: str = ""  # ISO 3166 alpha-2
    language: str = "en"
    signatory: Contact | None = None
    operations: Contact | None = None
    covers: tuple[Cover, ...] = ()
    papers: tuple[tuple[str, date], ...] = ()


COLUMNS = (
    "name", "registration", "country", "language", "signatory_name", "signatory_email", "operations_name",
    "operations_email", "brands", "categories", "products", "insurance_until", "tax_form_until",
)  # fmt: skip
COVER_COLUMNS = {"brands": "brand", "categories": "category", "products": "product"}
PAPER_COLUMNS = {"insurance_until": INSURANCE, "tax_form_until": TAX_FORM}
LANGUAGE = re.compile(r"[a-z]{2}(-[a-z]{2})?")


def split_names(text: str) -> list[str]:
    """Return the names of a cell or a box: parted by | or by lines, each once, in their order."""
    found: dict[str, str] = {}
    for part in re.split(r"[|\n]", text):
        if part.strip():
            found.setdefault(part.strip().casefold(), part.strip())
    return list(found.values())


def has_account_number(text: str) -> bool:
    """Return whether a text holds an IBAN, with or without gaps."""
    return any(_adds_up(re.sub(r"[ -]", "", m[0])) for m in ACCOUNT.finditer(text.upper()))


def _adds_up(text: str) -> bool:
    """text: an account number, perhaps with what stands behind it."""
    length = ACCOUNT_LENGTHS.get(text[:2], 0)
    turned = text[4:length] + text[:4]
    return 0 < length <= len(text) and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def read_draft(given: Mapping[str, str]) -> tuple[Draft | None, dict[str, str]]:
    """Return the supplier that these cells describe, or None and what is wrong, by the name of the cell."""
    wrong: dict[str, str] = {}
    cells = {name: " ".join(given.get(name, "").split()) for name in COLUMNS if name not in COVER_COLUMNS}
    for name, text in given.items():
        if name in COLUMNS and name != "products" and has_account_number(text):
            wrong[name] = NO_BANK_DATA
    if not cells["name"]:
        wrong["name"] = "The name of the supplier is missing."
    elif len(cells["name"]) > MOST_NAME:
        wrong["name"] = f"A name has at most {MOST_NAME} characters."
    if len(cells["registration"]) > 60:
        wrong["registration"] = "A registration number has at most 60 characters."
    country = cells["country"].upper()
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        wrong["country"] = "Write the country as two letters, such as DE."
    language = cells["language"].lower() or "en"
    if not LANGUAGE.fullmatch(language):
        wrong["language"] = "Write the language as two letters, such as en or de."
    contacts = {role: _contact(role, cells, wrong) for role in ("signatory", "operations")}
    covers: list[Cover] = []
    for column, kind in COVER_COLUMNS.items():
        names = split_names(given.get(column, ""))
        if any(len(n) > MOST_NAME for n in names):
            wrong[column] = f"A name has at most {MOST_NAME} characters. Part several by | or by lines."
        covers += [Cover(kind, n) for n in names]
    if len(covers) > MOST_COVERS:
        wrong["brands"] = f"A supplier covers at most {MOST_COVERS} brands, categories and products."
    papers: list[tuple[str, date]] = []
    for column, item in PAPER_COLUMNS.items():
        if cells[column]:
            day = read_day(cells[column])
            if day is None:
                wrong[column] = "A day is written like 2027-12-31."
            else:
                papers.append((item, day))
    if wrong:
        return None, wrong
    return (
        Draft(
            cells["name"], cells["registration"], country, language, contacts["signatory"], contacts["operations"],
            tuple(covers), tuple(papers),
        ),
        {},
    )  # fmt: skip


def _contact(role: str, cells: Mapping[str, str], wrong: dict[str, str]) -> Contact | None:
    name, email = cells[f"{role}_name"], cells[f"{role}_email"].lower()
    if len(name) > MOST_NAME:
        wrong[f"{role}_name"] = f"A name has at most {MOST_NAME} characters."
    if email and (not EMAIL.fullmatch(email) or len(email) > 254):
        wrong[f"{role}_email"] = "This does not look like an e-mail address."
    if name and not email:
        wrong[f"{role}_email"] = "The e-mail address is missing."
    return Contact(name or email, email) if email else None


def read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if DAY_WRITTEN.fullmatch(text) else None
    except ValueError:
        return None


# A list from a file ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One line of a file. draft: None with the problem in words."""

    number: int
    given: Mapping[str, str]
    draft: Draft | None
    problem: str = ""


def heading_problem(names: Sequence[str]) -> str:
    """Return what is wrong with the first line, "" when nothing is. names: its cells, as the reader spells them."""
    for name in names:
        if name in BANK_COLUMNS:
            return f"The column “{name}” holds bank data, which Countersign does not keep. Take it out of the file."
        if name and name not in COLUMNS:
            return f"The column “{name[:60]}” in line 1 is not known. The columns are: {', '.join(COLUMNS)}."
        if name and list(names).count(name) > 1:
            return f"The column “{name}” stands there twice."
    return "" if "name" in names else "The column “name” is missing."


def read_lines(rows: Iterable[tuple[int, Mapping[str, str]]]) -> list[Line]:
    """Return what each line means. Every problem names its cell; of two lines about one supplier the first counts."""
    found: list[Line] = []
    first: dict[str, int] = {}
    for number, given in rows:
        draft, problem = _judge(given)
        if draft is not None:
            keys = identities(draft.name, draft.registration)
            twin = next((first[k] for k in keys if k in first), 0)
            if twin:
                draft, problem = None, f"The same supplier as line {twin}."
            else:
                first |= dict.fromkeys(keys, number)
        found.append(Line(number, given, draft, problem))
    return found


def _judge(given: Mapping[str, str]) -> tuple[Draft | None, str]:
    if given.get("_more"):
        return None, "The line has more cells than the heading."
    for column, value in given.items():
        if value.startswith(FORMULA):
            return None, f"The cell {column} begins with “{value[0]}”, as a formula does. Write it without."
    draft, wrong = read_draft(given)
    if draft is None:
        column, sentence = next(iter(wrong.items()))
        return None, f"{column}: {sentence}"
    return draft, ""


def identities(name: str, registration: str) -> tuple[str, ...]:
    """Return what makes two entries the same supplier: the registration number, else the name."""
    if registration:
        return (f"registration {re.sub(r'[^A-Z0-9]', '', registration.upper())}",)
    return (f"name {' '.join(name.casefold().split())}",)
