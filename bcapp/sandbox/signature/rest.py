"""The answers' common shapes: JSON, the framework's errors, pages of a list, request bodies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refusal(Exception):
    """An answer other than 2xx; `body` is what the framework of the service would say."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, headers


def detail(status: int, text: str, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(status, {"detail": text}, headers)


NOT_FOUND = (404, "Not found.")


@dataclass(frozen=True)
class Upload:
    """A file of a multipart body."""

    name: str
    content: bytes


async def read_body(request: Request) -> tuple[dict[str, Any], Upload | None]:
    """Return the fields of a JSON or multipart body and the uploaded `file`, if any.

    A multipart body may carry all fields as JSON in `data`, or nested fields as `signer[0]email`.
    Source: core-signature.md 5.1.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        raw = await request.body()
        try:
            body = json.loads(raw or b"{}")
        except ValueError as exc:
            raise detail(400, f"JSON parse error - {exc}") from exc
        if not isinstance(body, dict):
            raise Refusal(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]})
        return body, None
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        upload: Upload | None = None
        fields: dict[str, Any] = {}
        async with request.form() as form:
            data = form.get("data")
            for key, value in form.multi_items():
                if isinstance(value, UploadFile):
                    upload = Upload(value.filename or "document.pdf", await value.read())
                elif key != "data":
                    _put(fields, key, value)
        if isinstance(data, str):
            try:
                fields |= json.loads(data)
            except (TypeError, ValueError) as exc:
                raise Refusal(400, {"data": ["Value must be valid JSON."]}) from exc
        return fields, upload
    raise detail(415, f'Unsupported media type "{kind}" in request.')


def _put(fields: dict[str, Any], key: str, value: str) -> None:
    """File `signer[0]email` under fields["signers"][0]["email"]."""
    name, bracket, rest = key.partition("[")
    index, _, inner = rest.partition("]")
    if not bracket or not index.isdigit() or not inner or int(index) > 100:
        fields[key] = value
        return
    rows = fields.setdefault("signers" if name == "signer" else name, [])
    while len(rows) <= int(index):
        rows.append({})
    rows[int(index)][inner.strip("[]")] = value


def page(
    request: Request, rows: Sequence[Any], shape: Callable[[Any], Any], public_url: str, default_size: int = 10
) -> Response:
    """Answer one page of a list as {count, next, previous, results}; a page that is not there is a 404."""
    try:
        number = int(request.query_params.get("page", "1"))
        size = min(100, max(1, int(request.query_params.get("limit", str(default_size)))))
    except ValueError:
        raise detail(404, "Invalid page.") from None
    last = max(1, -(-len(rows) // size))
    if not 1 <= number <= last:
        raise detail(404, "Invalid page.")

    def address(other: int) -> str | None:
        if not 1 <= other <= last:
            return None
        query = {**dict(request.query_params), "page": str(other)}
        return f"{public_url}{request.url.path}?{urlencode(query)}"

    shown = rows[(number - 1) * size : number * size]
    return JSONResponse(
        {
            "count": len(rows),
            "next": address(number + 1),
            "previous": address(number - 1),
            "results": [shape(row) for row in shown],
        }
    )
