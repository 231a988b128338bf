"""What a merchant chose for the whole store; stored as jsonb in stores.settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bcapp.core.connectors import BOOKS, SHIPPING, Connector, read_statuses

# A shipping tool and the statuses from which it imports orders: the tool's own set-up decides, so the merchant confirms
# the choice, may add statuses, and may name the status of the hold by hand.
SHIPPING_TOOLS: dict[str, tuple[str, frozenset[int]]] = {key: (c.label, c.statuses) for key, c in SHIPPING.items()}
MANUAL_VERIFICATION = 12
AWAITING_PAYMENT = 7
PENDING = 1


@dataclass(frozen=True)
class StoreSettings:
    """shipping_tool and payment_mode are "" until the first-run questions are answered: no order is held before."""

    shipping_tool: str = ""  # a key of SHIPPING_TOOLS
    payment_mode: str = ""  # "capture": paid at checkout; "authorize": authorised, captured later
    alarm_person: int = 0  # people.id who gets alarms by mail
    support_email: str = ""  # whom signers ask; "": the mail names the store only
    staff_note: bool = False  # one line into the order's staff notes when signed
    returns_form: bool = False  # shoppers may ask for a return or a cancellation on our page
    test_mode_user: int = 0  # users.id who receives every request; 0: test mode is off
    release_capture: bool = True  # authorise-only: capture when signed
    escape_status: int = 0  # a hold status named by hand, 0: choose by the shipping tool
    books: str = ""  # a key of connectors.BOOKS: the ERP or accounting connector
    imports: str = ""  # numbers of further statuses from which a tool of the store takes orders

    @property
    def hold_method(self) -> str:
        """How an order is held: "none" until both questions are answered, "capture" when authorised first."""
        if not self.shipping_tool or not self.payment_mode:
            return "none"
        return "capture" if self.payment_mode == "authorize" else "status"

    @property
    def hold_status(self) -> int:
        """The order status that keeps the named shipping tool away.

        12 (manual verification) is the natural hold; a tool that imports 12 gets 7, then 1.
        """
        if self.escape_status:
            return self.escape_status
        imported = self.imported
        return next(
            (s for s in (MANUAL_VERIFICATION, AWAITING_PAYMENT, PENDING) if s not in imported), MANUAL_VERIFICATION
        )

    @property
    def connectors(self) -> tuple[Connector, ...]:
        """Return what reads the store's orders, as far as it is named; without statuses of the merchant's own."""
        found = (SHIPPING.get(self.shipping_tool), BOOKS.get(self.books))
        return tuple(c for c in found if c is not None and c.statuses)

    @property
    def imported(self) -> frozenset[int]:
        """Return every status from which something takes orders of the store."""
        try:
            own = read_statuses(self.imports)
        except ValueError:
            own = frozenset()
        return own.union(*(c.statuses for c in self.connectors))

    @property
    def is_complete(self) -> bool:
        return bool(self.shipping_tool and self.payment_mode and self.alarm_person)

    @property
    def test_mode(self) -> bool:
        return self.test_mode_user != 0


def loosens_holds(before: StoreSettings, after: StoreSettings) -> bool:
    """Return whether a change decides about orders that are held already: test mode on, or held another way.

    Answering the questions for the first time is none: nothing is held before.
    """
    if after.test_mode and not before.test_mode:
        return True
    how = (before.hold_method, before.hold_status)
    return before.hold_method != "none" and how != (after.hold_method, after.hold_status)


def parse_settings(stored: dict[str, Any]) -> StoreSettings:
    """Read stored settings; keys of a newer release are left aside."""
    known = StoreSettings.__dataclass_fields__
    return StoreSettings(**{k: v for k, v in stored.items() if k in known})


def dump_settings(settings: StoreSettings) -> dict[str, Any]:
    return asdict(settings)
