"""Suppliers at work: hiding and showing products in slices, counting them, what a signature keeps, lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.shelf import Sold, add_sales, filters, find_covers, read_shelf, shelf_of, switch_each
from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.intents import AskPerson, Intent, MoveHold, Note, SettleTasks
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.model import RecordKey
from bcapp.core.states import HoldEvent, HoldState, SignerState
from bcapp.core.suppliers import (
    SLICE,
    SOON_DAYS,
    Cover,
    ShelfProduct,
    ends_on,
    identities,
    is_meant,
    is_on,
    places_to_hide,
    places_to_show,
    read_draft,
    renews_on,
)
from bcapp.db import suppliers
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import Due, finish_deliveries, say_look
from bcapp.db.news import tell_noted
from bcapp.db.requests import fetch_hold
from bcapp.db.stores import Store
from bcapp.db.suppliers import Hiding, columns, places, supplier_record
from bcapp.errors import RemoteError, Stale
from bcapp.jobs.asking import ask_person
from bcapp.jobs.covers import look_up_covers
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.rounds import Round, Swept, since
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

NEXT = timedelta()
SECONDS_AT_ONCE = 2.0  # so long one run writes slices before it lets other work go first
COUNT_DAYS = 30
ORDERS_AT_ONCE = 50
MOST_ORDERS = 2_000
MOST_PRODUCTS = 20_000
LINES_AT_ONCE = 50
KEEP_LINES = timedelta(days=7)
NEW_FOR = timedelta(minutes=3)  # a product may answer 404 right after "created"
OURS = (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT)


async def _facts(work: Work) -> SupplierFacts | None:
    return await suppliers.fetch_supplier(work.services.db, work.store.hash, int(work.action.record.id))


async def _go_on(work: Work, *intents: Intent, **cursor: Any) -> Outcome:
    """Write down how far the action came, and have its next slice done."""
    if cursor and await work.services.db.fetch_val("note_step", {**work.action.key, "payload": cursor}) is None:
        raise Stale("another runner took this action over")
    return Outcome(intents=intents, look=False, again_in=NEXT)


# Hiding ----------------------------------------------------------------------------------------------------


async def hide_products(work: Work) -> Outcome:
    """Switch off what a supplier covers: first list it, page by page, then write it in slices of ten.

    Payload: what, channels (which products, where); or rest: those that were found since; hold: for the supplier's
    hold, so not once that is opened. Where a product was on is committed before it is switched off.
    """
    db, p = work.services.db, work.action.payload
    supplier_id = int(work.action.record.id)
    of = {"store_hash": work.store.hash, "id": supplier_id}
    intents: list[Intent] = []
    if p.get("hold"):
        hold = await fetch_hold(db, work.store.hash, work.action.record)
        if hold is None or hold.state not in OURS:
            return skipped("It is not held any more.")
        if hold.state is HoldState.HOLDING:
            intents.append(MoveHold(HoldEvent.PLACED, "Its products are hidden until it is signed."))
    facts = await _facts(work)
    if facts is None:
        return skipped("The supplier does not exist any more.", look=False)
    if not p.get("rest") and "at" not in p:
        await db.execute("start_hiding", {**of, "hiding": p["what"], "channels": list(p.get("channels", ()))})
        return await _go_on(work, *intents, at=[0, 1])
    row = await db.fetch_one("fetch_supplier", of)
    if row is None or not row["hiding"]:
        await db.execute("drop_waiting_products", of)
        return skipped("Its products are not to be hidden any more.", *intents, look=False)
    at = p.get("at", "writing")
    if at != "writing":
        at = await _list_page(work, facts, row["hiding"], at[0], at[1])
        return await _go_on(work, *intents, at=at)
    begun = monotonic()
    while rows := await db.fetch_all("next_to_hide", {**of, "most": SLICE}):
        refused = await _hide(work, frozenset(row["hiding_on"]), {r["product_id"]: r["version"] for r in rows})
        if refused or monotonic() - begun > SECONDS_AT_ONCE:
            return await _go_on(work, *intents, *_refused(work, refused, "hide", "hidden"))
    row = await db.fetch_one("fetch_supplier", of) or row
    detail = {"hidden": row["hidden"]}
    why = f"{row['hidden']} products are hidden."
    return Outcome(why=why, left_as=detail, intents=(*intents, Note("products_hidden", None, detail)))


async def _list_page(work: Work, facts: SupplierFacts, what: str, which: int, page: int) -> Any:
    """Write down the products of one page that are meant; return where to go on."""
    client = await work.vendors.bigcommerce(work.store.hash)
    every = filters(facts.covers, await work.vendors.trees.parents(client))
    if which >= len(every):
        return "writing"
    rows, last = await client.shelf_page(every[which], page)
    found = await shelf_of(client, work.vendors.trees, rows)
    meant = [p.id for p in found if is_meant(p, facts.covers, what, facts.invited_at)]
    if meant:
        await suppliers.want_hidden(work.services.db, work.store.hash, facts.id, meant)
    return [which + 1, 1] if last else [which, page + 1]


async def _hide(work: Work, channels: frozenset[int], versions: Mapping[int, int]) -> list[int]:
    """Switch one slice off; return which products were refused.

    versions: product -> as it was asked for; one that is asked for anew meanwhile stays to be done.
    """
    db, store_hash, ids = work.services.db, work.store.hash, sorted(versions)
    client = await work.vendors.bigcommerce(store_hash)
    found = {p.id: p for p in await read_shelf(client, work.vendors.trees, ids)}
    changes = {p.id: where for p in found.values() if (where := places_to_hide(p, channels))}
    now = work.services.clock.now()
    await db.execute("remember_visibility", {"store_hash": store_hash, **columns(changes), "now": now})
    refused = await switch_each(client, changes, on=False) if changes else {}
    if refused:
        gone = {product: changes[product] for product in refused}
        await db.execute("forget_visibility", {"store_hash": store_hash, **columns(gone)})
    remembered = places(await db.fetch_all("remembered_visibility", {"store_hash": store_hash, "products": ids}))
    states: list[tuple[str, str]] = []
    for product_id in ids:
        if product_id in refused:
            states.append(("left", refused[product_id]))
        elif product_id not in found:
            states.append(("left", "It does not exist any more."))
        elif product_id in remembered:
            states.append(("hidden", ""))
        else:
            states.append(("left", "It was hidden already."))
    values = {
        "store_hash": store_hash,
        "id": int(work.action.record.id),
        "products": ids,
        "versions": [versions[i] for i in ids],
        "states": [state for state, _ in states],
        "whys": [why for _, why in states],
    }
    await db.execute("mark_hidden", values)
    return sorted(refused)


# Showing again ---------------------------------------------------------------------------------------------


async def show_products(work: Work) -> Outcome:
    """Switch on again what a supplier kept hidden, in slices of ten: only where it is still as we left it.

    A product that another supplier keeps hidden stays so.
    """
    db, p, supplier_id = work.services.db, work.action.payload, int(work.action.record.id)
    of = {"store_hash": work.store.hash, "id": supplier_id}
    counts = {name: int(p.get(name, 0)) for name in ("shown", "left", "kept")}
    if "shown" not in p:
        await db.execute("stop_hiding", of)
        return await _go_on(work, **counts)
    begun = monotonic()
    while rows := await db.fetch_all("next_to_show", {**of, "most": SLICE}):
        shown, left, kept, refused = await _show(work, supplier_id, [int(r["product_id"]) for r in rows])
        counts = {"shown": counts["shown"] + shown, "left": counts["left"] + left, "kept": counts["kept"] + kept}
        if refused or monotonic() - begun > SECONDS_AT_ONCE:
            return await _go_on(work, *_refused(work, refused, "show", "shown again"), **counts)
    hold = await fetch_hold(db, work.store.hash, work.action.record)
    intents: list[Intent] = [Note("products_shown", None, counts)]
    why = f"{counts['shown']} products are shown again."
    if counts["kept"]:
        why += f" {counts['kept']} stay hidden for another supplier."
    if counts["left"]:
        why += f" {counts['left']} were left as they are."
    if hold is not None and hold.state is HoldState.RELEASING:
        intents += [MoveHold(HoldEvent.OPENED, why), SettleTasks(("choose_hiding", "products_shown_early"))]
    return Outcome(why=why, left_as=counts, intents=tuple(intents))


def _refused(work: Work, refused: Sequence[int], what: str, done: str) -> tuple[Intent, ...]:
    if not refused:
        return ()
    names = ", ".join(map(str, refused))
    text = f"{work.named}: BigCommerce refused that these products are {done}: {names}. Do it there by hand."
    return (AskPerson(f"{what}_refused", text, alarm=True),)


async def _show(work: Work, supplier_id: int, ids: Sequence[int]) -> tuple[int, int, int, list[int]]:
    """Switch one slice on; return how many were shown, left as they are, kept for others, and which were refused."""
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    of = {"store_hash": store_hash, "id": supplier_id}
    kept = {int(r["product_id"]) for r in await db.fetch_all("kept_by_others", {**of, "products": list(ids)})}
    free = [i for i in ids if i not in kept]
    client = await work.vendors.bigcommerce(store_hash)
    found = {p.id: p for p in await read_shelf(client, work.vendors.trees, free)}
    remembered = places(await db.fetch_all("remembered_visibility", {"store_hash": store_hash, "products": free}))
    changes = {i: where for i, p in found.items() if (where := places_to_show(p, remembered.get(i, ())))}
    refused = await switch_each(client, changes, on=True) if changes else {}
    async with db.transaction():
        await db.fetch_all("lock_product_holds", {"store_hash": store_hash, "products": list(ids)})
        # Another supplier may have begun to hide one of them while we showed it: it looks once more.
        again = await db.fetch_all(
            "want_hidden_again", {"store_hash": store_hash, "products": sorted(changes), "but": supplier_id}
        )
        await db.execute("drop_product_holds", {**of, "products": list(ids)})
        await db.execute("drop_visibility", {"store_hash": store_hash, "products": free})
        for other in sorted({int(r["supplier_id"]) for r in again}):
            await hide_rest(work.services, store_hash, other, now)
    shown = len(changes) - len(refused)
    return shown, len(free) - shown, len(kept), sorted(refused)


async def hide_rest(services: Services, store_hash: str, supplier_id: int, now: datetime) -> None:
    """Have the products written that were found since. Call inside the transaction that wrote them down."""
    record = supplier_record(supplier_id)
    await queue_action(services.db, store_hash, ActionKind.HIDE_PRODUCTS, record, now, payload={"rest": True})


# New products ----------------------------------------------------------------------------------------------


async def look_at_product(
    services: Services, vendors: Vendors, store: Store, record: RecordKey, due: Sequence[Due]
) -> None:
    """A product was made: hide it when a supplier that is unsigned covers it."""
    db = services.db
    hiding = await suppliers.hiding_suppliers(db, store.hash)
    found: list[ShelfProduct] = []
    if hiding:
        client = await vendors.bigcommerce(store.hash)
        found = await read_shelf(client, vendors.trees, [int(record.id)])
        if not found and services.clock.now() - min(d.received_at for d in due) < NEW_FOR:
            raise RemoteError("the product is not there yet", uncounted=True, retry_after=10.0)
    now = services.clock.now()
    async with db.transaction():
        await cover_products(services, store.hash, hiding, found, now)
        await finish_deliveries(db, store.hash, list(due), now)


async def cover_products(
    services: Services, store_hash: str, hiding: Iterable[Hiding], products: Sequence[ShelfProduct], now: datetime
) -> int:
    """Write down which of these products are to be hidden, and have it done; return how many were not known."""
    missed = 0
    for each in hiding:
        meant = [p.id for p in products if is_meant(p, each.covers, each.what, each.since)]
        new = await suppliers.want_hidden(services.db, store_hash, each.supplier_id, meant) if meant else []
        if new:
            missed += len(new)
            await hide_rest(services, store_hash, each.supplier_id, now)
    return missed


# What a signature keeps ------------------------------------------------------------------------------------


async def keep_agreement(work: Work) -> Outcome:
    """Put a signed agreement onto the checklist: since when it counts, until when, when it is asked for again."""
    request, p = await work.request(), work.action.payload
    signed = [s.state_at for s in request.signers if s.state is SignerState.SIGNED and s.state_at is not None]
    zone = zone_for(work.store.timezone)
    signed_on = max(signed, default=work.services.clock.now()).astimezone(zone).date()
    expires_on = ends_on(signed_on, int(p.get("months", 0)))
    values = {
        "store_hash": work.store.hash,
        "id": int(work.action.record.id),
        "given_on": signed_on,
        "expires_on": expires_on,
        "renews_on": renews_on(expires_on, int(p.get("renew_days", SOON_DAYS))),
        "request_id": request.id,
        "term": int(request.snapshot.get("term", 1)),
    }
    await work.services.db.execute("keep_supplier_agreement", values)
    until = f" until {expires_on}" if expires_on else ""
    kept = Note("supplier_agreement_kept", request.id, {"term": values["term"]})
    return Outcome(why=f"The agreement counts from {signed_on}{until}.", intents=(kept,))


# What hiding would do --------------------------------------------------------------------------------------


async def count_products(work: Work) -> Outcome:
    """Count what a supplier covers, where it is shown and what it sold within thirty days, in slices.

    The cursor stands in the payload; the supplier's page shows the last whole count meanwhile.
    """
    p = work.action.payload
    if "at" not in p:
        await look_up_covers(work.services, work.vendors, work.store.hash, int(work.action.record.id))
    facts = await _facts(work)
    if facts is None:
        return skipped("The supplier does not exist any more.", look=False)
    client = await work.vendors.bigcommerce(work.store.hash)
    if "orders" not in p:
        return await _count_page(work, client, facts)
    begin = datetime.fromisoformat(p["since"])
    ids, sold = frozenset(p["ids"]), Sold({k: Decimal(v) for k, v in p["money"].items()}, int(p["sold"]))
    after, orders = int(p["orders"]), list[dict[str, Any]]()
    if ids:
        listed = client.list_orders(
            created_since=begin, min_id=after + 1, page_size=ORDERS_AT_ONCE, most=ORDERS_AT_ONCE
        )
        orders = [order async for order in listed]
        await add_sales(client, orders, ids, sold)
        after = int(orders[-1]["id"]) if orders else after
    read = len(orders)
    seen = int(p["seen"]) + read
    money = {k: f"{v:f}" for k, v in sold.money.items()}
    if read == ORDERS_AT_ONCE and seen < MOST_ORDERS:
        return await _go_on(work, orders=after, seen=seen, money=money, sold=sold.orders)
    impact = {
        "products": len(ids),
        "visible": int(p["visible"]),
        "channels": p["channels"],
        "money": money,
        "orders": sold.orders,
        "more": read == ORDERS_AT_ONCE or len(ids) >= MOST_PRODUCTS,
        "counted_at": work.services.clock.now().isoformat(),
    }
    values = {"store_hash": work.store.hash, "id": facts.id, "impact": impact}
    await work.services.db.execute("save_supplier_impact", values)
    return Outcome(why=f"{len(ids)} products, {impact['visible']} of them visible.")


async def _count_page(work: Work, client: BigCommerce, facts: SupplierFacts) -> Outcome:
    p = work.action.payload
    which, page = p.get("at", (0, 1))
    ids, channels = set(p.get("ids", ())), dict(p.get("channels", {}))
    visible = int(p.get("visible", 0))
    every = filters(facts.covers, await work.vendors.trees.parents(client))
    if which >= len(every) or len(ids) >= MOST_PRODUCTS:
        begin = work.services.clock.now() - timedelta(days=COUNT_DAYS)
        return await _go_on(
            work, orders=0, since=begin.isoformat(), seen=0, money={}, sold=0,
            ids=sorted(ids), channels=channels, visible=visible,
        )  # fmt: skip
    rows, last = await client.shelf_page(every[which], page)
    for product in await shelf_of(client, work.vendors.trees, rows):
        if product.id in ids:
            continue
        ids.add(product.id)
        if product.is_visible:
            visible += 1
            for channel in product.channels:
                channels[str(channel)] = channels.get(str(channel), 0) + 1
    at = [which + 1, 1] if last else [which, page + 1]
    return await _go_on(work, at=at, ids=sorted(ids), channels=channels, visible=visible)


# Lists from files ------------------------------------------------------------------------------------------


async def import_suppliers(work: Work) -> Outcome:
    """Take a list one slice further: look its lines up in the store, or add those that a person confirmed."""
    import_id = int(work.action.record.id)
    of = {"store_hash": work.store.hash, "id": import_id}
    row = await work.services.db.fetch_one("fetch_supplier_import", of)
    if row is None:
        return skipped("The list was discarded.", look=False)
    match row["state"]:
        case "checking":
            return await _check_lines(work, import_id)
        case "applying":
            return await _add_lines(work, import_id, invite=row["invite"], author=row["author"])
        case state:
            return skipped(f"The list is {state}.", look=False)


async def _check_lines(work: Work, import_id: int) -> Outcome:
    db, store_hash = work.services.db, work.store.hash
    rows = await suppliers.import_lines(db, store_hash, import_id, state="waiting", most=LINES_AT_ONCE)
    if not rows:
        await suppliers.move_import(db, store_hash, import_id, "checking", "checked", work.services.clock.now())
        return Outcome(why="Every line was looked at.", look=False)
    drafts = {row["line"]: read_draft(row["given"])[0] for row in rows}
    asked = list({cover: None for draft in drafts.values() if draft for cover in draft.covers})
    found = await find_covers(await work.vendors.bigcommerce(store_hash), asked) if asked else {}
    for row in rows:
        draft = drafts[row["line"]]
        if draft is None:  # its cells were erased meanwhile
            await suppliers.judge_line(db, store_hash, import_id, row["line"], "bad", "The line is empty.")
            continue
        (identity,) = identities(draft.name, draft.registration)
        known = await db.fetch_val("known_supplier", {"store_hash": store_hash, "identity": identity})
        absent = [c for c in draft.covers if not found[c]]
        refs = [Cover(c.kind, c.name, found[c]) for c in draft.covers]
        if known is not None:
            state, sentence = "known", "It stands in the list already, and stays as it is."
        elif absent:
            names = ", ".join(f"{c.kind} “{c.name}”" for c in absent[:5])
            state, sentence = "bad", f"The store has no such thing, or two of that name: {names}."
        else:
            state, sentence = "good", "No signatory: it can be added, not asked." if draft.signatory is None else ""
        await suppliers.judge_line(db, store_hash, import_id, row["line"], state, sentence, refs, known)
    return Outcome(look=False, again_in=NEXT)


async def _add_lines(work: Work, import_id: int, *, invite: bool, author: int) -> Outcome:
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    rows = await suppliers.import_lines(db, store_hash, import_id, state="good", most=LINES_AT_ONCE)
    if not rows:
        await suppliers.move_import(db, store_hash, import_id, "applying", "applied", now)
        return Outcome(why="Every good line was added.", look=False)
    today = now.astimezone(zone_for(work.store.timezone)).date()
    for row in rows:
        draft, _ = read_draft(row["given"])
        refs = [Cover(kind, name, ref) for kind, name, ref in row["refs"]]
        async with db.transaction():
            added = None
            if draft is not None:
                added = await suppliers.add_supplier(
                    db, store_hash, draft,
                    invite=invite and draft.signatory is not None, author=author, now=now, today=today, refs=refs,
                )  # fmt: skip
            state = "added" if added is not None else "known" if draft else "bad"
            sentence = row["sentence"] if added is not None else "It stands in the list already, and stays as it is."
            await suppliers.judge_line(db, store_hash, import_id, row["line"], state, sentence, refs, added)
    return Outcome(look=False, again_in=NEXT)


# The sweep -------------------------------------------------------------------------------------------------


async def sweep_suppliers(of: Round) -> Swept:
    """Ask for renewals, look at papers that end, and find products that nobody announced or somebody showed again."""
    db, store_hash = of.services.db, of.store.hash
    zone = zone_for(of.store.timezone)
    today = of.now.astimezone(zone).date()
    midnight = datetime.combine(today, time(), zone)
    async with db.transaction():
        due = await db.fetch_all("raise_supplier_terms", {"store_hash": store_hash, "today": today, "now": of.now})
        for row in due:
            await tell_noted(db, store_hash, "supplier_due", supplier_record(row["id"]), of.now)
        values = {"store_hash": store_hash, "soon": today + timedelta(days=SOON_DAYS), "midnight": midnight}
        due += await db.fetch_all("suppliers_to_look_at", values)
        for row in due:
            await say_look(db, store_hash, supplier_record(row["id"]), of.now, source="sweep", topic="due")
    await db.execute("forget_supplier_imports", {"store_hash": store_hash, "before": of.now - KEEP_LINES})
    read = missed = 0
    hiding = await suppliers.hiding_suppliers(db, store_hash)
    if hiding:
        client = await of.vendors.bigcommerce(store_hash)
        changed, page, last = {"date_modified:min": f"{since(of):%Y-%m-%dT%H:%M:%SZ}"}, 1, False
        while not last:
            rows, last = await client.shelf_page(changed, page)
            products = await shelf_of(client, of.vendors.trees, rows)
            async with db.transaction():
                missed += await cover_products(of.services, store_hash, hiding, products, of.now)
            await _find_shown(of, client, [p for p in products if p.is_visible])
            read, page = read + len(rows), page + 1
    return of.now, {"read": read, "missed": missed, "recovered": missed, "due": len(due)}


async def _find_shown(of: Round, client: BigCommerce, products: Sequence[ShelfProduct]) -> None:
    """Tell of products that somebody showed before their supplier had signed; they stay as that person wants them."""
    db, store_hash = of.services.db, of.store.hash
    ids = [p.id for p in products]
    hidden = await db.fetch_all("hidden_products", {"store_hash": store_hash, "products": ids})
    if not hidden:
        return
    known = {r["product_id"]: r["suppliers"] for r in hidden}
    where = places(await db.fetch_all("remembered_visibility", {"store_hash": store_hash, "products": list(known)}))
    # The list may have been read before our own write, the table after it: only a read after both tells.
    fresh: list[ShelfProduct] = []
    for at in range(0, len(known), 100):
        fresh += await read_shelf(client, of.vendors.trees, sorted(known)[at : at + 100])
    shown = [p.id for p in fresh if any(is_on(p, place) for place in where.get(p.id, ()))]
    if not shown:
        return
    async with db.transaction():
        await db.execute("let_go_products", {"store_hash": store_hash, "products": shown})
        for supplier_id in sorted({s for product in shown for s in known[product]}):
            mine = [str(p) for p in shown if supplier_id in known[p]]
            text = (
                f"Supplier {supplier_id}: somebody showed products again before it was signed: {', '.join(mine[:20])}. "
                "They stay visible; hide them in BigCommerce if they must not be sold yet."
            )
            await ask_person(
                db, store_hash, supplier_record(supplier_id), of.now,
                kind="products_shown_early", text=text, alarm=True,
            )  # fmt: skip
