"""What only suppliers show: contacts, what they cover, papers, and what hiding their products would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.calendars import zone_or_utc
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.options import Options
from bcapp.core.rules import parse_definition
from bcapp.core.suppliers import ALL
from bcapp.db.suppliers import fetch_supplier
from bcapp.web.panel import Visit
from bcapp.web.panel.parts import Button, Look
from bcapp.web.panel.parts.papers import file_rows, paper_rows
from bcapp.web.render import Frame
from bcapp.web.status_words import N_
from bcapp.workflows import supplier_agreement

# state of a paper -> its word and the colour of its badge
COVER_WORDS = {"brand": N_("Brand"), "category": N_("Category"), "product": N_("Product")}


@dataclass(frozen=True)
class HideChoice:
    """What hiding a supplier's products would do, and whether a rule allows it. channels: (name, products)."""

    may_hide_all: bool
    may_hide_new: bool
    is_counted: bool
    products: int = 0
    visible: int = 0
    channels: tuple[tuple[str, int], ...] = ()
    money: tuple[tuple[Decimal, str], ...] = ()
    orders: int = 0
    more: bool = False
    counted_at: datetime | None = None


async def hide_choice(visit: Visit, facts: SupplierFacts) -> HideChoice:
    db, of = visit.services.db, {"store_hash": visit.store.hash}
    rows = await db.fetch_all("supplier_rules", {**of, "workflow": supplier_agreement.SLUG})
    ways = {
        Options(supplier_agreement.OPTIONS, parse_definition(r["definition"]).options).text("hide") for r in rows
    } - {""}
    row = await db.fetch_one("fetch_supplier", {**of, "id": facts.id})
    impact: dict[str, Any] = row["impact"] if row else {}
    may_all, may_new = ALL in ways, bool(ways)
    if "counted_at" not in impact:
        return HideChoice(may_all, may_new, is_counted=False)
    names = {str(c["id"]): c["name"] for c in await db.fetch_all("panel_channels", of)}
    return HideChoice(
        may_all,
        may_new,
        True,
        int(impact["products"]),
        int(impact["visible"]),
        tuple((names.get(c, f"Channel {c}"), int(n)) for c, n in sorted(impact["channels"].items())),
        tuple((Decimal(v), currency) for currency, v in sorted(impact["money"].items())),
        int(impact["orders"]),
        bool(impact["more"]),
        datetime.fromisoformat(impact["counted_at"]),
    )


async def more(look: Look) -> dict[str, Any]:
    visit = look.visit
    facts = await fetch_supplier(visit.services.db, visit.store.hash, int(look.record.id))
    if facts is None:
        return {"supplier": None}
    on = visit.now.astimezone(zone_or_utc(visit.store.timezone)).date()
    buttons = []
    if visit.may("suppliers.edit"):
        at = Frame(visit.store.hash).url(f"suppliers/{facts.id}")
        if facts.state == "active":
            label = "Invite" if facts.invited_at is None else "Products while unsigned"
            buttons.append(Button(label, f"{at}/invite"))
    return {
        "buttons": buttons,
        "supplier": facts,
        "papers": paper_rows(facts.papers, on),
        "files": await file_rows(look),
        "cover_words": COVER_WORDS,
        "choice": await hide_choice(visit, facts),
        "hold_rows": [("Products hidden now", str(facts.hidden) if facts.hidden else None)],
    }


def state(facts: Any) -> str:
    """Return how a supplier stands in the app, as lists say it."""
    if facts.get("state") == "inactive":
        return "Deactivated"
    return "Invited" if facts.get("invited_at") else "Added"
