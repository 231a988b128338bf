"""The sandbox on a port: uvicorn in a thread, so that a test or a demo keeps its own event loop."""

import logging
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from bcapp.sandbox.app import Sandbox

START_SECONDS = 30.0


class SandboxServer:
    """Serve one sandbox; reachable under two host names, so that downloads live on another one than the API."""

    def __init__(
        self,
        sandbox: Sandbox,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.host = host
        self.port = port
        self._tls: dict[str, Any] = {}
        if ssl_certfile is not None:
            self._tls = {"ssl_certfile": ssl_certfile, "ssl_keyfile": ssl_keyfile}
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def scheme(self) -> str:
        return "https" if self._tls else "http"

    @property
    def url(self) -> str:
        """The address of the API and of all pages."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def download_url(self) -> str:
        """The same server under another host name."""
        return f"{self.scheme}://localhost:{self.port}"

    def start(self) -> Self:
        """Bind, serve, and return once it answers. Raises RuntimeError when it does not."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self.host, self.port))
        self.port = self._socket.getsockname()[1]
        if not self.sandbox.settings.public_url:
            self.sandbox.settings.public_url = self.url
        self.sandbox.url = self.url
        self.sandbox.download_url = self.download_url
        config = uvicorn.Config(
            self.sandbox.app, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=1,
            timeout_keep_alive=30, ws="none", **self._tls,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop serving and wait for the thread; doing it twice is fine."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=15)
            if self._thread.is_alive():
                self._server.force_exit = True
                self._thread.join(timeout=15)
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
