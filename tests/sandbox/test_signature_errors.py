"""What the simulated signature service refuses, and in which words. Source: core-signature.md 8 and 12.4."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bcapp.sandbox.signature import Account
from tests.sandbox.signature_service import Service, order_pdf, running

CONTENT = base64.b64encode(order_pdf()).decode()
FILE = {"file_from_content": CONTENT, "file_from_content_name": "order.pdf"}
SIGNERS = [{"email": "buyer@example.com"}]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as running_service:
        yield running_service


@pytest.fixture(autouse=True)
def fresh_token(service: Service) -> None:
    service.log_in()


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({}, "non_field_errors", "is required"),
        ({**FILE, "file_from_url": "https://files.example/a.pdf"}, "non_field_errors", "Only one of"),
        ({**FILE, "file_from_content": "%%%"}, "file_from_content", "not valid base64"),
        ({"file_from_content": CONTENT}, "file_from_content_name", "This field is required."),
        ({**FILE, "auto_expire_days": 0}, "auto_expire_days", "greater than or equal to 1"),
        ({**FILE, "auto_expire_days": 731}, "auto_expire_days", "less than or equal to 730"),
        ({**FILE, "auto_expire_days": "soon"}, "auto_expire_days", "A valid integer is required."),
        ({**FILE, "auto_delete_days": 731}, "auto_delete_days", "less than or equal to 730"),
        ({**FILE, "external_id": "x" * 256}, "external_id", "no more than 255 characters"),
        ({**FILE, "events_callback_url": "hook"}, "events_callback_url", "Enter a valid URL."),
        ({"template": "https://sign.example/api/v1/templates/none/"}, "template", "Object does not exist."),
    ],
)
def test_a_bad_document_is_refused(service: Service, body: dict[str, Any], field: str, text: str) -> None:
    answer = service.api.post("/documents/", json=body)
    assert answer.status_code == 400
    assert text in answer.json()[field][0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"signers": None}, {"signers": ["This field is required."]}),
        ({"signers": []}, {"signers": {"non_field_errors": ["This list may not be empty."]}}),
        ({"signers": [{"email": "buyer"}]}, {"signers": [{"email": ["Enter a valid email address."]}]}),
        ({"signers": [*SIGNERS, {}]}, {"signers": [{}, {"email": ["This field is required."]}]}),
        ({"who": "x"}, {"who": ['"x" is not a valid choice.']}),
        ({"document": "/api/v1/documents/none/"}, {"document": ["Invalid hyperlink - Object does not exist."]}),
        ({"document": "none"}, {"document": ["Invalid hyperlink - No URL match."]}),
        ({"document": 7}, {"document": ["Incorrect type. Expected URL string, received int."]}),
        ({"document": None}, {"document": ["This field is required."]}),
    ],
)
def test_a_bad_request_is_refused(service: Service, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = {"document": service.upload()["url"], "signers": SIGNERS, **fields}
    answer = service.api.post("/signature-requests/", json={k: v for k, v in body.items() if v is not None})
    assert (answer.status_code, answer.json()) == (400, expected)


def test_a_document_takes_one_request_only(service: Service) -> None:
    body = {"document": service.upload()["url"], "signers": SIGNERS}
    assert service.api.post("/signature-requests/", json=body).status_code == 201
    second = service.api.post("/signature-requests/", json=body)
    assert (second.status_code, list(second.json())) == (400, ["document"])


def test_a_foreign_sender_is_refused(service: Service) -> None:
    body = {"document": service.upload()["url"], "signers": SIGNERS, "from_email": "stranger@example.com"}
    assert "from_email" in service.api.post("/signature-requests/", json=body).json()


def test_mails_are_only_switched_off_where_somebody_is_called_back(service: Service) -> None:
    body = {"document": service.upload()["url"], "signers": SIGNERS, "disable_emails": True}
    assert list(service.api.post("/signature-requests/", json=body).json()) == ["disable_emails"]


def test_quick_create_makes_nothing_when_one_part_is_wrong(service: Service) -> None:
    before = len(service.signature.store.documents)
    answer = service.api.post("/signature-request-quick-create/", json={**FILE, "signers": []})
    assert answer.status_code == 400
    assert len(service.signature.store.documents) == before


def test_an_ended_request_cannot_be_cancelled_or_resent(service: Service) -> None:
    request = service.send("buyer@example.com")
    path = f"/signature-requests/{request['uuid']}"
    cancelled = service.api.post(f"{path}/cancel_signature_request/")
    assert (cancelled.status_code, cancelled.json()) == (201, {"detail": "OK", "cancelled": True})
    again = service.api.post(f"{path}/cancel_signature_request/")
    assert (again.status_code, list(again.json())) == (400, ["detail"])
    assert service.api.post(f"{path}/resend_signature_request_email/").status_code == 400


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (None, "Authentication credentials were not provided."),
        ("Basic eDp5", "Authentication credentials were not provided."),
        ("Bearer gone", "Invalid token"),
    ],
)
def test_without_a_live_token_the_answer_is_401(service: Service, header: str | None, text: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = httpx.get(f"{service.server.url}/api/v1/teams/", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (401, {"detail": text})


def test_another_account_sees_nothing(service: Service) -> None:
    made = service.send("buyer@example.com")
    uuid = made["document"].rstrip("/").rpartition("/")[2]
    stranger = Account("stranger", "Stranger Ltd", "stranger-client", "stranger-secret", "a@stranger.example")
    service.log_in(service.signature.add_account(stranger))
    for path in (f"documents/{uuid}/", f"signature-requests/{made['uuid']}/"):
        answer = service.api.get(f"/{path}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert service.api.delete(f"/documents/{uuid}/").status_code == 404
    assert service.api.get("/documents/").json()["count"] == 0
    assert service.api.get("/events/").json()["count"] == 0
    body = {"document": made["document"], "signers": SIGNERS}
    assert service.api.post("/signature-requests/", json=body).status_code == 400


def test_lists_come_in_pages(service: Service) -> None:
    for _ in range(3):
        service.upload(external_id="paged")
    first = service.api.get("/documents/", params={"external_id": "paged", "limit": 2}).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    second = service.api.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (1, None)
    assert service.api.get("/documents/", params={"external_id": "paged", "page": 3}).status_code == 404


@pytest.mark.parametrize(
    ("served", "path", "status"),
    [
        ("core", "/signature-requests/", 200),
        ("core", "/signrequests/", 404),
        ("signrequest", "/signature-requests/", 404),
        ("signrequest", "/signrequests/", 200),
    ],
)
def test_one_spelling_can_be_served_alone(service: Service, served: Any, path: str, status: int) -> None:
    service.signature.options.spelling = served
    try:
        assert service.api.get(path).status_code == status
    finally:
        service.signature.options.spelling = "both"


def test_actions_can_keep_the_old_names_under_new_paths(service: Service) -> None:
    made = service.send("buyer@example.com")
    service.signature.options.action_spelling = "signrequest"
    try:
        path = f"/signature-requests/{made['uuid']}"
        assert service.api.post(f"{path}/cancel_signature_request/").status_code == 404
        assert service.api.post(f"{path}/cancel_signrequest/").status_code == 201
    finally:
        service.signature.options.action_spelling = "both"


def test_full_name_and_link_expiry_are_kept(service: Service) -> None:
    document = service.upload(link_expire_days=30)
    assert document["link_expire_days"] == 30
    signers = [{"email": "pat@example.com", "full_name": "Pat Buyer", "order": "1"}]
    made = service.api.post("/signature-requests/", json={"document": document["url"], "signers": signers}).json()
    assert (made["signers"][1]["full_name"], made["signers"][1]["order"]) == ("Pat Buyer", 1)


def test_a_document_address_without_host_is_taken(service: Service) -> None:
    document = service.upload()
    body = {"document": f"/api/v1/documents/{document['uuid']}/", "signers": SIGNERS}
    assert service.api.post("/signature-requests/", json=body).status_code == 201


def test_flags_come_back_unless_the_service_drops_them(service: Service) -> None:
    flags: dict[str, Any] = {"disable_text": True, "disable_date": True, "disable_attachments": True}
    made = service.send("buyer@example.com", **flags)
    assert {name: made[name] for name in flags} == flags
    service.signature.options.dropped_flags = {"disable_date"}
    try:
        assert service.send("buyer@example.com", **flags)["disable_date"] is False
    finally:
        service.signature.options.dropped_flags = set()


def test_quick_create_takes_a_form_with_nested_fields(service: Service) -> None:
    answer = service.api.post(
        "/signature-request-quick-create/",
        data={"signer[0]email": "buyer@example.com", "subject": "Please sign"},
        files={"file": ("order.pdf", order_pdf(), "application/pdf")},
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["signers"][1]["email"], made["name"]) == ("buyer@example.com", "order.pdf")
    assert set(made) >= {"uuid", "document", "name", "signers"}


def test_misbehaviour_on_demand(service: Service) -> None:
    faults = service.sandbox.faults
    faults.add("signature", "GET", "/api/v1/teams/", "throttle", seconds=7)
    throttled = service.api.get("/teams/")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "7")
    assert throttled.json() == {"detail": "Request was throttled. Expected available in 7 seconds."}
    faults.add("signature", "GET", "/api/v1/teams/", "before", times=2, status=502)
    assert [service.api.get("/teams/").status_code for _ in range(3)] == [502, 502, 200]
    faults.add("signature", "GET", "/api/v1/teams/", "html")
    assert service.api.get("/teams/").headers["content-type"].startswith("text/html")
    before = len(service.signature.store.documents)
    faults.add("signature", "POST", "/api/v1/documents/", "silent")
    with pytest.raises(httpx.TransportError):
        service.upload()
    assert len(service.signature.store.documents) == before + 1


def test_a_service_that_is_down_answers_with_a_proxys_page(service: Service) -> None:
    service.signature.go_down()
    try:
        answer = service.api.get("/teams/")
        assert (answer.status_code, "Bad Gateway" in answer.text) == (502, True)
        token = service.web.post("/otdstenant/northwind/oauth2/token", data={"grant_type": "client_credentials"})
        assert token.status_code == 502
    finally:
        service.signature.go_up()
    assert service.api.get("/teams/").status_code == 200
