"""Migrations run while the previous release still serves: its order journey must pass on this release's tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.database import MakeDatabase

ROOT = Path(__file__).resolve().parents[2]
JOURNEY = "tests/journeys/test_order.py"


def git(*words: str, cwd: Path = ROOT) -> str:
    return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.database
def test_the_last_release_works_on_the_tables_of_this_one(
    postgres: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    last = git("describe", "--tags", "--abbrev=0", "--match", "v*")
    if not last:
        # Nothing was released yet, and the change log must say so.
        assert "not released yet" in (ROOT / "CHANGELOG.md").read_text()
        return
    made = make_database(template=True)
    name = made.rpartition("/")[2].partition("?")[0]
    checkout = tmp_path / "released"
    git("worktree", "add", "--detach", str(checkout), last)
    try:
        environment = {**os.environ, "TEST_DATABASE_URL": postgres, "TEST_TEMPLATE": name, "PYTHONPATH": str(checkout)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", JOURNEY],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        git("worktree", "remove", "--force", str(checkout))
    assert done.returncode == 0, f"{last} does not run on these tables:\n{done.stdout[-3000:]}"
