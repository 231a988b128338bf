"""Signers' pages: who has the token sees how things stand and may ask; nobody gets to the document from here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bcapp.core.model import SignatureRequest
from bcapp.core.signer_page import LOOKS, PageState, doable, state_of
from bcapp.core.signer_words import RECORDS, WORDS, say
from bcapp.core.states import RequestStatus, SignerState
from bcapp.db.requests import fetch_request
from bcapp.db.stores import fetch_store
from bcapp.jobs.questions import rests
from bcapp.sign_links import make_link, sign_digest
from tests.web.conftest import Web
from tests.web.panel.conftest import House, house  # noqa: F401
from tests.web.panel.test_papers import PNG, with_key
from tests.web.panel.test_requests import Desk, desk  # noqa: F401
from tests.web.panel.test_suppliers import added

pytestmark = pytest.mark.database


async def link(desk: Desk, request_id: int, position: int = 0) -> str:  # noqa: F811
    house = desk.house  # noqa: F811
    return f"/sign/{await make_link(house.db, house.store, request_id, position, house.clock.now())}"


# The old page ----------------------------------------------------------------------------------------------


async def test_a_signer_is_thanked_without_a_session_and_nothing_changes(web: Web) -> None:
    before = await web.contents()
    plain = await web.client.get("/signed")
    named = await web.client.get("/signed", params={"event": "declined", "store": web.store.hash})
    assert plain.status_code == 200
    assert "Thank you" in plain.text
    assert plain.text == named.text
    assert web.store.hash not in plain.text
    assert "set-cookie" not in plain.headers
    assert "frame-ancestors 'none'" in plain.headers["content-security-policy"]
    assert await web.contents() == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_it_can_only_be_looked_at(web: Web, method: str) -> None:
    assert (await web.client.request(method, "/signed")).status_code == 405


# The page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    ["x", "abc123.x", f"abc123.{'a' * 43}", f"zzz999.{'a' * 43}", f"nosuch.{'a' * 43}", "%00", f"ABC123.{'a' * 43}"],
)
async def test_a_stranger_finds_nothing(desk: Desk, token: str) -> None:  # noqa: F811
    await desk.order(1001)
    await desk.request(1001)
    for method, rest in (("GET", ""), ("POST", "/resend"), ("POST", "/question")):
        answer = await desk.house.client.request(method, f"/sign/{token}{rest}", data={"question": "x"})
        assert answer.status_code == 404
        assert "Shop" not in answer.text


async def test_a_token_opens_its_own_request_under_its_own_store_only(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    address = await link(desk, await desk.request(1001))
    moved = address.replace(desk.house.store, desk.house.other)
    assert (await desk.house.client.get(address)).status_code == 200
    assert (await desk.house.client.get(moved)).status_code == 404
    stored = await desk.house.run("SELECT digest FROM sign_links")
    assert bytes(stored) == sign_digest(address.rpartition("/")[2])
    assert await desk.house.run("SELECT count(*) FROM sign_links l WHERE l::text LIKE $1", f"%{address[-43:]}%") == 0


async def test_it_says_what_is_asked_by_whom_and_why_and_leads_nowhere_else(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    address = await link(desk, await desk.request(1001, signer="emailed", purpose="customer", language="de"))
    answer = await desk.house.client.get(address)
    assert answer.status_code == 200
    for text in (
        "Shop abc123",
        "Bestellung 1001",
        "Sie sind an der Reihe",
        "Öffnen Sie die E-Mail",
        '<html lang="de">',
    ):
        assert text in answer.text
    for secret in ("signing-link-of-a-person", "secret-nonce", "Ann Lee", "1200", "Large orders", "/s/", "<nav"):
        assert secret not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


async def test_looking_changes_nothing(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    address = await link(desk, await desk.request(1001, signer="emailed"))
    counts = (
        "SELECT (SELECT count(*) FROM actions) + (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM audit_log)"
    )
    before = await desk.house.run(counts)
    for query in ("", "?from=signed", "?from=declined&n=7", "?from=x&n=999999&said=y"):
        for method in ("GET", "HEAD"):
            assert (await desk.house.client.request(method, address + query)).status_code == 200
    assert await desk.house.run(counts) == before
    for method in ("GET", "PUT", "DELETE"):
        assert (await desk.house.client.request(method, f"{address}/question")).status_code in (404, 405)


async def test_who_comes_back_waits_for_the_answer_to_be_read(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    request_id = await desk.request(1001, signer="viewed")
    address = await link(desk, request_id)
    back = await desk.house.client.get(f"{address}?from=signed")
    assert "Your answer has arrived" in back.text
    assert f"{address}?from=signed&amp;n=1" in back.text
    last = await desk.house.client.get(f"{address}?from=signed&n=60")
    assert "hx-get" not in last.text
    await desk.house.run("UPDATE requests SET status = 'completed', checked = 'right' WHERE id = $1", request_id)
    part = await desk.house.client.get(f"{address}?from=signed&n=1", headers={"HX-Request": "true"})
    assert "Everybody has signed" in part.text
    assert "<html" not in part.text
    assert "hx-get" not in part.text


async def test_the_mail_is_asked_for_again_once_in_ten_minutes(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    request_id = await desk.request(1001, signer="emailed", provider_request="00000000-0000-4000-8000-000000000001")
    address = await link(desk, request_id)
    first = await desk.house.client.post(f"{address}/resend")
    assert first.headers["location"] == f"{address}?said=resent"
    second = await desk.house.client.post(f"{address}/resend")
    assert second.headers["location"] == f"{address}?said=resent_lately"
    assert await desk.house.run("SELECT count(*) FROM actions WHERE kind = 'resend_request'") == 1
    assert "on its way again" in (await desk.house.client.get(first.headers["location"])).text


async def test_a_question_rests_reminders_until_it_is_answered(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    await desk.order(1001)
    remind_at = house.clock.now() + timedelta(days=1)
    request_id = await desk.request(1001, signer="emailed", remind_at=remind_at)
    address = await link(desk, request_id)
    assert (await house.client.post(f"{address}/question", data={"question": " "})).status_code == 422
    long = await house.client.post(f"{address}/question", data={"question": "x" * 1001})
    assert long.status_code == 422
    asked = await house.client.post(f"{address}/question", data={"question": "Is <b>freight</b> in it?"})
    assert asked.headers["location"] == f"{address}?said=question_sent"
    shown = (await house.client.get(address)).text
    assert "Is &lt;b&gt;freight&lt;/b&gt; in it?" in shown
    task = await house.run("SELECT text FROM tasks WHERE kind = 'question' AND done_at IS NULL")
    assert "freight" not in task
    store = await fetch_store(house.db, house.store)
    assert store is not None
    async with house.db.transaction():
        assert await rests(house.services, store, request_id, house.clock.now())
    page = (await house.as_("approver").get(f"requests/{request_id}")).text
    assert "Is &lt;b&gt;freight" in page
    assert "Is &lt;b&gt;freight" not in (await house.as_("viewer").get(f"requests/{request_id}")).text
    question = await house.run("SELECT id FROM questions")
    house.clock.advance(hours=5)
    path = f"requests/{request_id}/questions/{question}"
    assert (await house.as_("viewer").post(path, {"answer": "Yes"})).status_code == 403
    assert (await house.as_("intruder").post(path, {"answer": "Yes"})).status_code == 404
    assert (await house.as_("approver").post(path, {"answer": ""})).status_code == 422
    assert (await house.as_("approver").post(path, {"answer": "Yes, it is."})).status_code == 303
    assert (await house.as_("approver").post(path, {"answer": "No."})).status_code == 303
    assert "Yes, it is." in (await house.client.get(address)).text
    assert await house.run("SELECT count(*) FROM tasks WHERE kind = 'question' AND done_at IS NULL") == 0
    async with house.db.transaction():
        assert not await rests(house.services, store, request_id, house.clock.now())
    assert await house.run("SELECT remind_at FROM requests") == remind_at + timedelta(hours=5)
    log = "SELECT string_agg(l::text, ' ') FROM audit_log l"
    assert "freight" not in await house.run(log)


async def test_only_so_many_questions_a_day(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    address = await link(desk, await desk.request(1001, signer="emailed"))
    for number in range(4):
        answer = await desk.house.client.post(f"{address}/question", data={"question": f"Number {number}?"})
    assert answer.headers["location"] == f"{address}?said=question_many"
    assert await desk.house.run("SELECT count(*) FROM questions") == 3
    assert await desk.house.run("SELECT count(*) FROM tasks WHERE kind = 'question'") == 1


async def test_after_an_uninstall_it_can_be_read_and_nothing_is_sent(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    address = await link(desk, await desk.request(1001, signer="emailed"))
    await desk.house.run("UPDATE stores SET state = 'uninstalled' WHERE store_hash = $1", desk.house.store)
    shown = await desk.house.client.get(address)
    assert shown.status_code == 200
    assert "<form" not in shown.text
    assert (await desk.house.client.post(f"{address}/question", data={"question": "?"})).status_code == 303
    assert await desk.house.run("SELECT count(*) FROM questions") == 0


async def test_no_screen_of_staff_shows_a_signers_address(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    request_id = await desk.request(1001, signer="emailed")
    token = (await link(desk, request_id)).rpartition("/")[2]
    for path in ("", "requests", f"requests/{request_id}", "orders/1001"):
        assert token not in (await desk.house.as_("owner").get(path)).text


# The state, pure -------------------------------------------------------------------------------------------


async def some(desk: Desk, **columns: object) -> SignatureRequest:  # noqa: F811
    await desk.order(1001)
    request_id = await desk.request(1001, signer="emailed", **columns)
    found = await fetch_request(desk.house.db, desk.house.store, request_id)
    assert found is not None
    return found


async def test_every_state_of_a_request_has_its_words(desk: Desk) -> None:  # noqa: F811
    request = await some(desk)
    seen = set()
    for status in RequestStatus:
        for signer_state in SignerState:
            signer = replace(request.signers[0], state=signer_state)
            for later in (False, True):
                one = replace(request, status=status, signers=(signer,))
                state = state_of(one, signer, has_later=later, comes_back=True)
                seen.add(state)
                assert not (doable(state).resend and status.is_end)
    assert PageState.REPLACED in seen
    for language, words in WORDS.items():
        assert words.keys() == WORDS["en"].keys()
        assert RECORDS[language].keys() == RECORDS["en"].keys()
        for state in PageState:
            assert LOOKS[state]
            for key in (state.value, f"{state.value}_text"):
                assert "{" not in say(language, key, store="{S}").replace("{S}", "")


# Papers ----------------------------------------------------------------------------------------------------


async def test_a_supplier_sends_the_papers_that_are_missing_and_nobody_else_does(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    number = await added(house, insurance_until="")
    about = {"record_kind": "supplier", "record_id": str(number), "workflow": "supplier_agreement"}
    page = await link(desk, await desk.request(1, purpose="customer", language="de", **about))
    inside = await link(desk, await desk.request(2, purpose="internal", **about))
    tried = await link(desk, await desk.request(3, purpose="customer", simulated=True, rule_id=0, **about))
    assert "Versicherungsnachweis" in (await house.client.get(page)).text
    png = {"file": ("x.png", PNG, "image/png")}
    unkept = await house.client.post(f"{page}/papers/insurance", files=png)  # there is no key to seal it with
    assert "nicht aufbewahrt" in (await house.client.get(unkept.headers["location"])).text
    await with_key(house)
    for other in (inside, tried):
        assert "nsurance" not in (await house.client.get(other)).text
        await house.client.post(f"{other}/papers/insurance", files={"file": ("x.png", PNG, "image/png")})
    await house.client.post(f"{page}/papers/agreement", files={"file": ("x.png", PNG, "image/png")})
    wrong = await house.client.post(f"{page}/papers/insurance", files={"file": ("x.png", b"<svg/>", "image/png")})
    assert (wrong.status_code, "kann nicht angenommen werden" in wrong.text) == (422, True)
    assert await house.run("SELECT count(*) FROM papers") == 0

    sent = await house.client.post(f"{page}/papers/insurance", files={"file": ("x.png", PNG, "image/png")})
    assert (sent.status_code, sent.headers["location"]) == (303, f"{page}?said=paper_sent")
    assert "Es ist angekommen" in (await house.client.get(page)).text
    await house.client.post(f"{page}/papers/insurance", files={"file": ("x.png", PNG, "image/png")})
    assert await house.run("SELECT count(*) FROM papers") == 1
    paper = await house.run("SELECT id FROM papers WHERE uploaded_by = 0 AND request_id IS NOT NULL")
    address, manager = f"suppliers/{number}/papers/{paper}", house.as_("manager")
    assert (await manager.post(address, {"answer": "refuse", "why": "Page 2 is missing."})).status_code == 303
    assert "Page 2 is missing." in (await house.client.get(page)).text
    await house.client.post(f"{page}/papers/insurance", files={"file": ("x.png", PNG, "image/png")})
    paper = await house.run("SELECT max(id) FROM papers")
    accepted = {"answer": "accept", "until": "2031-05-31"}
    assert (await manager.post(f"suppliers/{number}/papers/{paper}", accepted)).status_code == 303
    after = (await house.client.get(page)).text
    assert "Versicherungsnachweis" not in after
    assert "Steuerformular" in after
