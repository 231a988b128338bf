"""Bringing earlier signatures in: each line is looked at first, and brought in when a person says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bcapp.core.acceptances import Party, PartyKind
from bcapp.core.formats import zone_for
from bcapp.core.imports import Judged, KnownCustomer, KnownVersions, judge_line, key_of, wanted_customers
from bcapp.core.intents import Note
from bcapp.db.acceptances import discard_import, drop_import_files, look_at_waiting
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.services import Services

SLICE = 200
ABANDONED = timedelta(days=30)
AGAIN = timedelta()


async def clear(services: Services) -> None:
    """Discard, for every store, what was looked at long ago and never brought in: lines and PDFs name people."""
    now = services.clock.now()
    for row in await services.db.fetch_all("abandoned_imports", {"before": now - ABANDONED}):
        await discard_import(services.db, row["store_hash"], row["id"], 0, now)


async def import_acceptances(work: Work) -> Outcome:
    """Take an import one slice further: check its lines against the store, or bring in what matched.

    Where it stands is what its rows say, so a slice that was cut off is simply done again.
    """
    import_id = int(work.action.record.id)
    row = await work.services.db.fetch_one("fetch_import", {"store_hash": work.store.hash, "id": import_id})
    if row is None:
        return skipped("The import was discarded.", look=False)
    match row["state"]:
        case "checking":
            return await _check(work, import_id, row["files"])
        case "applying":
            return await _apply(work, import_id, row["files"])
        case state:
            return skipped(f"The import is {state}.", look=False)


async def _rows(work: Work, import_id: int, state: str) -> list[dict[str, Any]]:
    values = {"store_hash": work.store.hash, "import_id": import_id, "state": state, "most": SLICE}
    return await work.services.db.fetch_all("import_rows_in_state", values)


async def _move(work: Work, import_id: int, was: str, state: str) -> None:
    now = work.services.clock.now()
    values = {"store_hash": work.store.hash, "id": import_id, "was": was, "state": state, "now": now}
    await work.services.db.execute("move_import", values)


async def _check(work: Work, import_id: int, files: dict[str, str]) -> Outcome:
    db, now, zone = work.services.db, work.services.clock.now(), zone_for(work.store.timezone)
    of = {"store_hash": work.store.hash, "import_id": import_id}
    rows = await _rows(work, import_id, "waiting")
    if not rows:
        await _move(work, import_id, "checking", "checked")
        return Outcome(why="Every line was looked at.", look=False)
    agreements = await _agreements(work)
    ids, emails = wanted_customers([r["given"] for r in rows])
    client = await work.vendors.bigcommerce(work.store.hash)
    customers = [_customer(raw) for raw in await client.customers(ids=ids, emails=emails)]
    seen = {key_of(r["found"]): r["line"] for r in await db.fetch_all("import_rows_matched", of)}
    judged = []
    for row in rows:
        verdict = judge_line(row["given"], agreements, customers, files, now, zone)
        if verdict.found is not None:
            key = key_of(verdict.found)
            if key in seen:
                verdict = Judged("miss", f"The same signature as line {seen[key]}.")
            else:
                seen[key] = row["line"]
                verdict = await _unless_known(work, verdict)
        judged.append(
            {"line": row["line"], "state": verdict.state, "sentence": verdict.sentence, "found": verdict.found}
        )
    await db.execute("judge_import_rows", {**of, "rows": judged})
    return Outcome(look=False, again_in=AGAIN)


async def _agreements(work: Work) -> list[KnownVersions]:
    found: dict[int, dict[str, Any]] = {}
    for row in await work.services.db.fetch_all("agreements_by_name", {"store_hash": work.store.hash}):
        each = found.setdefault(row["id"], {"id": row["id"], "name": row["name"], "newest": row["version"], "n": set()})
        each["n"].add(row["number"])
    return [KnownVersions(a["id"], a["name"], a["newest"], frozenset(a["n"])) for a in found.values()]


def _customer(raw: dict[str, Any]) -> KnownCustomer:
    name = f"{raw.get('first_name') or ''} {raw.get('last_name') or ''}".strip()
    return KnownCustomer(int(raw["id"]), str(raw.get("email") or "").strip().lower(), name)


def _key(work: Work, found: dict[str, Any]) -> dict[str, Any]:
    names = ("party_kind", "party_id", "agreement_id", "agreement_version", "scope", "scope_id")
    return {
        "store_hash": work.store.hash,
        **{n: found[n] for n in names},
        "valid_from": datetime.fromisoformat(found["valid_from"]),
    }


async def _unless_known(work: Work, verdict: Judged) -> Judged:
    assert verdict.found is not None
    known = await work.services.db.fetch_one("known_acceptance", _key(work, verdict.found))
    if known is None:
        return verdict
    if verdict.found["document"] and known["document_sha256"] is None:
        return Judged("match", f"{verdict.sentence} It stands in the list already; its PDF is added.", verdict.found)
    return Judged("known", "It stands in the list already.")


async def _apply(work: Work, import_id: int, files: dict[str, str]) -> Outcome:
    db, now = work.services.db, work.services.clock.now()
    rows = await _rows(work, import_id, "match")
    if not rows:
        async with db.transaction():
            await _move(work, import_id, "applying", "applied")
            await drop_import_files(db, work.store.hash, files)  # what no line made use of
        return Outcome(why="Every match was brought in.", intents=(Note("import_done"),), look=False)
    waiting: set[tuple[str, str, int]] = set()
    async with db.transaction():
        for row in rows:
            found = row["found"]
            document = bytes.fromhex(found["document"]) if found["document"] else None
            values = {**_key(work, found), "document_sha256": document}
            added = await db.fetch_val(
                "add_acceptance",
                {
                    **values,
                    "label": found["label"],
                    "valid_until": datetime.fromisoformat(found["valid_until"]) if found["valid_until"] else None,
                    "request_id": None,
                    "import_id": import_id,
                    "now": now,
                },
            )
            if added is None and document is not None:
                await db.execute("add_acceptance_document", values)
            waiting.add((found["party_kind"], found["party_id"], found["agreement_id"]))
        lines = [r["line"] for r in rows]
        values = {"store_hash": work.store.hash, "import_id": import_id, "lines": lines}
        await db.execute("drop_import_rows", values)
        for kind, party_id, agreement_id in sorted(waiting):
            await look_at_waiting(db, work.store.hash, Party(PartyKind(kind), party_id), agreement_id, now)
    return Outcome(look=False, again_in=AGAIN)
