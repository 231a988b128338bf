"""Companies of B2B Edition as rules see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core.fields import ACCEPTED, Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.kinds.order import accepted, countries, named_values, regions
from bcapp.core.merge import NOWHERE, MergeField, Source, address_text
from bcapp.core.model import Address
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.snapshot import plain_address
from bcapp.core.stored import codec_of

PENDING, APPROVED, REJECTED, INACTIVE = 0, 1, 2, 3
STATUSES = {PENDING: "Pending", APPROVED: "Approved", REJECTED: "Rejected", INACTIVE: "Inactive"}
ADMIN = 0


@dataclass(frozen=True)
class CompanyUser:
    """One who may act for a company. channels: where they may sign in; empty where that is not told."""

    id: int
    name: str
    email: str
    role: int  # 0 admin, 1 senior buyer, 2 junior buyer; a role of the store's own counts as 2
    customer_id: int
    channels: frozenset[int] = frozenset()


@dataclass(frozen=True)
class CompanyFacts:
    """A company account, freshly read. unread: see OrderFacts.

    extra_fields: what the application form asked for, (name, value). users: by their number; the first admin applied.
    """

    id: int
    name: str
    email: str
    phone: str
    status: int
    group_id: int  # 0: none
    group_name: str
    price_list_id: int  # 0: none of its own
    created_at: datetime
    modified_at: datetime
    parent_id: int = 0  # 0: it stands at the top
    external_id: str = ""
    address: Address = NOWHERE
    extra_fields: tuple[tuple[str, str], ...] = ()
    users: tuple[CompanyUser, ...] = ()
    parent_status: int | None = None  # of the company above it; None: there is none, or it was not read
    accepted: frozenset[str] | None = None  # as OrderFacts.accepted
    currency: str = ""  # the store's default, in which amounts without one stand
    unread: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The company as people name it in lists."""
        return f"Company {self.id}, {self.name}"

    @property
    def applicant(self) -> CompanyUser | None:
        """Who applied for the account and signs for it; None when nobody may act for the company."""
        admins = [user for user in self.users if user.role == ADMIN]
        return min(admins or self.users, key=lambda user: user.id, default=None)

    @property
    def customer_ids(self) -> frozenset[int]:
        """The accounts of its users in the store."""
        return frozenset(user.customer_id for user in self.users if user.customer_id)


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].strip().lower()


def _domain(facts: CompanyFacts, _argument: str, _: Reading) -> frozenset[str] | Unknown:
    domain = domain_of(facts.email)
    return frozenset({domain}) if domain else Unknown("the company has no e-mail address")


def _channels(facts: CompanyFacts, _argument: str, _: Reading) -> frozenset[str] | Unknown:
    found = {str(c) for user in facts.users for c in user.channels}
    return frozenset(found) or Unknown("the company’s users are bound to no storefront")


def _created(facts: CompanyFacts, _argument: str, reading: Reading) -> date:
    return facts.created_at.astimezone(reading.zone).date()


_ADDRESS, _USERS = frozenset({"company_address"}), frozenset({"company_users"})

FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("name", FieldType.TEXT, "Company name", "As the application says.", "Buyer Ltd",
              lambda c, a, r: c.name),
        Field("email_domain", FieldType.CHOICE, "E-mail domain", "What stands behind the @ of the company’s address.",
              "buyer.example", _domain),
        Field("country", FieldType.COUNTRY, "Country", "Of the company’s address.", "DE",
              lambda c, a, r: countries((c.address,)), needs=_ADDRESS),
        Field("region", FieldType.CHOICE, "Region", "Country and state of the company’s address.", "US California",
              lambda c, a, r: regions((c.address,)), needs=_ADDRESS),
        Field("customer_group", FieldType.CHOICE, "Customer group", "By group number; 0 is no group.", "3",
              lambda c, a, r: frozenset({str(c.group_id)}), numbered=True),
        Field("price_list", FieldType.CHOICE, "Price list", "Of the company itself, by number; 0 is none.", "2",
              lambda c, a, r: frozenset({str(c.price_list_id)}), numbered=True),
        Field("extra_field", FieldType.LIST, "Extra field", "What the application says under this name.",
              "Tax number = DE123456789", lambda c, a, r: named_values(c.extra_fields, a),
              argument="Extra field name"),
        Field("subsidiary", FieldType.FLAG, "Subsidiary", "The company stands below another one.", "",
              lambda c, a, r: bool(c.parent_id)),
        Field("channel", FieldType.CHOICE, "Channel", "Where its users may sign in, by channel number.", "1", _channels,
              needs=_USERS, numbered=True),
        Field(ACCEPTED, FieldType.LIST, "Signed before", "Agreements that were signed for this company and that count "
              "now. By agreement number.", "3", accepted, numbered=True),
        Field("buyers", FieldType.NUMBER, "Number of users", "Who may act for the company.", "3",
              lambda c, a, r: Decimal(len(c.users)), needs=_USERS),
        Field("applied", FieldType.DATE, "Applied on", "The day in the store’s time zone.", "2026-11-23", _created),
    )
}  # fmt: skip


def _out_of_scope(facts: CompanyFacts, channels: frozenset[int]) -> OutOfScope | None:
    at = frozenset(c for user in facts.users for c in user.channels)
    if at and channels.isdisjoint(at):
        return OutOfScope("not_storefront", "The company’s users sign in on none of the storefronts of this rule.")
    return None


def _created_at(facts: CompanyFacts) -> datetime:
    return facts.created_at


def _brief(facts: CompanyFacts) -> Brief:
    return Brief(facts.label, facts.modified_at, f"company:{facts.id}", facts.applicant is not None)


def company_1(facts: CompanyFacts) -> dict[str, Any]:
    """Who applies and what they said. Status, group, prices, credit and further users are never material."""
    applicant = facts.applicant
    return {
        "name": facts.name,
        "address": plain_address(facts.address),
        "applicant": applicant.email.lower() if applicant else "",
        "application": sorted([name, value] for name, value in facts.extra_fields),
    }


def _shown(facts: CompanyFacts) -> dict[str, Any]:
    return {
        "status": facts.status,
        "group_id": facts.group_id,
        "group_name": facts.group_name,
        "price_list_id": facts.price_list_id,
        "parent_id": facts.parent_id,
        "users": len(facts.users),
        "created_at": facts.created_at.isoformat(),
        "modified_at": facts.modified_at.isoformat(),
    }


def _sheet(source: Source) -> Sheet:
    facts: CompanyFacts = source.facts
    applicant = facts.applicant
    found = [
        ("Company number", str(facts.id)),
        ("Applied on", source.day(facts.created_at)),
        ("Phone", facts.phone),
        ("E-mail", facts.email),
        ("Applicant", applicant.name if applicant else ""),
    ]
    tables: tuple[SheetTable, ...] = ()
    if facts.extra_fields:
        tables = (SheetTable("What the application says", ("Question", "Answer"), facts.extra_fields),)
    lines = tuple(line for line in address_text(facts.address, source.locale).splitlines() if line != facts.name)
    return Sheet(tuple((label, value) for label, value in found if value), facts.name, lines, tables)


def _applicant(source: Source) -> CompanyUser:
    return source.facts.applicant or CompanyUser(0, "", "", ADMIN, 0)


def _application(source: Source) -> str:
    return "\n".join(f"{name}: {value}" for name, value in source.facts.extra_fields)


_MERGE = partial(MergeField, kind="company")
MERGE = (
    _MERGE("company.id", "Company number", "128", lambda s: str(s.facts.id)),
    _MERGE("company.name", "Company name", "Lee Outdoor Ltd", lambda s: s.facts.name),
    _MERGE(
        "company.address",
        "Company address",
        "1 High St\n10115 Berlin",
        lambda s: address_text(s.facts.address, s.locale),
        many=True,
    ),
    _MERGE("company.country", "Company country", "DE", lambda s: s.facts.address.country),
    _MERGE("company.email", "Company e-mail", "accounts@lee.example", lambda s: s.facts.email),
    _MERGE("company.phone", "Company phone", "+49 30 1234", lambda s: s.facts.phone),
    _MERGE("company.application", "Answers of the application", "Tax number: DE123", _application, many=True),
    _MERGE("applicant.name", "Name of the applicant", "Ann Lee", lambda s: _applicant(s).name),
    _MERGE("applicant.email", "E-mail of the applicant", "ann@lee.example", lambda s: _applicant(s).email),
)


COMPANY = Kind(
    "company",
    "Company",
    "Companies",
    "When a company applies for an account",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(CompanyFacts),
    brief=_brief,
    material={1: company_1},
    merge=MERGE,
    sheet=_sheet,
    shown=_shown,
    signer="the company’s applicant",
)
