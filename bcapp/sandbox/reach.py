"""The way to an app whose address only a browser can resolve: a name of a test, behind TLS that somebody else ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx


def redirect_to(request: httpx.Request, reach: Mapping[str, str]) -> None:
    """Send the request to where its origin stands on this machine; the Host header keeps the name.

    reach: origin as addresses name it -> origin to connect to, such as "https://app.test:9444" -> "http://127.0.0.1:80".
    """
    origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
    if origin in reach:
        to = httpx.URL(reach[origin])
        request.url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)


def hooks(reach: Mapping[str, str]) -> dict[str, list[Callable[..., Any]]]:
    """Return the event hooks of a synchronous client that knows `reach`, as it stands at the time of a request."""
    return {"request": [lambda request: redirect_to(request, reach)]}


def async_hooks(reach: Mapping[str, str]) -> dict[str, list[Callable[..., Awaitable[None]]]]:
    """Return the same for an asynchronous client."""

    async def hook(request: httpx.Request) -> None:
        redirect_to(request, reach)

    return {"request": [hook]}
