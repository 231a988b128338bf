"""The lineage's Python client runs unchanged against the simulated signature service, in both spellings."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import signrequest_client as client

from tests.sandbox.signature_service import Service, order_pdf, running

CORE_NAMES = (
    ("/signrequest-quick-create/", "/signature-request-quick-create/"),
    ("cancel_signrequest", "cancel_signature_request"),
    ("resend_signrequest_email", "resend_signature_request_email"),
    ("/signrequests/", "/signature-requests/"),
)


class CoreClient(client.ApiClient):  # type: ignore[misc]
    """The same client with the paths of Core Signature. Source: core-signature.md 12.1."""

    def call_api(self, resource_path: str, *args: Any, **kwargs: Any) -> Any:
        for old, new in CORE_NAMES:
            resource_path = resource_path.replace(old, new)
        return super().call_api(resource_path, *args, **kwargs)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as running_service:
        yield running_service


@pytest.fixture(params=["signrequest", "core"])
def api(request: pytest.FixtureRequest, service: Service) -> Iterator[Any]:
    """The client in one spelling, while the service serves that one only."""
    spelling = request.param
    options = service.signature.options
    options.spelling = options.action_spelling = spelling
    options.nested_key = "signrequest"
    configuration = client.Configuration()
    configuration.host = f"{service.server.url}/api/v1"
    configuration.api_key = {"Authorization": service.log_in()}
    configuration.api_key_prefix = {"Authorization": "Bearer"}
    made = client.ApiClient(configuration) if spelling == "signrequest" else CoreClient(configuration)
    yield made
    made.pool.close()
    made.pool.join()
    made.rest_client.pool_manager.clear()
    options.spelling = options.action_spelling = "both"


def content() -> str:
    return base64.b64encode(order_pdf()).decode()


def make_document(api: Any, **fields: Any) -> Any:
    return client.DocumentsApi(api).documents_create(
        client.Document(
            name="order.pdf",
            file_from_content=content(),
            file_from_content_name="order.pdf",
            auto_expire_days=30,
            prefill_tags=[client.InlinePrefillTags(external_id="po_number", text="PO 7")],
            **fields,
        )
    )


def make_request(api: Any, document: Any) -> Any:
    return client.SignrequestsApi(api).signrequests_create(
        client.SignRequest(
            document=document.url,
            from_email="contracts@northwind.example",
            signers=[client.Signer(email="buyer@example.com", order=1)],
        )
    )


def test_documents(api: Any, service: Service) -> None:
    documents = client.DocumentsApi(api)
    made = make_document(api, external_id=f"python-{id(api)}")
    assert documents.documents_read(made.uuid).name == "order.pdf"
    found = documents.documents_list(external_id=f"python-{id(api)}", page=1, limit=5)
    assert [d.uuid for d in found.results] == [made.uuid]
    documents.documents_delete(made.uuid)
    with pytest.raises(client.rest.ApiException) as refused:
        documents.documents_read(made.uuid)
    assert refused.value.status == 404


def test_requests_to_the_signature(api: Any, service: Service) -> None:
    requests = client.SignrequestsApi(api)
    document = make_document(api)
    made = make_request(api, document)
    assert [s.email for s in made.signers] == ["contracts@northwind.example", "buyer@example.com"]
    assert made.uuid in [r.uuid for r in requests.signrequests_list(who="o", limit=100).results]
    assert requests.signrequests_read(made.uuid).document == document.url
    service.signature.settle()
    requests.signrequests_resend_signrequest_email(made.uuid)
    service.signature.sign(document.uuid, "buyer@example.com")
    service.signature.settle()
    signed = client.DocumentsApi(api).documents_read(document.uuid)
    assert (signed.status, signed.signrequest.signers[1].signed) == ("si", True)
    typed = {i.external_id: i.text for i in signed.signrequest.signers[1].inputs}
    assert typed == {"buyer_signature": "", "po_number": "PO 7"}


def test_cancel(api: Any, service: Service) -> None:
    document = make_document(api)
    made = make_request(api, document)
    _, status, _ = client.SignrequestsApi(api).signrequests_cancel_signrequest_with_http_info(made.uuid)
    assert status == 201
    assert client.DocumentsApi(api).documents_read(document.uuid).status == "ca"


def test_quick_create(api: Any, service: Service) -> None:
    made = client.SignrequestQuickCreateApi(api).signrequest_quick_create_create(
        client.SignRequestQuickCreate(
            file_from_content=content(),
            file_from_content_name="order.pdf",
            signers=[client.Signer(email="buyer@example.com", order=1)],
        )
    )
    assert client.DocumentsApi(api).documents_read(made.document.rstrip("/").rpartition("/")[2]).name == "order.pdf"


def test_events(api: Any, service: Service) -> None:
    document = make_document(api)
    make_request(api, document)
    service.signature.settle()
    events = client.EventsApi(api)
    rows = events.events_list(document__uuid=document.uuid, event_type="sent").results
    assert [(r.event_type, r.status) for r in rows] == [("sent", "ok")]
    number = next(e.number for e in service.signature.store.events if e.document.uuid == document.uuid)
    assert events.events_read(number).event_type == "converted"


def test_templates(api: Any, service: Service) -> None:
    templates = client.TemplatesApi(api)
    rows = templates.templates_list().results
    assert [t.name for t in rows] == ["Order agreement", "Supplier agreement"]
    roles = templates.templates_read(rows[0].uuid).signers
    assert [p.external_id for p in roles[1].placeholders] == ["approver_signature", "approved_on"]


def test_webhooks(api: Any, service: Service) -> None:
    webhooks = client.WebhooksApi(api)
    made = webhooks.webhooks_create(
        client.WebhookSubscription(event_type="signed", callback_url="https://app.example/hook", name="Signed")
    )
    assert made.uuid in [w.uuid for w in webhooks.webhooks_list().results]
    webhooks.webhooks_partial_update(made.uuid, {"name": "Signed documents"})
    assert webhooks.webhooks_read(made.uuid).name == "Signed documents"
    webhooks.webhooks_delete(made.uuid)
    assert made.uuid not in [w.uuid for w in webhooks.webhooks_list().results]


def test_attachments(api: Any, service: Service) -> None:
    document = make_document(api)
    attachments = client.DocumentAttachmentsApi(api)
    made = attachments.document_attachments_create(
        client.DocumentAttachment(
            document=document.url, file_from_content=content(), file_from_content_name="terms.pdf", name="Terms"
        )
    )
    found = attachments.document_attachments_list(document__uuid=document.uuid)
    assert [a.uuid for a in found.results] == [made.uuid]


def test_search_and_teams(api: Any, service: Service) -> None:
    make_document(api)
    assert client.DocumentsSearchApi(api).documents_search_list(q="order").count > 0
    assert [t.subdomain for t in client.TeamsApi(api).teams_list().results] == ["northwind"]
    assert client.TeamMembersApi(api).team_members_list().count == 1


def test_without_a_key_the_answer_is_401(api: Any, service: Service) -> None:
    api.configuration.api_key = {}
    with pytest.raises(client.rest.ApiException) as refused:
        client.DocumentsApi(api).documents_list()
    assert refused.value.status == 401
    assert "Authentication credentials were not provided." in refused.value.body
