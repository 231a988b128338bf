"""Sealed values open where they belong and nowhere else; keys rotate; tickets end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.errors import BadProof, SettingsError
from bcapp.secrets import OVERHEAD_BYTES, SealBroken, Secrets, UnknownKey

pytestmark = pytest.mark.unit

OLD, NEW = "o" * 32, "n" * 32
SECRETS = Secrets([NEW, OLD])
PLACE: dict[str, Any] = {"table": "stores", "column": "access_token", "store_hash": "abc123", "row": 7}
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@given(st.binary(max_size=2000), st.text(), st.text(), st.text(), st.one_of(st.text(), st.integers()))
def test_what_was_sealed_opens_again(value: bytes, table: str, column: str, store: str, row: object) -> None:
    blob = SECRETS.encrypt(value, table=table, column=column, store_hash=store, row=row)
    assert len(blob) == len(value) + OVERHEAD_BYTES
    assert SECRETS.decrypt(blob, table=table, column=column, store_hash=store, row=row) == value


@given(st.binary(min_size=1, max_size=64))
def test_the_same_value_never_looks_the_same(value: bytes) -> None:
    first, second = SECRETS.encrypt(value, **PLACE), SECRETS.encrypt(value, **PLACE)
    assert first != second


@given(st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6)))
def test_a_value_opens_in_no_other_place(place: tuple[str, str, str, str]) -> None:
    here = ("st", "ores", "abc", "7")
    blob = SECRETS.encrypt(b"token", **dict(zip(PLACE, here, strict=True)))
    there = dict(zip(PLACE, place, strict=True))
    if place == here:
        assert SECRETS.decrypt(blob, **there) == b"token"
    else:
        with pytest.raises(SealBroken):
            SECRETS.decrypt(blob, **there)


@pytest.mark.parametrize(
    "other", [{"table": "store"}, {"column": "data_key"}, {"store_hash": "abc12"}, {"row": 8}, {"row": ""}]
)
def test_each_part_of_the_place_counts(other: dict[str, Any]) -> None:
    blob = SECRETS.encrypt(b"token", **PLACE)
    with pytest.raises(SealBroken, match="another table, column, store or row"):
        SECRETS.decrypt(blob, **{**PLACE, **other})


def test_moving_letters_between_parts_does_not_open() -> None:
    blob = SECRETS.encrypt(b"token", table="a", column="bc", store_hash="d", row="e")
    with pytest.raises(SealBroken):
        SECRETS.decrypt(blob, table="ab", column="c", store_hash="d", row="e")


@given(st.integers(min_value=0, max_value=OVERHEAD_BYTES + 5 - 1), st.integers(min_value=1, max_value=255))
def test_no_byte_can_be_changed(position: int, flip: int) -> None:
    blob = bytearray(SECRETS.encrypt(b"token", **PLACE))
    blob[position] ^= flip
    with pytest.raises(SealBroken):
        SECRETS.decrypt(bytes(blob), **PLACE)


@given(st.binary(max_size=OVERHEAD_BYTES + 20))
def test_rubbish_is_refused_not_crashed_on(blob: bytes) -> None:
    with pytest.raises(SealBroken):
        SECRETS.decrypt(blob, **PLACE)


def test_keys_rotate() -> None:
    old = Secrets([OLD]).encrypt(b"token", **PLACE)
    assert SECRETS.decrypt(old, **PLACE) == b"token"
    assert SECRETS.needs_rotation(old)
    new = SECRETS.encrypt(b"token", **PLACE)
    assert not SECRETS.needs_rotation(new)
    assert new[1:9] == SECRETS.first_key_id
    with pytest.raises(UnknownKey, match=rf"stores\.access_token .* {new[1:9].hex()}.*SECRET_KEYS does not hold"):
        Secrets([OLD]).decrypt(new, **PLACE)


def test_a_data_key_seals_a_stores_documents_and_dies_with_its_wrapping() -> None:
    key = SECRETS.new_data_key()
    wrapped = SECRETS.wrap(key, store_hash="abc123")
    blob = key.encrypt(b"%PDF", table="chunks", column="content", store_hash="abc123", row="00ff:0")
    again = SECRETS.unwrap(wrapped, store_hash="abc123")
    assert again.decrypt(blob, table="chunks", column="content", store_hash="abc123", row="00ff:0") == b"%PDF"
    with pytest.raises(SealBroken):
        SECRETS.unwrap(wrapped, store_hash="other")
    with pytest.raises(UnknownKey):
        SECRETS.new_data_key().decrypt(blob, table="chunks", column="content", store_hash="abc123", row="00ff:0")


@given(st.text(min_size=1), st.text(min_size=1))
def test_digests_differ_by_purpose_and_value_and_key(purpose: str, value: str) -> None:
    digest = SECRETS.digest(purpose, value)
    assert len(digest) == 32
    assert digest == SECRETS.digest(purpose, value.encode())
    assert digest != SECRETS.digest(purpose + "x", value)
    assert digest != SECRETS.digest(purpose, value + "x")
    assert digest != Secrets([OLD]).digest(purpose, value)


def test_a_digest_of_an_older_key_is_still_recognised() -> None:
    stored = Secrets([OLD]).digest("session", "token")
    assert stored in SECRETS.digests("session", "token")
    assert SECRETS.matches("session", "token", stored)
    assert not SECRETS.matches("session", "other", stored)
    assert not SECRETS.matches("session", "token", None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_tickets_carry_their_payload(payload: Any) -> None:
    ticket = SECRETS.sign("download", payload, ends_at=NOW + timedelta(minutes=5))
    assert SECRETS.unsign("download", ticket, now=NOW) == payload


def test_tickets_end_and_serve_one_purpose() -> None:
    ends = NOW + timedelta(minutes=5)
    ticket = SECRETS.sign("download", {"a": 1}, ends_at=ends)
    with pytest.raises(BadProof, match="ended"):
        SECRETS.unsign("download", ticket, now=ends)
    with pytest.raises(BadProof, match="not ours"):
        SECRETS.unsign("load", ticket, now=NOW)
    with pytest.raises(BadProof, match="not ours"):
        SECRETS.unsign("download", ticket[:-1], now=NOW)
    with pytest.raises(BadProof, match="not ours"):
        Secrets(["x" * 32]).unsign("download", ticket, now=NOW)
    old = Secrets([OLD]).sign("download", {"a": 1}, ends_at=ends)
    assert SECRETS.unsign("download", old, now=NOW) == {"a": 1}


@given(st.text(max_size=80))
def test_a_strangers_ticket_is_refused_not_crashed_on(ticket: str) -> None:
    with pytest.raises(BadProof):
        SECRETS.unsign("download", ticket, now=NOW)


def test_nothing_shows_a_key() -> None:
    shown = repr(SECRETS) + repr(SECRETS.new_data_key())
    assert OLD not in shown
    assert NEW not in shown


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "short"], [NEW, NEW]])
def test_unusable_keys_stop_the_start(keys: list[str]) -> None:
    with pytest.raises(SettingsError, match="SECRET_KEYS"):
        Secrets(keys)
