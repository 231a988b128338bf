"""Earlier signatures from a file: what a line says, whom and what it means, and why it cannot be brought in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from bcapp.core.acceptances import DAY

COLUMNS = ("agreement", "signed_on", "email", "customer_id", "version", "valid_until", "name", "file")
NEEDED = ("agreement", "signed_on")
MOST_BYTES = 5 << 20
MOST_LINES = 10_000
MOST_CHARACTERS = 500
FORMULA = ("=", "+", "-", "@", "\t")
OLDEST = date(1990, 1, 1)
DAY_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class UnreadableSheet(ValueError):
    """The file as a whole cannot be read; the text says why and what to do."""


@dataclass(frozen=True)
class KnownVersions:
    """An agreement that a line may name. numbers: of all its versions."""

    id: int
    name: str
    newest: int
    numbers: frozenset[int]


@dataclass(frozen=True)
class KnownCustomer:
    id: int
    email: str  # lower case
    name: str


@dataclass(frozen=True)
class Judged:
    """state: match | miss. found: what will be kept, JSON; None for a miss."""

    state: str
    sentence: str
    found: dict[str, Any] | None = None


def read_sheet(
    content: bytes, heading_problem: Callable[[Sequence[str]], str] | None = None
) -> list[tuple[int, dict[str, str]]]:
    """Return (line, cells by column) of every line that is not empty; the heading is line 1.

    heading_problem: what is wrong with the columns of another kind of file, "" when nothing is.
    Raises UnreadableSheet for what is no such file: encoding, columns, size, an open quotation mark.
    """
    if len(content) > MOST_BYTES:
        raise UnreadableSheet(f"The file has more than {MOST_BYTES >> 20} MB. Split it and import the parts.")
    text = _decode(content)
    if "\x00" in text:
        raise UnreadableSheet("The file holds zero bytes: it is not a CSV file. Save the table as “CSV UTF-8”.")
    heading = text.partition("\n")[0]
    separator = max((",", ";", "\t"), key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        for cells in reader:
            if not columns:
                columns = _columns(cells, heading_problem)
                continue
            if not any(c.strip() for c in cells):
                continue
            if len(rows) >= MOST_LINES:
                raise UnreadableSheet(f"The file has more than {MOST_LINES:,} lines. Split it and import the parts.")
            given = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
            if len(cells) > len(columns) and any(c.strip() for c in cells[len(columns) :]):
                given["_more"] = "yes"
            rows.append((reader.line_num, {k: v[: MOST_CHARACTERS + 1] for k, v in given.items()}))
    except csv.Error as exc:
        why = "a quotation mark is never closed" if "end of data" in str(exc) else "a quotation mark or cell is broken"
        raise UnreadableSheet(f"Line {reader.line_num}: {why}. Save the table again as “CSV UTF-8”.") from exc
    if not columns:
        raise UnreadableSheet("The file is empty.")
    if not rows:
        raise UnreadableSheet("The file has a heading and no lines.")
    return rows


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        text = f"Line {line} holds a character that is not UTF-8. Save the table as “CSV UTF-8”, then import it again."
        raise UnreadableSheet(text) from None


def _columns(cells: Sequence[str], heading_problem: Callable[[Sequence[str]], str] | None) -> list[str]:
    names = [c.strip().lower().replace(" ", "_") for c in cells]
    if heading_problem is not None:
        if problem := heading_problem(names):
            raise UnreadableSheet(problem)
        return names
    unknown = [n for n in names if n and n not in COLUMNS]
    if unknown:
        names_known = ", ".join(COLUMNS)
        raise UnreadableSheet(f"The column “{unknown[0][:60]}” in line 1 is not known. The columns are: {names_known}.")
    twice = next((n for n in names if n and names.count(n) > 1), "")
    if twice:
        raise UnreadableSheet(f"The column “{twice}” stands there twice.")
    missing = [n for n in NEEDED if n not in names]
    if missing:
        raise UnreadableSheet(f"The column “{missing[0]}” is missing.")
    if "email" not in names and "customer_id" not in names:
        raise UnreadableSheet("Who signed is missing: add a column “email” or “customer_id”.")
    return names


def wanted_customers(rows: Sequence[Mapping[str, str]]) -> tuple[set[int], set[str]]:
    """Return the customer ids and addresses that these lines name, as far as they can be any."""
    ids = {int(r["customer_id"]) for r in rows if _is_number(r.get("customer_id", ""))}
    emails = {r["email"].lower() for r in rows if "@" in r.get("email", "") and "," not in r["email"]}
    return ids, emails


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < len(text) <= 15


def judge_line(
    given: Mapping[str, str],
    agreements: Sequence[KnownVersions],
    customers: Sequence[KnownCustomer],
    files: Mapping[str, str],
    now: datetime,
    zone: tzinfo,
) -> Judged:
    """Return what a line means, or why it means nothing. files: lower-case name -> SHA-256 in hex."""

    def miss(sentence: str) -> Judged:
        return Judged("miss", sentence)

    if given.get("_more"):
        return miss("The line has more cells than the heading.")
    for column, value in given.items():
        if len(value) > MOST_CHARACTERS:
            return miss(f"The cell {column} has more than {MOST_CHARACTERS} characters.")
        if value.startswith(FORMULA):
            return miss(f"The cell {column} begins with “{value[0]}”, as a formula does. Write it without.")
    agreement = _agreement(given["agreement"], agreements)
    if isinstance(agreement, str):
        return miss(agreement)
    version = agreement.newest
    if given.get("version"):
        if not _is_number(given["version"]) or int(given["version"]) not in agreement.numbers:
            return miss(f"“{agreement.name}” has no version {given['version'][:20]}.")
        version = int(given["version"])
    signed = _day(given["signed_on"])
    if signed is None:
        return miss("The day of signing is written like 2024-03-12.")
    if signed < OLDEST or signed > now.astimezone(zone).date():
        return miss("The day of signing lies in the future." if signed > OLDEST else "Nobody signed that long ago.")
    until = None
    if given.get("valid_until"):
        until = _day(given["valid_until"])
        if until is None:
            return miss("The last day is written like 2027-12-31.")
        if until < signed:
            return miss("It ends before it was signed.")
    customer = _customer(given, customers)
    if isinstance(customer, str):
        return miss(customer)
    document = ""
    if given.get("file"):
        document = files.get(file_key(given["file"]), "")
        if not document:
            return miss(f"The file “{given['file'][:80]}” was not uploaded.")
    name = given.get("name") or customer.name
    begins = datetime.combine(signed, time(), zone).astimezone(UTC)
    ends = datetime.combine(until + DAY, time(), zone).astimezone(UTC) if until else None
    found = {
        "party_kind": "customer",
        "party_id": str(customer.id),
        "label": ", ".join(p for p in (name, customer.email) if p)[:400],
        "agreement_id": agreement.id,
        "agreement_version": version,
        "scope": "customer",
        "scope_id": "",
        "valid_from": begins.isoformat(),
        "valid_until": ends.isoformat() if ends else None,
        "document": document,
    }
    over = ", which is over: it will count for nothing" if ends is not None and ends <= now else ""
    pdf = ", with its PDF" if document else ""
    sentence = f"Customer {customer.id}, {agreement.name}, version {version}{pdf}{over}."
    return Judged("match", sentence, found)


def key_of(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes two lines the same signature."""
    return tuple(found[k] for k in ("party_kind", "party_id", "agreement_id", "agreement_version", "valid_from"))


def file_key(name: str) -> str:
    """Return a file's name as it is looked up: without its folder, whatever its case."""
    return name.replace("\\", "/").rpartition("/")[2].strip().casefold()


def _agreement(name: str, agreements: Sequence[KnownVersions]) -> KnownVersions | str:
    if not name:
        return "The agreement is missing."
    found = [a for a in agreements if a.name.casefold() == name.casefold()]
    if len(found) > 1:
        return f"Several agreements are called “{name[:80]}”. Give them different names first."
    return found[0] if found else f"No agreement is called “{name[:80]}”."


def _customer(given: Mapping[str, str], customers: Sequence[KnownCustomer]) -> KnownCustomer | str:
    number, email = given.get("customer_id", ""), given.get("email", "").lower()
    if not number and not email:
        return "Neither an address nor a customer number is given."
    by_id = by_email = None
    if number:
        if not _is_number(number):
            return f"“{number[:30]}” is not a customer number."
        by_id = next((c for c in customers if c.id == int(number)), None)
        if by_id is None:
            return f"The store has no customer {number}."
    if email:
        if "@" not in email or len(email) > 254:
            return "The e-mail address does not look like one."
        by_email = next((c for c in customers if c.email == email), None)
        if by_email is None and by_id is None:
            return "No customer of the store has this e-mail address."
    if by_id is not None and email and by_id.email != email:
        return f"Customer {by_id.id} has another e-mail address."
    found = by_id or by_email
    assert found is not None
    return found


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if DAY_WRITTEN.fullmatch(text) else None
    except ValueError:
        return None
