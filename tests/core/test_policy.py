"""Rules as a file: nothing is lost on the way out and in, what changes is told, and hostile files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bcapp.core.conditions import Condition
from bcapp.core.options import Option, OptionType
from bcapp.core.policy import (
    Names,
    PolicyRule,
    UnknownNames,
    digest,
    from_document,
    plan,
    published,
    to_document,
)
from bcapp.core.rules import Band, RuleDefinition, SignOnce, Step
from bcapp.policy import published_schema
from bcapp.policy_file import MOST_BYTES, PolicyFile, Refused, write_policy

NAMES = Names(
    people={"dana@shop.test": 1, "finance@shop.test": 2, "no@shop.test": 3},
    agreements={"Terms": 4, "yes": 5, "Größe: № 1": 6},
    accounts={"Main account": 9, "0x1f": 8},
    calendars={"Berlin": 7, "null": 11},
)
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x85\u2028\u2029\ufeff"))
WORDS = TEXTS.filter(lambda t: 0 < len(t) <= 120)
PEOPLE = st.lists(st.sampled_from([1, 2, 3]), max_size=3, unique=True).map(tuple)
ODD = st.sampled_from(["true", "null", "~", "12", "-0", "NO", "2027-12-31", "1e3", "0x1f", "[a]", "#no", "a: b", " x "])
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(["total", "sku", "shipping_country", "custom_field"]),
    st.sampled_from(["at_least", "has_any_of", "is_any_of"]),
    st.lists(WORDS | ODD, max_size=3).map(tuple),
    TEXTS.filter(lambda t: len(t) <= 60) | ODD,
)
STEPS = st.builds(
    Step,
    st.integers(0, 365),
    st.sampled_from(["remind", "escalate", "alternate"]),
    st.times().map(lambda t: f"{t:%H:%M}"),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
)
ONCE = st.just(SignOnce()) | st.builds(
    SignOnce, st.sampled_from(["customer", "channel"]), st.integers(1, 120), st.just(""), st.integers(0, 365)
)


@st.composite
def definitions(draw: st.DrawFn) -> RuleDefinition:
    internal, customer = draw(st.booleans()), draw(st.booleans())
    return RuleDefinition(
        match=draw(st.sampled_from(["all", "any"])),
        groups=draw(st.lists(st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)),
        unjudged=draw(st.sampled_from(["ask", "pass"])),
        use_rates=draw(st.booleans()),
        internal=internal,
        approvers=draw(PEOPLE) if internal else (),
        bands=draw(st.lists(st.builds(Band, st.sampled_from(["", "5000.00 EUR"]), PEOPLE), max_size=3).map(tuple))
        if internal
        else (),
        approvers_in_order=draw(st.booleans()) if internal else True,
        approve_only=draw(st.booleans()) if internal else False,
        copies=draw(PEOPLE) if internal else (),
        unknown_requester=draw(PEOPLE) if internal else (),
        customer=customer,
        agreement_id=draw(st.sampled_from([4, 5, 6])) if customer else 0,
        sign_once=draw(ONCE) if customer else SignOnce(),
        sequence=draw(st.sampled_from(["together", "internal_first", "customer_first"])),
        account_id=draw(st.sampled_from([8, 9])),
        expiry_days=draw(st.integers(1, 365)),
        steps=draw(st.lists(STEPS, max_size=3).map(tuple)),
        calendar_id=draw(st.sampled_from([0, 7, 11])),
        buyer_may_forward=draw(st.booleans()) if customer else False,
        most_per_hour=draw(st.integers(1, 100_000)),
        most_per_day=draw(st.integers(1, 1_000_000)),
        channels=draw(st.lists(st.integers(1, 2_000_000), max_size=3, unique=True).map(tuple)),
    )


@st.composite
def stores(draw: st.DrawFn) -> list[PolicyRule]:
    names = draw(st.lists(WORDS | ODD, max_size=4, unique=True))
    return [
        PolicyRule(name, "order_approval", draw(st.sampled_from(["live", "monitor", "off"])), draw(definitions()), i, 1)
        for i, name in enumerate(names, 1)
    ]


@given(stores())
def test_export_then_apply_is_the_identity(rules: list[PolicyRule]) -> None:
    file = PolicyFile(write_policy(to_document(rules, NAMES)))
    read = from_document(file.document, NAMES)
    assert [(r.id, r.name, r.workflow, r.mode, r.definition) for r in read] == [
        (r.id, r.name, r.workflow, r.mode, r.definition) for r in rules
    ]
    made = plan(read, rules, NAMES)
    assert made.is_empty
    assert made.left == ()
    assert write_policy(to_document(rules, NAMES)) == file.text


def test_the_published_schema_is_the_one_of_this_release() -> None:
    kept = (Path(__file__).parents[2] / "docs/policy.schema.json").read_text()
    assert kept == published_schema(), "bcapp policy schema > docs/policy.schema.json"


def test_what_the_schema_says_of_a_workflow_is_what_a_file_may_say() -> None:
    options = (
        Option("hide", OptionType.FLAG, "Hide", ""), Option("days", OptionType.NUMBER, "Days", "", between=(1, 9)),
        Option("late", OptionType.CHOICE, "Late", "", choices=(("cancel", "Cancel"),)),
    )  # fmt: skip
    judge = Draft202012Validator(published({"a": (("supplier",), options), "b": (("order", "case"), ())}))

    def fits(**rule: Any) -> bool:
        entry = {"name": "R", "account": "Main", **rule}
        return bool(judge.is_valid({"policy": 1, "rules": [entry]}))

    assert fits(workflow="a", options={"hide": True, "days": 9, "late": "cancel"}, record="supplier")
    assert fits(workflow="b", record="case")
    assert not fits(workflow="c")
    assert not fits(workflow="a", options={"days": 10})
    assert not fits(workflow="a", options={"late": "never"})
    assert not fits(workflow="b", options={"hide": True})
    assert not fits(workflow="a", record="order")


# Plans --------------------------------------------------------------------------------------------------------

LARGE = PolicyRule(
    "Large orders",
    "order_approval",
    "live",
    RuleDefinition(
        groups=((Condition("total", "at_least", ("500.00 USD",)),),), customer=True, agreement_id=4, account_id=9
    ),
    id=1,
    version=3,
    open_requests=2,
)
OTHER = replace(LARGE, id=2, name="Other", mode="off")


def test_what_changes_is_told_by_its_parts() -> None:
    conditions = ((Condition("total", "at_least", ("800.00 USD",)),),)
    wanted = replace(LARGE, definition=replace(LARGE.definition, groups=conditions, expiry_days=9))
    made = plan([wanted], [LARGE, OTHER], NAMES)
    (change,) = made.changes
    assert change.what == "change"
    assert [line.split(":")[0] for line in change.lines] == ["groups", "expiry days"]
    assert "500.00 USD" in change.lines[0]
    assert "800.00 USD" in change.lines[0]
    assert change.lines[1] == "expiry days: (default) → 9"
    assert made.left == (OTHER,)


def test_a_rule_is_known_by_its_number_or_else_by_its_name() -> None:
    assert plan([replace(LARGE, id=0)], [LARGE], NAMES).changes[0].what == "keep"
    renamed = plan([replace(LARGE, name="Very large orders")], [LARGE], NAMES).changes[0]
    assert (renamed.what, renamed.present) == ("change", LARGE)
    assert plan([replace(LARGE, id=0, name="New")], [LARGE], NAMES).changes[0].what == "add"
    assert plan([replace(LARGE, mode="off")], [LARGE], NAMES).changes[0].what == "mode"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([replace(LARGE, id=7)], "no rule 7"),
        ([replace(LARGE, workflow="warranty")], "keeps its workflow"),
        ([LARGE, replace(LARGE, id=0)], "twice"),
    ],
)
def test_a_plan_that_cannot_be_names_the_place(wanted: list[PolicyRule], says: str) -> None:
    with pytest.raises(UnknownNames, match=says) as refused:
        plan(wanted, [LARGE], NAMES)
    assert refused.value.problems[0][0][0] == "rules"


def test_a_plan_holds_for_one_state_and_one_file() -> None:
    token = digest([LARGE], "a")
    assert token == digest([LARGE], "a")
    assert token not in (digest([LARGE], "b"), digest([replace(LARGE, version=4)], "a"))
    assert token != digest([replace(LARGE, mode="off")], "a")


# Files --------------------------------------------------------------------------------------------------------

RULE = """policy: 1
rules:
  - name: Large orders
    workflow: order_approval
    account: Main account
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not of type 'object'"),
        ("policy: 1", "'rules' is a required property"),
        ("policy: 2\nrules: []", "line 1, column 9: 1 was expected"),
        ("policy: 1\nrules: []\nmore: 1", "'more' was unexpected"),
        ("policy: 1\npolicy: 1\nrules: []", "line 2, column 1: “policy” stands here twice"),
        ("policy: 1\nrules:\n\t- a", "line 3, column 1"),
        ("policy: &a 1\nrules: []", "line 1, column 9: Anchors"),
        ("policy: 1\nrules: *a", "line 2, column 8: "),
        ("policy: 1\nrules: !!python/object/apply:os.system ['true']", "line 2, column 8: Tags"),
        ("policy: 1\nrules: {[a]: b}", "A name is one plain word"),
        ("policy: 1\nrules: " + "[" * 5000, "nested more than"),
        ("policy: 1\nrules: " + "{a: " * 500, "nested more than"),
        ("policy: [1\nrules", "line "),
        ("policy: 1\nrules: []\n---\npolicy: 1", "line 3"),
        ("x" * (MOST_BYTES + 1), "at most 1000 kB"),
        ("policy: 1\nrules: []\x00", "not YAML"),
        (RULE + "    expiry_days: 1000\n", "line 6, column 18: 1000 is greater than the maximum of 365"),
        (RULE + "    expiry_days: " + "9" * 1000, "line 6, column 18"),
        (RULE + "    mode: on\n", "'on' is not one of"),
        (RULE + "    approvers: {people: [NO]}\n    buyer: {}\n", "'agreement' is a required property"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        PolicyFile(text)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 5000


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = PolicyFile(text).document
    except Refused:
        return
    assert document["policy"] == 1


def test_norway_is_a_country() -> None:
    more = "    groups: [[{field: shipping_country, operator: is_any_of, values: [NO, SE]}]]\n"
    read = from_document(PolicyFile(RULE + more).document, NAMES)[0]
    assert read.definition.groups[0][0].values == ("NO", "SE")


def test_names_that_the_store_does_not_have_are_named_with_their_line() -> None:
    file = PolicyFile(RULE.replace("Main account", "Nobody's") + "    approvers: {people: [gone@shop.test]}\n")
    with pytest.raises(UnknownNames) as unknown:
        from_document(file.document, NAMES)
    said = str(file.refuse(unknown.value.problems)).splitlines()
    assert said == [
        "line 6, column 26: The store has no person “gone@shop.test”.",
        "line 5, column 14: The store has no signature account “Nobody's”.",
    ]


def test_two_rules_of_one_name_are_refused() -> None:
    entries: list[dict[str, Any]] = [PolicyFile(RULE).document["rules"][0]] * 2
    with pytest.raises(UnknownNames, match="Two rules have the name 'Large orders'"):
        from_document({"policy": 1, "rules": entries}, NAMES)
