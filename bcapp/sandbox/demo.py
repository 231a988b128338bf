"""The demo: the real app beside the simulated services; with --once a driver acts as merchant, shopper and signer.

The driver uses only what people use: the control panel's callbacks, the app's pages and forms, the desk of the store
and the signature service's signing. It reads results from the services' records and the app's pages.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bcapp.sandbox import demo_roads as roads
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.browser import DemoFailed
from bcapp.sandbox.driver import Driver, until
from bcapp.sandbox.ground import SandboxSettings
from bcapp.sandbox.server import SandboxServer
from bcapp.sandbox.spec import find_specs

ROOT = Path(__file__).resolve().parents[2]
APP_PORT, SANDBOX_PORT = 8000, 9300


@dataclass(frozen=True)
class Row:
    """One line of the closing table."""

    workflow: str
    trigger: str
    request: str
    hold: str
    actions: str
    seconds: float
    problem: str = ""


def run_demo(*, once: bool) -> int:
    """Run the demo until interrupted, or drive it once and end. 0 only if every row went its whole way."""
    try:
        return _run(once)
    except DemoFailed as exc:
        print(exc, file=sys.stderr)
        return 1


def _run(once: bool) -> int:
    settings = SandboxSettings(speed=60.0 if once else 10.0, spec_dir=find_specs(), history=True)
    settings.spec_exceptions = ROOT / "tests" / "spec_exceptions.yaml"
    port = _port(SANDBOX_PORT) if not once else 0
    app_port = _port(APP_PORT) if not once else _free_port()
    settings.app_url = f"http://127.0.0.1:{app_port}"
    if not once:
        # Another site than the app's, so that the browser frames us as the real control panel does.
        settings.panel_url = "http://store-{hash}.localhost:" + str(port)
    with tempfile.TemporaryDirectory() if once else _kept() as folder:
        data = Path(folder)
        with SandboxServer(Sandbox(settings), port) as server:
            smtp = server.sandbox.signature.start_smtp()
            environment = _environment(server, app_port, smtp, data)
            with _app(environment, app_port, data, once) as log:
                if once:
                    return _drive(server, settings.app_url, log)
                _say_where(server, settings.app_url)
                _wait_for_interrupt()
    return 0


@contextmanager
def _kept() -> Iterator[str]:
    """A person's demo keeps nothing either: the simulated store forgets everything when it ends."""
    with tempfile.TemporaryDirectory(prefix="countersign-demo-") as folder:
        yield folder


def _environment(server: SandboxServer, app_port: int, smtp: int, data: Path) -> dict[str, str]:
    url, port = server.url, server.port
    settings = server.sandbox.settings
    panel = settings.panel_url.replace("{hash}", "*") if settings.panel_url else url
    stores = server.sandbox.bigcommerce.stores.values()
    frames = " ".join(settings.panel_url.replace("{hash}", s.hash) for s in stores) if settings.panel_url else panel
    return {
        **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")},
        "PYTHONUNBUFFERED": "1",
        "APP_URL": f"http://127.0.0.1:{app_port}",
        "SECRET_KEYS": secrets.token_hex(32),
        "BC_CLIENT_ID": settings.client_id,
        "BC_CLIENT_SECRET": settings.client_secret,
        "BC_APP_ID": str(settings.app_id),
        "BC_LOGIN_URL": url,
        "BC_API_URL": url,
        "BC_B2B_URL": url,
        "BC_SDK_URL": f"{url}/sdk/bc-sdk.js",
        "SIGNATURE_HOSTS": f"127.0.0.1:{port}",
        "SIGNATURE_DOWNLOAD_HOSTS": f"localhost:{port}",
        "FRAME_ANCESTORS": f"{frames} {url}",
        "COUNTERSIGN_CLOCK_URL": f"{url}/clock",
        "COUNTERSIGN_DATA": str(data / "app"),
        "SMTP_URL": f"smtp://127.0.0.1:{smtp}?from=alarms%40countersign.test",
    }


@contextmanager
def _app(environment: dict[str, str], port: int, data: Path, once: bool) -> Iterator[Path]:
    """Migrate, then run web and worker as processes of their own; end them at the end."""
    log = data / "app.log"
    command = [sys.executable, "-m", "bcapp.cli"]
    with log.open("wb") as out:
        done = subprocess.run([*command, "migrate"], env=environment, cwd=ROOT, stdout=out, stderr=out, check=False)
        if done.returncode:
            raise DemoFailed(f"The database could not be made.\n{log.read_text()[-2000:]}")
        running = [
            subprocess.Popen([*command, *words], env=environment, cwd=ROOT, stdout=out, stderr=out)
            for words in (["web", "--port", str(port)], ["worker"])
        ]
        try:
            until(lambda: _answers(port), "the app answers", 60, lambda: log.read_text()[-2000:])
            yield log
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            _forget_database(data / "app")


def _forget_database(data: Path) -> None:
    """Delete the built-in PostgreSQL's folder where it stands outside ours, as it does for root."""
    recorded = data / "postgres.location"
    if recorded.exists():
        server = Path(recorded.read_text().strip())
        if not (server / "postmaster.pid").exists():  # it runs still: rather leave it than break it
            shutil.rmtree(server.parent)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _port(wanted: int) -> int:
    """Return the port that the demo is known by, or a free one when somebody else has it."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port()
    return wanted


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _say_where(server: SandboxServer, app_url: str) -> None:
    store = server.sandbox.bigcommerce.store
    account = server.sandbox.signature.account
    print(
        f"""
Countersign runs beside a simulated store and signature service. Nothing leaves this machine.

  Open         {server.sandbox.settings.panel_url.replace("{hash}", store.hash)}/manage/{store.hash}
               and press Install, then open the app.

  In the app, connect the signature account:
  Environment     Other
  Tenant          {account.tenant}
  Client id       {account.client_id}
  Client secret   {account.client_secret}
  Token address   {server.url}/otdstenant/{account.tenant}/oauth2/token
  API address     {server.url}/api/v1/

  Desk         {server.url}/desk/{store.hash}   place, edit, pay and ship orders
  Inbox        {server.url}/inbox   mails, with the links to sign
  App          {app_url}

Ctrl-C ends it.
""",
        flush=True,
    )


def _wait_for_interrupt() -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    try:
        while not stopped:
            time.sleep(0.2)
    except KeyboardInterrupt:
        return


def _drive(server: SandboxServer, app_url: str, log: Path) -> int:
    driver = Driver(server, app_url, log)
    started = time.monotonic()
    rows: list[Row] = []
    try:
        driver.set_up()
        print(f"Installed and set up through the panel in {time.monotonic() - started:.1f} s.", flush=True)
        roads.prepare(driver)
        for name, road in roads.ROADS.items():
            rows.append(_walk(driver, name, road))
            print(_line(rows[-1]), flush=True)
    except DemoFailed as exc:
        rows.append(Row("set-up", "", "", "", "", time.monotonic() - started, str(exc)))
        print(f"The set-up failed: {exc}", file=sys.stderr)
    finally:
        driver.browser.close()
        driver.http.close()
    return _close(server, rows, log)


def _walk(driver: Driver, name: str, road: Callable[[Driver], tuple[str, str, str, str]]) -> Row:
    began = time.monotonic()
    try:
        trigger, request, hold, actions = road(driver)
    except (DemoFailed, httpx.HTTPError, KeyError) as exc:
        return Row(name, "", "", "", "", time.monotonic() - began, f"{type(exc).__name__}: {exc}")
    return Row(name, trigger, request, hold, actions, time.monotonic() - began)


WIDTHS = (38, 16, 34, 26, 24)


def _line(row: Row) -> str:
    if row.problem:
        return f"{row.workflow:38}  FAILED after {row.seconds:.1f} s: {row.problem}"
    cells = (row.workflow, row.trigger, row.request, row.hold, row.actions)
    return "  ".join(c.ljust(w) for c, w in zip(cells, WIDTHS, strict=True)) + f"  {row.seconds:5.1f} s"


def _close(server: SandboxServer, rows: list[Row], log: Path) -> int:
    failed = [r for r in rows if r.problem]
    head = ("workflow: road", "trigger", "request", "hold", "actions at the store")
    print("\n" + "  ".join(h.ljust(w) for h, w in zip(head, WIDTHS, strict=True)) + "  seconds")
    for row in rows:
        print(_line(row))
    wrong = list(dict.fromkeys(server.sandbox.spec_errors))
    for error in wrong[:10]:
        print(f"Not in the vendor's files: {error}", file=sys.stderr)
    traces = log.read_text(errors="replace").count("Traceback (most recent call last)")
    if traces:
        print(f"The app's log holds {traces} tracebacks.\n{log.read_text(errors='replace')[-4000:]}", file=sys.stderr)
    checked = (
        "every call was checked against the vendors' files"
        if server.sandbox.settings.spec_dir
        else "no call was checked, for the vendors' files are not here"
    )
    print(f"\n{len(rows) - len(failed)} of {len(rows)} went their whole way; {checked}.")
    return 1 if failed or wrong or traces or not rows else 0
