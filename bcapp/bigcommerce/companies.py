"""Companies of B2B Edition, freshly read, in our words. Unknown fields are ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.b2b import B2B, PAGE
from bcapp.bigcommerce.raw import Raw, amount_in, parse_date, rows_in, text_in, whole_in
from bcapp.core.kinds.company import STATUSES, CompanyFacts, CompanyUser
from bcapp.core.merge import NOWHERE
from bcapp.core.model import Address, Gone, Money, RecordKey
from bcapp.errors import UnreadableInput

COMPANY_PARTS = frozenset({"company_users", "company_address"})


def _moment(raw: Raw, name: str) -> datetime:
    """Return a time of Unix seconds, which come as numbers or as text."""
    value = raw.get(name)
    return parse_date(int(value) if isinstance(value, str) and value.isdecimal() else value, name)


def parse_company(
    raw: Raw,
    users: Iterable[Raw] = (),
    addresses: Iterable[Raw] = (),
    *,
    unread: frozenset[str] = frozenset(),
) -> CompanyFacts:
    """Put a company together from its parts. Source: company.yaml, user.yaml, address.yaml of B2B Edition's API."""
    status, name, email = whole_in(raw, "companyStatus"), text_in(raw, "companyName"), text_in(raw, "companyEmail")
    if status not in STATUSES:
        raise UnreadableInput(f"companyStatus cannot be {status}")
    parent = raw.get("parentCompany")
    created = _moment(raw, "createdAt")
    people = [parse_company_user(user) for user in users]
    return CompanyFacts(
        id=whole_in(raw, "companyId"),
        name=name,
        email=email.strip(),
        phone=text_in(raw, "companyPhone"),
        status=status,
        group_id=whole_in(raw, "bcGroupId", 0),
        group_name=text_in(raw, "bcGroupName"),
        price_list_id=whole_in(raw, "catalogId", 0) or _assigned(raw),
        created_at=created,
        modified_at=_moment(raw, "updatedAt") if raw.get("updatedAt") else created,
        parent_id=whole_in(parent, "id", 0) if isinstance(parent, Mapping) else 0,
        external_id=text_in(raw, "uuid"),
        address=_address(list(addresses), name, email),
        extra_fields=tuple(sorted(_extra(raw))),
        users=tuple(sorted(people, key=lambda user: user.id)),
        unread=unread,
    )


def _extra(raw: Raw) -> Iterable[tuple[str, str]]:
    for row in rows_in(raw.get("extraFields"), "extraFields"):
        name, value = text_in(row, "fieldName").strip(), text_in(row, "fieldValue").strip()
        if name and value:
            yield name, value


def _assigned(raw: Raw) -> int:
    """Return the price list of the first storefront, where they are given one by one."""
    rows = rows_in(raw.get("priceListAssign"), "priceListAssign")
    return min((whole_in(row, "priceListId", 0) for row in rows), default=0)


def parse_company_user(raw: Raw) -> CompanyUser:
    channels = raw.get("channelList")
    return CompanyUser(
        id=whole_in(raw, "id"),
        name=" ".join(p for p in (text_in(raw, n).strip() for n in ("firstName", "lastName")) if p),
        email=text_in(raw, "email").strip(),
        role=whole_in(raw, "role", 2),
        customer_id=whole_in(raw, "customerId", 0),
        channels=frozenset(whole_in(row, "channelId") for row in rows_in(channels, "channelList")),
    )


def _address(rows: list[Raw], company: str, email: str) -> Address:
    """Return the billing address, else any; the default one before the others, the oldest of several."""
    if not rows:
        return NOWHERE
    raw = max(rows, key=lambda a: (_is(a, "isDefaultBilling"), _is(a, "isBilling"), -_number(a)))
    lines = [text_in(raw, name).strip() for name in ("addressLine1", "addressLine2")]
    return Address(
        name=" ".join(p for p in (text_in(raw, n).strip() for n in ("firstName", "lastName")) if p),
        company=company,
        street=", ".join(line for line in lines if line),
        city=text_in(raw, "city"),
        state=text_in(raw, "stateName"),
        postcode=text_in(raw, "zipCode"),
        country=text_in(raw, "countryCode").upper(),
        email=email,
        phone=text_in(raw, "phoneNumber"),
    )


def _number(raw: Raw) -> int:
    """Two documents name the number of an address differently."""
    return whole_in(raw, "addressId", 0) or whole_in(raw, "id", 0)


def _is(raw: Raw, name: str) -> bool:
    return raw.get(name) in (True, 1, "1")  # told as a flag or as a number


async def read_company(client: B2B, company_id: int) -> CompanyFacts | Gone:
    """Return the facts of a company, or Gone. Three calls: the company, its users, its addresses."""
    raw = await client.fetch_company(company_id)
    if raw is None:
        return Gone(RecordKey("company", str(company_id)))
    return parse_company(raw, await client.users(company_id), await client.company_addresses(company_id))


async def list_company_facts(
    client: B2B,
    *,
    created_since: datetime | None = None,
    modified_since: datetime | None = None,
    page_size: int = PAGE,
    most: int | None = None,
) -> AsyncIterator[CompanyFacts]:
    """Yield companies without their users and addresses: a call a page."""
    rows = client.companies(
        created_since=created_since,
        modified_since=modified_since,
        newest_first=modified_since is None,
        page_size=page_size,
        most=most,
    )
    async for raw in rows:
        yield parse_company(raw, unread=COMPANY_PARTS)


@dataclass(frozen=True)
class CompanyCredit:
    """What a company may buy on credit. amount: what is available now; None when the store names none."""

    enabled: bool
    amount: Money | None
    limits: bool  # purchases end where the credit ends
    hold: bool  # nobody of the company can buy


def parse_credit(raw: Raw) -> CompanyCredit:
    currency = text_in(raw, "creditCurrency").upper()
    amount = amount_in(raw, "availableCredit", Decimal(0))
    return CompanyCredit(
        enabled=raw.get("creditEnabled") is True,
        amount=Money(amount, currency) if len(currency) == 3 else None,
        limits=raw.get("limitPurchases") is True,
        hold=raw.get("creditHold") is True,
    )


@dataclass(frozen=True)
class PaymentTerms:
    enabled: bool  # False: the store's own default
    days: int


def parse_terms(raw: Raw) -> PaymentTerms:
    return PaymentTerms(raw.get("isEnabled") is True, whole_in(raw, "paymentTerms", 0))


def parse_payment_methods(rows: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    """Return code -> whether the company may use it."""
    return {text_in(row, "code"): row.get("isEnabled") in (True, 1, "1") for row in rows if text_in(row, "code")}
