"""Rules tried before they act: on the past, while they monitor, and on one record with facts changed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from bcapp.bench.rules import made_orders
from bcapp.core.acceptances import Party, PartyKind, day
from bcapp.core.conditions import Condition
from bcapp.core.decisions import digest, is_close
from bcapp.core.fields import OPERATORS, FieldType, Reading
from bcapp.core.kinds.customer import CUSTOMER, CustomerFacts
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Money, RecordKey
from bcapp.core.rules import RuleDefinition, RuleTrace, dump_definition, glance
from bcapp.core.tryout import PastRecord, Tally, add, draft, examine, pass_by
from bcapp.db.decisions import fetch_monitored, keep_decision
from bcapp.db.past import Cursor, fetch_tryout, keep_past, past_end, past_page, past_since, save_tryout
from bcapp.db.readings import fetch_reading
from bcapp.db.rules import fetch_rule
from bcapp.db.stores import fetch_store
from bcapp.jobs.accepting import address_party, data_key, stored_ledgers
from bcapp.jobs.past import clear, try_pages
from tests.core.facts import order
from tests.web.panel.conftest import House
from tests.web.panel.test_agreements import give_key
from tests.web.panel.test_rules import filled, make_rule

pytestmark = pytest.mark.database


async def keep(house: House, number: int, total: str = "600.00", **facts: Any) -> None:
    made = order(
        id=number, total=Money(Decimal(total), "USD"), created_at=house.clock.now() - timedelta(days=3), **facts
    )
    await keep_past(house.db, house.store, ORDER, str(number), made, house.clock.now(), complete=True)


async def channel(house: House) -> None:
    await house.run(
        "INSERT INTO channels (store_hash, id, name, type, status) VALUES ($1, 1, 'Shop', 'storefront', 'active')",
        house.store,
    )


async def count(house: House, number: int) -> None:
    """What the worker does with a try, in one go."""
    tryout = await fetch_tryout(house.db, house.store, number)
    store = await fetch_store(house.db, house.store)
    assert tryout is not None
    assert store is not None
    reading = await fetch_reading(house.db, store, house.clock.now())
    since = past_since("order", house.clock.now())
    _, end = await past_end(house.db, house.store, "order", Cursor(), since, 1000)
    page = await past_page(house.db, house.store, "order", Cursor(), end, since)
    examine(tryout.tally, ORDER, draft(tryout.definition), (), page.records(), reading)
    await save_tryout(
        house.db, house.store, tryout, state="counted", cursor=end, total=page.count, whole=True,
        now=house.clock.now(),
    )  # fmt: skip


async def test_reading_only_what_rules_read_counts_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every field once, over records of all shapes: what SQL leaves out, what is remembered and where pages are cut
    # changes no count.
    monkeypatch.setattr("bcapp.jobs.past.PAGE", 3)
    chance = random.Random(5)
    reading = Reading(house.clock.now(), storefront_channels=frozenset({1, 2}))
    records = []
    for facts in made_orders(40, chance):
        bare = replace(facts.billing, country="", state="")
        odd = replace(
            facts,
            created_at=house.clock.now() - timedelta(minutes=chance.randrange(90 * 1440)),
            customer_id=chance.choice([0, facts.customer_id]),
            billing=chance.choice([facts.billing, bare]),
            shipping=chance.choice([(), facts.shipping, (*facts.shipping, bare)]),
            items=tuple(chance.choice([i, replace(i, brand_name="", custom_fields=())]) for i in facts.items),
            history=chance.choice([None, facts.history]),
            unread=chance.choice([frozenset(), frozenset({"catalog"})]),
        )
        await keep_past(house.db, house.store, ORDER, str(odd.id), odd, house.clock.now(), complete=True)
        brief = ORDER.brief(odd)
        amount = f"{odd.total.amount:.4f}"
        records.append(
            PastRecord(str(odd.id), brief.label, odd.created_at.isoformat(), brief.customer, brief.has_email, amount,
                       odd.total.currency, ORDER.dump(odd))
        )  # fmt: skip
    records.sort(key=lambda r: (r.customer, r.at, r.id))
    values = {
        FieldType.MONEY: ("900.00 USD",), FieldType.NUMBER: ("2",), FieldType.COUNTRY: ("DE", "US"),
        FieldType.DATE: (house.clock.now().date().isoformat(),), FieldType.FLAG: (),
    }  # fmt: skip
    texts = {"category": ("23", "29", "31"), "sku": ("SKU-7",), "weekday": ("monday", "friday"), "company": ("x",)}
    live = draft(RuleDefinition(groups=((Condition("billing_country", "is_any_of", ("DE", "FR")),),)), rule_id=9)
    for field in ORDER.fields.values():
        wanted = values.get(field.type) or texts.get(field.name, ("1", "2", "captured", "yes", "Northfield"))
        argument = "30" if field.argument == "Days" else "regulated" if field.argument else ""
        second = Condition("shipping_region", "is_any_of", ("GB Somerset", "US Somerset"))
        condition = Condition(field.name, OPERATORS[field.type][0], wanted, argument)
        rule = draft(RuleDefinition(groups=((condition,), (second,)), unjudged="pass"))
        whole, narrow = Tally(), Tally()
        for record in records:
            facts = ORDER.parse(record.facts)
            seen = glance(ORDER, rule, facts, reading)
            add(whole, record, seen, reading)
            if seen.decision == "no_match" and seen.lacking:
                close = is_close(seen.lacking.trace(facts, reading))
                pass_by(whole, record, close=close, several=seen.of > 1)
            if seen.decision == glance(ORDER, live, facts, reading).decision == "would_ask":
                whole.overlaps["9"] = whole.overlaps.get("9", 0) + 1
        since = past_since("order", house.clock.now())
        async for _ in try_pages(house.db, house.store, ORDER, rule, [live], narrow, Cursor(), since, reading):
            pass
        assert narrow.dump() == whole.dump(), field.name
    assert whole.looked


async def test_a_rule_is_tried_and_its_numbers_are_shown(house: House) -> None:
    await channel(house)
    for number, total in ((1, "1500.00"), (2, "1200.00"), (3, "950.00"), (4, "10.00")):
        await keep(house, number, total)
    rule_id = await make_rule(house)
    owner = house.as_("owner")
    assert "Try on past orders" in (await owner.get(f"rules/{rule_id}/try")).text
    answer = await owner.post(f"rules/{rule_id}/try")
    assert answer.status_code == 303
    number = int(answer.headers["location"].rsplit("/", 1)[1])
    text = (await owner.get(f"tries/{number}")).text
    assert "It begins in a moment" in text
    assert "hx-trigger" in text
    kinds = [r["kind"] for r in await rows(house, "SELECT kind FROM actions ORDER BY kind")]
    assert kinds == ["read_past", "try_rule"]
    await count(house, number)
    await house.run("UPDATE actions SET state = 'applied'")
    text = (await owner.get(f"tries/{number}")).text
    for said in ("of 4 orders, 50.0 %", "2,700.00", "orders/1", "orders/2", "Nearly", "orders/3", "No live rule asks"):
        assert said in text, said
    # What a poll gets says the same: blocks are rendered alone.
    polled = (await owner.get(f"tries/{number}", part=True)).text
    assert "2,700.00" in polled
    assert "<html" not in polled
    assert (await owner.get(f"rules/{rule_id}/try")).headers["location"].endswith(f"tries/{number}")
    hidden = (await house.as_("viewer").get(f"tries/{number}")).text
    assert "Bo Buyer" not in hidden
    assert "Bo Buyer" in text
    assert await house.run("SELECT count(*) FROM requests") == 0


async def rows(house: House, sql: str, *values: Any) -> list[dict[str, Any]]:
    async with house.db.pool.acquire() as connection:
        return [dict(r) for r in await connection.fetch(sql, *values)]


async def test_an_edited_draft_is_tried_without_being_saved(house: House) -> None:
    rule_id = await make_rule(house)
    account = await house.run("SELECT id FROM signature_accounts")
    edited = filled(int(account), rule_id=str(rule_id)) | {"c.0.0.value": "55"}
    answer = await house.as_("owner").post("tries", edited)
    number = int(answer.headers["location"].rsplit("/", 1)[1])
    tryout = await fetch_tryout(house.db, house.store, number)
    assert tryout is not None
    assert (tryout.rule_id, tryout.rule_version) == (rule_id, 0)
    assert tryout.definition.groups[0][0].values == ("55 USD",)
    assert await house.run("SELECT max(version) FROM rule_versions") == 1
    refused = await house.as_("owner").post("tries", edited | {"c.0.0.value": "much"}, part=True)
    assert refused.status_code == 422
    assert "is not an amount" in refused.text
    assert 'value="much"' in refused.text


async def test_only_managers_try_and_nobody_sees_another_stores_try(house: House) -> None:
    rule_id = await make_rule(house)
    for who in ("approver", "viewer"):
        assert (await house.as_(who).post(f"rules/{rule_id}/try")).status_code == 403
    answer = await house.as_("manager").post(f"rules/{rule_id}/try")
    number = answer.headers["location"].rsplit("/", 1)[1]
    assert (await house.as_("stranger").get(f"tries/{number}")).status_code == 404
    assert (await house.as_("viewer").get(f"tries/{number}")).status_code == 200
    assert (await house.as_("owner").get("tries/99999")).status_code == 404


async def test_conditions_alone_on_customers_and_products(house: House) -> None:
    owner = house.as_("owner")
    assert "Order total" in (await owner.get("tries/new")).text
    text = (await owner.get("tries/new?kind=customer")).text
    assert "E-mail domain" in text
    more = await owner.post("tries/new?kind=customer", {"field_0": "email_domain", "do": "more"})
    assert "field_1" in more.text
    wrong = await owner.post("tries/new?kind=product", {"field_0": "price", "operator_0": "at_least", "value_0": "x"})
    assert wrong.status_code == 422
    assert "is not an amount" in wrong.text
    good = {"field_0": "email_domain", "operator_0": "is_any_of", "value_0": "example.com, buyer.example"}
    answer = await owner.post("tries/new?kind=customer", good)
    number = int(answer.headers["location"].rsplit("/", 1)[1])
    tryout = await fetch_tryout(house.db, house.store, number)
    assert tryout is not None
    assert tryout.kind == "customer"
    assert tryout.definition.groups[0][0].values == ("example.com", "buyer.example")
    assert "When a customer registers and e-mail domain is any of" in (await owner.get(f"tries/{number}")).text


async def test_what_if_judges_a_record_and_writes_nothing(house: House) -> None:
    await channel(house)
    await keep(house, 77, "1500.00")
    rule_id = await make_rule(house)
    owner = house.as_("owner")
    before = await house.run("SELECT count(*) FROM audit_log")
    text = (await owner.get("what-if?number=77")).text
    assert "it would ask" in text
    assert f"rules/{rule_id}" in text
    text = (await owner.post("what-if?number=77", {"total": "900.00 USD"})).text
    assert "Does not ask: order total is 900.00 USD" in text
    wrong = await owner.post("what-if?number=77", {"total": "a lot"})
    assert wrong.status_code == 422
    assert "Order total" in wrong.text
    assert "is not among the records" in (await owner.get("what-if?number=78")).text
    assert (await house.as_("viewer").get("what-if?number=77")).status_code == 403
    assert await house.run("SELECT count(*) FROM audit_log") == before
    assert await house.run("SELECT count(*) FROM decisions") == 0
    assert await house.run("SELECT count(*) FROM deliveries") == 0
    stored = await house.run("SELECT facts->>'total' FROM past_records")
    assert stored == "1500.00 USD"


async def test_monitor_results_beside_the_try(house: House) -> None:
    await channel(house)
    rule_id = await make_rule(house)
    await house.run("UPDATE rules SET mode = 'monitor'")
    owner = house.as_("owner")
    assert "Nothing yet" in (await owner.get(f"rules/{rule_id}/monitor")).text
    now = house.clock.now()
    for number, decision in ((1, "would_ask"), (2, "no_match"), (3, "would_ask")):
        await house.run(
            "INSERT INTO records (store_hash, kind, id, label, amount, currency, looked_at, created_at)"
            " VALUES ($1, 'order', $2, $3, 500, 'USD', $4, $4)",
            house.store, str(number), f"Order {number}, Ann", now,
        )  # fmt: skip
        said = RuleTrace(rule_id, 1, "Large orders", decision, "Monitor.", (), "monitor")
        for at in (now, now + timedelta(minutes=1)):
            await keep_decision(house.db, house.store, RecordKey("order", str(number)), [said], digest(number), at)
    text = (await owner.get(f"rules/{rule_id}/monitor")).text
    for part in ("66.7 %", "1,000.00", "Order 1, Ann", "Make it live", "2026-11-22", "Try on past orders"):
        assert part in text, part
    assert "Order 2, Ann" not in text
    assert await house.run("SELECT count(*) FROM decisions") == 3
    found = await fetch_monitored(house.db, house.store, rule_id, 1, now - timedelta(days=1), "Europe/Berlin")
    assert (found.looked, found.asked, found.held) == (3, 2, (Money(Decimal(1000), "USD"),))


async def test_what_was_signed_before_covers_in_what_if_and_try(house: House) -> None:
    await channel(house)
    agreement = int(await house.run(
        "INSERT INTO agreements (store_hash, name, version, created_at) VALUES ($1, 'Terms', 1, $2) RETURNING id",
        house.store, house.clock.now(),
    ))  # fmt: skip
    signs = {"internal": "", "customer": "yes", "agreement_id": str(agreement), "once": "customer"}
    await give_key(house)
    await make_rule(house, **signs)
    await keep(house, 77, "1500.00", customer_id=7)
    await keep(house, 78, "1500.00", customer_id=0)
    owner = house.as_("owner")
    assert "it would ask" in (await owner.get("what-if?number=77")).text
    key = await data_key(house.db, house.services.secrets, house.store)
    signed_at = house.clock.now() - timedelta(days=20)
    brought = await house.run(
        "INSERT INTO imports (store_hash, file_name, state, author, created_at)"
        " VALUES ($1, 'old.csv', 'applied', 2, $2) RETURNING id", house.store, signed_at,
    )  # fmt: skip
    for party in (Party(PartyKind.CUSTOMER, "7"), address_party(key, "bo@buyer.test")):
        assert party is not None
        await house.run(
            "INSERT INTO acceptances (store_hash, party_kind, party_id, label, agreement_id, agreement_version, scope,"
            " valid_from, recorded_at, import_id) VALUES ($1, $2, $3, '', $4, 1, 'customer', $5, $5, $6)",
            house.store, str(party.kind), party.id, agreement, signed_at, brought,
        )  # fmt: skip
    for number in (77, 78):
        assert (
            f"Covered by the acceptance of {day(signed_at, UTC)}" in (await owner.get(f"what-if?number={number}")).text
        )
    # An account that has signed nothing is covered by what its own address signed as a guest, if it is stored here.
    await keep(house, 79, "1500.00", customer_id=9)
    assert "it would ask" in (await owner.get("what-if?number=79")).text
    made = CustomerFacts(9, "Bo@buyer.test", "Bo", "", 0, signed_at, signed_at, 1, None)
    await keep_past(house.db, house.store, CUSTOMER, "9", made, house.clock.now(), complete=True)
    assert "Covered by the acceptance of" in (await owner.get("what-if?number=79")).text
    await keep(house, 80, "1500.00", customer_id=10)
    await keep(house, 81, "1500.00", customer_id=10)
    rule = await fetch_rule(house.db, house.store, int(await house.run("SELECT id FROM rules")))
    assert rule is not None
    store = await fetch_store(house.db, house.store)
    assert store is not None
    reading, tally = await fetch_reading(house.db, store, house.clock.now()), Tally()
    ledgers = partial(stored_ledgers, house.services, house.store, [rule.definition.agreement_id])
    since = past_since("order", house.clock.now())
    tried = try_pages(
        house.db, house.store, ORDER, draft(rule.definition), [], tally, Cursor(), since, reading, ledgers
    )
    async for _ in tried:
        pass
    assert (tally.asked, tally.covered_already, tally.covered_by_first) == (5, 3, 1)
    # A rule that asks whether it was signed before knows it too: 80 and 81 are of somebody who has signed nothing, and
    # 82 was placed before its customer signed.
    early = order(id=82, customer_id=7, created_at=signed_at - timedelta(days=1), modified_at=signed_at)
    await keep_past(house.db, house.store, ORDER, "82", early, house.clock.now(), complete=True)
    asks = replace(rule.definition, groups=((Condition("accepted", "has_none_of", (str(agreement),)),),))
    ledgers = partial(stored_ledgers, house.services, house.store, [agreement])
    tally = Tally()
    async for _ in try_pages(house.db, house.store, ORDER, draft(asks), [], tally, Cursor(), since, reading, ledgers):
        pass
    assert (tally.looked, tally.asked, tally.unjudged) == (6, 3, 0)
    await house.run("UPDATE rule_versions SET definition = $1", dump_definition(asks))
    assert "it would ask" in (await owner.get("what-if?number=80")).text
    assert "it would ask" not in (await owner.get("what-if?number=77")).text


async def test_what_was_read_in_part_never_replaces_what_was_read_whole(house: House) -> None:
    await keep(house, 5)
    now = house.clock.now()
    partly = order(id=5, created_at=now - timedelta(days=3), modified_at=now, history=None)
    await keep_past(house.db, house.store, ORDER, "5", partly, now, complete=False)
    row = (await rows(house, "SELECT complete, facts FROM past_records"))[0]
    assert row["complete"] is False
    assert ORDER.parse(row["facts"]).history is not None
    await keep_past(house.db, house.store, ORDER, "5", replace(partly, id=5), now, complete=True)
    assert await house.run("SELECT complete FROM past_records") is True
    old = order(id=6, created_at=now - timedelta(days=91))
    await keep_past(house.db, house.store, ORDER, "6", old, now, complete=True)
    assert await house.run("SELECT count(*) FROM past_records") == 1


async def test_what_is_old_or_unused_is_dropped(house: House) -> None:
    await keep(house, 5)
    said = RuleTrace(1, 1, "Large orders", "asks", "Asks.", (), "live")
    await keep_decision(house.db, house.store, RecordKey("order", "5"), [said], "f", house.clock.now())
    await make_rule(house)
    await house.as_("owner").post(f"rules/{await house.run('SELECT id FROM rules')}/try")

    async def left() -> list[int]:
        tables = ("past_records", "past_reads", "tryouts", "decisions")
        return [await house.run(f"SELECT count(*) FROM {table}") for table in tables]

    await clear(house.services)
    assert await left() == [1, 1, 1, 1]
    house.clock.advance(days=31)
    await clear(house.services)
    assert await left() == [0, 0, 1, 1]
    await house.run("UPDATE decisions SET decided_at = $1", house.clock.now() - timedelta(days=401))
    house.clock.advance(days=60)
    await clear(house.services)
    assert await left() == [0, 0, 0, 0]


def test_a_tally_of_an_older_release_is_read() -> None:
    assert Tally.parse({"looked": 3, "later": 1}).looked == 3


async def test_a_draft_about_customers_is_tried_on_customers(house: House) -> None:
    account = int(await house.run(
        "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
        " client_secret, state, created_at) VALUES ($1, 'Main', 'us', 't', 'u', 'a', 'c', '', 'working', $2)"
        " RETURNING id", house.store, house.clock.now(),
    ))  # fmt: skip
    rows = {"c.0.0.field": "customer_group", "c.0.0.operator": "is_any_of", "c.0.0.value": "3"}
    edited = filled(account) | rows | {"workflow": "account_approval", "kind": "customer"}
    answer = await house.as_("owner").post("tries", edited)
    tryout = await fetch_tryout(house.db, house.store, int(answer.headers["location"].rsplit("/", 1)[1]))
    assert tryout is not None
    assert (tryout.kind, tryout.definition.kind) == ("customer", "customer")
    assert (await house.as_("owner").get(answer.headers["location"].split("/", 3)[3])).status_code == 200
    # The past of companies is not kept: nothing is offered, and nothing begins.
    assert "Try on past" not in (await house.as_("owner").get("rules/new?workflow=account_approval")).text
    company = edited | {"kind": "company"}
    assert (await house.as_("owner").post("tries", company)).status_code == 404
