"""Documents' bytes, kept per store under their SHA-256 in pieces of 256 kB, each sealed with the store's data key."""

from __future__ import annotations

import hashlib
from typing import Any

from bcapp.db import Database
from bcapp.errors import AppError
from bcapp.secrets import DataKey, SealBroken

CHUNK_BYTES = 256 * 1024


class NotKept(AppError):
    """No whole document of this hash is kept for the store, or what is kept is not what the hash says."""


async def keep(db: Database, key: DataKey, store_hash: str, content: bytes) -> bytes:
    """Keep a document and return its SHA-256 (32 bytes). A document that is kept already changes nothing.

    One that no longer opens (it was sealed with a data key that was destroyed) is replaced. Inside a transaction of
    the caller it is committed with it.
    """
    sha256 = hashlib.sha256(content).digest()
    async with db.transaction():
        try:
            await read(db, key, store_hash, sha256)
            return sha256
        except (NotKept, SealBroken):
            await delete(db, store_hash, sha256)
        pieces = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)] or [b""]
        for position, piece in enumerate(pieces):
            await db.execute(
                "add_chunk",
                {
                    "store_hash": store_hash,
                    "sha256": sha256,
                    "position": position,
                    "last": position == len(pieces) - 1,
                    "content": key.encrypt(piece, **_place(store_hash, sha256, position)),
                },
            )
    return sha256


async def read(db: Database, key: DataKey, store_hash: str, sha256: bytes) -> bytes:
    """Return a document whose bytes have this hash.

    Raises NotKept when it is absent, incomplete or different, SealBroken when a piece does not open.
    """
    rows = await db.fetch_all("read_chunks", {"store_hash": store_hash, "sha256": sha256})
    if [r["position"] for r in rows] != list(range(len(rows))) or [r["last"] for r in rows].count(True) != 1:
        raise NotKept(f"the document {sha256.hex()[:12]} is not kept whole")
    content = b"".join(key.decrypt(r["content"], **_place(store_hash, sha256, r["position"])) for r in rows)
    if hashlib.sha256(content).digest() != sha256:
        raise NotKept(f"what is kept as {sha256.hex()[:12]} has another hash")
    return content


async def delete(db: Database, store_hash: str, sha256: bytes) -> None:
    """Forget a document. The caller knows that no request, evidence or agreement points at it any more."""
    await db.execute("delete_chunks", {"store_hash": store_hash, "sha256": sha256})


def _place(store_hash: str, sha256: bytes, position: int) -> dict[str, Any]:
    return {"table": "chunks", "column": "content", "store_hash": store_hash, "row": f"{sha256.hex()}:{position}"}
