"""What people see of the simulated signature service: signing pages, the inbox, mail by SMTP, the controls."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tests.sandbox.signature_service import Service, running

BUYER = "buyer@example.com"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as running_service:
        yield running_service


@pytest.fixture(autouse=True)
def fresh_token(service: Service) -> None:
    service.log_in()


class Forms(HTMLParser):
    """The forms of a page by the last part of their action, with their fields and values."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._current: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {k: v or "" for k, v in attrs}
        if tag == "form":
            self._current = self.forms.setdefault(named.get("action", "").rpartition("/")[2], {})
        elif tag in ("input", "textarea") and "name" in named:
            ticking = named.get("type") in ("checkbox", "radio")
            if not ticking or "checked" in named:
                self._current[named["name"]] = named.get("value", "")


def link_of(service: Service, request: dict[str, Any], email: str = BUYER) -> str:
    """Return the link that the signer was mailed."""
    mails = [m for m in service.signature.inbox.find(email) if m.request_uuid == request["uuid"]]
    return mails[0].links[0][1]


def test_a_person_signs_and_goes_back_to_the_shop(service: Service) -> None:
    request = service.send(
        BUYER,
        subject="Please sign order 1001",
        message="Thank you for <b>your</b> order &amp; trust.",
        redirect_url="https://shop.example/thanks",
        disable_text=True,
    )
    link = link_of(service, request)
    assert service.read(request)["status"] == "se"
    page = service.web.get(link)
    assert page.status_code == 200
    assert "Total 1,200.00 EUR" in page.text
    assert "Thank you for your order &amp; trust." in page.text
    assert "[[" not in page.text
    assert re.findall(r'(?:src|href)="https?://', page.text) == []
    document = service.read(request)
    assert (document["status"], document["signature_request"]["signers"][1]["viewed"]) == ("vi", True)
    form = Forms(page.text).forms["sign"]
    assert form == {"field:buyer_signature": "1", "field:po_number": ""}
    refused = service.web.post(f"{link}/sign", data=form)
    assert (refused.status_code, "PO number needs a text." in refused.text) == (422, True)
    signed = service.web.post(f"{link}/sign", data={**form, "field:po_number": "PO 7"})
    assert (signed.status_code, signed.headers["location"]) == (303, "https://shop.example/thanks")
    assert service.read(request)["status"] == "si"
    assert "Thank you" in service.web.get(link).text
    assert service.web.get(f"{link}/document.pdf").content.startswith(b"%PDF")
    assert service.read(request)["status"] == "sd"


def test_a_person_types_outside_the_fields(service: Service) -> None:
    request = service.send(BUYER)
    link = link_of(service, request)
    form = Forms(service.web.get(link).text).forms["sign"]
    service.web.post(f"{link}/sign", data={**form, "field:po_number": "PO 7", "free": "but only in May"})
    inputs = service.read(request)["signature_request"]["signers"][1]["inputs"]
    assert [(i["text"], i["placeholder_uuid"]) for i in inputs if i["external_id"] is None] == [
        ("but only in May", None)
    ]


def test_a_person_declines_with_a_reason(service: Service) -> None:
    request = service.send(BUYER, redirect_url_declined="https://shop.example/sorry")
    answer = service.web.post(f"{link_of(service, request)}/decline", data={"reason": "Too expensive"})
    assert answer.headers["location"] == "https://shop.example/sorry"
    document = service.read(request)
    assert (document["status"], document["signature_request"]["signers"][1]["message"]) == ("de", "Too expensive")


def test_a_person_forwards(service: Service) -> None:
    request = service.send(BUYER)
    link = link_of(service, request)
    assert service.web.post(f"{link}/forward", data={"to": "nobody"}).status_code == 422
    assert service.web.post(f"{link}/forward", data={"to": "cfo@example.com"}).status_code == 303
    assert "You forwarded this document" in service.web.get(link).text
    assert "PO number" in service.web.get(link_of(service, request, "cfo@example.com")).text


def test_a_later_signer_waits_for_the_turn(service: Service) -> None:
    request = service.send(BUYER, "boss@example.com")
    page = service.web.get(service.signature.signing_url(request["uuid"], "boss@example.com")).text
    assert "Other people sign first" in page
    assert "sign" not in Forms(page).forms


@pytest.mark.parametrize(("end", "text"), [("cancel", "cancelled by the sender"), ("expire", "expired")])
def test_a_closed_document_says_so(service: Service, end: str, text: str) -> None:
    request = service.send(BUYER)
    link = link_of(service, request)
    getattr(service.signature, end)(request["uuid"])
    assert text in service.web.get(link).text


def test_links_lead_nowhere_once_their_document_is_gone(service: Service) -> None:
    request = service.send(BUYER)
    link = link_of(service, request)
    service.signature.delete_document(request["uuid"])
    assert service.web.get(link).status_code == 410
    assert service.web.get(f"{service.server.url}/signing/unknown").status_code == 404


def test_a_password_and_a_text_message_guard_the_document(service: Service) -> None:
    document = service.upload()
    signer = {"email": BUYER, "password": "open sesame", "verify_phone_number": "+3212345678"}
    body = {"document": document["url"], "signers": [signer]}
    request = service.api.post("/signature-requests/", json=body).json()
    assert "password" not in request["signers"][1]
    service.signature.settle()
    link = link_of(service, request)
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        assert "Total" not in browser.get(link).text
        assert browser.post(f"{link}/unlock", data={"key": "wrong"}).status_code == 422
        page = browser.post(f"{link}/unlock", data={"key": "open sesame"}).text
        form = {**Forms(page).forms["sign"], "field:po_number": "PO 7"}
        assert browser.post(f"{link}/sign", data={**form, "code": "x"}).status_code == 422
        code = service.signature.inbox.find("+3212345678")[0].text.rpartition(" ")[2]
        assert "Thank you" in browser.post(f"{link}/sign", data={**form, "code": code}).text
    assert service.read(request)["status"] == "si"


def test_a_sender_prepares_before_sending(service: Service) -> None:
    request = service.send(BUYER, is_being_prepared=True)
    assert service.read(request)["status"] == "ne"
    assert service.signature.inbox.find(BUYER)[0].request_uuid != request["uuid"]
    assert "Send" in service.web.get(request["prepare_url"]).text
    service.web.post(request["prepare_url"])
    assert service.read(request)["status"] == "se"


def test_documents_in_a_chain_follow_each_other(service: Service) -> None:
    second = service.send(BUYER)
    first_document = service.upload()
    signers = [{"email": BUYER, "after_document": second["document"]}]
    body = {"document": first_document["url"], "signers": signers}
    first = service.api.post("/signature-requests/", json=body).json()
    service.signature.settle()
    link = link_of(service, first)
    answer = service.web.post(f"{link}/sign", data={"field:buyer_signature": "1", "field:po_number": "1"})
    assert answer.headers["location"] in service.signature.signing_url(second["uuid"], BUYER)


def test_the_inbox_shows_both_kinds_of_mail(service: Service) -> None:
    request = service.send(BUYER, subject="Please sign this")
    port = service.signature.start_smtp()
    try:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "app@example.com", "owner@example.com", "A hold failed"
        message.set_content("Look at https://app.example/s/abc now.")
        message.add_alternative("<p>Look</p>", subtype="html")
        message.add_attachment(b"a,b", maintype="text", subtype="csv", filename="held.csv")
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.send_message(message)
    finally:
        service.signature.stop_smtp()
    page = service.web.get("/inbox").text
    for expected in ("Please sign this", link_of(service, request), "A hold failed", "https://app.example/s/abc"):
        assert expected in page
    assert "held.csv" in page
    only = service.web.get("/inbox", params={"to": "owner@example.com"}).text
    assert ("A hold failed" in only, "Please sign this" in only) == (True, False)


def test_the_controls_work_over_http(service: Service) -> None:
    root = "/_sandbox/signature"
    request = service.send(BUYER, document=service.upload(external_id="by-http"))
    (row,) = service.web.get(f"{root}/documents", params={"external_id": "by-http"}).json()
    buyer = row["signers"][1]
    assert (row["request"], buyer["state"]) == (request["uuid"], "mailed")
    assert [f["key"] for f in buyer["fields"]] == ["buyer_signature", "po_number"]
    path = f"{root}/documents/by-http"
    refused = service.web.post(f"{path}/sign", json={"email": BUYER})
    assert (refused.status_code, refused.json()) == (409, {"detail": "PO number needs a text."})
    assert service.web.post(f"{path}/sign", json={"email": "nobody@example.com"}).status_code == 404
    assert service.web.post(f"{path}/sign", json={"email": BUYER, "inputs": {"po_number": "7"}}).status_code == 200
    assert service.web.post(f"{root}/settle").status_code == 200
    assert service.web.get(path).json()["status"] == "si"
    assert service.web.get(f"{root}/inbox", params={"to": BUYER}).json()[0]["kind"] == "copy"
    assert service.web.post(f"{root}/options", json={"token_seconds": 60}).status_code == 200
    assert service.web.post(f"{root}/options", json={"colour": "red"}).status_code == 409
    assert service.web.post(f"{root}/options", json={"token_seconds": 120}).status_code == 200
    service.web.post(f"{root}/down")
    assert service.api.get("/teams/").status_code == 502
    service.web.post(f"{root}/up")
    assert service.api.get("/teams/").status_code == 200
    account = {"tenant": "second", "name": "Second", "client_id": "c2", "client_secret": "s2", "sender_email": "s@x.io"}
    assert service.web.post(f"{root}/accounts", json=account).status_code == 201
    assert len(service.web.get(f"{root}/accounts").json()) == 2
