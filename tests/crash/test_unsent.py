"""Every kind of action, its worker killed before the service executes the call."""

from __future__ import annotations

import pytest

from bcapp.core.actions import ActionKind
from tests.crash.killed import killed_at
from tests.crash.scenes import SCENES, Scene
from tests.crash.stage import Moment
from tests.fixtures.processes import Nursery

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def scenes(
    nursery: Nursery, postgres: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[ActionKind, Scene]:
    return killed_at(Moment.UNSENT, nursery, postgres, postgres_template, tmp_path_factory.mktemp("crash"))


def test_every_kind_of_action_has_a_scene() -> None:
    assert set(SCENES) == set(ActionKind)


@pytest.mark.parametrize("kind", list(ActionKind))
def test_killed_worker(scenes: dict[ActionKind, Scene], kind: ActionKind) -> None:
    """It was executed once, or at most once, and the journey came to its end."""
    if (problem := scenes[kind].problem) is not None:
        raise problem
