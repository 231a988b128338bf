"""Orders, requests and rules for tests of pure code: one believable default each, changed by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bcapp.core.conditions import Condition
from bcapp.core.directory import Directory, Person
from bcapp.core.kinds.order import ORDER as ORDERS
from bcapp.core.model import Address, History, LineItem, Money, OrderFacts, RecordKey, SignatureRequest, Signer
from bcapp.core.rules import RuleDefinition, RuleInForce
from bcapp.core.settings import StoreSettings
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import Purpose, RequestStatus, Wanted

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ORDER = RecordKey("order", "101")
BUYER = Address("Bo Buyer", "Buyer Ltd", "1 High St", "Bath", "Somerset", "BA1 1AA", "GB", "Bo@Buyer.test", "+44 1")
TENT = LineItem(
    id=1,
    product_id=11,
    variant_id=12,
    sku="TENT-4",
    name="Tent",
    type="physical",
    quantity=2,
    quantity_shipped=0,
    quantity_refunded=0,
    unit_price=Decimal("300.00"),
    total=Decimal("600.00"),
    options=(("Colour", "Green"),),
    brand_id=5,
    brand_name="Northfield",
    categories=frozenset({23, 2}),
    custom_fields=(("regulated", "yes"),),
)
STOVE = replace(TENT, id=2, product_id=21, variant_id=22, sku="STOVE-1", name="Stove", quantity=1, options=())


def order(**changes: Any) -> OrderFacts:
    """A paid order of 600 USD at 11, placed a minute ago by a known customer on channel 1."""
    given: dict[str, Any] = {
        "id": 101,
        "status_id": 11,
        "payment_status": "captured",
        "payment_method": "Credit Card",
        "created_at": NOW - timedelta(minutes=1),
        "modified_at": NOW - timedelta(minutes=1),
        "customer_id": 7,
        "customer_group_id": 3,
        "channel_id": 1,
        "total": Money(Decimal("600.00"), "USD"),
        "tax": Decimal("100.00"),
        "discount": Decimal("0"),
        "items_total": 2,
        "items_shipped": 0,
        "is_digital": False,
        "is_deleted": False,
        "billing": BUYER,
        "shipping": (replace(BUYER, name="Warehouse"),),
        "items": (TENT,),
        "transactions": (),
        "history": History(0, (), ()),
    }
    return OrderFacts(**{**given, **changes})


def definition(**changes: Any) -> RuleDefinition:
    """The buyer signs agreement 4 through account 9 when the total is at least 500 USD."""
    given: dict[str, Any] = {
        "groups": ((Condition("total", "at_least", ("500.00 USD",)),),),
        "customer": True,
        "agreement_id": 4,
        "account_id": 9,
    }
    return RuleDefinition(**{**given, **changes})


def rule(**changes: Any) -> RuleInForce:
    """Rule 1, live since an hour."""
    given: dict[str, Any] = {
        "id": 1,
        "version": 1,
        "name": "Large orders",
        "workflow": "order_approval",
        "mode": "live",
        "definition": definition(),
        "live_since": NOW - timedelta(hours=1),
    }
    return RuleInForce(**{**given, **changes})


def request(facts: OrderFacts | None = None, **changes: Any) -> SignatureRequest:
    """Request 50 of rule 1 to the buyer: sent, open, made from these facts."""
    snapshot = ORDERS.snapshot(facts or order())
    given: dict[str, Any] = {
        "id": 50,
        "workflow": "order_approval",
        "rule_id": 1,
        "rule_version": 1,
        "purpose": Purpose.CUSTOMER,
        "record": ORDER,
        "round": 1,
        "projection": ORDERS.projection,
        "fingerprint": fingerprint(snapshot),
        "snapshot": snapshot,
        "wanted": Wanted.OPEN,
        "wanted_why": "",
        "status": RequestStatus.SENT,
        "checked": "",
        "simulated": False,
        "blocks": True,
        "external_id": "1:abc:50:1:nonce",
        "created_at": NOW - timedelta(minutes=1),
        "expires_at": NOW + timedelta(days=7),
        "signers": (Signer(0, 1, "Bo Buyer", "bo@buyer.test"),),
        "provider_document": "d-50",
        "provider_request": "r-50",
        "remind_at": NOW + timedelta(days=1),
        "account_id": 9,
        "agreement_id": 4,
        "agreement_version": 2,
    }
    return SignatureRequest(**{**given, **changes})


def person(number: int, **changes: Any) -> Person:
    return replace(Person(number, f"Person {number}", f"p{number}@shop.test"), **changes)


SETTINGS = StoreSettings(shipping_tool="own", payment_mode="capture", alarm_person=1)
NOBODY = Directory()
