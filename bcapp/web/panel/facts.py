"""A record's material facts in words: for its page, and for what changed between two snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from babel import Locale, UnknownLocaleError

from bcapp.core.snapshot import difference
from bcapp.web.render import format_money

LABELS = {
    "customer": "Customer number",
    "email": "E-mail address",
    "billing": "Billing address",
    "shipping": "Shipping address",
    "currency": "Currency",
    "total": "Total",
    "tax": "Tax",
    "discount": "Discount",
    "lines": "Items",
}
MONEY = frozenset({"total", "tax", "discount"})
ADDRESS_PARTS = frozenset({"street", "postcode", "city"})
# BigCommerce's order statuses. Source: its API reference, "Order statuses".
ORDER_STATUS = {
    0: "Incomplete", 1: "Pending", 2: "Shipped", 3: "Partially shipped", 4: "Refunded", 5: "Cancelled",
    6: "Declined", 7: "Awaiting payment", 8: "Awaiting pickup", 9: "Awaiting shipment", 10: "Completed",
    11: "Awaiting fulfillment", 12: "Manual verification required", 13: "Disputed", 14: "Partially refunded",
}  # fmt: skip


def input_label(external_id: str) -> str:
    """Return what a signer typed into, as the document called it: its label without the signer's number at the end."""
    return re.sub(r"_[0-9]{1,2}$", "", external_id).replace("_", " ").strip().capitalize()


def language_name(code: str) -> str:
    """Return a language by its name in English, by its code when it has none."""
    try:
        return str(Locale.parse(code, sep="-").get_display_name("en") or code)
    except (UnknownLocaleError, ValueError):
        return code


def status_name(status_id: object) -> str:
    """Return an order status by its name in the control panel; "" for what is no status."""
    try:
        number = int(str(status_id))
    except ValueError:
        return ""
    return ORDER_STATUS.get(number, f"Status {number}")


def change_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, before, after) for what differs; items one by one, the unchanged ones left out."""
    rows: list[tuple[str, str, str]] = []
    for name, _, _ in difference(dict(before), dict(after)):
        if name == "lines":
            rows += _line_rows(before.get("lines") or (), after.get("lines") or ())
        else:
            rows.append((label_of(name), _say(name, before), _say(name, after)))
    return rows


def label_of(name: str) -> str:
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def plain_rows(snapshot: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of every material fact that has one, in their order."""
    return [(label_of(name), said) for name in snapshot if (said := _say(name, snapshot)) != "–"]


def _say(name: str, snapshot: Mapping[str, Any]) -> str:
    value = snapshot.get(name)
    if name in MONEY and value is not None:
        return _money(str(value), str(snapshot.get("currency", "")))
    return _plain(value)


def _plain(value: Any) -> str:
    """Return any value of a snapshot on one line."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, Mapping):
        if value.keys() & ADDRESS_PARTS:
            return address_text(value)
        return ", ".join(f"{label_of(str(k))}: {_plain(v)}" for k, v in value.items() if v not in (None, "")) or "–"
    if isinstance(value, list):
        joint = ": " if len(value) == 2 and all(isinstance(v, str) for v in value) else "; "
        return joint.join(_plain(v) for v in value) or "–"
    return str(value)


def _money(text: str, currency: str) -> str:
    try:
        return format_money(Decimal(text), currency)
    except (InvalidOperation, ValueError):
        return text


def address_text(address: Mapping[str, Any]) -> str:
    """Return an address on one line, without empty parts."""
    town = " ".join(str(address.get(k, "")) for k in ("postcode", "city") if address.get(k))
    parts = [address.get("company"), address.get("name"), address.get("street"), town, address.get("state")]
    return ", ".join(str(p) for p in (*parts, address.get("country")) if p) or "–"


def _line_rows(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    old, new = _by_item(before), _by_item(after)
    rows = []
    for key in sorted(old.keys() | new.keys(), key=str):
        was, now = old.get(key, []), new.get(key, [])
        if was != now:
            name = str((was or now)[0].get("name") or key)
            rows.append((name, "; ".join(map(_line, was)) or "–", "; ".join(map(_line, now)) or "–"))
    return rows


def _by_item(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for line in lines:
        found.setdefault((line.get("product"), line.get("variant"), line.get("sku")), []).append(line)
    return found


def _line(line: Mapping[str, Any]) -> str:
    options = ", ".join(f"{o[0]}: {o[1]}" for o in line.get("options") or ())
    price = str(line.get("unit_price", ""))
    try:
        price = f"{Decimal(price).normalize():f}"
    except InvalidOperation:
        price = price or "–"
    return f"{line.get('quantity')} × {price}" + (f" ({options})" if options else "")
