"""Doing what cases ask for: the store's calculation, the refund, the void, the cancelling, and seeing them through.

A refund is the one call that nothing makes harmless when it is repeated. Before it, an attempt is committed that names
what stood at the order; the same order takes no second one until this one's end is known, and an answer that was lost
is looked for twice before a person is asked. No attempt is ever sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.raw import parse_date
from bcapp.bigcommerce.refunds import (
    OrderLine,
    OrderMoney,
    gateways_in,
    parse_order_line,
    parse_order_money,
)
from bcapp.core.actions import ActionKind
from bcapp.core.cases import CaseEvent, CaseKind, CaseState
from bcapp.core.intents import Act, AskPerson, Intent, MoveCase, MoveHold, SettleTasks
from bcapp.core.model import RecordKey
from bcapp.core.money import written
from bcapp.core.refunds import (
    LOOKS,
    ORDER_LEVEL,
    UNCLEAR_WAIT,
    ZERO,
    Before,
    Payment,
    Quote,
    Refund,
    RefundItem,
    Settled,
    Verdict,
    allocate,
    cap_of,
    choose_way,
    find_lost,
    follow_after,
    free_of,
    items_left,
    judge_quote,
    mark,
    settlement,
)
from bcapp.core.states import HoldEvent, HoldState
from bcapp.db.audit import append
from bcapp.db.cases import (
    Attempt,
    Case,
    NewCase,
    NewLine,
    attempts_of,
    begin_attempt,
    claims_of,
    end_attempt,
    fetch_case,
    item_of,
    lines_of,
    note_refund,
    open_case,
    outdate,
    save_lines,
)
from bcapp.db.deliveries import say_look
from bcapp.db.news import tell_noted
from bcapp.db.requests import fetch_hold, fetch_request
from bcapp.db.stores import Store
from bcapp.errors import BigCommerceError, RemoteError, Stale
from bcapp.jobs.asking import ask_person
from bcapp.jobs.case_reading import keep_order
from bcapp.jobs.outcome import Outcome, Work, conflict, skipped
from bcapp.jobs.rounds import Round, Swept, since
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

CANCELLED, DISPUTED, DECLINED = 5, 13, 6
AUTHORISED = frozenset({"authorized", "held for review"})
VOIDING = frozenset({"void", "void pending"})
TAKEN = frozenset({"captured", "capture pending", "paid", "partially refunded"})
BUSY_WAIT = timedelta(seconds=30)
NO_ORDER = "The order does not exist any more."
IN_TEST_MODE = Outcome(why="In test mode nothing in the store is touched.", again_in=timedelta(minutes=5))
SHIPPED = "Part of the order is shipped, so it cannot be cancelled. Open a return for what comes back."
IN_DISPUTE = "The order is disputed: the payment service decides about its money, and a refund would pay twice."


# The opening --------------------------------------------------------------------------------------------------


async def prepare_case(work: Work) -> Outcome:
    """Read what the case needs of its order: the lines to choose from, or what the store would refund."""
    case = await _case(work)
    if case is None or case.state.is_end:
        return skipped("The case has ended.")
    client = await work.vendors.bigcommerce(work.store.hash)
    raw = await client.fetch_order(case.order_id)
    order = parse_order_money(raw) if raw is not None else None
    if order is None or order.is_deleted:
        return _impossible(case, f"The store has no order {case.order_id}, or it is archived.")
    if work.action.payload.get("step") == "lines":
        if case.state is not CaseState.DRAFT:
            return skipped("The lines are chosen already.")
        offered = await _offered(client, order)
        async with work.services.db.transaction():  # the page waits for the currency, and then shows the lines
            await save_lines(work.services.db, work.store.hash, case.id, offered)
            await keep_order(work.services, work.store.hash, case, order)
        return Outcome()
    await keep_order(work.services, work.store.hash, case, order)
    if case.state not in (CaseState.NEW, CaseState.OPEN, CaseState.STUCK):
        return skipped("The case is not waiting for a calculation.")
    if order.status_id == DISPUTED:
        return _impossible(case, IN_DISPUTE)
    if case.kind is CaseKind.CANCELLATION:
        if order.items_shipped:
            return _impossible(case, SHIPPED)
        if order.status_id == CANCELLED:
            return _impossible(case, "The order is cancelled already.")
        if order.payment_status not in TAKEN:
            return await _quoted(work, case, order, None, ())
    return await _calculate(work, client, case, order)


async def _offered(client: BigCommerce, order: OrderMoney) -> list[NewLine]:
    """Return the lines of the order as a case may take them, none chosen yet."""
    lines = [parse_order_line(raw) for raw in await client.order_products(order.id)]
    return [
        NewLine(RefundItem("PRODUCT", x.id), x.name, x.sku, available=x.available, price=x.price)
        for x in lines
        if x.available
    ]


async def _calculate(work: Work, client: BigCommerce, case: Case, order: OrderMoney) -> Outcome:
    db, store_hash = work.services.db, work.store.hash
    refunds = await client.list_refunds(order.id)
    await note_refunds(work.services, work.store, order, refunds)
    current = await _case(work)
    assert current is not None
    chosen = [line for line in await lines_of(db, store_hash, case.id) if line["quantity"] or line["amount"]]
    try:
        if chosen:
            offered = {line.id: line for line in map(parse_order_line, await client.order_products(order.id))}
            items = await _wanted(work, current, refunds, {n: x.available for n, x in offered.items()})
            if not items:
                return _impossible(current, "Nothing is left to refund of what was chosen.")
            if current.quoted is None:  # what is signed for names no piece that the order does not have
                left = {item.key: item for item in items}
                named = [_named(line, offered, left[item_of(line).key]) for line in chosen if item_of(line).key in left]
                async with db.transaction():
                    await save_lines(db, store_hash, case.id, named)
            quote = await client.quote_refund(order.id, items)
        else:
            lines, quote = await _everything(client, order)
            async with db.transaction():
                await save_lines(db, store_hash, case.id, lines)
    except BigCommerceError as exc:
        if exc.status != 422:
            raise
        return _impossible(
            current, "The store refunds nothing of it: no captured payment, or more than is left of the order."
        )
    if case.tender == "store_credit" and choose_way(quote.ways, case.tender, frozenset()) is None:
        return _impossible(current, "The store gives no store credit for it: a guest has no account to keep it in.")
    return await _quoted(work, current, order, quote, refunds)


def _named(line: dict[str, Any], offered: dict[int, OrderLine], item: RefundItem) -> NewLine:
    """Return a line as it is stored, with the order's own name of it where whoever asked gave none."""
    found = offered.get(line["item_id"]) if line["item_type"] == "PRODUCT" else None
    name = line["name"] or (found.name if found else line["item_type"].replace("_", " ").capitalize())
    sku, price = (line["sku"] or found.sku, found.price) if found else (line["sku"], line["price"])
    return NewLine(item, name, sku, line["why"], line["available"], price)


async def _everything(client: BigCommerce, order: OrderMoney) -> tuple[list[NewLine], Quote]:
    """Return all that is left of an order: its lines, and one amount for shipping, fees and rounding.

    An order whose own discounts make the lines worth more than its total is refunded by one amount instead.
    """
    lines = [replace(x, item=replace(x.item, quantity=x.available)) for x in await _offered(client, order)]
    quote = None
    if lines:
        try:
            quote = await client.quote_refund(order.id, [x.item for x in lines])
        except BigCommerceError as exc:
            if exc.status != 422:
                raise
    if quote is None or quote.total > order.left:
        lines, quote = [], None
    rest = order.left - (quote.total if quote else ZERO)
    if rest > 0:
        item = RefundItem(ORDER_LEVEL, order.id, amount=rest)
        lines = [*lines, NewLine(item, "Shipping, fees and rounding" if lines else "The whole order")]
        quote = await client.quote_refund(order.id, [x.item for x in lines])
    if quote is None:
        raise BigCommerceError("nothing is left of the order", status=422, permanent=True)
    return lines, quote


async def _quoted(work: Work, case: Case, order: OrderMoney, quote: Quote | None, refunds: Sequence[Refund]) -> Outcome:
    """Reserve what the case may cost against its order, under the order's lock. quote: None when no money was taken."""
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    total, tax = (quote.total, quote.tax) if quote else (ZERO, ZERO)
    async with db.transaction():
        # The record goes first, as in every look; and none that read the amount before may approve it.
        await outdate(db, store_hash, case.id)
        await _lock_order(work.services, store_hash, order.id)
        current = await _case(work)
        if current is None or current.state not in (CaseState.NEW, CaseState.OPEN, CaseState.STUCK):
            return skipped("The case went another way meanwhile.")
        others = [c.left for c, _, _ in await claims_of(db, store_hash, order.id) if c.case_id != case.id]
        free = free_of(order.total, order.refunded, others)
        if total > free:
            held = sum(others, ZERO)
            return _impossible(
                current,
                f"It would cost {_said(total, order)}. Other open cases of the order reserve {_said(held, order)}, "
                f"and only {_said(free, order)} is free.",
            )
        cap = min(cap_of(total, case.tolerance), free) + current.taken
        values = {
            "store_hash": store_hash,
            "id": case.id,
            "quoted": total,
            "tax": tax,
            "cap": cap,
            # What was refunded before the first calculation is none of this case's business.
            "baseline": sorted({r.id for r in refunds} if current.quoted is None else current.baseline),
            "now": now,
        }
        if await db.fetch_val("save_case_quote", values) is None:
            return skipped("The case went another way meanwhile.")
        detail = {"quoted": f"{total:f}", "cap": f"{cap:f}", "currency": order.currency}
        await append(db, store_hash, now, actor="app", event="case_quoted", record=case.record, detail=detail)
    return Outcome(left_as={"quoted": f"{total:f}", "cap": f"{cap:f}"})


def _impossible(case: Case, why: str) -> Outcome:
    """Nothing can be refunded. A case that a person is deciding on stays with that person."""
    if case.state is CaseState.STUCK:
        return conflict(why, AskPerson("case_stuck", f"Case {case.id}: {why}"))
    return skipped(why, MoveCase(CaseEvent.IMPOSSIBLE, why), AskPerson("case_impossible", f"Case {case.id}: {why}"))


# The refund ---------------------------------------------------------------------------------------------------


async def execute_refund(work: Work) -> Outcome:
    """Refund what is left of an approved case, at most what was signed, and exactly once."""
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    case = await _case(work)
    if case is None or case.state is not CaseState.APPROVED:
        return skipped("The case is not approved any more.")
    if work.store.settings.test_mode:
        return IN_TEST_MODE
    attempts = await attempts_of(db, store_hash, case.id)
    client = await work.vendors.bigcommerce(store_hash)
    if any(a.action_id == work.action.id and a.state == "done" for a in attempts):
        return await _accepted(work, case, None)  # only the end of this action was lost
    lost = next((a for a in attempts if a.is_open), None)
    if lost is not None:  # of this action, or of one that died of something else
        return await _look_for_it(work, client, case, lost)
    raw = await client.fetch_order(case.order_id)
    if raw is None:
        return await _stuck(work, case, NO_ORDER)
    order = parse_order_money(raw)
    await keep_order(work.services, store_hash, case, order)
    if order.status_id == DISPUTED:
        return await _stuck(work, case, IN_DISPUTE)
    if case.kind is CaseKind.CANCELLATION and order.items_shipped:
        return await _stuck(work, case, SHIPPED)
    if case.kind is CaseKind.CANCELLATION and order.payment_status not in TAKEN:
        other = ActionKind.VOID_PAYMENT if order.payment_status in AUTHORISED else ActionKind.CANCEL_ORDER
        return skipped("Its payment stands otherwise by now.", Act(other, None, work.action.payload))
    refunds = await client.list_refunds(order.id)
    late = await _adopt_lost(work, case, attempts, refunds, order)
    if late is not None:
        return late
    await note_refunds(work.services, work.store, order, refunds)
    case = await _case(work)
    assert case is not None
    asked = await _ask_store(work, client, case, order, refunds)
    if isinstance(asked, Outcome):
        return asked
    items, payments, amount = asked
    before = Before(frozenset(r.id for r in refunds), order.refunded, amount)
    await work.found(refunded=f"{order.refunded:f}", refunds=sorted(before.known), asked=f"{amount:f}")
    number = len(attempts) + 1
    if not await begin_attempt(db, store_hash, case, number, work.action.id, before, now):
        return Outcome(why="Another refund of this order is under way.", again_in=BUSY_WAIT)
    try:
        made = await client.create_refund(order.id, items, payments, mark(case.id))
    except RemoteError as exc:
        if exc.unclear:
            await end_attempt(db, store_hash, case.id, number, "unclear", now, why=str(exc))
            return Outcome(why=f"The answer was lost ({exc}); it is looked for.", again_in=UNCLEAR_WAIT)
        await end_attempt(db, store_hash, case.id, number, "not_done", now, why=str(exc))
        if exc.permanent and exc.status not in (401, 403):
            return await _stuck(work, case, f"The store refused the refund of {_said(amount, order)}.")
        raise
    await _note_ours(work, case, made, number, order.currency)
    return await _accepted(work, case, made)


async def _ask_store(
    work: Work, client: BigCommerce, case: Case, order: OrderMoney, refunds: Sequence[Refund]
) -> Outcome | tuple[tuple[RefundItem, ...], tuple[Payment, ...], Decimal]:
    """Return what is to be sent by a fresh quote, or how the action ends without."""
    signed = [
        await fetch_request(work.services.db, work.store.hash, n) for n in work.action.payload.get("requests", ())
    ]
    if any(r is None or Decimal(str(r.snapshot.get("cap", 0))) < case.cap for r in signed):
        return await _stuck(work, case, "The amount is not the one that was signed.")
    items = await _wanted(work, case, refunds, await _available(client, order.id))
    if not items or case.left <= 0:
        return await _accepted(work, case, None, why="Everything that it asks for was refunded before.")
    by_hand = await _by_hand(work, case)
    paid_by = gateways_in(await client.order_transactions(order.id))
    for _ in range(2):
        try:
            quote = await client.quote_refund(order.id, items)
        except BigCommerceError as exc:
            if exc.status != 422:
                raise
            return await _stuck(work, case, "The store does not refund it any more: look at the order’s payment.")
        judged = judge_quote(quote, left=case.left, by_hand=by_hand, tender=case.tender, paid_by=paid_by)
        match judged.verdict:
            case Verdict.SEND:
                return items, judged.payments, judged.amount
            case Verdict.LESS:
                items = (RefundItem(ORDER_LEVEL, order.id, amount=judged.amount),)
            case Verdict.TOO_MUCH | Verdict.NO_WAY:
                return await _stuck(work, case, judged.why)
    return await _stuck(work, case, "The store calculates another amount each time.")


async def _look_for_it(work: Work, client: BigCommerce, case: Case, attempt: Attempt) -> Outcome:
    """Look for a refund whose answer was lost: by mark, then by amount, twice, ten minutes apart."""
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    due = attempt.called_at + UNCLEAR_WAIT * (attempt.looks + 1)
    if now < due:
        return Outcome(why="The answer of the store was lost; it is looked for.", again_in=due - now)
    raw = await client.fetch_order(case.order_id)
    order = parse_order_money(raw) if raw is not None else None
    refunds = await client.list_refunds(case.order_id) if order else []
    found = find_lost(case.id, attempt.before, refunds, order.refunded if order else ZERO)
    if found is not None and order is not None:
        await _note_ours(work, case, found.refund, attempt.number, order.currency)
        return await _accepted(work, case, found.refund, why="Its answer was lost; it was found at the store.")
    of = {"store_hash": store_hash, "case_id": case.id, "number": attempt.number}
    if int(await db.fetch_val("note_attempt_look", of)) < LOOKS:
        return Outcome(why="It is not at the store yet; it is looked for once more.", again_in=UNCLEAR_WAIT)
    await end_attempt(db, store_hash, case.id, attempt.number, "person", now)
    why = (
        f"Whether the store refunded {written(attempt.before.amount)} is not known: its answer was lost, and the order "
        "shows no such refund. Look at the order’s payment before you try it again."
    )
    return await _stuck(work, case, why)


async def _adopt_lost(
    work: Work, case: Case, attempts: Sequence[Attempt], refunds: Sequence[Refund], order: OrderMoney
) -> Outcome | None:
    """A refund that nobody found in time may have shown up since: then it is the one, and none is sent again."""
    for attempt in attempts:
        if attempt.state != "person":
            continue
        found = find_lost(case.id, attempt.before, refunds, order.refunded)
        if found is not None and not found.unmarked:
            await _note_ours(work, case, found.refund, attempt.number, order.currency)
            return await _accepted(work, case, found.refund, why="It had been refunded after all.")
    return None


async def _note_ours(work: Work, case: Case, made: Refund, number: int, currency: str) -> None:
    """Write down, and commit, which refund came of an attempt."""
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    async with db.transaction():
        await end_attempt(db, store_hash, case.id, number, "done", now, refund_id=made.id)
        await note_refund(
            db,
            store_hash,
            made,
            case.id,
            now,
            ours=True,
            approved=True,
            state="declined" if made.counted <= 0 < made.total else "settling",
            amount=made.counted,
            currency=currency,
        )


async def _accepted(work: Work, case: Case, made: Refund | None, *, why: str = "") -> Outcome:
    """The store has it: cancel the order where that was asked for, and follow the money until it is settled."""
    intents: list[Intent] = [
        *await _opened(work),
        MoveCase(CaseEvent.ACCEPTED, why or "The store accepted the refund."),
    ]
    if case.kind is CaseKind.CANCELLATION:
        intents.append(Act(ActionKind.CANCEL_ORDER))
    intents.append(Act(ActionKind.FOLLOW_REFUND))
    return Outcome(why=why, left_as={"refund": made.id} if made else None, intents=tuple(intents))


async def _stuck(work: Work, case: Case, why: str) -> Outcome:
    """A person decides, with what happened in a sentence."""
    text = f"Case {case.id}: {why} Open it and decide: try again, calculate anew, or refuse it."
    return conflict(
        why, *await _opened(work), MoveCase(CaseEvent.PERSON, why), AskPerson("case_stuck", text, alarm=True)
    )


async def _opened(work: Work) -> tuple[Intent, ...]:
    """The hold of a case ends with its signatures; how its money stands is the case's own state."""
    hold = await fetch_hold(work.services.db, work.store.hash, work.action.record)
    if hold is not None and hold.state is HoldState.RELEASING:
        return (MoveHold(HoldEvent.OPENED, "It is signed, and carried out."),)
    return ()


# Cancelling ---------------------------------------------------------------------------------------------------


async def void_payment(work: Work) -> Outcome:
    """Give back an authorisation; never a captured payment. The gateway voids only once, so the state is the answer."""
    case = await _case(work)
    if case is None or case.state is not CaseState.APPROVED:
        return skipped("The case is not approved any more.")
    if work.store.settings.test_mode:
        return IN_TEST_MODE
    client = await work.vendors.bigcommerce(work.store.hash)
    raw = await client.fetch_order(case.order_id)
    if raw is None:
        return await _stuck(work, case, NO_ORDER)
    order = parse_order_money(raw)
    if order.items_shipped:
        return await _stuck(work, case, SHIPPED)
    if order.payment_status in TAKEN:
        return skipped("The payment was captured meanwhile.", Act(ActionKind.EXECUTE_REFUND, None, work.action.payload))
    if order.payment_status in AUTHORISED:
        await work.found(payment_status=order.payment_status)
        try:
            await client.void(case.order_id)
        except BigCommerceError as exc:
            if exc.permanent and exc.status == 422:
                again = await client.fetch_order(case.order_id)
                if again is None or parse_order_money(again).payment_status not in VOIDING:
                    return await _stuck(work, case, "The store does not void the payment.")
            else:
                raise
        why = "The store accepted to void the payment."
    elif order.payment_status in VOIDING:
        why = "The payment is voided."
    else:
        return skipped("There is no payment to void.", Act(ActionKind.CANCEL_ORDER))
    return Outcome(
        intents=(
            *await _opened(work),
            MoveCase(CaseEvent.ACCEPTED, why),
            Act(ActionKind.CANCEL_ORDER),
            Act(ActionKind.FOLLOW_REFUND),
        )
    )


async def cancel_order(work: Work) -> Outcome:
    """Put the order into Cancelled, once its money is on its way back or none was taken."""
    case = await _case(work)
    if case is None or case.state not in (CaseState.APPROVED, CaseState.SETTLING, CaseState.BY_HAND):
        return skipped("The case is not approved any more.")
    if work.store.settings.test_mode:
        return IN_TEST_MODE
    client = await work.vendors.bigcommerce(work.store.hash)
    raw = await client.fetch_order(case.order_id)
    if raw is None:
        return await _stuck(work, case, NO_ORDER) if case.state is CaseState.APPROVED else skipped(NO_ORDER)
    order = parse_order_money(raw)
    is_free = case.state is CaseState.APPROVED  # no money was to be moved first
    if is_free and order.payment_status in (TAKEN | AUTHORISED):
        other = ActionKind.VOID_PAYMENT if order.payment_status in AUTHORISED else ActionKind.EXECUTE_REFUND
        return skipped("It was paid meanwhile.", Act(other, None, work.action.payload))
    if order.status_id != CANCELLED:
        if order.items_shipped:
            why = "It was shipped after its money went back. Have the parcel stopped, or ask for it."
            return await _stuck(work, case, why if not is_free else SHIPPED)
        found = await work.found(status_id=order.status_id)
        await client.put_order(case.order_id, status_id=CANCELLED)
        after = await client.fetch_order(case.order_id)
        left = int(after["status_id"]) if after is not None else CANCELLED
    else:
        found, left = {"status_id": CANCELLED}, CANCELLED
    ends = (MoveCase(CaseEvent.SETTLED, "The order is cancelled; no money was taken."),) if is_free else ()
    return Outcome(left_as={"status_id": left, "found": found}, intents=(*await _opened(work), *ends))


# Seeing it through --------------------------------------------------------------------------------------------


async def follow_refund(work: Work) -> Outcome:
    """Read how the payment side stands; a case is closed when it is settled, not when it was accepted."""
    db, store_hash = work.services.db, work.store.hash
    case = await _case(work)
    if case is None or case.state is not CaseState.SETTLING:
        return skipped("The case is not waiting for its money.")
    client = await work.vendors.bigcommerce(store_hash)
    raw = await client.fetch_order(case.order_id)
    order = parse_order_money(raw) if raw is not None else None
    stands = await _standings(work, client, case)
    if case.kind is CaseKind.CANCELLATION and order is not None:
        if order.payment_status == "void pending" or order.status_id != CANCELLED:
            stands.append(Settled.SETTLING)
        elif order.payment_status in AUTHORISED:
            return await _stuck(work, case, "The payment was not voided: it is still authorised.")
    if Settled.DECLINED in stands:
        return await _stuck(work, case, "The payment service declined the refund. Pay it another way, or try again.")
    if Settled.SETTLING in stands:
        of = {"store_hash": store_hash, "id": case.id}
        wait = follow_after(int(await db.fetch_val("note_case_look", of)) - 1)
        if wait is None:
            return await _stuck(work, case, "The refund is on its way for days. Ask your payment service about it.")
        return Outcome(why="The refund is on its way.", again_in=wait)
    if Settled.BY_HAND in stands:
        why = "The payment method takes no refund online: the store wrote it down, and somebody has to pay it."
        text = f"Case {case.id}: pay {await _to_pay(work, case)} by hand, then press “Paid” on its page."
        return Outcome(intents=(MoveCase(CaseEvent.OFFLINE, why), AskPerson("pay_by_hand", text, alarm=True)))
    return Outcome(intents=(MoveCase(CaseEvent.SETTLED, "The refund is settled."), SettleTasks(("case_stuck",))))


async def _standings(work: Work, client: BigCommerce, case: Case) -> list[Settled]:
    """Return how each refund of ours for the case stands, and write it down."""
    db, store_hash = work.services.db, work.store.hash
    rows = await db.fetch_all("refunds_of_case", {"store_hash": store_hash, "case_id": case.id})
    ours = {r["refund_id"] for r in rows if r["ours"] and r["state"] != "settled"}
    if not ours:
        return []
    refunds = [r for r in await client.list_refunds(case.order_id) if r.id in ours]
    bookings = await client.bookings(case.order_id)
    found = []
    for refund in refunds:
        state = settlement(refund, bookings)
        found.append(state)
        of = {"store_hash": store_hash, "refund_id": refund.id, "case_id": case.id}
        # Declined in part: the other part counts on. A declined row counts for nothing.
        is_part = state is Settled.DECLINED and refund.declined > 0 and refund.counted > 0
        kept = str(Settled.SETTLING if is_part else state)
        await db.execute("settle_case_refund", {**of, "state": kept, "amount": refund.counted})
    return found


async def _to_pay(work: Work, case: Case) -> str:
    rows = await work.services.db.fetch_all("refunds_of_case", {"store_hash": work.store.hash, "case_id": case.id})
    owed = [r for r in rows if r["state"] == "by_hand"]
    total = sum((r["amount"] for r in owed), ZERO)
    return f"{written(total)} {owed[0]['currency']}" if owed else "the refund"


# Refunds that nobody approved ---------------------------------------------------------------------------------


async def look_at_refunds(services: Services, vendors: Vendors, store: Store, order_id: int) -> None:
    """Read the refunds of an order: what people made by hand counts for its cases, or is told."""
    of = {"store_hash": store.hash, "order_id": order_id}
    if not await services.db.fetch_val("has_cases", of) and await live_since(services, store.hash) is None:
        return  # the store wants no signatures for refunds
    client = await vendors.bigcommerce(store.hash)
    raw = await client.fetch_order(order_id)
    if raw is None:
        return
    order = parse_order_money(raw)
    await note_refunds(services, store, order, await client.list_refunds(order_id))


async def live_since(services: Services, store_hash: str) -> datetime | None:
    """Return since when refunds want a signature, None when they do not.

    The store tells whole seconds only: what happened in the second in which the rule went live counts as after it.
    """
    found: datetime | None = await services.db.fetch_val("cases_live_since", {"store_hash": store_hash})
    return found.replace(microsecond=0) if found is not None else None


async def note_refunds(services: Services, store: Store, order: OrderMoney, refunds: Sequence[Refund]) -> None:
    """Give out what was refunded by hand to the order's waiting cases, each refund once, and tell what nobody approved.

    A refund with the mark of an attempt that is under way is left to that attempt.
    """
    db, now = services.db, services.clock.now()
    of = {"store_hash": store.hash, "order_id": order.id}
    if not refunds:
        return
    since = await live_since(services, store.hash)
    async with db.transaction():
        await _lock_order(services, store.hash, order.id)
        known = {r["refund_id"] for r in await db.fetch_all("refunds_of_order", of)}
        flying = {r["case_id"]: frozenset(r["known"]) for r in await db.fetch_all("attempts_of_order", of)}
        for refund in refunds:
            if refund.id in known and refund.counted <= 0 < refund.total:
                given = {"store_hash": store.hash, "refund_id": refund.id}
                for row in await db.fetch_all("decline_by_hand", given):
                    await say_look(db, store.hash, RecordKey("case", str(row["case_id"])), now)
            if refund.id in known or (refund.case_id in flying and refund.id not in flying[refund.case_id]):
                continue
            await _give_out(services, store, order, refund, since, now)


async def _give_out(
    services: Services, store: Store, order: OrderMoney, refund: Refund, since: datetime | None, now: datetime
) -> None:
    db = services.db
    found = await claims_of(db, store.hash, order.id)
    waiting = [(claim, state) for claim, state, baseline in found if refund.id not in baseline]
    shares = allocate(refund, [claim for claim, _ in waiting])
    approved = {claim.case_id: state.is_approved for claim, state in waiting}
    for case_id, amount in shares.items():
        await note_refund(
            db, store.hash, refund, case_id, now,
            ours=False, approved=approved[case_id], state="settled", amount=amount, currency=order.currency,
        )  # fmt: skip
        await say_look(db, store.hash, RecordKey("case", str(case_id)), now)
    rest = refund.counted - sum(shares.values(), ZERO)
    # What was refunded before the store wanted signatures for it is left alone.
    is_watched = since is not None and refund.created_at >= since
    if rest > 0 and is_watched:
        await note_refund(
            db, store.hash, refund, 0, now,
            ours=False, approved=False, state="settled", amount=rest, currency=order.currency,
        )  # fmt: skip
    if (rest > 0 or not all(approved[c] for c in shares)) and is_watched:
        text = (
            f"Order {order.id}: {_said(refund.counted, order)} was refunded without an approved case. Look at it under "
            "Cases, Refunds without approval, which also names who made it."
        )
        record = RecordKey("order", str(order.id))
        await ask_person(db, store.hash, record, now, kind="unapproved_refund", text=text, alarm=True)
        await append(
            db, store.hash, now, actor="bigcommerce", event="refund_unapproved", record=record,
            detail={"refund": refund.id, "made_by": refund.user_id},
        )  # fmt: skip
        await tell_noted(db, store.hash, "refund_unapproved", record, now, {"refund": {"id": refund.id}})


# Sweeps -------------------------------------------------------------------------------------------------------


NOTHING_TO_DO = {"read": 0, "missed": 0, "recovered": 0}


async def sweep_refunds(of: Round) -> Swept:
    """Have every order looked at whose refunds we do not know."""
    if await live_since(of.services, of.store.hash) is None:
        return of.now, NOTHING_TO_DO
    start = since(of)
    refunds = await (await of.vendors.bigcommerce(of.store.hash)).refunds_since(start)
    values = {"store_hash": of.store.hash, "ids": [r.id for r in refunds]}
    known = {r["refund_id"] for r in await of.services.db.fetch_all("known_refunds", values)}
    orders = {r.order_id for r in refunds if r.id not in known}
    for order_id in sorted(orders):
        record = RecordKey("refunds", str(order_id))
        await say_look(of.services.db, of.store.hash, record, of.now, source="sweep", topic="missed")
    newest = max((r.created_at for r in refunds), default=start)
    counts = {"read": len(refunds), "missed": len(orders), "recovered": len(orders)}
    return max(newest, of.since or of.now), counts


async def sweep_declined(of: Round) -> Swept:
    """Open a refund case for every declined order whose money was taken; the same order gets one.

    A disputed order gets none: it has another status, and its money is the payment service's matter.
    """
    db, store_hash = of.services.db, of.store.hash
    live = await live_since(of.services, store_hash)
    if live is None:
        return of.now, NOTHING_TO_DO
    client, start = await of.vendors.bigcommerce(store_hash), since(of)
    read = opened = 0
    newest = start
    async for raw in client.list_orders(modified_since=start, status_id=DECLINED):
        read, order = read + 1, parse_order_money(raw)
        newest = max(newest, parse_date(raw.get("date_modified"), "date_modified"))
        if order.status_id != DECLINED or order.payment_status not in TAKEN or order.created_at < live:
            continue
        key = f"declined:{order.id}"
        known = {"store_hash": store_hash, "origin": "app", "origin_key": key}
        if order.left <= 0 or await db.fetch_val("case_of_opening", known) is not None:
            continue
        new = NewCase(CaseKind.EXCEPTION, order.id, "app", reason="declined_order", origin_key=key)
        await open_case(db, store_hash, new, of.now)
        opened += 1
    return max(newest, of.since or of.now), {"read": read, "missed": opened, "recovered": opened}


# Parts --------------------------------------------------------------------------------------------------------


async def _case(work: Work) -> Case | None:
    return await fetch_case(work.services.db, work.store.hash, int(work.action.record.id))


async def _lock_order(services: Services, store_hash: str, order_id: int) -> None:
    of = {"store_hash": store_hash, "order_id": order_id}
    await services.db.execute("see_case_order", of)
    if await services.db.fetch_one("lock_case_order", of) is None:
        raise Stale("the order's row went away")


async def _available(client: BigCommerce, order_id: int) -> dict[int, int]:
    lines = [parse_order_line(raw) for raw in await client.order_products(order_id)]
    return {line.id: line.available for line in lines}


async def _wanted(
    work: Work, case: Case, refunds: Sequence[Refund], available: dict[int, int]
) -> tuple[RefundItem, ...]:
    """Return what of the case's items is left, by the refunds that count for it."""
    db, store_hash = work.services.db, work.store.hash
    lines = [item_of(line) for line in await lines_of(db, store_hash, case.id) if line["quantity"] or line["amount"]]
    rows = await db.fetch_all("refunds_of_case", {"store_hash": store_hash, "case_id": case.id})
    counted = {r["refund_id"]: r["ours"] for r in rows if r["state"] != "declined"}
    ours = [r for r in refunds if counted.get(r.id) is True]
    by_hand = [r for r in refunds if counted.get(r.id) is False]
    return items_left(lines, ours, by_hand, available)


async def _by_hand(work: Work, case: Case) -> Decimal:
    rows = await work.services.db.fetch_all("refunds_of_case", {"store_hash": work.store.hash, "case_id": case.id})
    return sum((r["amount"] for r in rows if not r["ours"]), ZERO)


def _said(amount: Decimal, order: OrderMoney) -> str:
    return f"{written(amount)} {order.currency}"
