"""The returns form of a shopper: whoever the order belongs to gets a link, and what they ask for waits for approval."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bcapp.core.returns import PER_SENDER
from tests.documents.samples import pdf_of
from tests.fixtures.cases import case_is, case_rule, request_of
from tests.fixtures.world import TLS, World, make_sandbox, open_world, set_up

pytestmark = pytest.mark.journey

BUYER = "robin@guest.example"
LINK = re.compile(r"/returns/link/\S+")


@pytest_asyncio.fixture
async def world(database_dsn: str) -> AsyncIterator[World]:
    sandbox = make_sandbox()
    port = await asyncio.to_thread(sandbox.signature.start_smtp)
    try:
        async with open_world(database_dsn, sandbox, smtp_url=f"smtp://127.0.0.1:{port}?from=app@app.test") as opened:
            await set_up(opened)
            await opened.raw("UPDATE stores SET settings = settings || '{\"returns_form\": true}'")
            yield opened
    finally:
        await asyncio.to_thread(sandbox.signature.stop_smtp)


def mails(world: World) -> list[Any]:
    return [m for m in world.sandbox.signature.inbox.find(BUYER, "app") if "/returns/link/" in m.text]


async def test_a_shopper_asks_for_money_back_and_gets_it_when_it_is_approved(world: World) -> None:
    await case_rule(world)
    order = world.place(email=BUYER, customer_id=0)
    start = f"/returns/{world.store_hash}"
    async with httpx.AsyncClient(verify=TLS, base_url=world.services.settings.app_url) as shopper:
        assert "Mail me the link" in (await shopper.get(start)).text
        wrong = await shopper.post(start, data={"order": "x", "email": "nobody"})
        assert (wrong.status_code, wrong.text.count('role="alert"')) == (422, 2)

        # Another's address, an order that is not there, and the right ones: the answer is the same.
        told = []
        for number, email in ((order.id, "other@guest.example"), (99999, BUYER), (order.id, BUYER.upper())):
            answer = await shopper.post(start, data={"order": str(number), "email": email})
            told.append((answer.status_code, answer.text.replace(str(number), "?")))
        assert len(set(told)) == 1
        await world.quiet()
        (mail,) = mails(world)
        (link,) = LINK.findall(mail.text)
        again = [shopper.post(start, data={"order": str(order.id), "email": BUYER}) for _ in range(12)]
        assert {answer.status_code for answer in await asyncio.gather(*again)} == {200}
        await world.quiet()
        assert len(mails(world)) == 2  # three questions of one address an hour; one was about no order

        shown = (await shopper.get(link)).text
        assert order.lines[0].name in shown
        line = f"pieces_{order.lines[0].id}"
        form = {"kind": "exception", "reason": "damaged", "note": "Torn <b>open</b>", line: "9"}
        files = [("files", ("torn.pdf", pdf_of("A torn box"), "application/pdf"))]
        too_many = await shopper.post(link, data=form, files=files)
        assert too_many.status_code == 422
        assert "Torn &lt;b&gt;open&lt;/b&gt;" in too_many.text
        bad = await shopper.post(link, data={**form, line: "1"}, files=[("files", ("x.pdf", b"no PDF"))])
        assert bad.status_code == 422
        assert await world.raw("SELECT id FROM cases") == []
        sent = await asyncio.gather(*(shopper.post(link, data={**form, line: "1"}, files=files) for _ in range(2)))
        assert [answer.status_code for answer in sent] == [303, 303]
        assert "Your request has arrived" in (await shopper.get(link)).text
        (case,) = await world.raw("SELECT id, origin, note, opened_by FROM cases")
        assert (case["origin"], case["opened_by"]) == ("shopper", 0)
        assert len(await world.raw("SELECT id FROM papers WHERE record_kind = 'case'")) == 1

        await case_is(world, case["id"], "open")
        left = next(line.quantity for line in order.lines if line.id == order.lines[0].id) - 1
        other = next(f for mail in mails(world) for f in LINK.findall(mail.text) if f != link)
        assert f"(at most {left})" in (await shopper.get(other)).text  # what waits in a case is not offered again
        large = await shopper.post(other, data=form, files=[("files", ("x.pdf", b"%PDF-" + b"x" * 12_600_000))])
        assert (large.status_code, "cannot be taken" in large.text) == (413, True)
        assert order.refunds == []
        await world.sign(await request_of(world, case["id"]), "dana@northfield.test")
        await case_is(world, case["id"], "closed")
        assert [refund["items"][0]["quantity"] for refund in order.refunds] == [1]
        assert "is settled" in (await shopper.get(link)).text

        (unused,) = {found for mail in mails(world) for found in LINK.findall(mail.text)} - {link}
        world.sandbox.clock.advance(timedelta(days=1, minutes=5).total_seconds())
        assert (await shopper.get(unused)).status_code == 410
        assert (await shopper.post(unused, data={**form, line: "1"})).status_code == 410
        assert (await shopper.get(f"/returns/link/{world.store_hash}.{'a' * 43}")).status_code == 404
        await world.raw("UPDATE stores SET settings = settings || '{\"returns_form\": false}'")
        assert (await shopper.post(start, data={"order": str(order.id), "email": BUYER})).status_code == 404
        assert (await shopper.get("/returns/nosuchstore")).status_code == 404
    assert len(await world.raw("SELECT id FROM cases")) == 1
    assert BUYER not in str(await world.raw("SELECT * FROM return_asks"))


async def test_one_stranger_does_not_use_up_the_questions_of_the_store(world: World) -> None:
    """Senders are told apart where the proxy tells them; nothing readable of them is kept."""

    async def asked() -> int:
        return int((await world.raw("SELECT count(*) AS n FROM return_asks"))[0]["n"])

    start = f"/returns/{world.store_hash}"
    async with httpx.AsyncClient(verify=TLS, base_url=world.services.settings.app_url) as shopper:

        async def ask(number: int, sender: str) -> None:
            data = {"order": str(99_000 + number), "email": f"nobody{number}@guest.example"}
            answer = await shopper.post(start, data=data, headers={"X-Forwarded-For": sender} if sender else {})
            assert answer.status_code == 200

        for number in range(PER_SENDER + 5):
            await ask(number, f"2a00:1450:4001::{number + 1:x}")
        assert await asked() == PER_SENDER
        await ask(900, "9.9.9.9")
        for number in (901, 902):
            await ask(number, "")  # of this very machine: a proxy may speak for everybody
        assert await asked() == PER_SENDER + 3
    kept = await world.raw("SELECT DISTINCT sender FROM return_asks")
    assert sorted(len(row["sender"] or b"") for row in kept) == [0, 32, 32]
    assert world.sandbox.spec_errors == []
