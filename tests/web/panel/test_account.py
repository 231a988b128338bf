"""Signature accounts: saved sealed, checked before they are called, tested by the worker, changed by two."""

from typing import Any

import pytest

from bcapp.web.panel.account import address_problem
from tests.web.panel.conftest import START, House
from tests.web.panel.test_screens import add_account

SECRET = "s3cret-of-the-merchant"
FORM = {
    "name": "Main",
    "environment": "us",
    "tenant": "acme",
    "token_url": "https://otdsauth.ot2.opentext.com/otdstenant/{tenant}/oauth2/token",
    "api_root": "https://sign.core.opentext.com/api/v1",
    "client_id": "client-7",
    "client_secret": SECRET,
    "subscription": "",
    "from_email": "",
}
HOSTS = ("sign.core.opentext.com", "127.0.0.1:9000")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://sign.core.opentext.com/api/v1/", True),
        ("http://127.0.0.1:9000/api/v1/", True),
        ("https://sign.example.com/api/v1/", True),
        ("https://sign.example.com:443/api/v1/", True),
        ("http://sign.example.com/api/v1/", False),
        ("https://sign.example.com:8443/api/v1/", False),
        ("http://127.0.0.1:9001/api/v1/", False),
        ("https://127.0.0.1/api/v1/", False),
        ("https://[::1]/api/v1/", False),
        ("https://10.0.0.8/", False),
        ("https://169.254.169.254/latest/", False),
        ("https://localhost/", False),
        ("https://db.internal/", False),
        ("https://intranet/", False),
        ("https://user:pw@sign.example.com/", False),
        ("https://sign.example.com/?x=1", False),
        ("ftp://sign.example.com/", False),
        ("javascript:alert(1)", False),
        ("https://[broken/", False),
        ("https://sign.example.com:99999/", False),
    ],
)
def test_only_known_hosts_and_the_open_internet_may_be_called(url: str, is_good: bool) -> None:
    assert (address_problem(url, HOSTS) == "") is is_good


async def tests_queued(house: House) -> int:
    return int(await house.run("SELECT count(*) FROM actions WHERE kind = 'test_account'"))


async def account_row(house: House, column: str) -> Any:
    return await house.run(f"SELECT {column} FROM signature_accounts ORDER BY id LIMIT 1")


@pytest.mark.database
@pytest.mark.parametrize("part", [False, True])
async def test_a_new_account_is_kept_sealed_and_tested(house: House, part: bool) -> None:
    answer = await house.as_("manager").post("settings/accounts/new", FORM, part=part)
    assert answer.status_code == (200 if part else 303)
    number = await account_row(house, "id")
    sealed = await account_row(house, "client_secret")
    assert SECRET.encode() not in sealed
    place = {"table": "signature_accounts", "column": "client_secret", "store_hash": house.store, "row": number}
    assert house.services.secrets.decrypt(sealed, **place) == SECRET.encode()
    assert await account_row(house, "token_url") == "https://otdsauth.ot2.opentext.com/otdstenant/acme/oauth2/token"
    assert await account_row(house, "api_root") == "https://sign.core.opentext.com/api/v1/"
    assert await tests_queued(house) == 1
    shown = (await house.as_("manager").get(f"settings/accounts/{number}")).text
    assert SECRET not in shown
    assert 'hx-trigger="every 2s"' in shown  # a test is under way
    log = await house.run("SELECT string_agg(detail::text, ' ') FROM audit_log")
    assert "client-7" not in log


@pytest.mark.database
async def test_what_is_wrong_is_said_beside_what_was_typed(house: House) -> None:
    wrong = FORM | {"name": "", "api_root": "https://10.0.0.1/", "from_email": "nobody", "environment": "mars"}
    for part in (False, True):
        answer = await house.as_("owner").post("settings/accounts/new", wrong, part=part)
        assert answer.status_code == 422
        for sentence in ("Give the account a name.", "open internet", "not an e-mail address", "Choose where"):
            assert sentence in answer.text
        assert "client-7" in answer.text
        assert SECRET not in answer.text
    assert await account_row(house, "id") is None
    assert await tests_queued(house) == 0


@pytest.mark.database
@pytest.mark.parametrize("field", ["name", "tenant", "client_id", "client_secret", "token_url", "subscription"])
@pytest.mark.parametrize("value", ["x" * 5000, "a\x00b"])
async def test_oversized_and_unstorable_input_is_refused(house: House, field: str, value: str) -> None:
    answer = await house.as_("owner").post("settings/accounts/new", FORM | {field: value})
    assert answer.status_code == 422
    assert await account_row(house, "id") is None


@pytest.mark.database
@pytest.mark.parametrize("who", ["approver", "viewer", "intruder", "stranger"])
async def test_nobody_else_saves_or_tests(house: House, who: str) -> None:
    number = await add_account(house)
    expected = {"intruder": 404, "stranger": 404}.get(who, 403)
    for path, data in ((f"settings/accounts/{number}", FORM), (f"settings/accounts/{number}/test", {})):
        assert (await house.as_(who).post(path, data)).status_code == expected
    assert await account_row(house, "client_id") == "client"
    assert await tests_queued(house) == 0


@pytest.mark.database
async def test_a_second_click_on_test_queues_nothing(house: House) -> None:
    number = await add_account(house)
    for _ in range(3):
        assert (await house.as_("owner").post(f"settings/accounts/{number}/test")).status_code == 303
    assert await tests_queued(house) == 1


@pytest.mark.database
async def test_at_most_five_tests_a_minute(house: House) -> None:
    number = await add_account(house)
    for _ in range(7):
        await house.as_("owner").post(f"settings/accounts/{number}/test")
        await house.run("UPDATE actions SET state = 'applied'")
    assert await tests_queued(house) == 5
    house.clock.advance(seconds=61)
    await house.as_("owner").post(f"settings/accounts/{number}/test")
    assert await tests_queued(house) == 6


@pytest.mark.database
async def test_an_account_that_never_worked_is_set_right_at_once(house: House) -> None:
    number = await add_account(house, "broken")
    await house.as_("manager").post(f"settings/accounts/{number}", FORM)
    assert await account_row(house, "client_id") == "client-7"


@pytest.mark.database
async def test_an_account_in_use_is_changed_by_two_people(house: House) -> None:
    number = await add_account(house, "working")
    await house.as_("manager").post(f"settings/accounts/{number}", FORM)
    assert await account_row(house, "client_id") == "client"
    change = await house.run("SELECT id FROM pending_changes WHERE state = 'waiting'")
    payload = await house.run("SELECT payload FROM pending_changes")
    assert SECRET.encode() not in payload
    shown = (await house.as_("owner").get(f"settings/accounts/{number}")).text
    assert "Waits for a second person" in shown
    assert f"people/changes/{change}/approve" in shown
    mine = (await house.as_("manager").get(f"settings/accounts/{number}")).text
    assert f"people/changes/{change}/approve" not in mine

    await house.as_("manager").post(f"people/changes/{change}/approve")  # one's own
    assert await account_row(house, "client_id") == "client"
    assert (await house.as_("approver").post(f"people/changes/{change}/approve")).status_code == 403
    for _ in range(2):
        assert (await house.as_("owner").post(f"people/changes/{change}/approve")).status_code == 303
    assert await account_row(house, "client_id") == "client-7"
    assert await account_row(house, "state") == "untested"
    assert await tests_queued(house) == 1


@pytest.mark.database
async def test_a_name_needs_no_second_person(house: House) -> None:
    number = await add_account(house, "working")
    data = FORM | {"name": "Renamed", "client_id": "client", "client_secret": ""}
    await house.as_("manager").post(f"settings/accounts/{number}", data)
    assert await account_row(house, "name") == "Renamed"
    assert await account_row(house, "state") == "working"
    assert await tests_queued(house) == 0


@pytest.mark.database
async def test_the_only_manager_changes_at_once_and_the_owner_is_told(house: House) -> None:
    await house.run("UPDATE users SET role = 'viewer' WHERE id = 2")
    number = await add_account(house, "working")
    await house.as_("owner").post(f"settings/accounts/{number}", FORM)
    assert await account_row(house, "client_id") == "client-7"
    assert await house.run("SELECT count(*) FROM tasks WHERE done_at IS NULL") == 1


@pytest.mark.database
async def test_the_report_says_step_by_step_what_failed(house: House) -> None:
    number = await add_account(house, "broken")
    await house.run(
        "UPDATE signature_accounts SET report = $1, checked_at = $2",
        [
            {"name": "Token", "ok": True, "sentence": "A token was given."},
            {"name": "Templates", "ok": False, "sentence": "The client lacks a role."},
        ],
        START,
    )
    answer = await house.as_("owner").get(f"settings/accounts/{number}", part=True)
    assert answer.text.strip().startswith("<")
    assert "<html" not in answer.text
    assert "The client lacks a role." in answer.text
    assert "every 2s" not in answer.text
