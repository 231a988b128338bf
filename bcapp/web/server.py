"""The web process: uvicorn around the application."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette

from bcapp.app import create_app
from bcapp.documents.pool import close_pools
from bcapp.errors import SettingsError
from bcapp.runtime import open_services
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.worker import work


class Server(uvicorn.Server):
    """A server that only ends when it is asked to: uvicorn's own raises SIGTERM once more when it has ended, which
    kills the process before worker, database and the built-in PostgreSQL are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def make_server(app: Starlette, host: str, port: int) -> Server:
    """Return a server that logs nothing by itself (the access log is ours); a trusted proxy tells scheme and client."""
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=15,
            timeout_keep_alive=30,
            proxy_headers=True,
            forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"),
        )
    )


@contextlib.asynccontextmanager
async def beside(services: Services, with_worker: bool) -> AsyncIterator[None]:
    """Run a worker in the same process for as long as the web serves, when asked to."""
    if not with_worker:
        yield
        return
    stopping = asyncio.Event()
    working = asyncio.create_task(work(services, stopping))
    try:
        yield
    finally:
        stopping.set()
        await working


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started; raise SettingsError when it cannot be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        why = "is used by another program" if exc.errno == errno.EADDRINUSE else f"cannot be used ({exc.strerror})"
        raise SettingsError(f"Port {port} of {host} {why}. Name a free one by PORT or --port.") from None


async def run_web(settings: Settings, host: str, port: int, *, with_worker: bool = False) -> None:
    """Serve until SIGINT or SIGTERM: stop accepting, commit what was taken, then exit."""
    with listen(host, port) as door:
        async with open_services(settings) as services:
            async with beside(services, with_worker):
                await make_server(create_app(services), host, port).serve(sockets=[door])
            close_pools()
