"""Papers of suppliers and applicants as files: staff upload them, look at what was sent, accept or refuse it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.kinds.supplier import SUPPLIER, SupplierFacts
from bcapp.core.model import RecordKey
from bcapp.core.papers import LABELS, MOST_BYTES, OF_APPLICANTS, WHY_CHARACTERS, PaperState
from bcapp.core.suppliers import AGREEMENT, ITEMS, read_day
from bcapp.db import audit, suppliers
from bcapp.db.panel_requests import data_key
from bcapp.documents.uploads import inspect_paper
from bcapp.errors import RefusedByUs
from bcapp.jobs.papers import accept, accept_of_applicant, hand_in, refuse
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.kinds import BY_SLUG
from bcapp.web.panel.screen import Given, answer, frame, path_id
from bcapp.web.refusals import not_found
from bcapp.web.render import download, go
from bcapp.web.status_words import N_

NO_KEY = "The store has no key for documents, so nothing can be kept. Install the app again, then upload it."
JUDGEMENTS = (("accept", N_("Accept it")), ("refuse", N_("Refuse it")))


@dataclass(frozen=True)
class Party:
    """Whose papers a page is about. supplier: its facts; None for a company or a customer who applies."""

    record: RecordKey
    label: str
    back: str
    supplier: SupplierFacts | None = None

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        if self.supplier is None:
            return tuple(OF_APPLICANTS.items())
        return tuple((name, label) for name, label in ITEMS.items() if name != AGREEMENT)


async def _party(request: Request, visit: Visit) -> Party:
    words, db, number = BY_SLUG[request.url.path.split("/")[3]], visit.services.db, path_id(request)
    record = RecordKey(words.name, str(number))
    back = frame(request).url(words.path(record.id))
    if record.kind == SUPPLIER.name:
        facts = await suppliers.fetch_supplier(db, visit.store.hash, number)
        if facts is None:
            raise not_found()
        return Party(record, facts.label, back, facts)
    of = {"store_hash": visit.store.hash, "kind": record.kind, "id": record.id}
    if await db.fetch_one("fetch_record", of) is None:
        raise not_found()
    return Party(record, words.kind.named(record.id), back)


async def _paper(request: Request, visit: Visit, party: Party) -> dict[str, Any]:
    text = str(request.path_params["paper"])
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
    row = await visit.services.db.fetch_one("fetch_handed_in", {"store_hash": visit.store.hash, "id": number})
    if row is None or (row["record_kind"], row["record_id"]) != (party.record.kind, party.record.id):
        raise not_found()
    return row


async def _accept(visit: Visit, party: Party, paper_id: int, until: date | None) -> bool:
    db, store, by = visit.services.db, visit.store, visit.user.id
    if party.supplier is not None:
        return await accept(db, store, party.supplier, paper_id, expires_on=until, by=by, now=visit.now)
    return await accept_of_applicant(db, store.hash, party.record, paper_id, expires_on=until, by=by, now=visit.now)


def _until(given: Given) -> date | None:
    """Return the last day as typed, None for a paper that counts for good."""
    text = given.raw("until").strip()
    day = read_day(text) if text else None
    if text and day is None:
        given.errors["until"] = "A day is written like 2027-12-31."
    return day


async def read_file(form: FormData, errors: dict[str, str]) -> tuple[bytes, str]:
    """Return an uploaded paper and its media type; what is wrong with it stands in errors."""
    upload = form.get("file")
    if not isinstance(upload, UploadFile) or not upload.filename:
        errors["file"] = "Choose the file: a PDF, or a picture."
        return b"", ""
    content = await upload.read()
    try:
        return content, await inspect_paper(content)
    except RefusedByUs as exc:
        errors["file"] = str(exc)
        return b"", ""


@panel("papers.edit")
async def upload_paper(request: Request, visit: Visit) -> Response:
    """Take a paper that staff got; it counts at once, with the last day that they entered."""
    party = await _party(request, visit)
    names = party.names
    values, errors = {"name": names[0][0], "until": ""}, dict[str, str]()
    if request.method == "POST":
        form = await read_form(request)
        given = Given(form)
        values = {"name": given.raw("name")[:20], "until": given.raw("until")[:20]}
        name = given.choice("name", "Choose which paper it is.", [n for n, _ in names])
        until = _until(given)
        content, media = await read_file(form, given.errors)
        errors = given.errors
        db, s, by = visit.services.db, visit.store, visit.user.id
        key = await data_key(db, visit.services.secrets, s.hash)
        if key is None and not errors:
            errors["file"] = NO_KEY
        counts = False
        if not errors and key is not None:
            async with db.transaction():
                paper_id = await hand_in(
                    db, key, s.hash, party.record,
                    name=name, content=content, media=media, by=by, request_id=None, now=visit.now,
                )  # fmt: skip
                if paper_id is not None:
                    counts = await _accept(visit, party, paper_id, until)
            if counts:
                return go(request, party.back, toast="The paper is kept, and counts.")
            errors["file"] = "Another file of this paper came in this moment. Look at that one first."
    return answer(
        request, visit, "panel/paper_upload.html", None, 422 if errors else 200,
        active="requests", party=party, action=request.url.path, names=names, values=values, errors=errors,
        most=MOST_BYTES >> 20,
    )  # fmt: skip


@panel("papers.edit")
async def judge_paper(request: Request, visit: Visit) -> Response:
    """Accept a paper that was sent, with its last day, or refuse it with a word."""
    party = await _party(request, visit)
    row = await _paper(request, visit, party)
    back = party.back
    if row["state"] != PaperState.WAITING:
        return go(request, back, toast="It was decided before, or a newer one came.", toast_kind="info")
    values, errors = {"answer": "accept", "until": "", "why": ""}, dict[str, str]()
    if request.method == "POST":
        given = Given(await read_form(request))
        values = {name: given.raw(name)[: 2 * WHY_CHARACTERS] for name in values}
        what = given.choice("answer", "Choose whether you accept it.", [name for name, _ in JUDGEMENTS])
        until = _until(given) if what == "accept" else None
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True) if what == "refuse" else ""
        errors = given.errors
        if not errors:
            by, number = visit.user.id, int(row["id"])
            if what == "accept":
                done = await _accept(visit, party, number, until)
            else:
                done = await refuse(
                    visit.services, visit.store.hash, party.record, number, why=why, by=by, now=visit.now
                )
            if not done:
                return go(request, back, toast="It was decided before, or a newer one came.", toast_kind="info")
            said = "The paper is accepted, and counts." if what == "accept" else "The paper is refused."
            return go(request, back, toast=said)
    return answer(
        request, visit, "panel/paper_judge.html", None, 422 if errors else 200,
        active="requests", party=party, action=request.url.path, row=row, label=LABELS.get(row["name"], row["name"]),
        judgements=JUDGEMENTS, values=values, errors=errors, most=WHY_CHARACTERS,
    )  # fmt: skip


@panel("requests.download")
async def ask_file(request: Request, visit: Visit) -> Response:
    """Answer a ticket for the file of a paper."""
    await read_form(request)
    party = await _party(request, visit)
    row = await _paper(request, visit, party)
    return await give_ticket(request, visit, party.record, row["id"], bytes(row["sha256"]))


async def give_ticket(request: Request, visit: Visit, record: RecordKey, paper_id: int, sha256: bytes) -> Response:
    """Answer a ticket for a file that was handed in for a record, and write down who asked for it."""
    db, store_hash = visit.services.db, visit.store.hash
    ticket = await session.add_ticket(db, store_hash, visit.user.id, f"handed:{paper_id}", visit.now)
    await audit.append(
        db, store_hash, visit.now, actor=visit.actor, event="document_downloaded", record=record,
        detail={"paper": paper_id, "sha256": sha256.hex()},
    )  # fmt: skip
    return download(request, frame(request).url(f"download/{ticket}"))


ROUTES = [
    Route(f"/{slug}/{{id}}/papers/{rest}", endpoint, methods=methods, name=f"{slug}_{name}")
    for slug in ("suppliers", "companies", "customers")
    for rest, endpoint, methods, name in (
        ("upload", upload_paper, ["GET", "POST"], "paper_upload"),
        ("{paper}", judge_paper, ["GET", "POST"], "paper_judge"),
        ("{paper}/file", ask_file, ["POST"], "paper_file"),
    )
]
