"""The table of what is covered: its text boxes are found in the PDF as they were placed."""

from __future__ import annotations

from datetime import date

import pytest

from bcapp.core.agreements import signature_page
from bcapp.core.warranties import CoverTable, Serials, pieces_of
from bcapp.documents.inspect import fields_in
from bcapp.documents.render import render
from tests.documents.samples import ANN, AT, PROFILE, agreement, item, order
from tests.documents.test_render import text_of

pytestmark = pytest.mark.unit


async def test_every_piece_has_its_box_on_the_page() -> None:
    items = [item(12345678, name="Tent [[s|0]] " + "x" * 200, quantity=30), item(2, quantity=1)]
    pieces = pieces_of(items, Serials.REQUIRED, {"TENT-2": ["SN-77"]})
    table = CoverTable(pieces, Serials.REQUIRED, date(2026, 10, 3), date(2028, 10, 2))
    facts = order(items=tuple(items))
    rendered = await render(agreement("{{warranty.items}}\n\nTerms", facts=facts, cover=table))
    assert rendered.fields == await fields_in(rendered.pdf)
    assert sum(f.external_id.startswith("serial_") for f in rendered.fields) == 30
    text = text_of(rendered.pdf)
    assert "October 3, 2026" in text
    assert "October 2, 2028" in text
    assert "SN-77" in text
    page = signature_page(
        title="Warranty", facts=facts, profile=PROFILE, signers=(ANN,), language="de", document_id="1-1", made_at=AT,
        cover=table,
    )  # fmt: skip
    appended = await render(page)
    assert "Seriennummer".upper() in text_of(appended.pdf).upper()
    assert appended.fields == await fields_in(appended.pdf)
