"""Documents as data become PDFs, in bounded processes of their own; what was placed is read back and compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bcapp.core.agreements import Page
from bcapp.core.model import PlacedField
from bcapp.documents.inspect import require_fields
from bcapp.documents.pool import RENDERING, WorkFailed
from bcapp.errors import AppError

TEMPLATES = Path(__file__).parent / "typst"
FONTS = Path(__file__).parent / "fonts"


class RenderFailed(AppError):
    """A template could not be set: a bug of ours, never the fault of a value."""


@dataclass(frozen=True)
class Rendered:
    """sha256: hex. missing: characters that no font has, shown as □."""

    pdf: bytes = field(repr=False)
    sha256: str
    fields: tuple[PlacedField, ...]
    missing: str = ""


async def render(page: Page) -> Rendered:
    """Set a document; the same page gives the same bytes.

    Raises FieldsDiffer when the PDF does not hold exactly the fields placed, DocumentTooHeavy, RenderFailed.
    """
    pdf, missing = await typeset(page)
    await require_fields(pdf, page.fields)
    return Rendered(pdf, hashlib.sha256(pdf).hexdigest(), page.fields, missing)


@dataclass(frozen=True)
class Pictures:
    """pages: PNG, the first ones. count: of all pages."""

    pages: tuple[bytes, ...] = field(repr=False)
    count: int


async def picture(page: Page, *, most: int, ppi: int = 80) -> Pictures:
    """Return a document's first pages as pictures for the screen. Raises DocumentTooHeavy, RenderFailed."""
    try:
        answer, blobs = await RENDERING.call("pictures", [orjson.dumps(page.data)], **head_of(page), ppi=ppi, most=most)
    except WorkFailed as exc:
        raise RenderFailed(f"{page.template}: {exc}") from exc
    return Pictures(tuple(blobs), answer["pages"])


def head_of(page: Page) -> dict[str, Any]:
    """Return what a render process is told beside the page's data."""
    fonts = [str(FONTS)] if FONTS.is_dir() else []
    return {
        "root": str(TEMPLATES),
        "fonts": fonts,
        "template": page.template,
        "timestamp": int(page.made_at.timestamp()),
    }


async def typeset(page: Page) -> tuple[bytes, str]:
    """Return the PDF of a page, unchecked, and the characters that no font has."""
    try:
        answer, blobs = await RENDERING.call("render", [orjson.dumps(page.data)], **head_of(page))
    except WorkFailed as exc:
        raise RenderFailed(f"{page.template}: {exc}") from exc
    return blobs[0], answer["missing"]
