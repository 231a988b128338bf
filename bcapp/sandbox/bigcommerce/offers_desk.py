"""Products, promotions, quotes and prices at the desk, as a merchant and a buyer change them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.bigcommerce import quotes
from bcapp.sandbox.bigcommerce.panel import Pages
from bcapp.sandbox.bigcommerce.promotions import (
    add_promotion,
    assign_price_list,
    delete_promotion,
    edit_promotion,
    set_price,
    use_promotion,
)
from bcapp.sandbox.bigcommerce.store import Refused, Store

SHOWN = 60
QUOTE_STATUSES = {
    quotes.NEW: "New", quotes.IN_PROCESS: "In process", quotes.UPDATED: "Updated", quotes.ORDERED: "Ordered",
    quotes.EXPIRED: "Expired", quotes.ARCHIVED: "Archived", quotes.DRAFT: "Draft",
}  # fmt: skip


class OffersDesk(Pages):
    """The page under `/desk/{hash}/offers`: plain forms that need no script."""

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/desk/{hash}/offers", self.show),
            Route("/desk/{hash}/offers/{act}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        store = self.store(request)
        products = sorted(store.products.values(), key=lambda p: p["id"], reverse=True)
        promotions = sorted(store.promotions.values(), key=lambda p: p["id"], reverse=True)
        newest = sorted(store.b2b.quotes.values(), key=lambda q: q["quoteId"], reverse=True)
        return self.page(
            request, "desk_offers.html", store, products=products[:SHOWN], promotions=promotions[:SHOWN],
            quotes=newest[:SHOWN], statuses=QUOTE_STATUSES, companies=list(store.b2b.companies.values()),
        )  # fmt: skip

    async def act(self, request: Request) -> Response:
        store, act = self.store(request), ACTS.get(request.path_params["act"])
        if act is None:
            raise HTTPException(404, "The desk cannot do that.")
        path = f"/desk/{store.hash}/offers"
        try:
            said = act(store, await request.form())
        except KeyError:
            return self.back(path, "There is no such product, promotion, quote or price list.", bad=True)
        except (Refused, ValueError) as exc:
            return self.back(path, str(exc), bad=True)
        return self.back(path, said)


def _add_product(store: Store, form: FormData) -> str:
    product = store.add_product(_number(form, "like"), name=_text(form, "name"))
    return f"Product {product['id']} was added."


def _change_product(store: Store, form: FormData) -> str:
    number = _number(form, "id")
    changes = {"is_visible": _text(form, "is_visible") == "yes", "price": _amount(form, "price")}
    store.change_product(number, {name: new for name, new in changes.items() if new != store.products[number][name]})
    return f"Product {number} was changed."


def _promote(store: Store, form: FormData) -> str:
    starts = store.now() + timedelta(hours=float(_text(form, "starts_in") or 0))
    number = add_promotion(
        store, _text(form, "name") or "Spring sale", percent=str(_amount(form, "percent")), starts=starts,
        ends=starts + timedelta(days=_number(form, "days", 14)), coupon=_text(form, "coupon"),
    )  # fmt: skip
    return f"Promotion {number} was made."


def _edit_promotion(store: Store, form: FormData) -> str:
    number, act = _number(form, "id"), _text(form, "do")
    if act == "delete":
        delete_promotion(store, number)
    elif act == "use":
        use_promotion(store, number)
    elif act in ("ENABLED", "DISABLED"):
        edit_promotion(store, number, status=act)
    elif name := _text(form, "name"):
        edit_promotion(store, number, name=name)
    return f"Promotion {number}: done."


def _raise(store: Store, form: FormData) -> str:
    company = store.b2b.companies.get(_number(form, "company_id"))
    line = (_number(form, "product_id"), _number(form, "quantity", 1), float(_amount(form, "off")))
    number = quotes.raise_quote(
        store, [line], name=_text(form, "contact") or "Lena Hartmann",
        email=_text(form, "email") or "lena@hartmann.example", company_id=company.id if company else 0,
    )  # fmt: skip
    return f"Quote {number} was made."


def _edit_quote(store: Store, form: FormData) -> str:
    number, act = _number(form, "id"), _text(form, "do")
    if act == "delete":
        quotes.delete_quote(store, number)
    elif act in ("order", "order_by_staff"):
        order = quotes.order_quote(store, number, by_staff=act == "order_by_staff")
        return f"Quote {number} became order {order.id}."
    else:
        quotes.edit_quote(store, number, off=float(_amount(form, "off")))
    return f"Quote {number}: done."


def _set_price(store: Store, form: FormData) -> str:
    number, sku = _number(form, "list"), _text(form, "sku")
    if not any(row["sku"] == sku for row in store.prices[number]):
        raise Refused(f"Price list {number} holds no price of {sku or 'no product'}.")
    set_price(store, number, sku, float(_amount(form, "price")))
    return f"The price of {sku} in price list {number} was changed."


def _assign(store: Store, form: FormData) -> str:
    number, group = _number(form, "list"), _number(form, "group")
    assign_price_list(store, number, group)
    return f"Price list {store.price_lists[number]['name']} was given to the group {store.groups[group]['name']}."


ACTS: dict[str, Callable[[Store, FormData], str]] = {
    "add_product": _add_product,
    "change_product": _change_product,
    "promote": _promote,
    "edit_promotion": _edit_promotion,
    "raise_quote": _raise,
    "edit_quote": _edit_quote,
    "set_price": _set_price,
    "assign": _assign,
}


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _number(form: FormData, name: str, default: int = 0) -> int:
    raw = _text(form, name)
    return int(raw) if raw else default


def _amount(form: FormData, name: str) -> int | float:
    """A number as the simulated store keeps it: a whole one without a point."""
    value = float(_text(form, name) or 0)
    return int(value) if value.is_integer() else value
