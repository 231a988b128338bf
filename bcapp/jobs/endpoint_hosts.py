"""Which hosts besides public ones an endpoint of the merchant's may lie on."""

from __future__ import annotations

from bcapp.settings import LOOPBACK, Settings


def local_hosts(settings: Settings) -> tuple[str, ...]:
    """Return this machine's names in the sandbox, whose clock can be moved; none anywhere else."""
    return tuple(sorted(LOOPBACK)) if settings.countersign_clock_url else ()
