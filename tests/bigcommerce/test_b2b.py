"""The client of B2B Edition against the simulated one, over real HTTP and held against the vendor's files."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from bcapp.bigcommerce.b2b import B2B, known_extra_fields
from bcapp.bigcommerce.companies import (
    list_company_facts,
    parse_company,
    parse_credit,
    parse_payment_methods,
    parse_terms,
    read_company,
)
from bcapp.core.kinds.company import COMPANY, CompanyFacts
from bcapp.core.model import Gone, Money
from bcapp.core.stores import is_b2b_scope
from bcapp.errors import B2BRefused, BigCommerceError, UnreadableInput
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce.b2b import B2BEdition
from bcapp.sandbox.ground import matching
from bcapp.sandbox.server import SandboxServer
from bcapp.sandbox.spec import SpecChecker
from tests.bigcommerce.conftest import TOKEN, NotingGate


@pytest.fixture
def edition(sandbox: Sandbox) -> B2BEdition:
    return sandbox.bigcommerce.store.b2b


async def test_a_company_is_read_with_its_users_and_its_address(b2b: B2B, edition: B2BEdition) -> None:
    company = edition.apply(name="Bergsport Huber", extra={"Tax number": "DE123"}, group_id=3)
    edition.add_user(company.id, first_name="Nils", last_name="Ito", email="nils@bergsport-huber.example")
    facts = await read_company(b2b, company.id)
    assert isinstance(facts, CompanyFacts)
    assert (facts.name, facts.status, facts.group_id, facts.group_name) == ("Bergsport Huber", 0, 3, "Wholesale")
    assert facts.applicant is not None
    assert (facts.applicant.name, facts.applicant.channels) == ("Lena Hartmann", frozenset({1}))
    assert len(facts.users) == 2
    assert facts.address.country == "US"
    assert facts.extra_fields == (("Tax number", "DE123"),)
    assert COMPANY.parse(COMPANY.dump(facts)) == facts
    assert isinstance(await read_company(b2b, 424242), Gone)


async def test_companies_are_listed_by_their_last_change(b2b: B2B, edition: B2BEdition, sandbox: Sandbox) -> None:
    began = sandbox.clock.now()
    numbers = []
    for name in ("One", "Two", "Three", "Four", "Five"):
        numbers.append(edition.apply(name=name).id)
        sandbox.clock.advance(10)
    edition.set_status(numbers[0], 1)
    rows = [r async for r in b2b.companies(modified_since=began - timedelta(seconds=1), page_size=2)]
    assert [int(r["companyId"]) for r in rows] == [*numbers[1:], numbers[0]]
    assert await b2b.count_companies(status=0) == 4
    listed = [f async for f in list_company_facts(b2b, most=2)]
    assert [f.id for f in listed] == [numbers[0], numbers[4]]
    assert all("company_users" in f.unread for f in listed)


async def test_a_company_is_approved_with_group_credit_terms_and_methods(
    b2b: B2B, edition: B2BEdition, sandbox: Sandbox
) -> None:
    edition.required = ("Tax number",)
    company = edition.apply(name="Wolf Creek", extra={"Tax number": "US-1"})
    raw = await b2b.fetch_company(company.id)
    assert raw is not None
    with pytest.raises(BigCommerceError) as caught:
        await b2b.put_company(company.id, customerGroupId=3)
    assert (caught.value.status, caught.value.permanent) == (422, True)
    await b2b.put_company(company.id, customerGroupId=3, extraFields=known_extra_fields(raw))
    await b2b.set_status(company.id, 1)
    user = next(u for u in edition.users.values() if u["companyId"] == company.id)
    assert sandbox.bigcommerce.store.customers[user["customerId"]]["customer_group_id"] == 3
    changes: dict[str, Any] = {"creditEnabled": True, "creditCurrency": "USD", "availableCredit": Decimal("15000.50")}
    credit = parse_credit(await b2b.set_credit(company.id, **changes))
    assert (credit.enabled, credit.amount, credit.hold) == (True, Money(Decimal("15000.50"), "USD"), False)
    assert parse_credit(await b2b.credit(company.id) or {}) == credit
    assert parse_terms(await b2b.set_payment_terms(company.id, enabled=True, days=45)).days == 45
    await b2b.set_payment_methods(company.id, {"cheque": True, "braintree": False})
    methods = parse_payment_methods(await b2b.payment_methods(company.id))
    assert methods == {"braintree": False, "cheque": True, "bankdeposit": True}
    assert {m["paymentCode"] for m in await b2b.store_payment_methods()} == set(methods)
    assert (await b2b.extra_fields())[0]["isRequired"] is True
    facts = await read_company(b2b, company.id)
    assert isinstance(facts, CompanyFacts)
    assert (facts.status, facts.group_id) == (1, 3)
    with pytest.raises(ValueError):
        await b2b.set_credit(company.id)


async def test_what_the_store_does_not_offer_is_none(b2b: B2B, edition: B2BEdition) -> None:
    company = edition.apply(name="Larch Valley")
    edition.credit_on = edition.terms_on = False
    assert await b2b.credit(company.id) is None
    assert await b2b.payment_terms(company.id) is None
    with pytest.raises(BigCommerceError, match="not enabled"):
        await b2b.set_credit(company.id, creditHold=True)


async def test_files_are_attached_and_taken_away(b2b: B2B, edition: B2BEdition, sandbox: Sandbox) -> None:
    company = edition.apply(name="Pine State")
    first = await b2b.attach(company.id, "agreement.pdf", b"%PDF-1.7 signed")
    assert [row["id"] for row in await b2b.attachments(company.id)] == [first]
    await b2b.company_addresses(company.id)
    if isinstance(checker := sandbox.checker, SpecChecker):
        needed = {e for e in checker.exceptions if "/api/v3/io/" in e.operation}
        assert needed <= checker.used, "an exception that nothing needs"
    assert edition.company(company.id).files[0]["content"] == b"%PDF-1.7 signed"
    await b2b.detach(company.id, first)
    await b2b.detach(company.id, first)
    assert await b2b.attachments(company.id) == []


async def test_slow_calls_have_a_budget_of_their_own(b2b: B2B, edition: B2BEdition, gate: NotingGate) -> None:
    company = edition.apply(name="Big Sky")
    for _ in range(15):
        await b2b.attachments(company.id)
    with pytest.raises(BigCommerceError) as caught:
        await b2b.attachments(company.id)
    assert (caught.value.status, caught.value.uncounted) == (429, True)
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 60
    assert gate.left[-1]["wait"] == caught.value.retry_after
    assert gate.left[0]["remaining"] == 14


async def test_a_customer_leads_to_the_company(b2b: B2B, edition: B2BEdition, sandbox: Sandbox) -> None:
    company = edition.apply(name="Traverse Events")
    user = next(u for u in edition.users.values() if u["companyId"] == company.id)
    found = await b2b.user_of_customer(user["customerId"])
    assert found is not None
    assert found["companyId"] == company.id
    assert await b2b.user_of_customer(1) is None
    assert [c["b2bEnabled"] for c in await b2b.channels()] == [True, False]
    (call,) = matching(sandbox.calls, service="b2b", path="/channels")
    assert call.status == 200


async def test_where_b2b_is_absent_or_not_granted_it_says_so(
    b2b: B2B, edition: B2BEdition, sandbox: Sandbox, http: httpx.AsyncClient, server: SandboxServer
) -> None:
    await b2b.probe()
    edition.enabled = False
    for answer in (403, 404):
        edition.absent_answer = answer
        with pytest.raises(B2BRefused):
            await b2b.probe()
    edition.enabled = True
    store = sandbox.bigcommerce.store
    store.scopes = tuple(s for s in store.scopes if "b2b" not in s)
    with pytest.raises(B2BRefused) as caught:
        await b2b.probe()
    assert caught.value.permanent
    # A wrong hash is a server error there, not a refusal: that may pass.
    with pytest.raises(BigCommerceError) as failed:
        await B2B(http, server.url, "nosuch", TOKEN).probe()
    assert (failed.value.status, failed.value.permanent) == (500, False)


@pytest.mark.parametrize(
    ("scope", "granted"),
    [("store_v2_orders store_b2b_edition", True), ("store_b2b_edition_read_only", False), ("store_v2_orders", False)],
)
def test_the_scope_is_known_by_its_name(scope: str, granted: bool) -> None:
    assert is_b2b_scope(scope) is granted


def test_numbers_come_as_texts_and_as_numbers() -> None:
    raw: dict[str, Any] = {"companyId": "12", "companyName": "A", "companyEmail": "a@b.example", "companyStatus": "1"}
    raw |= {"bcGroupId": "", "createdAt": "1700000000", "updatedAt": 1700000001, "catalogId": None}
    facts = parse_company(raw)
    assert (facts.id, facts.status, facts.group_id, facts.price_list_id) == (12, 1, 0, 0)
    assert facts.modified_at - facts.created_at == timedelta(seconds=1)
    assert parse_company({**raw, "companyStatus": 1, "bcGroupId": 4}).group_id == 4
    for broken in ({"companyStatus": "9"}, {"companyId": None}, {"createdAt": "soon"}):
        with pytest.raises(UnreadableInput):
            parse_company({**raw, **broken})
