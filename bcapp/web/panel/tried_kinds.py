"""The kinds of records whose past is kept, so that rules about them can be tried before they act."""

from bcapp.core.kinds import KINDS
from bcapp.core.whatif import EDITS

TRIED = {name: kind for name, kind in KINDS.items() if name in EDITS}
