"""What only one kind of record shows or offers on its page: a file per kind, named in bcapp/web/panel/kinds.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bcapp.core.model import RecordKey
from bcapp.db.panel_requests import RecordPage
from bcapp.web.panel import Visit


@dataclass(frozen=True)
class Look:
    """The page of a record that is being shown. row: of `records`, with facts and trace."""

    visit: Visit
    record: RecordKey
    row: Mapping[str, Any]
    around: RecordPage


# What a kind's own parts of the page need, by name. Two names are known to every page: "buttons", a list of Button for
# its head, and "hold_rows", (name, value) pairs for its panel about the hold.
More = Callable[[Look], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Button:
    """A step of one kind. is_dialog: its address is a question (GET) that opens as a dialog; else it is posted.

    is_link: it leads to a page of its own.
    """

    label: str
    url: str
    kind: str = "secondary"
    picture: str = ""
    is_dialog: bool = True
    is_link: bool = False
