"""Customers and companies that sign the terms once: access until then, orders that name the signature, renewal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.acceptances import Party, PartyKind
from bcapp.core.agreements import Binding
from bcapp.core.conditions import Condition
from bcapp.core.rules import SignOnce
from bcapp.db.acceptances import exempt, start_campaign
from bcapp.db.agreements import list_bindings, save_binding
from bcapp.sandbox.bigcommerce.shoppers import move
from tests.fixtures.accounts import Accounts
from tests.fixtures.terms import group_is, terms_rule
from tests.fixtures.world import World
from tests.journeys.test_acceptances import publish

pytestmark = pytest.mark.journey

BASIC, WHOLESALE = 1, 3
IN_WHOLESALE = ((Condition("customer_group", "is_any_of", (str(WHOLESALE),)),),)


async def named(world: World, order: Any) -> dict[str, Any]:
    """The order's metafields once they name the signature."""

    async def asked() -> Any:
        found = {m["key"]: m["value"] for m in world.store.metafields_of("order", order.id)}
        return found if found.get("state") == "covered" and "acceptance" in found.get("detail", "") else None

    return dict(await world.until(asked, said=f"order {order.id} names the signature"))


async def test_a_customer_waits_in_another_group_until_the_terms_are_signed(world: World) -> None:
    await terms_rule(world, options={"waiting_group": str(BASIC), "existing": "yes"}, groups=IN_WHOLESALE)
    world.bc.webhooks.plan("duplicate", times=4, scope="store/customer/.*", copies=2)
    ida = world.store.register(first_name="Ida", last_name="Roth", email="ida@roth.example")
    await world.quiet()
    assert await world.requests(ida["id"]) == []
    move(world.store, ida["id"], WHOLESALE)
    request = await world.request_is(ida["id"], "sent")
    assert (await world.hold_is(ida["id"], "held"))["method"] == "access"
    assert ida["customer_group_id"] == BASIC
    await world.quiet()
    assert len(await world.requests(ida["id"])) == 1  # our own move asks nobody anew, and takes nothing back
    early = world.place(customer_id=ida["id"])
    await world.quiet()
    assert await world.raw("SELECT 1 FROM covers WHERE record_id = $1", str(early.id)) == []
    await world.sign(request)
    await world.hold_is(ida["id"], "released")
    assert ida["customer_group_id"] == WHOLESALE
    rows = await world.raw("SELECT * FROM acceptances")
    assert [(r["party_kind"], r["party_id"], r["scope"]) for r in rows] == [("customer", str(ida["id"]), "customer")]
    fields = await named(world, world.place(customer_id=ida["id"]))
    assert f'"acceptance":{rows[0]["id"]}' in fields["detail"]
    # What staff do afterwards is theirs.
    move(world.store, ida["id"], BASIC)
    await world.quiet()
    assert (ida["customer_group_id"], len(await world.requests(ida["id"]))) == (BASIC, 1)
    assert await world.raw("SELECT 1 FROM tasks WHERE done_at IS NULL AND record_kind = 'customer'") == []
    assert world.sandbox.spec_errors == []


async def test_who_is_let_in_by_hand_is_flagged_and_a_lost_event_is_found(world: World) -> None:
    await terms_rule(world, options={"waiting_group": str(BASIC), "signed_group": str(WHOLESALE)})
    lost = world.store.register(first_name="Uma", last_name="Berg", email="uma@berg.example", quiet=True)
    await world.swept("customers")
    request = await world.request_is(lost["id"], "sent")
    await world.hold_is(lost["id"], "held")
    move(world.store, lost["id"], 4)
    await world.hold_is(lost["id"], "bypassed")
    assert (await world.task("let_go"))["record_id"] == str(lost["id"])
    await world.sign(request)
    await world.request_is(lost["id"], "completed")
    await world.quiet()
    assert lost["customer_group_id"] == 4


async def test_a_company_cannot_buy_until_one_of_its_people_signed_for_all(world: World) -> None:
    accounts = Accounts(world)
    await terms_rule(world, "company", options={"credit_hold": "yes"})
    company = accounts.apply("Red Canyon Tours")
    request = await world.request_is(company.id, "sent")
    await world.hold_is(company.id, "held")
    assert company.credit["creditHold"] is True
    await world.sign(request)
    await world.hold_is(company.id, "released")
    assert company.credit["creditHold"] is False
    rows = await world.raw("SELECT * FROM acceptances")
    assert [(r["party_kind"], r["party_id"], r["scope"]) for r in rows] == [("company", str(company.id), "company")]
    accounts.edition.add_user(company.id, first_name="Nils", last_name="Ito", email="nils@canyon.example")
    second = next(u for u in accounts.edition.users.values() if u["email"] == "nils@canyon.example")
    await named(world, world.place(customer_id=second["customerId"]))
    # A store that sells nothing on credit has nothing to withhold: the company is asked, and a person is told.
    accounts.edition.credit_on = False
    other = accounts.apply("Wolf Creek")
    await world.request_is(other.id, "sent")
    await world.hold_is(other.id, "refused")
    await world.quiet()
    assert "company credit is switched off" in (await world.task("not_withheld"))["text"]
    assert len(await world.requests(other.id)) == 1


async def test_terms_are_renewed_in_time_and_withheld_when_they_end(world: World) -> None:
    options = {"waiting_group": str(BASIC), "signed_group": str(WHOLESALE)}
    await terms_rule(world, options=options, sign_once=SignOnce("customer", months=12, renew_days=30))
    ida = world.store.register(first_name="Ida", last_name="Roth", email="ida@roth.example")
    await world.sign(await world.request_is(ida["id"], "sent"))
    await world.hold_is(ida["id"], "released")
    await world.quiet()
    world.advance(days=340)
    await world.swept("terms")
    renewal = await world.request_is(ida["id"], "sent")
    assert (renewal["round"], renewal["blocks"]) == (2, False)
    assert ida["customer_group_id"] == WHOLESALE
    await world.quiet()
    world.advance(days=30)  # it ran out with the fortnight that it was given, and so did what was signed
    await world.hold_is(ida["id"], "held")

    async def third() -> Any:
        return next((r for r in await world.requests(ida["id"]) if r["round"] == 3 and r["status"] == "sent"), None)

    again = await world.until(third, said="it is asked once more, and now it matters")
    assert again["blocks"]
    assert ida["customer_group_id"] == BASIC
    await world.sign(again)
    await world.hold_is(ida["id"], "released")
    await group_is(world, ida, WHOLESALE)


async def test_many_who_are_imported_at_once_are_asked_within_the_limit(world: World) -> None:
    await terms_rule(world, most_per_hour=5)
    for number in range(12):
        world.store.register(first_name="No", last_name=str(number), email=f"no{number}@bulk.example", quiet=True)
    await world.swept("customers")
    assert "5 signatures within an hour" in (await world.task("rule_paused"))["text"]
    await world.quiet()
    rows = await world.raw("SELECT count(*) AS n FROM requests")
    assert rows[0]["n"] == 5


async def test_what_was_sent_before_the_own_terms_changed_counts_for_nothing_later(world: World) -> None:
    await terms_rule(world)
    ida = world.store.register(first_name="Ida", last_name="Roth", email="ida@roth.example")
    request = await world.request_is(ida["id"], "sent")
    own = Binding(
        0, world.agreement_id, "customer", str(ida["id"]), "text", "Own terms", "# Own terms\n\nThirty days.\n"
    )
    now, author = world.services.clock.now(), world.store.owner.id
    await save_binding(world.db, world.store_hash, own, author=author, now=now)
    await world.sign(request)

    async def again() -> Any:
        return next((r for r in await world.requests(ida["id"]) if r["round"] == 2 and r["status"] == "sent"), None)

    second = await world.until(again, said="the new text is asked for")
    assert second["binding_id"] is not None
    await world.sign(second)

    async def counts() -> Any:
        rows = await world.raw("SELECT revoked_why FROM acceptances ORDER BY id")
        return rows if len(rows) == 2 else None

    rows = await world.until(counts, said="both signatures are kept")
    assert [r["revoked_why"] for r in rows] == ["Their own terms changed after this was sent.", ""]
    await world.quiet()
    # A number that the store does not know is looked up, and the lists say so.
    nobody = Party(PartyKind.CUSTOMER, "987654")
    ends = world.services.clock.now() + timedelta(days=30)
    await exempt(world.db, world.store_hash, nobody, "", 0, ends, "a typing error", author, now)
    await save_binding(world.db, world.store_hash, replace(own, party_id="987654"), author=author, now=now)
    world.advance(minutes=4)

    async def missing() -> bool:
        bound = await list_bindings(world.db, world.store_hash, world.agreement_id)
        rows = await world.db.fetch_all("panel_exemptions", {"store_hash": world.store_hash, "now": now})
        return [b.party_id for b in bound if b.not_found] == ["987654"] and rows[0]["not_found"]

    await world.until(missing, said="the number that does not exist is marked")


async def test_a_campaign_asks_on_the_account_and_access_ends_with_its_grace(world: World) -> None:
    await terms_rule(world, options={"waiting_group": str(BASIC), "signed_group": str(WHOLESALE)})
    ida = world.store.register(first_name="Ida", last_name="Roth", email="ida@roth.example")
    await world.sign(await world.request_is(ida["id"], "sent"))
    await world.hold_is(ida["id"], "released")
    await world.quiet()  # a look between the new text and its campaign would ask without grace
    await publish(world, material=True)
    now, author = world.services.clock.now(), world.store.owner.id
    await start_campaign(
        world.db, world.store_hash, agreement_id=world.agreement_id, version=2, account_id=world.account_id,
        per_hour=5, grace_until=now + timedelta(days=10), author=author, now=now,
    )  # fmt: skip

    async def asked() -> Any:
        return next((r for r in await world.requests(ida["id"]) if r["round"] == 2 and r["status"] == "sent"), None)

    renewal = await world.until(asked, said="the new text is asked for on the account")
    assert (renewal["agreement_version"], renewal["blocks"]) == (2, False)
    await world.quiet()
    assert ida["customer_group_id"] == WHOLESALE
    assert (await world.raw("SELECT state FROM campaigns"))[0]["state"] == "done"
    world.advance(days=10, minutes=1)
    await world.swept("terms")
    await world.hold_is(ida["id"], "held")
    await group_is(world, ida, BASIC)
    await world.sign(renewal)
    await world.hold_is(ida["id"], "released")
    await group_is(world, ida, WHOLESALE)
