"""One order of a simulated store: its lines, its money, and the shapes in which the API shows it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from email.utils import format_datetime
from typing import Any

# bigcommerce.md 3.1, "Status table": id, name, what it means.
STATUSES: dict[int, tuple[str, str]] = {
    0: ("Incomplete", "An incomplete order happens when a shopper reached the payment page, but did not complete it."),
    1: ("Pending", "Customer started the checkout process, but did not complete it."),
    2: ("Shipped", "Order has been shipped, but receipt has not been confirmed."),
    3: ("Partially Shipped", "Only some items in the order have been shipped."),
    4: ("Refunded", "Seller has used the Refund action."),
    5: ("Cancelled", "Seller has cancelled an order, due to a stock inconsistency or other reasons."),
    6: ("Declined", "Seller has marked the order as declined for lack of manual payment, or other reasons."),
    7: ("Awaiting Payment", "Customer has completed checkout process, but payment has yet to be confirmed."),
    8: ("Awaiting Pickup", "Order has been pulled, and is awaiting customer pickup from a seller-specified location."),
    9: (
        "Awaiting Shipment",
        "Order has been pulled and packaged, and is awaiting collection from a shipping provider.",
    ),
    10: ("Completed", "Client has paid for their digital product, and their file(s) are available for download."),
    11: ("Awaiting Fulfillment", "Customer has completed the checkout process and payment has been confirmed."),
    12: ("Manual Verification Required", "Order on hold while some aspect needs to be manually confirmed."),
    13: ("Disputed", "Customer has initiated a dispute resolution process for the PayPal transaction."),
    14: ("Partially Refunded", "Seller has partially refunded the order."),
}

NOT_YET_PLACED = (0,)


def money(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def text(amount: Decimal) -> str:
    """Return money the way V2 writes it: a string with four digits."""
    return f"{amount:.4f}"


def v2_date(at: datetime | None) -> str:
    """Return a time in the form of RFC 2822, or an empty string."""
    return format_datetime(at.replace(microsecond=0)) if at is not None else ""


def v3_date(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(kw_only=True)
class Line:
    """One line item; prices are of one piece and without tax."""

    id: int
    product_id: int
    variant_id: int
    name: str
    sku: str
    type: str
    brand: str
    quantity: int
    price: Decimal
    weight: Decimal
    cost: Decimal = Decimal("0")
    quantity_shipped: int = 0
    quantity_refunded: int = 0
    refunded: Decimal = Decimal("0")
    discounts: list[dict[str, Any]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    configurable_fields: list[dict[str, Any]] = field(default_factory=list)
    address_id: int = 0
    upc: str = ""

    @property
    def total(self) -> Decimal:
        return money(self.price * self.quantity)


@dataclass(kw_only=True)
class Order:
    """An order; every amount is in `currency`, discounts and shipping are without tax."""

    id: int
    customer_id: int
    status_id: int
    currency: str
    store_currency: str
    channel_id: int
    payment_method: str
    provider: str
    payment_status: str
    billing: dict[str, Any]
    addresses: list[dict[str, Any]]
    lines: list[Line]
    tax_rate: Decimal
    shipping: Decimal
    created: datetime
    modified: datetime
    exchange_rate: Decimal = Decimal("1")
    shipped: datetime | None = None
    discount: Decimal = Decimal("0")
    coupon_discount: Decimal = Decimal("0")
    refunded: Decimal = Decimal("0")
    staff_notes: str = ""
    customer_message: str = ""
    is_deleted: bool = False
    cart_id: str = ""
    external_id: str | None = None
    external_source: str | None = None
    external_merchant_id: str | None = None
    external_order_id: str = ""
    order_source: str = "www"
    ip_address: str = "203.0.113.24"
    locale: str = "en"
    transactions: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    shipments: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    coupons: list[dict[str, Any]] = field(default_factory=list)
    history: list[tuple[datetime, int, str]] = field(default_factory=list)

    @property
    def subtotal(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal("0"))

    @property
    def discounts(self) -> Decimal:
        """All that is taken off before tax: order discount, coupons, line discounts."""
        on_lines = sum((Decimal(d["amount"]) for line in self.lines for d in line.discounts), Decimal("0"))
        return self.discount + self.coupon_discount + on_lines

    def with_tax(self, amount: Decimal) -> Decimal:
        return money(amount * (1 + self.tax_rate))

    @property
    def total_ex_tax(self) -> Decimal:
        return max(self.subtotal + self.shipping - self.discounts, Decimal("0"))

    @property
    def total(self) -> Decimal:
        return self.with_tax(self.total_ex_tax)

    @property
    def items_total(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def items_shipped(self) -> int:
        return sum(line.quantity_shipped for line in self.lines)

    @property
    def is_digital(self) -> bool:
        return bool(self.lines) and all(line.type == "digital" for line in self.lines)

    def line(self, line_id: int) -> Line | None:
        return next((line for line in self.lines if line.id == line_id), None)

    def clear_line_discounts(self, line_ids: Iterable[int]) -> None:
        """What a PUT does to changed line items (bigcommerce.md 3.1, "PUT warning")."""
        for line in self.lines:
            if line.id in set(line_ids):
                line.discounts = []


def order_shape(order: Order, root: str, label: str) -> dict[str, Any]:
    """Return an order as V2 answers it. Source: orders.v2.oas2.yml, GET /orders/{order_id}.

    root: the address of this store's V2 API. label: the merchant's own name of the status.
    """
    here = f"/orders/{order.id}"

    def link(name: str) -> dict[str, str]:
        return {"url": f"{root}{here}/{name}", "resource": f"{here}/{name}"}

    tax = order.total - order.total_ex_tax
    shipping_inc, subtotal_inc = order.with_tax(order.shipping), order.with_tax(order.subtotal)
    zero = text(Decimal("0"))
    shape: dict[str, Any] = {
        "id": order.id,
        "customer_id": order.customer_id,
        "date_created": v2_date(order.created),
        "date_modified": v2_date(order.modified),
        "date_shipped": v2_date(order.shipped),
        "status_id": order.status_id,
        "status": STATUSES[order.status_id][0],
        "custom_status": label,
        "cart_id": order.cart_id,
        "subtotal_ex_tax": text(order.subtotal),
        "subtotal_inc_tax": text(subtotal_inc),
        "subtotal_tax": text(subtotal_inc - order.subtotal),
        "base_shipping_cost": text(order.shipping),
        "shipping_cost_ex_tax": text(order.shipping),
        "shipping_cost_inc_tax": text(shipping_inc),
        "shipping_cost_tax": text(shipping_inc - order.shipping),
        "shipping_cost_tax_class_id": 2,
        "total_ex_tax": text(order.total_ex_tax),
        "total_inc_tax": text(order.total),
        "total_tax": text(tax),
        "items_total": order.items_total,
        "items_shipped": order.items_shipped,
        "payment_method": order.payment_method,
        "payment_provider_id": order.provider,
        "payment_status": order.payment_status,
        "refunded_amount": text(order.refunded),
        "order_is_digital": order.is_digital,
        "store_credit_amount": zero,
        "gift_certificate_amount": zero,
        "ip_address": order.ip_address,
        "ip_address_v6": "",
        "geoip_country": order.billing["country"],
        "geoip_country_iso2": order.billing["country_iso2"],
        "currency_id": 1 if order.currency == order.store_currency else 2,
        "currency_code": order.currency,
        "currency_exchange_rate": f"{order.exchange_rate:.10f}",
        "default_currency_id": 1,
        "default_currency_code": order.store_currency,
        "store_default_currency_code": order.store_currency,
        "store_default_to_transactional_exchange_rate": f"{order.exchange_rate:.10f}",
        "staff_notes": order.staff_notes,
        "customer_message": order.customer_message,
        "discount_amount": text(order.discount),
        "coupon_discount": text(order.coupon_discount),
        "shipping_address_count": len(order.addresses),
        "is_deleted": order.is_deleted,
        "is_email_opt_in": False,
        "is_tax_inclusive_pricing": False,
        "ebay_order_id": "0",
        "billing_address": {**order.billing, "form_fields": order.billing.get("form_fields", [])},
        "order_source": order.order_source,
        "channel_id": order.channel_id,
        "external_source": order.external_source,
        "external_id": order.external_id,
        "external_merchant_id": order.external_merchant_id,
        "external_order_id": order.external_order_id,
        "tax_provider_id": "BasicTaxProvider",
        "customer_locale": order.locale,
        "products": link("products"),
        "shipping_addresses": link("shipping_addresses"),
        "coupons": link("coupons"),
        "consignments": link("consignments"),
        "fees": link("fees"),
    }
    for name in ("handling", "wrapping"):
        shape |= {f"base_{name}_cost": zero, f"{name}_cost_ex_tax": zero, f"{name}_cost_inc_tax": zero,
                  f"{name}_cost_tax": zero, f"{name}_cost_tax_class_id": 2}  # fmt: skip
    return shape


def line_shape(order: Order, line: Line) -> dict[str, Any]:
    """Return a line item. Source: orders.v2.oas2.yml, GET /orders/{order_id}/products."""
    zero = text(Decimal("0"))
    price_inc = order.with_tax(line.price)
    total_inc = order.with_tax(line.total)
    off = sum((Decimal(d["amount"]) for d in line.discounts), Decimal("0"))
    return {
        "id": line.id,
        "order_id": order.id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "order_pickup_method_id": 0,
        "order_address_id": line.address_id,
        "name": line.name,
        "name_customer": line.name,
        "name_merchant": line.name,
        "sku": line.sku,
        "upc": line.upc,
        "type": line.type,
        "base_price": text(line.price),
        "price_ex_tax": text(line.price),
        "price_inc_tax": text(price_inc),
        "price_tax": text(price_inc - line.price),
        "base_total": text(line.total),
        "total_ex_tax": text(line.total),
        "total_inc_tax": text(total_inc),
        "total_tax": text(total_inc - line.total),
        "quantity": line.quantity,
        "base_cost_price": text(line.cost),
        "cost_price_inc_tax": text(line.cost),
        "cost_price_ex_tax": text(line.cost),
        "cost_price_tax": zero,
        "weight": text(line.weight),
        "width": zero,
        "height": zero,
        "depth": zero,
        "is_refunded": line.quantity_refunded >= line.quantity,
        "quantity_refunded": line.quantity_refunded,
        "refund_amount": text(line.refunded),
        "return_id": 0,
        "wrapping_id": 0,
        "wrapping_name": "",
        "base_wrapping_cost": zero,
        "wrapping_cost_ex_tax": zero,
        "wrapping_cost_inc_tax": zero,
        "wrapping_cost_tax": zero,
        "wrapping_message": "",
        "quantity_shipped": line.quantity_shipped,
        "event_name": None,
        "event_date": "",
        "fixed_shipping_cost": zero,
        "ebay_item_id": "",
        "ebay_transaction_id": "",
        "option_set_id": None,
        "parent_order_product_id": None,
        "is_bundled_product": False,
        "bin_picking_number": "",
        "external_id": None,
        "brand": line.brand,
        "applied_discounts": line.discounts,
        "product_options": line.options,
        "configurable_fields": line.configurable_fields,
        "gift_certificate_id": None,
        "discounted_total_inc_tax": text(order.with_tax(line.total - off)),
    }


def address_shape(order: Order, address: dict[str, Any], root: str) -> dict[str, Any]:
    """Return a shipping address. Source: orders.v2.oas2.yml, GET /orders/{order_id}/shipping_addresses."""
    zero = text(Decimal("0"))
    inc = order.with_tax(order.shipping)
    resource = f"/orders/{order.id}/shipping_addresses/{address['id']}/shipping_quotes"
    contact = {k: v for k, v in address.items() if k != "id"}
    return {
        "id": address["id"],
        "order_id": order.id,
        **contact,
        "form_fields": address.get("form_fields", []),
        "items_total": order.items_total,
        "items_shipped": order.items_shipped,
        "shipping_method": "Ground",
        "base_cost": text(order.shipping),
        "cost_ex_tax": text(order.shipping),
        "cost_inc_tax": text(inc),
        "cost_tax": text(inc - order.shipping),
        "cost_tax_class_id": 2,
        "base_handling_cost": zero,
        "handling_cost_ex_tax": zero,
        "handling_cost_inc_tax": zero,
        "handling_cost_tax": zero,
        "handling_cost_tax_class_id": 2,
        "shipping_zone_id": 1,
        "shipping_zone_name": address["country"],
        "shipping_quotes": {"url": f"{root}{resource}", "resource": resource},
    }
