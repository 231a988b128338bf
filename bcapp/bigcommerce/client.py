"""The store's API: one method per call, and the right error for every failure.

Source: BigCommerce docs, "API Rate Limits", "API Status Codes" and the OpenAPI file of each resource.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

from bcapp.bigcommerce.carts import CartCalls
from bcapp.bigcommerce.extensions import ExtensionCalls
from bcapp.bigcommerce.parse import StoreProfile, parse_date, parse_store
from bcapp.bigcommerce.refunds import RefundCalls
from bcapp.bigcommerce.wire import Params
from bcapp.errors import BigCommerceError, UnreadableInput
from bcapp.gate import Gate

PAGE = 250  # the most rows that a list gives at once
MOST_PAGES = 4000  # a list that never ends must not hold a worker for ever
WITH_PRODUCT = "custom_fields,channels"


def batches(values: Iterable[Any], size: int) -> list[list[Any]]:
    rows = list(values)
    return [rows[at : at + size] for at in range(0, len(rows), size)]


class BigCommerce(ExtensionCalls, RefundCalls, CartCalls):
    """One store, as its own access token sees it."""

    def __init__(
        self, http: httpx.AsyncClient, api_url: str, store_hash: str, token: str, gate: Gate | None = None
    ) -> None:
        self.store_hash = store_hash
        root = f"{api_url.rstrip('/')}/stores/{store_hash}"
        super().__init__(http, root, {"X-Auth-Token": token}, gate)

    # Store

    async def get_store(self) -> StoreProfile:
        return parse_store(self._object(await self._call("GET", "/v2/store"), "the store"))

    async def time(self) -> datetime:
        """Return the vendor's clock; the cheapest call that proves the token. Raises TokenRefused."""
        answer = self._object(await self._call("GET", "/v2/time"), "the time")
        try:
            return datetime.fromtimestamp(int(answer["time"]), UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise UnreadableInput("the answer has no time") from None

    async def channels(self) -> list[dict[str, Any]]:
        return await self._v3_list("/v3/channels", {})

    async def channel_site(self, channel_id: int) -> dict[str, Any] | None:
        """Return the site (url, urls ...) of a channel, or None when it has none."""
        answer = await self._found("GET", f"/v3/channels/{channel_id}/site")
        return None if answer is None else self._first(answer)

    async def sites(self) -> list[dict[str, Any]]:
        return await self._v3_list("/v3/sites", {})

    # Orders

    async def fetch_order(self, order_id: int) -> dict[str, Any] | None:
        """Return the raw order, or None when there is none (404)."""
        answer = await self._found("GET", f"/v2/orders/{order_id}")
        return None if answer is None else self._object(answer, "the order")

    async def list_orders(
        self,
        *,
        modified_since: datetime | None = None,
        created_since: datetime | None = None,
        created_before: datetime | None = None,
        customer_id: int | None = None,
        email: str | None = None,
        status_id: int | None = None,
        channel_id: int | None = None,
        min_id: int | None = None,
        newest_first: bool = False,
        page_size: int = PAGE,
        most: int | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield raw orders; ordered by change when `modified_since` is given, else by id.

        A change while we read moves an order to the end of the list and shifts the rest, so a read by change goes on
        from the last time seen instead of by page number; each (order, time of change) comes once.
        """
        given = {
            "min_date_modified": _date(modified_since),
            "min_date_created": _date(created_since),
            "max_date_created": _date(created_before),
            "customer_id": customer_id,
            "email": email,
            "status_id": status_id,
            "channel_id": channel_id,
            "min_id": min_id,
        }
        params: dict[str, str | int] = {k: v for k, v in given.items() if v is not None}
        column = "date_modified" if modified_since is not None else "id"
        params |= {"sort": f"{column}:{'desc' if newest_first else 'asc'}", "limit": page_size}
        by_time = column == "date_modified" and not newest_first
        page, given_out = 1, 0
        seen: set[tuple[int, str]] = set()
        for _ in range(MOST_PAGES):
            rows = self._rows(await self._call("GET", "/v2/orders", params={**params, "page": page}), "orders")
            for row in rows:
                key = (int(row.get("id") or 0), str(row.get("date_modified")))
                if key in seen:
                    continue
                seen.add(key)
                yield row
                given_out += 1
                if most is not None and given_out >= most:
                    return
            if len(rows) < page_size:
                return
            after = parse_date(rows[-1].get("date_modified"), "date_modified") - timedelta(seconds=1)
            if by_time and modified_since is not None and after > modified_since:
                # A second back: whether the filter includes its own second is nowhere written.
                modified_since, page = after, 1
                params["min_date_modified"] = _date(after) or ""
            else:
                page += 1
        raise BigCommerceError(f"the list of orders does not end after {MOST_PAGES} pages", permanent=True)

    async def count_orders(
        self,
        *,
        created_since: datetime | None = None,
        created_before: datetime | None = None,
        status_id: int | None = None,
        customer_id: int | None = None,
    ) -> int:
        return (await self._count(created_since, created_before, status_id, customer_id))[0]

    async def count_orders_by_status(
        self, *, created_since: datetime | None = None, created_before: datetime | None = None
    ) -> dict[int, int]:
        """Return status id -> number of orders, without the empty ones."""
        return (await self._count(created_since, created_before, None, None))[1]

    async def _count(
        self, since: datetime | None, before: datetime | None, status_id: int | None, customer_id: int | None
    ) -> tuple[int, dict[int, int]]:
        given = {
            "min_date_created": _date(since),
            "max_date_created": _date(before),
            "status_id": status_id,
            "customer_id": customer_id,
        }
        params = {k: v for k, v in given.items() if v is not None}
        answer = self._object(await self._call("GET", "/v2/orders/count", params=params), "the count")
        try:
            groups = {int(s["id"]): int(s["count"]) for s in answer.get("statuses") or [] if int(s["count"])}
            return int(answer["count"]), groups
        except (KeyError, TypeError, ValueError):
            raise UnreadableInput("the answer has no count of orders") from None

    async def order_products(self, order_id: int) -> list[dict[str, Any]]:
        return await self._v2_list(f"/v2/orders/{order_id}/products")

    async def order_shipping_addresses(self, order_id: int) -> list[dict[str, Any]]:
        return await self._v2_list(f"/v2/orders/{order_id}/shipping_addresses")

    async def order_coupons(self, order_id: int) -> list[dict[str, Any]]:
        return await self._v2_list(f"/v2/orders/{order_id}/coupons")

    async def order_transactions(self, order_id: int) -> list[dict[str, Any]]:
        """Return the payment transactions; an empty list also when the vendor answers 204."""
        answer = await self._call("GET", f"/v3/orders/{order_id}/transactions")
        return [] if answer is None else self._rows(self._data(answer), "transactions")

    async def order_statuses(self) -> list[dict[str, Any]]:
        return self._rows(await self._call("GET", "/v2/order_statuses"), "statuses")

    async def put_order(self, order_id: int, **only_changed: Any) -> dict[str, Any]:
        """Write only the fields that change and return the vendor's answer; the caller reads the order back.

        Line items must never be sent: the vendor then drops their discounts.
        """
        if not only_changed or "products" in only_changed:
            raise ValueError("name the fields that change, and never the products")
        return self._object(await self._call("PUT", f"/v2/orders/{order_id}", body=only_changed), "the order")

    async def capture(self, order_id: int) -> None:
        """Ask the gateway to take the authorised payment; it works on after the answer."""
        await self._call("POST", f"/v3/orders/{order_id}/payment_actions/capture")

    async def void(self, order_id: int) -> None:
        """Give back an authorisation; never for a captured payment."""
        await self._call("POST", f"/v3/orders/{order_id}/payment_actions/void")

    # Metafields

    async def metafields(
        self, order_id: int, *, namespace: str | None = None, key: str | None = None, resource: str = "orders"
    ) -> list[dict[str, Any]]:
        """resource: the path before the id, e.g. orders, customers, catalog/products."""
        given = {"namespace": namespace, "key": key}
        params = {k: v for k, v in given.items() if v is not None}
        return await self._v3_list(f"/v3/{resource}/{order_id}/metafields", params)

    async def put_metafield(
        self,
        order_id: int,
        namespace: str,
        key: str,
        value: str,
        *,
        permission_set: str = "app_only",
        description: str = "",
        resource: str = "orders",
    ) -> dict[str, Any]:
        """Create the metafield, or change the one of that name. Both ways lead to the same state when repeated."""
        path = f"/v3/{resource}/{order_id}/metafields"
        body = {
            "permission_set": permission_set,
            "namespace": namespace,
            "key": key,
            "value": value,
            "description": description,
        }
        try:
            return self._first(await self._call("POST", path, body=body))
        except BigCommerceError as exc:
            if exc.status != 409:
                raise
        for row in await self.metafields(order_id, namespace=namespace, key=key, resource=resource):
            if row.get("namespace") == namespace and row.get("key") == key:
                return self._first(await self._call("PUT", f"{path}/{int(row['id'])}", body=body))
        raise BigCommerceError(f"metafield {namespace}.{key} exists but is not listed", status=409)

    async def set_metafields(
        self, owner: int, namespace: str, wanted: Mapping[str, tuple[str, str]], *, resource: str = "orders"
    ) -> int:
        """Make the namespace's keys say this, {key: (value, permission_set)}; return how many had to be written.

        One read, and a write per key that differs. Other keys are left alone.
        """
        there = {row.get("key"): row for row in await self.metafields(owner, namespace=namespace, resource=resource)}
        written = 0
        for key, (value, permission_set) in wanted.items():
            row = there.get(key)
            if row is None:
                await self.put_metafield(owner, namespace, key, value, permission_set=permission_set, resource=resource)
            elif (row.get("value"), row.get("permission_set")) != (value, permission_set):
                # The vendor's file for the catalogue wants both names in every body; the other files take them.
                names = {"namespace": namespace, "key": key}
                changed = {**names, "value": value, "permission_set": permission_set}
                await self._call("PUT", f"/v3/{resource}/{owner}/metafields/{int(row['id'])}", body=changed)
            else:
                continue
            written += 1
        return written

    # Customers

    async def list_customers(
        self,
        *,
        created_since: datetime | None = None,
        modified_since: datetime | None = None,
        newest_first: bool = True,
        page_size: int = PAGE,
        most: int | None = None,
        include: str = "addresses,attributes,formfields",
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield raw customers with their addresses, attributes and form fields.

        In the order of their making, of their last change when modified_since is given; each comes once.
        """
        column = "date_modified" if modified_since is not None else "date_created"
        given = {"date_created:min": _iso(created_since), "date_modified:min": _iso(modified_since)}
        params: dict[str, str | int] = {k: v for k, v in given.items() if v is not None}
        params |= {"include": include, "sort": f"{column}:{'desc' if newest_first else 'asc'}"}
        async for row in self._v3_pages("/v3/customers", params, page_size, most):
            yield row

    async def count_customers(self, *, created_since: datetime | None = None) -> int:
        params = {"date_created:min": _iso(created_since)} if created_since is not None else {}
        return await self._v3_total("/v3/customers", {k: v for k, v in params.items() if v is not None})

    async def customer_attributes(self) -> dict[int, str]:
        """Return attribute id -> name; at most 50 of a store."""
        rows = await self._v3_list("/v3/customers/attributes", {})
        return {int(row["id"]): str(row.get("name") or "") for row in rows}

    async def customers(
        self, *, ids: Collection[int] = (), emails: Collection[str] = (), include: str = ""
    ) -> list[dict[str, Any]]:
        """Return the customers with these ids, or with these e-mail addresses; unknown ones are left out."""
        more: dict[str, str] = {"include": include} if include else {}
        found: list[dict[str, Any]] = []
        for part in batches(sorted(set(ids)), 50):
            found += await self._v3_list("/v3/customers", {"id:in": ",".join(map(str, part)), **more})
        for part in batches(sorted(set(emails)), 50):
            found += await self._v3_list("/v3/customers", {"email:in": ",".join(part), **more})
        return found

    async def customer_groups(self) -> list[dict[str, Any]]:
        return await self._v2_list("/v2/customer_groups")

    async def put_customer(self, customer_id: int, **only_changed: Any) -> dict[str, Any]:
        """Write only the fields that change, such as customer_group_id (0: no group), and return the vendor's answer.

        Of what belongs to a customer only form_fields can be written here, [{"name", "value"}].
        """
        if not only_changed:
            raise ValueError("name the fields that change")
        body = [{"id": customer_id, **only_changed}]
        return self._first(await self._call("PUT", "/v3/customers", body=body))

    async def attribute_changes(self, since: datetime) -> list[dict[str, Any]]:
        """Return the attribute values written since then: customer_id, attribute_id, attribute_value, date_modified.

        No webhook tells of a value that another app wrote.
        """
        return await self._v3_list("/v3/customers/attribute-values", {"date_modified:min": _iso(since) or ""})

    async def put_attribute(self, customer_id: int, attribute_id: int, value: str) -> None:
        """Give a customer's attribute this value, at most 255 characters. It is asked for as `value` here only."""
        body = [{"attribute_id": attribute_id, "value": value[:255], "customer_id": customer_id}]
        await self._call("PUT", "/v3/customers/attribute-values", body=body)

    # Catalog

    async def products(self, ids: Collection[int]) -> list[dict[str, Any]]:
        """Return what rules ask of products: sku, brand_id, categories, custom_fields. Deleted ones are left out."""
        named = "name,sku,brand_id,categories,availability,preorder_release_date"
        fields = {"include": "custom_fields", "include_fields": named}
        found: list[dict[str, Any]] = []
        for part in batches(sorted(set(ids)), PAGE):
            found += await self._v3_list("/v3/catalog/products", {"id:in": ",".join(map(str, part)), **fields})
        return found

    async def fetch_product(self, product_id: int) -> dict[str, Any] | None:
        """Return the raw product with its custom fields and channels, or None when there is none (404)."""
        answer = await self._found("GET", f"/v3/catalog/products/{product_id}", params={"include": WITH_PRODUCT})
        return None if answer is None else self._first(answer)

    async def list_products(
        self,
        *,
        modified_since: datetime | None = None,
        newest_first: bool = True,
        page: int = 1,
        page_size: int = PAGE,
        most: int | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield raw products with their custom fields and channels, by number: it grows as products are made.

        page: where to begin.
        """
        params: dict[str, str | int] = {"include": WITH_PRODUCT, "sort": "id"}
        params |= {"direction": "desc" if newest_first else "asc"}
        if modified_since is not None:
            params["date_modified:min"] = _iso(modified_since) or ""
        async for row in self._v3_pages("/v3/catalog/products", params, page_size, most, page):
            yield row

    async def count_products(self) -> int:
        return await self._v3_total("/v3/catalog/products", {"include_fields": "sku"})

    async def shelf_page(self, given: Mapping[str, str], page: int = 1) -> tuple[list[dict[str, Any]], bool]:
        """Return one page of the products that a filter names, by number, and whether it is the last.

        With brand_id, categories, is_visible, date_created and channels; given: of the list's filters.
        """
        fields = {"include": "channels", "include_fields": "name,brand_id,categories,is_visible,date_created"}
        params: dict[str, str | int] = {**fields, **given, "sort": "id", "direction": "asc"}
        params |= {"page": page, "limit": PAGE}
        answer = await self._call("GET", "/v3/catalog/products", params=params)
        rows = self._rows(self._data(answer), "products")
        return rows, len(rows) < PAGE

    async def products_by_sku(self, skus: Collection[str]) -> list[dict[str, Any]]:
        """Return id, name and sku of the products with these SKUs."""
        found: list[dict[str, Any]] = []
        for part in batches(sorted(set(skus)), 50):
            fields = {"sku:in": ",".join(part), "include_fields": "name,sku"}
            found += await self._v3_list("/v3/catalog/products", fields)
        return found

    async def find_brands(self, name: str) -> list[dict[str, Any]]:
        """Return the brands of exactly this name: id, name."""
        return await self._v3_list("/v3/catalog/brands", {"name": name})

    async def set_visible(self, ids: Collection[int], visible: bool) -> None:
        """Show or hide up to ten products; what else they are stays as it is."""
        body = [{"id": product_id, "is_visible": visible} for product_id in sorted(ids)]
        await self._call("PUT", "/v3/catalog/products", body=body)

    async def assign_channels(self, pairs: Collection[tuple[int, int]]) -> None:
        """Put products onto channels, (product, channel) each. One call at a time: the vendor asks for that."""
        body = [{"product_id": product, "channel_id": channel} for product, channel in sorted(pairs)]
        await self._call("PUT", "/v3/catalog/products/channel-assignments", body=body)

    async def unassign_channel(self, ids: Collection[int], channel_id: int) -> None:
        """Take products off a channel."""
        params = {"product_id:in": ",".join(map(str, sorted(ids))), "channel_id:in": str(channel_id)}
        await self._call("DELETE", "/v3/catalog/products/channel-assignments", params=params)

    async def brands(self, ids: Collection[int]) -> dict[int, str]:
        """Return brand id -> name."""
        found: dict[int, str] = {}
        for part in batches(sorted(set(ids)), PAGE):
            for row in await self._v3_list("/v3/catalog/brands", {"id:in": ",".join(map(str, part))}):
                found[int(row["id"])] = str(row.get("name") or "")
        return found

    async def categories(self) -> list[dict[str, Any]]:
        """Return all categories of all trees: category_id, parent_id, tree_id, name ..."""
        return await self._v3_list("/v3/catalog/trees/categories", {})

    async def category_tree(self) -> dict[int, int]:
        """Return category id -> parent id; 0 stands above the top ones."""
        try:
            return {int(row["category_id"]): int(row.get("parent_id") or 0) for row in await self.categories()}
        except (KeyError, TypeError, ValueError):
            raise UnreadableInput("a category has no category_id") from None

    # Price lists

    async def price_list(self, price_list_id: int) -> dict[str, Any] | None:
        """Return a price list (id, name, active), or None when there is none."""
        answer = await self._found("GET", f"/v3/pricelists/{price_list_id}")
        return None if answer is None else self._first(answer)

    async def price_records(self, price_list_id: int) -> list[dict[str, Any]]:
        """Return the prices of a list, with their SKUs and tiers."""
        include = {"include": "bulk_pricing_tiers,sku"}
        return await self._v3_list(f"/v3/pricelists/{price_list_id}/records", include)

    async def list_price_lists(self) -> list[dict[str, Any]]:
        """Return all price lists: id, name, active, date_created, date_modified."""
        return await self._v3_list("/v3/pricelists", {})

    async def price_list_assignments(self, price_list_id: int | None = None) -> list[dict[str, Any]]:
        """Return who gets which list: id, price_list_id, customer_group_id, channel_id (null: every channel)."""
        params = {"price_list_id": price_list_id} if price_list_id is not None else {}
        return await self._v3_list("/v3/pricelists/assignments", params)

    # Promotions

    async def list_promotions(self) -> list[dict[str, Any]]:
        """Return all raw promotions by their number. They carry no time of change, and no event tells of one."""
        return await self._v3_list("/v3/promotions", {"sort": "id", "direction": "asc"})

    async def fetch_promotion(self, promotion_id: int) -> dict[str, Any] | None:
        """Return the raw promotion, or None when there is none (404)."""
        answer = await self._found("GET", f"/v3/promotions/{promotion_id}")
        return None if answer is None else self._first(answer)

    async def put_promotion(self, promotion_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write a promotion whole (core/offers.py, body_of) and return the vendor's answer."""
        return self._first(await self._call("PUT", f"/v3/promotions/{promotion_id}", body=dict(body)))

    async def promotion_codes(self, promotion_id: int) -> list[dict[str, Any]]:
        """Return the codes: id, code, current_uses, max_uses, max_uses_per_customer, created."""
        return await self._v3_list(f"/v3/promotions/{promotion_id}/codes", {})

    async def create_promotion_code(
        self, promotion_id: int, code: str, *, max_uses: int, max_uses_per_customer: int
    ) -> dict[str, Any]:
        body = {"code": code, "max_uses": max_uses, "max_uses_per_customer": max_uses_per_customer}
        return self._first(await self._call("POST", f"/v3/promotions/{promotion_id}/codes", body=body))

    async def products_for_margin(self, given: Mapping[str, str], most: int) -> list[dict[str, Any]]:
        """Return id, name, price, cost_price, sale_price of the products that a filter names; at most so many and one.

        given: of the list's filters, {} for all products.
        """
        params: dict[str, str | int] = {**given, "include_fields": "name,price,cost_price,sale_price", "sort": "id"}
        rows = self._v3_pages("/v3/catalog/products", params, PAGE, most + 1)
        return [row async for row in rows]

    # Currencies

    async def currencies(self) -> list[dict[str, Any]]:
        """Return the store's currencies: currency_code, currency_exchange_rate (text), is_default, enabled ..."""
        return await self._v2_list("/v2/currencies")

    # Webhooks

    async def hooks(self) -> list[dict[str, Any]]:
        """Return the webhooks that this app made, also the inactive ones."""
        return await self._v3_list("/v3/hooks", {})

    async def create_hook(
        self, scope: str, destination: str, headers: Mapping[str, str], *, is_active: bool = True
    ) -> dict[str, Any]:
        body = {"scope": scope, "destination": destination, "is_active": is_active, "headers": dict(headers)}
        return self._first(await self._call("POST", "/v3/hooks", body=body))

    async def update_hook(self, hook_id: int, **changes: Any) -> dict[str, Any]:
        return self._first(await self._call("PUT", f"/v3/hooks/{hook_id}", body=changes))

    async def delete_hook(self, hook_id: int) -> None:
        """Delete a webhook; one that is gone already is fine."""
        await self._found("DELETE", f"/v3/hooks/{hook_id}")

    # Lists

    async def _v2_list(self, path: str, params: Params | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            asked = {**(params or {}), "page": page, "limit": PAGE}
            rows = self._rows(await self._call("GET", path, params=asked), path)
            found += rows
            if len(rows) < PAGE:
                return found
        raise BigCommerceError(f"GET {path}: the list does not end", permanent=True)

    async def _v3_list(self, path: str, params: Params) -> list[dict[str, Any]]:
        """Return all pages. An answer without pagination is one page."""
        found: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            answer = await self._call("GET", path, params={**params, "page": page, "limit": PAGE})
            rows = self._rows(self._data(answer), path)
            found += rows
            meta = answer.get("meta") if isinstance(answer, dict) else None
            pages = meta.get("pagination") if isinstance(meta, dict) else None
            total = pages.get("total_pages") if isinstance(pages, dict) else None
            if not rows or (page >= total if isinstance(total, int) else len(rows) < PAGE):
                return found
        raise BigCommerceError(f"GET {path}: the list does not end", permanent=True)

    async def _v3_pages(
        self, path: str, params: Params, page_size: int, most: int | None, first: int = 1
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows page by page, each id once: a record that is made while we read shifts the others."""
        seen: set[int] = set()
        for page in range(first, MOST_PAGES + 1):
            answer = await self._call("GET", path, params={**params, "page": page, "limit": page_size})
            rows = self._rows(self._data(answer), path)
            for row in rows:
                number = int(row.get("id") or 0)
                if number in seen:
                    continue
                seen.add(number)
                yield row
                if most is not None and len(seen) >= most:
                    return
            if len(rows) < page_size:
                return
        raise BigCommerceError(f"GET {path}: the list does not end", permanent=True)

    async def _v3_total(self, path: str, params: Params) -> int:
        answer = self._object(await self._call("GET", path, params={**params, "page": 1, "limit": 1}), path)
        try:
            return int(answer["meta"]["pagination"]["total"])
        except (KeyError, TypeError, ValueError):
            raise UnreadableInput(f"GET {path}: the answer has no total") from None


def _date(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at.astimezone(UTC).replace(microsecond=0))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
