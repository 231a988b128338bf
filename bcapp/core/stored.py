"""Facts as JSON and back, by their declared types: money as text, times as ISO 8601, what is default left out."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property, partial
from typing import Any, Generic, NamedTuple, TypeVar

from bcapp.core.model import Money
from bcapp.errors import UnreadableInput

T = TypeVar("T")
Write = Callable[[Any], Any]
Read = Callable[[Any], Any]


class Codec(Generic[T]):
    """How one dataclass is stored. A field with the metadata {"stored": False} never is.

    An absent key has its default, so a newer release may add fields that have one; keys of a newer release are left
    aside. What is not readable raises UnreadableInput that names the key.
    """

    def __init__(self, of: type[T]) -> None:
        self._of = of
        hints = typing.get_type_hints(of)
        kept = [f for f in fields(of) if f.metadata.get("stored", True)]  # type: ignore[arg-type]
        self._writes = [(f.name, _default(f), _writer(hints[f.name])) for f in kept]
        self._whole = self._parts(Codec.parse)
        self.keys = frozenset(name for name, _, _ in self._writes)
        self._view = self._make_view(Codec.view)
        inner = {f.name: _held(hints[f.name]) for f in kept}
        self._inner = {name: frozenset(f.name for f in fields(of)) for name, of in inner.items() if of is not None}

    def dump(self, facts: T) -> dict[str, Any]:
        stored: dict[str, Any] = {}
        for name, default, write in self._writes:
            value = getattr(facts, name)
            if value != default:
                stored[name] = write(value)
        return stored

    def parse(self, stored: Mapping[str, Any]) -> T:
        return self._of(**{part.name: part.of(stored) for part in self._whole})

    def view(self, stored: Mapping[str, Any]) -> T:
        """Return what reads like the facts but reads each part only when it is asked for: for many records at once.

        What it holds (lines, addresses) is read the same way. It equals nothing and is good for reading fields only.
        """
        if not isinstance(stored, dict):
            raise UnreadableInput("not an object")
        return self._view(stored)  # type: ignore[no-any-return]

    def left_out(self, paths: Iterable[str]) -> LeftOut:
        """Return what is left of the stored form when only these paths are read ("total", "items.sku")."""
        read: dict[str, set[str]] = {}
        for path in paths:
            name, _, within = path.partition(".")
            read.setdefault(name, set()).add(within)
        thinned = {name: inner for name, inner in read.items() if name in self._inner and "" not in inner}
        kept = frozenset().union(*thinned.values())
        names = frozenset().union(*(self._inner[name] for name in thinned)) - kept
        return LeftOut(self.keys - read.keys(), frozenset(thinned), names)

    def _make_view(self, nested: Callable[[Codec[Any], Any], Any]) -> Any:
        class View:
            def __init__(self, stored: Mapping[str, Any]) -> None:
                self._stored = stored

        for name, member in vars(self._of).items():
            if isinstance(member, (property, types.FunctionType, cached_property)) and not name.startswith("__"):
                setattr(View, name, member)
        for part in self._parts(nested):
            setattr(View, part.name, part)
        View.__name__ = View.__qualname__ = f"Stored{self._of.__name__}"
        return View

    def _parts(self, nested: Callable[[Codec[Any], Any], Any]) -> list[_Part]:
        hints = typing.get_type_hints(self._of)
        return [
            _Part(f.name, _default(f), _reader(hints[f.name], nested) if f.metadata.get("stored", True) else None)
            for f in fields(self._of)  # type: ignore[arg-type]
        ]


class LeftOut(NamedTuple):
    """Parts of a stored form that nobody reads. without: keys; of each object in the parts `thinned`, these `names`."""

    without: frozenset[str]
    thinned: frozenset[str]
    names: frozenset[str]


NOTHING_LEFT_OUT = LeftOut(frozenset(), frozenset(), frozenset())


class _Part:
    """One field of a stored form; as an attribute of a view it reads itself once. read: None when never stored."""

    __slots__ = ("_default", "_read", "name")

    def __init__(self, name: str, default: Any, read: Read | None) -> None:
        self.name, self._default, self._read = name, default, read

    def of(self, stored: Mapping[str, Any]) -> Any:
        value, read = stored.get(self.name, MISSING), self._read
        if value is MISSING or read is None:
            if self._default is MISSING:
                raise UnreadableInput(f"{self.name} is missing")
            return self._default
        try:
            return read(value)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, InvalidOperation):
            raise UnreadableInput(f"{self.name} cannot be read") from None

    def __get__(self, view: Any, _: Any = None) -> Any:
        try:
            value = self._read(view._stored[self.name])  # type: ignore[misc]
        except Exception:  # noqa: BLE001 (absent, never stored, unreadable: `of` says which)
            value = self.of(view._stored)
        view.__dict__[self.name] = value  # the next time it is found without coming here
        return value


def picker(paths: Iterable[str]) -> Callable[[Mapping[str, Any]], Hashable]:
    """Return what gives the values of a stored form at these paths as one key; equal keys read the same.

    A path such as "billing.country" or "items.sku" goes through objects, and through each part of a list.
    """
    picks = [_pick(*path.split(".")) for path in sorted(set(paths))]
    match picks:
        case [one]:
            return one
        case [one, two]:
            return lambda stored: (one(stored), two(stored))
    return lambda stored: tuple([pick(stored) for pick in picks])


def _pick(name: str, *inner: str) -> Callable[[Mapping[str, Any]], Hashable]:
    if inner:
        within = _pick(*inner)

        def of_parts(stored: Mapping[str, Any]) -> Hashable:
            value = stored.get(name, MISSING)
            if value.__class__ is dict:
                return dict, within(value)
            if value.__class__ is list:
                return tuple([(dict, within(part)) if part.__class__ is dict else _frozen(part) for part in value])
            return _frozen(value)

        return of_parts

    def of(stored: Mapping[str, Any]) -> Hashable:
        value = stored.get(name, MISSING)
        return value if value.__class__ in _PLAIN else _frozen(value)

    return of


_PLAIN = frozenset({str, int, type(None), type(MISSING)})


def _frozen(value: Any) -> Hashable:
    """Return a value of JSON as a part of a key. True is not 1 there, nor is a list an object."""
    of = value.__class__
    if of in _PLAIN:
        return value  # type: ignore[no-any-return]
    if of is list:
        return tuple([_frozen(part) for part in value])
    if of is dict:
        return dict, tuple([(name, _frozen(part)) for name, part in value.items()])
    return of, value


@cache
def codec_of(of: type[T]) -> Codec[T]:
    return Codec(of)


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


# One writer and one reader per declared type ---------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _write_date(value: date) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _write_money(value: Money) -> str:
    return f"{value.amount:f} {value.currency}"


def _read_money(value: str) -> Money:
    amount, _, currency = value.partition(" ")
    return Money(Decimal(amount), currency)


def _read_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _exactly(wanted: type[Any]) -> Read:
    def read(value: Any) -> Any:
        if type(value) is not wanted:
            raise TypeError(f"not {wanted.__name__}")
        return value

    return read


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(hint), typing.get_args(hint)


def _optional(hint: Any) -> Any:
    """Return X of `X | None`, else None."""
    origin, args = _parts(hint)
    inner = [a for a in args if a is not type(None)]
    return inner[0] if origin in (types.UnionType, typing.Union) and len(inner) == 1 < len(args) else None


def _held(hint: Any) -> Any:
    """Return the dataclass that a part is, or is a list of; None for all else, money too, which is stored as text."""
    origin, args = _parts(hint)
    inner = _optional(hint) or (args[0] if origin is tuple and args[-1] is Ellipsis else hint)
    return inner if is_dataclass(inner) and inner is not Money else None


def _writer(hint: Any) -> Write:
    inner = _optional(hint)
    if inner is not None:
        write = _writer(inner)
        return lambda value: None if value is None else write(value)
    origin, args = _parts(hint)
    if origin is frozenset:
        each = _writer(args[0])
        return lambda value: [each(v) for v in sorted(value)]
    if origin is tuple and args[-1] is Ellipsis:
        each = _writer(args[0])
        return lambda value: [each(v) for v in value]
    if origin is tuple:
        writes = [_writer(a) for a in args]
        return lambda value: [write(v) for write, v in zip(writes, value, strict=True)]
    if hint is Decimal:
        return lambda value: f"{value:f}"
    if hint is Money:
        return _write_money
    if hint in (datetime, date):
        return _write_date
    if hint in (str, int, bool):
        return _same
    return codec_of(hint).dump


def _reader(hint: Any, nested: Callable[[Codec[Any], Any], Any]) -> Read:
    """nested: how a dataclass within is read, Codec.parse or Codec.view."""
    inner = _optional(hint)
    if inner is not None:
        read = _reader(inner, nested)
        return lambda value: None if value is None else read(value)
    origin, args = _parts(hint)
    if origin is frozenset:
        each = _reader(args[0], nested)
        return lambda value: frozenset([each(v) for v in _read_list(value)])
    if origin is tuple and args[-1] is Ellipsis:
        each = _reader(args[0], nested)
        return lambda value: tuple([each(v) for v in _read_list(value)])
    if origin is tuple:
        reads = [_reader(a, nested) for a in args]
        return lambda value: tuple([read(v) for read, v in zip(reads, _read_list(value), strict=True)])
    if hint is Decimal:
        return Decimal
    if hint is Money:
        return _read_money
    if hint is datetime:
        return datetime.fromisoformat
    if hint is date:
        return date.fromisoformat
    if hint in (str, int, bool):
        return _exactly(hint)
    return partial(nested, codec_of(hint))
