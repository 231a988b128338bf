"""decide() of the warranty as a table over situations: when it asks, what it registers, what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bcapp.core.actions import ActionKind
from bcapp.core.directory import Directory
from bcapp.core.fields import Reading
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, LeaveRegistration, MoveHold, OpenRequest
from bcapp.core.model import Gone, Money, OrderFacts
from bcapp.core.states import RequestStatus, Wanted
from bcapp.core.warranties import State
from bcapp.workflows.protocol import Command, Situation
from bcapp.workflows.warranty import decide
from tests.core.facts import BUYER, NOW, ORDER, SETTINGS, TENT, definition, order, request, rule
from tests.core.test_warranties import registration

pytestmark = pytest.mark.unit

SHIPPED = order(status_id=2, items_shipped=2)
CREATE = ActionKind.REGISTER_WARRANTY


def warranty(**options: str) -> Any:
    asks = definition(groups=(), options=tuple(sorted(options.items())))
    return rule(workflow="warranty", name="Tents", definition=asks)


def asked(facts: OrderFacts = SHIPPED, **changes: Any) -> Any:
    return request(facts, workflow="warranty", blocks=False, **changes)


def situation(facts: OrderFacts | Gone = SHIPPED, **changes: Any) -> Situation:
    given: dict[str, Any] = {
        "record": ORDER, "facts": facts, "rules": (warranty(),), "requests": (), "hold": None, "open_actions": (),
        "store": SETTINGS, "directory": Directory({}, ()), "agreements": {4: 2},
        "reading": Reading(NOW, storefront_channels=frozenset({1, 2})),
    }  # fmt: skip
    return Situation(**{**given, **changes})


def of(situation: Situation, kind: type[Any]) -> list[Any]:
    found: list[Intent] = [i for i in decide(situation).intents if isinstance(i, kind)]
    return found


@pytest.mark.parametrize(
    ("facts", "options", "asks", "decision"),
    [
        (SHIPPED, {}, 1, "asks"),
        (order(status_id=10), {}, 1, "asks"),
        (order(status_id=11), {}, 0, "not_placed"),
        (order(status_id=3, items_shipped=1), {}, 0, "not_placed"),
        (SHIPPED, {"products": "OTHER"}, 0, "no_match"),
        (replace(SHIPPED, is_deleted=True), {}, 0, "no_match"),
        (replace(SHIPPED, items=(replace(TENT, quantity_refunded=TENT.quantity),)), {}, 0, "no_match"),
        (order(status_id=5), {}, 0, "asks"),
    ],
)
def test_it_asks_once_everything_covered_is_shipped(
    facts: OrderFacts, options: dict[str, str], asks: int, decision: str
) -> None:
    given = situation(facts, rules=(warranty(**options),))
    opened = of(given, OpenRequest)
    assert [o.blocks for o in opened] == [False] * asks
    assert [t.decision for t in decide(given).traces] == [decision]
    assert of(given, MoveHold) == []


def test_nobody_is_woken_up_for_an_order_without_an_address() -> None:
    (task,) = of(situation(replace(SHIPPED, billing=replace(BUYER, email=""))), AskPerson)
    assert task.alarm is False
    assert task.text.endswith("Or register a form on paper under Warranties.")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": RequestStatus.COMPLETED, "checked": "right"}, ""),
        ({"status": RequestStatus.COMPLETED, "checked": "confirmed"}, ""),
        ({"status": RequestStatus.COMPLETED, "checked": "conflict"}, None),
        ({"status": RequestStatus.COMPLETED}, None),
        ({"status": RequestStatus.DECLINED}, "the buyer declined"),
        ({"status": RequestStatus.EXPIRED}, "nobody signed in time"),
        ({"status": RequestStatus.CANCELLED, "wanted": Wanted.CANCEL, "wanted_why": "staff"},
         "the request was taken back"),
        ({"status": RequestStatus.CANCELLED, "wanted": Wanted.CANCEL, "wanted_why": "superseded"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_an_end_is_registered_once(changes: dict[str, Any], why: str | None) -> None:
    given = situation(requests=(asked(**changes),))
    acts = of(given, Act)
    assert [(a.kind, a.request_id, a.payload) for a in acts] == ([] if why is None else [(CREATE, 50, {"why": why})])
    assert of(replace(given, acted=frozenset({(CREATE, 50)})), Act) == []


def test_only_what_was_bought_is_material_once_it_is_sent() -> None:
    cheaper = replace(SHIPPED, total=Money(SHIPPED.total.amount - 1, "USD"), billing=replace(BUYER, street="2 Low St"))
    more = replace(SHIPPED, items=(replace(TENT, quantity=3),))
    assert of(situation(cheaper, requests=(asked(),)), OpenRequest) == []
    assert len(of(situation(cheaper, requests=(asked(status=RequestStatus.DRAFT),)), OpenRequest)) == 1
    assert len(of(situation(more, requests=(asked(),)), OpenRequest)) == 1


def test_a_running_request_goes_on_when_the_status_moves_on() -> None:
    moved = replace(SHIPPED, status_id=14, items_shipped=0)
    assert of(situation(moved, requests=(asked(),)), CancelRequest) == []


def test_a_refunded_order_ends_what_is_registered() -> None:
    signed = asked(status=RequestStatus.COMPLETED, checked="right")
    rows = (registration(id=1), registration(id=2, state=State.ENDED))
    given = situation(replace(SHIPPED, status_id=4), requests=(signed,), registrations=rows)
    assert of(given, LeaveRegistration) == [LeaveRegistration(1, 0, "The order was refunded.")]
    assert of(situation(Gone(ORDER), registrations=rows), LeaveRegistration) == []


def test_a_form_on_paper_takes_the_request_back_and_asks_nobody_again() -> None:
    paper = registration(item_id=TENT.id, rule_id=1, request_id=0, paper_id=3, quantity=2, piece=0)
    given = situation(requests=(asked(),), registrations=(paper,))
    assert of(given, CancelRequest) == [CancelRequest(50, "record")]
    ended = replace(paper, state=State.ENDED)
    assert of(situation(registrations=(ended,)), OpenRequest) == []
    pressed = situation(Gone(ORDER), commands=(Command("register", 1, payload={"paper": 3}),))
    assert of(pressed, Act) == [Act(CREATE, None, {"paper": 3})]


def test_the_next_term_is_a_new_round_of_a_rule_that_is_on() -> None:
    signed = asked(status=RequestStatus.COMPLETED, checked="right")
    renew = Command("renew", 0, "The next term.", 50)
    given = situation(requests=(signed,), acted=frozenset({(CREATE, 50)}), commands=(renew,))
    (opened,) = of(given, OpenRequest)
    assert (opened.round, opened.round_why, opened.blocks) == (2, "The next term.", False)
    off = replace(given, rules=())
    assert of(off, OpenRequest) == []
    assert [t.kind for t in of(off, AskPerson)] == ["renewal_not_asked"]
