"""Facts are stored and read back without loss, whole or part by part."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.conditions import Condition, evaluate
from bcapp.core.fields import Reading
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.case import CaseFacts
from bcapp.core.kinds.company import CompanyFacts
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.order import ORDER
from bcapp.core.kinds.price_list import PriceListFacts
from bcapp.core.kinds.product import ProductFacts
from bcapp.core.kinds.promotion import PromotionFacts
from bcapp.core.kinds.quote import QuoteFacts
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.model import Money, OrderFacts
from bcapp.core.rules import Glancer, RuleDefinition, decide_rule, glance, left_out
from bcapp.core.stored import picker
from bcapp.core.tryout import draft
from bcapp.errors import UnreadableInput
from tests.core.facts import NOW, order
from tests.core.second import CUSTOMER_FACTS, ORDER_FACTS, PRODUCT_FACTS, anything, conditions

READING = Reading(NOW, storefront_channels=frozenset({1, 2}))

FACTS = {
    "order": OrderFacts,
    "customer": CustomerFacts,
    "company": CompanyFacts,
    "product": ProductFacts,
    "promotion": PromotionFacts,
    "quote": QuoteFacts,
    "own_quote": QuoteFacts,
    "price_list": PriceListFacts,
    "supplier": SupplierFacts,
    "case": CaseFacts,
}


def same(seen: Any, facts: Any) -> bool:
    """Tell whether a view and the facts read the same, part by part."""
    if is_dataclass(facts) and not isinstance(facts, Money):
        return all(same(getattr(seen, f.name), getattr(facts, f.name)) for f in fields(facts))
    if isinstance(facts, tuple):
        return len(seen) == len(facts) and all(map(same, seen, facts))
    return bool(seen == facts)


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_facts_come_back_as_they_were_stored(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    facts = data.draw(anything(FACTS[name]))
    stored = json.loads(json.dumps(kind.dump(facts)))
    assert kind.parse(stored) == facts
    view = kind.view(stored)
    assert same(view, facts)
    assert kind.brief(view).label == kind.brief(facts).label


@pytest.mark.parametrize(
    ("name", "facts"), [("order", ORDER_FACTS), ("customer", CUSTOMER_FACTS), ("product", PRODUCT_FACTS)]
)
@given(data=st.data())
def test_a_rule_sees_the_same_in_what_was_stored(name: str, facts: Any, data: st.DataObject) -> None:
    kind, fresh = KINDS[name], data.draw(facts)
    condition = data.draw(conditions(kind))
    stored = kind.view(json.loads(json.dumps(kind.dump(fresh))))
    assert evaluate(condition, stored, READING, kind.fields) == evaluate(condition, fresh, READING, kind.fields)
    # What a field says that it reads is all that it reads: of everything else nothing is left.
    paths = f"unread {kind.scope_reads} {kind.dated_by} {kind.fields[condition.field].reads}".split()
    few = kind.view(only(json.loads(json.dumps(kind.dump(fresh))), [path.split(".") for path in paths]))
    alone = RuleDefinition(groups=((condition,),))
    assert decide_rule(kind, draft(alone), few, READING) == decide_rule(kind, draft(alone), fresh, READING)


def only(stored: Any, paths: list[list[str]]) -> Any:
    """Return a stored form with nothing but these paths; a path that ends here keeps all of it."""
    if isinstance(stored, list) and [] not in paths:
        return [only(part, paths) for part in stored]
    if not isinstance(stored, dict) or [] in paths:
        return stored
    return {k: only(v, [p[1:] for p in paths if p[0] == k]) for k, v in stored.items() if k in {p[0] for p in paths}}


@pytest.mark.parametrize(
    ("name", "facts"), [("order", ORDER_FACTS), ("customer", CUSTOMER_FACTS), ("product", PRODUCT_FACTS)]
)
@given(data=st.data())
def test_what_is_remembered_of_equal_parts_changes_no_count(name: str, facts: Any, data: st.DataObject) -> None:
    kind = KINDS[name]
    groups = tuple(tuple(data.draw(st.lists(conditions(kind), min_size=1, max_size=2))) for _ in range(2))
    rule = draft(RuleDefinition(data.draw(st.sampled_from(["all", "any"])), groups))
    seen, glancer = data.draw(st.lists(facts, min_size=1, max_size=8)), Glancer(kind, rule, READING, stored=True)
    for fresh in seen:
        glanced = glancer.glance(kind.view(kind.dump(fresh)))
        plain = glance(kind, rule, fresh, READING)
        assert (glanced.decision, glanced.distance, glanced.of) == (plain.decision, plain.distance, plain.of)
        assert (glanced.lacking and glanced.lacking.condition) == (plain.lacking and plain.lacking.condition)


def test_a_rule_needs_few_of_the_stored_parts() -> None:
    total = RuleDefinition(groups=((Condition("total", "at_least", ("1 USD",)),),))
    read = left_out(ORDER, [total])
    assert ORDER.codec.keys - read.without == {"total", "status_id", "channel_id", "created_at", "unread"}
    assert not read.thinned
    sku = RuleDefinition(groups=((Condition("sku", "has_any_of", ("A",)),),))
    read = left_out(ORDER, [total, sku])
    assert "items" not in read.without
    assert (read.thinned, "sku" in read.names, "name" in read.names) == ({"items"}, False, True)


def test_keys_of_equal_parts_are_equal_and_others_are_not() -> None:
    pick = picker(["a", "b.c"])
    same = [{"a": 1, "b": [{"c": "x", "d": 1}]}, {"b": [{"d": 2, "c": "x"}], "a": 1, "e": None}]
    assert len({pick(stored) for stored in same}) == 1
    others: list[Any] = [
        {"a": 1}, {"a": True}, {"a": 1.0}, {"a": "1"}, {"a": None}, {}, {"a": []}, {"a": {}}, {"a": 1, "b": None},
        {"a": 1, "b": []}, {"a": 1, "b": {}}, {"a": 1, "b": {"c": "x"}}, {"a": 1, "b": [{"c": "x"}, {}]}, {"a": [1]},
        {"a": 1, "b": ["x"]}, {"a": 1, "b": [{}]}, {"a": [["k", 1]]}, {"a": {"k": 1}},
    ]  # fmt: skip
    assert len({pick(stored) for stored in [*same, *others]}) == 1 + len(others)


def test_free_texts_are_not_stored() -> None:
    facts = order(staff_notes="margin 40 percent", customer_message="call me")
    assert "margin" not in json.dumps(ORDER.dump(facts))
    assert ORDER.parse(ORDER.dump(facts)) == replace(facts, staff_notes="", customer_message="")


def test_what_is_default_takes_no_room() -> None:
    stored = ORDER.dump(order())
    assert "locale" not in stored
    assert stored["total"] == "600.00 USD"
    assert stored["created_at"] == "2026-03-02T09:29:00Z"
    assert len(json.dumps(stored)) < 1400


def test_an_older_or_newer_stored_form_is_read() -> None:
    stored = ORDER.dump(order())
    assert ORDER.parse({**stored, "colour_of_the_parcel": "red"}) == order()
    assert ORDER.view({**stored, "colour_of_the_parcel": "red"}).id == 101


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "101"), ("id", None), ("id", True), ("total", 600), ("total", "many USD"), ("created_at", "yesterday"),
        ("items", {}), ("items", [1]), ("items", [{"id": 1}]), ("history", 3), ("billing", None), ("is_digital", "no"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(key: str, value: Any) -> None:
    stored = {**ORDER.dump(order()), key: value}
    with pytest.raises(UnreadableInput):
        ORDER.parse(stored)
    with pytest.raises(UnreadableInput):
        read_whole(ORDER.view(stored))
    del stored[key]
    with pytest.raises(UnreadableInput, match=key):
        ORDER.parse(stored)


def read_whole(view: Any) -> None:
    for part in (*view.items, view.billing, view.history):
        assert part is None or part.__class__.__name__.startswith("Stored")
        for f in fields(type(order().items[0])) if part in view.items else ():
            getattr(part, f.name)
    for f in fields(OrderFacts):
        getattr(view, f.name)


def test_a_view_reads_only_what_is_asked_for() -> None:
    stored = {**ORDER.dump(order()), "items": "not readable"}
    view = ORDER.view(stored)
    assert view.total == Money(Decimal("600.00"), "USD")
    assert view.created_at == order().created_at
    assert view.created_at + timedelta(0) is not None
    with pytest.raises(AttributeError):
        _ = view.nothing
