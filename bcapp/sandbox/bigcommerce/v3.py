"""The V3 resources: payments, refunds, metafields, customers, catalog, channels, sites, hooks."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from bcapp.sandbox.bigcommerce.api import (
    Answer,
    ApiError,
    Ask,
    Table,
    collection,
    modify_or_read,
    numbers_in,
    one,
    page_of,
    pick,
    time_in,
    words_in,
)
from bcapp.sandbox.bigcommerce.orders import Order, v3_date
from bcapp.sandbox.bigcommerce.store import OFFLINE, Refused
from bcapp.sandbox.bigcommerce.webhooks import Hook

v3 = Table()

ORDERS = modify_or_read("store_v2_orders")
TRANSACTIONS = modify_or_read("store_v2_transactions")
CUSTOMERS = modify_or_read("store_v2_customers")
PRODUCTS = modify_or_read("store_v2_products")
CHANNELS = modify_or_read("store_channel_settings")
SITES = modify_or_read("store_sites")

PERMISSIONS = ("app_only", "read", "write", "read_and_sf_access", "write_and_sf_access")
METAFIELD_LIMIT = 250
HOOKS_PER_SCOPE = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def not_found() -> ApiError:
    return ApiError(404, "The resource was not found.")


def the_order(ask: Ask) -> Order:
    order = ask.store.orders.get(ask.number("order_id"))
    if order is None:
        raise not_found()
    return order


# Payments.


@v3("GET", "/v3/orders/{order_id}/transactions", *TRANSACTIONS)
def get_transactions(ask: Ask) -> Answer:
    order = the_order(ask)
    return collection(ask, order.transactions) if order.transactions else Answer(status=204)


@v3("POST", "/v3/orders/{order_id}/payment_actions/capture", ORDERS[0], TRANSACTIONS[0])
def capture(ask: Ask) -> Answer:
    ask.store.start_capture(the_order(ask))
    return Answer(data={}, status=201)


@v3("POST", "/v3/orders/{order_id}/payment_actions/void", ORDERS[0], TRANSACTIONS[0])
def void(ask: Ask) -> Answer:
    ask.store.start_void(the_order(ask))
    return Answer(data={}, status=201)


def _items(ask: Ask) -> list[dict[str, Any]]:
    items = ask.object().get("items")
    if not isinstance(items, list) or not items:
        raise ApiError(422, "items is required.", {"items": "is required"})
    kinds = ("PRODUCT", "GIFT_WRAPPING", "ORDER", "SHIPPING", "HANDLING", "TAX", "FEE")
    for item in items:
        if not isinstance(item, dict) or item.get("item_type") not in kinds or "item_id" not in item:
            raise ApiError(422, "An item needs item_type and item_id.", {"items": "is invalid"})
    return items


def _way(provider: str, description: str, amount: Decimal) -> dict[str, Any]:
    """Return one way to refund; what is offline is only written down. Source: orders.v3.yml, refund_methods."""
    offline = provider in OFFLINE
    return {
        "provider_id": provider,
        "provider_description": description,
        "amount": float(amount),
        "offline": offline,
        "offline_provider": offline,
        "offline_reason": "This payment provider does not support online refunds" if offline else "",
    }


@v3("POST", "/v3/orders/{order_id}/payment_actions/refund_quotes", ORDERS[0], TRANSACTIONS[0])
def refund_quote(ask: Ask) -> Answer:
    order = the_order(ask)
    items = _items(ask)
    quote = ask.store.quote(order, items)
    gateway = order.transactions[0]["gateway"] if order.transactions else "custom"
    ways = [] if not order.customer_id else [_way("storecredit", "Store Credit", quote["total"])]
    ways += [] if gateway == "custom" else [_way("custom", "Custom", quote["total"])]
    ways.append(_way(gateway, order.payment_method, quote["total"]))
    by_order = [s for i, s in zip(items, quote["shares"], strict=True) if i["item_type"] == "ORDER"]
    data = {
        "order_id": order.id,
        "total_refund_amount": float(quote["total"]),
        "total_refund_tax_amount": float(quote["tax"]),
        "order_level_refund_amount": float(sum(by_order, Decimal("0"))),
        "rounding": 0.0,
        "adjustment": 0.0,
        "tax_inclusive": False,
        "refund_methods": [[way] for way in ways],
    }
    return one(data, 201)


@v3("GET", "/v3/orders/{order_id}/payment_actions/refunds", *ORDERS, *TRANSACTIONS)
def get_refunds(ask: Ask) -> Answer:
    return one(list(the_order(ask).refunds))


@v3("POST", "/v3/orders/{order_id}/payment_actions/refunds", ORDERS[0], TRANSACTIONS[0])
def post_refund(ask: Ask) -> Answer:
    """Refund, or refuse in the one shape that differs. Source: orders.v3.yml, POST .../refunds, 422."""
    order = the_order(ask)
    try:
        items = _items(ask)
        payments = ask.object().get("payments")
        if not isinstance(payments, list) or not payments:
            raise Refused("payments is required.")
        return one(ask.store.refund(order, items, payments, user_id=0), 201)
    except (ApiError, Refused) as exc:
        raise ApiError(422, str(exc), {"payments": str(exc)}, wrapped=True) from exc


@v3("GET", "/v3/orders/payment_actions/refunds", *ORDERS, *TRANSACTIONS)
def all_refunds(ask: Ask) -> Answer:
    orders, ids = numbers_in(ask.query, "order_id:in"), numbers_in(ask.query, "id:in")
    rows = [r for o in ask.store.orders.values() for r in o.refunds]
    rows = [r for r in rows if (orders is None or r["order_id"] in orders) and (ids is None or r["id"] in ids)]
    after, before = time_in(ask.query, "created:min"), time_in(ask.query, "created:max")
    rows = rows if after is None else [r for r in rows if r["created"] >= v3_date(after)]
    rows = rows if before is None else [r for r in rows if r["created"] <= v3_date(before)]
    return collection(ask, sorted(rows, key=lambda r: r["id"]))


@v3("GET", "/v3/orders/payment_actions/refunds/{refund_id}", *ORDERS, *TRANSACTIONS)
def get_refund(ask: Ask) -> Answer:
    rows = [r for o in ask.store.orders.values() for r in o.refunds if r["id"] == ask.number("refund_id")]
    if not rows:
        raise not_found()
    return one(rows[0])


# Metafields of every kind of owner.


def metafield_rows(ask: Ask, kind: str, owner: int | None) -> list[dict[str, Any]]:
    rows = ask.store.metafields_of(kind, owner)
    for name in ("key", "namespace"):
        if name in ask.query:
            rows = [m for m in rows if m[name] == ask.query[name]]
        if f"{name}:in" in ask.query:
            wanted = set(ask.query[f"{name}:in"].split(","))
            rows = [m for m in rows if m[name] in wanted]
    after, before = time_in(ask.query, "date_modified:min"), time_in(ask.query, "date_modified:max")
    if after is not None:
        rows = [m for m in rows if m["date_modified"] >= v3_date(after)]
    if before is not None:
        rows = [m for m in rows if m["date_modified"] <= v3_date(before)]
    return sorted(rows, key=lambda m: m["id"], reverse=ask.query.get("direction") == "desc")


def checked_metafield(body: dict[str, Any], whole: bool) -> dict[str, Any]:
    """Return the writable fields, or raise 422 with the vendor's limits (bigcommerce.md 3.3)."""
    errors: dict[str, str] = {}
    sizes = {"namespace": (1, 64), "key": (1, 64), "value": (1, 65535), "description": (0, 255)}
    for name, (least, most) in sizes.items():
        if name not in body:
            if whole and name != "description":
                errors[name] = f"The field '{name}' is required."
            continue
        if not isinstance(body[name], str) or not least <= len(body[name]) <= most:
            errors[name] = f"The field '{name}' must have {least} to {most} characters."
    if "permission_set" in body:
        if body["permission_set"] not in PERMISSIONS:
            errors["permission_set"] = "The permission set is unknown."
    elif whole:
        errors["permission_set"] = "The field 'permission_set' is required."
    if errors:
        raise ApiError(422, "The metafield is invalid.", errors)
    return {name: body[name] for name in (*sizes, "permission_set") if name in body}


def add_metafield(ask: Ask, kind: str, owner: int, body: dict[str, Any]) -> dict[str, Any]:
    fields = checked_metafield(body, whole=True)
    mine = [m for m in ask.store.metafields_of(kind, owner) if m["owner_client_id"] == ask.client_id]
    if any(m["namespace"] == fields["namespace"] and m["key"] == fields["key"] for m in mine):
        raise ApiError(409, "A metafield with this namespace and key exists already.", {"key": "is taken"})
    if len(mine) >= METAFIELD_LIMIT:
        raise ApiError(422, f"At most {METAFIELD_LIMIT} metafields are allowed.", {"": "limit reached"})
    now = v3_date(ask.store.now())
    row = {
        "id": ask.store.next_id("metafield"), "description": "", **fields, "resource_type": kind, "resource_id": owner,
        "date_created": now, "date_modified": now, "owner_client_id": ask.client_id,
    }  # fmt: skip
    ask.store.metafields[row["id"]] = row
    ask.store.metafield_event(kind, row, "created")
    return row


def own_metafield(ask: Ask, kind: str, owner: int) -> dict[str, Any]:
    row = ask.store.metafields.get(ask.number("metafield_id"))
    if row is None or row["resource_type"] != kind or row["resource_id"] != owner:
        raise not_found()
    return row


def metafield_operations(
    kind: str, base: str, owner: str, scopes: tuple[str, str], wrap: Callable[[dict[str, Any]], Answer]
) -> None:
    """Register the five operations on the metafields of one kind of owner. wrap: makes the answer to a write."""

    @v3("GET", f"{base}/{{{owner}}}/metafields", *scopes)
    def listing(ask: Ask) -> Answer:
        rows = [pick(m, ask.query) for m in metafield_rows(ask, kind, ask.number(owner))]
        return collection(ask, [shown(m) for m in rows])

    @v3("POST", f"{base}/{{{owner}}}/metafields", scopes[0])
    def post(ask: Ask) -> Answer:
        return wrap(add_metafield(ask, kind, ask.number(owner), ask.object()))

    @v3("GET", f"{base}/{{{owner}}}/metafields/{{metafield_id}}", *scopes)
    def get(ask: Ask) -> Answer:
        return one(shown(own_metafield(ask, kind, ask.number(owner))))

    @v3("PUT", f"{base}/{{{owner}}}/metafields/{{metafield_id}}", scopes[0])
    def put(ask: Ask) -> Answer:
        row = own_metafield(ask, kind, ask.number(owner))
        row.update(checked_metafield(ask.object(), whole=False), date_modified=v3_date(ask.store.now()))
        ask.store.metafield_event(kind, row, "updated")
        return wrap(row)

    @v3("DELETE", f"{base}/{{{owner}}}/metafields/{{metafield_id}}", scopes[0])
    def delete(ask: Ask) -> Answer:
        row = own_metafield(ask, kind, ask.number(owner))
        del ask.store.metafields[row["id"]]
        ask.store.metafield_event(kind, row, "deleted")
        return Answer(status=204)

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        # The lists of customers' metafields are the only ones declared without the owner.
        return {k: v for k, v in row.items() if k != "owner_client_id"} if kind == "customer" else row


def as_object(row: dict[str, Any]) -> Answer:
    return one(row)


def as_array(row: dict[str, Any]) -> Answer:
    """Customers' metafields are answered as a list (bigcommerce.md 3.3)."""
    return Answer(data={"data": [row], "errors": [], "meta": {}})


metafield_operations("order", "/v3/orders", "order_id", (ORDERS[0], ORDERS[1]), as_object)
metafield_operations("customer", "/v3/customers", "customer_id", (CUSTOMERS[0], CUSTOMERS[1]), as_array)
metafield_operations("product", "/v3/catalog/products", "product_id", (PRODUCTS[0], PRODUCTS[1]), as_object)
metafield_operations("brand", "/v3/catalog/brands", "brand_id", (PRODUCTS[0], PRODUCTS[1]), as_object)


@v3("GET", "/v3/orders/metafields", *ORDERS)
def all_order_metafields(ask: Ask) -> Answer:
    return collection(ask, [pick(m, ask.query) for m in metafield_rows(ask, "order", None)])


# Customers.


def customer_shape(customer: dict[str, Any], include: set[str]) -> dict[str, Any]:
    """Return a customer without the parts that were not asked for. Source: customers.v3.yml, GET /customers."""
    parts = {"addresses": "addresses", "storecredit": "store_credit_amounts", "attributes": "attributes"}
    parts["formfields"] = "form_fields"
    hidden = {name for word, name in parts.items() if word not in include}
    return {k: v for k, v in customer.items() if k not in hidden}


@v3("GET", "/v3/customers", *CUSTOMERS)
def get_customers(ask: Ask) -> Answer:
    rows = list(ask.store.customers.values())
    for name, attribute in (("id:in", "id"), ("customer_group_id:in", "customer_group_id")):
        wanted = numbers_in(ask.query, name)
        rows = rows if wanted is None else [c for c in rows if c[attribute] in wanted]
    for name, attribute in (("email:in", "email"), ("company:in", "company"), ("phone:in", "phone")):
        words = words_in(ask.query, name)
        rows = rows if words is None else [c for c in rows if c[attribute].lower() in words]
    names = words_in(ask.query, "name:in")
    if names is not None:
        rows = [c for c in rows if f"{c['first_name']} {c['last_name']}".lower() in names]
    if "name:like" in ask.query:
        part = ask.query["name:like"].lower()
        rows = [c for c in rows if part in f"{c['first_name']} {c['last_name']}".lower()]
    for name in ("date_created", "date_modified"):
        after, before = time_in(ask.query, f"{name}:min"), time_in(ask.query, f"{name}:max")
        rows = rows if after is None else [c for c in rows if c[name] >= v3_date(after)]
        rows = rows if before is None else [c for c in rows if c[name] <= v3_date(before)]
    field, _, direction = ask.query.get("sort", "last_name:asc").partition(":")
    rows.sort(key=lambda c: (c[field] if field in c else c["last_name"], c["id"]), reverse=direction == "desc")
    include = words_in(ask.query, "include") or set()
    return collection(ask, [customer_shape(c, include) for c in rows])


@v3("GET", "/v3/customers/attributes", *CUSTOMERS, at_once=3)
def get_attributes(ask: Ask) -> Answer:
    return collection(ask, list(ask.store.attributes.values()))


@v3("PUT", "/v3/customers", CUSTOMERS[0], at_once=3)
def put_customers(ask: Ask) -> Answer:
    changed: list[dict[str, Any]] = []
    rows = ask.array(10)
    for row in rows:
        customer = ask.store.customers.get(int(row.get("id", 0)))
        if customer is None:
            raise ApiError(422, "A customer does not exist.", {"id": f"{row.get('id')} does not exist"})
        group = row.get("customer_group_id", 0)
        if group and group not in ask.store.groups:
            raise ApiError(422, "A customer group does not exist.", {"customer_group_id": f"{group} does not exist"})
    for row in rows:
        customer = ask.store.customers[int(row["id"])]
        customer.update({k: v for k, v in row.items() if k in customer and k not in ("id", "form_fields")})
        for form_field in row.get("form_fields", ()):
            kept = [f for f in customer["form_fields"] if f["name"] != form_field["name"]]
            customer["form_fields"] = [*kept, {**form_field, "customer_id": customer["id"]}]
        customer["date_modified"] = v3_date(ask.store.now())
        ask.store.emit("store/customer/updated", {"type": "customer", "id": customer["id"]})
        changed.append(customer_shape(customer, set()))
    return one(changed)


# Catalog.


def product_shape(product: dict[str, Any], include: set[str]) -> dict[str, Any]:
    parts = ("custom_fields", "bulk_pricing_rules", "images", "videos", "modifiers", "options", "variants", "channels")
    hidden = {name for name in parts if name not in include}
    return {k: v for k, v in product.items() if k not in hidden}


@v3("GET", "/v3/catalog/products", *PRODUCTS)
def get_products(ask: Ask) -> Answer:
    rows = list(ask.store.products.values())
    wanted, unwanted = numbers_in(ask.query, "id:in"), numbers_in(ask.query, "id:not_in")
    rows = rows if wanted is None else [p for p in rows if p["id"] in wanted]
    rows = rows if unwanted is None else [p for p in rows if p["id"] not in unwanted]
    skus = words_in(ask.query, "sku:in")
    rows = rows if skus is None else [p for p in rows if p["sku"].lower() in skus]
    for name in ("name", "sku", "type", "availability", "condition", "mpn", "upc"):
        rows = [p for p in rows if p[name] == ask.query[name]] if name in ask.query else rows
    for name in ("id", "brand_id"):
        number = numbers_in(ask.query, name)
        rows = rows if number is None else [p for p in rows if p[name] in number]
    categories = numbers_in(ask.query, "categories:in") or numbers_in(ask.query, "categories")
    rows = rows if categories is None else [p for p in rows if categories & set(p["categories"])]
    if "is_visible" in ask.query:
        rows = [p for p in rows if p["is_visible"] == (ask.query["is_visible"] in ("1", "true"))]
    if "keyword" in ask.query:
        word = ask.query["keyword"].lower()
        rows = [p for p in rows if word in p["name"].lower() or word in p["sku"].lower()]
    after, before = time_in(ask.query, "date_modified:min"), time_in(ask.query, "date_modified:max")
    rows = rows if after is None else [p for p in rows if p["date_modified"] >= v3_date(after)]
    rows = rows if before is None else [p for p in rows if p["date_modified"] <= v3_date(before)]
    field = ask.query.get("sort", "id")
    rows.sort(key=lambda p: (p.get(field, p["id"]), p["id"]), reverse=ask.query.get("direction") == "desc")
    include = words_in(ask.query, "include") or set()
    return collection(ask, [pick(product_shape(p, include), ask.query, include) for p in rows])


@v3("GET", "/v3/catalog/products/{product_id}", *PRODUCTS)
def get_product(ask: Ask) -> Answer:
    product = ask.store.products.get(ask.number("product_id"))
    if product is None:
        raise not_found()
    include = words_in(ask.query, "include") or set()
    return one(pick(product_shape(product, include), ask.query, include))


@v3("PUT", "/v3/catalog/products", PRODUCTS[0])
def put_products(ask: Ask) -> Answer:
    """Change up to ten products. Source: products_catalog.v3.yml: "Product updates are limited to 10"."""
    rows = ask.array(10)
    for row in rows:
        if int(row.get("id") or 0) not in ask.store.products:
            raise ApiError(404, "A product does not exist.")
    return one([product_shape(ask.store.change_product(int(row["id"]), row), set()) for row in rows])


def assignments(ask: Ask) -> list[dict[str, int]]:
    products, channels = numbers_in(ask.query, "product_id:in"), numbers_in(ask.query, "channel_id:in")
    return [
        {"product_id": p["id"], "channel_id": c}
        for p in ask.store.products.values()
        for c in p["channels"]
        if (products is None or p["id"] in products) and (channels is None or c in channels)
    ]


@v3("GET", "/v3/catalog/products/channel-assignments", *PRODUCTS)
def get_assignments(ask: Ask) -> Answer:
    return collection(ask, assignments(ask))


@v3("PUT", "/v3/catalog/products/channel-assignments", PRODUCTS[0], at_once=1)
def put_assignments(ask: Ask) -> Answer:
    rows = ask.array(250)
    for row in rows:
        if row.get("product_id") not in ask.store.products or row.get("channel_id") not in ask.store.channels:
            raise ApiError(422, "An assignment names what does not exist.", {"0": "does not exist"})
    for row in rows:
        channels = ask.store.products[row["product_id"]]["channels"]
        ask.store.change_product(row["product_id"], {"channels": sorted({*channels, row["channel_id"]})})
    return Answer(status=204)


@v3("DELETE", "/v3/catalog/products/channel-assignments", PRODUCTS[0], at_once=1)
def delete_assignments(ask: Ask) -> Answer:
    if not {"product_id:in", "channel_id:in"} & set(ask.query):
        raise ApiError(422, "At least one filter must be provided in order to delete channel assignments.")
    for row in assignments(ask):
        left = [c for c in ask.store.products[row["product_id"]]["channels"] if c != row["channel_id"]]
        ask.store.change_product(row["product_id"], {"channels": left})
    return Answer(status=204)


@v3("GET", "/v3/catalog/products/{product_id}/custom-fields", *PRODUCTS)
def get_custom_fields(ask: Ask) -> Answer:
    product = ask.store.products.get(ask.number("product_id"))
    if product is None:
        raise not_found()
    return collection(ask, product["custom_fields"])


@v3("GET", "/v3/catalog/brands", *PRODUCTS)
def get_brands(ask: Ask) -> Answer:
    rows = list(ask.store.brands.values())
    wanted = numbers_in(ask.query, "id:in")
    rows = rows if wanted is None else [b for b in rows if b["id"] in wanted]
    rows = [b for b in rows if b["name"] == ask.query["name"]] if "name" in ask.query else rows
    if "name:like" in ask.query:
        rows = [b for b in rows if ask.query["name:like"].lower() in b["name"].lower()]
    return collection(ask, [pick(b, ask.query) for b in rows])


@v3("GET", "/v3/catalog/brands/{brand_id}", *PRODUCTS)
def get_brand(ask: Ask) -> Answer:
    brand = ask.store.brands.get(ask.number("brand_id"))
    if brand is None:
        raise not_found()
    return one(pick(brand, ask.query))


@v3("GET", "/v3/catalog/trees", *PRODUCTS)
def get_trees(ask: Ask) -> Answer:
    tree = {"id": 1, "name": "Default catalog tree", "channels": sorted(ask.store.channels)}
    return collection(ask, [tree])


@v3("GET", "/v3/catalog/trees/categories", *PRODUCTS)
def get_categories(ask: Ask) -> Answer:
    rows = list(ask.store.categories.values())
    for name in ("category_id", "tree_id", "parent_id"):
        wanted, unwanted = numbers_in(ask.query, f"{name}:in"), numbers_in(ask.query, f"{name}:not_in")
        rows = rows if wanted is None else [c for c in rows if c[name] in wanted]
        rows = rows if unwanted is None else [c for c in rows if c[name] not in unwanted]
    rows = [c for c in rows if c["name"] == ask.query["name"]] if "name" in ask.query else rows
    if "name:like" in ask.query:
        rows = [c for c in rows if ask.query["name:like"].lower() in c["name"].lower()]
    return collection(ask, [pick(c, ask.query) for c in rows])


@v3("GET", "/v3/catalog/trees/{tree_id}/categories", *PRODUCTS, at_once=1)
def get_tree(ask: Ask) -> Answer:
    if ask.number("tree_id") != 1:
        raise not_found()

    def branch(parent: int, path: list[int]) -> list[dict[str, Any]]:
        return [
            {
                "id": c["category_id"],
                "parent_id": parent,
                "depth": len(path),
                "path": [*path, c["category_id"]],
                "name": c["name"],
                "is_visible": c["is_visible"],
                "url": c["url"]["path"],
                "children": branch(c["category_id"], [*path, c["category_id"]]),
            }
            for c in ask.store.categories.values()
            if c["parent_id"] == parent
        ]

    return one(branch(0, []))


# Channels and sites.


@v3("GET", "/v3/channels", *CHANNELS)
def get_channels(ask: Ask) -> Answer:
    rows = list(ask.store.channels.values())
    for name in ("type", "status", "platform"):
        words = words_in(ask.query, f"{name}:in")
        rows = rows if words is None else [c for c in rows if c[name] in words]
    return collection(ask, rows)


@v3("GET", "/v3/channels/{channel_id}", *CHANNELS)
def get_channel(ask: Ask) -> Answer:
    channel = ask.store.channels.get(ask.number("channel_id"))
    if channel is None:
        raise not_found()
    return one(channel)


@v3("GET", "/v3/channels/{channel_id}/site", *SITES, *CHANNELS)
def get_channel_site(ask: Ask) -> Answer:
    site = next((s for s in ask.store.sites.values() if s["channel_id"] == ask.number("channel_id")), None)
    if site is None:
        raise not_found()
    return one(site)


@v3("GET", "/v3/sites", *SITES)
def get_sites(ask: Ask) -> Answer:
    wanted = numbers_in(ask.query, "channel_id:in")
    rows = [s for s in ask.store.sites.values() if wanted is None or s["channel_id"] in wanted]
    shown, page, limit = page_of(ask, rows, 50)
    # This list alone counts by offset. Source: sites.v3.yml, GET /sites.
    pagination = {"offset": (page - 1) * limit, "limit": limit, "total_items": len(rows)}
    return Answer(data={"data": shown, "meta": {"pagination": pagination}})


# Webhooks; they need no scope of their own (bigcommerce.md 1.11).


def hook_body(ask: Ask) -> dict[str, Any]:
    body = ask.object()
    if not {"scope", "destination", "is_active", "headers"} & body.keys():
        raise ApiError(422, "Update webhook request should not be empty", {"": "should not be empty"})
    if "destination" in body:
        check_destination(str(body["destination"]))
    if "scope" in body and not str(body["scope"]).startswith("store/"):
        raise ApiError(422, "The scope is invalid.", {"scope": "is invalid"})
    headers = body.get("headers")
    if headers is not None:
        fits = isinstance(headers, dict) and len(headers) <= 64
        if not fits or any(not isinstance(v, str) or len(v) > 8192 or len(k) > 64 for k, v in headers.items()):
            raise ApiError(422, "The headers are invalid.", {"headers": "is invalid"})
    return body


def check_destination(destination: str) -> None:
    """Refuse what is not HTTPS on port 443; the sandbox also lets the own machine and other ports be reached."""
    parts = urlsplit(destination)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ApiError(422, "The destination is invalid.", {"destination": "must be an HTTPS address"})


def unique_hook(ask: Ask, scope: str, destination: str, other_than: Hook | None = None) -> None:
    same = [h for h in ask.store.webhooks.of_store(ask.store.hash) if h.scope == scope and h is not other_than]
    if any(h.destination == destination for h in same):
        raise ApiError(422, "This webhook exists already.", {"destination": "exists for this scope"})
    if len(same) >= HOOKS_PER_SCOPE:
        raise ApiError(422, f"At most {HOOKS_PER_SCOPE} webhooks are allowed per scope.", {"scope": "limit reached"})


def the_hook(ask: Ask) -> Hook:
    hook = ask.store.webhooks.hooks.get(ask.number("hook_id"))
    if hook is None or hook.store_hash != ask.store.hash:
        raise not_found()
    return hook


@v3("GET", "/v3/hooks")
def get_hooks(ask: Ask) -> Answer:
    rows = ask.store.webhooks.of_store(ask.store.hash)
    for name in ("scope", "destination"):
        rows = [h for h in rows if getattr(h, name) == ask.query[name]] if name in ask.query else rows
    if "is_active" in ask.query:
        rows = [h for h in rows if h.is_active == (ask.query["is_active"].lower() in ("true", "1"))]
    return collection(ask, [h.shape() for h in rows])


@v3("POST", "/v3/hooks")
def post_hook(ask: Ask) -> Answer:
    body = hook_body(ask)
    for name in ("scope", "destination"):
        if not body.get(name):
            raise ApiError(422, f"{name} is required.", {name: "is required"})
    unique_hook(ask, body["scope"], body["destination"])
    hook = ask.store.webhooks.add_hook(
        ask.store.hash, body["scope"], body["destination"], body.get("headers"), bool(body.get("is_active", True))
    )
    return one(hook.shape())


@v3("GET", "/v3/hooks/{hook_id}")
def get_hook(ask: Ask) -> Answer:
    return one(the_hook(ask).shape())


@v3("PUT", "/v3/hooks/{hook_id}")
def put_hook(ask: Ask) -> Answer:
    hook = the_hook(ask)
    body = hook_body(ask)
    unique_hook(ask, body.get("scope", hook.scope), body.get("destination", hook.destination), other_than=hook)
    changes: dict[str, Any] = {k: body[k] for k in ("scope", "destination", "is_active", "headers") if k in body}
    ask.store.webhooks.change(hook, changes)
    return one(hook.shape())


@v3("DELETE", "/v3/hooks/{hook_id}")
def delete_hook(ask: Ask) -> Answer:
    hook = the_hook(ask)
    del ask.store.webhooks.hooks[hook.id]
    return one(hook.shape())


@v3("GET", "/v3/hooks/admin")
def get_hooks_admin(ask: Ask) -> Answer:
    webhooks = ask.store.webhooks
    rows = [
        {**h.shape(), "status": "active" if h.is_active else "deactivated" if h.deactivated else "inactive"}
        for h in webhooks.of_store(ask.store.hash)
    ]
    data = {"emails": webhooks.admin_emails, "hooks_list": rows, "blocked_domains": webhooks.blocked_shape()}
    return one(data)


@v3("PUT", "/v3/hooks/admin")
def put_hooks_admin(ask: Ask) -> Answer:
    emails = ask.object().get("emails")
    if not isinstance(emails, list) or not all(isinstance(e, str) and "@" in e for e in emails):
        raise ApiError(422, "emails is invalid.", {"emails": "is invalid"})
    ask.store.webhooks.admin_emails = emails
    return Answer(status=204)


# Price lists. Source: price_lists.v3.yml.


@v3("GET", "/v3/pricelists", *PRODUCTS)
def get_price_lists(ask: Ask) -> Answer:
    answer = collection(ask, list(ask.store.price_lists.values()))
    answer.data["meta"]["pagination"].pop("links")  # neither this list nor the next one has them
    return answer


@v3("GET", "/v3/pricelists/{price_list_id}", *PRODUCTS)
def get_price_list(ask: Ask) -> Answer:
    found = ask.store.price_lists.get(ask.number("price_list_id"))
    if found is None:
        raise not_found()
    return one(found)


@v3("GET", "/v3/pricelists/{price_list_id}/records", *PRODUCTS)
def get_price_records(ask: Ask) -> Answer:
    """Answer the records, without SKU and tiers unless they are asked for."""
    rows = ask.store.prices.get(ask.number("price_list_id"))
    if rows is None:
        raise not_found()
    hidden = {"sku", "bulk_pricing_tiers"} - (words_in(ask.query, "include") or set())
    currency = ask.query.get("currency", "").lower()
    rows = [r for r in rows if not currency or r["currency"] == currency]
    answer = collection(ask, [{k: v for k, v in r.items() if k not in hidden} for r in rows])
    answer.data["meta"]["pagination"].pop("links")
    return answer
