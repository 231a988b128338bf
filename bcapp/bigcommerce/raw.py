"""Single values of what BigCommerce writes: texts, numbers, amounts, dates, each proven to be one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from bcapp.errors import UnreadableInput

LONGEST = 200_000  # characters of one text; staff notes are at most 65,535

Raw = Mapping[str, Any]


def text_in(raw: Raw, name: str) -> str:
    value = raw.get(name)
    if value is None or isinstance(value, (dict, list, bool)):
        return ""
    return str(value)[:LONGEST].replace("\x00", "")  # which no database takes


def whole_in(raw: Raw, name: str, default: int | None = None) -> int:
    """Return a whole number, also from text. Without a default it must be there."""
    value = raw.get(name)
    if value is None or value == "":
        if default is None:
            raise UnreadableInput(f"{name} is missing")
        return default
    if isinstance(value, bool):
        raise UnreadableInput(f"{name} is not a number")
    try:
        number = Decimal(str(value))
        if number == number.to_integral_value() and abs(number) < 2**63:
            return int(number)
    except InvalidOperation:
        pass
    raise UnreadableInput(f"{name} is not a whole number")


def amount_in(raw: Raw, name: str, default: Decimal | None = None) -> Decimal:
    """Return money exactly as written: V2 sends text, V3 numbers."""
    value = raw.get(name)
    if value is None or value == "":
        if default is None:
            raise UnreadableInput(f"{name} is missing")
        return default
    if isinstance(value, (bool, dict, list)):
        raise UnreadableInput(f"{name} is not an amount")
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise UnreadableInput(f"{name} is not an amount") from None
    if not amount.is_finite() or abs(amount) >= Decimal("1e15"):
        raise UnreadableInput(f"{name} is not an amount")
    return amount


def rows_in(raw: Any, name: str) -> list[Raw]:
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(row, Mapping) for row in raw):
        raise UnreadableInput(f"{name} is not a list of objects")
    return raw


def parse_date(value: Any, name: str) -> datetime:
    """Return an aware UTC time from RFC 2822 (V2), ISO 8601 (V3) or Unix seconds."""
    try:
        if isinstance(value, str) and value.strip():
            text = value.strip()
            iso = re.match(r"\d{4}-\d{2}-\d{2}", text)
            at = datetime.fromisoformat(text) if iso else parsedate_to_datetime(text)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        raise UnreadableInput(f"{name} is not a date") from None
    raise UnreadableInput(f"{name} is missing" if value in (None, "") else f"{name} is not a date")
