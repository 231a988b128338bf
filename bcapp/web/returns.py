"""The returns form of shoppers: strangers to the panel, known only by a link that was mailed to the order's address.

Whoever asks for a link is told the same whether there is such an order or not; the worker finds that out, and mails.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bcapp.core.cases import CaseKind, CaseState
from bcapp.core.model import RecordKey
from bcapp.core.papers import MOST_BYTES
from bcapp.core.refunds import RefundItem
from bcapp.core.return_words import SHOPPER_REASONS, say
from bcapp.core.returns import GOOD_FOR, MOST_FILES, NOTE_CHARACTERS, TOLD, Offered, chosen, kinds_for, still_left
from bcapp.core.signer_words import language_of
from bcapp.core.stores import StoreDoing
from bcapp.db import audit
from bcapp.db.cases import NewCase, NewLine, files_of, open_case
from bcapp.db.panel_requests import data_key
from bcapp.db.papers import add_paper
from bcapp.db.returns import ask_for_form, ask_of_link, pieces_in_cases
from bcapp.db.stores import Store, fetch_store
from bcapp.documents.uploads import inspect_paper
from bcapp.errors import RefusedByUs
from bcapp.jobs.returns import LINK, PATH, PURPOSE
from bcapp.mail import ADDRESS
from bcapp.services import Services
from bcapp.sign_links import sign_digest, store_of_link
from bcapp.web.forms import TooLarge, close_form, read_form
from bcapp.web.inputs import Blank
from bcapp.web.refusals import Refusal, not_found
from bcapp.web.render import Frame, render

SENDER = "returns sender"  # purpose of the digest of an internet address
File = tuple[bytes, str]  # content, media type


@dataclass(frozen=True)
class Shopper:
    """Who came with a link. ask: its row, with the case that came of it. offered: what is left to ask for."""

    services: Services
    store: Store
    token: str
    ask: Mapping[str, Any]
    offered: Sequence[Offered]
    now: datetime

    @property
    def kinds(self) -> tuple[CaseKind, ...]:
        return kinds_for(shipped=self.ask["shipped"])


def _is_open(services: Services, store: Store | None) -> bool:
    """Without a mail server no link could come."""
    return (
        store is not None
        and store.may(StoreDoing.OPEN)
        and store.settings.returns_form
        and services.settings.smtp_url is not None
    )


def _show(request: Request, store: Store, language: str, name: str, status: int = 200, **context: Any) -> Response:
    """Render one of the form's pages. name: of the block that is shown."""

    def words(key: str, **values: object) -> str:
        return say(language, key, store=store.name, **values)

    now = request.app.state.services.clock.now()
    frame = Frame(store.hash, zone=store.timezone, locale=language, now=now, standalone=True)
    given = {
        "w": words,
        "shows": name,
        "store_name": store.name,
        "support_email": store.settings.support_email,
        "start": f"/{PATH}/{store.hash}",
        "order": "",
        "case": "",
        "told": "",
        "look": (),
        "errors": {},
        "most_files": MOST_FILES,
        "most_mb": MOST_BYTES >> 20,
        "most_note": NOTE_CHARACTERS,
        **context,
        "typed": Blank(context.get("typed", {})),
    }
    html = render("signers/returns.html", None, frame, given)
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def _language(request: Request) -> str:
    """The language that the browser asks for first."""
    return language_of(request.headers.get("accept-language", "en").split(",")[0].split(";")[0].strip())


def _came_from(request: Request) -> str:
    """Return the internet address that a request came from, "" where only the proxy's in between is known.

    One of a private network may stand for all shoppers: behind a proxy that is not trusted to tell (docs/operating.md).
    An IPv6 network counts as one sender: whoever has it has all of its addresses.
    """
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if not address.is_global:
        return ""
    return str(address if address.version == 4 else ipaddress.ip_network((address, 64), strict=False))


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.replace("\r\n", "\n").replace("\x00", "").strip() if isinstance(value, str) else ""


# Asking for a link ------------------------------------------------------------------------------------------


async def ask(request: Request) -> Response:
    """Take an order's number and the address it was placed with; say the same whatever there is."""
    try:
        services: Services = request.app.state.services
        store = await fetch_store(services.db, str(request.path_params["store_hash"]))
        if store is None or not store.may(StoreDoing.OPEN):
            raise not_found()
        language = _language(request)
        if not _is_open(services, store):
            return _show(request, store, language, "closed", 404)
        if request.method == "GET":
            return _show(request, store, language, "start")
        form = await read_form(request)
        typed = {"order": _text(form, "order").removeprefix("#"), "email": _text(form, "email").lower()}
        is_number = typed["order"].isascii() and typed["order"].isdecimal() and len(typed["order"]) < 15
        errors = {} if is_number and int(typed["order"]) else {"order": "wrong_order"}
        if len(typed["email"]) > 254 or not ADDRESS.fullmatch(typed["email"]):
            errors["email"] = "wrong_email"
        if errors:
            return _show(request, store, language, "start", 422, errors=errors, typed=typed)
        addresses = services.secrets.digests(PURPOSE, f"{store.hash}:{typed['email']}")
        # Asked too often is told like everything else: what is counted is nobody's business.
        senders = services.secrets.digests(SENDER, f"{store.hash}:{came}") if (came := _came_from(request)) else ()
        now = services.clock.now()
        await ask_for_form(services.db, store.hash, int(typed["order"]), addresses, language, now, senders)
        return _show(request, store, language, "asked", order=typed["order"])
    except Refusal as refusal:
        return refusal.page(request)
    finally:
        await close_form(request)


# The form ---------------------------------------------------------------------------------------------------


async def _shopper(request: Request) -> Shopper:
    """Return who the link was mailed to; a stranger gets 404, whatever is wrong with it."""
    services: Services = request.app.state.services
    token = str(request.path_params["token"])
    store_hash = store_of_link(token)
    store = await fetch_store(services.db, store_hash) if store_hash else None
    found = await ask_of_link(services.db, store.hash, sign_digest(token)) if store is not None else None
    if store is None or found is None or not store.may(StoreDoing.OPEN):
        raise not_found()
    pieces = await pieces_in_cases(services.db, store.hash, found["order_id"], found["expires_at"] - GOOD_FOR)
    offered = still_left([Offered.load(line) for line in found["offered"]], pieces)
    return Shopper(services, store, token, found, offered, services.clock.now())


def _page(request: Request, of: Shopper, status: int = 200, **context: Any) -> Response:
    """Show the form, or what became of it."""
    language, asked = of.ask["language"], of.ask
    given = {"order": asked["order_id"], "address": f"/{LINK}/{of.token}", **context}
    if asked["case_id"] is not None:
        told, tone, picture = TOLD[CaseState(asked["case_state"])]
        return _show(
            request, of.store, language, "told", told=told, look=(tone, picture), case=asked["case_id"], **given
        )
    if not _is_open(of.services, of.store):
        return _show(request, of.store, language, "closed", 404, **given)
    if asked["expires_at"] <= of.now:
        return _show(request, of.store, language, "old", 410, **given)
    return _show(
        request, of.store, language, "form" if of.offered else "nothing", status,
        kinds=[str(kind) for kind in of.kinds], reasons=SHOPPER_REASONS, offered=of.offered,
        **given,
    )  # fmt: skip


async def show(request: Request) -> Response:
    try:
        return _page(request, await _shopper(request))
    except Refusal as refusal:
        return refusal.page(request)


async def send(request: Request) -> Response:
    """Open the case that the shopper asks for: one per link, however often it is sent."""
    try:
        of = await _shopper(request)
        is_good = of.ask["case_id"] is None and of.ask["expires_at"] > of.now and _is_open(of.services, of.store)
        if not is_good or not of.offered:
            return _page(request, of) if of.ask["case_id"] is None else _back(of)
        try:
            form = await read_form(request)
        except TooLarge:  # nothing of it was read, so nothing of it can be shown again
            return _page(request, of, 413, errors={"files": "files_bad"})
        typed = {name: _text(form, name) for name in ("kind", "reason", "note")}
        typed |= {f"pieces_{line.id}": _text(form, f"pieces_{line.id}") for line in of.offered}
        errors: dict[str, str] = {}
        if typed["kind"] not in of.kinds:
            errors["kind"] = "choose"
        if typed["reason"] not in SHOPPER_REASONS:
            errors["reason"] = "choose"
        if len(typed["note"]) > NOTE_CHARACTERS:
            errors["note"] = "note_long"
        is_whole = typed["kind"] == CaseKind.CANCELLATION
        lines = chosen(of.offered, {line.id: typed[f"pieces_{line.id}"] for line in of.offered})
        if not is_whole and lines is None:
            errors["lines"] = "choose_pieces"
        files = await _files(form, errors)
        if errors:
            return _page(request, of, 422, errors=errors, typed=typed)
        if not await _open(of, typed, [] if is_whole else lines or [], files):
            return _page(request, of, 503, errors={"": "not_kept"}, typed=typed)
        return _back(of)
    except Refusal as refusal:
        return refusal.page(request)
    finally:
        await close_form(request)


async def _files(form: FormData, errors: dict[str, str]) -> list[File]:
    found: dict[bytes, File] = {}
    given = [f for f in form.getlist("files") if isinstance(f, UploadFile) and f.filename]
    if len(given) > MOST_FILES:
        errors["files"] = "files_bad"
        return []
    for upload in given:
        content = await upload.read()
        try:
            found[hashlib.sha256(content).digest()] = (content, await inspect_paper(content))
        except RefusedByUs:
            errors["files"] = "files_bad"
    return list(found.values())


async def _open(
    of: Shopper, typed: Mapping[str, str], lines: Sequence[tuple[Offered, int]], files: Sequence[File]
) -> bool:
    """Open the case with its files; False when files cannot be kept. The same link is the same case."""
    db, store_hash = of.services.db, of.store.hash
    key = await data_key(db, of.services.secrets, store_hash) if files else None
    if files and key is None:
        return False
    new = NewCase(
        CaseKind(typed["kind"]), of.ask["order_id"], "shopper",
        reason=typed["reason"], origin_key=str(of.ask["id"]), note=typed["note"],
        lines=tuple(
            NewLine(RefundItem("PRODUCT", line.id, pieces), line.name, line.sku, "", line.available, line.price)
            for line, pieces in lines
        ),
    )  # fmt: skip
    async with db.transaction():
        case_id = await open_case(db, store_hash, new, of.now)
        await db.fetch_val("lock_case_files", {"store_hash": store_hash, "id": case_id})
        kept = {bytes(row["sha256"]) for row in await files_of(db, store_hash, case_id)}
        for content, media in files:
            digest = hashlib.sha256(content)
            if key is not None and digest.digest() not in kept:
                record = RecordKey("case", str(case_id))
                paper_id = await add_paper(
                    db, key, store_hash, record, name=digest.hexdigest()[:32],
                    content=content, media=media, by=0, request_id=None, now=of.now,
                )  # fmt: skip
                await audit.append(
                    db, store_hash, of.now, actor="shopper", event="case_file_added", record=record,
                    detail={"paper": paper_id, "sha256": digest.hexdigest()},
                )  # fmt: skip
    return True


def _back(of: Shopper) -> Response:
    """Go back to the page, which is then safe to load again."""
    return RedirectResponse(f"/{LINK}/{of.token}", 303)


ROUTES = [
    Route(f"/{PATH}/{{store_hash}}", ask, methods=["GET", "POST"], name="returns"),
    Route(f"/{LINK}/{{token}}", show, methods=["GET"], name="returns_form"),
    Route(f"/{LINK}/{{token}}", send, methods=["POST"], name="returns_send"),
]
