"""Refunds at BigCommerce: quotes, refunds and what became of them. A refund is sent once and never again by itself.

Source: orders.v3.yml, "Payment Actions" (refund_quotes, refunds) and "Transactions".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.raw import Raw, amount_in, parse_date, rows_in, text_in, whole_in
from bcapp.bigcommerce.wire import Wire
from bcapp.core.refunds import BY_QUANTITY, CENT, ZERO, Booking, Payment, Quote, Refund, RefundItem
from bcapp.errors import BigCommerceError, UnreadableInput

QUOTE_SECONDS = 30.0
REFUND_SECONDS = 60.0  # the vendor asks the gateway's door before it answers; what takes longer is looked up instead
PAGE, MOST_PAGES = 50, 400


class RefundCalls(Wire):
    """The payment actions of the store's API."""

    async def quote_refund(self, order_id: int, items: Sequence[RefundItem]) -> Quote:
        """Return what the store would refund. Raises BigCommerceError, 422 when it would refund nothing."""
        path = f"/v3/orders/{order_id}/payment_actions/refund_quotes"
        body = {"items": [_item(item, "") for item in items]}
        return parse_quote(self._first(await self._call("POST", path, body=body, timeout=QUOTE_SECONDS)))

    async def create_refund(
        self, order_id: int, items: Sequence[RefundItem], payments: Sequence[Payment], reason: str
    ) -> Refund:
        """Have the store refund, and return what it accepted; the payment side works on after the answer.

        reason: stands in every item, to find the refund by. The vendor knows no key that makes a call harmless when
        repeated: an error with `unclear` may have been executed, and is looked up before anybody tries again.
        """
        path = f"/v3/orders/{order_id}/payment_actions/refunds"
        body = {
            "items": [_item(item, reason) for item in items],
            "payments": [
                {"provider_id": p.provider, "amount": number(p.amount), "offline": p.offline} for p in payments
            ],
        }
        answer = await self._call("POST", path, body=body, timeout=REFUND_SECONDS)
        try:
            return parse_refund(self._first(answer))
        except UnreadableInput as exc:
            # It was accepted, and cannot be read: as good as an answer that was lost.
            raise BigCommerceError(f"POST {path}: {exc}", unclear=True) from exc

    async def list_refunds(self, order_id: int) -> list[Refund]:
        """Return the order's refunds, oldest first."""
        answer = await self._call("GET", f"/v3/orders/{order_id}/payment_actions/refunds")
        rows = [] if answer is None else self._rows(self._data(answer), "refunds")
        return sorted((parse_refund(row) for row in rows), key=lambda r: r.id)

    async def refunds_since(self, since: datetime) -> list[Refund]:
        """Return every refund of the store since then, oldest first."""
        at = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        found: dict[int, Refund] = {}
        for page in range(1, MOST_PAGES + 1):
            params: dict[str, str | int] = {"created:min": at, "page": page, "limit": PAGE}
            answer = await self._call("GET", "/v3/orders/payment_actions/refunds", params=params)
            rows = [] if answer is None else [parse_refund(r) for r in self._rows(self._data(answer), "refunds")]
            fresh = [r for r in rows if r.id not in found]
            found |= {r.id: r for r in fresh}
            if len(rows) < PAGE or not fresh:  # one that ignores the page says the same again
                return [found[number] for number in sorted(found)]
        raise BigCommerceError("the list of refunds does not end", permanent=True)

    async def bookings(self, order_id: int) -> list[Booking]:
        """Return the order's transactions as refunds refer to them; none when the vendor answers 204."""
        answer = await self._call("GET", f"/v3/orders/{order_id}/transactions")
        rows = [] if answer is None else self._rows(self._data(answer), "transactions")
        return [parse_booking(row) for row in rows]


def number(amount: Decimal) -> int | float:
    """Return an amount as the JSON number that V3 takes; two decimals survive the way through binary."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _item(item: RefundItem, reason: str) -> dict[str, Any]:
    body: dict[str, Any] = {"item_type": item.item_type, "item_id": item.item_id}
    if item.item_type in BY_QUANTITY:
        body["quantity"] = item.quantity
    else:
        body["amount"] = number(item.amount)
    if reason:
        body["reason"] = reason
    return body


def money_in(raw: Raw, name: str, default: Decimal | None = None) -> Decimal:
    """Return an amount in cents at most; the vendor's examples carry more digits now and then."""
    return amount_in(raw, name, default).quantize(CENT)


def parse_quote(raw: Raw) -> Quote:
    """Read a quote. Source: orders.v3.yml, RefundQuote_Full."""
    ways = raw.get("refund_methods")
    if not isinstance(ways, list) or not all(isinstance(way, list) for way in ways):
        raise UnreadableInput("refund_methods is not a list of lists")
    return Quote(
        money_in(raw, "total_refund_amount"),
        money_in(raw, "total_refund_tax_amount", ZERO),
        tuple(tuple(_payment(row) for row in rows_in(way, "refund_methods")) for way in ways),
    )


def parse_refund(raw: Raw) -> Refund:
    """Read a refund. Source: orders.v3.yml, Refund."""
    items = rows_in(raw.get("items"), "items")
    reasons = [text_in(item, "reason") for item in items] or [text_in(raw, "reason")]
    return Refund(
        id=whole_in(raw, "id"),
        order_id=whole_in(raw, "order_id"),
        total=money_in(raw, "total_amount"),
        tax=money_in(raw, "total_tax", ZERO),
        created_at=parse_date(raw.get("created"), "created"),
        user_id=whole_in(raw, "user_id", 0),
        reasons=tuple(dict.fromkeys(r for r in reasons if r)),
        items=tuple(
            RefundItem(
                text_in(item, "item_type"),
                whole_in(item, "item_id", 0),
                whole_in(item, "quantity", 0) if text_in(item, "item_type") in BY_QUANTITY else 0,
                money_in(item, "requested_amount", ZERO),
            )
            for item in items
        ),
        payments=tuple(_payment(row) for row in rows_in(raw.get("payments"), "payments")),
    )


def _payment(raw: Raw) -> Payment:
    return Payment(
        text_in(raw, "provider_id"),
        money_in(raw, "amount", ZERO),
        bool(raw.get("offline")),
        bool(raw.get("is_declined")),
        text_in(raw, "transaction_id"),
    )


def parse_booking(raw: Raw) -> Booking:
    names = {text_in(raw, "id"), text_in(raw, "gateway_transaction_id")} - {""}
    return Booking(
        text_in(raw, "event"),
        text_in(raw, "status"),
        money_in(raw, "amount", ZERO),
        parse_date(raw.get("date_created"), "date_created"),
        frozenset(names),
    )


PAID_EVENTS = frozenset({"purchase", "capture", "settled"})


def gateways_in(rows: Iterable[Raw]) -> frozenset[str]:
    """Return who took the money of an order: the gateways of its raw transactions that went well."""
    took = {text_in(r, "gateway") for r in rows if r.get("status") == "ok" and r.get("event") in PAID_EVENTS}
    return frozenset(took - {""})


@dataclass(frozen=True)
class OrderMoney:
    """What a case needs of an order; amounts with tax, in the order's currency. available: pieces by line id."""

    id: int
    status_id: int
    payment_status: str
    payment_method: str
    total: Decimal
    refunded: Decimal
    currency: str
    items_shipped: int
    customer_id: int
    customer_name: str
    customer_email: str  # lower case
    channel_id: int
    created_at: datetime
    is_deleted: bool

    @property
    def left(self) -> Decimal:
        return max(ZERO, self.total - self.refunded)


def parse_order_money(raw: Raw) -> OrderMoney:
    """Read the money of a raw order. Source: orders.v2.oas2.yml, GET /orders/{order_id}."""
    address = raw.get("billing_address")
    billing: Raw = address if isinstance(address, dict) else {}
    name = " ".join(p for p in (text_in(billing, n).strip() for n in ("first_name", "last_name")) if p)
    return OrderMoney(
        id=whole_in(raw, "id"),
        status_id=whole_in(raw, "status_id"),
        payment_status=text_in(raw, "payment_status").lower(),
        payment_method=text_in(raw, "payment_method"),
        total=money_in(raw, "total_inc_tax"),
        refunded=money_in(raw, "refunded_amount", ZERO),
        currency=text_in(raw, "currency_code") or text_in(raw, "default_currency_code"),
        items_shipped=whole_in(raw, "items_shipped", 0),
        customer_id=whole_in(raw, "customer_id", 0),
        customer_name=name or text_in(billing, "company"),
        customer_email=text_in(billing, "email").strip().lower(),
        channel_id=whole_in(raw, "channel_id", 1),
        created_at=parse_date(raw.get("date_created"), "date_created"),
        is_deleted=bool(raw.get("is_deleted")),
    )


@dataclass(frozen=True)
class OrderLine:
    """A line of an order as a case offers it. available: pieces that were not refunded yet. price: of one, with tax."""

    id: int
    name: str
    sku: str
    quantity: int
    available: int
    shipped: int
    price: Decimal


def parse_order_line(raw: Raw) -> OrderLine:
    quantity = whole_in(raw, "quantity", 0)
    return OrderLine(
        id=whole_in(raw, "id"),
        name=text_in(raw, "name"),
        sku=text_in(raw, "sku"),
        quantity=quantity,
        available=max(0, quantity - whole_in(raw, "quantity_refunded", 0)),
        shipped=whole_in(raw, "quantity_shipped", 0),
        price=money_in(raw, "price_inc_tax", ZERO),
    )
