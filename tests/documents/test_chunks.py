"""Documents' bytes are kept in sealed pieces and come back whole, or not at all."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime

import pytest

from bcapp.db import Database
from bcapp.db.chunks import CHUNK_BYTES, NotKept, delete, keep, read
from bcapp.secrets import SealBroken, Secrets

pytestmark = pytest.mark.database

KEY = Secrets(["k" * 40]).new_data_key()


@pytest.fixture
async def store(database: Database) -> str:
    async with database.pool.acquire() as connection:
        for store_hash in ("one", "two"):
            await connection.execute(
                "INSERT INTO stores (store_hash, state, owner_id, installed_at, state_since) "
                "VALUES ($1, 'active', 1, $2, $2)",
                store_hash,
                datetime(2026, 10, 3, tzinfo=UTC),
            )
    return "one"


async def rows(database: Database) -> int:
    async with database.pool.acquire() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM chunks"))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 17])
async def test_what_is_kept_comes_back(database: Database, store: str, size: int) -> None:
    content = os.urandom(size)
    sha256 = await keep(database, KEY, store, content)
    assert sha256 == hashlib.sha256(content).digest()
    assert await read(database, KEY, store, sha256) == content
    assert await rows(database) == max(1, -(-size // CHUNK_BYTES))


async def test_keeping_twice_changes_nothing(database: Database, store: str) -> None:
    content = os.urandom(CHUNK_BYTES + 5)
    first = await keep(database, KEY, store, content)
    async with database.pool.acquire() as connection:
        before = await connection.fetch("SELECT * FROM chunks ORDER BY position")
        assert await keep(database, KEY, store, content) == first
        assert await connection.fetch("SELECT * FROM chunks ORDER BY position") == before


async def test_nothing_readable_stands_in_the_table(database: Database, store: str) -> None:
    await keep(database, KEY, store, b"%PDF-sentinel" * 100)
    async with database.pool.acquire() as connection:
        assert b"sentinel" not in await connection.fetchval("SELECT content FROM chunks")


async def test_another_store_reads_nothing(database: Database, store: str) -> None:
    sha256 = await keep(database, KEY, store, b"x")
    with pytest.raises(NotKept):
        await read(database, KEY, "two", sha256)
    async with database.pool.acquire() as connection:
        await connection.execute("UPDATE chunks SET store_hash = 'two'")
    with pytest.raises(SealBroken):
        await read(database, KEY, "two", sha256)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM chunks WHERE position = 1",
        "DELETE FROM chunks WHERE position = 2",
        "DELETE FROM chunks",
        "UPDATE chunks SET last = false",
    ],
)
async def test_a_document_that_is_not_whole_is_not_given(database: Database, store: str, damage: str) -> None:
    sha256 = await keep(database, KEY, store, os.urandom(3 * CHUNK_BYTES))
    async with database.pool.acquire() as connection:
        await connection.execute(damage)
    with pytest.raises(NotKept):
        await read(database, KEY, store, sha256)


async def test_what_a_destroyed_key_sealed_is_replaced(database: Database, store: str) -> None:
    sha256 = await keep(database, KEY, store, b"content")
    new = Secrets(["k" * 40]).new_data_key()
    with pytest.raises(SealBroken):
        await read(database, new, store, sha256)
    await keep(database, new, store, b"content")
    assert await read(database, new, store, sha256) == b"content"


async def test_a_document_is_forgotten(database: Database, store: str) -> None:
    sha256 = await keep(database, KEY, store, b"content")
    await delete(database, store, sha256)
    assert await rows(database) == 0


async def test_what_a_transaction_took_back_is_not_kept(database: Database, store: str) -> None:
    async def keep_and_fail() -> None:
        async with database.transaction():
            await keep(database, KEY, store, b"content")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await keep_and_fail()
    assert await rows(database) == 0
