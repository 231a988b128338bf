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


def may_hold(part: str, file: str, text: str) -> bool:
    """Whether a test file may hold tests of a part, without importing it: by its folder, and what it marks.

    Dozens of processes would otherwise import, and list, what they never run.
    """
    if any(f"mark.{marker}" in text for marker, its in BY_MARKER.items() if its == part):
        return True
    folder = next((its for name, its in BY_FOLDER.items() if name in Path(file).parts), "")
    return folder == part or (not folder and part in ("unit", "database"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    part = config.getoption("--part")
    if part is None or collection_path.suffix != ".py":
        return None
    file = collection_path.relative_to(config.rootpath)
    return None if may_hold(part, str(file), collection_path.read_text(encoding="utf-8")) else True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", choices=PARTS, help="run only the tests of this part")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    part = config.getoption("--part")
    if part is None:
        return
    kept = [item for item in items if part_of(item) == part]
    config.hook.pytest_deselected(items=[item for item in items if part_of(item) != part])
    items[:] = kept
