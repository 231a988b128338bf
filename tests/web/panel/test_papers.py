"""Papers of suppliers and applicants as files: staff upload, look, accept and refuse; it is stored sealed."""

from __future__ import annotations

from typing import Any

import httpx

from bcapp.core.model import RecordKey
from bcapp.db.panel_requests import data_key
from bcapp.jobs.papers import hand_in
from tests.web.panel.conftest import Browser, House
from tests.web.panel.test_account_undo import COMPANY, approved
from tests.web.panel.test_suppliers import added, facts

PNG = b"\x89PNG\r\n\x1a\n" + b"certificate" * 30_000 + b"IEND\xaeB`\x82"


async def upload(who: Browser, number: int, content: bytes, slug: str = "suppliers", **more: str) -> httpx.Response:
    return await who.client.post(
        who.home + f"{slug}/{number}/papers/upload",
        data={"name": "insurance", "until": "", **more},
        files={"file": ("scan.png", content, "image/png")},
        headers={"X-App-Session": who.token},
    )


async def with_key(house: House) -> None:
    secrets = house.services.secrets
    wrapped = secrets.wrap(secrets.new_data_key(), store_hash=house.store)
    await house.run("UPDATE stores SET data_key = $2 WHERE store_hash = $1", house.store, wrapped)


async def sent(
    house: House, number: int, content: bytes = PNG, record: str = "supplier", name: str = "insurance"
) -> Any:
    key = await data_key(house.db, house.services.secrets, house.store)
    assert key is not None
    return await hand_in(
        house.db, key, house.store, RecordKey(record, str(number)),
        name=name, content=content, media="image/png", by=0, request_id=None, now=house.clock.now(),
    )  # fmt: skip


async def state(house: House) -> list[str]:
    return (await house.run("SELECT array_agg(state ORDER BY id) FROM papers")) or []


async def test_staff_upload_a_paper_that_counts_and_can_be_downloaded(house: House) -> None:
    await with_key(house)
    manager, number = house.as_("manager"), await added(house, insurance_until="")
    assert (await upload(manager, number, b"<svg/>")).status_code == 422
    assert (await upload(manager, number, PNG, until="next year")).status_code == 422
    assert await state(house) == []
    answer = await upload(manager, number, PNG, until="2031-05-31")
    assert answer.status_code == 303, answer.text
    [insurance] = [p for p in (await facts(house, number)).papers if p.name == "insurance"]
    assert str(insurance.expires_on) == "2031-05-31"
    assert (
        await house.run("SELECT count(*) FROM paper_pieces WHERE position(CAST('certificate' AS bytea) IN content) > 0")
        == 0
    )
    assert "Accepted" in (await manager.get(f"suppliers/{number}")).text
    paper = await house.run("SELECT id FROM papers")
    ticket = await manager.post(f"suppliers/{number}/papers/{paper}/file", {})
    got = await manager.client.get(ticket.headers["location"])
    assert (got.content == PNG, got.headers["content-type"]) == (True, "image/png")
    assert (await house.as_("viewer").post(f"suppliers/{number}/papers/{paper}/file", {})).status_code == 403
    await upload(manager, number, PNG + PNG)
    assert await state(house) == ["replaced", "accepted"]


async def test_what_a_supplier_sent_waits_for_a_person(house: House) -> None:
    await with_key(house)
    manager, number = house.as_("manager"), await added(house, insurance_until="")
    first = await sent(house, number)
    second = await sent(house, number)
    assert await state(house) == ["dropped", "waiting"]
    assert await house.run("SELECT count(*) FROM paper_pieces WHERE paper_id = $1", first) == 0
    assert (
        await house.run("SELECT count(*) FROM tasks WHERE kind = 'paper_uploaded:insurance' AND done_at IS NULL") == 1
    )
    page = (await manager.get(f"suppliers/{number}")).text
    assert "To be looked at" in page
    assert "by the supplier" in page
    address = f"suppliers/{number}/papers/{second}"
    assert (await manager.get(address)).status_code == 200
    assert (await manager.post(address, {"answer": "refuse"})).status_code == 422
    assert (await manager.post(address, {"answer": "refuse", "why": "Page 2 is missing."})).status_code == 303
    assert await house.run("SELECT count(*) FROM paper_pieces") == 0
    third = await sent(house, number)
    assert (await manager.post(f"suppliers/{number}/papers/{third}", {"answer": "accept"})).status_code == 303
    assert (await manager.post(f"suppliers/{number}/papers/{third}", {"answer": "accept"})).status_code == 303
    assert await state(house) == ["dropped", "refused", "accepted"]
    assert await house.run("SELECT count(*) FROM tasks WHERE kind LIKE 'paper_uploaded%' AND done_at IS NULL") == 0
    other = await added(house, name="Peak", signatory_email="x@peak.example")
    assert (await manager.get(f"suppliers/{other}/papers/{third}")).status_code == 404
    erased = await house.db.fetch_val(
        "erase_papers",
        {"store_hash": house.store, "email": "ann@northfield.example", "requests": [], "kinds": [], "ids": []},
    )
    assert erased == 3
    assert await house.run("SELECT count(*) FROM paper_pieces") == 0


async def test_papers_of_an_applicant_are_uploaded_and_looked_at(house: House) -> None:
    await with_key(house)
    manager = house.as_("manager")
    await approved(house, "company", "71", COMPANY)
    assert (await upload(manager, 72, PNG, "companies", name="licence")).status_code == 404
    assert (await upload(manager, 71, PNG, "companies", name="insurance")).status_code == 422
    assert (await upload(house.as_("viewer"), 71, PNG, "companies", name="licence")).status_code == 403
    assert (await upload(manager, 71, PNG, "companies", name="licence", until="2031-05-31")).status_code == 303
    page = (await manager.get("companies/71")).text
    assert "Business licence" in page
    assert "Accepted" in page

    paper = await sent(house, 71, PNG + PNG, "company", "certificate")
    assert (await manager.get(f"suppliers/71/papers/{paper}")).status_code == 404
    assert "by the applicant" in (await manager.get("companies/71")).text
    judged = f"companies/71/papers/{paper}"
    assert (await manager.post(judged, {"answer": "refuse"})).status_code == 422
    assert (await manager.post(judged, {"answer": "refuse", "why": "It cannot be read."})).status_code == 303
    assert "It cannot be read." in (await manager.get("companies/71")).text
    assert await state(house) == ["accepted", "refused"]
