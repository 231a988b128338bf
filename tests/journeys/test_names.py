"""What the store calls its groups and categories is read in the background, and offered where rules are made."""

import pytest

from bcapp.db.store_names import OPEN_GROUP, fetch_names
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


async def test_the_editor_knows_groups_and_categories_by_name(world: World) -> None:
    async def read() -> bool:
        return len(await fetch_names(world.db, world.store_hash)) == 4

    await world.until(read, said="the store's names")
    names = await fetch_names(world.db, world.store_hash)
    groups = {str(g["id"]): g["name"] for g in world.store.groups.values()}
    assert names["customer_group"] == {"0": "No group"} | groups
    assert names[OPEN_GROUP] == groups
    below = next(c for c in world.store.categories.values() if c["parent_id"])
    above = world.store.categories[below["parent_id"]]
    assert names["category"][str(below["category_id"])] == f"{above['name']} › {below['name']}"
    gone = next(iter(world.store.groups))
    del world.store.groups[gone]
    await world.swept("names")

    async def dropped() -> bool:
        return str(gone) not in (await fetch_names(world.db, world.store_hash))["customer_group"]

    await world.until(dropped, said="the group is gone")
