"""One door to PostgreSQL: named queries, page and decision reads through `databases`, bursts through asyncpg.

Nothing outside this module and its files knows which library runs a query.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg
import databases
import orjson
from databases.core import Connection

from bcapp.errors import AppError, PassingFault

NO_VALUES: Mapping[str, Any] = MappingProxyType({})
PARAMETER = re.compile(r"(?<![:\w]):(\w+)(?!:)")
HEADER = re.compile(r"^-- (\w+) --$")
APPLICATION = "countersign"


class DatabaseAway(PassingFault):
    """No connection was to be had in time, or it broke while in use; the caller comes again later.

    Whether a COMMIT that broke took effect is not known: what follows must be safe to repeat.
    """


class QueryError(AppError):
    """A query file is malformed or names a query twice, or a query was given other values than it names."""


# Queries -----------------------------------------------------------------------------------------------------


def parse_queries(text: str, origin: str) -> dict[str, tuple[str, str]]:
    """Return {name: (statement, comment)} of one file: a `-- name --` line, comment lines, the statement.

    Comments are left out of the statement, for `:word` in them would count as a parameter.
    Raises QueryError for a statement without a name, a name without a statement, a name used twice.
    """
    found: dict[str, tuple[str, str]] = {}
    for name, lines in _sections(text, origin):
        if name in found:
            raise QueryError(f"{origin}: the query {name} stands there twice")
        comment = "\n".join(line.strip().removeprefix("--").strip() for line in lines if line.strip().startswith("--"))
        statement = "\n".join(line for line in lines if not line.strip().startswith("--")).strip().rstrip(";")
        if not statement:
            raise QueryError(f"{origin}: the query {name} has no statement")
        found[name] = (statement, comment)
    return found


def _sections(text: str, origin: str) -> Iterable[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in text.splitlines():
        header = HEADER.match(line.strip())
        if header:
            if name:
                yield name, lines
            name, lines = header[1], []
        elif name:
            lines.append(line)
        elif line.strip() and not line.strip().startswith("--"):
            raise QueryError(f"{origin}: a statement stands before the first -- name --")
    if name:
        yield name, lines


def load_queries(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return ({name: statement}, {name: comment}) of all files; names are unique over all of them."""
    statements: dict[str, str] = {}
    comments: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        for name, (statement, comment) in parse_queries(path.read_text(), path.name).items():
            if name in statements:
                raise QueryError(f"{path.name}: the query {name} stands in another file too")
            statements[name], comments[name] = statement, comment
    return statements, comments


QUERIES, COMMENTS = load_queries(Path(__file__).parent / "queries")


def positional(name: str) -> tuple[str, tuple[str, ...]]:
    """Return a query for raw asyncpg: (statement with $1, $2, ... for :word, the words in that order)."""
    return _numbered(QUERIES[name])


@cache
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    words: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in words:
            words.append(match[1])
        return f"${words.index(match[1]) + 1}"

    return PARAMETER.sub(number, statement), tuple(words)


# Connections -------------------------------------------------------------------------------------------------


def encode_json(value: Any) -> str:
    """JSON text of a parameter. A str is taken for JSON text already (PgQueuer sends its headers so)."""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


async def prepare_connection(connection: asyncpg.Connection[Any]) -> None:
    """Make jsonb and json come back decoded, and accept dict, list, number and None as parameters.

    The one place for it: every connection of this process passes here. A plain string to be stored as a JSON
    string must be dumped by the caller. Numbers with a fraction come back as float: money stands in jsonb as text.
    """
    for name in ("jsonb", "json"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=encode_json, decoder=orjson.loads, format="text"
        )


async def keep_session(connection: asyncpg.Connection[Any]) -> None:
    """Give a connection back to its pool without the usual statement that resets the session.

    Nothing here changes a session (no SET, LISTEN, session locks or cursors WITH HOLD), and that statement doubles
    the round trips of every page. An open transaction is still rolled back, by asyncpg itself.
    """


async def connect_raw(dsn: str, **options: Any) -> asyncpg.Connection[Any]:
    """Return a connection of one's own (LISTEN, COPY, maintenance), prepared like the others."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(
        dsn, server_settings={"application_name": APPLICATION, "timezone": "UTC"}, **options
    )
    await prepare_connection(connection)
    return connection


@asynccontextmanager
async def acquire(pool: asyncpg.Pool[Any], seconds: float = 5.0) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection of the pool; DatabaseAway when none is to be had in time, or when it breaks while in use."""
    try:
        connection: Any = await pool.acquire(timeout=seconds)
    except TimeoutError:
        raise DatabaseAway(f"no database connection within {seconds:g} s") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise DatabaseAway(f"no database connection: {exc}") from exc
    try:
        yield connection
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        if _is_closed(connection):
            raise DatabaseAway(f"the database connection broke: {exc}") from exc
        raise
    finally:
        await pool.release(connection)


class Database:
    """The process's two pools on one PostgreSQL.

    dsn: postgresql://user:password@host:port/name, or with ?host=/socket/folder&port=5432 for a unix socket.
    size, pool_size: connections at most for pages and decisions, and for bursts and the queue.
    acquire_seconds: how long to wait for a free connection before DatabaseAway.
    statement_seconds: how long one statement may take.

    Queries are named by their key in QUERIES, so SQL never stands in Python. A child task has a connection
    of its own: what a TaskGroup runs inside a transaction is outside of it.
    """

    def __init__(
        self,
        dsn: str,
        *,
        size: int = 10,
        pool_size: int = 4,
        acquire_seconds: float = 5.0,
        statement_seconds: float = 30.0,
        queries: Mapping[str, str] = QUERIES,
    ) -> None:
        self.dsn = dsn
        self._queries = queries
        self._acquire_seconds = acquire_seconds
        shared: dict[str, Any] = {
            "dsn": dsn,
            "min_size": 0,  # more would be reopened in the background, with a traceback in the log each time
            "command_timeout": statement_seconds,
            "timeout": acquire_seconds,  # opening one
            "init": prepare_connection,
            "reset": keep_session,
            "server_settings": {"application_name": APPLICATION, "timezone": "UTC"},
        }
        self._database = databases.Database(dsn, max_size=size, **shared)
        self._create_pool = partial(asyncpg.create_pool, max_size=pool_size, **shared)
        self._pool: asyncpg.Pool[Any] | None = None

    async def connect(self) -> None:
        """Open both pools; raise DatabaseAway when the server cannot be reached."""
        await self._database.connect()
        self._pool = await self._create_pool()
        try:
            async with self._connection():
                pass
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """Close both pools, after what runs in them; what takes longer than ten seconds is cut off."""
        raw, self._pool = self._pool, None
        pages = self._database._backend._pool
        try:
            async with asyncio.timeout(10):
                if raw is not None:
                    await raw.close()
                await self._database.disconnect()
        except TimeoutError:
            for pool in (raw, pages):
                if pool is not None:
                    pool.terminate()

    async def __aenter__(self) -> Database:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    @property
    def pool(self) -> asyncpg.Pool[Any]:
        """The raw asyncpg pool for bursts and the queue: `async with acquire(db.pool) as connection`."""
        if self._pool is None:
            raise AppError("the database is not connected")
        return self._pool

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """This task's connection; `databases` itself would wait for a free one for ever."""
        connection = self._database.connection()
        try:
            async with asyncio.timeout(self._acquire_seconds):
                await connection.__aenter__()
        except TimeoutError:
            raise DatabaseAway(f"no database connection within {self._acquire_seconds:g} s") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise DatabaseAway(f"no database connection: {exc}") from exc
        try:
            yield connection
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            if _is_closed(connection.raw_connection):
                raise DatabaseAway(f"the database connection broke: {exc}") from exc
            raise
        finally:
            await connection.__aexit__()

    def _asked(self, name: str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Return (statement, its parameters in order) for asyncpg: `databases` would compile the text each time.

        Raises QueryError when a value is missing, or names nothing in the statement.
        """
        statement, words = _numbered(self._queries[name])
        if values.keys() != set(words):
            raise QueryError(f"{name} takes {', '.join(sorted(words))}; given: {', '.join(sorted(values))}")
        return statement, [values[word] for word in words]

    async def fetch_one(self, name: str, values: Mapping[str, Any] = NO_VALUES) -> dict[str, Any] | None:
        """Return the first row by column name, None without one."""
        statement, given = self._asked(name, values)
        async with self._connection() as connection:
            row = await connection.raw_connection.fetchrow(statement, *given)
        return dict(row) if row is not None else None

    async def fetch_all(self, name: str, values: Mapping[str, Any] = NO_VALUES) -> list[dict[str, Any]]:
        """Return every row by column name, in the statement's order."""
        statement, given = self._asked(name, values)
        async with self._connection() as connection:
            rows = await connection.raw_connection.fetch(statement, *given)
        return [dict(row) for row in rows]

    async def fetch_val(self, name: str, values: Mapping[str, Any] = NO_VALUES) -> Any:
        """Return the first column of the first row, None without one."""
        statement, given = self._asked(name, values)
        async with self._connection() as connection:
            return await connection.raw_connection.fetchval(statement, *given)

    async def execute(self, name: str, values: Mapping[str, Any] = NO_VALUES) -> Any:
        """Run the statement; return the first column of its first RETURNING row, None without one."""
        return await self.fetch_val(name, values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit what this task does inside, or roll it back on an exception. A nested one is a savepoint.

        asyncpg's own transaction, because that of `databases` keeps the connection for ever when BEGIN or
        COMMIT fails, which a restarting server makes them do.
        """
        async with self._connection() as connection:
            async with connection.raw_connection.transaction():
                yield

    def raw(self) -> asyncpg.Connection[Any]:
        """Return the asyncpg connection of this task's running transaction, to enqueue jobs in it.

        Raises AppError outside of a transaction.
        """
        connection = self._database._connection
        if connection is None or not connection.raw_connection.is_in_transaction():
            raise AppError("raw() is for use inside a transaction")
        raw: asyncpg.Connection[Any] = connection.raw_connection
        return raw


def _is_closed(connection: asyncpg.Connection[Any]) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back the moment that it broke
        return True
