"""Bounded form reading: a form is small, an uploaded agreement is one PDF."""

from __future__ import annotations

import re

from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from bcapp.errors import UnreadableInput

FORM_BYTES = 256 * 1024
UPLOAD_BYTES = 12 * 1024 * 1024
FIELDS = 500
FILES = 500  # an import of earlier signatures brings its PDFs along
FIELD_BYTES = 128 * 1024
CHARSET = re.compile(r"charset\s*=\s*\"?([^\";\s]*)")


class TooLarge(UnreadableInput):
    """The body is larger than this address takes; answered with 413."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body, or raise TooLarge as soon as it is known to be larger than `limit` bytes.

    The announced length is not trusted: what really comes is counted.
    """
    return await receive_body(request.receive, request.headers.get("content-length", ""), limit)


async def receive_body(receive: Receive, announced: str, limit: int) -> bytes:
    """The same below Starlette's request. Raises ClientDisconnect when the sender hangs up."""
    if announced.isascii() and announced.isdecimal() and (len(announced) > 15 or int(announced) > limit):
        raise TooLarge(f"the body has {announced[:20]} bytes, at most {limit} are taken")
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
    return b"".join(chunks)


async def read_form(request: Request) -> FormData:
    """Return the form, plain or multipart; the same one when it is asked for again.

    Uploaded files are gone when the handler returns. Raises TooLarge, and UnreadableInput for what is not a form.
    """
    known = getattr(request.state, "form", None)
    if isinstance(known, FormData):
        return known
    kind, _, more = request.headers.get("content-type", "").lower().partition(";")
    kind = kind.strip()
    if kind not in ("", "application/x-www-form-urlencoded", "multipart/form-data"):
        raise UnreadableInput(f"a form was expected, not {kind[:60]}")
    if set(CHARSET.findall(more)) - {"utf-8"}:  # Python knows encodings that make half characters, or take for ever
        raise UnreadableInput("a form is read as UTF-8")
    limit = UPLOAD_BYTES if kind == "multipart/form-data" else FORM_BYTES
    body = await read_body(request, limit)
    form = await parse_form(request, body)
    request.state.form = form
    return form


async def close_form(request: Request) -> None:
    """Drop the uploaded files of the form that was read, if one was."""
    known = getattr(request.state, "form", None)
    if isinstance(known, FormData):
        await known.close()


async def parse_form(request: Request, body: bytes) -> FormData:
    """Parse a body that was read already."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    again = Request(request.scope, receive)
    try:
        return await again.form(max_files=FILES, max_fields=FIELDS, max_part_size=FIELD_BYTES)
    except ValueError as exc:
        raise UnreadableInput("the form cannot be read") from exc
