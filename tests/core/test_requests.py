"""What a read from the signature service means for a request."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.actions import ActionKind
from bcapp.core.escalation import NO_ANSWER, Escalation, PlannedStep
from bcapp.core.intents import (
    Act,
    AskPerson,
    CancelRequest,
    Intent,
    MissDocument,
    MoveRequest,
    Note,
    TakeStep,
    UpdateRequest,
)
from bcapp.core.model import OpenAction, SignatureRequest, Signer
from bcapp.core.provider import EVENTS, ProviderDocument, ProviderInput, ProviderSigner
from bcapp.core.requests import EXPIRED, Missing, decide_request, entry_for, first_reminder, next_reminder
from bcapp.core.states import ActionState, RequestEvent, RequestStatus, SignerState, Wanted, advance_request
from tests.core.facts import NOW, request

BO = ProviderSigner(
    email="bo@buyer.test",
    order=1,
    needs_to_sign=True,
    emailed=True,
    email_viewed=False,
    viewed=False,
    signed=False,
    signed_at=None,
    declined=False,
    declined_at=None,
    forwarded=False,
    forwarded_to="",
    message="",
    bounced=False,
    inputs=(),
)
SENDER = replace(BO, email="shop@shop.test", order=0, needs_to_sign=False, emailed=False)
TWO = (Signer(0, 1, "Bo", "bo@buyer.test"), Signer(1, 2, "Al", "al@buyer.test"))
AL = replace(BO, email="al@buyer.test", order=2)


def document(status: str = "se", *signers: ProviderSigner, **changes: Any) -> ProviderDocument:
    given: dict[str, Any] = {
        "uuid": "d-50",
        "url": "https://sign.test/documents/d-50/",
        "external_id": "1:abc:50:1:nonce",
        "name": "Order 101",
        "status": status,
        "processing": False,
        "sandbox": False,
        "request_uuid": "r-50",
        "signers": (SENDER, *(signers or (BO,))),
        "pdf_url": "",
        "pdf_sha256": "",
        "log_url": "",
        "log_sha256": "",
    }
    return ProviderDocument(**{**given, **changes})


def decide(
    asked: SignatureRequest,
    found: ProviderDocument | None,
    *busy: ActionKind,
    bounced: str = "",
    payload: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Intent, ...]:
    """payload: of every action that is under way."""
    actions = tuple(
        OpenAction(i, str(k), "x", ActionState.PENDING, asked.id, payload or {}) for i, k in enumerate(busy)
    )
    addresses = frozenset({bounced} - {""})
    return decide_request(
        asked, found, bounced=addresses, open_actions=actions, now=more.pop("now", NOW), **more
    ).intents


def moves(intents: tuple[Intent, ...]) -> list[RequestEvent]:
    return [i.event for i in intents if isinstance(i, MoveRequest)]


def acts(intents: tuple[Intent, ...]) -> list[ActionKind]:
    return [i.kind for i in intents if isinstance(i, Act)]


def after(asked: SignatureRequest, intents: tuple[Intent, ...]) -> SignatureRequest:
    """The request as it stands when the intents are written down."""
    for intent in intents:
        match intent:
            case MoveRequest():
                asked = replace(asked, status=advance_request(asked.status, intent.event))
            case UpdateRequest():
                changed = {s.position: s for s in intent.signers or ()}
                asked = replace(
                    asked,
                    signers=tuple(changed.get(s.position, s) for s in asked.signers),
                    inputs=intent.inputs if intent.inputs is not None else asked.inputs,
                    bounced=asked.bounced if intent.bounced is None else intent.bounced,
                    remind_at=intent.remind_at or asked.remind_at,
                    reminded=asked.reminded if intent.reminded is None else intent.reminded,
                )
            case _:
                pass
    return asked


VIEWED, SIGNED = replace(BO, viewed=True), replace(BO, viewed=True, signed=True, signed_at=NOW)
DECLINED = replace(BO, declined=True, declined_at=NOW, message="Too dear")


@pytest.mark.parametrize(
    ("status", "signers", "moved"),
    [
        ("co", (BO,), []),  # an older state, read late
        ("ne", (BO,), []),
        ("se", (BO,), []),
        ("se", (VIEWED,), [RequestEvent.VIEWED]),
        ("vi", (VIEWED,), [RequestEvent.VIEWED]),
        ("do", (VIEWED,), [RequestEvent.VIEWED]),
        ("vi", (SIGNED, AL), [RequestEvent.SOME_SIGNED]),
        ("si", (SIGNED,), [RequestEvent.ALL_SIGNED]),
        ("sd", (SIGNED,), [RequestEvent.ALL_SIGNED]),
        ("de", (DECLINED,), [RequestEvent.DECLINED]),
        ("xp", (BO,), [RequestEvent.EXPIRED]),
        ("ca", (BO,), [RequestEvent.CANCELLED]),
        ("ec", (BO,), [RequestEvent.FAILED]),
        ("es", (BO,), [RequestEvent.FAILED]),
    ],
)
def test_what_a_read_moves(status: str, signers: tuple[ProviderSigner, ...], moved: list[RequestEvent]) -> None:
    assert moves(decide(request(), document(status, *signers))) == moved


def test_every_letter_of_the_service_is_in_the_table_above() -> None:
    assert set(EVENTS) == {"co", "ne", "se", "vi", "do", "si", "sd", "de", "xp", "ca", "ec", "es"}


@pytest.mark.parametrize("status", [s for s in RequestStatus if s.is_end])
@pytest.mark.parametrize("letter", sorted(EVENTS))
def test_a_request_that_ended_is_not_moved_by_any_read(status: RequestStatus, letter: str) -> None:
    assert decide(request(status=status), document(letter)) == ()


def test_a_request_without_a_document_has_nothing_to_read() -> None:
    assert decide(request(provider_document="", status=RequestStatus.DRAFT), document()) == ()


def missed(intents: tuple[Intent, ...]) -> Missing:
    """What is remembered for the next read."""
    found = next(i for i in intents if isinstance(i, MissDocument))
    return Missing(found.since, found.reads, found.told)


def read_at(intents: tuple[Intent, ...]) -> timedelta | None:
    at = next(i.read_at for i in intents if isinstance(i, MissDocument))
    return None if at is None else at - NOW


def test_a_document_that_is_not_found_is_looked_for_again_and_ends_the_request_after_an_hour() -> None:
    intents, waited = decide(request(), None), []
    while not moves(intents):
        after_that = read_at(intents)
        assert after_that is not None
        waited.append(after_that)
        intents = decide(request(), None, now=NOW + after_that, missing=missed(intents))
    assert waited == [timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=60)]
    assert moves(intents) == [RequestEvent.CANCELLED]
    assert "deleted at the signature service" in next(i.why for i in intents if isinstance(i, MoveRequest))


def test_one_more_read_is_not_enough_however_late_it_comes() -> None:
    intents = decide(request(), None, now=NOW + timedelta(days=1), missing=Missing(NOW, 1))
    assert moves(intents) == []
    assert read_at(intents) == timedelta(days=1, minutes=1)
    assert moves(decide(request(), None, now=NOW + timedelta(days=1, minutes=1), missing=missed(intents)))


def test_a_deletion_that_the_service_told_of_is_believed_after_a_minute() -> None:
    intents = decide(request(), None, missing=Missing(told=True))
    assert (moves(intents), read_at(intents)) == ([], timedelta(minutes=1))
    assert moves(decide(request(), None, now=NOW + timedelta(minutes=1), missing=missed(intents)))


def test_a_document_that_is_found_again_was_never_gone() -> None:
    intents = decide(request(), document("se", VIEWED), missing=Missing(NOW - timedelta(hours=3), 5))
    assert MissDocument(50) in intents
    assert moves(intents) == [RequestEvent.VIEWED]
    assert not any(isinstance(i, MissDocument) for i in decide(request(), document("se", VIEWED)))


def test_another_account_knows_no_document_and_ends_no_request() -> None:
    late = Missing(NOW - timedelta(days=3), 9, told=True, same_account=False)
    intents = decide(request(), None, missing=late)
    assert moves(intents) == []
    assert [i.kind for i in intents if isinstance(i, AskPerson) and i.alarm] == ["account_changed"]
    assert read_at(intents) == timedelta(hours=1)


def test_a_letter_that_came_later_is_shown_and_moves_nothing() -> None:
    intents = decide(request(expires_at=NOW), document("zz"))
    assert intents == (
        UpdateRequest(50, provider_status="zz"),
        Note("unknown_provider_status", 50, {"status": "zz"}),
    )


def test_an_older_state_is_noted_and_ignored() -> None:
    intents = decide(request(status=RequestStatus.PARTLY_SIGNED), document("co"))
    assert moves(intents) == []
    assert Note("read_ignored", 50, {"from": RequestStatus.PARTLY_SIGNED, "event": "document_made"}) in intents


def test_signed_waits_until_the_pdf_is_made() -> None:
    assert moves(decide(request(), document("si", SIGNED, processing=True))) == []
    assert moves(decide(request(), document("si", SIGNED))) == [RequestEvent.ALL_SIGNED]


def test_the_reason_of_a_decline_is_kept() -> None:
    intents = decide(request(), document("de", DECLINED))
    assert MoveRequest(50, RequestEvent.DECLINED, "Signer 1 declined.") in intents
    signers = next(i.signers for i in intents if isinstance(i, UpdateRequest))
    assert signers is not None
    assert (signers[0].state, signers[0].reason, signers[0].state_at) == (SignerState.DECLINED, "Too dear", NOW)


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (replace(BO, emailed=False), SignerState.WAITING),
        (BO, SignerState.EMAILED),
        (replace(BO, email_viewed=True), SignerState.OPENED),
        (VIEWED, SignerState.VIEWED),
        (SIGNED, SignerState.SIGNED),
        (DECLINED, SignerState.DECLINED),
        (replace(BO, forwarded=True, forwarded_to="x@y.test"), SignerState.FORWARDED),
        (replace(BO, bounced=True), SignerState.BOUNCED),
        # what a person did outweighs what a mail server said
        (replace(VIEWED, bounced=True), SignerState.VIEWED),
        (replace(SIGNED, bounced=True), SignerState.SIGNED),
        (replace(SIGNED, forwarded=True, forwarded_to="x@y.test"), SignerState.FORWARDED),
        (replace(BO, email="BO@elsewhere.test"), SignerState.WAITING),
    ],
)
def test_the_state_of_a_signer(entry: ProviderSigner, state: SignerState) -> None:
    asked = request()
    assert after(asked, decide(asked, document("se", entry))).signers[0].state is state


def test_a_bounce_is_told_once_and_stops_reminders() -> None:
    asked = request(remind_at=NOW)
    intents = decide(asked, document(), bounced="bo@buyer.test")
    assert [i.kind for i in intents if isinstance(i, AskPerson) and i.alarm] == ["bounced"]
    assert acts(intents) == []
    again = decide(after(asked, intents), document(), bounced="bo@buyer.test")
    assert [i for i in again if isinstance(i, AskPerson)] == []


def test_a_mended_address_is_no_bounce_any_more() -> None:
    asked = request(bounced=True, signers=(Signer(0, 1, "Bo", "right@buyer.test", state=SignerState.EMAILED),))
    mended = after(asked, decide(asked, document("se", replace(BO, email="right@buyer.test"))))
    assert (mended.bounced, mended.signers[0].state) == (False, SignerState.EMAILED)


def test_what_was_typed_is_kept_without_pictures() -> None:
    typed = (
        ProviderInput("t", "serial", "p1", 0, "SN-1"),
        ProviderInput("c", "agree", "p2", 0, "on"),
        ProviderInput("s", "sign", "p3", 0, "a picture"),
        ProviderInput("t", "", "", 0, "scribbled"),
    )
    asked = request()
    kept = after(asked, decide(asked, document("si", replace(SIGNED, inputs=typed)))).inputs
    assert [i["id"] for i in kept] == ["serial", "agree"]


@pytest.mark.parametrize(
    ("turn", "entries", "found"),
    [
        (1, (BO, AL), 0),
        (2, (BO, replace(BO, order=2)), 1),  # one person who signs twice is told apart by the turn
        (5, (BO, replace(BO, order=2)), 0),
        (1, (replace(BO, needs_to_sign=False),), None),
        (1, (AL,), None),
    ],
)
def test_entry_for(turn: int, entries: tuple[ProviderSigner, ...], found: int | None) -> None:
    entry = entry_for(Signer(0, turn, "Bo", "Bo@Buyer.test"), document("se", *entries))
    assert entry == (None if found is None else entries[found])


# Reminders, expiry, cancelling ----------------------------------------------------------------------------


def test_reminders_on_day_one_three_and_then_every_three() -> None:
    at, days = first_reminder(NOW), []
    for reminded in range(1, 6):
        days.append((at - NOW).days)
        at = next_reminder(reminded, at)
    assert days == [1, 3, 6, 9, 12]


def test_a_due_reminder_is_one_action_and_moves_the_next() -> None:
    asked = request(remind_at=NOW)
    intents = decide(asked, document())
    assert acts(intents) == [ActionKind.RESEND_REQUEST]
    reminded = after(asked, intents)
    assert (reminded.reminded, reminded.remind_at) == (1, NOW + timedelta(days=2))
    assert acts(decide(reminded, document(), now=NOW)) == []


@pytest.mark.parametrize(
    ("changes", "found", "busy"),
    [
        ({"remind_at": NOW + timedelta(seconds=1)}, document(), ()),
        ({"remind_at": None}, document(), ()),
        ({}, document(), (ActionKind.RESEND_REQUEST,)),
        ({}, document("si", SIGNED), ()),
        ({}, document("co"), ()),
        ({"wanted": Wanted.CANCEL, "wanted_why": "staff"}, document(), (ActionKind.CANCEL_REQUEST,)),
    ],
)
def test_nobody_is_reminded(changes: dict[str, Any], found: ProviderDocument, busy: tuple[ActionKind, ...]) -> None:
    assert acts(decide(request(**{"remind_at": NOW, **changes}), found, *busy)) == []


STEP = PlannedStep(
    0, "outcome", 0, "release", 1, False, time(9), 0, NOW - timedelta(days=2), NOW - timedelta(days=1)
)  # fmt: skip
FORWARDED = replace(BO, forwarded=True, forwarded_to="right@buyer.test")


@pytest.mark.parametrize(
    ("found", "busy", "bounced", "taken"),
    [
        (document("se"), (), "", True),
        (document("se"), (ActionKind.RESEND_REQUEST,), "", True),
        (document("se"), (), "bo@buyer.test", False),
        # The part was passed on at the service, and our own row does not say so yet.
        (document("se", FORWARDED), (ActionKind.MEND_ADDRESS,), "", False),
        (document("de", DECLINED), (), "", False),
        (document("co"), (), "", False),
    ],
)
def test_steps_rest_while_somebody_cannot_be_reached(
    found: ProviderDocument, busy: tuple[ActionKind, ...], bounced: str, taken: bool
) -> None:
    asked = request(remind_at=NOW - timedelta(days=1), expires_at=NOW + timedelta(days=9))
    intents = decide(asked, found, *busy, bounced=bounced, escalation=Escalation(True, (STEP,)))
    assert any(isinstance(i, CancelRequest) for i in intents) is taken
    assert ActionKind.RESEND_REQUEST not in acts(intents)  # the usual reminders rest beside steps


def test_steps_are_over_with_the_expiry() -> None:
    asked = request(expires_at=NOW)
    intents = decide(asked, document("se"), escalation=Escalation(True, (STEP,)))
    assert acts(intents) == [ActionKind.CANCEL_REQUEST]
    assert not any(isinstance(i, TakeStep) for i in intents)


def test_expiry_takes_the_request_back_and_ends_it_only_then() -> None:
    asked = request(expires_at=NOW)
    intents = decide(asked, document())
    assert moves(intents) == []
    assert [i for i in intents if isinstance(i, Act)] == [Act(ActionKind.CANCEL_REQUEST, 50, EXPIRED)]
    assert acts(decide(asked, document(), ActionKind.CANCEL_REQUEST, payload=EXPIRED)) == []
    assert moves(decide(asked, document("ca"), ActionKind.CANCEL_REQUEST, payload=EXPIRED)) == [RequestEvent.EXPIRED]


def test_what_comes_before_the_expiry_is_carried_out_wins() -> None:
    asked, busy = request(expires_at=NOW), ActionKind.CANCEL_REQUEST
    assert moves(decide(asked, document("si", SIGNED), busy, payload=EXPIRED)) == [RequestEvent.ALL_SIGNED]
    assert moves(decide(asked, document("ca"))) == [RequestEvent.CANCELLED]
    by_staff = request(expires_at=NOW, wanted=Wanted.CANCEL, wanted_why="staff")
    assert moves(decide(by_staff, document("ca"), busy, payload=EXPIRED)) == [RequestEvent.CANCELLED]


def test_a_signature_of_the_last_second_counts() -> None:
    intents = decide(request(expires_at=NOW - timedelta(days=1)), document("si", SIGNED))
    assert moves(intents) == [RequestEvent.ALL_SIGNED]
    assert acts(intents) == []


def test_a_cancel_that_was_lost_is_asked_again() -> None:
    asked = request(wanted=Wanted.CANCEL, wanted_why="staff")
    assert acts(decide(asked, document())) == [ActionKind.CANCEL_REQUEST]
    assert acts(decide(asked, document(), ActionKind.CANCEL_REQUEST)) == []
    assert moves(decide(asked, document("ca"))) == [RequestEvent.CANCELLED]


def test_a_cancel_that_is_read_before_its_action_ended_keeps_our_reason() -> None:
    let_go = decide(request(wanted=Wanted.CANCEL, wanted_why="released"), document("ca"))
    assert [i.why for i in let_go if isinstance(i, MoveRequest)] == [NO_ANSWER]
    somebody_else = decide(request(), document("ca"))
    assert [i.why for i in somebody_else if isinstance(i, MoveRequest)] == ["Cancelled at the signature service."]


# Properties -----------------------------------------------------------------------------------------------

ENTRIES = st.builds(
    lambda who, viewed, signed, declined, bounced: replace(
        who,
        viewed=viewed,
        signed=signed,
        signed_at=NOW if signed else None,
        declined=declined and not signed,
        declined_at=NOW if declined and not signed else None,
        bounced=bounced,
    ),
    st.sampled_from([BO, AL]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
DOCUMENTS = st.builds(
    lambda status, entries, processing: document(status, *entries, processing=processing),
    st.sampled_from([*EVENTS, "zz"]),
    st.lists(ENTRIES, min_size=1, max_size=3),
    st.booleans(),
)
REQUESTS = st.builds(
    lambda status, wanted, remind, expires: request(
        status=status, wanted=wanted, remind_at=remind, expires_at=expires, signers=TWO
    ),
    st.sampled_from(list(RequestStatus)),
    st.sampled_from(list(Wanted)),
    st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
)


@given(REQUESTS, st.lists(DOCUMENTS, min_size=1, max_size=6))
def test_reads_in_any_order_never_break_the_table(asked: SignatureRequest, reads: list[ProviderDocument]) -> None:
    for found in reads:
        was_end = asked.status.is_end
        intents = decide(asked, found)
        assert not (was_end and intents)
        asked = after(asked, intents)  # advance_request raises when a move is illegal


@given(REQUESTS, DOCUMENTS)
def test_the_same_read_twice_changes_nothing_more(asked: SignatureRequest, found: ProviderDocument) -> None:
    first = decide(asked, found)
    assert decide(asked, found) == first
    once = after(asked, first)
    second = decide(once, found, *acts(first))
    assert moves(second) == []
    assert acts(second) == []
    assert after(once, second) == once
