"""Documents that were signed at the signature service without us: whose they may be, and why we think so.

Nothing follows from a suggestion but a line on a record's page; a person says whether it is true. A signature account
may be shared with another store, so a document is suggested only where something of this store's own points at it, and
never when anything points at another store.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bcapp.core.kinds import KINDS
from bcapp.core.model import RecordKey
from bcapp.core.provider import ProviderDocument, event_of
from bcapp.core.states import RequestEvent

MOST = 5  # records that one document is suggested for
LOOKS_BACK = timedelta(days=90)  # a document that was signed longer ago is history, not work
PARTIES = frozenset({"customer", "company", "supplier"})

# {installation}:{store}:{request}:{round}:{nonce}: what our own documents carry.
OURS = re.compile(r"[0-9]+:([^:\s]+):[0-9]+:[0-9]+:[0-9a-f]{16,64}")
# {store}:{kind}:{number}: how another system says for which record it made a document.
NAMED = re.compile(r"([^:\s]+):([a-z][a-z_-]*):([0-9]{1,15})")


class Reason(StrEnum):
    """Why a document may belong to a record. In the order in which they are told, the strongest first."""

    EXTERNAL_ID = "external_id"
    SIGNER = "signer"
    TEMPLATE = "template"


@dataclass(frozen=True)
class Mark:
    """What an external id says. store: whose it is. record: None when it is one of our own documents' marks."""

    store: str
    record: RecordKey | None = None


@dataclass(frozen=True)
class Candidate:
    """A record of this store as documents are compared with it.

    addresses: lower case, of who signs there. templates: uuids that its requests were made from. waits: it is held, or
    a signature is open.
    """

    record: RecordKey
    created_at: datetime
    addresses: frozenset[str] = frozenset()
    templates: frozenset[str] = frozenset()
    waits: bool = False


@dataclass(frozen=True)
class Known:
    """What the store knows, for judging documents of one signature account.

    requests: external id of a request of ours -> its record. taken: uuids that are ours, linked already, or another
    store's. templates: uuids that agreements of this store are made from. shared: another store uses the account.
    foreign: addresses that those other stores know as well. staff: addresses of the store's own people, which say
    nothing about a record.
    """

    store_hash: str
    candidates: tuple[Candidate, ...] = ()
    requests: Mapping[str, RecordKey] = field(default_factory=dict)
    taken: Collection[str] = frozenset()
    templates: Collection[str] = frozenset()
    shared: bool = False
    foreign: Collection[str] = frozenset()
    staff: Collection[str] = frozenset()


@dataclass(frozen=True)
class Suggestion:
    record: RecordKey
    reasons: tuple[Reason, ...]


def read_mark(external_id: str) -> Mark | None:
    """Return what an external id names, None for one that is written in neither of the two ways."""
    text = external_id.strip()
    if found := OURS.fullmatch(text):
        return Mark(found[1])
    if found := NAMED.fullmatch(text):
        kind = found[2].replace("-", "_")
        if kind in KINDS:
            return Mark(found[1], RecordKey(kind, str(int(found[3]))))
    return None


def signed_by(document: ProviderDocument) -> frozenset[str]:
    """Return the addresses (lower case) that signed."""
    return frozenset(s.email for s in document.signers if s.signed and s.needs_to_sign)


def signed_at(document: ProviderDocument) -> datetime | None:
    """Return when the last of them signed, None when the service does not tell."""
    return max((s.signed_at for s in document.signers if s.signed and s.signed_at), default=None)


def may_be_suggested(document: ProviderDocument, store_hash: str, now: datetime) -> bool:
    """Return whether a document is worth comparing: signed by all, not too long ago, and not marked as another
    store's."""
    if event_of(document) is not RequestEvent.ALL_SIGNED:
        return False
    mark, at = read_mark(document.external_id), signed_at(document)
    return (mark is None or mark.store == store_hash) and (at is None or at >= now - LOOKS_BACK)


def suggest(document: ProviderDocument, known: Known, now: datetime) -> tuple[Suggestion, ...]:
    """Return the records that a document may belong to, the likeliest first, at most five.

    A mark of this store decides alone, and names nothing when its record is not known here. Else its signers decide; on
    a shared account only those whom no other store knows. A template alone points at a record only when exactly one
    waits for a document made from it, and when no other store uses the account.
    """
    if document.uuid in known.taken or not may_be_suggested(document, known.store_hash, now):
        return ()
    signers = signed_by(document) - frozenset(known.staff)
    mark = read_mark(document.external_id)
    if mark is not None:
        named = mark.record or known.requests.get(document.external_id.strip())
        found = next((c for c in known.candidates if c.record == named), None)
        return () if found is None else (_because(document, found, signers, known, Reason.EXTERNAL_ID),)
    if known.shared:
        signers -= frozenset(known.foreign)
    theirs = [c for c in known.candidates if signers & c.addresses]
    if theirs:
        at = signed_at(document) or now
        theirs.sort(key=lambda c: (not c.waits, c.record.kind not in PARTIES, abs(c.created_at - at), c.record.id))
        return tuple(_because(document, c, signers, known, Reason.SIGNER) for c in theirs[:MOST])
    waiting = [c for c in known.candidates if c.waits and document.template and document.template in c.templates]
    if len(waiting) == 1 and not known.shared:
        return (_because(document, waiting[0], signers, known, Reason.TEMPLATE),)
    return ()


def _because(
    document: ProviderDocument, found: Candidate, signers: frozenset[str], known: Known, first: Reason
) -> Suggestion:
    """first: what it was found by."""
    holds = {
        first: True,
        Reason.SIGNER: first is Reason.SIGNER or bool(signers & found.addresses),
        Reason.TEMPLATE: first is Reason.TEMPLATE
        or bool(document.template and document.template in {*found.templates, *known.templates}),
    }
    return Suggestion(found.record, tuple(r for r in Reason if holds.get(r)))
