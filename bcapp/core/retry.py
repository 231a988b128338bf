"""When to try again. Only this module reads `permanent`, `retry_after` and `uncounted` of a RemoteError."""

from __future__ import annotations

from datetime import datetime, timedelta

from bcapp.errors import PassingFault, RemoteError

MOST_TRIES = 12
CAP_SECONDS = 3600.0
UNCOUNTED_SECONDS = 15.0
OURS_AWAY_SECONDS = 4.0


def next_try(attempt: int, error: Exception, now: datetime, chance: float) -> datetime | None:
    """Return when to try again, or None when a person is needed.

    attempt: tries so far, 1 after the first. chance: 0..1, for full jitter: exponential, 2 s doubled, capped at 1 h.
    A bug (not a RemoteError) is tried like a failing service: the state may change under it.
    """
    retry_after: float | None = None
    if isinstance(error, PassingFault):
        return now + timedelta(seconds=OURS_AWAY_SECONDS * (0.5 + chance))
    if isinstance(error, RemoteError):
        if error.permanent:
            return None
        # What a service asks for is honoured, but no header of one answer may stop the work for days.
        retry_after = None if error.retry_after is None else min(error.retry_after, CAP_SECONDS)
        if error.uncounted:
            return now + timedelta(seconds=max(retry_after if retry_after is not None else UNCOUNTED_SECONDS, 0.2))
    if attempt >= MOST_TRIES:
        return None
    window = min(CAP_SECONDS, 2.0 * 2 ** min(attempt - 1, 20))
    return now + timedelta(seconds=max(0.2, retry_after or 0.0, window * (0.5 + chance / 2)))


def counts(error: Exception) -> bool:
    """Return whether a failure counts as an attempt: our own fault, an open breaker, a 401 and a 429 only postpone."""
    return not (isinstance(error, PassingFault) or (isinstance(error, RemoteError) and error.uncounted))
