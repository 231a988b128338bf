"""Secrets at rest and short-lived tickets: encryption, keyed digests, signatures.

A sealed value is  version (1) | key id (8) | nonce (12) | ciphertext and tag.  The cipher is AES-256-GCM. Its
associated data names table, column, store and row, so that a value copied to another place does not open there.
Keys are derived by HKDF-SHA256, one for each purpose, from the entries of SECRET_KEYS: the first seals, all open.
The key id is derived too and tells nothing of the key.

Documents and raw bodies are sealed with a store's own data key (`new_data_key`), which is itself sealed in
`stores.data_key`: destroying that one value makes them unreadable for good. Their key id is that of the data key.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadData, URLSafeSerializer

from bcapp.errors import AppError, BadProof, SettingsError

VERSION = b"\x01"
KEY_ID_BYTES = 8
NONCE_BYTES = 12
HEADER_BYTES = 1 + KEY_ID_BYTES
OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + 16
SHORTEST_KEY = 32  # characters; `openssl rand -base64 32` makes 44


class SealBroken(AppError):
    """A sealed value does not open: it was changed, cut, or moved from another place."""


class UnknownKey(SealBroken):
    """A sealed value names a key that SECRET_KEYS does not hold; the text names the key id."""


def _derive(secret: bytes, purpose: str, length: int = 32) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=f"countersign/1/{purpose}".encode()).derive(secret)


def _place(table: str, column: str, store_hash: str, row: object) -> bytes:
    """Associated data; each part is led by its length, so that no two places read the same."""
    parts = [part.encode() for part in (table, column, store_hash, str(row))]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class _Key:
    """One AES-256-GCM key with its id."""

    def __init__(self, secret: bytes) -> None:
        self.id = _derive(secret, "key id", KEY_ID_BYTES)
        self._cipher = AESGCM(_derive(secret, "encryption"))

    def seal(self, value: bytes, place: bytes) -> bytes:
        header = VERSION + self.id
        nonce = os.urandom(NONCE_BYTES)
        return header + nonce + self._cipher.encrypt(nonce, value, header + place)

    def open(self, blob: bytes, place: bytes) -> bytes:
        nonce = blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        try:
            return self._cipher.decrypt(nonce, blob[HEADER_BYTES + NONCE_BYTES :], blob[:HEADER_BYTES] + place)
        except InvalidTag:
            raise SealBroken("a sealed value was changed, or belongs to another table, column, store or row") from None


def _key_id(blob: bytes) -> bytes:
    if len(blob) < OVERHEAD_BYTES or blob[:1] != VERSION:
        raise SealBroken("this is not a sealed value of version 1")
    return bytes(blob[1:HEADER_BYTES])


class DataKey:
    """A store's own key, for its documents and raw bodies. Made by Secrets.new_data_key, got back by unwrap."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = _Key(secret)

    def __repr__(self) -> str:
        return f"DataKey({self._key.id.hex()})"

    def encrypt(self, value: bytes, *, table: str, column: str, store_hash: str, row: object) -> bytes:
        """Return the value sealed for this place."""
        return self._key.seal(value, _place(table, column, store_hash, row))

    def decrypt(self, blob: bytes, *, table: str, column: str, store_hash: str, row: object) -> bytes:
        """Return the value; raise SealBroken, or UnknownKey when another data key sealed it."""
        if _key_id(blob) != self._key.id:
            raise UnknownKey(f"sealed with the data key {_key_id(blob).hex()}, but the store's is {self._key.id.hex()}")
        return self._key.open(bytes(blob), _place(table, column, store_hash, row))

    def digest(self, purpose: str, value: str) -> bytes:
        """Return 32 bytes that stand for what a person is known by, such as an address; gone with this key.

        The store's own key, not SECRET_KEYS: it outlives a rotation, and two stores never share a digest.
        """
        return hmac.digest(_derive(self._secret, f"digest/{purpose}"), value.encode(), "sha256")


class Secrets:
    """What SECRET_KEYS can do.

    keys: at least one, each of 32 characters or more; the first seals, digests and signs, all open.
    Raises SettingsError for keys that are missing, short, or twice the same.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SettingsError("SECRET_KEYS is empty: give at least one key, made by `openssl rand -base64 32`.")
        for number, key in enumerate(keys, start=1):
            if len(key) < SHORTEST_KEY:
                raise SettingsError(
                    f"SECRET_KEYS: key {number} has {len(key)} characters, at least {SHORTEST_KEY} are needed. "
                    "Make one by `openssl rand -base64 32`."
                )
        self._secrets = [key.encode() for key in keys]
        self._keys = {key.id: key for key in map(_Key, self._secrets)}
        if len(self._keys) != len(keys):
            raise SettingsError("SECRET_KEYS names the same key twice.")
        self._first = next(iter(self._keys.values()))
        self._digest_keys: dict[str, list[bytes]] = {}  # by purpose; purposes are words of our code, so few

    def __repr__(self) -> str:
        return f"Secrets({[key.hex() for key in self._keys]})"

    def encrypt(self, value: bytes, *, table: str, column: str, store_hash: str, row: object) -> bytes:
        """Return the value sealed for this place. row: the rest of the primary key, as text or number."""
        return self._first.seal(value, _place(table, column, store_hash, row))

    def decrypt(self, blob: bytes, *, table: str, column: str, store_hash: str, row: object) -> bytes:
        """Return the value; raise UnknownKey when its key is not among ours, SealBroken when it does not open."""
        key_id = _key_id(blob)
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey(
                f"{table}.{column} is sealed with the key {key_id.hex()}, which SECRET_KEYS does not hold. "
                "Append the key that was removed, then run the rotation to its end before removing it again."
            )
        return key.open(bytes(blob), _place(table, column, store_hash, row))

    def needs_rotation(self, blob: bytes) -> bool:
        """True when another key than the first sealed it."""
        return _key_id(blob) != self._first.id

    @property
    def first_key_id(self) -> bytes:
        """The id that a freshly sealed value carries in its bytes 2 to 9."""
        return self._first.id

    # A store's data key

    def new_data_key(self) -> DataKey:
        return DataKey(os.urandom(32))

    def wrap(self, key: DataKey, *, store_hash: str) -> bytes:
        """Return the data key sealed for stores.data_key."""
        return self.encrypt(key._secret, table="stores", column="data_key", store_hash=store_hash, row="")

    def unwrap(self, blob: bytes, *, store_hash: str) -> DataKey:
        """Return the data key out of stores.data_key; errors as decrypt."""
        return DataKey(self.decrypt(blob, table="stores", column="data_key", store_hash=store_hash, row=""))

    # Keyed digests

    def digest(self, purpose: str, value: str | bytes) -> bytes:
        """Return 32 bytes that stand for a token or code where it must be found or compared, but not known.

        Keyed, so that a stolen table does not let a short code be guessed. Made by the first key; look up by
        `digests`, so that what an older key digested is still found.
        """
        return self.digests(purpose, value)[0]

    def digests(self, purpose: str, value: str | bytes) -> list[bytes]:
        """Return the digest under each key, the first key's first: look a token up by all of them."""
        message = value.encode() if isinstance(value, str) else value
        keys = self._digest_keys.get(purpose)
        if keys is None:
            keys = self._digest_keys[purpose] = [_derive(secret, f"digest/{purpose}") for secret in self._secrets]
        return [hmac.digest(key, message, "sha256") for key in keys]

    def matches(self, purpose: str, value: str | bytes, stored: bytes | None) -> bool:
        """True when the stored digest is this value's under any of the keys; in constant time."""
        if stored is None:
            return False
        return any([hmac.compare_digest(bytes(stored), digest) for digest in self.digests(purpose, value)])

    # Tickets

    def sign(self, purpose: str, payload: Any, *, ends_at: datetime) -> str:
        """Return a URL-safe ticket that carries the payload (JSON; readable by its bearer) until ends_at."""
        ticket = self._serializer(purpose).dumps([int(ends_at.timestamp()), payload])
        return ticket if isinstance(ticket, str) else ticket.decode()

    def unsign(self, purpose: str, ticket: str, *, now: datetime) -> Any:
        """Return the payload; raise BadProof when the ticket is not ours, for another purpose, or has ended."""
        try:
            ends_at, payload = self._serializer(purpose).loads(ticket)
        except BadData:
            raise BadProof("the ticket is not ours") from None
        if now.timestamp() >= ends_at:
            raise BadProof("the ticket has ended")
        return payload

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        # itsdangerous signs with the last of its keys and accepts all.
        keys = [_derive(secret, f"ticket/{purpose}") for secret in reversed(self._secrets)]
        return URLSafeSerializer(keys, salt=b"", signer_kwargs={"digest_method": sha256, "key_derivation": "none"})
