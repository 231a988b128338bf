"""What a merchant chose for the store decides how an order is held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bcapp.core.connectors import BOOKS, EVERY, named, read_statuses, table
from bcapp.core.settings import SHIPPING_TOOLS, StoreSettings, dump_settings, loosens_holds, parse_settings
from tests.core.facts import SETTINGS


@pytest.mark.parametrize(
    ("tool", "mode", "method"),
    [
        ("", "", "none"),  # first-run questions unanswered: no order is held
        ("own", "", "none"),
        ("", "capture", "none"),
        ("own", "capture", "status"),
        ("own", "authorize", "capture"),
        ("none", "capture", "status"),
    ],
)
def test_hold_method(tool: str, mode: str, method: str) -> None:
    assert StoreSettings(shipping_tool=tool, payment_mode=mode).hold_method == method


@pytest.mark.parametrize(
    ("tool", "status"),
    [("none", 12), ("shipstation", 7), ("shippo", 12), ("shipperhq", 12), ("easyship", 12), ("own", 12), ("later", 12)],
)
def test_hold_status(tool: str, status: int) -> None:
    assert StoreSettings(shipping_tool=tool, payment_mode="capture").hold_status == status


@pytest.mark.parametrize("tool", SHIPPING_TOOLS)
def test_no_shipping_tool_imports_the_status_it_is_kept_away_by(tool: str) -> None:
    assert StoreSettings(shipping_tool=tool).hold_status not in SHIPPING_TOOLS[tool][1]


@pytest.mark.parametrize(
    ("tool", "books", "imports", "status"),
    [
        ("shippo", "netsuite", "", 12),
        ("shippo", "", "12", 7),
        ("shipstation", "", "7", 1),
        ("none", "synchup", "", 12),  # all are imported: nothing is better, and the words say so
        ("shippo", "of_a_newer_release", "nonsense", 12),
    ],
)
def test_the_hold_is_left_alone_by_every_connector(tool: str, books: str, imports: str, status: int) -> None:
    settings = StoreSettings(shipping_tool=tool, payment_mode="capture", books=books, imports=imports)
    assert settings.hold_status == status
    assert settings.imported == EVERY if books == "synchup" else status not in settings.imported


@pytest.mark.parametrize(("text", "statuses"), [("", set()), (" 3, 9;11 ", {3, 9, 11}), ("14", {14})])
def test_statuses_are_listed_by_number(text: str, statuses: set[int]) -> None:
    assert read_statuses(text) == statuses


@pytest.mark.parametrize("text", ["0", "15", "-1", "Awaiting Payment", "9.5", "1" * 61, "\u0663"])
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="statuses"):
        read_statuses(text)


def test_the_published_table_is_the_one_that_decides() -> None:
    published = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()
    assert table() in published
    assert all(named(c.statuses) in table() for c in BOOKS.values() if c.known)


def test_a_status_named_by_hand_wins() -> None:
    assert replace(SETTINGS, escape_status=1).hold_status == 1


@pytest.mark.parametrize("missing", ["shipping_tool", "payment_mode", "alarm_person"])
def test_the_first_run_is_complete_when_all_three_are_answered(missing: str) -> None:
    assert SETTINGS.is_complete
    assert not replace(SETTINGS, **{missing: type(getattr(SETTINGS, missing))()}).is_complete


def test_test_mode_has_a_receiver() -> None:
    assert not SETTINGS.test_mode
    assert replace(SETTINGS, test_mode_user=3).test_mode


def test_settings_stored_by_a_newer_release_are_read() -> None:
    assert parse_settings({**dump_settings(SETTINGS), "something_new": True}) == SETTINGS


def test_settings_stored_by_an_older_release_are_read() -> None:
    assert parse_settings({"shipping_tool": "own"}) == StoreSettings(shipping_tool="own")


@pytest.mark.parametrize(
    ("before", "after", "grave"),
    [
        ({}, {"shipping_tool": "own", "payment_mode": "capture"}, False),  # answered for the first time
        ({"shipping_tool": "own", "payment_mode": "capture"}, {"payment_mode": "authorize"}, True),
        ({"shipping_tool": "own", "payment_mode": "capture"}, {"shipping_tool": "shipstation"}, True),
        ({"shipping_tool": "own", "payment_mode": "capture"}, {"shipping_tool": "shippo"}, False),  # the same status
        ({"shipping_tool": "own", "payment_mode": "capture"}, {"escape_status": 7}, True),
        ({"shipping_tool": "own", "payment_mode": "capture"}, {"staff_note": True, "alarm_person": 4}, False),
        ({}, {"test_mode_user": 1}, True),
        ({"test_mode_user": 1}, {"test_mode_user": 2}, False),
        ({"test_mode_user": 1}, {"test_mode_user": 0}, False),
    ],
)
def test_what_decides_about_held_orders(before: dict[str, Any], after: dict[str, Any], grave: bool) -> None:
    stood = StoreSettings(**before)
    assert loosens_holds(stood, replace(stood, **after)) is grave
