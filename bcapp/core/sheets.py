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
class Ask:
    """What the last approver of a sheet is asked to fill in. id: of the field. value: as of a text box (markup.Box)."""

    id: str
    label: str
    value: str = "text"


CREDIT_LIMIT = Ask("credit_limit", "Credit limit granted (empty: none)", "money")

# (workflow, kind of record) -> what its sheets ask for.
ASKS: dict[tuple[str, str], tuple[Ask, ...]] = {("account_approval", "company"): (CREDIT_LIMIT,)}


@dataclass(frozen=True)
class Sheet:
    """party: who the record is about, "" for nobody (a promotion). facts: (label, value) as people read them."""

    facts: tuple[tuple[str, str], ...]
    party: str = ""
    party_lines: tuple[str, ...] = ()
    tables: tuple[SheetTable, ...] = ()
