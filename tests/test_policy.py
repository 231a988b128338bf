"""A store's rules exported, planned and applied, against the real tables."""

from __future__ import annotations

import pytest

from bcapp.core.policy import to_document
from bcapp.db.rules import fetch_rule
from bcapp.errors import RefusedByUs, Stale
from bcapp.policy import apply_policy, make_plan, read_present, told
from bcapp.policy_file import Refused, write_policy
from tests.web.panel.conftest import House, house
from tests.web.panel.test_rules import alone, make_rule

__all__ = ["house"]  # the fixture

pytestmark = pytest.mark.database


async def exported(house: House) -> str:
    present = await read_present(house.services, house.store)
    return write_policy(to_document(present.rules, present.names))


async def token_of(house: House, text: str) -> str:
    return make_plan(await read_present(house.services, house.store), text)[1]


async def lines_of(house: House, text: str) -> list[str]:
    return told(make_plan(await read_present(house.services, house.store), text)[0])


async def test_what_was_exported_changes_nothing(house: House) -> None:
    rule_id = await make_rule(house)
    text = await exported(house)
    assert await apply_policy(house.services, house.store, text, await token_of(house, text)) == [
        "  “Large orders” stays as it is."
    ]
    assert await exported(house) == text
    rule = await fetch_rule(house.db, house.store, rule_id)
    assert rule is not None
    assert rule.version == 1
    assert await house.run("SELECT count(*) FROM audit_log WHERE event = 'policy_applied'") == 0


async def test_a_change_is_a_version_and_running_requests_keep_theirs(house: House) -> None:
    rule_id = await make_rule(house)
    text = (await exported(house)).replace("1000", "2500").replace("mode: 'off'", "mode: monitor")
    text = text.replace("mode: off", "mode: monitor")
    await house.run(
        "INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'order', '7', $2)",
        house.store, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO requests (store_hash, workflow, rule_id, rule_version, purpose, record_kind, record_id, round,"
        " projection, fingerprint, snapshot, account_id, agreement_id, agreement_version, nonce, external_id,"
        " created_at) VALUES ($1, 'order_approval', $2, 1, 'internal', 'order', '7', 1, 1, 'f', '{}', 1, 0, 0, 'n',"
        " 'x', $3)",
        house.store, rule_id, house.clock.now(),
    )  # fmt: skip
    lines = await lines_of(house, text)
    assert "    1 open requests keep version 1." in lines
    assert any(line.startswith("    groups: ") and "2500" in line for line in lines)
    assert "    mode: off → monitor" in lines
    assert await apply_policy(house.services, house.store, text, await token_of(house, text)) == lines
    rule = await fetch_rule(house.db, house.store, rule_id)
    assert rule is not None
    assert (rule.version, rule.mode) == (2, "monitor")
    assert rule.definition.groups[0][0].values == ("2500 USD",)
    actors = await house.run("SELECT string_agg(DISTINCT actor, ',') FROM audit_log WHERE event = 'policy_applied'")
    assert actors == "operator"


async def test_a_rule_is_added_and_one_that_is_not_named_stays(house: House) -> None:
    await make_rule(house)
    text = """policy: 1
rules:
  - name: Dear tents
    workflow: order_approval
    mode: live
    groups:
      - - {field: total, operator: at_least, values: [900.00 EUR]}
    approvers: {people: [Manager@abc123.example.com]}
    account: Main
"""
    lines = await apply_policy(house.services, house.store, text, await token_of(house, text))
    assert lines[0] == "+ “Dear tents” is added, live."
    assert lines[-1] == "  “Large orders” is not in the file and stays as it is."
    assert await house.run("SELECT live_since IS NOT NULL FROM rules WHERE name = 'Dear tents'")
    with pytest.raises(Stale, match="Plan again"):
        await apply_policy(house.services, house.store, text, "")
    assert await lines_of(house, text) == ["  “Dear tents” stays as it is.", lines[-1]]


async def test_a_rule_of_another_workflow_comes_and_goes_with_its_kind_and_settings(house: House) -> None:
    await make_rule(house)
    text = """policy: 1
rules:
  - name: Dealers
    workflow: account_approval
    record: customer
    approvers: {people: [manager@abc123.example.com]}
    account: Main
    options: {approved_group: 3, most_credit: 500.00 USD, subsidiaries: false}
"""
    await apply_policy(house.services, house.store, text, await token_of(house, text))
    stored = await house.run("SELECT v.definition FROM rules r JOIN rule_versions v ON v.rule_id = r.id"
                             " WHERE r.name = 'Dealers'")  # fmt: skip
    assert (stored["kind"], stored["options"]) == ("customer", [["approved_group", "3"], ["most_credit", "500.00 USD"]])
    written = await exported(house)
    assert "record: customer" in written
    assert (await lines_of(house, written))[1] == "  “Dealers” stays as it is."
    bad = text.replace("approved_group: 3", "approved_group: none").replace("subsidiaries", "nonsense")
    with pytest.raises(Refused) as refused:
        await lines_of(house, bad)
    assert "This workflow has no setting “nonsense”." in str(refused.value)
    with pytest.raises(Refused, match="has no rules about “order”"):
        await lines_of(house, text.replace("record: customer", "record: order"))


async def test_a_save_between_plan_and_apply_refuses_the_apply(house: House) -> None:
    rule_id = await make_rule(house)
    text = (await exported(house)).replace("1000", "2500")
    token = await token_of(house, text)
    await alone(house)
    saved = await house.as_("owner").post(f"rules/{rule_id}", {**_form(), "name": "Renamed", "version": "1"})
    assert saved.status_code in (200, 303), saved.text
    with pytest.raises(Stale, match="changed since this plan"):
        await apply_policy(house.services, house.store, text, token)
    rule = await fetch_rule(house.db, house.store, rule_id)
    assert rule is not None
    assert (rule.name, rule.version) == ("Renamed", 2)


def _form() -> dict[str, str]:
    return {
        "c.0.0.field": "total", "c.0.0.operator": "at_least", "c.0.0.value": "1000", "c.0.0.currency": "usd",
        "internal": "yes", "approver_how": "limit", "sequence": "together", "account_id": "1", "expiry_days": "7",
        "most_per_hour": "100", "most_per_day": "500",
    }  # fmt: skip


async def test_one_bad_rule_refuses_the_whole_file_with_its_line(house: House) -> None:
    await make_rule(house)
    text = (await exported(house)).replace("- field: total", "- field: gone", 1)
    bad = text + "- {name: B, workflow: warranty2, account: Main}\n"
    with pytest.raises(Refused) as refused:
        make_plan(await read_present(house.services, house.store), bad)
    line = 1 + text[: text.index("- field: gone")].count("\n")
    first, second = str(refused.value).splitlines()
    assert first.startswith(f"line {line}, column ")
    assert "does not exist any more" in first
    assert "no workflow “warranty2”" in second


async def test_another_stores_people_are_not_found(house: House) -> None:
    text = """policy: 1
rules:
  - {name: A, workflow: order_approval, account: Main, approvers: {people: [stranger@zzz999.example.com]}}
"""
    with pytest.raises(Refused, match="line 3, column 77: The store has no person"):
        make_plan(await read_present(house.services, house.store), text)


async def test_a_store_that_never_installed_is_said(house: House) -> None:
    with pytest.raises(RefusedByUs, match="never installed"):
        await read_present(house.services, "nobody")


async def test_the_check_knows_where_orders_came_from(house: House) -> None:
    """Two thousand of the newest past orders say which groups, countries and currencies there are."""
    await make_rule(house, **{"c.1.0.field": "shipping_country", "c.1.0.operator": "is_any_of", "c.1.0.value": "DE"})
    await house.run("UPDATE rules SET mode = 'live', live_since = $1", house.clock.now())
    await house.run(
        "INSERT INTO past_records (store_hash, kind, id, created_at, modified_at, read_at, complete, facts, currency)"
        " VALUES ($1, 'order', '9', $2, $2, $2, true, $3, 'SEK')",
        house.store, house.clock.now(), {"customer_group_id": 3, "shipping": [{"country": "SE"}, {"country": "DE"}]},
    )  # fmt: skip
    shown = (await house.as_("viewer").get("rules/check")).text
    assert "No live rule looks at the countries “SE”" in shown
    assert "says nothing about orders in" in shown
    assert "SEK" in shown
    assert "customer groups" not in shown  # the rule does not ask for the group: it sees every one
