"""One simulated store: its data, and what merchants, shoppers and payment services do to its orders."""

import itertools
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bcapp.sandbox.bigcommerce.orders import (
    NOT_YET_PLACED,
    STATUSES,
    Line,
    Order,
    money,
    order_shape,
    v3_date,
)
from bcapp.sandbox.bigcommerce.webhooks import Webhooks
from bcapp.sandbox.ground import Ground

if TYPE_CHECKING:
    from bcapp.sandbox.bigcommerce.b2b import B2BEdition

# The scopes of the simulated app's profile; design.md section 9 names the required five, the rest switches on features.
SCOPES = (
    "store_v2_orders", "store_v2_transactions", "store_v2_customers", "store_v2_products", "store_v2_information",
    "store_v2_content", "store_v2_marketing", "store_channel_settings_read_only", "store_sites_read_only",
    "store_app_extensions_manage", "store_b2b_edition", "store_cart",
)  # fmt: skip

# How orders are paid: name, gateway in transactions, method in transactions.
PAYMENTS: dict[str, tuple[str, str, str]] = {
    "card": ("Credit Card", "braintree", "credit_card"),
    "paypal": ("PayPal", "paypalexpress", "electronic_wallet"),
    "invoice": ("Purchase Order", "custom", "custom"),
    "bank": ("Bank Deposit", "bankdeposit", "offline"),
    "cod": ("Cash on Delivery", "cod", "offline"),
}

CAPTURE_SECONDS = 2.0
OFFLINE = ("bankdeposit", "cod", "custom")


class Refused(Exception):
    """The store does not do that; the sentence says why."""


@dataclass(kw_only=True)
class User:
    """A control-panel user; only some may install and uninstall (bigcommerce.md 1.8)."""

    id: int
    email: str
    name: str
    locale: str = "en-US"
    may_install: bool = False


@dataclass(kw_only=True)
class Pending:
    """A payment step that the gateway finishes later."""

    due: datetime
    order_id: int
    kind: str


class Store:
    """A simulated store. Every public method may be called from any thread and fires the events it causes.

    revoke_on_uninstall: whether the token dies at once with an uninstall (unconfirmed, bigcommerce.md section 10).
    empty_lists: "204" or "[]", how V2 answers an empty list (unconfirmed in general, bigcommerce.md 3.0).
    quota: requests per 30 s. b2b: its B2B Edition, which may be absent (b2b.enabled).
    """

    b2b: "B2BEdition"

    def __init__(
        self, ground: Ground, webhooks: Webhooks, *, hash: str, store_id: int, name: str, currency: str, owner: User
    ) -> None:
        self.ground = ground
        self.webhooks = webhooks
        self.hash = hash
        self.store_id = store_id
        self.name = name
        self.currency = currency
        self.timezone = "America/Denver"  # IANA name
        self.owner = owner
        self.users: dict[int, User] = {owner.id: owner}
        self.account_uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{hash}.mybigcommerce.com"))
        self.address = "2114 Larkspur Avenue, Boulder, CO 80302"
        self.country = ("United States", "US")
        self.phone = "+1 303 555 0142"
        self.plan = "Pro"
        self.token: str | None = None
        self.scopes: tuple[str, ...] = ()
        self.old_tokens: set[str] = set()
        self.needs_consent = False
        self.installed = False
        self.revoke_on_uninstall = True
        self.empty_lists = "204"
        self.quota = 20_000
        self.latency = 0.0
        self.codes: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.orders: dict[int, Order] = {}
        self.products: dict[int, dict[str, Any]] = {}
        self.brands: dict[int, dict[str, Any]] = {}
        self.categories: dict[int, dict[str, Any]] = {}
        self.customers: dict[int, dict[str, Any]] = {}
        self.groups: dict[int, dict[str, Any]] = {}
        self.attributes: dict[int, dict[str, Any]] = {}
        self.currencies: dict[str, dict[str, Any]] = {}
        self.channels: dict[int, dict[str, Any]] = {}
        self.sites: dict[int, dict[str, Any]] = {}
        self.price_lists: dict[int, dict[str, Any]] = {}
        self.prices: dict[int, list[dict[str, Any]]] = {}
        self.price_list_assignments: list[dict[str, Any]] = []
        self.promotions: dict[int, dict[str, Any]] = {}
        self.promotion_codes: dict[int, list[dict[str, Any]]] = {}
        self.promotion_writes_are_whole = True
        self.carts: dict[str, dict[str, Any]] = {}
        self.cart_links: dict[str, str] = {}  # link -> cart
        self.carts_keep_prices = True  # False: a store that takes its own prices whatever an app sends
        self.metafields: dict[int, dict[str, Any]] = {}
        self.extensions: list[dict[str, Any]] = []  # app extensions, in the order of their making
        self.status_labels: dict[int, str] = {}
        self.window_start: datetime | None = None
        self.window_calls = 0
        self.pending: list[Pending] = []
        self.decline_captures = False
        self.refund_payments = "at_once"  # at_once | later (after refund_seconds) | declined (then)
        self.refund_seconds = CAPTURE_SECONDS
        self.on_later: Callable[[], None] = lambda: None
        self.open_account: Callable[..., dict[str, Any]] = _nobody
        self.ids = {name: itertools.count(start) for name, start in FIRST_IDS.items()}
        webhooks.store_ids[hash] = store_id

    def next_id(self, kind: str) -> int:
        return next(self.ids[kind])

    def now(self) -> datetime:
        return self.ground.clock.now()

    # Shapes.

    @property
    def domain(self) -> str:
        return f"store-{self.hash}.mybigcommerce.com"

    @property
    def panel_url(self) -> str:
        """The address of this store's control panel; on a named host each store has its own (`{hash}` in the URL)."""
        base = self.ground.settings.panel_url or self.ground.settings.public_url
        return base.replace("{hash}", self.hash)

    @property
    def storefront_url(self) -> str:
        return self.panel_url

    @property
    def v2_root(self) -> str:
        return f"{self.ground.settings.public_url}/stores/{self.hash}/v2"

    def label(self, status_id: int) -> str:
        return self.status_labels.get(status_id, STATUSES[status_id][0])

    def order_shape(self, order: Order) -> dict[str, Any]:
        return order_shape(order, self.v2_root, self.label(order.status_id))

    # Events.

    def emit(self, scope: str, data: dict[str, Any], channel_id: int | None = None) -> None:
        """Publish an event, and its channel-specific twin (bigcommerce.md 2.3)."""
        self.webhooks.publish(self.hash, scope, data)
        if channel_id is not None:
            twin = scope.replace("store/", f"store/channel/{channel_id}/", 1)
            self.webhooks.publish(self.hash, twin, data)

    def _order_event(self, order: Order, what: str, **more: Any) -> None:
        self.emit(f"store/order/{what}", {"type": "order", "id": order.id, **more}, order.channel_id)

    # Finding things.

    def order(self, order_id: int) -> Order:
        order = self.orders.get(order_id)
        if order is None:
            raise Refused(f"There is no order {order_id}.")
        return order

    def product_named(self, key: int | str) -> dict[str, Any]:
        """Return a product by id or SKU."""
        found = self.products.get(key) if isinstance(key, int) else None
        found = found or next((p for p in self.products.values() if p["sku"] == key or str(p["id"]) == key), None)
        if found is None:
            raise Refused(f"There is no product {key!r}.")
        return found

    # A shopper.

    def register(self, **who: Any) -> dict[str, Any]:
        """Open an account on the storefront; see shoppers.register."""
        return self.open_account(self, **who)

    def place_order(
        self,
        *,
        lines: Sequence[tuple[int | str, int]],
        customer_id: int = 0,
        payment: str = "paid",
        method: str = "card",
        address: Mapping[str, Any] | None = None,
        email: str | None = None,
        channel_id: int = 1,
        currency: str | None = None,
        status_id: int | None = None,
        tax_rate: str | None = None,
        shipping: str = "18.00",
        discount: str = "0",
        line_discount: str = "0",
        message: str = "",
        fraud_review: bool = False,
        at: datetime | None = None,
        quiet: bool = False,
        provider: str | None = None,
        locale: str = "en",
    ) -> Order:
        """Place an order as a shopper does and return it.

        lines: (product id or SKU, quantity) pairs. customer_id: 0 for a guest, who needs an email or an address.
        payment: paid, authorized, unpaid, or incomplete (the payment page was reached and left).
        method: a key of PAYMENTS. status_id: overrides the status that follows from the payment.
        discount, line_discount: taken off the order, or off each line. at, quiet: for the past; quiet fires nothing.
        """
        with self.ground.lock:
            now = at or self.now()
            label, gateway, transaction_method = PAYMENTS[method]
            billing = self._billing(customer_id, address, email)
            rate = tax_rate if tax_rate is not None else TAX_RATES.get(billing["country_iso2"], "0")
            order_id = self.next_id("order")
            made = [self._line(key, quantity, line_discount) for key, quantity in lines]
            digital = all(line.type == "digital" for line in made)
            address_id = 0 if digital else self.next_id("order_address")
            for line in made:
                line.address_id = address_id
            shipping_cost = Decimal("0") if digital else Decimal(shipping)
            order_currency = currency or self.currency
            order = Order(
                id=order_id, customer_id=customer_id, status_id=0, currency=order_currency,
                store_currency=self.currency, channel_id=channel_id, payment_method=label,
                provider=provider or gateway, payment_status="", billing=billing,
                addresses=[] if digital else [{"id": address_id, **_contact(billing)}], lines=made,
                tax_rate=Decimal(rate), shipping=shipping_cost, created=now, modified=now, discount=Decimal(discount),
                exchange_rate=Decimal("1") if order_currency == self.currency else Decimal("0.92"),
                customer_message=message, cart_id=str(uuid.UUID(int=secrets.randbits(128), version=4)), locale=locale,
            )  # fmt: skip
            order.history.append((now, 0, "placed"))
            self.orders[order.id] = order
            if not quiet:
                self._order_event(order, "created")
            if payment == "incomplete":
                return order
            return self._complete(order, payment, gateway, transaction_method, fraud_review, status_id, now, quiet)

    def complete_order(self, order_id: int, payment: str = "paid") -> Order:
        """Finish an incomplete order: the shopper came back to the payment page."""
        with self.ground.lock:
            order = self.order(order_id)
            _, gateway, method = next(p for p in PAYMENTS.values() if p[0] == order.payment_method)
            return self._complete(order, payment, gateway, method, False, None, self.now(), False)

    def _complete(
        self, order: Order, payment: str, gateway: str, method: str, fraud_review: bool, status_id: int | None,
        now: datetime, quiet: bool,
    ) -> Order:  # fmt: skip
        kinds = {"paid": ("purchase", "captured"), "authorized": ("authorization", "authorized"), "unpaid": ("", "")}
        if payment not in kinds:
            raise Refused(f"{payment!r} is no way to pay: paid, authorized, unpaid, incomplete.")
        event, payment_status = kinds[payment]
        if event:
            self._transact(order, event, order.total, gateway, method, fraud_review, now, quiet)
        order.payment_status = "held for review" if fraud_review else payment_status
        follows = {"paid": 11, "authorized": 7, "unpaid": 7}[payment]
        if payment == "paid" and order.is_digital:
            follows = 10
        self._move(order, status_id if status_id is not None else follows, "checkout", now, quiet)
        if not quiet:
            self._order_event(order, "updated")
            self.emit("store/cart/converted", {"type": "cart", "id": order.cart_id, "orderId": str(order.id)})
        return order

    def _line(self, key: int | str, quantity: int, discount: str = "0") -> Line:
        product = self.product_named(key)
        if quantity < 1:
            raise Refused("A quantity is at least 1.")
        brand = self.brands.get(product["brand_id"], {}).get("name", "")
        line = Line(
            id=self.next_id("order_product"), product_id=product["id"], variant_id=product["base_variant_id"],
            name=product["name"], sku=product["sku"], type=product["type"], brand=brand, quantity=quantity,
            price=Decimal(str(product["price"])), weight=Decimal(str(product["weight"])),
            cost=Decimal(str(product["cost_price"])), upc=product["upc"],
        )  # fmt: skip
        if Decimal(discount):
            line.discounts = [
                {
                    "id": "manual-discount",
                    "amount": discount,
                    "name": "Manual Discount",
                    "code": None,
                    "target": "product",
                }
            ]
        return line

    def _billing(self, customer_id: int, address: Mapping[str, Any] | None, email: str | None) -> dict[str, Any]:
        billing = dict(GUEST)
        if customer_id:
            customer = self.customers.get(customer_id)
            if customer is None:
                raise Refused(f"There is no customer {customer_id}.")
            billing |= {"first_name": customer["first_name"], "last_name": customer["last_name"]}
            billing |= {"company": customer["company"], "email": customer["email"], "phone": customer["phone"]}
            home = next(iter(customer["addresses"]), None)
            if home is not None:
                billing |= {"street_1": home["address1"], "street_2": home["address2"], "city": home["city"]}
                billing |= {"state": home["state_or_province"], "zip": home["postal_code"]}
                billing |= {"country": home["country"], "country_iso2": home["country_code"]}
        billing |= dict(address or {})
        if email is not None:
            billing["email"] = email
        return billing

    # Payment.

    def _transact(
        self, order: Order, event: str, amount: Decimal, gateway: str, method: str, fraud_review: bool, now: datetime,
        quiet: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        transaction_id = self.next_id("transaction")
        offline = gateway in OFFLINE
        transaction: dict[str, Any] = {
            "id": transaction_id,
            "order_id": str(order.id),
            "event": event,
            "method": method,
            "amount": float(amount),
            "currency": order.currency,
            "gateway": gateway,
            "gateway_transaction_id": None if offline else f"gw{transaction_id:08d}",
            "payment_method_id": f"{gateway}.{method}",
            "status": "ok",
            "test": True,
            "fraud_review": fraud_review,
            "reference_transaction_id": None,
            "date_created": v3_date(now),
            "avs_result": {"code": "", "message": "", "street_match": "", "postal_match": ""},
            "cvv_result": {"code": "", "message": ""},
            "credit_card": None,
            "gift_certificate": None,
            "store_credit": None,
            "offline": {"display_name": order.payment_method} if method == "offline" else None,
            "custom": {"payment_method": order.payment_method} if method == "custom" else None,
            "payment_instrument_token": None,
        }
        if method == "credit_card":
            transaction["credit_card"] = {
                "card_type": "visa", "card_iin": "411111", "card_last4": "1111",
                "card_expiry_month": 12, "card_expiry_year": 2030,
            }  # fmt: skip
        order.transactions.append(transaction)
        if not quiet:
            data = {
                "type": "transaction",
                "order_id": str(order.id),
                "transaction_id": transaction_id,
                "transaction_status": "ok",
                "transaction_type": event,
                "result": {"code": "", "message": "", "type": ""},
                "platform_transaction_id": str(transaction_id),
                "provider_transaction_id": transaction["gateway_transaction_id"],
            }
            self.emit("store/order/transaction/created", data)
        return transaction

    def _gateway(self, order: Order) -> tuple[str, str]:
        if order.transactions:
            return order.transactions[0]["gateway"], order.transactions[0]["method"]
        return next(
            ((g, m) for label, g, m in PAYMENTS.values() if label == order.payment_method), ("custom", "custom")
        )

    def pay(self, order_id: int) -> Order:
        """The money of an unpaid order arrives; an order that awaited it moves on, a held one is let go as well."""
        with self.ground.lock:
            order = self.order(order_id)
            gateway, method = self._gateway(order)
            now = self.now()
            self._transact(order, "purchase", order.total, gateway, method, False, now)
            order.payment_status = "captured"
            self._move(order, 10 if order.is_digital else 11, "payment", now)
            self._order_event(order, "updated")
            return order

    def start_capture(self, order: Order) -> None:
        """Begin to take authorised money; the gateway finishes a little later. Raises Refused when there is none."""
        if order.payment_status not in ("authorized", "held for review"):
            raise Refused(f"The payment is {order.payment_status or 'absent'} and cannot be captured.")
        self._touch(order, self.now())
        order.payment_status = "capture pending"
        self._later(order, "capture")
        self._order_event(order, "updated")

    def start_void(self, order: Order) -> None:
        """Begin to give up an authorisation. Raises Refused when there is none."""
        if order.payment_status not in ("authorized", "held for review"):
            raise Refused(f"The payment is {order.payment_status or 'absent'} and cannot be voided.")
        self._touch(order, self.now())
        order.payment_status = "void pending"
        self._later(order, "void")
        self._order_event(order, "updated")

    def _later(self, order: Order, kind: str, seconds: float = CAPTURE_SECONDS) -> None:
        due = self.now() + timedelta(seconds=seconds / self.ground.settings.speed)
        self.pending.append(Pending(due=due, order_id=order.id, kind=kind))
        self.on_later()

    def settle(self) -> datetime | None:
        """Finish the payment steps that are due; return when the next one is."""
        with self.ground.lock:
            now = self.now()
            for step in [p for p in self.pending if p.due <= now]:
                self.pending.remove(step)
                self._settle_one(self.order(step.order_id), step.kind, now)
            return min((p.due for p in self.pending), default=None)

    def _settle_one(self, order: Order, kind: str, now: datetime) -> None:
        gateway, method = self._gateway(order)
        if kind.startswith("refund:"):
            refund = next(r for r in order.refunds if r["id"] == int(kind.removeprefix("refund:")))
            self._pay_refund(order, refund, declined=self.refund_payments == "declined", now=now)
        elif kind == "capture" and self.decline_captures:
            transaction = self._transact(order, "capture", order.total, gateway, method, False, now)
            transaction["status"] = "error"
            order.payment_status = "declined"
        elif kind == "capture":
            self._transact(order, "capture", order.total, gateway, method, False, now)
            order.payment_status = "captured"
            if order.status_id == 7:
                self._move(order, 10 if order.is_digital else 11, "payment", now)
        else:
            self._transact(order, "void", order.total, gateway, method, False, now)
            order.payment_status = "void"
        self._touch(order, now)
        self._order_event(order, "updated")

    def refund(self, order: Order, items: list[dict[str, Any]], payments: list[dict[str, Any]], user_id: int) -> Any:
        """Book a refund and return it in V3's shape. Source: orders.v3.yml, POST .../payment_actions/refunds.

        What the gateway does follows `refund_payments`: that the store accepted it is not that it was paid.
        """
        quote = self.quote(order, items)
        amount = sum((Decimal(str(p.get("amount", 0))) for p in payments), Decimal("0"))
        if money(amount) != quote["total"]:
            raise Refused(f"Payments add up to {amount}, the quote is {quote['total']}.")
        if not order.customer_id and any(p.get("provider_id") == "storecredit" for p in payments):
            raise Refused("Unable to provide store credit for a guest customer.")
        now = self.now()
        refund_id = self.next_id("refund")
        refund = {
            "id": refund_id,
            "order_id": order.id,
            "user_id": user_id,
            "created": v3_date(now),
            "reason": next((i["reason"] for i in items if i.get("reason")), ""),
            "total_amount": float(quote["total"]),
            "total_tax": float(quote["tax"]),
            "uses_merchant_override_values": False,
            "items": [_refund_item(item, share) for item, share in zip(items, quote["shares"], strict=True)],
            "payments": [
                {
                    "id": self.next_id("refund_payment"),
                    "provider_id": p["provider_id"],
                    "amount": float(p["amount"]),
                    "offline": bool(p.get("offline", False)),
                    "is_declined": False,
                    "declined_message": "",
                    "transaction_id": "",
                }
                for p in payments
            ],
        }
        for item, share in zip(items, quote["shares"], strict=True):
            line = order.line(int(item["item_id"])) if item["item_type"] == "PRODUCT" else None
            if line is not None:
                line.quantity_refunded += int(item["quantity"])
                line.refunded += share
        order.refunded += quote["total"]
        order.refunds.append(refund)
        if self.refund_payments == "at_once":
            self._pay_refund(order, refund, declined=False, now=now)
        else:
            self._later(order, f"refund:{refund_id}", self.refund_seconds)
        whole = order.refunded >= order.total
        order.payment_status = "refunded" if whole else "partially refunded"
        self._order_event(order, "refund/created", refund={"refund_id": refund_id})
        self._move(order, 4 if whole else 14, "refund", now)
        self._order_event(order, "updated")
        return refund

    def _pay_refund(self, order: Order, refund: dict[str, Any], *, declined: bool, now: datetime) -> None:
        """The gateway pays what a refund asks of it, or declines; a declined one counts as not refunded."""
        gateway, method = self._gateway(order)
        for payment in refund["payments"]:
            if payment["provider_id"] == "storecredit":
                continue
            amount = Decimal(str(payment["amount"]))
            transaction = self._transact(order, "refund", amount, gateway, method, False, now)
            payment["transaction_id"] = transaction["gateway_transaction_id"] or str(transaction["id"])
            if declined and not payment["offline"]:
                transaction["status"] = "error"
                payment |= {"is_declined": True, "declined_message": "The card does not take it."}
                order.refunded -= amount
                order.payment_status = "partially refunded" if order.refunded else "captured"
                for item in refund["items"]:
                    line = order.line(int(item["item_id"])) if item["item_type"] == "PRODUCT" else None
                    if line is not None:
                        line.quantity_refunded = max(0, line.quantity_refunded - int(item["quantity"]))

    def refund_by_hand(
        self,
        order_id: int,
        *,
        amount: str = "",
        lines: Mapping[int, int] | None = None,
        user_id: int = 0,
        reason: str = "",
    ) -> dict[str, Any]:
        """A person refunds in the control panel: lines by pieces, or an amount of the whole order."""
        with self.ground.lock:
            order = self.order(order_id)
            items: list[dict[str, Any]] = [
                {"item_type": "PRODUCT", "item_id": line, "quantity": pieces, "reason": reason}
                for line, pieces in (lines or {}).items()
            ]
            if amount:
                whole = {"item_type": "ORDER", "item_id": order.id, "amount": float(amount), "reason": reason}
                items.append(whole)
            total = self.quote(order, items)["total"]
            gateway, _ = self._gateway(order)
            payment = {"provider_id": gateway, "amount": float(total), "offline": gateway in OFFLINE}
            found: dict[str, Any] = self.refund(order, items, [payment], user_id or self.owner.id)
            return found

    def quote(self, order: Order, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Return {total, tax, shares} for the items, or raise Refused."""
        if order.payment_status not in ("captured", "paid", "partially refunded"):
            raise Refused("The order has no captured payment to refund.")
        shares: list[Decimal] = []
        tax = Decimal("0")
        for item in items:
            share, part = self._share(order, item)
            shares.append(share)
            tax += part
        total = sum(shares, Decimal("0"))
        if total <= 0 or total > order.total - order.refunded:
            raise Refused(f"At most {order.total - order.refunded} can be refunded.")
        return {"total": money(total), "tax": money(tax), "shares": shares}

    def _share(self, order: Order, item: dict[str, Any]) -> tuple[Decimal, Decimal]:
        if item["item_type"] in ("PRODUCT", "GIFT_WRAPPING"):
            line = order.line(int(item["item_id"]))
            quantity = int(item.get("quantity", 0))
            if line is None or not 0 < quantity <= line.quantity - line.quantity_refunded:
                raise Refused(f"Item {item['item_id']} cannot be refunded {quantity} times.")
            off = sum((Decimal(d["amount"]) for d in line.discounts), Decimal("0")) / line.quantity
            bare = money((line.price - off) * quantity)
            return order.with_tax(bare), order.with_tax(bare) - bare
        amount = money(Decimal(str(item.get("amount", 0))))
        if amount <= 0:
            raise Refused("An amount is above 0.")
        if item["item_type"] == "ORDER":
            return amount, Decimal("0")
        return amount, money(amount - amount / (1 + order.tax_rate))

    # The merchant, other apps, and the API.

    def _touch(self, order: Order, now: datetime) -> None:
        order.modified = max(order.modified, now)

    def _move(self, order: Order, status_id: int, who: str, now: datetime, quiet: bool = False) -> None:
        """Change the status and say so; moving to the present one says nothing."""
        if status_id not in STATUSES:
            raise Refused(f"{status_id} is no order status.")
        previous = order.status_id
        self._touch(order, now)
        if previous == status_id:
            return
        order.status_id = status_id
        order.history.append((now, status_id, who))
        if status_id in (2, 10) and order.shipped is None:
            order.shipped = now
            for line in order.lines:
                line.quantity_shipped = line.quantity if line.type != "digital" else 0
        if not quiet:
            status = {"previous_status_id": previous, "new_status_id": status_id}
            self._order_event(order, "statusUpdated", status=status)

    def set_status(self, order_id: int, status_id: int, who: str = "merchant") -> Order:
        """Move an order to another status, as a person or another app does."""
        with self.ground.lock:
            order = self.order(order_id)
            self._move(order, status_id, who, self.now())
            self._order_event(order, "updated")
            return order

    def cancel(self, order_id: int) -> Order:
        return self.set_status(order_id, 5)

    def edit(
        self,
        order_id: int,
        *,
        quantities: Mapping[int, int] | None = None,
        add: Iterable[tuple[int | str, int]] = (),
        prices: Mapping[int, str] | None = None,
        shipping_address: Mapping[str, Any] | None = None,
        billing_address: Mapping[str, Any] | None = None,
        staff_notes: str | None = None,
        customer_message: str | None = None,
        discount: str | None = None,
    ) -> Order:
        """Edit an order by hand; a quantity of 0 removes its line. Changed lines lose their discounts."""
        with self.ground.lock:
            order = self.order(order_id)
            for line_id, quantity in (quantities or {}).items():
                line = self._existing(order, line_id)
                line.quantity = quantity
            for line_id, price in (prices or {}).items():
                self._existing(order, line_id).price = Decimal(price)
            order.clear_line_discounts({*(quantities or {}), *(prices or {})})
            order.lines = [line for line in order.lines if line.quantity > 0]
            for key, quantity in add:
                line = self._line(key, quantity)
                line.address_id = order.addresses[0]["id"] if order.addresses else 0
                order.lines.append(line)
            if shipping_address and order.addresses:
                order.addresses[0].update(shipping_address)
            order.billing.update(billing_address or {})
            order.staff_notes = order.staff_notes if staff_notes is None else staff_notes
            order.customer_message = order.customer_message if customer_message is None else customer_message
            order.discount = order.discount if discount is None else Decimal(discount)
            self._touch(order, self.now())
            self._order_event(order, "updated")
            return order

    def _existing(self, order: Order, line_id: int) -> Line:
        line = order.line(line_id)
        if line is None:
            raise Refused(f"Order {order.id} has no line {line_id}.")
        return line

    def put_order(self, order: Order, body: dict[str, Any]) -> None:
        """Apply a PUT of V2: partial, lines lose their discounts, notes are overwritten (bigcommerce.md 3.1)."""
        now = self.now()
        for item in body.get("products", ()):
            self._put_line(order, item)
        order.lines = [line for line in order.lines if line.quantity > 0]
        for name in ("staff_notes", "customer_message", "external_source", "external_id", "external_merchant_id"):
            if name in body:
                setattr(order, name, body[name])
        if "external_order_id" in body:
            order.external_order_id = body["external_order_id"] or ""
        if "customer_id" in body:
            order.customer_id = int(body["customer_id"])
        if "payment_method" in body:
            order.payment_method = str(body["payment_method"])
        if "discount_amount" in body:
            order.discount = Decimal(str(body["discount_amount"]))
        order.billing.update(body.get("billing_address", {}))
        for changes in body.get("shipping_addresses", ()):
            target = next((a for a in order.addresses if a["id"] == changes.get("id")), None)
            if target is None:
                raise Refused("There is no such shipping address.")
            target.update({k: v for k, v in changes.items() if k != "id"})
        self._touch(order, now)
        if "status_id" in body:
            self._move(order, int(body["status_id"]), "api", now)
        self._order_event(order, "updated")

    def _put_line(self, order: Order, item: dict[str, Any]) -> None:
        if "id" not in item:
            line = self._line(int(item["product_id"]), int(item["quantity"]))
            line.address_id = order.addresses[0]["id"] if order.addresses else 0
            order.lines.append(line)
            return
        line = self._existing(order, int(item["id"]))
        line.quantity = int(item.get("quantity", line.quantity))
        if "price_ex_tax" in item:
            line.price = Decimal(str(item["price_ex_tax"]))
        order.clear_line_discounts([line.id])

    def ship(
        self, order_id: int, quantities: Mapping[int, int] | None = None, *, carrier: str = "fedex",
        tracking: str = "", who: str = "merchant", comments: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """Ship lines (all that is left when none is named) and return the shipment in V2's shape."""
        with self.ground.lock:
            order = self.order(order_id)
            left = {line.id: line.quantity - line.quantity_shipped for line in order.lines if line.type == "physical"}
            wanted = dict(quantities) if quantities is not None else {k: v for k, v in left.items() if v > 0}
            if not wanted or not order.addresses:
                raise Refused(f"Order {order.id} has nothing left to ship.")
            for line_id, quantity in wanted.items():
                if not 0 < quantity <= left.get(line_id, 0):
                    raise Refused(f"Line {line_id} has {left.get(line_id, 0)} left to ship, not {quantity}.")
            now = self.now()
            shipment_id = self.next_id("shipment")
            for line_id, quantity in wanted.items():
                self._existing(order, line_id).quantity_shipped += quantity
            shipment = _shipment(
                order, shipment_id, wanted, carrier, tracking or f"TRK{shipment_id:09d}", comments, now
            )
            order.shipments.append(shipment)
            order.shipped = now
            done = all(line.quantity_shipped >= line.quantity for line in order.lines if line.type == "physical")
            self.emit("store/shipment/created", {"type": "shipment", "id": shipment_id, "orderId": order.id})
            self._move(order, 2 if done else 3, who, now)
            self._order_event(order, "updated")
            return shipment

    def archive(self, order_id: int) -> None:
        """Delete an order the way the vendor does: it is kept and hidden."""
        with self.ground.lock:
            order = self.order(order_id)
            order.is_deleted = True
            self._touch(order, self.now())
            self._order_event(order, "archived")
            self._order_event(order, "updated")

    def vanish(self, order_id: int) -> None:
        """Remove an order without a trace, so that asking for it answers 404."""
        with self.ground.lock:
            self.orders.pop(order_id, None)

    def write_message(self, order_id: int, text: str, subject: str = "Your order") -> dict[str, Any]:
        """A shopper writes about an order."""
        with self.ground.lock:
            order = self.order(order_id)
            message = {
                "id": self.next_id("message"), "order_id": order.id, "staff_id": 0, "customer_id": order.customer_id,
                "type": "customer", "subject": subject, "message": text, "status": "unread", "is_flagged": False,
                "date_created": v3_date(self.now()), "customer": None,
            }  # fmt: skip
            order.messages.append(message)
            self._order_event(order, "message/created", message={"order_message_id": message["id"]})
            return message

    def review_done(self, order_id: int, accepted: bool = True) -> Order:
        """The fraud tool ends its review."""
        with self.ground.lock:
            order = self.order(order_id)
            for transaction in order.transactions:
                transaction["fraud_review"] = False
            order.payment_status = "captured" if accepted else "declined"
            self._touch(order, self.now())
            self._order_event(order, "updated")
            return order

    # The catalog.

    def change_product(self, product_id: int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a product as an API account or a merchant does, and return it."""
        with self.ground.lock:
            product = self.products[product_id]
            product.update({k: v for k, v in changes.items() if k in product and k != "id"})
            product["date_modified"] = v3_date(self.now())
            self.emit("store/product/updated", {"type": "product", "id": product_id})
            return product

    def add_product(self, like: int | str, *, quiet: bool = False, **changes: Any) -> dict[str, Any]:
        """Add a product that is made now, like another one but for the changes; return it. quiet: fires nothing."""
        with self.ground.lock:
            number = self.next_id("product")
            now = v3_date(self.now())
            model = self.product_named(like)
            name = str(changes.get("name") or f"{model['name']} {number}")
            product = {
                **model, "id": number, "sku": f"{model['sku']}-{number}", "date_created": now,
                "date_modified": now, "base_variant_id": self.next_id("variant"), "custom_fields": [],
                "custom_url": {"url": f"/product-{number}/", "is_customized": False}, **changes, "name": name,
            }  # fmt: skip
            self.products[number] = product
            if not quiet:
                self.emit("store/product/created", {"type": "product", "id": number})
            return product

    # Metafields.

    def metafields_of(self, kind: str, owner: int | None = None) -> list[dict[str, Any]]:
        return [
            m for m in self.metafields.values()
            if m["resource_type"] == kind and (owner is None or m["resource_id"] == owner)
        ]  # fmt: skip

    def metafield_event(self, kind: str, field: dict[str, Any], what: str) -> None:
        """Fire the two events of a metafield: the resource's own, and the one for every kind of resource."""
        data = {"metafield_id": str(field["id"]), "resource_id": str(field["resource_id"])}
        if kind in ("order", "product", "brand", "category", "cart"):
            self.emit(f"store/{kind}/metafield/{what}", {"type": "metafield", **data})
        self.emit(f"store/metafield/{what}", {**data, "resource_type": kind, "namespace": field["namespace"]})

    # Life of the app in this store.

    def visible_orders(self) -> list[Order]:
        return [o for o in self.orders.values() if not o.is_deleted]

    def placed_orders(self) -> list[Order]:
        return [o for o in self.visible_orders() if o.status_id not in NOT_YET_PLACED]


def _nobody(*_: Any, **__: Any) -> dict[str, Any]:
    raise Refused("Nobody can register yet.")


FIRST_IDS = {
    "order": 100, "order_product": 1, "order_address": 1, "transaction": 1, "refund": 1, "refund_payment": 1,
    "shipment": 1, "message": 1, "metafield": 1, "customer": 1, "customer_address": 1, "product": 77,
    "custom_field": 1, "brand": 30, "category": 18, "group": 1, "variant": 64, "payment": 1,
    "extension": 1, "price_list": 2, "assignment": 1, "promotion": 1, "promotion_code": 1,
}  # fmt: skip

TAX_RATES = {"US": "0.0875", "DE": "0.19", "FR": "0.20", "GB": "0.20", "CA": "0.13"}

GUEST: dict[str, Any] = {
    "first_name": "Robin", "last_name": "Guest", "company": "", "street_1": "88 Harbor Street", "street_2": "",
    "city": "Portland", "state": "Oregon", "zip": "97201", "country": "United States", "country_iso2": "US",
    "phone": "+1 503 555 0188", "email": "robin.guest@example.com",
}  # fmt: skip


def _contact(billing: Mapping[str, Any]) -> dict[str, Any]:
    return {name: billing[name] for name in GUEST}


def _refund_item(item: dict[str, Any], share: Decimal) -> dict[str, Any]:
    return {
        "item_type": item["item_type"],
        "item_id": item["item_id"],
        "reason": item.get("reason", ""),
        "quantity": item.get("quantity", 1),
        "adjustments": item.get("adjustments", []),
        "requested_amount": float(share),
    }


def _shipment(
    order: Order, shipment_id: int, wanted: Mapping[int, int], carrier: str, tracking: str, comments: str, now: datetime
) -> dict[str, Any]:
    items = [
        {"order_product_id": line.id, "product_id": line.product_id, "quantity": wanted[line.id]}
        for line in order.lines
        if line.id in wanted
    ]
    return {
        "id": shipment_id,
        "order_id": order.id,
        "customer_id": order.customer_id,
        "order_address_id": order.addresses[0]["id"],
        "date_created": f"{now:%a, %d %b %Y %H:%M:%S} +0000",
        "tracking_number": tracking,
        "merchant_shipping_cost": "0.0000",
        "shipping_method": "Ground",
        "comments": comments,
        "shipping_provider": carrier,
        "tracking_carrier": carrier,
        "tracking_link": "",
        "generated_tracking_link": f"https://tracking.example.com/{tracking}",
        "shipping_provider_display_name": carrier.upper(),
        "billing_address": {name: order.billing[name] for name in GUEST},
        "shipping_address": {name: order.addresses[0][name] for name in GUEST},
        "items": items,
    }
