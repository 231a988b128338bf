"""A system of the merchant's that hears outgoing webhooks: keeps what came, and answers what it is told to."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.ground import Ground

KEPT = 2000


@dataclass(frozen=True)
class Received:
    """One message as it came. headers: names in lower case."""

    name: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Endpoints under /receiver/{name}. Faults are planned like the vendors', with the service "receiver"."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.received: list[Received] = []
        self.routes: list[BaseRoute] = [Route("/receiver/{name}", self._take, methods=["POST"])]

    async def _take(self, request: Request) -> Response:
        message = Received(str(request.path_params["name"]), dict(request.headers), await request.body())
        with self._ground.lock:
            self.received.append(message)
            del self.received[:-KEPT]
        return Response(status_code=204)

    def of(self, name: str) -> list[Received]:
        """Return what one endpoint took, oldest first."""
        with self._ground.lock:
            return [message for message in self.received if message.name == name]
