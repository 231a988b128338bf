"""Offer approval: a promotion stays off, and a quote closed for checkout, until discount and margin are signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, Intent, LookAt, MoveHold, Plan, SettleTasks
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.kinds.price_list import PRICE_LIST, PriceListFacts
from bcapp.core.kinds.promotion import PROMOTION, PromotionFacts
from bcapp.core.kinds.quote import DRAFT, ENDED, ORDERED, QUOTE, STATUS_WORDS, QuoteFacts
from bcapp.core.model import Gone, RecordKey
from bcapp.core.offers import DISABLED, StartPassed
from bcapp.core.options import YES, Option, Options, OptionType
from bcapp.core.rules import RuleDefinition, RuleInForce, RuleTrace, decide_rule
from bcapp.core.signers import NO_ADDRESS, Nobody, signer_from
from bcapp.core.states import HoldEvent, HoldState, Purpose
from bcapp.workflows import gate
from bcapp.workflows.asking import Past, Standing, Subject, ask_for_signatures, end_all, rule_traces
from bcapp.workflows.gate import Gate
from bcapp.workflows.protocol import Situation

SLUG, LABEL = "offer_approval", "Offer approval"
KINDS: tuple[str, ...] = (PROMOTION.name, QUOTE.name, OWN_QUOTE.name, PRICE_LIST.name)
HOLDS = True
OPTIONS: tuple[Option, ...] = (
    Option(
        "hold_running",
        OptionType.FLAG,
        "Also switch off a promotion that is running already",
        "Otherwise a promotion that shoppers can use when it is found, or edited while it runs, is only reported.",
        changes_store=True,
        kinds=(PROMOTION.name,),
    ),
    Option(
        "drafts",
        OptionType.FLAG,
        "Also ask for promotions that are switched off, and switch them on when they are signed",
        "Set a promotion up switched off, and nobody can use it before it is signed. Likewise, the checkout of a quote "
        "that was closed is opened when it is signed.",
        kinds=(PROMOTION.name, QUOTE.name),
    ),
    Option(
        "send_quote",
        OptionType.FLAG,
        "Send a quote to its buyer when it is signed",
        "By the store’s own mail for quotes, with a link to the checkout.",
        default=YES,
        kinds=(QUOTE.name,),
    ),
    Option(
        "start_passed",
        OptionType.CHOICE,
        "When it is signed after its start",
        "Its dates are signed as well, so they are never moved.",
        default=StartPassed.ALERT,
        choices=(
            (StartPassed.DELAY, "Switch it on then; it ends as planned"),
            (StartPassed.CANCEL, "Leave it off"),
            (StartPassed.ALERT, "Leave it off and tell us"),
        ),
        kinds=(PROMOTION.name,),
    ),
)

OPEN_HOLD = (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT, HoldState.RELEASING, HoldState.JOINED)
LEAST_TIME = timedelta(hours=1)  # to sign, however near the start is


def decide(situation: Situation) -> Plan:
    """Compare what the offer is with what was asked about it, and return what has to happen now."""
    facts = situation.facts
    if isinstance(facts, Gone):
        return Plan(tuple(end_all(situation, "The offer does not exist any more.")))
    if isinstance(facts, QuoteFacts):
        return _quote(situation, facts)
    if isinstance(facts, PriceListFacts):
        return _price_list(situation, facts)
    return _promotion(situation, facts)


# Promotions -----------------------------------------------------------------------------------------------


def _promotion(s: Situation, facts: PromotionFacts) -> Plan:
    asked, left_alone = _for_its_state(s, facts)
    subject = _subject(asked, facts)
    if facts.has_ended(s.now):
        return Plan(tuple(end_all(s, "The promotion ended.")), (*rule_traces(asked, subject), *left_alone))
    standing = ask_for_signatures(asked, subject)
    traces = (*standing.traces, *left_alone)
    if standing.overridden or s.store.test_mode:
        return Plan(standing.intents, traces)
    held = (*gate.hold(asked, subject, standing, _gate(s, facts)), *_held_by_others(s, facts, standing))
    return Plan((*standing.intents, *_with(held, standing, _is_left_off(s)), *_codes(s, facts, standing)), traces)


def _held_by_others(s: Situation, facts: PromotionFacts, standing: Standing) -> Iterator[Intent]:
    """Yield what follows for a promotion that somebody else had switched off before we could."""
    if s.hold is None or s.hold.state is not HoldState.JOINED:
        return
    label = PROMOTION.named(str(facts.id))
    if facts.is_on and (standing.blocking or standing.is_asking):
        yield MoveHold(HoldEvent.WANTED, "It was switched on, and it is not signed.", gate.METHOD)
        yield Act(ActionKind.SWITCH_OFF_PROMOTION)
    elif not facts.is_on and standing.is_signed:
        yield AskPerson("offer_kept_off", f"{label} is signed. Somebody else switched it off: switch it on when you "
                        "are ready.")  # fmt: skip


def _is_left_off(s: Situation) -> bool:
    """Tell whether it is off because we left it so, such as after its start had passed: signed anew, it goes on."""
    was = (s.hold.left_as or {}).get("status") if s.hold is not None else None
    return s.hold is not None and s.hold.state is HoldState.RELEASED and was == DISABLED


def _for_its_state(s: Situation, facts: PromotionFacts) -> tuple[Situation, tuple[RuleTrace, ...]]:
    """Leave out rules that ask nothing of a promotion that is off, unless we switched it off or it was asked for."""
    if facts.is_on or s.requests or (s.hold is not None and s.hold.state in OPEN_HOLD):
        return s, ()
    rules = [(rule, _options(rule.definition).flag("drafts")) for rule in s.rules]
    why = "It is switched off. The rule asks when it is switched on, or at once if its settings say so."
    traces = tuple(RuleTrace(r.id, r.version, r.name, "not_placed", why) for r, drafts in rules if not drafts)
    return replace(s, rules=tuple(rule for rule, drafts in rules if drafts)), traces


def _options(definition: RuleDefinition) -> Options:
    return Options(OPTIONS, definition.options)


def _subject(s: Situation, facts: PromotionFacts) -> Subject:
    label = PROMOTION.named(str(facts.id))
    return Subject(
        kind=PROMOTION,
        facts=facts,
        label=label,
        signers=lambda _: Nobody(
            NO_ADDRESS, f"{label} names no customer. Choose approvers in the rule, or send it for signature by hand."
        ),
        ends=lambda days: _expiry(s, facts, days),
        amount=facts.budget,
        past=_past(s, facts, label),
        opens=lambda _: ActionKind.SWITCH_ON_PROMOTION,
    )


def _past(s: Situation, facts: PromotionFacts, label: str) -> Past | None:
    """Return what is told of a promotion that runs and may not be switched off; None when it may, or is not running."""
    if not facts.is_running(s.now) or (s.hold is not None and s.hold.state in OPEN_HOLD):
        return None
    asks = (r for r in s.rules if decide_rule(PROMOTION, r, facts, s.reading).asks)
    if any(rule.included or _options(rule.definition).flag("hold_running") for rule in asks):
        return None  # chosen for all of them, or ticked when the rule went live
    used = f"It was used {facts.current_uses} times so far."
    return Past(
        ("offer_unapproved", f"{label} runs without a signature. {used} Send it for signature, or switch it off."),
        ("offer_edited", f"{label} was edited after it was signed, and it is running. {used} Send it for signature "
         "by hand, or switch it off."),
    )  # fmt: skip


def _expiry(s: Situation, facts: PromotionFacts, days: int) -> datetime:
    """Return when a request ends by itself: with its start, unless a rule lets it start late; never after its end."""
    ends = s.now + timedelta(days=days)
    if facts.starts_at is not None and facts.starts_at > s.now and not _may_start_late(s.rules):
        ends = min(ends, facts.starts_at)
    if facts.ends_at is not None:
        ends = min(ends, facts.ends_at)
    return max(ends, s.now + LEAST_TIME)


def _may_start_late(rules: Iterable[RuleInForce]) -> bool:
    choices = [_options(rule.definition).text("start_passed") for rule in rules]
    return bool(choices) and all(choice == StartPassed.DELAY for choice in choices)


def _gate(s: Situation, facts: PromotionFacts) -> Gate:
    is_let_go = facts.is_on and s.hold is not None and s.hold.state in (HoldState.HELD, HoldState.KEPT)
    return Gate(
        open=ActionKind.SWITCH_ON_PROMOTION,
        shut=ActionKind.SWITCH_OFF_PROMOTION,
        let_go="Somebody switched it on before it was signed." if is_let_go else "",
    )


def _codes(s: Situation, facts: PromotionFacts, standing: Standing) -> Iterator[Intent]:
    """Yield a code of its own for every customer who signed: a promotion can be limited to a group and to nobody."""
    if not facts.takes_codes:
        return
    for request in standing.signed:
        if request.purpose is Purpose.CUSTOMER and (ActionKind.GIVE_CODE, request.id) not in s.acted:
            yield Act(ActionKind.GIVE_CODE, request.id)


def _settings(rules: Iterable[RuleInForce]) -> dict[str, str | bool]:
    """Return what the actions have to know of the rules that ask: the strictest of their settings."""
    options = [_options(rule.definition) for rule in rules]
    order = (StartPassed.CANCEL, StartPassed.ALERT, StartPassed.DELAY)
    chosen = {o.text("start_passed") for o in options}
    return {
        "start_passed": next((c for c in order if c in chosen), StartPassed.ALERT),
        "drafts": bool(options) and all(o.flag("drafts") for o in options),
        "send": any(o.flag("send_quote") for o in options),
    }


def _with(intents: Iterable[Intent], standing: Standing, drafts: bool = False) -> Iterator[Intent]:
    """Yield the intents, each action with what it has to know. drafts: it is ours to switch on, though found off."""
    settings = _settings(n.rule for n in standing.needs if n.rule is not None)
    settings["drafts"] = drafts or settings["drafts"]
    for intent in intents:
        yield replace(intent, payload={**intent.payload, **settings}) if isinstance(intent, Act) else intent


# Quotes ---------------------------------------------------------------------------------------------------


def _quote(s: Situation, facts: QuoteFacts) -> Plan:
    is_own = s.record.kind == OWN_QUOTE.name
    kind = OWN_QUOTE if is_own else QUOTE
    label = kind.named(str(facts.id))
    subject = Subject(
        kind=kind,
        facts=facts,
        label=label,
        signers=lambda rule: signer_from("quote_buyer", facts, label, may_forward=rule.buyer_may_forward),
        ends=lambda days: _quote_expiry(s, facts, days),
        amount=facts.total,
        emails=frozenset({e for e in (facts.rep_email, facts.contact_email) if e}),
        opens=lambda _: ActionKind.OPEN_QUOTE,
    )
    is_held = s.hold is not None and s.hold.state in (HoldState.HELD, HoldState.KEPT)
    if facts.status in ENDED:
        intents = list(end_all(s, f"The quote is {STATUS_WORDS[facts.status].lower()}."))
        if is_held and facts.status == ORDERED:
            order = f"order {facts.order_id}" if facts.order_id else "an order"
            text = f"{label} was turned into {order} before it was signed. Look at the order before it is shipped."
            intents.append(AskPerson("quote_ordered_unsigned", text, alarm=True))
        if is_own and facts.allow_checkout and not any(a.kind == ActionKind.SHUT_QUOTE for a in s.open_actions):
            intents.append(Act(ActionKind.SHUT_QUOTE))
        if facts.order_id and s.requests:
            # Whether its order is covered was not known before the store had joined the two.
            intents.append(LookAt(RecordKey("order", str(facts.order_id))))
        return Plan(tuple(intents), rule_traces(s, subject))
    standing = ask_for_signatures(s, subject)
    if standing.overridden or s.store.test_mode:
        return Plan(standing.intents, standing.traces)
    if is_own:
        # It is shut by there being no cart, which nobody but us makes.
        own = (*gate.hold(s, subject, standing, Gate(open=ActionKind.OPEN_QUOTE, shut=ActionKind.SHUT_QUOTE)),)
        return Plan((*standing.intents, *own, *_unasked(s, facts, label, standing)), standing.traces)
    let_go = "Somebody opened its checkout before it was signed." if is_held and facts.allow_checkout else ""
    shut = Gate(open=ActionKind.OPEN_QUOTE, shut=ActionKind.SHUT_QUOTE, let_go=let_go)
    held = gate.hold(s, subject, standing, shut)
    return Plan((*standing.intents, *_with(held, standing)), standing.traces)


def _unasked(s: Situation, facts: QuoteFacts, label: str, standing: Standing) -> Iterator[Intent]:
    """Yield what a person is told of a quote that waits for nothing and is not sent: it is never sent unsigned."""
    if facts.status == DRAFT:
        yield AskPerson("own_quote_line", f"{label}: a line names a SKU that the store does not have, or has twice. "
                        "Change the quote, and it is asked about.")  # fmt: skip
        return
    yield SettleTasks(("own_quote_line",))
    if standing.is_asking or standing.blocking:
        yield SettleTasks(("own_quote_unasked",))
    elif not standing.needs and not facts.allow_checkout and s.hold is None:
        yield AskPerson("own_quote_unasked", f"{label}: no rule asks for a signature, so it was not sent. Send it for "
                        "signature by hand on its page; once it is signed, its buyer gets the link.")  # fmt: skip
    elif standing.is_signed and s.hold is None:
        # An earlier signature covers it: nothing had to wait.
        why = "An earlier signature covers it."
        yield MoveHold(HoldEvent.WANTED, why, gate.METHOD)
        yield MoveHold(HoldEvent.PLACED, why)
        yield MoveHold(HoldEvent.ALL_GOOD, why)
        yield Act(ActionKind.OPEN_QUOTE, None, {"because": "signed", "requests": []})
    elif standing.is_signed and not facts.allow_checkout and _was_released(s):
        yield AskPerson("own_quote_unasked", f"{label} is signed as it stands now, and its buyer has no link that "
                        "works. Press “Send again” on its page.")  # fmt: skip


def _was_released(s: Situation) -> bool:
    is_busy = any(a.kind in (ActionKind.OPEN_QUOTE, ActionKind.SHUT_QUOTE) for a in s.open_actions)
    return s.hold is not None and s.hold.state is HoldState.RELEASED and not is_busy


def _quote_expiry(s: Situation, facts: QuoteFacts, days: int) -> datetime:
    ends = s.now + timedelta(days=days)
    return max(min(ends, facts.expires_at or ends), s.now + LEAST_TIME)


# Price lists ----------------------------------------------------------------------------------------------


def _price_list(s: Situation, facts: PriceListFacts) -> Plan:
    """A change of prices is told, and signed as it is in force: nothing could hold a price list without harm."""
    label = PRICE_LIST.named(str(facts.id))
    subject = Subject(
        kind=PRICE_LIST,
        facts=facts,
        label=label,
        signers=lambda _: Nobody(NO_ADDRESS, f"{label} names no customer. Choose approvers in the rule."),
        ends=lambda days: s.now + timedelta(days=days),
    )
    standing = ask_for_signatures(s, subject)
    tasks: tuple[Intent, ...] = ()
    if standing.asked and not s.store.test_mode:
        text = f"{label} was changed, and its prices are in force. Its approvers are asked to sign it as it is."
        tasks = (AskPerson("price_list_changed", text),)
    elif standing.is_signed:
        tasks = (SettleTasks(("price_list_changed",)),)
    return Plan((*standing.intents, *tasks), standing.traces)
