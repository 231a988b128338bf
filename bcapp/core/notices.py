"""Whom of a request's signers we tell by mail, and of what. The service's own mails invite and remind; ours do not."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from bcapp.core.model import SignatureRequest, Signer
from bcapp.core.states import RequestStatus, SignerRole, SignerState

MOST_A_DAY = 5  # mails of ours to one address
DAY = timedelta(days=1)


class NoticeKind(StrEnum):
    DECLINED = "declined"  # somebody else did
    EXPIRED = "expired"
    REPLACED = "replaced"  # a newer document takes its place
    PASSED_ON = "passed_on"  # an approver did not answer in time, and somebody else was asked
    OVERRIDDEN = "overridden"  # the record went on without the signature
    CONFLICT = "conflict"  # what was signed is not what was asked
    ANSWER = "answer"  # staff answered a question
    PAPER_REFUSED = "paper_refused"  # a paper that they sent does not count
    PAPER_ENDS = "paper_ends"  # one that counts ends soon


def was_reached(signer: Signer) -> bool:
    """Tell whether the signer was asked at all: who waits for their turn knows of nothing, a copy asks for nothing."""
    return signer.role is not SignerRole.COPY and signer.state not in (SignerState.WAITING, SignerState.BOUNCED)


def concerned(kind: NoticeKind, request: SignatureRequest) -> tuple[Signer, ...]:
    """Return who is told, in the order of the document. Who did it themselves, or handed it on, is not."""
    reached = [s for s in request.signers if was_reached(s) and s.state is not SignerState.FORWARDED]
    match kind:
        case NoticeKind.DECLINED | NoticeKind.EXPIRED | NoticeKind.REPLACED:
            return tuple(s for s in reached if s.state is not SignerState.DECLINED)
        case NoticeKind.PASSED_ON | NoticeKind.OVERRIDDEN:
            return tuple(s for s in reached if s.state not in (SignerState.SIGNED, SignerState.DECLINED))
        case NoticeKind.PAPER_REFUSED | NoticeKind.PAPER_ENDS:
            return tuple(s for s in reached if s.state is not SignerState.DECLINED)
        case NoticeKind.CONFLICT:
            return tuple(s for s in reached if s.state is SignerState.SIGNED)
        case NoticeKind.ANSWER:
            return ()  # the one who asked


OF_END: dict[RequestStatus, NoticeKind] = {
    RequestStatus.DECLINED: NoticeKind.DECLINED,
    RequestStatus.EXPIRED: NoticeKind.EXPIRED,
}


def of_cancel(why: str) -> NoticeKind | None:
    """Return what a cancel is told as, None when the service's own mail says enough, or a newer round will.

    why: staff | record | superseded | released.
    """
    return NoticeKind.OVERRIDDEN if why == "released" else None


def of_newer_round(*, in_time: bool) -> NoticeKind:
    """Return what the signers of the round before are told. in_time: it is not that somebody else is asked because
    nobody answered."""
    return NoticeKind.REPLACED if in_time else NoticeKind.PASSED_ON
