"""Access until the terms are signed: a customer waits in another group, a company's buyers cannot buy; and renewal."""

from __future__ import annotations

from typing import Any

from bcapp.bigcommerce.companies import parse_credit
from bcapp.bigcommerce.parse import parse_customer
from bcapp.core.intents import AskPerson, MoveHold, SettleTasks
from bcapp.core.model import Hold, RecordKey
from bcapp.core.rules import RuleInForce, parse_definition
from bcapp.core.states import HoldEvent, HoldState
from bcapp.db.deliveries import say_look
from bcapp.db.requests import fetch_hold
from bcapp.errors import BigCommerceError
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.rounds import Round, Swept
from bcapp.workflows.customer_terms import SLUG, counted

GONE = "The account does not exist any more."
AT_ONCE = 200  # records of a round; the rest follows with the next one
SETTLED = ("not_withheld", "not_signed", "let_go")


async def _hold(work: Work) -> Hold | None:
    return await fetch_hold(work.services.db, work.store.hash, work.action.record)


async def _group_of(work: Work) -> int | None:
    """Return the customer's group, None for a customer who does not exist any more."""
    rows = await (await work.vendors.bigcommerce(work.store.hash)).customers(ids=[work.order_id])
    raw = next((r for r in rows if r.get("id") == work.order_id), None)
    return None if raw is None else parse_customer(raw).group_id


async def withhold_access(work: Work) -> Outcome:
    """Put the customer into the group of the unsigned, or stop the company's purchases; what stood there is kept."""
    hold = await _hold(work)
    if hold is None or hold.state is not HoldState.HOLDING:
        return skipped("Access is not to be withheld any more.")
    if work.action.record.kind == "company":
        return await _stop_company(work)
    group = int(work.action.payload.get("group") or 0)
    now_in = await _group_of(work)
    if now_in is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    found = await work.found(group_id=now_in)
    left: dict[str, Any] = {}
    if group:
        if now_in != group:
            client = await work.vendors.bigcommerce(work.store.hash)
            try:
                await client.put_customer(work.order_id, customer_group_id=group)
            except BigCommerceError as exc:
                if not exc.permanent or exc.status not in (400, 404, 422):
                    raise
                return _cannot(work, f"group {group} could not be set. Look at the group that the rule names.")
        left = {"group_id": group}
    why = f"In group {group} until the terms are signed." if group else "The terms are not signed yet."
    return Outcome(left_as=left, intents=(MoveHold(HoldEvent.PLACED, why, found=found, left=left),))


async def _stop_company(work: Work) -> Outcome:
    client = await work.vendors.b2b(work.store.hash)
    if await client.fetch_company(work.order_id) is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    credit = await client.credit(work.order_id)
    if credit is None:
        return _cannot(work, "company credit is switched off. In B2B Edition, Settings, Payments, switch it on.")
    found = await work.found(credit_hold=parse_credit(credit).hold)
    # Whether the hold stops card payments too is not confirmed: orders that come all the same are a rule's of orders.
    if not parse_credit(credit).hold:
        await client.set_credit(work.order_id, creditHold=True)
    left = {"credit_hold": True}
    why = "The company cannot buy until the terms are signed."
    return Outcome(left_as=left, intents=(MoveHold(HoldEvent.PLACED, why, found=found, left=left),))


def _cannot(work: Work, why: str) -> Outcome:
    """Nothing is withheld: say so once; the request stays, and is not withheld for anew."""
    text = f"{work.named} keeps its access although the terms are not signed: {why}"
    told = AskPerson("not_withheld", text, alarm=True)
    return skipped("Access could not be withheld.", MoveHold(HoldEvent.TOO_LATE, text), told)


async def grant_access(work: Work) -> Outcome:
    """Give back what was withheld, where it still is as we left it; what somebody changed meanwhile is theirs."""
    hold = await _hold(work)
    if hold is None or hold.state not in (HoldState.RELEASING, HoldState.OVERRIDDEN):
        return skipped("Access is not to be given any more.")
    is_company = work.action.record.kind == "company"
    return await _free_company(work, hold) if is_company else await _free_customer(work, hold)


async def _free_customer(work: Work, hold: Hold) -> Outcome:
    now_in = await _group_of(work)
    if now_in is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    found, left = hold.found or {}, hold.left_as or {}
    before = int(found.get("group_id", now_in))
    is_signed = work.action.payload.get("because") == "signed"
    target = (int(work.action.payload.get("group") or 0) if is_signed else 0) or before
    await work.found(group_id=now_in)
    if now_in not in (left.get("group_id", before), target):
        why = "Someone put the customer into another group meanwhile: left there."
        return Outcome(intents=(MoveHold(HoldEvent.OPENED, why), SettleTasks(SETTLED)), left_as={"group_id": now_in})
    if now_in != target:
        await (await work.vendors.bigcommerce(work.store.hash)).put_customer(work.order_id, customer_group_id=target)
    why = f"In group {target}." if target != left.get("group_id", target) else "Access as before."
    return Outcome(intents=(MoveHold(HoldEvent.OPENED, why), SettleTasks(SETTLED)), left_as={"group_id": target})


async def _free_company(work: Work, hold: Hold) -> Outcome:
    client = await work.vendors.b2b(work.store.hash)
    if await client.fetch_company(work.order_id) is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    credit = await client.credit(work.order_id)
    is_stopped = credit is not None and parse_credit(credit).hold
    await work.found(credit_hold=is_stopped)
    why = "The company can buy."
    if not (hold.left_as or {}).get("credit_hold") or (hold.found or {}).get("credit_hold"):
        why = "The company is left as it was found."
    elif is_stopped:
        await client.set_credit(work.order_id, creditHold=False)
    else:
        why = "Someone let the company buy meanwhile."
    return Outcome(intents=(MoveHold(HoldEvent.OPENED, why), SettleTasks(SETTLED)))


# Renewal --------------------------------------------------------------------------------------------------


async def sweep_terms(of: Round) -> Swept:
    """Look at customers and companies whose terms come due: nothing tells of a day that comes."""
    db, store_hash = of.services.db, of.store.hash
    days: dict[int, int] = {}
    for row in await db.fetch_all("kinds_in_force", {"store_hash": store_hash}):
        if row["workflow"] == SLUG:
            definition = parse_definition(row["definition"])
            once = counted(RuleInForce(0, 0, "", SLUG, "live", definition, None)).definition.sign_once
            days[definition.agreement_id] = max(once.renew_days, days.get(definition.agreement_id, 0))
    if not days:
        return of.now, {"read": 0}
    values = {"store_hash": store_hash, "workflow": SLUG, "agreements": list(days), "days": list(days.values())}
    due = await db.fetch_all("terms_due", {**values, "now": of.now, "most": AT_ONCE})
    for row in due:
        await say_look(db, store_hash, RecordKey(row["kind"], row["id"]), of.now, source="sweep", topic="due")
    return of.now, {"due": len(due)}
