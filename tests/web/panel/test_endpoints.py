"""Outgoing webhooks in the panel: addresses that may be called, a secret shown once, a log, sending again."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.core.news import NEWS
from bcapp.db.news import tell
from bcapp.web.panel.endpoints import wrong_address
from tests.web.panel.conftest import House

pytestmark = pytest.mark.database

URL = "https://erp.example.com/hooks"
SECRET = re.compile(r"<code>whsec_([A-Za-z0-9+/=]+)</code>")


def filled(**more: Any) -> dict[str, Any]:
    return {"url": URL, "description": "ERP", "events": ["request.completed", "hold.released"], **more}


async def add(house: House, **more: Any) -> int:
    answer = await house.as_("manager").post("settings/endpoints/new", filled(**more))
    assert answer.status_code == 200, answer.text
    return int(await house.run("SELECT max(id) FROM webhook_endpoints"))


@pytest.mark.parametrize(
    "url",
    [
        "", "erp", "http://erp.example.com/", "https://erp/", "https://user:pw@erp.example.com/", "ftp://erp.example.com/",
        "https://erp.example.com:8443/", "https://erp.example.com/#x", "https://[::1", "javascript:alert(1)",
        "http://127.0.0.1/", "https://localhost/", "http://169.254.169.254/latest/", "https://" + "a" * 600 + ".com/",
    ],
)  # fmt: skip
async def test_an_address_that_may_not_be_called_is_refused(house: House, url: str) -> None:
    answer = await house.as_("owner").post("settings/endpoints/new", filled(url=url))
    assert answer.status_code == 422
    assert await house.run("SELECT count(*) FROM webhook_endpoints") == 0


def test_this_machine_may_be_called_in_the_sandbox_alone(house: House) -> None:
    settings = house.services.settings
    assert wrong_address("http://127.0.0.1:8080/x", settings)
    sandbox = settings.model_copy(update={"countersign_clock_url": "http://127.0.0.1:9/clock"})
    assert not wrong_address("http://127.0.0.1:8080/x", sandbox)
    assert wrong_address("http://10.0.0.1/x", sandbox)


async def test_a_secret_is_shown_once_and_sealed(house: House) -> None:
    answer = await house.as_("manager").post("settings/endpoints/new", filled())
    shown = SECRET.search(answer.text)
    assert shown
    secret = base64.b64decode(shown[1])
    assert len(secret) == 32
    number = await house.run("SELECT id FROM webhook_endpoints")
    assert shown[1] not in (await house.as_("owner").get(f"settings/endpoints/{number}")).text
    sealed = bytes(await house.run("SELECT secret FROM webhook_endpoints"))
    place: dict[str, Any] = {"table": "webhook_endpoints", "store_hash": house.store, "row": number}
    assert secret not in sealed
    assert house.services.secrets.decrypt(sealed, column="secret", **place) == secret
    again = SECRET.search((await house.as_("manager").post(f"settings/endpoints/{number}/secret")).text)
    assert again
    assert again[1] != shown[1]
    before = bytes(await house.run("SELECT previous_secret FROM webhook_endpoints"))
    assert house.services.secrets.decrypt(before, column="previous_secret", **place) == secret
    log = await house.run("SELECT string_agg(l::text, ' ') FROM audit_log l")
    assert shown[1] not in log
    assert "endpoint_secret_made" in log


async def told_and_undone(house: House, record: RecordKey) -> None:
    async with house.db.transaction():
        await tell(house.db, house.store, "request.completed", record, house.clock.now())
        raise RuntimeError("what happened did not happen")


async def test_who_listens_is_told_in_the_same_commit_and_the_rest_is_not(house: House) -> None:
    number = await add(house)
    await add(house, events=list(NEWS), description="All")
    off = await add(house, description="Off")
    await house.as_("owner").post(f"settings/endpoints/{off}/off")
    record, now = RecordKey("order", "1001"), house.clock.now()
    for event in ("request.completed", "request.viewed"):
        async with house.db.transaction():
            await tell(house.db, house.store, event, record, now)
    with pytest.raises(RuntimeError):
        await told_and_undone(house, record)
    assert await house.run("SELECT count(*) FROM webhook_sends WHERE endpoint_id = $1", number) == 1
    assert await house.run("SELECT count(*) FROM webhook_sends") == 3
    assert await house.run("SELECT count(*) FROM actions WHERE kind = $1", str(ActionKind.DELIVER_WEBHOOK)) == 3
    async with house.db.transaction():
        await tell(house.db, house.other, "request.completed", record, now)
    assert await house.run("SELECT count(*) FROM webhook_messages") == 2


async def test_the_log_shows_each_message_and_sends_it_again(house: House) -> None:
    number = await add(house)
    home = f"settings/endpoints/{number}"
    assert (await house.as_("manager").post(f"{home}/test")).status_code == 303
    send = await house.run("SELECT id FROM webhook_sends")
    assert "endpoint.test" in (await house.as_("manager").get(home)).text
    waiting = await house.as_("manager").post(f"{home}/sends/{send}/again")
    assert waiting.status_code == 303
    assert await house.run("SELECT count(*) FROM actions") == 1
    await house.run("UPDATE webhook_sends SET state = 'failed', why = 'It answered with status 500.', tries = 10")
    await house.run("UPDATE actions SET state = 'skipped'")
    shown = (await house.as_("owner").get(f"{home}/sends/{send}")).text
    assert "msg_" in shown
    assert "endpoint.test" in shown
    assert (await house.as_("owner").post(f"{home}/sends/{send}/again")).status_code == 303
    assert await house.run("SELECT state || tries FROM webhook_sends") == "waiting0"
    assert await house.run("SELECT count(*) FROM actions") == 2
    other = await add(house, description="Another")
    assert (await house.as_("owner").get(f"settings/endpoints/{other}/sends/{send}")).status_code == 404


async def test_it_is_changed_switched_and_removed(house: House) -> None:
    number = await add(house)
    home = f"settings/endpoints/{number}"
    assert (await house.as_("owner").post(home, filled(events=[]))).status_code == 422
    assert (await house.as_("owner").post(home, filled(events=["no.such"]))).status_code == 422
    assert (await house.as_("owner").post(home, filled(events=list(NEWS), url=f"{URL}/2"))).status_code == 303
    assert await house.run("SELECT events FROM webhook_endpoints") == []
    assert await house.run("SELECT url FROM webhook_endpoints") == f"{URL}/2"
    assert (await house.as_("owner").post(f"{home}/off")).status_code == 303
    assert await house.run("SELECT state FROM webhook_endpoints") == "off"
    await house.run("UPDATE webhook_endpoints SET failing_since = $1", house.clock.now())
    assert (await house.as_("owner").post(f"{home}/on")).status_code == 303
    assert await house.run("SELECT state || COALESCE(failing_since::text, '') FROM webhook_endpoints") == "on"
    assert (await house.as_("owner").post(f"{home}/sideways")).status_code == 404
    assert (await house.as_("owner").post(f"{home}/remove")).status_code == 303
    assert await house.run("SELECT count(*) FROM webhook_endpoints") == 0
    assert (await house.as_("owner").get(home)).status_code == 404


async def test_at_most_ten(house: House) -> None:
    for _ in range(10):
        await add(house)
    answer = await house.as_("owner").post("settings/endpoints/new", filled())
    assert answer.status_code == 422
    assert "at most 10" in answer.text


async def test_an_uninstall_leaves_neither_secrets_nor_keys(house: House) -> None:
    await add(house)
    await house.as_("owner").post("settings/api", {"name": "ERP", "role": "read"})
    await house.db.execute("destroy_endpoint_secrets", {"store_hash": house.store})
    await house.db.execute("revoke_every_api_key", {"store_hash": house.store, "now": house.clock.now()})
    assert await house.run("SELECT count(*) FROM webhook_endpoints WHERE secret IS NOT NULL OR state = 'on'") == 0
    assert await house.run("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL") == 0
