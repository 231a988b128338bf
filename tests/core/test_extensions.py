"""The app's panels inside BigCommerce's lists: whatever is there, the steps lead to the wanted ones and rest there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.extensions import WANTED, Extension, Steps, reconcile

pytestmark = pytest.mark.unit

PLACES = st.sampled_from(
    [(w.model, w.context, w.url) for w in WANTED] + [("ORDERS", "LINK", "/old"), ("PRODUCTS", "PANEL", "/x")]
)


def carried_out(there: list[Extension], steps: Steps) -> list[Extension]:
    gone = {e.id for e in steps.delete}
    labels = {e.id: e.label for e in steps.rename}
    left = [replace(e, label=labels.get(e.id, e.label)) for e in there if e.id not in gone]
    return left + [replace(e, id=f"new{n}") for n, e in enumerate(steps.create)]


@given(st.lists(st.tuples(PLACES, st.sampled_from(["Signatures", "Old name"])), max_size=8))
def test_the_steps_lead_to_the_wanted_ones(rows: list[tuple[tuple[str, str, str], str]]) -> None:
    there = [Extension(*place, label, f"id{n}") for n, (place, label) in enumerate(rows)]
    after = carried_out(there, reconcile(there))
    assert {replace(e, id="") for e in after} == set(WANTED)
    assert len(after) == len(WANTED)
    assert reconcile(after) == Steps()


def test_what_is_right_is_left_alone() -> None:
    assert reconcile([replace(w, id=str(n)) for n, w in enumerate(WANTED)]).count == 0


def test_no_model_has_more_than_two() -> None:
    assert all(sum(w.model == model for w in WANTED) <= 2 for model in {w.model for w in WANTED})
    assert all(len(w.url) <= 255 and len(w.label) <= 25 for w in WANTED)
