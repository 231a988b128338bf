"""Requests and their documents: what was asked, how it stands, and the signed PDF."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import Field
from starlette.responses import Response

from bcapp.core.states import RequestStatus
from bcapp.db import audit, chunks
from bcapp.db.panel_requests import data_key
from bcapp.secrets import SealBroken
from bcapp.web.api.door import MOST_ID, Call, Query, Refused, cursor, operation
from bcapp.web.api.shapes import Moment, Page, RecordRef, Shape

PARTS = ("sent_document", "signed_document", "signing_log")


class SignerOut(Shape):
    """Who is asked. The link to the document is the signer's alone: it is in no answer."""

    position: int = Field(description="From 0, as in the document's fields.")
    turn: int = Field(description="Equal turns sign at the same time.")
    name: str
    email: str
    role: str = Field(description="sign, approve or copy")
    state: str = Field(description="waiting, emailed, opened, viewed, signed, declined, forwarded or bounced")
    state_at: Moment | None


class RequestOut(Shape):
    id: int
    record: RecordRef
    workflow: str
    rule_id: int = Field(description="0: sent by hand.")
    rule_version: int
    purpose: str = Field(description="internal (approvers) or customer")
    round: int
    wanted: str = Field(description="open or cancel: what we want of it")
    wanted_why: str
    status: str = Field(
        description="draft, queued, sent, viewed, partly_signed, completed, declined, expired, cancelled or failed"
    )
    checked: str = Field(
        description="Of a completed one: right, conflict, confirmed (by a person), or empty while it is checked. "
        "Only right and confirmed count as signed."
    )
    is_signed: bool = Field(description="completed, and checked to be the right person and the right text")
    bounced: bool
    simulated: bool = Field(description="Made in test mode: a signature has no effect.")
    blocks: bool = Field(description="It keeps the record's hold shut.")
    agreement_id: int
    agreement_version: int
    document_language: str
    created_at: Moment
    sent_at: Moment | None
    ended_at: Moment | None
    expires_at: Moment | None
    signers: tuple[SignerOut, ...]


class InputOut(Shape):
    id: str = Field(description="The field's name in the agreement.")
    type: str = Field(description="t text, n number, d date, c checkbox")
    value: Any = None


class DocumentOut(Shape):
    part: str = Field(description="sent_document, signed_document or signing_log")
    sha256: str = Field(description="Of the bytes, hex.")
    size_bytes: int
    verified: bool = Field(description="The bytes match the hash that the signature service gave.")
    kept_at: Moment


class RequestDetail(RequestOut):
    inputs: tuple[InputOut, ...] = Field(description="What signers typed into fields of the document.")
    documents: tuple[DocumentOut, ...]


def _shape(row: Mapping[str, Any], signers: list[Mapping[str, Any]]) -> dict[str, Any]:
    names = set(RequestOut.model_fields) - {"record", "is_signed", "signers"}
    return {
        **{name: row[name] for name in names},
        "record": RecordRef(kind=row["record_kind"], id=row["record_id"]),
        "is_signed": row["status"] == "completed" and row["checked"] in ("right", "confirmed"),
        "signers": tuple(SignerOut(**{name: signer[name] for name in SignerOut.model_fields}) for signer in signers),
    }


def _document(row: Mapping[str, Any]) -> DocumentOut:
    return DocumentOut(**{**row, "sha256": bytes(row["sha256"]).hex()})


async def signers_of(call: Call, ids: list[int]) -> Mapping[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await call.services.db.fetch_all("api_signers", {"store_hash": call.store.hash, "ids": ids}):
        found[row["request_id"]].append(row)
    return found


async def requests_page(
    call: Call, *, record_kind: str = "", record_id: str = "", size: int, before: int
) -> Page[RequestOut]:
    """Return a page of requests, newest first."""
    wanted = {
        "store_hash": call.store.hash,
        "before": before,
        "status": call.values.get("status") or "",
        "record_kind": record_kind,
        "record_id": record_id,
        "created_since": call.values.get("created_since"),
        "size": size + 1,
    }
    rows = await call.services.db.fetch_all("api_requests", wanted)
    shown = rows[:size]
    signers = await signers_of(call, [row["id"] for row in shown])
    return Page[RequestOut](
        data=[RequestOut(**_shape(row, signers[row["id"]])) for row in shown],
        next=cursor(str(shown[-1]["id"])) if len(rows) > size else None,
    )


@operation(
    "GET",
    "/requests",
    summary="List requests",
    answers=RequestOut,
    pages=True,
    query=(
        Query("status", "Only those with this status.", allowed=tuple(str(s) for s in RequestStatus)),
        Query("record_kind", "Only those of records of this kind, such as order."),
        Query("record_id", "Only those of the record with this id."),
        Query("created_since", "Only those made at this time or later.", "time"),
    ),
)
async def list_requests(call: Call) -> Page[RequestOut]:
    """Every request of the store, the newest first."""
    return await requests_page(
        call,
        record_kind=call.values.get("record_kind") or "",
        record_id=call.values.get("record_id") or "",
        size=call.limit,
        before=call.before(),
    )


@operation("GET", "/requests/{id}", summary="Read one request", answers=RequestDetail)
async def read_request(call: Call) -> RequestDetail:
    """One request with what signers typed and the documents that are kept."""
    of = {"store_hash": call.store.hash, "id": call.id()}
    row = await call.services.db.fetch_one("api_request", of)
    if row is None:
        raise Refused(404, "There is no request with this id.")
    signers = await signers_of(call, [row["id"]])
    return RequestDetail(
        **_shape(row, signers[row["id"]]),
        inputs=tuple(InputOut(id=str(i["id"]), type=str(i["type"]), value=i.get("value")) for i in row["inputs"]),
        documents=tuple(_document(d) for d in await _documents(call, row["id"])),
    )


async def _documents(call: Call, request_id: int) -> list[dict[str, Any]]:
    of = {"store_hash": call.store.hash, "request_id": request_id}
    return await call.services.db.fetch_all("api_documents", of)


@operation("GET", "/requests/{id}/documents/{part}", summary="Download a document", media_type="application/pdf")
async def read_document(call: Call) -> Response:
    """The PDF itself: sent_document, signed_document or signing_log. It is there once everybody has signed."""
    request_id, part = call.id(), call.text("part")
    if part not in PARTS:
        raise Refused(404, f"A document is one of {', '.join(PARTS)}.")
    row = next((d for d in await _documents(call, request_id) if d["part"] == part), None)
    if row is None:
        raise Refused(404, "This document is not kept (yet). It is fetched within minutes of the last signature.")
    s, sha256 = call.services, bytes(row["sha256"])
    key = await data_key(s.db, s.secrets, call.store.hash)
    if key is None:
        raise Refused(404, "The key of this store's documents was destroyed.")
    try:
        content = await chunks.read(s.db, key, call.store.hash, sha256)
    except SealBroken:
        raise Refused(500, "The document cannot be opened. Tell the operator of this installation.") from None
    detail = {"part": part, "sha256": sha256.hex()}
    await audit.append(
        s.db, call.store.hash, call.now, actor=call.bearer.actor, event="document_downloaded", request_id=request_id,
        detail=detail,
    )  # fmt: skip
    name = f"request-{request_id}-{part.replace('_', '-')}.pdf"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Digest": f"sha-256={sha256.hex()}",
        "X-Content-SHA256": sha256.hex(),
    }
    return Response(content, media_type="application/pdf", headers=headers)


OPERATIONS = [list_requests, read_request, read_document]
__all__ = ["MOST_ID", "OPERATIONS", "RequestOut", "requests_page"]
