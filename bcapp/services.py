"""What every edge needs, in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from bcapp.clock import Clock
from bcapp.db import Database
from bcapp.secrets import Secrets
from bcapp.settings import Settings


@dataclass(frozen=True)
class Services:
    """http follows no redirects and has no base address; adapters give timeouts per call."""

    settings: Settings
    db: Database
    http: httpx.AsyncClient
    clock: Clock
    secrets: Secrets
