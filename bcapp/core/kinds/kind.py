"""What a kind of record tells the rules: its fields, when a record counts yet, and when it was created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from bcapp.core.fields import Field
from bcapp.core.merge import MergeField, Source
from bcapp.core.model import Money
from bcapp.core.sheets import Sheet
from bcapp.core.stored import Codec


@dataclass(frozen=True)
class OutOfScope:
    """Why no rule looks at a record. decision: not_placed | not_storefront."""

    decision: str
    sentence: str


class Brief(NamedTuple):
    """What a record is besides its fields: for lists, and for counting what a rule would ask of it.

    customer: who stands behind it, the same for all of their records; "" when nobody is known.
    """

    label: str = ""
    modified_at: datetime | None = None
    customer: str = ""
    has_email: bool = False
    money: Money | None = None


def no_brief(_: Any) -> Brief:
    return Brief()


def not_shown(_: Any) -> dict[str, Any]:
    return {}


# The material facts of a record: what a signature is for. A change of them asks anew.
Material = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Kind:
    """when: how the sentence of a rule begins. signer: how people call who signs the customer's part.

    out_of_scope(facts, channels) says why a record is none of a rule's, None when it is one; channels: where it acts.
    codec: how facts are stored. material: version -> projection; an old one stays, because open requests are compared
    through the one that they were made with. merge: what agreements may name of it. sheet: what documents show of it,
    None for orders, whose pages know them. shown: what pages show besides the material facts, as JSON.
    scope_reads, dated_by: which stored parts out_of_scope and created_at read, written as Field.reads is.
    is_remote: whether the record stands at BigCommerce, and not in our own tables.
    """

    name: str
    label: str
    plural: str
    when: str
    fields: Mapping[str, Field]
    out_of_scope: Callable[[Any, frozenset[int]], OutOfScope | None]
    created_at: Callable[[Any], datetime]
    codec: Codec[Any]
    scope_reads: str = ""
    dated_by: str = ""
    brief: Callable[[Any], Brief] = no_brief
    material: Mapping[int, Material] = field(default_factory=dict)
    merge: tuple[MergeField, ...] = ()
    sheet: Callable[[Source], Sheet] | None = None
    shown: Callable[[Any], dict[str, Any]] = not_shown
    signer: str = "the customer"
    is_remote: bool = True
    has_amount: bool = True  # that approval limits can be compared with, at least of some records

    @property
    def projection(self) -> int:
        """The newest version of the material facts."""
        return max(self.material)

    def snapshot(self, facts: Any, projection: int = 0) -> dict[str, Any]:
        """Return the material facts; projection 0: by the newest version."""
        return self.material[projection or self.projection](facts)

    def named(self, record_id: str) -> str:
        """Return the record as tasks, reasons and mails name it: they outlive what is erased, so they name nobody."""
        return f"{self.label} {record_id}"

    def dump(self, facts: Any) -> dict[str, Any]:
        """Return the facts as JSON, without loss but for texts that no field reads."""
        return self.codec.dump(facts)

    def parse(self, stored: Mapping[str, Any]) -> Any:
        """Return the facts of a stored form; raise UnreadableInput that names what cannot be read."""
        return self.codec.parse(stored)

    def view(self, stored: Mapping[str, Any]) -> Any:
        """Return the facts of a stored form, each part read when it is asked for: the fast way over many records."""
        return self.codec.view(stored)
