"""Requests, signers and holds as rows, and back to what the core talks about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.model import Hold, OpenAction, PlacedField, RecordKey, SignatureRequest, Signer
from bcapp.core.states import ActionState, HoldState, Purpose, RequestStatus, SignerRole, SignerState, Wanted
from bcapp.db import Database


def request_from_row(row: Mapping[str, Any], signers: tuple[Signer, ...] = ()) -> SignatureRequest:
    return SignatureRequest(
        id=row["id"],
        workflow=row["workflow"],
        rule_id=row["rule_id"],
        rule_version=row["rule_version"],
        purpose=Purpose(row["purpose"]),
        record=RecordKey(row["record_kind"], row["record_id"]),
        round=row["round"],
        round_why=row["round_why"],
        status_why=row["status_why"],
        projection=row["projection"],
        fingerprint=row["fingerprint"],
        snapshot=row["snapshot"],
        wanted=Wanted(row["wanted"]),
        wanted_why=row["wanted_why"],
        status=RequestStatus(row["status"]),
        checked=row["checked"],
        simulated=row["simulated"],
        blocks=row["blocks"],
        counts=row["counts"],
        external_id=row["external_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        signers=signers,
        fields=tuple(
            PlacedField(f["external_id"], f["signer"], f["type"], f.get("value", "text"), f.get("label", ""))
            for f in row["document_fields"]
        ),
        bounced=row["bounced"],
        provider_document=str(row["provider_document"] or ""),
        provider_document_url=row["provider_document_url"],
        provider_request=str(row["provider_request"] or ""),
        reminded=row["reminded"],
        remind_at=row["remind_at"],
        language=row["language"],
        account_id=row["account_id"],
        agreement_id=row["agreement_id"],
        agreement_version=row["agreement_version"],
        document_sha256=bytes(row["document_sha256"]) if row["document_sha256"] is not None else None,
        inputs=tuple(row["inputs"]),
    )


def signer_from_row(row: Mapping[str, Any]) -> Signer:
    return Signer(
        position=row["position"],
        turn=row["turn"],
        name=row["name"],
        email=row["email"],
        role=SignerRole(row["role"]),
        person_id=row["person_id"],
        may_forward=row["may_forward"],
        state=SignerState(row["state"]),
        state_at=row["state_at"],
        reason=row["reason"],
        forwarded_to=row["forwarded_to"],
        mended_from=row["mended_from"],
    )


def hold_from_row(row: Mapping[str, Any]) -> Hold:
    return Hold(
        record=RecordKey(row["record_kind"], row["record_id"]),
        method=row["method"],
        state=HoldState(row["state"]),
        state_why=row["state_why"],
        found=row["found"],
        left_as=row["left_as"],
        blocking=tuple(row["blocking"]),
        wanted_at=row["wanted_at"],
        held_at=row["held_at"],
        alarmed_at=row["alarmed_at"],
    )


def _of(store_hash: str, record: RecordKey) -> dict[str, Any]:
    return {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}


async def requests_of(db: Database, store_hash: str, record: RecordKey) -> tuple[SignatureRequest, ...]:
    """Return all rounds of the record, oldest first, with their signers."""
    signers: dict[int, list[Signer]] = defaultdict(list)
    for row in await db.fetch_all("signers_of_record", _of(store_hash, record)):
        signers[row["request_id"]].append(signer_from_row(row))
    rows = await db.fetch_all("requests_of_record", _of(store_hash, record))
    return tuple(request_from_row(row, tuple(signers[row["id"]])) for row in rows)


async def fetch_request(
    db: Database, store_hash: str, request_id: int, *, lock: bool = False
) -> SignatureRequest | None:
    name = "lock_request" if lock else "fetch_request"
    row = await db.fetch_one(name, {"store_hash": store_hash, "id": request_id})
    if row is None:
        return None
    signers = await db.fetch_all("signers_of_request", {"store_hash": store_hash, "request_id": request_id})
    return request_from_row(row, tuple(signer_from_row(s) for s in signers))


async def fetch_hold(db: Database, store_hash: str, record: RecordKey) -> Hold | None:
    row = await db.fetch_one("fetch_hold", _of(store_hash, record))
    return hold_from_row(row) if row else None


async def acted_on(db: Database, store_hash: str, record: RecordKey) -> frozenset[tuple[ActionKind, int]]:
    """Return (kind, request) of every action that was ever queued for a request of the record."""
    rows = await db.fetch_all("acted_on_record", _of(store_hash, record))
    known = ActionKind.__members__.values()
    return frozenset((ActionKind(r["kind"]), r["request_id"]) for r in rows if r["kind"] in known)


async def open_actions(db: Database, store_hash: str, record: RecordKey) -> tuple[OpenAction, ...]:
    rows = await db.fetch_all("open_actions", _of(store_hash, record))
    return tuple(
        OpenAction(r["id"], r["kind"], r["lane"], ActionState(r["state"]), r["request_id"], r["payload"]) for r in rows
    )
