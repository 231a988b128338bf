"""Having the signers told whom something concerns, each once; jobs/notice_mail.py mails it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey, SignatureRequest, Signer
from bcapp.core.notices import NoticeKind, concerned
from bcapp.db.actions import queue_action
from bcapp.db.requests import fetch_request, requests_of
from bcapp.services import Services


async def notify(
    services: Services, store_hash: str, kind: NoticeKind, request: SignatureRequest, now: datetime
) -> None:
    """Have everybody of the request whom it concerns told. Call inside the transaction of what happened."""
    await _queue(services, store_hash, str(kind), request.id, request.record, concerned(kind, request), now)


async def notify_answer(
    services: Services, store_hash: str, request: SignatureRequest, position: int, question_id: int, now: datetime
) -> None:
    """Have the signer who asked told the answer. Call inside the transaction of the answer."""
    asked = [s for s in request.signers if s.position == position]
    await _queue(services, store_hash, f"{NoticeKind.ANSWER}:{question_id}", request.id, request.record, asked, now)


async def notify_paper(
    services: Services, store_hash: str, kind: NoticeKind, request_id: int, paper_id: int, now: datetime
) -> None:
    """Have who sent a paper from a request's page told about it. Call inside the transaction of what happened.

    They are led to the newest round of that request which reached somebody: the page of a replaced one takes nothing.
    """
    sent_from = await fetch_request(services.db, store_hash, request_id)
    if sent_from is None:
        return
    rounds = [
        r
        for r in await requests_of(services.db, store_hash, sent_from.record)
        if (r.workflow, r.purpose, r.simulated) == (sent_from.workflow, sent_from.purpose, sent_from.simulated)
    ]
    for request in reversed(rounds):
        if told := concerned(kind, request):
            await _queue(services, store_hash, f"{kind}:{paper_id}", request.id, request.record, told, now)
            return


async def _queue(
    services: Services,
    store_hash: str,
    kind: str,
    request_id: int,
    record: RecordKey,
    signers: Iterable[Signer],
    now: datetime,
) -> None:
    # Without a mail server nothing is queued that could only be skipped; that it was not mailed is written down.
    outcome = "" if services.settings.smtp_url else "not_mailed"
    for signer in signers:
        values = {"store_hash": store_hash, "request_id": request_id, "position": signer.position, "kind": kind}
        is_new = (
            await services.db.fetch_val("add_signer_notice", {**values, "now": now, "outcome": outcome}) is not None
        )
        if is_new and not outcome:
            payload = {"notice": kind, "position": signer.position}
            await queue_action(
                services.db, store_hash, ActionKind.SEND_MAIL, record, now, request_id=request_id, payload=payload
            )


async def fetch_and_notify(
    services: Services, store_hash: str, kind: NoticeKind, request_id: int, now: datetime
) -> None:
    """The same for a request by its number. Call inside the transaction of what happened."""
    request = await fetch_request(services.db, store_hash, request_id)
    if request is not None:
        await notify(services, store_hash, kind, request, now)
