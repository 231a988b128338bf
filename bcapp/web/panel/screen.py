"""What every screen of requests, orders, rules and agreements does alike: bounded input, one-time marks, the answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bcapp.core.model import RecordKey
from bcapp.db import panel_requests
from bcapp.web.panel import Visit
from bcapp.web.panel.kinds import name_of, record_path, shown_kinds
from bcapp.web.refusals import not_found
from bcapp.web.render import Frame, frame_of, page
from bcapp.workflows.protocol import Command

MOST_ID = 2**53  # ids come from sequences; more is nobody's
MOST_PAGE = 10_000
SEARCH_CHARACTERS = 100
WHY_CHARACTERS = 500
NUMBER = re.compile(r"[0-9]{1,15}")
ONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
EMAIL = re.compile(r"[^@\s,;<>\"'()\[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?\.[A-Za-z]{2,63}")
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def answer(
    request: Request,
    visit: Visit,
    name: str,
    block: str | Sequence[str] | None = None,
    status: int = 200,
    **context: Any,
) -> Response:
    """Answer a template with what all of them need: who visits, the csrf field, a fresh one-time mark."""
    given = {
        "visit": visit,
        "csrf": visit.csrf,
        "once": secrets.token_urlsafe(16),
        "record_kinds": shown_kinds(),
        "place_of": lambda kind, record_id: record_path(RecordKey(kind, str(record_id))),
        "name_of": lambda kind, record_id: name_of(RecordKey(kind, str(record_id))),
        **context,
    }
    return page(request, name, block, status, **given)


def frame(request: Request) -> Frame:
    """Return the frame that the session check left; there always is one behind the panel's door."""
    found = frame_of(request)
    assert found is not None
    return found


def path_id(request: Request, name: str = "id") -> int:
    """Return a number of the path; the refusal 404 for what is none of ours."""
    text = str(request.path_params[name])
    if not NUMBER.fullmatch(text) or int(text) > MOST_ID:
        raise not_found()
    return int(text)


def query_text(request: Request, name: str, most: int = SEARCH_CHARACTERS) -> str:
    """Return a value of the address, without what no text holds, cut to its bound."""
    return CONTROLS.sub("", request.query_params.get(name, "")).strip()[:most]


def query_page(request: Request) -> int:
    text = request.query_params.get("page", "1")
    return min(max(int(text), 1), MOST_PAGE) if NUMBER.fullmatch(text) else 1


@dataclass
class Given:
    """A form as it came. Reading a field checks it; what is wrong stands in errors under the field's name."""

    form: Mapping[str, Any]
    errors: dict[str, str] = field(default_factory=dict)

    def raw(self, name: str) -> str:
        value = self.form.get(name, "")
        return CONTROLS.sub("", value).replace("\r\n", "\n") if isinstance(value, str) else ""

    def text(self, name: str, label: str, most: int, *, required: bool = False) -> str:
        value = self.raw(name).strip()
        if len(value) > most:
            self.errors[name] = f"{label} has at most {most} characters."
        elif required and not value:
            self.errors[name] = f"{label} is missing."
        return value

    def email(self, name: str, label: str = "The e-mail address") -> str:
        value = self.text(name, label, 254, required=True).lower()
        if name not in self.errors and not EMAIL.fullmatch(value):
            self.errors[name] = f"{label} does not look like one. Write it like ann@example.com."
        return value

    def number(self, name: str, label: str, least: int, most: int, *, default: int | None = None) -> int:
        value = self.raw(name).strip()
        if not value and default is not None:
            return default
        if not NUMBER.fullmatch(value) or not least <= int(value) <= most:
            self.errors[name] = f"{label} is a whole number from {least} to {most}."
            return default if default is not None else least
        return int(value)

    def choice(self, name: str, sentence: str, options: Sequence[str], default: str = "") -> str:
        value = self.raw(name) or default
        if value not in options:
            self.errors[name] = sentence
            return default
        return value

    def ticked(self, name: str) -> bool:
        return bool(self.raw(name))

    @property
    def once(self) -> str:
        """The button's one-time mark; a form without one gets a mark of its own, and no protection."""
        value = self.raw("once")
        return value if ONCE.fullmatch(value) else secrets.token_urlsafe(16)


async def press(visit: Visit, record: RecordKey, command: Command, once: str) -> bool:
    """Hand what was pressed to the worker; False when it is the same press again."""
    s = visit.services
    return await panel_requests.press(s.db, s.secrets, visit.store.hash, record, command, visit.now, once=once)


def shown_label(visit: Visit, kind: str, record_id: str, label: str) -> str:
    """Return a record's name; who may not see personal data reads its number only."""
    plain = name_of(RecordKey(kind, record_id))
    return (label or plain) if visit.may("requests.facts") else plain
