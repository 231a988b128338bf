"""Which tools read a store's orders, and from which statuses: what a hold has to keep away.

The table is what their makers write, or what is usual where they write nothing; every one of them can be set otherwise
in its own settings, so set-up names the statuses, and a merchant may add those of their own. Published in
docs/workflows.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Source: orders.v2.oas2.yml, order statuses: the store's own names can differ, the numbers cannot.
STATUS_NAMES: dict[int, str] = {
    0: "Incomplete",
    1: "Pending",
    2: "Shipped",
    3: "Partially Shipped",
    4: "Refunded",
    5: "Cancelled",
    6: "Declined",
    7: "Awaiting Payment",
    8: "Awaiting Pickup",
    9: "Awaiting Shipment",
    10: "Completed",
    11: "Awaiting Fulfillment",
    12: "Manual Verification Required",
    13: "Disputed",
    14: "Partially Refunded",
}
EVERY = frozenset(STATUS_NAMES) - {0}
WRITTEN, USUAL = "written by its maker", "usual; its maker names none"
MOST_STATUSES = 60  # characters of a list of them


@dataclass(frozen=True)
class Connector:
    """statuses: from which it takes orders unless it is set otherwise. known: WRITTEN | USUAL | ""."""

    label: str
    statuses: frozenset[int]
    known: str = USUAL


SHIPPING: dict[str, Connector] = {
    "none": Connector("No shipping tool: we ship from the control panel", frozenset(), ""),
    # Source: support.bolt.com, "Preventing Fraudulent Orders from Importing into ShipStation from BigCommerce".
    "shipstation": Connector("ShipStation", frozenset({9, 11, 12}), WRITTEN),
    "shippo": Connector("Shippo", frozenset({9, 11})),
    "shipperhq": Connector("ShipperHQ", frozenset({11})),
    "easyship": Connector("Easyship", frozenset({9, 11})),
    # Source: support.ordoro.com, "Which BigCommerce order statuses are downloaded into Ordoro".
    "ordoro": Connector("Ordoro", frozenset({8, 9, 11}), WRITTEN),
    # Source: help.skulabs.com, "BigCommerce orders status".
    "skulabs": Connector("SKULabs", frozenset({1, 2, 3, 5, 7, 8, 9, 11, 14}), WRITTEN),
    # Source: support.getdropstream.com, "BigCommerce - Reviewing Order Status".
    "dropstream": Connector("DropStream", frozenset({11}), WRITTEN),
    "own": Connector("Another tool or our own system that reads Awaiting Fulfillment", frozenset({11}), ""),
}
BOOKS: dict[str, Connector] = {
    "": Connector("None", frozenset(), ""),
    "netsuite": Connector("NetSuite, by a connector", frozenset({11})),
    # Source: bigbusiness.com, solution 6511.
    "big_business": Connector("Big Business", frozenset({11}), WRITTEN),
    # Source: support.snapshotdesign.com, "SynchUP BigCommerce Order Data Puller".
    "synchup": Connector("SynchUP", EVERY, WRITTEN),
    "own": Connector("Another system that reads Awaiting Fulfillment", frozenset({11}), ""),
    "every": Connector("A system that reads orders in every status", EVERY, ""),
}


def read_statuses(text: str) -> frozenset[int]:
    """Return the statuses that a person listed by number, such as "3, 9"; raise ValueError for anything else."""
    parts = [part for part in re.split(r"[\s,;]+", text.strip()) if part]
    if len(text) > MOST_STATUSES or any(not re.fullmatch(r"[0-9]{1,2}", p) or int(p) not in EVERY for p in parts):
        raise ValueError("no list of order statuses")
    return frozenset(int(part) for part in parts)


def named(statuses: Iterable[int]) -> str:
    """Return statuses as a sentence lists them."""
    chosen = frozenset(statuses)
    if chosen >= EVERY:
        return "every status"
    return ", ".join(STATUS_NAMES.get(status, str(status)) for status in sorted(chosen)) or "no status"


def table() -> str:
    """Return the table as it is published."""
    rows = ["| tool | imports | how we know |", "|---|---|---|"]
    for connector in (*SHIPPING.values(), *BOOKS.values()):
        if connector.known:
            rows.append(f"| {connector.label} | {named(connector.statuses)} | {connector.known} |")
    return "\n".join(rows)
