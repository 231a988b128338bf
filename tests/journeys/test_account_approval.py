"""Companies and customers that apply for an account, from their events (or none) to what they may do afterwards."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bcapp.core.model import RecordKey
from bcapp.db import rules
from bcapp.db.stores import fetch_store
from bcapp.jobs.account_sweeps import check_b2b, sweep_companies
from bcapp.jobs.papers import accept_of_applicant, look_at_ending
from bcapp.jobs.rounds import Round
from bcapp.jobs.vendors import Vendors
from bcapp.sandbox.bigcommerce.shoppers import define_attribute, move
from bcapp.sign_links import make_link
from tests.documents.samples import pdf_of
from tests.fixtures.accounts import TYPED, Accounts, form_is
from tests.fixtures.world import TLS, World

pytestmark = pytest.mark.journey

CLEO = "cleo@northfield.test"


@pytest_asyncio.fixture
async def accounts(world: World) -> Accounts:
    return Accounts(world)


async def test_a_company_is_approved_with_everything_that_was_signed(world: World, accounts: Accounts) -> None:
    options = {
        "applicants_group": "2", "approved_group": "3", "tiers": "20000 = 4", "payment_terms": "45",
        "payment_methods": "cheque", "most_credit": "50000.00 USD",
    }  # fmt: skip
    await accounts.rule(options=options)
    accounts.edition.required = ("Tax number",)
    world.bc.webhooks.plan("duplicate", times=3, scope="store/company/.*", copies=2)
    company = accounts.apply(extra={"Tax number": "DE123"}, group_id=3)
    key = RecordKey("company", str(company.id))
    agreement = await accounts.sent(company.id, "customer")
    sheet = await accounts.sent(company.id, "internal")
    await world.hold_is(company.id, "held")
    assert (company.status, company.group_id) == (0, 2)

    await world.sign(agreement, inputs=TYPED)
    assert company.status == 0
    await world.sign(sheet, CLEO, inputs={"credit_limit": "25,000.00"})
    await accounts.status_is(company.id, 1)
    await world.hold_is(company.id, "released")
    assert company.credit["creditEnabled"] is True
    assert (company.credit["availableCredit"], company.credit["creditCurrency"]) == (25000.0, "USD")
    assert (company.terms, "cheque" in company.methods, company.group_id) == (45, True, 4)
    user = next(u for u in accounts.edition.users.values() if u["companyId"] == company.id)
    assert world.store.customers[user["customerId"]]["customer_group_id"] == 4

    async def attached() -> bool:
        return len(company.files) == 1

    await world.until(attached, said="the signed agreement hangs on the company")
    assert company.files[0]["content"].startswith(b"%PDF")
    accounts.edition.add_user(company.id, first_name="Nils", last_name="Ito", email="nils@huber.example")
    await world.quiet()
    assert len(await world.requests(company.id)) == 2  # neither the second buyer nor an echo asks anew
    assert await world.raw("SELECT 1 FROM tasks WHERE done_at IS NULL AND record_kind = 'company'") == []

    company.terms = 60  # somebody agreed on other terms since: they stay
    await accounts.command("company", key, "undo")
    await accounts.status_is(company.id, 0)
    await world.quiet()
    assert (company.credit["creditEnabled"], company.terms, company.group_id) == (False, 60, 2)
    assert "cheque" not in company.methods
    assert (await world.task("set_back"))["record_id"] == str(company.id)
    assert world.sandbox.spec_errors == []


async def test_a_signed_company_waits_for_the_papers_that_the_rule_asks_for(world: World, accounts: Accounts) -> None:
    await accounts.rule(internal=False, options={"ask_licence": "yes", "wait_papers": "yes"})
    company = accounts.apply()
    record = RecordKey("company", str(company.id))
    agreement = await accounts.sent(company.id, "customer")
    page = f"/sign/{await make_link(world.db, world.store_hash, agreement['id'], 0, world.services.clock.now())}"
    await world.sign(agreement, inputs=TYPED)
    assert "Business licence" in (await world.task("lacks"))["text"]
    await world.quiet()
    assert company.status == 0

    files = {"file": ("licence.pdf", pdf_of("Business licence"), "application/pdf")}
    async with httpx.AsyncClient(verify=TLS, base_url=world.services.settings.app_url) as applicant:
        assert "Business licence" in (await applicant.get(page)).text
        assert (await applicant.post(f"{page}/papers/certificate", files=files)).status_code == 303  # is not asked for
        assert (await applicant.post(f"{page}/papers/licence", files=files)).status_code == 303
        assert "It has arrived" in (await applicant.get(page)).text
    (paper,) = await world.raw("SELECT id FROM papers WHERE record_kind = 'company'")
    await world.quiet()
    assert company.status == 0
    accepted = {"expires_on": world.services.clock.now().date(), "by": 2, "now": world.services.clock.now()}
    assert await accept_of_applicant(world.db, world.store_hash, record, paper["id"], **accepted)
    assert not await accept_of_applicant(world.db, world.store_hash, record, paper["id"], **accepted)
    await accounts.status_is(company.id, 1)
    await world.hold_is(company.id, "released")
    await world.quiet()
    assert len(await world.raw("SELECT id FROM actions WHERE kind = 'approve_account'")) == 1
    names = sorted(f["name"] for f in company.files)  # the signed agreement, and the paper that counts
    assert [n.startswith("countersign-paper-") for n in names] == [False, True], names
    waiting = "SELECT kind FROM tasks WHERE done_at IS NULL AND record_kind = 'company'"
    assert [r["kind"] for r in await world.raw(waiting)] == ["paper_ending:licence"]
    world.sandbox.clock.advance(timedelta(days=1, hours=12).total_seconds())
    await look_at_ending(world.services)
    assert "ended on" in (await world.task("paper_ended:licence"))["text"]
    assert [r["kind"] for r in await world.raw(waiting)] == ["paper_ended:licence"]
    assert company.status == 1


async def test_what_is_created_in_bulk_and_what_no_webhook_tells_is_found(world: World, accounts: Accounts) -> None:
    await accounts.rule(internal=False)
    company = accounts.apply("Red Canyon Tours", quiet=True)
    await world.swept("companies")
    agreement = await accounts.sent(company.id, "customer")
    await world.raw("UPDATE sweeps SET due_at = due_at + interval '1 hour' WHERE name = 'companies'")
    # It is declined: nothing is rejected by itself, a person decides, and lets it in by hand.
    email = (await world.raw("SELECT email FROM signers WHERE request_id = $1", agreement["id"]))[0]["email"]
    document = str(agreement["provider_document"])
    await asyncio.to_thread(world.sandbox.signature.decline, document, email, "Not now")
    await world.hold_is(company.id, "kept")
    assert (await world.task("not_signed"))["record_id"] == str(company.id)
    assert company.status == 0
    await accounts.command("company", RecordKey("company", str(company.id)), "release", why="Signed on paper")
    await accounts.status_is(company.id, 1)
    hold = await world.hold(company.id)
    assert hold is not None
    assert hold["state"] == "overridden"
    # One that somebody lets in while it is unsigned is flagged and left alone.
    other = accounts.apply("Wolf Creek Ski Patrol")
    await accounts.sent(other.id, "customer")
    await world.hold_is(other.id, "held")
    accounts.edition.set_status(other.id, 1)
    await world.hold_is(other.id, "bypassed")
    await world.quiet()
    assert other.status == 1
    assert (await world.task("let_go"))["record_id"] == str(other.id)


async def test_a_plain_customer_waits_in_the_applicants_group(world: World, accounts: Accounts) -> None:
    options = {"applicants_group": "1", "approved_group": "3", "attribute": "Account state = approved"}
    mark = form_is("Trade account", "yes")
    await accounts.rule(kind="customer", groups=mark, options=options, internal=False)
    state = define_attribute(world.store, "Account state")
    plain = world.store.register(first_name="Ada", last_name="Ito", email="ada@ito.example")
    with_mark = world.store.register(
        first_name="Mara", last_name="Xu", email="mara@xu.example", company="Xu Trading",
        form_fields={"Trade account": "yes"},
    )  # fmt: skip
    request = await accounts.sent(with_mark["id"], "customer")
    await world.hold_is(with_mark["id"], "held")
    assert (with_mark["customer_group_id"], plain["customer_group_id"]) == (1, 2)
    await world.sign(request, inputs=TYPED)
    await world.hold_is(with_mark["id"], "released")
    assert with_mark["customer_group_id"] == 3
    assert [(a["attribute_id"], a["attribute_value"]) for a in with_mark["attributes"]] == [(state, "approved")]
    move(world.store, with_mark["id"], 2)
    await world.quiet()
    assert with_mark["customer_group_id"] == 2  # what staff do afterwards is theirs
    await accounts.command("customer", RecordKey("customer", str(with_mark["id"])), "undo")
    assert "moved to another group since" in (await world.task("not_all_set"))["text"]
    assert with_mark["customer_group_id"] == 2
    assert await world.requests(plain["id"]) == []
    # Who acts for a company comes in with it.
    company = accounts.apply("Sierra Search", email="sierra@buyers.example")
    buyer = next(u["customerId"] for u in accounts.edition.users.values() if u["companyId"] == company.id)
    world.store.customers[buyer]["form_fields"] = [{"name": "Trade account", "value": "yes", "customer_id": buyer}]
    move(world.store, buyer, 2)
    await world.quiet()
    assert await world.requests(buyer) == []
    assert world.sandbox.spec_errors == []


async def test_a_limit_that_is_none_and_a_store_without_credit_are_told(world: World, accounts: Accounts) -> None:
    await accounts.rule(customer=False, options={"most_credit": "1000.00 USD", "payment_methods": "cheque, cash"})
    for typed, problem in (
        ("plenty", "cannot be read"),
        ("1,500 USD", "higher than the rule"),
        ("900", "switched off"),
    ):
        accounts.edition.credit_on = typed != "900"
        company = accounts.apply(f"Company {typed}"[:11].strip(", "))
        sheet = await accounts.sent(company.id, "internal")
        await world.hold_is(company.id, "held")
        await world.sign(sheet, CLEO, inputs={"credit_limit": typed})
        await accounts.status_is(company.id, 1)
        await world.hold_is(company.id, "released")
        rows = await world.raw("SELECT text FROM tasks WHERE kind = 'not_all_set' AND record_id = $1", str(company.id))
        assert problem in rows[0]["text"], rows
        assert "no payment method cash" in rows[0]["text"]
        assert company.credit["creditEnabled"] is False


async def test_a_store_without_b2b_and_a_setup_that_lets_everybody_in_are_told(
    world: World, accounts: Accounts
) -> None:
    await accounts.rule()

    async def round_of() -> Round:
        found = await fetch_store(world.db, world.store_hash)
        assert found is not None
        return Round(world.services, Vendors(world.services), found, world.services.clock.now(), None)

    accounts.edition.auto_approve, accounts.edition.credit_on = True, False
    accounts.edition.portal = set()
    for name in ("One", "Two", "Three"):
        accounts.apply(name, quiet=True)
    await check_b2b(await round_of())
    said = (await world.task("b2b_setup"))["text"]
    assert all(part in said for part in ("automatic approval", "Company credit is switched off", "Buyer Portal is off"))
    accounts.edition.auto_approve, accounts.edition.credit_on, accounts.edition.portal = False, True, {1}
    for company in accounts.edition.companies.values():
        company.status = 0
    await check_b2b(await round_of())
    assert (await world.task("b2b_setup"))["done_at"] is not None
    accounts.edition.enabled = False
    await sweep_companies(await round_of())
    assert "has no B2B Edition" in (await world.task("b2b_missing"))["text"]
    accounts.edition.enabled = True
    await sweep_companies(await round_of())
    assert (await world.task("b2b_missing"))["done_at"] is not None


async def test_a_company_with_ten_files_and_a_group_of_its_own(world: World, accounts: Accounts) -> None:
    await accounts.rule(internal=False, options={"approved_group": "3", "price_list": "2"})
    accounts.edition.independent = False
    company = accounts.apply("Larch Valley")
    theirs = {"attachmentFile": "https://files.test/licence.pdf", "name": "licence.pdf", "content": b"%PDF"}
    company.files = [{"id": f"theirs-{n}", **theirs} for n in range(10)]
    own = company.group_id
    request = await accounts.sent(company.id, "customer")
    await world.hold_is(company.id, "held")
    await world.sign(request, inputs=TYPED)
    await world.hold_is(company.id, "released")
    assert (company.status, company.group_id, company.price_lists) == (1, own, {1: 2})
    assert "a group of its own" in (await world.task("not_all_set"))["text"]
    # None of the files is ours, so none makes room: a person is asked.
    assert "none of them ours" in (await world.task("not_attached"))["text"]
    assert len(company.files) == 10
    # A file of ours is the one that makes room for the next.
    await world.quiet()
    await world.raw(
        "UPDATE actions SET state = 'applied', left_as = $1 WHERE kind = 'attach_to_company' AND record_id = $2",
        {"attachment": "theirs-4"},
        str(company.id),
    )
    company.status = 0
    accounts.edition.edit(company.id, name="Larch Valley Ltd")
    again = await accounts.sent(company.id, "customer")
    await world.hold_is(company.id, "held")
    await world.sign(again, inputs=TYPED)

    async def replaced() -> bool:
        names = [f["name"] for f in company.files]
        return len(names) == 10 and names[-1].startswith("countersign-") and names.count("licence.pdf") == 9

    await world.until(replaced, said="the oldest of ours made room")
    assert "theirs-4" not in [f["id"] for f in company.files]
    assert world.sandbox.spec_errors == []


async def counted(world: World, rule: int) -> dict[str, tuple[str, list[str]]]:
    """Have counted what exists before the rule goes live: key -> label, numbers of the records."""
    await rules.count_backlog(world.db, world.store_hash, rule, world.services.clock.now())

    async def ended() -> Any:
        return await world.raw("SELECT groups FROM backlogs WHERE rule_id = $1 AND state = 'counted'", rule)

    (row,) = await world.until(ended, said="what exists is counted")
    return {g["key"]: (g["label"], sorted(g["records"])) for g in row["groups"]}


async def test_companies_that_exist_are_counted_and_asked_only_when_ticked(world: World, accounts: Accounts) -> None:
    waiting, approved = accounts.apply("Bergsport Huber"), accounts.apply("Outdoor Lund")
    left, rejected = accounts.apply("Tent Works"), accounts.apply("Nobody")
    for company, status in ((approved, 1), (left, 1), (rejected, 2)):
        accounts.edition.set_status(company.id, status)
    rule = await accounts.rule(is_live=False)
    world.advance(seconds=2)
    assert await counted(world, rule) == {
        "0": ("Pending", [str(waiting.id)]),
        "1": ("Approved", sorted([str(approved.id), str(left.id)])),
    }
    await rules.set_mode(
        world.db, world.store_hash, rule, "live", world.store.owner.id, world.services.clock.now(),
        records=[str(waiting.id)], record_kind="company",
    )  # fmt: skip
    await accounts.sent(waiting.id, "customer")
    await world.hold_is(waiting.id, "held", kind="company")
    await world.quiet()
    assert await world.requests(approved.id) == await world.requests(left.id) == []


async def test_customers_that_exist_are_counted_by_group_without_those_of_companies(
    world: World, accounts: Accounts
) -> None:
    await world.swept("names")
    before = {str(number) for number in world.store.customers}
    company = accounts.apply("Bergsport Huber")
    uma = world.store.register(first_name="Uma", last_name="Berg", email="uma@berg.example", group_id=2)
    olaf = world.store.register(first_name="Olaf", last_name="Lund", email="olaf@lund.example")
    rule = await accounts.rule(is_live=False, kind="customer", internal=False)
    world.advance(seconds=2)
    found = await counted(world, rule)
    group = world.store.groups[2]["name"]
    assert found["group-2"][0] == group
    assert str(uma["id"]) in found["group-2"][1]
    assert str(olaf["id"]) in found[f"group-{olaf['customer_group_id']}"][1]
    ticked = {number for _, numbers in found.values() for number in numbers}
    buyers = {str(u["customerId"]) for u in accounts.edition.users.values() if u["companyId"] == company.id}
    assert buyers
    assert not ticked & buyers
    assert ticked <= before | {str(uma["id"]), str(olaf["id"])}


async def test_a_company_is_not_asked_any_more_once_the_one_above_is_approved(world: World, accounts: Accounts) -> None:
    await accounts.rule(options={"subsidiaries": "yes"}, internal=False)
    above = accounts.apply("Bergsport Huber")
    below = accounts.apply("Bergsport Huber Tirol", parent_id=above.id)
    asked = await accounts.sent(below.id, "customer")
    request = await accounts.sent(above.id, "customer")
    await world.hold_is(below.id, "held", kind="company")
    await world.sign(request, inputs=TYPED)
    await accounts.status_is(above.id, 1)
    assert asked["id"] == (await world.request_is(below.id, "cancelled", kind="company"))["id"]
    await world.hold_is(below.id, "released", kind="company")
