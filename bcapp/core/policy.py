"""Rules as a file: what a store's rules look like in a policy, and what a policy would change.

Everything that a rule names stands by the name that people use: people by e-mail, agreements, accounts and calendars
by name. The shape is published as docs/policy.schema.json, made from SCHEMA here and the workflows (a test compares).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bcapp.core.conditions import Condition
from bcapp.core.fields import OPERATOR_WORDS
from bcapp.core.options import YES, Option, OptionType
from bcapp.core.rules import (
    MOST_BANDS,
    MOST_STEPS,
    SCOPES,
    STEP_OUTCOMES,
    STEPS,
    Band,
    RuleDefinition,
    SignOnce,
    Step,
)

POLICY_VERSION = 1
MODES = ("live", "monitor", "off")
_DEFAULT = RuleDefinition()
REMOVED = "(removed)"  # what a rule names and the store has no more; no name of anything, so a file with it is refused

_TEXT = {"type": "string", "minLength": 1, "maxLength": 250}
_PEOPLE = {"type": "array", "items": {"type": "string", "format": "email", "maxLength": 250}, "maxItems": 20}


def _shape(required: Sequence[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


_CONDITION = _shape(
    ["field", "operator"],
    field=_TEXT,
    operator={"enum": sorted(OPERATOR_WORDS)},
    values={"type": "array", "items": {"type": ["string", "integer"]}, "maxItems": 500},
    argument={"type": ["string", "integer"]},
)
_RULE = _shape(
    ["name", "workflow", "account"],
    id={"type": "integer", "minimum": 1, "description": "The rule's number. Without it the rule is known by its name."},
    name={"type": "string", "minLength": 1, "maxLength": 120},
    workflow=_TEXT,
    mode={"enum": list(MODES)},
    match={"enum": ["all", "any"], "description": "all: every group holds, by one condition. any: one group, by all."},
    groups={"type": "array", "maxItems": 500, "items": {"type": "array", "items": _CONDITION, "maxItems": 500}},
    unjudged={"enum": ["ask", "pass"]},
    use_rates={"type": "boolean"},
    approvers=_shape(
        [],
        people=_PEOPLE,
        bands={
            "type": "array",
            "maxItems": MOST_BANDS,
            "items": _shape(["people"], up_to={"type": "string", "maxLength": 40}, people=_PEOPLE),
        },
        in_order={"type": "boolean"},
        approve_only={"type": "boolean"},
        copies=_PEOPLE,
        unknown_requester=_PEOPLE,
    ),
    buyer=_shape(
        ["agreement"],
        agreement=_TEXT,
        may_forward={"type": "boolean"},
        sign_once=_shape(
            ["scope"],
            scope={"enum": [s for s in SCOPES if s]},
            months={"type": "integer", "minimum": 1, "maximum": 120},
            until={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
            renew_days={"type": "integer", "minimum": 0, "maximum": 365},
        ),
    ),
    sequence={"enum": ["together", "internal_first", "customer_first"]},
    account=_TEXT,
    expiry_days={"type": "integer", "minimum": 1, "maximum": 365},
    escalation={
        "type": "array",
        "maxItems": MOST_STEPS,
        "items": _shape(
            ["after_days", "do"],
            after_days={"type": "integer", "minimum": 0, "maximum": 365},
            do={"enum": list(STEPS)},
            at={"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
            working_days={"type": "boolean"},
            person={"type": "string", "format": "email", "maxLength": 250},
            outcome={"enum": list(STEP_OUTCOMES)},
        ),
    },
    calendar=_TEXT,
    most_per_hour={"type": "integer", "minimum": 1, "maximum": 100_000},
    most_per_day={"type": "integer", "minimum": 1, "maximum": 1_000_000},
    channels={"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 500},
    record={"type": "string", "maxLength": 40, "description": "The kind of record, where a workflow has several."},
    options={
        "type": "object",
        "maxProperties": 50,
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
        "description": "The workflow's own settings, by name.",
    },
)
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Countersign policy",
    "description": "The rules of one store, as “bcapp policy” reads and writes them.",
    **_shape(
        ["policy", "rules"],
        policy={"const": POLICY_VERSION},
        rules={"type": "array", "items": _RULE, "maxItems": 10_000},
    ),
}


def published(workflows: Mapping[str, tuple[Sequence[str], Sequence[Option]]]) -> dict[str, Any]:
    """Return SCHEMA with what each workflow's rules are about and may set, for editors that check as you type.

    workflows: slug -> (kinds of records, settings). A file is read by SCHEMA; what this adds is refused in sentences.
    """
    by_workflow = [
        {
            "if": {"properties": {"workflow": {"const": slug}}},
            "then": {
                "properties": {
                    "record": {"enum": list(kinds)},
                    "options": _shape([], **{o.name: _option_shape(o) for o in options}),
                }
            },
        }
        for slug, (kinds, options) in workflows.items()
    ]
    rule = {**_RULE, "properties": {**_RULE["properties"], "workflow": {"enum": list(workflows)}}, "allOf": by_workflow}
    rules = {**SCHEMA["properties"]["rules"], "items": rule}
    return {**SCHEMA, "properties": {**SCHEMA["properties"], "rules": rules}}


def _option_shape(option: Option) -> dict[str, Any]:
    least, most = option.between or (0, 10**9)
    shape: dict[str, Any] = {"type": ["string", "integer"]}
    match option.type:
        case OptionType.FLAG:
            shape = {"type": "boolean"}
        case OptionType.NUMBER:
            shape = {"type": "integer", "minimum": least, "maximum": most}
        case OptionType.CHOICE:
            shape = {"enum": [value for value, _ in option.choices]}
    return {**shape, "description": f"{option.label}. {option.help}".strip()}


@dataclass(frozen=True)
class Names:
    """Ids of a store by the names that people use, and back. people: by lower-case e-mail."""

    people: Mapping[str, int] = field(default_factory=dict)
    agreements: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, int] = field(default_factory=dict)
    calendars: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def back(of: Mapping[str, int]) -> dict[int, str]:
        return {number: name for name, number in of.items()}


@dataclass(frozen=True)
class PolicyRule:
    """One rule of a store or of a file. id 0: known by its name. open_requests: that run under its present version."""

    name: str
    workflow: str
    mode: str
    definition: RuleDefinition
    id: int = 0
    version: int = 0
    open_requests: int = 0


class UnknownNames(ValueError):
    """problems: (path into the document, sentence)."""

    def __init__(self, problems: Sequence[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = list(problems)


# A store's rules as a document --------------------------------------------------------------------------------


def to_document(rules: Sequence[PolicyRule], names: Names) -> dict[str, Any]:
    """Return the policy as plain data in a stable order; what stands at its default is left out."""
    return {"policy": POLICY_VERSION, "rules": [_entry(rule, names) for rule in rules]}


def _entry(rule: PolicyRule, names: Names) -> dict[str, Any]:
    people, agreements = Names.back(names.people), Names.back(names.agreements)
    accounts, calendars = Names.back(names.accounts), Names.back(names.calendars)
    d = rule.definition

    def mail(ids: Sequence[int]) -> list[str]:
        return [people.get(i, REMOVED) for i in ids]

    entry: dict[str, Any] = {"id": rule.id} if rule.id else {}
    entry |= {"name": rule.name, "workflow": rule.workflow, "mode": rule.mode}
    if d.match != _DEFAULT.match:
        entry["match"] = d.match
    if d.groups:
        entry["groups"] = [[_condition(c) for c in group] for group in d.groups]
    entry |= _differing(d, "unjudged", "use_rates")
    if d.internal:
        approvers: dict[str, Any] = {}
        if d.approvers:
            approvers["people"] = mail(d.approvers)
        if d.bands:
            approvers["bands"] = [({"up_to": b.up_to} if b.up_to else {}) | {"people": mail(b.people)} for b in d.bands]
        if not d.approvers_in_order:
            approvers["in_order"] = False
        if d.approve_only:
            approvers["approve_only"] = True
        if d.copies:
            approvers["copies"] = mail(d.copies)
        if d.unknown_requester:
            approvers["unknown_requester"] = mail(d.unknown_requester)
        entry["approvers"] = approvers
    if d.customer:
        buyer: dict[str, Any] = {"agreement": agreements.get(d.agreement_id, REMOVED)}
        if d.buyer_may_forward:
            buyer["may_forward"] = True
        if d.sign_once.scope:
            buyer["sign_once"] = _sign_once(d.sign_once)
        entry["buyer"] = buyer
    entry |= _differing(d, "sequence")
    entry["account"] = accounts.get(d.account_id, REMOVED)
    entry |= _differing(d, "expiry_days")
    if d.steps:
        entry["escalation"] = [_step(s, people) for s in d.steps]
    if d.calendar_id:
        entry["calendar"] = calendars.get(d.calendar_id, REMOVED)
    entry |= _differing(d, "most_per_hour", "most_per_day")
    if d.channels:
        entry["channels"] = list(d.channels)
    if d.kind:
        entry["record"] = d.kind
    if d.options:
        entry["options"] = {name: {YES: True, "": False}.get(value, value) for name, value in d.options}
    return entry


def _differing(definition: RuleDefinition, *names: str) -> dict[str, Any]:
    return {n: getattr(definition, n) for n in names if getattr(definition, n) != getattr(_DEFAULT, n)}


def _condition(condition: Condition) -> dict[str, Any]:
    entry: dict[str, Any] = {"field": condition.field, "operator": condition.operator}
    if condition.values:
        entry["values"] = list(condition.values)
    if condition.argument:
        entry["argument"] = condition.argument
    return entry


def _sign_once(once: SignOnce) -> dict[str, Any]:
    entry: dict[str, Any] = {"scope": once.scope}
    entry |= {"months": once.months} if once.months else {}
    entry |= {"until": once.until} if once.until else {}
    return entry | ({"renew_days": once.renew_days} if once.renew_days != SignOnce().renew_days else {})


def _step(step: Step, people: Mapping[int, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"after_days": step.after_days, "do": step.do, "at": step.at}
    entry |= {} if step.working_days else {"working_days": False}
    entry |= {"person": people.get(step.person, REMOVED)} if step.person else {}
    return entry | ({"outcome": step.outcome} if step.outcome else {})


# A document as rules ------------------------------------------------------------------------------------------


def from_document(document: Mapping[str, Any], names: Names) -> list[PolicyRule]:
    """Return the rules of a document that fits SCHEMA. Raises UnknownNames for whatever the store does not have."""
    problems: list[tuple[tuple[str | int, ...], str]] = []
    rules = [_rule(entry, names, ("rules", i), problems) for i, entry in enumerate(document["rules"])]
    problems += _twice(document["rules"])
    if problems:
        raise UnknownNames(problems)
    return rules


def _rule(
    entry: Mapping[str, Any],
    names: Names,
    path: tuple[str | int, ...],
    problems: list[tuple[tuple[str | int, ...], str]],
) -> PolicyRule:
    def known(of: Mapping[str, int], name: str, what: str, *where: str | int) -> int:
        found = of.get(name.lower() if of is names.people else name)
        if found is None:
            problems.append(((*path, *where), f"The store has no {what} “{name}”."))
        return found or 0

    def people(mails: Sequence[str], *where: str | int) -> tuple[int, ...]:
        return tuple(known(names.people, mail, "person", *where, i) for i, mail in enumerate(mails))

    approvers, buyer = entry.get("approvers"), entry.get("buyer")
    inner: Mapping[str, Any] = approvers or {}
    once = (buyer or {}).get("sign_once") or {}
    definition = RuleDefinition(
        match=entry.get("match", _DEFAULT.match),
        groups=tuple(tuple(_read_condition(c) for c in group) for group in entry.get("groups", ())),
        unjudged=entry.get("unjudged", _DEFAULT.unjudged),
        use_rates=entry.get("use_rates", _DEFAULT.use_rates),
        internal=approvers is not None,
        approvers=people(inner.get("people", ()), "approvers", "people"),
        bands=tuple(
            Band(b.get("up_to", ""), people(b["people"], "approvers", "bands", i, "people"))
            for i, b in enumerate(inner.get("bands", ()))
        ),
        approvers_in_order=inner.get("in_order", _DEFAULT.approvers_in_order),
        approve_only=inner.get("approve_only", _DEFAULT.approve_only),
        copies=people(inner.get("copies", ()), "approvers", "copies"),
        unknown_requester=people(inner.get("unknown_requester", ()), "approvers", "unknown_requester"),
        customer=buyer is not None,
        agreement_id=known(names.agreements, buyer["agreement"], "agreement", "buyer", "agreement") if buyer else 0,
        sign_once=SignOnce(**once) if once else SignOnce(),
        sequence=entry.get("sequence", _DEFAULT.sequence),
        account_id=known(names.accounts, entry["account"], "signature account", "account"),
        expiry_days=entry.get("expiry_days", _DEFAULT.expiry_days),
        steps=tuple(
            Step(
                **{k: v for k, v in step.items() if k != "person"},
                person=known(names.people, step["person"], "person", "escalation", i, "person")
                if "person" in step
                else 0,
            )
            for i, step in enumerate(entry.get("escalation", ()))
        ),
        calendar_id=known(names.calendars, entry["calendar"], "calendar", "calendar") if "calendar" in entry else 0,
        buyer_may_forward=(buyer or {}).get("may_forward", _DEFAULT.buyer_may_forward),
        most_per_hour=entry.get("most_per_hour", _DEFAULT.most_per_hour),
        most_per_day=entry.get("most_per_day", _DEFAULT.most_per_day),
        channels=tuple(entry.get("channels", ())),
        kind=entry.get("record", ""),
        options=tuple(sorted((name, _option(value)) for name, value in entry.get("options", {}).items())),
    )
    return PolicyRule(entry["name"], entry["workflow"], entry.get("mode", "off"), definition, entry.get("id", 0))


def _option(value: str | int) -> str:
    if isinstance(value, bool):
        return YES if value else ""
    return str(value)


def _read_condition(entry: Mapping[str, Any]) -> Condition:
    values = tuple(str(v) for v in entry.get("values", ()))
    return Condition(entry["field"], entry["operator"], values, str(entry.get("argument", "")))


def _twice(entries: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[str | int, ...], str]]:
    seen: set[tuple[str, object]] = set()
    problems: list[tuple[tuple[str | int, ...], str]] = []
    for i, entry in enumerate(entries):
        for name in ("id", "name"):
            key = (name, entry.get(name))
            if key[1] is not None and key in seen:
                problems.append((("rules", i, name), f"Two rules have the {name} {key[1]!r}."))
            seen.add(key)
    return problems


# What would change --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PolicyChange:
    """what: add | change | mode | keep. lines: one sentence per difference. rule: as the file has it."""

    what: str
    rule: PolicyRule
    present: PolicyRule | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicyPlan:
    """changes in the order of the file; left: rules of the store that the file does not name, left as they are."""

    changes: tuple[PolicyChange, ...]
    left: tuple[PolicyRule, ...]

    @property
    def is_empty(self) -> bool:
        return all(c.what == "keep" for c in self.changes)


def plan(wanted: Sequence[PolicyRule], present: Sequence[PolicyRule], names: Names) -> PolicyPlan:
    """Return what the wanted rules change. A rule is found by its number, else by its name and workflow."""
    by_id = {rule.id: rule for rule in present}
    by_name = {(rule.workflow, rule.name): rule for rule in present}
    problems: list[tuple[tuple[str | int, ...], str]] = []
    changes, found = [], set()
    for i, rule in enumerate(wanted):
        old = by_id.get(rule.id) if rule.id else by_name.get((rule.workflow, rule.name))
        if rule.id and old is None:
            problems.append((("rules", i, "id"), f"The store has no rule {rule.id}. Leave the id out to add a rule."))
            continue
        if old is not None and old.workflow != rule.workflow:
            text = f"The rule “{old.name}” belongs to {old.workflow}; a rule keeps its workflow."
            problems.append((("rules", i, "workflow"), text))
            continue
        if old is not None and old.id in found:
            problems.append((("rules", i, "name"), f"The rule “{old.name}” stands in the file twice."))
            continue
        if old is not None:
            found.add(old.id)
        changes.append(_change(rule, old, names))
    if problems:
        raise UnknownNames(problems)
    return PolicyPlan(tuple(changes), tuple(rule for rule in present if rule.id not in found))


def _change(rule: PolicyRule, old: PolicyRule | None, names: Names) -> PolicyChange:
    if old is None:
        return PolicyChange("add", rule)
    lines = tuple(differences(_entry(old, names), _entry(rule, names)))
    if rule.definition == old.definition and rule.name == old.name:
        return PolicyChange("mode" if rule.mode != old.mode else "keep", rule, old, lines)
    return PolicyChange("change", rule, old, lines)


def rule_differences(before: PolicyRule, after: PolicyRule, names: Names) -> list[str]:
    """Return "part: before → after" for each part in which two states of a rule differ."""
    return differences(_entry(before, names), _entry(after, names))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return "name: before → after" for each part of two rules' entries that differs, in a steady order."""
    names = [n for n in dict.fromkeys([*before, *after]) if n != "id" and before.get(n) != after.get(n)]
    return [f"{n.replace('_', ' ')}: {_said(before.get(n))} → {_said(after.get(n))}" for n in names]


def _said(value: Any) -> str:
    if value is None:
        return "(default)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def digest(rules: Sequence[PolicyRule], text: str) -> str:
    """Return 12 hex digits of the store's rules as they stand and the file: a plan holds for exactly these two."""
    stand = [[r.id, r.version, r.mode, r.name] for r in rules]
    return hashlib.sha256(json.dumps([stand, text], ensure_ascii=False).encode()).hexdigest()[:12]
