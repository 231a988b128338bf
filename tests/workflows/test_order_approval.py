"""decide() of order approval as a table over situations, and what must hold in all of them.

`settled` writes a plan down as the worker does, in memory; so a decision can be followed to where it comes to rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.core.actions import ActionKind
from bcapp.core.authorisations import authorised_at, next_stage_at
from bcapp.core.conditions import Condition
from bcapp.core.directory import ApprovalLimit, Directory
from bcapp.core.fields import Reading
from bcapp.core.intents import (
    Act,
    AskPerson,
    CancelRequest,
    ConfirmRequest,
    Intent,
    MendAddress,
    MoveHold,
    Note,
    OpenRequest,
    PauseRule,
)
from bcapp.core.model import Gone, Hold, Money, OpenAction, OrderFacts, SignatureRequest, Signer, Transaction
from bcapp.core.offers import QuoteCover
from bcapp.core.options import YES
from bcapp.core.settings import StoreSettings
from bcapp.core.states import (
    ActionState,
    HoldEvent,
    HoldState,
    Purpose,
    RequestEvent,
    RequestStatus,
    Wanted,
    advance_hold,
    advance_request,
)
from bcapp.workflows.order_approval import decide
from bcapp.workflows.protocol import Command, Situation
from tests.core.facts import BUYER, NOW, ORDER, SETTINGS, TENT, definition, order, person, request, rule

DANA, CLEO = person(1, email="dana@shop.test"), person(2, email="cleo@shop.test")
DIRECTORY = Directory({1: DANA, 2: CLEO}, (ApprovalLimit(1, "USD", Decimal("2000")), ApprovalLimit(2, "USD", None)))
AUTHORISED = Transaction(1, "authorization", "ok", Decimal("600"), "USD", False, NOW - timedelta(minutes=1))
SMALL = order(total=Money(Decimal("100.00"), "USD"))
EDITED = order(total=Money(Decimal("900.00"), "USD"), items=(replace(TENT, quantity=3),))


def situation(facts: OrderFacts | Gone | None = None, **changes: Any) -> Situation:
    """An order of 600 USD that has just been placed, under one rule that asks the buyer."""
    given_: dict[str, Any] = {
        "record": ORDER,
        "facts": facts or order(),
        "rules": (rule(),),
        "requests": (),
        "hold": None,
        "open_actions": (),
        "store": SETTINGS,
        "directory": DIRECTORY,
        "reading": Reading(NOW, storefront_channels=frozenset({1, 2})),
        "agreements": {4: 2},
    }
    return Situation(**{**given_, **changes})


def hold(state: HoldState = HoldState.HELD, **changes: Any) -> Hold:
    given_: dict[str, Any] = {
        "method": "status",
        "found": {"status_id": 11, "payment_status": "captured"},
        "left_as": {"status_id": 12},
        "wanted_at": NOW - timedelta(minutes=1),
        "held_at": NOW - timedelta(minutes=1),
    }
    return Hold(ORDER, state=state, **{**given_, **changes})


def short(intent: Intent) -> str:
    """An intent in a word or two, for tables."""
    match intent:
        case OpenRequest():
            return f"ask {intent.purpose} {intent.round}"
        case CancelRequest():
            return f"cancel {intent.request_id} {intent.why}"
        case MoveHold():
            return f"hold {intent.event}"
        case Act():
            return f"do {intent.kind}"
        case AskPerson():
            return f"task {intent.kind}"
        case PauseRule():
            return f"pause {intent.rule_id}"
        case ConfirmRequest():
            return f"confirm {intent.request_id}"
        case MendAddress():
            return f"mend {intent.request_id} {intent.position} {intent.email}"
        case _:
            return ""


def plan(s: Situation) -> list[str]:
    return [w for w in map(short, decide(s).intents) if w]


HOLD = ["hold wanted", "do hold_order"]
RELEASE = ["hold all_good", "do release_order"]
SENT, GOOD = request(), request(status=RequestStatus.COMPLETED, checked="right")
HELD_ORDER = order(status_id=12)
AGAIN = rule(definition=definition(options=(("hold_again", YES),)))


def ended(status: RequestStatus, **changes: Any) -> SignatureRequest:
    return request(status=status, **changes)


def cancelled(why: str) -> SignatureRequest:
    return request(status=RequestStatus.CANCELLED, wanted=Wanted.CANCEL, wanted_why=why)


TABLE: dict[str, tuple[Situation, list[str]]] = {
    # A new order
    "it matches": (situation(), ["ask customer 1", *HOLD]),
    "it does not match": (situation(SMALL), []),
    "no rule": (situation(rules=()), []),
    "monitor": (situation(rules=(rule(mode="monitor"),)), []),
    "before the boundary": (situation(rules=(rule(live_since=NOW),)), []),
    "incomplete": (situation(order(status_id=0)), []),
    "paused rule": (situation(rules=(rule(paused_why="it ran away."),)), []),
    "first run not answered: asks, holds nothing": (situation(store=StoreSettings()), ["ask customer 1"]),
    "shipped before it was seen": (situation(order(status_id=2)), ["task shipped_unsigned"]),
    "completed before it was seen": (situation(order(status_id=10)), ["task shipped_unsigned"]),
    "digital and delivered": (situation(order(status_id=10, is_digital=True)), ["ask customer 1", "hold too_late"]),
    "digital": (situation(order(is_digital=True)), ["ask customer 1", "hold too_late"]),
    "already held by someone else: the action finds out": (situation(HELD_ORDER), ["ask customer 1", *HOLD]),
    "cancelled before it was seen": (situation(order(status_id=5)), []),
    "gone before it was seen": (situation(Gone(ORDER)), []),
    "no address to ask": (
        situation(order(billing=replace(BUYER, email=""))),
        ["task cannot_ask", *HOLD],
    ),
    "runaway by the hour": (situation(rules=(rule(asked_last_hour=100),)), ["pause 1", "task rule_paused"]),
    "runaway by the day": (situation(rules=(rule(asked_last_day=500),)), ["pause 1", "task rule_paused"]),
    "runaway with two purposes is paused once": (
        situation(rules=(rule(asked_last_hour=100, definition=definition(internal=True)),)),
        ["pause 1", "task rule_paused"],
    ),
    "runaway does not touch running requests": (
        situation(HELD_ORDER, rules=(rule(asked_last_hour=100),), requests=(SENT,), hold=hold()),
        [],
    ),
    # Who signs
    "approver by limit": (
        situation(rules=(rule(definition=definition(customer=False, internal=True)),)),
        ["ask internal 1", *HOLD],
    ),
    "both together": (
        situation(rules=(rule(definition=definition(internal=True)),)),
        ["ask internal 1", "ask customer 1", *HOLD],
    ),
    "approver first: the buyer waits": (
        situation(rules=(rule(definition=definition(internal=True, sequence="internal_first")),)),
        ["ask internal 1", *HOLD],
    ),
    "approver signed: the buyer is asked": (
        situation(
            HELD_ORDER,
            rules=(rule(definition=definition(internal=True, sequence="internal_first")),),
            requests=(replace(GOOD, purpose=Purpose.INTERNAL),),
            hold=hold(),
        ),
        ["ask customer 1"],
    ),
    "buyer first: the approver waits": (
        situation(rules=(rule(definition=definition(internal=True, sequence="customer_first")),)),
        ["ask customer 1", *HOLD],
    ),
    "no limit covers it": (
        situation(
            rules=(rule(definition=definition(customer=False, internal=True)),),
            directory=Directory({1: DANA}, (ApprovalLimit(1, "USD", Decimal("10")),)),
        ),
        ["task cannot_ask", *HOLD],
    ),
    "a named approver is away": (
        situation(
            rules=(rule(definition=definition(customer=False, internal=True, approvers=(1, 2))),),
            directory=Directory({1: replace(DANA, state="away"), 2: CLEO}),
        ),
        ["task cannot_ask", *HOLD],
    ),
    "the approver is the buyer": (
        situation(
            rules=(rule(definition=definition(customer=False, internal=True)),),
            directory=Directory({1: replace(DANA, email="bo@buyer.test")}, (ApprovalLimit(1, "USD", None),)),
        ),
        ["task no_other_approver", *HOLD],
    ),
    "staff placed it, and the rule asks by limit": (
        situation(
            order(placed_by_staff=True),
            rules=(rule(definition=definition(customer=False, internal=True)),),
            directory=Directory({1: DANA}, (ApprovalLimit(1, "USD", None),)),
        ),
        ["task cannot_ask", *HOLD],
    ),
    "two rules ask side by side": (
        situation(rules=(rule(), rule(id=2, name="Second"))),
        ["ask customer 1", "ask customer 1", *HOLD],
    ),
    # Waiting
    "sent and held": (situation(HELD_ORDER, requests=(SENT,), hold=hold()), []),
    "sent, the hold is being placed": (
        situation(
            requests=(SENT,),
            hold=hold(HoldState.HOLDING),
            open_actions=(OpenAction(1, ActionKind.HOLD_ORDER, "main", ActionState.STARTED, None),),
        ),
        [],
    ),
    "sent, joined": (situation(HELD_ORDER, requests=(SENT,), hold=hold(HoldState.JOINED)), []),
    "sent, refused": (situation(order(is_digital=True), requests=(SENT,), hold=hold(HoldState.REFUSED)), []),
    "signed, not checked yet": (
        situation(HELD_ORDER, requests=(ended(RequestStatus.COMPLETED),), hold=hold()),
        [],
    ),
    "the rule was switched off: a running request goes on": (
        situation(HELD_ORDER, rules=(), requests=(SENT,), hold=hold()),
        [],
    ),
    # Signed
    "signed": (situation(HELD_ORDER, requests=(GOOD,), hold=hold()), RELEASE),
    "confirmed by a person": (
        situation(HELD_ORDER, requests=(replace(GOOD, checked="confirmed"),), hold=hold(HoldState.KEPT)),
        RELEASE,
    ),
    "signed, authorise only": (
        situation(
            order(payment_status="authorized", transactions=(AUTHORISED,)),
            requests=(GOOD,),
            hold=hold(method="capture"),
            store=replace(SETTINGS, payment_mode="authorize"),
        ),
        ["hold all_good", "do capture_order"],
    ),
    "signed, under review": (
        situation(order(status_id=12, payment_status="held for review"), requests=(GOOD,), hold=hold()),
        ["task release_held"],
    ),
    "signed, with a staff note": (
        situation(HELD_ORDER, requests=(GOOD,), hold=hold(), store=replace(SETTINGS, staff_note=True)),
        [*RELEASE, "do write_staff_note"],
    ),
    "signed, joined: not lifted by us": (
        situation(HELD_ORDER, requests=(GOOD,), hold=hold(HoldState.JOINED)),
        ["task signed_but_held"],
    ),
    "signed, one of two": (
        situation(HELD_ORDER, rules=(rule(), rule(id=2)), requests=(GOOD, request(id=51, rule_id=2)), hold=hold()),
        [],
    ),
    "signed, released": (situation(order(), requests=(GOOD,), hold=hold(HoldState.RELEASED)), []),
    "signed, being released": (
        situation(
            HELD_ORDER,
            requests=(GOOD,),
            hold=hold(HoldState.RELEASING),
            open_actions=(OpenAction(1, ActionKind.RELEASE_ORDER, "main", ActionState.PENDING, None),),
        ),
        [],
    ),
    "signed after someone let it go": (situation(order(), requests=(GOOD,), hold=hold(HoldState.BYPASSED)), []),
    "signed and shipped": (situation(order(status_id=2), requests=(GOOD,), hold=hold(HoldState.RELEASED)), []),
    # Not signed
    **{
        f"{status}": (
            situation(HELD_ORDER, requests=(ended(status),), hold=hold()),
            ["hold not_signed", "task not_signed"],
        )
        for status in (RequestStatus.DECLINED, RequestStatus.EXPIRED, RequestStatus.CANCELLED, RequestStatus.FAILED)
    },
    "declined, kept": (
        situation(HELD_ORDER, requests=(ended(RequestStatus.DECLINED),), hold=hold(HoldState.KEPT)),
        [],
    ),
    "what was signed is not what was asked": (
        situation(HELD_ORDER, requests=(ended(RequestStatus.COMPLETED, checked="conflict"),), hold=hold()),
        ["hold not_signed"],  # the check has told a person already
    ),
    "cancelled by staff": (
        situation(HELD_ORDER, requests=(cancelled("staff"),), hold=hold()),
        ["hold not_signed", "task not_signed"],
    ),
    "two rules, one declined: the strictest wins": (
        situation(
            HELD_ORDER,
            rules=(rule(), rule(id=2)),
            requests=(GOOD, request(id=51, rule_id=2, status=RequestStatus.DECLINED)),
            hold=hold(),
        ),
        ["hold not_signed", "task not_signed"],
    ),
    # Edited
    "edited while open": (
        situation(replace(EDITED, status_id=12), requests=(SENT,), hold=hold()),
        ["cancel 50 superseded", "ask customer 2"],
    ),
    "edited while open, below the threshold": (
        situation(replace(SMALL, status_id=12), requests=(SENT,), hold=hold()),
        ["cancel 50 record", *RELEASE],
    ),
    "edited after signing, not shipped": (
        situation(EDITED, requests=(GOOD,), hold=hold(HoldState.RELEASED)),
        ["ask customer 2", *HOLD],
    ),
    "edited after signing, shipped": (
        situation(replace(EDITED, status_id=2), requests=(GOOD,), hold=hold(HoldState.RELEASED)),
        ["task edited_after_shipping"],
    ),
    "edited and shipped, never signed: no release": (
        situation(replace(EDITED, status_id=2), requests=(SENT,), hold=hold()),
        ["hold let_go", "task let_go"],
    ),
    "declined, edited and shipped: no release": (
        situation(replace(EDITED, status_id=2), requests=(ended(RequestStatus.DECLINED),), hold=hold(HoldState.KEPT)),
        ["hold let_go", "task let_go"],
    ),
    "edited after declining": (
        situation(replace(EDITED, status_id=12), requests=(ended(RequestStatus.DECLINED),), hold=hold(HoldState.KEPT)),
        ["ask customer 2", "hold asked_again"],
    ),
    "edited back to what was signed": (
        situation(HELD_ORDER, requests=(GOOD, request(EDITED, id=51, round=2)), hold=hold()),
        ["cancel 51 record", *RELEASE],
    ),
    "the hold failed, and it is signed: it may stand all the same": (
        situation(HELD_ORDER, requests=(GOOD,), hold=hold(HoldState.HOLDING)),
        RELEASE,
    ),
    "the hold failed, and it waits": (situation(requests=(SENT,), hold=hold(HoldState.HOLDING)), []),
    "edited, the approver's turn comes again first": (
        situation(
            replace(EDITED, status_id=12),
            rules=(rule(definition=definition(internal=True, sequence="internal_first")),),
            requests=(replace(GOOD, purpose=Purpose.INTERNAL), request(id=51)),
            hold=hold(),
        ),
        ["ask internal 2", "cancel 51 superseded"],
    ),
    "open again after it was cancelled": (
        situation(requests=(cancelled("record"),), hold=hold(HoldState.RELEASED)),
        ["ask customer 2", *HOLD],
    ),
    # The record ends or moves
    "the order is cancelled": (
        situation(order(status_id=5), requests=(SENT,), hold=hold()),
        ["cancel 50 record", "hold left_as_is"],
    ),
    "the order is gone": (
        situation(Gone(ORDER), requests=(SENT,), hold=hold()),
        ["cancel 50 record", "hold left_as_is"],
    ),
    "the order is archived": (
        situation(order(status_id=12, is_deleted=True), requests=(SENT,), hold=hold()),
        ["cancel 50 record", "hold left_as_is"],
    ),
    "the order is refunded after its end": (
        situation(order(status_id=4), requests=(GOOD,), hold=hold(HoldState.RELEASED)),
        [],
    ),
    "a person moved it": (situation(order(), requests=(SENT,), hold=hold()), ["hold let_go", "task let_go"]),
    "a person moved it, and the rule holds again": (
        situation(order(), rules=(AGAIN,), requests=(SENT,), hold=hold()),
        ["hold wanted", "do hold_order", "task held_again"],
    ),
    "held again three times: left to the person": (
        situation(order(), rules=(AGAIN,), requests=(SENT,), hold=hold(found={"status_id": 11, "held_again": 3})),
        ["hold let_go", "task let_go"],
    ),
    "shipped: nothing to hold again": (
        situation(order(status_id=2), rules=(AGAIN,), requests=(SENT,), hold=hold()),
        ["hold let_go", "task let_go"],
    ),
    # From a quote
    "its quote is signed, with the same facts": (situation(quote=QuoteCover("7", 3)), []),
    "its quote is signed, and the order differs": (
        situation(quote=QuoteCover("7", 3, ("the total",))),
        ["ask customer 1", *HOLD],
    ),
    "its quote is signed, and the rule wants its own": (
        situation(quote=QuoteCover("7", 3), rules=(rule(definition=definition(options=(("quotes", ""),))),)),
        ["ask customer 1", *HOLD],
    ),
    "its quote is not signed: held, nobody asked": (situation(quote=QuoteCover("7"), rules=()), HOLD),
    "its quote is not signed, held": (situation(HELD_ORDER, quote=QuoteCover("7"), rules=(), hold=hold()), []),
    "its quote was signed meanwhile": (
        situation(HELD_ORDER, quote=QuoteCover("7", 3), rules=(), hold=hold()),
        RELEASE,
    ),
    "asked already: the signature is still wanted": (
        situation(HELD_ORDER, quote=QuoteCover("7", 3), requests=(SENT,), hold=hold()),
        [],
    ),
    "a person moved it: told once": (situation(order(), requests=(SENT,), hold=hold(HoldState.BYPASSED)), []),
    "it was shipped": (situation(order(status_id=2), requests=(SENT,), hold=hold()), ["hold let_go", "task let_go"]),
    "a payment moved it": (
        situation(
            order(transactions=(Transaction(1, "purchase", "ok", Decimal("600"), "USD", False, NOW),)),
            requests=(SENT,),
            hold=hold(found={"status_id": 7, "payment_status": ""}),
        ),
        HOLD,
    ),
    "an old payment is no payment of now": (
        situation(
            order(
                transactions=(Transaction(1, "purchase", "ok", Decimal("600"), "USD", False, NOW - timedelta(days=3)),)
            ),
            requests=(SENT,),
            hold=hold(found={"status_id": 7, "payment_status": ""}),
        ),
        ["hold let_go", "task let_go"],
    ),
    "a fraud check moved it": (
        situation(order(status_id=7, payment_status="held for review"), requests=(SENT,), hold=hold()),
        ["hold let_go", "task let_go"],
    ),
    "captured outside": (
        situation(
            order(payment_status="captured"),
            requests=(SENT,),
            hold=hold(method="capture"),
            store=replace(SETTINGS, payment_mode="authorize"),
        ),
        ["hold let_go", "task let_go"],
    ),
    "the other one let a joined order go": (
        situation(order(), requests=(SENT,), hold=hold(HoldState.JOINED)),
        HOLD,
    ),
    "moved by our own release": (
        situation(
            order(),
            requests=(GOOD,),
            hold=hold(HoldState.RELEASING),
            open_actions=(OpenAction(1, ActionKind.RELEASE_ORDER, "main", ActionState.STARTED, None),),
        ),
        [],
    ),
    # Test mode
    "test mode asks me and touches nothing": (
        situation(store=replace(SETTINGS, test_mode_user=1), test_person=DANA),
        ["ask customer 1"],
    ),
    "a simulated signature is none": (
        situation(requests=(replace(GOOD, simulated=True),)),
        ["ask customer 2", *HOLD],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_decide(name: str) -> None:
    given_, wanted = TABLE[name]
    assert plan(given_) == wanted


# Commands -------------------------------------------------------------------------------------------------


def command(kind: str, request_id: int = 50, **payload: Any) -> Command:
    return Command(kind, 7, "because", request_id, payload)


BY_HAND = {
    "purpose": "customer",
    "agreement_id": 4,
    "account_id": 9,
    "signers": [{"name": "Al", "email": "AL@buyer.test"}],
    "expiry_days": 5,
}

COMMANDS: dict[str, tuple[Situation, list[str]]] = {
    "release": (
        situation(HELD_ORDER, requests=(SENT,), hold=hold(), commands=(command("release"),)),
        ["cancel 50 staff", "hold override", "do release_order"],
    ),
    "release of a capture": (
        situation(
            order(payment_status="authorized"),
            requests=(SENT,),
            hold=hold(method="capture"),
            commands=(command("release"),),
        ),
        ["cancel 50 staff", "hold override", "do capture_order"],
    ),
    "release of what was declined": (
        situation(
            HELD_ORDER,
            requests=(ended(RequestStatus.DECLINED),),
            hold=hold(HoldState.KEPT),
            commands=(command("release"),),
        ),
        ["hold override", "do release_order"],
    ),
    "release of what is released": (
        situation(requests=(GOOD,), hold=hold(HoldState.RELEASED), commands=(command("release"),)),
        [],
    ),
    "release of what was never held": (
        situation(requests=(SENT,), hold=None, store=StoreSettings(), commands=(command("release"),)),
        ["cancel 50 staff", "hold override"],
    ),
    "cancel": (
        situation(HELD_ORDER, requests=(SENT,), hold=hold(), commands=(command("cancel"),)),
        ["cancel 50 staff", "hold not_signed", "task not_signed"],
    ),
    "ask again": (
        situation(
            HELD_ORDER,
            requests=(ended(RequestStatus.DECLINED),),
            hold=hold(HoldState.KEPT),
            commands=(command("ask_again"),),
        ),
        ["ask customer 2", "hold asked_again"],
    ),
    "ask again while it is open": (
        situation(HELD_ORDER, requests=(SENT,), hold=hold(), commands=(command("ask_again"),)),
        ["cancel 50 staff", "ask customer 2"],
    ),
    "ask again an older round": (
        situation(
            HELD_ORDER,
            requests=(ended(RequestStatus.DECLINED), request(id=51, round=2)),
            hold=hold(),
            commands=(command("ask_again", 50),),
        ),
        [],
    ),
    "ask again what is shipped": (
        situation(
            order(status_id=2),
            requests=(ended(RequestStatus.DECLINED),),
            hold=hold(HoldState.BYPASSED),
            commands=(command("ask_again"),),
        ),
        ["ask customer 2"],
    ),
    "resend": (
        situation(HELD_ORDER, requests=(SENT,), hold=hold(), commands=(command("resend"),)),
        ["do resend_request"],
    ),
    "mend": (
        situation(HELD_ORDER, requests=(SENT,), hold=hold(), commands=(command("mend", position=0, email="a@b.test"),)),
        ["mend 50 0 a@b.test"],
    ),
    "confirm": (
        situation(
            HELD_ORDER,
            requests=(ended(RequestStatus.COMPLETED, checked="conflict"),),
            hold=hold(HoldState.KEPT),
            commands=(command("confirm"),),
        ),
        ["confirm 50"],
    ),
    "send without a hold": (
        situation(SMALL, commands=(command("send", 0, **BY_HAND),)),
        ["ask customer 1"],
    ),
    "send with a hold": (
        situation(SMALL, commands=(command("send", 0, hold=True, **BY_HAND),)),
        ["ask customer 1", *HOLD],
    ),
    "send twice": (
        situation(
            SMALL, requests=(request(SMALL, rule_id=0, blocks=False),), commands=(command("send", 0, **BY_HAND),)
        ),
        [],
    ),
    "a word of a newer release": (situation(SMALL, commands=(command("dance"),)), []),
    "look": (situation(SMALL, commands=(command("look"),)), []),
    "a command on an order that ended": (
        situation(order(status_id=5), requests=(SENT,), hold=hold(), commands=(command("ask_again"),)),
        ["cancel 50 record", "hold left_as_is"],
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_decide_with_a_command(name: str) -> None:
    given_, wanted = COMMANDS[name]
    assert plan(given_) == wanted


@pytest.mark.parametrize("name", [n for n in COMMANDS if COMMANDS[n][0].commands[0].kind not in ("look",)])
def test_who_pressed_a_button_is_on_record(name: str) -> None:
    given_, wanted = COMMANDS[name]
    if wanted and not isinstance(given_.facts, Gone) and given_.facts.status_id != 5 and "again" not in name:
        actors = {i.actor for i in decide(given_).intents if isinstance(i, Note | ConfirmRequest)}
        assert actors == {"user:7"}


# Partly shipped, and how old an authorisation is ----------------------------------------------------------


PARTLY = order(status_id=3, items_total=5, items_shipped=2)


@pytest.mark.parametrize(
    ("given_", "kind", "says"),
    [
        (
            situation(PARTLY),
            "shipped_unsigned",
            "partly shipped (2 of 5 pieces) before it could be held. Stop the rest",
        ),
        (situation(PARTLY, requests=(SENT,), hold=hold()), "let_go", "was partly shipped (2 of 5 pieces) before"),
        (situation(order(status_id=3), requests=(SENT,), hold=hold()), "let_go", "was partly shipped before it was"),
        (
            situation(order(status_id=2), requests=(SENT,), hold=hold()),
            "let_go",
            "was shipped before it was signed. The",
        ),
    ],
)
def test_a_partly_shipped_order_is_named_as_such(given_: Situation, kind: str, says: str) -> None:
    assert [t.kind for t in decide(given_).intents if isinstance(t, AskPerson)] == [kind]
    assert says in next(t.text for t in decide(given_).intents if isinstance(t, AskPerson))


def authorised(days: float, **changes: Any) -> OrderFacts:
    taken = Transaction(1, "authorization", "ok", Decimal(600), "USD", False, NOW - timedelta(days=days))
    return order(payment_status="authorized", status_id=7, transactions=(taken,), **changes)


@pytest.mark.parametrize(
    ("days", "state", "told"),
    [
        (4.9, HoldState.HELD, []),
        (5, HoldState.HELD, ["task authorisation_ends"]),
        (6.9, HoldState.KEPT, ["hold asked_again", "task authorisation_ends"]),
        (7, HoldState.HELD, ["task authorisation_ended"]),
        (5, HoldState.OVERRIDDEN, []),
    ],
)
def test_a_person_is_told_before_an_authorisation_ends(days: float, state: HoldState, told: list[str]) -> None:
    store = replace(SETTINGS, payment_mode="authorize")
    held = hold(state, method="capture", left_as={})
    facts = authorised(days)
    assert plan(situation(facts, requests=(request(facts),), hold=held, store=store)) == told
    captured = replace(facts, payment_status="captured")
    assert not any("authorisation" in w for w in plan(situation(captured, requests=(request(facts),), hold=held)))


@pytest.mark.parametrize(
    ("released", "told"),
    [(None, []), (6, []), (8, ["task preorder_authorised"])],
)
def test_a_pre_order_that_outlasts_its_authorisation_is_told(released: int | None, told: list[str]) -> None:
    at = None if released is None else NOW + timedelta(days=released)
    facts = authorised(0, items=(replace(TENT, is_preorder=True, releases_at=at),))
    held = hold(method="capture", left_as={})
    store = replace(SETTINGS, payment_mode="authorize")
    assert plan(situation(facts, requests=(request(facts),), hold=held, store=store)) == told
    asks = rule(definition=definition(groups=((Condition("preorder", "is_true"),),)))
    assert plan(situation(facts, rules=(asks,)))[:1] == ["ask customer 1"]
    assert plan(situation(order(), rules=(asks,))) == []


def test_it_is_looked_at_when_the_authorisation_grows_old() -> None:
    since = authorised_at(authorised(0))
    assert since == NOW
    assert next_stage_at(since, NOW) == NOW + timedelta(days=5)
    assert next_stage_at(since, NOW + timedelta(days=5)) == NOW + timedelta(days=7)
    assert next_stage_at(since, NOW + timedelta(days=7)) is None
    assert authorised_at(order()) is None


# The request that is opened -------------------------------------------------------------------------------


def opened(s: Situation) -> list[OpenRequest]:
    return [i for i in decide(s).intents if isinstance(i, OpenRequest)]


def test_an_opened_request_carries_what_the_rule_says() -> None:
    asked = opened(situation(order(locale="de")))[0]
    assert (asked.rule_id, asked.rule_version, asked.round, asked.round_why) == (1, 1, 1, "")
    assert (asked.account_id, asked.agreement_id, asked.agreement_version) == (9, 4, 2)
    assert asked.signers == (Signer(0, 1, "Bo Buyer", "bo@buyer.test"),)
    assert asked.expires_at == NOW + timedelta(days=7)
    assert (asked.language, asked.simulated, asked.blocks) == ("de", False, True)


def test_an_internal_sheet_has_no_agreement_and_speaks_to_staff() -> None:
    asked = opened(situation(order(locale="de"), rules=(rule(definition=definition(internal=True)),)))[0]
    assert (asked.purpose, asked.agreement_id, asked.agreement_version, asked.language) == ("internal", 0, 0, "en")


@pytest.mark.parametrize(
    ("approvers", "amount", "who"),
    [
        ((), "600", ["dana@shop.test"]),
        ((), "2000.01", ["cleo@shop.test"]),
        ((2, 1), "600", ["cleo@shop.test", "dana@shop.test"]),
        ((1, 1), "600", ["dana@shop.test"]),
    ],
)
def test_who_approves(approvers: tuple[int, ...], amount: str, who: list[str]) -> None:
    asks = rule(definition=definition(customer=False, internal=True, approvers=approvers))
    signers = opened(situation(order(total=Money(Decimal(amount), "USD")), rules=(asks,)))[0].signers
    assert [s.email for s in signers] == who
    assert [s.turn for s in signers] == list(range(1, len(who) + 1))
    assert not any(s.may_forward for s in signers)


def test_forwarding_is_for_buyers_where_the_rule_allows_it() -> None:
    asks = rule(definition=definition(internal=True, buyer_may_forward=True))
    internal, customer = opened(situation(rules=(asks,)))
    assert (internal.signers[0].may_forward, customer.signers[0].may_forward) == (False, True)


def test_in_test_mode_everything_comes_to_me() -> None:
    asks = rule(definition=definition(internal=True, approvers=(1, 2)))
    me = person(8)
    both = opened(situation(rules=(asks,), store=replace(SETTINGS, test_mode_user=8), test_person=me))
    assert [[s.email for s in r.signers] for r in both] == [[me.email], [me.email]]
    assert all(r.simulated for r in both)


@pytest.mark.parametrize(
    ("age", "days"),
    [(timedelta(minutes=1), 6), (timedelta(days=3), 3), (timedelta(days=5, hours=12), 1), (timedelta(days=30), 1)],
)
def test_a_request_ends_before_the_authorisation_does(age: timedelta, days: int) -> None:
    held = replace(AUTHORISED, created_at=NOW - age)
    facts = order(payment_status="authorized", transactions=(held,))
    ends = opened(situation(facts, store=replace(SETTINGS, payment_mode="authorize")))[0].expires_at
    assert timedelta(days=days) - timedelta(hours=1) <= ends - NOW <= timedelta(days=days)


def test_a_new_round_says_what_was_edited() -> None:
    asked = opened(situation(replace(EDITED, status_id=12), requests=(SENT,), hold=hold()))[0]
    assert asked.round_why == "Edited: lines, total."


def test_a_new_round_by_hand_says_why() -> None:
    s, _ = COMMANDS["ask again"]
    assert opened(s)[0].round_why == "because"


def test_an_open_request_is_compared_through_the_projection_it_was_made_with() -> None:
    """A later projection may know more facts; an old request must not be asked anew because of that."""
    assert SENT.projection == 1
    assert plan(situation(HELD_ORDER, requests=(SENT,), hold=hold())) == []


# What holds in every situation ----------------------------------------------------------------------------


@dataclass
class Told:
    """What a plan left behind besides the situation: tasks, and whether anything moved."""

    moved: bool = False


def settled(s: Situation, told: Told | None = None) -> Situation:
    """The situation once the plan is written down and every action of it is done at a service that works."""
    requests, state, facts, rules = list(s.requests), s.hold, s.facts, list(s.rules)
    moved = False
    assert isinstance(facts, OrderFacts)
    for intent in decide(s).intents:
        match intent:
            case OpenRequest():
                moved = True
                requests.append(
                    request(
                        facts,
                        id=max((r.id for r in requests), default=60) + 1,
                        rule_id=intent.rule_id,
                        purpose=intent.purpose,
                        round=intent.round,
                        signers=intent.signers,
                        simulated=intent.simulated,
                        blocks=intent.blocks,
                        expires_at=intent.expires_at,
                    )
                )
            case CancelRequest():
                for i, r in enumerate(requests):
                    if r.id == intent.request_id and r.is_open:
                        moved = True
                        status = advance_request(r.status, RequestEvent.CANCELLED)
                        requests[i] = replace(r, wanted=Wanted.CANCEL, wanted_why=intent.why, status=status)
            case ConfirmRequest():
                moved = True
                requests = [replace(r, checked="confirmed") if r.checked == "conflict" else r for r in requests]
            case MoveHold():
                now_state = state.state if state else HoldState.NONE
                after = advance_hold(now_state, intent.event)
                moved = moved or after is not now_state
                state = hold(after, method=intent.method or (state.method if state else "none"))
            case Act(kind=ActionKind.HOLD_ORDER):
                assert state is not None
                if state.method == "status":
                    facts = replace(facts, status_id=s.store.hold_status)
                state = replace(state, state=advance_hold(state.state, HoldEvent.PLACED))
            case Act(kind=ActionKind.RELEASE_ORDER | ActionKind.CAPTURE_ORDER):
                assert state is not None
                if state.method == "capture":
                    facts = replace(facts, payment_status="captured")
                elif facts.status_id == s.store.hold_status:
                    facts = replace(facts, status_id=11)
                state = replace(state, state=advance_hold(state.state, HoldEvent.OPENED))
            case PauseRule():
                moved = True
                rules = [replace(r, paused_why=intent.why) if r.id == intent.rule_id else r for r in rules]
            case _:
                pass
    if told is not None:
        told.moved = moved
    return replace(
        s, facts=facts, requests=tuple(requests), hold=state, rules=tuple(rules), commands=(), open_actions=()
    )


EVERY = {**TABLE, **COMMANDS}
LIVING = [n for n, (s, _) in EVERY.items() if isinstance(s.facts, OrderFacts) and not s.open_actions]


@pytest.mark.parametrize("name", EVERY)
def test_a_decision_is_the_same_twice(name: str) -> None:
    given_, _ = EVERY[name]
    assert decide(given_) == decide(given_)


@pytest.mark.parametrize("name", LIVING)
def test_a_plan_that_was_carried_out_leads_to_rest(name: str) -> None:
    """An echo is an event whose plan is empty: once written down, looking again asks for nothing new."""
    s, _ = EVERY[name]
    told = Told()
    for _ in range(4):
        s = settled(s, told)
        if not told.moved:
            break
    assert not told.moved, plan(s)
    assert [w for w in plan(s) if not w.startswith("task")] == []


@pytest.mark.parametrize("name", EVERY)
def test_at_most_one_request_is_open_for_a_rule_and_purpose(name: str) -> None:
    s, _ = EVERY[name]
    if not isinstance(s.facts, OrderFacts):
        return
    open_ = [(r.rule_id, r.purpose) for r in settled(s).requests if r.is_open]
    assert len(open_) == len(set(open_))


@pytest.mark.parametrize("name", EVERY)
def test_every_task_is_a_sentence_for_a_person(name: str) -> None:
    s, _ = EVERY[name]
    for intent in decide(s).intents:
        if isinstance(intent, AskPerson):
            assert intent.text.endswith("."), intent
            assert "None" not in intent.text, intent


STATUSES = st.sampled_from(list(RequestStatus))
ROUNDS = st.lists(
    st.tuples(STATUSES, st.sampled_from(list(Wanted)), st.sampled_from(["", "right", "conflict", "confirmed"])),
    max_size=3,
)
WORLDS = st.tuples(
    st.sampled_from([order(), EDITED, SMALL, order(is_digital=True), order(payment_status="authorized")]),
    st.integers(0, 14),
    ROUNDS,
    st.sampled_from([None, *HoldState]),
    st.sampled_from(["status", "capture"]),
    st.sampled_from([SETTINGS, StoreSettings(), replace(SETTINGS, payment_mode="authorize")]),
    st.sampled_from([None, "release", "cancel", "ask_again", "resend", "confirm"]),
    st.booleans(),
)


@settings(max_examples=400)
@given(WORLDS)
def test_no_situation_breaks_the_tables_or_releases_unsigned(world: Any) -> None:
    facts, status, rounds, state, method, store, pressed, closed = world
    requests = tuple(
        request(
            id=50 + n,
            round=1 + n,
            status=status_ if n == len(rounds) - 1 or status_.is_end else RequestStatus.DECLINED,
            wanted=wanted,
            wanted_why="staff" if wanted is Wanted.CANCEL else "",
            checked=checked if status_ is RequestStatus.COMPLETED else "",
        )
        for n, (status_, wanted, checked) in enumerate(rounds)
    )
    s = situation(
        replace(facts, status_id=status),
        rules=() if closed else (rule(),),
        requests=requests,
        hold=None if state is None else hold(state, method=method),
        store=store,
        commands=(command(pressed, 50),) if pressed else (),
    )
    first = decide(s)
    assert decide(s) == first
    moved = HoldState.NONE if s.hold is None else s.hold.state
    for intent in first.intents:
        if isinstance(intent, MoveHold):
            moved = advance_hold(moved, intent.event)  # raises when the table has no such pair
    if any(isinstance(i, MoveHold) and i.event is HoldEvent.ALL_GOOD for i in first.intents):
        for r in settled(s).requests:
            assert not (r.is_open and r.blocks)
    acts = {i.kind for i in first.intents if isinstance(i, Act)}
    if acts & {ActionKind.RELEASE_ORDER, ActionKind.CAPTURE_ORDER}:
        assert any(isinstance(i, MoveHold) for i in first.intents)
    if ActionKind.HOLD_ORDER in acts:
        assert moved is HoldState.HOLDING
