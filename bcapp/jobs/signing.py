"""Doing things at the signature service: document, send, cancel, remind, check, evidence."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from bcapp.callbacks import callback_address, callback_digest, new_callback_token
from bcapp.core.actions import ActionKind
from bcapp.core.agreements import (
    FIELDS,
    freeze_template,
    merge_values,
    prefill_tags,
    template_drift,
)
from bcapp.core.check import check_completion
from bcapp.core.intents import Act, AskPerson, JudgeRequest, MoveRequest, Note, PauseRule, SettleTasks, UpdateRequest
from bcapp.core.merge import parse_profile
from bcapp.core.model import Gone, SignatureRequest, Signer
from bcapp.core.provider import ProviderDocument, event_of
from bcapp.core.requests import entry_for, is_expiry, why_cancelled
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import REQUEST_TRANSITIONS, Purpose, RequestEvent, RequestStatus, SignerRole, SignerState, Wanted
from bcapp.db import chunks
from bcapp.db.requests import open_actions
from bcapp.db.steps import count_again
from bcapp.documents.inspect import contains_pages
from bcapp.errors import AppError, RefusedByUs, RemoteError, SignatureError
from bcapp.jobs.documents import document_id, make_document, text_of
from bcapp.jobs.outcome import Outcome, Work, conflict, skipped
from bcapp.sign_links import DECLINED, SIGNED, make_link, sign_address
from bcapp.signature.client import AskedSigner, CoreSignature

MOST_BYTES = 25 << 20
PROCESSING_WAITS = 2.0
TRIES_FOR_LOG = 4
NOT_THERE = "the document is not at the signature service"
NOT_THERE_WAITS = 60.0  # a service that has not caught up yet has, by then


def _unwanted(request: SignatureRequest) -> str:
    """Return why a request must not go on, "" when it may."""
    if request.wanted is Wanted.CANCEL:
        return "The request was cancelled before it was sent."
    if request.status.is_end:
        return f"The request is {request.status}."
    return ""


# Making the document --------------------------------------------------------------------------------------


async def prepare_document(work: Work) -> Outcome:
    """Render the document of a request and keep its bytes, hash and callback token before anything is sent."""
    request = await work.request()
    if why := _unwanted(request):
        return skipped(why)
    if request.provider_document or request.document_sha256 is not None:
        go_on = await _then(work, request, ActionKind.CREATE_DOCUMENT)
        return Outcome(why="The document was kept already.", intents=go_on, look=False)
    facts = await work.read(days=90)
    if isinstance(facts, Gone) or fingerprint(work.record.snapshot(facts, request.projection)) != request.fingerprint:
        # The look that follows sees the same and asks anew.
        return skipped("The record was edited before the document was made.")
    try:
        made = await make_document(work, request, facts)
    except (RefusedByUs, SignatureError) as exc:
        if isinstance(exc, RemoteError) and not exc.permanent:
            raise
        return _cannot(request, str(exc))
    token, rendered = new_callback_token(work.store.hash), made.rendered
    s, db = work.services, work.services.db
    async with db.transaction():
        kept = await chunks.keep(db, await work.data_key(), work.store.hash, rendered.pdf) if rendered.pdf else None
        await db.execute(
            "keep_document",
            {
                "store_hash": work.store.hash,
                "id": request.id,
                "sha256": kept if kept is not None else b"",
                "fields": [asdict(field) for field in rendered.fields],
                "document_language": made.language,
                "binding_id": made.binding.id if made.binding else None,
                "callback_digest": callback_digest(token),
                "callback_token": s.secrets.encrypt(token.encode(), **_token_place(work, request)),
            },
        )
    go_on = await _then(work, request, ActionKind.CREATE_DOCUMENT)
    return Outcome(left_as={"sha256": rendered.sha256}, intents=go_on, look=False)


async def _then(work: Work, request: SignatureRequest, kind: ActionKind) -> tuple[Act, ...]:
    """Return the step that follows, unless it waits already: it ended without effect when this one had failed."""
    waiting = await open_actions(work.services.db, work.store.hash, work.action.record)
    is_there = any(a.kind == kind and a.request_id == request.id for a in waiting)
    return () if is_there else (Act(kind, request.id),)


def _cannot(request: SignatureRequest, why: str) -> Outcome:
    return conflict(
        why,
        MoveRequest(request.id, RequestEvent.FAILED, why),
        AskPerson("cannot_send", f"The request could not be sent. {why}", request.id, alarm=True),
    )


def _token_place(work: Work, request: SignatureRequest) -> dict[str, Any]:
    return {"table": "requests", "column": "callback_token", "store_hash": work.store.hash, "row": request.id}


async def create_document(work: Work) -> Outcome:
    """Hand the kept document over; one that an earlier try made is found by its external id and adopted."""
    request = await work.request()
    if why := _unwanted(request):
        return skipped(why)
    if request.provider_document:
        go_on = await _then(work, request, ActionKind.SEND_REQUEST)
        return Outcome(why="The service has the document already.", intents=go_on, look=False)
    if request.document_sha256 is None:
        return skipped("No document was kept for this request.")
    client = await work.vendors.signature(work.store.hash, request.account_id)
    document: ProviderDocument | None = None
    if work.retried:
        # The nonce in the external id is ours alone, so what carries it was made by an earlier try of this action.
        found = await client.find_documents(request.external_id)
        document = found[0] if found else None
    if document is None:
        sealed = await work.services.db.fetch_val("callback_token", {"store_hash": work.store.hash, "id": request.id})
        token = work.services.secrets.decrypt(bytes(sealed), **_token_place(work, request)).decode()
        callback = callback_address(work.services.settings.app_url, token)
        days = max(1, ((request.expires_at or work.services.clock.now()) - work.services.clock.now()).days + 1)
        shared: dict[str, Any] = {
            "name": f"{work.named}, {'approval' if request.purpose is Purpose.INTERNAL else 'agreement'}",
            "external_id": request.external_id,
            "callback_url": callback,
            "expire_days": days,
        }
        try:
            if request.document_sha256:
                content = await chunks.read(
                    work.services.db, await work.data_key(), work.store.hash, request.document_sha256
                )
                document = await client.create_document(content=content, **shared)
            else:
                template = await _template(work, request)
                if isinstance(template, Outcome):
                    return template
                url, prefill = template
                document = await client.create_document(template_url=url, prefill=prefill, **shared)
        except SignatureError as exc:
            if exc.permanent:
                return _cannot(request, str(exc))
            raise
    async with work.services.db.transaction():
        await work.services.db.execute(
            "adopt_document",
            {
                "store_hash": work.store.hash,
                "id": request.id,
                "uuid": document.uuid,
                "url": document.url,
                "account": client.account.place,
            },
        )
    return Outcome(
        left_as={"document": document.uuid},
        intents=(
            MoveRequest(request.id, RequestEvent.DOCUMENT_MADE),
            *await _then(work, request, ActionKind.SEND_REQUEST),
        ),
        look=False,
    )


async def _template(work: Work, request: SignatureRequest) -> tuple[str, list[dict[str, str]]] | Outcome:
    """Return the template's address and the values filled in; a template that drifted pauses the rule."""
    _, text = await text_of(work, request)
    frozen = text.template or {}
    client = await work.vendors.signature(work.store.hash, request.account_id)
    template = await client.fetch_template(frozen["uuid"])
    if template is None:
        return _drifted(request, "The template was deleted at the signature service.")
    drift = template_drift(frozen["placeholders"], freeze_template(template_as_read(template)))
    if drift:
        return _drifted(request, "The template was changed at the signature service: " + " ".join(drift))
    facts = await work.read()
    if isinstance(facts, Gone):
        return skipped("The record does not exist any more.")
    values = merge_values(
        facts,
        parse_profile(work.store.profile),
        request.signers,
        language=request.language,
        made_at=work.services.clock.now(),
        document_id=document_id(request),
        title=text.title,
        kind=work.record,
    )
    mapping = {k: v for k, v in (frozen.get("mapping") or {}).items() if v in FIELDS}
    return template.url, prefill_tags(mapping, values)


def _drifted(request: SignatureRequest, why: str) -> Outcome:
    pause = (PauseRule(request.rule_id, why),) if request.rule_id else ()
    text = f"{why} Open the agreement, check it and save it again."
    return conflict(
        why,
        *pause,
        MoveRequest(request.id, RequestEvent.FAILED, why),
        AskPerson("template_drift", text, request.id, alarm=True),
    )


def template_as_read(template: Any) -> dict[str, Any]:
    """Return a template in the shape that the core freezes."""
    return {
        "signers": [
            {
                "signer_index": role.index,
                "needs_to_sign": role.needs_to_sign,
                "approve_only": role.approve_only,
                "placeholders": [
                    {
                        "uuid": p.uuid,
                        "type": p.type,
                        "page_index": p.page,
                        "external_id": p.external_id,
                        "prefill": p.prefill,
                    }
                    for p in role.placeholders
                ],
            }
            for role in template.roles
        ]
    }


async def send_request(work: Work) -> Outcome:
    """Ask for the signatures. A document takes one request and no second: what it has is adopted, never repeated."""
    request = await work.request()
    if not request.provider_document:
        return skipped(_unwanted(request) or "The service has no document for this request.")
    if request.status.is_end:
        return skipped(f"The request is {request.status}.")
    client = await work.vendors.signature(work.store.hash, request.account_id)
    document = await client.fetch_document(request.provider_document)
    if document is None:
        raise SignatureError(NOT_THERE, status=404, retry_after=NOT_THERE_WAITS)
    if document.request_uuid:
        if wrong := _not_ours(request, document):
            return _cannot(request, wrong)
        return _sent(work, request, document.request_uuid, "It was sent already.")
    if request.wanted is Wanted.CANCEL:
        return skipped("The request was cancelled before it was sent.")
    event = event_of(document)
    if event is RequestEvent.FAILED:
        return _cannot(request, "The signature service could not convert the document.")
    signers = [await _asked(work, request, signer) for signer in request.signers]
    what = "Approval" if request.purpose is Purpose.INTERNAL else "Please sign"
    try:
        made = await client.send(
            document.url,
            signers,
            subject=f"{what}: {work.named.lower()} at {work.store.name}",
            message=_message(work),
            sender_name=work.store.name,
        )
    except SignatureError as exc:
        if exc.permanent:
            again = await client.fetch_document(request.provider_document)
            if again is not None and again.request_uuid:
                return _sent(work, request, again.request_uuid, "It was sent already.")
            return _cannot(request, str(exc))
        raise
    notes = (Note("flags_dropped", request.id, {"flags": list(made.dropped)}),) if made.dropped else ()
    outcome = _sent(work, request, made.uuid, "")
    return Outcome(outcome.state, outcome.why, outcome.left_as, (*outcome.intents, *notes), look=False)


async def _asked(work: Work, request: SignatureRequest, signer: Signer) -> AskedSigner:
    """Return a signer as the service is told, with their own page to come back to. Its digest is committed already."""
    token = await make_link(work.services.db, work.store.hash, request.id, signer.position, work.services.clock.now())
    page = sign_address(work.services.settings.app_url, token)
    return AskedSigner(
        signer.email,
        signer.name,
        signer.turn,
        signer.role,
        request.language,
        f"{page}?from={SIGNED}",
        f"{page}?from={DECLINED}",
    )


def _message(work: Work) -> str:
    email = work.store.settings.support_email
    asks = f"{work.store.name} asks you to read and sign the document for {work.named.lower()}."
    return f"{asks} Questions? Write to {email}." if email else asks


def _not_ours(request: SignatureRequest, document: ProviderDocument) -> str:
    """Return why a request found on our document is not the one that we wanted to send, "" when it is."""
    if document.external_id != request.external_id:
        return "The document at the signature service carries another mark."
    missing = [s.email for s in request.signers if s.role is not SignerRole.COPY and entry_for(s, document) is None]
    return "The request at the signature service has other signers." if missing else ""


def _sent(work: Work, request: SignatureRequest, uuid: str, why: str) -> Outcome:
    return Outcome(
        why=why,
        left_as={"request": uuid},
        intents=(UpdateRequest(request.id, provider_request=uuid), MoveRequest(request.id, RequestEvent.SENT))
        if (request.status, RequestEvent.SENT) in REQUEST_TRANSITIONS
        else (UpdateRequest(request.id, provider_request=uuid),),
        look=False,
    )


# Ending it ------------------------------------------------------------------------------------------------


async def cancel_request(work: Work) -> Outcome:
    """Take a request back; one that ended meanwhile keeps its end, which is read from the service."""
    request = await work.request()
    if request.status.is_end and request.status is not RequestStatus.FAILED:  # a failed one may have left a document
        return skipped(f"The request is {request.status}.")
    ours = RequestEvent.EXPIRED if is_expiry(request, work.action.payload) else RequestEvent.CANCELLED
    said = "Nobody signed in time." if ours is RequestEvent.EXPIRED else why_cancelled(request)
    can_end = (request.status, ours) in REQUEST_TRANSITIONS
    if not request.provider_document and not request.provider_request:
        if work.retried or request.document_sha256 is not None:
            # A create whose answer was lost left a document that nobody was asked about; it must not stay.
            client = await work.vendors.signature(work.store.hash, request.account_id)
            for found in await client.find_documents(request.external_id):
                await client.delete_document(found.uuid)
        return Outcome(intents=(MoveRequest(request.id, ours, said),) if can_end else ())
    client = await work.vendors.signature(work.store.hash, request.account_id)
    document = await client.fetch_document(request.provider_document)
    if document is None:
        return await _cancel_unseen(work, request, client, MoveRequest(request.id, ours, said) if can_end else None)
    if not document.request_uuid:
        await client.delete_document(document.uuid)
        return Outcome(intents=(MoveRequest(request.id, ours, said),) if can_end else ())
    event = event_of(document)
    if event is None or not _is_end(event):
        try:
            await client.cancel(document.request_uuid)
        except SignatureError as exc:
            if exc.status not in (400, 403, 409):
                raise
        document = await client.fetch_document(request.provider_document) or document
        event = event_of(document)
    if event is None or not _is_end(event):
        raise SignatureError("the request is still open after it was cancelled")
    if event is RequestEvent.CANCELLED:
        event = ours
    why = said if event is ours else "It ended at the signature service before it could be cancelled."
    intents = (MoveRequest(request.id, event, why),) if (request.status, event) in REQUEST_TRANSITIONS else ()
    return Outcome(left_as={"provider": document.status}, intents=intents)


async def _cancel_unseen(
    work: Work, request: SignatureRequest, client: CoreSignature, end: MoveRequest | None
) -> Outcome:
    """The service does not know the document: believed at the second read, and of the account that made it only."""
    missed = await work.services.db.fetch_one("missing_document", {"store_hash": work.store.hash, "id": request.id})
    if missed is not None and missed["provider_account"] != client.account.place:
        text = (
            "The signature account was changed; the request cannot be found there and may still be open. Set the "
            "account back in Settings, then cancel it again."
        )
        why = "The signature account was changed; the request cannot be found there."
        return conflict(why, AskPerson("account_changed", text, request.id, alarm=True))
    if work.action.attempt < 2:
        raise SignatureError(NOT_THERE, status=404, retry_after=NOT_THERE_WAITS)
    return Outcome(intents=(end,) if end is not None else ())


def _is_end(event: RequestEvent) -> bool:
    return event in (
        RequestEvent.ALL_SIGNED,
        RequestEvent.DECLINED,
        RequestEvent.EXPIRED,
        RequestEvent.CANCELLED,
        RequestEvent.FAILED,
    )


async def resend_request(work: Work) -> Outcome:
    """Mail the invitation again, at most once per action."""
    request = await work.request()
    if why := _unwanted(request):
        return skipped(why, look=False)
    if not request.provider_request:
        return skipped("The request was not sent yet.", look=False)
    client = await work.vendors.signature(work.store.hash, request.account_id)
    await client.resend(request.provider_request)
    return Outcome(intents=(Note("reminded", request.id),), look=False)


async def mend_address(work: Work) -> Outcome:
    """Pass a signer's part on to the right address; signatures that others gave stay."""
    request = await work.request()
    position = int(work.action.payload["position"])
    signer = next((s for s in request.signers if s.position == position), None)
    of = {"store_hash": work.store.hash, "request_id": request.id, "position": position}
    email = await work.services.db.fetch_val("wanted_address", of)
    if signer is None or not email or _unwanted(request) or not request.provider_request:
        return skipped("There is nothing to mend any more.")
    came_back = signer.state_at if signer.state is SignerState.BOUNCED else None
    found = await work.found(bounced_at=came_back.isoformat() if came_back else "")
    client = await work.vendors.signature(work.store.hash, request.account_id)
    document = await client.fetch_document(request.provider_document)
    if document is None:
        return skipped("The document was deleted at the signature service.")
    there = any(
        email in (s.email, s.forwarded_to.lower()) and (s.needs_to_sign or s.forwarded) for s in document.signers
    )
    if not there:
        await client.forward(request.provider_request, signer.email, email, "The first address could not be reached.")
    record = {"kind": work.action.record.kind, "id": work.action.record.id}
    async with work.services.db.transaction():
        # A look at the request holds the record first, too.
        await work.services.db.fetch_one("lock_record", {"store_hash": work.store.hash, **record})
        is_new = await work.services.db.fetch_val("mend_signer", {**of, "email": email}) is not None
        if is_new and found["bounced_at"]:
            # The steps rested meanwhile: who is asked only now has the same days as anybody.
            now = work.services.clock.now()
            pause = now - datetime.fromisoformat(found["bounced_at"])
            zone = work.store.timezone
            await count_again(work.services.db, work.store.hash, zone, now, request_id=request.id, pause=pause)
    settled = SettleTasks(("bounced",), request.id)
    return Outcome(intents=(settled, Note("address_changed", request.id, {"position": position})))


# Completed ------------------------------------------------------------------------------------------------


async def _signed_document(work: Work, request: SignatureRequest) -> ProviderDocument:
    client = await work.vendors.signature(work.store.hash, request.account_id)
    document = await client.fetch_document(request.provider_document)
    if document is None:
        raise SignatureError("the signed document is not at the service", status=404)
    if document.processing or not document.pdf_url:
        # Counted: one that is never made is a failure that a person sees, not a wait without end.
        raise SignatureError("the signed PDF is still being made", retry_after=PROCESSING_WAITS)
    return document


async def check_right(work: Work) -> Outcome:
    """Right person, right text: only then may anything follow."""
    request = await work.request()
    if request.status is not RequestStatus.COMPLETED or request.checked:
        return skipped("It was checked already.")
    document = await _signed_document(work, request)
    client = await work.vendors.signature(work.store.hash, request.account_id)
    pdf = await client.download(document.pdf_url, MOST_BYTES, sha256=document.pdf_sha256)
    missing: list[int] = []
    db, key = work.services.db, await work.data_key()
    if request.document_sha256:
        original = await chunks.read(db, key, work.store.hash, request.document_sha256)
        try:
            missing = await contains_pages(original, pdf)
        except AppError as exc:
            if isinstance(exc, RemoteError):
                raise
            return _judged(request, (f"The signed PDF could not be read: {exc}",))
    right, wrong = check_completion(request, document, missing, request.provider_document)
    return _judged(request, () if right else wrong)


def _judged(request: SignatureRequest, wrong: tuple[str, ...]) -> Outcome:
    """The verdict, and what follows from it in the same commit: no alarm may be lost between the two."""
    why = " ".join(wrong)
    if wrong:
        text = f"What was signed is not what was asked. {why} Open the request and decide."
        return conflict(
            why,
            JudgeRequest(request.id, "conflict", why),
            Note("completion_refused", request.id),
            AskPerson("conflict", text, request.id, alarm=True),
        )
    return Outcome(intents=(JudgeRequest(request.id, "right"), Note("completion_checked", request.id)))


async def fetch_evidence(work: Work) -> Outcome:
    """Keep both PDFs with their hashes, and the document as it was sent."""
    request = await work.request()
    if request.status is not RequestStatus.COMPLETED:
        return skipped(f"The request is {request.status}.", look=False)
    document = await _signed_document(work, request)
    client = await work.vendors.signature(work.store.hash, request.account_id)
    db, key, now = work.services.db, await work.data_key(), work.services.clock.now()
    parts = [("signed_document", document.pdf_url, document.pdf_sha256)]
    if document.log_url:
        parts.append(("signing_log", document.log_url, document.log_sha256))
    elif work.action.attempt < TRIES_FOR_LOG:
        raise SignatureError("the signing log is not there yet", retry_after=30)
    kept: dict[str, str] = {}
    for part, url, announced in parts:
        content = await client.download(url, MOST_BYTES, sha256=announced)
        async with db.transaction():
            sha256 = await chunks.keep(db, key, work.store.hash, content)
            await db.execute(
                "keep_evidence",
                {
                    "store_hash": work.store.hash,
                    "request_id": request.id,
                    "part": part,
                    "sha256": sha256,
                    "size_bytes": len(content),
                    "provider_hash": announced,
                    "verified": bool(announced),
                    "now": now,
                },
            )
        kept[part] = sha256.hex()
    if request.document_sha256:
        sent = await chunks.read(db, key, work.store.hash, request.document_sha256)
        await db.execute(
            "keep_evidence",
            {
                "store_hash": work.store.hash,
                "request_id": request.id,
                "part": "sent_document",
                "sha256": request.document_sha256,
                "size_bytes": len(sent),
                "provider_hash": "",
                "verified": True,
                "now": now,
            },
        )
    return Outcome(left_as=kept, intents=(Note("evidence_kept", request.id, kept),), look=False)
