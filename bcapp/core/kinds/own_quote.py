"""Quotes made by hand in the app, as rules see them: the same facts, fields and sheet as a quote of B2B Edition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bcapp.core.kinds.kind import Brief, OutOfScope
from bcapp.core.kinds.quote import ARCHIVED, DRAFT, EXPIRED, NEW, ORDERED, QUOTE, QuoteFacts
from bcapp.core.merge import MergeField

# How a quote made by hand stands, in the words of its page. Its facts use the numbers of B2B Edition.
STATE_WORDS = {
    NEW: "Being approved", DRAFT: "A line is not known", ORDERED: "Ordered", EXPIRED: "Expired", ARCHIVED: "Withdrawn",
}  # fmt: skip
SENT = "Sent to its buyer"


def _out_of_scope(facts: QuoteFacts, channels: frozenset[int]) -> OutOfScope | None:
    if facts.status == DRAFT:
        return OutOfScope("not_placed", "A line names a SKU that the store does not have. Change the quote.")
    return QUOTE.out_of_scope(facts, channels)


def _brief(facts: QuoteFacts) -> Brief:
    who = facts.company or facts.contact_name or "no name"
    return QUOTE.brief(facts)._replace(label=f"Own quote {facts.id}, {who}")


def state_word(facts: QuoteFacts) -> str:
    return SENT if facts.status == NEW and facts.allow_checkout else STATE_WORDS.get(facts.status, "")


def _shown(facts: QuoteFacts) -> dict[str, Any]:
    return {**QUOTE.shown(facts), "status_word": state_word(facts)}


def _merge(field: MergeField) -> MergeField:
    return replace(field, name=f"own_{field.name}", kind="own_quote")


OWN_QUOTE = replace(
    QUOTE,
    name="own_quote",
    label="Own quote",
    plural="Own quotes",
    when="When a quote is made by hand",
    out_of_scope=_out_of_scope,
    brief=_brief,
    merge=tuple(_merge(field) for field in QUOTE.merge),
    shown=_shown,
    is_remote=False,
)
