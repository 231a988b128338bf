"""What a PDF holds: the fields its tags place, and whether a signed one still contains the original's pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bcapp.core.model import PlacedField
from bcapp.documents.pool import READING, WorkFailed
from bcapp.errors import RefusedByUs, UnreadableInput

MAX_PAGES = 200
READ_SECONDS = 15  # of processor time; what was uploaded passed with 5
SIZE_TOLERANCE = 1.5  # points

# Source: the signature service's fact sheet, section 6. Wider than its grammar: any letter, spaces anywhere inside.
TAG = re.compile(r"\[\[([^\[\]]{0,400})\]\]")
BODY = re.compile(r"\s*([a-z])\s*\|\s*(\d{1,3})\s*(\|.*)?", re.DOTALL)


class FieldsDiffer(RefusedByUs):
    """A PDF does not hold exactly the fields that were placed; it must not be sent."""


@dataclass(frozen=True)
class PageText:
    text: str
    width: float
    height: float
    rotation: int
    images: tuple[str, ...] = ()


async def page_texts(pdf: bytes, *, images: bool = False) -> list[PageText]:
    """Return the text and size of every page.

    Raises UnreadableInput for what is no PDF, DocumentTooHeavy beyond the limits.
    """
    try:
        answer, _ = await READING.call("texts", [pdf], max_pages=MAX_PAGES + 20, images=images, seconds=READ_SECONDS)
    except WorkFailed as exc:
        raise UnreadableInput(f"the PDF cannot be read: {told(exc)}") from exc
    return parse_pages(answer["pages"])


def parse_pages(pages: Iterable[dict[str, object]]) -> list[PageText]:
    return [
        PageText(
            text=str(p["text"]),
            width=float(str(p["width"])),
            height=float(str(p["height"])),
            rotation=int(str(p["rotation"])),
            images=tuple(str(x) for x in p["images"]) if isinstance(p["images"], list) else (),
        )
        for p in pages
    ]


def told(exc: WorkFailed) -> str:
    """Return the sentence of a refusal, without its code."""
    return str(exc).partition(" ")[2] if exc.why == "refused" else "It is damaged or not a PDF."


async def fields_in(pdf: bytes) -> tuple[PlacedField, ...]:
    """Return the fields that a PDF's tags place, in reading order. Raises UnreadableInput for a malformed tag."""
    return fields_in_pages(await page_texts(pdf))


def fields_in_pages(pages: Sequence[PageText]) -> tuple[PlacedField, ...]:
    """Return the fields of pages already read.

    Double brackets that are no field raise UnreadableInput: the service may see one where we do not.
    """
    fields = []
    for number, page in enumerate(pages, 1):
        for match in TAG.finditer(page.text):
            body = BODY.fullmatch(match[1])
            if body is None or body[1] not in "sdtc":
                raise UnreadableInput(f"page {number} holds “[[{match[1][:60]}]]”, which is no field")
            modifiers = dict(
                (name.strip(), value.strip())
                for name, _, value in (part.partition(":") for part in (body[3] or "").split("|"))
            )
            # A tag that is broken over lines has spaces inside its id only there.
            fields.append(PlacedField("".join(modifiers.get("id", "").split()), int(body[2]), body[1]))
    return tuple(fields)


async def require_fields(pdf: bytes, placed: Sequence[PlacedField]) -> None:
    """Raise FieldsDiffer unless a PDF holds exactly these fields, each once."""
    try:
        found = await fields_in(pdf)
    except UnreadableInput as exc:
        raise FieldsDiffer(f"The document cannot be sent: {exc}.") from exc
    extra, absent = Counter(found) - Counter(placed), Counter(placed) - Counter(found)
    if extra or absent:
        parts = [f"{_name(f)} is in it, but was not placed" for f in extra] + [
            f"{_name(f)} was placed, but is not in it" for f in absent
        ]
        raise FieldsDiffer(f"The document cannot be sent: {'; '.join(parts)}.")


def _name(placed: PlacedField) -> str:
    kind = {"s": "signature", "d": "date", "t": "text", "c": "checkbox"}.get(placed.type, placed.type)
    return f"the {kind} field “{placed.external_id}” of signer {placed.signer + 1}"


async def contains_pages(original: bytes, signed: bytes) -> list[int]:
    """Return the indexes (from 0) of the original's pages that the signed PDF does not contain at the same place.

    A page is contained when its size is the same and its words follow one another in the same order and number; what
    was typed and stamped may stand between them. A page with (nearly) no words is compared by its pictures.
    Raises UnreadableInput, DocumentTooHeavy.
    """
    return missing_pages(await page_texts(original, images=True), await page_texts(signed, images=True))


def missing_pages(original: Sequence[PageText], signed: Sequence[PageText]) -> list[int]:
    """Return the indexes of the original's pages that are not contained in the signed ones."""
    return [i for i, page in enumerate(original) if i >= len(signed) or not _contains(signed[i], page)]


def _contains(signed: PageText, original: PageText) -> bool:
    if signed.rotation != original.rotation:
        return False
    if abs(signed.width - original.width) > SIZE_TOLERANCE or abs(signed.height - original.height) > SIZE_TOLERANCE:
        return False
    words = words_of(original.text)
    if len(words) < 5 and Counter(original.images) - Counter(signed.images):
        return False
    rest = iter(words_of(signed.text))
    return all(word in rest for word in words)  # each search goes on where the last one ended


def words_of(text: str) -> list[str]:
    """Return the words of a page without the tags of fields, which the service may take out."""
    return TAG.sub(" ", text).split()
