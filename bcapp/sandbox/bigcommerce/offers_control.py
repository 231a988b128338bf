"""Promotions and quotes by remote control: what the demo's merchant, sales staff and buyers do, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bcapp.sandbox.bigcommerce.promotions import add_promotion, edit_promotion, use_promotion
from bcapp.sandbox.bigcommerce.quotes import edit_quote, order_quote, raise_quote
from bcapp.sandbox.bigcommerce.store import Refused, Store

Body = dict[str, Any]


def _promote(store: Store, body: Body) -> Any:
    """The arguments of add_promotion; starts_in and lasts are hours."""
    starts = store.now() + timedelta(hours=float(body.pop("starts_in", 0)))
    ends = starts + timedelta(hours=float(body.pop("lasts", 240)))
    number = add_promotion(store, str(body.pop("name", "Spring")), starts=starts, ends=ends, **body)
    return store.promotions[number]


def _raise(store: Store, body: Body) -> Any:
    lines = [(key, int(quantity), float(off)) for key, quantity, off in body.pop("lines")]
    return store.b2b.quotes[raise_quote(store, lines, **body)]


def _edit_quote(store: Store, body: Body) -> Any:
    number = int(body.pop("id"))
    edit_quote(store, number, **body)
    return store.b2b.quotes[number]


def _use(store: Store, body: Body) -> Any:
    use_promotion(store, int(body["id"]), int(body.get("times", 1)))
    return store.promotions[int(body["id"])]


ACTS: dict[str, Callable[[Store, Body], Any]] = {
    "list": lambda store, _: {
        "promotions": list(store.promotions.values()),
        "quotes": list(store.b2b.quotes.values()),
        "mails": store.b2b.quote_mails,
    },
    "promote": _promote,
    "edit_promotion": lambda store, body: edit_promotion(store, int(body.pop("id")), **body),
    "use_promotion": _use,
    "raise_quote": _raise,
    "edit_quote": _edit_quote,
    "order_quote": lambda store, body: {"order_id": order_quote(store, int(body.pop("id")), **body).id},
}


def act_on_offers(store: Store, act: str, body: Body) -> Any:
    if act not in ACTS:
        raise Refused(f"An offer cannot {act!r}.")
    return ACTS[act](store, body)
