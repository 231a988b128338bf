"""Agreements: texts with merge fields, uploaded PDFs, and templates of the signature service; every save a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.agreements import FIELDS, TABLES
from bcapp.core.markup import MarkupError
from bcapp.db import agreements, chunks, panel_requests
from bcapp.db.agreements import Agreement, Text
from bcapp.db.panel_requests import user_names
from bcapp.documents.uploads import inspect_upload
from bcapp.errors import RefusedByUs, Stale
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.previews import preview_blocks
from bcapp.web.panel.screen import Given, answer, frame, path_id, query_text
from bcapp.web.refusals import not_found
from bcapp.web.render import download, go

NAME_CHARACTERS = 120
TITLE_CHARACTERS = 200
BODY_CHARACTERS = 100_000  # a form field takes 128 kB
SOURCES = {"text": "Text", "pdf": "Uploaded PDF", "template": "Template of the signature service"}
MEANWHILE = (
    "Somebody else saved this agreement meanwhile. Open it again to see what they changed; "
    "what you typed is still here."
)
FIRST_TEXT = """# Parties and goods

This agreement is between {{store.name}} and {{billing.company}}, {{billing.name}}.

You order the following for {{order.total}}, delivered to:

{{shipping.address}}

{{order.items}}

# Terms

1. The goods stay ours until they are paid.
2. Claims are raised within 14 days of delivery.

{{tick: I have read the terms and accept them}}
"""


@dataclass(frozen=True)
class Form:
    """What was typed. mapping: placeholder -> merge field, "" for one that the signer fills in."""

    name: str = ""
    source: str = "text"
    title: str = ""
    body: str = ""
    template: str = ""  # "{account}:{uuid}"
    mapping: Mapping[str, str] | None = None


@panel("agreements.view")
async def show_agreements(request: Request, visit: Visit) -> Response:
    archived = query_text(request, "show") == "archived"
    rows = await agreements.list_agreements(visit.services.db, visit.store.hash, archived=archived)
    return answer(
        request, visit, "panel/agreements.html", active="agreements", rows=rows, archived=archived, sources=SOURCES
    )


# The editor -------------------------------------------------------------------------------------------------


def form_of(agreement: Agreement) -> Form:
    text = agreement.text
    template = text.template or {}
    return Form(
        name=agreement.name,
        source=text.source,
        title=text.title,
        body=text.body,
        template=f"{template.get('account_id', 0)}:{template['uuid']}" if template else "",
        mapping=template.get("mapping") or {},
    )


def _read(data: FormData, source: str) -> tuple[Form, dict[str, str]]:
    given = Given(data)
    form = Form(
        name=given.text("name", "The name", NAME_CHARACTERS, required=True)[: NAME_CHARACTERS * 2],
        source=source,
        title=given.text("title", "The title", TITLE_CHARACTERS, required=True)[: TITLE_CHARACTERS * 2],
        body=given.raw("body")[: BODY_CHARACTERS + 1],
        template=given.raw("template")[:120],
        mapping={k[4:84]: str(v)[:60] for k, v in data.items() if k.startswith("map.") and isinstance(v, str)},
    )
    return form, given.errors


@dataclass(frozen=True)
class Choice:
    """A template of an account, as last read. placeholders: external ids that a value can be filled into."""

    key: str
    account_id: int
    label: str
    uuid: str
    name: str
    frozen: list[dict[str, Any]]

    @property
    def placeholders(self) -> list[str]:
        ids = [e["external_id"] for e in self.frozen if e.get("external_id") and "role" not in e]
        return sorted(dict.fromkeys(ids))


async def _templates(visit: Visit) -> dict[str, Choice]:
    rows = await visit.services.db.fetch_all("panel_accounts", {"store_hash": visit.store.hash})
    found = {}
    for row in rows:
        for t in row["templates"]:
            key = f"{row['id']}:{t['uuid']}"
            label = t["name"] if len(rows) == 1 else f"{row['name']}: {t['name']}"
            found[key] = Choice(key, row["id"], label, t["uuid"], t["name"], t.get("placeholders") or [])
    return found


def _preview(form: Form) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the text as blocks, or what is wrong with it, line by line."""
    if form.source != "text" or not form.body.strip():
        return [], []
    try:
        return preview_blocks(form.body), []
    except MarkupError as exc:
        return [], [str(p) for p in exc.problems]
    except RefusedByUs as exc:
        return [], [str(exc)]


async def _editor(
    request: Request,
    visit: Visit,
    agreement: Agreement | None,
    form: Form,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
    block: str = "form",
) -> Response:
    url = frame(request).url
    blocks, problems = _preview(form)
    templates = await _templates(visit)
    return answer(
        request,
        visit,
        "panel/agreement.html",
        block,
        status,
        active="agreements",
        agreement=agreement,
        form=form,
        errors=dict(errors or {}),
        version=agreement.version if agreement else 0,
        action=url(f"agreements/{agreement.id}") if agreement else url("agreements/new", source=form.source),
        sources=SOURCES,
        blocks=blocks,
        problems=problems,
        merge_fields=list(FIELDS.values()),
        tables=TABLES,
        template_options=[("", "Choose"), *[(t.key, t.label) for t in templates.values()]],
        chosen=templates.get(form.template),
        merge_options=[("", "The signer fills it in"), *[(f.name, f.label) for f in FIELDS.values()]],
        can_edit=visit.may("agreements.edit") and not (agreement and agreement.archived),
        body_characters=BODY_CHARACTERS,
    )


async def _fetch(visit: Visit, agreement_id: int) -> Agreement:
    agreement = await agreements.fetch_agreement(visit.services.db, visit.store.hash, agreement_id)
    if agreement is None:
        raise not_found()
    return agreement


@panel("agreements.edit")
async def new_agreement(request: Request, visit: Visit) -> Response:
    source = query_text(request, "source")
    if source not in SOURCES:
        return answer(request, visit, "panel/agreement_new.html", active="agreements")
    if request.method != "POST":
        body = FIRST_TEXT if source == "text" else ""
        title = "Purchase agreement" if source == "text" else ""
        return await _editor(request, visit, None, Form(source=source, title=title, body=body))
    return await _save(request, visit, None, source)


@panel("agreements.view")
async def show_agreement(request: Request, visit: Visit) -> Response:
    agreement = await _fetch(visit, path_id(request))
    return await _editor(request, visit, agreement, form_of(agreement))


@panel("agreements.edit")
async def save_agreement(request: Request, visit: Visit) -> Response:
    agreement = await _fetch(visit, path_id(request))
    return await _save(request, visit, agreement, agreement.text.source)


async def _save(request: Request, visit: Visit, agreement: Agreement | None, source: str) -> Response:
    data = await read_form(request)
    form, errors = _read(data, source)
    if Given(data).raw("do"):  # another template was chosen, without script
        return await _editor(request, visit, agreement, form)
    if agreement is not None and agreement.archived:
        url = frame(request).url(f"agreements/{agreement.id}")
        return go(request, url, toast="Take it out of the archive first.", toast_kind="info")
    text = await _text(visit, agreement, form, data, errors)
    version = Given(data).number("version", "The version", 0, 2**31 - 1, default=0)
    if agreement is not None and not errors and version != agreement.version:
        errors[""] = MEANWHILE
    if errors or text is None:
        return await _editor(request, visit, agreement, form, errors, 422)
    db, store_hash, author, url_of = visit.services.db, visit.store.hash, visit.user.id, frame(request).url
    if agreement is None:
        agreement_id = await agreements.add_agreement(
            db, store_hash, name=form.name, text=text, author=author, now=visit.now
        )
        return go(request, url_of(f"agreements/{agreement_id}"), toast="The agreement is saved.")
    back = url_of(f"agreements/{agreement.id}")
    if form.name == agreement.name and text == agreement.text:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    try:
        new = await agreements.save_agreement(
            db, store_hash, agreement.id, name=form.name, text=text, version=version, author=author, now=visit.now
        )
    except Stale:
        return await _editor(request, visit, agreement, form, {"": MEANWHILE}, 422)
    return go(request, back, toast=f"Saved as version {new}. Requests that run keep theirs.")


async def _text(
    visit: Visit, agreement: Agreement | None, form: Form, data: FormData, errors: dict[str, str]
) -> Text | None:
    """Return the version's content; what is wrong stands in errors."""
    match form.source:
        case "pdf":
            return await _uploaded(visit, agreement, form, data, errors)
        case "template":
            return await _from_template(visit, form, errors)
    if not form.body.strip():
        errors["body"] = "Write the text of the agreement."
    elif len(form.body) > BODY_CHARACTERS:
        errors["body"] = f"The text has at most {BODY_CHARACTERS:,} characters."
    else:
        _, problems = _preview(form)
        if problems:
            errors["body"] = " ".join(problems[:5])
    return Text("text", form.title, form.body)


async def _uploaded(
    visit: Visit, agreement: Agreement | None, form: Form, data: FormData, errors: dict[str, str]
) -> Text | None:
    """Keep the PDF under the store's key once it is known to be harmless; without a new file the old one stays."""
    upload = data.get("file")
    if not isinstance(upload, UploadFile) or not upload.filename:
        if agreement is not None:
            return replace(agreement.text, title=form.title)
        errors["file"] = "Choose the PDF."
        return None
    content = await upload.read()
    try:
        await inspect_upload(content)
    except RefusedByUs as exc:
        errors["file"] = str(exc)
    if errors:
        return None
    s = visit.services
    key = await panel_requests.data_key(s.db, s.secrets, visit.store.hash)
    if key is None:
        errors["file"] = "Documents cannot be kept for this store now. Install the app again from Apps."
        return None
    return Text("pdf", form.title, content=await chunks.keep(s.db, key, visit.store.hash, content))


async def _from_template(visit: Visit, form: Form, errors: dict[str, str]) -> Text | None:
    """Freeze the template as it was last read: a change at the signature service then pauses the rule."""
    chosen = (await _templates(visit)).get(form.template)
    if chosen is None:
        errors["template"] = "Choose a template. New ones appear after the account is tested again."
        return None
    mapping = {k: v for k, v in (form.mapping or {}).items() if v}
    for placeholder, name in mapping.items():
        if placeholder not in chosen.placeholders:
            errors["template"] = "The template has other fields now. Choose it again."
        elif name not in FIELDS:
            errors[f"map.{placeholder}"] = "Choose a value from the list."
    template = {
        "account_id": chosen.account_id,
        "uuid": chosen.uuid,
        "name": chosen.name,
        "placeholders": chosen.frozen,
        "mapping": mapping,
    }
    return Text("template", form.title, template=template)


@panel("agreements.edit")
async def draft_agreement(request: Request, visit: Visit) -> Response:
    """Answer how the text reads with sample values, or a template's fields. Nothing is saved."""
    data = await read_form(request)
    source = query_text(request, "source")
    form, _ = _read(data, source if source in SOURCES else "text")
    block = "mapping" if form.source == "template" else "preview"
    return await _editor(request, visit, None, form, block=block)


# Versions, archive, sample ----------------------------------------------------------------------------------


@panel("agreements.view")
async def show_versions(request: Request, visit: Visit) -> Response:
    agreement = await _fetch(visit, path_id(request))
    db, store_hash = visit.services.db, visit.store.hash
    return answer(
        request,
        visit,
        "panel/agreement_versions.html",
        active="agreements",
        agreement=agreement,
        versions=await agreements.list_versions(db, store_hash, agreement.id),
        names=await user_names(db, store_hash),
        sources=SOURCES,
        can_restore=visit.may("agreements.edit") and not agreement.archived,
    )


@panel("agreements.edit")
async def restore_version(request: Request, visit: Visit) -> Response:
    """Save an older version as the newest one."""
    given = Given(await read_form(request))
    agreement = await _fetch(visit, path_id(request))
    db, store_hash = visit.services.db, visit.store.hash
    version = given.number("version", "The version", 1, 2**31 - 1, default=1)
    older = await agreements.fetch_version(db, store_hash, agreement.id, version)
    if older is None:
        raise not_found()
    back = frame(request).url(f"agreements/{agreement.id}")
    if older.texts == agreement.newest.texts or agreement.archived:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    try:
        await agreements.restore_agreement(
            db, store_hash, agreement.id, older,
            name=agreement.name, version=agreement.version, author=visit.user.id, now=visit.now,
        )  # fmt: skip
    except Stale as exc:
        return go(request, back, toast=str(exc), toast_kind="danger")
    return go(request, back, toast=f"Version {version} is restored.")


@panel("agreements.edit")
async def archive_agreement(request: Request, visit: Visit) -> Response:
    """Put an agreement away or take it out again; one that a rule in use asks for stays."""
    given = Given(await read_form(request))
    agreement = await _fetch(visit, path_id(request))
    archived = given.raw("archived") != "no"
    back = frame(request).url(f"agreements/{agreement.id}")
    if archived and agreement.rules:
        names = ", ".join(f"“{name}”" for name in agreement.rules[:3])
        return go(request, back, toast=f"It is used by {names}. Change the rule first.", toast_kind="danger")
    await agreements.set_archived(visit.services.db, visit.store.hash, agreement.id, archived, visit.user.id, visit.now)
    return go(
        request,
        frame(request).url("agreements") if archived else back,
        toast="The agreement is archived." if archived else "The agreement is in use again.",
    )


@panel("agreements.view")
async def ask_sample(request: Request, visit: Visit) -> Response:
    """Answer a ticket for the PDF with sample facts, as a signer would get it."""
    given = Given(await read_form(request))
    agreement = await _fetch(visit, path_id(request))
    if agreement.text.source == "template":
        raise not_found()
    version = given.number("version", "The version", 1, 2**31 - 1, default=agreement.version)
    subject = f"agreement:{agreement.id}:{version}"
    ticket = await session.add_ticket(visit.services.db, visit.store.hash, visit.user.id, subject, visit.now)
    return download(request, frame(request).url(f"download/{ticket}"))


ROUTES = [
    Route("/agreements", show_agreements, name="agreements"),
    Route("/agreements/new", new_agreement, methods=["GET", "POST"], name="agreement_new"),
    Route("/agreements/draft", draft_agreement, methods=["POST"], name="agreement_draft"),
    Route("/agreements/{id}", show_agreement, name="agreement"),
    Route("/agreements/{id}", save_agreement, methods=["POST"], name="agreement_save"),
    Route("/agreements/{id}/versions", show_versions, name="agreement_versions"),
    Route("/agreements/{id}/restore", restore_version, methods=["POST"], name="agreement_restore"),
    Route("/agreements/{id}/archive", archive_agreement, methods=["POST"], name="agreement_archive"),
    Route("/agreements/{id}/sample", ask_sample, methods=["POST"], name="agreement_sample"),
]
