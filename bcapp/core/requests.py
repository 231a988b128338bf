"""What a fresh read from the signature service means for a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, Intent, MoveRequest, Note, Plan, UpdateRequest
from bcapp.core.model import OpenAction, SignatureRequest, Signer
from bcapp.core.provider import ProviderDocument, ProviderSigner, event_of
from bcapp.core.states import REQUEST_TRANSITIONS, RequestEvent, SignerState, Wanted

FIRST_REMINDER = timedelta(days=1)
SECOND_REMINDER = timedelta(days=2)  # day 3
NEXT_REMINDERS = timedelta(days=3)


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
) -> Plan:
    """Return what follows from the document as it stands at the service; None: it is not there any more.

    bounced: lower-case addresses that the service could not reach.
    """
    return Plan(tuple(_decide(request, document, bounced, open_actions, now)))


def _decide(
    request: SignatureRequest,
    document: ProviderDocument | None,
    bounced: frozenset[str],
    open_actions: Sequence[OpenAction],
    now: datetime,
) -> Iterator[Intent]:
    if not request.provider_document or request.status.is_end:
        return
    if document is None:
        yield MoveRequest(request.id, RequestEvent.CANCELLED, "The document was deleted at the signature service.")
        yield Note("document_gone", request.id)
        return
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
    target = REQUEST_TRANSITIONS.get((request.status, event))
    if target is None:
        # A read never goes back: an older state seen late changes nothing.
        yield Note("read_ignored", request.id, {"from": request.status, "event": event})
    elif target is not request.status:
        yield MoveRequest(request.id, event, _why(event, signers))
    if target is not None and target.is_end:
        return
    busy = {a.kind for a in open_actions if a.request_id == request.id}
    if request.wanted is Wanted.CANCEL and ActionKind.CANCEL_REQUEST not in busy:
        yield Act(ActionKind.CANCEL_REQUEST, request.id)
    elif request.wanted is Wanted.OPEN:
        if request.expires_at is not None and now >= request.expires_at:
            yield MoveRequest(request.id, RequestEvent.EXPIRED, "Nobody signed in time.")
            yield Act(ActionKind.CANCEL_REQUEST, request.id)  # the service counts in whole days and may be later
        elif (
            request.remind_at is not None
            and now >= request.remind_at
            and not has_bounced
            and ActionKind.RESEND_REQUEST not in busy
            and event in (RequestEvent.SENT, RequestEvent.VIEWED, RequestEvent.SOME_SIGNED)
        ):
            yield Act(ActionKind.RESEND_REQUEST, request.id)
            yield UpdateRequest(
                request.id, reminded=request.reminded + 1, remind_at=next_reminder(request.reminded + 1, now)
            )


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


def _why(event: RequestEvent, signers: Sequence[Signer]) -> str:
    if event is RequestEvent.DECLINED:
        reason = next((s.reason for s in signers if s.state is SignerState.DECLINED and s.reason), "")
        return f"Declined: {reason}" if reason else "Declined."
    return {
        RequestEvent.EXPIRED: "Nobody signed in time.",
        RequestEvent.CANCELLED: "Cancelled at the signature service.",
        RequestEvent.FAILED: "The signature service could not convert or send the document.",
    }.get(event, "")
