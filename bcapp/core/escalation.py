"""Escalation: what happens, and when, while nobody signs. Steps are rows made when a request is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bcapp.core.actions import ActionKind
from bcapp.core.calendars import EVERY_DAY, Calendar, Due, due_at
from bcapp.core.directory import Directory, Person
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, Note, OpenRequest, TakeStep, UpdateRequest
from bcapp.core.model import SignatureRequest, Signer
from bcapp.core.rules import RuleDefinition, Step
from bcapp.core.signers import Nobody, Requester, stand_in
from bcapp.core.states import Purpose, SignerRole, SignerState

RELEASED = "released"  # why a request was cancelled: nobody answered in time, and the rule lets the record go
NO_ANSWER = "Nobody answered in time."


@dataclass(frozen=True)
class StepDate:
    """When a step of a rule would come. late: the request has expired by then, so that it never comes."""

    position: int  # in the rule's steps, from 0
    step: Step
    due: Due
    late: bool = False


@dataclass(frozen=True)
class PlannedStep:
    """A step of a sent request, not taken yet. counted_from: the sending, moved on by the time of a pause."""

    position: int
    kind: str  # remind | escalate | alternate | outcome
    person_id: int  # 0: nobody
    follows: str  # of an outcome: keep | release
    after_days: int
    working_days: bool
    local_time: time
    calendar_id: int
    counted_from: datetime
    due_at: datetime


@dataclass(frozen=True)
class Escalation:
    """What a look needs to take steps. has_steps: the request has some, taken or not; the usual reminders rest then.

    open: those not taken. last_round: the newest round of the same rule, purpose and record.
    """

    has_steps: bool = False
    open: tuple[PlannedStep, ...] = ()
    directory: Directory = field(default_factory=Directory)
    requester: Requester = field(default_factory=Requester)
    last_round: int = 0


NO_STEPS = Escalation()


def time_of(step: Step) -> time:
    """Return the local time of a step, which check_definition has accepted."""
    return time.fromisoformat(step.at)


def escalation_dates(
    definition: RuleDefinition, sent_at: datetime, calendar: Calendar, zone: ZoneInfo, *, purpose: Purpose | None = None
) -> list[StepDate]:
    """Return when every step of a rule comes for a request sent then, in their order of time.

    calendar: the rule's (EVERY_DAY when it names none). purpose: leave out what does not concern such a request.
    """
    ends = sent_at + timedelta(days=definition.expiry_days)
    dates = []
    for position, step in enumerate(definition.steps):
        if purpose is Purpose.CUSTOMER and step.do == "alternate":
            continue  # nobody of the house signs in the buyer's place
        due = due_at(sent_at, step.after_days, time_of(step), calendar, zone, working=step.working_days)
        dates.append(StepDate(position, step, due, late=due.at >= ends))
    return sorted(dates, key=lambda d: (d.due.at, d.position))


def counted_again(step: PlannedStep, calendar: Calendar | None, zone: ZoneInfo) -> Due:
    """Return when an open step is due after the calendar, the zone or a pause changed what it is counted by."""
    used = calendar or EVERY_DAY
    return due_at(step.counted_from, step.after_days, step.local_time, used, zone, working=step.working_days)


def requester_of(request: SignatureRequest, person: Person | None = None) -> Requester:
    """Return who stands behind the record that a request was made for, as its snapshot kept them.

    person: who opened it here, if anybody of the directory did.
    """
    emails = {str(request.snapshot.get("email") or "").strip().lower(), person.email.lower() if person else ""}
    return Requester(frozenset({person.id} if person else ()), frozenset(emails - {""}))


# Taken ----------------------------------------------------------------------------------------------------


def take_steps(
    request: SignatureRequest, escalation: Escalation, now: datetime, *, is_resending: bool = False
) -> Iterator[Intent]:
    """Yield what follows from the steps that are due, each with the mark that it is taken.

    request: as just read from the service, open and not bounced. Of several reminders that are due at once only the
    last one mails. After an alternate was asked the later steps stay open: they go on with the new round.
    """
    due = sorted((s for s in escalation.open if s.due_at <= now), key=lambda s: (s.due_at, s.position))
    last_reminder = next((s.position for s in reversed(due) if s.kind == "remind"), None)
    for step in due:
        match step.kind:
            case "remind" if step.position != last_reminder or is_resending:
                yield TakeStep(request.id, step.position, "passed")
            case "remind":
                yield TakeStep(request.id, step.position, "reminded")
                yield Act(ActionKind.RESEND_REQUEST, request.id)
                yield UpdateRequest(request.id, reminded=request.reminded + 1)
            case "escalate":
                yield TakeStep(request.id, step.position, "told")
                yield Act(ActionKind.SEND_MAIL, request.id, {"step": step.position})
                yield AskPerson("escalated", f"{_record(request)} waits: {_awaited(request)}", request.id)
                yield Note("escalated", request.id, {"step": step.position, "person": step.person_id})
            case "alternate":
                opened = False
                for intent in _alternate(request, step, escalation, now):
                    opened = opened or isinstance(intent, OpenRequest)
                    yield intent
                if opened:
                    return
            case "outcome" if step.follows == "release":
                yield TakeStep(request.id, step.position, "released")
                yield CancelRequest(request.id, RELEASED)
                yield Note("released_unsigned", request.id, {"step": step.position})
                return
            case _:
                # "keep", and anything that a newer release wrote: nothing moves by itself.
                yield TakeStep(request.id, step.position, "kept")
                text = f"{NO_ANSWER} {_record(request)}: {_awaited(request)} Ask again, call, or release it by hand."
                yield AskPerson("not_answered", text, request.id, alarm=True)
                yield Note("not_answered", request.id, {"step": step.position})


def _alternate(request: SignatureRequest, step: PlannedStep, escalation: Escalation, now: datetime) -> Iterator[Intent]:
    alternate = escalation.directory.acting(step.person_id, now)
    signers = stand_in(request.signers, alternate, escalation.requester)
    if request.purpose is not Purpose.INTERNAL or isinstance(signers, Nobody):
        why = signers.sentence if isinstance(signers, Nobody) else "Nobody else can sign in the buyer's place."
        yield TakeStep(request.id, step.position, "nobody")
        text = f"{_record(request)} waits, and nobody can sign instead. {why}"
        yield AskPerson("no_alternate", text, request.id, alarm=True)
        return
    assert alternate is not None
    yield TakeStep(request.id, step.position, "replaced")
    yield CancelRequest(request.id, "superseded")
    yield OpenRequest(
        rule_id=request.rule_id,
        rule_version=request.rule_version,
        purpose=request.purpose,
        round=max(request.round, escalation.last_round) + 1,
        round_why=f"Nobody signed in time: {alternate.name} signs instead.",
        fingerprint=request.fingerprint,
        snapshot=request.snapshot,
        projection=request.projection,
        account_id=request.account_id,
        agreement_id=request.agreement_id,
        agreement_version=request.agreement_version,
        signers=signers,
        expires_at=request.expires_at or now + timedelta(days=7),
        language=request.language,
        simulated=request.simulated,
        blocks=request.blocks,
        steps_from=request.id,
    )
    yield Note("alternate_asked", request.id, {"step": step.position, "person": alternate.id})


def _record(request: SignatureRequest) -> str:
    return f"{request.record.kind.capitalize()} {request.record.id}"


def awaited(request: SignatureRequest) -> list[Signer]:
    """Return the signers whose turn it is: of those who have not signed, the ones with the lowest turn."""
    waiting = [s for s in request.signers if s.role is not SignerRole.COPY and s.state is not SignerState.SIGNED]
    turn = min((s.turn for s in waiting), default=0)
    return [s for s in waiting if s.turn == turn]


def _awaited(request: SignatureRequest) -> str:
    names = " and ".join(s.name or s.email for s in awaited(request))
    return f"{names or 'somebody'} has not signed."


def moved_on(step: PlannedStep, pause: timedelta) -> PlannedStep:
    """Return the step counted from later by the time in which nobody could be reached."""
    return replace(step, counted_from=step.counted_from + max(pause, timedelta()))


def calendar_of(calendars: Mapping[int, Calendar], calendar_id: int) -> Calendar:
    """Return a rule's calendar; every day is worked where it names none, or one that is gone."""
    return calendars.get(calendar_id, EVERY_DAY)
