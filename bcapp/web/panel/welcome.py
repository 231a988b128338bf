"""The first run: four steps that tick themselves when the server sees that they are true."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.settings import dump_settings, parse_settings
from bcapp.db.accounts import Account, list_accounts
from bcapp.db.settings import Saved
from bcapp.db.tasks import FirstSteps, read_first_steps
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.account import NEW, form_context, shown, store_account
from bcapp.web.panel.settings import hold_choices, people_choices, read_alarm_person, read_base, read_hold, save_or_ask
from bcapp.web.render import Frame, frame_of, go, page

STEPS = ("Connect your account", "Three questions", "An agreement", "A rule")
QUESTIONS = ("shipping_tool", "payment_mode", "alarm_person")


def steps_done(visit: Visit, steps: FirstSteps) -> list[bool]:
    """Whether each step is true now."""
    return [steps.working_accounts > 0, visit.store.settings.is_complete, steps.agreements > 0, steps.rules > 0]


def chosen_step(request: Request, done: list[bool]) -> int:
    """Return the step to show, from 1: the one asked for, else the first that is not done; 5 when all are."""
    asked = request.query_params.get("step", "")
    if asked in ("1", "2", "3", "4"):
        return int(asked)
    return next((n for n, is_done in enumerate(done, start=1) if not is_done), len(done) + 1)


async def _context(request: Request, visit: Visit, step: int | None = None, **changes: Any) -> dict[str, Any]:
    db, store_hash = visit.services.db, visit.store.hash
    steps = await read_first_steps(db, store_hash)
    done = steps_done(visit, steps)
    current = step or chosen_step(request, done)
    accounts = await list_accounts(db, store_hash)
    account = _account_of_step(accounts)
    settings = visit.store.settings
    context = await form_context(request, visit, account, shown(account) if account else NEW, {})
    return {
        **context,
        **hold_choices(settings),
        "active": "home",
        "origin": "welcome",
        "steps": [
            {"number": n, "label": label, "done": done[n - 1], "now": n == current}
            for n, label in enumerate(STEPS, start=1)
        ],
        "current": current,
        "settings": settings,
        "version": visit.store.settings_version,
        "base": json.dumps({name: dump_settings(settings)[name] for name in QUESTIONS}),
        "people": await people_choices(visit),
        "alarm_person": settings.alarm_person or (visit.user.person_id or 0),
        "counts": steps,
        "all_done": all(done),
        "conflict": False,
        "may_set_up": visit.may("welcome.edit"),
        **changes,
    }


def _account_of_step(accounts: list[Account]) -> Account | None:
    """The account that the first step is about: one that works, else the newest."""
    working = [a for a in accounts if a.state == "working"]
    found = working or accounts[-1:]
    return found[0] if found else None


@panel("welcome.view")
async def show_welcome(request: Request, visit: Visit) -> Response:
    """The step asked for or the next one; while a test of the account runs, the step asks for itself."""
    return page(request, "panel/welcome.html", "step", **await _context(request, visit))


@panel("welcome.edit")
async def connect(request: Request, visit: Visit) -> Response:
    """Step 1: save the account; its test is queued with it."""
    account = _account_of_step(await list_accounts(visit.services.db, visit.store.hash))
    frame = frame_of(request) or Frame(visit.store.hash)
    answer = await store_account(request, visit, account, frame.url("welcome", step=1))
    if isinstance(answer, Response):
        return answer
    before = shown(account) if account else NEW
    changes = {"values": Blank({**before, **answer.values}), "errors": answer.errors}
    return page(request, "panel/welcome.html", "step", 422, **await _context(request, visit, 1, **changes))


@panel("welcome.edit")
async def answer_questions(request: Request, visit: Visit) -> Response:
    """Step 2: the shipping tool, how the store is paid, who hears of alarms."""
    inputs = Inputs(await read_form(request))
    answers = {**read_hold(inputs), "alarm_person": await read_alarm_person(visit, inputs)}
    typed = parse_settings({**dump_settings(visit.store.settings), **answers})
    if inputs.errors:
        changes = {
            **hold_choices(typed),
            "settings": typed,
            "errors": inputs.errors,
            "alarm_person": typed.alarm_person,
        }
        return page(request, "panel/welcome.html", "step", 422, **await _context(request, visit, 2, **changes))
    saved = await save_or_ask(visit, "orders", answers, version=inputs.number("version"), base=read_base(inputs))
    frame = frame_of(request) or Frame(visit.store.hash)
    if isinstance(saved, Saved):
        stands = dump_settings(saved.settings)
        changes = {
            **hold_choices(saved.settings),
            "settings": saved.settings,
            "alarm_person": saved.settings.alarm_person,
            "version": saved.version,
            "base": json.dumps({name: stands[name] for name in QUESTIONS}),
            "conflict": True,
        }
        return page(request, "panel/welcome.html", "step", 409, **await _context(request, visit, 2, **changes))
    return go(request, frame.url("welcome", step=3), toast=saved)


ROUTES = [
    Route("/welcome", show_welcome, name="welcome"),
    Route("/welcome/account", connect, methods=["POST"], name="welcome_account"),
    Route("/welcome/questions", answer_questions, methods=["POST"], name="welcome_questions"),
]
