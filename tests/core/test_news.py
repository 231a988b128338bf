"""What is told to whom: names, signatures, waits, and which signers a notice concerns."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.model import RecordKey, SignatureRequest, Signer
from bcapp.core.news import (
    NEWS,
    OF_CASE,
    OF_CHECK,
    OF_HOLD,
    OF_NOTE,
    OF_STATUS,
    OFF_AFTER,
    WAITS,
    goes_off,
    next_wait,
    show_secret,
    signature_headers,
)
from bcapp.core.notices import NoticeKind, concerned, of_cancel, of_newer_round
from bcapp.core.states import Purpose, RequestStatus, SignerRole, SignerState, Wanted

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_every_change_has_a_published_name() -> None:
    told = {*OF_STATUS.values(), *OF_HOLD.values(), *OF_NOTE.values(), *OF_CHECK.values(), *OF_CASE.values()}
    told.add("request.question")
    assert told == set(NEWS)
    assert RequestStatus.COMPLETED not in OF_STATUS  # a signature is told once it was checked, not before


def test_the_example_of_the_specification() -> None:
    """Source: Standard Webhooks specification, "Signature scheme" (its example of id, time, payload and secret)."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signature_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', (secret,), at)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


@given(body=st.binary(max_size=200), keys=st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=2))
def test_each_secret_signs_what_is_sent(body: bytes, keys: list[bytes]) -> None:
    headers = signature_headers("msg_1", body, tuple(keys), NOW)
    marks = headers["webhook-signature"].split(" ")
    assert len(marks) == len(keys)
    for mark, key in zip(marks, keys, strict=True):
        shown = show_secret(key)
        assert base64.b64decode(shown.removeprefix("whsec_")) == key
        signed = f"msg_1.{int(NOW.timestamp())}.".encode() + body
        assert mark == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_waits_grow_and_end() -> None:
    waits = [next_wait(tries) for tries in range(1, len(WAITS) + 1)]
    assert waits == sorted(WAITS)
    assert next_wait(0) is None
    assert next_wait(len(WAITS) + 1) is None
    assert OFF_AFTER < sum(WAITS, timedelta()) < timedelta(days=5)


@pytest.mark.parametrize(
    ("status", "days", "off"),
    [(500, None, False), (410, None, True), (None, 2.9, False), (None, 3, True), (404, 3.1, True)],
)
def test_an_endpoint_goes_off_when_it_is_gone_or_fails_for_days(
    status: int | None, days: float | None, off: bool
) -> None:
    since = NOW - timedelta(days=days) if days is not None else None
    assert goes_off(status, since, NOW) is off


# Whom a notice concerns ------------------------------------------------------------------------------------


def request(*states: SignerState) -> SignatureRequest:
    signers = tuple(
        Signer(position=n, turn=1, name=f"S{n}", email=f"s{n}@x.test", role=SignerRole.SIGN, state=state)
        for n, state in enumerate(states)
    )
    return SignatureRequest(
        id=1, workflow="order_approval", rule_id=1, rule_version=1, purpose=Purpose.CUSTOMER,
        record=RecordKey("order", "1"), round=1, projection=1, fingerprint="f", snapshot={},
        wanted=Wanted.OPEN, wanted_why="",
        status=RequestStatus.SENT, checked="", simulated=False, blocks=True, external_id="e", created_at=NOW,
        expires_at=None, signers=signers,
    )  # fmt: skip


S = SignerState


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (NoticeKind.DECLINED, [0, 1, 2]),
        (NoticeKind.EXPIRED, [0, 1, 2]),
        (NoticeKind.REPLACED, [0, 1, 2]),
        (NoticeKind.PASSED_ON, [1, 2]),
        (NoticeKind.OVERRIDDEN, [1, 2]),
        (NoticeKind.CONFLICT, [0]),
        (NoticeKind.ANSWER, []),
        (NoticeKind.PAPER_REFUSED, [0, 1, 2]),
        (NoticeKind.PAPER_ENDS, [0, 1, 2]),
    ],
)
def test_who_was_asked_is_told_and_who_knows_is_not(kind: NoticeKind, told: list[int]) -> None:
    one = request(S.SIGNED, S.EMAILED, S.VIEWED, S.DECLINED, S.WAITING, S.BOUNCED, S.FORWARDED)
    assert [s.position for s in concerned(kind, one)] == told


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_a_copy_is_never_told(kind: NoticeKind) -> None:
    one = request(S.EMAILED, S.SIGNED)
    copies = replace(one, signers=tuple(replace(s, role=SignerRole.COPY) for s in one.signers))
    assert concerned(kind, copies) == ()


def test_what_a_cancel_and_a_newer_round_are_told_as() -> None:
    assert [of_cancel(why) for why in ("released", "staff", "record", "superseded")] == [
        NoticeKind.OVERRIDDEN, None, None, None,
    ]  # fmt: skip
    assert of_newer_round(in_time=True) is NoticeKind.REPLACED
    assert of_newer_round(in_time=False) is NoticeKind.PASSED_ON
