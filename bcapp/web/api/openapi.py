"""The API's description for tools, made from the operations. `python -m bcapp.web.api.openapi` prints it."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bcapp.web.api import operations
from bcapp.web.api.door import CODES, ROOT, Operation
from bcapp.web.api.shapes import ErrorOut, Page

REF = "#/components/schemas/{model}"
PARAMETER = re.compile(r"{(\w+)}")
REFUSALS = (400, 401, 403, 404, 429)


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of every operation."""
    found = operations()
    answered: set[type[BaseModel]] = {ErrorOut, *(model for op in found if (model := _answer(op)) is not None)}
    taken = {op.takes for op in found if op.takes is not None}
    modes: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = []
    for model in sorted(answered, key=lambda m: m.__name__):
        modes.append((model, "serialization"))
    for model in sorted(taken, key=lambda m: m.__name__):
        modes.append((model, "validation"))
    refs, schema = models_json_schema(modes, ref_template=REF)
    by_model = {model: ref["$ref"] for (model, _), ref in refs.items()}
    paths: dict[str, dict[str, Any]] = {}
    for op in found:
        paths.setdefault(f"{ROOT}{op.path}", {})[op.method.lower()] = _operation(op, by_model)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": "1",
            "description": "Requests for signature, their records and documents. Fields may be added to answers; "
            "none is renamed, retyped or taken away within version 1.",
        },
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schema["$defs"].items())),
        },
    }


def _answer(op: Operation) -> type[BaseModel] | None:
    if op.answers is None or not op.pages:
        return op.answers
    return Page[op.answers]  # type: ignore[name-defined]


def _operation(op: Operation, refs: dict[Any, str]) -> dict[str, Any]:
    model = _answer(op)
    content: dict[str, Any] = {"schema": {"$ref": refs[model]}} if model is not None else {}
    made: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "description": " ".join((op.endpoint.__doc__ or "").split()),
        "x-role": op.role,
        "parameters": _parameters(op),
        "responses": {
            str(op.status): {"description": op.summary, "content": {op.media_type: content}},
            **{str(status): _refusal(status, refs) for status in REFUSALS},
        },
    }
    if op.takes is not None:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": refs[op.takes]}}},
        }
    return made


def _parameters(op: Operation) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PARAMETER.findall(op.path)
    ]
    query = [
        {
            "name": q.name,
            "in": "query",
            "required": False,
            "description": q.about,
            "schema": {
                "type": "integer" if q.kind == "number" else "string",
                **({"format": "date-time"} if q.kind == "time" else {}),
                **({"enum": list(q.allowed)} if q.allowed else {}),
            },
        }
        for q in op.query
    ]
    return [*path, *query]


def _refusal(status: int, refs: dict[Any, str]) -> dict[str, Any]:
    return {
        "description": CODES[status].replace("_", " "),
        "content": {"application/json": {"schema": {"$ref": refs[ErrorOut]}}},
    }


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


async def show_document(request: Request) -> Response:
    """The description needs no key: it says nothing about any store."""
    return Response(text(), media_type="application/json")


def api_routes() -> list[BaseRoute]:
    """Return every address of the API; what is none of them is refused in its own shape by app.py."""
    routes: list[BaseRoute] = [op.route for op in operations()]
    described = Route(f"{ROOT}/openapi.json", show_document, methods=["GET"], name="api:openapi")
    return [described, *routes]


if __name__ == "__main__":
    print(text(), end="")
