"""chromium    the browser of a module (tests/fixtures/browser.py).
module_dsn  the DSN of a migrated database for a whole module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.fixtures.browser import chromium
from tests.fixtures.database import create_one, drop_one, in_thread

NUMBERS = count(1)


@pytest.fixture(scope="module")
def module_dsn(postgres: str, postgres_template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_browser{next(NUMBERS)}"
    yield in_thread(create_one(postgres, name, postgres_template))
    in_thread(drop_one(postgres, name))


__all__ = ["chromium"]
