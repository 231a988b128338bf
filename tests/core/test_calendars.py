"""Calendars: every instant exactly once, in every zone, past gap and fold, holidays and weekends."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.core.calendars import (
    EVERY_DAY,
    MOST_HOLIDAYS,
    Calendar,
    InvalidCalendar,
    check_calendar,
    days_after,
    due_at,
    instant,
    next_working_days,
    zone_named,
    zone_or_utc,
)

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
ZONES = sorted(name for name in zoneinfo.available_timezones() if zone_named(name) is not None)
OFFICE = Calendar(1, 1, "Office", frozenset(range(5)), frozenset({date(2026, 12, 25), date(2026, 12, 28)}))


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The instants between 2020 and 2040 at which the zone's clocks change."""
    zone = zone_or_utc(name)
    found, at, step = list[datetime](), FIRST, timedelta(days=14)
    while at < LAST:
        after = at + step
        if at.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            low, high, offset = at, after, after.astimezone(zone).utcoffset()
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (low, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, high)
            found.append(high)
        at = after
    return tuple(found)


def naive_instant(day: date, at: time, name: str) -> datetime:
    """The first instant, of those around, whose local time is not before the one that is meant: by looking at all."""
    zone, wanted = zone_or_utc(name), datetime.combine(day, at)
    around = datetime.combine(day, at, UTC)
    candidates = sorted(
        [around - (offset or timedelta()) for x in (-30, 0, 30)
         for offset in [(around + timedelta(hours=x)).astimezone(zone).utcoffset()]]
        + [c for c in changes(name) if abs(c - around) < timedelta(hours=30)]
    )  # fmt: skip
    return next(c for c in candidates if c.astimezone(zone).replace(tzinfo=None) >= wanted)


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        ("Europe/Berlin", date(2026, 3, 28), time(9), "2026-03-28T08:00:00+00:00"),
        (
            "Europe/Berlin",
            date(2026, 3, 29),
            time(2, 30),
            "2026-03-29T01:00:00+00:00",
        ),  # the gap: its first instant after
        ("Europe/Berlin", date(2026, 3, 29), time(2), "2026-03-29T01:00:00+00:00"),
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T00:30:00+00:00"),  # the fold: the first
        ("America/Santiago", date(2026, 9, 6), time(0), "2026-09-06T04:00:00+00:00"),  # midnight does not exist
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), "2026-10-03T15:30:00+00:00"),  # half an hour
        ("America/New_York", date(2026, 11, 1), time(1, 30), "2026-11-01T05:30:00+00:00"),
        ("Asia/Kathmandu", date(2026, 1, 1), time(9), "2026-01-01T03:15:00+00:00"),
    ],
)
def test_instant(zone: str, day: date, at: time, utc: str) -> None:
    assert instant(day, at, zone_or_utc(zone)) == datetime.fromisoformat(utc)


def test_around_every_change_of_clocks_in_every_zone() -> None:
    """Around each gap and fold of 2020 to 2040: the first instant that is not before the local time, ever later."""
    looked = 0
    for name in ZONES:
        zone = zone_or_utc(name)
        for change in changes(name)[:: 1 if name in ("Africa/Casablanca", "Europe/Berlin") else 5]:
            local = change.astimezone(zone).replace(tzinfo=None)
            previous = None
            for minutes in (-90, -60, -31, -30, -1, 0, 1, 29, 30, 31, 60, 90):
                wanted = local + timedelta(minutes=minutes)
                found = instant(wanted.date(), wanted.time(), zone)
                assert found == naive_instant(wanted.date(), wanted.time(), name), (name, wanted)
                assert previous is None or found >= previous, (name, wanted)
                previous, looked = found, looked + 1
    assert looked > 5000


@settings(deadline=None, max_examples=400)
@given(
    zone=st.sampled_from(ZONES),
    sent=st.datetimes(datetime(2020, 1, 1), datetime(2040, 12, 31)),
    at=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    away=st.frozensets(st.integers(1, 60), max_size=20),
    working=st.booleans(),
)
def test_every_day_once_never_before_and_ever_later(
    zone: str, sent: datetime, at: time, weekdays: frozenset[int], away: frozenset[int], working: bool
) -> None:
    moment, found_zone = sent.replace(tzinfo=UTC), zone_or_utc(zone)
    holidays = frozenset(sent.date() + timedelta(days=d) for d in away)
    calendar = Calendar(1, 3, "", weekdays, holidays)
    dues = [due_at(moment, n, at, calendar, found_zone, working=working) for n in range(12)]
    assert all(d.at >= moment for d in dues)
    assert dues[0].at <= dues[1].at
    assert all(a.at < b.at for a, b in pairwise(dues[1:]))
    assert len({d.local_date for d in dues}) == len(dues)
    for d in dues[1:]:
        assert not working or calendar.is_working(d.local_date)
        local = d.at.astimezone(found_zone).replace(tzinfo=None)
        assert local >= datetime.combine(d.local_date, at)
        assert (d.zone, d.calendar_version, d.local_time) == (zone, 3, at)
    if working:
        # No working day is left out: every one up to the last due day is a due day.
        first = moment.astimezone(found_zone).date()
        days = [first + timedelta(days=n) for n in range(1, (dues[-1].local_date - first).days + 1)]
        assert [d for d in days if calendar.is_working(d)] == [d.local_date for d in dues[1:]]


def test_working_days_step_over_weekend_and_holidays() -> None:
    thursday = date(2026, 12, 24)
    assert days_after(thursday, 1, working=True, calendar=OFFICE) == date(2026, 12, 29)
    assert days_after(thursday, 1, working=False, calendar=OFFICE) == date(2026, 12, 25)
    assert list(next_working_days(OFFICE, thursday, 3)) == [date(2026, 12, 29), date(2026, 12, 30), date(2026, 12, 31)]


def test_the_day_of_sending_is_the_stores_own() -> None:
    """Sent on Monday evening in New York, which is Tuesday in UTC: one day after is Tuesday there."""
    sent = datetime(2026, 1, 6, 3, 0, tzinfo=UTC)
    due = due_at(sent, 1, time(9), EVERY_DAY, zone_or_utc("America/New_York"))
    assert (due.local_date, due.at) == (date(2026, 1, 6), datetime(2026, 1, 6, 14, 0, tzinfo=UTC))


def test_a_step_of_the_same_day_never_comes_before_the_sending() -> None:
    sent = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
    assert due_at(sent, 0, time(9), EVERY_DAY, zone_or_utc("UTC")).at == sent


@pytest.mark.parametrize(
    "calendar",
    [
        Calendar(weekdays=frozenset()),
        Calendar(weekdays=frozenset({9})),
        Calendar(holidays=frozenset(date(2020, 1, 1) + timedelta(days=n) for n in range(501))),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(calendar: Calendar) -> None:
    with pytest.raises(InvalidCalendar):
        check_calendar(calendar)


def test_a_calendar_without_working_days_counts_nothing() -> None:
    with pytest.raises(InvalidCalendar):
        days_after(date(2026, 1, 1), 1, working=True, calendar=Calendar(weekdays=frozenset()))


def test_the_longest_step_by_the_poorest_calendar() -> None:
    """One weekday, as many holidays on it as a calendar takes: 865 weeks."""
    mondays = frozenset(date(2026, 1, 5) + timedelta(weeks=n) for n in range(MOST_HOLIDAYS))
    found = days_after(
        date(2026, 1, 1), 365, working=True, calendar=Calendar(weekdays=frozenset({0}), holidays=mondays)
    )
    assert found == date(2026, 1, 5) + timedelta(weeks=MOST_HOLIDAYS + 364)


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "zone.tab", "Europe", "tzdata.zi", "/UTC"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_named(name) is None
    assert zone_or_utc(name).key == "UTC"


def test_zones_come_from_the_pinned_package() -> None:
    """The machine's own zone files, whatever their age, decide nothing."""
    paths = zoneinfo.TZPATH
    try:
        zoneinfo.reset_tzpath(to=[])
        zone_named.cache_clear()
        assert zone_named("Europe/Berlin") is not None
    finally:
        zoneinfo.reset_tzpath(to=paths)
        zone_named.cache_clear()
