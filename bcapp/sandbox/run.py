"""Serve the sandbox on its own, for a person or for the demo."""

import signal
import threading
from pathlib import Path

from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.ground import SandboxSettings
from bcapp.sandbox.server import SandboxServer
from bcapp.sandbox.spec import find_specs


def run_sandbox(
    host: str = "127.0.0.1",
    port: int = 9300,
    app_url: str = "http://127.0.0.1:8000",
    *,
    public_url: str = "",
    speed: float = 1.0,
    specs: Path | None = None,
    settings: SandboxSettings | None = None,
) -> None:
    """Serve until interrupted. specs: where the vendors' files are; by default where they are usually found.

    settings: all of it at once, in place of app_url, public_url and speed.
    """
    settings = settings or SandboxSettings(app_url=app_url, public_url=public_url, speed=speed)
    settings.spec_dir = specs or settings.spec_dir or find_specs()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with SandboxServer(Sandbox(settings), port, host=host) as server:
        # A person starts this and looks for the addresses.
        print(f"Sandbox: {server.url}/manage  app: {settings.app_url}", flush=True)
        stopped.wait()
