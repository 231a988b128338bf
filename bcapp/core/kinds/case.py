"""Cases as rules see them: returns, exceptions to the refund policy, cancellations."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core.cases import KIND_LABELS, ORIGINS, REASONS, TENDERS, CaseState
from bcapp.core.fields import Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.merge import MergeField, Source
from bcapp.core.model import Money
from bcapp.core.refunds import BY_QUANTITY, ZERO
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.snapshot import plain
from bcapp.core.stored import codec_of

CALCULATED = "the store has not calculated it yet"


@dataclass(frozen=True)
class CaseLine:
    """One thing that the case wants refunded; see core/refunds.py, RefundItem. why: typed, may name people."""

    item_type: str
    item_id: int
    quantity: int
    amount: Decimal
    name: str
    sku: str
    why: str = field(default="", metadata={"stored": False})


def file_line(media: str, size_bytes: int, sha256: bytes) -> str:
    """Return a file as the sheet lists it; what its owner named it may name people, so its hash stands for it."""
    kind = "PDF" if media == "application/pdf" else "Picture"
    return f"{kind}, {max(1, size_bytes >> 10)} kB, SHA-256 {sha256.hex()}"


@dataclass(frozen=True)
class CaseFacts:
    """A case with its order, freshly read. Amounts are in the order's currency, with tax.

    quoted: what the store calculated at the opening, None before that. cap: the most that a signature allows.
    taken: what of the cap is refunded or on its way, by us or by hand. order_gone: it was deleted at the store.
    """

    id: int
    kind: str
    state: str
    state_why: str
    order_id: int
    currency: str
    created_at: datetime
    origin: str
    opened_by: int
    reason: str
    goods_back: bool
    tender: str
    tolerance: Decimal
    quoted: Decimal | None
    tax: Decimal
    cap: Decimal
    taken: Decimal
    lines: tuple[CaseLine, ...]
    order_total: Decimal
    order_refunded: Decimal
    order_status: int
    payment_status: str
    payment_method: str
    order_created_at: datetime
    items_shipped: int
    customer_id: int
    channel_id: int
    order_gone: bool = False
    refunds_before: int = 0  # refunds of the order from before the opening
    opener_email: str = field(default="", metadata={"stored": False})
    contact_name: str = field(default="", metadata={"stored": False})
    contact_email: str = field(default="", metadata={"stored": False})
    note: str = field(default="", metadata={"stored": False})
    files: tuple[str, ...] = field(default=(), metadata={"stored": False})  # as the sheet lists them, with their hash
    unread: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The case as tasks and reasons name it: it names nobody."""
        return f"Case {self.id}"

    @property
    def is_waiting(self) -> bool:
        """Whether its money is calculated and nothing was decided for good."""
        return not CaseState(self.state).is_end and self.state not in (CaseState.DRAFT, CaseState.NEW)

    @property
    def left(self) -> Decimal:
        return max(ZERO, self.cap - self.taken)


def _share(facts: CaseFacts, _argument: str, _: Reading) -> Decimal | Unknown:
    if facts.quoted is None or not facts.order_total:
        return Unknown(CALCULATED)
    return (facts.quoted / facts.order_total * 100).quantize(Decimal("0.01"))


def _amount(facts: CaseFacts, _argument: str, _: Reading) -> Money | Unknown:
    return Money(facts.cap, facts.currency) if facts.quoted is not None else Unknown(CALCULATED)


def _order_age(facts: CaseFacts, _argument: str, _: Reading) -> Decimal:
    return Decimal(max(0, (facts.created_at - facts.order_created_at).days))


def _opened(facts: CaseFacts, _argument: str, reading: Reading) -> date:
    return facts.created_at.astimezone(reading.zone).date()


_MONEY, _NUMBER, _CHOICE, _LIST, _FLAG = (
    FieldType.MONEY, FieldType.NUMBER, FieldType.CHOICE, FieldType.LIST, FieldType.FLAG
)  # fmt: skip

FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("amount", _MONEY, "Amount", "The most that is refunded, with tax, in the order's currency.", "100.00 USD",
              _amount),
        Field("share", _NUMBER, "Percent of the order", "What the store would refund, of the order's total.", "50",
              _share),
        Field("case_kind", _CHOICE, "Kind of case", "Return, exception or cancellation.", "return",
              lambda c, a, r: frozenset({c.kind}), choices=tuple(KIND_LABELS.items())),
        Field("reason", _CHOICE, "Reason", "As chosen in the form.", "damaged",
              lambda c, a, r: frozenset({c.reason}), choices=tuple(REASONS.items())),
        Field("goods_back", _FLAG, "Goods are back", "Ticked when the case was opened, or later.", "",
              lambda c, a, r: c.goods_back),
        Field("origin", _CHOICE, "Opened by", "Staff, the customer, another system or this app.", "shopper",
              lambda c, a, r: frozenset({c.origin}), choices=tuple(ORIGINS.items())),
        Field("tender", _CHOICE, "Refunded as", "The way it was paid, or store credit.", "store_credit",
              lambda c, a, r: frozenset({c.tender}), choices=tuple(TENDERS.items())),
        Field("order_total", _MONEY, "Order total", "With tax.", "500.00 USD",
              lambda c, a, r: Money(c.order_total, c.currency)),
        Field("order_age", _NUMBER, "Age of the order in days", "From the order to the opening of the case.", "30",
              _order_age),
        Field("refunds_before", _NUMBER, "Earlier refunds of the order", "Made before the case was opened.", "1",
              lambda c, a, r: Decimal(c.refunds_before)),
        Field("shipped", _FLAG, "Anything shipped", "At least one piece of the order was shipped.", "",
              lambda c, a, r: c.items_shipped > 0),
        Field("sku", _LIST, "SKU", "Any line of the case.", "TENT-4",
              lambda c, a, r: frozenset(line.sku for line in c.lines if line.sku)),
        Field("payment_method", _CHOICE, "Payment method", "Of the order, as it shows it.", "Credit Card",
              lambda c, a, r: frozenset({c.payment_method})),
        Field("guest", _FLAG, "Guest checkout", "The buyer has no account.", "", lambda c, a, r: c.customer_id == 0),
        Field("channel", _CHOICE, "Channel", "Of the order, by channel number.", "1",
              lambda c, a, r: frozenset({str(c.channel_id)}), numbered=True),
        Field("opened_on", FieldType.DATE, "Opened on", "The day in the store's time zone.", "2026-11-23", _opened),
    )
}  # fmt: skip


def _out_of_scope(facts: CaseFacts, channels: frozenset[int]) -> OutOfScope | None:
    if not facts.is_waiting:
        return OutOfScope("not_placed", "The case is not waiting for anything.")
    if facts.channel_id not in channels:
        text = f"Channel {facts.channel_id} of its order is not one of the storefronts of this rule."
        return OutOfScope("not_storefront", text)
    return None


def _created_at(facts: CaseFacts) -> datetime:
    return facts.created_at


def _brief(facts: CaseFacts) -> Brief:
    label = f"{facts.label}, order {facts.order_id}"
    money = Money(facts.cap, facts.currency) if facts.currency else None
    return Brief(label, None, str(facts.customer_id or ""), bool(facts.contact_email), money)


def case_1(facts: CaseFacts) -> dict[str, Any]:
    """What is refunded for which order, how, and up to how much. How the case stands and what was typed is not."""
    return {
        "kind": facts.kind,
        "order": facts.order_id,
        "currency": facts.currency,
        "amount": plain(facts.quoted) if facts.quoted is not None else None,
        "tolerance": plain(facts.tolerance),
        "cap": plain(facts.cap),
        "tender": facts.tender,
        "reason": facts.reason,
        "lines": [
            {
                "type": line.item_type,
                "id": line.item_id,
                "name": line.name,
                "sku": line.sku,
                "quantity": line.quantity,
                "amount": plain(line.amount),
            }
            for line in facts.lines
        ],
    }


def _shown(facts: CaseFacts) -> dict[str, Any]:
    """What pages show besides; amounts as text."""
    return {
        "state": facts.state,
        "state_why": facts.state_why,
        "goods_back": facts.goods_back,
        "origin": facts.origin,
        "opened_by": facts.opened_by,
        "taken": f"{facts.taken:f}",
        "left": f"{facts.left:f}",
        "tax": f"{facts.tax:f}",
        "order_total": f"{facts.order_total:f}",
        "order_refunded": f"{facts.order_refunded:f}",
        "order_status": facts.order_status,
        "order_gone": facts.order_gone,
        "payment_status": facts.payment_status,
        "payment_method": facts.payment_method,
        "created_at": facts.created_at.isoformat(),
    }


def sheet(source: Source) -> Sheet:
    """Return what an approver decides on: the money, why, and whether the goods are back."""
    c: CaseFacts = source.facts
    more = f"{source.money(c.cap)} ({c.tolerance.normalize():f} % above the calculation)"
    facts = [
        ("Kind", KIND_LABELS.get(c.kind, c.kind)),
        ("Order", f"{c.order_id} of {source.day(c.order_created_at)}"),
        ("Order total", source.money(c.order_total)),
        ("Refunded before", source.money(c.order_refunded)),
        ("To be refunded", source.money(c.quoted if c.quoted is not None else c.cap)),
        ("Of this, tax", source.money(c.tax)),
        ("At most", more if c.tolerance else source.money(c.cap)),
        ("Refunded as", TENDERS.get(c.tender, c.tender)),
        ("Paid by", c.payment_method or "–"),
        ("Reason", REASONS.get(c.reason, c.reason)),
        ("Goods are back", "Yes" if c.goods_back else "No"),
        ("Opened by", ORIGINS.get(c.origin, c.origin)),
    ]
    if c.note:
        facts.append(("Note", c.note))
    facts += [(f"File {number}", text) for number, text in enumerate(c.files, 1)]
    rows = tuple(
        (
            line.name,
            line.sku,
            str(line.quantity) if line.item_type in BY_QUANTITY else source.money(line.amount),
            line.why,
        )
        for line in c.lines
    )
    tables = (SheetTable("What is refunded", ("Item", "SKU", "Quantity or amount", "Why"), rows, frozenset({2})),)
    return Sheet(tuple(facts), c.contact_name, (), tables)


_MERGE = partial(MergeField, kind="case")
MERGE = (
    _MERGE("case.id", "Case number", "CS-12", lambda s: f"CS-{s.facts.id}"),
    _MERGE("case.kind", "Kind of case", "Return", lambda s: KIND_LABELS.get(s.facts.kind, s.facts.kind)),
    _MERGE("case.order", "Order number", "1001", lambda s: str(s.facts.order_id)),
    _MERGE("case.amount", "Amount to be refunded", "EUR 120.00",
           lambda s: s.money(s.facts.quoted if s.facts.quoted is not None else s.facts.cap)),
    _MERGE("case.cap", "Most that is refunded", "EUR 120.00", lambda s: s.money(s.facts.cap)),
    _MERGE("case.reason", "Reason", "Arrived damaged", lambda s: REASONS.get(s.facts.reason, s.facts.reason)),
    _MERGE("case.tender", "Refunded as", "Store credit", lambda s: TENDERS.get(s.facts.tender, s.facts.tender)),
    _MERGE("case.contact", "Customer", "Ann Lee", lambda s: s.facts.contact_name, stored=False),
    _MERGE("case.lines", "What is refunded", "2 × Tent",
           lambda s: "\n".join(
               f"{x.quantity} × {x.name}" if x.item_type in BY_QUANTITY else f"{x.name}: {s.money(x.amount)}"
               for x in s.facts.lines
           ), many=True),
)  # fmt: skip


CASE = Kind(
    "case",
    "Case",
    "Cases",
    "When a case is opened",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(CaseFacts),
    brief=_brief,
    material={1: case_1},
    merge=MERGE,
    sheet=sheet,
    shown=_shown,
    signer="the customer",
    is_remote=False,
)
