"""Agreements: texts with merge fields, uploaded PDFs, and templates of the signature service; every save a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.agreements import FIELDS, TABLES, language_key
from bcapp.core.changes import Subject
from bcapp.core.markup import MarkupError
from bcapp.core.merge import parse_profile
from bcapp.core.starters import STARTERS
from bcapp.db import agreements, chunks, panel_requests
from bcapp.db.agreements import Agreement, Text, Version
from bcapp.db.changing import apply_agreement, restore_payload, text_payload
from bcapp.db.panel_requests import user_names
from bcapp.documents.uploads import inspect_upload
from bcapp.errors import RefusedByUs, Stale
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.agreement_differences import Part, first_version, told_parts, version_difference
from bcapp.web.panel.changing import Change, Waiting, save, waiting
from bcapp.web.panel.facts import language_name
from bcapp.web.panel.people import LANGUAGES
from bcapp.web.panel.previews import FieldCheck, Preview, check_fields, preview, preview_blocks, used_of
from bcapp.web.panel.screen import Given, answer, frame, path_id, query_text
from bcapp.web.refusals import not_found
from bcapp.web.render import download, go

NAME_CHARACTERS = 120
TITLE_CHARACTERS = 200
BODY_CHARACTERS = 100_000  # a form field takes 128 kB
SOURCES = {"text": "Text", "pdf": "Uploaded PDF", "template": "Template of the signature service"}
WEIGHTS = {
    "material": ("Material", "Whoever signed an earlier version is asked again, where one signature counts for many."),
    "minor": ("Minor", "A typing mistake or a translation. Nobody signs again."),
}
POLICIES = {
    "line": "A line is left, to be filled in by hand",
    "refuse": "Nothing is sent; a person is told",
    "nothing": "Nothing stands there",
    "open": "The signer fills it in",
}
MEANWHILE = (
    "Somebody else saved this agreement meanwhile. What they changed stands below; what you typed is still here. "
    "Saving again makes your text the newest version."
)
BOUND_WHATS = {"pdf": "Their own PDF", "text": "Their own terms", "price_list": "This agreement with their price list"}
WAITS = "A live rule uses this agreement: it applies when a second manager approves it, or in 24 hours."
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
    """What was typed. mapping: placeholder -> merge field, "" for one that the signer fills in.

    language: of this text. weight: material | minor, "" for not said. main: it is for everybody without a text of
    their own. record: the order whose values the preview shows, "" for samples.
    """

    name: str = ""
    source: str = "text"
    title: str = ""
    body: str = ""
    template: str = ""  # "{account}:{uuid}"
    mapping: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    weight: str = ""
    main: bool = False
    record: str = ""


@panel("agreements.view")
async def show_agreements(request: Request, visit: Visit) -> Response:
    archived = query_text(request, "show") == "archived"
    rows = await agreements.list_agreements(visit.services.db, visit.store.hash, archived=archived)
    return answer(
        request,
        visit,
        "panel/agreements.html",
        active="agreements",
        rows=rows,
        archived=archived,
        sources=SOURCES,
        language_name=language_name,
    )


# The editor -------------------------------------------------------------------------------------------------


def form_of(agreement: Agreement, language: str) -> Form:
    """Return the form of one language; one without a text begins as a copy of the main one."""
    text = agreement.newest.texts.get(language, agreement.text)
    template = text.template or {}
    return Form(
        name=agreement.name,
        source=text.source,
        title=text.title,
        body=text.body,
        template=f"{template.get('account_id', 0)}:{template['uuid']}" if template else "",
        mapping=template.get("mapping") or {},
        language=language,
        weight="" if language in agreement.newest.texts else "minor",
        main=language == agreement.newest.main,
    )


def _read(data: FormData, source: str) -> tuple[Form, dict[str, str]]:
    given = Given(data)
    language = given.raw("language")[:12]
    form = Form(
        name=given.text("name", "The name", NAME_CHARACTERS, required=True)[: NAME_CHARACTERS * 2],
        source=source,
        title=given.text("title", "The title", TITLE_CHARACTERS, required=True)[: TITLE_CHARACTERS * 2],
        body=given.raw("body")[: BODY_CHARACTERS + 1],
        template=given.raw("template")[:120],
        mapping={k[4:84]: str(v)[:60] for k, v in data.items() if k.startswith("map.") and isinstance(v, str)},
        language=language_key(language),
        weight=given.raw("weight") if given.raw("weight") in WEIGHTS else "",
        main=given.ticked("main"),
        record=given.raw("record").strip().removeprefix("#")[:15],
    )
    if form.language not in LANGUAGES:
        given.errors["language"] = "Choose one of the languages."
    return form, given.errors


@dataclass(frozen=True)
class RoleOf:
    """A signer of a template. fields: how many of its fields are theirs."""

    number: int  # from 1
    signs: bool
    fields: int


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

    @property
    def roles(self) -> list[RoleOf]:
        """The template's signers in their order: the first signer of a request is the first of them."""
        numbers = sorted({e["signer"] for e in self.frozen})
        return [
            RoleOf(
                n + 1,
                any(e.get("role") == "sign" for e in self.frozen if e["signer"] == n),
                sum(1 for e in self.frozen if e["signer"] == n and "role" not in e),
            )
            for n in numbers
        ]


async def _templates(visit: Visit) -> dict[str, Choice]:
    rows = await visit.services.db.fetch_all("panel_accounts", {"store_hash": visit.store.hash})
    found = {}
    for row in rows:
        for t in row["templates"]:
            key = f"{row['id']}:{t['uuid']}"
            label = t["name"] if len(rows) == 1 else f"{row['name']}: {t['name']}"
            found[key] = Choice(key, row["id"], label, t["uuid"], t["name"], t.get("placeholders") or [])
    return found


async def _preview(visit: Visit, form: Form) -> Preview:
    """Return the text as it reads with a stored order's values, or samples, or what is wrong with it."""
    if form.source != "text" or not form.body.strip():
        return Preview()
    if len(form.body) > BODY_CHARACTERS:
        return Preview(problems=[f"The text has at most {BODY_CHARACTERS:,} characters."])
    s = visit.services
    record = form.record if form.record.isascii() and form.record.isdecimal() else ""
    title = form.title[:TITLE_CHARACTERS]
    return await preview(
        s, visit.store, title=title, body=form.body, language=form.language, record=record, now=visit.now
    )


async def _editor(
    request: Request,
    visit: Visit,
    agreement: Agreement | None,
    form: Form,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
    block: str = "form",
    meanwhile: Sequence[Part] = (),
    checked: FieldCheck | None = None,
) -> Response:
    url = frame(request).url
    templates = await _templates(visit)
    db, store_hash = visit.services.db, visit.store.hash
    missing = await agreements.missing_languages(db, store_hash, agreement, visit.now) if agreement else {}
    known = list(agreement.newest.texts) if agreement else [form.language]
    can_edit = visit.may("agreements.edit") and not (agreement and agreement.archived)
    shown = Preview()
    if block in ("form", "preview"):
        shown = await _preview(visit, form) if can_edit else _read_only(form)
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
        shown=shown,
        policies=POLICIES,
        weights=[(key, label, help_) for key, (label, help_) in WEIGHTS.items()],
        language_name=language_name,
        languages=[(x, language_name(x)) for x in LANGUAGES if x not in known],
        all_languages=[(x, language_name(x)) for x in LANGUAGES],
        pills=[
            (language_name(x), url(f"agreements/{agreement.id}", language=x), None, x == form.language)
            for x in dict.fromkeys([*known, form.language])
        ]
        if agreement
        else [],
        is_new_language=agreement is not None and form.language not in known,
        missing=missing,
        merge_fields=list(FIELDS.values()),
        tables=TABLES,
        template_options=[("", "Choose"), *[(t.key, t.label) for t in templates.values()]],
        chosen=templates.get(form.template),
        merge_options=[("", "The signer fills it in"), *[(f.name, f.label) for f in FIELDS.values()]],
        can_edit=can_edit,
        body_characters=BODY_CHARACTERS,
        meanwhile=meanwhile,
        checked=checked,
        bindings=await agreements.list_bindings(db, store_hash, agreement.id) if agreement else [],
        bound_whats=BOUND_WHATS,
        changes=await waits_for(visit, agreement) if agreement else [],
    )


async def put(visit: Visit, agreement: Agreement, payload: Mapping[str, Any], summary: str, about: str = "") -> bool:
    """Change the agreement; one that a live rule uses is left to a second manager. Return whether it applies already.

    payload: one of bcapp/db/changing.py. about: whom it concerns, "" for everybody. summary: one line, without
    personal data. Raises Stale when somebody else changed it meanwhile, RefusedByUs when it cannot be.
    """
    if agreement.is_live:
        subject_id = f"{agreement.id}:{about}" if about else str(agreement.id)
        return await save(visit, Change(Subject.AGREEMENT, subject_id, payload, summary))
    await apply_agreement(
        visit.services.db, visit.store.hash, agreement.id, payload, author=visit.user.id, now=visit.now
    )
    return True


async def waits_for(visit: Visit, agreement: Agreement) -> list[Waiting]:
    """Return the changes of this agreement that wait, those for single customers included."""
    number = str(agreement.id)
    return [
        change
        for change in await waiting(visit)
        if change.subject is Subject.AGREEMENT and change.subject_id.partition(":")[0] == number
    ]


def _told(agreement: Agreement, what: str, *, material: bool, parts: Sequence[Part]) -> str:
    """Return a new version in one line for the second manager: what it is and which lines it changes."""
    weight = "A material change" if material else "A minor change"
    told = told_parts(parts, language_name)
    return f"{weight} of the agreement “{agreement.name}”, which a live rule uses: {what}. {told}".rstrip()


def _read_only(form: Form) -> Preview:
    """Return the text with examples, for those who only read it."""
    if form.source != "text":
        return Preview()
    try:
        return Preview(preview_blocks(form.body))
    except MarkupError as exc:  # a merge field that this release does not know any more
        return Preview(problems=[str(p) for p in exc.problems])


async def fetch(visit: Visit, agreement_id: int) -> Agreement:
    """Return an agreement of the visitor's store, or raise the refusal 404."""
    agreement = await agreements.fetch_agreement(visit.services.db, visit.store.hash, agreement_id)
    if agreement is None:
        raise not_found()
    return agreement


@panel("agreements.edit")
async def new_agreement(request: Request, visit: Visit) -> Response:
    source = query_text(request, "source")
    if source not in SOURCES:
        return answer(request, visit, "panel/agreement_new.html", active="agreements", starters=STARTERS)
    if request.method != "POST":
        language = language_key(parse_profile(visit.store.profile).language).partition("-")[0]
        begin = STARTERS.get(query_text(request, "begin"))
        title, body = (begin.title, begin.body) if begin else ("Purchase agreement", FIRST_TEXT)
        form = Form(
            source=source,
            title=title if source == "text" else "",
            body=body if source == "text" else "",
            language=language if language in LANGUAGES else "en",
            main=True,
        )
        return await _editor(request, visit, None, form)
    return await _save(request, visit, None, source)


@panel("agreements.view")
async def show_agreement(request: Request, visit: Visit) -> Response:
    agreement = await fetch(visit, path_id(request))
    asked = language_key(query_text(request, "language") or agreement.newest.main)
    known = asked in agreement.newest.texts or (visit.may("agreements.edit") and asked in LANGUAGES)
    return await _editor(request, visit, agreement, form_of(agreement, asked if known else agreement.newest.main))


@panel("agreements.edit")
async def save_agreement(request: Request, visit: Visit) -> Response:
    agreement = await fetch(visit, path_id(request))
    return await _save(request, visit, agreement, agreement.text.source)


async def _save(request: Request, visit: Visit, agreement: Agreement | None, source: str) -> Response:
    data = await read_form(request)
    form, errors = _read(data, source)
    if Given(data).raw("do"):  # another template was chosen, without script
        return await _editor(request, visit, agreement, form)
    db, store_hash, author, url_of = visit.services.db, visit.store.hash, visit.user.id, frame(request).url
    if agreement is not None and agreement.archived:
        url = url_of(f"agreements/{agreement.id}")
        return go(request, url, toast="Take it out of the archive first.", toast_kind="info")
    text = await _text(visit, agreement, form, data, errors)
    if agreement is None:
        if errors or text is None:
            return await _editor(request, visit, agreement, form, errors, 422)
        agreement_id = await agreements.add_agreement(
            db, store_hash, name=form.name, text=text, author=author, now=visit.now, language=form.language
        )
        return go(request, url_of(f"agreements/{agreement_id}"), toast="The agreement is saved.")
    version = Given(data).number("version", "The version", 0, 2**31 - 1, default=0)
    if text is not None and not errors and version != agreement.version:
        return await _meanwhile(request, visit, agreement, form, version)
    newest = agreement.newest
    back = url_of(f"agreements/{agreement.id}", language="" if form.language == newest.main else form.language)
    main = form.language if form.main else newest.main
    is_same = form.name == agreement.name and main == newest.main and text == newest.texts.get(form.language)
    if is_same and not errors:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    if not form.weight:
        errors["weight"] = "Say whether the change is material or minor."
    if errors or text is None:
        return await _editor(request, visit, agreement, form, errors, 422)
    material = form.weight == "material"
    payload = text_payload(form.name, text, version=version, language=form.language, material=material, main=main)
    made = replace(newest, main=main, texts={**newest.texts, form.language: text})
    what = f"version {version + 1}" if form.name == agreement.name else f"version {version + 1}, named “{form.name}”"
    summary = _told(agreement, what, material=material, parts=version_difference(newest, made))
    try:
        applied = await put(visit, agreement, payload, summary)
    except Stale:
        return await _meanwhile(request, visit, await fetch(visit, agreement.id), form, version)
    if not applied:
        return go(request, back, toast=f"Saved. {WAITS}")
    return go(request, back, toast=f"Saved as version {version + 1}. Requests that run keep theirs.")


async def _meanwhile(request: Request, visit: Visit, agreement: Agreement, form: Form, version: int) -> Response:
    """Show what somebody else changed since this form was opened; pressing Save again then saves on top of it."""
    db, store_hash = visit.services.db, visit.store.hash
    base = await agreements.fetch_version(db, store_hash, agreement.id, version)
    parts = version_difference(base, agreement.newest) if base else []
    return await _editor(request, visit, agreement, form, {"": MEANWHILE}, 422, meanwhile=parts)


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
        problems = _read_only(form).problems
        if problems:
            errors["body"] = " ".join(problems[:5])
    return Text("text", form.title, form.body)


async def _uploaded(
    visit: Visit, agreement: Agreement | None, form: Form, data: FormData, errors: dict[str, str]
) -> Text | None:
    """Keep the PDF of this language; without a new file the old one stays."""
    old = agreement.newest.texts.get(form.language) if agreement else None
    upload = data.get("file")
    if old is not None and not (isinstance(upload, UploadFile) and upload.filename):
        return replace(old, title=form.title)
    return await keep_pdf(visit, data, form.title, errors)


async def keep_pdf(visit: Visit, data: FormData, title: str, errors: dict[str, str]) -> Text | None:
    """Keep an uploaded PDF under the store's key once it is known to be harmless; what is wrong stands in errors."""
    upload = data.get("file")
    if not isinstance(upload, UploadFile) or not upload.filename:
        errors["file"] = "Choose the PDF."
        return None
    content = await upload.read()
    try:
        known = await inspect_upload(content)
    except RefusedByUs as exc:
        errors["file"] = str(exc)
    if errors:
        return None
    s = visit.services
    key = await panel_requests.data_key(s.db, s.secrets, visit.store.hash)
    if key is None:
        errors["file"] = "Documents cannot be kept for this store now. Install the app again from Apps."
        return None
    kept = await chunks.keep(s.db, key, visit.store.hash, content)
    return Text("pdf", title, content=kept, found=known.fields)


async def _from_template(visit: Visit, form: Form, errors: dict[str, str]) -> Text | None:
    """Freeze the template as it was last read: a change at the signature service then pauses the rule."""
    chosen = (await _templates(visit)).get(form.template)
    if chosen is None:
        errors["template"] = "Choose a template. New ones appear after the account is tested again."
        return None
    mapping = {k: v for k, v in form.mapping.items() if v}
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
    """Answer how the text reads with sample values or a stored order's, or a template's fields. Nothing is saved."""
    data = await read_form(request)
    source = query_text(request, "source")
    form, _ = _read(data, source if source in SOURCES else "text")
    block = "mapping" if form.source == "template" else "preview"
    return await _editor(request, visit, None, form, block=block)


@panel("agreements.edit")
async def check_agreement(request: Request, visit: Visit) -> Response:
    """Answer which of the last stored orders would leave which merge field empty. Nothing is saved."""
    data = await read_form(request)
    form, errors = _read(data, "template" if query_text(request, "source") == "template" else "text")
    text = Text("text", form.title, form.body[:BODY_CHARACTERS])
    if form.source == "template":
        text = Text("template", form.title, template={"mapping": {k: v for k, v in form.mapping.items() if v}})
    try:
        used = used_of(text)
    except MarkupError:
        return await _editor(request, visit, None, form, block="check")
    checked = await check_fields(visit.services, visit.store, used, form.language, visit.now)
    return await _editor(request, visit, None, form, errors, block="check", checked=checked)


@panel("agreements.edit")
async def remove_language(request: Request, visit: Visit) -> Response:
    """Take a language out: a new version without it."""
    given = Given(await read_form(request))
    agreement = await fetch(visit, path_id(request))
    language, back = given.raw("language")[:12], frame(request).url(f"agreements/{agreement.id}")
    if language not in agreement.newest.texts or language == agreement.newest.main or agreement.archived:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    payload = text_payload(agreement.name, None, version=agreement.version, language=language, material=False)
    what = f"the text in {language_name(language)} is taken out"
    try:
        applied = await put(visit, agreement, payload, _told(agreement, what, material=False, parts=()))
    except (Stale, RefusedByUs) as exc:
        return go(request, back, toast=str(exc), toast_kind="danger")
    return go(request, back, toast=f"{language_name(language)} is taken out." if applied else f"Asked. {WAITS}")


# Versions, archive, sample ----------------------------------------------------------------------------------


@panel("agreements.view")
async def show_versions(request: Request, visit: Visit) -> Response:
    agreement = await fetch(visit, path_id(request))
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
        language_name=language_name,
    )


async def _version(visit: Visit, agreement: Agreement, number: int) -> Version:
    found = await agreements.fetch_version(visit.services.db, visit.store.hash, agreement.id, number)
    if found is None:
        raise not_found()
    return found


@panel("agreements.view")
async def show_version(request: Request, visit: Visit) -> Response:
    """Show one version: what it changed, and what restoring it would change."""
    agreement = await fetch(visit, path_id(request))
    return await _version_page(request, visit, agreement, await _version(visit, agreement, path_id(request, "version")))


async def _version_page(
    request: Request, visit: Visit, agreement: Agreement, version: Version, error: str = "", status: int = 200
) -> Response:
    db, store_hash = visit.services.db, visit.store.hash
    before = await agreements.fetch_version(db, store_hash, agreement.id, version.number - 1)
    return answer(
        request,
        visit,
        "panel/agreement_version.html",
        None,
        status,
        active="agreements",
        agreement=agreement,
        version=version,
        parts=version_difference(before, version) if before else first_version(version),
        is_first=before is None,
        since=version_difference(version, agreement.newest) if version.number != agreement.version else [],
        names=await user_names(db, store_hash),
        sources=SOURCES,
        weights=[(key, label, help_) for key, (label, help_) in WEIGHTS.items()],
        language_name=language_name,
        can_restore=visit.may("agreements.edit") and not agreement.archived and version.number != agreement.version,
        error=error,
    )


@panel("agreements.edit")
async def restore_version(request: Request, visit: Visit) -> Response:
    """Save an older version as the newest one."""
    given = Given(await read_form(request))
    agreement = await fetch(visit, path_id(request))
    older = await _version(visit, agreement, path_id(request, "version"))
    back = frame(request).url(f"agreements/{agreement.id}")
    same = (older.texts, older.main) == (agreement.newest.texts, agreement.newest.main)
    if same or agreement.archived:
        return go(request, back, toast="Nothing was changed.", toast_kind="info")
    weight = given.choice("weight", "Say whether the change is material or minor.", list(WEIGHTS))
    if given.errors:
        return await _version_page(request, visit, agreement, older, given.errors["weight"], 422)
    material = weight == "material"
    payload = restore_payload(agreement.name, older.number, version=agreement.version, material=material)
    parts = version_difference(agreement.newest, older)
    summary = _told(agreement, f"version {older.number} is restored", material=material, parts=parts)
    try:
        applied = await put(visit, agreement, payload, summary)
    except (Stale, RefusedByUs) as exc:
        return go(request, back, toast=str(exc), toast_kind="danger")
    return go(request, back, toast=f"Version {older.number} is restored." if applied else f"Asked. {WAITS}")


@panel("agreements.edit")
async def archive_agreement(request: Request, visit: Visit) -> Response:
    """Put an agreement away or take it out again; one that a rule in use asks for stays."""
    given = Given(await read_form(request))
    agreement = await fetch(visit, path_id(request))
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
    agreement = await fetch(visit, path_id(request))
    if agreement.text.source == "template":
        raise not_found()
    version = given.number("version", "The version", 1, 2**31 - 1, default=agreement.version)
    language = given.raw("language")[:12] or agreement.newest.main
    subject = f"agreement:{agreement.id}:{version}:{language_key(language)}"
    ticket = await session.add_ticket(visit.services.db, visit.store.hash, visit.user.id, subject, visit.now)
    return download(request, frame(request).url(f"download/{ticket}"))


ROUTES = [
    Route("/agreements", show_agreements, name="agreements"),
    Route("/agreements/new", new_agreement, methods=["GET", "POST"], name="agreement_new"),
    Route("/agreements/draft", draft_agreement, methods=["POST"], name="agreement_draft"),
    Route("/agreements/check", check_agreement, methods=["POST"], name="agreement_check"),
    Route("/agreements/{id}", show_agreement, name="agreement"),
    Route("/agreements/{id}", save_agreement, methods=["POST"], name="agreement_save"),
    Route("/agreements/{id}/versions", show_versions, name="agreement_versions"),
    Route("/agreements/{id}/versions/{version}", show_version, name="agreement_version"),
    Route("/agreements/{id}/versions/{version}/restore", restore_version, methods=["POST"], name="agreement_restore"),
    Route("/agreements/{id}/languages/remove", remove_language, methods=["POST"], name="agreement_language_remove"),
    Route("/agreements/{id}/archive", archive_agreement, methods=["POST"], name="agreement_archive"),
    Route("/agreements/{id}/sample", ask_sample, methods=["POST"], name="agreement_sample"),
]
