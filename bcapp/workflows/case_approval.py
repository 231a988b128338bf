"""Case approval: no refund, exception or cancellation before it is signed, and none above what was signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from bcapp.core.actions import ActionKind
from bcapp.core.cases import CaseEvent, CaseKind, CaseState
from bcapp.core.intents import Act, AskPerson, Intent, MoveCase, MoveHold, Note, Plan, SettleTasks
from bcapp.core.kinds.case import CASE, CaseFacts
from bcapp.core.model import Gone, Money
from bcapp.core.options import YES, Option, Options, OptionType
from bcapp.core.signers import signer_from
from bcapp.core.states import HoldEvent, HoldState, RequestStatus
from bcapp.workflows.asking import Standing, Subject, ask_for_signatures, end_all, rule_traces
from bcapp.workflows.gate import METHOD, SETTLED, SHUT, Gate, hold
from bcapp.workflows.protocol import Command, Situation

SLUG, LABEL = "case_approval", "Case approval"
KINDS: tuple[str, ...] = (CASE.name,)
OPTIONS: tuple[Option, ...] = (
    Option(
        "goods_first", OptionType.FLAG, "Refund only once the goods are back",
        "A signed case then waits until somebody ticks on its page that the goods are back.", choices=((YES, "Yes"),),
    ),
)  # fmt: skip
HOLDS = True

EFFECTS = frozenset({ActionKind.EXECUTE_REFUND, ActionKind.VOID_PAYMENT, ActionKind.CANCEL_ORDER})
VOIDABLE = frozenset({"authorized", "held for review"})
TAKEN = frozenset({"captured", "capture pending", "paid", "partially refunded"})
TASKS = (*SETTLED, "case_unruled", "goods_awaited", "case_stuck", "pay_by_hand")


def decide(situation: Situation) -> Plan:
    """Compare what the case asks for with what was signed about it, and return what has to happen now."""
    s, facts = situation, situation.facts
    if isinstance(facts, Gone):
        return Plan(tuple(end_all(s, "The case does not exist any more.")))
    state = CaseState(facts.state)
    if state.is_end:
        return Plan((*end_all(s, "The case has ended."), SettleTasks(TASKS)), rule_traces(s, _subject(s, facts)))
    own = tuple(c for c in s.commands if c.kind in BUTTONS)
    moves = tuple(intent for c in own for intent in _pressed(s, facts, c))
    if any(isinstance(m, MoveCase) for m in moves):
        return Plan(moves, rule_traces(s, _subject(s, facts)))
    if state in (CaseState.DRAFT, CaseState.NEW):
        return Plan(moves)
    subject = _subject(s, facts)
    if state is not CaseState.OPEN:
        return Plan((*moves, *_watch(s, facts)), rule_traces(s, subject))
    standing = ask_for_signatures(replace(s, commands=tuple(c for c in s.commands if c not in own)), subject)
    if standing.overridden and s.store.test_mode:
        return Plan((*moves, *(i for i in standing.intents if not _is_effect(i))), standing.traces)
    if standing.overridden:
        is_let_go = any(_is_effect(i) for i in standing.intents)
        approved = (MoveCase(CaseEvent.APPROVED, "Carried out without a signature."),) if is_let_go else ()
        return Plan((*moves, *approved, *standing.intents, SettleTasks(TASKS)), standing.traces)
    if s.store.test_mode:
        return Plan((*moves, *standing.intents), standing.traces)
    return Plan((*moves, *standing.intents, *_go_on(s, facts, subject, standing)), standing.traces)


def _subject(s: Situation, facts: CaseFacts) -> Subject:
    # What is at stake in a cancellation is the order, even where no money was taken yet.
    amount = max(facts.cap, facts.order_total) if facts.kind == CaseKind.CANCELLATION else facts.cap
    return Subject(
        kind=CASE,
        facts=facts,
        label=facts.label,
        signers=lambda rule: signer_from("case_contact", facts, facts.label, may_forward=rule.buyer_may_forward),
        ends=lambda days: s.now + timedelta(days=days),
        amount=Money(amount, facts.currency) if facts.currency else None,
        # Neither who asks for the money nor who opened the case approves it.
        emails=frozenset({facts.contact_email.lower(), facts.opener_email.lower()} - {""}),
        users=frozenset({facts.opened_by} - {0}),
        opens=lambda _: effect_of(facts),
    )


def _is_effect(intent: Intent) -> bool:
    return isinstance(intent, Act) and intent.kind in EFFECTS


def effect_of(facts: CaseFacts) -> ActionKind:
    """Return what carries the case out: for a cancellation the money goes first, then the order."""
    if facts.kind != CaseKind.CANCELLATION:
        return ActionKind.EXECUTE_REFUND
    if facts.payment_status in VOIDABLE:
        return ActionKind.VOID_PAYMENT
    return ActionKind.EXECUTE_REFUND if facts.payment_status in TAKEN else ActionKind.CANCEL_ORDER


# While it is not signed ---------------------------------------------------------------------------------------


def _go_on(s: Situation, facts: CaseFacts, subject: Subject, standing: Standing) -> Iterator[Intent]:
    state = s.hold.state if s.hold else HoldState.NONE
    if any(a.kind in EFFECTS for a in s.open_actions):
        return
    if facts.left <= 0 and facts.quoted and facts.kind != CaseKind.CANCELLATION:
        yield MoveCase(CaseEvent.SETTLED, "Everything that it asks for was refunded by hand.")
        yield from end_all(s, "It was refunded by hand.")
        return
    if state not in SHUT and not standing.is_signed and not standing.is_asking:
        yield from _keep_waiting()  # anew as well, when it was calculated anew after it was let go
    if not standing.needs and not standing.is_asking:
        if not s.requests:
            yield AskPerson(
                "case_unruled",
                f"{facts.label}: no rule asks for a signature, and nothing is refunded without one. Send it for "
                "signature by hand, carry it out yourself, or refuse it.",
            )
        return
    if standing.is_signed:
        yield from _signed(s, facts, standing, state)
        return
    if _has_expired(standing):
        why = "Nobody approved it in time."
        yield MoveCase(CaseEvent.REFUSED, why)
        yield AskPerson("case_expired", f"{facts.label}: {why} Nothing is refunded. Tell whoever asked for it, or open "
                        "a new case.", alarm=True)  # fmt: skip
        yield from end_all(s, why)
        return
    if state in SHUT or standing.is_asking:
        yield from hold(s, subject, standing, Gate(open=effect_of(facts)))


def _keep_waiting() -> Iterator[Intent]:
    """Nothing goes on by itself, so there is nothing to hold: the case waits for a person."""
    yield MoveHold(HoldEvent.WANTED, "Nothing is refunded without a signature.", METHOD)
    yield MoveHold(HoldEvent.PLACED, "It waits for a person.")


def _signed(s: Situation, facts: CaseFacts, standing: Standing, state: HoldState) -> Iterator[Intent]:
    rules = [n.rule for n in standing.needs if n.rule is not None]
    goods_first = any(Options(OPTIONS, r.definition.options).flag("goods_first") for r in rules)
    if goods_first and not facts.goods_back and facts.kind == CaseKind.RETURN:
        yield AskPerson(
            "goods_awaited",
            f"{facts.label} is signed. It is refunded as soon as you tick on its page that the goods are back.",
        )
        return
    yield MoveCase(CaseEvent.APPROVED, "Everything that was asked is signed.")
    if state in SHUT:
        yield MoveHold(HoldEvent.ALL_GOOD, "Everything that was asked is signed.")
    yield Act(effect_of(facts), None, {"because": "signed", "requests": [r.id for r in standing.signed]})
    yield SettleTasks(TASKS)


def _has_expired(standing: Standing) -> bool:
    """Return whether a signature ran out of time, and none is asked for again."""
    if standing.is_asking:
        return False
    return any(n.latest is not None and n.latest.status is RequestStatus.EXPIRED for n in standing.blocking)


# Once it is approved ------------------------------------------------------------------------------------------


def _watch(s: Situation, facts: CaseFacts) -> Iterator[Intent]:
    """An approved case whose work ended without its money being settled goes to a person."""
    kinds = {CaseState.APPROVED: EFFECTS, CaseState.SETTLING: frozenset({ActionKind.FOLLOW_REFUND}) | EFFECTS}
    waits_for = kinds.get(CaseState(facts.state))
    if waits_for is None or any(a.kind in waits_for for a in s.open_actions):
        return
    why = "What was to be done at the store did not work."
    yield MoveCase(CaseEvent.PERSON, why)
    yield AskPerson("case_stuck", f"{facts.label}: {why} Look at its page, then try it again or refuse it.", alarm=True)


# What was pressed ---------------------------------------------------------------------------------------------

_OPEN, _STUCK = CaseState.OPEN, CaseState.STUCK
# button -> the states in which it does something
BUTTONS: dict[str, frozenset[CaseState]] = {
    "case_withdraw": frozenset({CaseState.DRAFT, CaseState.NEW, _OPEN}),
    "case_refuse": frozenset({_OPEN, _STUCK}),
    "case_paid": frozenset({CaseState.BY_HAND}),
    "case_settled": frozenset({_STUCK}),
    "case_again": frozenset({_STUCK}),
    "case_requote": frozenset({_OPEN, _STUCK}),
}


def _pressed(s: Situation, facts: CaseFacts, command: Command) -> Iterator[Intent]:
    """Yield what a button of the case's page sets going; one that comes too late does nothing."""
    # A calculation that waits for the store must keep nobody from taking the case back.
    waits_for = EFFECTS if command.kind == "case_withdraw" else EFFECTS | {ActionKind.PREPARE_CASE}
    is_busy = any(a.kind in waits_for for a in s.open_actions)
    if facts.state not in BUTTONS[command.kind] or is_busy:
        return
    yield Note(command.kind, None, {}, command.actor)
    match command.kind:
        case "case_withdraw":
            yield MoveCase(CaseEvent.WITHDRAWN, command.why or "Taken back by staff.")
            yield from end_all(s, "It was taken back.")
        case "case_refuse":
            yield MoveCase(CaseEvent.REFUSED, command.why or "Refused by staff.")
            yield from end_all(s, "It was refused.")
        case "case_paid":
            yield MoveCase(CaseEvent.SETTLED, "Paid by hand.")
        case "case_settled":
            yield MoveCase(CaseEvent.SETTLED, command.why or "A person looked it up: it is refunded.")
        case "case_again" if s.store.test_mode:
            return
        case "case_again":
            yield MoveCase(CaseEvent.AGAIN, command.why or "Tried again by staff.")
            yield Act(effect_of(facts), None, {"because": "again"})
        case "case_requote":
            yield Act(ActionKind.PREPARE_CASE, None, {"step": "quote"})
    yield SettleTasks(TASKS)
