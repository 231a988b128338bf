"""How texts changed, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.differences import AROUND, MOST_LINES, Line, text_difference

pytestmark = pytest.mark.unit

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "d e"]), max_size=30).map("\n".join)


def test_lines_beside_a_change_are_kept_and_the_rest_is_counted() -> None:
    before = "\n".join(f"line {n}" for n in range(20))
    assert text_difference(before, before.replace("line 10", "LINE 10")) == [
        Line("left_out", "8"),
        *(Line("same", f"line {n}") for n in (8, 9)),
        Line("removed", "line 10"),
        Line("added", "LINE 10"),
        *(Line("same", f"line {n}") for n in (11, 12)),
        Line("left_out", "7"),
    ]


def test_nothing_changed_says_nothing() -> None:
    assert text_difference("a\nb", "a\nb") == []


def test_a_very_long_text_is_told_as_a_whole() -> None:
    lines = text_difference("x\n" * (MOST_LINES + 1), "y\n" * (MOST_LINES + 1))
    assert {line.kind for line in lines} == {"removed", "added"}


@given(LINES, LINES)
def test_both_texts_can_be_read_from_the_difference(before: str, after: str) -> None:
    lines = text_difference(before, after)
    if before == after:
        assert lines == []
        return
    for text, without in ((before, "added"), (after, "removed")):
        told = sum(int(line.text) if line.kind == "left_out" else 1 for line in lines if line.kind != without)
        assert told == len(text.splitlines())
        assert [line.text for line in lines if line.kind == "same"] == [
            line.text for line in lines if line.kind == "same" and line.text in text.splitlines()
        ]
    assert AROUND == 2
