"""How old the authorisation of a payment is, and when somebody has to be told: it ends by itself, signed or not.

BigCommerce tells when a payment was authorised and never until when it can be captured. Cards commonly keep an
authorisation for seven days; what a gateway does otherwise is its own, so the day is named as the usual one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bcapp.core.model import OrderFacts

LASTS = timedelta(days=7)
WARNED_AFTER = timedelta(days=5)


class Stage(StrEnum):
    FRESH = "fresh"
    ENDS = "ends"  # soon: time to have it signed or captured
    ENDED = "ended"  # in all likelihood


def authorised_at(facts: OrderFacts) -> datetime | None:
    """Return since when the order's payment waits to be captured; None when it does not, or the store does not tell."""
    if facts.payment_status != "authorized":
        return None
    found = (t.created_at for t in facts.transactions if t.event == "authorization" and t.status == "ok")
    return min(found, default=None)


def released_too_late(facts: OrderFacts, authorised: datetime) -> datetime | None:
    """Return when the last pre-order of an order is released, if its authorisation does not last until then."""
    latest = max((i.releases_at for i in facts.items if i.is_preorder and i.releases_at is not None), default=None)
    return latest if latest is not None and latest > authorised + LASTS else None


def stage(authorised: datetime, now: datetime) -> Stage:
    age = now - authorised
    return Stage.ENDED if age >= LASTS else Stage.ENDS if age >= WARNED_AFTER else Stage.FRESH


def next_stage_at(authorised: datetime, now: datetime) -> datetime | None:
    """Return when the stage changes next, None when it does not any more."""
    return min((at for at in (authorised + WARNED_AFTER, authorised + LASTS) if at > now), default=None)
