"""The rule editor's form: rows of conditions as typed, and the definition that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import FormData

from bcapp.core.conditions import Condition
from bcapp.core.fields import OPERATORS, FieldType
from bcapp.core.kinds.order import ORDER
from bcapp.core.money import parse_money
from bcapp.core.rules import InvalidRule, RuleDefinition, check_definition, sentence
from bcapp.db.rules import Choices
from bcapp.web.panel.screen import Given

NOTHING_YET = "…"
NAME_CHARACTERS = 120
MOST_ROWS = 60  # in this editor; a policy file may hold more
MOST_APPROVERS = 5
ROW = re.compile(r"c\.([0-9]{1,3})\.([0-9]{1,3})\.field")
SEQUENCES = (
    ("together", "Both at the same time"),
    ("internal_first", "Approvers first"),
    ("customer_first", "The buyer first"),
)


@dataclass(frozen=True)
class Row:
    """One condition as it is typed. text: the value, several parted by commas; currency: of a money value."""

    field: str = "total"
    operator: str = "at_least"
    text: str = ""
    currency: str = ""
    argument: str = ""

    @property
    def type(self) -> FieldType | None:
        known = ORDER.fields.get(self.field)
        return known.type if known else None

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.type] if self.type else ()

    @property
    def values(self) -> list[str]:
        return [v.strip() for v in self.text.split(",") if v.strip()]

    def fitted(self) -> Row:
        """Return the row with an operator that its field has: another field was chosen."""
        if self.type is None or self.operator in self.operators:
            return self
        return replace(self, operator=self.operators[0])

    def condition(self) -> Condition:
        known = ORDER.fields.get(self.field)
        argument = self.argument.strip() if known and known.argument else ""
        match self.type:
            case FieldType.FLAG:
                values: tuple[str, ...] = ()
            case FieldType.MONEY:
                amount = self.text.strip()
                values = (f"{amount} {self.currency.strip().upper()}",) if amount else ()
            case FieldType.NUMBER | FieldType.TEXT:
                values = (self.text.strip(),) if self.text.strip() else ()
            case FieldType.COUNTRY:
                values = tuple(v.upper() for v in self.values)
            case _:
                values = tuple(self.values)
        return Condition(self.field, self.operator, values, argument)


def row_of(condition: Condition) -> Row:
    """Return a stored condition as the editor shows it."""
    known = ORDER.fields.get(condition.field)
    text, currency = ", ".join(condition.values), ""
    if known and known.type is FieldType.MONEY and condition.values:
        try:
            money = parse_money(condition.values[0])
        except ValueError:
            text = condition.values[0]
        else:
            text, currency = f"{money.amount:f}", money.currency
    return Row(condition.field, condition.operator, text, currency, condition.argument)


@dataclass(frozen=True)
class RuleForm:
    """The whole form as typed. groups: rows by group; approvers: person ids in turn, "" for an empty select."""

    name: str = ""
    groups: tuple[tuple[Row, ...], ...] = ((Row(),),)
    internal: bool = True
    approver_how: str = "limit"
    approvers: tuple[str, ...] = ()
    customer: bool = False
    agreement_id: str = ""
    buyer_may_forward: bool = False
    sequence: str = "together"
    account_id: str = ""
    expiry_days: str = "7"
    most_per_hour: str = "100"
    most_per_day: str = "500"
    channels: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)

    def changed(self, do: str, currency: str) -> RuleForm:
        """Return the form after a button that only changes its rows: group, or.G, remove.G.C."""
        what, *numbers = do.split(".")
        at = [int(n) for n in numbers if n.isdecimal() and len(n) < 4]
        groups = [list(g) for g in self.groups]
        room = sum(map(len, groups)) < MOST_ROWS
        if what == "group" and room:
            groups.append([Row(currency=currency)])
        elif what == "or" and room and len(at) == 1 and at[0] < len(groups):
            groups[at[0]].append(replace(groups[at[0]][-1], text=""))
        elif what == "remove" and len(at) == 2 and at[0] < len(groups) and at[1] < len(groups[at[0]]):
            del groups[at[0]][at[1]]
        return replace(self, groups=tuple(tuple(g) for g in groups if g), errors={})


def new_form(choices: Choices, currency: str) -> RuleForm:
    """Return the form of a new rule, with what can be guessed filled in."""
    return RuleForm(
        groups=((Row(currency=currency),),),
        account_id=str(choices.accounts[0]["id"]) if len(choices.accounts) == 1 else "",
    )


def form_of(name: str, definition: RuleDefinition) -> RuleForm:
    """Return a stored rule as the editor shows it."""
    return RuleForm(
        name=name,
        groups=tuple(tuple(row_of(c) for c in group) for group in definition.groups if group),
        internal=definition.internal,
        approver_how="named" if definition.approvers else "limit",
        approvers=tuple(str(p) for p in definition.approvers),
        customer=definition.customer,
        agreement_id=str(definition.agreement_id or ""),
        buyer_may_forward=definition.buyer_may_forward,
        sequence=definition.sequence,
        account_id=str(definition.account_id or ""),
        expiry_days=str(definition.expiry_days),
        most_per_hour=str(definition.most_per_hour),
        most_per_day=str(definition.most_per_day),
        channels=tuple(str(c) for c in definition.channels),
    )


def read_form(data: FormData) -> RuleForm:
    """Return the form as it came, every value bounded; rows of one group stay together, in their order."""
    given = Given(data)

    def short(name: str, most: int = 80) -> str:
        return given.raw(name)[:most]

    places = sorted({(int(m[1]), int(m[2])) for key in data if (m := ROW.fullmatch(key))})[:MOST_ROWS]
    groups: dict[int, list[Row]] = {}
    for g, c in places:
        at = f"c.{g}.{c}"
        several = [str(v)[:30] for v in data.getlist(f"{at}.values")[:200]]
        row = Row(
            field=short(f"{at}.field"),
            operator=short(f"{at}.operator"),
            text=", ".join(several) if several else short(f"{at}.value", 2000),
            currency=short(f"{at}.currency", 3),
            argument=short(f"{at}.argument", 250),
        )
        groups.setdefault(g, []).append(row.fitted())
    return RuleForm(
        name=short("name", NAME_CHARACTERS + 1).strip(),
        groups=tuple(tuple(rows) for rows in groups.values()),
        internal=given.ticked("internal"),
        approver_how="named" if given.raw("approver_how") == "named" else "limit",
        approvers=tuple(short(f"approver_{n}", 20) for n in range(MOST_APPROVERS)),
        customer=given.ticked("customer"),
        agreement_id=short("agreement_id", 20),
        buyer_may_forward=given.ticked("buyer_may_forward"),
        sequence=short("sequence"),
        account_id=short("account_id", 20),
        expiry_days=short("expiry_days", 10),
        most_per_hour=short("most_per_hour", 10),
        most_per_day=short("most_per_day", 10),
        channels=tuple(str(v)[:20] for v in data.getlist("channel")[:500]),
    )


def definition_of(form: RuleForm) -> RuleDefinition:
    """Return the definition as far as the form gives one; what is no number counts as 0."""
    named = tuple(_whole(p) for p in form.approvers if p)
    return RuleDefinition(
        groups=tuple(tuple(row.condition() for row in rows) for rows in form.groups),
        internal=form.internal,
        approvers=tuple(dict.fromkeys(named)) if form.internal and form.approver_how == "named" else (),
        customer=form.customer,
        agreement_id=_whole(form.agreement_id) if form.customer else 0,
        sequence=form.sequence if form.internal and form.customer else "together",
        account_id=_whole(form.account_id),
        expiry_days=_whole(form.expiry_days),
        buyer_may_forward=form.customer and form.buyer_may_forward,
        most_per_hour=_whole(form.most_per_hour),
        most_per_day=_whole(form.most_per_day),
        channels=tuple(_whole(c) for c in form.channels),
    )


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.strip().isdecimal() and len(text) < 16 else 0


def said(definition: RuleDefinition, choices: Choices) -> str:
    """Return the rule as a sentence with the names of people, agreements and channels; a gap where a value lacks."""
    channels = {str(c["id"]): str(c["name"]) for c in choices.channels}

    def shown(condition: Condition) -> Condition:
        known = ORDER.fields.get(condition.field)
        values = condition.values
        if condition.field == "channel":
            values = tuple(channels.get(v, v) for v in values)
        if not values and known and known.type is not FieldType.FLAG:
            values = (NOTHING_YET,)
        return replace(condition, values=values)

    groups = tuple(tuple(shown(c) for c in group) for group in definition.groups)
    return sentence(replace(definition, groups=groups), ORDER, choices.names)


# where check_definition says it -> the form's field
PLACES = {
    "signers": "internal",
    "agreement": "agreement_id",
    "account": "account_id",
    "limits": "most_per_hour",
    "groups": "",
}


def check_form(form: RuleForm, choices: Choices) -> tuple[RuleDefinition, dict[str, str]]:
    """Return the definition and what is wrong with it, by field. Everything named must be the store's own."""
    definition = definition_of(form)
    errors: dict[str, str] = {}
    if not form.name:
        errors["name"] = "Give the rule a name."
    elif len(form.name) > NAME_CHARACTERS:
        errors["name"] = f"The name has at most {NAME_CHARACTERS} characters."
    try:
        check_definition(definition, ORDER)
    except InvalidRule as exc:
        for where, text in exc.problems:
            name = (
                f"{where.replace('groups.', 'c.')}.value" if where.startswith("groups.") else PLACES.get(where, where)
            )
            errors.setdefault(name, text)
    if form.internal and form.approver_how == "named" and not definition.approvers:
        errors["approver_0"] = "Name at least one approver, or choose by approval limit."
    _check_known(definition.approvers, choices.people, "approver_0", "An approver is not in People any more.", errors)
    live_agreements = [a for a in choices.agreements if not a["archived"]]
    if definition.agreement_id:
        _check_known(
            (definition.agreement_id,),
            live_agreements,
            "agreement_id",
            "This agreement is not offered any more.",
            errors,
        )
    if definition.account_id:
        _check_known((definition.account_id,), choices.accounts, "account_id", "Choose the signature account.", errors)
    _check_known(definition.channels, choices.channels, "channel", "A channel does not exist any more.", errors)
    return definition, errors


def _check_known(
    ids: Sequence[int], rows: Sequence[Mapping[str, Any]], name: str, text: str, errors: dict[str, str]
) -> None:
    if not set(ids) <= {row["id"] for row in rows}:
        errors.setdefault(name, text)
