"""A shipping tool beside the store: it imports orders by their status and ships what it has imported."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bcapp.sandbox.bigcommerce.store import Refused, Store
from bcapp.sandbox.ground import Ground, Ticker

# What such tools import as "ready to ship"; ShipStation takes 12 as well (design.md section 6).
PROFILES: dict[str, tuple[int, ...]] = {"plain": (11,), "shipstation": (11, 12), "pickup": (9, 11)}


class ShippingTool:
    """Off until `start`; then every `every_seconds` it imports, and ships what it imported `ship_after_seconds` ago.

    What it has imported it ships even when the order is held by then: that is why a hold must come first.
    """

    def __init__(self, ground: Ground, stores: Mapping[str, Store]) -> None:
        self.ground = ground
        self.stores = stores
        self._ticker = Ticker(ground.clock)
        self.reset()

    def reset(self) -> None:
        self.active = False
        self.statuses: tuple[int, ...] = PROFILES["plain"]
        self.every_seconds = 60.0
        self.ship_after_seconds = 0.0
        self.imported: dict[tuple[str, int], datetime] = {}
        self.log: list[dict[str, Any]] = []
        self._since = self.ground.clock.now()
        self._next = self._since

    def start(
        self, statuses: tuple[int, ...] = (11,), every_seconds: float = 60.0, ship_after_seconds: float = 0.0
    ) -> None:
        """Begin to poll; orders placed before this moment are left alone."""
        with self.ground.lock:
            self.statuses, self.every_seconds = statuses, every_seconds
            self.ship_after_seconds = ship_after_seconds
            self._since = self._next = self.ground.clock.now()
            self.active = True
        self._ticker.wake()

    def stop(self) -> None:
        self.active = False

    def poll(self) -> None:
        """Import and ship once, now."""
        with self.ground.lock:
            now = self.ground.clock.now()
            for store in self.stores.values():
                for order in store.visible_orders():
                    key = (store.hash, order.id)
                    fresh = order.created >= self._since and key not in self.imported
                    if fresh and order.status_id in self.statuses and order.addresses:
                        self.imported[key] = now
                        self._note(now, store.hash, order.id, "imported")
            for (hash, order_id), at in self.imported.items():
                if now - at >= timedelta(seconds=self.ship_after_seconds):
                    self._ship(self.stores[hash], order_id, now)

    def _ship(self, store: Store, order_id: int, now: datetime) -> None:
        done = (r for r in self.log if r["store"] == store.hash and r["order_id"] == order_id)
        if any(row["what"] != "imported" for row in done):
            return
        try:
            store.ship(order_id, who="shipping tool")
        except Refused as exc:
            self._note(now, store.hash, order_id, f"not shipped: {exc}")
        else:
            self._note(now, store.hash, order_id, "shipped")

    def _note(self, now: datetime, hash: str, order_id: int, what: str) -> None:
        self.log.append({"at": now.isoformat(), "store": hash, "order_id": order_id, "what": what})

    async def run(self) -> None:
        self._ticker.bind()
        try:
            while True:
                now = self.ground.clock.now()
                if self.active and now >= self._next:
                    self._next = now + timedelta(seconds=self.every_seconds)
                    self.poll()
                left = (self._next - self.ground.clock.now()).total_seconds() if self.active else 1.0
                await self._ticker.wait(min(1.0, max(left, 0.01)))
        finally:
            self._ticker.release()
