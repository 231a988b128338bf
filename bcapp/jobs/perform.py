"""The job "perform this action": start it, do it, write down how it ended, and let the next one go."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import random
from typing import assert_never

import structlog

from bcapp.core.actions import URGENT, ActionKind, Recovery, priority, recovery
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.retry import counts, next_try
from bcapp.core.states import ActionState
from bcapp.core.stores import StoreDoing, StoreState
from bcapp.core.unnamed import without_addresses
from bcapp.db.actions import (
    Action,
    fetch_action,
    finish_action,
    has_earlier,
    postpone_action,
    queue_heads,
    start_action,
)
from bcapp.db.deliveries import say_look
from bcapp.db.requests import fetch_request
from bcapp.db.stores import Store, fetch_store
from bcapp.errors import AppError, CircuitOpen, CredentialsRefused, RefusedByUs, RemoteError, Stale, TokenRefused
from bcapp.jobs import (
    account_approval,
    backlog,
    campaigns,
    cases,
    customer_terms,
    endpoints,
    importing,
    offers,
    orders,
    own_quotes,
    past,
    signing,
    suppliers,
    upkeep,
    warranties,
    writeback,
)
from bcapp.jobs.apply import Writer
from bcapp.jobs.asking import ask_person
from bcapp.jobs.gates import spare_attempts
from bcapp.jobs.look import ask_for_consent, tell_account_broken
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services
from bcapp.workflows import workflows_of

log = structlog.get_logger(__name__)

LEAVING = frozenset({ActionKind.PROBE_UNINSTALL, ActionKind.FINISH_UNINSTALL})
# Even while BigCommerce refuses our token: that is what the mail tells, and others may need to know what happened.
TELLING = frozenset({ActionKind.SEND_MAIL, ActionKind.DELIVER_WEBHOOK})
OFFERS = frozenset(
    {ActionKind.SWITCH_OFF_PROMOTION, ActionKind.SWITCH_ON_PROMOTION, ActionKind.SHUT_QUOTE, ActionKind.OPEN_QUOTE}
)
ALARMING = OFFERS | frozenset(
    {ActionKind.HOLD_ORDER, ActionKind.RELEASE_ORDER, ActionKind.CAPTURE_ORDER, ActionKind.CHECK_COMPLETION}
    | {ActionKind.HIDE_PRODUCTS, ActionKind.SHOW_PRODUCTS}
)


async def do(work: Work) -> Outcome:
    """The one place where an action's kind meets its call. A kind that nobody handles does not type-check."""
    match work.kind:
        case ActionKind.HOLD_ORDER:
            return await orders.hold_order(work)
        case ActionKind.RELEASE_ORDER:
            return await orders.release_hold(work)
        case ActionKind.CAPTURE_ORDER:
            return await orders.capture_order(work)
        case ActionKind.SWITCH_OFF_PROMOTION:
            return await offers.switch_off_promotion(work)
        case ActionKind.SWITCH_ON_PROMOTION:
            return await offers.switch_on_promotion(work)
        case ActionKind.SHUT_QUOTE:
            return await (own_quotes.shut(work) if work.record is OWN_QUOTE else offers.shut_quote(work))
        case ActionKind.OPEN_QUOTE:
            return await (own_quotes.open_(work) if work.record is OWN_QUOTE else offers.open_quote(work))
        case ActionKind.SEND_QUOTE:
            return await (own_quotes.send(work) if work.record is OWN_QUOTE else offers.send_quote(work))
        case ActionKind.GIVE_CODE:
            return await offers.give_code_of_request(work)
        case ActionKind.HOLD_ACCOUNT:
            return await account_approval.hold_account(work)
        case ActionKind.APPROVE_ACCOUNT:
            return await account_approval.approve_account(work)
        case ActionKind.UNDO_ACCOUNT:
            return await account_approval.undo_account(work)
        case ActionKind.WITHHOLD_ACCESS:
            return await customer_terms.withhold_access(work)
        case ActionKind.GRANT_ACCESS:
            return await customer_terms.grant_access(work)
        case ActionKind.ATTACH_TO_COMPANY:
            return await account_approval.attach_to_company(work)
        case ActionKind.REGISTER_WARRANTY:
            return await warranties.register_warranty(work)
        case ActionKind.WRITE_METAFIELDS:
            return await writeback.write_metafields(work)
        case ActionKind.WRITE_STAFF_NOTE:
            return await writeback.write_staff_note(work)
        case ActionKind.HIDE_PRODUCTS:
            return await suppliers.hide_products(work)
        case ActionKind.SHOW_PRODUCTS:
            return await suppliers.show_products(work)
        case ActionKind.KEEP_AGREEMENT:
            return await suppliers.keep_agreement(work)
        case ActionKind.COUNT_PRODUCTS:
            return await suppliers.count_products(work)
        case ActionKind.IMPORT_SUPPLIERS:
            return await suppliers.import_suppliers(work)
        case ActionKind.PREPARE_CASE:
            return await cases.prepare_case(work)
        case ActionKind.EXECUTE_REFUND:
            return await cases.execute_refund(work)
        case ActionKind.VOID_PAYMENT:
            return await cases.void_payment(work)
        case ActionKind.CANCEL_ORDER:
            return await cases.cancel_order(work)
        case ActionKind.FOLLOW_REFUND:
            return await cases.follow_refund(work)
        case ActionKind.PREPARE_DOCUMENT:
            return await signing.prepare_document(work)
        case ActionKind.CREATE_DOCUMENT:
            return await signing.create_document(work)
        case ActionKind.SEND_REQUEST:
            return await signing.send_request(work)
        case ActionKind.CANCEL_REQUEST:
            return await signing.cancel_request(work)
        case ActionKind.RESEND_REQUEST:
            return await signing.resend_request(work)
        case ActionKind.MEND_ADDRESS:
            return await signing.mend_address(work)
        case ActionKind.CHECK_COMPLETION:
            return await signing.check_right(work)
        case ActionKind.FETCH_EVIDENCE:
            return await signing.fetch_evidence(work)
        case ActionKind.SEND_MAIL:
            return await upkeep.send_mail(work)
        case ActionKind.DELIVER_WEBHOOK:
            return await endpoints.deliver_webhook(work)
        case ActionKind.TEST_ACCOUNT:
            return await upkeep.test_account(work)
        case ActionKind.REGISTER_HOOKS:
            return await upkeep.register_hooks(work)
        case ActionKind.COUNT_BACKLOG:
            return await backlog.count_backlog(work)
        case ActionKind.READ_PAST:
            return await past.read_past(work)
        case ActionKind.TRY_RULE:
            return await past.try_rule(work)
        case ActionKind.IMPORT_ACCEPTANCES:
            return await importing.import_acceptances(work)
        case ActionKind.ASK_CAMPAIGN:
            return await campaigns.ask_campaign(work)
        case ActionKind.PROBE_UNINSTALL:
            return await upkeep.probe_uninstall(work)
        case ActionKind.FINISH_UNINSTALL:
            return await upkeep.finish_uninstall(work)
        case _:
            assert_never(work.kind)


async def perform(services: Services, vendors: Vendors, store_hash: str, action_id: int) -> None:
    """Perform an action when it is due and the first of its lane; anything else is left to the tick."""
    db, now = services.db, services.clock.now()
    action = await fetch_action(db, store_hash, action_id)
    if action is None or action.state.is_end or (action.state is ActionState.PENDING and action.due_at > now):
        return
    if action.kind not in ActionKind.__members__.values():
        return  # a newer release queued it: left for a newer worker
    kind = ActionKind(action.kind)
    store = await fetch_store(db, store_hash)
    if store is None or not _may_work(store, kind) or await has_earlier(db, action):
        return
    was_started = action.state is ActionState.STARTED
    retried = action.generation > 0  # not the attempt: a wait takes it back, and a new try by a person starts it anew
    started = await start_action(db, action, now)
    if started is None:
        return
    structlog.contextvars.bind_contextvars(
        store=store_hash, action=action_id, kind=str(kind), record=action.record.id, request=action.request_id
    )
    patient = vendors if priority(kind) <= URGENT else vendors.patient
    work = Work(services, patient, store, started, kind, retried)
    try:
        if was_started and recovery(kind) is Recovery.AT_MOST_ONCE:
            outcome = skipped("It may have been done by a worker that died, so it is not done again.", look=False)
        else:
            outcome = await do(work)
        await _finish(services, store, started, outcome)
    except Stale:
        log.info("action_taken_over")
    except Exception as exc:
        await _file_failure(services, vendors, store, started, kind, exc)
        if not isinstance(exc, AppError):
            raise  # a bug; the action is out of the way, so this is no crash loop
    finally:
        structlog.contextvars.clear_contextvars()


def _may_work(store: Store, kind: ActionKind) -> bool:
    if store.state in (StoreState.UNINSTALLING, StoreState.UNINSTALLED):
        return kind in LEAVING  # the last one may have died between destroying the secrets and its own end
    return store.may(StoreDoing.WORK) or kind in TELLING


async def _workflow_of(services: Services, action: Action) -> str:
    if action.request_id is None:
        return ""
    request = await fetch_request(services.db, action.store_hash, action.request_id)
    return request.workflow if request else ""


async def _finish(services: Services, store: Store, action: Action, outcome: Outcome) -> None:
    """End the action, write what follows, queue the next of the lane and look again: one transaction."""
    db, now = services.db, services.clock.now()
    workflow = await _workflow_of(services, action)
    async with db.transaction():
        await db.fetch_one(
            "lock_record", {"store_hash": store.hash, "kind": action.record.kind, "id": action.record.id}
        )
        if outcome.again_in is not None:
            if not await postpone_action(db, action, "", now + outcome.again_in, counted=False, now=now):
                raise Stale("another runner took this action over")
        elif not await finish_action(db, action, outcome.state, without_addresses(outcome.why), outcome.left_as, now):
            raise Stale("another runner took this action over")
        writer = Writer(services, store, action.record, workflow, now)
        await writer.write(outcome.intents)
        await queue_heads(db, store.hash, action.record, now)
        if outcome.look and workflows_of(action.record.kind):
            await say_look(db, store.hash, action.record, now)
    log.info("action_ended", state=str(outcome.state), why=outcome.why or None)


async def _file_failure(
    services: Services, vendors: Vendors, store: Store, action: Action, kind: ActionKind, exc: Exception
) -> None:
    now = services.clock.now()
    if isinstance(exc, TokenRefused) and kind not in LEAVING and await vendors.token_was_refused(store.hash, now):
        await ask_for_consent(services, store.hash)
    if isinstance(exc, CredentialsRefused) and action.request_id is not None:
        await tell_account_broken(services, store.hash, action.request_id, exc)
    await spare_attempts(services.db, store.hash, exc, now)
    unclear = isinstance(exc, RemoteError) and exc.unclear
    again: datetime | None
    if (recovery(kind) is Recovery.AT_MOST_ONCE and unclear) or isinstance(exc, RefusedByUs):
        again = None
    else:
        again = next_try(action.attempt, exc, now, random())
    why = without_addresses(str(exc)) if isinstance(exc, AppError) else f"A fault of ours: {type(exc).__name__}"
    quiet = isinstance(exc, CircuitOpen)
    (log.debug if quiet else log.warning)("action_failed", error=why, attempt=action.attempt, again=again)
    async with services.db.transaction():
        if again is not None:
            await postpone_action(services.db, action, why[:500], again, counted=counts(exc), now=now)
            return
        if not await finish_action(services.db, action, ActionState.FAILED, why[:500], None, now):
            return
        await _ask_for_help(services, store, action, kind, why)
        await queue_heads(services.db, store.hash, action.record, now)
        if workflows_of(action.record.kind):
            await say_look(services.db, store.hash, action.record, now, due_at=now + timedelta(seconds=1))


async def _ask_for_help(services: Services, store: Store, action: Action, kind: ActionKind, why: str) -> None:
    what = str(kind).replace("_", " ").capitalize()
    await ask_person(
        services.db,
        store.hash,
        action.record,
        services.clock.now(),
        kind=f"failed:{kind}",
        text=f"“{what}” did not work: {why} Mend the cause, then try it again.",
        alarm=kind in ALARMING,
        request_id=action.request_id,
        action_id=action.id,
    )
