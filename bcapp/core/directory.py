"""Who may sign for the merchant: people, their deputies and approval limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bcapp.core.model import Money


@dataclass(frozen=True)
class Person:
    """A directory entry, with the deputy already looked up."""

    id: int
    name: str
    email: str
    language: str = "en"
    state: str = "active"  # active | away | left
    deputy_id: int | None = None
    deputy_from: datetime | None = None
    deputy_until: datetime | None = None


@dataclass(frozen=True)
class ApprovalLimit:
    person_id: int
    currency: str
    up_to: Decimal | None  # None: without limit


@dataclass(frozen=True)
class Directory:
    """The people of a store by their number, what each may approve, and which of them are its users."""

    people: Mapping[int, Person] = field(default_factory=dict)
    limits: tuple[ApprovalLimit, ...] = ()
    users: Mapping[int, int] = field(default_factory=dict)  # control-panel user -> person

    def acting(self, person_id: int, now: datetime) -> Person | None:
        """Return who acts for a person now: the person, the deputy while the dates hold, or None when nobody can."""
        person = self.people.get(person_id)
        if person is None or person.state == "left":
            return None
        covers = (person.deputy_from is None or person.deputy_from <= now) and (
            person.deputy_until is None or now < person.deputy_until
        )
        if person.deputy_id is not None and covers and (person.state == "away" or person.deputy_from is not None):
            deputy = self.people.get(person.deputy_id)
            return deputy if deputy and deputy.state == "active" else None
        return person if person.state == "active" else None

    def approvers_for(self, amount: Money, now: datetime) -> Iterator[Person]:
        """Yield who may approve the amount, the smallest limit first; without limit comes last."""
        fitting = [
            x for x in self.limits if x.currency == amount.currency and (x.up_to is None or amount.amount <= x.up_to)
        ]
        fitting.sort(key=lambda x: (x.up_to is None, x.up_to or Decimal(), x.person_id))
        for limit in fitting:
            person = self.acting(limit.person_id, now)
            if person is not None:
                yield person

    def person_of(self, user_id: int) -> Person | None:
        """Return the directory's entry of a control-panel user, None when the user has none."""
        number = self.users.get(user_id)
        return self.people.get(number) if number is not None else None
