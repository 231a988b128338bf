"""What may belong to a record although nobody asked for it here: documents that were signed without us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bcapp.core.outside import Reason
from bcapp.db.outside import list_of_record
from bcapp.db.panel_requests import user_names
from bcapp.web.panel.parts import Look
from bcapp.web.status_words import N_

REASONS: Mapping[str, str] = {
    Reason.EXTERNAL_ID: N_("Its external id names this record."),
    Reason.SIGNER: N_("Somebody who signs for this record signed it."),
    Reason.TEMPLATE: N_("It was made from a template that your agreements use."),
}


async def more(look: Look) -> dict[str, Any]:
    db, store_hash = look.visit.services.db, look.visit.store.hash
    rows = await list_of_record(db, store_hash, look.record)
    linked = [r for r in rows if r["state"] == "linked"]
    return {
        "outside_linked": linked,
        "outside_suggested": [r for r in rows if r["state"] == "suggested"],
        "outside_reasons": REASONS,
        "outside_names": await user_names(db, store_hash) if linked else {},
        "can_link": look.visit.may("requests.confirm"),
        "can_fetch": look.visit.may("requests.download"),
    }
