"""A rule is tried on the past, monitors what happens, and goes live past its boundary: over the panel's own pages."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.conditions import Condition
from bcapp.core.decisions import parse_traces, replay
from bcapp.core.rules import RuleDefinition
from bcapp.db.past import begin_tryout, fetch_read, fetch_tryout
from bcapp.sandbox.browser import Browser, Page
from tests.fixtures.world import World

pytestmark = pytest.mark.journey


class Panel:
    """The owner's browser, over HTTP."""

    def __init__(self, world: World) -> None:
        self.browser = Browser(str(world.services.settings.app_url))
        self.root = f"/s/{world.store_hash}"
        self.url = world.bc.auth.load_url(world.store)

    def close(self) -> None:
        self.browser.close()

    async def open(self, path: str) -> Page:
        if not self.browser.session:
            await asyncio.to_thread(self.browser.open, self.url)
        page = await asyncio.to_thread(self.browser.open, f"{self.root}/{path}")
        assert page.status == 200, page.text
        return page

    async def submit(self, page: Page, action: str, **values: Any) -> Page:
        page = await asyncio.to_thread(lambda: self.browser.submit(page, action, **values))
        assert page.status == 200, page.text
        return page


async def tried(world: World, number: int) -> Any:
    async def asked() -> Any:
        tryout = await fetch_tryout(world.db, world.store_hash, number)
        return tryout if tryout is not None and tryout.state == "counted" and tryout.whole else None

    return await world.until(asked, said=f"try {number} is counted")


async def test_tried_monitored_and_made_live(world: World) -> None:
    for _ in range(3):
        world.place(quiet=True)
    small = world.place(lines=[(world.cheap, 1)], quiet=True)
    rule_id = await world.rule(live=False)
    with closing(Panel(world)) as panel:
        await follow(world, panel, rule_id, small.id)


async def follow(world: World, panel: Panel, rule_id: int, small: int) -> None:
    page = await panel.submit(await panel.open(f"rules/{rule_id}/try"), "/try")
    number = int(page.url.split("?")[0].rsplit("/", 1)[1])
    tryout = await tried(world, number)
    assert (tryout.tally.looked, tryout.tally.asked, tryout.tally.repeat_asks) == (4, 3, 2)
    page = await panel.open(f"tries/{number}")
    assert "of 4 orders, 75.0 %" in " ".join(page.text.split())
    stored = await world.raw("SELECT id, complete FROM past_records ORDER BY id")
    assert len(stored) == 4
    assert all(r["complete"] for r in stored)
    assert await world.raw("SELECT 1 FROM requests") == []  # nobody was asked

    # What is placed later is read once the same is tried again, and what is known is not read anew.
    await panel.submit(await panel.open(f"rules/{rule_id}"), "/mode", mode="monitor")
    order = world.place()
    await world.quiet()
    before = len(world.sandbox.calls)
    await panel.submit(await panel.open(f"tries/{number}"), "/again")

    async def counted() -> bool:
        tryout = await fetch_tryout(world.db, world.store_hash, number)
        return tryout is not None and tryout.state == "counted" and tryout.tally.looked == 5

    await world.until(counted, 40, "the new order is counted too")
    lines = [c.path for c in world.sandbox.calls[before:] if c.path.endswith("/products") and "/orders/" in c.path]
    assert f"/orders/{small}/" not in " ".join(lines)

    # Monitoring: the same, on what happens; one click leads to the boundary.
    page = await panel.open(f"rules/{rule_id}/monitor")
    text = " ".join(page.text.split())
    assert "100.0 %" in text
    assert f"Order {order.id}," in text
    decisions = await world.raw("SELECT traces FROM decisions WHERE record_id = $1", str(order.id))
    traces = [t for row in decisions for t in parse_traces(row["traces"])]
    assert [t.decision for t in traces] == ["would_ask"]
    assert [replay(t) for t in traces] == ["would_ask"]
    assert "Monitor: would have asked." in (await panel.open(f"orders/{order.id}")).text
    world.advance(seconds=2)  # the store tells whole seconds only
    boundary = await panel.submit(page, "/count")
    assert "Go live with" in boundary.text

    async def is_counted() -> bool:
        return "Orders that exist" in (await panel.open(f"rules/{rule_id}/live")).text

    await world.until(is_counted, 30, "what exists is counted")
    await panel.submit(await panel.open(f"rules/{rule_id}/live"), "/live")
    assert (await world.raw("SELECT mode FROM rules WHERE id = $1", rule_id))[0]["mode"] == "live"
    await world.command(order.id, "nothing")
    await world.quiet()
    assert await world.requests(order.id) == []  # created before the rule went live
    assert "Created before the rule went live." in (await panel.open(f"orders/{order.id}")).text
    world.advance(seconds=2)
    later = world.place()
    await world.request_is(later.id, "sent", seconds=40)
    assert world.sandbox.spec_errors == []


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("customer", Condition("orders_so_far", "at_least", ("0",))),
        ("product", Condition("price", "at_least", ("300.00 USD",))),
    ],
)
async def test_conditions_are_tried_on_customers_and_products(world: World, kind: str, condition: Condition) -> None:
    now, of = world.services.clock.now(), (world.db, world.store_hash, kind)
    number = await begin_tryout(*of, RuleDefinition(groups=((condition,),)), author=1, now=now)
    tryout = await tried(world, number)
    assert tryout.tally.looked > 3
    assert 0 < tryout.tally.asked <= tryout.tally.looked
    read = await fetch_read(*of)
    assert read is not None
    assert read.total is not None
    assert read.read_until is not None
    assert read.read_until <= now
    before = len(world.sandbox.calls)
    again = await begin_tryout(*of, RuleDefinition(groups=((condition,),)), author=1, now=now)
    assert (await tried(world, again)).tally.asked == tryout.tally.asked
    assert len(world.sandbox.calls) - before < 6  # what was read within a day is not read anew


async def test_reading_goes_on_after_the_budget_is_spent_and_from_where_it_was(world: World) -> None:
    for _ in range(30):
        world.place(quiet=True)
    world.sandbox.faults.add("bigcommerce", "GET", r"/orders/\d+/products$", "throttle", times=3, seconds=1)
    now = world.services.clock.now()
    number = await begin_tryout(
        world.db, world.store_hash, "order", RuleDefinition(groups=()), author=1, now=now - timedelta(seconds=30)
    )
    tryout = await tried(world, number)
    assert tryout.tally.looked == 30
    reads = [c.path for c in world.sandbox.calls if c.path.endswith("/products") and c.executed and c.status == 200]
    assert len(reads) <= 30 + 25  # the throttled slice at most is read twice


async def test_a_try_that_ends_while_the_reading_does_is_counted_on_the_whole(world: World) -> None:
    orders = [world.place(quiet=True) for _ in range(30)]
    last = rf"/orders/{orders[-1].id}/products$"
    world.sandbox.faults.add("bigcommerce", "GET", last, "late", seconds=4)
    begun = world.services.clock.now() - timedelta(seconds=30)  # long enough ago to be counted on a part
    number = await begin_tryout(world.db, world.store_hash, "order", RuleDefinition(groups=()), author=1, now=begun)

    async def waits() -> bool:
        sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(await world.raw(sql))

    async def is_read() -> bool:
        return bool(await world.raw("SELECT 1 FROM past_reads WHERE state = 'read'"))

    async with world.db.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM tryouts WHERE id = $1 FOR UPDATE", number)
        await world.until(waits, said="the try has counted a part and writes it down")
        assert not await is_read()
        await world.until(is_read, said="the past is read")
    assert (await tried(world, number)).tally.looked == 30
