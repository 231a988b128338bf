"""What the app talks about: frozen, typed, free of any service's spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.states import ActionState, HoldState, Purpose, RequestStatus, SignerRole, SignerState, Wanted


@dataclass(frozen=True)
class Money:
    """An amount with its currency (ISO 4217)."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class RecordKey:
    """Which record of a store: kind is one of core.kinds.KINDS, id is BigCommerce's as text."""

    kind: str
    id: str


@dataclass(frozen=True)
class Address:
    name: str
    company: str
    street: str
    city: str
    state: str
    postcode: str
    country: str  # ISO 3166 alpha-2
    email: str
    phone: str


@dataclass(frozen=True)
class LineItem:
    id: int
    product_id: int  # 0: a custom item without a product
    variant_id: int
    sku: str
    name: str
    type: str  # physical | digital | giftcertificate
    quantity: int
    quantity_shipped: int
    quantity_refunded: int
    unit_price: Decimal  # with tax, in the order's currency
    total: Decimal  # with tax
    options: tuple[tuple[str, str], ...] = ()  # display name, display value
    brand_id: int = 0
    brand_name: str = ""
    categories: frozenset[int] = frozenset()  # with all ancestors
    custom_fields: tuple[tuple[str, str], ...] = ()
    is_preorder: bool = False  # as its product stands when the order is read
    releases_at: datetime | None = None  # of a pre-order; None: not named


@dataclass(frozen=True)
class Transaction:
    id: int
    event: str  # purchase | authorization | capture | refund | void | pending | settled
    status: str  # ok | error
    amount: Decimal
    currency: str
    fraud_review: bool
    created_at: datetime


@dataclass(frozen=True)
class History:
    """What this customer did before this order; None when the customer is a guest without an e-mail.

    since: how far back was looked, None when all of it is known.
    """

    orders_before: int
    spent_before: tuple[Money, ...]  # one per currency, as are the next
    recent: tuple[tuple[datetime, Money], ...]  # newest first, other orders only
    paid_before: tuple[Money, ...] = ()  # paid and not given back
    since: datetime | None = None


@dataclass(frozen=True)
class OrderFacts:
    """An order, freshly read.

    unread: names of the parts that were left out (Field.needs); what they hold here says nothing.
    """

    id: int
    status_id: int
    payment_status: str
    payment_method: str
    created_at: datetime
    modified_at: datetime
    customer_id: int  # 0: guest
    customer_group_id: int  # 0: none
    channel_id: int
    total: Money
    tax: Decimal
    discount: Decimal
    items_total: int
    items_shipped: int
    is_digital: bool
    is_deleted: bool
    billing: Address
    shipping: tuple[Address, ...]
    items: tuple[LineItem, ...]
    transactions: tuple[Transaction, ...]
    history: History | None
    locale: str = "en"
    coupons: tuple[str, ...] = ()  # codes
    shipping_methods: tuple[str, ...] = ()
    customer_since: datetime | None = None  # None: a guest, or the account was not read
    metafields: tuple[tuple[str, str], ...] = ()  # "namespace.key", value
    customer_metafields: tuple[tuple[str, str], ...] = ()
    shipped_at: datetime | None = None  # None: not shipped, or the store tells no day
    accepted: frozenset[str] | None = None  # numbers of agreements that its customer has signed; None: not looked up
    placed_by_staff: bool = False  # in the buyer's name; BigCommerce does not tell who it was
    unread: frozenset[str] = frozenset()
    # What it was made from, "" where the store tells none. It is looked at once, and read by no rule.
    cart_id: str = field(default="", metadata={"stored": False})
    # Long, personal, and read by no rule: not kept with what is stored of past orders.
    staff_notes: str = field(default="", metadata={"stored": False})
    customer_message: str = field(default="", metadata={"stored": False})

    @property
    def label(self) -> str:
        """The order as tasks and reasons name it: they outlive what is erased, so they name nobody."""
        return f"Order {self.id}"

    @property
    def listed(self) -> str:
        """The order as people find it in lists."""
        return f"{self.label}, {self.billing.name or self.billing.email or 'guest'}"

    @property
    def fraud_review(self) -> bool:
        """True while a fraud tool or the gateway holds the payment for review."""
        return self.payment_status == "held for review" or any(t.fraud_review for t in self.transactions)


@dataclass(frozen=True)
class Gone:
    """The record does not exist any more (404), or never did."""

    key: RecordKey


@dataclass(frozen=True)
class Signer:
    position: int
    turn: int
    name: str
    email: str
    role: SignerRole = SignerRole.SIGN
    person_id: int | None = None
    may_forward: bool = False
    state: SignerState = SignerState.WAITING
    state_at: datetime | None = None
    reason: str = ""
    forwarded_to: str = ""
    mended_from: str = ""  # the address that could not be reached, when staff mended it


@dataclass(frozen=True)
class PlacedField:
    """A field that we put into a document, and may therefore come back typed. type: s d t c.

    value: what a text box asks for: text | number | date | money. label: as the document shows it.
    """

    external_id: str
    signer: int
    type: str
    value: str = field(default="text", compare=False)
    label: str = field(default="", compare=False)


@dataclass(frozen=True)
class SignatureRequest:
    id: int
    workflow: str
    rule_id: int
    rule_version: int
    purpose: Purpose
    record: RecordKey
    round: int
    projection: int
    fingerprint: str
    snapshot: dict[str, Any]
    wanted: Wanted
    wanted_why: str
    status: RequestStatus
    checked: str  # "" | right | conflict | confirmed
    simulated: bool
    blocks: bool
    external_id: str
    created_at: datetime
    expires_at: datetime | None
    signers: tuple[Signer, ...] = ()
    fields: tuple[PlacedField, ...] = ()
    bounced: bool = False
    provider_document: str = ""  # uuid
    provider_request: str = ""
    reminded: int = 0
    remind_at: datetime | None = None
    language: str = "en"
    account_id: int = 0
    agreement_id: int = 0
    agreement_version: int = 0
    document_sha256: bytes | None = None
    provider_document_url: str = ""
    inputs: tuple[dict[str, Any], ...] = ()
    round_why: str = ""
    status_why: str = ""
    counts: dict[str, Any] | None = None  # for whom and how long the signature counts: core/acceptances.py, Counts

    @property
    def is_open(self) -> bool:
        return self.wanted is Wanted.OPEN and not self.status.is_end

    @property
    def is_good(self) -> bool:
        """Completed, and checked to be the right person under the right text."""
        return self.status is RequestStatus.COMPLETED and self.checked in ("right", "confirmed")


@dataclass(frozen=True)
class Hold:
    record: RecordKey
    method: str  # status | capture | gate | access | none
    state: HoldState
    state_why: str = ""
    found: dict[str, Any] | None = None
    left_as: dict[str, Any] | None = None
    blocking: tuple[int, ...] = ()
    wanted_at: datetime | None = None
    held_at: datetime | None = None
    alarmed_at: datetime | None = None

    def status_held(self, chosen: int) -> int:
        """Return the status that this hold wrote; chosen: what the settings name now, for one not placed yet."""
        return int((self.left_as or {}).get("status_id") or chosen)


@dataclass(frozen=True)
class OpenAction:
    """An action of the record that has not ended; what a new plan must not ask for twice."""

    id: int
    kind: str
    lane: str
    state: ActionState
    request_id: int | None
    payload: dict[str, Any] = field(default_factory=dict)
