"""Right person, right text: each way to be wrong, and each reading of what the service leaves open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bcapp.core.check import check_completion
from bcapp.core.model import PlacedField, RecordKey, SignatureRequest, Signer
from bcapp.core.provider import ProviderDocument, ProviderInput, ProviderSigner
from bcapp.core.states import Purpose, RequestStatus, SignerRole, Wanted

pytestmark = pytest.mark.unit

AT = datetime(2026, 10, 3, tzinfo=UTC)
UUID = "f2b00000-0000-4000-8000-000000000001"
FIELDS = tuple(
    PlacedField(f"{name}_{signer}", signer, kind)
    for signer in (0, 1)
    for name, kind in (("sig", "s"), ("date", "d"), ("note", "t"), ("ok", "c"))
)
ANN = Signer(0, 1, "Ann Lee", "ann@lee.example")
BO = Signer(1, 2, "Bo Day", "bo@summit.example")


def request(*signers: Signer, fields: tuple[PlacedField, ...] = FIELDS) -> SignatureRequest:
    return SignatureRequest(
        id=42,
        workflow="order_approval",
        rule_id=7,
        rule_version=1,
        blocks=True,
        purpose=Purpose.CUSTOMER,
        record=RecordKey("order", "1001"),
        round=1,
        projection=1,
        fingerprint="f",
        snapshot={},
        wanted=Wanted.OPEN,
        wanted_why="",
        status=RequestStatus.SENT,
        checked="",
        simulated=False,
        external_id="1:store:42:1:nonce",
        created_at=AT,
        expires_at=None,
        signers=signers or (ANN, BO),
        fields=fields,
    )


def typed(kind: str, external_id: str = "", placeholder: str = "ph", page: int = 0, value: str = "") -> ProviderInput:
    return ProviderInput(kind, external_id, placeholder, page, value)


def entry(email: str, order: int = 1, **changes: Any) -> ProviderSigner:
    made = ProviderSigner(
        email=email,
        order=order,
        needs_to_sign=True,
        emailed=True,
        email_viewed=True,
        viewed=True,
        signed=True,
        signed_at=AT,
        declined=False,
        declined_at=None,
        forwarded=False,
        forwarded_to="",
        message="",
        bounced=False,
        inputs=(),
    )
    return replace(made, **changes)


SENDER = entry("owner@summit.example", 0, needs_to_sign=False, signed=False, signed_at=None)
ANN_SIGNED = entry(ANN.email, 1, inputs=(typed("s", "sig_0"), typed("d", "date_0"), typed("t", "note_0")))
BO_SIGNED = entry(BO.email, 2, inputs=(typed("s", "sig_1"), typed("d", "date_1")))


def document(*signers: ProviderSigner, **changes: Any) -> ProviderDocument:
    made = ProviderDocument(
        uuid=UUID,
        url="https://sign.example/api/v1/documents/1/",
        external_id="1:store:42:1:nonce",
        name="Order 1001",
        status="si",
        processing=False,
        sandbox=False,
        request_uuid="r",
        signers=signers or (SENDER, ANN_SIGNED, BO_SIGNED),
        pdf_url="",
        pdf_sha256="",
        log_url="",
        log_sha256="",
    )
    return replace(made, **changes)


def judge(asked: SignatureRequest, got: ProviderDocument, missing: tuple[int, ...] = ()) -> tuple[str, ...]:
    right, why = check_completion(asked, got, missing, UUID)
    assert right == (not why)
    return why


def test_the_right_people_under_the_right_text_pass() -> None:
    assert judge(request(), document()) == ()
    assert judge(request(), document(status="sd", uuid=UUID.upper())) == ()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"uuid": "other"}, "not the one that we sent"),
        ({"external_id": "1:store:43:1:nonce"}, "mark"),
        ({"status": "vi"}, "signed by all"),
        ({"status": "zz"}, "signed by all"),
    ],
)
def test_another_document_is_told(changes: dict[str, str], word: str) -> None:
    (sentence,) = judge(request(), document(**changes))
    assert word in sentence


def test_without_a_uuid_of_ours_nothing_passes() -> None:
    right, why = check_completion(request(), document(uuid=""), (), "")
    assert not right
    assert len(why) == 1


def test_missing_pages_are_counted_from_one() -> None:
    assert judge(request(), document(), (2, 0)) == (
        "Page 1 of the document that we sent is not in the signed PDF.",
        "Page 3 of the document that we sent is not in the signed PDF.",
    )


@pytest.mark.parametrize(
    ("signers", "sentences"),
    [
        ((ANN_SIGNED,), ["Signer 2 is not among the signers at the service."]),
        (
            (ANN_SIGNED, replace(BO_SIGNED, signed=False)),
            ["Signer 2 has not signed."],
        ),
        (
            (ANN_SIGNED, replace(BO_SIGNED, signed=False, declined=True)),
            ["Signer 2 declined."],
        ),
        (
            (ANN_SIGNED, replace(BO_SIGNED, email="eve@evil.example")),
            [
                "Signer 2 is not among the signers at the service.",
                "Somebody signed without having been asked.",
            ],
        ),
        (
            (ANN_SIGNED, BO_SIGNED, entry("eve@evil.example", 3)),
            ["Somebody signed without having been asked."],
        ),
        (
            (ANN_SIGNED, BO_SIGNED, entry("eve@evil.example", 3, signed=False)),
            ["Somebody is listed as a signer, but was not asked."],
        ),
        (
            (replace(SENDER, signed=True), ANN_SIGNED, BO_SIGNED),
            ["Somebody signed without having been asked."],
        ),
    ],
)
def test_the_wrong_people_are_told(signers: tuple[ProviderSigner, ...], sentences: list[str]) -> None:
    assert list(judge(request(), document(*signers))) == sentences


def test_capitals_in_an_address_do_not_matter() -> None:
    assert judge(request(), document(replace(ANN_SIGNED, email="Ann@Lee.example"), BO_SIGNED)) == ()


def test_someone_who_gets_a_copy_need_not_sign() -> None:
    cy = Signer(2, 2, "Cy", "cy@x.example", SignerRole.COPY)
    copy = entry("cy@x.example", 2, needs_to_sign=False, signed=False)
    assert judge(request(ANN, BO, cy), document(SENDER, ANN_SIGNED, BO_SIGNED, copy)) == ()


def test_one_person_may_be_asked_twice() -> None:
    """Test mode sends everything to one address; the turn tells the entries apart."""
    both = (ANN, replace(BO, email=ANN.email))
    first, second = replace(BO_SIGNED, email=ANN.email), ANN_SIGNED
    assert judge(request(*both), document(SENDER, first, second)) == ()
    assert judge(request(*both), document(SENDER, second)) == ("Signer 2 is not among the signers at the service.",)


def test_the_sender_may_be_a_signer_too() -> None:
    sender = replace(SENDER, email=ANN.email)
    assert judge(request(), document(sender, ANN_SIGNED, BO_SIGNED)) == ()


# Forwarding

FORWARDED = replace(ANN_SIGNED, signed=False, inputs=(), forwarded=True, forwarded_to="eve@lee.example")
EVE_SIGNED = replace(ANN_SIGNED, email="eve@lee.example")
MAY = replace(ANN, may_forward=True)


@pytest.mark.parametrize(
    "signers",
    [
        (SENDER, FORWARDED, EVE_SIGNED, BO_SIGNED),  # a second entry for the new address
        (SENDER, replace(FORWARDED, signed=True), BO_SIGNED),  # the entry itself goes on
    ],
)
def test_forwarding_passes_only_where_the_rule_allows_it(signers: tuple[ProviderSigner, ...]) -> None:
    assert judge(request(MAY, BO), document(*signers)) == ()
    assert "which the rule does not allow" in judge(request(ANN, BO), document(*signers))[0]


def test_an_approval_is_never_passed_on() -> None:
    approver = replace(MAY, role=SignerRole.APPROVE)
    why = judge(request(approver, BO), document(SENDER, FORWARDED, EVE_SIGNED, BO_SIGNED))
    assert "Signer 1 passed it on; an approval may not be passed on." in why


def test_who_got_it_must_sign() -> None:
    why = judge(request(MAY, BO), document(FORWARDED, replace(EVE_SIGNED, signed=False), BO_SIGNED))
    assert why == ("Signer 1 has not signed.",)


def test_a_chain_of_forwarding_is_followed_and_a_circle_ends() -> None:
    eve = replace(FORWARDED, email="eve@lee.example", forwarded_to="fay@lee.example")
    fay = replace(ANN_SIGNED, email="fay@lee.example")
    assert judge(request(MAY, BO), document(FORWARDED, eve, fay, BO_SIGNED)) == ()
    circle = replace(FORWARDED, forwarded_to=ANN.email)
    assert judge(request(MAY, BO), document(circle, BO_SIGNED)) == ("Signer 1 has not signed.",)


def test_the_forwarded_inputs_are_judged_too() -> None:
    stray = replace(EVE_SIGNED, inputs=(typed("t", "", "", page=2),))
    assert judge(request(MAY, BO), document(FORWARDED, stray, BO_SIGNED)) == (
        "Signer 1 put a text on page 3 where no field was placed.",
    )


# Inputs


@pytest.mark.parametrize(
    "inputs",
    [
        (),  # the service tells none
        (typed("s", "sig_0"), typed("d", "date_0"), typed("c", "ok_0"), typed("t", "note_0")),
        (typed("s"), typed("d")),  # placeholder only
        (typed("i", "sig_0"),),  # initials in the place of a signature
        (typed("n"), typed("s", "sig_0", "")),
    ],
)
def test_inputs_in_placed_fields_pass(inputs: tuple[ProviderInput, ...]) -> None:
    assert judge(request(), document(replace(ANN_SIGNED, inputs=inputs), BO_SIGNED)) == ()


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ((typed("t", "", ""),), "put a text on page 1 where no field was placed."),
        ((typed("s", "", "", page=4),), "put a signature on page 5 where no field was placed."),
        ((typed("t", "note_1"),), "filled in the field “note_1”, which was not placed for them."),
        ((typed("t", "sig_0"),), "filled in the field “sig_0”, which was not placed for them."),
        ((typed("s", "sig_0"), typed("s", "sig_0")), "filled in the field “sig_0”, which was not placed for them."),
        ((typed("s", "sig_0"), typed("s")), "put in more than was asked: a signature on page 1."),
        ((typed("z"),), "put in more than was asked: a mark on page 1."),
    ],
)
def test_inputs_outside_the_fields_are_told(inputs: tuple[ProviderInput, ...], sentence: str) -> None:
    why = judge(request(), document(replace(ANN_SIGNED, inputs=inputs), BO_SIGNED))
    assert why == (f"Signer 1 {sentence}",)


def test_a_templates_fields_without_ids_are_met_by_type() -> None:
    asked = request(ANN, fields=(PlacedField("", 0, "s"), PlacedField("total", 0, "t")))
    assert judge(asked, document(replace(ANN_SIGNED, inputs=(typed("s"), typed("t", "total"))))) == ()
    assert len(judge(asked, document(replace(ANN_SIGNED, inputs=(typed("d"),))))) == 1
