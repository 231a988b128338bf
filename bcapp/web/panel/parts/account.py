"""What only accounts show, companies of B2B Edition and customers: their state, their group, and a way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bcapp.core.accounts import papers_asked
from bcapp.core.calendars import zone_or_utc
from bcapp.core.kinds.company import APPROVED, STATUSES
from bcapp.core.options import Options
from bcapp.core.papers import needed
from bcapp.core.suppliers import Item
from bcapp.db.papers import accepted
from bcapp.db.rules import list_rules
from bcapp.web.panel.parts import Button, Look
from bcapp.web.panel.parts.papers import file_rows, paper_rows
from bcapp.web.render import Frame
from bcapp.workflows import account_approval


def company_state(facts: Mapping[str, Any]) -> str:
    """Return the status that the company has in B2B Edition, "" where none is known."""
    return STATUSES.get(facts.get("status", -1), "")


async def can_undo(look: Look) -> bool:
    """Whether there is an approval of ours to take back: the account is in, and we let it in."""
    hold = look.around.hold or {}
    if hold.get("state") not in ("released", "overridden") or look.row["gone_since"]:
        return False
    is_in = look.record.kind != "company" or (look.row["facts"] or {}).get("status") == APPROVED
    of = {"store_hash": look.visit.store.hash, "record_kind": look.record.kind, "record_id": look.record.id}
    return is_in and await look.visit.services.db.fetch_one("last_approval", of) is not None


async def _papers(look: Look) -> Sequence[Item]:
    """Return what live rules ask such an applicant for, and what was accepted besides."""
    db, store, kind = look.visit.services.db, look.visit.store, look.record.kind
    asked: list[str] = []
    for rule in await list_rules(db, store.hash, look.visit.now):
        if (rule.workflow, rule.definition.kind) == (account_approval.SLUG, kind) and rule.mode == "live":
            asked += papers_asked(Options(account_approval.OPTIONS, rule.definition.options))
    there = await accepted(db, store, look.record)
    return needed((*asked, *(item.name for item in there)), there)


async def more(look: Look) -> dict[str, Any]:
    hold, slug = look.around.hold or {}, "companies" if look.record.kind == "company" else "customers"
    buttons = []
    if look.visit.may("holds.override") and await can_undo(look):
        at = Frame(look.visit.store.hash).url(f"{slug}/{look.record.id}")
        buttons.append(Button("Undo the approval", f"{at}/undo", "danger-secondary"))
    on = look.visit.now.astimezone(zone_or_utc(look.visit.store.timezone)).date()
    found, left = hold.get("found") or {}, hold.get("left_as") or {}
    return {
        "buttons": buttons,
        "hold_rows": [
            ("Group before", str(found["group_id"]) if found.get("group_id") else None),
            ("Waits in group", str(left["group_id"]) if left.get("group_id") else None),
        ],
        "company_state": company_state,
        "papers": paper_rows(await _papers(look), on),
        "files": await file_rows(look),
    }
