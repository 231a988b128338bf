"""The simulated BigCommerce: stores, their API, webhooks, control panel, desk and a shipping tool."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.routing import BaseRoute, Route

from bcapp.sandbox.bigcommerce import quotes as _quotes  # noqa: F401 (its operations join those of B2B Edition)
from bcapp.sandbox.bigcommerce.accounts import AccountDesk
from bcapp.sandbox.bigcommerce.api import Api, Checker
from bcapp.sandbox.bigcommerce.auth import Auth
from bcapp.sandbox.bigcommerce.b2b import B2BApi, B2BEdition
from bcapp.sandbox.bigcommerce.carts import carts
from bcapp.sandbox.bigcommerce.control import Control
from bcapp.sandbox.bigcommerce.desk import Desk
from bcapp.sandbox.bigcommerce.extensions import graphql
from bcapp.sandbox.bigcommerce.offers_desk import OffersDesk
from bcapp.sandbox.bigcommerce.panel import Panel
from bcapp.sandbox.bigcommerce.promotions import promotions
from bcapp.sandbox.bigcommerce.shipping import ShippingTool
from bcapp.sandbox.bigcommerce.shoppers import register, shoppers
from bcapp.sandbox.bigcommerce.store import PAYMENTS, SCOPES, Refused, Store, User
from bcapp.sandbox.bigcommerce.v2 import v2
from bcapp.sandbox.bigcommerce.v3 import v3
from bcapp.sandbox.bigcommerce.webhooks import LADDER, Delivery, Hook, Webhooks
from bcapp.sandbox.ground import Ground, ServiceRoute, Ticker
from bcapp.sandbox.seed import seed_stores

__all__ = ["LADDER", "PAYMENTS", "SCOPES", "BigCommerceSandbox", "Delivery", "Hook", "Refused", "Store", "User"]

VERBS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class BigCommerceSandbox:
    """The whole simulated platform.

    stores: by hash; `store` is the big one, `stranger` the small one of somebody else.
    """

    def __init__(self, ground: Ground, check: Checker | None = None) -> None:
        self.ground = ground
        self.webhooks = Webhooks(ground)
        self.stores: dict[str, Store] = {}
        self.auth = Auth(ground, self.stores, self.webhooks)
        self.install, self.uninstall, self.remove_user = self.auth.install, self.auth.uninstall, self.auth.remove_user
        self.install_url, self.load_url = self.auth.install_url, self.auth.load_url
        self.uninstall_url, self.remove_user_url = self.auth.uninstall_url, self.auth.remove_user_url
        self.current_customer = self.auth.current_customer
        tables = (v2, v3, graphql, promotions, shoppers, carts)
        self.api = Api(ground, self.stores, [operation for table in tables for operation in table.operations], check)
        self.b2b = B2BApi(ground, self.stores, check)
        self.shipping = ShippingTool(ground, self.stores)
        self.control = Control(self)
        self.panel = Panel(self)
        self.desk = Desk(self)
        self._ticker = Ticker(ground.clock)
        ground.throttle_headers["bigcommerce"] = self._throttle_headers
        ground.throttle_headers["b2b"] = self._b2b_throttle_headers
        self.reset()

    def reset(self) -> None:
        """Start over: fresh stores, no hooks, no deliveries, no faults."""
        with self.ground.lock:
            self.webhooks.reset()
            self.stores.clear()
            self.shipping.reset()
            for store in seed_stores(self.ground, self.webhooks):
                store.on_later = self._ticker.wake
                store.open_account, store.b2b = register, B2BEdition(store)
                self.stores[store.hash] = store

    @property
    def store(self) -> Store:
        """The seeded main store."""
        return next(iter(self.stores.values()))

    @property
    def stranger(self) -> Store:
        """The seeded second store."""
        return list(self.stores.values())[1]

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/stores/{hash}/{rest:path}", self.api.handle, methods=VERBS),
            Route("/api/v3/io/{rest:path}", self.b2b.handle, methods=VERBS),
            ServiceRoute("bigcommerce", "/oauth2/token", self.auth.token, methods=["POST"]),
            *self.control.routes,
            *self.panel.routes,
            *self.desk.routes,
            *AccountDesk(self).routes,
            *OffersDesk(self).routes,
        ]

    def _throttle_headers(self) -> dict[str, str]:
        return self.api.rate_headers(0, self.store.quota, 2000)

    def _b2b_throttle_headers(self) -> dict[str, str]:
        return {"X-Requests-Remaining": "0", "X-Request-Window-Resets-After": "2.0000 s"}

    async def run(self) -> None:
        """Deliver webhooks, finish payments and ship, for as long as the sandbox is served."""
        work: list[Callable[[], Any]] = [self.webhooks.run, self._settle, self.shipping.run]
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part())

    async def _settle(self) -> None:
        self._ticker.bind()
        try:
            while True:
                dues = [due for store in list(self.stores.values()) if (due := store.settle()) is not None]
                now = self.ground.clock.now()
                await self._ticker.wait(min([1.0, *((due - now).total_seconds() for due in dues)]))
        finally:
            self._ticker.release()
