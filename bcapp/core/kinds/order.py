"""Orders as rules see them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core import formats
from bcapp.core.authorisations import authorised_at
from bcapp.core.conditions import METAFIELD
from bcapp.core.fields import ACCEPTED, Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.merge import NOWHERE, MergeField, Source, address_text
from bcapp.core.model import Address, History, Money, OrderFacts
from bcapp.core.snapshot import plain, plain_address
from bcapp.core.stored import codec_of

NOT_PLACED = frozenset({0})
NO_HISTORY = "a guest without an e-mail address has no history"
# Source: orders.v2.oas2.yml, payment_status. "none": the order was placed without a payment that the store knows of.
PAYMENT_STATUSES = (
    "authorized", "captured", "capture pending", "declined", "held for review", "paid", "partially refunded",
    "pending", "refunded", "void", "void pending", "none",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def named_values(pairs: Iterable[tuple[str, str]], name: str) -> frozenset[str]:
    """Return the values that stand under a name, whatever its case."""
    wanted = name.strip().casefold()
    return frozenset(value for key, value in pairs if key.casefold() == wanted)


def countries(addresses: Iterable[Address]) -> frozenset[str] | Unknown:
    found = frozenset([a.country for a in addresses if a.country])
    return found or Unknown("the address names no country")


def regions(addresses: Iterable[Address]) -> frozenset[str] | Unknown:
    """Return country and state as the store writes it: "US California"; the country alone where there is no state."""
    found = frozenset(f"{a.country} {a.state.strip()}".strip() for a in addresses if a.country)
    return found or Unknown("the address names no country")


def paid_total(history: History | None) -> tuple[Money, ...] | Unknown:
    if history is None:
        return Unknown(NO_HISTORY)
    if history.since is not None:
        return Unknown(_looked_back(history.since))
    return history.paid_before


def orders_so_far(history: History | None) -> Decimal | Unknown:
    if history is None:
        return Unknown(NO_HISTORY)
    if history.since is not None:
        return Unknown(_looked_back(history.since))
    return Decimal(history.orders_before)


def _looked_back(since: datetime) -> str:
    return f"earlier orders are known back to {since.day} {since:%B %Y} only"


def accepted(facts: Any, _argument: str, _: Reading) -> frozenset[str] | Unknown:
    """Return the numbers of the agreements that the record's party has signed."""
    if facts.accepted is None:
        return Unknown("nobody is known who could have signed before")
    return facts.accepted  # type: ignore[no-any-return]


def _shipped_to(facts: OrderFacts) -> tuple[Address, ...]:
    return facts.shipping or (facts.billing,)


def _custom_field(facts: OrderFacts, name: str, _: Reading) -> frozenset[str]:
    return named_values((pair for item in facts.items for pair in item.custom_fields), name)


def _first_order(facts: OrderFacts, _argument: str, _: Reading) -> bool | Unknown:
    if facts.history is None:
        return Unknown(NO_HISTORY)
    if facts.history.orders_before == 0 and facts.history.since is not None:
        return Unknown(_looked_back(facts.history.since))
    return facts.history.orders_before == 0


def _recent(facts: OrderFacts, days: str) -> list[Money] | Unknown:
    """Return this customer's other orders of the last days before this one."""
    if facts.history is None:
        return Unknown(NO_HISTORY)
    since = facts.created_at - timedelta(days=int(days))
    if facts.history.since is not None and since < facts.history.since:
        return Unknown(_looked_back(facts.history.since))
    return [money for at, money in facts.history.recent if at >= since]


def _orders_in_days(facts: OrderFacts, days: str, _: Reading) -> Decimal | Unknown:
    others = _recent(facts, days)
    return others if isinstance(others, Unknown) else Decimal(1 + len(others))


def _sum_in_days(facts: OrderFacts, days: str, _: Reading) -> tuple[Money, ...] | Unknown:
    """This order and the customer's others of the last days together: splitting does not help."""
    others = _recent(facts, days)
    return others if isinstance(others, Unknown) else (facts.total, *others)


def _placed(facts: OrderFacts, reading: Reading) -> datetime:
    return facts.created_at.astimezone(reading.zone)


def _order_date(facts: OrderFacts, _argument: str, reading: Reading) -> date:
    return _placed(facts, reading).date()


def _weekday(facts: OrderFacts, _argument: str, reading: Reading) -> frozenset[str]:
    return frozenset({WEEKDAYS[_placed(facts, reading).weekday()]})


def _account_age(facts: OrderFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    if facts.customer_since is None:
        return Unknown("a guest has no account" if not facts.customer_id else "the account does not exist any more")
    return Decimal(max(0, (facts.created_at - facts.customer_since).days))


_CATALOG, _GROUP, _HISTORY = frozenset({"catalog"}), frozenset({"group"}), frozenset({"history"})
_MONEY, _NUMBER, _TEXT, _DATE = FieldType.MONEY, FieldType.NUMBER, FieldType.TEXT, FieldType.DATE
_CHOICE, _COUNTRY, _LIST, _FLAG = FieldType.CHOICE, FieldType.COUNTRY, FieldType.LIST, FieldType.FLAG

FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("total", _MONEY, "Order total", "With tax, in the order's currency.", "1000.00 USD",
              lambda o, a, r: o.total, reads="total"),
        Field("discount", _MONEY, "Discount", "Taken off the whole order, coupons included.", "100.00 USD",
              lambda o, a, r: Money(o.discount, o.total.currency), reads="discount total"),
        Field("items_count", _NUMBER, "Number of items", "Pieces, not lines.", "10",
              lambda o, a, r: Decimal(o.items_total), reads="items_total"),
        Field("sku", _LIST, "SKU", "Any line of the order.", "TENT-4",
              lambda o, a, r: frozenset([i.sku for i in o.items if i.sku]), reads="items.sku"),
        Field("category", _LIST, "Category", "A product's category or one above it. By category number.", "23",
              lambda o, a, r: frozenset([str(c) for i in o.items for c in i.categories]), needs=_CATALOG,
              numbered=True, reads="items.categories"),
        Field("brand", _LIST, "Brand", "Any line of the order, by name.", "Northfield",
              lambda o, a, r: frozenset([i.brand_name for i in o.items if i.brand_name]), needs=_CATALOG,
              reads="items.brand_name"),
        Field("custom_field", _LIST, "Product custom field", "The value of a custom field of any product.",
              "regulated = yes", _custom_field, argument="Custom field name", needs=_CATALOG,
              reads="items.custom_fields"),
        Field("preorder", _FLAG, "Pre-order", "Any of its products is sold as a pre-order now.", "",
              lambda o, a, r: any(i.is_preorder for i in o.items), needs=_CATALOG, reads="items.is_preorder"),
        Field("coupon", _LIST, "Coupon code", "Any coupon used on the order.", "SPRING10",
              lambda o, a, r: frozenset(o.coupons), needs=frozenset({"coupons"}), reads="coupons"),
        Field("shipping_country", _COUNTRY, "Shipping country", "Where any part of the order goes.", "DE",
              lambda o, a, r: countries(_shipped_to(o)), reads="shipping.country billing.country"),
        Field("shipping_region", _CHOICE, "Shipping region", "Country and state, as the store writes the state.",
              "US California", lambda o, a, r: regions(_shipped_to(o)),
              reads="shipping.country shipping.state billing.country billing.state"),
        Field("billing_country", _COUNTRY, "Billing country", "Of the billing address.", "DE",
              lambda o, a, r: countries((o.billing,)), reads="billing.country"),
        Field("billing_region", _CHOICE, "Billing region", "Country and state, as the store writes the state.",
              "US California", lambda o, a, r: regions((o.billing,)), reads="billing.country billing.state"),
        Field("shipping_method", _CHOICE, "Shipping method", "As the order shows it.", "Ground",
              lambda o, a, r: frozenset(o.shipping_methods), reads="shipping_methods"),
        Field("channel", _CHOICE, "Channel", "The storefront, by channel number.", "1",
              lambda o, a, r: frozenset({str(o.channel_id)}), numbered=True, reads="channel_id"),
        Field("payment_method", _CHOICE, "Payment method", "As the order shows it.", "Purchase Order",
              lambda o, a, r: frozenset({o.payment_method}), reads="payment_method"),
        Field("payment_status", _CHOICE, "Payment status", "How the payment stands when the order is looked at.",
              "authorized", lambda o, a, r: frozenset({o.payment_status or "none"}),
              choices=tuple((s, s.capitalize() if s != "none" else "No payment yet") for s in PAYMENT_STATUSES),
              reads="payment_status"),
        Field("order_date", _DATE, "Order date", "The day in the store's time zone.", "2026-11-23", _order_date,
              reads="created_at"),
        Field("weekday", _CHOICE, "Weekday", "On which the order was placed, in the store's time zone.", "saturday",
              _weekday, choices=tuple((w, w.capitalize()) for w in WEEKDAYS), reads="created_at"),
        Field("hour", _NUMBER, "Hour of the day", "0 to 23, when the order was placed, in the store's time zone.",
              "18", lambda o, a, r: Decimal(_placed(o, r).hour), between=(0, 23), reads="created_at"),
        Field("company", _TEXT, "Company", "Of the billing address.", "Buyer Ltd",
              lambda o, a, r: o.billing.company, reads="billing.company"),
        Field("customer_group", _CHOICE, "Customer group", "By group number; 0 is no group.", "3",
              lambda o, a, r: frozenset({str(o.customer_group_id)}), needs=_GROUP, numbered=True,
              reads="customer_group_id"),
        Field("guest", _FLAG, "Guest checkout", "The buyer has no account.", "",
              lambda o, a, r: o.customer_id == 0, reads="customer_id"),
        Field("account_age", _NUMBER, "Age of the account", "Whole days from registration to this order.", "30",
              _account_age, needs=_GROUP, reads="created_at customer_id customer_since"),
        Field("first_order", _FLAG, "First order", "This customer has no earlier order.", "", _first_order,
              needs=_HISTORY, reads="history.orders_before history.since"),
        Field("orders_so_far", _NUMBER, "Orders so far", "This customer's earlier orders, this one not included.",
              "5", lambda o, a, r: orders_so_far(o.history), needs=_HISTORY,
              reads="history.orders_before history.since"),
        Field("paid_total", _MONEY, "Paid so far", "What this customer paid for earlier orders and did not get back.",
              "5000.00 USD", lambda o, a, r: paid_total(o.history), needs=_HISTORY,
              reads="history.paid_before history.since"),
        Field("orders_in_days", _NUMBER, "Orders in recent days", "This customer's orders, this one included.",
              "3", _orders_in_days, argument="Days", needs=_HISTORY, reads="created_at history.recent history.since"),
        Field("sum_in_days", _MONEY, "Sum of recent days", "This customer's orders together.",
              "1000.00 USD", _sum_in_days, argument="Days", needs=_HISTORY,
              reads="created_at total history.recent history.since"),
        Field(ACCEPTED, _LIST, "Signed before", "Agreements that this customer or its company has signed, as they "
              "count for this order. By agreement number.", "3", accepted, numbered=True, reads="accepted"),
        Field("metafield", _LIST, "Order metafield", "What another app keeps on the order.", "erp.credit_state = ok",
              lambda o, a, r: named_values(o.metafields, a), argument=METAFIELD, needs=frozenset({"metafields"}),
              reads="metafields"),
        Field("customer_metafield", _LIST, "Customer metafield", "What another app keeps on the customer.",
              "crm.tier = gold", lambda o, a, r: named_values(o.customer_metafields, a), argument=METAFIELD,
              needs=frozenset({"customer_metafields"}), reads="customer_metafields"),
    )
}  # fmt: skip


def _out_of_scope(facts: OrderFacts, channels: frozenset[int]) -> OutOfScope | None:
    if facts.status_id in NOT_PLACED:
        return OutOfScope("not_placed", "Incomplete is not an order yet.")
    if facts.channel_id not in channels:
        text = f"Channel {facts.channel_id} is not one of the storefronts of this rule."
        return OutOfScope("not_storefront", text)
    return None


def _created_at(facts: OrderFacts) -> datetime:
    return facts.created_at


def _brief(facts: OrderFacts) -> Brief:
    email = facts.billing.email.strip().lower()
    customer = str(facts.customer_id) if facts.customer_id else email
    return Brief(facts.listed, facts.modified_at, customer, bool(email), facts.total)


def _shown(facts: OrderFacts) -> dict[str, Any]:
    return {
        "status_id": facts.status_id,
        "payment_status": facts.payment_status,
        "payment_method": facts.payment_method,
        "channel_id": facts.channel_id,
        "created_at": facts.created_at.isoformat(),
        "modified_at": facts.modified_at.isoformat(),
        "items_total": facts.items_total,
        "items_shipped": facts.items_shipped,
        "is_digital": facts.is_digital,
        "fraud_review": facts.fraud_review,
        "authorised_at": since.isoformat() if (since := authorised_at(facts)) is not None else None,
    }


def order_1(facts: OrderFacts) -> dict[str, Any]:
    """Lines, money, parties and where it goes. Status, dates, notes, payment and shipping state are never material."""
    return {
        "customer": facts.customer_id,
        "email": facts.billing.email.lower(),
        "billing": plain_address(facts.billing),
        "shipping": sorted((plain_address(a) for a in facts.shipping), key=lambda a: json.dumps(a, sort_keys=True)),
        "currency": facts.total.currency,
        "total": plain(facts.total.amount),
        "tax": plain(facts.tax),
        "discount": plain(facts.discount),
        "lines": sorted(
            (
                {
                    "product": item.product_id,
                    "variant": item.variant_id,
                    "sku": item.sku,
                    "name": item.name,
                    "options": [list(option) for option in item.options],
                    "quantity": item.quantity,
                    "unit_price": plain(item.unit_price),
                    "total": plain(item.total),
                }
                for item in facts.items
            ),
            key=lambda line: json.dumps(line, sort_keys=True),
        ),
    }


def _ship(source: Source) -> Address:
    return source.facts.shipping[0] if source.facts.shipping else NOWHERE


_MERGE = partial(MergeField, kind="order")
MERGE = (
    _MERGE("order.id", "Order number", "1001", lambda s: str(s.facts.id)),
    _MERGE("order.date", "Date of the order", "3 October 2026", lambda s: s.day(s.facts.created_at)),
    _MERGE("order.total", "Total with tax", "EUR 12,400.00", lambda s: s.money(s.facts.total.amount)),
    _MERGE("order.tax", "Tax in the total", "EUR 2,066.67", lambda s: s.money(s.facts.tax)),
    _MERGE("order.discount", "Discount", "EUR 100.00", lambda s: s.money(s.facts.discount)),
    _MERGE("order.currency", "Currency", "EUR", lambda s: s.facts.total.currency),
    _MERGE("order.item_count", "Number of items", "12", lambda s: formats.number(s.facts.items_total, s.locale)),
    _MERGE("order.payment_method", "Payment method", "Bank transfer", lambda s: s.facts.payment_method),
    _MERGE(
        "order.message",
        "Customer message",
        "Please call first",
        lambda s: s.facts.customer_message,
        many=True,
        stored=False,
    ),
    _MERGE("billing.name", "Billing name", "Ann Lee", lambda s: s.facts.billing.name),
    _MERGE("billing.company", "Billing company", "Lee Outdoor Ltd", lambda s: s.facts.billing.company),
    _MERGE(
        "billing.address",
        "Billing address",
        "1 High St\n10115 Berlin",
        lambda s: address_text(s.facts.billing, s.locale),
        many=True,
    ),
    _MERGE("billing.email", "Billing e-mail", "ann@lee.example", lambda s: s.facts.billing.email),
    _MERGE("billing.phone", "Billing phone", "+49 30 1234", lambda s: s.facts.billing.phone),
    _MERGE("billing.country", "Billing country", "DE", lambda s: s.facts.billing.country),
    _MERGE("shipping.name", "Shipping name", "Ann Lee", lambda s: _ship(s).name),
    _MERGE("shipping.company", "Shipping company", "Lee Ltd", lambda s: _ship(s).company),
    _MERGE(
        "shipping.address",
        "Shipping address",
        "1 High St\n10115 Berlin",
        lambda s: address_text(_ship(s), s.locale),
        many=True,
    ),
    _MERGE("shipping.country", "Shipping country", "DE", lambda s: _ship(s).country),
)


ORDER = Kind(
    "order",
    "Order",
    "Orders",
    "When an order is placed",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(OrderFacts),
    scope_reads="status_id channel_id",
    dated_by="created_at",
    brief=_brief,
    material={1: order_1},
    merge=MERGE,
    shown=_shown,
    signer="the buyer",
)
