"""What exists before a rule goes live: read in slices, grouped by how it stands, with money. Orders: jobs/upkeep.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.fields import Reading
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.company import APPROVED, PENDING, STATUSES, CompanyFacts
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.own_quote import state_word
from bcapp.core.kinds.price_list import PriceListFacts
from bcapp.core.kinds.promotion import PromotionFacts
from bcapp.core.kinds.quote import IN_PROCESS, NEW, UPDATED, QuoteFacts
from bcapp.core.model import Gone
from bcapp.core.rules import RuleInForce, decide_rule
from bcapp.db.store_names import fetch_names
from bcapp.errors import B2BRefused
from bcapp.jobs.look import reads_for
from bcapp.jobs.outcome import Outcome, Work
from bcapp.jobs.pacing import pause
from bcapp.jobs.reading import READERS, Ask
from bcapp.workflows import account_approval

SLICE = 10
MOST = 2_000

Group = tuple[str, str]  # key, label; an empty key: it does not matter any more


@dataclass(frozen=True)
class Lister:
    """ids: of the records that may still matter, the first MOST and one more. group: how one stands now."""

    ids: Callable[[Work], Awaitable[list[int]]]
    group: Callable[[Any, datetime], Group]


async def _promotions(work: Work) -> list[int]:
    client = await work.vendors.bigcommerce(work.store.hash)
    return sorted(int(raw["id"]) for raw in await client.list_promotions())


def _promotion_group(facts: PromotionFacts, now: datetime) -> Group:
    if facts.has_ended(now):
        return "", ""
    if not facts.is_on:
        return "off", "Switched off"
    return ("running", "Running") if facts.has_begun(now) else ("planned", "Not begun yet")


async def _quotes(work: Work) -> list[int]:
    client = await work.vendors.quotes(work.store.hash)
    found: set[int] = set()
    try:
        for status in (NEW, IN_PROCESS, UPDATED):
            found |= {int(row["quoteId"]) async for row in client.list_quotes(status=status)}
    except B2BRefused:
        return []
    return sorted(found)


def _quote_group(facts: QuoteFacts, now: datetime) -> Group:
    if facts.expires_at is not None and facts.expires_at <= now:
        return "", ""
    return ("open", "Can be ordered") if facts.allow_checkout else ("closed", "Closed for checkout")


async def _own_quotes(work: Work) -> list[int]:
    rows = await work.services.db.fetch_all("open_own_quotes", {"store_hash": work.store.hash, "most": MOST + 1})
    return [int(row["id"]) for row in rows]


def _own_quote_group(facts: QuoteFacts, now: datetime) -> Group:
    key, label = _quote_group(facts, now)
    return (key, state_word(facts) or label) if key else (key, label)


async def _price_lists(work: Work) -> list[int]:
    client = await work.vendors.bigcommerce(work.store.hash)
    return sorted(int(raw["id"]) for raw in await client.list_price_lists())


def _price_list_group(facts: PriceListFacts, _now: datetime) -> Group:
    return ("on", "Switched on") if facts.is_active else ("off", "Switched off")


async def _companies(work: Work) -> list[int]:
    client, found = await work.vendors.b2b(work.store.hash), set[int]()
    try:
        for status in (PENDING, APPROVED):
            async for raw in client.companies(status=status, newest_first=True, most=MOST + 1):
                found.add(int(raw["companyId"]))
    except B2BRefused:
        return []
    return sorted(found, reverse=True)


def _company_group(facts: CompanyFacts, _now: datetime) -> Group:
    return (str(facts.status), STATUSES[facts.status]) if facts.status in (PENDING, APPROVED) else ("", "")


async def _customers(work: Work) -> list[int]:
    client = await work.vendors.bigcommerce(work.store.hash)
    return [int(raw["id"]) async for raw in client.list_customers(include="", most=MOST + 1)]


def _customer_group(facts: CustomerFacts, _now: datetime) -> Group:
    return f"group-{facts.group_id}", f"Customer group {facts.group_id}" if facts.group_id else "No customer group"


LISTERS: Mapping[str, Lister] = {
    "promotion": Lister(_promotions, _promotion_group),
    "quote": Lister(_quotes, _quote_group),
    "own_quote": Lister(_own_quotes, _own_quote_group),
    "price_list": Lister(_price_lists, _price_list_group),
    "company": Lister(_companies, _company_group),
    "customer": Lister(_customers, _customer_group),
}


async def count_slice(
    work: Work, kind_name: str, rule: RuleInForce, backlog: Mapping[str, Any], of: Reading
) -> Outcome:
    """Try the next few records against the rule; the action comes again until all are counted.

    The first slice lists them; what is left of the list stands in the cursor.
    """
    db, store = work.services.db, work.store
    lister, kind = LISTERS[kind_name], KINDS[kind_name]
    groups: dict[str, dict[str, Any]] = {g["key"]: dict(g) for g in backlog["groups"]}
    cursor = dict(backlog["cursor"])
    if "left" not in cursor:
        ids = await lister.ids(work)
        cursor = {"left": ids[:MOST], "counted": 0, "more": len(ids) > MOST}
    names = (await fetch_names(db, store.hash)).get("customer_group", {})
    needs, days = reads_for(kind, [rule], transactions=False)
    for number in cursor["left"][:SLICE]:
        facts = await READERS[kind_name](Ask(work.services, work.vendors, store, str(number), needs, days))
        if isinstance(facts, Gone) or decide_rule(kind, rule, facts, of).decision != "would_ask":
            continue
        if rule.workflow == account_approval.SLUG and account_approval.comes_in_with(rule, facts):
            continue
        key, label = lister.group(facts, of.now)
        if not key:
            continue
        if isinstance(facts, CustomerFacts):
            label = names.get(str(facts.group_id), label)
        group = groups.setdefault(key, {"key": key, "label": label, "count": 0, "money": {}, "records": []})
        money = defaultdict(Decimal, {k: Decimal(v) for k, v in group["money"].items()})
        amount = kind.brief(facts).money
        if amount is not None:
            money[amount.currency] += amount.amount
        group |= {"money": {k: f"{v:f}" for k, v in money.items()}, "count": group["count"] + 1}
        group["records"] = [*group["records"], str(number)]
    counted = min(SLICE, len(cursor["left"]))
    cursor |= {"left": cursor["left"][SLICE:], "counted": cursor["counted"] + counted}
    done = not cursor["left"]
    values = {"store_hash": store.hash, "rule_id": rule.id, "state": "counted" if done else "counting"}
    now = work.services.clock.now()
    await db.execute("start_backlog", {**values, "cursor": cursor, "groups": list(groups.values()), "now": now})
    return Outcome(look=False, again_in=None if done else await pause(work))
