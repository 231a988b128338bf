"""The audit log as people read it: one sentence per event, with its picture and colour."""

from __future__ import annotations

from bcapp.web.status_words import N_

# event -> (sentence, icon, tone). An event that is missing is shown by its own name.
AUDIT_WORDS: dict[str, tuple[str, str, str]] = {
    "installed": (N_("Countersign was installed"), "storefront", "good"),
    "uninstall_announced": (N_("An uninstall was announced"), "warning", "warning"),
    "user_let_in": (N_("Somebody opened the app for the first time"), "info", "neutral"),
    "user_removed": (N_("A user was removed in BigCommerce"), "info", "neutral"),
    "role_changed": (N_("A user has another role"), "edit", "info"),
    "webhook_key_rotated": (N_("The webhooks have a new key"), "refresh", "neutral"),
    "register_hooks_asked": (N_("Webhooks are registered again"), "refresh", "neutral"),
    "account_saved": (N_("A signature account was saved"), "edit", "info"),
    "test_account_asked": (N_("A signature account is tested"), "play_arrow", "neutral"),
    "settings_saved": (N_("Settings were saved"), "settings", "info"),
    "person_saved": (N_("A person was saved"), "edit", "info"),
    "limit_saved": (N_("An approval limit was set"), "edit", "info"),
    "limit_removed": (N_("An approval limit was removed"), "edit", "warning"),
    "task_done": (N_("A task was marked as done"), "check", "good"),
    "looked_again": (N_("A record is looked at again"), "refresh", "neutral"),
    "agreement_saved": (N_("An agreement was saved"), "edit", "info"),
    "rule_saved": (N_("A rule was saved"), "edit", "info"),
    "rule_mode": (N_("A rule was switched"), "swap_horiz", "info"),
    "request_opened": (N_("A signature was asked for"), "send", "info"),
    "request_cancelled": (N_("A request was cancelled"), "remove_circle_outline", "neutral"),
    "request_completed": (N_("A request was completed"), "check_circle", "good"),
    "reminder_asked": (N_("A reminder was asked for"), "notifications", "neutral"),
    "address_mended": (N_("A signer's address was corrected"), "edit", "neutral"),
    "hold_overridden": (N_("A record was released by a person"), "warning", "warning"),
    "hold_stays_after_uninstall": (N_("A held record stays held after an uninstall"), "info", "neutral"),
    "no_longer_needed": (N_("A signature is no longer needed"), "remove_circle_outline", "neutral"),
    "sent_by_hand": (N_("A request was sent by hand"), "send", "info"),
    "change_asked": (N_("A change waits for a second person"), "swap_horiz", "info"),
    "change_applied": (N_("A change was applied"), "check", "good"),
    "change_refused": (N_("A change was refused"), "remove_circle_outline", "warning"),
}


def audit_word(event: str) -> tuple[str, str, str]:
    """Return (sentence, icon, tone)."""
    return AUDIT_WORDS.get(event) or (event.replace("_", " ").capitalize(), "info", "neutral")
