"""14,500 hostile requests at the doors that people use, and 2,000 that Hypothesis thinks of."""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.attack import attack
from tests.fuzz.conftest import rows_of
from tests.fuzz.hostile import METHODS, PLACES, Hostile, anywhere, callback, install, panel, send
from tests.web.conftest import Web

pytestmark = pytest.mark.fuzz

NAMES = (
    b"cookie", b"x-app-session", b"x-countersign-key", b"webhook-id", b"webhook-timestamp", b"webhook-signature",
    b"authorization", b"content-type", b"origin", b"range", b"hx-request", b"accept-language",
)  # fmt: skip

on_wire = st.binary(max_size=60).map(lambda raw: quote_from_bytes(raw, safe="/=&%").encode())
header_value = st.binary(max_size=60).map(lambda raw: bytes(c for c in raw if c not in (0, 10, 13)).strip())
requests = st.builds(
    lambda method, place, rest, asked, headers, chunks: Hostile(
        method, place.encode() + rest + (b"?" + asked if asked else b""), headers, chunks or (b"",)
    ),
    st.sampled_from(sorted(set(METHODS))),
    st.sampled_from(PLACES),
    st.one_of(st.just(b""), on_wire),
    st.one_of(st.just(b""), on_wire, st.just(b"signed_payload_jwt=") , on_wire.map(lambda v: b"code=" + v)),
    st.lists(st.tuples(st.sampled_from(NAMES), header_value), max_size=5),
    st.lists(st.binary(max_size=200), max_size=3).map(tuple),
)  # fmt: skip


async def test_hostile_visitors_fail_nothing_and_leave_nothing(web: Web) -> None:
    makers = {callback: 5_000, anywhere: 6_000, panel: 3_000, install: 500}
    statuses = await attack(web, makers, seed=20_263)
    assert statuses[200] > 100  # /healthz, /signed, /static: public, and not worth a refusal
    assert statuses[404] > 500


@settings(
    max_examples=2_000,
    deadline=None,
    derandomize="CI" in os.environ,  # the same 2,000 for everybody there
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(hostile=requests)
async def test_what_hypothesis_thinks_of_fails_nothing(web: Web, hostile: Hostile) -> None:
    status = await send(web.app, hostile)
    assert status is None or status < 500, hostile


async def test_what_hypothesis_thinks_of_leaves_nothing(web: Web) -> None:
    """The examples share one database; here the simplest of each place is sent, and rows are counted."""
    before = await rows_of(web)
    for place in PLACES:
        for method in sorted(set(METHODS)):
            status = await send(web.app, Hostile(method, place.encode(), chunks=(b"{}",)))
            assert status is not None
            assert status < 500
    await web.app.state.counts.flush(web.services.db)
    assert await rows_of(web) == before
