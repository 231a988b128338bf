"""Orders as rules see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.model import Money, OrderFacts
from bcapp.core.stored import codec_of

NOT_PLACED = frozenset({0})
NO_HISTORY = "a guest without an e-mail address has no history"


def _custom_field(facts: OrderFacts, name: str, _: Reading) -> frozenset[str]:
    return frozenset(
        value for item in facts.items for key, value in item.custom_fields if key.casefold() == name.casefold()
    )


def _first_order(facts: OrderFacts, _argument: str, _: Reading) -> bool | Unknown:
    if facts.history is None:
        return Unknown(NO_HISTORY)
    return facts.history.orders_before == 0


def _orders_in_days(facts: OrderFacts, days: str, _: Reading) -> Decimal | Unknown:
    if facts.history is None:
        return Unknown(NO_HISTORY)
    since = facts.created_at - timedelta(days=int(days))
    return Decimal(1 + sum(1 for at, _ in facts.history.recent if at >= since))


def _sum_in_days(facts: OrderFacts, days: str, _: Reading) -> Money | Unknown:
    """This order and the customer's others of the last days, in this order's currency: splitting does not help."""
    if facts.history is None:
        return Unknown(NO_HISTORY)
    since = facts.created_at - timedelta(days=int(days))
    others = [m for at, m in facts.history.recent if at >= since]
    if any(m.currency != facts.total.currency for m in others):
        return Unknown(f"other orders of these {days} days are in another currency")
    return Money(facts.total.amount + sum((m.amount for m in others), Decimal()), facts.total.currency)


_CATALOG, _GROUP, _HISTORY = frozenset({"catalog"}), frozenset({"group"}), frozenset({"history"})

FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("total", FieldType.MONEY, "Order total", "With tax, in the order's currency.", "1000.00 USD",
              lambda o, a, r: o.total),
        Field("sku", FieldType.LIST, "SKU", "Any line of the order.", "TENT-4",
              lambda o, a, r: frozenset(i.sku for i in o.items if i.sku)),
        Field("category", FieldType.LIST, "Category", "A product's category or one above it. By category number.", "23",
              lambda o, a, r: frozenset(str(c) for i in o.items for c in i.categories), needs=_CATALOG),
        Field("brand", FieldType.LIST, "Brand", "Any line of the order, by name.", "Northfield",
              lambda o, a, r: frozenset(i.brand_name for i in o.items if i.brand_name), needs=_CATALOG),
        Field("custom_field", FieldType.LIST, "Product custom field", "The value of a custom field of any product.",
              "regulated = yes", _custom_field, argument="Custom field name", needs=_CATALOG),
        Field("shipping_country", FieldType.COUNTRY, "Shipping country", "Where any part of the order goes.", "DE",
              lambda o, a, r: frozenset(s.country for s in o.shipping) or frozenset({o.billing.country})),
        Field("channel", FieldType.CHOICE, "Channel", "The storefront, by channel number.", "1",
              lambda o, a, r: frozenset({str(o.channel_id)})),
        Field("customer_group", FieldType.CHOICE, "Customer group", "By group number; 0 is no group.", "3",
              lambda o, a, r: frozenset({str(o.customer_group_id)}), needs=_GROUP),
        Field("payment_method", FieldType.CHOICE, "Payment method", "As the order shows it.", "Purchase Order",
              lambda o, a, r: frozenset({o.payment_method})),
        Field("guest", FieldType.FLAG, "Guest checkout", "The buyer has no account.", "",
              lambda o, a, r: o.customer_id == 0),
        Field("first_order", FieldType.FLAG, "First order", "This customer has no earlier order.", "", _first_order,
              needs=_HISTORY),
        Field("orders_in_days", FieldType.NUMBER, "Orders in recent days", "This customer's orders, this one included.",
              "3", _orders_in_days, argument="Days", needs=_HISTORY),
        Field("sum_in_days", FieldType.MONEY, "Sum of recent days", "This customer's orders together.",
              "1000.00 USD", _sum_in_days, argument="Days", needs=_HISTORY),
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
    return Brief(facts.label, facts.modified_at, customer, bool(email), facts.total)


ORDER = Kind(
    "order",
    "Order",
    "Orders",
    "When an order is placed",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(OrderFacts),
    large=frozenset({"items", "transactions"}),
    brief=_brief,
)
