"""The document of one request: which text its signer gets, in which language, with which prices, set as a PDF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bcapp.bigcommerce.prices import read_price_list
from bcapp.core.agreements import (
    Binding,
    PriceList,
    agreement_page,
    approval_page,
    choose_binding,
    signature_page,
    speaks,
    template_fields,
)
from bcapp.core.merge import parse_profile
from bcapp.core.model import Money, OrderFacts, RecordKey, SignatureRequest
from bcapp.core.rules import parse_definition, sentence
from bcapp.core.sheets import ASKS
from bcapp.core.states import Purpose, SignerRole
from bcapp.db import chunks
from bcapp.db.agreements import Text, bindings_of, fetch_version, list_bindings
from bcapp.documents.render import Rendered, render
from bcapp.documents.uploads import inspect_upload, render_upload
from bcapp.errors import RefusedByUs
from bcapp.jobs.accepting import company_of
from bcapp.jobs.directory import read_directory
from bcapp.jobs.outcome import Work
from bcapp.jobs.warranties import cover_of
from bcapp.workflows import warranty


@dataclass(frozen=True)
class Made:
    """A request's document. language: of the text that was set. binding: the customer's own text, None for the
    agreement's."""

    rendered: Rendered
    language: str
    binding: Binding | None = None


def document_id(request: SignatureRequest) -> str:
    return f"{request.id}-{request.round}"


async def make_document(work: Work, request: SignatureRequest, facts: Any) -> Made:
    """Set a request's document. Raises RefusedByUs and RemoteError when a price list cannot be read."""
    shared: dict[str, Any] = {
        "facts": facts,
        "profile": parse_profile(work.store.profile),
        "signers": request.signers,
        "language": request.language,
        "document_id": document_id(request),
        "made_at": work.services.clock.now(),
        "simulated": request.simulated,
        "kind": work.record,
    }
    if request.purpose is Purpose.INTERNAL:
        page = approval_page(
            title=f"Approval of {work.named.lower()}",
            why=await _why(work, request),
            limits=await _limits(work, request, facts),
            asks=ASKS.get((request.workflow, request.record.kind), ()),
            **shared,
        )
        return Made(await render(page), request.language)
    language, text = await text_of(work, request)
    # One document speaks one language; the region of the signer's own still writes its numbers and dates.
    shared["language"] = request.language if speaks(request.language, language) else language
    db, store_hash = work.services.db, work.store.hash
    customer_id = customer_of(request.record, facts)
    company_id = await _company_of(work, request, facts, customer_id)
    bindings = await bindings_of(db, store_hash, customer_id=customer_id, company_id=company_id)
    binding = choose_binding(bindings, request.agreement_id, customer_id=customer_id, company_id=company_id)
    prices = None
    if binding is not None:
        text = bound_text(text, binding)
        prices = await _prices(work, binding)
    if text.source == "template":
        positions = [s.position for s in request.signers if s.role is not SignerRole.COPY]
        template = text.template or {}
        return Made(Rendered(b"", "", template_fields(template["placeholders"], positions)), language)
    cover = await cover_of(work, request, facts) if request.workflow == warranty.SLUG else None
    if text.source == "text":
        page = agreement_page(title=text.title, body=text.body, price_list=prices, cover=cover, **shared)
        rendered = await render(page)
        return Made(rendered, language, binding)
    assert text.content is not None
    content = await chunks.read(db, await work.data_key(), store_hash, text.content)
    upload = await inspect_upload(content)
    page = signature_page(title=text.title, price_list=prices, cover=cover, **shared)
    return Made(await render_upload(content, upload, page, request.signers), language, binding)


async def _company_of(work: Work, request: SignatureRequest, facts: Any, customer_id: int) -> int:
    """Return the company that a record belongs to, 0 for none; of an order only where a company signs its own text."""
    if request.record.kind == "company":
        return int(request.record.id)
    if not isinstance(facts, OrderFacts):
        return int(getattr(facts, "company_id", 0) or 0)
    bound = await list_bindings(work.services.db, work.store.hash, request.agreement_id)
    if not any(b.party_kind == "company" for b in bound):
        return 0
    return await company_of(work.vendors, work.store, customer_id)


def customer_of(record: RecordKey, facts: Any) -> int:
    """Return the customer's number that a record belongs to, 0 for nobody's."""
    return int(record.id) if record.kind == "customer" else int(getattr(facts, "customer_id", 0))


def bound_text(text: Text, binding: Binding) -> Text:
    """Return what the party signs: its own PDF or terms, else the agreement's text, which its prices are set into."""
    title = binding.title or text.title
    match binding.what:
        case "pdf":
            return Text("pdf", title, content=binding.content)
        case "text":
            return Text("text", title, binding.body)
    if text.source == "template":
        raise RefusedByUs("A price list cannot be set into a template of the signature service.")
    return replace(text, title=title)


async def text_of(work: Work, request: SignatureRequest) -> tuple[str, Text]:
    """Return (language, text) of the request's agreement version for its signer."""
    version = await fetch_version(work.services.db, work.store.hash, request.agreement_id, request.agreement_version)
    if version is None:
        raise RefusedByUs("The agreement of this request does not exist any more. Choose another in the rule.")
    return version.text_for(request.language)


async def _prices(work: Work, binding: Binding) -> PriceList | None:
    if binding.price_list_id is None:
        return None
    client = await work.vendors.bigcommerce(work.store.hash)
    found = await read_price_list(client, binding.price_list_id)
    if found is None:
        raise RefusedByUs(
            f"The price list {binding.price_list_id} of this customer does not exist any more. "
            "Open the agreement and name another under “For one customer”."
        )
    return found


async def _why(work: Work, request: SignatureRequest) -> list[str]:
    """Return why the sheet is asked: the rule as a sentence, and the round's reason."""
    lines = []
    if request.rule_id:
        row = await work.services.db.fetch_one(
            "fetch_rule_definition_version",
            {"store_hash": work.store.hash, "rule_id": request.rule_id, "version": request.rule_version},
        )
        if row is not None:
            lines.append(f"{row['name']}: {sentence(parse_definition(row['definition']), work.record)}")
    else:
        lines.append("Sent for approval by hand.")
    if request.round > 1 and request.round_why:
        lines.append(f"Round {request.round}: {request.round_why}")
    return lines


async def _limits(work: Work, request: SignatureRequest, facts: Any) -> dict[int, Money | None]:
    money = work.record.brief(facts).money
    if money is None:
        return {}
    directory = await read_directory(work.services, work.store.hash)
    found: dict[int, Money | None] = {}
    for signer in request.signers:
        for limit in directory.limits:
            if limit.person_id == signer.person_id and limit.currency == money.currency:
                found[signer.position] = None if limit.up_to is None else Money(limit.up_to, limit.currency)
    return found
