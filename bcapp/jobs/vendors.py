"""Clients of the two services for a store, with tokens opened where they are used and nowhere kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx

from bcapp.bigcommerce.b2b import B2B
from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.facts import CategoryTrees
from bcapp.bigcommerce.quotes import Quotes
from bcapp.bigcommerce.remembering import Remembering
from bcapp.errors import CredentialsRefused, RefusedByUs, TokenRefused
from bcapp.jobs.gates import KEEP_FREE, ROOM, RowGate
from bcapp.services import Services
from bcapp.signature.auth import Account
from bcapp.signature.client import CoreSignature


class Vendors:
    """Makes clients. One per worker; only the category trees are remembered between calls."""

    def __init__(self, services: Services, *, keep_free: int = KEEP_FREE) -> None:
        self._services, self._keep_free = services, keep_free
        self.trees = CategoryTrees(services.clock)

    @cached_property
    def patient(self) -> Vendors:
        """The same for what can wait: its calls leave room in every window, so that a hold finds one free."""
        return Vendors(self._services, keep_free=ROOM)

    async def bigcommerce(self, store_hash: str) -> BigCommerce:
        """Return the client of an installed store; TokenRefused when there is no token (any more)."""
        return BigCommerce(*await self._access(store_hash))

    async def remembering(self, store_hash: str) -> Remembering:
        """Return a client for one slice of bulk reading; errors as above."""
        return Remembering(*await self._access(store_hash))

    async def b2b(self, store_hash: str) -> B2B:
        """Return the client of the store's B2B Edition, which may be absent: its calls say so. Errors as above."""
        http, _, _, token, _ = await self._access(store_hash)
        s = self._services
        # files have a small window of their own, in which nothing urgent is called
        files = RowGate(s.db, s.clock, store_hash, "b2b_files")
        return B2B(http, s.settings.bc_b2b_url, store_hash, token, self._gate(store_hash, "b2b"), files)

    async def quotes(self, store_hash: str) -> Quotes:
        """Return the client of the quotes of B2B Edition. Errors as above."""
        http, _, _, token, _ = await self._access(store_hash)
        s = self._services
        return Quotes(http, s.settings.bc_b2b_url, store_hash, token, self._gate(store_hash, "b2b"))

    async def _access(self, store_hash: str) -> tuple[httpx.AsyncClient, str, str, str, RowGate]:
        s = self._services
        row = await s.db.fetch_one("fetch_token", {"store_hash": store_hash})
        if row is None or row["access_token"] is None:
            raise TokenRefused(f"store {store_hash} has no access token", uncounted=True, retry_after=60)
        token = s.secrets.decrypt(
            bytes(row["access_token"]), table="stores", column="access_token", store_hash=store_hash, row=store_hash
        ).decode()
        return s.http, s.settings.bc_api_url, store_hash, token, self._gate(store_hash, "bigcommerce")

    def _gate(self, store_hash: str, service: str) -> RowGate:
        return RowGate(self._services.db, self._services.clock, store_hash, service, keep_free=self._keep_free)

    async def token_was_refused(self, store_hash: str, now: datetime) -> bool:
        """Return whether the store needs its merchant's consent again.

        A 401 from BigCommerce re-reads the token row first: a re-install may just have replaced the token, and then
        the next try uses the new one. Only a token that is refused while it still stands there stops the store.
        """
        s = self._services
        row = await s.db.fetch_one("fetch_token", {"store_hash": store_hash})
        if row is None or row["access_token"] is None:
            return False
        client = await self.bigcommerce(store_hash)
        try:
            await client.time()
        except TokenRefused:
            values = {"store_hash": store_hash, "refused": bytes(row["access_token"]), "now": now}
            return await s.db.fetch_val("mark_reconsent", values) is not None
        return False

    async def signature(self, store_hash: str, account_id: int) -> CoreSignature:
        """Return the client of a signature account; RefusedByUs when the account is gone."""
        s = self._services
        row = await s.db.fetch_one("fetch_account", {"store_hash": store_hash, "id": account_id})
        if row is None:
            raise RefusedByUs("The signature account of this request does not exist any more.")
        if not row["client_secret"]:
            raise CredentialsRefused("the signature account has no client secret", uncounted=True, retry_after=3600)
        secret = s.secrets.decrypt(
            bytes(row["client_secret"]),
            table="signature_accounts",
            column="client_secret",
            store_hash=store_hash,
            row=account_id,
        ).decode()
        account = Account(
            environment=row["environment"],
            tenant=row["tenant"],
            token_url=row["token_url"],
            api_root=row["api_root"],
            client_id=row["client_id"],
            client_secret=secret,
            subscription=row["subscription"],
            from_email=row["from_email"],
            spellings=row["spellings"],
        )
        rows = AccountRows(s, store_hash, account_id)
        gate = RowGate(s.db, s.clock, store_hash, "core_signature", account_id)
        return CoreSignature(
            s.http,
            account,
            rows,
            gate,
            clock=s.clock,
            allowed_hosts=s.settings.signature_hosts,
            download_hosts=s.settings.signature_download_hosts,
            remember=rows.remember,
        )


class AccountRows:
    """Where a signature account keeps its token and the spellings that its service answered to."""

    def __init__(self, services: Services, store_hash: str, account_id: int) -> None:
        self._s = services
        self._key: dict[str, Any] = {"store_hash": store_hash, "id": account_id}
        self._place: dict[str, Any] = {
            "table": "signature_accounts",
            "column": "token",
            "store_hash": store_hash,
            "row": account_id,
        }

    async def load(self) -> tuple[str, datetime] | None:
        row = await self._s.db.fetch_one("fetch_account_token", self._key)
        if row is None or row["token"] is None or row["token_ends_at"] is None:
            return None
        return self._s.secrets.decrypt(bytes(row["token"]), **self._place).decode(), row["token_ends_at"]

    async def save(self, token: str, ends_at: datetime) -> None:
        sealed = self._s.secrets.encrypt(token.encode(), **self._place)
        await self._s.db.execute("save_account_token", {**self._key, "token": sealed, "ends_at": ends_at})

    async def remember(self, spellings: Mapping[str, Any]) -> None:
        await self._s.db.execute("save_spellings", {**self._key, "spellings": dict(spellings)})
