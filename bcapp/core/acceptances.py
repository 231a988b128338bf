"""Acceptances: one signature that counts for later records, for whom, how long, and what ends it.

A record is judged by how things stood when it was created: an acceptance that ends, is revoked, or is overtaken by a
newer material version later on does not reach back to orders that went on under it. Only what is signed after the
record was created may still help it.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from bcapp.core.rules import SignOnce

DAY = timedelta(days=1)


class PartyKind(StrEnum):
    """Who accepted. EMAIL: a guest, known by the keyed digest of an address that a signing proved."""

    CUSTOMER = "customer"
    COMPANY = "company"
    EMAIL = "email"


@dataclass(frozen=True)
class Party:
    """id: BigCommerce's id of the customer or company as text; of an address the keyed digest, in hex."""

    kind: PartyKind
    id: str


@dataclass(frozen=True)
class Bearer:
    """Whose record it is, and which. email: the digest of the account's own address, or of a guest's."""

    order_id: str
    channel_id: int
    created_at: datetime
    customer: Party | None = None
    company: Party | None = None
    email: Party | None = None


@dataclass(frozen=True)
class Acceptance:
    """scope: customer | company | channel | order; scope_id: the channel's or order's id, else "".

    valid_until None: for good. recorded_at: when we learned of it (an import tells of the past).
    """

    id: int
    party: Party
    agreement_id: int
    version: int
    scope: str
    scope_id: str
    valid_from: datetime
    valid_until: datetime | None
    recorded_at: datetime
    revoked_at: datetime | None = None
    request_id: int | None = None
    import_id: int | None = None


@dataclass(frozen=True)
class Exemption:
    """A party that need not sign. agreement_id 0: no agreement at all. ended_at: a person took it back earlier."""

    id: int
    party: Party
    agreement_id: int
    valid_from: datetime
    until: datetime
    why: str
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Version:
    """One version of an agreement. binds_from: when older acceptances stop to count, if it is material."""

    number: int
    material: bool
    published_at: datetime
    binds_from: datetime


@dataclass(frozen=True)
class Named:
    """What a record is covered by. One of the two ids is set. recorded_at: since when it was known to cover."""

    sentence: str
    recorded_at: datetime
    acceptance_id: int = 0
    exemption_id: int = 0


@dataclass(frozen=True)
class Covered(Named):
    """Nothing is asked."""


@dataclass(frozen=True)
class RenewalDue(Named):
    """Covered still, and a new signature is asked for without holding anything. why: the round's reason."""

    why: str = ""
    ends_at: datetime | None = None


@dataclass(frozen=True)
class NotCovered:
    """why: a sentence; "" when this party has never signed."""

    why: str = ""


Cover = Covered | RenewalDue | NotCovered


@dataclass(frozen=True)
class Counts:
    """What a request's signature will count for once it is checked; kept with the request when it is opened."""

    party: Party
    scope: str
    scope_id: str = ""
    months: int = 0
    until: str = ""
    campaign_id: int = 0

    def dump(self) -> dict[str, Any]:
        return {
            "party_kind": str(self.party.kind),
            "party_id": self.party.id,
            "scope": self.scope,
            "scope_id": self.scope_id,
            "months": self.months,
            "until": self.until,
            "campaign_id": self.campaign_id,
        }

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Counts:
        return cls(
            Party(PartyKind(stored["party_kind"]), stored["party_id"]),
            stored["scope"],
            stored.get("scope_id", ""),
            int(stored.get("months", 0)),
            stored.get("until", ""),
            int(stored.get("campaign_id", 0)),
        )


@dataclass(frozen=True)
class Ledger:
    """What is known about a record's party, read in one go.

    versions: by agreement, any order. asked: agreements that the party is asked to sign on another record right now.
    named: what the record is covered by as it stands written, by rule id: (acceptance id, exemption id).
    """

    bearer: Bearer
    acceptances: tuple[Acceptance, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    versions: Mapping[int, Sequence[Version]] = field(default_factory=dict)
    asked: frozenset[int] = frozenset()
    named: Mapping[int, tuple[int, int]] = field(default_factory=dict)


def place(once: SignOnce, bearer: Bearer) -> tuple[str, str, tuple[Party, ...]]:
    """Return the scope, its id, and the parties whose acceptance counts; the first one is who a new one is of.

    Without a company a company's rule counts by customer. A guest is known by the address; what somebody accepted as a
    guest counts for the account that has the same address.
    """
    people = tuple(p for p in (bearer.customer, bearer.email) if p is not None)
    match once.scope:
        case "company" if bearer.company is not None:
            return "company", "", (bearer.company,)
        case "company" | "customer":
            return "customer", "", people
        case "channel":
            return "channel", str(bearer.channel_id), people
        case _:
            return "order", bearer.order_id, people


def counts_for(once: SignOnce, bearer: Bearer) -> Counts | None:
    """Return what a signature asked now will count for; None when nobody is known whose it could be."""
    scope, scope_id, parties = place(once, bearer)
    if not once.scope or not parties:
        return None
    return Counts(parties[0], scope, scope_id, once.months, once.until)


def ends_at(months: int, until: str, signed_at: datetime, zone: tzinfo) -> datetime | None:
    """Return when a signature of that moment ends to count, None for never.

    Months run to the same local time of the month's same day, or its last. A fixed date ends with that day.
    """
    local = signed_at.astimezone(zone)
    if until:
        return datetime.combine(date.fromisoformat(until) + DAY, time(), zone).astimezone(UTC)
    if not months:
        return None
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def day(moment: datetime, zone: tzinfo) -> str:
    """Return a date as sentences write it: 12 March 2026."""
    local = moment.astimezone(zone)
    return f"{local.day} {calendar.month_name[local.month]} {local.year}"


def last_day(ends: datetime, zone: tzinfo) -> str:
    """Return the last day of something that ends at this moment: midnight belongs to the day before."""
    return day(ends - timedelta(microseconds=1), zone)


def cover(once: SignOnce, agreement_id: int, ledger: Ledger, now: datetime, zone: tzinfo) -> Cover:
    """Return whether the record's party has signed already, in words for the decision."""
    bearer = ledger.bearer
    # The store tells whole seconds only: a record of the second in which something changed counts as after it.
    at = bearer.created_at.replace(microsecond=999_999)
    scope, scope_id, parties = place(once, bearer)
    if not once.scope or not parties:
        return NotCovered()
    exempt = _exemption(agreement_id, parties + ((bearer.company,) if bearer.company else ()), ledger, at)
    if exempt is not None:
        text = f"Exempt until {last_day(exempt.until, zone)}, because {exempt.why.rstrip('.')}."
        return Covered(text, exempt.valid_from, exemption_id=exempt.id)
    mine = [
        a
        for a in ledger.acceptances
        if a.party in parties and (a.agreement_id, a.scope, a.scope_id) == (agreement_id, scope, scope_id)
    ]
    if not mine:
        return NotCovered()
    versions = ledger.versions.get(agreement_id, ())
    needed = max((v.number for v in versions if v.material and v.binds_from <= at), default=0)
    good = [a for a in mine if a.valid_from <= now and _stands(a, at) and a.version >= needed]
    if not good:
        return NotCovered(_why_not(mine, needed, at, now, zone))
    best = max(good, key=lambda a: (a.valid_until or datetime.max.replace(tzinfo=UTC), a.version, a.valid_from))
    text = f"Covered by the acceptance of {day(best.valid_from, zone)}."
    due = _renewal(once, best, versions, at, now, zone)
    if due is None or agreement_id in ledger.asked:
        return Covered(text, best.recorded_at, best.id)
    why, ends = due
    return RenewalDue(f"{text[:-1]}; {why}", best.recorded_at, best.id, why=why[:1].upper() + why[1:], ends_at=ends)


def standing(ledger: Ledger) -> frozenset[int]:
    """Return the agreements that the ledger's bearer had signed when its record was created, and that counted then.

    What is signed for an order itself comes after it: whoever had to approve it for want of a signature still has to.
    Of the account, its company and its address; a signature for one storefront counts there, one for a single order
    nowhere else. Who is exempt has not signed.
    """
    bearer = ledger.bearer
    at = bearer.created_at.replace(microsecond=999_999)
    parties = {p for p in (bearer.customer, bearer.company, bearer.email) if p is not None}
    found = set()
    for a in ledger.acceptances:
        versions = ledger.versions.get(a.agreement_id, ())
        needed = max((v.number for v in versions if v.material and v.binds_from <= at), default=0)
        here = a.scope in ("customer", "company") or (a.scope == "channel" and a.scope_id == str(bearer.channel_id))
        if here and a.party in parties and a.valid_from <= at and _stands(a, at) and a.version >= needed:
            found.add(a.agreement_id)
    return frozenset(found)


def _exemption(agreement_id: int, parties: Sequence[Party], ledger: Ledger, at: datetime) -> Exemption | None:
    found = [
        e
        for e in ledger.exemptions
        if e.party in parties
        and e.agreement_id in (0, agreement_id)
        and at < e.until
        and (e.ended_at is None or at < e.ended_at)
    ]
    return max(found, key=lambda e: e.until, default=None)


def _stands(a: Acceptance, at: datetime) -> bool:
    return (a.valid_until is None or a.valid_until > at) and (a.revoked_at is None or a.revoked_at > at)


def _why_not(mine: Sequence[Acceptance], needed: int, at: datetime, now: datetime, zone: tzinfo) -> str:
    last = max(mine, key=lambda a: a.valid_from)
    of = f"The acceptance of {day(last.valid_from, zone)}"
    if last.valid_from > now:
        return f"{of} does not count yet."
    if last.revoked_at is not None and last.revoked_at <= at:
        return f"{of} was revoked on {day(last.revoked_at, zone)}."
    if last.valid_until is not None and last.valid_until <= at:
        return f"{of} ended on {last_day(last.valid_until, zone)}."
    return f"{of} was of version {last.version}; version {needed} has to be signed anew."


def _renewal(
    once: SignOnce, best: Acceptance, versions: Sequence[Version], at: datetime, now: datetime, zone: tzinfo
) -> tuple[str, datetime] | None:
    """Return why a new signature is asked for early, and when the old one ends; None when it need not be yet."""
    coming = [v for v in versions if v.material and v.number > best.version and v.published_at <= at < v.binds_from]
    if coming:
        newest = max(coming, key=lambda v: v.number)
        ends = min(v.binds_from for v in coming)
        return f"version {newest.number} has to be signed by {last_day(ends, zone)}.", ends
    if best.valid_until is None or at < best.valid_until - timedelta(days=once.renew_days):
        return None
    renewed = ends_at(once.months, once.until, now, zone)
    if renewed is not None and renewed <= best.valid_until:
        return None  # a new one would not last longer: nothing is won by asking
    return f"it ends on {last_day(best.valid_until, zone)}, so a new one is asked for.", best.valid_until


# Campaigns ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Affected:
    """A party that signed an older version. record: where to ask, "" when none is known; asked: it was.

    kind: of that record: an order, or the account itself where its terms were signed for it.
    """

    party: Party
    record: str
    asked: bool = False
    signed: bool = False
    kind: str = "order"


@dataclass(frozen=True)
class Wave:
    """parties: whom to ask now. next_at: when the next wave may go; None when nobody is left to ask."""

    parties: tuple[Affected, ...]
    next_at: datetime | None


def plan_wave(affected: Sequence[Affected], per_hour: int, asked_at: Sequence[datetime], now: datetime) -> Wave:
    """Return the next wave within the budget. asked_at: when parties were asked, any order.

    Whoever has no order on record is left to the next one; whoever signed meanwhile is left alone.
    """
    left = [a for a in affected if a.record and not a.asked and not a.signed]
    if not left:
        return Wave((), None)
    recent = sorted(t for t in asked_at if t > now - timedelta(hours=1))
    free = max(0, per_hour - len(recent))
    next_at = None
    if len(left) > free:
        # The budget has room again when enough of this hour's have left it.
        spent = recent + [now] * min(free, len(left))
        next_at = spent[max(0, len(spent) - per_hour)] + timedelta(hours=1)
    return Wave(tuple(left[:free]), next_at)
