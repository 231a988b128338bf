"""Events of the simulated signature service and how they are delivered. Source: core-signature.md 7."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bcapp.sandbox.signature import NotPossible
from bcapp.sandbox.signature.callbacks import event_hash
from bcapp.sandbox.signature.records import Options
from tests.sandbox.signature_service import Service, running

BUYER = "buyer@example.com"
BOSS = "boss@example.com"
INPUTS = {"po_number": "PO 7"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Service]:
    with running() as running_service:
        yield running_service


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    """The shared service with a fresh token, fresh options and an empty receiver."""
    shared.signature.store.options = Options()
    shared.signature.settle()
    shared.receiver.bodies.clear()
    shared.receiver.answers.clear()
    shared.log_in()
    yield shared
    shared.signature.store.deliveries.clear()
    shared.signature.store.bouncing.clear()


def vendors_check(body: dict[str, Any], token: str) -> bool:
    """The check of the vendor's own receiver, written again. Source: core-signature.md 12.3."""
    message = body["event_time"] + body["event_type"]
    digest = hmac.new(token.encode(), msg=message.encode(), digestmod="sha256").hexdigest()
    return hmac.compare_digest(digest, body["event_hash"])


def test_the_hash_is_the_one_of_the_fact_sheet() -> None:
    expected = "67ed05d0852f8da257c9abdb77ecedd3e7b4498221d50621cc013ee45e2dab70"
    assert event_hash("test-key", "1700000000", "signed") == expected


def test_a_signature_tells_its_events_in_order(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    service.signature.settle()
    assert service.receiver.types == ["converted", "sent", "signer_viewed", "signer_signed", "signed"]
    assert all(vendors_check(body, service.account.event_key) for body in service.receiver.bodies)
    last = service.receiver.bodies[-1]
    assert (last["status"], last["signer"], last["document"]["status"]) == ("ok", None, "si")
    assert last["team"]["subdomain"] == "northwind"
    assert service.receiver.bodies[3]["signer"]["email"] == BUYER
    rows = service.api.get("/events/", params={"event_type": "signed", "document__external_id": "order-1001"}).json()
    assert (rows["results"][0]["delivered"], rows["results"][0]["callback_status_code"]) == (True, 200)


def test_a_body_is_rendered_at_its_delivery(service: Service) -> None:
    service.signature.options.delivery_delay_seconds = 60
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    service.signature.settle()
    assert service.receiver.bodies == []
    service.sandbox.clock.advance(61)
    service.signature.settle()
    assert service.receiver.types[0] == "converted"
    assert service.receiver.bodies[0]["document"]["status"] == "si"


def test_nothing_is_told_while_the_document_renders(service: Service) -> None:
    service.signature.options.rendering_seconds = 30
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    document = service.api.get(request["document"]).json()
    assert (document["status"], document["processing"], document["pdf"]) == ("si", True, None)
    assert "signed" not in service.receiver.types
    service.sandbox.clock.advance(31)
    document = service.read(request)
    assert (document["processing"], document["pdf"] is None) == (False, False)
    assert service.receiver.types[-2:] == ["signer_signed", "signed"]


def test_a_failed_delivery_climbs_the_ladder(service: Service) -> None:
    """Ten attempts: 1, 1, 2, 3, 5, 8, 13, 21, 34 minutes apart; then it is given up."""
    service.receiver.answers = [500] * 10
    service.upload(events_callback_url=service.receiver.url)
    service.signature.settle()
    assert len(service.receiver.bodies) == 1
    for count, minutes in enumerate((1, 1, 2, 3, 5, 8, 13, 21, 34), 2):
        service.sandbox.clock.advance(minutes * 60 - 5)
        service.signature.settle()
        assert len(service.receiver.bodies) == count - 1
        service.sandbox.clock.advance(6)
        service.signature.settle()
        assert len(service.receiver.bodies) == count
    service.sandbox.clock.advance(86400)
    service.signature.settle()
    assert len(service.receiver.bodies) == 10
    service.log_in()
    row = service.api.get("/events/", params={"delivered": "false"}).json()["results"][0]
    assert (row["delivered"], row["callback_status_code"]) == (False, 500)


def test_the_ladder_runs_faster_with_the_speed() -> None:
    with running(speed=600.0) as service:
        service.receiver.answers = [503, 500]
        service.upload(events_callback_url=service.receiver.url)
        deadline = time.monotonic() + 5
        while len(service.receiver.bodies) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert service.receiver.types == ["converted"] * 3


def test_a_refused_delivery_is_not_tried_again(service: Service) -> None:
    service.receiver.answers = [404]
    service.upload(events_callback_url=service.receiver.url)
    service.signature.settle()
    service.sandbox.clock.advance(86400)
    service.signature.settle()
    assert len(service.receiver.bodies) == 1


def test_duplicates_losses_and_disorder(service: Service) -> None:
    options = service.signature.options
    options.deliver_copies, options.lose_event_types = 2, {"sent"}
    service.send(BUYER)
    assert service.receiver.types == ["converted", "converted"]
    assert len({body["uuid"] for body in service.receiver.bodies}) == 1
    options.deliver_copies, options.lose_event_types, options.shuffle_deliveries = 1, set(), True
    service.receiver.bodies.clear()
    request = service.send(BUYER)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    service.signature.settle()
    service.sandbox.clock.advance(1)
    service.signature.settle()
    assert sorted(service.receiver.types) == ["converted", "sent", "signed", "signer_signed", "signer_viewed"]
    assert service.receiver.types != ["converted", "sent", "signer_viewed", "signer_signed", "signed"]


def test_the_hash_may_be_missing(service: Service) -> None:
    service.signature.options.sign_events = False
    service.upload(events_callback_url=service.receiver.url)
    service.signature.settle()
    assert "event_hash" not in service.receiver.bodies[0]


def test_webhooks_and_the_team_are_called_too(service: Service) -> None:
    hook = {"event_type": "converted", "callback_url": service.receiver.url}
    made = service.api.post("/webhooks/", json=hook).json()
    service.api.patch("/teams/northwind/", json={"events_callback_url": service.receiver.url})
    try:
        service.upload()
        service.signature.settle()
        assert service.receiver.types == ["converted", "converted"]
    finally:
        service.api.patch("/teams/northwind/", json={"events_callback_url": None})
        service.api.delete(f"/webhooks/{made['uuid']}/")


def test_people_are_mailed_by_turn(service: Service) -> None:
    request = service.send(BUYER, BOSS)
    signers = service.read(request)["signature_request"]["signers"]
    assert [(s["email"], s["emailed"]) for s in signers] == [
        ("contracts@northwind.example", False),
        (BUYER, True),
        (BOSS, False),
    ]
    assert (signers[0]["order"], signers[0]["needs_to_sign"]) == (0, False)
    with pytest.raises(NotPossible, match="not the turn"):
        service.signature.sign(request["uuid"], BOSS)
    service.signature.sign(request["uuid"], BUYER, INPUTS)
    document = service.read(request)
    assert (document["status"], document["signature_request"]["signers"][2]["emailed"]) == ("vi", True)
    service.signature.sign(request["uuid"], BOSS)
    assert service.read(request)["status"] == "si"


def test_a_decline_has_a_reason_a_pdf_and_a_log(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.decline(request["uuid"], BUYER, "The price is wrong")
    document = service.read(request)
    assert (document["status"], document["pdf"].endswith("order_declined.pdf")) == ("de", True)
    assert document["signing_log"]["pdf"] is not None
    assert document["signature_request"]["signers"][1]["message"] == "The price is wrong"
    assert service.receiver.types[-1] == "declined"
    assert service.receiver.bodies[-1]["signer"] is None


def test_a_forwarded_place_is_signed_by_somebody_else(service: Service) -> None:
    request = service.send(BUYER)
    path = f"/signature-requests/{request['uuid']}/forward_signer/"
    body = {"signer_email_to_forward": BUYER, "signer_email_to_forward_to": "cfo@example.com"}
    assert service.api.post(path, json=body).status_code == 201
    service.signature.sign(request["uuid"], "cfo@example.com", INPUTS)
    document = service.read(request)
    signers = document["signature_request"]["signers"]
    assert document["status"] == "si"
    assert (signers[1]["forwarded"], signers[1]["forwarded_to_email"]) == (True, "cfo@example.com")
    assert (signers[2]["email"], signers[2]["signed"]) == ("cfo@example.com", True)
    assert "signer_forwarded" in service.receiver.types


def test_a_bounce_is_told_and_mended_by_resending(service: Service) -> None:
    bounced = "bounced@example.com"
    service.signature.bounce(bounced)
    request = service.send(bounced)
    assert service.receiver.types == ["converted", "sent", "signer_email_bounced"]
    assert service.receiver.bodies[-1]["status"] == "error"
    service.signature.mend(bounced)
    path = f"/signature-requests/{request['uuid']}/resend_signature_request_email/"
    answer = service.api.post(path)
    assert (answer.status_code, answer.json()) == (201, {"detail": "OK"})
    assert service.signature.inbox.find(bounced)[0].kind == "reminder"


def test_an_unfinished_document_expires_by_the_clock(service: Service) -> None:
    document = service.upload(auto_expire_days=7, events_callback_url=service.receiver.url)
    request = service.send(BUYER, document=document)
    service.sandbox.clock.advance(timedelta(days=6, hours=23).total_seconds())
    service.log_in()
    assert service.read(request)["status"] == "se"
    service.sandbox.clock.advance(3700)
    service.log_in()
    assert service.read(request)["status"] == "xp"
    assert service.receiver.types[-1] == "expired"
    with pytest.raises(NotPossible):
        service.signature.sign(request["uuid"], BUYER, INPUTS)


def test_reminders_go_out_on_their_days(service: Service) -> None:
    service.send(BUYER, send_reminders=True, subject="Reminder test")
    for day in (3, 5):
        service.sandbox.clock.advance(day * 86400 + 60)
        service.signature.lifecycle.pass_time()
    kinds = [m.kind for m in service.signature.inbox.find(BUYER) if "Reminder test" in m.subject]
    assert kinds == ["reminder", "reminder", "invitation"]


def test_a_broken_file_ends_in_an_error(service: Service) -> None:
    document = service.upload(file_from_content="JVBERi0=", events_callback_url=service.receiver.url)
    request = service.send(BUYER, document=document)
    assert service.read(request)["status"] == "es"
    assert service.receiver.types == ["convert_error", "sending_error"]


def test_a_deleted_document_is_gone_and_tells_nothing(service: Service) -> None:
    request = service.send(BUYER)
    service.signature.delete_document(request["uuid"])
    assert service.api.get(request["document"]).status_code == 404
    assert service.api.get(f"/signature-requests/{request['uuid']}/").status_code == 404


def test_an_embedded_signer_gets_a_link_and_no_mail(service: Service) -> None:
    document = service.upload()
    signers = [{"email": "embedded@example.com", "embed_url_user_id": "bc-customer-7"}]
    body = {"document": document["url"], "signers": signers}
    made = service.api.post("/signature-requests/", json=body).json()
    service.signature.settle()
    assert made["signers"][1]["embed_url"].startswith(f"{service.server.url}/signing/")
    assert service.signature.inbox.find("embedded@example.com") == []


def test_a_template_is_prefilled_and_signed_by_its_roles(service: Service) -> None:
    template = service.api.get("/templates/").json()["results"][0]
    prefill = [{"external_id": "order_number", "text": "1001"}, {"external_id": "order_total", "text": "1200 EUR"}]
    answer = service.api.post("/documents/", json={"template": template["url"], "prefill_tags": prefill})
    request = service.send(BUYER, BOSS, document=answer.json())
    service.signature.sign(request["uuid"], BUYER)
    service.signature.sign(request["uuid"], BOSS)
    signers = service.read(request)["signature_request"]["signers"]
    buyer = {i["external_id"]: i["text"] for i in signers[1]["inputs"]}
    assert (buyer["order_number"], buyer["order_total"]) == ("1001", "1200 EUR")
    assert {i["external_id"] for i in signers[2]["inputs"]} == {"approver_signature", "approved_on"}
