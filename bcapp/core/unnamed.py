"""Reasons that are kept when a person is erased: what services say may name an address, and is kept without it."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+\.[A-Za-z]{2,}")


def without_addresses(text: str) -> str:
    """Return the text with "an address" in the place of every e-mail address."""
    return ADDRESS.sub("an address", text)
