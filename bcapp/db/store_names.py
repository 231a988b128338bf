"""What a store calls its customer groups and categories, by number: read in the background, for the editor of rules."""

from __future__ import annotations

from collections.abc import Mapping

from bcapp.db import Database

OPEN_GROUP = "open_group"  # customer groups that see every category


async def fetch_names(db: Database, store_hash: str) -> dict[str, dict[str, str]]:
    """Return what -> number -> name, by name; what is the name of a condition's field, such as category."""
    found: dict[str, dict[str, str]] = {}
    for row in await db.fetch_all("store_names_of", {"store_hash": store_hash}):
        found.setdefault(row["what"], {})[str(row["id"])] = row["name"]
    return found


async def keep_names(db: Database, store_hash: str, what: str, names: Mapping[int, str]) -> None:
    """Write down all names of one sort; what is not among them any more is dropped."""
    of = {"store_hash": store_hash, "what": what, "ids": list(names)}
    async with db.transaction():
        await db.execute("drop_other_store_names", of)
        await db.execute("keep_store_names", {**of, "names": list(names.values())})
