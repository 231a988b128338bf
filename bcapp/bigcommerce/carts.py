"""Carts that we make for quotes made by hand, and what the catalog has for a SKU.

Source: carts.v3.yml (a cart made over the API, `list_price` as an own price, redirect URLs that are good once and for
30 days) and product-variants_catalog.v3.yml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bcapp.bigcommerce.raw import amount_in, text_in, whole_in
from bcapp.bigcommerce.wire import Wire
from bcapp.core.own_quotes import Stocked
from bcapp.errors import BigCommerceError, UnreadableInput


class CartCalls(Wire):
    async def make_cart(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cart as the store made it. One that nobody has a link to harms nobody, and ends by itself."""
        return self._first(await self._call("POST", "/v3/carts", body=dict(body)))

    async def fetch_cart(self, cart_id: str) -> dict[str, Any] | None:
        """Return a cart; None when it was ordered, taken away, or ended."""
        answer = await self._found("GET", f"/v3/carts/{cart_id}")
        return None if answer is None else self._first(answer)

    async def drop_cart(self, cart_id: str) -> None:
        """Take a cart away: its links lead nowhere then. One that is gone is no failure."""
        await self._found("DELETE", f"/v3/carts/{cart_id}")

    async def cart_link(self, cart_id: str) -> str | None:
        """Return a new link to the checkout of a cart, good once and for 30 days; None when the cart is gone."""
        try:
            answer = await self._call("POST", f"/v3/carts/{cart_id}/redirect_urls", body={})
        except BigCommerceError as exc:
            if exc.status == 404:
                return None
            raise
        link = text_in(self._first(answer), "checkout_url")
        if not link.startswith(("https://", "http://")):
            raise UnreadableInput("the answer has no link to the checkout")
        return link

    async def stocked(self, sku: str) -> list[Stocked]:
        """Return what the catalog has under a SKU: variants, of which every product has at least one."""
        rows = self._rows(self._data(await self._call("GET", "/v3/catalog/variants", params={"sku": sku})), "variants")
        found = []
        for row in rows:
            price, cost = (row.get(name) is not None for name in ("calculated_price", "cost_price"))
            found.append(
                Stocked(
                    whole_in(row, "product_id"),
                    whole_in(row, "id"),
                    "",
                    amount_in(row, "calculated_price") if price else None,
                    (amount_in(row, "cost_price") or None) if cost else None,
                )
            )
        return found
