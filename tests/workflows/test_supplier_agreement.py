"""decide() of supplier agreements as a table: who signs, when products are hidden, what is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.actions import ActionKind
from bcapp.core.directory import Directory
from bcapp.core.fields import Reading
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, MoveHold, OpenRequest
from bcapp.core.kinds.supplier import SUPPLIER, SupplierFacts
from bcapp.core.model import Hold, RecordKey, SignatureRequest
from bcapp.core.rules import RuleInForce
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import HoldState, RequestStatus
from bcapp.core.suppliers import Contact, Cover, Item
from bcapp.workflows.protocol import Situation
from bcapp.workflows.supplier_agreement import decide
from tests.core.facts import NOW, SETTINGS, definition, person, request, rule

DAY = timedelta(days=1)
TODAY = NOW.date()
DANA = person(1, email="dana@shop.test")
ANN = Contact("Ann Lee", "ann@northfield.test")
HIDE, SHOW, KEEP = ActionKind.HIDE_PRODUCTS, ActionKind.SHOW_PRODUCTS, ActionKind.KEEP_AGREEMENT


def supplier(**changes: Any) -> SupplierFacts:
    given: dict[str, Any] = {
        "id": 5, "name": "Northfield", "state": "active", "created_at": NOW - DAY, "modified_at": NOW,
        "invited_at": NOW, "signatory": ANN, "covers": (Cover("brand", "Northfield", 30),), "products": 40,
    }  # fmt: skip
    return SupplierFacts(**{**given, **changes})


def signs(hide: str = "", **more: Any) -> RuleInForce:
    options = (("hide", hide),) if hide else ()
    return rule(
        workflow="supplier_agreement",
        definition=definition(groups=(), customer=True, options=options, **more),
    )


def asked(facts: SupplierFacts, **changes: Any) -> SignatureRequest:
    snapshot = SUPPLIER.snapshot(facts)
    made = request(
        workflow="supplier_agreement", record=RecordKey("supplier", "5"),
        projection=1, fingerprint=fingerprint(snapshot), snapshot=snapshot,
    )  # fmt: skip
    return replace(made, **changes)


def signed(facts: SupplierFacts) -> SignatureRequest:
    return asked(facts, status=RequestStatus.COMPLETED, checked="right")


def hold(state: HoldState) -> Hold:
    return Hold(RecordKey("supplier", "5"), "gate", state, wanted_at=NOW, held_at=NOW)


def intents(facts: SupplierFacts, **changes: Any) -> list[Intent]:
    given: dict[str, Any] = {
        "record": RecordKey("supplier", "5"),
        "facts": facts,
        "rules": (signs(),),
        "requests": (),
        "hold": None,
        "open_actions": (),
        "store": SETTINGS,
        "directory": Directory({1: DANA}, ()),
        "reading": Reading(NOW, storefront_channels=frozenset({1})),
        "agreements": {1: 1},
    }
    return list(decide(Situation(**{**given, **changes})).intents)


def acts(found: list[Intent]) -> list[tuple[ActionKind, Any]]:
    return [(i.kind, i.payload.get("what", i.payload.get("because"))) for i in found if isinstance(i, Act)]


def told(found: list[Intent]) -> list[str]:
    return [i.kind for i in found if isinstance(i, AskPerson)]


@pytest.mark.parametrize(
    ("own_sheet", "signers"),
    [("", [["ann@northfield.test", "dana@shop.test"]]), ("yes", [["dana@shop.test"], ["ann@northfield.test"]])],
)
def test_approvers_counter_sign_the_same_document_or_a_sheet_of_their_own(
    own_sheet: str, signers: list[list[str]]
) -> None:
    both = signs(internal=True, approvers=(1,))
    chosen = replace(both, definition=replace(both.definition, options=(("own_sheet", own_sheet),)))
    opened = [i for i in intents(supplier(), rules=(chosen,)) if isinstance(i, OpenRequest)]
    assert sorted([s.email for s in i.signers] for i in opened) == sorted(signers)
    if not own_sheet:
        assert [(s.position, s.turn) for s in opened[0].signers] == [(0, 1), (1, 2)]


def test_who_signs_for_the_supplier_does_not_counter_sign() -> None:
    both = signs(internal=True, approvers=(1,))
    found = intents(supplier(operations=Contact("Dana", "dana@shop.test")), rules=(both,))
    assert told(found) == ["no_other_approver"]


@pytest.mark.parametrize(
    ("facts", "asks"),
    [
        (supplier(), True),
        (supplier(invited_at=None), False),
        (supplier(state="inactive"), False),
        (supplier(signatory=None), False),
    ],
)
def test_who_is_asked(facts: SupplierFacts, asks: bool) -> None:
    assert any(isinstance(i, OpenRequest) for i in intents(facts)) is asks


@pytest.mark.parametrize(
    ("hide", "chosen", "hidden", "tells"),
    [
        ("", False, [], []),
        ("", True, [], []),
        ("new", True, [(HIDE, "new")], []),
        ("all", False, [(HIDE, "new")], ["choose_hiding"]),
        ("all", True, [(HIDE, "all")], []),
    ],
)
def test_what_is_hidden_is_what_the_rule_says_and_a_person_chose(
    hide: str, chosen: bool, hidden: list[Any], tells: list[str]
) -> None:
    found = intents(supplier(hide_all=chosen), rules=(signs(hide),))
    assert acts(found) == hidden
    assert told(found) == tells


@pytest.mark.parametrize(
    ("hiding", "chosen", "then"),
    [
        ("new", True, [(HIDE, "all")]),
        ("all", True, []),
        ("all", False, [(SHOW, "chosen")]),
        ("", False, [(HIDE, "new")]),
        ("new", False, []),
    ],
)
def test_another_choice_while_it_is_held(hiding: str, chosen: bool, then: list[Any]) -> None:
    facts = supplier(hiding=hiding, hide_all=chosen)
    found = intents(facts, rules=(signs("all"),), requests=(asked(facts),), hold=hold(HoldState.HELD))
    assert acts(found) == then


def test_channels_of_the_rule_are_where_products_are_hidden() -> None:
    (act,) = [i for i in intents(supplier(hide_all=True), rules=(signs("all", channels=(2, 1)),)) if isinstance(i, Act)]
    assert act.payload == {"hold": True, "what": "all", "channels": [1, 2]}


def test_a_signature_is_kept_once_and_shows_the_products() -> None:
    facts = supplier(hiding="all", hide_all=True)
    given: dict[str, Any] = {
        "rules": (signs("all"),), "requests": (signed(facts),), "hold": hold(HoldState.HELD),
    }  # fmt: skip
    assert acts(intents(facts, **given)) == [(SHOW, "signed"), (KEEP, None)]
    number = given["requests"][0].id
    given |= {"hold": hold(HoldState.RELEASED), "acted": frozenset({(KEEP, number)})}
    assert acts(intents(replace(facts, hiding=""), **given)) == []
    # Hidden by hand when it was deactivated, and active again.
    assert acts(intents(facts, **given)) == [(SHOW, "not_needed")]


@pytest.mark.parametrize(("until", "hidden"), [(TODAY + DAY, []), (TODAY, []), (TODAY - DAY, [(HIDE, "all")])])
def test_a_renewal_hides_nothing_while_the_agreement_counts(until: Any, hidden: list[Any]) -> None:
    first = supplier(hide_all=True)
    second = replace(first, term=2, signed_term=1, signed_until=until)
    requests = (replace(signed(first), id=1), replace(asked(second), id=2, round=2))
    acted = frozenset({(KEEP, 1)})
    given: dict[str, Any] = {"rules": (signs("all"),), "hold": hold(HoldState.RELEASED), "acted": acted}
    assert acts(intents(second, requests=requests, **given)) == hidden
    # The day on which it is due, it is asked for.
    opened = [i for i in intents(second, requests=requests[:1], **given) if isinstance(i, OpenRequest)]
    assert [i.round for i in opened] == [2]


def test_papers_and_unknown_names_are_told() -> None:
    papers = (
        Item("agreement", True, TODAY - 400 * DAY, TODAY - DAY),
        Item("insurance", True, TODAY, TODAY + 30 * DAY),
        Item("tax_form", True, TODAY - 400 * DAY, TODAY - DAY),
    )
    found = intents(supplier(papers=papers, covers=(Cover("brand", "Nobody"),)))
    assert told(found) == ["paper_ended:agreement", "paper_ending:insurance", "paper_ended:tax_form", "cover_unknown"]
    assert told(intents(supplier(papers=tuple(Item(p.name, True, TODAY) for p in papers)))) == []


def test_a_deactivated_supplier_is_asked_nothing_any_more() -> None:
    facts = supplier(state="inactive", hiding="all")
    found = intents(facts, requests=(asked(facts),), hold=hold(HoldState.HELD))
    assert [i.why for i in found if isinstance(i, CancelRequest)] == ["record"]
    assert [str(i.event) for i in found if isinstance(i, MoveHold)] == ["left_as_is"]
    assert acts(found) == []
