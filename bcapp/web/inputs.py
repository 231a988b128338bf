"""Reading a form's values: bounded, plain text, with one sentence per field that is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request

from bcapp.web.refusals import not_found

LARGEST_ID = 2**63 - 1
LINE = 200  # characters of a usual one-line field


class Blank(dict[str, str]):
    """Values or errors by field name; a field that is missing reads as empty."""

    def __missing__(self, key: str) -> str:
        return ""


class Inputs:
    """What was typed, and what is wrong with it. `errors` goes to the template as it is: {field name: sentence}."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        self._form = form
        self.values = Blank()
        self.errors = Blank()

    def text(self, name: str, *, most: int = LINE, required: str = "", keep: bool = True) -> str:
        """Return the field without outer spaces. required: what to say when it is empty. keep: show it again."""
        given = self._form.get(name, "")
        value = given.strip() if isinstance(given, str) else ""
        if keep:
            self.values[name] = value[: most * 2]
        if len(value) > most:
            self.errors[name] = f"Use at most {most} characters."
        elif any(not c.isprintable() for c in value):
            self.errors[name] = "This holds characters that cannot be stored. Type it again."
        elif not value and required:
            self.errors[name] = required
        return "" if name in self.errors else value

    def choice(self, name: str, allowed: Collection[str], wrong: str) -> str:
        """Return the chosen value, "" with an error when it is none of those allowed."""
        value = self.text(name)
        if name not in self.errors and value not in allowed:
            self.errors[name] = wrong
            return ""
        return value

    def number(self, name: str) -> int:
        """Return an id or count that a hidden field or select carries; 0 for what is no number."""
        value = self.text(name, most=20)
        return int(value) if value.isascii() and value.isdecimal() and int(value) <= LARGEST_ID else 0

    def is_on(self, name: str) -> bool:
        """Tell whether a checkbox is ticked."""
        return self.text(name) == "yes"


def id_in_path(request: Request, name: str = "id") -> int:
    """Return the id in the address; nothing is there for a number that no row can have."""
    value = request.path_params[name]
    number = int(value)
    if not 0 < number <= LARGEST_ID:
        raise not_found()
    return number
