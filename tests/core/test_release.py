"""What an order becomes when its hold opens: the table of the defaults, then the whole space by what must never be."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from bcapp.core.release import DIGITAL_DONE, ENDED, PAID, SHIPPED, UNPAID, release_order

HOLD, FOUND = 12, 11
HELD: dict[str, Any] = {
    "status_id": HOLD,
    "payment_status": "captured",
    "is_digital": False,
    "fraud_review": False,
    "hold_status": HOLD,
    "found_status": FOUND,
    "joined": False,
}


@pytest.mark.parametrize(
    ("changes", "becomes"),
    [
        # shipped or cancelled meanwhile: leave
        *[({"status_id": s}, None) for s in (2, 3, 4, 5, 6, 10)],
        *[({"status_id": s, "is_digital": True}, None) for s in (2, 3, 4, 5, 6, 10)],
        # joined: leave
        ({"joined": True}, None),
        ({"joined": True, "payment_status": "pending"}, None),
        # digital and paid: 10; digital and only authorised is not delivered by us
        ({"is_digital": True}, 10),
        ({"is_digital": True, "payment_status": "paid"}, 10),
        ({"is_digital": True, "payment_status": "authorized"}, 11),
        # paid, captured, authorised: 11
        *[({"payment_status": p}, 11) for p in sorted(PAID)],
        *[({"payment_status": p, "found_status": 7}, 11) for p in sorted(PAID)],
        # unpaid: 7
        *[({"payment_status": p, "found_status": 7}, 7) for p in sorted(UNPAID)],
        *[({"payment_status": p, "found_status": 12}, 7) for p in sorted(UNPAID)],
        *[({"payment_status": p, "found_status": 0}, 7) for p in sorted(UNPAID)],
        *[({"payment_status": p}, 7) for p in ("declined", "void", "void pending")],
        # an offline payment never reports itself: where it was found says more
        ({"payment_status": "pending"}, 11),
        ({"payment_status": "", "found_status": 9}, 9),
        # else what was found
        ({"payment_status": "something new"}, 11),
        ({"payment_status": "something new", "found_status": 9}, 9),
        ({"payment_status": "something new", "found_status": 12}, 11),
        # moved by a person: leave
        *[({"status_id": s}, None) for s in (1, 7, 8, 9, 11)],
        ({"hold_status": 7}, None),
        # another hold status, chosen for the shipping tool
        ({"hold_status": 7, "status_id": 7}, 11),
        ({"hold_status": 7, "status_id": 7, "payment_status": "pending", "found_status": 7}, 7),
    ],
)
def test_release(changes: dict[str, Any], becomes: int | None) -> None:
    release = release_order(**{**HELD, **changes})
    assert (release.status_id, release.person) == (becomes, False)
    assert release.why.endswith(".")


@pytest.mark.parametrize("payment", [*sorted(PAID), *sorted(UNPAID), "held for review"])
def test_an_order_under_fraud_review_is_never_released_by_us(payment: str) -> None:
    release = release_order(**{**HELD, "payment_status": payment, "fraud_review": True})
    assert (release.status_id, release.person) == (None, True)


def test_a_shipped_order_under_review_needs_nobody() -> None:
    assert not release_order(**{**HELD, "status_id": 2, "fraud_review": True}).person


def test_no_release_leaves_an_order_in_the_hold_ships_it_or_ends_it() -> None:
    payments = (*sorted(PAID | UNPAID), "held for review", "refunded", "something new")
    for status, payment, digital, review, found, joined in product(
        range(15), payments, (True, False), (True, False), range(15), (True, False)
    ):
        release = release_order(
            status_id=status,
            payment_status=payment,
            is_digital=digital,
            fraud_review=review,
            hold_status=HOLD,
            found_status=found,
            joined=joined,
        )
        case = (status, payment, digital, review, found, joined, release)
        if release.status_id is None:
            continue
        assert status == HOLD, case
        assert (joined, review, release.person) == (False, False, False), case
        assert release.status_id != HOLD, case
        assert release.status_id not in SHIPPED | ENDED or release.status_id == found, case
        assert release.status_id != DIGITAL_DONE or (digital and payment in PAID) or found == DIGITAL_DONE, case
