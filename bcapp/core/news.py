"""What other systems are told: the names of the events, and which change of ours is which. Docs: docs/api.md."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from bcapp.core.cases import CaseState
from bcapp.core.states import HoldState, RequestStatus

# Name -> what it says. The list is published; a name is never given another meaning.
NEWS: dict[str, str] = {
    "request.sent": "A request was sent to its signers.",
    "request.viewed": "A signer opened the document.",
    "request.partly_signed": "One of several signers has signed.",
    "request.completed": "Everybody signed, and it is the right person and the right text.",
    "request.conflict": "Everybody signed, but not what was asked; a person decides.",
    "request.declined": "A signer declined.",
    "request.expired": "Nobody signed in time.",
    "request.cancelled": "The request was taken back.",
    "request.failed": "The request could not be sent.",
    "request.question": "A signer asked something; reminders rest until it is answered.",
    "document.kept": "The signed PDF and the signing log are kept and can be fetched.",
    "registration.made": "What the warranty or maintenance of an order covers was registered.",
    "registration.ended": "A registration ended because of a refund or an edit of the order.",
    "case.opened": "A return, a refund exception or a cancellation was opened.",
    "case.waiting": "The store calculated the case, and it waits to be signed.",
    "case.approved": "The case is signed, or a manager let it go; its money is about to move.",
    "case.settling": "The store accepted the refund, and the payment side is not done.",
    "case.by_hand": "The payment method cannot be refunded online; somebody pays by hand.",
    "case.stuck": "A person decides how the case goes on.",
    "case.closed": "The money arrived, and the case is settled.",
    "case.refused": "The case was refused; nothing more is refunded.",
    "case.withdrawn": "The case was taken back.",
    "refund.unapproved": "An order was refunded without an approved case.",
    "supplier.added": "A supplier was added.",
    "supplier.changed": "What is known of a supplier was changed.",
    "supplier.invited": "A supplier was invited; the rules look at it from now on.",
    "supplier.signed": "A supplier’s agreement is signed, and counts from the day of signing.",
    "supplier.due": "The agreement of a supplier ends soon; its next term is asked for.",
    "supplier.papers": "Papers of a supplier were entered.",
    "supplier.deactivated": "A supplier was deactivated.",
    "supplier.activated": "A supplier is active again.",
    "hold.placed": "The record is held.",
    "hold.joined": "The record was held by somebody else already; that hold is never lifted by us.",
    "hold.released": "The hold is gone: the record went on.",
    "hold.kept": "Somebody declined or nobody answered: the record stays held until a person decides.",
    "hold.overridden": "A person let the record go without a signature.",
    "hold.bypassed": "Somebody moved the record out of its hold outside of the app.",
    "hold.refused": "It was too late to hold the record.",
}
TEST = "endpoint.test"  # sent by a button, whatever an endpoint listens to

# Kept here so that a status or state that a later release adds is told by nobody before it is published.
OF_STATUS: dict[RequestStatus, str] = {
    RequestStatus.SENT: "request.sent",
    RequestStatus.VIEWED: "request.viewed",
    RequestStatus.PARTLY_SIGNED: "request.partly_signed",
    RequestStatus.DECLINED: "request.declined",
    RequestStatus.EXPIRED: "request.expired",
    RequestStatus.CANCELLED: "request.cancelled",
    RequestStatus.FAILED: "request.failed",
}
OF_HOLD: dict[HoldState, str] = {
    HoldState.HELD: "hold.placed",
    HoldState.JOINED: "hold.joined",
    HoldState.RELEASED: "hold.released",
    HoldState.KEPT: "hold.kept",
    HoldState.OVERRIDDEN: "hold.overridden",
    HoldState.BYPASSED: "hold.bypassed",
    HoldState.REFUSED: "hold.refused",
}
# Lines of the audit log that are news: a workflow that has news of its own adds its line here and its name above.
OF_NOTE: dict[str, str] = {
    "evidence_kept": "document.kept",
    "warranty_registered": "registration.made",
    "paper_registered": "registration.made",
    "registration_ended": "registration.ended",
    "case_opened": "case.opened",
    "refund_unapproved": "refund.unapproved",
    "supplier_added": "supplier.added",
    "supplier_changed": "supplier.changed",
    "supplier_invited": "supplier.invited",
    "supplier_agreement_kept": "supplier.signed",
    "supplier_due": "supplier.due",
    "supplier_papers_changed": "supplier.papers",
    "supplier_deactivated": "supplier.deactivated",
    "supplier_activated": "supplier.activated",
}
# A case's new state -> its name; drafts and cases that are being calculated are nobody's news.
OF_CASE: dict[CaseState, str] = {
    CaseState.OPEN: "case.waiting",
    CaseState.APPROVED: "case.approved",
    CaseState.SETTLING: "case.settling",
    CaseState.BY_HAND: "case.by_hand",
    CaseState.STUCK: "case.stuck",
    CaseState.CLOSED: "case.closed",
    CaseState.REFUSED: "case.refused",
    CaseState.WITHDRAWN: "case.withdrawn",
}
OF_CHECK: dict[str, str] = {"right": "request.completed", "conflict": "request.conflict"}

# After each failed try, how long until the next; then it is given up. Source: Standard Webhooks, "Deliverability".
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
OFF_AFTER = timedelta(days=3)  # of nothing but failures
GONE = 410  # the endpoint says that it wants no more
SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32


def next_wait(tries: int) -> timedelta | None:
    """Return how long to wait after so many failed tries (1, 2, ...), None to give up."""
    return WAITS[tries - 1] if 0 < tries <= len(WAITS) else None


def goes_off(status: int | None, failing_since: datetime | None, now: datetime) -> bool:
    """Tell whether an endpoint that failed just now is switched off. failing_since: None for its first failure."""
    return status == GONE or (failing_since is not None and now - failing_since >= OFF_AFTER)


def show_secret(secret: bytes) -> str:
    """Return a signing secret as people copy it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature_headers(message_id: str, body: bytes, secrets: tuple[bytes, ...], now: datetime) -> Mapping[str, str]:
    """Return the three headers of Standard Webhooks; with several secrets each signs, so that one can be replaced.

    Source: Standard Webhooks specification, "Signature scheme" and "Webhook headers (sending metadata to consumers)".
    """
    at = str(int(now.timestamp()))
    signed = b".".join([message_id.encode(), at.encode(), body])
    marks = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }
