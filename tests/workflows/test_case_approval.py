"""decide() of case approval: money moves only when everything asked is signed, and a person decides the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.actions import ActionKind
from bcapp.core.cases import CaseEvent, CaseState, advance_case
from bcapp.core.conditions import Condition
from bcapp.core.directory import Directory
from bcapp.core.fields import Reading
from bcapp.core.intents import Act, AskPerson, CancelRequest, MoveCase, MoveHold, OpenRequest, Plan
from bcapp.core.kinds.case import CASE, CaseFacts, CaseLine
from bcapp.core.model import Gone, Hold, OpenAction, RecordKey, SignatureRequest
from bcapp.core.rules import RuleDefinition
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import ActionState, HoldState, Purpose, RequestStatus, Wanted, advance_hold
from bcapp.workflows.case_approval import BUTTONS, EFFECTS, decide, effect_of
from bcapp.workflows.protocol import Command, Situation
from tests.core.facts import NOW, SETTINGS, person, request, rule

RECORD = RecordKey("case", "12")
DANA = person(1, email="dana@shop.test")
DIRECTORY = Directory({1: DANA}, ())
READING = Reading(NOW, storefront_channels=frozenset({1}))
ASKS = RuleDefinition(
    groups=((Condition("amount", "at_least", ("0.01 USD",)),),),
    internal=True,
    approvers=(1,),
    account_id=9,
    kind="case",
    expiry_days=3,
)
HELD = Hold(RECORD, "gate", HoldState.HELD)


def case(**changes: Any) -> CaseFacts:
    """A return of one tent for 50 USD, calculated, waiting."""
    base: dict[str, Any] = {
        "id": 12, "kind": "return", "state": "open", "state_why": "", "order_id": 101, "currency": "USD",
        "created_at": NOW, "origin": "staff", "opened_by": 7, "reason": "damaged", "goods_back": False,
        "tender": "original", "tolerance": Decimal(0), "quoted": Decimal("50.00"), "tax": Decimal(0),
        "cap": Decimal("50.00"), "taken": Decimal(0),
        "lines": (CaseLine("PRODUCT", 1, 1, Decimal(0), "Tent", "TENT-4"),), "order_total": Decimal("600.00"),
        "order_refunded": Decimal(0), "order_status": 11, "payment_status": "captured", "payment_method": "Card",
        "order_created_at": NOW - timedelta(days=3), "items_shipped": 0, "customer_id": 7, "channel_id": 1,
        "contact_email": "bo@buyer.test",
    }  # fmt: skip
    return CaseFacts(**{**base, **changes})


def asked(facts: CaseFacts, status: RequestStatus = RequestStatus.COMPLETED, **changes: Any) -> SignatureRequest:
    """The approval sheet that was made from these facts; completed and right unless said otherwise."""
    snapshot = CASE.snapshot(facts)
    checked = "right" if status is RequestStatus.COMPLETED else ""
    base: dict[str, Any] = {
        "workflow": "case_approval", "purpose": Purpose.INTERNAL, "record": RECORD, "snapshot": snapshot,
        "projection": CASE.projection, "fingerprint": fingerprint(snapshot), "status": status, "checked": checked,
        "agreement_id": 0, "agreement_version": 0,
    }  # fmt: skip
    return request(**{**base, **changes})


def situation(facts: CaseFacts | Gone, **changes: Any) -> Situation:
    base: dict[str, Any] = {
        "record": RECORD, "facts": facts, "rules": (rule(workflow="case_approval", definition=ASKS),),
        "requests": (), "hold": None, "open_actions": (), "store": SETTINGS, "directory": DIRECTORY,
        "reading": READING, "agreements": {},
    }  # fmt: skip
    return Situation(**{**base, **changes})


def of(plan: Plan, kind: type[Any]) -> list[Any]:
    return [i for i in plan.intents if isinstance(i, kind)]


def effects(plan: Plan) -> list[ActionKind]:
    return [a.kind for a in of(plan, Act) if a.kind in EFFECTS]


def events(plan: Plan) -> list[CaseEvent]:
    return [m.event for m in of(plan, MoveCase)]


def test_a_case_waits_for_its_approver_and_then_the_money_moves() -> None:
    plan = decide(situation(case()))
    assert [[s.email for s in o.signers] for o in of(plan, OpenRequest)] == [["dana@shop.test"]]
    assert effects(plan) == []
    plan = decide(situation(case(), hold=HELD, requests=(asked(case(), RequestStatus.SENT),)))
    assert effects(plan) == []
    plan = decide(situation(case(), hold=HELD, requests=(asked(case()),)))
    assert (events(plan), effects(plan)) == ([CaseEvent.APPROVED], [ActionKind.EXECUTE_REFUND])


def test_who_asked_for_the_money_or_opened_the_case_does_not_approve_it() -> None:
    for facts in (case(contact_email="Dana@Shop.test"), case(opener_email="dana@shop.test")):
        plan = decide(situation(facts))
        assert of(plan, OpenRequest) == []
        assert [p.kind for p in of(plan, AskPerson)] == ["no_other_approver"]


def test_another_amount_is_another_signature() -> None:
    signed = asked(case())
    dearer = case(quoted=Decimal("60.00"), cap=Decimal("60.00"))
    plan = decide(situation(dearer, hold=HELD, requests=(signed,)))
    assert effects(plan) == []
    assert len(of(plan, OpenRequest)) == 1
    # What was refunded meanwhile, where the goods are, how the order stands: nothing of it is signed for.
    same = case(taken=Decimal("20.00"), goods_back=True, order_status=2, items_shipped=2)
    assert effects(decide(situation(same, hold=HELD, requests=(signed,)))) == [ActionKind.EXECUTE_REFUND]


def test_a_return_may_wait_for_its_goods() -> None:
    patient = replace(ASKS, options=(("goods_first", "yes"),))
    rules = (rule(workflow="case_approval", definition=patient),)
    plan = decide(situation(case(), rules=rules, hold=HELD, requests=(asked(case()),)))
    assert (effects(plan), [p.kind for p in of(plan, AskPerson)]) == ([], ["goods_awaited"])
    plan = decide(situation(case(goods_back=True), rules=rules, hold=HELD, requests=(asked(case()),)))
    assert effects(plan) == [ActionKind.EXECUTE_REFUND]


def test_no_rule_no_refund() -> None:
    plan = decide(situation(case(), rules=()))
    assert (effects(plan), [p.kind for p in of(plan, AskPerson)]) == ([], ["case_unruled"])
    assert [m.event for m in of(plan, MoveHold)] == ["wanted", "placed"]
    press = (Command("release", 7, "a regular"),)
    plan = decide(situation(case(), rules=(), hold=HELD, commands=press))
    assert (events(plan), effects(plan)) == ([CaseEvent.APPROVED], [ActionKind.EXECUTE_REFUND])
    quiet = replace(SETTINGS, test_mode_user=7)
    assert effects(decide(situation(case(), rules=(), hold=HELD, commands=press, store=quiet))) == []


def test_time_runs_out_and_what_was_refunded_by_hand_ends_it() -> None:
    plan = decide(situation(case(), hold=HELD, requests=(asked(case(), RequestStatus.EXPIRED),)))
    assert (events(plan), effects(plan)) == ([CaseEvent.REFUSED], [])
    assert [p.kind for p in of(plan, AskPerson)] == ["case_expired"]
    waiting = asked(case(), RequestStatus.SENT)
    plan = decide(situation(case(taken=Decimal("50.00")), hold=HELD, requests=(waiting,)))
    assert events(plan) == [CaseEvent.SETTLED]
    assert [c.request_id for c in of(plan, CancelRequest)] == [waiting.id]


@pytest.mark.parametrize(
    ("payment", "does"),
    [
        ("authorized", ActionKind.VOID_PAYMENT),
        ("captured", ActionKind.EXECUTE_REFUND),
        ("partially refunded", ActionKind.EXECUTE_REFUND),
        ("", ActionKind.CANCEL_ORDER),
        ("void", ActionKind.CANCEL_ORDER),
        ("refunded", ActionKind.CANCEL_ORDER),
    ],
)
def test_cancelling_gives_the_money_back_first(payment: str, does: ActionKind) -> None:
    assert effect_of(case(kind="cancellation", payment_status=payment)) is does
    assert effect_of(case(payment_status=payment)) is ActionKind.EXECUTE_REFUND


def test_work_that_ended_without_the_money_goes_to_a_person() -> None:
    for state, running in (("approved", ActionKind.EXECUTE_REFUND), ("settling", ActionKind.FOLLOW_REFUND)):
        busy = OpenAction(1, running, "main", ActionState.PENDING, None)
        assert decide(situation(case(state=state), open_actions=(busy,))).intents == ()
        plan = decide(situation(case(state=state)))
        assert events(plan) == [CaseEvent.PERSON]


requests = st.lists(
    st.builds(
        lambda status, changed, checked, wanted: asked(
            case(cap=Decimal("60.00")) if changed else case(),
            status,
            checked=checked if status is RequestStatus.COMPLETED else "",
            wanted=wanted,
            wanted_why="staff" if wanted is Wanted.CANCEL else "",
        ),
        st.sampled_from(list(RequestStatus)),
        st.booleans(),
        st.sampled_from(["", "right", "conflict", "confirmed"]),
        st.sampled_from(list(Wanted)),
    ),
    max_size=2,
).map(lambda rows: tuple(replace(r, id=50 + n, round=1 + n) for n, r in enumerate(rows)))


@given(
    state=st.sampled_from(list(CaseState)),
    kind=st.sampled_from(["return", "exception", "cancellation"]),
    hold=st.sampled_from([None, *HoldState]),
    rows=requests,
    taken=st.sampled_from([Decimal(0), Decimal("20.00"), Decimal("50.00")]),
    press=st.sampled_from([None, *BUTTONS]),
    busy=st.booleans(),
    ruled=st.booleans(),
)
def test_money_moves_only_on_a_signature_or_a_managers_word(
    state: CaseState,
    kind: str,
    hold: HoldState | None,
    rows: tuple[SignatureRequest, ...],
    taken: Decimal,
    press: str | None,
    busy: bool,
    ruled: bool,
) -> None:
    facts = case(state=str(state), kind=kind, taken=taken)
    more: dict[str, Any] = {} if ruled else {"rules": ()}
    if busy:
        more["open_actions"] = (OpenAction(1, ActionKind.EXECUTE_REFUND, "main", ActionState.PENDING, None),)
    commands = (Command(press, 7, "why"),) if press else ()
    held = Hold(RECORD, "gate", hold) if hold else None
    plan = decide(situation(facts, hold=held, requests=rows, commands=commands, **more))
    if effects(plan):
        assert not busy
        signed = any(r.is_good and r.fingerprint == fingerprint(CASE.snapshot(facts)) for r in rows)
        assert signed or press == "case_again"
        assert len(effects(plan)) == 1
    reached, holds = state, hold or HoldState.NONE
    for move in of(plan, MoveCase):  # every step is a legal one
        reached = advance_case(reached, move.event)
    for step in of(plan, MoveHold):
        holds = advance_hold(holds, step.event)
    if effects(plan):
        assert reached is CaseState.APPROVED


def test_a_case_that_is_gone_or_ended_ends_its_requests() -> None:
    open_one = asked(case(), RequestStatus.SENT)
    for facts in (Gone(RECORD), case(state="withdrawn")):
        plan = decide(situation(facts, hold=HELD, requests=(open_one,)))
        assert [c.request_id for c in of(plan, CancelRequest)] == [open_one.id]
        assert effects(plan) == []
