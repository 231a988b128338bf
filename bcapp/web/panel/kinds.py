"""Kinds of records in the panel: their addresses, their words, and what their own pages show besides.

A new kind is one line in TABLE and a template part, templates/panel/facts/{kind}.html. Without the part its material
facts are listed plainly. What only one kind shows or offers comes from its `more` functions, next to which
templates/panel/more/{kind}.html may add panels on the left of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import RecordKey
from bcapp.web.panel.parts import More, account, case, offer, order, outside, own_quote, registrations, supplier
from bcapp.workflows import holder_of, workflows_of


def no_state(_: Mapping[str, Any]) -> str:
    return ""


@dataclass(frozen=True)
class RecordKind:
    """slug: of its addresses. one, many: in the middle of a sentence. picture: a symbol of static/img/icons.svg.

    state: its own state in the store from the facts kept, "" for none; state_label: the head of that column.
    goes_on: what follows when a person lets it go unsigned, as a sentence.
    has_list: False when its list is a screen of its own, under the same slug.
    add: (button, page, permission) where one is made in the app and its list is ours; () else.
    """

    name: str
    slug: str
    one: str
    many: str
    goes_on: str
    picture: str = "assignment"
    state_label: str = ""
    state: Callable[[Mapping[str, Any]], str] = no_state
    more: tuple[More, ...] = ()
    has_list: bool = True
    add: tuple[str, str, str] | tuple[()] = ()

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def holder(self, method: str | None = None) -> str:
        """Return the workflow whose hold is on the record, which is also the one that asks by hand.

        method: of the hold, None where there is none.
        """
        return holder_of(self.name, method)

    def path(self, record_id: str) -> str:
        """Return the page of one of them, below /s/{store_hash}/."""
        return f"{self.slug}/{record_id}"

    def named(self, record_id: str) -> str:
        return self.kind.named(record_id)


def _goes_on(one: str) -> str:
    return f"The {one} goes on without a signature, and its open requests are cancelled."


def _record(name: str, slug: str, one: str, many: str, **more: Any) -> RecordKind:
    goes_on, own = more.pop("goes_on", "") or _goes_on(one), more.pop("more", ())
    return RecordKind(name, slug, one, many, goes_on, more=(*own, outside.more), **more)


TABLE: dict[str, RecordKind] = {
    r.name: r
    for r in (
        _record("order", "orders", "order", "orders", picture="receipt", state_label="Store status",
                state=order.state, more=(order.more, registrations.more)),
        _record("customer", "customers", "customer", "customers", more=(account.more,)),
        _record("company", "companies", "company", "companies", state_label="Status in B2B Edition",
                state=account.company_state, more=(account.more,),
                goes_on="The company is let in without a signature, and its open requests are cancelled."),
        _record("quote", "quotes", "quote", "quotes", state_label="In the store", state=offer.quote_state,
                more=(offer.quote,),
                goes_on="The quote can be bought without a signature, and its open requests are cancelled."),
        _record("own_quote", "own-quotes", "own quote", "own quotes", state_label="State", state=offer.quote_state,
                more=(own_quote.more,), add=("Make a quote", "own-quotes/new", "quotes.edit"),
                goes_on="Its buyer gets a link to order it without a signature, and its open requests are cancelled."),
        _record("promotion", "promotions", "promotion", "promotions", state_label="In the store",
                state=offer.promotion_state, more=(offer.promotion,),
                goes_on="The promotion goes on without a signature, and its open requests are cancelled."),
        _record("price_list", "price-lists", "price list", "price lists"),
        _record("product", "products", "product", "products"),
        _record("supplier", "suppliers", "supplier", "suppliers", has_list=False, picture="products",
                state_label="State", state=supplier.state, more=(supplier.more,),
                goes_on="The supplier goes on without a signature: products that we hid are shown again, and its open "
                        "requests are cancelled."),
        _record("case", "cases", "case", "cases", has_list=False, more=(case.more,),
                goes_on="The case is carried out without an approval: money can leave the store. Its open requests are "
                        "cancelled."),
    )
}  # fmt: skip
BY_SLUG = {r.slug: r for r in TABLE.values()}


def shown_kinds() -> tuple[RecordKind, ...]:
    """Return the kinds that have pages: those that some workflow looks at."""
    return tuple(r for r in TABLE.values() if r.name in KINDS and workflows_of(r.name))


def record_path(record: RecordKey | None) -> str | None:
    """Return the page of a record below /s/{store_hash}/, None for what has none."""
    known = TABLE.get(record.kind) if record else None
    return known.path(record.id) if known and record and known in shown_kinds() else None


def one(kind: str) -> str:
    """Return what a record of this kind is called in the middle of a sentence."""
    known = TABLE.get(kind)
    return known.one if known else "record"


def name_of(record: RecordKey) -> str:
    """Return a record as sentences name it, by its kind and number."""
    known = KINDS.get(record.kind)
    return known.named(record.id) if known else f"{record.kind.replace('_', ' ').capitalize()} {record.id}"
