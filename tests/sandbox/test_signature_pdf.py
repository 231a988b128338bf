"""PDFs of the simulated signature service: tags, stamps, logs and links that die."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from bcapp.sandbox.signature import NotPossible
from bcapp.sandbox.signature.pdf import Unconvertible, convert, text_pdf
from bcapp.sandbox.signature.tags import find_tags, parse_modifiers
from tests.sandbox.signature_service import Service, order_pdf, running

BUYER = "buyer@example.com"
INPUTS = {"po_number": "PO 7"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as running_service:
        yield running_service


@pytest.fixture(autouse=True)
def fresh_token(service: Service) -> None:
    service.log_in()


@pytest.mark.parametrize(
    ("tag", "kind", "signer", "required", "label", "prefill", "external_id"),
    [
        ("[[s|0                 ]]", "s", 0, True, None, None, None),
        ("[[c|0|r:1  ]]", "c", 0, True, None, None, None),
        ("[[c|1|r:0]]", "c", 1, False, None, None, None),
        ("[[c|0|p:1]]", "c", 0, False, None, "1", None),
        ("[[d|0|n:Birth date|p:0  ]]", "d", 0, True, "Birth date", "0", None),
        ("[[t|2|n:City|p:New York|id:customer_city ]]", "t", 2, True, "City", "New York", "customer_city"),
        ("[[t|0|r:0|id:note]]", "t", 0, False, None, None, "note"),
    ],
)
def test_a_tag_is_read(
    tag: str, kind: str, signer: int, required: bool, label: str | None, prefill: str | None, external_id: str | None
) -> None:
    """The examples of the vendor's page "Preparing a document". Source: core-signature.md 6."""
    (field,) = find_tags(text_pdf(["Some text", tag, "more text"], title="Tags"))
    found = (field.kind, field.signer_index, field.required, field.label, field.prefill, field.external_id)
    assert found == (kind, signer, required, label, prefill, external_id)
    assert (field.page_index, round(field.x)) == (0, 60)


@pytest.mark.parametrize("text", ["[s|0]", "[[x|0]]", "[[s]]", "[[s|a]]", "[[s|0|id:a"])
def test_what_is_no_tag_is_left_alone(text: str) -> None:
    assert find_tags(text_pdf([text], title="No tags")) == []


def test_modifiers_keep_colons_in_their_values() -> None:
    assert parse_modifiers("|n:Time: from|id:a") == {"n": "Time: from", "id": "a"}


def test_uploads_are_converted() -> None:
    content = order_pdf()
    assert convert(content, "order.pdf") == content
    assert "Hello" in PdfReader(io.BytesIO(convert(b"Hello", "hello.txt"))).pages[0].extract_text()
    assert "Hello & you" in PdfReader(io.BytesIO(convert(b"<p>Hello &amp; you</p>", "a.html"))).pages[0].extract_text()
    for broken, name in ((b"%PDF-", "a.pdf"), (b"PK", "a.docx"), (b"\xff\xfe\x00", "a.txt")):
        with pytest.raises(Unconvertible):
            convert(broken, name)


def test_the_signed_pdf_keeps_text_and_pages_and_shows_the_signature(service: Service) -> None:
    lines = [f"Line {number} of the agreement" for number in range(60)]
    pages = text_pdf([*lines, "[[s|0|id:buyer_signature]]", "[[t|0|id:po_number]]", "[[c|0|id:terms]]"], title="Long")
    before = [page.extract_text() for page in PdfReader(io.BytesIO(pages)).pages]
    document = service.upload(file_from_content=base64.b64encode(pages).decode())
    request = service.send(BUYER, document=document)
    service.signature.sign(request["uuid"], BUYER, {**INPUTS, "terms": True})
    read = service.read(request)
    signed = httpx.get(read["pdf"], trust_env=False).content
    assert hashlib.sha256(signed).hexdigest() == read["security_hash"]
    after = [page.extract_text() for page in PdfReader(io.BytesIO(signed)).pages]
    assert len(before) == len(after) == 2
    for old, new in zip(before, after, strict=True):
        assert all(line in new for line in old.splitlines())
    assert "Signed by buyer@example.com" in after[1]
    assert "PO 7" in after[1]


def test_the_log_names_document_people_and_times(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    read = service.read(request)
    log = httpx.get(read["signing_log"]["pdf"], trust_env=False).content
    assert hashlib.sha256(log).hexdigest() == read["signing_log"]["security_hash"]
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(log)).pages)
    for expected in (read["uuid"], read["security_hash"], BUYER, "IP 127.0.0.1", "signed"):
        assert expected in text.replace("\n", "") or expected in text


def test_inputs_come_back_with_their_fields(service: Service) -> None:
    lines = ["[[s|0|id:sig]]", "[[t|0|id:city]]", "[[d|0|id:born|p:0]]", "[[c|0|id:ok|r:1]]", "[[t|0|id:note|r:0]]"]
    pages = base64.b64encode(text_pdf(lines, title="Fields")).decode()
    request = service.send(BUYER, document=service.upload(file_from_content=pages))
    sign = service.signature.sign
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "city needs a text"),
        ({"city": "Ghent"}, "born needs a date"),
        ({"city": "Ghent", "born": "soon"}, "YYYY-MM-DD"),
        ({"city": "Ghent", "born": "1984-12-31"}, "ok must be ticked"),
        ({"city": "Ghent", "born": "1984-12-31", "ok": True, "shoe": "44"}, "no field shoe"),
    ]
    for values, text in refused:
        with pytest.raises(NotPossible, match=text):
            sign(request["uuid"], BUYER, values)
    sign(request["uuid"], BUYER, {"city": "Ghent", "born": "1984-12-31", "ok": False})
    signer = service.read(request)["signature_request"]["signers"][1]
    found = {i["external_id"]: (i["type"], i["text"], i["checkbox_value"], i["date_value"]) for i in signer["inputs"]}
    assert found == {
        "sig": ("s", "", None, None),
        "city": ("t", "Ghent", None, None),
        "born": ("d", "12-31-84", None, "1984-12-31"),
        "ok": ("c", "", False, None),
    }
    assert all(i["placeholder_uuid"] for i in signer["inputs"])


def test_a_link_dies_after_five_minutes(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    link = service.read(request)["pdf"]
    assert link.startswith(f"{service.server.download_url}/downloads/")
    service.sandbox.clock.advance(295)
    assert httpx.get(link, trust_env=False).status_code == 200
    service.sandbox.clock.advance(10)
    dead = httpx.get(link, trust_env=False)
    assert (dead.status_code, "Request has expired" in dead.text) == (403, True)
    service.log_in()
    assert httpx.get(service.read(request)["pdf"], trust_env=False).status_code == 200


def test_a_link_takes_no_token_and_no_other_host(service: Service) -> None:
    link = service.upload()["file"]
    assert httpx.get(link, headers={"Authorization": "Bearer x"}, trust_env=False).status_code == 400
    elsewhere = link.replace(service.server.download_url, service.server.url)
    assert httpx.get(elsewhere, trust_env=False).status_code == 404


def test_a_tampered_pdf_has_fitting_hashes_and_another_text(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    service.signature.tamper_pdf(request["uuid"], "Total 1.00 EUR")
    read = service.read(request)
    content = httpx.get(read["pdf"], trust_env=False).content
    text = PdfReader(io.BytesIO(content)).pages[0].extract_text()
    assert hashlib.sha256(content).hexdigest() == read["security_hash"]
    assert ("Total 1.00 EUR" in text, "1,200.00" in text) == (True, False)
    service.signature.spoil_hash(request["uuid"])
    assert service.read(request)["security_hash"] == "0" * 64


def test_text_outside_the_fields_shows_as_such(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.type_outside_fields(request["uuid"], BUYER, "except clause 4")
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    read = service.read(request)
    extra = [i for i in read["signature_request"]["signers"][1]["inputs"] if i["placeholder_uuid"] is None]
    assert [(i["text"], i["external_id"]) for i in extra] == [("except clause 4", None)]
    content = httpx.get(read["pdf"], trust_env=False).content
    assert "except clause 4" in PdfReader(io.BytesIO(content)).pages[0].extract_text()


def test_a_sandbox_team_marks_its_documents(service: Service) -> None:
    service.account.sandbox = True
    try:
        request = service.send(BUYER)
        service.signature.sign(request["uuid"], BUYER, INPUTS)
        read = service.read(request)
        content = httpx.get(read["pdf"], trust_env=False).content
        assert read["sandbox"] is True
        assert "sandbox team" in PdfReader(io.BytesIO(content)).pages[0].extract_text()
    finally:
        service.account.sandbox = False
