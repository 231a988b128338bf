"""The workflows by slug and by the kind of record that they look at."""

from collections.abc import Iterable

from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.rules import RuleDefinition, RuleInForce
from bcapp.workflows import (
    account_approval,
    case_approval,
    customer_terms,
    offer_approval,
    order_approval,
    supplier_agreement,
    warranty,
)
from bcapp.workflows.protocol import Workflow

WORKFLOWS: dict[str, Workflow] = {
    w.SLUG: w
    for w in (
        order_approval,
        account_approval,
        customer_terms,
        offer_approval,
        supplier_agreement,
        case_approval,
        warranty,
    )
}


def workflows_of(record_kind: str) -> tuple[Workflow, ...]:
    """Return the workflows that look at records of this kind, in their order; empty for a kind without any."""
    return tuple(w for w in WORKFLOWS.values() if record_kind in w.KINDS)


def holder_of(record_kind: str, method: str | None) -> str:
    """Return the workflow whose hold a record of this kind has. method: of the hold, None where there is none."""
    workflows = workflows_of(record_kind)
    if method == customer_terms.METHOD:
        return customer_terms.SLUG
    return next((w.SLUG for w in workflows if w.HOLDS), workflows[0].SLUG)


def kind_of(workflow: Workflow, definition: RuleDefinition) -> Kind:
    """Return the kind of record that a rule of the workflow is about."""
    return KINDS[definition.kind or workflow.KINDS[0]]


def option_needs(rules: Iterable[RuleInForce]) -> frozenset[str]:
    """Return the costly parts of the facts that the settings of these rules read (Field.needs)."""
    needs: set[str] = set()
    for rule in rules:
        chosen = dict(rule.definition.options)
        for option in WORKFLOWS[rule.workflow].OPTIONS:
            if chosen.get(option.name, option.default):
                needs |= option.needs
    return frozenset(needs)
