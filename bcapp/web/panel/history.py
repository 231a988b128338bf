"""The audit log and the actions in words: what happened, who did it, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.cases import STATE_LABELS
from bcapp.web.status_words import N_, STATUS_WORDS, status_word

ACTION_WORDS: dict[ActionKind, str] = {
    ActionKind.HOLD_ORDER: N_("Hold the order"),
    ActionKind.RELEASE_ORDER: N_("Release the order"),
    ActionKind.CAPTURE_ORDER: N_("Capture the payment"),
    ActionKind.HOLD_ACCOUNT: N_("Let the account wait"),
    ActionKind.APPROVE_ACCOUNT: N_("Approve the account"),
    ActionKind.WITHHOLD_ACCESS: N_("Withhold access until the terms are signed"),
    ActionKind.GRANT_ACCESS: N_("Give access"),
    ActionKind.UNDO_ACCOUNT: N_("Undo the approval"),
    ActionKind.ATTACH_TO_COMPANY: N_("Attach the signed agreement to the company"),
    ActionKind.SWITCH_OFF_PROMOTION: N_("Switch the promotion off"),
    ActionKind.SWITCH_ON_PROMOTION: N_("Switch the promotion on"),
    ActionKind.SHUT_QUOTE: N_("Close the quote’s checkout"),
    ActionKind.OPEN_QUOTE: N_("Open the quote’s checkout"),
    ActionKind.SEND_QUOTE: N_("Send the quote to its buyer"),
    ActionKind.GIVE_CODE: N_("Make the customer’s code"),
    ActionKind.HIDE_PRODUCTS: N_("Hide products"),
    ActionKind.SHOW_PRODUCTS: N_("Show products again"),
    ActionKind.KEEP_AGREEMENT: N_("Put the agreement onto the checklist"),
    ActionKind.COUNT_PRODUCTS: N_("Count products and what they sold"),
    ActionKind.IMPORT_SUPPLIERS: N_("Bring in a list of suppliers"),
    ActionKind.PREPARE_CASE: N_("Calculate the case"),
    ActionKind.EXECUTE_REFUND: N_("Refund"),
    ActionKind.VOID_PAYMENT: N_("Void the payment"),
    ActionKind.CANCEL_ORDER: N_("Cancel the order"),
    ActionKind.FOLLOW_REFUND: N_("Follow the refund"),
    ActionKind.PREPARE_DOCUMENT: N_("Prepare the document"),
    ActionKind.CREATE_DOCUMENT: N_("Upload the document"),
    ActionKind.SEND_REQUEST: N_("Send the request"),
    ActionKind.CANCEL_REQUEST: N_("Cancel the request"),
    ActionKind.RESEND_REQUEST: N_("Remind the signer"),
    ActionKind.MEND_ADDRESS: N_("Correct an address"),
    ActionKind.CHECK_COMPLETION: N_("Check what was signed"),
    ActionKind.FETCH_EVIDENCE: N_("Fetch the evidence"),
    ActionKind.WRITE_METAFIELDS: N_("Write how it stands to the store"),
    ActionKind.WRITE_STAFF_NOTE: N_("Write a staff note"),
    ActionKind.SEND_MAIL: N_("Send a mail"),
    ActionKind.DELIVER_WEBHOOK: N_("Tell another system"),
    ActionKind.TEST_ACCOUNT: N_("Test the account"),
    ActionKind.REGISTER_HOOKS: N_("Register webhooks"),
    ActionKind.COUNT_BACKLOG: N_("Count what exists"),
    ActionKind.IMPORT_ACCEPTANCES: N_("Bring in earlier signatures"),
    ActionKind.ASK_CAMPAIGN: N_("Ask for a new version"),
    ActionKind.PROBE_UNINSTALL: N_("Ask about the uninstall"),
    ActionKind.FINISH_UNINSTALL: N_("Finish the uninstall"),
}

# event -> title, picture, tone. What moved (request_moved, hold_moved) takes the words of the new state.
EVENT_WORDS: dict[str, tuple[str, str, str]] = {
    "request_opened": (N_("Signature asked"), "assignment", "info"),
    "cancel_wanted": (N_("Cancelling the request"), "remove_circle_outline", "neutral"),
    "request_cancelled": (N_("Cancelled by hand"), "remove_circle_outline", "warning"),
    "reminder_asked": (N_("Reminder asked for"), "notifications", "info"),
    "address_mended": (N_("Address corrected"), "edit", "info"),
    "hold_overridden": (N_("Released by hand, without a signature"), "warning", "warning"),
    "account_undone": (N_("Approval undone by hand"), "warning", "warning"),
    "no_longer_needed": (N_("No longer needed"), "info", "neutral"),
    "completion_confirmed": (N_("Confirmed by hand"), "check_circle", "warning"),
    "already_asked": (N_("Already asked; nothing was sent"), "info", "neutral"),
    "sent_by_hand": (N_("Sent by hand"), "send", "info"),
    "asked_again": (N_("Asked again"), "refresh", "info"),
    "action_tried_again": (N_("Tried again by hand"), "refresh", "info"),
    "document_downloaded": (N_("Document downloaded"), "file_download", "neutral"),
    "outside_linked": (N_("A document signed elsewhere was linked"), "check_circle", "info"),
    "outside_dismissed": (N_("A document signed elsewhere does not belong here"), "remove_circle_outline", "neutral"),
    "outside_taken_off": (N_("A linked document was taken off"), "remove_circle_outline", "warning"),
    "outside_kept": (N_("The PDF of a linked document was kept"), "check", "good"),
    "document_gone": (N_("The document is gone at the signature service"), "error", "bad"),
    "reminded": (N_("Reminded"), "notifications", "info"),
    "resend_asked": (N_("The signer asked for the mail again"), "refresh", "neutral"),
    "question_asked": (N_("The signer asked something"), "info", "info"),
    "question_answered": (N_("The question was answered"), "check", "good"),
    "notice_mailed": (N_("A signer was told by mail"), "send", "neutral"),
    "escalated": (N_("Nobody signed; somebody else is told"), "notifications", "warning"),
    "escalation_mailed": (N_("Told by mail that it waits"), "send", "info"),
    "alternate_asked": (N_("An alternate is asked instead"), "assignment", "warning"),
    "not_answered": (N_("Nobody answered in time"), "warning", "warning"),
    "released_unsigned": (N_("Let go by the rule, without a signature"), "warning", "warning"),
    "rule_made": (N_("Rule made"), "add", "info"),
    "rule_saved": (N_("Rule saved"), "edit", "info"),
    "rule_paused": (N_("Rule paused"), "warning", "warning"),
    "rule_resumed": (N_("Rule resumed"), "play_arrow", "good"),
    "rule_archived": (N_("Rule archived"), "folder", "neutral"),
    "rule_included": (N_("Older orders included"), "add", "info"),
    "acceptance_recorded": (N_("Counts for later orders"), "check_circle", "good"),
    "own_quote_made": (N_("Quote made"), "add", "info"),
    "own_quote_changed": (N_("Quote changed"), "edit", "neutral"),
    "own_quote_withdrawn": (N_("Quote withdrawn"), "remove_circle_outline", "warning"),
    "own_quote_again": (N_("Another link asked for"), "send", "info"),
    "supplier_added": (N_("Supplier added"), "add", "info"),
    "supplier_changed": (N_("Supplier changed"), "edit", "neutral"),
    "supplier_papers_changed": (N_("Papers entered"), "edit", "neutral"),
    "paper_added": (N_("A paper was uploaded"), "folder", "info"),
    "paper_accepted": (N_("A paper was accepted"), "check", "good"),
    "paper_refused": (N_("A paper was refused"), "remove_circle_outline", "warning"),
    "supplier_agreement_kept": (N_("Agreement put onto the papers"), "check", "good"),
    "supplier_invited": (N_("Supplier invited"), "send", "info"),
    "supplier_deactivated": (N_("Supplier deactivated"), "remove_circle_outline", "warning"),
    "supplier_activated": (N_("Supplier active again"), "play_arrow", "good"),
    "products_hidden": (N_("Products hidden"), "visibility_off", "warning"),
    "products_shown": (N_("Products shown again"), "visibility", "good"),
    "case_opened": (N_("Case opened"), "add", "info"),
    "case_quoted": (N_("The store calculated the refund"), "receipt", "info"),
    "case_moved": (N_("Case moved on"), "swap_horiz", "info"),
    "case_file_added": (N_("File added to the case"), "folder", "info"),
    "case_file_removed": (N_("File of the case taken away"), "remove_circle_outline", "neutral"),
    "case_goods": (N_("Said whether the goods are back"), "check", "neutral"),
    "case_withdraw": (N_("Withdrawn by hand"), "remove_circle_outline", "warning"),
    "case_refuse": (N_("Refused by hand"), "remove_circle_outline", "warning"),
    "case_paid": (N_("Paid by hand"), "check", "warning"),
    "case_settled": (N_("Closed by hand: it is refunded"), "check", "warning"),
    "case_again": (N_("Tried again by hand"), "refresh", "info"),
    "case_requote": (N_("Calculated anew"), "refresh", "info"),
    "refund_unapproved": (N_("Refunded without an approved case"), "warning", "warning"),
    "read_ignored": (N_("An older answer was set aside"), "info", "neutral"),
    "unknown_provider_status": (N_("The signature service reports a state that we do not know"), "info", "neutral"),
    "unknown_command": (N_("A step that this release does not know"), "info", "neutral"),
}
WHY_CANCELLED = {
    "staff": N_("A person took it back."),
    "record": N_("The record no longer needs it."),
    "superseded": N_("A new round replaces it."),
    "provider": N_("It was cancelled at the signature service."),
    "released": N_("Nobody answered in time, and the rule lets it go."),
}
PARTS = {
    "sent_document": N_("Document as sent"),
    "signed_document": N_("Signed document"),
    "signing_log": N_("Signing log"),
}


@dataclass(frozen=True)
class Entry:
    """One line of a timeline. tone: neutral, info, good, warning, bad."""

    at: datetime
    title: str
    text: str
    picture: str
    tone: str
    who: str
    request_id: int | None


def timeline(rows: Iterable[Mapping[str, Any]], names: Mapping[int, str], label: str = "Record") -> list[Entry]:
    """Return audit lines in words, in the order given. label: what the record is called whose hold moved."""
    return [_entry(row, names, label) for row in rows]


def _entry(row: Mapping[str, Any], names: Mapping[int, str], label: str) -> Entry:
    event, detail = row["event"], row["detail"]
    title, picture, tone = EVENT_WORDS.get(event, (event.replace("_", " ").capitalize(), "info", "neutral"))
    text = str(detail.get("why") or "")
    match event:
        case "case_moved":
            text = STATE_LABELS.get(str(detail.get("to")), "")
        case "request_moved" | "hold_moved":
            kind = "request" if event == "request_moved" else "hold"
            word = status_word(kind, str(detail.get("to", "")))
            title, picture, tone = word.label, word.icon, word.tone
            if kind == "hold" and detail.get("to") in STATUS_WORDS["hold"]:
                title = f"{label}: {title[:1].lower()}{title[1:]}"
        case "cancel_wanted":
            text = WHY_CANCELLED.get(text, text)
        case "request_opened" if int(detail.get("round") or 1) > 1:
            text = f"Round {detail['round']}"
        case "rule_mode":
            word = status_word("rule", str(detail.get("mode", "")))
            title, picture, tone = f"Rule is now {word.label.lower()}", word.icon, word.tone
        case "rule_saved" | "rule_made" | "agreement_saved" | "agreement_made":
            text = f"Version {detail.get('version', '')}"
        case "document_downloaded":
            text = PARTS.get(str(detail.get("part")), "")
        case "outside_linked":
            text = "No rule counts it, and no hold opens by it."
        case "action_tried_again":
            text = action_word(str(detail.get("kind", "")))
        case _:
            pass
    return Entry(row["happened_at"], title, text, picture, tone, actor(row["actor"], names), row["request_id"])


def actor(text: str, names: Mapping[int, str]) -> str:
    """Return who it was; the app itself needs no name."""
    kind, _, number = text.partition(":")
    if kind == "user" and number.isdecimal():
        return names.get(int(number), f"User {number}")
    if kind == "api_key":
        return f"API key {number}"
    known = {
        "app": "", "signer": "Signer", "shopper": "The customer", "provider": "Signature service",
        "bigcommerce": "BigCommerce",
    }  # fmt: skip
    return known.get(text, text)


def action_word(kind: str) -> str:
    """Return what an action does; a kind of a newer release by its own name."""
    try:
        return ACTION_WORDS[ActionKind(kind)]
    except ValueError:
        return kind.replace("_", " ").capitalize()


def worst_state(actions: Iterable[Mapping[str, Any]]) -> str:
    """Return how the actions stand together: what needs a person first, then what runs, then what is done."""
    states = {row["state"] for row in actions}
    order = ("failed", "conflict", "started", "pending", "applied", "skipped")
    return next((state for state in order if state in states), "")
