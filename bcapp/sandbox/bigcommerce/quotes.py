"""Quotes of the simulated B2B Edition: what sales staff and buyers do with them, and their API.

Source: bigcommerce.md 3.11 and the OpenAPI file of quotes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bcapp.sandbox.bigcommerce.api import Answer, ApiError, Ask, number_in
from bcapp.sandbox.bigcommerce.b2b import ROOT, Said, b2b
from bcapp.sandbox.bigcommerce.orders import Order
from bcapp.sandbox.bigcommerce.store import Refused, Store

NEW, IN_PROCESS, UPDATED, ORDERED, EXPIRED, ARCHIVED, DRAFT = 0, 2, 3, 4, 5, 6, 7
BUYABLE = (NEW, IN_PROCESS, UPDATED)
TEMPLATES = (
    "Simple", "Simple with Pictures", "Waves with Pictures", "Sky", "Dots", "Database with checkout button",
    "Modern with checkout link", "Modern without checkout link",
)  # fmt: skip
IN_THE_LIST = (
    "quoteNumber", "status", "bcOrderId", "orderId", "channelName", "createdAt", "expiredAt", "createdBy", "subtotal",
    "channelId", "quoteTitle", "referenceNumber", "currency", "extraFields",
)  # fmt: skip
KEPT_ASIDE = ("quoteId", "updatedAt", "company", "salesRep", "uuid")


# Sales staff and buyers.


def raise_quote(
    store: Store,
    lines: Sequence[tuple[int | str, int, float]],
    *,
    name: str = "Lena Hartmann",
    email: str = "lena@hartmann.example",
    company_id: int = 0,
    rep: tuple[str, str] = ("Rita Rep", "rita@northfield.test"),
    days: int = 30,
    status: int = IN_PROCESS,
    allow_checkout: bool = True,
    terms: str = "",
    quiet: bool = False,
) -> int:
    """Make a quote and return its number. lines: product or SKU, quantity, percent off. quiet: no event is sent."""
    with store.ground.lock:
        number, now = next(store.b2b.ids["quote"]), store.now()
        rows = [_line(store, key, quantity, off) for key, quantity, off in lines]
        company = store.b2b.companies.get(company_id)
        quote: dict[str, Any] = {
            "quoteId": number, "quoteNumber": f"QN{100000 + number}", "status": status, "bcOrderId": "", "orderId": "",
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))), "company": company.name if company else "",
            "salesRep": rep[0], "channelId": 1, "channelName": "", "quoteTitle": "", "referenceNumber": "",
            "currency": {"token": "$", "location": "left", "currencyCode": store.currency, "decimalToken": ".",
                         "decimalPlaces": 2, "thousandsToken": ",", "currencyExchangeRate": 1},
            "extraFields": [], "createdBy": rep[0], "createdAt": int(now.timestamp()),
            "updatedAt": int(now.timestamp()), "expiredAt": int((now + timedelta(days=days)).timestamp()),
            "notes": "", "legalTerms": terms, "displayDiscount": True, "allowCheckout": allow_checkout,
            "contactInfo": {"name": name, "email": email, "companyName": company.name if company else "",
                            "phoneNumber": ""},
            "salesRepInfo": {"salesRepName": rep[0], "salesRepEmail": rep[1], "salesRepPhoneNumber": ""},
            "companyInfo": {"companyId": company.id, "companyName": company.name} if company else {},
            "shippingAddress": {}, "billingAddress": {}, "shippingTotal": 0, "taxTotal": 0, "discountType": 0,
            "discountValue": None, "trackingHistory": [], "storefrontAttachFiles": [], "backendAttachFiles": [],
            "recipients": [], "productList": rows,
        }  # fmt: skip
        _sum_up(quote)
        store.b2b.quotes[number] = quote
        if not quiet:
            _tell(store, number, "created")
        return number


def _line(store: Store, key: int | str, quantity: int, off: float) -> dict[str, Any]:
    product = store.product_named(key)
    price = float(product["price"])
    return {
        "productId": product["id"], "productName": product["name"], "variantId": product["base_variant_id"],
        "sku": product["sku"], "basePrice": price, "discount": off, "offeredPrice": round(price * (1 - off / 100), 2),
        "quantity": quantity, "orderQuantityMaximum": 0, "orderQuantityMinimum": 0, "imageUrl": "", "options": [],
        "costPrice": float(product["cost_price"]), "type": product["type"], "isFreeShipping": False, "foundInBc": True,
    }  # fmt: skip


def _sum_up(quote: dict[str, Any]) -> None:
    rows = quote["productList"]
    whole = sum(row["basePrice"] * row["quantity"] for row in rows)
    quote["subtotal"] = round(sum(row["offeredPrice"] * row["quantity"] for row in rows), 2)
    quote["discount"] = round(whole - quote["subtotal"], 2)
    quote["grandTotal"] = quote["totalAmount"] = round(quote["subtotal"] + quote["shippingTotal"], 2)


def edit_quote(store: Store, number: int, *, off: float | None = None, **changes: Any) -> None:
    """Change a quote as its screen does. off: another percentage on every line."""
    with store.ground.lock:
        quote = the(store, number)
        quote.update(changes)
        if off is not None:
            for row in quote["productList"]:
                row |= {"discount": off, "offeredPrice": round(row["basePrice"] * (1 - off / 100), 2)}
            _sum_up(quote)
        _touch(store, quote)
        _tell(store, number, "updated")


def set_status(store: Store, number: int, status: int) -> None:
    with store.ground.lock:
        quote = the(store, number)
        quote["status"] = status
        _touch(store, quote)
        _tell(store, number, "statusUpdated")


def delete_quote(store: Store, number: int) -> None:
    with store.ground.lock:
        _tell(store, number, "deleted")
        del store.b2b.quotes[number]


def order_quote(store: Store, number: int, *, by_staff: bool = False, payment: str = "paid", **more: Any) -> Order:
    """Buy a quote: as its buyer where the checkout is open, or by staff, who may always turn it into an order."""
    with store.ground.lock:
        quote = the(store, number)
        if quote["status"] not in BUYABLE:
            raise Refused(f"Quote {number} cannot be ordered any more.")
        if not quote["allowCheckout"] and not by_staff:
            raise Refused(f"The checkout of quote {number} is closed.")
        rows = quote["productList"]
        contact = quote["contactInfo"]
        given: dict[str, Any] = {"email": contact["email"], "shipping": "0", "tax_rate": "0", **more}
        order = store.place_order(lines=[(r["productId"], r["quantity"]) for r in rows], payment=payment, **given)
        prices = {line.id: str(row["offeredPrice"]) for line, row in zip(order.lines, rows, strict=True)}
        store.edit(order.id, prices=prices)
        quote |= {"status": ORDERED, "bcOrderId": str(order.id), "orderId": str(7000 + order.id)}
        _touch(store, quote)
        _tell(store, number, "statusUpdated")
        return order


def the(store: Store, number: int) -> dict[str, Any]:
    found = store.b2b.quotes.get(number)
    if found is None:
        raise Refused(f"There is no quote {number}.")
    return found


def _touch(store: Store, quote: dict[str, Any]) -> None:
    quote["updatedAt"] = max(quote["updatedAt"], int(store.now().timestamp()))


def _tell(store: Store, number: int, what: str) -> None:
    quote = the(store, number)
    store.emit(f"store/quote/{what}", {"quote_id": number, "quote_uuid": quote["uuid"]})


# The API.


def _found(ask: Ask) -> dict[str, Any]:
    quote = ask.store.b2b.quotes.get(ask.number("quote_id"))
    if quote is None:
        raise ApiError(404, "Not found error", {"errMsg": "Quote does not exist."})
    return quote


@b2b("GET", f"{ROOT}/rfq")
def get_quotes(ask: Ask) -> Answer:
    rows = list(ask.store.b2b.quotes.values())
    for name, field in (("Modified", "updatedAt"), ("Created", "createdAt"), ("Expired", "expiredAt")):
        least, most = ask.query.get(f"min{name}"), ask.query.get(f"max{name}")
        rows = rows if least is None else [q for q in rows if q[field] >= int(least)]
        rows = rows if most is None else [q for q in rows if q[field] <= int(most)]
    if "status" in ask.query:
        rows = [q for q in rows if q["status"] == int(ask.query["status"])]
    if "quoteNumber" in ask.query:
        rows = [q for q in rows if ask.query["quoteNumber"] in q["quoteNumber"]]
    field = ask.query.get("sortBy", "updatedAt")
    rows.sort(key=lambda q: (q[field], q["quoteId"]), reverse=ask.query.get("orderBy", "desc") == "desc")
    limit, offset = number_in(ask.query, "limit", 10), number_in(ask.query, "offset", 0)
    shown = [
        {name: q[name] for name in (*IN_THE_LIST, "quoteId", "company", "salesRep", "updatedAt")}
        for q in rows[offset : offset + limit]
    ]
    pages = {"totalCount": len(rows), "limit": limit, "offset": offset}
    return Answer(data=Said({"list": shown, "pagination": pages}))


@b2b("GET", f"{ROOT}/rfq/{{quote_id}}")
def get_quote(ask: Ask) -> Answer:
    """Answer the detail, for who knows the day on which the quote was made."""
    quote = _found(ask)
    made = f"{datetime.fromtimestamp(quote['createdAt'], UTC):%m/%d/%Y}"
    if ask.query.get("date") != made:
        raise ApiError(404, "Not found error", {"errMsg": "Quote does not exist."})
    return Answer(data={name: value for name, value in quote.items() if name not in KEPT_ASIDE})


@b2b("PUT", f"{ROOT}/rfq/{{quote_id}}")
def put_quote(ask: Ask) -> Answer:
    """Change what is named; lines are replaced whole, and the sums must fit them."""
    quote, body = _found(ask), dict(ask.object())
    if quote["status"] in (ORDERED, ARCHIVED):
        raise ApiError(422, "Missing or Invalid Data", {"errMsg": "The quote cannot be changed any more."})
    if "expiredAt" in body:
        day = datetime.strptime(str(body["expiredAt"]), "%m/%d/%Y").replace(tzinfo=UTC)
        body["expiredAt"] = int(day.timestamp())
    if "productList" in body:
        known = {(row["productId"], row["sku"]): row for row in quote["productList"]}
        rows: list[Mapping[str, Any]] = body["productList"]
        body["productList"] = [{**known.get((r.get("productId"), r.get("sku")), {}), **r} for r in rows]
        asked = round(sum(float(r["offeredPrice"]) * int(r["quantity"]) for r in rows), 2)
        if round(float(body.get("subtotal", -1)), 2) != asked:
            text = "Grand total amount not match for product list details"
            raise ApiError(422, text, {"errMsg": text})
    quote.update(body)
    _touch(ask.store, quote)
    _tell(ask.store, quote["quoteId"], "updated")
    url = f"{ask.store.storefront_url}/quote/?id={quote['quoteId']}&date={quote['createdAt']}"
    return Answer(data=Said({"quoteId": quote["quoteId"], "quoteUrl": url}))


@b2b("POST", f"{ROOT}/rfq/{{quote_id}}/checkout")
def post_checkout(ask: Ask) -> Answer:
    quote = _found(ask)
    if quote["status"] not in BUYABLE:
        raise ApiError(422, "Draft Quote can not be ordered", {"errMsg": "Draft Quote can not be ordered"})
    cart = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"cart {quote['quoteId']}"))
    base = f"{ask.store.storefront_url}/cart.php"
    links = {"checkoutUrl": f"{base}?action=loadInCheckout&id={cart}", "cartUrl": f"{base}?action=load&id={cart}"}
    return Answer(data=Said({**links, "cartId": cart}))


@b2b("POST", f"{ROOT}/rfq/emails")
def post_mail(ask: Ask) -> Answer:
    body = ask.object()
    number = str(body.get("quoteId", ""))
    quote = ask.store.b2b.quotes.get(int(number)) if number.isdecimal() else None
    if quote is None or str(body.get("email", "")).lower() != quote["contactInfo"]["email"].lower():
        raise ApiError(422, "Missing or Invalid Data", {"errMsg": "The address is not the buyer's."})
    if body.get("emailTemplate") not in TEMPLATES:
        raise ApiError(422, "Missing or Invalid Data", {"errMsg": "There is no such template."})
    ask.store.b2b.quote_mails.append(dict(body))
    return Answer(data=Said({}))
