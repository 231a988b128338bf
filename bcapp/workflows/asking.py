"""What every workflow does alike: which signatures a record wants, how each stands, and what asking for them takes.

A workflow says what its record is (`Subject`); from the rules, the rounds so far and the buttons pressed follows a
`Standing`. How the record is held, and what a signature sets going, is the workflow's own: most use `workflows.gate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bcapp.core.acceptances import Counts, Cover, Named, NotCovered, RenewalDue, counts_for, cover
from bcapp.core.actions import ActionKind
from bcapp.core.escalation import RELEASED
from bcapp.core.intents import (
    Act,
    AskPerson,
    CancelRequest,
    ConfirmRequest,
    Intent,
    MendAddress,
    MoveHold,
    NameCovers,
    Note,
    OpenRequest,
    PauseRule,
    SettleTasks,
)
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import Hold, Money, SignatureRequest, Signer
from bcapp.core.rules import RuleDefinition, RuleInForce, RuleTrace, decide_rule
from bcapp.core.signers import (
    NO_ADDRESS,
    NO_OTHER_APPROVER,
    Nobody,
    Requester,
    find_approvers,
    without_requester,
)
from bcapp.core.snapshot import difference, fingerprint
from bcapp.core.states import (
    HOLD_TRANSITIONS,
    HoldEvent,
    HoldState,
    Purpose,
    RequestStatus,
    SignerRole,
    Wanted,
)
from bcapp.workflows.protocol import Command, Situation

NOT_IN_FORCE: tuple[RuleInForce | None, RuleTrace | None] = (None, None)
CANNOT_ASK = ("cannot_ask", "no_other_approver")  # tasks


@dataclass(frozen=True)
class Past:
    """A record that cannot be held any more (an order was shipped): nobody is asked by itself, a person is told.

    Each is (kind of the task, sentence).
    """

    unsigned: tuple[str, str]
    edited: tuple[str, str]


@dataclass(frozen=True)
class Subject:
    """A record as its workflow puts it to the shared asking.

    amount: what approval limits are compared with, None where there is none. signers: who signs the customer's part by
    a rule. ends: when a request made now ends, by the days that the rule gives. emails: lower-case addresses of who
    asked for the record, users: of the control panel; they may not approve it. by_staff: a user asked for it in the
    name of these addresses, and nobody knows which. opens: the action that lets it go on, by how it is held.
    """

    kind: Kind
    facts: Any
    label: str  # names nobody: it goes into tasks and reasons
    signers: Callable[[RuleDefinition], tuple[Signer, ...] | Nobody]
    ends: Callable[[int], datetime]
    amount: Money | None = None
    emails: frozenset[str] = frozenset()
    users: frozenset[int] = frozenset()
    by_staff: bool = False
    language: str = "en"
    past: Past | None = None
    opens: Callable[[Hold], ActionKind | None] = lambda _: None

    @property
    def snapshot(self) -> dict[str, Any]:
        return self.kind.snapshot(self.facts)

    def is_same(self, request: SignatureRequest) -> bool:
        """Return whether the record still is what the request was made about."""
        return request.fingerprint == fingerprint(self.kind.snapshot(self.facts, request.projection))

    def blocks(self, request: SignatureRequest) -> bool:
        """Return whether the record waits for what was asked."""
        return request.blocks

    def renews(self, request: SignatureRequest, by: Named) -> bool:
        """Return whether a renewal follows on the record's own earlier request; by: what is to be renewed."""
        return False

    def edited(self, request: SignatureRequest) -> str:
        changed = difference(request.snapshot, self.kind.snapshot(self.facts, request.projection))
        return "Edited: " + ", ".join(name.replace("_", " ") for name, _, _ in changed) + "."


@dataclass(frozen=True)
class Need:
    """One signature that a rule (or a person) wants for this record.

    state: good | waiting | not_signed | ask.
    """

    rule: RuleInForce | None  # None: by hand, or the rule is no longer in force
    rule_id: int
    purpose: Purpose
    state: str
    why: str = ""
    latest: SignatureRequest | None = None
    blocks: bool = True
    cover: Named | None = None  # good by an earlier signature or an exemption


@dataclass(frozen=True)
class Standing:
    """How the signatures of a record stand after this look, and the intents that asking for them takes.

    asked: what is opened by it. overridden: a person let the record go; nothing else is decided now.
    """

    intents: tuple[Intent, ...] = ()
    traces: tuple[RuleTrace, ...] = ()
    needs: tuple[Need, ...] = ()
    asked: tuple[OpenRequest, ...] = ()
    overridden: bool = False

    @property
    def blocking(self) -> tuple[Need, ...]:
        """The signatures that are still missing and keep the record's hold shut."""
        return tuple(n for n in self.needs if n.blocks and n.state != "good")

    @property
    def is_asking(self) -> bool:
        """Whether something that blocks is opened right now."""
        return any(a.blocks for a in self.asked)

    @property
    def is_signed(self) -> bool:
        """Whether everything that is wanted is signed or covered, and something is."""
        return bool(self.needs) and not self.blocking and not self.is_asking

    @property
    def signed(self) -> tuple[SignatureRequest, ...]:
        """The requests that are good now, oldest first."""
        found = {n.latest.id: n.latest for n in self.needs if n.state == "good" and n.latest and not n.cover}
        return tuple(found[number] for number in sorted(found))


def ask_for_signatures(s: Situation, subject: Subject, covered: Mapping[int, str] = {}) -> Standing:
    """Compare what the record is with what was asked about it, carry out what was pressed, and ask what is missing.

    covered: rules that need no signature of their own on this record, with the sentence that says why.
    """
    traces = tuple(_spared(s, trace, covered) for trace in rule_traces(s, subject))
    covers = _covers(s, traces)
    earlier = {rule_id: found for rule_id, found in covers.items() if not _is_own(s, found)}
    said = tuple(told(rule, trace, earlier) for rule, trace in zip(s.rules, traces, strict=True))
    pressed = _pressed(s, subject)
    if pressed.overridden:
        return Standing(tuple(pressed.intents), said, overridden=True)
    intents, needs, asked = list(pressed.intents), list[Need](), list(pressed.sent)
    for found in _needs(s, subject, traces, covers, pressed):
        if isinstance(found, Need):
            needs.append(found)
        else:
            intents.append(found)
    for need in needs:
        if need.state == "ask":
            for intent in _ask(s, subject, need, covers, pressed.again):
                if isinstance(intent, OpenRequest):
                    asked.append(intent)
                intents.append(intent)
    if s.ledger is not None:
        named = {n.rule_id: n.cover for n in needs if n.cover is not None}
        if {k: (c.acceptance_id, c.exemption_id) for k, c in named.items()} != s.ledger.named:
            intents.append(NameCovers(named, tuple(s.ledger.named)))
    return Standing(tuple(intents), said, tuple(needs), tuple(asked))


def _spared(s: Situation, trace: RuleTrace, covered: Mapping[int, str]) -> RuleTrace:
    """Return the trace of a rule that another signature covers, unless somebody was asked already."""
    if not trace.asks or trace.rule_id not in covered or any(r.rule_id == trace.rule_id for r in s.requests):
        return trace
    return replace(trace, decision="covered", standing="covered", sentence=covered[trace.rule_id])


def rule_traces(s: Situation, subject: Subject) -> tuple[RuleTrace, ...]:
    return tuple(decide_rule(subject.kind, rule, subject.facts, s.reading) for rule in s.rules)


def end_all(s: Situation, why: str) -> Iterator[Intent]:
    """Yield what ends everything that runs for a record which ended by itself."""
    for request in s.requests:
        if request.is_open:
            yield CancelRequest(request.id, "record")
    settled = (HoldState.RELEASED, HoldState.REFUSED, HoldState.OVERRIDDEN)
    if s.hold is not None and s.hold.state not in settled:
        yield MoveHold(HoldEvent.LEFT_AS_IS, why)
        yield SettleTasks(("not_signed", "let_go", *CANNOT_ASK, "hold_late"))


def _covers(s: Situation, traces: tuple[RuleTrace, ...]) -> dict[int, Cover]:
    """Return, by rule id, whether the buyer's part was signed for good before; only for rules that allow it."""
    if s.ledger is None:
        return {}
    return {
        rule.id: cover(rule.definition.sign_once, rule.definition.agreement_id, s.ledger, s.now, s.reading.zone)
        for rule, trace in zip(s.rules, traces, strict=True)
        if trace.asks and rule.definition.customer and rule.definition.sign_once.scope
    }


def _is_own(s: Situation, found: Cover) -> bool:
    """Return whether the signature that covers was given for this very record."""
    if s.ledger is None or isinstance(found, NotCovered):
        return False
    own = {r.id for r in s.requests}
    return any(a.id == found.acceptance_id and a.request_id in own for a in s.ledger.acceptances)


def told(rule: RuleInForce, trace: RuleTrace, covers: Mapping[int, Cover]) -> RuleTrace:
    """Return the trace with what an earlier signature makes of it."""
    found = covers.get(rule.id)
    match found:
        case None:
            return trace
        case NotCovered():
            return replace(trace, sentence=f"{trace.sentence} {found.why}".strip())
        case _ if rule.definition.internal:
            return replace(trace, sentence=f"{trace.sentence} The buyer’s part: {found.sentence}")
        case _:
            standing = "exempt" if found.exemption_id else "covered"
            return replace(trace, decision=standing, standing=standing, sentence=found.sentence)


# What was pressed -----------------------------------------------------------------------------------------


@dataclass
class _Pressed:
    """What a person's buttons of this look came to. sent: requests opened by hand."""

    intents: list[Intent]
    again: dict[int, Command]
    cancelled: set[int]
    sent: list[OpenRequest]
    overridden: bool = False


def _pressed(s: Situation, subject: Subject) -> _Pressed:
    found = _Pressed([], {}, set(), [])
    add = found.intents.append
    for command in s.commands:
        match command.kind:
            case "release":
                found.overridden = True
                found.intents += _override(s, subject, command)
            case "cancel":
                found.cancelled.add(command.request_id)
                add(CancelRequest(command.request_id, "staff", command.why))
                add(Note("request_cancelled", command.request_id, {}, command.actor))
            case "ask_again":
                found.again[command.request_id] = command
            case "resend":
                add(Act(ActionKind.RESEND_REQUEST, command.request_id))
                add(Note("reminder_asked", command.request_id, {}, command.actor))
            case "mend":
                position, email = int(command.payload["position"]), str(command.payload["email"]).lower()
                add(MendAddress(command.request_id, position, email))
                add(Note("address_mended", command.request_id, {}, command.actor))
            case "confirm":
                add(ConfirmRequest(command.request_id, command.actor, command.why))
            case "send":
                for intent in _send_by_hand(s, subject, command, found.sent):
                    if isinstance(intent, OpenRequest):
                        found.sent.append(intent)
                    add(intent)
            case _:
                add(Note("unknown_command", None, {"kind": command.kind}, command.actor))
    return found


def _override(s: Situation, subject: Subject, command: Command) -> Iterator[Intent]:
    open_requests = [r for r in s.requests if r.is_open]
    for request in open_requests:
        yield CancelRequest(request.id, "staff", command.why)
    state = s.hold.state if s.hold else HoldState.NONE
    is_held = (state, HoldEvent.OVERRIDE) in HOLD_TRANSITIONS and state not in (HoldState.NONE, HoldState.OVERRIDDEN)
    if is_held and s.hold is not None:
        yield MoveHold(HoldEvent.OVERRIDE, command.why)
        opens = subject.opens(s.hold)
        if opens is not None:
            yield Act(opens, None, {"because": "overridden"})
        yield SettleTasks(("not_signed", "let_go", *CANNOT_ASK, "hold_late", "release_failed"))
    elif not open_requests:
        return  # there is nothing to let go
    elif state is HoldState.NONE and not s.held_elsewhere:
        yield MoveHold(HoldEvent.OVERRIDE, command.why)  # nor may it be held later, when the store can hold orders
    yield Note("hold_overridden", None, {}, command.actor)


# What is wanted -------------------------------------------------------------------------------------------


def _needs(
    s: Situation,
    subject: Subject,
    traces: tuple[RuleTrace, ...],
    covers: Mapping[int, Cover],
    pressed: _Pressed,
) -> Iterator[Need | Intent]:
    """Yield one Need per signature wanted, and the intents that need none (no longer needed, too late, runaway)."""
    again, cancelled, past = pressed.again, pressed.cancelled, subject.past
    in_force = {rule.id: (rule, trace) for rule, trace in zip(s.rules, traces, strict=True)}
    keys: list[tuple[int, Purpose]] = []
    for rule, trace in zip(s.rules, traces, strict=True):
        if trace.asks:
            keys += [(rule.id, purpose) for purpose in _purposes(rule)]
    for request in s.requests:
        if (request.rule_id, request.purpose) not in keys:
            keys.append((request.rule_id, request.purpose))

    paused: set[int] = set()
    for rule_id, purpose in keys:
        requests = [
            r
            for r in s.requests
            if r.rule_id == rule_id and r.purpose is purpose and (s.store.test_mode or not r.simulated)
        ]
        if not s.store.test_mode:
            for request in s.requests:
                if request.simulated and request.is_open and (request.rule_id, request.purpose) == (rule_id, purpose):
                    yield CancelRequest(request.id, "superseded")  # test mode is over: what is real takes its place
        rule_now, trace_now = in_force.get(rule_id, NOT_IN_FORCE)
        asks = trace_now is not None and trace_now.asks
        refuses = trace_now is not None and trace_now.decision == "no_match"
        latest = requests[-1] if requests else None
        need = _need(subject, rule_now, rule_id, purpose, requests, asks, refuses, cancelled)
        found = covers.get(rule_id)
        if need is not None and purpose is Purpose.CUSTOMER and found is not None and not isinstance(found, NotCovered):
            need = _covered(need, found)
        if latest is not None and latest.id in again:
            if latest.is_open:
                yield CancelRequest(latest.id, "staff")
            need = Need(rule_now, rule_id, purpose, "ask", again[latest.id].why, latest, latest.blocks)
        if need is None:
            if latest is not None and latest.is_open and latest.id not in cancelled:
                yield CancelRequest(latest.id, "record")
                yield Note("no_longer_needed", latest.id)
            continue
        due = need.cover if isinstance(need.cover, RenewalDue) and past is None else None
        if due is not None and (latest is None or subject.renews(latest, due)):
            # Asked for in good time: the record goes on meanwhile. More than the rule may ask come a later time.
            if latest is not None and rule_now is not None and _limit_reached(rule_now):
                yield need
                continue
            yield replace(need, state="ask", why=due.why, blocks=False)
            continue
        if need.state == "good" and latest is not None and latest.is_open and latest.id not in cancelled:
            # Edited back to what an earlier round signed: nobody may go on being asked about the text between.
            yield CancelRequest(latest.id, "record")
            yield Note("no_longer_needed", latest.id)
        if need.state == "ask" and past is not None and (latest is None or latest.id not in again):
            if latest is None:
                yield AskPerson(*past.unsigned)
            elif any(r.status is RequestStatus.COMPLETED for r in requests):
                yield AskPerson(*past.edited)
            else:  # edited too late, never signed: it blocks as it stands, and nobody is asked by itself any more
                yield replace(need, state="waiting" if latest.is_open else "not_signed", why=str(latest.status))
            continue
        if need.state == "ask" and latest is None and rule_now is not None:
            reached = _limit_reached(rule_now)
            if reached:
                if rule_now.id not in paused:
                    paused.add(rule_now.id)
                    yield PauseRule(rule_now.id, reached)
                    yield AskPerson("rule_paused", f"The rule “{rule_now.name}” is paused: {reached}", alarm=True)
                continue
        yield need


def _purposes(rule: RuleInForce) -> list[Purpose]:
    purposes = []
    if rule.definition.internal:
        purposes.append(Purpose.INTERNAL)
    if rule.definition.customer:
        purposes.append(Purpose.CUSTOMER)
    if rule.definition.sequence == "customer_first":
        purposes.reverse()
    return purposes


def _need(
    subject: Subject,
    rule: RuleInForce | None,
    rule_id: int,
    purpose: Purpose,
    requests: list[SignatureRequest],
    asks: bool,
    refuses: bool,
    cancelled: set[int],
) -> Need | None:
    """Return how one wanted signature stands, or None when it is not wanted (any more).

    asks: the rule in force matches now. refuses: it is in force and does not match now. Neither: by hand, or the rule
    was switched off; a running request then keeps the version that it was made with.
    """

    def need(state: str, why: str = "", latest: SignatureRequest | None = None) -> Need:
        return Need(rule, rule_id, purpose, state, why, latest, subject.blocks(latest) if latest else True)

    good = next((r for r in reversed(requests) if r.is_good and subject.is_same(r)), None)
    if good is not None and not _asked_anew(subject, good, requests[-1]):
        return need("good", latest=good)
    if not requests:
        return need("ask") if asks else None
    latest = requests[-1]
    same = subject.is_same(latest)
    if latest.id in cancelled:
        return need("not_signed", "staff", latest)
    if not same and refuses:
        return None
    if latest.is_open:
        return need("waiting", latest=latest) if same else need("ask", subject.edited(latest), latest)
    if latest.status is RequestStatus.COMPLETED:
        if latest.checked == "conflict":
            return need("not_signed", "conflict", latest)
        if latest.checked == "":
            return need("waiting", latest=latest)
        return need("ask", subject.edited(latest), latest)
    if latest.wanted is Wanted.CANCEL and latest.wanted_why == RELEASED and latest.status is not RequestStatus.DECLINED:
        return need("good", RELEASED, latest) if same else need("ask", subject.edited(latest), latest)
    if latest.wanted is Wanted.CANCEL and latest.wanted_why in ("record", "superseded"):
        return need("ask", "It is open again.", latest) if asks else None
    if latest.wanted is Wanted.CANCEL and latest.wanted_why == "staff":
        return need("not_signed", "staff", latest)
    if not same:
        return need("ask", subject.edited(latest), latest)
    return need("not_signed", str(latest.status), latest)


def _covered(need: Need, found: Named) -> Need:
    """Return the need as an earlier signature leaves it: good, unless a person asked for this one all the same.

    What was declined, taken back or signed by somebody else stays with the person who decides; and a request that was
    made although the party was covered (a renewal, or asked again by hand) runs its own way.
    """
    latest = need.latest
    if need.state == "good":
        return need
    if latest is not None:
        if latest.created_at > found.recorded_at:
            return need if latest.blocks else replace(need, cover=found)
        unsigned = latest.status in (RequestStatus.EXPIRED, RequestStatus.FAILED)
        if not (latest.is_open or latest.is_good or unsigned or need.state == "ask"):
            return need
    return replace(need, state="good", cover=found)


def _asked_anew(subject: Subject, good: SignatureRequest, latest: SignatureRequest) -> bool:
    """Return whether a person asked for the same text again after it was signed: then the newer round decides."""
    is_newer = latest.id != good.id and latest.wanted is Wanted.OPEN and subject.is_same(latest)
    return is_newer and good.wanted is Wanted.OPEN  # one signed while it was being cancelled was signed after all


def _limit_reached(rule: RuleInForce) -> str:
    if rule.asked_last_hour >= rule.definition.most_per_hour:
        return f"it asked for {rule.asked_last_hour} signatures within an hour. Look at it, then switch it on again."
    if rule.asked_last_day >= rule.definition.most_per_day:
        return f"it asked for {rule.asked_last_day} signatures within a day. Look at it, then switch it on again."
    return ""


# Asking ---------------------------------------------------------------------------------------------------


def _ask(
    s: Situation, subject: Subject, need: Need, covers: Mapping[int, Cover], again: dict[int, Command]
) -> Iterator[Intent]:
    latest, rule = need.latest, need.rule
    if latest is not None and latest.is_open and latest.id not in again:
        yield CancelRequest(latest.id, "superseded")
    if rule is not None and not _turn_has_come(s, subject, need, covers):
        return
    signers = _signers(s, subject, need)
    if isinstance(signers, Nobody):
        yield _cannot_ask(signers)
        return
    snapshot = subject.snapshot
    if rule is not None:
        account, agreement, days = rule.definition.account_id, rule.definition.agreement_id, rule.definition.expiry_days
        version = s.agreements.get(agreement, 0) if need.purpose is Purpose.CUSTOMER else 0
        agreement = agreement if need.purpose is Purpose.CUSTOMER else 0
    elif latest is not None:
        account, agreement, version = latest.account_id, latest.agreement_id, latest.agreement_version
        days = 7
    else:
        return
    yield OpenRequest(
        rule_id=need.rule_id,
        rule_version=rule.version if rule else (latest.rule_version if latest else 0),
        purpose=need.purpose,
        round=_next_round(s, need.rule_id, need.purpose),
        round_why=need.why,
        fingerprint=fingerprint(snapshot),
        snapshot=snapshot,
        projection=subject.kind.projection,
        account_id=account,
        agreement_id=agreement,
        agreement_version=version,
        signers=signers,
        expires_at=subject.ends(days),
        language=subject.language if need.purpose is Purpose.CUSTOMER else "en",
        simulated=s.store.test_mode,
        blocks=need.blocks,
        counts=_counts(s, need),
    )
    yield SettleTasks(("not_signed", *CANNOT_ASK))


def _counts(s: Situation, need: Need) -> Counts | None:
    """Return what the signature will count for besides this record."""
    if need.rule is None:
        return Counts.parse(need.latest.counts) if need.latest is not None and need.latest.counts else None
    if need.purpose is not Purpose.CUSTOMER or s.ledger is None:
        return None
    return counts_for(need.rule.definition.sign_once, s.ledger.bearer)


def _turn_has_come(s: Situation, subject: Subject, need: Need, covers: Mapping[int, Cover]) -> bool:
    """Return whether the other signature of the rule, when it goes first, is already good."""
    assert need.rule is not None
    first = {"internal_first": Purpose.INTERNAL, "customer_first": Purpose.CUSTOMER}.get(need.rule.definition.sequence)
    if first is None or first is need.purpose or first not in _purposes(need.rule):
        return True
    if first is Purpose.CUSTOMER and not isinstance(covers.get(need.rule_id, NotCovered()), NotCovered):
        return True
    return any(
        r.rule_id == need.rule_id and r.purpose is first and r.is_good and subject.is_same(r) for r in s.requests
    )


def _cannot_ask(nobody: Nobody) -> AskPerson:
    kind = "no_other_approver" if nobody.outcome == NO_OTHER_APPROVER else "cannot_ask"
    return AskPerson(kind, nobody.sentence, alarm=True)


def _next_round(s: Situation, rule_id: int, purpose: Purpose) -> int:
    return 1 + max((r.round for r in s.requests if r.rule_id == rule_id and r.purpose is purpose), default=0)


def _signers(s: Situation, subject: Subject, need: Need) -> tuple[Signer, ...] | Nobody:
    """Return who signs, or why nobody can."""
    found = _real_signers(s, subject, need)
    if isinstance(found, Nobody) or s.test_person is None:
        return found
    me = s.test_person
    return (Signer(0, 1, me.name, me.email, SignerRole.SIGN, me.id),)


def _real_signers(s: Situation, subject: Subject, need: Need) -> tuple[Signer, ...] | Nobody:
    if need.rule is None:
        if need.latest is None:
            return Nobody(NO_ADDRESS, "Nobody was named to sign.")
        return tuple(
            Signer(x.position, x.turn, x.name, x.email, x.role, x.person_id, x.may_forward) for x in need.latest.signers
        )
    definition = need.rule.definition
    if need.purpose is Purpose.CUSTOMER:
        return subject.signers(definition)
    requester, rates = _requester(s, subject), s.reading.rates
    name, amount, label = need.rule.name, subject.amount, subject.label
    return find_approvers(definition, name, amount, label, s.directory, requester, s.now, rates)


def _requester(s: Situation, subject: Subject, pressed_by: int = 0) -> Requester:
    """Return who asked for the record, and the user who pressed the button, if any."""
    people = [p for user in subject.users | {pressed_by} if (p := s.directory.person_of(user)) is not None]
    emails = subject.emails | {p.email.lower() for p in people}
    return Requester(frozenset(p.id for p in people), frozenset(emails - {""}), subject.by_staff)


def _send_by_hand(s: Situation, subject: Subject, command: Command, sent: list[OpenRequest]) -> Iterator[Intent]:
    """sent: what earlier commands of the same look opened; a second click opens nothing."""
    p = command.payload
    purpose = Purpose(p.get("purpose", "customer"))
    mine = [r for r in s.requests if r.rule_id == 0 and r.purpose is purpose]
    if any(r.is_open for r in mine) or any(r.purpose is purpose for r in sent):
        yield Note("already_asked", mine[-1].id if mine else None, {}, command.actor)
        return
    signers = tuple(
        Signer(i, i + 1, str(x["name"]), str(x["email"]).lower(), person_id=x.get("person_id"))
        for i, x in enumerate(p["signers"])
    )
    if purpose is Purpose.INTERNAL:
        requester = _requester(s, subject, command.user_id)
        left = without_requester(signers, requester, subject.label)
        if isinstance(left, Nobody):
            yield _cannot_ask(left)
            return
        signers = left
    if s.test_person is not None:
        signers = (Signer(0, 1, s.test_person.name, s.test_person.email, person_id=s.test_person.id),)
    snapshot = subject.snapshot
    agreement = int(p.get("agreement_id", 0))
    yield OpenRequest(
        rule_id=0,
        rule_version=0,
        purpose=purpose,
        round=_next_round(s, 0, purpose),
        round_why=command.why,
        fingerprint=fingerprint(snapshot),
        snapshot=snapshot,
        projection=subject.kind.projection,
        account_id=int(p["account_id"]),
        agreement_id=agreement,
        agreement_version=s.agreements.get(agreement, 0),
        signers=signers,
        expires_at=subject.ends(int(p.get("expiry_days", 7))),
        language=subject.language,
        simulated=s.store.test_mode,
        blocks=bool(p.get("hold")),
        counts=Counts.parse(p["counts"]) if p.get("counts") else None,
    )
    yield Note("sent_by_hand", None, {"agreement": agreement}, command.actor)


def not_signed_why(need: Need) -> str:
    """Return what became of a signature that is not given, and what can be done, to follow the record's name."""
    return {
        "declined": "the signer declined. Ask again, change it, or release it by hand.",
        "expired": "the request expired unsigned. Ask again or release it by hand.",
        "failed": "the request could not be sent. Look at the request, then ask again.",
        "cancelled": "the request was cancelled at the signature service. Ask again or release it by hand.",
        "staff": "the request was cancelled. Ask again or release it by hand.",
        "conflict": "what was signed is not what was asked. Look at the request and decide.",
    }.get(need.why, need.why or "it is not signed.")
