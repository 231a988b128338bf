"""Which hold follows from the first-run answers, and why, in words."""

from __future__ import annotations

from dataclasses import dataclass

from bcapp.core.connectors import STATUS_NAMES, named
from bcapp.core.settings import StoreSettings

# Statuses that may be named by hand as the hold: an order rests in them, and no tool takes them for ready to ship.
ESCAPES = (12, 7, 1)
PAYMENT_MODES = {
    "capture": ("Paid at checkout", "The money is taken when the order is placed, or it is paid by invoice."),
    "authorize": ("Authorised at checkout, captured later", "The money is reserved and taken when you capture it."),
}


@dataclass(frozen=True)
class HoldWords:
    """kind: info, warning. title: the hold in one line. why: sentences."""

    kind: str
    title: str
    why: tuple[str, ...]


def describe_hold(settings: StoreSettings) -> HoldWords:
    """Return what happens to an order that waits for a signature."""
    match settings.hold_method:
        case "none":
            return HoldWords(
                "warning",
                "No order is held yet",
                (
                    "Choose the shipping tool and how you are paid: "
                    "they decide which hold keeps an order from being shipped.",
                ),
            )
        case "capture":
            release = (
                "When everybody has signed, Countersign captures the payment."
                if settings.release_capture
                else "When everybody has signed, you capture the payment yourself."
            )
            return HoldWords(
                "info",
                "The payment waits, the order stays where it is",
                (
                    "Your orders are only authorised at checkout. Countersign leaves their status alone: "
                    "nothing is paid and nothing should be shipped before the capture.",
                    release,
                    "An authorisation ends after some days; requests on such orders end before it.",
                ),
            )
        case _:
            return _status_words(settings)


def _status_words(settings: StoreSettings) -> HoldWords:
    status, imported = settings.hold_status, settings.imported
    name = STATUS_NAMES.get(status, f"status {status}")
    takes = [f"{c.label} imports orders in {named(c.statuses)}." for c in settings.connectors]
    own = imported.difference(*(c.statuses for c in settings.connectors))
    if own:
        takes.append(f"You said that another tool imports orders in {named(own)}.")
    if status in imported:
        mend = (
            "Choose another status, or leave the choice to us."
            if settings.escape_status and any(s not in imported for s in ESCAPES)
            else "None of the statuses in which an order can rest is left alone. Have the tool leave one of them out "
            "in its settings, then correct what is chosen here; or authorise payments first, and capture them later."
        )
        return HoldWords("warning", f"Orders wait in {name}, which your tool imports", (*takes, mend))
    why = [f"An order that waits for a signature is moved to {name} and back when everybody has signed.", *takes]
    if not imported:
        why.append("Nobody imports orders from your store, so the usual status for a check by hand is used.")
    else:
        why.append(f"{name} is left alone.")
        if status != 12 and not settings.escape_status:
            why.append(f"{STATUS_NAMES[12]} is imported too, so that one cannot be the hold.")
    why.append("Check once in your tool's own settings which statuses it imports: they can be changed there.")
    return HoldWords("info", f"Orders wait in {name}", tuple(why))
