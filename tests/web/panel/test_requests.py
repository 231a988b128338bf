"""Requests: who sees what, and what a press leaves behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from bcapp.core.conditions import ConditionTrace
from bcapp.core.model import RecordKey
from bcapp.core.rules import RuleTrace
from bcapp.db import chunks
from bcapp.db.decisions import keep_decision
from bcapp.db.deliveries import due_deliveries, read_command
from bcapp.db.panel_requests import data_key
from tests.web.panel.conftest import House

pytestmark = pytest.mark.database

SNAPSHOT: dict[str, Any] = {
    "customer": 7,
    "email": "ann@lee.example",
    "billing": {"name": "Ann Lee", "company": "", "street": "1 High St", "city": "Austin", "state": "Texas",
                "postcode": "78701", "country": "US"},
    "shipping": [{"name": "Ann Lee", "company": "", "street": "1 High St", "city": "Austin", "state": "Texas",
                  "postcode": "78701", "country": "US"}],
    "currency": "USD",
    "total": "1200.0000",
    "tax": "0.0000",
    "discount": "0.0000",
    "lines": [{"product": 1, "variant": 1, "sku": "TENT-4", "name": "Tent", "options": [], "quantity": 2,
               "unit_price": "600.0000", "total": "1200.0000"}],
}  # fmt: skip
DEFINITION = {
    "groups": [[{"field": "total", "operator": "at_least", "values": ["1000.00 USD"], "argument": ""}]],
    "internal": True, "approvers": [], "customer": False, "agreement_id": 0, "sequence": "together", "account_id": 1,
    "expiry_days": 7, "buyer_may_forward": False, "most_per_hour": 100, "most_per_day": 500, "channels": [],
}  # fmt: skip


@dataclass
class Desk:
    """A store with a rule, an account, and orders of which some were asked about."""

    house: House
    rule: int
    account: int

    async def order(self, number: int, *, buyer: str = "Ann Lee", total: str = "1200.0000", **facts: Any) -> None:
        h = self.house
        await h.run(
            "INSERT INTO records (store_hash, kind, id, version, label, amount, currency, facts, trace, looked_at,"
            " created_at) VALUES ($1, 'order', $2, 1, $3, $4, 'USD', $5, $6, $7, $7)",
            h.store,
            str(number),
            f"Order {number}, {buyer}",
            __import__("decimal").Decimal(total),
            {"snapshot": SNAPSHOT | {"total": total}, "status_id": 12, "payment_status": "captured",
             "payment_method": "Manual", "channel_id": 1, "items_total": 2, "items_shipped": 0} | facts,
            [{"rule_id": self.rule, "rule_version": 1, "rule_name": "Large orders", "decision": "asks",
              "sentence": "Asks: every condition of “Large orders” holds.",
              "groups": [[{"field": "total", "operator": "at_least", "values": ["1000.00 USD"], "argument": "",
                           "seen": "1200.00 USD", "outcome": "pass"}]]}],
            h.clock.now(),
        )  # fmt: skip
        seen = ConditionTrace("total", "at_least", ("1000.00 USD",), "", "1200.00 USD", "pass")
        said = RuleTrace(self.rule, 1, "Large orders", "asks", "Asks: every condition of “Large orders” holds.",
                         ((seen,),), "live")  # fmt: skip
        await keep_decision(h.db, h.store, RecordKey("order", str(number)), [said], "f", h.clock.now())

    async def request(self, number: int, status: str = "sent", *, signer: str = "waiting", **columns: Any) -> int:
        h = self.house
        given: dict[str, Any] = {
            "store_hash": h.store, "workflow": "order_approval", "rule_id": self.rule, "rule_version": 1,
            "purpose": "internal", "record_kind": "order", "record_id": str(number), "round": 1, "projection": 1,
            "fingerprint": f"f{number}", "snapshot": SNAPSHOT, "status": status, "account_id": self.account,
            "agreement_id": 0, "agreement_version": 0, "nonce": f"n{number}",
            "external_id": f"1:{h.store}:{number}:1:secret-nonce", "created_at": h.clock.now(),
            "provider_document_url": "https://sign.example/signing-link-of-a-person",
        } | columns  # fmt: skip
        names = ", ".join(given)
        places = ", ".join(f"${n}" for n in range(1, len(given) + 1))
        request_id = int(await h.run(f"INSERT INTO requests ({names}) VALUES ({places}) RETURNING id", *given.values()))
        await h.run(
            "INSERT INTO signers (store_hash, request_id, position, name, email, state) VALUES ($1, $2, 0, $3, $4, $5)",
            h.store, request_id, "Grace Hopper", "grace@shop.example", signer,
        )  # fmt: skip
        return request_id

    async def hold(self, number: int, state: str = "held") -> None:
        await self.house.run(
            "INSERT INTO holds (store_hash, record_kind, record_id, method, state, found, wanted_at, held_at)"
            " VALUES ($1, 'order', $2, 'status', $3, $4, $5, $5)",
            self.house.store, str(number), state, {"status_id": 11}, self.house.clock.now(),
        )  # fmt: skip

    async def commands(self, number: int) -> list[Any]:
        h, record = self.house, RecordKey("order", str(number))
        due = await due_deliveries(h.db, h.store, record, h.clock.now())
        return [read_command(h.services.secrets, h.store, d) for d in due if d.topic == "command"]


@pytest_asyncio.fixture
async def desk(house: House) -> Desk:
    rule = await house.run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, live_since, created_at)"
        " VALUES ($1, 'order_approval', 'Large orders', 'live', 1, $2, $2) RETURNING id",
        house.store, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO rule_versions (store_hash, rule_id, version, definition, author, created_at)"
        " VALUES ($1, $2, 1, $3, 1, $4)",
        house.store, rule, DEFINITION, house.clock.now(),
    )  # fmt: skip
    account = await house.run(
        "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
        " client_secret, state, created_at) VALUES ($1, 'Main', 'us', 't', 'u', 'a', 'c', '', 'working', $2)"
        " RETURNING id",
        house.store, house.clock.now(),
    )  # fmt: skip
    return Desk(house, rule, account)


# The list -------------------------------------------------------------------------------------------------


async def test_an_empty_list_says_why_and_offers_one_step(house: House) -> None:
    answer = await house.as_("owner").get("requests")
    assert answer.status_code == 200
    assert "No requests yet" in answer.text
    assert "Set up a rule" in answer.text


@pytest.mark.parametrize("role", ["owner", "manager", "approver"])
async def test_deciders_read_names_and_money(desk: Desk, role: str) -> None:
    await desk.order(1001)
    await desk.request(1001)
    text = (await desk.house.as_(role).get("requests")).text
    assert "Order 1001, Ann Lee" in text
    assert "grace@shop.example" in text
    assert "$1,200.00" in text


async def test_a_viewer_reads_neither_names_nor_money_and_cannot_search_them(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    viewer = desk.house.as_("viewer")
    for path in ("requests", "requests?q=ann", "orders", f"requests/{request_id}", "orders/1001"):
        answer = await viewer.get(path)
        assert answer.status_code == 200
        for hidden in ("Ann Lee", "grace@", "1,200", "Grace", "1200.00"):
            assert hidden not in answer.text, (path, hidden)
    assert "No request matches" in (await viewer.get("requests?q=ann")).text


@pytest.mark.parametrize(
    ("query", "found"),
    [("q=1001", True), ("q=ANN", True), ("q=grace@shop", True), ("q=1002", False), ("status=completed", False),
     ("status=waiting", True), ("period=7", True), ("rule=0", False), ("q=%25", False), ("q=%00", True),
     ("status=nonsense&period=x&rule=-1&page=99999999999999", True)],
)  # fmt: skip
async def test_search_and_filters(desk: Desk, query: str, found: bool) -> None:
    await desk.order(1001)
    await desk.request(1001)
    answer = await desk.house.as_("owner").get(f"requests?{query}")
    assert answer.status_code == 200
    assert ("Order 1001, Ann Lee" in answer.text) is found


async def test_a_part_is_only_the_list(desk: Desk) -> None:
    await desk.order(1001)
    await desk.request(1001)
    answer = await desk.house.as_("owner").get("requests?q=1001", part=True)
    assert answer.text.strip().startswith('<div id="requests" hx-get="')
    assert (
        'requests?q=1001&amp;page=1" hx-trigger="every 10s" hx-target="this"' in answer.text
    )  # app.js lets hidden pages rest
    assert "<html" not in answer.text


async def test_pages_of_25(desk: Desk) -> None:
    for number in range(1, 31):
        await desk.order(number)
        await desk.request(number)
    owner = desk.house.as_("owner")
    assert (await owner.get("requests")).text.count("Large orders ·") == 25
    assert (await owner.get("requests?page=2")).text.count("Large orders ·") == 5
    assert (await owner.get("requests?page=77")).text.count("Large orders ·") == 5


# One request ----------------------------------------------------------------------------------------------


async def test_four_facts_stand_apart(desk: Desk) -> None:
    await desk.order(1001)
    await desk.hold(1001)
    request_id = await desk.request(1001)
    text = (await desk.house.as_("owner").get(f"requests/{request_id}")).text
    for name in ("What we want", "What the signature service says", "The hold on the order", "What we are doing"):
        assert name in text
    assert "When an order is placed and order total is at least 1000.00 USD" in text


async def test_no_page_shows_a_signing_link(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    for path in ("requests", f"requests/{request_id}", "orders/1001", "orders"):
        text = (await desk.house.as_("owner").get(path)).text
        assert "signing-link" not in text
        assert "secret-nonce" not in text


async def test_a_material_change_is_shown(desk: Desk) -> None:
    await desk.order(1001, total="1500.0000")
    request_id = await desk.request(1001)
    text = (await desk.house.as_("owner").get(f"requests/{request_id}")).text
    assert "Changed since it was asked" in text
    assert "$1,500.00" in text


async def test_a_part_does_not_take_the_focus(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    answer = await desk.house.as_("owner").get(f"requests/{request_id}", part=True)
    assert "data-focus" not in answer.text
    assert 'hx-trigger="every 6s"' in answer.text
    await desk.house.run("UPDATE requests SET status = 'completed', checked = 'right'")
    assert "hx-trigger" not in (await desk.house.as_("owner").get(f"requests/{request_id}", part=True)).text


@pytest.mark.parametrize("path", ["requests/{id}", "requests/{id}/cancel", "orders/1001"])
async def test_a_stranger_finds_nothing(desk: Desk, path: str) -> None:
    await desk.order(1001)
    path = path.format(id=await desk.request(1001))
    assert (await desk.house.as_("intruder").get(path)).status_code == 404
    answer = await desk.house.as_("stranger").get(path)
    assert "Ann Lee" not in answer.text
    assert answer.status_code == (200 if path.startswith("orders") else 404)


@pytest.mark.parametrize("number", ["0", "99999", "99999999999999999999", "-1", "x", "1%00"])
async def test_what_is_no_request_is_404(house: House, number: str) -> None:
    assert (await house.as_("owner").get(f"requests/{number}")).status_code == 404


# Steps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "path", "allowed"),
    [("viewer", "remind", False), ("approver", "remind", True), ("approver", "cancel", False),
     ("manager", "cancel", True), ("approver", "ask-again", False), ("approver", "confirm", False)],
)  # fmt: skip
async def test_roles_of_steps(desk: Desk, role: str, path: str, allowed: bool) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    answer = await desk.house.as_(role).post(f"requests/{request_id}/{path}", {"why": "x"}, part=True)
    assert (answer.status_code == 403) is not allowed
    assert len(await desk.commands(1001)) == int(allowed)


async def test_cancelling_needs_a_reason_and_happens_once(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    owner = desk.house.as_("owner")
    path = f"requests/{request_id}/cancel"
    assert "<dialog" in (await owner.get(path, part=True)).text
    assert "<html" in (await owner.get(path)).text
    refused = await owner.post(path, {"why": "  "}, part=True)
    assert refused.status_code == 422
    assert "The reason is missing." in refused.text
    assert (await owner.post(path, {"why": "y" * 501})).status_code == 422
    once = {"why": "Wrong buyer\x00", "once": "a" * 20}
    first = await owner.post(path, once, part=True)
    assert json.loads(first.headers["HX-Location"])["path"].endswith(f"/requests/{request_id}")
    assert (await owner.post(path, once)).status_code == 303
    (command,) = await desk.commands(1001)
    assert (command.kind, command.why, command.request_id, command.user_id) == ("cancel", "Wrong buyer", request_id, 1)


async def test_a_second_reminder_within_ten_minutes_is_refused(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    await desk.house.run(
        "INSERT INTO actions (store_hash, kind, record_kind, record_id, seq, request_id, priority, due_at, created_at,"
        " state) VALUES ($1, 'resend_request', 'order', '1001', 1, $2, 30, $3, $3, 'applied')",
        desk.house.store, request_id, desk.house.clock.now(),
    )  # fmt: skip
    owner = desk.house.as_("owner")
    await owner.post(f"requests/{request_id}/remind")
    assert await desk.commands(1001) == []
    desk.house.clock.advance(minutes=11)
    await owner.post(f"requests/{request_id}/remind")
    await owner.post(f"requests/{request_id}/remind")
    assert [c.kind for c in await desk.commands(1001)] == ["resend"]


@pytest.mark.parametrize("status", ["completed", "declined"])
async def test_a_request_that_ended_is_neither_reminded_nor_cancelled(desk: Desk, status: str) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001, status)
    for path in ("remind", "cancel"):
        assert (await desk.house.as_("owner").post(f"requests/{request_id}/{path}", {"why": "x"})).status_code == 303
    assert await desk.commands(1001) == []


async def test_a_declined_request_can_be_asked_again_once(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001, "declined")
    owner = desk.house.as_("owner")
    assert "Ask again" in (await owner.get(f"requests/{request_id}")).text
    for _ in range(2):
        await owner.post(f"requests/{request_id}/ask-again", {"why": "Talked to them", "once": "b" * 20})
    assert [c.kind for c in await desk.commands(1001)] == ["ask_again"]
    text = (await owner.get(f"requests/{request_id}")).text
    assert "Your last step is being carried out" in text


async def test_a_conflict_is_confirmed_by_a_manager_with_a_reason(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001, "completed", checked="conflict", checked_why="Somebody else signed.")
    assert "Confirm by hand" not in (await desk.house.as_("approver").get(f"requests/{request_id}")).text
    manager = desk.house.as_("manager")
    assert "Somebody else signed." in (await manager.get(f"requests/{request_id}/confirm")).text
    await manager.post(f"requests/{request_id}/confirm", {"why": "It is her new name"})
    assert [c.kind for c in await desk.commands(1001)] == ["confirm"]


@pytest.mark.parametrize(
    ("email", "status"),
    [("new@shop.example", 303), ("grace@shop.example", 422), ("no address", 422), ("a@b", 422), ("", 422),
     ("x" * 300 + "@a.example", 422), ("a@b.example,c@d.example", 422)],
)  # fmt: skip
async def test_mending_a_bounced_address(desk: Desk, email: str, status: int) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001, signer="bounced", bounced=True)
    answer = await desk.house.as_("owner").post(f"requests/{request_id}/mend/0", {"email": email})
    assert answer.status_code == status
    commands = await desk.commands(1001)
    assert [dict(c.payload) for c in commands] == ([{"position": 0, "email": email}] if status == 303 else [])
    assert (await desk.house.as_("owner").post(f"requests/{request_id}/mend/7", {"email": email})).status_code == 404


async def test_an_approvers_address_is_taken_from_the_directory(desk: Desk) -> None:
    """Who stands in People is asked at the address of People, and at no other: that one two people changed."""
    await desk.order(1001)
    request_id = await desk.request(1001, signer="bounced", bounced=True)
    house = desk.house
    person = await house.run(
        "INSERT INTO people (store_hash, name, email, created_at)"
        " SELECT store_hash, name, email, $2 FROM signers WHERE request_id = $1 RETURNING id",
        request_id,
        house.clock.now(),
    )
    await house.run("UPDATE signers SET person_id = $2 WHERE request_id = $1", request_id, person)
    owner = house.as_("owner")
    assert "mend/0" not in (await owner.get(f"requests/{request_id}")).text
    await owner.post(f"requests/{request_id}/mend/0", {"email": "mine@evil.example"})
    assert await desk.commands(1001) == []
    await house.run("UPDATE people SET email = 'right@shop.example' WHERE id = $1", person)
    assert "mend/0" in (await owner.get(f"requests/{request_id}")).text
    assert "right@shop.example" in (await owner.get(f"requests/{request_id}/mend/0")).text
    await owner.post(f"requests/{request_id}/mend/0", {"email": "mine@evil.example"})
    commands = await desk.commands(1001)
    assert [dict(c.payload) for c in commands] == [{"position": 0, "email": "right@shop.example"}]


@pytest.mark.parametrize(("bounced", "state"), [(False, "Waits"), (True, "Rests until the address is corrected")])
async def test_the_steps_of_a_request_are_shown(desk: Desk, bounced: bool, state: str) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001, signer="bounced" if bounced else "emailed", bounced=bounced)
    now = desk.house.clock.now()
    for position, kind, follows, outcome in ((0, "remind", "", "reminded"), (1, "outcome", "release", "")):
        await desk.house.run(
            "INSERT INTO request_steps (store_hash, request_id, position, kind, follows, after_days, working_days,"
            " counted_from, local_date, local_time, zone, due_at, done_at, outcome)"
            " VALUES ($1, $2, $3, $4, $5, 1, false, $6, '2026-11-23', '09:00', 'UTC', $6, $7, $8)",
            desk.house.store, request_id, position, kind, follows, now, now if outcome else None, outcome,
        )  # fmt: skip
    seen = (await desk.house.as_("viewer").get(f"requests/{request_id}")).text
    assert "Let it go without a signature" in seen
    assert state in seen
    assert "Reminded" in seen


async def test_a_failed_action_is_tried_again_once(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    h = desk.house
    action = await h.run(
        "INSERT INTO actions (store_hash, kind, record_kind, record_id, seq, request_id, priority, due_at, created_at,"
        " state, why) VALUES ($1, 'send_request', 'order', '1001', 1, $2, 20, $3, $3, 'failed', 'refused')"
        " RETURNING id",
        h.store, request_id, h.clock.now(),
    )  # fmt: skip
    assert (await h.as_("approver").post(f"actions/{action}/again")).status_code == 403
    assert (await h.as_("stranger").post(f"actions/{action}/again")).status_code == 404
    for _ in range(2):
        answer = await h.as_("owner").post(f"actions/{action}/again", {"back": f"requests/{request_id}"})
        assert answer.headers["location"].endswith(f"/requests/{request_id}")
    assert await h.run("SELECT state FROM actions WHERE id = $1", action) == "pending"
    assert await h.run("SELECT count(*) FROM pgqueuer") == 1
    assert await h.run("SELECT count(*) FROM audit_log WHERE event = 'action_tried_again'") == 1
    assert (
        (await h.as_("owner").post(f"actions/{action}/again", {"back": "//evil.example"}))
        .headers["location"]
        .endswith("/requests")
    )


# Documents ------------------------------------------------------------------------------------------------


async def test_a_download_needs_a_ticket_that_works_once_for_a_minute(desk: Desk) -> None:
    h = desk.house
    await h.run(
        "UPDATE stores SET data_key = $2 WHERE store_hash = $1", h.store,
        h.services.secrets.wrap(h.services.secrets.new_data_key(), store_hash=h.store),
    )  # fmt: skip
    key = await data_key(h.db, h.services.secrets, h.store)
    assert key is not None
    sha256 = await chunks.keep(h.db, key, h.store, b"%PDF-1.7 sample")
    await desk.order(1001)
    request_id = await desk.request(1001, document_sha256=sha256)
    path = f"requests/{request_id}/download"
    assert (await h.as_("viewer").post(path, {"part": "sent_document"})).status_code == 403
    assert (await h.as_("owner").post(path, {"part": "signed_document"})).status_code == 404
    assert (await h.as_("owner").post(path, {"part": "../x"})).status_code == 404
    address = (await h.as_("owner").post(path, {"part": "sent_document"})).headers["location"]
    assert (await h.client.head(address)).status_code == 404
    answer = await h.client.get(address)  # without any session
    assert answer.content == b"%PDF-1.7 sample"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert (await h.client.get(address)).status_code == 404
    late = (await h.as_("owner").post(path, {"part": "sent_document"})).headers["location"]
    h.clock.advance(seconds=61)
    assert (await h.client.get(late)).status_code == 404
    fresh = (await h.as_("approver").post(path, {"part": "sent_document"})).headers["location"]
    other = fresh.replace(h.store, h.other)
    assert (await h.client.get(other)).status_code == 404
    await h.run("UPDATE users SET role = 'viewer' WHERE id = 3")
    assert (await h.client.get(fresh)).status_code == 404
    part = await h.as_("owner").post(path, {"part": "sent_document"}, part=True)
    assert "/download/" in part.headers["HX-Redirect"]


async def test_the_list_is_narrowed_to_a_kind_of_record(desk: Desk) -> None:
    await desk.order(1001)
    request_id = await desk.request(1001)
    owner = desk.house.as_("owner")
    assert f"requests/{request_id}" in (await owner.get("requests?kind=order")).text
    text = (await owner.get("requests?kind=customer")).text
    assert f"requests/{request_id}" not in text
    assert "No request matches" in text
    assert f"requests/{request_id}" in (await owner.get("requests?kind=nonsense")).text
