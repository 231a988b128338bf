"""What signers see of us. They are strangers to the panel: no session, only the token in their address.

A page shows how things stand. It never leads to the document: the signature service mails that link to the signer's
address, and nobody else, not even staff, can have it. GET changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bcapp.core.accounts import papers_asked
from bcapp.core.actions import ActionKind
from bcapp.core.calendars import zone_or_utc
from bcapp.core.kinds.supplier import SUPPLIER
from bcapp.core.model import SignatureRequest, Signer
from bcapp.core.options import Options
from bcapp.core.papers import MOST_BYTES, UPLOADS_A_DAY, Asked, asked_of, needed
from bcapp.core.signer_page import LOOKS, UNSIGNED, Doable, PageState, doable, state_of
from bcapp.core.signer_words import language_of, record_words, say
from bcapp.core.states import Purpose, SignerRole, SignerState
from bcapp.core.stores import StoreDoing
from bcapp.core.suppliers import Item
from bcapp.db import audit
from bcapp.db.actions import queue_action
from bcapp.db.panel_requests import data_key
from bcapp.db.papers import accepted, latest, papers_of
from bcapp.db.requests import fetch_request
from bcapp.db.rules import fetch_rule
from bcapp.db.stores import Store, fetch_store
from bcapp.db.suppliers import fetch_supplier
from bcapp.documents.uploads import inspect_paper
from bcapp.errors import RefusedByUs
from bcapp.jobs.papers import hand_in
from bcapp.jobs.questions import ask_question
from bcapp.services import Services
from bcapp.sign_links import DECLINED, SIGNED, sign_digest, store_of_link
from bcapp.web.forms import close_form, read_form
from bcapp.web.refusals import Refusal, not_found
from bcapp.web.render import Frame, page, render, wants_part
from bcapp.workflows import account_approval, warranty

RESEND_AGAIN = timedelta(minutes=10)
RESENDS_A_DAY = 5
QUESTIONS_A_DAY = 3
QUESTION_CHARACTERS = 1000
POLLS = 60  # of a page that waits for an answer to be read: two minutes
DAY = timedelta(days=1)
SAID = ("resent", "resent_lately", "question_sent", "question_many", "paper_sent", "paper_many", "paper_not_kept")
HANDS_IN = frozenset(PageState) - {PageState.REPLACED, PageState.WITHDRAWN, PageState.FORWARDED, PageState.COPY}


@dataclass(frozen=True)
class Guest:
    """A signer who came with a token: what the page is about."""

    services: Services
    store: Store
    request: SignatureRequest
    signer: Signer
    page: dict[str, Any]
    now: datetime

    @property
    def language(self) -> str:
        """A person's own, else that of the document, else the one asked for."""
        of = self.page
        return language_of(of["person_language"] or of["document_language"] or self.request.language)

    def state(self, *, comes_back: bool = False) -> PageState:
        return state_of(self.request, self.signer, has_later=self.page["has_later"], comes_back=comes_back)


async def _guest(request: Request) -> Guest:
    """Return who the token names; a stranger gets 404, whatever is wrong with it."""
    services: Services = request.app.state.services
    token = str(request.path_params["token"])
    store_hash = store_of_link(token)
    if store_hash is None:
        raise not_found()
    link = await services.db.fetch_one("fetch_sign_link", {"store_hash": store_hash, "digest": sign_digest(token)})
    if link is None:
        raise not_found()
    store = await fetch_store(services.db, store_hash)
    found = await fetch_request(services.db, store_hash, link["request_id"])
    of = {"store_hash": store_hash, "request_id": link["request_id"], "position": link["position"]}
    shown = await services.db.fetch_one("signer_page", of)
    signer = next((s for s in found.signers if s.position == link["position"]), None) if found else None
    if store is None or found is None or signer is None or shown is None:
        raise not_found()
    return Guest(services, store, found, signer, shown, services.clock.now())


async def show(request: Request) -> Response:
    """Show what is asked, by whom and why, and how it stands."""
    try:
        return await _answer(request, await _guest(request))
    except Refusal as refusal:
        return refusal.page(request)


async def _answer(
    request: Request, guest: Guest, *, error: str = "", text: str = "", wrong_paper: str = "", status: int = 200
) -> Response:
    asked = request.query_params
    comes_back = asked.get("from") in (SIGNED, DECLINED)
    state = guest.state(comes_back=comes_back)
    polls = _number(asked.get("n", "")) if state is PageState.ARRIVED else POLLS
    given = {"store": guest.store.name}
    language, address = guest.language, f"/sign/{request.path_params['token']}"

    def words(key: str, **values: object) -> str:
        return say(language, key, **given, **values)

    papers = await _papers(guest, state)
    questions = await guest.services.db.fetch_all("questions_of_signer", _of(guest))
    said = asked.get("said", "")
    context = {
        "w": words,
        "state": state,
        "look": LOOKS[state],
        "not_activated": guest.request.workflow == warranty.SLUG and state in UNSIGNED,
        "can": _can(guest, state),
        "facts": _facts(guest, words),
        "said": words(said) if said in SAID else "",
        "questions": questions,
        "papers": papers,
        "wrong_paper": wrong_paper,
        "most_mb": MOST_BYTES >> 20,
        "address": address,
        "poll": f"{address}?from={asked.get('from')}&n={polls + 1}" if polls < POLLS else "",
        "expires_at": guest.request.expires_at if guest.request.is_open else None,
        "error": error,
        "text": text,
        "most": QUESTION_CHARACTERS,
        "support_email": guest.store.settings.support_email,
        "store_name": guest.store.name,
        "simulated": guest.request.simulated,
    }
    frame = Frame(guest.store.hash, zone=guest.store.timezone, locale=language, now=guest.now, standalone=True)
    block = "state" if wants_part(request.headers) and request.method == "GET" else None
    html = render("signers/page.html", block, frame, context)
    return HTMLResponse(html, status, {"Cache-Control": "no-store", "Vary": "HX-Request"})


def _number(text: str) -> int:
    return min(int(text), POLLS) if text.isascii() and text.isdecimal() and len(text) < 4 else 0


def _of(guest: Guest) -> dict[str, Any]:
    return {"store_hash": guest.store.hash, "request_id": guest.request.id, "position": guest.signer.position}


def _can(guest: Guest, state: PageState) -> Doable:
    """Nothing is sent, and nobody reads questions, while the store does not use the app."""
    return doable(state) if guest.store.may(StoreDoing.OPEN) else Doable(resend=False, ask=False)


def _facts(guest: Guest, words: Any) -> Sequence[tuple[str, str]]:
    """What is asked, by whom, why, until when. Nothing of the record itself: that stands in the document."""
    request, shown = guest.request, guest.page
    signing = [s for s in request.signers if s.role is not SignerRole.COPY]
    signed = sum(s.state is SignerState.SIGNED for s in signing)
    why = words("why_holds") if request.blocks else words("why_free")
    if request.purpose is Purpose.INTERNAL:
        why = " ".join(part for part in (words("why_approval"), shown["rule_name"] or "") if part)
    facts = [
        (words("asked_by"), guest.store.name),
        (words("document"), shown["title"]),
        (words("about"), record_words(guest.language, request.record.kind, request.record.id)),
        (words("why"), why),
    ]
    if len(signing) > 1:
        facts.append((words("progress"), words("progress_of", signed=signed, all=len(signing))))
    return facts


async def resend(request: Request) -> Response:
    """Have the service mail the invitation again, to the address that it knows: at most every ten minutes."""
    try:
        guest = await _guest(request)
        if not _can(guest, guest.state()).resend or not guest.request.provider_request:
            return _back(request)
        db, store_hash, found = guest.services.db, guest.store.hash, guest.request
        async with db.transaction():
            await db.fetch_one("lock_request", {"store_hash": store_hash, "id": found.id})
            since = {"since": guest.now - RESEND_AGAIN, "day": guest.now - DAY}
            lately = await db.fetch_one("recent_resends", {"store_hash": store_hash, "request_id": found.id, **since})
            assert lately is not None
            if lately["waiting"] or lately["lately"] or lately["today"] >= RESENDS_A_DAY:
                return _back(request, "resent_lately")
            await queue_action(db, store_hash, ActionKind.RESEND_REQUEST, found.record, guest.now, request_id=found.id)
            await audit.append(
                db, store_hash, guest.now, actor="signer", event="resend_asked", record=found.record,
                request_id=found.id, detail={"position": guest.signer.position},
            )  # fmt: skip
        return _back(request, "resent")
    except Refusal as refusal:
        return refusal.page(request)


async def ask(request: Request) -> Response:
    """Put a signer's question before staff; reminders rest until it is answered."""
    try:
        guest = await _guest(request)
        if not _can(guest, guest.state()).ask:
            return _back(request)
        given = (await read_form(request)).get("question", "")
        text = given.replace("\r\n", "\n").replace("\x00", "").strip() if isinstance(given, str) else ""
        wrong = "" if text else "question_empty"
        wrong = "question_long" if len(text) > QUESTION_CHARACTERS else wrong
        if wrong:
            error = say(guest.language, wrong, most=QUESTION_CHARACTERS)
            return await _answer(request, guest, error=error, text=text[: 2 * QUESTION_CHARACTERS], status=422)
        db = guest.services.db
        if int(await db.fetch_val("count_questions", {**_of(guest), "since": guest.now - DAY})) >= QUESTIONS_A_DAY:
            return _back(request, "question_many")
        await ask_question(db, guest.store.hash, guest.request.id, guest.signer.position, text, guest.now)
        return _back(request, "question_sent")
    except Refusal as refusal:
        return refusal.page(request)
    finally:
        await close_form(request)


async def _papers(guest: Guest, state: PageState) -> Sequence[Asked]:
    """Return the papers that this signer is asked for: a supplier or an applicant who signs its own document."""
    request, store = guest.request, guest.store
    is_theirs = request.purpose is Purpose.CUSTOMER and not request.simulated
    if not is_theirs or state not in HANDS_IN or not store.may(StoreDoing.OPEN):
        return ()
    if request.record.kind == SUPPLIER.name:
        items = await _of_supplier(guest)
    elif request.workflow == account_approval.SLUG:
        items = await _of_applicant(guest)
    else:
        items = ()
    if not items:
        return ()
    rows = await papers_of(guest.services.db, store.hash, request.record)
    return asked_of(items, latest(rows), guest.now.astimezone(zone_or_utc(store.timezone)).date())


async def _of_supplier(guest: Guest) -> Sequence[Item]:
    facts = await fetch_supplier(guest.services.db, guest.store.hash, int(guest.request.record.id))
    return facts.papers if facts is not None and facts.state == "active" else ()


async def _of_applicant(guest: Guest) -> Sequence[Item]:
    """Return what the rule that asked wants to see; nothing is wanted by hand, nor by a rule that is gone."""
    db, store, request = guest.services.db, guest.store, guest.request
    rule = await fetch_rule(db, store.hash, request.rule_id)
    if rule is None:
        return ()
    names = papers_asked(Options(account_approval.OPTIONS, rule.definition.options))
    return needed(names, await accepted(db, store, request.record)) if names else ()


async def send_paper(request: Request) -> Response:
    """Keep a paper that was asked for; staff look at it before it counts."""
    try:
        guest = await _guest(request)
        name = str(request.path_params["name"])
        if name not in [asked.name for asked in await _papers(guest, guest.state()) if asked.can_send]:
            return _back(request)
        db, store_hash, record = guest.services.db, guest.store.hash, guest.request.record
        since = {"store_hash": store_hash, "kind": record.kind, "id": record.id, "since": guest.now - DAY}
        if int(await db.fetch_val("count_handed_in", since)) >= UPLOADS_A_DAY:
            return _back(request, "paper_many")
        upload = (await read_form(request)).get("file")
        content = await upload.read() if isinstance(upload, UploadFile) else b""
        try:
            media = await inspect_paper(content)
        except RefusedByUs:
            return await _answer(request, guest, wrong_paper=name, status=422)
        key = await data_key(db, guest.services.secrets, store_hash)
        if key is None:
            return _back(request, "paper_not_kept")
        await hand_in(
            db, key, store_hash, record,
            name=name, content=content, media=media, by=0, request_id=guest.request.id, now=guest.now,
        )  # fmt: skip
        return _back(request, "paper_sent")
    except Refusal as refusal:
        return refusal.page(request)
    finally:
        await close_form(request)


def _back(request: Request, said: str = "") -> Response:
    """Go back to the page, which is then safe to load again."""
    path = f"/sign/{request.path_params['token']}"
    return RedirectResponse(f"{path}?said={said}" if said else path, 303)


async def signed(request: Request) -> Response:
    """Thank a person whom the signature service sends here from a request that knew no pages yet.

    The address is the same for everybody and names nobody, so it says nothing about anybody; what was decided is
    read from the service, never from this visit.
    """
    return page(request, "signers/signed.html")


ROUTES = [
    Route("/signed", signed, methods=["GET"], name="signed"),
    Route("/sign/{token}", show, methods=["GET"], name="sign"),
    Route("/sign/{token}/resend", resend, methods=["POST"], name="sign_resend"),
    Route("/sign/{token}/question", ask, methods=["POST"], name="sign_question"),
    Route("/sign/{token}/papers/{name}", send_paper, methods=["POST"], name="sign_paper"),
]
