"""Orders that were looked at: how the hold stands, why a rule asks or does not, and what a person may do."""

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
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import RecordKey
from bcapp.core.states import HoldState
from bcapp.db import panel_requests
from bcapp.db.decisions import list_decisions
from bcapp.db.deliveries import say_look
from bcapp.db.panel_requests import Search
from bcapp.db.requests import requests_of
from bcapp.db.rules import Choices, list_choices
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.facts import address_text, input_label, status_name
from bcapp.web.panel.history import action_word, timeline
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
    """List the orders that were looked at; a number that was never seen is offered to be opened."""
    scope = query_text(request, "hold")
    search = Search(
        scope=scope if scope in dict(SCOPES) else "all",
        q=query_text(request, "q").removeprefix("#"),
        page=query_page(request),
        personal=visit.may("requests.facts"),
    )
    found = await panel_requests.find_records(visit.services.db, visit.store.hash, search)
    url = frame(request).url
    return answer(
        request,
        visit,
        "panel/orders.html",
        "list",
        active="requests",
        found=found,
        search=search,
        pills=[
            (
                label,
                url("orders", q=search.q, hold="" if name == "all" else name),
                found.counts[name],
                name == search.scope,
            )
            for name, label in SCOPES
        ],
        address=lambda number: url("orders", q=search.q, hold=scope, page=number),
        is_number=search.q.isascii() and search.q.isdecimal() and len(search.q) < 15,
        label_of=lambda row: shown_label(visit, row["kind"], row["id"], row["label"]),
        status_name=status_name,
    )


def _record(request: Request) -> RecordKey:
    return RecordKey("order", str(path_id(request)))


async def _fetch(visit: Visit, record: RecordKey) -> dict[str, Any] | None:
    values = {"store_hash": visit.store.hash, "kind": record.kind, "id": record.id}
    return await visit.services.db.fetch_one("fetch_record", values)


@panel("requests.view")
async def show_record(request: Request, visit: Visit) -> Response:
    """Show an order as last read. One that was never read asks for it by a POST of its own, and follows."""
    db, store_hash, record = visit.services.db, visit.store.hash, _record(request)
    row = await _fetch(visit, record)
    url = frame(request).url(f"orders/{record.id}")
    if row is None or row["looked_at"] is None:
        return answer(
            request,
            visit,
            "panel/order_unseen.html",
            "waiting",
            active="requests",
            number=record.id,
            url=url,
            asked=bool(request.query_params.get("wait")),
        )
    if request.query_params.get("wait"):
        return go(request, url)
    around = await panel_requests.around_record(db, store_hash, record)
    facts: Mapping[str, Any] = row["facts"]
    history = await list_decisions(db, store_hash, record)
    traces = history[0].traces if history else ()
    near = nearest(traces)
    quiet = {"swapped": False} if wants_part(request.headers) else {}
    return answer(
        request,
        visit,
        "panel/order.html",
        "order",
        active="requests",
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
        entries=timeline(around.timeline, around.names),
        covers=await db.fetch_all(
            "covers_of_record", {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id}
        ),
        action_word=action_word,
        status_name=status_name,
        channel_names={c["id"]: c["name"] for c in await db.fetch_all("panel_channels", {"store_hash": store_hash})},
        address_text=address_text,
        decisions=DECISIONS,
        near=near,
        others=[t for t in traces if t not in near][:MOST_OTHERS],
        missing=missing,
        history=changes([(d.at, d.traces) for d in history]),
        fields=ORDER.fields,
        operator_words=OPERATOR_WORDS,
        is_moving=around.busy > 0 or any(a["state"] in ("pending", "started") for a in around.actions),
        **quiet,
    )


async def _typed(visit: Visit, record: RecordKey, currency: str) -> list[Typed]:
    """Return what signers typed into the documents of the record that were completed, the newest document first."""
    found = await requests_of(visit.services.db, visit.store.hash, record)
    return [t for r in reversed(found) if r.is_good for t in typed_inputs(r, currency) if t.external_id]


@panel("requests.view")
async def look_again(request: Request, visit: Visit) -> Response:
    """Have the order read again; saying it twice is saying it once."""
    await read_form(request)
    record = _record(request)
    await say_look(visit.services.db, visit.store.hash, record, visit.now, source="panel")
    row = await _fetch(visit, record)
    url = frame(request).url(f"orders/{record.id}")
    if row is None or row["looked_at"] is None:
        return answer(
            request,
            visit,
            "panel/order_unseen.html",
            "waiting",
            active="requests",
            number=record.id,
            url=url,
            asked=True,
        )
    return go(request, url, toast="The order is being read again.")


LEFT_HELD = (
    "Its open requests are cancelled, and nothing is asked any more. It was held by someone else before us, so its "
    "status stays as it is: move it on in your control panel."
)
RELEASE = Step(
    "Release the order by hand",
    "The order goes on without a signature, and its open requests are cancelled.",
    "Reason",
    "Kept in the history under your name.",
    "Release the order",
    "danger",
)


@panel("holds.override")
async def release(request: Request, visit: Visit) -> Response:
    """Let an order go without a signature: a person decides, and says why."""
    record = _record(request)
    back = frame(request).url(f"orders/{record.id}")
    if await _fetch(visit, record) is None:
        raise not_found()
    hold = await visit.services.db.fetch_one(
        "panel_hold", {"store_hash": visit.store.hash, "record_kind": record.kind, "record_id": record.id}
    )
    if hold is None or hold["state"] not in RELEASABLE:
        return go(request, back, toast="Nothing was changed: the order is not held.", toast_kind="info")
    is_joined = hold["state"] == HoldState.JOINED
    text = LEFT_HELD if is_joined else RELEASE.text
    why, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        why = given.text("why", "The reason", WHY_CHARACTERS, required=True)
        if not given.errors:
            await press(visit, record, Command("release", visit.user.id, why), given.once)
            toast = "The order stays held by someone else." if is_joined else "The order is being released."
            return go(request, back, toast=toast)
        error, status = given.errors["why"], 422
    return answer(
        request, visit, "panel/step.html", "dialog", status,
        active="requests", step=RELEASE, text=text, action=request.url.path, back=back, why=why, error=error,
    )  # fmt: skip


# Sending by hand --------------------------------------------------------------------------------------------


@panel("requests.send")
async def send(request: Request, visit: Visit) -> Response:
    """Send an order for signature without a rule: the agreement to its buyer, or the internal sheet to approvers."""
    db, store_hash, record = visit.services.db, visit.store.hash, _record(request)
    row = await _fetch(visit, record)
    if row is None:
        raise not_found()
    back = frame(request).url(f"orders/{record.id}")
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
                    given.errors[""] = "This order already waits for such a signature. Cancel that request first."
            if not given.errors:
                await press(visit, record, Command("send", visit.user.id, why, 0, payload), given.once)
                return go(request, back, toast="It is being sent for signature.")
            errors, status, values = given.errors, 422, _values(form)
    return answer(
        request, visit, "panel/send.html", "dialog", status,
        active="requests", back=back, action=request.url.path, values=values, errors=errors, number=record.id,
        most=MOST_SIGNERS,
        agreement_options=[("", "Choose"), *[(a["id"], a["name"]) for a in choices.agreements if not a["archived"]]],
        person_options=[("", "Nobody"), *[(p["id"], p["name"]) for p in choices.people if p["state"] == "active"]],
        account_options=[(a["id"], a["name"]) for a in choices.accounts] or [("", "None is set up")],
    )  # fmt: skip


def _first_values(row: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    snapshot = row["facts"].get("snapshot") or {}
    billing = snapshot.get("billing") or {}
    buyer = (str(billing.get("name") or billing.get("company") or ""), str(snapshot.get("email") or ""))
    return {
        "purpose": "customer",
        "agreement_id": next((str(a["id"]) for a in choices.agreements if not a["archived"]), ""),
        "account_id": str(choices.accounts[0]["id"]) if choices.accounts else "",
        "expiry_days": "7",
        "hold": "yes",
        "why": "",
        "person_id": "",
        "rows": [buyer],
    }


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


ROUTES = [
    Route("/orders", show_records, name="orders"),
    Route("/orders/{id}", show_record, name="order"),
    Route("/orders/{id}/look", look_again, methods=["POST"], name="order_look"),
    Route("/orders/{id}/release", release, methods=["GET", "POST"], name="order_release"),
    Route("/orders/{id}/send", send, methods=["GET", "POST"], name="order_send"),
]
