"""Who signs: a rule's named people, limits table or approval limits, with deputies; never who asked for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core.directory import Directory, Person
from bcapp.core.kinds.case import CaseFacts
from bcapp.core.kinds.company import CompanyFacts
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.kinds.quote import QuoteFacts
from bcapp.core.kinds.supplier import SupplierFacts
from bcapp.core.model import Money, OrderFacts, Signer
from bcapp.core.money import RateTable, parse_money, written
from bcapp.core.rules import Band, RuleDefinition
from bcapp.core.states import SignerRole, SignerState

NO_ADDRESS, AWAY, NO_LIMIT, NO_BAND = "no_address", "away", "no_limit", "no_band"
NO_OTHER_APPROVER = "no_other_approver"
UNKNOWN_REQUESTER = "unknown_requester"

# Marketplaces give the seller an address of their own for each buyer. What they pass on has its links and attachments
# taken out, so an invitation would never be signed. Written by no vendor of ours in one place: what connectors bring.
MARKETPLACE = re.compile(
    r"@(?:[a-z0-9-]+\.)*(?:marketplace\.amazon|members\.ebay|relay\.walmart)\.(?:com|ca|co|de|fr|es|it|nl|se|pl|in|ie|at|ch)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Nobody:
    """Nobody can be asked. outcome: one of the names above. sentence: why, and what a person can do about it."""

    outcome: str
    sentence: str


@dataclass(frozen=True)
class Party:
    """Somebody outside the directory, as the record names them. email: lower case."""

    name: str
    email: str


@dataclass(frozen=True)
class Requester:
    """Who asked for what is to be approved: people of the directory and addresses, lower case; neither: unknown.

    by_staff: some user of the store asked in the name of these addresses, and nobody knows who. Then it could be the
    very person whose limit covers it, so people have to be named.
    """

    people: frozenset[int] = frozenset()
    emails: frozenset[str] = frozenset()
    by_staff: bool = False

    @property
    def is_known(self) -> bool:
        return bool(self.people or (self.emails and not self.by_staff))

    def is_person(self, person: Person) -> bool:
        return person.id in self.people or person.email.lower() in self.emails


# Signers from fields --------------------------------------------------------------------------------------


def billing_party(facts: OrderFacts) -> Party | None:
    """Return the buyer as the order's billing address names them; None without an e-mail address."""
    email = facts.billing.email.strip().lower()
    if "@" not in email:
        return None
    return Party(facts.billing.name or facts.billing.company or email, email)


def company_applicant(facts: CompanyFacts) -> Party | None:
    """Return who applied for the company's account; None when nobody may act for it."""
    user = facts.applicant
    if user is None or "@" not in user.email:
        return None
    return Party(user.name or user.email, user.email.lower())


def account_holder(facts: CustomerFacts) -> Party | None:
    """Return the customer as the account names them."""
    email = facts.email.strip().lower()
    return Party(facts.name or facts.company or email, email) if "@" in email else None


def supplier_signatory(facts: SupplierFacts) -> Party | None:
    """Return who signs for the supplier."""
    return Party(facts.signatory.name, facts.signatory.email) if facts.signatory else None


def case_contact(facts: CaseFacts) -> Party | None:
    """Return the customer whom a case is for."""
    email = facts.contact_email.strip().lower()
    return Party(facts.contact_name or email, email) if "@" in email else None


def quote_buyer(facts: QuoteFacts) -> Party | None:
    """Return the buyer whom a quote is for."""
    return Party(facts.contact_name or facts.contact_email, facts.contact_email) if "@" in facts.contact_email else None


# source -> who stands there. A workflow with another signatory (an applicant, a supplier) adds its own line.
SOURCES: dict[str, Callable[[Any], Party | None]] = {
    "billing": billing_party,
    "applicant": company_applicant,
    "customer": account_holder,
    "case_contact": case_contact,
    "supplier": supplier_signatory,
    "quote_buyer": quote_buyer,
}


def signer_from(source: str, facts: Any, label: str, *, may_forward: bool = False) -> tuple[Signer, ...] | Nobody:
    """Return the one signer that a field of the record names. label: the record, for the sentence."""
    party = SOURCES[source](facts)
    if party is None:
        return Nobody(
            NO_ADDRESS, f"{label} has no e-mail address to ask. Add one there, or send it for signature by hand."
        )
    if MARKETPLACE.search(party.email):
        return Nobody(
            NO_ADDRESS,
            f"{label} has only the address that a marketplace made up, which passes on no links. Ask the buyer for "
            "another one and enter it there, or send it for signature by hand.",
        )
    return (Signer(0, 1, party.name, party.email, may_forward=may_forward),)


# The limits table -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BandRange:
    """What one line covers in one currency: more than `above` (None: from zero on), up to and with `up_to`."""

    above: Decimal | None
    up_to: Decimal | None  # None: without end
    band: Band

    def covers(self, amount: Decimal) -> bool:
        return (self.above is None or amount > self.above) and (self.up_to is None or amount <= self.up_to)


def band_ranges(bands: Sequence[Band], currency: str) -> tuple[BandRange, ...]:
    """Return what each line covers in a currency, lowest first, without overlap.

    A line without an amount takes everything above the others, and whole currencies that no line names.
    """
    ranges: list[BandRange] = []
    for band in bands:
        above = ranges[-1].up_to if ranges else None
        if not band.up_to:
            return (*ranges, BandRange(above, None, band))
        limit = parse_money(band.up_to)
        if limit.currency == currency:
            ranges.append(BandRange(above, limit.amount, band))
    return tuple(ranges)


def band_currencies(bands: Iterable[Band]) -> tuple[str, ...]:
    """Return the currencies that the table names, in its order."""
    return tuple(dict.fromkeys(parse_money(b.up_to).currency for b in bands if b.up_to))


def band_for(bands: Sequence[Band], amount: Money, rates: RateTable | None = None) -> Band | Nobody:
    """Return the line that covers an amount. rates: a currency without lines is converted into one that has some."""
    named = band_currencies(bands)
    if amount.currency not in named and rates is not None:
        found = next((c for currency in named if (c := rates.convert(amount, currency)) is not None), None)
        amount = found[0] if found else amount
    for line in band_ranges(bands, amount.currency):
        if line.covers(amount.amount):
            return line.band
    said = f"{written(amount.amount)} {amount.currency}"
    if amount.currency not in named:
        return Nobody(NO_BAND, f"The limits table of the rule has no line for {amount.currency}, and {said} is asked.")
    return Nobody(NO_BAND, f"The limits table of the rule ends below {said}. Add a last line without a limit.")


# Approvers ------------------------------------------------------------------------------------------------


def find_approvers(
    definition: RuleDefinition,
    rule_name: str,
    amount: Money | None,
    label: str,
    directory: Directory,
    requester: Requester,
    now: datetime,
    rates: RateTable | None = None,
) -> tuple[Signer, ...] | Nobody:
    """Return who approves, in their turns, then who gets a copy; or why nobody can.

    amount: what approval limits are compared with, None for a record without one. label: the record, for sentences.
    Who asked for it is left out; with nobody left the outcome is NO_OTHER_APPROVER.
    """
    found = _candidates(definition, rule_name, amount, directory, requester, now, rates)
    if isinstance(found, Nobody):
        return found
    is_named = definition.approvers or definition.bands or definition.unknown_requester
    if requester.by_staff and not requester.is_known and not is_named:
        return Nobody(
            UNKNOWN_REQUESTER,
            f"{label} was placed by staff, and BigCommerce does not tell who it was. Name one or two people in "
            f"“{rule_name}”, More about approvers, who approve what nobody known asked for.",
        )
    if not requester.is_known and definition.unknown_requester:
        required = _acting(definition.unknown_requester, rule_name, directory, now)
        if isinstance(required, Nobody):
            return required
        found = [*found, *required]
    approvers = [p for p in _once(found) if not requester.is_person(p)]
    if not approvers:
        return no_other_approver(label)
    role = SignerRole.APPROVE if definition.approve_only else SignerRole.SIGN
    in_order = definition.approvers_in_order
    asked = [Signer(i, i + 1 if in_order else 1, p.name, p.email.lower(), role, p.id) for i, p in enumerate(approvers)]
    return (*asked, *_copies(definition, asked, directory))


def no_other_approver(label: str) -> Nobody:
    return Nobody(
        NO_OTHER_APPROVER,
        f"No other approver: who asked for {label} is the only one who could approve it. "
        "Name somebody else in the rule, or raise another limit in People.",
    )


def _candidates(
    definition: RuleDefinition,
    rule_name: str,
    amount: Money | None,
    directory: Directory,
    requester: Requester,
    now: datetime,
    rates: RateTable | None,
) -> list[Person] | Nobody:
    if definition.approvers:
        return _acting(definition.approvers, rule_name, directory, now)
    if amount is None:
        return Nobody(NO_LIMIT, f"There is no amount to compare limits with. Name approvers in “{rule_name}”.")
    if definition.bands:
        band = band_for(definition.bands, amount, rates if definition.use_rates else None)
        return band if isinstance(band, Nobody) else _acting(band.people, rule_name, directory, now)
    fitting = list(directory.approvers_for(amount, now))
    if not fitting:
        return Nobody(
            NO_LIMIT,
            f"No approver may approve {amount.amount:f} {amount.currency}. "
            "Raise a limit in People, or name approvers in the rule.",
        )
    # The smallest limit that covers it; where that is who asked for it, the next one.
    return [next((p for p in fitting if not requester.is_person(p)), fitting[0])]


def _acting(ids: Sequence[int], rule_name: str, directory: Directory, now: datetime) -> list[Person] | Nobody:
    people = [directory.acting(p, now) for p in ids]
    if any(p is None for p in people):
        return Nobody(
            AWAY, f"An approver of the rule “{rule_name}” is away or left, without a deputy. Name another in People."
        )
    return [p for p in people if p is not None]


def _once(people: Iterable[Person]) -> Iterator[Person]:
    """Yield everybody once, by their number and by their address: a deputy may stand in for two."""
    ids, emails = set[int](), set[str]()
    for person in people:
        if person.id in ids or person.email.lower() in emails:
            continue
        ids.add(person.id)
        emails.add(person.email.lower())
        yield person


def _copies(definition: RuleDefinition, asked: Sequence[Signer], directory: Directory) -> tuple[Signer, ...]:
    """Return who gets the signed sheet besides: last in turn, so that their places never move a signature field."""
    people = [p for i in definition.copies if (p := directory.people.get(i)) is not None and p.state != "left"]
    emails = {s.email for s in asked}
    turn = max(s.turn for s in asked)
    others = [p for p in _once(people) if p.email.lower() not in emails]
    return tuple(
        Signer(len(asked) + i, turn, p.name, p.email.lower(), SignerRole.COPY, p.id) for i, p in enumerate(others)
    )


def without_requester(signers: Sequence[Signer], requester: Requester, label: str) -> tuple[Signer, ...] | Nobody:
    """Return the approvers that a person named by hand, without who asked for it; places and turns close up."""
    left = [s for s in signers if s.person_id not in requester.people and s.email.lower() not in requester.emails]
    if not left:
        return no_other_approver(label)
    turns = {turn: i for i, turn in enumerate(sorted({s.turn for s in left}), 1)}
    return tuple(replace(s, position=i, turn=turns[s.turn]) for i, s in enumerate(left))


def stand_in(signers: Sequence[Signer], alternate: Person | None, requester: Requester) -> tuple[Signer, ...] | Nobody:
    """Return the signers of a new round in which the alternate takes the place of who did not sign.

    One place changes: the first unsigned one of the turn that waits. The number of signatures never falls. alternate
    None: nobody acts for the person whom the rule names.
    """
    waiting = [s for s in signers if s.role is not SignerRole.COPY and s.state is not SignerState.SIGNED]
    if not waiting:
        return Nobody(NO_OTHER_APPROVER, "Everybody has signed already.")
    if alternate is None:
        return Nobody(AWAY, "The alternate is away or left, without a deputy. Name another in People.")
    email = alternate.email.lower()
    if requester.is_person(alternate):
        return Nobody(NO_OTHER_APPROVER, "The alternate is who asked for it, and cannot approve it.")
    if any(s.person_id == alternate.id or s.email == email for s in signers if s.role is not SignerRole.COPY):
        return Nobody(NO_OTHER_APPROVER, "The alternate is one of the signers already.")
    late = min(waiting, key=lambda s: (s.turn, s.position))
    kept = [s for s in signers if s.person_id != alternate.id and s.email != email]
    made = [
        Signer(s.position, s.turn, alternate.name, email, s.role, alternate.id)
        if s is late
        else Signer(s.position, s.turn, s.name, s.email, s.role, s.person_id, s.may_forward)
        for s in kept
    ]
    return tuple(replace(s, position=i) for i, s in enumerate(made))
