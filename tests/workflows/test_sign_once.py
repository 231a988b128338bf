"""What an earlier signature makes of an order: nothing is asked, what waits goes on, and what a person asked stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.acceptances import Acceptance, Bearer, Counts, Exemption, Ledger, Party, PartyKind, Version
from bcapp.core.intents import NameCovers, OpenRequest
from bcapp.core.rules import SignOnce
from bcapp.core.states import HoldState, Purpose, RequestStatus, Wanted
from bcapp.workflows.order_approval import decide
from bcapp.workflows.protocol import Command, Situation
from tests.core.facts import NOW, definition, order, request, rule
from tests.workflows.test_order_approval import HELD_ORDER, HOLD, RELEASE, hold, plan, situation

ANN = Party(PartyKind.CUSTOMER, "7")
BEARER = Bearer("101", 1, order().created_at, customer=ANN)
ONCE = rule(definition=definition(sign_once=SignOnce("customer", 12)))
BOTH = rule(definition=definition(sign_once=SignOnce("customer"), internal=True, approvers=(2,)))
BUYER_FIRST = rule(
    definition=definition(sign_once=SignOnce("customer"), internal=True, approvers=(2,), sequence="customer_first")
)
LONG_AGO = NOW - timedelta(days=200)


def accepted(**changes: Any) -> Acceptance:
    given: dict[str, Any] = {"valid_until": None, "recorded_at": LONG_AGO, "request_id": 9}
    return Acceptance(3, ANN, 4, 2, "customer", "", LONG_AGO, **{**given, **changes})


def ledger(*acceptances: Acceptance, **changes: Any) -> Ledger:
    given: dict[str, Any] = {
        "bearer": BEARER,
        "acceptances": acceptances,
        "versions": {4: (Version(2, True, LONG_AGO, LONG_AGO),)},
    }
    return Ledger(**{**given, **changes})


def known(*acceptances: Acceptance, facts: Any = None, rules: Any = (ONCE,), **changes: Any) -> Situation:
    return situation(facts, rules=rules, **{"ledger": ledger(*acceptances), **changes})


SOON = accepted(valid_until=NOW + timedelta(days=10))
FRESH = accepted(recorded_at=NOW, valid_until=None)  # signed on another order while this one waited
OPEN = request()
LATER = request(created_at=NOW)
HELD = {"facts": HELD_ORDER, "hold": hold()}
TABLE: dict[str, tuple[Situation, list[str]]] = {
    "never signed": (known(), ["ask customer 1", *HOLD]),
    "covered": (known(accepted()), []),
    "covered, seen shipped": (known(accepted(), facts=order(status_id=2)), []),
    "exempt": (known(ledger=ledger(exemptions=(Exemption(1, ANN, 4, NOW, NOW + timedelta(days=1), "x"),))), []),
    "ended": (known(accepted(valid_until=NOW - timedelta(days=1))), ["ask customer 1", *HOLD]),
    "ends soon: asked, not held": (known(SOON), ["ask customer 1"]),
    "ends soon, asked elsewhere": (known(ledger=ledger(SOON, asked=frozenset({4}))), []),
    "ends soon, and shipped": (known(SOON, facts=order(status_id=2)), []),
    "renewal open": (known(SOON, requests=(replace(LATER, blocks=False),)), []),
    "renewal declined": (known(SOON, requests=(replace(LATER, blocks=False, status=RequestStatus.DECLINED),)), []),
    "signed elsewhere while it waits": (known(FRESH, requests=(OPEN,), **HELD), ["cancel 50 record", *RELEASE]),
    "signed elsewhere, this one expired": (
        known(FRESH, requests=(replace(OPEN, status=RequestStatus.EXPIRED),), facts=HELD_ORDER,
              hold=hold(HoldState.KEPT)), RELEASE),
    "signed elsewhere, this one declined: a person decides": (
        known(FRESH, requests=(replace(OPEN, status=RequestStatus.DECLINED),), facts=HELD_ORDER,
              hold=hold(HoldState.KEPT)), []),
    "asked by hand although covered": (known(accepted(), requests=(OPEN,), **HELD), []),
    "taken back by a person": (
        known(FRESH, requests=(replace(OPEN, wanted=Wanted.CANCEL, wanted_why="staff",
                                       status=RequestStatus.CANCELLED),),
              facts=HELD_ORDER, hold=hold(HoldState.KEPT)), []),
    "its own signature, then edited": (
        known(replace(FRESH, request_id=50), facts=order(items=()),
              requests=(replace(OPEN, status=RequestStatus.COMPLETED, checked="right"),),
              hold=hold(HoldState.RELEASED)), []),
    "the approver is asked all the same": (known(accepted(), rules=(BOTH,)), ["ask internal 1", *HOLD]),
    "the buyer's turn is over": (known(accepted(), rules=(BUYER_FIRST,)), ["ask internal 1", *HOLD]),
    "the buyer's turn comes first": (known(rules=(BUYER_FIRST,)), ["ask customer 1", *HOLD]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_follows(name: str) -> None:
    given, follows = TABLE[name]
    assert plan(given) == follows


def test_what_a_signature_will_count_for_is_kept_with_the_request() -> None:
    opened = next(i for i in decide(known()).intents if isinstance(i, OpenRequest))
    assert opened.counts == Counts(ANN, "customer", "", 12)
    assert opened.blocks
    renewal = next(i for i in decide(known(SOON)).intents if isinstance(i, OpenRequest))
    assert (renewal.blocks, renewal.round_why) == (False, "It ends on 12 March 2026, so a new one is asked for.")
    internal = next(i for i in decide(known(accepted(), rules=(BOTH,))).intents if isinstance(i, OpenRequest))
    assert (internal.purpose, internal.counts) == (Purpose.INTERNAL, None)


def test_a_request_by_hand_counts_as_its_sender_says_and_so_does_its_next_round() -> None:
    counts = Counts(ANN, "customer", campaign_id=6)
    payload = {
        "account_id": 9, "agreement_id": 4, "signers": [{"name": "Ann", "email": "ann@buyer.test"}],
        "counts": counts.dump(), "hold": False,
    }  # fmt: skip
    sent = decide(known(accepted(), commands=(Command("send", 1, payload=payload),))).intents
    opened = next(i for i in sent if isinstance(i, OpenRequest))
    assert (opened.counts, opened.blocks) == (counts, False)
    by_hand = replace(LATER, rule_id=0, blocks=False, counts=counts.dump())
    again = decide(known(accepted(), requests=(by_hand,), commands=(Command("ask_again", 1, "lost", 50),))).intents
    assert next(i for i in again if isinstance(i, OpenRequest)).counts == counts


def test_the_decision_names_the_signature_and_is_named_once() -> None:
    decided = decide(known(accepted()))
    assert [(t.decision, t.sentence) for t in decided.traces] == [
        ("covered", "Covered by the acceptance of 14 August 2025.")
    ]
    named = [i for i in decided.intents if isinstance(i, NameCovers)]
    assert [(k, c.acceptance_id) for i in named for k, c in i.covers.items()] == [(1, 3)]
    again = decide(known(ledger=ledger(accepted(), named={1: (3, 0)})))
    assert not [i for i in again.intents if isinstance(i, NameCovers)]
    exempt = Exemption(1, ANN, 0, NOW, NOW + timedelta(days=1), "they are staff")
    assert [t.decision for t in decide(known(ledger=ledger(exemptions=(exempt,)))).traces] == ["exempt"]


def test_the_order_that_was_signed_itself_is_not_called_covered() -> None:
    own = replace(FRESH, request_id=50)
    good = replace(OPEN, status=RequestStatus.COMPLETED, checked="right")
    decided = decide(known(own, requests=(good,)))
    assert [t.decision for t in decided.traces] == ["asks"]
    assert not [i for i in decided.intents if isinstance(i, NameCovers)]


def test_why_an_earlier_signature_does_not_help() -> None:
    decided = decide(known(accepted(valid_until=NOW - timedelta(days=1))))
    assert decided.traces[0].sentence == (
        "Asks: every condition of “Large orders” holds. The acceptance of 14 August 2025 ended on 1 March 2026."
    )
    both = decide(known(accepted(), rules=(BOTH,)))
    assert both.traces[0].decision == "asks"
    assert both.traces[0].sentence.endswith("The buyer’s part: Covered by the acceptance of 14 August 2025.")
