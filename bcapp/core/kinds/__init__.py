"""The kinds of records that rules know, one file each."""

from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.order import ORDER

KINDS: dict[str, Kind] = {kind.name: kind for kind in (ORDER,)}
