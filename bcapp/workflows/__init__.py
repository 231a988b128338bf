"""The workflows by slug and by the kind of record that they look at."""

from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.rules import RuleDefinition
from bcapp.workflows import account_approval, case_approval, offer_approval, order_approval, supplier_agreement
from bcapp.workflows.protocol import Workflow

WORKFLOWS: dict[str, Workflow] = {
    w.SLUG: w for w in (order_approval, account_approval, offer_approval, supplier_agreement, case_approval)
}


def workflows_of(record_kind: str) -> tuple[Workflow, ...]:
    """Return the workflows that look at records of this kind, in their order; empty for a kind without any."""
    return tuple(w for w in WORKFLOWS.values() if record_kind in w.KINDS)


def kind_of(workflow: Workflow, definition: RuleDefinition) -> Kind:
    """Return the kind of record that a rule of the workflow is about."""
    return KINDS[definition.kind or workflow.KINDS[0]]
