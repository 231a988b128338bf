"""People: the directory, deputies, approval limits, roles, and the second person."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bcapp.web.panel.people import parse_amount
from tests.web.panel.conftest import START, House

ANN = {"name": "Ann Lee", "email": "Ann@Example.com ", "language": "en", "state": "active"}


async def person_of(house: House, who: str) -> int:
    email = f"{who}@{house.store}.example.com"
    return int(await house.run("SELECT id FROM people WHERE email = $1", email))


async def limits(house: House) -> list[tuple[str, Any]]:
    async with house.db.pool.acquire() as connection:
        rows = await connection.fetch("SELECT currency, up_to FROM approval_limits ORDER BY currency")
    return [(r["currency"], r["up_to"]) for r in rows]


async def only_the_owner(house: House) -> None:
    await house.run("UPDATE users SET role = 'viewer' WHERE id = 2")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("5000", "5000"),
        ("5,000", "5000"),
        ("5 000.50", "5000.50"),
        ("1,234,567.89", "1234567.89"),
        ("0", "0"),
        ("5,00", None),
        ("5.000,00", None),
        ("-5", None),
        ("1e9", None),
        ("NaN", None),
        ("", None),
        ("9" * 13, None),
        ("5.12345", None),
        ("٥", None),
    ],
)
def test_an_amount_is_read_as_written_or_not_at_all(text: str, amount: str | None) -> None:
    assert parse_amount(text) == (Decimal(amount) if amount is not None else None)


@pytest.mark.database
@pytest.mark.parametrize("part", [False, True])
async def test_a_new_person_stands_in_the_directory(house: House, part: bool) -> None:
    answer = await house.as_("manager").post("people/new", ANN, part=part)
    assert answer.status_code == (200 if part else 303)
    assert await house.run("SELECT name FROM people WHERE email = 'ann@example.com'") == "Ann Lee"
    assert "Ann Lee" in (await house.as_("viewer").get("people")).text
    assert "Ann" not in await house.run("SELECT string_agg(detail::text, '') FROM audit_log")


@pytest.mark.database
async def test_a_second_click_adds_nobody_twice(house: House) -> None:
    await house.as_("manager").post("people/new", ANN)
    answer = await house.as_("manager").post("people/new", ANN)
    assert answer.status_code == 422
    assert "has this address already" in answer.text
    assert await house.run("SELECT count(*) FROM people WHERE email = 'ann@example.com'") == 1


@pytest.mark.database
@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 500},
        {"name": "a\x00b"},
        {"email": "nobody"},
        {"email": "a@b\r\nBcc: c@d.example"},
        {"language": "xx"},
        {"state": "gone"},
        {"deputy_id": "999999"},
        {"deputy_from": "2026-13-40", "deputy_id": "1"},
        {"deputy_from": "1026-01-01", "deputy_id": "1"},
        {"deputy_from": "2026-12-02", "deputy_until": "2026-12-01"},
    ],
)
async def test_what_cannot_be_is_refused_and_shown_again(house: House, wrong: dict[str, str]) -> None:
    for part in (False, True):
        answer = await house.as_("owner").post("people/new", ANN | wrong, part=part)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert ("<html" in answer.text) is not part
    assert await house.run("SELECT count(*) FROM people WHERE store_hash = $1", house.store) == 4


@pytest.mark.database
@pytest.mark.parametrize("who", ["approver", "viewer", "intruder"])
async def test_nobody_else_changes_people_limits_or_roles(house: House, who: str) -> None:
    expected = 404 if who == "intruder" else 403
    number = await person_of(house, "viewer")
    for path in ("people/new", f"people/{number}", f"people/{number}/limits", "people/users/4"):
        data = ANN | {"currency": "EUR", "up_to": "5", "role": "manager", "was": "viewer"}
        assert (await house.as_(who).post(path, data)).status_code == expected
    assert (await house.as_("manager").post("people/users/4", {"role": "manager", "was": "viewer"})).status_code == 403
    assert (await house.as_("stranger").post(f"people/{number}", ANN)).status_code == 404
    assert await house.run("SELECT role FROM users WHERE id = 4") == "viewer"
    assert await limits(house) == []


@pytest.mark.database
async def test_days_count_in_the_stores_zone_and_the_last_one_counts_whole(house: House) -> None:
    number, deputy = await person_of(house, "viewer"), await person_of(house, "manager")
    data = {"name": "V", "email": f"viewer@{house.store}.example.com", "language": "de", "state": "active"}
    data |= {"deputy_id": str(deputy), "deputy_from": "2026-12-01", "deputy_until": "2026-12-24"}
    assert (await house.as_("manager").post(f"people/{number}", data)).status_code == 303
    begins = await house.run("SELECT deputy_from FROM people WHERE id = $1", number)
    ends = await house.run("SELECT deputy_until FROM people WHERE id = $1", number)
    assert begins == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert ends == datetime(2026, 12, 24, 23, tzinfo=UTC)
    page = (await house.as_("manager").get(f"people/{number}")).text
    assert 'value="2026-12-01"' in page
    assert 'value="2026-12-24"' in page


@pytest.mark.database
async def test_everybody_says_of_themselves_when_they_are_away(house: House) -> None:
    deputy = await person_of(house, "manager")
    data = {"language": "de", "state": "away", "deputy_id": str(deputy), "name": "Mallory", "email": "m@x.example"}
    assert (await house.as_("viewer").post("people/me", data)).status_code == 303
    number = await person_of(house, "viewer")
    assert await house.run("SELECT state FROM people WHERE id = $1", number) == "away"
    assert await house.run("SELECT name FROM people WHERE id = $1", number) != "Mallory"
    answer = await house.as_("viewer").post("people/me", data | {"deputy_id": str(number)})
    assert answer.status_code == 422


@pytest.mark.database
async def test_a_limit_applies_when_a_second_manager_approves_it(house: House) -> None:
    number = await person_of(house, "approver")
    await house.as_("manager").post(f"people/{number}/limits", {"currency": "eur", "up_to": "5,000"})
    assert await limits(house) == []
    change = await house.run("SELECT id FROM pending_changes")
    page = (await house.as_("owner").get(f"people/{number}")).text
    assert "may approve up to 5,000 EUR" in page
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert await limits(house) == [("EUR", Decimal(5000))]
    assert "€5,000.00" in (await house.as_("viewer").get("people")).text


@pytest.mark.database
async def test_a_refused_change_leaves_all_as_it_is(house: House) -> None:
    number = await person_of(house, "approver")
    await house.as_("manager").post(f"people/{number}/limits", {"currency": "EUR", "unlimited": "yes"})
    change = await house.run("SELECT id FROM pending_changes")
    for _ in range(2):
        assert (await house.as_("owner").post(f"people/changes/{change}/refuse")).status_code == 303
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert await limits(house) == []
    assert await house.run("SELECT state FROM pending_changes") == "refused"


@pytest.mark.database
async def test_the_only_manager_sets_and_removes_limits_at_once(house: House) -> None:
    await only_the_owner(house)
    owner, number = house.as_("owner"), await person_of(house, "approver")
    await owner.post(f"people/{number}/limits", {"currency": "USD", "unlimited": "yes", "up_to": "junk"})
    await owner.post(f"people/{number}/limits", {"currency": "EUR", "up_to": "10.5"})
    await owner.post(f"people/{number}/limits", {"currency": "EUR", "up_to": "20"})
    assert await limits(house) == [("EUR", Decimal(20)), ("USD", None)]
    for _ in range(2):
        assert (await owner.post(f"people/{number}/limits/remove", {"currency": "USD"})).status_code == 303
    assert await limits(house) == [("EUR", Decimal(20))]


@pytest.mark.database
@pytest.mark.parametrize(
    "wrong",
    [{"up_to": ""}, {"up_to": "-1"}, {"up_to": "abc"}, {"currency": "XQZ"}, {"currency": ""}, {"currency": "E" * 99}],
)
async def test_a_limit_that_cannot_be_is_refused(house: House, wrong: dict[str, str]) -> None:
    await only_the_owner(house)
    number = await person_of(house, "approver")
    data = {"currency": "EUR", "up_to": "5"} | wrong
    for part in (False, True):
        answer = await house.as_("owner").post(f"people/{number}/limits", data, part=part)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert await limits(house) == []


@pytest.mark.database
async def test_an_approver_is_changed_by_two_people(house: House) -> None:
    number = await person_of(house, "approver")
    await house.run(
        "INSERT INTO approval_limits (store_hash, person_id, currency, up_to) VALUES ($1, $2, 'EUR', 10)",
        house.store,
        number,
    )
    data = ANN | {"name": "Approver", "email": "evil@example.com"}
    assert (await house.as_("manager").post(f"people/{number}", data)).status_code == 303
    assert await house.run("SELECT email FROM people WHERE id = $1", number) == f"approver@{house.store}.example.com"
    change = await house.run("SELECT id FROM pending_changes WHERE subject = 'approver'")
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert await house.run("SELECT email FROM people WHERE id = $1", number) == "evil@example.com"


@pytest.mark.database
async def test_a_deputy_with_dates_survives_the_wait(house: House) -> None:
    number, deputy = await person_of(house, "approver"), await person_of(house, "owner")
    await house.run(
        "INSERT INTO approval_limits (store_hash, person_id, currency) VALUES ($1, $2, 'EUR')", house.store, number
    )
    data = {"language": "en", "state": "away", "deputy_id": str(deputy), "deputy_from": "2026-12-01"}
    await house.as_("approver").post("people/me", data)
    assert await house.run("SELECT state FROM people WHERE id = $1", number) == "active"
    change = await house.run("SELECT id FROM pending_changes")
    await house.as_("manager").post(f"people/changes/{change}/approve")
    assert await house.run("SELECT deputy_from FROM people WHERE id = $1", number) == datetime(
        2026, 11, 30, 23, tzinfo=UTC
    )


@pytest.mark.database
async def test_the_owner_gives_roles_and_a_stale_page_changes_nothing(house: House) -> None:
    owner = house.as_("owner")
    for _ in range(2):
        assert (await owner.post("people/users/4", {"role": "approver", "was": "viewer"})).status_code == 303
    assert await house.run("SELECT role FROM users WHERE id = 4") == "approver"
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'role_changed'") == 1
    await owner.post("people/users/4", {"role": "manager", "was": "viewer"})
    await owner.post("people/users/4", {"role": "owner", "was": "approver"})
    await owner.post("people/users/1", {"role": "viewer", "was": "owner"})
    assert await house.run("SELECT role FROM users WHERE id = 4") == "approver"
    assert await house.run("SELECT role FROM users WHERE id = 1") == "owner"
    assert (await owner.post("people/users/9", {"role": "viewer", "was": "owner"})).status_code == 404


@pytest.mark.database
async def test_a_change_applies_by_itself_after_a_day(house: House) -> None:
    from bcapp.changes import apply_due

    number = await person_of(house, "approver")
    await house.as_("manager").post(f"people/{number}/limits", {"currency": "EUR", "up_to": "7"})
    assert await apply_due(house.services) == 0
    house.clock.at = START
    house.clock.advance(hours=25)
    assert await apply_due(house.services) == 1
    assert await limits(house) == [("EUR", Decimal(7))]
