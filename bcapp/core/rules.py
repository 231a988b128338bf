"""Rules: what a merchant chose, checked on save, decided with a trace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from bcapp.core.conditions import (
    Check,
    Condition,
    ConditionTrace,
    compile_condition,
    condition_problem,
    days_of,
    label_of,
    say,
)
from bcapp.core.fields import OPERATOR_WORDS, Field, Reading
from bcapp.core.kinds.kind import Kind, OutOfScope
from bcapp.core.model import Money
from bcapp.core.money import parse_money
from bcapp.core.options import Option, option_problems
from bcapp.core.outcomes import Remembered
from bcapp.core.stored import NOTHING_LEFT_OUT, LeftOut

MOST_CONDITIONS = 500
MOST_BANDS = 20
MOST_STEPS = 20
MOST_STEP_DAYS = 365
MOST_APPROVERS = 10
MOST_DECIDERS = 2  # where nobody known asked
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

SCOPES = ("", "customer", "company", "channel", "order")  # of a sign-once acceptance; "": every record is signed
STEPS = ("remind", "escalate", "alternate", "outcome")
STEP_OUTCOMES = ("keep", "release")
UNKNOWN_FIELD = "unknown field"


@dataclass(frozen=True)
class Band:
    """One line of a rule's limits table. up_to: "5000.00 EUR", "" for everything above the other lines."""

    up_to: str
    people: tuple[int, ...]  # people.id


@dataclass(frozen=True)
class Step:
    """One step of an escalation, counted from the day on which the request was sent.

    do: remind | escalate (tell `person` too) | alternate (`person` signs instead) | outcome (it follows by itself).
    """

    after_days: int
    do: str
    at: str = "09:00"  # local time of the store
    working_days: bool = True  # counted by the business calendar
    person: int = 0  # people.id
    outcome: str = ""  # keep | release


@dataclass(frozen=True)
class SignOnce:
    """How long and for whom one signature counts. scope "": every record is signed. months 0 and until "": for good."""

    scope: str = ""  # customer | company | channel | order
    months: int = 0
    until: str = ""  # 2027-12-31
    renew_days: int = 30  # before its end a new one is asked for


@dataclass(frozen=True)
class RuleDefinition:
    """match "all": every group holds, by any one of its conditions. "any": one group holds, by all of them."""

    match: str = "all"
    groups: tuple[tuple[Condition, ...], ...] = ()
    unjudged: str = "ask"  # ask | pass: what follows when a condition cannot be judged
    use_rates: bool = False  # amounts in other currencies are converted by the store's dated rates
    internal: bool = False  # approvers sign an internal sheet
    approvers: tuple[int, ...] = ()  # people.id; empty: by the bands, else by approval limit
    bands: tuple[Band, ...] = ()
    approvers_in_order: bool = True
    approve_only: bool = False  # approvers approve without a signature of their own hand
    copies: tuple[int, ...] = ()  # people.id who get the signed sheet
    unknown_requester: tuple[int, ...] = ()  # people.id who approve what nobody known asked for
    customer: bool = False  # the buyer signs the agreement
    agreement_id: int = 0
    sign_once: SignOnce = SignOnce()
    sequence: str = "together"  # together | internal_first | customer_first
    account_id: int = 0
    expiry_days: int = 7
    steps: tuple[Step, ...] = ()
    calendar_id: int = 0  # 0: every day is a working day
    buyer_may_forward: bool = False
    most_per_hour: int = 100
    most_per_day: int = 500
    channels: tuple[int, ...] = ()  # empty: every storefront channel
    kind: str = ""  # of the record, one of the workflow's; "": its first
    options: tuple[tuple[str, str], ...] = ()  # settings of the workflow (core/options.py), by name


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
class RuleTrace:
    """decision: asks | would_ask | no_match | before_boundary | not_storefront | not_placed | paused | unjudged.

    standing: how the rule stood to the record whatever its conditions say: live | monitor | paused | before_boundary;
    "" when the record was none of its. With match, unjudged and the groups it gives the decision again (`conclude`).
    """

    rule_id: int
    rule_version: int
    rule_name: str
    decision: str
    sentence: str
    groups: tuple[tuple[ConditionTrace, ...], ...] = ()
    standing: str = ""
    match: str = "all"
    unjudged: str = "ask"

    @property
    def asks(self) -> bool:
        return self.decision == "asks"


class InvalidRule(ValueError):
    """problems: (where, sentence); where is "name", "groups.0.1", "agreement" ... as the form names it."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(sentence for _, sentence in problems))
        self.problems = list(problems)


# Checked on save ------------------------------------------------------------------------------------------


def check_definition(definition: RuleDefinition, kind: Kind, options: Sequence[Option] = ()) -> None:
    """Raise InvalidRule naming every row that cannot be. options: the settings that the rule's workflow has."""
    problems: list[tuple[str, str]] = list(option_problems(options, definition.options))
    if definition.match not in ("all", "any"):
        problems.append(("match", "Choose whether all groups must hold, or any one of them."))
    if definition.unjudged not in ("ask", "pass"):
        problems.append(("unjudged", "Choose what follows when a condition cannot be judged."))
    if sum(len(g) for g in definition.groups) > MOST_CONDITIONS:
        problems.append(("groups", f"A rule has at most {MOST_CONDITIONS} conditions."))
    for g, group in enumerate(definition.groups):
        for c, condition in enumerate(group):
            problem = condition_problem(condition, kind.fields)
            if problem:
                problems.append((f"groups.{g}.{c}", problem))
    if not definition.internal and not definition.customer:
        problems.append(("signers", f"Choose who signs: approvers, {kind.signer}, or both."))
    if definition.internal and not definition.approvers and not kind.has_amount:
        text = f"A {kind.label.lower()} has no amount that limits could be compared with. Name the approvers."
        problems.append(("approver_how", text))
    if definition.customer and not definition.agreement_id:
        problems.append(("agreement", f"Choose the agreement that {kind.signer} signs."))
    if not definition.account_id:
        problems.append(("account", "Choose the signature account."))
    if definition.sequence not in ("together", "internal_first", "customer_first"):
        problems.append(("sequence", "Choose who signs first."))
    if not 1 <= definition.expiry_days <= 365:
        problems.append(("expiry_days", "Expiry is between 1 and 365 days."))
    if not 1 <= definition.most_per_hour <= 100_000 or not 1 <= definition.most_per_day <= 1_000_000:
        problems.append(("limits", "The limits per hour and per day are at least 1."))
    problems += [*_sign_once_problems(definition, kind.signer), *_people_problems(definition)]
    problems += [*_band_problems(definition), *_step_problems(definition, kind.signer)]
    if problems:
        raise InvalidRule(problems)


def _people_problems(definition: RuleDefinition) -> Iterator[tuple[str, str]]:
    if len(definition.approvers) > MOST_APPROVERS or len(definition.copies) > MOST_APPROVERS:
        yield "approvers", f"At most {MOST_APPROVERS} people approve, and as many get a copy."
    if len(set(definition.approvers)) != len(definition.approvers):
        yield "approvers", "Nobody approves twice. Name every approver once."
    if len(definition.unknown_requester) > MOST_DECIDERS:
        yield "unknown_requester", "Name one or two people for what nobody known asked for."


def _band_problems(definition: RuleDefinition) -> Iterator[tuple[str, str]]:
    """Yield what keeps the limits table from naming one line for each amount."""
    if definition.bands and definition.approvers:
        yield "bands", "Name approvers or a limits table, not both."
    if len(definition.bands) > MOST_BANDS:
        yield "bands", f"A limits table has at most {MOST_BANDS} lines."
    highest: dict[str, Money] = {}
    for i, band in enumerate(definition.bands):
        if not band.people:
            yield f"bands.{i}", "Name who approves in this line."
        if len(set(band.people)) != len(band.people) or len(band.people) > MOST_APPROVERS:
            yield f"bands.{i}", f"A line names at most {MOST_APPROVERS} people, everybody once."
        if not band.up_to:
            if i < len(definition.bands) - 1:
                yield f"bands.{i}", "The line without an amount covers everything above the others: it comes last."
            continue
        try:
            limit = parse_money(band.up_to)
        except ValueError as exc:
            yield f"bands.{i}", f"{exc}."
            continue
        before = highest.get(limit.currency)
        if before is not None and limit.amount <= before.amount:
            text = f"This line ends at or below one above it ({before.amount:f} {before.currency}). Put them in order."
            yield f"bands.{i}", text
        else:
            highest[limit.currency] = limit


def _step_problems(definition: RuleDefinition, signer: str) -> Iterator[tuple[str, str]]:
    if len(definition.steps) > MOST_STEPS:
        yield "steps", f"There are at most {MOST_STEPS} steps."
    for i, step in enumerate(definition.steps):
        if step.do not in STEPS:
            yield f"steps.{i}", "Choose what the step does."
        elif step.do in ("escalate", "alternate") and not step.person:
            yield f"steps.{i}", "Name the person of this step."
        elif step.do == "alternate" and not definition.internal:
            yield f"steps.{i}", f"Nobody can sign in place of {signer}. Choose another step."
        elif step.do == "outcome" and step.outcome not in STEP_OUTCOMES:
            yield f"steps.{i}", "Choose what follows without a signature."
        if not 0 <= step.after_days <= MOST_STEP_DAYS:
            yield f"steps.{i}", f"A step comes 0 to {MOST_STEP_DAYS} days after the request was sent."
        if not TIME.fullmatch(step.at):
            yield f"steps.{i}", "The time is written like 09:00."
    if sum(1 for step in definition.steps if step.do == "outcome") > 1:
        yield "steps", "Only one step decides without a signature."


def _sign_once_problems(definition: RuleDefinition, signer: str) -> list[tuple[str, str]]:
    once = definition.sign_once
    problems = []
    if once.scope not in SCOPES:
        problems.append(("sign_once", "Choose for whom one signature counts."))
    elif once.scope and not definition.customer:
        problems.append(("sign_once", f"Only what {signer} signs can count for later records."))
    if not 0 <= once.months <= 120:
        problems.append(("sign_once.months", "A signature counts for 1 to 120 months, or for good."))
    if once.until:
        try:
            date.fromisoformat(once.until)
        except ValueError:
            problems.append(("sign_once.until", "The last day is written like 2027-12-31."))
    if once.months and once.until:
        problems.append(("sign_once.until", "Choose a number of months or a last day, not both."))
    if not 0 <= once.renew_days <= 365:
        problems.append(("sign_once.renew_days", "Renewal is asked 0 to 365 days before the end."))
    return problems


def broken_conditions(definition: RuleDefinition, kind: Kind) -> list[tuple[Condition, str]]:
    """Return the conditions that cannot be judged any more, with the reason: a field of theirs has vanished."""
    judged = ((c, condition_problem(c, kind.fields)) for group in definition.groups for c in group)
    return [(condition, problem) for condition, problem in judged if problem]


# Decided --------------------------------------------------------------------------------------------------


def decide_rule(kind: Kind, rule: RuleInForce, facts: Any, reading: Reading) -> RuleTrace:
    """Return the decision of one rule on one record, with its reason in one sentence.

    Conditions are three-valued: what cannot be judged is unknown, neither true nor false. A rule that is unknown as a
    whole asks (fails closed) or lets pass, as it says, and the sentence names the condition.
    """
    definition = rule.definition
    outside = kind.out_of_scope(facts, _channels(definition, reading))
    if outside is not None:
        return RuleTrace(rule.id, rule.version, rule.name, outside.decision, outside.sentence)
    checks = compile_rule(kind, definition)
    groups = tuple(tuple([check.trace(facts, reading) for check in group]) for group in checks)
    judged, cause = judge(definition.match, groups)
    standing = _standing(rule, kind.created_at(facts))
    decision = conclude(standing, definition.unjudged, judged)
    return RuleTrace(
        rule.id,
        rule.version,
        rule.name,
        decision,
        _decision_sentence(decision, rule, judged, cause, kind.fields),
        groups,
        standing,
        definition.match,
        definition.unjudged,
    )


class RememberedCheck(Remembered[str]):
    """A check over many records, which remembers its outcomes."""

    __slots__ = ("condition", "trace")

    def __init__(self, check: Check) -> None:
        super().__init__(check.outcome, check.reads)
        self.condition, self.trace = check.condition, check.trace


Judge = Check | RememberedCheck
Groups = tuple[tuple[Judge, ...], ...]


class Glance(NamedTuple):
    """A decision without its words. distance: conditions between the record and a match: 0, 1, or 2 for several.

    lacking: the condition that is, when it is only one. of: how many make up the nearest way to a match. They are
    counted as decisions.missing does: the first condition of each group that does not hold, or those of the nearest
    group that do not.
    """

    decision: str
    distance: int = 0
    of: int = 0
    lacking: Judge | None = None


class Glancer:
    """decide_rule's decision for one of many records: nothing is put into words, only what decides is read.

    stored: the facts are views of a stored form, of which what was found for equal parts is remembered.
    """

    __slots__ = ("_definition", "_groups", "_kind", "_look", "_outside", "_reading", "_rule")

    def __init__(self, kind: Kind, rule: RuleInForce, reading: Reading, *, stored: bool = False) -> None:
        self._kind, self._rule, self._reading, self._definition = kind, rule, reading, rule.definition
        channels = _channels(rule.definition, reading)
        self._outside: Remembered[OutOfScope | None] = Remembered(
            lambda facts, _: kind.out_of_scope(facts, channels), kind.scope_reads.split() if stored else ()
        )
        self._groups: Groups = compile_rule(kind, rule.definition)
        if stored:
            self._groups = tuple(tuple([RememberedCheck(check) for check in group]) for group in self._groups)
        self._look = _glance_all if rule.definition.match == "all" else _glance_any

    def glance(self, facts: Any) -> Glance:
        rule, reading, unjudged = self._rule, self._reading, self._definition.unjudged
        outside = self._outside.outcome(facts, reading)
        if outside is not None:
            return Glance(outside.decision)
        judged, distance, of, lacking = self._look(self._groups, facts, reading)
        standing = "monitor" if rule.mode == "monitor" else _standing(rule, self._kind.created_at(facts))
        return Glance(conclude(standing, unjudged, judged), distance, of, lacking if distance == 1 else None)


def glance(kind: Kind, rule: RuleInForce, facts: Any, reading: Reading) -> Glance:
    return Glancer(kind, rule, reading).glance(facts)


Glanced = tuple[str, int, int, Judge | None]


def _glance_all(groups: Groups, facts: Any, reading: Reading) -> Glanced:
    """Every group by any one of its conditions. Ends where nothing can change the answer any more."""
    judged, distance = "pass", 0
    lacking: Judge | None = None
    for group in groups:
        unknown = not group
        for check in group:
            outcome = check.outcome(facts, reading)
            if outcome == "pass":
                break
            unknown = unknown or outcome == "unknown"
        else:
            if not group:
                continue
            if not unknown:
                judged = "fail"
            elif judged == "pass":
                judged = "unknown"
            distance += 1
            if distance == 1:
                lacking = group[0]
            elif judged == "fail":
                break
    return judged, min(distance, 2), sum(map(bool, groups)), lacking


def _glance_any(groups: Groups, facts: Any, reading: Reading) -> Glanced:
    """Any group by all of its conditions."""
    best, near, lacking, of = "fail", -1, None, 0
    for group in groups:
        if not group:
            continue
        open_ = [(c, o) for c in group if (o := c.outcome(facts, reading)) != "pass"]
        if not open_:
            return "pass", 0, len(group), None
        if all(outcome == "unknown" for _, outcome in open_):
            best = "unknown"
        if near < 0 or len(open_) < near:
            near, lacking, of = len(open_), open_[0][0], len(group)
    return ("pass", 0, 0, None) if near < 0 else (best, min(near, 2), of, lacking)


def _channels(definition: RuleDefinition, reading: Reading) -> frozenset[int]:
    """Return where the rule acts."""
    if not definition.channels:
        return reading.storefront_channels
    return reading.storefront_channels.intersection(definition.channels)


Checks = tuple[tuple[Check, ...], ...]


def compile_rule(kind: Kind, definition: RuleDefinition) -> Checks:
    """Return the definition's conditions as they are evaluated, group by group."""
    # Kept with the definition itself: to find it in a table by its value would cost more than a condition does.
    kept: dict[Kind, Checks] = definition.__dict__.setdefault("_checks", {})
    found = kept.get(kind)
    if found is None:
        fields, rates = kind.fields, definition.use_rates
        found = tuple(
            tuple(compile_condition(c, fields.get(c.field), rates) for c in group) for group in definition.groups
        )
        kept[kind] = found
    return found


def _standing(rule: RuleInForce, created_at: datetime) -> str:
    if rule.mode == "monitor":
        return "monitor"
    # The store tells whole seconds only: a record of the second in which the rule went live counts as after it.
    boundary = rule.live_since.replace(microsecond=0) if rule.live_since else None
    if boundary is None or (created_at < boundary and not rule.included):
        return "before_boundary"
    return "paused" if rule.paused_why else "live"


def conclude(standing: str, unjudged: str, judged: str) -> str:
    """Return the decision of a rule from how it stands to the record and what its conditions say together.

    judged: pass | fail | unknown.
    """
    if judged == "fail":
        return "no_match"
    if judged == "unknown" and unjudged == "pass":
        return "unjudged"
    return {"monitor": "would_ask", "live": "asks"}.get(standing, standing)


def _decision_sentence(
    decision: str, rule: RuleInForce, judged: str, cause: ConditionTrace | None, fields: Mapping[str, Field]
) -> str:
    match decision:
        case "no_match" if cause is not None:
            return _no_match_sentence(cause, fields)
        case "would_ask":
            return "Monitor: would have asked."
        case "before_boundary":
            return "Created before the rule went live."
        case "paused":
            return f"The rule is paused: {rule.paused_why}"
    if judged == "unknown" and cause is not None:
        label, why = label_of(cause.field, fields), cause.seen or UNKNOWN_FIELD
        how = "Lets pass" if decision == "unjudged" else "Asks"
        return f"{how}, because {label} could not be judged: {why}."
    return f"Asks: every condition of “{rule.name}” holds."


def judge(match: str, groups: Sequence[Sequence[ConditionTrace]]) -> tuple[str, ConditionTrace | None]:
    """Return pass | fail | unknown for all groups together, and the condition that decided when it is not pass."""
    judged = [_judge_group(group, any_one=match == "all") for group in groups if group]
    if not judged:
        return "pass", None
    if match == "any":
        return next((j for j in judged if j[0] == "pass"), None) or next(
            (j for j in judged if j[0] == "unknown"), judged[0]
        )
    return next((j for j in judged if j[0] == "fail"), None) or next(
        (j for j in judged if j[0] == "unknown"), ("pass", None)
    )


def _judge_group(group: Sequence[ConditionTrace], *, any_one: bool) -> tuple[str, ConditionTrace | None]:
    unknown = failed = None
    for trace in group:
        outcome = trace.outcome
        if outcome == "pass":
            if any_one:
                return "pass", None
        elif outcome == "unknown":
            unknown = unknown or trace
        else:
            failed = failed or trace
    if any_one:
        return ("unknown", unknown) if unknown else ("fail", failed)
    return ("fail", failed) if failed else ("unknown", unknown) if unknown else ("pass", None)


def _no_match_sentence(cause: ConditionTrace, fields: Mapping[str, Field]) -> str:
    label = label_of(cause.field, fields)
    if cause.outcome == "currency":
        return f"Does not ask: {label} is {cause.seen}."
    wanted = " ".join((OPERATOR_WORDS[cause.operator], ", ".join(cause.values))).strip()
    return f"Does not ask: {label} is {cause.seen or 'empty'}, the rule wants: {wanted}."


def needs_of(kind: Kind, rules: Sequence[RuleInForce]) -> tuple[frozenset[str], int]:
    """Return which costly reads the rules' fields need, and how many days of history (0: all of it, if any)."""
    needs: set[str] = set()
    days, whole = 0, False
    for rule in rules:
        for group in rule.definition.groups:
            for condition in group:
                known = kind.fields.get(condition.field)
                if known:
                    needs |= known.needs
                    if "history" in known.needs and known.argument == "Days":
                        days = max(days, days_of(condition.argument) or 1)
                    elif "history" in known.needs:
                        whole = True
    return frozenset(needs), 0 if whole else days


def left_out(kind: Kind, definitions: Iterable[RuleDefinition]) -> LeftOut:
    """Return what of the stored form deciding these rules does not read: no need to fetch it."""
    named = {c.field for definition in definitions for group in definition.groups for c in group}
    reads = [kind.scope_reads, kind.dated_by, *(known.reads for name, known in kind.fields.items() if name in named)]
    if not all(reads):
        return NOTHING_LEFT_OUT
    # The channel is read for what was signed once per channel.
    return kind.codec.left_out({"unread", "channel_id", *(path for paths in reads for path in paths.split())})


# Said -----------------------------------------------------------------------------------------------------


def sentence(definition: RuleDefinition, kind: Kind, names: Mapping[str, str] | None = None, when: str = "") -> str:
    """Return the rule as one sentence. names: agreement and people names by "agreement:3", "person:7".

    when: how it begins, where the workflow says it otherwise than the kind of record.
    """
    begins = when or kind.when
    names = names or {}
    inner, outer = (" or ", " and ") if definition.match == "all" else (" and ", " or ")
    parts = []
    for group in definition.groups:
        said = [say(c, kind.fields) for c in group]
        if said:
            parts.append(said[0] if len(said) == 1 else f"({inner.join(said)})")
    when = begins + (" and " + outer.join(parts) if parts else "")
    if definition.match == "any" and len(parts) > 1:
        when = f"{begins} and ({outer.join(parts)})"
    asks = []
    if definition.internal:
        asks.append(_who_approves(definition, names))
    if definition.customer:
        agreement = names.get(f"agreement:{definition.agreement_id}", "the agreement")
        once = f", once per {definition.sign_once.scope}" if definition.sign_once.scope else ""
        asks.append(f"ask {kind.signer} to sign {agreement}{once}")
    if definition.sequence == "customer_first":
        asks.reverse()
    joint = " and " if definition.sequence == "together" else ", then "
    return f"{when}, {joint.join(asks)}."


def _who_approves(definition: RuleDefinition, names: Mapping[str, str]) -> str:
    joint = ", then " if definition.approvers_in_order else " and "

    def people(ids: Sequence[int]) -> str:
        return joint.join(names.get(f"person:{p}", f"person {p}") for p in ids)

    if definition.approvers:
        return f"ask {people(definition.approvers)} to approve"
    if definition.bands:
        lines = [
            f"{'up to ' + band.up_to if band.up_to else 'above'} {people(band.people)}" for band in definition.bands
        ]
        return f"ask for approval ({'; '.join(lines)})"
    return "ask the approver whose limit covers it to approve"


# Stored ---------------------------------------------------------------------------------------------------


def dump_definition(definition: RuleDefinition) -> dict[str, Any]:
    """Return the definition as jsonb, keys in a steady order."""
    return _plain(asdict(definition))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def parse_definition(stored: Mapping[str, Any]) -> RuleDefinition:
    """Read a stored definition; keys of a newer release are left aside, absent ones have their default."""
    given: dict[str, Any] = {k: v for k, v in stored.items() if k in RuleDefinition.__dataclass_fields__}
    for name in ("approvers", "copies", "unknown_requester", "channels"):
        given[name] = tuple(given.get(name, ()))
    given["groups"] = tuple(
        tuple(Condition(c["field"], c["operator"], tuple(c.get("values", ())), c.get("argument", "")) for c in group)
        for group in given.get("groups", ())
    )
    given["options"] = tuple(sorted((str(name), str(value)) for name, value in given.get("options", ())))
    given["bands"] = tuple(Band(b["up_to"], tuple(b["people"])) for b in given.get("bands", ()))
    given["steps"] = tuple(Step(**_known(Step, s)) for s in given.get("steps", ()))
    given["sign_once"] = SignOnce(**_known(SignOnce, given.get("sign_once") or {}))
    return RuleDefinition(**given)


def _known(of: Any, stored: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in stored.items() if k in of.__dataclass_fields__}
