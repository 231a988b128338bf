"""Every kind of action has a way back, an urgency and a lane."""

from __future__ import annotations

import pytest

from bcapp.core.actions import ActionKind, Recovery, lane, priority, recovery

KINDS = list(ActionKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_class_priority_and_lane(kind: ActionKind) -> None:
    assert recovery(kind) in Recovery
    assert 0 < priority(kind) < 100
    assert lane(kind, 3)


@pytest.mark.parametrize("kind", [ActionKind.HOLD_ORDER, ActionKind.RELEASE_ORDER, ActionKind.CAPTURE_ORDER])
def test_hold_and_release_come_before_everything_else(kind: ActionKind) -> None:
    assert priority(kind) == min(priority(k) for k in KINDS)


def test_bulk_work_comes_last() -> None:
    last = [ActionKind.TRY_RULE, ActionKind.READ_PAST]  # who tries a rule waits for it; the reading waits for all
    assert sorted(last, key=priority) == last
    assert priority(ActionKind.COUNT_BACKLOG) == max(priority(k) for k in KINDS if k is not ActionKind.READ_PAST)


@pytest.mark.parametrize("kind", [ActionKind.SEND_MAIL, ActionKind.RESEND_REQUEST])
def test_what_a_person_would_get_twice_is_never_done_again(kind: ActionKind) -> None:
    assert recovery(kind) is Recovery.AT_MOST_ONCE


@pytest.mark.parametrize("kind", [ActionKind.CREATE_DOCUMENT, ActionKind.SEND_REQUEST, ActionKind.CAPTURE_ORDER])
def test_what_leaves_a_thing_behind_is_looked_up_and_adopted(kind: ActionKind) -> None:
    assert recovery(kind) is Recovery.ADOPTABLE


@pytest.mark.parametrize(
    "kind",
    [
        ActionKind.PREPARE_DOCUMENT,
        ActionKind.CREATE_DOCUMENT,
        ActionKind.SEND_REQUEST,
        ActionKind.CANCEL_REQUEST,
        ActionKind.RELEASE_ORDER,
        ActionKind.CAPTURE_ORDER,
    ],
)
def test_nothing_overtakes_the_hold(kind: ActionKind) -> None:
    assert lane(kind, 3) == lane(ActionKind.HOLD_ORDER, None)


@pytest.mark.parametrize(
    "kind",
    [
        ActionKind.FETCH_EVIDENCE,
        ActionKind.WRITE_METAFIELDS,
        ActionKind.WRITE_STAFF_NOTE,
        ActionKind.SEND_MAIL,
        ActionKind.RESEND_REQUEST,
        ActionKind.CHECK_COMPLETION,
    ],
)
def test_what_only_tells_never_delays_a_release(kind: ActionKind) -> None:
    assert lane(kind, 3) != lane(ActionKind.RELEASE_ORDER, None)


def test_two_requests_are_checked_side_by_side() -> None:
    assert lane(ActionKind.CHECK_COMPLETION, 3) != lane(ActionKind.CHECK_COMPLETION, 4)
    assert lane(ActionKind.CHECK_COMPLETION, 3) != lane(ActionKind.FETCH_EVIDENCE, 3)
