"""What stands before every outside call: a budget and a circuit breaker that all processes share."""

from __future__ import annotations

from typing import Protocol


class Gate(Protocol):
    """One gate per store and service (and signature account)."""

    async def enter(self) -> None:
        """Return when the call may be made now; raise CircuitOpen with retry_after when it must wait."""

    async def leave(
        self,
        *,
        ok: bool,
        remaining: int | None = None,
        resets_after: float | None = None,
        wait: float | None = None,
        error: str = "",
    ) -> None:
        """Say how the call went.

        ok: the service is alive (a 404 is ok, a 503 or no answer is not).
        remaining, resets_after: calls left in the window and seconds until it is new, None when not said.
        wait: seconds that the service asked for (429), None else.
        """


class OpenGate:
    """A gate that never closes: for one-off calls (OAuth exchange) and the command line."""

    async def enter(self) -> None:
        return None

    async def leave(
        self,
        *,
        ok: bool,
        remaining: int | None = None,
        resets_after: float | None = None,
        wait: float | None = None,
        error: str = "",
    ) -> None:
        return None
