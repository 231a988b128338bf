"""Records that were looked at, of every kind: how the hold stands, why a rule asks or does not, what a person may do.

The addresses are made from the kinds (bcapp/web/panel/kinds.py): /orders, /orders/{id}, /orders/{id}/look and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.decisions import changes, missing, nearest
from bcapp.core.fields import OPERATOR_WORDS
from bcapp.core.inputs import Typed, typed_inputs
from bcapp.core.model import RecordKey
from bcapp.core.states import HoldState
from bcapp.core.whatif import EDITS
from bcapp.db import panel_requests
from bcapp.db.decisions import list_decisions
from bcapp.db.deliveries import say_look
from bcapp.db.panel_requests import Search
from bcapp.db.requests import requests_of
from bcapp.db.rules import Choices, list_choices
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.facts import input_label, plain_rows
from bcapp.web.panel.history import action_word, timeline
from bcapp.web.panel.kinds import BY_SLUG, RecordKind, shown_kinds
from bcapp.web.panel.parts import Look
from bcapp.web.panel.requests import Step
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
from bcapp.web.refusals import not_found
from bcapp.web.render import go, wants_part
from bcapp.workflows.protocol import Command

SCOPES = (
    ("all", "All"),
    ("held", "On hold"),
    ("released", "Released"),
    ("let_go", "Let go unsigned"),
    ("none", "Not held"),
)
UNSIGNED = ("unsigned", "Shipped unsigned")  # of orders only
RELEASABLE = frozenset(
    str(s) for s in (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT, HoldState.RELEASING, HoldState.JOINED)
)
MOST_SIGNERS = 10
MOST_OTHERS = 100  # rules beside the nearest three
DECISIONS = {
    "asks": ("Asks", "success"),
    "covered": ("Covered", "success"),
    "exempt": ("Exempt", "success"),
    "would_ask": ("Would ask", "primary"),
    "no_match": ("Does not ask", "secondary"),
    "before_boundary": ("Left alone", "secondary"),
    "not_storefront": ("Left alone", "secondary"),
    "not_placed": ("Left alone", "secondary"),
    "paused": ("Paused", "warning"),
    "unjudged": ("Lets pass", "warning"),
}


@panel("requests.view")
async def show_records(request: Request, visit: Visit) -> Response:
    """List the records of a kind that were looked at; a number that was never seen is offered to be opened."""
    words = _words(request)
    scope = query_text(request, "hold")
    scopes = (*SCOPES, UNSIGNED) if words.name == "order" else SCOPES
    search = Search(
        kind=words.name,
        scope=scope if scope in dict(scopes) else "all",
        q=query_text(request, "q").removeprefix("#"),
        page=query_page(request),
        personal=visit.may("requests.facts"),
    )
    found = await panel_requests.find_records(visit.services.db, visit.store.hash, search)
    url = frame(request).url
    return answer(
        request,
        visit,
        "panel/records.html",
        "list",
        active="requests",
        words=words,
        found=found,
        search=search,
        pills=[
            (
                label,
                url(words.slug, q=search.q, hold="" if name == "all" else name),
                found.counts[name],
                name == search.scope,
            )
            for name, label in scopes
        ],
        address=lambda number: url(words.slug, q=search.q, hold=scope, page=number),
        can_read=words.kind.is_remote and search.q.isascii() and search.q.isdecimal() and len(search.q) < 15,
        label_of=lambda row: shown_label(visit, row["kind"], row["id"], row["label"]),
    )


def _words(request: Request) -> RecordKind:
    """Return the kind whose pages these are: it stands behind /s/{store_hash}/."""
    return BY_SLUG[str(request.scope["path"]).split("/")[3]]


def _record(request: Request) -> RecordKey:
    return RecordKey(_words(request).name, str(path_id(request)))


class Kept(dict[str, Any]):
    """Facts as kept: what an earlier release did not keep yet is None, and no bug of its page."""

    def __missing__(self, key: str) -> None:
        return None


async def _fetch(visit: Visit, record: RecordKey) -> dict[str, Any] | None:
    values = {"store_hash": visit.store.hash, "kind": record.kind, "id": record.id}
    return await visit.services.db.fetch_one("fetch_record", values)


def _unseen(request: Request, visit: Visit, words: RecordKind, record: RecordKey, *, asked: bool) -> Response:
    """Answer for a record that was never read."""
    return answer(
        request, visit, "panel/record_unseen.html", "waiting",
        active="requests", words=words, number=record.id, url=frame(request).url(words.path(record.id)), asked=asked,
    )  # fmt: skip


@panel("requests.view")
async def show_record(request: Request, visit: Visit) -> Response:
    """Show a record as last read. One that was never read asks for it by a POST of its own, and follows."""
    db, store_hash = visit.services.db, visit.store.hash
    words, record = _words(request), _record(request)
    row = await _fetch(visit, record)
    if row is None and not words.kind.is_remote:
        raise not_found()
    if row is None or row["looked_at"] is None:
        # One of our own tables is looked at as soon as it is made.
        asked = bool(request.query_params.get("wait")) or not words.kind.is_remote
        return _unseen(request, visit, words, record, asked=asked)
    if request.query_params.get("wait"):
        return go(request, frame(request).url(words.path(record.id)))
    around = await panel_requests.around_record(db, store_hash, record)
    facts = Kept(row["facts"])
    history = await list_decisions(db, store_hash, record)
    traces = history[0].traces if history else ()
    near = nearest(traces)
    look = Look(visit, record, row, around)
    own: dict[str, Any] = {"hold_rows": [], "buttons": []}
    for more in words.more:
        added = await more(look)
        own = {**own, **added, **{name: [*own[name], *added.get(name, ())] for name in ("hold_rows", "buttons")}}
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    return answer(
        request,
        visit,
        "panel/record.html",
        "record",
        active="requests",
        words=words,
        row=row,
        record=record,
        facts=facts,
        snapshot=facts.get("snapshot") or {},
        around=around,
        label=shown_label(visit, record.kind, record.id, row["label"]),
        sees_facts=visit.may("requests.facts"),
        can_release=visit.may("holds.override") and around.hold is not None and around.hold["state"] in RELEASABLE,
        can_send=visit.may("requests.send") and row["gone_since"] is None,
        typed=await _typed(visit, record, row["currency"] or ""),
        input_label=input_label,
        entries=timeline(around.timeline, around.names, words.kind.label),
        covers=await db.fetch_all(
            "covers_of_record", {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
        ),
        action_word=action_word,
        plain_facts=plain_rows(facts.get("snapshot") or {}),
        decisions=DECISIONS,
        near=near,
        others=[t for t in traces if t not in near][:MOST_OTHERS],
        missing=missing,
        history=changes([(d.at, d.traces) for d in history]),
        fields=words.kind.fields,
        operator_words=OPERATOR_WORDS,
        has_past=words.name in EDITS,
        is_moving=around.busy > 0 or any(a["state"] in ("pending", "started") for a in around.actions),
        **own,
        **quiet,
    )


async def _typed(visit: Visit, record: RecordKey, currency: str) -> list[Typed]:
    """Return what signers typed into the documents of the record that were completed, the newest document first."""
    found = await requests_of(visit.services.db, visit.store.hash, record)
    return [t for r in reversed(found) if r.is_good for t in typed_inputs(r, currency) if t.external_id]


@panel("requests.view")
async def look_again(request: Request, visit: Visit) -> Response:
    """Have the record read again; saying it twice is saying it once."""
    await read_form(request)
    words, record = _words(request), _record(request)
    row = await _fetch(visit, record)
    if row is None and not words.kind.is_remote:
        raise not_found()
    await say_look(visit.services.db, visit.store.hash, record, visit.now, source="panel")
    if row is None or row["looked_at"] is None:
        return _unseen(request, visit, words, record, asked=True)
    return go(request, frame(request).url(words.path(record.id)), toast=f"The {words.one} is being read again.")


def _left_held(one: str) -> str:
    return (
        "Its open requests are cancelled, and nothing is asked any more. It was held by someone else before us, so its "
        f"status stays as it is: move the {one} on in your control panel."
    )


def _release(words: RecordKind, *, is_joined: bool) -> Step:
    return Step(
        f"Release the {words.one} by hand",
        _left_held(words.one) if is_joined else words.goes_on,
        "Reason",
        "Kept in the history under your name.",
        f"Release the {words.one}",
        "danger",
    )


@panel("holds.override")
async def release(request: Request, visit: Visit) -> Response:
    """Let a record go without a signature: a person decides, and says why."""
    words, record = _words(request), _record(request)
    back = frame(request).url(words.path(record.id))
    if await _fetch(visit, record) is None:
        raise not_found()
    hold = await visit.services.db.fetch_one(
        "panel_hold", {"store_hash": visit.store.hash, "record_kind": record.kind, "record_id": record.id}
    )
    if hold is None or hold["state"] not in RELEASABLE:
        return go(request, back, toast=f"Nothing was changed: the {words.one} is not held.", toast_kind="info")
    is_joined = hold["state"] == HoldState.JOINED
    step = _release(words, is_joined=is_joined)
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            command = Command("release", visit.user.id, why, workflow=words.holder(hold["method"]))
            await press(visit, record, command, given.once)
            stays, goes = f"The {words.one} stays held by someone else.", f"The {words.one} is being released."
            return go(request, back, toast=stays if is_joined else goes)
        error, status = given.errors["why"], 422
    return answer(
        request, visit, "panel/step.html", "dialog", status,
        active="requests", step=step, text=step.text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


# Sending by hand --------------------------------------------------------------------------------------------


@panel("requests.send")
async def send(request: Request, visit: Visit) -> Response:
    """Send a record for signature without a rule: an agreement to who signs there, or the sheet to approvers."""
    db, store_hash = visit.services.db, visit.store.hash
    words, record = _words(request), _record(request)
    row = await _fetch(visit, record)
    if row is None:
        raise not_found()
    back = frame(request).url(words.path(record.id))
    choices = await list_choices(db, store_hash)
    values = _first_values(row, choices)
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        form = await read_form(request)
        if form.get("do") in ("more", "fewer"):
            values = _values(form)
            values["rows"] = values["rows"][:-1] if form["do"] == "fewer" else [*values["rows"], ("", "")]
            values["rows"] = values["rows"][:MOST_SIGNERS] or [("", "")]
        else:
            given = Given(form)
            payload, why = _payload(given, choices)
            if not given.errors:
                open_already = any(
                    r["rule_id"] == 0 and r["purpose"] == payload["purpose"] and r["wanted"] == "open"
                    and r["status"] in ("draft", "queued", "sent", "viewed", "partly_signed")
                    for r in await db.fetch_all(
                        "panel_requests_of_record",
                        {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id},
                    )
                )  # fmt: skip
                if open_already:
                    text = f"This {words.one} already waits for such a signature. Cancel that request first."
                    given.errors[""] = text
            if not given.errors:
                await press(visit, record, Command("send", visit.user.id, why, 0, payload, words.holder()), given.once)
                return go(request, back, toast="It is being sent for signature.")
            errors, status, values = given.errors, 422, _values(form)
    return answer(
        request, visit, "panel/send.html", "dialog", status,
        active="requests", back=back, action=request.url.path, values=values, errors=errors, number=record.id,
        words=words,
        most=MOST_SIGNERS,
        agreement_options=[("", "Choose"), *[(a["id"], a["name"]) for a in choices.agreements if not a["archived"]]],
        person_options=[("", "Nobody"), *[(p["id"], p["name"]) for p in choices.people if p["state"] == "active"]],
        account_options=[(a["id"], a["name"]) for a in choices.accounts] or [("", "None is set up")],
    )  # fmt: skip


def _first_values(row: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    return {
        "purpose": "customer",
        "agreement_id": next((str(a["id"]) for a in choices.agreements if not a["archived"]), ""),
        "account_id": str(choices.accounts[0]["id"]) if choices.accounts else "",
        "expiry_days": "7",
        "hold": "yes",
        "why": "",
        "person_id": "",
        "rows": [_likely_signer(row["facts"])],
    }


def _likely_signer(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return name and address of who most likely signs, as far as the facts kept name somebody."""
    snapshot = facts.get("snapshot") or {}
    billing = snapshot.get("billing") or {}
    names = (billing.get("name"), billing.get("company"), snapshot.get("contact"), snapshot.get("name"))
    if not isinstance(snapshot.get("email"), str):
        return "", ""
    return next((n for n in names if isinstance(n, str) and n), ""), snapshot["email"]


def _values(form: FormData) -> dict[str, Any]:
    """Return what was typed, to be shown again."""
    given = Given(form)
    names = ("purpose", "agreement_id", "account_id", "expiry_days", "hold", "why", "person_id")
    rows = [
        (given.raw(f"name_{n}")[:200], given.raw(f"email_{n}")[:254])
        for n in range(MOST_SIGNERS)
        if f"name_{n}" in form or f"email_{n}" in form
    ]
    return {**{n: given.raw(n)[:600] for n in names}, "rows": rows or [("", "")]}


def _payload(given: Given, choices: Choices) -> tuple[dict[str, Any], str]:
    """Return the command's payload and its reason; what is wrong stands in given.errors."""
    purpose = given.choice("purpose", "Choose what is signed.", ("customer", "internal"))
    agreements = {str(a["id"]) for a in choices.agreements if not a["archived"]}
    agreement = "0"
    if purpose == "customer":
        agreement = given.choice("agreement_id", "Choose an agreement.", sorted(agreements), default="0")
        if agreement not in agreements:
            given.errors.setdefault("agreement_id", "Choose an agreement.")
    account = given.choice(
        "account_id", "Choose a signature account.", [str(a["id"]) for a in choices.accounts], default=""
    )
    signers: list[dict[str, Any]] = []
    people = {str(p["id"]): p for p in choices.people if p["state"] == "active"}
    chosen = given.raw("person_id")
    if chosen and chosen not in people:
        given.errors["person_id"] = "Choose somebody who is active under People."
    elif chosen:
        person = people[chosen]
        signers.append({"name": person["name"], "email": person["email"], "person_id": person["id"]})
    for n in range(MOST_SIGNERS):
        if not given.raw(f"name_{n}").strip() and not given.raw(f"email_{n}").strip():
            continue
        name = given.text(f"name_{n}", "The name", 200, required=True)
        email = given.email(f"email_{n}")
        signers.append({"name": name, "email": email, "person_id": None})
    if not signers and not given.errors:
        given.errors["name_0"] = "Name at least one signer."
    if len({s["email"] for s in signers}) < len(signers):
        given.errors.setdefault("name_0", "Two signers have the same address.")
    days = given.number("expiry_days", "Expiry in days", 1, 365)
    why = given.text("why", "The reason", WHY_CHARACTERS)
    return {
        "purpose": purpose,
        "agreement_id": int(agreement or 0),
        "account_id": int(account or 0),
        "signers": signers,
        "hold": given.ticked("hold"),
        "expiry_days": days,
    }, why


def _routes(words: RecordKind) -> list[Route]:
    one, slug = words.name, words.slug
    listed = [Route(f"/{slug}", show_records, name=slug)] if words.has_list else []
    return [
        *listed,
        Route(f"/{slug}/{{id}}", show_record, name=one),
        Route(f"/{slug}/{{id}}/look", look_again, methods=["POST"], name=f"{one}_look"),
        Route(f"/{slug}/{{id}}/release", release, methods=["GET", "POST"], name=f"{one}_release"),
        Route(f"/{slug}/{{id}}/send", send, methods=["GET", "POST"], name=f"{one}_send"),
    ]


ROUTES = [route for words in shown_kinds() for route in _routes(words)]
