"""Pages: the Jinja environment, and the one way in which a route answers HTML.

A route calls `page(request, "panel/requests.html", block="rows", requests=...)`. Every address is a whole page; when
htmx asks for a part, the same template gives the named block only. Texts, money and times follow the surroundings of
the request (language, time zone, now), which macros reach without being handed them.
"""

from __future__ import annotations

import gettext as gettext_files
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import jinja2
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal
from jinja2_fragments import render_block, render_blocks
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bcapp.core.calendars import zone_or_utc
from bcapp.web.status_words import StatusWord, document_word, status_word

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
LOCALES = ROOT / "bcapp" / "locale"

# Order matters where blocks build on each other: values, elements, then blocks by name.
STYLESHEETS = ("variables.css", "fonts.css", "base.css")
ALL_STYLES = "css/all.css"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message shown on every page until its cause is gone, such as a signature account that does not answer."""

    kind: str  # info | success | warning | danger
    text: str
    title: str = ""
    action_label: str = ""
    action_url: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the content of a panel page: the store, the person, and what is true on every page.

    The panel sets it once per request in `request.state.frame`. Pages without one (errors, signer pages) show neither
    tabs nor session.
    """

    store_hash: str
    store_name: str = ""
    zone: str = "UTC"  # IANA name; the store's
    locale: str = "en"  # of the user, as BigCommerce gives it (en-US)
    now: datetime | None = None  # aware; from the clock
    user_name: str = ""
    role: str = "viewer"
    session_token: str = ""  # never in an address; the script sends it as X-App-Session
    sdk_url: str = ""  # the control panel's frame script; empty = none
    control_panel_url: str = ""  # where the merchant finds this app
    standalone: bool = False  # the page may stand outside the control panel's frame
    test_mode: bool = False
    simulated_requests: int = 0
    attention: int = 0  # how many requests wait for somebody here
    support_url: str = ""
    notices: Sequence[Notice] = field(default_factory=tuple)

    def url(self, path: str = "", **query: str | int | None) -> str:
        """Return the in-app address of `path` for this store; absent query values are left out."""
        given = {key: value for key, value in query.items() if value is not None and value != ""}
        address = f"/s/{quote(self.store_hash)}/{path.lstrip('/')}"
        return f"{address}?{urlencode(given)}" if given else address


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Language, time zone and present moment of what is being rendered."""

    locale: Locale
    zone: ZoneInfo
    now: datetime | None


_SURROUNDINGS: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)
_PLAIN = Surroundings(Locale("en"), ZoneInfo("UTC"), None)


def surroundings() -> Surroundings:
    """Return those of the page being rendered, or plain English and UTC outside of one."""
    return _SURROUNDINGS.get() or _PLAIN


def parse_locale(text: str) -> Locale:
    """Return the locale of a tag such as `en-US`, or English for one that nobody knows."""
    try:
        return Locale.parse(text.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def parse_zone(text: str) -> ZoneInfo:
    """Return the zone as the pinned `tzdata` has it, or UTC for a name that is not one (a store without a setting)."""
    return zone_or_utc(text)


@cache
def _translations(language: str) -> gettext_files.NullTranslations:
    return gettext_files.translation("bcapp", LOCALES, languages=[language], fallback=True)


def translate(text: str) -> str:
    """Return the text in the language of the page."""
    return _translations(str(surroundings().locale)).gettext(text)


def translate_count(one: str, many: str, count: int) -> str:
    """Return the form that fits the count, in the language of the page."""
    return _translations(str(surroundings().locale)).ngettext(one, many, count)


def format_money(amount: Decimal, currency: str, locale: str | Locale | None = None) -> str:
    """Return the amount as a reader of the locale writes it, such as `€1,234.50`."""
    return str(format_currency(amount, currency, locale=locale or surroundings().locale))


def format_number(value: int | Decimal) -> str:
    """Return the number with the separators of the page's language."""
    return str(format_decimal(value, locale=surroundings().locale))


def format_time(moment: datetime, zone: str | ZoneInfo | None = None, *, seconds: bool = False) -> str:
    """Return the aware moment in the store's zone, such as `Nov 22, 2026, 3:04 PM`; with seconds for evidence."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be shown")
    where = parse_zone(zone) if isinstance(zone, str) else zone or surroundings().zone
    if seconds:
        pattern = "yyyy-MM-dd HH:mm:ss ZZZZ"
        return str(format_datetime(moment, pattern, tzinfo=where, locale=surroundings().locale))
    return str(format_datetime(moment, "medium", tzinfo=where, locale=surroundings().locale))


def format_day(day: date) -> str:
    """Return the day as the page's language writes it, such as `Nov 22, 2026`; of a moment, the store's day."""
    if isinstance(day, datetime):
        day = day.astimezone(surroundings().zone).date()
    return str(format_date(day, "medium", locale=surroundings().locale))


def format_age(moment: datetime) -> str:
    """Return how long ago (or until) the moment is, such as `2 days ago`; the absolute time when now is unknown."""
    here = surroundings()
    if here.now is None:
        return format_time(moment)
    away = moment - here.now
    if abs(away) < timedelta(seconds=45):
        return translate("just now")
    return str(format_timedelta(away, add_direction=True, locale=here.locale))


def iso_time(moment: datetime) -> str:
    """Return the machine-readable form for `<time datetime>`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@cache
def static_url(path: str) -> str:
    """Return the address of a static file with its content's mark, so that browsers may keep it for a year."""
    content = joined_styles() if path == ALL_STYLES else (STATIC / path).read_bytes()
    return f"/static/{path}?v={hashlib.sha256(content).hexdigest()[:12]}"


@cache
def joined_styles() -> bytes:
    """Return every stylesheet in one: the frame loads one file, the source keeps one file per block."""
    folder = STATIC / "css"
    blocks = sorted(file.name for file in folder.glob("*.css") if file.name not in STYLESHEETS)
    return b"\n".join((folder / name).read_bytes() for name in (*STYLESHEETS, *blocks))


class VersionedStatic(StaticFiles):
    """The static folder. Marked addresses (`?v=`) are kept for a year, plain ones are asked for again."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer the file; `css/all.css` is joined from the blocks."""
        response = (
            Response(joined_styles(), media_type="text/css")
            if path == ALL_STYLES and scope["method"] in ("GET", "HEAD")
            else await super().get_response(path, scope)
        )
        # Only the mark of what is served: a made-up one could keep today's file under tomorrow's address.
        given = f"/static/{path}?{scope['query_string'].decode('latin-1')}"
        marked = response.status_code == 200 and "?v=" in given and given == static_url(path)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if marked else "no-cache"
        # The frame's own pages use them; nobody else needs to.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


def sparkline_points(values: Sequence[float], width: int = 100, height: int = 28) -> list[tuple[float, float]]:
    """Return the line through the values, oldest first, inside a box with room for the stroke."""
    if not values:
        return []
    low, high = min(values), max(values)
    spread = (high - low) or 1
    step = width / max(len(values) - 1, 1)
    room = height - 4
    return [(round(i * step, 1), round(2 + room - (v - low) / spread * room, 1)) for i, v in enumerate(values)]


def page_numbers(current: int, last: int) -> list[int | None]:
    """Return the pages to offer: the ends, the neighbours, and None for a gap."""
    wanted = sorted({1, last, *range(max(current - 1, 1), min(current + 1, last) + 1)})
    shown: list[int | None] = []
    for number in wanted:
        if shown and shown[-1] is not None and number - shown[-1] > 1:
            shown.append(None)
        shown.append(number)
    return shown


def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.install_gettext_callables(translate, translate_count, newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(
        static=static_url,
        status_word=status_word,
        document_word=document_word,
        sparkline_points=sparkline_points,
        page_numbers=page_numbers,
    )
    env.filters.update(
        money=format_money,
        number=format_number,
        time=format_time,
        day=format_day,
        age=format_age,
        iso=iso_time,
        has=has_value,
    )
    # Blocks that are rendered alone do not run a template's imports: the parts are there for every template.
    env.globals["ui"] = env.get_template("parts.html").module
    return env


def has_value(value: object) -> bool:
    """Tell a value that was given (0 and False included) from one that was not."""
    return value is not None and value != ""


ENVIRONMENT = _environment()


def wants_part(headers: Headers) -> bool:
    """Tell whether htmx asks for a part. Boosted links, history and whole-page targets get the page."""
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Request-Type") != "full"
        and "HX-Boosted" not in headers
        and "HX-History-Restore-Request" not in headers
    )


def from_script(headers: Headers) -> bool:
    """Tell whether our script (htmx) made the request, rather than the browser itself."""
    return headers.get("HX-Request") == "true" or "HX-History-Restore-Request" in headers


def render(name: str, block: str | Sequence[str] | None, frame: Frame | None, context: Mapping[str, Any]) -> str:
    """Return the template, or one or several of its blocks one after the other, as text."""
    around = _PLAIN if frame is None else Surroundings(parse_locale(frame.locale), parse_zone(frame.zone), frame.now)
    token = _SURROUNDINGS.set(around)
    try:
        plain = {"active": "", "swapped": False, "beside": False}
        given = {"frame": frame, "lang": around.locale.language, **plain, **context}
        if block is None:
            return ENVIRONMENT.get_template(name).render(given)
        if isinstance(block, str):
            return str(render_block(ENVIRONMENT, name, block, given))
        return str(render_blocks(ENVIRONMENT, name, list(block), given))
    finally:
        _SURROUNDINGS.reset(token)


def page(
    request: Request,
    name: str,
    block: str | Sequence[str] | None = None,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    toast: str = "",
    toast_kind: str = "success",
    **context: Any,
) -> Response:
    """Answer the template as a page, or `block` of it when htmx asks for a part.

    `block` may be several names: the first is what htmx swaps, the others carry `hx-swap-oob`. `toast` is said in
    passing on answers to our script. A refused form (422) keeps the address of the page it stands on.
    """
    part = block if wants_part(request.headers) else None
    script = from_script(request.headers)
    frame = frame_of(request)
    text = render(name, part, frame, {"request": request, "swapped": script, **context})
    response = HTMLResponse(text, status)
    # The session may speak through the cookie or the header, and the answer depends on how htmx asked.
    response.headers["Vary"] = "HX-Request, HX-Request-Type, HX-Boosted, X-App-Session, Cookie"
    response.headers["Cache-Control"] = "no-store"
    if status >= 400 and request.method != "GET":
        response.headers["HX-Push-Url"] = "false"
    if toast and script:
        response.headers["HX-Trigger"] = _toast(toast, toast_kind)
    response.headers.update(headers or {})
    return response


def go(request: Request, url: str, *, toast: str = "", toast_kind: str = "success") -> Response:
    """Answer a finished POST: continue at the in-app address, and say what was done.

    Our script follows `HX-Location` (the header token travels along, any dialog closes); a browser without it gets 303.
    """
    if not from_script(request.headers):
        return RedirectResponse(url, 303)
    there = {"path": url, "target": "#page", "select": "#page", "swap": "outerHTML"}
    headers = {"HX-Location": json.dumps(there), "Cache-Control": "no-store"}
    if toast:
        headers["HX-Trigger"] = _toast(toast, toast_kind)
    return Response(status_code=200, headers=headers, media_type="text/html")


def download(request: Request, url: str) -> Response:
    """Answer a download ticket's POST: the browser fetches the one-time address as an attachment."""
    if not from_script(request.headers):
        return RedirectResponse(url, 303)
    return Response(headers={"HX-Redirect": url, "Cache-Control": "no-store"}, media_type="text/html")


def message_page(
    request: Request,
    status: int,
    title: str,
    text: str,
    action: tuple[str, str] | None = None,
    *,
    kind: str = "error",
    action_top: bool = False,
    reference: str = "",
) -> Response:
    """Answer a styled refusal or end page, which replaces the whole page even when a part was asked for.

    `action` is (label, address); with `action_top` it leaves the frame (back to the control panel). `kind` picks the
    picture: not-found, info, error, search, server-error, success, unauthorized, warning. `reference` is the id that
    support can look up. Whom to ask stands below when `name_support` named them.
    """
    headers = {}
    if from_script(request.headers):
        headers = {"HX-Retarget": "#page", "HX-Reswap": "outerHTML", "HX-Reselect": "#page"}
    return page(
        request,
        "errors/message.html",
        status=status,
        headers=headers,
        title=title,
        text=text,
        action=action,
        kind=kind,
        action_top=action_top,
        reference=reference,
        support_email=getattr(request.state, "support_email", ""),
    )


def name_support(request: Request, email: str) -> None:
    """Let every refusal of this request name the store's address for questions, "" for none.

    Only for a request that proved its store: to strangers a store says nothing.
    """
    request.state.support_email = email


def frame_of(request: Request) -> Frame | None:
    """Return the panel frame that the session check left, or None outside the panel."""
    frame = getattr(request.state, "frame", None)
    return frame if isinstance(frame, Frame) else None


def set_frame(request: Request, frame: Frame, **changes: Any) -> Frame:
    """Leave the frame for every answer to this request, with the changes given."""
    request.state.frame = replace(frame, **changes)
    return replace(frame, **changes)


def _toast(text: str, kind: str) -> str:
    # Headers carry ASCII only, names of people do not: json escapes what orjson would leave as it is.
    return json.dumps({"app:toast": {"text": text, "kind": kind}})


__all__ = [
    "Frame",
    "Notice",
    "StatusWord",
    "VersionedStatic",
    "download",
    "format_age",
    "format_money",
    "format_number",
    "format_time",
    "frame_of",
    "from_script",
    "go",
    "message_page",
    "page",
    "render",
    "set_frame",
    "static_url",
    "wants_part",
]
