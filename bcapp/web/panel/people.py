"""People: the directory, who stands in for whom, what each may approve, and the users with their roles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import list_currencies
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.changes import Subject
from bcapp.db.changing import person_payload
from bcapp.db.people import (
    PersonEntry,
    address_is_taken,
    fetch_person,
    is_approver,
    list_people,
    save_person,
    set_role,
)
from bcapp.db.users import fetch_user, list_users
from bcapp.mail import ADDRESS
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs, id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.changing import Change, save, waiting
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page, parse_zone
from bcapp.web.roles import Role

WAITS = "Saved. It applies when a second manager approves it, or in 24 hours."
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "fi", "nb", "cs", "ja")
STATES = {"active": "Active", "away": "Away", "left": "Left"}
ROLE_NAMES = {"owner": "Owner", "manager": "Manager", "approver": "Approver", "viewer": "Viewer"}
GIVEN_ROLES = ("manager", "approver", "viewer")
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
CURRENCY = re.compile(r"[A-Z]{3}")


def languages() -> list[tuple[str, str]]:
    """Return (code, name in itself) of the languages that requests can be written in."""
    return [(code, (Locale.parse(code).get_display_name(code) or code).capitalize()) for code in LANGUAGES]


def day_of(moment: datetime | None, zone: ZoneInfo, *, last: bool = False) -> str:
    """Return the day of a date field. last: the moment ends the day before it."""
    if moment is None:
        return ""
    local = moment.astimezone(zone) - (timedelta(seconds=1) if last else timedelta())
    return local.date().isoformat()


def moment_of(day: str, zone: ZoneInfo, *, last: bool = False) -> datetime | None:
    """Return where a day begins in the store's zone; last: where it ends. Raises ValueError for what is no day."""
    if not day:
        return None
    chosen = date.fromisoformat(day)
    if not 2000 <= chosen.year <= 2100:
        raise ValueError("out of reach")
    return datetime.combine(chosen + (timedelta(days=1) if last else timedelta()), time(), zone)


def parse_amount(text: str) -> Decimal | None:
    """Read an amount as people write it, such as 5,000 or 5000.50; None for what is none."""
    plain = text.replace(" ", "").replace("\u00a0", "").replace("'", "")
    if re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", plain):
        plain = plain.replace(",", "")
    return Decimal(plain) if AMOUNT.fullmatch(plain) else None


def values_of(person: PersonEntry, zone: ZoneInfo) -> dict[str, str]:
    return {
        "name": person.name,
        "email": person.email,
        "language": person.language,
        "state": person.state,
        "deputy_id": str(person.deputy_id or ""),
        "deputy_from": day_of(person.deputy_from, zone),
        "deputy_until": day_of(person.deputy_until, zone, last=True),
    }


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


async def _found(request: Request, visit: Visit) -> PersonEntry:
    person = await fetch_person(visit.services.db, visit.store.hash, id_in_path(request))
    if person is None:
        raise not_found()
    return person


async def read_absence(visit: Visit, inputs: Inputs, person_id: int) -> dict[str, Any]:
    """Read language, state and deputy: what everybody may say of themselves."""
    zone = parse_zone(visit.store.timezone)
    language = inputs.choice("language", LANGUAGES, "Choose one of the languages.")
    state = inputs.choice("state", STATES, "Choose one of the states.")
    deputy = inputs.number("deputy_id")
    people = {p.id: p for p in await list_people(visit.services.db, visit.store.hash)}
    if deputy and (deputy == person_id or deputy not in people or people[deputy].state == "left"):
        inputs.errors["deputy_id"] = "Choose somebody else who has not left."
    moments: dict[str, datetime | None] = {"deputy_from": None, "deputy_until": None}
    for name in moments:
        try:
            moments[name] = moment_of(inputs.text(name, most=10), zone, last=name == "deputy_until")
        except ValueError:
            inputs.errors[name] = "Choose a day."
    begins, ends = moments["deputy_from"], moments["deputy_until"]
    if begins and ends and ends <= begins:
        inputs.errors["deputy_until"] = "The last day must not be before the first."
    if (begins or ends) and not deputy and "deputy_id" not in inputs.errors:
        inputs.errors["deputy_id"] = "Choose who stands in during these days."
    return {"language": language, "state": state, "deputy_id": deputy or None, **moments}


async def read_person(visit: Visit, inputs: Inputs, person_id: int) -> dict[str, Any]:
    """Read the whole form. person_id: 0 for somebody new."""
    name = inputs.text("name", most=120, required="Write the name.")
    email = inputs.text("email", most=254, required="Write the e-mail address.").lower()
    if "email" not in inputs.errors:
        if not ADDRESS.fullmatch(email):
            inputs.errors["email"] = "This is not an e-mail address."
        elif await address_is_taken(visit.services.db, visit.store.hash, email, person_id):
            inputs.errors["email"] = "Somebody of the directory has this address already."
    return {"name": name, "email": email, **await read_absence(visit, inputs, person_id)}


async def form_context(
    request: Request,
    visit: Visit,
    person: PersonEntry | None,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    own: bool = False,
) -> dict[str, Any]:
    people = await list_people(visit.services.db, visit.store.hash)
    number = str(person.id) if person else ""
    pending = await waiting(visit) if person and not own else []
    pending = [
        c
        for c in pending
        if (c.subject is Subject.APPROVER and c.subject_id == number)
        or (c.subject is Subject.LIMIT and c.subject_id.startswith(f"{number}:"))
    ]
    return {
        "active": "people",
        "visit": visit,
        "person": person,
        "sees_address": own or visit.may("people.addresses"),
        "own": own,
        "values": Blank(values),
        "errors": Blank(errors),
        "languages": languages(),
        "states": [(key, label) for key, label in STATES.items() if not own or key != "left"],
        "others": [(p.id, p.name) for p in people if p.state != "left" and (person is None or p.id != person.id)],
        "changes": pending,
        "may_edit": own or visit.may("people.edit"),
        "may_limit": visit.may("limits.edit"),
        "limit_values": Blank({"currency": currency_of(visit)}),
        "limit_errors": Blank(),
    }


def currency_of(visit: Visit) -> str:
    return str(visit.store.profile.get("currency") or "USD")


@panel("people.view")
async def show_people(request: Request, visit: Visit) -> Response:
    people = await list_people(visit.services.db, visit.store.hash)
    query = request.query_params.get("q", "").strip()[:100].lower()
    sees_addresses = visit.may("people.addresses")
    found = [p for p in people if query in p.name.lower() or (sees_addresses and query in p.email)]
    return page(
        request,
        "panel/people.html",
        "rows",
        active="people",
        visit=visit,
        people=found,
        sees_addresses=sees_addresses,
        query=query,
        all=len(people),
        state_names=STATES,
        role_names=ROLE_NAMES,
        changes=await waiting(visit),
    )


@panel("people.edit")
async def new_person(request: Request, visit: Visit) -> Response:
    values = {"state": "active", "language": "en"}
    return page(request, "panel/person.html", **await form_context(request, visit, None, values, {}))


@panel("people.edit")
async def save_new(request: Request, visit: Visit) -> Response:
    """Add somebody. Nobody depends on them yet, so one manager is enough."""
    inputs = Inputs(await read_form(request))
    given = await read_person(visit, inputs, 0)
    if not inputs.errors:
        number = await save_person(visit.services.db, visit.store.hash, None, given, actor=visit.actor, now=visit.now)
        if number is not None:
            return go(request, _frame(request, visit).url(f"people/{number}"), toast="Saved.")
        inputs.errors["email"] = "Somebody of the directory has this address already."
    context = await form_context(request, visit, None, inputs.values, inputs.errors)
    return page(request, "panel/person.html", "form", 422, **context)


@panel("people.view")
async def show_person(request: Request, visit: Visit) -> Response:
    person = await _found(request, visit)
    values = values_of(person, parse_zone(visit.store.timezone))
    return page(request, "panel/person.html", **await form_context(request, visit, person, values, {}))


def what_changes(person: PersonEntry, given: Mapping[str, Any], names: Mapping[int, str]) -> str:
    """Return in words what a form would change, for the person who is asked to approve it."""
    found = []
    if given["email"] != person.email:
        found.append(f"the address becomes {given['email']}")
    if given["name"] != person.name:
        found.append(f"the name becomes {given['name']}")
    if given["state"] != person.state:
        found.append(f"the state becomes {STATES[given['state']].lower()}")
    if given["deputy_id"] != person.deputy_id:
        deputy = given["deputy_id"]
        found.append(f"{names.get(deputy, 'somebody')} stands in" if deputy else "nobody stands in")
    if (given["deputy_from"], given["deputy_until"]) != (person.deputy_from, person.deputy_until):
        found.append("the days of absence change")
    if given["language"] != person.language:
        found.append("the language changes")
    return ", ".join(found)


async def _store(request: Request, visit: Visit, person: PersonEntry, given: dict[str, Any], url: str) -> Response:
    """Save what stands for one of the directory; an approver is changed by two people, or after a day."""
    if all(getattr(person, name) == value for name, value in given.items()):
        return go(request, url, toast="Nothing was changed.", toast_kind="info")
    db, store_hash = visit.services.db, visit.store.hash
    matters = any(getattr(person, name) != value for name, value in given.items() if name not in ("name", "language"))
    if matters and await is_approver(db, store_hash, person.id):
        names = {p.id: p.name for p in await list_people(db, store_hash)}
        summary = f"Change the approver {person.name}: {what_changes(person, given, names)}"
        change = Change(Subject.APPROVER, str(person.id), person_payload(given), summary)
        return go(request, url, toast="Saved." if await save(visit, change) else WAITS)
    if await save_person(db, store_hash, person.id, given, actor=visit.actor, now=visit.now) is None:
        raise not_found()
    return go(request, url, toast="Saved.")


@panel("people.edit")
async def save_old(request: Request, visit: Visit) -> Response:
    person = await _found(request, visit)
    inputs = Inputs(await read_form(request))
    given = await read_person(visit, inputs, person.id)
    if inputs.errors:
        context = await form_context(request, visit, person, inputs.values, inputs.errors)
        return page(request, "panel/person.html", "form", 422, **context)
    return await _store(request, visit, person, given, _frame(request, visit).url(f"people/{person.id}"))


async def _myself(visit: Visit) -> PersonEntry:
    number = visit.user.person_id
    person = await fetch_person(visit.services.db, visit.store.hash, number) if number is not None else None
    if person is None:
        raise not_found()
    return person


@panel("profile.edit")
async def show_me(request: Request, visit: Visit) -> Response:
    """One's own entry: language, absence and who stands in."""
    person = await _myself(visit)
    values = values_of(person, parse_zone(visit.store.timezone))
    return page(request, "panel/person.html", **await form_context(request, visit, person, values, {}, own=True))


@panel("profile.edit")
async def save_me(request: Request, visit: Visit) -> Response:
    person = await _myself(visit)
    inputs = Inputs(await read_form(request))
    given = {"name": person.name, "email": person.email, **await read_absence(visit, inputs, person.id)}
    if inputs.errors:
        values = {**inputs.values, "name": person.name, "email": person.email}
        context = await form_context(request, visit, person, values, inputs.errors, own=True)
        return page(request, "panel/person.html", "form", 422, **context)
    return await _store(request, visit, person, given, _frame(request, visit).url("people/me"))


# Approval limits ---------------------------------------------------------------------------------------------


@panel("limits.edit")
async def set_limit(request: Request, visit: Visit) -> Response:
    """Say what a person may approve in one currency; an empty amount with the box ticked means without limit."""
    person = await _found(request, visit)
    inputs = Inputs(await read_form(request))
    currency = inputs.text("currency", most=3, required="Write the currency, such as EUR.").upper()
    if currency and (not CURRENCY.fullmatch(currency) or currency not in list_currencies()):
        inputs.errors["currency"] = "This is not a currency code such as EUR or USD."
    unlimited = inputs.is_on("unlimited")
    typed = inputs.text("up_to", most=24)
    amount = None if unlimited else parse_amount(typed)
    if not unlimited and amount is None and "up_to" not in inputs.errors:
        inputs.errors["up_to"] = "Write the amount as a number, such as 5000, or tick “without limit”."
    if inputs.errors:
        values = values_of(person, parse_zone(visit.store.timezone))
        context = await form_context(request, visit, person, values, {})
        context |= {"limit_values": inputs.values, "limit_errors": inputs.errors}
        return page(request, "panel/person.html", "limits", 422, **context)
    words = "without limit" if amount is None else f"up to {amount:,f} {currency}"
    return await _change_limit(
        request, visit, person, currency, amount, False, f"{person.name} ({person.email}) may approve {words}"
    )


@panel("limits.edit")
async def drop_limit(request: Request, visit: Visit) -> Response:
    person = await _found(request, visit)
    currency = Inputs(await read_form(request)).text("currency", most=3)
    if currency not in {limit.currency for limit in person.limits}:
        url = _frame(request, visit).url(f"people/{person.id}")
        return go(request, url, toast="There is no such limit any more.", toast_kind="info")
    text = f"{person.name} may no longer approve amounts in {currency}"
    return await _change_limit(request, visit, person, currency, None, True, text)


async def _change_limit(
    request: Request, visit: Visit, person: PersonEntry, currency: str, amount: Decimal | None, remove: bool, text: str
) -> Response:
    url = _frame(request, visit).url(f"people/{person.id}")
    if not remove and any(limit.currency == currency and limit.up_to == amount for limit in person.limits):
        return go(request, url, toast="Nothing was changed.", toast_kind="info")
    payload = {
        "person_id": person.id,
        "currency": currency,
        "up_to": None if amount is None else str(amount),
        "remove": remove,
    }
    change = Change(Subject.LIMIT, f"{person.id}:{currency}", payload, text)
    return go(request, url, toast="Saved." if await save(visit, change) else WAITS)


# Users -------------------------------------------------------------------------------------------------------


@panel("users.view")
async def show_users(request: Request, visit: Visit) -> Response:
    return page(
        request,
        "panel/users.html",
        active="people",
        visit=visit,
        users=await list_users(visit.services.db, visit.store.hash),
        role_names=ROLE_NAMES,
        given_roles=GIVEN_ROLES,
        may_edit=visit.may("users.edit"),
        changes=await waiting(visit),
    )


@panel("users.edit")
async def give_role(request: Request, visit: Visit) -> Response:
    """Give a user another role; the owner's is BigCommerce's to give."""
    inputs = Inputs(await read_form(request))
    role = inputs.choice("role", GIVEN_ROLES, "Choose one of the roles.")
    url = _frame(request, visit).url("people/users")
    db, store_hash = visit.services.db, visit.store.hash
    user = await fetch_user(db, store_hash, id_in_path(request))
    if user is None or user.state != "active":
        raise not_found()
    if user.role == Role.OWNER:
        return go(request, url, toast="The owner's role cannot be changed here.", toast_kind="danger")
    if inputs.errors:
        return go(request, url, toast=inputs.errors["role"], toast_kind="danger")
    if user.role == role:
        return go(request, url, toast="Nothing was changed.", toast_kind="info")
    was = inputs.text("was", most=20)
    if was != user.role or not await set_role(db, store_hash, user.id, role, was, actor=visit.actor, now=visit.now):
        now_role = ROLE_NAMES.get(user.role, user.role).lower()
        text = f"Somebody gave this user another role meanwhile: {now_role}. Nothing was changed."
        return go(request, url, toast=text, toast_kind="danger")
    return go(request, url, toast=f"{user.name or user.email} is now {ROLE_NAMES[role].lower()}.")


ROUTES = [
    Route("/people", show_people, name="people"),
    Route("/people/new", new_person, name="new_person"),
    Route("/people/new", save_new, methods=["POST"], name="add_person"),
    Route("/people/me", show_me, name="me"),
    Route("/people/me", save_me, methods=["POST"], name="save_me"),
    Route("/people/users", show_users, name="users"),
    Route("/people/users/{id:int}", give_role, methods=["POST"], name="give_role"),
    Route("/people/{id:int}", show_person, name="person"),
    Route("/people/{id:int}", save_old, methods=["POST"], name="save_person"),
    Route("/people/{id:int}/limits", set_limit, methods=["POST"], name="set_limit"),
    Route("/people/{id:int}/limits/remove", drop_limit, methods=["POST"], name="drop_limit"),
]
