"""Finding documents that were signed at the signature service without us, and keeping those that a person linked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import structlog

from bcapp.core.model import RecordKey
from bcapp.core.outside import (
    LOOKS_BACK,
    Candidate,
    Known,
    Suggestion,
    may_be_suggested,
    read_mark,
    signed_at,
    signed_by,
    suggest,
)
from bcapp.core.provider import ProviderDocument
from bcapp.db import audit, chunks
from bcapp.db.outside import TASK, settle_task
from bcapp.errors import RefusedByUs, RemoteError, UnreadableInput
from bcapp.jobs.accepting import data_key
from bcapp.jobs.asking import ask_person
from bcapp.jobs.rounds import Round, Swept
from bcapp.jobs.signing import MOST_BYTES
from bcapp.signature.client import CoreSignature

log = structlog.get_logger(__name__)

LOOK = (
    "Documents that were signed in Core Signature without this app may belong to your records. Open Requests, Signed "
    "elsewhere, and say on each record's page whether they do."
)
MOST_PAGES = 3  # from each end of the list of documents, of 100 each


async def sweep_outside(of: Round) -> Swept:
    """Keep what was linked, then compare what was signed lately with the store's records.

    An account that cannot be read is left for the next round: its own test says what is wrong.
    """
    counts = {"kept": await _keep_linked(of), "read": 0, "suggested": 0, "failed": 0}
    for account in await of.services.db.fetch_all("outside_accounts", {"store_hash": of.store.hash}):
        try:
            client = await of.vendors.signature(of.store.hash, account["id"])
            documents = await client.signed_documents(MOST_PAGES)
        except (RemoteError, RefusedByUs, UnreadableInput) as exc:
            log.info("outside_not_read", store=of.store.hash, account=account["id"], error=str(exc))
            counts["failed"] += 1
            continue
        counts["read"] += len(documents)
        counts["suggested"] += await _compare(of, account["id"], documents)
    async with of.services.db.transaction():
        if counts["suggested"]:
            record = RecordKey("store", of.store.hash)
            await ask_person(of.services.db, of.store.hash, record, of.now, kind=TASK, text=LOOK)
        await settle_task(of.services.db, of.store.hash, of.now)
    return of.now, counts


# Suggesting -------------------------------------------------------------------------------------------------


async def _compare(of: Round, account_id: int, documents: Sequence[ProviderDocument]) -> int:
    """Write down which records documents of an account may belong to; return how many suggestions are new."""
    db, store_hash = of.services.db, of.store.hash
    seen = [d for d in documents if _can_be_kept(d)]
    sharing = await db.fetch_all("outside_sharing", {"store_hash": store_hash, "account_id": account_id})
    others = [r["store_hash"] for r in sharing]
    fresh = [d for d in seen if may_be_suggested(d, store_hash, of.now)]
    taken = {
        r["document"]
        for r in await db.fetch_all(
            "outside_taken", {"store_hashes": [store_hash, *others], "documents": [d.uuid for d in fresh]}
        )
    }
    # Nearly all are our own: the records are searched only for what is left.
    fresh = [d for d in fresh if d.uuid not in taken]
    rows: list[dict[str, Any]] = []
    if fresh:
        known = await _known(of, others, taken, fresh)
        rows = [_row(d, s) for d in fresh for s in suggest(d, known, of.now)]
    values = {"store_hash": store_hash, "account_id": account_id, "rows": rows}
    async with db.transaction():
        await db.execute("drop_suggestions", {**values, "seen": [d.uuid for d in seen], "before": of.now - LOOKS_BACK})
        return int(await db.fetch_val("keep_suggestions", {**values, "now": of.now})) if rows else 0


def _can_be_kept(document: ProviderDocument) -> bool:
    """Return whether what a stranger wrote into a document can stand in our tables."""
    texts = (document.name, document.external_id, document.template, *(s.email for s in document.signers))
    try:
        return str(UUID(document.uuid)) == document.uuid and b"\0" not in "".join(texts).encode()
    except ValueError:  # no uuid, or halves of characters
        return False


def _row(document: ProviderDocument, found: Suggestion) -> dict[str, Any]:
    at = signed_at(document)
    return {
        "document": document.uuid,
        "kind": found.record.kind,
        "id": found.record.id,
        "reasons": [str(r) for r in found.reasons],
        "name": document.name[:255],
        "signers": [
            {"email": s.email, "signed_at": s.signed_at.isoformat() if s.signed_at else None}
            for s in document.signers
            if s.signed and s.needs_to_sign
        ],
        "signed_at": at.isoformat() if at else None,
    }


async def _known(of: Round, others: list[str], taken: Collection[str], documents: Sequence[ProviderDocument]) -> Known:
    """Return what the store knows that such documents can be compared with, and what other stores know of them.

    others: stores that use the same account. taken: documents that are none of these.
    """
    db, own = of.services.db, {"store_hash": of.store.hash}
    emails = sorted({email for d in documents for email in signed_by(d)})
    templates = sorted({d.template for d in documents if d.template})
    external = sorted({d.external_id.strip() for d in documents if d.external_id.strip()})
    requests = await db.fetch_all("outside_requests", {**own, "external_ids": external})
    return Known(
        store_hash=of.store.hash,
        candidates=await _candidates(
            of, documents, emails, templates, [RecordKey(r["kind"], r["id"]) for r in requests]
        ),
        requests={r["external_id"]: RecordKey(r["kind"], r["id"]) for r in requests},
        taken=taken,
        templates=frozenset(
            r["template"] for r in await db.fetch_all("outside_templates", {**own, "templates": templates})
        ),
        shared=bool(others),
        foreign=frozenset(
            r["email"] for r in await db.fetch_all("outside_addresses", {"store_hashes": others, "emails": emails})
        )
        if others
        else frozenset(),
        staff=frozenset(r["email"] for r in await db.fetch_all("outside_staff", {**own, "emails": emails})),
    )


async def _candidates(
    of: Round,
    documents: Sequence[ProviderDocument],
    emails: list[str],
    templates: list[str],
    asked: Sequence[RecordKey],
) -> tuple[Candidate, ...]:
    db, own = of.services.db, {"store_hash": of.store.hash}
    addresses: dict[RecordKey, set[str]] = {}
    made_from: dict[RecordKey, set[str]] = {}
    for row in await db.fetch_all("outside_by_address", {**own, "emails": emails}):
        addresses.setdefault(RecordKey(row["kind"], row["id"]), set()).add(row["email"])
    for row in await db.fetch_all("outside_by_template", {**own, "templates": templates}):
        made_from.setdefault(RecordKey(row["kind"], row["id"]), set()).add(row["template"])
    marks = (read_mark(d.external_id) for d in documents)
    keys = {*asked, *addresses, *made_from, *(m.record for m in marks if m is not None and m.record is not None)}
    listed = sorted(keys, key=lambda k: (k.kind, k.id))
    rows = await db.fetch_all(
        "outside_records", {**own, "kinds": [k.kind for k in listed], "ids": [k.id for k in listed]}
    )
    found = []
    for row in rows:
        key = RecordKey(row["kind"], row["id"])
        found.append(
            Candidate(
                key,
                row["created_at"],
                frozenset(addresses.get(key, ())),
                frozenset(made_from.get(key, ())),
                row["waits"],
            )
        )
    return tuple(found)


# Keeping ----------------------------------------------------------------------------------------------------


async def _keep_linked(of: Round) -> int:
    """Keep the PDF and the signing log of documents that were linked; return of how many. One that fails waits for the
    next round."""
    kept = 0
    clients: dict[int, CoreSignature] = {}
    for row in await of.services.db.fetch_all("outside_unkept", {"store_hash": of.store.hash}):
        try:
            if row["account_id"] not in clients:
                clients[row["account_id"]] = await of.vendors.signature(of.store.hash, row["account_id"])
            kept += await _keep(of, clients[row["account_id"]], row)
        except (RemoteError, RefusedByUs, UnreadableInput) as exc:
            log.info("outside_not_kept", store=of.store.hash, document=row["document"], error=str(exc))
    return kept


async def _keep(of: Round, client: CoreSignature, row: dict[str, Any]) -> bool:
    db, now, of_row = of.services.db, of.services.clock.now(), {"store_hash": of.store.hash, "id": row["id"]}
    document = await client.fetch_document(row["document"])
    if document is None:
        await db.execute("miss_outside", of_row)
        return False
    if document.processing or not document.pdf_url:
        return False
    pdf = await client.download(document.pdf_url, MOST_BYTES, sha256=document.pdf_sha256)
    signing_log = (
        await client.download(document.log_url, MOST_BYTES, sha256=document.log_sha256) if document.log_url else b""
    )
    key = await data_key(db, of.services.secrets, of.store.hash)
    async with db.transaction():
        signed_sha256 = await chunks.keep(db, key, of.store.hash, pdf)
        log_sha256 = await chunks.keep(db, key, of.store.hash, signing_log) if signing_log else None
        values = {
            **of_row, "signed_sha256": signed_sha256, "log_sha256": log_sha256, "verified": bool(document.pdf_sha256),
            "now": now,
        }  # fmt: skip
        if await db.fetch_val("keep_outside", values) is None:
            return False  # taken off the record meanwhile
        detail = {"document": row["document"], "sha256": signed_sha256.hex()}
        record = RecordKey(row["record_kind"], row["record_id"])
        await audit.append(db, of.store.hash, now, actor="app", event="outside_kept", record=record, detail=detail)
    return True
