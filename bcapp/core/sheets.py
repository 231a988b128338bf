"""What a document shows of a record besides its text: the other party, facts, tables. Orders have their own."""

from __future__ import annotations

from dataclasses import dataclass

MOST_ROWS = 500


@dataclass(frozen=True)
class SheetTable:
    """right: the columns (from 0) that are set to the right, such as amounts."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Sheet:
    """party: who the record is about, "" for nobody (a promotion). facts: (label, value) as people read them."""

    facts: tuple[tuple[str, str], ...]
    party: str = ""
    party_lines: tuple[str, ...] = ()
    tables: tuple[SheetTable, ...] = ()
