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
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.product import ProductFacts
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
    return str(value)[:LONGEST].replace("\x00", "")  # which no database takes


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


# Offline methods leave no payment status; then the order's own status tells that the money came.
PAID = frozenset({"captured", "capture pending", "paid", "partially refunded"})
PAID_STATUSES = frozenset({2, 3, 8, 9, 10, 11})
NOTHING_KEPT = frozenset({4, 5, 6})  # refunded, cancelled, declined


def _paid(raw: Raw, total: Money) -> Decimal:
    """Return what the customer paid for an order and did not get back."""
    payment, status = _text(raw, "payment_status").lower(), _whole(raw, "status_id")
    if status in NOTHING_KEPT or not (payment in PAID or (not payment and status in PAID_STATUSES)):
        return Decimal(0)
    return max(Decimal(0), total.amount - _amount(raw, "refunded_amount", Decimal(0)))


def parse_history(order: Raw, others: Iterable[Raw], since: datetime | None = None) -> History:
    """Return what the earlier, placed orders amount to; the order itself, later and abandoned ones do not count.

    since: how far back the others go, None when they are all there.
    """
    here = (parse_date(order.get("date_created"), "date_created"), _whole(order, "id"))
    return _history((raw for raw in others if _moment(raw) < here), since)


def parse_customer_history(orders: Iterable[Raw], since: datetime | None = None) -> History:
    return _history(orders, since)


def _moment(raw: Raw) -> tuple[datetime, int]:
    return parse_date(raw.get("date_created"), "date_created"), _whole(raw, "id")


def _history(orders: Iterable[Raw], since: datetime | None) -> History:
    rows: dict[int, tuple[datetime, Money]] = {}
    spent: dict[str, Decimal] = {}
    paid: dict[str, Decimal] = {}
    for raw in orders:
        at, number = _moment(raw)
        if number in rows or _whole(raw, "status_id") == INCOMPLETE or raw.get("is_deleted") is True:
            continue
        total = parse_total(raw)
        rows[number] = (at, total)
        spent[total.currency] = spent.get(total.currency, Decimal(0)) + total.amount
        if (kept := _paid(raw, total)) > 0:
            paid[total.currency] = paid.get(total.currency, Decimal(0)) + kept
    recent = sorted(rows.values(), key=lambda row: row[0], reverse=True)
    return History(len(rows), _moneys(spent), tuple(recent), _moneys(paid), since)


def _moneys(sums: Mapping[str, Decimal]) -> tuple[Money, ...]:
    return tuple(Money(amount, currency) for currency, amount in sorted(sums.items()))


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
    history: History | None = None,
    customer: Raw | None = None,
    coupons: Iterable[Raw] = (),
    metafields: Iterable[Raw] = (),
    customer_metafields: Iterable[Raw] = (),
    unread: frozenset[str] = frozenset(),
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
    places = list(addresses)
    since = customer.get("date_created") if customer else None
    return OrderFacts(
        id=_whole(raw, "id"),
        status_id=_whole(raw, "status_id"),
        payment_status=_text(raw, "payment_status").lower(),
        payment_method=_text(raw, "payment_method"),
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        customer_id=_whole(raw, "customer_id", 0),
        customer_group_id=_whole(customer, "customer_group_id", 0) if customer else 0,
        channel_id=_whole(raw, "channel_id", 1),
        total=total,
        tax=_amount(raw, "total_tax", Decimal(0)),
        discount=discount,
        items_total=_whole(raw, "items_total", sum(i.quantity for i in items)),
        items_shipped=_whole(raw, "items_shipped", 0),
        is_digital=raw.get("order_is_digital") is True,
        is_deleted=raw.get("is_deleted") is True,
        billing=parse_address(billing),
        shipping=tuple(parse_address(a) for a in places),
        items=items,
        transactions=tuple(sorted((parse_transaction(t) for t in transactions), key=lambda t: (t.created_at, t.id))),
        history=history,
        locale=_text(raw, "customer_locale") or "en",
        coupons=tuple(dict.fromkeys(code for c in coupons if (code := _text(c, "code").strip()))),
        shipping_methods=tuple(dict.fromkeys(m for a in places if (m := _text(a, "shipping_method").strip()))),
        customer_since=parse_date(since, "date_created") if _has_date(since) else None,
        metafields=parse_metafields(metafields),
        customer_metafields=parse_metafields(customer_metafields),
        unread=unread,
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


def parse_metafields(rows: Iterable[Raw]) -> tuple[tuple[str, str], ...]:
    """Return ("namespace.key", value), in a steady order. Several apps may have one of the same name."""
    return tuple(sorted((f"{_text(m, 'namespace')}.{_text(m, 'key')}", _text(m, "value")) for m in rows))


def _customer_address(raw: Raw, email: str) -> Address:
    lines = [_text(raw, name).strip() for name in ("address1", "address2")]
    return Address(
        name=" ".join(p for p in (_text(raw, n).strip() for n in ("first_name", "last_name")) if p),
        company=_text(raw, "company"),
        street=", ".join(line for line in lines if line),
        city=_text(raw, "city"),
        state=_text(raw, "state_or_province"),
        postcode=_text(raw, "postal_code"),
        country=_text(raw, "country_code").upper(),
        email=email,
        phone=_text(raw, "phone"),
    )


def _form_values(raw: Raw) -> Iterable[tuple[str, str]]:
    """Yield (name, value); a field with several values comes once for each."""
    for row in _rows(raw.get("form_fields"), "form_fields"):
        value = row.get("value")
        for one in value if isinstance(value, list) else [value]:
            yield _text(row, "name"), _text({"value": one}, "value")


def parse_customer(
    raw: Raw,
    *,
    attribute_names: Mapping[int, str] | None = None,
    metafields: Iterable[Raw] = (),
    history: History | None = None,
    unread: frozenset[str] = frozenset(),
) -> CustomerFacts:
    """Put a customer together. attribute_names: attribute id -> name. Source: customers.v3.yml, GET /customers."""
    created = parse_date(raw.get("date_created"), "date_created")
    modified, email, channels = raw.get("date_modified"), _text(raw, "email").strip(), raw.get("channel_ids")
    names = attribute_names or {}
    attributes = [
        (names.get(_whole(a, "attribute_id"), ""), _text(a, "attribute_value"))
        for a in _rows(raw.get("attributes"), "attributes")
    ]
    return CustomerFacts(
        id=_whole(raw, "id"),
        email=email,
        name=" ".join(p for p in (_text(raw, n).strip() for n in ("first_name", "last_name")) if p),
        company=_text(raw, "company"),
        group_id=_whole(raw, "customer_group_id", 0),
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        channel_id=_whole(raw, "origin_channel_id", 1),
        channels=frozenset(_whole({"id": c}, "id") for c in channels) if isinstance(channels, list) else None,
        addresses=tuple(_customer_address(a, email) for a in _rows(raw.get("addresses"), "addresses")),
        phone=_text(raw, "phone"),
        tax_exempt=_text(raw, "tax_exempt_category"),
        accepts_marketing=raw.get("accepts_product_review_abandoned_cart_emails") is True,
        form_fields=tuple(_form_values(raw)),
        attributes=tuple(sorted((name, value) for name, value in attributes if name)),
        metafields=parse_metafields(metafields),
        history=history,
        unread=unread,
        notes=_text(raw, "notes"),
    )


def parse_product_facts(
    raw: Raw,
    parents: Mapping[int, int],
    currency: str,
    *,
    brands: Mapping[int, str] | None = None,
    metafields: Iterable[Raw] = (),
    unread: frozenset[str] = frozenset(),
) -> ProductFacts:
    """Put a product together. currency: the store's default. Source: products_catalog.v3.yml, GET /catalog/products."""
    product = parse_product(raw, parents)
    created, modified = parse_date(raw.get("date_created"), "date_created"), raw.get("date_modified")
    channels = raw.get("channels")

    def money(name: str) -> Money:
        return Money(_amount(raw, name, Decimal(0)), currency)

    return ProductFacts(
        id=product.id,
        name=_text(raw, "name"),
        sku=_text(raw, "sku"),
        type=_text(raw, "type") or PHYSICAL,
        price=money("price"),
        cost=money("cost_price"),
        sale_price=money("sale_price"),
        weight=_amount(raw, "weight", Decimal(0)),
        categories=product.categories,
        brand_id=product.brand_id,
        brand_name=(brands or {}).get(product.brand_id, ""),
        is_visible=raw.get("is_visible") is True,
        availability=_text(raw, "availability"),
        condition=_text(raw, "condition"),
        inventory=_whole(raw, "inventory_level", 0) if _text(raw, "inventory_tracking") not in ("", "none") else None,
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        channels=frozenset(_whole({"id": c}, "id") for c in channels) if isinstance(channels, list) else frozenset(),
        custom_fields=product.custom_fields,
        metafields=parse_metafields(metafields),
        is_price_hidden=raw.get("is_price_hidden") is True,
        unread=unread,
    )


def parse_rates(rows: Iterable[Raw]) -> tuple[str, dict[str, Decimal]]:
    """Return the store's default currency and what one unit of it is worth in the others.

    A rate is told against the US dollar or against the default currency, which is 1 then; divided by the default's own
    rate it is the same. Source: currencies.v2.yml, GET /currencies, currency_exchange_rate.
    """
    told: dict[str, Decimal] = {}
    base = ""
    for row in rows:
        code = _text(row, "currency_code").strip().upper()
        rate = _amount(row, "currency_exchange_rate", Decimal(0))
        if not re.fullmatch("[A-Z]{3}", code) or rate <= 0:
            continue
        told[code] = rate
        if row.get("is_default") is True:
            base = code
    if not base:
        raise UnreadableInput("the store names no default currency")
    own = told.pop(base)
    return base, {code: (rate / own).quantize(Decimal("0.00000001")) for code, rate in sorted(told.items())}
