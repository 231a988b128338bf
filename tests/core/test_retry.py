"""When to try again, as a table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.retry import CAP_SECONDS, MOST_TRIES, counts, next_try
from bcapp.errors import BigCommerceError, CircuitOpen, PassingFault, RemoteError, SignatureError, TokenRefused
from tests.core.facts import NOW


def seconds(attempt: int, error: Exception, chance: float = 1.0) -> float | None:
    at = next_try(attempt, error, NOW, chance)
    return None if at is None else (at - NOW).total_seconds()


@pytest.mark.parametrize(
    ("attempt", "error", "wait"),
    [
        (1, RemoteError("503"), 2.0),
        (2, RemoteError("503"), 4.0),
        (5, RemoteError("503"), 32.0),
        (11, RemoteError("503"), 2048.0),
        (12, RemoteError("503"), None),  # enough: a person is needed
        (1, RemoteError("422", permanent=True), None),
        (1, RemoteError("422", permanent=True, retry_after=5), None),
        (1, RemoteError("503", retry_after=40), 40.0),
        (5, RemoteError("503", retry_after=1), 32.0),
        (1, ValueError("a bug"), 2.0),
        (12, ValueError("a bug"), None),
        (1, TokenRefused("401", uncounted=True), 15.0),
        (99, TokenRefused("401", uncounted=True, retry_after=60), 60.0),
        (99, CircuitOpen("open", retry_after=30), 30.0),
        (99, SignatureError("429", uncounted=True, retry_after=0), 0.2),  # never at once, whatever was said
    ],
)
def test_next_try(attempt: int, error: Exception, wait: float | None) -> None:
    assert seconds(attempt, error) == wait


@given(st.integers(1, MOST_TRIES - 1), st.floats(0, 1))
def test_the_wait_is_spread_over_half_a_window_and_capped(attempt: int, chance: float) -> None:
    wait = seconds(attempt, RemoteError("503"), chance)
    assert wait is not None
    assert min(CAP_SECONDS, 2.0**attempt) / 2 <= wait <= CAP_SECONDS


def test_all_tries_of_a_dead_service_cover_more_than_half_an_hour() -> None:
    waits = [seconds(attempt, RemoteError("503"), 0.0) or 0 for attempt in range(1, MOST_TRIES)]
    assert sum(waits) > timedelta(minutes=30).total_seconds()


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (RemoteError("503"), True),
        (BigCommerceError("422", permanent=True), True),
        (ValueError("a bug"), True),
        (TokenRefused("401", uncounted=True), False),
        (CircuitOpen("open", retry_after=1), False),
    ],
)
def test_counts(error: Exception, counted: bool) -> None:
    assert counts(error) is counted


@pytest.mark.parametrize("uncounted", [True, False])
def test_no_header_stops_the_work_for_days(uncounted: bool) -> None:
    again = next_try(1, RemoteError("429", retry_after=1e12, uncounted=uncounted), NOW, 0.5)
    assert again is not None
    assert again - NOW <= timedelta(hours=1)


@given(attempt=st.integers(1, 1000), chance=st.floats(0, 1))
def test_our_own_database_being_away_only_postpones(attempt: int, chance: float) -> None:
    error = PassingFault("no database connection within 5 s")
    assert not counts(error)
    again = next_try(attempt, error, NOW, chance)
    assert again is not None
    assert timedelta(0) < again - NOW <= timedelta(seconds=10)
