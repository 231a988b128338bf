"""An operator's commands, against a store that lives beside the simulated services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.rules import RuleDefinition, Step, dump_definition
from bcapp.errors import RefusedByUs
from bcapp.operate import ACTOR, Unhealthy, connect_account, doctor, erase_person, examine, rotate_keys
from tests.fixtures.world import World
from tests.web.conftest import Web, web

__all__ = ["web"]  # the fixture

pytestmark = pytest.mark.database

GIVEN = {"name": "Main account", "environment": "eu", "tenant": "acme", "client_id": "id-1"}


async def bad(web: Web) -> list[str]:
    return [f.text for f in await examine(web.services, web.store.hash) if not f.good]


async def test_an_account_is_added_with_the_addresses_of_its_environment_and_tested(web: Web) -> None:
    said = await connect_account(web.services, web.store.hash, GIVEN, "s3cret")
    (account,) = await web.rows("SELECT * FROM signature_accounts")
    assert "added" in said
    assert "s3cret" not in said
    assert account["token_url"] == "https://otdsauth.ot2.opentext.eu/otdstenant/acme/oauth2/token"
    assert account["api_root"] == "https://sign.core.opentext.eu/api/v1/"
    opened = web.services.secrets.decrypt(
        bytes(account["client_secret"]),
        table="signature_accounts",
        column="client_secret",
        store_hash=web.store.hash,
        row=account["id"],
    )
    assert opened == b"s3cret"
    actions = await web.rows("SELECT record_id FROM actions WHERE kind = 'test_account'")
    assert actions == [{"record_id": str(account["id"])}]
    lines = await web.rows("SELECT DISTINCT actor FROM audit_log WHERE record_kind = 'account'")
    assert lines == [{"actor": ACTOR}]


async def test_connecting_again_changes_the_account_of_that_name(web: Web) -> None:
    await connect_account(web.services, web.store.hash, GIVEN, "one")
    said = await connect_account(web.services, web.store.hash, {**GIVEN, "environment": "us"}, "two")
    (account,) = await web.rows("SELECT environment FROM signature_accounts")
    assert "changed" in said
    assert account == {"environment": "us"}


@pytest.mark.parametrize(
    ("changes", "secret", "named"),
    [
        ({}, "", "client secret"),
        ({"environment": "custom"}, "s", "token url"),
        ({"environment": "custom", "token_url": "https://10.0.0.1/t", "api_root": "https://x.example/"}, "s", "token"),
        ({"client_id": ""}, "s", "client id"),
        ({"from_email": "nobody"}, "s", "from email"),
    ],
)
async def test_what_is_wrong_is_said_by_field(web: Web, changes: dict[str, Any], secret: str, named: str) -> None:
    with pytest.raises(RefusedByUs, match=named):
        await connect_account(web.services, web.store.hash, {**GIVEN, **changes}, secret)
    assert await web.rows("SELECT id FROM signature_accounts") == []


async def test_a_store_that_never_installed_the_app_is_named(web: Web) -> None:
    with pytest.raises(Unhealthy, match="nowhere"):
        await connect_account(web.services, "nowhere", GIVEN, "s")
    (finding,) = await examine(web.services, "nowhere")
    assert not finding.good


async def test_a_new_store_lacks_worker_hooks_and_account(web: Web) -> None:
    texts = await bad(web)
    assert any("No worker is alive" in t for t in texts)
    assert any("Webhooks that are missing" in t for t in texts)
    assert any("No signature account" in t for t in texts)


async def test_a_refused_token_is_said(web: Web) -> None:
    web.sandbox.bigcommerce.auth.uninstall(web.store, tell=False)
    assert any("does not take our token" in t for t in await bad(web))


async def test_what_is_late_parked_or_failed_is_said(web: Web) -> None:
    now = web.services.clock.now()
    async with web.services.db.pool.acquire() as connection:
        for key, why in (("late", None), ("parked", "the order has no total")):
            await connection.execute(
                """INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, received_at, due_at,
                       parked_why) VALUES ($1, $2, 'sweep', 'x', 'order', '250', $3, $3, $4)""",
                web.store.hash, key, now - timedelta(hours=1), why,
            )  # fmt: skip
        await connection.execute(
            """INSERT INTO budgets (store_hash, service, failures, open_until) VALUES ($1, 'core_signature', 5, $2)""",
            web.store.hash, now + timedelta(minutes=1),
        )  # fmt: skip
    texts = " ".join(await bad(web))
    assert "Deliveries are late since" in texts
    assert "order 250, the order has no total" in texts
    assert "Calls to core_signature pause" in texts


async def test_a_store_that_works_is_well(world: World) -> None:
    """The commands themselves: they open and close the database by the settings alone."""

    async def tested() -> bool:
        rows = await world.raw("SELECT state FROM signature_accounts")
        return bool(rows[0]["state"] == "working")

    given = {
        "name": "Main account",
        "environment": "custom",
        "tenant": world.sandbox.signature.account.tenant,
        "client_id": world.sandbox.signature.account.client_id,
        "token_url": f"{world.server.url}/otdstenant/{world.sandbox.signature.account.tenant}/oauth2/token",
        "api_root": f"{world.server.url}/api/v1/",
    }
    await connect_account(world.services, world.store_hash, given, world.sandbox.signature.account.client_secret)
    await world.until(tested)
    await world.quiet()
    lines, well = await doctor(world.services.settings, world.store_hash)
    assert well, "\n".join(lines)
    assert "Nothing is left under another key" in await rotate_keys(world.services.settings)


async def test_a_person_whom_the_store_needs_is_not_erased(web: Web) -> None:
    store, now = web.store.hash, web.services.clock.now()

    async def run(statement: str, *values: Any) -> Any:
        async with web.services.db.pool.acquire() as connection:
            return await connection.fetchval(statement, *values)

    async def refusal(email: str = "Ann@Example.com") -> str:
        with pytest.raises(RefusedByUs) as refused:
            await erase_person(web.services, store, email)
        return str(refused.value)

    person = await run(
        "INSERT INTO people (store_hash, name, email, created_at) VALUES ($1, 'Ann Lee', 'ann@example.com', $2)"
        " RETURNING id", store, now,
    )  # fmt: skip
    assert "not an e-mail address" in await refusal("Ann")
    with pytest.raises(Unhealthy):
        await erase_person(web.services, "nowhere", "ann@example.com")
    rule = await run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, created_at)"
        " VALUES ($1, 'order_approval', 'Large', 'live', 1, $2) RETURNING id", store, now,
    )  # fmt: skip
    definition = dump_definition(RuleDefinition(steps=(Step(2, "escalate", person=person),)))
    await run(
        "INSERT INTO rule_versions (store_hash, rule_id, version, definition, author, created_at)"
        " VALUES ($1, $2, 1, $3, 1, $4)", store, rule, definition, now,
    )  # fmt: skip
    assert "The live rule “Large” names this person" in await refusal()
    await run("UPDATE rules SET mode = 'off'")
    other = await run(
        "INSERT INTO people (store_hash, name, email, deputy_id, created_at)"
        " VALUES ($1, 'Bo', 'joann@example.com', $2, $3) RETURNING id", store, person, now,
    )  # fmt: skip
    assert "stands in for Bo" in await refusal()
    await run("UPDATE people SET deputy_id = NULL")
    await run("UPDATE stores SET settings = settings || $1", {"alarm_person": person})
    assert "gets the alarms" in await refusal()
    await run("UPDATE stores SET settings = settings || $1", {"alarm_person": 0, "support_email": "ann@example.com"})
    assert "address for questions" in await refusal()
    await run("UPDATE stores SET settings = settings || $1", {"support_email": ""})
    await run(
        "INSERT INTO users (store_hash, id, email, role, created_at) VALUES ($1, 77, 'Ann@example.com', 'viewer', $2)",
        store, now,
    )  # fmt: skip
    assert "user of the control panel" in await refusal()
    await run("UPDATE users SET state = 'removed' WHERE id = 77")
    await run(
        "INSERT INTO approval_limits (store_hash, person_id, currency, up_to) VALUES ($1, $2, 'USD', 5)", store, person
    )
    assert (await erase_person(web.services, store, "ann@example.com"))[0] == "people: 2"
    rows = await web.rows("SELECT id, name, email, state FROM people WHERE id >= $1 ORDER BY id", person)
    assert rows == [
        {"id": person, "name": "erased", "email": f"erased-{person}", "state": "left"},
        {"id": other, "name": "Bo", "email": "joann@example.com", "state": "active"},
    ]
    assert await run("SELECT count(*) FROM approval_limits") == 0
    assert await run("SELECT email FROM users WHERE id = 77") == "erased-77"
