"""Money, dates and the few fixed words of documents, in the language of the reader."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

from bcapp.core.calendars import zone_named
from bcapp.core.model import Money
from bcapp.core.words import WORDS

LETTER_COUNTRIES = frozenset({"US", "CA", "MX", "PH", "CL", "CO", "CR", "GT", "PA", "DO", "VE", "SV", "NI", "PR"})


def words_for(language: str) -> Mapping[str, str]:
    """Return the fixed words in a language, in English where we have none."""
    return WORDS.get(language.replace("_", "-").split("-")[0].lower(), WORDS["en"])


# Elsewhere "12.400,00" is how a region writes numbers: an English text keeps English ones.
ENGLISH = frozenset({"US", "GB", "CA", "AU", "NZ", "IE", "IN", "SG", "HK", "ZA", "PH", "MT"})


def locale_for(language: str, country: str = "") -> Locale:
    """Return how a language writes numbers and dates, in the country's manner when there is one; else English."""
    parts = language.replace("_", "-").split("-")
    if parts[0].lower() == "en" and country and country not in ENGLISH:
        country = "GB"
    for name in ([f"{parts[0]}_{parts[1].upper()}"] if len(parts) > 1 else []) + [f"{parts[0]}_{country}", parts[0]]:
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")


def zone_for(name: str) -> tzinfo:
    """Return the store's time zone as the pinned `tzdata` has it, UTC when its name is unknown."""
    return zone_named(name) or UTC


def money(value: Money, locale: Locale) -> str:
    """Write an amount with its currency, with at least the currency's own decimals and none lost."""
    return amount(value.amount, value.currency, locale)


def amount(value: Decimal, currency: str, locale: Locale) -> str:
    shown: str = format_currency(value, currency, locale=locale, decimal_quantization=_is_round(value))
    return shown


def _is_round(value: Decimal) -> bool:
    """Tell whether two decimals show the amount whole; more are written out rather than rounded away."""
    return value == value.quantize(Decimal("0.01")) if value.is_finite() else True


def number(value: int | Decimal, locale: Locale) -> str:
    shown: str = format_decimal(value, locale=locale)
    return shown


def day(at: datetime, locale: Locale, zone: tzinfo) -> str:
    """Write the date in the store's zone, the month by its name."""
    shown: str = format_date(at.astimezone(zone).date(), "long", locale=locale)
    return shown


def date_only(on: date, locale: Locale) -> str:
    shown: str = format_date(on, "long", locale=locale)
    return shown


def moment(at: datetime, locale: Locale, zone: tzinfo) -> str:
    """Write date and time in the store's zone, with the zone."""
    time = format_datetime(at.astimezone(zone), "HH:mm zzz", locale=locale, tzinfo=zone)
    return f"{day(at, locale, zone)}, {time}"


def paper_for(country: str) -> str:
    """Return typst's name of the paper that a country prints on."""
    return "us-letter" if country.upper() in LETTER_COUNTRIES else "a4"
