"""The life of a case: a return, an exception to the refund policy, or a cancellation, from the form to its end.

BigCommerce has no returns API, so our case is the record. Closed means settled: that the store accepted a refund is not
its end, the payment side may still decline it.
"""

from __future__ import annotations

from enum import StrEnum

from bcapp.errors import IllegalTransition


class CaseKind(StrEnum):
    RETURN = "return"
    EXCEPTION = "exception"
    CANCELLATION = "cancellation"


class CaseState(StrEnum):
    DRAFT = "draft"  # its lines are being chosen
    NEW = "new"  # waits for the store's own calculation
    OPEN = "open"  # waits to be signed
    APPROVED = "approved"  # signed, or let go by a manager: the money is about to move
    SETTLING = "settling"  # the store accepted it, the payment side is not done
    BY_HAND = "by_hand"  # the payment method cannot be refunded online: somebody pays by hand
    STUCK = "stuck"  # a person decides: unclear, declined, over what was signed
    CLOSED = "closed"  # settled
    REFUSED = "refused"  # nothing is refunded
    WITHDRAWN = "withdrawn"  # taken back by staff

    @property
    def is_end(self) -> bool:
        return self in (CaseState.CLOSED, CaseState.REFUSED, CaseState.WITHDRAWN)

    @property
    def reserves(self) -> bool:
        """Whether what the case may still cost is reserved against its order."""
        return self in (CaseState.OPEN, CaseState.APPROVED, CaseState.STUCK)

    @property
    def is_approved(self) -> bool:
        """Whether money may have moved for it with somebody's signature."""
        return self in (
            CaseState.APPROVED, CaseState.SETTLING, CaseState.BY_HAND, CaseState.STUCK, CaseState.CLOSED
        )  # fmt: skip


class CaseEvent(StrEnum):
    SUBMITTED = "submitted"
    QUOTED = "quoted"
    IMPOSSIBLE = "impossible"  # the store or another case leaves nothing to refund
    APPROVED = "approved"
    AGAIN = "again"  # a person has it tried again
    ACCEPTED = "accepted"
    OFFLINE = "offline"
    SETTLED = "settled"
    PERSON = "person"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_S, _E = CaseState, CaseEvent

# (state now, what happened) -> state next. A pair that is absent is illegal; ends take their own event again.
TRANSITIONS: dict[tuple[CaseState, CaseEvent], CaseState] = {
    (_S.DRAFT, _E.SUBMITTED): _S.NEW,
    (_S.NEW, _E.SUBMITTED): _S.NEW,
    **{(s, _E.QUOTED): _S.OPEN for s in (_S.NEW, _S.OPEN, _S.STUCK)},
    **{(s, _E.IMPOSSIBLE): _S.REFUSED for s in (_S.DRAFT, _S.NEW, _S.OPEN, _S.REFUSED)},
    **{(s, _E.APPROVED): _S.APPROVED for s in (_S.OPEN, _S.APPROVED)},
    **{(s, _E.AGAIN): _S.APPROVED for s in (_S.STUCK, _S.APPROVED)},
    **{(s, _E.ACCEPTED): _S.SETTLING for s in (_S.APPROVED, _S.SETTLING, _S.STUCK)},
    **{(s, _E.OFFLINE): _S.BY_HAND for s in (_S.APPROVED, _S.SETTLING, _S.BY_HAND, _S.STUCK)},
    **{
        (s, _E.SETTLED): _S.CLOSED
        for s in (_S.OPEN, _S.APPROVED, _S.SETTLING, _S.BY_HAND, _S.STUCK, _S.CLOSED)
    },
    **{(s, _E.PERSON): _S.STUCK for s in (_S.APPROVED, _S.SETTLING, _S.BY_HAND, _S.STUCK)},
    **{(s, _E.REFUSED): _S.REFUSED for s in (_S.OPEN, _S.STUCK, _S.REFUSED)},
    **{(s, _E.WITHDRAWN): _S.WITHDRAWN for s in (_S.DRAFT, _S.NEW, _S.OPEN, _S.WITHDRAWN)},
}  # fmt: skip


def advance_case(state: CaseState, event: CaseEvent) -> CaseState:
    """Return the state that follows, or raise IllegalTransition."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a case that is {state} cannot take {event}") from None


# How people say it ------------------------------------------------------------------------------------------

KIND_LABELS: dict[str, str] = {
    CaseKind.RETURN: "Return",
    CaseKind.EXCEPTION: "Refund exception",
    CaseKind.CANCELLATION: "Cancellation",
}

STATE_LABELS: dict[str, str] = {
    CaseState.DRAFT: "Being written",
    CaseState.NEW: "Being calculated",
    CaseState.OPEN: "Waits for approval",
    CaseState.APPROVED: "Approved",
    CaseState.SETTLING: "Refund on its way",
    CaseState.BY_HAND: "To be paid by hand",
    CaseState.STUCK: "Needs a decision",
    CaseState.CLOSED: "Settled",
    CaseState.REFUSED: "Refused",
    CaseState.WITHDRAWN: "Withdrawn",
}

REASONS: dict[str, str] = {
    "damaged": "Arrived damaged",
    "defective": "Defective",
    "wrong_item": "Wrong item sent",
    "not_as_described": "Not as described",
    "late": "Arrived late or not at all",
    "changed_mind": "Changed their mind",
    "price": "Wrong price charged",
    "duplicate": "Ordered or charged twice",
    "goodwill": "Goodwill",
    "declined_order": "Declined order, payment taken",
    "other": "Something else",
}

TENDERS: dict[str, str] = {"original": "The way it was paid", "store_credit": "Store credit"}
MOST_FILES = 10  # photos and PDFs of one case
ORIGINS: dict[str, str] = {"staff": "Staff", "shopper": "The customer", "api": "Another system", "app": "This app"}
