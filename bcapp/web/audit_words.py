"""What the audit log says of the store as a whole, in words; requests and orders have theirs in panel/history.py."""

from __future__ import annotations

from bcapp.web.status_words import N_

# event -> (sentence, icon, tone).
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
    "rate_typed": (N_("A currency's rate was typed by hand"), "edit", "info"),
    "rate_taken_back": (N_("A currency has the store's rate again"), "refresh", "info"),
    "person_saved": (N_("A person was saved"), "edit", "info"),
    "person_erased": (N_("A person was erased"), "remove_circle_outline", "warning"),
    "limit_saved": (N_("An approval limit was set"), "edit", "info"),
    "limit_removed": (N_("An approval limit was removed"), "edit", "warning"),
    "task_done": (N_("A task was marked as done"), "check", "good"),
    "looked_again": (N_("A record is looked at again"), "refresh", "neutral"),
    "hold_stays_after_uninstall": (N_("A held record stays held after an uninstall"), "info", "neutral"),
    "hooks_registered": (N_("The webhooks are registered"), "check", "good"),
    "alarm_mailed": (N_("An alarm was mailed"), "notifications", "neutral"),
    "reminded": (N_("A signer was reminded"), "notifications", "neutral"),
    "evidence_kept": (N_("Signed documents were kept"), "check", "good"),
    "completion_checked": (N_("A signed document was checked"), "check", "good"),
    "completion_refused": (N_("A signed document did not pass the check"), "warning", "warning"),
    "uninstall_confirmed": (N_("BigCommerce confirmed the uninstall"), "warning", "warning"),
    "uninstalled": (N_("Countersign was uninstalled"), "warning", "warning"),
    "change_asked": (N_("A change waits for a second person"), "swap_horiz", "info"),
    "change_applied": (N_("A change was applied"), "check", "good"),
    "change_refused": (N_("A change was refused"), "remove_circle_outline", "warning"),
}
