"""PDFs that a merchant uploads as agreements: refused unless harmless, then given a signature page per request."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bcapp.core.agreements import Page
from bcapp.core.model import PlacedField, Signer
from bcapp.core.papers import MOST_BYTES as MOST_OF_PAPER
from bcapp.core.papers import media_of
from bcapp.core.states import SignerRole
from bcapp.documents.inspect import MAX_PAGES, fields_in_pages, parse_pages, require_fields, told
from bcapp.documents.pool import READING, DocumentTooHeavy, WorkFailed
from bcapp.documents.render import Rendered, typeset
from bcapp.errors import RefusedByUs, UnreadableInput

MAX_BYTES = 10 << 20


@dataclass(frozen=True)
class Upload:
    """What is known of an uploaded PDF that passed. fields: placed by tags in its text, () for most."""

    pages: int
    sha256: str
    width: float  # of the first page, points
    height: float
    fields: tuple[PlacedField, ...]


async def inspect_upload(content: bytes) -> Upload:
    """Return what a harmless PDF holds; raise RefusedByUs with a sentence for the person who uploaded it."""
    if len(content) > MAX_BYTES:
        raise RefusedByUs(f"The PDF is {len(content) / 2**20:.1f} MB; 10 MB are allowed.")
    if not content.startswith(b"%PDF-"):
        raise RefusedByUs("This is not a PDF. Save the document as PDF and upload that.")
    try:
        answer, _ = await READING.call("inspect", [content], max_pages=MAX_PAGES, images=False)
        pages = parse_pages(answer["pages"])
        fields = fields_in_pages(pages)
    except WorkFailed as exc:
        raise RefusedByUs(f"The PDF cannot be used. {told(exc)}") from exc
    except DocumentTooHeavy as exc:
        raise RefusedByUs("The PDF is too complex to be checked. Print it to a new PDF and upload that.") from exc
    except UnreadableInput as exc:
        raise RefusedByUs(f"The PDF cannot be used: {exc}.") from exc
    return Upload(len(pages), hashlib.sha256(content).hexdigest(), pages[0].width, pages[0].height, fields)


async def inspect_paper(content: bytes) -> str:
    """Return what kind of file a paper is, as its media type; raise RefusedByUs with a sentence when it is not taken.

    A picture is recognised, not decoded: it is never shown by us, only handed to staff as a download.
    """
    media = media_of(content)
    if not media:
        raise RefusedByUs("Upload a PDF, or a whole picture as JPEG or PNG.")
    if len(content) > MOST_OF_PAPER:
        raise RefusedByUs(f"The file is {len(content) / 2**20:.1f} MB; 10 MB are allowed.")
    if media == "application/pdf":
        await inspect_upload(content)
    return media


def require_tags_for(fields: Sequence[PlacedField], signers: Sequence[Signer]) -> None:
    """Raise RefusedByUs unless an uploaded PDF's own tags give every signer a signature, and nobody else a field."""
    signing = {s.position: s for s in signers if s.role is not SignerRole.COPY}
    for placed in fields:
        if placed.signer not in signing:
            raise RefusedByUs(f"The PDF has a field for signer {placed.signer + 1}, but {len(signing)} are to sign.")
    for position, signer in signing.items():
        if not any(f.signer == position and f.type == "s" for f in fields):
            raise RefusedByUs(f"The PDF has no signature field for {signer.name or signer.email}.")


async def render_upload(content: bytes, upload: Upload, page: Page, signers: Sequence[Signer]) -> Rendered:
    """Return the document of one request: the uploaded pages, with a signature page unless tags stand in them.

    page: from core.agreements.signature_page. Raises RefusedByUs, FieldsDiffer, DocumentTooHeavy, RenderFailed.
    """
    if hashlib.sha256(content).hexdigest() != upload.sha256:
        raise RefusedByUs("The uploaded PDF is not the one that was checked.")
    if upload.fields:
        require_tags_for(upload.fields, signers)
        return Rendered(content, upload.sha256, upload.fields)
    extra, missing = await typeset(page)
    try:
        _, blobs = await READING.call("append", [content, extra], title=page.data["title"])
    except WorkFailed as exc:
        raise RefusedByUs(f"No page can be added to the PDF. {told(exc)}") from exc
    await require_fields(blobs[0], page.fields)
    return Rendered(blobs[0], hashlib.sha256(blobs[0]).hexdigest(), page.fields, missing)
