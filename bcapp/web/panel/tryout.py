"""Rules tried before they act: on past records, on live ones while they only monitor, and on one with facts changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.conditions import Condition, condition_problem
from bcapp.core.decisions import nearest
from bcapp.core.fields import OPERATOR_WORDS, OPERATORS, FieldType
from bcapp.core.formats import zone_for
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import RecordKey
from bcapp.core.rules import RuleDefinition, RuleInForce, RuleTrace, decide_rule, parse_definition, sentence
from bcapp.core.tryout import DAYS, MONTH, draft, report, share_of
from bcapp.core.whatif import editable, edited
from bcapp.db import past, rules
from bcapp.db.decisions import Monitored, fetch_monitored
from bcapp.db.readings import fetch_reading
from bcapp.db.rules import Rule
from bcapp.jobs.accepting import stored_covers, with_accepted
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.kinds import one, record_path
from bcapp.web.panel.records import DECISIONS
from bcapp.web.panel.rule_form import check_form, said
from bcapp.web.panel.rule_form import read_form as read_rule
from bcapp.web.panel.rules import COUNTED, show_editor
from bcapp.web.panel.screen import Given, answer, frame, path_id, query_text
from bcapp.web.panel.tried_kinds import TRIED
from bcapp.web.panel.workflow_words import rule_kind
from bcapp.web.refusals import not_found
from bcapp.web.render import go, wants_part
from bcapp.workflows import WORKFLOWS, kind_of, workflows_of
from bcapp.workflows.asking import told

WOULD_ASK, HOLDS = "would_ask", "Every condition holds: it would ask."
WATCHING = ("live", "monitor")  # modes whose own sentence stands
MOST_CONDITIONS = 12  # in the form for trying conditions alone
MOST_RULES = 200  # judged on the what-if page
MOST_NUMBER = 20  # characters of a record's number


async def _rule(visit: Visit, rule_id: int) -> Rule:
    rule = await rules.fetch_rule(visit.services.db, visit.store.hash, rule_id)
    if rule is None:
        raise not_found()
    return rule


def _kind_of(rule: Rule) -> Kind:
    """Return which kind of record a rule is about; the refusal 404 for one whose past is not kept."""
    kind = rule_kind(rule.workflow, rule.definition)
    if kind.name not in TRIED:
        raise not_found()
    return kind


def _asked_kind(request: Request) -> Kind:
    return TRIED.get(query_text(request, "kind"), ORDER)


def _pills(request: Request, path: str, chosen: Kind) -> list[tuple[str, str, None, bool]]:
    """Return one pill per kind of record, as the macro takes them."""
    url = frame(request).url
    return [(k.plural, url(path, kind="" if k is ORDER else k.name), None, k is chosen) for k in TRIED.values()]


async def _said(visit: Visit, kind: Kind, definition: RuleDefinition, workflow: str = "") -> str:
    """Return a draft as a sentence; of conditions alone, only what they say."""
    if workflow and (definition.internal or definition.customer):
        return said(workflow, definition, await rules.list_choices(visit.services.db, visit.store.hash))
    return sentence(definition, kind).removesuffix(", .").removesuffix(".") + "."


def _usual(kind: Kind) -> str:
    """Return the workflow by which a draft without a rule is said, "" for a kind without any."""
    return next((w.SLUG for w in workflows_of(kind.name) if w.KINDS[0] == kind.name), "")


# On the past ------------------------------------------------------------------------------------------------


@panel("rules.view")
async def show_try(request: Request, visit: Visit) -> Response:
    """Show the newest try of a rule as it is saved, or offer one."""
    rule = await _rule(visit, path_id(request))
    kind, url = _kind_of(rule), frame(request).url
    found = await past.newest_tryout(visit.services.db, visit.store.hash, kind.name, rule.id, rule.version)
    if found is not None:
        return go(request, url(f"tries/{found.id}"))
    return answer(
        request, visit, "panel/tryout_begin.html", active="rules", rule=rule, kind=kind, days=DAYS,
        sentence=await _said(visit, kind, rule.definition, rule.workflow), can_try=visit.may("rules.edit"),
    )  # fmt: skip


@panel("rules.edit")
async def begin_try(request: Request, visit: Visit) -> Response:
    """Try a rule as it is saved."""
    await read_form(request)
    rule = await _rule(visit, path_id(request))
    number = await past.begin_tryout(
        visit.services.db, visit.store.hash, _kind_of(rule).name, rule.definition,
        author=visit.user.id, now=visit.now, name=rule.name, rule_id=rule.id, rule_version=rule.version,
    )  # fmt: skip
    return go(request, frame(request).url(f"tries/{number}"))


@panel("rules.edit")
async def begin_draft(request: Request, visit: Visit) -> Response:
    """Try what stands in the rule editor, saved or not. Only the conditions must be whole, not who signs."""
    data = await read_form(request)
    form, given = read_rule(data), Given(data)
    url, choices = frame(request).url, await rules.list_choices(visit.services.db, visit.store.hash)
    definition, errors = check_form(form, choices)
    rule_id = given.number("rule_id", "The rule", 0, 2**53, default=0)
    rule = await rules.fetch_rule(visit.services.db, visit.store.hash, rule_id) if rule_id else None
    if form.kind not in TRIED:
        raise not_found()
    wrong = {where: text for where, text in errors.items() if where.startswith(("c.", "match", "channel"))}
    if wrong:
        return await show_editor(request, visit, rule, replace(form, errors=wrong), choices, 422)
    same = rule is not None and rule.definition == definition
    number = await past.begin_tryout(
        visit.services.db, visit.store.hash, form.kind, definition,
        author=visit.user.id, now=visit.now, name=form.name or (rule.name if rule else ""),
        rule_id=rule.id if rule else 0, rule_version=rule.version if rule and same else 0,
    )  # fmt: skip
    return go(request, url(f"tries/{number}"))


async def _fetch(visit: Visit, number: int) -> past.Tryout:
    tryout = await past.fetch_tryout(visit.services.db, visit.store.hash, number)
    if tryout is None or tryout.kind not in TRIED:
        raise not_found()
    return tryout


@panel("rules.view")
async def show_tryout(request: Request, visit: Visit) -> Response:
    """Show what a try counted, and how far it is; the block asks again until it is done."""
    db, store_hash = visit.services.db, visit.store.hash
    tryout = await _fetch(visit, path_id(request))
    kind = TRIED[tryout.kind]
    reading = await fetch_reading(db, visit.store, visit.now)
    names = {r["id"]: r["name"] for r in await db.fetch_all("panel_rule_names", {"store_hash": store_hash})}
    rule = await rules.fetch_rule(db, store_hash, tryout.rule_id) if tryout.rule_id else None
    read = await past.fetch_read(db, store_hash, kind.name)
    is_reading = await past.is_reading(db, store_hash, kind.name)
    running = tryout.state in ("waiting", "counting")
    return answer(
        request,
        visit,
        "panel/tryout.html",
        "result",
        active="rules",
        tryout=tryout,
        kind=kind,
        rule=rule,
        said=report(tryout.tally, tryout.definition, reading),
        tally=tryout.tally,
        overlaps=sorted(
            (
                (int(i), names.get(int(i), ""), n, share_of(n, tryout.tally.asked))
                for i, n in tryout.tally.overlaps.items()
            ),
            key=lambda row: -row[2],
        ),
        share_of=share_of,
        sentence=await _said(visit, kind, tryout.definition, rule.workflow if rule else _usual(kind)),
        read=read,
        is_reading=is_reading,
        running=running,
        follows=running or (is_reading and not tryout.whole),
        days=DAYS,
        sees_facts=visit.may("requests.facts"),
        can_try=visit.may("rules.edit"),
        has_whatif=visit.may("requests.facts"),
        **({"swapped": False} if wants_part(request.headers) else {}),
    )


@panel("rules.edit")
async def try_again(request: Request, visit: Visit) -> Response:
    """Read what changed since, and count anew."""
    await read_form(request)
    tryout = await _fetch(visit, path_id(request))
    db, store_hash = visit.services.db, visit.store.hash
    await past.begin_read(db, store_hash, tryout.kind, visit.now)
    await past.restart_tryout(db, store_hash, tryout.id, visit.now)
    return go(request, frame(request).url(f"tries/{tryout.id}"))


# Conditions alone -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One condition as it is typed; several values are parted by commas."""

    field: str = ""
    operator: str = ""
    value: str = ""
    argument: str = ""

    def fitted(self, kind: Kind) -> Row:
        """Return the row with a field of this kind and an operator that the field has."""
        field = self.field if self.field in kind.fields else next(iter(kind.fields))
        allowed = OPERATORS[kind.fields[field].type]
        return replace(self, field=field, operator=self.operator if self.operator in allowed else allowed[0])

    def condition(self, kind: Kind) -> Condition:
        parts = tuple(v.strip() for v in self.value.split(",") if v.strip())
        match kind.fields[self.field].type:
            case FieldType.FLAG:
                values: tuple[str, ...] = ()
            case FieldType.NUMBER | FieldType.TEXT | FieldType.DATE:
                values = (self.value.strip(),) if self.value.strip() else ()
            case FieldType.COUNTRY | FieldType.MONEY:
                values = tuple(p.upper() for p in parts)
            case _:
                values = parts
        argument = self.argument.strip() if kind.fields[self.field].argument else ""
        return Condition(self.field, self.operator, values, argument)


def _rows(given: Given, kind: Kind) -> list[Row]:
    found = []
    for n in range(MOST_CONDITIONS):
        if f"field_{n}" in given.form:
            texts = (given.raw(f"{part}_{n}") for part in ("field", "operator", "value", "argument"))
            field, operator, value, argument = (text[:2000] for text in texts)
            found.append(Row(field, operator, value, argument).fitted(kind))
    return found


@panel("rules.edit")
async def new_try(request: Request, visit: Visit) -> Response:
    """Try conditions without a rule: on orders, customers or products."""
    kind, url = _asked_kind(request), frame(request).url
    rows, match, errors, status = [Row().fitted(kind)], "all", dict[str, str](), 200
    if request.method == "POST":
        given = Given(await read_form(request))
        rows, match = _rows(given, kind) or rows, given.choice("match", "Choose how they join.", ("all", "any"), "all")
        do = given.raw("do")
        if do == "more" and len(rows) < MOST_CONDITIONS:
            rows.append(Row().fitted(kind))
        elif do == "fewer" and len(rows) > 1:
            rows.pop()
        elif not do:
            conditions = [row.condition(kind) for row in rows]
            for n, condition in enumerate(conditions):
                if problem := condition_problem(condition, kind.fields):
                    errors[f"value_{n}"] = problem
            errors |= given.errors
            if not errors:
                groups = tuple((c,) for c in conditions) if match == "all" else (tuple(conditions),)
                number = await past.begin_tryout(
                    visit.services.db, visit.store.hash, kind.name, RuleDefinition(groups=groups),
                    author=visit.user.id, now=visit.now,
                )  # fmt: skip
                return go(request, url(f"tries/{number}"))
            status = 422
    return answer(
        request,
        visit,
        "panel/tryout_new.html",
        "form",
        status,
        active="rules",
        kind=kind,
        kinds=_pills(request, "tries/new", kind),
        rows=rows,
        match=match,
        errors=errors,
        operators=OPERATORS,
        operator_words=OPERATOR_WORDS,
        most=MOST_CONDITIONS,
        action=url("tries/new", kind="" if kind is ORDER else kind.name),
        days=DAYS,
    )  # fmt: skip


# On what happens --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """One column of the comparison. share: percent."""

    looked: int
    asked: int
    share: Decimal
    per_month: int | None
    held: tuple[Any, ...]


def _monitored(found: Monitored, now: datetime) -> Side:
    days = max(1, (now - found.since).days) if found.since else 0
    monthly = int((Decimal(found.asked) * MONTH / days).to_integral_value()) if days else None
    return Side(found.looked, found.asked, share_of(found.asked, found.looked), monthly, found.held)


@panel("rules.view")
async def show_monitor(request: Request, visit: Visit) -> Response:
    """Show what a monitoring rule would have asked, beside the try of the same definition on the past."""
    db, store_hash = visit.services.db, visit.store.hash
    rule = await _rule(visit, path_id(request))
    kind = rule_kind(rule.workflow, rule.definition)
    reading = await fetch_reading(db, visit.store, visit.now)
    zone = reading.zone.key if isinstance(reading.zone, ZoneInfo) else "UTC"
    found = await fetch_monitored(db, store_hash, rule.id, rule.version, rule.changed_at, zone)
    has_past = kind.name in TRIED
    tried = await past.newest_tryout(db, store_hash, kind.name, rule.id, rule.version) if has_past else None
    past_side = None
    if tried is not None and tried.state == "counted":
        told = report(tried.tally, tried.definition, reading)
        past_side = Side(told.looked, told.asked, told.share, told.per_month, told.held)
    return answer(
        request,
        visit,
        "panel/monitor.html",
        active="rules",
        rule=rule,
        kind=kind,
        found=found,
        live=_monitored(found, visit.now),
        tried=tried,
        past=past_side,
        sentence=await _said(visit, kind, rule.definition, rule.workflow),
        sees_facts=visit.may("requests.facts"),
        can_switch=visit.may("rules.live") and not rule.archived,
        has_backlog=kind.name in COUNTED,
        can_try=visit.may("rules.edit") and has_past,
    )


# What if ----------------------------------------------------------------------------------------------------


async def _judging(
    visit: Visit, kind: Kind, record_id: str, tried: past.Tryout | None
) -> list[tuple[str, RuleInForce]]:
    """Return (mode, rule) of the draft and of all rules not archived; one that is off is judged as if it watched."""
    found = [("draft", draft(tried.definition, tried.name or "Your draft"))] if tried is not None else []
    values = {
        "store_hash": visit.store.hash, "workflows": [w.SLUG for w in workflows_of(kind.name)],
        "record_kind": kind.name, "record_id": record_id, "most": MOST_RULES,
    }  # fmt: skip
    for row in await visit.services.db.fetch_all("whatif_rules", values):
        definition = parse_definition(row["definition"])
        if kind_of(WORKFLOWS[row["workflow"]], definition) is not kind:
            continue
        rule = RuleInForce(
            row["id"],
            row["version"],
            row["name"],
            row["workflow"],
            row["mode"] if row["mode"] == "live" else "monitor",
            definition,
            row["live_since"],
            row["paused_why"],
            row["included"],
        )
        found.append((row["mode"], rule))
    return found


@panel("requests.facts")
async def what_if(request: Request, visit: Visit) -> Response:
    """Judge a stored record, as it is or with facts changed, by every rule. Nothing is written and nobody is called."""
    db, store_hash = visit.services.db, visit.store.hash
    form: Mapping[str, Any] = await read_form(request) if request.method == "POST" else FormData()
    given = Given(form)
    kind = _asked_kind(request)
    number = query_text(request, "number", MOST_NUMBER).removeprefix("#")
    draft_id = query_text(request, "draft", MOST_NUMBER)
    tried = (
        await past.fetch_tryout(db, store_hash, int(draft_id)) if draft_id.isascii() and draft_id.isdecimal() else None
    )
    if tried is not None and tried.kind != kind.name:
        tried = None
    row = await past.fetch_past(db, store_hash, kind.name, number) if number else None
    names: list[tuple[Any, str]] = []
    traces, errors, modes, status = list[RuleTrace](), dict[str, str](), dict[int, str](), 200
    if row is not None:
        shown = editable(kind, row["facts"], zone_for(visit.store.timezone))
        typed = {e.name: given.raw(e.name) for e, _ in shown if e.name in form}
        facts, errors = edited(kind, row["facts"], typed, zone_for(visit.store.timezone))
        names = [(edit, typed.get(edit.name, text)) for edit, text in shown]
        if facts is not None:
            reading = await fetch_reading(db, visit.store, visit.now)
            judging = await _judging(visit, kind, number, tried)
            asked = [rule.definition for _, rule in judging]
            facts = await with_accepted(visit.services, visit.store, facts, asked)
            modes = {rule.id: mode for mode, rule in judging}
            said_all = [decide_rule(kind, rule, facts, reading) for _, rule in judging]
            asking = [rule for (_, rule), t in zip(judging, said_all, strict=True) if t.decision in ("asks", WOULD_ASK)]
            covers = await stored_covers(
                visit.services, visit.store, RecordKey(kind.name, number), facts, asking, reading
            )
            said_all = [
                told(rule, t if mode in WATCHING or t.decision != WOULD_ASK else replace(t, sentence=HOLDS), covers)
                for (mode, rule), t in zip(judging, said_all, strict=True)
            ]
            first = said_all[:1] if tried is not None else []
            traces = [*first, *nearest(said_all[len(first) :], len(said_all))]
        status = 422 if errors else 200
    newest = await db.fetch_all("whatif_newest", {"store_hash": store_hash, "kind": kind.name, "most": 8})
    url = frame(request).url
    return answer(
        request,
        visit,
        "panel/what_if.html",
        None,
        status,
        active="rules",
        kind=kind,
        kinds=_pills(request, "what-if", kind),
        number=number,
        row=row,
        edits=names,
        errors=errors,
        traces=traces,
        modes=modes,
        changed=bool(form),
        decisions=DECISIONS,
        fields=kind.fields,
        operator_words=OPERATOR_WORDS,
        newest=newest,
        path=record_path(RecordKey(kind.name, number)) if number.isascii() and number.isdecimal() else None,
        one=one(kind.name),
        draft=tried,
        has_rules=bool(workflows_of(kind.name)),
        action=url("what-if", kind="" if kind is ORDER else kind.name, number=number, draft=draft_id if tried else ""),
    )  # fmt: skip


ROUTES = [
    Route("/rules/{id}/try", show_try, name="rule_try"),
    Route("/rules/{id}/try", begin_try, methods=["POST"], name="rule_try_begin"),
    Route("/rules/{id}/monitor", show_monitor, name="rule_monitor"),
    Route("/tries", begin_draft, methods=["POST"], name="try_draft"),
    Route("/tries/new", new_try, methods=["GET", "POST"], name="try_new"),
    Route("/tries/{id}", show_tryout, name="tryout"),
    Route("/tries/{id}/again", try_again, methods=["POST"], name="tryout_again"),
    Route("/what-if", what_if, methods=["GET", "POST"], name="what_if"),
]
