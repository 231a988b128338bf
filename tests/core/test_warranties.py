"""What is covered, from when to when, what a refund leaves, and what is answered at the counter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.options import Options, option_problems
from bcapp.core.warranties import (
    MOST_SERIALS,
    Cover,
    CoverTable,
    Left,
    Registration,
    Serials,
    State,
    Terms,
    Unclear,
    Wanted,
    answer,
    best,
    covered_items,
    ends_on,
    is_done,
    judge_serials,
    left_by_refunds,
    name_key,
    next_start,
    parse_wanted,
    phone_key,
    pieces_of,
    renew_on,
    serial_fields,
    serial_key,
    starts_on,
    terms_of,
    with_typed,
)
from bcapp.workflows.warranty import OPTIONS
from tests.documents.samples import agreement, item, order

pytestmark = pytest.mark.unit

TODAY = date(2026, 11, 23)
DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


def registration(**changes: Any) -> Registration:
    values: dict[str, Any] = {
        "id": 1, "order_id": "1001", "request_id": 5, "rule_id": 2, "item_id": 1, "piece": 1, "quantity": 1,
        "product_id": 1, "sku": "TENT-1", "name": "Alpine tent", "cover": Cover.WARRANTY, "serial": "",
        "starts": date(2026, 1, 1), "ends": date(2027, 12, 31), "state": State.ACTIVE,
    }  # fmt: skip
    return Registration(**{**values, **changes})


TENT = item(
    1, brand_name="Northfield", categories=frozenset({23, 4}), custom_fields=(("Warranty", "Yes"),), product_id=77
)


@pytest.mark.parametrize(
    ("chosen", "covered"),
    [
        ({}, True),
        ({"categories": "9, 23"}, True),
        ({"categories": "9"}, False),
        ({"brands": "northfield"}, True),
        ({"brands": "Southfield"}, False),
        ({"products": "tent-1"}, True),
        ({"products": "77"}, True),
        ({"products": "78"}, False),
        ({"custom_field": "warranty = yes"}, True),
        ({"custom_field": "warranty"}, True),
        ({"custom_field": "warranty = no"}, False),
        ({"brands": "Southfield", "products": "TENT-1"}, True),
    ],
)
def test_a_rule_covers_by_category_brand_product_or_field(chosen: dict[str, str], covered: bool) -> None:
    terms = terms_of(Options(OPTIONS, tuple(chosen.items())))
    assert bool(covered_items(order(items=(TENT,)), terms)) is covered


def test_vouchers_lines_without_a_product_and_refunded_lines_are_not_covered() -> None:
    items = (item(1, type="giftcertificate"), item(2, product_id=0), item(3, quantity_refunded=2), item(4))
    assert [i.id for i in covered_items(order(items=items), Terms())] == [4]


@pytest.mark.parametrize(
    ("status", "shipped", "done"), [(2, 2, True), (10, 0, True), (3, 1, False), (11, 0, False), (14, 2, True)]
)
def test_an_order_is_done_when_everything_is_with_its_buyer(status: int, shipped: int, done: bool) -> None:
    assert is_done(order(status_id=status, items_shipped=shipped, items_total=2)) is done


def test_every_piece_has_a_box_unless_its_serial_number_is_known() -> None:
    pieces = pieces_of([item(1, quantity=3, quantity_refunded=1), item(2)], Serials.REQUIRED, {"TENT-2": ["X-1"]})
    table = CoverTable(pieces, Serials.REQUIRED, TODAY, None)
    assert [f.external_id for f in serial_fields(table, 0)] == ["serial_1_1", "serial_1_2", "serial_2_2"]
    page = agreement(cover=table)
    assert {f.external_id for f in page.fields} >= {"serial_1_1", "serial_1_2", "serial_2_2", "sig_0"}
    assert [r["serial"] for r in page.data["cover"]["rows"]] == ["", "", "X-1", ""]
    typed = with_typed(pieces, {"serial_1_1": " AB\u200b-1 ", "serial_2_1": "other"})
    assert [p.serial for p in typed] == ["AB-1", "", "X-1", ""]


@given(st.lists(st.integers(1, 400), max_size=8), st.sampled_from(Serials))
def test_pieces_add_up_to_what_was_bought_and_boxes_stay_few(quantities: list[int], serials: Serials) -> None:
    items = [item(n, quantity=q) for n, q in enumerate(quantities, 1)]
    pieces = pieces_of(items, serials)
    assert sum(p.quantity for p in pieces) == sum(quantities)
    assert len({p.external_id for p in pieces}) == len(pieces)
    assert len(serial_fields(CoverTable(pieces, serials, TODAY, None), 0)) <= MOST_SERIALS


@given(DAYS, st.integers(1, 600))
def test_terms_follow_each_other_without_a_gap(starts: date, months: int) -> None:
    ends = ends_on(starts, months)
    assert ends is not None
    assert ends >= starts
    assert ends >= (ends_on(starts, months - 1) or starts)
    assert next_start(ends, starts) == ends + timedelta(days=1)
    assert next_start(ends, ends + timedelta(days=9)) == ends + timedelta(days=9)
    assert renew_on(ends, 30) == ends - timedelta(days=30)
    assert renew_on(ends, 0) is None
    assert renew_on(None, 30) is None


def test_the_first_and_last_day_are_days_of_the_store() -> None:
    zone = ZoneInfo("America/Los_Angeles")
    at = datetime(2026, 10, 3, 5, 0, tzinfo=UTC)
    facts = order(created_at=at, shipped_at=at + timedelta(days=2))
    assert starts_on(Terms(from_order=True), facts, at, zone) == date(2026, 10, 2)
    assert starts_on(Terms(start_days=14), facts, at, zone) == date(2026, 10, 18)
    assert starts_on(Terms(), replace(facts, shipped_at=None), at, zone) == date(2026, 10, 2)
    assert ends_on(date(2026, 2, 1), 12) == date(2027, 1, 31)
    assert ends_on(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert ends_on(date(2026, 2, 1), 0) is None


@pytest.mark.parametrize(
    ("changes", "covered", "says"),
    [
        ({}, True, "Covered: the warranty runs from 1 January 2026 until 31 December 2027."),
        ({"ends": None}, True, "Covered: the warranty runs from 1 January 2026 without an end."),
        ({"ends": TODAY}, True, "until 23 November 2026."),
        ({"starts": TODAY + timedelta(days=1)}, False, "begins on 24 November 2026."),
        ({"ends": date(2026, 2, 1), "cover": Cover.SERVICE}, False, "the maintenance ended on 1 February 2026."),
        ({"state": State.ENDED, "ended_on": TODAY, "state_why": "The item was refunded."}, False,
         "ended on 23 November 2026. The item was refunded."),
        ({"state": State.NOT_ACTIVATED, "state_why": "the buyer declined"}, False,
         "was not activated, because the buyer declined. Statutory rights are unaffected."),
        ({"state": State.RENEWED}, True, "until 31 December 2027."),
        ({"state": State.RENEWED, "ends": date(2026, 2, 1)}, False, "a later term took its place."),
    ],
)  # fmt: skip
def test_a_claim_is_answered_in_one_sentence(changes: dict[str, Any], covered: bool, says: str) -> None:
    found = answer(registration(**changes), TODAY)
    assert found.covered is covered
    assert found.sentence.endswith(says), found.sentence


@given(st.permutations(range(4)))
def test_the_registration_that_covers_is_the_one_that_answers(places: list[int]) -> None:
    rows = [
        registration(id=1, state=State.NOT_ACTIVATED),
        registration(id=2, ends=date(2026, 2, 1)),
        registration(id=3),
        registration(id=4, state=State.ENDED),
    ]
    (found,) = best([rows[n] for n in places], TODAY)
    assert found.id == 3


@pytest.mark.parametrize(
    ("refunded", "serials", "left"),
    [
        (0, "", []),
        (1, "", [Left(3, 0, "1 of 3 pieces refunded.")]),
        (1, "A", [Unclear(1, 1, 3)]),
        (3, "A", [Left(n, 0, "The item was refunded.") for n in (1, 2, 3)]),
    ],
)
def test_a_refund_ends_what_came_back(refunded: int, serials: str, left: list[Any]) -> None:
    facts = order(items=(item(1, quantity=3, quantity_refunded=refunded), item(2, quantity_refunded=2)))
    rows = [registration(id=n, piece=n, serial=serials) for n in (1, 2, 3)]
    assert list(left_by_refunds(rows, facts, TODAY)) == left


def test_a_refund_ends_the_term_that_still_runs_and_the_one_behind_it() -> None:
    """A term that is over keeps its own end."""
    over = registration(id=1, request_id=5, ends=TODAY - timedelta(days=1))
    running = registration(id=2, request_id=6, ends=TODAY, state=State.RENEWED)
    behind = registration(id=3, request_id=7, starts=TODAY + timedelta(days=1))
    facts = order(items=(item(1, quantity=1, quantity_refunded=1),))
    found = list(left_by_refunds([over, running, behind], facts, TODAY))
    assert found == [Left(2, 0, "The item was refunded."), Left(3, 0, "The item was refunded.")]


def test_a_line_without_pieces_loses_what_was_refunded_once() -> None:
    whole = registration(piece=0, quantity=500)
    facts = order(items=(item(1, quantity=500, quantity_refunded=20),))
    (left,) = left_by_refunds([whole], facts, TODAY)
    assert left == Left(1, 480, "20 of 500 pieces refunded.")
    assert list(left_by_refunds([replace(whole, quantity=480)], facts, TODAY)) == []
    assert next(iter(left_by_refunds([replace(whole, item_id=9)], facts, TODAY))) == Left(
        1, 0, "The item was taken out of the order."
    )


@given(st.text(max_size=30))
def test_keys_are_stable_and_whatever_is_typed_can_be_read(text: str) -> None:
    assert serial_key(serial_key(text)) == serial_key(text)[:100]
    assert name_key(name_key(text)) == name_key(text)
    assert phone_key(phone_key(text)) == phone_key(text)
    parse_wanted(text)


def test_one_search_finds_an_order_a_serial_number_a_phone_an_address_or_a_name() -> None:
    assert parse_wanted("#1001") == Wanted(order="1001", serial="1001")
    assert parse_wanted(" Ann@Lee.example ") == Wanted(email="ann@lee.example")
    assert parse_wanted("+49 30 123-4567").phone == phone_key("030/1234567") != ""
    assert parse_wanted("Lee,  Änn").name == name_key("ann lee")
    assert parse_wanted("ab-12 3").serial == serial_key("AB123")
    assert parse_wanted("") == Wanted()


def test_lines_of_a_file_are_taken_or_told_why_not() -> None:
    rows = [
        (2, {"order": "#0007", "sku": "T-1", "serial": "A 1"}),
        (3, {"order": "7", "sku": "t-1", "serial": "a1"}),
        (4, {"order": "x", "sku": "T-1", "serial": "A2"}),
        (5, {"order": "7", "sku": "T-1", "serial": "=A3"}),
        (6, {"order": "7", "sku": "", "serial": "A4"}),
        (7, {"order": "7", "sku": "T-1", "serial": "--"}),
    ]
    judged = judge_serials(rows)
    assert (judged[0].order, judged[0].serial, judged[0].problem) == ("7", "A 1", "")
    assert judged[1].problem == "The same serial number as line 2."
    assert all(line.problem for line in judged[1:])


@pytest.mark.parametrize(
    ("text", "good"), [("18, 23", True), ("18;\n23,", True), ("Tents", False), ("18, Tents", False)]
)
def test_categories_are_covered_by_number_and_a_name_is_refused(text: str, good: bool) -> None:
    assert (not list(option_problems(OPTIONS, (("categories", text),)))) is good
