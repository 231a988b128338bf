"""What is doubtful about a store's rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.calendars import Calendar
from bcapp.core.conditions import Condition
from bcapp.core.directory import ApprovalLimit, Directory
from bcapp.core.fields import Reading
from bcapp.core.kinds.order import ORDER as ORDERS
from bcapp.core.lint import Finding, LintRule, Setup, lint
from bcapp.core.model import Money
from bcapp.core.rules import Band, RuleDefinition, Step, decide_rule
from tests.core.facts import NOW, SETTINGS, definition, order, person, rule

BOSS, CFO = person(1), person(2)
SETUP = Setup(
    now=NOW,
    directory=Directory({1: BOSS, 2: CFO}, (ApprovalLimit(1, "USD", None),)),
    agreements=frozenset({4, 5}),
    accounts=frozenset({9}),
    channels={1: "Main shop", 2: "Outlet"},
    groups=frozenset({"1", "2"}),
    countries=frozenset({"DE", "US"}),
    currencies=frozenset({"USD"}),
    settings=SETTINGS,
)
SPLIT = Condition("sum_in_days", "at_least", ("500.00 USD",), "30")


def total(operator: str, amount: str) -> tuple[Condition, ...]:
    return (Condition("total", operator, (amount,)), SPLIT)


def linted(*definitions: RuleDefinition, mode: str = "live", setup: Setup = SETUP) -> list[Finding]:
    rules = [LintRule(i, f"Rule {i}", mode, "order", d) for i, d in enumerate(definitions, 1)]
    return lint(rules, setup)


def one(*conditions: Condition, **changes: Any) -> RuleDefinition:
    return definition(groups=tuple((c,) for c in conditions), **changes)


def test_a_sound_rule_has_no_findings() -> None:
    assert linted(definition(groups=(total("at_least", "500.00 USD"),))) == []


def test_rules_that_are_off_are_left_alone() -> None:
    assert linted(one(Condition("gone", "is", ("1",))), mode="off") == []


def test_a_vanished_field_is_said() -> None:
    (finding,) = linted(one(Condition("gone", "is", ("1",)), agreement_id=5))
    assert finding.kind == "broken"


def test_rules_of_one_name_are_told() -> None:
    named = [
        LintRule(number, name, "live", "order", definition()) for number, name in enumerate(("Large", "large", "B"))
    ]
    found = [f for f in lint(named, SETUP) if f.kind == "same_name"]
    assert [(f.rules, f.text[:24]) for f in found] == [((0, 1), "2 rules are named “Large")]


@pytest.mark.parametrize(
    "conditions",
    [
        (Condition("total", "at_least", ("9 USD",)), Condition("total", "less_than", ("9 USD",))),
        (Condition("channel", "is_any_of", ("1",)), Condition("channel", "is_any_of", ("2", "3"))),
        (Condition("guest", "is_true"), Condition("guest", "is_false")),
    ],
)
def test_a_rule_that_can_never_match_is_said(conditions: tuple[Condition, ...]) -> None:
    assert "unreachable" in {f.kind for f in linted(one(*conditions))}
    assert "unreachable" in {f.kind for f in linted(definition(match="any", groups=(conditions,)))}
    assert "unreachable" not in {f.kind for f in linted(definition(groups=(conditions,)))}  # any one of them is enough


def test_two_rules_for_one_signature_are_said_unless_their_conditions_part_them() -> None:
    low = one(Condition("total", "less_than", ("500 USD",)), Condition("guest", "is_true"))
    high = one(Condition("total", "at_least", ("500 USD",)))
    both = one(Condition("total", "at_least", ("100 USD",)))
    assert [f for f in linted(low, high) if f.kind == "overlap"] == []
    assert [f.rules for f in linted(low, high, both) if f.kind == "overlap"] == [(1, 3), (2, 3)]
    assert [f for f in linted(both, replace(both, agreement_id=5)) if f.kind == "overlap"] == []
    elsewhere = (replace(both, channels=(1,)), replace(both, channels=(2,)))
    assert [f for f in linted(*elsewhere) if f.kind == "overlap"] == []


AMOUNTS = st.integers(0, 20).map(Decimal)
BOUNDS = st.tuples(st.sampled_from(["at_least", "more_than", "at_most", "less_than"]), AMOUNTS)


@given(st.lists(BOUNDS, min_size=1, max_size=4), AMOUNTS)
def test_what_is_called_unreachable_never_matches(bounds: list[tuple[str, Decimal]], amount: Decimal) -> None:
    never = one(*(Condition("total", operator, (f"{value} USD",)) for operator, value in bounds))
    if "unreachable" in {f.kind for f in linted(never)}:
        facts = order(total=Money(amount, "USD"))
        reading = Reading(NOW, storefront_channels=frozenset({1}))
        assert decide_rule(ORDERS, rule(definition=never), facts, reading).decision == "no_match"


def approved(**changes: Any) -> RuleDefinition:
    return definition(groups=(), customer=False, agreement_id=0, internal=True, **changes)


@pytest.mark.parametrize(
    ("given_", "setup", "kind", "says"),
    [
        (definition(agreement_id=6), SETUP, "nobody", "not offered any more"),
        (definition(account_id=1), SETUP, "nobody", "account that was removed"),
        (approved(approvers=(7,)), SETUP, "nobody", "not in People any more"),
        (approved(), replace(SETUP, directory=Directory({1: BOSS})), "nobody", "nobody has one"),
        (approved(), replace(SETUP, currencies=frozenset({"USD", "EUR"})), "gap", "anything in EUR"),
        (approved(bands=(Band("5.00 USD", (1,)),)), SETUP, "gap", "more than 5.00 USD"),
        (approved(bands=(Band("5 EUR", (1,)), Band("9 EUR", (2,)))), SETUP, "gap", "no line for USD"),
        (approved(approvers=(1,), steps=(Step(7, "remind"),)), SETUP, "late_step", "expire after 7"),
        (
            approved(approvers=(1,), steps=(Step(5, "remind"),), calendar_id=2),
            replace(SETUP, calendars={2: Calendar(2, 1, "Office", frozenset(range(5)))}),
            "late_step",
            "after 5 working days",
        ),
        (definition(), replace(SETUP, settings=replace(SETTINGS, shipping_tool="")), "way_around", "not held"),
        (definition(), replace(SETUP, settings=replace(SETTINGS, test_mode_user=3)), "way_around", "Test mode"),
        (definition(), SETUP, "way_around", "several small ones"),
        (
            definition(options=(("waiting_group", "3"),)),
            replace(SETUP, open_groups={"3": "Guests"}),
            "way_around",
            "“Guests”",
        ),
        (definition(), replace(SETUP, currencies=frozenset({"USD", "EUR"})), "way_around", "orders in EUR"),
        (definition(channels=(1,)), SETUP, "uncovered", "“Outlet”"),
        (one(Condition("customer_group", "is_any_of", ("1",))), SETUP, "uncovered", "groups “2”"),
        (one(Condition("shipping_country", "is_any_of", ("US",))), SETUP, "uncovered", "countries “DE”"),
    ],
)
def test_what_is_said(given_: RuleDefinition, setup: Setup, kind: str, says: str) -> None:
    found = [f for f in linted(given_, setup=setup) if f.kind == kind and says in f.text]
    assert found, linted(given_, setup=setup)


def test_a_last_line_without_limit_leaves_no_gap() -> None:
    whole = approved(bands=(Band("5.00 USD", (1,)), Band("", (2, 1))))
    assert [f for f in linted(whole) if f.kind == "gap"] == []


def test_ten_thousand_rules_are_looked_at() -> None:
    assert linted(*[definition(groups=(total("at_least", f"{n} USD"),)) for n in range(1, 10_001)])
