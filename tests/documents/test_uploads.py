"""Uploaded PDFs: what is let in, what is refused with which sentence, and the page that is added."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from bcapp.core.agreements import signature_page
from bcapp.core.model import PlacedField, Signer
from bcapp.core.states import SignerRole
from bcapp.documents.inspect import contains_pages
from bcapp.documents.uploads import inspect_upload, render_upload, require_tags_for
from bcapp.errors import RefusedByUs
from tests.documents.samples import ANN, AT, BO, PROFILE, agreement, changed, order, pdf_of

pytestmark = pytest.mark.unit

PLAIN = pdf_of("Frame contract\nbetween the parties", "Second page")
TAGGED = pdf_of(
    "Contract\n[[s|0|r:1|id:ann]]   [[d|0|id:ann_date]]", "[[s|1|id:bo]] [[t|1|n:Serial|id:serial  ]] [[c|0]]"
)
NAME = NameObject


def page_for(*signers: Signer) -> Any:
    return signature_page(
        title="Frame contract",
        facts=order(),
        profile=PROFILE,
        signers=signers,
        language="en",
        document_id="1001-42-1",
        made_at=AT,
    )


def action(kind: str, **more: Any) -> DictionaryObject:
    made = DictionaryObject({NAME("/S"): NAME(kind)})
    for key, value in more.items():
        made[NAME(f"/{key}")] = TextStringObject(value)
    return made


def open_action(writer: PdfWriter) -> None:
    writer.root_object[NAME("/OpenAction")] = writer._add_object(action("/JavaScript", JS="app.alert(1)"))


def annotation_launch(writer: PdfWriter) -> None:
    link = DictionaryObject({NAME("/Subtype"): NAME("/Link"), NAME("/A"): action("/Launch", F="cmd.exe")})
    writer.pages[1][NAME("/Annots")] = ArrayObject([writer._add_object(link)])


def page_action(writer: PdfWriter) -> None:
    writer.pages[0][NAME("/AA")] = DictionaryObject({NAME("/O"): action("/URI", URI="http://x.example")})


def embedded(writer: PdfWriter) -> None:
    writer.add_attachment("evil.exe", b"MZ")


def signed(writer: PdfWriter) -> None:
    signature = DictionaryObject(
        {NAME("/Type"): NAME("/Sig"), NAME("/ByteRange"): ArrayObject([NumberObject(0), NumberObject(1)])}
    )
    field = DictionaryObject({NAME("/FT"): NAME("/Sig"), NAME("/V"): writer._add_object(signature)})
    writer.root_object[NAME("/AcroForm")] = DictionaryObject(
        {NAME("/Fields"): ArrayObject([writer._add_object(field)])}
    )


def locked(writer: PdfWriter) -> None:
    writer.encrypt("secret", algorithm="RC4-128")


async def test_a_plain_pdf_is_let_in() -> None:
    upload = await inspect_upload(PLAIN)
    assert (upload.pages, upload.width, upload.fields) == (2, 595.0, ())


async def test_our_own_documents_are_let_in() -> None:
    from bcapp.documents.render import render

    assert len((await inspect_upload((await render(agreement())).pdf)).fields) == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (open_action, "JavaScript"),
        (annotation_launch, "action .Launch."),
        (page_action, "starts actions by itself"),
        (embedded, "carries another file"),
        (signed, "signed already"),
        (locked, "password"),
    ],
)
async def test_what_does_more_than_be_read_is_refused(change: Any, word: str) -> None:
    with pytest.raises(RefusedByUs, match=word):
        await inspect_upload(changed(PLAIN, change))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"%PDF-",
        b"%PDF-1.7\n" + b"\x00" * 5000,
        PLAIN[:400],
        PLAIN[:-300] + b"x" * 300,
        b"%PDF-1.4" + b"<<" * 50_000,
    ],
)
async def test_what_is_no_pdf_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(RefusedByUs, match=r"\.$"):
        await inspect_upload(content)


async def test_size_and_pages_are_bounded() -> None:
    with pytest.raises(RefusedByUs, match="10 MB are allowed"):
        await inspect_upload(b"%PDF-" + b"x" * (10 << 20))
    with pytest.raises(RefusedByUs, match="has 201 pages; 200 are allowed"):
        await inspect_upload(pdf_of(*["page"] * 201))


async def test_a_bomb_is_refused() -> None:
    """A content stream that unpacks to far more than a process may hold."""
    import zlib

    stream = zlib.compress(b"BT /F1 12 Tf (x) Tj ET\n" * 20_000_000, 9)
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    head += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>endobj\n"
    head += b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(stream) + stream + b"\nendstream endobj\n"
    with pytest.raises(RefusedByUs):
        await inspect_upload(head + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF")


async def test_tags_in_an_upload_are_its_fields() -> None:
    upload = await inspect_upload(TAGGED)
    assert upload.fields == (
        PlacedField("ann", 0, "s"),
        PlacedField("ann_date", 0, "d"),
        PlacedField("bo", 1, "s"),
        PlacedField("serial", 1, "t"),
        PlacedField("", 0, "c"),
    )
    rendered = await render_upload(TAGGED, upload, page_for(ANN, BO), (ANN, BO))
    assert rendered.pdf == TAGGED


async def test_brackets_that_are_no_field_are_refused() -> None:
    with pytest.raises(RefusedByUs, match="page 1 holds “\\[\\[see below\\]\\]”, which is no field"):
        await inspect_upload(pdf_of("[[see below]]"))


def test_tags_must_fit_the_signers() -> None:
    fields = (PlacedField("a", 0, "s"), PlacedField("b", 1, "t"))
    with pytest.raises(RefusedByUs, match="field for signer 2"):
        require_tags_for(fields, (ANN,))
    with pytest.raises(RefusedByUs, match="no signature field for Bo Day"):
        require_tags_for(fields, (ANN, BO))
    require_tags_for(fields[:1], (ANN, replace(BO, role=SignerRole.COPY)))


async def test_a_signature_page_is_added_behind_the_upload() -> None:
    upload = await inspect_upload(PLAIN)
    rendered = await render_upload(PLAIN, upload, page_for(ANN, BO), (ANN, BO))
    again = await render_upload(PLAIN, upload, page_for(ANN, BO), (ANN, BO))
    assert rendered.sha256 == again.sha256
    assert len(PdfReader(io.BytesIO(rendered.pdf)).pages) == 3
    assert await contains_pages(PLAIN, rendered.pdf) == []
    assert [f.external_id for f in rendered.fields] == ["sig_0", "date_0", "sig_1", "date_1"]


async def test_another_file_than_the_checked_one_is_refused() -> None:
    upload = await inspect_upload(PLAIN)
    with pytest.raises(RefusedByUs, match="not the one that was checked"):
        await render_upload(TAGGED, upload, page_for(ANN), (ANN,))
