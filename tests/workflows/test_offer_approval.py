"""decide() of offer approval as a table: what is switched off, what is only told, and when a quote ends by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bcapp.core.actions import ActionKind
from bcapp.core.conditions import Condition
from bcapp.core.directory import Directory
from bcapp.core.fields import Reading
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, MoveHold, OpenRequest
from bcapp.core.kinds.promotion import PROMOTION, PromotionFacts
from bcapp.core.kinds.quote import ARCHIVED, DRAFT, EXPIRED, ORDERED, QUOTE, QuoteFacts, QuoteLine
from bcapp.core.model import Hold, Money, RecordKey, SignatureRequest, Signer
from bcapp.core.offers import Benefit
from bcapp.core.rules import RuleInForce
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import HoldState, Purpose, RequestStatus
from bcapp.workflows.offer_approval import decide
from bcapp.workflows.protocol import Situation
from tests.core.facts import NOW, SETTINGS, definition, person, request, rule

HOUR = timedelta(hours=1)
DANA = person(1, email="dana@shop.test")
OFF, ON = ActionKind.SWITCH_OFF_PROMOTION, ActionKind.SWITCH_ON_PROMOTION


def promotion(**changes: Any) -> PromotionFacts:
    """A promotion of 30 % that starts in two days, found a minute ago."""
    given: dict[str, Any] = {
        "id": 7, "name": "Spring", "shown_as": "Spring", "redemption": "automatic", "status": "ENABLED",
        "currency": "USD", "first_seen_at": NOW - timedelta(minutes=1), "absent_at": NOW - timedelta(minutes=3),
        "starts_at": NOW + 48 * HOUR, "ends_at": NOW + 240 * HOUR, "max_uses": 0, "current_uses": 4,
        "benefits": (Benefit("order", percent=Decimal(30)),), "terms": (("rules", "30"),),
    }  # fmt: skip
    return PromotionFacts(**{**given, **changes})


def quote(**changes: Any) -> QuoteFacts:
    """A quote of 20 % off for Lena, made by Rita."""
    line = QuoteLine(11, "TENT-4", "Tent", 2, Decimal(300), Decimal(240), Decimal(150))
    given: dict[str, Any] = {
        "id": 501, "number": "QN501", "title": "", "status": 2, "created_at": NOW, "modified_at": NOW,
        "expires_at": NOW + 720 * HOUR, "channel_id": 1, "company_id": 9, "company": "Buyer Ltd",
        "contact_name": "Lena", "contact_email": "lena@buyer.test", "rep_name": "Rita", "rep_email": "rita@shop.test",
        "subtotal": Money(Decimal(480), "USD"), "total": Money(Decimal(480), "USD"), "shipping": Decimal(0),
        "tax": Decimal(0), "allow_checkout": True, "lines": (line,),
    }  # fmt: skip
    return QuoteFacts(**{**given, **changes})


def offer_rule(kind: str = "promotion", **options: str) -> RuleInForce:
    deep = Condition("depth", "at_least", ("20",))
    chosen = definition(
        groups=((deep,),), internal=True, customer=False, approvers=(1,), kind=kind, options=tuple(options.items())
    )
    return rule(workflow="offer_approval", definition=chosen)


def asked(facts: Any, **changes: Any) -> SignatureRequest:
    kind = QUOTE if isinstance(facts, QuoteFacts) else PROMOTION
    snapshot = kind.snapshot(facts)
    made = request(
        workflow="offer_approval", purpose=Purpose.INTERNAL, record=RecordKey(kind.name, str(facts.id)),
        projection=1, fingerprint=fingerprint(snapshot), snapshot=snapshot,
        signers=(Signer(0, 1, "Dana", "dana@shop.test", person_id=1),),
    )  # fmt: skip
    return replace(made, **changes)


def signed(facts: Any) -> SignatureRequest:
    return asked(facts, status=RequestStatus.COMPLETED, checked="right")


def hold(state: HoldState) -> Hold:
    return Hold(RecordKey("promotion", "7"), "gate", state, wanted_at=NOW - HOUR, held_at=NOW - HOUR)


def intents(facts: Any, **changes: Any) -> list[Intent]:
    kind = "quote" if isinstance(facts, QuoteFacts) else "promotion"
    given: dict[str, Any] = {
        "record": RecordKey(kind, str(facts.id)),
        "facts": facts,
        "rules": (offer_rule(kind),),
        "requests": (),
        "hold": None,
        "open_actions": (),
        "store": SETTINGS,
        "directory": Directory({1: DANA}, ()),
        "reading": Reading(NOW, storefront_channels=frozenset({1})),
        "agreements": {},
    }
    return list(decide(Situation(**{**given, **changes})).intents)


def short(found: list[Intent]) -> list[str]:
    words = []
    for intent in found:
        match intent:
            case OpenRequest():
                words.append(f"ask {intent.purpose}")
            case CancelRequest():
                words.append(f"cancel {intent.why}")
            case MoveHold():
                words.append(f"hold {intent.event}")
            case Act():
                words.append(f"do {intent.kind}")
            case AskPerson():
                words.append(f"task {intent.kind}")
            case _:
                pass
    return words


RUNNING = {"starts_at": NOW - HOUR}
SWITCHED_OFF = {"status": "DISABLED"}
EDITED = {"terms": (("rules", "50"),), "benefits": (Benefit("order", percent=Decimal(50)),)}


@pytest.mark.parametrize(
    ("changes", "options", "found"),
    [
        ({}, {}, ["ask internal", "hold wanted", f"do {OFF}"]),
        ({"benefits": (Benefit("order", percent=Decimal(5)),)}, {}, []),
        (RUNNING, {}, ["task offer_unapproved"]),
        (RUNNING, {"hold_running": "yes"}, ["ask internal", "hold wanted", f"do {OFF}"]),
        (SWITCHED_OFF, {}, []),
        (SWITCHED_OFF, {"drafts": "yes"}, ["ask internal", "hold wanted", f"do {OFF}"]),
        ({"absent_at": None}, {}, []),  # it was there from the first reading on
        ({"starts_at": NOW - 9 * HOUR, "ends_at": NOW - HOUR}, {}, []),
        ({"status": "INVALID"}, {}, []),
    ],
)
def test_what_is_done_about_a_promotion_that_is_found(
    changes: dict[str, Any], options: dict[str, str], found: list[str]
) -> None:
    assert short(intents(promotion(**changes), rules=(offer_rule(**options),))) == found


@pytest.mark.parametrize(
    ("now_is", "asked_of", "state", "found"),
    [
        (SWITCHED_OFF, "open", HoldState.HELD, []),
        (SWITCHED_OFF, "signed", HoldState.HELD, ["hold all_good", f"do {ON}"]),
        (SWITCHED_OFF, "signed", HoldState.RELEASED, []),
        ({}, "signed", HoldState.RELEASED, []),
        ({}, "open", HoldState.HELD, ["hold let_go", "task let_go"]),
        ({"starts_at": NOW - HOUR}, "open", HoldState.HELD, ["hold let_go", "task let_go"]),
        (SWITCHED_OFF | EDITED, "open", HoldState.HELD, ["cancel superseded", "ask internal"]),
        (EDITED, "signed", HoldState.RELEASED, ["ask internal", "hold wanted", f"do {OFF}"]),
        (EDITED | RUNNING, "signed", HoldState.RELEASED, ["task offer_edited"]),
        ({"shown_as": "New words"} | SWITCHED_OFF, "signed", HoldState.HELD, ["hold all_good", f"do {ON}"]),
        (SWITCHED_OFF, "open", HoldState.JOINED, []),
        ({}, "open", HoldState.JOINED, ["hold wanted", f"do {OFF}"]),
        (SWITCHED_OFF, "signed", HoldState.JOINED, ["task offer_kept_off"]),
        (SWITCHED_OFF | EDITED, "signed", HoldState.RELEASED, ["ask internal", "hold wanted", f"do {OFF}"]),
    ],
)
def test_what_is_done_about_a_promotion_that_was_asked_for(
    now_is: dict[str, Any], asked_of: str, state: HoldState, found: list[str]
) -> None:
    was = promotion(**SWITCHED_OFF)
    made = signed(was) if asked_of == "signed" else asked(was)
    assert short(intents(promotion(**now_is), requests=(made,), hold=hold(state))) == found


def test_the_strictest_rule_says_what_a_late_signature_does() -> None:
    late, keep = offer_rule(start_passed="delay"), replace(offer_rule(start_passed="cancel"), id=2)
    facts = promotion(**SWITCHED_OFF)
    made = (signed(facts), replace(signed(facts), id=51, rule_id=2))
    (act,) = [
        i for i in intents(facts, rules=(late, keep), requests=made, hold=hold(HoldState.HELD)) if isinstance(i, Act)
    ]
    assert act.payload["start_passed"] == "cancel"
    assert sorted(act.payload["requests"]) == [50, 51]


@pytest.mark.parametrize(("options", "ends"), [({}, 48), ({"start_passed": "delay"}, 168)])
def test_a_request_ends_with_the_start_unless_it_may_start_late(options: dict[str, str], ends: int) -> None:
    (made,) = [i for i in intents(promotion(), rules=(offer_rule(**options),)) if isinstance(i, OpenRequest)]
    assert made.expires_at == NOW + ends * HOUR


@pytest.mark.parametrize(
    ("changes", "made", "state", "found"),
    [
        ({}, None, None, ["ask internal", "hold wanted", "do shut_quote"]),
        ({"status": 7}, None, None, []),
        ({"allow_checkout": False}, "open", HoldState.HELD, []),
        ({"allow_checkout": False}, "signed", HoldState.HELD, ["hold all_good", "do open_quote"]),
        ({}, "open", HoldState.HELD, ["hold let_go", "task let_go"]),
        ({"status": ORDERED, "order_id": 12}, "open", HoldState.HELD,
         ["cancel record", "hold left_as_is", "task quote_ordered_unsigned"]),
        ({"status": EXPIRED}, "open", HoldState.HELD, ["cancel record", "hold left_as_is"]),
        ({"status": ARCHIVED}, None, None, []),
    ],
)  # fmt: skip
def test_what_is_done_about_a_quote(
    changes: dict[str, Any], made: str | None, state: HoldState | None, found: list[str]
) -> None:
    was = quote()
    requests = () if made is None else (signed(was) if made == "signed" else asked(was),)
    held = replace(hold(state), record=RecordKey("quote", "501")) if state else None
    assert short(intents(quote(**changes), requests=requests, hold=held)) == found


def test_who_made_the_quote_does_not_approve_it() -> None:
    facts = quote(rep_email="dana@shop.test")
    assert [w for w in short(intents(facts)) if w.startswith(("ask", "task"))] == ["task no_other_approver"]


OWN = ("own_quote", "501")


@pytest.mark.parametrize(
    ("changes", "made", "state", "matches", "found"),
    [
        # Nothing can be ordered yet: what is asked shuts it, what nobody asks about is told and never sent.
        ({}, None, None, True, ["ask internal", "hold wanted", "do shut_quote"]),
        ({}, None, None, False, ["task own_quote_unasked"]),
        ({"status": DRAFT}, None, None, True, ["task own_quote_line"]),
        ({}, "open", HoldState.HELD, True, []),
        ({}, "signed", HoldState.HELD, True, ["hold all_good", "do open_quote"]),
        # Signed and sent; then changed back to what was signed, when its cart was taken away meanwhile.
        ({"allow_checkout": True}, "signed", HoldState.RELEASED, True, []),
        ({}, "signed", HoldState.RELEASED, True, ["task own_quote_unasked"]),
        # It ended while its buyer still had a cart.
        ({"allow_checkout": True, "status": EXPIRED}, "signed", HoldState.RELEASED, True, ["do shut_quote"]),
        ({"status": ARCHIVED}, "open", HoldState.HELD, True, ["cancel record", "hold left_as_is"]),
        ({"status": ORDERED, "order_id": 12}, "signed", HoldState.RELEASED, True, []),
    ],
)
def test_what_is_done_about_a_quote_made_by_hand(
    changes: dict[str, Any], made: str | None, state: HoldState | None, matches: bool, found: list[str]
) -> None:
    was = quote(allow_checkout=False)
    kind = RecordKey(*OWN)
    requests = () if made is None else (signed(was) if made == "signed" else asked(was),)
    requests = tuple(replace(r, record=kind) for r in requests)
    held = replace(hold(state), record=kind) if state else None
    rules = (offer_rule("own_quote"),) if matches else ()
    plan = intents(replace(was, **changes), record=kind, rules=rules, requests=requests, hold=held)
    assert short(plan) == found
