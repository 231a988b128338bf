"""Fixtures of the simulated BigCommerce."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bcapp.sandbox import find_specs
from tests.sandbox.vendor import World, world


@pytest.fixture
def bc() -> Iterator[World]:
    """A served sandbox without past orders, the app installed in its main store."""
    with world() as made:
        yield made


@pytest.fixture(scope="session")
def specs() -> Path:
    """The folder of the vendors' files."""
    folder = find_specs()
    if folder is None:
        pytest.skip("needs the vendors' files: ../shared/specs is absent and COUNTERSIGN_SPECS names no folder")
    return folder
