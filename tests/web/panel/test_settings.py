"""Settings: sections saved apart, two tabs, the hold in words, webhooks, and what to do before an uninstall."""

import html
import re
from typing import Any

import pytest

from bcapp.core.settings import SHIPPING_TOOLS, StoreSettings
from bcapp.db.settings import list_left_hidden
from bcapp.web.hold_words import describe_hold
from tests.web.panel.conftest import START, House
from tests.web.panel.test_home import add_order

ANSWERS = {"shipping_tool": "shipstation", "payment_mode": "capture", "escape_status": "0", "release_capture": "yes"}


async def stored(house: House) -> dict[str, Any]:
    return dict(await house.run("SELECT settings FROM stores WHERE store_hash = $1", house.store))


async def opened(house: House, path: str, who: str = "owner") -> dict[str, str]:
    """The hidden fields of the form as somebody has it open in a tab."""
    page = (await house.as_(who).get(path)).text
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in ("version", "base")}
    return {name: html.unescape(match[1]) for name, match in found.items() if match}


@pytest.mark.unit
@pytest.mark.parametrize("tool", SHIPPING_TOOLS)
@pytest.mark.parametrize("escape", [0, 7, 12])
def test_the_words_name_the_hold_that_follows(tool: str, escape: int) -> None:
    settings = StoreSettings(shipping_tool=tool, payment_mode="capture", escape_status=escape)
    words = describe_hold(settings)
    names = {1: "Pending", 7: "Awaiting Payment", 12: "Manual Verification Required"}
    assert names[settings.hold_status] in words.title
    assert (words.kind == "warning") is (settings.hold_status in SHIPPING_TOOLS[tool][1])


@pytest.mark.unit
@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"books": "netsuite"}, "info", "NetSuite, by a connector imports orders in Awaiting Fulfillment."),
        ({"imports": "12"}, "info", "You said that another tool imports orders in Manual Verification Required."),
        ({"books": "every"}, "warning", "None of the statuses in which an order can rest is left alone."),
        ({"books": "synchup", "escape_status": 7}, "warning", "SynchUP imports orders in every status."),
        ({"imports": "7", "escape_status": 7}, "warning", "Choose another status, or leave the choice to us."),
    ],
)
def test_set_up_names_what_every_connector_imports(given: dict[str, Any], kind: str, said: str) -> None:
    words = describe_hold(StoreSettings(shipping_tool="shippo", payment_mode="capture", **given))
    assert words.kind == kind
    assert said in " ".join(words.why)


@pytest.mark.unit
def test_without_answers_nothing_is_held_and_authorised_orders_wait_for_the_capture() -> None:
    assert describe_hold(StoreSettings()).kind == "warning"
    waits = describe_hold(StoreSettings(shipping_tool="none", payment_mode="authorize"))
    assert "captures the payment" in " ".join(waits.why)
    by_hand = describe_hold(StoreSettings(shipping_tool="none", payment_mode="authorize", release_capture=False))
    assert "you capture the payment yourself" in " ".join(by_hand.why)


@pytest.mark.database
@pytest.mark.parametrize("part", [False, True])
async def test_a_section_saves_its_own_and_leaves_the_rest(house: House, part: bool) -> None:
    await house.run("UPDATE stores SET settings = $1", {"staff_note": True, "of_a_newer_release": 5})
    form = await opened(house, "settings")
    answer = await house.as_("manager").post("settings", ANSWERS | form, part=part)
    assert answer.status_code == (200 if part else 303)
    assert await stored(house) == {
        "staff_note": True,
        "of_a_newer_release": 5,
        "shipping_tool": "shipstation",
        "payment_mode": "capture",
        "books": "",
        "imports": "",
        "escape_status": 0,
        "release_capture": True,
    }


@pytest.mark.database
async def test_a_second_click_changes_nothing(house: House) -> None:
    form = ANSWERS | await opened(house, "settings")
    for _ in range(2):
        assert (await house.as_("owner").post("settings", form)).status_code == 303
    assert await house.run("SELECT settings_version FROM stores WHERE store_hash = $1", house.store) == 2
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'settings_saved'") == 1


@pytest.mark.database
async def test_the_second_of_two_tabs_is_shown_the_difference_and_may_insist(house: House) -> None:
    first, second = await opened(house, "settings"), await opened(house, "settings", "manager")
    await house.as_("owner").post("settings", ANSWERS | first)
    typed = ANSWERS | second | {"shipping_tool": "none"}
    answer = await house.as_("manager").post("settings", typed, part=True)
    assert answer.status_code == 409
    assert "Somebody else changed this meanwhile" in answer.text
    assert "<del>ShipStation</del>" in answer.text
    assert (await stored(house))["shipping_tool"] == "shipstation"
    again = {
        name: html.unescape(re.search(rf'name="{name}" value="([^"]*)"', answer.text)[1])  # type: ignore[index]
        for name in ("version", "base")
    }
    assert (await house.as_("manager").post("settings", typed | again)).status_code == 303
    assert (await stored(house))["shipping_tool"] == "none"


@pytest.mark.database
async def test_another_section_saved_meanwhile_is_no_conflict(house: House) -> None:
    orders, note = await opened(house, "settings"), await opened(house, "settings/staff-note")
    await house.as_("owner").post("settings/staff-note", {"staff_note": "yes"} | note)
    assert (await house.as_("manager").post("settings", ANSWERS | orders)).status_code == 303
    assert (await stored(house))["staff_note"] is True


@pytest.mark.database
@pytest.mark.parametrize(
    "wrong",
    [
        {"shipping_tool": "pigeon"},
        {"shipping_tool": ""},
        {"payment_mode": "gold"},
        {"escape_status": "11"},
        {"escape_status": "x" * 900},
    ],
)
async def test_what_is_not_offered_is_refused(house: House, wrong: dict[str, str]) -> None:
    form = await opened(house, "settings")
    answer = await house.as_("owner").post("settings", ANSWERS | form | wrong)
    assert answer.status_code == 422
    assert await stored(house) == {}


@pytest.mark.database
@pytest.mark.parametrize("base", ["[]", "null", "{", "x" * 5000, '{"shipping_tool": {"a": 1}}'])
async def test_a_base_that_was_tampered_with_breaks_nothing(house: House, base: str) -> None:
    answer = await house.as_("owner").post("settings", ANSWERS | {"version": "1", "base": base})
    assert answer.status_code in (303, 422)


@pytest.mark.database
async def test_alarms_go_to_somebody_of_the_directory(house: House) -> None:
    stranger = await house.run("SELECT id FROM people WHERE store_hash = $1", house.other)
    mine = await house.run("SELECT min(id) FROM people WHERE store_hash = $1", house.store)
    form = await opened(house, "settings/alarms")
    answer = await house.as_("owner").post("settings/alarms", form | {"alarm_person": str(stranger)})
    assert answer.status_code == 422
    assert (await house.as_("owner").post("settings/alarms", form | {"alarm_person": str(mine)})).status_code == 303
    assert (await stored(house))["alarm_person"] == mine
    form = await opened(house, "settings/alarms") | {"alarm_person": str(mine)}
    for address, status in (
        ("no address", 422),
        ("a@b.example, c@d.example", 422),
        ("Help@shop.example", 303),
        ("", 303),
    ):
        form |= await opened(house, "settings/alarms")
        answer = await house.as_("owner").post("settings/alarms", form | {"support_email": address})
        assert answer.status_code == status
        if address == "Help@shop.example":
            assert (await stored(house))["support_email"] == "help@shop.example"
            assert "help@shop.example" in (await house.as_("owner").get("settings/alarms")).text
    assert (await stored(house))["support_email"] == ""


@pytest.mark.database
async def test_test_mode_sends_everything_to_who_switches_it_on(house: House) -> None:
    form = await opened(house, "settings/test-mode")
    await house.as_("manager").post("settings/test-mode", form | {"test_mode": "yes"})
    assert (await stored(house))["test_mode_user"] == 2
    assert "Test mode:" in (await house.as_("viewer").get()).text
    form = await opened(house, "settings/test-mode")
    await house.as_("owner").post("settings/test-mode", form)
    assert (await stored(house))["test_mode_user"] == 0


async def go_live(house: House) -> None:
    await house.run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, created_at)"
        " VALUES ($1, 'order_approval', 'Large', 'live', 1, $2)",
        house.store,
        START,
    )


@pytest.mark.database
@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize(
    ("path", "given", "name", "wanted"),
    [
        ("settings/test-mode", {"test_mode": "yes"}, "test_mode_user", 2),
        ("settings", ANSWERS | {"escape_status": "1"}, "escape_status", 1),
        ("settings", ANSWERS | {"payment_mode": "authorize"}, "payment_mode", "authorize"),
    ],
)
async def test_what_loosens_the_hold_of_a_live_rule_takes_a_second_manager(
    house: House, part: bool, path: str, given: dict[str, str], name: str, wanted: Any
) -> None:
    form = await opened(house, "settings")
    await house.as_("manager").post("settings", ANSWERS | form)  # for the first time, and nothing is live
    await go_live(house)
    before = await stored(house)
    form = await opened(house, path, "manager")
    await house.as_("manager").post(path, given | form, part=part)
    assert await stored(house) == before
    page = (await house.as_("owner").get(path)).text
    assert "Waits for a second person" in page
    change = await house.run("SELECT id FROM pending_changes WHERE state = 'waiting'")
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert (await stored(house))[name] == wanted


@pytest.mark.database
async def test_a_single_user_changes_the_hold_at_once_and_is_told(house: House) -> None:
    await house.run("UPDATE users SET role = 'viewer' WHERE role = 'manager'")
    await go_live(house)
    form = await opened(house, "settings/test-mode")
    await house.as_("owner").post("settings/test-mode", form | {"test_mode": "yes"})
    assert (await stored(house))["test_mode_user"] == 1
    assert await house.run("SELECT count(*) FROM tasks WHERE kind = 'change_applied'") == 1
    form = await opened(house, "settings/test-mode")
    await house.run("UPDATE users SET role = 'manager' WHERE id = 2")
    await house.as_("manager").post("settings/test-mode", form)
    assert (await stored(house))["test_mode_user"] == 0  # back to holding orders: no second word is needed


@pytest.mark.database
async def test_a_change_of_the_hold_that_was_overtaken_is_refused(house: House) -> None:
    form = await opened(house, "settings")
    await house.as_("manager").post("settings", ANSWERS | form)
    await go_live(house)
    form = await opened(house, "settings", "manager")
    await house.as_("manager").post("settings", ANSWERS | form | {"escape_status": "1"})
    await house.run(
        "UPDATE stores SET settings_version = settings_version + 1, settings = settings || $1",
        {"release_capture": False},
    )
    change = await house.run("SELECT id FROM pending_changes WHERE state = 'waiting'")
    await house.as_("owner").post(f"people/changes/{change}/approve")
    assert (await stored(house))["escape_status"] == 0


@pytest.mark.database
@pytest.mark.parametrize("who", ["approver", "viewer", "intruder"])
async def test_nobody_else_saves_settings(house: House, who: str) -> None:
    expected = 404 if who == "intruder" else 403
    for path in ("settings", "settings/test-mode", "settings/webhooks", "settings/uninstall/release"):
        answer = await house.as_(who).post(path, ANSWERS | {"version": "1", "base": "{}", "kind": "order", "id": "1"})
        assert answer.status_code == expected
    assert await stored(house) == {}


@pytest.mark.database
async def test_the_hold_is_explained_while_somebody_chooses(house: House) -> None:
    path = "settings/hold-words?shipping_tool=none&payment_mode=authorize&release_capture=yes"
    answer = await house.as_("owner").get(path, part=True)
    assert "The payment waits" in answer.text
    assert "<form" not in answer.text
    assert await stored(house) == {}


@pytest.mark.database
async def test_webhooks_are_registered_again_once_and_the_page_waits(house: House) -> None:
    await house.run(
        "INSERT INTO counters (store_hash, name, day, count) VALUES ($1, 'wrong_key', $2, 3)", house.store, START.date()
    )
    for _ in range(2):
        assert (await house.as_("owner").post("settings/webhooks")).status_code == 303
    assert await house.run("SELECT count(*) FROM actions WHERE kind = 'register_hooks'") == 1
    page = (await house.as_("owner").get("settings/webhooks")).text
    assert 'hx-trigger="every 2s"' in page
    assert "wrong key" in page
    await house.run("UPDATE actions SET state = 'applied'")
    assert "every 2s" not in (await house.as_("owner").get("settings/webhooks", part=True)).text


@pytest.mark.database
async def test_scopes_say_what_a_missing_one_would_add(house: House) -> None:
    page = (await house.as_("owner").get("settings/scopes")).text
    assert "Approval of promotions" in page


@pytest.mark.database
async def test_products_left_hidden_are_listed_and_shown_again_once(house: House) -> None:
    await house.run(
        "WITH s AS (INSERT INTO suppliers (store_hash, name, identity, state, created_at, created_by, modified_at)"
        "           VALUES ($1, 'Granite Peak', 'g', 'inactive', now(), 1, now()) RETURNING id)"
        " INSERT INTO supplier_products (store_hash, supplier_id, product_id, state)"
        " SELECT $1, id, 77, 'hidden' FROM s",
        house.store,
    )
    number = await house.run("SELECT id FROM suppliers")
    assert "Granite Peak" in (await house.as_("owner").get("settings/uninstall")).text
    for _ in range(2):
        await house.as_("owner").post("settings/uninstall/release", {"kind": "supplier", "id": str(number)})
    assert await house.run("SELECT count(*) FROM actions WHERE kind = 'show_products'") == 1
    assert "Being shown" in (await house.as_("owner").get("settings/uninstall", part=True)).text
    await house.run(
        "WITH r AS (INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'supplier', $2, now())"
        " ON CONFLICT DO NOTHING)"
        " INSERT INTO holds (store_hash, record_kind, record_id, method, state, wanted_at)"
        " VALUES ($1, 'supplier', $2, 'gate', 'held', now())", house.store, str(number),
    )  # fmt: skip
    assert await list_left_hidden(house.db, house.store) == []  # its hold stands in the list already


@pytest.mark.database
async def test_a_held_record_is_released_or_kept_before_an_uninstall(house: House) -> None:
    await add_order(house, "1001")
    await add_order(house, "1002", "released")
    page = (await house.as_("owner").get("settings/uninstall")).text
    assert "Order 1001" in page
    assert "Order 1002" not in page
    record = {"kind": "order", "id": "1001"}
    for _ in range(2):
        await house.as_("owner").post("settings/uninstall/keep", record)
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'hold_stays_after_uninstall'") == 1
    assert await house.run("SELECT kept_by FROM holds WHERE record_id = '1001'") is not None
    text = (await house.as_("manager").get("settings/uninstall", part=True)).text
    assert "Stays held" in text
    assert "Said Owner of abc123" in text
    for _ in range(2):
        await house.as_("manager").post("settings/uninstall/release", record)
    assert await house.run("SELECT count(*) FROM deliveries WHERE source = 'panel'") == 1
    assert "Being released" in (await house.as_("owner").get("settings/uninstall")).text
    await house.as_("owner").post("settings/uninstall/release", {"kind": "order", "id": "1002"})
    assert await house.run("SELECT count(*) FROM deliveries") == 1
    assert (await house.as_("owner").post("settings/uninstall/release")).status_code == 404


@pytest.mark.database
async def test_refusals_name_whom_to_ask_to_those_who_proved_their_store(house: House) -> None:
    await house.run(
        "UPDATE stores SET settings = settings || $2 WHERE store_hash = $1",
        house.store, {"support_email": "help@shop.example"},
    )  # fmt: skip
    link = 'href="mailto:help@shop.example"'
    for refused in (
        await house.as_("viewer").post("agreements/new?source=text"),
        await house.as_("viewer").get("agreements/999"),
    ):
        assert refused.status_code in (403, 404)
        assert link.replace("@", "%40") in refused.text or link in refused.text
    for who in ("intruder", "stranger"):
        refused = await house.as_(who).get("agreements/999")
        assert refused.status_code == 404
        assert "help@" not in refused.text
    nobody = await house.client.get(f"/s/{house.store}/")
    assert nobody.status_code == 401
    assert "help@" not in nobody.text
    await house.run("UPDATE stores SET state = 'uninstalling' WHERE store_hash = $1", house.store)
    away = await house.as_("owner").get("")
    assert away.status_code == 403
    assert "help@shop.example" in away.text
