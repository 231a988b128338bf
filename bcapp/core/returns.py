"""What a shopper may ask for on the returns form: chosen among what was offered, decided by the rules later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from bcapp.core.cases import CaseKind, CaseState

GOOD_FOR = timedelta(days=1)
# Links that are mailed at most, so that nobody's inbox is filled by a stranger: an hour's.
PER_ADDRESS, PER_ORDER, PER_STORE = 3, 5, 1000
PER_SENDER = 60  # questions from one internet address, so that one stranger cannot use up those of the store
MOST_FILES = 3
NOTE_CHARACTERS = 1000


@dataclass(frozen=True)
class Offered:
    """A line of the order as it stood when the link was mailed. available: pieces. price: of one, with tax."""

    id: int
    name: str
    sku: str
    available: int
    price: Decimal

    def dump(self) -> dict[str, Any]:
        return {**asdict(self), "price": str(self.price)}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Self:
        return cls(stored["id"], stored["name"], stored["sku"], stored["available"], Decimal(stored["price"]))


def kinds_for(*, shipped: bool) -> tuple[CaseKind, ...]:
    """What nobody has shipped yet is cancelled, not sent back."""
    return (CaseKind.RETURN, CaseKind.EXCEPTION) if shipped else (CaseKind.CANCELLATION, CaseKind.EXCEPTION)


def still_left(offered: Sequence[Offered], pieces: Mapping[int, int]) -> list[Offered]:
    """Return the lines without the pieces that are asked for already; those of which nothing is left are gone."""
    lines = (replace(line, available=line.available - pieces.get(line.id, 0)) for line in offered)
    return [line for line in lines if line.available > 0]


def chosen(offered: Sequence[Offered], pieces: Mapping[int, str]) -> list[tuple[Offered, int]] | None:
    """Return what was chosen, by the ids of the lines; None when it is nothing, or not what was offered."""
    found = []
    for line in offered:
        text = pieces.get(line.id, "").strip() or "0"
        if not (text.isascii() and text.isdecimal() and len(text) < 7) or int(text) > line.available:
            return None
        if int(text):
            found.append((line, int(text)))
    return found or None


# How the state of a case is told to whoever asked for it; (look, picture) as on a signer's page.
TOLD: dict[CaseState, tuple[str, str, str]] = {
    CaseState.DRAFT: ("new", "info", "notifications"),
    CaseState.NEW: ("new", "info", "notifications"),
    CaseState.OPEN: ("new", "info", "notifications"),
    CaseState.STUCK: ("new", "info", "notifications"),
    CaseState.APPROVED: ("approved", "success", "check_circle"),
    CaseState.SETTLING: ("approved", "success", "check_circle"),
    CaseState.BY_HAND: ("approved", "success", "check_circle"),
    CaseState.CLOSED: ("closed_case", "success", "check_circle"),
    CaseState.REFUSED: ("refused", "warning", "info"),
    CaseState.WITHDRAWN: ("withdrawn", "info", "info"),
}
