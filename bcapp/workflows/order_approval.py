"""Order approval: hold a large or regulated order until it is approved by signature, then let it go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from bcapp.core.actions import ActionKind
from bcapp.core.authorisations import LASTS, Stage, authorised_at, released_too_late, stage
from bcapp.core.escalation import NO_ANSWER, RELEASED
from bcapp.core.intents import Act, AskPerson, Intent, MoveHold, Plan, SettleTasks
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Gone, Hold, OrderFacts
from bcapp.core.options import YES, Option, Options, OptionType
from bcapp.core.release import DIGITAL_DONE, DIGITAL_PAID, ENDED, PARTLY_SHIPPED, SHIPPED
from bcapp.core.settings import AWAITING_PAYMENT
from bcapp.core.signers import signer_from
from bcapp.core.states import HoldEvent, HoldState, Purpose
from bcapp.workflows.asking import (
    CANNOT_ASK,
    Need,
    Past,
    Standing,
    Subject,
    ask_for_signatures,
    end_all,
    not_signed_why,
    rule_traces,
)
from bcapp.workflows.protocol import Situation

SLUG, LABEL = "order_approval", "Order approval"
KINDS: tuple[str, ...] = (ORDER.name,)
OPTIONS: tuple[Option, ...] = (
    Option(
        "quotes",
        OptionType.FLAG,
        "A signed quote covers its order",
        "An order made from a quote that was signed needs no further signature while it has the same facts.",
        default=YES,
    ),
    Option(
        "hold_again",
        OptionType.FLAG,
        "Hold again what was let go unsigned",
        "When somebody moves an order out of its hold before it is signed, it is held again, up to three times. An "
        "order that was shipped is left as it is.",
    ),
)
HOLDS = True

MOST_AGAIN = 3  # a tool that moves every order would otherwise be fought for ever
AUTHORISATION_DAYS = 6  # an authorisation is commonly kept for seven days; ask and capture before it ends
AGEING = ("authorisation_ends", "authorisation_ended", "preorder_authorised")
WAITING = (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT)
HOLD_WORK = frozenset({ActionKind.HOLD_ORDER, ActionKind.RELEASE_ORDER, ActionKind.CAPTURE_ORDER})


def decide(situation: Situation) -> Plan:
    """Compare what the order is with what was asked about it, and return what has to happen now."""
    facts = situation.facts
    if isinstance(facts, Gone):
        return Plan(tuple(end_all(situation, "The order does not exist any more.")))
    subject = _subject(situation, facts)
    if facts.is_deleted or facts.status_id in ENDED:
        why = "The order was cancelled, declined, refunded or archived."
        return Plan(tuple(end_all(situation, why)), rule_traces(situation, subject))
    standing = ask_for_signatures(situation, subject, _covered(situation))
    if standing.overridden or situation.store.test_mode:
        return Plan(standing.intents, standing.traces)
    held = (*_hold(situation, facts, standing), *_ageing(situation, facts, standing))
    return Plan((*standing.intents, *held), standing.traces)


def _covered(s: Situation) -> dict[int, str]:
    """Return, by rule, that the signature on the order's quote is enough."""
    if s.quote is None or not s.quote.covers:
        return {}
    return {r.id: s.quote.sentence for r in s.rules if Options(OPTIONS, r.definition.options).flag("quotes")}


def _subject(s: Situation, facts: OrderFacts) -> Subject:
    label, past = facts.label, None
    if _is_shipped(facts):
        gone = _how_far(facts)
        rest = " Stop the rest in your shipping tool if it must wait." if facts.status_id == PARTLY_SHIPPED else ""
        past = Past(
            ("shipped_unsigned", f"{label} was {gone} before it could be held.{rest} Send it for signature by hand."),
            ("edited_after_shipping", f"{label} was changed after it was signed, and it is already {gone}.{rest}"),
        )
    return Subject(
        kind=ORDER,
        facts=facts,
        label=label,
        signers=lambda rule: signer_from("billing", facts, label, may_forward=rule.buyer_may_forward),
        ends=lambda days: _expiry(s, facts, days),
        amount=facts.total,
        emails=frozenset({facts.billing.email.strip().lower()}),
        by_staff=facts.placed_by_staff,
        language=facts.locale or "en",
        past=past,
        opens=_opens,
    )


def _how_far(facts: OrderFacts) -> str:
    """Return how far an order was shipped, as a sentence goes on."""
    if facts.status_id != PARTLY_SHIPPED:
        return "shipped"
    counted = 0 < facts.items_shipped < facts.items_total
    return f"partly shipped ({facts.items_shipped} of {facts.items_total} pieces)" if counted else "partly shipped"


def _opens(hold: Hold) -> ActionKind:
    return ActionKind.CAPTURE_ORDER if hold.method == "capture" else ActionKind.RELEASE_ORDER


def _is_shipped(facts: OrderFacts) -> bool:
    return facts.status_id in SHIPPED or (facts.status_id == DIGITAL_DONE and not facts.is_digital)


def _expiry(s: Situation, facts: OrderFacts, days: int) -> datetime:
    """Return when a request ends by itself; an authorised payment must still be capturable then."""
    ends = s.now + timedelta(days=days)
    since = authorised_at(facts)
    if s.store.hold_method == "capture" and since is not None:
        ends = min(ends, max(s.now + timedelta(days=1), since + timedelta(days=AUTHORISATION_DAYS)))
    return ends


# Holding --------------------------------------------------------------------------------------------------


def _hold(s: Situation, facts: OrderFacts, standing: Standing) -> Iterator[Intent]:
    hold, needs, blocking = s.hold, standing.needs, (*standing.blocking, *_of_quote(s))
    state = hold.state if hold else HoldState.NONE
    is_busy = any(a.kind in HOLD_WORK for a in s.open_actions)
    if not blocking and not standing.is_asking:
        # Holding without work under way: the hold failed and may stand all the same; the release finds out.
        if hold is not None and state in (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT) and not is_busy:
            if facts.fraud_review:
                text = (
                    f"{facts.label} is signed, and its payment is held for review. Finish the review, then move it on."
                )
                yield AskPerson("release_held", text, needs[0].latest.id if needs and needs[0].latest else None)
                return
            unanswered = any(n.why == RELEASED for n in needs)
            all_good = "Everything that was asked is signed, or no longer needed."
            yield MoveHold(HoldEvent.ALL_GOOD, f"{NO_ANSWER} The rule lets it go." if unanswered else all_good)
            yield Act(_opens(hold))
            if s.store.staff_note:
                signed = ", ".join(str(n.latest.id) for n in needs if n.latest and not n.cover and n.why != RELEASED)
                lines = [f"Signed: request {signed}."] if signed else []
                lines += [n.cover.sentence for n in needs if n.cover]
                lines += [
                    f"{NO_ANSWER} Let go by the rule: request {n.latest.id}."
                    for n in needs
                    if n.latest and n.why == RELEASED
                ]
                if lines:
                    yield Act(ActionKind.WRITE_STAFF_NOTE, None, {"line": " ".join(lines)})
            yield SettleTasks(("not_signed", "let_go", *CANNOT_ASK, "hold_late", "release_held", *AGEING))
        elif hold is not None and state is HoldState.RELEASING and not is_busy and _is_let_go(s, facts, hold.method):
            yield MoveHold(HoldEvent.OPENED, "Someone else let it go after it was signed.")
            yield SettleTasks(("release_failed", "failed:release_order", "failed:capture_order"))
        elif state is HoldState.JOINED and needs:
            yield AskPerson(
                "signed_but_held",
                f"{facts.label} is signed, and still held by someone else. Move it on when you are ready.",
            )
        return
    method = s.store.hold_method
    if method == "none" or state in (HoldState.OVERRIDDEN, HoldState.REFUSED):
        return
    if method == "capture" and facts.payment_status != "authorized":
        method = "status"
    asking = standing.is_asking and not _is_shipped(facts)
    if state is HoldState.NONE and facts.is_digital and method == "status":
        yield MoveHold(HoldEvent.TOO_LATE, "A digital order is delivered at once and cannot be held.", method)
        return
    is_moved = hold is not None and _is_moved(s, facts, hold.method)
    if (
        state is HoldState.NONE
        or (state in (HoldState.RELEASED, HoldState.RELEASING, HoldState.BYPASSED) and asking)
        # Edited after it was signed, and nobody can be asked: it must not go on all the same.
        or (state is HoldState.RELEASED and any(n.state == "ask" for n in blocking) and not _is_shipped(facts))
        or (state is HoldState.JOINED and is_moved and not is_busy)
    ):
        yield MoveHold(HoldEvent.WANTED, "A signature is wanted.", method)
        yield Act(ActionKind.HOLD_ORDER)
        return
    if hold is None or is_busy or state not in (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT):
        return
    if state is not HoldState.HOLDING and is_moved:
        yield from _moved(s, facts, blocking)
        return
    lost = [n for n in blocking if n.state == "not_signed"]
    if lost and state is not HoldState.KEPT:
        why = not_signed_why(lost[0])
        yield MoveHold(HoldEvent.NOT_SIGNED, why[0].upper() + why[1:])
        if lost[0].why == "conflict":
            return  # the check has told it already, with what was wrong
        yield AskPerson(
            "not_signed", f"{facts.label}: {not_signed_why(lost[0])}", lost[0].latest.id if lost[0].latest else None
        )
    elif not lost and state is HoldState.KEPT:
        yield MoveHold(HoldEvent.ASKED_AGAIN, "A new round was asked.")
        yield SettleTasks(("not_signed",))


def _ageing(s: Situation, facts: OrderFacts, standing: Standing) -> Iterator[Intent]:
    """Yield what a person is told of an authorisation that ends before it is signed: no signature brings it back."""
    since = authorised_at(facts)
    waits = s.hold is not None and s.hold.method == "capture" and s.hold.state in WAITING
    if since is None or not waits or not (standing.blocking or _of_quote(s)):
        return
    until = (since + LASTS).astimezone(s.reading.zone).date().isoformat()
    match stage(since, s.now):
        case Stage.ENDS:
            text = (
                f"{facts.label} is not signed, and its payment is only authorised. An authorisation commonly lasts "
                f"until {until}: have it signed, or capture the payment by hand, before it ends."
            )
            yield AskPerson("authorisation_ends", text, alarm=True)
        case Stage.ENDED:
            text = (
                f"{facts.label} is not signed, and its authorisation has ended in all likelihood (on {until}). Try to "
                "capture it by hand, or ask the buyer to pay anew; then have it signed or release it."
            )
            yield AskPerson("authorisation_ended", text, alarm=True)
        case Stage.FRESH:
            released = released_too_late(facts, since)
            if released is not None:
                on = released.astimezone(s.reading.zone).date().isoformat()
                text = (
                    f"{facts.label} has a pre-order that is released on {on}, and its authorisation commonly lasts "
                    f"until {until} only. Have it signed before, so that it is captured, or take the payment when it "
                    "ships."
                )
                yield AskPerson("preorder_authorised", text)


def _of_quote(s: Situation) -> tuple[Need, ...]:
    """Return what the order waits for besides its own rules: the signature on the quote that it was made from."""
    if s.quote is None or s.quote.request_id:
        return ()
    return (Need(None, 0, Purpose.INTERNAL, "waiting", s.quote.sentence),)


def _is_moved(s: Situation, facts: OrderFacts, method: str) -> bool:
    if method == "capture":
        return facts.payment_status not in ("authorized", "")
    chosen = s.store.hold_status
    return facts.status_id != (s.hold.status_held(chosen) if s.hold is not None else chosen)


def _holds_again(blocking: Sequence[Need]) -> bool:
    rules = [n.rule.definition for n in blocking if n.rule is not None]
    return any(Options(OPTIONS, rule.options).flag("hold_again") for rule in rules)


def _is_let_go(s: Situation, facts: OrderFacts, method: str) -> bool:
    """Return whether a release of ours that failed has nothing left to do: a voided payment is no release."""
    return facts.payment_status in DIGITAL_PAID if method == "capture" else _is_moved(s, facts, method)


def _moved(s: Situation, facts: OrderFacts, blocking: Sequence[Need]) -> Iterator[Intent]:
    """The order left the hold without us: a payment is no release, a person's hand is."""
    assert s.hold is not None
    found = s.hold.found or {}
    if s.hold.method == "capture":
        yield MoveHold(HoldEvent.LET_GO, "The payment was captured or voided outside.")
        yield AskPerson("let_go", f"{facts.label} was captured or voided before it was signed.", alarm=True)
    elif facts.fraud_review:
        yield MoveHold(HoldEvent.LET_GO, "A fraud check moved it.")
        yield AskPerson("let_go", f"{facts.label} was moved by a fraud check before it was signed.")
    elif (
        facts.status_id == 11
        and found.get("status_id") == AWAITING_PAYMENT
        and any(
            t.status == "ok"
            and t.event in ("purchase", "capture", "authorization", "settled")
            and (s.hold.wanted_at is None or t.created_at >= s.hold.wanted_at - timedelta(minutes=5))
            for t in facts.transactions
        )
    ):
        yield MoveHold(HoldEvent.WANTED, "A payment moved it out of the hold.", found={**found, "status_id": 11})
        yield Act(ActionKind.HOLD_ORDER)
    elif not _is_shipped(facts) and _holds_again(blocking) and int(found.get("held_again") or 0) < MOST_AGAIN:
        again = {**found, "held_again": int(found.get("held_again") or 0) + 1}
        yield MoveHold(HoldEvent.WANTED, "Someone moved it out of the hold; the rule holds it again.", found=again)
        yield Act(ActionKind.HOLD_ORDER)
        yield AskPerson(
            "held_again", f"{facts.label} was moved out of the hold before it was signed, and is held again."
        )
    else:
        shipped = _is_shipped(facts)
        how = _how_far(facts)
        rest = " Stop the rest in your shipping tool if it must wait." if facts.status_id == PARTLY_SHIPPED else ""
        yield MoveHold(HoldEvent.LET_GO, f"It was {how}." if shipped else "Someone moved it out of the hold.")
        yield AskPerson(
            "let_go",
            f"{facts.label} was {how if shipped else 'moved out of the hold'} before it was signed.{rest} "
            "The request stays open; cancel it if you do not need the signature.",
            alarm=shipped,
        )
