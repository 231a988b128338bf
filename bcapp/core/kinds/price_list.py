"""Price lists as rules see them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core import formats
from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.merge import MergeField, Source
from bcapp.core.model import Money
from bcapp.core.offers import margin
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.stored import codec_of


@dataclass(frozen=True)
class ListedPrice:
    """One price of a list. usual: of the product without the list, 0 when it was not read. cost: None when unknown."""

    sku: str
    price: Money
    steps: int = 0  # lower prices for larger quantities
    usual: Decimal = Decimal(0)
    cost: Decimal | None = None

    @property
    def off(self) -> Decimal | None:
        """Percent below the usual price, None where that is not known."""
        if self.usual <= 0:
            return None
        return ((self.usual - self.price.amount) / self.usual * 100).quantize(Decimal("0.01"))


@dataclass(frozen=True)
class PriceListFacts:
    """A price list, freshly read. changed_at: of the list or of its newest price. unread: see OrderFacts.

    assignments: (customer group, storefront) that get it, 0 for every one.
    """

    id: int
    name: str
    is_active: bool
    changed_at: datetime
    prices: tuple[ListedPrice, ...]
    assignments: tuple[tuple[int, int], ...] = ()
    unread: frozenset[str] = frozenset()

    @property
    def depth(self) -> Decimal | None:
        """The deepest discount from a usual price, None when there is none to compare with."""
        known = [found for price in self.prices if (found := price.off) is not None]
        return max(known, default=None)

    @property
    def margin(self) -> Decimal | None:
        """The lowest margin of any price, None where no cost is known."""
        known = [margin(p.price.amount, p.cost) for p in self.prices if p.cost is not None]
        return min((m for m in known if m is not None), default=None)


def _depth(facts: PriceListFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown("no usual price to compare with") if facts.depth is None else facts.depth


def _margin(facts: PriceListFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown("no product has a cost price") if facts.margin is None else facts.margin


_CATALOG = frozenset({"catalog"})
FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("depth", FieldType.NUMBER, "Discount in percent", "The deepest below a usual price.", "20", _depth,
              needs=_CATALOG),
        Field("margin", FieldType.NUMBER, "Lowest margin in percent", "Of any of its prices, above the cost price.",
              "15", _margin, needs=_CATALOG),
        Field("prices", FieldType.NUMBER, "Number of prices", "Of all products and currencies.", "50",
              lambda p, a, r: Decimal(len(p.prices))),
        Field("active", FieldType.FLAG, "Active", "Its prices are in force.", "", lambda p, a, r: p.is_active),
        Field("assigned", FieldType.FLAG, "Assigned", "Some group or storefront gets it.", "",
              lambda p, a, r: bool(p.assignments)),
        Field("customer_group", FieldType.LIST, "Customer group", "That gets it, by group number; 0 is everybody.", "3",
              lambda p, a, r: frozenset(str(group) for group, _ in p.assignments), numbered=True),
        Field("name", FieldType.TEXT, "Name", "As staff see it.", "Wholesale", lambda p, a, r: p.name),
    )
}  # fmt: skip


def _out_of_scope(facts: PriceListFacts, channels: frozenset[int]) -> OutOfScope | None:
    at = frozenset(channel for _, channel in facts.assignments)
    if at and 0 not in at and channels.isdisjoint(at):
        return OutOfScope("not_storefront", "The price list is for none of the storefronts of this rule.")
    return None


def _changed_at(facts: PriceListFacts) -> datetime:
    """Return when it changed last: a rule looks at what is changed after it went live, whenever the list was made."""
    return facts.changed_at


def price_list_1(facts: PriceListFacts) -> dict[str, Any]:
    """Its prices, and who gets them. Its name is not material."""
    text = "\n".join(
        sorted(f"{p.sku} {p.price.amount.normalize():f} {p.price.currency} {p.steps}" for p in facts.prices)
    )
    return {
        "active": facts.is_active,
        "prices": hashlib.sha256(text.encode()).hexdigest(),
        "assignments": sorted([group, channel] for group, channel in facts.assignments),
    }


def _shown(facts: PriceListFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "active": facts.is_active,
        "count": len(facts.prices),
        "depth": None if facts.depth is None else f"{facts.depth.normalize():f}",
        "margin": None if facts.margin is None else f"{facts.margin:f}",
        "changed_at": facts.changed_at.isoformat(),
    }


def sheet(source: Source) -> Sheet:
    """Return the list as it is in force; costs and margins for people of the store only."""
    p: PriceListFacts = source.facts
    facts = [
        ("Price list", p.name),
        ("In force", "Yes" if p.is_active else "No"),
        ("Given to", "; ".join(_whom(group, channel) for group, channel in p.assignments) or "Nobody"),
        ("Number of prices", formats.number(len(p.prices), source.locale)),
        ("Deepest discount", _percent(p.depth)),
    ]
    if source.internal:
        facts.append(("Lowest margin", _percent(p.margin)))
    rows = tuple((x.sku, formats.money(x.price, source.locale), _percent(x.off)) for x in p.prices)
    return Sheet(tuple(facts), tables=(SheetTable("Prices", ("SKU", "Price", "Off"), rows, frozenset({1, 2})),))


def _whom(group: int, channel: int) -> str:
    who = f"customer group {group}" if group else "everybody"
    return f"{who} on channel {channel}" if channel else who


def _percent(value: Decimal | None) -> str:
    return "not known" if value is None else f"{value.normalize():f} %"


_MERGE = partial(MergeField, kind="price_list")
MERGE = (
    _MERGE("price_list.id", "Price list number", "3", lambda s: str(s.facts.id)),
    _MERGE("price_list.name", "Name of the price list", "Wholesale", lambda s: s.facts.name),
    _MERGE("price_list.prices", "Number of prices", "120", lambda s: str(len(s.facts.prices))),
)

PRICE_LIST = Kind(
    "price_list",
    "Price list",
    "Price lists",
    "When a price list is changed",
    FIELDS,
    _out_of_scope,
    _changed_at,
    codec_of(PriceListFacts),
    brief=lambda facts: Brief(f"Price list {facts.id}, {facts.name}", facts.changed_at),
    material={1: price_list_1},
    merge=MERGE,
    sheet=sheet,
    shown=_shown,
    signer="the partner",
    has_amount=False,
)
