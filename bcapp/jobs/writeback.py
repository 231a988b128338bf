"""What is written back on the store's own records: how their signatures stand, and a line for the staff."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.core.actions import ActionKind
from bcapp.core.escalation import RELEASED
from bcapp.core.intents import Act
from bcapp.core.model import Hold, RecordKey, SignatureRequest
from bcapp.core.states import HoldState, RequestStatus, Wanted
from bcapp.db.requests import fetch_hold, requests_of
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.workflows import warranty

NAMESPACE = "countersign"
GONE = "The record does not exist any more."


async def _order_is_there(client: BigCommerce, number: int) -> bool:
    return await client.fetch_order(number) is not None


async def _customer_is_there(client: BigCommerce, number: int) -> bool:
    return any(row.get("id") == number for row in await client.customers(ids=[number]))


async def _product_is_there(client: BigCommerce, number: int) -> bool:
    return await client.fetch_product(number) is not None


async def _brand_is_there(client: BigCommerce, number: int) -> bool:
    return number in await client.brands([number])


# Kind of record -> where its metafields stand, and whether it still is there: the store takes a metafield of anything.
RESOURCES: dict[str, tuple[str, Callable[[BigCommerce, int], Awaitable[bool]]]] = {
    "order": ("orders", _order_is_there),
    "customer": ("customers", _customer_is_there),
    "product": ("catalog/products", _product_is_there),
    "brand": ("catalog/brands", _brand_is_there),
}
# The weakest of several suppliers is what a brand says; whoever need not sign says nothing.
WEAKEST_FIRST = ("not signed", "waiting for signature", "signed")
SLICE = 10  # brands and products written in one go: each takes up to four calls


async def write_metafields(work: Work) -> Outcome:
    """Write on the record how its signatures stand: one readable key for others, the detail for us."""
    if work.store.settings.test_mode:
        return skipped("Test mode writes nothing to the store.", look=False)
    record, db = work.action.record, work.services.db
    if record.kind == "supplier":
        return await _write_covers(work)
    client = await work.vendors.bigcommerce(work.store.hash)
    resource, is_there = RESOURCES[record.kind]
    if not await is_there(client, int(record.id)):
        return skipped(GONE, look=False)
    hold = await fetch_hold(db, work.store.hash, record)
    requests = [r for r in await requests_of(db, work.store.hash, record) if not r.simulated]
    of = {"store_hash": work.store.hash, "record_kind": record.kind, "record_id": record.id}
    covers = await db.fetch_all("covers_of_record", of)
    # A warranty is asked for when the goods are gone: whether it is signed says nothing of the order.
    state = _state_word(hold, [r for r in requests if r.workflow != warranty.SLUG])
    if covers and state == "no signature wanted":
        state = "covered"
    detail: dict[str, Any] = {
        "hold": str(hold.state) if hold else "none",
        "covered_by": [
            {"acceptance": c["acceptance_id"] or None, "exemption": c["exemption_id"] or None, "says": c["sentence"]}
            for c in covers
        ],
        "requests": [
            {
                "id": r.id,
                "round": r.round,
                "purpose": str(r.purpose),
                "status": str(r.status),
                "document_sha256": r.document_sha256.hex() if r.document_sha256 else None,
            }
            for r in requests[-20:]
        ],
        "link": _link(work, f"{record.kind}s/{record.id}"),
    }
    text = json.dumps(detail, separators=(",", ":"))
    wanted = {"state": (state, "read"), "detail": (text, "app_only")}
    await client.set_metafields(int(record.id), NAMESPACE, wanted, resource=resource)
    return Outcome(left_as={"state": state}, look=False)


async def _write_covers(work: Work) -> Outcome:
    """Write on some brands and products of a supplier how it stands together with whoever else supplies them.

    Payload {"after": [kind, number]}: where the slice before ended. The rest is an action of its own, so that a spent
    call budget repeats a slice and not the whole.
    """
    db, store_hash, supplier = work.services.db, work.store.hash, work.action.record.id
    client = await work.vendors.bigcommerce(store_hash)
    before = await db.fetch_val("covers_written_back", {"store_hash": store_hash, "id": supplier}) or {}
    now = await db.fetch_all("supplier_covers", {"store_hash": store_hash, "id": int(supplier)})
    covers = {(r["kind"], r["ref"]) for r in now if r["ref"] and r["kind"] in RESOURCES}
    # What it does not supply any more is told so once.
    told = sorted(covers | {(kind, ref) for kind, ref in before.get("covers", ())})
    after = tuple(work.action.payload.get("after", ()))
    rest = [cover for cover in told if cover > after]
    for kind, ref in rest[:SLICE]:
        resource, is_there = RESOURCES[kind]
        if not await is_there(client, ref):
            continue
        sellers = await db.fetch_all("suppliers_of_cover", {"store_hash": store_hash, "kind": kind, "ref": ref})
        states = {str(r["id"]): await _supplier_state(work, r["id"]) for r in sellers}
        state = next((word for word in WEAKEST_FIRST if word in states.values()), "no signature wanted")
        detail = {
            "suppliers": [{"id": int(i), "state": s, "link": _link(work, f"suppliers/{i}")} for i, s in states.items()]
        }
        wanted = {"state": (state, "read"), "detail": (json.dumps(detail, separators=(",", ":")), "app_only")}
        await client.set_metafields(ref, NAMESPACE, wanted, resource=resource)
    if len(rest) > SLICE:
        goes_on = Act(ActionKind.WRITE_METAFIELDS, None, {"after": list(rest[SLICE - 1])})
        return Outcome(why=f"{len(rest) - SLICE} more follow.", intents=(goes_on,), look=False)
    return Outcome(left_as={"covers": sorted(covers)}, look=False)


async def _supplier_state(work: Work, supplier_id: int) -> str:
    record, db = RecordKey("supplier", str(supplier_id)), work.services.db
    requests = [r for r in await requests_of(db, work.store.hash, record) if not r.simulated]
    return _state_word(await fetch_hold(db, work.store.hash, record), requests)


def _link(work: Work, path: str) -> str:
    return f"/s/{work.store.hash}/{path}"


def _state_word(hold: Hold | None, requests: Sequence[SignatureRequest]) -> str:
    """Return how the newest round of every signature wanted stands together, in a word for others."""
    newest = {(r.rule_id, r.purpose): r for r in requests if _counts(r)}.values()
    if hold is not None and hold.state is HoldState.KEPT:
        return "not signed"
    if not newest:
        return "no signature wanted"
    if all(r.is_good for r in newest):
        return "signed"
    is_waiting = any(r.is_open or (r.status is RequestStatus.COMPLETED and not r.checked) for r in newest)
    return "waiting for signature" if is_waiting else "not signed"


def _counts(request: SignatureRequest) -> bool:
    """Tell whether a request says something: it is wanted, or was; one let go unanswered is wanted, and not signed."""
    return request.is_good or request.wanted is Wanted.OPEN or request.wanted_why == RELEASED


async def write_staff_note(work: Work) -> Outcome:
    """Add one line to the staff notes. They can only be overwritten whole, so they are read right before."""
    line = str(work.action.payload["line"])
    client = await work.vendors.bigcommerce(work.store.hash)
    order = await client.fetch_order(work.order_id)
    if order is None:
        return skipped(GONE, look=False)
    notes = str(order.get("staff_notes") or "")
    if line in notes.splitlines():
        return Outcome(why="The line is there already.", look=False)
    text = f"{notes.rstrip()}\n{line}".lstrip()
    if len(text) > 65535:
        return skipped("The staff notes are full.", look=False)
    await client.put_order(work.order_id, staff_notes=text)
    return Outcome(look=False)
