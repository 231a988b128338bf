"""The escalation steps of sent requests as rows: made when a request is sent, counted again when a calendar changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.calendars import Due, zone_or_utc
from bcapp.core.escalation import PlannedStep, calendar_of, counted_again, escalation_dates, moved_on
from bcapp.core.model import SignatureRequest
from bcapp.core.rules import parse_definition
from bcapp.db import Database
from bcapp.db.calendars import fetch_calendars


def step_from_row(row: Mapping[str, Any]) -> PlannedStep:
    return PlannedStep(**{name: row[name] for name in PlannedStep.__dataclass_fields__})


async def plan_steps(db: Database, store_hash: str, zone: str, request: SignatureRequest, sent_at: datetime) -> None:
    """Make the rows of a request that was just sent, unless they came with it from an earlier round.

    zone: the store's, IANA name. Call inside the transaction that moves the request.
    """
    if not request.rule_id:
        return
    of = {"store_hash": store_hash, "request_id": request.id}
    if not await db.fetch_all("steps_of_request", of):
        version = {"store_hash": store_hash, "rule_id": request.rule_id, "version": request.rule_version}
        row = await db.fetch_one("fetch_rule_definition_version", version)
        definition = parse_definition(row["definition"]) if row else None
        if definition is None or not definition.steps:
            return
        calendar = calendar_of(await fetch_calendars(db, store_hash), definition.calendar_id)
        for date in escalation_dates(definition, sent_at, calendar, zone_or_utc(zone), purpose=request.purpose):
            step = {
                "position": date.position,
                "kind": date.step.do,
                "person_id": date.step.person,
                "follows": date.step.outcome,
                "after_days": date.step.after_days,
                "working_days": date.step.working_days,
                "local_time": date.due.local_time,
                "calendar_id": calendar.id,
            }
            await db.execute("add_step", {**of, **step, **_counted(sent_at, date.due)})
    await db.execute("rest_reminders", {"store_hash": store_hash, "id": request.id})


def _counted(counted_from: datetime, due: Due) -> dict[str, Any]:
    return {
        "counted_from": counted_from,
        "local_date": due.local_date,
        "zone": due.zone,
        "calendar_version": due.calendar_version,
        "due_at": due.at,
    }


async def count_again(
    db: Database,
    store_hash: str,
    zone: str,
    now: datetime,
    *,
    calendar_id: int | None = None,
    request_id: int | None = None,
    pause: timedelta = timedelta(),
) -> int:
    """Count the open steps again by the calendars and the zone as they are now; return how many have another time.

    calendar_id, request_id: only those. pause: how long nobody could be reached; they come later by it. Call inside the
    transaction of what changed.
    """
    calendars, used = await fetch_calendars(db, store_hash), zone_or_utc(zone)
    values = {"store_hash": store_hash, "calendar_id": calendar_id, "request_id": request_id}
    changed, requests = 0, set[int]()
    for row in await db.fetch_all("open_steps", values):
        step = moved_on(step_from_row(row), pause)
        due = counted_again(step, calendar_of(calendars, step.calendar_id), used)
        changed += due.at != step.due_at
        requests.add(row["request_id"])
        of = {"store_hash": store_hash, "request_id": row["request_id"], "position": step.position}
        await db.execute("count_step_again", {**of, **_counted(step.counted_from, due)})
    for number in requests:
        await read_in_time(db, store_hash, number, now)
    return changed


async def read_in_time(db: Database, store_hash: str, request_id: int, now: datetime) -> None:
    """Have the request read when its next step is due, if that is sooner than its next read."""
    await db.execute("read_when_step_is_due", {"store_hash": store_hash, "id": request_id, "now": now})
