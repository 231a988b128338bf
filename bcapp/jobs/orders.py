"""Doing things to an order at BigCommerce: hold, release, capture, write back."""

from __future__ import annotations

from bcapp.core.actions import ActionKind
from bcapp.core.escalation import NO_ANSWER
from bcapp.core.intents import AskPerson, MoveHold, SettleTasks
from bcapp.core.model import Hold
from bcapp.core.release import DIGITAL_DONE, ENDED, SHIPPED, release_order
from bcapp.core.states import HoldEvent, HoldState
from bcapp.db.requests import fetch_hold
from bcapp.errors import BigCommerceError
from bcapp.jobs.outcome import Outcome, Work, conflict, skipped

NAMESPACE = "countersign"
CAPTURED = frozenset({"captured", "capture pending", "paid", "partially refunded", "refunded"})
GONE = "The order does not exist any more."


async def _hold(work: Work) -> Hold | None:
    return await fetch_hold(work.services.db, work.store.hash, work.action.record)


async def hold_order(work: Work) -> Outcome:
    """Put the order into the status that keeps the shipping tool away, unless it is too late or held already."""
    hold = await _hold(work)
    if hold is None or hold.state is not HoldState.HOLDING:
        return skipped("The hold is not wanted any more.")
    client = await work.vendors.bigcommerce(work.store.hash)
    order = await client.fetch_order(work.order_id)
    if order is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    status, payment = int(order["status_id"]), str(order.get("payment_status") or "").lower()
    if status in ENDED:
        return skipped("The order ended meanwhile.", MoveHold(HoldEvent.LEFT_AS_IS, "The order ended meanwhile."))
    if status in SHIPPED or status == DIGITAL_DONE:
        why = "It was shipped or completed before it could be held."
        text = f"Order {work.order_id} was shipped or completed before it could be held."
        return skipped(why, MoveHold(HoldEvent.TOO_LATE, why), AskPerson("hold_late", text, alarm=True))
    if hold.method == "capture":
        if payment != "authorized":
            why = "Its payment was captured before it could be held."
            return skipped(why, MoveHold(HoldEvent.TOO_LATE, why), AskPerson("hold_late", why, alarm=True))
        found = await work.found(status_id=status, payment_status=payment)
        return Outcome(intents=(MoveHold(HoldEvent.PLACED, "Authorised, not captured.", found=found),), left_as=found)
    wanted = work.store.settings.hold_status
    found = await work.found(status_id=status, payment_status=payment)
    ours = hold.found is not None and (hold.left_as or {}).get("status_id") == wanted
    if found["status_id"] == wanted and not ours:
        return Outcome(
            why="It was already held by someone else.",
            left_as={"status_id": wanted},
            intents=(
                MoveHold(HoldEvent.FOUND_HELD, "It was already held by someone else.", found={**found, "joined": True}),
            ),
        )
    if status != wanted:
        await client.put_order(work.order_id, status_id=wanted)
        after = await client.fetch_order(work.order_id)
        status = int(after["status_id"]) if after is not None else status
    # What a payment left behind (kept with the hold) outlives what this write found.
    kept = {**found, **(hold.found or {})} if not ours else {**(hold.found or {}), "payment_status": payment}
    return Outcome(
        left_as={"status_id": status},
        intents=(MoveHold(HoldEvent.PLACED, "Held until it is signed.", found=kept, left={"status_id": wanted}),),
    )


async def release_hold(work: Work) -> Outcome:
    """Let the order go on: what it becomes is decided from how it stands now and how it was found."""
    hold = await _hold(work)
    if hold is None or hold.state not in (HoldState.RELEASING, HoldState.OVERRIDDEN):
        return skipped("The hold is not to be opened any more.")
    client = await work.vendors.bigcommerce(work.store.hash)
    order = await client.fetch_order(work.order_id)
    if order is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    status, payment = int(order["status_id"]), str(order.get("payment_status") or "").lower()
    transactions = await client.order_transactions(work.order_id)
    release = release_order(
        status_id=status,
        payment_status=payment,
        is_digital=bool(order.get("order_is_digital")),
        fraud_review=payment == "held for review" or any(t.get("fraud_review") for t in transactions),
        hold_status=hold.status_held(work.store.settings.hold_status),
        found_status=int((hold.found or {}).get("status_id") or 0),
        joined=bool((hold.found or {}).get("joined")),
    )
    if release.person:
        text = f"Order {work.order_id} {'may go on' if _is_unsigned(hold) else 'is signed'}. {release.why}"
        return conflict(release.why, MoveHold(HoldEvent.REVIEW, release.why), AskPerson("release_held", text))
    found = await work.found(status_id=status, target=release.status_id)
    why = release.why
    if release.status_id is not None and status != release.status_id:
        await client.put_order(work.order_id, status_id=release.status_id)
        after = await client.fetch_order(work.order_id)
        status = int(after["status_id"]) if after is not None else status
    elif release.status_id is None and found["target"] == status:
        why = "It was released."  # our own write of an earlier try
    return Outcome(
        why=why,
        left_as={"status_id": status},
        intents=(
            MoveHold(HoldEvent.OPENED, _said(hold, why)),
            SettleTasks(("hold_late", "release_held", "release_failed")),
        ),
    )


def _said(hold: Hold, why: str) -> str:
    """Return what came of an opened hold; the word of the person (or the rule) that let it go unsigned stays beside."""
    return f"{hold.state_why.rstrip('.')}. {why}" if _is_unsigned(hold) and hold.state_why else why


def _is_unsigned(hold: Hold) -> bool:
    return hold.state is HoldState.OVERRIDDEN or hold.state_why.startswith(NO_ANSWER)


async def capture_order(work: Work) -> Outcome:
    """Take the authorised money; a capture that went through before is adopted."""
    hold = await _hold(work)
    if hold is None or hold.state not in (HoldState.RELEASING, HoldState.OVERRIDDEN):
        return skipped("The hold is not to be opened any more.")
    client = await work.vendors.bigcommerce(work.store.hash)
    order = await client.fetch_order(work.order_id)
    if order is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    status, payment = int(order["status_id"]), str(order.get("payment_status") or "").lower()
    if status in ENDED:
        return skipped("The order ended meanwhile.", MoveHold(HoldEvent.LEFT_AS_IS, "The order ended meanwhile."))
    await work.found(status_id=status, payment_status=payment)
    if not work.store.settings.release_capture:
        why = "The payment is captured by hand." if _is_unsigned(hold) else "Signed; the payment is captured by hand."
        return Outcome(
            why=why,
            intents=(MoveHold(HoldEvent.OPENED, _said(hold, why)), SettleTasks(("hold_late", "release_failed"))),
        )
    # Once the money is taken, by us or by others, there is nothing left to stop.
    is_reviewed = payment == "authorized" and any(
        t.get("fraud_review") for t in await client.order_transactions(work.order_id)
    )
    if payment == "held for review" or is_reviewed:
        why = "Its payment is held for review. Finish the review, then capture it."
        text = f"Order {work.order_id} {'may go on' if _is_unsigned(hold) else 'is signed'}. {why}"
        return conflict(why, MoveHold(HoldEvent.REVIEW, why), AskPerson("release_held", text))
    if payment == "authorized":
        try:
            await client.capture(work.order_id)
        except BigCommerceError as exc:
            if not exc.permanent:
                raise
            # An earlier try whose answer was lost, or a person, may have taken it already: then this one is refused.
            now = await client.fetch_order(work.order_id)
            if str((now or {}).get("payment_status") or "").lower() not in CAPTURED:
                return _not_captured(work, "The authorisation has ended or the gateway refused.")
        after = await client.fetch_order(work.order_id)
        payment = str((after or {}).get("payment_status") or "").lower()
    if payment not in CAPTURED and payment != "authorized":
        return _not_captured(work, f"The payment is “{payment or 'unknown'}”.")
    return Outcome(
        left_as={"payment_status": payment},
        intents=(MoveHold(HoldEvent.OPENED, _said(hold, "Captured.")), SettleTasks(("hold_late", "release_failed"))),
    )


def _not_captured(work: Work, why: str) -> Outcome:
    text = f"Order {work.order_id} is signed, but its payment could not be captured. {why} Ask the buyer to pay anew."
    return conflict(why, AskPerson("release_failed", text, alarm=True))


RELEASES = frozenset({ActionKind.RELEASE_ORDER, ActionKind.CAPTURE_ORDER})
