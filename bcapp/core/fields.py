"""What a field of a record is: its type, the operators that the type allows, and how it is read from facts.

The fields themselves stand with their kind of record, in `core/kinds/`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from bcapp.core.money import RateTable


class FieldType(StrEnum):
    MONEY = "money"
    NUMBER = "number"
    TEXT = "text"
    CHOICE = "choice"
    COUNTRY = "country"
    DATE = "date"
    LIST = "list"
    FLAG = "flag"


class Unknown:
    """A value that cannot be known: history of a guest without an address, a currency nobody named."""

    def __init__(self, why: str) -> None:
        self.why = why


@dataclass(frozen=True)
class Reading:
    """What besides the facts a condition may be judged by.

    zone: the store's. rates: the store's dated table. storefront_channels: where rules act.
    """

    now: datetime
    zone: tzinfo = UTC
    rates: RateTable = field(default_factory=RateTable)
    storefront_channels: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Field:
    """argument: label of the extra word that the field needs ("Days", "Custom field name"), "" when none.

    read(facts, argument, reading) returns Money, Decimal, str, a set of str, date, bool, or Unknown; several Money
    are a sum, to be added up in one currency, and none of them is zero in any.
    needs: the parts of the facts that it reads; one that was left out (facts.unread) makes it unknown.
    reads: the stored parts of the facts that it reads, as paths parted by blanks: "total billing.country items.sku";
    "" for kinds whose past is not kept: all of it. Whoever reads many records fetches these alone.
    choices: (value, label) of a field whose values are known beforehand. numbered: its values are the store's own
    numbers, such as a category's. between: the least and the most that a number can be.
    """

    name: str
    type: FieldType
    label: str
    help: str
    example: str
    read: Callable[[Any, str, Reading], Any]
    argument: str = ""
    needs: frozenset[str] = frozenset()  # keys of UNREAD
    reads: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    numbered: bool = False
    between: tuple[int, int] | None = None


ACCEPTED = "accepted"  # the field of what a record's party has signed before: ours to know, looked up where a rule asks

# The parts of facts that cost a call of their own, and what is said of one that was left out.
UNREAD: dict[str, str] = {
    "catalog": "the products were not read",
    "group": "the customer's account was not read",
    "history": "the customer's other orders were not read",
    "coupons": "the coupon codes were not read",
    "metafields": "the metafields were not read",
    "customer_metafields": "the customer's metafields were not read",
    "attributes": "the customer's attributes were not read",
    "company_users": "the company's users were not read",
    "company_address": "the company's address was not read",
}

OPERATORS: dict[FieldType, tuple[str, ...]] = {
    FieldType.MONEY: ("at_least", "more_than", "at_most", "less_than"),
    FieldType.NUMBER: ("at_least", "more_than", "at_most", "less_than", "is"),
    FieldType.TEXT: ("is", "is_not", "contains"),
    FieldType.CHOICE: ("is_any_of", "is_none_of"),
    FieldType.COUNTRY: ("is_any_of", "is_none_of"),
    FieldType.DATE: ("on_or_after", "before"),
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
    "on_or_after": "is on or after",
    "before": "is before",
    "has_any_of": "has any of",
    "has_none_of": "has none of",
    "is_true": "is true",
    "is_false": "is not true",
}
