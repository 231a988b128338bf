"""Warranty: once an order is shipped, its buyer signs for what is covered, and every piece is registered.

It lives beside order approval on the same order: it holds nothing, and what it asks keeps no hold shut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, LeaveRegistration, OpenRequest, Plan, SettleTasks
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import Gone, OrderFacts, SignatureRequest
from bcapp.core.options import Option, Options, OptionType
from bcapp.core.release import ENDED
from bcapp.core.rules import RuleDefinition, RuleInForce, RuleTrace, decide_rule
from bcapp.core.signers import signer_from
from bcapp.core.states import Purpose, RequestStatus, Wanted
from bcapp.core.warranties import (
    MOST_MONTHS,
    Cover,
    Serials,
    State,
    Terms,
    Unclear,
    are_numbers,
    covered_items,
    is_done,
    left_by_refunds,
    still_runs,
    terms_of,
)
from bcapp.workflows.asking import CANNOT_ASK, Subject, ask_for_signatures, end_all
from bcapp.workflows.protocol import Command, Situation

SLUG, LABEL = "warranty", "Warranty and maintenance"
KINDS: tuple[str, ...] = (ORDER.name,)
HOLDS = False
_CATALOG = frozenset({"catalog"})
OPTIONS: tuple[Option, ...] = (
    Option(
        "cover",
        OptionType.CHOICE,
        "What is signed",
        "How answers at the counter call it.",
        default=Cover.WARRANTY,
        choices=((Cover.WARRANTY, "A warranty"), (Cover.SERVICE, "Maintenance or service terms")),
    ),
    Option(
        "categories",
        OptionType.TEXT,
        "Covered categories",
        "Category numbers with commas between them; what stands below a category counts too. "
        "Nothing here and in the next three covers every product of the order.",
        needs=_CATALOG,
        is_read=are_numbers,
        like="Write the numbers of categories, not their names, with commas between them: 18, 23. The number stands in "
        "the address of the category’s page in the control panel.",
    ),
    Option("brands", OptionType.TEXT, "Covered brands", "Names with commas between them.", needs=_CATALOG),
    Option("products", OptionType.TEXT, "Covered products", "SKUs or product numbers with commas between them."),
    Option("custom_field", OptionType.TEXT, "Covered by a custom field", "Its name, or name = value.", needs=_CATALOG),
    Option(
        "serials",
        OptionType.CHOICE,
        "Serial numbers",
        "The document has one text box for each piece. What staff or a file gave before is printed instead.",
        default=Serials.REQUIRED,
        choices=(
            (Serials.REQUIRED, "The buyer fills them in"),
            (Serials.OPTIONAL, "The buyer may fill them in"),
            (Serials.NONE, "They are not asked for"),
        ),
    ),
    Option(
        "months",
        OptionType.NUMBER,
        "Months covered",
        "0 covers without an end.",
        default="24",
        between=(0, MOST_MONTHS),
    ),
    Option(
        "starts",
        OptionType.CHOICE,
        "Begins",
        "A store that tells no day of shipment begins it on the day on which the buyer is asked.",
        default="shipment",
        choices=(("shipment", "With the shipment"), ("order", "With the order")),
    ),
    Option("start_days", OptionType.NUMBER, "Days after the shipment", "", default="0", between=(0, 365)),
    Option(
        "renew_days",
        OptionType.NUMBER,
        "Ask for the next term this many days before the end",
        "0 or nothing: nobody is asked again.",
        between=(0, 365),
    ),
)

REFUNDED = 4  # status of an order
UNCLEAR = "warranty_refund"  # task: which piece came back


class Lines(Subject):
    """An order as its warranty sees it: what was bought is material, who pays and for how much is not."""

    def is_same(self, request: SignatureRequest) -> bool:
        if request.status is RequestStatus.DRAFT:
            # Its document is made of exactly what it was asked about, or not at all.
            return super().is_same(request)
        return _bought(request.snapshot) == _bought(self.kind.snapshot(self.facts, request.projection))


def decide(situation: Situation) -> Plan:
    """Compare what was bought with what was asked about it, and return what has to happen now."""
    s, facts = situation, situation.facts
    pressed, papers = _pressed(s)
    if isinstance(facts, Gone):
        return Plan((*end_all(s, ""), *papers))
    if facts.status_id in ENDED:
        why = "The order was refunded." if facts.status_id == REFUNDED else "The order was cancelled."
        ended = tuple(LeaveRegistration(r.id, 0, why) for r in s.registrations if still_runs(r, _today(s)))
        return Plan((*end_all(s, ""), *ended, SettleTasks((UNCLEAR,)), *papers), _traces(s, facts))
    ready, left_alone = _ready(s, facts)
    subject = Lines(
        kind=ORDER,
        facts=facts,
        label=facts.label,
        signers=lambda rule: signer_from("billing", facts, facts.label, may_forward=rule.buyer_may_forward),
        ends=lambda days: s.now + timedelta(days=days),
        emails=frozenset({facts.billing.email.strip().lower()}),
        language=facts.locale or "en",
    )
    standing = ask_for_signatures(replace(s, rules=ready, commands=pressed), subject)
    intents = [_gently(i) for i in standing.intents]
    intents += [*papers, *_settle(s), *_refunds(s, facts), *_on_paper(s)]
    return Plan(tuple(intents), (*standing.traces, *left_alone))


def _gently(intent: Intent) -> Intent:
    """Return what asking wants as it is for an order that waits for nothing: no hold kept shut, nobody woken up."""
    match intent:
        case OpenRequest():
            return replace(intent, blocks=False)
        case AskPerson(kind=kind) if kind in CANNOT_ASK:
            return replace(intent, text=f"{intent.text} Or register a form on paper under Warranties.", alarm=False)
        case _:
            return intent


def _today(s: Situation) -> date:
    return s.now.astimezone(s.reading.zone).date()


def covers(definition: RuleDefinition, facts: OrderFacts) -> bool:
    """Return whether a rule covers anything of an order."""
    return bool(covered_items(facts, terms_for(definition)))


def _bought(snapshot: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the lines of a snapshot without their money; an item's own number is not in it."""
    lines = snapshot.get("lines", ())
    return sorted((x["product"], x["variant"], x["sku"], str(x["options"]), x["quantity"]) for x in lines)


def terms_for(definition: RuleDefinition) -> Terms:
    """Return what a rule covers, and how long."""
    return terms_of(Options(OPTIONS, definition.options))


# Which rules ask ------------------------------------------------------------------------------------------


def _traces(s: Situation, facts: OrderFacts) -> tuple[RuleTrace, ...]:
    return tuple(decide_rule(ORDER, rule, facts, s.reading) for rule in s.rules)


def _ready(s: Situation, facts: OrderFacts) -> tuple[tuple[RuleInForce, ...], tuple[RuleTrace, ...]]:
    """Return the rules that may ask about the order as it stands, and why the others do not."""
    ready, traces = list[RuleInForce](), list[RuleTrace]()
    for rule in s.rules:
        why = _not_yet(s, rule, facts)
        if why is None:
            ready.append(rule)
            continue
        trace = decide_rule(ORDER, rule, facts, s.reading)
        if trace.decision in ("asks", "would_ask"):
            trace = replace(trace, decision=why[0], standing=why[0], sentence=why[1])
        traces.append(trace)
    return tuple(ready), tuple(traces)


def _not_yet(s: Situation, rule: RuleInForce, facts: OrderFacts) -> tuple[str, str] | None:
    """Return (decision, sentence) of a rule that does not ask now, None for one that may."""
    if any(r.rule_id == rule.id and r.paper_id for r in s.registrations):
        return "no_match", "It is registered by a form on paper."
    if any(r.rule_id == rule.id for r in s.requests):
        return None  # it was asked: what follows is a matter of the request
    if facts.is_deleted:
        return "no_match", "The order is archived."
    if not covers(rule.definition, facts):
        return "no_match", "It has no covered product."
    if not is_done(facts):
        return "not_placed", "It is asked when everything is shipped, or the order is completed."
    return None


# What was pressed -----------------------------------------------------------------------------------------


def _pressed(s: Situation) -> tuple[tuple[Command, ...], list[Intent]]:
    """Return the buttons that asking carries out, and what follows from those of registrations."""
    pressed, intents = list[Command](), list[Intent]()
    for command in s.commands:
        match command.kind:
            case "register":
                intents.append(Act(ActionKind.REGISTER_WARRANTY, None, {"paper": int(command.payload["paper"])}))
            case "renew":
                signed = next((r for r in s.requests if r.id == command.request_id), None)
                if signed is not None and any(rule.id == signed.rule_id for rule in s.rules):
                    pressed.append(replace(command, kind="ask_again"))
                else:
                    text = f"{ORDER.named(s.record.id)}: its cover ends soon, and no rule asks for the next term."
                    intents.append(AskPerson("renewal_not_asked", text, command.request_id or None))
            case _:
                pressed.append(command)
    return tuple(pressed), intents


# What follows ---------------------------------------------------------------------------------------------


def _settle(s: Situation) -> Iterator[Intent]:
    """Yield, once for each request that came to its end, what puts it into the register."""
    latest = {r.rule_id: r.id for r in s.requests if r.purpose is Purpose.CUSTOMER}
    for request in s.requests:
        if request.purpose is not Purpose.CUSTOMER or (ActionKind.REGISTER_WARRANTY, request.id) in s.acted:
            continue
        if request.is_good:
            yield Act(ActionKind.REGISTER_WARRANTY, request.id, {"why": ""})
        elif latest[request.rule_id] == request.id and (why := _lost(request)):
            yield Act(ActionKind.REGISTER_WARRANTY, request.id, {"why": why})


def _lost(request: SignatureRequest) -> str:
    """Return why nothing is activated by a request, "" while it may still be, or was only replaced."""
    if request.status is RequestStatus.DECLINED:
        return "the buyer declined"
    if request.status is RequestStatus.EXPIRED:
        return "nobody signed in time"
    if request.wanted is Wanted.CANCEL and request.wanted_why == "staff" and request.status.is_end:
        return "" if request.status is RequestStatus.COMPLETED else "the request was taken back"
    return ""


def _refunds(s: Situation, facts: OrderFacts) -> Iterator[Intent]:
    """Yield what ends because lines were refunded; which of several numbered pieces came back, a person says."""
    unclear = False
    for found in left_by_refunds(s.registrations, facts, _today(s)):
        if isinstance(found, Unclear):
            unclear = True
            text = (
                f"{facts.label}: {found.came_back} of {found.of} pieces with serial numbers came back. Open its "
                "registrations and end those."
            )
            yield AskPerson(UNCLEAR, text)
        else:
            yield LeaveRegistration(found.registration_id, found.quantity, found.why)
    if not unclear and s.registrations:
        yield SettleTasks((UNCLEAR,))


def _on_paper(s: Situation) -> Iterator[Intent]:
    """Yield what takes back requests whose buyer has signed on paper meanwhile."""
    on_paper = {r.rule_id for r in s.registrations if r.paper_id and r.state is State.ACTIVE}
    for request in s.requests:
        if request.is_open and request.rule_id in on_paper:
            yield CancelRequest(request.id, "record")
