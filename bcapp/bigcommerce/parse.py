"""What BigCommerce writes, in our words. Unknown fields are ignored: the vendor adds them without notice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from bcapp.core.agreements import Price
from bcapp.core.model import Address, History, LineItem, Money, OrderFacts, Transaction
from bcapp.errors import UnreadableInput

# 0 is an abandoned payment page; everything else was placed by the shopper or the staff.
INCOMPLETE = 0
PHYSICAL, DIGITAL = "physical", "digital"
LONGEST = 200_000  # characters of one text; staff notes are at most 65,535

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class StoreProfile:
    """The store as its owner set it up; what is kept as stores.profile."""

    name: str
    domain: str
    secure_url: str
    control_panel_url: str
    timezone: str  # IANA name, "" when the store does not say
    currency: str
    language: str
    admin_email: str
    order_email: str
    default_channel_id: int
    plan: str
    status: str


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    if value is None or isinstance(value, (dict, list, bool)):
        return ""
    return str(value)[:LONGEST]


def _whole(raw: Raw, name: str, default: int | None = None) -> int:
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


def _amount(raw: Raw, name: str, default: Decimal | None = None) -> Decimal:
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


def _rows(raw: Any, name: str) -> list[Raw]:
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


def _has_date(value: Any) -> bool:
    return bool(value) and not str(value).startswith("0000")


def parse_store(raw: Raw) -> StoreProfile:
    zone = raw.get("timezone")
    return StoreProfile(
        name=_text(raw, "name"),
        domain=_text(raw, "domain"),
        secure_url=_text(raw, "secure_url"),
        control_panel_url=_text(raw, "control_panel_base_url"),
        timezone=_text(zone, "name") if isinstance(zone, Mapping) else "",
        currency=_text(raw, "currency"),
        language=_text(raw, "language") or "en",
        admin_email=_text(raw, "admin_email"),
        order_email=_text(raw, "order_email"),
        default_channel_id=_whole(raw, "default_channel_id", 1),
        plan=_text(raw, "plan_name"),
        status=_text(raw, "status"),
    )


def parse_address(raw: Raw) -> Address:
    lines = [_text(raw, name).strip() for name in ("street_1", "street_2")]
    return Address(
        name=" ".join(p for p in (_text(raw, n).strip() for n in ("first_name", "last_name")) if p),
        company=_text(raw, "company"),
        street=", ".join(line for line in lines if line),
        city=_text(raw, "city"),
        state=_text(raw, "state"),
        postcode=_text(raw, "zip"),
        country=_text(raw, "country_iso2").upper(),
        email=_text(raw, "email").strip(),
        phone=_text(raw, "phone"),
    )


@dataclass(frozen=True)
class Product:
    """What rules ask of a product. categories: with all ancestors."""

    id: int
    brand_id: int
    categories: frozenset[int]
    custom_fields: tuple[tuple[str, str], ...]


def parse_product(raw: Raw, parents: Mapping[int, int]) -> Product:
    """parents: category id -> parent id, see BigCommerce.category_tree."""
    own = raw.get("categories")
    if own is not None and not isinstance(own, list):
        raise UnreadableInput("categories is not a list")
    categories = {_whole({"categories": c}, "categories") for c in own or []}
    fields = tuple((_text(f, "name"), _text(f, "value")) for f in _rows(raw.get("custom_fields"), "custom_fields"))
    return Product(_whole(raw, "id"), _whole(raw, "brand_id", 0), with_ancestors(categories, parents), fields)


def with_ancestors(categories: Iterable[int], parents: Mapping[int, int]) -> frozenset[int]:
    """Return the categories and all above them. A tree that loops ends where it began."""
    found: set[int] = set()
    for category in categories:
        while category and category not in found:
            found.add(category)
            category = parents.get(category, 0)
    return frozenset(found)


def parse_line(raw: Raw, products: Mapping[int, Product], brands: Mapping[int, str]) -> LineItem:
    product_id = _whole(raw, "product_id", 0)
    product = products.get(product_id)
    brand_id = product.brand_id if product else 0
    options = tuple(
        (_text(o, "display_name"), _text(o, "display_value"))
        for o in _rows(raw.get("product_options"), "product_options")
    )
    return LineItem(
        id=_whole(raw, "id"),
        product_id=product_id,
        variant_id=_whole(raw, "variant_id", 0),
        sku=_text(raw, "sku"),
        name=_text(raw, "name"),
        type=_text(raw, "type") or PHYSICAL,
        quantity=_whole(raw, "quantity"),
        quantity_shipped=_whole(raw, "quantity_shipped", 0),
        quantity_refunded=_whole(raw, "quantity_refunded", 0),
        unit_price=_amount(raw, "price_inc_tax"),
        total=_amount(raw, "total_inc_tax"),
        options=options,
        brand_id=brand_id,
        brand_name=brands.get(brand_id, "") or _text(raw, "brand"),
        categories=product.categories if product else frozenset(),
        custom_fields=product.custom_fields if product else (),
    )


def parse_transaction(raw: Raw) -> Transaction:
    return Transaction(
        id=_whole(raw, "id"),
        event=_text(raw, "event"),
        status=_text(raw, "status"),
        amount=_amount(raw, "amount", Decimal(0)),
        currency=_text(raw, "currency"),
        fraud_review=raw.get("fraud_review") is True,
        created_at=parse_date(raw.get("date_created"), "date_created"),
    )


def parse_history(order: Raw, others: Iterable[Raw]) -> History:
    """Return what the earlier, placed orders amount to; the order itself, later and abandoned ones do not count."""
    here = (parse_date(order.get("date_created"), "date_created"), _whole(order, "id"))
    rows: dict[int, tuple[datetime, Money]] = {}
    for raw in others:
        other, at = _whole(raw, "id"), parse_date(raw.get("date_created"), "date_created")
        if (at, other) < here and _whole(raw, "status_id") != INCOMPLETE and raw.get("is_deleted") is not True:
            rows[other] = (at, parse_total(raw))
    spent: dict[str, Decimal] = {}
    for _, money in rows.values():
        spent[money.currency] = spent.get(money.currency, Decimal(0)) + money.amount
    recent = sorted(rows.values(), key=lambda row: row[0], reverse=True)
    return History(len(rows), tuple(Money(a, c) for c, a in sorted(spent.items())), tuple(recent))


def parse_total(raw: Raw) -> Money:
    currency = _text(raw, "currency_code") or _text(raw, "default_currency_code")
    if not currency:
        raise UnreadableInput("currency_code is missing")
    return Money(_amount(raw, "total_inc_tax"), currency.upper())


def parse_order(
    raw: Raw,
    lines: Iterable[Raw],
    addresses: Iterable[Raw],
    *,
    transactions: Iterable[Raw] = (),
    products: Mapping[int, Product] | None = None,
    brands: Mapping[int, str] | None = None,
    customer_group_id: int = 0,
    history: History | None = None,
) -> OrderFacts:
    """Put an order together from its parts. Raises UnreadableInput that names the field which is missing.

    Source: orders.v2.oas2.yml (order, products, shipping_addresses), orders.v3.yml (transactions).
    """
    billing = raw.get("billing_address")
    if not isinstance(billing, Mapping):
        raise UnreadableInput("billing_address is missing")
    total = parse_total(raw)
    created = parse_date(raw.get("date_created"), "date_created")
    modified = raw.get("date_modified")
    discount = _amount(raw, "discount_amount", Decimal(0)) + _amount(raw, "coupon_discount", Decimal(0))
    items = tuple(parse_line(line, products or {}, brands or {}) for line in lines)
    return OrderFacts(
        id=_whole(raw, "id"),
        status_id=_whole(raw, "status_id"),
        payment_status=_text(raw, "payment_status").lower(),
        payment_method=_text(raw, "payment_method"),
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        customer_id=_whole(raw, "customer_id", 0),
        customer_group_id=customer_group_id,
        channel_id=_whole(raw, "channel_id", 1),
        total=total,
        tax=_amount(raw, "total_tax", Decimal(0)),
        discount=discount,
        items_total=_whole(raw, "items_total", sum(i.quantity for i in items)),
        items_shipped=_whole(raw, "items_shipped", 0),
        is_digital=raw.get("order_is_digital") is True,
        is_deleted=raw.get("is_deleted") is True,
        billing=parse_address(billing),
        shipping=tuple(parse_address(a) for a in addresses),
        items=items,
        transactions=tuple(sorted((parse_transaction(t) for t in transactions), key=lambda t: (t.created_at, t.id))),
        history=history,
        locale=_text(raw, "customer_locale") or "en",
        staff_notes=_text(raw, "staff_notes"),
        customer_message=_text(raw, "customer_message"),
    )


def parse_price(raw: Raw, names: Mapping[int, str]) -> Price:
    """Read one record. A tier by percent or by an amount off becomes the price it makes, rounded to cents."""
    price = _amount(raw, "price")
    tiers = []
    for tier in _rows(raw.get("bulk_pricing_tiers") or [], "bulk_pricing_tiers"):
        amount, least = _amount(tier, "amount"), _whole(tier, "quantity_min")
        match tier.get("type"):
            case "fixed":
                made = amount
            case "price":
                made = price - amount
            case "percent":
                made = (price * (1 - amount / 100)).quantize(Decimal("0.01"))
            case kind:
                raise UnreadableInput(f"a price tier cannot be {kind!r}")
        tiers.append((least, made))
    currency = _text(raw, "currency").upper()
    if len(currency) != 3:
        raise UnreadableInput("a price has no currency")
    return Price(
        sku=_text(raw, "sku") or f"#{_whole(raw, 'variant_id')}",
        name=names.get(_whole(raw, "product_id", 0), ""),
        price=price,
        currency=currency,
        sale_price=None if raw.get("sale_price") is None else _amount(raw, "sale_price"),
        tiers=tuple(sorted(tiers)),
    )
