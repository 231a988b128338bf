"""Carts that apps make, and what their buyers do with the links: the API and the storefront.

Source: carts.v3.yml and product-variants_catalog.v3.yml.
"""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from bcapp.sandbox.bigcommerce.api import Answer, ApiError, Ask, Table, collection, modify_or_read, one
from bcapp.sandbox.bigcommerce.orders import Order, v3_date
from bcapp.sandbox.bigcommerce.store import Refused, Store

carts = Table()

CARTS = modify_or_read("store_cart")
PRODUCTS = modify_or_read("store_v2_products")


# The storefront.


def follow_link(store: Store, link: str) -> str:
    """Open a link as a shopper does, and return the number of its cart. A link is good once."""
    with store.ground.lock:
        cart_id = store.cart_links.pop(link, "")
        if cart_id not in store.carts:
            raise Refused("The link does not work any more.")
        return cart_id


def order_cart(store: Store, cart_id: str, *, payment: str = "paid", **more: Any) -> Order:
    """Check out with a cart, at its prices. The cart is gone then, and the order names it."""
    with store.ground.lock:
        cart = store.carts.get(cart_id)
        if cart is None:
            raise Refused("The cart is gone.")
        rows = cart["line_items"]["physical_items"]
        given: dict[str, Any] = {"shipping": "0", "tax_rate": "0", "customer_id": cart["customer_id"], **more}
        lines = [(row["product_id"], row["quantity"]) for row in rows]
        order = store.place_order(lines=lines, payment=payment, quiet=True, **given)
        order.cart_id = cart_id
        for line, row in zip(order.lines, rows, strict=True):
            line.price = Decimal(str(row["list_price"]))
        del store.carts[cart_id]
        store.emit("store/order/created", {"type": "order", "id": order.id})
        store.emit("store/cart/converted", {"type": "cart", "id": cart_id, "orderId": str(order.id)})
        return order


# The API.


def _found(ask: Ask) -> dict[str, Any]:
    found = ask.store.carts.get(ask.params["cart_id"])
    if found is None:
        raise ApiError(404, "The requested resource was not found.")
    return found


@carts("POST", "/v3/carts", CARTS[0])
def post_cart(ask: Ask) -> Answer:
    body = ask.object()
    if not body.get("line_items"):
        raise ApiError(422, "line_items is required.")
    rows = []
    for item in body["line_items"]:
        product = ask.store.products.get(int(item["product_id"]))
        if product is None or not product["is_visible"]:
            raise ApiError(422, "A product cannot be bought.")
        own = item.get("list_price") if ask.store.carts_keep_prices else None
        price = float(product["price"] if own is None else own)
        rows.append(
            {
                "id": str(uuid.uuid4()),
                "variant_id": item["variant_id"],
                "product_id": product["id"],
                "sku": product["sku"],
                "name": product["name"],
                "quantity": item["quantity"],
                "list_price": price,
                "sale_price": price,
                "original_price": float(product["price"]),
            }
        )
    total = sum(row["list_price"] * row["quantity"] for row in rows)
    cart = {
        "id": str(uuid.uuid4()), "customer_id": int(body.get("customer_id") or 0),
        "channel_id": int(body.get("channel_id") or 1), "email": "", "currency": {"code": body["currency"]["code"]},
        "tax_included": False, "base_amount": total, "discount_amount": 0, "cart_amount": total, "coupons": [],
        "line_items": {"physical_items": rows, "digital_items": [], "gift_certificates": [], "custom_items": []},
        "created_time": v3_date(ask.store.now()), "updated_time": v3_date(ask.store.now()), "locale": "en-US",
    }  # fmt: skip
    ask.store.carts[cart["id"]] = cart
    return one(cart, 201)


@carts("GET", "/v3/carts/{cart_id:s}", *CARTS)
def get_cart(ask: Ask) -> Answer:
    return one(_found(ask))


@carts("DELETE", "/v3/carts/{cart_id:s}", CARTS[0])
def delete_cart(ask: Ask) -> Answer:
    del ask.store.carts[_found(ask)["id"]]
    return Answer(status=204)


@carts("POST", "/v3/carts/{cart_id:s}/redirect_urls", CARTS[0])
def post_link(ask: Ask) -> Answer:
    cart_id, token = _found(ask)["id"], uuid.uuid4().hex
    base = f"{ask.store.storefront_url}/cart.php"
    link = f"{base}?action=loadInCheckout&id={cart_id:s}&token={token}"
    ask.store.cart_links[link] = cart_id
    links = {"cart_url": f"{base}?action=load&id={cart_id:s}&token={token}", "checkout_url": link}
    return one({**links, "embedded_checkout_url": f"{link}&embedded=1"}, 201)


@carts("GET", "/v3/catalog/variants", *PRODUCTS)
def get_variants(ask: Ask) -> Answer:
    """The variants with a SKU; the simulated store's products have one each."""
    rows = [
        {
            "id": p["base_variant_id"], "product_id": p["id"], "sku": p["sku"], "price": None,
            "calculated_price": float(p["price"]), "cost_price": float(p["cost_price"]),
        }
        for p in ask.store.products.values()
        if p["sku"].lower() == ask.query.get("sku", "").lower()
    ]  # fmt: skip
    return collection(ask, rows)
