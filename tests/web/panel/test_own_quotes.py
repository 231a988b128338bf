"""Quotes made by hand in the panel: the form, the page, and who may."""

from __future__ import annotations

import pytest

from bcapp.db.own_quotes import own_quote_record
from tests.web.panel.conftest import House

pytestmark = pytest.mark.database

FORM = {
    "name": "Lena Hartmann", "email": "lena@hartmann.example", "expires_on": "2030-01-31", "language": "en",
    "terms": "Free delivery", "sku_0": "TENT-4", "quantity_0": "2", "price_0": "250.00", "once": "a" * 22,
}  # fmt: skip


async def look(house: House, number: int) -> None:
    """What a look of the worker leaves, as far as the page needs it."""
    record, now = own_quote_record(number), house.clock.now()
    facts = {"status_word": "Being approved", "allow_checkout": False, "snapshot": {"customer": FORM["email"]}}
    await house.run(
        "INSERT INTO records (store_hash, kind, id, version, label, facts, trace, looked_at, created_at)"
        " VALUES ($1, $2, $3, 1, 'Own quote', $4, '[]', $5, $5)",
        house.store, record.kind, record.id, facts, now,
    )  # fmt: skip


async def test_a_quote_is_made_once_changed_and_withdrawn(house: House) -> None:
    manager = house.as_("manager")
    refused = await manager.post("own-quotes/new", FORM | {"price_0": "two"})
    assert (refused.status_code, "Write it like 12.50" in refused.text) == (422, True)
    for _ in range(2):  # a second click of the same form
        made = await manager.post("own-quotes/new", FORM)
        assert made.status_code == 303
    number = await house.run("SELECT id FROM own_quotes")
    assert await house.run("SELECT count(*) FROM own_quotes") == 1
    assert await house.run("SELECT count(*) FROM deliveries WHERE record_kind = 'own_quote'") == 1
    await look(house, number)
    here = f"own-quotes/{number}"
    page = (await manager.get(here)).text
    assert f"{here}/edit" in page
    assert f"{here}/withdraw" in page
    assert f"{here}/again" not in page  # nothing is signed yet
    assert (await manager.post(f"{here}/again", {})).status_code == 303
    assert await house.run("SELECT count(*) FROM actions WHERE kind = 'open_quote'") == 0
    assert 'value="250.00"' in (await manager.get(f"{here}/edit")).text
    await house.run("UPDATE own_quotes SET cart_id = 'c-1', carts = '{c-1}'")
    assert (await manager.post(f"{here}/edit", FORM | {"price_0": "240"})).status_code == 303
    left = await house.run("SELECT left_carts FROM own_quotes")
    assert left == ["c-1"]
    assert await house.run("SELECT count(*) FROM actions WHERE kind = 'shut_quote'") == 1
    assert (await manager.post(f"{here}/withdraw", {"why": ""})).status_code == 422
    assert (await manager.post(f"{here}/withdraw", {"why": "Too late"})).status_code == 303
    assert await house.run("SELECT state FROM own_quotes") == "withdrawn"
    assert f"{here}/edit" not in (await manager.get(here)).text


@pytest.mark.parametrize(("who", "status"), [("approver", 303), ("viewer", 403), ("intruder", 404)])
async def test_who_may_make_a_quote(house: House, who: str, status: int) -> None:
    assert (await house.as_(who).post("own-quotes/new", FORM)).status_code == status
