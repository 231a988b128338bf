"""The rule editor's form: rows of conditions as typed, and the definition that they make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData

from bcapp.core.calendars import EVERY_DAY, zone_or_utc
from bcapp.core.conditions import Condition
from bcapp.core.escalation import escalation_dates
from bcapp.core.fields import OPERATORS, Field, FieldType
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.money import parse_money
from bcapp.core.options import MOST_TEXT, Option, OptionType
from bcapp.core.rules import (
    MOST_BANDS,
    MOST_STEPS,
    Band,
    InvalidRule,
    RuleDefinition,
    SignOnce,
    Step,
    check_definition,
    sentence,
)
from bcapp.db.rules import Choices
from bcapp.web.panel.screen import Given
from bcapp.web.panel.workflow_words import FIRST, known_workflow, options_of, rule_kind, when_of, words_of
from bcapp.workflows import WORKFLOWS

NOTHING_YET = "…"
NAME_CHARACTERS = 120
MOST_ROWS = 60  # in this editor; a policy file may hold more
MOST_APPROVERS = 5
MOST_OF_A_BAND = 3
MOST_COPIES = 3
MOST_DECIDERS = 2
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
ROW = re.compile(r"c\.([0-9]{1,3})\.([0-9]{1,3})\.field")
MATCHES = (("all", "All of these hold"), ("any", "Any one of these holds"))
UNJUDGED = (("ask", "Ask all the same"), ("pass", "Let the record pass"))
STEPS = (
    ("remind", "Remind who has not signed"),
    ("escalate", "Tell somebody else too"),
    ("alternate", "Let somebody else sign instead"),
    ("outcome", "Decide without a signature"),
)
STEP_OUTCOMES = (("keep", "Keep it held, and give a person the task"), ("release", "Let it go on"))
HOW = ("limit", "named", "bands")


def sequences(kind: Kind) -> list[tuple[str, str]]:
    signer = kind.signer[:1].upper() + kind.signer[1:]
    return [
        ("together", "Both at the same time"),
        ("internal_first", "Approvers first"),
        ("customer_first", f"{signer} first"),
    ]


def once_options(kind: Kind) -> list[tuple[str, str]]:
    return [
        ("", "Every time"),
        ("customer", "Once per customer"),
        ("company", "Once per company"),
        ("channel", "Once per customer and storefront"),
        ("order", f"Once per {kind.label.lower()}, also after it is edited"),
    ]


@dataclass(frozen=True)
class Row:
    """One condition as it is typed. text: the value, several parted by commas; currency: of a money value.

    kind: the name of the kind of record.
    """

    kind: str = "order"
    field: str = "total"
    operator: str = "at_least"
    text: str = ""
    currency: str = ""
    argument: str = ""

    @property
    def known(self) -> Field | None:
        return KINDS[self.kind].fields.get(self.field)

    @property
    def type(self) -> FieldType | None:
        return self.known.type if self.known else None

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
        argument = self.argument.strip() if self.known and self.known.argument else ""
        match self.type:
            case FieldType.FLAG:
                values: tuple[str, ...] = ()
            case FieldType.MONEY:
                values = tuple(self._amount(v) for v in self.values)
            case FieldType.NUMBER | FieldType.TEXT | FieldType.DATE:
                values = (self.text.strip(),) if self.text.strip() else ()
            case FieldType.COUNTRY:
                values = tuple(v.upper() for v in self.values)
            case _:
                values = tuple(self.values)
        return Condition(self.field, self.operator, values, argument)

    def _amount(self, text: str) -> str:
        """Return an amount with its currency: the one behind it, else that of the row's own field."""
        amount, _, currency = text.partition(" ")
        return f"{amount} {(currency or self.currency).strip().upper()}"


def row_of(condition: Condition, kind: Kind) -> Row:
    """Return a stored condition as the editor shows it."""
    known = kind.fields.get(condition.field)
    text, currency = ", ".join(condition.values), ""
    if known and known.type is FieldType.MONEY and len(condition.values) == 1:
        try:
            money = parse_money(condition.values[0])
        except ValueError:
            text = condition.values[0]
        else:
            text, currency = f"{money.amount:f}", money.currency
    return Row(kind.name, condition.field, condition.operator, text, currency, condition.argument)


@dataclass(frozen=True)
class BandRow:
    """A line of the limits table as it is typed: "" is above every other line. people: ids, "" for an empty select."""

    up_to: str = ""
    currency: str = ""
    people: tuple[str, ...] = ()

    def band(self) -> Band:
        amount = self.up_to.strip()
        up_to = f"{amount} {self.currency.strip().upper()}" if amount else ""
        return Band(up_to, tuple(dict.fromkeys(_whole(p) for p in self.people if p)))


@dataclass(frozen=True)
class StepRow:
    """A step of the escalation as it is typed."""

    after_days: str = "2"
    at: str = "09:00"
    working_days: bool = True
    do: str = "remind"
    person: str = ""
    outcome: str = "keep"

    def step(self) -> Step:
        asks_person = self.do in ("escalate", "alternate")
        return Step(
            _whole(self.after_days), self.do, self.at, self.working_days,
            _whole(self.person) if asks_person else 0, self.outcome if self.do == "outcome" else "",
        )  # fmt: skip


@dataclass(frozen=True)
class RuleForm:
    """The whole form as typed. groups: rows by group; approvers: person ids in turn, "" for an empty select.

    kind: the name of the kind of record, one of the workflow's. options: settings of the workflow by name, "" for an
    empty one; what is absent has its default.
    """

    workflow: str = FIRST
    kind: str = "order"
    options: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    match: str = "all"
    unjudged: str = "ask"
    use_rates: bool = False
    bands: tuple[BandRow, ...] = ()
    in_order: bool = True
    approve_only: bool = False
    copies: tuple[str, ...] = ()
    unknown_requester: tuple[str, ...] = ()
    once: str = ""
    once_months: str = ""
    once_until: str = ""
    once_renew: str = "30"
    steps: tuple[StepRow, ...] = ()
    calendar_id: str = ""
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

    @property
    def record(self) -> Kind:
        return KINDS[self.kind]

    def option(self, option: Option) -> str:
        """Return what is typed for a setting, its default when nothing was said."""
        return self.options.get(option.name, option.default)

    def changed(self, do: str, currency: str) -> RuleForm:
        """Return the form after a button that only changes its rows.

        do: group, or.G, remove.G.C, band, unband.N, step, unstep.N; anything else (fit) leaves them as they are.
        """
        what, *numbers = do.split(".")
        at = [int(n) for n in numbers if n.isdecimal() and len(n) < 4]
        groups = [list(g) for g in self.groups]
        room = sum(map(len, groups)) < MOST_ROWS
        if what == "group" and room:
            groups.append([first_row(self.record, currency)])
        elif what == "or" and room and len(at) == 1 and at[0] < len(groups):
            groups[at[0]].append(replace(groups[at[0]][-1], text=""))
        elif what == "remove" and len(at) == 2 and at[0] < len(groups) and at[1] < len(groups[at[0]]):
            del groups[at[0]][at[1]]
        bands, steps = list(self.bands), list(self.steps)
        if what == "band" and len(bands) < MOST_BANDS:
            bands.append(BandRow(currency=currency))
        elif what == "unband" and len(at) == 1 and at[0] < len(bands):
            del bands[at[0]]
        elif what == "step" and len(steps) < MOST_STEPS:
            steps.append(StepRow(after_days=str(1 + _whole(steps[-1].after_days)) if steps else "2"))
        elif what == "unstep" and len(at) == 1 and at[0] < len(steps):
            del steps[at[0]]
        kept = tuple(tuple(g) for g in groups if g)
        return replace(self, groups=kept, bands=tuple(bands), steps=tuple(steps), errors={})


def first_row(kind: Kind, currency: str) -> Row:
    """Return the row that a new condition starts as: the kind's first field."""
    return Row(kind.name, next(iter(kind.fields)), currency=currency).fitted()


def kind_named(workflow: str, name: str) -> Kind:
    """Return a kind of record of a workflow by its name, the workflow's first for what is none of its own."""
    flow = known_workflow(workflow)
    return KINDS[name if name in flow.KINDS and name in KINDS else flow.KINDS[0]]


def new_form(choices: Choices, currency: str, workflow: str = FIRST, kind: str = "") -> RuleForm:
    """Return the form of a new rule, with what can be guessed filled in."""
    words, record = words_of(workflow), kind_named(workflow, kind)
    return RuleForm(
        workflow=workflow,
        kind=record.name,
        # Most rules about orders part them by amount; the others mostly ask always.
        groups=((first_row(record, currency),),) if record.name == "order" and workflow == FIRST else (),
        internal=words.internal,
        customer=words.customer,
        expiry_days=str(words.expiry_days),
        # By limit nobody would be found where nobody has one, or where there is nothing to compare it with.
        approver_how="limit" if choices.has_limits and record.has_amount else "named",
        account_id=str(choices.accounts[0]["id"]) if len(choices.accounts) == 1 else "",
    )


def form_of(name: str, workflow: str, definition: RuleDefinition) -> RuleForm:
    """Return a stored rule as the editor shows it."""
    kind = rule_kind(workflow, definition)
    return RuleForm(
        name=name,
        workflow=workflow,
        kind=kind.name,
        options=dict(definition.options),
        groups=tuple(tuple(row_of(c, kind) for c in group) for group in definition.groups if group),
        internal=definition.internal,
        approver_how="named" if definition.approvers else "bands" if definition.bands else "limit",
        approvers=tuple(str(p) for p in definition.approvers),
        match=definition.match,
        unjudged=definition.unjudged,
        use_rates=definition.use_rates,
        bands=tuple(_band_row(b) for b in definition.bands),
        in_order=definition.approvers_in_order,
        approve_only=definition.approve_only,
        copies=tuple(str(p) for p in definition.copies),
        unknown_requester=tuple(str(p) for p in definition.unknown_requester),
        once=definition.sign_once.scope,
        once_months=str(definition.sign_once.months or ""),
        once_until=definition.sign_once.until,
        once_renew=str(definition.sign_once.renew_days),
        steps=tuple(_step_row(s) for s in definition.steps),
        calendar_id=str(definition.calendar_id or ""),
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


def _band_row(band: Band) -> BandRow:
    amount, _, currency = band.up_to.partition(" ")
    return BandRow(amount, currency, tuple(str(p) for p in band.people))


def _step_row(step: Step) -> StepRow:
    return StepRow(
        str(step.after_days), step.at, step.working_days, step.do, str(step.person or ""), step.outcome or "keep"
    )


def read_form(data: FormData, workflow: str = "", kind: str = "") -> RuleForm:
    """Return the form as it came, every value bounded; rows of one group stay together, in their order.

    workflow, kind: of the rule that is saved; a new one says its own.
    """
    given = Given(data)
    workflow = workflow or (given.raw("workflow") if given.raw("workflow") in WORKFLOWS else FIRST)
    record = kind_named(workflow, kind or given.raw("kind"))

    def short(name: str, most: int = 80) -> str:
        return given.raw(name)[:most]

    places = sorted({(int(m[1]), int(m[2])) for key in data if (m := ROW.fullmatch(key))})[:MOST_ROWS]
    groups: dict[int, list[Row]] = {}
    for g, c in places:
        at = f"c.{g}.{c}"
        several = [str(v)[:30] for v in data.getlist(f"{at}.values")[:200]]
        row = Row(
            kind=record.name,
            field=short(f"{at}.field"),
            operator=short(f"{at}.operator"),
            text=", ".join(several) if several else short(f"{at}.value", 2000),
            currency=short(f"{at}.currency", 3),
            argument=short(f"{at}.argument", 250),
        )
        groups.setdefault(g, []).append(row.fitted())
    return RuleForm(
        workflow=workflow,
        kind=record.name,
        options={o.name: short(f"o.{o.name}", MOST_TEXT + 1) for o in options_of(workflow, record.name)},
        name=short("name", NAME_CHARACTERS + 1).strip(),
        groups=tuple(tuple(rows) for rows in groups.values()),
        internal=given.ticked("internal"),
        approver_how=given.raw("approver_how") if given.raw("approver_how") in HOW else "limit",
        approvers=tuple(short(f"approver_{n}", 20) for n in range(MOST_APPROVERS)),
        match=short("match") or "all",
        unjudged=short("unjudged") or "ask",
        use_rates=given.ticked("use_rates"),
        bands=tuple(
            BandRow(
                short(f"b.{n}.up_to", 20),
                short(f"b.{n}.currency", 3),
                tuple(short(f"b.{n}.person_{m}", 20) for m in range(MOST_OF_A_BAND)),
            )
            for n in range(MOST_BANDS)
            if f"b.{n}.up_to" in data
        ),
        in_order="together" not in given.raw("approvers_together"),
        approve_only=given.ticked("approve_only"),
        copies=tuple(short(f"copy_{n}", 20) for n in range(MOST_COPIES)),
        unknown_requester=tuple(short(f"decider_{n}", 20) for n in range(MOST_DECIDERS)),
        once=short("once"),
        once_months=short("once_months", 10),
        once_until=short("once_until", 10),
        once_renew=short("once_renew", 10) or "30",
        steps=tuple(
            StepRow(
                short(f"s.{n}.after_days", 10),
                short(f"s.{n}.at", 5),
                given.ticked(f"s.{n}.working_days"),
                short(f"s.{n}.do"),
                short(f"s.{n}.person", 20),
                short(f"s.{n}.outcome"),
            )
            for n in range(MOST_STEPS)
            if f"s.{n}.do" in data
        ),
        calendar_id=short("calendar_id", 20),
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


def _stored(form: RuleForm) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of each setting that is not at its default; an amount with its currency in capitals."""
    for option in options_of(form.workflow, form.record.name):
        text = form.option(option).strip()
        amount, _, currency = text.rpartition(" ")
        value = f"{amount} {currency.upper()}" if amount and option.type is OptionType.MONEY else text
        if value != option.default:
            yield option.name, value


def definition_of(form: RuleForm) -> RuleDefinition:
    """Return the definition as far as the form gives one; what is no number counts as 0."""
    named = tuple(_whole(p) for p in form.approvers if p)
    return RuleDefinition(
        groups=tuple(tuple(row.condition() for row in rows) for rows in form.groups),
        internal=form.internal,
        approvers=tuple(dict.fromkeys(named)) if form.internal and form.approver_how == "named" else (),
        match=form.match,
        unjudged=form.unjudged,
        use_rates=form.use_rates,
        bands=tuple(row.band() for row in form.bands) if form.internal and form.approver_how == "bands" else (),
        approvers_in_order=form.in_order or not form.internal,
        approve_only=form.internal and form.approve_only,
        copies=_people(form.copies) if form.internal else (),
        unknown_requester=_people(form.unknown_requester) if form.internal else (),
        sign_once=_sign_once(form) if form.customer else SignOnce(),
        steps=tuple(row.step() for row in form.steps),
        calendar_id=_whole(form.calendar_id),
        customer=form.customer,
        agreement_id=_whole(form.agreement_id) if form.customer else 0,
        sequence=form.sequence if form.internal and form.customer else "together",
        account_id=_whole(form.account_id),
        expiry_days=_whole(form.expiry_days),
        buyer_may_forward=form.customer and form.buyer_may_forward,
        most_per_hour=_whole(form.most_per_hour),
        most_per_day=_whole(form.most_per_day),
        channels=tuple(_whole(c) for c in form.channels),
        kind="" if form.kind == known_workflow(form.workflow).KINDS[0] else form.kind,
        options=tuple(sorted(_stored(form))),
    )


def _people(ids: Sequence[str]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_whole(p) for p in ids if p))


def _sign_once(form: RuleForm) -> SignOnce:
    if not form.once:
        return SignOnce()
    return SignOnce(form.once, _whole(form.once_months), form.once_until.strip(), _whole(form.once_renew))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.strip().isdecimal() and len(text) < 16 else 0


def said(workflow: str, definition: RuleDefinition, choices: Choices) -> str:
    """Return the rule as a sentence with the names of people, agreements and of what is numbered; a gap where a value
    lacks.
    """
    kind = rule_kind(workflow, definition)

    def shown(condition: Condition) -> Condition:
        known = kind.fields.get(condition.field)
        names = choices.named(condition.field)
        values = tuple(names.get(v, v) for v in condition.values)
        if not values and known and known.type is not FieldType.FLAG:
            values = (NOTHING_YET,)
        return replace(condition, values=values)

    groups = tuple(tuple(shown(c) for c in group) for group in definition.groups)
    return sentence(replace(definition, groups=groups), kind, choices.names, when_of(workflow, kind))


def step_dates(
    definition: RuleDefinition, choices: Choices, zone: str, now: datetime
) -> list[tuple[str, datetime, bool]]:
    """Return (what, when, too late) of each step for a request that is sent now; nothing while a row cannot be read."""
    words = dict(STEPS)
    readable = tuple(s for s in definition.steps if s.do in words and TIME.fullmatch(s.at))
    calendar = choices.calendars.get(definition.calendar_id, EVERY_DAY)
    dates = escalation_dates(replace(definition, steps=readable), now, calendar, zone_or_utc(zone))
    return [(words[d.step.do], d.due.at, d.late) for d in dates]


# where check_definition says it -> the form's field
PLACES = {
    "signers": "internal",
    "agreement": "agreement_id",
    "account": "account_id",
    "limits": "most_per_hour",
    "groups": "",
    "sign_once": "once",
    "sign_once.months": "once_months",
    "sign_once.until": "once_until",
    "sign_once.renew_days": "once_renew",
    "calendar": "calendar_id",
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
        check_definition(definition, form.record, options_of(form.workflow, form.record.name))
    except InvalidRule as exc:
        for where, text in exc.problems:
            errors.setdefault(_place(where), text)
    if form.internal and form.approver_how == "named" and not definition.approvers:
        errors["approver_0"] = "Name at least one approver, or choose by approval limit."
    if form.internal and form.approver_how == "bands" and not definition.bands:
        errors["approver_how"] = "Add at least one line to the limits table."
    gone = "Somebody named here is not in People any more."
    _check_known(definition.approvers, choices.people, "approver_0", gone, errors)
    _check_known(definition.copies, choices.people, "copy_0", gone, errors)
    _check_known(definition.unknown_requester, choices.people, "decider_0", gone, errors)
    for n, band in enumerate(definition.bands):
        _check_known(band.people, choices.people, f"b.{n}.up_to", gone, errors)
    for n, step in enumerate(definition.steps):
        if step.person:
            _check_known((step.person,), choices.people, f"s.{n}.after_days", gone, errors)
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
    if definition.calendar_id and definition.calendar_id not in choices.calendars:
        errors["calendar_id"] = "This calendar does not exist any more."
    _check_known(definition.channels, choices.channels, "channel", "A channel does not exist any more.", errors)
    return definition, errors


def _place(where: str) -> str:
    """Return the form's field for a place of check_definition: groups.0.1 is c.0.1.value, bands.2 is b.2.up_to."""
    first, _, rest = where.partition(".")
    if first == "options" and rest:
        return f"o.{rest}"
    if first == "groups" and rest:
        return f"c.{rest}.value"
    if first == "bands":
        return f"b.{rest.partition('.')[0]}.up_to" if rest else "approver_how"
    if first == "steps":
        return f"s.{rest.partition('.')[0]}.after_days" if rest else "steps"
    return PLACES.get(where, where)


def _check_known(
    ids: Sequence[int], rows: Sequence[Mapping[str, Any]], name: str, text: str, errors: dict[str, str]
) -> None:
    if not set(ids) <= {row["id"] for row in rows}:
        errors.setdefault(name, text)
