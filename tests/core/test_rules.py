"""Rules: what is refused on save, what is decided and why. The second evaluator: test_kinds.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bcapp.core.conditions import METAFIELD, Condition, ConditionTrace
from bcapp.core.conditions import evaluate as evaluate_condition
from bcapp.core.directory import ApprovalLimit, Directory
from bcapp.core.fields import OPERATOR_WORDS, OPERATORS, Field, FieldType, Reading
from bcapp.core.kinds.order import ORDER as ORDERS
from bcapp.core.model import History, Money, OrderFacts
from bcapp.core.money import parse_money
from bcapp.core.rules import (
    MOST_CONDITIONS,
    Band,
    InvalidRule,
    RuleDefinition,
    Step,
    check_definition,
    decide_rule,
    dump_definition,
    needs_of,
    parse_definition,
    sentence,
)
from tests.core.facts import NOW, definition, order, person, rule
from tests.core.second import conditions

READING = Reading(NOW, storefront_channels=frozenset({1, 2}))


def evaluate(condition: Condition, facts: OrderFacts) -> ConditionTrace:
    return evaluate_condition(condition, facts, READING, ORDERS.fields)


ALL_OPERATORS = sorted({o for operators in OPERATORS.values() for o in operators})


# Money ----------------------------------------------------------------------------------------------------


@given(st.decimals(0, 999_999_999, places=2), st.sampled_from(["USD", "EUR", "JPY"]))
def test_money_survives_being_written_and_read(amount: Decimal, currency: str) -> None:
    assert parse_money(f"{amount:f} {currency}") == Money(amount, currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "100",
        "USD",
        "USD 100",
        "100.00USD",
        "100.00 usd",
        "100.00 US",
        "100.00 USDX",
        "1,000.00 USD",
        "1.000,00 EUR",
        "-1 USD",
        "+1 USD",
        "1e3 USD",
        "NaN USD",
        "Infinity USD",
        ".5 USD",
        "5. USD",
        "1.23456 USD",
        "1" * 1000 + " USD",
        "1." + "0" * 1000 + " USD",
        "1" * 100_000,
        "١٠٠ USD",  # digits, but not ours
        "１００ USD",
        "100\x00 USD",
        "100.00 USD; DROP",
        "0x10 USD",
        "1_000 USD",
    ],
)
def test_hostile_money_is_refused_in_a_short_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of zero or more with its currency") as refused:
        parse_money(text)
    assert len(str(refused.value)) < 200


@given(st.text())
def test_money_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        money = parse_money(text)
    except ValueError:
        return
    assert money.amount.is_finite()
    assert money.amount >= 0
    assert len(money.currency) == 3


# Refused on save ------------------------------------------------------------------------------------------

RIGHT: dict[FieldType, str] = {
    FieldType.MONEY: "100.00 USD",
    FieldType.NUMBER: "3",
    FieldType.TEXT: "word",
    FieldType.CHOICE: "1",
    FieldType.COUNTRY: "DE",
    FieldType.DATE: "2026-03-01",
    FieldType.LIST: "TENT-4",
    FieldType.FLAG: "",
}
HUGE = "9" * 5000
WRONG: dict[FieldType, tuple[tuple[str, ...], ...]] = {
    FieldType.MONEY: ((), ("",), (" ", ""), ("100",), ("abc",), ("1 USD", "2 USD"), (HUGE + " USD",), ("NaN USD",)),
    FieldType.NUMBER: ((), ("",), ("three",), ("1", "2"), ("1e5",), (HUGE,), ("NaN",), ("--1",), ("١",)),
    FieldType.TEXT: ((), ("",), ("a", "b"), ("x" * 251,)),
    FieldType.CHOICE: ((), ("",), ("x" * 251,)),
    FieldType.COUNTRY: ((), ("",), ("Germany",), ("de",), ("D",), ("DE", "XXX"), ("ДЕ",)),
    FieldType.DATE: ((), ("",), ("1.3.2026",), ("2026-02-30",), ("2026-3-1",), ("2026-03-01", "2026-03-02"), (HUGE,)),
    FieldType.LIST: ((), ("", " "), ("ok", "x" * 251), ("x",) * 501),
    FieldType.FLAG: (),
}


def argument_of(name: str) -> str:
    given_ = {"Days": "30", "Custom field name": "regulated", METAFIELD: "erp.state", "": ""}
    return given_[ORDERS.fields[name].argument]


def right(known: Field) -> str:
    if known.numbered:
        return known.example
    return known.choices[0][0] if known.choices else RIGHT[known.type]


def problems(given_: RuleDefinition) -> dict[str, str]:
    with pytest.raises(InvalidRule) as refused:
        check_definition(given_, ORDERS)
    return dict(refused.value.problems)


def every_row(table: dict[FieldType, tuple[tuple[str, ...], ...]]) -> list[Any]:
    return [
        pytest.param(name, operator, values, id=f"{name}-{operator}-{str(values)[:20]}")
        for name, known in ORDERS.fields.items()
        for operator in OPERATORS[known.type]
        for values in table[known.type]
    ]


@pytest.mark.parametrize(("name", "operator", "values"), every_row(WRONG))
def test_a_wrong_value_is_refused_at_its_row(name: str, operator: str, values: tuple[str, ...]) -> None:
    good = Condition("total", "at_least", ("1 USD",))
    bad = Condition(name, operator, values, argument_of(name))
    found = problems(definition(groups=((good,), (good, bad))))
    assert list(found) == ["groups.1.1"]
    assert len(found["groups.1.1"]) < 200
    assert evaluate(bad, order()).outcome == "unknown"


@pytest.mark.parametrize("name", ORDERS.fields)
def test_a_right_value_is_taken(name: str) -> None:
    known = ORDERS.fields[name]
    rows = tuple(Condition(name, o, (right(known),), argument_of(name)) for o in OPERATORS[known.type])
    check_definition(definition(groups=(rows,)), ORDERS)


@pytest.mark.parametrize("name", ORDERS.fields)
def test_an_operator_of_another_type_is_refused(name: str) -> None:
    known = ORDERS.fields[name]
    for operator in {*ALL_OPERATORS, "", "like", "__class__"} - set(OPERATORS[known.type]):
        bad = Condition(name, operator, (right(known),), argument_of(name))
        assert list(problems(definition(groups=((bad,),)))) == ["groups.0.0"]
        assert evaluate(bad, order()).outcome == "unknown"


@pytest.mark.parametrize("name", [n for n, f in ORDERS.fields.items() if f.argument])
@pytest.mark.parametrize("argument", ["", "  "])
def test_a_missing_argument_is_refused(name: str, argument: str) -> None:
    known = ORDERS.fields[name]
    bad = Condition(name, OPERATORS[known.type][0], (right(known),), argument)
    assert list(problems(definition(groups=((bad,),)))) == ["groups.0.0"]


@pytest.mark.parametrize("days", ["0", "367", "-1", "1.5", "ten", "٣", "²", HUGE, "1" * 4301])
@pytest.mark.parametrize("name", ["orders_in_days", "sum_in_days"])
def test_days_are_a_whole_number_of_at_most_a_year(name: str, days: str) -> None:
    known = ORDERS.fields[name]
    bad = Condition(name, "at_least", (right(known),), days)
    assert "from 1 to 366" in problems(definition(groups=((bad,),)))["groups.0.0"]
    assert evaluate(bad, order()).outcome == "unknown"
    needs_of(
        ORDERS, [rule(definition=definition(groups=((bad,),)))]
    )  # a stored one of an older release is read all the same


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"customer": False}, "signers"),
        ({"agreement_id": 0}, "agreement"),
        ({"account_id": 0}, "account"),
        ({"sequence": "sideways"}, "sequence"),
        ({"expiry_days": 0}, "expiry_days"),
        ({"expiry_days": 366}, "expiry_days"),
        ({"most_per_hour": 0}, "limits"),
        ({"most_per_day": 1_000_001}, "limits"),
        ({"groups": ((Condition("guest", "is_true"),) * (MOST_CONDITIONS + 1),)}, "groups"),
    ],
)
def test_what_is_not_a_condition_is_refused_by_its_name(changes: dict[str, Any], where: str) -> None:
    assert list(problems(definition(**changes))) == [where]


def test_every_problem_is_told_at_once() -> None:
    bad = definition(groups=((Condition("gone", "is"),),), customer=False, account_id=0, expiry_days=0)
    assert list(problems(bad)) == ["groups.0.0", "signers", "account", "expiry_days"]


TEXTS = st.text(max_size=300)


@given(st.sampled_from([*ORDERS.fields, "gone"]), st.sampled_from([*ALL_OPERATORS, "?"]), st.lists(TEXTS), TEXTS)
@example("total", "at_least", ["", "100.00 USD"], "")
@example("orders_in_days", "at_least", ["1"], "9" * 5000)
def test_what_may_be_saved_can_be_judged_and_said(name: str, operator: str, values: list[str], argument: str) -> None:
    condition = Condition(name, operator, tuple(values), argument)
    given_ = definition(groups=((condition,),))
    outcome = evaluate(condition, order()).outcome
    assert outcome in ("pass", "fail", "currency", "unknown")
    if outcome == "unknown":
        assert list(problems(given_)) == ["groups.0.0"]
    else:
        check_definition(given_, ORDERS)
    assert decide_rule(ORDERS, rule(definition=given_), order(), READING).sentence
    assert sentence(given_, ORDERS)
    needs_of(ORDERS, [rule(definition=given_)])


def test_a_blank_value_beside_a_right_one_is_left_aside() -> None:
    assert evaluate(Condition("total", "at_least", ("", "100.00 USD")), order()).outcome == "pass"
    no_method = order(payment_method="")
    assert evaluate(Condition("payment_method", "is_any_of", ("", "Cash")), no_method).outcome == "fail"


# Stored and read again ------------------------------------------------------------------------------------

DEFINITIONS = st.builds(
    RuleDefinition,
    groups=st.lists(st.lists(conditions(ORDERS), max_size=3).map(tuple), max_size=3).map(tuple),
    internal=st.booleans(),
    approvers=st.lists(st.integers(1, 9)).map(tuple),
    customer=st.booleans(),
    agreement_id=st.integers(0, 9),
    sequence=st.sampled_from(["together", "internal_first", "customer_first"]),
    account_id=st.integers(0, 9),
    expiry_days=st.integers(1, 365),
    buyer_may_forward=st.booleans(),
    most_per_hour=st.integers(1, 9),
    most_per_day=st.integers(1, 9),
    channels=st.lists(st.integers(1, 9)).map(tuple),
)


@given(DEFINITIONS)
def test_a_definition_is_read_as_it_was_written(given_: RuleDefinition) -> None:
    assert parse_definition(dump_definition(given_)) == given_


@given(DEFINITIONS)
def test_a_definition_of_a_newer_release_is_read(given_: RuleDefinition) -> None:
    assert parse_definition({**dump_definition(given_), "later": [1]}) == given_


def test_a_definition_of_an_older_release_has_defaults() -> None:
    assert parse_definition({}) == RuleDefinition()


# Decisions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "changes", "decision", "says"),
    [
        ({}, {}, "asks", "Asks: every condition of “Large orders” holds."),
        ({"status_id": 0}, {}, "not_placed", "Incomplete is not an order yet."),
        ({"channel_id": 9}, {}, "not_storefront", "Channel 9 is not one of the storefronts"),
        ({"channel_id": 2}, {"definition": definition(channels=(1,))}, "not_storefront", "Channel 2"),
        ({"channel_id": 9}, {"definition": definition(channels=(9,))}, "not_storefront", "Channel 9"),
        ({"channel_id": 2}, {"definition": definition(channels=(2,))}, "asks", "Asks:"),
        (
            {"total": Money(Decimal("499.99"), "USD")},
            {},
            "no_match",
            "order total is 499.99 USD, the rule wants: is at",
        ),
        ({"total": Money(Decimal("9000"), "EUR")}, {}, "no_match", "another currency than USD"),
        ({}, {"mode": "monitor"}, "would_ask", "Monitor: would have asked."),
        ({"total": Money(Decimal("1"), "USD")}, {"mode": "monitor"}, "no_match", "Does not ask"),
        ({}, {"paused_why": "it ran away."}, "paused", "The rule is paused: it ran away."),
        ({}, {"live_since": None}, "before_boundary", "Created before the rule went live."),
        ({"created_at": NOW - timedelta(days=2)}, {}, "before_boundary", "Created before"),
        ({"created_at": NOW - timedelta(days=2)}, {"included": True}, "asks", "Asks:"),
        ({"created_at": NOW - timedelta(days=2)}, {"included": True, "live_since": None}, "before_boundary", "Created"),
        ({}, {"definition": definition(groups=())}, "asks", "Asks:"),
        ({}, {"definition": definition(groups=((),))}, "asks", "Asks:"),
    ],
)
def test_a_decision_and_its_sentence(facts: dict[str, Any], changes: dict[str, Any], decision: str, says: str) -> None:
    trace = decide_rule(ORDERS, rule(**changes), order(**facts), READING)
    assert trace.decision == decision
    assert says in trace.sentence
    assert trace.asks is (decision == "asks")


@pytest.mark.parametrize(
    ("created", "live", "decision"),
    [
        (timedelta(), timedelta(), "asks"),
        (timedelta(), timedelta(milliseconds=999), "asks"),  # the store tells whole seconds only
        (timedelta(), timedelta(seconds=1), "before_boundary"),
        (timedelta(seconds=1), timedelta(), "asks"),
    ],
)
def test_the_boundary_is_a_second_wide(created: timedelta, live: timedelta, decision: str) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
    trace = decide_rule(ORDERS, rule(live_since=at + live), order(created_at=at + created), READING)
    assert trace.decision == decision


@pytest.mark.parametrize(
    "condition",
    [
        Condition("first_order", "is_true"),
        Condition("first_order", "is_false"),
        Condition("orders_in_days", "at_least", ("3",), "30"),
        Condition("sum_in_days", "less_than", ("3 USD",), "30"),
        Condition("gone", "is", ("x",)),
    ],
)
def test_what_cannot_be_judged_asks(condition: Condition) -> None:
    stranger = order(history=None, customer_id=0)
    unsure = rule(definition=definition(groups=((condition,),)))
    trace = decide_rule(ORDERS, unsure, stranger, READING)
    assert trace.asks
    assert "could not be judged" in trace.sentence
    settled = rule(definition=definition(groups=((condition, Condition("guest", "is_true")),)))
    assert "every condition" in decide_rule(ORDERS, settled, stranger, READING).sentence
    refused = rule(definition=definition(groups=((condition,), (Condition("guest", "is_false"),))))
    assert decide_rule(ORDERS, refused, stranger, READING).decision == "no_match"


def test_splitting_an_order_does_not_help() -> None:
    big = rule(definition=definition(groups=((Condition("sum_in_days", "at_least", ("1000.00 USD",), "7"),),)))
    earlier = ((NOW - timedelta(days=2), Money(Decimal("400.00"), "USD")),)
    assert not decide_rule(ORDERS, big, order(), READING).asks
    assert decide_rule(ORDERS, big, order(history=History(1, (), earlier)), READING).asks


def test_the_trace_shows_what_each_condition_saw() -> None:
    two = definition(
        groups=((Condition("total", "at_least", ("500.00 USD",)),), (Condition("sku", "has_any_of", ("A",)),))
    )
    trace = decide_rule(ORDERS, rule(definition=two), order(), READING)
    assert trace.groups == (
        (ConditionTrace("total", "at_least", ("500.00 USD",), "", "600.00 USD", "pass"),),
        (ConditionTrace("sku", "has_any_of", ("A",), "", "TENT-4", "fail"),),
    )


@pytest.mark.parametrize(
    ("condition", "needs", "days"),
    [
        (Condition("total", "at_least", ("1 USD",)), frozenset(), 0),
        (Condition("category", "has_any_of", ("1",)), frozenset({"catalog"}), 0),
        (Condition("first_order", "is_true"), frozenset({"history"}), 0),  # one of years ago counts
        (Condition("sum_in_days", "at_least", ("1 USD",), "90"), frozenset({"history"}), 90),
        (Condition("gone", "is", ("x",)), frozenset(), 0),
    ],
)
def test_needs_of(condition: Condition, needs: frozenset[str], days: int) -> None:
    assert needs_of(ORDERS, [rule(definition=definition(groups=((condition,),)))]) == (needs, days)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {},
            "When an order is placed and order total is at least 500.00 USD, ask the buyer to sign Terms.",
        ),
        ({"groups": ()}, "When an order is placed, ask the buyer to sign Terms."),
        (
            {"groups": ((Condition("guest", "is_false"), Condition("sku", "has_any_of", ("A", "B"))),)},
            "When an order is placed and (not guest checkout or sku has any of A, B), ask the buyer to sign Terms.",
        ),
        (
            {"internal": True, "sequence": "internal_first", "groups": ()},
            "When an order is placed, ask the approver whose limit covers it to approve, "
            "then ask the buyer to sign Terms.",
        ),
        (
            {"internal": True, "approvers": (7, 8), "sequence": "customer_first", "groups": ()},
            "When an order is placed, ask the buyer to sign Terms, then ask Dana, then person 8 to approve.",
        ),
        (
            {"groups": ((Condition("sum_in_days", "more_than", ("9 USD",), "30"),),)},
            "When an order is placed and sum of recent days (30 days) is more than 9 USD, ask the buyer to sign Terms.",
        ),
        (
            {"groups": ((Condition("custom_field", "has_none_of", ("yes",), "regulated"),),)},
            "When an order is placed and product custom field “regulated” has none of yes, "
            "ask the buyer to sign Terms.",
        ),
    ],
)
def test_a_rule_as_a_sentence(changes: dict[str, Any], says: str) -> None:
    assert sentence(definition(**changes), ORDERS, {"agreement:4": "Terms", "person:7": "Dana"}) == says


def test_every_operator_has_words() -> None:
    assert set(OPERATOR_WORDS) == set(ALL_OPERATORS)


# Who approves ---------------------------------------------------------------------------------------------

DANA, CLEO, DEPUTY = person(1), person(2), person(3)


@pytest.mark.parametrize(
    ("changes", "acts"),
    [
        ({}, 1),
        ({"state": "left"}, None),
        ({"state": "left", "deputy_id": 3}, None),
        ({"state": "away"}, None),
        ({"state": "away", "deputy_id": 3}, 3),
        ({"deputy_id": 3}, 1),  # a deputy without dates acts only while the person is away
        ({"deputy_id": 3, "deputy_from": NOW}, 3),
        ({"deputy_id": 3, "deputy_from": NOW + timedelta(seconds=1)}, 1),
        ({"deputy_id": 3, "deputy_from": NOW - timedelta(days=1), "deputy_until": NOW}, 1),
        ({"deputy_id": 3, "deputy_from": NOW - timedelta(days=1), "deputy_until": NOW + timedelta(days=1)}, 3),
        ({"state": "away", "deputy_id": 3, "deputy_until": NOW}, None),
        ({"state": "away", "deputy_id": 99}, None),
    ],
)
def test_who_acts_for_a_person(changes: dict[str, Any], acts: int | None) -> None:
    directory = Directory({1: replace(DANA, **changes), 3: DEPUTY})
    found = directory.acting(1, NOW)
    assert (found.id if found else None) == acts


@pytest.mark.parametrize("state", ["away", "left"])
def test_a_deputy_who_is_away_acts_for_nobody(state: str) -> None:
    directory = Directory({1: replace(DANA, state="away", deputy_id=3), 3: replace(DEPUTY, state=state)})
    assert directory.acting(1, NOW) is None


LIMITS = (
    ApprovalLimit(2, "USD", None),
    ApprovalLimit(1, "USD", Decimal("2000")),
    ApprovalLimit(1, "EUR", Decimal("9")),
)
PEOPLE = {1: DANA, 2: CLEO, 3: DEPUTY}


@pytest.mark.parametrize(
    ("amount", "approver"),
    [
        (Money(Decimal("0"), "USD"), 1),
        (Money(Decimal("1999.99"), "USD"), 1),
        (Money(Decimal("2000"), "USD"), 1),
        (Money(Decimal("2000.01"), "USD"), 2),
        (Money(Decimal("9999999"), "USD"), 2),
        (Money(Decimal("9"), "EUR"), 1),
        (Money(Decimal("9.01"), "EUR"), None),
        (Money(Decimal("1"), "CHF"), None),
    ],
)
def test_the_smallest_limit_that_covers_it_approves(amount: Money, approver: int | None) -> None:
    found = next(Directory(PEOPLE, LIMITS).approvers_for(amount, NOW), None)
    assert (found.id if found else None) == approver


def test_who_is_away_without_a_deputy_is_stepped_over() -> None:
    away = Directory({**PEOPLE, 1: replace(DANA, state="away")}, LIMITS)
    found = next(away.approvers_for(Money(Decimal("5"), "USD"), NOW), None)
    assert found is not None
    assert found.id == 2


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 50)), min_size=1, max_size=6, unique=True),
    st.integers(0, 60),
)
def test_limits_cover_every_amount_exactly_once(steps: list[int | None], amount: int) -> None:
    limits = tuple(ApprovalLimit(n, "USD", None if s is None else Decimal(s)) for n, s in enumerate(steps, 1))
    people = {n: person(n) for n in range(1, len(steps) + 1)}
    found = next(Directory(people, limits).approvers_for(Money(Decimal(amount), "USD"), NOW), None)
    covering = [s for s in steps if s is None or amount <= s]
    if not covering:
        assert found is None
    else:
        assert found is not None
        given_ = steps[found.id - 1]
        bounded = [s for s in covering if s is not None]
        assert given_ == (min(bounded) if bounded else None)


@given(st.permutations(list(LIMITS)))
def test_the_order_of_the_limits_is_irrelevant(limits: list[ApprovalLimit]) -> None:
    for amount in ("1", "2000", "2001"):
        money = Money(Decimal(amount), "USD")
        mixed = Directory(PEOPLE, tuple(limits)).approvers_for(money, NOW)
        assert list(mixed) == list(Directory(PEOPLE, LIMITS).approvers_for(money, NOW))


# Limits tables and steps ----------------------------------------------------------------------------------

LEAD, BOSS = Band("5000.00 EUR", (1,)), Band("", (2, 3))


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"bands": (BOSS, LEAD)}, "bands.0", "comes last"),
        ({"bands": (LEAD, Band("5000.00 EUR", (2,)))}, "bands.1", "Put them in order"),
        ({"bands": (LEAD, Band("100 EUR", (2,)))}, "bands.1", "Put them in order"),
        ({"bands": (LEAD, Band("", ()))}, "bands.1", "Name who approves"),
        ({"bands": (Band("5000", (1,)),)}, "bands.0", "is not an amount"),
        ({"bands": (Band("9" * 1000 + " EUR", (1,)),)}, "bands.0", "is not an amount"),
        ({"bands": (LEAD,) * 21}, "bands", "at most 20"),
        ({"bands": (LEAD,), "approvers": (1,)}, "bands", "not both"),
        ({"steps": (Step(1, "shout"),)}, "steps.0", "what the step does"),
        ({"steps": (Step(1, "remind"), Step(2, "escalate"))}, "steps.1", "Name the person"),
        ({"steps": (Step(1, "outcome", outcome="ship"),)}, "steps.0", "without a signature"),
        ({"steps": (Step(-1, "remind"),)}, "steps.0", "0 to 365"),
        ({"steps": (Step(1, "remind", at="24:00"),)}, "steps.0", "like 09:00"),
        ({"steps": (Step(1, "remind", at="9:00"),)}, "steps.0", "like 09:00"),
        ({"steps": (Step(1, "remind"),) * 21}, "steps", "at most 20"),
        ({"steps": (Step(1, "outcome", outcome="keep"), Step(2, "outcome", outcome="keep"))}, "steps", "Only one"),
    ],
)
def test_a_table_or_a_step_that_cannot_be_is_named(changes: dict[str, Any], where: str, says: str) -> None:
    assert says in problems(definition(internal=True, **changes))[where]


def test_a_sound_table_and_sound_steps_are_taken() -> None:
    bands = (LEAD, Band("9000.00 EUR", (2,)), Band("5000 USD", (1,)), BOSS)
    steps = (Step(0, "remind", "00:00"), Step(2, "escalate", "23:59", person=3), Step(5, "outcome", outcome="release"))
    check_definition(definition(internal=True, bands=bands, steps=steps), ORDERS)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (Condition("hour", "at_least", ("25",)), "between 0 and 23"),
        (Condition("hour", "at_least", ("-1",)), "between 0 and 23"),
        (Condition("category", "has_any_of", ("Tents",)), "takes numbers, such as 23"),
        (Condition("customer_group", "is_any_of", ("3", "-1")), "takes numbers"),
        (Condition("channel", "is_any_of", ("1.5",)), "takes numbers"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_its_row(condition: Condition, says: str) -> None:
    assert says in problems(definition(groups=((condition,),)))["groups.0.0"]
