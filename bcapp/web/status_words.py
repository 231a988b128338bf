"""The one vocabulary of states as people read them: word, colour, icon, and what happens next.

Four facts are kept apart (what we want, what the provider says, how the hold stands, whether an action ran), so the
same state never borrows another one's word. Texts are English sources for gettext; templates translate them.
"""

from __future__ import annotations

from dataclasses import dataclass


def N_(text: str) -> str:
    """Mark a text for translation; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class StatusWord:
    """How one state is shown. `variant` is a badge colour, `tone` the colour of icon and timeline dot."""

    label: str
    variant: str  # secondary | primary | success | warning | danger
    icon: str  # a symbol of static/img/icons.svg
    tone: str  # neutral | info | good | warning | bad
    next_step: str  # one sentence; empty when nothing follows


def _neutral(label: str, icon: str, next_step: str = "") -> StatusWord:
    return StatusWord(label, "secondary", icon, "neutral", next_step)


def _info(label: str, icon: str, next_step: str = "") -> StatusWord:
    return StatusWord(label, "primary", icon, "info", next_step)


def _good(label: str, icon: str, next_step: str = "") -> StatusWord:
    return StatusWord(label, "success", icon, "good", next_step)


def _warning(label: str, icon: str, next_step: str = "") -> StatusWord:
    return StatusWord(label, "warning", icon, "warning", next_step)


def _bad(label: str, icon: str, next_step: str = "") -> StatusWord:
    return StatusWord(label, "danger", icon, "bad", next_step)


# kind of fact -> state -> how it is shown. The states are those of design.md section 3.
STATUS_WORDS: dict[str, dict[str, StatusWord]] = {
    "request": {
        "draft": _neutral(N_("Draft"), "draft", N_("The document is being prepared.")),
        "queued": _neutral(N_("Queued"), "draft", N_("It is sent as soon as the signature service takes it.")),
        "sent": _info(N_("Sent"), "send", N_("We remind the signer on days 1 and 3, then every 3 days.")),
        "viewed": _info(N_("Viewed"), "visibility", N_("The signer has opened the document.")),
        "partly_signed": _info(N_("Partly signed"), "edit", N_("Waiting for the next signer.")),
        "completed": _good(N_("Completed"), "check_circle"),
        "declined": _bad(N_("Declined"), "error", N_("Nothing goes on. Ask again, or decide about the record.")),
        "expired": _warning(N_("Expired"), "event_busy", N_("Nothing goes on. Ask again, or decide about the record.")),
        "cancelled": _neutral(N_("Cancelled"), "remove_circle_outline"),
        "failed": _bad(N_("Failed"), "error", N_("It could not be sent. See the reason and try again.")),
    },
    "wanted": {
        "open": _info(N_("Open"), "play_arrow", N_("We want this signature.")),
        "cancel": _neutral(N_("To be cancelled"), "remove_circle_outline", N_("We are taking the request back.")),
    },
    "signer": {
        "waiting": _neutral(N_("Not yet asked"), "draft", N_("Another signer comes first.")),
        "emailed": _info(N_("Asked"), "send", N_("The invitation was sent.")),
        "opened": _info(N_("Mail opened"), "send", N_("The signer has opened the mail.")),
        "viewed": _info(N_("Viewed"), "visibility", N_("The signer has opened the document.")),
        "signed": _good(N_("Signed"), "check_circle"),
        "declined": _bad(N_("Declined"), "error"),
        "forwarded": _warning(N_("Forwarded"), "arrow_forward"),
        "bounced": _bad(N_("Mail bounced"), "warning", N_("Correct the address and send again.")),
    },
    "hold": {
        "none": _neutral(N_("No hold"), "remove_circle_outline"),
        "holding": _warning(N_("Placing hold"), "restore", N_("The record is being taken out of the flow.")),
        "held": _warning(N_("Held"), "stop_circle", N_("Released when every required signature is completed.")),
        "releasing": _info(N_("Releasing"), "restore", N_("The record is being let go.")),
        "released": _good(N_("Released"), "check_circle"),
        "joined": _neutral(N_("Held by someone else"), "info", N_("It was held before us; we do not lift that hold.")),
        "refused": _bad(N_("Too late to hold"), "error", N_("It had left, or is digital, before we could hold it.")),
        "overridden": _warning(N_("Released by a person"), "warning"),
        "bypassed": _bad(N_("Bypassed"), "warning", N_("Someone let it go in the store. It can be held again.")),
        "kept": _warning(N_("Hold kept"), "stop_circle", N_("Declined or expired: a person decides.")),
    },
    "action": {
        "pending": _neutral(N_("Waiting"), "draft", N_("It runs when its turn comes.")),
        "started": _info(N_("Running"), "restore", N_("It was started and not yet answered.")),
        "applied": _good(N_("Done"), "check"),
        "skipped": _neutral(N_("Not needed"), "remove_circle_outline"),
        "conflict": _bad(N_("Needs a person"), "warning", N_("What we found does not fit. Look and decide.")),
        "failed": _bad(N_("Failed"), "error", N_("It will not run by itself again.")),
    },
    "rule": {
        "live": _good(N_("Live"), "play_arrow", N_("Asks for signatures.")),
        "monitor": _info(N_("Monitor"), "visibility", N_("Records what it would ask; asks nobody.")),
        "off": _neutral(N_("Off"), "stop_circle", N_("Does nothing.")),
        "paused": _warning(N_("Paused"), "warning", N_("It was stopped by a limit. Look before you start it again.")),
    },
    "account": {
        "untested": _neutral(N_("Not tested"), "info", N_("Test the connection.")),
        "working": _good(N_("Working"), "check_circle"),
        "broken": _bad(N_("Not working"), "error", N_("Check the credentials.")),
    },
}


def status_word(kind: str, value: str) -> StatusWord:
    """Return how the state is shown; a state that this release does not know is shown by its own name."""
    known = STATUS_WORDS[kind].get(value)
    return known or _neutral(value.replace("_", " ").capitalize(), "info")


def document_word(record_kind: str, purpose: str) -> str:
    """Return what the document of a request is called in lists: by who signs it."""
    if purpose == "internal":
        return N_("Approval sheet")
    return N_("Supplier document") if record_kind == "supplier" else N_("Customer document")
