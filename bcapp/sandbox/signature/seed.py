"""What the service starts with: one account for the demo and two templates."""

from __future__ import annotations

from bcapp.sandbox.signature.pdf import text_pdf
from bcapp.sandbox.signature.records import Account, Placed, Store, Template

DEMO_TENANT = "northwind"


def demo_account() -> Account:
    return Account(
        tenant=DEMO_TENANT,
        name="Northwind Outfitters",
        client_id="signature-client",
        client_secret="signature-secret-5d1f0a9b",
        sender_email="contracts@northwind.example",
        subscription="subscription:coresignature-northwind-100200",
        passwords={"contracts@northwind.example": "demo-password-1"},
    )


def add_templates(store: Store, account: Account) -> None:
    """Give the account two prepared documents whose placeholders carry external ids."""
    order = Template(
        account=account,
        name="Order agreement",
        pages=text_pdf(
            ["Order agreement", "", "The buyer orders the goods named in the order below.", "", "Order:", "", "Total:",
             "", "", "Buyer:", "", "", "", "Approved by:"],
            title="Order agreement",
        ),
        fields=[
            _placed("t", 0, 120, 718, "order_number", label="Order"),
            _placed("t", 0, 120, 686, "order_total", label="Total"),
            _placed("s", 0, 140, 638, "buyer_signature", label="Buyer"),
            _placed("s", 1, 160, 574, "approver_signature", label="Approved by"),
            _placed("d", 1, 360, 574, "approved_on", label="Date"),
        ],
        who="o",
        roles=["Buyer", "Approver"],
    )  # fmt: skip
    supplier = Template(
        account=account,
        name="Supplier agreement",
        pages=text_pdf(
            ["Supplier agreement", "", "The supplier delivers under the purchase terms of the store.", "",
             "Tax number:", "", "The terms were read:", "", "Signatory:"],
            title="Supplier agreement",
        ),
        fields=[
            _placed("t", 0, 160, 718, "tax_number", label="Tax number"),
            _placed("c", 0, 190, 686, "terms_read", label="The terms were read"),
            _placed("s", 0, 150, 654, "signatory_signature", label="Signatory"),
        ],
        who="o",
        roles=["Signatory"],
    )  # fmt: skip
    for template in (order, supplier):
        store.templates[template.uuid] = template


def _placed(kind: str, signer: int, x: float, y: float, external_id: str, *, label: str) -> Placed:
    return Placed(kind, signer, 0, x, y, 11.0, required=True, label=label, external_id=external_id)
