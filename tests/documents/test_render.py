"""Documents are set for real: what is in them, what cannot get in, and within which bounds."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from bcapp.core.agreements import Page, Price, PriceList, approval_page, signature_page
from bcapp.core.merge import StoreProfile
from bcapp.core.model import Money, PlacedField, Signer
from bcapp.core.states import SignerRole
from bcapp.documents.inspect import FieldsDiffer, fields_in
from bcapp.documents.pool import RENDERING, DocumentTooHeavy, Pool, WorkFailed
from bcapp.documents.render import RenderFailed, head_of, picture, render, typeset
from tests.documents.samples import ANN, AT, BO, BODY, PROFILE, address, agreement, item, order

pytestmark = pytest.mark.unit

EVIL = (
    '#read("/etc/passwd") #import "@preview/a:1.0.0" $x$ *b* [[s|1]] ]] [[t|0|id:x]] `c` \\ <script> '
    '{{order.id}} " \\u{41}'
)


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages)


async def test_an_agreement_holds_parties_order_terms_and_fields() -> None:
    rendered = await render(agreement())
    text = text_of(rendered.pdf)
    for part in (
        "Summit Outdoor",
        "Lee Outdoor GmbH",
        "Alpine tent",
        "$1,250.00",
        "Terms for order 1001",
        "Page 1 of ",
    ):
        assert part in text
    assert "1001-42-1" in text
    assert rendered.fields == await fields_in(rendered.pdf)
    assert {f.external_id for f in rendered.fields} == {"sig_0", "date_0", "sig_1", "date_1"}


async def test_the_same_page_gives_the_same_bytes() -> None:
    first, second = await asyncio.gather(render(agreement()), render(agreement()))
    assert first.sha256 == second.sha256
    assert first.pdf == second.pdf


async def test_the_paper_is_the_stores_countrys() -> None:
    letter = PdfReader(io.BytesIO((await render(agreement())).pdf)).pages[0].mediabox
    a4 = PdfReader(io.BytesIO((await render(agreement(profile=replace(PROFILE, country="DE")))).pdf)).pages[0].mediabox
    assert (round(letter.width), round(letter.height)) == (612, 792)
    assert (round(a4.width), round(a4.height)) == (595, 842)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "nl", "it", "ja", "he", "../../etc/passwd"])
async def test_every_language_is_set(language: str) -> None:
    assert (await render(agreement(language=language))).pdf.startswith(b"%PDF-")


async def test_the_approval_sheet_is_for_approvers_only() -> None:
    approvers = tuple(replace(s, role=SignerRole.APPROVE) for s in (ANN, BO))
    page = approval_page(
        title="Order 1001",
        why=["The rule “Large orders” asks: the total is $1,000.00 or more."],
        facts=order(),
        profile=PROFILE,
        signers=approvers,
        limits={0: Money(Decimal("5000"), "USD"), 1: None},
        language="en",
        document_id="1001-43-1",
        made_at=AT,
        simulated=True,
    )
    text = text_of((await render(page)).pdf)
    for part in ("Large orders", "May approve up to $5,000.00", "any amount", "Test document", "INTERNAL"):
        assert part in text


async def test_values_are_text_and_place_no_field() -> None:
    facts = order(
        billing=address(name=EVIL, company=EVIL, street=EVIL),
        customer_message=EVIL * 3,
        items=(item(sku=EVIL, name=EVIL, options=((EVIL, EVIL),)),),
    )
    signers = (Signer(0, 1, EVIL, "a@b.example"),)
    rendered = await render(
        agreement("{{billing.company}} " + EVIL.replace("{{order.id}}", ""), facts=facts, signers=signers, title=EVIL)
    )
    text = text_of(rendered.pdf)
    assert '#read("/etc/passwd")' in text
    assert "root:" not in text
    assert len(rendered.fields) == 2


async def test_brackets_split_over_neighbours_place_no_field() -> None:
    facts = order(
        items=(item(sku="x[", name="[s|0]]", options=(("[", "["), ("[s|0|id:x]", "]"))),),
        billing=address(name="[", company="[s|0|id:q]", street="]", city="[", postcode="[t|1]]"),
        customer_message="a[\u200b[s|0]\u200d]\n[\n[s|0]\n]",
    )
    body = "Hi **[**[s|0|id:z]] [*[*s|0]] {{billing.name}}{{billing.company}}\n\n[\n[s|1|id:q]]\n\n"
    body += "# [[s|0]]\n\n- [\n- [s|0]]\n"
    rendered = await render(agreement(body, facts=facts))
    assert len(rendered.fields) == 4


BRACKETS = st.text(alphabet=st.sampled_from('[]|s01: \u200b\u200d\xa0#$*_`\\"{}'), max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(company=BRACKETS, name=BRACKETS, message=BRACKETS, sku=BRACKETS, signer=BRACKETS)
def test_no_value_places_a_field(company: str, name: str, message: str, sku: str, signer: str) -> None:
    facts = order(
        billing=address(company=company, name=name), customer_message=message, items=(item(sku=sku, name=name),)
    )
    page = agreement("{{billing.company}}{{billing.name}}", facts=facts, signers=(replace(ANN, name=signer),))
    assert len(asyncio.run(render(page)).fields) == 2


async def test_characters_without_a_glyph_are_shown_and_told() -> None:
    rendered = await render(
        agreement(facts=order(billing=address(name="Ann 😀 ᚠ", company="שלום عربي Ωμέγα Привет 株式会社 ไทย")))
    )
    assert set(rendered.missing) == {"😀", "ᚠ"}
    assert "□ stands for a character" in text_of(rendered.pdf)


async def test_an_order_of_ten_thousand_items_is_set_within_bounds() -> None:
    facts = order(items=tuple(item(i) for i in range(10_000)), total=Money(Decimal("12000000"), "USD"))
    text = text_of((await render(agreement(facts=facts))).pdf)
    assert "and 9,500 more items, as listed in order 1001" in text
    assert "$12,000,000.00" in text


async def test_long_values_are_set_within_bounds() -> None:
    facts = order(
        items=tuple(item(i, name="word " * 800, options=(("o" * 3000, "v" * 3000),) * 20) for i in range(60)),
        customer_message="m" * 100_000,
        billing=address(name="x" * 4000, company="Wide " * 2000),
    )
    assert (await render(agreement(facts=facts, title="T" * 4000))).pdf


async def test_nothing_at_all_is_set() -> None:
    nobody = address(name="", company="", street="", city="", postcode="", country="", email="", phone="")
    facts = order(billing=nobody, shipping=(), items=(), payment_method="", total=Money(Decimal(), "USD"))
    assert (await render(agreement("", facts=facts, profile=StoreProfile(""), signers=(replace(ANN, name=""),)))).pdf


async def test_a_document_that_lacks_a_field_is_not_to_be_sent() -> None:
    page = agreement()
    with pytest.raises(FieldsDiffer, match="the text field “more” of signer 1 was placed, but is not in it"):
        await render(replace(page, fields=(*page.fields, PlacedField("more", 0, "t"))))
    with pytest.raises(FieldsDiffer, match="the date field “date_1” of signer 2 is in it, but was not placed"):
        await render(replace(page, fields=page.fields[:-1]))


async def test_the_signature_page_stands_for_an_upload() -> None:
    page = signature_page(
        title="Frame contract",
        facts=order(),
        profile=PROFILE,
        signers=(ANN,),
        language="de",
        document_id="1",
        made_at=AT,
    )
    assert "gehört zum vorstehenden Dokument" in text_of((await render(page)).pdf)


# Bounds


async def test_a_template_reads_no_file_and_no_package(tmp_path: Path) -> None:
    """Even a template, which no value can become, reaches nothing outside its folder."""
    for number, code in enumerate(
        ('#read("/etc/passwd")', '#read("../../../../etc/passwd")', '#import "@preview/cetz:0.3.0"')
    ):
        (tmp_path / f"t{number}.typ").write_text(code)
        with pytest.raises(WorkFailed):
            await RENDERING.call("render", [b"{}"], root=str(tmp_path), fonts=[], template=f"t{number}", timestamp=0)


@pytest.mark.parametrize(
    "code",
    ["#while true { }", "#let f(n) = { f(n + 1) + f(n + 2) }\n#f(0)", "#let a = (0,)\n#while true { a += a }"],
)
async def test_work_without_end_is_ended_and_the_next_job_runs(tmp_path: Path, code: str) -> None:
    pool = Pool("render", 1)
    (tmp_path / "t.typ").write_text(code)
    started = time.monotonic()
    with pytest.raises((DocumentTooHeavy, WorkFailed)):
        await pool.call("render", [b"{}"], root=str(tmp_path), fonts=[], template="t", timestamp=0, seconds=1)
    assert time.monotonic() - started < 60  # it would never end
    (tmp_path / "t.typ").write_text("fine")
    _, blobs = await pool.call("render", [b"{}"], root=str(tmp_path), fonts=[], template="t", timestamp=0)
    assert blobs[0].startswith(b"%PDF-")
    pool.close()


async def test_a_broken_template_is_our_bug() -> None:
    with pytest.raises(RenderFailed, match="nothing"):
        await typeset(Page("nothing", {}, (), AT))


def test_the_process_has_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEYS", "sentinel-of-the-environment")
    pool = Pool("render", 1)
    process = pool._take()
    assert b"sentinel" not in Path(f"/proc/{process._process.pid}/environ").read_bytes()
    process.end()


async def test_words_longer_than_a_line_stay_on_the_page() -> None:
    facts = order(billing=address(company="W" * 300), items=(item(sku="M" * 100, name="N" * 200),))
    pages = PdfReader(io.BytesIO((await render(agreement(facts=facts, title="T" * 150))).pdf)).pages
    width = float(pages[0].mediabox.width)
    ends: list[float] = []

    def measure(text: str, cm: list[float], tm: list[float], font: object, size: float) -> None:
        if text.strip() and set(text.strip()) <= set("WMNT"):
            ends.append(tm[4] * cm[0] + cm[4] + len(text.strip()) * size * 0.5)

    for page in pages:
        page.extract_text(visitor_text=measure)
    assert len(ends) > 12
    assert max(ends) < width


async def test_a_price_list_is_set_as_a_table() -> None:
    prices = PriceList(2, "Rescue", (Price("T-1", "Tent", Decimal("404.10"), "USD", None, ((10, Decimal("380")),)),))
    text = text_of((await render(agreement("{{price_list.items}}", price_list=prices))).pdf)
    for part in ("YOUR PRICES · RESCUE", "T-1", "Tent", "$404.10", "from 10 $380.00"):
        assert part in text, text


async def test_a_document_is_also_a_picture() -> None:
    shown = await picture(agreement("One\n\n+++\n\nTwo\n\n+++\n\nThree"), most=2)
    assert shown.count == 3
    assert [p[:8] for p in shown.pages] == [b"\x89PNG\r\n\x1a\n"] * 2


async def test_a_text_becomes_a_pdf_in_less_than_100_ms_of_processor_time() -> None:
    """The warm process's own time: what else runs on this machine does not count."""
    await typeset(agreement())
    pool = Pool("render", 1)
    process = pool._take()
    pool._give_back(process, healthy=True)
    page = agreement(BODY)

    def once() -> float:
        spent = _processor_seconds(process._process.pid)
        pool.call_now("render", [json.dumps(page.data).encode()], **head_of(page))
        return _processor_seconds(process._process.pid) - spent

    once()  # it reads its fonts first
    seconds = min(sum(once() for _ in range(5)) / 5 for _ in range(3))
    pool.close()
    assert seconds < 0.1


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
