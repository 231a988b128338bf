"""My approvals: what waits for whom, the mail again, and never a signing link; what a viewer does not see of others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.panel.conftest import START, House
from tests.web.panel.test_requests import Desk, desk  # noqa: F401 - a fixture

pytestmark = pytest.mark.database


async def ask(desk: Desk, number: int, role: str, state: str = "emailed", status: str = "sent", turn: int = 1) -> int:  # noqa: F811
    """Ask the user of this role to sign; return the request."""
    house = desk.house
    await desk.order(number)
    request_id = await desk.request(number, status=status)
    await house.run("UPDATE requests SET sent_at = $2, expires_at = $3 WHERE id = $1", request_id, START,
                    START + timedelta(days=7))  # fmt: skip
    await house.run(
        "UPDATE signers SET turn = $4, state = $3, state_at = $5,"
        " person_id = (SELECT id FROM people WHERE email = $2), email = $2 WHERE request_id = $1",
        request_id, f"{role}@{house.store}.example.com", state, turn, START,
    )  # fmt: skip
    return request_id


@pytest.mark.parametrize("part", [False, True])
async def test_an_approver_sees_what_waits_and_what_was_decided(desk: Desk, part: bool) -> None:  # noqa: F811
    waiting = await ask(desk, 1001, "approver")
    done = await ask(desk, 1002, "approver", state="signed", status="completed")
    other = await ask(desk, 1003, "manager")
    text = (await desk.house.as_("approver").get("approvals", part=part)).text
    assert f"requests/{waiting}" in text
    assert f"requests/{done}" in text
    assert "Decided lately" in text
    assert f"requests/{other}" not in text
    assert "$1,200.00" in text
    assert "orders/1001" in text
    assert "signing-link" not in text
    assert text.startswith("<!doctype html>") is not part


async def test_home_says_that_a_document_waits_for_oneself(desk: Desk) -> None:  # noqa: F811
    await ask(desk, 1001, "approver")
    assert "1 document waits for your own signature." in (await desk.house.as_("approver").get()).text
    assert "your own signature" not in (await desk.house.as_("manager").get()).text


async def test_the_mail_is_sent_again_once(desk: Desk) -> None:  # noqa: F811
    request_id = await ask(desk, 1001, "viewer")
    viewer = desk.house.as_("viewer")
    text = (await viewer.get("approvals")).text
    assert "Send me the mail again" in text
    assert "1,200.00" not in text  # a viewer sees no amounts, here neither
    for _ in range(2):
        assert (await viewer.post(f"approvals/{request_id}/mail", {"once": "e" * 20})).status_code == 303
    assert [(c.kind, c.request_id) for c in await desk.commands(1001)] == [("resend", request_id)]


@pytest.mark.parametrize(
    ("role", "state", "status", "answer"),
    [("manager", "emailed", "sent", 404), ("approver", "bounced", "sent", 303), ("approver", "signed", "sent", 303)],
)
async def test_no_mail_goes_for_what_is_not_ones_own_turn(
    desk: Desk,  # noqa: F811
    role: str,
    state: str,
    status: str,
    answer: int,
) -> None:
    request_id = await ask(desk, 1001, role, state, status)
    got = await desk.house.as_("approver").post(f"approvals/{request_id}/mail", {"once": "f" * 20})
    assert got.status_code == answer
    assert await desk.commands(1001) == []


async def test_who_is_not_in_the_directory_is_told_so(house: House) -> None:
    await house.run("UPDATE users SET person_id = NULL WHERE role = 'viewer' AND store_hash = $1", house.store)
    assert "You are not in the directory" in (await house.as_("viewer").get("approvals")).text


async def test_a_viewer_sees_no_addresses_of_others(house: House) -> None:
    person = await house.run("SELECT id FROM people WHERE email LIKE 'manager@%' AND store_hash = $1", house.store)
    for role, sees in (("owner", True), ("approver", True), ("viewer", False)):
        browser = house.as_(role)
        for path in ("people", f"people/{person}"):
            assert ("manager@abc123.example.com" in (await browser.get(path)).text) is sees, (role, path)
        assert ("Manager of" in (await browser.get("people?q=manager@abc")).text) is sees
    assert "viewer@abc123.example.com" in (await house.as_("viewer").get("people/me")).text


async def test_only_who_can_settle_tasks_is_called_for_them(house: House) -> None:
    await house.run(
        "INSERT INTO tasks (store_hash, kind, text, created_at) VALUES ($1, 'look', 'Look', $2)", house.store, START
    )
    assert "Needs you:" in (await house.as_("approver").get("rules")).text
    assert "Needs you:" not in (await house.as_("viewer").get("rules")).text
