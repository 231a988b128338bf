"""Quotes of B2B Edition: one method per call, and a quote as facts.

Source: B2B Edition, "Quotes" (`/rfq`). The detail call wants the day on which the quote was made, which no event tells,
so a quote is found in the list first. A write changes the fields that it names; line items are replaced whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.b2b import PAGE, Edition
from bcapp.bigcommerce.raw import Raw, amount_in, parse_date, rows_in, text_in, whole_in
from bcapp.core.kinds.quote import QuoteFacts, QuoteLine, changed_quote
from bcapp.core.model import Gone, Money, RecordKey
from bcapp.errors import BigCommerceError, UnreadableInput
from bcapp.gate import Gate

MOST_PAGES = 40
MOST_LINES = 500
TEMPLATE = "Modern with checkout link"
LANGUAGES = ("en", "nl", "de", "fr", "it", "ja", "zh", "es")  # that the quote's mail is written in


class Quotes(Edition):
    """The quotes of one store. Where B2B Edition is absent or not granted, every call raises B2BRefused."""

    def __init__(self, http: Any, b2b_url: str, store_hash: str, token: str, gate: Gate | None = None) -> None:
        self.store_hash = store_hash
        super().__init__(
            http, f"{b2b_url.rstrip('/')}/api/v3/io", {"X-Auth-Token": token, "X-Store-Hash": store_hash}, gate
        )

    async def list_quotes(
        self, *, modified_since: datetime | None = None, status: int | None = None, newest_first: bool = True
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield what the list tells of quotes, by their last change; each (quote, time of change) comes once."""
        params: dict[str, str | int] = {"sortBy": "updatedAt", "orderBy": "desc" if newest_first else "asc"}
        if modified_since is not None:
            params["minModified"] = int(modified_since.astimezone(UTC).timestamp())
        if status is not None:
            params["status"] = status
        seen: set[tuple[int, str]] = set()
        for page in range(MOST_PAGES):
            answer = await self._call("GET", "/rfq", params={**params, "limit": PAGE, "offset": page * PAGE})
            rows = self._rows(self._one(answer, "the quotes").get("list"), "the quotes")
            for row in rows:
                key = (whole_in(row, "quoteId"), str(row.get("updatedAt")))
                if key not in seen:
                    seen.add(key)
                    yield row
            if len(rows) < PAGE:
                return
        raise BigCommerceError("GET /rfq: the list does not end", permanent=True)

    async def find_quote(self, quote_id: int) -> dict[str, Any] | None:
        """Return what the list tells of one quote; None when it is not there. The list has no filter by number."""
        async for row in self.list_quotes():
            if whole_in(row, "quoteId") == quote_id:
                return row
        return None

    async def quote_of_order(self, order_id: int, since: datetime) -> int | None:
        """Return the quote that an order was made from, None when it comes from none. since: when it may have changed.

        The list names the order once the store has joined the two.
        """
        async for row in self.list_quotes(modified_since=since):
            if text_in(row, "bcOrderId") == str(order_id):
                return whole_in(row, "quoteId")
        return None

    async def fetch_quote(self, quote_id: int, created_at: datetime) -> dict[str, Any] | None:
        """Return the raw quote with its lines; None when there is none.

        Which zone the day is counted in is not written: its neighbours are tried too.
        """
        for days in (0, -1, 1):
            day = f"{created_at.astimezone(UTC) + timedelta(days=days):%m/%d/%Y}"
            answer = await self._found("GET", f"/rfq/{quote_id}", params={"date": day})
            found = None if answer is None else self._data(answer)
            if isinstance(found, dict) and found:
                return found
        return None

    async def put_quote(self, quote_id: int, body: Mapping[str, Any]) -> None:
        await self._call("PUT", f"/rfq/{quote_id}", body=dict(body))

    async def checkout_link(self, quote_id: int) -> str:
        """Return the address at which the quote is bought. It works although the portal hides its checkout."""
        answer = await self._call("POST", f"/rfq/{quote_id}/checkout", body={})
        return text_in(self._one(answer, "the checkout"), "checkoutUrl")

    async def mail_quote(self, quote_id: int, email: str, language: str) -> None:
        """Have the quote mailed to its buyer, with its PDF and a link to its checkout. email: as the quote names it."""
        body = {"quoteId": str(quote_id), "email": email, "withAttach": True, "emailTemplate": TEMPLATE}
        spoken = language[:2].lower()
        await self._call("POST", "/rfq/emails", body={**body, "emailLang": spoken if spoken in LANGUAGES else "en"})


class EditedQuote(Exception):
    """Somebody changed the quote between our reading and our write. fields: which."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(f"changed meanwhile: {', '.join(fields)}")
        self.fields = fields


async def read_quote(client: Quotes, quote_id: int, store_currency: str) -> QuoteFacts | Gone:
    """Return a quote freshly read, or that it is gone."""
    gone = Gone(RecordKey("quote", str(quote_id)))
    listed = await client.find_quote(quote_id)
    if listed is None:
        return gone
    raw = await client.fetch_quote(quote_id, parse_date(_seconds(listed, "createdAt"), "createdAt"))
    return gone if raw is None else parse_quote(listed, raw, store_currency)


async def allow_checkout(
    client: Quotes, decided_on: QuoteFacts, allowed: bool, store_currency: str
) -> QuoteFacts | None:
    """Open or shut the checkout of a quote and return it as it is then; None when it is gone.

    It is read again right before the write: EditedQuote is raised, and nothing written, when the offer changed. What
    it is after the write is compared too. The checkout is the only field that is written; should a write drop the
    lines all the same, they are sent again whole.
    """
    now = await read_quote(client, decided_on.id, store_currency)
    if isinstance(now, Gone):
        return None
    if fields := changed_quote(decided_on, now):
        raise EditedQuote(fields)
    if now.allow_checkout is not allowed:
        before = await client.fetch_quote(now.id, now.created_at)
        await client.put_quote(now.id, {"allowCheckout": allowed})
        left = await read_quote(client, now.id, store_currency)
        if not isinstance(left, Gone) and not left.lines and before is not None and now.lines:
            await client.put_quote(now.id, {"allowCheckout": allowed, **lines_body(before)})
    left = await read_quote(client, now.id, store_currency)
    if isinstance(left, Gone):
        return None
    if fields := changed_quote(now, left):
        raise EditedQuote(fields)
    if left.allow_checkout is not allowed:
        raise BigCommerceError(f"quote {now.id}: its checkout is {left.allow_checkout} after {allowed} was written")
    return left


WRITTEN_OF_A_LINE = (
    "productId", "productName", "variantId", "sku", "basePrice", "discount", "offeredPrice", "quantity",
    "orderQuantityMaximum", "orderQuantityMinimum", "imageUrl", "options",
)  # fmt: skip


def lines_body(raw: Raw) -> dict[str, Any]:
    """Return the lines of a quote as a write takes them: all of them, and the sums that must fit."""
    lines = [
        {name: _plain(line[name]) for name in WRITTEN_OF_A_LINE if line.get(name) is not None}
        for line in rows_in(raw.get("productList"), "productList")
    ]
    sums = {name: _plain(raw[name]) for name in ("subtotal", "grandTotal", "discount") if raw.get(name) is not None}
    return {"productList": lines, **sums}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def parse_quote(listed: Raw, raw: Raw, store_currency: str) -> QuoteFacts:
    """Return the facts of a quote from its line in the list and from its detail. Raises UnreadableInput."""
    currency_of = _inner(raw, "currency") or _inner(listed, "currency")
    currency = text_in(currency_of, "currencyCode").upper() or store_currency
    contact, rep, company = (_inner(raw, name) for name in ("contactInfo", "salesRepInfo", "companyInfo"))
    subtotal = amount_in(raw, "subtotal", Decimal(0))
    order = text_in(raw, "bcOrderId") or text_in(listed, "bcOrderId")
    created = _seconds(listed, "createdAt")
    return QuoteFacts(
        id=whole_in(listed, "quoteId"),
        number=text_in(raw, "quoteNumber") or text_in(listed, "quoteNumber"),
        title=text_in(raw, "quoteTitle"),
        status=whole_in(raw, "status", whole_in(listed, "status", 0)),
        created_at=parse_date(created, "createdAt"),
        modified_at=parse_date(_seconds(listed, "updatedAt") or created, "updatedAt"),
        expires_at=parse_date(_seconds(raw, "expiredAt"), "expiredAt") if _seconds(raw, "expiredAt") else None,
        channel_id=whole_in(raw, "channelId", 1),
        company_id=whole_in(company, "companyId", 0),
        company=text_in(company, "companyName") or text_in(contact, "companyName"),
        contact_name=text_in(contact, "name"),
        contact_email=text_in(contact, "email").strip().lower(),
        rep_name=text_in(rep, "salesRepName"),
        rep_email=text_in(rep, "salesRepEmail").strip().lower(),
        subtotal=Money(subtotal, currency),
        total=Money(amount_in(raw, "totalAmount", amount_in(raw, "grandTotal", subtotal)), currency),
        shipping=amount_in(raw, "shippingTotal", Decimal(0)),
        tax=amount_in(raw, "taxTotal", Decimal(0)),
        allow_checkout=raw.get("allowCheckout") is not False,
        lines=tuple(_line(row) for row in rows_in(raw.get("productList"), "productList")[:MOST_LINES]),
        terms=text_in(raw, "legalTerms"),
        order_id=int(order) if order.isdecimal() else 0,
    )


def _line(row: Raw) -> QuoteLine:
    base = amount_in(row, "basePrice", Decimal(0))
    cost = amount_in(row, "costPrice", Decimal(0))
    return QuoteLine(
        product_id=whole_in(row, "productId", 0),
        sku=text_in(row, "sku"),
        name=text_in(row, "productName"),
        quantity=whole_in(row, "quantity", 0),
        base_price=base,
        offered_price=amount_in(row, "offeredPrice", base),
        cost=cost or None,
    )


def _inner(raw: Raw, name: str) -> Raw:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def _seconds(raw: Raw, name: str) -> int:
    """Return Unix seconds, which come as a number or as text; 0 when absent."""
    value = raw.get(name)
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        raise UnreadableInput(f"{name} is not a date") from None
