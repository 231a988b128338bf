"""What goes out besides signatures: signed messages to the merchant's systems, and mails to whom something concerns."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from babel.dates import format_date

from bcapp.core.model import RecordKey
from bcapp.core.news import WAITS
from bcapp.db.endpoints import Made, add_endpoint, new_secret
from bcapp.db.panel_requests import data_key
from bcapp.jobs.papers import accept_of_applicant, hand_in, refuse, tell_ending
from tests.documents.samples import pdf_of
from tests.fixtures.accounts import Accounts
from tests.fixtures.offers import promote, send_promotion
from tests.fixtures.world import World, make_sandbox, open_world, set_up

pytestmark = pytest.mark.journey


@pytest_asyncio.fixture
async def world(database_dsn: str) -> AsyncIterator[World]:
    """The world with a mail server."""
    sandbox = make_sandbox()
    port = await asyncio.to_thread(sandbox.signature.start_smtp)
    try:
        async with open_world(database_dsn, sandbox, smtp_url=f"smtp://127.0.0.1:{port}?from=app@app.test") as opened:
            await set_up(opened)
            yield opened
            assert sandbox.spec_errors == []
    finally:
        await asyncio.to_thread(sandbox.signature.stop_smtp)


async def endpoint(world: World, name: str, *events: str) -> Made:
    s = world.services
    made = await add_endpoint(
        s.db, s.secrets, world.store_hash, f"{world.server.url}/receiver/{name}", name, list(events),
        user_id=world.store.owner.id, now=s.clock.now(),
    )  # fmt: skip
    assert made is not None
    return made


def checked(message: Any, *secrets: str) -> dict[str, Any]:
    """The body, after every signature was checked as the specification says."""
    headers = message.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + message.body
    marks = [
        "v1," + base64.b64encode(
            hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
        ).decode()
        for secret in secrets
    ]  # fmt: skip
    assert headers["webhook-signature"].split(" ") == marks
    body: dict[str, Any] = json.loads(message.body)
    return body


def heard(world: World, name: str, secret: str) -> list[str]:
    return [str(checked(m, secret)["type"]) for m in world.sandbox.receiver.of(name)]


def mails(world: World, to: str) -> list[Any]:
    return [m for m in world.sandbox.signature.inbox.find(to, "app")]


async def test_a_system_hears_of_an_order_and_fetches_the_signed_pdf(world: World) -> None:
    everything, signed_only = await endpoint(world, "erp"), await endpoint(world, "crm", "request.completed")
    world.sandbox.faults.add("receiver", "POST", "/receiver/crm$", "before", times=1)
    await world.rule()
    order = world.place(email="pat@buyers.test")
    await world.sign(await world.request_is(order.id, "sent"))
    await world.hold_is(order.id, "released")
    await world.quiet()
    told = heard(world, "erp", everything.secret)
    assert sorted(told) == sorted(
        ["hold.placed", "request.sent", "request.completed", "hold.released", "document.kept"]
    )
    await world.until(lambda: all_delivered(world), said="the refused message was tried again")
    calls = [c for c in world.sandbox.calls if c.service == "receiver" and c.path.endswith("/crm")]
    assert [c.status for c in calls] == [503, 204]
    (message,) = world.sandbox.receiver.of("crm")
    body = checked(message, signed_only.secret)
    assert body["data"]["record"] == {"kind": "order", "id": str(order.id)}
    assert body["data"]["request"]["checked"] == "right"
    for one in world.sandbox.receiver.received:
        assert b"pat@" not in one.body  # ids and states only
        assert b"/sign/" not in one.body
    assert (await world.raw("SELECT max(tries) AS n FROM webhook_sends"))[0]["n"] == 2


async def all_delivered(world: World) -> bool:
    rows = await world.raw("SELECT count(*) AS n FROM webhook_sends WHERE state <> 'delivered'")
    return bool(rows[0]["n"] == 0)


async def taken(world: World, name: str, count: int) -> bool:
    return len(world.sandbox.receiver.of(name)) >= count


async def test_an_endpoint_that_fails_for_days_is_switched_off_and_says_so(world: World) -> None:
    made = await endpoint(world, "erp", "hold.placed")
    second = await new_secret(
        world.db, world.services.secrets, world.store_hash, made.id,
        user_id=world.store.owner.id, now=world.services.clock.now(),
    )  # fmt: skip
    assert second is not None
    await world.rule()
    await world.hold_is(world.place(email="one@buyers.test").id, "held")
    await world.until(lambda: taken(world, "erp", 1))
    checked(world.sandbox.receiver.of("erp")[0], second.secret, made.secret)
    world.sandbox.faults.add("receiver", "POST", "/receiver/erp$", "before", times=-1)
    await world.hold_is(world.place(email="two@buyers.test").id, "held")

    async def tries() -> int:
        return int((await world.raw("SELECT max(tries) AS n FROM webhook_sends"))[0]["n"])

    for number, wait in enumerate(WAITS, start=1):
        await world.until(lambda n=number: at_least(tries, n), said=f"try {number}")
        if (await world.raw("SELECT state FROM webhook_endpoints"))[0]["state"] == "off":
            break
        world.advance(seconds=wait.total_seconds() + 1)
    task = await world.task("endpoint_off")
    assert "503" in task["text"]
    (row,) = await world.raw("SELECT state, off_why FROM webhook_endpoints")
    assert row["state"] == "off"
    count = len([c for c in world.sandbox.calls if c.service == "receiver"])
    await world.hold_is(world.place(email="three@buyers.test").id, "held")
    await world.quiet()
    assert len([c for c in world.sandbox.calls if c.service == "receiver"]) == count


async def at_least(tries: Any, number: int) -> bool:
    return bool(await tries() >= number)


async def test_signers_come_back_to_their_own_page_and_are_told_once_what_concerns_them(world: World) -> None:
    await world.rule(internal=True, approvers=tuple(world.people.values()), sequence="together")
    order = world.place(email="pat@buyers.test", lines=[(world.dear, 9)])
    await world.hold_is(order.id, "held")
    requests = await world.until(lambda: both_sent(world, order.id), said="both documents are sent")
    by_purpose = {r["purpose"]: r for r in requests}
    signature, calls = world.sandbox.signature, world.sandbox.calls
    sent = [
        s for c in calls if c.method == "POST" and c.path.endswith("/signature-requests/") for s in c.body["signers"]
    ]
    addresses = {s["redirect_url"].partition("?")[0] for s in sent}
    assert len(addresses) == len(sent) == 3
    buyer = next(s for s in sent if s["email"] == "pat@buyers.test")
    assert buyer["redirect_url_declined"] == buyer["redirect_url"].replace("=signed", "=declined")
    async with httpx.AsyncClient() as browser:
        before = await browser.get(buyer["redirect_url"].partition("?")[0])
        assert "your turn" in before.text
        await asyncio.to_thread(
            signature.decline, str(by_purpose["customer"]["provider_document"]), "pat@buyers.test", "Too dear"
        )
        await world.request_is(
            order.id, "declined", index=[r["id"] for r in requests].index(by_purpose["customer"]["id"])
        )
        after = await browser.get(buyer["redirect_url_declined"])
        assert "You declined" in after.text
    await world.command(order.id, "release", why="agreed by phone")
    await world.hold_is(order.id, "overridden")
    await world.quiet()
    rows = await world.raw(
        "SELECT email, role, state FROM signers WHERE request_id = $1 ORDER BY turn", by_purpose["internal"]["id"]
    )
    first, second = (str(r["email"]) for r in rows)
    told = mails(world, first)
    assert len(told) == 1
    assert "not needed any more" in told[0].subject
    assert re.search(r"/sign/\S+", told[0].text)
    assert not [m for m in mails(world, second) if "needed" in m.subject]  # not asked yet: it was not their turn
    assert not [m for m in mails(world, "pat@buyers.test")]  # declined by themselves
    rows = await world.raw("SELECT kind, outcome FROM notices ORDER BY kind")
    assert {(r["kind"], r["outcome"]) for r in rows} == {("overridden", "mailed")}


async def both_sent(world: World, order_id: int) -> Any:
    rows = await world.requests(order_id)
    return rows if len(rows) == 2 and all(r["status"] == "sent" for r in rows) else None


async def test_a_changed_order_tells_its_buyer_in_their_language_and_not_without_end(world: World) -> None:
    await world.rule()
    buyer = "uwe@buyers.test"
    await world.raw("UPDATE agreement_texts SET language = 'de'")
    await world.raw("UPDATE agreement_versions SET language = 'de'")
    order = world.place(email=buyer)
    for number in range(1, 7):
        request = await world.request_is(order.id, "sent")
        await world.until(lambda r=request["id"]: was_mailed(world, r), said="the invitation is known to be out")
        await world.command(order.id, "ask_again", why=f"round {number}", request_id=request["id"])
        await world.until(lambda n=number: has_rounds(world, order.id, n + 1), said="asked again")
    await world.quiet()
    rows = await world.raw("SELECT outcome, count(*) AS n FROM notices GROUP BY outcome")
    assert {r["outcome"]: r["n"] for r in rows} == {"mailed": 5, "capped": 1}
    told = mails(world, buyer)
    assert len(told) == 5
    assert "Ein neueres Dokument folgt" in told[0].subject
    assert "Bestellung" in told[0].text
    assert len({m.text for m in told}) == 5  # each with an address of its own


async def was_mailed(world: World, request_id: int) -> bool:
    rows = await world.raw("SELECT state FROM signers WHERE request_id = $1", request_id)
    return bool(rows[0]["state"] == "emailed")


async def has_rounds(world: World, order_id: int, count: int) -> bool:
    return len(await world.requests(order_id)) >= count


async def test_who_sent_a_paper_is_told_that_it_does_not_count_and_that_it_ends(world: World) -> None:
    accounts, s = Accounts(world), world.services
    await accounts.rule(internal=False, options={"ask_licence": "yes"})
    company = accounts.apply(email="lena@huber.example")
    asked, record = await accounts.sent(company.id, "customer"), RecordKey("company", str(company.id))
    await world.quiet()
    key = await data_key(world.db, s.secrets, world.store_hash)
    assert key is not None
    sent = []
    for text in ("unreadable", "readable"):
        number = await hand_in(
            world.db, key, world.store_hash, record, name="licence", content=pdf_of(text), media="application/pdf",
            by=0, request_id=asked["id"], now=s.clock.now(),
        )  # fmt: skip
        assert number is not None
        sent.append(number)
        if text == "unreadable":
            why, now = "The stamp cannot be read.", s.clock.now()
            assert await refuse(s, world.store_hash, record, number, why=why, by=2, now=now)
            assert not await refuse(s, world.store_hash, record, number, why=why, by=2, now=now)
    ends = s.clock.now().date() + timedelta(days=20)
    of = {"expires_on": ends, "by": 2, "now": s.clock.now()}
    assert await accept_of_applicant(world.db, world.store_hash, record, sent[1], **of)
    await accounts.command("ask_again", record, "ask_again", request_id=asked["id"])
    await world.until(lambda: has_rounds(world, company.id, 2), said="another round")
    newest = await accounts.sent(company.id, "customer")
    await world.quiet()
    for _ in range(2):
        await tell_ending(s)
        await world.quiet()
    told = await world.raw("SELECT request_id, kind FROM notices WHERE kind LIKE 'paper_%' ORDER BY kind DESC")
    # The page of a replaced round takes nothing.
    assert [r["request_id"] for r in told] == [asked["id"], newest["id"]], told
    mails = [m for m in world.sandbox.signature.inbox.find("lena@huber.example", "app") if "Business licence" in m.text]
    assert len(mails) == 2
    assert all(re.search(r"/sign/\S+", m.text) for m in mails)
    assert sum("The stamp cannot be read." in m.text for m in mails) == 1
    assert sum(format_date(ends, locale="en") in m.text for m in mails) == 1


async def test_the_code_of_who_signed_is_mailed_to_them_in_their_language(world: World) -> None:
    number = promote(world, "10", coupon="SHARED", coupon_type="BULK")
    await send_promotion(world, number, "paula@partner.test")
    request = await world.request_is(number, "sent")
    await world.raw("UPDATE requests SET language = 'de' WHERE id = $1", request["id"])
    await world.sign(request, "paula@partner.test")

    async def mailed() -> Any:
        return world.sandbox.signature.inbox.find("paula@partner.test", "app")

    (mail,) = await world.until(mailed, said="the code is mailed")
    (code,) = world.store.promotion_codes[number][1:]
    assert mail.subject == f"Ihr Code von {world.store.name}"
    assert f"Ihr Code ist {code['code']}\r\n\r\nEr gilt einmal, an der Kasse von {world.store.name}." in mail.text
