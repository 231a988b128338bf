"""Trying a rule on the past: what it would have asked, counted record by record in memory that does not grow."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from bcapp.core.acceptances import Bearer, Ledger, NotCovered, cover, ends_at, standing
from bcapp.core.decisions import COMPARED, is_close
from bcapp.core.fields import ACCEPTED, Reading
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import Money
from bcapp.core.rules import Glance, Glancer, RuleDefinition, RuleInForce
from bcapp.errors import UnreadableInput

DAYS = 90  # of the past that is kept and tried on
MONTH = Decimal("30.44")  # days
MOST_LISTED = 100  # records named, newest first
MOST_NEAR = 50
MOST_OVERLAPS = 50  # live rules compared with
NO_LEDGERS: Mapping[str, Ledger] = MappingProxyType({})
NOT_ITS = frozenset({"not_placed", "not_storefront"})


class PastRecord(NamedTuple):
    """A stored record as a page of many has it, texts as they are: most of them are looked at for a moment only.

    at: when it was made, ISO 8601 in UTC. customer, has_email: see Brief. amount: None where there is no money; with
    its currency. facts: as Kind.dump left them.
    """

    id: str
    label: str
    at: str
    customer: str
    has_email: bool
    amount: str | None
    currency: str
    facts: dict[str, Any]


@dataclass
class Tally:
    """What one try counted. The records must come customer by customer: then repeats are counted without a list.

    held: money per currency of what would ask and is not covered. weeks: Monday -> [looked at, would ask]. listed and
    near: [(when, id, label, amount, currency)], the newest. overlaps: rule id -> records that it asks about too.
    one_short: failed at exactly one of several conditions. close: missed only a money threshold, by at most 10 %.

    Where one signature counts for later records (sign once), some of what would ask is covered: covered_already by
    the ledger as it stands today, covered_by_first by the first of the same customer in this time. Whose company it is
    is known for the ledger only: in this time a company's customers are counted one by one.
    """

    looked: int = 0
    outside: int = 0  # not placed, another channel: none of the rule's
    unreadable: int = 0  # stored by another release
    asked: int = 0
    unjudged: int = 0  # of these, for want of knowing
    passed_unjudged: int = 0  # let pass for want of knowing
    held: dict[str, str] = field(default_factory=dict)
    weeks: dict[str, list[int]] = field(default_factory=dict)
    customers: int = 0  # different ones that would be asked; nobody known counts each time
    repeat_customers: int = 0
    repeat_asks: int = 0  # beyond the first of each customer
    covered_already: int = 0
    covered_by_first: int = 0
    without_email: int = 0
    one_short: int = 0
    close: int = 0
    overlaps: dict[str, int] = field(default_factory=dict)
    oldest: str = ""
    newest: str = ""
    customer: str = ""  # the one being counted
    customer_asked: int = 0
    customer_signs: dict[str, str] = field(default_factory=dict)  # of that one: what for -> when asked first
    listed: list[list[str]] = field(default_factory=list)
    near: list[list[str]] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Tally:
        given = {k: v for k, v in stored.items() if k in cls.__dataclass_fields__}
        for name in ("held", "overlaps", "customer_signs"):
            given[name] = dict(given.get(name, {}))
        given["weeks"] = {k: list(v) for k, v in given.get("weeks", {}).items()}
        for name in ("listed", "near"):
            given[name] = [list(row) for row in given.get(name, ())]
        return cls(**given)


def draft(definition: RuleDefinition, name: str = "", rule_id: int = 0, version: int = 0) -> RuleInForce:
    """Return the rule as one that only monitors: what it would ask does not depend on when it went live."""
    return RuleInForce(rule_id, version, name, "", "monitor", definition, None)


def examine(
    tally: Tally,
    kind: Kind,
    rule: RuleInForce,
    live: Sequence[RuleInForce],
    records: Iterable[PastRecord],
    reading: Reading,
) -> None:
    """Count some records more. live: the rules in force, each as if the record were new."""
    Trial(kind, rule, live, reading).examine(tally, records)


class Trial:
    """A rule tried on page after page of records, beside the rules in force."""

    def __init__(self, kind: Kind, rule: RuleInForce, live: Sequence[RuleInForce], reading: Reading) -> None:
        others = [replace(r, mode="monitor") for r in live[:MOST_OVERLAPS] if r.id != rule.id]
        self._kind, self._reading, self._definition = kind, reading, rule.definition
        self._rule = Glancer(kind, rule, reading, stored=True)
        named = (c.field for r in (rule, *others) for group in r.definition.groups for c in group)
        self._asks_about = ACCEPTED in named
        self._others = [(str(r.id), Glancer(kind, r, reading, stored=True)) for r in others]

    def examine(self, tally: Tally, records: Iterable[PastRecord], ledgers: Mapping[str, Ledger] = NO_LEDGERS) -> None:
        """Count some records more. ledgers: what their customers have signed, by PastRecord.customer."""
        signs_once = self._definition.customer and self._definition.sign_once.scope
        asks_about = self._asks_about
        view, glance, reading = self._kind.view, self._rule.glance, self._reading
        for record in records:
            if asks_about:
                record.facts["accepted"] = self._accepted(record, ledgers.get(record.customer))
            try:
                facts = view(record.facts)
                seen = glance(facts)
                lacking = seen.lacking if seen.decision == "no_match" else None
                # Only a comparison can be close, and only what may be close is worth words.
                compared = lacking is not None and lacking.condition.operator in COMPARED
                close = lacking is not None and compared and is_close(lacking.trace(facts, reading))
            except UnreadableInput:
                tally.unreadable += 1
                continue
            add(tally, record, seen, reading)
            if lacking is not None:
                pass_by(tally, record, close=close, several=seen.of > 1)
            if seen.decision == "would_ask":
                if signs_once and record.customer:
                    self._count_cover(tally, record, facts, ledgers.get(record.customer))
                for key, other in self._others:
                    if _asks(other, facts):
                        tally.overlaps[key] = tally.overlaps.get(key, 0) + 1

    def _accepted(self, record: PastRecord, ledger: Ledger | None) -> list[str] | None:
        """Return which agreements its customer had signed when an order was placed; what is stored of it has aged."""
        if not record.customer:
            return None
        if ledger is None:
            return []
        at = datetime.fromisoformat(record.at) if self._kind.name == "order" else self._reading.now
        bearer = replace(ledger.bearer, channel_id=int(record.facts.get("channel_id") or 0), created_at=at)
        return sorted(map(str, standing(replace(ledger, bearer=bearer))))

    def _count_cover(self, tally: Tally, record: PastRecord, facts: Any, ledger: Ledger | None) -> None:
        """Count what would not be asked because its customer has signed, or would have by then."""
        once, reading = self._definition.sign_once, self._reading
        channel = facts.channel_id if once.scope == "channel" else 0
        # An account is judged by how things stand now; an order by how they stood when it was placed.
        at = datetime.fromisoformat(record.at) if self._kind.name == "order" else reading.now
        what = record.id if once.scope == "order" else str(channel)
        if ledger is not None and self._is_signed(
            replace(ledger.bearer, order_id=record.id, channel_id=channel, created_at=at), ledger
        ):
            tally.covered_already += 1
        elif self._is_signed_first(tally.customer_signs.get(what), at):
            tally.covered_by_first += 1
        else:
            tally.customer_signs[what] = at.isoformat()
            return
        if record.amount is not None and not self._definition.internal:
            _add_held(tally, record.currency, -Decimal(record.amount))

    def _is_signed(self, bearer: Bearer, ledger: Ledger) -> bool:
        once, reading = self._definition.sign_once, self._reading
        found = cover(once, self._definition.agreement_id, replace(ledger, bearer=bearer), reading.now, reading.zone)
        return not isinstance(found, NotCovered)

    def _is_signed_first(self, first: str | None, at: datetime) -> bool:
        """Tell whether a signature asked for at `first` would still count."""
        if first is None:
            return False
        once = self._definition.sign_once
        ends = ends_at(once.months, once.until, datetime.fromisoformat(first), self._reading.zone)
        return ends is None or ends > at


def _add_held(tally: Tally, currency: str, amount: Decimal) -> None:
    held = Decimal(tally.held.get(currency, "0")) + amount
    tally.held[currency] = f"{held:f}"


def _asks(rule: Glancer, facts: Any) -> bool:
    try:
        return rule.glance(facts).decision == "would_ask"
    except UnreadableInput:
        return False


def add(tally: Tally, record: PastRecord, seen: Glance, reading: Reading) -> None:
    """Count one record by its decision."""
    if seen.decision in NOT_ITS:
        tally.outside += 1
        return
    tally.looked += 1
    at = record.at
    if at < tally.oldest or not tally.oldest:
        tally.oldest = at
    if at > tally.newest:
        tally.newest = at
    monday = _week_of_day(at[:10], reading.zone) or _week_of(at, reading.zone)
    week = tally.weeks.get(monday)
    if week is None:
        week = tally.weeks[monday] = [0, 0]
    week[0] += 1
    if seen.decision == "would_ask":
        week[1] += 1
        _ask(tally, record, seen.distance)
    elif seen.decision == "unjudged":
        tally.passed_unjudged += 1


def _week_of(at: str, zone: tzinfo) -> str:
    """Return the Monday of the week in which a moment falls in a zone."""
    day = datetime.fromisoformat(at).astimezone(zone).date()
    return (day - timedelta(days=day.weekday())).isoformat()


@lru_cache(maxsize=1024)
def _week_of_day(day: str, zone: tzinfo) -> str:
    """Return the Monday of the week in which all of a day in UTC falls in a zone; "" when a week begins within it."""
    monday = _week_of(f"{day}T00:00:00Z", zone)
    return monday if monday == _week_of(f"{day}T23:59:59.999999Z", zone) else ""


def _ask(tally: Tally, record: PastRecord, distance: int) -> None:
    tally.asked += 1
    customer = record.customer
    if distance:
        tally.unjudged += 1
    if record.amount is not None:
        _add_held(tally, record.currency, Decimal(record.amount))
    if not record.has_email:
        tally.without_email += 1
    if not customer or customer != tally.customer:
        tally.customer, tally.customer_asked, tally.customer_signs = customer, 0, {}
    tally.customer_asked += 1
    if tally.customer_asked == 1:
        tally.customers += 1
    else:
        tally.repeat_asks += 1
        if tally.customer_asked == 2:
            tally.repeat_customers += 1
    _keep(tally.listed, record, MOST_LISTED)


def pass_by(tally: Tally, record: PastRecord, *, close: bool, several: bool) -> None:
    """Count a record that one condition kept from matching. several: the rule has more than that one to hold."""
    if close:
        tally.close += 1
    if several:
        tally.one_short += 1
    if close or several:
        _keep(tally.near, record, MOST_NEAR)


def _keep(rows: list[list[str]], record: PastRecord, most: int) -> None:
    """Keep the newest rows, as a heap: the oldest of them stands first."""
    at = record.at
    if len(rows) >= most and at < rows[0][0]:
        return
    row = [at, record.id, record.label, record.amount or "", record.currency if record.amount else ""]
    if len(rows) < most:
        heapq.heappush(rows, row)
    else:
        heapq.heappushpop(rows, row)


# Read ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    created_at: datetime
    id: str
    label: str
    money: Money | None


@dataclass(frozen=True)
class Report:
    """A tally in numbers for people. share: of what was looked at, in percent. weeks: oldest first, none left out.

    covered: of what would ask, what an earlier signature covers; None where every record is signed for itself.
    """

    looked: int
    asked: int
    share: Decimal
    days: int
    per_month: int
    requests_per_month: int
    held: tuple[Money, ...]
    weeks: tuple[tuple[datetime, int, int], ...]
    listed: tuple[Listed, ...]
    near: tuple[Listed, ...]
    covered: int | None = None


def share_of(part: int, whole: int) -> Decimal:
    """Return the percentage with one decimal."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1")) if whole else Decimal("0.0")


def report(tally: Tally, definition: RuleDefinition, reading: Reading) -> Report:
    """Return what the tally says. A month is reckoned from the days that the records cover."""
    days = _days(tally, reading)

    def monthly(count: int) -> int:
        return int((Decimal(count) * MONTH / days).to_integral_value())

    signs_once = definition.customer and definition.sign_once.scope
    covered = tally.covered_already + tally.covered_by_first if signs_once else None
    signed = tally.asked - (covered or 0)
    requests = (tally.asked if definition.internal else 0) + (signed if definition.customer else 0)
    return Report(
        looked=tally.looked,
        asked=tally.asked,
        share=share_of(tally.asked, tally.looked),
        days=days,
        per_month=monthly(tally.asked),
        requests_per_month=monthly(requests),
        held=tuple(Money(Decimal(v), k) for k, v in sorted(tally.held.items()) if Decimal(v)),
        weeks=_weeks(tally, reading),
        listed=_newest(tally.listed),
        near=_newest(tally.near),
        covered=covered,
    )


def _days(tally: Tally, reading: Reading) -> int:
    if not tally.oldest:
        return DAYS
    return min(DAYS, max(1, (reading.now - datetime.fromisoformat(tally.oldest)).days))


def _weeks(tally: Tally, reading: Reading) -> tuple[tuple[datetime, int, int], ...]:
    if not tally.weeks:
        return ()
    at = datetime.fromisoformat(min(tally.weeks)).replace(tzinfo=reading.zone)
    last = datetime.fromisoformat(max(tally.weeks)).replace(tzinfo=reading.zone)
    rows = []
    while at <= last:
        looked, asked = tally.weeks.get(at.date().isoformat(), (0, 0))
        rows.append((at, looked, asked))
        at += timedelta(days=7)
    return tuple(rows)


def _newest(rows: Sequence[Sequence[str]]) -> tuple[Listed, ...]:
    return tuple(
        Listed(datetime.fromisoformat(at), key, label, Money(Decimal(amount), currency) if amount else None)
        for at, key, label, amount, currency in sorted(map(list, rows), reverse=True)
    )
