"""Whose record it is, what has been signed for good, and what a completed request adds to the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bcapp.core.acceptances import Bearer, Counts, Cover, Ledger, Party, PartyKind, cover, ends_at, standing
from bcapp.core.fields import ACCEPTED, Reading
from bcapp.core.formats import zone_for
from bcapp.core.kinds.company import CompanyFacts
from bcapp.core.kinds.customer import CustomerFacts
from bcapp.core.model import OrderFacts, RecordKey, SignatureRequest
from bcapp.core.rules import RuleDefinition, RuleInForce
from bcapp.core.states import SignerState
from bcapp.core.stores import is_b2b_scope
from bcapp.core.tryout import PastRecord
from bcapp.db import Database, audit
from bcapp.db.acceptances import fetch_ledger, fetch_signed, look_at_waiting
from bcapp.db.stores import Store
from bcapp.errors import B2BRefused, RefusedByUs
from bcapp.jobs.vendors import Vendors
from bcapp.secrets import DataKey, Secrets
from bcapp.services import Services
from bcapp.workflows import customer_terms

OUTDATED = "Their own terms changed after this was sent."
ADDRESS = "acceptance address"  # purpose of the digest that stands for a guest


def sign_once_agreements(rules: Sequence[RuleInForce]) -> list[int]:
    """Return the agreements that rules in force let a buyer sign for more than one record."""
    return sorted(
        {
            r.definition.agreement_id
            for r in rules
            if r.definition.customer and (r.definition.sign_once.scope or r.workflow == customer_terms.SLUG)
        }
    )


def agreements_asked_about(rules: Iterable[RuleDefinition]) -> list[int]:
    """Return the agreements that conditions of these rules name: whether they were signed before."""
    named = (c for rule in rules for group in rule.groups for c in group if c.field == ACCEPTED)
    return sorted({int(value) for c in named for value in c.values if value.strip().isdecimal()})


async def with_accepted(
    services: Services, store: Store, facts: Any, rules: Iterable[RuleDefinition], vendors: Vendors | None = None
) -> Any:
    """Return facts that say which of the agreements that rules ask about their party has signed.

    Where no rule asks, they come back as they are. vendors: whom to ask for the account; None: by what is stored here.
    """
    db, now = services.db, services.clock.now()
    asked = agreements_asked_about(rules)
    if not asked:
        return facts
    if vendors is None:
        bearer = await stored_bearer(services, store.hash, facts)
    else:
        bearer = await bearer_of(db, services.secrets, vendors, store, facts, (), now, by_company=True)
    parties = [p for p in (bearer.customer, bearer.company, bearer.email) if p is not None] if bearer else []
    if bearer is None or not parties:
        return replace(facts, accepted=None)
    signed = await fetch_signed(db, store.hash, parties, asked)
    return replace(facts, accepted=frozenset(map(str, standing(replace(signed, bearer=bearer)))))


async def data_key(db: Database, secrets: Secrets, store_hash: str) -> DataKey:
    sealed = await db.fetch_val("fetch_data_key", {"store_hash": store_hash})
    if sealed is None:
        raise RefusedByUs("The store has no key for its documents.")
    return secrets.unwrap(bytes(sealed), store_hash=store_hash)


def address_party(key: DataKey, email: str) -> Party | None:
    """Return the party that an address stands for, None for what is none."""
    email = email.strip().lower()
    return Party(PartyKind.EMAIL, key.digest(ADDRESS, email).hex()) if "@" in email else None


def counts_by_company(rules: Sequence[RuleInForce]) -> bool:
    """Return whether a rule lets one signature count for a whole company."""
    once = ((customer_terms.counted(r) if r.workflow == customer_terms.SLUG else r).definition.sign_once for r in rules)
    return any(each.scope == "company" for each in once)


def _company(number: int) -> Party | None:
    return Party(PartyKind.COMPANY, str(number)) if number else None


async def company_of(vendors: Vendors, store: Store, customer_id: int) -> int:
    """Return the company that a customer buys for, 0 for none or where the store has no B2B Edition."""
    if not customer_id or not is_b2b_scope(" ".join(store.scope)):
        return 0
    try:
        user = await (await vendors.b2b(store.hash)).user_of_customer(customer_id)
    except B2BRefused:
        return 0  # told by the sweep of companies, where a rule needs them
    return int((user or {}).get("companyId") or 0)


async def bearer_of(
    db: Database,
    secrets: Secrets,
    vendors: Vendors,
    store: Store,
    facts: Any,
    agreements: Sequence[int],
    now: datetime,
    *,
    by_company: bool = False,
) -> Bearer | None:
    """Return whose record it is, None for a kind of record that is nobody's.

    A guest is known by the address given with the order. An account also has what its own address accepted as a
    guest; that address is read from the account, never from the order, where anybody may type anything, and only when
    the account itself has signed nothing.

    by_company: the company that an order's customer buys for is wanted too. A customer or company lives on, and is
    judged by how things stand now; an order by how they stood when it was placed.
    """
    if isinstance(facts, CustomerFacts):
        key = await data_key(db, secrets, store.hash)
        party = Party(PartyKind.CUSTOMER, str(facts.id))
        email = address_party(key, facts.email)
        return Bearer("", facts.channel_id, now, customer=party, company=_company(facts.company_id), email=email)
    if isinstance(facts, CompanyFacts):
        return Bearer("", 0, now, company=_company(facts.id))
    if not isinstance(facts, OrderFacts):
        return None
    bearer = Bearer(str(facts.id), facts.channel_id, facts.created_at)
    if not facts.customer_id:
        key = await data_key(db, secrets, store.hash)
        return replace(bearer, email=address_party(key, facts.billing.email))
    customer = Party(PartyKind.CUSTOMER, str(facts.customer_id))
    of = {"store_hash": store.hash, "agreements": list(agreements), "kinds": ["customer"], "ids": [customer.id]}
    email = None
    if not await db.fetch_all("acceptances_of_parties", of):
        client = await vendors.bigcommerce(store.hash)
        rows = await client.customers(ids=[facts.customer_id])
        address = next((str(r.get("email") or "") for r in rows if r.get("id") == facts.customer_id), "")
        email = address_party(await data_key(db, secrets, store.hash), address)
    company = _company(await company_of(vendors, store, facts.customer_id)) if by_company else None
    return replace(bearer, customer=customer, company=company, email=email)


async def stored_bearer(services: Services, store_hash: str, facts: Any) -> Bearer | None:
    """Return whose record it is as far as it is stored here, without asking the store; else as bearer_of.

    The address and the company of an order's customer are those of the customer's own stored record, if there is one.
    """
    db, now = services.db, services.clock.now()
    if not isinstance(facts, (OrderFacts, CustomerFacts, CompanyFacts)):
        return None
    if isinstance(facts, CompanyFacts):
        return Bearer("", 0, now, company=_company(facts.id))
    number = facts.id if isinstance(facts, CustomerFacts) else facts.customer_id
    key = await data_key(db, services.secrets, store_hash)
    known = (await _stored_accounts(db, store_hash, [str(number)])).get(str(number), ("", 0)) if number else ("", 0)
    company = _company(facts.company_id if isinstance(facts, CustomerFacts) else known[1])
    customer = Party(PartyKind.CUSTOMER, str(number)) if number else None
    if isinstance(facts, CustomerFacts):
        return Bearer("", facts.channel_id, now, customer, company, address_party(key, facts.email))
    email = address_party(key, known[0] if number else facts.billing.email)
    return Bearer(str(facts.id), facts.channel_id, facts.created_at, customer, company, email)


async def _stored_accounts(db: Database, store_hash: str, ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return {number: (address, company)} of the accounts that are stored."""
    rows = await db.fetch_all("past_accounts", {"store_hash": store_hash, "ids": list(ids)})
    return {r["id"]: (r["email"], int(r["company_id"])) for r in rows}


async def stored_ledgers(
    services: Services, store_hash: str, agreements: Sequence[int], records: Sequence[PastRecord]
) -> dict[str, Ledger]:
    """Return what the customers of stored records have signed of these agreements, by PastRecord.customer.

    Whoever has signed nothing and is not exempt is left out.
    """
    db, now = services.db, services.clock.now()
    customers = {r.customer for r in records if r.customer}
    accounts = await _stored_accounts(db, store_hash, [c for c in customers if c.isdecimal()])
    key, bearers = await data_key(db, services.secrets, store_hash), dict[str, Bearer]()
    for customer in customers:
        if customer.isdecimal():
            address, company = accounts.get(customer, ("", 0))
            account = Party(PartyKind.CUSTOMER, customer)
            bearers[customer] = Bearer("", 0, now, account, _company(company), address_party(key, address))
        else:
            bearers[customer] = Bearer("", 0, now, email=address_party(key, customer))
    of_party: dict[Party, list[str]] = {}
    for customer, bearer in bearers.items():
        for party in (bearer.customer, bearer.company, bearer.email):
            if party is not None:
                of_party.setdefault(party, []).append(customer)
    found = await fetch_signed(db, store_hash, list(of_party), agreements)
    ledgers: dict[str, Ledger] = {}
    for acceptance in found.acceptances:
        for customer in of_party[acceptance.party]:
            ledger = ledgers.get(customer) or replace(found, bearer=bearers[customer], acceptances=(), exemptions=())
            ledgers[customer] = replace(ledger, acceptances=(*ledger.acceptances, acceptance))
    for exemption in found.exemptions:
        for customer in of_party[exemption.party]:
            ledger = ledgers.get(customer) or replace(found, bearer=bearers[customer], acceptances=(), exemptions=())
            ledgers[customer] = replace(ledger, exemptions=(*ledger.exemptions, exemption))
    return ledgers


async def stored_covers(
    services: Services, store: Store, record: RecordKey, facts: Any, rules: Sequence[RuleInForce], reading: Reading
) -> dict[int, Cover]:
    """Return, by rule, whether a record's party has signed already, as far as that is stored here."""
    once = {
        r.id: (customer_terms.counted(r, record.kind) if r.workflow == customer_terms.SLUG else r).definition
        for r in rules
        if r.definition.customer
    }
    once = {rule_id: definition for rule_id, definition in once.items() if definition.sign_once.scope}
    bearer = await stored_bearer(services, store.hash, facts) if once else None
    if bearer is None:
        return {}
    agreements = sorted({definition.agreement_id for definition in once.values()})
    ledger = await fetch_ledger(services.db, store.hash, record, bearer, agreements)
    return {
        rule_id: cover(definition.sign_once, definition.agreement_id, ledger, reading.now, reading.zone)
        for rule_id, definition in once.items()
    }


async def record_acceptance(
    db: Database, secrets: Secrets, store: Store, request: SignatureRequest, now: datetime
) -> None:
    """Put what a request's signature counts for into the ledger. Call in the transaction that judges it right."""
    if request.counts is None or request.simulated or not request.signers:
        return
    counts, signer = Counts.parse(request.counts), request.signers[0]
    party = counts.party
    if party.kind is PartyKind.EMAIL:
        # The address that the signing proved: another one when staff mended it meanwhile.
        proven = address_party(await data_key(db, secrets, store.hash), signer.email)
        party = proven or party
    signed = [s.state_at for s in request.signers if s.state is SignerState.SIGNED and s.state_at is not None]
    signed_at = max(signed, default=now)
    acceptance_id = await db.fetch_val(
        "add_acceptance",
        {
            "store_hash": store.hash,
            "party_kind": str(party.kind),
            "party_id": party.id,
            "label": f"{signer.name}, {signer.email}"[:400],
            "agreement_id": request.agreement_id,
            "agreement_version": request.agreement_version,
            "scope": counts.scope,
            "scope_id": counts.scope_id,
            "valid_from": signed_at,
            "valid_until": ends_at(counts.months, counts.until, signed_at, zone_for(store.timezone)),
            "request_id": request.id,
            "import_id": None,
            "document_sha256": None,
            "now": now,
        },
    )
    if acceptance_id is None:
        return
    of = {"store_hash": store.hash, "id": request.id, "party_kind": str(party.kind), "party_id": party.id}
    if await db.fetch_val("text_changed", of):
        # It is kept as what it is: signed, and of a text that the party does not sign any more.
        outdated = {"store_hash": store.hash, "id": acceptance_id, "author": 0, "why": OUTDATED, "now": now}
        await db.execute("revoke_acceptance", outdated)
    detail = {
        "acceptance": acceptance_id,
        "agreement": request.agreement_id,
        "version": request.agreement_version,
        "scope": counts.scope,
    }
    await audit.append(
        db, store.hash, now, actor="app", event="acceptance_recorded",
        record=request.record, request_id=request.id, detail=detail,
    )  # fmt: skip
    await look_at_waiting(db, store.hash, party, request.agreement_id, now, but=request.record)
