"""Escalation at the edge: what a look needs to take steps, and the mail to who is told besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bcapp.core.escalation import Escalation, awaited, requester_of
from bcapp.core.intents import AskPerson, Note
from bcapp.core.kinds.case import CASE
from bcapp.core.model import SignatureRequest
from bcapp.db.steps import count_again, step_from_row
from bcapp.db.stores import Store
from bcapp.errors import RemoteError
from bcapp.jobs.directory import read_directory
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.mail import Mailer, MailFailed, MailNotSet
from bcapp.services import Services


async def read_escalation(services: Services, store: Store, request: SignatureRequest) -> Escalation:
    """Return the steps of a request with what taking them needs. Call inside the transaction that takes them."""
    db = services.db
    rows = await db.fetch_all("steps_of_request", {"store_hash": store.hash, "request_id": request.id})
    if not rows:
        return Escalation()
    last_round = await db.fetch_val(
        "last_round",
        {
            "store_hash": store.hash,
            "record_kind": request.record.kind,
            "record_id": request.record.id,
            "rule_id": request.rule_id,
            "purpose": str(request.purpose),
        },
    )
    directory, opened_by = await read_directory(services, store.hash), 0
    if request.record.kind == CASE.name:
        of = {"store_hash": store.hash, "id": int(request.record.id)}
        opened_by = int(await db.fetch_val("case_opened_by", of) or 0)
    return Escalation(
        has_steps=True,
        open=tuple(step_from_row(r) for r in rows if r["done_at"] is None),
        directory=directory,
        requester=requester_of(request, directory.person_of(opened_by)),
        last_round=int(last_round),
    )


async def follow_profile(work: Work, profile: Mapping[str, Any]) -> int | None:
    """Keep what the store says of itself now. Call inside a transaction.

    Returns how many open steps have another time, when the store's zone is another one; else None.
    """
    db, store_hash = work.services.db, work.store.hash
    before = await db.fetch_val("save_profile", {"store_hash": store_hash, "profile": dict(profile)})
    zone = str(profile.get("timezone") or "UTC")
    if before is None or str(before.get("timezone") or "UTC") == zone:
        return None
    return await count_again(db, store_hash, zone, work.services.clock.now())


async def mail_step(work: Work) -> Outcome:
    """Tell the person of a step (or who acts for them) what waits for whom. At most once."""
    request, now = await work.request(), work.services.clock.now()
    position = int(work.action.payload["step"])
    of = {"store_hash": work.store.hash, "request_id": request.id}
    rows = await work.services.db.fetch_all("steps_of_request", of)
    row = next((r for r in rows if r["position"] == position), None)
    if row is None or not request.is_open:
        return skipped("The request has ended.", look=False)
    person = (await read_directory(work.services, work.store.hash)).acting(row["person_id"], now)
    what = work.named.lower()
    if person is None:
        text = f"Nobody could be told that {what} waits: who is named is away or left. Name another in People."
        return skipped("Nobody acts for the person.", AskPerson("not_told", text, request.id, alarm=True), look=False)
    url = work.services.settings.smtp_url
    mailer = Mailer.from_url(url.get_secret_value() if url else None)
    names = "\n".join(f"  {s.name or s.email}" for s in awaited(request))
    link = f"{work.store.control_panel_url}/manage/app/{work.services.settings.bc_app_id}"
    text = f"Nobody has signed for {what} yet. It waits for:\n\n{names}\n\nOpen the app in your control panel: {link}\n"
    try:
        await mailer.send(
            person.email,
            f"{work.store.name}: {what} waits for a signature",
            text,
            message_id=f"step-{work.store.hash}-{request.id}-{position}",
            at=now,
        )
    except MailNotSet as exc:
        text = f"{person.name} should know that {what} waits, and the app cannot send mail. Tell them yourself."
        return skipped(str(exc), AskPerson("not_told", text, request.id), look=False)
    except MailFailed as exc:
        if exc.unclear or exc.permanent:
            text = f"{person.name} should know that {what} waits, and the mail may not have come. Tell them yourself."
            told = AskPerson("not_told", text, request.id)
            return skipped(f"Not mailed, or not known to be: {exc}", told, look=False)
        raise RemoteError(str(exc)) from exc
    return Outcome(intents=(Note("escalation_mailed", request.id, {"step": position}),), look=False)
