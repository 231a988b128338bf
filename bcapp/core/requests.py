"""What a fresh read from the signature service means for a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.escalation import NO_ANSWER, NO_STEPS, Escalation, take_steps
from bcapp.core.intents import (
    Act,
    AskPerson,
    Intent,
    MissDocument,
    MoveRequest,
    Note,
    Plan,
    SettleTasks,
    UpdateRequest,
)
from bcapp.core.model import OpenAction, SignatureRequest, Signer
from bcapp.core.provider import ProviderDocument, ProviderSigner, event_of
from bcapp.core.states import REQUEST_TRANSITIONS, RequestEvent, SignerState, Wanted

FIRST_REMINDER = timedelta(days=1)
SECOND_REMINDER = timedelta(days=2)  # day 3
NEXT_REMINDERS = timedelta(days=3)

# A service that answers 404 may not have caught up yet, or is not the one that was asked. When it is asked again:
MISSED_READS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=60))
GONE_READS = 3  # so often, over so long:
GONE_AFTER = timedelta(hours=1)
TOLD_READS = 2  # the service said itself that the document was deleted: one more read confirms it
TOLD_AFTER = timedelta(minutes=1)

EXPIRED = {"why": "expired"}  # what a CANCEL_REQUEST carries that our own expiry asked for


@dataclass(frozen=True)
class Missing:
    """What is remembered of a document that the service did not know. since: None while it was always found.

    reads: how many found nothing. told: the service said that it was deleted. same_account: the account still is the
    one that the document was made with.
    """

    since: datetime | None = None
    reads: int = 0
    told: bool = False
    same_account: bool = True


def first_reminder(sent_at: datetime) -> datetime:
    return sent_at + FIRST_REMINDER


def next_reminder(reminded: int, now: datetime) -> datetime:
    """Return when to remind again: days 1 and 3, then every three days."""
    return now + (SECOND_REMINDER if reminded <= 1 else NEXT_REMINDERS)


def decide_request(
    request: SignatureRequest,
    document: ProviderDocument | None,
    *,
    bounced: frozenset[str],
    open_actions: Sequence[OpenAction],
    now: datetime,
    missing: Missing = Missing(),
    escalation: Escalation = NO_STEPS,
    resting: bool = False,
) -> Plan:
    """Return what follows from the document as it stands at the service; None: the service does not know it.

    bounced: lower-case addresses that the service could not reach. missing: how earlier reads missed it. escalation:
    the steps of the request that may be due; they rest while an address is out of reach. resting: a signer asked
    something and waits for the answer, so nobody is reminded.
    """
    if not request.provider_document or request.status.is_end:
        return Plan()
    if document is None:
        return Plan(tuple(_missed(request, missing, now)))
    found: tuple[Intent, ...] = ()
    if missing.since is not None:
        found = (MissDocument(request.id), SettleTasks(("account_changed",), request.id))
    return Plan((*found, *_decide(request, document, bounced, open_actions, now, escalation, resting)))


def _missed(request: SignatureRequest, missing: Missing, now: datetime) -> Iterator[Intent]:
    """One read finds nothing: it ends nothing. It is believed after an hour, and of the same account only."""
    since, reads = missing.since or now, missing.reads + 1
    long, often = (TOLD_AFTER, TOLD_READS) if missing.told else (GONE_AFTER, GONE_READS)
    if missing.same_account and now - since >= long and reads >= often:
        yield MissDocument(request.id)
        yield MoveRequest(request.id, RequestEvent.CANCELLED, "The document was deleted at the signature service.")
        yield Note("document_gone", request.id, {"reads": reads})
        return
    steps = (TOLD_AFTER, *MISSED_READS) if missing.told else MISSED_READS
    again = next((since + step for step in steps if since + step > now), None)
    if again is None:
        again = now + (MISSED_READS[0] if missing.same_account else MISSED_READS[-1])
    yield MissDocument(request.id, since, reads, missing.told, again)
    if not missing.since:
        yield Note("document_missed", request.id, {"same_account": missing.same_account})
    if not missing.same_account:
        yield AskPerson(
            "account_changed",
            "The signature account was changed; the request cannot be found there. Set the account back in Settings, "
            "or ask again.",
            request.id,
            alarm=True,
        )


def _decide(
    request: SignatureRequest,
    document: ProviderDocument,
    bounced: frozenset[str],
    open_actions: Sequence[OpenAction],
    now: datetime,
    escalation: Escalation,
    resting: bool,
) -> Iterator[Intent]:
    event = event_of(document)
    if event is None:
        # A code that the service added later: keep the last state and show the new code.
        yield UpdateRequest(request.id, provider_status=document.status)
        yield Note("unknown_provider_status", request.id, {"status": document.status})
        return
    signers = tuple(_signer(signer, document, bounced, now) for signer in request.signers)
    changed = tuple(new for new, old in zip(signers, request.signers, strict=True) if new != old)
    has_bounced = any(s.state is SignerState.BOUNCED for s in signers)
    inputs = _inputs(document)
    yield UpdateRequest(
        request.id,
        signers=changed or None,
        inputs=inputs if list(inputs) != list(request.inputs) else None,
        provider_status=document.status,
        provider_request=document.request_uuid or None,
        bounced=has_bounced if has_bounced != request.bounced else None,
    )
    if has_bounced and not request.bounced:
        yield AskPerson(
            "bounced",
            "An invitation came back from the address it was sent to. Open the request and mend the address.",
            request.id,
            alarm=True,
        )
    if document.processing and event is RequestEvent.ALL_SIGNED:
        return  # the signed PDF is still being made; the next read takes it
    if event is RequestEvent.CANCELLED and any(is_expiry(request, a.payload) for a in _cancels(request, open_actions)):
        event = RequestEvent.EXPIRED
    target = REQUEST_TRANSITIONS.get((request.status, event))
    if target is None:
        # A read never goes back: an older state seen late changes nothing.
        yield Note("read_ignored", request.id, {"from": request.status, "event": event})
    elif target is not request.status:
        ours = event is RequestEvent.CANCELLED and request.wanted is Wanted.CANCEL  # read before its action ended
        yield MoveRequest(request.id, event, why_cancelled(request) if ours else _why(event, signers))
    if target is not None and target.is_end:
        return
    busy = {a.kind for a in open_actions if a.request_id == request.id}
    if request.wanted is Wanted.CANCEL and ActionKind.CANCEL_REQUEST not in busy:
        yield Act(ActionKind.CANCEL_REQUEST, request.id)
    elif request.wanted is Wanted.OPEN:
        if request.expires_at is not None and now >= request.expires_at:
            if ActionKind.CANCEL_REQUEST not in busy:
                # The service counts in whole days and may be later. It is expired once it is taken back there: a
                # signature that comes before counts.
                yield Act(ActionKind.CANCEL_REQUEST, request.id, EXPIRED)
        elif has_bounced or resting or ActionKind.MEND_ADDRESS in busy:
            return  # somebody cannot be reached, waits for an answer, or is only just being asked at another address
        elif event not in (RequestEvent.SENT, RequestEvent.VIEWED, RequestEvent.SOME_SIGNED):
            return
        elif escalation.has_steps:
            is_resending = ActionKind.RESEND_REQUEST in busy
            yield from take_steps(replace(request, signers=signers), escalation, now, is_resending=is_resending)
        elif request.remind_at is not None and now >= request.remind_at and ActionKind.RESEND_REQUEST not in busy:
            yield Act(ActionKind.RESEND_REQUEST, request.id)
            yield UpdateRequest(
                request.id, reminded=request.reminded + 1, remind_at=next_reminder(request.reminded + 1, now)
            )


def _cancels(request: SignatureRequest, open_actions: Sequence[OpenAction]) -> list[OpenAction]:
    return [a for a in open_actions if a.kind == ActionKind.CANCEL_REQUEST and a.request_id == request.id]


def is_expiry(request: SignatureRequest, payload: Mapping[str, Any]) -> bool:
    """Return whether a cancel with this payload carries out our own expiry; a cancel by somebody since then wins."""
    return request.wanted is Wanted.OPEN and payload.get("why") == EXPIRED["why"]


def entry_for(signer: Signer, document: ProviderDocument) -> ProviderSigner | None:
    """Return the service's entry for our signer: by address and turn, else by address alone; never by place."""
    same = [s for s in document.signers if s.email == signer.email.lower() and s.needs_to_sign]
    return next((s for s in same if s.order == signer.turn), same[0] if same else None)


def _signer(signer: Signer, document: ProviderDocument, bounced: frozenset[str], now: datetime) -> Signer:
    entry = entry_for(signer, document)
    if entry is None:
        return signer
    state, at, reason, forwarded = signer.state, signer.state_at, signer.reason, signer.forwarded_to
    # Strongest first: what a person did outweighs what a mail server said.
    if entry.forwarded:
        state, reason, forwarded = SignerState.FORWARDED, entry.message, entry.forwarded_to
    elif entry.declined:
        state, at, reason = SignerState.DECLINED, entry.declined_at, entry.message
    elif entry.signed:
        state, at = SignerState.SIGNED, entry.signed_at
    elif entry.viewed:
        state = SignerState.VIEWED
    elif entry.bounced or signer.email.lower() in bounced:
        state = SignerState.BOUNCED
    elif entry.email_viewed:
        state = SignerState.OPENED
    elif entry.emailed and state is not SignerState.BOUNCED:
        # Only events tell of a bounce, and not every read asks for them: what is known stays until it was opened.
        state = SignerState.EMAILED
    if state is not signer.state and at is None:
        at = now
    return replace(signer, state=state, state_at=at, reason=reason, forwarded_to=forwarded)


def _inputs(document: ProviderDocument) -> tuple[dict[str, Any], ...]:
    """Return what signers typed into fields with an external id; pictures of signatures are not kept."""
    return tuple(
        {"id": i.external_id, "type": i.type, "value": i.value}
        for signer in document.signers
        for i in signer.inputs
        if i.external_id and i.type in ("t", "d", "c", "n")
    )


def why_cancelled(request: SignatureRequest) -> str:
    """Return why we took a request back."""
    return {
        "staff": request.status_why or "Cancelled by staff.",
        "record": "No longer needed.",
        "superseded": "Replaced by a newer round.",
        "released": NO_ANSWER,
    }.get(request.wanted_why, "Cancelled.")


def _why(event: RequestEvent, signers: Sequence[Signer]) -> str:
    if event is RequestEvent.DECLINED:
        declined = next((s for s in signers if s.state is SignerState.DECLINED), None)
        return (
            f"Signer {declined.position + 1} declined." if declined else "Declined."
        )  # the words stand with the signer
    return {
        RequestEvent.EXPIRED: "Nobody signed in time.",
        RequestEvent.CANCELLED: "Cancelled at the signature service.",
        RequestEvent.FAILED: "The signature service could not convert or send the document.",
    }.get(event, "")
