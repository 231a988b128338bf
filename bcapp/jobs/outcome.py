"""What an action leaves behind, and what every performer is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bcapp.bigcommerce.facts import ALL, Needs
from bcapp.core.actions import ActionKind
from bcapp.core.intents import Intent
from bcapp.core.kinds import KINDS
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import Gone, SignatureRequest
from bcapp.core.states import ActionState
from bcapp.db.actions import Action, note_found
from bcapp.db.requests import fetch_request
from bcapp.db.stores import Store
from bcapp.errors import RefusedByUs, Stale
from bcapp.jobs.reading import READERS, Ask
from bcapp.jobs.vendors import Vendors
from bcapp.secrets import DataKey
from bcapp.services import Services


@dataclass(frozen=True)
class Outcome:
    """state: how the action ended. intents: written in the same transaction. look: look at the record again.

    again_in: not ended, another slice of the same action follows (bulk work with a cursor).
    """

    state: ActionState = ActionState.APPLIED
    why: str = ""
    left_as: Mapping[str, Any] | None = None
    intents: tuple[Intent, ...] = ()
    look: bool = True
    again_in: timedelta | None = None


def skipped(why: str, *intents: Intent, look: bool = True) -> Outcome:
    return Outcome(ActionState.SKIPPED, why, intents=intents, look=look)


def conflict(why: str, *intents: Intent) -> Outcome:
    return Outcome(ActionState.CONFLICT, why, intents=intents)


@dataclass(frozen=True)
class Work:
    """One action as started, with what it may use. retried: an earlier runner may have executed it already."""

    services: Services
    vendors: Vendors
    store: Store
    action: Action
    kind: ActionKind
    retried: bool

    @property
    def order_id(self) -> int:
        return int(self.action.record.id)

    @property
    def record(self) -> Kind:
        """The kind of the action's record."""
        return KINDS[self.action.record.kind]

    @property
    def named(self) -> str:
        """The record as people call it, without a name of anybody: "Order 1001"."""
        return self.record.named(self.action.record.id)

    async def read(self, *, days: int | None = None, needs: Needs = ALL) -> Any | Gone:
        """Return the record's facts, freshly read. days: of history, None for all of it."""
        record = self.action.record
        return await READERS[record.kind](Ask(self.services, self.vendors, self.store, record.id, needs, days))

    async def found(self, **facts: Any) -> dict[str, Any]:
        """Commit what stands there before our first write; return what was found first, ever."""
        found = await note_found(self.services.db, self.action, facts)
        if found is None:
            raise Stale("another runner took this action over")
        return found

    async def request(self) -> SignatureRequest:
        if self.action.request_id is None:
            raise RefusedByUs(f"the action {self.kind} names no request")
        request = await fetch_request(self.services.db, self.store.hash, self.action.request_id)
        if request is None:
            raise RefusedByUs("The request does not exist any more.")
        return request

    async def data_key(self) -> DataKey:
        """Return the key that the store's documents are sealed with."""
        sealed = await self.services.db.fetch_val("fetch_data_key", {"store_hash": self.store.hash})
        if sealed is None:
            raise RefusedByUs("The store has no key for its documents.")
        return self.services.secrets.unwrap(bytes(sealed), store_hash=self.store.hash)
