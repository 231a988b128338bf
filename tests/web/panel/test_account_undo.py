"""Companies and customers in the panel: what their pages show, and taking an approval back."""

from __future__ import annotations

from typing import Any

import pytest

from bcapp.core.model import RecordKey
from bcapp.db.deliveries import due_deliveries, read_command
from tests.web.panel.conftest import House

pytestmark = pytest.mark.database

ADDRESS = {"name": "", "company": "Huber", "street": "1 High St", "city": "Bath", "state": "", "postcode": "",
           "country": "GB"}  # fmt: skip
COMPANY = {
    "snapshot": {"name": "Huber", "address": ADDRESS, "applicant": "lena@huber.example", "application": [["Tax", "1"]]},
    "status": 1, "group_id": 4, "group_name": "Rescue services", "users": 2,
}  # fmt: skip
CUSTOMER = {"snapshot": {"email": "mara@xu.example", "company": "Xu", "form": [["VAT", "2"]]}, "group_id": 3}


async def approved(house: House, kind: str, number: str, facts: dict[str, Any]) -> None:
    now, of = house.clock.now(), (house.store, kind, number)
    await house.run(
        "INSERT INTO records (store_hash, kind, id, version, label, facts, trace, looked_at, created_at)"
        " VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $7)",
        *of, f"{kind.capitalize()} {number}, Huber", facts, [], now,
    )  # fmt: skip
    await house.run(
        "INSERT INTO holds (store_hash, record_kind, record_id, method, state, found, left_as, wanted_at, held_at)"
        " VALUES ($1, $2, $3, 'gate', 'released', $4, $5, $6, $6)",
        *of, {"group_id": 9}, {"group_id": 2}, now,
    )  # fmt: skip
    await house.run(
        "INSERT INTO actions (store_hash, kind, record_kind, record_id, lane, seq, payload, priority, state, due_at,"
        " found, left_as, created_at, finished_at)"
        " VALUES ($1, 'approve_account', $2, $3, 'main', 1, '{}', 10, 'applied', $4, $5, $6, $4, $4)",
        *of, now, {"group_id": 2, "status": 0}, {"group_id": 4, "status": 1},
    )  # fmt: skip


async def commands(house: House, record: RecordKey) -> list[Any]:
    due = await due_deliveries(house.db, house.store, record, house.clock.now())
    return [read_command(house.services.secrets, house.store, d) for d in due if d.topic == "command"]


@pytest.mark.parametrize(
    ("kind", "slug", "facts", "said"),
    [
        ("company", "companies", COMPANY, ("Approved", "lena@huber.example", "Rescue services", "Tax: 1")),
        ("customer", "customers", CUSTOMER, ("mara@xu.example", "VAT: 2")),
    ],
)
async def test_an_approval_is_taken_back_with_a_reason(
    house: House, kind: str, slug: str, facts: dict[str, Any], said: tuple[str, ...]
) -> None:
    await approved(house, kind, "71", facts)
    page = (await house.as_("manager").get(f"{slug}/71")).text
    assert all(text in page for text in (*said, "Undo the approval", "Waits in group"))
    viewer = (await house.as_("viewer").get(f"{slug}/71")).text
    assert "Undo the approval" not in viewer
    assert said[-1] not in viewer
    assert (await house.as_("viewer").post(f"{slug}/71/undo", {"why": "x"})).status_code == 403
    manager = house.as_("manager")
    assert "Kept in the history" in (await manager.get(f"{slug}/71/undo", part=True)).text
    assert (await manager.post(f"{slug}/71/undo", {"why": ""})).status_code == 422
    for _ in range(2):
        answer = await manager.post(f"{slug}/71/undo", {"why": "Signed for another company", "once": "k" * 20})
        assert answer.status_code == 303
    found = await commands(house, RecordKey(kind, "71"))
    assert [(c.kind, c.workflow) for c in found] == [("undo", "account_approval")]


async def test_what_we_did_not_approve_is_not_undone(house: House) -> None:
    await approved(house, "company", "71", {**COMPANY, "status": 0})
    manager = house.as_("manager")
    assert "Undo the approval" not in (await manager.get("companies/71")).text
    assert (await manager.post("companies/71/undo", {"why": "x"})).status_code == 303
    assert await commands(house, RecordKey("company", "71")) == []
    assert (await manager.post("companies/72/undo", {"why": "x"})).status_code == 404
