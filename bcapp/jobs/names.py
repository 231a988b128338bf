"""Reading what a store calls what its rules know by number: customer groups, categories, price lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.db.store_names import OPEN_GROUP, keep_names
from bcapp.db.stores import Store
from bcapp.errors import BigCommerceError, TokenRefused, UnreadableInput
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

NAME_CHARACTERS = 200
NO_GROUP = "No group"
JOINT = " › "
MOST_LEVELS = 10  # of a category tree


async def read_names(services: Services, vendors: Vendors, store: Store) -> dict[str, int]:
    """Read the names and keep them; return how many of each. What the app may not read keeps no names."""
    client = await vendors.bigcommerce(store.hash)
    counts: dict[str, int] = {}
    for what, read in NAMED.items():
        try:
            names = await read(client)
        except TokenRefused:
            raise
        except BigCommerceError as exc:
            if not exc.permanent:
                raise
            continue  # a permission that was not given
        await keep_names(services.db, store.hash, what, names)
        counts[what] = len(names)
    return counts


async def _groups(client: BigCommerce) -> dict[int, str]:
    rows = await client.customer_groups()
    return {0: NO_GROUP} | {number: name for number, name in _named(rows, "id")}


async def _open_groups(client: BigCommerce) -> dict[int, str]:
    """Return the groups that see every category: whoever waits in one of them goes on buying."""
    rows = await client.customer_groups()
    return dict(_named((r for r in rows if (r.get("category_access") or {}).get("type") == "all"), "id"))


async def _categories(client: BigCommerce) -> dict[int, str]:
    """Return each category with those above it, the outermost first."""
    rows = await client.categories()
    names = dict(_named(rows, "category_id"))
    above = {int(row["category_id"]): int(row.get("parent_id") or 0) for row in rows}
    return {number: JOINT.join(_way(number, names, above))[-NAME_CHARACTERS:] for number in names}


async def _price_lists(client: BigCommerce) -> dict[int, str]:
    return dict(_named(await client.list_price_lists(), "id"))


def _way(number: int, names: Mapping[int, str], above: Mapping[int, int]) -> list[str]:
    way: list[str] = []
    while number in names and len(way) < MOST_LEVELS:
        way.insert(0, names[number])
        number = above.get(number, 0)
    return way


def _named(rows: Iterable[Mapping[str, Any]], key: str) -> list[tuple[int, str]]:
    try:
        return [(int(row[key]), str(row.get("name") or row[key])[:NAME_CHARACTERS]) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise UnreadableInput(f"a name comes without its {key}") from None


# What is read -> how. A name is that of the condition's field that means it; open groups are asked for by lint only.
NAMED: Mapping[str, Callable[[BigCommerce], Awaitable[dict[int, str]]]] = {
    "customer_group": _groups,
    OPEN_GROUP: _open_groups,
    "category": _categories,
    "price_list": _price_lists,
}
