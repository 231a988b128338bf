"""Hold every call of the simulated BigCommerce against the vendor's OpenAPI files."""

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from bcapp.sandbox.bigcommerce.api import Checker

ROOT = Path(__file__).resolve().parents[2]

# The longest prefix that fits names the file; only files that are asked for are read.
FILES: dict[str, str] = {
    "/v2/orders": "orders.v2.oas2.yml",
    "/v2/order_statuses": "orders.v2.oas2.yml",
    "/v2/store": "store_information.v2.yml",
    "/v2/time": "store_information.v2.yml",
    "/v2/customers": "customers.v2.yml",
    "/v2/customer_groups": "customers.v2.yml",
    "/v3/orders": "orders.v3.yml",
    "/v3/customers": "customers.v3.yml",
    "/v3/catalog/products": "products_catalog.v3.yml",
    "/v3/catalog/variants": "product-variants_catalog.v3.yml",
    "/v3/catalog/brands": "brands_catalog.v3.yml",
    "/v3/catalog/categories": "categories_catalog.v3.yml",
    "/v3/catalog/trees": "category-trees_catalog.v3.yml",
    "/v3/channels": "channels.v3.yml",
    "/v3/sites": "sites.v3.yml",
    "/v3/hooks": "webhooks.v3.yml",
    "/v3/content/scripts": "scripts.v3.yml",
    "/v3/promotions": "promotions.v3.yml",
    "/v3/pricelists": "price_lists.v3.yml",
    "/v3/carts": "carts.v3.yml",
    "/v3/checkouts": "checkouts.v3.yml",
    "/v3/store/metafields": "store_information.v3.yml",
}
B2B_ROOT = "/api/v3/io"
B2B_SPECS = "b2b-edition/specs/api-v3"
B2B_FILES = tuple(f"{B2B_SPECS}/{n}/{n}.yaml" for n in ("company", "payment", "user", "address", "channel", "quote"))
B2B_AT_SOURCE = "https://raw.githubusercontent.com/bigcommerce/docs/main/docs/b2b-edition/"

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

Schema = dict[str, Any]


def find_specs() -> Path | None:
    """Return the folder with the vendors' files: COUNTERSIGN_SPECS, or shared/specs beside the checkout."""
    named = os.environ.get("COUNTERSIGN_SPECS")
    folder = Path(named) if named else ROOT.parent / "shared" / "specs"
    return folder if (folder / "bigcommerce").is_dir() else None


@dataclass(frozen=True, kw_only=True)
class Known:
    """One allowed deviation; `why` names the line that justifies it. where: path, status, query, body, response."""

    operation: str
    where: str
    field: str
    why: str


def read_exceptions(path: Path) -> list[Known]:
    """Return the allowed deviations. Raises ValueError for one without a reason."""
    import yaml

    rows = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    known = [Known(**row) for row in rows]
    for row in known:
        if not row.why.strip():
            raise ValueError(f"{row.operation} {row.field}: an exception needs a reason")
    return known


@dataclass(frozen=True)
class Operation:
    """One declared method of one path."""

    name: str
    pattern: re.Pattern[str]
    method: str
    query: frozenset[str]
    body: Schema | None
    answers: Mapping[str, Schema | None]


class Document:
    """One OpenAPI file, indexed."""

    def __init__(self, path: Path, prefix: str) -> None:
        self._path = path
        self._prefix = prefix
        self._folder = next((p for p in path.parents if p.name == "b2b-edition"), path.parent)

    @cached_property
    def _data(self) -> dict[str, Any]:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        with self._path.open(encoding="utf-8") as file:
            data: dict[str, Any] = yaml.load(file, Loader=loader)
        return data

    @cached_property
    def operations(self) -> list[Operation]:
        rows: list[Operation] = []
        for template, item in self._data["paths"].items():
            pattern = re.compile(self._prefix + re.sub(r"\{[^/}]+\}", "[^/]+", template))
            for method in ("get", "post", "put", "delete"):
                if method in item:
                    rows.append(self._operation(template, pattern, method, item))
        # A literal segment wins over a parameter.
        return sorted(rows, key=lambda op: op.name.count("{"))

    def _operation(self, template: str, pattern: re.Pattern[str], method: str, item: Schema) -> Operation:
        declared = item[method]
        parameters = [self.resolve(p) for p in [*item.get("parameters", []), *declared.get("parameters", [])]]
        body = self.resolve(declared["requestBody"]) if "requestBody" in declared else None
        answers = {str(status): self._content(answer) for status, answer in declared["responses"].items()}
        return Operation(
            name=f"{method.upper()} {self._prefix}{template}",
            pattern=pattern,
            method=method.upper(),
            query=frozenset(p["name"] for p in parameters if p["in"] == "query"),
            body=self._content(body) if body is not None else None,
            answers=answers,
        )

    def _content(self, answer: Schema) -> Schema | None:
        content = self.resolve(answer).get("content") or {}
        schema: Schema | None = (content.get("application/json") or {}).get("schema")
        return schema

    def resolve(self, node: Schema) -> Schema:
        """Follow local references. Source: JSON Reference, RFC 6901 escapes."""
        while "$ref" in node:
            if node["$ref"].startswith(B2B_AT_SOURCE):
                # Another whole file; none of these refers to a place within itself.
                node = document(self._folder / node["$ref"].removeprefix(B2B_AT_SOURCE), self._prefix)._data
                continue
            found: Any = self._data
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def flat(self, schemas: Iterable[Schema]) -> Iterator[Schema]:
        """Yield the plain schemas that a composed one consists of; what any of them declares is declared."""
        for schema in schemas:
            node = self.resolve(schema)
            parts = [part for kind in ("allOf", "oneOf", "anyOf") for part in node.get(kind, ())]
            if not parts or "properties" in node or "items" in node or "enum" in node:
                yield node
            yield from self.flat(parts)

    def undeclared(self, schemas: list[Schema], value: Any, where: str = "") -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong with it) for everything in a value that no schema declares."""
        nodes = list(self.flat(schemas))
        if value is None or not nodes:
            return
        types = {node["type"] for node in nodes if "type" in node}
        if types and not any(_fits(value, kind) for kind in types):
            yield where, f"is {type(value).__name__}, declared {' or '.join(sorted(types))}"
            return
        if isinstance(value, dict):
            yield from self._object(nodes, value, where)
        elif isinstance(value, list):
            items = [node["items"] for node in nodes if node.get("items")]
            for item in value if items else ():
                yield from self.undeclared(items, item, f"{where}[]")
        elif all("enum" in node for node in nodes) and not any(value in node["enum"] for node in nodes):
            yield where, f"{value!r} is not in the declared list"

    def _object(self, nodes: list[Schema], value: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
        for name, inner in value.items():
            place = f"{where}.{name}" if where else name
            declared = [node["properties"][name] for node in nodes if name in node.get("properties", {})]
            if declared:
                yield from self.undeclared(declared, inner, place)
            elif not any(_is_open(node) for node in nodes):
                yield place, "is not declared"


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES.get(kind, (object,)))


def _is_open(node: Schema) -> bool:
    """Tell whether an object may have any fields: it says so, or it declares none at all."""
    if node.get("additionalProperties"):
        return True
    return not node.get("properties") and node.get("type", "object") == "object"


@lru_cache(maxsize=64)
def document(path: Path, prefix: str) -> Document:
    """Return one file's index; kept for the life of the process, because the files are large."""
    return Document(path, prefix)


class SpecChecker(Checker):
    """Names what a call or its answer has that the vendor's files do not; None when all is declared.

    errors: every deviation met so far, as sentences; shared with the sandbox.
    """

    def __init__(self, folder: Path, exceptions: Iterable[Known], errors: list[str]) -> None:
        self.folder = folder / "bigcommerce"
        self.exceptions = list(exceptions)
        self.used: set[Known] = set()
        self.errors = errors
        self._lock = threading.Lock()

    def find(self, method: str, path: str) -> tuple[Document, Operation] | None:
        if path.startswith(B2B_ROOT + "/"):
            return self._find_b2b(method, path)
        fitting = [prefix for prefix in FILES if path == prefix or path.startswith(prefix + "/")]
        if not fitting:
            return None
        file = document(self.folder / FILES[max(fitting, key=len)], path[:3])
        found = next((op for op in file.operations if op.method == method and op.pattern.fullmatch(path)), None)
        return (file, found) if found is not None else None

    def _find_b2b(self, method: str, path: str) -> tuple[Document, Operation] | None:
        """Look through the files, because a company's paths stand in several; a literal segment wins here too."""
        found = [
            (file, op)
            for file in (document(self.folder / name, B2B_ROOT) for name in B2B_FILES)
            for op in file.operations
            if op.method == method and op.pattern.fullmatch(path)
        ]
        return min(found, key=lambda pair: pair[1].name.count("{"), default=None)

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> str | None:
        found = self.find(method, path)
        if found is None:
            return self._problem(f"{method} {path}", [("path", "", "is not declared")])
        file, operation = found
        wrong = [("query", name, "is not declared") for name in query if name not in operation.query]
        if body not in (None, {}, []):
            if operation.body is None:
                wrong.append(("body", "", "is not declared"))
            else:
                wrong.extend(("body", *pair) for pair in file.undeclared([operation.body], body))
                wrong.extend(("body", name, "is required") for name in self._missing(file, operation.body, body))
        return self._problem(operation.name, wrong)

    def _missing(self, file: Document, schema: Schema, body: Any) -> list[str]:
        node = file.resolve(schema)
        required = node.get("required", [])
        return [name for name in required if isinstance(body, dict) and name not in body]

    def response(self, method: str, path: str, status: int, data: Any) -> str | None:
        found = self.find(method, path)
        if found is None:
            return None
        file, operation = found
        if str(status) not in operation.answers:
            # The common errors are documented on a page of their own and not with each operation.
            wrong = [("status", str(status), "is not declared")] if status < 400 else []
            return self._problem(operation.name, wrong)
        schema = operation.answers[str(status)]
        if schema is None or data is None:
            return None
        return self._problem(operation.name, [("response", *pair) for pair in file.undeclared([schema], data)])

    def _problem(self, operation: str, wrong: Iterable[tuple[str, str, str]]) -> str | None:
        left: list[str] = []
        for where, field, what in dict.fromkeys(wrong):
            known = self._known(operation, where, field)
            if known is None:
                left.append(f"{operation}: {where} {field} {what}".replace("  ", " "))
            else:
                self.used.add(known)
        if not left:
            return None
        with self._lock:
            self.errors.extend(left)
        return "; ".join(left[:5])

    def _known(self, operation: str, where: str, field: str) -> Known | None:
        for known in self.exceptions:
            named = known.operation in ("*", operation) or re.fullmatch(known.operation, operation)
            if named and known.where == where and known.field == field:
                return known
        return None


def make_checker(folder: Path | None, exceptions: Path | None, errors: list[str]) -> SpecChecker | None:
    """Return the checker for a sandbox; None when there are no files to check against."""
    if folder is None:
        return None
    if not (folder / "bigcommerce").is_dir():
        raise FileNotFoundError(f"{folder} holds no folder named bigcommerce")
    path = exceptions or ROOT / "tests" / "spec_exceptions.yaml"
    return SpecChecker(folder, read_exceptions(path) if path.is_file() else [], errors)
