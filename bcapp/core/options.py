"""What a rule chooses besides its conditions and signers: typed settings that a workflow names, stored as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from bcapp.core.model import Money
from bcapp.core.money import parse_money

YES = "yes"
MOST_TEXT = 500


class OptionType(StrEnum):
    FLAG = "flag"
    NUMBER = "number"  # a whole number
    PERCENT = "percent"  # a decimal from 0 to 100
    MONEY = "money"  # 100.00 USD
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True)
class Option:
    """One setting of a workflow's rules.

    default: as text; "" leaves it unset, "yes" is a ticked flag. choices: (value, label). between: the least and the
    most that a number can be. changes_store: switching it on lets the rule change what already exists, so the editor
    shows how much before it is saved. needs: the costly parts of the facts that it reads when it is set (Field.needs).
    is_read: tells of a text whether all of it can be read; like: how to write it, for who wrote it otherwise. kinds: of
    the records for which it does something, none for all of the workflow's. beside: it does nothing unless one of these
    is chosen as well.
    """

    name: str
    type: OptionType
    label: str
    help: str
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    between: tuple[int, int] | None = None
    changes_store: bool = False
    needs: frozenset[str] = frozenset()
    is_read: Callable[[str], bool] | None = None
    like: str = ""
    kinds: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


class Options:
    """The settings of one rule, each with its default where the rule says nothing."""

    def __init__(self, options: Sequence[Option], chosen: Sequence[tuple[str, str]]) -> None:
        self._values: Mapping[str, str] = {o.name: o.default for o in options} | dict(chosen)

    def flag(self, name: str) -> bool:
        return self._values[name] == YES

    def text(self, name: str) -> str:
        return self._values[name]

    def number(self, name: str) -> int:
        """Return the whole number; 0 when it is unset."""
        return int(self._values[name] or 0)

    def percent(self, name: str) -> Decimal:
        return Decimal(self._values[name] or 0)

    def money(self, name: str) -> Money | None:
        text = self._values[name]
        return parse_money(text) if text else None


def option_problems(options: Sequence[Option], chosen: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield ("options.name", sentence) for every setting that cannot be."""
    known = {o.name: o for o in options}
    values = dict(chosen)
    for name, value in chosen:
        option = known.get(name)
        if option is None:
            yield f"options.{name}", f"This workflow has no setting “{name[:40]}”."
        elif problem := _problem(option, value):
            yield f"options.{name}", problem
        elif value and option.beside and not any(values.get(other) for other in option.beside):
            others = " or ".join(f"“{known[other].label}”" for other in option.beside)
            yield f"options.{name}", f"“{option.label}” does nothing alone: choose {others} too."


def _problem(option: Option, value: str) -> str:
    if value == "":
        return ""
    least, most = option.between or (0, 10**9)
    match option.type:
        case OptionType.FLAG:
            return "" if value == YES else f"“{option.label}” is chosen or not."
        case OptionType.NUMBER:
            good = value.isascii() and value.isdecimal() and len(value) <= 10 and least <= int(value) <= most
            return "" if good else f"“{option.label}” is a whole number from {least} to {most}."
        case OptionType.PERCENT:
            try:
                good = value.isascii() and Decimal(0) <= Decimal(value) <= Decimal(100)
            except InvalidOperation:
                good = False
            return "" if good else f"“{option.label}” is a number from 0 to 100."
        case OptionType.MONEY:
            try:
                parse_money(value)
            except ValueError as exc:
                return f"{exc}."
            return ""
        case OptionType.CHOICE:
            good = value in dict(option.choices)
            return "" if good else f"Choose one of: {', '.join(label for _, label in option.choices)}."
        case OptionType.TEXT:
            if len(value) > MOST_TEXT:
                return f"“{option.label}” has at most {MOST_TEXT} characters."
            if option.is_read is not None and not option.is_read(value):
                return f"“{option.label}” cannot be read. {option.like}"
            return ""
