"""Documents signed without us: whose they may be, and never another store's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.model import RecordKey
from bcapp.core.outside import LOOKS_BACK, MOST, Candidate, Known, Mark, Reason, read_mark, suggest
from bcapp.core.provider import ProviderDocument, ProviderSigner

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STORE, OTHER = "abc123", "xyz789"
NONCE = "0" * 32
ANN, BO, DANA = "ann@buyer.example", "bo@buyer.example", "dana@store.example"
ORDER, LATER, CUSTOMER = RecordKey("order", "1001"), RecordKey("order", "1002"), RecordKey("customer", "7")
TEMPLATE = "5b1c"
REQUESTED = f"1:{STORE}:17:1:{NONCE}"


def signer(email: str, *, signed: bool = True, at: datetime | None = NOW) -> ProviderSigner:
    return ProviderSigner(
        email, 1, True, True, True, True, signed, at if signed else None, False, None, False, "", "", False, ()
    )


def document(
    *emails: str, external_id: str = "", status: str = "si", template: str = "", at: datetime | None = NOW
) -> ProviderDocument:
    signers = tuple(signer(e, at=at) for e in emails)
    return ProviderDocument(
        "u1", "", external_id, "Contract", status, False, False, "r1", signers, "", "", "", "", template
    )


def known(*candidates: Candidate, **more: object) -> Known:
    return Known(STORE, candidates, **more)  # type: ignore[arg-type]


def candidate(record: RecordKey, *addresses: str, days: int = 1, **more: object) -> Candidate:
    return Candidate(record, NOW - timedelta(days=days), frozenset(addresses), **more)  # type: ignore[arg-type]


def found(given: ProviderDocument, what: Known) -> list[tuple[RecordKey, tuple[Reason, ...]]]:
    return [(s.record, s.reasons) for s in suggest(given, what, NOW)]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (f"1:{STORE}:17:1:{NONCE}", Mark(STORE)),
        (f"{STORE}:order:1001", Mark(STORE, ORDER)),
        (f" {OTHER}:own-quote:0012 ", Mark(OTHER, RecordKey("own_quote", "12"))),
        (f"{STORE}:invoice:1001", None),
        ("ERP-4711", None),
        ("", None),
        (f"{STORE}:order:1001:v1", None),
    ],
)
def test_what_an_external_id_names(text: str, mark: Mark | None) -> None:
    assert read_mark(text) == mark


def test_an_external_id_decides_alone() -> None:
    records = (candidate(ORDER), candidate(LATER, ANN, waits=True))
    assert found(document(ANN, external_id=f"{STORE}:order:1001"), known(*records)) == [(ORDER, (Reason.EXTERNAL_ID,))]
    assert found(document(ANN, external_id=f"{STORE}:order:9"), known(*records)) == []
    asked = known(*records, requests={REQUESTED: LATER})
    assert found(document(ANN, external_id=REQUESTED), asked) == [(LATER, (Reason.EXTERNAL_ID, Reason.SIGNER))]
    # Of this store, and of no request that is known here: another installation with the same store.
    assert found(document(ANN, external_id=f"1:{STORE}:18:1:{NONCE}"), asked) == []


def test_a_signer_leads_to_what_waits_first_then_to_the_party() -> None:
    records = (candidate(LATER, ANN), candidate(CUSTOMER, ANN, days=400), candidate(ORDER, ANN, days=9, waits=True))
    reasons = (Reason.SIGNER,)
    assert found(document(ANN), known(*records)) == [(ORDER, reasons), (CUSTOMER, reasons), (LATER, reasons)]
    assert found(document(BO), known(*records)) == []
    assert found(document(DANA), known(candidate(ORDER, DANA), staff={DANA})) == []
    many = [candidate(RecordKey("order", str(n)), ANN, days=n) for n in range(1, 20)]
    assert [s.record.id for s in suggest(document(ANN), known(*many), NOW)] == ["1", "2", "3", "4", "5"]


def test_a_template_supports_and_points_only_at_the_one_that_waits() -> None:
    waits = candidate(ORDER, templates=frozenset({TEMPLATE}), waits=True)
    made = document(BO, template=TEMPLATE)
    assert found(made, known(waits)) == [(ORDER, (Reason.TEMPLATE,))]
    assert found(made, known(waits, candidate(LATER, templates=frozenset({TEMPLATE}), waits=True))) == []
    assert found(made, known(waits, shared=True)) == []
    both = document(ANN, template=TEMPLATE)
    assert found(both, known(candidate(ORDER, ANN), templates={TEMPLATE})) == [
        (ORDER, (Reason.SIGNER, Reason.TEMPLATE))
    ]


@pytest.mark.parametrize("status", ["co", "ne", "se", "vi", "do", "ca", "de", "xp", "ec", "es", "new-code"])
def test_only_what_is_signed(status: str) -> None:
    assert found(document(ANN, status=status), known(candidate(ORDER, ANN))) == []


def test_not_what_is_known_old_or_not_signed_by_the_one_who_counts() -> None:
    record = candidate(ORDER, ANN)
    assert found(document(ANN), known(record, taken={"u1"})) == []
    assert found(document(ANN, at=NOW - LOOKS_BACK - timedelta(days=1)), known(record)) == []
    assert found(document(ANN, at=None), known(record)) != []


ADDRESSES = st.sampled_from([ANN, BO, DANA])
CANDIDATES = st.lists(
    st.builds(
        lambda kind, number, addresses, waits, made: Candidate(
            RecordKey(kind, str(number)), NOW, frozenset(addresses), frozenset({TEMPLATE} if made else ()), waits
        ),
        st.sampled_from(["order", "customer", "company"]),
        st.integers(1, 30),
        st.sets(ADDRESSES),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
    unique_by=lambda c: c.record,
)
MARKS = st.one_of(
    st.just(""),
    st.text(max_size=12),
    st.builds(
        lambda store, kind, number: f"{store}:{kind}:{number}",
        st.sampled_from([STORE, OTHER, "q"]),
        st.sampled_from(["order", "customer", "invoice"]),
        st.integers(1, 30),
    ),
    st.builds(lambda store: f"2:{store}:17:1:{NONCE}", st.sampled_from([STORE, OTHER])),
)


@given(
    emails=st.sets(ADDRESSES),
    external_id=MARKS,
    status=st.sampled_from(["si", "sd", "se", "de"]),
    made=st.booleans(),
    candidates=CANDIDATES,
    shared=st.booleans(),
    foreign=st.sets(ADDRESSES),
    staff=st.sets(ADDRESSES),
    taken=st.booleans(),
)
def test_nothing_of_another_store_is_ever_suggested(
    emails: set[str],
    external_id: str,
    status: str,
    made: bool,
    candidates: list[Candidate],
    shared: bool,
    foreign: set[str],
    staff: set[str],
    taken: bool,
) -> None:
    given_document = document(*emails, external_id=external_id, status=status, template=TEMPLATE if made else "")
    what = known(
        *candidates, taken={"u1"} if taken else set(), templates={TEMPLATE}, shared=shared, foreign=foreign, staff=staff
    )
    suggested = suggest(given_document, what, NOW)
    records = [s.record for s in suggested]
    assert len(records) <= MOST
    assert len(set(records)) == len(records)
    assert set(records) <= {c.record for c in candidates}
    assert all(s.reasons for s in suggested)
    mark = read_mark(external_id)
    if taken or status not in ("si", "sd") or (mark is not None and mark.store != STORE):
        assert suggested == ()
    if mark is not None:
        assert set(records) <= {mark.record}
    elif shared:
        # Only somebody whom no other store on the account knows leads to a record.
        own = emails - foreign - staff
        by_record = {c.record: c for c in candidates}
        assert all(own & by_record[r].addresses for r in records)
