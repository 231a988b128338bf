"""Measures this machine: how fast deliveries are acknowledged for good, and how soon something follows from them.

Everything runs on this machine, for a bounded time, with a PostgreSQL of its own that really writes to the disk.
Absolute numbers say little about another machine, so ratios of one run are printed; they gate nothing unless asked to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets as random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from bcapp.bench.load import Plan, Tally
from bcapp.bench.rules import LINED, PLAIN, STORED, many_against_one, one_against_many
from bcapp.bigcommerce.oauth import Install
from bcapp.clock import SystemClock
from bcapp.db import Database
from bcapp.db.embedded import EmbeddedPostgres
from bcapp.db.migrate import migrate
from bcapp.errors import AppError
from bcapp.http import make_http
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.driver import Driver
from bcapp.sandbox.ground import SandboxSettings
from bcapp.sandbox.server import SandboxServer
from bcapp.secrets import Secrets
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.stores import Reading, get_webhook_key, install_store

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3
OPTIONS = {"max_wal_size": "4GB", "checkpoint_timeout": "30min"}  # no checkpoint falls into one measurement only
CONNECTIONS = 64
STEADY_RATE = 1_000.0
ORDERS = 20
BURST = 20
PAUSE = 1.0  # seconds between two orders: what follows from one must not be in the way of the next
PATIENCE = 60.0
STORE = "bench1"
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class BenchFailed(AppError):
    """Something did not start, answer or happen in time; the text says what."""


@dataclass(frozen=True)
class Aim:
    """One printed line. gate: below (or above, for times) it the run is marked FAIL; None when nothing gates."""

    name: str
    value: float
    aim: float
    unit: str = ""
    gate: float | None = None
    at_most: bool = False

    def _reached(self, bound: float) -> bool:
        return self.value <= bound if self.at_most else self.value >= bound

    @property
    def failed(self) -> bool:
        return self.gate is not None and not self._reached(self.gate)

    def __str__(self) -> str:
        said = "FAIL" if self.failed else "ok" if self._reached(self.aim) else "below the aim"
        if self.at_most and said == "below the aim":
            said = "above the aim"
        sign = "<=" if self.at_most else ">="
        return f"{self.name:58}{self.value:>9.2f}{self.unit:3}  aim {sign} {self.aim:g}{self.unit:3}  {said}"


def run_bench(what: str, seconds: float = 3.0, *, gate: bool = False) -> int:
    """Measure and print. 0, or with gate 1 when a ratio that gates was missed. seconds: of each measurement."""
    match what:
        case "ingest":
            aims = measure_ingest(seconds)
        case "rules":
            aims = measure_rules()
        case _:
            aims = measure_roundtrip()
    print()
    for aim in aims:
        print(aim)
    return 1 if gate and any(aim.failed for aim in aims) else 0


def measure_rules() -> list[Aim]:
    """Return how long rules take: one order against 100 of them, and 100,000 stored orders against one."""
    each = one_against_many()
    plain, lined = many_against_one([PLAIN, LINED])
    for words, m in (("without", plain), ("with", lined)):
        print(f"{STORED} stored orders, a rule {words} line-item fields: {m.asked} asked, {m.cpu:.1f} s of processor")
    return [
        Aim("one order against 100 rules, processor time", each, 2.0, " ms", at_most=True),
        Aim("100,000 stored orders, without line-item fields", plain.seconds, 3.0, " s", at_most=True),
        Aim("100,000 stored orders, with line-item fields", lined.seconds, 10.0, " s", at_most=True),
        Aim("memory grown after the first tenth", max(plain.grown, lined.grown), 20.0, " MB", 60.0, at_most=True),
    ]


# Processes ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Process:
    """One of our processes, ended by its pid. given: what it reads on standard input, as JSON."""

    def __init__(self, words: list[str], environment: Mapping[str, str], log: Path, given: object = None) -> None:
        self._words, self._environment, self._log, self._given = words, dict(environment), log, given
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, *self._words],
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )
        assert self._process.stdin is not None
        if self._given is not None:
            self._process.stdin.write(json.dumps(self._given).encode())
        self._process.stdin.close()

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken so far. Source: proc(5), /proc/pid/stat, utime and stime."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tail(self) -> str:
        return self._log.read_text(errors="replace")[-1500:] if self._log.exists() else ""


@contextlib.contextmanager
def started(process: Process, port: int | None = None) -> Iterator[Process]:
    """Run a process for as long as the context; wait until it accepts connections on the port."""
    process.start()
    try:
        if port is not None:
            wait_until(lambda: accepts(port), "a server accepts connections", process.tail)
        yield process
    finally:
        process.stop()


def accepts(port: int) -> bool:
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_until(question: Callable[[], object], what: str, more: Callable[[], str] = str) -> None:
    end = time.monotonic() + PATIENCE
    while not question():
        if time.monotonic() > end:
            raise BenchFailed(f"Not within {PATIENCE:g} s: {what}. {more()}".strip())
        time.sleep(0.01)


def base_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "LOG_LEVEL": "WARNING"}


# Ingest ------------------------------------------------------------------------------------------------------

KINDS = ("app", "none", "raw", "both", "databases")


def measure_ingest(seconds: float) -> list[Aim]:
    """Return what durable acknowledgement costs, against the same server that stores nothing or stores plainly."""
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data", options=OPTIONS)
        dsn = server.start()
        try:
            return _measure_ingest(dsn, seconds, Path(folder))
        finally:
            server.stop()


def _measure_ingest(dsn: str, seconds: float, folder: Path) -> list[Aim]:
    secret, keys = random.token_hex(16), random.token_hex(32)
    environment = {
        **base_environment(),
        "APP_URL": "http://127.0.0.1:1",
        "SECRET_KEYS": keys,
        "BC_CLIENT_ID": "bench",
        "BC_CLIENT_SECRET": secret,
        "BC_APP_ID": "1",
    }
    key, dsns = asyncio.run(_prepare(dsn, environment))
    ports = {kind: free_port() for kind in KINDS}
    servers: dict[str, Process] = {}
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            words = ["-m", "bcapp.bench.rivals", kind, str(ports[kind])]
            if kind == "app":
                words = ["-m", "bcapp.cli", "web", "--port", str(ports[kind])]
            own = {**environment, "DATABASE_URL": dsns[kind]}
            process = Process(words, own, folder / f"{kind}.log", {"key": key})
            servers[kind] = stack.enter_context(started(process, ports[kind]))

        def load(kind: str, seconds: float, rate: float = 0.0) -> Tally:
            asyncio.run(_empty(dsns[kind]))
            plan = Plan(ports[kind], seconds, CONNECTIONS, rate, STORE, key, secret, random.token_hex(8))
            tally = send(plan)
            if set(tally.statuses) != {"200"}:
                raise BenchFailed(f"{kind} answered {tally.statuses}")
            return tally

        for kind in KINDS:
            load(kind, 0.5)  # warm
        rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number in range(ROUNDS):
            for kind in KINDS:
                before = servers[kind].cpu_seconds()
                tally = load(kind, seconds)
                spent = (servers[kind].cpu_seconds() - before) / max(tally.acknowledged, 1) * 1e6
                rates[kind].append(tally.per_second)
                print(
                    f"round {number + 1}  {kind:10}{tally.per_second:>8.0f}/s   "
                    f"p50 {tally.percentile(0.5):6.1f} ms   p99 {tally.percentile(0.99):6.1f} ms   "
                    f"{spent:5.0f} µs of the server's processor each",
                    flush=True,
                )
        steady = load("app", max(seconds, 3.0), STEADY_RATE)
    mine = statistics.median(rates["app"])
    ratios = {kind: mine / statistics.median(rates[kind]) for kind in KINDS}
    print(
        f"at {STEADY_RATE:.0f}/s: {steady.acknowledged} acknowledged, p50 {steady.percentile(0.5):.1f} ms", flush=True
    )
    print(f"against the same row and job by one transaction each: {ratios['both']:.2f}", flush=True)
    return [
        Aim("acknowledged for good / same checks, nothing stored", ratios["none"], 0.45),
        Aim("acknowledged for good / one INSERT each on asyncpg", ratios["raw"], 1.5, gate=1.3),
        Aim("acknowledged for good / one INSERT each by databases", ratios["databases"], 2.5),
        Aim(f"p99 at {STEADY_RATE:.0f}/s", steady.percentile(0.99), 50.0, " ms", at_most=True),
    ]


def send(plan: Plan) -> Tally:
    done = subprocess.run(
        [sys.executable, "-m", "bcapp.bench.load"],
        input=json.dumps(asdict(plan)).encode(),
        capture_output=True,
        cwd=ROOT,
        timeout=plan.seconds * 3 + 60,
    )
    if done.returncode:
        raise BenchFailed(f"the load generator failed: {done.stderr.decode()[-1500:]}")
    return Tally(**json.loads(done.stdout))


async def _prepare(dsn: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Make a migrated database per kind and install the store in the app's; return (its webhook key, the DSNs)."""
    dsns = {}
    for kind in KINDS:
        connection = await asyncpg.connect(dsn)
        await connection.execute(f'CREATE DATABASE "bench_{kind}"')
        await connection.close()
        dsns[kind] = urlunsplit(urlsplit(dsn)._replace(path=f"/bench_{kind}"))
        await migrate(dsns[kind])
    given = {name.lower(): value for name, value in environment.items() if name[:2] in ("AP", "SE", "BC")}
    settings = Settings(**given)  # type: ignore[arg-type]
    async with Database(dsns["app"]) as db, make_http() as http:
        services = Services(settings, db, http, SystemClock(), Secrets(settings.keys))
        install = Install(STORE, "token", "store_v2_orders", 1, "owner@bench.test", 1, "owner@bench.test", "")
        await install_store(services, install, Reading({}, None))
        return await get_webhook_key(services, STORE), dsns


async def _empty(dsn: str) -> None:
    """Start every measurement from the same, empty tables."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("TRUNCATE deliveries, pgqueuer")
    finally:
        await connection.close()


# Round trip --------------------------------------------------------------------------------------------------


def measure_roundtrip() -> list[Aim]:
    """Return how soon an order is held after it was placed, and how soon all is held again after a kill -9."""
    settings = SandboxSettings(history=False, speed=60.0)
    app_port = free_port()
    settings.app_url = f"http://127.0.0.1:{app_port}"
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "data")
        dsn = postgres.start()
        try:
            with SandboxServer(Sandbox(settings)) as server:
                environment = _app_environment(server, app_port, dsn)
                asyncio.run(migrate(dsn))
                web = Process(["-m", "bcapp.cli", "web", "--port", str(app_port)], environment, Path(folder, "web.log"))
                worker = Process(["-m", "bcapp.cli", "worker"], environment, Path(folder, "worker.log"))
                with started(web, app_port), started(worker):
                    return _measure_roundtrip(server, settings.app_url, worker, Path(folder))
        finally:
            postgres.stop()


def _app_environment(server: SandboxServer, app_port: int, dsn: str) -> dict[str, str]:
    url, settings = server.url, server.sandbox.settings
    return {
        **base_environment(),
        "APP_URL": f"http://127.0.0.1:{app_port}",
        "SECRET_KEYS": random.token_hex(32),
        "BC_CLIENT_ID": settings.client_id,
        "BC_CLIENT_SECRET": settings.client_secret,
        "BC_APP_ID": str(settings.app_id),
        "BC_LOGIN_URL": url,
        "BC_API_URL": url,
        "BC_B2B_URL": url,
        "BC_SDK_URL": f"{url}/sdk/bc-sdk.js",
        "FRAME_ANCESTORS": url,
        "SIGNATURE_HOSTS": f"127.0.0.1:{server.port}",
        "SIGNATURE_DOWNLOAD_HOSTS": f"localhost:{server.port}",
        "COUNTERSIGN_CLOCK_URL": f"{url}/clock",
        "DATABASE_URL": dsn,
    }


def _measure_roundtrip(server: SandboxServer, app_url: str, worker: Process, folder: Path) -> list[Aim]:
    driver = Driver(server, app_url, folder / "web.log")
    store: Any = server.sandbox.bigcommerce.store
    try:
        wait_until(lambda: _ready(app_url), "the app is ready", worker.tail)
        driver.set_up()
        driver.make_rule("Large orders", "500", customer="yes")
        dear = next(p["sku"] for p in store.products.values() if float(p["price"]) > 300 and p["type"] == "physical")

        def place() -> tuple[int, float]:
            begun = server.sandbox.clock.now().timestamp()
            return store.place_order(lines=[(dear, 2)], customer_id=next(iter(store.customers))).id, begun

        def first_call(order_id: int, method: str) -> float | None:
            for call in list(server.sandbox.calls):
                if call.method == method and call.executed and call.path.endswith(f"/orders/{order_id}"):
                    return call.at.timestamp()
            return None

        def held_at(order_id: int) -> float | None:
            return first_call(order_id, "PUT")

        read, held = [], []
        for _ in range(ORDERS):
            order_id, begun = place()
            wait_until(partial(held_at, order_id), f"order {order_id} is held", worker.tail)
            read.append(((first_call(order_id, "GET") or 0) - begun) * 1000)
            held.append(((held_at(order_id) or 0) - begun) * 1000)
            time.sleep(PAUSE)
        print(
            f"{ORDERS} orders, from the event to reading the order: p50 {statistics.median(read):.0f} ms; "
            f"to its hold: p50 {statistics.median(held):.0f} ms, longest {max(held):.0f} ms",
            flush=True,
        )
        recovery = _measure_recovery(worker, place, held_at)
    finally:
        driver.browser.close()
        driver.http.close()
    return [
        Aim("event to hold issued, p50", statistics.median(held), 150.0, " ms", at_most=True),
        Aim(f"all {BURST} orders held after kill -9 of the worker", recovery, 15.0, " s", at_most=True),
    ]


def _measure_recovery(
    worker: Process, place: Callable[[], tuple[int, float]], held_at: Callable[[int], float | None]
) -> float:
    """Kill the worker in a burst, start it again as a platform would; return the seconds until all is held."""
    orders = [place()[0] for _ in range(BURST)]
    wait_until(lambda: any(held_at(order) for order in orders), "the first of a burst is held", worker.tail)
    worker.kill()
    killed = time.monotonic()
    before = sum(held_at(order) is not None for order in orders)
    worker.start()
    wait_until(lambda: all(held_at(order) for order in orders), "the whole burst is held", worker.tail)
    seconds = time.monotonic() - killed
    print(f"killed after {before} of {BURST} were held; the rest took {seconds:.1f} s", flush=True)
    return seconds


def _ready(app_url: str) -> bool:
    try:
        return httpx.get(f"{app_url}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
