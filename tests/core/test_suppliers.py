"""Suppliers: what they cover, what is hidden and shown again, their papers, and lists of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.imports import UnreadableSheet, read_sheet
from bcapp.core.suppliers import (
    ALL,
    COLUMNS,
    EVERYWHERE,
    ITEMS,
    NEW,
    Cover,
    Item,
    ShelfProduct,
    after,
    ends_on,
    has_account_number,
    heading_problem,
    is_complete,
    is_covered,
    is_meant,
    is_on,
    places_to_hide,
    places_to_show,
    read_draft,
    read_lines,
    slices,
    split_names,
    stronger,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TODAY = NOW.date()
IBAN = "DE89 3704 0044 0532 0130 00"


def product(**other: object) -> ShelfProduct:
    values = {
        "id": 77,
        "brand_id": 30,
        "categories": frozenset({18, 20}),
        "is_visible": True,
        "channels": frozenset({1, 2}),
        "created_at": NOW,
    }
    return ShelfProduct(**{**values, **other})  # type: ignore[arg-type]


products = st.builds(
    product,
    brand_id=st.integers(0, 3),
    categories=st.frozensets(st.integers(1, 5)),
    is_visible=st.booleans(),
    channels=st.frozensets(st.integers(1, 4)),
)
some_channels = st.frozensets(st.integers(1, 4))


@pytest.mark.parametrize(
    ("cover", "covered"),
    [
        (Cover("brand", "Northfield", 30), True),
        (Cover("brand", "Other", 31), False),
        (Cover("category", "Tents", 20), True),
        (Cover("category", "Stoves", 21), False),
        (Cover("product", "TENT-X8", 77), True),
        (Cover("product", "TENT-X9", 30), False),
        (Cover("brand", "Not found in the store", 0), False),
    ],
)
def test_what_a_supplier_covers(cover: Cover, covered: bool) -> None:
    assert is_covered(product(), [cover]) is covered
    assert not is_covered(product(brand_id=0), [Cover("brand", "Nobody", 0)])


def test_only_what_came_after_the_invitation_is_new() -> None:
    covers = [Cover("brand", "Northfield", 30)]
    assert is_meant(product(), covers, NEW, NOW - timedelta(days=1))
    assert not is_meant(product(), covers, NEW, NOW + timedelta(days=1))
    assert not is_meant(product(), covers, NEW, None)
    assert is_meant(product(), covers, ALL, None)
    assert not is_meant(product(), covers, "", None)
    assert (stronger("", NEW), stronger(NEW, ALL), stronger("", "")) == (NEW, ALL, "")


@given(products, some_channels)
def test_what_is_hidden_is_seen_nowhere_that_matters_and_comes_back_as_it_was(
    found: ShelfProduct, channels: frozenset[int]
) -> None:
    places = places_to_hide(found, channels)
    hidden = after(found, places, on=False)
    seen = hidden.channels if hidden.is_visible else frozenset()
    assert not (seen & channels if channels else seen and hidden.is_visible)
    assert not places_to_hide(hidden, channels)  # a second time there is nothing left to do
    assert after(hidden, places_to_show(hidden, places), on=True) == found


@given(products, some_channels, some_channels, st.booleans())
def test_what_somebody_else_changed_meanwhile_stays_theirs(
    found: ShelfProduct, channels: frozenset[int], put_back: frozenset[int], shown: bool
) -> None:
    places = places_to_hide(found, channels)
    hidden = after(found, places, on=False)
    theirs = after(hidden, put_back | ({EVERYWHERE} if shown else frozenset()), on=True)
    again = places_to_show(theirs, places)
    assert all(not is_on(theirs, place) for place in again)
    assert again <= places
    end = after(theirs, again, on=True)
    assert end.channels >= theirs.channels
    assert end.is_visible >= theirs.is_visible


@given(st.lists(st.integers(), max_size=60))
def test_slices_leave_nothing_out(ids: list[int]) -> None:
    parts = list(slices(ids))
    assert [i for part in parts for i in part] == ids
    assert all(1 <= len(part) <= 10 for part in parts)


# Papers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "state"),
    [
        (Item("insurance"), "missing"),
        (Item("insurance", needed=False), "not_needed"),
        (Item("insurance", given_on=TODAY), "good"),
        (Item("insurance", True, TODAY, TODAY + timedelta(days=31)), "good"),
        (Item("insurance", True, TODAY, TODAY + timedelta(days=30)), "ending"),
        (Item("insurance", True, TODAY, TODAY), "ending"),
        (Item("insurance", True, TODAY, TODAY - timedelta(days=1)), "ended"),
    ],
)
def test_how_a_paper_stands(item: Item, state: str) -> None:
    assert item.state(TODAY) == state
    assert is_complete([item], TODAY) is (state not in ("missing", "ended"))


@given(st.dates(date(2000, 1, 1), date(2099, 1, 1)), st.integers(1, 600))
def test_an_agreement_ends_the_day_before_its_anniversary(signed: date, months: int) -> None:
    end = ends_on(signed, months)
    assert end is not None
    begin_again = end + timedelta(days=1)
    assert (begin_again.year - signed.year) * 12 + begin_again.month - signed.month == months
    assert begin_again.day <= signed.day
    assert ends_on(signed, 0) is None


# What is typed ---------------------------------------------------------------------------------------------


def test_a_supplier_as_typed() -> None:
    draft, wrong = read_draft(
        {
            "name": "  Northfield  Gear GmbH ",
            "country": "de",
            "signatory_name": "Ann Lee",
            "signatory_email": "Ann@Northfield.example",
            "brands": "Northfield | northfield\nPeak",
            "products": "DE12ABCDEFGHIJKLMNOP",
            "insurance_until": "2027-12-31",
        }
    )
    assert not wrong
    assert draft is not None
    assert (draft.name, draft.country, draft.language) == ("Northfield Gear GmbH", "DE", "en")
    assert draft.signatory is not None
    assert draft.signatory.email == "ann@northfield.example"
    assert [c.name for c in draft.covers] == ["Northfield", "Peak", "DE12ABCDEFGHIJKLMNOP"]
    assert draft.papers == (("insurance", date(2027, 12, 31)),)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("name", f"Northfield {IBAN}"),
        ("registration", IBAN),
        ("registration", IBAN.replace(" ", "") + " at the bank"),
        ("registration", "x" * 61),
        ("country", "Germany"),
        ("language", "English"),
        ("signatory_email", "ann"),
        ("operations_email", "a@b,c@d"),
        ("insurance_until", "31.12.2027"),
        ("tax_form_until", "2027-02-30"),
        ("brands", "|".join(f"b{n}" for n in range(201))),
    ],
)
def test_what_cannot_be_is_named_by_its_cell(cell: str, value: str) -> None:
    draft, wrong = read_draft({"name": "Northfield", cell: value})
    assert draft is None
    assert list(wrong) == [cell]


def test_account_numbers_are_known() -> None:
    assert has_account_number("Pay to gb82 west 1234 5698 7654 32, please")
    assert not has_account_number("DE89 3704 0044 0532 0130 01")
    assert not has_account_number("Order TENT-X8, 2026-11-23, HRB 123456")


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    has_account_number(text)
    assert all(part and part == part.strip() for part in split_names(text))


# Lists -----------------------------------------------------------------------------------------------------


def lines(text: str) -> list[tuple[int, str]]:
    return [(each.number, each.problem) for each in read_lines(read_sheet(text.encode(), heading_problem))]


def test_a_list_is_read_line_by_line() -> None:
    found = lines(
        "name,registration,signatory_email,brands\n"
        "Northfield,HRB 12,ann@northfield.example,Northfield|Peak\n"
        "Peak,,ann,Peak\n"
        "\n"
        "north  FIELD,hrb-12,,\n"
        "Alpine,,,\n"
        "ALPINE ,,,\n"
        "=Alpine,,,\n"
        ",HRB 13,,\n"
    )
    assert found == [
        (2, ""),
        (3, "signatory_email: This does not look like an e-mail address."),
        (5, "The same supplier as line 2."),
        (6, ""),
        (7, "The same supplier as line 6."),
        (8, "The cell name begins with “=”, as a formula does. Write it without."),
        (9, "name: The name of the supplier is missing."),
    ]


@pytest.mark.parametrize(
    ("heading", "says"), [("name,iban", "bank data"), ("name,fax", "not known"), ("country", "missing")]
)
def test_a_list_with_another_heading_is_refused(heading: str, says: str) -> None:
    with pytest.raises(UnreadableSheet, match=says):
        read_sheet(f"{heading}\nNorthfield,x\n".encode(), heading_problem)


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=40)), max_size=6))
def test_every_line_is_a_supplier_or_says_why_not(rows: list[dict[str, str]]) -> None:
    found = read_lines(enumerate(rows, 2))
    assert [each.number for each in found] == list(range(2, len(rows) + 2))
    assert all((each.draft is None) == bool(each.problem) for each in found)
    assert set(ITEMS) >= {item for each in found if each.draft for item, _ in each.draft.papers}
