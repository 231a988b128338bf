"""Suppliers in the panel: added, changed, invited with the count in view, papers, lists, and what a viewer sees."""

from __future__ import annotations

from typing import Any

import httpx

from bcapp.db.suppliers import fetch_supplier
from tests.web.panel.conftest import Browser, House

NORTHFIELD = {
    "name": "Northfield Gear",
    "country": "de",
    "language": "en",
    "signatory_name": "Ann Lee",
    "signatory_email": "Ann@Northfield.example",
    "brands": "Northfield\nPeak",
    "insurance_until": "2026-12-01",
}


async def added(house: House, **more: str) -> int:
    answer = await house.as_("manager").post("suppliers/new", {**NORTHFIELD, **more})
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].split("?")[0].rpartition("/")[2])


async def upload(who: Browser, sheet: str) -> httpx.Response:
    parts = {"sheet": ("list.csv", sheet.encode(), "text/csv")}
    return await who.client.post(who.home + "suppliers/lists", files=parts, headers={"X-App-Session": who.token})


async def facts(house: House, supplier_id: int) -> Any:
    return await fetch_supplier(house.db, house.store, supplier_id)


async def test_a_supplier_is_added_changed_and_found(house: House) -> None:
    manager = house.as_("manager")
    assert "No suppliers yet" in (await manager.get("suppliers")).text
    number = await added(house)
    page = (await manager.get(f"suppliers/{number}")).text
    assert "Northfield Gear" in page
    assert "ann@northfield.example" in page
    assert "Not found in the store" in page
    assert "Ends soon" in page
    assert "Missing" in (await manager.get("suppliers?q=northfield", part=True)).text
    assert "Nothing matches" in (await manager.get("suppliers?scope=signed")).text
    kept = await facts(house, number)
    assert (kept.country, kept.invited_at, [c.name for c in kept.covers]) == ("DE", None, ["Northfield", "Peak"])

    edit = (await manager.get(f"suppliers/{number}/edit")).text
    assert "Northfield\nPeak" in edit
    answer = await manager.post(f"suppliers/{number}/edit", {**NORTHFIELD, "brands": "Peak", "registration": "HRB 1"})
    assert answer.status_code == 303, answer.text
    kept = await facts(house, number)
    assert ([c.name for c in kept.covers], kept.registration) == (["Peak"], "HRB 1")
    assert await house.run("SELECT count(*) FROM actions WHERE kind = 'count_products'") == 2


async def test_what_cannot_be_is_said_and_nothing_is_kept(house: House) -> None:
    manager = house.as_("manager")
    bank = {**NORTHFIELD, "registration": "DE89 3704 0044 0532 0130 00"}
    for wrong, said in (
        ({**NORTHFIELD, "name": ""}, "name of the supplier is missing"),
        (bank, "keeps no bank data"),
        ({**NORTHFIELD, "signatory_name": "", "signatory_email": "", "invite": "yes"}, "Who signs is missing"),
    ):
        answer = await manager.post("suppliers/new", wrong)
        assert answer.status_code == 422
        assert said in answer.text
    await added(house)
    answer = await manager.post("suppliers/new", NORTHFIELD)
    assert (answer.status_code, "Another supplier has this name" in answer.text) == (422, True)
    assert await house.run("SELECT count(*) FROM suppliers") == 1


async def test_inviting_shows_the_count_before_anything_is_hidden(house: House) -> None:
    manager, number = house.as_("manager"), await added(house)
    await house.run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, created_at) "
        "VALUES ($1, 'supplier_agreement', 'Suppliers sign', 'live', 1, now())",
        house.store,
    )
    await house.run(
        "INSERT INTO rule_versions SELECT store_hash, id, 1, $1, 1, now() FROM rules", {"options": [["hide", "all"]]}
    )
    dialog = (await manager.get(f"suppliers/{number}/invite", part=True)).text
    assert "not counted yet" in dialog
    refused = await manager.post(f"suppliers/{number}/invite", {"hide_all": "yes"})
    assert (refused.status_code, "still being counted" in refused.text) == (422, True)
    impact = {
        "products": 12, "visible": 9, "channels": {"1": 9}, "money": {"USD": "1234.50"}, "orders": 4, "more": False,
        "counted_at": "2026-11-22T12:00:00+00:00",
    }  # fmt: skip
    await house.run("UPDATE suppliers SET impact = $1", impact)
    dialog = (await manager.get(f"suppliers/{number}/invite")).text
    assert "1,234.50" in dialog
    assert "in 4 orders" in dialog
    assert (await manager.post(f"suppliers/{number}/invite", {"hide_all": "yes"})).status_code == 303
    kept = await facts(house, number)
    assert (kept.invited_at, kept.hide_all) == (house.clock.now(), True)


async def test_papers_are_entered_and_a_supplier_is_deactivated(house: House) -> None:
    manager, number = house.as_("manager"), await added(house)
    answer = await manager.post(f"suppliers/{number}/papers", {"insurance_until": "31.12.2027"}, part=True)
    assert (answer.status_code, "written like" in answer.text) == (422, True)
    given = {"insurance_needed": "yes", "insurance_until": "2027-12-31", "tax_form_needed": ""}
    assert (await manager.post(f"suppliers/{number}/papers", given)).status_code == 303
    states = {p.name: p.state(house.clock.now().date()) for p in (await facts(house, number)).papers}
    assert states == {"agreement": "missing", "insurance": "good", "tax_form": "not_needed"}

    assert "Its open requests are cancelled" in (await manager.get(f"suppliers/{number}/state", part=True)).text
    assert (await manager.post(f"suppliers/{number}/state", {"products": "hide"})).status_code == 303
    assert (await facts(house, number)).state == "inactive"
    assert await house.run("SELECT payload ->> 'what' FROM actions WHERE kind = 'hide_products'") == "all"
    assert (await manager.post(f"suppliers/{number}/state", {"activate": "yes"})).status_code == 303
    assert (await facts(house, number)).state == "active"


async def test_a_list_is_shown_line_by_line_before_it_is_added(house: House) -> None:
    manager = house.as_("manager")
    assert "iban" in (await upload(manager, "name,iban\nPeak,1\n")).text
    answer = await upload(manager, "name,signatory_email\nPeak,ann\nAlpine,bo@alpine.example\n")
    assert answer.status_code == 303, answer.text
    number = answer.headers["location"].split("?")[0].rpartition("/")[2]
    page = (await manager.get(f"suppliers/lists/{number}")).text
    assert "does not look like an e-mail address" in page
    assert "1 line is still to be looked at" in page
    assert "list.csv" in (await manager.get("suppliers/lists")).text
    assert await house.run("SELECT count(*) FROM suppliers") == 0
    await house.run("UPDATE supplier_imports SET state = 'checked'")
    await house.run("UPDATE supplier_import_lines SET state = 'good' WHERE state = 'waiting'")
    assert "Add 1 supplier" in (await manager.get(f"suppliers/lists/{number}")).text
    assert (await manager.post(f"suppliers/lists/{number}/discard")).status_code == 303
    assert (await manager.get(f"suppliers/lists/{number}")).status_code == 404


async def test_a_viewer_sees_no_names_and_changes_nothing(house: House) -> None:
    number, viewer = await added(house), house.as_("viewer")
    for path in ("suppliers", f"suppliers/{number}"):
        page = await viewer.get(path)
        assert page.status_code == 200
        assert "Northfield Gear" not in page.text
        assert "ann@" not in page.text
    for path in ("suppliers/new", f"suppliers/{number}/edit", f"suppliers/{number}/state", "suppliers/lists"):
        assert (await viewer.get(path)).status_code == 403
    assert (await house.as_("stranger").get(f"suppliers/{number}")).status_code == 404
