"""Erasing a person from one store's tables. What was signed, and the audit log, stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bcapp.core.rules import RuleDefinition, parse_definition
from bcapp.db import Database, audit
from bcapp.db.stores import Store
from bcapp.errors import RefusedByUs

MARK = "erased"
SHORTEST_NAME = 3  # a shorter one stands in too many other words
# Of a snapshot, whatever its kind; numbers under these names stay.
PERSONAL = ("email", "billing", "shipping", "address", "applicant", "application", "form", "customer")


@dataclass(frozen=True)
class Erased:
    """counts: rows by what they were, in words, only where there were any. kept: requests whose documents stay.

    rules: names of rules whose own conditions name the address.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    kept: int = 0
    rules: tuple[str, ...] = ()


async def erase_address(db: Database, store: Store, email: str, *, digest: str, actor: str, now: datetime) -> Erased:
    """Erase whoever has this address (lower case) from the store's tables, in one transaction.

    digest: what stands for the address in the ledger of acceptances, "" without one. Raises RefusedByUs with what to do
    first, while the store still works with this person.
    """
    async with db.transaction():
        of = {"store_hash": store.hash, "email": email}
        person = await db.fetch_one("erasing_person", of)
        person_id = int(person["id"]) if person else 0
        user = await db.fetch_one("erasing_user", of)
        await _refuse_needed(db, store, email, person_id, user)
        requests = await db.fetch_all("erasing_requests", {**of, "person_id": person_id or None})
        if still := [r for r in requests if r["is_open"]]:
            listed = ", ".join(f"{r['id']} ({r['record_kind']} {r['record_id']})" for r in still[:10])
            raise RefusedByUs(f"Requests are still open: {listed}. Cancel them or have them ended, then run it again.")
        erased = await _erase(db, store.hash, email, person, user, requests, digest)
        if erased.counts:
            detail = {name.replace(" ", "_"): count for name, count in erased.counts.items()}
            await audit.append(db, store.hash, now, actor=actor, event="person_erased", detail=detail)
    return erased


async def _refuse_needed(
    db: Database, store: Store, email: str, person_id: int, user: Mapping[str, Any] | None
) -> None:
    """Raise RefusedByUs when the store needs this person or address."""
    if user is not None and user["state"] == "active":
        raise RefusedByUs("The address is that of a user of the control panel. Remove the user in BigCommerce first.")
    if email == store.settings.support_email:
        raise RefusedByUs("It is the store's address for questions. Change it under Settings first.")
    if email == str(store.profile.get("order_email") or "").strip().lower():
        raise RefusedByUs("It is the store's own address at BigCommerce. Change it there first.")
    if not person_id:
        return
    of = {"store_hash": store.hash, "person_id": person_id}
    if store.settings.alarm_person == person_id:
        raise RefusedByUs("This person gets the alarms. Name somebody else under Settings first.")
    for row in await db.fetch_all("erasing_live_rules", {"store_hash": store.hash}):
        if person_id in _people_of(parse_definition(row["definition"])):
            raise RefusedByUs(f"The live rule “{row['name']}” names this person. Change the rule first.")
    if stands_in := await db.fetch_val("erasing_stands_in", of):
        raise RefusedByUs(f"This person stands in for {stands_in}. Name another deputy under People first.")
    if await db.fetch_val("erasing_changes", of):
        raise RefusedByUs("A change of this person waits for a second manager. Have it decided under People first.")


def _people_of(definition: RuleDefinition) -> set[int]:
    bands = (person for band in definition.bands for person in band.people)
    steps = (step.person for step in definition.steps)
    return {*definition.approvers, *definition.copies, *definition.unknown_requester, *bands, *steps}


async def _erase(
    db: Database,
    store_hash: str,
    email: str,
    person: Mapping[str, Any] | None,
    user: Mapping[str, Any] | None,
    requests: list[dict[str, Any]],
    digest: str,
) -> Erased:
    person_id = int(person["id"]) if person else 0
    theirs = [r for r in requests if r["mine"] or r["about"]]
    pattern = _address_pattern(email)
    who = {"store_hash": store_hash, "email": email, "pattern": pattern}
    records = await db.fetch_all(
        "erasing_records", {**who, **_keys((r["record_kind"], r["record_id"]) for r in theirs)}
    )
    snapshots = [r["snapshot"] for r in theirs] + [(r["facts"] or {}).get("snapshot") or {} for r in records]
    signed_as = [name for r in requests for name in r["names"]]
    names = _names([*signed_as, person["name"] if person else ""], snapshots)
    known = [(r["kind"], r["id"]) for r in records]
    past = await db.fetch_all("erase_past_records", {**who, **_keys(known)})
    keys = _keys({*known, *((r["kind"], r["id"]) for r in past)})
    customers = {str(s["customer"]) for s in snapshots if _is_about(s, email) and s.get("customer")}
    party = {"customers": sorted(customers), "pattern": pattern, "store_hash": store_hash}
    ids, all_ids = [r["id"] for r in theirs], [r["id"] for r in requests]
    texts = {
        "store_hash": store_hash, "pattern": pattern, "mark": MARK,
        "all": f"{pattern}|{names}" if names else pattern,
    }  # fmt: skip
    about = {**texts, **keys}
    signer = {"store_hash": store_hash, "email": email, "person_id": person_id or None, "mark": MARK}
    counts = {
        "stored past records": len(past),
        "records": await db.fetch_val("erase_records", {"store_hash": store_hash, **keys}),
        "decisions": await db.fetch_val("erase_decisions", {"store_hash": store_hash, "pattern": pattern, **keys}),
        "tries of rules": await db.fetch_val(
            "erase_tryouts", {"store_hash": store_hash, "pattern": pattern, "names": names}
        ),
        "requests": await _erase_requests(db, store_hash, theirs),
        # Before the signers: it is by them that questions are known.
        "questions": await db.fetch_val(
            "erase_questions",
            {"store_hash": store_hash, "email": email, "person_id": person_id or None, "pattern": pattern},
        ),
        "signers": await db.fetch_val("erase_signers", signer),
        "people": await _erase_person(db, store_hash, person_id, user),
        "acceptances": await db.fetch_val("erase_acceptances", {**party, "digest": digest, "requests": ids}),
        "registrations": await db.fetch_val(
            "erase_registrations", {"store_hash": store_hash, "digest": digest, "requests": ids}
        ),
        "exemptions": await db.fetch_val("erase_exemptions", party),
        "texts for one customer": await db.fetch_val("erase_bindings", party),
        "cases": await db.fetch_val("erase_cases", {"store_hash": store_hash, "email": email, "pattern": pattern}),
        "rows of imports": await db.fetch_val("erase_import_rows", {"store_hash": store_hash, "pattern": pattern})
        + await db.fetch_val("erase_supplier_lines", {"store_hash": store_hash, "pattern": pattern}),
        # Before the contacts: it is by them that a supplier's papers are known.
        "papers that were uploaded": await db.fetch_val(
            "erase_papers", {"store_hash": store_hash, "email": email, "requests": all_ids, **keys}
        ),
        "contacts of suppliers": await db.fetch_val(
            "erase_supplier_contacts", {"store_hash": store_hash, "email": email}
        ),
        "quotes made by hand": await db.fetch_val(
            "erase_own_quotes", {"store_hash": store_hash, "email": email, "pattern": pattern}
        ),
        "questions for the returns form": await db.fetch_val("erase_return_asks", {"store_hash": store_hash, **keys}),
        "documents signed elsewhere": await db.fetch_val("erase_outside", {**about, "email": email}),
        "tasks": await db.fetch_val("erase_in_tasks", {**about, "requests": all_ids}),
        "reasons": await db.fetch_val("erase_in_requests", {**texts, "requests": all_ids})
        + await db.fetch_val("erase_in_actions", about)
        + await db.fetch_val("erase_in_holds", about)
        + await db.fetch_val("erase_in_reasons", {"store_hash": store_hash, "pattern": pattern, "mark": MARK}),
    }
    named = await db.fetch_all("erasing_rules_with_address", {"store_hash": store_hash, "pattern": pattern})
    kept = await db.fetch_val("erasing_kept", {"store_hash": store_hash, "requests": all_ids})
    return Erased({k: int(n) for k, n in counts.items() if n}, int(kept), tuple(r["name"] for r in named))


async def _erase_requests(db: Database, store_hash: str, requests: Iterable[Mapping[str, Any]]) -> int:
    """Blank who stands in the snapshots and what was typed; the fingerprint, which names nobody, stays."""
    changed = 0
    for request in requests:
        snapshot = {k: _blank(v) if k in PERSONAL else v for k, v in request["snapshot"].items()}
        if snapshot == request["snapshot"] and not request["inputs"]:
            continue
        values = {"store_hash": store_hash, "id": request["id"], "snapshot": snapshot, "inputs": []}
        await db.execute("erase_request", values)
        changed += 1
    return changed


async def _erase_person(db: Database, store_hash: str, person_id: int, user: Mapping[str, Any] | None) -> int:
    if person_id:
        await db.execute("erase_limits", {"store_hash": store_hash, "person_id": person_id})
        await db.execute("erase_person", {"store_hash": store_hash, "person_id": person_id, "mark": MARK})
    if user is not None:
        await db.execute("erase_user", {"store_hash": store_hash, "id": user["id"], "mark": MARK})
    return int(bool(person_id)) + int(user is not None)


def _address_pattern(email: str) -> str:
    """Return an expression of PostgreSQL that finds the address and none that it is only a part of."""
    return rf"(?<![a-z0-9._%+-]){re.escape(email)}(?![a-z0-9-]|\.[a-z0-9])"


def _names(given: Iterable[str], snapshots: Iterable[Mapping[str, Any]]) -> str:
    """Return an expression that finds the names known for the person, "" for none."""
    billed = (str((s.get("billing") or {}).get("name") or "") for s in snapshots)
    found = {name.strip() for name in (*given, *billed)}
    usable = sorted((n for n in found if len(n) >= SHORTEST_NAME and n != MARK), key=len, reverse=True)
    return rf"\m({'|'.join(map(re.escape, usable))})\M" if usable else ""


def _is_about(snapshot: Mapping[str, Any], email: str) -> bool:
    return str(snapshot.get("email") or "").strip().lower() == email


def _keys(records: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    listed = sorted(set(records))
    return {"kinds": [kind for kind, _ in listed], "ids": [number for _, number in listed]}


def _blank(value: Any) -> Any:
    """Return a JSON value of the same shape whose texts are empty."""
    match value:
        case dict():
            return {k: _blank(v) for k, v in value.items()}
        case list():
            return [_blank(v) for v in value]
        case str():
            return ""
        case _:
            return value
