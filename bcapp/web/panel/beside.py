"""Screens that open inside BigCommerce's own lists, beside an order, a customer or a product.

They are what core/extensions.py registers. All of them are read from our own tables: they show at once.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.decisions import nearest
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.product import PRODUCT
from bcapp.core.model import RecordKey
from bcapp.core.rules import RuleDefinition, parse_definition, sentence
from bcapp.core.states import HoldState
from bcapp.db import panel_requests
from bcapp.db.decisions import list_decisions
from bcapp.db.outside import list_of_record
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.history import timeline
from bcapp.web.panel.kinds import TABLE, shown_kinds
from bcapp.web.panel.screen import answer, frame, path_id, shown_label
from bcapp.web.render import wants_part

SHOWN = 5  # entries of the history, the newest
ABOUT_PRODUCTS = frozenset({"category", "brand", "custom_field", "sku", "product"})
RELEASABLE = frozenset({HoldState.HOLDING, HoldState.HELD, HoldState.KEPT, HoldState.RELEASING, HoldState.JOINED})


@panel("requests.view")
async def order_signatures(request: Request, visit: Visit) -> Response:
    """Show how the signatures of an order stand. One that was never read leads to the page that reads it."""
    return await _record(request, visit, RecordKey("order", str(path_id(request))))


@panel("requests.view")
async def customer_agreements(request: Request, visit: Visit) -> Response:
    """Show what a customer has accepted, and what is asked of them."""
    return await _record(request, visit, RecordKey("customer", str(path_id(request))))


async def _record(request: Request, visit: Visit, record: RecordKey) -> Response:
    db, store_hash, words = visit.services.db, visit.store.hash, TABLE[record.kind]
    of = {"store_hash": store_hash, "kind": record.kind, "id": record.id}
    row = await db.fetch_one("fetch_record", of)
    around = await panel_requests.around_record(db, store_hash, record)
    history = await list_decisions(db, store_hash, record)
    is_held = around.hold is not None and around.hold["state"] in RELEASABLE
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    entries = timeline(around.timeline, around.names, words.kind.label)
    return answer(
        request,
        visit,
        "panel/beside.html",
        "beside",
        active="requests",
        beside=True,
        words=words,
        record=record,
        has_page=words in shown_kinds(),
        is_read=row is not None and row["looked_at"] is not None,
        label=shown_label(visit, record.kind, record.id, row["label"] if row else ""),
        row=row,
        around=around,
        sees_facts=visit.may("requests.facts"),
        near=nearest(history[0].traces) if history else (),
        entries=entries[:SHOWN],
        acceptances=await db.fetch_all("acceptances_beside", {"store_hash": store_hash, "id": record.id})
        if record.kind == "customer"
        else [],
        outside=await list_of_record(db, store_hash, record),
        can_release=is_held and visit.may("holds.override"),
        can_send=row is not None and visit.may("requests.send"),
        url=frame(request).url(request.scope["path"].split("/", 3)[3]),
        is_moving=around.busy > 0 or any(a["state"] in ("pending", "started") for a in around.actions),
        **quiet,
    )


@panel("rules.view")
async def product_requirements(request: Request, visit: Visit) -> Response:
    """Show which rules look at what a product is, and whether its supplier has signed."""
    db, store_hash, number = visit.services.db, visit.store.hash, path_id(request)
    rules = [
        (row, sentence(definition, KINDS[definition.kind or "order"]))
        for row in await db.fetch_all("rules_beside", {"store_hash": store_hash})
        if _is_about_products(definition := parse_definition(row["definition"]))
    ]
    record = RecordKey(PRODUCT.name, str(number))
    around = await panel_requests.around_record(db, store_hash, record)
    return answer(
        request,
        visit,
        "panel/beside_product.html",
        "beside",
        active="rules",
        beside=True,
        number=number,
        rules=rules,
        around=around,
    )


def _is_about_products(definition: RuleDefinition) -> bool:
    if definition.kind not in ("", "order", "product"):
        return False
    return any(c.field in ABOUT_PRODUCTS for group in definition.groups for c in group)


ROUTES = [
    Route("/orders/{id}/signatures", order_signatures, name="order_signatures"),
    Route("/customers/{id}/agreements", customer_agreements, name="customer_agreements"),
    Route("/products/{id}/requirements", product_requirements, name="product_requirements"),
]
