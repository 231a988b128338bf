"""The API: who may, what it answers, and that it answers what is published."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from bcapp.core.cases import CaseEvent
from bcapp.core.news import NEWS
from bcapp.db import chunks
from bcapp.db.api_keys import CALLS_A_MINUTE, add_key, digest_of, revoke_key
from bcapp.db.cases import move_case
from bcapp.db.panel_requests import data_key
from bcapp.web.api import operations
from bcapp.web.api.door import ROOT, Operation
from bcapp.web.api.openapi import document, text
from tests.web.panel.conftest import House, house  # noqa: F401
from tests.web.panel.test_requests import Desk, desk  # noqa: F401

pytestmark = pytest.mark.database

DOCS = Path(__file__).parents[2] / "docs"
PARAMETER = re.compile(r"{(\w+)}")
PUBLISHED = json.loads((DOCS / "api.openapi.json").read_text())


async def key_of(house: House, store: str = "", role: str = "read") -> dict[str, str]:  # noqa: F811
    made = await add_key(house.db, store or house.store, "ERP", role, user_id=1, now=house.clock.now())
    assert made is not None
    return {"Authorization": f"Bearer {made}"}


BODIES: dict[str, Any] = {
    "open_new_case": {"kind": "return", "order_id": 1001, "lines": [{"item_id": 17, "quantity": 1}], "key": "rma-1"},
    "tell_goods": {"goods_back": True},
    "add_new_supplier": {
        "name": "Peak Stoves",
        "country": "US",
        "signatory": {"name": "Bo Chen", "email": "bo@peak.example"},
        "products": ["STOVE-1"],
        "invite": True,
        "key": "erp-7",
    },
    "replace_supplier": {
        "name": "Granite Peak",
        "brands": ["Granite"],
        "signatory": {"name": "Ann Lee", "email": "ann@granite.example"},
    },
    "enter_papers": {"papers": [{"item": "insurance", "expires_on": "2027-12-31"}]},
    "switch_supplier": {"state": "inactive"},
    "change_serial": {"serial": "AB-13"},
    "end_registration": {"why": "Returned"},
    "give_serials": {"lines": [{"order_id": 1001, "sku": "TENT-4", "serial": "AB-14"}]},
}


def path_of(operation: Operation, request_id: int) -> str:
    """The operation's address for what `signed` made: its request, and one row of everything else with id 4711."""
    number = "1001" if "/records/" in operation.path else str(request_id if "/requests" in operation.path else 4711)
    values = {"id": number, "kind": "order", "part": "signed_document"}
    return ROOT + PARAMETER.sub(lambda match: values[match[1]], operation.path)


async def call(house: House, operation: Operation, request_id: int, headers: dict[str, str]) -> Any:  # noqa: F811
    body = BODIES.get(operation.name)
    return await house.client.request(
        operation.method, path_of(operation, request_id), headers=headers, **({"json": body} if body else {})
    )


def fits(answer: Any, operation: Operation) -> None:
    """The answer is what the published file says; nothing more and nothing less."""
    published = PUBLISHED["paths"][ROOT + operation.path][operation.method.lower()]["responses"]
    body = answer.json()
    schema = published[str(answer.status_code)]["content"]["application/json"]["schema"]
    jsonschema.validate(body, {**schema, "components": PUBLISHED["components"]})


async def signed(desk: Desk) -> int:  # noqa: F811
    """A completed request with a hold and a kept PDF."""
    h = desk.house
    await desk.order(1001)
    await desk.hold(1001, "released")
    secrets = h.services.secrets
    wrapped = secrets.wrap(secrets.new_data_key(), store_hash=h.store)
    await h.run("UPDATE stores SET data_key = $2 WHERE store_hash = $1", h.store, wrapped)
    key = await data_key(h.db, secrets, h.store)
    assert key is not None
    request_id = await desk.request(
        1001, "completed", signer="signed", checked="right", inputs=[{"id": "po", "type": "t", "value": "77"}]
    )
    async with h.db.transaction():
        sha256 = await chunks.keep(h.db, key, h.store, b"%PDF-1.7 signed")
        await h.db.execute(
            "keep_evidence",
            {"store_hash": h.store, "request_id": request_id, "part": "signed_document", "sha256": sha256,
             "size_bytes": 15, "provider_hash": "", "verified": True, "now": h.clock.now()},
        )  # fmt: skip
    await h.run(
        "INSERT INTO cases (store_hash, id, kind, state, order_id, origin, currency, quoted, cap, created_at)"
        " OVERRIDING SYSTEM VALUE VALUES ($1, 4711, 'return', 'open', 1001, 'staff', 'USD', 20, 20, $2)",
        h.store, h.clock.now(),
    )  # fmt: skip
    await h.run(
        "INSERT INTO suppliers (store_hash, id, name, identity, created_at, created_by, modified_at)"
        " OVERRIDING SYSTEM VALUE VALUES ($1, 4711, 'Granite Peak', 'granite peak', $2, 1, $2)",
        h.store, h.clock.now(),
    )  # fmt: skip
    await h.run(
        "INSERT INTO registrations (store_hash, id, order_id, item_id, piece, quantity, product_id, sku, name, cover,"
        " serial, serial_key, starts_on, ends_on, state, buyer, created_at) OVERRIDING SYSTEM VALUE"
        " VALUES ($1, 4711, '1001', 17, 1, 1, 5, 'TENT-4', 'Tent', 'warranty', 'AB-12', 'AB12', $3, $4, 'active',"
        " 'Ann Lee', $2)",
        h.store, h.clock.now(), date(2026, 1, 1), date(2028, 12, 31),
    )  # fmt: skip
    return request_id


# What is published ------------------------------------------------------------------------------------------


def test_the_published_file_is_what_the_code_says() -> None:
    assert (DOCS / "api.openapi.json").read_text() == text(), "python -m bcapp.web.api.openapi > docs/api.openapi.json"
    OpenAPIV31SpecValidator(PUBLISHED).validate()


def test_every_operation_and_every_event_stands_in_the_guide() -> None:
    guide = (DOCS / "api.md").read_text()
    for operation in operations():
        assert f"`{operation.method} {operation.path}`" in guide
        assert operation.endpoint.__doc__
    named = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", guide, re.M))
    assert named == set(NEWS)


def test_no_shape_has_room_for_a_signers_link() -> None:
    names = json.dumps(document()).lower()
    for word in ("embed", "sign_url", "signing_url", "callback", "token", "provider_document"):
        assert word not in names


# Who may ----------------------------------------------------------------------------------------------------


async def test_without_a_good_key_nobody_hears_anything(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    request_id = await signed(desk)
    revoked = await key_of(house)
    number = await house.run("SELECT id FROM api_keys")
    assert await revoke_key(house.db, house.store, number, user_id=1, now=house.clock.now())
    good = (await key_of(house))["Authorization"].removeprefix("Bearer ")
    tries: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {good}"},
        {"Authorization": f"Bearer {good}x"},
        {"Authorization": f"Bearer {house.other}{good[len(house.store) :]}"},
        {"Authorization": f"Bearer {house.as_('owner').token}"},  # a session is no key
        {"X-App-Session": house.as_("owner").token},
        revoked,
    ]
    heard = set()
    for operation in operations():
        for headers in tries:
            answer = await call(house, operation, request_id, headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            heard.add(answer.text)
    assert len(heard) == 1  # nobody learns which part of a key is wrong
    session = await house.client.get(f"/s/{house.store}/requests", headers={"X-App-Session": good})
    assert session.status_code == 401


async def test_a_key_of_another_store_finds_nothing_of_ours(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    request_id = await signed(desk)
    stranger = await key_of(house, house.other, "write")
    before = await house.run("SELECT count(*) FROM deliveries")
    for operation in operations():
        if operation.name in ("open_new_case", "add_new_supplier", "give_serials"):  # of their own
            continue
        answer = await call(house, operation, request_id, stranger)
        if operation.pages or operation.path.endswith("/find"):
            assert answer.json()["data"] == []
        else:
            assert answer.status_code == 404, operation.path
        assert "Lee" not in answer.text
    assert await house.run("SELECT count(*) FROM deliveries") == before


async def test_a_key_that_may_read_changes_nothing(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    request_id = await signed(desk)
    headers = await key_of(house)
    for operation in operations():
        answer = await call(house, operation, request_id, headers)
        assert (answer.status_code == 403) == (operation.role == "write"), operation.path
    assert await house.run("SELECT count(*) FROM deliveries WHERE source = 'panel'") == 0


async def test_only_a_digest_is_kept_and_its_use_is_noted(house: House) -> None:  # noqa: F811
    key = (await key_of(house))["Authorization"].removeprefix("Bearer ")
    assert bytes(await house.run("SELECT digest FROM api_keys")) == digest_of(key)
    assert await house.run("SELECT count(*) FROM api_keys k WHERE k::text LIKE $1", f"%{key[-43:]}%") == 0
    house.clock.advance(hours=1)
    await house.client.get(f"{ROOT}/requests", headers={"Authorization": f"Bearer {key}"})
    assert await house.run("SELECT last_used_at FROM api_keys") == house.clock.now()


async def test_each_key_has_its_minute(house: House) -> None:  # noqa: F811
    first, second = await key_of(house), await key_of(house)
    await house.client.get(f"{ROOT}/requests", headers=first)
    await house.run("UPDATE api_keys SET calls = $1 WHERE calls > 0", CALLS_A_MINUTE)
    refused = await house.client.get(f"{ROOT}/requests", headers=first)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["code"] == "too_many_calls"
    assert (await house.client.get(f"{ROOT}/requests", headers=second)).headers["ratelimit-remaining"] == "119"
    house.clock.advance(minutes=1)
    assert (await house.client.get(f"{ROOT}/requests", headers=first)).status_code == 200


async def test_an_uninstalled_store_has_no_api(house: House) -> None:  # noqa: F811
    headers = await key_of(house)
    await house.run("UPDATE stores SET state = 'uninstalled' WHERE store_hash = $1", house.store)
    assert (await house.client.get(f"{ROOT}/requests", headers=headers)).status_code == 401


# What it answers --------------------------------------------------------------------------------------------


async def test_every_answer_is_as_published(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    request_id = await signed(desk)
    headers = await key_of(house, role="write")
    for operation in operations():
        answer = await call(house, operation, request_id, headers)
        assert answer.status_code == operation.status, (operation.path, answer.text)
        if operation.media_type == "application/json":
            fits(answer, operation)
        for secret in ("signing-link-of-a-person", "secret-nonce"):
            assert secret not in answer.text


async def test_a_signed_request_with_its_document(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    request_id = await signed(desk)
    headers = await key_of(house)
    one = (await house.client.get(f"{ROOT}/requests/{request_id}", headers=headers)).json()
    assert one["is_signed"] is True
    assert one["record"] == {"kind": "order", "id": "1001"}
    assert one["inputs"] == [{"id": "po", "type": "t", "value": "77"}]
    assert [d["part"] for d in one["documents"]] == ["signed_document"]
    assert one["signers"][0]["email"] == "grace@shop.example"
    pdf = await house.client.get(f"{ROOT}/requests/{request_id}/documents/signed_document", headers=headers)
    assert pdf.content == b"%PDF-1.7 signed"
    assert pdf.headers["x-content-sha256"] == one["documents"][0]["sha256"]
    assert pdf.headers["content-disposition"].startswith("attachment")
    log = await house.client.get(f"{ROOT}/requests/{request_id}/documents/signing_log", headers=headers)
    assert log.status_code == 404
    record = (await house.client.get(f"{ROOT}/records/order/1001", headers=headers)).json()
    assert record["hold"]["state"] == "released"
    assert record["total"] == {"amount": "1200.0000", "currency": "USD"}
    assert [r["id"] for r in record["requests"]] == [request_id]


async def test_pages_follow_each_other_without_gaps(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    headers = await key_of(house)
    ids = []
    for number in range(1, 8):
        await desk.order(1000 + number)
        ids.append(await desk.request(1000 + number, "sent" if number % 2 else "declined"))
        house.clock.advance(minutes=1)

    async def every(path: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = (await house.client.get(path, params=params, headers=headers)).json()
            found += page["data"]
            if page["next"] is None:
                return found
            params["after"] = page["next"]

    assert [r["id"] for r in await every(f"{ROOT}/requests", limit=3)] == ids[::-1]
    assert [r["id"] for r in await every(f"{ROOT}/requests", limit=2, status="declined")] == ids[5::-2][:3]
    assert [r["id"] for r in await every(f"{ROOT}/requests", record_kind="order", record_id="1003")] == [ids[2]]
    since = (house.clock.now() - timedelta(minutes=2, seconds=30)).isoformat()
    assert [r["id"] for r in await every(f"{ROOT}/requests", created_since=since)] == ids[:4:-1]
    assert [r["id"] for r in await every(f"{ROOT}/records/order", limit=2)] == [str(n) for n in range(1007, 1000, -1)]


async def test_looking_again_queues_a_look_and_says_who_asked(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    await desk.order(1001)
    headers = await key_of(house, role="write")
    for _ in range(2):
        assert (await house.client.post(f"{ROOT}/records/order/1001/look", headers=headers)).status_code == 202
    assert await house.run("SELECT count(*) FROM deliveries WHERE record_id = '1001'") == 1
    actor = await house.run("SELECT actor FROM audit_log WHERE event = 'looked_again' LIMIT 1")
    assert actor.startswith("api_key:")
    assert (await house.client.post(f"{ROOT}/records/order/999/look", headers=headers)).status_code == 404


async def listens(house: House) -> None:  # noqa: F811
    """Another system listens to everything."""
    await house.run(
        "INSERT INTO webhook_endpoints (store_hash, url, secret, created_by, created_at) VALUES ($1, $2, $3, 1, $4)",
        house.store, "https://erp.example/hook", b"x", house.clock.now(),
    )  # fmt: skip


# Cases, suppliers, registrations ----------------------------------------------------------------------------


async def test_a_case_is_opened_once_however_often_it_is_asked(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    headers = await key_of(house, role="write")
    await listens(house)
    body = BODIES["open_new_case"] | {"amount": "4.50"}
    first = await house.client.post(f"{ROOT}/cases", json=body, headers=headers)
    assert first.status_code == 201, first.text
    assert first.json()["state"] == "new"
    assert first.json()["origin"] == "api"
    assert [(x["item_type"], x["quantity"], x["amount"]) for x in first.json()["lines"]] == [
        ("PRODUCT", 1, "0.0000"), ("ORDER", 0, "4.5000"),
    ]  # fmt: skip
    second = await house.client.post(f"{ROOT}/cases", json=body, headers=headers)
    assert second.json() == first.json()
    assert await house.run("SELECT count(*) FROM cases") == 1
    # Whoever made the key is who asks: they may not approve it.
    assert await house.run("SELECT opened_by FROM cases") == await house.run("SELECT created_by FROM api_keys")
    another = await house.client.post(f"{ROOT}/cases", json=body | {"order_id": 1002}, headers=headers)
    assert another.status_code == 409
    actor = await house.run("SELECT actor FROM audit_log WHERE event = 'case_asked_by_api' LIMIT 1")
    assert actor.startswith("api_key:")
    listed = (await house.client.get(f"{ROOT}/cases?order_id=1001&state=new", headers=headers)).json()
    assert [c["id"] for c in listed["data"]] == [first.json()["id"]]
    async with house.db.transaction():
        for _ in range(2):  # the second changes nothing, and is no news
            await move_case(house.db, house.store, first.json()["id"], CaseEvent.WITHDRAWN, "", house.clock.now())
    told = await house.run("SELECT array_agg(event ORDER BY event) FROM webhook_messages")
    assert told == ["case.opened", "case.withdrawn"]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "theft"}, {"order_id": 0}, {"order_id": "x"}, {"lines": []},
        {"lines": [{"item_id": 1, "quantity": 0}]},
        {"lines": [{"item_id": 1, "quantity": 1}] * 2}, {"amount": "-1"}, {"amount": "1.005"}, {"amount": "NaN"},
        {"amount": "1e30"}, {"kind": "cancellation"}, {"reason": "boredom"}, {"tolerance": 50}, {"note": "a\nb"},
        {"key": "a b"}, {"opened_by": 1},
    ],
)  # fmt: skip
async def test_what_is_no_case_is_refused(house: House, change: dict[str, Any]) -> None:  # noqa: F811
    headers = await key_of(house, role="write")
    answer = await house.client.post(f"{ROOT}/cases", json=BODIES["open_new_case"] | change, headers=headers)
    assert answer.status_code == 400, answer.text
    assert await house.run("SELECT count(*) FROM cases") == 0


async def test_a_claim_is_looked_up_by_serial_and_by_whatever_is_known(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    await signed(desk)
    headers = await key_of(house)
    for path in ("?serial=ab%2012", "?order_id=1001&state=active", "/find?q=AB-12", "/find?q=%231001"):
        found = (await house.client.get(f"{ROOT}/registrations{path}", headers=headers)).json()["data"]
        assert [(r["id"], r["covered"]) for r in found] == [(4711, True)], path
    for path in ("?serial=zz", "?serial=-", "/find", "/find?q=x"):
        assert (await house.client.get(f"{ROOT}/registrations{path}", headers=headers)).json()["data"] == [], path
    house.clock.advance(days=800)
    ended = (await house.client.get(f"{ROOT}/registrations/4711", headers=headers)).json()
    assert ended["covered"] is False
    assert ended["sentence"].startswith("Not covered: the warranty ended on 31 December 2028")


async def test_a_supplier_is_kept_by_another_system(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    headers = await key_of(house, role="write")
    await listens(house)
    home, body = f"{ROOT}/suppliers", BODIES["add_new_supplier"]
    first = await house.client.post(home, json=body, headers=headers)
    assert first.status_code == 201, first.text
    again = await house.client.post(home, json=body, headers=headers)
    assert again.json() == first.json()
    for change in ({"key": "erp-8"}, {"name": "Another"}):  # taken by name, and by key
        assert (await house.client.post(home, json=body | change, headers=headers)).status_code == 409
    here = f"{home}/{first.json()['id']}"
    changed = await house.client.put(here, json=body | {"brands": ["Peak"]}, headers=headers)
    assert changed.status_code == 400  # what only a new one takes
    whole = {name: value for name, value in body.items() if name not in ("invite", "key")} | {"brands": ["Peak"]}
    changed = await house.client.put(here, json=whole, headers=headers)
    assert {(c["kind"], c["name"]) for c in changed.json()["covers"]} == {("brand", "Peak"), ("product", "STOVE-1")}
    unsigned = await house.client.put(here, json={"name": "Peak Stoves"}, headers=headers)
    assert unsigned.status_code == 422
    papers = await house.client.post(f"{here}/papers", json=BODIES["enter_papers"], headers=headers)
    assert {p["item"]: p["state"] for p in papers.json()["papers"]}["insurance"] == "good"
    assert (await house.client.post(f"{here}/invite", headers=headers)).json()["invited_at"]
    for _ in range(2):
        left = await house.client.post(f"{here}/state", json={"state": "inactive"}, headers=headers)
        assert left.json()["state"] == "inactive"
    told = await house.run("SELECT array_agg(event) FROM webhook_messages")
    assert sorted(told) == ["supplier.added", "supplier.changed", "supplier.deactivated", "supplier.papers"]
    actors = await house.run("SELECT array_agg(DISTINCT actor) FROM audit_log WHERE event LIKE 'supplier%'")
    assert all(actor.startswith("api_key:") for actor in actors)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "a\nb"}, {"country": "Germany"}, {"language": "english"}, {"brands": ["A|B"]},
        {"signatory": {"name": "Bo", "email": "bo"}}, {"signatory": None}, {"hide_all": True},
        {"registration": "DE89 3704 0044 0532 0130 00"},
    ],
)  # fmt: skip
async def test_what_is_no_supplier_is_refused(house: House, change: dict[str, Any]) -> None:  # noqa: F811
    headers = await key_of(house, role="write")
    answer = await house.client.post(f"{ROOT}/suppliers", json=BODIES["add_new_supplier"] | change, headers=headers)
    assert answer.status_code == 400, answer.text
    assert await house.run("SELECT count(*) FROM suppliers") == 0


async def test_serial_numbers_are_given_and_a_cover_ended_once(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    await signed(desk)
    headers = await key_of(house, role="write")
    here = f"{ROOT}/registrations/4711"
    assert (await house.client.post(f"{here}/serial", json={"serial": ""}, headers=headers)).json()["serial"] == ""
    filled = [
        (await house.client.post(f"{ROOT}/registrations/serials", json=BODIES["give_serials"], headers=headers)).json()
        for _ in range(2)
    ]
    assert [f["filled"] for f in filled] == [1, 0]
    twice = {"lines": BODIES["give_serials"]["lines"] * 2}
    refused = await house.client.post(f"{ROOT}/registrations/serials", json=twice, headers=headers)
    assert (refused.status_code, "lines.1" in refused.json()["error"]["message"]) == (400, True)
    for why in ("Returned", "Again"):
        ended = (await house.client.post(f"{here}/end", json={"why": why}, headers=headers)).json()
        assert (ended["state"], ended["serial"]) == ("ended", "AB-14")
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'registration_ended'") == 1


async def test_the_goods_are_told_to_be_back(desk: Desk) -> None:  # noqa: F811
    house = desk.house  # noqa: F811
    await signed(desk)
    headers = await key_of(house, role="write")
    told = await house.client.post(f"{ROOT}/cases/4711/goods", json={"goods_back": True}, headers=headers)
    assert told.json()["goods_back"] is True
    assert await house.run("SELECT count(*) FROM deliveries WHERE record_kind = 'case' AND record_id = '4711'") == 1
    await house.run("UPDATE cases SET state = 'closed'")
    late = await house.client.post(f"{ROOT}/cases/4711/goods", json={"goods_back": False}, headers=headers)
    assert late.status_code == 409


# Refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/requests?limit=0", 400),
        ("GET", "/requests?limit=101", 400),
        ("GET", "/requests?limit=x", 400),
        ("GET", "/requests?stauts=sent", 400),
        ("GET", "/requests?status=gone", 400),
        ("GET", "/requests?after=x", 400),
        ("GET", "/requests?after=WyJ4Il0", 400),
        ("GET", "/requests?created_since=yesterday", 400),
        ("GET", "/requests?created_since=0001-01-01T00:00:00%2B23:00", 400),
        ("GET", "/records/order?after=WyJ4IiwieSJd", 400),
        ("GET", "/requests/x", 404),
        ("GET", "/requests/0", 404),
        ("GET", "/requests/99999999999999999999", 404),
        ("GET", "/requests/1/documents/passwords", 404),
        ("GET", "/records/Order", 404),
        ("GET", "/records/order/%00", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/requests", 405),
        ("POST", "/requests/1", 405),
    ],
)
async def test_every_refusal_has_one_shape(house: House, method: str, path: str, status: int) -> None:  # noqa: F811
    headers = await key_of(house)
    answer = await house.client.request(method, f"{ROOT}{path}", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message"}
    assert answer.json()["error"]["message"].endswith(".")


async def test_the_description_is_served_and_needs_no_key(house: House) -> None:  # noqa: F811
    answer = await house.client.get(f"{ROOT}/openapi.json")
    assert answer.json() == PUBLISHED


# The panel's page --------------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_revoked_at_once(house: House) -> None:  # noqa: F811
    made = await house.as_("manager").post("settings/api", {"name": "ERP", "role": "read"})
    found = re.search(rf"<code>({house.store}\.[A-Za-z0-9_-]{{43}})</code>", made.text)
    assert found
    key = found[1]
    headers = {"Authorization": f"Bearer {key}"}
    assert (await house.client.get(f"{ROOT}/requests", headers=headers)).status_code == 200
    shown = (await house.as_("owner").get("settings/api")).text
    assert key not in shown
    assert f"ends in {key[-4:]}" in shown
    number = await house.run("SELECT id FROM api_keys")
    for who in ("approver", "viewer"):
        assert (await house.as_(who).get("settings/api")).status_code == 403
        assert (await house.as_(who).post(f"settings/api/{number}/revoke")).status_code == 403
    assert (await house.as_("stranger").post(f"settings/api/{number}/revoke")).status_code == 404
    assert (await house.as_("owner").post(f"settings/api/{number}/revoke")).status_code == 303
    assert (await house.client.get(f"{ROOT}/requests", headers=headers)).status_code == 401
    for data in ({}, {"name": "x", "role": "admin"}, {"name": "y" * 200, "role": "read"}):
        assert (await house.as_("owner").post("settings/api", data)).status_code == 422
