"""A browser small enough to read: it opens pages, fills the forms that it finds and presses their buttons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

Files = list[tuple[str, tuple[str, bytes, str]]] | None
SESSION = re.compile(r'<meta name="app-session" content="([^"]+)"')


@dataclass
class Form:
    """A form as it stands on the page, with what a browser would send. buttons: (name, value, text)."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects forms and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._form: Form | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: str | None = None
        self._button: tuple[str, str] | None = None
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "style"):
            self._hidden += 1
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is None:
            return
        name, names = given.get("name", ""), {n for n, _ in attrs}
        if tag == "input" and name:
            kind = given.get("type", "text")
            if (kind in ("checkbox", "radio") and "checked" not in names) or kind in ("file", "submit"):
                return
            self._form.values.append((name, given.get("value", "on" if kind == "checkbox" else "")))
        elif tag == "select":
            self._select = (name, [])
        elif tag == "option" and self._select is not None:
            self._select[1].append((given.get("value", ""), "selected" in names))
        elif tag == "textarea":
            self._area = name
            self._form.values.append((name, ""))
        elif tag == "button":
            self._button = (name, given.get("value", ""))
            self._form.buttons.append((name, given.get("value", ""), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden -= 1
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select is not None and self._form is not None:
            name, options = self._select
            chosen = next((v for v, is_chosen in options if is_chosen), options[0][0] if options else "")
            self._form.values.append((name, chosen))
            self._select = None
        elif tag == "textarea":
            self._area = None
        elif tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.text.append(data)
        if self._area is not None and self._form is not None:
            name, value = self._form.values[-1]
            self._form.values[-1] = (name, value + data)
        if self._button is not None and self._form is not None:
            name, value, text = self._form.buttons[-1]
            self._form.buttons[-1] = (name, value, text + data.strip())


@dataclass(frozen=True)
class Page:
    url: str
    status: int
    html: str
    text: str
    forms: list[Form]


class DemoFailed(Exception):
    """Something that a person would meet did not go as it should; the text says what."""


class Browser:
    """A cookie-less frame: the session of the first page travels as a header, as our script does it."""

    def __init__(self, root: str) -> None:
        self._http = httpx.Client(timeout=30, follow_redirects=False, trust_env=False)
        self._root = root
        self.session = ""

    def open(self, url: str) -> Page:
        """Follow an address to its page."""
        response = self._http.get(urljoin(self._root, url), headers=self._headers())
        for _ in range(5):
            if response.status_code not in (301, 302, 303, 307):
                break
            response = self._http.get(urljoin(str(response.url), response.headers["location"]), headers=self._headers())
        return self._page(response)

    def submit(
        self, page: Page, action: str, button: str = "", files: Files = None, /, **values: str | list[str]
    ) -> Page:
        """Fill the form whose action ends so, press its (named) button, and return the page that follows.

        A list gives a name several values; an empty list leaves it out, like a box that is not ticked.
        files: (field, (file name, content, type)).
        """
        found = [f for f in page.forms if f.action.split("?")[0].endswith(action) and f.method == "post"]
        if not found:
            raise DemoFailed(f"{page.url} has no form for {action}; it says: {' '.join(page.text.split())[:300]}")
        form = found[0]
        given = {k.replace("__", "."): v for k, v in values.items()}
        data = [(n, v) for n, v in form.values if n not in given]
        for name, value in given.items():
            data += [(name, v) for v in (value if isinstance(value, list) else [value])]
        if button:
            data += [(n, v) for n, v, text in form.buttons if text == button and n][:1]
        body: dict[str, list[str]] = {}
        for name, value in data:
            body.setdefault(name, []).append(value)
        # A plain form of our own page: same origin, as the browser would say.
        headers = {**self._headers(), "Origin": self._root, "Sec-Fetch-Site": "same-origin"}
        response = self._http.post(urljoin(page.url, form.action), data=body, files=files, headers=headers)
        if response.status_code in (301, 302, 303):
            return self.open(urljoin(str(response.url), response.headers["location"]))
        return self._page(response)

    def _headers(self) -> dict[str, str]:
        return {"X-App-Session": self.session} if self.session else {}

    def _page(self, response: httpx.Response) -> Page:
        found = SESSION.search(response.text)
        if found and found[1]:
            self.session = found[1]
        reader = Reader(response.text)
        return Page(str(response.url), response.status_code, response.text, " ".join(reader.text), reader.forms)

    def close(self) -> None:
        self._http.close()
