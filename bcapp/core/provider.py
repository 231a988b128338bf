"""What the signature service says of a document, in our shapes; its letters stand only here and in the adapter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bcapp.core.states import RequestEvent


@dataclass(frozen=True)
class ProviderInput:
    """What a signer typed or placed. type: s signature, i initials, d date, n name, t text, c checkbox.

    external_id is "" and placeholder is "" when the signer put it where no field was placed.
    """

    type: str
    external_id: str
    placeholder: str
    page: int
    value: str


@dataclass(frozen=True)
class ProviderSigner:
    email: str  # lower case
    order: int
    needs_to_sign: bool
    emailed: bool
    email_viewed: bool
    viewed: bool
    signed: bool
    signed_at: datetime | None
    declined: bool
    declined_at: datetime | None
    forwarded: bool
    forwarded_to: str
    message: str  # the reason typed on decline
    bounced: bool
    inputs: tuple[ProviderInput, ...]


@dataclass(frozen=True)
class ProviderDocument:
    """status: the service's own code (co ne se vi si do sd ca de xp ec es), kept as text because new ones may come."""

    uuid: str
    url: str
    external_id: str
    name: str
    status: str
    processing: bool
    sandbox: bool
    request_uuid: str  # "": no request was made for it yet
    signers: tuple[ProviderSigner, ...]
    pdf_url: str
    pdf_sha256: str  # hex, "" unless the service gave it
    log_url: str
    log_sha256: str
    template: str = ""  # uuid of the template that it was made from, "" for none


EVENTS: dict[str, RequestEvent] = {
    "co": RequestEvent.DOCUMENT_MADE,
    "ne": RequestEvent.DOCUMENT_MADE,
    "se": RequestEvent.SENT,
    "vi": RequestEvent.VIEWED,
    "do": RequestEvent.VIEWED,
    "si": RequestEvent.ALL_SIGNED,
    "sd": RequestEvent.ALL_SIGNED,
    "ca": RequestEvent.CANCELLED,
    "de": RequestEvent.DECLINED,
    "xp": RequestEvent.EXPIRED,
    "ec": RequestEvent.FAILED,
    "es": RequestEvent.FAILED,
}


def event_of(document: ProviderDocument) -> RequestEvent | None:
    """Return what a read document tells of its request, or None when the code is unknown to us.

    Some but not all signed is told by the signers, the service has no letter for it.
    """
    event = EVENTS.get(document.status)
    if event in (RequestEvent.SENT, RequestEvent.VIEWED):
        must = [s for s in document.signers if s.needs_to_sign]
        if any(s.signed for s in must):
            return RequestEvent.SOME_SIGNED
        if any(s.viewed for s in must):
            return RequestEvent.VIEWED
    return event
