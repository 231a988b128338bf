"""What a kind of record tells the rules: its fields, when a record counts yet, and when it was created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bcapp.core.fields import Field


@dataclass(frozen=True)
class OutOfScope:
    """Why no rule looks at a record. decision: not_placed | not_storefront."""

    decision: str
    sentence: str


@dataclass(frozen=True)
class Kind:
    """when: how the sentence of a rule begins.

    out_of_scope(facts, channels) says why a record is none of a rule's, None when it is one; channels: where it acts.
    """

    name: str
    label: str
    plural: str
    when: str
    fields: Mapping[str, Field]
    out_of_scope: Callable[[Any, frozenset[int]], OutOfScope | None]
    created_at: Callable[[Any], datetime]
