"""The app's panels inside BigCommerce's own lists: which there should be, and what makes them so.

Source: BigCommerce docs, "App extensions": registered per store, two per model and app, label and address of at most
255 characters; only these two can be changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SCOPE = "store_app_extensions_manage"


@dataclass(frozen=True)
class Extension:
    """model: ORDERS | CUSTOMERS | PRODUCTS. context: PANEL (opens over the list) | LINK. url: below the app's root."""

    model: str
    context: str
    url: str
    label: str
    id: str = ""

    @property
    def place(self) -> tuple[str, str]:
        return self.model, self.url


WANTED = (
    Extension("ORDERS", "PANEL", "/orders/${id}/signatures", "Signatures"),
    Extension("ORDERS", "LINK", "/orders/${id}/send", "Send for signature"),
    Extension("CUSTOMERS", "PANEL", "/customers/${id}/agreements", "Agreements"),
    Extension("PRODUCTS", "PANEL", "/products/${id}/requirements", "Signature rules"),
)


@dataclass(frozen=True)
class Steps:
    create: tuple[Extension, ...] = ()
    rename: tuple[Extension, ...] = ()  # with the id of the one that is there
    delete: tuple[Extension, ...] = ()

    @property
    def count(self) -> int:
        return len(self.create) + len(self.rename) + len(self.delete)


def reconcile(there: Sequence[Extension], wanted: Sequence[Extension] = WANTED) -> Steps:
    """Return what makes the store's extensions of this app the wanted ones.

    What was left by an earlier installation, stands twice or belongs to nothing any more goes: each takes one of two
    places of its model.
    """
    by_place: dict[tuple[str, str], Extension] = {}
    spare: list[Extension] = []
    for extension in there:
        if extension.place in by_place:
            spare.append(extension)
        else:
            by_place[extension.place] = extension
    places = {w.place for w in wanted}
    create, rename = [], []
    for one in wanted:
        found = by_place.get(one.place)
        if found is None or found.context != one.context:
            create.append(one)
            spare += [found] if found else []
        elif found.label != one.label:
            rename.append(Extension(one.model, one.context, one.url, one.label, found.id))
    spare += [e for place, e in by_place.items() if place not in places]
    return Steps(tuple(create), tuple(rename), tuple(spare))
