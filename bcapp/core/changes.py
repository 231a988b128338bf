"""Changes that one person must not make alone: who decides, and when they apply by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

WAITS = timedelta(hours=24)


class Subject(StrEnum):
    """What needs a second manager, or 24 hours and a notice to the owner."""

    SIGNATURE_ACCOUNT = "signature_account"
    APPROVER = "approver"
    LIMIT = "limit"
    RULE = "rule"  # a live one: changed, switched off, or switched on
    AGREEMENT = "agreement"  # what a live rule has signed: its text, or what one customer signs instead
    SETTINGS = "settings"  # how orders are held, and that they are not: test mode


class ChangeState(StrEnum):
    WAITING = "waiting"
    APPLIED = "applied"
    REFUSED = "refused"


def applies_at(others: int, now: datetime) -> datetime:
    """Return when the change applies without anybody's word: at once where nobody else could give it.

    others: owners and managers of the store, without the one who asks. Who asks for themselves may be neither.
    """
    return now + WAITS if others else now


def refusal(*, approve: bool, asked_by: int, decided_by: int, state: ChangeState) -> str:
    """Return why this person may not decide, "" when they may. Who asked may take the change back, not approve it."""
    if state is not ChangeState.WAITING:
        return f"This change was {state.value} already."
    if approve and asked_by == decided_by:
        return "Somebody else must approve your change. It applies by itself 24 hours after you asked."
    return ""
