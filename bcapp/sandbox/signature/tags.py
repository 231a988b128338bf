"""Field tags in the text of a PDF: [[type|signer|modifiers]].

Source: core-signature.md 6 and the lineage's page "Preparing a document".
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pypdf import PdfReader

from bcapp.sandbox.signature.records import Placed

TAG = re.compile(r"\[\[\s*([sdtc])\s*\|\s*(\d{1,3})\s*((?:\|[^\[\]]*)?)\]\]")
YES = {"1", "true"}


@dataclass(frozen=True)
class Chunk:
    """A run of text as the page draws it, with where it starts in points from the lower left corner."""

    text: str
    x: float
    y: float
    size: float


def find_tags(pdf: bytes) -> list[Placed]:
    """Return the fields that the tags of a PDF place, in reading order."""
    fields: list[Placed] = []
    for index, page in enumerate(PdfReader(io.BytesIO(pdf)).pages):
        chunks = _chunks(page)
        text = "".join(chunk.text for chunk in chunks)
        for match in TAG.finditer(text):
            fields.append(_field(match, index, _at(chunks, match.start())))
    return fields


def parse_modifiers(text: str) -> dict[str, str]:
    """Return `|r:1|n:City` as {"r": "1", "n": "City"}; names are trimmed, so are values."""
    pairs = (part.partition(":") for part in text.split("|") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _field(match: re.Match[str], page_index: int, chunk: Chunk) -> Placed:
    kind, signer, modifiers = match.group(1), int(match.group(2)), parse_modifiers(" ".join(match.group(3).split()))
    required = modifiers["r"].lower() in YES if "r" in modifiers else kind != "c"
    return Placed(
        kind=kind,
        signer_index=signer,
        page_index=page_index,
        x=chunk.x,
        y=chunk.y,
        size=chunk.size,
        required=required,
        multiline=modifiers.get("m", "").lower() in YES,
        label=modifiers.get("n") or None,
        prefill=modifiers.get("p"),
        external_id=modifiers.get("id") or None,
    )


def _chunks(page: Any) -> list[Chunk]:
    chunks: list[Chunk] = []

    def visit(text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        if text:
            x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
            y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            chunks.append(Chunk(text, x, y, abs(size * tm[3]) or 10.0))

    page.extract_text(visitor_text=visit)
    return chunks


def _at(chunks: list[Chunk], position: int) -> Chunk:
    """Return the chunk that holds a position of the joined text."""
    for chunk in chunks:
        if position < len(chunk.text):
            return chunk
        position -= len(chunk.text)
    raise IndexError("the text ends before the position")


def fields_of_signer(fields: Iterable[Placed], signer_index: int) -> Iterator[Placed]:
    return (f for f in fields if f.signer_index == signer_index)
