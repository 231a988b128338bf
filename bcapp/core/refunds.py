"""The money of refunds: what may be refunded under a signed cap, what was refunded already, and whether it settled.

Amounts are Decimals in the order's currency, one currency per order. Nothing here waits or reads a clock.
Source of the shapes: BigCommerce's orders.v3.yml, "Payment Actions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

ZERO = Decimal(0)
CENT = Decimal("0.01")
BY_QUANTITY = frozenset({"PRODUCT", "GIFT_WRAPPING"})
ORDER_LEVEL = "ORDER"
STORE_CREDIT = frozenset({"storecredit"})
# Refunds into these are BigCommerce's own books: no gateway that could decline them later.
OWN_BOOKS = frozenset({"storecredit", "giftcertificate"})
MARK = re.compile(r"CS-([1-9][0-9]{0,17})(?![0-9])")

UNCLEAR_WAIT = timedelta(minutes=10)
LOOKS = 2
# When a refund that is on its way is read again: soon, then ever more rarely; after the last a person is told.
FOLLOW_AFTER = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=3), timedelta(hours=12),
    *(timedelta(days=1),) * 9,
)  # fmt: skip


@dataclass(frozen=True)
class RefundItem:
    """One thing to refund. PRODUCT and GIFT_WRAPPING by quantity, everything else by amount.

    item_id: the order's line, its address (SHIPPING, HANDLING), or the order itself (ORDER, FEE).
    """

    item_type: str
    item_id: int
    quantity: int = 0
    amount: Decimal = ZERO

    @property
    def key(self) -> tuple[str, int]:
        return self.item_type, self.item_id


@dataclass(frozen=True)
class Payment:
    """How a part of a refund is paid. transaction: as the store names it, "" when it does not say."""

    provider: str
    amount: Decimal
    offline: bool
    declined: bool = False
    transaction: str = ""


@dataclass(frozen=True)
class Quote:
    """What the store would refund for some items, and in which ways: each way is payments that add up to the total."""

    total: Decimal
    tax: Decimal
    ways: tuple[tuple[Payment, ...], ...]


@dataclass(frozen=True)
class Refund:
    """A refund as the store tells it. user_id: who made it there, 0 when nobody is named. reasons: of its items."""

    id: int
    order_id: int
    total: Decimal
    tax: Decimal
    created_at: datetime
    user_id: int = 0
    reasons: tuple[str, ...] = ()
    items: tuple[RefundItem, ...] = ()
    payments: tuple[Payment, ...] = ()

    @property
    def case_id(self) -> int:
        """The case that its reasons name, 0 when none."""
        found = {int(mark[1]) for reason in self.reasons if (mark := MARK.match(reason))}
        return found.pop() if len(found) == 1 else 0

    @property
    def declined(self) -> Decimal:
        return sum((p.amount for p in self.payments if p.declined), ZERO)

    @property
    def counted(self) -> Decimal:
        """What of it went (or is going) to the customer."""
        return max(ZERO, self.total - self.declined)


def mark(case_id: int) -> str:
    """Return what stands in the reason of every item of a refund of ours."""
    return f"CS-{case_id}"


def cap_of(quoted: Decimal, tolerance: Decimal) -> Decimal:
    """Return the most that the approvers sign for. tolerance: percent above the store's calculation, 0 by default."""
    if tolerance <= 0:
        return quoted
    return max(quoted, (quoted * (100 + tolerance) / 100).quantize(CENT, ROUND_DOWN))


# Reserving against the order --------------------------------------------------------------------------------


def free_of(total: Decimal, refunded: Decimal, reserved: Iterable[Decimal]) -> Decimal:
    """Return what of an order no refund took and no other open case may take. reserved: what each may still cost."""
    return max(ZERO, total - refunded - sum(reserved, ZERO))


# Refunds made by hand ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """What an open case still wants. left: of its cap, ours and earlier refunds by hand taken off."""

    case_id: int
    items: tuple[RefundItem, ...]
    left: Decimal


def allocate(refund: Refund, claims: Sequence[Claim]) -> dict[int, Decimal]:
    """Return which open cases a refund made by hand counts for, and with how much; the rest belongs to none.

    claims: oldest first. What was refunded of the same lines counts first; an amount of the whole order then shrinks
    the oldest case. Other lines of the order are somebody else's matter.
    """
    pools: dict[tuple[str, int], Decimal] = {}
    for item in refund.items:
        pools[item.key] = pools.get(item.key, ZERO) + item.amount
    named, whole = sum(pools.values(), ZERO), refund.counted
    if named != whole:
        pools = _scaled(pools, whole)
    found: dict[int, Decimal] = {}

    def take(claim: Claim, keys: Iterable[tuple[str, int]]) -> None:
        for key in keys:
            part = min(pools.get(key, ZERO), claim.left - found.get(claim.case_id, ZERO))
            if part > 0:
                pools[key] -= part
                found[claim.case_id] = found.get(claim.case_id, ZERO) + part

    for claim in claims:
        take(claim, [item.key for item in claim.items])
    anything = [key for key in pools if key[0] == ORDER_LEVEL]
    for claim in claims:
        take(claim, anything)
    return found


def _scaled(pools: Mapping[tuple[str, int], Decimal], whole: Decimal) -> dict[tuple[str, int], Decimal]:
    """Return the parts of a refund so that they add up to its total: the store may name no amounts of its items."""
    if not pools:
        return {(ORDER_LEVEL, 0): whole}
    named = sum(pools.values(), ZERO)
    if named <= 0:
        each = (whole / len(pools)).quantize(CENT, ROUND_DOWN)
        parts = dict.fromkeys(pools, each)
    else:
        parts = {key: (whole * part / named).quantize(CENT, ROUND_DOWN) for key, part in pools.items()}
    first = next(iter(parts))
    parts[first] += whole - sum(parts.values(), ZERO)
    return parts


def items_left(
    items: Iterable[RefundItem], ours: Iterable[Refund], by_hand: Iterable[Refund], available: Mapping[int, int]
) -> tuple[RefundItem, ...]:
    """Return what of a case's items is still to be refunded; how much money that may be is another question.

    ours, by_hand: refunds that count for this case. available: pieces of each line that the store can still refund, by
    the line's id.
    """
    pieces: dict[tuple[str, int], int] = {}
    amounts: dict[tuple[str, int], Decimal] = {}
    mine = [r for r in ours if r.counted > 0]
    for refund in (*mine, *(r for r in by_hand if r.counted > 0)):
        for item in refund.items:
            pieces[item.key] = pieces.get(item.key, 0) + item.quantity
    for refund in mine:
        for item in refund.items:
            amounts[item.key] = amounts.get(item.key, ZERO) + item.amount
    left: list[RefundItem] = []
    for item in items:
        if item.item_type in BY_QUANTITY:
            most = available.get(item.item_id, 0) if item.item_type == "PRODUCT" else item.quantity
            number = min(item.quantity - pieces.get(item.key, 0), most)
            if number > 0:
                left.append(replace(item, quantity=number))
        elif (amount := item.amount - amounts.get(item.key, ZERO)) > 0:
            left.append(replace(item, amount=amount))
    return tuple(left)


# The fresh quote --------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    SEND = "send"
    LESS = "less"  # ask the store again, for this amount of the whole order
    TOO_MUCH = "too_much"
    NO_WAY = "no_way"  # none of the store's ways pays as it was asked


@dataclass(frozen=True)
class Judged:
    verdict: Verdict
    payments: tuple[Payment, ...] = ()
    amount: Decimal = ZERO
    why: str = ""


def judge_quote(quote: Quote, *, left: Decimal, by_hand: Decimal, tender: str, paid_by: frozenset[str]) -> Judged:
    """Compare a fresh quote with what the signature still covers.

    left: of the signed cap, everything refunded taken off. by_hand: what people refunded of this case meanwhile; an
    amount that they gave back shrinks ours instead of stopping it. paid_by: the gateways that took the order's money.
    """
    if quote.total > left:
        if by_hand > 0 and left > 0:
            return Judged(Verdict.LESS, amount=left)
        return Judged(
            Verdict.TOO_MUCH, why=f"The store now calculates {quote.total}, and {left} of what was signed is left."
        )
    payments = choose_way(quote.ways, tender, paid_by)
    if payments is None or sum((p.amount for p in payments), ZERO) != quote.total:
        why = "The store offers no way to refund it as store credit." if tender == "store_credit" else (
            "The store offers no way to refund it the way it was paid."
        )  # fmt: skip
        return Judged(Verdict.NO_WAY, why=why)
    return Judged(Verdict.SEND, payments, quote.total)


def choose_way(ways: Sequence[tuple[Payment, ...]], tender: str, paid_by: frozenset[str]) -> tuple[Payment, ...] | None:
    """Return the way to pay that fits, or None. Source: orders.v3.yml, refund_methods: each is a set of payments.

    original: the way whose providers took the money; else one that is online and no store credit; else an offline one
    that is no store credit.
    """

    def providers(way: tuple[Payment, ...]) -> frozenset[str]:
        return frozenset(p.provider for p in way)

    if tender == "store_credit":
        return next((w for w in ways if w and providers(w) <= STORE_CREDIT), None)
    exact = [w for w in ways if w and providers(w) == paid_by]
    online = [w for w in ways if w and not providers(w) & STORE_CREDIT and not any(p.offline for p in w)]
    offline = [w for w in ways if w and not providers(w) & STORE_CREDIT]
    return next(iter([*exact, *online, *offline]), None)


# What became of it ------------------------------------------------------------------------------------------


class Settled(StrEnum):
    SETTLED = "settled"
    SETTLING = "settling"
    BY_HAND = "by_hand"
    DECLINED = "declined"


@dataclass(frozen=True)
class Booking:
    """A transaction of the order. names: the ways in which a refund may refer to it."""

    event: str
    status: str
    amount: Decimal
    created_at: datetime
    names: frozenset[str]


def settlement(refund: Refund, bookings: Sequence[Booking]) -> Settled:
    """Return how the payment side of a refund stands.

    Accepted is not settled. Whether a refund's transaction appears when it is asked for or when it is done, and by
    which of its numbers the refund names it, is nowhere written: both are looked for.
    """
    if any(p.declined for p in refund.payments):
        return Settled.DECLINED
    is_waiting = is_by_hand = False
    for payment in refund.payments:
        if payment.offline:
            is_by_hand = True
            continue
        if payment.provider in OWN_BOOKS:
            continue
        mine = [b for b in bookings if b.event in ("refund", "pending", "settled") and _is_of(b, payment, refund)]
        if any(b.status == "error" for b in mine):
            return Settled.DECLINED
        if not any(b.event != "pending" for b in mine):
            is_waiting = True
    if is_waiting:
        return Settled.SETTLING
    return Settled.BY_HAND if is_by_hand else Settled.SETTLED


def _is_of(booking: Booking, payment: Payment, refund: Refund) -> bool:
    if payment.transaction:
        return payment.transaction in booking.names
    same_time = booking.created_at >= refund.created_at - timedelta(seconds=5)
    return booking.event == "refund" and booking.amount == payment.amount and same_time


def follow_after(looks: int) -> timedelta | None:
    """Return when a refund on its way is read again after so many reads; None: a person is told."""
    return FOLLOW_AFTER[looks] if looks < len(FOLLOW_AFTER) else None


# One whose answer was lost ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Before:
    """What stood at the order right before our call. known: ids of its refunds."""

    known: frozenset[int]
    refunded: Decimal
    amount: Decimal  # asked


@dataclass(frozen=True)
class Found:
    """refund: the one that is ours. unmarked: it was told by its amount only, without our mark."""

    refund: Refund
    unmarked: bool = False


def find_lost(case_id: int, before: Before, refunds: Iterable[Refund], refunded: Decimal) -> Found | None:
    """Return the refund of a call whose answer was lost: by our mark, else by the amount by which the order grew."""
    new = [r for r in refunds if r.id not in before.known]
    marked = [r for r in new if r.case_id == case_id]
    if marked:
        return Found(min(marked, key=lambda r: r.id))
    same = [r for r in new if r.total == before.amount and not r.case_id]
    if len(same) == 1 and refunded - before.refunded >= before.amount:
        return Found(same[0], unmarked=True)
    return None
