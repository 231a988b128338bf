"""What a signer's page says: one state out of everything known of the request and of this signer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bcapp.core.escalation import awaited
from bcapp.core.model import SignatureRequest, Signer
from bcapp.core.states import RequestStatus, SignerRole, SignerState, Wanted


class PageState(StrEnum):
    """Each has its words in core/signer_words.py: a title under this name, a text under {name}_text."""

    PREPARING = "preparing"
    YOUR_TURN = "your_turn"
    LATER = "later"
    UNREACHABLE = "unreachable"
    ARRIVED = "arrived"  # the signer comes back from the service, and what was decided is not read yet
    WAITING = "waiting"
    DONE = "done"
    CHECKING = "checking"
    YOU_DECLINED = "you_declined"
    DECLINED = "declined"
    EXPIRED = "expired"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"
    FORWARDED = "forwarded"
    COPY = "copy"


UNSIGNED = frozenset({PageState.YOU_DECLINED, PageState.DECLINED, PageState.EXPIRED})

# Tone and picture of each: never colour alone.
LOOKS: dict[PageState, tuple[str, str]] = {
    PageState.PREPARING: ("info", "draft"),
    PageState.YOUR_TURN: ("info", "edit"),
    PageState.LATER: ("info", "notifications"),
    PageState.UNREACHABLE: ("warning", "warning"),
    PageState.ARRIVED: ("info", "refresh"),
    PageState.WAITING: ("success", "check_circle"),
    PageState.DONE: ("success", "check_circle"),
    PageState.CHECKING: ("warning", "visibility"),
    PageState.YOU_DECLINED: ("warning", "remove_circle_outline"),
    PageState.DECLINED: ("warning", "remove_circle_outline"),
    PageState.EXPIRED: ("warning", "warning"),
    PageState.REPLACED: ("info", "swap_horiz"),
    PageState.WITHDRAWN: ("info", "info"),
    PageState.FAILED: ("warning", "warning"),
    PageState.FORWARDED: ("info", "swap_horiz"),
    PageState.COPY: ("info", "info"),
}


@dataclass(frozen=True)
class Doable:
    """What this signer may do on the page."""

    resend: bool
    ask: bool


def state_of(
    request: SignatureRequest, signer: Signer, *, has_later: bool = False, comes_back: bool = False
) -> PageState:
    """Return what the page says to this signer.

    has_later: a newer round of the same was made. comes_back: the service sent the signer here after an answer; it
    changes only what is said while that answer is not read yet.
    """
    if request.status is RequestStatus.COMPLETED:
        return PageState.CHECKING if request.checked == "conflict" else PageState.DONE
    if has_later or (request.wanted is Wanted.CANCEL and request.wanted_why == "superseded"):
        return PageState.REPLACED
    if request.wanted is Wanted.CANCEL or request.status is RequestStatus.CANCELLED:
        return PageState.WITHDRAWN
    match request.status:
        case RequestStatus.DECLINED:
            return PageState.YOU_DECLINED if signer.state is SignerState.DECLINED else PageState.DECLINED
        case RequestStatus.EXPIRED:
            return PageState.EXPIRED
        case RequestStatus.FAILED:
            return PageState.FAILED
        case RequestStatus.DRAFT | RequestStatus.QUEUED:
            return PageState.PREPARING
    return _state_of_signer(request, signer, comes_back=comes_back)


def _state_of_signer(request: SignatureRequest, signer: Signer, *, comes_back: bool) -> PageState:
    if signer.role is SignerRole.COPY:
        return PageState.COPY
    match signer.state:
        case SignerState.SIGNED:
            return PageState.WAITING
        case SignerState.DECLINED:
            return PageState.YOU_DECLINED
        case SignerState.FORWARDED:
            return PageState.FORWARDED
        case SignerState.BOUNCED:
            return PageState.UNREACHABLE
    if comes_back:
        return PageState.ARRIVED
    return PageState.YOUR_TURN if signer in awaited(request) else PageState.LATER


def doable(state: PageState) -> Doable:
    """Return what a signer may do in this state. Signing is not among it: only the service's own mail leads there."""
    over = (PageState.DONE, PageState.COPY, PageState.WITHDRAWN)
    return Doable(resend=state is PageState.YOUR_TURN, ask=state not in over)
