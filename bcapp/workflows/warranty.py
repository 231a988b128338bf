"""Warranty: once an order is shipped, its buyer signs for what is covered, and every piece is registered."""

from __future__ import annotations

from bcapp.core.options import Option, OptionType
from bcapp.core.warranties import MOST_MONTHS, Cover, Serials

OPTIONS: tuple[Option, ...] = (
    Option(
        "cover",
        OptionType.CHOICE,
        "What is signed",
        "How answers at the counter call it.",
        default=Cover.WARRANTY,
        choices=((Cover.WARRANTY, "A warranty"), (Cover.SERVICE, "Maintenance or service terms")),
    ),
    Option(
        "categories",
        OptionType.TEXT,
        "Covered categories",
        "Category numbers with commas between them; what stands below a category counts too. "
        "Nothing here and in the next three covers every product of the order.",
    ),
    Option("brands", OptionType.TEXT, "Covered brands", "Names with commas between them."),
    Option("products", OptionType.TEXT, "Covered products", "SKUs or product numbers with commas between them."),
    Option("custom_field", OptionType.TEXT, "Covered by a custom field", "Its name, or name = value."),
    Option(
        "serials",
        OptionType.CHOICE,
        "Serial numbers",
        "The document has one text box for each piece. What staff or a file gave before is printed instead.",
        default=Serials.REQUIRED,
        choices=(
            (Serials.REQUIRED, "The buyer fills them in"),
            (Serials.OPTIONAL, "The buyer may fill them in"),
            (Serials.NONE, "They are not asked for"),
        ),
    ),
    Option(
        "months",
        OptionType.NUMBER,
        "Months covered",
        "0 covers without an end.",
        default="24",
        between=(0, MOST_MONTHS),
    ),
    Option(
        "starts",
        OptionType.CHOICE,
        "Begins",
        "A store that tells no day of shipment begins it on the day on which the buyer is asked.",
        default="shipment",
        choices=(("shipment", "With the shipment"), ("order", "With the order")),
    ),
    Option("start_days", OptionType.NUMBER, "Days after the shipment", "", default="0", between=(0, 365)),
    Option(
        "renew_days",
        OptionType.NUMBER,
        "Ask for the next term this many days before the end",
        "0 or nothing: nobody is asked again.",
        between=(0, 365),
    ),
)
