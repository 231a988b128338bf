"""What exists before a rule goes live: read in slices, grouped by how it stands, with money."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.facts import read_order
from bcapp.core.fields import Reading
from bcapp.core.kinds.company import APPROVED, PENDING, STATUSES, CompanyFacts
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.order import ORDER
from bcapp.core.kinds.own_quote import state_word
from bcapp.core.kinds.price_list import PriceListFacts
from bcapp.core.kinds.promotion import PromotionFacts
from bcapp.core.kinds.quote import IN_PROCESS, NEW, UPDATED, QuoteFacts
from bcapp.core.model import Gone, Money
from bcapp.core.rules import RuleInForce, decide_rule, parse_definition
from bcapp.db.readings import fetch_reading
from bcapp.db.store_names import fetch_names
from bcapp.errors import B2BRefused
from bcapp.jobs.accepting import with_accepted
from bcapp.jobs.look import reads_for
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.pacing import pause
from bcapp.jobs.reading import READERS, Ask
from bcapp.workflows import WORKFLOWS, account_approval, kind_of, warranty

SLICE = 10
ORDERS = 25  # of a slice
OPEN_STATUSES = (1, 7, 8, 9, 11, 12)  # placed, not shipped, not ended: what a rule going live could still touch
MOST = 2_000

Group = tuple[str, str]  # key, label; an empty key: it does not matter any more
Groups = dict[str, dict[str, Any]]  # by key: key, label, count, money {currency: amount}, records


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


async def count_backlog(work: Work) -> Outcome:
    """Count, in slices, what exists and a rule going live would touch; the action comes again until all are counted."""
    db, rule_id = work.services.db, int(work.action.record.id)
    row = await db.fetch_one("fetch_rule_definition", {"store_hash": work.store.hash, "id": rule_id})
    backlog = await db.fetch_one("fetch_backlog", {"store_hash": work.store.hash, "rule_id": rule_id})
    if row is None or backlog is None:
        return skipped("The rule does not exist any more.", look=False)
    definition = parse_definition(row["definition"])
    rule = RuleInForce(row["id"], row["version"], row["name"], row["workflow"], "monitor", definition, None)
    reading = await fetch_reading(db, work.store, work.services.clock.now())
    groups: Groups = {g["key"]: dict(g) for g in backlog["groups"]}
    kind = kind_of(WORKFLOWS[rule.workflow], definition)
    count = _count_orders if kind is ORDER else _count_listed
    cursor, done = await count(work, kind, rule, groups, dict(backlog["cursor"]), reading)
    values = {"store_hash": work.store.hash, "rule_id": rule_id, "state": "counted" if done else "counting"}
    now = work.services.clock.now()
    await db.execute("start_backlog", {**values, "cursor": cursor, "groups": list(groups.values()), "now": now})
    return Outcome(look=False, again_in=None if done else await pause(work))


async def _count_listed(
    work: Work, kind: Kind, rule: RuleInForce, groups: Groups, cursor: dict[str, Any], of: Reading
) -> tuple[dict[str, Any], bool]:
    """Try the next few records of a list against the rule; return where to go on, and whether all are counted.

    The first slice lists them; what is left of the list stands in the cursor.
    """
    store, lister = work.store, LISTERS[kind.name]
    if "left" not in cursor:
        ids = await lister.ids(work)
        cursor = {"left": ids[:MOST], "counted": 0, "more": len(ids) > MOST}
    names = (await fetch_names(work.services.db, store.hash)).get("customer_group", {})
    needs, days = reads_for(kind, [rule], transactions=False)
    now_read, left = cursor["left"][:SLICE], cursor["left"][SLICE:]
    for number in now_read:
        facts = await READERS[kind.name](Ask(work.services, work.vendors, store, str(number), needs, days))
        if isinstance(facts, Gone):
            continue
        facts = await with_accepted(work.services, store, facts, [rule.definition])
        if decide_rule(kind, rule, facts, of).decision != "would_ask":
            continue
        if rule.workflow == account_approval.SLUG and account_approval.comes_in_with(rule, facts):
            continue
        key, label = lister.group(facts, of.now)
        if isinstance(facts, CustomerFacts):
            label = names.get(str(facts.group_id), label)
        if key:
            _add(groups, key, label, str(number), kind.brief(facts).money)
    return {**cursor, "left": left, "counted": cursor["counted"] + len(now_read)}, not left


async def _count_orders(
    work: Work, kind: Kind, rule: RuleInForce, groups: Groups, cursor: dict[str, Any], of: Reading
) -> tuple[dict[str, Any], bool]:
    """Try the next few open orders against the rule, status by status; return where to go on, and whether that is all.

    The page names a group of orders by its status.
    """
    status_at, after_id = int(cursor.get("status_at", 0)), int(cursor.get("after_id", 0))
    counted, read = int(cursor.get("counted", 0)), 0
    client = await work.vendors.bigcommerce(work.store.hash)
    needs, days = reads_for(kind, [rule], transactions=False)
    while status_at < len(OPEN_STATUSES) and read < ORDERS and counted < MOST:
        status = OPEN_STATUSES[status_at]
        listed = client.list_orders(status_id=status, min_id=after_id + 1, page_size=ORDERS, most=ORDERS - read)
        for order_id in [int(raw["id"]) async for raw in listed]:
            facts = await read_order(client, order_id, needs=needs, history_days=days, trees=work.vendors.trees)
            after_id, read, counted = order_id, read + 1, counted + 1
            if isinstance(facts, Gone):
                continue
            if rule.workflow == warranty.SLUG and not warranty.covers(rule.definition, facts):
                continue
            facts = await with_accepted(work.services, work.store, facts, [rule.definition])
            if decide_rule(kind, rule, facts, of).decision == "would_ask":
                _add(groups, str(status), "", str(order_id), facts.total)
        if read < ORDERS:
            status_at, after_id = status_at + 1, 0
    more = status_at < len(OPEN_STATUSES)
    at = {"status_at": status_at, "after_id": after_id, "counted": counted, "more": more}
    return at, not more or counted >= MOST


def _add(groups: Groups, key: str, label: str, record_id: str, amount: Money | None) -> None:
    """Count one record more into its group."""
    group = groups.setdefault(key, {"key": key, "label": label, "count": 0, "money": {}, "records": []})
    group["count"] += 1
    group["records"] = [*group["records"], record_id]
    if amount is not None:
        held = Decimal(group["money"].get(amount.currency, "0")) + amount.amount
        group["money"] = {**group["money"], amount.currency: f"{held:f}"}
