"""Papers on the page of whoever hands them in: what is asked and how it stands, and the files that came."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from bcapp.core.papers import FILED, LABELS
from bcapp.core.suppliers import Item
from bcapp.db.panel_requests import user_names
from bcapp.db.papers import papers_of
from bcapp.web.panel.parts import Look
from bcapp.web.status_words import N_

PAPER_STATES = {
    "missing": (N_("Missing"), "warning"),
    "good": (N_("There"), "success"),
    "ending": (N_("Ends soon"), "warning"),
    "ended": (N_("Ended"), "danger"),
    "not_needed": (N_("Not needed"), "secondary"),
}
FILE_STATES = {
    "waiting": (N_("To be looked at"), "warning"),
    "accepted": (N_("Accepted"), "success"),
    "refused": (N_("Refused"), "danger"),
    "dropped": (N_("A newer one came"), "secondary"),
    "replaced": (N_("Counted earlier"), "secondary"),
}


def paper_rows(items: Iterable[Item], on: date) -> list[dict[str, Any]]:
    return [
        {"paper": p, "label": LABELS.get(p.name, p.name), "state": p.state(on), "word": PAPER_STATES[p.state(on)]}
        for p in items
    ]


async def file_rows(look: Look) -> list[dict[str, Any]]:
    db, store_hash = look.visit.services.db, look.visit.store.hash
    rows = await papers_of(db, store_hash, look.record)
    names = await user_names(db, store_hash) if any(r["uploaded_by"] for r in rows) else {}
    return [
        {
            "row": r,
            "label": LABELS.get(r["name"], r["name"]),
            "word": FILE_STATES[r["state"]],
            "who": names.get(r["uploaded_by"], f"User {r['uploaded_by']}") if r["uploaded_by"] else "",
            "filed": r["state"] in FILED,
        }
        for r in rows
    ]
