"""What an operator does from a shell: connect an account, ask how a store stands, rotate keys, erase a person."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bcapp.core.stores import StoreState
from bcapp.db.accounts import FIELDS, ask_test, list_accounts, save_account
from bcapp.db.erasing import erase_address
from bcapp.db.stores import Store, fetch_store
from bcapp.db.tasks import WORKER_ALIVE, read_health
from bcapp.errors import AppError, CircuitOpen, RefusedByUs, RemoteError, TokenRefused
from bcapp.jobs.accepting import address_party
from bcapp.jobs.upkeep import hook_scopes
from bcapp.jobs.vendors import Vendors
from bcapp.rotate import rotate
from bcapp.runtime import open_services
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.stores import missing_scopes
from bcapp.web.panel.account import read_account

ACTOR = "operator"
CLOCK_MAY_DIFFER = timedelta(seconds=60)
SWEEP_LATE = timedelta(minutes=15)


class Unhealthy(AppError):
    """The store is not there to be looked at or changed; the text says why."""


# Connect -----------------------------------------------------------------------------------------------------


async def connect(settings: Settings, args: argparse.Namespace, secret: str) -> str:
    """Save a store's signature account and have it tested; return what was done, for a person.

    args: store, name, environment, tenant, client_id, token_url, api_root, subscription, from_email; empty addresses
    are those of the environment. An account of that name is changed, so that the command can be repeated.
    Raises RefusedByUs with a sentence for each field that is wrong.
    """
    async with open_services(settings) as services:
        return await connect_account(services, args.store, vars(args), secret)


async def connect_account(services: Services, store_hash: str, given: Mapping[str, object], secret: str) -> str:
    await _get_store(services, store_hash)
    form = {name: given.get(name, "") for name in FIELDS} | {"client_secret": secret}
    inputs = read_account(form, services.settings.signature_hosts, None)
    if inputs.errors:
        raise RefusedByUs("\n".join(f"{name.replace('_', ' ')}: {text}" for name, text in inputs.errors.items()))
    now = services.clock.now()
    values = {name: inputs.values[name] for name in FIELDS} | {"client_secret": secret}
    named = {"store_hash": store_hash, "name": values["name"]}
    known = await services.db.fetch_val("doctor_account_named", named)
    saved = await save_account(services.db, services.secrets, store_hash, known, values, actor=ACTOR, now=now)
    if saved is None:
        raise RefusedByUs("The account was removed meanwhile. Run the command again.")
    await ask_test(services.db, store_hash, saved, actor=ACTOR, now=now)
    what = "changed" if known is not None else "added"
    return (
        f"The account “{values['name']}” of the store {store_hash} is {what} as number {saved}. "
        f"A worker tests it now; “bcapp doctor {store_hash}” says how that went."
    )


async def _get_store(services: Services, store_hash: str) -> Store:
    store = await fetch_store(services.db, store_hash)
    if store is None:
        raise Unhealthy(f"Countersign was never installed on the store {store_hash}.")
    return store


# Doctor ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """text: one sentence, with what to do when it is not good."""

    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.good else 'LOOK'}  {self.text}"


async def doctor(settings: Settings, store_hash: str) -> tuple[list[str], bool]:
    """Return (a line per fact of the store, whether all of them are good). Nothing is changed at the services."""
    async with open_services(settings) as services:
        findings = await examine(services, store_hash)
    return [str(finding) for finding in findings], all(finding.good for finding in findings)


async def examine(services: Services, store_hash: str) -> list[Finding]:
    """Return what there is to say of a store, most basic first."""
    try:
        store = await _get_store(services, store_hash)
    except Unhealthy as exc:
        return [Finding(False, str(exc))]
    now = services.clock.now()
    findings = [_state(store), _scopes(store)]
    if store.state in (StoreState.ACTIVE, StoreState.RECONSENT):
        findings += await _probe(services, store, now)
    return [*findings, *await _accounts(services, store), *await _work(services, store, now)]


def _state(store: Store) -> Finding:
    since = f"since {store.state_since:%Y-%m-%d %H:%M} UTC"
    match store.state:
        case StoreState.ACTIVE:
            return Finding(True, f"{store.name} ({store.hash}) is active {since}.")
        case StoreState.RECONSENT:
            return Finding(
                False, f"{store.name} ({store.hash}) waits for consent {since}: open the app from Apps and accept."
            )
        case StoreState.UNINSTALLING:
            return Finding(False, f"{store.name} ({store.hash}) is being uninstalled {since}.")
        case _:
            return Finding(False, f"{store.name} ({store.hash}) is uninstalled {since}.")


def _scopes(store: Store) -> Finding:
    missing = missing_scopes(" ".join(store.scope))
    if missing:
        return Finding(
            False,
            f"Scopes that are missing: {', '.join(missing)}. Add them in the Developer Portal, then open the app.",
        )
    return Finding(True, f"All required scopes were accepted ({len(store.scope)} in all).")


async def _probe(services: Services, store: Store, now: datetime) -> list[Finding]:
    """Ask BigCommerce for its clock, which proves the token, and for our webhooks."""
    try:
        client = await Vendors(services).bigcommerce(store.hash)
        apart = abs(await client.time() - now)
        hooks = await client.hooks()
    except TokenRefused:
        return [Finding(False, "BigCommerce does not take our token: open the app from Apps and accept.")]
    except CircuitOpen as exc:
        return [Finding(False, f"BigCommerce is not being called at the moment: {exc}.")]
    except RemoteError as exc:
        return [Finding(False, f"BigCommerce did not answer as it should: {exc}.")]
    findings = [Finding(True, "BigCommerce takes our token.")]
    if apart > CLOCK_MAY_DIFFER:
        findings.append(
            Finding(False, f"Our clock and BigCommerce's are {apart.total_seconds():.0f} s apart: set ours.")
        )
    destination = f"{services.settings.app_url}/webhooks/bigcommerce"
    active = {hook["scope"] for hook in hooks if hook.get("destination") == destination and hook.get("is_active")}
    wanted = hook_scopes(store.scope)
    missing = [scope for scope in wanted if scope not in active]
    if missing:
        text = f"Webhooks that are missing or switched off: {', '.join(missing)}. They are mended every 30 minutes."
        findings.append(Finding(False, text))
    else:
        findings.append(Finding(True, f"All {len(wanted)} webhooks are active and come to {destination}."))
    return findings


async def _accounts(services: Services, store: Store) -> list[Finding]:
    accounts = await list_accounts(services.db, store.hash)
    if not accounts:
        return [Finding(False, "No signature account: connect one in the panel or with “bcapp connect”.")]
    findings = []
    for account in accounts:
        who = f"Signature account {account.id} “{account.name}” ({account.environment})"
        if account.testing:
            findings.append(Finding(True, f"{who} is being tested."))
        elif account.state == "working":
            findings.append(Finding(True, f"{who} works; {account.templates} templates."))
        else:
            findings.append(Finding(False, f"{who} is {account.state}. {account.state_why}".strip()))
    return findings


async def _work(services: Services, store: Store, now: datetime) -> list[Finding]:
    """What waits, and whether anybody works on it."""
    health = await read_health(services.db, store.hash, now)
    counts = await services.db.fetch_one("doctor_counts", {"store_hash": store.hash, "now": now}) or {}
    workers = health.workers_alive
    findings = [
        Finding(
            workers > 0,
            f"{workers} workers alive in the last {WORKER_ALIVE.total_seconds():.0f} s."
            if workers
            else "No worker is alive: start “bcapp worker”.",
        ),
        Finding(
            health.late_since is None,
            f"{counts['deliveries_due']} deliveries and {counts['actions_due']} actions are due; "
            f"{counts['actions_open']} actions wait or run."
            + (f" Deliveries are late since {health.late_since:%H:%M} UTC." if health.late_since else ""),
        ),
        Finding(
            counts["deliveries_parked"] == 0,
            f"{counts['deliveries_parked']} deliveries are parked"
            + (": " + "; ".join(f"{p.record.kind} {p.record.id}, {p.why}" for p in health.parked[:5]) + "."
               if health.parked else "."),
        ),
        Finding(counts["actions_failed"] == 0, f"{counts['actions_failed']} actions failed in the last 7 days."),
        Finding(
            counts["alarms_open"] == 0,
            f"{counts['tasks_open']} open tasks, {counts['alarms_open']} of them alarms.",
        ),
        Finding(counts["holds_waiting"] == 0, f"{counts['holds_waiting']} holds are being placed."),
    ]  # fmt: skip
    for breaker in health.breakers:
        name = f" of “{breaker.account_name}”" if breaker.account_name else ""
        text = (
            f"Calls to {breaker.service}{name} pause until {breaker.open_until:%H:%M:%S} UTC after failures in a row."
        )
        findings.append(Finding(False, text))
    for sweep in await services.db.fetch_all("doctor_sweeps", {"store_hash": store.hash}):
        last = f"last ran {sweep['last_at']:%Y-%m-%d %H:%M} UTC" if sweep["last_at"] else "never ran"
        findings.append(Finding(sweep["due_at"] > now - SWEEP_LATE, f"The sweep of {sweep['name']} {last}."))
    return findings


# Keys --------------------------------------------------------------------------------------------------------


async def rotate_keys(settings: Settings) -> str:
    """Seal every secret anew with the first key; return what was done. Raises RefusedByUs for what does not open."""
    async with open_services(settings) as services:
        rotation = await rotate(services.db, services.secrets)
    if rotation.unreadable:
        raise RefusedByUs(str(rotation))
    return str(rotation)


# Erasing -----------------------------------------------------------------------------------------------------


async def erase(settings: Settings, store_hash: str, email: str) -> list[str]:
    """Erase a person from a store's tables by an address; return what was done, a line each.

    Raises RefusedByUs with what to do first, Unhealthy for a store that is not known.
    """
    async with open_services(settings) as services:
        return await erase_person(services, store_hash, email)


async def erase_person(services: Services, store_hash: str, email: str) -> list[str]:
    store = await _get_store(services, store_hash)
    email = email.strip().lower()
    if not 3 <= len(email) <= 254 or email.count("@") != 1 or any(c.isspace() for c in email):
        raise RefusedByUs("This is not an e-mail address.")
    sealed = await services.db.fetch_val("fetch_data_key", {"store_hash": store_hash})
    digest = ""
    if sealed is not None:
        party = address_party(services.secrets.unwrap(bytes(sealed), store_hash=store_hash), email)
        digest = party.id if party else ""
    erased = await erase_address(services.db, store, email, digest=digest, actor=ACTOR, now=services.clock.now())
    lines = [f"{name}: {count}" for name, count in erased.counts.items()]
    if not lines:
        lines = ["Nothing was stored about this address, or it was erased before."]
    if erased.rules:
        names = ", ".join(f"“{name}”" for name in erased.rules)
        lines.append(f"LOOK  Versions of these rules name the address in their conditions: {names}.")
    lines.append(
        f"Kept, because the law asks for it: the documents and the evidence of {erased.kept} signed requests, sealed "
        "with the store's key, and the audit log, which names nobody."
    )
    lines.append(
        "BigCommerce still knows this person. Erase them there too: an order that is looked at again is stored again."
    )
    return lines
