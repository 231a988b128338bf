"""Requests: what waits for a signature or had one; the page of one request, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.agreements import speaks
from bcapp.core.inputs import typed_inputs
from bcapp.core.kinds import KINDS
from bcapp.core.model import RecordKey, SignatureRequest
from bcapp.core.papers import ENDINGS
from bcapp.core.rules import parse_definition
from bcapp.core.states import RequestStatus, SignerState, Wanted
from bcapp.db import audit, chunks, panel_requests, papers
from bcapp.db.actions import queue_heads
from bcapp.db.agreements import fetch_binding
from bcapp.db.panel_requests import Search
from bcapp.db.people import fetch_addresses
from bcapp.db.requests import fetch_request
from bcapp.db.rules import list_choices
from bcapp.db.users import fetch_user
from bcapp.secrets import SealBroken
from bcapp.services import Services
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel, previews
from bcapp.web.panel.facts import change_rows, input_label, language_name
from bcapp.web.panel.history import PARTS, action_word, timeline, worst_state
from bcapp.web.panel.kinds import BY_SLUG, one, record_path, shown_kinds
from bcapp.web.panel.rule_form import said
from bcapp.web.panel.screen import (
    WHY_CHARACTERS,
    Given,
    answer,
    frame,
    path_id,
    press,
    query_page,
    query_text,
    shown_label,
)
from bcapp.web.refusals import Refusal, not_found
from bcapp.web.render import download, go, wants_part
from bcapp.web.roles import Role, may
from bcapp.web.status_words import N_
from bcapp.workflows.protocol import Command

SCOPES = (
    ("all", "All"),
    ("waiting", "Waiting"),
    ("attention", "Needs a person"),
    ("completed", "Completed"),
    ("not_signed", "Not signed"),
    ("cancelled", "Cancelled"),
)
PERIODS = {"": None, "1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30), "90": timedelta(days=90)}
REMIND_AGAIN = timedelta(minutes=10)
UNDERWAY = frozenset({RequestStatus.SENT, RequestStatus.VIEWED, RequestStatus.PARTLY_SIGNED})
UNSIGNED = frozenset({RequestStatus.DECLINED, RequestStatus.EXPIRED, RequestStatus.FAILED, RequestStatus.CANCELLED})


# The list ---------------------------------------------------------------------------------------------------


@panel("requests.view")
async def show_requests(request: Request, visit: Visit) -> Response:
    """List requests; pills, search and pages are addresses of their own."""
    db, store_hash = visit.services.db, visit.store.hash
    status = query_text(request, "status")
    period = query_text(request, "period")
    rule = query_text(request, "rule")
    lives = PERIODS.get(period)
    kinds = {words.name: words.kind.plural for words in shown_kinds()}
    kind = query_text(request, "kind") if query_text(request, "kind") in kinds else ""
    search = Search(
        kind=kind,
        scope=status if status in dict(SCOPES) else "all",
        q=query_text(request, "q"),
        since=visit.now - lives if lives else None,
        rule_id=int(rule) if rule.isascii() and rule.isdecimal() and len(rule) < 15 else None,
        page=query_page(request),
        personal=visit.may("requests.facts"),
    )
    found = await panel_requests.find_requests(db, store_hash, search)
    rules = await db.fetch_all("panel_rule_names", {"store_hash": store_hash})
    kept = {
        "kind": kind,
        "q": search.q,
        "period": period if lives else "",
        "rule": rule if search.rule_id is not None else "",
    }
    url = frame(request).url
    return answer(
        request,
        visit,
        "panel/requests.html",
        "list",
        active="requests",
        found=found,
        search=search,
        kept=kept,
        pills=[
            (
                label,
                url("requests", **kept, status="" if scope == "all" else scope),
                found.counts[scope],
                scope == search.scope,
            )
            for scope, label in SCOPES
            if scope != "attention" or found.counts["attention"] or search.scope == "attention"
        ],
        address=lambda number: url("requests", **kept, status=status, page=number),
        rules=[("", "Any rule"), ("0", "By hand"), *[(r["id"], r["name"]) for r in rules]],
        kinds=[("", "Any record"), *kinds.items()],
        is_narrowed=bool(kind or search.q or search.since or search.rule_id is not None or search.scope != "all"),
        label_of=lambda row: shown_label(visit, row["record_kind"], row["record_id"], row["label"]),
    )


# One request ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doable:
    """What this person may do about this request now."""

    remind: bool
    cancel: bool
    ask_again: bool
    mend: bool
    confirm: bool


def doable(visit: Visit, request: SignatureRequest, later: int) -> Doable:
    """later: how many newer rounds there are; an older round is history."""
    conflict = request.checked == "conflict"
    ended = request.status in UNSIGNED or request.wanted is Wanted.CANCEL or conflict
    return Doable(
        remind=request.is_open and request.status in UNDERWAY and not request.bounced and visit.may("requests.remind"),
        cancel=request.is_open and visit.may("requests.cancel"),
        ask_again=not later and ended and visit.may("requests.repeat"),
        mend=request.is_open and visit.may("requests.mend"),
        confirm=not later and conflict and visit.may("requests.confirm"),
    )


async def _fetch(visit: Visit, request_id: int) -> tuple[SignatureRequest, dict[str, Any]]:
    db, store_hash = visit.services.db, visit.store.hash
    found = await fetch_request(db, store_hash, request_id)
    row = await db.fetch_one("panel_request", {"store_hash": store_hash, "id": request_id})
    if found is None or row is None:
        raise not_found()
    return found, row


@panel("requests.view")
async def show_request(request: Request, visit: Visit) -> Response:
    """Show the four facts side by side, and everything that stands behind them."""
    db, store_hash = visit.services.db, visit.store.hash
    found, row = await _fetch(visit, path_id(request))
    around = await panel_requests.around_record(db, store_hash, found.record, found.id)
    evidence = {
        e["part"]: e
        for e in await db.fetch_all("evidence_of_request", {"store_hash": store_hash, "request_id": found.id})
    }
    trace = next((t for t in row["trace"] if t["rule_id"] == found.rule_id), None) if found.rule_id else None
    why = ""
    if row["definition"] is not None:
        why = said(found.workflow, parse_definition(row["definition"]), await list_choices(db, store_hash))
    kind = KINDS.get(found.record.kind)
    kind_label = kind.label if kind else one(found.record.kind).capitalize()
    now_snapshot = row["facts"].get("snapshot") if row["facts"] else None
    own = [a for a in around.actions if a["request_id"] == found.id]
    seen = visit.may("requests.facts")
    # A part is swapped in while somebody reads: it must not take the focus.
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    return answer(
        request,
        visit,
        "panel/request.html",
        "request",
        active="requests",
        r=found,
        row=row,
        around=around,
        label=shown_label(visit, found.record.kind, found.record.id, row["label"]),
        can=doable(visit, found, row["later"]),
        sees_facts=seen,
        evidence=evidence,
        parts=PARTS,
        typed=typed_inputs(found, row["currency"] or ""),
        input_label=input_label,
        document_language=row["document_language"],
        has_other_language=bool(row["document_language"]) and not speaks(found.language, row["document_language"]),
        binding=await fetch_binding(db, store_hash, row["binding_id"]) if row["binding_id"] else None,
        language_name=language_name,
        why=why,
        trace=trace,
        changes=change_rows(found.snapshot, now_snapshot) if seen and isinstance(now_snapshot, dict) else [],
        entries=timeline(around.timeline, around.names, kind_label),
        one=one(found.record.kind),
        kind_label=kind_label,
        record_path=record_path(found.record),
        actions=around.actions,
        action_word=action_word,
        actions_state=worst_state(own),
        is_moving=found.is_open or around.busy > 0 or any(a["state"] in ("pending", "started") for a in own),
        steps=step_rows(await db.fetch_all("panel_steps", {"store_hash": store_hash, "request_id": found.id}), found),
        mendable=await _mendable(visit, found),
        questions=await db.fetch_all("questions_of_request", {"store_hash": store_hash, "request_id": found.id}),
        reminded_lately=await panel_requests.was_reminded(db, store_hash, found.id, visit.now - REMIND_AGAIN),
        **quiet,
    )


# Escalation -------------------------------------------------------------------------------------------------

STEP_WORDS = {
    "remind": N_("Remind who has not signed"),
    "escalate": N_("Tell somebody that it waits"),
    "alternate": N_("Ask somebody else to sign instead"),
    "keep": N_("Keep it held and ask a person"),
    "release": N_("Let it go without a signature"),
}
STEP_OUTCOMES = {
    "": (N_("Waits"), "secondary"),
    "reminded": (N_("Reminded"), "success"),
    "passed": (N_("Passed over: a later reminder went out"), "secondary"),
    "told": (N_("Told"), "success"),
    "replaced": (N_("Asked in a new round"), "success"),
    "nobody": (N_("Nobody could sign instead"), "warning"),
    "kept": (N_("Kept; a person decides"), "warning"),
    "released": (N_("Let go"), "warning"),
    "carried": (N_("Goes on with the next round"), "secondary"),
    "ended": (N_("Not needed any more"), "secondary"),
}


def step_rows(rows: Sequence[Mapping[str, Any]], request: SignatureRequest) -> list[dict[str, Any]]:
    """Return the escalation of a request in words. Open steps of a request whose mail came back rest."""
    shown = []
    for row in rows:
        what = STEP_WORDS.get(row["follows"] or row["kind"], row["kind"])
        state, tone = STEP_OUTCOMES.get(row["outcome"], (row["outcome"], "secondary"))
        if row["done_at"] is None and request.bounced:
            state, tone = N_("Rests until the address is corrected"), "warning"
        shown.append({**row, "what": what, "state": state, "tone": tone})
    return shown


# Steps ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A question before something is done: the dialog's words."""

    title: str
    text: str
    label: str
    help: str
    submit: str
    kind: str = "primary"


CANCEL = Step(
    "Cancel this request",
    "The signer can no longer sign this document. What is held stays held until you ask again or release it by hand.",
    "Reason",
    "Kept in the history. The signer does not see it.",
    "Cancel request",
    "danger",
)
ASK_AGAIN = Step(
    "Ask again",
    "A new round is made from what is known now, and a request that is still open is taken back.",
    "Reason",
    "Kept in the history with the new round.",
    "Ask again",
)
CONFIRM = Step(
    "Confirm what was signed",
    "Our check did not accept this document: {why} Confirm only after you have read the signed document. "
    "It then counts as signed, under your name.",
    "Reason",
    "Why you accept it. Kept in the history.",
    "Confirm",
    "danger",
)


async def _step(request: Request, visit: Visit, step: Step, kind: str, permission: str, done: str) -> Response:
    """Show the question, or carry out its answer. What the request no longer allows is said and changes nothing."""
    found, row = await _fetch(visit, path_id(request))
    back = frame(request).url(f"requests/{found.id}")
    can = doable(visit, found, row["later"])
    if not getattr(can, permission):
        return go(request, back, toast="Nothing was changed: the request has moved on.", toast_kind="info")
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            await press(visit, found.record, Command(kind, visit.user.id, why, found.id), given.once)
            return go(request, back, toast=done)
        error, status = given.errors["why"], 422
    return answer(
        request,
        visit,
        "panel/step.html",
        "dialog",
        status,
        active="requests",
        step=step,
        text=step.text.format(why=row["checked_why"] or "it is not what was asked."),
        action=request.url.path,
        back=back,
        why=why,
        error=error,
    )


@panel("requests.cancel")
async def cancel_request(request: Request, visit: Visit) -> Response:
    return await _step(request, visit, CANCEL, "cancel", "cancel", "The request is being cancelled.")


@panel("requests.repeat")
async def ask_again(request: Request, visit: Visit) -> Response:
    return await _step(request, visit, ASK_AGAIN, "ask_again", "ask_again", "A new round is being asked.")


@panel("requests.confirm")
async def confirm_request(request: Request, visit: Visit) -> Response:
    return await _step(request, visit, CONFIRM, "confirm", "confirm", "Confirmed.")


@panel("requests.remind")
async def remind(request: Request, visit: Visit) -> Response:
    """Have the invitation sent again; at most every ten minutes, whoever presses."""
    given = Given(await read_form(request))
    found, row = await _fetch(visit, path_id(request))
    back = frame(request).url(f"requests/{found.id}")
    if not doable(visit, found, row["later"]).remind:
        return go(request, back, toast="Nobody needs a reminder now.", toast_kind="info")
    db, store_hash = visit.services.db, visit.store.hash
    if await panel_requests.was_reminded(db, store_hash, found.id, visit.now - REMIND_AGAIN):
        return go(request, back, toast="A reminder went out within the last ten minutes.", toast_kind="info")
    if await db.fetch_val("panel_open_commands", _of(store_hash, found.record)):
        return go(request, back, toast="Your last step is still being carried out.", toast_kind="info")
    await press(visit, found.record, Command("resend", visit.user.id, "", found.id), given.once)
    return go(request, back, toast="The reminder is on its way.")


def _of(store_hash: str, record: RecordKey) -> dict[str, Any]:
    return {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}


async def _mendable(visit: Visit, request: SignatureRequest) -> dict[int, str]:
    """Return, by position, the directory's address of the signers who were asked at another one that came back."""
    if not request.bounced or not request.is_open:
        return {}
    people = await fetch_addresses(visit.services.db, visit.store.hash)
    taken = {s.email for s in request.signers}
    return {
        s.position: people[s.person_id]
        for s in request.signers
        if s.state is SignerState.BOUNCED and s.person_id in people and people[s.person_id] not in taken
    }


@panel("requests.mend")
async def mend_address(request: Request, visit: Visit) -> Response:
    """Ask the same signer at another address, after the mail to the first one came back."""
    found, row = await _fetch(visit, path_id(request))
    position = path_id(request, "position")
    back = frame(request).url(f"requests/{found.id}")
    signer = next((s for s in found.signers if s.position == position), None)
    if signer is None:
        raise not_found()
    directory = (await _mendable(visit, found)).get(position)
    if signer.person_id is not None and directory is None:
        text = "This signer stands in the directory. Correct the address under People, then come back here."
        return go(request, back, toast=text, toast_kind="info")
    if not doable(visit, found, row["later"]).mend or signer.state is not SignerState.BOUNCED:
        return go(
            request, back, toast="Nothing was changed: the address works, or the request ended.", toast_kind="info"
        )
    email, error, status = directory or signer.email, "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        # Whose address stands in the directory is asked there and nowhere else: approvers are changed by two people.
        email = directory or given.email("email")
        if not given.errors and email == signer.email:
            given.errors["email"] = "This is the address that the mail came back from."
        if not given.errors and any(s.email == email for s in found.signers if s.position != position):
            given.errors["email"] = "Another signer of this request has this address."
        if not given.errors:
            payload = {"position": position, "email": email}
            await press(visit, found.record, Command("mend", visit.user.id, "", found.id, payload), given.once)
            return go(request, back, toast="The signer is asked at the new address.")
        error, status = given.errors["email"], 422
    return answer(
        request,
        visit,
        "panel/mend.html",
        "dialog",
        status,
        active="requests",
        signer=signer,
        email=email,
        directory=directory,
        error=error,
        action=request.url.path,
        back=back,
    )


@panel("actions.retry")
async def try_again(request: Request, visit: Visit) -> Response:
    """Set a failed action due again; one that runs already is left alone."""
    given = Given(await read_form(request))
    db, store_hash = visit.services.db, visit.store.hash
    action_id = path_id(request)
    async with db.transaction():
        row = await db.fetch_one("rerun_action", {"store_hash": store_hash, "id": action_id, "now": visit.now})
        if row is not None:
            record = RecordKey(row["record_kind"], row["record_id"])
            await audit.append(
                db,
                store_hash,
                visit.now,
                actor=visit.actor,
                event="action_tried_again",
                record=record,
                detail={"action": action_id, "kind": row["kind"]},
            )
            await queue_heads(db, store_hash, record, visit.now)
    if row is None and await db.fetch_one("fetch_action", {"store_hash": store_hash, "id": action_id}) is None:
        raise not_found()
    back = given.text("back", "The way back", 60)
    path = back if back.partition("/")[0] in ("requests", *BY_SLUG) else "requests"
    if row is None:
        return go(request, frame(request).url(path), toast="It runs already.", toast_kind="info")
    return go(request, frame(request).url(path), toast="It is tried again now.")


# Documents --------------------------------------------------------------------------------------------------


@panel("requests.download")
async def ask_download(request: Request, visit: Visit) -> Response:
    """Answer a ticket for one document: it lives for a minute, works once, and opens nothing else."""
    given = Given(await read_form(request))
    found, _ = await _fetch(visit, path_id(request))
    part = given.choice("part", "Choose a document.", list(PARTS))
    db, store_hash = visit.services.db, visit.store.hash
    row = await db.fetch_one("document_of_request", {"store_hash": store_hash, "id": found.id, "part": part})
    if given.errors or row is None or row["sha256"] is None:
        raise not_found()
    ticket = await session.add_ticket(db, store_hash, visit.user.id, f"request:{found.id}:{part}", visit.now)
    await audit.append(
        db,
        store_hash,
        visit.now,
        actor=visit.actor,
        event="document_downloaded",
        record=found.record,
        request_id=found.id,
        detail={"part": part, "sha256": bytes(row["sha256"]).hex()},
    )
    return download(request, frame(request).url(f"download/{ticket}"))


async def fetch_download(request: Request) -> Response:
    """Answer the document of a ticket as an attachment.

    The browser fetches it outside of the panel's script, so no session comes along: the ticket is the proof, and its
    user must still have the right.
    """
    services: Services = request.app.state.services
    store_hash, ticket = str(request.path_params["store_hash"]), str(request.path_params["ticket"])
    try:
        if not session.STORE_HASH.fullmatch(store_hash) or request.method != "GET":
            raise not_found()
        now = services.clock.now()
        used = await session.use_ticket(services.db, store_hash, ticket, now)
        if used is None:
            raise Refusal(
                404, "This download has ended", "Go back to the page and press Download again.", kind="not-found"
            )
        user_id, subject = used
        user = await fetch_user(services.db, store_hash, user_id)
        kind, _, rest = subject.partition(":")
        needed = {"request": "requests.download", "agreement": "agreements.view"}.get(kind, "requests.download")
        if user is None or not may(Role(user.role), needed):
            raise not_found()
        if kind == "request":
            name, content = await _document(services, store_hash, rest)
        elif kind == "acceptance":
            name, content = await _imported(services, store_hash, rest)
        elif kind == "handed":
            return await handed_in(services, store_hash, int(rest))
        elif kind == "paper":
            name, content = await _on_paper(services, store_hash, rest)
        elif kind == "outside":
            name, content = await _signed_outside(services, store_hash, rest)
        else:
            name, content = await previews.agreement_preview(services, store_hash, rest, now)
    except Refusal as refusal:
        return refusal.page(request)
    return Response(content, media_type="application/pdf", headers=attachment(name))


fetch_download.permission = "requests.download"  # type: ignore[attr-defined]


async def _imported(services: Services, store_hash: str, subject: str) -> tuple[str, bytes]:
    """Return the PDF that came with an imported acceptance."""
    row = await services.db.fetch_one("panel_acceptance", {"store_hash": store_hash, "id": int(subject)})
    if row is None or row["document_sha256"] is None:
        raise not_found()
    content = await _kept(services, store_hash, bytes(row["document_sha256"]))
    return f"acceptance-{row['id']}.pdf", content


async def handed_in(services: Services, store_hash: str, paper_id: int) -> Response:
    """Answer a paper that a party handed in, as the kind of file that it was recognised as."""
    row = await services.db.fetch_one("fetch_handed_in", {"store_hash": store_hash, "id": paper_id})
    key = await panel_requests.data_key(services.db, services.secrets, store_hash)
    if row is None or key is None:
        raise not_found()
    try:
        content = await papers.read_paper(services.db, key, store_hash, paper_id, bytes(row["sha256"]))
    except (chunks.NotKept, SealBroken):
        raise Refusal(404, "The file is not here any more", "It was refused, or a newer one came.") from None
    name = f"{row['record_kind'].replace('_', '-')}-{row['record_id']}-paper-{paper_id}.{ENDINGS[row['media']]}"
    return Response(content, media_type=row["media"], headers=attachment(name))


def attachment(name: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


async def _on_paper(services: Services, store_hash: str, subject: str) -> tuple[str, bytes]:
    """Return the form that a buyer signed on paper."""
    row = await services.db.fetch_one("fetch_paper", {"store_hash": store_hash, "id": int(subject)})
    if row is None:
        raise not_found()
    content = await _kept(services, store_hash, bytes(row["content"]))
    return f"order-{row['order_id']}-form-{row['id']}.pdf", content


async def _signed_outside(services: Services, store_hash: str, subject: str) -> tuple[str, bytes]:
    """Return the PDF or the signing log of a document that was signed without us and linked by a person."""
    number, _, part = subject.partition(":")
    row = await services.db.fetch_one("fetch_outside", {"store_hash": store_hash, "id": int(number)})
    sha256 = row["log_sha256" if part == "log" else "signed_sha256"] if row and row["state"] == "linked" else None
    if row is None or sha256 is None:
        raise not_found()
    kind = row["record_kind"].replace("_", "-")
    name = "signing-log" if part == "log" else "signed-elsewhere"
    return f"{name}-{kind}-{row['record_id']}-{number}.pdf", await _kept(services, store_hash, bytes(sha256))


async def _kept(services: Services, store_hash: str, sha256: bytes) -> bytes:
    key = await panel_requests.data_key(services.db, services.secrets, store_hash)
    if key is None:
        raise not_found()
    try:
        return await chunks.read(services.db, key, store_hash, sha256)
    except (chunks.NotKept, SealBroken):
        raise Refusal(
            404, "The document is not here any more", "Its bytes were deleted. Its hash is still on its page."
        ) from None


async def _document(services: Services, store_hash: str, subject: str) -> tuple[str, bytes]:
    number, _, part = subject.partition(":")
    row = await services.db.fetch_one(
        "document_of_request", {"store_hash": store_hash, "id": int(number), "part": part}
    )
    if row is None or row["sha256"] is None:
        raise not_found()
    content = await _kept(services, store_hash, bytes(row["sha256"]))
    kind = row["record_kind"].replace("_", "-")
    return f"{part.replace('_', '-')}-{kind}-{row['record_id']}-request-{number}.pdf", content


ROUTES = [
    Route("/requests", show_requests, name="requests"),
    Route("/requests/{id}", show_request, name="request"),
    Route("/requests/{id}/remind", remind, methods=["POST"], name="request_remind"),
    Route("/requests/{id}/cancel", cancel_request, methods=["GET", "POST"], name="request_cancel"),
    Route("/requests/{id}/ask-again", ask_again, methods=["GET", "POST"], name="request_ask_again"),
    Route("/requests/{id}/confirm", confirm_request, methods=["GET", "POST"], name="request_confirm"),
    Route("/requests/{id}/mend/{position}", mend_address, methods=["GET", "POST"], name="request_mend"),
    Route("/requests/{id}/download", ask_download, methods=["POST"], name="request_download"),
    Route("/actions/{id}/again", try_again, methods=["POST"], name="action_again"),
    Route("/download/{ticket}", fetch_download, name="download"),
]
