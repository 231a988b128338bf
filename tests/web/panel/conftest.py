"""A store with an owner, a manager, an approver and a viewer, and another store with a stranger; each with a browser.

house      the application, its services, the stores and people
house.as_("manager")            that person's browser: get, post; answers as parts with part=True
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio
from pydantic import SecretStr
from starlette.applications import Starlette

from bcapp.app import create_app
from bcapp.clock import FixedClock
from bcapp.db import Database
from bcapp.http import make_http
from bcapp.secrets import Secrets
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.web.session import add_code, use_code

KEY = "a" * 40
APP_URL = "http://127.0.0.1:8080"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ROLES = {"owner": 1, "manager": 2, "approver": 3, "viewer": 4}


@dataclass
class Browser:
    """One person's session in one store. What was asked last is `answer`."""

    client: httpx.AsyncClient
    store_hash: str
    token: str
    home: str = ""

    def __post_init__(self) -> None:
        self.home = self.home or f"/s/{self.store_hash}/"

    def _headers(self, part: bool) -> dict[str, str]:
        headers = {"X-App-Session": self.token}
        return headers | {"HX-Request": "true", "HX-Request-Type": "partial"} if part else headers

    async def get(self, path: str = "", *, part: bool = False) -> httpx.Response:
        return await self.client.get(self.home + path, headers=self._headers(part))

    async def post(self, path: str, data: dict[str, Any] | None = None, *, part: bool = False) -> httpx.Response:
        return await self.client.post(self.home + path, data=data or {}, headers=self._headers(part))


@dataclass
class House:
    services: Services
    clock: FixedClock
    app: Starlette
    client: httpx.AsyncClient
    store: str = "abc123"
    other: str = "zzz999"
    browsers: dict[str, Browser] = field(default_factory=dict)

    @property
    def db(self) -> Database:
        return self.services.db

    def as_(self, who: str) -> Browser:
        """The browser of owner, manager, approver, viewer; of the stranger, at home or before this store's door."""
        return self.browsers[who]

    async def run(self, statement: str, *values: Any) -> Any:
        """Run a statement of the test's own; return the first column of the first row."""
        async with self.db.pool.acquire() as connection:
            return await connection.fetchval(statement, *values)

    async def sign_in(self, store_hash: str, user_id: int) -> Browser:
        code = await add_code(self.db, store_hash, user_id, self.clock.now())
        session = await use_code(self.db, store_hash, code, self.clock.now())
        assert session is not None
        return Browser(self.client, store_hash, session.token)


async def add_store(house: House, store_hash: str, users: dict[str, int]) -> None:
    scope = "store_v2_orders store_v2_transactions store_v2_customers store_v2_products store_v2_information"
    await house.run(
        "INSERT INTO stores (store_hash, state, scope, owner_id, profile, installed_at, state_since)"
        " VALUES ($1, 'active', $2, 1, $3, $4, $4)",
        store_hash,
        scope,
        {"name": f"Shop {store_hash}", "timezone": "Europe/Berlin", "currency": "EUR"},
        START,
    )
    for role, number in users.items():
        person = await house.run(
            "INSERT INTO people (store_hash, name, email, created_at) VALUES ($1, $2, $3, $4) RETURNING id",
            store_hash,
            f"{role.capitalize()} of {store_hash}",
            f"{role}@{store_hash}.example.com",
            START,
        )
        await house.run(
            "INSERT INTO users (store_hash, id, email, role, person_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
            store_hash,
            number,
            f"{role}@{store_hash}.example.com",
            role if role in ROLES else "owner",
            person,
            START,
        )


@pytest_asyncio.fixture
async def house(database: Database) -> AsyncIterator[House]:
    clock = FixedClock(START)
    settings = Settings(
        app_url=APP_URL,
        secret_keys=SecretStr(KEY),
        bc_client_id="client",
        bc_client_secret=SecretStr("x" * 40),
        bc_app_id="77",
        bc_sdk_url=f"{APP_URL}/sdk/bc-sdk.js",
    )
    async with make_http() as http:
        services = Services(settings, database, http, clock, Secrets([KEY]))
        app = create_app(services)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=APP_URL) as client:
            house = House(services, clock, app, client)
            await add_store(house, house.store, ROLES)
            await add_store(house, house.other, {"stranger": 9})
            for role, number in ROLES.items():
                house.browsers[role] = await house.sign_in(house.store, number)
            stranger = await house.sign_in(house.other, 9)
            house.browsers["stranger"] = stranger
            house.browsers["intruder"] = Browser(client, house.store, stranger.token)
            yield house
