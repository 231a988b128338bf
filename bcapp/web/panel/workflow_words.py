"""Workflows as people choose them: one sentence each, and what a new rule of theirs starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.offers import NOT_SEEN
from bcapp.core.options import Option
from bcapp.core.rules import RuleDefinition
from bcapp.web.panel.kinds import RecordKind, shown_kinds
from bcapp.web.status_words import N_
from bcapp.workflows import WORKFLOWS, kind_of
from bcapp.workflows.protocol import Workflow

FIRST = next(iter(WORKFLOWS))  # a form that names no workflow is of this one


@dataclass(frozen=True)
class Words:
    """text: what the workflow is for, in one sentence. internal, customer: who signs in a new rule, within which days.

    when: how the sentence of a rule begins, by kind of record, where it is not how it does for every record of it.
    expired: what follows when nobody signs in time, by kind of record, where it is not what follows for most.
    not_seen: what no rule of it can see, a sentence each.
    """

    text: str
    picture: str = "assignment"
    internal: bool = True
    customer: bool = False
    expiry_days: int = 7
    when: Mapping[str, str] = field(default_factory=dict)
    expired: Mapping[str, str] = field(default_factory=dict)
    not_seen: tuple[str, ...] = ()


KEPT = N_("Then what is held stays held, and a person decides.")
WORDS: dict[str, Words] = {
    "account_approval": Words(
        N_("A new business customer waits until the application is signed, then gets group, prices, credit and terms."),
        "storefront", customer=True, expiry_days=14,
    ),
    "order_approval": Words(
        N_("A large or regulated order waits until it is approved by signature, then goes on by itself."), "receipt",
    ),
    "customer_terms": Words(
        N_("Customers sign your terms once, and later orders name that signature."), "draft",
        internal=False, customer=True,
        when={
            "customer": "When a customer registers or is moved",
            "company": "When a company is created or moved",
        },
    ),
    "supplier_agreement": Words(
        N_("Suppliers sign their agreement before their products are sold, and again before it ends."), "products",
        internal=False, customer=True, expiry_days=30,
    ),
    "case_approval": Words(
        N_("A return, a refund exception or a cancellation is carried out only after it is approved."), "undo",
        expiry_days=3, expired={"case": N_("Then the case is refused, and nothing is refunded.")},
    ),
    "warranty": Words(
        N_("Buyers of covered products register their warranty or service agreement by signing it."), "check_circle",
        internal=False, customer=True, when={"order": "When an order with a covered product is shipped"},
        expired={"order": N_("Then nothing is registered. Nothing is held for it.")},
    ),
    "offer_approval": Words(
        N_("Promotions, quotes and price lists reach customers only after discount and margin are approved."),
        "insert_chart", expiry_days=5, not_seen=NOT_SEEN,
        expired={"price_list": N_("Then a person decides. The price list stays in force.")},
    ),
}  # fmt: skip


def words_of(slug: str) -> Words:
    """Return the words of a workflow; one without any is called by its name alone."""
    return WORDS.get(slug, Words(""))


@dataclass(frozen=True)
class Card:
    """A workflow to choose, with the kinds of records that its rules may be about."""

    slug: str
    label: str
    words: Words
    kinds: tuple[Kind, ...]


def cards() -> list[Card]:
    return [
        Card(slug, w.LABEL, words_of(slug), tuple(KINDS[k] for k in w.KINDS if k in KINDS))
        for slug, w in WORKFLOWS.items()
    ]


def workflow_label(slug: str) -> str:
    """Return what a workflow is called; one of another release by its own name."""
    known = WORKFLOWS.get(slug)
    return known.LABEL if known else slug.replace("_", " ").capitalize()


def known_workflow(slug: str) -> Workflow:
    """Return a workflow by its slug; the first for what is none."""
    return WORKFLOWS.get(slug) or WORKFLOWS[FIRST]


def options_of(slug: str, kind: str) -> tuple[Option, ...]:
    """Return the settings of a workflow that do something for a kind of record."""
    known = WORKFLOWS.get(slug)
    return tuple(o for o in known.OPTIONS if not o.kinds or kind in o.kinds) if known else ()


def rule_kind(slug: str, definition: RuleDefinition) -> Kind:
    """Return the kind of record that a rule is about."""
    return kind_of(known_workflow(slug), definition)


def rule_words(slug: str, definition: RuleDefinition) -> RecordKind:
    """Return the panel's words for the kind of record that a rule is about."""
    kind = rule_kind(slug, definition)
    return next(r for r in shown_kinds() if r.name == kind.name)


def expired_of(slug: str, kind: Kind) -> str:
    """Return what follows when nobody signs in time."""
    return words_of(slug).expired.get(kind.name, KEPT)


def when_of(slug: str, kind: Kind) -> str:
    """Return how the sentence of a rule begins."""
    return words_of(slug).when.get(kind.name, kind.when)
