"""Offers at BigCommerce: finding promotions, switching them off until they are signed, and on again."""

from __future__ import annotations

from collections.abc import AsyncIterable
from datetime import datetime, timedelta
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.promotions import (
    EditedMeanwhile,
    Seen,
    code_for,
    digest,
    give_code,
    parse_promotion,
    switch,
)
from bcapp.bigcommerce.quotes import EditedQuote, allow_checkout, read_quote
from bcapp.bigcommerce.raw import parse_date
from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, Intent, MoveHold, SettleTasks
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.kinds.price_list import PRICE_LIST
from bcapp.core.kinds.promotion import LONG_AGO, PROMOTION, PromotionFacts
from bcapp.core.kinds.quote import ENDED, ORDERED, QUOTE
from bcapp.core.model import Gone, Hold, OrderFacts, RecordKey
from bcapp.core.offers import DISABLED, ENABLED, QuoteCover, StartPassed, exposure, opening, order_differs
from bcapp.core.signer_words import say
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import HoldEvent, HoldState, SignerRole
from bcapp.core.stores import is_b2b_scope
from bcapp.db import Database
from bcapp.db.deliveries import say_look
from bcapp.db.own_quotes import own_quote_of_cart
from bcapp.db.requests import fetch_hold, requests_of
from bcapp.db.sightings import all_sightings, drop_sighting, fetch_sighting, save_sighting
from bcapp.db.stores import Store
from bcapp.errors import B2BRefused, RemoteError, UnreadableInput
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.rounds import Round, Swept, look_at_changed, since
from bcapp.jobs.vendors import Vendors
from bcapp.mail import Mailer, MailFailed, MailNotSet
from bcapp.services import Services

MARKETING = frozenset({"store_v2_marketing", "store_v2_marketing_read_only"})
GONE = "The promotion does not exist any more."
SLICE = timedelta(0)  # an action that met an edit reads again at once


async def sweep_promotions(of: Round) -> Swept:
    """Read all promotions and have those looked at that are new, changed or gone: nothing else tells of them.

    The first time, what is there is older than every rule. The cursor is when they were last read, LONG_AGO: never.
    """
    store, now = of.store, of.now
    if MARKETING.isdisjoint(store.scope):
        return of.since or LONG_AGO, {"skipped": "The app may not read promotions in this store."}
    before = of.since if of.since is not None and of.since > LONG_AGO else None
    db, kind = of.services.db, PROMOTION.name
    client = await of.vendors.bigcommerce(store.hash)
    known = await all_sightings(db, store.hash, kind)
    rows = await client.list_promotions()
    found = 0
    for raw in rows:
        key, now_is = RecordKey(kind, str(raw["id"])), digest(raw)
        seen = known.pop(key.id, None)
        if seen is not None and seen.digest == now_is:
            continue
        async with db.transaction():
            await save_sighting(db, store.hash, key, now_is, now, before)
            await say_look(db, store.hash, key, now, source="sweep", topic="found")
        found += 1
    for gone in known:
        key = RecordKey(kind, gone)
        async with db.transaction():
            await drop_sighting(db, store.hash, key)
            await say_look(db, store.hash, key, now, source="sweep", topic="gone")
        found += 1
    return now, {"read": len(rows), "missed": found, "recovered": found}


async def sweep_quotes(of: Round) -> Swept:
    """Have the quotes looked at that changed since; a store without B2B Edition has none."""
    if not is_b2b_scope(" ".join(of.store.scope)):
        return of.now, {"skipped": "The app may not read quotes in this store."}
    client = await of.vendors.quotes(of.store.hash)

    async def changed() -> AsyncIterable[tuple[str, datetime]]:
        async for row in client.list_quotes(modified_since=since(of), newest_first=False):
            yield str(row["quoteId"]), parse_date(int(row["updatedAt"]), "updatedAt")

    try:
        return await look_at_changed(of, QUOTE.name, changed())
    except B2BRefused:
        return of.now, {"skipped": "B2B Edition is not there, or not for this app."}


async def sweep_price_lists(of: Round) -> Swept:
    """Have every price list looked at: whether its own date moves with its prices is nowhere written.

    Where no rule is about price lists, nothing but their list is read.
    """
    client = await of.vendors.bigcommerce(of.store.hash)
    rows = await client.list_price_lists()
    for row in rows:
        key = RecordKey(PRICE_LIST.name, str(row["id"]))
        await say_look(of.services.db, of.store.hash, key, of.now, source="sweep", topic="found")
    return of.now, {"read": len(rows)}


# Promotions -----------------------------------------------------------------------------------------------


async def _hold(work: Work) -> Hold | None:
    return await fetch_hold(work.services.db, work.store.hash, work.action.record)


async def _read(work: Work, client: BigCommerce) -> tuple[dict[str, Any], PromotionFacts] | None:
    """Return the promotion as it stands, raw and as facts without margins; None when it is gone."""
    raw = await client.fetch_promotion(int(work.action.record.id))
    if raw is None:
        return None
    known = await fetch_sighting(work.services.db, work.store.hash, work.action.record)
    seen = Seen(known.first_seen_at, known.absent_at) if known else Seen(work.services.clock.now())
    return raw, parse_promotion(raw, seen, work.store.currency or "USD")


async def switch_off_promotion(work: Work) -> Outcome:
    """Switch a promotion off until it is signed, and say for how long shoppers could use it before."""
    hold = await _hold(work)
    if hold is None or hold.state is not HoldState.HOLDING:
        return skipped("The hold is not wanted any more.")
    client = await work.vendors.bigcommerce(work.store.hash)
    read = await _read(work, client)
    if read is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    raw, facts = read
    now = work.services.clock.now()
    found = await work.found(
        status=facts.status, uses=facts.current_uses, running=facts.is_running(now), at=now.isoformat()
    )
    is_ours = (hold.left_as or {}).get("status") == DISABLED and hold.found is not None
    if found["status"] == DISABLED and not is_ours and not work.action.payload.get("drafts"):
        why = "It was switched off already."
        return Outcome(why=why, intents=(MoveHold(HoldEvent.FOUND_HELD, why, found=found),))
    try:
        left = await switch(client, raw, DISABLED)
    except EditedMeanwhile as edit:
        return _edited(work, edit, "switched off")
    if left is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    kept = {**(hold.found or {}), **found} if is_ours else found
    tasks: tuple[AskPerson, ...] = ()
    if found["running"]:
        shown = await _exposed(client, facts, datetime.fromisoformat(found["at"]))
        kept = {**kept, **shown}
        text = (
            f"{work.named} could be used for up to {_long(shown['seconds'])} before it was switched off. In this time "
            f"{shown['orders']} orders were placed; it was used {found['uses']} times so far."
        )
        tasks = (AskPerson("offer_exposed", text),)
    why = "Switched off until it is signed."
    placed = MoveHold(HoldEvent.PLACED, why, found=kept, left={"status": DISABLED})
    return Outcome(left_as={"status": DISABLED}, intents=(placed, *tasks))


async def _exposed(client: BigCommerce, facts: PromotionFacts, held_at: datetime) -> dict[str, int]:
    """Return for how many seconds at most shoppers could use it, and how many orders were placed in this time."""
    seconds = exposure(facts.starts_at, facts.absent_at, held_at)
    since = max(at for at in (facts.starts_at, facts.absent_at, LONG_AGO) if at is not None)
    return {"seconds": seconds, "orders": await client.count_orders(created_since=since, created_before=held_at)}


def _long(seconds: int) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}"
    return f"{seconds} seconds"


def _edited(work: Work, edit: EditedMeanwhile | EditedQuote, what: str) -> Outcome:
    """Tell that somebody edited it in the same moment, and read it again: an edit is never overwritten."""
    text = (
        f"Somebody edited {work.named} in the moment in which it was to be {what} ({', '.join(edit.fields)}). It was "
        "read again, and their edit was kept. Look at it in your control panel."
    )
    return Outcome(why=str(edit), intents=(AskPerson("offer_conflict", text, alarm=True),), again_in=SLICE)


async def switch_on_promotion(work: Work) -> Outcome:
    """Switch a promotion on again: when it is signed only if it still is what was signed and its dates fit."""
    hold = await _hold(work)
    if hold is None or hold.state not in (HoldState.RELEASING, HoldState.OVERRIDDEN):
        return skipped("The hold is not to be opened any more.")
    client = await work.vendors.bigcommerce(work.store.hash)
    read = await _read(work, client)
    if read is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    raw, facts = read
    payload, now = work.action.payload, work.services.clock.now()
    is_signed = payload.get("because") == "signed"
    if is_signed and not await is_as_signed(work, PROMOTION, facts):
        why = "It was edited after it was signed, so it stays off until it is signed anew."
        return skipped(why, MoveHold(HoldEvent.REVIEW, why))
    found = await work.found(status=facts.status)
    if facts.status == ENABLED and found["status"] == ENABLED:
        return Outcome(why="It is on already.", intents=_on("Somebody else switched it on after it was signed."))
    if (hold.found or {}).get("status") == DISABLED and not is_signed:
        why = "It was switched off when it was found, and is left so."
        return skipped(why, MoveHold(HoldEvent.LEFT_AS_IS, why))
    held_at = hold.held_at or hold.wanted_at or now
    choice = StartPassed(payload.get("start_passed", StartPassed.ALERT)) if is_signed else StartPassed.DELAY
    decided = opening(facts.starts_at, facts.ends_at, held_at, now, choice)
    if not decided.on:
        text = f"{work.named} is signed. {decided.why}"
        tasks = (AskPerson("offer_kept_off", text),) if decided.tells else ()
        return skipped(decided.why, MoveHold(HoldEvent.LEFT_AS_IS, decided.why), *tasks)
    try:
        left = await switch(client, raw, ENABLED)
    except EditedMeanwhile as edit:
        return _edited(work, edit, "switched on")
    if left is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    return Outcome(left_as={"status": ENABLED}, intents=_on(decided.why))


def _on(why: str) -> tuple[MoveHold | SettleTasks, ...]:
    settled = ("offer_kept_off", "failed:switch_on_promotion", "failed:switch_off_promotion")
    return MoveHold(HoldEvent.OPENED, why, left={"status": ENABLED}), SettleTasks(settled)


async def is_as_signed(work: Work, kind: Kind, facts: Any) -> bool:
    """Return whether every signature that opens it was given for the terms that it has now."""
    wanted = {int(number) for number in work.action.payload.get("requests", ())}
    requests = await requests_of(work.services.db, work.store.hash, work.action.record)
    for request in requests:
        if request.id in wanted:
            try:
                same = fingerprint(kind.snapshot(facts, request.projection)) == request.fingerprint
            except KeyError as exc:
                raise UnreadableInput(f"no projection {request.projection} of {kind.name}") from exc
            if not same:
                return False
    return True


# Codes ----------------------------------------------------------------------------------------------------


async def give_code_of_request(work: Work) -> Outcome:
    """Make the code of a customer who signed: good once. It is looked up by its text, so it is never made twice."""
    client = await work.vendors.bigcommerce(work.store.hash)
    if await client.fetch_promotion(int(work.action.record.id)) is None:
        return skipped(GONE, look=False)
    request = await work.request()
    await give_code(client, int(work.action.record.id), await _code(work, request.id))
    return Outcome(intents=(Act(ActionKind.SEND_MAIL, request.id, {"offer_code": True}),), look=False)


async def _code(work: Work, request_id: int) -> str:
    """Return the text of a request's code. It is made of the store's key and stands in no row of ours."""
    key = await work.data_key()
    number = int(work.action.record.id)
    return code_for(number, request_id, key.digest("offer_code", f"{work.store.hash}:{number}"))


async def mail_code(work: Work) -> Outcome:
    """Mail a code to the customer who signed for it. At most once."""
    request = await work.request()
    signer = next((s for s in request.signers if s.role is SignerRole.SIGN), None)
    told = AskPerson(
        "code_not_sent",
        f"{work.named}: the code of request {request.id} is made, and could not be mailed. Find it in the promotion’s "
        "list of codes, and give it to the customer yourself.",
        request.id,
    )
    if signer is None:
        return skipped("Nobody signed it.", told, look=False)
    url = work.services.settings.smtp_url
    given = {"store": work.store.name, "code": await _code(work, request.id)}
    try:
        await Mailer.from_url(url.get_secret_value() if url else None).send(
            signer.email,
            say(request.language, "mail_code", **given),
            say(request.language, "mail_code_text", **given) + "\n",
            message_id=f"code-{work.store.hash}-{request.id}",
            at=work.services.clock.now(),
        )
    except MailNotSet as exc:
        return skipped(str(exc), told, look=False)
    except MailFailed as exc:
        if exc.unclear or exc.permanent:
            return skipped(f"Not mailed, or not known to be: {exc}", told, look=False)
        raise RemoteError(str(exc)) from exc
    return Outcome(why="Mailed to the customer who signed.", look=False)


# Quotes ---------------------------------------------------------------------------------------------------

QUOTE_GONE = "The quote does not exist any more."


async def shut_quote(work: Work) -> Outcome:
    """Close the checkout of a quote until it is signed."""
    hold = await _hold(work)
    if hold is None or hold.state is not HoldState.HOLDING:
        return skipped("The hold is not wanted any more.")
    client, currency = await work.vendors.quotes(work.store.hash), work.store.currency or "USD"
    facts = await read_quote(client, int(work.action.record.id), currency)
    if isinstance(facts, Gone):
        return skipped(QUOTE_GONE, MoveHold(HoldEvent.LEFT_AS_IS, QUOTE_GONE))
    if facts.status in ENDED:
        why = "It was ordered, or ended, before its checkout could be closed."
        text = f"{work.named}: {why[0].lower()}{why[1:]} Look at its order."
        return skipped(why, MoveHold(HoldEvent.TOO_LATE, why), AskPerson("hold_late", text, alarm=True))
    found = await work.found(allow_checkout=facts.allow_checkout)
    try:
        left = await allow_checkout(client, facts, False, currency)
    except EditedQuote as edit:
        return _edited(work, edit, "closed for checkout")
    if left is None:
        return skipped(QUOTE_GONE, MoveHold(HoldEvent.LEFT_AS_IS, QUOTE_GONE))
    kept = {**found, **(hold.found or {})}
    why = "Its checkout is closed until it is signed."
    placed = MoveHold(HoldEvent.PLACED, why, found=kept, left={"allow_checkout": False})
    return Outcome(left_as={"allow_checkout": False}, intents=(placed,))


async def open_quote(work: Work) -> Outcome:
    """Open the checkout of a quote as it was found, and have the quote sent when it was signed."""
    hold = await _hold(work)
    if hold is None or hold.state not in (HoldState.RELEASING, HoldState.OVERRIDDEN):
        return skipped("The hold is not to be opened any more.")
    client, currency = await work.vendors.quotes(work.store.hash), work.store.currency or "USD"
    facts = await read_quote(client, int(work.action.record.id), currency)
    if isinstance(facts, Gone):
        return skipped(QUOTE_GONE, MoveHold(HoldEvent.LEFT_AS_IS, QUOTE_GONE))
    payload, now = work.action.payload, work.services.clock.now()
    is_signed = payload.get("because") == "signed"
    if is_signed and not await is_as_signed(work, QUOTE, facts):
        why = "It was edited after it was signed, so its checkout stays closed until it is signed anew."
        return skipped(why, MoveHold(HoldEvent.REVIEW, why))
    if facts.status in ENDED or (facts.expires_at is not None and facts.expires_at <= now):
        why = "It was ordered, or ended, meanwhile."
        text = f"{work.named} is signed, and it expired meanwhile. Give it a new date, and it is asked anew."
        tasks = (AskPerson("offer_kept_off", text),) if is_signed and facts.status != ORDERED else ()
        return skipped(why, MoveHold(HoldEvent.LEFT_AS_IS, why), *tasks)
    found = await work.found(allow_checkout=facts.allow_checkout)
    was_open = (hold.found or found).get("allow_checkout") is not False
    if not was_open and not (is_signed and payload.get("drafts")):
        why = "Its checkout was closed when it was found, and is left so."
        return skipped(why, MoveHold(HoldEvent.LEFT_AS_IS, why))
    try:
        left = await allow_checkout(client, facts, True, currency)
    except EditedQuote as edit:
        return _edited(work, edit, "opened for checkout")
    if left is None:
        return skipped(QUOTE_GONE, MoveHold(HoldEvent.LEFT_AS_IS, QUOTE_GONE))
    follows: list[Intent] = [MoveHold(HoldEvent.OPENED, "It is signed." if is_signed else "It was let go.")]
    follows.append(SettleTasks(("offer_kept_off", "failed:open_quote", "failed:shut_quote")))
    if is_signed and payload.get("send"):
        follows.append(Act(ActionKind.SEND_QUOTE))
    return Outcome(left_as={"allow_checkout": True}, intents=tuple(follows))


async def send_quote(work: Work) -> Outcome:
    """Have the signed quote mailed to its buyer, with a link to its checkout. At most once."""
    client = await work.vendors.quotes(work.store.hash)
    facts = await read_quote(client, int(work.action.record.id), work.store.currency or "USD")
    if isinstance(facts, Gone):
        return skipped(QUOTE_GONE, look=False)
    if facts.status in ENDED or not facts.allow_checkout:
        return skipped("It was ordered or closed again before it was sent.", look=False)
    if not facts.contact_email:
        text = f"{work.named} is signed, and it names no e-mail address to send it to. Send it to its buyer yourself."
        return skipped("It names no e-mail address.", AskPerson("offer_not_sent", text), look=False)
    language = str(work.store.profile.get("language") or "en")
    await client.mail_quote(facts.id, facts.contact_email, language)
    return Outcome(why="Sent to its buyer, with a link to its checkout.", look=False)


QUOTE_CHANGES = timedelta(hours=1)  # the store joins a quote and its order when the order is placed


async def has_asked_for_quotes(db: Database, store: Store, record: RecordKey) -> bool:
    """Return whether an order may come from a quote that somebody was asked to sign; False for other records."""
    return record.kind == "order" and bool(await db.fetch_val("has_asked_for_quotes", {"store_hash": store.hash}))


async def signed_quote_of(services: Services, vendors: Vendors, store: Store, order: OrderFacts) -> QuoteCover | None:
    """Return how an order stands to the quote that it was made from; None when it comes from none that was asked for.

    A quote that no rule ever asked to sign covers nothing and holds nothing. For the workflow of orders: an order
    that is covered needs no further signature, one from an unsigned quote waits for it.
    """
    if not await services.db.fetch_val("has_asked_for_quotes", {"store_hash": store.hash}):
        return None
    if order.cart_id:
        now = services.clock.now()
        own = await own_quote_of_cart(services.db, store.hash, order.cart_id, order.id, now)
        if own is not None:
            return await _cover(services.db, store.hash, RecordKey(OWN_QUOTE.name, str(own)), OWN_QUOTE, order)
    if not is_b2b_scope(" ".join(store.scope)):
        return None
    client = await vendors.quotes(store.hash)
    try:
        number = await client.quote_of_order(order.id, order.created_at - QUOTE_CHANGES)
    except B2BRefused:
        return None
    if number is None:
        return None
    return await _cover(services.db, store.hash, RecordKey(QUOTE.name, str(number)), QUOTE, order)


async def _cover(db: Database, store_hash: str, record: RecordKey, kind: Kind, order: OrderFacts) -> QuoteCover | None:
    """Return how an order stands to its quote; None when nobody was asked to sign it, or a person let it go."""
    requests = await requests_of(db, store_hash, record)
    newest = {(r.rule_id, r.purpose): r for r in requests if not r.simulated}
    hold = await fetch_hold(db, store_hash, record)
    if not newest or (hold is not None and hold.state is HoldState.OVERRIDDEN):
        return None
    good = [r for r in newest.values() if r.is_good]
    if len(good) < len(newest):
        return QuoteCover(record.id, label=kind.label)
    latest = max(good, key=lambda r: r.id)
    return QuoteCover(record.id, latest.id, order_differs(latest.snapshot, order), kind.label)
