"""Products as rules see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bcapp.core.conditions import METAFIELD
from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.kinds.order import named_values
from bcapp.core.model import Money
from bcapp.core.stored import codec_of


@dataclass(frozen=True)
class ProductFacts:
    """A product, freshly read. Amounts are in the store's default currency. unread: see OrderFacts.

    channels: the channels that it is assigned to. inventory: pieces; None when the store does not count them.
    """

    id: int
    name: str
    sku: str
    type: str  # physical | digital
    price: Money
    cost: Money
    sale_price: Money
    weight: Decimal  # in the store's unit
    categories: frozenset[int]  # with all ancestors
    brand_id: int
    brand_name: str
    is_visible: bool
    availability: str  # available | disabled | preorder
    condition: str
    inventory: int | None
    created_at: datetime
    modified_at: datetime
    channels: frozenset[int] = frozenset()
    custom_fields: tuple[tuple[str, str], ...] = ()
    metafields: tuple[tuple[str, str], ...] = ()
    is_price_hidden: bool = False
    unread: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The product as people name it in lists."""
        return f"Product {self.id}, {self.name}"


def _margin(facts: ProductFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    """Percent of the price that is left above the cost."""
    if not facts.cost.amount:
        return Unknown("the product has no cost price")
    if not facts.price.amount:
        return Unknown("the product has no price")
    return ((facts.price.amount - facts.cost.amount) / facts.price.amount * 100).quantize(Decimal("0.01"))


def _inventory(facts: ProductFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown("the store does not count its stock") if facts.inventory is None else Decimal(facts.inventory)


def _created(facts: ProductFacts, _argument: str, reading: Reading) -> date:
    return facts.created_at.astimezone(reading.zone).date()


_CATALOG = frozenset({"catalog"})

FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("price", FieldType.MONEY, "Price", "Without a sale, in the store's default currency.", "1000.00 USD",
              lambda p, a, r: p.price, reads="price"),
        Field("sale_price", FieldType.MONEY, "Sale price", "0 when there is no sale.", "900.00 USD",
              lambda p, a, r: p.sale_price, reads="sale_price"),
        Field("cost", FieldType.MONEY, "Cost price", "What the product costs the store.", "600.00 USD",
              lambda p, a, r: p.cost, reads="cost"),
        Field("margin", FieldType.NUMBER, "Margin in percent", "Of the price, above the cost price.", "20", _margin,
              reads="cost price"),
        Field("name", FieldType.TEXT, "Name", "Of the product.", "Tent", lambda p, a, r: p.name, reads="name"),
        Field("sku", FieldType.CHOICE, "SKU", "Of the product, not of its variants.", "TENT-4",
              lambda p, a, r: frozenset({p.sku} if p.sku else ()), reads="sku"),
        Field("category", FieldType.LIST, "Category", "Its category or one above it. By category number.", "23",
              lambda p, a, r: frozenset(str(c) for c in p.categories), needs=_CATALOG, numbered=True,
              reads="categories"),
        Field("brand", FieldType.CHOICE, "Brand", "By name.", "Northfield",
              lambda p, a, r: frozenset({p.brand_name} if p.brand_name else ()), needs=_CATALOG, reads="brand_name"),
        Field("custom_field", FieldType.LIST, "Custom field", "The value of the custom field of this name.",
              "regulated = yes", lambda p, a, r: named_values(p.custom_fields, a), argument="Custom field name",
              reads="custom_fields"),
        Field("type", FieldType.CHOICE, "Type", "Physical or digital.", "physical",
              lambda p, a, r: frozenset({p.type}), choices=(("physical", "Physical"), ("digital", "Digital")),
              reads="type"),
        Field("visible", FieldType.FLAG, "Visible", "Shown on the storefront.", "", lambda p, a, r: p.is_visible,
              reads="is_visible"),
        Field("price_hidden", FieldType.FLAG, "Price hidden", "The storefront does not show the price.", "",
              lambda p, a, r: p.is_price_hidden, reads="is_price_hidden"),
        Field("availability", FieldType.CHOICE, "Availability", "Whether it can be bought.", "available",
              lambda p, a, r: frozenset({p.availability}),
              choices=(("available", "Available"), ("disabled", "Not for sale"), ("preorder", "Pre-order")),
              reads="availability"),
        Field("weight", FieldType.NUMBER, "Weight", "In the store's unit.", "12.5", lambda p, a, r: p.weight,
              reads="weight"),
        Field("inventory", FieldType.NUMBER, "Stock", "Pieces, where the store counts them.", "10", _inventory,
              reads="inventory"),
        Field("channel", FieldType.CHOICE, "Channel", "Any that it is assigned to, by channel number.", "1",
              lambda p, a, r: frozenset(str(c) for c in p.channels), numbered=True, reads="channels"),
        Field("created", FieldType.DATE, "Created on", "The day in the store's time zone.", "2026-11-23", _created,
              reads="created_at"),
        Field("metafield", FieldType.LIST, "Product metafield", "What another app keeps on the product.",
              "erp.supplier = 4711", lambda p, a, r: named_values(p.metafields, a), argument=METAFIELD,
              needs=frozenset({"metafields"}), reads="metafields"),
    )
}  # fmt: skip


def _out_of_scope(facts: ProductFacts, channels: frozenset[int]) -> OutOfScope | None:
    if channels.isdisjoint(facts.channels):
        return OutOfScope("not_storefront", "The product is assigned to none of the storefronts of this rule.")
    return None


def _created_at(facts: ProductFacts) -> datetime:
    return facts.created_at


def _brief(facts: ProductFacts) -> Brief:
    return Brief(facts.label, facts.modified_at, money=facts.price)


PRODUCT = Kind(
    "product",
    "Product",
    "Products",
    "When a product is created",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(ProductFacts),
    scope_reads="channels",
    dated_by="created_at",
    brief=_brief,
)
