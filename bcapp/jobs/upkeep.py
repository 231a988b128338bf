"""Doing things for a store: mail, connection test, hooks, backlog counts, uninstall."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.agreements import freeze_template
from bcapp.core.intents import Act, AskPerson, Intent, MoveRequest, Note, SettleTasks
from bcapp.core.states import ActionState, RequestEvent
from bcapp.core.stores import is_b2b_scope
from bcapp.db.actions import queue_action
from bcapp.db.settings import LeftHidden, list_left_hidden
from bcapp.errors import BigCommerceError, RefusedByUs, RemoteError, Stale, TokenRefused
from bcapp.jobs.apply import Writer
from bcapp.jobs.escalate import follow_profile, mail_step
from bcapp.jobs.notice_mail import mail_notice
from bcapp.jobs.offers import mail_code
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.returns import mail_return_link
from bcapp.jobs.signing import template_as_read
from bcapp.jobs.sweeps import SWEEPS
from bcapp.mail import Mailer, MailFailed, MailNotSet

# What the order workflow listens to. A hook's own resource needs no scope; reading the order does.
HOOK_SCOPES = (
    "store/order/created",
    "store/order/updated",
    "store/order/statusUpdated",
    "store/order/archived",
    "store/order/refund/created",
    "store/order/transaction/created",
    "store/order/transaction/updated",
    "store/shipment/created",
    "store/customer/created",
    "store/customer/updated",
    "store/customer/deleted",
    "store/product/created",
    "store/information/updated",
    "store/app/uninstalled",
)
# What B2B Edition tells; its webhooks need its scope with the right to change (bigcommerce.md 2.4).
B2B_HOOK_SCOPES = tuple(
    f"store/{what}"
    for what in (
        "company/created", "company/updated", "company/statusUpdated", "company/deleted", "company/user/created",
        "company/user/updated", "company/user/deleted", "company/address/created", "company/address/updated",
        "quote/created", "quote/updated", "quote/statusUpdated", "quote/deleted",
    )
)  # fmt: skip
# What webhooks of a resource are about -> the sweeps that read back what such a webhook did not tell.
GAPS: dict[str, tuple[str, ...]] = {
    "order": ("orders", "refunds", "declined"),
    "shipment": ("orders",),
    "customer": ("customers",),
    "company": ("companies",),
    "quote": ("quotes",),
    "product": ("suppliers",),
}
KEY_HEADER = "X-Countersign-Key"
TRIES_TO_TELL = 9  # about a quarter of an hour
KEPT = "It stays held, as was decided before the uninstall."
PROBES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=60))


async def send_mail(work: Work) -> Outcome:
    """Mail a task to the person who gets alarms, else (or when the payload says so) to the owner. At most once.

    With a step in the payload it is an escalation, which goes to the person of the step; with a notice it goes to a
    signer, with a return_ask to a shopper.
    """
    if "step" in work.action.payload:
        return await mail_step(work)
    if "notice" in work.action.payload:
        return await mail_notice(work)
    if "offer_code" in work.action.payload:
        return await mail_code(work)
    if "return_ask" in work.action.payload:
        return await mail_return_link(work)
    db, now = work.services.db, work.services.clock.now()
    task = await db.fetch_one("fetch_task", {"store_hash": work.store.hash, "id": int(work.action.payload["task_id"])})
    if task is None or task["done_at"] is not None:
        return skipped("The task is done already.", look=False)
    of = {"store_hash": work.store.hash}
    first, second = "fetch_alarm_person", "fetch_owner_person"
    if work.action.payload.get("to") == "owner":
        first, second = second, first
    person = await db.fetch_one(first, of) or await db.fetch_one(second, of)
    if person is None:
        return skipped("Nobody is named for alarms. Name a person in Settings.", look=False)
    url = work.services.settings.smtp_url
    mailer = Mailer.from_url(url.get_secret_value() if url else None)
    link = f"{work.store.control_panel_url}/manage/app/{work.services.settings.bc_app_id}"
    try:
        await mailer.send(
            person["email"],
            f"{work.store.name}: something needs you",
            f"{task['text']}\n\nOpen the app in your control panel: {link}\n",
            message_id=f"task-{work.store.hash}-{task['id']}",
            at=now,
        )
    except MailNotSet as exc:
        return skipped(str(exc), look=False)
    except MailFailed as exc:
        if exc.unclear or exc.permanent:
            return skipped(f"Not mailed, or not known to be: {exc}", look=False)
        raise RemoteError(str(exc)) from exc
    return Outcome(intents=(Note("alarm_mailed", None, {"task": task["id"]}),), look=False)


async def test_account(work: Work) -> Outcome:
    """Fetch a token and read the templates; what failed is said step by step."""
    account_id = int(work.action.record.id)
    client = await work.vendors.signature(work.store.hash, account_id)
    steps = await client.probe()
    good = all(step.ok for step in steps)
    templates: list[dict[str, Any]] | None = None
    if good:
        templates = [
            {"uuid": t.uuid, "name": t.name, "placeholders": freeze_template(template_as_read(t))}
            for t in await client.templates()
        ]
    why = "" if good else next(step.sentence for step in steps if not step.ok)
    async with work.services.db.transaction():
        await work.services.db.execute(
            "save_account_report",
            {
                "store_hash": work.store.hash,
                "id": account_id,
                "state": "working" if good else "broken",
                "why": why,
                "report": [{"name": s.name, "ok": s.ok, "sentence": s.sentence} for s in steps],
                "templates": templates,
                "now": work.services.clock.now(),
            },
        )
        if good:
            woken = {"store_hash": work.store.hash, "account_id": account_id, "now": work.services.clock.now()}
            await work.services.db.execute("wake_actions_of_account", woken)
    return Outcome(why=why, intents=(SettleTasks(("credentials",)),) if good else (), look=False)


def hook_scopes(granted: Iterable[str]) -> tuple[str, ...]:
    """Return what a store's webhooks are about, by the scopes that its merchant accepted."""
    return (*HOOK_SCOPES, *B2B_HOOK_SCOPES) if is_b2b_scope(" ".join(granted)) else HOOK_SCOPES


def sweeps_for(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the sweeps that read back what these webhooks missed while they were not there, each once."""
    return tuple(dict.fromkeys(name for scope in scopes for name in GAPS.get(scope.split("/")[1], ())))


async def register_hooks(work: Work) -> Outcome:
    """Make the store's webhooks what they should be: missing ones are made, drifted or silent ones are set right.

    What the store says of itself is read along: another time zone moves what is due by the store's clock.
    """
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    sealed = await db.fetch_val("fetch_webhook_key", {"store_hash": store_hash})
    if sealed is None:
        return skipped("The store has no webhook key. Open the app again to make one.", look=False)
    key = work.services.secrets.decrypt(
        bytes(sealed), table="stores", column="webhook_key", store_hash=store_hash, row=store_hash
    ).decode()
    destination = f"{work.services.settings.app_url}/webhooks/bigcommerce"
    headers = {KEY_HEADER: key}
    client = await work.vendors.bigcommerce(store_hash)
    there = {h["scope"]: h for h in await client.hooks() if h.get("destination") == destination}
    made, mended, refused, silent = list[str](), list[str](), list[str](), list[str]()
    for scope in hook_scopes(work.store.scope):
        hook = there.get(scope)
        try:
            if hook is None:
                hook = await client.create_hook(scope, destination, headers)
                made.append(scope)
            elif not (active := bool(hook.get("is_active"))) or (hook.get("headers") or {}).get(KEY_HEADER) != key:
                hook = await client.update_hook(int(hook["id"]), is_active=True, headers=headers)
                mended.append(scope)
                silent += [] if active else [scope]
        except BigCommerceError as exc:
            if not exc.permanent:
                raise
            refused.append(scope)
            continue
        await db.execute(
            "save_hook",
            {
                "store_hash": store_hash,
                "id": int(hook["id"]),
                "scope": scope,
                "is_active": bool(hook.get("is_active", True)),
                "now": now,
            },
        )
    await db.execute("drop_old_hooks", {"store_hash": store_hash, "now": now})
    profile = asdict(await client.get_store())
    async with db.transaction():
        moved = await follow_profile(work, profile)
        for name in SWEEPS:
            await db.execute("add_sweep", {"store_hash": store_hash, "name": name, "cursor": now, "due_at": now})
        # What they missed meanwhile is read back at once: exactly the time since the last round of each sweep.
        read_back = sweeps_for((*made, *mended))
        for name in read_back:
            await db.execute("bring_sweep_forward", {"store_hash": store_hash, "name": name, "due_at": now})
    detail = {"made": made, "mended": mended, "refused": refused, "read_back": list(read_back)}
    intents: list[Intent] = [Note("hooks_registered", None, detail)] if made or mended or refused else []
    intents += [Note("zone_changed", None, {"steps": moved})] if moved is not None else []
    if silent:
        text = "BigCommerce had switched webhooks off. They are on again, and what they missed is being read back."
        intents.append(AskPerson("hooks_off", text, alarm=True))
    return Outcome(left_as=detail, intents=tuple(intents), look=False)


async def probe_uninstall(work: Work) -> Outcome:
    """Ask BigCommerce whether the uninstall is true: our token is refused, and so our hooks are gone.

    Payload {"probe": 0..3}: now, after 1, 10 and 60 minutes. A token that still works after the last probe means that
    the call was not true, and the store goes on.
    """
    if work.store.state != "uninstalling":
        return skipped("The store is not leaving.", look=False)
    probe = int(work.action.payload.get("probe", 0))
    client = await work.vendors.bigcommerce(work.store.hash)
    try:
        await client.time()
        gone = not await client.hooks()
    except TokenRefused:
        gone = True
    except BigCommerceError as exc:
        if exc.status != 403:
            raise
        gone = True
    now = work.services.clock.now()
    if gone:
        return Outcome(
            why="BigCommerce confirmed the uninstall.",
            intents=(Act(ActionKind.FINISH_UNINSTALL), Note("uninstall_confirmed")),
            look=False,
        )
    if probe < len(PROBES):
        next_probe = Act(ActionKind.PROBE_UNINSTALL, None, {"probe": probe + 1}, now + PROBES[probe])
        return Outcome(why="BigCommerce still knows us.", intents=(next_probe,), look=False)
    async with work.services.db.transaction():
        await work.services.db.execute("resume_store", {"store_hash": work.store.hash, "now": now})
        # What was told in this hour was not written down: it is read back at once.
        sweep = {"store_hash": work.store.hash, "name": "orders", "due_at": now}
        await work.services.db.execute("bring_sweep_forward", sweep)
        await queue_action(work.services.db, work.store.hash, ActionKind.REGISTER_HOOKS, work.action.record, now)
    return Outcome(ActionState.CONFLICT, "The app is still installed; work goes on.", look=False)


async def finish_uninstall(work: Work) -> Outcome:
    """Cancel what is open at the signature service, mail the list of held records, then destroy the secrets."""
    db, store_hash, now = work.services.db, work.store.hash, work.services.clock.now()
    if work.store.state == "uninstalled" and work.retried:
        return Outcome(why="The secrets were destroyed already.", intents=(Note("uninstalled"),), look=False)
    if work.store.state != "uninstalling":
        return skipped("The store is not leaving.", look=False)
    left: list[int] = []
    ended: list[Intent] = []
    for row in await db.fetch_all("open_requests_of_store", {"store_hash": store_hash}):
        if row["provider_request"] is not None:
            try:
                client = await work.vendors.signature(store_hash, row["account_id"])
                await client.cancel(str(row["provider_request"]))
            except (RemoteError, RefusedByUs):
                left.append(row["id"])  # it expires by itself, and is read again after a new install
                continue
        ended.append(MoveRequest(row["id"], RequestEvent.CANCELLED, "The app was uninstalled."))
    held = await db.fetch_all("held_records", {"store_hash": store_hash})
    hidden = await list_left_hidden(db, store_hash)
    told = await _tell_held(work, held, hidden)
    detail = {"held": [r["record_id"] for r in held], "hidden": [h.id for h in hidden], "told": told, "left_open": left}
    async with db.transaction():
        await db.execute("destroy_account_secrets", {"store_hash": store_hash})
        await db.execute("destroy_endpoint_secrets", {"store_hash": store_hash})
        await db.execute("end_waiting_sends", {"store_hash": store_hash, "now": now})
        await db.execute("revoke_every_api_key", {"store_hash": store_hash, "now": now})
        await db.execute("destroy_secrets", {"store_hash": store_hash, "now": now})
        await db.execute("stop_actions", {"store_hash": store_hash, "now": now})
        # Here and not as the outcome: after a crash between the two nobody knows any more which ones were cancelled.
        await Writer(work.services, work.store, work.action.record, "", now).write(ended)
        for row in held:
            if row["kept_by"] is not None and row["state"] != "releasing":
                await db.execute("keep_hold", {"store_hash": store_hash, **_record_of(row), "why": KEPT})
    return Outcome(left_as=detail, intents=(Note("uninstalled", None, detail),), look=False)


def _record_of(row: dict[str, Any]) -> dict[str, str]:
    return {"record_kind": row["record_kind"], "record_id": row["record_id"]}


async def _tell_held(work: Work, held: list[dict[str, Any]], hidden: list[LeftHidden]) -> str:
    """Mail the list of what stays held, at most once and never left out by a new try; return how that went.

    mailed: the server took it. unclear: a worker died over it, or the server's answer was lost. not mailed: nobody to
    mail to, no mail server, or it takes nothing for a quarter of an hour. none: nothing is held.
    """
    if not held and not hidden:
        return "none"
    said = str(work.action.payload.get("mail", ""))
    if said in ("mailed", "not mailed"):
        return said
    if said == "begun":  # committed right before the mail: it may be on its way
        return "unclear"
    await _note_mail(work, "begun")
    try:
        went = "mailed" if await _mail_held(work, held, hidden) else "not mailed"
    except MailFailed as exc:
        if exc.unclear:
            return "unclear"
        if not exc.permanent and work.action.attempt < TRIES_TO_TELL:
            await _note_mail(work, "")
            raise RemoteError(str(exc)) from exc
        went = "not mailed"  # the secrets do not stay because a mail server is away
    await _note_mail(work, went)
    return went


async def _note_mail(work: Work, went: str) -> None:
    values = {**work.action.key, "payload": {"mail": went}}
    if await work.services.db.fetch_val("note_step", values) is None:
        raise Stale("another runner took this action over")


async def _mail_held(work: Work, held: list[dict[str, Any]], hidden: list[LeftHidden]) -> bool:
    """Say what stays held and hidden, because nothing will release it any more. False: there is no way to mail it."""
    of = {"store_hash": work.store.hash}
    person = await work.services.db.fetch_one("fetch_alarm_person", of)
    person = person or await work.services.db.fetch_one("fetch_owner_person", of)
    url = work.services.settings.smtp_url
    mailer = Mailer.from_url(url.get_secret_value() if url else None)
    if person is None or not mailer.is_set:
        return False
    lines = [
        f"- {r['label'] or r['record_kind'] + ' ' + r['record_id']}: {r['state']}"
        f"{', stays held as you decided' if r['kept_by'] is not None else ''}"
        for r in held
    ]
    lines += [f"- Supplier {h.id}: {h.products} of its products are hidden" for h in hidden]
    listed = "\n".join(lines)
    text = (
        "The app was uninstalled. These records are still held or hidden and will not be released by us. "
        f"Move each on in your control panel:\n\n{listed}\n"
    )
    await mailer.send(
        person["email"],
        f"{work.store.name}: records that are still held",
        text,
        message_id=f"uninstall-{work.store.hash}-{work.action.id}",
        at=work.services.clock.now(),
    )
    return True
