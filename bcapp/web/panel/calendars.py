"""Business calendars: the days on which steps of an escalation are counted, with every version that was saved."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.calendars import (
    MOST_HOLIDAYS,
    WEEKDAYS,
    Calendar,
    InvalidCalendar,
    check_calendar,
    next_working_days,
    zone_or_utc,
)
from bcapp.db.calendars import CalendarEntry, calendar_history, list_calendars, save_calendar
from bcapp.db.panel_requests import user_names
from bcapp.db.steps import count_again
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs, id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page
from bcapp.web.status_words import N_

SHOWN_DAYS = 10
LONGEST = 12 * MOST_HOLIDAYS  # characters of the list of holidays
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
OFFICE_DAYS = frozenset(range(5))
NAMES = [N_(day) for day in WEEKDAYS]


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


def today(visit: Visit) -> date:
    """Return the day that it is in the store's zone."""
    return visit.now.astimezone(zone_or_utc(visit.store.timezone)).date()


def parse_weekdays(given: Collection[Any]) -> frozenset[int]:
    """Return the ticked days; what is no day is left out."""
    return frozenset(int(day) for day in given if isinstance(day, str) and day in {str(n) for n in range(7)})


def parse_holidays(text: str) -> tuple[frozenset[date], str]:
    """Read one day a line, such as 2026-12-25; return them and what is wrong with the first that cannot be read."""
    found = set[date]()
    for line in text.replace(",", "\n").splitlines():
        day = line.strip()
        if not day:
            continue
        try:
            if not DAY.fullmatch(day):
                raise ValueError(day)
            read = date.fromisoformat(day)
        except ValueError:
            return frozenset(found), f"“{day[:30]}” is no day. Write one day a line, such as 2026-12-25."
        if not 2000 <= read.year <= 2100:
            return frozenset(found), f"{day} is too far away."
        found.add(read)
    return frozenset(found), ""


def _written(holidays: Collection[date]) -> str:
    return "\n".join(day.isoformat() for day in sorted(holidays))


def _preview(visit: Visit, weekdays: frozenset[int], holidays: frozenset[date]) -> dict[str, Any]:
    """Return the next working days, or why there are none."""
    calendar = Calendar(weekdays=weekdays, holidays=holidays)
    try:
        check_calendar(calendar)
    except InvalidCalendar as exc:
        return {"next_days": [], "why_none": str(exc)}
    return {"next_days": list(next_working_days(calendar, today(visit), SHOWN_DAYS)), "why_none": ""}


@panel("people.view")
async def show_calendars(request: Request, visit: Visit) -> Response:
    return page(
        request,
        "panel/calendars.html",
        active="people",
        visit=visit,
        calendars=await list_calendars(visit.services.db, visit.store.hash),
        names=await user_names(visit.services.db, visit.store.hash),
        weekday_names=NAMES,
        zone=visit.store.timezone,
    )


async def _found(request: Request, visit: Visit) -> CalendarEntry:
    number = id_in_path(request)
    entries = await list_calendars(visit.services.db, visit.store.hash)
    entry = next((e for e in entries if e.calendar.id == number), None)
    if entry is None:
        raise not_found()
    return entry


async def _context(
    visit: Visit,
    entry: CalendarEntry | None,
    values: Mapping[str, str],
    weekdays: frozenset[int],
    errors: Mapping[str, str],
) -> dict[str, Any]:
    db, store_hash = visit.services.db, visit.store.hash
    history: list[CalendarEntry] = []
    open_steps = 0
    if entry is not None:
        history = await calendar_history(db, store_hash, entry.calendar.id, entry.calendar.name)
        of = {"store_hash": store_hash, "calendar_id": entry.calendar.id}
        open_steps = int(await db.fetch_val("panel_open_step_count", of))
    holidays, _ = parse_holidays(values.get("holidays", ""))
    return {
        "active": "people",
        "visit": visit,
        "entry": entry,
        "values": Blank(values),
        "errors": Blank(errors),
        "weekdays": weekdays,
        "weekday_names": NAMES,
        "zone": visit.store.timezone,
        "history": history,
        "names": await user_names(db, store_hash),
        "open_steps": open_steps,
        "may_edit": visit.may("calendars.edit"),
        **_preview(visit, weekdays, holidays),
    }


def _values(calendar: Calendar) -> dict[str, str]:
    return {"name": calendar.name, "holidays": _written(calendar.holidays), "version": str(calendar.version)}


@panel("people.view")
async def preview(request: Request, visit: Visit) -> Response:
    """Show the next working days of what stands in the form."""
    query = request.query_params
    holidays, wrong = parse_holidays(query.get("holidays", "")[:LONGEST])
    shown = _preview(visit, parse_weekdays(query.getlist("weekday")), holidays)
    if wrong:
        shown = {"next_days": [], "why_none": wrong}
    return page(
        request, "panel/calendar.html", "preview", active="people", visit=visit, zone=visit.store.timezone,
        entry=None, errors=Blank(), values=Blank(), weekdays=frozenset(), weekday_names=NAMES, history=[], names={},
        open_steps=0, may_edit=False, **shown,
    )  # fmt: skip


@panel("calendars.edit")
async def new_calendar(request: Request, visit: Visit) -> Response:
    values = {"name": "Business days", "version": "0"}
    return page(request, "panel/calendar.html", **await _context(visit, None, values, OFFICE_DAYS, {}))


@panel("people.view")
async def show_calendar(request: Request, visit: Visit) -> Response:
    entry = await _found(request, visit)
    context = await _context(visit, entry, _values(entry.calendar), entry.calendar.weekdays, {})
    return page(request, "panel/calendar.html", **context)


@panel("calendars.edit")
async def save_new(request: Request, visit: Visit) -> Response:
    return await _save(request, visit, None)


@panel("calendars.edit")
async def save_old(request: Request, visit: Visit) -> Response:
    return await _save(request, visit, await _found(request, visit))


async def _save(request: Request, visit: Visit, entry: CalendarEntry | None) -> Response:
    """Write a new version, and have what waits counted by it."""
    form = await read_form(request)
    inputs = Inputs(form)
    name = inputs.text("name", most=60, required="Write a name.")
    weekdays = parse_weekdays(form.getlist("weekday"))
    given = form.get("holidays", "")
    text = given.replace("\r\n", "\n") if isinstance(given, str) else ""
    inputs.values["holidays"] = text[:LONGEST]
    holidays, wrong = parse_holidays(text[:LONGEST])
    if len(text) > LONGEST:
        wrong = f"A calendar has at most {MOST_HOLIDAYS} holidays."
    if wrong:
        inputs.errors["holidays"] = wrong
    version = inputs.number("version")
    calendar_id = entry.calendar.id if entry else 0
    if not inputs.errors:
        try:
            check_calendar(Calendar(weekdays=weekdays, holidays=holidays))
        except InvalidCalendar as exc:
            inputs.errors["weekday" if not weekdays else "holidays"] = str(exc)
    if not inputs.errors:
        if entry is not None and (name, weekdays, holidays) == (
            entry.calendar.name,
            entry.calendar.weekdays,
            entry.calendar.holidays,
        ):
            url = _frame(request, visit).url(f"people/calendars/{entry.calendar.id}")
            return go(request, url, toast="Nothing was changed.", toast_kind="info")
        saved, moved = await _write(visit, calendar_id, name, weekdays, holidays, version, visit.now)
        if saved is not None:
            steps = "step has" if moved == 1 else "steps have"
            toast = f"Saved. {moved} open {steps} another time." if moved else "Saved."
            return go(request, _frame(request, visit).url(f"people/calendars/{saved.id}"), toast=toast)
        inputs.errors[""] = "Somebody saved another version meanwhile. Open the calendar again, then change it."
    context = await _context(visit, entry, inputs.values, weekdays, inputs.errors)
    return page(request, "panel/calendar.html", "form", 422, **context)


async def _write(
    visit: Visit,
    calendar_id: int,
    name: str,
    weekdays: frozenset[int],
    holidays: frozenset[date],
    version: int,
    now: datetime,
) -> tuple[Calendar | None, int]:
    """Save and count again in one commit; return the calendar and how many open steps have another time."""
    db, store_hash = visit.services.db, visit.store.hash
    async with db.transaction():
        saved = await save_calendar(
            db,
            store_hash,
            calendar_id,
            name=name,
            weekdays=weekdays,
            holidays=holidays,
            version=version,
            author=visit.user.id,
            now=now,
        )
        if saved is None:
            return None, 0
        return saved, await count_again(db, store_hash, visit.store.timezone, now, calendar_id=saved.id)


ROUTES = [
    Route("/people/calendars", show_calendars, name="calendars"),
    Route("/people/calendars/new", new_calendar, name="new_calendar"),
    Route("/people/calendars/new", save_new, methods=["POST"], name="add_calendar"),
    Route("/people/calendars/preview", preview, name="calendar_preview"),
    Route("/people/calendars/{id:int}", show_calendar, name="calendar"),
    Route("/people/calendars/{id:int}", save_old, methods=["POST"], name="save_calendar"),
]
