"""An agreement with sample facts: as blocks for the page, and as the PDF that a signer would get."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bcapp.core.agreements import agreement_page, examples, fill, parse_agreement, parse_profile, signature_page
from bcapp.core.markup import Block, Box
from bcapp.core.model import Address, LineItem, Money, OrderFacts, Signer
from bcapp.db import chunks, panel_requests
from bcapp.db.agreements import Text, fetch_version
from bcapp.db.stores import fetch_store
from bcapp.documents.render import render
from bcapp.documents.uploads import inspect_upload, render_upload
from bcapp.secrets import SealBroken
from bcapp.services import Services
from bcapp.web.refusals import Refusal, not_found

SAMPLE_SIGNERS = (
    Signer(0, 1, "Ann Lee", "ann@lee-outdoor.example"),
    Signer(1, 2, "Bo Day", "bo@lee-outdoor.example"),
)


def sample_order(currency: str) -> OrderFacts:
    """Return a believable order of nobody, in the store's currency."""
    at = datetime(2026, 10, 3, 9, 30, tzinfo=UTC)
    address = Address(
        "Ann Lee", "Lee Outdoor Ltd", "1 High Street", "Austin", "Texas", "78701", "US",
        "ann@lee-outdoor.example", "+1 512 555 0100",
    )  # fmt: skip

    def item(number: int, sku: str, name: str, quantity: int, price: str) -> LineItem:
        unit = Decimal(price)
        return LineItem(number, number, 0, sku, name, "physical", quantity, 0, 0, unit, unit * quantity)

    items = (
        item(1, "TENT-4", "Four-person tent", 12, "489.00"),
        item(2, "STOVE-2", "Two-burner stove", 12, "149.50"),
        item(3, "LAMP-1", "Camping lantern", 24, "39.90"),
    )
    total = sum((i.total for i in items), Decimal("120.00"))
    return OrderFacts(
        id=1001, status_id=12, payment_status="authorized", payment_method="Purchase Order", created_at=at,
        modified_at=at, customer_id=7, customer_group_id=3, channel_id=1, total=Money(total, currency),
        tax=Decimal("710.00"), discount=Decimal("100.00"), items_total=48, items_shipped=0, is_digital=False,
        is_deleted=False, billing=address, shipping=(address,), items=items, transactions=(), history=None,
        customer_message="Please call before delivery.",
    )  # fmt: skip


def preview_blocks(body: str) -> list[dict[str, Any]]:
    """Return the text as blocks with example values; raise MarkupError naming each mistake by its line."""
    blocks = parse_agreement(body)
    return fill(blocks, examples(), range(1 + max(_signers_asked(blocks), default=0)))


def _signers_asked(blocks: Sequence[Block]) -> list[int]:
    return [block.signer for block in blocks if isinstance(block, Box)]


async def agreement_preview(services: Services, store_hash: str, subject: str, now: datetime) -> tuple[str, bytes]:
    """Return (file name, PDF) of "{agreement}:{version}:{language}" with sample facts.

    Raises the refusal 404 for one that does not exist, RefusedByUs when the text cannot be set.
    """
    number, version, language = (*subject.split(":"), "")[:3]
    found = await fetch_version(services.db, store_hash, int(number), int(version))
    store = await fetch_store(services.db, store_hash)
    if found is None or store is None or found.source == "template":
        raise not_found()
    language, text = found.text_for(language or found.main)
    facts = sample_order(str(store.profile.get("currency") or "USD"))
    shared: dict[str, Any] = {
        "title": text.title,
        "facts": facts,
        "profile": parse_profile(store.profile),
        "language": language,
        "document_id": f"sample-{number}-{version}",
        "made_at": now,
        "simulated": True,
    }
    name = f"agreement-{number}-version-{version}-sample.pdf"
    if text.source == "text":
        asked = max(_signers_asked(parse_agreement(text.body)), default=0)
        signers = tuple(
            SAMPLE_SIGNERS[n] if n < len(SAMPLE_SIGNERS) else Signer(n, n + 1, f"Signer {n + 1}", f"s{n}@example.com")
            for n in range(max(1, asked + 1))
        )
        return name, (await render(agreement_page(body=text.body, signers=signers, **shared))).pdf
    content = await uploaded(services, store_hash, text)
    upload = await inspect_upload(content)
    signing = SAMPLE_SIGNERS[:1]
    if upload.fields:
        return name, content
    return name, (await render_upload(content, upload, signature_page(signers=signing, **shared), signing)).pdf


async def uploaded(services: Services, store_hash: str, text: Text) -> bytes:
    """Return the bytes of an uploaded agreement; the refusal 404 when they are gone."""
    key = await panel_requests.data_key(services.db, services.secrets, store_hash)
    if key is None or text.content is None:
        raise not_found()
    try:
        return await chunks.read(services.db, key, store_hash, text.content)
    except (chunks.NotKept, SealBroken):
        raise Refusal(404, "The PDF is not here any more", "Upload it again under this agreement.") from None
