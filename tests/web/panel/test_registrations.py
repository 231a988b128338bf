"""Warranties at the counter as pages: who finds what, and what each button does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from bcapp.core.rules import RuleDefinition
from bcapp.core.warranties import name_key, phone_key, serial_key
from bcapp.db.rules import add_rule
from bcapp.db.warranties import NAME, PHONE
from bcapp.jobs.accepting import data_key
from tests.documents.samples import pdf_of
from tests.web.panel.conftest import START, Browser, House
from tests.web.panel.test_agreements import give_key

pytestmark = pytest.mark.database


async def add(house: House, **changes: Any) -> int:
    """A tent of order 1001, registered by Ann Lee on the phone 030 1234567."""
    key = await data_key(house.services.db, house.services.secrets, house.store)
    given = {
        "store_hash": house.store, "order_id": "1001", "item_id": 1, "piece": 1, "quantity": 1, "product_id": 7,
        "sku": "TENT-4", "name": "Alpine tent", "cover": "warranty", "serial": "NF-1", "serial_key": "NF1",
        "serial_from": "signer", "starts_on": START.date() - timedelta(days=30), "ends_on": None, "state": "active",
        "buyer": "Ann Lee", "name_digest": key.digest(NAME, name_key("Ann Lee")),
        "phone_digest": key.digest(PHONE, phone_key("030 1234567")), "created_at": START, "request_id": 5, **changes,
    }  # fmt: skip
    marks = ", ".join(f"${n}" for n in range(1, len(given) + 1))
    sql = f"INSERT INTO registrations ({', '.join(given)}) VALUES ({marks}) RETURNING id"
    return int(await house.run(sql, *given.values()))


async def rows_of(house: House, statement: str, *values: Any) -> list[dict[str, Any]]:
    async with house.db.pool.acquire() as connection:
        return [dict(r) for r in await connection.fetch(statement, *values)]


async def find(house: House, who: str, text: str) -> str:
    return (await house.as_(who).get(f"registrations?{urlencode({'q': text})}")).text


async def send(who: Browser, path: str, data: dict[str, str], **files: tuple[str, bytes, str]) -> httpx.Response:
    headers = {"X-App-Session": who.token}
    return await who.client.post(who.home + path, data=data, files=files, headers=headers, timeout=30)


async def test_a_search_answers_covered_or_not_and_why(house: House) -> None:
    await give_key(house)
    assert "No registrations yet" in (await house.as_("viewer").get("registrations")).text
    number = await add(house)
    await add(house, piece=2, serial="NF-2", serial_key="NF2", state="not_activated", state_why="the buyer declined")
    for who, text in (("viewer", "nf 1"), ("approver", "+49 30 123-4567"), ("owner", "lee, ann"), ("viewer", "1001")):
        page = await find(house, who, text)
        assert "Covered: the warranty runs from" in page, (who, text)
        assert ("Ann Lee" in page) is (who != "viewer")
    for text in ("lee, ann", "030 1234567"):
        assert "Nothing is registered" in await find(house, "viewer", text)
    page = await find(house, "owner", "NF-2")
    assert "was not activated, because the buyer declined. Statutory rights are unaffected." in page
    assert "nobody was asked" in await find(house, "owner", "77")
    page = (await house.as_("viewer").get(f"registrations/{number}")).text
    assert "NF-1" in page
    assert "Ann Lee" not in page
    assert (await house.as_("stranger").get("registrations")).status_code in (200, 404)
    assert (await house.as_("intruder").get(f"registrations/{number}")).status_code == 404


async def test_staff_give_a_serial_number_and_end_a_registration(house: House) -> None:
    await give_key(house)
    number = await add(house)
    agent = house.as_("approver")
    assert (await house.as_("viewer").post(f"registrations/{number}/end", {"why": "x"})).status_code == 403
    assert (await agent.post(f"registrations/{number}/serial", {"serial": "--"})).status_code == 422
    await agent.post(f"registrations/{number}/serial", {"serial": " nf 99 "})
    row = (await rows_of(house, "SELECT * FROM registrations WHERE id = $1", number))[0]
    assert (row["serial"], row["serial_key"], row["serial_from"]) == ("nf 99", serial_key("NF-99"), "staff")
    assert (await agent.post(f"registrations/{number}/end", {"why": ""})).status_code == 422
    await agent.post(f"registrations/{number}/end", {"why": "It came back"})
    text = (await agent.get(f"registrations/{number}")).text
    assert "It came back." in text
    assert "Not covered" in text


async def test_a_form_on_paper_and_a_file_of_serial_numbers(house: House) -> None:
    await give_key(house)
    agent = house.as_("approver")
    assert "There is no rule yet" in (await agent.get("registrations/new")).text
    rule = await add_rule(
        house.services.db, house.store, name="Tents", workflow="warranty", definition=RuleDefinition(customer=True),
        author=1, now=START,
    )  # fmt: skip
    form = {"order": "1001", "rule": str(rule), "signed_on": START.date().isoformat(), "serials": "A1\n\nA2"}
    scan = ("form.pdf", pdf_of("Signed: Ann Lee"), "application/pdf")
    for changes, pdf, says in (
        ({"order": ""}, scan, "Write the number of the order."),
        ({"signed_on": "2999-01-01"}, scan, "signed today or earlier"),
        ({}, ("form.pdf", b"no pdf", "application/pdf"), "field-pdf"),
    ):
        answer = await send(agent, "registrations/new", {**form, **changes}, pdf=pdf)
        assert answer.status_code == 422
        assert says in answer.text
    assert (await send(agent, "registrations/new", form, pdf=scan)).status_code in (200, 303)
    paper = (await rows_of(house, "SELECT * FROM paper_forms"))[0]
    assert (paper["order_id"], paper["serials"], paper["state"]) == ("1001", "A1\nA2", "waiting")
    said = await rows_of(house, "SELECT topic, record_id FROM deliveries")
    assert [(d["topic"], d["record_id"]) for d in said] == [("command", "1001")]

    number = await add(house, serial="", serial_key="", serial_from="")
    bad = ("s.csv", b"order,sku,serial\n1001,TENT-4,NF-7\nx,TENT-4,NF-8\n", "text/csv")
    answer = await send(agent, "registrations/serials", {}, sheet=bad)
    assert answer.status_code == 422
    assert "The order number is not a number." in answer.text
    assert await rows_of(house, "SELECT 1 FROM known_serials") == []
    good = ("s.csv", b"order,sku,serial\n1001,TENT-4,NF-7\n1002,TENT-4,NF-8\n", "text/csv")
    await send(agent, "registrations/serials", {}, sheet=good)
    assert len(await rows_of(house, "SELECT 1 FROM known_serials")) == 2
    row = (await rows_of(house, "SELECT serial, serial_from FROM registrations WHERE id = $1", number))[0]
    assert (row["serial"], row["serial_from"]) == ("NF-7", "file")
