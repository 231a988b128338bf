"""Four facts kept apart: what we want, what the provider says, how the hold stands, whether each action ran.

Every pair (state now, what happened) that is absent is illegal. Ends take their own event again, because an
event may be delivered twice. Source: design of the states, section "Four facts kept apart".
"""

from __future__ import annotations

from enum import StrEnum

from bcapp.errors import IllegalTransition


class Wanted(StrEnum):
    OPEN = "open"
    CANCEL = "cancel"


class Purpose(StrEnum):
    INTERNAL = "internal"
    CUSTOMER = "customer"


class RequestStatus(StrEnum):
    DRAFT = "draft"
    QUEUED = "queued"
    SENT = "sent"
    VIEWED = "viewed"
    PARTLY_SIGNED = "partly_signed"
    COMPLETED = "completed"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        return self in ENDS


ENDS = frozenset(
    {
        RequestStatus.COMPLETED,
        RequestStatus.DECLINED,
        RequestStatus.EXPIRED,
        RequestStatus.CANCELLED,
        RequestStatus.FAILED,
    }
)


class RequestEvent(StrEnum):
    """What a read from the provider, or our own send, told us of a request."""

    DOCUMENT_MADE = "document_made"  # the provider holds the document, nothing was sent
    SENT = "sent"
    VIEWED = "viewed"
    SOME_SIGNED = "some_signed"
    ALL_SIGNED = "all_signed"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


_S, _E = RequestStatus, RequestEvent

# (status now, what happened) -> status next. A read may skip steps (callbacks are lost), never go back.
REQUEST_TRANSITIONS: dict[tuple[RequestStatus, RequestEvent], RequestStatus] = {
    (_S.DRAFT, _E.DOCUMENT_MADE): _S.QUEUED,
    (_S.QUEUED, _E.DOCUMENT_MADE): _S.QUEUED,
    **{(s, _E.SENT): _S.SENT for s in (_S.DRAFT, _S.QUEUED, _S.SENT)},
    (_S.VIEWED, _E.SENT): _S.VIEWED,
    (_S.PARTLY_SIGNED, _E.SENT): _S.PARTLY_SIGNED,
    **{(s, _E.VIEWED): _S.VIEWED for s in (_S.DRAFT, _S.QUEUED, _S.SENT, _S.VIEWED)},
    (_S.PARTLY_SIGNED, _E.VIEWED): _S.PARTLY_SIGNED,
    **{(s, _E.SOME_SIGNED): _S.PARTLY_SIGNED for s in (_S.DRAFT, _S.QUEUED, _S.SENT, _S.VIEWED, _S.PARTLY_SIGNED)},
    **{
        (s, event): end
        for s in (_S.DRAFT, _S.QUEUED, _S.SENT, _S.VIEWED, _S.PARTLY_SIGNED)
        for event, end in (
            (_E.ALL_SIGNED, _S.COMPLETED),
            (_E.DECLINED, _S.DECLINED),
            (_E.EXPIRED, _S.EXPIRED),
            (_E.CANCELLED, _S.CANCELLED),
            (_E.FAILED, _S.FAILED),
        )
    },
    (_S.COMPLETED, _E.ALL_SIGNED): _S.COMPLETED,
    (_S.DECLINED, _E.DECLINED): _S.DECLINED,
    (_S.EXPIRED, _E.EXPIRED): _S.EXPIRED,
    (_S.CANCELLED, _E.CANCELLED): _S.CANCELLED,
    (_S.FAILED, _E.FAILED): _S.FAILED,
}


class SignerRole(StrEnum):
    SIGN = "sign"
    APPROVE = "approve"
    COPY = "copy"


class SignerState(StrEnum):
    WAITING = "waiting"
    EMAILED = "emailed"
    OPENED = "opened"
    VIEWED = "viewed"
    SIGNED = "signed"
    DECLINED = "declined"
    FORWARDED = "forwarded"
    BOUNCED = "bounced"


class HoldState(StrEnum):
    NONE = "none"
    HOLDING = "holding"
    HELD = "held"
    RELEASING = "releasing"
    RELEASED = "released"
    JOINED = "joined"  # it was already held by someone else: never lifted by us
    REFUSED = "refused"  # too late: shipped, gone, digital
    OVERRIDDEN = "overridden"
    BYPASSED = "bypassed"  # someone let it go
    KEPT = "kept"  # declined or expired; a person decides


class HoldEvent(StrEnum):
    WANTED = "wanted"  # a rule asks for the hold
    PLACED = "placed"
    FOUND_HELD = "found_held"
    TOO_LATE = "too_late"
    ALL_GOOD = "all_good"  # every blocking request is completed or covered
    OPENED = "opened"  # the release was written, or there was nothing left to write
    LEFT_AS_IS = "left_as_is"  # the record ended by itself
    LET_GO = "let_go"  # someone outside moved it out of the hold
    OVERRIDE = "override"
    NOT_SIGNED = "not_signed"  # declined or expired
    REVIEW = "review"  # signed, but its payment is held for review: a person finishes that first
    ASKED_AGAIN = "asked_again"  # a new round keeps the same hold shut


_H, _V = HoldState, HoldEvent

HOLD_TRANSITIONS: dict[tuple[HoldState, HoldEvent], HoldState] = {
    # A hold is asked for anew after an edit, a new round, a payment that moved it, or a bypass.
    **{
        (s, _V.WANTED): _H.HOLDING
        for s in (_H.NONE, _H.HOLDING, _H.HELD, _H.RELEASING, _H.RELEASED, _H.BYPASSED, _H.KEPT, _H.OVERRIDDEN)
    },
    (_H.REFUSED, _V.WANTED): _H.REFUSED,
    (_H.JOINED, _V.WANTED): _H.HOLDING,  # the other one let it go while ours is still unsigned
    (_H.HOLDING, _V.PLACED): _H.HELD,
    (_H.HELD, _V.PLACED): _H.HELD,
    (_H.KEPT, _V.PLACED): _H.KEPT,
    (_H.HOLDING, _V.FOUND_HELD): _H.JOINED,
    (_H.JOINED, _V.FOUND_HELD): _H.JOINED,
    **{(s, _V.TOO_LATE): _H.REFUSED for s in (_H.NONE, _H.HOLDING, _H.REFUSED)},
    **{(s, _V.ALL_GOOD): _H.RELEASING for s in (_H.HOLDING, _H.HELD, _H.KEPT, _H.RELEASING)},
    (_H.JOINED, _V.ALL_GOOD): _H.JOINED,
    **{(s, _V.OPENED): _H.RELEASED for s in (_H.RELEASING, _H.RELEASED)},
    (_H.OVERRIDDEN, _V.OPENED): _H.OVERRIDDEN,
    **{
        (s, _V.LEFT_AS_IS): _H.RELEASED
        for s in (_H.NONE, _H.HOLDING, _H.HELD, _H.RELEASING, _H.RELEASED, _H.KEPT, _H.BYPASSED, _H.JOINED)
    },
    (_H.OVERRIDDEN, _V.LEFT_AS_IS): _H.OVERRIDDEN,
    (_H.REFUSED, _V.LEFT_AS_IS): _H.REFUSED,
    **{(s, _V.LET_GO): _H.BYPASSED for s in (_H.HOLDING, _H.HELD, _H.KEPT, _H.BYPASSED)},
    **{
        (s, _V.OVERRIDE): _H.OVERRIDDEN
        for s in (_H.NONE, _H.HOLDING, _H.HELD, _H.KEPT, _H.RELEASING, _H.JOINED, _H.OVERRIDDEN)
    },
    **{(s, _V.NOT_SIGNED): _H.KEPT for s in (_H.HOLDING, _H.HELD, _H.KEPT)},
    (_H.JOINED, _V.NOT_SIGNED): _H.JOINED,
    (_H.KEPT, _V.ASKED_AGAIN): _H.HELD,
    (_H.RELEASING, _V.REVIEW): _H.HELD,
    (_H.OVERRIDDEN, _V.REVIEW): _H.OVERRIDDEN,
    **{(s, _V.ASKED_AGAIN): s for s in (_H.HOLDING, _H.HELD, _H.JOINED)},
}


class ActionState(StrEnum):
    PENDING = "pending"
    STARTED = "started"
    APPLIED = "applied"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        return self not in (ActionState.PENDING, ActionState.STARTED)


def advance_request(status: RequestStatus, event: RequestEvent) -> RequestStatus:
    """Return the status that follows, or raise IllegalTransition."""
    try:
        return REQUEST_TRANSITIONS[status, event]
    except KeyError:
        raise IllegalTransition(f"a request that is {status} cannot take {event}") from None


def advance_hold(state: HoldState, event: HoldEvent) -> HoldState:
    """Return the hold state that follows, or raise IllegalTransition."""
    try:
        return HOLD_TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a hold that is {state} cannot take {event}") from None
