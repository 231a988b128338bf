"""Settings of the store, section by section; what BigCommerce lets us do; what to do before an uninstall."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.actions import ActionKind
from bcapp.core.changes import Subject
from bcapp.core.connectors import BOOKS, STATUS_NAMES, read_statuses
from bcapp.core.model import RecordKey
from bcapp.core.settings import SHIPPING_TOOLS, StoreSettings, dump_settings, loosens_holds, parse_settings
from bcapp.core.stores import is_b2b_scope
from bcapp.db.accounts import ask_once
from bcapp.db.actions import queue_action
from bcapp.db.audit import append
from bcapp.db.deliveries import say_command
from bcapp.db.panel_requests import user_names
from bcapp.db.people import list_people
from bcapp.db.settings import Saved, holds_matter, list_held, list_hooks, list_left_hidden, read_data, save_settings
from bcapp.db.settings import keep_held as mark_kept
from bcapp.db.suppliers import supplier_record
from bcapp.errors import Stale
from bcapp.jobs.returns import PATH as RETURNS
from bcapp.mail import ADDRESS
from bcapp.stores import REQUIRED_SCOPES, store_record
from bcapp.web.forms import read_form
from bcapp.web.hold_words import ESCAPES, PAYMENT_MODES, describe_hold
from bcapp.web.inputs import Blank, Inputs
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.changing import Change, save, waiting
from bcapp.web.panel.kinds import TABLE
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page
from bcapp.web.status_words import N_
from bcapp.workflows.protocol import Command

COUNTED_DAYS = timedelta(days=7)

# Which optional scope adds what. The parameter strings are BigCommerce's, as its page on API accounts lists them.
OPTIONAL_SCOPES: dict[str, tuple[str, str]] = {
    "store_channel_settings_read_only": ("Channel Settings: read-only", "Rules that look at one storefront only."),
    "store_sites_read_only": ("Sites & Routes: read-only", "The right addresses of each storefront."),
    "store_v2_content": ("Content: modify", "The storefront widget, where shoppers see what they have to sign."),
    "store_v2_marketing": ("Marketing: modify", "Approval of promotions before they start."),
    "store_cart": ("Carts: modify", "Quotes made by hand: their buyer gets a link to a checkout with your own prices."),
    "store_app_extensions_manage": (
        "App Extensions: manage",
        "A Countersign panel on the order page of your control panel.",
    ),
}
# Its parameter string stands in none of BigCommerce's pages, so it is known by its name only.
B2B_SCOPE = ("B2B Edition: modify", "Approval of companies that apply for an account, and of quotes.")
# A scope to modify includes the read-only one.
INCLUDED_IN = {
    "store_channel_settings_read_only": "store_channel_settings",
    "store_sites_read_only": "store_sites",
}
COUNTER_WORDS = {
    "wrong_key": "Came with a wrong key and were refused",
    "wrong_signature": "Came with our key and a wrong signature, and were accepted",
    "previous_key": "Came with the previous key and were accepted",
    "old_signature": "Came with an old signature time and were accepted",
    "signature_only": "Came without our key, proven by their signature",
    "unknown_scope": "Were about something that we did not ask for",
    "unknown_callback": "Were about a request that we do not know",
    "store_not_active": "Came while the app was not active",
}
# What is read regularly because webhooks get lost, as people call it; rounds that only keep order are not told.
SWEEP_WORDS = {
    "orders": N_("Orders"),
    "refunds": N_("Refunds"),
    "customers": N_("Customers"),
    "companies": N_("Companies"),
    "quotes": N_("Quotes"),
    "promotions": N_("Promotions"),
    "suppliers": N_("Products of suppliers"),
}
LABELS = {
    "shipping_tool": "Shipping tool",
    "payment_mode": "How you are paid",
    "books": "ERP or accounting connector",
    "imports": "Further statuses that are imported",
    "escape_status": "Status of the hold",
    "release_capture": "Capture when signed",
    "alarm_person": "Who gets alarms",
    "support_email": "Address for questions",
    "staff_note": "Staff note",
    "returns_form": "Returns form",
    "test_mode_user": "Test mode",
}
# Section -> the settings that it saves.
FIELDS: dict[str, tuple[str, ...]] = {
    "orders": ("shipping_tool", "payment_mode", "books", "imports", "escape_status", "release_capture"),
    "alarms": ("alarm_person", "support_email"),
    "staff-note": ("staff_note",),
    "returns": ("returns_form",),
    "test-mode": ("test_mode_user",),
}
SECTIONS = (
    ("orders", "Orders and hold", "settings"),
    ("accounts", "Signature accounts", "settings/accounts"),
    ("alarms", "Alarms", "settings/alarms"),
    ("staff-note", "Staff note", "settings/staff-note"),
    ("returns", "Returns form", "settings/returns"),
    ("test-mode", "Test mode", "settings/test-mode"),
    ("rates", "Currencies and rates", "settings/rates"),
    ("webhooks", "Webhooks", "settings/webhooks"),
    ("endpoints", "Outgoing webhooks", "settings/endpoints"),
    ("api", "API keys", "settings/api"),
    ("scopes", "Access to your store", "settings/scopes"),
    ("data", "Data", "settings/data"),
    ("uninstall", "Prepare to uninstall", "settings/uninstall"),
)
WAITS = "It applies when a second manager approves it, or in 24 hours."
REGISTER_SAYS = {
    "asked": ("The webhooks are being registered again.", "success"),
    "running": ("They are being registered already.", "info"),
    "wait": ("You asked five times within a minute. Wait a moment.", "danger"),
}


def sections(frame: Frame, chosen: str) -> list[tuple[str, str, bool]]:
    """The list beside every settings page."""
    return [(label, frame.url(path), slug == chosen) for slug, label, path in SECTIONS]


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


def values_of(settings: StoreSettings, section: str) -> dict[str, Any]:
    stored = dump_settings(settings)
    return {name: stored[name] for name in FIELDS[section]}


async def _context(
    request: Request, visit: Visit, section: str, settings: StoreSettings, version: int
) -> dict[str, Any]:
    frame = _frame(request, visit)
    context: dict[str, Any] = {
        "active": "settings",
        "visit": visit,
        "sections": sections(frame, section),
        "section": section,
        "settings": settings,
        "version": version,
        "base": json.dumps(values_of(settings, section)),
        "errors": Blank(),
        "difference": [],
        "may_edit": visit.may("settings.edit"),
        "changes": await waiting(visit, Subject.SETTINGS, section),
    }
    if section == "orders":
        context |= hold_choices(settings)
    if section == "alarms":
        context["people"] = await people_choices(visit)
    if section == "returns":
        context["form_address"] = f"{visit.services.settings.app_url}/{RETURNS}/{visit.store.hash}"
        context["can_mail"] = visit.services.settings.smtp_url is not None
    return context


def hold_choices(settings: StoreSettings) -> dict[str, Any]:
    """What the questions about the hold offer, and what follows from the answers."""
    return {
        "tools": [(key, label) for key, (label, _) in SHIPPING_TOOLS.items()],
        "books": [(key, c.label) for key, c in BOOKS.items()],
        "modes": [(key, label, text) for key, (label, text) in PAYMENT_MODES.items()],
        "escapes": [(0, "Chosen by the shipping tool"), *((s, STATUS_NAMES[s]) for s in ESCAPES)],
        "hold": describe_hold(settings),
    }


async def people_choices(visit: Visit) -> list[tuple[int, str]]:
    people = await list_people(visit.services.db, visit.store.hash)
    return [(p.id, f"{p.name} ({p.email})") for p in people if p.state != "left"]


def read_hold(inputs: Inputs) -> dict[str, Any]:
    """Read the questions about the hold."""
    return {
        "shipping_tool": inputs.choice("shipping_tool", SHIPPING_TOOLS, "Choose what you ship with."),
        "payment_mode": inputs.choice("payment_mode", PAYMENT_MODES, "Choose how you are paid."),
    }


def read_others(inputs: Inputs) -> dict[str, Any]:
    """Read what else takes orders from the store."""
    imports = inputs.text("imports", most=60)
    try:
        read_statuses(imports)
    except ValueError:
        inputs.errors["imports"] = "List order statuses by number, such as 3, 9. They are 1 to 14."
    return {
        "books": inputs.choice("books", BOOKS, "Choose what reads your orders besides."),
        "imports": "" if "imports" in inputs.errors else imports,
    }


async def read_alarm_person(visit: Visit, inputs: Inputs) -> int:
    chosen = inputs.number("alarm_person")
    if chosen not in {number for number, _ in await people_choices(visit)}:
        inputs.errors["alarm_person"] = "Choose a person of the directory who has not left."
    return chosen


async def _read_section(visit: Visit, section: str, inputs: Inputs) -> dict[str, Any]:
    match section:
        case "orders":
            escape = inputs.number("escape_status")
            if escape not in (0, *ESCAPES):
                inputs.errors["escape_status"] = "Choose one of the statuses offered."
            others = read_others(inputs)
            return {
                **read_hold(inputs),
                **others,
                "escape_status": escape,
                "release_capture": inputs.is_on("release_capture"),
            }
        case "alarms":
            email = inputs.text("support_email", most=254).lower()
            if email and not ADDRESS.fullmatch(email):
                inputs.errors["support_email"] = "Enter one e-mail address, or leave it empty."
            return {"alarm_person": await read_alarm_person(visit, inputs), "support_email": email}
        case "staff-note":
            return {"staff_note": inputs.is_on("staff_note")}
        case "returns":
            return {"returns_form": inputs.is_on("returns_form")}
        case _:
            return {"test_mode_user": visit.user.id if inputs.is_on("test_mode") else 0}


def read_base(inputs: Inputs) -> dict[str, Any]:
    """What the form was made from; anything unreadable counts as unknown, which at most shows a difference."""
    try:
        base = json.loads(inputs.text("base", most=2000))
    except ValueError:
        return {}
    return base if isinstance(base, dict) else {}


@panel("settings.view")
async def show_section(request: Request, visit: Visit) -> Response:
    section = request.path_params.get("section", "orders")
    if section not in FIELDS:
        raise not_found()
    context = await _context(request, visit, section, visit.store.settings, visit.store.settings_version)
    return page(request, "panel/settings.html", "form", **context)


@panel("settings.edit")
async def save_section(request: Request, visit: Visit) -> Response:
    """Save one section; when another tab changed it meanwhile, show both and save on the second word."""
    section = request.path_params.get("section", "orders")
    if section not in FIELDS:
        raise not_found()
    inputs = Inputs(await read_form(request))
    changes = await _read_section(visit, section, inputs)
    typed = parse_settings({**dump_settings(visit.store.settings), **changes})
    if inputs.errors:
        context = await _context(request, visit, section, typed, visit.store.settings_version)
        context |= {"errors": inputs.errors, "base": inputs.text("base", most=2000)}
        return page(request, "panel/settings.html", "form", 422, **context)
    saved = await save_or_ask(visit, section, changes, version=inputs.number("version"), base=read_base(inputs))
    if isinstance(saved, Saved):
        context = await _context(request, visit, section, typed, saved.version)
        # The next save is made from what stands now: it is then the visitor's word against nobody's.
        context["base"] = json.dumps(values_of(saved.settings, section))
        context["difference"] = await difference(visit, values_of(saved.settings, section), changes)
        return page(request, "panel/settings.html", "form", 409, **context)
    path = next(path for slug, _, path in SECTIONS if slug == section)
    return go(request, _frame(request, visit).url(path), toast=saved)


async def save_or_ask(
    visit: Visit, section: str, changes: Mapping[str, Any], *, version: int, base: Mapping[str, Any]
) -> Saved | str:
    """Save values of one section, or have a second manager asked; return what to say, or the conflict met.

    What decides about orders that are held, or would be, is nobody's word alone.
    """
    before, db, store_hash = visit.store.settings, visit.services.db, visit.store.hash
    after = parse_settings({**dump_settings(before), **changes})
    there = dump_settings(before)
    is_stale = version != visit.store.settings_version and any(there[n] != base.get(n) for n in changes)
    if is_stale or not loosens_holds(before, after) or not await holds_matter(db, store_hash):
        saved = await save_settings(
            db, store_hash, changes, version=version, base=base, actor=visit.actor, now=visit.now
        )
        return saved if saved.conflict else "Saved."
    named = {name: value for name, value in changes.items() if name != "alarm_person"}  # a task names nobody
    told = "; ".join(f"{name}: {old} → {new}" for name, old, new in await difference(visit, there, named))
    payload = {"changes": dict(changes), "base": dict(base), "version": version}
    try:
        applied = await save(visit, Change(Subject.SETTINGS, section, payload, f"Change the settings: {told}"))
    except Stale:
        return Saved(before, visit.store.settings_version, conflict=True)
    return "Saved." if applied else WAITS


async def difference(visit: Visit, stands: Mapping[str, Any], typed: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (setting, what stands, what was typed) of what differs, in words."""
    people = dict(await people_choices(visit))

    def words(name: str, value: Any) -> str:
        if name == "shipping_tool":
            return SHIPPING_TOOLS[value][0] if value in SHIPPING_TOOLS else "Not chosen"
        if name == "books":
            return BOOKS[value].label if value in BOOKS else "Not chosen"
        if name == "imports":
            return value or "None"
        if name == "payment_mode":
            return PAYMENT_MODES[value][0] if value in PAYMENT_MODES else "Not chosen"
        if name == "escape_status":
            return STATUS_NAMES.get(value, "Chosen by the shipping tool")
        if name == "alarm_person":
            return people.get(value, "Nobody")
        if name == "support_email":
            return value or "None"
        return "On" if value else "Off"

    return [(LABELS[n], words(n, stands[n]), words(n, typed[n])) for n in typed if stands[n] != typed[n]]


@panel("settings.view")
async def explain_hold(request: Request, visit: Visit) -> Response:
    """Which hold follows from answers that are not saved yet."""
    inputs = Inputs(request.query_params)
    answers: dict[str, Any] = {**read_hold(inputs), **read_others(inputs)}
    escape = inputs.number("escape_status")
    answers |= {"escape_status": escape if escape in ESCAPES else 0, "release_capture": inputs.is_on("release_capture")}
    settings = parse_settings({**dump_settings(visit.store.settings), **answers})
    context = await _context(request, visit, "orders", settings, visit.store.settings_version)
    return page(request, "panel/settings.html", "hold_words", **context)


@panel("settings.view")
async def show_webhooks(request: Request, visit: Visit) -> Response:
    db, store_hash = visit.services.db, visit.store.hash
    counters = await db.fetch_all(
        "list_counters", {"store_hash": store_hash, "since": (visit.now - COUNTED_DAYS).date()}
    )
    totals: dict[str, int] = {}
    for row in counters:
        totals[row["name"]] = totals.get(row["name"], 0) + row["count"]
    record = store_record(store_hash)
    opened = await db.fetch_one(
        "panel_count_recent_actions",
        {
            "store_hash": store_hash,
            "record_kind": record.kind,
            "record_id": record.id,
            "kind": str(ActionKind.REGISTER_HOOKS),
            "since": visit.now,
        },
    )
    return page(
        request,
        "panel/webhooks.html",
        "hooks",
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "webhooks"),
        hooks=await list_hooks(db, store_hash),
        sweeps=[
            (SWEEP_WORDS[row["name"]], row)
            for row in await db.fetch_all("list_sweeps", {"store_hash": store_hash})
            if row["name"] in SWEEP_WORDS and row["last_at"] is not None
        ],
        registering=bool(opened and opened["open"]),
        counted=[
            (COUNTER_WORDS.get(name, name.replace("_", " ").capitalize()), count) for name, count in totals.items()
        ],
        may_edit=visit.may("settings.edit"),
    )


@panel("settings.edit")
async def register_again(request: Request, visit: Visit) -> Response:
    """Have the worker compare the webhooks with what they should be, and mend them."""
    said = await ask_once(
        visit.services.db,
        visit.store.hash,
        ActionKind.REGISTER_HOOKS,
        store_record(visit.store.hash),
        actor=visit.actor,
        now=visit.now,
    )
    text, kind = REGISTER_SAYS[said]
    return go(request, _frame(request, visit).url("settings/webhooks"), toast=text, toast_kind=kind)


@panel("settings.view")
async def show_scopes(request: Request, visit: Visit) -> Response:
    given = visit.store.scope
    optional = [
        (label, text, name in given or INCLUDED_IN.get(name, name) in given)
        for name, (label, text) in OPTIONAL_SCOPES.items()
    ]
    optional.append((*B2B_SCOPE, is_b2b_scope(" ".join(given))))
    return page(
        request,
        "panel/scopes.html",
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "scopes"),
        required=[(label, name in given) for name, label in REQUIRED_SCOPES.items()],
        optional=optional,
        missing=sum(1 for _, _, there in optional if not there),
    )


@panel("settings.view")
async def show_data(request: Request, visit: Visit) -> Response:
    return page(
        request,
        "panel/data.html",
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "data"),
        data=await read_data(visit.services.db, visit.store.hash),
    )


@panel("settings.view")
async def show_uninstall(request: Request, visit: Visit) -> Response:
    held = await list_held(visit.services.db, visit.store.hash)
    return page(
        request,
        "panel/uninstall.html",
        "held",
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "uninstall"),
        held=held,
        hidden=await list_left_hidden(visit.services.db, visit.store.hash),
        kinds=TABLE,
        names=await user_names(visit.services.db, visit.store.hash),
        undecided=sum(1 for h in held if h.kept_by is None and not h.asked),
        may_release=visit.may("holds.override"),
    )


async def _held_record(request: Request, visit: Visit) -> RecordKey:
    inputs = Inputs(await read_form(request))
    record = RecordKey(inputs.text("kind", most=40), inputs.text("id", most=64))
    if not record.kind or not record.id:
        raise not_found()
    return record


@panel("holds.override")
async def release_held(request: Request, visit: Visit) -> Response:
    """Let one held record go before the uninstall; the worker carries it out."""
    record = await _held_record(request, visit)
    s = visit.services
    held = {h.record: h for h in await list_held(s.db, visit.store.hash)}
    if await _show_products(visit, record):
        toast, kind = "Its products are being shown again.", "success"
    elif record not in held or held[record].asked:
        toast, kind = "It is not held any more, or is being released.", "info"
    else:
        command = Command("release", visit.user.id, "Prepared to uninstall")
        await say_command(s.db, s.secrets, visit.store.hash, record, command, visit.now)
        toast, kind = "It is being released.", "success"
    return go(request, _frame(request, visit).url("settings/uninstall"), toast=toast, toast_kind=kind)


async def _show_products(visit: Visit, record: RecordKey) -> bool:
    """Have the products shown that a supplier left hidden; False when there are none, or somebody asked already."""
    db, store_hash = visit.services.db, visit.store.hash
    async with db.transaction():
        await db.fetch_one("lock_record", {"store_hash": store_hash, "kind": record.kind, "id": record.id})
        hidden = {supplier_record(h.id): h for h in await list_left_hidden(db, store_hash)}
        if record not in hidden or hidden[record].asked:
            return False
        await queue_action(db, store_hash, ActionKind.SHOW_PRODUCTS, record, visit.now)
        actor = f"user:{visit.user.id}"
        await append(db, store_hash, visit.now, actor=actor, event="products_asked_back", record=record)
    return True


@panel("holds.override")
async def keep_held(request: Request, visit: Visit) -> Response:
    """Write down that a held record stays as it is when the app goes."""
    record = await _held_record(request, visit)
    await mark_kept(visit.services.db, visit.store.hash, record, user_id=visit.user.id, now=visit.now)
    return go(request, _frame(request, visit).url("settings/uninstall"), toast="It stays as it is.")


ROUTES = [
    Route("/settings", show_section, name="settings"),
    Route("/settings", save_section, methods=["POST"], name="save_settings"),
    Route("/settings/hold-words", explain_hold, name="hold_words"),
    Route("/settings/webhooks", show_webhooks, name="webhooks"),
    Route("/settings/webhooks", register_again, methods=["POST"], name="register_again"),
    Route("/settings/scopes", show_scopes, name="scopes"),
    Route("/settings/data", show_data, name="data"),
    Route("/settings/uninstall", show_uninstall, name="prepare_uninstall"),
    Route("/settings/uninstall/release", release_held, methods=["POST"], name="release_held"),
    Route("/settings/uninstall/keep", keep_held, methods=["POST"], name="keep_held"),
    # Last: accounts have a module of their own, and fixed paths come first.
    Route("/settings/{section:str}", show_section, name="settings_section"),
    Route("/settings/{section:str}", save_section, methods=["POST"], name="save_settings_section"),
]
