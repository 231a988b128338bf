"""Business calendars and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bcapp.core.calendars import Calendar, check_calendar
from bcapp.core.model import RecordKey
from bcapp.db import Database
from bcapp.db.audit import append


@dataclass(frozen=True)
class CalendarEntry:
    """A calendar as it stands. rules: how many rules count by it. author: the user who saved this version."""

    calendar: Calendar
    author: int
    saved_at: datetime
    rules: int


def _calendar(row: Mapping[str, Any]) -> Calendar:
    return Calendar(row["id"], row["version"], row["name"], frozenset(row["weekdays"]), frozenset(row["holidays"]))


async def list_calendars(db: Database, store_hash: str) -> list[CalendarEntry]:
    """Return the newest version of every calendar, by name."""
    rows = await db.fetch_all("list_calendars", {"store_hash": store_hash})
    return [CalendarEntry(_calendar(r), r["author"], r["saved_at"], r["rules"]) for r in rows]


async def fetch_calendars(db: Database, store_hash: str) -> dict[int, Calendar]:
    """Return the newest version of every calendar by its number."""
    return {entry.calendar.id: entry.calendar for entry in await list_calendars(db, store_hash)}


async def calendar_history(db: Database, store_hash: str, calendar_id: int, name: str) -> list[CalendarEntry]:
    """Return the versions, newest first."""
    rows = await db.fetch_all("calendar_history", {"store_hash": store_hash, "id": calendar_id})
    made = [_calendar({**r, "id": calendar_id, "name": name}) for r in rows]
    return [CalendarEntry(c, r["author"], r["created_at"], 0) for c, r in zip(made, rows, strict=True)]


async def save_calendar(
    db: Database,
    store_hash: str,
    calendar_id: int,
    *,
    name: str,
    weekdays: frozenset[int],
    holidays: frozenset[date],
    version: int,
    author: int,
    now: datetime,
) -> Calendar | None:
    """Write a new version, or (calendar_id 0) a new calendar; return it. Call inside a transaction.

    version: the one that was edited. None: somebody else saved meanwhile, or it does not exist. Raises InvalidCalendar.
    """
    check_calendar(Calendar(calendar_id, version, name, weekdays, holidays))
    of = {"store_hash": store_hash, "name": name, "now": now}
    if calendar_id == 0:
        calendar_id, raised = int(await db.fetch_val("add_calendar", of)), 1
    else:
        values = {"store_hash": store_hash, "id": calendar_id, "name": name, "version": version}
        found = await db.fetch_val("raise_calendar", values)
        if found is None:
            return None
        raised = int(found)
    await db.execute(
        "add_calendar_version",
        {
            "store_hash": store_hash,
            "id": calendar_id,
            "version": raised,
            "weekdays": sorted(weekdays),
            "holidays": sorted(holidays),
            "author": author,
            "now": now,
        },
    )
    await append(
        db,
        store_hash,
        now,
        actor=f"user:{author}",
        event="calendar_saved",
        record=RecordKey("calendar", str(calendar_id)),
        detail={"version": raised},
    )
    return Calendar(calendar_id, raised, name, weekdays, holidays)
