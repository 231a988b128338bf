"""What is doubtful about a store's rules: said before they run, each finding in one sentence with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal

from bcapp.core.calendars import Calendar, instant, zone_or_utc
from bcapp.core.conditions import Condition, condition_problem, label_of, values_of
from bcapp.core.directory import Directory
from bcapp.core.escalation import calendar_of, escalation_dates
from bcapp.core.fields import FieldType
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.money import parse_money
from bcapp.core.rules import RuleDefinition
from bcapp.core.settings import StoreSettings

WAITING_GROUPS = frozenset({"waiting_group", "applicants_group"})  # settings of rules about accounts
MOST_PAIRS = 20_000  # of rules compared for overlap: 200 live rules


@dataclass(frozen=True)
class LintRule:
    """A rule as lint sees it. kind: the name of its kind of record. holds: whether its workflow holds the record."""

    id: int
    name: str
    mode: str
    kind: str
    definition: RuleDefinition
    holds: bool = True


@dataclass(frozen=True)
class Setup:
    """What of the store a rule depends on. channels: storefronts by id. agreements: ids that are offered.

    groups and countries: of recent orders, as the fields customer_group and shipping_country write them.
    open_groups: customer groups that see every category, number -> name.
    """

    now: datetime
    directory: Directory = field(default_factory=Directory)
    agreements: frozenset[int] = frozenset()
    accounts: frozenset[int] = frozenset()
    channels: Mapping[int, str] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    open_groups: Mapping[str, str] = field(default_factory=dict)
    countries: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    settings: StoreSettings = field(default_factory=StoreSettings)
    calendars: Mapping[int, Calendar] = field(default_factory=dict)
    zone: str = "UTC"


@dataclass(frozen=True)
class Finding:
    """kind: overlap | unreachable | gap | uncovered | late_step | nobody | way_around | broken | same_name.

    rules: ids.
    """

    kind: str
    rules: tuple[int, ...]
    text: str


def lint(rules: Sequence[LintRule], setup: Setup) -> list[Finding]:
    """Return what is doubtful about the rules that are not off, in a steady order."""
    active = [rule for rule in rules if rule.mode in ("live", "monitor")]
    findings: list[Finding] = []
    for rule in active:
        findings += _of_one(rule, setup)
    findings += _same_names(active)
    findings += _overlaps(active)
    findings += _uncovered(active, setup)
    return findings + list(_ways_around(active, setup))


def _of_one(rule: LintRule, setup: Setup) -> Iterator[Finding]:
    kind, definition = KINDS[rule.kind], rule.definition
    for group in definition.groups:
        for condition in group:
            if problem := condition_problem(condition, kind.fields):
                yield Finding("broken", (rule.id,), f"“{rule.name}” has a condition that cannot be judged. {problem}")
    if why := _contradiction(definition, kind):
        yield Finding("unreachable", (rule.id,), f"“{rule.name}” can never match: {why}.")
    yield from _signers(rule, setup)
    late = _late_steps(definition, setup)
    for position, step in enumerate(definition.steps):
        if position in late:
            counted = "working days" if step.working_days else "days"
            text = (
                f"“{rule.name}” has a step after {step.after_days} {counted}, which can come too late: its requests "
                f"expire after {definition.expiry_days} days. Let the step come earlier, or the expiry later."
            )
            yield Finding("late_step", (rule.id,), text)


def _same_names(rules: Sequence[LintRule]) -> Iterator[Finding]:
    """Records, mails and the history name a rule by its name alone."""
    named: dict[str, list[int]] = {}
    for rule in rules:
        named.setdefault(rule.name.casefold(), []).append(rule.id)
    for rule in rules:
        if len(same := named.pop(rule.name.casefold(), [])) > 1:
            text = f"{len(same)} rules are named “{rule.name}”: nobody can tell which one asked. Rename all but one."
            yield Finding("same_name", tuple(same), text)


def _late_steps(definition: RuleDefinition, setup: Setup) -> set[int]:
    """Return the steps that come after the expiry of a request that is sent at the start of some day of the week."""
    zone, calendar = zone_or_utc(setup.zone), calendar_of(setup.calendars, definition.calendar_id)
    today = setup.now.astimezone(zone).date()
    starts = [instant(today + timedelta(days=n), time(), zone) for n in range(7)]
    return {d.position for start in starts for d in escalation_dates(definition, start, calendar, zone) if d.late}


# Conditions that exclude each other -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Range:
    """What amounts or numbers pass. None: no bound on that side. open: the bound itself does not pass."""

    low: Decimal | None = None
    low_open: bool = False
    high: Decimal | None = None
    high_open: bool = False

    @property
    def is_empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def cut(self, other: _Range) -> _Range:
        low, low_open = max(
            ((r.low, r.low_open) for r in (self, other) if r.low is not None), default=(None, False),
            key=lambda x: (x[0], x[1]),
        )  # fmt: skip
        high, high_open = min(
            ((r.high, r.high_open) for r in (self, other) if r.high is not None), default=(None, False),
            key=lambda x: (x[0], not x[1]),
        )  # fmt: skip
        return _Range(low, low_open, high, high_open)


def _range_of(operator: str, value: Decimal) -> _Range:
    return {
        "at_least": _Range(low=value),
        "more_than": _Range(low=value, low_open=True),
        "at_most": _Range(high=value),
        "less_than": _Range(high=value, high_open=True),
        "is": _Range(low=value, high=value),
    }[operator]


@dataclass(frozen=True)
class _Allowed:
    """What the plain conditions of a rule leave open, by field and argument (and currency).

    sets: of single-valued choices only; a list such as SKUs may hold several values at once.
    """

    ranges: Mapping[tuple[str, str, str], _Range]
    sets: Mapping[tuple[str, str], frozenset[str]]
    flags: Mapping[tuple[str, str], bool]
    contradiction: str = ""


def _allowed(definition: RuleDefinition, kind: Kind) -> _Allowed:
    """Return what must hold whatever else does: groups of one, and everything of a rule whose one group needs all."""
    ranges: dict[tuple[str, str, str], _Range] = {}
    sets: dict[tuple[str, str], frozenset[str]] = {}
    flags: dict[tuple[str, str], bool] = {}
    contradiction = ""
    for condition in _needed(definition):
        known = kind.fields.get(condition.field)
        if known is None or condition_problem(condition, kind.fields):
            continue
        key, values = (condition.field, condition.argument), values_of(condition)
        label = label_of(condition.field, kind.fields)
        if known.type in (FieldType.MONEY, FieldType.NUMBER):
            amounts = (
                [(m.currency, m.amount) for m in map(parse_money, values)]
                if known.type is FieldType.MONEY
                else [("", Decimal(values[0].strip()))]
            )
            for currency, amount in amounts:
                place = (*key, currency)
                ranges[place] = ranges.get(place, _Range()).cut(_range_of(condition.operator, amount))
                if ranges[place].is_empty:
                    contradiction = contradiction or f"no {label} is within all of its bounds"
        elif known.type is FieldType.CHOICE and condition.operator == "is_any_of":
            wanted = frozenset(v.strip().casefold() for v in values)
            sets[key] = sets.get(key, wanted) & wanted
            if not sets[key]:
                contradiction = contradiction or f"{label} cannot be two things at once"
        elif known.type is FieldType.FLAG:
            is_true = condition.operator == "is_true"
            if flags.setdefault(key, is_true) is not is_true:
                contradiction = contradiction or f"{label} cannot be true and not true"
    return _Allowed(ranges, sets, flags, contradiction)


def _needed(definition: RuleDefinition) -> list[Condition]:
    groups = [g for g in definition.groups if g]
    if definition.match == "all":
        return [g[0] for g in groups if len(g) == 1]
    return list(groups[0]) if len(groups) == 1 else []


def _contradiction(definition: RuleDefinition, kind: Kind) -> str:
    return _allowed(definition, kind).contradiction


def _apart(a: _Allowed, b: _Allowed) -> bool:
    """Return whether no record can match both."""
    return (
        any(key in b.ranges and a.ranges[key].cut(b.ranges[key]).is_empty for key in a.ranges)
        or any(key in b.sets and not a.sets[key] & b.sets[key] for key in a.sets)
        or any(key in b.flags and a.flags[key] is not b.flags[key] for key in a.flags)
    )


def _overlaps(rules: Sequence[LintRule]) -> list[Finding]:
    """Return pairs that may both ask about one record and ask the same people: often one of them is left over."""
    allowed = [(rule, _allowed(rule.definition, KINDS[rule.kind])) for rule in rules]
    findings: list[Finding] = []
    pairs = 0
    for i, (one, a) in enumerate(allowed):
        for other, b in allowed[i + 1 :]:
            pairs += 1
            if pairs > MOST_PAIRS:
                return findings
            if one.kind != other.kind or a.contradiction or b.contradiction or not _same_signature(one, other):
                continue
            channels, others = frozenset(one.definition.channels), frozenset(other.definition.channels)
            if (channels and others and not channels & others) or _apart(a, b):
                continue
            text = (
                f"“{one.name}” and “{other.name}” can both match one record and ask for the same signature twice. "
                "Part them by their conditions, or switch one off."
            )
            findings.append(Finding("overlap", (one.id, other.id), text))
    return findings


def _same_signature(one: LintRule, other: LintRule) -> bool:
    a, b = one.definition, other.definition
    both_buyer = a.customer and b.customer and a.agreement_id == b.agreement_id
    both_internal = a.internal and b.internal and (a.approvers, a.bands) == (b.approvers, b.bands)
    return both_buyer or both_internal


# Who signs -----------------------------------------------------------------------------------------------------


def _signers(rule: LintRule, setup: Setup) -> Iterator[Finding]:
    d = rule.definition

    def finding(kind: str, text: str) -> Finding:
        return Finding(kind, (rule.id,), text)

    if d.customer and d.agreement_id not in setup.agreements:
        yield finding("nobody", f"“{rule.name}” asks for an agreement that is not offered any more. Choose another.")
    if d.account_id not in setup.accounts:
        yield finding("nobody", f"“{rule.name}” uses a signature account that was removed. Choose another.")
    named = {*d.approvers, *d.copies, *d.unknown_requester, *(p for b in d.bands for p in b.people)}
    named |= {s.person for s in d.steps if s.person}
    for person_id in sorted(named):
        if setup.directory.acting(person_id, setup.now) is None:
            person = setup.directory.people.get(person_id)
            who = person.name if person else "somebody who is not in People any more"
            text = f"“{rule.name}” names {who}, who cannot act now and has no deputy. Name a deputy or another person."
            yield finding("nobody", text)
    if not d.internal or d.approvers:
        return
    if not KINDS[rule.kind].has_amount:
        label = KINDS[rule.kind].label.lower()
        text = f"“{rule.name}” asks by an amount, and a {label} has none. Name its approvers."
        yield finding("nobody", text)
        return
    if d.bands:
        yield from (finding("gap", text) for text in band_gaps(rule.name, d, setup.currencies))
        return
    if not setup.directory.limits:
        yield finding("nobody", f"“{rule.name}” asks by approval limit, but nobody has one. Set limits in People.")
        return
    if rule.kind == "order" and not d.unknown_requester:
        text = (
            f"“{rule.name}” asks by approval limit, and names nobody for orders that your staff place: those wait "
            "until it does. Name one or two people under More about approvers."
        )
        yield finding("nobody", text)
    for currency in sorted(setup.currencies):
        limits = [x for x in setup.directory.limits if x.currency == currency]
        if limits and all(x.up_to is not None for x in limits):
            most = max(x.up_to for x in limits if x.up_to is not None)
            text = f"“{rule.name}”: nobody may approve more than {most:f} {currency}. Give one person no limit."
            yield finding("gap", text)
        elif not limits:
            yield finding("gap", f"“{rule.name}”: nobody may approve anything in {currency}. Set a limit in People.")


def band_gaps(name: str, definition: RuleDefinition, currencies: frozenset[str]) -> Iterator[str]:
    """Yield what a limits table leaves open: no line above the highest, a currency without a line."""
    highest: dict[str, Decimal] = {}
    for band in definition.bands:
        if band.up_to:
            money = parse_money(band.up_to)
            highest[money.currency] = max(highest.get(money.currency, Decimal()), money.amount)
    if any(not band.up_to for band in definition.bands):
        return
    for currency, amount in sorted(highest.items()):
        yield f"“{name}”: nobody approves more than {amount:f} {currency}. Add a last line without a limit."
    for currency in sorted(currencies - highest.keys()):
        yield f"“{name}”: its limits table has no line for {currency}."


# What no rule sees ---------------------------------------------------------------------------------------------


def _uncovered(rules: Sequence[LintRule], setup: Setup) -> Iterator[Finding]:
    """Yield the channels and groups that live rules part between them, but for some that nobody named."""
    live = [r for r in rules if r.mode == "live" and r.kind == "order" and r.holds]
    if not live:
        return
    if all(r.definition.channels for r in live):
        missed = [name for number, name in sorted(setup.channels.items()) if not _any_channel(live, number)]
        if missed:
            yield Finding("uncovered", (), f"No live rule looks at {_list(missed)}. Add the channel to a rule.")
    recent = (("customer_group", "customer groups", setup.groups), ("shipping_country", "countries", setup.countries))
    for name, words, known in recent:
        named = [
            frozenset(v.strip() for v in values_of(c))
            for r in live
            for c in _needed(r.definition)
            if c.field == name and c.operator == "is_any_of"
        ]
        if len(named) < len(live):
            continue  # a rule that does not ask for it sees all of them
        missed = sorted(known - frozenset().union(*named))
        if missed:
            text = f"No live rule looks at the {words} {_list(missed)}, from which orders came lately."
            yield Finding("uncovered", tuple(r.id for r in live), text)


def _any_channel(rules: Sequence[LintRule], number: int) -> bool:
    return any(number in r.definition.channels for r in rules)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{n}”" for n in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _ways_around(rules: Sequence[LintRule], setup: Setup) -> Iterator[Finding]:
    """Yield how a record could slip by although a rule is live: by the store's set-up or by splitting."""
    live = [r for r in rules if r.mode == "live" and r.kind == "order" and r.holds]
    if live and setup.settings.hold_method == "none":
        text = "Orders are asked about but not held: name the shipping tool and the payment mode in Settings."
        yield Finding("way_around", tuple(r.id for r in live), text)
    if live and setup.settings.test_mode:
        yield Finding("way_around", tuple(r.id for r in live), "Test mode is on: no order is held.")
    for rule in rules:
        for name, number in rule.definition.options:
            if name in WAITING_GROUPS and number in setup.open_groups:
                group = setup.open_groups[number]
                text = (
                    f"“{rule.name}” keeps the unsigned in the customer group “{group}”, which sees every "
                    "category. Limit its categories in BigCommerce (Customers, Customer groups), unless it keeps them "
                    "from buying in another way."
                )
                yield Finding("way_around", (rule.id,), text)
    for rule in live:
        needed = _needed(rule.definition)
        money = [c for c in needed if c.field == "total" and c.operator in ("at_least", "more_than")]
        split = any(c.field == "sum_in_days" for g in rule.definition.groups for c in g)
        if money and not split:
            text = (
                f"“{rule.name}” looks at each order alone: several small ones stay below its amount. "
                "Add “sum of recent days” as an alternative."
            )
            yield Finding("way_around", (rule.id,), text)
        if money and not rule.definition.use_rates:
            known = {parse_money(v).currency for c in money for v in values_of(c)}
            missed = sorted(setup.currencies - known)
            if missed:
                text = f"“{rule.name}” says nothing about orders in {', '.join(missed)}. Add amounts, or use the rates."
                yield Finding("way_around", (rule.id,), text)
