"""Home: what needs somebody, how it goes, what is left to set up, and whether everything works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from babel.dates import format_timedelta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.model import RecordKey
from bcapp.core.stores import StoreState
from bcapp.db import tasks
from bcapp.db.accounts import Account, list_accounts
from bcapp.db.approvals import waiting_for
from bcapp.db.tasks import AuditLine, FirstSteps, Health, Task
from bcapp.db.users import list_users
from bcapp.web.audit_words import AUDIT_WORDS
from bcapp.web.forms import read_form
from bcapp.web.inputs import Inputs, id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.history import Entry, timeline
from bcapp.web.panel.kinds import name_of, one, record_path
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, format_age, frame_of, go, page, parse_locale, wants_part


@dataclass(frozen=True)
class Sign:
    """One line of the health strip. tone: good, warning, bad or neutral; link: (label, address) where it is mended."""

    tone: str
    name: str
    text: str
    link: tuple[str, str] | None = None


def task_link(frame: Frame, task: Task) -> tuple[str, str] | None:
    """Return the one place where the task is settled, None when there is nothing but to say that it is done."""
    kind = task.record.kind if task.record else ""
    number = task.record.id if task.record else ""
    places = {
        "account": ("Open the account", f"settings/accounts/{number}"),
        "person": ("Open the person", f"people/{number}"),
        "rule": ("Open the rule", f"rules/{number}"),
        "change": ("Decide", "people/changes"),
        "request": ("Open the request", f"requests/{number}"),
        "endpoint": ("Open the endpoint", f"settings/endpoints/{number}"),
        "agreement": ("Open the agreement", f"agreements/{number}"),
        "campaign": ("Open the campaign", f"acceptances/campaigns/{number}"),
        "import": ("Open the import", f"acceptances/imports/{number}"),
        "calendar": ("Open the calendar", f"people/calendars/{number}"),
    }
    by_kind = {
        "rule_paused": ("See the rules", "rules"),
        "hooks_off": ("Open webhooks", "settings/webhooks"),
        "change_waits": ("Decide", "people/changes"),
        "change_applied": ("See the changes", "people/changes"),
        "change_refused": ("See the changes", "people/changes"),
    }
    if task.kind in by_kind:
        label, path = by_kind[task.kind]
    elif kind in places:
        label, path = places[kind]
    elif task.request_id is not None:
        label, path = "Open the request", f"requests/{task.request_id}"
    elif own := record_path(task.record):
        label, path = f"Open the {one(kind)}", own
    else:
        return None
    return label, frame.url(path)


def first_steps(frame: Frame, visit: Visit, steps: FirstSteps) -> list[tuple[bool, str, str, tuple[str, str]]]:
    """Return (done, title, text, (label, address)) of each first step, as the server knows it."""
    settings = visit.store.settings
    return [
        (
            steps.working_accounts > 0,
            "Connect your signature account",
            "Tested" if steps.working_accounts else "Not tested yet" if steps.accounts else "",
            ("Connect", frame.url("welcome")),
        ),
        (
            settings.is_complete,
            "Answer three questions",
            "They decide how an order is held and who hears of alarms.",
            ("Answer", frame.url("welcome", step=2)),
        ),
        (
            steps.agreements > 0,
            "Make an agreement",
            "What people sign. You can also send a PDF of your own.",
            ("Make one", frame.url("agreements/new")),
        ),
        (
            steps.rules > 0,
            "Make a rule",
            "It says what waits for a signature.",
            ("Make one", frame.url("rules/new")),
        ),
        (
            steps.live_rules > 0,
            "Go live",
            "Until then nothing is held and nobody is asked.",
            ("See the rules", frame.url("rules")),
        ),
    ]


def health_signs(frame: Frame, visit: Visit, health: Health, accounts: list[Account]) -> list[Sign]:
    """Return the strip's lines: what comes in, what we may call, who works."""
    return [
        _webhooks_sign(frame, visit, health),
        _store_sign(visit, health),
        *(_account_sign(frame, visit, health, account) for account in accounts),
        _workers_sign(health),
    ]


def _webhooks_sign(frame: Frame, visit: Visit, health: Health) -> Sign:
    name, link = "Store events", None
    if visit.may("settings.view"):
        link = ("Webhooks", frame.url("settings/webhooks"))
    last = f"The last one came {format_age(health.last_webhook)}." if health.last_webhook else "None has come yet."
    if health.hooks == 0:
        return Sign("warning", name, "No webhook is registered yet. " + last, link)
    if health.hooks_off:
        return Sign(
            "bad", name, f"BigCommerce switched off {health.hooks_off} of {health.hooks} webhooks. {last}", link
        )
    return Sign("good" if health.last_webhook else "neutral", name, last, link)


def _store_sign(visit: Visit, health: Health) -> Sign:
    if visit.store.state is StoreState.RECONSENT:
        text = "BigCommerce refused our access. The owner opens Countersign from Apps and accepts again."
        return Sign("bad", "BigCommerce", text)
    for breaker in health.breakers:
        if breaker.service == "bigcommerce":
            text = f"It does not answer. We try again {format_age(breaker.open_until)}; nothing is lost."
            return Sign("bad", "BigCommerce", text)
    return Sign("good", "BigCommerce", "No trouble is known.")


def _account_sign(frame: Frame, visit: Visit, health: Health, account: Account) -> Sign:
    link = ("Open", frame.url(f"settings/accounts/{account.id}")) if visit.may("account.view") else None
    for breaker in health.breakers:
        if breaker.service == "core_signature" and breaker.account_name == account.name:
            text = f"It does not answer. We try again {format_age(breaker.open_until)}; requests wait in order."
            return Sign("bad", account.name, text, link)
    if account.state == "working":
        since = f" Tested {format_age(account.checked_at)}." if account.checked_at else ""
        return Sign("good", account.name, f"The credentials work.{since}", link)
    if account.state == "broken":
        return Sign("bad", account.name, account.state_why or "The credentials do not work.", link)
    return Sign("neutral", account.name, "Not tested yet.", link)


def _workers_sign(health: Health) -> Sign:
    if health.workers_alive == 0:
        text = "Nothing works in the background. What came in is kept and done as soon as a worker runs."
        return Sign("bad", "Background work", text)
    if health.late_since:
        return Sign("warning", "Background work", f"It is behind since {format_age(health.late_since)}.")
    return Sign("good", "Background work", "Running, nothing is late.")


def _median_words(median: timedelta | None, locale: str) -> str:
    if median is None:
        return "–"
    return str(format_timedelta(median, threshold=1.5, locale=parse_locale(locale)))


async def _read_health(frame: Frame, visit: Visit) -> dict[str, Any]:
    db, store_hash = visit.services.db, visit.store.hash
    health = await tasks.read_health(db, store_hash, visit.now)
    accounts = await list_accounts(db, store_hash)
    return {
        "visit": visit,
        "read_signs": lambda: health_signs(frame, visit, health, accounts),
        "parked": health.parked,
        "name_of": name_of,
    }


def _entry(line: AuditLine, names: Mapping[int, str]) -> tuple[Entry, str, str]:
    """Return a line of the audit log in words, with name and address of the record that it is about, if any."""
    label = one(line.record.kind).capitalize() if line.record else "Record"
    entry = timeline([vars(line)], names, label)[0]
    if line.event in AUDIT_WORDS:
        title, picture, tone = AUDIT_WORDS[line.event]
        entry = replace(entry, title=title, picture=picture, tone=tone)
    path = record_path(line.record)
    return entry, name_of(line.record) if line.record and path else "", path or ""


@panel("home.view")
async def show_home(request: Request, visit: Visit) -> Response:
    """The whole screen; the strip alone when it asks for itself."""
    frame = frame_of(request) or Frame(visit.store.hash)
    context = await _read_health(frame, visit)
    if wants_part(request.headers):
        return page(request, "panel/home.html", "health", active="home", **context)
    db, store_hash = visit.services.db, visit.store.hash
    open_tasks = await tasks.list_open_tasks(db, store_hash)
    may_decide = visit.may("tasks.done")
    figures = await tasks.read_figures(db, store_hash, visit.now)
    steps = first_steps(frame, visit, await tasks.read_first_steps(db, store_hash))
    activity: list[tuple[Entry, str, str]] = []
    if visit.may("audit.view"):
        names = {u.id: u.name or u.email for u in await list_users(db, store_hash)}
        activity = [_entry(line, names) for line in await tasks.recent_audit_lines(db, store_hash)]
    return page(
        request,
        "panel/home.html",
        active="home",
        # Who may not decide does not see personal data of records either.
        tasks=[(task, task_link(frame, task)) for task in open_tasks if not task.is_told] if may_decide else [],
        told=[(task, task_link(frame, task)) for task in open_tasks if task.is_told] if may_decide else [],
        hidden_tasks=0 if may_decide else sum(1 for task in open_tasks if not task.is_told),
        figures=figures,
        median=_median_words(figures.median, visit.user.locale),
        steps=steps,
        steps_done=sum(1 for step in steps if step[0]),
        may_set_up=visit.may("welcome.edit"),
        activity=activity,
        my_approvals=len(await waiting_for(db, store_hash, visit.user)),
        show_money=visit.may("requests.facts"),
        **context,
    )


@panel("tasks.done")
async def finish_task(request: Request, visit: Visit) -> Response:
    """Mark a task done. Done before by somebody else is done as well."""
    frame = frame_of(request) or Frame(visit.store.hash)
    done = await tasks.finish_task(visit.services.db, visit.store.hash, id_in_path(request), visit.user.id, visit.now)
    toast = "Marked as done." if done else "It was done already."
    return go(request, frame.url(), toast=toast, toast_kind="success" if done else "info")


@panel("actions.retry")
async def look_again(request: Request, visit: Visit) -> Response:
    """Take up again what was parked because its look failed."""
    frame = frame_of(request) or Frame(visit.store.hash)
    inputs = Inputs(await read_form(request))
    record = RecordKey(inputs.text("kind", most=40), inputs.text("id", most=64))
    if not record.kind or not record.id:
        raise not_found()
    asked = await tasks.look_again(visit.services.db, visit.store.hash, record, visit.user.id, visit.now)
    toast = "We look at it again." if asked else "Nothing waits there any more."
    return go(request, frame.url(), toast=toast, toast_kind="success" if asked else "info")


ROUTES = [
    Route("/", show_home, name="home"),
    Route("/tasks/{id:int}/done", finish_task, methods=["POST"], name="finish_task"),
    Route("/look-again", look_again, methods=["POST"], name="look_again"),
]
