"""An agreement with sample facts or a real record: as blocks, as pictures of its pages, and as the signer's PDF."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bcapp.core.agreements import (
    COVERED,
    FIELDS,
    Price,
    PriceList,
    UsedField,
    agreement_page,
    examples,
    fill,
    merge_values,
    parse_agreement,
    signature_page,
    used_fields,
)
from bcapp.core.kinds.order import ORDER
from bcapp.core.markup import Block, Box, MarkupError
from bcapp.core.merge import Source, parse_profile
from bcapp.core.model import Address, LineItem, Money, OrderFacts, Signer
from bcapp.core.warranties import CoverTable, Serials, Terms, covered_items, ends_on, pieces_of
from bcapp.db import chunks, panel_requests
from bcapp.db.agreements import Text, fetch_version, newest_past
from bcapp.db.past import fetch_past
from bcapp.db.stores import Store, fetch_store
from bcapp.documents.pool import DocumentTooHeavy
from bcapp.documents.render import RenderFailed, picture, render
from bcapp.documents.uploads import inspect_upload, render_upload
from bcapp.errors import RefusedByUs, UnreadableInput
from bcapp.secrets import SealBroken
from bcapp.services import Services
from bcapp.web.refusals import Refusal, not_found

MOST_PICTURES = 4
CHECKED_RECORDS = 200
SHOWN_PIECES = 12
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


def sample_prices(currency: str) -> PriceList:
    """Return a price list of nobody."""
    tent = Price("TENT-4", "Four-person tent", Decimal("449.00"), currency, tiers=((10, Decimal("429.00")),))
    return PriceList(0, "Sample prices", (tent, Price("STOVE-2", "Two-burner stove", Decimal("129.50"), currency)))


def preview_blocks(body: str, values: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the text as blocks with these values, else with examples; raise MarkupError naming each mistake."""
    blocks = parse_agreement(body)
    return fill(blocks, values or examples(), range(1 + max(_signers_asked(blocks), default=0)))


def _signers_asked(blocks: Sequence[Block]) -> list[int]:
    return [block.signer for block in blocks if isinstance(block, Box)]


def _signers(blocks: Sequence[Block], first: Signer = SAMPLE_SIGNERS[0]) -> tuple[Signer, ...]:
    """Return as many signers as the text asks, the first one given, the others of nobody."""
    asked = max(_signers_asked(blocks), default=0)
    others = (
        SAMPLE_SIGNERS[n] if n < len(SAMPLE_SIGNERS) else Signer(n, n + 1, f"Signer {n + 1}", f"s{n}@example.com")
        for n in range(1, asked + 1)
    )
    return (first, *others)


# While it is written -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preview:
    """How a text reads. pictures: its first pages as addresses of pictures; pages: how many there are.

    problems: what keeps it from being set, line by line. record: of whom the values are, "" for samples; absent: the
    number of a record that is not stored. used: the merge fields with the values shown.
    """

    blocks: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    pages: int = 0
    record: str = ""
    absent: str = ""
    used: list[tuple[UsedField, str]] = field(default_factory=list)


async def preview(
    services: Services, store: Store, *, title: str, body: str, language: str, record: str, now: datetime
) -> Preview:
    """Return how a text reads with a stored order's values, else with samples. record: the order's number or ""."""
    currency = str(store.profile.get("currency") or "USD")
    facts, signer = sample_order(currency), SAMPLE_SIGNERS[0]
    shown = absent = ""
    if record:
        stored = await stored_order(services, store.hash, record)
        if stored is None:
            absent = record
        else:
            facts, shown = replace(stored, customer_message=facts.customer_message), stored.label
            signer = Signer(0, 1, stored.billing.name, stored.billing.email)
    try:
        blocks = parse_agreement(body)
    except MarkupError as exc:
        return Preview(problems=[str(p) for p in exc.problems], record=shown, absent=absent)
    profile, signers = parse_profile(store.profile), _signers(blocks, signer)
    values = merge_values(facts, profile, signers, language=language, made_at=now, document_id="sample", title=title)
    used = [(u, values[u.field.name]) for u in used_fields(blocks)]
    try:
        page = agreement_page(
            title=title, body=body, facts=facts, profile=profile, signers=signers, language=language,
            document_id="sample", made_at=now, simulated=True, price_list=_prices_for(blocks, currency),
            cover=_cover_for(blocks, facts, now),
        )  # fmt: skip
        pictures = await picture(page, most=MOST_PICTURES)
    except RefusedByUs as exc:
        return Preview(problems=[str(exc)], record=shown, absent=absent, used=used)
    except (DocumentTooHeavy, RenderFailed):
        # Read as text it may still be mended; what cannot be set is refused when it is saved and sampled.
        return Preview(preview_blocks(body, values), record=shown, absent=absent, used=used)
    addresses = [f"data:image/png;base64,{b64encode(p).decode()}" for p in pictures.pages]
    return Preview(preview_blocks(body, values), [], addresses, pictures.count, shown, absent, used)


def _prices_for(blocks: Sequence[Block], currency: str) -> PriceList | None:
    names = {getattr(b, "name", "") for b in blocks}
    return sample_prices(currency) if "price_list.items" in names else None


def _cover_for(blocks: Sequence[Block], facts: OrderFacts, now: datetime) -> CoverTable | None:
    """Return what a warranty of 24 months from today would cover of the order."""
    if not any(getattr(b, "name", "") == COVERED for b in blocks):
        return None
    pieces = pieces_of(covered_items(facts, Terms()), Serials.REQUIRED)[:SHOWN_PIECES]
    return CoverTable(pieces, Serials.REQUIRED, now.date(), ends_on(now.date(), Terms().months))


async def stored_order(services: Services, store_hash: str, number: str) -> OrderFacts | None:
    """Return an order as it was last read, None when none of that number is stored."""
    row = await fetch_past(services.db, store_hash, ORDER.name, number)
    if row is None:
        return None
    facts: OrderFacts = ORDER.parse(row["facts"])
    return facts


# Field check ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Blanks:
    """A merge field and the stored records that leave it empty: (id, label), newest first."""

    used: UsedField
    records: list[tuple[str, str]]


@dataclass(frozen=True)
class FieldCheck:
    checked: int
    blanks: list[Blanks]


async def check_fields(
    services: Services, store: Store, used: Sequence[UsedField], language: str, now: datetime
) -> FieldCheck:
    """Return which of the last 200 stored orders would leave which merge field empty."""
    rows = await newest_past(services.db, store.hash, ORDER.name, CHECKED_RECORDS)
    return await asyncio.to_thread(_check_rows, rows, store, list(used), language, now)


def _check_rows(
    rows: list[dict[str, Any]], store: Store, used: list[UsedField], language: str, now: datetime
) -> FieldCheck:
    profile = parse_profile(store.profile)
    found: dict[str, list[tuple[str, str]]] = {u.field.name: [] for u in used}
    checked = 0
    for row in rows:
        try:
            facts = ORDER.parse(row["facts"])
        except UnreadableInput:
            continue  # stored by another release: it is read anew with its next change, and not counted
        checked += 1
        signer = Signer(0, 1, facts.billing.name, facts.billing.email)
        source = Source(facts, profile, (signer,), language, now, "sample", "sample")
        for one in used:
            if one.field.stored and not one.field.read(source).strip():
                found[one.field.name].append((row["id"], row["label"]))
    return FieldCheck(checked, [Blanks(u, found[u.field.name]) for u in used])


def used_of(text: Text) -> list[UsedField]:
    """Return the merge fields of a text or of a template's mapping. Raises MarkupError."""
    if text.source == "text":
        return used_fields(parse_agreement(text.body))
    names = dict.fromkeys(((text.template or {}).get("mapping") or {}).values())
    return [UsedField(FIELDS[name], "open", ()) for name in names if name in FIELDS]


# As the signer gets it -----------------------------------------------------------------------------------------


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
    currency = str(store.profile.get("currency") or "USD")
    shared: dict[str, Any] = {
        "title": text.title,
        "facts": sample_order(currency),
        "profile": parse_profile(store.profile),
        "language": language,
        "document_id": f"sample-{number}-{version}",
        "made_at": now,
        "simulated": True,
    }
    name = f"agreement-{number}-version-{version}-{language}-sample.pdf"
    if text.source == "text":
        blocks = parse_agreement(text.body)
        prices = _prices_for(blocks, currency)
        cover = _cover_for(blocks, sample_order(currency), now)
        page = agreement_page(body=text.body, signers=_signers(blocks), price_list=prices, cover=cover, **shared)
        return name, (await render(page)).pdf
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
