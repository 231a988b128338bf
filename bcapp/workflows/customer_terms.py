"""Customer terms: a customer or company signs once, buys meanwhile or not, and every later order names that signature.

The record lives on, so it is judged by how things stand now: what was signed for it counts as long as the ledger says,
and is asked for again in good time before it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bcapp.core.acceptances import Cover, Covered, Named, NotCovered, RenewalDue, cover
from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, Intent, LookAt, NameCovers, Plan
from bcapp.core.kinds.company import COMPANY, INACTIVE, REJECTED, CompanyFacts
from bcapp.core.kinds.customer import CUSTOMER, CustomerFacts
from bcapp.core.kinds.kind import Kind
from bcapp.core.model import Gone, OrderFacts, RecordKey, SignatureRequest
from bcapp.core.options import Option, Options, OptionType
from bcapp.core.rules import RuleInForce, decide_rule
from bcapp.core.signers import signer_from
from bcapp.core.states import HoldState
from bcapp.workflows import gate
from bcapp.workflows.asking import Standing, Subject, ask_for_signatures, end_all, rule_traces
from bcapp.workflows.protocol import Situation

SLUG, LABEL = "customer_terms", "Customer terms"
KINDS: tuple[str, ...] = (CUSTOMER.name, COMPANY.name)
HOLDS = True
METHOD = "access"  # of the hold: account approval has another one on the same kinds of record
RENEW_SHARE = 15  # of each month that a signature counts, at most so many days before the end

OPTIONS: tuple[Option, ...] = (
    Option(
        "waiting_group",
        OptionType.NUMBER,
        "Customer group while unsigned",
        "By group number; one that sees less, or pays more. Empty leaves customers where they are.",
        between=(1, 10**9),
        kinds=("customer",),
    ),
    Option(
        "signed_group",
        OptionType.NUMBER,
        "Customer group when signed",
        "By group number. Empty puts customers back into the group where they were.",
        between=(1, 10**9),
        kinds=("customer",),
    ),
    Option(
        "credit_hold",
        OptionType.FLAG,
        "Companies cannot buy while unsigned",
        "By the credit hold of B2B Edition, which stops the purchases of all of the company’s buyers.",
        kinds=("company",),
    ),
    Option(
        "existing",
        OptionType.FLAG,
        "Also who was there before",
        "Who registered before the rule went live is asked when the account changes, such as by a move into a group.",
    ),
)
ACCESS = ("waiting_group", "signed_group", "credit_hold")
ENDED = {REJECTED: "The application was rejected.", INACTIVE: "The company is inactive."}


@dataclass(frozen=True)
class Terms(Subject):
    """A customer or company as its terms see it. covers: by rule in force, whether its party's signature counts now."""

    covers: Mapping[int, Cover] = field(default_factory=dict)

    def is_same(self, request: SignatureRequest) -> bool:
        found = self.covers.get(request.rule_id)
        if request.is_good:
            return request.simulated or not request.counts or found is None or isinstance(found, Covered)
        if not request.is_open and not request.blocks and isinstance(found, NotCovered):
            return False  # a renewal that nobody signed in time is asked once more, and now it matters
        return super().is_same(request)

    def edited(self, request: SignatureRequest) -> str:
        """Say why what was signed does not count any more; else what was edited."""
        found = self.covers.get(request.rule_id)
        if request.is_open or not isinstance(found, NotCovered | RenewalDue):
            return super().edited(request)
        return found.why or "The earlier signature does not count any more."

    def blocks(self, request: SignatureRequest) -> bool:
        return request.blocks or isinstance(self.covers.get(request.rule_id), NotCovered)

    def renews(self, request: SignatureRequest, by: Named) -> bool:
        return not request.is_open and request.created_at <= by.recorded_at


def decide(situation: Situation) -> Plan:
    """Compare what the party signed with what it should have, and return what has to happen now."""
    facts = situation.facts
    if isinstance(facts, Gone):
        return Plan(tuple(end_all(situation, "The account does not exist any more.")))
    let_go = _moved_on(situation, facts)
    facts = _as_found(situation, facts)
    s = replace(situation, facts=facts, rules=tuple(_in_force(rule, facts) for rule in situation.rules))
    subject = _subject(s, facts)
    if isinstance(facts, CompanyFacts) and facts.status in ENDED:
        return Plan(tuple(end_all(s, ENDED[facts.status])), rule_traces(s, subject))
    standing = ask_for_signatures(s, subject)
    if standing.overridden or s.store.test_mode:
        return Plan(standing.intents, standing.traces)
    return Plan((*standing.intents, *_access(s, subject, standing, let_go)), standing.traces)


def counted(rule: RuleInForce, kind: str = "") -> RuleInForce:
    """Return the rule with how its signature counts: terms are always signed for good, never for one record.

    kind: of the record; a company signs for the company. A term of a few weeks is not renewed for all of its time.
    """
    once = rule.definition.sign_once
    scope = once.scope if once.scope in ("customer", "company", "channel") else "company"
    if COMPANY.name in (kind, rule.definition.kind):
        scope = "company"
    days = min(once.renew_days, RENEW_SHARE * once.months) if once.months else once.renew_days
    once = replace(once, scope=scope, renew_days=days)
    return replace(rule, definition=replace(rule.definition, sign_once=once))


def _in_force(rule: RuleInForce, facts: Any) -> RuleInForce:
    rule = counted(rule, COMPANY.name if isinstance(facts, CompanyFacts) else CUSTOMER.name)
    asks_all = Options(OPTIONS, rule.definition.options).flag("existing")
    is_changed = rule.live_since is not None and facts.modified_at >= rule.live_since.replace(microsecond=0)
    return replace(rule, included=True) if asks_all and is_changed else rule


def _subject(s: Situation, facts: Any) -> Terms:
    kind, source = (COMPANY, "applicant") if isinstance(facts, CompanyFacts) else (CUSTOMER, "customer")
    label = kind.named(str(facts.id))
    emails = {facts.email, *(u.email for u in facts.users)} if isinstance(facts, CompanyFacts) else {facts.email}
    return Terms(
        kind=kind,
        facts=facts,
        label=label,
        signers=lambda rule: signer_from(source, facts, label, may_forward=rule.buyer_may_forward),
        ends=lambda days: s.now + timedelta(days=days),
        emails=frozenset(e.strip().lower() for e in emails) - {""},
        opens=lambda _: ActionKind.GRANT_ACCESS,
        covers=dict(_covers(s, kind)) if s.ledger is not None else {},
    )


def _covers(s: Situation, kind: Kind) -> Iterator[tuple[int, Cover]]:
    """Only rules that ask now say that a signature ended: one that is paused or off leaves what was signed alone."""
    assert s.ledger is not None
    for rule in s.rules:
        once, agreement = rule.definition.sign_once, rule.definition.agreement_id
        if rule.definition.customer and decide_rule(kind, rule, s.facts, s.reading).asks:
            yield rule.id, cover(once, agreement, s.ledger, s.now, s.reading.zone)


# Access ---------------------------------------------------------------------------------------------------


def _access(s: Situation, subject: Terms, standing: Standing, let_go: str) -> Iterator[Intent]:
    """Yield what withholds access while a signature is missing, and what grants it; nothing where no rule chose any."""
    options = _options(n.rule for n in standing.needs if n.blocks or n.state == "good")
    is_company = isinstance(subject.facts, CompanyFacts)
    chosen = ("credit_hold",) if is_company else ("waiting_group", "signed_group")
    if s.hold is None and not any(options.text(name) for name in chosen):
        return
    lapsed = any(n.latest is not None and not n.latest.blocks for n in standing.blocking)
    by = gate.Gate(ActionKind.GRANT_ACCESS, ActionKind.WITHHOLD_ACCESS, let_go, lapsed=lapsed, method=METHOD)
    for intent in gate.hold(s, subject, standing, by):
        match intent:
            case Act(kind=ActionKind.WITHHOLD_ACCESS):
                yield replace(intent, payload={"group": options.number("waiting_group")})
            case Act(kind=ActionKind.GRANT_ACCESS):
                yield replace(intent, payload={**intent.payload, "group": options.number("signed_group")})
            case _:
                yield intent


def _options(rules: Iterable[RuleInForce | None]) -> Options:
    """Return the settings of several rules as one: the first that says something about a setting counts."""
    found: dict[str, str] = {}
    for rule in rules:
        for name, value in rule.definition.options if rule else ():
            found[name] = found.get(name) or value
    return Options(OPTIONS, tuple(found.items()))


def _as_found(s: Situation, facts: Any) -> Any:
    """Return a customer whom we keep in the group of the unsigned as of the group before: rules look at that one."""
    if not isinstance(facts, CustomerFacts) or s.hold is None or s.hold.state in (HoldState.RELEASED, HoldState.NONE):
        return facts
    found, left = s.hold.found or {}, s.hold.left_as or {}
    if "group_id" not in found or facts.group_id != left.get("group_id"):
        return facts
    return replace(facts, group_id=int(found["group_id"]))


def _moved_on(s: Situation, facts: Any) -> str:
    """Tell how somebody gave an unsigned customer the access back, "" when nobody did."""
    if not isinstance(facts, CustomerFacts) or s.hold is None or s.hold.state not in (HoldState.HELD, HoldState.KEPT):
        return ""
    put_into = (s.hold.left_as or {}).get("group_id")
    if put_into is None or facts.group_id == put_into:
        return ""
    return "Someone moved the customer out of the group of the unsigned."


# Orders ---------------------------------------------------------------------------------------------------


def on_order(s: Situation, rules: tuple[RuleInForce, ...], *, is_new: bool) -> tuple[Intent, ...]:
    """Name the signature of the terms on an order of the party, though no rule of orders asks; look at who has none.

    rules: of this workflow, all that are in force. s.ledger: as the order's party has it, `named` of these rules only.
    """
    facts = s.facts
    if not isinstance(facts, OrderFacts) or facts.is_deleted or s.ledger is None:
        return ()
    named: dict[int, Named] = {}
    is_missing = False
    for rule in rules:
        definition = counted(rule).definition
        if rule.mode != "live" or not definition.customer:
            continue
        found = cover(definition.sign_once, definition.agreement_id, s.ledger, s.now, s.reading.zone)
        if isinstance(found, NotCovered):
            is_missing = True
        else:
            named[rule.id] = found
    intents: list[Intent] = []
    if {k: (c.acceptance_id, c.exemption_id) for k, c in named.items()} != dict(s.ledger.named):
        intents.append(NameCovers(named, tuple(s.ledger.named)))
    if is_new and is_missing:
        bearer = s.ledger.bearer
        intents += [LookAt(RecordKey(str(p.kind), p.id)) for p in (bearer.customer, bearer.company) if p]
    return tuple(intents)
