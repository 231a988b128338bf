"""What was found for some parts of stored facts, remembered: most records of a store repeat others in most parts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

from bcapp.core.fields import Reading
from bcapp.core.stored import picker

T = TypeVar("T")
MOST = 4096  # outcomes remembered of one condition


class Remembered(Generic[T]):
    """A pure question about views of stored facts, answered once for equal parts. Good for one reading only.

    paths: the parts that the answer depends on (Field.reads); none: nothing is remembered. Where parts hardly ever
    repeat, such as totals, nothing is won, and it stops to remember.
    """

    __slots__ = ("_ask", "_known", "_pick", "outcome")

    def __init__(self, ask: Callable[[Any, Reading], T], paths: Sequence[str]) -> None:
        self._ask, self._pick = ask, picker(paths)
        self._known: dict[Hashable, T] = {}
        self.outcome: Callable[[Any, Reading], T] = self._remembered if paths else ask

    def _remembered(self, facts: Any, reading: Reading) -> T:
        key, known = self._pick(facts._stored), self._known
        try:
            return known[key]
        except KeyError:
            found = self._ask(facts, reading)
        if len(known) < MOST:
            known[key] = found
        else:
            self.outcome = self._ask
            known.clear()
        return found
