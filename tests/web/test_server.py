"""The web process from outside: its port, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from bcapp.errors import SettingsError
from bcapp.web.server import listen

PROGRAM = """
import asyncio, os, signal
from starlette.applications import Starlette
from bcapp.web.server import listen, make_server

async def run():
    with listen("127.0.0.1", 0) as door:
        asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), NUMBER)
        await make_server(Starlette(), "127.0.0.1", 0).serve(sockets=[door])
        print("closed behind itself")

asyncio.run(run())
"""


@pytest.mark.unit
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_stands_around_the_server_is_closed_when_it_is_told_to_end(number: signal.Signals) -> None:
    program = PROGRAM.replace("NUMBER", str(int(number)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "closed behind itself" in done.stdout, done.stderr
    assert done.returncode == 0


@pytest.mark.unit
def test_a_taken_port_is_named_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} of 127.0.0.1 is used by another program"):
            listen("127.0.0.1", port)
