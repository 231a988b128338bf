"""schema.sql is the truth: migrations add up to it, store_hash leads it, every query keeps to one store."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.queries import Queries

import bcapp.db
from bcapp.db import COMMENTS, QUERIES, connect_raw, positional
from bcapp.db.migrate import migrate, pending

pytestmark = pytest.mark.database

SCHEMA = (Path(bcapp.db.__file__).parent / "schema.sql").read_text()
TENANT_PART, _, GLOBAL_PART = SCHEMA.partition("\n-- global\n")
TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
ENGINE_TABLES = {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics", "alembic_version"}

CATALOG = {
    "columns": """SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default, is_identity,
        numeric_precision, numeric_scale, identity_generation FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, 2""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "options": """SELECT relname, reloptions, relpersistence FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1""",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "types": """SELECT typname, enumlabel FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid
        WHERE typnamespace = 'public'::regnamespace ORDER BY 1, enumsortorder""",
}


async def catalog(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(dsn)
    try:
        found = {name: [tuple(row) for row in await connection.fetch(query)] for name, query in CATALOG.items()}
    finally:
        await connection.close()
    return {name: [row for row in rows if row[0] != "alembic_version"] for name, rows in found.items()}


async def test_the_migrations_add_up_to_the_schema(empty_dsn: str, database_dsn: str) -> None:
    connection = await asyncpg.connect(empty_dsn)
    await connection.execute(SCHEMA)
    await connection.execute(QueryBuilderEnvironment().build_install_query())
    await connection.close()
    wanted, migrated = await catalog(empty_dsn), await catalog(database_dsn)
    for part in CATALOG:
        assert migrated[part] == wanted[part], f"{part}: add a migration for what schema.sql says"


async def test_the_installed_pgqueuer_asks_for_no_other_tables(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    plan = await Queries.from_asyncpg_connection(connection).plan_upgrade()
    await connection.close()
    assert list(plan.statements) == []


async def test_two_migrations_at_once_and_a_second_one_change_nothing(empty_dsn: str) -> None:
    assert await pending(empty_dsn) != []
    reached = await asyncio.gather(*(migrate(empty_dsn) for _ in range(3)))
    assert len(set(reached)) == 1
    before = await catalog(empty_dsn)
    assert await migrate(empty_dsn) == reached[0]
    assert await pending(empty_dsn) == []
    assert await catalog(empty_dsn) == before


async def test_a_migration_takes_no_lock_that_others_would_wait_behind(database_dsn: str) -> None:
    """A run that has nothing to do passes while another session holds every table."""
    connection = await asyncpg.connect(database_dsn)
    async with connection.transaction():
        await connection.execute("LOCK TABLE stores, deliveries IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(10):
            await migrate(database_dsn)
    await connection.close()


async def test_store_hash_leads_every_tenant_key_and_no_global_one(database_dsn: str) -> None:
    connection = await connect_raw(database_dsn)
    rows = await connection.fetch(
        """SELECT conrelid::regclass::text AS name,
                  (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]) AS first
             FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace"""
    )
    unique = await connection.fetch(
        """SELECT indrelid::regclass::text AS name, indexrelid::regclass::text AS index,
                  (SELECT attname FROM pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0]) AS first
             FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
            WHERE indisunique AND relnamespace = 'public'::regnamespace"""
    )
    tables = {row["tablename"] for row in await connection.fetch("SELECT * FROM pg_tables WHERE schemaname = 'public'")}
    await connection.close()
    first = {row["name"]: row["first"] for row in rows}
    tenant, everybody = set(TABLE.findall(TENANT_PART)), set(TABLE.findall(GLOBAL_PART)) | ENGINE_TABLES
    assert tables == tenant | everybody
    assert {name for name in tables if first.get(name) != "store_hash"} == everybody
    assert [row["index"] for row in unique if row["name"] in tenant and row["first"] != "store_hash"] == []


TENANT_TABLES = set(TABLE.findall(TENANT_PART))
TOUCHED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|USING)\s+(?:ONLY\s+)?(\w+)", re.IGNORECASE)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_query_on_a_tenant_table_keeps_to_one_store(name: str) -> None:
    """A sweep over all stores carries a comment line `global: why`."""
    statement, comment = QUERIES[name], COMMENTS[name]
    if TENANT_TABLES.isdisjoint(TOUCHED.findall(statement)):
        return
    sweeps = re.search(r"^global: \w+", comment, re.MULTILINE)
    by_store = re.search(r":store_hash(es)?\b", statement)
    assert sweeps or by_store, f"{name} is not bound to one store, and no line `-- global: why` says why"


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_no_query_asks_the_servers_clock_or_casts_with_colons(name: str) -> None:
    assert not re.search(r"\bnow\(\)|\bcurrent_timestamp\b|\bclock_timestamp\(\)|::", QUERIES[name], re.IGNORECASE)


async def test_every_query_is_understood_by_the_server(database_dsn: str) -> None:
    """Prepared, not run: wrong columns, tables and types are found here."""
    connection = await connect_raw(database_dsn)
    faults: dict[str, str] = {}
    for name in QUERIES:
        try:
            await connection.prepare(positional(name)[0])
        except asyncpg.PostgresError as exc:
            faults[name] = str(exc)
    await connection.close()
    assert faults == {}
