"""The job "look at this record": fetch it fresh, decide, write the plan down, all in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import random
from typing import Any

import structlog

from bcapp.bigcommerce.facts import Needs, needs_for
from bcapp.core.actions import ActionKind
from bcapp.core.authorisations import authorised_at, next_stage_at
from bcapp.core.decisions import digest
from bcapp.core.directory import Person
from bcapp.core.intents import MoveHold
from bcapp.core.kinds import COME_IN_THOUSANDS, KINDS
from bcapp.core.kinds.company import CompanyFacts
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Gone, Hold, OrderFacts, RecordKey, SignatureRequest
from bcapp.core.requests import Missing, decide_request
from bcapp.core.retry import counts, next_try
from bcapp.core.rules import RuleInForce, RuleTrace, needs_of, parse_definition
from bcapp.core.states import HoldState
from bcapp.core.stores import StoreDoing, StoreState
from bcapp.core.unnamed import without_addresses
from bcapp.core.warranties import Registration
from bcapp.db import Database
from bcapp.db.acceptances import fetch_ledger
from bcapp.db.actions import queue_action
from bcapp.db.decisions import keep_decision
from bcapp.db.deliveries import Due, due_deliveries, finish_deliveries, read_command, say_look
from bcapp.db.papers import accepted
from bcapp.db.past import PAST_KINDS, drop_past, keep_past
from bcapp.db.readings import fetch_reading
from bcapp.db.requests import acted_on, fetch_hold, fetch_request, open_actions, requests_of
from bcapp.db.steps import read_in_time
from bcapp.db.stores import Store, fetch_store
from bcapp.db.warranties import registrations_of
from bcapp.errors import AppError, BigCommerceError, CircuitOpen, CredentialsRefused, RemoteError, Stale, TokenRefused
from bcapp.jobs.accepting import bearer_of, counts_by_company, sign_once_agreements, with_accepted
from bcapp.jobs.apply import READ_AGAIN, Writer
from bcapp.jobs.asking import ask_person
from bcapp.jobs.cases import look_at_refunds
from bcapp.jobs.directory import read_directory
from bcapp.jobs.escalate import read_escalation
from bcapp.jobs.gates import spare_attempts
from bcapp.jobs.offers import has_asked_for_quotes, signed_quote_of
from bcapp.jobs.past import is_whole
from bcapp.jobs.questions import rests
from bcapp.jobs.reading import READERS, Ask
from bcapp.jobs.suppliers import look_at_product
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services
from bcapp.workflows import (
    WORKFLOWS,
    account_approval,
    customer_terms,
    holder_of,
    kind_of,
    option_needs,
    order_approval,
    warranty,
    workflows_of,
)
from bcapp.workflows.protocol import Situation, Workflow

log = structlog.get_logger(__name__)

NEW_FOR = timedelta(
    minutes=3
)  # a record may answer 404 right after "created"; it is asked for again before we believe it
ASK_NEW_AGAIN = 10.0
UNKNOWN_WAITS = timedelta(minutes=1)
QUOTE_AGAIN = timedelta(minutes=10)


async def look(services: Services, vendors: Vendors, store_hash: str, record: RecordKey) -> None:
    """Look at a record for all deliveries of it that are due; a failure postpones or parks exactly these."""
    now = services.clock.now()
    store = await fetch_store(services.db, store_hash)
    due = await due_deliveries(services.db, store_hash, record, now)
    if not due:
        return
    if store is None or not store.may(StoreDoing.WORK):
        await _set_aside(services, store, store_hash, record, due)
        return
    try:
        match record.kind:
            case kind if workflows_of(kind):
                await _look_at_record(services, vendors, store, record, due)
            case "request":
                await _look_at_request(services, vendors, store, record, due)
            case "product":
                await look_at_product(services, vendors, store, record, due)
            case "refunds":
                await _look_at_refunds(services, vendors, store, record, due)
            case "store":
                await _look_at_store(services, store, record, due)
            case _:
                # A kind that a newer release knows: left for a newer worker.
                await _postpone(services, store_hash, record, UNKNOWN_WAITS, counted=False)
    except Stale:
        await _postpone(services, store_hash, record, timedelta(seconds=0.2), counted=False)
    except Exception as exc:
        await _file_failure(services, vendors, store_hash, record, due, exc)
        if not isinstance(exc, AppError):
            raise  # a bug; the deliveries are out of the way, so this is no crash loop


async def _set_aside(
    services: Services, store: Store | None, store_hash: str, record: RecordKey, due: Sequence[Due]
) -> None:
    """A store that waits for consent keeps its deliveries, and so does one whose uninstall is not proven yet."""
    if store is not None and (store.may(StoreDoing.RECEIVE) or store.state is StoreState.UNINSTALLING):
        await _postpone(services, store_hash, record, timedelta(minutes=1), counted=False)
    else:
        await finish_deliveries(services.db, store_hash, list(due), services.clock.now())


async def _postpone(services: Services, store_hash: str, record: RecordKey, wait: timedelta, *, counted: bool) -> None:
    now = services.clock.now()
    await services.db.execute(
        "postpone_deliveries",
        {
            "store_hash": store_hash,
            "record_kind": record.kind,
            "record_id": record.id,
            "due_at": now + wait,
            "counted": 1 if counted else 0,
            "now": now,
        },
    )


async def _file_failure(
    services: Services, vendors: Vendors, store_hash: str, record: RecordKey, due: Sequence[Due], exc: Exception
) -> None:
    now = services.clock.now()
    if isinstance(exc, TokenRefused) and await vendors.token_was_refused(store_hash, now):
        await ask_for_consent(services, store_hash)
    if isinstance(exc, CredentialsRefused) and record.kind == "request":
        await tell_account_broken(services, store_hash, int(record.id), exc)
    await spare_attempts(services.db, store_hash, exc, now)
    attempt = max(d.attempt for d in due) + 1
    again = next_try(attempt, exc, now, random())
    say = log.debug if isinstance(exc, CircuitOpen) else log.warning
    say("look_failed", store=store_hash, kind=record.kind, record=record.id, error=_told(exc), attempt=attempt)
    if again is not None:
        await _postpone(services, store_hash, record, again - now, counted=counts(exc))
        return
    values = {"store_hash": store_hash, "record_kind": record.kind, "record_id": record.id, "now": now}
    await services.db.execute("park_deliveries", {**values, "why": _told(exc)[:500]})
    text = f"We could not read {record.kind} {record.id}. Mend the cause, then look at it again from Home."
    await ask_person(services.db, store_hash, record, now, kind="look_parked", text=text)


def _told(exc: Exception) -> str:
    return without_addresses(str(exc)) if isinstance(exc, AppError) else f"{type(exc).__name__}"


async def ask_for_consent(services: Services, store_hash: str) -> None:
    """Tell a person that BigCommerce refuses our token."""
    record, now = RecordKey("store", store_hash), services.clock.now()
    text = "BigCommerce does not accept our access any more. Open the app from Apps and accept again."
    async with services.db.transaction():
        await ask_person(services.db, store_hash, record, now, kind="reconsent", text=text, alarm=True)


async def tell_account_broken(services: Services, store_hash: str, request_id: int, exc: CredentialsRefused) -> None:
    """The merchant's client is not accepted: say it once, and let the work wait without counting attempts."""
    request = await fetch_request(services.db, store_hash, request_id)
    if request is None:
        return
    now = services.clock.now()
    account = RecordKey("account", str(request.account_id))
    async with services.db.transaction():
        values = {"store_hash": store_hash, "id": request.account_id, "why": str(exc)}
        if await services.db.fetch_val("mark_account_broken", values) is None:
            return
        text = f"The signature account does not work: {exc} Open Settings, Signature account, and test it."
        await ask_person(services.db, store_hash, account, now, kind="credentials", text=text, alarm=True)


# Records ---------------------------------------------------------------------------------------------------


async def read_rules(services: Services, store_hash: str, record: RecordKey) -> dict[str, tuple[RuleInForce, ...]]:
    """Return the rules that look at records of this kind, by workflow; for an order its party's terms too."""
    workflows = {w.SLUG: w for w in workflows_of(record.kind)}
    if record.kind == ORDER.name:
        workflows[customer_terms.SLUG] = WORKFLOWS[customer_terms.SLUG]
    found: dict[str, list[RuleInForce]] = {slug: [] for slug in workflows}
    values = {
        "store_hash": store_hash,
        "workflows": list(workflows),
        "record_kind": record.kind,
        "record_id": record.id,
        "now": services.clock.now(),
    }
    for r in await services.db.fetch_all("rules_in_force", values):
        definition = parse_definition(r["definition"])
        is_about = kind_of(workflows[r["workflow"]], definition).name == record.kind
        if not is_about and (record.kind, r["workflow"]) != (ORDER.name, customer_terms.SLUG):
            continue
        rule = RuleInForce(
            id=r["id"],
            version=r["version"],
            name=r["name"],
            workflow=r["workflow"],
            mode=r["mode"],
            definition=definition,
            live_since=r["live_since"],
            paused_why=r["paused_why"],
            included=r["included"],
            asked_last_hour=r["asked_last_hour"],
            asked_last_day=r["asked_last_day"],
        )
        found[rule.workflow].append(rule)
    return {slug: tuple(rules) for slug, rules in found.items()}


def reads_for(kind: Kind, rules: Sequence[RuleInForce], *, transactions: bool) -> tuple[Needs, int | None]:
    """Return the reads that these rules cost, and the days of history."""
    needs, days = needs_of(kind, rules)
    return needs_for(needs | option_needs(rules), transactions=transactions), days or None


async def _look_at_record(
    services: Services, vendors: Vendors, store: Store, record: RecordKey, due: Sequence[Due]
) -> None:
    """Read the record once, let every workflow of its kind decide, and write down what each of them wants."""
    db, kind = services.db, KINDS[record.kind]
    started = services.clock.now()
    of = {"store_hash": store.hash, "kind": record.kind, "id": record.id}
    await db.execute("see_record", {**of, "now": started})
    before = await db.fetch_one("fetch_record", of)
    assert before is not None
    rules = await read_rules(services, store.hash, record)
    terms = rules.pop(customer_terms.SLUG) if kind is ORDER else ()
    every_rule = [rule for found in rules.values() for rule in found]
    hold = await fetch_hold(db, store.hash, record)
    is_told = all(d.topic != "command" and d.source in ("bigcommerce", "sweep") for d in due)
    is_idle = hold is None and not await requests_of(db, store.hash, record)
    if is_told and not every_rule and not terms and is_idle and not await has_asked_for_quotes(db, store, record):
        # No rule could ask and nothing was asked: not worth a call. Opening its page or a rule looks at it.
        async with db.transaction():
            await db.execute("touch_record", {**of, "now": started})
            await finish_deliveries(db, store.hash, list(due), started)
        return
    # Transactions tell a payment from a person's hand once there is a hold, and when an authorisation ends.
    is_paid = hold is not None or store.settings.hold_method == "capture"
    needs, days = reads_for(kind, every_rule, transactions=is_paid)
    if hold is not None and hold.method == "capture":
        needs = replace(needs, catalog=True)  # a pre-order may be released after its authorisation has ended
    facts = await READERS[record.kind](Ask(services, vendors, store, record.id, needs, days))
    if isinstance(facts, Gone) and before["looked_at"] is None and kind.is_remote:
        first = min(d.received_at for d in due)
        if services.clock.now() - first < NEW_FOR:
            raise RemoteError("the record is not there yet", uncounted=True, retry_after=ASK_NEW_AGAIN)
    commands = tuple(read_command(services.secrets, store.hash, d) for d in due if d.topic == "command")
    agreements, bearer = sign_once_agreements((*every_rule, *terms)), None
    if agreements and not isinstance(facts, Gone):
        by_company = counts_by_company((*every_rule, *terms))
        bearer = await bearer_of(
            db, services.secrets, vendors, store, facts, agreements, services.clock.now(), by_company=by_company
        )
    if not isinstance(facts, Gone):
        facts = await with_accepted(services, store, facts, (r.definition for r in (*every_rule, *terms)), vendors)
    quote, ask_again = None, None
    if isinstance(facts, OrderFacts):
        try:
            quote = await signed_quote_of(services, vendors, store, facts)
            ask_again = QUOTE_AGAIN if quote is not None and not quote.request_id else None
        except BigCommerceError:
            if hold is not None:
                raise  # it stays held until its quote is known
            ask_again = UNKNOWN_WAITS  # a rule's hold must not wait for what the quote says
        ask_again = ask_again or _until_it_ages(facts, hold, started)
    now = services.clock.now()
    async with db.transaction():
        locked = await db.fetch_one("lock_record", of)
        if locked is None or locked["version"] != before["version"]:
            raise Stale("somebody else looked at this record meanwhile")
        requests = await requests_of(db, store.hash, record)
        if kind.name in COME_IN_THOUSANDS and every_rule and not requests:
            rules = await _counted_now(services, store.hash, record, rules)
        situation = Situation(
            record=record,
            facts=facts,
            rules=(),
            requests=requests,
            hold=await fetch_hold(db, store.hash, record),
            open_actions=await open_actions(db, store.hash, record),
            store=store.settings,
            directory=await read_directory(services, store.hash),
            reading=await fetch_reading(db, store, now),
            agreements={
                r["id"]: r["version"] for r in await db.fetch_all("newest_agreements", {"store_hash": store.hash})
            },
            commands=commands,
            test_person=await _test_person(services, store),
            ledger=await fetch_ledger(db, store.hash, record, bearer, agreements) if bearer else None,
            quote=quote,
            acted=await acted_on(db, store.hash, record) if requests else frozenset(),
            registrations=await _registrations(db, store.hash, record, every_rule, requests),
            papers=await accepted(db, store, record) if requests and record.kind in account_approval.KINDS else (),
        )
        traces: list[RuleTrace] = []
        named = {rule.id: rule.workflow for rule in (*every_rule, *terms)}
        is_taken = False
        for workflow in workflows_of(record.kind):
            share = share_of(situation, workflow, rules[workflow.SLUG], named)
            plan = workflow.decide(replace(share, held_elsewhere=share.held_elsewhere or is_taken))
            is_taken = is_taken or any(isinstance(i, MoveHold) for i in plan.intents)
            await Writer(services, store, record, workflow.SLUG, now).write(plan.intents)
            traces += plan.traces
        if terms:
            share = share_of(situation, WORKFLOWS[customer_terms.SLUG], terms, named)
            intents = customer_terms.on_order(share, terms, is_new=before["looked_at"] is None)
            await Writer(services, store, record, customer_terms.SLUG, now).write(intents)
        if isinstance(facts, Gone):
            await db.execute("save_gone", {**of, "now": now})
            await drop_past(db, store.hash, record.kind, record.id)
        else:
            await db.execute("save_look", {**of, **_written(kind, facts, traces), "now": now})
            if kind.name in PAST_KINDS:
                stored = await keep_past(db, store.hash, kind, record.id, facts, now, complete=is_whole(facts))
            else:
                stored = kind.dump(facts)
            await keep_decision(db, store.hash, record, traces, digest(stored), now)
            if isinstance(facts, CompanyFacts) and (before["facts"] or {}).get("status") != facts.status:
                # How the company above stands may decide for those below, and nothing tells them of it.
                for row in await db.fetch_all("known_subsidiaries", {"store_hash": store.hash, "id": str(facts.id)}):
                    await say_look(db, store.hash, RecordKey(record.kind, row["id"]), now)
        await finish_deliveries(db, store.hash, list(due), now)
        if ask_again is not None:
            # Nothing tells the order that its quote was signed meanwhile, or that its authorisation grows old.
            await say_look(db, store.hash, record, now, due_at=now + ask_again)


def _until_it_ages(facts: OrderFacts, hold: Hold | None, now: datetime) -> timedelta | None:
    """Return when an order that waits to be captured is to be looked at for its authorisation's sake."""
    since = authorised_at(facts)
    if since is None or hold is None or hold.method != "capture" or hold.state not in order_approval.WAITING:
        return None
    at = next_stage_at(since, now)
    return None if at is None else at - now


async def _counted_now(
    services: Services, store_hash: str, record: RecordKey, rules: Mapping[str, tuple[RuleInForce, ...]]
) -> dict[str, tuple[RuleInForce, ...]]:
    """Return the rules with what they asked as of now, one look after the other: an import must not outrun a limit."""
    ids = sorted(rule.id for found in rules.values() for rule in found)
    await services.db.fetch_all("lock_rules_asking", {"store_hash": store_hash, "ids": ids})
    fresh = {r.id: r for found in (await read_rules(services, store_hash, record)).values() for r in found}

    def counted(rule: RuleInForce) -> RuleInForce:
        now = fresh.get(rule.id, rule)
        hour, day = now.asked_last_hour, now.asked_last_day
        return replace(rule, asked_last_hour=hour, asked_last_day=day, paused_why=now.paused_why)

    return {slug: tuple(counted(rule) for rule in found) for slug, found in rules.items()}


def share_of(
    situation: Situation, workflow: Workflow, rules: tuple[RuleInForce, ...], named: Mapping[int, str]
) -> Situation:
    """Return what one workflow sees of a record: its own rules, requests and buttons, and the hold if it is its own.

    named: rule id -> workflow of every rule in force: what covers the record stands with the workflow of its rule.
    """
    whose = {r.id: r.workflow for r in situation.requests}
    hold, ledger, mine = situation.hold, situation.ledger, workflow.SLUG
    holder = holder_of(situation.record.kind, hold.method if hold else None)
    if ledger is not None:
        ledger = replace(ledger, named={k: v for k, v in ledger.named.items() if named.get(k, mine) == mine})
    first = workflows_of(situation.record.kind)[0].SLUG
    return replace(
        situation,
        rules=rules,
        requests=tuple(r for r in situation.requests if r.workflow == mine),
        commands=tuple(
            c
            for c in situation.commands
            if (whose.get(c.request_id) or c.workflow or (holder if c.kind == "release" else first)) == mine
        ),
        hold=hold if holder == mine and workflow.HOLDS else None,
        # A hold that another workflow has opened is over: who was let in by it may still wait for something else.
        held_elsewhere=(
            workflow.HOLDS and hold is not None and holder != mine and hold.state is not HoldState.RELEASED
        ),
        ledger=ledger,
    )


async def _registrations(
    db: Database,
    store_hash: str,
    record: RecordKey,
    rules: Sequence[RuleInForce],
    requests: Sequence[SignatureRequest],
) -> tuple[Registration, ...]:
    """Return what is registered of an order, read only where a rule or a request has to do with it."""
    if warranty.SLUG not in {r.workflow for r in rules} | {r.workflow for r in requests}:
        return ()
    return await registrations_of(db, store_hash, record.id) if record.kind == ORDER.name else ()


async def _test_person(services: Services, store: Store) -> Person | None:
    if not store.settings.test_mode:
        return None
    values = {"store_hash": store.hash, "user_id": store.settings.test_mode_user}
    row = await services.db.fetch_one("test_mode_person", values)
    return Person(**row) if row else None


def _written(kind: Kind, facts: Any, traces: Sequence[RuleTrace]) -> dict[str, Any]:
    """Return what pages show of a record: its material facts and how it stands."""
    brief = kind.brief(facts)
    return {
        "label": brief.label,
        "amount": brief.money.amount if brief.money else None,
        "currency": brief.money.currency if brief.money else None,
        "facts": {"snapshot": kind.snapshot(facts), **kind.shown(facts)},
        "trace": [_plain(asdict(trace)) for trace in traces],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return f"{value:f}" if isinstance(value, Decimal) else value


# Requests -------------------------------------------------------------------------------------------------


async def _look_at_request(
    services: Services, vendors: Vendors, store: Store, record: RecordKey, due: Sequence[Due]
) -> None:
    """Read the document again, whatever the callback said, and move the request by what it tells."""
    db = services.db
    request = await fetch_request(db, store.hash, int(record.id))
    if request is None or request.status.is_end or not request.provider_document:
        await finish_deliveries(db, store.hash, list(due), services.clock.now())
        return
    client = await vendors.signature(store.hash, request.account_id)
    document = await client.fetch_document(request.provider_document)
    bounced: frozenset[str] = frozenset()
    if document is not None and any("bounce" in d.topic or d.source == "sweep" for d in due):
        # Bounces are told by events only, never by the document.
        bounced = await client.bounced(request.provider_document)
    now = services.clock.now()
    of = {"store_hash": store.hash, "kind": request.record.kind, "id": request.record.id}
    async with db.transaction():
        await db.fetch_one("lock_record", of)
        current = await fetch_request(db, store.hash, request.id, lock=True)
        assert current is not None
        actions = await open_actions(db, store.hash, request.record)
        missed = await db.fetch_one("missing_document", {"store_hash": store.hash, "id": request.id})
        assert missed is not None
        missing = Missing(
            missed["missing_since"],
            missed["missing_reads"],
            missed["missing_told"] or any("deleted" in d.topic for d in due),
            missed["provider_account"] == client.account.place,
        )
        escalation = await read_escalation(services, store, current)
        plan = decide_request(
            current,
            document,
            bounced=bounced,
            open_actions=actions,
            now=now,
            missing=missing,
            escalation=escalation,
            resting=await rests(services, store, current.id, now),
        )
        writer = Writer(services, store, request.record, request.workflow, now)
        await writer.write(plan.intents)
        await db.execute(
            "push_read_due",
            {"store_hash": store.hash, "id": request.id, "read_due_at": now + READ_AGAIN, "now": now},
        )
        await read_in_time(db, store.hash, request.id, now)
        await finish_deliveries(db, store.hash, list(due), now)
        if document is not None and document.processing:
            await say_look(db, store.hash, record, now, due_at=now + timedelta(seconds=2))
        if writer.changed:
            await say_look(db, store.hash, request.record, now)


# Refunds --------------------------------------------------------------------------------------------------


async def _look_at_refunds(
    services: Services, vendors: Vendors, store: Store, record: RecordKey, due: Sequence[Due]
) -> None:
    """Something was refunded: whether it was approved, and for which case it counts. The order itself changed too."""
    order = RecordKey("order", record.id)
    # Said first: refunds that cannot be read must not keep the order from being looked at.
    await say_look(services.db, store.hash, order, services.clock.now(), source="bigcommerce")
    await look_at_refunds(services, vendors, store, int(record.id))
    await finish_deliveries(services.db, store.hash, list(due), services.clock.now())


# Stores ---------------------------------------------------------------------------------------------------


async def _look_at_store(services: Services, store: Store, record: RecordKey, due: Sequence[Due]) -> None:
    """Something about the store changed: read its set-up, its channels and its hooks again."""
    now = services.clock.now()
    async with services.db.transaction():
        await queue_action(services.db, store.hash, ActionKind.REGISTER_HOOKS, record, now)
        await finish_deliveries(services.db, store.hash, list(due), now)
