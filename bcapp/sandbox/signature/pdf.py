"""PDFs of the signature service: conversion of uploads, stamps on the pages, signing logs."""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen import canvas
from reportlab.platypus import Paragraph, Preformatted, SimpleDocTemplate, Spacer

from bcapp.sandbox.signature.records import Input

INK = HexColor("#1b3a8c")
SMALL = HexColor("#555555")
# What pypdf raises when bytes that claim to be a PDF are none.
UNREADABLE = (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
TEXT_NAMES = (".txt", ".md", ".csv")


class Unconvertible(Exception):
    """The uploaded bytes are no document that this service can show."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def convert(content: bytes, name: str) -> bytes:
    """Return the PDF that signers see for an upload: a PDF as it is, text and HTML set as plain paragraphs.

    Raises Unconvertible for a broken PDF and for every other type.
    """
    lowered = name.lower()
    if content.startswith(b"%PDF-") or lowered.endswith(".pdf"):
        try:
            if not PdfReader(io.BytesIO(content)).pages:
                raise Unconvertible(f"{name} has no pages")
        except UNREADABLE as exc:
            raise Unconvertible(f"{name} is not a readable PDF") from exc
        return content
    if lowered.endswith((*TEXT_NAMES, ".html", ".htm")):
        try:
            text = content.decode()
        except UnicodeDecodeError as exc:
            raise Unconvertible(f"{name} is not text") from exc
        if lowered.endswith((".html", ".htm")):
            text = html.unescape(re.sub(r"<[^>]*>", " ", text))
        return text_pdf(text.splitlines() or [""], title=name)
    raise Unconvertible(f"{name} has a type that is not supported")


def text_pdf(lines: Sequence[str], *, title: str) -> bytes:
    """Return a plain PDF with the lines as they are, wrapped at the page's width."""
    buffer = io.BytesIO()
    sheet = canvas.Canvas(buffer, pagesize=A4)
    sheet.setTitle(title)
    y = A4[1] - 60
    sheet.setFont("Helvetica", 11)
    for line in lines:
        for part in simpleSplit(line, "Helvetica", 11, A4[0] - 120) or [""]:
            if y < 60:
                sheet.showPage()
                sheet.setFont("Helvetica", 11)
                y = A4[1] - 60
            sheet.drawString(60, y, part)
            y -= 16
    sheet.save()
    return buffer.getvalue()


@dataclass(frozen=True)
class Stamp:
    """One signer's marks on the pages."""

    name: str
    email: str
    signed_on: datetime
    inputs: Sequence[Input]


def stamp(pages: bytes, stamps: Sequence[Stamp], *, watermark: str | None = None) -> bytes:
    """Return the PDF with every input drawn at its field, on the original pages, whose text stays whole.

    An input without a field is drawn at the foot of its page, each signer's in a column of its own.
    """
    writer = PdfWriter(clone_from=io.BytesIO(pages))
    for index, page in enumerate(writer.pages):
        box = page.mediabox
        marks = [(column, s, i) for column, s in enumerate(stamps) for i in s.inputs if i.page_index == index]
        if not marks and watermark is None:
            continue
        buffer = io.BytesIO()
        sheet = canvas.Canvas(buffer, pagesize=(float(box.right), float(box.top)))
        if watermark is not None:
            _draw_watermark(sheet, watermark, float(box.left), float(box.bottom))
        free: dict[int, float] = {}
        for column, signer, one in marks:
            if one.placed is not None:
                x, y = one.placed.x, one.placed.y
            else:
                x = float(box.left) + 40 + 170 * (column % 3)
                y = free.get(column, float(box.bottom) + 28)
                free[column] = y + 26
            _draw(sheet, signer, one, x, y)
        sheet.save()
        page.merge_page(PdfReader(io.BytesIO(buffer.getvalue())).pages[0])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _draw(sheet: canvas.Canvas, signer: Stamp, one: Input, x: float, y: float) -> None:
    if one.kind in ("s", "i", "n"):
        sheet.setFillColor(INK)
        sheet.setFont("Times-Italic", 15)
        sheet.drawString(x, y + 8, _printable(signer.name))
        sheet.setFillColor(SMALL)
        sheet.setFont("Helvetica", 6)
        sheet.drawString(x, y + 1, _printable(f"Signed by {signer.email} {signer.signed_on:%Y-%m-%d %H:%M:%S} UTC"))
        return
    sheet.setFillColor(INK)
    sheet.setFont("Helvetica", 10)
    shown = ("X" if one.checkbox_value else "") if one.kind == "c" else one.text
    for number, line in enumerate(shown.splitlines() or [""]):
        sheet.drawString(x, y - 11 * number, _printable(line))


def _draw_watermark(sheet: canvas.Canvas, text: str, x: float, y: float) -> None:
    sheet.saveState()
    sheet.setFillColor(HexColor("#cccccc"))
    sheet.setFont("Helvetica", 9)
    sheet.drawString(x + 40, y + 12, text)
    sheet.restoreState()


def _printable(text: str) -> str:
    """Return the text in the letters that the standard fonts have."""
    return text.encode("cp1252", "replace").decode("cp1252")


@dataclass(frozen=True)
class LogEntry:
    """One line of a signing log."""

    at: datetime
    text: str
    ip: str = ""
    browser: str = ""


def signing_log(title: str, facts: Sequence[tuple[str, str]], entries: Sequence[LogEntry]) -> bytes:
    """Return the signing log as a PDF: facts of the document, then what happened, oldest first."""
    styles = getSampleStyleSheet()
    story: list[object] = [Paragraph("Signing log", styles["Title"]), Paragraph(_safe(title), styles["Heading2"])]
    story += [Paragraph(f"<b>{_safe(label)}</b>: {_safe(value)}", styles["Normal"]) for label, value in facts]
    story.append(Spacer(1, 12))
    for entry in entries:
        story.append(Paragraph(f"<b>{entry.at:%Y-%m-%d %H:%M:%S} UTC</b> {_safe(entry.text)}", styles["Normal"]))
        if entry.ip or entry.browser:
            line = _printable(f"IP {entry.ip or 'unknown'}, browser {entry.browser or 'unknown'}")
            story.append(Preformatted(line[:110], styles["Code"]))
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4, title=f"Signing log of {title}").build(story)
    return buffer.getvalue()


def _safe(text: str) -> str:
    return html.escape(_printable(text))


@lru_cache(maxsize=256)
def page_texts(content: bytes) -> tuple[str, ...]:
    """Return the text of each page."""
    return tuple(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
