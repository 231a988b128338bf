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

TERMS = Starter(
    "Terms of business",
    "For customer terms: what a customer or a company accepts once, for all later orders.",
    "Terms of business",
    """# Parties

These terms are between {{store.name}} and:

{{company.name?}}{{customer.name?}}

{{company.address?}}

{{customer.address?}}

# What is agreed

1. These terms hold for every order that the customer places with {{store.name}}, until they are replaced or ended.
2. Prices and delivery are those of each order. Terms of the customer hold only where {{store.name}} confirmed them.
3. The goods stay the property of {{store.name}} until they are paid in full.
4. Visible damage is told within 14 days of delivery.

# Who signs

{{ask: Name in full}}

{{ask: Title or position}}

{{tick: I have read these terms and accept them}}
""",
)

SUPPLIER = Starter(
    "Supplier agreement",
    "For suppliers: who supplies what, insurance and papers, and how long it counts.",
    "Supplier agreement",
    """# Parties

This agreement is between {{store.name}} and {{supplier.name}}.

Country: {{supplier.country}}

Registration number: {{supplier.registration}}

# What is supplied

{{supplier.covers}}

# What is agreed

1. The supplier delivers goods that may be sold where {{store.name}} sells them, and says so when that ends.
2. The supplier keeps its liability insured, and sends a new certificate before the one that was sent ends.
3. What one party learns of the other stays between them.
4. Either party may end this agreement in writing, for deliveries that were not ordered yet.

# Who signs

I sign for {{supplier.name}}, and I am entitled to do so.

{{ask: Name in full}}

{{ask: Title or position}}
""",
)

WARRANTY = Starter(
    "Warranty registration",
    "For warranties: the table of covered items, with the serial numbers that the buyer fills in.",
    "Warranty registration",
    """# What is covered

{{billing.name}} bought from {{store.name}} by order {{order.id}} of {{order.date}}:

{{warranty.items}}

# What is agreed

1. {{store.name}} repairs or replaces a covered item that fails in ordinary use on the days that stand in the table.
2. Damage by accident, misuse or repair by others is not covered.
3. Statutory rights are not affected, whether this is signed or not.

{{tick: What I filled in is true, and I accept these terms}}
""",
)

# By workflow, in the order in which they are offered.
STARTERS: dict[str, Starter] = {"account": ACCOUNT, "terms": TERMS, "supplier": SUPPLIER, "warranty": WARRANTY}
