"""Promotions as facts, the one way to write them, and codes for one customer.

Source: promotions.v3.yml. A promotion has no time of change, no version and no event: it is found by reading all of
them, and a write replaces it whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.raw import Raw, amount_in, parse_date, text_in, whole_in
from bcapp.core.kinds.promotion import NOT_READ, PromotionFacts
from bcapp.core.model import Gone, Money, RecordKey
from bcapp.core.offers import Benefit, Margins, PricedProduct, body_of, changed_fields, changed_terms, margins, terms
from bcapp.errors import BigCommerceError, UnreadableInput

MOST_PRODUCTS = 1000  # whose margin is read; a promotion for more of them has no margin known
EVERY_CURRENCY = "*"
CODE_LENGTH = 50
MOST_BENEFITS = 100


@dataclass(frozen=True)
class Seen:
    """When a promotion was first read, and when the store was last read without it (None: never)."""

    first_at: datetime
    absent_at: datetime | None = None


def digest(raw: Raw) -> str:
    """Return what tells one state of a promotion from another: all of it but what the vendor counts."""
    text = json.dumps(body_of(raw, str(raw.get("status"))), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_promotion(raw: Raw, seen: Seen, store_currency: str, margin: Margins = NOT_READ) -> PromotionFacts:
    """Return the facts of a promotion. Raises UnreadableInput without an id, a status or readable dates.

    store_currency: of its amounts when it is for all currencies.
    """
    named = str(raw.get("currency_code") or EVERY_CURRENCY).upper()
    # One page says that amounts are in the store's default currency, another that the promotion is for carts in this
    # one; the panel shows and takes amounts in the promotion's own currency.
    currency = store_currency if named == EVERY_CURRENCY else named
    customer = raw.get("customer") if isinstance(raw.get("customer"), Mapping) else {}
    rules = raw.get("rules") or []
    if not isinstance(rules, list):
        raise UnreadableInput("rules is not a list")
    return PromotionFacts(
        id=whole_in(raw, "id"),
        name=text_in(raw, "name"),
        shown_as=text_in(raw, "display_name"),
        redemption="coupon" if raw.get("redemption_type") == "COUPON" else "automatic",
        status=text_in(raw, "status"),
        currency=currency,
        first_seen_at=seen.first_at,
        absent_at=seen.absent_at,
        starts_at=_when(raw, "start_date"),
        ends_at=_when(raw, "end_date"),
        max_uses=whole_in(raw, "max_uses", 0),
        current_uses=whole_in(raw, "current_uses", 0),
        benefits=tuple(parse_benefit(rule, currency) for rule in rules[:MOST_BENEFITS] if isinstance(rule, Mapping)),
        terms=tuple(sorted(terms(raw).items())),
        channels=frozenset(_ids([c.get("id") for c in raw.get("channels") or [] if isinstance(c, Mapping)])),
        groups=frozenset(_ids(customer.get("group_ids"))) if isinstance(customer, Mapping) else frozenset(),
        excluded_groups=frozenset(_ids(customer.get("excluded_group_ids"))) if customer else frozenset(),
        minimum_orders=whole_in(customer or {}, "minimum_order_count", 0),
        stacks=raw.get("can_be_used_with_other_promotions") is not False,
        all_currencies=named == EVERY_CURRENCY,
        margins=margin,
        unread=frozenset({"catalog"}) if margin is NOT_READ else frozenset(),
    )


def parse_benefit(rule: Raw, currency: str) -> Benefit:
    """Return what one rule gives; a kind of action that we do not know is "other"."""
    action = _inner(rule, "action")
    cart = _inner(_inner(rule, "condition"), "cart")
    shared: dict[str, Any] = {
        "minimum_spend": _money(cart, "minimum_spend", currency),
        "minimum_quantity": whole_in(cart, "minimum_quantity", 0),
        "repeats": rule.get("apply_once") is False,
    }
    if "cart_value" in action:
        return Benefit("order", **_discount(_inner(action, "cart_value"), currency), **shared)
    if "cart_items" in action:
        inner = _inner(action, "cart_items")
        found = _discount(inner, currency)
        if inner.get("add_free_item") is True:
            found["percent"] = Decimal(100)
        return Benefit(
            "items",
            **found,
            **_targets(inner.get("items")),
            quantity=whole_in(inner, "quantity", 0),
            as_total=inner.get("as_total") is True,
            **shared,
        )
    if "gift_item" in action:
        inner = _inner(action, "gift_item")
        product = _ids([inner.get("product_id")])
        return Benefit("gift", quantity=whole_in(inner, "quantity", 1), products=frozenset(product), **shared)
    if "fixed_price_set" in action:
        inner = _inner(action, "fixed_price_set")
        amount, quantity = _money(inner, "fixed_price", currency), whole_in(inner, "quantity", 0)
        return Benefit("fixed_price", amount=amount, quantity=quantity, **_targets(inner.get("items")), **shared)
    return Benefit("shipping" if "shipping" in action else "other", **shared)


def _discount(inner: Raw, currency: str) -> dict[str, Any]:
    discount = _inner(inner, "discount")
    percent = discount.get("percentage_amount")
    return {
        "percent": amount_in(discount, "percentage_amount") if percent not in (None, "") else None,
        "amount": _money(discount, "fixed_amount", currency),
        "cap": _money(inner, "maximum_allowed_discount_amount", currency),
    }


def _targets(matcher: Any) -> dict[str, Any]:
    """Return the products, brands and categories that a matcher names, or that it may match others as well."""
    found = _named(matcher, 0)
    if found is None:
        return {"is_narrowed": isinstance(matcher, Mapping) and bool(matcher)}
    products, brands, categories, narrowed = found
    return {"products": products, "brands": brands, "categories": categories, "is_narrowed": narrowed}


_Named = tuple[frozenset[int], frozenset[int], frozenset[int], bool]


def _named(matcher: Any, level: int) -> _Named | None:
    """Return a set that holds all that a matcher matches; None when it can be anything."""
    if not isinstance(matcher, Mapping) or level > 5:
        return None
    none: frozenset[int] = frozenset()
    if "products" in matcher:
        return frozenset(_ids(matcher["products"])), none, none, False
    if "brands" in matcher:
        return none, frozenset(_ids(matcher["brands"])), none, False
    if "categories" in matcher:
        return none, none, frozenset(_ids(matcher["categories"])), False
    parts = matcher.get("or") or matcher.get("and")
    if not isinstance(parts, list):
        return None  # variants, options, custom fields, an exception: anything may be among them
    inner = [_named(part, level + 1) for part in parts]
    if "and" in matcher:
        first = next((i for i in inner if i is not None), None)
        return None if first is None else (*first[:3], True)
    known = [i for i in inner if i is not None]
    if len(known) < len(inner):
        return None
    products = frozenset(i for found in known for i in found[0])
    brands = frozenset(i for found in known for i in found[1])
    return products, brands, frozenset(i for f in known for i in f[2]), any(f[3] for f in known)


async def read_promotion(
    client: BigCommerce, promotion_id: int, seen: Seen, store_currency: str
) -> PromotionFacts | Gone:
    """Return a promotion freshly read, with the margin that it leaves."""
    raw = await client.fetch_promotion(promotion_id)
    if raw is None:
        return Gone(RecordKey("promotion", str(promotion_id)))
    facts = parse_promotion(raw, seen, store_currency)
    margin = await read_margins(client, facts, store_currency)
    return replace(facts, margins=margin, unread=facts.unread - {"catalog"})


async def read_margins(client: BigCommerce, facts: PromotionFacts, store_currency: str) -> Margins:
    """Return the lowest margin that the promotion leaves, over the products that it is for."""
    given = [b for b in facts.benefits if b.kind != "shipping"]
    if not given:
        return Margins(why="it takes nothing off the goods")
    if facts.currency != store_currency and any(b.amount for b in given):
        return Margins(why="its amounts are in another currency than the cost prices")
    products: dict[int, PricedProduct] = {}
    for given_filter in _filters(given):
        for row in await client.products_for_margin(given_filter, MOST_PRODUCTS):
            product = parse_priced(row)
            products[product.id] = product
            if len(products) > MOST_PRODUCTS:
                return Margins(why=f"it is for more than {MOST_PRODUCTS:,} products")
    return margins(facts.benefits, [products[number] for number in sorted(products)])


def _filters(benefits: Iterable[Benefit]) -> list[dict[str, str]]:
    """Return the filters of the product list that find everything the benefits are for."""
    found: list[dict[str, str]] = []
    for benefit in benefits:
        if benefit.kind == "gift":
            continue
        if not (benefit.products or benefit.brands or benefit.categories):
            return [{}]
        if benefit.products:
            found.append({"id:in": _joined(benefit.products)})
        if benefit.categories:
            found.append({"categories:in": _joined(benefit.categories)})
        found += [{"brand_id": str(brand)} for brand in sorted(benefit.brands)]
    return found


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)[:MOST_PRODUCTS]))


def parse_priced(row: Raw) -> PricedProduct:
    cost, sale, price = (amount_in(row, name, Decimal(0)) for name in ("cost_price", "sale_price", "price"))
    return PricedProduct(whole_in(row, "id"), text_in(row, "name"), sale or price, cost or None)


# Writing ----------------------------------------------------------------------------------------------------


class EditedMeanwhile(Exception):
    """Somebody changed the promotion between our reading and our write; nothing was written. fields: which."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(f"changed meanwhile: {', '.join(fields)}")
        self.fields = tuple(fields)


async def switch(client: BigCommerce, decided_on: Raw, status: str) -> dict[str, Any] | None:
    """Set the status of a promotion and return it as it is then; None when it is gone.

    decided_on: how it was when this was decided. It is read again right before the write: raises EditedMeanwhile
    when anything but its status and its uses changed, and writes nothing then. The terms that the store has after the
    write are compared too: a difference is an edit that came between, and raises EditedMeanwhile as well.
    """
    number = whole_in(decided_on, "id")
    now = await client.fetch_promotion(number)
    if now is None:
        return None
    if fields := changed_fields(decided_on, now):
        raise EditedMeanwhile(fields)
    if now.get("status") != status:
        await client.put_promotion(number, as_json(body_of(now, status)))
    left = await client.fetch_promotion(number)
    if left is None:
        return None
    if terms_now := changed_terms(now, left):  # the store may write the rest its own way
        raise EditedMeanwhile(terms_now)
    if left.get("status") != status:
        raise BigCommerceError(f"promotion {number}: it is {left.get('status')} after {status} was written")
    return left


def as_json(value: Any) -> Any:
    """Return a body that JSON can carry: amounts were read as decimals so that nothing is lost on the way."""
    if isinstance(value, Mapping):
        return {name: as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def code_for(promotion_id: int, request_id: int, secret: bytes) -> str:
    """Return the text of the code that a request's customer gets: the same each time, and not to be guessed."""
    told = hashlib.blake2b(f"{promotion_id}:{request_id}".encode(), key=secret[:64], digest_size=10).hexdigest()
    return f"CS-{promotion_id}-{told.upper()}"[:CODE_LENGTH]


async def give_code(client: BigCommerce, promotion_id: int, code: str) -> dict[str, Any]:
    """Return the code of that text, made when it is not there yet: good once, and once for one customer.

    A promotion can be limited to a group and never to one customer: whoever holds the code can use it.
    Raises UnreadableInput when the text belongs to another promotion or may be used more often.
    """
    rows = await client.promotion_codes(promotion_id)
    found = next((row for row in rows if row.get("code") == code), None)
    if found is None:
        found = await client.create_promotion_code(promotion_id, code, max_uses=1, max_uses_per_customer=1)
    if found.get("code") != code or whole_in(found, "max_uses", 0) != 1:
        raise UnreadableInput(f"promotion {promotion_id}: the code is not good for one use")
    return found


# Reading values ---------------------------------------------------------------------------------------------


def _inner(raw: Raw, name: str) -> Raw:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def _when(raw: Raw, name: str) -> datetime | None:
    value = raw.get(name)
    return None if value in (None, "", 0) else parse_date(value, name)


def _money(raw: Raw, name: str, currency: str) -> Money | None:
    return None if raw.get(name) in (None, "") else Money(amount_in(raw, name), currency)


def _ids(values: Any) -> list[int]:
    if not isinstance(values, list):
        return []
    return [int(v) for v in values if isinstance(v, (int, Decimal)) and not isinstance(v, bool)]
