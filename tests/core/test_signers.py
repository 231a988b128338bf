"""Who signs: everybody once, never who asked for it, and every amount belongs to exactly one line of the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.directory import ApprovalLimit, Directory, Person
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Money, Signer
from bcapp.core.money import RateTable
from bcapp.core.rules import Band, InvalidRule, RuleDefinition, Step, check_definition
from bcapp.core.signers import (
    AWAY,
    NO_ADDRESS,
    NO_BAND,
    NO_LIMIT,
    NO_OTHER_APPROVER,
    UNKNOWN_REQUESTER,
    Nobody,
    Requester,
    band_for,
    band_ranges,
    find_approvers,
    signer_from,
    stand_in,
    without_requester,
)
from bcapp.core.states import SignerRole, SignerState
from tests.core.facts import order

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LEAD, FINANCE, CFO, DEPUTY = (
    Person(i, name, f"{name.lower()}@store.test") for i, name in enumerate(("Lead", "Finance", "Cfo", "Deputy"), 1)
)
PEOPLE = {p.id: p for p in (LEAD, FINANCE, CFO, DEPUTY)}
DIRECTORY = Directory(
    PEOPLE,
    (
        ApprovalLimit(1, "EUR", Decimal(5000)),
        ApprovalLimit(2, "EUR", Decimal(20000)),
        ApprovalLimit(3, "EUR", None),
    ),
)
TABLE = (Band("5000.00 EUR", (1,)), Band("4000.00 USD", (1,)), Band("", (2, 3)))
BUYER = Requester(emails=frozenset({"buyer@shop.test"}))


def approvers(
    amount: str = "100",
    currency: str = "EUR",
    requester: Requester = BUYER,
    directory: Directory = DIRECTORY,
    rates: RateTable | None = None,
    **definition: Any,
) -> list[tuple[str, int, str]] | str:
    """(name, turn, role) of everybody asked, or the outcome."""
    given_ = RuleDefinition(internal=True, **definition)
    money = Money(Decimal(amount), currency)
    found = find_approvers(given_, "Big", money, "Order 1", directory, requester, NOW, rates)
    if isinstance(found, Nobody):
        assert found.sentence.endswith(".")
        return found.outcome
    assert [s.position for s in found] == list(range(len(found)))
    return [(s.name, s.turn, str(s.role)) for s in found]


def changed(**people: Person) -> Directory:
    return Directory({**PEOPLE, **{p.id: p for p in people.values()}}, DIRECTORY.limits)


def test_named_people_sign_in_order_or_together() -> None:
    assert approvers(approvers=(2, 1)) == [("Finance", 1, "sign"), ("Lead", 2, "sign")]
    together = approvers(approvers=(2, 1), approvers_in_order=False)
    assert together == [("Finance", 1, "sign"), ("Lead", 1, "sign")]


def test_approve_only_and_copies() -> None:
    """A copy comes last, at the turn of the last approver; who approves gets no second copy."""
    found = approvers(approvers=(2, 1), approve_only=True, copies=(1, 3))
    assert found == [("Finance", 1, "approve"), ("Lead", 2, "approve"), ("Cfo", 2, "copy")]


@pytest.mark.parametrize(
    ("amount", "currency", "names"),
    [
        ("0", "EUR", ["Lead"]),
        ("5000.00", "EUR", ["Lead"]),
        ("5000.01", "EUR", ["Finance", "Cfo"]),
        ("4000.00", "USD", ["Lead"]),
        ("4000.0001", "USD", ["Finance", "Cfo"]),
        ("1", "GBP", ["Finance", "Cfo"]),  # a currency that no line names belongs to the last
    ],
)
def test_the_limits_table(amount: str, currency: str, names: list[str]) -> None:
    found = approvers(amount, currency, bands=TABLE)
    assert not isinstance(found, str)
    assert [name for name, _, _ in found] == names


def test_a_gap_in_the_table_is_named() -> None:
    table = TABLE[:2]
    assert approvers("5000.01", "EUR", bands=table) == NO_BAND
    assert approvers("1", "GBP", bands=table) == NO_BAND
    rates = RateTable("EUR", None, {"GBP": Decimal("0.8")})
    assert approvers("1", "GBP", bands=table, rates=rates) == NO_BAND  # the rule does not use the rates
    assert approvers("1", "GBP", bands=table, rates=rates, use_rates=True) == [("Lead", 1, "sign")]


@pytest.mark.parametrize(
    ("amount", "name"), [("5000", "Lead"), ("5000.01", "Finance"), ("20000.01", "Cfo")]
)  # fmt: skip
def test_the_smallest_limit_that_covers_it(amount: str, name: str) -> None:
    assert approvers(amount) == [(name, 1, "sign")]


def test_no_limit_covers_it() -> None:
    assert approvers("1", "USD") == NO_LIMIT


def test_deputies_stand_in_within_their_dates() -> None:
    day = timedelta(days=1)
    away = replace(LEAD, state="away", deputy_id=4)
    assert approvers(approvers=(1,), directory=changed(a=away)) == [("Deputy", 1, "sign")]
    soon = replace(LEAD, deputy_id=4, deputy_from=NOW + day, deputy_until=NOW + 2 * day)
    assert approvers(approvers=(1,), directory=changed(a=soon)) == [("Lead", 1, "sign")]
    now = replace(LEAD, deputy_id=4, deputy_from=NOW - day, deputy_until=NOW + day)
    assert approvers(approvers=(1,), directory=changed(a=now)) == [("Deputy", 1, "sign")]
    alone = replace(LEAD, state="away")
    assert approvers(approvers=(1, 2), directory=changed(a=alone)) == AWAY
    assert approvers("100", directory=changed(a=alone)) == [("Finance", 1, "sign")]  # by limit: the next one


def test_a_deputy_of_two_signs_once() -> None:
    away = changed(a=replace(LEAD, state="away", deputy_id=4), b=replace(FINANCE, state="away", deputy_id=4))
    assert approvers(approvers=(1, 2, 3), directory=away) == [("Deputy", 1, "sign"), ("Cfo", 2, "sign")]


def test_the_requester_never_approves() -> None:
    lead = Requester(frozenset({1}), frozenset({"lead@store.test"}))
    assert approvers(approvers=(1, 2), requester=lead) == [("Finance", 1, "sign")]
    assert approvers(approvers=(1,), requester=lead) == NO_OTHER_APPROVER
    assert approvers("100", requester=lead) == [("Finance", 1, "sign")]
    assert approvers("30000", requester=Requester(frozenset({3}))) == NO_OTHER_APPROVER
    assert approvers("100", bands=TABLE, requester=lead) == NO_OTHER_APPROVER
    by_mail = Requester(emails=frozenset({"lead@store.test"}))
    assert approvers(approvers=(1,), requester=by_mail) == NO_OTHER_APPROVER
    # Nor does the requester as a deputy.
    away = changed(a=replace(FINANCE, state="away", deputy_id=1))
    assert approvers(approvers=(2,), requester=lead, directory=away) == NO_OTHER_APPROVER


def test_where_the_requester_is_unknown_named_people_are_required() -> None:
    unknown = Requester()
    found = approvers("100", requester=unknown, unknown_requester=(2, 3))
    assert found == [("Lead", 1, "sign"), ("Finance", 2, "sign"), ("Cfo", 3, "sign")]
    assert approvers("100", unknown_requester=(2, 3)) == [("Lead", 1, "sign")]
    assert approvers("100", requester=unknown) == [("Lead", 1, "sign")]
    away = changed(a=replace(FINANCE, state="left"))
    assert approvers("100", requester=unknown, unknown_requester=(2,), directory=away) == AWAY


def test_what_staff_placed_is_approved_by_somebody_named() -> None:
    # The buyer's address does not tell which of the staff it was: it may be whose limit covers it.
    staff = Requester(emails=frozenset({"bo@buyer.test"}), by_staff=True)
    assert approvers("100", requester=staff) == UNKNOWN_REQUESTER
    named = [("Lead", 1, "sign"), ("Finance", 2, "sign")]
    assert approvers("100", requester=staff, unknown_requester=(2,)) == named
    assert approvers(approvers=(2,), requester=staff) == [("Finance", 1, "sign")]
    assert approvers("100", bands=TABLE, requester=staff) == approvers("100", bands=TABLE)
    known = Requester(frozenset({1}), staff.emails, by_staff=True)
    assert approvers("100", requester=known) == [("Finance", 1, "sign")]


def test_the_buyer_comes_from_the_billing_address() -> None:
    made = order()
    found = signer_from("billing", made, "Order 1", may_forward=True)
    assert not isinstance(found, Nobody)
    assert (found[0].email, found[0].may_forward) == (made.billing.email.lower(), True)
    nobody = signer_from("billing", replace(made, billing=replace(made.billing, email=" ")), "Order 1")
    assert isinstance(nobody, Nobody)
    assert nobody.outcome == NO_ADDRESS


@pytest.mark.parametrize(
    ("email", "is_asked"),
    [
        ("x1y2z3@marketplace.amazon.com", False),
        ("X1Y2Z3@marketplace.amazon.co.uk", False),
        ("buyer_77@members.ebay.com", False),
        ("ab12@relay.walmart.com", False),
        ("ann@privaterelay.appleid.com", True),  # passes mail on as it is
        ("ann@amazon.com", True),
        ("marketplace.amazon.com@buyer.example", True),
    ],
)
def test_an_address_that_a_marketplace_made_up_is_none(email: str, is_asked: bool) -> None:
    made = order()
    found = signer_from("billing", replace(made, billing=replace(made.billing, email=email)), "Order 1")
    assert isinstance(found, Nobody) is not is_asked
    if isinstance(found, Nobody):
        assert (found.outcome, email in found.sentence) == (NO_ADDRESS, False)


def test_by_hand_the_sender_is_left_out() -> None:
    asked = (Signer(0, 1, "Lead", "lead@store.test", person_id=1), Signer(1, 2, "Cfo", "cfo@store.test", person_id=3))
    left = without_requester(asked, Requester(frozenset({1})), "Order 1")
    assert not isinstance(left, Nobody)
    assert [(s.name, s.position, s.turn) for s in left] == [("Cfo", 0, 1)]
    nobody = without_requester(asked[:1], Requester(emails=frozenset({"lead@store.test"})), "Order 1")
    assert isinstance(nobody, Nobody)
    assert nobody.outcome == NO_OTHER_APPROVER


# Standing in ----------------------------------------------------------------------------------------------


def asked(*states: SignerState, turns: tuple[int, ...] = (1, 2)) -> tuple[Signer, ...]:
    people = zip((LEAD, FINANCE), turns, states, strict=True)
    return tuple(Signer(i, t, p.name, p.email, person_id=p.id, state=s) for i, (p, t, s) in enumerate(people))


@pytest.mark.parametrize(
    ("states", "turns", "names"),
    [
        ((SignerState.EMAILED, SignerState.WAITING), (1, 2), ["Cfo", "Finance"]),
        ((SignerState.SIGNED, SignerState.EMAILED), (1, 2), ["Lead", "Cfo"]),
        ((SignerState.EMAILED, SignerState.EMAILED), (1, 1), ["Cfo", "Finance"]),
        ((SignerState.SIGNED, SignerState.BOUNCED), (1, 1), ["Lead", "Cfo"]),
    ],
)
def test_the_alternate_takes_one_place(
    states: tuple[SignerState, ...], turns: tuple[int, ...], names: list[str]
) -> None:
    found = stand_in(asked(*states, turns=turns), CFO, BUYER)
    assert not isinstance(found, Nobody)
    assert [(s.name, s.turn) for s in found] == list(zip(names, turns, strict=True))
    assert all(s.state is SignerState.WAITING for s in found)


@pytest.mark.parametrize(
    ("alternate", "requester"), [(None, BUYER), (LEAD, BUYER), (CFO, Requester(frozenset({3})))]
)  # fmt: skip
def test_nobody_can_stand_in(alternate: Person | None, requester: Requester) -> None:
    found = stand_in(asked(SignerState.EMAILED, SignerState.WAITING), alternate, requester)
    assert isinstance(found, Nobody)


def test_who_had_a_copy_may_stand_in() -> None:
    signers = (*asked(SignerState.EMAILED, SignerState.WAITING),
               Signer(2, 2, CFO.name, CFO.email, SignerRole.COPY, CFO.id))  # fmt: skip
    found = stand_in(signers, CFO, BUYER)
    assert not isinstance(found, Nobody)
    assert [(s.name, s.role) for s in found] == [("Cfo", SignerRole.SIGN), ("Finance", SignerRole.SIGN)]


# Properties -----------------------------------------------------------------------------------------------

AMOUNTS = st.decimals(Decimal("0"), Decimal("99999.9999"), places=4)
people_ids = st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Band, ...]:
    """Any table that check_definition accepts."""
    lines = []
    for currency in draw(st.permutations(["EUR", "USD"])):
        highest = sorted(draw(st.sets(st.integers(1, 90_000), max_size=4)))
        lines.append([Band(f"{top}.00 {currency}", draw(people_ids)) for top in highest])
    mixed = [b for pair in ([*a] for a in lines) for b in pair]
    return (*mixed, *([Band("", draw(people_ids))] if draw(st.booleans()) or not mixed else []))


@given(table=tables(), amount=AMOUNTS, currency=st.sampled_from(["EUR", "USD", "GBP"]))
def test_every_amount_belongs_to_exactly_one_line(table: tuple[Band, ...], amount: Decimal, currency: str) -> None:
    ranges = band_ranges(table, currency)
    lines = [r.band for r in ranges if r.covers(amount)]
    found = band_for(table, Money(amount, currency))
    if isinstance(found, Nobody):
        assert lines == []
        assert all(b.up_to for b in table)  # only a table without a last line has gaps
    else:
        assert lines == [found]
    for below, above in pairwise(ranges):
        assert below.up_to == above.above  # no gap and no overlap between two lines


def unlike(person: int) -> st.SearchStrategy[Person]:
    return st.builds(
        Person,
        id=st.just(person),
        name=st.just(f"P{person}"),
        email=st.sampled_from([f"p{person}@store.test", "shared@store.test", "Buyer@shop.test"]),
        state=st.sampled_from(["active", "active", "away", "left"]),
        deputy_id=st.none() | st.integers(1, 6).filter(lambda d: d != person),
        deputy_from=st.none() | st.just(NOW - timedelta(days=1)) | st.just(NOW + timedelta(days=1)),
    )


@given(
    people=st.tuples(*(unlike(i) for i in range(1, 7))),
    named=st.just(()) | people_ids,
    table=tables(),
    by_table=st.booleans(),
    copies=st.lists(st.integers(1, 6), max_size=3).map(tuple),
    required=st.lists(st.integers(1, 6), max_size=2).map(tuple),
    requester=st.builds(
        Requester, st.frozensets(st.integers(1, 6), max_size=2), st.frozensets(st.just("buyer@shop.test"))
    ),
    limits=st.lists(st.tuples(st.integers(1, 6), st.none() | AMOUNTS), max_size=5),
    amount=AMOUNTS,
    in_order=st.booleans(),
)
def test_nobody_signs_twice_and_the_requester_never(
    people: tuple[Person, ...],
    named: tuple[int, ...],
    table: tuple[Band, ...],
    by_table: bool,
    copies: tuple[int, ...],
    required: tuple[int, ...],
    requester: Requester,
    limits: list[tuple[int, Decimal | None]],
    amount: Decimal,
    in_order: bool,
) -> None:
    directory = Directory({p.id: p for p in people}, tuple(ApprovalLimit(p, "EUR", up) for p, up in limits))
    definition = RuleDefinition(
        internal=True,
        approvers=named,
        bands=table if by_table else (),
        copies=copies,
        unknown_requester=required,
        approvers_in_order=in_order,
    )
    found = find_approvers(definition, "R", Money(amount, "EUR"), "Order 1", directory, requester, NOW)
    if isinstance(found, Nobody):
        return
    approving = [s for s in found if s.role is not SignerRole.COPY]
    assert approving
    assert len({s.email for s in found}) == len({s.person_id for s in found}) == len(found)
    for signer in approving:
        assert signer.person_id not in requester.people
        assert signer.email not in requester.emails
        assert directory.people[signer.person_id or 0].state == "active"
    assert [s.turn for s in approving] == (list(range(1, len(approving) + 1)) if in_order else [1] * len(approving))


# Refused on save ------------------------------------------------------------------------------------------


def problems(**definition: Any) -> dict[str, str]:
    try:
        check_definition(RuleDefinition(internal=True, account_id=1, **definition), ORDER)
    except InvalidRule as exc:
        return dict(exc.problems)
    return {}


@given(table=tables())
def test_a_rising_table_is_accepted(table: tuple[Band, ...]) -> None:
    assert problems(bands=table) == {}


@pytest.mark.parametrize(
    ("bands", "where"),
    [
        ((Band("10.00 EUR", (1,)), Band("10.00 EUR", (2,))), "bands.1"),
        ((Band("10.00 EUR", (1,)), Band("5.00 EUR", (2,))), "bands.1"),
        ((Band("", (1,)), Band("5.00 EUR", (2,))), "bands.0"),
        ((Band("", (1,)), Band("", (2,))), "bands.0"),
        ((Band("10.00 EUR", ()),), "bands.0"),
        ((Band("10.00 EUR", (1, 1)),), "bands.0"),
        ((Band("ten", (1,)),), "bands.0"),
        ((Band(f"1{'0' * 1000} EUR", (1,)),), "bands.0"),
        (tuple(Band(f"{n}.00 EUR", (1,)) for n in range(1, 30)), "bands"),
    ],
)
def test_tables_that_cannot_be(bands: tuple[Band, ...], where: str) -> None:
    assert list(problems(bands=bands)) == [where]


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        ({"approvers": (1, 1)}, "approvers"),
        ({"approvers": (1,), "bands": (Band("", (1,)),)}, "bands"),
        ({"unknown_requester": (1, 2, 3)}, "unknown_requester"),
        ({"steps": (Step(366, "remind"),)}, "steps.0"),
        ({"steps": (Step(1, "dance"),)}, "steps.0"),
        ({"steps": (Step(1, "remind", at="25:00"),)}, "steps.0"),
        ({"steps": (Step(1, "remind", at="9"),)}, "steps.0"),
        ({"steps": (Step(1, "escalate"),)}, "steps.0"),
        ({"steps": (Step(1, "outcome", outcome="ship"),)}, "steps.0"),
        ({"steps": tuple(Step(n, "remind") for n in range(1, 30))}, "steps"),
    ],
)
def test_definitions_that_cannot_be(definition: dict[str, Any], where: str) -> None:
    assert list(problems(**definition)) == [where]


def test_steps_that_can_be() -> None:
    steps = (Step(1, "remind"), Step(2, "escalate", person=1), Step(3, "alternate", person=1, at="23:59"),
             Step(4, "outcome", outcome="keep"))  # fmt: skip
    assert problems(steps=steps) == {}


def test_nobody_signs_in_the_buyers_place() -> None:
    with pytest.raises(InvalidRule, match="in place of the buyer"):
        check_definition(
            RuleDefinition(customer=True, agreement_id=1, account_id=1, steps=(Step(1, "alternate", person=1),)), ORDER
        )
