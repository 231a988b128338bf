"""Promotions as rules see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core import formats
from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.merge import MergeField, Source
from bcapp.core.model import Money
from bcapp.core.offers import ENABLED, NOT_SEEN, Benefit, Margins, budget, depth
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.stored import codec_of

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOT_READ = Margins(why="the products were not read")


@dataclass(frozen=True)
class PromotionFacts:
    """A promotion, freshly read. unread: see OrderFacts; "catalog" when the products for the margin were not.

    The vendor tells neither when a promotion was made nor when it was changed. first_seen_at: when we first read it.
    absent_at: when the store was last read without it, None for one that was there from the first reading on.
    terms: what is offered, as comparable text by the vendor's field names.
    """

    id: int
    name: str
    shown_as: str
    redemption: str  # automatic | coupon
    status: str  # ENABLED | DISABLED | INVALID
    currency: str  # ISO 4217
    first_seen_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    max_uses: int  # 0: no limit
    current_uses: int
    benefits: tuple[Benefit, ...]
    terms: tuple[tuple[str, str], ...]
    absent_at: datetime | None = None
    channels: frozenset[int] = frozenset()  # empty: all
    groups: frozenset[int] = frozenset()  # empty: everybody
    excluded_groups: frozenset[int] = frozenset()
    minimum_orders: int = 0
    stacks: bool = True
    all_currencies: bool = False
    margins: Margins = NOT_READ
    unread: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        return f"Promotion {self.id}"

    @property
    def takes_codes(self) -> bool:
        """Whether it may have a code for each customer."""
        return self.redemption == "coupon" and ("coupon_type", '"BULK"') in self.terms

    @property
    def is_on(self) -> bool:
        return self.status == ENABLED

    @property
    def depth(self) -> Decimal | None:
        """The deepest discount on goods in percent, None when it depends on the cart."""
        return depth(self.benefits)

    @property
    def budget(self) -> Money | None:
        """The most that it can take off in all, None when nothing limits it."""
        return budget(self.benefits, self.max_uses)

    @property
    def ships_free(self) -> bool:
        return any(b.kind == "shipping" for b in self.benefits)

    @property
    def gives_gift(self) -> bool:
        return any(b.kind == "gift" for b in self.benefits)

    def is_running(self, now: datetime) -> bool:
        """Return whether shoppers get it at this moment."""
        return self.is_on and self.has_begun(now) and not self.has_ended(now)

    def has_begun(self, now: datetime) -> bool:
        return self.starts_at is None or self.starts_at <= now

    def has_ended(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


_KINDS = (
    ("order", "Off the order"),
    ("items", "Off products"),
    ("shipping", "Free shipping"),
    ("gift", "A gift"),
    ("fixed_price", "A set for a fixed price"),
    ("other", "Something else"),
)


def _depth(facts: PromotionFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown("how deep it is depends on the cart") if facts.depth is None else facts.depth


def _margin(facts: PromotionFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    return Unknown(facts.margins.why) if facts.margins.lowest is None else facts.margins.lowest


def _budget(facts: PromotionFacts, _argument: str, _: Reading) -> Money | Unknown:
    return facts.budget or Unknown("nothing limits what it costs")


def _amount_off(facts: PromotionFacts, _argument: str, _: Reading) -> Money | Unknown:
    amounts = [b.amount for b in facts.benefits if b.amount is not None and b.kind in ("order", "items")]
    if not amounts:
        return Unknown("it takes no fixed amount off")
    return max(amounts, key=lambda money: money.amount)


def _days(facts: PromotionFacts, _argument: str, reading: Reading) -> Decimal | Unknown:
    if facts.ends_at is None:
        return Unknown("it never ends")
    return Decimal(max(0, (facts.ends_at - (facts.starts_at or facts.first_seen_at)).days))


def _start(facts: PromotionFacts, _argument: str, reading: Reading) -> date | Unknown:
    return facts.starts_at.astimezone(reading.zone).date() if facts.starts_at else Unknown("it names no start")


def _end(facts: PromotionFacts, _argument: str, reading: Reading) -> date | Unknown:
    return facts.ends_at.astimezone(reading.zone).date() if facts.ends_at else Unknown("it never ends")


def _channels(facts: PromotionFacts, _argument: str, reading: Reading) -> frozenset[str]:
    return frozenset(str(c) for c in facts.channels or reading.storefront_channels)


FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("depth", FieldType.NUMBER, "Discount in percent",
              "The deepest on goods; an amount off counts by its minimum spend, a gift as 100.", "20", _depth),
        Field("amount_off", FieldType.MONEY, "Amount off", "The largest fixed amount.", "50.00 USD", _amount_off),
        Field("margin", FieldType.NUMBER, "Lowest margin in percent",
              "Of the discounted price above the cost price, over the products that it is for.", "15", _margin,
              needs=frozenset({"catalog"})),
        Field("budget", FieldType.MONEY, "Most that it can cost", "All uses together, where uses and amounts are "
              "limited.", "5000.00 USD", _budget),
        Field("max_uses", FieldType.NUMBER, "Uses at most", "0 is no limit.", "500",
              lambda p, a, r: Decimal(p.max_uses)),
        Field("unlimited", FieldType.FLAG, "No limit of uses", "It may be used as often as anybody likes.", "",
              lambda p, a, r: p.max_uses == 0),
        Field("endless", FieldType.FLAG, "Without an end", "It has no last day.", "", lambda p, a, r: not p.ends_at),
        Field("days", FieldType.NUMBER, "Length in days", "Whole days from its start to its end.", "14", _days),
        Field("starts_on", FieldType.DATE, "Starts on", "The day in the store's time zone.", "2026-11-23", _start),
        Field("ends_on", FieldType.DATE, "Ends on", "The day in the store's time zone.", "2026-11-30", _end),
        Field("gives", FieldType.LIST, "What it gives", "Any of its rules.", "gift",
              lambda p, a, r: frozenset(b.kind for b in p.benefits), choices=_KINDS),
        Field("redemption", FieldType.CHOICE, "How it is used", "By itself, or with a code.", "coupon",
              lambda p, a, r: frozenset({p.redemption}),
              choices=(("automatic", "By itself"), ("coupon", "With a code"))),
        Field("stacks", FieldType.FLAG, "Adds to other promotions", "May be used together with others.", "",
              lambda p, a, r: p.stacks),
        Field("customer_group", FieldType.LIST, "Customer group", "By group number; empty when it is for everybody.",
              "3", lambda p, a, r: frozenset(str(g) for g in p.groups), numbered=True),
        Field("everybody", FieldType.FLAG, "For everybody", "Limited to no customer group.", "",
              lambda p, a, r: not p.groups),
        Field("channel", FieldType.LIST, "Channel", "Any that it is for, by channel number.", "1", _channels,
              numbered=True),
        Field("currency", FieldType.CHOICE, "Currency", "Of its amounts.", "USD",
              lambda p, a, r: frozenset({p.currency})),
        Field("name", FieldType.TEXT, "Name", "As staff see it.", "Spring sale", lambda p, a, r: p.name),
    )
}  # fmt: skip


def _out_of_scope(facts: PromotionFacts, channels: frozenset[int]) -> OutOfScope | None:
    if not channels or (facts.channels and channels.isdisjoint(facts.channels)):
        return OutOfScope("not_storefront", "The promotion is for none of the storefronts of this rule.")
    return None


def _created_at(facts: PromotionFacts) -> datetime:
    """Return the first time that it was read; what was there from the first reading on is older than every rule."""
    return facts.first_seen_at if facts.absent_at is not None else LONG_AGO


def _brief(facts: PromotionFacts) -> Brief:
    return Brief(f"{facts.label}, {facts.name}", facts.first_seen_at, money=facts.budget)


def promotion_1(facts: PromotionFacts) -> dict[str, Any]:
    """The terms of the offer. Its names, its banners and how often it was used are not material, nor is being off."""
    return dict(facts.terms)


def _shown(facts: PromotionFacts) -> dict[str, Any]:
    """What pages show; amounts and percents as text."""
    deepest, most, lowest = facts.depth, facts.budget, facts.margins.lowest
    return {
        "name": facts.name,
        "shown_as": facts.shown_as,
        "status": facts.status,
        "redemption": facts.redemption,
        "starts_at": facts.starts_at.isoformat() if facts.starts_at else None,
        "ends_at": facts.ends_at.isoformat() if facts.ends_at else None,
        "max_uses": facts.max_uses,
        "current_uses": facts.current_uses,
        "depth": None if deepest is None else f"{deepest.normalize():f}",
        "budget": f"{most.amount:f} {most.currency}" if most else None,
        "margin": None if lowest is None else f"{lowest:f}",
        "margin_why": facts.margins.why,
        "margin_of": facts.margins.of,
        "without_cost": facts.margins.without_cost,
        "stacks": facts.stacks,
        "groups": sorted(facts.groups),
        "gives": [gives(b) for b in facts.benefits],
        "not_seen": list(NOT_SEEN),
    }


def gives(benefit: Benefit) -> str:
    """Return what a rule gives, as people say it: "20 % off products, when at least 2 are in the cart"."""
    off = f"{benefit.percent.normalize():f} %" if benefit.percent is not None else _money(benefit.amount)
    head = {
        "order": f"{off} off the order",
        "items": f"{off} off products" if benefit.quantity == 0 else f"{off} off {benefit.quantity} of the products",
        "shipping": "Free shipping",
        "gift": f"{benefit.quantity or 1} as a gift",
        "fixed_price": f"{benefit.quantity} products for {_money(benefit.amount)}",
    }.get(benefit.kind, "Something that this app does not know")
    when = []
    if benefit.minimum_spend is not None:
        when.append(f"from {_money(benefit.minimum_spend)} on")
    if benefit.minimum_quantity > 1:
        when.append(f"when at least {benefit.minimum_quantity} are in the cart")
    if benefit.cap is not None:
        when.append(f"{_money(benefit.cap)} at most")
    if benefit.repeats:
        when.append("again for each time")
    return ", ".join((head, *when))


def _money(money: Money | None) -> str:
    return f"{money.amount:f} {money.currency}" if money else "Some"


def _moment(source: Source, at: datetime | None, none: str) -> str:
    return formats.moment(at, source.locale, formats.zone_for(source.profile.timezone)) if at else none


def _percent(value: Decimal | None, why: str) -> str:
    return why if value is None else f"{value.normalize():f} %"


def sheet(source: Source) -> Sheet:
    """Return what is decided on: depth and dates; for people of the store also margin, budget and what nobody sees."""
    p: PromotionFacts = source.facts
    most = p.budget
    limit = f"{p.current_uses} of {p.max_uses}" if p.max_uses else f"{p.current_uses}, without a limit"
    whom = f"Customer groups {', '.join(map(str, sorted(p.groups)))}" if p.groups else "Everybody"
    margin = _percent(p.margins.lowest, (p.margins.why or "not read").capitalize())
    facts = [
        ("Promotion", p.name if source.internal else p.shown_as or p.name),
        ("Deepest discount", _percent(p.depth, "Depends on the cart")),
        ("Starts", _moment(source, p.starts_at, "At once")),
        ("Ends", _moment(source, p.ends_at, "Never")),
        ("How it is used", "With a code" if p.redemption == "coupon" else "By itself"),
        ("With other promotions", "Adds to them" if p.stacks else "Not together with others"),
    ]
    tables = [SheetTable("What it gives", ("Rule",), tuple((gives(b),) for b in p.benefits))]
    if source.internal:
        facts += [
            ("Shown to shoppers as", p.shown_as or "–"),
            ("Lowest margin left", f"{margin} ({p.margins.of})" if p.margins.of else margin),
            ("Most that it can cost", formats.money(most, source.locale) if most else "Not limited"),
            ("Used so far", limit),
            ("For", whom),
        ]
        if p.margins.without_cost:
            facts.append(("Products without a cost price", str(p.margins.without_cost)))
        tables.append(SheetTable("What these figures do not cover", ("",), tuple((line,) for line in NOT_SEEN)))
    return Sheet(tuple(facts), tables=tuple(tables))


_MERGE = partial(MergeField, kind="promotion")
MERGE = (
    _MERGE("promotion.id", "Promotion number", "12", lambda s: str(s.facts.id)),
    _MERGE("promotion.name", "Name of the promotion", "Spring sale", lambda s: s.facts.name),
    _MERGE("promotion.shown_as", "As shoppers see it", "Spring is here", lambda s: s.facts.shown_as),
    _MERGE(
        "promotion.depth",
        "Deepest discount",
        "20 %",
        lambda s: _percent(s.facts.depth, "depends on the cart"),
    ),
    _MERGE("promotion.starts", "Start", "1 March 2026, 09:00 UTC", lambda s: _moment(s, s.facts.starts_at, "at once")),
    _MERGE("promotion.ends", "End", "14 March 2026, 23:59 UTC", lambda s: _moment(s, s.facts.ends_at, "never")),
    _MERGE("promotion.max_uses", "Uses at most", "500", lambda s: str(s.facts.max_uses or "no limit")),
    _MERGE(
        "promotion.gives",
        "What it gives",
        "20 % off the order, from 100 USD on",
        lambda s: "\n".join(gives(b) for b in s.facts.benefits),
        many=True,
    ),
)


PROMOTION = Kind(
    "promotion",
    "Promotion",
    "Promotions",
    "When a promotion is set up",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(PromotionFacts),
    brief=_brief,
    material={1: promotion_1},
    merge=MERGE,
    sheet=sheet,
    shown=_shown,
    signer="the partner",
)
