"""How a store stands with us, and what may happen in each state."""

from __future__ import annotations

from enum import StrEnum


class StoreState(StrEnum):
    ACTIVE = "active"
    RECONSENT = "reconsent"  # BigCommerce refused the token: somebody must open the app and accept again
    UNINSTALLING = "uninstalling"  # an uninstall was announced; BigCommerce is asked whether it is true
    UNINSTALLED = "uninstalled"  # it was true: secrets are destroyed, records and evidence stay


class StoreDoing(StrEnum):
    INSTALL = "install"  # the install page may make or renew the store
    RECEIVE = "receive"  # deliveries are written down
    WORK = "work"  # the worker may call out for it
    OPEN = "open"  # people may open the panel


# The one table: what may happen to a store in which state. An install ends every other state.
ALLOWED: dict[StoreState, frozenset[StoreDoing]] = {
    StoreState.ACTIVE: frozenset({StoreDoing.INSTALL, StoreDoing.RECEIVE, StoreDoing.WORK, StoreDoing.OPEN}),
    # Deliveries are kept while the token is away, so that nothing is lost when somebody accepts again.
    StoreState.RECONSENT: frozenset({StoreDoing.INSTALL, StoreDoing.RECEIVE, StoreDoing.OPEN}),
    StoreState.UNINSTALLING: frozenset({StoreDoing.INSTALL}),
    StoreState.UNINSTALLED: frozenset({StoreDoing.INSTALL}),
}


def may_happen(state: StoreState, doing: StoreDoing) -> bool:
    """Tell whether a store in this state allows it."""
    return doing in ALLOWED[state]


def is_b2b_scope(scope: str) -> bool:
    """Tell whether a grant includes B2B Edition with the right to change.

    The parameter string of the scope stands in no document; it can only be known by its name.
    """
    return any("b2b" in word.lower() and not word.endswith("_read_only") for word in scope.split())
