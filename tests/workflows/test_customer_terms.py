"""What customer terms decide, situation by situation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.acceptances import Acceptance, Bearer, Ledger, Party, PartyKind, Version
from bcapp.core.actions import ActionKind
from bcapp.core.conditions import Condition
from bcapp.core.intents import LookAt, NameCovers, OpenRequest
from bcapp.core.model import Gone, Hold, RecordKey, SignatureRequest
from bcapp.core.rules import SignOnce
from bcapp.core.states import HoldState, RequestStatus
from bcapp.jobs.look import share_of
from bcapp.workflows import account_approval, customer_terms
from bcapp.workflows.protocol import Command, Situation
from tests.core.facts import NOW, definition, order, rule
from tests.workflows import test_account_approval as accounts

DAY = timedelta(days=1)
KEY = RecordKey("customer", "61")
PARTY, COMPANY = Party(PartyKind.CUSTOMER, "61"), Party(PartyKind.COMPANY, "7001")
MADE = NOW - 100 * DAY  # when the first round was asked


def of_rule(groups: Any = (), options: dict[str, str] | None = None, once: SignOnce | None = None, **more: Any) -> Any:
    given = {"sign_once": once or SignOnce("customer"), "options": tuple((options or {}).items())}
    return rule(workflow="customer_terms", definition=definition(groups=groups, **given), **more)


WAITS = of_rule(options={"waiting_group": "9"})


def asked(facts: Any, **changes: Any) -> SignatureRequest:
    given: dict[str, Any] = {"workflow": "customer_terms", "counts": {"party_kind": "customer"}, "created_at": MADE}
    return accounts.asked(facts, **{**given, **changes})


def signed(facts: Any, **changes: Any) -> SignatureRequest:
    return asked(facts, **{"status": RequestStatus.COMPLETED, "checked": "right", **changes})


def accepted(days_left: int | None = None, version: int = 2, party: Party = PARTY) -> Acceptance:
    until = None if days_left is None else NOW + days_left * DAY
    scope = "customer" if party is PARTY else "company"
    return Acceptance(7, party, 4, version, scope, "", MADE + DAY, until, MADE + DAY, request_id=50)


def ledger(*acceptances: Acceptance, **more: Any) -> Ledger:
    bearer = Bearer("", 1, NOW, customer=PARTY, company=more.pop("company", None))
    return Ledger(bearer, acceptances, **more)


def situation(facts: Any = None, **changes: Any) -> Situation:
    given: dict[str, Any] = {"record": KEY, "rules": (WAITS,), "ledger": ledger(), **changes}
    return accounts.situation(facts or accounts.customer(), **given)


def held(state: HoldState = HoldState.HELD, group: int = 2) -> Hold:
    return Hold(KEY, "access", state, found={"group_id": group}, left_as={"group_id": 9})


def plan(s: Situation) -> list[str]:
    return [said for intent in customer_terms.decide(s).intents if (said := accounts.short(intent))]


CUSTOMER, COMPANY_FACTS = accounts.customer(group_id=2), accounts.company(status=1)
WAITING = replace(CUSTOMER, group_id=9)
ASKED = ["open customer to mara@xu.test", "hold wanted", "act withhold_access"]
RENEWED = of_rule(options={"waiting_group": "9"}, once=SignOnce("customer", 12, renew_days=30))
NEW_TEXT = {4: (Version(2, True, MADE, MADE), Version(3, True, NOW - DAY, NOW - DAY))}
OLDER = replace(CUSTOMER, created_at=NOW - 50 * DAY)

CASES: dict[str, tuple[Situation, list[str]]] = {
    "registered": (situation(CUSTOMER), ASKED),
    "nothing is withheld where the rule chose nothing": (situation(CUSTOMER, rules=(of_rule(),)), ASKED[:1]),
    "waits": (situation(WAITING, requests=(asked(CUSTOMER),), hold=held()), []),
    "waits, judged by the group before": (
        situation(
            WAITING, requests=(asked(CUSTOMER),), hold=held(), ledger=ledger(accepted()),
            rules=(of_rule(((Condition("customer_group", "is_any_of", ("2",)),),), {"waiting_group": "9"}),),
        ),
        ["cancel 50 record", "hold all_good", "act grant_access signed"],
    ),
    "signed": (
        situation(WAITING, requests=(signed(CUSTOMER),), hold=held(), ledger=ledger(accepted())),
        ["hold all_good", "act grant_access signed"],
    ),
    "an address that changes afterwards asks nobody": (
        situation(
            replace(CUSTOMER, email="other@xu.test"), requests=(signed(CUSTOMER),), hold=held(HoldState.RELEASED),
            ledger=ledger(accepted()),
        ),
        [],
    ),
    "let in by hand": (
        situation(replace(CUSTOMER, group_id=3), requests=(asked(CUSTOMER),), hold=held()),
        ["hold let_go", "task let_go"],
    ),
    "declined": (
        situation(WAITING, requests=(asked(CUSTOMER, status=RequestStatus.DECLINED),), hold=held()),
        ["hold not_signed", "task not_signed"],
    ),
    "a renewal is due": (
        situation(
            CUSTOMER, rules=(RENEWED,), requests=(signed(CUSTOMER),), hold=held(HoldState.RELEASED),
            ledger=ledger(accepted(20)),
        ),
        ["open customer to mara@xu.test"],
    ),
    "a renewal is out": (
        situation(
            CUSTOMER, rules=(RENEWED,), hold=held(HoldState.RELEASED), ledger=ledger(accepted(20)),
            requests=(signed(CUSTOMER), asked(CUSTOMER, id=51, round=2, blocks=False, created_at=NOW - DAY)),
        ),
        [],
    ),
    "it ended while the renewal is out": (
        situation(
            CUSTOMER, rules=(RENEWED,), hold=held(HoldState.RELEASED), ledger=ledger(accepted(-1)),
            requests=(signed(CUSTOMER), asked(CUSTOMER, id=51, round=2, blocks=False, created_at=NOW - DAY)),
        ),
        ["hold wanted", "act withhold_access"],
    ),
    "it ended and nobody signed the renewal": (
        situation(
            CUSTOMER, rules=(RENEWED,), hold=held(HoldState.RELEASED), ledger=ledger(accepted(-1)),
            requests=(
                signed(CUSTOMER),
                asked(CUSTOMER, id=51, round=2, blocks=False, created_at=NOW - DAY, status=RequestStatus.EXPIRED),
            ),
        ),
        ASKED,
    ),
    "it ended under a rule that is paused": (
        situation(
            CUSTOMER, rules=(replace(RENEWED, paused_why="too many"),), requests=(signed(CUSTOMER),),
            hold=held(HoldState.RELEASED), ledger=ledger(accepted(-1)),
        ),
        [],
    ),
    "the text changed in what matters": (
        situation(
            CUSTOMER, requests=(signed(CUSTOMER),), hold=held(HoldState.RELEASED),
            ledger=ledger(accepted(), versions=NEW_TEXT),
        ),
        ASKED,
    ),
    "renewals keep to the limit": (
        situation(
            CUSTOMER, rules=(replace(RENEWED, asked_last_hour=100),), requests=(signed(CUSTOMER),),
            hold=held(HoldState.RELEASED), ledger=ledger(accepted(20)),
        ),
        [],
    ),
    "there before the rule": (situation(replace(OLDER, modified_at=NOW)), []),
    "there before the rule, and changed": (
        situation(replace(OLDER, modified_at=NOW), rules=(of_rule(options={"waiting_group": "9", "existing": "yes"}),)),
        ASKED,
    ),
    "account approval holds it": (situation(CUSTOMER, held_elsewhere=True), ASKED[:1]),
    "a company": (
        situation(COMPANY_FACTS, rules=(of_rule(options={"credit_hold": "yes"}),)),
        ["open customer to lena@huber.test", "hold wanted", "act withhold_access"],
    ),
    "one of a company that signed": (
        situation(
            CUSTOMER, rules=(of_rule(once=SignOnce("company")),),
            ledger=ledger(accepted(party=COMPANY), company=COMPANY),
        ),
        [],
    ),
    "gone": (
        situation(Gone(KEY), requests=(asked(CUSTOMER),), hold=held()),
        ["cancel 50 record", "hold left_as_is"],
    ),
    "let go by a person": (
        situation(
            WAITING, requests=(asked(CUSTOMER),), hold=held(), commands=(Command("release", 5, "signed on paper"),)
        ),
        ["cancel 50 staff", "hold override", "act grant_access overridden"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_situation_comes_to_its_plan(name: str) -> None:
    asks, expected = CASES[name]
    assert plan(asks) == expected


def test_what_is_withheld_and_given_is_what_the_rule_says() -> None:
    rules = (of_rule(options={"waiting_group": "9", "signed_group": "3"}),)
    shut = customer_terms.decide(situation(CUSTOMER, rules=rules)).intents
    assert [i.payload for i in shut if getattr(i, "kind", None) is ActionKind.WITHHOLD_ACCESS] == [{"group": 9}]
    s = situation(WAITING, rules=rules, requests=(signed(CUSTOMER),), hold=held(), ledger=ledger(accepted()))
    given = [i.payload for i in customer_terms.decide(s).intents if getattr(i, "kind", None) is ActionKind.GRANT_ACCESS]
    assert given == [{"because": "signed", "requests": [50], "group": 3}]


def test_a_renewal_says_why_and_holds_nothing() -> None:
    s = situation(CUSTOMER, rules=(RENEWED,), requests=(signed(CUSTOMER),), ledger=ledger(accepted(20)))
    opened = [i for i in customer_terms.decide(s).intents if isinstance(i, OpenRequest)]
    assert [(o.round, o.blocks, o.counts is not None) for o in opened] == [(2, False, True)]
    assert opened[0].round_why.startswith("It ends on ")


def test_an_order_names_the_signature_and_wakes_who_has_none() -> None:
    facts, rules = order(), (of_rule(id=8),)
    s = situation(facts, rules=rules, ledger=ledger(accepted()))
    (named,) = customer_terms.on_order(s, rules, is_new=True)
    assert isinstance(named, NameCovers)
    assert {k: c.acceptance_id for k, c in named.covers.items()} == {8: 7}
    again = replace(s, ledger=ledger(accepted(), named={8: (7, 0)}))
    assert customer_terms.on_order(again, rules, is_new=False) == ()
    unsigned = replace(s, ledger=ledger(company=COMPANY))
    wakes = customer_terms.on_order(unsigned, rules, is_new=True)
    assert wakes == (LookAt(RecordKey("customer", "61")), LookAt(RecordKey("company", "7001")))
    assert customer_terms.on_order(unsigned, rules, is_new=False) == ()


@pytest.mark.parametrize(
    ("state", "expected"),
    [(HoldState.RELEASED, ["hold wanted", "act withhold_access"]), (HoldState.HELD, []), (HoldState.OVERRIDDEN, [])],
)
def test_access_is_withheld_once_account_approval_let_the_account_in(state: HoldState, expected: list[str]) -> None:
    hold = Hold(KEY, "gate", state, found={"group_id": 0}, left_as={"group_id": 2})
    asks = situation(CUSTOMER, requests=(asked(CUSTOMER),), hold=hold)
    assert plan(share_of(asks, customer_terms, (WAITS,), {})) == expected


def test_account_approval_holds_once_access_was_given() -> None:
    s = accounts.situation(accounts.customer(), hold=held(HoldState.RELEASED))
    assert not share_of(s, account_approval, s.rules, {}).held_elsewhere
    assert share_of(replace(s, hold=held()), account_approval, s.rules, {}).held_elsewhere
