"""A client for bulk reading: what several orders of a slice share is asked for once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.parse import parse_date


class Remembering(BigCommerce):
    """Lives for one slice. What it remembers is as old as the slice at most."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._orders: dict[int, dict[str, Any]] = {}
        self._customers: dict[int, dict[str, Any] | None] = {}
        self._products: dict[int, dict[str, Any] | None] = {}
        self._brands: dict[int, str] = {}
        self._of_buyer: dict[tuple[str, str], list[dict[str, Any]]] = {}

    async def prepare_orders(self, raws: Iterable[Mapping[str, Any]]) -> None:
        """Take orders as a list gave them, and ask for their customers in one go."""
        self._orders |= {int(raw["id"]): dict(raw) for raw in raws}
        ids = {int(raw.get("customer_id") or 0) for raw in self._orders.values()} - {0}
        await self.customers(ids=ids)

    async def fetch_order(self, order_id: int) -> dict[str, Any] | None:
        known = self._orders.get(order_id)
        return known if known is not None else await super().fetch_order(order_id)

    async def customers(
        self, *, ids: Collection[int] = (), emails: Collection[str] = (), include: str = ""
    ) -> list[dict[str, Any]]:
        if emails or include:
            return await super().customers(ids=ids, emails=emails, include=include)
        missing = set(ids) - self._customers.keys()
        if missing:
            self._customers |= dict.fromkeys(missing)
            self._customers |= {int(row["id"]): row for row in await super().customers(ids=missing)}
        return [row for row in (self._customers[i] for i in sorted(set(ids))) if row is not None]

    async def products(self, ids: Collection[int]) -> list[dict[str, Any]]:
        missing = set(ids) - self._products.keys()
        if missing:
            found = await super().products(missing)
            self._products |= dict.fromkeys(missing)
            self._products |= {int(row["id"]): row for row in found}
        return [row for row in (self._products[i] for i in sorted(set(ids))) if row is not None]

    async def brands(self, ids: Collection[int]) -> dict[int, str]:
        missing = set(ids) - self._brands.keys()
        if missing:
            self._brands |= await super().brands(missing)
        return {i: self._brands[i] for i in ids if i in self._brands}

    async def list_orders(self, **asked: Any) -> AsyncIterator[dict[str, Any]]:
        """The orders of one buyer, newest first, are read once; an earlier moment is cut out of them."""
        who = next(((name, str(asked[name])) for name in ("customer_id", "email") if asked.get(name)), None)
        if who is None or not asked.get("newest_first") or asked.get("created_since") is not None:
            async for row in super().list_orders(**asked):
                yield row
            return
        before = asked.pop("created_before", None)
        most = asked.get("most")
        if who not in self._of_buyer:
            self._of_buyer[who] = [row async for row in super().list_orders(**asked)]
        rows = self._of_buyer[who]
        if before is not None:
            rows = [r for r in rows if parse_date(r.get("date_created"), "date_created") <= before]
        for row in rows[:most]:
            yield row
