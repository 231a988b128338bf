"""Rules: the list, the editor whose sentence follows what is typed, versions, and going live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.changes import Subject
from bcapp.core.fields import OPERATOR_WORDS
from bcapp.core.options import Option, OptionType
from bcapp.core.policy import PolicyRule, rule_differences
from bcapp.core.rules import RuleDefinition, dump_definition, parse_definition
from bcapp.db import rules
from bcapp.db.panel_requests import user_names
from bcapp.db.rules import Choices, Rule
from bcapp.errors import RefusedByUs, Stale
from bcapp.policy import lint_store, read_names
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.changing import Change, save, waiting
from bcapp.web.panel.exposures import exposures
from bcapp.web.panel.facts import status_name
from bcapp.web.panel.rule_form import (
    MATCHES,
    MOST_APPROVERS,
    MOST_COPIES,
    MOST_DECIDERS,
    MOST_OF_A_BAND,
    MOST_ROWS,
    STEP_OUTCOMES,
    STEPS,
    UNJUDGED,
    RuleForm,
    check_form,
    definition_of,
    form_of,
    kind_named,
    new_form,
    once_options,
    said,
    sequences,
    step_dates,
)
from bcapp.web.panel.rule_form import read_form as read_rule
from bcapp.web.panel.screen import Given, answer, frame, path_id, query_text
from bcapp.web.panel.tried_kinds import TRIED
from bcapp.web.panel.workflow_words import (
    cards,
    expired_of,
    options_of,
    rule_kind,
    rule_words,
    when_of,
    words_of,
    workflow_label,
)
from bcapp.web.refusals import not_found
from bcapp.web.render import go
from bcapp.workflows import WORKFLOWS

# kind of finding -> a word for it and how it is shown
FINDINGS = {
    "broken": ("Broken", "danger"),
    "unreachable": ("Never matches", "danger"),
    "nobody": ("Nobody to sign", "danger"),
    "gap": ("Gap in the limits", "warning"),
    "late_step": ("Too late", "warning"),
    "overlap": ("Asks twice", "warning"),
    "same_name": ("Same name", "warning"),
    "uncovered": ("Not covered", "warning"),
    "way_around": ("Way around", "warning"),
}
# Kinds of which the worker counts what exists before a rule goes live.
COUNTED = frozenset({"order", "promotion", "quote", "own_quote", "price_list", "company", "customer"})
WAITS = "It applies when a second manager approves it, or in 24 hours."
MEANWHILE = (
    "Somebody else saved this rule meanwhile. Open it again to see what they changed; what you typed is still here."
)


@panel("rules.view")
async def show_rules(request: Request, visit: Visit) -> Response:
    db, store_hash = visit.services.db, visit.store.hash
    archived = query_text(request, "show") == "archived"
    found = await rules.list_rules(db, store_hash, visit.now, archived=archived)
    choices = await rules.list_choices(db, store_hash)
    order = [*WORKFLOWS, *dict.fromkeys(r.workflow for r in found)]
    groups = [
        (workflow_label(slug), [(r, said(r.workflow, r.definition, choices)) for r in found if r.workflow == slug])
        for slug in dict.fromkeys(order)
    ]
    return answer(
        request,
        visit,
        "panel/rules.html",
        active="rules",
        groups=[group for group in groups if group[1]],
        has_several=len(WORKFLOWS) > 1,
        archived=archived,
    )


# The editor -------------------------------------------------------------------------------------------------


def _currency(visit: Visit) -> str:
    return str(visit.store.profile.get("currency") or "USD")


async def show_editor(
    request: Request,
    visit: Visit,
    rule: Rule | None,
    form: RuleForm,
    choices: Choices,
    status: int = 200,
    block: str = "form",
    meanwhile: tuple[str, ...] = (),
) -> Response:
    """meanwhile: what somebody else saved while this was typed, line by line."""
    url = frame(request).url
    live = [a for a in choices.agreements if not a["archived"] or str(a["id"]) == form.agreement_id]
    people = [p for p in choices.people if p["state"] != "left"]
    offered = options_of(form.workflow, form.kind)
    return answer(
        request,
        visit,
        "panel/rule.html",
        block,
        status,
        active="rules",
        rule=rule,
        meanwhile=meanwhile,
        findings=await _findings(visit, rule) if rule and request.method == "GET" else (),
        form=form,
        errors=form.errors,
        version=rule.version if rule else 0,
        action=url(f"rules/{rule.id}" if rule else "rules/new"),
        sentence=said(form.workflow, definition_of(form), choices),
        workflow_label=workflow_label(form.workflow),
        words=rule_words(form.workflow, definition_of(form)),
        when=when_of(form.workflow, form.record),
        expired=expired_of(form.workflow, form.record),
        options=offered,
        not_seen=words_of(form.workflow).not_seen,
        option_picks={o.name: picked(o, choices) for o in offered},
        exposures=await exposures(visit.services.db, visit.store.hash, form.workflow, offered),
        can_try=form.kind in TRIED,
        has_backlog=form.kind in COUNTED,
        fields=form.record.fields,
        operator_words=OPERATOR_WORDS,
        sequences=sequences(form.record),
        matches=MATCHES,
        unjudged_options=UNJUDGED,
        once_options=once_options(form.record),
        step_options=STEPS,
        step_outcomes=STEP_OUTCOMES,
        step_dates=step_dates(definition_of(form), choices, visit.store.timezone, visit.now),
        calendar_options=[("", "Every day is a working day"), *[(c.id, c.name) for c in choices.calendars.values()]],
        channels=choices.channels,
        picks={name: list(choices.named(name).items()) for name in form.record.fields},
        agreement_options=[("", "Choose"), *[(a["id"], a["name"]) for a in live]],
        account_options=[("", "Choose"), *[(a["id"], a["name"]) for a in choices.accounts]],
        person_options=[("", "Nobody"), *[(p["id"], p["name"]) for p in people]],
        limits=sum(1 for p in people if p["limits"]),
        has_account=bool(choices.accounts),
        has_agreement=bool(live),
        most_rows=MOST_ROWS,
        most_approvers=MOST_APPROVERS,
        most_of_a_band=MOST_OF_A_BAND,
        most_copies=MOST_COPIES,
        most_deciders=MOST_DECIDERS,
        changes=await waiting(visit, Subject.RULE, str(rule.id)) if rule else [],
        currency=_currency(visit),
        can_edit=visit.may("rules.edit") and not (rule and rule.archived),
        can_switch=visit.may("rules.live") and not (rule and rule.archived),
    )


NAMED = {"group": "customer_group", "category": "category", "price_list": "price_list"}


def picked(option: Option, choices: Choices) -> list[tuple[str, str]]:
    """Return (number, name) of what a setting that is a number of the store's can be; empty where none are known."""
    if option.type is not OptionType.NUMBER:
        return []
    what = next((w for last, w in NAMED.items() if option.name.endswith(last)), "")
    return [(number, name) for number, name in choices.named(what).items() if number != "0"]


async def _fetch(visit: Visit, rule_id: int) -> Rule:
    rule = await rules.fetch_rule(visit.services.db, visit.store.hash, rule_id)
    if rule is None:
        raise not_found()
    return rule


@panel("rules.edit")
async def new_rule(request: Request, visit: Visit) -> Response:
    """Let the workflow be chosen first, then show the editor with what its rules usually start with."""
    workflow, kind = query_text(request, "workflow"), query_text(request, "kind")
    if request.method != "POST" and workflow not in WORKFLOWS and len(WORKFLOWS) > 1:
        return answer(request, visit, "panel/rule_new.html", active="rules", cards=cards())
    choices = await rules.list_choices(visit.services.db, visit.store.hash)
    if request.method != "POST":
        workflow = workflow if workflow in WORKFLOWS else next(iter(WORKFLOWS))
        form = new_form(choices, _currency(visit), workflow, kind_named(workflow, kind).name)
        return await show_editor(request, visit, None, form, choices)
    return await _save(request, visit, None, choices)


@panel("rules.view")
async def show_rule(request: Request, visit: Visit) -> Response:
    """The editor for who may change rules; the rule in words for everybody else."""
    rule = await _fetch(visit, path_id(request))
    choices = await rules.list_choices(visit.services.db, visit.store.hash)
    return await show_editor(request, visit, rule, form_of(rule.name, rule.workflow, rule.definition), choices)


@panel("rules.edit")
async def save_rule(request: Request, visit: Visit) -> Response:
    rule = await _fetch(visit, path_id(request))
    return await _save(request, visit, rule, await rules.list_choices(visit.services.db, visit.store.hash))


async def _save(request: Request, visit: Visit, rule: Rule | None, choices: Choices) -> Response:
    """Save a version, or only change the form's rows when one of its own buttons was pressed."""
    data = await read_form(request)
    given = Given(data)
    kept = (rule.workflow, rule_kind(rule.workflow, rule.definition).name) if rule else ("", "")
    form = read_rule(data, *kept)
    do = given.raw("do")
    if do:
        return await show_editor(request, visit, rule, form.changed(do, _currency(visit)), choices)
    if rule is not None and rule.archived:
        return go(
            request, frame(request).url(f"rules/{rule.id}"), toast="An archived rule stays as it is.", toast_kind="info"
        )
    definition, errors = check_form(form, choices)
    version = given.number("version", "The version", 0, 2**31 - 1, default=0)
    if rule is not None and not errors and version != rule.version:
        errors[""] = MEANWHILE
    if errors:
        meanwhile = await _meanwhile(visit, rule, version) if rule is not None and version != rule.version else ()
        typed = replace(form, errors=errors)
        return await show_editor(request, visit, rule, typed, choices, 422, meanwhile=meanwhile)
    db, store_hash, author = visit.services.db, visit.store.hash, visit.user.id
    url = frame(request).url
    if rule is None:
        rule_id = await rules.add_rule(
            db, store_hash, name=form.name, workflow=form.workflow, definition=definition, author=author, now=visit.now
        )
        return go(request, url(f"rules/{rule_id}"), toast="Saved. The rule is off until you switch it on.")
    back = url(f"rules/{rule.id}")
    if form.name == rule.name and definition == rule.definition:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    try:
        applied = await _put(visit, rule, form.name, definition, choices)
    except (Stale, RefusedByUs) as exc:
        text = MEANWHILE if isinstance(exc, Stale) else str(exc)
        return await show_editor(request, visit, rule, replace(form, errors={"": text}), choices, 422)
    return go(request, back, toast="Saved." if applied else f"Saved. {WAITS}")


async def _meanwhile(visit: Visit, rule: Rule, version: int) -> tuple[str, ...]:
    """Return what was changed since the version that somebody has open."""
    db, store_hash = visit.services.db, visit.store.hash
    row = await db.fetch_one("panel_rule_version", {"store_hash": store_hash, "rule_id": rule.id, "version": version})
    if row is None:
        return ()
    names = await read_names(db, store_hash)
    then = parse_definition(row["definition"])
    return tuple(rule_differences(_as_policy(rule, then), _as_policy(rule, rule.definition), names))


def _as_policy(rule: Rule, definition: RuleDefinition) -> PolicyRule:
    return PolicyRule(rule.name, rule.workflow, rule.mode, definition, rule.id, rule.version)


async def _findings(visit: Visit, rule: Rule) -> tuple[str, ...]:
    found = await lint_store(visit.services, visit.store)
    return tuple(f.text for f in found if rule.id in f.rules)


@panel("rules.view")
async def check_rules(request: Request, visit: Visit) -> Response:
    """What is doubtful about the rules that are not off."""
    names = {r["id"]: r["name"] for r in await rules.list_names(visit.services.db, visit.store.hash)}
    findings = await lint_store(visit.services, visit.store)
    return answer(
        request, visit, "panel/rule_check.html", active="rules", findings=findings, names=names, words=FINDINGS
    )


async def _put(visit: Visit, rule: Rule, name: str, definition: RuleDefinition, choices: Choices) -> bool:
    """Save a version of the rule; a live one is left to a second manager. Return whether it applies already."""
    if rule.mode == "live":
        payload = {"what": "save", "name": name, "definition": dump_definition(definition), "version": rule.version}
        summary = f"Change the live rule “{rule.name}”. It would read: {said(rule.workflow, definition, choices)}"
        return await save(visit, Change(Subject.RULE, str(rule.id), payload, summary))
    await rules.save_rule(
        visit.services.db, visit.store.hash, rule.id,
        name=name, definition=definition, version=rule.version, author=visit.user.id, now=visit.now,
    )  # fmt: skip
    return True


@panel("rules.edit")
async def draft_rule(request: Request, visit: Visit) -> Response:
    """Answer the sentence of what is typed, or its rows after another field was chosen. Nothing is saved."""
    data = await read_form(request)
    choices = await rules.list_choices(visit.services.db, visit.store.hash)
    block = "conditions" if query_text(request, "part") == "conditions" else "sentence"
    return await show_editor(request, visit, None, read_rule(data), choices, block=block)


# Versions ---------------------------------------------------------------------------------------------------


@panel("rules.view")
async def show_versions(request: Request, visit: Visit) -> Response:
    db, store_hash = visit.services.db, visit.store.hash
    rule = await _fetch(visit, path_id(request))
    rows = await db.fetch_all("panel_rule_versions", {"store_hash": store_hash, "rule_id": rule.id})
    choices = await rules.list_choices(db, store_hash)
    who = await user_names(db, store_hash)
    names = await read_names(db, store_hash)
    definitions = [parse_definition(row["definition"]) for row in rows]
    older = [*definitions[1:], None]
    versions = [
        (
            row["version"],
            said(rule.workflow, definition, choices),
            who.get(row["author"], "The operator" if row["author"] == rules.OPERATOR else f"User {row['author']}"),
            row["created_at"],
            rule_differences(_as_policy(rule, before), _as_policy(rule, definition), names) if before else [],
        )
        for row, definition, before in zip(rows, definitions, older, strict=True)
    ]
    return answer(
        request, visit, "panel/rule_versions.html", active="rules", rule=rule, versions=versions,
        can_restore=visit.may("rules.edit") and not rule.archived,
    )  # fmt: skip


@panel("rules.edit")
async def restore_version(request: Request, visit: Visit) -> Response:
    """Save an older version as the newest one."""
    given = Given(await read_form(request))
    rule = await _fetch(visit, path_id(request))
    version = given.number("version", "The version", 1, 2**31 - 1, default=1)
    values = {"store_hash": visit.store.hash, "rule_id": rule.id, "version": version}
    row = await visit.services.db.fetch_one("panel_rule_version", values)
    if row is None:
        raise not_found()
    back = frame(request).url(f"rules/{rule.id}")
    definition = parse_definition(row["definition"])
    choices = await rules.list_choices(visit.services.db, visit.store.hash)
    _, errors = check_form(form_of(rule.name, rule.workflow, definition), choices)
    if errors:
        text = f"Version {version} cannot be restored as it is: {next(iter(errors.values()))}"
        return go(request, back, toast=text, toast_kind="danger")
    if definition == rule.definition or rule.archived:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    try:
        applied = await _put(visit, rule, rule.name, definition, choices)
    except (Stale, RefusedByUs) as exc:
        return go(request, back, toast=str(exc), toast_kind="danger")
    return go(request, back, toast=f"Version {version} is restored." if applied else f"Saved. {WAITS}")


# Modes ------------------------------------------------------------------------------------------------------


async def _switch(
    request: Request, visit: Visit, rule: Rule, payload: dict[str, Any], done: str, summary: str
) -> Response:
    back = frame(request).url(f"rules/{rule.id}")
    try:
        applied = await save(visit, Change(Subject.RULE, str(rule.id), payload, summary))
    except (Stale, RefusedByUs) as exc:
        return go(request, back, toast=str(exc), toast_kind="danger")
    return go(request, back, toast=done if applied else f"Asked. {WAITS}")


@panel("rules.live")
async def set_mode(request: Request, visit: Visit) -> Response:
    """Monitor or switch off. Leaving live needs a second manager; going live has a page of its own."""
    given = Given(await read_form(request))
    rule = await _fetch(visit, path_id(request))
    mode = given.choice("mode", "Choose a mode.", ("monitor", "off"))
    back = frame(request).url(f"rules/{rule.id}")
    if given.errors or rule.archived or mode == rule.mode:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    word = "monitors" if mode == "monitor" else "is off"
    if rule.mode == "live":
        return await _switch(
            request, visit, rule, {"what": "mode", "mode": mode}, f"The rule {word}.",
            f"{'Only monitor with' if mode == 'monitor' else 'Switch off'} the live rule “{rule.name}”",
        )  # fmt: skip
    await rules.set_mode(visit.services.db, visit.store.hash, rule.id, mode, visit.user.id, visit.now)
    return go(request, back, toast=f"The rule {word}.")


@panel("rules.live")
async def resume_rule(request: Request, visit: Visit) -> Response:
    """Let a rule go on that a limit or a changed template had stopped."""
    await read_form(request)
    rule = await _fetch(visit, path_id(request))
    resumed = await rules.resume(visit.services.db, visit.store.hash, rule.id, visit.user.id, visit.now)
    text = "The rule asks again." if resumed else "It was not paused."
    return go(request, frame(request).url(f"rules/{rule.id}"), toast=text, toast_kind="success" if resumed else "info")


@panel("rules.live")
async def archive_rule(request: Request, visit: Visit) -> Response:
    """Put a rule away for good; what it asked for goes on."""
    await read_form(request)
    rule = await _fetch(visit, path_id(request))
    if rule.mode == "live":
        return await _switch(
            request, visit, rule, {"what": "archive"}, "The rule is archived.", f"Archive the live rule “{rule.name}”"
        )
    await rules.archive(visit.services.db, visit.store.hash, rule.id, visit.user.id, visit.now)
    return go(request, frame(request).url("rules"), toast="The rule is archived.")


# Going live -------------------------------------------------------------------------------------------------


@panel("rules.live")
async def count_backlog(request: Request, visit: Visit) -> Response:
    """Have the worker count what exists, then show the boundary."""
    await read_form(request)
    rule = await _fetch(visit, path_id(request))
    if rule_kind(rule.workflow, rule.definition).name in COUNTED:
        await rules.count_backlog(visit.services.db, visit.store.hash, rule.id, visit.now)
    return go(request, frame(request).url(f"rules/{rule.id}/live"))


@panel("rules.live")
async def go_live(request: Request, visit: Visit) -> Response:
    """Show what exists on the far side of the boundary, group by group; a POST draws it."""
    db, store_hash = visit.services.db, visit.store.hash
    rule = await _fetch(visit, path_id(request))
    url = frame(request).url
    if rule.archived or rule.mode == "live":
        return go(request, url(f"rules/{rule.id}"), toast="The rule is live already." if rule.mode == "live" else "")
    words = rule_words(rule.workflow, rule.definition)
    backlog = await rules.fetch_backlog(db, store_hash, rule.id) if words.name in COUNTED else None
    groups = [
        {**g, "label": g.get("label") or status_name(g["key"]) or g["key"]}
        for g in (backlog.groups if backlog and backlog.state == "counted" else ())
    ]
    if request.method == "POST":
        ticked = {str(v) for v in (await read_form(request)).getlist("group")}
        records = [str(r) for g in groups if str(g["key"]) in ticked for r in g["records"]]
        return await _switch(
            request, visit, rule,
            {"what": "mode", "mode": "live", "records": records, "version": rule.version, "record_kind": words.name},
            "The rule is live.",
            f"Switch on the rule “{rule.name}”"
            + (f" and include {len(records)} older {words.many}" if records else "")
            + f". It reads: {said(rule.workflow, rule.definition, await rules.list_choices(db, store_hash))}",
        )  # fmt: skip
    return answer(
        request,
        visit,
        "panel/rule_live.html",
        "backlog",
        active="rules",
        rule=rule,
        sentence=said(rule.workflow, rule.definition, await rules.list_choices(db, store_hash)),
        words=words,
        has_backlog=words.name in COUNTED,
        holds=rule.workflow == "order_approval",
        backlog=backlog,
        groups=groups,
        changes=await waiting(visit, Subject.RULE, str(rule.id)),
        hold_method=visit.store.settings.hold_method,
        test_mode=visit.store.settings.test_mode,
    )


ROUTES = [
    Route("/rules", show_rules, name="rules"),
    Route("/rules/new", new_rule, methods=["GET", "POST"], name="rule_new"),
    Route("/rules/check", check_rules, name="rule_check"),
    Route("/rules/draft", draft_rule, methods=["POST"], name="rule_draft"),
    Route("/rules/{id}", show_rule, name="rule"),
    Route("/rules/{id}", save_rule, methods=["POST"], name="rule_save"),
    Route("/rules/{id}/versions", show_versions, name="rule_versions"),
    Route("/rules/{id}/restore", restore_version, methods=["POST"], name="rule_restore"),
    Route("/rules/{id}/mode", set_mode, methods=["POST"], name="rule_mode"),
    Route("/rules/{id}/resume", resume_rule, methods=["POST"], name="rule_resume"),
    Route("/rules/{id}/archive", archive_rule, methods=["POST"], name="rule_archive"),
    Route("/rules/{id}/count", count_backlog, methods=["POST"], name="rule_count"),
    Route("/rules/{id}/live", go_live, methods=["GET", "POST"], name="rule_live"),
]
