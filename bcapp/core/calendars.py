"""Business calendars: which days are worked, and the instant at which a local time of a later day stands.

Local time is what people mean by "at nine"; the instant follows from the zone. In a gap night (clocks go forward) a
time that does not exist means the first instant after the gap; in a fold (they go back) a time that exists twice means
its first occurrence. Zones are read from the pinned package `tzdata`, never from the machine, so that every worker and
every machine counts the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

MOST_HOLIDAYS = 500
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SECOND = timedelta(seconds=1)


class InvalidCalendar(ValueError):
    """The calendar cannot be: the message says why and what to do, for the merchant."""


@dataclass(frozen=True)
class Calendar:
    """Which days are worked. weekdays: 0 is Monday. holidays: days that are not worked although their weekday is."""

    id: int = 0
    version: int = 0
    name: str = ""
    weekdays: frozenset[int] = frozenset(range(7))
    holidays: frozenset[date] = field(default_factory=frozenset)

    def is_working(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day not in self.holidays


EVERY_DAY = Calendar()


@dataclass(frozen=True)
class Due:
    """When a step is due: the local time that is meant, and the instant (UTC) that it comes to."""

    local_date: date
    local_time: time
    zone: str
    calendar_version: int
    at: datetime


def check_calendar(calendar: Calendar) -> None:
    """Raise InvalidCalendar for one on which nothing would ever be due."""
    if not calendar.weekdays:
        raise InvalidCalendar("A calendar needs at least one working day. Tick the days on which you work.")
    if not calendar.weekdays <= frozenset(range(7)):
        raise InvalidCalendar("A week has the days Monday to Sunday.")
    if len(calendar.holidays) > MOST_HOLIDAYS:
        raise InvalidCalendar(f"A calendar has at most {MOST_HOLIDAYS} holidays. Remove those that are past.")


@lru_cache(maxsize=700)
def zone_named(name: str) -> ZoneInfo | None:
    """Return a zone as the pinned `tzdata` has it, None for a name that it does not know."""
    parts = name.split("/")
    if not all(part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in parts):
        return None
    found = resources.files("tzdata.zoneinfo").joinpath(*parts)
    if not found.is_file():
        return None
    with found.open("rb") as content:
        try:
            return ZoneInfo.from_file(content, key=name)
        except ValueError:  # a list or a table beside the zones
            return None


def zone_or_utc(name: str) -> ZoneInfo:
    """Return the zone of that name; UTC when the store names one that does not exist."""
    return zone_named(name) or zone_named("UTC") or ZoneInfo("UTC")


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the one instant (UTC) that a local time of a day means: after a gap its first, in a fold the first."""
    early = datetime.combine(day, at, zone).astimezone(UTC)  # fold 0: in a gap, counted by the offset before it
    late = datetime.combine(day, at.replace(fold=1), zone).astimezone(UTC)
    if early <= late:
        return early  # it exists once, or the first of two
    # In a gap the later reading counts by the offset after it and comes out earlier: the clocks went between the two.
    before, after = late, early
    offset = after.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def days_after(day: date, days: int, *, working: bool, calendar: Calendar) -> date:
    """Return the day that is so many (working) days after a day. 0: the day itself, worked or not.

    Raises InvalidCalendar for a calendar without working days.
    """
    if not working or days == 0:
        return day + timedelta(days=days)
    check_calendar(calendar)
    left = days
    while left > 0:  # comes to its end: some weekday is worked, and holidays are counted
        day += timedelta(days=1)
        left -= calendar.is_working(day)
    return day


def due_at(sent_at: datetime, days: int, at: time, calendar: Calendar, zone: ZoneInfo, *, working: bool = True) -> Due:
    """Return when something is due so many (working) days after it was sent, at a local time; never before it.

    sent_at: aware. calendar: counts only where working is set. Raises InvalidCalendar.
    """
    sent = sent_at.astimezone(UTC)
    day = days_after(sent.astimezone(zone).date(), days, working=working, calendar=calendar)
    found = instant(day, at, zone)
    return Due(day, at, zone.key or "UTC", calendar.version, max(found, sent))


def next_working_days(calendar: Calendar, after: date, count: int) -> Iterator[date]:
    """Yield the next working days after a day. Raises InvalidCalendar for a calendar without any."""
    day = after
    for _ in range(count):
        day = days_after(day, 1, working=True, calendar=calendar)
        yield day
