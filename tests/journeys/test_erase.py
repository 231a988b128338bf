"""A person is erased: after a whole journey nothing in the tables names them but what must prove the signature."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx
import pytest

from bcapp.core.acceptances import PartyKind
from bcapp.core.rules import SignOnce
from bcapp.db.returns import ask_for_form
from bcapp.errors import RefusedByUs
from bcapp.operate import erase_person
from bcapp.web.session import SESSION_HEADER
from tests.fixtures.world import World
from tests.journeys.test_sentinels import (
    APPROVER_EMAIL,
    APPROVER_NAME,
    BUYER,
    BUYER_EMAIL,
    MENDED_EMAIL,
    both_sent,
    every_column,
    found_in,
    mended,
    open_panel,
    requests_by_purpose,
)

pytestmark = pytest.mark.journey


async def add_outside(world: World, order_id: int) -> None:
    """A document signed elsewhere that is suggested, and one that is linked and was signed by somebody else as well."""
    signers = [{"email": BUYER_EMAIL, "signed_at": None}]
    for n, state, name, more in (
        (1, "suggested", f"For {BUYER_EMAIL}", []),
        (2, "linked", f"{BUYER['first_name']} {BUYER['last_name']} and Bo Helper", [{"email": "bo@helper.example"}]),
    ):
        await world.raw(
            "INSERT INTO outside_documents (store_hash, account_id, document, record_kind, record_id, reasons, name,"
            " signers, state, found_at) VALUES ($1, 1, $2, 'order', $3, '{signer}', $4, $5, $6, $7)",
            world.store_hash, UUID(int=n), str(order_id), name, [*signers, *more], state, world.services.clock.now(),
        )  # fmt: skip


async def test_nothing_but_the_signed_documents_is_left_of_a_person(world: World) -> None:
    await world.rule(internal=True, sign_once=SignOnce(scope="customer"))
    order = world.place(address=BUYER, email=BUYER_EMAIL, customer_id=0)
    await world.until(lambda: both_sent(world, order.id), said="both requests are sent")
    requests = await requests_by_purpose(world, order.id)
    with pytest.raises(RefusedByUs, match="still open"):
        await erase_person(world.services, world.store_hash, BUYER_EMAIL)
    await asyncio.to_thread(world.sandbox.signature.bounce, BUYER_EMAIL)
    await world.task("bounced")
    payload = {"position": 0, "email": MENDED_EMAIL}
    await world.command(order.id, "mend", request_id=requests["customer"]["id"], payload=payload, why="Wrong address")
    await world.until(lambda: mended(world), said="the address is mended")
    await world.sign(requests["internal"], APPROVER_EMAIL)
    await world.sign(requests["customer"], MENDED_EMAIL)
    await world.order_is(order.id, 11)
    await world.quiet()
    other = f"other-{BUYER_EMAIL}"
    for record, text in (
        (("order", str(order.id)), "Quintessa Wrenfeather asked twice."),
        (("", ""), f"{BUYER_EMAIL.upper()}, not {other}."),
    ):
        await world.raw(
            "INSERT INTO tasks (store_hash, kind, record_kind, record_id, text, created_at)"
            " VALUES ($1, 'x', $2, $3, $4, $5)",
            world.store_hash, *record, text, world.services.clock.now(),
        )  # fmt: skip
    await add_outside(world, order.id)
    buyer = {**BUYER, "address": BUYER_EMAIL, "mended address": MENDED_EMAIL}
    before = await every_column(world)
    held = {place for place, content in before.items() if found_in(content, buyer)}
    assert {
        ("records", "facts"), ("past_records", "facts"), ("requests", "snapshot"), ("signers", "email"),
        ("acceptances", "label"), ("tasks", "text"),
    } <= held  # fmt: skip

    now = world.services.clock.now()
    assert await ask_for_form(world.db, world.store_hash, order.id, [b"digest"], "en", now)
    assert await ask_for_form(world.db, world.store_hash, order.id + 1, [b"digest"], "en", now)
    await world.quiet()
    lines = await erase_person(world.services, world.store_hash, BUYER_EMAIL.upper())
    assert [r["order_id"] for r in await world.raw("SELECT order_id FROM return_asks")] == [order.id + 1]
    after = await every_column(world)
    left = {place: found_in(content.replace(other.encode(), b""), buyer) for place, content in after.items()}
    assert {place: found for place, found in left.items() if found} == {}
    assert other.encode() in after["tasks", "text"]
    outside = await world.raw("SELECT state, name, signers FROM outside_documents ORDER BY id")
    assert [(r["state"], r["name"], bool(r["signers"])) for r in outside] == [
        ("dismissed", "", False),
        ("linked", "erased and Bo Helper", True),
    ]
    assert "acceptances: 1" in lines
    assert "evidence of 2 signed requests" in " ".join(lines)
    assert after["chunks", "sha256"] == before["chunks", "sha256"]
    assert after["evidence", "sha256"] == before["evidence", "sha256"]
    [acceptance] = await world.raw("SELECT party_kind, party_id FROM acceptances")
    assert acceptance["party_kind"] == PartyKind.EMAIL
    assert acceptance["party_id"]
    [line] = await world.raw("SELECT actor, detail FROM audit_log WHERE event = 'person_erased'")
    assert line["actor"] == "operator"
    assert line["detail"]["records"] == 1
    assert all(isinstance(count, int) for count in line["detail"].values())
    assert "Nothing was stored" in (await erase_person(world.services, world.store_hash, BUYER_EMAIL))[0]

    await erase_person(world.services, world.store_hash, APPROVER_EMAIL)
    approver = {"address": APPROVER_EMAIL, "name": APPROVER_NAME}
    assert {place for place, content in (await every_column(world)).items() if found_in(content, approver)} == set()
    [person] = await world.raw("SELECT id, state FROM people WHERE name = 'erased'")
    assert person["state"] == "left"
    session, _ = await open_panel(world)
    async with httpx.AsyncClient(base_url=world.services.settings.app_url) as browser:
        pages = [f"orders/{order.id}", *(f"requests/{r['id']}" for r in requests.values()), f"people/{person['id']}"]
        for path in [*pages, "requests", "people", "acceptances"]:
            page = await browser.get(f"/s/{world.store_hash}/{path}", headers={SESSION_HEADER: session})
            assert page.status_code == 200, path
