"""The walls: imports point inward, and what decides knows nothing of what acts.

Read with ast, so that an import inside a function counts as well.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "bcapp").rglob("*.py"))


@dataclass(frozen=True)
class Import:
    """importer and imported: dotted names. inside: the function it stands in, "" at the top of the module."""

    importer: str
    imported: str
    inside: str = ""

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}" + (f" in {self.inside}()" if self.inside else "")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


def imports_of(path: Path) -> Iterator[Import]:
    importer = module_of(path)
    package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]

    def visit(node: ast.AST, inside: str) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return  # never happens when the app runs
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(importer, name.name, inside)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for name in node.names:
                whole = f"{base}.{name.name}"
                yield Import(importer, whole if whole in MODULES else base, inside)
        for child in ast.iter_child_nodes(node):
            here = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else inside
            yield from visit(child, here)

    yield from visit(ast.parse(path.read_text()), "")


@cache
def everything() -> list[Import]:
    return [found for path in FILES for found in imports_of(path)]


@cache
def ours() -> list[Import]:
    return [i for i in everything() if i.imported.split(".")[0] == "bcapp"]


def within(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def told(found: list[Import]) -> str:
    return "\n".join(sorted({str(i) for i in found}))


# What a place may import of ours; everything may import itself and the errors.
MAY = {
    "bcapp.errors": (),
    "bcapp.core": (),
    "bcapp.workflows": ("bcapp.core",),
    "bcapp.settings": (),
    "bcapp.clock": (),
    "bcapp.db": ("bcapp.core", "bcapp.settings", "bcapp.secrets", "bcapp.workflows.protocol"),
}
ADAPTERS = ("bcapp.bigcommerce", "bcapp.signature", "bcapp.archive", "bcapp.documents")
EDGES = ("bcapp.db", "bcapp.web", "bcapp.jobs", "bcapp.app", "bcapp.worker", "bcapp.cli", "bcapp.sandbox")


@pytest.mark.parametrize("place", MAY)
def test_a_place_imports_only_what_lies_inside_of_it(place: str) -> None:
    outward = [
        i for i in ours() if within(i.importer, place) and not within(i.imported, place, "bcapp.errors", *MAY[place])
    ]
    assert not outward, told(outward)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_knows_neither_database_nor_pages_nor_jobs_nor_another_adapter(adapter: str) -> None:
    others = [a for a in ADAPTERS if a != adapter and a != "bcapp.documents"]
    outward = [
        i for i in ours() if within(i.importer, adapter) and within(i.imported, *EDGES, "bcapp.workflows", *others)
    ]
    assert not outward, told(outward)


def test_pages_touch_no_outside_service() -> None:
    """Web processes change nothing outside: buttons insert rows. /auth exchanges the code, which only the web can."""
    allowed = {
        "bcapp.bigcommerce.oauth",
        "bcapp.bigcommerce.events",
        "bcapp.signature.events",
        "bcapp.signature.environments",
    }
    outward = [
        i
        for i in ours()
        if within(i.importer, "bcapp.web")
        and within(i.imported, "bcapp.bigcommerce", "bcapp.signature", "bcapp.jobs.vendors", "bcapp.jobs.perform")
        and i.imported not in allowed
    ]
    assert not outward, told(outward)


def test_the_simulated_vendors_know_nothing_of_the_app() -> None:
    outward = [i for i in ours() if within(i.importer, "bcapp.sandbox") and not within(i.imported, "bcapp.sandbox")]
    assert not outward, told(outward)


def test_nothing_in_production_imports_the_sandbox_or_the_benches() -> None:
    """The commands demo, sandbox and bench load it when they run; nothing else, and not at the top."""
    outward = [
        i
        for i in ours()
        if within(i.imported, "bcapp.sandbox", "bcapp.bench")
        and not within(i.importer, "bcapp.sandbox", "bcapp.bench")
        and not (i.importer == "bcapp.cli" and i.inside in ("_demo", "_sandbox", "_bench"))
    ]
    assert not outward, told(outward)


PURE = ("bcapp.core", "bcapp.workflows")
IMPURE = (
    "asyncio", "asyncpg", "databases", "httpx", "socket", "time", "os", "pathlib", "random", "secrets", "subprocess",
    "starlette", "structlog", "threading", "urllib.request", "uuid",
)  # fmt: skip


@pytest.mark.parametrize("place", PURE)
def test_what_decides_cannot_act(place: str) -> None:
    outward = [i for i in everything() if within(i.importer, place) and within(i.imported, *IMPURE)]
    assert not outward, told(outward)


@pytest.mark.parametrize("path", [p for p in FILES if within(module_of(p), *PURE)], ids=module_of)
def test_what_decides_never_waits_and_never_reads_the_clock(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), f"{path.name}:{node.lineno} waits"
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
            named = node.value.id if isinstance(node.value, ast.Name) else ""
            assert named not in ("datetime", "date"), f"{path.name}:{node.lineno} reads the clock"


READS_ENVIRONMENT = {
    "bcapp.settings",
    "bcapp.cli",  # PORT, by which a host says where to listen: a default of a command's option
    "bcapp.db.embedded",  # DYNO, by which a host says that its disk is thrown away
    "bcapp.web.server",  # FORWARDED_ALLOW_IPS, which is uvicorn's own
}


def test_the_environment_is_read_in_settings_and_where_a_host_speaks() -> None:
    readers = set()
    for path in FILES:
        if within(module_of(path), "bcapp.sandbox", "bcapp.bench"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                readers.add(module_of(path))
    assert readers <= READS_ENVIRONMENT, readers - READS_ENVIRONMENT


def test_there_are_no_circles() -> None:
    edges: dict[str, set[str]] = {}
    for i in ours():
        if not i.inside and i.imported in MODULES and i.imported != i.importer:
            edges.setdefault(i.importer, set()).add(i.imported)
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module in done:
            return
        for following in sorted(edges.get(module, ())):
            walk(following, (*way, module))
        done.add(module)

    for module in sorted(edges):
        walk(module, ())


def test_httpx2_stays_out() -> None:
    """Authlib silently switches to it when it is there; our clients are tested with httpx."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('httpx2') is not None)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
