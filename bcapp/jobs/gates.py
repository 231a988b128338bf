"""Budgets, circuit breakers and, after an outage, turns: rows that all processes share."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from bcapp.clock import Clock
from bcapp.core.actions import SIGNING
from bcapp.core.retry import CAP_SECONDS
from bcapp.db import Database
from bcapp.errors import BigCommerceError, CircuitOpen, SignatureError

FAILURES_TO_OPEN = 5
KEEP_FREE = 5  # calls of the window left to the merchant's other apps
ROOM = 60  # and what can wait leaves to holds and releases: an import must not spend the window that an order needs
TRIAL_SECONDS = 30.0
LONGEST_OPEN = 300.0
LOW = 90  # below this the remaining budget is worth a write: what is under way by then may take twenty more
LONGEST_AWAY = timedelta(days=3)
# A service that was away for long is called by turns at first: what waited for it must not knock it down again. Its
# own rate headers would say as much; Core Signature sends none.
PACED = frozenset({"core_signature"})
LONG_AWAY = timedelta(minutes=1)
PACED_FOR = timedelta(seconds=30)  # and as long as anything waits for a turn
PUT_OFF = timedelta(seconds=10)  # whoever waits for a turn is put off for less
TURN_SECONDS = 0.5
MOST_WAIT = timedelta(seconds=2)  # for the first call of an action; after that it waits for as long as it takes
CLEAN_SECONDS = 0.25  # how long a row that forbids nothing is believed by who goes on calling without any trouble


class RowGate:
    """The gate of one store and service (and signature account)."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        store_hash: str,
        service: str,
        account_id: int = 0,
        *,
        keep_free: int = KEEP_FREE,
    ) -> None:
        self._db, self._clock, self._keep_free = db, clock, keep_free
        self._key: dict[str, Any] = {"store_hash": store_hash, "service": service, "account_id": account_id}
        self._was_clean = True
        self._free_until = 0.0  # of the monotonic clock
        self._had_turn = False

    async def enter(self) -> None:
        if time.monotonic() < self._free_until:
            return
        now = self._clock.now()
        row = await self._db.fetch_one("fetch_budget", self._key)
        self._was_clean = row is None or (row["failures"] == 0 and row["open_until"] is None)
        if row is None:
            self._free_until = time.monotonic() + CLEAN_SECONDS
            return
        if row["wait_until"] is not None and row["wait_until"] > now:
            raise CircuitOpen("the service asked us to wait", retry_after=_seconds(row["wait_until"], now))
        if row["remaining"] is not None and row["remaining"] <= self._keep_free and row["resets_at"] > now:
            raise CircuitOpen("the call budget of this window is spent", retry_after=_seconds(row["resets_at"], now))
        if row["open_until"] is not None:
            if row["open_until"] > now:
                raise CircuitOpen("the service is not answering", retry_after=_seconds(row["open_until"], now))
            trial = {**self._key, "now": now, "next_until": now + timedelta(seconds=TRIAL_SECONDS)}
            if await self._db.fetch_val("take_trial", trial) is None:
                raise CircuitOpen("the service is being tried by another worker", retry_after=TRIAL_SECONDS)
        if row["paced_until"] is not None and row["paced_until"] > now:
            await self._wait_for_turn(now)
        elif self._was_clean and (row["remaining"] is None or row["resets_at"] <= now):
            self._free_until = time.monotonic() + CLEAN_SECONDS

    async def _wait_for_turn(self, now: datetime) -> None:
        """Return when it is our turn; raise CircuitOpen when that is far and nothing was called yet.

        Whoever has begun waits: to begin again from the start would cost the service more calls.
        """
        paced_until = now + PACED_FOR
        latest = now + (timedelta(seconds=CAP_SECONDS) if self._had_turn else MOST_WAIT)
        waiting = {"soon": now + PUT_OFF, "signing": list(SIGNING)}
        asked = {"now": now, "latest": latest, "seconds": TURN_SECONDS, "paced_until": paced_until}
        values = {**self._key, **asked, **waiting}
        turn: datetime | None = await self._db.fetch_val("take_turn", values)
        if turn is None:
            free = await self._db.fetch_val("wait_for_turn", {**self._key, "paced_until": paced_until})
            raise CircuitOpen("the service has just come back, and others are first", retry_after=_seconds(free, now))
        self._had_turn = True
        await asyncio.sleep(max(0.0, (turn - now).total_seconds()))

    async def leave(
        self,
        *,
        ok: bool,
        remaining: int | None = None,
        resets_after: float | None = None,
        wait: float | None = None,
        error: str = "",
    ) -> None:
        now = self._clock.now()
        is_low = remaining is not None and remaining < LOW
        if wait is not None or not ok or is_low:
            self._free_until = 0.0
        if wait is not None:
            await self._db.execute("note_wait", {**self._key, "wait_until": _later(now, wait), "now": now})
        elif ok:
            if is_low or not self._was_clean:
                resets_at = _later(now, resets_after) if resets_after is not None else None
                known = remaining if resets_at is not None else None
                paces = self._key["service"] in PACED
                after = {"long_before": now - LONG_AWAY if paces else None, "paced_until": now + PACED_FOR}
                values = {**self._key, **after, "remaining": known, "resets_at": resets_at, "now": now}
                await self._db.execute("note_call", values)
                if not self._was_clean:
                    kind, record_id = breaker_record(self._key["store_hash"], self._key["account_id"])
                    of = {"store_hash": self._key["store_hash"], "record_kind": kind, "record_id": record_id}
                    await self._db.execute("settle_breaker", {**of, "now": now})
                    if paces:
                        await self._db.execute("recall_paced", {**self._key, "signing": list(SIGNING), "now": now})
                self._was_clean = not is_low
        else:
            row = await self._db.fetch_one("note_failure", {**self._key, "error": error[:200], "now": now})
            failures = row["failures"] if row else 0
            if failures >= FAILURES_TO_OPEN:
                seconds = min(LONGEST_OPEN, 5.0 * 2 ** min(failures - FAILURES_TO_OPEN, 10))
                await self._db.execute("open_breaker", {**self._key, "open_until": _later(now, seconds), "now": now})


async def spare_attempts(db: Database, store_hash: str, error: Exception, now: datetime) -> None:
    """Let a failure only postpone when its service is away: a day without it must not use up what waits.

    A service that is away for longer than LONGEST_AWAY counts again, so that a person is asked in the end: by then it
    may be the one call that is at fault, not the service.
    """
    if not isinstance(error, BigCommerceError | SignatureError) or error.permanent:
        return
    if error.status is not None and error.status < 500:
        return
    services = ["core_signature"] if isinstance(error, SignatureError) else ["bigcommerce", "b2b", "b2b_files"]
    asked = {"store_hash": store_hash, "services": services, "since": now - LONGEST_AWAY}
    if await db.fetch_val("is_away", asked) is not None:
        error.uncounted = True


def breaker_record(store_hash: str, account_id: int) -> tuple[str, str]:
    """Return which record a breaker's task belongs to: the signature account, or the store itself."""
    return ("account", str(account_id)) if account_id else ("store", store_hash)


def _later(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=min(seconds, CAP_SECONDS))


def _seconds(until: datetime, now: datetime) -> float:
    return max(0.2, (until - now).total_seconds())
