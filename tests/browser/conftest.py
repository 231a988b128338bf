"""chromium    the browser of a module (tests/fixtures/browser.py).
module_dsn  the DSN of a migrated database for a whole module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.fixtures.browser import chromium
from tests.fixtures.database import in_thread, on_database, run_one

NUMBERS = count(1)


@pytest.fixture(scope="module")
def module_dsn(postgres: str, postgres_template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_browser{next(NUMBERS)}"
    in_thread(run_one(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"'))
    yield on_database(postgres, name)
    in_thread(run_one(postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


__all__ = ["chromium"]
