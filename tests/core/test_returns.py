"""What a shopper may ask for: never more than was offered, in words of every language."""

from __future__ import annotations

import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.cases import REASONS, CaseKind, CaseState
from bcapp.core.return_words import SHOPPER_REASONS, WORDS, say
from bcapp.core.returns import TOLD, Offered, chosen, kinds_for, still_left

LINES = st.lists(st.integers(1, 50), min_size=1, max_size=5).map(
    lambda counts: [Offered(n, f"Line {n}", f"S{n}", count, Decimal("9.99")) for n, count in enumerate(counts)]
)


@given(LINES, st.dictionaries(st.integers(-1, 6), st.one_of(st.text(max_size=8), st.integers(-3, 60).map(str))))
def test_nothing_is_chosen_but_what_was_offered(offered: list[Offered], pieces: dict[int, str]) -> None:
    found = chosen(offered, pieces)
    if found is not None:
        assert found
        assert all(line in offered and 0 < count <= line.available for line, count in found)
        assert {line.id: count for line, count in found} == {
            line.id: int(pieces[line.id]) for line in offered if pieces.get(line.id, "").strip() not in ("", "0")
            and int(pieces[line.id])
        }  # fmt: skip


@given(LINES, st.dictionaries(st.integers(0, 6), st.integers(0, 60)))
def test_what_other_cases_ask_for_is_not_offered_again(offered: list[Offered], pieces: dict[int, int]) -> None:
    left = {line.id: line.available for line in still_left(offered, pieces)}
    assert all(count > 0 for count in left.values())
    for line in offered:
        assert left.get(line.id, 0) == max(0, line.available - pieces.get(line.id, 0))


@pytest.mark.parametrize("pieces", [{}, {1: "0"}, {1: "3"}, {1: "-1"}, {1: "1.0"}, {1: "٢"}, {1: "1e1"}, {2: "1"}])
def test_what_is_no_choice_is_refused(pieces: dict[int, str]) -> None:
    assert chosen([Offered(1, "Tent", "T", 2, Decimal(100))], pieces) is None


@given(LINES)
def test_lines_come_back_as_they_were_stored(offered: list[Offered]) -> None:
    assert [Offered.load(line.dump()) for line in offered] == offered


def test_what_is_not_shipped_is_cancelled_and_not_sent_back() -> None:
    assert CaseKind.RETURN not in kinds_for(shipped=False)
    assert CaseKind.CANCELLATION not in kinds_for(shipped=True)


def test_every_state_is_told_and_every_word_is_in_every_language() -> None:
    assert set(TOLD) == set(CaseState)
    assert set(SHOPPER_REASONS) <= set(REASONS)
    for language, words in WORDS.items():
        assert set(words) == set(WORDS["en"]), language
        for key, text in words.items():
            names = [{name for _, name, _, _ in string.Formatter().parse(t) if name} for t in (text, WORDS["en"][key])]
            assert names[0] == names[1], (language, key)
    for told, _, _ in TOLD.values():
        assert say("en", f"{told}_title")
