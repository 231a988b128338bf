"""Attacks that once went through, each tried again: by a strange merchant, by one's own staff, and by long input."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

from bcapp import changes
from bcapp.core.markup import MarkupError
from bcapp.logs import Redactor
from bcapp.web.panel.previews import preview_blocks
from bcapp.web.render import static_url
from tests.web.panel.conftest import START, House, house  # noqa: F401
from tests.web.panel.test_requests import Desk, desk  # noqa: F401
from tests.web.panel.test_rules import filled, make_rule
from tests.web.panel.test_screens import add_account

HERE = {
    "name": "Main",
    "environment": "us",
    "tenant": "acme",
    "token_url": "https://otdsauth.ot2.opentext.com/otdstenant/acme/oauth2/token",
    "api_root": "https://sign.core.opentext.com/api/v1/",
    "client_id": "client",
    "client_secret": "",
    "subscription": "",
    "from_email": "",
}


async def person_of(house: House, who: str) -> int:  # noqa: F811
    email = f"{who}@{house.store}.example.com"
    return int(await house.run("SELECT id FROM people WHERE email = $1", email))


async def waiting(house: House) -> int:  # noqa: F811
    return int(await house.run("SELECT id FROM pending_changes WHERE state = 'waiting' ORDER BY id DESC LIMIT 1"))


# Staff against their own store -------------------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"token_url": "https://collect.example.com/oauth2/token"},
        {"api_root": "https://collect.example.com/api/v1/"},
    ],
)
@pytest.mark.parametrize("state", ["working", "broken"])
async def test_a_secret_that_somebody_else_typed_is_not_sent_to_another_address(
    house: House,  # noqa: F811
    elsewhere: dict[str, str],
    state: str,
) -> None:
    number = await add_account(house, state)
    answer = await house.as_("manager").post(f"settings/accounts/{number}", HERE | elsewhere)
    assert answer.status_code == 422
    assert "Write the client secret again" in answer.text
    assert await house.run("SELECT count(*) FROM pending_changes") == 0
    assert await house.run("SELECT count(*) FROM actions") == 0
    with_secret = HERE | elsewhere | {"client_secret": "typed-again-by-who-changes"}
    assert (await house.as_("manager").post(f"settings/accounts/{number}", with_secret)).status_code == 303


@pytest.mark.database
async def test_the_second_person_reads_where_secrets_would_go(house: House) -> None:  # noqa: F811
    number = await add_account(house, "working")
    data = HERE | {"api_root": "https://collect.example.com/api/v1/", "client_secret": "typed-again"}
    await house.as_("manager").post(f"settings/accounts/{number}", data)
    shown = (await house.as_("owner").get("people/changes")).text
    assert "https://collect.example.com/api/v1/" in shown
    assert "client secret" in shown
    assert "typed-again" not in shown


@pytest.mark.database
async def test_the_second_person_reads_which_address_an_approver_gets(house: House) -> None:  # noqa: F811
    number = await person_of(house, "approver")
    await house.run(
        "INSERT INTO approval_limits (store_hash, person_id, currency, up_to) VALUES ($1, $2, 'EUR', 10)",
        house.store,
        number,
    )
    data = {"name": "Approver", "email": "mallory@example.com", "language": "en", "state": "active"}
    await house.as_("manager").post(f"people/{number}", data)
    assert "mallory@example.com" in (await house.as_("owner").get("people/changes")).text


@pytest.mark.database
async def test_a_rule_goes_live_as_the_second_person_saw_it(house: House) -> None:  # noqa: F811
    rule = await make_rule(house)
    account = await house.run("SELECT id FROM signature_accounts LIMIT 1")
    await house.as_("manager").post(f"rules/{rule}/live")
    change = await waiting(house)
    # Off, so nobody is asked about this: the rule now matches nothing any more.
    harmless = filled(account, version="1", **{"c.0.0.value": "99999999"})
    assert (await house.as_("manager").post(f"rules/{rule}", harmless)).status_code == 303
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert await house.run("SELECT mode FROM rules WHERE id = $1", rule) == "off"


@pytest.mark.database
async def test_a_limit_is_given_to_the_address_that_the_second_person_read(house: House) -> None:  # noqa: F811
    number = await person_of(house, "viewer")
    await house.as_("manager").post(f"people/{number}/limits", {"currency": "EUR", "up_to": "5000"})
    change = await waiting(house)
    assert f"viewer@{house.store}.example.com" in (await house.as_("owner").get("people/changes")).text
    data = {"name": "Viewer", "email": "mallory@example.com", "language": "en", "state": "active"}
    assert (await house.as_("manager").post(f"people/{number}", data)).status_code == 303
    await house.as_("owner").post(f"people/changes/{change}/approve")
    email = "SELECT p.email FROM approval_limits l JOIN people p ON p.id = l.person_id"
    assert await house.run(email) == f"viewer@{house.store}.example.com"


@pytest.mark.database
@pytest.mark.parametrize("left", ["role = 'viewer'", "state = 'removed'"])
async def test_who_is_no_manager_any_more_changes_nothing_after_a_day(house: House, left: str) -> None:  # noqa: F811
    number = await person_of(house, "viewer")
    await house.as_("manager").post(f"people/{number}/limits", {"currency": "EUR", "up_to": "5000"})
    await house.run(f"UPDATE users SET {left} WHERE id = 2")
    house.clock.advance(hours=25)
    await changes.apply_due(house.services)
    assert await house.run("SELECT count(*) FROM approval_limits") == 0
    assert await house.run("SELECT state FROM pending_changes") == "refused"


@pytest.mark.database
async def test_an_approver_does_not_hand_over_alone_where_one_manager_could_say_no(house: House) -> None:  # noqa: F811
    await house.run("UPDATE users SET role = 'viewer' WHERE id = 2")
    number, deputy = await person_of(house, "approver"), await person_of(house, "viewer")
    await house.run(
        "INSERT INTO approval_limits (store_hash, person_id, currency) VALUES ($1, $2, 'EUR')", house.store, number
    )
    data = {"language": "en", "state": "away", "deputy_id": str(deputy)}
    await house.as_("approver").post("people/me", data)
    assert await house.run("SELECT deputy_id FROM people WHERE id = $1", number) is None
    change = await waiting(house)
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert await house.run("SELECT deputy_id FROM people WHERE id = $1", number) == deputy


@pytest.mark.database
async def test_an_approvers_mail_is_not_led_elsewhere_by_one_person(desk: Desk) -> None:  # noqa: F811
    await desk.order(1)
    request = await desk.request(1, signer="bounced", bounced=True)
    await desk.house.run("UPDATE signers SET person_id = $1", await person_of(desk.house, "approver"))
    path = f"requests/{request}/mend/0"
    await desk.house.as_("manager").post(path, {"email": "mallory@example.com"}, part=True)
    (command,) = await desk.commands(1)
    assert command.payload["email"] == "approver@abc123.example.com"  # the directory's, whatever was typed
    await desk.house.run("UPDATE signers SET email = 'approver@abc123.example.com'")
    answer = await desk.house.as_("manager").post(path, {"email": "mallory@example.com"}, part=True)
    assert "under People" in answer.headers["HX-Trigger"]  # the directory knows no other: two people change it there
    assert len(await desk.commands(1)) == 1


@pytest.mark.database
async def test_a_viewer_reads_no_words_of_signers_and_staff(desk: Desk) -> None:  # noqa: F811
    await desk.order(1)
    await desk.hold(1)
    words = {
        "status_why": "Declined: Grace is ill",
        "checked_why": "Signed by grace@home.example",
        "round_why": "Grace asked for it",
    }
    request = await desk.request(1, "declined", checked="conflict", round=2, **words)
    await desk.house.run("UPDATE holds SET state_why = 'Grace said so'")
    await desk.house.run(
        "INSERT INTO actions (store_hash, kind, record_kind, record_id, request_id, lane, seq, state, priority,"
        " payload, why, due_at, created_at)"
        " VALUES ($1, 'send_request', 'order', '1', $2, 'signing', 1, 'failed', 1, '{}', 'grace@home.example', $3, $3)",
        desk.house.store,
        request,
        START,
    )
    for path in (f"requests/{request}", "orders/1"):
        assert "grace@" in (await desk.house.as_("approver").get(path)).text, path
        seen = (await desk.house.as_("viewer").get(path)).text
        assert "Grace" not in seen, path
        assert "grace@" not in seen, path


# Input that keeps the process busy ---------------------------------------------------------------------------

BLOWN_UP = 30.0  # seconds of processor time: what grows without bound, on however slow a machine


@pytest.mark.unit
@pytest.mark.parametrize("line", ["{{tick: a}}\n", "- *a* **b**\n", "*a* " * 2000 + "\n", "{{order.total}} " * 500])
def test_a_text_is_read_in_no_time_however_odd_it_is(line: str) -> None:
    text = (line * (100_000 // len(line) + 1))[:100_000]
    begun = time.process_time()
    with contextlib.suppress(MarkupError):
        preview_blocks(text)
    assert time.process_time() - begun < BLOWN_UP


@pytest.mark.unit
@pytest.mark.parametrize("piece", ["a", "eyJ", "%40", "a.", "://a:", "a@", "a-", "/sign/", "?x=", "eyJaaaaa."])
def test_a_log_line_is_cleaned_in_no_time_however_long_it_is(piece: str) -> None:
    text = (piece * 100_000)[:200_000]
    begun = time.process_time()
    Redactor(["k" * 32]).text(text)
    assert time.process_time() - begun < BLOWN_UP


# Requests that are not what they seem ------------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.parametrize("charset", ["raw_unicode_escape", "punycode", "utf-7", "utf-16"])
async def test_a_form_cannot_choose_how_it_is_read(house: House, charset: str) -> None:  # noqa: F811
    browser = house.as_("viewer")
    body = b'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\n\\ud800\r\n'
    body += b'--b\r\nContent-Disposition: form-data; name="language"\r\n\r\n\\ud800\r\n--b--\r\n'
    headers = {"X-App-Session": browser.token, "Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    answer = await house.client.post(browser.home + "people/me", content=body, headers=headers)
    assert answer.status_code == 400


@pytest.mark.database
@pytest.mark.parametrize("path", ["rules/new", "agreements/new?source=text", "orders/5/send"])
async def test_a_question_for_headers_alone_saves_nothing(house: House, path: str) -> None:  # noqa: F811
    account = await add_account(house, "working")
    data = filled(account) | {"title": "T", "body": "Hello."}
    await house.client.request(
        "HEAD", house.as_("owner").home + path, data=data, headers={"X-App-Session": house.as_("owner").token}
    )
    assert await house.run("SELECT count(*) FROM rules") == 0
    assert await house.run("SELECT count(*) FROM agreements") == 0
    assert await house.run("SELECT count(*) FROM deliveries") == 0


@pytest.mark.database
async def test_a_made_up_mark_is_not_kept_for_a_year(house: House) -> None:  # noqa: F811
    true = await house.client.get(static_url("js/app.js"))
    assert "immutable" in true.headers["Cache-Control"]
    made_up = await house.client.get("/static/js/app.js?v=000000000000")
    assert made_up.headers["Cache-Control"] == "no-cache"


@pytest.mark.database
async def test_the_same_approval_twice_at_once_applies_once(house: House) -> None:  # noqa: F811
    number = await person_of(house, "viewer")
    await house.as_("manager").post(f"people/{number}/limits", {"currency": "EUR", "up_to": "5000"})
    change = await waiting(house)
    owner: Any = house.as_("owner")
    answers = await asyncio.gather(*(owner.post(f"people/changes/{change}/approve") for _ in range(6)))
    assert {a.status_code for a in answers} == {303}
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'change_applied'") == 1
    assert await house.run("SELECT asked_at FROM pending_changes") == START
