"""Grave changes: a second manager or a day, and at once only where there is nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bcapp import changes
from bcapp.changes import Change, NoSuchChange
from bcapp.clock import FixedClock
from bcapp.core.changes import ChangeState, Subject, applies_at, refusal
from bcapp.db import Database
from bcapp.db.agreements import Text, add_agreement, fetch_version
from bcapp.db.changing import text_payload
from bcapp.errors import RefusedByUs, Stale
from bcapp.http import make_http
from bcapp.secrets import Secrets
from bcapp.services import Services
from bcapp.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STORE = "s1"
OWNER, MANAGER, APPROVER = 1, 2, 3


@pytest.fixture
async def services(database: Database) -> Any:
    settings = Settings(
        app_url="https://app.test",
        secret_keys="k" * 32,  # type: ignore[arg-type]
        bc_client_id="c",
        bc_client_secret="s" * 20,  # type: ignore[arg-type]
        bc_app_id="1",
    )
    async with make_http() as http:
        made = Services(settings, database, http, FixedClock(NOW), Secrets(settings.keys))
        async with database.pool.acquire() as connection:
            await connection.execute(
                "INSERT INTO stores (store_hash, state, owner_id, installed_at, state_since) "
                "VALUES ($1, 'active', 1, $2, $2)",
                STORE, NOW,
            )  # fmt: skip
            for user, role in ((OWNER, "owner"), (MANAGER, "manager"), (APPROVER, "approver")):
                await connection.execute(
                    "INSERT INTO users (store_hash, id, email, role, created_at) VALUES ($1, $2, $3, $4, $5)",
                    STORE, user, f"{role}@example.com", role, NOW,
                )  # fmt: skip
            await connection.execute(
                "INSERT INTO people (store_hash, id, name, email, created_at) OVERRIDING SYSTEM VALUE "
                "VALUES ($1, 7, 'Ann', 'ann@example.com', $2)",
                STORE, NOW,
            )  # fmt: skip
        yield made


async def ask(services: Services, user_id: int = MANAGER, up_to: str = "500.00") -> Change:
    return await changes.ask(
        services,
        STORE,
        subject=Subject.LIMIT,
        subject_id="7:USD",
        payload={"person_id": 7, "currency": "USD", "up_to": up_to, "remove": False},
        summary="Set a limit of $500.00",
        user_id=user_id,
    )


async def rows(services: Services, statement: str) -> list[dict[str, Any]]:
    async with services.db.pool.acquire() as connection:
        return [dict(row) for row in await connection.fetch(statement)]


async def limits(services: Services) -> list[str]:
    return [str(row["up_to"]) for row in await rows(services, "SELECT up_to FROM approval_limits")]


@pytest.mark.database
async def test_a_change_waits_is_sealed_and_is_told_to_the_owner(services: Services) -> None:
    change = await ask(services)
    assert (change.state, change.applies_at) == (ChangeState.WAITING, NOW + timedelta(hours=24))
    assert await limits(services) == []
    (row,) = await rows(services, "SELECT payload FROM pending_changes")
    assert b"500.00" not in bytes(row["payload"])
    (task,) = await rows(services, "SELECT kind, alarm, done_at FROM tasks")
    assert task == {"kind": "change_waits", "alarm": True, "done_at": None}
    assert [a["kind"] for a in await rows(services, "SELECT kind FROM actions")] == ["send_mail"]


@pytest.mark.database
async def test_a_second_manager_applies_it_and_nobody_can_decide_again(services: Services) -> None:
    change = await ask(services)
    done = await changes.decide(services, STORE, change.id, approve=True, user_id=OWNER)
    assert done.state is ChangeState.APPLIED
    assert await limits(services) == ["500.0000"]
    assert await changes.list_waiting(services, STORE) == []
    assert (await rows(services, "SELECT done_by FROM tasks"))[0]["done_by"] == OWNER
    assert bytes((await rows(services, "SELECT payload FROM pending_changes"))[0]["payload"]) == b""
    for approve in (True, False):
        with pytest.raises(RefusedByUs, match="applied already"):
            await changes.decide(services, STORE, change.id, approve=approve, user_id=OWNER)


@pytest.mark.database
async def test_who_asked_cannot_approve_and_may_take_it_back(services: Services) -> None:
    change = await ask(services)
    with pytest.raises(RefusedByUs, match="Somebody else"):
        await changes.decide(services, STORE, change.id, approve=True, user_id=MANAGER)
    assert (await changes.decide(services, STORE, change.id, approve=False, user_id=MANAGER)).state == "refused"
    assert await limits(services) == []


@pytest.mark.database
async def test_it_applies_by_itself_after_a_day_and_not_before(services: Services) -> None:
    await ask(services)
    clock = services.clock
    assert isinstance(clock, FixedClock)
    clock.advance(hours=23, minutes=59)
    assert await changes.apply_due(services) == 0
    clock.advance(minutes=1)
    assert await changes.apply_due(services) == 1
    assert await changes.apply_due(services) == 0
    assert await limits(services) == ["500.0000"]


@pytest.mark.database
async def test_it_applies_at_once_where_nobody_else_could_approve_and_is_told(services: Services) -> None:
    async with services.db.pool.acquire() as connection:
        await connection.execute("UPDATE users SET role = 'viewer' WHERE id = $1", MANAGER)
    change = await ask(services, OWNER)
    assert change.state is ChangeState.APPLIED
    assert await limits(services) == ["500.0000"]
    assert [t["kind"] for t in await rows(services, "SELECT kind FROM tasks")] == ["change_applied"]


@pytest.mark.database
async def test_asking_again_takes_ones_own_earlier_change_back(services: Services) -> None:
    await ask(services)
    newer = await ask(services, up_to="900.00")
    assert [c.id for c in await changes.list_waiting(services, STORE)] == [newer.id]
    await changes.decide(services, STORE, newer.id, approve=True, user_id=OWNER)
    assert await limits(services) == ["900.0000"]


@pytest.mark.database
async def test_a_change_that_cannot_be_made_any_more_is_refused_and_told(services: Services) -> None:
    account = dict.fromkeys(("name", "tenant", "token_url", "api_root", "client_id", "subscription", "from_email"), "x")
    await changes.ask(
        services, STORE, subject=Subject.SIGNATURE_ACCOUNT, subject_id="99", summary="Change it", user_id=MANAGER,
        payload={**account, "environment": "us", "client_secret": "x"},
    )  # fmt: skip
    clock = services.clock
    assert isinstance(clock, FixedClock)
    clock.advance(hours=25)
    assert await changes.apply_due(services) == 0
    assert [c["state"] for c in await rows(services, "SELECT state FROM pending_changes")] == ["refused"]
    open_tasks = await rows(services, "SELECT kind FROM tasks WHERE done_at IS NULL")
    assert [t["kind"] for t in open_tasks] == ["change_refused"]


@pytest.mark.database
async def test_another_stores_change_does_not_exist(services: Services) -> None:
    change = await ask(services)
    with pytest.raises(NoSuchChange):
        await changes.decide(services, "s2", change.id, approve=True, user_id=OWNER)


@pytest.mark.database
async def test_the_audit_log_names_fields_and_no_values(services: Services) -> None:
    change = await ask(services)
    await changes.decide(services, STORE, change.id, approve=True, user_id=OWNER)
    log = await rows(services, "SELECT actor, event, detail FROM audit_log ORDER BY id")
    assert ("user:2", "change_asked") in [(line["actor"], line["event"]) for line in log]
    assert ("user:1", "change_applied") in [(line["actor"], line["event"]) for line in log]
    assert "500" not in str([line for line in log if line["event"].startswith("change_")])


@pytest.mark.unit
def test_who_decides() -> None:
    assert applies_at(0, NOW) == NOW
    assert applies_at(1, NOW) == NOW + timedelta(hours=24)
    waiting = ChangeState.WAITING
    assert refusal(approve=True, asked_by=1, decided_by=2, state=waiting) == ""
    assert refusal(approve=False, asked_by=1, decided_by=1, state=waiting) == ""
    assert refusal(approve=True, asked_by=1, decided_by=1, state=waiting)
    assert refusal(approve=True, asked_by=1, decided_by=2, state=ChangeState.REFUSED)


@pytest.mark.database
async def test_an_agreement_changes_when_a_second_manager_says_so(services: Services) -> None:
    content = bytes(range(32))
    pdf = Text("pdf", "Rules", content=content)
    number = await add_agreement(services.db, STORE, name="Rules", text=pdf, author=OWNER, now=NOW)

    async def ask_for(title: str) -> Change:
        payload = text_payload(
            "Rules", Text("pdf", title, content=content), version=1, language="en", material=True, main="en"
        )
        return await changes.ask(
            services, STORE, subject=Subject.AGREEMENT, subject_id=str(number), payload=payload,
            summary="Change it", user_id=MANAGER,
        )  # fmt: skip

    change = await ask_for("New rules")
    assert await fetch_version(services.db, STORE, number, 2) is None
    await changes.decide(services, STORE, change.id, approve=True, user_id=OWNER)
    version = await fetch_version(services.db, STORE, number, 2)
    assert version is not None
    assert (version.texts["en"], version.author) == (Text("pdf", "New rules", content=content), MANAGER)
    late = await ask_for("Late rules")
    with pytest.raises(Stale):
        await changes.decide(services, STORE, late.id, approve=True, user_id=OWNER)
