"""Papers: every state goes where the table says, one is asked for only while it is needed, pictures are recognised."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.papers import FILED, TRANSITIONS, PaperEvent, PaperState, asked_of, media_of, moved
from bcapp.core.suppliers import AGREEMENT, INSURANCE, TAX_FORM, Item

DAY = date(2026, 6, 1)
DATES = st.none() | st.dates(DAY - timedelta(days=90), DAY + timedelta(days=90))


@given(st.lists(st.sampled_from(PaperEvent), max_size=6))
def test_a_paper_counts_only_after_a_person_accepted_it_and_never_again_once_it_ended(events: list[PaperEvent]) -> None:
    state, seen = PaperState.WAITING, [PaperState.WAITING]
    for event in events:
        following = moved(state, event)
        if following is None:
            continue
        assert following not in seen
        state = following
        seen.append(state)
    if PaperState.ACCEPTED in seen:
        assert PaperEvent.ACCEPT in events
    if state not in FILED:
        assert PaperState.ACCEPTED not in seen
    assert {s for s, _ in TRANSITIONS} == {PaperState.WAITING, PaperState.ACCEPTED}


@given(
    st.booleans(), DATES, DATES, st.sampled_from(["", *PaperState]),
    st.sampled_from([AGREEMENT, INSURANCE, TAX_FORM]),
)  # fmt: skip
def test_a_party_is_asked_only_for_what_is_needed_and_missing_or_ending(
    needed: bool, given_on: date | None, until: date | None, came: str, name: str
) -> None:
    item = Item(name, needed, given_on, until)
    asked = asked_of([item], {name: (came, "Page 2 is missing.")} if came else {}, DAY)
    wanted = needed and name != AGREEMENT and item.state(DAY) != "good"
    assert len(asked) == int(wanted)
    for one in asked:
        assert one.can_send is (came != PaperState.WAITING)
        assert bool(one.why) is (came == PaperState.REFUSED)


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (b"%PDF-1.7 x", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 40 + b"IEND\xaeB`\x82", "image/png"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 40, ""),
        (b"\xff\xd8\xff\xe0" + b"x" * 40 + b"\xff\xd9", "image/jpeg"),
        (b"\xff\xd8\xff\xe0" + b"x" * 400, ""),
        (b"<svg onload='x'>", ""),
        (b"PK\x03\x04", ""),
        (b"", ""),
    ],
)
def test_only_pdfs_and_whole_pictures_are_taken(content: bytes, media: str) -> None:
    assert media_of(content) == media
