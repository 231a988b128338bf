"""Offers: what a promotion or a quote gives away, what switching it off and on writes, and when it may go on.

A promotion has no change date, no version and no event, and a write replaces it whole. So it is always read right
before it is written, compared with what was decided on, and written back with everything that we do not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from bcapp.core.model import Money, OrderFacts

ENABLED, DISABLED, INVALID = "ENABLED", "DISABLED", "INVALID"  # INVALID is the vendor's own: enabled, and broken
WHOLE = Decimal(100)
_CENT = Decimal("0.01")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.{0,20}")

# What the vendor writes itself and takes from nobody. Source: promotions.v3.yml, PromotionBase and CreatedFrom.
READ_ONLY = frozenset({"id", "current_uses", "created_from", "redemption_type", "multiple_codes"})
READ_ONLY_OF_CODES = frozenset({"current_uses"})

# The vendor's fields that are terms of the offer, with our word for each. A name, a banner or a field that the vendor
# adds some day is none: it would ask for every promotion of every store again.
TERMS: Mapping[str, str] = {
    "redemption_type": "kind",
    "currency_code": "currency",
    "start_date": "start",
    "end_date": "end",
    "max_uses": "uses",
    "channels": "channels",
    "customer": "customers",
    "rules": "discount",
    "stop": "order of promotions",
    "can_be_used_with_other_promotions": "use with other promotions",
    "coupon_overrides_other_promotions": "use with other promotions",
    "coupon_overrides_automatic_when_offering_higher_discounts": "use with other promotions",
    "coupon_type": "kind of codes",
    "shipping_address": "countries",
    "schedule": "weekdays and hours",
}

# What no rule about promotions and quotes can see; shown with every rule and on every sheet.
NOT_SEEN: tuple[str, ...] = (
    "Prices of price lists: a discount comes on top of them.",
    "Sale prices that begin while the promotion runs.",
    "Discounts of customer groups, which a cart takes off by itself.",
    "Other promotions that may be used together with this one.",
    "Coupons of the old coupon screen, and discounts that staff give in an order or a cart.",
    "Bulk prices of products, and gift certificates.",
)


@dataclass(frozen=True)
class Benefit:
    """What one rule of a promotion gives. Amounts are in the promotion's currency.

    kind: order | items | shipping | gift | fixed_price | other (a kind that the vendor added).
    percent: of the price; None when it is not a percentage. amount: off, or the fixed price of a set.
    cap: the most that it takes off. quantity: how many items get it, 0 without a limit. as_total: the amount is
    shared by the items. repeats: again for each time that its condition holds.
    """

    kind: str
    percent: Decimal | None = None
    amount: Money | None = None
    cap: Money | None = None
    minimum_spend: Money | None = None
    minimum_quantity: int = 0
    quantity: int = 0
    as_total: bool = False
    repeats: bool = False
    products: frozenset[int] = frozenset()
    brands: frozenset[int] = frozenset()
    categories: frozenset[int] = frozenset()
    is_narrowed: bool = False  # by something else, such as variants, options or an exception


@dataclass(frozen=True)
class PricedProduct:
    """What a margin is made of. price: what is asked now, a running sale included. cost: None when none is entered."""

    id: int
    name: str
    price: Decimal
    cost: Decimal | None


@dataclass(frozen=True)
class Margins:
    """lowest: percent of the discounted price above the cost, None when it cannot be said, and `why`."""

    lowest: Decimal | None = None
    why: str = ""
    of: str = ""  # the product that has it
    counted: int = 0
    without_cost: int = 0


def depth(benefits: Iterable[Benefit]) -> Decimal | None:
    """Return the deepest discount on goods in percent, None when a rule's depth depends on the cart.

    Free shipping takes nothing off the goods: a promotion that only ships for free has a depth of 0.
    """
    deepest = Decimal(0)
    for benefit in benefits:
        found = _depth(benefit)
        if found is None:
            return None
        deepest = max(deepest, found)
    return deepest


def _depth(benefit: Benefit) -> Decimal | None:
    if benefit.kind == "shipping":
        return Decimal(0)
    if benefit.kind == "gift":
        return WHOLE
    if benefit.percent is not None:
        return min(WHOLE, benefit.percent)
    least = benefit.minimum_spend
    if benefit.kind == "order" and benefit.amount and least and least.amount > 0:
        return min(WHOLE, (benefit.amount.amount / least.amount * 100).quantize(_CENT))
    return None


def budget(benefits: Sequence[Benefit], max_uses: int) -> Money | None:
    """Return the most that the promotion can take off in all its uses, None when nothing limits it."""
    total = Decimal(0)
    currency = ""
    for benefit in benefits:
        most = _most_per_use(benefit)
        if most is None or not max_uses:
            return None
        total += most.amount * max_uses
        currency = most.currency
    return Money(total, currency) if currency else None


def _most_per_use(benefit: Benefit) -> Money | None:
    if benefit.cap is not None:
        return benefit.cap
    if benefit.kind == "order" and benefit.amount is not None:
        return benefit.amount
    if benefit.kind == "items" and benefit.amount is not None and not benefit.repeats:
        if benefit.as_total:
            return benefit.amount
        if benefit.quantity:
            return Money(benefit.amount.amount * benefit.quantity, benefit.amount.currency)
    return None


def margins(benefits: Iterable[Benefit], products: Sequence[PricedProduct]) -> Margins:
    """Return the lowest margin that is left on any of the products when the promotion applies.

    products: those that it is for, all of them. A margin is in percent of the discounted price; below 0 is a loss.
    """
    given = [b for b in benefits if b.kind != "shipping"]
    costed = [p for p in products if p.cost is not None]
    missing = len(products) - len(costed)
    if not products:
        return Margins(why="no product is named")
    if not costed:
        return Margins(why="no product has a cost price", without_cost=missing)
    lowest: tuple[Decimal, str] | None = None
    for product in costed:
        after = product.price
        for benefit in given:
            worst = _after(benefit, product.price)
            if worst is None:
                return Margins(why="the discount depends on the cart", without_cost=missing)
            after = min(after, worst)
        share = margin(after, product.cost or Decimal(0))
        if share is not None and (lowest is None or share < lowest[0]):
            lowest = (share, product.name)
    if lowest is None:
        return Margins(why="nothing is left to pay", counted=len(costed), without_cost=missing)
    return Margins(lowest[0], "", lowest[1], len(costed), missing)


def _after(benefit: Benefit, price: Decimal) -> Decimal | None:
    """Return the price of one piece with the benefit, None when it depends on the cart."""
    if benefit.kind == "gift":
        return price  # the gift is another product
    if benefit.percent is not None:
        return price * (WHOLE - min(WHOLE, benefit.percent)) / WHOLE
    if benefit.kind == "items" and benefit.amount is not None:
        return max(Decimal(0), price - benefit.amount.amount)
    share = _depth(benefit)
    return None if share is None else price * (WHOLE - share) / WHOLE


def margin(price: Decimal, cost: Decimal) -> Decimal | None:
    """Return what is left above the cost, in percent of the price; None when the price is 0 and so is the cost."""
    if price <= 0:
        return None if cost <= 0 else Decimal(-100)
    return ((price - cost) / price * 100).quantize(_CENT)


# Switching --------------------------------------------------------------------------------------------------


def body_of(raw: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return what a write of the promotion sends: all of it, unknown fields too, with the status given.

    A write of some fields only is nowhere promised to leave the others.
    """
    body = {name: value for name, value in raw.items() if name not in READ_ONLY}
    codes = body.get("codes")
    if isinstance(codes, Mapping):
        body["codes"] = {name: value for name, value in codes.items() if name not in READ_ONLY_OF_CODES}
    return {**body, "status": status}


def changed_fields(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields that differ between two readings, besides what the vendor counts and the status."""
    left = {**body_of(before, ""), "redemption_type": before.get("redemption_type")}
    right = {**body_of(now, ""), "redemption_type": now.get("redemption_type")}
    return tuple(sorted(name for name in {*left, *right} if _bare(left.get(name)) != _bare(right.get(name))))


def changed_terms(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what changed of the offer itself, in our words."""
    return tuple(dict.fromkeys(TERMS[name] for name in changed_fields(before, now) if name in TERMS))


def terms(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return the terms of a promotion as comparable text, by the vendor's names; what is empty is left out."""
    found = {name: _bare(raw.get(name)) for name in TERMS}
    return {name: json.dumps(value, sort_keys=True) for name, value in found.items() if value is not None}


def _bare(value: Any) -> Any:
    """Return a value without what says nothing (null, empty, false), so that a default added later changes nothing."""
    if isinstance(value, Mapping):
        kept = {k: bare for k, v in value.items() if (bare := _bare(v)) is not None}
        return kept or None
    if isinstance(value, list):
        bare_items = [_bare(v) for v in value]
        return bare_items if any(v is not None for v in bare_items) else None
    if value is None or value is False or value == "":
        return None
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{Decimal(str(value)).normalize():f}"
    if isinstance(value, str) and MOMENT.fullmatch(value):
        return _moment(value)
    return value


def _moment(text: str) -> str:
    """Return a time so that two spellings of the same moment are the same text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()


# Going on ---------------------------------------------------------------------------------------------------


class StartPassed(StrEnum):
    """What becomes of a promotion whose start passed while it waited."""

    DELAY = "delay"
    CANCEL = "cancel"
    ALERT = "alert"


@dataclass(frozen=True)
class Opening:
    """Whether a signed promotion is switched on. why: a sentence. tells: a person has something to decide."""

    on: bool
    why: str
    tells: bool = False


def opening(
    starts_at: datetime | None, ends_at: datetime | None, held_at: datetime, now: datetime, choice: StartPassed
) -> Opening:
    """Return what becomes of a signed promotion by its dates. held_at: when we switched it off.

    Its dates are never moved: they are part of what was signed.
    """
    if ends_at is not None and ends_at <= now:
        return Opening(False, "It ended before it was signed, so it stays off.", tells=choice is not StartPassed.CANCEL)
    if starts_at is None or starts_at > now or starts_at <= held_at:
        return Opening(True, "It was signed, and its dates still fit.")
    match choice:
        case StartPassed.DELAY:
            return Opening(True, "Its start passed before it was signed. It starts now and ends as planned.")
        case StartPassed.CANCEL:
            return Opening(False, "Its start passed before it was signed, so it stays off, as the rule says.")
        case StartPassed.ALERT:
            text = "Its start passed before it was signed, so it stays off. Switch it on by hand, or give it new dates."
            return Opening(False, text, tells=True)


def exposure(starts_at: datetime | None, last_absent: datetime | None, held_at: datetime) -> int:
    """Return the most seconds that shoppers could have used it before it was switched off.

    last_absent: when the store was last read without it; None when it was there from the first reading on.
    """
    since = [at for at in (starts_at, last_absent) if at is not None]
    return max(0, int((held_at - max(since)).total_seconds())) if since else 0


# Orders from quotes -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class QuoteCover:
    """How an order stands to the quote that it was made from.

    request_id: the signature that covers the quote, 0 when it is unsigned. differs: what the order has otherwise
    than the quote that was signed, in words that name nobody.
    """

    quote_id: str
    request_id: int = 0
    differs: tuple[str, ...] = ()
    label: str = "Quote"

    @property
    def covers(self) -> bool:
        return bool(self.request_id) and not self.differs

    @property
    def sentence(self) -> str:
        if self.covers:
            return f"{self.label} {self.quote_id} was signed, and the order has the same facts."
        if not self.request_id:
            return f"It comes from {self.label.lower()} {self.quote_id}, which is not signed."
        differs = ", ".join(self.differs)
        return f"It comes from {self.label.lower()} {self.quote_id}, which was signed, but differs: {differs}."


def order_differs(snapshot: Mapping[str, Any], order: OrderFacts) -> tuple[str, ...]:
    """Return what an order has otherwise than the signed quote: products, quantities, currency, price.

    snapshot: of a quote (kinds/quote.py). A quote's prices are before tax and an order's lines with it; how a store
    rounds tax per line is its own, so the goods may cost anything from the quoted sum to that sum with the order's tax.
    """
    found = []
    quoted: dict[str, int] = {}
    for line in snapshot.get("lines", ()):
        key = str(line["sku"] or line["product"])
        quoted[key] = quoted.get(key, 0) + int(line["quantity"])
    ordered: dict[str, int] = {}
    for item in order.items:
        key = item.sku or str(item.product_id)
        ordered[key] = ordered.get(key, 0) + item.quantity
    if quoted.keys() != ordered.keys():
        found.append("products")
    elif quoted != ordered:
        found.append("quantities")
    if snapshot.get("currency") != order.total.currency:
        found.append("currency")
    goods = sum((item.total for item in order.items), Decimal(0))
    least = Decimal(str(snapshot.get("subtotal") or 0))
    if not least - _CENT <= goods <= least + order.tax + _CENT:
        found.append("price")
    return tuple(found)
