"""Account approval: a company or a customer waits until the application is signed and the credit manager agreed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bcapp.core import accounts
from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, CancelRequest, Intent, Note, Plan, SettleTasks
from bcapp.core.kinds.company import APPROVED, COMPANY, INACTIVE, PENDING, REJECTED, CompanyFacts
from bcapp.core.kinds.customer import CUSTOMER, CustomerFacts
from bcapp.core.model import Gone, Money
from bcapp.core.options import Option, Options
from bcapp.core.papers import LABELS, lacking, needed
from bcapp.core.rules import RuleInForce, RuleTrace
from bcapp.core.signers import signer_from
from bcapp.core.states import HoldState, Purpose
from bcapp.workflows import gate
from bcapp.workflows.asking import Past, Standing, Subject, ask_for_signatures, end_all, rule_traces
from bcapp.workflows.protocol import Situation

SLUG, LABEL = "account_approval", "Account approval"
KINDS: tuple[str, ...] = (COMPANY.name, CUSTOMER.name)
OPTIONS: tuple[Option, ...] = accounts.OPTIONS
HOLDS = True

ENDED = {
    REJECTED: "The application was rejected.",
    INACTIVE: "The company is inactive: nobody acts for it any more.",
}
LET_IN = (HoldState.RELEASED, HoldState.OVERRIDDEN, HoldState.BYPASSED, HoldState.REFUSED)
TASKS = ("lacks", "let_in", "set_back", "edited_after_approval", "limit_unclear", "not_all_set")


def decide(situation: Situation) -> Plan:
    """Compare what the account is with what was asked about it, and return what has to happen now."""
    facts = situation.facts
    if isinstance(facts, Gone):
        return Plan((*end_all(situation, "The account does not exist any more."), SettleTasks(TASKS)))
    undone, situation = _without_undo(situation)
    if isinstance(facts, CompanyFacts):
        plan = _company(situation, facts)
    else:
        plan = _customer(situation, facts)
    return replace(plan, intents=(*undone, *plan.intents, *_papers_end(situation)))


def _papers_end(s: Situation) -> Iterator[Intent]:
    """Say in time, and then once more, that a paper which was accepted ends."""
    today = s.now.astimezone(s.reading.zone).date()
    for paper in s.papers:
        state, what = paper.state(today), LABELS.get(paper.name, paper.name)
        ending, ended = f"paper_ending:{paper.name}", f"paper_ended:{paper.name}"
        if state == "ending":
            yield AskPerson(ending, f"{what} of this account ends on {paper.expires_on}. Ask for a new one, then "
                            "upload it on the account’s page.")  # fmt: skip
        else:
            yield SettleTasks((ending,))
        if state == "ended":
            yield AskPerson(ended, f"{what} of this account ended on {paper.expires_on}. Nothing was taken away by "
                            "itself: upload a new one, or undo the approval.", alarm=True)  # fmt: skip
        else:
            yield SettleTasks((ended,))


def _without_undo(s: Situation) -> tuple[tuple[Intent, ...], Situation]:
    """Take out the button that gives an account back what it had before it was approved."""
    pressed = [c for c in s.commands if c.kind == "undo"]
    if not pressed:
        return (), s
    intents = (Act(ActionKind.UNDO_ACCOUNT), Note("account_undone", None, {}, pressed[0].actor))
    return intents, replace(s, commands=tuple(c for c in s.commands if c.kind != "undo"))


# Companies ------------------------------------------------------------------------------------------------


def _company(s: Situation, facts: CompanyFacts) -> Plan:
    label = COMPANY.named(str(facts.id))
    s, passed, taken_back = _without_subsidiaries(s, facts)
    subject = Subject(
        kind=COMPANY,
        facts=facts,
        label=label,
        signers=lambda rule: signer_from("applicant", facts, label, may_forward=rule.buyer_may_forward),
        ends=lambda days: s.now + timedelta(days=days),
        amount=_amount(s, facts),
        emails=frozenset(e.strip().lower() for e in (facts.email, *(u.email for u in facts.users))) - {""},
        past=_past(label) if facts.status == APPROVED else None,
        opens=lambda _: ActionKind.APPROVE_ACCOUNT,
    )
    if facts.status in ENDED:
        return Plan(tuple(end_all(s, ENDED[facts.status])), (*passed, *rule_traces(s, subject)))
    standing = ask_for_signatures(s, subject)
    traces = (*passed, *standing.traces)
    if standing.overridden or s.store.test_mode:
        return Plan((*taken_back, *standing.intents), traces)
    let_go = "Someone approved it before it was signed." if facts.status == APPROVED else ""
    return Plan(
        (
            *taken_back,
            *standing.intents,
            *gate.hold(s, subject, standing, _gate(let_go, _lacks(s, standing))),
            *_attach(s, standing),
            *_set_back(s, standing, facts.status == PENDING, label),
        ),
        traces,
    )


def _gate(let_go: str, lacks: str) -> gate.Gate:
    return gate.Gate(open=ActionKind.APPROVE_ACCOUNT, shut=ActionKind.HOLD_ACCOUNT, let_go=let_go, lacks=lacks)


def _lacks(s: Situation, standing: Standing) -> str:
    """Tell which papers a signed account still waits for, "" when it waits for none."""
    signed_for = {request.rule_id for request in standing.signed}
    missing: dict[str, None] = {}
    for rule in s.rules:
        options = Options(OPTIONS, rule.definition.options)
        if rule.id in signed_for and options.flag("wait_papers"):
            today = s.now.astimezone(s.reading.zone).date()
            missing |= dict.fromkeys(lacking(needed(accounts.papers_asked(options), s.papers), today))
    if not missing:
        return ""
    return (
        f"It waits for papers that nobody has accepted yet: {', '.join(missing)}. Look at them below, or upload them."
    )


def _past(label: str) -> Past:
    return Past(
        ("let_in", f"{label} was approved before anybody signed for it. Send it for signature by hand, or set it back "
         "to pending in BigCommerce."),
        ("edited_after_approval", f"{label} was changed after it was signed, and it is approved already. If the change "
         "matters, ask again."),
    )  # fmt: skip


def _without_subsidiaries(s: Situation, facts: CompanyFacts) -> tuple[Situation, tuple[RuleTrace, ...], list[Intent]]:
    """Leave aside the rules by which the signature of the company above counts for this one, and what they asked."""
    passed = {r.id: r for r in s.rules if comes_in_with(r, facts)}
    if not passed:
        return s, (), []
    subject = Subject(COMPANY, facts, "", lambda _: (), lambda _: s.now)
    traces = rule_traces(replace(s, rules=tuple(passed.values())), subject)
    told = tuple(_covered(trace, comes_in_with(passed[trace.rule_id], facts)) for trace in traces)
    unsigned = [r for r in s.requests if r.rule_id in passed and not r.is_good]
    taken_back: list[Intent] = [CancelRequest(r.id, "record") for r in unsigned if r.is_open]
    rules = tuple(r for r in s.rules if r.id not in passed)
    return replace(s, rules=rules, requests=tuple(r for r in s.requests if r not in unsigned)), told, taken_back


def comes_in_with(rule: RuleInForce, facts: Any) -> str:
    """Tell whose approval lets the account in without a signature of its own, "" when it signs for itself."""
    if isinstance(facts, CustomerFacts):
        # Whoever acts for a company comes in with it: the company signs, and each of its buyers does not.
        acts_for = facts.company_id
        return f"The customer acts for company {acts_for}, which is approved as a whole." if acts_for else ""
    counts_below = Options(OPTIONS, rule.definition.options).flag("subsidiaries")
    if facts.parent_id and facts.parent_status == APPROVED and counts_below:
        return f"It stands below company {facts.parent_id}, which is approved: no signature of its own is asked."
    return ""


def _covered(trace: RuleTrace, sentence: str) -> RuleTrace:
    return replace(trace, decision="covered", standing="covered", sentence=sentence) if trace.asks else trace


def _amount(s: Situation, facts: CompanyFacts) -> Money | None:
    """Return the credit asked for, as the first rule that names a field for it reads it."""
    for rule in s.rules:
        name = Options(OPTIONS, rule.definition.options).text("credit_field")
        if name:
            return accounts.credit_asked(facts.extra_fields, name, facts.currency)
    return None


def _attach(s: Situation, standing: Standing) -> Iterator[Intent]:
    """Every signed agreement of a company hangs on the company, once. Internal sheets do not."""
    for request in standing.signed:
        is_new = (ActionKind.ATTACH_TO_COMPANY, request.id) not in s.acted
        if request.purpose is Purpose.CUSTOMER and is_new:
            yield Act(ActionKind.ATTACH_TO_COMPANY, request.id)


def _set_back(s: Situation, standing: Standing, is_waiting: bool, label: str) -> Iterator[Intent]:
    """Somebody put an account back to waiting although it is signed: a person's word, so a person is asked."""
    state = s.hold.state if s.hold else HoldState.NONE
    is_busy = any(a.kind in (ActionKind.APPROVE_ACCOUNT, ActionKind.UNDO_ACCOUNT) for a in s.open_actions)
    if state is HoldState.RELEASED and standing.is_signed and is_waiting and not is_busy:
        yield AskPerson(
            "set_back", f"{label} is signed, and was set back to pending. Ask again, or approve it in BigCommerce."
        )
    elif not is_waiting:
        yield SettleTasks(("set_back",))


# Customers ------------------------------------------------------------------------------------------------


def _customer(s: Situation, facts: CustomerFacts) -> Plan:
    label = CUSTOMER.named(str(facts.id))
    hold = s.hold
    was_let_in = hold is None and any(r.is_good for r in s.requests)  # another workflow may have the hold by now
    is_in = was_let_in or (hold is not None and hold.state in LET_IN)
    subject = Subject(
        kind=CUSTOMER,
        facts=facts,
        label=label,
        signers=lambda rule: signer_from("customer", facts, label, may_forward=rule.buyer_may_forward),
        ends=lambda days: s.now + timedelta(days=days),
        emails=frozenset({facts.email.strip().lower()}) - {""},
        past=_past(label) if is_in else None,
        opens=lambda _: ActionKind.APPROVE_ACCOUNT,
    )
    if facts.company_id:
        traces = tuple(
            _covered(trace, comes_in_with(rule, facts))
            for trace, rule in zip(rule_traces(s, subject), s.rules, strict=True)
        )
        return Plan(tuple(end_all(s, "The customer acts for a company.")) if s.requests else (), traces)
    standing = ask_for_signatures(s, subject)
    if standing.overridden or s.store.test_mode:
        return Plan(standing.intents, standing.traces)
    let_go = _moved_on(s, facts)
    return Plan(
        (*standing.intents, *gate.hold(s, subject, standing, _gate(let_go, _lacks(s, standing)))), standing.traces
    )


def _moved_on(s: Situation, facts: CustomerFacts) -> str:
    """Tell how somebody took a waiting customer out of the applicants' group, "" when nobody did."""
    put_into = (s.hold.left_as or {}).get("group_id") if s.hold else None
    if put_into is None or s.hold is None or s.hold.state not in (HoldState.HELD, HoldState.KEPT):
        return ""
    return "" if facts.group_id == put_into else "Someone moved the customer out of the applicants’ group."


def rules_with_options(rules: tuple[RuleInForce, ...]) -> Options:
    """Return the settings of several rules as one."""
    return Options(OPTIONS, accounts.merged(dict(rule.definition.options) for rule in rules))
