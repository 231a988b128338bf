"""Earlier signatures from a file: upload, see what matches, bring it in."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.imports import COLUMNS, UnreadableSheet, read_sheet
from bcapp.db import acceptances, chunks
from bcapp.db.panel_requests import data_key, user_names
from bcapp.documents.bundles import unpack
from bcapp.errors import RefusedByUs
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.screen import Given, answer, frame, path_id, query_page, query_text
from bcapp.web.refusals import not_found
from bcapp.web.render import go, wants_part
from bcapp.web.status_words import N_

ROWS = 100
STATES = (
    ("", N_("All")),
    ("match", N_("Matches")),
    ("miss", N_("Misses")),
    ("known", N_("Known already")),
)
EXAMPLE = (
    ("Terms of sale", "2024-03-12", "ann@example.com", "", "", "", "Ann Lee", "ann-lee.pdf"),
    ("Terms of sale", "2024-05-02", "", "17", "1", "2027-12-31", "", ""),
)


@panel("acceptances.edit")
async def show_imports(request: Request, visit: Visit) -> Response:
    """List the imports, and take a new one."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        import_id = await _take(visit, await read_form(request), errors)
        if import_id is not None:
            url = frame(request).url(f"acceptances/imports/{import_id}")
            return go(request, url, toast="The file is being looked at. Nothing is brought in yet.")
    db, store_hash = visit.services.db, visit.store.hash
    return answer(
        request,
        visit,
        "panel/imports.html",
        None,
        422 if errors else 200,
        active="agreements",
        tab="imports",
        rows=await db.fetch_all("list_imports", {"store_hash": store_hash}),
        names=await user_names(db, store_hash),
        errors=errors,
        columns=COLUMNS,
        example=example(),
    )


def example() -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(EXAMPLE)
    return out.getvalue()


async def _take(visit: Visit, form: FormData, errors: dict[str, str]) -> int | None:
    """Keep the file's lines and the PDFs; what is wrong with the whole stands in errors."""
    sheet = form.get("sheet")
    if not isinstance(sheet, UploadFile) or not sheet.filename:
        errors["sheet"] = "Choose the CSV file."
        return None
    name = Given({"name": sheet.filename}).raw("name").replace("\n", " ")[:120]
    uploads = [(f.filename, await f.read()) for f in form.getlist("files") if isinstance(f, UploadFile) and f.filename]
    rows, pdfs = [], dict[str, bytes]()
    try:
        rows = await asyncio.to_thread(read_sheet, await sheet.read())
    except UnreadableSheet as exc:
        errors["sheet"] = str(exc)
    try:
        pdfs = await asyncio.to_thread(unpack, uploads)
    except RefusedByUs as exc:
        errors["files"] = str(exc)
    s = visit.services
    key = await data_key(s.db, s.secrets, visit.store.hash)
    if key is None and not errors:
        errors["sheet"] = "Documents cannot be kept for this store now. Install the app again from Apps."
    if errors or key is None:
        return None
    kept = {}
    for file, content in pdfs.items():
        kept[file] = (await chunks.keep(s.db, key, visit.store.hash, content)).hex()
    return await acceptances.add_import(
        s.db, visit.store.hash, file_name=name, files=kept, rows=rows, author=visit.user.id, now=visit.now
    )


@panel("acceptances.edit")
async def show_import(request: Request, visit: Visit) -> Response:
    """Show what was found line by line; while the worker looks, the page follows."""
    db, store_hash, number = visit.services.db, visit.store.hash, path_id(request)
    row = await db.fetch_one("fetch_import", {"store_hash": store_hash, "id": number})
    if row is None:
        raise not_found()
    state = query_text(request, "state")
    state = state if state in dict(STATES) else ""
    page, url = query_page(request), frame(request).url
    counts = await acceptances.import_counts(db, store_hash, number)
    kept = await db.fetch_val("import_kept", {"store_hash": store_hash, "id": number})
    lines = await db.fetch_all(
        "import_rows_page",
        {"store_hash": store_hash, "import_id": number, "state": state, "most": ROWS, "skip": (page - 1) * ROWS},
    )
    total = counts.get(state, 0) if state else sum(counts.values())
    base = f"acceptances/imports/{number}"
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    return answer(
        request,
        visit,
        "panel/import.html",
        "import",
        active="agreements",
        row=row,
        counts=counts,
        kept=kept,
        lines=lines,
        state=state,
        total=total,
        pills=[
            (label, url(base, state=name), counts.get(name, 0) if name else sum(counts.values()), name == state)
            for name, label in STATES
        ],
        last=max(1, -(-total // ROWS)),
        number=page,
        address=lambda n: url(base, state=state, page=n),
        unused=_unused(row["files"], lines) if state == "" and len(lines) == total else 0,
        names=await user_names(db, store_hash),
        is_moving=row["state"] in ("checking", "applying"),
        **quiet,
    )


def _unused(files: Mapping[str, str], lines: list[dict[str, object]]) -> int:
    """Count the PDFs that no line names; only when every line is in view."""
    named = {str(line["given"].get("file", "")).casefold() for line in lines if isinstance(line["given"], dict)}
    return sum(name not in named for name in files)


@panel("acceptances.edit")
async def apply_import(request: Request, visit: Visit) -> Response:
    await read_form(request)
    number = path_id(request)
    if await visit.services.db.fetch_one("fetch_import", {"store_hash": visit.store.hash, "id": number}) is None:
        raise not_found()
    began = await acceptances.apply_import(visit.services.db, visit.store.hash, number, visit.user.id, visit.now)
    return go(
        request, frame(request).url(f"acceptances/imports/{number}"),
        toast="The matches are being brought in." if began else "Nothing was changed: it is not ready, or done.",
        toast_kind="success" if began else "info",
    )  # fmt: skip


@panel("acceptances.edit")
async def discard_import(request: Request, visit: Visit) -> Response:
    """Forget an import that brought nothing in, with its lines."""
    await read_form(request)
    number = path_id(request)
    if await visit.services.db.fetch_one("fetch_import", {"store_hash": visit.store.hash, "id": number}) is None:
        raise not_found()
    gone = await acceptances.discard_import(visit.services.db, visit.store.hash, number, visit.user.id, visit.now)
    return go(
        request, frame(request).url("acceptances/imports"),
        toast="The import is discarded." if gone else "Nothing was changed.",
        toast_kind="success" if gone else "info",
    )  # fmt: skip


ROUTES = [
    Route("/acceptances/imports", show_imports, methods=["GET", "POST"], name="imports"),
    Route("/acceptances/imports/{id}", show_import, name="import"),
    Route("/acceptances/imports/{id}/apply", apply_import, methods=["POST"], name="import_apply"),
    Route("/acceptances/imports/{id}/discard", discard_import, methods=["POST"], name="import_discard"),
]
