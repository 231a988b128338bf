"""Fixtures by subject; each file of tests/fixtures says what it offers."""

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.world", "tests.fixtures.processes"]
