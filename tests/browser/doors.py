"""What other systems and signers see of us, for the screens: endpoints with a log, a key, a question, their pages."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from bcapp.db.api_keys import add_key
from bcapp.db.endpoints import add_endpoint
from bcapp.db.news import tell_one
from bcapp.jobs.questions import ask_question
from bcapp.sign_links import make_link
from tests.fixtures.browser import AXE, WCAG
from tests.fixtures.world import World


async def furnish_doors(world: World, ids: dict[str, int]) -> None:
    """An endpoint that takes messages and one that was switched off; a key; a question about the request that waits."""
    s, store_hash, owner = world.services, world.store_hash, world.store.owner.id
    now = s.clock.now()
    for name in ("endpoint", "endpoint_off"):
        made = await add_endpoint(
            s.db, s.secrets, store_hash, f"{world.server.url}/receiver/{name}", f"ERP, {name}", ["hold.placed"],
            user_id=owner, now=now,
        )  # fmt: skip
        assert made is not None
        ids[name] = made.id
        async with s.db.transaction():
            await tell_one(s.db, store_hash, made.id, "endpoint.test", now)

    async def delivered() -> Any:
        rows = await world.raw("SELECT count(*) AS n FROM webhook_sends WHERE state = 'delivered'")
        return rows[0]["n"] == 2

    await world.until(delivered, said="test messages are delivered")
    why = "It answered with status 500."
    await world.raw("UPDATE webhook_endpoints SET state = 'off', off_why = $1 WHERE id = $2", why, ids["endpoint_off"])
    rows = await world.raw("SELECT id FROM webhook_sends WHERE endpoint_id = $1", ids["endpoint"])
    ids["send"] = int(rows[0]["id"])
    assert await add_key(s.db, store_hash, "Accounting", "read", user_id=owner, now=now)
    await ask_question(s.db, store_hash, ids["request_sent"], 0, "Does the price include freight to Juneau?", now)
    (question,) = await world.raw("SELECT id FROM questions")
    ids["question"] = int(question["id"])


async def sign_path(world: World, request_id: int) -> str:
    return f"/sign/{await make_link(world.db, world.store_hash, request_id, 0, world.services.clock.now())}"


async def axe_on(page: Page) -> list[str]:
    """Judge a page of its own by axe; return what it finds wrong, one line each."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("(only) => axe.run(document, {runOnly: only, resultTypes: ['violations']})", WCAG)
    return [
        f"{rule['id']}: {n['failureSummary']} {n['html'][:200]}" for rule in found["violations"] for n in rule["nodes"]
    ]
