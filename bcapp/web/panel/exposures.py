"""How much of the store a rule's setting would change: said in the editor, before the rule is saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bcapp.core.options import Option
from bcapp.db import Database


async def _running_promotions(db: Database, store_hash: str) -> str:
    count = int(await db.fetch_val("promotions_switched_on", {"store_hash": store_hash}) or 0)
    are = "1 promotion is" if count == 1 else f"{count or 'No'} promotions are"
    return f"{are} switched on now. One that is edited while the rule is live is switched off until it is signed."


async def _products_of_suppliers(db: Database, store_hash: str) -> str:
    row = await db.fetch_one("suppliers_unsigned", {"store_hash": store_hash}) or {}
    suppliers, visible, uncounted = (int(row.get(n) or 0) for n in ("suppliers", "visible", "uncounted"))
    if not suppliers:
        return "Every supplier that you entered has a signed agreement, or there is none yet."
    who = "1 supplier has" if suppliers == 1 else f"{suppliers} suppliers have"
    counted = f" {visible} of their products are visible." if suppliers > uncounted else ""
    rest = f" The products of {uncounted} were not counted yet: open the supplier to count them." if uncounted else ""
    return f"{who} no signed agreement now.{counted}{rest}"


# (workflow, setting) -> what it would change now.
EXPOSURES: dict[tuple[str, str], Callable[[Database, str], Awaitable[str]]] = {
    ("offer_approval", "hold_running"): _running_promotions,
    ("supplier_agreement", "hide"): _products_of_suppliers,
}


async def exposures(db: Database, store_hash: str, workflow: str, options: tuple[Option, ...]) -> dict[str, str]:
    """Return, by setting, how much of the store it would change, for those of which that is known."""
    found: dict[str, str] = {}
    for option in options:
        told = EXPOSURES.get((workflow, option.name))
        if option.changes_store and told is not None:
            found[option.name] = await told(db, store_hash)
    return found
