"""The workflows by slug and by the kind of record that they look at."""

from bcapp.workflows import order_approval
from bcapp.workflows.protocol import Workflow

WORKFLOWS: dict[str, Workflow] = {order_approval.SLUG: order_approval}
BY_RECORD_KIND: dict[str, Workflow] = {w.RECORD_KIND: w for w in WORKFLOWS.values()}
