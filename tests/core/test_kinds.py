"""Every kind of record: a second evaluator agrees with the first, alone and in groups, and a trace decides again."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.conditions import Condition, evaluate
from bcapp.core.decisions import missing, replay
from bcapp.core.fields import OPERATORS, UNREAD, Reading
from bcapp.core.kinds import KINDS
from bcapp.core.rules import decide_rule, glance
from tests.core.facts import NOW, definition, order, rule
from tests.core.second import COSTS, CUSTOMER_FACTS, ORDER_FACTS, PRODUCT_FACTS, conditions, naive

ZONES = st.sampled_from(["UTC", "America/Denver", "Asia/Kathmandu", "Pacific/Auckland", "Pacific/Pago_Pago"])
READINGS = ZONES.map(lambda zone: Reading(NOW, ZoneInfo(zone), storefront_channels=frozenset({1, 2})))
EACH = pytest.mark.parametrize(
    ("name", "facts"), [("order", ORDER_FACTS), ("customer", CUSTOMER_FACTS), ("product", PRODUCT_FACTS)]
)


@EACH
@given(data=st.data())
def test_both_evaluators_agree(name: str, facts: Any, data: st.DataObject) -> None:
    condition, seen, reading = data.draw(conditions(KINDS[name])), data.draw(facts), data.draw(READINGS)
    assert evaluate(condition, seen, reading, KINDS[name].fields).outcome == naive(condition, seen, reading)


def together(match: str, outcomes: list[list[str]]) -> str:
    """Three-valued logic written out: 1 holds, 0 does not, one half is not known; and is the least, or the most."""
    value = {"pass": 1.0, "unknown": 0.5, "fail": 0.0, "currency": 0.0}
    inner, outer = (max, min) if match == "all" else (min, max)
    groups = [inner(value[o] for o in group) for group in outcomes if group]
    return {1.0: "pass", 0.5: "unknown", 0.0: "fail"}[outer(groups) if groups else 1.0]


@EACH
@given(data=st.data())
def test_groups_agree_and_a_trace_decides_again(name: str, facts: Any, data: st.DataObject) -> None:
    kind, seen, reading = KINDS[name], data.draw(facts), data.draw(READINGS)
    each = st.lists(conditions(kind), max_size=3).map(tuple)
    groups = tuple(data.draw(st.lists(each, max_size=3)))
    match, unjudged = data.draw(st.sampled_from(["all", "any"])), data.draw(st.sampled_from(["ask", "pass"]))
    mode, paused = data.draw(st.sampled_from(["live", "monitor"])), data.draw(st.sampled_from(["", "it ran away."]))
    chosen = rule(definition=definition(match=match, groups=groups, unjudged=unjudged), mode=mode, paused_why=paused)
    trace = decide_rule(kind, chosen, seen, reading)
    assert replay(trace) == trace.decision
    glanced, lacking = glance(kind, chosen, seen, reading), missing(trace)
    assert (glanced.decision, glanced.distance) == (trace.decision, min(len(lacking), 2))
    alone = [glanced.lacking.trace(seen, reading)] if glanced.lacking else []
    assert alone == (list(lacking) if len(lacking) == 1 else [])
    if kind.out_of_scope(seen, reading.storefront_channels) is not None:
        assert trace.decision == "not_storefront"
        return
    judged = together(match, [[naive(c, seen, reading) for c in group] for group in groups])
    expected = {"pass": "asks", "fail": "no_match", "unknown": "asks" if unjudged == "ask" else "unjudged"}[judged]
    standing = "would_ask" if mode == "monitor" else "before_boundary"
    if mode == "live" and kind.created_at(seen) >= chosen.live_since:  # type: ignore[operator]
        standing = "paused" if paused else "asks"
    assert trace.decision == (standing if expected == "asks" else expected)


@pytest.mark.parametrize("name", KINDS)
def test_every_field_says_what_it_costs_and_shows_itself(name: str) -> None:
    kind = KINDS[name]
    for known in kind.fields.values():
        assert known.label
        assert known.help.endswith(".")
        assert known.needs <= UNREAD.keys()
        assert known.needs == frozenset({COSTS[name][known.name]} if known.name in COSTS[name] else ())
        assert known.example or known.type == "flag"
        assert OPERATORS[known.type]


def test_what_was_not_read_is_no_zero() -> None:
    few = Condition("orders_so_far", "less_than", ("1",))
    trace = evaluate(few, order(unread=frozenset({"history"})), Reading(NOW), KINDS["order"].fields)
    assert (trace.outcome, trace.seen) == ("unknown", "the customer's other orders were not read")
