"""The small markup of agreement texts, read by our own parser into a neutral tree of blocks.

    # Heading, ## Heading, ### Heading       paragraphs are separated by empty lines
    **bold**  *italic*                       a backslash before a sign keeps it as it is
    - item                                   a list; two spaces or more of indent nest it
    1. clause                                a numbered clause; nested ones count 1.1, 1.1.1; the first number counts
    ---                                      a rule;  +++ begins a new page
    {{order.total}}                          a merge field; {{name!}} must not be empty, {{name?}} may be empty
                                             silently, plain {{name}} leaves a line to be seen when empty
    {{order.items}}                          a table, alone on its line
    {{ask: Purchase order number}}           a text box for the first signer, {{ask 2: ...}} for the second
    {{ask number: Employees}}                one that asks for a number; likewise date and money, {{ask date 2: ...}}
    {{tick: I have read the terms}}          a checkbox, likewise

Nothing in a text is ever run: what is no markup is text. A field that is unknown is an error that names its line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bcapp.errors import RefusedByUs

MAX_BODY = 200_000  # characters
MAX_LINE = 10_000  # characters; the search for closing stars is quadratic in it
MAX_DEPTH = 3  # lists in lists
MAX_BOXES = 60

MERGE = re.compile(r"\{\{\s*([a-z][a-z0-9_.]*)\s*([!?]?)\s*\}\}")
BOX = re.compile(r"\{\{\s*(ask|tick)(?:\s+(text|number|date|money))?(?:\s+(\d{1,2}))?\s*:\s*([^{}]{1,200}?)\s*\}\}")
BRACES = re.compile(r"\{\{[^{}\n]*\}?\}?")
HEADING = re.compile(r"(#{1,3})\s+(\S.*)")
BULLET = re.compile(r"( *)[-*]\s+(\S.*)")
NUMBER = re.compile(r"( *)(\d{1,3})[.)]\s+(\S.*)")
SPECIAL = "\\*{}#-+[]_."


@dataclass(frozen=True)
class Text:
    text: str
    bold: bool = False
    italic: bool = False


@dataclass(frozen=True)
class Merge:
    """The place of a value. when_empty: line | refuse | nothing."""

    name: str
    when_empty: str
    line: int
    bold: bool = False
    italic: bool = False


@dataclass(frozen=True)
class Break:
    """A line break inside a paragraph."""


Run = Text | Merge | Break


@dataclass(frozen=True)
class Heading:
    level: int
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Paragraph:
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Item:
    runs: tuple[Run, ...]
    inner: tuple[Listing, ...] = ()


@dataclass(frozen=True)
class Listing:
    """start: the number of the first clause, 0 for a list without numbers."""

    start: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Table:
    """A merge field that is a table."""

    name: str


@dataclass(frozen=True)
class Box:
    """A field that a signer fills in: t text, c checkbox. signer counts from 0.

    value: what a text box asks for: text | number | date | money.
    """

    type: str
    signer: int
    label: str
    external_id: str
    value: str = "text"


@dataclass(frozen=True)
class Rule:
    """A line across the page."""


@dataclass(frozen=True)
class NewPage:
    """What follows begins on a new page."""


Block = Heading | Paragraph | Listing | Table | Box | Rule | NewPage


@dataclass(frozen=True)
class Problem:
    line: int  # from 1
    text: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.text}"


class MarkupError(RefusedByUs):
    """The text of an agreement has mistakes; every one is named with its line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


def parse_markup(body: str, *, values: frozenset[str], tables: frozenset[str]) -> tuple[Block, ...]:
    """Return the tree of a text.

    values, tables: names of the merge fields that exist, those inside lines and those alone on a line.
    Raises MarkupError with all problems at once.
    """
    if len(body) > MAX_BODY:
        raise MarkupError((Problem(1, f"the text is longer than {MAX_BODY:,} characters"),))
    for number, line in enumerate(body.splitlines(), 1):
        if len(line) > MAX_LINE:
            raise MarkupError((Problem(number, f"the line is longer than {MAX_LINE:,} characters"),))
    parser = _Parser(values, tables)
    blocks = parser.parse(body)
    if parser.problems:
        raise MarkupError(tuple(parser.problems))
    return blocks


class _Parser:
    def __init__(self, values: frozenset[str], tables: frozenset[str]) -> None:
        self.values, self.tables = values, tables
        self.problems: list[Problem] = []
        self.taken: set[str] = set()

    def parse(self, body: str) -> tuple[Block, ...]:
        lines = body.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4).split("\n")
        blocks: list[Block] = []
        at = 0
        while at < len(lines):
            line = lines[at].strip()
            if not line:
                at += 1
            elif alone := self._alone(line, at + 1):
                blocks.append(alone)
                at += 1
            elif _list_line(lines[at]):
                listing, at = self._listing(lines, at)
                blocks.extend(listing)
            else:
                stop = at + 1
                while stop < len(lines) and lines[stop].strip() and not _starts_block(lines[stop]):
                    stop += 1
                blocks.append(Paragraph(self._lines(lines[at:stop], at + 1)))
                at = stop
        return tuple(blocks)

    def _alone(self, line: str, number: int) -> Block | None:
        """Return the block that one line makes by itself."""
        if heading := HEADING.fullmatch(line):
            return Heading(len(heading[1]), self._runs(heading[2], number))
        if re.fullmatch(r"-{3,}", line):
            return Rule()
        if re.fullmatch(r"\+{3,}", line):
            return NewPage()
        if (merge := MERGE.fullmatch(line)) and merge[1] in self.tables:
            return Table(merge[1])
        if box := BOX.fullmatch(line):
            return self._box(box, number)
        return None

    def _box(self, match: re.Match[str], number: int) -> Box:
        kind, value, signer, label = match[1], match[2] or "text", int(match[3] or 1) - 1, match[4]
        if kind == "tick" and match[2]:
            self.problems.append(Problem(number, f"a checkbox asks for no {value}: write {{{{tick: {label}}}}}"))
        if signer < 0:
            self.problems.append(Problem(number, "signers are counted from 1"))
        if len(self.taken) >= MAX_BOXES:
            self.problems.append(Problem(number, f"a text may ask for {MAX_BOXES} fields at most"))
            return Box("t" if kind == "ask" else "c", signer, label, kind)
        slug = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:24].rstrip("_") or kind
        name = next(
            n
            for i in range(len(self.taken) + 2)
            if (n := f"{slug}_{signer}" + (f"_{i}" if i else "")) not in self.taken
        )
        self.taken.add(name)
        return Box("t" if kind == "ask" else "c", signer, label, name, value)

    def _listing(self, lines: list[str], at: int) -> tuple[list[Block], int]:
        """Read a run of list lines; return the lists it makes (kinds may change) and the line after it."""
        entries: list[tuple[int, int, tuple[Run, ...]]] = []  # indent, number or 0, runs
        while at < len(lines):
            found = _list_line(lines[at])
            if found is None:
                if not lines[at].strip() and at + 1 < len(lines) and _list_line(lines[at + 1]):
                    at += 1
                    continue
                break
            indent, number, first = found
            parts, start = [first], at
            at += 1
            while at < len(lines) and lines[at].strip() and not _starts_block(lines[at]):
                parts.append(lines[at])
                at += 1
            entries.append((indent, number, self._lines(parts, start + 1)))
        return list(_nest(entries, 1)), at

    def _lines(self, lines: list[str], number: int) -> tuple[Run, ...]:
        """Join lines with spaces; a line that ends with a backslash breaks there."""
        runs: list[Run] = []
        for offset, line in enumerate(lines):
            text = line.strip()
            breaks = text.endswith("\\") and not text.endswith("\\\\")
            last = offset == len(lines) - 1
            joined = text[:-1].rstrip() if breaks else text + ("" if last else " ")
            runs.extend(self._runs(joined, number + offset))
            if breaks and not last:
                runs.append(Break())
        return tuple(runs)

    def _runs(self, text: str, number: int) -> tuple[Run, ...]:
        runs: list[Run] = []
        plain: list[str] = []
        bold = italic = False

        def flush() -> None:
            if plain:
                runs.append(Text("".join(plain), bold, italic))
                plain.clear()

        at = 0
        while at < len(text):
            if text[at] == "\\" and text[at + 1 : at + 2] and text[at + 1] in SPECIAL:
                plain.append(text[at + 1])
                at += 2
            elif text.startswith("{{", at):
                flush()
                at = self._merge(text, at, number, bold, italic, runs.append)
            elif text.startswith("**", at) and (bold or text.find("**", at + 2) > at + 2):
                flush()
                bold = not bold
                at += 2
            elif text[at] == "*" and (italic or _closes(text, at)):
                flush()
                italic = not italic
                at += 1
            else:
                plain.append(text[at])
                at += 1
        flush()
        return tuple(runs)

    def _merge(self, text: str, at: int, number: int, bold: bool, italic: bool, add: Callable[[Run], None]) -> int:
        """Read one {{...}}; return where the text goes on."""
        match = MERGE.match(text, at)
        if match and match[1] in self.values:
            add(Merge(match[1], {"": "line", "!": "refuse", "?": "nothing"}[match[2]], number, bold, italic))
            return match.end()
        if match and match[1] in self.tables:
            self.problems.append(Problem(number, f"{match[1]} is a table: it needs a line of its own"))
            return match.end()
        if box := BOX.match(text, at):
            self.problems.append(Problem(number, f"“{box[1]}” needs a line of its own"))
            return box.end()
        if match:
            near = difflib.get_close_matches(match[1], sorted(self.values | self.tables), 1, 0.6)
            hint = f" Did you mean {near[0]}?" if near else ""
            self.problems.append(Problem(number, f"there is no merge field called {match[1]}.{hint}"))
            return match.end()
        shown = BRACES.match(text, at)
        end = shown.end() if shown else at + 2
        self.problems.append(
            Problem(number, f"{text[at:end][:60]} is not a merge field. Write \\{{{{ for the signs themselves.")
        )
        return end


def _closes(text: str, at: int) -> bool:
    """Tell whether a single star opens italics: a letter follows, and a lone star closes it later."""
    following = text[at + 1 : at + 2]
    if not following or following.isspace() or following == "*":
        return False
    return re.search(r"(?<![\s*\\])\*(?!\*)", text[at + 1 :]) is not None


def _list_line(line: str) -> tuple[int, int, str] | None:
    """Return indent, number (0 for a bullet) and text of a line that begins a list item."""
    if bullet := BULLET.fullmatch(line.rstrip()):
        return len(bullet[1]), 0, bullet[2]
    if numbered := NUMBER.fullmatch(line.rstrip()):
        return len(numbered[1]), max(1, int(numbered[2])), numbered[3]
    return None


def _starts_block(line: str) -> bool:
    text = line.strip()
    return bool(
        HEADING.fullmatch(text)
        or _list_line(line)
        or re.fullmatch(r"-{3,}|\+{3,}", text)
        or BOX.fullmatch(text)
        or MERGE.fullmatch(text)
    )


def _nest(entries: list[tuple[int, int, tuple[Run, ...]]], depth: int) -> Iterator[Listing]:
    """Make lists of flat entries: deeper indent belongs to the entry before; a change of kind begins a new list."""
    at = 0
    while at < len(entries):
        indent, start, _ = entries[at]
        items: list[Item] = []
        while at < len(entries):
            number, runs = entries[at][1], entries[at][2]
            if items and bool(number) != bool(start):
                break
            stop = at + 1
            while stop < len(entries) and entries[stop][0] > indent and depth < MAX_DEPTH:
                stop += 1
            items.append(Item(runs, tuple(_nest(entries[at + 1 : stop], depth + 1))))
            at = stop
        yield Listing(start, tuple(items))


def boxes_of(blocks: tuple[Block, ...]) -> tuple[Box, ...]:
    """Return the fields that the text asks signers to fill in."""
    return tuple(b for b in blocks if isinstance(b, Box))


def merges_of(blocks: tuple[Block, ...]) -> Iterator[Merge]:
    """Yield the places of values in reading order."""
    for block in blocks:
        match block:
            case Heading(_, runs) | Paragraph(runs):
                yield from (r for r in runs if isinstance(r, Merge))
            case Listing(_, items):
                for item in items:
                    yield from (r for r in item.runs if isinstance(r, Merge))
                    yield from merges_of(item.inner)
