"""What if: a stored record with some facts changed by hand, judged by every rule without effect."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from bcapp.core.kinds.kind import Kind
from bcapp.core.money import parse_money, written
from bcapp.errors import UnreadableInput

MOST_TEXT = 250  # characters
DAY_CHARACTERS = 10  # of a day without a time


@dataclass(frozen=True)
class Edit:
    """One fact that may be changed. path: where it stands in the stored form; a number is a place in a list.

    type: money | amount | number | text | country | email | flag | time. An empty text where the stored form has none
    leaves it so. default: what an absent key stands for.
    """

    path: tuple[str | int, ...]
    label: str
    type: str
    default: Any = ""

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))


EDITS: dict[str, tuple[Edit, ...]] = {
    "order": (
        Edit(("total",), "Order total", "money"),
        Edit(("status_id",), "Status number", "number"),
        Edit(("created_at",), "Created", "time"),
        Edit(("shipping", 0, "country"), "Shipping country", "country"),
        Edit(("billing", "country"), "Billing country", "country"),
        Edit(("billing", "email"), "E-mail address", "email"),
        Edit(("billing", "company"), "Company", "text"),
        Edit(("customer_id",), "Customer number (0: guest)", "number"),
        Edit(("customer_group_id",), "Customer group", "number"),
        Edit(("channel_id",), "Channel", "number"),
        Edit(("payment_method",), "Payment method", "text"),
        Edit(("payment_status",), "Payment status", "text"),
        Edit(("items", 0, "sku"), "SKU of the first line", "text"),
        Edit(("items", 0, "brand_name"), "Brand of the first line", "text"),
        Edit(("history", "orders_before"), "Earlier orders", "number"),
    ),
    "customer": (
        Edit(("email",), "E-mail address", "email"),
        Edit(("company",), "Company", "text"),
        Edit(("group_id",), "Customer group", "number"),
        Edit(("channel_id",), "Channel", "number"),
        Edit(("created_at",), "Registered", "time"),
        Edit(("addresses", 0, "country"), "Country", "country"),
        Edit(("accepts_marketing",), "Accepts marketing e-mails", "flag", False),
        Edit(("history", "orders_before"), "Orders so far", "number"),
    ),
    "product": (
        Edit(("name",), "Name", "text"),
        Edit(("sku",), "SKU", "text"),
        Edit(("price",), "Price", "money"),
        Edit(("cost",), "Cost price", "money"),
        Edit(("sale_price",), "Sale price", "money"),
        Edit(("brand_name",), "Brand", "text"),
        Edit(("availability",), "Availability", "text"),
        Edit(("is_visible",), "Visible", "flag", False),
        Edit(("created_at",), "Created", "time"),
    ),
}


def _holder(stored: Any, path: tuple[str | int, ...]) -> Any:
    """Return what the last part of the path stands in, None when the record has no such part."""
    for part in path[:-1]:
        if isinstance(stored, Mapping) and isinstance(part, str):
            stored = stored.get(part)
        elif isinstance(stored, list) and isinstance(part, int) and part < len(stored):
            stored = stored[part]
        else:
            return None
    return stored if isinstance(stored, dict) else None


def editable(kind: Kind, stored: Mapping[str, Any], zone: tzinfo = UTC) -> list[tuple[Edit, str]]:
    """Return what may be changed of this record, each with its value as it is typed.

    Flags are "yes" or "". zone: the store's, in which times are shown and typed, to the minute.
    """
    found = []
    for edit in EDITS.get(kind.name, ()):
        holder = _holder(stored, edit.path)
        if holder is not None:
            value = holder.get(edit.path[-1], edit.default)
            found.append((edit, _shown(edit, value, zone)))
    return found


def _shown(edit: Edit, value: Any, zone: tzinfo) -> str:
    text = str(value)
    try:
        match edit.type:
            case "flag":
                return "yes" if value else ""
            case "money" if text:
                money = parse_money(text)
                return f"{written(money.amount)} {money.currency}"
            case "time" if text:
                return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}"
    except ValueError:
        pass  # stored by another release: shown as it stands
    return text


def edited(
    kind: Kind, stored: Mapping[str, Any], given: Mapping[str, str], zone: tzinfo = UTC
) -> tuple[Any, dict[str, str]]:
    """Return the facts with what was typed, and what is wrong by the edit's name; facts are None when something is.

    given: typed values by the edit's name; what is absent stays as it is stored. zone: see editable.
    """
    changed, errors = copy.deepcopy(dict(stored)), dict[str, str]()
    for edit, before in editable(kind, stored, zone):
        text = given.get(edit.name, before).strip()
        if text == before:
            continue
        try:
            _holder(changed, edit.path)[edit.path[-1]] = _value(edit, text, zone)
        except ValueError as exc:
            errors[edit.name] = f"{edit.label}: {exc}."
    if errors:
        return None, errors
    try:
        return kind.parse(changed), {}
    except UnreadableInput as exc:
        return None, {"": f"This record cannot be read: {exc}."}


def _value(edit: Edit, text: str, zone: tzinfo) -> Any:
    if len(text) > MOST_TEXT:
        raise ValueError(f"at most {MOST_TEXT} characters")
    match edit.type:
        case "money":
            money = parse_money(text)
            return f"{money.amount:f} {money.currency}"
        case "amount":
            if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", text):
                raise ValueError(f"{text[:40]!r} is not an amount")
            return f"{Decimal(text):f}"
        case "number":
            if not re.fullmatch("[0-9]{1,12}", text):
                raise ValueError(f"{text[:40]!r} is not a whole number")
            return int(text)
        case "country":
            if not re.fullmatch("[A-Z]{2}", text.upper()):
                raise ValueError("two letters, such as DE")
            return text.upper()
        case "flag":
            return text == "yes"
        case "time":
            try:
                at = datetime.fromisoformat(text)
                if len(text) <= DAY_CHARACTERS:
                    raise ValueError
                return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).isoformat()
            except (ValueError, OverflowError):
                raise ValueError("a day and a time, such as 2026-11-23 09:00") from None
    return text
