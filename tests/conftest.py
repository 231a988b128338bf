"""Fixtures by subject; each file of tests/fixtures says what it offers."""

import asyncio
import gc
import os
from collections.abc import Callable

import structlog
import uvloop
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.world", "tests.fixtures.processes"]

# The traceback of a failure in plain lines: set in colours with all local names, one of a page takes seconds.
PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], PLAIN])

# A busy machine is no failure, and a red run is red again: HYPOTHESIS_PROFILE=search looks for what is not known yet.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test on the event loop that web and worker run on."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_finish() -> None:
    """Collect garbage rarely, and what was imported never: it is much, it stays, and looking through it takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
