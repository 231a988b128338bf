"""Stores: who installed the app, with what, and how that stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bcapp.core.settings import StoreSettings, parse_settings
from bcapp.core.stores import StoreDoing, StoreState, may_happen
from bcapp.db import Database


@dataclass(frozen=True)
class Store:
    """A store without its secrets; those are read where they are used, by query.

    profile: name, domain, control_panel_url, timezone, currency, language, order_email, default_channel_id as text.
    scope: the parameter strings that the merchant accepted.
    """

    hash: str
    installation: int
    state: StoreState
    state_since: datetime
    owner_id: int
    scope: frozenset[str]
    profile: Mapping[str, Any]
    settings: StoreSettings
    settings_version: int
    installed_at: datetime
    first_load_at: datetime | None
    channels: tuple[int, ...] = field(default=())

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Store:
        return cls(
            hash=row["store_hash"],
            installation=row["installation"],
            state=StoreState(row["state"]),
            state_since=row["state_since"],
            owner_id=row["owner_id"],
            scope=frozenset(row["scope"].split()),
            profile=row["profile"],
            settings=parse_settings(row["settings"]),
            settings_version=row["settings_version"],
            installed_at=row["installed_at"],
            first_load_at=row["first_load_at"],
            channels=tuple(row.get("channels") or ()),
        )

    def may(self, doing: StoreDoing) -> bool:
        return may_happen(self.state, doing)

    @property
    def name(self) -> str:
        return str(self.profile.get("name") or f"Store {self.hash}")

    @property
    def timezone(self) -> str:
        """IANA name; UTC until the store was read."""
        return str(self.profile.get("timezone") or "UTC")

    @property
    def currency(self) -> str:
        """The store's default currency, "" until the store was read."""
        return str(self.profile.get("currency") or "")

    @property
    def control_panel_url(self) -> str:
        """Address of the store's control panel without a final slash; BigCommerce's usual one until it was read."""
        return str(self.profile.get("control_panel_url") or f"https://store-{self.hash}.mybigcommerce.com").rstrip("/")


async def fetch_store(db: Database, store_hash: str) -> Store | None:
    row = await db.fetch_one("fetch_store", {"store_hash": store_hash})
    return Store.from_row(row) if row else None
