"""What an order becomes when its hold opens."""

from __future__ import annotations

from dataclasses import dataclass

PARTLY_SHIPPED = 3
SHIPPED = frozenset({2, PARTLY_SHIPPED})
ENDED = frozenset({4, 5, 6})
DIGITAL_DONE, PAID_NEXT, UNPAID_NEXT = 10, 11, 7
PAID = frozenset({"captured", "paid", "authorized", "capture pending", "partially refunded"})
DIGITAL_PAID = frozenset({"captured", "paid"})
UNPAID = frozenset({"pending", "declined", "", "void", "void pending"})
OFFLINE = frozenset({"pending", ""})


@dataclass(frozen=True)
class Release:
    """status_id None: write nothing. why: one sentence. person: a person has to decide."""

    status_id: int | None
    why: str
    person: bool = False


def release_order(
    *,
    status_id: int,
    payment_status: str,
    is_digital: bool,
    fraud_review: bool,
    hold_status: int,
    found_status: int,
    joined: bool,
) -> Release:
    """Decide from the order as it stands now, and from what stood there before the hold.

    status_id, payment_status, is_digital, fraud_review: freshly read. hold_status: what our hold wrote.
    """
    if joined:
        return Release(None, "It was already held by someone else, so it is left held.")
    if status_id == PARTLY_SHIPPED:
        return Release(None, "It was partly shipped meanwhile, so it is left as it is; the rest is shipped as usual.")
    if status_id in SHIPPED or status_id == DIGITAL_DONE:
        return Release(None, "It was shipped or completed meanwhile, so it is left as it is.")
    if status_id in ENDED:
        return Release(None, "It was cancelled, declined or refunded meanwhile, so it is left as it is.")
    if fraud_review:
        return Release(None, "Its payment is held for review. Finish the review, then move the order on.", person=True)
    if status_id != hold_status:
        return Release(None, "Someone moved it out of the hold, so it is left as it is.")
    if is_digital and payment_status in DIGITAL_PAID:
        return Release(DIGITAL_DONE, "It is digital and paid.")
    if payment_status in PAID:
        return Release(PAID_NEXT, "It is paid or authorised.")
    # Offline payments (purchase order, bank transfer) never report a payment; what was found says more than "pending".
    if payment_status in OFFLINE and found_status not in (0, UNPAID_NEXT, hold_status):
        return Release(found_status, "It goes back to where it was found.")
    if payment_status in UNPAID:
        return Release(UNPAID_NEXT, "It is not paid yet.")
    return Release(found_status if found_status != hold_status else PAID_NEXT, "It goes back to where it was found.")
