"""No address is kept where nobody could erase it."""

from __future__ import annotations

import pytest

from bcapp.core.unnamed import without_addresses


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("the mail server refused the mail: 550 <ann@lee.example>: no such user",
         "the mail server refused the mail: 550 <an address>: no such user"),
        ("Ann.Lee+x@mail.lee.example is unknown, bo@x.co too.", "an address is unknown, an address too."),
        ("POST documents: 400", "POST documents: 400"),
        ("at 12@noon", "at 12@noon"),
    ],
)  # fmt: skip
def test_addresses_are_left_out(said: str, kept: str) -> None:
    assert without_addresses(said) == kept
