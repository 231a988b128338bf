"""The one place that reads the time. The sandbox moves it through COUNTERSIGN_CLOCK_URL."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx
import structlog

log = structlog.get_logger(__name__)


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """Stands still until told: for tests of decisions."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **parts: float) -> None:
        self.at += timedelta(**parts)


class SandboxClock:
    """The system's time plus an offset that the sandbox answers as {"offset": seconds}."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http, self._url = http, url
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    async def read(self) -> None:
        answer = await self._http.get(self._url, timeout=5)
        self._offset = timedelta(seconds=float(answer.json()["offset"]))

    async def follow(self, every_seconds: float = 0.25) -> None:
        """Read the offset for ever. A sandbox that is away leaves the last offset standing."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await self.read()
            await asyncio.sleep(every_seconds)
