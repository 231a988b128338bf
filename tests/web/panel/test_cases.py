"""Cases in the panel: opened from a form, decided by managers, and refunds that nobody approved."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.web.panel.conftest import START, House

FORM = {"order": "250", "kind": "return", "reason": "damaged", "tender": "original", "tolerance": "2.5", "note": "Box"}


async def opened(house: House, **more: str) -> int:
    answer = await house.as_("approver").post("cases/new", {**FORM, **more})
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"].split("?")[0]
    return int(path.split("/cases/")[1].split("/")[0])


async def column(house: House, name: str, case_id: int) -> Any:
    return await house.run(f"SELECT {name} FROM cases WHERE store_hash = $1 AND id = $2", house.store, case_id)


async def test_a_case_is_opened_and_its_lines_are_chosen(house: House) -> None:
    who = house.as_("approver")
    assert "No cases yet" in (await who.get("cases")).text
    assert (await house.as_("viewer").get("cases/new")).status_code == 403
    refused = await who.post("cases/new", {**FORM, "order": "x", "tolerance": "101"})
    assert refused.status_code == 422
    assert "at most two decimals" in refused.text
    case_id = await opened(house, once="0123456789abcdef")
    assert await opened(house, once="0123456789abcdef") == case_id  # the same press
    assert await column(house, "tolerance", case_id) == Decimal("2.50")
    assert "is being read from the store" in (await who.get(f"cases/{case_id}/lines", part=True)).text
    await house.run("UPDATE cases SET currency = 'EUR' WHERE id = $1", case_id)
    await house.run(
        "INSERT INTO case_lines (store_hash, case_id, position, item_type, item_id, available, price, name)"
        " VALUES ($1, $2, 0, 'PRODUCT', 31, 2, 99.5, 'Tent')",
        house.store,
        case_id,
    )
    assert "2 left" in (await who.get(f"cases/{case_id}/lines")).text
    for wrong, says in (({"pieces_0": "3"}, "from 0 to 2"), ({}, "Choose at least one piece")):
        answer = await who.post(f"cases/{case_id}/lines", wrong)
        assert answer.status_code == 422
        assert says in answer.text
    answer = await who.post(f"cases/{case_id}/lines", {"pieces_0": "1", "why_0": "Torn", "amount": "4.90"})
    assert answer.status_code == 303, answer.text
    rows = await house.db.fetch_all("lines_of_case", {"store_hash": house.store, "case_id": case_id})
    assert [(r["item_type"], r["quantity"], r["amount"]) for r in rows] == [
        ("PRODUCT", 1, 0),
        ("ORDER", 0, Decimal("4.9")),
    ]
    assert await column(house, "state", case_id) == "new"
    steps = [r async for r in _actions(house)]
    assert steps == ["lines", "quote"]
    assert "Being calculated" in (await who.get("cases?q=250", part=True)).text


async def _actions(house: House) -> Any:
    async with house.db.pool.acquire() as connection:
        for row in await connection.fetch("SELECT payload FROM actions WHERE kind = 'prepare_case' ORDER BY id"):
            yield row["payload"]["step"]


async def test_only_managers_decide_and_the_record_page_shows_the_money(house: House) -> None:
    case_id = await opened(house)
    await house.run(
        "UPDATE cases SET state = 'stuck', state_why = 'The bank said no.', currency = 'EUR', quoted = 50, cap = 51.25,"
        " contact_name = 'Ann Lee' WHERE id = $1",
        case_id,
    )
    await house.run("UPDATE records SET looked_at = $1, label = 'Case' WHERE kind = 'case'", START)
    manager, approver = house.as_("manager"), house.as_("approver")
    page = (await manager.get(f"cases/{case_id}")).text
    for text in ("Needs a decision", "The bank said no.", "51.25", "Try again", "Calculate anew", "Ann Lee"):
        assert text in page
    assert "Ann Lee" not in (await house.as_("viewer").get(f"cases/{case_id}")).text
    assert (await approver.post(f"cases/{case_id}/step/refuse", {"why": "no"})).status_code == 403
    assert (await manager.post(f"cases/{case_id}/step/refuse", {})).status_code == 422
    assert (await manager.post(f"cases/{case_id}/step/refuse", {"why": "no"})).status_code == 303
    assert (await manager.get(f"cases/{case_id}/step/paid")).status_code == 303  # not in this state
    assert (await manager.get(f"cases/{case_id}/step/steal")).status_code == 404
    assert await house.run("SELECT count(*) FROM deliveries WHERE topic = 'command'") == 1
    assert (await approver.post(f"cases/{case_id}/goods", {"goods_back": "yes"})).status_code == 303
    assert await column(house, "goods_back", case_id) is True


async def test_refunds_without_approval_name_who_made_them(house: House) -> None:
    assert "No refund without approval" in (await house.as_("viewer").get("cases/refunds")).text
    await house.run(
        "INSERT INTO case_refunds (store_hash, refund_id, order_id, ours, approved, state, amount, currency, made_by,"
        " made_at, seen_at) VALUES ($1, 9, 250, false, false, 'settled', 12.5, 'EUR', 2, $2, $2)",
        house.store,
        START,
    )
    owner = (await house.as_("owner").get("cases/refunds")).text
    assert "@abc123.example.com" in owner
    assert "12.50" in owner
    viewer = (await house.as_("viewer").get("cases/refunds")).text
    assert "User 2" in viewer
    assert "12.50" not in viewer
