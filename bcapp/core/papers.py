"""Papers that a party hands in as files: how each one stands, and which are asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bcapp.core.suppliers import AGREEMENT, ITEMS, SOON_DAYS, Item

LICENCE, CERTIFICATE = "licence", "certificate"
# What somebody hands in who applies for an account.
OF_APPLICANTS = {LICENCE: "Business licence", CERTIFICATE: "Tax or resale certificate"}
LABELS = {**ITEMS, **OF_APPLICANTS}
MOST_BYTES = 10 << 20
UPLOADS_A_DAY = 10  # of one party; staff may upload more
WHY_CHARACTERS = 300
ENDINGS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


class PaperState(StrEnum):
    WAITING = "waiting"  # nobody of the store has looked at it
    ACCEPTED = "accepted"  # the one that counts
    REFUSED = "refused"
    DROPPED = "dropped"  # a newer one came before anybody looked, or it was taken away
    REPLACED = "replaced"  # it counted until a newer one was accepted


class PaperEvent(StrEnum):
    ACCEPT = "accept"
    REFUSE = "refuse"
    NEWER = "newer"
    TAKE_AWAY = "take_away"


TRANSITIONS: Mapping[tuple[PaperState, PaperEvent], PaperState] = {
    (PaperState.WAITING, PaperEvent.ACCEPT): PaperState.ACCEPTED,
    (PaperState.WAITING, PaperEvent.REFUSE): PaperState.REFUSED,
    (PaperState.WAITING, PaperEvent.NEWER): PaperState.DROPPED,
    (PaperState.WAITING, PaperEvent.TAKE_AWAY): PaperState.DROPPED,
    (PaperState.ACCEPTED, PaperEvent.NEWER): PaperState.REPLACED,
}
FILED = frozenset({PaperState.WAITING, PaperState.ACCEPTED, PaperState.REPLACED})  # of the others the file is gone


def moved(state: PaperState, event: PaperEvent) -> PaperState | None:
    """Return the next state, None when the event means nothing to it."""
    return TRANSITIONS.get((state, event))


def media_of(content: bytes) -> str:
    """Return what a file is by its first bytes: a key of ENDINGS, or "" for everything else."""
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in content[-16:]:
        return "image/png"
    if content.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in content[-64:]:
        return "image/jpeg"
    return ""


@dataclass(frozen=True)
class Asked:
    """What a party reads of one paper. state: missing | ending | ended | waiting | refused.

    can_send: whether a file is asked for; not while one waits to be looked at.
    """

    name: str
    state: str
    expires_on: date | None = None
    why: str = ""

    @property
    def can_send(self) -> bool:
        return self.state != PaperState.WAITING


def asked_of(
    items: Iterable[Item], latest: Mapping[str, tuple[str, str]], today: date, soon: int = SOON_DAYS
) -> tuple[Asked, ...]:
    """Return the papers that a party is asked for: needed, and missing or ending.

    latest: by the name of a paper, the state of the file that came last and why it was refused. The agreement is
    signed, never uploaded.
    """
    found = []
    for item in items:
        state = item.state(today, soon)
        if item.name == AGREEMENT or not item.needed or state not in ("missing", "ending", "ended"):
            continue
        came, why = latest.get(item.name, ("", ""))
        if came in (PaperState.WAITING, PaperState.REFUSED):
            found.append(Asked(item.name, came, item.expires_on, why if came == PaperState.REFUSED else ""))
        else:
            found.append(Asked(item.name, state, item.expires_on))
    return tuple(found)


def needed(names: Iterable[str], accepted: Iterable[Item]) -> tuple[Item, ...]:
    """Return the papers of these names as they stand: those that were accepted, and those that nobody has seen yet."""
    there = {item.name: item for item in accepted}
    return tuple(there.get(name, Item(name)) for name in dict.fromkeys(names))


def lacking(items: Iterable[Item], today: date) -> tuple[str, ...]:
    """Return the labels of the papers that are missing, or counted until before today."""
    return tuple(LABELS.get(item.name, item.name) for item in items if not item.counts(today))
