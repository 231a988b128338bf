"""What happens to a store over time: it leaves, comes back, loses its keys, is reminded, and can prove it all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from bcapp import changes
from bcapp.core.agreements import freeze_template
from bcapp.core.changes import Subject
from bcapp.core.conditions import Condition
from bcapp.core.model import RecordKey
from bcapp.db import chunks
from bcapp.db.accounts import ask_test, fetch_account, save_account
from bcapp.db.agreements import Text, add_agreement
from bcapp.db.settings import keep_held, save_settings
from bcapp.db.tasks import look_again, read_health
from bcapp.jobs.dispatch import Worker
from bcapp.jobs.seal import seal, verify
from bcapp.jobs.signing import template_as_read
from bcapp.jobs.vendors import Vendors
from bcapp.sandbox.bigcommerce.quotes import raise_quote
from bcapp.sandbox.signature.pdf import page_texts
from bcapp.stores import get_webhook_key
from tests.documents.samples import pdf_of
from tests.fixtures.offers import offer_rule
from tests.fixtures.world import PATIENCE, World, held_and_sent, make_sandbox, open_world, set_up

pytestmark = pytest.mark.journey

ALARMED = "cleo@northfield.test"  # named for alarms by set_up
SENDER = "countersign@app.test"


@pytest_asyncio.fixture
async def bare_world(database_dsn: str) -> AsyncIterator[World]:
    """The world with a mail server: what the app mails lands in the sandbox's inbox."""
    sandbox = make_sandbox()
    port = await asyncio.to_thread(sandbox.signature.start_smtp)
    try:
        async with open_world(database_dsn, sandbox, smtp_url=f"smtp://127.0.0.1:{port}?from={SENDER}") as opened:
            yield opened
    finally:
        await asyncio.to_thread(sandbox.signature.stop_smtp)


@pytest.fixture(autouse=True)
def all_calls_are_declared(bare_world: World) -> Any:
    yield
    assert bare_world.sandbox.spec_errors == []


def mails(world: World, to: str = ALARMED) -> list[Any]:
    """What the app mailed to an address, newest first."""
    return list(world.sandbox.signature.inbox.find(to=to, kind="app"))


async def mailed(world: World, words: str, to: str = ALARMED) -> Any:
    async def asked() -> Any:
        return next((m for m in mails(world, to) if words in m.text), None)

    return await world.until(asked, said=f"a mail with “{words}” to {to}")


async def store_row(world: World) -> dict[str, Any]:
    return (await world.raw("SELECT * FROM stores WHERE store_hash = $1", world.store_hash))[0]


async def store_is(world: World, state: str, **more: Any) -> dict[str, Any]:
    async def asked() -> Any:
        row = await store_row(world)
        return row if row["state"] == state else None

    found = await world.until(asked, said=f"the store is {state}", **more)
    return dict(found)


async def visit(url: str) -> httpx.Response:
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        return await browser.get(url)


async def install(world: World) -> None:
    answer = await asyncio.to_thread(world.bc.auth.install, world.store)
    assert answer.status_code == 200, answer.text


async def change_settings(world: World, **changed: Any) -> None:
    await save_settings(
        world.db,
        world.store_hash,
        changed,
        version=(await store_row(world))["settings_version"],
        base={},
        actor=f"user:{world.store.owner.id}",
        now=world.services.clock.now(),
    )


async def tick(world: World) -> None:
    """Have a second worker look for what is due by the clock as it stands now, with all its upkeep."""
    await Worker(world.services, "test").tick()


async def failed_actions(world: World) -> list[dict[str, Any]]:
    return await world.raw("SELECT kind, why FROM actions WHERE state = 'failed'")


def open_requests(world: World) -> list[Any]:
    return [r for r in world.sandbox.signature.store.requests.values() if not r.document.has_ended]


# Leaving and coming back ----------------------------------------------------------------------------------


async def test_a_true_uninstall_ends_everything_and_says_what_stays_held(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    await world.quiet()
    await world.raw(
        "WITH s AS (INSERT INTO suppliers (store_hash, name, identity, state, created_at, created_by, modified_at)"
        "           VALUES ($1, 'Granite Peak', 'g', 'inactive', now(), 1, now()) RETURNING id)"
        " INSERT INTO supplier_products (store_hash, supplier_id, product_id, state)"
        " SELECT $1, id, 77, 'hidden' FROM s",
        world.store_hash,
    )
    answer = await asyncio.to_thread(world.bc.auth.uninstall, world.store)
    assert answer.status_code == 200
    row = await store_is(world, "uninstalled")
    assert (row["access_token"], row["webhook_key"], row["webhook_key_digest"]) == (None, None, None)
    (account,) = await world.raw("SELECT client_secret, token FROM signature_accounts")
    assert (account["client_secret"], account["token"]) == (b"", None)
    assert open_requests(world) == []
    await world.request_is(order.id, "cancelled")
    mail = await mailed(world, f"Order {order.id}")
    assert "still held" in mail.text
    assert "1 of its products are hidden" in mail.text
    assert SENDER in mail.sender
    assert world.store.orders[order.id].status_id == 12
    left = await world.raw("SELECT kind FROM actions WHERE state IN ('pending', 'started')")
    assert left == []
    events = [r["event"] for r in await world.raw("SELECT event FROM audit_log ORDER BY id")]
    assert [e for e in events if e.startswith("uninstall")] == [
        "uninstall_announced",
        "uninstall_confirmed",
        "uninstalled",
    ]
    calls = len(world.sandbox.calls)
    world.advance(days=2)
    await tick(world)  # and nobody calls anybody
    await asyncio.sleep(0.5)
    assert len(world.sandbox.calls) == calls
    assert len(mails(world)) == 1


async def test_the_list_of_what_stays_held_is_mailed_once_though_the_first_try_fails(world: World) -> None:
    await world.rule()
    order, _ = await held_and_sent(world)
    await world.quiet()
    owner, now = world.store.owner.id, world.services.clock.now()
    await keep_held(world.db, world.store_hash, RecordKey("order", str(order.id)), user_id=owner, now=now)
    signature, url = world.sandbox.signature, world.services.settings.smtp_url
    assert url is not None
    await asyncio.to_thread(signature.stop_smtp)
    await asyncio.to_thread(world.bc.auth.uninstall, world.store)

    async def tried() -> Any:
        rows = await world.raw("SELECT attempt FROM actions WHERE kind = 'finish_uninstall' AND why <> ''")
        return rows and rows[0]["attempt"]

    await world.until(tried)
    assert (await store_row(world))["state"] == "uninstalling"
    await asyncio.to_thread(signature.start_smtp, "127.0.0.1", urlsplit(url.get_secret_value()).port)
    world.advance(minutes=2)
    await store_is(world, "uninstalled")
    assert len(mails(world)) == 1
    assert "stays held as you decided" in mails(world)[0].text
    hold = await world.hold(order.id)
    assert hold is not None
    assert (hold["state"], hold["kept_by"]) == ("kept", owner)
    detail = (await world.raw("SELECT detail FROM audit_log WHERE event = 'uninstalled'"))[0]["detail"]
    assert detail["told"] == "mailed"


async def test_an_uninstall_that_is_not_true_stops_work_for_an_hour_and_loses_nothing(world: World) -> None:
    await world.rule()
    world.sandbox.faults.add("bigcommerce", "GET", r"/v2/orders/\d+$", "before", status=503, times=1)
    waiting = world.place()

    async def postponed() -> bool:
        return bool(await world.raw("SELECT 1 FROM deliveries WHERE attempt = 1 AND done_at IS NULL"))

    await world.until(postponed)
    before = await store_row(world)
    assert (await visit(world.bc.auth.uninstall_url(world.store))).status_code == 200
    await store_is(world, "uninstalling")
    missed = world.place()
    for probe, minutes in enumerate((1, 10, 60), 1):
        await world.until(lambda n=probe: _probes_done(world, n), said=f"{probe} probes")  # type: ignore[misc]
        assert (await store_row(world))["state"] == "uninstalling"
        assert await world.requests(missed.id) == []
        world.advance(minutes=minutes, seconds=5)
    await store_is(world, "active")
    after = await store_row(world)
    assert (after["access_token"], after["installation"]) == (before["access_token"], before["installation"])
    for order in (waiting, missed):
        await world.request_is(order.id, "sent")
        await world.hold_is(order.id, "held")
    assert not [m.text for m in mails(world) if "uninstalled" in m.text]


async def _probes_done(world: World, count: int) -> bool:
    rows = await world.raw("SELECT count(*) AS n FROM actions WHERE kind = 'probe_uninstall' AND state = 'applied'")
    return bool(rows[0]["n"] == count)


async def test_installing_again_before_the_last_probe_takes_the_uninstall_back(world: World) -> None:
    await world.rule()
    old_key = await get_webhook_key(world.services, world.store_hash)
    assert (await visit(world.bc.auth.uninstall_url(world.store))).status_code == 200
    await world.until(lambda: _probes_done(world, 1))
    await install(world)
    row = await store_is(world, "active")
    assert row["installation"] == 2
    assert await get_webhook_key(world.services, world.store_hash) != old_key
    await world.quiet()
    world.advance(hours=3)
    await tick(world)
    assert (await store_row(world))["state"] == "active"
    # What was sent with the key before is taken for three days: deliveries under way and retries carry it.
    world.bc.webhooks.signed = False
    key_is_taken = {"scope": "store/order/created", "data": {"type": "order", "id": 1}}
    for key, stored in ((old_key, True), ("another", False)):
        body = {
            **key_is_taken,
            "hash": f"hash-{stored}",
            "producer": f"stores/{world.store_hash}",
            "created_at": 1,
            "store_id": "1",
        }
        async with httpx.AsyncClient(trust_env=False) as sender:
            answer = await sender.post(
                f"{world.services.settings.app_url}/webhooks/bigcommerce",
                json=body,
                headers={"X-Countersign-Key": key},
            )
        assert answer.status_code == 200
        rows = await world.raw("SELECT 1 FROM deliveries WHERE key = $1", f"bc:hash-{stored}")
        assert bool(rows) is stored


async def test_installing_again_after_an_uninstall_goes_on_where_it_stood(world: World) -> None:
    rule = await world.rule()
    held, _ = await held_and_sent(world)
    await world.quiet()
    await asyncio.to_thread(world.bc.auth.uninstall, world.store)
    await store_is(world, "uninstalled")
    refused = await visit(world.bc.auth.load_url(world.store))
    assert refused.status_code == 403
    assert "not installed" in refused.text
    await install(world)
    row = await store_is(world, "active")
    assert row["installation"] == 2
    assert (await world.raw("SELECT mode FROM rules WHERE id = $1", rule))[0]["mode"] == "live"
    await repair_account(world)
    new, request = await held_and_sent(world)
    assert str(request["external_id"]).startswith(f"2:{world.store_hash}:")
    await world.sign(request)
    await world.order_is(new.id, 11)
    # The order that stayed held is looked at again by anything that tells of it, and waits for a person.
    await world.command(held.id, "look")
    await world.hold_is(held.id, "kept")
    await world.command(held.id, "ask_again", request_id=(await world.requests(held.id))[-1]["id"], why="We are back")
    again = await world.request_is(held.id, "sent")
    await world.sign(again)
    await world.order_is(held.id, 11)


async def repair_account(world: World) -> None:
    """Enter the client secret again and test the connection, as the settings page does."""
    account = await fetch_account(world.db, world.store_hash, world.account_id)
    assert account is not None
    now, actor = world.services.clock.now(), f"user:{world.store.owner.id}"
    names = ("name", "environment", "tenant", "token_url", "api_root", "client_id", "subscription", "from_email")
    given = {name: str(getattr(account, name)) for name in names}
    given["client_secret"] = world.sandbox.signature.account.client_secret
    await save_account(
        world.db, world.services.secrets, world.store_hash, world.account_id, given, actor=actor, now=now
    )
    assert await ask_test(world.db, world.store_hash, world.account_id, actor=actor, now=now) == "asked"

    async def works() -> bool:
        found = await fetch_account(world.db, world.store_hash, world.account_id)
        return found is not None and found.state == "working"

    await world.until(works, said="the account works")


# Keys that are not accepted any more ----------------------------------------------------------------------


async def test_a_token_that_is_refused_waits_for_consent_and_goes_on(world: World) -> None:
    await world.rule()
    world.bc.auth.revoke(world.store)
    order = world.place()
    await store_is(world, "reconsent")
    task = await world.task("reconsent")
    assert task["alarm"]
    assert await world.requests(order.id) == []
    waiting = await world.raw("SELECT 1 FROM deliveries WHERE done_at IS NULL AND record_id = $1", str(order.id))
    assert waiting
    later = world.place()  # deliveries are kept while the token is away
    await install(world)
    row = await store_is(world, "active")
    assert row["installation"] == 1
    world.advance(minutes=3)
    for each in (order, later):
        await world.request_is(each.id, "sent")
        await world.hold_is(each.id, "held")
    await mailed(world, "does not accept our access any more")
    assert await failed_actions(world) == []
    (task,) = await world.raw("SELECT done_at FROM tasks WHERE kind = 'reconsent'")
    assert task["done_at"] is not None


async def test_a_signature_account_that_is_refused_is_told_once_and_repaired(world: World) -> None:
    await world.rule()
    world.sandbox.signature.lock_out()
    orders = [world.place() for _ in range(2)]
    for order in orders:
        await world.hold_is(order.id, "held")
    await world.task("credentials")
    await mailed(world, "The signature account does not work")
    for _ in range(3):
        world.advance(minutes=5)
        await tick(world)
    assert len(await world.raw("SELECT 1 FROM tasks WHERE kind = 'credentials'")) == 1
    assert len([m for m in mails(world) if "signature account" in m.text]) == 1
    await repair_account(world)
    for order in orders:
        await world.request_is(order.id, "sent")
    assert await failed_actions(world) == []
    (task,) = await world.raw("SELECT done_at FROM tasks WHERE kind = 'credentials'")
    assert task["done_at"] is not None


# Alarms ---------------------------------------------------------------------------------------------------


async def test_a_hold_that_is_late_is_an_alarm_and_the_seconds_are_kept(world: World) -> None:
    await world.rule()
    world.sandbox.faults.add("bigcommerce", "PUT", r"/v2/orders/\d+$", "before", status=503, times=1000)
    order = world.place()
    await world.hold_is(order.id, "holding")
    world.advance(seconds=31)
    await world.task("hold_late")
    await mailed(world, "waits for its hold for more than 30 seconds")
    world.sandbox.faults.clear()
    world.advance(minutes=10)
    hold = await world.hold_is(order.id, "held")
    assert hold["exposed_seconds"] >= 31
    assert hold["alarmed_at"] is not None
    request = await world.request_is(order.id, "sent")
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.quiet()
    assert await world.raw("SELECT 1 FROM tasks WHERE kind = 'hold_late' AND done_at IS NULL") == []
    assert len(mails(world)) == 1


async def _is(asked: Awaitable[Any], wanted: Any) -> bool:
    return bool(await asked == wanted)


async def test_webhooks_that_were_switched_off_are_mended_and_the_gap_is_read_back(world: World) -> None:
    await world.rule()
    await offer_rule(world, kind="quote", groups=((Condition("depth", "at_least", ("20",)),),))
    await world.quiet()
    for hook in world.bc.webhooks.of_store(world.store_hash):
        if hook.scope == "store/quote/created":
            del world.bc.webhooks.hooks[hook.id]
        else:
            hook.is_active, hook.deactivated = False, True
    orders = [world.place() for _ in range(3)]
    quote = raise_quote(world.store, [(world.dear, 4, 25)])
    await asyncio.sleep(0.5)
    assert await world.requests(orders[0].id) == []
    await world.raw("UPDATE sweeps SET due_at = due_at + interval '1 day' WHERE name <> 'hooks'")
    world.advance(minutes=31)
    for order in orders:
        await world.request_is(order.id, "sent")
        await world.hold_is(order.id, "held")
    await world.hold_is(quote, "held", kind="quote")

    async def told() -> Any:
        rows = await world.raw("SELECT name, found FROM sweeps WHERE found_at IS NOT NULL")
        return {r["name"]: (r["found"]["missed"], r["found"]["recovered"]) for r in rows}

    wanted = {"orders": (3, 3), "quotes": (1, 1)}
    await world.until(lambda: _is(told(), wanted), said=f"the sweeps tell {wanted}")
    assert "store/quote/created" in {h.scope for h in world.bc.webhooks.of_store(world.store_hash)}
    assert all(h.is_active for h in world.bc.webhooks.of_store(world.store_hash))
    await mailed(world, "switched webhooks off")


async def test_what_cannot_be_read_is_parked_shown_and_looked_at_again(world: World) -> None:
    await world.rule()
    world.sandbox.faults.add("bigcommerce", "GET", r"/v2/orders/\d+$", "html", status=200, times=1000)
    order = world.place()
    other = RecordKey("order", str(order.id))

    async def parked() -> Any:
        world.advance(hours=1)
        return (await read_health(world.db, world.store_hash, world.services.clock.now())).parked

    (shown,) = await world.until(parked, 40, said="parked")
    assert shown.record == other
    task = await world.task("look_parked")
    assert str(order.id) in task["text"]
    world.sandbox.faults.clear()
    assert await look_again(world.db, world.store_hash, other, world.store.owner.id, world.services.clock.now())
    await world.request_is(order.id, "sent")
    assert not await look_again(world.db, world.store_hash, other, world.store.owner.id, world.services.clock.now())
    (row,) = await world.raw("SELECT done_at, done_by FROM tasks WHERE kind = 'look_parked'")
    assert row["done_by"] == world.store.owner.id


# Over days ------------------------------------------------------------------------------------------------


async def test_reminders_on_days_one_three_and_every_three_more(world: World) -> None:
    await world.rule(expiry_days=30)
    order, request = await held_and_sent(world)
    await world.quiet()

    def resends() -> int:
        return len([c for c in world.sandbox.calls if "resend" in c.path and c.executed and (c.status or 500) < 300])

    async def reminded(times: int) -> None:
        async def asked() -> bool:
            rows = await world.raw("SELECT reminded FROM requests WHERE id = $1", request["id"])
            return bool(rows[0]["reminded"] == times) and resends() == times

        await world.until(asked, said=f"{times} reminders, {resends()} mails")

    day = timedelta(days=1).total_seconds()
    for after_days, times in ((0.9, 0), (0.2, 1), (1.7, 1), (0.3, 2), (2.7, 2), (0.4, 3), (3.1, 4)):
        world.advance(seconds=after_days * day)
        await tick(world)
        await world.quiet()
        await reminded(times)
    await world.sign(request)
    await world.order_is(order.id, 11)
    world.advance(days=4)
    await tick(world)
    await world.quiet()
    assert resends() == 4


async def test_the_staff_note_is_written_once(world: World) -> None:
    await change_settings(world, staff_note=True)
    await world.rule()
    order, request = await held_and_sent(world)
    world.store.orders[order.id].staff_notes = "Call before delivery."
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.quiet()
    for _ in range(2):
        await world.command(order.id, "look")
        await world.quiet()
    notes = world.store.orders[order.id].staff_notes.splitlines()
    assert notes == ["Call before delivery.", f"Signed: request {request['id']}."]


async def test_a_change_that_nobody_decides_applies_itself_after_a_day(world: World) -> None:
    now = world.services.clock.now()
    await world.raw(
        "INSERT INTO users (store_hash, id, email, role, created_at) VALUES ($1, 777, 'two@shop.test', 'manager', $2)",
        world.store_hash,
        now,
    )
    dana = world.people["dana@northfield.test"]
    asked = await changes.ask(
        world.services,
        world.store_hash,
        subject=Subject.LIMIT,
        subject_id=f"{dana}:USD",
        payload={"person_id": dana, "currency": "USD", "up_to": "9000.00", "remove": False},
        summary="Set a limit of $9,000.00",
        user_id=world.store.owner.id,
    )

    async def limit() -> str:
        rows = await world.raw("SELECT up_to FROM approval_limits WHERE person_id = $1", dana)
        return str(rows[0]["up_to"].normalize().to_eng_string())

    assert asked.state == "waiting"
    world.advance(hours=23, minutes=59)
    await tick(world)
    assert await limit() == "2E+3"
    world.advance(minutes=2)
    await tick(world)
    assert await limit() == "9E+3"


# Proof ----------------------------------------------------------------------------------------------------


async def test_the_audit_log_is_sealed_and_a_changed_line_is_noticed(world: World) -> None:
    await world.rule()
    order, request = await held_and_sent(world)
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.quiet()
    await seal(world.services)
    chain = await verify(world.db, world.store_hash)
    assert chain.holds
    assert chain.unsealed == 0
    assert chain.sealed > 5
    with pytest.raises(Exception, match="takes new rows only"):
        await world.raw("UPDATE audit_log SET actor = 'user:1' WHERE store_hash = $1", world.store_hash)
    # Somebody with the database's own powers switches that off.
    await world.raw("ALTER TABLE audit_log DISABLE TRIGGER audit_log_insert_only")
    (line,) = await world.raw("SELECT id FROM audit_log WHERE event = 'completion_checked'")
    await world.raw("UPDATE audit_log SET actor = 'user:1' WHERE id = $1", line["id"])
    changed = await verify(world.db, world.store_hash)
    assert [w for w in changed.wrong if f"Line {line['id']} " in w and "changed" in w]
    assert len(changed.wrong) == 1
    await world.raw("DELETE FROM audit_log WHERE id = $1", line["id"])
    assert "was removed" in (await verify(world.db, world.store_hash)).wrong[0]
    # A line that is put in afterwards stands unsealed until the worker seals it at the end, never in between.
    assert (await verify(world.db, world.store_hash)).sealed == chain.sealed


# Other documents ------------------------------------------------------------------------------------------


async def test_an_uploaded_pdf_is_sent_with_a_signature_page(world: World) -> None:
    content = pdf_of("Terms of the house, page one", "Terms of the house, page two")
    row = await store_row(world)
    key = world.services.secrets.unwrap(bytes(row["data_key"]), store_hash=world.store_hash)
    async with world.db.transaction():
        kept = await chunks.keep(world.db, key, world.store_hash, content)
    agreement = await add_agreement(
        world.db,
        world.store_hash,
        name="House terms",
        text=Text("pdf", "House terms", content=kept),
        author=world.store.owner.id,
        now=world.services.clock.now(),
    )
    await world.rule(agreement_id=agreement)
    order, request = await held_and_sent(world)
    document = world.sandbox.signature.find(str(request["provider_document"]))
    pages = page_texts(document.pages or b"")
    assert len(pages) == 3
    assert "page one" in pages[0]
    await world.sign(request)
    await world.order_is(order.id, 11)


async def template_agreement(world: World) -> tuple[int, Any]:
    """An agreement made of the service's own template with one signer, frozen as the panel does."""
    template = next(t for t in world.sandbox.signature.store.templates.values() if t.name == "Supplier agreement")
    client = await Vendors(world.services).signature(world.store_hash, world.account_id)
    read = await client.fetch_template(template.uuid)
    assert read is not None
    frozen = {
        "account_id": world.account_id,
        "uuid": template.uuid,
        "name": template.name,
        "placeholders": freeze_template(template_as_read(read)),
        "mapping": {"tax_number": "order.id"},
    }
    agreement = await add_agreement(
        world.db,
        world.store_hash,
        name="From the service",
        text=Text("template", "From the service", template=frozen),
        author=world.store.owner.id,
        now=world.services.clock.now(),
    )
    return agreement, template


async def test_a_template_of_the_service_arrives_filled_in(world: World) -> None:
    agreement, _ = await template_agreement(world)
    await world.rule(agreement_id=agreement)
    order, request = await held_and_sent(world)
    document = world.sandbox.signature.find(str(request["provider_document"]))
    assert document.asked["prefill_tags"] == [{"external_id": "tax_number", "text": str(order.id)}]
    await world.sign(request, inputs={"terms_read": True})
    await world.order_is(order.id, 11)
    done = await world.request_is(order.id, "completed")
    assert done["checked"] == "right"
    assert f'"{order.id}"' in str(done["inputs"]).replace("'", '"')


@pytest.mark.parametrize("what", ["changed", "deleted"])
async def test_a_template_that_was_changed_pauses_the_rule_and_sends_nothing(world: World, what: str) -> None:
    agreement, template = await template_agreement(world)
    rule = await world.rule(agreement_id=agreement)
    if what == "changed":
        template.fields.pop()
    else:
        del world.sandbox.signature.store.templates[template.uuid]
    order = world.place()
    task = await world.task("template_drift")
    assert ("was removed" if what == "changed" else "deleted") in task["text"]
    await mailed(world, f"{what} at the signature service")
    await world.quiet()
    assert world.sandbox.signature.store.requests == {}
    assert (await world.raw("SELECT paused_why FROM rules WHERE id = $1", rule))[0]["paused_why"]
    await world.hold_is(order.id, "kept")
    later = world.place()
    await world.quiet()
    assert await world.requests(later.id) == []


# Two stores -----------------------------------------------------------------------------------------------


class Tenant(World):
    """One of the two seeded stores in the same world, blind for the other one's rows."""

    is_second = False

    @property
    def store(self) -> Any:
        return self.bc.stranger if self.is_second else self.bc.store

    async def requests(self, order_id: int, kind: str = "") -> list[dict[str, Any]]:
        return [r for r in await super().requests(order_id, kind) if r["store_hash"] == self.store_hash]

    async def hold(self, order_id: int, kind: str = "") -> dict[str, Any] | None:
        sql = "SELECT * FROM holds WHERE record_id = $1 AND store_hash = $2 AND record_kind LIKE $3"
        rows = await self.raw(sql, str(order_id), self.store_hash, kind or "%")
        return rows[0] if rows else None

    def writes(self, order_id: int, method: str = "PUT") -> list[dict[str, Any]]:
        path = f"/stores/{self.store_hash}/v2/orders/{order_id}"
        return [c.body for c in self.sandbox.calls if c.method == method and c.executed and c.path == path]


class Second(Tenant):
    is_second = True


async def test_two_stores_share_a_signature_account_and_nothing_else(bare_world: World) -> None:
    world = Tenant(bare_world.sandbox, bare_world.server, bare_world.services)
    neighbour = Second(bare_world.sandbox, bare_world.server, bare_world.services)
    await set_up(world)
    await set_up(neighbour)
    await world.rule()
    await neighbour.rule()
    mine, my_request = await held_and_sent(world)
    theirs, their_request = await held_and_sent(neighbour)
    await world.quiet()
    my_document = world.sandbox.signature.find(str(my_request["provider_document"]))
    their_document = world.sandbox.signature.find(str(their_request["provider_document"]))
    my_url, their_url = (str(d.asked["events_callback_url"]) for d in (my_document, their_document))
    assert f"/{world.store_hash}." in my_url
    assert f"/{neighbour.store_hash}." in their_url

    before = await world.raw("SELECT count(*) AS n FROM deliveries")
    crossed = my_url.replace(f"/{world.store_hash}.", f"/{neighbour.store_hash}.")
    body = {"uuid": "00000000-0000-4000-8000-000000000001", "status": "ok", "event_type": "signed"}
    async with httpx.AsyncClient(trust_env=False) as sender:
        assert (await sender.post(crossed, json=body)).status_code == 200
        assert await world.raw("SELECT count(*) AS n FROM deliveries") == before
        # Their document named at my address: my request reads my document again, and nothing moves.
        named = {**body, "document": {"uuid": str(their_request["provider_document"]), "status": "si"}}
        assert (await sender.post(my_url, json=named)).status_code == 200
    await world.quiet()
    for order, each in ((mine, world), (theirs, neighbour)):
        assert [r["status"] for r in await each.requests(order.id)] == ["sent"]

    await world.sign(my_request)
    await world.order_is(mine.id, 11)
    await world.quiet()
    assert mine.id == theirs.id  # the same number in both stores: only the store tells them apart
    assert [r["status"] for r in await neighbour.requests(theirs.id)] == ["sent"]
    assert [w["status_id"] for w in neighbour.writes(theirs.id)] == [12]
    await neighbour.sign(their_request)
    await neighbour.order_is(theirs.id, 11)

    # A slow answer to the one keeps the sweeps of the other waiting no more than its webhooks.
    asked, answered = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        answered.wait(PATIENCE)

    world.sandbox.faults.add("bigcommerce", "GET", f"/stores/{world.store_hash}/v2/orders$", "late", hook=wait)
    slow = asyncio.create_task(world.swept("orders"))
    try:
        assert await asyncio.to_thread(asked.wait, PATIENCE)
        await neighbour.swept("orders")
        assert not slow.done()
    finally:
        answered.set()
    await slow
