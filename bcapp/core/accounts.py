"""What becomes of an approved account: its group by the credit granted, and what was asked for and typed, as money."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from bcapp.core.inputs import parse_sum, typed_inputs
from bcapp.core.model import Money, SignatureRequest
from bcapp.core.options import Option, Options, OptionType
from bcapp.core.papers import CERTIFICATE, LICENCE
from bcapp.core.sheets import CREDIT_LIMIT
from bcapp.core.states import Purpose

TIER = re.compile(r"([0-9][0-9.,]*)\s*[:=]\s*([0-9]{1,9})")
CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
DAYS = (0, 5, 15, 30, 45, 60)  # the only payment terms that B2B Edition knows

_COMPANY = ("company",)


# What the form refuses, so that nobody finds out after a signature that a setting did nothing.


def _are_tiers(text: str) -> bool:
    rest = TIER.sub("", text).strip(" \t\r\n,;")
    # 25.000 may be meant as twenty-five thousand, and would be read as twenty-five.
    return not rest and not re.search(r"\.[0-9]{3}", text) and len(parse_tiers(text)) == len(TIER.findall(text))


def _are_codes(text: str) -> bool:
    return all(CODE.fullmatch(code.strip()) for code in text.strip(" ,").split(","))


def _is_pair(text: str) -> bool:
    name, equals, value = text.partition("=")
    return bool(equals and name.strip() and value.strip())


OPTIONS: tuple[Option, ...] = (
    Option(
        "applicants_group",
        OptionType.NUMBER,
        "Applicants’ group",
        "By group number. Who waits for approval is put into this customer group; empty leaves them where they are.",
        between=(1, 10**9),
    ),
    Option(
        "approved_group",
        OptionType.NUMBER,
        "Group when approved",
        "By group number. A group carries prices and what may be seen; empty leaves it as it was.",
        between=(1, 10**9),
    ),
    Option(
        "tiers",
        OptionType.TEXT,
        "Groups by credit limit",
        "From which limit on which group: 0 = 3, 25000 = 4. The highest one reached counts, before the group above.",
        is_read=_are_tiers,
        like="Write from which limit on which group number: 0 = 3, 25000 = 4.",
        kinds=_COMPANY,
    ),
    Option(
        "price_list",
        OptionType.NUMBER,
        "Price list when approved",
        "By number. Only where B2B Edition gives each company a group of its own; else the group carries the prices.",
        between=(1, 10**9),
        kinds=_COMPANY,
    ),
    Option(
        "price_tiers",
        OptionType.TEXT,
        "Price lists by credit limit",
        "From which limit on which list: 0 = 2, 25000 = 5. The highest one reached counts, before the list above.",
        is_read=_are_tiers,
        like="Write from which limit on which price list's number: 0 = 2, 25000 = 5.",
        kinds=_COMPANY,
    ),
    Option(
        "most_credit",
        OptionType.MONEY,
        "Highest credit limit",
        "A limit above it is not set by itself, whoever signed it: a person is asked. 50000.00 USD",
        kinds=_COMPANY,
    ),
    Option(
        "credit_field",
        OptionType.TEXT,
        "Extra field with the credit asked for",
        "Its amount is what approval limits are compared with. Credit asked for",
        kinds=_COMPANY,
    ),
    Option(
        "payment_terms",
        OptionType.CHOICE,
        "Payment terms",
        "Within how many days a company pays; empty leaves them as they are.",
        choices=tuple((str(days), f"{days} days" if days else "At once") for days in DAYS),
        kinds=_COMPANY,
    ),
    Option(
        "payment_methods",
        OptionType.TEXT,
        "Payment methods",
        "Codes of what is switched on for the company, with commas between: cheque, bankdeposit. Others stay.",
        is_read=_are_codes,
        like="Write the codes of B2B Edition with commas between them: cheque, bankdeposit.",
        kinds=_COMPANY,
    ),
    Option(
        "attribute",
        OptionType.TEXT,
        "Customer attribute when approved",
        "Name and value, for customers without a company: Account state = approved",
        is_read=_is_pair,
        like="Write the name, = and the value: Account state = approved.",
        kinds=("customer",),
    ),
    Option(
        "ask_licence",
        OptionType.FLAG,
        "Ask for a business licence",
        "The applicant uploads it on the page of the request; your staff accept it with its last day.",
    ),
    Option(
        "ask_certificate",
        OptionType.FLAG,
        "Ask for a tax or resale certificate",
        "Likewise.",
    ),
    Option(
        "wait_papers",
        OptionType.FLAG,
        "Wait for the papers",
        "A signed account waits until what was asked for is accepted. Without it the papers may follow later.",
        beside=("ask_licence", "ask_certificate"),
    ),
    Option(
        "subsidiaries",
        OptionType.FLAG,
        "Subsidiaries need no signature",
        "A company below an approved one is not asked; approve it by hand.",
        kinds=_COMPANY,
    ),
)


def parse_tiers(text: str) -> tuple[tuple[Decimal, int], ...]:
    """Return (from which limit on, number of the group or price list), lowest first. What is no tier is left aside."""
    found = []
    for match in TIER.finditer(text):
        try:
            found.append((Decimal(match[1].replace(",", "")), int(match[2])))
        except InvalidOperation:
            continue
    return tuple(sorted(found))


def group_for(options: Options, granted: Money | None) -> int:
    """Return the group of an approved account, 0 to leave it as it is."""
    return _reached(options, "tiers", granted) or options.number("approved_group")


def price_list_for(options: Options, granted: Money | None) -> int:
    """Return the price list of an approved company, 0 to leave it as it is."""
    return _reached(options, "price_tiers", granted) or options.number("price_list")


def _reached(options: Options, name: str, granted: Money | None) -> int:
    amount = granted.amount if granted else Decimal(0)
    reached = [number for least, number in parse_tiers(options.text(name)) if amount >= least]
    return reached[-1] if reached else 0


def papers_asked(options: Options) -> tuple[str, ...]:
    """Return the names of the papers that an applicant is asked for."""
    asked = {"ask_licence": LICENCE, "ask_certificate": CERTIFICATE}
    return tuple(name for option, name in asked.items() if options.flag(option))


def payment_codes(options: Options) -> tuple[str, ...]:
    codes = (code.strip() for code in options.text("payment_methods").split(","))
    return tuple(dict.fromkeys(code for code in codes if CODE.fullmatch(code)))


def attribute_of(options: Options) -> tuple[str, str] | None:
    """Return (name, value) of the attribute that marks an approved customer."""
    name, equals, value = options.text("attribute").partition("=")
    return (name.strip(), value.strip()) if equals and name.strip() and value.strip() else None


def credit_asked(fields: Iterable[tuple[str, str]], name: str, currency: str) -> Money | None:
    """Return the credit that an application asks for; None when it asks for none, or nobody can tell."""
    wanted = name.strip().casefold()
    for key, value in fields:
        if wanted and key.casefold() == wanted:
            return parse_sum(value, "en", currency)
    return None


@dataclass(frozen=True)
class Granted:
    """The credit limit of the signed sheet. money: None when it names none. unclear: it was typed and is no amount."""

    money: Money | None = None
    unclear: bool = False
    too_high: bool = False  # above what the rule lets go by itself


def credit_granted(requests: Sequence[SignatureRequest], options: Options, currency: str) -> Granted:
    """Read the limit that the newest signed sheet names."""
    for request in reversed(requests):
        if request.purpose is not Purpose.INTERNAL:
            continue
        for typed in typed_inputs(request, currency):
            if typed.external_id == CREDIT_LIMIT.id and typed.raw.strip():
                if not isinstance(typed.value, Money) or typed.value.amount < 0:
                    return Granted(unclear=True)
                return Granted(typed.value, too_high=_is_above(typed.value, options.money("most_credit")))
    return Granted()


def _is_above(limit: Money, most: Money | None) -> bool:
    return most is not None and (limit.currency != most.currency or limit.amount > most.amount)


def unreadable(name: str, options: Options) -> list[str]:
    """Return a sentence for every setting of a rule that cannot be read, and so has no effect."""
    found = []
    if options.text("tiers").strip() and not parse_tiers(options.text("tiers")):
        found.append(f"“Groups by credit limit” of the rule “{name}” cannot be read: write 0 = 3, 25000 = 4.")
    if options.text("price_tiers").strip() and not parse_tiers(options.text("price_tiers")):
        found.append(f"“Price lists by credit limit” of the rule “{name}” cannot be read: write 0 = 2, 25000 = 5.")
    if options.text("payment_methods").strip() and not payment_codes(options):
        found.append(f"“Payment methods” of the rule “{name}” names none: write their codes with commas between.")
    if options.text("attribute").strip() and attribute_of(options) is None:
        found.append(f"“Customer attribute” of the rule “{name}” cannot be read: write a name = a value.")
    return found


def merged(each: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return the settings of several rules as one: the first that says something about a setting counts."""
    found: dict[str, str] = {}
    for chosen in each:
        for name, value in chosen.items():
            if value and not found.get(name):
                found[name] = str(value)
    return tuple(found.items())
