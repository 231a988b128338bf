"""Quotes made by hand in the app: what was typed, the cart that offers it, and whether that cart is what was signed.

For stores without B2B Edition. A cart made over the API carries prices of its own, and a link leads its buyer to the
checkout; there is no cart, and so nothing to buy, before the quote is signed. Source: carts.v3.yml, "Create a Cart".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_LINES = 20  # of one quote, as typed
MOST_PRICE = Decimal(10_000_000)
MOST_PIECES = 100_000
CART_DAYS = 30  # a cart ends so long after its last change, and so does its link
CENT = Decimal("0.01")
EMAIL = re.compile(r"[^@\s,;<>\"']{1,64}@[^@\s,;<>\"']{1,190}\.[A-Za-z]{2,63}")
LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True)
class OfferedLine:
    """A line as typed, and what the store's catalog has for its SKU.

    price: of one piece, as this quote offers it. product_id 0: not looked up yet, or not there (`problem` says which).
    base_price, cost: what the store asks for it otherwise, and what it cost; None when the store has none.
    """

    sku: str
    quantity: int
    price: Decimal
    name: str = ""
    product_id: int = 0
    variant_id: int = 0
    base_price: Decimal | None = None
    cost: Decimal | None = None
    problem: str = ""

    def dump(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "quantity": self.quantity,
            "price": f"{self.price:f}",
            "name": self.name,
            "product_id": self.product_id,
            "variant_id": self.variant_id,
            "base_price": None if self.base_price is None else f"{self.base_price:f}",
            "cost": None if self.cost is None else f"{self.cost:f}",
            "problem": self.problem,
        }

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> OfferedLine:
        base, cost = row.get("base_price"), row.get("cost")
        return cls(
            str(row["sku"]), int(row["quantity"]), Decimal(str(row["price"])), str(row.get("name", "")),
            int(row.get("product_id", 0)), int(row.get("variant_id", 0)),
            None if base is None else Decimal(str(base)), None if cost is None else Decimal(str(cost)),
            str(row.get("problem", "")),
        )  # fmt: skip


@dataclass(frozen=True)
class OwnDraft:
    """A quote as typed. email: lower case. customer_id: 0 for a buyer without an account. expires_on: the last day."""

    title: str
    name: str
    email: str
    company: str
    customer_id: int
    language: str
    terms: str
    expires_on: date
    lines: tuple[OfferedLine, ...]


def read_own_quote(given: Mapping[str, str], today: date) -> tuple[OwnDraft | None, dict[str, str]]:
    """Return the quote that a form describes, or None and what is wrong, by the name of the field.

    Lines are sku_0, quantity_0, price_0 and so on; a line without any of them is no line. today: in the store's zone.
    """
    wrong: dict[str, str] = {}

    def text(name: str, label: str, most: int, *, needed: bool = False) -> str:
        value = given.get(name, "").strip()
        if len(value) > most:
            wrong[name] = f"{label} has at most {most} characters."
        elif needed and not value:
            wrong[name] = f"{label} is missing."
        return value

    title = text("title", "The title", 120)
    name = text("name", "The buyer’s name", 200, needed=True)
    email = text("email", "The e-mail address", 254, needed=True).lower()
    if email and "email" not in wrong and not EMAIL.fullmatch(email):
        wrong["email"] = "The e-mail address does not look like one. Write it like ann@example.com."
    company = text("company", "The company", 200)
    terms = text("terms", "The note", 4000)
    number = given.get("customer", "").strip().removeprefix("#")
    if number and not (number.isascii() and number.isdecimal() and 0 < len(number) < 12):
        wrong["customer"] = "A customer number has digits only. Leave it empty for a buyer without an account."
    language = given.get("language", "").strip().lower() or "en"
    if not LANGUAGE.fullmatch(language):
        wrong["language"] = "Write the language as two letters, such as en or de."
    expires = _day(given.get("expires_on", "").strip())
    if expires is None:
        wrong["expires_on"] = "The last day is missing, or not written like 2027-12-31."
    elif expires < today:
        wrong["expires_on"] = "The last day is over already."
    lines = [line for n in range(MOST_LINES) if (line := _line(given, n, wrong)) is not None]
    if not lines and not wrong:
        wrong["sku_0"] = "Name at least one product with its quantity and its price."
    if len({line.sku.casefold() for line in lines}) < len(lines):
        wrong.setdefault("sku_0", "Two lines have the same SKU. Put them into one.")
    if wrong or expires is None:
        return None, wrong
    customer = int(number) if number else 0
    return OwnDraft(title, name, email, company, customer, language, terms, expires, tuple(lines)), {}


def _line(given: Mapping[str, str], n: int, wrong: dict[str, str]) -> OfferedLine | None:
    sku, quantity, price = (given.get(f"{part}_{n}", "").strip() for part in ("sku", "quantity", "price"))
    if not sku and not quantity and not price:
        return None
    if not sku or len(sku) > 250:
        wrong[f"sku_{n}"] = f"The SKU of line {n + 1} is missing, or longer than 250 characters."
    pieces = int(quantity) if quantity.isascii() and quantity.isdecimal() and len(quantity) < 8 else 0
    if not 0 < pieces <= MOST_PIECES:
        wrong[f"quantity_{n}"] = f"The quantity of line {n + 1} is a whole number from 1 to {MOST_PIECES}."
    amount = _amount(price)
    if amount is None:
        wrong[f"price_{n}"] = f"The price of line {n + 1} is a number with at most two decimals. Write it like 12.50."
    return OfferedLine(sku, pieces, amount or Decimal(0))


def _amount(text: str) -> Decimal | None:
    try:
        value = Decimal(text) if text.isascii() and 0 < len(text) <= 20 else Decimal("NaN")
    except InvalidOperation:
        return None
    if not value.is_finite() or not 0 <= value <= MOST_PRICE or value != value.quantize(CENT):
        return None
    return value.quantize(CENT)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


# Looking up ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stocked:
    """What the catalog has for a SKU. price: None when it has none of its own and its product's is not known."""

    product_id: int
    variant_id: int
    name: str
    price: Decimal | None
    cost: Decimal | None


def looked_up(lines: Sequence[OfferedLine], found: Mapping[str, Sequence[Stocked]]) -> tuple[OfferedLine, ...]:
    """Return the lines with what the catalog has for each. found: by SKU as typed; several where it is not unique."""
    known = []
    for at, line in enumerate(lines, start=1):
        rows = found.get(line.sku, ())
        if len(rows) == 1:
            (row,) = rows
            there = {"product_id": row.product_id, "variant_id": row.variant_id, "name": row.name}
            known.append(replace(line, **there, base_price=row.price, cost=row.cost, problem=""))  # type: ignore[arg-type]
        else:
            how = "more than one product has" if rows else "no product has"
            known.append(replace(line, product_id=0, problem=f"Line {at}: {how} this SKU."))
    return tuple(known)


# The cart -----------------------------------------------------------------------------------------------------


def cart_body(lines: Sequence[OfferedLine], *, currency: str, channel_id: int, customer_id: int) -> dict[str, Any]:
    """Return what makes the cart: each line at the price that was signed."""
    items = [
        {"quantity": x.quantity, "product_id": x.product_id, "variant_id": x.variant_id, "list_price": float(x.price)}
        for x in lines
    ]
    body: dict[str, Any] = {"line_items": items, "channel_id": channel_id, "currency": {"code": currency}}
    return {**body, "customer_id": customer_id} if customer_id else body


def cart_differs(lines: Sequence[OfferedLine], cart: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    """Return what a cart has otherwise than the quote, in words that name nobody; () when it is what was signed.

    That a price of one's own is taken is written; that it is taken in every store is not, so it is looked at.
    """
    rows: list[Mapping[str, Any]] = []
    items = cart.get("line_items")
    for name, part in items.items() if isinstance(items, Mapping) else ():
        rows += [row for row in part if isinstance(row, Mapping)] if name != "gift_certificates" else []
    there = sorted((int(r.get("variant_id") or 0), int(r.get("quantity") or 0)) for r in rows)
    found = []
    if there != sorted((x.variant_id, x.quantity) for x in lines):
        found.append("products or quantities")
    prices = {int(r.get("variant_id") or 0): Decimal(str(r.get("list_price"))) for r in rows if "list_price" in r}
    # The answer calls it a net price; a store whose prices are entered with tax may answer less than was sent.
    with_tax = cart.get("tax_included") is True
    for line in lines:
        answered = prices.get(line.variant_id)
        if answered is not None and abs(answered - line.price) >= CENT and not (with_tax and answered < line.price):
            found.append("price")
            break
    code = cart.get("currency", {}).get("code") if isinstance(cart.get("currency"), Mapping) else None
    if code not in (None, currency):
        found.append("currency")
    return tuple(found)


# The mail -------------------------------------------------------------------------------------------------------

# Language -> (subject, text); {number}, {store}, {link}, {days}.
MAIL: dict[str, tuple[str, str]] = {
    "en": (
        "Your quote from {store}",
        "Your quote {number} is approved. Order it here:\n\n{link}\n\nThe link can be opened once, within {days} days "
        "and as long as the quote is valid. If it does not work, ask us for another one.\n",
    ),
    "de": (
        "Ihr Angebot von {store}",
        "Ihr Angebot {number} ist freigegeben. Hier können Sie es bestellen:\n\n{link}\n\nDer Link lässt sich einmal "
        "öffnen, innerhalb von {days} Tagen und solange das Angebot gilt. Wenn er nicht geht, fragen Sie uns nach "
        "einem neuen.\n",
    ),
    "fr": (
        "Votre devis de {store}",
        "Votre devis {number} est approuvé. Commandez ici :\n\n{link}\n\nLe lien s’ouvre une seule fois, dans les "
        "{days} jours et tant que le devis est valable. S’il ne fonctionne pas, demandez-nous-en un autre.\n",
    ),
    "es": (
        "Su presupuesto de {store}",
        "Su presupuesto {number} está aprobado. Haga el pedido aquí:\n\n{link}\n\nEl enlace se abre una sola vez, en "
        "{days} días y mientras el presupuesto sea válido. Si no funciona, pídanos otro.\n",
    ),
    "nl": (
        "Uw offerte van {store}",
        "Uw offerte {number} is goedgekeurd. Bestel hier:\n\n{link}\n\nDe link kan één keer worden geopend, binnen "
        "{days} dagen en zolang de offerte geldig is. Werkt hij niet, vraag ons dan om een nieuwe.\n",
    ),
    "it": (
        "Il Suo preventivo di {store}",
        "Il Suo preventivo {number} è approvato. Ordini qui:\n\n{link}\n\nIl link si apre una sola volta, entro {days} "
        "giorni e finché il preventivo è valido. Se non funziona, ce ne chieda un altro.\n",
    ),
}


def mail_of(language: str, *, number: int, store: str, link: str) -> tuple[str, str]:
    """Return subject and text of the mail to the buyer, in English where the language has none."""
    subject, text = MAIL.get(language[:2].lower(), MAIL["en"])
    return subject.format(store=store), text.format(number=number, link=link, days=CART_DAYS)
