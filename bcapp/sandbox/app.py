"""Both simulated vendors, their control panel and the sandbox's own controls as one ASGI application."""

import asyncio
import contextlib
import importlib
import importlib.util
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.bigcommerce import BigCommerceSandbox
from bcapp.sandbox.ground import Call, Clock, Faults, Recorder, SandboxSettings, Service
from bcapp.sandbox.receiver import Receiver
from bcapp.sandbox.spec import make_checker

log = logging.getLogger("bcapp.sandbox")

SIGNATURE = "bcapp.sandbox.signature"


class Sandbox:
    """The whole simulated outside world of the app; state is in memory and dies with the object.

    The Python side may be used from any thread: every change happens under `lock`.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self.clock = Clock()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self.throttle_headers: dict[Service, Callable[[], dict[str, str]]] = {}
        self.spec_errors: list[str] = []
        self.url = ""
        self.download_url = ""
        self.checker = make_checker(self.settings.spec_dir, self.settings.spec_exceptions, self.spec_errors)
        self.bigcommerce = BigCommerceSandbox(self, self.checker)
        self.signature: Any = self._signature()
        self.receiver = Receiver(self)
        routes: list[BaseRoute] = [*self.receiver.routes, Route("/clock", self._clock, methods=["GET", "POST"])]
        for part in (self.bigcommerce, self.signature):
            if part is not None:
                routes.extend(part.routes)
        inner = Starlette(routes=routes, lifespan=self._lifespan)
        self.app = Recorder(inner, self)

    def _signature(self) -> Any:
        if importlib.util.find_spec(SIGNATURE) is None:
            return None
        module = importlib.import_module(SIGNATURE)
        return module.SignatureSandbox(self) if hasattr(module, "SignatureSandbox") else None

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Run the vendors' background work for as long as the application is served."""
        parts = [p for p in (self.bigcommerce, self.signature) if p is not None and hasattr(p, "run")]
        tasks = [asyncio.create_task(part.run()) for part in parts]
        for task in tasks:
            task.add_done_callback(_complain)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            # What they ended with was said when it happened.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _clock(self, request: Request) -> Response:
        """GET answers the offset in seconds; POST {"advance": seconds} moves the time."""
        if request.method == "POST":
            self.clock.advance(float((await request.json())["advance"]))
        return JSONResponse({"offset": self.clock.offset})


def _complain(task: asyncio.Task[None]) -> None:
    """Say that a vendor's background work died; without it callbacks would just stop."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the sandbox's background work ended: %r", error, exc_info=error)
