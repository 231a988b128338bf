"""Callback addresses of signature requests: a token per request, of which tables keep the digest and a sealed copy."""

from __future__ import annotations

import hashlib
import re
import secrets

# {store_hash}.{43 characters of base64url}: 256 random bits
CALLBACK = re.compile(r"([a-z0-9]{1,32})\.([A-Za-z0-9_-]{43})")


def new_callback_token(store_hash: str) -> str:
    """Return the last part of a callback address; the store leads, so that its row is found where the store's are."""
    return f"{store_hash}.{secrets.token_urlsafe(32)}"


def callback_address(app_url: str, token: str) -> str:
    return f"{app_url}/webhooks/core-signature/{token}"


def callback_digest(token: str) -> bytes:
    """What requests.callback_digest holds: SHA-256 of the whole token. It is random, so no key is needed."""
    return hashlib.sha256(token.encode()).digest()


def store_of_callback(token: str) -> str | None:
    """Return the store that a token names, None for what is not one."""
    match = CALLBACK.fullmatch(token)
    return match[1] if match else None
