"""The sign-once ledger as rows: acceptances, exemptions, what covers a record, imports, campaigns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bcapp.core.acceptances import Acceptance, Affected, Bearer, Exemption, Ledger, Named, Party, PartyKind, Version
from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.db import Database, audit
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import say_look

PAGE = 50
NOBODY = Bearer("", 0, datetime(1970, 1, 1, tzinfo=UTC))


def acceptance_from_row(row: Mapping[str, Any]) -> Acceptance:
    return Acceptance(
        id=row["id"],
        party=Party(PartyKind(row["party_kind"]), row["party_id"]),
        agreement_id=row["agreement_id"],
        version=row["agreement_version"],
        scope=row["scope"],
        scope_id=row["scope_id"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        recorded_at=row["recorded_at"],
        revoked_at=row["revoked_at"],
        request_id=row["request_id"],
        import_id=row["import_id"],
    )


def _exemption_from_row(row: Mapping[str, Any]) -> Exemption:
    return Exemption(
        row["id"],
        Party(PartyKind(row["party_kind"]), row["party_id"]),
        row["agreement_id"],
        row["valid_from"],
        row["until"],
        row["why"],
        row["ended_at"],
    )


async def fetch_ledger(
    db: Database, store_hash: str, record: RecordKey, bearer: Bearer, agreements: Sequence[int]
) -> Ledger:
    """Return what is known about a record's party under these agreements."""
    parties = [p for p in (bearer.customer, bearer.company, bearer.email) if p is not None]
    of, signed = _of(store_hash, parties, agreements), await fetch_signed(db, store_hash, parties, agreements)
    on = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    asked = await db.fetch_all("asked_of_parties", {**of, "record_kind": record.kind, "record_id": record.id})
    return replace(
        signed,
        bearer=bearer,
        asked=frozenset(r["agreement_id"] for r in asked),
        named={
            r["rule_id"]: (r["acceptance_id"], r["exemption_id"]) for r in await db.fetch_all("covers_of_record", on)
        },
    )


def _of(store_hash: str, parties: Sequence[Party], agreements: Sequence[int]) -> dict[str, Any]:
    return {
        "store_hash": store_hash,
        "agreements": list(agreements),
        "kinds": [str(p.kind) for p in parties],
        "ids": [p.id for p in parties],
    }


async def fetch_signed(db: Database, store_hash: str, parties: Sequence[Party], agreements: Sequence[int]) -> Ledger:
    """Return what some parties have signed of these agreements, and who is exempt; whose it is is left open."""
    of = _of(store_hash, parties, agreements)
    versions: dict[int, list[Version]] = defaultdict(list)
    for row in await db.fetch_all("versions_of_agreements", {"store_hash": store_hash, "agreements": of["agreements"]}):
        version = Version(row["version"], row["material"], row["created_at"], row["binds_from"])
        versions[row["agreement_id"]].append(version)
    return Ledger(
        bearer=NOBODY,
        acceptances=tuple(acceptance_from_row(r) for r in await db.fetch_all("acceptances_of_parties", of)),
        exemptions=tuple(_exemption_from_row(r) for r in await db.fetch_all("exemptions_of_parties", of)),
        versions=versions,
    )


async def name_covers(
    db: Database,
    store_hash: str,
    record: RecordKey,
    covers: Mapping[int, Named],
    instead_of: Sequence[int],
    now: datetime,
) -> None:
    """Write down by what a record goes on, in place of what stood there of these rules."""
    on = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
    await db.execute("clear_covers", {**on, "rules": sorted({*instead_of, *covers})})
    for rule_id, cover in covers.items():
        await db.execute(
            "add_cover",
            {
                **on,
                "rule_id": rule_id,
                "acceptance_id": cover.acceptance_id,
                "exemption_id": cover.exemption_id,
                "sentence": cover.sentence,
                "now": now,
            },
        )


async def look_at_waiting(
    db: Database, store_hash: str, party: Party, agreement_id: int, now: datetime, *, but: RecordKey | None = None
) -> None:
    """Look again at the records that wait for this party's signature. agreement_id 0: under any agreement."""
    of: dict[str, Any] = {"store_hash": store_hash, "party_kind": str(party.kind), "party_id": party.id}
    name = "waiting_customer_requests"
    if agreement_id:
        name, of = "records_waiting_for_party", {**of, "agreement_id": agreement_id}
    for row in await db.fetch_all(name, of):
        record = RecordKey(row["record_kind"], row["record_id"])
        if record != but:
            await say_look(db, store_hash, record, now)


# The panel's lists ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    rows: list[dict[str, Any]]
    total: int


async def find_acceptances(
    db: Database,
    store_hash: str,
    now: datetime,
    *,
    q: str = "",
    agreement: int = 0,
    state: str = "",
    page: int = 1,
    personal: bool = True,
) -> Found:
    """Return one page. personal: names and addresses may be searched."""
    escaped = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = await db.fetch_all(
        "panel_acceptances",
        {
            "store_hash": store_hash,
            "q": q,
            "pattern": f"%{escaped}%",
            "personal": personal,
            "agreement": agreement,
            "state": state,
            "now": now,
            "most": PAGE,
            "skip": (page - 1) * PAGE,
        },
    )
    return Found(rows, rows[0]["total"] if rows else 0)


async def revoke(db: Database, store_hash: str, acceptance_id: int, why: str, author: int, now: datetime) -> bool:
    """Let an acceptance count no more for what is created from now on; False when it was revoked before."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": acceptance_id, "author": author, "why": why, "now": now}
        if await db.fetch_val("revoke_acceptance", values) is None:
            return False
        await _note(db, store_hash, "acceptance", acceptance_id, "acceptance_revoked", author, now)
    return True


async def erase(db: Database, store_hash: str, row: Mapping[str, Any], author: int, now: datetime) -> None:
    """Forget the name and address of an acceptance's party everywhere in the ledger."""
    of = {"store_hash": store_hash, "party_kind": row["party_kind"], "party_id": row["party_id"]}
    async with db.transaction():
        await db.execute("erase_party_labels", of)
        await db.execute("erase_exemption_labels", of)
        await _note(db, store_hash, "acceptance", row["id"], "acceptance_party_erased", author, now)


async def exempt(
    db: Database,
    store_hash: str,
    party: Party,
    label: str,
    agreement_id: int,
    until: datetime,
    why: str,
    author: int,
    now: datetime,
) -> int:
    """Let a party off until then; what waits for its signature is looked at again."""
    async with db.transaction():
        exemption_id = int(
            await db.fetch_val(
                "add_exemption",
                {
                    "store_hash": store_hash,
                    "party_kind": str(party.kind),
                    "party_id": party.id,
                    "label": label,
                    "agreement_id": agreement_id,
                    "until": until,
                    "why": why,
                    "author": author,
                    "now": now,
                },
            )
        )
        await _note(db, store_hash, "exemption", exemption_id, "exemption_made", author, now)
        if party.kind is not PartyKind.EMAIL:  # whether there is such an account is found out, and shown in the list
            await say_look(db, store_hash, RecordKey(str(party.kind), party.id), now)
        await look_at_waiting(db, store_hash, party, agreement_id, now)
    return exemption_id


async def end_exemption(db: Database, store_hash: str, exemption_id: int, why: str, author: int, now: datetime) -> bool:
    async with db.transaction():
        values = {"store_hash": store_hash, "id": exemption_id, "author": author, "why": why, "now": now}
        if await db.fetch_val("end_exemption", values) is None:
            return False
        await _note(db, store_hash, "exemption", exemption_id, "exemption_ended", author, now)
    return True


# Imports ----------------------------------------------------------------------------------------------------


async def add_import(
    db: Database,
    store_hash: str,
    *,
    file_name: str,
    files: Mapping[str, str],
    rows: Sequence[tuple[int, Mapping[str, str]]],
    author: int,
    now: datetime,
) -> int:
    """Keep an import's lines and have them looked at by the worker. files: lower-case name -> SHA-256 in hex."""
    async with db.transaction():
        values = {"store_hash": store_hash, "file_name": file_name, "files": dict(files), "author": author, "now": now}
        import_id = int(await db.fetch_val("add_import", values))
        given = [{"line": line, "given": dict(row)} for line, row in rows]
        await db.execute("add_import_rows", {"store_hash": store_hash, "import_id": import_id, "rows": given})
        await _note(
            db, store_hash, "import", import_id, "import_made", author, now, {"lines": len(rows), "files": len(files)}
        )
        await queue_action(db, store_hash, ActionKind.IMPORT_ACCEPTANCES, RecordKey("import", str(import_id)), now)
    return import_id


async def apply_import(db: Database, store_hash: str, import_id: int, author: int, now: datetime) -> bool:
    """Have what matched brought in; False when it is not checked, or was applied before."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": import_id, "was": "checked", "state": "applying", "now": now}
        if await db.fetch_val("move_import", values) is None:
            return False
        await _note(db, store_hash, "import", import_id, "import_applied", author, now)
        await queue_action(db, store_hash, ActionKind.IMPORT_ACCEPTANCES, RecordKey("import", str(import_id)), now)
    return True


async def discard_import(db: Database, store_hash: str, import_id: int, author: int, now: datetime) -> bool:
    """Forget an import that brought nothing in; its lines and PDFs go with it. author 0: the app, after a while."""
    async with db.transaction():
        files = await db.fetch_val("delete_import", {"store_hash": store_hash, "id": import_id})
        if files is None:
            return False
        await drop_import_files(db, store_hash, files)
        await _note(db, store_hash, "import", import_id, "import_discarded", author, now)
    return True


async def drop_import_files(db: Database, store_hash: str, files: Mapping[str, str]) -> None:
    """Forget the PDFs of an import that ended, but for those that something else points at. files: see add_import."""
    if files:
        await db.execute("drop_import_files", {"store_hash": store_hash, "hashes": sorted(set(files.values()))})


async def import_counts(db: Database, store_hash: str, import_id: int) -> dict[str, int]:
    """Return how many lines are in each state."""
    rows = await db.fetch_all("import_counts", {"store_hash": store_hash, "import_id": import_id})
    return {r["state"]: r["count"] for r in rows}


# Campaigns --------------------------------------------------------------------------------------------------


async def start_campaign(
    db: Database,
    store_hash: str,
    *,
    agreement_id: int,
    version: int,
    account_id: int,
    per_hour: int,
    grace_until: datetime,
    author: int,
    now: datetime,
) -> int | None:
    """Return the id of the new campaign, None when this version has one."""
    async with db.transaction():
        found = await db.fetch_val(
            "add_campaign",
            {
                "store_hash": store_hash,
                "agreement_id": agreement_id,
                "version": version,
                "account_id": account_id,
                "per_hour": per_hour,
                "grace_until": grace_until,
                "author": author,
                "now": now,
            },
        )
        if found is None:
            return None
        detail = {"agreement": agreement_id, "version": version}
        await _note(db, store_hash, "campaign", found, "campaign_started", author, now, detail)
        await queue_action(db, store_hash, ActionKind.ASK_CAMPAIGN, RecordKey("campaign", str(found)), now)
    return int(found)


async def move_campaign(
    db: Database, store_hash: str, campaign_id: int, *, was: str, state: str, author: int, now: datetime
) -> bool:
    """Stop a campaign's waves, or let them go on. The grace stands either way."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": campaign_id, "was": was, "state": state, "now": now}
        if await db.fetch_val("move_campaign", values) is None:
            return False
        event = "campaign_stopped" if state == "stopped" else "campaign_resumed"
        await _note(db, store_hash, "campaign", campaign_id, event, author, now)
        if state == "running":
            await queue_action(db, store_hash, ActionKind.ASK_CAMPAIGN, RecordKey("campaign", str(campaign_id)), now)
    return True


async def affected(
    db: Database, store_hash: str, campaign: Mapping[str, Any], now: datetime
) -> tuple[list[Affected], list[dict[str, Any]]]:
    """Return whom a campaign is about, and the same as rows with label, asked_at and waiting."""
    rows = await db.fetch_all(
        "affected_parties",
        {
            "store_hash": store_hash,
            "agreement_id": campaign["agreement_id"],
            "version": campaign["version"],
            "campaign_id": campaign["id"],
            "now": now,
        },
    )
    return [
        Affected(
            Party(PartyKind(r["party_kind"]), r["party_id"]),
            "" if r["gone"] else r["record_id"],
            r["asked_at"] is not None or r["waiting"],
            r["signed"],
            r["record_kind"],
        )
        for r in rows
    ], rows


async def _note(
    db: Database,
    store_hash: str,
    kind: str,
    number: int,
    event: str,
    author: int,
    now: datetime,
    detail: Mapping[str, Any] = audit.NOTHING,
) -> None:
    record = RecordKey(kind, str(number))
    actor = f"user:{author}" if author else "app"
    await audit.append(db, store_hash, now, actor=actor, event=event, record=record, detail=detail)
