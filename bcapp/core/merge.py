"""Merge fields: what a text may name of a record, of its store and of its signers, and where the value comes from.

Fields of a kind of record stand with the kind (core/kinds/); those that every document has stand in core/agreements.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bcapp.core import formats
from bcapp.core.model import Address, Signer


@dataclass(frozen=True)
class StoreProfile:
    """What a document says of the store; parsed from stores.profile."""

    name: str
    domain: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""
    country: str = ""  # ISO 3166 alpha-2
    language: str = "en"
    timezone: str = "UTC"


def parse_profile(stored: Mapping[str, Any]) -> StoreProfile:
    """Read a stored profile; absent keys are empty, keys of a newer release are left aside."""
    zone = stored.get("timezone") or "UTC"
    return StoreProfile(
        name=str(stored.get("name") or stored.get("domain") or ""),
        domain=str(stored.get("domain") or ""),
        email=str(stored.get("order_email") or ""),
        phone=str(stored.get("phone") or ""),
        address=str(stored.get("address") or ""),
        country=str(stored.get("country_code") or stored.get("country") or "")[:2].upper(),
        language=str(stored.get("language") or "en"),
        timezone=str(zone.get("name", "UTC") if isinstance(zone, Mapping) else zone),
    )


@dataclass(frozen=True)
class Source:
    """Where merge fields are read from. facts: of the record's kind. currency: of its amounts.

    internal: only people of the store read the document: costs and margins may stand in it.
    """

    facts: Any
    profile: StoreProfile
    signers: tuple[Signer, ...]
    language: str
    made_at: datetime
    document_id: str = ""
    title: str = ""
    currency: str = ""
    internal: bool = False

    @property
    def locale(self) -> Any:
        return formats.locale_for(self.language, self.profile.country)

    def money(self, amount: Decimal) -> str:
        return formats.amount(amount, self.currency, self.locale)

    def day(self, at: datetime) -> str:
        return formats.day(at, self.locale, formats.zone_for(self.profile.timezone))


@dataclass(frozen=True)
class MergeField:
    """kind: of the records that have it, "" for all. many: its value may have several lines.

    stored: whether what is kept of past records has it.
    """

    name: str
    label: str
    example: str
    read: Callable[[Source], str]
    kind: str = ""
    many: bool = False
    stored: bool = True


def address_text(address: Address, locale: Any) -> str:
    """Return the postal lines of an address without empty ones, the country by its name."""
    town = " ".join(p for p in (address.postcode, address.city) if p)
    if address.country in ("US", "CA", "AU"):
        town = ", ".join(p for p in (address.city, " ".join(q for q in (address.state, address.postcode) if q)) if p)
    country = locale.territories.get(address.country, address.country)
    return "\n".join(p for p in (address.company, address.name, address.street, town, country) if p)


NOWHERE = Address("", "", "", "", "", "", "", "", "")
