"""A case, freshly read: our own tables and its order at the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.refunds import OrderMoney, parse_order_money
from bcapp.core.cases import CaseState
from bcapp.core.kinds.case import CaseFacts, CaseLine, file_line
from bcapp.core.model import Gone, RecordKey
from bcapp.db.cases import Case, fetch_case, files_of, lines_of
from bcapp.services import Services


async def read_case(
    services: Services, store_hash: str, case_id: int, client: Callable[[], Awaitable[BigCommerce]]
) -> CaseFacts | Gone:
    """Return a case with its order; the order is read fresh as long as anything can still be done."""
    db = services.db
    case = await fetch_case(db, store_hash, case_id)
    if case is None:
        return Gone(RecordKey("case", str(case_id)))
    order = None
    if not case.state.is_end and case.state not in (CaseState.DRAFT, CaseState.NEW):
        raw = await (await client()).fetch_order(case.order_id)
        order = parse_order_money(raw) if raw is not None else None
        if order is not None:
            await keep_order(services, store_hash, case, order)
    stored = {**case.row["order_facts"], **(_order_facts(order) if order is not None else {})}
    facts = _facts(case, await lines_of(db, store_hash, case.id), stored, gone=order is None and case.state.reserves)
    files = await files_of(db, store_hash, case.id)
    return replace(facts, files=tuple(file_line(f["media"], f["size_bytes"], bytes(f["sha256"])) for f in files))


def _order_facts(order: OrderMoney) -> dict[str, Any]:
    return {
        "total": f"{order.total:f}",
        "refunded": f"{order.refunded:f}",
        "status": order.status_id,
        "payment_status": order.payment_status,
        "payment_method": order.payment_method,
        "created_at": order.created_at.isoformat(),
        "items_shipped": order.items_shipped,
        "customer": order.customer_id,
        "channel": order.channel_id,
    }


async def keep_order(services: Services, store_hash: str, case: Case, order: OrderMoney) -> None:
    await services.db.execute(
        "save_case_order",
        {
            "store_hash": store_hash,
            "id": case.id,
            "currency": order.currency,
            "order_facts": _order_facts(order),
            "contact_name": order.customer_name,
            "contact_email": order.customer_email,
        },
    )


def _facts(case: Case, lines: Sequence[dict[str, Any]], order: dict[str, Any], *, gone: bool) -> CaseFacts:
    row = case.row
    made = order.get("created_at")
    return CaseFacts(
        id=case.id,
        kind=str(case.kind),
        state=str(case.state),
        state_why=row["state_why"],
        order_id=case.order_id,
        currency=row["currency"],
        created_at=row["created_at"],
        origin=row["origin"],
        opened_by=row["opened_by"],
        reason=row["reason"],
        goods_back=row["goods_back"],
        tender=case.tender,
        tolerance=case.tolerance,
        quoted=case.quoted,
        tax=row["tax"],
        cap=case.cap,
        taken=case.taken,
        lines=tuple(
            CaseLine(x["item_type"], x["item_id"], x["quantity"], x["amount"], x["name"], x["sku"], x["why"])
            for x in lines
            if x["quantity"] or x["amount"]
        ),
        order_total=Decimal(order.get("total", "0")),
        order_refunded=Decimal(order.get("refunded", "0")),
        order_status=order.get("status", 0),
        payment_status=order.get("payment_status", ""),
        payment_method=order.get("payment_method", ""),
        order_created_at=datetime.fromisoformat(made) if made else row["created_at"],
        items_shipped=order.get("items_shipped", 0),
        customer_id=order.get("customer", 0),
        channel_id=order.get("channel", 1),
        order_gone=gone,
        refunds_before=len(case.baseline),
        opener_email=row["opener_email"],
        contact_name=row["contact_name"],
        contact_email=row["contact_email"],
        note=row["note"],
    )
