"""What only cases show: how their money stands, what was asked, and which steps a person can take."""

from __future__ import annotations

from typing import Any

from bcapp.core.cases import KIND_LABELS, MOST_FILES, ORIGINS, REASONS, TENDERS, CaseState
from bcapp.db.cases import fetch_case, files_of, lines_of
from bcapp.web.panel import Visit
from bcapp.web.panel.parts import Button, Look
from bcapp.web.render import Frame
from bcapp.web.status_words import N_
from bcapp.workflows.case_approval import BUTTONS

# state -> its word and the colour of its badge
STATES = {
    "draft": (N_("Being written"), "secondary"),
    "new": (N_("Being calculated"), "primary"),
    "open": (N_("Waits for approval"), "primary"),
    "approved": (N_("Approved"), "primary"),
    "settling": (N_("Refund on its way"), "primary"),
    "by_hand": (N_("To be paid by hand"), "warning"),
    "stuck": (N_("Needs a decision"), "danger"),
    "closed": (N_("Settled"), "success"),
    "refused": (N_("Refused"), "secondary"),
    "withdrawn": (N_("Withdrawn"), "secondary"),
}
REFUND_STATES = {
    "settling": (N_("On its way"), "primary"),
    "settled": (N_("Settled"), "success"),
    "by_hand": (N_("To be paid by hand"), "warning"),
    "declined": (N_("Declined"), "danger"),
}
ATTEMPT_STATES = {
    "calling": N_("The store is being asked"),
    "unclear": N_("Its answer was lost; it is looked for at the store"),
    "done": N_("The store accepted it"),
    "not_done": N_("The store did not take it"),
    "person": N_("Never found; a person decides"),
}
WORDS = {"kinds": KIND_LABELS, "reasons": REASONS, "tenders": TENDERS, "origins": ORIGINS, "states": STATES}
# In the order in which the page shows them: button, label, colour.
STEPS = (
    ("paid", N_("Paid"), "primary"),
    ("again", N_("Try again"), "primary"),
    ("requote", N_("Calculate anew"), "secondary"),
    ("settled", N_("It is refunded"), "secondary"),
    ("refuse", N_("Refuse"), "danger-secondary"),
    ("withdraw", N_("Withdraw"), "danger-secondary"),
)


def steps_of(visit: Visit, case_id: int, state: CaseState) -> list[Button]:
    """Return the steps that this person can take in this state."""
    at = Frame(visit.store.hash).url(f"cases/{case_id}")
    if not visit.may("cases.decide"):
        return []
    return [
        Button(label, f"{at}/step/{act}", colour) for act, label, colour in STEPS if state in BUTTONS[f"case_{act}"]
    ]


async def more(look: Look) -> dict[str, Any]:
    visit, case_id = look.visit, int(look.record.id)
    db, store_hash = visit.services.db, visit.store.hash
    case = await fetch_case(db, store_hash, case_id)
    if case is None:
        return {"case": None}
    of = {"store_hash": store_hash, "case_id": case_id}
    files = await files_of(db, store_hash, case_id)
    asked = await db.fetch_val("case_was_asked", {"store_hash": store_hash, "record": str(case_id)})
    return {
        "case": case,
        "case_lines": [x for x in await lines_of(db, store_hash, case_id) if x["quantity"] or x["amount"]],
        "case_refunds": await db.fetch_all("refunds_of_case", of),
        "case_attempts": await db.fetch_all("attempts_of_case", of),
        "case_files": [{**f, "sha256": bytes(f["sha256"]).hex()} for f in files],
        "may_add_file": visit.may("cases.open") and not case.state.is_end and len(files) < MOST_FILES,
        "may_remove_file": visit.may("cases.open") and not asked,
        "case_words": WORDS,
        "refund_states": REFUND_STATES,
        "attempt_states": ATTEMPT_STATES,
        "case_steps": steps_of(visit, case_id, case.state),  # beside the money: the page's head has no room for them
        "may_choose": case.state is CaseState.DRAFT and visit.may("cases.open"),
        "may_tick_goods": visit.may("cases.open") and not case.state.is_end,
    }
