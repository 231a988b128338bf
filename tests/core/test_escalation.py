"""Escalation: when steps come, that each is taken once, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcapp.core.actions import ActionKind
from bcapp.core.calendars import EVERY_DAY, Calendar, zone_or_utc
from bcapp.core.directory import Directory, Person
from bcapp.core.escalation import (
    Escalation,
    PlannedStep,
    counted_again,
    escalation_dates,
    moved_on,
    requester_of,
    take_steps,
)
from bcapp.core.intents import Act, AskPerson, CancelRequest, OpenRequest, TakeStep
from bcapp.core.model import RecordKey, SignatureRequest, Signer
from bcapp.core.rules import RuleDefinition, Step
from bcapp.core.states import Purpose, RequestStatus, SignerState, Wanted
from tests.core.test_calendars import ZONES

SENT = datetime(2026, 6, 4, 15, 0, tzinfo=UTC)  # a Thursday
OFFICE = Calendar(3, 2, "Office", frozenset(range(5)), frozenset({date(2026, 6, 8)}))
BERLIN = zone_or_utc("Europe/Berlin")
LEAD, CFO = Person(1, "Lead", "lead@store.test"), Person(3, "Cfo", "cfo@store.test")


def request(**changes: Any) -> SignatureRequest:
    given_: dict[str, Any] = {
        "id": 50,
        "workflow": "order_approval",
        "rule_id": 1,
        "rule_version": 1,
        "purpose": Purpose.INTERNAL,
        "record": RecordKey("order", "250"),
        "round": 1,
        "projection": 1,
        "fingerprint": "f",
        "snapshot": {"email": "Buyer@shop.test"},
        "wanted": Wanted.OPEN,
        "wanted_why": "",
        "status": RequestStatus.SENT,
        "checked": "",
        "simulated": False,
        "blocks": True,
        "external_id": "x",
        "created_at": SENT,
        "expires_at": SENT + timedelta(days=7),
        "signers": (Signer(0, 1, "Lead", "lead@store.test", person_id=1, state=SignerState.EMAILED),),
    }
    return SignatureRequest(**{**given_, **changes})


def step(position: int, kind: str, days: float = 1, **more: Any) -> PlannedStep:
    given_: dict[str, Any] = {"person_id": 3, "follows": "", **more}
    due = SENT + timedelta(days=days)
    return PlannedStep(position, kind, after_days=1, working_days=False, local_time=time(9), calendar_id=0,
                       counted_from=SENT, due_at=due, **given_)  # fmt: skip


def taken(*steps: PlannedStep, days: float = 10, of: SignatureRequest | None = None, **more: Any) -> list[str]:
    asked = of or request()
    escalation = Escalation(True, steps, Directory({1: LEAD, 3: CFO}), requester_of(asked), 1)
    found = []
    for intent in take_steps(asked, escalation, SENT + timedelta(days=days), **more):
        match intent:
            case TakeStep():
                found.append(f"{intent.position} {intent.how}")
            case Act():
                found.append(f"do {intent.kind} {intent.payload}".removesuffix(" {}"))
            case AskPerson():
                found.append(f"task {intent.kind}{'!' if intent.alarm else ''}")
            case CancelRequest():
                found.append(f"cancel {intent.why}")
            case OpenRequest():
                assert intent.steps_from == asked.id
                assert intent.expires_at == asked.expires_at
                found.append(f"round {intent.round}: {', '.join(s.name for s in intent.signers)}")
            case _:
                continue
    return found


TABLE: dict[str, tuple[list[str], list[str]]] = {
    "nothing is due": (taken(step(0, "remind", 3), days=2.9), []),
    "remind": (taken(step(0, "remind", 3), days=3), ["0 reminded", "do resend_request"]),
    "several reminders late: one mail": (
        taken(step(0, "remind", 1), step(1, "remind", 3), step(2, "remind", 5), days=4),
        ["0 passed", "1 reminded", "do resend_request"],
    ),
    "a reminder is on its way": (taken(step(0, "remind"), is_resending=True), ["0 passed"]),
    "escalate": (
        taken(step(2, "escalate")),
        ["2 told", "do send_mail {'step': 2}", "task escalated"],
    ),
    "alternate": (taken(step(1, "alternate")), ["1 replaced", "cancel superseded", "round 2: Cfo"]),
    "after the alternate the rest waits for the new round": (
        taken(step(1, "alternate"), step(2, "escalate", 2), step(3, "outcome", 3, follows="release")),
        ["1 replaced", "cancel superseded", "round 2: Cfo"],
    ),
    "the alternate asked for it": (
        taken(step(1, "alternate"), step(2, "remind", 2), of=request(snapshot={"email": "CFO@store.test"})),
        ["1 nobody", "task no_alternate!", "2 reminded", "do resend_request"],
    ),
    "the alternate is gone": (taken(step(1, "alternate", person_id=9)), ["1 nobody", "task no_alternate!"]),
    "nobody signs for the buyer": (
        taken(step(1, "alternate"), of=request(purpose=Purpose.CUSTOMER)),
        ["1 nobody", "task no_alternate!"],
    ),
    "kept": (taken(step(4, "outcome", follows="keep")), ["4 kept", "task not_answered!"]),
    "let go": (
        taken(step(4, "outcome", follows="release"), step(5, "remind", 2)),
        ["4 released", "cancel released"],
    ),
    "an outcome of a newer release moves nothing": (
        taken(step(4, "outcome", follows="ship")),
        ["4 kept", "task not_answered!"],
    ),
    "a step of a newer release moves nothing": (taken(step(4, "dance")), ["4 kept", "task not_answered!"]),
    "by their time, not by their place": (
        taken(step(0, "outcome", 5, follows="keep"), step(1, "remind", 2)),
        ["1 reminded", "do resend_request", "0 kept", "task not_answered!"],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_taken(name: str) -> None:
    found, wanted = TABLE[name]
    assert found == wanted


def test_a_mail_names_no_person() -> None:
    """What an action carries is no personal data: the step's number leads to the person."""
    asked = request()
    escalation = Escalation(True, (step(0, "escalate"),), Directory({3: CFO}), requester_of(asked), 1)
    (mail,) = [i for i in take_steps(asked, escalation, SENT + timedelta(days=9)) if isinstance(i, Act)]
    assert (mail.kind, mail.payload) == (ActionKind.SEND_MAIL, {"step": 0})


# As dates -------------------------------------------------------------------------------------------------

STEPS = (
    Step(1, "remind"),
    Step(2, "escalate", at="16:30", person=3),
    Step(9, "outcome", outcome="keep", working_days=False),
)


def test_steps_as_dates() -> None:
    """Thursday; Friday at nine; then Tuesday, past the weekend and the holiday; the last one comes after the expiry."""
    dates = escalation_dates(RuleDefinition(steps=STEPS), SENT, OFFICE, BERLIN)
    assert [(d.position, d.due.at.isoformat(), d.late) for d in dates] == [
        (0, "2026-06-05T07:00:00+00:00", False),
        (1, "2026-06-09T14:30:00+00:00", False),
        (2, "2026-06-13T07:00:00+00:00", True),
    ]
    assert {(d.due.zone, d.due.calendar_version) for d in dates} == {("Europe/Berlin", 2)}


def test_the_buyers_request_has_no_alternate() -> None:
    definition = RuleDefinition(steps=(Step(1, "remind"), Step(2, "alternate", person=3)))
    dates = escalation_dates(definition, SENT, EVERY_DAY, BERLIN, purpose=Purpose.CUSTOMER)
    assert [d.position for d in dates] == [0]


@settings(deadline=None, max_examples=300)
@given(
    zone=st.sampled_from(ZONES),
    sent=st.datetimes(datetime(2020, 1, 1), datetime(2040, 6, 1)),
    steps=st.lists(
        st.builds(
            Step,
            st.integers(1, 40),
            st.sampled_from(["remind", "escalate", "outcome"]),
            st.times().map(lambda t: f"{t:%H:%M}"),
            st.booleans(),
        ),
        max_size=8,
    ).map(tuple),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    moments=st.lists(st.integers(0, 100 * 24 * 60), min_size=1, max_size=10),
)
def test_every_instant_belongs_to_one_stretch(
    zone: str, sent: datetime, steps: tuple[Step, ...], weekdays: frozenset[int], moments: list[int]
) -> None:
    """Every instant after the sending lies between exactly two steps, and each step is taken at one instant."""
    start, calendar = sent.replace(tzinfo=UTC), Calendar(1, 1, "", weekdays)
    dates = escalation_dates(RuleDefinition(steps=steps), start, calendar, zone_or_utc(zone))
    assert sorted(d.position for d in dates) == list(range(len(steps)))
    bounds = [start, *(d.due.at for d in dates)]
    assert bounds == sorted(bounds)
    open_, done = {d.position: d.due.at for d in dates}, list[int]()
    for minutes in sorted(moments):
        moment = start + timedelta(minutes=minutes)
        n = sum(1 for d in dates if d.due.at <= moment)
        assert bounds[n] <= moment
        assert n + 1 == len(bounds) or moment < bounds[n + 1]
        now_due = [p for p, at in open_.items() if at <= moment]
        for position in now_due:
            del open_[position]
        done += now_due
        assert len(done) == n  # looked at however rarely, a step is taken once


def test_a_changed_calendar_and_zone_count_again() -> None:
    dates = escalation_dates(RuleDefinition(steps=STEPS[1:2]), SENT, OFFICE, BERLIN)
    due = dates[0].due
    planned = PlannedStep(1, "escalate", 3, "", 2, True, due.local_time, 3, SENT, due.at)
    moved = counted_again(planned, replace(OFFICE, version=3, holidays=frozenset()), BERLIN)
    assert (moved.local_date, moved.calendar_version) == (date(2026, 6, 8), 3)
    west = counted_again(planned, OFFICE, zone_or_utc("America/Los_Angeles"))
    assert west.at.isoformat() == "2026-06-09T23:30:00+00:00"
    # The calendar is gone: every day is worked.
    assert counted_again(planned, None, BERLIN).local_date == date(2026, 6, 6)


def test_a_pause_moves_what_is_open() -> None:
    planned = step(0, "remind")
    later = moved_on(planned, timedelta(days=2))
    assert counted_again(later, None, BERLIN).at == counted_again(planned, None, BERLIN).at + timedelta(days=2)
    assert moved_on(planned, -timedelta(days=2)) == planned
