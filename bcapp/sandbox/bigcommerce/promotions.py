"""Promotions, their codes, and who gets which price list: the API, and what the merchant's screens do."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bcapp.sandbox.bigcommerce.api import Answer, ApiError, Ask, Table, collection, modify_or_read, numbers_in, one
from bcapp.sandbox.bigcommerce.orders import v3_date
from bcapp.sandbox.bigcommerce.store import Refused, Store

promotions = Table()

MARKETING = modify_or_read("store_v2_marketing")
PRODUCTS = modify_or_read("store_v2_products")

WRITTEN_BY_THE_STORE = frozenset({"id", "current_uses", "created_from", "redemption_type"})
SETTABLE = ("ENABLED", "DISABLED")
CODE = re.compile(r"[a-zA-Z0-9_ -]{1,50}")

# What a write that leaves a field out sets it to. Whether the vendor does so is nowhere written (bigcommerce.md 3.8);
# the simulated store takes a write for the whole promotion, because that is the reading that does harm.
ABSENT: dict[str, Any] = {
    "display_name": "", "channels": [], "max_uses": 0, "end_date": None, "stop": False, "notifications": [],
    "can_be_used_with_other_promotions": True, "currency_code": "*", "shipping_address": None, "schedule": None,
    "customer": {"group_ids": [], "minimum_order_count": 0, "excluded_group_ids": [], "segments": None},
}  # fmt: skip


# The merchant's screens.


def add_promotion(
    store: Store,
    name: str,
    *,
    percent: str | None = None,
    amount: str | None = None,
    minimum_spend: str | None = None,
    products: list[int] | None = None,
    rules: list[dict[str, Any]] | None = None,
    starts: datetime | None = None,
    ends: datetime | None = None,
    max_uses: int = 0,
    status: str = "ENABLED",
    coupon: str = "",
    banner: str = "",
    **more: Any,
) -> int:
    """Set up a promotion and return its number.

    percent, amount: off the order, or off the products named. rules: instead of them, as the API has it. coupon: the
    first code of one that needs a code. more: fields as the API has them, unknown ones too.
    """
    with store.ground.lock:
        number = store.next_id("promotion")
        discount = {"percentage_amount": percent} if percent else {"fixed_amount": amount or "5"}
        action: dict[str, Any] = {"cart_value": {"discount": discount}}
        if products:
            action = {"cart_items": {"discount": discount, "items": {"products": products}}}
        rule: dict[str, Any] = {"action": action, "apply_once": True, "stop": False}
        if minimum_spend:
            rule["condition"] = {"cart": {"minimum_spend": minimum_spend}}
        body: dict[str, Any] = {
            **copy.deepcopy(ABSENT),
            "id": number,
            "name": name,
            "display_name": name,
            "rules": rules if rules is not None else [rule],
            "current_uses": 0,
            "max_uses": max_uses,
            "status": status,
            "start_date": v3_date(starts or store.now()),
            "end_date": v3_date(ends) if ends else None,
            "redemption_type": "COUPON" if coupon else "AUTOMATIC",
            "created_from": "react_ui",
            "currency_code": store.currency,
        }
        if coupon:
            body |= {"coupon_type": "SINGLE", "coupon_overrides_other_promotions": False}
        if banner:
            notice = {"content": banner, "type": "APPLIED", "locations": ["CART_PAGE"]}
            body["notifications"] = [notice]
        store.promotions[number] = body | more
        if coupon:
            add_code(store, number, coupon)
        return number


def edit_promotion(store: Store, number: int, **changes: Any) -> dict[str, Any]:
    """Change a promotion as its screen does; nothing tells anybody."""
    with store.ground.lock:
        the(store, number).update(changes)
        return store.promotions[number]


def use_promotion(store: Store, number: int, times: int = 1) -> None:
    """Shoppers check out with it."""
    with store.ground.lock:
        if the(store, number)["status"] != "ENABLED":
            raise Refused(f"Promotion {number} is not on.")
        store.promotions[number]["current_uses"] += times


def delete_promotion(store: Store, number: int) -> None:
    with store.ground.lock:
        store.promotions.pop(number, None)
        store.promotion_codes.pop(number, None)


def add_code(store: Store, number: int, code: str, max_uses: int = 0, per_customer: int = 0) -> dict[str, Any]:
    row = {
        "id": store.next_id("promotion_code"),
        "code": code,
        "current_uses": 0,
        "max_uses": max_uses,
        "max_uses_per_customer": per_customer,
        "created": v3_date(store.now()),
    }
    store.promotion_codes.setdefault(number, []).append(row)
    return row


def assign_price_list(store: Store, number: int, group_id: int | None, channel_id: int | None = None) -> None:
    """Give a price list to a customer group, or to a channel, and say so."""
    with store.ground.lock:
        row = {"id": store.next_id("assignment"), "price_list_id": number, "customer_group_id": group_id}
        store.price_list_assignments.append({**row, "channel_id": channel_id})
        data = {"price_list_id": number, "channel_id": channel_id, "customer_group_id": group_id}
        store.emit("store/priceList/assignment/updated", data)


def set_price(store: Store, number: int, sku: str, price: float) -> None:
    """Change one price of a list and say so, as the vendor does for single records."""
    with store.ground.lock:
        record = next(r for r in store.prices[number] if r["sku"] == sku)
        now = v3_date(store.now())
        record |= {"price": price, "calculated_price": price, "date_modified": now}
        store.price_lists[number]["date_modified"] = now
        data = {"price_list_id": number, "variant_id": record["variant_id"], "currency": record["currency"]}
        store.emit("store/priceList/record/updated", data)


def the(store: Store, number: int) -> dict[str, Any]:
    found = store.promotions.get(number)
    if found is None:
        raise Refused(f"There is no promotion {number}.")
    return found


# The API.


def _found(ask: Ask, name: str = "promotion_id") -> dict[str, Any]:
    found = ask.store.promotions.get(ask.number(name))
    if found is None:
        raise ApiError(404, "The requested resource was not found.")
    return found


@promotions("GET", "/v3/promotions", *MARKETING, at_once=40)
def get_promotions(ask: Ask) -> Answer:
    rows = list(ask.store.promotions.values())
    for name in ("name", "currency_code", "status"):
        rows = [p for p in rows if p[name] == ask.query[name]] if name in ask.query else rows
    if "redemption_type" in ask.query:
        rows = [p for p in rows if p["redemption_type"] == ask.query["redemption_type"].upper()]
    channels = numbers_in(ask.query, "channels")
    if channels is not None:
        rows = [p for p in rows if not p["channels"] or channels & {c["id"] for c in p["channels"]}]
    field = ask.query.get("sort", "id")
    rows.sort(key=lambda p: (p.get(field) or 0, p["id"]), reverse=ask.query.get("direction") == "desc")
    return collection(ask, rows)


@promotions("GET", "/v3/promotions/{promotion_id}", *MARKETING, at_once=40)
def get_promotion(ask: Ask) -> Answer:
    return one(_found(ask))


@promotions("PUT", "/v3/promotions/{promotion_id}", MARKETING[0], at_once=40)
def put_promotion(ask: Ask) -> Answer:
    """Write a promotion whole. What the store counts itself is refused, so that nobody gets used to sending it."""
    found, body = _found(ask), ask.object()
    if own := WRITTEN_BY_THE_STORE & body.keys():
        raise ApiError(422, f"{', '.join(sorted(own))} cannot be written.")
    if body.get("status", "ENABLED") not in SETTABLE:
        raise ApiError(422, "status is ENABLED or DISABLED.")
    kept = {name: found[name] for name in WRITTEN_BY_THE_STORE}
    whole = {**copy.deepcopy(ABSENT), **body} if ask.store.promotion_writes_are_whole else {**found, **body}
    if not whole.get("name") or not whole.get("rules"):
        raise ApiError(422, "name and rules are required.")
    ask.store.promotions[found["id"]] = {"status": found["status"], "start_date": found["start_date"], **whole, **kept}
    return one(ask.store.promotions[found["id"]])


@promotions("GET", "/v3/promotions/{promotion_id}/codes", *MARKETING, at_once=10)
def get_codes(ask: Ask) -> Answer:
    rows = ask.store.promotion_codes.get(_found(ask)["id"], [])
    rows = [c for c in rows if c["code"] == ask.query["code"]] if "code" in ask.query else rows
    return collection(ask, rows)


@promotions("POST", "/v3/promotions/{promotion_id}/codes", MARKETING[0], at_once=40)
def post_code(ask: Ask) -> Answer:
    found, body = _found(ask), ask.object()
    code = str(body.get("code", ""))
    if not CODE.fullmatch(code):
        raise ApiError(422, "A code has letters, numbers, blanks, hyphens and underscores, at most 50.")
    if found["redemption_type"] != "COUPON":
        raise ApiError(422, "The promotion needs no code.")
    if any(c["code"] == code for rows in ask.store.promotion_codes.values() for c in rows):
        raise ApiError(422, "The code exists already.")
    if found.get("coupon_type") == "SINGLE" and ask.store.promotion_codes.get(found["id"]):
        raise ApiError(422, "A promotion of one code has it already.")
    uses, each = int(body.get("max_uses", 0)), int(body.get("max_uses_per_customer", 0))
    return one(add_code(ask.store, found["id"], code, uses, each), 201)


@promotions("GET", "/v3/promotions/codes", *MARKETING, at_once=40)
def find_code(ask: Ask) -> Answer:
    wanted = ask.query.get("code")
    return collection(ask, [c for rows in ask.store.promotion_codes.values() for c in rows if c["code"] == wanted])


@promotions("DELETE", "/v3/promotions/{promotion_id}/codes/{code_id}", MARKETING[0], at_once=40)
def delete_code(ask: Ask) -> Answer:
    rows = ask.store.promotion_codes.get(_found(ask)["id"], [])
    rows[:] = [c for c in rows if c["id"] != ask.number("code_id")]
    return Answer(status=204)


@promotions("GET", "/v3/pricelists/assignments", *PRODUCTS)
def get_assignments(ask: Ask) -> Answer:
    rows: list[Mapping[str, Any]] = list(ask.store.price_list_assignments)
    for name in ("price_list_id", "customer_group_id", "channel_id"):
        wanted = numbers_in(ask.query, name)
        wanted = numbers_in(ask.query, f"{name}:in") if wanted is None else wanted
        rows = rows if wanted is None else [a for a in rows if a[name] in wanted]
    answer = collection(ask, list(rows))
    answer.data["meta"]["pagination"].pop("links")
    return answer
