"""What account approval decides, situation by situation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.directory import Directory
from bcapp.core.fields import Reading
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, MoveHold, OpenRequest
from bcapp.core.kinds.company import COMPANY, CompanyFacts, CompanyUser
from bcapp.core.kinds.customer import CUSTOMER, CustomerFacts
from bcapp.core.model import Gone, Hold, RecordKey, SignatureRequest
from bcapp.core.settings import StoreSettings
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import HoldState, RequestStatus
from bcapp.core.suppliers import Item
from bcapp.workflows import account_approval
from bcapp.workflows.protocol import Command, Situation
from tests.core.facts import BUYER, NOW, definition, person, request, rule

KEY = RecordKey("company", "7001")
LAST_YEARS = Item("licence", given_on=NOW.date() - timedelta(days=400), expires_on=NOW.date() - timedelta(days=1))
LENA = CompanyUser(301, "Lena Hartmann", "Lena@huber.test", 0, 61, frozenset({1}))


def company(**changes: Any) -> CompanyFacts:
    given: dict[str, Any] = {
        "id": 7001, "name": "Bergsport Huber", "email": "office@huber.test", "phone": "", "status": 0, "group_id": 0,
        "group_name": "", "price_list_id": 0, "created_at": NOW - timedelta(minutes=1), "modified_at": NOW,
        "address": BUYER, "extra_fields": (("Credit asked for", "9000"),), "users": (LENA,), "currency": "USD",
    }  # fmt: skip
    return CompanyFacts(**{**given, **changes})


def customer(**changes: Any) -> CustomerFacts:
    given: dict[str, Any] = {
        "id": 61, "email": "Mara@xu.test", "name": "Mara Xu", "company": "", "group_id": 1, "channel_id": 1,
        "created_at": NOW - timedelta(minutes=1), "modified_at": NOW, "channels": None,
    }  # fmt: skip
    return CustomerFacts(**{**given, **changes})


def of_rule(**changes: Any) -> Any:
    return rule(workflow="account_approval", definition=definition(groups=(), **changes))


def asked(facts: Any, **changes: Any) -> SignatureRequest:
    kind = COMPANY if isinstance(facts, CompanyFacts) else CUSTOMER
    snapshot = kind.snapshot(facts)
    given: dict[str, Any] = {
        "workflow": "account_approval", "record": KEY, "projection": 1, "snapshot": snapshot,
        "fingerprint": fingerprint(snapshot),
    }  # fmt: skip
    return request(**{**given, **changes})


def signed(facts: Any, **changes: Any) -> SignatureRequest:
    return asked(facts, status=RequestStatus.COMPLETED, checked="right", **changes)


def held(state: HoldState = HoldState.HELD, **changes: Any) -> Hold:
    given: dict[str, Any] = {"record": KEY, "method": "gate", "state": state, "found": {"group_id": 2}}
    return Hold(**{**given, **changes})


def situation(facts: Any, **changes: Any) -> Situation:
    given: dict[str, Any] = {
        "record": KEY, "facts": facts, "rules": (of_rule(),), "requests": (), "hold": None, "open_actions": (),
        "store": StoreSettings(), "directory": Directory({1: person(1)}, ()), "agreements": {4: 2},
        "reading": Reading(NOW, storefront_channels=frozenset({1})),
    }  # fmt: skip
    return Situation(**{**given, **changes})


def short(intent: Intent) -> str:
    match intent:
        case OpenRequest():
            return f"open {intent.purpose} to {intent.signers[0].email}"
        case CancelRequest():
            return f"cancel {intent.request_id} {intent.why}"
        case MoveHold():
            return f"hold {intent.event}"
        case Act():
            because = intent.payload.get("because")
            return f"act {intent.kind}" + (f" {because}" if because else "")
        case AskPerson():
            return f"task {intent.kind}"
    return ""


def plan(s: Situation) -> list[str]:
    return [said for intent in account_approval.decide(s).intents if (said := short(intent))]


APPROVED = {(account_approval.ActionKind.ATTACH_TO_COMPANY, 50)}
CASES: dict[str, tuple[Situation, list[str]]] = {
    "a company applies": (
        situation(company()),
        ["open customer to lena@huber.test", "hold wanted", "act hold_account"],
    ),
    "nobody may act for it": (
        situation(company(users=())),
        ["task cannot_ask", "hold wanted", "act hold_account"],
    ),
    "it waits": (situation(company(), requests=(asked(company()),), hold=held()), []),
    "it is signed": (
        situation(company(), requests=(signed(company()),), hold=held()),
        ["hold all_good", "act approve_account signed", "act attach_to_company"],
    ),
    "it is signed, and a paper is missing": (
        situation(
            company(), rules=(of_rule(options=(("ask_licence", "yes"), ("wait_papers", "yes"))),),
            requests=(signed(company()),), hold=held(),
        ),
        ["task lacks", "act attach_to_company"],
    ),
    "it is signed, and its paper has ended": (
        situation(
            company(), rules=(of_rule(options=(("ask_licence", "yes"), ("wait_papers", "yes"))),),
            requests=(signed(company()),), hold=held(), papers=(LAST_YEARS,),
        ),
        ["task lacks", "act attach_to_company", "task paper_ended:licence"],
    ),
    "it is signed, and its paper is accepted": (
        situation(
            company(), rules=(of_rule(options=(("ask_licence", "yes"), ("wait_papers", "yes"))),),
            requests=(signed(company()),), hold=held(), papers=(replace(LAST_YEARS, expires_on=NOW.date()),),
        ),
        ["hold all_good", "act approve_account signed", "act attach_to_company", "task paper_ending:licence"],
    ),
    "it is signed, and the papers may follow": (
        situation(
            company(), rules=(of_rule(options=(("ask_licence", "yes"),)),), requests=(signed(company()),), hold=held(),
        ),
        ["hold all_good", "act approve_account signed", "act attach_to_company"],
    ),
    "it is attached once": (
        situation(
            company(status=1), requests=(signed(company()),), hold=held(HoldState.RELEASED), acted=frozenset(APPROVED)
        ),
        [],
    ),
    "a second buyer changes nothing": (
        situation(
            company(status=1, users=(LENA, replace(LENA, id=302, email="nils@huber.test"))),
            requests=(signed(company()),), hold=held(HoldState.RELEASED), acted=frozenset(APPROVED),
        ),
        [],
    ),
    "declined": (
        situation(company(), requests=(asked(company(), status=RequestStatus.DECLINED),), hold=held()),
        ["hold not_signed", "task not_signed"],
    ),
    "let in by hand while unsigned": (
        situation(company(status=1), requests=(asked(company()),), hold=held()),
        ["hold let_go", "task let_go"],
    ),
    "approved before we saw it": (situation(company(status=1)), ["task let_in"]),
    "rejected": (
        situation(company(status=2), requests=(asked(company()),), hold=held()),
        ["cancel 50 record", "hold left_as_is"],
    ),
    "set back to pending after it was signed": (
        situation(
            company(), requests=(signed(company()),), hold=held(HoldState.RELEASED), acted=frozenset(APPROVED)
        ),
        ["task set_back"],
    ),
    "edited while it waits": (
        situation(company(name="Huber AG"), requests=(asked(company()),), hold=held()),
        ["cancel 50 superseded", "open customer to lena@huber.test"],
    ),
    "edited after it was approved": (
        situation(
            company(name="Huber AG", status=1), requests=(signed(company()),), hold=held(HoldState.RELEASED),
            acted=frozenset(APPROVED),
        ),
        ["task edited_after_approval"],
    ),
    "merged away": (
        situation(Gone(KEY), requests=(asked(company()),), hold=held()),
        ["cancel 50 record", "hold left_as_is"],
    ),
    "below an approved company, by setting": (
        situation(
            company(parent_id=9, parent_status=1), rules=(of_rule(options=(("subsidiaries", "yes"),)),)
        ),
        [],
    ),
    "the company above was approved meanwhile": (
        situation(
            company(parent_id=9, parent_status=1), rules=(of_rule(options=(("subsidiaries", "yes"),)),),
            requests=(asked(company(parent_id=9, parent_status=0)),), hold=held(),
        ),
        ["cancel 50 record", "hold all_good", "act approve_account not_needed"],
    ),
    "below a company that waits itself": (
        situation(
            company(parent_id=9, parent_status=0), rules=(of_rule(options=(("subsidiaries", "yes"),)),)
        ),
        ["open customer to lena@huber.test", "hold wanted", "act hold_account"],
    ),
    "undone by a person": (
        situation(
            company(status=1), requests=(signed(company()),), hold=held(HoldState.RELEASED),
            commands=(Command("undo", 3),), acted=frozenset(APPROVED),
        ),
        ["act undo_account"],
    ),
    "released by hand": (
        situation(company(), requests=(asked(company()),), hold=held(), commands=(Command("release", 3),)),
        ["cancel 50 staff", "hold override", "act approve_account overridden"],
    ),
    "a customer applies": (
        situation(customer(), record=RecordKey("customer", "61")),
        ["open customer to mara@xu.test", "hold wanted", "act hold_account"],
    ),
    "a customer is signed": (
        situation(customer(), requests=(signed(customer()),), hold=held(left_as={"group_id": 1})),
        ["hold all_good", "act approve_account signed"],
    ),
    "a customer is moved by staff": (
        situation(customer(group_id=3), requests=(asked(customer()),), hold=held(left_as={"group_id": 1})),
        ["hold let_go", "task let_go"],
    ),
    "a customer of long ago writes another form": (
        situation(
            customer(form_fields=(("VAT", "2"),)), requests=(signed(customer()),), hold=held(HoldState.RELEASED)
        ),
        ["task edited_after_approval"],
    ),
    "a customer whom another workflow holds by now": (
        situation(customer(form_fields=(("VAT", "2"),)), requests=(signed(customer()),), held_elsewhere=True),
        ["task edited_after_approval"],
    ),
    "a customer who acts for a company": (situation(customer(company_id=7001)), []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_decide(name: str) -> None:
    s, expected = CASES[name]
    assert plan(s) == expected


def test_who_applied_is_the_one_asked_and_never_approves() -> None:
    boss = person(1, email="lena@huber.test")
    s = situation(
        company(), rules=(of_rule(internal=True, customer=False, approvers=(1,)),), directory=Directory({1: boss}, ())
    )
    assert plan(s)[0] == "task no_other_approver"


def test_a_covered_record_says_why() -> None:
    trace = account_approval.decide(situation(customer(company_id=7001))).traces[0]
    assert (trace.decision, trace.asks) == ("covered", False)
    assert "company 7001" in trace.sentence
