"""Two things at the same moment: nothing is lost, nothing happens twice, nobody is blamed for what we did."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.db.actions import queue_action
from bcapp.jobs.dispatch import Worker
from tests.fixtures.world import PATIENCE, World

pytestmark = pytest.mark.journey

HELD, PAID = 12, 11


class Gate:
    """Holds a call of ours at the vendor until it is opened."""

    def __init__(self) -> None:
        self._reached, self._open = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        self._open.wait(PATIENCE)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, PATIENCE), "the call did not come"

    def open(self) -> None:
        self._open.set()


def at_hold(world: World, order_id: int, hook: Callable[[], None], kind: str = "late") -> None:
    """Have the hook run while our write of the hold is executed, before it is answered."""
    path = f"/v2/orders/{order_id}$"
    world.sandbox.faults.add("bigcommerce", "PUT", path, kind, hook=hook, body_regex='"status_id"')  # type: ignore[arg-type]


def announce(world: World, order_id: int, what: str = "created") -> None:
    world.store.emit(f"store/order/{what}", {"type": "order", "id": order_id})


async def looked(world: World, order_id: int) -> None:
    """Everything that was said about the order so far has been looked at."""

    async def asked() -> bool:
        rows = await world.raw(
            "SELECT count(*) AS n FROM deliveries WHERE record_id = $1 AND done_at IS NULL", str(order_id)
        )
        return int(rows[0]["n"]) == 0

    await world.until(asked, said="every delivery is done")


async def test_an_edit_in_the_second_of_our_own_write_is_acted_upon(world: World) -> None:
    """The merchant edits while our hold is executed; the event comes before our commit and looks like its echo."""
    await world.rule()
    order = world.place(quiet=True)
    arrived = threading.Event()

    def edit() -> None:
        world.store.edit(order.id, quantities={order.lines[0].id: 3})
        world.bc.webhooks.wait_idle(PATIENCE)  # the event is delivered and acknowledged before our write is answered
        arrived.set()

    at_hold(world, order.id, edit)
    announce(world, order.id)
    assert await asyncio.to_thread(arrived.wait, PATIENCE)
    request = await world.request_is(order.id, "sent", index=1)
    await world.quiet()
    first, second = await world.requests(order.id)
    assert (first["wanted_why"], first["status"]) == ("superseded", "cancelled")
    assert (second["round"], second["id"]) == (2, request["id"])
    assert second["snapshot"] != first["snapshot"]
    assert "Edited" in second["round_why"]
    assert [w["status_id"] for w in world.writes(order.id)] == [HELD]
    hold = await world.hold_is(order.id, "held")
    assert hold["found"]["status_id"] == PAID
    await world.sign(second)
    await world.order_is(order.id, PAID)
    await world.quiet()
    assert [w["status_id"] for w in world.writes(order.id)] == [HELD, PAID]


async def test_a_look_that_read_before_our_write_blames_nobody(world: World) -> None:
    """It saw the order as it was before the hold; when it decides, the hold is placed."""
    await world.rule()
    order = world.place(quiet=True)
    holding, looking = Gate(), Gate()
    world.sandbox.faults.add(
        "bigcommerce", "PUT", f"/v2/orders/{order.id}$", "before", status=503, hook=holding, body_regex='"status_id"'
    )
    announce(world, order.id)
    await holding.reached()
    # The write is refused once, so that a look that begins now reads the order as it was.
    world.sandbox.faults.add("bigcommerce", "GET", f"/v2/orders/{order.id}/products$", "late", hook=looking)
    announce(world, order.id, "updated")
    await looking.reached()
    holding.open()
    await world.hold_is(order.id, "held")
    looking.open()
    await looked(world, order.id)
    await world.quiet()
    assert (await world.hold_is(order.id, "held"))["state_why"] == "Held until it is signed."
    assert await world.raw("SELECT kind FROM tasks") == []


async def test_two_workers_perform_one_action_once(world: World) -> None:
    await world.rule()
    order = world.place()
    request = await world.request_is(order.id, "sent")
    await world.quiet()
    other = Worker(world.services, "test")
    running = asyncio.create_task(other.run())
    try:
        before = len(world.sandbox.signature.mails)
        record = RecordKey("order", str(order.id))
        now = world.services.clock.now()
        for _ in range(5):
            async with world.db.transaction():
                action = await queue_action(
                    world.db, world.store_hash, ActionKind.RESEND_REQUEST, record, now, request_id=request["id"]
                )
            # Said again behind the queue's back, so that both workers are offered it.
            await asyncio.gather(*(_offer(world, action) for _ in range(4)))
        await world.quiet()
        assert len(world.sandbox.signature.mails) == before + 5
    finally:
        other.stop()
        await asyncio.wait_for(running, PATIENCE)


async def _offer(world: World, action_id: int) -> None:
    from bcapp.jobs.perform import perform
    from bcapp.jobs.vendors import Vendors

    await perform(world.services, Vendors(world.services), world.store_hash, action_id)


async def test_two_looks_at_once_ask_once(world: World) -> None:
    """Both read the order; the one that comes second finds its version raised and looks again."""
    await world.rule()
    order = world.place(quiet=True)
    first, second = Gate(), Gate()
    path = f"/v2/orders/{order.id}/products$"
    world.sandbox.faults.add("bigcommerce", "GET", path, "late", hook=first)
    world.sandbox.faults.add("bigcommerce", "GET", path, "late", hook=second)
    announce(world, order.id)
    await first.reached()
    racing = asyncio.create_task(_look(world, order.id))
    await second.reached()
    first.open()
    second.open()
    await racing
    await world.request_is(order.id, "sent")
    await world.quiet()
    assert len(await world.requests(order.id)) == 1
    assert [w["status_id"] for w in world.writes(order.id)] == [HELD]


async def _look(world: World, order_id: int) -> Any:
    from bcapp.jobs.look import look
    from bcapp.jobs.vendors import Vendors

    await look(world.services, Vendors(world.services), world.store_hash, RecordKey("order", str(order_id)))
