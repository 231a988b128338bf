"""Deliveries in: 200 only after the commit, nothing of strangers kept, nothing of ours lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from bcapp import stores
from bcapp.callbacks import callback_digest, new_callback_token
from bcapp.jobs.intake import Intake
from bcapp.sandbox.bigcommerce.webhooks import sign
from bcapp.web.webhooks import verdict
from tests.web.conftest import Web

pytestmark = pytest.mark.database

PATH = "/webhooks/bigcommerce"


@pytest_asyncio.fixture
async def key(web: Web) -> AsyncIterator[str]:
    """What the store's webhooks carry."""
    yield await stores.get_webhook_key(web.services, web.store.hash)


def body_of(web: Web, **changes: Any) -> bytes:
    event = {
        "scope": "store/order/statusUpdated", "store_id": "1025646", "hash": "7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca",
        "data": {"type": "order", "id": 250}, "created_at": 1561479335, "producer": f"stores/{web.store.hash}",
    }  # fmt: skip
    return json.dumps({**event, **changes}).encode()


async def post(web: Web, body: bytes, key: str | None = None, **headers: str) -> int:
    """Deliver as BigCommerce does; return the status, having seen that there is nothing else in the answer."""
    given = {"Content-Type": "application/json", **({"X-Countersign-Key": key} if key else {}), **headers}
    response = await web.client.post(PATH, content=body, headers=given)
    assert response.content == b""
    assert set(response.headers) <= {"content-length"}
    return response.status_code


async def deliveries(web: Web) -> list[dict[str, Any]]:
    return await web.rows("SELECT * FROM deliveries ORDER BY store_hash, key")


async def counted(web: Web) -> dict[str, int]:
    await web.app.state.counts.flush(web.services.db)
    rows = await web.rows(
        """SELECT name, CAST(sum(count) AS integer) AS count
             FROM (SELECT name, count FROM counters UNION ALL SELECT name, count FROM refusals) AS both_kinds
            GROUP BY name"""
    )
    return {row["name"]: row["count"] for row in rows}


async def test_a_delivery_and_its_job_are_committed_before_the_answer(web: Web, key: str) -> None:
    assert await post(web, body_of(web), key) == 200
    (row,) = await deliveries(web)
    assert (row["record_kind"], row["record_id"], row["topic"]) == ("order", "250", "store/order/statusUpdated")
    assert row["source"] == "bigcommerce"
    jobs = await web.rows("SELECT dedupe_key FROM pgqueuer WHERE entrypoint = 'look'")
    assert jobs == [{"dedupe_key": f"look:{web.store.hash}:order:250"}]
    assert await counted(web) == {}


async def test_the_raw_body_is_kept_sealed(web: Web, key: str) -> None:
    await post(web, body_of(web, extra="ann@example.com"), key)
    (row,) = await deliveries(web)
    assert b"ann@example.com" not in bytes(row["body"])
    assert len(row["body"]) > 100


async def test_the_same_delivery_again_sets_its_row_due_again(web: Web, key: str) -> None:
    await post(web, body_of(web), key)
    async with web.services.db.pool.acquire() as connection:
        await connection.execute("UPDATE deliveries SET done_at = received_at")
    await post(web, body_of(web), key)
    (row,) = await deliveries(web)
    assert (row["seen"], row["done_at"]) == (2, None)


async def test_another_event_of_the_record_is_another_row(web: Web, key: str) -> None:
    await post(web, body_of(web), key)
    await post(web, body_of(web, hash="0" * 40), key)
    assert len(await deliveries(web)) == 2


async def test_a_wrong_or_absent_key_keeps_nothing(web: Web, key: str) -> None:
    before = await web.contents()
    assert await post(web, body_of(web), "x" * 43) == 200
    assert await post(web, body_of(web)) == 200
    assert await post(web, body_of(web, producer=f"stores/{web.stranger.hash}"), key) == 200
    assert await post(web, body_of(web, producer="stores/unheardof"), key) == 200
    assert await web.contents() == before
    assert await counted(web) == {"wrong_key": 2, "unknown_store": 2}


async def test_an_unknown_scope_keeps_nothing(web: Web, key: str) -> None:
    assert await post(web, body_of(web, scope="store/wishlist/created"), key) == 200
    assert await deliveries(web) == []
    assert await counted(web) == {"unknown_scope": 1}


async def test_a_valid_signature_is_enough_without_the_key(web: Web) -> None:
    stamp = str(int(web.services.clock.now().timestamp()))
    headers = sign(web.sandbox.settings.client_secret, "msg_1", stamp, body_of(web))
    assert await post(web, body_of(web), "x" * 43, **headers) == 200
    assert len(await deliveries(web)) == 1
    assert await counted(web) == {"signature_only": 1}


async def test_an_old_signature_is_a_counted_hint(web: Web, key: str) -> None:
    stamp = str(int(web.services.clock.now().timestamp()) - 3600)
    headers = sign(web.sandbox.settings.client_secret, "msg_1", stamp, body_of(web))
    assert await post(web, body_of(web), key, **headers) == 200
    assert await post(web, body_of(web), None, **headers) == 200
    assert [row["seen"] for row in await deliveries(web)] == [2]
    assert await counted(web) == {"old_signature": 2}


async def test_a_signature_of_somebody_else_proves_nothing(web: Web) -> None:
    stamp = str(int(web.services.clock.now().timestamp()))
    headers = sign("another-secret", "msg_1", stamp, body_of(web))
    assert await post(web, body_of(web), None, **headers) == 200
    assert await deliveries(web) == []
    assert await counted(web) == {"wrong_key": 1}


@pytest.mark.parametrize(
    ("key", "proof", "taken", "count"),
    [
        ("current", "absent", True, ""), ("current", "valid", True, ""), ("current", "stale", True, "old_signature"),
        ("current", "wrong", True, "wrong_signature"), ("previous", "absent", True, "previous_key"),
        ("wrong", "valid", True, "signature_only"), ("wrong", "stale", True, "old_signature"),
        ("wrong", "absent", False, "wrong_key"), ("wrong", "wrong", False, "wrong_key"),
    ],
)  # fmt: skip
def test_what_a_delivery_is_worth(key: Any, proof: Any, taken: bool, count: str) -> None:
    assert verdict(key, proof) == (taken, count)


async def test_the_previous_key_counts_for_72_hours(web: Web, key: str) -> None:
    await stores.rotate_webhook_key(web.services, web.store.hash)
    web.app.state.doors._known.clear()
    fresh = await stores.get_webhook_key(web.services, web.store.hash)
    assert fresh != key
    assert await post(web, body_of(web), fresh) == 200
    assert await post(web, body_of(web, hash="1" * 40), key) == 200
    assert await counted(web) == {"previous_key": 1}
    web.sandbox.clock.advance(timedelta(hours=72).total_seconds())
    assert await post(web, body_of(web, hash="2" * 40), key) == 200
    assert len(await deliveries(web)) == 2
    assert (await counted(web))["wrong_key"] == 1


async def test_a_key_that_just_changed_is_known_within_a_second(web: Web, key: str) -> None:
    assert await post(web, body_of(web), key) == 200
    await stores.rotate_webhook_key(web.services, web.store.hash)
    fresh = await stores.get_webhook_key(web.services, web.store.hash)
    await asyncio.sleep(0.6)
    assert await post(web, body_of(web, hash="1" * 40), fresh) == 200
    assert len(await deliveries(web)) == 2


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"\x00", b'{"scope": 1}', b"[" * 60_000, b'{"a":' * 9_000, b"\xff\xfe"]
)
async def test_what_is_not_a_delivery_is_refused(web: Web, body: bytes) -> None:
    assert await post(web, body) == 400


async def test_a_large_body_is_refused_however_it_comes(web: Web, key: str) -> None:
    assert await post(web, body_of(web, pad="x" * 66_000), key) == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1_000

    response = await web.client.post(PATH, content=pieces())
    assert response.status_code == 413
    assert await post(web, body_of(web, pad="x" * 60_000), key) == 200


async def test_a_store_that_uninstalls_is_answered_and_nothing_kept(web: Web, key: str) -> None:
    await web.visit(web.auth.uninstall_url(web.store))
    web.app.state.doors._known.clear()
    assert await post(web, body_of(web), key) == 200
    assert await deliveries(web) == []
    assert await counted(web) == {"store_not_active": 1}


async def test_a_full_buffer_and_a_database_that_is_away_ask_to_come_again(web: Web, key: str) -> None:
    await post(web, body_of(web), key)
    web.app.state.intake = Intake(web.services.db.pool, most_events=0)
    assert await post(web, body_of(web, hash="1" * 40), key) == 503
    web.app.state.intake = Intake(web.services.db.pool)
    await web.services.db.pool.close()
    assert await post(web, body_of(web, hash="2" * 40), key) == 503
    web.app.state.doors._known.clear()
    assert await post(web, body_of(web, hash="3" * 40), key) == 503
    await web.services.db.disconnect()
    await web.services.db.connect()
    assert len(await deliveries(web)) == 1


async def test_many_at_once_are_all_kept(web: Web, key: str) -> None:
    hashes = [f"{n:040d}" for n in range(200)]
    statuses = await asyncio.gather(*(post(web, body_of(web, hash=h), key) for h in hashes))
    assert set(statuses) == {200}
    assert len(await deliveries(web)) == 200
    assert len(await web.rows("SELECT * FROM pgqueuer WHERE entrypoint = 'look'")) == 1


# Core Signature


async def a_request(web: Web) -> tuple[int, str]:
    """A request with a callback token, as the worker writes it."""
    token = new_callback_token(web.store.hash)
    now = web.services.clock.now()
    store = web.store.hash
    await web.rows("INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'order', '250', $2)", store, now)
    (row,) = await web.rows(
        """INSERT INTO requests (store_hash, workflow, purpose, record_kind, record_id, round, projection, fingerprint,
               snapshot, account_id, agreement_id, agreement_version, nonce, external_id, callback_digest, created_at)
           VALUES ($1, 'order_approval', 'customer', 'order', '250', 1, 1, 'f', '{}', 1, 1, 1, 'n', 'e', $2, $3)
           RETURNING id""",
        store,
        callback_digest(token),
        now,
    )
    return row["id"], token


def callback_body(**changes: Any) -> bytes:
    event = {
        "uuid": "5b2c7e6e-0000-4000-8000-000000000001", "event_type": "signed", "event_time": "1561479335",
        "event_hash": "0" * 64, "document": {"uuid": "5b2c7e6e-0000-4000-8000-000000000002", "external_id": "e"},
    }  # fmt: skip
    return json.dumps({**event, **changes}).encode()


async def call_back(web: Web, token: str, body: bytes) -> int:
    response = await web.client.post(f"/webhooks/core-signature/{token}", content=body)
    assert response.content == b""
    return response.status_code


async def test_a_callback_says_which_request_to_read_again(web: Web) -> None:
    request_id, token = await a_request(web)
    assert await call_back(web, token, callback_body()) == 200
    assert await call_back(web, token, callback_body()) == 200
    (row,) = await deliveries(web)
    assert (row["record_kind"], row["record_id"], row["seen"]) == ("request", str(request_id), 2)
    assert (row["source"], row["topic"]) == ("core_signature", "signed")


async def test_a_callback_in_an_unknown_shape_still_says_look(web: Web) -> None:
    request_id, token = await a_request(web)
    assert await call_back(web, token, b'{"something": "new"}') == 200
    assert [row["record_id"] for row in await deliveries(web)] == [str(request_id)]
    assert await call_back(web, token, b"not json") == 400


async def test_an_unknown_callback_keeps_nothing(web: Web) -> None:
    _, token = await a_request(web)
    before = await web.contents()
    elsewhere = token.replace(web.store.hash, web.stranger.hash)
    unknown = [new_callback_token(web.store.hash), new_callback_token("unheardof"), elsewhere, "x", "a.b", token + "x"]
    for given in unknown:
        assert await call_back(web, given, callback_body()) == 200
    assert await web.contents() == before
    assert await counted(web) == {"unknown_callback": len(unknown)}


async def test_our_own_failure_asks_the_signature_service_to_come_again(web: Web) -> None:
    _, token = await a_request(web)
    web.app.state.intake = Intake(web.services.db.pool, most_events=0)
    assert await call_back(web, token, callback_body()) == 500


async def test_a_large_callback_is_refused(web: Web) -> None:
    _, token = await a_request(web)
    assert await call_back(web, token, callback_body(pad="x" * 300_000)) == 413
