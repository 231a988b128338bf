"""Every sealed column is sealed anew, and a run that was stopped goes on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import bcapp.db
from bcapp import rotate as rotating
from bcapp.db import Database
from bcapp.rotate import COLUMNS, rotate
from bcapp.secrets import Secrets

pytestmark = pytest.mark.database

OLD, NEW = "o" * 32, "n" * 32
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCHEMA = (Path(bcapp.db.__file__).parent / "schema.sql").read_text()


def test_every_column_that_the_schema_marks_is_rotated() -> None:
    marked, table = set(), ""
    for line in SCHEMA.splitlines():
        if created := re.match(r"CREATE TABLE (\w+)", line):
            table = created[1]
        elif column := re.match(r"\s+(\w+)\s.*-- encrypted(?! with the store's data key)", line):
            marked.add((table, column[1]))
    assert marked == {(c.table, c.column) for c in COLUMNS} - {("deliveries", "body")}


async def fill(db: Database, secrets: Secrets, store: str) -> None:
    """A store with a value in every sealed column."""

    def seal(table: str, column: str, row: object) -> bytes:
        return secrets.encrypt(f"{column} of {store}".encode(), table=table, column=column, store_hash=store, row=row)

    async with db.pool.acquire() as connection:
        await connection.execute(
            """INSERT INTO stores (store_hash, state, access_token, data_key, webhook_key, owner_id, installed_at,
                   state_since) VALUES ($1, 'active', $2, $3, $4, 1, $5, $5)""",
            store,
            seal("stores", "access_token", store),
            secrets.wrap(secrets.new_data_key(), store_hash=store),
            seal("stores", "webhook_key", store),
            NOW,
        )
        change = await connection.fetchval(
            """INSERT INTO pending_changes (store_hash, subject, subject_id, payload, summary, asked_by, asked_at,
                   applies_at) VALUES ($1, 'rule', '1', '', '', 1, $2, $2) RETURNING id""",
            store,
            NOW,
        )
        await connection.execute(
            "UPDATE pending_changes SET payload = $2 WHERE id = $1", change, seal("pending_changes", "payload", change)
        )
        account = await connection.fetchval(
            """INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,
                   client_secret, created_at) VALUES ($1, '', 'us', '', '', '', '', '', $2) RETURNING id""",
            store,
            NOW,
        )
        await connection.execute(
            "UPDATE signature_accounts SET client_secret = $2, token = $3 WHERE id = $1",
            account,
            seal("signature_accounts", "client_secret", account),
            seal("signature_accounts", "token", account),
        )
        endpoint = await connection.fetchval(
            """INSERT INTO webhook_endpoints (store_hash, url, created_by, created_at) VALUES ($1, '', 1, $2)
               RETURNING id""",
            store,
            NOW,
        )
        await connection.execute(
            "UPDATE webhook_endpoints SET secret = $2, previous_secret = $3 WHERE id = $1",
            endpoint,
            seal("webhook_endpoints", "secret", endpoint),
            seal("webhook_endpoints", "previous_secret", endpoint),
        )
        await connection.execute(
            "INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'order', '1', $2)", store, NOW
        )
        request = await connection.fetchval(
            """INSERT INTO requests (store_hash, workflow, purpose, record_kind, record_id, round, projection,
                   fingerprint, snapshot, account_id, agreement_id, agreement_version, nonce, external_id, created_at)
               VALUES ($1, 'order_approval', 'internal', 'order', '1', 1, 1, '', '{}', $2, 1, 1, '', $1, $3)
               RETURNING id""",
            store,
            account,
            NOW,
        )
        await connection.execute(
            "UPDATE requests SET callback_token = $2 WHERE id = $1",
            request,
            seal("requests", "callback_token", request),
        )
        await connection.executemany(
            """INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, body, received_at,
                   due_at)
               VALUES ($1, $2, $3, '', 'order', '1', $4, $5, $5)""",
            [
                (store, "panel:1", "panel", seal("deliveries", "body", "panel:1"), NOW),
                (store, "panel:2", "panel", b"", NOW),
                (store, "bc:1", "bigcommerce", b"under the store's data key", NOW),
            ],
        )


async def sealed_values(db: Database) -> list[tuple[Any, ...]]:
    found = []
    for column in COLUMNS:
        where = "source = 'panel' AND body <> ''" if column.table == "deliveries" else "true"
        row = {"stores": "store_hash", "deliveries": "key"}.get(column.table, "id")
        query = f"SELECT store_hash, {row} AS row, {column.column} AS sealed FROM {column.table} WHERE {where}"
        found += [(column, r["store_hash"], r["row"], bytes(r["sealed"])) for r in await db.pool.fetch(query)]
    return found


def open_all(secrets: Secrets, values: list[tuple[Any, ...]]) -> None:
    for column, store, row, sealed in values:
        place = {"table": column.table, "column": column.column, "store_hash": store, "row": column.row(store, row)}
        opened = secrets.decrypt(sealed, **place)
        assert column.column == "data_key" or opened == f"{column.column} of {store}".encode()


async def test_all_values_are_sealed_anew_and_open_with_the_new_key_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotating, "BATCH", 2)
    for store in ("a", "b", "c"):
        await fill(database, Secrets([OLD]), store)
    both = Secrets([NEW, OLD])
    rotation = await rotate(database, both)
    assert set(rotation.resealed.values()) == {3}
    assert len(rotation.resealed) == len(COLUMNS)
    assert "can be removed" in str(rotation)
    values = await sealed_values(database)
    assert len(values) == 3 * len(COLUMNS)
    open_all(Secrets([NEW]), values)
    assert (await rotate(database, both)).resealed == {}
    assert await sealed_values(database) == values


async def test_a_run_that_was_stopped_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for store in ("a", "b", "c"):
        await fill(database, Secrets([OLD]), store)
    both, execute, calls = Secrets([NEW, OLD]), database.execute, 0

    async def stop_half_way(name: str, values: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 10:
            raise KeyboardInterrupt
        return await execute(name, values)

    monkeypatch.setattr(database, "execute", stop_half_way)
    with pytest.raises(KeyboardInterrupt):
        await rotate(database, both)
    open_all(both, await sealed_values(database))
    monkeypatch.undo()
    again = await rotate(database, both)
    assert again.resealed.total() == 3 * len(COLUMNS) - 10
    open_all(Secrets([NEW]), await sealed_values(database))


async def test_a_value_that_does_not_open_is_named_and_stops_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotating, "BATCH", 1)
    await fill(database, Secrets(["x" * 32]), "a")
    await fill(database, Secrets([OLD]), "b")
    rotation = await rotate(database, Secrets([NEW, OLD]))
    assert len(rotation.unreadable) == len(COLUMNS)
    assert rotation.resealed.total() == len(COLUMNS)
    assert "can be removed" not in str(rotation)
    assert "stores.access_token of a" in str(rotation)


async def test_a_secret_changed_meanwhile_is_not_overwritten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, Secrets([OLD]), "a")
    execute = database.execute

    async def change_first(name: str, values: Any) -> Any:
        if name == "reseal_access_token":
            await database.pool.execute("UPDATE stores SET access_token = 'newer'")
        return await execute(name, values)

    monkeypatch.setattr(database, "execute", change_first)
    rotation = await rotate(database, Secrets([NEW, OLD]))
    assert rotation.resealed["stores.access_token"] == 0
    assert await database.pool.fetchval("SELECT access_token FROM stores") == b"newer"
