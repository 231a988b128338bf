"""Documents as data become PDFs, in bounded processes of their own; what was placed is read back and compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

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


async def typeset(page: Page) -> tuple[bytes, str]:
    """Return the PDF of a page, unchecked, and the characters that no font has."""
    try:
        answer, blobs = await RENDERING.call(
            "render",
            [orjson.dumps(page.data)],
            root=str(TEMPLATES),
            fonts=[str(FONTS)] if FONTS.is_dir() else [],
            template=page.template,
            timestamp=int(page.made_at.timestamp()),
        )
    except WorkFailed as exc:
        raise RenderFailed(f"{page.template}: {exc}") from exc
    return blobs[0], answer["missing"]
