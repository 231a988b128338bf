"""A second evaluator of conditions, written from the documentation and sharing no code with the first; and facts."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from bcapp.core.conditions import METAFIELD, Condition
from bcapp.core.fields import OPERATORS, FieldType, Reading
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.product import ProductFacts
from bcapp.core.model import History, Money, OrderFacts
from tests.core.facts import BUYER, NOW, STOVE, TENT, order

# Any facts at all, by their declared types --------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WHOLE = st.integers(0, 2**40)
DECIMALS = st.decimals(-10_000_000, 10_000_000, places=4)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: WHOLE,
    bool: st.booleans(),
    Decimal: DECIMALS,
    Money: st.builds(Money, DECIMALS, st.sampled_from(["USD", "EUR", "JPY"])),
    datetime: st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    date: st.dates(date(2000, 1, 1), date(2099, 1, 1)),
    type(None): st.none(),
}


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a declared type; of a dataclass, without the fields that are not stored."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return st.one_of([anything(a) for a in args])
    if origin is frozenset:
        return st.frozensets(anything(args[0]), max_size=3)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(anything(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*[anything(a) for a in args])
    if hint in PLAIN:
        return PLAIN[hint]
    hints = typing.get_type_hints(hint)
    return st.builds(hint, **{f.name: anything(hints[f.name]) for f in fields(hint) if f.metadata.get("stored", True)})


# Facts and conditions that meet -------------------------------------------------------------------------------

AMOUNTS = st.sampled_from(["0", "0.01", "499.99", "500", "500.00", "500.01", "600.00", "1200.00"])
CURRENCIES = st.sampled_from(["USD", "EUR"])
MONEY = st.builds(lambda a, c: Money(Decimal(a), c), AMOUNTS, CURRENCIES)
WORDS = st.sampled_from(["TENT-4", "tent-4", "STOVE-1", "TENT", " TENT-4 ", "Northfield", "yes", "Buyer Ltd", "ltd"])
NUMBERS = st.sampled_from(["0", "1", "2", "3", "-1", "1.5", "10", "16.67"])
DAYS = st.sampled_from(["2026-03-01", "2026-03-02", "2026-03-03", "2020-02-29"])
PLACES = st.sampled_from(["GB Somerset", "DE", "gb somerset", "US California"])
CODES = st.sampled_from(["0", "1", "2", "3", "9", "23", "24"])
VALUES: dict[str, st.SearchStrategy[str]] = {
    "shipping_region": PLACES, "billing_region": PLACES, "region": PLACES,
    "category": CODES, "accepted": CODES, "channel": CODES, "customer_group": CODES,
    "hour": st.sampled_from(["0", "1", "2", "3", "1.5", "10", "16.67", "23"]),
    "payment_method": st.sampled_from(["Credit Card", "credit card", "Bank Deposit"]),
    "email_domain": st.sampled_from(["buyer.test", "BUYER.TEST", "shop.test"]),
    "email": st.sampled_from(["bo@buyer.test", "@Buyer", "x"]),
    "metafield": st.sampled_from(["ok", "OK", "yes"]),
}  # fmt: skip
ARGUMENTS = {
    "": [""], "Days": ["1", "30", "366"], METAFIELD: ["erp.state", "ERP.state", "crm.tier"],
    "Custom field name": ["regulated", "Regulated", "other"],
    "Form field name": ["VAT", "vat"], "Attribute name": ["tier", "Tier "],
}  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn, kind: Kind) -> Condition:
    """A condition that may be saved."""
    known = kind.fields[draw(st.sampled_from(sorted(kind.fields)))]
    operator = draw(st.sampled_from(OPERATORS[known.type]))
    argument = draw(st.sampled_from(ARGUMENTS[known.argument]))
    if known.type is FieldType.FLAG:
        return Condition(known.name, operator, (), argument)
    if known.type is FieldType.MONEY:
        wanted = draw(st.lists(MONEY, min_size=1, max_size=2, unique_by=lambda m: m.currency))
        return Condition(known.name, operator, tuple(f"{m.amount} {m.currency}" for m in wanted), argument)
    given = {FieldType.NUMBER: NUMBERS, FieldType.DATE: DAYS, FieldType.COUNTRY: st.sampled_from(["GB", "DE", "US"])}
    each = VALUES.get(known.name, given.get(known.type, WORDS))
    if known.choices:
        each = st.sampled_from([value for value, _ in known.choices])
    most = 1 if known.type in (FieldType.NUMBER, FieldType.DATE, FieldType.TEXT) else 3
    return Condition(known.name, operator, tuple(draw(st.lists(each, min_size=1, max_size=most))), argument)


ADDRESSES = st.sampled_from([BUYER, replace(BUYER, country="DE", state=""), replace(BUYER, country="", company="")])
FIELDS = st.sampled_from([("regulated", "yes"), ("Regulated", "no"), ("VAT", "yes"), ("tier", "ok"), ("other", "")])
META = st.lists(st.sampled_from([("erp.state", "ok"), ("crm.tier", "yes"), ("x.y", "no")]), max_size=2).map(tuple)
PARTS = ["catalog", "group", "history", "coupons", "metafields", "customer_metafields", "attributes"]
SIGNED = st.none() | st.frozensets(CODES, max_size=2)
UNREAD = st.frozensets(st.sampled_from(PARTS), max_size=2)
TIMES = st.sampled_from([NOW - timedelta(minutes=1), NOW - timedelta(days=2, hours=8), NOW - timedelta(days=40)])
AGES = st.sampled_from([timedelta(hours=1), timedelta(days=1), timedelta(days=29), timedelta(days=400)])


@st.composite
def histories(draw: st.DrawFn, at: datetime) -> History | None:
    recent = draw(st.lists(st.tuples(AGES, MONEY), max_size=3))
    paid = draw(st.lists(MONEY, max_size=2, unique_by=lambda m: m.currency))
    since = draw(st.sampled_from([None, None, at - timedelta(days=20)]))
    past = History(len(recent), (), tuple((at - age, m) for age, m in recent), tuple(paid), since)
    return draw(st.sampled_from([None, past, past]))


@st.composite
def orders(draw: st.DrawFn) -> OrderFacts:
    at = draw(TIMES)
    bare = replace(TENT, sku="", brand_name="", custom_fields=(draw(FIELDS),), is_preorder=draw(st.booleans()))
    return order(
        created_at=at,
        total=draw(MONEY),
        discount=Decimal(draw(AMOUNTS)),
        items_total=draw(st.integers(0, 11)),
        customer_id=draw(st.sampled_from([0, 7])),
        customer_group_id=draw(st.sampled_from([0, 3])),
        customer_since=draw(st.sampled_from([None, at - timedelta(days=2), at + timedelta(days=1)])),
        channel_id=draw(st.sampled_from([1, 2])),
        payment_method=draw(st.sampled_from(["Credit Card", "Bank Deposit", ""])),
        payment_status=draw(st.sampled_from(["captured", "", "void"])),
        items=tuple(draw(st.lists(st.sampled_from([TENT, STOVE, bare]), max_size=3))),
        billing=draw(ADDRESSES),
        shipping=tuple(draw(st.lists(ADDRESSES, max_size=2))),
        coupons=tuple(draw(st.lists(WORDS, max_size=2))),
        shipping_methods=tuple(draw(st.lists(WORDS, max_size=1))),
        metafields=draw(META),
        customer_metafields=draw(META),
        history=draw(histories(at)),
        accepted=draw(SIGNED),
        unread=draw(UNREAD),
    )


@st.composite
def customers(draw: st.DrawFn) -> CustomerFacts:
    at = draw(TIMES)
    return CustomerFacts(
        id=7, email=draw(st.sampled_from(["Bo@Buyer.test", ""])), name="Bo Buyer", company=draw(WORDS),
        group_id=draw(st.sampled_from([0, 3])), created_at=at, modified_at=NOW,
        channel_id=draw(st.sampled_from([1, 9])),
        channels=draw(st.sampled_from([None, frozenset({1}), frozenset({9})])),
        addresses=tuple(draw(st.lists(ADDRESSES, max_size=2))), tax_exempt=draw(st.sampled_from(["", "A"])),
        accepts_marketing=draw(st.booleans()), form_fields=tuple(draw(st.lists(FIELDS, max_size=2))),
        attributes=tuple(draw(st.lists(FIELDS, max_size=2))), metafields=draw(META), history=draw(histories(at)),
        accepted=draw(SIGNED), unread=draw(UNREAD),
    )  # fmt: skip


@st.composite
def products(draw: st.DrawFn) -> ProductFacts:
    def money() -> Money:
        return Money(Decimal(draw(AMOUNTS)), "USD")

    return ProductFacts(
        id=11, name=draw(WORDS), sku=draw(st.sampled_from(["TENT-4", ""])),
        type=draw(st.sampled_from(["physical", "digital"])),
        price=money(), cost=money(), sale_price=money(), weight=Decimal(draw(NUMBERS)),
        categories=frozenset(draw(st.lists(st.sampled_from([2, 23]), max_size=2))), brand_id=5,
        brand_name=draw(st.sampled_from(["Northfield", ""])), is_visible=draw(st.booleans()),
        availability=draw(st.sampled_from(["available", "preorder"])), condition="New",
        inventory=draw(st.sampled_from([None, 0, 3])), created_at=draw(TIMES), modified_at=NOW,
        channels=frozenset(draw(st.lists(st.sampled_from([1, 2, 9]), max_size=2))),
        custom_fields=tuple(draw(st.lists(FIELDS, max_size=2))), metafields=draw(META),
        is_price_hidden=draw(st.booleans()), unread=draw(UNREAD),
    )  # fmt: skip


ORDER_FACTS, CUSTOMER_FACTS, PRODUCT_FACTS = orders(), customers(), products()

# The evaluator ------------------------------------------------------------------------------------------------

COSTS: dict[str, dict[str, str]] = {
    "case": {},
    "order": {
        "category": "catalog", "brand": "catalog", "custom_field": "catalog", "preorder": "catalog",
        "coupon": "coupons",
        "customer_group": "group", "account_age": "group", "first_order": "history", "orders_so_far": "history",
        "paid_total": "history", "orders_in_days": "history", "sum_in_days": "history", "metafield": "metafields",
        "customer_metafield": "customer_metafields",
    },
    "customer": {
        "orders_so_far": "history", "paid_total": "history", "attribute": "attributes", "metafield": "metafields",
    },
    "product": {"category": "catalog", "brand": "catalog", "metafield": "metafields"},
    "company": {
        "country": "company_address", "region": "company_address", "channel": "company_users",
        "buyers": "company_users",
    },
    "promotion": {"margin": "catalog"},
    "quote": {},
    "own_quote": {},
    "price_list": {"depth": "catalog", "margin": "catalog"},
    "supplier": {},
}  # fmt: skip
UNKNOWN = object()


def naive(condition: Condition, facts: Any, reading: Reading) -> str:
    """Return pass, fail, unknown or currency."""
    kind = {"O": "order", "C": "customer", "P": "product"}[type(facts).__name__[0]]
    if COSTS[kind].get(condition.field) in facts.unread:
        return "unknown"
    value = SEEN[kind](facts, condition.field, condition.argument.strip().lower(), reading)
    return "unknown" if value is UNKNOWN else _judged(value, condition)


def _judged(value: Any, condition: Condition) -> str:
    operator, values = condition.operator, condition.values
    if isinstance(value, list):  # amounts
        value = {
            c: sum((m.amount for m in value if m.currency == c), Decimal()) for c in {m.currency: 0 for m in value}
        }
        nonzero = {c: a for c, a in value.items() if a != 0}
        if len(nonzero) > 1:
            return "unknown"
        currency, amount = next(iter((nonzero or value or {values[0].split()[1]: Decimal()}).items()))
        for wanted in values:
            if wanted.split()[1] == currency:
                return "pass" if _compares(amount, operator, Decimal(wanted.split()[0])) else "fail"
        return "currency"
    if isinstance(value, bool):
        return "pass" if value is (operator == "is_true") else "fail"
    if isinstance(value, (int, Decimal)):
        return "pass" if _compares(Decimal(value), operator, Decimal(values[0])) else "fail"
    if isinstance(value, date):
        later = value.isoformat() >= values[0]
        return "pass" if later is (operator == "on_or_after") else "fail"
    if isinstance(value, str):
        wanted, text = values[0].strip().lower(), value.lower()
        holds = {"is": text == wanted, "is_not": text != wanted, "contains": text.find(wanted) >= 0}[operator]
        return "pass" if holds else "fail"
    common = {s.lower() for s in value} & {v.strip().lower() for v in values}
    return "pass" if bool(common) == operator.endswith("any_of") else "fail"


def _compares(value: Decimal, operator: str, wanted: Decimal) -> bool:
    difference = value - wanted
    signs = {"at_least": (0, 1), "more_than": (1,), "at_most": (-1, 0), "less_than": (-1,), "is": (0,)}[operator]
    return (difference > 0) - (difference < 0) in signs


def _under(pairs: Any, name: str) -> set[str]:
    return {value for key, value in pairs if key.lower() == name}


def _where(addresses: Any, *, state: bool) -> Any:
    named = [a for a in addresses if a.country]
    return {f"{a.country} {a.state}".strip() if state else a.country for a in named} or UNKNOWN


def _past(name: str, history: History | None) -> Any:
    if history is None:
        return UNKNOWN
    if name == "first_order":
        return UNKNOWN if history.since and not history.orders_before else history.orders_before == 0
    if history.since:
        return UNKNOWN
    return history.orders_before if name == "orders_so_far" else list(history.paid_before)


def _of_order(o: OrderFacts, name: str, argument: str, reading: Reading) -> Any:
    placed = o.created_at.astimezone(reading.zone)
    if name in ("first_order", "orders_so_far", "paid_total"):
        return _past(name, o.history)
    if name in ("orders_in_days", "sum_in_days"):
        start = o.created_at - timedelta(days=int(argument))
        if o.history is None or (o.history.since and start < o.history.since):
            return UNKNOWN
        recent = [m for at, m in o.history.recent if at >= start]
        return len(recent) + 1 if name == "orders_in_days" else [o.total, *recent]
    if name == "account_age":
        return UNKNOWN if o.customer_since is None else max(0, (o.created_at - o.customer_since).days)
    where = o.shipping if name.startswith("shipping") and o.shipping else (o.billing,)
    return {
        "total": lambda: [o.total],
        "discount": lambda: [Money(o.discount, o.total.currency)],
        "items_count": lambda: o.items_total,
        "sku": lambda: {i.sku for i in o.items} - {""},
        "category": lambda: {str(c) for i in o.items for c in i.categories},
        "brand": lambda: {i.brand_name for i in o.items} - {""},
        "custom_field": lambda: set().union(*(_under(i.custom_fields, argument) for i in o.items)),
        "preorder": lambda: any(i.is_preorder for i in o.items),
        "coupon": lambda: set(o.coupons),
        "shipping_country": lambda: _where(where, state=False),
        "billing_country": lambda: _where(where, state=False),
        "shipping_region": lambda: _where(where, state=True),
        "billing_region": lambda: _where(where, state=True),
        "shipping_method": lambda: set(o.shipping_methods),
        "channel": lambda: {str(o.channel_id)},
        "payment_method": lambda: {o.payment_method},
        "payment_status": lambda: {o.payment_status or "none"},
        "order_date": lambda: placed.date(),
        "weekday": lambda: {f"{placed:%A}"},
        "hour": lambda: placed.hour,
        "company": lambda: o.billing.company,
        "customer_group": lambda: {str(o.customer_group_id)},
        "guest": lambda: not o.customer_id,
        "accepted": lambda: UNKNOWN if o.accepted is None else set(o.accepted),
        "metafield": lambda: _under(o.metafields, argument),
        "customer_metafield": lambda: _under(o.customer_metafields, argument),
    }[name]()


def _of_customer(c: CustomerFacts, name: str, argument: str, reading: Reading) -> Any:
    if name in ("orders_so_far", "paid_total"):
        return _past(name, c.history)
    return {
        "customer_group": lambda: {str(c.group_id)},
        "email": lambda: c.email,
        "email_domain": lambda: {c.email.split("@")[-1]} if c.email else UNKNOWN,
        "company": lambda: c.company,
        "country": lambda: _where(c.addresses, state=False),
        "region": lambda: _where(c.addresses, state=True),
        "channel": lambda: {str(c.channel_id)},
        "registered": lambda: c.created_at.astimezone(reading.zone).date(),
        "account_age": lambda: (reading.now - c.created_at) // timedelta(days=1),
        "accepts_marketing": lambda: c.accepts_marketing,
        "tax_exempt": lambda: c.tax_exempt != "",
        "accepted": lambda: UNKNOWN if c.accepted is None else set(c.accepted),
        "form_field": lambda: _under(c.form_fields, argument),
        "attribute": lambda: _under(c.attributes, argument),
        "metafield": lambda: _under(c.metafields, argument),
    }[name]()


def _of_product(p: ProductFacts, name: str, argument: str, reading: Reading) -> Any:
    def margin() -> Any:
        if p.cost.amount == 0 or p.price.amount == 0:
            return UNKNOWN
        return round((1 - p.cost.amount / p.price.amount) * 100, 2)

    return {
        "price": lambda: [p.price],
        "sale_price": lambda: [p.sale_price],
        "cost": lambda: [p.cost],
        "margin": margin,
        "name": lambda: p.name,
        "sku": lambda: {p.sku} - {""},
        "category": lambda: {str(c) for c in p.categories},
        "brand": lambda: {p.brand_name} - {""},
        "custom_field": lambda: _under(p.custom_fields, argument),
        "type": lambda: {p.type},
        "visible": lambda: p.is_visible,
        "price_hidden": lambda: p.is_price_hidden,
        "availability": lambda: {p.availability},
        "weight": lambda: p.weight,
        "inventory": lambda: UNKNOWN if p.inventory is None else p.inventory,
        "channel": lambda: {str(c) for c in p.channels},
        "created": lambda: p.created_at.astimezone(reading.zone).date(),
        "metafield": lambda: _under(p.metafields, argument),
    }[name]()


SEEN: dict[str, Any] = {"order": _of_order, "customer": _of_customer, "product": _of_product}
