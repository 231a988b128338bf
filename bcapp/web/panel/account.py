"""Signature accounts: where and with which credentials documents are sent, and whether that works."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.core.changes import Subject
from bcapp.db.accounts import FIELDS, Account, ask_test, fetch_account, list_accounts, save_account
from bcapp.http import host_allowed, is_public
from bcapp.mail import ADDRESS
from bcapp.signature.environments import ENVIRONMENTS, token_url
from bcapp.web.forms import read_form
from bcapp.web.inputs import Blank, Inputs, id_in_path
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.changing import Change, save, waiting
from bcapp.web.panel.settings import sections
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, go, page
from bcapp.web.security import origin_of

INNER_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home", ".corp", ".intranet")
TEST_SAYS = {
    "asked": ("The connection is being tested.", "info"),
    "running": ("A test is under way already.", "info"),
    "wait": ("You tested five times within a minute. Wait a moment.", "danger"),
}


def address_problem(url: str, allowed: Collection[str]) -> str:
    """Return why an address may not be called, "" when it may.

    A host in `allowed` is taken as it is. Any other must be https on the usual port and look like a host of the open
    internet; what its name resolves to is judged by the call itself.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not a web address."
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.query or parts.fragment:
        return "Write a whole web address, such as https://sign.core.opentext.com/api/v1/."
    if host_allowed(url, allowed):
        return ""
    if parts.scheme != "https":
        return "The address must begin with https://."
    if port not in (None, 443):
        return "Only the usual https port can be used."
    try:
        ipaddress.ip_address(host)
        outside = is_public(host)
    except ValueError:
        outside = "." in host and not any(host == n.lstrip(".") or host.endswith(n) for n in INNER_NAMES)
    return "" if outside else "This host is not one of the open internet."


def read_account(form: Mapping[str, Any], allowed: Collection[str], before: Account | None) -> Inputs:
    """Read and check the form. `values` holds the fields as they are saved, `errors` what is wrong."""
    inputs = Inputs(form)
    inputs.text("name", most=80, required="Give the account a name.")
    environment = inputs.choice("environment", ENVIRONMENTS, "Choose where the account is.")
    tenant = inputs.text("tenant", most=100, required="Write the tenant as your administrator gave it to you.")
    for name, label in (("token_url", "token address"), ("api_root", "API address")):
        given = inputs.text(name, most=500)
        usual = getattr(ENVIRONMENTS[environment], name) if environment else ""
        value = (given or usual).replace("{tenant}", quote(tenant, safe=""))
        if name in inputs.errors:
            continue
        if not value:
            inputs.errors[name] = f"Write the {label} of your environment."
        elif problem := address_problem(value, allowed):
            inputs.errors[name] = problem
        else:
            inputs.values[name] = value if name == "token_url" else value.rstrip("/") + "/"
    inputs.text("client_id", most=300, required="Write the client id.")
    secret = inputs.text("client_secret", most=1000, keep=False)
    if not secret and before is None and "client_secret" not in inputs.errors:
        inputs.errors["client_secret"] = "Write the client secret. It is shown to you once, when the client is made."
    inputs.text("subscription", most=200)
    sender = inputs.text("from_email", most=254).lower()
    if sender and not ADDRESS.fullmatch(sender):
        inputs.errors["from_email"] = "This is not an e-mail address."
    inputs.values["from_email"] = sender or inputs.values["from_email"]
    return inputs


def shown(account: Account) -> dict[str, str]:
    """The form's values of an account that stands."""
    values = {name: str(getattr(account, name)) for name in FIELDS}
    if account.environment in ENVIRONMENTS and account.token_url == token_url(account.environment, account.tenant):
        values["token_url"] = ENVIRONMENTS[account.environment].token_url  # so that it follows the tenant
    return values


LABELS = {
    "name": "name",
    "environment": "environment",
    "tenant": "tenant",
    "token_url": "token address",
    "api_root": "API address",
    "client_id": "client id",
    "subscription": "subscription",
    "from_email": "sender",
}
NEW = {
    "name": "Core Signature",
    "environment": "us",
    "tenant": "",
    "token_url": ENVIRONMENTS["us"].token_url,
    "api_root": ENVIRONMENTS["us"].api_root,
    "client_id": "",
    "subscription": "",
    "from_email": "",
}


async def _found(request: Request, visit: Visit) -> Account:
    account = await fetch_account(visit.services.db, visit.store.hash, id_in_path(request))
    if account is None:
        raise not_found()
    return account


def _frame(request: Request, visit: Visit) -> Frame:
    return frame_of(request) or Frame(visit.store.hash)


async def form_context(
    request: Request, visit: Visit, account: Account | None, values: Mapping[str, str], errors: Mapping[str, str]
) -> dict[str, Any]:
    """What the account's form and report need; the first-run steps show the same form."""
    frame = _frame(request, visit)
    return {
        "active": "settings",
        "visit": visit,
        "sections": sections(frame, "accounts"),
        "account": account,
        "origin": "welcome" if request.query_params.get("origin") == "welcome" else "",
        "values": Blank(values),
        "errors": Blank(errors),
        "environments": [(e.slug, e.label) for e in ENVIRONMENTS.values()],
        "changes": await waiting(visit, Subject.SIGNATURE_ACCOUNT, str(account.id)) if account else [],
        "may_edit": visit.may("account.edit"),
    }


@panel("account.view")
async def show_accounts(request: Request, visit: Visit) -> Response:
    accounts = await list_accounts(visit.services.db, visit.store.hash)
    return page(
        request,
        "panel/accounts.html",
        active="settings",
        visit=visit,
        sections=sections(_frame(request, visit), "accounts"),
        accounts=accounts,
        may_edit=visit.may("account.edit"),
    )


@panel("account.edit")
async def new_account(request: Request, visit: Visit) -> Response:
    return page(request, "panel/account.html", **await form_context(request, visit, None, NEW, {}))


@panel("account.view")
async def show_account(request: Request, visit: Visit) -> Response:
    """The account; its report alone when that asks for itself while a test runs."""
    account = await _found(request, visit)
    context = await form_context(request, visit, account, shown(account), {})
    return page(request, "panel/account.html", "report", **context)


@panel("account.view")
async def show_addresses(request: Request, visit: Visit) -> Response:
    """The usual addresses of an environment, to fill into the form while somebody chooses."""
    chosen = request.query_params.get("environment", "")
    environment = ENVIRONMENTS.get(chosen)
    if environment is None:
        raise not_found()
    values = {**NEW, "token_url": environment.token_url, "api_root": environment.api_root, "environment": chosen}
    return page(request, "panel/account.html", "addresses", **await form_context(request, visit, None, values, {}))


def goes_elsewhere(account: Account, values: Mapping[str, str]) -> bool:
    """Tell whether the secret, or the tokens that it fetches, would go to another host than so far."""
    return any(origin_of(getattr(account, name)) != origin_of(values[name]) for name in ("token_url", "api_root"))


def what_changes(account: Account, given: Mapping[str, str]) -> str:
    """Return in words what a form would change, for the person who is asked to approve it; never the secret itself."""
    found = [f"{label} becomes {given[n] or 'empty'}" for n, label in LABELS.items() if getattr(account, n) != given[n]]
    return ", ".join([*found, *(["another client secret"] if given["client_secret"] else [])])


async def store_account(request: Request, visit: Visit, account: Account | None, after: str) -> Response | Inputs:
    """Save the form and queue a test; return the answer, or the inputs when the form was refused.

    after: where to go on, "" for the account's own page. An account that is in use is changed by two people, or
    after a day; one that never worked is set right by whoever made it.
    """
    frame = _frame(request, visit)
    db, store_hash = visit.services.db, visit.store.hash
    form = await read_form(request)
    inputs = read_account(form, visit.services.settings.signature_hosts, account)
    secret = str(form.get("client_secret", "")).strip()
    if account is not None and not secret and not inputs.errors and goes_elsewhere(account, inputs.values):
        inputs.errors["client_secret"] = "Write the client secret again: it would be sent to another host than before."
    if inputs.errors:
        return inputs
    given = {**{name: inputs.values[name] for name in FIELDS}, "client_secret": secret}
    connection_changes = account is None or bool(secret) or any(getattr(account, n) != given[n] for n in FIELDS[1:])
    if account is not None and account.in_use and connection_changes:
        change = Change(
            Subject.SIGNATURE_ACCOUNT,
            str(account.id),
            given,
            f"Change the signature account “{account.name}”: {what_changes(account, given)}",
        )
        if not await save(visit, change):
            url = frame.url(f"settings/accounts/{account.id}")
            return go(request, url, toast="Saved. It applies when a second manager approves it, or in 24 hours.")
        saved: int | None = account.id
    else:
        saved = await save_account(
            db,
            visit.services.secrets,
            store_hash,
            account.id if account else None,
            given,
            actor=visit.actor,
            now=visit.now,
        )
    if saved is None:
        raise not_found()
    toast = "Saved."
    if connection_changes:
        said = await ask_test(db, store_hash, saved, actor=visit.actor, now=visit.now)
        toast = f"Saved. {TEST_SAYS[said][0]}"
    return go(request, after or frame.url(f"settings/accounts/{saved}"), toast=toast)


@panel("account.edit")
async def save_new(request: Request, visit: Visit) -> Response:
    answer = await store_account(request, visit, None, "")
    if isinstance(answer, Response):
        return answer
    context = await form_context(request, visit, None, {**NEW, **answer.values}, answer.errors)
    return page(request, "panel/account.html", "form", 422, **context)


@panel("account.edit")
async def save_old(request: Request, visit: Visit) -> Response:
    account = await _found(request, visit)
    answer = await store_account(request, visit, account, "")
    if isinstance(answer, Response):
        return answer
    context = await form_context(request, visit, account, {**shown(account), **answer.values}, answer.errors)
    return page(request, "panel/account.html", "form", 422, **context)


@panel("account.test")
async def test_account(request: Request, visit: Visit) -> Response:
    """Queue a test; the page then asks for its report until it is there."""
    account = await _found(request, visit)
    said = await ask_test(visit.services.db, visit.store.hash, account.id, actor=visit.actor, now=visit.now)
    text, kind = TEST_SAYS[said]
    frame = _frame(request, visit)
    begun = Inputs(await read_form(request)).text("origin") == "welcome"
    url = frame.url("welcome", step=1) if begun else frame.url(f"settings/accounts/{account.id}")
    return go(request, url, toast=text, toast_kind=kind)


ROUTES = [
    Route("/settings/accounts", show_accounts, name="accounts"),
    Route("/settings/accounts/new", new_account, name="new_account"),
    Route("/settings/accounts/new", save_new, methods=["POST"], name="add_account"),
    Route("/settings/accounts/addresses", show_addresses, name="account_addresses"),
    Route("/settings/accounts/{id:int}", show_account, name="account"),
    Route("/settings/accounts/{id:int}", save_old, methods=["POST"], name="save_account"),
    Route("/settings/accounts/{id:int}/test", test_account, methods=["POST"], name="test_account"),
]
