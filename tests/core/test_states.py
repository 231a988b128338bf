"""The tables of states: closed at their ends, complete in their middle, never left silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.states import (
    ENDS,
    HOLD_TRANSITIONS,
    REQUEST_TRANSITIONS,
    ActionState,
    HoldEvent,
    HoldState,
    RequestEvent,
    RequestStatus,
    advance_hold,
    advance_request,
)
from bcapp.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)

OWN_EVENT = {
    RequestStatus.COMPLETED: RequestEvent.ALL_SIGNED,
    RequestStatus.DECLINED: RequestEvent.DECLINED,
    RequestStatus.EXPIRED: RequestEvent.EXPIRED,
    RequestStatus.CANCELLED: RequestEvent.CANCELLED,
    RequestStatus.FAILED: RequestEvent.FAILED,
}
# How far a request has come; a read may skip steps and never takes one back.
PROGRESS = {
    RequestStatus.DRAFT: 0,
    RequestStatus.QUEUED: 1,
    RequestStatus.SENT: 2,
    RequestStatus.VIEWED: 3,
    RequestStatus.PARTLY_SIGNED: 4,
    **dict.fromkeys(ENDS, 5),
}


def reachable(table: Mapping[tuple[S, E], S], start: S) -> set[S]:
    found, open_ = {start}, [start]
    while open_:
        here = open_.pop()
        for (state, _), after in table.items():
            if state is here and after not in found:
                found.add(after)
                open_.append(after)
    return found


def test_every_end_has_an_event_of_its_own() -> None:
    assert set(OWN_EVENT) == ENDS


@pytest.mark.parametrize("end", sorted(ENDS))
def test_an_end_takes_its_own_event_again_and_nothing_else(end: RequestStatus) -> None:
    assert advance_request(end, OWN_EVENT[end]) is end
    for event in RequestEvent:
        if event is not OWN_EVENT[end]:
            with pytest.raises(IllegalTransition, match=f"{end} cannot take {event}"):
                advance_request(end, event)


def test_every_request_status_is_reached_from_a_draft() -> None:
    assert reachable(REQUEST_TRANSITIONS, RequestStatus.DRAFT) == set(RequestStatus)


def test_every_hold_state_is_reached_from_none() -> None:
    assert reachable(HOLD_TRANSITIONS, HoldState.NONE) == set(HoldState)


@pytest.mark.parametrize("event", list(RequestEvent))
def test_every_request_event_stands_in_the_table(event: RequestEvent) -> None:
    assert any(happened is event for _, happened in REQUEST_TRANSITIONS)


@pytest.mark.parametrize("event", list(HoldEvent))
def test_every_hold_event_stands_in_the_table(event: HoldEvent) -> None:
    assert any(happened is event for _, happened in HOLD_TRANSITIONS)


@pytest.mark.parametrize("status", [s for s in RequestStatus if not s.is_end])
def test_every_open_request_can_end_in_every_way(status: RequestStatus) -> None:
    assert {advance_request(status, event) for event in OWN_EVENT.values()} == ENDS


@pytest.mark.parametrize(("pair", "after"), REQUEST_TRANSITIONS.items())
def test_a_read_never_takes_a_request_back(pair: tuple[RequestStatus, RequestEvent], after: RequestStatus) -> None:
    assert PROGRESS[after] >= PROGRESS[pair[0]]


@pytest.mark.parametrize(("pair", "after"), REQUEST_TRANSITIONS.items())
def test_a_request_event_told_twice_changes_nothing_more(
    pair: tuple[RequestStatus, RequestEvent], after: RequestStatus
) -> None:
    assert advance_request(after, pair[1]) is after


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (HoldState.JOINED, HoldEvent.ALL_GOOD),  # it was held by someone else: never lifted by us
        (HoldState.JOINED, HoldEvent.NOT_SIGNED),
        (HoldState.OVERRIDDEN, HoldEvent.OPENED),  # who let it go stays on record
        (HoldState.OVERRIDDEN, HoldEvent.OVERRIDE),
        (HoldState.REFUSED, HoldEvent.WANTED),
        (HoldState.REFUSED, HoldEvent.TOO_LATE),
        (HoldState.RELEASED, HoldEvent.OPENED),
        (HoldState.RELEASED, HoldEvent.LEFT_AS_IS),
        (HoldState.BYPASSED, HoldEvent.LET_GO),
        (HoldState.KEPT, HoldEvent.NOT_SIGNED),
        (HoldState.HELD, HoldEvent.PLACED),
        (HoldState.RELEASING, HoldEvent.ALL_GOOD),
    ],
)
def test_a_hold_takes_these_without_moving(state: HoldState, event: HoldEvent) -> None:
    assert advance_hold(state, event) is state


@pytest.mark.parametrize("state", [HoldState.NONE, HoldState.REFUSED, HoldState.RELEASED, HoldState.BYPASSED])
def test_nothing_is_released_that_is_not_held(state: HoldState) -> None:
    with pytest.raises(IllegalTransition):
        advance_hold(state, HoldEvent.ALL_GOOD)


@pytest.mark.parametrize("state", list(HoldState))
def test_no_hold_is_stuck_when_its_record_ends(state: HoldState) -> None:
    assert advance_hold(state, HoldEvent.LEFT_AS_IS) in (HoldState.RELEASED, HoldState.OVERRIDDEN, HoldState.REFUSED)


@pytest.mark.parametrize(("state", "ended"), [(s, s not in ("pending", "started")) for s in ActionState])
def test_an_action_has_ended_unless_it_waits_or_runs(state: ActionState, ended: bool) -> None:
    assert state.is_end is ended


def _walk(
    start: S,
    events: list[E],
    table: Mapping[tuple[S, E], S],
    advance: Callable[[S, E], S],
) -> S:
    state = start
    for event in events:
        if (state, event) in table:
            state = advance(state, event)
        else:
            with pytest.raises(IllegalTransition):
                advance(state, event)
    return state


@given(st.lists(st.sampled_from(list(RequestEvent)), max_size=30))
def test_a_walk_of_a_request_never_leaves_the_table(events: list[RequestEvent]) -> None:
    end = _walk(RequestStatus.DRAFT, events, REQUEST_TRANSITIONS, advance_request)
    assert end in RequestStatus
    firsts = [e for e in events if e in OWN_EVENT.values()]
    if firsts:  # what ended it first is what it is, whatever is told later
        assert OWN_EVENT[end] is firsts[0]


@given(st.lists(st.sampled_from(list(HoldEvent)), max_size=30))
def test_a_walk_of_a_hold_never_leaves_the_table(events: list[HoldEvent]) -> None:
    assert _walk(HoldState.NONE, events, HOLD_TRANSITIONS, advance_hold) in HoldState
