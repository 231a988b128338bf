"""What only quotes made by hand offer on their page: changing, withdrawing, sending the link again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bcapp.core.kinds.quote import NEW
from bcapp.core.states import HoldState
from bcapp.db.own_quotes import OwnQuote, fetch_own_quote
from bcapp.web.panel.parts import Button, Look, offer
from bcapp.web.render import Frame
from bcapp.web.status_words import N_


def is_open(quote: OwnQuote) -> bool:
    """Return whether it can be changed: neither ordered nor withdrawn. An expired one gets a new last day."""
    return quote.row["state"] == "open" and not quote.row["order_id"]


def may_be_sent(quote: OwnQuote, hold: HoldState, now: datetime) -> bool:
    """Return whether a link may be mailed (again): it was signed or let go, and has not ended."""
    return hold in (HoldState.RELEASED, HoldState.OVERRIDDEN) and quote.status(now) == NEW


async def more(look: Look) -> dict[str, Any]:
    visit = look.visit
    shown = await offer.quote(look)
    quote = await fetch_own_quote(visit.services.db, visit.store.hash, int(look.record.id))
    if quote is None:
        return {**shown, "hold_rows": [], "own_quote": None}
    at, buttons = Frame(visit.store.hash).url(f"own-quotes/{quote.id}"), []
    if visit.may("quotes.edit") and is_open(quote):
        state = HoldState((look.around.hold or {}).get("state") or HoldState.NONE)
        if may_be_sent(quote, state, visit.now):
            buttons.append(Button(N_("Send again"), f"{at}/again", picture="send", is_dialog=False))
        buttons.append(Button(N_("Change"), f"{at}/edit", picture="edit", is_link=True))
        buttons.append(Button(N_("Withdraw"), f"{at}/withdraw", "danger-secondary"))
    return {**shown, "hold_rows": [], "buttons": buttons, "own_quote": quote}
