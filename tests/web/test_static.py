"""The files that browsers load: unchanged from their makers, complete, and fit for a strict content policy."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from bcapp.web.render import ALL_STYLES, ROOT, STATIC, TEMPLATES, VersionedStatic, joined_styles, static_url
from bcapp.web.status_words import STATUS_WORDS

pytestmark = pytest.mark.unit

# Of the packages htmx.org 4.0.1 and @fontsource/source-sans-3 5.3.1, as published.
PUBLISHED = """
a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130  vendor/htmx-4.0.1/htmx.min.js
d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38  vendor/htmx-4.0.1/LICENSE
18aabf190848725e2576eefb5c29ba06aac1029d02132252a7f312eac2e50cf3  fonts/OFL.txt
ee4e72268ac875f7e8512fb8bca4e8b6e06aa3ab4a95a980f089283bbaea0d6b  fonts/source-sans-3-latin-300-normal.woff2
0f73f35e08cde0a2f10c109c6e01d71459d97e4099ecd9a50f1b6c0209e4de2b  fonts/source-sans-3-latin-400-normal.woff2
14527d193b0e30bc32ef931549a246cdfd286573bb12869b7e052b8101a39d38  fonts/source-sans-3-latin-600-normal.woff2
0eee682fcfce3af61c95b5d7fc2b1009fd72ba1d60d66b0bf42a5845ddbe10ac  fonts/source-sans-3-latin-ext-300-normal.woff2
f5706bb057951632456ecbc496dfd01f0e1598718cb31c464c74a6b1fe79c837  fonts/source-sans-3-latin-ext-400-normal.woff2
5727d1da676bb59d22a985ccb0506219e25e847738214fec4eb00c17bed81ffc  fonts/source-sans-3-latin-ext-600-normal.woff2
"""
CHECKSUMS = {path: checksum for checksum, path in (line.split() for line in PUBLISHED.strip().splitlines())}
PAGES = sorted(TEMPLATES.rglob("*.html"))
STYLES = sorted((STATIC / "css").glob("*.css"))
OWN_CODE = [*PAGES, STATIC / "js" / "app.js"]


@pytest.mark.parametrize("path", sorted(CHECKSUMS))
def test_a_foreign_file_is_the_one_that_was_published(path: str) -> None:
    assert hashlib.sha256((STATIC / path).read_bytes()).hexdigest() == CHECKSUMS[path]


def test_every_foreign_file_has_a_checksum() -> None:
    files = [file for name in ("vendor", "fonts") for file in (STATIC / name).rglob("*") if file.is_file()]
    assert {str(file.relative_to(STATIC)) for file in files} == set(CHECKSUMS)


def test_the_notice_credits_every_maker() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for name in ("BigDesign", "CC BY 3.0", "Material Icons", "Source Sans 3", "htmx 4.0.1"):
        assert name in notice


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_imports_stand_inside_of_blocks(page: Path) -> None:
    """A block that is rendered alone, for a poll, runs no import that stands outside of it."""
    head, _, _ = page.read_text().partition("{% block ")
    assert "{% extends" not in head or not re.search(r"{% (import|from) ", head)


def icons() -> set[str]:
    return set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "img" / "icons.svg").read_text()))


def test_every_state_has_a_picture_that_exists() -> None:
    used = {word.icon for words in STATUS_WORDS.values() for word in words.values()}
    assert used <= icons()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_named_in_a_template_exists(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r'ui\.icon\("([a-z_]+)"|\bicon\("([a-z_]+)"|picture="([a-z_]+)"', text))
    assert {name for group in named for name in group if name} <= icons()


# Spellings of htmx 2 do nothing in htmx 4; the others need eval, which the content policy refuses.
FORBIDDEN = (
    r"\bhx-ext\b", r"\bhx-disabled-elt\b", r"htmx:[a-z]+[A-Z]", r"\bsse-swap\b", r"\bhx-on\b", r"\bhx-on:", r"[\"']js:",
    r"hx-trigger=\"[^\"]*\[", r"\bstyle=", r"\son[a-z]+=\"", r"\|\s*safe\b", r"javascript:",
)  # fmt: skip


@pytest.mark.parametrize("file", OWN_CODE, ids=lambda file: file.name)
def test_nothing_that_the_content_policy_or_htmx_refuses(file: Path) -> None:
    text = file.read_text()
    assert [pattern for pattern in FORBIDDEN if re.search(pattern, text)] == []
    assert re.search(r"<script(?![^>]*\bsrc=)", text) is None
    assert "localStorage" not in text
    assert "sessionStorage" not in text


@pytest.mark.parametrize("file", STYLES, ids=lambda file: file.name)
def test_a_stylesheet_keeps_to_classes_and_known_values(file: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.S)
    assert "!important" not in text
    selectors = [part.split("{")[0] for part in text.split("}")]
    assert [s for s in selectors if re.search(r"(^|[\s,>])#[a-z]", s)] == []
    known = set(re.findall(r"(--bd-[\w]+):", (STATIC / "css" / "variables.css").read_text()))
    assert set(re.findall(r"var\((--bd-[\w]+)\)", text)) <= known
    for address in re.findall(r'url\("([^"]+)"\)', text):
        assert (STATIC / "css" / address).resolve().is_file()


async def test_styles_are_served_as_one_file_that_may_be_kept() -> None:
    app = Starlette(routes=[Mount("/static", VersionedStatic())])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as client:
        marked = await client.get(static_url(ALL_STYLES))
        assert marked.status_code == 200
        assert marked.headers["content-type"].startswith("text/css")
        assert "immutable" in marked.headers["cache-control"]
        assert marked.content == joined_styles()
        assert marked.text.index(":root") < marked.text.index("body {") < marked.text.index(".button {")
        assert (await client.get("/static/js/app.js")).headers["cache-control"] == "no-cache"
        assert (await client.get("/static/../pyproject.toml")).status_code == 404
        assert (await client.get("/static/css/none.css")).status_code == 404
