"""What one customer signs instead of an agreement's own text: a PDF, terms, or their price list in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.agreements import Binding, parse_agreement
from bcapp.core.markup import MarkupError
from bcapp.db import agreements
from bcapp.db.agreements import Agreement
from bcapp.db.changing import bind_payload, unbind_payload
from bcapp.errors import RefusedByUs, Stale
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.agreements import BODY_CHARACTERS, BOUND_WHATS, TITLE_CHARACTERS, WAITS, fetch, keep_pdf, put
from bcapp.web.panel.screen import MOST_ID, NUMBER, Given, answer, frame, path_id
from bcapp.web.refusals import not_found
from bcapp.web.render import go

LABEL_CHARACTERS = 120


async def _page(
    request: Request,
    visit: Visit,
    agreement: Agreement,
    binding: Binding,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
    *,
    ask_again: bool = True,
) -> Response:
    whats = dict(BOUND_WHATS)
    if agreement.newest.source == "template":
        whats.pop("price_list")  # a template of the signature service takes no table of ours
    return answer(
        request,
        visit,
        "panel/binding.html",
        "form",
        status,
        active="agreements",
        agreement=agreement,
        binding=binding,
        errors=dict(errors or {}),
        action=request.url.path,
        whats=list(whats.items()),
        body_characters=BODY_CHARACTERS,
        ask_again=ask_again,
    )


async def _fetch(visit: Visit, agreement: Agreement, binding_id: int) -> Binding:
    for binding in await agreements.list_bindings(visit.services.db, visit.store.hash, agreement.id):
        if binding.id == binding_id:
            return binding
    raise not_found()


@panel("agreements.edit")
async def new_binding(request: Request, visit: Visit) -> Response:
    agreement = await fetch(visit, path_id(request))
    empty = Binding(0, agreement.id, "customer", "", "text", body=agreement.text.body)
    if request.method != "POST":
        return await _page(request, visit, agreement, empty)
    return await _save(request, visit, agreement, empty)


@panel("agreements.edit")
async def edit_binding(request: Request, visit: Visit) -> Response:
    agreement = await fetch(visit, path_id(request))
    binding = await _fetch(visit, agreement, path_id(request, "binding"))
    if request.method != "POST":
        return await _page(request, visit, agreement, binding)
    return await _save(request, visit, agreement, binding)


async def _save(request: Request, visit: Visit, agreement: Agreement, old: Binding) -> Response:
    data = await read_form(request)
    given = Given(data)
    binding = _read(given, agreement, old)
    errors = given.errors
    if binding.what == "pdf" and not errors:
        binding = await _pdf(visit, data, binding, old, errors)
    if agreement.archived:
        errors[""] = "Take the agreement out of the archive first."
    if errors:
        return await _page(request, visit, agreement, binding, errors, 422, ask_again=given.ticked("ask_again"))
    url = frame(request).url(f"agreements/{agreement.id}")
    payload = bind_payload(binding, ask_again=given.ticked("ask_again"), instead_of=old.id)
    what = {"pdf": "their own PDF", "text": "their own terms", "price_list": "it with their price list"}[binding.what]
    summary = f"{_party(binding)} signs {what} instead of the agreement “{agreement.name}”, which a live rule uses."
    if old.id and old.party_id != binding.party_id:
        summary += f" {_party(old)} signs the agreement's own text again."
    try:
        applied = await put(visit, agreement, payload, summary, about=f"{binding.party_kind}:{binding.party_id}")
    except (Stale, RefusedByUs) as exc:
        return go(request, url, toast=str(exc), toast_kind="danger")
    return go(request, url, toast="Saved. It is used for requests made from now on." if applied else f"Saved. {WAITS}")


def _party(binding: Binding) -> str:
    """Return whom it binds by the store's own number: a task of it outlives what is erased."""
    return f"{binding.party_kind.capitalize()} {binding.party_id}"


def _read(given: Given, agreement: Agreement, old: Binding) -> Binding:
    what = given.choice("what", "Choose what they sign.", list(BOUND_WHATS), "text")
    body = given.raw("body")[: BODY_CHARACTERS + 1]
    price_list = None
    if what == "price_list" or (what == "text" and given.raw("price_list_id").strip()):
        price_list = given.number("price_list_id", "The price list", 1, MOST_ID)
        if "price_list_id" in given.errors:
            given.errors["price_list_id"] = "Write the number of the price list, such as 3."
    if what == "price_list" and agreement.newest.source == "template":
        given.errors["what"] = "A price list cannot be set into a template of the signature service."
    if what == "text":
        _check_text(given, body, price_list)
    party = given.raw("party_id").strip()[:15]
    if not NUMBER.fullmatch(party) or not int(party):
        given.errors["party_id"] = "Write the number that BigCommerce gives them, such as 1024."
    return replace(
        old,
        party_id=party.lstrip("0"),
        label=given.text("label", "The name", LABEL_CHARACTERS),
        what=what,
        title=given.text("title", "The title", TITLE_CHARACTERS),
        body=body if what == "text" else "",
        content=old.content if what == "pdf" else None,
        price_list_id=price_list,
    )


def _check_text(given: Given, body: str, price_list: int | None) -> None:
    if not body.strip():
        given.errors["body"] = "Write their terms."
    elif len(body) > BODY_CHARACTERS:
        given.errors["body"] = f"The text has at most {BODY_CHARACTERS:,} characters."
    else:
        try:
            parse_agreement(body)
        except MarkupError as exc:
            given.errors["body"] = " ".join(str(p) for p in exc.problems[:5])
    if "price_list.items" in body and price_list is None and "price_list_id" not in given.errors:
        given.errors["price_list_id"] = "The text shows their prices: name the price list."


async def _pdf(visit: Visit, data: FormData, binding: Binding, old: Binding, errors: dict[str, str]) -> Binding:
    """Keep another PDF; without a new file the old one stays."""
    upload = data.get("file")
    if old.content is not None and not (isinstance(upload, UploadFile) and upload.filename):
        return binding
    text = await keep_pdf(visit, data, binding.title, errors)
    return replace(binding, content=text.content) if text else binding


@panel("agreements.edit")
async def end_binding(request: Request, visit: Visit) -> Response:
    """Let them sign the agreement's own text again, from the next request on."""
    agreement = await fetch(visit, path_id(request))
    binding = await _fetch(visit, agreement, path_id(request, "binding"))
    url = frame(request).url(f"agreements/{agreement.id}")
    summary = f"{_party(binding)} signs the own text of the agreement “{agreement.name}” again, which a live rule uses."
    about = f"{binding.party_kind}:{binding.party_id}"
    try:
        applied = await put(visit, agreement, unbind_payload(binding), summary, about=about)
    except (Stale, RefusedByUs) as exc:
        return go(request, url, toast=str(exc), toast_kind="danger")
    return go(request, url, toast="They sign the agreement's own text again." if applied else f"Asked. {WAITS}")


ROUTES = [
    Route("/agreements/{id}/bindings/new", new_binding, methods=["GET", "POST"], name="binding_new"),
    Route("/agreements/{id}/bindings/{binding}", edit_binding, methods=["GET", "POST"], name="binding"),
    Route("/agreements/{id}/bindings/{binding}/end", end_binding, methods=["POST"], name="binding_end"),
]
