"""Home: what needs somebody, figures, first steps, health."""

from datetime import timedelta

import pytest

from bcapp.db import positional
from tests.web.panel.conftest import START, House

pytestmark = pytest.mark.database


async def add_order(house: House, number: str = "1001", hold: str = "held") -> None:
    await house.run(
        "INSERT INTO records (store_hash, kind, id, label, amount, currency, created_at)"
        " VALUES ($1, 'order', $2, $3, 120.5, 'EUR', $4)",
        house.store,
        number,
        f"Order {number}, Ann Lee",
        START,
    )
    await house.run(
        "INSERT INTO holds (store_hash, record_kind, record_id, method, state, wanted_at)"
        " VALUES ($1, 'order', $2, 'status', $3, $4)",
        house.store,
        number,
        hold,
        START,
    )


async def add_task(house: House, kind: str = "not_signed", number: str = "1001", text: str = "Ann declined.") -> int:
    return int(
        await house.run(
            "INSERT INTO tasks (store_hash, kind, record_kind, record_id, text, created_at)"
            " VALUES ($1, $2, 'order', $3, $4, $5) RETURNING id",
            house.store,
            kind,
            number,
            text,
            START,
        )
    )


@pytest.mark.parametrize("who", ["owner", "manager", "approver", "viewer"])
async def test_everybody_of_the_store_sees_home(house: House, who: str) -> None:
    answer = await house.as_(who).get()
    assert answer.status_code == 200
    assert "What needs you" in answer.text


async def test_a_stranger_sees_nothing(house: House) -> None:
    assert (await house.as_("intruder").get()).status_code == 404
    assert (await house.client.get(f"/s/{house.store}/")).status_code == 401


async def test_a_task_shows_its_sentence_and_leads_to_its_order(house: House) -> None:
    await add_order(house)
    await add_task(house)
    page = (await house.as_("manager").get()).text
    assert "Ann declined." in page
    assert f"/s/{house.store}/orders/1001" in page
    assert "€120.50" in page


async def test_who_may_not_decide_learns_only_that_something_waits(house: House) -> None:
    await add_order(house)
    await add_task(house)
    page = (await house.as_("viewer").get()).text
    assert "Ann declined." not in page
    assert "€120.50" not in page
    assert "One thing waits." in page


async def test_a_second_click_on_done_changes_nothing(house: House) -> None:
    number = await add_task(house)
    for _ in range(2):
        answer = await house.as_("approver").post(f"tasks/{number}/done")
        assert answer.status_code == 303
    lines = await house.run("SELECT count(*) FROM audit_log WHERE event = 'task_done'")
    assert lines == 1
    assert await house.run("SELECT done_by FROM tasks WHERE id = $1", number) == 3


async def test_done_by_the_script_says_where_to_go_on(house: House) -> None:
    number = await add_task(house)
    answer = await house.as_("manager").post(f"tasks/{number}/done", part=True)
    assert answer.status_code == 200
    assert f"/s/{house.store}/" in answer.headers["HX-Location"]


async def test_a_viewer_or_a_stranger_cannot_finish_a_task(house: House) -> None:
    number = await add_task(house)
    assert (await house.as_("viewer").post(f"tasks/{number}/done")).status_code == 403
    assert (await house.as_("intruder").post(f"tasks/{number}/done")).status_code == 404
    assert (await house.as_("stranger").post(f"tasks/{number}/done")).status_code == 303  # of nobody's store
    assert await house.run("SELECT done_at FROM tasks WHERE id = $1", number) is None


@pytest.mark.parametrize("number", ["0", "99999999999999999999999999"])
async def test_a_number_that_no_task_can_have_is_not_found(house: House, number: str) -> None:
    assert (await house.as_("owner").post(f"tasks/{number}/done")).status_code == 404


async def test_the_strip_alone_comes_when_it_asks_for_itself(house: House) -> None:
    answer = await house.as_("viewer").get(part=True)
    assert answer.text.strip().startswith("<section")
    assert "Background work" in answer.text
    assert "What needs you" not in answer.text


async def test_the_strip_names_what_does_not_work(house: House) -> None:
    await house.run(
        "INSERT INTO hooks (store_hash, id, scope, is_active, checked_at) VALUES ($1, 1, 'store/order/*', false, $2)",
        house.store,
        START,
    )
    await house.run(
        "INSERT INTO budgets (store_hash, service, open_until) VALUES ($1, 'bigcommerce', $2)",
        house.store,
        START + timedelta(minutes=1),
    )
    page = (await house.as_("owner").get()).text
    assert "switched off 1 of 1 webhooks" in page
    assert "We try again in 1 minute" in page
    assert "Nothing works in the background" in page


async def test_a_parked_delivery_is_taken_up_again_once(house: House) -> None:
    await house.run(
        "INSERT INTO deliveries (store_hash, key, source, topic, record_kind, record_id, received_at, due_at,"
        " parked_why) VALUES ($1, 'bc:1', 'bigcommerce', 'store/order/updated', 'order', '1001', $2, $2,"
        " 'It could not be read.')",
        house.store,
        START,
    )
    assert "It could not be read." in (await house.as_("owner").get()).text
    data = {"kind": "order", "id": "1001"}
    assert (await house.as_("viewer").post("look-again", data)).status_code == 403
    for _ in range(2):
        assert (await house.as_("manager").post("look-again", data)).status_code == 303
    assert await house.run("SELECT parked_why FROM deliveries WHERE key = 'bc:1'") is None
    assert await house.run("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'look'") == 1
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'looked_again'") == 1


async def test_figures_leave_simulated_requests_out(house: House) -> None:
    await add_order(house)
    for number, (simulated, hours) in enumerate([(False, 2), (False, 4), (True, 90)]):
        await house.run(
            "INSERT INTO requests (store_hash, workflow, purpose, record_kind, record_id, round, projection,"
            " fingerprint, snapshot, status, simulated, account_id, agreement_id, agreement_version, nonce,"
            " external_id, created_at, sent_at, ended_at)"
            " VALUES ($1, 'order_approval', 'customer', 'order', '1001', $2, 1, 'f', '{}',"
            " 'completed', $3, 1, 1, 1, 'n', $4, $5, $5, $6)",
            house.store,
            number,
            simulated,
            f"e{number}",
            START - timedelta(hours=hours),
            START,
        )
    page = (await house.as_("owner").get()).text
    assert "3 hours" in page
    assert "90 hours" not in page
    assert "32 hours" not in page


async def test_when_the_store_was_heard_of_last_is_not_looked_for_in_every_delivery(house: House) -> None:
    statement, _ = positional("panel_health_of_store")
    async with house.db.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE health AS {statement}")
        plan = await connection.fetch("EXPLAIN EXECUTE health('x', now(), now())")
    assert any("deliveries_heard" in row[0] for row in plan), plan
