"""Addresses of signers' pages: a token per signer, of which tables keep the digest only."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

from bcapp.db import Database

# Where a signer comes from, which only changes a word of the page: what was decided is read from the service.
SIGNED, DECLINED = "signed", "declined"
# {store_hash}.{43 characters of base64url}: 256 random bits
TOKEN = re.compile(r"([a-z0-9]{1,32})\.([A-Za-z0-9_-]{43})")


def sign_address(app_url: str, token: str) -> str:
    return f"{app_url}/sign/{token}"


def sign_digest(token: str) -> bytes:
    """What sign_links.digest holds: SHA-256 of the whole token. It is random, so no key is needed."""
    return hashlib.sha256(token.encode()).digest()


def store_of_link(token: str) -> str | None:
    """Return the store that a token names, None for what is not one."""
    match = TOKEN.fullmatch(token)
    return match[1] if match else None


async def make_link(db: Database, store_hash: str, request_id: int, position: int, now: datetime) -> str:
    """Return a new token of a signer's page; its digest is written at once.

    A signer may have several: the plain token is kept nowhere, so whoever needs an address makes one.
    """
    token = f"{store_hash}.{secrets.token_urlsafe(32)}"
    values = {"store_hash": store_hash, "digest": sign_digest(token), "now": now}
    await db.execute("add_sign_link", {**values, "request_id": request_id, "position": position})
    return token
