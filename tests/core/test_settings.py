"""What a merchant chose for the store decides how an order is held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

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
