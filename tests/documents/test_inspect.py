"""A signed PDF contains the original's pages, or it is told which ones it does not."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from pypdf import PdfWriter

from bcapp.documents.inspect import contains_pages, fields_in
from bcapp.documents.render import render
from bcapp.errors import UnreadableInput
from tests.documents.samples import agreement, changed, pdf_of, stamped

pytestmark = pytest.mark.unit

PAGES = ("The buyer pays 10 dollars to the seller", "The seller delivers one tent", "Law and place of court")
ORIGINAL = pdf_of(*PAGES)


@pytest.mark.parametrize(
    ("signed", "missing"),
    [
        (ORIGINAL, []),
        (pdf_of(*PAGES, "Signing log"), []),
        (pdf_of("The buyer pays 100 dollars to the seller", *PAGES[1:]), [0]),
        (pdf_of("The seller pays 10 dollars to the buyer", *PAGES[1:]), [0]),
        (pdf_of(PAGES[0], PAGES[2], PAGES[1]), [1, 2]),
        (pdf_of(*PAGES[:2]), [2]),
        (pdf_of("", *PAGES), [0, 1, 2]),
        (pdf_of(*PAGES, size=(612.0, 792.0)), [0, 1, 2]),
        (pdf_of(PAGES[0] + "\nTyped by the signer: 42", *PAGES[1:]), []),
    ],
)
async def test_pages_are_compared_by_place_size_and_words(signed: bytes, missing: list[int]) -> None:
    assert await contains_pages(ORIGINAL, signed) == missing


async def test_stamps_on_a_document_of_ours_leave_it_whole() -> None:
    rendered = await render(agreement())
    signed = stamped(rendered.pdf, {0: [(80, 300, "Ann Lee"), (80, 290, "Signed by ann@lee.example 2026-10-04")]})
    assert await contains_pages(rendered.pdf, signed) == []


async def test_another_order_is_told() -> None:
    from decimal import Decimal

    from bcapp.core.model import Money
    from tests.documents.samples import order

    cheap = await render(agreement(facts=order(total=Money(Decimal("125.00"), "USD"))))
    assert 0 in await contains_pages((await render(agreement())).pdf, cheap.pdf)


async def test_the_service_may_take_out_its_tags() -> None:
    original = pdf_of("Please sign here today, Ann\n[[s|0|r:1|id:sig_0   ]]\nthank you")
    assert await contains_pages(original, pdf_of("Please sign here today, Ann\nthank you")) == []


async def test_a_turned_page_is_told() -> None:
    def turn(writer: PdfWriter) -> None:
        writer.pages[1].rotate(90)

    assert await contains_pages(ORIGINAL, changed(ORIGINAL, turn)) == [1]


def scan(shade: int) -> bytes:
    """A page that is one picture, as scanners make it."""
    out = io.BytesIO()
    Image.effect_noise((60, 80), shade).convert("L").save(out, "PDF")
    return out.getvalue()


async def test_pages_without_words_are_compared_by_their_pictures() -> None:
    one, other = scan(20), scan(90)
    assert await contains_pages(one, one) == []
    assert await contains_pages(one, other) == [0]


async def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(UnreadableInput):
        await fields_in(b"<html>gone</html>")
    with pytest.raises(UnreadableInput):
        await contains_pages(ORIGINAL, ORIGINAL[:200])


async def test_the_signers_number_and_id_are_read_from_tags() -> None:
    fields = await fields_in(pdf_of("[[s|0|r:1|id:a]] [[ d | 12 | n:City | id: b ]] [[t|1|p:New York]]"))
    assert [(f.type, f.signer, f.external_id) for f in fields] == [("s", 0, "a"), ("d", 12, "b"), ("t", 1, "")]
