"""Offers at BigCommerce: finding promotions, switching them off until they are signed, and on again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.promotions import EditedMeanwhile, Seen, digest, parse_promotion, switch
from bcapp.core.intents import AskPerson, MoveHold, SettleTasks
from bcapp.core.kinds.promotion import LONG_AGO, PROMOTION, PromotionFacts
from bcapp.core.model import Hold, RecordKey
from bcapp.core.offers import DISABLED, ENABLED, StartPassed, exposure, opening
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import HoldEvent, HoldState
from bcapp.db.deliveries import say_look
from bcapp.db.requests import fetch_hold, requests_of
from bcapp.db.sightings import all_sightings, drop_sighting, fetch_sighting, save_sighting
from bcapp.db.stores import Store
from bcapp.errors import UnreadableInput
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.jobs.vendors import Vendors
from bcapp.services import Services

MARKETING = frozenset({"store_v2_marketing", "store_v2_marketing_read_only"})
GONE = "The promotion does not exist any more."
SLICE = timedelta(0)  # an action that met an edit reads again at once


async def sweep_promotions(
    services: Services, vendors: Vendors, store: Store, now: datetime, since: datetime | None
) -> tuple[datetime, dict[str, Any]]:
    """Read all promotions and have those looked at that are new, changed or gone: nothing else tells of them.

    since: when they were last read; None or LONG_AGO for the first time, when what is there is older than every rule.
    """
    if MARKETING.isdisjoint(store.scope):
        return since or LONG_AGO, {"skipped": "The app may not read promotions in this store."}
    before = since if since is not None and since > LONG_AGO else None
    db, kind = services.db, PROMOTION.name
    client = await vendors.bigcommerce(store.hash)
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


# Switching ------------------------------------------------------------------------------------------------


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


def _edited(work: Work, edit: EditedMeanwhile, what: str) -> Outcome:
    """Tell that somebody edited it in the same moment, and read it again: an edit is never overwritten."""
    text = (
        f"Somebody edited {work.named} in the moment in which it was to be {what} ({', '.join(edit.fields)}). It was "
        "read again, and their edit was kept. Look at the promotion in your control panel."
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
    if is_signed and not await _is_as_signed(work, facts):
        why = "It was edited after it was signed, so it stays off until it is signed anew."
        return skipped(why, MoveHold(HoldEvent.REVIEW, why))
    found = await work.found(status=facts.status)
    if facts.status == ENABLED and found["status"] == ENABLED:
        return Outcome(why="It is on already.", intents=_on("Somebody else switched it on after it was signed."))
    was_off = (hold.found or {}).get("status") == DISABLED
    if was_off and not (is_signed and payload.get("drafts")):
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
    return MoveHold(HoldEvent.OPENED, why), SettleTasks(settled)


async def _is_as_signed(work: Work, facts: PromotionFacts) -> bool:
    """Return whether every signature that opens it was given for the terms that it has now."""
    wanted = {int(number) for number in work.action.payload.get("requests", ())}
    requests = await requests_of(work.services.db, work.store.hash, work.action.record)
    for request in requests:
        if request.id in wanted:
            try:
                same = fingerprint(PROMOTION.snapshot(facts, request.projection)) == request.fingerprint
            except KeyError as exc:
                raise UnreadableInput(f"no projection {request.projection} of promotions") from exc
            if not same:
                return False
    return True
