"""Conditions: a field, an operator that its type allows, and what it is compared with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Any

from bcapp.core.fields import OPERATOR_WORDS, OPERATORS, UNREAD, Field, FieldType, Reading, Unknown
from bcapp.core.model import Money
from bcapp.core.money import parse_money, written

MOST_DAYS = 366
MOST_VALUE = 250  # characters
MOST_VALUES = 500
SEEN_VALUES = 20  # of a list, in a trace
MOST_SEEN = 250  # characters of a text, in a trace
METAFIELD = "Namespace and key"
_METAFIELD = re.compile(r"[^.\s][^\s]{0,63}\.[^\s]{1,64}")


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
    return problem_of(condition, fields.get(condition.field))


def problem_of(condition: Condition, known: Field | None) -> str | None:
    """Return in one sentence why a condition on this field cannot be, None when it can."""
    if known is None:
        return "This field does not exist any more. Choose another."
    if condition.operator not in OPERATORS[known.type]:
        return f"{known.label} cannot be compared like that."
    if known.argument:
        if not condition.argument.strip():
            return f"{known.label} needs: {known.argument.lower()}."
        if known.argument == "Days" and days_of(condition.argument) is None:
            return f"Days are a whole number from 1 to {MOST_DAYS}."
        if len(condition.argument) > MOST_VALUE:
            return f"{known.argument} has at most {MOST_VALUE} characters."
        if known.argument == METAFIELD and not _METAFIELD.fullmatch(condition.argument.strip()):
            return "A metafield is named by its namespace, a dot and its key."
    if known.type is FieldType.FLAG:
        return None
    values = values_of(condition)
    if not values:
        return f"{known.label} needs a value."
    if len(values) > MOST_VALUES:
        return f"{known.label} takes at most {MOST_VALUES} values."
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
            number = parse_number(values[0])
            if known.between and not known.between[0] <= number <= known.between[1]:
                return f"{known.label} is between {known.between[0]} and {known.between[1]}."
        elif known.type is FieldType.DATE:
            parse_day(values[0])
    except ValueError as exc:
        return f"{known.label}: {exc}."
    if known.type is FieldType.COUNTRY and any(not re.fullmatch("[A-Z]{2}", v) for v in values):
        return "Countries are two capital letters, such as DE."
    if known.numbered and not all(re.fullmatch("[0-9]{1,18}", v.strip()) for v in values):
        return f"{known.label} takes numbers, such as {known.example}."
    if known.choices and not {v.strip().casefold() for v in values} <= {v.casefold() for v, _ in known.choices}:
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
    return compile_condition(condition, fields.get(condition.field), use_rates).trace(facts, reading)


Weigh = Callable[[Any, Reading], str]  # the outcome for a value
Tell = Callable[[Any, Reading], tuple[str, str]]  # what a trace says was seen, and the outcome


_TRACES = "_traces"  # where facts keep what was asked of them; no field of theirs, as a cached property is none


class Check:
    """A condition as it is evaluated: checked and parsed once, whatever the number of records.

    outcome() is what trace().outcome says, without the words.
    """

    __slots__ = ("_argument", "_needs", "_read", "_tell", "_weigh", "condition", "reads")

    def __init__(self, condition: Condition, known: Field | None, use_rates: bool) -> None:
        self.condition, self._argument = condition, condition.argument
        self.reads: tuple[str, ...] = ()  # paths of all that the outcome depends on, as Field.reads; (): not told
        self._needs: frozenset[str] = frozenset()
        self._read: Callable[[Any, str, Reading], Any] = _unreadable
        self._weigh: Weigh = _nothing
        self._tell: Tell = _telling(_nothing, _nothing)
        if known is not None and problem_of(condition, known) is None:
            self._read, self._needs = known.read, known.needs
            self._weigh, self._tell = _COMPARES[known.type](condition, use_rates)
            if known.reads:
                self.reads = (*known.reads.split(), *(("unread",) if known.needs else ()))

    def outcome(self, facts: Any, reading: Reading) -> str:
        if self._needs and not self._needs.isdisjoint(facts.unread):
            return "unknown"
        value = self._read(facts, self._argument, reading)
        return "unknown" if isinstance(value, Unknown) else self._weigh(value, reading)

    def trace(self, facts: Any, reading: Reading) -> ConditionTrace:
        """Return what the condition saw. The rules of a store share conditions: each is asked once of a record."""
        kept = facts.__dict__.get(_TRACES)
        if kept is None or kept[0] is not reading:
            kept = facts.__dict__[_TRACES] = (reading, {})
        trace: ConditionTrace | None = kept[1].get(self)
        if trace is None:
            trace = kept[1][self] = self._ask(facts, reading)
        return trace

    def _ask(self, facts: Any, reading: Reading) -> ConditionTrace:
        if self._needs and not self._needs.isdisjoint(facts.unread):
            seen, outcome = UNREAD[min(self._needs & facts.unread)], "unknown"
        else:
            value = self._read(facts, self._argument, reading)
            if isinstance(value, Unknown):
                seen, outcome = value.why, "unknown"
            else:
                seen, outcome = self._tell(value, reading)
        c = self.condition
        return ConditionTrace(c.field, c.operator, c.values, c.argument, seen, outcome)


def _unreadable(facts: Any, argument: str, reading: Reading) -> Unknown:
    """A condition that cannot be judged any more is unknown for every record."""
    return Unknown("")


def _nothing(value: Any, reading: Reading) -> str:
    return ""


def _telling(weigh: Weigh, show: Callable[[Any, Reading], str]) -> Tell:
    return lambda value, reading: (show(value, reading), weigh(value, reading))


compile_condition = lru_cache(maxsize=16_384)(Check)


def _compare_money(condition: Condition, use_rates: bool) -> tuple[Weigh, Tell]:
    wanted, holds = [parse_money(v) for v in values_of(condition)], _HOLDS[condition.operator]
    first, own = wanted[0], {w.currency: w.amount for w in wanted}
    named = " or ".join(own)

    def judge(value: Money | tuple[Money, ...], reading: Reading) -> tuple[str, list[Money], Decimal, list[str]]:
        """Return the outcome, the amounts seen, what they are in the first threshold's currency, and the rates."""
        amounts = [value] if isinstance(value, Money) else _sums(value) or [Money(Decimal(0), first.currency)]
        if len(amounts) == 1:
            only = amounts[0]
            same = own.get(only.currency)
            if same is not None:
                return _outcome(holds(only.amount, same)), amounts, only.amount, []
            if not use_rates:
                # Not a zero and not unknown: the rule simply says nothing about this currency, and the trace says so.
                return "currency", amounts, only.amount, []
        elif not use_rates:
            return "unknown", amounts, Decimal(0), []
        total, rates = Decimal(0), []
        for amount in amounts:
            converted = reading.rates.convert(amount, first.currency)
            if converted is None:
                return "currency", amounts, Decimal(0), []
            total += converted[0].amount
            if amount.currency != first.currency:
                rates.append(converted[1])
        return _outcome(holds(total, first.amount)), amounts, total, rates

    def weigh(value: Money | tuple[Money, ...], reading: Reading) -> str:
        return judge(value, reading)[0]

    def tell(value: Money | tuple[Money, ...], reading: Reading) -> tuple[str, str]:
        outcome, amounts, total, rates = judge(value, reading)
        seen = " + ".join([f"{written(m.amount)} {m.currency}" for m in amounts])
        if rates:
            seen = f"{seen} = {written(total)} {first.currency} ({'; '.join(rates)})"
        elif outcome == "unknown":
            seen += ": several currencies, and the rule does not convert"
        elif outcome == "currency" and not use_rates:
            seen += f": another currency than {named}"
        elif outcome == "currency":
            missing = [m.currency for m in amounts if reading.rates.convert(m, first.currency) is None]
            seen += f": no rate from {' and '.join(missing)} to {first.currency}"
        return seen, outcome

    return weigh, tell


def _sums(parts: tuple[Money, ...]) -> list[Money]:
    sums: dict[str, Decimal] = {}
    for part in parts:
        sums[part.currency] = sums.get(part.currency, Decimal(0)) + part.amount
    # Nothing of a currency does not make it one more.
    return [Money(a, c) for c, a in sums.items() if a] or [Money(a, c) for c, a in sums.items()][:1]


def _compare_number(condition: Condition, use_rates: bool) -> tuple[Weigh, Tell]:
    wanted, holds = parse_number(values_of(condition)[0]), _HOLDS[condition.operator]

    def weigh(value: Decimal, reading: Reading) -> str:
        return _outcome(holds(value, wanted))

    return weigh, _telling(weigh, lambda value, reading: f"{value:f}")


def _compare_flag(condition: Condition, use_rates: bool) -> tuple[Weigh, Tell]:
    wanted = condition.operator == "is_true"

    def weigh(value: bool, reading: Reading) -> str:
        return _outcome(value == wanted)

    return weigh, _telling(weigh, lambda value, reading: "yes" if value else "no")


def _compare_date(condition: Condition, use_rates: bool) -> tuple[Weigh, Tell]:
    day, after = parse_day(values_of(condition)[0]), condition.operator == "on_or_after"

    def weigh(value: date, reading: Reading) -> str:
        return _outcome((value >= day) == after)

    return weigh, _telling(weigh, lambda value, reading: value.isoformat())


def _compare_set(condition: Condition, use_rates: bool) -> tuple[Weigh, Tell]:
    wanted = frozenset(v.strip().casefold() for v in values_of(condition))
    any_of = condition.operator in ("is_any_of", "has_any_of")

    def weigh(value: frozenset[str], reading: Reading) -> str:
        return _outcome(wanted.isdisjoint([v.casefold() for v in value]) != any_of)

    return weigh, _telling(weigh, lambda value, reading: ", ".join(sorted(value)[:SEEN_VALUES]))


def _compare_text(condition: Condition, use_rates: bool) -> tuple[Weigh, Tell]:
    wanted, operator = values_of(condition)[0].strip().casefold(), condition.operator

    def weigh(value: str, reading: Reading) -> str:
        text = value.casefold()
        return _outcome(wanted in text if operator == "contains" else (text == wanted) == (operator == "is"))

    return weigh, _telling(weigh, lambda value, reading: value[:MOST_SEEN])


_COMPARES: dict[FieldType, Callable[[Condition, bool], tuple[Weigh, Tell]]] = {
    FieldType.MONEY: _compare_money,
    FieldType.NUMBER: _compare_number,
    FieldType.TEXT: _compare_text,
    FieldType.CHOICE: _compare_set,
    FieldType.COUNTRY: _compare_set,
    FieldType.LIST: _compare_set,
    FieldType.DATE: _compare_date,
    FieldType.FLAG: _compare_flag,
}
_HOLDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "at_least": ge,
    "more_than": gt,
    "at_most": le,
    "less_than": lt,
    "is": eq,
}


def _outcome(holds: bool) -> str:
    return "pass" if holds else "fail"


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
    words = {value.casefold(): word for value, word in known.choices} if known else {}
    values = parted.join(words.get(v.strip().casefold(), v) for v in condition.values)
    return f"{label} {OPERATOR_WORDS.get(condition.operator, condition.operator)} {values}"
