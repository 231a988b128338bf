"""Texts to begin an agreement with. A merchant changes them: they are no legal advice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Starter:
    """label, help: on the page that offers it. title, body: of the agreement, as markup."""

    label: str
    help: str
    title: str
    body: str


ACCOUNT = Starter(
    "Application for a business account",
    "For account approval: who applies, in which position, and the statement that they may sign for the company.",
    "Application for a business account",
    """# Who applies

{{company.name?}}{{customer.company?}} applies to {{store.name}} for a business account.

{{company.address?}}

{{customer.address?}}

What the application says:

{{company.application?}}

{{customer.form?}}

# What is agreed

1. What the application says is true and complete. Changes are told to {{store.name}} without delay.
2. Whoever the account lets in orders in the name of the company, which pays for what they order.
3. A credit limit and payment terms are granted by {{store.name}}, and may be changed or ended by it for later orders.

# Who signs

I sign for the company, and I am entitled to do so.

{{ask: Name in full}}

{{ask: Title or position}}

{{tick: I am authorised to bind the company by my signature}}

{{tick: What this application says is true and complete}}
""",
)

STARTERS: dict[str, Starter] = {"account": ACCOUNT}
