"""The V2 resources: store, time, orders and what hangs on them, customer groups."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.sandbox.bigcommerce.api import (
    Answer,
    ApiError,
    Ask,
    Table,
    modify_or_read,
    number_in,
    page_of,
    time_in,
)
from bcapp.sandbox.bigcommerce.orders import STATUSES, Order, address_shape, line_shape, text, v3_date
from bcapp.sandbox.bigcommerce.store import Store

v2 = Table()

ORDERS = modify_or_read("store_v2_orders")
INFORMATION = modify_or_read("store_v2_information")
CUSTOMERS = modify_or_read("store_v2_customers")

SORTS = ("id", "customer_id", "date_created", "date_modified", "status_id", "channel_id", "external_id")


def listed(ask: Ask, rows: list[Any]) -> Answer:
    """Answer a V2 list: a bare array, or what this store does for an empty one."""
    shown, _, _ = page_of(ask, rows, 50)
    if not shown and ask.store.empty_lists == "204":
        return Answer(status=204)
    return Answer(data=shown)


def the_order(ask: Ask) -> Order:
    order = ask.store.orders.get(ask.number("order_id"))
    if order is None:
        raise ApiError(404, "The requested resource was not found.")
    return order


@v2("GET", "/v2/time")
def get_time(ask: Ask) -> Answer:
    return Answer(data={"time": int(ask.store.now().timestamp())})


@v2("GET", "/v2/store", *INFORMATION)
def get_store(ask: Ask) -> Answer:
    return Answer(data=store_shape(ask.store))


def store_shape(store: Store) -> dict[str, Any]:
    """Return the store's profile. Source: store_information.v2.yml, GET /store."""
    panel = store.panel_url
    dates = {"display": "M jS Y", "export": "M jS Y", "extended_display": "M jS Y @ g:i A"}
    symbol = {"USD": "$", "EUR": "€", "GBP": "£"}.get(store.currency, store.currency)
    return {
        "id": store.hash,
        "account_uuid": store.account_uuid,
        "domain": store.domain,
        "secure_url": store.storefront_url,
        "control_panel_base_url": panel,
        "status": "live",
        "name": store.name,
        "first_name": store.owner.name.partition(" ")[0],
        "last_name": store.owner.name.partition(" ")[2],
        "address": store.address,
        "country": store.country[0],
        "country_code": store.country[1],
        "infrastructure_region": "us-central1",
        "phone": store.phone,
        "admin_email": store.owner.email,
        "order_email": f"orders@{store.domain}",
        "favicon_url": "",
        "timezone": {
            "name": store.timezone,
            "raw_offset": -25200,
            "dst_offset": -21600,
            "dst_correction": True,
            "date_format": dates,
        },
        "language": "en",
        "currency": store.currency,
        "currency_symbol": symbol,
        "decimal_separator": ".",
        "thousands_separator": ",",
        "decimal_places": 2,
        "currency_symbol_location": "left",
        "weight_units": "LBS",
        "dimension_units": "Inches",
        "dimension_decimal_places": 2,
        "dimension_decimal_token": ".",
        "dimension_thousands_token": ",",
        "plan_name": store.plan,
        "plan_level": f"{store.plan} Plan",
        "plan_is_trial": False,
        "industry": "Sports & Outdoor",
        "logo": [],
        "is_price_entered_with_tax": False,
        "store_id": store.store_id,
        "default_channel_id": 1,
        "default_site_id": 1000,
        "active_comparison_modules": [],
        "features": {
            "stencil_enabled": True,
            "sitewidehttps_enabled": True,
            "facebook_catalog_id": "",
            "checkout_type": "optimized",
            "wishlists_enabled": True,
            "graphql_storefront_api_enabled": True,
            "shopper_consent_tracking_enabled": True,
            "multi_storefront_enabled": len(store.channels) > 1,
            "storefront_limits": {"active": 3, "total_including_inactive": 5},
        },
    }


# Orders.


def wanted_orders(ask: Ask) -> list[Order]:
    """Return the orders that the listed filters let through. Source: orders.v2.oas2.yml, GET /orders."""
    query = ask.query
    rows = ask.store.visible_orders()
    for name, attribute in (("customer_id", "customer_id"), ("status_id", "status_id"), ("channel_id", "channel_id")):
        if name in query:
            number = number_in(query, name, 0)
            rows = [o for o in rows if getattr(o, attribute) == number]
    if "min_id" in query:
        rows = [o for o in rows if o.id >= number_in(query, "min_id", 0)]
    if "max_id" in query:
        rows = [o for o in rows if o.id <= number_in(query, "max_id", 0)]
    if "min_total" in query:
        rows = [o for o in rows if o.total >= Decimal(query["min_total"])]
    if "max_total" in query:
        rows = [o for o in rows if o.total <= Decimal(query["max_total"])]
    if "email" in query:
        rows = [o for o in rows if o.billing["email"].lower() == query["email"].lower()]
    for name in ("cart_id", "payment_method", "external_order_id"):
        if name in query:
            rows = [o for o in rows if getattr(o, name) == query[name]]
    for name, attribute in (("created", "created"), ("modified", "modified")):
        after, before = time_in(query, f"min_date_{name}"), time_in(query, f"max_date_{name}")
        if after is not None:
            rows = [o for o in rows if _second(getattr(o, attribute)) >= _second(after)]
        if before is not None:
            rows = [o for o in rows if _second(getattr(o, attribute)) <= _second(before)]
    return rows


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _sorted(rows: list[Order], sort: str) -> list[Order]:
    name, _, direction = sort.partition(":")
    if name not in SORTS or direction not in ("", "asc", "desc"):
        raise ApiError(400, "The field 'sort' is invalid.")
    attribute = {"date_created": "created", "date_modified": "modified"}.get(name, name)

    def place(order: Order) -> tuple[Any, int]:
        value = getattr(order, attribute)
        value = _second(value) if isinstance(value, datetime) else value
        return value if value is not None else "", order.id

    return sorted(rows, key=place, reverse=direction == "desc")


@v2("GET", "/v2/orders", *ORDERS)
def get_orders(ask: Ask) -> Answer:
    rows = _sorted(wanted_orders(ask), ask.query.get("sort", "id:asc"))
    shown, _, _ = page_of(ask, rows, 50)
    if not shown and ask.store.empty_lists == "204":
        return Answer(status=204)
    return Answer(data=[ask.store.order_shape(order) for order in shown])


@v2("GET", "/v2/orders/count", *ORDERS)
def count_orders(ask: Ask) -> Answer:
    rows = wanted_orders(ask)
    statuses = [
        {**status_shape(ask.store, number), "count": sum(o.status_id == number for o in rows), "sort_order": number}
        for number in STATUSES
    ]
    return Answer(data={"statuses": statuses, "count": len(rows)})


@v2("GET", "/v2/orders/{order_id}", *ORDERS)
def get_order(ask: Ask) -> Answer:
    return Answer(data=ask.store.order_shape(the_order(ask)))


@v2("PUT", "/v2/orders/{order_id}", ORDERS[0])
def put_order(ask: Ask) -> Answer:
    order = the_order(ask)
    body = ask.object()
    if "status_id" in body and body["status_id"] not in STATUSES:
        raise ApiError(400, "The field 'status_id' is invalid.")
    if len(str(body.get("staff_notes", ""))) > 65535:
        raise ApiError(400, "The field 'staff_notes' is invalid.")
    ask.store.put_order(order, body)
    return Answer(data=ask.store.order_shape(order))


@v2("DELETE", "/v2/orders/{order_id}", ORDERS[0])
def delete_order(ask: Ask) -> Answer:
    ask.store.archive(the_order(ask).id)
    return Answer(status=204)


@v2("GET", "/v2/orders/{order_id}/products", *ORDERS)
def get_order_products(ask: Ask) -> Answer:
    order = the_order(ask)
    return listed(ask, [line_shape(order, line) for line in order.lines])


@v2("GET", "/v2/orders/{order_id}/products/{line_id}", *ORDERS)
def get_order_product(ask: Ask) -> Answer:
    order = the_order(ask)
    line = order.line(ask.number("line_id"))
    if line is None:
        raise ApiError(404, "The requested resource was not found.")
    return Answer(data=line_shape(order, line))


@v2("GET", "/v2/orders/{order_id}/shipping_addresses", *ORDERS)
def get_shipping_addresses(ask: Ask) -> Answer:
    order = the_order(ask)
    return listed(ask, [address_shape(order, address, ask.store.v2_root) for address in order.addresses])


@v2("GET", "/v2/orders/{order_id}/messages", *ORDERS)
def get_messages(ask: Ask) -> Answer:
    return listed(ask, list(the_order(ask).messages))


@v2("GET", "/v2/orders/{order_id}/coupons", *ORDERS)
def get_coupons(ask: Ask) -> Answer:
    return listed(ask, list(the_order(ask).coupons))


@v2("GET", "/v2/orders/{order_id}/taxes", *ORDERS)
def get_taxes(ask: Ask) -> Answer:
    order = the_order(ask)
    rows = [
        {
            "id": line.id,
            "order_id": order.id,
            "order_address_id": line.address_id,
            "tax_rate_id": 1,
            "tax_class_id": 0,
            "name": "Tax",
            "class": "Default Tax Class",
            "rate": text(order.tax_rate * 100),
            "priority": 0,
            "priority_amount": text(order.with_tax(line.total) - line.total),
            "line_amount": text(order.with_tax(line.total) - line.total),
            "order_product_id": str(line.id),
            "line_item_type": "item",
        }
        for line in order.lines
    ]
    return listed(ask, rows)


@v2("GET", "/v2/order_statuses", *ORDERS)
def get_statuses(ask: Ask) -> Answer:
    return Answer(data=[{**status_shape(ask.store, number), "order": number} for number in STATUSES])


@v2("GET", "/v2/order_statuses/{status_id}", *ORDERS)
def get_status(ask: Ask) -> Answer:
    number = ask.number("status_id")
    if number not in STATUSES:
        raise ApiError(404, "The requested resource was not found.")
    return Answer(data={**status_shape(ask.store, number), "order": number})


def status_shape(store: Store, number: int) -> dict[str, Any]:
    name, description = STATUSES[number]
    return {
        "id": number, "name": name, "system_label": name, "custom_label": store.label(number),
        "system_description": description,
    }  # fmt: skip


# Shipments.


@v2("GET", "/v2/orders/{order_id}/shipments", *ORDERS)
def get_shipments(ask: Ask) -> Answer:
    return listed(ask, list(the_order(ask).shipments))


@v2("POST", "/v2/orders/{order_id}/shipments", ORDERS[0])
def post_shipment(ask: Ask) -> Answer:
    order = the_order(ask)
    body = ask.object()
    if not isinstance(body.get("items"), list):
        raise ApiError(400, "The required field 'items' was not supplied.")
    quantities = {int(i["order_product_id"]): int(i["quantity"]) for i in body["items"]}
    shipment = ask.store.ship(
        order.id, quantities, carrier=str(body.get("shipping_provider", "")) or "fedex", who="api",
        tracking=str(body.get("tracking_number", "")), comments=str(body.get("comments", "")),
    )  # fmt: skip
    return Answer(data=shipment, status=201)


@v2("GET", "/v2/orders/{order_id}/shipments/{shipment_id}", *ORDERS)
def get_shipment(ask: Ask) -> Answer:
    found = next((s for s in the_order(ask).shipments if s["id"] == ask.number("shipment_id")), None)
    if found is None:
        raise ApiError(404, "The requested resource was not found.")
    return Answer(data=found)


# Currencies.


@v2("GET", "/v2/currencies", *INFORMATION)
def get_currencies(ask: Ask) -> Answer:
    return listed(ask, list(ask.store.currencies.values()))


# Customer groups.


@v2("GET", "/v2/customer_groups", *CUSTOMERS, at_once=40)
def get_groups(ask: Ask) -> Answer:
    rows = list(ask.store.groups.values())
    if "name" in ask.query:
        rows = [g for g in rows if g["name"] == ask.query["name"]]
    if "name:like" in ask.query:
        rows = [g for g in rows if ask.query["name:like"].lower() in g["name"].lower()]
    for flag in ("is_default", "is_group_for_guests"):
        if flag in ask.query:
            rows = [g for g in rows if g[flag] == (ask.query[flag].lower() in ("true", "1"))]
    return listed(ask, rows)


@v2("GET", "/v2/customer_groups/{group_id}", *CUSTOMERS, at_once=40)
def get_group(ask: Ask) -> Answer:
    group = ask.store.groups.get(ask.number("group_id"))
    if group is None:
        raise ApiError(404, "The requested resource was not found.")
    return Answer(data=group)


@v2("GET", "/v2/customer_groups/count", *CUSTOMERS, at_once=40)
def count_groups(ask: Ask) -> Answer:
    return Answer(data={"count": len(ask.store.groups)})


GROUP_FIELDS = ("name", "is_default", "category_access", "discount_rules", "is_group_for_guests")


def _save_group(ask: Ask, group: dict[str, Any]) -> Answer:
    body = ask.object()
    unknown = body.keys() - set(GROUP_FIELDS)
    name = body.get("name", group.get("name", ""))
    if unknown or not name:
        raise ApiError(400, f"The field {min(unknown, default='name')!r} is invalid.")
    if any(g["name"] == name and g is not group for g in ask.store.groups.values()):
        raise ApiError(409, "A customer group with this name exists already.")
    group.update(body, date_modified=v3_date(ask.store.now()))
    ask.store.groups[group["id"]] = group
    return Answer(data=group)


@v2("POST", "/v2/customer_groups", CUSTOMERS[0], at_once=40)
def post_group(ask: Ask) -> Answer:
    blank = {"id": ask.store.next_id("group"), "name": "", "is_default": False, "category_access": {"type": "all"}}
    return _save_group(
        ask, blank | {"discount_rules": [], "is_group_for_guests": False, "date_created": v3_date(ask.store.now())}
    )


@v2("PUT", "/v2/customer_groups/{group_id}", CUSTOMERS[0], at_once=40)
def put_group(ask: Ask) -> Answer:
    group = ask.store.groups.get(ask.number("group_id"))
    if group is None:
        raise ApiError(404, "The requested resource was not found.")
    return _save_group(ask, group)


@v2("DELETE", "/v2/customer_groups/{group_id}", CUSTOMERS[0], at_once=40)
def delete_group(ask: Ask) -> Answer:
    """Deleting a group leaves its customers without one (bigcommerce.md 3.5)."""
    if ask.store.groups.pop(ask.number("group_id"), None) is None:
        raise ApiError(404, "The requested resource was not found.")
    for customer in ask.store.customers.values():
        if customer["customer_group_id"] == ask.number("group_id"):
            customer["customer_group_id"] = 0
    return Answer(status=204)
