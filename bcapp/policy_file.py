"""A policy file: YAML read strictly, every refusal with its line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from bcapp.core.policy import SCHEMA
from bcapp.errors import RefusedByUs

MOST_BYTES = 1_000_000
MOST_DEPTH = 20
MOST_PROBLEMS = 20  # told at once

Path = tuple[str | int, ...]


class _Loader(yaml.CSafeLoader):
    """Plain words are texts but for true, false, null and whole numbers: NO is Norway and 2027-12-31 a text."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(?:0|[1-9][0-9]{0,17})$"), list("-0123456789"))


class _Dumper(yaml.CSafeDumper):
    """Writes what _Loader reads: a text that would be read as something else is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = dict(_Loader.yaml_implicit_resolvers)


class Refused(RefusedByUs):
    """The file cannot be a policy; one line per problem: line, column, sentence."""


class PolicyFile:
    """A file as data, which knows where each part of it stands."""

    def __init__(self, text: str) -> None:
        """Raises Refused."""
        self.text = text
        self._marks: dict[Path, yaml.Mark] = {}
        self.document: dict[str, Any] = self._read()

    def refuse(self, problems: list[tuple[Path, str]]) -> Refused:
        """Return the refusal of parts by their path."""
        return Refused("\n".join(self._located(path, text) for path, text in problems[:MOST_PROBLEMS]))

    def _located(self, path: Path, text: str) -> str:
        while path and path not in self._marks:
            path = path[:-1]
        mark = self._marks.get(path)
        return f"line {mark.line + 1}, column {mark.column + 1}: {text}" if mark else text

    def _read(self) -> dict[str, Any]:
        if len(self.text.encode()) > MOST_BYTES:
            raise Refused(f"A policy has at most {MOST_BYTES // 1000} kB.")
        try:
            self._check_events()
            node = yaml.compose(self.text, Loader=_Loader)
            document = self._build(node, ()) if node is not None else None
        except yaml.MarkedYAMLError as exc:
            mark = exc.problem_mark or exc.context_mark
            where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
            raise Refused(f"{where}{exc.problem or exc.context or 'this is not YAML'}.") from None
        except yaml.YAMLError as exc:
            raise Refused(f"This is not YAML: {str(exc)[:200]}") from None
        found = Draft202012Validator(SCHEMA).iter_errors(document)
        errors = sorted(found, key=lambda e: list(map(str, e.absolute_path)))
        if errors:
            raise self.refuse([(tuple(e.absolute_path), f"{e.message[:200]}.") for e in errors])
        assert isinstance(document, dict)
        return document

    def _check_events(self) -> None:
        """Refuse anchors, aliases, tags and depth before anything is built of them."""
        depth = 0
        for event in yaml.parse(self.text, Loader=_Loader):
            where = event.start_mark
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _at(where, "Anchors and aliases are not read. Write the part out")
            if getattr(event, "tag", None):
                raise _at(where, "Tags are not read")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MOST_DEPTH:
                    raise _at(where, f"Nothing is nested more than {MOST_DEPTH} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1

    def _build(self, node: yaml.Node, path: Path) -> Any:
        self._marks[path] = node.start_mark
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self._build(child, (*path, i)) for i, child in enumerate(node.value)]
            case yaml.ScalarNode():
                return _scalar(node)
        raise _at(node.start_mark, "This cannot stand here")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Mapping[str, Any]:
        built: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _at(key.start_mark, "A name is one plain word")
            if key.value in built:
                raise _at(key.start_mark, f"“{key.value[:40]}” stands here twice")
            built[key.value] = self._build(value, (*path, key.value))
        return built


def _scalar(node: yaml.ScalarNode) -> Any:
    match node.tag.rpartition(":")[2]:
        case "bool":
            return node.value == "true"
        case "int":
            return int(node.value)
        case "null":
            return None
    return str(node.value)


def _at(mark: Any, text: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=mark)


def write_policy(document: Mapping[str, Any]) -> str:
    """Return the policy as YAML, in the order of the document."""
    written = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return str(written)
