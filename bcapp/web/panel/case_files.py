"""Files of a case: staff add photos and PDFs, download them, and take one away before anybody was asked."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.cases import MOST_FILES
from bcapp.core.papers import MOST_BYTES, PaperEvent, PaperState
from bcapp.db import audit, papers
from bcapp.db.cases import Case, fetch_case, files_of
from bcapp.db.panel_requests import data_key
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.papers import NO_KEY, give_ticket, read_file
from bcapp.web.panel.screen import answer, frame, path_id
from bcapp.web.refusals import not_found
from bcapp.web.render import go


async def _case(request: Request, visit: Visit) -> Case:
    case = await fetch_case(visit.services.db, visit.store.hash, path_id(request))
    if case is None:
        raise not_found()
    return case


async def _file(request: Request, visit: Visit, case: Case) -> tuple[int, bytes]:
    """Return the number and the hash of a file that this case has."""
    text = str(request.path_params["file"])
    for row in await files_of(visit.services.db, visit.store.hash, case.id):
        if str(row["id"]) == text:
            return int(row["id"]), bytes(row["sha256"])
    raise not_found()


async def _keep(visit: Visit, case: Case, content: bytes, media: str) -> str:
    """Keep a file of a case; return what is wrong, "" when it is kept. The same file twice is one."""
    db, store_hash = visit.services.db, visit.store.hash
    key = await data_key(db, visit.services.secrets, store_hash)
    if key is None:
        return NO_KEY
    digest = hashlib.sha256(content)
    async with db.transaction():
        await db.fetch_val("lock_case_files", {"store_hash": store_hash, "id": case.id})
        files = await files_of(db, store_hash, case.id)
        if any(bytes(row["sha256"]) == digest.digest() for row in files):
            return ""
        if len(files) >= MOST_FILES:
            return f"A case has at most {MOST_FILES} files. Take one away first, or put pages into one PDF."
        paper_id = await papers.add_paper(
            db, key, store_hash, case.record,
            name=digest.hexdigest()[:32], content=content, media=media, by=visit.user.id, request_id=None,
            now=visit.now,
        )  # fmt: skip
        await audit.append(
            db, store_hash, visit.now, actor=visit.actor, event="case_file_added", record=case.record,
            detail={"paper": paper_id, "sha256": digest.hexdigest()},
        )  # fmt: skip
    return ""


@panel("cases.open")
async def add_file(request: Request, visit: Visit) -> Response:
    """Add a photo or a PDF to a case that has not ended."""
    case = await _case(request, visit)
    back = frame(request).url(f"cases/{case.id}")
    if case.state.is_end:
        return go(request, back, toast="Nothing was added: the case has ended.", toast_kind="info")
    errors = dict[str, str]()
    if request.method == "POST":
        content, media = await read_file(await read_form(request), errors)
        if not errors and (problem := await _keep(visit, case, content, media)):
            errors["file"] = problem
        if not errors:
            return go(request, back, toast="The file is kept with the case.")
    return answer(
        request, visit, "panel/case_file.html", None, 422 if errors else 200,
        active="requests", case=case, back=back, action=request.url.path, errors=errors,
        most=MOST_BYTES >> 20, most_files=MOST_FILES,
    )  # fmt: skip


@panel("cases.open")
async def remove_file(request: Request, visit: Visit) -> Response:
    """Take a file away, as long as nobody was asked to sign about the case: its sheet may name it."""
    await read_form(request)
    case = await _case(request, visit)
    number, sha256 = await _file(request, visit, case)
    db, of = visit.services.db, {"store_hash": visit.store.hash, "id": case.id}
    async with db.transaction():
        await db.fetch_val("lock_case_files", of)
        asked = await db.fetch_val("case_was_asked", {"store_hash": visit.store.hash, "record": str(case.id)})
        gone = not asked and await papers.move(
            db, visit.store.hash, number, PaperState.WAITING, PaperEvent.TAKE_AWAY, now=visit.now
        )
        if gone:
            await audit.append(
                db, visit.store.hash, visit.now, actor=visit.actor, event="case_file_removed", record=case.record,
                detail={"paper": number, "sha256": sha256.hex()},
            )  # fmt: skip
    text = "The file is taken away." if gone else "Nothing was changed: the case was sent for a signature meanwhile."
    return go(request, frame(request).url(f"cases/{case.id}"), toast=text)


@panel("requests.download")
async def ask_file(request: Request, visit: Visit) -> Response:
    """Answer a ticket for a file of a case."""
    await read_form(request)
    case = await _case(request, visit)
    number, sha256 = await _file(request, visit, case)
    return await give_ticket(request, visit, case.record, number, sha256)


ROUTES = [
    Route("/cases/{id}/files/new", add_file, methods=["GET", "POST"], name="case_file_new"),
    Route("/cases/{id}/files/{file}/remove", remove_file, methods=["POST"], name="case_file_remove"),
    Route("/cases/{id}/files/{file}/get", ask_file, methods=["POST"], name="case_file_get"),
]
