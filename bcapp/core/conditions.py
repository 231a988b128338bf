"""Conditions: a field, an operator that its type allows, and what it is compared with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bcapp.core.fields import OPERATOR_WORDS, OPERATORS, Field, FieldType, Reading, Unknown
from bcapp.core.model import Money
from bcapp.core.money import parse_money, written

MOST_DAYS = 366
MOST_VALUE = 250  # characters
SEEN_VALUES = 20  # of a list, in a trace


@dataclass(frozen=True)
class Condition:
    """values: "100.00 USD" for money (one per currency), digits for numbers, text; lists and choices hold several."""

    field: str
    operator: str
    values: tuple[str, ...] = ()
    argument: str = ""


@dataclass(frozen=True)
class ConditionTrace:
    field: str
    operator: str
    values: tuple[str, ...]
    argument: str
    seen: str
    outcome: str  # pass | fail | unknown | currency


def condition_problem(condition: Condition, fields: Mapping[str, Field]) -> str | None:
    """Return in one sentence why a condition cannot be, None when it can."""
    known = fields.get(condition.field)
    if known is None:
        return "This field does not exist any more. Choose another."
    if condition.operator not in OPERATORS[known.type]:
        return f"{known.label} cannot be compared like that."
    if known.argument:
        if not condition.argument.strip():
            return f"{known.label} needs: {known.argument.lower()}."
        if known.argument == "Days" and days_of(condition.argument) is None:
            return f"Days are a whole number from 1 to {MOST_DAYS}."
    if known.type is FieldType.FLAG:
        return None
    values = values_of(condition)
    if not values:
        return f"{known.label} needs a value."
    if any(len(v) > MOST_VALUE for v in values):
        return f"A value has at most {MOST_VALUE} characters."
    if known.type in (FieldType.NUMBER, FieldType.TEXT, FieldType.DATE) and len(values) > 1:
        return f"{known.label} takes one value."
    try:
        if known.type is FieldType.MONEY:
            currencies = [parse_money(v).currency for v in values]
            if len(set(currencies)) < len(currencies):
                return f"{known.label} takes one amount per currency."
        elif known.type is FieldType.NUMBER:
            parse_number(values[0])
        elif known.type is FieldType.DATE:
            parse_day(values[0])
    except ValueError as exc:
        return f"{known.label}: {exc}."
    if known.type is FieldType.COUNTRY and any(not re.fullmatch("[A-Z]{2}", v) for v in values):
        return "Countries are two capital letters, such as DE."
    if known.choices and not {v.casefold() for v in values} <= {value.casefold() for value, _ in known.choices}:
        return f"{known.label} is one of: {', '.join(value for value, _ in known.choices)}."
    return None


def days_of(text: str) -> int | None:
    """Read a number of days, None when it is not one from 1 to MOST_DAYS."""
    return int(text) if re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= MOST_DAYS else None


def values_of(condition: Condition) -> list[str]:
    """Return what was filled in: a form sends its blank rows too."""
    return [v for v in condition.values if v.strip()]


def parse_number(text: str) -> Decimal:
    """Read digits with at most four decimals; ValueError when it is anything else."""
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,4})?", text.strip()):
        raise ValueError(f"{text[:40]!r} is not a number")
    return Decimal(text.strip())


def parse_day(text: str) -> date:
    """Read 2026-11-23; ValueError when it is anything else."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
        raise ValueError(f"{text[:40]!r} is not a day such as 2026-11-23")
    return date.fromisoformat(text.strip())


def evaluate(
    condition: Condition, facts: object, reading: Reading, fields: Mapping[str, Field], *, use_rates: bool = False
) -> ConditionTrace:
    """Return what the condition saw and whether it holds. Unknown is an outcome of its own and never a pass.

    Money is compared with the amount in its own currency; when there is none, use_rates converts it by the store's
    dated rates, and the trace says which rate decided. Else the outcome is "currency".
    """
    known = fields.get(condition.field)
    if known is None or condition_problem(condition, fields):
        return _traced(condition, "", "unknown")
    value, values = known.read(facts, condition.argument, reading), values_of(condition)
    if isinstance(value, Unknown):
        return _traced(condition, value.why, "unknown")
    if isinstance(value, Money):
        return _evaluate_money(condition, value, [parse_money(v) for v in values], reading, use_rates)
    if isinstance(value, Decimal):
        return _traced(condition, f"{value:f}", _outcome(_compare(value, condition.operator, parse_number(values[0]))))
    if isinstance(value, bool):
        return _traced(condition, "yes" if value else "no", _outcome(value == (condition.operator == "is_true")))
    if isinstance(value, date):
        holds_since = value >= parse_day(values[0])
        return _traced(condition, value.isoformat(), _outcome(holds_since == (condition.operator == "on_or_after")))
    if isinstance(value, frozenset):
        return _evaluate_set(condition, value)
    wanted_text, text = values[0].casefold(), str(value).casefold()
    holds = {"is": text == wanted_text, "is_not": text != wanted_text, "contains": wanted_text in text}
    return _traced(condition, str(value), _outcome(holds[condition.operator]))


def _evaluate_money(
    condition: Condition, value: Money, wanted: list[Money], reading: Reading, use_rates: bool
) -> ConditionTrace:
    seen = f"{written(value.amount)} {value.currency}"
    same = next((w for w in wanted if w.currency == value.currency), None)
    if same is not None:
        return _traced(condition, seen, _outcome(_compare(value.amount, condition.operator, same.amount)))
    if use_rates and (converted := reading.rates.convert(value, wanted[0].currency)) is not None:
        money, told = converted
        outcome = _outcome(_compare(money.amount, condition.operator, wanted[0].amount))
        return _traced(condition, f"{seen} = {written(money.amount)} {money.currency} ({told})", outcome)
    # Not a zero and not unknown: the rule simply says nothing about this currency, and the trace says so.
    named = " or ".join(w.currency for w in wanted)
    return _traced(condition, f"{seen}: another currency than {named}", "currency")


def _evaluate_set(condition: Condition, value: frozenset[str]) -> ConditionTrace:
    wanted = {v.strip().casefold() for v in values_of(condition)}
    hit = any(v.casefold() in wanted for v in value)
    seen = ", ".join(sorted(value)[:SEEN_VALUES])
    return _traced(condition, seen, _outcome(hit == (condition.operator in ("is_any_of", "has_any_of"))))


def _compare(value: Decimal, operator: str, wanted: Decimal) -> bool:
    return {
        "at_least": value >= wanted,
        "more_than": value > wanted,
        "at_most": value <= wanted,
        "less_than": value < wanted,
        "is": value == wanted,
    }[operator]


def _outcome(holds: bool) -> str:
    return "pass" if holds else "fail"


def _traced(condition: Condition, seen: str, outcome: str) -> ConditionTrace:
    return ConditionTrace(condition.field, condition.operator, condition.values, condition.argument, seen, outcome)


def label_of(name: str, fields: Mapping[str, Field]) -> str:
    known = fields.get(name)
    return known.label.lower() if known else name


def say(condition: Condition, fields: Mapping[str, Field]) -> str:
    """Return a condition as part of a sentence."""
    known = fields.get(condition.field)
    label = label_of(condition.field, fields)
    if known and known.argument:
        label = (
            f"{label} ({condition.argument} {known.argument.lower()})"
            if known.argument == "Days"
            else f"{label} “{condition.argument}”"
        )
    if known and known.type is FieldType.FLAG:
        return label if condition.operator == "is_true" else f"not {label}"
    parted = " or " if known and known.type is FieldType.MONEY else ", "
    return f"{label} {OPERATOR_WORDS.get(condition.operator, condition.operator)} {parted.join(condition.values)}"
