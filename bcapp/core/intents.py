"""What a decision may ask for: values that jobs/apply.py writes down and jobs/perform.py takes to the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bcapp.core.acceptances import Counts, Named
from bcapp.core.actions import ActionKind
from bcapp.core.cases import CaseEvent
from bcapp.core.model import RecordKey, Signer
from bcapp.core.rules import RuleTrace
from bcapp.core.states import HoldEvent, Purpose, RequestEvent


@dataclass(frozen=True)
class OpenRequest:
    """Make a request, its document and send it: one round."""

    rule_id: int  # 0: by hand
    rule_version: int
    purpose: Purpose
    round: int
    round_why: str
    fingerprint: str
    snapshot: dict[str, Any]
    projection: int
    account_id: int
    agreement_id: int
    agreement_version: int
    signers: tuple[Signer, ...]
    expires_at: datetime
    language: str
    simulated: bool
    blocks: bool
    counts: Counts | None = None  # for whom and how long the signature will count
    steps_from: int = 0  # the request whose open escalation steps go on with this round; 0: its rule's, from the start


@dataclass(frozen=True)
class CancelRequest:
    """why: staff | record | superseded | provider."""

    request_id: int
    why: str
    said: str = ""  # what the person typed who took it back


@dataclass(frozen=True)
class MoveHold:
    """Move the hold by an event. method is given when the hold is first wanted."""

    event: HoldEvent
    why: str
    method: str = ""
    found: dict[str, Any] | None = None  # overwrite what counts as found (a payment moved the order meanwhile)
    left: dict[str, Any] | None = None  # what our hold wrote: the settings may name another status by the time it opens


@dataclass(frozen=True)
class Act:
    """Queue an action for the record."""

    kind: ActionKind
    request_id: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None


@dataclass(frozen=True)
class MoveRequest:
    """Move a request by what a read told."""

    request_id: int
    event: RequestEvent
    why: str = ""


@dataclass(frozen=True)
class UpdateRequest:
    """Write down what a read told besides the status. None leaves a part as it is."""

    request_id: int
    signers: tuple[Signer, ...] | None = None
    inputs: tuple[dict[str, Any], ...] | None = None
    provider_status: str | None = None
    provider_request: str | None = None
    bounced: bool | None = None
    remind_at: datetime | None = None
    reminded: int | None = None


@dataclass(frozen=True)
class MissDocument:
    """Write down since when the service does not know the document; since None: it is there again.

    reads: how many found nothing. told: the service said that it was deleted. read_at: when it is looked for again.
    """

    request_id: int
    since: datetime | None = None
    reads: int = 0
    told: bool = False
    read_at: datetime | None = None


@dataclass(frozen=True)
class JudgeRequest:
    """What our own check of a completed request found. checked: right | conflict."""

    request_id: int
    checked: str
    why: str = ""


@dataclass(frozen=True)
class MendAddress:
    """Pass a signer's part on to another address, which stands with the signer and in no action."""

    request_id: int
    position: int
    email: str


@dataclass(frozen=True)
class ConfirmRequest:
    """A manager confirmed a completed request that our own check had refused."""

    request_id: int
    actor: str
    why: str


@dataclass(frozen=True)
class AskPerson:
    """Put a task before the merchant; alarm: mail it too. The same task stands once."""

    kind: str
    text: str
    request_id: int | None = None
    alarm: bool = False


@dataclass(frozen=True)
class SettleTasks:
    """Close open tasks of these kinds: their reason is gone."""

    kinds: tuple[str, ...]
    request_id: int | None = None


@dataclass(frozen=True)
class NameCovers:
    """Write down by which acceptances or exemptions the record goes on, by rule id. instead_of: rules named so far."""

    covers: Mapping[int, Named]
    instead_of: tuple[int, ...] = ()


@dataclass(frozen=True)
class TakeStep:
    """Mark an escalation step as taken, in the commit of what follows from it.

    how: reminded | passed | told | replaced | nobody | kept | released.
    """

    request_id: int
    position: int
    how: str


@dataclass(frozen=True)
class LookAt:
    """Have another record looked at: what became of this one decides there too."""

    record: RecordKey


@dataclass(frozen=True)
class PauseRule:
    rule_id: int
    why: str


@dataclass(frozen=True)
class Note:
    """An audit line: ids, hashes and field names only."""

    event: str
    request_id: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    actor: str = "app"


@dataclass(frozen=True)
class MoveCase:
    """Move the case whose record this is."""

    event: CaseEvent
    why: str


@dataclass(frozen=True)
class LeaveRegistration:
    """Write down how many pieces of a warranty's registration are left; none ends it, for the reason given."""

    registration_id: int
    quantity: int
    why: str


Intent = (
    OpenRequest
    | CancelRequest
    | MoveHold
    | Act
    | MoveRequest
    | UpdateRequest
    | MissDocument
    | JudgeRequest
    | MendAddress
    | ConfirmRequest
    | AskPerson
    | SettleTasks
    | NameCovers
    | TakeStep
    | LookAt
    | PauseRule
    | MoveCase
    | LeaveRegistration
    | Note
)


@dataclass(frozen=True)
class Plan:
    """What one look decided: the intents in their order, and the trace of every rule."""

    intents: tuple[Intent, ...] = ()
    traces: tuple[RuleTrace, ...] = ()
