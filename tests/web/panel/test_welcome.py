"""The first run: each step is true or not by what the server knows."""

import html
import re

import pytest

from tests.web.panel.conftest import START, House
from tests.web.panel.test_account import FORM
from tests.web.panel.test_screens import add_account

pytestmark = pytest.mark.database


def step_shown(page: str) -> str:
    found = re.search(r'aria-current="step">.*?</span>([^<]+)</li>', page, re.DOTALL)
    return html.unescape(found[1]).strip() if found else ""


async def test_the_first_step_that_is_not_true_is_shown(house: House) -> None:
    owner = house.as_("owner")
    assert step_shown((await owner.get("welcome")).text) == "Connect your account"
    await add_account(house, "broken")
    assert step_shown((await owner.get("welcome")).text) == "Connect your account"
    await house.run("UPDATE signature_accounts SET state = 'working'")
    assert step_shown((await owner.get("welcome")).text) == "Three questions"
    await house.run(
        "UPDATE stores SET settings = $1", {"shipping_tool": "none", "payment_mode": "capture", "alarm_person": 1}
    )
    assert step_shown((await owner.get("welcome")).text) == "An agreement"
    await house.run(
        "INSERT INTO agreements (store_hash, name, version, created_at) VALUES ($1, 'Terms', 1, $2)",
        house.store,
        START,
    )
    assert step_shown((await owner.get("welcome")).text) == "A rule"
    await house.run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, created_at)"
        " VALUES ($1, 'order_approval', 'Large', 'off', 1, $2)",
        house.store,
        START,
    )
    assert "Everything is set up" in (await owner.get("welcome")).text
    assert "First steps" in (await owner.get()).text  # nothing is live yet
    await house.run("UPDATE rules SET mode = 'live'")
    assert "First steps" not in (await owner.get()).text


async def test_connecting_stays_in_the_first_run(house: House) -> None:
    owner = house.as_("owner")
    answer = await owner.post("welcome/account", FORM)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("/welcome?step=1")
    page = (await owner.get("welcome?step=1")).text
    assert "origin=welcome" in page
    assert 'hx-trigger="every 2s"' in page
    wrong = await owner.post("welcome/account", FORM | {"tenant": ""}, part=True)
    assert wrong.status_code == 422
    assert "Write the tenant" in wrong.text
    assert await house.run("SELECT count(*) FROM signature_accounts") == 1


async def test_the_three_answers_are_saved_together(house: House) -> None:
    owner = house.as_("owner")
    person = await house.run("SELECT min(id) FROM people WHERE store_hash = $1", house.store)
    answers = {"shipping_tool": "shippo", "payment_mode": "authorize", "alarm_person": str(person)}
    form = {"version": "1", "base": '{"shipping_tool": "", "payment_mode": "", "alarm_person": 0}'}
    refused = await owner.post("welcome/questions", form | {"shipping_tool": "shippo"}, part=True)
    assert refused.status_code == 422
    assert 'value="shippo" selected' in refused.text
    assert (await owner.post("welcome/questions", answers | form)).status_code == 303
    assert await house.run("SELECT settings ->> 'payment_mode' FROM stores WHERE store_hash = $1", house.store)
    other = await house.as_("manager").post("welcome/questions", answers | form | {"shipping_tool": "none"})
    assert other.status_code == 409
    assert "Somebody else answered meanwhile" in other.text


async def test_who_may_not_set_up_sees_how_far_it_is(house: House) -> None:
    page = (await house.as_("viewer").get("welcome")).text
    assert "A manager sets Countersign up" in page
    assert "<form" not in page
    for path in ("welcome/account", "welcome/questions"):
        assert (await house.as_("viewer").post(path, FORM)).status_code == 403
        assert (await house.as_("intruder").post(path, FORM)).status_code == 404


async def test_help_is_always_in_sight(house: House) -> None:
    assert f"/s/{house.store}/help" in (await house.as_("owner").get("welcome")).text
    assert house.store in (await house.as_("viewer").get("help")).text
