"""Shoppers of a simulated store: they register, and other apps write their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bcapp.sandbox.bigcommerce.api import (
    Answer,
    ApiError,
    Ask,
    Table,
    collection,
    modify_or_read,
    numbers_in,
    one,
    time_in,
)
from bcapp.sandbox.bigcommerce.orders import v3_date
from bcapp.sandbox.bigcommerce.store import Refused, Store

shoppers = Table()
CUSTOMERS = modify_or_read("store_v2_customers")

HOME = {
    "address1": "17 Harbor Lane", "address2": "", "city": "Portland", "state_or_province": "Maine",
    "postal_code": "04101", "country_code": "US", "country": "United States",
}  # fmt: skip


def register(
    store: Store,
    *,
    first_name: str,
    last_name: str,
    email: str,
    company: str = "",
    phone: str = "+1 303 555 0177",
    group_id: int = 0,
    channel_id: int = 1,
    form_fields: Mapping[str, str] | None = None,
    address: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Open an account on the storefront. group_id 0: the store's default group. quiet: imported, without an event."""
    with store.ground.lock:
        if any(c["email"].lower() == email.lower() for c in store.customers.values()):
            raise Refused("There is an account with this e-mail address already.")
        number, at = store.next_id("customer"), v3_date(store.now())
        default = next((g["id"] for g in store.groups.values() if g["is_default"]), 0)
        store.customers[number] = {
            "id": number, "email": email, "first_name": first_name, "last_name": last_name, "company": company,
            "phone": phone, "registration_ip_address": "203.0.113.44", "notes": "", "tax_exempt_category": "",
            "customer_group_id": group_id or default, "date_created": at, "date_modified": at, "address_count": 1,
            "attribute_count": 0, "authentication": {"force_password_reset": False},
            "addresses": [
                {
                    "id": store.next_id("customer_address"), "customer_id": number, "first_name": first_name,
                    "last_name": last_name, "company": company, "phone": phone,
                    "address_type": "commercial" if company else "residential", **HOME, **dict(address or {}),
                }
            ],
            "attributes": [],
            "form_fields": [{"name": k, "value": v, "customer_id": number} for k, v in (form_fields or {}).items()],
            "store_credit_amounts": [{"amount": 0}], "accepts_product_review_abandoned_cart_emails": False,
            "origin_channel_id": channel_id, "channel_ids": None,
        }  # fmt: skip
        if not quiet:
            store.emit("store/customer/created", {"type": "customer", "id": number})
        return store.customers[number]


def move(store: Store, customer_id: int, group_id: int) -> None:
    """Put a customer into another group by hand, in the control panel."""
    with store.ground.lock:
        customer = store.customers.get(customer_id)
        if customer is None:
            raise Refused(f"There is no customer {customer_id}.")
        customer["customer_group_id"] = group_id
        customer["date_modified"] = v3_date(store.now())
        store.emit("store/customer/updated", {"type": "customer", "id": customer_id})


def define_attribute(store: Store, name: str, kind: str = "string") -> int:
    """Make a customer attribute of the store, or find it; return its id."""
    with store.ground.lock:
        for row in store.attributes.values():
            if row["name"] == name:
                return int(row["id"])
        number, at = len(store.attributes) + 1, v3_date(store.now())
        store.attributes[number] = {"id": number, "name": name, "type": kind, "date_created": at, "date_modified": at}
        return number


@shoppers("GET", "/v3/customers/attribute-values", *CUSTOMERS, at_once=3)
def get_attribute_values(ask: Ask) -> Answer:
    rows = [a for c in ask.store.customers.values() for a in c["attributes"]]
    customers, after = numbers_in(ask.query, "customer_id:in"), time_in(ask.query, "date_modified:min")
    rows = [a for a in rows if customers is None or a["customer_id"] in customers]
    return collection(ask, [a for a in rows if after is None or a["date_modified"] >= v3_date(after)])


@shoppers("PUT", "/v3/customers/attribute-values", CUSTOMERS[0], at_once=3)
def put_attribute_values(ask: Ask) -> Answer:
    """Write values; the request says `value`, the answer `attribute_value`. No webhook tells of it."""
    rows = ask.array(10)
    for row in rows:
        if row.get("customer_id") not in ask.store.customers or row.get("attribute_id") not in ask.store.attributes:
            raise ApiError(422, "A customer or an attribute does not exist.", {"": "does not exist"})
        if len(str(row.get("value", ""))) > 255:
            raise ApiError(422, "The value is too long.", {"value": "is too long"})
    at, changed = v3_date(ask.store.now()), []
    for row in rows:
        customer = ask.store.customers[row["customer_id"]]
        known = next((a for a in customer["attributes"] if a["attribute_id"] == row["attribute_id"]), None)
        if known is None:
            known = {
                "id": row["customer_id"] * 1000 + row["attribute_id"], "attribute_id": row["attribute_id"],
                "customer_id": row["customer_id"], "date_created": at,
            }  # fmt: skip
            customer["attributes"].append(known)
        known |= {"attribute_value": str(row["value"]), "date_modified": at}
        changed.append(known)
    return one(changed)
