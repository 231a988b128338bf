"""Mails to the signers whom something concerns: in their language, each at most once, few to one address a day."""

from __future__ import annotations

from babel.dates import format_date

from bcapp.core.intents import Note
from bcapp.core.model import SignatureRequest, Signer
from bcapp.core.notices import DAY, MOST_A_DAY, NoticeKind
from bcapp.core.signer_words import WORDS, language_of, record_words, say
from bcapp.errors import RemoteError
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.mail import ADDRESS, Mailer, MailFailed, MailNotSet
from bcapp.sign_links import make_link, sign_address
from bcapp.workflows import warranty

PURPOSE = "notice address"


async def mail_notice(work: Work) -> Outcome:
    """Mail one notice to one signer. Begun is committed before the mail: what died over it is not mailed again."""
    db, now, store = work.services.db, work.services.clock.now(), work.store
    kind, position = str(work.action.payload["notice"]), int(work.action.payload["position"])
    request = await work.request()
    signer = next((s for s in request.signers if s.position == position), None)
    of = {"store_hash": store.hash, "request_id": request.id, "position": position, "kind": kind}
    if signer is None or not ADDRESS.fullmatch(signer.email):
        return skipped("There is nobody to tell.", look=False)
    mailer = Mailer.from_url(url.get_secret_value() if (url := work.services.settings.smtp_url) else None)
    addresses = work.services.secrets.digests(PURPOSE, f"{store.hash}:{signer.email}")
    async with db.transaction():
        row = await db.fetch_one("lock_signer_notice", of)
        if row is None or row["outcome"]:
            return skipped("It was said before.", look=False)
        since = {"store_hash": store.hash, "addresses": addresses, "since": now - DAY}
        if int(await db.fetch_val("count_mailed", since)) >= MOST_A_DAY:
            await db.execute("end_signer_notice", {**of, "outcome": "capped"})
            return skipped(f"This address had {MOST_A_DAY} mails of ours within a day.", look=False)
        await db.execute("begin_signer_notice", {**of, "address": addresses[0], "now": now})
        token = await make_link(db, store.hash, request.id, position, now)
    subject, text = await _write(work, request, signer, kind, token)
    try:
        await mailer.send(
            signer.email, subject, text, message_id=f"notice-{store.hash}-{request.id}-{position}-{kind}", at=now
        )
    except MailNotSet as exc:
        await db.execute("end_signer_notice", {**of, "outcome": "not_mailed"})
        return skipped(str(exc), look=False)
    except MailFailed as exc:
        if exc.unclear or exc.permanent:
            await db.execute("end_signer_notice", {**of, "outcome": "unclear" if exc.unclear else "not_mailed"})
            return skipped(f"Not mailed, or not known to be: {exc}", look=False)
        # Not handed over for sure: the next try is the first mail.
        await db.execute("end_signer_notice", {**of, "outcome": ""})
        raise RemoteError(str(exc)) from exc
    await db.execute("end_signer_notice", {**of, "outcome": "mailed"})
    return Outcome(intents=(Note("notice_mailed", request.id, {"kind": kind, "position": position}),), look=False)


async def _write(work: Work, request: SignatureRequest, signer: Signer, kind: str, token: str) -> tuple[str, str]:
    """Return subject and text in the signer's language. Only an answer and a refusal carry words of a person."""
    db, store = work.services.db, work.store
    of = {"store_hash": store.hash, "request_id": request.id, "position": signer.position}
    page = await db.fetch_one("signer_page", of) or {}
    language = language_of(page.get("person_language") or page.get("document_language") or request.language)
    about = record_words(language, request.record.kind, request.record.id)
    what = f"“{page['title']}” ({about})" if page.get("title") else about
    name = kind.partition(":")[0]
    given = {"store": store.name, "what": what}
    if name in (NoticeKind.PAPER_REFUSED, NoticeKind.PAPER_ENDS):
        given |= await _paper(work, kind, language)
    parts = [say(language, "hello", name=signer.name or signer.email), say(language, f"mail_{name}_text", **given)]
    if request.workflow == warranty.SLUG and name in (NoticeKind.DECLINED, NoticeKind.EXPIRED):
        parts.append(say(language, "not_activated"))
    if name == NoticeKind.ANSWER:
        question = await db.fetch_one("fetch_question", {"store_hash": store.hash, "id": int(kind.partition(":")[2])})
        parts.append(question["answer"] if question else "")
        if request.is_open:
            parts.append(say(language, "mail_answer_sign"))
    parts.append(f"{say(language, 'see')}\n{sign_address(work.services.settings.app_url, token)}")
    if request.simulated:
        parts.append(say(language, "test"))
    return say(language, f"mail_{name}", **given), "\n\n".join(parts) + "\n"


async def _paper(work: Work, kind: str, language: str) -> dict[str, str]:
    """Return what the words about a paper name: which one, why it was refused, and its last day."""
    of = {"store_hash": work.store.hash, "id": int(kind.partition(":")[2])}
    row = await work.services.db.fetch_one("fetch_handed_in", of) or {}
    name = f"paper_{row.get('name')}"
    last = row.get("expires_on")
    return {
        "paper": say(language, name) if name in WORDS[language] else str(row.get("name", "")),
        "why": str(row.get("why", "")),
        "day": format_date(last, locale=language) if last else "",
    }
