"""Order approval: hold a large or regulated order until it is approved by signature, then let it go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bcapp.core.acceptances import Counts, Cover, Named, NotCovered, RenewalDue, counts_for, cover
from bcapp.core.actions import ActionKind
from bcapp.core.directory import Person
from bcapp.core.escalation import NO_ANSWER, RELEASED
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
    Plan,
    SettleTasks,
)
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Gone, OrderFacts, SignatureRequest, Signer
from bcapp.core.release import DIGITAL_DONE, DIGITAL_PAID, ENDED, SHIPPED
from bcapp.core.rules import RuleInForce, RuleTrace, decide_rule
from bcapp.core.settings import AWAITING_PAYMENT
from bcapp.core.signers import (
    NO_ADDRESS,
    NO_OTHER_APPROVER,
    Nobody,
    Requester,
    find_approvers,
    signer_from,
    without_requester,
)
from bcapp.core.snapshot import ORDER_PROJECTION, difference, fingerprint, order_snapshot
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

SLUG, LABEL, RECORD_KIND = "order_approval", "Order approval", ORDER.name

NOT_IN_FORCE: tuple[RuleInForce | None, RuleTrace | None] = (None, None)
AUTHORISATION_DAYS = 6  # an authorisation is commonly kept for seven days; ask and capture before it ends
CANNOT_ASK = ("cannot_ask", "no_other_approver")  # tasks
HOLD_WORK = frozenset({ActionKind.HOLD_ORDER, ActionKind.RELEASE_ORDER, ActionKind.CAPTURE_ORDER})


@dataclass(frozen=True)
class Need:
    """One signature that a rule (or a person) wants for this order.

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


def decide(situation: Situation) -> Plan:
    """Compare what the order is with what was asked about it, and return what has to happen now."""
    facts = situation.facts
    if isinstance(facts, Gone):
        return Plan(tuple(_end(situation, "The order does not exist any more.")))
    traces = tuple(decide_rule(ORDER, rule, facts, situation.reading) for rule in situation.rules)
    if facts.is_deleted or facts.status_id in ENDED:
        return Plan(tuple(_end(situation, "The order was cancelled, declined, refunded or archived.")), traces)
    covers = _covers(situation, traces)
    earlier = {rule_id: found for rule_id, found in covers.items() if not _is_own(situation, found)}
    told = tuple(_told(rule, trace, earlier) for rule, trace in zip(situation.rules, traces, strict=True))
    return Plan(tuple(_decide_open(situation, facts, traces, covers)), told)


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


def _told(rule: RuleInForce, trace: RuleTrace, covers: Mapping[int, Cover]) -> RuleTrace:
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


def _end(s: Situation, why: str) -> Iterator[Intent]:
    for request in s.requests:
        if request.is_open:
            yield CancelRequest(request.id, "record")
    settled = (HoldState.RELEASED, HoldState.REFUSED, HoldState.OVERRIDDEN)
    if s.hold is not None and s.hold.state not in settled:
        yield MoveHold(HoldEvent.LEFT_AS_IS, why)
        yield SettleTasks(("not_signed", "let_go", *CANNOT_ASK, "hold_late"))


def _decide_open(
    s: Situation, facts: OrderFacts, traces: tuple[RuleTrace, ...], covers: Mapping[int, Cover]
) -> Iterator[Intent]:
    overridden = False
    again: dict[int, Command] = {}
    cancelled: set[int] = set()
    sent: list[OpenRequest] = []
    for command in s.commands:
        match command.kind:
            case "release":
                overridden = True
                yield from _override(s, command)
            case "cancel":
                cancelled.add(command.request_id)
                yield CancelRequest(command.request_id, "staff", command.why)
                yield Note("request_cancelled", command.request_id, {}, command.actor)
            case "ask_again":
                again[command.request_id] = command
            case "resend":
                yield Act(ActionKind.RESEND_REQUEST, command.request_id)
                yield Note("reminder_asked", command.request_id, {}, command.actor)
            case "mend":
                position, email = int(command.payload["position"]), str(command.payload["email"]).lower()
                yield MendAddress(command.request_id, position, email)
                yield Note("address_mended", command.request_id, {}, command.actor)
            case "confirm":
                yield ConfirmRequest(command.request_id, command.actor, command.why)
            case "send":
                for intent in _send_by_hand(s, facts, command, sent):
                    if isinstance(intent, OpenRequest):
                        sent.append(intent)
                    yield intent
            case _:
                yield Note("unknown_command", None, {"kind": command.kind}, command.actor)
    if overridden:
        return

    needs: list[Need] = []
    for need in _needs(s, facts, traces, covers, again, cancelled):
        if isinstance(need, Need):
            needs.append(need)
        else:
            yield need
    asked: list[OpenRequest] = []
    for need in needs:
        if need.state == "ask":
            for intent in _ask(s, facts, need, covers, again):
                if isinstance(intent, OpenRequest):
                    asked.append(intent)
                yield intent
    if s.ledger is not None:
        named = {n.rule_id: n.cover for n in needs if n.cover is not None}
        if {k: (c.acceptance_id, c.exemption_id) for k, c in named.items()} != s.ledger.named:
            yield NameCovers(named)
    if not s.store.test_mode:
        yield from _hold(s, facts, needs, [*sent, *asked])


def _override(s: Situation, command: Command) -> Iterator[Intent]:
    open_requests = [r for r in s.requests if r.is_open]
    for request in open_requests:
        yield CancelRequest(request.id, "staff", command.why)
    state = s.hold.state if s.hold else HoldState.NONE
    is_held = (state, HoldEvent.OVERRIDE) in HOLD_TRANSITIONS and state not in (HoldState.NONE, HoldState.OVERRIDDEN)
    if is_held and s.hold is not None:
        yield MoveHold(HoldEvent.OVERRIDE, command.why)
        yield Act(ActionKind.CAPTURE_ORDER if s.hold.method == "capture" else ActionKind.RELEASE_ORDER)
        yield SettleTasks(("not_signed", "let_go", *CANNOT_ASK, "hold_late", "release_failed"))
    elif not open_requests:
        return  # there is nothing to let go
    elif state is HoldState.NONE:
        yield MoveHold(HoldEvent.OVERRIDE, command.why)  # nor may it be held later, when the store can hold orders
    yield Note("hold_overridden", None, {}, command.actor)


# What is wanted -------------------------------------------------------------------------------------------


def _needs(
    s: Situation,
    facts: OrderFacts,
    traces: tuple[RuleTrace, ...],
    covers: Mapping[int, Cover],
    again: dict[int, Command],
    cancelled: set[int],
) -> Iterator[Need | Intent]:
    """Yield one Need per signature wanted, and the intents that need none (no longer needed, too late, runaway)."""
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
        need = _need(facts, rule_now, rule_id, purpose, requests, asks, refuses, cancelled)
        found = covers.get(rule_id)
        if need is not None and purpose is Purpose.CUSTOMER and found is not None and not isinstance(found, NotCovered):
            need = _covered(need, found, facts)
        if latest is not None and latest.id in again:
            if latest.is_open:
                yield CancelRequest(latest.id, "staff")
            need = Need(rule_now, rule_id, purpose, "ask", again[latest.id].why, latest, latest.blocks)
        if need is None:
            if latest is not None and latest.is_open and latest.id not in cancelled:
                yield CancelRequest(latest.id, "record")
                yield Note("no_longer_needed", latest.id)
            continue
        if isinstance(need.cover, RenewalDue) and latest is None and not _is_shipped(facts):
            # Asked for in good time: the order goes on meanwhile.
            yield replace(need, state="ask", why=need.cover.why, blocks=False)
            continue
        if need.state == "good" and latest is not None and latest.is_open and latest.id not in cancelled:
            # Edited back to what an earlier round signed: nobody may go on being asked about the text between.
            yield CancelRequest(latest.id, "record")
            yield Note("no_longer_needed", latest.id)
        if need.state == "ask" and _is_shipped(facts) and (latest is None or latest.id not in again):
            if latest is None:
                text = f"{facts.label} was shipped before it could be held. Send it for signature by hand."
                yield AskPerson("shipped_unsigned", text)
            elif any(r.status is RequestStatus.COMPLETED for r in requests):
                text = f"{facts.label} was changed after it was signed, and it is already shipped."
                yield AskPerson("edited_after_shipping", text)
            else:  # edited and shipped, never signed: it blocks as it stands, and nobody is asked by itself any more
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
    facts: OrderFacts,
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
        return Need(rule, rule_id, purpose, state, why, latest, latest.blocks if latest else True)

    good = next((r for r in reversed(requests) if r.is_good and _is_same(r, facts)), None)
    if good is not None and not _asked_anew(good, requests[-1], facts):
        return need("good", latest=good)
    if not requests:
        return need("ask") if asks else None
    latest = requests[-1]
    same = _is_same(latest, facts)
    if latest.id in cancelled:
        return need("not_signed", "staff", latest)
    if not same and refuses:
        return None
    if latest.is_open:
        return need("waiting", latest=latest) if same else need("ask", _edited(latest, facts), latest)
    if latest.status is RequestStatus.COMPLETED:
        if latest.checked == "conflict":
            return need("not_signed", "conflict", latest)
        if latest.checked == "":
            return need("waiting", latest=latest)
        return need("ask", _edited(latest, facts), latest)
    if latest.wanted is Wanted.CANCEL and latest.wanted_why == RELEASED and latest.status is not RequestStatus.DECLINED:
        return need("good", RELEASED, latest) if same else need("ask", _edited(latest, facts), latest)
    if latest.wanted is Wanted.CANCEL and latest.wanted_why in ("record", "superseded"):
        return need("ask", "The order is open again.", latest) if asks else None
    if latest.wanted is Wanted.CANCEL and latest.wanted_why == "staff":
        return need("not_signed", "staff", latest)
    if not same:
        return need("ask", _edited(latest, facts), latest)
    return need("not_signed", str(latest.status), latest)


def _covered(need: Need, found: Named, facts: OrderFacts) -> Need:
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


def _asked_anew(good: SignatureRequest, latest: SignatureRequest, facts: OrderFacts) -> bool:
    """Return whether a person asked for the same text again after it was signed: then the newer round decides."""
    is_newer = latest.id != good.id and latest.wanted is Wanted.OPEN and _is_same(latest, facts)
    return is_newer and good.wanted is Wanted.OPEN  # one signed while it was being cancelled was signed after all


def _is_same(request: SignatureRequest, facts: OrderFacts) -> bool:
    return request.fingerprint == fingerprint(order_snapshot(facts, request.projection))


def _edited(request: SignatureRequest, facts: OrderFacts) -> str:
    changed = difference(request.snapshot, order_snapshot(facts, request.projection))
    return "Edited: " + ", ".join(name.replace("_", " ") for name, _, _ in changed) + "."


def _is_shipped(facts: OrderFacts) -> bool:
    return facts.status_id in SHIPPED or (facts.status_id == DIGITAL_DONE and not facts.is_digital)


def _limit_reached(rule: RuleInForce) -> str:
    if rule.asked_last_hour >= rule.definition.most_per_hour:
        return f"it asked for {rule.asked_last_hour} signatures within an hour. Look at it, then switch it on again."
    if rule.asked_last_day >= rule.definition.most_per_day:
        return f"it asked for {rule.asked_last_day} signatures within a day. Look at it, then switch it on again."
    return ""


# Asking ---------------------------------------------------------------------------------------------------


def _ask(
    s: Situation, facts: OrderFacts, need: Need, covers: Mapping[int, Cover], again: dict[int, Command]
) -> Iterator[Intent]:
    latest, rule = need.latest, need.rule
    if latest is not None and latest.is_open and latest.id not in again:
        yield CancelRequest(latest.id, "superseded")
    if rule is not None and not _turn_has_come(s, facts, need, covers):
        return
    signers = _signers(s, facts, need)
    if isinstance(signers, Nobody):
        yield _cannot_ask(signers)
        return
    snapshot = order_snapshot(facts)
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
        projection=ORDER_PROJECTION,
        account_id=account,
        agreement_id=agreement,
        agreement_version=version,
        signers=signers,
        expires_at=_expiry(s, facts, days),
        language=(facts.locale or "en") if need.purpose is Purpose.CUSTOMER else "en",
        simulated=s.store.test_mode,
        blocks=need.blocks,
        counts=_counts(s, need),
    )
    yield SettleTasks(("not_signed", *CANNOT_ASK))


def _counts(s: Situation, need: Need) -> Counts | None:
    """Return what the signature will count for besides this order."""
    if need.rule is None:
        return Counts.parse(need.latest.counts) if need.latest is not None and need.latest.counts else None
    if need.purpose is not Purpose.CUSTOMER or s.ledger is None:
        return None
    return counts_for(need.rule.definition.sign_once, s.ledger.bearer)


def _turn_has_come(s: Situation, facts: OrderFacts, need: Need, covers: Mapping[int, Cover]) -> bool:
    """Return whether the other signature of the rule, when it goes first, is already good."""
    assert need.rule is not None
    first = {"internal_first": Purpose.INTERNAL, "customer_first": Purpose.CUSTOMER}.get(need.rule.definition.sequence)
    if first is None or first is need.purpose or first not in _purposes(need.rule):
        return True
    if first is Purpose.CUSTOMER and not isinstance(covers.get(need.rule_id, NotCovered()), NotCovered):
        return True
    return any(
        r.rule_id == need.rule_id and r.purpose is first and r.is_good and _is_same(r, facts) for r in s.requests
    )


def _cannot_ask(nobody: Nobody) -> AskPerson:
    kind = "no_other_approver" if nobody.outcome == NO_OTHER_APPROVER else "cannot_ask"
    return AskPerson(kind, nobody.sentence, alarm=True)


def _next_round(s: Situation, rule_id: int, purpose: Purpose) -> int:
    return 1 + max((r.round for r in s.requests if r.rule_id == rule_id and r.purpose is purpose), default=0)


def _expiry(s: Situation, facts: OrderFacts, days: int) -> datetime:
    """Return when a request ends by itself; an authorised payment must still be capturable then."""
    ends = s.now + timedelta(days=days)
    authorised = [t.created_at for t in facts.transactions if t.event == "authorization" and t.status == "ok"]
    if s.store.hold_method == "capture" and facts.payment_status == "authorized" and authorised:
        ends = min(ends, max(s.now + timedelta(days=1), min(authorised) + timedelta(days=AUTHORISATION_DAYS)))
    return ends


def _signers(s: Situation, facts: OrderFacts, need: Need) -> tuple[Signer, ...] | Nobody:
    """Return who signs, or why nobody can."""
    found = _real_signers(s, facts, need)
    if isinstance(found, Nobody) or s.test_person is None:
        return found
    me = s.test_person
    return (Signer(0, 1, me.name, me.email, SignerRole.SIGN, me.id),)


def _real_signers(s: Situation, facts: OrderFacts, need: Need) -> tuple[Signer, ...] | Nobody:
    if need.rule is None:
        if need.latest is None:
            return Nobody(NO_ADDRESS, "Nobody was named to sign.")
        return tuple(
            Signer(x.position, x.turn, x.name, x.email, x.role, x.person_id, x.may_forward) for x in need.latest.signers
        )
    definition = need.rule.definition
    if need.purpose is Purpose.CUSTOMER:
        return signer_from("billing", facts, facts.label, may_forward=definition.buyer_may_forward)
    return find_approvers(
        definition, need.rule.name, facts.total, facts.label, s.directory, _requester(facts), s.now, s.reading.rates
    )


def _requester(facts: OrderFacts, person: Person | None = None) -> Requester:
    """Return who asked for the order: its buyer, and the member of staff who pressed the button, if any."""
    emails = {facts.billing.email.strip().lower()} | ({person.email.lower()} if person else set())
    return Requester(frozenset({person.id} if person else ()), frozenset(emails - {""}))


def _send_by_hand(s: Situation, facts: OrderFacts, command: Command, sent: list[OpenRequest]) -> Iterator[Intent]:
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
        requester = _requester(facts, s.directory.person_of(command.user_id))
        left = without_requester(signers, requester, facts.label)
        if isinstance(left, Nobody):
            yield _cannot_ask(left)
            return
        signers = left
    if s.test_person is not None:
        signers = (Signer(0, 1, s.test_person.name, s.test_person.email, person_id=s.test_person.id),)
    snapshot = order_snapshot(facts)
    agreement = int(p.get("agreement_id", 0))
    yield OpenRequest(
        rule_id=0,
        rule_version=0,
        purpose=purpose,
        round=_next_round(s, 0, purpose),
        round_why=command.why,
        fingerprint=fingerprint(snapshot),
        snapshot=snapshot,
        projection=ORDER_PROJECTION,
        account_id=int(p["account_id"]),
        agreement_id=agreement,
        agreement_version=s.agreements.get(agreement, 0),
        signers=signers,
        expires_at=_expiry(s, facts, int(p.get("expiry_days", 7))),
        language=facts.locale or "en",
        simulated=s.store.test_mode,
        blocks=bool(p.get("hold")),
        counts=Counts.parse(p["counts"]) if p.get("counts") else None,
    )
    yield Note("sent_by_hand", None, {"agreement": agreement}, command.actor)


# Holding --------------------------------------------------------------------------------------------------


def _hold(s: Situation, facts: OrderFacts, needs: list[Need], asked: list[OpenRequest]) -> Iterator[Intent]:
    hold = s.hold
    state = hold.state if hold else HoldState.NONE
    blocking = [n for n in needs if n.blocks and n.state != "good"]
    is_busy = any(a.kind in HOLD_WORK for a in s.open_actions)
    if not blocking and not any(a.blocks for a in asked):
        # Holding without work under way: the hold failed and may stand all the same; the release finds out.
        if hold is not None and state in (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT) and not is_busy:
            if facts.fraud_review:
                text = (
                    f"{facts.label} is signed, and its payment is held for review. Finish the review, then move it on."
                )
                yield AskPerson("release_held", text, needs[0].latest.id if needs and needs[0].latest else None)
                return
            unanswered = any(n.why == RELEASED for n in needs)
            all_good = "Everything that was asked is signed, or no longer needed."
            yield MoveHold(HoldEvent.ALL_GOOD, f"{NO_ANSWER} The rule lets it go." if unanswered else all_good)
            yield Act(ActionKind.CAPTURE_ORDER if hold.method == "capture" else ActionKind.RELEASE_ORDER)
            if s.store.staff_note:
                signed = ", ".join(str(n.latest.id) for n in needs if n.latest and not n.cover and n.why != RELEASED)
                lines = [f"Signed: request {signed}."] if signed else []
                lines += [n.cover.sentence for n in needs if n.cover]
                lines += [
                    f"{NO_ANSWER} Let go by the rule: request {n.latest.id}."
                    for n in needs
                    if n.latest and n.why == RELEASED
                ]
                if lines:
                    yield Act(ActionKind.WRITE_STAFF_NOTE, None, {"line": " ".join(lines)})
            yield SettleTasks(("not_signed", "let_go", *CANNOT_ASK, "hold_late", "release_held"))
        elif hold is not None and state is HoldState.RELEASING and not is_busy and _is_let_go(s, facts, hold.method):
            yield MoveHold(HoldEvent.OPENED, "Someone else let it go after it was signed.")
            yield SettleTasks(("release_failed", "failed:release_order", "failed:capture_order"))
        elif state is HoldState.JOINED and needs:
            yield AskPerson(
                "signed_but_held",
                f"{facts.label} is signed, and still held by someone else. Move it on when you are ready.",
            )
        return
    method = s.store.hold_method
    if method == "none" or state in (HoldState.OVERRIDDEN, HoldState.REFUSED):
        return
    if method == "capture" and facts.payment_status != "authorized":
        method = "status"
    asking = any(a.blocks for a in asked) and not _is_shipped(facts)
    if state is HoldState.NONE and facts.is_digital and method == "status":
        yield MoveHold(HoldEvent.TOO_LATE, "A digital order is delivered at once and cannot be held.", method)
        return
    is_moved = hold is not None and _is_moved(s, facts, hold.method)
    if (
        state is HoldState.NONE
        or (state in (HoldState.RELEASED, HoldState.RELEASING, HoldState.BYPASSED) and asking)
        # Edited after it was signed, and nobody can be asked: it must not go on all the same.
        or (state is HoldState.RELEASED and any(n.state == "ask" for n in blocking) and not _is_shipped(facts))
        or (state is HoldState.JOINED and is_moved and not is_busy)
    ):
        yield MoveHold(HoldEvent.WANTED, "A signature is wanted.", method)
        yield Act(ActionKind.HOLD_ORDER)
        return
    if hold is None or is_busy or state not in (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT):
        return
    if state is not HoldState.HOLDING and is_moved:
        yield from _moved(s, facts)
        return
    lost = [n for n in blocking if n.state == "not_signed"]
    if lost and state is not HoldState.KEPT:
        why = _not_signed_why(lost[0])
        yield MoveHold(HoldEvent.NOT_SIGNED, why[0].upper() + why[1:])
        if lost[0].why == "conflict":
            return  # the check has told it already, with what was wrong
        yield AskPerson(
            "not_signed", f"{facts.label}: {_not_signed_why(lost[0])}", lost[0].latest.id if lost[0].latest else None
        )
    elif not lost and state is HoldState.KEPT:
        yield MoveHold(HoldEvent.ASKED_AGAIN, "A new round was asked.")
        yield SettleTasks(("not_signed",))


def _is_moved(s: Situation, facts: OrderFacts, method: str) -> bool:
    if method == "capture":
        return facts.payment_status not in ("authorized", "")
    chosen = s.store.hold_status
    return facts.status_id != (s.hold.status_held(chosen) if s.hold is not None else chosen)


def _is_let_go(s: Situation, facts: OrderFacts, method: str) -> bool:
    """Return whether a release of ours that failed has nothing left to do: a voided payment is no release."""
    return facts.payment_status in DIGITAL_PAID if method == "capture" else _is_moved(s, facts, method)


def _moved(s: Situation, facts: OrderFacts) -> Iterator[Intent]:
    """The order left the hold without us: a payment is no release, a person's hand is."""
    assert s.hold is not None
    found = s.hold.found or {}
    if s.hold.method == "capture":
        yield MoveHold(HoldEvent.LET_GO, "The payment was captured or voided outside.")
        yield AskPerson("let_go", f"{facts.label} was captured or voided before it was signed.", alarm=True)
    elif facts.fraud_review:
        yield MoveHold(HoldEvent.LET_GO, "A fraud check moved it.")
        yield AskPerson("let_go", f"{facts.label} was moved by a fraud check before it was signed.")
    elif (
        facts.status_id == 11
        and found.get("status_id") == AWAITING_PAYMENT
        and any(
            t.status == "ok"
            and t.event in ("purchase", "capture", "authorization", "settled")
            and (s.hold.wanted_at is None or t.created_at >= s.hold.wanted_at - timedelta(minutes=5))
            for t in facts.transactions
        )
    ):
        yield MoveHold(HoldEvent.WANTED, "A payment moved it out of the hold.", found={**found, "status_id": 11})
        yield Act(ActionKind.HOLD_ORDER)
    else:
        shipped = _is_shipped(facts)
        yield MoveHold(HoldEvent.LET_GO, "It was shipped." if shipped else "Someone moved it out of the hold.")
        yield AskPerson(
            "let_go",
            f"{facts.label} was {'shipped' if shipped else 'moved out of the hold'} before it was signed. "
            "The request stays open; cancel it if you do not need the signature.",
            alarm=shipped,
        )


def _not_signed_why(need: Need) -> str:
    return {
        "declined": "the signer declined. Ask again, change the order, or release it by hand.",
        "expired": "the request expired unsigned. Ask again or release it by hand.",
        "failed": "the request could not be sent. Look at the request, then ask again.",
        "cancelled": "the request was cancelled at the signature service. Ask again or release it by hand.",
        "staff": "the request was cancelled. Ask again or release it by hand.",
        "conflict": "what was signed is not what was asked. Look at the request and decide.",
    }.get(need.why, need.why or "it is not signed.")
