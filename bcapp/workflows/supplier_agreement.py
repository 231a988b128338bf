"""Supplier agreement: a supplier signs before, or while, its products are sold; they are hidden only if chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, Intent, MoveHold, Plan, SettleTasks
from bcapp.core.kinds.supplier import SUPPLIER, SupplierFacts
from bcapp.core.model import Gone, Signer
from bcapp.core.options import YES, Option, Options, OptionType
from bcapp.core.rules import RuleDefinition, RuleInForce
from bcapp.core.signers import Nobody, Requester, find_approvers, signer_from
from bcapp.core.states import HoldEvent, HoldState, Purpose
from bcapp.core.suppliers import AGREEMENT, ALL, NEW, Item, stronger
from bcapp.workflows import gate
from bcapp.workflows.asking import Need, Standing, Subject, ask_for_signatures, end_all, rule_traces
from bcapp.workflows.protocol import Situation

SLUG, LABEL = "supplier_agreement", "Supplier agreement"
KINDS: tuple[str, ...] = (SUPPLIER.name,)
OPTIONS: tuple[Option, ...] = (
    Option(
        "hide",
        OptionType.CHOICE,
        "Products while it is unsigned",
        "Products that a supplier sells already are hidden only after a person has seen on its page how many they are, "
        "where they are shown and what they sold, and has chosen it there.",
        choices=((NEW, "Hide products that are made after the invitation"), (ALL, "Hide all of its products")),
        changes_store=True,
    ),
    Option(
        "valid_months",
        OptionType.NUMBER,
        "The agreement counts for (months)",
        "Counted from the day on which it was signed; 0 counts for good.",
        "12",
        between=(0, 240),
    ),
    Option(
        "renew_days",
        OptionType.NUMBER,
        "Ask for the renewal before its end (days)",
        "Nothing is hidden while the earlier agreement still counts.",
        "30",
        between=(1, 180),
    ),
    Option(
        "own_sheet",
        OptionType.FLAG,
        "Approvers sign a sheet of their own",
        "Otherwise the approvers counter-sign the supplier's document, after the supplier.",
    ),
)
HOLDS = True

COUNTER_SIGNED = ("counter_signed", YES)
NOT_SHUT = (HoldState.NONE, HoldState.RELEASED)


def decide(situation: Situation) -> Plan:
    """Compare what the supplier signed with what is wanted of it now, and return what has to happen."""
    facts = situation.facts
    if isinstance(facts, Gone):
        return Plan(tuple(end_all(situation, "The supplier does not exist any more.")))
    s = replace(situation, rules=tuple(_counter_signed(rule) for rule in situation.rules))
    subject = _subject(s, facts)
    if facts.state != "active":
        return Plan(tuple(end_all(s, "The supplier is deactivated.")), rule_traces(s, subject))
    standing = ask_for_signatures(s, subject)
    if standing.overridden or s.store.test_mode:
        return Plan(standing.intents, standing.traces)
    told = (*_keep(s, standing), *_tell(s, facts, standing))
    return Plan((*standing.intents, *_hold(s, subject, facts, standing), *told), standing.traces)


def _counter_signed(rule: RuleInForce) -> RuleInForce:
    """Return the rule with its approvers on the supplier's document, unless they sign a sheet of their own."""
    d = rule.definition
    if not (d.internal and d.customer) or Options(OPTIONS, d.options).flag("own_sheet"):
        return rule
    return replace(rule, definition=replace(d, internal=False, options=(*d.options, COUNTER_SIGNED)))


def _subject(s: Situation, facts: SupplierFacts) -> Subject:
    contacts = [c for c in (facts.signatory, facts.operations) if c is not None]
    emails = frozenset(c.email for c in contacts)
    return Subject(
        kind=SUPPLIER,
        facts=facts,
        label=facts.label,
        signers=lambda rule: _signers(s, facts, rule, emails),
        ends=lambda days: s.now + timedelta(days=days),
        emails=emails,
        language=facts.language,
        opens=lambda _: ActionKind.SHOW_PRODUCTS,
    )


def _signers(
    s: Situation, facts: SupplierFacts, rule: RuleDefinition, emails: frozenset[str]
) -> tuple[Signer, ...] | Nobody:
    """Return the signatory, then who counter-signs the same document."""
    signatory = signer_from("supplier", facts, facts.label, may_forward=rule.buyer_may_forward)
    if isinstance(signatory, Nobody) or COUNTER_SIGNED not in rule.options:
        return signatory
    name = next((r.name for r in s.rules if r.definition == rule), "")
    ours = find_approvers(rule, name, None, facts.label, s.directory, Requester(emails=emails), s.now, s.reading.rates)
    if isinstance(ours, Nobody):
        return ours
    return (*signatory, *(replace(a, position=a.position + 1, turn=a.turn + 1) for a in ours))


# What a signature sets going ------------------------------------------------------------------------------


def _keep(s: Situation, standing: Standing) -> Iterator[Intent]:
    """Put what was signed onto the checklist, once: with the day on which it ends and is asked for again."""
    of_both = any(n.purpose is Purpose.CUSTOMER for n in standing.needs)
    rules = {n.latest.id: n.rule for n in standing.needs if n.latest is not None}
    for request in standing.signed:
        is_sheet = of_both and request.purpose is not Purpose.CUSTOMER
        # One that was let go without an answer is good for the hold, and no agreement.
        if is_sheet or not request.is_good or request.simulated or (ActionKind.KEEP_AGREEMENT, request.id) in s.acted:
            continue
        rule = rules.get(request.id)
        chosen = Options(OPTIONS, rule.definition.options if rule else ())
        days = {"months": chosen.number("valid_months"), "renew_days": chosen.number("renew_days")}
        yield Act(ActionKind.KEEP_AGREEMENT, request.id, days)


# Hiding ---------------------------------------------------------------------------------------------------


def today(s: Situation) -> date:
    return s.now.astimezone(s.reading.zone).date()


def _wanted(standing: Standing) -> list[Need]:
    return [n for n in standing.needs if n.blocks and n.state != "good" and n.rule is not None]


def hides(facts: SupplierFacts, rules: list[RuleDefinition]) -> tuple[str, tuple[int, ...]]:
    """Return which products these rules hide, "" for none, and on which channels; none of them is everywhere."""
    what, channels, is_everywhere = "", set[int](), False
    for rule in rules:
        chosen = Options(OPTIONS, rule.options).text("hide")
        if chosen:
            what = stronger(what, ALL if chosen == ALL and facts.hide_all else NEW)
            is_everywhere = is_everywhere or not rule.channels
            channels |= set(rule.channels)
    return what, () if is_everywhere else tuple(sorted(channels))


def _hold(s: Situation, subject: Subject, facts: SupplierFacts, standing: Standing) -> Iterator[Intent]:
    state = s.hold.state if s.hold else HoldState.NONE
    is_waiting = bool(standing.blocking) or standing.is_asking
    what, channels = hides(facts, [n.rule.definition for n in _wanted(standing) if n.rule])
    shut = Act(ActionKind.HIDE_PRODUCTS, None, {"hold": True, "what": what, "channels": list(channels)})
    is_busy = any(a.kind in (ActionKind.HIDE_PRODUCTS, ActionKind.SHOW_PRODUCTS) for a in s.open_actions)
    if is_waiting and state in NOT_SHUT:
        # An agreement that still counts keeps the products on the shelf while its renewal is asked for.
        if what and not facts.holds_on(today(s)):
            yield MoveHold(HoldEvent.WANTED, "A signature is wanted.", gate.METHOD)
            yield shut
        return
    for intent in gate.hold(s, subject, standing, gate.Gate(ActionKind.SHOW_PRODUCTS, ActionKind.HIDE_PRODUCTS)):
        yield shut if isinstance(intent, Act) and intent.kind is ActionKind.HIDE_PRODUCTS else intent
    if is_busy:
        return
    if not is_waiting and state in NOT_SHUT and facts.hiding:
        # Hidden when it was deactivated, and active again with nothing left to sign.
        yield Act(ActionKind.SHOW_PRODUCTS, None, {"because": "not_needed"})
    elif is_waiting and state in (HoldState.HELD, HoldState.KEPT) and what:
        # A person chose otherwise meanwhile: more are hidden, or all come back first.
        if facts.hiding == ALL and not facts.hide_all:
            yield Act(ActionKind.SHOW_PRODUCTS, None, {"because": "chosen"})
        elif stronger(facts.hiding, what) != facts.hiding:
            yield shut


# What a person is told ------------------------------------------------------------------------------------


def _tell(s: Situation, facts: SupplierFacts, standing: Standing) -> Iterator[Intent]:
    for paper in facts.papers:
        yield from _tell_paper(facts, paper, today(s))
    absent = [c for c in facts.covers if not c.ref]
    if absent:
        names = ", ".join(f"{c.kind} “{c.name}”" for c in absent[:10])
        text = (
            f"{facts.label}: the store has no such thing, or two of that name: {names}. "
            "Write it as in BigCommerce on the supplier's page, or its number with # in front."
        )
        yield AskPerson("cover_unknown", text)
    else:
        yield SettleTasks(("cover_unknown",))
    wants_all = any(
        Options(OPTIONS, n.rule.definition.options).text("hide") == ALL for n in _wanted(standing) if n.rule
    )
    if wants_all and not facts.hide_all and not facts.holds_on(today(s)):
        if facts.products:
            text = (
                f"{facts.label} is unsigned, and what it sells already stays visible. "
                "Look at the count on its page, and choose there whether to hide it."
            )
            yield AskPerson("choose_hiding", text)
    else:
        yield SettleTasks(("choose_hiding",))


def _tell_paper(facts: SupplierFacts, paper: Item, on: date) -> Iterator[Intent]:
    state = paper.state(on)
    ending, ended = f"paper_ending:{paper.name}", f"paper_ended:{paper.name}"
    what = f"{facts.label}: the {paper.label.lower()}"
    if state == "ended" and paper.name == AGREEMENT:
        yield AskPerson(ended, f"{what} ended on {paper.expires_on} and is not renewed. Look at the request, or ask "
                        "again.", alarm=True)  # fmt: skip
    elif state == "ended":
        yield AskPerson(ended, f"{what} ended on {paper.expires_on}. Ask for a new one, then enter its date on the "
                        "supplier's page.")  # fmt: skip
    elif state == "ending" and paper.name != AGREEMENT:
        yield AskPerson(ending, f"{what} ends on {paper.expires_on}. Ask for a new one, then enter its date on the "
                        "supplier's page.")  # fmt: skip
    if state != "ending":
        yield SettleTasks((ending,))
    if state != "ended":
        yield SettleTasks((ended,))
