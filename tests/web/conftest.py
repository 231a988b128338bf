"""The web end on a real database beside the simulated BigCommerce, without a port.

web         the app with one installed store; its owner, a colleague and a stranger from another store can come in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest_asyncio
from starlette.applications import Starlette

from bcapp.app import create_app
from bcapp.db import Database
from bcapp.sandbox import Sandbox, SandboxSettings
from bcapp.sandbox.bigcommerce.store import Store, User
from bcapp.secrets import Secrets
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.web.session import SESSION_HEADER

APP_URL = "https://app.test"
TABLES = (
    "stores", "channels", "people", "users", "approval_limits", "sessions", "login_codes", "seen_jwts",
    "pending_changes", "signature_accounts", "agreements", "agreement_versions", "agreement_texts",
    "agreement_bindings", "rules", "rule_versions", "records",
    "requests", "signers", "holds", "evidence", "chunks", "outside_documents", "deliveries", "actions", "sweeps",
    "hooks", "tasks",
    "audit_log", "refusals", "counters", "suppliers", "supplier_contacts", "supplier_covers", "supplier_checklist",
    "supplier_imports", "supplier_import_lines", "cases", "case_lines", "case_refunds", "sign_links", "questions",
    "notices", "api_keys", "webhook_endpoints",
    "registrations", "paper_forms", "known_serials", "webhook_messages", "webhook_sends", "webhook_tries",
    "papers", "paper_pieces",
)  # fmt: skip


@dataclass
class Visitor:
    """A browser's frame: the token in memory, never a cookie unless it is asked for."""

    web: Web
    store: Store
    user: User
    token: str
    first: httpx.Response

    @property
    def headers(self) -> dict[str, str]:
        return {SESSION_HEADER: self.token}

    def path(self, rest: str = "/") -> str:
        return f"/s/{self.store.hash}{rest}"

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.web.client.get(path, headers=self.headers | more.pop("headers", {}), **more)

    async def post(self, path: str, **more: Any) -> httpx.Response:
        return await self.web.client.post(path, headers=self.headers | more.pop("headers", {}), **more)


@dataclass
class Web:
    app: Starlette
    services: Services
    sandbox: Sandbox
    client: httpx.AsyncClient
    visitors: list[Visitor] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.sandbox.bigcommerce.store

    @property
    def stranger(self) -> Store:
        return self.sandbox.bigcommerce.stranger

    @property
    def auth(self) -> Any:
        return self.sandbox.bigcommerce.auth

    async def visit(self, url: str, **more: Any) -> httpx.Response:
        """Follow an address that BigCommerce made, without cookies of an earlier visit."""
        self.client.cookies.clear()
        return await self.client.get(url.removeprefix(APP_URL), **more)

    async def install(self, store: Store, user: User | None = None) -> httpx.Response:
        response = await self.visit(self.auth.install_url(store, user))
        assert response.status_code == 200, response.text
        return response

    async def open(self, store: Store, user: User | None = None, url: str = "/") -> Visitor:
        """Open the app in the control panel, and trade the code for a session."""
        response = await self.visit(self.auth.load_url(store, user, url))
        assert response.status_code == 303, response.text
        code = parse_qs(urlsplit(response.headers["location"]).query)["x"][0]
        from bcapp.web.session import use_code

        begun = await use_code(self.services.db, store.hash, code, self.services.clock.now())
        assert begun is not None
        visitor = Visitor(self, store, user or store.owner, begun.token, response)
        self.visitors.append(visitor)
        return visitor

    async def set_role(self, store: Store, user: User, role: str) -> None:
        async with self.services.db.pool.acquire() as connection:
            await connection.execute(
                "UPDATE users SET role = $3 WHERE store_hash = $1 AND id = $2", store.hash, user.id, role
            )

    async def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        async with self.services.db.pool.acquire() as connection:
            return [dict(row) for row in await connection.fetch(statement, *values)]

    async def contents(self, *leave_out: str) -> dict[str, list[str]]:
        """Every row of every table of ours as text, to compare before and after."""
        async with self.services.db.pool.acquire() as connection:
            return {
                table: sorted(row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} t"))
                for table in TABLES
                if table not in leave_out
            }


def make_settings(sandbox: Sandbox, **more: Any) -> Settings:
    return Settings(
        app_url=APP_URL,
        secret_keys="k" * 32,  # type: ignore[arg-type]
        bc_client_id=sandbox.settings.client_id,
        bc_client_secret=sandbox.settings.client_secret,  # type: ignore[arg-type]
        bc_app_id=str(sandbox.settings.app_id),
        bc_login_url="https://login.test",
        bc_api_url="https://api.test",
        **more,
    )


@pytest_asyncio.fixture
async def web(database: Database) -> AsyncIterator[Web]:
    sandbox = Sandbox(SandboxSettings(app_url=APP_URL, public_url="https://panel.test", history=False))
    settings = make_settings(sandbox, metrics_token="m" * 20)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app), trust_env=False) as outside:
        services = Services(settings, database, outside, sandbox.clock, Secrets(settings.keys))
        app = create_app(services)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url=APP_URL, trust_env=False) as client:
                made = Web(app, services, sandbox, client)
                await made.install(made.store)
                yield made
