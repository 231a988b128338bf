"""The money of refunds: never above the cap, nothing counted twice, nothing lost between cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.cases import TRANSITIONS, CaseEvent, CaseState, advance_case
from bcapp.core.refunds import (
    Before,
    Booking,
    Claim,
    Payment,
    Quote,
    Refund,
    RefundItem,
    Settled,
    Verdict,
    allocate,
    cap_of,
    choose_way,
    find_lost,
    follow_after,
    free_of,
    items_left,
    judge_quote,
    mark,
    settlement,
)
from bcapp.errors import IllegalTransition
from tests.core.facts import NOW

amounts = st.decimals(min_value=0, max_value=100000, places=2)
positive = st.decimals(min_value="0.01", max_value=100000, places=2)
TENTS = RefundItem("PRODUCT", 1, quantity=2)
CARD = Payment("braintree", Decimal("50.00"), False, transaction="gw1")


def refund(total: str = "50.00", number: int = 7, **more: object) -> Refund:
    items = (RefundItem("PRODUCT", 1, 1, Decimal(total)),)
    made = Refund(number, 101, Decimal(total), Decimal(0), NOW, items=items)
    return replace(made, **more)  # type: ignore[arg-type]


@given(positive, st.decimals(min_value=0, max_value=100, places=2))
def test_a_cap_is_never_below_the_quote_nor_above_the_tolerance(quoted: Decimal, tolerance: Decimal) -> None:
    cap = cap_of(quoted, tolerance)
    assert quoted <= cap <= max(quoted, quoted * (100 + tolerance) / 100)
    assert cap_of(quoted, Decimal(0)) == quoted


@given(amounts, amounts, st.lists(amounts, max_size=4))
def test_what_is_free_fits_into_the_order(total: Decimal, refunded: Decimal, reserved: list[Decimal]) -> None:
    free = free_of(total, refunded, reserved)
    assert free >= 0
    assert free == 0 or free + refunded + sum(reserved) == total


items = st.builds(
    RefundItem,
    st.sampled_from(["PRODUCT", "SHIPPING", "ORDER"]),
    st.integers(1, 3),
    st.integers(0, 3),
    st.decimals(min_value=0, max_value=500, places=2),
)


@given(st.lists(items, max_size=4), positive, amounts, st.lists(st.tuples(st.lists(items, max_size=3), amounts)))
def test_a_refund_by_hand_is_given_out_once(
    parts: list[RefundItem], total: Decimal, declined: Decimal, wanted: list[tuple[list[RefundItem], Decimal]]
) -> None:
    payment = Payment("braintree", min(declined, total), False, declined=True)
    made = Refund(1, 101, total, Decimal(0), NOW, items=tuple(parts), payments=(payment,))
    claims = [Claim(n, tuple(w), left) for n, (w, left) in enumerate(wanted, start=1)]
    found = allocate(made, claims)
    assert all(0 < part <= next(c.left for c in claims if c.case_id == n) for n, part in found.items())
    assert sum(found.values(), Decimal(0)) <= made.counted


def test_by_hand_the_same_lines_count_first_and_an_amount_for_the_oldest() -> None:
    older = Claim(1, (RefundItem("PRODUCT", 2, 1),), Decimal("30"))
    newer = Claim(2, (TENTS,), Decimal("100"))
    assert allocate(refund("50.00"), [older, newer]) == {2: Decimal("50.00")}
    whole = refund("50.00", items=(RefundItem("ORDER", 101, 0, Decimal("50.00")),))
    assert allocate(whole, [older, newer]) == {1: Decimal("30"), 2: Decimal("20.00")}
    other = refund("50.00", items=(RefundItem("PRODUCT", 9, 1, Decimal("50.00")),))
    assert allocate(other, [older, newer]) == {}
    unnamed = refund("50.00", items=())  # a tax adjustment names no items
    assert allocate(unnamed, [older]) == {1: Decimal("30")}


def test_what_is_left_follows_pieces_and_what_the_store_still_has() -> None:
    shipping = RefundItem("SHIPPING", 5, amount=Decimal("10.00"))
    by_hand = refund()
    assert items_left((TENTS, shipping), (), (), {1: 2}) == (TENTS, shipping)
    assert items_left((TENTS, shipping), (), (by_hand,), {1: 1}) == (replace(TENTS, quantity=1), shipping)
    assert items_left((TENTS,), (), (), {1: 1}) == (replace(TENTS, quantity=1),)
    assert items_left((TENTS,), (), (), {}) == ()
    ours = refund(items=(replace(TENTS, amount=Decimal(80)), replace(shipping, amount=Decimal("4.00"))))
    assert items_left((TENTS, shipping), (ours,), (), {1: 2}) == (replace(shipping, amount=Decimal("6.00")),)
    declined = replace(ours, payments=(replace(CARD, declined=True),))
    assert items_left((TENTS,), (declined,), (), {1: 2}) == (TENTS,)


WAYS = (
    (Payment("storecredit", Decimal("50.00"), False),),
    (Payment("custom", Decimal("50.00"), True),),
    (replace(CARD, transaction=""),),
)


@given(positive, positive, amounts, st.sampled_from(["original", "store_credit"]))
def test_never_more_is_sent_than_the_signature_left(quoted: Decimal, left: Decimal, hand: Decimal, tender: str) -> None:
    ways = tuple(tuple(replace(p, amount=quoted) for p in way) for way in WAYS)
    judged = judge_quote(
        Quote(quoted, Decimal(0), ways), left=left, by_hand=hand, tender=tender, paid_by=frozenset({"braintree"})
    )
    if judged.verdict is Verdict.SEND:
        assert sum(p.amount for p in judged.payments) == quoted <= left
    else:
        assert quoted > left
    if judged.verdict is Verdict.LESS:
        assert hand > 0
        assert judged.amount == left < quoted


def test_the_way_it_is_refunded_is_the_way_it_was_paid() -> None:
    card, credit, custom = frozenset({"braintree"}), frozenset({"storecredit"}), frozenset({"custom"})
    assert choose_way(WAYS, "original", card) == WAYS[2]
    assert choose_way(WAYS, "store_credit", card) == WAYS[0]
    assert choose_way(WAYS, "original", custom) == WAYS[1]
    assert choose_way(WAYS, "original", credit) == WAYS[0]  # the shopper paid with it
    assert choose_way(WAYS, "original", frozenset({"stripe"})) == WAYS[2]  # online before by hand
    assert choose_way(WAYS[:1], "original", card) is None
    assert choose_way(WAYS[1:], "store_credit", card) is None
    short = Quote(Decimal("60.00"), Decimal(0), WAYS)  # the store's parts do not add up to its own total
    judged = judge_quote(short, left=Decimal(60), by_hand=Decimal(0), tender="original", paid_by=card)
    assert judged.verdict is Verdict.NO_WAY


@pytest.mark.parametrize(
    ("payments", "bookings", "stands"),
    [
        ((CARD,), [("refund", "ok", "gw1")], Settled.SETTLED),
        ((CARD,), [("refund", "error", "gw1")], Settled.DECLINED),
        ((CARD,), [("pending", "ok", "gw1")], Settled.SETTLING),
        ((CARD,), [], Settled.SETTLING),
        ((CARD,), [("refund", "ok", "gw9")], Settled.SETTLING),
        ((replace(CARD, transaction=""),), [("refund", "ok", "gw9")], Settled.SETTLED),
        ((replace(CARD, declined=True),), [("refund", "ok", "gw1")], Settled.DECLINED),
        ((replace(CARD, offline=True),), [], Settled.BY_HAND),
        ((replace(CARD, provider="storecredit"),), [], Settled.SETTLED),
        ((replace(CARD, offline=True), CARD), [], Settled.SETTLING),
    ],
)
def test_accepted_is_not_settled(
    payments: tuple[Payment, ...], bookings: list[tuple[str, str, str]], stands: Settled
) -> None:
    rows = [Booking(event, status, Decimal("50.00"), NOW, frozenset({name, "3"})) for event, status, name in bookings]
    assert settlement(refund(payments=payments), rows) is stands


def test_a_lost_refund_is_told_by_its_mark_else_by_its_amount() -> None:
    before = Before(frozenset({3}), Decimal("10.00"), Decimal("50.00"))
    old = refund(number=3, reasons=(mark(12),))
    assert find_lost(12, before, [old], Decimal("10.00")) is None
    ours = refund(number=8, reasons=("CS-12",))
    found = find_lost(12, before, [old, ours], Decimal("60.00"))
    assert found is not None
    assert (found.refund.id, found.unmarked) == (8, False)
    assert find_lost(1, before, [ours], Decimal("60.00")) is None  # another case's, and CS-12 is not CS-1
    bare = refund(number=9)
    found = find_lost(12, before, [old, bare], Decimal("60.00"))
    assert found is not None
    assert found.unmarked
    assert find_lost(12, before, [old, bare], Decimal("10.00")) is None  # the order did not grow by it
    assert find_lost(12, before, [bare, replace(bare, id=10)], Decimal("110.00")) is None  # which of the two?


def test_following_ends_with_a_person() -> None:
    waits = [follow_after(n) for n in range(15)]
    assert waits[0] == timedelta(minutes=1)
    assert waits[-1] is None


def test_a_case_that_ended_moves_no_more() -> None:
    ends = [s for s in CaseState if s.is_end]
    for (state, _), target in TRANSITIONS.items():
        assert not state.is_end or target is state
    with pytest.raises(IllegalTransition):
        advance_case(ends[0], CaseEvent.APPROVED)
