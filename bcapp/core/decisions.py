"""Decisions kept: the trace of every rule in a compact form that gives its decision again, and the nearest rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from bcapp.core.conditions import ConditionTrace
from bcapp.core.rules import RuleTrace, conclude, judge

# How near a decision is to a signature: what asked first, then what was kept from asking, then what did not match.
RANKS = {"asks": 0, "would_ask": 1, "covered": 1, "exempt": 1, "paused": 2, "before_boundary": 2, "unjudged": 3}
ANSWERED = frozenset({"covered", "exempt"})  # it asks, and the ledger of acceptances has answered
NO_MATCH = 4
OUT_OF_SCOPE = 5
CLOSE = Decimal("0.10")  # of a money threshold
COMPARED = frozenset({"at_least", "more_than", "at_most", "less_than"})


def dump_traces(traces: Sequence[RuleTrace]) -> list[dict[str, Any]]:
    """Return the traces as jsonb: one object per rule, one list per condition."""
    return [
        {
            "rule": t.rule_id,
            "version": t.rule_version,
            "name": t.rule_name,
            "decision": t.decision,
            "sentence": t.sentence,
            "standing": t.standing,
            "match": t.match,
            "unjudged": t.unjudged,
            "groups": [
                [[c.field, c.operator, list(c.values), c.argument, c.seen, c.outcome] for c in group]
                for group in t.groups
            ],
        }
        for t in traces
    ]


def parse_traces(stored: Sequence[Mapping[str, Any]]) -> list[RuleTrace]:
    return [
        RuleTrace(
            s["rule"],
            s["version"],
            s["name"],
            s["decision"],
            s["sentence"],
            tuple(
                tuple(ConditionTrace(c[0], c[1], tuple(c[2]), c[3], c[4], c[5]) for c in group) for group in s["groups"]
            ),
            s["standing"],
            s["match"],
            s["unjudged"],
        )
        for s in stored
    ]


def replay(trace: RuleTrace) -> str:
    """Return the decision that the stored outcomes of the conditions give again.

    A record that was none of the rule's has no conditions to judge: its decision stands as it is.
    """
    if not trace.standing:
        return trace.decision
    judged, _ = judge(trace.match, trace.groups)
    decision = conclude(trace.standing, trace.unjudged, judged)
    return trace.decision if decision == "asks" and trace.decision in ANSWERED else decision


def digest(stored: Any) -> str:
    """Return what equal traces, or equal facts, have in common."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def wants(traces: Sequence[RuleTrace]) -> list[str]:
    """Return "rule.version" of the monitored rules that would have asked."""
    return [f"{t.rule_id}.{t.rule_version}" for t in traces if t.decision == "would_ask"]


# Near and far ---------------------------------------------------------------------------------------------


def missing(trace: RuleTrace) -> tuple[ConditionTrace, ...]:
    """Return the fewest conditions that would have to hold for the rule to match; empty when it does.

    match "all": of each group that does not hold, its first condition. "any": of the group with the fewest failed
    conditions, these.
    """
    groups = [g for g in trace.groups if g]
    if trace.match == "all":
        return tuple(g[0] for g in groups if not any(c.outcome == "pass" for c in g))
    failed = [tuple(c for c in g if c.outcome != "pass") for g in groups]
    return min(failed, key=len, default=())


def nearest(traces: Sequence[RuleTrace], most: int = 3) -> list[RuleTrace]:
    """Return the rules nearest to asking: those that asked, then those that failed at the fewest conditions."""

    def distance(at: int) -> tuple[int, int, int]:
        trace = traces[at]
        rank = RANKS.get(trace.decision, NO_MATCH if trace.standing else OUT_OF_SCOPE)
        return rank, len(missing(trace)) if rank == NO_MATCH else 0, at

    return [traces[at] for at in sorted(range(len(traces)), key=distance)[:most]]


def changes(
    newest_first: Sequence[tuple[datetime, Sequence[RuleTrace]]],
) -> list[tuple[datetime, list[RuleTrace], list[str]]]:
    """Return per decision (when, the rules that said something else than the time before, the names of rules gone)."""
    found = []
    for at, (when, traces) in enumerate(newest_first):
        before = newest_first[at + 1][1] if at + 1 < len(newest_first) else ()
        then = {t.rule_id: t for t in before}
        fresh = [t for t in traces if _told(t) != _told(then.pop(t.rule_id, None))]
        found.append((when, fresh, [t.rule_name for t in then.values()]))
    return found


def _told(trace: RuleTrace | None) -> tuple[object, ...]:
    return () if trace is None else (trace.rule_version, trace.decision, trace.sentence)


def is_close(condition: ConditionTrace) -> bool:
    """Tell whether a failed comparison of money missed its threshold in the same currency by at most 10 %."""
    if condition.outcome != "fail" or condition.operator not in COMPARED:
        return False
    seen, _, converted = condition.seen.partition(" = ")  # what a rate made of it is compared
    amount, currency = [*(converted or seen).split(" "), ""][:2]
    for value in condition.values:
        wanted, _, of = value.partition(" ")
        if of and of == currency:
            try:
                return abs(Decimal(amount) - Decimal(wanted)) <= abs(Decimal(wanted)) * CLOSE
            except InvalidOperation:
                return False
    return False
