"""What a merchant chose for the whole store; stored as jsonb in stores.settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# A shipping tool and the statuses from which it imports orders. Source: the fact sheet on order statuses; the
# shipping tools' own set-up decides, so the merchant confirms the choice and may name the status by hand.
SHIPPING_TOOLS: dict[str, tuple[str, frozenset[int]]] = {
    "none": ("No shipping tool: we ship from the control panel", frozenset()),
    "shipstation": ("ShipStation", frozenset({9, 11, 12})),
    "shippo": ("Shippo", frozenset({9, 11})),
    "shipperhq": ("ShipperHQ", frozenset({11})),
    "easyship": ("Easyship", frozenset({9, 11})),
    "own": ("Another tool or our own system that reads Awaiting Fulfillment", frozenset({11})),
}
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
    test_mode_user: int = 0  # users.id who receives every request; 0: test mode is off
    release_capture: bool = True  # authorise-only: capture when signed
    escape_status: int = 0  # a hold status named by hand, 0: choose by the shipping tool

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
        imported = SHIPPING_TOOLS.get(self.shipping_tool, ("", frozenset()))[1]
        return next(
            (s for s in (MANUAL_VERIFICATION, AWAITING_PAYMENT, PENDING) if s not in imported), MANUAL_VERIFICATION
        )

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
