"""What every workflow is: a pure module that takes a situation and returns a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bcapp.core.acceptances import Ledger
from bcapp.core.actions import ActionKind
from bcapp.core.directory import Directory, Person
from bcapp.core.fields import Reading
from bcapp.core.intents import Plan
from bcapp.core.model import Gone, Hold, OpenAction, RecordKey, SignatureRequest
from bcapp.core.offers import QuoteCover
from bcapp.core.options import Option
from bcapp.core.rules import RuleInForce
from bcapp.core.settings import StoreSettings
from bcapp.core.suppliers import Item
from bcapp.core.warranties import Registration


@dataclass(frozen=True)
class Command:
    """What a person pressed in the panel. kind: release | cancel | ask_again | resend | mend | send | confirm.

    workflow: whose it is where no request names one; "": the first of the record's kind.
    """

    kind: str
    user_id: int
    why: str = ""
    request_id: int = 0
    payload: Mapping[str, Any] = field(default_factory=dict)
    workflow: str = ""

    @property
    def actor(self) -> str:
        return f"user:{self.user_id}"


@dataclass(frozen=True)
class Situation:
    """Everything that a decision on one record may use, read in one go.

    facts: of the record's kind. rules, requests: of this workflow only; requests are all rounds, oldest first.
    agreements: newest version by agreement. acted: (kind, request) of every action that was ever queued for one of the
    requests: what a signature sets going is queued once. hold: None as well where another workflow holds the record,
    held_elsewhere then says so.
    test_person: who receives everything in test mode, None when it is off.
    registrations: of an order whose warranty is or was asked for. papers: of an applicant, those that were accepted.
    """

    record: RecordKey
    facts: Any | Gone
    rules: tuple[RuleInForce, ...]
    requests: tuple[SignatureRequest, ...]
    hold: Hold | None
    open_actions: tuple[OpenAction, ...]
    store: StoreSettings
    directory: Directory
    reading: Reading
    agreements: Mapping[int, int]
    commands: tuple[Command, ...] = ()
    ledger: Ledger | None = None  # None: no rule in force lets a signature count for later records
    test_person: Person | None = None
    acted: frozenset[tuple[ActionKind, int]] = frozenset()
    quote: QuoteCover | None = None  # of an order that was made from a quote which somebody was asked to sign
    registrations: tuple[Registration, ...] = ()
    papers: tuple[Item, ...] = ()
    held_elsewhere: bool = False

    @property
    def now(self) -> datetime:
        return self.reading.now


class Workflow(Protocol):
    """A module satisfies it; mypy checks it in workflows/__init__.py.

    KINDS: the kinds of record that its rules may be about, the usual one first. OPTIONS: what its rules choose besides
    conditions and signers. HOLDS: whether it holds records; where two of a kind do, the one that wanted
    it first has the hold on a record.
    """

    SLUG: str
    LABEL: str
    KINDS: tuple[str, ...]
    OPTIONS: tuple[Option, ...]
    HOLDS: bool

    def decide(self, situation: Situation) -> Plan: ...
