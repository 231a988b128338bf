"""An order, a store and signers to make documents of, and small PDFs as people upload them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pypdf import PdfWriter
from reportlab.pdfgen import canvas

from bcapp.core.agreements import Page, agreement_page
from bcapp.core.merge import StoreProfile
from bcapp.core.model import Address, History, LineItem, Money, OrderFacts, Signer

AT = datetime(2026, 10, 3, 22, 30, tzinfo=UTC)
PROFILE = StoreProfile(
    name="Summit Outdoor",
    domain="summit.example",
    email="orders@summit.example",
    phone="+1 555 0100",
    address="1 Main Street\nPortland, OR 97201",
    country="US",
    language="en",
    timezone="America/Los_Angeles",
)
ANN = Signer(0, 1, "Ann Lee", "ann@lee.example")
BO = Signer(1, 2, "Bo Day", "bo@summit.example")
BODY = """## Terms for order {{order.id}}

**{{billing.company}}** buys the goods above for *{{order.total}}*.

1. Delivery to {{shipping.address}}.
2. Payment by {{order.payment_method}}.
"""


def address(**changes: Any) -> Address:
    values = {
        "name": "Ann Lee",
        "company": "Lee Outdoor GmbH",
        "street": "Hauptstraße 12",
        "city": "Berlin",
        "state": "",
        "postcode": "10115",
        "country": "DE",
        "email": "ann@lee.example",
        "phone": "+49 30 123456",
    }
    return Address(**{**values, **changes})


def item(number: int = 1, **changes: Any) -> LineItem:
    values = {
        "id": number,
        "product_id": number,
        "variant_id": 0,
        "sku": f"TENT-{number}",
        "name": "Alpine tent",
        "type": "physical",
        "quantity": 2,
        "quantity_shipped": 0,
        "quantity_refunded": 0,
        "unit_price": Decimal("600"),
        "total": Decimal("1200"),
        "options": (("Colour", "Forest green"),),
    }
    return LineItem(**{**values, **changes})


def order(**changes: Any) -> OrderFacts:
    values = {
        "id": 1001,
        "status_id": 11,
        "payment_status": "authorized",
        "payment_method": "Bank transfer",
        "created_at": AT,
        "modified_at": AT,
        "customer_id": 7,
        "customer_group_id": 0,
        "channel_id": 1,
        "total": Money(Decimal("1250.00"), "USD"),
        "tax": Decimal("80.00"),
        "discount": Decimal(),
        "items_total": 2,
        "items_shipped": 0,
        "is_digital": False,
        "is_deleted": False,
        "billing": address(),
        "shipping": (address(street="Lagerweg 4", city="Potsdam", postcode="14467"),),
        "items": (item(),),
        "transactions": (),
        "history": History(3, (), ()),
    }
    return OrderFacts(**{**values, **changes})


def agreement(
    body: str = BODY, *, facts: OrderFacts | None = None, signers: Sequence[Signer] = (ANN, BO), **changes: Any
) -> Page:
    values = {
        "title": "Purchase agreement",
        "profile": PROFILE,
        "language": "en",
        "document_id": "1001-42-1",
        "made_at": AT,
    }
    return agreement_page(body=body, facts=facts or order(), signers=signers, **{**values, **changes})


def pdf_of(*pages: str, size: tuple[float, float] = (595.0, 842.0)) -> bytes:
    """Return a PDF with a line of text per line of each page."""
    buffer = io.BytesIO()
    sheet = canvas.Canvas(buffer, pagesize=size, invariant=1)
    for text in pages:
        for number, line in enumerate(text.splitlines()):
            sheet.drawString(60, size[1] - 80 - 16 * number, line)
        sheet.showPage()
    sheet.save()
    return buffer.getvalue()


def changed(pdf: bytes, change: Any) -> bytes:
    """Return a PDF after `change(writer)`."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    change(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def stamped(pdf: bytes, marks: dict[int, Sequence[tuple[float, float, str]]]) -> bytes:
    """Return a PDF with text drawn over its pages, as a signature service does. marks: page -> x, y, text."""

    def stamp(writer: PdfWriter) -> None:
        from pypdf import PdfReader

        for index, drawn in marks.items():
            page = writer.pages[index]
            buffer = io.BytesIO()
            sheet = canvas.Canvas(buffer, pagesize=(float(page.mediabox.width), float(page.mediabox.height)))
            for x, y, text in drawn:
                sheet.drawString(x, y, text)
            sheet.save()
            page.merge_page(PdfReader(io.BytesIO(buffer.getvalue())).pages[0])

    return changed(pdf, stamp)
