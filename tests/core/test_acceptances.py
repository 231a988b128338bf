"""Who is covered by an earlier signature, until when, and whom a campaign asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.acceptances import (
    Acceptance,
    Affected,
    Bearer,
    Counts,
    Covered,
    Exemption,
    Ledger,
    NotCovered,
    Party,
    PartyKind,
    RenewalDue,
    Version,
    counts_for,
    cover,
    ends_at,
    last_day,
    plan_wave,
    standing,
)
from bcapp.core.rules import SignOnce

BATH = ZoneInfo("Europe/London")
NOW = datetime(2026, 6, 15, 10, 0, tzinfo=UTC)
ANN, BO = Party(PartyKind.CUSTOMER, "7"), Party(PartyKind.CUSTOMER, "8")
ACME = Party(PartyKind.COMPANY, "3")
GUEST = Party(PartyKind.EMAIL, "ab" * 32)
ONCE = SignOnce("customer")
BEARER = Bearer("101", 1, NOW - timedelta(minutes=1), customer=ANN)
MARCH = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)  # midnight in London
V1 = Version(1, True, MARCH - timedelta(days=90), MARCH - timedelta(days=90))


def accepted(**changes: Any) -> Acceptance:
    given_: dict[str, Any] = {
        "id": 5,
        "party": ANN,
        "agreement_id": 4,
        "version": 1,
        "scope": "customer",
        "scope_id": "",
        "valid_from": MARCH,
        "valid_until": None,
        "recorded_at": MARCH,
    }
    return Acceptance(**{**given_, **changes})


def later(number: int, *, material: bool = True, days: int = 30, grace: int = 0) -> Version:
    """A version published so many days ago."""
    published = NOW - timedelta(days=days)
    return Version(number, material, published, published + timedelta(days=grace))


def judged(
    *acceptances: Acceptance, once: SignOnce = ONCE, versions: tuple[Version, ...] = (V1,), **ledger: Any
) -> Any:
    given_ = {"bearer": BEARER, "acceptances": acceptances, "versions": {4: versions}, **ledger}
    return cover(once, 4, Ledger(**given_), NOW, BATH)


CHANNEL = SignOnce("channel")
COMPANY = replace(BEARER, company=ACME)
TABLE: dict[str, tuple[Any, str]] = {
    "never signed": (judged(), ""),
    "signed": (judged(accepted()), "Covered by the acceptance of 12 March 2026."),
    "another party": (judged(accepted(party=BO)), ""),
    "another agreement": (judged(accepted(agreement_id=9)), ""),
    "another scope": (judged(accepted(scope="order", scope_id="101")), ""),
    "rule without sign once": (judged(accepted(), once=SignOnce()), ""),
    "this channel": (judged(accepted(scope="channel", scope_id="1"), once=CHANNEL),
                     "Covered by the acceptance of 12 March 2026."),
    "other channel": (judged(accepted(scope="channel", scope_id="2"), once=CHANNEL), ""),
    "this order": (judged(accepted(scope="order", scope_id="101"), once=SignOnce("order")),
                   "Covered by the acceptance of 12 March 2026."),
    "company": (judged(accepted(party=ACME, scope="company"), once=SignOnce("company"), bearer=COMPANY),
                "Covered by the acceptance of 12 March 2026."),
    "company asked, signed as customer": (judged(accepted(), once=SignOnce("company"), bearer=COMPANY), ""),
    "company rule, no company": (judged(accepted(), once=SignOnce("company")),
                                 "Covered by the acceptance of 12 March 2026."),
    "minor version since": (judged(accepted(), versions=(V1, later(2, material=False))),
                            "Covered by the acceptance of 12 March 2026."),
    "material version since": (judged(accepted(), versions=(V1, later(2))),
                               "The acceptance of 12 March 2026 was of version 1; version 2 has to be signed anew."),
    "material then minor": (judged(accepted(version=2), versions=(V1, later(2), later(3, material=False))),
                            "Covered by the acceptance of 12 March 2026."),
    "material, in its grace": (
        judged(accepted(), versions=(V1, later(2, days=10, grace=30))),
        "Covered by the acceptance of 12 March 2026; version 2 has to be signed by 5 July 2026."),
    "in its grace, asked on another order": (
        judged(accepted(), versions=(V1, later(2, days=10, grace=30)), asked=frozenset({4})),
        "Covered by the acceptance of 12 March 2026."),
    "after the grace": (judged(accepted(), versions=(V1, later(2, days=31, grace=30))),
                        "The acceptance of 12 March 2026 was of version 1; version 2 has to be signed anew."),
    "published after the order": (judged(accepted(), versions=(V1, later(2, days=0))),
                                  "Covered by the acceptance of 12 March 2026."),
    "ended": (judged(accepted(valid_until=NOW - timedelta(days=1))),
              "The acceptance of 12 March 2026 ended on 14 June 2026."),
    "ends before the order was looked at, after it was placed": (
        judged(accepted(valid_until=NOW - timedelta(seconds=10)), once=SignOnce("customer", renew_days=0)),
        "Covered by the acceptance of 12 March 2026."),
    "ends soon": (judged(accepted(valid_until=NOW + timedelta(days=20)), once=SignOnce("customer", 12)),
                  "Covered by the acceptance of 12 March 2026; it ends on 5 July 2026, so a new one is asked for."),
    "ends soon, and a new one would end then too": (
        judged(accepted(valid_until=ends_at(0, "2026-07-01", MARCH, BATH)), once=SignOnce("customer", 0, "2026-07-01")),
        "Covered by the acceptance of 12 March 2026."),
    "revoked": (judged(accepted(revoked_at=NOW - timedelta(days=1))),
                "The acceptance of 12 March 2026 was revoked on 14 June 2026."),
    "revoked after the order": (judged(accepted(revoked_at=NOW)), "Covered by the acceptance of 12 March 2026."),
    "from tomorrow": (judged(accepted(valid_from=NOW + timedelta(days=1))),
                      "The acceptance of 16 June 2026 does not count yet."),
    "two, one ended": (judged(accepted(id=1, valid_until=NOW - timedelta(days=9)), accepted(id=2)),
                       "Covered by the acceptance of 12 March 2026."),
    "exempt": (
        judged(exemptions=(Exemption(1, ANN, 4, MARCH, NEW_YEAR, "it is a family firm."),)),
        "Exempt until 31 December 2026, because it is a family firm."),
    "exempt from everything": (
        judged(exemptions=(Exemption(1, ANN, 0, MARCH, NOW + timedelta(days=1), "they are staff"),)),
        "Exempt until 16 June 2026, because they are staff."),
    "exempt by company": (
        judged(bearer=COMPANY, exemptions=(Exemption(1, ACME, 4, MARCH, NOW + timedelta(days=1), "of a contract"),)),
        "Exempt until 16 June 2026, because of a contract."),
    "exemption over": (judged(exemptions=(Exemption(1, ANN, 4, MARCH, NOW - timedelta(days=1), "x"),)), ""),
    "exemption taken back": (
        judged(exemptions=(Exemption(1, ANN, 4, MARCH, NOW + timedelta(days=9), "x", NOW - timedelta(days=2)),)), ""),
    "guest": (judged(accepted(party=GUEST), bearer=replace(BEARER, customer=None, email=GUEST)),
              "Covered by the acceptance of 12 March 2026."),
    "guest, then registered with the same address": (judged(accepted(party=GUEST), bearer=replace(BEARER, email=GUEST)),
                                                     "Covered by the acceptance of 12 March 2026."),
    "nobody known": (judged(accepted(), bearer=replace(BEARER, customer=None)), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_cover(name: str) -> None:
    verdict, says = TABLE[name]
    assert (verdict.why if isinstance(verdict, NotCovered) else verdict.sentence) == says


SHOP = replace(BEARER, company=ACME, email=GUEST)
STANDS: dict[str, tuple[bool, Acceptance]] = {
    "of the account": (True, accepted()),
    "of its company": (True, accepted(party=ACME, scope="company")),
    "of its address, as a guest": (True, accepted(party=GUEST)),
    "of somebody else": (False, accepted(party=BO)),
    "for this storefront": (True, accepted(scope="channel", scope_id="1")),
    "for another storefront": (False, accepted(scope="channel", scope_id="2")),
    "for one order": (False, accepted(scope="order", scope_id="101")),
    "older than what has to be signed anew": (False, accepted(agreement_id=5)),
    "of the version that counts": (True, accepted(agreement_id=5, version=2)),
    "ended": (False, accepted(valid_until=NOW - timedelta(days=1))),
    "ends later": (True, accepted(valid_until=NOW + timedelta(days=1))),
    "revoked before the order": (False, accepted(revoked_at=NOW - timedelta(days=1))),
    "revoked after the order": (True, accepted(revoked_at=NOW)),
    "from tomorrow": (False, accepted(valid_from=NOW + timedelta(days=1))),
    "after the order": (False, accepted(valid_from=NOW)),
}


@pytest.mark.parametrize("name", STANDS)
def test_which_agreements_were_signed_before(name: str) -> None:
    stands, acceptance = STANDS[name]
    versions = {4: (V1,), 5: (V1, later(2))}
    exempt = (Exemption(1, ANN, 9, MARCH, NEW_YEAR, "it is a family firm"),)  # who is exempt has signed nothing
    ledger = Ledger(SHOP, (acceptance,), exempt, versions)
    assert standing(ledger) == ({acceptance.agreement_id} if stands else set())


def test_what_is_covered_still_is_told_from_what_is_renewed() -> None:
    assert isinstance(judged(accepted()), Covered)
    due = judged(accepted(valid_until=NOW + timedelta(days=20)), once=SignOnce("customer", 12))
    assert isinstance(due, RenewalDue)
    assert due.ends_at == NOW + timedelta(days=20)
    assert due.acceptance_id == 5


@pytest.mark.parametrize(
    ("months", "until", "signed", "last"),
    [(12, "", datetime(2026, 3, 12, 9, tzinfo=UTC), "12 March 2027"),
     (1, "", datetime(2026, 1, 31, 9, tzinfo=UTC), "28 February 2026"),
     (12, "", datetime(2024, 2, 29, 9, tzinfo=UTC), "28 February 2025"),
     (0, "2027-12-31", datetime(2026, 1, 31, 9, tzinfo=UTC), "31 December 2027")],
)  # fmt: skip
def test_validity(months: int, until: str, signed: datetime, last: str) -> None:
    ends = ends_at(months, until, signed, BATH)
    assert ends is not None
    assert last_day(ends, BATH) == last
    assert ends_at(0, "", signed, BATH) is None


@given(st.integers(1, 120), st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))
def test_months_are_months(months: int, signed: datetime) -> None:
    ends = ends_at(months, "", signed, BATH)
    assert ends is not None
    assert timedelta(days=28 * months - 1) < ends - signed < timedelta(days=31 * months + 2)


def test_what_a_signature_will_count_for() -> None:
    assert counts_for(SignOnce(), BEARER) is None
    assert counts_for(ONCE, replace(BEARER, customer=None)) is None
    guest = counts_for(SignOnce("channel", 12), replace(BEARER, customer=None, email=GUEST))
    assert guest == Counts(GUEST, "channel", "1", 12)
    assert guest is not None
    assert Counts.parse(guest.dump()) == guest
    company = counts_for(SignOnce("company"), COMPANY)
    assert company == Counts(ACME, "company")


# Campaigns


def people(count: int, **changes: Any) -> list[Affected]:
    return [Affected(Party(PartyKind.CUSTOMER, str(n)), str(100 + n), **changes) for n in range(count)]


def test_a_wave_takes_what_the_hour_leaves() -> None:
    first = plan_wave(people(5), 3, [], NOW)
    assert [a.record for a in first.parties] == ["100", "101", "102"]
    assert first.next_at == NOW + timedelta(hours=1)
    half = plan_wave(people(5), 3, [NOW - timedelta(minutes=30), NOW - timedelta(minutes=10)], NOW)
    assert len(half.parties) == 1
    assert half.next_at == NOW + timedelta(minutes=30)
    assert plan_wave(people(2), 3, [], NOW).next_at is None


def test_whom_a_wave_leaves_alone() -> None:
    known = [*people(1, asked=True), *people(1, signed=True), Affected(ANN, "")]
    assert plan_wave(known, 10, [], NOW) == plan_wave([], 10, [], NOW)


@given(st.integers(0, 40), st.integers(1, 10))
def test_waves_ask_everybody_once_within_the_budget(count: int, per_hour: int) -> None:
    affected, asked_at, now = people(count), list[datetime](), NOW
    for _ in range(count + 2):
        wave = plan_wave(affected, per_hour, asked_at, now)
        for each in wave.parties:
            affected[affected.index(each)] = replace(each, asked=True)
            asked_at.append(now)
        assert sum(t > now - timedelta(hours=1) for t in asked_at) <= per_hour
        if wave.next_at is None:
            break
        assert wave.next_at > now
        now = wave.next_at
    assert len(asked_at) == count
