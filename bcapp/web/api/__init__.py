"""The API of version 1: one module per resource, all behind one door.

A resource is a module in this folder with `OPERATIONS: list[Operation]`, made by `@operation(...)`:

    @operation("GET", "/requests/{id}", answers=RequestOut, summary="Read one request")
    async def read_request(call: Call) -> RequestOut: ...

Paths are relative to /api/v1. What a handler returns is a model (or `Page` of them, or a Response such as a PDF); its
JSON shape is published in docs/api.openapi.json, which is made from these declarations: fields may be added, never
renamed, retyped or taken away. A handler that changes something says `role="write"`. A module that is new here is found
by itself; nothing else names it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from bcapp.web.api.door import Operation

# Not resources.
OWN = frozenset({"door", "openapi", "shapes"})


@cache
def operations() -> tuple[Operation, ...]:
    """Return what every resource of this folder offers, by module name and in each module's order."""
    found: list[Operation] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.name not in OWN:
            found += importlib.import_module(f"{__name__}.{module.name}").OPERATIONS
    return tuple(found)
