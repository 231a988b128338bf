"""What signers typed, as values of the type that was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.core import get_global
from babel.dates import get_date_format, parse_pattern

from bcapp.core import formats
from bcapp.core.model import Money, PlacedField, SignatureRequest

MOST_DIGITS = 40  # of a number that somebody typed; a longer one is no number that anybody meant
ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
PARTS_OF_DAY = re.compile(r"\d+")
CURRENCY = re.compile(r"[A-Z]{3}")
SIGNS = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "zł": "PLN", "CHF": "CHF"}


@dataclass(frozen=True)
class Typed:
    """One input. raw: as typed. value: of the type asked for, None when what was typed is not one (or is empty).

    type: text | number | date | money | checkbox. valid: False for what is not of its type.
    """

    external_id: str
    label: str
    type: str
    raw: str
    value: str | Decimal | date | Money | bool | None
    valid: bool


def typed_inputs(request: SignatureRequest, currency: str = "") -> tuple[Typed, ...]:
    """Return what the signers of a request typed, in the order of the document's fields.

    currency: of an amount that names none, usually the record's. An input that no field of ours asked for is text.
    """
    fields = {f.external_id: f for f in request.fields if f.external_id}
    order = {name: place for place, name in enumerate(fields)}
    found = [read_input(one, fields.get(str(one.get("id"))), request.language, currency) for one in request.inputs]
    return tuple(sorted(found, key=lambda t: order.get(t.external_id, len(order))))


def read_input(one: Mapping[str, Any], field: PlacedField | None, language: str, currency: str) -> Typed:
    """Read one input ({id, type, value} as kept) by what its field asked for."""
    external_id = str(one.get("id") or "")
    raw = "" if one.get("value") is None else str(one["value"])
    kind = _kind(str(one.get("type") or "t"), field)
    value: Any
    match kind:
        case "checkbox":
            value = _flag(one.get("value"))
        case "number":
            value = parse_number(raw, language)
        case "date":
            value = parse_day(raw, language)
        case "money":
            value = parse_sum(raw, language, currency)
        case _:
            value = raw
    blank = not raw.strip() and kind != "checkbox"
    label = field.label if field else ""
    return Typed(external_id, label, kind, raw, None if blank else value, blank or value is not None)


def _kind(type_: str, field: PlacedField | None) -> str:
    if type_ == "c":
        return "checkbox"
    if field is not None and field.type == "t":
        return field.value
    return "date" if type_ == "d" else "text"


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "": False}.get(
        str(value if value is not None else "").strip().lower()
    )


def parse_number(text: str, language: str) -> Decimal | None:
    """Read a number as its language writes it; a plain 1234.5 always. None for what is none, or may be two."""
    digits = "".join(text.split()).replace("\u2019", "'").replace("\u2212", "-")
    if not re.fullmatch(r"[-+]?[0-9.,']{1,60}", digits) or len(re.sub(r"\D", "", digits)) > MOST_DIGITS:
        return None
    symbols = formats.locale_for(language).number_symbols["latn"]
    mark = "," if symbols["decimal"] == "," else "."
    group = "." if mark == "," else ","
    whole, _, part = digits.rpartition(mark) if digits.count(mark) == 1 else (digits, "", "")
    if mark == "," and "," not in digits and re.fullmatch(r"[-+]?\d+\.\d{1,2}|[-+]?\d+\.\d{4,}", digits):
        whole, part = digits.split(".")  # 1234.5 is not 12,345 in any language
    if not re.fullmatch(rf"[-+]?(\d+|\d{{1,3}}([{group}']\d{{3}})+)", whole) or not re.fullmatch(r"\d*", part):
        return None
    try:
        return Decimal(re.sub(r"[.,']", "", whole) + (f".{part}" if part else ""))
    except InvalidOperation:
        return None


def parse_day(text: str, language: str) -> date | None:
    """Read a day as 2026-03-12, or in figures in the order of its language."""
    plain = text.strip()
    numbers = [int(n) for n in PARTS_OF_DAY.findall(plain[:40])]
    if not re.fullmatch(r"[\d\s./\-]{6,20}", plain) or len(numbers) != 3:
        return None
    if ISO_DAY.fullmatch(plain):
        year, month, day = numbers
    else:
        by_letter = dict(zip(_order_of_day(language), numbers, strict=True))
        year, month, day = by_letter["y"], by_letter["M"], by_letter["d"]
        year += 2000 if year < 100 else 0
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _order_of_day(language: str) -> str:
    """Return the letters y M d in the order in which a language writes them."""
    pattern = parse_pattern(get_date_format("short", locale=formats.locale_for(language))).pattern
    return "".join(dict.fromkeys(c for c in pattern if c in "yMd"))


def parse_sum(text: str, language: str, currency: str) -> Money | None:
    """Read an amount with its currency (1,200 EUR, EUR 1,200, €1,200); without one, in the currency given."""
    plain = text.strip()
    named = currency
    for sign, code in SIGNS.items():
        if sign in plain:
            named, plain = code, plain.replace(sign, "", 1)
            break
    else:
        if found := CURRENCY.search(plain.upper()):
            named = found[0]
            plain = re.sub(named, "", plain, count=1, flags=re.IGNORECASE)
    number = parse_number(plain, language)
    if number is None or named not in get_global("all_currencies"):
        return None
    return Money(number, named)
