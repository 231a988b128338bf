"""What BigCommerce writes, in our words. Unknown fields are ignored: the vendor adds them without notice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.raw import Raw as Raw
from bcapp.bigcommerce.raw import amount_in, rows_in, text_in, whole_in
from bcapp.bigcommerce.raw import parse_date as parse_date
from bcapp.core.agreements import Price
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.product import ProductFacts
from bcapp.core.model import Address, History, LineItem, Money, OrderFacts, Transaction
from bcapp.errors import UnreadableInput

# What order_source says of an order that was made in the control panel. Source: orders.v2.oas2.yml, whose examples say
# "manual" and whose description says "control panel" and "manual order": all are understood. No field names the user.
BY_STAFF = frozenset({"manual", "manual order", "manual_order", "control panel", "control_panel"})
# 0 is an abandoned payment page; everything else was placed by the shopper or the staff.
INCOMPLETE = 0
PHYSICAL, DIGITAL = "physical", "digital"


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


def _has_date(value: Any) -> bool:
    return bool(value) and not str(value).startswith("0000")


def parse_store(raw: Raw) -> StoreProfile:
    zone = raw.get("timezone")
    return StoreProfile(
        name=text_in(raw, "name"),
        domain=text_in(raw, "domain"),
        secure_url=text_in(raw, "secure_url"),
        control_panel_url=text_in(raw, "control_panel_base_url"),
        timezone=text_in(zone, "name") if isinstance(zone, Mapping) else "",
        currency=text_in(raw, "currency"),
        language=text_in(raw, "language") or "en",
        admin_email=text_in(raw, "admin_email"),
        order_email=text_in(raw, "order_email"),
        default_channel_id=whole_in(raw, "default_channel_id", 1),
        plan=text_in(raw, "plan_name"),
        status=text_in(raw, "status"),
    )


def parse_address(raw: Raw) -> Address:
    lines = [text_in(raw, name).strip() for name in ("street_1", "street_2")]
    return Address(
        name=" ".join(p for p in (text_in(raw, n).strip() for n in ("first_name", "last_name")) if p),
        company=text_in(raw, "company"),
        street=", ".join(line for line in lines if line),
        city=text_in(raw, "city"),
        state=text_in(raw, "state"),
        postcode=text_in(raw, "zip"),
        country=text_in(raw, "country_iso2").upper(),
        email=text_in(raw, "email").strip(),
        phone=text_in(raw, "phone"),
    )


@dataclass(frozen=True)
class Product:
    """What rules ask of a product. categories: with all ancestors. releases_at: of a pre-order."""

    id: int
    brand_id: int
    categories: frozenset[int]
    custom_fields: tuple[tuple[str, str], ...]
    is_preorder: bool = False
    releases_at: datetime | None = None


def parse_product(raw: Raw, parents: Mapping[int, int]) -> Product:
    """parents: category id -> parent id, see BigCommerce.category_tree."""
    own = raw.get("categories")
    if own is not None and not isinstance(own, list):
        raise UnreadableInput("categories is not a list")
    categories = {whole_in({"categories": c}, "categories") for c in own or []}
    fields = tuple(
        (text_in(f, "name"), text_in(f, "value")) for f in rows_in(raw.get("custom_fields"), "custom_fields")
    )
    # An order's own lines do not tell: only the product does. Source: products_catalog.v3.yml, availability.
    is_preorder, released = text_in(raw, "availability") == "preorder", raw.get("preorder_release_date")
    return Product(
        whole_in(raw, "id"),
        whole_in(raw, "brand_id", 0),
        with_ancestors(categories, parents),
        fields,
        is_preorder,
        parse_date(released, "preorder_release_date") if is_preorder and released else None,
    )


def with_ancestors(categories: Iterable[int], parents: Mapping[int, int]) -> frozenset[int]:
    """Return the categories and all above them. A tree that loops ends where it began."""
    found: set[int] = set()
    for category in categories:
        while category and category not in found:
            found.add(category)
            category = parents.get(category, 0)
    return frozenset(found)


def parse_line(raw: Raw, products: Mapping[int, Product], brands: Mapping[int, str]) -> LineItem:
    product_id = whole_in(raw, "product_id", 0)
    product = products.get(product_id)
    brand_id = product.brand_id if product else 0
    options = tuple(
        (text_in(o, "display_name"), text_in(o, "display_value"))
        for o in rows_in(raw.get("product_options"), "product_options")
    )
    return LineItem(
        id=whole_in(raw, "id"),
        product_id=product_id,
        variant_id=whole_in(raw, "variant_id", 0),
        sku=text_in(raw, "sku"),
        name=text_in(raw, "name"),
        type=text_in(raw, "type") or PHYSICAL,
        quantity=whole_in(raw, "quantity"),
        quantity_shipped=whole_in(raw, "quantity_shipped", 0),
        quantity_refunded=whole_in(raw, "quantity_refunded", 0),
        unit_price=amount_in(raw, "price_inc_tax"),
        total=amount_in(raw, "total_inc_tax"),
        options=options,
        brand_id=brand_id,
        brand_name=brands.get(brand_id, "") or text_in(raw, "brand"),
        categories=product.categories if product else frozenset(),
        custom_fields=product.custom_fields if product else (),
        is_preorder=product is not None and product.is_preorder,
        releases_at=product.releases_at if product else None,
    )


def parse_transaction(raw: Raw) -> Transaction:
    return Transaction(
        id=whole_in(raw, "id"),
        event=text_in(raw, "event"),
        status=text_in(raw, "status"),
        amount=amount_in(raw, "amount", Decimal(0)),
        currency=text_in(raw, "currency"),
        fraud_review=raw.get("fraud_review") is True,
        created_at=parse_date(raw.get("date_created"), "date_created"),
    )


# Offline methods leave no payment status; then the order's own status tells that the money came.
PAID = frozenset({"captured", "capture pending", "paid", "partially refunded"})
PAID_STATUSES = frozenset({2, 3, 8, 9, 10, 11})
NOTHING_KEPT = frozenset({4, 5, 6})  # refunded, cancelled, declined


def _paid(raw: Raw, total: Money) -> Decimal:
    """Return what the customer paid for an order and did not get back."""
    payment, status = text_in(raw, "payment_status").lower(), whole_in(raw, "status_id")
    if status in NOTHING_KEPT or not (payment in PAID or (not payment and status in PAID_STATUSES)):
        return Decimal(0)
    return max(Decimal(0), total.amount - amount_in(raw, "refunded_amount", Decimal(0)))


def parse_history(order: Raw, others: Iterable[Raw], since: datetime | None = None) -> History:
    """Return what the earlier, placed orders amount to; the order itself, later and abandoned ones do not count.

    since: how far back the others go, None when they are all there.
    """
    here = (parse_date(order.get("date_created"), "date_created"), whole_in(order, "id"))
    return _history((raw for raw in others if _moment(raw) < here), since)


def parse_customer_history(orders: Iterable[Raw], since: datetime | None = None) -> History:
    return _history(orders, since)


def _moment(raw: Raw) -> tuple[datetime, int]:
    return parse_date(raw.get("date_created"), "date_created"), whole_in(raw, "id")


def _history(orders: Iterable[Raw], since: datetime | None) -> History:
    rows: dict[int, tuple[datetime, Money]] = {}
    spent: dict[str, Decimal] = {}
    paid: dict[str, Decimal] = {}
    for raw in orders:
        at, number = _moment(raw)
        if number in rows or whole_in(raw, "status_id") == INCOMPLETE or raw.get("is_deleted") is True:
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
    currency = text_in(raw, "currency_code") or text_in(raw, "default_currency_code")
    if not currency:
        raise UnreadableInput("currency_code is missing")
    return Money(amount_in(raw, "total_inc_tax"), currency.upper())


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
    discount = amount_in(raw, "discount_amount", Decimal(0)) + amount_in(raw, "coupon_discount", Decimal(0))
    items = tuple(parse_line(line, products or {}, brands or {}) for line in lines)
    places = list(addresses)
    since = customer.get("date_created") if customer else None
    return OrderFacts(
        id=whole_in(raw, "id"),
        status_id=whole_in(raw, "status_id"),
        payment_status=text_in(raw, "payment_status").lower(),
        payment_method=text_in(raw, "payment_method"),
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        customer_id=whole_in(raw, "customer_id", 0),
        customer_group_id=whole_in(customer, "customer_group_id", 0) if customer else 0,
        channel_id=whole_in(raw, "channel_id", 1),
        total=total,
        tax=amount_in(raw, "total_tax", Decimal(0)),
        discount=discount,
        items_total=whole_in(raw, "items_total", sum(i.quantity for i in items)),
        items_shipped=whole_in(raw, "items_shipped", 0),
        is_digital=raw.get("order_is_digital") is True,
        is_deleted=raw.get("is_deleted") is True,
        billing=parse_address(billing),
        shipping=tuple(parse_address(a) for a in places),
        items=items,
        transactions=tuple(sorted((parse_transaction(t) for t in transactions), key=lambda t: (t.created_at, t.id))),
        history=history,
        locale=text_in(raw, "customer_locale") or "en",
        coupons=tuple(dict.fromkeys(code for c in coupons if (code := text_in(c, "code").strip()))),
        shipping_methods=tuple(dict.fromkeys(m for a in places if (m := text_in(a, "shipping_method").strip()))),
        customer_since=parse_date(since, "date_created") if _has_date(since) else None,
        metafields=parse_metafields(metafields),
        customer_metafields=parse_metafields(customer_metafields),
        shipped_at=parse_date(shipped, "date_shipped") if _has_date(shipped := raw.get("date_shipped")) else None,
        placed_by_staff=text_in(raw, "order_source").strip().casefold() in BY_STAFF,
        unread=unread,
        staff_notes=text_in(raw, "staff_notes"),
        customer_message=text_in(raw, "customer_message"),
        cart_id=text_in(raw, "cart_id"),
    )


def parse_price(raw: Raw, names: Mapping[int, str]) -> Price:
    """Read one record. A tier by percent or by an amount off becomes the price it makes, rounded to cents."""
    price = amount_in(raw, "price")
    tiers = []
    for tier in rows_in(raw.get("bulk_pricing_tiers") or [], "bulk_pricing_tiers"):
        amount, least = amount_in(tier, "amount"), whole_in(tier, "quantity_min")
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
    currency = text_in(raw, "currency").upper()
    if len(currency) != 3:
        raise UnreadableInput("a price has no currency")
    return Price(
        sku=text_in(raw, "sku") or f"#{whole_in(raw, 'variant_id')}",
        name=names.get(whole_in(raw, "product_id", 0), ""),
        price=price,
        currency=currency,
        sale_price=None if raw.get("sale_price") is None else amount_in(raw, "sale_price"),
        tiers=tuple(sorted(tiers)),
    )


def parse_metafields(rows: Iterable[Raw]) -> tuple[tuple[str, str], ...]:
    """Return ("namespace.key", value), in a steady order. Several apps may have one of the same name."""
    return tuple(sorted((f"{text_in(m, 'namespace')}.{text_in(m, 'key')}", text_in(m, "value")) for m in rows))


def _customer_address(raw: Raw, email: str) -> Address:
    lines = [text_in(raw, name).strip() for name in ("address1", "address2")]
    return Address(
        name=" ".join(p for p in (text_in(raw, n).strip() for n in ("first_name", "last_name")) if p),
        company=text_in(raw, "company"),
        street=", ".join(line for line in lines if line),
        city=text_in(raw, "city"),
        state=text_in(raw, "state_or_province"),
        postcode=text_in(raw, "postal_code"),
        country=text_in(raw, "country_code").upper(),
        email=email,
        phone=text_in(raw, "phone"),
    )


def _form_values(raw: Raw) -> Iterable[tuple[str, str]]:
    """Yield (name, value); a field with several values comes once for each."""
    for row in rows_in(raw.get("form_fields"), "form_fields"):
        value = row.get("value")
        for one in value if isinstance(value, list) else [value]:
            yield text_in(row, "name"), text_in({"value": one}, "value")


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
    modified, email, channels = raw.get("date_modified"), text_in(raw, "email").strip(), raw.get("channel_ids")
    names = attribute_names or {}
    attributes = [
        (names.get(whole_in(a, "attribute_id"), ""), text_in(a, "attribute_value"))
        for a in rows_in(raw.get("attributes"), "attributes")
    ]
    return CustomerFacts(
        id=whole_in(raw, "id"),
        email=email,
        name=" ".join(p for p in (text_in(raw, n).strip() for n in ("first_name", "last_name")) if p),
        company=text_in(raw, "company"),
        group_id=whole_in(raw, "customer_group_id", 0),
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        channel_id=whole_in(raw, "origin_channel_id", 1),
        channels=frozenset(whole_in({"id": c}, "id") for c in channels) if isinstance(channels, list) else None,
        addresses=tuple(_customer_address(a, email) for a in rows_in(raw.get("addresses"), "addresses")),
        phone=text_in(raw, "phone"),
        tax_exempt=text_in(raw, "tax_exempt_category"),
        accepts_marketing=raw.get("accepts_product_review_abandoned_cart_emails") is True,
        form_fields=tuple(_form_values(raw)),
        attributes=tuple(sorted((name, value) for name, value in attributes if name)),
        metafields=parse_metafields(metafields),
        history=history,
        unread=unread,
        notes=text_in(raw, "notes"),
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
        return Money(amount_in(raw, name, Decimal(0)), currency)

    return ProductFacts(
        id=product.id,
        name=text_in(raw, "name"),
        sku=text_in(raw, "sku"),
        type=text_in(raw, "type") or PHYSICAL,
        price=money("price"),
        cost=money("cost_price"),
        sale_price=money("sale_price"),
        weight=amount_in(raw, "weight", Decimal(0)),
        categories=product.categories,
        brand_id=product.brand_id,
        brand_name=(brands or {}).get(product.brand_id, ""),
        is_visible=raw.get("is_visible") is True,
        availability=text_in(raw, "availability"),
        condition=text_in(raw, "condition"),
        inventory=whole_in(raw, "inventory_level", 0)
        if text_in(raw, "inventory_tracking") not in ("", "none")
        else None,
        created_at=created,
        modified_at=parse_date(modified, "date_modified") if _has_date(modified) else created,
        channels=frozenset(whole_in({"id": c}, "id") for c in channels) if isinstance(channels, list) else frozenset(),
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
        code = text_in(row, "currency_code").strip().upper()
        rate = amount_in(row, "currency_exchange_rate", Decimal(0))
        if not re.fullmatch("[A-Z]{3}", code) or rate <= 0:
            continue
        told[code] = rate
        if row.get("is_default") is True:
            base = code
    if not base:
        raise UnreadableInput("the store names no default currency")
    own = told.pop(base)
    return base, {code: (rate / own).quantize(Decimal("0.00000001")) for code, rate in sorted(told.items())}
