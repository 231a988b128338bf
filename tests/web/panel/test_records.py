"""Records: one that was never seen, why a rule asks, releasing and sending by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bcapp.core.model import RecordKey
from bcapp.db.deliveries import due_deliveries, read_command
from bcapp.web.panel.kinds import RecordKind, shown_kinds
from tests.web.panel.conftest import House
from tests.web.panel.test_requests import Desk, desk  # noqa: F401 - a fixture

pytestmark = pytest.mark.database


async def test_an_empty_list_says_why_and_offers_a_number_that_was_never_seen(house: House) -> None:
    owner = house.as_("owner")
    assert "No orders yet" in (await owner.get("orders")).text
    text = (await owner.get("orders?q=%231234")).text
    assert "Order 1234 was not looked at yet" in text
    assert "orders/1234" in text


async def test_opening_an_unseen_order_asks_for_it_by_a_post(house: House) -> None:
    viewer = house.as_("viewer")
    text = (await viewer.get("orders/1234")).text
    assert "This order was not looked at yet" in text
    assert await house.run("SELECT count(*) FROM deliveries") == 0
    for _ in range(2):
        answer = await viewer.post("orders/1234/look", part=True)
        assert "Reading the order from the store" in answer.text
        assert "wait=1" in answer.text
    assert await house.run("SELECT count(*) FROM deliveries WHERE record_id = '1234' AND source = 'panel'") == 1
    assert "wait=1" in (await viewer.get("orders/1234?wait=1", part=True)).text


async def test_the_page_opens_by_itself_once_it_was_read(desk: Desk) -> None:  # noqa: F811
    await desk.order(1234)
    answer = await desk.house.as_("owner").get("orders/1234?wait=1", part=True)
    assert "orders/1234" in answer.headers["HX-Location"]


@pytest.mark.parametrize("number", ["0x1", "-5", "99999999999999999999", "1%00"])
async def test_what_is_no_order_number_is_404(house: House, number: str) -> None:
    assert (await house.as_("owner").get(f"orders/{number}")).status_code == 404
    assert (await house.as_("owner").post(f"orders/{number}/look")).status_code == 404


async def test_an_order_shows_hold_and_why(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    await desk.hold(1001)
    request_id = await desk.request(1001)
    await desk.house.run(
        "INSERT INTO channels (store_hash, id, name, type, status)"
        " VALUES ($1, 1, 'Northfield Europe', 'storefront', 'active')",
        desk.house.store,
    )
    text = (await desk.house.as_("owner").get("orders/1001")).text
    for said in ("Asks: every condition", "Seen:", "1200.00 USD", "Manual verification", f"requests/{request_id}",
                 "Awaiting fulfillment", "Release by hand", "Northfield Europe"):  # fmt: skip
        assert said in text
    assert "On hold" in (await desk.house.as_("owner").get("orders?hold=held")).text
    assert "Order 1001" not in (await desk.house.as_("owner").get("orders?hold=none")).text


async def test_orders_that_left_the_store_without_a_valid_signature(desk: Desk) -> None:  # noqa: F811
    good, open_ = {"status": "completed", "checked": "right"}, {"status": "sent"}
    for number, status, hold, requests in (
        (1, 2, "released", [good]),  # as it should be
        (2, 2, "bypassed", [open_]),  # shipped while on hold
        (3, 3, "overridden", [open_ | {"wanted": "cancel", "wanted_why": "staff"}]),  # let go by a person
        (4, 10, "released", [good, open_ | {"round": 2}]),  # changed after it was signed
        (5, 2, "bypassed", [open_, good | {"round": 2}]),  # shipped too early, and signed since
        (6, 12, "held", [open_]),  # waits as it should
        (7, 2, "bypassed", []),  # nobody could be asked
        (8, 2, "released", [good, {"status": "declined", "workflow": "warranty", "rule_id": 99}]),
        (9, 2, "released", [open_ | {"wanted": "cancel", "wanted_why": "record", "status": "cancelled"}]),  # not wanted
        (10, 2, "released", [{"status": "completed", "checked": "conflict"}]),  # signed by somebody else
    ):
        await desk.order(number, status_id=status)
        await desk.hold(number, hold)
        for each in requests:
            mark = f"{number}-{each.get('round')}-{each.get('workflow')}"
            await desk.request(number, **{"nonce": mark, "external_id": mark, **each})
    page = (await desk.house.as_("owner").get("orders?hold=unsigned")).text
    assert sorted(map(int, re.findall(r">Order (\d+), ", page))) == [2, 3, 4, 7, 10]
    assert "5 orders" in page


@pytest.mark.parametrize(
    ("role", "allowed"), [("owner", True), ("manager", True), ("approver", False), ("viewer", False)]
)
async def test_releasing_by_hand_needs_a_manager_and_a_reason(desk: Desk, role: str, allowed: bool) -> None:  # noqa: F811
    await desk.order(1001)
    await desk.hold(1001)
    browser = desk.house.as_(role)
    assert (await browser.get("orders/1001/release")).status_code == (200 if allowed else 403)
    assert (await browser.post("orders/1001/release", {"why": ""})).status_code == (422 if allowed else 403)
    for _ in range(2):
        await browser.post("orders/1001/release", {"why": "Paid in cash", "once": "c" * 20})
    assert [(c.kind, c.why) for c in await desk.commands(1001)] == ([("release", "Paid in cash")] if allowed else [])


async def test_an_order_that_is_not_held_is_not_released(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    await desk.hold(1001, "released")
    assert (await desk.house.as_("owner").post("orders/1001/release", {"why": "x"})).status_code == 303
    assert await desk.commands(1001) == []
    assert (await desk.house.as_("owner").post("orders/55/release", {"why": "x"})).status_code == 404


async def make_agreement(house: House) -> int:
    given = {"name": "Terms", "title": "Terms", "version": "0", "body": "Order {{order.id}}"}
    answer = await house.as_("owner").post("agreements/new?source=text", given)
    return int(answer.headers["location"].rsplit("/", 1)[1])


def sending(desk: Desk, agreement: int, **more: Any) -> dict[str, Any]:  # noqa: F811
    return {
        "purpose": "customer", "agreement_id": str(agreement), "account_id": str(desk.account), "expiry_days": "5",
        "hold": "yes", "name_0": "Ann Lee", "email_0": "Ann@Lee.Example", "person_id": "", "why": "Asked on the phone",
        "once": "d" * 20,
    } | more  # fmt: skip


async def test_sending_by_hand(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    agreement = await make_agreement(desk.house)
    owner = desk.house.as_("owner")
    form = (await owner.get("orders/1001/send", part=True)).text
    assert "<dialog" in form
    assert 'value="ann@lee.example"' in form
    assert (
        'name="name_1"' in (await owner.post("orders/1001/send", sending(desk, agreement, do="more"), part=True)).text
    )
    for _ in range(2):
        assert (await owner.post("orders/1001/send", sending(desk, agreement))).status_code == 303
    (command,) = await desk.commands(1001)
    assert command.kind == "send"
    assert dict(command.payload) == {
        "purpose": "customer", "agreement_id": agreement, "account_id": desk.account, "expiry_days": 5, "hold": True,
        "signers": [{"name": "Ann Lee", "email": "ann@lee.example", "person_id": None}],
    }  # fmt: skip


async def test_an_internal_sheet_goes_to_a_person_of_the_directory(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    person = await desk.house.run("SELECT id FROM people WHERE email LIKE 'manager@%'")
    data = sending(desk, 0, purpose="internal", name_0="", email_0="", person_id=str(person))
    data.pop("hold")
    assert (await desk.house.as_("owner").post("orders/1001/send", data)).status_code == 303
    (command,) = await desk.commands(1001)
    assert command.payload["signers"][0]["person_id"] == person
    assert command.payload["hold"] is False


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"agreement_id": "777"}, "Choose an agreement."), ({"account_id": "777"}, "Choose a signature account."),
     ({"name_0": "", "email_0": ""}, "Name at least one signer."), ({"email_0": "nonsense"}, "does not look like one"),
     ({"name_1": "B", "email_1": "ann@lee.example"}, "the same address"), ({"expiry_days": "0"}, "from 1 to 365"),
     ({"person_id": "777"}, "active under People"), ({"purpose": "x"}, "Choose what is signed."),
     ({"name_0": "n" * 300}, "at most 200")],
)  # fmt: skip
async def test_what_cannot_be_sent_is_said(desk: Desk, changes: dict[str, str], says: str) -> None:  # noqa: F811
    await desk.order(1001)
    agreement = await make_agreement(desk.house)
    answer = await desk.house.as_("owner").post("orders/1001/send", sending(desk, agreement, **changes), part=True)
    assert answer.status_code == 422
    assert says in answer.text
    assert await desk.commands(1001) == []


async def test_only_managers_send_by_hand(desk: Desk) -> None:  # noqa: F811
    await desk.order(1001)
    for who, status in (("approver", 403), ("viewer", 403), ("intruder", 404), ("stranger", 404)):
        assert (await desk.house.as_(who).post("orders/1001/send", sending(desk, 1))).status_code == status


@pytest.mark.parametrize("words", shown_kinds(), ids=lambda w: w.name)
async def test_every_kind_has_its_pages(house: House, words: RecordKind) -> None:
    """Even of a record of which little is known: what another release kept, or what was never read whole."""
    await house.run(
        "INSERT INTO records (store_hash, kind, id, version, label, facts, trace, looked_at, created_at)"
        " VALUES ($1, $2, '77', 1, $3, $4, '[]', $5, $5)",
        house.store, words.name, f"{words.kind.label} 77, Ann Lee",
        {"snapshot": {"name": "Ann Lee", "terms": {"days": 30}, "tags": ["a", "b"]}}, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO holds (store_hash, record_kind, record_id, method, state, wanted_at, held_at)"
        " VALUES ($1, $2, '77', 'gate', 'held', $3, $3)", house.store, words.name, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO audit_log (store_hash, happened_at, actor, event, record_kind, record_id, detail)"
        " VALUES ($1, $3, 'app', 'hold_moved', $2, '77', '{\"to\": \"held\"}')",
        house.store, words.name, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO tasks (store_hash, kind, record_kind, record_id, text, created_at)"
        " VALUES ($1, 'not_signed', $2, '77', 'It was declined.', $3)", house.store, words.name, house.clock.now(),
    )  # fmt: skip
    owner, viewer = house.as_("owner"), house.as_("viewer")
    for part in (False, True):
        answer = await owner.get(words.path("77"), part=part)
        assert answer.status_code == 200
        assert answer.text.startswith("<!doctype html>") is not part
    text = (await owner.get(words.path("77"))).text
    assert f"{words.kind.label}: on hold" in text.replace("held", "on hold")
    assert "It does not go on by itself" in text
    hidden = (await viewer.get(words.path("77"))).text
    assert "Ann Lee" not in hidden
    assert "Release by hand" not in hidden
    assert (await owner.get(f"{words.slug}?q=77")).status_code == 200
    home = (await owner.get()).text
    assert f'href="/s/{house.store}/{words.path("77")}"' in home
    assert f"Open the {words.one}" in home
    for path in ("release", "send"):
        assert (await owner.get(f"{words.path('77')}/{path}", part=True)).status_code == 200
        assert (await viewer.get(f"{words.path('77')}/{path}")).status_code == 403
    await owner.post(f"{words.path('77')}/release", {"why": "Agreed by phone", "once": "g" * 20})
    due = await due_deliveries(house.db, house.store, RecordKey(words.name, "77"), house.clock.now())
    (command,) = [read_command(house.services.secrets, house.store, d) for d in due if d.topic == "command"]
    assert (command.kind, command.workflow) == ("release", words.holder("gate"))
    unseen = await owner.get(words.path("78"))
    assert unseen.status_code == (200 if words.kind.is_remote else 404)
    assert (await house.as_("intruder").get(words.path("77"))).status_code == 404
