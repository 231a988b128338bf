"""Business calendars: saved as versions, refused without working days, and open steps counted again by them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from bcapp.web.panel.calendars import parse_holidays, parse_weekdays
from tests.web.panel.conftest import START, House

OFFICE = {"name": "Office", "weekday": ["0", "1", "2", "3", "4"], "holidays": "2026-12-25\n2026-12-24", "version": "0"}


async def made(house: House, **more: Any) -> int:
    answer = await house.as_("manager").post("people/calendars/new", {**OFFICE, **more})
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


async def versions(house: House, number: int) -> list[tuple[int, list[int], int]]:
    async with house.db.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT version, weekdays, holidays FROM calendar_versions WHERE calendar_id = $1 ORDER BY version", number
        )
    return [(r["version"], list(r["weekdays"]), len(r["holidays"])) for r in rows]


async def wait_for_step(house: House, calendar: int) -> None:
    """One open step of a sent request: due two working days after Sunday, at nine in Berlin."""
    await house.run(
        "INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'order', '7', $2)", house.store, START
    )
    request = await house.run(
        "INSERT INTO requests (store_hash, workflow, rule_id, rule_version, purpose, record_kind, record_id, round,"
        " projection, fingerprint, snapshot, status, account_id, agreement_id, agreement_version, nonce, external_id,"
        " read_due_at, created_at) VALUES ($1, 'order_approval', 1, 1, 'internal', 'order', '7', 1, 1, 'f', '{}',"
        " 'sent', 1, 0, 0, 'n', 'x', $2, $2) RETURNING id",
        house.store,
        START,
    )
    await house.run(
        "INSERT INTO request_steps (store_hash, request_id, position, kind, after_days, working_days, counted_from,"
        " local_date, local_time, zone, calendar_id, calendar_version, due_at)"
        " VALUES ($1, $2, 0, 'remind', 2, true, $3, $4, $5, 'Europe/Berlin', $6, 1, $7)",
        house.store,
        request,
        START,
        date(2026, 11, 24),
        time(9),
        calendar,
        datetime(2026, 11, 24, 8, tzinfo=UTC),
    )


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "days", "wrong"),
    [
        ("", 0, ""),
        ("2026-12-25\r\n\n 2026-12-25 ,2026-12-26", 2, ""),
        ("christmas", 0, "is no day"),
        ("2026-02-30", 0, "is no day"),
        ("26-2-3", 0, "is no day"),
        ("٢٠٢٦-١٢-٢٥", 0, "is no day"),
        ("1999-12-25", 0, "too far"),
        ("<script>", 0, "is no day"),
    ],
)
def test_holidays_are_read_line_by_line(text: str, days: int, wrong: str) -> None:
    found, said = parse_holidays(text)
    assert len(found) == days
    assert wrong in said if wrong else said == ""


@pytest.mark.unit
def test_what_is_no_weekday_is_left_out() -> None:
    assert parse_weekdays(["0", "6", "7", "-1", "x", 3]) == {0, 6}


@pytest.mark.database
async def test_a_calendar_is_saved_and_shown(house: House) -> None:
    number = await made(house)
    assert await versions(house, number) == [(1, [0, 1, 2, 3, 4], 2)]
    seen = await house.as_("viewer").get(f"people/calendars/{number}")
    assert (
        'Monday, <time datetime="2026-11-23"' in seen.text
    )  # the working day after the Sunday on which the clock stands
    assert "Manager of abc123" in seen.text
    assert 'name="weekday"' not in seen.text
    assert "Office" in (await house.as_("viewer").get("people/calendars")).text
    assert (await house.as_("stranger").get(f"people/calendars/{number}")).status_code == 404


@pytest.mark.database
async def test_nothing_changed_makes_no_version(house: House) -> None:
    number = await made(house)
    await house.as_("manager").post(f"people/calendars/{number}", {**OFFICE, "version": "1"})
    assert len(await versions(house, number)) == 1


@pytest.mark.database
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"weekday": []}, "at least one working day"),
        ({"name": ""}, "Write a name"),
        ({"holidays": "soon"}, "is no day"),
        ({"holidays": "\n".join((date(2026, 1, 1) + timedelta(n)).isoformat() for n in range(520))}, "at most 500"),
        ({"holidays": "\n".join((date(2026, 1, 1) + timedelta(n)).isoformat() for n in range(900))}, "at most 500"),
    ],
)
async def test_a_calendar_that_cannot_be_is_refused(house: House, wrong: dict[str, Any], says: str) -> None:
    answer = await house.as_("manager").post("people/calendars/new", {**OFFICE, **wrong})
    assert answer.status_code == 422
    assert says in answer.text
    assert await house.run("SELECT count(*) FROM calendars") == 0


@pytest.mark.database
async def test_a_changed_calendar_counts_open_steps_again(house: House) -> None:
    number = await made(house)
    await wait_for_step(house, number)
    page = await house.as_("manager").get(f"people/calendars/{number}")
    assert "1 open step counts by this calendar" in page.text
    await house.as_("manager").post(f"people/calendars/{number}", {**OFFICE, "version": "1", "holidays": "2026-11-23"})
    assert await house.run("SELECT local_date FROM request_steps") == date(2026, 11, 25)
    assert await house.run("SELECT due_at FROM request_steps") == datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert await house.run("SELECT calendar_version FROM request_steps") == 2
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'calendar_saved'") == 2


@pytest.mark.database
async def test_of_two_savers_the_second_is_told(house: House) -> None:
    number = await made(house)
    first = house.as_("manager").post(f"people/calendars/{number}", {**OFFICE, "version": "1", "holidays": ""})
    second = house.as_("owner").post(f"people/calendars/{number}", {**OFFICE, "version": "1", "weekday": ["0"]})
    answers = await asyncio.gather(first, second)
    assert sorted(a.status_code for a in answers) == [303, 422]
    assert "Somebody saved another version" in next(a.text for a in answers if a.status_code == 422)
    assert len(await versions(house, number)) == 2


@pytest.mark.database
async def test_the_preview_follows_the_form(house: House) -> None:
    query = "people/calendars/preview?weekday=0&holidays=2026-11-23"
    answer = await house.as_("viewer").get(query, part=True)
    assert 'Monday, <time datetime="2026-11-30"' in answer.text
    assert "2026-11-23" not in answer.text
    assert "at least one working day" in (await house.as_("viewer").get("people/calendars/preview", part=True)).text
