"""A store's rules as a file: export it, see what a file would change, and apply exactly that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bcapp.core import lint
from bcapp.core.model import RecordKey
from bcapp.core.policy import (
    Names,
    PolicyChange,
    PolicyPlan,
    PolicyRule,
    UnknownNames,
    digest,
    from_document,
    plan,
    published,
    to_document,
)
from bcapp.core.rules import InvalidRule, check_definition, parse_definition
from bcapp.db import Database, audit
from bcapp.db.calendars import fetch_calendars
from bcapp.db.rules import OPERATOR, add_rule, save_rule, set_mode
from bcapp.db.store_names import OPEN_GROUP, fetch_names
from bcapp.db.stores import Store, fetch_store
from bcapp.errors import RefusedByUs, Stale
from bcapp.jobs.directory import read_directory
from bcapp.policy_file import PolicyFile, Refused, write_policy
from bcapp.runtime import open_services
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.workflows import WORKFLOWS, kind_of

MOST_RECENT = 2000  # past orders that the check looks at
# where check_definition says it -> the part of a rule's entry
PLACES: dict[str, tuple[str | int, ...]] = {
    "signers": (),
    "agreement": ("buyer", "agreement"),
    "account": ("account",),
    "approver_how": ("approvers",),
    "limits": ("most_per_hour",),
    "bands": ("approvers", "bands"),
    "steps": ("escalation",),
    "sign_once": ("buyer", "sign_once"),
}


@dataclass(frozen=True)
class Present:
    """A store's rules as they stand, and the names by which a file speaks of what they use."""

    store: Store
    rules: tuple[PolicyRule, ...]
    names: Names


def published_schema() -> str:
    """Return the shape of a policy as JSON, with the workflows of this release."""
    schema = published({slug: (w.KINDS, w.OPTIONS) for slug, w in WORKFLOWS.items()})
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


async def export(settings: Settings, store_hash: str) -> str:
    """Return the rules of a store as YAML."""
    async with open_services(settings) as services:
        present = await read_present(services, store_hash)
        return write_policy(to_document(present.rules, present.names))


async def say_plan(settings: Settings, store_hash: str, text: str) -> list[str]:
    """Return what a file would change, line by line, and what is doubtful about the result."""
    async with open_services(settings) as services:
        present = await read_present(services, store_hash)
        made, token = make_plan(present, text)
        findings = lint.lint(lint_rules(made, present), await read_setup(services, present.store))
        return [*told(made), *(f"Look: {finding.text}" for finding in findings), "", _how_to_apply(made, token)]


async def apply(settings: Settings, store_hash: str, text: str, token: str) -> list[str]:
    """Make the changes of a file, all or none. token: of the plan that was looked at; Stale when it does not fit."""
    async with open_services(settings) as services:
        return await apply_policy(services, store_hash, text, token)


async def apply_policy(services: Services, store_hash: str, text: str, token: str) -> list[str]:
    now, db = services.clock.now(), services.db
    async with db.transaction():
        await db.execute("lock_rules", {"store_hash": store_hash})
        present = await read_present(services, store_hash)
        made, holds = make_plan(present, text)
        if token != holds:
            raise Stale(
                "The rules or the file were changed since this plan was made. Plan again, look at it, then apply."
            )
        for change in made.changes:
            await _make(services, store_hash, change)
        if not made.is_empty:
            await audit.append(
                db, store_hash, now, actor="operator", event="policy_applied", record=RecordKey("store", store_hash),
                detail={"plan": token, "rules": [c.rule.id for c in made.changes if c.what != "keep" and c.rule.id]},
            )  # fmt: skip
    return told(made)


async def _make(services: Services, store_hash: str, change: PolicyChange) -> None:
    now, db, rule, old = services.clock.now(), services.db, change.rule, change.present
    if change.what == "keep":
        return
    if old is None:
        rule_id = await add_rule(
            db, store_hash, name=rule.name, workflow=rule.workflow, definition=rule.definition, author=OPERATOR, now=now
        )
    else:
        rule_id = old.id
        if change.what == "change":
            await save_rule(
                db, store_hash, rule_id, name=rule.name, definition=rule.definition, version=old.version,
                author=OPERATOR, now=now,
            )  # fmt: skip
    if rule.mode != (old.mode if old else "off"):
        await set_mode(db, store_hash, rule_id, rule.mode, OPERATOR, now)


def make_plan(present: Present, text: str) -> tuple[PolicyPlan, str]:
    """Return what a file changes, and the token under which exactly that may be applied. Raises Refused."""
    file = PolicyFile(text)
    try:
        wanted = [_plain(rule) for rule in from_document(file.document, present.names)]
        problems = [p for i, rule in enumerate(wanted) for p in _problems(rule, i)]
        if problems:
            raise file.refuse(problems)
        made = plan(wanted, present.rules, present.names)
    except UnknownNames as exc:
        raise file.refuse(exc.problems) from None
    return made, digest(present.rules, text)


def _plain(rule: PolicyRule) -> PolicyRule:
    """Return the rule as the panel would save it: what a file says although it is the default is left out."""
    workflow, d = WORKFLOWS.get(rule.workflow), rule.definition
    if workflow is None:
        return rule
    usual = {(o.name, o.default) for o in workflow.OPTIONS}
    options = tuple(pair for pair in d.options if pair not in usual)
    return replace(rule, definition=replace(d, kind="" if d.kind == workflow.KINDS[0] else d.kind, options=options))


def _problems(rule: PolicyRule, at: int) -> Iterator[tuple[tuple[str | int, ...], str]]:
    workflow = WORKFLOWS.get(rule.workflow)
    if workflow is None:
        known = ", ".join(WORKFLOWS)
        yield ("rules", at, "workflow"), f"There is no workflow “{rule.workflow}”. There are: {known}."
        return
    if rule.definition.kind and rule.definition.kind not in workflow.KINDS:
        text = f"{workflow.LABEL} has no rules about “{rule.definition.kind}”. There are: {', '.join(workflow.KINDS)}."
        yield ("rules", at, "record"), text
        return
    try:
        check_definition(rule.definition, kind_of(workflow, rule.definition), workflow.OPTIONS)
    except InvalidRule as exc:
        for where, text in exc.problems:
            yield ("rules", at, *_place(where)), text


def _place(where: str) -> tuple[str | int, ...]:
    first, *rest = where.split(".")
    inner = tuple(int(x) if x.isdecimal() else x for x in rest)
    return (*PLACES.get(first, (first,)), *inner)


# Read ---------------------------------------------------------------------------------------------------------


async def read_names(db: Database, store_hash: str) -> Names:
    """Return by which names people speak of what a store's rules use."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for row in await db.fetch_all("policy_names", {"store_hash": store_hash}):
        named.setdefault(row["what"], []).append(row)
    return Names(
        people={r["name"]: r["id"] for r in named.get("person", ())},
        agreements=_distinct(named.get("agreement", ())),
        accounts=_distinct(named.get("account", ())),
        calendars=_distinct(named.get("calendar", ())),
    )


async def read_present(services: Services, store_hash: str) -> Present:
    """Return a store's rules that are not archived. Raises RefusedByUs when the app was never installed there."""
    store = await fetch_store(services.db, store_hash)
    if store is None:
        raise RefusedByUs(f"Countersign was never installed on the store {store_hash}.")
    of = {"store_hash": store_hash}
    rows = await services.db.fetch_all("policy_rules", of)
    rules = tuple(
        PolicyRule(
            r["name"], r["workflow"], r["mode"], parse_definition(r["definition"]), r["id"], r["version"],
            r["open_requests"],
        )
        for r in rows
    )  # fmt: skip
    return Present(store, rules, await read_names(services.db, store_hash))


def _distinct(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return ids by name; of several with one name the older keeps it, the others have their number behind it."""
    names: dict[str, int] = {}
    for row in rows:
        name = row["name"] if row["name"] not in names else f"{row['name']} ({row['id']})"
        names[name] = row["id"]
    return names


async def read_setup(services: Services, store: Store) -> lint.Setup:
    """Return what rules depend on, as it stands."""
    of = {"store_hash": store.hash}
    rows = await services.db.fetch_all("policy_names", of)
    channels = await services.db.fetch_all("panel_channels", of)
    storefronts = {r["id"] for r in await services.db.fetch_all("storefront_channels", of)}
    seen: dict[str, set[str]] = {"group": set(), "country": set(), "currency": set()}
    for row in await services.db.fetch_all("recent_origins", {**of, "most": MOST_RECENT}):
        seen[row["what"]].add(row["value"])
    seen["currency"] |= {r["currency"] for r in await services.db.fetch_all("rates_of_store", of)}
    seen["currency"].add(str(store.profile.get("currency") or "USD"))
    return lint.Setup(
        now=services.clock.now(),
        directory=await read_directory(services, store.hash),
        agreements=frozenset(r["id"] for r in rows if r["what"] == "agreement" and not r["archived"]),
        accounts=frozenset(r["id"] for r in rows if r["what"] == "account"),
        channels={c["id"]: c["name"] for c in channels if c["id"] in storefronts},
        groups=frozenset(seen["group"]),
        open_groups=(await fetch_names(services.db, store.hash)).get(OPEN_GROUP, {}),
        countries=frozenset(seen["country"]),
        currencies=frozenset(seen["currency"]),
        settings=store.settings,
        calendars=await fetch_calendars(services.db, store.hash),
        zone=store.timezone,
    )


def lint_rules(made: PolicyPlan, present: Present) -> list[lint.LintRule]:
    """Return the rules as they would stand after a plan."""
    after = [change.rule for change in made.changes] + list(made.left)
    return [_lint_rule(rule) for rule in after]


def _lint_rule(rule: PolicyRule) -> lint.LintRule:
    workflow = WORKFLOWS[rule.workflow]
    kind = kind_of(workflow, rule.definition).name
    return lint.LintRule(rule.id, rule.name, rule.mode, kind, rule.definition, holds=workflow.HOLDS)


async def lint_store(services: Services, store: Store) -> list[lint.Finding]:
    """Return what is doubtful about a store's rules as they stand."""
    present = await read_present(services, store.hash)
    return lint.lint([_lint_rule(rule) for rule in present.rules], await read_setup(services, store))


# Said ---------------------------------------------------------------------------------------------------------


def told(made: PolicyPlan) -> list[str]:
    """Return a plan in sentences: what changes, what stays with running requests, what is left alone."""
    lines: list[str] = []
    for change in made.changes:
        rule, old = change.rule, change.present
        match change.what:
            case "add":
                lines.append(f"+ “{rule.name}” is added, {rule.mode}.")
            case "keep":
                lines.append(f"  “{rule.name}” stays as it is.")
            case _:
                lines.append(f"~ “{old.name if old else rule.name}” is changed:")
                lines += [f"    {line}" for line in change.lines]
        if old is not None and change.what == "change" and old.open_requests:
            lines.append(f"    {old.open_requests} open requests keep version {old.version}.")
        if rule.mode == "live" and (old is None or old.mode != "live"):
            lines.append("    It acts on records created from then on; what exists is left alone.")
        if old is not None and old.mode == "live" and rule.mode != "live" and old.open_requests:
            lines.append(f"    {old.open_requests} open requests go on; no new ones are made.")
    lines += [f"  “{rule.name}” is not in the file and stays as it is." for rule in made.left]
    return lines or ["There are no rules, neither in the file nor in the store."]


def _how_to_apply(made: PolicyPlan, token: str) -> str:
    if made.is_empty:
        return "Nothing changes."
    return f"To make these changes: bcapp policy apply STORE FILE --plan {token}"


__all__ = ["Refused", "apply", "apply_policy", "export", "lint_store", "make_plan", "read_present", "say_plan", "told"]
