"""The difference of two texts, line by line, with some lines around each change."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

AROUND = 2  # unchanged lines kept beside a change
MOST_LINES = 3_000  # beyond, the search for common lines costs seconds


@dataclass(frozen=True)
class Line:
    """kind: same | added | removed | left_out; text of left_out: how many lines."""

    kind: str
    text: str


def text_difference(before: str, after: str) -> list[Line]:
    """Return how a text changed; [] when it did not. Very long texts are told as removed and added as a whole."""
    if before == after:
        return []
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MOST_LINES:
        return [Line("removed", text) for text in old] + [Line("added", text) for text in new]
    found: list[Line] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            found += _shortened(old[i1:i2], first=i1 == 0, last=i2 == len(old))
            continue
        found += [Line("removed", text) for text in old[i1:i2]]
        found += [Line("added", text) for text in new[j1:j2]]
    return found


def _shortened(lines: list[str], *, first: bool, last: bool) -> list[Line]:
    """Keep the lines beside a change; first, last: the run touches the text's begin or end, where no change is."""
    head, tail = (0 if first else AROUND), (0 if last else AROUND)
    if len(lines) <= head + tail + 1:
        return [Line("same", text) for text in lines]
    kept = [Line("same", text) for text in lines[:head]]
    kept.append(Line("left_out", str(len(lines) - head - tail)))
    return kept + [Line("same", text) for text in lines[len(lines) - tail :]] if tail else kept
