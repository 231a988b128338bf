"""What the papers say is what the code has: settings, commands, versions, side roads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bcapp.policy_file import PolicyFile
from bcapp.settings import Settings
from tests.journeys.test_side_roads import ROADS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PLATFORM = {"dyno"}  # set by a platform, not by a person
OTHERS = {"PORT", "FORWARDED_ALLOW_IPS"}  # read where the server is started


def versions(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(), re.M))


def test_the_readme_explains_every_setting() -> None:
    table = README.partition("### Environment")[2].partition("### Commands")[0]
    named = {name for row in re.findall(r"^\|(.+?)\|", table, re.M) for name in re.findall(r"`([A-Z0-9_]+)`", row)}
    assert named == {name.upper() for name in Settings.model_fields if name not in PLATFORM} | OTHERS


def test_the_deploy_button_asks_for_every_required_setting() -> None:
    env = json.loads((ROOT / "app.json").read_text())["env"]
    required = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    assert required <= set(env)
    assert set(env) <= {name.upper() for name in Settings.model_fields} | OTHERS
    assert all(entry["description"] for entry in env.values())


def test_a_platform_installs_the_versions_that_are_tested() -> None:
    locked, installed = versions("requirements.lock"), versions("requirements.txt")
    assert len(installed) > 20
    assert installed.items() <= locked.items()
    for name in ("requirements.lock", "requirements.txt"):
        assert "://" not in (ROOT / name).read_text(), f"{name} names a host"


def test_the_example_of_a_policy_is_one() -> None:
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "policy.md").read_text(), re.S)
    assert example is not None
    (rule,) = PolicyFile(example[1]).document["rules"]
    assert rule["groups"][1][0]["values"] == ["DE", "NO"]


def test_every_side_road_stands_in_the_table_and_is_walked() -> None:
    rows = re.findall(r"\| `(\w+)` \|$", (ROOT / "docs" / "workflows.md").read_text(), re.M)
    assert sorted(rows) == sorted(ROADS)
