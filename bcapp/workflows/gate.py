"""A hold that is one action to shut and one to open: how every workflow but order approval keeps its record waiting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, Intent, MoveHold, SettleTasks
from bcapp.core.states import HoldEvent, HoldState
from bcapp.workflows.asking import CANNOT_ASK, Standing, Subject, not_signed_why
from bcapp.workflows.protocol import Situation

METHOD = "gate"
SHUT = (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT)
SETTLED = ("not_signed", "let_go", "lacks", *CANNOT_ASK, "hold_late")


@dataclass(frozen=True)
class Gate:
    """How a record waits. shut: what holds it; None where nothing goes on by itself (a refund not executed).

    open: what is carried out when everything is signed; its payload says {"because": "signed" | "overridden" |
    "not_needed"}. Its performer ends the hold by HoldEvent.OPENED (or LEFT_AS_IS). let_go: how somebody outside let
    the record go while it was unsigned, as a sentence; "" when nobody did. It is told, and not shut again by itself.
    again: whether an edit after the signing shuts it anew. lapsed: what was signed counts no more, so it is shut anew.
    method: of the hold. lacks: what else is missing when everything is signed, as a sentence; it is waited for.
    """

    open: ActionKind
    shut: ActionKind | None = None
    let_go: str = ""
    again: bool = True
    lapsed: bool = False
    method: str = METHOD
    lacks: str = ""


def hold(s: Situation, subject: Subject, standing: Standing, gate: Gate) -> Iterator[Intent]:
    """Yield what shuts the gate while a signature is missing, and what opens it when none is."""
    if s.held_elsewhere:
        return  # one workflow holds a record; what this one asks is waited for all the same
    state = s.hold.state if s.hold else HoldState.NONE
    is_busy = any(a.kind in (gate.open, gate.shut) for a in s.open_actions)
    if not standing.blocking and not standing.is_asking:
        if state not in SHUT or is_busy:
            return
        if gate.lacks and standing.needs:
            yield AskPerson("lacks", f"{subject.label}: everything is signed. {gate.lacks}")
        else:
            yield from _open(standing, gate)
        return
    if state in (HoldState.OVERRIDDEN, HoldState.REFUSED, HoldState.BYPASSED) and not standing.is_asking:
        return
    is_free = state in (HoldState.NONE, HoldState.BYPASSED, HoldState.OVERRIDDEN)
    if (is_free and not gate.let_go) or (
        gate.again and (standing.is_asking or gate.lapsed) and state is HoldState.RELEASED
    ):
        yield MoveHold(HoldEvent.WANTED, "A signature is wanted.", gate.method)
        if gate.shut is None:
            yield MoveHold(HoldEvent.PLACED, "It waits until it is signed.")
        else:
            yield Act(gate.shut)
    elif state in SHUT and not is_busy:
        yield from _wait(subject, standing, gate, state)


def _open(standing: Standing, gate: Gate) -> Iterator[Intent]:
    if standing.needs:
        yield MoveHold(HoldEvent.ALL_GOOD, "Everything that was asked is signed.")
        yield Act(gate.open, None, {"because": "signed", "requests": [r.id for r in standing.signed]})
    elif gate.shut is None:
        yield MoveHold(HoldEvent.LEFT_AS_IS, "No signature is wanted any more.")
    else:
        yield MoveHold(HoldEvent.ALL_GOOD, "No signature is wanted any more.")
        yield Act(gate.open, None, {"because": "not_needed"})
    yield SettleTasks(SETTLED)


def _wait(subject: Subject, standing: Standing, gate: Gate, state: HoldState) -> Iterator[Intent]:
    if gate.let_go and state is not HoldState.HOLDING:
        yield MoveHold(HoldEvent.LET_GO, gate.let_go)
        yield AskPerson("let_go", f"{subject.label}: {gate.let_go} The request stays open; cancel it if you do not "
                        "need the signature.", alarm=True)  # fmt: skip
        return
    lost = [n for n in standing.blocking if n.state == "not_signed"]
    if lost and state is not HoldState.KEPT:
        why = not_signed_why(lost[0])
        yield MoveHold(HoldEvent.NOT_SIGNED, why[0].upper() + why[1:])
        if lost[0].why != "conflict":  # the check has told that already, with what was wrong
            yield AskPerson("not_signed", f"{subject.label}: {why}", lost[0].latest.id if lost[0].latest else None)
    elif not lost and state is HoldState.KEPT:
        yield MoveHold(HoldEvent.ASKED_AGAIN, "A new round was asked.")
        yield SettleTasks(("not_signed",))
