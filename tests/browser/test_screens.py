"""Every screen, empty, filled, refused and with its dialogs, in the control panel's frame, from wide to narrow.

Nothing is inaccessible by axe's rules, nothing scrolls sideways, no content policy is broken, no script fails.
BROWSER_PICTURES=folder leaves a picture of each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FrameLocator

from bcapp.core.acceptances import Party, PartyKind
from bcapp.core.actions import ActionKind
from bcapp.core.conditions import Condition
from bcapp.core.imports import read_sheet
from bcapp.core.model import RecordKey
from bcapp.core.rules import RuleDefinition
from bcapp.core.rules import Step as EscalationStep
from bcapp.core.suppliers import heading_problem, read_lines
from bcapp.db.acceptances import add_import, apply_import, exempt
from bcapp.db.actions import queue_action
from bcapp.db.calendars import save_calendar
from bcapp.db.panel_requests import data_key
from bcapp.db.papers import add_paper
from bcapp.db.past import begin_tryout, fetch_tryout
from bcapp.db.rules import add_rule
from bcapp.db.stores import fetch_store
from bcapp.db.suppliers import add_import as add_list
from bcapp.db.suppliers import fetch_supplier, invite_supplier, set_state
from bcapp.jobs.papers import accept, accept_of_applicant, hand_in, refuse
from tests.browser.doors import axe_on, furnish_doors, sign_path
from tests.fixtures.accounts import TYPED, Accounts
from tests.fixtures.browser import Stage, Visitor, open_stage
from tests.fixtures.cases import case_is, fetch, start_case
from tests.fixtures.suppliers import supplier, supplier_rule
from tests.fixtures.world import World, furnish

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PNG = b"\x89PNG\r\n\x1a\n" + b"certificate" * 30_000 + b"IEND\xaeB`\x82"
SIZES = ((1280, 900), (560, 900), (390, 844))
SIDEWAYS = """() => [...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .filter((e) => !e.closest('.table, .tabs, .pills, .hidden-text, .paper, [hidden]'))
    .map((e) => e.outerHTML.slice(0, 160)).slice(0, 5)
    .concat(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ['the page itself'] : [])"""

LAID_OUT = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

Step = Callable[[FrameLocator], Awaitable[None]]


@dataclass
class Bench:
    """The stage, a window with the app open, and the numbers that paths name: {"sent": 3, "person": 1, ...}."""

    stage: Stage
    visitor: Visitor
    ids: dict[str, int] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return self.stage.world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bare(chromium: Browser, module_dsn: str) -> AsyncIterator[Bench]:
    """The app as it is right after its installation."""
    async with open_stage(module_dsn, chromium) as stage:
        async with stage.visitor() as visitor:
            await visitor.page.goto(stage.panel(f"/manage/{stage.hash}"))
            await visitor.page.get_by_role("button", name="Install").click()
            await visitor.app.get_by_role("link", name="Open Countersign").wait_for()
            await visitor.open_app()
            yield Bench(stage, visitor)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def furnished(bare: Bench) -> Bench:
    """The same after some weeks: rules in every mode, and an order for each way that one can go."""
    world = bare.world
    await furnish(world)
    people = list(world.store.customers.values())

    def place(number: int, sku: str, quantity: int) -> int:
        person = people[number]
        return int(world.store.place_order(lines=[(sku, quantity)], customer_id=person["id"], payment="paid").id)

    ids = bare.ids
    async with world.db.transaction():
        office = await save_calendar(
            world.db,
            world.store_hash,
            0,
            name="Business days",
            weekdays=frozenset(range(5)),
            holidays=frozenset({date(2026, 12, 25)}),
            version=0,
            author=world.store.owner.id,
            now=world.services.clock.now(),
        )
    assert office is not None
    ids["calendar"] = office.id
    cleo = world.people["cleo@northfield.test"]
    steps = (EscalationStep(1, "remind"), EscalationStep(2, "escalate", person=cleo))
    ids["rule"] = await world.rule("Large orders", steps=steps, calendar_id=office.id)
    ids["monitored"] = await world.rule("Kayaks by freight", live=False, at_least="3000.00")
    ids["agreement"], ids["person"] = world.agreement_id, world.people["dana@northfield.test"]
    ids["account"] = world.account_id
    await world.raw("UPDATE rules SET mode = 'monitor' WHERE id = $1", ids["monitored"])
    await world.raw(
        "INSERT INTO users (store_hash, id, email, role, person_id, created_at) VALUES ($1, 2400102, $2, $3, $4, $5)",
        world.store_hash,
        "marcus.reyes@northfield.example",
        "manager",
        world.people["cleo@northfield.test"],
        world.services.clock.now(),
    )
    orders = {
        "released": place(1, "TENT-4", 2),
        "sent": place(2, "KAYAK-17", 1),
        "declined": place(3, "OPT-TH1", 1),
        "bounced": place(4, "BOOT-M", 3),
        "untouched": place(5, "SOCK-3", 1),
    }
    requests = {name: await world.request_is(n, "sent") for name, n in orders.items() if name != "untouched"}
    signature = world.sandbox.signature
    await world.sign(requests["released"])
    document, email = (str(requests["declined"]["provider_document"]), people[3]["email"])
    signature.decline(document, email, "The price is not what we agreed on.")
    signature.bounce(people[4]["email"])
    await world.request_is(orders["declined"], "declined")
    await world.hold_is(orders["released"], "released")
    await world.quiet()
    ids["tried"] = await try_out(world, ids["monitored"])
    await sign_once(world, ids)
    ids["company"] = await approve_company(world)
    for name, number in orders.items():
        ids[f"order_{name}"] = number
        if name != "untouched":
            ids[f"request_{name}"] = int(requests[name]["id"])
    await register_some(world, ids)
    await add_suppliers(world, ids)
    await open_cases(world, ids)
    await sign_elsewhere(world, ids)
    await hand_in_papers(world, ids)
    await count_companies(world, ids)
    shipped = "UPDATE records SET facts = facts || '{\"status_id\": 2}' WHERE kind = 'order' AND id = $1"
    await world.raw(shipped, str(ids["order_declined"]))
    await furnish_doors(world, ids)
    await world.raw(
        "UPDATE signers SET person_id = (SELECT person_id FROM users WHERE id = $1) WHERE request_id = ANY($2)",
        world.store.owner.id,
        [ids["request_sent"], ids["request_released"]],
    )
    return bare


async def hand_in_papers(world: World, ids: dict[str, int]) -> None:
    """What the supplier sent waits, what came before was refused, staff's own counts; a case has two files."""
    now, owner, store_hash = world.services.clock.now(), world.store.owner.id, world.store_hash
    key, number = await data_key(world.db, world.services.secrets, store_hash), ids["supplier"]
    store, supplies = await fetch_store(world.db, store_hash), RecordKey("supplier", str(number))
    assert key is not None
    assert store is not None

    async def send(name: str, by: int = 0) -> int:
        found = await hand_in(
            world.db, key, store_hash, supplies,
            name=name, content=PNG, media="image/png", by=by, request_id=None, now=now,
        )  # fmt: skip
        assert found is not None
        return found

    facts = await fetch_supplier(world.db, store_hash, number)
    assert facts is not None
    soon = now.date() + timedelta(days=20)
    assert await accept(world.db, store, facts, await send("tax_form", owner), expires_on=soon, by=owner, now=now)
    why = "The second page is missing, and the stamp cannot be read. Please scan it again in colour."
    refused = await send("insurance")
    assert await refuse(world.services, store_hash, supplies, refused, why=why, by=owner, now=now)
    ids["paper"] = await send("insurance")
    company = RecordKey("company", str(ids["company"]))
    for name, by in (("licence", owner), ("certificate", 0)):
        found = await hand_in(
            world.db,
            key,
            store_hash,
            company,
            name=name,
            content=PNG,
            media="image/png",
            by=by,
            request_id=None,
            now=now,
        )
        assert found is not None
        if by:
            assert await accept_of_applicant(world.db, store_hash, company, found, expires_on=soon, by=by, now=now)
        ids["company_paper"] = found
    for content in (PNG, PNG[:-12] + b"another" + PNG[-12:]):
        async with world.db.transaction():
            await add_paper(
                world.db, key, store_hash, RecordKey("case", str(ids["case_open"])),
                name=hashlib.sha256(content).hexdigest()[:32], content=content, media="image/png", by=owner,
                request_id=None, now=now,
            )  # fmt: skip


async def count_companies(world: World, ids: dict[str, int]) -> None:
    """A rule about companies whose going live would touch some that exist."""
    ids["for_companies"] = await Accounts(world).rule(name="Trade accounts", is_live=False)
    groups = [
        {"key": "0", "label": "Pending", "count": 12, "money": {}, "records": ["1"]},
        {"key": "1", "label": "Approved", "count": 431, "money": {}, "records": ["2"]},
    ]
    await world.raw(
        "INSERT INTO backlogs (store_hash, rule_id, state, cursor, groups, updated_at)"
        " VALUES ($1, $2, 'counted', $3, $4, $5)",
        world.store_hash, ids["for_companies"], {"more": True, "counted": 2000}, groups, world.services.clock.now(),
    )  # fmt: skip


async def sign_elsewhere(world: World, ids: dict[str, int]) -> None:
    """A document that may belong to one order, and two that were linked to another: one is kept, one gone."""
    email, now = "a.person.with.quite.a.long.address@buyer.example", world.services.clock.now()
    for n, (order, state, kept) in enumerate(
        (("sent", "suggested", None), ("released", "linked", b"k" * 32), ("released", "linked", None)), start=1
    ):
        await world.raw(
            "INSERT INTO outside_documents (store_hash, account_id, document, record_kind, record_id, reasons, name,"
            " signers, signed_at, state, found_at, decided_at, decided_by, signed_sha256, log_sha256, kept_at, gone)"
            " VALUES ($1, $2, $3, 'order', $4, '{signer,template}', 'Framework contract for the season', $5, $6, $7,"
            " $6, $6, $8, $9, $9, $6, $10)",
            world.store_hash, world.account_id, UUID(int=n), str(ids[f"order_{order}"]),
            [{"email": email, "signed_at": now.isoformat()}], now, state, world.store.owner.id, kept,
            state == "linked" and kept is None,
        )  # fmt: skip


async def open_cases(world: World, ids: dict[str, int]) -> None:
    """A case that waits, one whose lines are being chosen, one that needs a decision, and a refund without any."""
    now, order = world.services.clock.now(), world.store.orders[ids["order_released"]]
    ids["case_open"] = await start_case(world, order, note="The seam is torn; pictures are with the customer service.")
    ids["case_draft"] = await start_case(world, order, pieces=0, draft=True)
    ids["case_stuck"] = await start_case(world, order, "exception", amount="12.50")
    for name in ("open", "stuck"):
        await case_is(world, ids[f"case_{name}"], "open")

    async def read() -> bool:
        return bool((await fetch(world, ids["case_draft"]))["currency"])

    await world.until(read, said="the draft's lines are read")
    await world.quiet()
    why = "The payment service declined the refund. Pay it another way, or try again."
    await world.raw("UPDATE cases SET state = 'stuck', state_why = $2 WHERE id = $1", ids["case_stuck"], why)
    await world.raw(
        "INSERT INTO case_refunds (store_hash, refund_id, order_id, ours, approved, state, amount, currency, made_by,"
        " made_at, seen_at) VALUES ($1, 99, $2, false, false, 'settled', 12.5, 'USD', $3, $4, $4)",
        world.store_hash, order.id, world.store.owner.id, now,
    )  # fmt: skip


async def register_some(world: World, ids: dict[str, int]) -> None:
    """A rule about warranties that is off, and two registrations of the order that was released."""
    now, order = world.services.clock.now(), str(ids["order_released"])
    definition = RuleDefinition(customer=True, agreement_id=world.agreement_id, account_id=world.account_id)
    await add_rule(
        world.db, world.store_hash, name="Tents for two years", workflow="warranty", definition=definition,
        author=world.store.owner.id, now=now,
    )  # fmt: skip
    for piece, state in ((1, "active"), (2, "not_activated")):
        rows = await world.raw(
            "INSERT INTO registrations (store_hash, order_id, item_id, piece, quantity, product_id, sku, name, cover,"
            " serial, serial_key, serial_from, starts_on, ends_on, state, state_why, buyer, created_at, request_id)"
            " VALUES ($1, $2, 1, $3, 1, 7, 'TENT-4', 'Alpine tent for four with a vestibule', 'warranty', $4, $4,"
            " 'signer', $5, $6, $7, 'the buyer declined', 'Ann Lee', $8, $9) RETURNING id",
            world.store_hash, order, piece, f"NF2039{piece}", now.date(), now.date() + timedelta(days=729), state, now,
            ids["request_released"],
        )  # fmt: skip
        ids[f"registration_{state}"] = rows[0]["id"]


async def add_suppliers(world: World, ids: dict[str, int]) -> None:
    """A supplier whose products are hidden until it signs, one that is deactivated, and a list that waits."""
    await supplier_rule(world, internal=False, options=(("hide", "all"),))
    number = ids["supplier"] = await supplier(world, "Granite Peak Mountaineering Ltd", invite=False)
    now, author, store = world.services.clock.now(), world.store.owner.id, world.store_hash
    async with world.db.transaction():
        count = ActionKind.COUNT_PRODUCTS
        await queue_action(world.db, store, count, RecordKey("supplier", str(number)), now)
        sheet = b"name,signatory_email,brands\nPeak,bo@peak.example,Peak\nBo,bo,\n"
        lines = read_lines(read_sheet(sheet, heading_problem))
        ids["supplier_list"] = await add_list(
            world.db, store, file_name="suppliers-of-2026.csv", lines=lines, invite=True, author=author, now=now
        )
        await queue_action(
            world.db, store, ActionKind.IMPORT_SUPPLIERS, RecordKey("supplier_import", str(ids["supplier_list"])), now
        )
    await world.quiet()
    await invite_supplier(world.db, store, number, hide_all=True, author=author, now=now)
    ids["request_supplier"] = int((await world.request_is(number, "sent", kind="supplier"))["id"])
    other = await supplier(world, "Former supplier", covers=())
    async with world.db.transaction():
        await set_state(world.db, store, other, "inactive", author=author, now=now)


async def approve_company(world: World) -> int:
    """A company that applied, signed, and was let in."""
    accounts = Accounts(world)
    await accounts.rule(internal=False, options={"approved_group": "4"})
    company = accounts.apply("Bergsport Huber", extra={"Tax number": "DE 123"})
    request = await accounts.sent(company.id, "customer")
    await world.hold_is(company.id, "held")
    await world.sign(request, inputs=TYPED)
    await world.hold_is(company.id, "released")
    return company.id


async def sign_once(world: World, ids: dict[str, int]) -> None:
    """Earlier signatures brought in, one of them for a version that a campaign replaces, and an exemption."""
    now, author, store = world.services.clock.now(), world.store.owner.id, world.store_hash
    people = [str(number) for number in world.store.customers][:2]
    lines: list[dict[str, str]] = [
        {"agreement": "Terms of sale", "signed_on": "2024-03-12", "customer_id": people[0], "name": "Ann Lee"},
        {"agreement": "Terms of sale", "signed_on": "12.03.2024", "customer_id": people[1]},
    ]
    given = list(enumerate(lines, start=2))
    for name in ("applied", "checked"):
        number = await add_import(
            world.db, store, file_name=f"{name}.csv", files={}, rows=given, author=author, now=now
        )
        ids[f"import_{name}"] = number

        async def stands(number: int = number) -> str:
            return str((await world.raw("SELECT state FROM imports WHERE id = $1", number))[0]["state"])

        async def checked(stands: Callable[[], Awaitable[str]] = stands) -> bool:
            return await stands() == "checked"

        async def applied(stands: Callable[[], Awaitable[str]] = stands) -> bool:
            return await stands() == "applied"

        await world.until(checked, said=f"{name}.csv is looked at")
        if name == "applied":
            assert await apply_import(world.db, store, number, author, now)
            await world.until(applied, said=f"{name}.csv is brought in")
    ids["acceptance"] = (await world.raw("SELECT id FROM acceptances"))[0]["id"]
    party = Party(PartyKind.CUSTOMER, people[1])
    ids["exemption"] = await exempt(
        world.db, store, party, "Bo Buyer", 0, now + timedelta(days=30), "a framework contract stands", author, now
    )
    rows = await world.raw(
        "INSERT INTO campaigns"
        " (store_hash, agreement_id, version, account_id, per_hour, grace_until, author, started_at)"
        " VALUES ($1, $2, 2, $3, 5, $4, 1, $5) RETURNING id",
        store,
        world.agreement_id,
        world.account_id,
        now + timedelta(days=30),
        now,
    )
    ids["campaign"] = rows[0]["id"]


async def try_out(world: World, rule_id: int) -> int:
    """Try a definition like a rule's on what was placed, and return the try's number."""
    wide = RuleDefinition(groups=((Condition("total", "at_least", ("400.00 USD",)),),), customer=True)
    number = await begin_tryout(
        world.db, world.store_hash, "order", wide, author=1, now=world.services.clock.now(), name="Kayaks by freight",
        rule_id=rule_id, rule_version=1,
    )  # fmt: skip

    async def counted() -> bool:
        tryout = await fetch_tryout(world.db, world.store_hash, number)
        return tryout is not None and tryout.state == "counted" and tryout.whole

    await world.until(counted, 40, "the try is counted")
    return number


@dataclass(frozen=True)
class Screen:
    """path: below /s/{hash}/, with {names} of Bench.ids. step: what is done there first, if anything."""

    name: str
    path: str
    step: Step | None = None


def press(name: str, shown: str) -> Step:
    """Press a button without the browser's own checks of a form; wait for what it brings."""

    async def step(app: FrameLocator) -> None:
        button = app.locator("#page").get_by_role("button", name=name, exact=True).first
        # Of the button's own form: what stood there before may still be giving way to this page.
        await button.evaluate("(button) => { if (button.form) button.form.noValidate = true; }")
        await button.click()
        await app.locator(shown).first.wait_for()

    return step


def dialog(name: str, submit: str = "") -> Step:
    """Open the dialog behind a button; with `submit`, press that in it and wait for the refusal."""

    async def step(app: FrameLocator) -> None:
        await (
            app.locator("#page")
            .get_by_role("button", name=name)
            .or_(app.locator("#page").get_by_role("link", name=name))
            .first.click()
        )
        await app.locator("dialog[open]").wait_for()
        if submit:
            await app.locator("body").evaluate("() => { for (const f of document.forms) f.noValidate = true; }")
            for box in await app.locator("dialog[open] input[type=number]").all():
                await box.fill("0")
            await app.locator("dialog[open]").get_by_role("button", name=submit, exact=True).click()
            await app.locator("dialog[open] .field__error, dialog[open] [role=alert]").first.wait_for()

    return step


def fill(label: str, value: str, then: Step) -> Step:
    async def step(app: FrameLocator) -> None:
        await app.get_by_label(label, exact=True).fill(value)
        await then(app)

    return step


def wait(shown: str) -> Step:
    async def step(app: FrameLocator) -> None:
        await app.locator(shown).first.wait_for()

    return step


def wait_for(shown: str) -> Step:
    async def step(app: FrameLocator) -> None:
        await app.locator(shown).first.wait_for()

    return step


def unfold(summary: str, then: Step) -> Step:
    async def step(app: FrameLocator) -> None:
        await app.locator("summary").get_by_text(summary, exact=True).click()
        await then(app)

    return step


def choose_field(label: str, shown: str) -> Step:
    """Choose another field of the first condition, and wait for what it brings."""

    async def step(app: FrameLocator) -> None:
        await app.locator("[name='c.0.0.field']").select_option(label=label)
        await app.locator(shown).first.wait_for()

    return step


NEW_RULE = "rules/new?workflow=order_approval"
REFUSED = "[role=alert] .message__title"

EMPTY = [
    Screen("home", ""),
    Screen("welcome", "welcome"),
    Screen("welcome-refused", "welcome", press("Save and test", shown=REFUSED)),
    Screen("welcome-2", "welcome?step=2"),
    Screen("welcome-2-refused", "welcome?step=2", press("Save and go on", shown=REFUSED)),
    Screen("welcome-3", "welcome?step=3"),
    Screen("welcome-4", "welcome?step=4"),
    Screen("requests", "requests"),
    Screen("orders", "orders"),
    Screen("rules", "rules"),
    Screen("rule-new", NEW_RULE),
    Screen("approvals", "approvals"),
    Screen("companies", "companies"),
    Screen("agreements", "agreements"),
    Screen("acceptances", "acceptances"),
    Screen("exemptions", "acceptances/exemptions"),
    Screen("campaigns", "acceptances/campaigns"),
    Screen("cases", "cases"),
    Screen("refunds", "cases/refunds"),
    Screen("suppliers", "suppliers"),
    Screen("supplier-lists", "suppliers/lists"),
    Screen("registrations", "registrations"),
    Screen("registration-new-without-a-rule", "registrations/new"),
    Screen("accounts", "settings/accounts"),
    Screen("endpoints", "settings/endpoints"),
    Screen("api-keys", "settings/api"),
    Screen("calendars", "people/calendars"),
    Screen("changes", "people/changes"),
]

FILLED = [
    Screen("home", ""),
    Screen("help", "help"),
    Screen("welcome", "welcome"),
    Screen("requests", "requests"),
    Screen("requests-none", "requests?q=nobody"),
    Screen("request-sent", "requests/{request_sent}"),
    Screen("request-signed", "requests/{request_released}"),
    Screen("request-declined", "requests/{request_declined}"),
    Screen("request-bounced", "requests/{request_bounced}"),
    Screen("cancel", "requests/{request_sent}", dialog("Cancel request")),
    Screen("cancel-refused", "requests/{request_sent}", dialog("Cancel request", "Cancel request")),
    Screen("ask-again", "requests/{request_declined}", dialog("Ask again")),
    Screen("mend", "requests/{request_bounced}", dialog("Correct address")),
    Screen("mend-refused", "requests/{request_bounced}", dialog("Correct address", "Ask at this address")),
    Screen("approvals", "approvals"),
    Screen("promotions", "promotions"),
    Screen("promotion-unseen", "promotions/99999"),
    Screen("orders", "orders"),
    Screen("order-sent", "orders/{order_sent}"),
    Screen("order-released", "orders/{order_released}"),
    Screen("order-untouched", "orders/{order_untouched}"),
    Screen("order-unseen", "orders/99999"),
    Screen("order-beside", "orders/{order_sent}/signatures"),
    Screen("outside", "outside"),
    Screen("orders-unsigned", "orders?hold=unsigned"),
    Screen("customer-beside", "customers/1/agreements"),
    Screen("product-beside", "products/77/requirements"),
    Screen("send", "orders/{order_untouched}", dialog("Send for signature")),
    Screen("send-refused", "orders/{order_untouched}", dialog("Send for signature", "Send for signature")),
    Screen("send-page", "orders/{order_untouched}/send"),
    Screen("release", "orders/{order_sent}", dialog("Release by hand")),
    Screen("companies", "companies"),
    Screen("company", "companies/{company}"),
    Screen("company-paper-upload", "companies/{company}/papers/upload"),
    Screen("company-paper", "companies/{company}/papers/{company_paper}"),
    Screen("company-undo", "companies/{company}", dialog("Undo the approval")),
    Screen("rules", "rules"),
    Screen("rules-archived", "rules?show=archived"),
    Screen("rule", "rules/{rule}"),
    Screen("rule-refused", "rules/{rule}", fill("Name of the rule", "", press("Save", shown=REFUSED))),
    Screen("rule-archive", "rules/{rule}", dialog("Archive")),
    Screen("rule-versions", "rules/{rule}/versions"),
    Screen("rule-live", "rules/{monitored}/live"),
    Screen("rule-live-companies", "rules/{for_companies}/live"),
    Screen("rule-try", "rules/{rule}/try"),
    Screen("rule-monitor", "rules/{monitored}/monitor"),
    Screen("tryout", "tries/{tried}"),
    Screen("try-new", "tries/new?kind=customer"),
    Screen("try-new-refused", "tries/new", press("Try", shown=REFUSED)),
    Screen("what-if", "what-if"),
    Screen("what-if-order", "what-if?number={order_sent}&draft={tried}"),
    Screen("what-if-refused", "what-if?number={order_sent}", fill("Order total", "", press("What if", shown=REFUSED))),
    Screen("rule-choose", "rules/new"),
    Screen("rule-new", NEW_RULE),
    Screen("rule-new-account", "rules/new?workflow=account_approval"),
    Screen("rule-pick", NEW_RULE, choose_field("Category", "select[multiple]")),
    Screen("rule-condition", NEW_RULE, press("Or …", shown="[name='c.0.1.field']")),
    Screen("rule-check", "rules/check"),
    Screen("rule-band", NEW_RULE, unfold("Limits table", press("Add a line", shown="[name='b.0.up_to']"))),
    Screen("rule-step", NEW_RULE, unfold("While nobody signs", press("Add a step", shown="[name='s.0.do']"))),
    Screen("agreements", "agreements"),
    Screen("agreement-new", "agreements/new"),
    Screen("agreement-text", "agreements/new?source=text"),
    Screen("agreement-refused", "agreements/new?source=text", press("Save", shown=REFUSED)),
    Screen("agreement-pdf-refused", "agreements/new?source=pdf", press("Save", shown=REFUSED)),
    Screen("agreement-template", "agreements/new?source=template"),
    Screen("agreement", "agreements/{agreement}"),
    Screen("agreement-language", "agreements/{agreement}?language=de"),
    Screen(
        "agreement-record",
        "agreements/{agreement}",
        fill("Order number (optional)", "999999", wait("text=is not stored here")),
    ),
    Screen("agreement-check", "agreements/{agreement}", press("Check the fields", shown="#check table")),
    Screen("agreement-version", "agreements/{agreement}/versions/1"),
    Screen("binding-refused", "agreements/{agreement}/bindings/new", press("Save", shown=REFUSED)),
    Screen("agreement-versions", "agreements/{agreement}/versions"),
    Screen("acceptances", "acceptances"),
    Screen("acceptances-none", "acceptances?q=nobody"),
    Screen("acceptance", "acceptances/{acceptance}"),
    Screen("acceptance-revoke", "acceptances/{acceptance}", dialog("Revoke")),
    Screen("exemptions", "acceptances/exemptions"),
    Screen("exempt-refused", "acceptances/exemptions", dialog("Exempt a customer", "Exempt")),
    Screen("imports", "acceptances/imports"),
    Screen("imports-refused", "acceptances/imports", press("See what matches", shown=REFUSED)),
    Screen("import", "acceptances/imports/{import_checked}"),
    Screen("import-applied", "acceptances/imports/{import_applied}"),
    Screen("campaigns", "acceptances/campaigns"),
    Screen("campaign", "acceptances/campaigns/{campaign}"),
    Screen("cases", "cases"),
    Screen("cases-none", "cases?q=77777"),
    Screen("own-quotes", "own-quotes"),
    Screen("own-quote-new-refused", "own-quotes/new", press("Make the quote", shown=REFUSED)),
    Screen("case-new-refused", "cases/new", press("Go on", shown=REFUSED)),
    Screen("case-lines", "cases/{case_draft}/lines"),
    Screen("case-lines-refused", "cases/{case_draft}/lines", press("Have it calculated", shown=REFUSED)),
    Screen("case", "cases/{case_open}"),
    Screen("case-file-new", "cases/{case_open}/files/new"),
    Screen("case-stuck", "cases/{case_stuck}"),
    Screen("case-refuse", "cases/{case_stuck}", dialog("Refuse", "Refuse")),
    Screen("refunds", "cases/refunds"),
    Screen("suppliers", "suppliers"),
    Screen("suppliers-none", "suppliers?q=nobody"),
    Screen("supplier", "suppliers/{supplier}"),
    Screen("supplier-edit", "suppliers/{supplier}/edit"),
    Screen("supplier-new-refused", "suppliers/new", press("Add the supplier", shown=REFUSED)),
    Screen("supplier-invite", "suppliers/{supplier}", dialog("Products while unsigned")),
    Screen("supplier-papers", "suppliers/{supplier}", dialog("Enter papers")),
    Screen("supplier-paper-upload", "suppliers/{supplier}/papers/upload"),
    Screen("supplier-paper", "suppliers/{supplier}/papers/{paper}"),
    Screen("supplier-deactivate", "suppliers/{supplier}", dialog("Deactivate")),
    Screen("supplier-lists-refused", "suppliers/lists", press("See what it means", shown=REFUSED)),
    Screen("supplier-list", "suppliers/lists/{supplier_list}"),
    Screen("registrations", "registrations"),
    Screen("registrations-found", "registrations?q=NF-20391"),
    Screen("registrations-none", "registrations?q=77"),
    Screen("registration", "registrations/{registration_active}"),
    Screen("registration-not-activated", "registrations/{registration_not_activated}"),
    Screen("registration-end", "registrations/{registration_active}", dialog("End")),
    Screen("registration-serial", "registrations/{registration_active}", dialog("Change the serial number")),
    Screen("registration-new-refused", "registrations/new", press("Register", shown=REFUSED)),
    Screen("registration-serials-refused", "registrations/serials", press("Import", shown=REFUSED)),
    Screen("people", "people"),
    Screen("people-none", "people?q=nobody"),
    Screen("person-new-refused", "people/new", press("Save", shown=REFUSED)),
    Screen("person", "people/{person}"),
    Screen("limit-refused", "people/{person}", fill("Up to", "much", press("Set the limit", shown=REFUSED))),
    Screen("limit-remove", "people/{person}", dialog("Remove")),
    Screen("me", "people/me"),
    Screen("calendars", "people/calendars"),
    Screen("calendar", "people/calendars/{calendar}"),
    Screen(
        "calendar-preview",
        "people/calendars/{calendar}",
        fill("Holidays (optional)", "christmas", wait("text=is no day")),
    ),
    Screen("calendar-refused", "people/calendars/new", fill("Name", "", press("Save", shown=REFUSED))),
    Screen("users", "people/users"),
    Screen("accounts", "settings/accounts"),
    Screen("account", "settings/accounts/{account}"),
    Screen("account-new-refused", "settings/accounts/new", press("Save and test", shown=REFUSED)),
    Screen("settings", "settings"),
    Screen("settings-alarms", "settings/alarms"),
    Screen("settings-staff-note", "settings/staff-note"),
    Screen("settings-returns", "settings/returns"),
    Screen("settings-test-mode", "settings/test-mode"),
    Screen("settings-webhooks", "settings/webhooks"),
    Screen("settings-scopes", "settings/scopes"),
    Screen("settings-data", "settings/data"),
    Screen("settings-rates", "settings/rates"),
    Screen("settings-rates-refused", "settings/rates", fill("Rate", "much", press("Save", shown=REFUSED))),
    Screen("settings-uninstall", "settings/uninstall"),
    Screen("endpoints", "settings/endpoints"),
    Screen("endpoint", "settings/endpoints/{endpoint}"),
    Screen("endpoint-off", "settings/endpoints/{endpoint_off}"),
    Screen("endpoint-send", "settings/endpoints/{endpoint}/sends/{send}"),
    Screen("endpoint-new-refused", "settings/endpoints/new", press("Add endpoint", shown=REFUSED)),
    Screen("api-keys", "settings/api"),
    Screen("api-key-refused", "settings/api", press("Make key", shown=REFUSED)),
    Screen("question", "requests/{request_sent}", dialog("Answer")),
    Screen("question-refused", "requests/{request_sent}", dialog("Answer", "Send the answer")),
    Screen("not-found", "requests/999999"),
    Screen(
        "changes-waiting",
        "people/{person}",
        fill("Up to", "3000", press("Set the limit", shown="text=Waits for a second person")),
    ),
    Screen("changes", "people/changes"),
]


async def judge(bench: Bench, screen: Screen, state: str) -> None:
    """Bring the screen up and look at it in every size."""
    visitor = bench.visitor
    await visitor.page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    await visitor.go(screen.path.format(**bench.ids))
    if screen.step:
        await screen.step(visitor.app)
    wrong: list[str] = []
    for width, height in SIZES:
        await visitor.page.set_viewport_size({"width": width, "height": height})
        await visitor.frame.evaluate(LAID_OUT)
        if folder := os.environ.get("BROWSER_PICTURES"):
            await visitor.page.screenshot(path=f"{folder}/{state}-{screen.name}-{width}.png")
        wrong += [f"{width}: sideways: {found}" for found in await visitor.frame.evaluate(SIDEWAYS)]
        # Tall enough for the whole page: what the action bar lies over can be scrolled free, which axe does not know.
        tall = await visitor.frame.evaluate("document.documentElement.scrollHeight") + 400
        await visitor.page.set_viewport_size({"width": width, "height": max(tall, height)})
        wrong += [f"{width}: {found}" for found in await visitor.axe()]
    wrong += visitor.troubles
    visitor.troubles.clear()
    await visitor.frame.evaluate("document.querySelectorAll('dialog[open]').forEach((d) => d.close())")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("screen", EMPTY, ids=lambda s: s.name)
async def test_with_nothing_there(bare: Bench, screen: Screen) -> None:
    await judge(bare, screen, "empty")


@pytest.mark.parametrize("screen", FILLED, ids=lambda s: s.name)
async def test_with_something_there(furnished: Bench, screen: Screen) -> None:
    await judge(furnished, screen, "filled")


async def test_with_the_test_mode_on(furnished: Bench) -> None:
    """A rule is live: by the screen it would wait for a second manager, whose part other tests play."""
    switch = "UPDATE stores SET settings = settings || CAST($1 AS jsonb)"
    owner = await furnished.world.raw("SELECT owner_id FROM stores")
    await furnished.world.raw(switch, {"test_mode_user": owner[0]["owner_id"]})
    try:
        await judge(furnished, Screen("test-mode-on", "settings/test-mode", wait_for(".ribbon")), "filled")
    finally:  # its ribbon would stand on every later page
        await furnished.world.raw(switch, {"test_mode_user": 0})


SIGNERS = ["request_sent", "request_released", "request_declined", "request_bounced", "request_supplier"]


@pytest.mark.parametrize("name", SIGNERS)
async def test_a_signers_page(furnished: Bench, name: str) -> None:
    """It stands alone, without the panel, on a phone as on a screen."""
    stage = furnished.stage
    address = stage.app_url + await sign_path(furnished.world, furnished.ids[name])
    async with stage.visitor() as visitor:
        wrong: list[str] = []
        for width, height in SIZES:
            await visitor.page.set_viewport_size({"width": width, "height": height})
            await visitor.page.goto(address)
            for more in await visitor.page.locator("details").all():
                await more.evaluate("(e) => { e.open = true }")
            if folder := os.environ.get("BROWSER_PICTURES"):
                await visitor.page.screenshot(path=f"{folder}/signer-{name}-{width}.png", full_page=True)
            wrong += [f"{width}: sideways: {found}" for found in await visitor.page.evaluate(SIDEWAYS)]
            wrong += [f"{width}: {found}" for found in await axe_on(visitor.page)]
        assert not wrong, "\n".join(wrong)
        if name == "request_sent":
            question = visitor.page.get_by_label("Your question")
            await question.fill("And when does it come?")
            await visitor.page.get_by_role("button", name="Send the question").click()
            await visitor.page.get_by_text("And when does it come?").wait_for()


FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    return {
        name: (at.getAttribute("aria-label") || at.innerText || at.id || at.tagName).trim().split("\\n")[0],
        seen: style.outlineStyle !== "none" || style.boxShadow !== "none",
        dialog: !!at.closest("dialog") || at === document.body,  // past the last button stands the browser itself
    };
}"""


async def test_the_keyboard_reaches_everything(furnished: Bench) -> None:
    visitor = furnished.visitor
    await visitor.page.set_viewport_size({"width": 1280, "height": 900})
    await visitor.go(f"orders/{furnished.ids['order_sent']}")
    assert (await visitor.frame.evaluate(FOCUSED))["name"].startswith("Order")
    await visitor.app.get_by_role("link", name="Skip to the content").focus()
    names = []
    for _ in range(10):
        await visitor.page.keyboard.press("Tab")
        at = await visitor.frame.evaluate(FOCUSED)
        assert at["seen"], at
        names.append(at["name"].partition(" ")[0])
    wanted = "Home Requests Rules Agreements People Settings Orders Look Release Send"
    assert names == wanted.split()


@pytest.mark.parametrize("name", ["Release by hand", "Send for signature"])
async def test_a_dialog_keeps_and_returns_the_focus(furnished: Bench, name: str) -> None:
    visitor = furnished.visitor
    await visitor.page.set_viewport_size({"width": 1280, "height": 900})
    await visitor.go(f"orders/{furnished.ids['order_sent']}")
    await visitor.app.locator("#page").get_by_text(name, exact=True).focus()
    await visitor.page.keyboard.press("Enter")
    await visitor.app.locator("dialog[open]").wait_for()
    for _ in range(3):
        at = await visitor.frame.evaluate(FOCUSED)
        assert at["dialog"], at
        await visitor.page.keyboard.press("Tab")
    await visitor.page.keyboard.press("Escape")
    await visitor.app.locator("dialog").wait_for(state="detached")
    assert (await visitor.frame.evaluate(FOCUSED))["name"] == name
