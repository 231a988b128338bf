from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.conditions import Condition, ConditionTrace
from bcapp.core.decisions import changes, digest, dump_traces, is_close, missing, nearest, parse_traces, replay, wants
from bcapp.core.fields import Reading
from bcapp.core.kinds.order import ORDER
from bcapp.core.rules import RuleTrace, decide_rule
from tests.core.facts import NOW, definition, order, rule

pytestmark = pytest.mark.unit
READING = Reading(NOW, storefront_channels=frozenset({1}))

CONDITIONS = st.sampled_from(
    [
        Condition("total", "at_least", ("500.00 USD",)),
        Condition("total", "at_least", ("900.00 USD",)),
        Condition("total", "at_least", ("1.00 EUR",)),
        Condition("first_order", "is_true"),
        Condition("guest", "is_false"),
        Condition("gone", "is_true"),
        Condition("shipping_country", "is_any_of", ("GB", "DE")),
    ]
)
RULES = st.builds(
    lambda match, groups, unjudged, mode, paused, age: rule(
        mode=mode,
        paused_why=paused,
        live_since=NOW - timedelta(minutes=age),
        definition=definition(match=match, groups=tuple(map(tuple, groups)), unjudged=unjudged),
    ),
    st.sampled_from(["all", "any"]),
    st.lists(st.lists(CONDITIONS, max_size=3), max_size=3),
    st.sampled_from(["ask", "pass"]),
    st.sampled_from(["live", "monitor"]),
    st.sampled_from(["", "too many"]),
    st.integers(-5, 5),
)


@given(RULES, st.sampled_from([0, 7, 11]), st.booleans())
def test_a_stored_trace_gives_its_decision_again(made: object, status: int, guest: bool) -> None:
    facts = order(status_id=status, customer_id=0 if guest else 7, history=None if guest else order().history)
    trace = decide_rule(ORDER, made, facts, READING)  # type: ignore[arg-type]
    (stored,) = parse_traces(dump_traces([trace]))
    assert stored == trace
    assert replay(stored) == trace.decision


def trace(decision: str, *groups: str, match: str = "all", number: int = 1, standing: str = "live") -> RuleTrace:
    """groups: one letter per condition: p(ass), f(ail), u(nknown)."""
    words = {"p": "pass", "f": "fail", "u": "unknown"}
    return RuleTrace(
        number, 1, f"Rule {number}", decision, "Because.",
        tuple(tuple(ConditionTrace("total", "at_least", (f"{n}.00 USD",), "", "1.00 USD", words[c])
                    for n, c in enumerate(g)) for g in groups),
        standing, match,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "match", "count"),
    [
        (("p", "f"), "all", 1),
        (("f", "f"), "all", 2),
        (("ff", "pf"), "all", 1),
        (("ff", "pf"), "any", 1),
        (("fu", "ff"), "any", 2),
        (("p",), "all", 0),
        ((), "any", 0),
    ],
)
def test_what_is_missing_is_the_shortest_way_to_a_match(groups: tuple[str, ...], match: str, count: int) -> None:
    assert len(missing(trace("no_match", *groups, match=match))) == count


def test_the_nearest_rules_are_those_that_asked_then_those_that_failed_least() -> None:
    traces = [
        trace("not_storefront", number=1, standing=""),
        trace("no_match", "f", "f", number=2),
        trace("no_match", "p", "f", number=3),
        trace("before_boundary", "p", number=4, standing="before_boundary"),
        trace("asks", "p", number=5),
    ]
    assert [t.rule_id for t in nearest(traces)] == [5, 4, 3]
    assert [t.rule_id for t in nearest(traces, 5)] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("seen", "wanted", "close"),
    [
        ("900.00 USD", "1000.00 USD", True),
        ("899.99 USD", "1000.00 USD", False),
        ("900.00 EUR", "1000.00 USD", False),
        ("800.00 EUR = 950.00 USD (1 EUR = 1.1875 USD)", "1000.00 USD", True),
        ("yes", "", False),
    ],
)
def test_close_is_within_a_tenth_of_the_threshold(seen: str, wanted: str, close: bool) -> None:
    condition = ConditionTrace("total", "at_least", (wanted,), "", seen, "fail")
    assert is_close(condition) == close


def test_the_history_names_what_changed_and_who_is_gone() -> None:
    first, other = trace("no_match", "f", number=1), trace("asks", "p", number=2)
    now = trace("asks", "p", number=1)
    told = changes([(NOW, [now]), (NOW, [first, other]), (NOW, [first])])
    assert [([t.rule_id for t in fresh], gone) for _, fresh, gone in told] == [([1], ["Rule 2"]), ([2], []), ([1], [])]


def test_equal_traces_have_one_digest_and_monitored_ones_are_named() -> None:
    one, two = trace("would_ask", "p", number=3), trace("would_ask", "p", number=3)
    assert digest(dump_traces([one])) == digest(dump_traces([two])) != digest([])
    assert wants([one, trace("asks", "p", number=4)]) == ["3.1"]
