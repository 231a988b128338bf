"""Amounts as people type them, and the dated table of rates between a store's currencies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal

from bcapp.core.model import Money

_SIX = Context(prec=6)
_WIDE = Context(prec=80)  # the largest amount at the steepest rate still fits
_MONEY = re.compile(r"^\s*([0-9]{1,12}(?:\.[0-9]{1,4})?)\s+([A-Z]{3})\s*$")


def parse_money(text: str) -> Money:
    """Read "100.00 USD"; ValueError when it is anything else."""
    found = _MONEY.match(text)
    if not found:
        raise ValueError(f"{text[:40]!r} is not an amount of zero or more with its currency, such as 100.00 USD")
    return Money(Decimal(found[1]), found[2])


def written(amount: Decimal) -> str:
    """Return the amount without the zeros that the store adds after the cents: "1090.0400" becomes "1090.04"."""
    whole, _, cents = f"{amount:f}".partition(".")
    return f"{whole}.{cents.rstrip('0'):0<2}" if cents else whole


@dataclass(frozen=True)
class RateTable:
    """What one unit of `base` is worth in other currencies, as of a day; the merchant sees and dates it.

    rates: units of the currency for one unit of base, above zero. Source: the store's currencies, or typed by hand.
    days: of a currency whose rate is of another day than as_of. by_hand: whose rate a person typed.
    """

    base: str = ""
    as_of: date | None = None
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    days: Mapping[str, date] = field(default_factory=dict)
    by_hand: frozenset[str] = frozenset()

    def rate(self, currency: str) -> Decimal | None:
        return Decimal(1) if currency == self.base else self.rates.get(currency)

    def convert(self, money: Money, currency: str) -> tuple[Money, str] | None:
        """Return the amount in another currency and the rate that decided, as a phrase; None when one is not listed."""
        there, here = self.rate(currency), self.rate(money.currency)
        if there is None or here is None or here <= 0:
            return None
        rate = _WIDE.divide(there, here)
        told = f"1 {money.currency} = {_short(rate)} {currency}, {self._source(money.currency, currency)}"
        amount = _WIDE.multiply(money.amount, rate).quantize(Decimal("0.0001"), context=_WIDE)
        return Money(amount, currency), told

    def _source(self, *currencies: str) -> str:
        days = [day for c in currencies if c != self.base and (day := self.days.get(c, self.as_of))]
        day = min(days, default=self.as_of)
        typed = "rate typed by hand" if not self.by_hand.isdisjoint(currencies) else "rates"
        return f"{typed} of {day.day} {day:%B %Y}" if day else typed


def _short(rate: Decimal) -> str:
    """Write a rate with six significant digits, so that one yen in dollars is no zero."""
    return f"{rate.normalize(_SIX):f}"
