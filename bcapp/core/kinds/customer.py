"""Customers as rules see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from bcapp.core.conditions import METAFIELD
from bcapp.core.fields import ACCEPTED, Field, FieldType, Reading, Unknown
from bcapp.core.kinds.kind import Brief, Kind, OutOfScope
from bcapp.core.kinds.order import accepted, countries, named_values, orders_so_far, paid_total, regions
from bcapp.core.merge import NOWHERE, MergeField, Source, address_text
from bcapp.core.model import Address, History
from bcapp.core.sheets import Sheet, SheetTable
from bcapp.core.stored import codec_of


@dataclass(frozen=True)
class CustomerFacts:
    """A customer's account, freshly read. unread: see OrderFacts.

    channels: where the account may be used; None for everywhere. history: all orders placed so far.
    """

    id: int
    email: str
    name: str
    company: str
    group_id: int  # 0: none
    created_at: datetime
    modified_at: datetime
    channel_id: int  # where it was made
    channels: frozenset[int] | None
    addresses: tuple[Address, ...] = ()
    phone: str = ""
    tax_exempt: str = ""  # the category, "" for none
    accepts_marketing: bool = False
    form_fields: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    metafields: tuple[tuple[str, str], ...] = ()
    history: History | None = None
    accepted: frozenset[str] | None = None  # as OrderFacts.accepted
    unread: frozenset[str] = frozenset()
    # Free text of the staff, and read by no rule.
    notes: str = field(default="", metadata={"stored": False})
    company_id: int = 0  # the company of B2B Edition that the customer acts for; 0: none, or not read

    @property
    def label(self) -> str:
        """The customer as people name it in lists."""
        return f"Customer {self.id}, {self.name or self.email}"


def _domain(facts: CustomerFacts, _argument: str, _: Reading) -> frozenset[str] | Unknown:
    domain = facts.email.rpartition("@")[2].strip().lower()
    return frozenset({domain}) if domain else Unknown("the account has no e-mail address")


def _registered(facts: CustomerFacts, _argument: str, reading: Reading) -> date:
    return facts.created_at.astimezone(reading.zone).date()


_HISTORY = frozenset({"history"})

FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field("customer_group", FieldType.CHOICE, "Customer group", "By group number; 0 is no group.", "3",
              lambda c, a, r: frozenset({str(c.group_id)}), numbered=True, reads="group_id"),
        Field("email", FieldType.TEXT, "E-mail address", "Of the account.", "bo@buyer.example",
              lambda c, a, r: c.email, reads="email"),
        Field("email_domain", FieldType.CHOICE, "E-mail domain", "What stands behind the @.", "buyer.example", _domain,
              reads="email"),
        Field("company", FieldType.TEXT, "Company", "Of the account.", "Buyer Ltd", lambda c, a, r: c.company,
              reads="company"),
        Field("country", FieldType.COUNTRY, "Country", "Of any of the customer's addresses.", "DE",
              lambda c, a, r: countries(c.addresses), reads="addresses.country"),
        Field("region", FieldType.CHOICE, "Region", "Country and state of any of the customer's addresses.",
              "US California", lambda c, a, r: regions(c.addresses), reads="addresses.country addresses.state"),
        Field("channel", FieldType.CHOICE, "Channel", "Where the account was made, by channel number.", "1",
              lambda c, a, r: frozenset({str(c.channel_id)}), numbered=True, reads="channel_id"),
        Field("registered", FieldType.DATE, "Registered on", "The day in the store's time zone.", "2026-11-23",
              _registered, reads="created_at"),
        Field("account_age", FieldType.NUMBER, "Age of the account", "Whole days since registration.", "30",
              lambda c, a, r: Decimal(max(0, (r.now - c.created_at).days)), reads="created_at"),
        Field("orders_so_far", FieldType.NUMBER, "Orders so far", "All orders that this customer placed.", "5",
              lambda c, a, r: orders_so_far(c.history), needs=_HISTORY, reads="history.orders_before history.since"),
        Field("paid_total", FieldType.MONEY, "Paid so far", "What this customer paid and did not get back.",
              "5000.00 USD", lambda c, a, r: paid_total(c.history), needs=_HISTORY,
              reads="history.paid_before history.since"),
        Field(ACCEPTED, FieldType.LIST, "Signed before", "Agreements that this customer or its company has signed, as "
              "they count now. By agreement number.", "3", accepted, numbered=True, reads="accepted"),
        Field("accepts_marketing", FieldType.FLAG, "Accepts marketing e-mails",
              "Agreed to review and abandoned-cart e-mails.", "", lambda c, a, r: c.accepts_marketing,
              reads="accepts_marketing"),
        Field("tax_exempt", FieldType.FLAG, "Tax exempt", "The account has a tax exemption category.", "",
              lambda c, a, r: bool(c.tax_exempt), reads="tax_exempt"),
        Field("form_field", FieldType.LIST, "Form field", "What was filled in under this name when registering.",
              "VAT number = DE123456789", lambda c, a, r: named_values(c.form_fields, a), argument="Form field name",
              reads="form_fields"),
        Field("attribute", FieldType.LIST, "Customer attribute", "The attribute of this name.", "tier = gold",
              lambda c, a, r: named_values(c.attributes, a), argument="Attribute name",
              needs=frozenset({"attributes"}), reads="attributes"),
        Field("metafield", FieldType.LIST, "Customer metafield", "What another app keeps on the customer.",
              "crm.tier = gold", lambda c, a, r: named_values(c.metafields, a), argument=METAFIELD,
              needs=frozenset({"metafields"}), reads="metafields"),
    )
}  # fmt: skip


def _out_of_scope(facts: CustomerFacts, channels: frozenset[int]) -> OutOfScope | None:
    if not channels or (facts.channels is not None and channels.isdisjoint(facts.channels)):
        return OutOfScope("not_storefront", "The account belongs to none of the storefronts of this rule.")
    return None


def _created_at(facts: CustomerFacts) -> datetime:
    return facts.created_at


def _brief(facts: CustomerFacts) -> Brief:
    return Brief(facts.label, facts.modified_at, str(facts.id), bool(facts.email.strip()))


def customer_1(facts: CustomerFacts) -> dict[str, Any]:
    """Who it is and what was filled in when registering. Group, attributes and addresses are never material."""
    return {
        "email": facts.email.lower(),
        "company": facts.company,
        "form": sorted([name, value] for name, value in facts.form_fields),
    }


def _shown(facts: CustomerFacts) -> dict[str, Any]:
    return {
        "group_id": facts.group_id,
        "company_id": facts.company_id,
        "channel_id": facts.channel_id,
        "created_at": facts.created_at.isoformat(),
        "modified_at": facts.modified_at.isoformat(),
    }


def _home(facts: CustomerFacts) -> Address:
    return facts.addresses[0] if facts.addresses else NOWHERE


def _sheet(source: Source) -> Sheet:
    facts: CustomerFacts = source.facts
    found = [
        ("Customer number", str(facts.id)),
        ("Registered on", source.day(facts.created_at)),
        ("E-mail", facts.email),
        ("Phone", facts.phone),
        ("Company", facts.company),
    ]
    tables: tuple[SheetTable, ...] = ()
    if facts.form_fields:
        tables = (SheetTable("What was filled in when registering", ("Question", "Answer"), facts.form_fields),)
    party = facts.company or facts.name or facts.email
    lines = tuple(line for line in address_text(_home(facts), source.locale).splitlines() if line != party)
    return Sheet(tuple((label, value) for label, value in found if value), party, lines, tables)


def _form(source: Source) -> str:
    return "\n".join(f"{name}: {value}" for name, value in source.facts.form_fields)


_MERGE = partial(MergeField, kind="customer")
MERGE = (
    _MERGE("customer.id", "Customer number", "1204", lambda s: str(s.facts.id)),
    _MERGE("customer.name", "Customer name", "Ann Lee", lambda s: s.facts.name),
    _MERGE("customer.company", "Customer's company", "Lee Outdoor Ltd", lambda s: s.facts.company),
    _MERGE("customer.email", "Customer e-mail", "ann@lee.example", lambda s: s.facts.email),
    _MERGE("customer.phone", "Customer phone", "+49 30 1234", lambda s: s.facts.phone),
    _MERGE(
        "customer.address",
        "Customer address",
        "1 High St\n10115 Berlin",
        lambda s: address_text(_home(s.facts), s.locale),
        many=True,
    ),
    _MERGE("customer.country", "Customer country", "DE", lambda s: _home(s.facts).country),
    _MERGE("customer.form", "Answers of the registration", "Tax number: DE123", _form, many=True),
    _MERGE("customer.since", "Customer since", "3 October 2026", lambda s: s.day(s.facts.created_at)),
)


CUSTOMER = Kind(
    "customer",
    "Customer",
    "Customers",
    "When a customer registers",
    FIELDS,
    _out_of_scope,
    _created_at,
    codec_of(CustomerFacts),
    scope_reads="channels",
    dated_by="created_at",
    brief=_brief,
    material={1: customer_1},
    merge=MERGE,
    sheet=_sheet,
    shown=_shown,
    signer="the customer",
    has_amount=False,
)
