"""What exists before a rule about offers goes live: read in slices, grouped by how it stands, with money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bcapp.core.fields import Reading
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.promotion import PromotionFacts
from bcapp.core.kinds.quote import IN_PROCESS, NEW, UPDATED, QuoteFacts
from bcapp.core.model import Gone
from bcapp.core.rules import RuleInForce, decide_rule
from bcapp.errors import B2BRefused
from bcapp.jobs.look import reads_for
from bcapp.jobs.outcome import Outcome, Work
from bcapp.jobs.reading import READERS, Ask

SLICE = 10
MOST = 200


@dataclass(frozen=True)
class Lister:
    """ids: of all records that may still matter, in a steady order. group: (key, label) of how one stands now."""

    ids: Callable[[Work], Awaitable[list[int]]]
    group: Callable[[Any, datetime], tuple[str, str]]


async def _promotions(work: Work) -> list[int]:
    client = await work.vendors.bigcommerce(work.store.hash)
    return sorted(int(raw["id"]) for raw in await client.list_promotions())


def _promotion_group(facts: PromotionFacts, now: datetime) -> tuple[str, str]:
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


def _quote_group(facts: QuoteFacts, now: datetime) -> tuple[str, str]:
    if facts.expires_at is not None and facts.expires_at <= now:
        return "", ""
    return ("open", "Can be ordered") if facts.allow_checkout else ("closed", "Closed for checkout")


LISTERS: Mapping[str, Lister] = {
    "promotion": Lister(_promotions, _promotion_group),
    "quote": Lister(_quotes, _quote_group),
}


async def count_slice(
    work: Work, kind_name: str, rule: RuleInForce, backlog: Mapping[str, Any], of: Reading
) -> Outcome:
    """Try the next few records against the rule; the action comes again until all are counted."""
    lister, kind = LISTERS[kind_name], KINDS[kind_name]
    groups: dict[str, dict[str, Any]] = {g["key"]: dict(g) for g in backlog["groups"]}
    after, counted = int(backlog["cursor"].get("after_id", 0)), int(backlog["cursor"].get("counted", 0))
    ids = [number for number in await lister.ids(work) if number > after]
    needs, days = reads_for(kind, [rule], transactions=False)
    for number in ids[:SLICE]:
        after, counted = number, counted + 1
        facts = await READERS[kind_name](Ask(work.services, work.vendors, work.store, str(number), needs, days))
        if isinstance(facts, Gone) or decide_rule(kind, rule, facts, of).decision != "would_ask":
            continue
        key, label = lister.group(facts, of.now)
        if not key:
            continue
        group = groups.setdefault(key, {"key": key, "label": label, "count": 0, "money": {}, "records": []})
        money = defaultdict(Decimal, {k: Decimal(v) for k, v in group["money"].items()})
        amount = kind.brief(facts).money
        if amount is not None:
            money[amount.currency] += amount.amount
        group |= {"money": {k: f"{v:f}" for k, v in money.items()}, "count": group["count"] + 1}
        group["records"] = [*group["records"], str(number)]
    done = len(ids) <= SLICE or counted >= MOST
    cursor = {"after_id": after, "counted": counted, "more": len(ids) > SLICE}
    values = {"store_hash": work.store.hash, "rule_id": rule.id, "state": "counted" if done else "counting"}
    now = work.services.clock.now()
    await work.services.db.execute(
        "start_backlog", {**values, "cursor": cursor, "groups": list(groups.values()), "now": now}
    )
    return Outcome(look=False, again_in=None if done else timedelta())
