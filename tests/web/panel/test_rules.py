"""Rules: the editor with and without script, versions, two tabs, and the boundary."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bcapp.core.kinds import KINDS
from bcapp.jobs.backlog import LISTERS
from bcapp.web.panel.rules import COUNTED
from bcapp.workflows import WORKFLOWS
from tests.web.panel.conftest import House

pytestmark = pytest.mark.database


async def add_account(house: House) -> int:
    return int(
        await house.run(
            "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
            " client_secret, state, created_at) VALUES ($1, 'Main', 'us', 't', 'u', 'a', 'c', '', 'working', $2)"
            " RETURNING id",
            house.store,
            house.clock.now(),
        )
    )


def filled(account: int, **more: Any) -> dict[str, Any]:
    return {
        "name": "Large orders",
        "version": "0",
        "c.0.0.field": "total",
        "c.0.0.operator": "at_least",
        "c.0.0.value": "1000",
        "c.0.0.currency": "usd",
        "internal": "yes",
        "approver_how": "limit",
        "sequence": "together",
        "account_id": str(account),
        "expiry_days": "7",
        "most_per_hour": "100",
        "most_per_day": "500",
    } | more


async def make_rule(house: House, **more: Any) -> int:
    account = await add_account(house)
    answer = await house.as_("owner").post("rules/new", filled(account, **more))
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rsplit("/", 1)[1])


async def alone(house: House) -> None:
    """Leave the owner as the only manager: then changes apply at once."""
    await house.run("UPDATE users SET role = 'viewer' WHERE id = 2")


async def test_an_empty_list_says_why(house: House) -> None:
    assert "No rules yet" in (await house.as_("owner").get("rules")).text
    assert "Make the first rule" not in (await house.as_("viewer").get("rules")).text


async def test_a_new_rule_is_off_and_reads_as_a_sentence(house: House) -> None:
    rule = await make_rule(house)
    text = (await house.as_("viewer").get("rules")).text
    assert "When an order is placed and order total is at least 1000 USD, ask the approver whose limit" in text
    assert "Off" in text
    assert await house.run("SELECT version FROM rule_versions WHERE rule_id = $1", rule) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"name": " "}, "Give the rule a name."), ({"c.0.0.value": "a lot"}, "is not an amount"),
     ({"c.0.0.value": ""}, "Order total needs a value."), ({"c.0.0.field": "nonsense"}, "This field does not exist"),
     ({"account_id": "999"}, "Choose the signature account."), ({"internal": ""}, "Choose who signs"),
     ({"expiry_days": "0"}, "Expiry is between 1 and 365 days."), ({"customer": "yes"}, "Choose the agreement"),
     ({"customer": "yes", "agreement_id": "77"}, "not offered any more"),
     ({"approver_how": "named"}, "Name at least one approver"),
     ({"approver_how": "named", "approver_0": "123456"}, "not in People"),
     ({"most_per_hour": "x"}, "at least 1"), ({"name": "n" * 200}, "at most 120"),
     ({"c.0.0.currency": "US"}, "is not an amount"), ({"channel": "5"}, "A channel does not exist")],
)  # fmt: skip
async def test_a_refused_form_names_the_row_and_keeps_what_was_typed(
    house: House, changes: dict[str, str], says: str
) -> None:
    account = await add_account(house)
    answer = await house.as_("owner").post("rules/new", filled(account, **changes), part=True)
    assert answer.status_code == 422
    assert says in answer.text.replace("&#39;", "'")
    assert "<html" not in answer.text
    if "name" not in changes:
        assert 'value="Large orders"' in answer.text
    assert await house.run("SELECT count(*) FROM rules") == 0


async def test_the_editor_says_what_no_rule_about_offers_sees(house: House) -> None:
    for kind in ("promotion", "quote", "price_list"):
        page = (await house.as_("owner").get(f"rules/new?workflow=offer_approval&kind={kind}")).text
        assert "What no such rule sees" in page


async def test_a_new_rule_asks_named_people_until_somebody_has_a_limit(house: House) -> None:
    owner = house.as_("owner")

    async def chosen() -> list[str]:
        inputs = re.findall(
            r'<input[^>]*name="approver_how"[^>]*>', (await owner.get("rules/new?workflow=order_approval")).text
        )
        return [re.findall(r'value="(\w+)"', text)[0] for text in inputs if " checked" in text]

    assert await chosen() == ["named"]
    await house.run(
        "INSERT INTO approval_limits (store_hash, person_id, currency, up_to)"
        " SELECT store_hash, id, 'EUR', 500 FROM people WHERE store_hash = $1 LIMIT 1", house.store,
    )  # fmt: skip
    assert await chosen() == ["limit"]


async def test_rows_are_added_and_removed_without_saving(house: House) -> None:
    account = await add_account(house)
    owner = house.as_("owner")
    for part in (True, False):
        text = (await owner.post("rules/new", filled(account, do="group"), part=part)).text
        assert 'name="c.1.0.field"' in text
        text = (await owner.post("rules/new", filled(account, do="or.0"), part=part)).text
        assert 'name="c.0.1.field"' in text
        text = (await owner.post("rules/new", filled(account, do="remove.0.0"), part=part)).text
        assert "every order that is placed" in text
    for odd in ("or.9", "remove.7.7", "or", "x", "remove.x.y", "or.99999999999"):
        assert (await owner.post("rules/new", filled(account, do=odd))).status_code == 200
    assert await house.run("SELECT count(*) FROM rules") == 0


async def test_the_sentence_follows_and_another_field_brings_its_own_comparisons(house: House) -> None:
    account = await add_account(house)
    owner = house.as_("owner")
    answer = await owner.post("rules/draft", filled(account, **{"c.0.0.value": "250"}), part=True)
    assert answer.text.startswith("<p")
    assert "at least 250 USD" in answer.text
    data = filled(account, **{"c.0.0.field": "shipping_country", "c.0.0.value": "de, fr"})
    answer = await owner.post("rules/draft?part=conditions", data, part=True)
    assert answer.text.strip().startswith('<div id="conditions"')
    assert "is any of" in answer.text
    data = filled(account, **{"c.0.0.field": "custom_field"})
    answer = await owner.post("rules/draft?part=conditions", data, part=True)
    assert 'placeholder="yes"' in answer.text  # the field's name has a place of its own


async def test_several_values_and_groups_are_kept(house: House) -> None:
    rule = await make_rule(
        house,
        **{
            "c.1.0.field": "shipping_country", "c.1.0.operator": "is_none_of", "c.1.0.value": "de, FR",
            "c.1.1.field": "sum_in_days", "c.1.1.operator": "more_than", "c.1.1.value": "5000.50",
            "c.1.1.currency": "EUR", "c.1.1.argument": "30",
            "c.2.0.field": "first_order", "c.2.0.operator": "is_true",
        },
    )  # fmt: skip
    definition = await house.run("SELECT definition FROM rule_versions WHERE rule_id = $1", rule)
    definition = definition if isinstance(definition, dict) else __import__("json").loads(definition)
    assert [[c["field"] for c in g] for g in definition["groups"]] == [
        ["total"], ["shipping_country", "sum_in_days"], ["first_order"],
    ]  # fmt: skip
    assert definition["groups"][1][0]["values"] == ["DE", "FR"]
    assert definition["groups"][1][1] | {"operator": ""} == {
        "field": "sum_in_days", "operator": "", "values": ["5000.50 EUR"], "argument": "30"
    }  # fmt: skip
    text = (await house.as_("owner").get(f"rules/{rule}")).text
    assert 'value="5000.50"' in text
    assert 'value="DE, FR"' in text


async def test_two_tabs_do_not_overwrite_each_other(house: House) -> None:
    rule = await make_rule(house)
    account = await house.run("SELECT id FROM signature_accounts")
    first = await house.as_("owner").post(f"rules/{rule}", filled(account, name="Mine", version="1"))
    assert first.status_code == 303
    second = await house.as_("manager").post(f"rules/{rule}", filled(account, name="Theirs", version="1"))
    assert second.status_code == 422
    assert "Somebody else saved this rule meanwhile" in second.text
    assert 'value="Theirs"' in second.text
    assert await house.run("SELECT name FROM rules") == "Mine"


async def test_an_older_version_comes_back_as_the_newest(house: House) -> None:
    rule = await make_rule(house)
    account = await house.run("SELECT id FROM signature_accounts")
    await house.as_("owner").post(f"rules/{rule}", filled(account, version="1", **{"c.0.0.value": "2000"}))
    assert "at least 1000 USD" in (await house.as_("viewer").get(f"rules/{rule}/versions")).text
    for _ in range(2):
        await house.as_("owner").post(f"rules/{rule}/restore", {"version": "1"})
    assert await house.run("SELECT version FROM rules") == 3
    assert "at least 1000 USD" in (await house.as_("owner").get("rules")).text
    assert (await house.as_("owner").post(f"rules/{rule}/restore", {"version": "9"})).status_code == 404


@pytest.mark.parametrize("path", ["new", "{id}", "{id}/mode", "{id}/live", "{id}/archive", "{id}/count", "draft"])
async def test_only_managers_change_rules(house: House, path: str) -> None:
    path = f"rules/{path}".format(id=await make_rule(house))
    for who in ("approver", "viewer"):
        assert (await house.as_(who).post(path, {"mode": "monitor"})).status_code == 403
    assert (await house.as_("intruder").post(path, {"mode": "monitor"})).status_code == 404
    if path not in ("rules/new", "rules/draft"):
        assert (await house.as_("stranger").post(path, {"mode": "monitor"})).status_code == 404
    assert await house.run("SELECT count(*) FROM rules WHERE mode <> 'off'") == 0


async def test_going_live_shows_the_boundary_and_includes_what_is_ticked(house: House) -> None:
    await alone(house)
    rule = await make_rule(house)
    owner = house.as_("owner")
    assert (await owner.post(f"rules/{rule}/count")).headers["location"].endswith(f"/rules/{rule}/live")
    await owner.post(f"rules/{rule}/count")
    assert await house.run("SELECT count(*) FROM actions WHERE kind = 'count_backlog'") == 1
    text = (await owner.get(f"rules/{rule}/live", part=True)).text
    assert 'hx-trigger="every 2s"' in text
    await house.run(
        "UPDATE backlogs SET state = 'counted', groups = $1",
        [{"key": "11", "count": 2, "money": {"USD": "3000.00"}, "records": ["5", "6"]},
         {"key": "7", "count": 1, "money": {"USD": "1500.00"}, "records": ["7"]}],
    )  # fmt: skip
    text = (await owner.get(f"rules/{rule}/live")).text
    assert "Awaiting fulfillment" in text
    assert "$3,000.00" in text
    assert "Only the first" not in text
    await house.run("UPDATE backlogs SET cursor = $1", {"counted": 2000, "more": True})
    assert "Only the first 2,000 open orders" in (await owner.get(f"rules/{rule}/live", part=True)).text
    for _ in range(2):
        assert (await owner.post(f"rules/{rule}/live", {"group": ["11", "nonsense"]})).status_code == 303
    assert await house.run("SELECT mode FROM rules") == "live"
    assert await house.run("SELECT live_since FROM rules") == house.clock.now()
    assert await house.run("SELECT string_agg(record_id, ',' ORDER BY record_id) FROM rule_inclusions") == "5,6"
    looks = "SELECT string_agg(record_id, ',' ORDER BY record_id) FROM deliveries WHERE record_kind = 'order'"
    assert await house.run(looks) == "5,6"


async def test_a_live_rule_changes_only_with_a_second_manager(house: House) -> None:
    rule = await make_rule(house)
    owner = house.as_("owner")
    await owner.post(f"rules/{rule}/count")
    await house.run("UPDATE backlogs SET state = 'counted', groups = $1",
                    [{"key": "11", "count": 1, "money": {"USD": "1.00"}, "records": ["5"]}])  # fmt: skip
    await owner.post(f"rules/{rule}/live", {"group": "11"})
    assert await house.run("SELECT mode FROM rules") == "off"
    assert await house.run("SELECT count(*) FROM rule_inclusions") == 0
    text = (await owner.get(f"rules/{rule}")).text
    assert "Waits for a second person" in text
    change = await house.run("SELECT id FROM pending_changes WHERE state = 'waiting'")
    await house.as_("manager").post(f"people/changes/{change}/approve")
    assert await house.run("SELECT mode FROM rules") == "live"
    assert await house.run("SELECT count(*) FROM rule_inclusions") == 1
    account = await house.run("SELECT id FROM signature_accounts")
    await owner.post(f"rules/{rule}", filled(account, version="1", name="Larger orders"))
    assert await house.run("SELECT name FROM rules") == "Large orders"
    assert await house.run("SELECT count(*) FROM pending_changes WHERE state = 'waiting'") == 1


async def test_monitor_off_pause_and_archive(house: House) -> None:
    await alone(house)
    rule = await make_rule(house)
    owner = house.as_("owner")
    for mode in ("monitor", "off", "nonsense", "live"):
        await owner.post(f"rules/{rule}/mode", {"mode": mode})
        assert await house.run("SELECT mode FROM rules") == (mode if mode in ("monitor", "off") else "off")
    await house.run("UPDATE rules SET mode = 'live', paused_why = 'it asked too often.'")
    assert "it asked too often." in (await owner.get(f"rules/{rule}")).text
    await owner.post(f"rules/{rule}/resume")
    assert await house.run("SELECT paused_why FROM rules") == ""
    await owner.post(f"rules/{rule}/archive")
    assert await house.run("SELECT mode FROM rules") == "off"
    assert "Large orders" in (await owner.get("rules?show=archived")).text
    assert "No rules yet" in (await owner.get("rules")).text
    assert "archived" in (await owner.get(f"rules/{rule}")).text


# Who approves, how often, and what follows while nobody signs ------------------------------------------------------


async def people_of(house: House) -> list[str]:
    joined = await house.run(
        "SELECT string_agg(CAST(id AS text), ' ' ORDER BY id) FROM people WHERE store_hash = $1", house.store
    )
    return str(joined).split()


async def stored(house: House, rule_id: int) -> dict[str, Any]:
    found = await house.run(
        "SELECT definition FROM rule_versions WHERE rule_id = $1 ORDER BY version DESC LIMIT 1", rule_id
    )
    return dict(found)


async def test_a_limits_table_is_kept_line_by_line(house: House) -> None:
    first, second, *_ = await people_of(house)
    lines = {
        "approver_how": "bands",
        "approvers_together": "together",
        "b.0.up_to": "5000", "b.0.currency": "eur", "b.0.person_0": first,
        "b.1.up_to": "", "b.1.currency": "eur", "b.1.person_0": second, "b.1.person_1": first,
        "copy_0": second,
    }  # fmt: skip
    rule_id = await make_rule(house, **lines)
    definition = await stored(house, rule_id)
    assert definition["bands"] == [
        {"up_to": "5000 EUR", "people": [int(first)]},
        {"up_to": "", "people": [int(second), int(first)]},
    ]
    assert (definition["approvers_in_order"], definition["copies"]) == (False, [int(second)])
    shown = (await house.as_("owner").get(f"rules/{rule_id}")).text
    assert "up to 5000 EUR" in shown
    assert 'value="5000"' in shown


async def test_an_empty_limits_table_is_refused_at_its_place(house: House) -> None:
    account = await add_account(house)
    answer = await house.as_("owner").post("rules/new", filled(account, approver_how="bands"))
    assert answer.status_code == 422
    assert "at least one line" in answer.text


async def test_steps_are_added_changed_and_removed_without_saving(house: House) -> None:
    account = await add_account(house)
    first, *_ = await people_of(house)
    owner = house.as_("owner")
    added = await owner.post("rules/new", filled(account, do="step"))
    assert 'name="s.0.do"' in added.text
    step = {"s.0.do": "escalate", "s.0.after_days": "2", "s.0.at": "10:30", "s.0.person": first}
    fitted = await owner.post("rules/new", filled(account, do="fit", **step))
    assert 'name="s.0.person"' in fitted.text
    assert 'name="s.0.do"' not in (await owner.post("rules/new", filled(account, do="unstep.0", **step))).text
    assert await house.run("SELECT count(*) FROM rules") == 0
    rule_id = await make_rule(house, **step, **{"s.0.working_days": "yes"})
    assert (await stored(house, rule_id))["steps"] == [
        {"after_days": 2, "do": "escalate", "at": "10:30", "working_days": True, "person": int(first), "outcome": ""}
    ]


async def test_how_often_a_buyer_signs(house: House) -> None:
    agreement = await house.run(
        "INSERT INTO agreements (store_hash, name, version, created_at) VALUES ($1, 'Terms', 1, $2) RETURNING id",
        house.store, house.clock.now(),
    )  # fmt: skip
    buyer = {"customer": "yes", "agreement_id": str(agreement), "once": "customer", "once_months": "12"}
    rule_id = await make_rule(house, **buyer, internal="")
    assert (await stored(house, rule_id))["sign_once"] == {
        "scope": "customer", "months": 12, "until": "", "renew_days": 30,
    }  # fmt: skip
    account = await add_account(house)
    both = filled(account, **buyer, internal="", once_until="2027-12-31")
    refused = await house.as_("owner").post("rules/new", both)
    assert refused.status_code == 422
    assert "not both" in refused.text


async def test_amounts_in_several_currencies(house: House) -> None:
    rule_id = await make_rule(house, **{"c.0.0.value": "1000, 900 EUR", "use_rates": "yes", "match": "any"})
    definition = await stored(house, rule_id)
    assert definition["groups"][0][0]["values"] == ["1000 USD", "900 EUR"]
    assert (definition["use_rates"], definition["match"]) == (True, "any")
    assert "1000 USD, 900 EUR" in (await house.as_("owner").get(f"rules/{rule_id}")).text


async def test_the_second_of_two_tabs_sees_what_the_first_saved(house: House) -> None:
    rule_id = await make_rule(house)
    account = str(await house.run("SELECT id FROM signature_accounts"))
    owner = house.as_("owner")
    first = filled(int(account), version="1", expiry_days="9")
    assert (await owner.post(f"rules/{rule_id}", first)).status_code == 303
    second = filled(int(account), version="1", most_per_hour="50")
    refused = await owner.post(f"rules/{rule_id}", second)
    assert refused.status_code == 422
    assert "What was changed meanwhile" in refused.text
    assert "expiry days: (default) → 9" in refused.text
    assert 'value="50"' in refused.text
    versions = (await owner.get(f"rules/{rule_id}/versions")).text
    assert "expiry days: (default) → 9" in versions


async def test_the_check_says_what_is_doubtful(house: House) -> None:
    assert "Nothing to say" in (await house.as_("viewer").get("rules/check")).text
    rule_id = await make_rule(house)
    await house.run("UPDATE rules SET mode = 'monitor'")
    shown = (await house.as_("viewer").get("rules/check")).text
    assert "Nobody to sign" in shown
    assert f"rules/{rule_id}" in shown
    assert "asks by approval limit, but nobody has one" in (await house.as_("owner").get(f"rules/{rule_id}")).text


async def test_steps_are_shown_as_dates_before_they_are_saved(house: House) -> None:
    account = await add_account(house)
    step = {"s.0.do": "remind", "s.0.after_days": "2", "s.0.at": "10:30", "s.1.do": "remind", "s.1.at": "25:00"}
    late = {"s.2.do": "escalate", "s.2.after_days": "30", "s.2.at": "08:00"}
    shown = (await house.as_("owner").post("rules/new", filled(account, do="fit", **step, **late))).text
    assert "If it were sent now:" in shown
    assert "10:30" in shown.partition("If it were sent now:")[2]
    assert "The request has expired by then." in shown


async def test_the_workflow_is_chosen_first(house: House) -> None:
    text = (await house.as_("owner").get("rules/new")).text
    assert "Choose what needs a signature." in text
    for label in ("Order approval", "Account approval"):
        assert f"Make a rule: {label}" in text or f": {label}" in text
    text = (await house.as_("owner").get("rules/new?workflow=account_approval&kind=customer")).text
    assert 'name="kind" value="customer"' in text
    assert "Choose what needs a signature." in (await house.as_("owner").get("rules/new?workflow=nonsense")).text


async def test_a_rule_of_another_workflow_keeps_its_kind_and_its_settings(house: House) -> None:
    await alone(house)
    await house.run(
        "INSERT INTO store_names (store_hash, what, id, name) VALUES ($1, 'customer_group', 3, 'Dealers')", house.store
    )
    account, owner = await add_account(house), house.as_("owner")
    person = await house.run("SELECT id FROM people WHERE store_hash = $1 LIMIT 1", house.store)
    text = (await owner.get("rules/new?workflow=account_approval")).text
    assert '<option value="3">Dealers</option>' in text
    settings = {
        "workflow": "account_approval", "kind": "customer", "o.approved_group": "3",
        "o.attribute": "State = approved", "o.credit_field": "Of companies only",
        "approver_how": "named", "approver_0": str(person),
        "c.0.0.field": "customer_group", "c.0.0.operator": "is_any_of", "c.0.0.values": "3",
    }  # fmt: skip
    rule = await make_rule(house, **settings)
    stored = await house.run("SELECT definition FROM rule_versions WHERE rule_id = $1", rule)
    assert stored["kind"] == "customer"
    assert stored["options"] == [["approved_group", "3"], ["attribute", "State = approved"]]
    text = (await owner.get("rules")).text
    assert "customer group is any of Dealers" in text
    assert text.index("Account approval") < text.index("Large orders")
    # What the form says of workflow and kind does not move a rule that exists.
    data = filled(account, **settings | {"version": "1", "workflow": "order_approval", "o.attribute": "much"})
    answer = await owner.post(f"rules/{rule}", data, part=True)
    assert answer.status_code == 422
    assert "cannot be read" in answer.text
    answer = await owner.post(f"rules/{rule}", data | {"o.attribute": ""}, part=True)
    assert "HX-Location" in answer.headers
    stored = await house.run("SELECT definition FROM rule_versions WHERE rule_id = $1 AND version = 2", rule)
    assert stored["options"] == [["approved_group", "3"]]
    assert (await owner.get(f"rules/{rule}/live")).status_code == 200
    answer = await owner.post(f"rules/{rule}/live")
    assert answer.status_code == 303
    assert await house.run("SELECT mode FROM rules WHERE id = $1", rule) == "live"


async def test_many_names_are_picked_from_a_list_and_unknown_ones_stay(house: House) -> None:
    await house.run(
        "INSERT INTO store_names (store_hash, what, id, name)"
        " SELECT $1, 'category', n, 'Tents › ' || n FROM generate_series(1, 20) n", house.store,
    )  # fmt: skip
    rule = await make_rule(
        house, **{"c.0.0.field": "category", "c.0.0.operator": "has_any_of", "c.0.0.values": ["7", "99"]}
    )
    text = (await house.as_("owner").get(f"rules/{rule}")).text
    assert re.search(r'<option value="7" selected>Tents › 7</option>', text)
    assert "Number 99, not in the store any more" in text
    assert "category has any of Tents › 7, 99" in text


async def test_every_workflow_and_kind_has_an_editor_that_saves(house: House) -> None:
    account, owner = await add_account(house), house.as_("owner")
    person = await house.run("SELECT id FROM people WHERE store_hash = $1 LIMIT 1", house.store)
    for slug, workflow in WORKFLOWS.items():
        for kind in workflow.KINDS:
            path = f"rules/new?workflow={slug}&kind={kind}"
            text = (await owner.get(path)).text
            assert workflow.LABEL in text, path
            for option in workflow.OPTIONS:
                does = not option.kinds or kind in option.kinds
                assert (f'name="o.{option.name}"' in text) is does, (path, option.name)
            settings = {f"o.{o.name}": o.default for o in workflow.OPTIONS}
            field = next(iter(KINDS[kind].fields))
            typed = {"workflow": slug, "kind": kind, "name": f"{slug} {kind}", "c.0.0.field": field}
            assert (await owner.post("rules/draft", filled(account) | typed, part=True)).status_code == 200, path
            data = {k: v for k, v in filled(account).items() if not k.startswith("c.")} | typed | settings
            data.pop("c.0.0.field")
            if not KINDS[kind].has_amount:
                refused = await owner.post("rules/new", data)
                assert "no amount that limits could be compared with" in refused.text
                data |= {"approver_how": "named", "approver_0": str(person)}
            answer = await owner.post("rules/new", data)
            assert answer.status_code == 303, (path, answer.text[:300])
            assert (await owner.get(answer.headers["location"].split("/", 3)[3])).status_code == 200
    for slug, says in (("offer_approval", "No promotions are switched on now."),
                       ("supplier_agreement", "Every supplier that you entered has a signed agreement")):  # fmt: skip
        assert says in (await owner.get(f"rules/new?workflow={slug}")).text
    text = (await owner.get("rules")).text
    assert all(workflow.LABEL in text for workflow in WORKFLOWS.values())
    assert (await owner.get("rules/check")).status_code == 200


def test_the_page_offers_to_count_exactly_what_the_worker_counts() -> None:
    assert {"order", *LISTERS} == COUNTED
