"""Files of a case in the panel: added within limits, sealed, downloaded, taken away before anybody is asked, erased."""

from __future__ import annotations

import httpx

from bcapp.core.kinds.case import file_line
from bcapp.db.cases import files_of
from tests.web.panel.conftest import START, Browser, House
from tests.web.panel.test_cases import opened
from tests.web.panel.test_papers import PNG, with_key


async def add(who: Browser, number: int, content: bytes) -> httpx.Response:
    return await who.client.post(
        who.home + f"cases/{number}/files/new",
        files={"file": ("ann lee.png", content, "image/png")},
        headers={"X-App-Session": who.token},
    )


async def test_staff_add_download_and_take_away_files_of_a_case(house: House) -> None:
    who, case_id = house.as_("approver"), await opened(house)
    assert (await add(who, case_id, PNG)).status_code == 422  # no key to seal it with
    await with_key(house)
    assert (await add(who, case_id, b"<svg/>")).status_code == 422
    assert (await add(house.as_("viewer"), case_id, PNG)).status_code == 403
    for _ in range(2):
        assert (await add(who, case_id, PNG)).status_code == 303
    [row] = await files_of(house.db, house.store, case_id)  # the same file twice is one
    await house.run("UPDATE records SET looked_at = $1, label = 'Case' WHERE kind = 'case'", START)
    page = (await who.get(f"cases/{case_id}")).text
    assert bytes(row["sha256"]).hex() in page
    assert "ann lee" not in page
    at = f"cases/{case_id}/files/{row['id']}"
    ticket = await who.post(f"{at}/get", {})
    assert (await who.client.get(ticket.headers["location"])).content == PNG
    other = await opened(house, order="251")
    assert (await who.post(f"cases/{other}/files/{row['id']}/get", {})).status_code == 404
    assert (await house.as_("viewer").post(f"{at}/remove", {})).status_code == 403
    assert (await who.post(f"{at}/remove", {})).status_code == 303
    assert await house.run("SELECT count(*) FROM paper_pieces") == 0
    assert await files_of(house.db, house.store, case_id) == []
    for n in range(11):
        status = (await add(who, case_id, PNG.replace(b"certificate", b"n%011d" % n, 1))).status_code
        assert status == (303 if n < 10 else 422)
    await house.run("UPDATE cases SET contact_email = 'ann@northfield.example' WHERE id = $1", case_id)
    of = {"store_hash": house.store, "email": "ann@northfield.example", "pattern": "ann@northfield"}
    assert await house.db.fetch_val("erase_cases", of) == 1
    assert await house.run("SELECT count(*) FROM papers") == 0
    await house.run("UPDATE cases SET state = 'closed' WHERE id = $1", case_id)
    assert (await add(who, case_id, PNG)).status_code == 303
    assert await files_of(house.db, house.store, case_id) == []


def test_a_sheet_names_a_file_by_its_hash() -> None:
    assert file_line("image/png", 2048, b"\x01" * 32) == "Picture, 2 kB, SHA-256 " + "01" * 32
