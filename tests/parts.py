"""Which part of `make test` a test belongs to: exactly one, so that no test is forgotten and none runs twice.

A pytest plugin: `pytest -p tests.parts --part unit`. A marker decides, else the folder, else what the test uses.
"""

from __future__ import annotations

from pathlib import Path

import pytest

PARTS = ("unit", "database", "journeys", "browser", "fuzz")
BY_MARKER = {"browser": "browser", "fuzz": "fuzz", "spec": "fuzz", "journey": "journeys", "crash": "database"}
BY_FOLDER = {"browser": "browser", "fuzz": "fuzz", "sandbox": "fuzz", "journeys": "journeys", "crash": "database"}


def part_of(item: pytest.Item) -> str:
    """Return the part of a test. The simulated services' own tests hold them against the vendors' files: "fuzz"."""
    for marker, part in BY_MARKER.items():
        if item.get_closest_marker(marker):
            return part
    folders = Path(item.nodeid.partition("::")[0]).parts
    for folder, part in BY_FOLDER.items():
        if folder in folders:
            return part
    # Whatever it is marked as: a test that starts a server or processes belongs to the slow ones.
    needs = set(getattr(item, "fixturenames", ()))
    return "database" if item.get_closest_marker("database") or needs & {"postgres", "nursery"} else "unit"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", choices=PARTS, help="run only the tests of this part")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part = config.getoption("--part")
    if part is None:
        return
    kept = [item for item in items if part_of(item) == part]
    config.hook.pytest_deselected(items=[item for item in items if part_of(item) != part])
    items[:] = kept
