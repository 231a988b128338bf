"""Rules: what a merchant chose, checked on save, decided with a trace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from bcapp.core.fields import OPERATOR_WORDS, OPERATORS, ORDER_FIELDS, Field, FieldType, Unknown
from bcapp.core.model import Money, OrderFacts

MOST_CONDITIONS = 500
MOST_DAYS = 366


@dataclass(frozen=True)
class Condition:
    """value: "100.00 USD" for money, digits for numbers, text; lists and choices hold several in `values`."""

    field: str
    operator: str
    values: tuple[str, ...] = ()
    argument: str = ""


@dataclass(frozen=True)
class RuleDefinition:
    """groups: all must hold; inside a group any one is enough (a group of one is a plain condition)."""

    groups: tuple[tuple[Condition, ...], ...] = ()
    internal: bool = False  # approvers sign an internal sheet
    approvers: tuple[int, ...] = ()  # people.id, in turn; empty: by approval limit
    customer: bool = False  # the buyer signs the agreement
    agreement_id: int = 0
    sequence: str = "together"  # together | internal_first | customer_first
    account_id: int = 0
    expiry_days: int = 7
    buyer_may_forward: bool = False
    most_per_hour: int = 100
    most_per_day: int = 500
    channels: tuple[int, ...] = ()  # empty: every storefront channel


@dataclass(frozen=True)
class RuleInForce:
    """A rule as it stands. mode: live | monitor. included: the record was ticked although older than the boundary."""

    id: int
    version: int
    name: str
    workflow: str
    mode: str
    definition: RuleDefinition
    live_since: datetime | None
    paused_why: str = ""
    included: bool = False
    asked_last_hour: int = 0
    asked_last_day: int = 0


@dataclass(frozen=True)
class ConditionTrace:
    field: str
    operator: str
    values: tuple[str, ...]
    argument: str
    seen: str
    outcome: str  # pass | fail | unknown | currency


@dataclass(frozen=True)
class RuleTrace:
    """decision: asks | would_ask | no_match | before_boundary | not_storefront | not_placed | paused | broken."""

    rule_id: int
    rule_version: int
    rule_name: str
    decision: str
    sentence: str
    groups: tuple[tuple[ConditionTrace, ...], ...] = ()

    @property
    def asks(self) -> bool:
        return self.decision == "asks"


class InvalidRule(ValueError):
    """problems: (where, sentence); where is "name", "groups.0.1", "agreement" ... as the form names it."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(sentence for _, sentence in problems))
        self.problems = list(problems)


_MONEY = re.compile(r"^\s*([0-9]{1,12}(?:\.[0-9]{1,4})?)\s+([A-Z]{3})\s*$")


def parse_money(text: str) -> Money:
    """Read "100.00 USD"; ValueError when it is anything else."""
    found = _MONEY.match(text)
    if not found:
        raise ValueError(f"{text[:40]!r} is not an amount with its currency, such as 100.00 USD")
    return Money(Decimal(found[1]), found[2])


def check_definition(definition: RuleDefinition) -> None:
    """Raise InvalidRule naming every row that cannot be."""
    problems: list[tuple[str, str]] = []
    if sum(len(g) for g in definition.groups) > MOST_CONDITIONS:
        problems.append(("groups", f"A rule has at most {MOST_CONDITIONS} conditions."))
    for g, group in enumerate(definition.groups):
        for c, condition in enumerate(group):
            problem = _condition_problem(condition)
            if problem:
                problems.append((f"groups.{g}.{c}", problem))
    if not definition.internal and not definition.customer:
        problems.append(("signers", "Choose who signs: approvers, the buyer, or both."))
    if definition.customer and not definition.agreement_id:
        problems.append(("agreement", "Choose the agreement that the buyer signs."))
    if not definition.account_id:
        problems.append(("account", "Choose the signature account."))
    if definition.sequence not in ("together", "internal_first", "customer_first"):
        problems.append(("sequence", "Choose who signs first."))
    if not 1 <= definition.expiry_days <= 365:
        problems.append(("expiry_days", "Expiry is between 1 and 365 days."))
    if not 1 <= definition.most_per_hour <= 100_000 or not 1 <= definition.most_per_day <= 1_000_000:
        problems.append(("limits", "The limits per hour and per day are at least 1."))
    if problems:
        raise InvalidRule(problems)


def _condition_problem(condition: Condition) -> str | None:
    known = ORDER_FIELDS.get(condition.field)
    if known is None:
        return "This field does not exist any more. Choose another."
    if condition.operator not in OPERATORS[known.type]:
        return f"{known.label} cannot be compared like that."
    if known.argument:
        if not condition.argument.strip():
            return f"{known.label} needs: {known.argument.lower()}."
        if known.argument == "Days" and _days(condition.argument) is None:
            return f"Days are a whole number from 1 to {MOST_DAYS}."
    if known.type is FieldType.FLAG:
        return None
    values = _values(condition)
    if not values:
        return f"{known.label} needs a value."
    if any(len(v) > 250 for v in values):
        return "A value has at most 250 characters."
    if known.type in (FieldType.MONEY, FieldType.NUMBER, FieldType.TEXT) and len(values) > 1:
        return f"{known.label} takes one value."
    try:
        if known.type is FieldType.MONEY:
            parse_money(values[0])
        elif known.type is FieldType.NUMBER:
            _number(values[0])
    except ValueError as exc:
        return f"{known.label}: {exc}."
    if known.type is FieldType.COUNTRY and any(not re.fullmatch("[A-Z]{2}", v) for v in values):
        return "Countries are two capital letters, such as DE."
    return None


def _days(text: str) -> int | None:
    """Read a number of days, None when it is not one from 1 to MOST_DAYS."""
    return int(text) if re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= MOST_DAYS else None


def _values(condition: Condition) -> list[str]:
    """Return what was filled in: a form sends its blank rows too."""
    return [v for v in condition.values if v.strip()]


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,4})?", text.strip()):
        raise ValueError(f"{text[:40]!r} is not a number")
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not a number") from None


def evaluate(condition: Condition, facts: OrderFacts, now: datetime) -> ConditionTrace:
    """Return what the condition saw and whether it holds. Unknown is an outcome of its own and never a pass."""
    known = ORDER_FIELDS.get(condition.field)
    if known is None or _condition_problem(condition):
        return _traced(condition, "", "unknown")
    value, values = known.read(facts, condition.argument, now), _values(condition)
    if isinstance(value, Unknown):
        return _traced(condition, value.why, "unknown")
    if isinstance(value, Money):
        wanted = parse_money(values[0])
        seen = f"{_written(value.amount)} {value.currency}"
        if wanted.currency != value.currency:
            # Not a zero and not unknown: the rule simply says nothing about this currency, and the trace says so.
            return _traced(condition, f"{seen}: another currency than {wanted.currency}", "currency")
        return _traced(condition, seen, _outcome(_compare(value.amount, condition.operator, wanted.amount)))
    if isinstance(value, Decimal):
        return _traced(condition, f"{value:f}", _outcome(_compare(value, condition.operator, _number(values[0]))))
    if isinstance(value, bool):
        return _traced(condition, "yes" if value else "no", _outcome(value == (condition.operator == "is_true")))
    if isinstance(value, frozenset):
        return _evaluate_set(condition, known, value)
    wanted_text, text = values[0].casefold(), str(value).casefold()
    holds = {"is": text == wanted_text, "is_not": text != wanted_text, "contains": wanted_text in text}
    return _traced(condition, str(value), _outcome(holds[condition.operator]))


def _evaluate_set(condition: Condition, known: Field, value: frozenset[str]) -> ConditionTrace:
    wanted = {v.strip().casefold() for v in _values(condition)}
    hit = any(v.casefold() in wanted for v in value)
    seen = ", ".join(sorted(value)[:20])
    return _traced(condition, seen, _outcome(hit == (condition.operator in ("is_any_of", "has_any_of"))))


def _compare(value: Decimal, operator: str, wanted: Decimal) -> bool:
    return {
        "at_least": value >= wanted,
        "more_than": value > wanted,
        "at_most": value <= wanted,
        "less_than": value < wanted,
        "is": value == wanted,
    }[operator]


def _outcome(holds: bool) -> str:
    return "pass" if holds else "fail"


def _written(amount: Decimal) -> str:
    """Return the amount without the zeros that the store adds after the cents: "1090.0400" becomes "1090.04"."""
    whole, _, cents = f"{amount:f}".partition(".")
    return f"{whole}.{cents.rstrip('0'):0<2}" if cents else whole


def _traced(condition: Condition, seen: str, outcome: str) -> ConditionTrace:
    return ConditionTrace(condition.field, condition.operator, condition.values, condition.argument, seen, outcome)


NOT_PLACED = frozenset({0})


def decide_rule(
    rule: RuleInForce, facts: OrderFacts, *, storefront_channels: frozenset[int], now: datetime
) -> RuleTrace:
    """Return the decision of one rule on one order, with its reason in one sentence.

    A group with a condition of unknown outcome and none that passes is unknown: the rule then asks, because a rule
    that cannot be judged must not let an order through (fail closed), and says so.
    """

    def decision(name: str, sentence: str, groups: tuple[tuple[ConditionTrace, ...], ...] = ()) -> RuleTrace:
        return RuleTrace(rule.id, rule.version, rule.name, name, sentence, groups)

    if facts.status_id in NOT_PLACED:
        return decision("not_placed", "Incomplete is not an order yet.")
    channels = (
        frozenset(rule.definition.channels) & storefront_channels if rule.definition.channels else storefront_channels
    )
    if facts.channel_id not in channels:
        return decision("not_storefront", f"Channel {facts.channel_id} is not one of the storefronts of this rule.")
    groups = tuple(tuple(evaluate(c, facts, now) for c in group) for group in rule.definition.groups)
    unknown: ConditionTrace | None = None
    for group in groups:
        if any(c.outcome == "pass" for c in group):
            continue
        unsure = next((c for c in group if c.outcome == "unknown"), None)
        if unsure is None and group:
            return decision("no_match", _no_match_sentence(group), groups)
        unknown = unknown or unsure
    if rule.mode == "monitor":
        return decision("would_ask", "Monitor: would have asked.", groups)
    # The store tells whole seconds only: an order of the second in which the rule went live counts as after it.
    boundary = rule.live_since.replace(microsecond=0) if rule.live_since else None
    if boundary is None or (facts.created_at < boundary and not rule.included):
        return decision("before_boundary", "Created before the rule went live.", groups)
    if rule.paused_why:
        return decision("paused", f"The rule is paused: {rule.paused_why}", groups)
    if unknown is not None:
        return decision(
            "asks", f"Asks, because {_label(unknown)} could not be judged: {unknown.seen or 'unknown field'}.", groups
        )
    return decision("asks", f"Asks: every condition of “{rule.name}” holds.", groups)


def _label(trace: ConditionTrace) -> str:
    known = ORDER_FIELDS.get(trace.field)
    return known.label.lower() if known else trace.field


def _no_match_sentence(group: Sequence[ConditionTrace]) -> str:
    first = group[0]
    if first.outcome == "currency":
        return f"Does not ask: {_label(first)} is {first.seen}."
    wanted = " ".join((OPERATOR_WORDS[first.operator], ", ".join(first.values))).strip()
    return f"Does not ask: {_label(first)} is {first.seen or 'empty'}, the rule wants: {wanted}."


def needs_of(rules: Sequence[RuleInForce]) -> tuple[frozenset[str], int]:
    """Return which costly reads the rules' fields need, and how many days of history (0: all of it, if any)."""
    needs: set[str] = set()
    days, whole = 0, False
    for rule in rules:
        for group in rule.definition.groups:
            for condition in group:
                known = ORDER_FIELDS.get(condition.field)
                if known:
                    needs |= known.needs
                    if "history" in known.needs and known.argument == "Days":
                        days = max(days, _days(condition.argument) or 1)
                    elif "history" in known.needs:
                        whole = True
    return frozenset(needs), 0 if whole else days


def sentence(definition: RuleDefinition, names: Mapping[str, str] | None = None) -> str:
    """Return the rule as one sentence. names: agreement and people names by "agreement:3", "person:7"."""
    names = names or {}
    parts = []
    for group in definition.groups:
        alternatives = [_say(c) for c in group]
        if alternatives:
            parts.append(alternatives[0] if len(alternatives) == 1 else "(" + " or ".join(alternatives) + ")")
    when = "When an order is placed" + (" and " + " and ".join(parts) if parts else "")
    asks = []
    if definition.internal:
        people = ", ".join(names.get(f"person:{p}", f"person {p}") for p in definition.approvers)
        asks.append(f"ask {people} to approve" if people else "ask the approver whose limit covers it to approve")
    if definition.customer:
        asks.append(f"ask the buyer to sign {names.get(f'agreement:{definition.agreement_id}', 'the agreement')}")
    if definition.sequence == "customer_first":
        asks.reverse()
    joint = " and " if definition.sequence == "together" else ", then "
    return f"{when}, {joint.join(asks)}."


def _say(condition: Condition) -> str:
    known = ORDER_FIELDS.get(condition.field)
    label = (known.label if known else condition.field).lower()
    if known and known.argument:
        label = (
            f"{label} ({condition.argument} {known.argument.lower()})"
            if known.argument == "Days"
            else f"{label} “{condition.argument}”"
        )
    if known and known.type is FieldType.FLAG:
        return label if condition.operator == "is_true" else f"not {label}"
    return f"{label} {OPERATOR_WORDS.get(condition.operator, condition.operator)} {', '.join(condition.values)}"


def dump_definition(definition: RuleDefinition) -> dict[str, Any]:
    """Return the definition as jsonb, keys in a steady order."""
    return {
        "groups": [
            [
                {"field": c.field, "operator": c.operator, "values": list(c.values), "argument": c.argument}
                for c in group
            ]
            for group in definition.groups
        ],
        "internal": definition.internal,
        "approvers": list(definition.approvers),
        "customer": definition.customer,
        "agreement_id": definition.agreement_id,
        "sequence": definition.sequence,
        "account_id": definition.account_id,
        "expiry_days": definition.expiry_days,
        "buyer_may_forward": definition.buyer_may_forward,
        "most_per_hour": definition.most_per_hour,
        "most_per_day": definition.most_per_day,
        "channels": list(definition.channels),
    }


def parse_definition(stored: Mapping[str, Any]) -> RuleDefinition:
    """Read a stored definition; keys of a newer release are left aside."""
    known = RuleDefinition.__dataclass_fields__
    plain = {k: v for k, v in stored.items() if k in known}
    return replace(
        RuleDefinition(
            **{k: v for k, v in plain.items() if k not in ("groups", "approvers", "channels")},
        ),
        groups=tuple(
            tuple(
                Condition(c["field"], c["operator"], tuple(c.get("values", ())), c.get("argument", "")) for c in group
            )
            for group in plain.get("groups", ())
        ),
        approvers=tuple(plain.get("approvers", ())),
        channels=tuple(plain.get("channels", ())),
    )


@dataclass(frozen=True)
class Person:
    """A directory entry, with the deputy already looked up."""

    id: int
    name: str
    email: str
    language: str = "en"
    state: str = "active"  # active | away | left
    deputy_id: int | None = None
    deputy_from: datetime | None = None
    deputy_until: datetime | None = None


@dataclass(frozen=True)
class ApprovalLimit:
    person_id: int
    currency: str
    up_to: Decimal | None  # None: without limit


@dataclass(frozen=True)
class Directory:
    people: Mapping[int, Person] = field(default_factory=dict)
    limits: tuple[ApprovalLimit, ...] = ()

    def acting(self, person_id: int, now: datetime) -> Person | None:
        """Return who acts for a person now: the person, the deputy while the dates hold, or None when nobody can."""
        person = self.people.get(person_id)
        if person is None or person.state == "left":
            return None
        covers = (person.deputy_from is None or person.deputy_from <= now) and (
            person.deputy_until is None or now < person.deputy_until
        )
        if person.deputy_id is not None and covers and (person.state == "away" or person.deputy_from is not None):
            deputy = self.people.get(person.deputy_id)
            return deputy if deputy and deputy.state == "active" else None
        return person if person.state == "active" else None

    def approver_for(self, amount: Money, now: datetime) -> Person | None:
        """Return the approver with the smallest limit that covers the amount; without limit comes last."""
        fitting = [
            x for x in self.limits if x.currency == amount.currency and (x.up_to is None or amount.amount <= x.up_to)
        ]
        fitting.sort(key=lambda x: (x.up_to is None, x.up_to or Decimal(), x.person_id))
        for limit in fitting:
            person = self.acting(limit.person_id, now)
            if person is not None:
                return person
        return None
