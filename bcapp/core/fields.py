"""The fields that a condition on an order may use: name, type, label, and how to read them from facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bcapp.core.model import Money, OrderFacts


class FieldType(StrEnum):
    MONEY = "money"
    NUMBER = "number"
    TEXT = "text"
    CHOICE = "choice"
    COUNTRY = "country"
    LIST = "list"
    FLAG = "flag"


class Unknown:
    """A value that cannot be known: history of a guest without an address, a currency nobody named."""

    def __init__(self, why: str) -> None:
        self.why = why


@dataclass(frozen=True)
class Field:
    """argument: label of the extra word that the field needs ("days", "custom field name"), "" when none.

    read(facts, argument, now) returns Money, Decimal, str, a set of str, bool, or Unknown.
    """

    name: str
    type: FieldType
    label: str
    help: str
    example: str
    read: Callable[[OrderFacts, str, datetime], Any]
    argument: str = ""
    needs: frozenset[str] = frozenset()  # which reads it costs: catalog, group, history


OPERATORS: dict[FieldType, tuple[str, ...]] = {
    FieldType.MONEY: ("at_least", "more_than", "at_most", "less_than"),
    FieldType.NUMBER: ("at_least", "more_than", "at_most", "less_than", "is"),
    FieldType.TEXT: ("is", "is_not", "contains"),
    FieldType.CHOICE: ("is_any_of", "is_none_of"),
    FieldType.COUNTRY: ("is_any_of", "is_none_of"),
    FieldType.LIST: ("has_any_of", "has_none_of"),
    FieldType.FLAG: ("is_true", "is_false"),
}
OPERATOR_WORDS: dict[str, str] = {
    "at_least": "is at least",
    "more_than": "is more than",
    "at_most": "is at most",
    "less_than": "is less than",
    "is": "is",
    "is_not": "is not",
    "contains": "contains",
    "is_any_of": "is any of",
    "is_none_of": "is none of",
    "has_any_of": "has any of",
    "has_none_of": "has none of",
    "is_true": "is true",
    "is_false": "is not true",
}


def _custom_field(facts: OrderFacts, name: str, _: datetime) -> frozenset[str]:
    return frozenset(
        value for item in facts.items for key, value in item.custom_fields if key.casefold() == name.casefold()
    )


def _first_order(facts: OrderFacts, _argument: str, _now: datetime) -> bool | Unknown:
    if facts.history is None:
        return Unknown("a guest without an e-mail address has no history")
    return facts.history.orders_before == 0


def _orders_in_days(facts: OrderFacts, days: str, _now: datetime) -> Decimal | Unknown:
    if facts.history is None:
        return Unknown("a guest without an e-mail address has no history")
    since = facts.created_at - timedelta(days=int(days))
    return Decimal(1 + sum(1 for at, _ in facts.history.recent if at >= since))


def _sum_in_days(facts: OrderFacts, days: str, _now: datetime) -> Money | Unknown:
    """This order and the customer's others of the last days, in this order's currency: splitting does not help."""
    if facts.history is None:
        return Unknown("a guest without an e-mail address has no history")
    since = facts.created_at - timedelta(days=int(days))
    others = [m for at, m in facts.history.recent if at >= since]
    if any(m.currency != facts.total.currency for m in others):
        return Unknown(f"other orders of these {days} days are in another currency")
    return Money(facts.total.amount + sum((m.amount for m in others), Decimal()), facts.total.currency)


_CATALOG, _GROUP, _HISTORY = frozenset({"catalog"}), frozenset({"group"}), frozenset({"history"})

ORDER_FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("total", FieldType.MONEY, "Order total", "With tax, in the order's currency.", "1000.00 USD",
              lambda o, a, n: o.total),
        Field("sku", FieldType.LIST, "SKU", "Any line of the order.", "TENT-4",
              lambda o, a, n: frozenset(i.sku for i in o.items if i.sku)),
        Field("category", FieldType.LIST, "Category", "A product's category or one above it. By category number.", "23",
              lambda o, a, n: frozenset(str(c) for i in o.items for c in i.categories), needs=_CATALOG),
        Field("brand", FieldType.LIST, "Brand", "Any line of the order, by name.", "Northfield",
              lambda o, a, n: frozenset(i.brand_name for i in o.items if i.brand_name), needs=_CATALOG),
        Field("custom_field", FieldType.LIST, "Product custom field", "The value of a custom field of any product.",
              "regulated = yes", _custom_field, argument="Custom field name", needs=_CATALOG),
        Field("shipping_country", FieldType.COUNTRY, "Shipping country", "Where any part of the order goes.", "DE",
              lambda o, a, n: frozenset(s.country for s in o.shipping) or frozenset({o.billing.country})),
        Field("channel", FieldType.CHOICE, "Channel", "The storefront, by channel number.", "1",
              lambda o, a, n: frozenset({str(o.channel_id)})),
        Field("customer_group", FieldType.CHOICE, "Customer group", "By group number; 0 is no group.", "3",
              lambda o, a, n: frozenset({str(o.customer_group_id)}), needs=_GROUP),
        Field("payment_method", FieldType.CHOICE, "Payment method", "As the order shows it.", "Purchase Order",
              lambda o, a, n: frozenset({o.payment_method})),
        Field("guest", FieldType.FLAG, "Guest checkout", "The buyer has no account.", "",
              lambda o, a, n: o.customer_id == 0),
        Field("first_order", FieldType.FLAG, "First order", "This customer has no earlier order.", "", _first_order,
              needs=_HISTORY),
        Field("orders_in_days", FieldType.NUMBER, "Orders in recent days", "This customer's orders, this one included.",
              "3", _orders_in_days, argument="Days", needs=_HISTORY),
        Field("sum_in_days", FieldType.MONEY, "Sum of recent days", "This customer's orders together.",
              "1000.00 USD", _sum_in_days, argument="Days", needs=_HISTORY),
    )
}  # fmt: skip
