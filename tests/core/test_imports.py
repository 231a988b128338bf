"""A file of earlier signatures: what a line means, and how hostile ones are refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core.imports import (
    KnownCustomer,
    KnownVersions,
    UnreadableSheet,
    judge_line,
    read_sheet,
    wanted_customers,
)

NOW = datetime(2026, 6, 15, 10, 0, tzinfo=UTC)
AGREEMENTS = [
    KnownVersions(4, "Terms of sale", 3, frozenset({1, 2, 3})),
    KnownVersions(5, "Twin", 1, frozenset({1})),
    KnownVersions(6, "twin", 1, frozenset({1})),
]
CUSTOMERS = [KnownCustomer(7, "ann@buyer.test", "Ann Lee"), KnownCustomer(8, "bo@buyer.test", "Bo Buyer")]
FILES = {"ann.pdf": "ab" * 32}
HEADING = "agreement,signed_on,email,customer_id,version,valid_until,name,file\n"


def judged(**cells: str) -> Any:
    given_ = {"agreement": "Terms of sale", "signed_on": "2024-03-12", "email": "ann@buyer.test", **cells}
    return judge_line(given_, AGREEMENTS, CUSTOMERS, FILES, NOW, UTC)


MATCHES: dict[str, tuple[dict[str, str], str]] = {
    "by address": ({}, "Customer 7, Terms of sale, version 3."),
    "by address in capitals": ({"email": "ANN@Buyer.Test"}, "Customer 7, Terms of sale, version 3."),
    "by number": ({"email": "", "customer_id": "8"}, "Customer 8, Terms of sale, version 3."),
    "both": ({"customer_id": "7"}, "Customer 7, Terms of sale, version 3."),
    "other case": ({"agreement": "TERMS OF SALE"}, "Customer 7, Terms of sale, version 3."),
    "its version": ({"version": "1"}, "Customer 7, Terms of sale, version 1."),
    "with a file": ({"file": "Signed/ANN.pdf"}, "Customer 7, Terms of sale, version 3, with its PDF."),
    "over": ({"valid_until": "2025-01-01"},
             "Customer 7, Terms of sale, version 3, which is over: it will count for nothing."),
    "signed today": ({"signed_on": "2026-06-15"}, "Customer 7, Terms of sale, version 3."),
    "a name in any script": ({"name": "‏آن 李 🎪"}, "Customer 7, Terms of sale, version 3."),
}  # fmt: skip
MISSES: dict[str, tuple[dict[str, str], str]] = {
    "no agreement": ({"agreement": ""}, "The agreement is missing."),
    "unknown agreement": ({"agreement": "Terms"}, "No agreement is called “Terms”."),
    "two agreements": ({"agreement": "Twin"}, "Several agreements are called “Twin”. Give them different names first."),
    "no version": ({"version": "9"}, "“Terms of sale” has no version 9."),
    "odd version": ({"version": "²"}, "“Terms of sale” has no version ²."),
    "no day": ({"signed_on": "12.03.2024"}, "The day of signing is written like 2024-03-12."),
    "no such day": ({"signed_on": "2024-02-30"}, "The day of signing is written like 2024-03-12."),
    "week": ({"signed_on": "2024-W10-2"}, "The day of signing is written like 2024-03-12."),
    "future": ({"signed_on": "2026-06-16"}, "The day of signing lies in the future."),
    "long ago": ({"signed_on": "1066-10-14"}, "Nobody signed that long ago."),
    "ends before": ({"valid_until": "2024-03-11"}, "It ends before it was signed."),
    "odd end": ({"valid_until": "next year"}, "The last day is written like 2027-12-31."),
    "nobody": ({"email": ""}, "Neither an address nor a customer number is given."),
    "stranger": ({"email": "eve@buyer.test"}, "No customer of the store has this e-mail address."),
    "no address": ({"email": "ann"}, "The e-mail address does not look like one."),
    "no customer": ({"email": "", "customer_id": "99"}, "The store has no customer 99."),
    "odd number": ({"email": "", "customer_id": "7.0"}, "“7.0” is not a customer number."),
    "they differ": ({"customer_id": "8"}, "Customer 8 has another e-mail address."),
    "no such file": ({"file": "bo.pdf"}, "The file “bo.pdf” was not uploaded."),
    "formula": ({"name": "=HYPERLINK(\"http://evil.test\")"},
                "The cell name begins with “=”, as a formula does. Write it without."),
    "command": ({"agreement": "@SUM(A1)"}, "The cell agreement begins with “@”, as a formula does. Write it without."),
    "long": ({"name": "x" * 501}, "The cell name has more than 500 characters."),
    "more cells": ({"_more": "yes"}, "The line has more cells than the heading."),
}  # fmt: skip


@pytest.mark.parametrize("name", MATCHES)
def test_what_a_line_means(name: str) -> None:
    cells, says = MATCHES[name]
    verdict = judged(**cells)
    assert (verdict.state, verdict.sentence) == ("match", says)


@pytest.mark.parametrize("name", MISSES)
def test_why_a_line_means_nothing(name: str) -> None:
    cells, says = MISSES[name]
    verdict = judged(**cells)
    assert (verdict.state, verdict.found) == ("miss", None)
    assert verdict.sentence == says


def test_what_is_kept() -> None:
    found = judged(valid_until="2027-12-31", file="ann.pdf").found
    assert found == {
        "party_kind": "customer",
        "party_id": "7",
        "label": "Ann Lee, ann@buyer.test",
        "agreement_id": 4,
        "agreement_version": 3,
        "scope": "customer",
        "scope_id": "",
        "valid_from": "2024-03-12T00:00:00+00:00",
        "valid_until": "2028-01-01T00:00:00+00:00",
        "document": "ab" * 32,
    }


LINE = "Terms of sale,2024-03-12,ann@buyer.test,,,,Ann Lee,ann.pdf\n"


@pytest.mark.parametrize(
    "content",
    [(HEADING + LINE).encode(), b"\xef\xbb\xbf" + (HEADING + LINE).encode(), (HEADING + LINE).encode("utf-16"),
     (HEADING + LINE).replace(",", ";").encode(), (HEADING + LINE).replace(",", "\t").encode(),
     (HEADING + LINE).replace("\n", "\r\n").encode(), (HEADING.upper() + "\n,,,,,,,\n" + LINE).encode(),
     (HEADING + LINE.replace("Ann Lee", '"Ann Lee"')).encode()],
)  # fmt: skip
def test_files_as_spreadsheets_save_them(content: bytes) -> None:
    rows = read_sheet(content)
    assert len(rows) == 1
    assert (rows[0][1]["name"], rows[0][1]["email"]) == ("Ann Lee", "ann@buyer.test")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "The file is empty."), (HEADING.encode(), "The file has a heading and no lines."),
     (b"PK\x03\x04\x00\x00", "zero bytes"), (HEADING.encode() + "Jörg".encode("latin-1"), "Line 2 holds a character"),
     (b"agreement,signed_on\nx,y\n", "Who signed is missing"), (b"agreement,email\nx,y\n", "“signed_on” is missing"),
     (b"agreement,signed_on,email,colour\n", "The column “colour” in line 1 is not known."),
     (b"agreement,signed_on,email,email\n", "The column “email” stands there twice."),
     ((HEADING + 'a,b,"never closed\n').encode(), "a quotation mark is never closed"),
     ((HEADING + "x" * 200_000).encode(), "a quotation mark or cell is broken"),
     ((HEADING + LINE * 10_001).encode(), "more than 10,000 lines"), (b"x" * (10 << 20), "more than 5 MB"),
     (b"\xff\xfe\x00", "not UTF-8"), (b"<html>\n<p>\n", "is not known")],
)  # fmt: skip
def test_files_that_are_none(content: bytes, says: str) -> None:
    with pytest.raises(UnreadableSheet, match=says):
        read_sheet(content)


def test_lines_are_numbered_as_the_file_is() -> None:
    rows = read_sheet((HEADING + "\n" + LINE + LINE.rstrip() + ",\n" + LINE.rstrip() + ",more\n").encode())
    assert [n for n, _ in rows] == [3, 4, 5]
    assert ["_more" in cells for _, cells in rows] == [False, False, True]


def test_whom_to_ask_the_store_for() -> None:
    rows = [{"customer_id": "7"}, {"customer_id": "x"}, {"email": "Ann@Buyer.test"}, {"email": "a,b@c.test"}, {}]
    assert wanted_customers(rows) == ({7}, {"ann@buyer.test"})


@given(st.binary(max_size=400))
def test_anything_is_read_or_refused(content: bytes) -> None:
    for head in (b"", HEADING.encode()):
        try:
            rows = read_sheet(head + content)
        except UnreadableSheet:
            continue
        for _, cells in rows:
            judge_line({"agreement": "", "signed_on": "", **cells}, AGREEMENTS, CUSTOMERS, FILES, NOW, UTC)
