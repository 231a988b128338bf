"""Asking everybody who signed an older version for the new one, in waves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bcapp.core.acceptances import Affected, Counts, plan_wave
from bcapp.core.intents import Note
from bcapp.core.model import RecordKey
from bcapp.core.rules import SignOnce
from bcapp.db.acceptances import affected
from bcapp.db.deliveries import say_command, say_look
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.workflows.protocol import Command

ASK_DAYS = 30  # how long a campaign's request stays open
TEST_MODE_WAITS = timedelta(minutes=10)


async def ask_campaign(work: Work) -> Outcome:
    """Send one wave: each party is asked on the last order known of it, once; the rest follow as the budget allows.

    Who has no order on record is asked with the next one, which the grace lets go on unheld.
    """
    db, now = work.services.db, work.services.clock.now()
    row = await db.fetch_one("fetch_campaign", {"store_hash": work.store.hash, "id": int(work.action.record.id)})
    if row is None or row["state"] != "running":
        return skipped("The campaign does not run.", look=False)
    if work.store.settings.test_mode:
        return Outcome(look=False, again_in=TEST_MODE_WAITS)
    people, rows = await affected(db, work.store.hash, row, now)
    asked_at = [r["asked_at"] for r in rows if r["asked_at"] is not None]
    wave = plan_wave(people, row["per_hour"], asked_at, now)
    scopes = {(r["party_kind"], r["party_id"]): (r["scope"], r["scope_id"]) for r in rows}
    once = await _once(work, row["agreement_id"])
    for each in wave.parties:
        await _ask(work, row, each, scopes[str(each.party.kind), each.party.id], once)
    if wave.next_at is not None:
        return Outcome(look=False, again_in=wave.next_at - now)
    values = {"store_hash": work.store.hash, "id": row["id"], "was": "running", "state": "done", "now": now}
    await db.execute("move_campaign", values)
    return Outcome(why="Everybody who has an order was asked.", intents=(Note("campaign_done"),), look=False)


async def _once(work: Work, agreement_id: int) -> SignOnce:
    """Return how long a signature counts, as the rule that asks for this agreement says now."""
    values = {"store_hash": work.store.hash, "agreement_id": agreement_id}
    stored = await work.services.db.fetch_val("once_of_agreement", values)
    if stored is None:
        return SignOnce("customer")
    return SignOnce(stored["scope"], int(stored.get("months", 0)), stored.get("until", ""))


async def _ask(work: Work, row: dict[str, Any], each: Affected, scope: tuple[str, str], once: SignOnce) -> None:
    """Hand the order to the worker as a person would who sends it by hand; both in one commit, so never twice."""
    db, now, record = work.services.db, work.services.clock.now(), RecordKey(each.kind, each.record)
    if record.kind != "order":  # the account's own rule asks, as for a renewal
        async with db.transaction():
            party = {"party_kind": str(each.party.kind), "party_id": each.party.id, "record_id": record.id}
            values = {"store_hash": work.store.hash, "campaign_id": row["id"], **party, "now": now}
            if await db.fetch_val("add_campaign_party", values) is not None:
                await say_look(db, work.store.hash, record, now)
        return
    of = {"store_hash": work.store.hash, "kind": record.kind, "id": record.id}
    order = await db.fetch_one("fetch_record", of)
    snapshot = (order["facts"].get("snapshot") or {}) if order else {}
    email = str(snapshot.get("email") or "")
    billing = snapshot.get("billing") or {}
    counts = Counts(each.party, scope[0], scope[1], once.months, once.until, row["id"])
    async with db.transaction():
        party = {"party_kind": str(each.party.kind), "party_id": each.party.id, "record_id": record.id}
        values = {"store_hash": work.store.hash, "campaign_id": row["id"], **party, "now": now}
        if await db.fetch_val("add_campaign_party", values) is None or "@" not in email:
            return
        payload = {
            "purpose": "customer",
            "agreement_id": row["agreement_id"],
            "account_id": row["account_id"],
            "signers": [{"name": billing.get("name") or billing.get("company") or email, "email": email}],
            "hold": False,
            "expiry_days": ASK_DAYS,
            "counts": counts.dump(),
        }
        why = f"Version {row['version']} of “{row['agreement']}” has to be signed anew."
        await say_command(
            db, work.services.secrets, work.store.hash, record, Command("send", row["author"], why, 0, payload), now
        )
